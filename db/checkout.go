package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// States of a checkout.
const (
	CheckoutCreated    = "created" // the gateway has not answered yet
	CheckoutOpen       = "open"
	CheckoutProcessing = "processing" // the money is on its way
	CheckoutPaid       = "paid"
	CheckoutFailed     = "failed"
	CheckoutExpired    = "expired"
)

// Checkout is an online payment that was started, for one or more invoices of a client.
type Checkout struct {
	bun.BaseModel `bun:"table:checkout"`

	ID         id.Checkout    `bun:"id,pk,autoincrement"`
	ClientID   id.Client      `bun:"client_id"`
	Currency   money.Currency `bun:"currency"`
	Amount     money.Minor    `bun:"amount"`
	Gateway    string         `bun:"gateway"`
	Status     string         `bun:"status"`
	SessionRef string         `bun:"session_ref,nullzero"` // the gateway's id of the payment page
	URL        string         `bun:"url"`                  // of the payment page
	ChargeRef  string         `bun:"charge_ref"`           // the gateway's id of the money, once it is paid
	PaymentID  id.Payment     `bun:"payment_id,nullzero"`
	ExpiresAt  *time.Time     `bun:"expires_at"`
	CreatedAt  time.Time      `bun:"created_at,nullzero,default:now()"`
	UpdatedAt  time.Time      `bun:"updated_at,nullzero,default:now()"`
}

// CheckoutInvoice is an invoice of a checkout with the amount that was to be paid.
type CheckoutInvoice struct {
	bun.BaseModel `bun:"table:checkout_invoice"`

	CheckoutID id.Checkout `bun:"checkout_id,pk"`
	InvoiceID  id.Invoice  `bun:"invoice_id,pk"`
	Amount     money.Minor `bun:"amount"`
}

// AddCheckout inserts a checkout with its invoices and sets its id.
func (s *Store) AddCheckout(ctx context.Context, row *Checkout, invoices []CheckoutInvoice) error {
	if _, err := s.idb.NewInsert().Model(row).Exec(ctx); err != nil {
		return translate(err)
	}
	for i := range invoices {
		invoices[i].CheckoutID = row.ID
	}
	_, err := s.idb.NewInsert().Model(&invoices).Exec(ctx)
	return translate(err)
}

// Checkout returns one checkout.
func (s *Store) Checkout(ctx context.Context, checkoutID id.Checkout) (Checkout, error) {
	var row Checkout
	err := s.idb.NewSelect().Model(&row).Where("id = ?", checkoutID).Scan(ctx)
	return row, translate(err)
}

// LockCheckout returns one checkout, locked until the transaction ends.
func (s *Store) LockCheckout(ctx context.Context, checkoutID id.Checkout) (Checkout, error) {
	var row Checkout
	err := s.idb.NewSelect().Model(&row).Where("id = ?", checkoutID).For("NO KEY UPDATE").Scan(ctx)
	return row, translate(err)
}

// SaveCheckout writes the state of a checkout.
func (s *Store) SaveCheckout(ctx context.Context, row *Checkout) error {
	row.UpdatedAt = time.Now()
	_, err := s.idb.NewUpdate().Model(row).Column("status", "session_ref", "url", "charge_ref", "payment_id", "expires_at", "updated_at").WherePK().Exec(ctx)
	return translate(err)
}

// CheckoutInvoices returns the invoices of a checkout.
func (s *Store) CheckoutInvoices(ctx context.Context, checkoutID id.Checkout) ([]CheckoutInvoice, error) {
	rows := []CheckoutInvoice{}
	err := s.idb.NewSelect().Model(&rows).Where("checkout_id = ?", checkoutID).OrderExpr("invoice_id").Scan(ctx)
	return rows, translate(err)
}

// OpenCheckouts returns the checkouts of a client that can still be paid, the newest first.
func (s *Store) OpenCheckouts(ctx context.Context, clientID id.Client, now time.Time) ([]Checkout, error) {
	rows := []Checkout{}
	err := s.idb.NewSelect().Model(&rows).Where("client_id = ?", clientID).Where("status IN ('created', 'open')").Where("expires_at IS NULL OR expires_at > ?", now).
		OrderExpr("id DESC").Limit(10).Scan(ctx)
	return rows, translate(err)
}

// CheckoutByCharge returns the paid checkout that a gateway's charge belongs to.
func (s *Store) CheckoutByCharge(ctx context.Context, gateway, charge string) (Checkout, error) {
	var row Checkout
	err := s.idb.NewSelect().Model(&row).Where("gateway = ?", gateway).Where("charge_ref = ?", charge).Where("payment_id IS NOT NULL").Limit(1).Scan(ctx)
	return row, translate(err)
}

// WaitingCheckouts returns checkouts of a gateway without an end that nobody touched since before,
// the one that waits longest first.
func (s *Store) WaitingCheckouts(ctx context.Context, gateway string, before time.Time, limit int64) ([]Checkout, error) {
	rows := []Checkout{}
	err := s.idb.NewSelect().Model(&rows).Where("status IN ('created', 'open', 'processing')").Where("gateway = ?", gateway).Where("updated_at < ?", before).
		OrderExpr("updated_at").Limit(limit).Scan(ctx)
	return rows, translate(err)
}

// RevokeLinks makes the personal pay links of an invoice void that were made until now.
func (s *Store) RevokeLinks(ctx context.Context, invoiceID id.Invoice, now time.Time) error {
	_, err := s.idb.NewUpdate().Table("invoice").Set("links_revoked_at = ?", now).Where("id = ?", invoiceID).Exec(ctx)
	return translate(err)
}
