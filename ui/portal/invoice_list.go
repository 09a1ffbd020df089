package portal

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/a-h/templ"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// statusOpen asks for everything still owed.
const statusOpen = "open"

// The tabs of the list: what billing.InvoiceQuery takes as status.
var invoiceTabs = []string{"", statusOpen, db.InvoiceOverdue, db.InvoicePaid, db.InvoiceCancelled}

// invoiceOrders are the orders of the list by their names in the address.
var invoiceOrders = []struct {
	Key   string
	Order db.InvoiceOrder
}{
	{"", db.InvoiceOrder{}}, {"vencimiento", db.InvoiceOrder{By: "due_date", Ascending: true}}, {"saldo", db.InvoiceOrder{By: "balance"}},
	{"total", db.InvoiceOrder{By: "total"}}, {"antiguas", db.InvoiceOrder{By: "issue_date", Ascending: true}},
}

// filterFields are the parts of the filter in the address, beside status and page.
var filterFields = []string{"buscar", "desde", "hasta", "vence-desde", "vence-hasta", "minimo", "maximo", "orden"}

type invoicesView struct {
	Client db.Client
	Today  date.Date
	Status string
	Query  url.Values // the filter as it was asked for
	Rows   []db.Invoice
	Sums   []db.InvoiceSums
	More   bool // too many to be summed
	Next   templ.SafeURL
	Errors map[string]string
}

// url is the address of the list, or of a file of it.
func (v invoicesView) url(path, status, after string) templ.SafeURL {
	query := url.Values{}
	for name := range v.Query {
		query.Set(name, v.Query.Get(name))
	}
	for name, value := range map[string]string{"estado": status, "despues": after} {
		if value != "" {
			query.Set(name, value)
		}
	}
	if len(query) == 0 {
		return at(v.Client.ID, path)
	}
	return at(v.Client.ID, path) + templ.SafeURL("?"+query.Encode())
}

func (v invoicesView) tabs(ctx context.Context) []component.Tab {
	tabs := make([]component.Tab, 0, len(invoiceTabs))
	for _, status := range invoiceTabs {
		key := status
		if key == "" {
			key = "all"
		}
		tabs = append(tabs, component.Tab{Label: t(ctx, "invoices.tab."+key), URL: v.url("facturas", status, ""), Current: status == v.Status})
	}
	return tabs
}

// filtered reports whether the fields that are folded away limit the list.
func (v invoicesView) filtered() bool {
	for _, name := range filterFields[1:] {
		if v.Query.Get(name) != "" {
			return true
		}
	}
	return false
}

func (v invoicesView) field(ctx context.Context, name, kind string) component.Field {
	field := component.Field{Name: name, Label: t(ctx, "invoices."+name), Type: kind, Value: v.Query.Get(name), Error: v.Errors[name]}
	if kind == "text" {
		field.Inputmode = "decimal"
	}
	return field
}

func (v invoicesView) orders(ctx context.Context) component.Field {
	field := component.Field{Name: "orden", Label: t(ctx, "invoices.orden"), Value: v.Query.Get("orden")}
	for _, o := range invoiceOrders {
		field.Options = append(field.Options, component.Option{Value: o.Key, Label: t(ctx, "invoices.order."+o.Key)})
	}
	return field
}

// months are the last twelve, the present one first, for the ZIP of a month.
func (v invoicesView) months(ctx context.Context) component.Field {
	field := component.Field{Name: "mes", Label: t(ctx, "invoices.month")}
	first := v.Today.Time().AddDate(0, 0, 1-v.Today.Time().Day())
	for n := range 12 {
		month := date.Date(first.AddDate(0, -n, 0).Format("2006-01-02"))
		_, label, _ := strings.Cut(month.Format(component.Lang(ctx)), " ") // without the day
		field.Options = append(field.Options, component.Option{Value: string(month)[:7], Label: label})
	}
	return field
}

