package billing

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/internal/sheet"
)

const (
	importBatch     = 500 // invoices written at once
	maxImportLines  = 500 // of one invoice
	maxImportErrors = 100 // shown; the others are counted
)

// Columns of an invoice import. client is an id (cli_12), an RFC or an email address.
var (
	importRequired = []string{"reference", "client", "due_date", "description", "unit_price"}
	importOptional = []string{"issue_date", "currency", "exchange_rate", "quantity", "discount", "treatment", "tax_included", "kind", "tld",
		"clave_prod_serv", "clave_unidad", "retencion_isr", "retencion_iva", "rate_source", "notes"}
)

// ImportResult says what an import did.
type ImportResult struct {
	Invoices int
	Existing int  // invoices whose reference was imported before: left alone
	Latin1   bool // the file was not UTF-8 and was read as Latin-1
	Errors   int  // all errors, also those beyond the ones that are returned
}

// ImportInvoices issues the invoices of a CSV file, one row for each line; the rows of an invoice follow one
// another and share its reference. The file is read as a stream, so its size does not matter, in one
// transaction: with any error nothing is saved, and the returned fault names rows and fields (the first
// hundred). A reference that was imported before is left alone, so the same file can be sent again. Imported invoices are
// numbered in a series of their own, which stays locked meanwhile; other issues do not wait. What follows an
// issue (PDF, fiscal documents) is done afterwards in the background, a batch at a time. Staff only.
func (s *Service) ImportInvoices(ctx context.Context, file io.Reader) (ImportResult, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return ImportResult{}, err
	}
	rows, err := sheet.New(file, importRequired, importOptional)
	if err != nil {
		return ImportResult{}, err
	}
	im := &importer{s: s, ctx: ctx, sheet: rows, seen: map[string]bool{}}
	err = s.Store.InTx(ctx, func(tx *db.Store) error {
		im.tx = tx
		var err error
		if im.company, err = tx.Company(ctx); err != nil {
			return err
		}
		if err := im.run(); err != nil {
			return err
		}
		if err := im.checks.Err(); err != nil {
			return err // undoes everything
		}
		if im.result.Invoices == 0 {
			return nil
		}
		if err := tx.Enqueue(ctx, im.folios); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Verb: "import.invoices", After: map[string]any{"invoices": im.result.Invoices, "existing": im.result.Existing}})
	})
	im.result.Latin1 = rows.Latin1
	if err != nil {
		im.result.Invoices, im.result.Existing = 0, 0
	}
	return im.result, err
}

// importer is one import on its way.
type importer struct {
	s       *Service
	ctx     context.Context
	tx      *db.Store
	sheet   *sheet.Sheet
	company db.Company
	result  ImportResult
	folios  ImportedJob // of the invoices so far
	checks  fault.Checks
	batch   []imported
	current *imported
	seen    map[string]bool // references of the current batch
}

// imported is one invoice of the file.
type imported struct {
	row    int
	client string
	head   [len(headColumns)]string // as its first row says them
	in     IssueInput
	rows   []int // of its lines
}

// headColumns are about the whole invoice: its later rows leave them empty or repeat them.
var headColumns = [...]string{"currency", "exchange_rate", "rate_source", "notes"}

func (im *importer) fail(row int, field, code string, args ...any) {
	im.result.Errors++
	if im.result.Errors <= maxImportErrors {
		im.checks.Add(sheet.Path(row, field), code, args...)
	}
}

// failAll notes the fields of a fault.
func (im *importer) failAll(err error, path func(field string) string) error {
	f, ok := fault.As(err)
	if !ok || f.Kind != fault.Invalid {
		return err
	}
	for _, field := range f.Fields {
		im.result.Errors++
		if im.result.Errors <= maxImportErrors {
			args := []any{}
			for name, value := range field.Args {
				args = append(args, name, value)
			}
			im.checks.Add(path(field.Path), field.Code, args...)
		}
	}
	return nil
}

func (im *importer) run() error {
	for {
		cell, err := im.sheet.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			if err := im.failAll(err, func(path string) string { return path }); err != nil {
				return err
			}
			continue
		}
		if err := im.line(cell); err != nil {
			return err
		}
	}
	im.endInvoice()
	if im.result.Errors == 0 && im.result.Invoices+len(im.batch) == 0 && im.result.Existing == 0 {
		im.fail(1, "", "FILE_EMPTY")
	}
	return im.flush()
}

