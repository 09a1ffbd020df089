package portal

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

func (p *Portal) statementRoutes() []layout.Route {
	return []layout.Route{
		{Method: "GET", Path: "/clientes/{client}/facturas.csv", Who: layout.Logins, Handle: p.InvoicesFile},
		{Method: "GET", Path: "/clientes/{client}/facturas.zip", Who: layout.Logins, Handle: p.InvoicesZIP},
		{Method: "GET", Path: "/clientes/{client}/estado-de-cuenta", Who: layout.Logins, Handle: p.Statement},
		{Method: "GET", Path: "/clientes/{client}/estado-de-cuenta.csv", Who: layout.Logins, Handle: p.StatementFile},
		{Method: "GET", Path: "/clientes/{client}/estado-de-cuenta.pdf", Who: layout.Logins, Handle: p.StatementPDF},
		{Method: "GET", Path: "/clientes/{client}/pagos", Who: layout.Logins, Handle: p.Payments},
		{Method: "GET", Path: "/clientes/{client}/notas-de-credito/{note}", Who: layout.Logins, Handle: p.CreditNotePDF},
	}
}

type statementView struct {
	billing.Statement
	Client  db.Client // of the path, also where the filter is wrong
	Query   url.Values
	Credits []db.Credit
	Errors  map[string]string
}

var statementFields = []string{"desde", "hasta", "moneda"}

func (v statementView) url(path string) templ.SafeURL {
	if len(v.Query) == 0 {
		return at(v.Client.ID, path)
	}
	return at(v.Client.ID, path) + templ.SafeURL("?"+v.Query.Encode())
}

// value is what a field of the filter shows: what was asked for, or what the statement covers.
func (v statementView) value(name string, covered date.Date) string {
	if v.Query.Has(name) {
		return v.Query.Get(name)
	}
	return string(covered)
}

func (v statementView) currencies() []component.Option {
	var options []component.Option
	for _, currency := range money.Currencies() {
		options = append(options, component.Option{Value: string(currency), Label: string(currency)})
	}
	return options
}

// accountTabs are the two ways to look at the account.
func accountTabs(ctx context.Context, client id.Client, current string) []component.Tab {
	var tabs []component.Tab
	for _, page := range []string{"estado-de-cuenta", "pagos"} {
		tabs = append(tabs, component.Tab{Label: t(ctx, "statement.tab."+page), URL: at(client, page), Current: page == current})
	}
	return tabs
}

func (p *Portal) readStatement(r *http.Request) (statementView, billing.StatementQuery, error) {
	client, err := p.client(r)
	if err != nil {
		return statementView{}, billing.StatementQuery{}, err
	}
	view := statementView{Client: client, Query: url.Values{}}
	for _, name := range statementFields {
		if text := strings.TrimSpace(r.URL.Query().Get(name)); text != "" {
			view.Query.Set(name, text)
		}
	}
	query := billing.StatementQuery{ClientID: client.ID, Currency: money.Currency(view.Query.Get("moneda"))}
	var checks fault.Checks
	for name, to := range map[string]*date.Date{"desde": &query.From, "hasta": &query.To} {
		if text := view.Query.Get(name); text != "" {
			if *to, err = date.Parse(text); err != nil {
				checks.Add(name, "DATE_MALFORMED")
			}
		}
	}
	return view, query, checks.Err()
}

// Statement shows the client's account: what was charged, what was paid and what is owed after each.
func (p *Portal) Statement(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	view, query, err := p.readStatement(r)
	if err == nil {
		view.Statement, err = p.Billing.Statement(ctx, query)
	}
	status := http.StatusOK
	if f, ok := fault.As(err); ok && f.Kind == fault.Invalid && view.Client.ID != 0 {
		status, view.Errors = http.StatusUnprocessableEntity, map[string]string{}
		names := map[string]string{"to": "hasta", "currency": "moneda"}
		for _, field := range f.Fields {
			name := field.Path
			if renamed := names[name]; renamed != "" {
				name = renamed
			}
			view.Errors[name] = locale.Error(component.Lang(ctx), field.Code, field.Args)
		}
	} else if err != nil {
		return err
	}
	if view.Credits, err = p.Billing.Credits(ctx, view.Client.ID); err != nil {
		return err
	}
	return p.show(w, r, status, view.Client, sectionStatement, t(ctx, "statement.title"), statementPage(view))
}

// StatementFile answers with the statement as CSV, whatever its length.
func (p *Portal) StatementFile(w http.ResponseWriter, r *http.Request) error {
	view, query, err := p.readStatement(r)
	if err != nil {
		return err
	}
	return layout.Stream(w, t(r.Context(), "statement.file")+"-"+string(p.today(view.Client))+".csv", "text/csv; charset=utf-8", func(out io.Writer) error {
		return p.Billing.ExportStatement(r.Context(), query, component.Lang(r.Context()), out)
	})
}

