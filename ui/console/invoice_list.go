package console

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// invoiceFilters are the states that the list can be filtered by, in the order of the page.
var invoiceFilters = []struct{ Key, Status string }{
	{"", ""}, {"borradores", db.InvoiceDraft}, {"por-cobrar", "open"}, {"vencidas", db.InvoiceOverdue}, {"pagadas", db.InvoicePaid},
	{"canceladas", db.InvoiceCancelled}, {"incobrables", db.InvoiceWrittenOff},
}

// invoiceOrders are the orders of the list by their names in the address.
var invoiceOrders = []struct {
	Key   string
	Order db.InvoiceOrder
}{
	{"", db.InvoiceOrder{}}, {"vencimiento", db.InvoiceOrder{By: "due_date", Ascending: true}}, {"saldo", db.InvoiceOrder{By: "balance"}},
	{"total", db.InvoiceOrder{By: "total"}}, {"numero", db.InvoiceOrder{By: "folio"}}, {"antiguas", db.InvoiceOrder{By: "issue_date", Ascending: true}},
}

// filterFields are the parts of the filter in the address, beside status and order.
var filterFields = []string{"buscar", "cliente", "desde", "hasta", "vence-desde", "vence-hasta", "minimo", "maximo", "moneda", "orden"}

type invoicesView struct {
	Filter string     // key of a state
	Query  url.Values // the filter as it was asked for, without state and page
	Client *db.Client
	Today  date.Date
	Rows   []db.Invoice
	Sums   []db.InvoiceSums
	More   bool // too many to be summed
	Next   string
	Errors fieldErrors
}

// at is the address of the list, or of a file of it, with another state.
func (v invoicesView) at(path, filter, after string) string {
	q := url.Values{}
	for name := range v.Query {
		set(q, name, v.Query.Get(name))
	}
	set(q, "estado", filter)
	set(q, "despues", after)
	return withQuery(path, q)
}

func (v invoicesView) tabs(ctx context.Context) []component.Tab {
	var tabs []component.Tab
	for _, f := range invoiceFilters {
		tabs = append(tabs, tab(bt(ctx, "list.filter."+f.Key), v.at("/consola/facturas", f.Key, ""), f.Key == v.Filter))
	}
	return tabs
}

// filtered reports whether the fields that are folded away limit the list.
func (v invoicesView) filtered() bool {
	for _, name := range filterFields[2:] {
		if v.Query.Get(name) != "" {
			return true
		}
	}
	return false
}

func (v invoicesView) field(ctx context.Context, name, kind string) component.Field {
	field := component.Field{Name: name, Label: bt(ctx, "list."+name), Type: kind, Value: v.Query.Get(name), Error: v.Errors[name]}
	if kind == "text" {
		field.Inputmode = "decimal"
	}
	return field
}

func (v invoicesView) orders(ctx context.Context) []component.Option {
	var options []component.Option
	for _, o := range invoiceOrders {
		options = append(options, component.Option{Value: o.Key, Label: bt(ctx, "list.order."+o.Key)})
	}
	return options
}

func anyCurrency(ctx context.Context) []component.Option {
	return append([]component.Option{{Label: bt(ctx, "list.any")}}, currencyOptions()...)
}

