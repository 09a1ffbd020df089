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

// Kinds of ledger entry.
const (
	EntryPayment        = "payment"
	EntryPaymentVoid    = "payment_void"
	EntryCreditNote     = "credit_note"
	EntryCreditApplied  = "credit_applied"
	EntryCreditReleased = "credit_released"
	EntryRefund         = "refund"
)

// LedgerEntry settles an invoice, or moves the client's credit where it names none. Entries are
// written once; what is undone is undone by another entry.
type LedgerEntry struct {
	bun.BaseModel `bun:"table:ledger_entry"`

	ID           int64          `bun:"id,pk,autoincrement"`
	ClientID     id.Client      `bun:"client_id"`
	Currency     money.Currency `bun:"currency"`
	InvoiceID    id.Invoice     `bun:"invoice_id,nullzero"` // 0: the client's credit
	Kind         string         `bun:"kind"`
	Amount       money.Minor    `bun:"amount"` // positive in the client's favour
	PaymentID    id.Payment     `bun:"payment_id,nullzero"`
	CreditNoteID id.CreditNote  `bun:"credit_note_id,nullzero"`
	RefundID     id.Refund      `bun:"refund_id,nullzero"`
	Actor        string         `bun:"actor"`
	CreatedAt    time.Time      `bun:"created_at,nullzero,default:now()"`
}

// AddEntries writes entries of one client and currency and moves the client's credit by those
// without invoice. ok is false when there is not enough credit; the transaction must then be given up.
func (s *Store) AddEntries(ctx context.Context, rows []LedgerEntry) (ok bool, err error) {
	if len(rows) == 0 {
		return true, nil
	}
	if _, err := s.idb.NewInsert().Model(&rows).Returning("NULL").Exec(ctx); err != nil {
		return false, translate(err)
	}
	var credit money.Minor
	for _, row := range rows {
		if row.InvoiceID == 0 {
			credit += row.Amount
		}
	}
	switch {
	case credit > 0:
		_, err = s.idb.NewRaw(`INSERT INTO client_credit (client_id, currency, amount) VALUES (?, ?, ?)
			ON CONFLICT (client_id, currency) DO UPDATE SET amount = client_credit.amount + EXCLUDED.amount`,
			rows[0].ClientID, rows[0].Currency, credit).Exec(ctx)
	case credit < 0:
		result, err := s.idb.NewRaw("UPDATE client_credit SET amount = amount + ?2 WHERE client_id = ?0 AND currency = ?1 AND amount + ?2 >= 0",
			rows[0].ClientID, rows[0].Currency, credit).Exec(ctx)
		if err != nil {
			return false, translate(err)
		}
		moved, err := result.RowsAffected()
		return moved == 1, err
	}
	return err == nil, translate(err)
}

// Settled is what one payment (0: the client's credit) gives to one invoice (0: the client's credit).
type Settled struct {
	InvoiceID id.Invoice  `bun:"invoice_id"`
	PaymentID id.Payment  `bun:"payment_id"`
	Amount    money.Minor `bun:"amount"`
}

// SettledBy returns where the money of payments is now.
func (s *Store) SettledBy(ctx context.Context, payments ...id.Payment) ([]Settled, error) {
	rows := []Settled{}
	err := s.idb.NewRaw(`SELECT coalesce(invoice_id, 0) AS invoice_id, payment_id, sum(amount)::bigint AS amount FROM ledger_entry
		WHERE payment_id IN (?) GROUP BY 1, 2 HAVING sum(amount) <> 0 ORDER BY 1`, bun.List(orNone(payments))).Scan(ctx, &rows)
	return rows, translate(err)
}

// Settling returns what settles an invoice, credit notes aside, by payment.
func (s *Store) Settling(ctx context.Context, invoiceID id.Invoice) ([]Settled, error) {
	rows := []Settled{}
	err := s.idb.NewRaw(`SELECT invoice_id, coalesce(payment_id, 0) AS payment_id, sum(amount)::bigint AS amount FROM ledger_entry
		WHERE invoice_id = ? AND credit_note_id IS NULL GROUP BY 1, 2 HAVING sum(amount) <> 0 ORDER BY 2`, invoiceID).Scan(ctx, &rows)
	return rows, translate(err)
}

// Credit is what the company owes a client, by currency.
type Credit struct {
	Currency money.Currency `bun:"currency"`
	Amount   money.Minor    `bun:"amount"`
}

// Credits returns the credit of a client.
func (s *Store) Credits(ctx context.Context, clientID id.Client) ([]Credit, error) {
	rows := []Credit{}
	err := s.idb.NewRaw("SELECT currency, amount FROM client_credit WHERE client_id = ? AND amount > 0 ORDER BY currency", clientID).Scan(ctx, &rows)
	return rows, translate(err)
}

