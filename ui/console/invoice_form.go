package console

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// Rows of the form: shown at first, and at most.
const (
	firstLines = 5
	maxLines   = 100
)

// invoiceForm is the form of an invoice or a credit note as it was sent.
type invoiceForm struct {
	Client       db.Client
	Invoice      db.Invoice // the draft, or what a credit note takes back; zero for a new invoice
	Credit       bool       // it is a credit note
	Currency     string
	IssueDate    string
	DueDate      string
	ExchangeRate string
	RateSource   string
	Notes        string
	Reason       string // of a credit note
	Relation     string // of a credit note, c_TipoRelacion: relationReturn, or 01
	RequestKey   string
	Lines        []lineForm
	Products     []db.Product // that a line can be filled from
	Quote        *billing.Totals
	Errors       fieldErrors
}

type lineForm struct {
	Description, Quantity, UnitPrice, Discount, Treatment, IncludesTax string

	Kind, TLD, ClaveProdServ, ClaveUnidad, RetencionISR, RetencionIVA string
	ServiceID, PeriodStart, PeriodEnd                                 string
}

// fields maps the names of the form's columns to where they are kept.
func (l *lineForm) fields() map[string]*string {
	return map[string]*string{
		"description": &l.Description, "quantity": &l.Quantity, "unitPrice": &l.UnitPrice, "discount": &l.Discount, "treatment": &l.Treatment,
		"priceIncludesTax": &l.IncludesTax, "kind": &l.Kind, "tld": &l.TLD, "claveProdServ": &l.ClaveProdServ, "claveUnidad": &l.ClaveUnidad,
		"retencionISR": &l.RetencionISR, "retencionIVA": &l.RetencionIVA, "serviceId": &l.ServiceID, "periodStart": &l.PeriodStart, "periodEnd": &l.PeriodEnd,
	}
}

func (l lineForm) empty() bool { return l.Description == "" && l.UnitPrice == "" && l.Discount == "" }

// detailed reports whether a row has more to say than its first line shows.
func (l lineForm) detailed() bool {
	return l.ClaveProdServ+l.ClaveUnidad+l.Kind+l.TLD+l.RetencionISR+l.RetencionIVA != ""
}

// relationReturn says that what was sold came back (c_TipoRelacion 03); everything else is 01.
const relationReturn = "03"

func relationOptions(ctx context.Context) []component.Option {
	return []component.Option{{Value: "01", Label: bt(ctx, "credit.relation.01")}, {Value: relationReturn, Label: bt(ctx, "credit.relation.03")}}
}

var treatments = []billing.TaxTreatment{billing.IVA16, billing.IVA8, billing.IVA0, billing.Exento, billing.NoObjeto}

// action is the address that the form is sent to.
func (f *invoiceForm) action() string {
	switch {
	case f.Credit:
		return invoicePath(f.Invoice.ID) + "/nota-de-credito"
	case f.Invoice.ID != 0:
		return invoicePath(f.Invoice.ID) + "/editar"
	}
	return clientPath(f.Client.ID) + "/facturas/nueva"
}

// back is the page that the form was opened from.
func (f *invoiceForm) back() string {
	if f.Invoice.ID != 0 {
		return invoicePath(f.Invoice.ID)
	}
	return clientPath(f.Client.ID)
}

func (f *invoiceForm) foreign() bool { return f.Currency != "" && f.Currency != string(money.MXN) }

func (c *Console) newInvoice(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	if err := requireBilling(ctx); err != nil {
		return err
	}
	client, err := c.client(ctx, r.PathValue("id"))
	if err != nil {
		return err
	}
	if client.ClosedAt != nil {
		return fault.New(fault.Conflict, "CLIENT_CLOSED")
	}
	today := date.Today(c.Now(), client.Timezone)
	form := invoiceForm{Client: client, Currency: string(money.MXN), IssueDate: string(today), DueDate: string(today.AddDays(15)), RequestKey: rand.Text()}
	form.addLines(firstLines)
	return c.showForm(w, r, http.StatusOK, &form)
}

