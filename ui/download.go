package ui

import (
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// downloadRoutes are the files that programs ask for with a bearer token, named as in the API. What a caller reaches is
// decided by the services.
func (p pages) downloadRoutes() []layout.Route {
	return []layout.Route{
		{Method: "GET", Path: "/descargas/facturas.csv", Who: layout.SignedIn, Handle: p.invoiceTable},
		{Method: "GET", Path: "/descargas/facturas.zip", Who: layout.SignedIn, Handle: p.invoiceArchive},
		{Method: "GET", Path: "/descargas/facturas/{file}", Who: layout.SignedIn, Handle: p.invoicePDF},
		{Method: "GET", Path: "/descargas/notas-de-credito/{file}", Who: layout.SignedIn, Handle: p.creditNotePDF},
		{Method: "GET", Path: "/descargas/estados-de-cuenta/{file}", Who: layout.SignedIn, Handle: p.statementFile},
	}
}

// PDFPath is where the PDF of an invoice is downloaded.
func PDFPath(invoice id.Invoice) string { return "/descargas/facturas/" + invoice.String() + ".pdf" }

// CreditNotePath is where the PDF of a credit note is downloaded.
func CreditNotePath(note id.CreditNote) string {
	return "/descargas/notas-de-credito/" + note.String() + ".pdf"
}

// invoicePDF streams the PDF of an invoice to whoever may see the invoice.
func (p pages) invoicePDF(w http.ResponseWriter, r *http.Request) error {
	name, ok := strings.CutSuffix(r.PathValue("file"), ".pdf")
	invoice, err := id.ParseInvoice(name)
	if !ok || err != nil {
		return fault.Missing()
	}
	file, err := p.Billing.OpenInvoicePDF(r.Context(), invoice, access.From(r.Context()).Address)
	if err != nil {
		return err
	}
	return sendPDF(w, file)
}

// creditNotePDF answers with a credit note to whoever may see it.
func (p pages) creditNotePDF(w http.ResponseWriter, r *http.Request) error {
	name, ok := strings.CutSuffix(r.PathValue("file"), ".pdf")
	note, err := id.ParseCreditNote(name)
	if !ok || err != nil {
		return fault.Missing()
	}
	file, err := p.Billing.OpenCreditNotePDF(r.Context(), note)
	if err != nil {
		return err
	}
	return sendPDF(w, file)
}

// statementFile answers with the statement of a client, cli_1.pdf or cli_1.csv.
func (p pages) statementFile(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	name, kind, _ := strings.Cut(r.PathValue("file"), ".")
	client, err := id.ParseClient(name)
	if err != nil || kind != "pdf" && kind != "csv" {
		return fault.Missing()
	}
	var checks fault.Checks
	q := r.URL.Query()
	query := billing.StatementQuery{ClientID: client, Currency: money.Currency(q.Get("currency")), From: dayParameter(&checks, q, "from"), To: dayParameter(&checks, q, "to")}
	if err := checks.Err(); err != nil {
		return err
	}
	if kind == "csv" {
		return layout.Stream(w, name+".csv", "text/csv; charset=utf-8", func(out io.Writer) error {
			return p.Billing.ExportStatement(ctx, query, component.Lang(ctx), out)
		})
	}
	file, err := p.Billing.OpenStatementPDF(ctx, query)
	if err != nil {
		return err
	}
	return sendPDF(w, file)
}

// invoiceTable answers with a list of invoices as CSV.
func (p pages) invoiceTable(w http.ResponseWriter, r *http.Request) error {
	query, err := invoiceQuery(r.URL.Query())
	if err != nil {
		return err
	}
	return layout.Stream(w, "invoices.csv", "text/csv; charset=utf-8", func(out io.Writer) error {
		return p.Billing.ExportInvoices(r.Context(), query, out)
	})
}

// invoiceArchive answers with the PDF files of a list of invoices as a ZIP.
func (p pages) invoiceArchive(w http.ResponseWriter, r *http.Request) error {
	query, err := invoiceQuery(r.URL.Query())
	if err != nil {
		return err
	}
	return layout.Stream(w, "invoices.zip", "application/zip", func(out io.Writer) error {
		return p.Billing.WriteZIP(r.Context(), query, out, access.From(r.Context()).Address)
	})
}

// invoiceQuery reads which invoices an address asks for: the arguments of the API's invoices, and id as often as needed.
func invoiceQuery(q url.Values) (billing.InvoiceQuery, error) {
	query := billing.InvoiceQuery{Status: strings.ToLower(q.Get("status")), Currency: money.Currency(q.Get("currency")), Search: q.Get("search")}
	var checks fault.Checks
	var err error
	if text := q.Get("client"); text != "" {
		if query.Client, err = id.ParseClient(text); err != nil {
			return query, fault.Missing()
		}
	}
	for _, text := range q["id"] {
		invoice, err := id.ParseInvoice(text)
		if err != nil {
			return query, fault.Missing()
		}
		query.IDs = append(query.IDs, invoice)
	}
	for name, to := range map[string]*date.Date{"issuedFrom": &query.IssuedFrom, "issuedTo": &query.IssuedTo, "dueFrom": &query.DueFrom, "dueTo": &query.DueTo} {
		*to = dayParameter(&checks, q, name)
	}
	for name, to := range map[string]*money.Minor{"minTotal": &query.MinTotal, "maxTotal": &query.MaxTotal} {
		if text := q.Get(name); text != "" {
			if *to, err = money.ParseMinor(text, money.MXN); err != nil { // every currency has two decimals
				checks.Add(name, "NUMBER_MALFORMED")
			}
		}
	}
	return query, checks.Err()
}

func dayParameter(checks *fault.Checks, q url.Values, name string) date.Date {
	text := q.Get(name)
	if text == "" {
		return ""
	}
	day, err := date.Parse(text)
	if err != nil {
		checks.Add(name, "DATE_MALFORMED")
	}
	return day
}
