package db

import (
	"context"
	"strings"

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

func (f PaymentFilter) apply(q *bun.SelectQuery) *bun.SelectQuery {
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
		q = q.Where("(payment.voided_at IS NOT NULL) = ?", *f.Voided)
	}
	if words := strings.TrimSpace(f.Search); words != "" {
		like := "%" + escapeLike(strings.ToLower(words)) + "%"
		q = q.Where(`(lower(payment.reference) LIKE ?0
			OR payment.client_id IN (SELECT id FROM client WHERE lower(name || ' ' || email || ' ' || tax_id) LIKE ?0))`, like)
	}
	return q
}

// PaymentList lists payments, the newest first.
func (s *Store) PaymentList(ctx context.Context, filter PaymentFilter, page Page) (List[Payment], error) {
	rows := []Payment{}
	q := filter.apply(s.idb.NewSelect().Model(&rows))
	return readPage(ctx, s, q, &rows, page, order[Payment]{by: []key{{"payment.received_on", "date"}, {"payment.id", "bigint"}}, descending: true, of: func(p Payment) []any { return []any{string(p.ReceivedOn), int64(p.ID)} }})
}

// PaymentSums sums the payments of a filter in one currency; those that were voided count nothing.
type PaymentSums struct {
	Currency money.Currency `bun:"currency"`
	Count    int64          `bun:"count"`
	Amount   money.Minor    `bun:"amount"`
}

// PaymentSums sums the payments of a filter, by currency.
func (s *Store) PaymentSums(ctx context.Context, filter PaymentFilter) ([]PaymentSums, error) {
	rows := []PaymentSums{}
	err := filter.apply(s.idb.NewSelect().TableExpr("payment")).
		ColumnExpr("payment.currency, count(*) AS count, coalesce(sum(payment.amount) FILTER (WHERE payment.voided_at IS NULL), 0)::bigint AS amount").
		GroupExpr("payment.currency").OrderExpr("payment.currency").Scan(ctx, &rows)
	return rows, translate(err)
}
