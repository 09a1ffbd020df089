package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// Stored states of an invoice. Overdue is not stored: it is an open invoice past its due date.
const (
	InvoiceDraft      = "draft" // editable, without a number
	InvoiceIssued     = "issued"
	InvoicePartlyPaid = "partly_paid"
	InvoicePaid       = "paid"
	InvoiceCancelled  = "cancelled"
	InvoiceWrittenOff = "written_off"
	InvoiceOverdue    = "overdue" // shown, never stored
)

// Kinds of invoice.
const (
	KindInvoice = "invoice"
	KindLateFee = "late_fee" // a charge of its own for another invoice that is late
)

// Invoice is what a client owes. Once issued nothing but what settles or closes it, a reminder pause
// and the rendered PDF ever changes.
type Invoice struct {
	bun.BaseModel `bun:"table:invoice"`

	ID             id.Invoice     `bun:"id,pk,autoincrement"`
	ClientID       id.Client      `bun:"client_id"`
	Kind           string         `bun:"kind,nullzero,default:'invoice'"`
	OriginID       id.Invoice     `bun:"origin_id,nullzero"` // of a late fee: the late invoice
	Series         string         `bun:"series,nullzero"`
	Folio          int64          `bun:"folio,nullzero"`
	Number         string         `bun:"number,nullzero"` // series and folio as people write them; "" of a draft
	Status         string         `bun:"status"`
	ExternalRef    string         `bun:"external_reference"` // its name in another system
	Currency       money.Currency `bun:"currency"`
	IssueDate      date.Date      `bun:"issue_date"`                       // in the client's zone
	DueDate        date.Date      `bun:"due_date"`                         // in the client's zone
	ExchangeRate   money.Decimal  `bun:"exchange_rate,nullzero,default:1"` // MXN per unit of Currency
	RateSource     string         `bun:"rate_source"`
	RateDate       date.Date      `bun:"rate_date"`
	Subtotal       money.Minor    `bun:"subtotal"`
	Discount       money.Minor    `bun:"discount"`
	Tax            money.Minor    `bun:"tax"`
	Withheld       money.Minor    `bun:"withheld"`
	Total          money.Minor    `bun:"total"`
	Paid           money.Minor    `bun:"paid"`     // by payments and the client's credit
	Credited       money.Minor    `bun:"credited"` // taken away by credit notes
	Balance        money.Minor    `bun:"-"`        // what is left to pay
	ClientSnapshot Client         `bun:"client_snapshot,type:jsonb"`
	IssuerSnapshot Company        `bun:"issuer_snapshot,type:jsonb"`
	Notes          string         `bun:"notes"`
	RequestKey     string         `bun:"request_key,nullzero"`
	Pause
	PDFKey         string     `bun:"pdf_key"`
	PDFSize        int64      `bun:"pdf_size"`
	PDFMark        string     `bun:"pdf_mark"` // the mark that the rendered PDF carries
	CreatedAt      time.Time  `bun:"created_at,nullzero,default:now()"`
	UpdatedAt      time.Time  `bun:"updated_at,nullzero,default:now()"`
	PaidAt         *time.Time `bun:"paid_at"`
	IssuedAt       *time.Time `bun:"issued_at"`
	CancelledAt    *time.Time `bun:"cancelled_at"`
	WrittenOffAt   *time.Time `bun:"written_off_at"`
	CloseReason    string     `bun:"close_reason"` // of a cancellation or write-off
	LinksRevokedAt *time.Time `bun:"links_revoked_at"`
}