func (c *Console) editInvoice(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	form, err := c.draftForm(r)
	if err != nil {
		return err
	}
	lines, err := c.Billing.Lines(ctx, form.Invoice.ID)
	if err != nil {
		return err
	}
	in := billing.InputOf(form.Invoice, lines[form.Invoice.ID])
	form.Currency, form.IssueDate, form.DueDate, form.Notes = string(in.Currency), string(form.Invoice.IssueDate), string(in.DueDate), in.Notes
	if form.RateSource = in.RateSource; !in.ExchangeRate.IsZero() && form.foreign() {
		form.ExchangeRate = in.ExchangeRate.String()
	}
	for _, line := range in.Lines {
		form.Lines = append(form.Lines, lineOf(line, in.Currency))
	}
	form.addLines(len(form.Lines) + 1)
	return c.showForm(w, r, http.StatusOK, &form)
}

// draftForm begins the form of an invoice that is a draft.
func (c *Console) draftForm(r *http.Request) (invoiceForm, error) {
	ctx := r.Context()
	if err := requireBilling(ctx); err != nil {
		return invoiceForm{}, err
	}
	row, err := c.invoice(ctx, r.PathValue("id"))
	if err != nil {
		return invoiceForm{}, err
	}
	if row.Status != db.InvoiceDraft {
		return invoiceForm{}, fault.New(fault.Conflict, "INVOICE_NOT_DRAFT")
	}
	client, err := c.Account.Client(ctx, row.ClientID)
	return invoiceForm{Client: client, Invoice: row}, err
}

// saveInvoice saves the draft, and issues it when that button was pressed. Without JavaScript the same
// form asks for more rows.
func (c *Console) saveInvoice(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	var form invoiceForm
	var err error
	if strings.HasSuffix(r.URL.Path, "/editar") {
		form, err = c.draftForm(r)
	} else if err = requireBilling(ctx); err == nil {
		form.Client, err = c.client(ctx, r.PathValue("id"))
	}
	if err != nil {
		return err
	}
	form.read(r)
	changed, err := c.changeRows(r, &form)
	if err != nil {
		return err
	}
	if changed {
		return c.showForm(w, r, http.StatusOK, &form)
	}
	in, rows, err := form.input()
	draft := r.PostFormValue("accion") == "borrador"
	var row db.Invoice
	switch {
	case err != nil:
	case form.Invoice.ID == 0 && !draft:
		row, err = c.Billing.IssueInvoice(ctx, in)
	default:
		row, err = c.Billing.SaveDraft(ctx, billing.SaveDraftInput{InvoiceID: form.Invoice.ID, IssueInput: in})
		if err == nil && !draft {
			row, err = c.Billing.IssueDraft(ctx, billing.IssueDraftInput{InvoiceID: row.ID, IssueDate: in.IssueDate})
		}
	}
	if e, ok := fault.As(err); ok && e.Kind == fault.Invalid {
		form.Errors, _ = invalid(ctx, inRows(e, rows))
		form.addLines(firstLines)
		return c.showForm(w, r, http.StatusUnprocessableEntity, &form)
	}
	if err != nil {
		return err
	}
	if draft {
		layout.Flash(w, r, "billing.flash.draft")
	} else {
		layout.Flash(w, r, "console.flash.issued")
	}
	return layout.Redirect(w, r, invoicePath(row.ID))
}

// showForm shows the form with the totals of what is readable of it.
func (c *Console) showForm(w http.ResponseWriter, r *http.Request, status int, form *invoiceForm) error {
	ctx := r.Context()
	list, err := c.Billing.Products(ctx, db.Page{First: db.MaxPage})
	if err != nil {
		return err
	}
	form.Products = slices.DeleteFunc(list.Rows, func(p db.Product) bool { return !p.Active || string(p.Currency) != form.Currency })
	form.quote()
	title := t(ctx, "issue.title")
	switch {
	case form.Credit:
		title = bt(ctx, "credit.title", "number", form.Invoice.Number)
	case form.Invoice.ID != 0:
		title = bt(ctx, "edit.title")
	}
	return c.show(w, r, status, title, invoiceFormPage(title, form))
}

