package billing

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// Series of documents. Each counts on its own, without gaps.
const (
	invoiceSeries    = "F"
	creditNoteSeries = "NC"
	importSeries     = "I" // an import of millions keeps its series locked, so it has one of its own
)

// IssueInput is an invoice to be issued.
type IssueInput struct {
	ClientID     id.Client
	Currency     money.Currency // "" means MXN
	IssueDate    date.Date      // "" means today in the client's zone
	DueDate      date.Date
	Lines        []LineInput
	Notes        string
	Kind         string        // db.KindInvoice ("" too) or db.KindLateFee
	OriginID     id.Invoice    // of a late fee: the invoice that is late
	ExternalRef  string        // its name in another system
	ExchangeRate money.Decimal // MXN per unit of Currency; 0 takes the newest stored rate
	RateSource   string        // where ExchangeRate is from
	RequestKey   string        // a second request with the same key returns the first invoice
}

// LineInput is one line of an invoice.
type LineInput struct {
	Description      string
	Quantity         money.Decimal
	UnitPrice        money.Decimal // units of the currency
	Discount         money.Minor   // minor units, on the basis of UnitPrice
	Treatment        TaxTreatment  // "" means IVA16
	PriceIncludesTax bool
	RetencionISR     money.Decimal // rates withheld by the client, 0 for none
	RetencionIVA     money.Decimal
	Kind             string // hosting, domain, ...; "" where it does not matter
	TLD              string // of a domain
	ClaveProdServ    string // of the SAT's catalogs; "" leaves them to the fiscal settings
	ClaveUnidad      string
	ServiceID        id.Service // of a service that is billed
	PeriodStart      date.Date
	PeriodEnd        date.Date // first day after the period
}

// IssueInvoice numbers an invoice and makes it final: amounts, lines and the data of client and
// issuer never change again. Staff only.
func (s *Service) IssueInvoice(ctx context.Context, in IssueInput) (db.Invoice, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return db.Invoice{}, err
	}
	var checks fault.Checks
	draft := in.check(&checks)
	invoiceID, err := s.once(ctx, "issue", in.RequestKey, int64(in.ClientID), func(tx *db.Store) (int64, error) {
		row, err := s.compose(ctx, tx, &draft, &checks)
		if err != nil {
			return 0, err
		}
		row.RequestKey = in.RequestKey
		if err := s.number(ctx, tx, &row, invoiceSeries); err != nil {
			return 0, err
		}
		if err := tx.AddInvoice(ctx, &row, draft.lines); err != nil {
			return 0, err
		}
		if err := auditIssue(ctx, tx, row); err != nil {
			return 0, err
		}
		return int64(row.ID), tx.EnqueueAll(ctx, []db.Job{s.renderJob(row), Changed(row)})
	})
	if err != nil {
		return db.Invoice{}, err
	}
	return s.Store.Invoice(ctx, id.Invoice(invoiceID))
}

// Quote computes what the lines of an invoice come to, without saving or numbering anything; a fault
// names the lines that are wrong.
func Quote(currency money.Currency, lines []LineInput) (Totals, error) {
	var checks fault.Checks
	totals, _ := checkLines(&checks, currency, lines)
	return totals, checks.Err()
}

// QuoteInvoice is Quote for staff who may bill.
func (s *Service) QuoteInvoice(ctx context.Context, currency money.Currency, lines []LineInput) (Totals, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return Totals{}, err
	}
	return Quote(currency, lines)
}

// draft is an input that was checked on its own.
type draft struct {
	in     IssueInput
	totals Totals
	lines  []db.InvoiceLine
}

// check notes what is wrong with the input alone and computes its totals.
func (in IssueInput) check(checks *fault.Checks) draft {
	if in.Currency == "" {
		in.Currency = money.MXN
	}
	if in.DueDate == "" {
		checks.Add("dueDate", "REQUIRED")
	}
	switch in.Kind {
	case "":
		in.Kind = db.KindInvoice
	case db.KindInvoice, db.KindLateFee:
	default:
		checks.Add("kind", "VALUE_INVALID")
	}
	checkText(checks, "notes", &in.Notes, false, 2000)
	checkText(checks, "externalReference", &in.ExternalRef, false, 100)
	checkText(checks, "rateSource", &in.RateSource, false, 100)
	if len([]rune(in.RequestKey)) > maxKey {
		checks.Add("requestKey", "TOO_LONG", "max", maxKey)
	}
	if in.ExchangeRate.Sign() < 0 || in.Currency == money.MXN && !in.ExchangeRate.IsZero() && in.ExchangeRate != money.Int(1) {
		checks.Add("exchangeRate", "EXCHANGE_RATE_INVALID")
	}
	totals, lines := checkLines(checks, in.Currency, in.Lines)
	return draft{in: in, totals: totals, lines: lines}
}