// line reads a row into the current invoice, or begins the next one.
func (im *importer) line(cell func(string) string) error {
	row, reference := im.sheet.Row, cell("reference")
	if reference == "" {
		im.fail(row, "reference", "REQUIRED")
		return nil
	}
	if im.current == nil || im.current.in.ExternalRef != reference {
		im.endInvoice()
		if len(im.batch) >= importBatch {
			if err := im.flush(); err != nil {
				return err
			}
		}
		if im.seen[reference] {
			im.fail(row, "reference", "REFERENCE_SPLIT")
		}
		im.seen[reference] = true
		im.current = &imported{row: row, client: cell("client"), in: IssueInput{ExternalRef: reference, Currency: money.Currency(strings.ToUpper(cell("currency"))),
			IssueDate: im.date(row, cell, "issue_date"), DueDate: im.date(row, cell, "due_date"), Notes: cell("notes"),
			ExchangeRate: im.number(row, cell, "exchange_rate", money.Decimal{})}}
		for i, column := range headColumns {
			im.current.head[i] = cell(column)
		}
		if cell("exchange_rate") != "" {
			im.current.in.RateSource = cmp.Or(cell("rate_source"), "import")
			if im.current.in.ExchangeRate.IsZero() {
				im.current.in.ExchangeRate = money.Int(-1) // no rate either: to the verb, zero would mean the stored one
			}
		}
	} else if c := im.current; cell("client") != c.client || date.Date(cell("due_date")) != c.in.DueDate || cell("issue_date") != string(c.in.IssueDate) {
		im.fail(row, "reference", "REFERENCE_SPLIT")
	} else {
		for i, column := range headColumns {
			if again := cell(column); again != "" && again != c.head[i] {
				im.fail(row, column, "REFERENCE_SPLIT")
			}
		}
	}
	if len(im.current.rows) == maxImportLines {
		im.fail(row, "reference", "LINES_TOO_MANY", "max", maxImportLines)
	}
	if len(im.current.rows) >= maxImportLines {
		return nil
	}
	line := LineInput{Description: withoutPipes(cell("description")), Quantity: im.number(row, cell, "quantity", money.Int(1)), UnitPrice: im.number(row, cell, "unit_price", money.Decimal{}),
		Treatment: TaxTreatment(strings.ToLower(cell("treatment"))), Kind: strings.ToLower(cell("kind")), TLD: cell("tld"), ClaveProdServ: cell("clave_prod_serv"), ClaveUnidad: cell("clave_unidad"),
		RetencionISR: im.number(row, cell, "retencion_isr", money.Decimal{}), RetencionIVA: im.number(row, cell, "retencion_iva", money.Decimal{})}
	if cell("unit_price") == "" {
		im.fail(row, "unit_price", "REQUIRED")
	}
	if discount := im.number(row, cell, "discount", money.Decimal{}); !discount.IsZero() {
		var err error
		if line.Discount, err = discount.Minor(money.MXN); err != nil || discount.Decimals() > 2 {
			im.fail(row, "discount", "AMOUNT_TOO_MANY_DECIMALS")
		}
	}
	switch strings.ToLower(cell("tax_included")) {
	case "", "0", "no", "false":
	case "1", "si", "sí", "yes", "true":
		line.PriceIncludesTax = true
	default:
		im.fail(row, "tax_included", "VALUE_INVALID")
	}
	im.current.in.Lines, im.current.rows = append(im.current.in.Lines, line), append(im.current.rows, row)
	return nil
}

func (im *importer) date(row int, cell func(string) string, column string) date.Date {
	text := cell(column)
	if text == "" {
		return ""
	}
	d, err := date.Parse(text)
	if err != nil {
		im.fail(row, column, "DATE_MALFORMED")
	}
	return d
}

func (im *importer) number(row int, cell func(string) string, column string, fallback money.Decimal) money.Decimal {
	text := cell(column)
	if text == "" {
		return fallback
	}
	d, err := money.Parse(text)
	var wrong *money.Error
	if errors.As(err, &wrong) {
		im.fail(row, column, strings.ToUpper(wrong.Code))
	}
	return d
}

func (im *importer) endInvoice() {
	if im.current != nil {
		im.batch = append(im.batch, *im.current)
		im.current = nil
	}
}

