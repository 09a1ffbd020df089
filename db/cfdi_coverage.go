package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// CFDICoverage is one invoice that a receipt or a global invoice covers.
type CFDICoverage struct {
	bun.BaseModel `bun:"table:cfdi_coverage"`

	CFDIID    id.CFDI     `bun:"cfdi_id,pk"`
	InvoiceID id.Invoice  `bun:"invoice_id,pk"`
	Kind      string      `bun:"kind"`                // CFDIPago or CFDIGlobal
	PaymentID id.Payment  `bun:"payment_id,nullzero"` // of a receipt; 0: the client's credit
	RelatedID id.CFDI     `bun:"related_id,nullzero"` // of a receipt: the invoice's own document
	Amount    money.Minor `bun:"amount"`              // in the invoice's currency
	Active    bool        `bun:"active"`              // false once it no longer covers the invoice

	Status string `bun:"status,scanonly"` // of the document, where it was asked for
}

// CoverInvoices notes the invoices that a document covers. The key cfdi_coverage_payment_once or
// cfdi_coverage_global_once is violated when another one in force covers them.
func (s *Store) CoverInvoices(ctx context.Context, rows []CFDICoverage) error {
	for i := range rows {
		rows[i].Active = true
	}
	_, err := s.idb.NewInsert().Model(&rows).Returning("NULL").Exec(ctx)
	return translate(err)
}

// UncoverInvoices notes that documents no longer cover their invoices.
func (s *Store) UncoverInvoices(ctx context.Context, documents []id.CFDI) error {
	if len(documents) == 0 {
		return nil
	}
	_, err := s.idb.NewUpdate().Table("cfdi_coverage").Set("active = false").Where("active").Where("cfdi_id IN (?)", bun.List(documents)).Exec(ctx)
	return translate(err)
}

// CoveredBy returns the invoices that a document covers now, in their order.
func (s *Store) CoveredBy(ctx context.Context, cfdi id.CFDI) ([]CFDICoverage, error) {
	rows := []CFDICoverage{}
	err := s.idb.NewSelect().Model(&rows).Where("cfdi_id = ?", cfdi).Where("active").OrderExpr("invoice_id").Scan(ctx)
	return rows, translate(err)
}

// Receipted returns what receipts in force say of invoices, in the order in which they were asked for, with the
// state of each receipt.
func (s *Store) Receipted(ctx context.Context, invoices ...id.Invoice) ([]CFDICoverage, error) {
	rows := []CFDICoverage{}
	if len(invoices) == 0 {
		return rows, nil
	}
	err := s.idb.NewSelect().Model(&rows).ColumnExpr("?TableColumns, cfdi.status").Join("JOIN cfdi ON cfdi.id = cfdi_coverage.cfdi_id").
		Where("cfdi_coverage.kind = 'pago'").Where("cfdi_coverage.active").Where("cfdi_coverage.invoice_id IN (?)", bun.List(invoices)).
		OrderExpr("cfdi_coverage.cfdi_id, cfdi_coverage.invoice_id").Scan(ctx)
	return rows, translate(err)
}

// GlobalsOf returns, by invoice, the global invoice in force that sums it up, without its files.
func (s *Store) GlobalsOf(ctx context.Context, invoices ...id.Invoice) (map[id.Invoice]CFDI, error) {
	found := map[id.Invoice]CFDI{}
	if len(invoices) == 0 {
		return found, nil
	}
	rows := []CFDI{}
	err := s.idb.NewSelect().Model(&rows).ExcludeColumn(append([]string{"invoice_id"}, withoutFiles...)...).ColumnExpr("part.invoice_id").
		Join("JOIN cfdi_coverage AS part ON part.cfdi_id = cfdi.id AND part.kind = 'global' AND part.active").Where("part.invoice_id IN (?)", bun.List(invoices)).Scan(ctx)
	for _, row := range rows {
		found[row.InvoiceID] = row
	}
	return found, translate(err)
}

// CFDIFiles returns documents with their files, by id.
func (s *Store) CFDIFiles(ctx context.Context, documents []id.CFDI) (map[id.CFDI]CFDI, error) {
	found := map[id.CFDI]CFDI{}
	if len(documents) == 0 {
		return found, nil
	}
	rows := []CFDI{}
	err := s.idb.NewSelect().Model(&rows).Where("id IN (?)", bun.List(documents)).Scan(ctx)
	for _, row := range rows {
		found[row.ID] = row
	}
	return found, translate(err)
}

// Settlement is what a payment (0: the client's credit) gives to an invoice whose document says that it is paid
// later (PPD), and what receipts in force say of it.
type Settlement struct {
	PaymentID id.Payment       `bun:"payment_id"`
	InvoiceID id.Invoice       `bun:"invoice_id"`
	Applied   money.Minor      `bun:"applied"`
	Receipted money.Minor      `bun:"receipted"`
	Entry     int64            `bun:"entry"` // of the ledger: the payment's first one, the credit's last one
	IngresoID id.CFDI          `bun:"ingreso_id"`
	Status    string           `bun:"status"` // of the ingreso
	Rfc       string           `bun:"rfc_receptor"`
	ProfileID id.FiscalProfile `bun:"profile_id"`

	ReceivedOn date.Date `bun:"received_on"` // in central Mexico where the client's credit paid
}