// invoiceTotals answers with the totals of the form as it is, while it is filled in.
func (c *Console) invoiceTotals(w http.ResponseWriter, r *http.Request) error {
	if err := requireBilling(r.Context()); err != nil {
		return err
	}
	var form invoiceForm
	form.read(r)
	form.quote()
	return layout.WriteFragment(w, r, http.StatusOK, formTotals(&form))
}

// read reads the form; the n-th value of each column is of the n-th row.
func (f *invoiceForm) read(r *http.Request) {
	for name, to := range map[string]*string{"currency": &f.Currency, "issueDate": &f.IssueDate, "dueDate": &f.DueDate, "exchangeRate": &f.ExchangeRate,
		"rateSource": &f.RateSource, "notes": &f.Notes, "reason": &f.Reason, "relation": &f.Relation, "requestKey": &f.RequestKey} {
		*to = strings.TrimSpace(r.PostFormValue(name))
	}
	for i := range min(len(r.PostForm["description"]), maxLines) {
		var line lineForm
		for name, to := range line.fields() {
			if values := r.PostForm[name]; i < len(values) {
				*to = strings.TrimSpace(values[i])
			}
		}
		f.Lines = append(f.Lines, line)
	}
}

// changeRows adds or removes a row when one of the buttons for it was pressed.
func (c *Console) changeRows(r *http.Request, f *invoiceForm) (bool, error) {
	add, remove := r.PostFormValue("agregar"), r.PostFormValue("quitar")
	i, err := strconv.Atoi(remove)
	switch {
	case add == "producto":
		key, err := id.ParseProduct(r.PostFormValue("producto"))
		if err != nil {
			return true, nil //nolint:nilerr // no product was chosen: the form stays as it is
		}
		product, err := c.Billing.Product(r.Context(), key)
		if err != nil || string(product.Currency) != f.Currency {
			return true, err // the currency was changed since the list was made: the new list has its products
		}
		f.Lines = slices.DeleteFunc(f.Lines, lineForm.empty)
		f.Lines = append(f.Lines, lineOf(billing.LineInput{Description: product.Name, Quantity: money.Int(1), UnitPrice: product.Price,
			Treatment: billing.TaxTreatment(product.Treatment), PriceIncludesTax: product.PriceIncludesTax, Kind: product.Kind, TLD: product.TLD,
			ClaveProdServ: product.ClaveProdServ, ClaveUnidad: product.ClaveUnidad}, product.Currency))
		f.addLines(len(f.Lines) + 1)
	case add != "":
		f.addLines(len(f.Lines) + 1)
	case err == nil && i >= 0 && i < len(f.Lines):
		f.Lines = slices.Delete(f.Lines, i, i+1)
		f.addLines(1)
	default:
		return remove != "", nil
	}
	return true, nil
}

// lineError is what is wrong with a field of a row.
func (f *invoiceForm) lineError(row int, field string) string {
	return f.Errors[fmt.Sprintf("lines[%d].%s", row, field)]
}

var linePath = regexp.MustCompile(`^lines\[(\d+)\]`)

// detailsOpen shows the details of a row where something is wrong with them.
func (f *invoiceForm) detailsOpen(row int) bool {
	for _, field := range []string{"claveProdServ", "claveUnidad", "retencionISR", "retencionIVA", "kind"} {
		if f.lineError(row, field) != "" {
			return true
		}
	}
	return false
}

// summary says what the folded details of a row hold.
func (l lineForm) summary(ctx context.Context) string {
	var parts []string
	if l.IncludesTax != "" {
		parts = append(parts, bt(ctx, "form.price_basis.gross"))
	}
	if l.Kind != "" {
		parts = append(parts, bt(ctx, "kind."+l.Kind))
	}
	for _, part := range []string{l.TLD, l.ClaveProdServ, l.ClaveUnidad} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	for key, rate := range map[string]string{"form.retencion_isr": l.RetencionISR, "form.retencion_iva": l.RetencionIVA} {
		if rate != "" {
			parts = append(parts, bt(ctx, key)+": "+rate)
		}
	}
	slices.Sort(parts)
	return strings.Join(parts, " · ")
}

