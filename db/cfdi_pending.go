package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// ReceiptDue is a payment of an invoice whose document says that it is paid later (PPD), without a stamped receipt.
type ReceiptDue struct {
	PaymentID  id.Payment     `bun:"payment_id,nullzero"` // 0: the client's credit
	InvoiceID  id.Invoice     `bun:"invoice_id"`
	Number     string         `bun:"number"`
	ClientID   id.Client      `bun:"client_id"`
	ClientName string         `bun:"client_name"`
	ReceivedOn date.Date      `bun:"received_on"`
	Currency   money.Currency `bun:"currency"`
	Amount     money.Minor    `bun:"amount"`
	CFDIID     id.CFDI        `bun:"cfdi_id,nullzero"` // of the receipt; 0: it was not asked for yet
	Status     string         `bun:"status"`           // of the receipt, "" without one
	Refusal                   // of the receipt
	Failure    string         `bun:"failure"` // of the receipt's last attempt
	Attempts   int            `bun:"attempts"`
}

// ReceiptsDue returns at most limit payments without a stamped receipt, the earliest first; credit was received on the
// day, in a zone, on which it was applied.
func (s *Store) ReceiptsDue(ctx context.Context, zone string, limit int) ([]ReceiptDue, error) {
	rows := []ReceiptDue{}
	err := s.idb.NewRaw(`SELECT e.payment_id, e.invoice_id, i.number, i.client_id, client.name AS client_name, i.currency,
			coalesce(p.received_on, (max(e.created_at) AT TIME ZONE ?)::date) AS received_on,
			(sum(e.amount) - CASE WHEN e.payment_id IS NULL THEN coalesce((SELECT sum(amount) FROM anticipo_application AS a WHERE a.invoice_id = e.invoice_id), 0) ELSE 0 END)::bigint AS amount,
			c.id AS cfdi_id, coalesce(c.status, '') AS status, coalesce(c.code, '') AS code, coalesce(c.message, '') AS message,
			coalesce(c.message_en, '') AS message_en, coalesce(c.field, '') AS field, coalesce(c.sat_code, '') AS sat_code, coalesce(c.failure, '') AS failure, coalesce(c.attempts, 0) AS attempts
		FROM cfdi AS origin JOIN ledger_entry AS e ON e.invoice_id = origin.invoice_id AND e.credit_note_id IS NULL
		JOIN invoice AS i ON i.id = e.invoice_id JOIN client ON client.id = i.client_id LEFT JOIN payment AS p ON p.id = e.payment_id
		LEFT JOIN cfdi_coverage AS part ON part.active AND part.kind = 'pago' AND part.invoice_id = e.invoice_id AND part.payment_id IS NOT DISTINCT FROM e.payment_id
		LEFT JOIN cfdi AS c ON c.id = part.cfdi_id
		WHERE origin.kind = 'ingreso' AND origin.metodo_pago = 'PPD' AND origin.status = 'stamped' AND coalesce(c.status, '') NOT IN ('stamped', 'cancel_pending')
		GROUP BY e.payment_id, e.invoice_id, i.id, client.id, p.id, c.id
		HAVING sum(e.amount) - CASE WHEN e.payment_id IS NULL THEN coalesce((SELECT sum(amount) FROM anticipo_application AS a WHERE a.invoice_id = e.invoice_id), 0) ELSE 0 END > 0
		ORDER BY received_on, e.invoice_id LIMIT ?`, zone, limit).Scan(ctx, &rows)
	return rows, translate(err)
}

// SaleChanged is a sale in a stamped global invoice that is not paid any more.
type SaleChanged struct {
	InvoiceID  id.Invoice     `bun:"invoice_id"`
	Number     string         `bun:"number"`
	Status     string         `bun:"status"`
	ClientID   id.Client      `bun:"client_id"`
	ClientName string         `bun:"client_name"`
	Currency   money.Currency `bun:"currency"`
	Total      money.Minor    `bun:"total"`
	CFDIID     id.CFDI        `bun:"cfdi_id"` // the global invoice
	Serie      string         `bun:"serie"`
	Folio      int64          `bun:"folio"`
}

// SalesChanged returns at most limit sales in stamped global invoices that are not paid any more.
func (s *Store) SalesChanged(ctx context.Context, limit int) ([]SaleChanged, error) {
	rows := []SaleChanged{}
	err := s.idb.NewRaw(`SELECT i.id AS invoice_id, i.number, i.status, i.client_id, client.name AS client_name, i.currency, i.total, c.id AS cfdi_id, c.serie, c.folio
		FROM cfdi_coverage AS part JOIN cfdi AS c ON c.id = part.cfdi_id AND c.status = 'stamped' JOIN invoice AS i ON i.id = part.invoice_id JOIN client ON client.id = i.client_id
		WHERE part.active AND part.kind = 'global' AND i.status <> 'paid' ORDER BY i.id LIMIT ?`, limit).Scan(ctx, &rows)
	return rows, translate(err)
}

// CFDIsCancelledElsewhere returns at most limit documents, the newest first and without their files, that the SAT has
// cancelled since a moment though nobody asked for it here, or that it does not know long after their stamp.
func (s *Store) CFDIsCancelledElsewhere(ctx context.Context, since, stampedBefore time.Time, limit int) ([]CFDI, error) {
	rows := []CFDI{}
	err := s.idb.NewSelect().Model(&rows).ExcludeColumn(withoutFiles...).ColumnExpr("acuse IS NOT NULL AS has_acuse").
		Where("status = 'cancelled' AND cancel_round = 0 AND cancelled_at >= ?0 OR status = 'stamped' AND sat_estado = 'No Encontrado' AND stamped_at < ?1", since, stampedBefore).
		OrderExpr("id DESC").Limit(int64(limit)).Scan(ctx)
	return rows, translate(err)
}

// CFDIsToCheck returns at most limit stamped documents whose state the SAT was not asked for since a moment, those that
// it was never asked for first.
func (s *Store) CFDIsToCheck(ctx context.Context, since time.Time, limit int) ([]id.CFDI, error) {
	var ids []id.CFDI
	err := s.idb.NewSelect().Model((*CFDI)(nil)).Column("id").Where("status = 'stamped'").Where("sat_checked_at IS NULL OR sat_checked_at < ?", since).
		OrderExpr("sat_checked_at NULLS FIRST, id DESC").Limit(int64(limit)).Scan(ctx, &ids)
	return ids, translate(err)
}

// ReceiptNotice is who was told that receipts are due on a day and not stamped.
type ReceiptNotice struct {
	bun.BaseModel `bun:"table:receipt_notice"`

	Due     date.Date `bun:"due,pk"`
	StaffID id.Staff  `bun:"staff_id,pk"`
	Email   string    `bun:"email"`
	Status  string    `bun:"status"` // sent, failed, skipped
	Reply   string    `bun:"reply"`
}

// ReceiptNotices returns who was told of the receipts of a day.
func (s *Store) ReceiptNotices(ctx context.Context, due date.Date) ([]ReceiptNotice, error) {
	rows := []ReceiptNotice{}
	err := s.idb.NewSelect().Model(&rows).Column("due", "staff_id", "email", "status", "reply").Where("due = ?", due).OrderExpr("staff_id").Scan(ctx)
	return rows, translate(err)
}

// AddReceiptNotice notes that somebody was told; the first note stays.
func (s *Store) AddReceiptNotice(ctx context.Context, row ReceiptNotice) error {
	_, err := s.idb.NewInsert().Model(&row).On("CONFLICT DO NOTHING").Returning("NULL").Exec(ctx)
	return translate(err)
}
