package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// Payment is money received for an invoice.
type Payment struct {
	bun.BaseModel `bun:"table:payment"`

	ID         id.Payment     `bun:"id,pk,autoincrement"`
	InvoiceID  id.Invoice     `bun:"invoice_id"`
	ClientID   id.Client      `bun:"client_id"`
	Amount     money.Minor    `bun:"amount"`
	Currency   money.Currency `bun:"currency"`
	Method     string         `bun:"method"`
	Reference  string         `bun:"reference"`
	ReceivedOn date.Date      `bun:"received_on"`
	RequestKey string         `bun:"request_key"`
	CreatedAt  time.Time      `bun:"created_at,nullzero,default:now()"`
}

// AddPayment inserts a payment. The key payment_request_key_key makes a repeated request visible.
func (s *Store) AddPayment(ctx context.Context, row *Payment) error {
	_, err := s.idb.NewInsert().Model(row).Exec(ctx)
	return translate(err)
}

// PaymentByRequest returns the payment that was made for a request key.
func (s *Store) PaymentByRequest(ctx context.Context, key string) (Payment, error) {
	var row Payment
	err := s.idb.NewSelect().Model(&row).Where("request_key = ?", key).Scan(ctx)
	return row, translate(err)
}

// Payments returns the payments of an invoice in the order in which they were recorded.
func (s *Store) Payments(ctx context.Context, invoiceID id.Invoice) ([]Payment, error) {
	rows := []Payment{}
	err := s.idb.NewSelect().Model(&rows).Where("invoice_id = ?", invoiceID).OrderExpr("id").Scan(ctx)
	return rows, translate(err)
}
