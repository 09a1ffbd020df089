package console

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// Rows of the form: shown at first, and at most.
const (
	firstLines = 5
	maxLines   = 50
)

// issueForm is the form of a new invoice as it was sent.
type issueForm struct {
	Client     db.Client
	Today      date.Date
	Currency   string
	IssueDate  string
	DueDate    string
	Notes      string
	RequestKey string
	Lines      []lineForm
	Errors     fieldErrors
}

type lineForm struct{ Description, Quantity, UnitPrice, Discount, Treatment string }

func (l lineForm) empty() bool { return l.Description == "" && l.UnitPrice == "" && l.Discount == "" }

var treatments = []billing.TaxTreatment{billing.IVA16, billing.IVA8, billing.IVA0, billing.Exento, billing.NoObjeto}

func (c *Console) newInvoice(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	client, err := c.client(ctx, r.PathValue("id"))
	if err != nil {
		return err
	}
	today := date.Today(c.Now(), client.Timezone)
	form := issueForm{Client: client, Today: today, Currency: string(money.MXN), IssueDate: string(today), DueDate: string(today.AddDays(15)), RequestKey: rand.Text()}
	form.addLines(firstLines)
	return c.show(w, r, http.StatusOK, t(ctx, "issue.title"), issuePage(form))
}

// issueInvoice issues the invoice. Without JavaScript the same form asks for more rows.
func (c *Console) issueInvoice(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	client, err := c.client(ctx, r.PathValue("id"))
	if err != nil {
		return err
	}
	form := issueForm{Client: client, Today: date.Today(c.Now(), client.Timezone), Currency: r.PostFormValue("currency"),
		IssueDate: r.PostFormValue("issueDate"), DueDate: r.PostFormValue("dueDate"), Notes: r.PostFormValue("notes"), RequestKey: r.PostFormValue("requestKey")}
	form.readLines(r)
	if form.changeRows(r.PostFormValue("agregar"), r.PostFormValue("quitar")) {
		return c.show(w, r, http.StatusOK, t(ctx, "issue.title"), issuePage(form))
	}
	in, rows, err := form.input()
	var invoice db.Invoice
	if err == nil {
		invoice, err = c.Billing.IssueInvoice(ctx, in)
	}
	if e, ok := fault.As(err); ok && e.Kind == fault.Invalid {
		form.Errors, _ = invalid(ctx, inRows(e, rows))
		form.addLines(firstLines)
		return c.show(w, r, http.StatusUnprocessableEntity, t(ctx, "issue.title"), issuePage(form))
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "console.flash.issued")
	return layout.Redirect(w, r, invoicePath(invoice.ID))
}

// readLines reads the columns of the form; the n-th value of each column is of the n-th row.
func (f *issueForm) readLines(r *http.Request) {
	column := func(name string, i int) string {
		if values := r.PostForm[name]; i < len(values) {
			return values[i]
		}
		return ""
	}
	for i := range min(len(r.PostForm["description"]), maxLines) {
		f.Lines = append(f.Lines, lineForm{Description: column("description", i), Quantity: column("quantity", i), UnitPrice: column("unitPrice", i),
			Discount: column("discount", i), Treatment: column("treatment", i)})
	}
}

// changeRows adds or removes a row when one of the buttons for it was pressed.
func (f *issueForm) changeRows(add, remove string) bool {
	i, err := strconv.Atoi(remove)
	switch {
	case add != "":
		f.addLines(len(f.Lines) + 1)
	case err == nil && i >= 0 && i < len(f.Lines):
		f.Lines = slices.Delete(f.Lines, i, i+1)
		f.addLines(1)
	default:
		return remove != ""
	}
	return true
}

// lineError is what is wrong with a field of a row.
func (f *issueForm) lineError(row int, field string) string {
	return f.Errors[fmt.Sprintf("lines[%d].%s", row, field)]
}

var linePath = regexp.MustCompile(`^lines\[(\d+)\]`)

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
func (f *issueForm) addLines(n int) {
	for len(f.Lines) < min(n, maxLines) {
		f.Lines = append(f.Lines, lineForm{Quantity: "1", Treatment: string(billing.IVA16)})
	}
}

// input reads the form into the verb's input. rows tells for each of its lines the row of the form,
// because empty rows are left out.
func (f *issueForm) input() (in billing.IssueInput, rows []int, err error) {
	in = billing.IssueInput{ClientID: f.Client.ID, Currency: money.Currency(f.Currency), Notes: f.Notes, RequestKey: f.RequestKey}
	var checks fault.Checks
	readDate := func(path, text string, to *date.Date) {
		if text == "" {
			return
		}
		if *to, err = date.Parse(text); err != nil {
			checks.Add(path, "DATE_MALFORMED")
		}
	}
	readDate("issueDate", f.IssueDate, &in.IssueDate)
	readDate("dueDate", f.DueDate, &in.DueDate)
	if f.DueDate == "" {
		checks.Add("dueDate", "REQUIRED")
	}
	for i, l := range f.Lines {
		if l.empty() {
			continue
		}
		path := func(field string) string { return fmt.Sprintf("lines[%d].%s", len(in.Lines), field) }
		line := billing.LineInput{Description: l.Description, Treatment: billing.TaxTreatment(l.Treatment)}
		if line.Quantity, err = money.Parse(l.Quantity); err != nil {
			checks.Add(path("quantity"), "QUANTITY_INVALID")
		}
		price, err := money.ParseMinor(l.UnitPrice, in.Currency)
		if err == nil {
			line.UnitPrice, err = price.Decimal(in.Currency)
		}
		if err != nil {
			checks.Add(path("unitPrice"), amountCode(err))
		}
		if l.Discount != "" {
			if line.Discount, err = money.ParseMinor(l.Discount, in.Currency); err != nil {
				checks.Add(path("discount"), amountCode(err))
			}
		}
		in.Lines, rows = append(in.Lines, line), append(rows, i)
	}
	return in, rows, checks.Err()
}