// StatementPDF answers with the statement to be printed.
func (p *Portal) StatementPDF(w http.ResponseWriter, r *http.Request) error {
	_, query, err := p.readStatement(r)
	if err != nil {
		return err
	}
	file, err := p.Billing.OpenStatementPDF(r.Context(), query)
	if err != nil {
		return err
	}
	return layout.Stream(w, file.Name, "application/pdf", sendFile(w, file))
}

// CreditNotePDF answers with a credit note of the client.
func (p *Portal) CreditNotePDF(w http.ResponseWriter, r *http.Request) error {
	client, err := p.client(r)
	if err != nil {
		return err
	}
	noteID, err := id.ParseCreditNote(r.PathValue("note"))
	if err != nil {
		return fault.Missing()
	}
	note, err := p.Billing.CreditNote(r.Context(), noteID)
	if err == nil && note.ClientID != client.ID {
		err = fault.Missing()
	}
	if err != nil {
		return err
	}
	file, err := p.Billing.OpenCreditNotePDF(r.Context(), noteID)
	if err != nil {
		return err
	}
	return layout.Stream(w, file.Name, "application/pdf", sendFile(w, file))
}

func sendFile(w http.ResponseWriter, file billing.Download) func(io.Writer) error {
	return func(out io.Writer) error {
		defer func() { _ = file.Close() }()
		w.Header().Set("Content-Length", strconv.FormatInt(file.Size, 10))
		_, err := io.Copy(out, file)
		return err
	}
}

type paymentRow struct {
	db.Payment
	Parts []db.PaymentAllocation
}

type paymentsView struct {
	Client  db.Client
	Rows    []paymentRow
	Credits []db.Credit
	Next    templ.SafeURL
}

// Payments lists what was received from the client, and which invoices it settled.
func (p *Portal) Payments(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	client, err := p.client(r)
	if err != nil {
		return err
	}
	list, err := p.Billing.ClientPayments(ctx, client.ID, db.Page{First: 25, After: r.URL.Query().Get("despues")})
	if err != nil {
		return err
	}
	ids := make([]id.Payment, len(list.Rows))
	for i, row := range list.Rows {
		ids[i] = row.ID
	}
	parts, err := p.Billing.PaymentAllocations(ctx, ids)
	if err != nil {
		return err
	}
	view := paymentsView{Client: client}
	for _, row := range list.Rows {
		view.Rows = append(view.Rows, paymentRow{row, parts[row.ID]})
	}
	if view.Credits, err = p.Billing.Credits(ctx, client.ID); err != nil {
		return err
	}
	if next := list.Next(); next != "" {
		view.Next = at(client.ID, "pagos") + templ.SafeURL("?"+url.Values{"despues": {next}}.Encode())
	}
	return p.show(w, r, http.StatusOK, client, sectionStatement, t(ctx, "payments.title"), paymentsPage(view))
}

// downloadRow is an entry of the download log with who it was.
type downloadRow struct {
	db.InvoiceDownload
	Who string
}

// downloads is the download log of an invoice, for the owner.
func (p *Portal) downloads(ctx context.Context, client db.Client, invoice id.Invoice) ([]downloadRow, error) {
	log, err := p.Billing.Downloads(ctx, invoice)
	if err != nil || len(log) == 0 {
		return nil, err
	}
	contacts, err := p.Account.Contacts(ctx, client.ID, db.Page{First: db.MaxPage})
	if err != nil {
		return nil, err
	}
	ids := make([]id.Contact, len(contacts.Rows))
	for i, row := range contacts.Rows {
		ids[i] = row.ID
	}
	accesses, err := p.Account.AccessByContact(ctx, ids)
	if err != nil {
		return nil, err
	}
	names := map[id.Login]string{}
	for contact, a := range accesses {
		i := slices.IndexFunc(contacts.Rows, func(row db.Contact) bool { return row.ID == contact })
		names[a.LoginID] = contacts.Rows[i].Name()
	}
	rows := make([]downloadRow, 0, len(log))
	for _, entry := range log {
		who := t(ctx, "downloads.staff")
		switch {
		case entry.StaffID == 0 && entry.LoginID == 0:
			who = t(ctx, "downloads.link")
		case entry.LoginID != 0:
			if who = names[entry.LoginID]; who == "" { // the owner has no contact
				who = t(ctx, "downloads.owner")
			}
		}
		rows = append(rows, downloadRow{entry, who})
	}
	return rows, nil
}