// CreditNote takes part of an issued invoice back. It is final when it is made.
type CreditNote struct {
	bun.BaseModel `bun:"table:credit_note"`

	ID             id.CreditNote  `bun:"id,pk,autoincrement"`
	ClientID       id.Client      `bun:"client_id"`
	InvoiceID      id.Invoice     `bun:"invoice_id"`
	Series         string         `bun:"series"`
	Folio          int64          `bun:"folio"`
	Number         string         `bun:"number"`
	Currency       money.Currency `bun:"currency"`
	ExchangeRate   money.Decimal  `bun:"exchange_rate"`
	IssueDate      date.Date      `bun:"issue_date"`
	Subtotal       money.Minor    `bun:"subtotal"`
	Discount       money.Minor    `bun:"discount"`
	Tax            money.Minor    `bun:"tax"`
	Withheld       money.Minor    `bun:"withheld"`
	Total          money.Minor    `bun:"total"`
	Lines          []CreditLine   `bun:"lines,type:jsonb"`
	Reason         string         `bun:"reason"`
	Return         bool           `bun:"is_return"` // what was sold came back
	ClientSnapshot Client         `bun:"client_snapshot,type:jsonb"`
	IssuerSnapshot Company        `bun:"issuer_snapshot,type:jsonb"`
	CreatedAt      time.Time      `bun:"created_at,nullzero,default:now()"`
}

// CreditLine is one line of a credit note.
type CreditLine struct {
	Description      string        `json:"description"`
	Quantity         money.Decimal `json:"quantity"`
	UnitPrice        money.Decimal `json:"unitPrice"`
	Discount         money.Minor   `json:"discount"`
	Amount           money.Minor   `json:"amount"` // before tax, before discount
	Treatment        string        `json:"treatment"`
	PriceIncludesTax bool          `json:"priceIncludesTax"`
	RetencionISR     money.Decimal `json:"retencionIsr"`
	RetencionIVA     money.Decimal `json:"retencionIva"`
	ClaveProdServ    string        `json:"claveProdServ"`
	ClaveUnidad      string        `json:"claveUnidad"`
}

// AddCreditNote inserts a credit note and sets its id.
func (s *Store) AddCreditNote(ctx context.Context, row *CreditNote) error {
	_, err := s.idb.NewInsert().Model(row).Exec(ctx)
	return translate(err)
}

// CreditNote returns one credit note.
func (s *Store) CreditNote(ctx context.Context, noteID id.CreditNote) (CreditNote, error) {
	var row CreditNote
	err := s.idb.NewSelect().Model(&row).Where("id = ?", noteID).Scan(ctx)
	return row, translate(err)
}

// CreditNotes returns the credit notes of an invoice in the order in which they were issued.
func (s *Store) CreditNotes(ctx context.Context, invoiceID id.Invoice) ([]CreditNote, error) {
	rows := []CreditNote{}
	err := s.idb.NewSelect().Model(&rows).Where("invoice_id = ?", invoiceID).OrderExpr("id").Scan(ctx)
	return rows, translate(err)
}

// InvoiceCreditNotes returns the credit notes of many invoices, by invoice and in the order in which
// they were issued.
func (s *Store) InvoiceCreditNotes(ctx context.Context, reach access.Reach, invoices []id.Invoice) (map[id.Invoice][]CreditNote, error) {
	rows := []CreditNote{}
	q := s.idb.NewSelect().Model(&rows).Where("invoice_id IN (?)", bun.List(orNone(invoices))).OrderExpr("id")
	if !reach.All {
		q = q.Where("client_id IN (?)", bun.List(orNone(reach.Clients)))
	}
	err := q.Scan(ctx)
	found := map[id.Invoice][]CreditNote{}
	for _, row := range rows {
		found[row.InvoiceID] = append(found[row.InvoiceID], row)
	}
	return found, translate(err)
}

// CreditNoted sums the credit notes of an invoice.
func (s *Store) CreditNoted(ctx context.Context, invoiceID id.Invoice) (money.Minor, error) {
	var sum money.Minor
	err := s.idb.NewRaw("SELECT coalesce(sum(total), 0)::bigint FROM credit_note WHERE invoice_id = ?", invoiceID).Scan(ctx, &sum)
	return sum, translate(err)
}

// Refund is money given back to a client.
type Refund struct {
	bun.BaseModel `bun:"table:refund"`

	ID         id.Refund      `bun:"id,pk,autoincrement"`
	ClientID   id.Client      `bun:"client_id"`
	Amount     money.Minor    `bun:"amount"`
	Currency   money.Currency `bun:"currency"`
	Method     string         `bun:"method"`
	Reference  string         `bun:"reference"`
	RefundedOn date.Date      `bun:"refunded_on"`
	PaymentID  id.Payment     `bun:"payment_id,nullzero"`  // of what the gateway took back
	GatewayRef string         `bun:"gateway_ref,nullzero"` // the gateway's id of the refund or dispute
	CreatedAt  time.Time      `bun:"created_at,nullzero,default:now()"`
}

