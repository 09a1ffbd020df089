package db

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// CFDIAnticipo is the document of a payment on account whose service is not known yet.
const CFDIAnticipo = "anticipo"

// Anticipo is what such a document is about.
type Anticipo struct {
	bun.BaseModel `bun:"table:anticipo"`

	CFDIID    id.CFDI        `bun:"cfdi_id,pk"`
	ClientID  id.Client      `bun:"client_id"`
	PaymentID id.Payment     `bun:"payment_id"`
	Currency  money.Currency `bun:"currency"`
	Amount    money.Minor    `bun:"amount"` // with taxes
	Treatment string         `bun:"treatment"`

	Applied  money.Minor `bun:"applied,scanonly"`  // what pays invoices
	Refunded money.Minor `bun:"refunded,scanonly"` // what was given back
	Status   string      `bun:"status,scanonly"`   // of the document
	Rfc      string      `bun:"rfc,scanonly"`      // of its receiver
}

// Left is what of it pays no invoice yet and was not given back.
func (a Anticipo) Left() money.Minor { return a.Amount - a.Applied - a.Refunded }

// AddAnticipo inserts what a document is about.
func (s *Store) AddAnticipo(ctx context.Context, row *Anticipo) error {
	_, err := s.idb.NewInsert().Model(row).Returning("NULL").Exec(ctx)
	return translate(err)
}

func (s *Store) anticipos() *bun.SelectQuery {
	return s.idb.NewSelect().Model((*Anticipo)(nil)).ColumnExpr("?TableColumns, cfdi.status, coalesce(nullif(cfdi.rfc_receptor, ''), profile.rfc) AS rfc").
		ColumnExpr("(SELECT coalesce(sum(part.amount), 0)::bigint FROM anticipo_application AS part WHERE part.anticipo_id = anticipo.cfdi_id) AS applied").
		ColumnExpr("(SELECT coalesce(sum(part.amount), 0)::bigint FROM anticipo_refund AS part WHERE part.anticipo_id = anticipo.cfdi_id) AS refunded").
		Join("JOIN cfdi ON cfdi.id = anticipo.cfdi_id").Join("JOIN fiscal_profile AS profile ON profile.id = cfdi.profile_id")
}

// Anticipo returns what one document is about.
func (s *Store) Anticipo(ctx context.Context, cfdi id.CFDI) (Anticipo, error) {
	var row Anticipo
	err := s.anticipos().Where("anticipo.cfdi_id = ?", cfdi).Scan(ctx, &row)
	return row, translate(err)
}

// Anticipos returns those of a client that are in force, or on their way, in the order in which they were asked for.
func (s *Store) Anticipos(ctx context.Context, client id.Client) ([]Anticipo, error) {
	rows := []Anticipo{}
	err := s.anticipos().Where("anticipo.client_id = ?", client).Where("cfdi.status IN ('draft', 'sealed', 'stamping', 'stamped')").OrderExpr("anticipo.cfdi_id").Scan(ctx, &rows)
	return rows, translate(err)
}

// AnticipoApplication is what of an anticipo pays an invoice.
type AnticipoApplication struct {
	bun.BaseModel `bun:"table:anticipo_application"`

	AnticipoID id.CFDI     `bun:"anticipo_id,pk"`
	InvoiceID  id.Invoice  `bun:"invoice_id,pk"`
	Amount     money.Minor `bun:"amount"`
	Entry      int64       `bun:"entry,pk"`           // of the ledger, by which the credit paid the invoice
	EgresoID   id.CFDI     `bun:"egreso_id,nullzero"` // that takes it out of the income again; 0 until it was asked for
}

// AnticipoApplications returns what pays an invoice, in the order in which the anticipos were asked for.
func (s *Store) AnticipoApplications(ctx context.Context, invoiceID id.Invoice) ([]AnticipoApplication, error) {
	rows := []AnticipoApplication{}
	err := s.idb.NewSelect().Model(&rows).Where("invoice_id = ?", invoiceID).OrderExpr("anticipo_id, entry").Scan(ctx)
	return rows, translate(err)
}

