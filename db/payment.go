package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// Payment is money received from a client. The ledger says which invoices it settled.
type Payment struct {
	bun.BaseModel `bun:"table:payment"`

	ID         id.Payment     `bun:"id,pk,autoincrement"`
	ClientID   id.Client      `bun:"client_id"`
	Amount     money.Minor    `bun:"amount"`
	Currency   money.Currency `bun:"currency"`
	Method     string         `bun:"method"`
	Reference  string         `bun:"reference"`
	ReceivedOn date.Date      `bun:"received_on"`
	RequestKey string         `bun:"request_key,nullzero"`
	GatewayRef string         `bun:"gateway_ref,nullzero"` // the gateway's id of the charge
	VoidedAt   *time.Time     `bun:"voided_at"`
	VoidReason string         `bun:"void_reason"`
	CreatedAt  time.Time      `bun:"created_at,nullzero,default:now()"`

	Applied   money.Minor `bun:"applied,scanonly"`    // the part that settles the invoice that was asked for
	AppliedTo id.Invoice  `bun:"applied_to,scanonly"` // that invoice, where many were asked for
}

// AddPayment inserts a payment and sets its id.
func (s *Store) AddPayment(ctx context.Context, row *Payment) error {
	_, err := s.idb.NewInsert().Model(row).Exec(ctx)
	return translate(err)
}

// Payment returns one payment.
func (s *Store) Payment(ctx context.Context, paymentID id.Payment) (Payment, error) {
	var row Payment
	err := s.idb.NewSelect().Model(&row).Where("id = ?", paymentID).Scan(ctx)
	return row, translate(err)
}

// PaymentByGateway returns the payment that stands for what a gateway names so.
func (s *Store) PaymentByGateway(ctx context.Context, ref string) (Payment, error) {
	var row Payment
	err := s.idb.NewSelect().Model(&row).Where("gateway_ref = ?", ref).Scan(ctx)
	return row, translate(err)
}

// LockPayment returns one payment, locked until the transaction ends.
func (s *Store) LockPayment(ctx context.Context, paymentID id.Payment) (Payment, error) {
	var row Payment
	err := s.idb.NewSelect().Model(&row).Where("id = ?", paymentID).For("NO KEY UPDATE").Scan(ctx)
	return row, translate(err)
}

// Payments returns the payments that settle an invoice, or did before they were voided, in the order
// in which they were recorded; Applied is their part in it.
func (s *Store) Payments(ctx context.Context, invoiceID id.Invoice) ([]Payment, error) {
	rows := []Payment{}
	err := s.idb.NewSelect().Model(&rows).ColumnExpr("?TableColumns, part.applied").
		Join(`JOIN (SELECT payment_id, sum(amount)::bigint AS applied FROM ledger_entry
			WHERE invoice_id = ? AND payment_id IS NOT NULL GROUP BY payment_id) AS part ON part.payment_id = payment.id`, invoiceID).
		OrderExpr("payment.id").Scan(ctx)
	return rows, translate(err)
}

// InvoicePayments returns the payments that settle any of the invoices, or did before they were
// voided, by invoice and in the order in which they were recorded; Applied is their part in it.
func (s *Store) InvoicePayments(ctx context.Context, reach access.Reach, invoices []id.Invoice) (map[id.Invoice][]Payment, error) {
	rows := []Payment{}
	q := s.idb.NewSelect().Model(&rows).ColumnExpr("?TableColumns, part.applied, part.applied_to").
		Join(`JOIN (SELECT invoice_id AS applied_to, payment_id, sum(amount)::bigint AS applied FROM ledger_entry
			WHERE invoice_id IN (?) AND payment_id IS NOT NULL GROUP BY invoice_id, payment_id) AS part ON part.payment_id = payment.id`, bun.List(orNone(invoices))).
		OrderExpr("payment.id")
	if !reach.All {
		q = q.Where("payment.client_id IN (?)", bun.List(orNone(reach.Clients)))
	}
	err := q.Scan(ctx)
	found := map[id.Invoice][]Payment{}
	for _, row := range rows {
		found[row.AppliedTo] = append(found[row.AppliedTo], row)
	}
	return found, translate(err)
}

// PaymentAllocation is what a payment gives to one invoice; 0 is the client's credit.
type PaymentAllocation struct {
	PaymentID id.Payment  `bun:"payment_id"`
	InvoiceID id.Invoice  `bun:"invoice_id"`
	Number    string      `bun:"number"` // of the invoice
	Amount    money.Minor `bun:"amount"`
}

// PaymentAllocations returns where the money of payments is, by payment, the oldest invoice first and
// credit last.
func (s *Store) PaymentAllocations(ctx context.Context, reach access.Reach, payments []id.Payment) (map[id.Payment][]PaymentAllocation, error) {
	rows := []PaymentAllocation{}
	q := s.idb.NewSelect().TableExpr("ledger_entry AS e").Join("LEFT JOIN invoice AS i ON i.id = e.invoice_id").
		ColumnExpr("e.payment_id, coalesce(e.invoice_id, 0) AS invoice_id, coalesce(i.number, '') AS number, sum(e.amount)::bigint AS amount").
		Where("e.payment_id IN (?)", bun.List(orNone(payments))).GroupExpr("e.payment_id, e.invoice_id, i.number").Having("sum(e.amount) <> 0").
		OrderExpr("e.payment_id, e.invoice_id NULLS LAST")
	if !reach.All {
		q = q.Where("e.client_id IN (?)", bun.List(orNone(reach.Clients)))
	}
	err := q.Scan(ctx, &rows)
	found := map[id.Payment][]PaymentAllocation{}
	for _, row := range rows {
		found[row.PaymentID] = append(found[row.PaymentID], row)
	}
	return found, translate(err)
}

// ClientPayments lists the payments of a client, the newest first.
func (s *Store) ClientPayments(ctx context.Context, clientID id.Client, page Page) (List[Payment], error) {
	rows := []Payment{}
	q := s.idb.NewSelect().Model(&rows).Where("client_id = ?", clientID)
	return readPage(ctx, s, q, &rows, page, order[Payment]{by: []key{{"received_on", "date"}, {"id", "bigint"}}, descending: true, of: func(p Payment) []any { return []any{string(p.ReceivedOn), int64(p.ID)} }})
}

// VoidPayment notes that a payment does not count.
func (s *Store) VoidPayment(ctx context.Context, row *Payment) error {
	_, err := s.idb.NewUpdate().Model(row).Column("voided_at", "void_reason").WherePK().Exec(ctx)
	return translate(err)
}