// inRows turns the line numbers of a fault into those of the form's rows, which count empty ones too.
func inRows(e *fault.Error, rows []int) *fault.Error {
	moved := *e
	moved.Fields = slices.Clone(e.Fields)
	for i, field := range moved.Fields {
		moved.Fields[i].Path = linePath.ReplaceAllStringFunc(field.Path, func(prefix string) string {
			n, err := strconv.Atoi(prefix[len("lines[") : len(prefix)-1])
			if err != nil || n >= len(rows) {
				return prefix
			}
			return fmt.Sprintf("lines[%d]", rows[n])
		})
	}
	return &moved
}

// addLines fills up with empty rows.
func (f *invoiceForm) addLines(n int) {
	for len(f.Lines) < min(n, maxLines) {
		f.Lines = append(f.Lines, lineForm{Quantity: "1", Treatment: string(billing.IVA16)})
	}
}

// lineOf is the row of the form that gives the line again.
func lineOf(in billing.LineInput, currency money.Currency) lineForm {
	line := lineForm{Description: in.Description, Quantity: in.Quantity.String(), UnitPrice: price(in.UnitPrice, currency), Treatment: string(in.Treatment),
		Kind: in.Kind, TLD: in.TLD, ClaveProdServ: in.ClaveProdServ, ClaveUnidad: in.ClaveUnidad, PeriodStart: string(in.PeriodStart), PeriodEnd: string(in.PeriodEnd)}
	if in.Discount != 0 {
		line.Discount = money.FormatNumber(in.Discount, currency)
	}
	if in.PriceIncludesTax {
		line.IncludesTax = "1"
	}
	if in.ServiceID != 0 {
		line.ServiceID = in.ServiceID.String()
	}
	line.RetencionISR, line.RetencionIVA = percent(in.RetencionISR), percent(in.RetencionIVA)
	return line
}

// percent writes a rate as people do: 0.106667 is 10.6667.
func percent(rate money.Decimal) string {
	hundred, err := rate.Mul(money.Int(100))
	if err != nil || rate.IsZero() {
		return ""
	}
	return hundred.String()
}

// readPrice reads a price: cents as people type them, or up to six decimals.
func readPrice(text string, currency money.Currency) (money.Decimal, error) {
	amount, err := money.ParseMinor(text, currency)
	if err == nil {
		return amount.Decimal(currency)
	}
	// Three decimals are refused: "1.500" is fifteen hundred to some.
	if _, decimals, ok := strings.Cut(text, "."); ok && len(decimals) > 3 {
		if exact, wrong := money.Parse(strings.ReplaceAll(text, ",", "")); wrong == nil {
			return exact, nil
		}
	}
	return money.Decimal{}, err
}

// quantityCode is the code of a quantity that could not be read.
func quantityCode(err error) string {
	var e *money.Error
	if errors.As(err, &e) && (e.Code == money.CodeTooLarge || e.Code == money.CodeTooManyDecimals) {
		return strings.ToUpper(strings.Replace(e.Code, "amount", "quantity", 1))
	}
	return "QUANTITY_INVALID"
}

