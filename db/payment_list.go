package db

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// PaymentFilter limits a list of payments. Zero values do not limit.
type PaymentFilter struct {
	Reach     access.Reach
	Client    id.Client
	Method    string
	From, To  date.Date   // first and last day on which it was received
	MinAmount money.Minor // minor units
	MaxAmount money.Minor
	Voided    *bool
	Search    string // part of the reference, or of the client's name, address or RFC
}

func (s *Store) filterPayments(ctx context.Context, f PaymentFilter, q *bun.SelectQuery) (*bun.SelectQuery, error) {
	if !f.Reach.All {
		q = q.Where("payment.client_id IN (?)", bun.List(orNone(f.Reach.Clients)))
	}
	if f.Client != 0 {
		q = q.Where("payment.client_id = ?", f.Client)
	}
	if f.Method != "" {
		q = q.Where("payment.method = ?", f.Method)
	}
	if f.From != "" {
		q = q.Where("payment.received_on >= ?", f.From)
	}
	if f.To != "" {
		q = q.Where("payment.received_on <= ?", f.To)
	}
	if f.MinAmount != 0 {
		q = q.Where("payment.amount >= ?", f.MinAmount)
	}
	if f.MaxAmount != 0 {
		q = q.Where("payment.amount <= ?", f.MaxAmount)
	}
	if f.Voided != nil {
		condition := "payment.voided_at IS NULL"
		if *f.Voided {
			condition = "payment.voided_at IS NOT NULL"
		}
		q = q.Where(condition)
	}
	return s.search(ctx, q, "lower(payment.reference)", "payment.client_id", f.Search)
}

// PaymentList lists payments, the newest first.
func (s *Store) PaymentList(ctx context.Context, filter PaymentFilter, page Page) (List[Payment], error) {
	rows := []Payment{}
	q, err := s.filterPayments(ctx, filter, s.idb.NewSelect().Model(&rows))
	if err != nil {
		return List[Payment]{}, err
	}
	return readPage(ctx, s, q, &rows, page, order[Payment]{by: []key{{"payment.received_on", "date"}, {"payment.id", "bigint"}}, descending: true, of: func(p Payment) []any { return []any{string(p.ReceivedOn), int64(p.ID)} }})
}

// PaymentSums sums the payments of a filter in one currency; those that were voided count nothing.
type PaymentSums struct {
	Currency money.Currency `bun:"currency"`
	Count    int64          `bun:"count"`
	Amount   money.Minor    `bun:"amount"`
}

// PaymentSums sums the payments of a filter, by currency. A search that finds more than MaxSummed is not summed:
// more is true and the answer empty.
func (s *Store) PaymentSums(ctx context.Context, filter PaymentFilter) (rows []PaymentSums, more bool, err error) {
	q, err := s.filterPayments(ctx, filter, s.idb.NewSelect().TableExpr("payment").ColumnExpr("payment.currency, payment.amount, payment.voided_at"))
	if err != nil {
		return nil, false, err
	}
	if filter.Search != "" {
		q = q.Limit(MaxSummed + 1)
	}
	rows = []PaymentSums{}
	err = s.idb.NewSelect().TableExpr("(?) AS found", q).
		ColumnExpr("currency, count(*) AS count, coalesce(sum(amount) FILTER (WHERE voided_at IS NULL), 0)::bigint AS amount").
		GroupExpr("currency").OrderExpr("currency").Scan(ctx, &rows)
	var count int64
	for _, row := range rows {
		count += row.Count
	}
	if filter.Search != "" && count > MaxSummed {
		return []PaymentSums{}, true, translate(err)
	}
	return rows, false, translate(err)
}