// AfterScanRow fills in the balance, which the column of the same name computes for SQL.
func (i *Invoice) AfterScanRow(context.Context) error {
	i.Balance = i.Total - i.Paid - i.Credited
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
	Treatment   string         `bun:"treatment"` // tax treatment, see billing.TaxTreatment

	Kind             string        `bun:"kind"` // hosting, domain, ...; what late fees and reports tell apart
	TLD              string        `bun:"tld"`  // of a domain
	ClaveProdServ    string        `bun:"clave_prod_serv"`
	ClaveUnidad      string        `bun:"clave_unidad"`
	PriceIncludesTax bool          `bun:"price_includes_tax"`
	RetencionISR     money.Decimal `bun:"retencion_isr"`
	RetencionIVA     money.Decimal `bun:"retencion_iva"`
	ServiceID        id.Service    `bun:"service_id,nullzero"`
	PeriodStart      date.Date     `bun:"period_start"`
	PeriodEnd        date.Date     `bun:"period_end"` // first day after the period
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
	err := s.idb.NewSelect().Model(&row).Where("id = ?", invoiceID).For("NO KEY UPDATE").Scan(ctx)
	return row, translate(err)
}

// LockInvoices returns invoices by id, locked in the order of their ids until the transaction ends,
// so that no two transactions wait for each other.
func (s *Store) LockInvoices(ctx context.Context, ids []id.Invoice) (map[id.Invoice]*Invoice, error) {
	rows := []Invoice{}
	err := s.idb.NewSelect().Model(&rows).Where("id IN (?)", bun.List(orNone(ids))).OrderExpr("id").For("NO KEY UPDATE").Scan(ctx)
	found := make(map[id.Invoice]*Invoice, len(rows))
	for i := range rows {
		found[rows[i].ID] = &rows[i]
	}
	return found, translate(err)
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
	return s.NextFolios(ctx, series, 1)
}

// NextFolios takes the next count numbers of a series and returns the first of them.
func (s *Store) NextFolios(ctx context.Context, series string, count int) (first int64, err error) {
	err = s.idb.NewRaw(`INSERT INTO series (name, last) VALUES (?0, ?1)
		ON CONFLICT (name) DO UPDATE SET last = series.last + EXCLUDED.last RETURNING last - ?1 + 1`, series, count).Scan(ctx, &first)
	return first, translate(err)
}

// InvoicesByFolio returns the invoices of a series from one folio to another, both included.
func (s *Store) InvoicesByFolio(ctx context.Context, series string, first, last int64) ([]Invoice, error) {
	rows := []Invoice{}
	err := s.idb.NewSelect().Model(&rows).Where("series = ?", series).Where("folio BETWEEN ? AND ?", first, last).OrderExpr("folio").Scan(ctx)
	return rows, translate(err)
}

// AddInvoice inserts an invoice with its lines and sets the ids.
func (s *Store) AddInvoice(ctx context.Context, row *Invoice, lines []InvoiceLine) error {
	if _, err := s.idb.NewInsert().Model(row).Exec(ctx); err != nil {
		return translate(err)
	}
	row.Balance = row.Total - row.Paid - row.Credited
	return s.addLines(ctx, row.ID, lines)
}

func (s *Store) addLines(ctx context.Context, invoiceID id.Invoice, lines []InvoiceLine) error {
	for i := range lines {
		lines[i].InvoiceID, lines[i].Position = invoiceID, i+1
	}
	_, err := s.idb.NewInsert().Model(&lines).Exec(ctx)
	return translate(err)
}

// AddInvoices inserts many invoices, each with its lines, in two statements and sets the ids.
func (s *Store) AddInvoices(ctx context.Context, rows []Invoice, lines [][]InvoiceLine) error {
	if len(rows) == 0 {
		return nil
	}
	if _, err := s.idb.NewInsert().Model(&rows).Exec(ctx); err != nil {
		return translate(err)
	}
	all := []InvoiceLine{}
	for i := range rows {
		rows[i].Balance = rows[i].Total - rows[i].Paid - rows[i].Credited
		for j := range lines[i] {
			lines[i][j].InvoiceID, lines[i][j].Position = rows[i].ID, j+1
		}
		all = append(all, lines[i]...)
	}
	_, err := s.idb.NewInsert().Model(&all).Exec(ctx)
	return translate(err)
}