// checkLines notes what is wrong with lines, computes their totals and makes the rows that are
// stored. Absorbed negative lines are kept as they were agreed: the totals count them as discounts.
func checkLines(checks *fault.Checks, currency money.Currency, input []LineInput) (Totals, []db.InvoiceLine) {
	doc := TaxDocument{Currency: currency}
	rows := make([]db.InvoiceLine, 0, len(input))
	for i, line := range input {
		if line.Treatment == "" {
			line.Treatment = IVA16
		}
		at := func(field string) string { return linePath(i, field) }
		checkConcept(checks, at("description"), &line.Description, true, 1000)
		if line.Kind != "" && line.Kind != db.LateFeeKind && !slices.Contains(Kinds, line.Kind) {
			checks.Add(at("kind"), "KIND_UNKNOWN")
		}
		checkSATKeys(checks, at, &line.ClaveProdServ, &line.ClaveUnidad)
		tax := TaxLine{Quantity: line.Quantity, UnitPrice: line.UnitPrice, Discount: line.Discount, Treatment: line.Treatment,
			PriceIncludesTax: line.PriceIncludesTax, RetencionISR: line.RetencionISR, RetencionIVA: line.RetencionIVA}
		doc.Lines = append(doc.Lines, tax)
		amount, err := line.Quantity.MulMinor(line.UnitPrice, currency)
		if err != nil {
			amount = 0 // Compute reports it
		}
		rows = append(rows, db.InvoiceLine{Description: line.Description, Quantity: line.Quantity, UnitPrice: line.UnitPrice, Discount: line.Discount,
			Amount: amount, Treatment: string(line.Treatment), Kind: line.Kind, TLD: line.TLD, ClaveProdServ: line.ClaveProdServ, ClaveUnidad: line.ClaveUnidad,
			PriceIncludesTax: line.PriceIncludesTax, RetencionISR: line.RetencionISR, RetencionIVA: line.RetencionIVA, ServiceID: line.ServiceID,
			PeriodStart: line.PeriodStart, PeriodEnd: line.PeriodEnd})
	}
	totals, err := Compute(doc)
	var wrong AmountErrors
	if errors.As(err, &wrong) {
		for _, e := range wrong {
			checks.Add(e.Path, strings.ToUpper(e.Code))
		}
	}
	return totals, rows
}

// TaxDocumentOf is what [Compute] needs of an invoice that was stored: its result is that of the
// issue, to the cent.
func TaxDocumentOf(currency money.Currency, lines []db.InvoiceLine) TaxDocument {
	doc := TaxDocument{Currency: currency}
	for _, line := range lines {
		doc.Lines = append(doc.Lines, TaxLine{Quantity: line.Quantity, UnitPrice: line.UnitPrice, Discount: line.Discount, Treatment: TaxTreatment(line.Treatment),
			PriceIncludesTax: line.PriceIncludesTax, RetencionISR: line.RetencionISR, RetencionIVA: line.RetencionIVA})
	}
	return doc
}

// linePath names a field of a line in a fault.
func linePath(line int, field string) string { return fmt.Sprintf("lines[%d].%s", line, field) }

func digits(text string, count int) bool {
	return len(text) == count && strings.Trim(text, "0123456789") == ""
}

// compose checks the input against the client and makes the row of a draft.
func (s *Service) compose(ctx context.Context, tx *db.Store, d *draft, checks *fault.Checks) (db.Invoice, error) {
	client, err := tx.Client(ctx, d.in.ClientID)
	if err != nil {
		return db.Invoice{}, err
	}
	if err := openClient(client); err != nil {
		return db.Invoice{}, err
	}
	company, err := tx.Company(ctx)
	if err != nil {
		return db.Invoice{}, err
	}
	keys, err := readSATKeys(ctx, tx, d.lines)
	if err != nil {
		return db.Invoice{}, err
	}
	return s.composeFor(ctx, tx, d, checks, client, company, keys)
}

// composeFor is compose with what it reads; keys are those of the lines, nil where they were checked before.
func (s *Service) composeFor(ctx context.Context, tx *db.Store, d *draft, checks *fault.Checks, client db.Client, company db.Company, keys satKeys) (db.Invoice, error) {
	in := d.in
	if in.IssueDate == "" {
		in.IssueDate = date.Today(s.Now(), client.Timezone)
	}
	if in.DueDate != "" && in.DueDate < in.IssueDate {
		checks.Add("dueDate", "DATE_ORDER")
	}
	for i, line := range d.lines {
		keys.check(checks, in.IssueDate, func(field string) string { return linePath(i, field) }, line.ClaveProdServ, line.ClaveUnidad)
	}
	rate := db.ExchangeRate{Rate: money.Int(1)}
	if in.Currency != money.MXN && in.Currency.Valid() {
		if !in.ExchangeRate.IsZero() {
			rate = db.ExchangeRate{Rate: in.ExchangeRate, Source: in.RateSource, Day: in.IssueDate}
		} else if stored, err := tx.RateOn(ctx, in.Currency, in.IssueDate); err == nil {
			rate = stored
		} else if fault.Is(err, fault.NotFound) {
			checks.Add("exchangeRate", "EXCHANGE_RATE_REQUIRED")
		} else {
			return db.Invoice{}, err
		}
	}
	if err := checks.Err(); err != nil {
		return db.Invoice{}, err
	}
	now := s.Now()
	return db.Invoice{ClientID: client.ID, Kind: in.Kind, OriginID: in.OriginID, Status: db.InvoiceDraft, ExternalRef: in.ExternalRef, Currency: in.Currency,
		ExchangeRate: rate.Rate, RateSource: rate.Source, RateDate: rate.Day, IssueDate: in.IssueDate, DueDate: in.DueDate,
		Subtotal: d.totals.SubTotal, Discount: d.totals.Descuento, Tax: d.totals.TotalTraslados, Withheld: d.totals.TotalRetenciones, Total: d.totals.Total,
		ClientSnapshot: client, IssuerSnapshot: company, Notes: in.Notes, CreatedAt: now, UpdatedAt: now}, nil
}

// number makes a composed draft final.
func (s *Service) number(ctx context.Context, tx *db.Store, row *db.Invoice, series string) error {
	folio, err := tx.NextFolio(ctx, series)
	if err != nil {
		return err
	}
	s.setNumber(row, series, folio)
	return nil
}

func (s *Service) setNumber(row *db.Invoice, series string, folio int64) {
	now := s.Now()
	row.Series, row.Folio, row.Number, row.Status, row.IssuedAt, row.UpdatedAt = series, folio, number(series, folio), db.InvoiceIssued, &now, now
}
