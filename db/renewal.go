package db

import (
	"context"

	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// ofOpenClients leaves out the services of closed clients, which renew no more.
const ofOpenClients = "NOT EXISTS (SELECT FROM client AS c WHERE c.id = client_id AND c.closed_at IS NOT NULL)"

// UpcomingRenewals lists the active services whose next period begins by the day, the next one first.
func (s *Store) UpcomingRenewals(ctx context.Context, until date.Date, page Page) (List[Service], error) {
	rows := []Service{}
	q := s.idb.NewSelect().Model(&rows).Where("status = ?", ServiceActive).Where("next_on <= ?", until).Where(ofOpenClients)
	return readPage(ctx, s, q, &rows, page, order[Service]{by: []key{{"next_on", "date"}, {"id", "bigint"}}, of: func(v Service) []any { return []any{string(v.NextOn), int64(v.ID)} }})
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
		WHERE status = 'active' AND next_on <= ? AND `+ofOpenClients+` GROUP BY currency ORDER BY currency`, until).Scan(ctx, &rows)
	return rows, translate(err)
}
