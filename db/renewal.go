package db

import (
	"context"

	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// UpcomingRenewals lists the active services whose next period begins by the day, the next one first.
func (s *Store) UpcomingRenewals(ctx context.Context, until date.Date, page Page) (List[Service], error) {
	rows := []Service{}
	q := s.idb.NewSelect().Model(&rows).Where("status = ?", ServiceActive).Where("next_on <= ?", until).OrderExpr("next_on, id").Limit(int64(page.Size() + 1))
	var day date.Date
	var last int64
	ok, err := page.after(&day, &last)
	if err != nil {
		return List[Service]{}, err
	}
	if ok {
		q = q.Where("(next_on, id) > (?::date, ?)", day, last)
	}
	if err := q.Scan(ctx); err != nil {
		return List[Service]{}, translate(err)
	}
	return newList(rows, page, func(v Service) []any { return []any{string(v.NextOn), int64(v.ID)} }), nil
}

// RenewalSum sums the next periods of services in one currency, as they are priced: with or without tax.
type RenewalSum struct {
	Currency money.Currency `bun:"currency"`
	Count    int64          `bun:"count"`
	Amount   money.Minor    `bun:"amount"`
}

// RenewalSums sums the next periods that begin by the day, by currency.
func (s *Store) RenewalSums(ctx context.Context, until date.Date) ([]RenewalSum, error) {
	rows := []RenewalSum{}
	err := s.idb.NewRaw(`SELECT currency, count(*) AS count, sum(round(quantity * price * 100))::bigint AS amount FROM service
		WHERE status = 'active' AND next_on <= ? GROUP BY currency ORDER BY currency`, until).Scan(ctx, &rows)
	return rows, translate(err)
}