// line reads a row; path names its fields.
func (l lineForm) line(checks *fault.Checks, currency money.Currency, path func(string) string) billing.LineInput {
	line := billing.LineInput{Description: l.Description, Treatment: billing.TaxTreatment(l.Treatment), PriceIncludesTax: l.IncludesTax != "", Kind: l.Kind,
		TLD: l.TLD, ClaveProdServ: l.ClaveProdServ, ClaveUnidad: strings.ToUpper(l.ClaveUnidad),
		PeriodStart: readDay(checks, path("periodStart"), l.PeriodStart), PeriodEnd: readDay(checks, path("periodEnd"), l.PeriodEnd)}
	var err error
	if line.Quantity, err = money.Parse(l.Quantity); err != nil {
		checks.Add(path("quantity"), quantityCode(err))
	}
	if line.UnitPrice, err = readPrice(l.UnitPrice, currency); err != nil {
		checks.Add(path("unitPrice"), amountCode(err))
	}
	if l.Discount != "" {
		if line.Discount, err = money.ParseMinor(l.Discount, currency); err != nil {
			checks.Add(path("discount"), amountCode(err))
		}
	}
	for name, rate := range map[string]struct {
		text string
		to   *money.Decimal
	}{"retencionISR": {l.RetencionISR, &line.RetencionISR}, "retencionIVA": {l.RetencionIVA, &line.RetencionIVA}} {
		if rate.text == "" {
			continue
		}
		hundred, err := money.Parse(strings.TrimSuffix(strings.TrimSpace(rate.text), "%"))
		if err == nil {
			*rate.to, err = hundred.Div(money.Int(100))
		}
		if err != nil {
			checks.Add(path(name), "VALUE_INVALID")
		}
	}
	if l.ServiceID != "" {
		if line.ServiceID, err = id.ParseService(l.ServiceID); err != nil {
			checks.Add(path("description"), "VALUE_INVALID")
		}
	}
	return line
}

// input reads the form into the verb's input. rows tells for each of its lines the row of the form,
// because empty rows are left out.
func (f *invoiceForm) input() (in billing.IssueInput, rows []int, err error) {
	in = billing.IssueInput{ClientID: f.Client.ID, Currency: money.Currency(f.Currency), Notes: f.Notes, RequestKey: f.RequestKey,
		Kind: f.Invoice.Kind, OriginID: f.Invoice.OriginID, ExternalRef: f.Invoice.ExternalRef}
	var checks fault.Checks
	in.IssueDate, in.DueDate = readDay(&checks, "issueDate", f.IssueDate), readDay(&checks, "dueDate", f.DueDate)
	if f.DueDate == "" {
		checks.Add("dueDate", "REQUIRED")
	}
	if f.ExchangeRate != "" && f.foreign() {
		if in.ExchangeRate, err = money.Parse(f.ExchangeRate); err != nil {
			checks.Add("exchangeRate", "EXCHANGE_RATE_INVALID")
		}
		in.RateSource = f.RateSource
	}
	in.Lines, rows = f.lines(&checks)
	return in, rows, checks.Err()
}

func (f *invoiceForm) lines(checks *fault.Checks) (lines []billing.LineInput, rows []int) {
	for i, l := range f.Lines {
		if !l.empty() {
			n := len(lines)
			lines = append(lines, l.line(checks, money.Currency(f.Currency), func(field string) string { return fmt.Sprintf("lines[%d].%s", n, field) }))
			rows = append(rows, i)
		}
	}
	return lines, rows
}

// quote computes the totals of the rows that can be read by now.
func (f *invoiceForm) quote() {
	var lines []billing.LineInput
	for _, l := range f.Lines {
		var checks fault.Checks
		line := l.line(&checks, money.Currency(f.Currency), func(field string) string { return field })
		if l.empty() || checks.Err() != nil {
			continue
		}
		if line.Description == "" {
			line.Description = "-" // what it is called costs nothing
		}
		lines = append(lines, line)
	}
	if totals, err := billing.Quote(money.Currency(f.Currency), lines); err == nil {
		f.Quote = &totals
	}
}

// total is a figure of the totals, a dash while they cannot be computed.
func (f *invoiceForm) total(of func(*billing.Totals) money.Minor) string {
	if f.Quote == nil {
		return "—"
	}
	return money.FormatNumber(of(f.Quote), money.Currency(f.Currency))
}

func productOptions(ctx context.Context, rows []db.Product) []component.Option {
	options := []component.Option{{Label: bt(ctx, "form.product.none")}}
	for _, p := range rows {
		options = append(options, component.Option{Value: p.ID.String(), Label: p.Name + " · " + unitPrice(ctx, p.Price, p.Currency)})
	}
	return options
}

// kindOptions are the kinds of what is sold, after what the empty one is called.
func kindOptions(ctx context.Context, empty string) []component.Option {
	options := []component.Option{{Label: empty}}
	for _, kind := range billing.Kinds {
		options = append(options, component.Option{Value: kind, Label: bt(ctx, "kind."+kind)})
	}
	return options
}