// readInvoiceFilter reads the filter of an address.
func (p *Portal) readInvoiceFilter(r *http.Request) (invoicesView, billing.InvoiceQuery, error) {
	client, err := p.client(r)
	if err != nil {
		return invoicesView{}, billing.InvoiceQuery{}, err
	}
	q := r.URL.Query()
	view := invoicesView{Client: client, Today: p.today(client), Query: url.Values{}}
	for _, name := range filterFields {
		if text := strings.TrimSpace(q.Get(name)); text != "" {
			view.Query.Set(name, text)
		}
	}
	query := billing.InvoiceQuery{Client: client.ID, Search: view.Query.Get("buscar")}
	for _, status := range invoiceTabs {
		if status == q.Get("estado") {
			view.Status, query.Status = status, status
		}
	}
	for _, o := range invoiceOrders {
		if o.Key == view.Query.Get("orden") {
			query.Order = o.Order
		}
	}
	var checks fault.Checks
	for name, to := range map[string]*date.Date{"desde": &query.IssuedFrom, "hasta": &query.IssuedTo, "vence-desde": &query.DueFrom, "vence-hasta": &query.DueTo} {
		if text := view.Query.Get(name); text != "" {
			if *to, err = date.Parse(text); err != nil {
				checks.Add(name, "DATE_MALFORMED")
			}
		}
	}
	for name, to := range map[string]*money.Minor{"minimo": &query.MinTotal, "maximo": &query.MaxTotal} {
		if text := view.Query.Get(name); text != "" {
			if *to, err = money.ParseMinor(text, money.MXN); err != nil {
				checks.Add(name, "AMOUNT_INVALID")
			}
		}
	}
	if text := q.Get("mes"); text != "" {
		month, err := date.Parse(text + "-01")
		if err != nil {
			checks.Add("mes", "DATE_MALFORMED")
		} else {
			query.IssuedFrom, query.IssuedTo = month, date.Date(month.Time().AddDate(0, 1, -1).Format("2006-01-02"))
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

// Invoices lists the client's invoices, the newest first.
func (p *Portal) Invoices(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	view, query, err := p.readInvoiceFilter(r)
	var list db.List[db.Invoice]
	if err == nil {
		list, err = p.Billing.Invoices(ctx, query, db.Page{First: 25, After: r.URL.Query().Get("despues")})
	}
	if err == nil {
		view.Sums, view.More, err = p.Billing.InvoiceSums(ctx, query)
	}
	status := http.StatusOK
	if f, ok := fault.As(err); ok && f.Kind == fault.Invalid && view.Client.ID != 0 {
		status, view.Errors = http.StatusUnprocessableEntity, map[string]string{}
		for _, field := range f.Fields {
			if field.Path == "after" {
				return err
			}
			name := field.Path
			if renamed := filterPaths[name]; renamed != "" {
				name = renamed
			}
			view.Errors[name] = locale.Error(component.Lang(ctx), field.Code, field.Args)
		}
	} else if err != nil {
		return err
	}
	view.Rows = list.Rows
	if next := list.Next(); next != "" {
		view.Next = view.url("facturas", view.Status, next)
	}
	return p.show(w, r, status, view.Client, sectionInvoices, t(ctx, "invoices.title"), invoicesPage(view))
}

// InvoicesFile answers with the list as CSV.
func (p *Portal) InvoicesFile(w http.ResponseWriter, r *http.Request) error {
	view, query, err := p.readInvoiceFilter(r)
	if err != nil {
		return err
	}
	return layout.Stream(w, t(r.Context(), "invoices.file")+"-"+string(view.Today)+".csv", "text/csv; charset=utf-8", func(out io.Writer) error {
		return p.Billing.ExportInvoices(r.Context(), query, out)
	})
}

// InvoicesZIP answers with the PDF files of a month, of the ticked rows, or of the whole list.
func (p *Portal) InvoicesZIP(w http.ResponseWriter, r *http.Request) error {
	view, query, err := p.readInvoiceFilter(r)
	if err != nil {
		return err
	}
	name := string(view.Today)
	if query.IssuedFrom != "" && r.URL.Query().Get("mes") != "" {
		name = string(query.IssuedFrom)[:7]
	}
	return layout.Stream(w, t(r.Context(), "invoices.file")+"-"+name+".zip", "application/zip", func(out io.Writer) error {
		return p.Billing.WriteZIP(r.Context(), query, out, access.From(r.Context()).Address)
	})
}
