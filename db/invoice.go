package db

import (
	"context"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// Stored states of an invoice. Overdue is not stored: it is an open invoice past its due date.
const (
	InvoiceIssued     = "issued"
	InvoicePartlyPaid = "partly_paid"
	InvoicePaid       = "paid"
	InvoiceCancelled  = "cancelled"
	InvoiceWrittenOff = "written_off"
	InvoiceOverdue    = "overdue" // shown, never stored
)

// Invoice is what a client owes. Once issued nothing but payments, cancellation, a reminder pause
// and the rendered PDF ever changes.
type Invoice struct {
	bun.BaseModel `bun:"table:invoice"`

	ID             id.Invoice     `bun:"id,pk,autoincrement"`
	ClientID       id.Client      `bun:"client_id"`
	Series         string         `bun:"series"`
	Folio          int64          `bun:"folio"`
	Number         string         `bun:"number"` // series and folio as people write them
	Status         string         `bun:"status"`
	Currency       money.Currency `bun:"currency"`
	IssueDate      date.Date      `bun:"issue_date"` // in the client's zone
	DueDate        date.Date      `bun:"due_date"`   // in the client's zone
	Subtotal       money.Minor    `bun:"subtotal"`
	Discount       money.Minor    `bun:"discount"`
	Tax            money.Minor    `bun:"tax"`
	Withheld       money.Minor    `bun:"withheld"`
	Total          money.Minor    `bun:"total"`
	Paid           money.Minor    `bun:"paid"`
	Balance        money.Minor    `bun:"-"` // Total less Paid; the database generates its own
	ClientSnapshot Client         `bun:"client_snapshot,type:jsonb"`
	IssuerSnapshot Company        `bun:"issuer_snapshot,type:jsonb"`
	Notes          string         `bun:"notes"`
	RequestKey     string         `bun:"request_key,nullzero"`
	PausedUntil    date.Date      `bun:"paused_until"`
	PauseReason    string         `bun:"pause_reason"`
	PDFKey         string         `bun:"pdf_key"`
	PDFSize        int64          `bun:"pdf_size"`
	CreatedAt      time.Time      `bun:"created_at,nullzero,default:now()"`
	UpdatedAt      time.Time      `bun:"updated_at,nullzero,default:now()"`
	PaidAt         *time.Time     `bun:"paid_at"`
	CancelledAt    *time.Time     `bun:"cancelled_at"`
}

// AfterScanRow fills in the balance.
func (i *Invoice) AfterScanRow(context.Context) error {
	i.Balance = i.Total - i.Paid
	return nil
}

// Open reports whether something is still owed.
func (i Invoice) Open() bool {
	return (i.Status == InvoiceIssued || i.Status == InvoicePartlyPaid) && i.Balance > 0
}

// State is the status people see on the given day: the stored one, or overdue.
func (i Invoice) State(today date.Date) string {
	if i.Open() && i.DueDate < today {
		return InvoiceOverdue
	}
	return i.Status
}

// InvoiceLine is one line of an invoice.
type InvoiceLine struct {
	bun.BaseModel `bun:"table:invoice_line"`

	ID          id.InvoiceLine `bun:"id,pk,autoincrement"`
	InvoiceID   id.Invoice     `bun:"invoice_id"`
	Position    int            `bun:"position"`
	Description string         `bun:"description"`
	Quantity    money.Decimal  `bun:"quantity"`
	UnitPrice   money.Decimal  `bun:"unit_price"`
	Discount    money.Minor    `bun:"discount"`
	Amount      money.Minor    `bun:"amount"`    // before tax, before discount
	Treatment   string         `bun:"treatment"` // tax treatment, see billing.Treatment
}

// InvoiceFilter limits a list of invoices.
type InvoiceFilter struct {
	Reach  access.Reach
	Client id.Client // 0: any
	Status string    // a stored state, InvoiceOverdue, or "open" for everything still owed; "" any
	Search string    // part of the number or of the client's name
	Today  date.Date // what overdue means
}

// Invoice returns one invoice.
func (s *Store) Invoice(ctx context.Context, invoiceID id.Invoice) (Invoice, error) {
	var row Invoice
	err := s.idb.NewSelect().Model(&row).Where("id = ?", invoiceID).Scan(ctx)
	return row, translate(err)
}

// LockInvoice returns one invoice, locked until the transaction ends.
func (s *Store) LockInvoice(ctx context.Context, invoiceID id.Invoice) (Invoice, error) {
	var row Invoice
	err := s.idb.NewSelect().Model(&row).Where("id = ?", invoiceID).For("UPDATE").Scan(ctx)
	return row, translate(err)
}

// InvoiceByRequest returns the invoice that was made for a request key.
func (s *Store) InvoiceByRequest(ctx context.Context, key string) (Invoice, error) {
	var row Invoice
	err := s.idb.NewSelect().Model(&row).Where("request_key = ?", key).Scan(ctx)
	return row, translate(err)
}

// InvoicesByID returns the invoices with these ids, in any order.
func (s *Store) InvoicesByID(ctx context.Context, ids []id.Invoice) ([]Invoice, error) {
	rows := []Invoice{}
	if len(ids) == 0 {
		return rows, nil
	}
	err := s.idb.NewSelect().Model(&rows).Where("id IN (?)", bun.List(ids)).Scan(ctx)
	return rows, translate(err)
}

// Invoices lists invoices, the newest first.
func (s *Store) Invoices(ctx context.Context, filter InvoiceFilter, page Page) (List[Invoice], error) {
	rows := []Invoice{}
	q := s.idb.NewSelect().Model(&rows).OrderExpr("invoice.issue_date DESC, invoice.id DESC").Limit(int64(page.Size() + 1))
	if !filter.Reach.All {
		q = q.Where("invoice.client_id IN (?)", bun.List(orNone(filter.Reach.Clients)))
	}
	if filter.Client != 0 {
		q = q.Where("invoice.client_id = ?", filter.Client)
	}
	switch filter.Status {
	case "":
	case "open":
		q = q.Where("invoice.status IN ('issued', 'partly_paid')")
	case InvoiceOverdue:
		q = q.Where("invoice.status IN ('issued', 'partly_paid')").Where("invoice.due_date < ?", filter.Today)
	default:
		q = q.Where("invoice.status = ?", filter.Status)
	}
	if words := strings.TrimSpace(filter.Search); words != "" {
		like := "%" + escapeLike(strings.ToLower(words)) + "%"
		q = q.Where("(lower(invoice.number) LIKE ? OR EXISTS (SELECT FROM client AS c WHERE c.id = invoice.client_id AND lower(c.name || ' ' || c.email || ' ' || c.tax_id) LIKE ?))", like, like)
	}
	var day date.Date
	var last int64
	ok, err := page.after(&day, &last)
	if err != nil {
		return List[Invoice]{}, err
	}
	if ok {
		q = q.Where("(invoice.issue_date, invoice.id) < (?::date, ?)", day, last)
	}
	if err := q.Scan(ctx); err != nil {
		return List[Invoice]{}, translate(err)
	}
	return newList(rows, page, func(i Invoice) []any { return []any{string(i.IssueDate), int64(i.ID)} }), nil
}

// InvoiceLines returns the lines of many invoices, each invoice's in order.
func (s *Store) InvoiceLines(ctx context.Context, invoices ...id.Invoice) ([]InvoiceLine, error) {
	rows := []InvoiceLine{}
	if len(invoices) == 0 {
		return rows, nil
	}
	err := s.idb.NewSelect().Model(&rows).Where("invoice_id IN (?)", bun.List(invoices)).OrderExpr("invoice_id, position").Scan(ctx)
	return rows, translate(err)
}

// NextFolio takes the next number of a series. The series stays locked until the transaction ends,
// so that a transaction that fails leaves no gap.
func (s *Store) NextFolio(ctx context.Context, series string) (int64, error) {
	var folio int64
	err := s.idb.NewRaw(`INSERT INTO series (name, last) VALUES (?, 1)
		ON CONFLICT (name) DO UPDATE SET last = series.last + 1 RETURNING last`, series).Scan(ctx, &folio)
	return folio, translate(err)
}

// AddInvoice inserts an issued invoice with its lines and sets the ids.
func (s *Store) AddInvoice(ctx context.Context, row *Invoice, lines []InvoiceLine) error {
	if _, err := s.idb.NewInsert().Model(row).Exec(ctx); err != nil {
		return translate(err)
	}
	row.Balance = row.Total - row.Paid
	for i := range lines {
		lines[i].InvoiceID, lines[i].Position = row.ID, i+1
	}
	_, err := s.idb.NewInsert().Model(&lines).Exec(ctx)
	return translate(err)
}

// SaveInvoiceState writes what may change on an issued invoice: status, payments, cancellation.
func (s *Store) SaveInvoiceState(ctx context.Context, row *Invoice) error {
	row.UpdatedAt = time.Now()
	_, err := s.idb.NewUpdate().Model(row).Column("status", "paid", "paid_at", "cancelled_at", "pdf_key", "pdf_size", "updated_at").WherePK().Exec(ctx)
	row.Balance = row.Total - row.Paid
	return translate(err)
}

// SetInvoicePDF notes where the rendered PDF is, unless the invoice changed since it was rendered.
func (s *Store) SetInvoicePDF(ctx context.Context, row Invoice, key string, size int64) error {
	_, err := s.idb.NewUpdate().Table("invoice").Set("pdf_key = ?", key).Set("pdf_size = ?", size).
		Where("id = ?", row.ID).Where("updated_at = ?", row.UpdatedAt).Exec(ctx)
	return translate(err)
}

// PauseInvoice stops reminders of an invoice before the date; "" ends a pause.
func (s *Store) PauseInvoice(ctx context.Context, invoiceID id.Invoice, until date.Date, reason string) error {
	_, err := s.idb.NewUpdate().Table("invoice").Set("paused_until = ?", until).Set("pause_reason = ?", reason).
		Where("id = ?", invoiceID).Exec(ctx)
	return translate(err)
}

// InvoiceTotals is what a client owes, by currency.
type InvoiceTotals struct {
	Currency money.Currency `bun:"currency"`
	Open     int64          `bun:"open"` // invoices still owed
	Balance  money.Minor    `bun:"balance"`
	Overdue  money.Minor    `bun:"overdue"`
}

// OpenTotals sums what the clients in reach owe; client 0 means all of them.
func (s *Store) OpenTotals(ctx context.Context, reach access.Reach, client id.Client, today date.Date) ([]InvoiceTotals, error) {
	rows := []InvoiceTotals{}
	q := s.idb.NewSelect().Table("invoice").ColumnExpr("currency, count(*) AS open, sum(balance)::bigint AS balance").
		ColumnExpr("coalesce(sum(balance) FILTER (WHERE due_date < ?), 0)::bigint AS overdue", today).
		Where("status IN ('issued', 'partly_paid')").GroupExpr("currency").OrderExpr("currency")
	if !reach.All {
		q = q.Where("client_id IN (?)", bun.List(orNone(reach.Clients)))
	}
	if client != 0 {
		q = q.Where("client_id = ?", client)
	}
	err := q.Scan(ctx, &rows)
	return rows, translate(err)
}

// InvoiceDownload is an entry of the download log.
type InvoiceDownload struct {
	bun.BaseModel `bun:"table:invoice_download"`

	ID        int64      `bun:"id,pk,autoincrement"`
	InvoiceID id.Invoice `bun:"invoice_id"`
	LoginID   id.Login   `bun:"login_id,nullzero"`
	StaffID   id.Staff   `bun:"staff_id,nullzero"`
	Address   string     `bun:"address"`
	At        time.Time  `bun:"at,nullzero,default:now()"`
}

// LogDownload writes an entry of the download log.
func (s *Store) LogDownload(ctx context.Context, row *InvoiceDownload) error {
	_, err := s.idb.NewInsert().Model(row).Exec(ctx)
	return translate(err)
}

// Downloads returns the download log of an invoice, the newest 100 first.
func (s *Store) Downloads(ctx context.Context, invoiceID id.Invoice) ([]InvoiceDownload, error) {
	rows := []InvoiceDownload{}
	err := s.idb.NewSelect().Model(&rows).Where("invoice_id = ?", invoiceID).OrderExpr("id DESC").Limit(100).Scan(ctx)
	return rows, translate(err)
}