// AddRefund inserts a refund and sets its id.
func (s *Store) AddRefund(ctx context.Context, row *Refund) error {
	_, err := s.idb.NewInsert().Model(row).Exec(ctx)
	return translate(err)
}

// Refund returns one refund.
func (s *Store) Refund(ctx context.Context, refundID id.Refund) (Refund, error) {
	var row Refund
	err := s.idb.NewSelect().Model(&row).Where("id = ?", refundID).Scan(ctx)
	return row, translate(err)
}

// RefundByGateway returns the refund that stands for a gateway's refund or dispute.
func (s *Store) RefundByGateway(ctx context.Context, ref string) (Refund, error) {
	var row Refund
	err := s.idb.NewSelect().Model(&row).Where("gateway_ref = ?", ref).Scan(ctx)
	return row, translate(err)
}

// ReturnedByGateway reports whether the gateway gave some of a payment back, by a refund or a dispute.
func (s *Store) ReturnedByGateway(ctx context.Context, paymentID id.Payment) (returned bool, err error) {
	err = s.idb.NewRaw("SELECT EXISTS (SELECT FROM refund WHERE payment_id = ? AND gateway_ref <> '')", paymentID).Scan(ctx, &returned)
	return returned, translate(err)
}

// LockCredit returns the credit of a client in a currency, locked until the transaction ends.
func (s *Store) LockCredit(ctx context.Context, clientID id.Client, currency money.Currency) (money.Minor, error) {
	amounts := []money.Minor{}
	err := s.idb.NewRaw("SELECT amount FROM client_credit WHERE client_id = ? AND currency = ? FOR UPDATE", clientID, currency).Scan(ctx, &amounts)
	if err != nil || len(amounts) == 0 {
		return 0, translate(err)
	}
	return amounts[0], nil
}

// ClaimRequest claims a request key. It waits for a transaction that holds the same key. first is
// false when the request was done before; the row says what it was and made.
func (s *Store) ClaimRequest(ctx context.Context, key, verb string, scope int64) (row BillingRequest, first bool, err error) {
	result, err := s.idb.NewRaw("INSERT INTO billing_request (key, verb, scope) VALUES (?, ?, ?) ON CONFLICT (key) DO NOTHING", key, verb, scope).Exec(ctx)
	if err != nil {
		return row, false, translate(err)
	}
	added, err := result.RowsAffected()
	if err != nil || added == 1 {
		return BillingRequest{Key: key, Verb: verb, Scope: scope}, true, err
	}
	err = s.idb.NewSelect().Model(&row).Where("key = ?", key).Scan(ctx)
	return row, false, translate(err)
}

// BillingRequest is a request that was done.
type BillingRequest struct {
	bun.BaseModel `bun:"table:billing_request"`

	Key     string `bun:"key,pk"`
	Verb    string `bun:"verb"`
	Scope   int64  `bun:"scope"`
	Subject int64  `bun:"subject"`
}

// FinishRequest notes what a claimed request made.
func (s *Store) FinishRequest(ctx context.Context, key string, subject int64) error {
	_, err := s.idb.NewUpdate().Table("billing_request").Set("subject = ?", subject).Where("key = ?", key).Exec(ctx)
	return translate(err)
}

// LedgerGap is something that does not add up.
type LedgerGap struct {
	What     string `bun:"what" json:"what"`       // invoice, invoice_status, credit, payment, credit_note, refund, numbering
	Subject  string `bun:"subject" json:"subject"` // its id or name
	Stored   int64  `bun:"stored" json:"stored"`
	Expected int64  `bun:"expected" json:"expected"`
}

// LedgerCheck is what the last comparison found.
type LedgerCheck struct {
	bun.BaseModel `bun:"table:ledger_check"`

	ID        int         `bun:"id,pk"`
	CheckedAt time.Time   `bun:"checked_at"`
	Gaps      []LedgerGap `bun:"gaps,type:jsonb"`
}

// SaveLedgerCheck puts a comparison in the place of the one before.
func (s *Store) SaveLedgerCheck(ctx context.Context, row LedgerCheck) error {
	row.ID = 1
	_, err := s.idb.NewInsert().Model(&row).On("CONFLICT (id) DO UPDATE").Set("checked_at = EXCLUDED.checked_at").Set("gaps = EXCLUDED.gaps").Exec(ctx)
	return translate(err)
}

// LedgerCheck returns the last comparison; not found before the first.
func (s *Store) LedgerCheck(ctx context.Context) (LedgerCheck, error) {
	var row LedgerCheck
	err := s.idb.NewSelect().Model(&row).Scan(ctx)
	return row, translate(err)
}