// SaveDraft writes all of a draft and replaces its lines. With a number and the status issued it
// makes the draft final.
func (s *Store) SaveDraft(ctx context.Context, row *Invoice, lines []InvoiceLine) error {
	if _, err := s.idb.NewDelete().Table("invoice_line").Where("invoice_id = ?", row.ID).Exec(ctx); err != nil {
		return translate(err)
	}
	if err := s.addLines(ctx, row.ID, lines); err != nil {
		return err
	}
	_, err := s.idb.NewUpdate().Model(row).ExcludeColumn("id", "request_key", "created_at").WherePK().Exec(ctx)
	row.Balance = row.Total - row.Paid - row.Credited
	return translate(err)
}

// DeleteDraft removes a draft with its lines.
func (s *Store) DeleteDraft(ctx context.Context, invoiceID id.Invoice) error {
	if _, err := s.idb.NewDelete().Table("invoice_line").Where("invoice_id = ?", invoiceID).Exec(ctx); err != nil {
		return translate(err)
	}
	_, err := s.idb.NewDelete().Table("invoice").Where("id = ?", invoiceID).Exec(ctx)
	return translate(err)
}

var invoiceState = []string{"status", "paid", "credited", "paid_at", "cancelled_at", "written_off_at", "close_reason", "pdf_key", "pdf_size", "updated_at"}

// SaveInvoiceStates writes what may change on issued invoices, in one statement: what settles and what closes them.
func (s *Store) SaveInvoiceStates(ctx context.Context, rows ...*Invoice) error {
	if len(rows) == 0 {
		return nil
	}
	now := time.Now()
	for _, row := range rows {
		row.UpdatedAt, row.Balance = now, row.Total-row.Paid-row.Credited
	}
	_, err := s.idb.NewUpdate().Model(&rows).Column(invoiceState...).Bulk().Exec(ctx)
	return translate(err)
}

// SetInvoicePDF notes where the rendered PDF is, unless the invoice changed since it was rendered.
func (s *Store) SetInvoicePDF(ctx context.Context, row Invoice, key string, size int64, mark string) error {
	_, err := s.idb.NewUpdate().Table("invoice").Set("pdf_key = ?", key).Set("pdf_size = ?", size).Set("pdf_mark = ?", mark).
		Where("id = ?", row.ID).Where("updated_at = ?", row.UpdatedAt).Exec(ctx)
	return translate(err)
}

// PauseInvoice writes the invoice's pause.
func (s *Store) PauseInvoice(ctx context.Context, invoiceID id.Invoice, p Pause) error {
	return s.setPause(ctx, "invoice", int64(invoiceID), p)
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

	ClientID id.Client `bun:"client_id,scanonly"` // the invoice's
	Who      string    `bun:"who,scanonly"`       // the login's address or the person's name; "" for a personal link
}

// LogDownload writes entries of the download log, in one statement.
func (s *Store) LogDownload(ctx context.Context, rows ...InvoiceDownload) error {
	_, err := s.idb.NewInsert().Model(&rows).Exec(ctx)
	return translate(err)
}

// Downloads returns the download logs of invoices, the newest 100 of each first.
func (s *Store) Downloads(ctx context.Context, invoices ...id.Invoice) (map[id.Invoice][]InvoiceDownload, error) {
	found := map[id.Invoice][]InvoiceDownload{}
	if len(invoices) == 0 {
		return found, nil
	}
	rows := []InvoiceDownload{}
	err := s.idb.NewRaw(`SELECT d.*, coalesce(login.email, staff.name, '') AS who, invoice.client_id
		FROM unnest(ARRAY[?]::bigint[]) AS about (id) JOIN invoice ON invoice.id = about.id
		JOIN LATERAL (SELECT * FROM invoice_download WHERE invoice_id = about.id ORDER BY id DESC LIMIT 100) AS d ON true
		LEFT JOIN login ON login.id = d.login_id LEFT JOIN staff ON staff.id = d.staff_id ORDER BY d.invoice_id, d.id DESC`, bun.List(invoices)).Scan(ctx, &rows)
	for _, row := range rows {
		found[row.InvoiceID] = append(found[row.InvoiceID], row)
	}
	return found, translate(err)
}