// Settlements returns what settles an invoice, and what else the same payments settle, in the ledger's order.
func (s *Store) Settlements(ctx context.Context, invoiceID id.Invoice) ([]Settlement, error) {
	rows := []Settlement{}
	err := s.idb.NewRaw(`WITH settled AS (
			SELECT payment_id, invoice_id, sum(amount)::bigint AS applied, min(id) AS entry FROM ledger_entry
			WHERE invoice_id IS NOT NULL AND payment_id IN (SELECT payment_id FROM ledger_entry WHERE invoice_id = ?0 AND payment_id IS NOT NULL) GROUP BY 1, 2
			UNION ALL
			-- What anticipos pay is in their own documents (egreso), not in a receipt.
			SELECT NULL, invoice_id, (sum(amount) - (SELECT coalesce(sum(amount), 0) FROM anticipo_application WHERE invoice_id = ?0))::bigint, max(id) FROM ledger_entry
			WHERE invoice_id = ?0 AND payment_id IS NULL AND credit_note_id IS NULL GROUP BY 2)
		SELECT coalesce(s.payment_id, 0) AS payment_id, s.invoice_id, s.applied, coalesce(r.amount, 0)::bigint AS receipted, s.entry,
			coalesce((SELECT received_on FROM payment WHERE id = s.payment_id),
				(SELECT (created_at AT TIME ZONE 'America/Mexico_City')::date FROM ledger_entry WHERE id = s.entry)) AS received_on, i.id AS ingreso_id, i.status, i.rfc_receptor, i.profile_id
		FROM settled AS s
		JOIN LATERAL (SELECT id, status, metodo_pago, rfc_receptor, profile_id FROM cfdi WHERE invoice_id = s.invoice_id AND kind = 'ingreso' AND status <> 'cancelled'
			ORDER BY status = 'stamped' DESC, id DESC LIMIT 1) AS i ON i.metodo_pago = 'PPD'
		LEFT JOIN LATERAL (SELECT sum(amount) AS amount FROM cfdi_coverage WHERE invoice_id = s.invoice_id AND kind = 'pago' AND active
			AND payment_id IS NOT DISTINCT FROM s.payment_id) AS r ON true
		ORDER BY s.entry, s.invoice_id`, invoiceID).Scan(ctx, &rows)
	return rows, translate(err)
}

// PaidPart is what payments of one method settle of an invoice.
type PaidPart struct {
	InvoiceID id.Invoice  `bun:"invoice_id"`
	Method    string      `bun:"method"` // "credit": the client's credit
	Amount    money.Minor `bun:"amount"`
}

// PaidBy returns how invoices were paid.
func (s *Store) PaidBy(ctx context.Context, invoices ...id.Invoice) ([]PaidPart, error) {
	rows := []PaidPart{}
	if len(invoices) == 0 {
		return rows, nil
	}
	err := s.idb.NewRaw(`SELECT e.invoice_id, coalesce(p.method, 'credit') AS method, sum(e.amount)::bigint AS amount
		FROM ledger_entry AS e LEFT JOIN payment AS p ON p.id = e.payment_id
		WHERE e.invoice_id IN (?) AND e.credit_note_id IS NULL GROUP BY 1, 2 HAVING sum(e.amount) > 0 ORDER BY 1, 2`, bun.List(invoices)).Scan(ctx, &rows)
	return rows, translate(err)
}

// SalesFilter chooses sales for a global invoice: issued since a moment, paid from one moment and before another.
type SalesFilter struct {
	IssuedSince, PaidFrom, PaidBefore time.Time

	Only   []id.Invoice // these alone; none: all
	Except []id.Invoice
}

// SalesForGlobal returns paid invoices, at most limit, that no fiscal document names, the earliest payment first.
// Invoices with withheld taxes are not among them: who withholds needs a document of its own.
func (s *Store) SalesForGlobal(ctx context.Context, f SalesFilter, limit int) ([]Invoice, error) {
	rows := []Invoice{}
	q := s.idb.NewSelect().Model(&rows).Where("status = ?", InvoicePaid).Where("paid > 0").Where("withheld = 0").
		Where("paid_at >= ?", f.PaidFrom).Where("paid_at < ?", f.PaidBefore).Where("created_at >= ?", f.IssuedSince).
		Where("NOT EXISTS (SELECT FROM cfdi WHERE cfdi.invoice_id = invoice.id AND kind = 'ingreso')").
		Where("NOT EXISTS (SELECT FROM cfdi_coverage AS part WHERE part.invoice_id = invoice.id AND part.kind = 'global' AND part.active)").
		OrderExpr("paid_at, id").Limit(int64(limit))
	if len(f.Only) > 0 {
		q = q.Where("id IN (?)", bun.List(f.Only))
	}
	if len(f.Except) > 0 {
		q = q.Where("id NOT IN (?)", bun.List(f.Except))
	}
	return rows, translate(q.Scan(ctx))
}