// LedgerGaps compares every document with the sum of its entries, and every series with the numbers
// that were used. An empty answer means that everything adds up.
func (s *Store) LedgerGaps(ctx context.Context, limit int) ([]LedgerGap, error) {
	rows := []LedgerGap{}
	err := s.idb.NewRaw(ledgerGapsSQL, limit).Scan(ctx, &rows)
	return rows, translate(err)
}

const ledgerGapsSQL = `
WITH entry AS NOT MATERIALIZED (
	SELECT client_id, currency, invoice_id, payment_id, credit_note_id, refund_id, amount FROM ledger_entry
), gap AS (
	SELECT 'invoice' AS what, coalesce(i.number, i.id::text) AS subject, i.paid + i.credited AS stored, coalesce(e.amount, 0)::bigint AS expected
	FROM invoice AS i LEFT JOIN (SELECT invoice_id, sum(amount) AS amount FROM entry GROUP BY 1) AS e ON e.invoice_id = i.id
	UNION ALL
	SELECT 'invoice_status', coalesce(i.number, i.id::text), 1, 0 FROM invoice AS i
	WHERE (i.status = 'paid' AND i.balance <> 0) OR (i.status IN ('issued', 'partly_paid') AND i.balance = 0)
		OR (i.status = 'issued' AND i.paid + i.credited <> 0) OR (i.status IN ('cancelled', 'draft') AND i.paid + i.credited <> 0)
	UNION ALL
	SELECT 'credit', coalesce(c.client_id, e.client_id) || ' ' || coalesce(c.currency, e.currency), coalesce(c.amount, 0), coalesce(e.amount, 0)::bigint
	FROM client_credit AS c FULL JOIN (SELECT client_id, currency, sum(amount) AS amount FROM entry WHERE invoice_id IS NULL GROUP BY 1, 2) AS e
		ON e.client_id = c.client_id AND e.currency = c.currency
	UNION ALL
	SELECT 'payment', p.id::text, CASE WHEN p.voided_at IS NULL THEN p.amount ELSE 0 END, coalesce(e.amount, 0)::bigint
	FROM payment AS p LEFT JOIN (SELECT payment_id, sum(amount) AS amount FROM entry GROUP BY 1) AS e ON e.payment_id = p.id
	UNION ALL
	SELECT 'credit_note', n.number, n.total, coalesce(e.amount, 0)::bigint
	FROM credit_note AS n LEFT JOIN (SELECT credit_note_id, sum(amount) AS amount FROM entry GROUP BY 1) AS e ON e.credit_note_id = n.id
	UNION ALL
	SELECT 'refund', r.id::text, r.amount, coalesce(-e.amount, 0)::bigint
	FROM refund AS r LEFT JOIN (SELECT refund_id, sum(amount) AS amount FROM entry GROUP BY 1) AS e ON e.refund_id = r.id
	UNION ALL
	-- A series without gap or double has as many numbers as its last one says.
	SELECT 'numbering', s.name, s.last, coalesce(n.used, 0)
	FROM series AS s LEFT JOIN (SELECT series, count(DISTINCT folio) AS used FROM
		(SELECT series, folio FROM invoice WHERE folio IS NOT NULL UNION ALL SELECT series, folio FROM credit_note) AS numbers GROUP BY 1) AS n ON n.series = s.name
	WHERE s.name NOT LIKE 'cfdi %' -- fiscal documents keep their own account of numbers
)
SELECT what, subject, stored, expected FROM gap WHERE stored <> expected ORDER BY what, subject LIMIT ?`

// LedgerNotice is who was told what a comparison found.
type LedgerNotice struct {
	bun.BaseModel `bun:"table:ledger_notice"`

	CheckedAt time.Time `bun:"checked_at,pk"`
	StaffID   id.Staff  `bun:"staff_id,pk"`
	Email     string    `bun:"email"`
	Status    string    `bun:"status"` // sent, failed
	Reply     string    `bun:"reply"`
}

// LedgerTold reports whether somebody was told of a comparison.
func (s *Store) LedgerTold(ctx context.Context, checkedAt time.Time, staff id.Staff) (bool, error) {
	told, err := s.idb.NewSelect().Model((*LedgerNotice)(nil)).Where("checked_at = ?", checkedAt).Where("staff_id = ?", staff).Exists(ctx)
	return told, translate(err)
}

// AddLedgerNotice notes that somebody was told; the first note stays.
func (s *Store) AddLedgerNotice(ctx context.Context, row LedgerNotice) error {
	_, err := s.idb.NewInsert().Model(&row).On("CONFLICT DO NOTHING").Returning("NULL").Exec(ctx)
	return translate(err)
}