// readInvoiceFilter reads the filter of an address.
func (c *Console) readInvoiceFilter(r *http.Request) (invoicesView, billing.InvoiceQuery, error) {
	ctx, q := r.Context(), r.URL.Query()
	view := invoicesView{Query: url.Values{}, Today: c.Billing.Today()}
	for _, name := range filterFields {
		set(view.Query, name, strings.TrimSpace(q.Get(name)))
	}
	get := view.Query.Get
	query := billing.InvoiceQuery{Search: get("buscar"), Currency: money.Currency(get("moneda"))}
	for _, f := range invoiceFilters {
		if f.Key == q.Get("estado") {
			view.Filter, query.Status = f.Key, f.Status
		}
	}
	for _, o := range invoiceOrders {
		if o.Key == get("orden") {
			query.Order = o.Order
		}
	}
	if text := get("cliente"); text != "" {
		client, err := c.client(ctx, text)
		if err != nil {
			return view, query, err
		}
		view.Client, query.Client = &client, client.ID
	}
	var checks fault.Checks
	for name, to := range map[string]*date.Date{"desde": &query.IssuedFrom, "hasta": &query.IssuedTo, "vence-desde": &query.DueFrom, "vence-hasta": &query.DueTo} {
		*to = readDay(&checks, name, get(name))
	}
	for name, to := range map[string]*money.Minor{"minimo": &query.MinTotal, "maximo": &query.MaxTotal} {
		if text := get(name); text != "" {
			amount, err := money.ParseMinor(text, money.MXN)
			if err != nil {
				checks.Add(name, amountCode(err))
			}
			*to = amount
		}
	}
	for _, text := range q["id"] {
		key, err := id.ParseInvoice(text)
		if err != nil {
			return view, query, fault.Missing()
		}
		query.IDs = append(query.IDs, key)
	}
	return view, query, checks.Err()
}

// filterPaths maps the verb's names of wrong fields to the page's.
var filterPaths = map[string]string{"issuedTo": "hasta", "dueTo": "vence-hasta"}

func (c *Console) invoices(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	view, query, err := c.readInvoiceFilter(r)
	var list db.List[db.Invoice]
	if err == nil {
		list, err = c.Billing.Invoices(ctx, query, db.Page{First: pageSize, After: r.URL.Query().Get("despues")})
	}
	if err == nil {
		view.Sums, view.More, err = c.Billing.InvoiceSums(ctx, query)
	}
	status := http.StatusOK
	if errs, ok := invalid(ctx, err); ok && errs["after"] == "" {
		status, view.Errors = http.StatusUnprocessableEntity, errs
		for path, name := range filterPaths {
			if errs[path] != "" {
				errs[name] = errs[path]
			}
		}
	} else if err != nil {
		return err
	}
	view.Rows = list.Rows
	if next := list.Next(); next != "" {
		view.Next = view.at("/consola/facturas", view.Filter, next)
	}
	return c.show(w, r, status, t(ctx, "invoices.title"), invoicesPage(view))
}

// exportInvoices answers with the list as CSV, the ticked rows alone where there are any.
func (c *Console) exportInvoices(w http.ResponseWriter, r *http.Request) error {
	_, query, err := c.readInvoiceFilter(r)
	if err != nil {
		return err
	}
	return layout.Stream(w, bt(r.Context(), "list.file")+"-"+string(c.Billing.Today())+".csv", "text/csv; charset=utf-8", func(out io.Writer) error {
		return c.Billing.ExportInvoices(r.Context(), query, out)
	})
}

// zipInvoices answers with the PDF files of the list, of the ticked rows alone where there are any.
func (c *Console) zipInvoices(w http.ResponseWriter, r *http.Request) error {
	_, query, err := c.readInvoiceFilter(r)
	if err != nil {
		return err
	}
	return layout.Stream(w, bt(r.Context(), "list.file")+"-"+string(c.Billing.Today())+".zip", "application/zip", func(out io.Writer) error {
		return c.Billing.WriteZIP(r.Context(), query, out, access.From(r.Context()).Address)
	})
}

// issueDrafts issues the ticked drafts, all of them or none.
func (c *Console) issueDrafts(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	var ids []id.Invoice
	for _, text := range r.PostForm["id"] {
		key, err := id.ParseInvoice(text)
		if err != nil {
			return fault.Missing()
		}
		ids = append(ids, key)
	}
	if _, err := c.Billing.IssueDrafts(ctx, ids); err != nil {
		return err
	}
	layout.Flash(w, r, "billing.flash.issued_all")
	return layout.Redirect(w, r, "/consola/facturas?estado=por-cobrar")
}