// AnticipoApplicationOf returns what an egreso is about; NotFound when its credit was taken back.
func (s *Store) AnticipoApplicationOf(ctx context.Context, egreso id.CFDI) (AnticipoApplication, error) {
	var row AnticipoApplication
	err := s.idb.NewSelect().Model(&row).Where("egreso_id = ?", egreso).Scan(ctx)
	return row, translate(err)
}

// ApplyAnticipos writes what pays invoices.
func (s *Store) ApplyAnticipos(ctx context.Context, rows []AnticipoApplication) error {
	if len(rows) == 0 {
		return nil
	}
	_, err := s.idb.NewInsert().Model(&rows).On("CONFLICT (anticipo_id, invoice_id, entry) DO UPDATE").
		Set("amount = EXCLUDED.amount, egreso_id = EXCLUDED.egreso_id").Returning("NULL").Exec(ctx)
	return translate(err)
}

// AnticipoRefund is what of an anticipo was given back to the client.
type AnticipoRefund struct {
	bun.BaseModel `bun:"table:anticipo_refund"`

	RefundID   id.Refund   `bun:"refund_id,pk"`
	AnticipoID id.CFDI     `bun:"anticipo_id,pk"`
	Amount     money.Minor `bun:"amount"`
	EgresoID   id.CFDI     `bun:"egreso_id,nullzero"` // 0: all of it, and the anticipo's own document is cancelled
}

// AnticipoRefunds returns what a refund gave back of anticipos.
func (s *Store) AnticipoRefunds(ctx context.Context, refund id.Refund) ([]AnticipoRefund, error) {
	rows := []AnticipoRefund{}
	err := s.idb.NewSelect().Model(&rows).Where("refund_id = ?", refund).OrderExpr("anticipo_id").Scan(ctx)
	return rows, translate(err)
}

// AddAnticipoRefund writes what a refund gave back of one anticipo.
func (s *Store) AddAnticipoRefund(ctx context.Context, row *AnticipoRefund) error {
	_, err := s.idb.NewInsert().Model(row).Returning("NULL").Exec(ctx)
	return translate(err)
}

// AnticipoRefundOf returns what an egreso is about.
func (s *Store) AnticipoRefundOf(ctx context.Context, egreso id.CFDI) (AnticipoRefund, error) {
	var row AnticipoRefund
	err := s.idb.NewSelect().Model(&row).Where("egreso_id = ?", egreso).Scan(ctx)
	return row, translate(err)
}

// ReleaseAnticipo ends that an anticipo pays an invoice.
func (s *Store) ReleaseAnticipo(ctx context.Context, row AnticipoApplication) error {
	_, err := s.idb.NewDelete().Model(&row).WherePK().Exec(ctx)
	return translate(err)
}

// CreditApplied is what the client's credit pays of an invoice, and the entry by which it last did.
func (s *Store) CreditApplied(ctx context.Context, invoiceID id.Invoice) (amount money.Minor, entry int64, err error) {
	var row struct {
		Amount money.Minor `bun:"amount"`
		Entry  int64       `bun:"entry"`
	}
	err = s.idb.NewRaw(`SELECT coalesce(sum(amount), 0)::bigint AS amount, coalesce(max(id) FILTER (WHERE amount > 0), 0)::bigint AS entry FROM ledger_entry
		WHERE invoice_id = ? AND payment_id IS NULL AND credit_note_id IS NULL`, invoiceID).Scan(ctx, &row)
	return row.Amount, row.Entry, translate(err)
}

// OnAccount is a payment of which a part is the client's credit.
type OnAccount struct {
	PaymentID  id.Payment     `bun:"payment_id"`
	ClientID   id.Client      `bun:"client_id"`
	ClientName string         `bun:"client_name"`
	ReceivedOn date.Date      `bun:"received_on"`
	Method     string         `bun:"method"`
	Currency   money.Currency `bun:"currency"`
	Amount     money.Minor    `bun:"amount"` // what an anticipo of it can be about
}