// Credited is the part of an invoice that a credit note took away.
type Credited struct {
	CreditNoteID id.CreditNote `bun:"credit_note_id"`
	Amount       money.Minor   `bun:"amount"`
}

// CreditedBefore returns what credit notes had taken away of an invoice before an entry of the ledger.
func (s *Store) CreditedBefore(ctx context.Context, invoiceID id.Invoice, entry int64) ([]Credited, error) {
	rows := []Credited{}
	err := s.idb.NewRaw(`SELECT credit_note_id, sum(amount)::bigint AS amount FROM ledger_entry
		WHERE invoice_id = ? AND credit_note_id IS NOT NULL AND id < ? GROUP BY 1 HAVING sum(amount) > 0 ORDER BY 1`, invoiceID, entry).Scan(ctx, &rows)
	return rows, translate(err)
}

// PaymentsWithoutReceipt returns invoices, at most limit after an id, whose document says that they are paid later
// and whose payments are not as receipts in force say.
func (s *Store) PaymentsWithoutReceipt(ctx context.Context, after id.Invoice, limit int) ([]id.Invoice, error) {
	var ids []id.Invoice
	err := s.idb.NewRaw(`SELECT DISTINCT i.invoice_id FROM cfdi AS i JOIN ledger_entry AS e ON e.invoice_id = i.invoice_id AND e.credit_note_id IS NULL
		WHERE i.kind = 'ingreso' AND i.metodo_pago = 'PPD' AND i.status = 'stamped' AND i.invoice_id > ?
		GROUP BY i.invoice_id, e.payment_id HAVING sum(e.amount) - CASE WHEN e.payment_id IS NULL
			THEN coalesce((SELECT sum(amount) FROM anticipo_application AS a WHERE a.invoice_id = i.invoice_id), 0) ELSE 0 END <> coalesce((SELECT sum(amount) FROM cfdi_coverage AS c
			WHERE c.invoice_id = i.invoice_id AND c.kind = 'pago' AND c.active AND c.payment_id IS NOT DISTINCT FROM e.payment_id), 0)
		ORDER BY 1 LIMIT ?`, after, limit).Scan(ctx, &ids)
	return ids, translate(err)
}

// NewestCFDI returns when a document was last asked for; fault.NotFound without any.
func (s *Store) NewestCFDI(ctx context.Context) (time.Time, error) {
	var at time.Time
	err := s.idb.NewSelect().Table("cfdi").Column("created_at").OrderExpr("id DESC").Limit(1).Scan(ctx, &at)
	return at, translate(err)
}

// InvoicesWithoutCFDI returns invoices, at most limit after an id, issued since a moment and changed since another, of
// clients with fiscal data, that have never had a document though the client's rule, or the company's, asks for one by
// itself.
func (s *Store) InvoicesWithoutCFDI(ctx context.Context, issuedSince, changedSince time.Time, when string, after id.Invoice, limit int) ([]id.Invoice, error) {
	var ids []id.Invoice
	err := s.idb.NewRaw(`SELECT i.id FROM invoice AS i LEFT JOIN fiscal_preference AS own ON own.client_id = i.client_id
		WHERE i.id > ?0 AND i.created_at >= ?1 AND i.updated_at >= ?2 AND i.credited < i.total
			AND (coalesce(own.cfdi_when, ?3) = 'on_issue' AND i.status IN ('issued', 'partly_paid', 'paid') OR coalesce(own.cfdi_when, ?3) = 'on_payment' AND i.status = 'paid')
			AND EXISTS (SELECT FROM fiscal_profile AS p WHERE p.client_id = i.client_id AND p.deleted_at IS NULL)
			AND NOT EXISTS (SELECT FROM cfdi AS c WHERE c.invoice_id = i.id AND c.kind = 'ingreso')
			AND NOT EXISTS (SELECT FROM cfdi_coverage AS part WHERE part.invoice_id = i.id AND part.kind = 'global' AND part.active)
		ORDER BY i.id LIMIT ?4`, after, issuedSince, changedSince, when, limit).Scan(ctx, &ids)
	return ids, translate(err)
}

// CreditNotesWithoutCFDI returns invoices, at most limit after an id, whose document, or global invoice, is stamped and that
// have a credit note that never had one.
func (s *Store) CreditNotesWithoutCFDI(ctx context.Context, after id.Invoice, limit int) ([]id.Invoice, error) {
	var ids []id.Invoice
	err := s.idb.NewRaw(`SELECT DISTINCT n.invoice_id FROM credit_note AS n
		WHERE n.invoice_id > ?0 AND NOT EXISTS (SELECT FROM cfdi AS c WHERE c.credit_note_id = n.id)
			AND (EXISTS (SELECT FROM cfdi AS c WHERE c.invoice_id = n.invoice_id AND c.kind = 'ingreso' AND c.status = 'stamped')
				OR EXISTS (SELECT FROM cfdi_coverage AS part JOIN cfdi AS c ON c.id = part.cfdi_id AND c.status = 'stamped'
					WHERE part.invoice_id = n.invoice_id AND part.kind = 'global' AND part.active))
		ORDER BY 1 LIMIT ?1`, after, limit).Scan(ctx, &ids)
	return ids, translate(err)
}