// flush issues the invoices of a batch, with a fixed number of statements. After an error it only
// checks, because everything will be undone.
func (im *importer) flush() error {
	batch := im.batch
	im.batch, im.seen = nil, map[string]bool{}
	if len(batch) == 0 {
		return nil
	}
	names := make([]string, len(batch))
	for i := range batch {
		names[i] = batch[i].client
	}
	clients, err := im.tx.ClientsByName(im.ctx, names)
	if err != nil {
		return err
	}
	satKeys, err := im.satKeys(batch)
	if err != nil {
		return err
	}
	rows, lines, keys := []db.Invoice{}, [][]db.InvoiceLine{}, []db.BillingRequest{}
	at := []int{} // where in the file
	for _, one := range batch {
		switch found := clients[strings.ToLower(one.client)]; {
		case one.client == "":
			im.fail(one.row, "client", "REQUIRED")
			continue
		case len(found) == 0:
			im.fail(one.row, "client", "CLIENT_UNKNOWN")
			continue
		case len(found) > 1:
			im.fail(one.row, "client", "CLIENT_AMBIGUOUS")
			continue
		case found[0].ClosedAt != nil:
			im.fail(one.row, "client", clientClosed)
			continue
		default:
			one.in.ClientID = found[0].ID
			var checks fault.Checks
			d := one.in.check(&checks)
			row, err := im.s.composeFor(im.ctx, im.tx, &d, &checks, found[0], im.company, satKeys)
			if err != nil {
				if err := im.failAll(err, one.path); err != nil {
					return err
				}
				continue
			}
			rows, lines, at = append(rows, row), append(lines, d.lines), append(at, one.row)
			keys = append(keys, db.BillingRequest{Key: "import:" + row.ExternalRef, Verb: "import", Scope: int64(row.ClientID)})
		}
	}
	if im.result.Errors > 0 {
		return nil
	}
	fresh, earlier, err := im.tx.ClaimRequests(im.ctx, keys)
	if err != nil {
		return err
	}
	kept := 0
	for i := range rows {
		switch key := keys[i].Key; {
		case earlier[key]: // of a batch before: its invoice is made without these lines
			im.fail(at[i], "reference", "REFERENCE_SPLIT")
		case fresh[key]:
			rows[kept], lines[kept] = rows[i], lines[i]
			kept++
		default:
			im.result.Existing++
		}
	}
	if im.result.Errors > 0 {
		return nil
	}
	rows, lines = rows[:kept], lines[:kept]
	if kept == 0 {
		return nil
	}
	first, err := im.tx.NextFolios(im.ctx, importSeries, kept)
	if err != nil {
		return err
	}
	for i := range rows {
		im.s.setNumber(&rows[i], importSeries, first+int64(i))
	}
	if im.result.Invoices == 0 {
		im.folios.First = first
	}
	im.folios.Last = first + int64(kept) - 1
	im.result.Invoices += kept
	if err := im.tx.AddInvoices(im.ctx, rows, lines); err != nil {
		return err
	}
	return auditIssue(im.ctx, im.tx, rows...)
}

// satKeys reads the SAT's keys that the lines of a batch name.
func (im *importer) satKeys(batch []imported) (satKeys, error) {
	var lines []db.InvoiceLine
	for _, one := range batch {
		for _, line := range one.in.Lines {
			lines = append(lines, db.InvoiceLine{ClaveProdServ: line.ClaveProdServ, ClaveUnidad: strings.ToUpper(line.ClaveUnidad)})
		}
	}
	return readSATKeys(im.ctx, im.tx, lines)
}

// path names a field of an invoice by the row and column of the file.
func (one imported) path(field string) string {
	columns := map[string]string{"dueDate": "due_date", "exchangeRate": "exchange_rate", "currency": "currency", "notes": "notes", "externalReference": "reference", "rateSource": "rate_source"}
	var n int
	var name string
	if _, err := fmt.Sscanf(field, "lines[%d].%s", &n, &name); err == nil && n < len(one.rows) {
		lineColumns := map[string]string{"unitPrice": "unit_price", "claveProdServ": "clave_prod_serv", "claveUnidad": "clave_unidad", "retencionISR": "retencion_isr", "retencionIVA": "retencion_iva"}
		if column, ok := lineColumns[name]; ok {
			name = column
		}
		return sheet.Path(one.rows[n], name)
	}
	return sheet.Path(one.row, columns[field])
}