// PaymentsOnAccount returns the newest payments, at most limit, whose credit is there still and of which no document
// is in force or on its way. payment limits them to one.
func (s *Store) PaymentsOnAccount(ctx context.Context, payment id.Payment, limit int) ([]OnAccount, error) {
	rows := []OnAccount{}
	// A client's credit is one sum: what anticipos in force are about is set aside first, and of the rest no payment
	// gives more than it left there.
	err := s.idb.NewRaw(`SELECT p.id AS payment_id, p.client_id, client.name AS client_name, p.received_on, p.method, p.currency,
			least(part.amount, credit.amount - coalesce(held.amount, 0))::bigint AS amount
		FROM payment AS p JOIN client ON client.id = p.client_id
		JOIN client_credit AS credit ON credit.client_id = p.client_id AND credit.currency = p.currency AND credit.amount > 0
		JOIN LATERAL (SELECT sum(amount) AS amount FROM ledger_entry WHERE payment_id = p.id AND invoice_id IS NULL) AS part ON part.amount > 0
		LEFT JOIN LATERAL (SELECT sum(a.amount - (SELECT coalesce(sum(amount), 0) FROM anticipo_application WHERE anticipo_id = a.cfdi_id)
				- (SELECT coalesce(sum(amount), 0) FROM anticipo_refund WHERE anticipo_id = a.cfdi_id)) AS amount
			FROM anticipo AS a JOIN cfdi AS c ON c.id = a.cfdi_id
			WHERE a.client_id = p.client_id AND a.currency = p.currency AND c.status <> 'cancelled') AS held ON true
		WHERE p.voided_at IS NULL AND (?0 = 0 OR p.id = ?0) AND credit.amount > coalesce(held.amount, 0)
			AND NOT EXISTS (SELECT FROM cfdi WHERE cfdi.payment_id = p.id AND cfdi.kind = 'anticipo' AND cfdi.status <> 'cancelled')
		ORDER BY p.id DESC LIMIT ?1`, int64(payment), limit).Scan(ctx, &rows)
	return rows, translate(err)
}

// AnticiposTakenBack returns the stamped anticipos, at most limit after an id, of payments that were taken back, and that
// pay no invoice.
func (s *Store) AnticiposTakenBack(ctx context.Context, after id.CFDI, limit int) ([]id.CFDI, error) {
	var ids []id.CFDI
	err := s.idb.NewRaw(`SELECT a.cfdi_id FROM anticipo AS a JOIN cfdi AS c ON c.id = a.cfdi_id JOIN payment AS p ON p.id = a.payment_id
		WHERE c.id > ? AND c.status = 'stamped' AND c.cancel_state = '' AND p.voided_at IS NOT NULL AND NOT EXISTS (SELECT FROM anticipo_application WHERE anticipo_id = a.cfdi_id)
		ORDER BY 1 LIMIT ?`, after, limit).Scan(ctx, &ids)
	return ids, translate(err)
}

// AnticipoDocument returns the document of a payment on account that is not cancelled.
func (s *Store) AnticipoDocument(ctx context.Context, payment id.Payment) (cfdi id.CFDI, found bool, err error) {
	var ids []id.CFDI
	err = s.idb.NewSelect().Model((*CFDI)(nil)).Column("id").Where("payment_id = ?", payment).Where("kind = ?", CFDIAnticipo).Where("status <> ?", CFDICancelled).Scan(ctx, &ids)
	if err != nil || len(ids) == 0 {
		return 0, false, translate(err)
	}
	return ids[0], true, nil
}

// AnticipoOf returns what of a payment the anticipo in force is about; 0 where there is none.
func (s *Store) AnticipoOf(ctx context.Context, payment id.Payment) (money.Minor, error) {
	var amount money.Minor
	err := s.idb.NewRaw(`SELECT coalesce(sum(a.amount), 0)::bigint FROM anticipo AS a JOIN cfdi AS c ON c.id = a.cfdi_id
		WHERE a.payment_id = ? AND c.status <> 'cancelled'`, payment).Scan(ctx, &amount)
	return amount, translate(err)
}

// applying are the documents that an anticipo is applied by: those of the invoices that it pays, and their egresos.
func (s *Store) applying(anticipo id.CFDI) *bun.RawQuery {
	return s.idb.NewRaw(`SELECT c.id FROM anticipo_application AS a JOIN cfdi AS c ON c.id = a.egreso_id OR c.invoice_id = a.invoice_id AND c.kind = 'ingreso'
		WHERE a.anticipo_id = ?`, anticipo)
}
