package console

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"slices"
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

func (c *Console) paymentTable() []layout.Route {
	return []layout.Route{
		{Method: "GET", Path: "/consola/pagos", Who: layout.Staff, Handle: c.payments},
		{Method: "GET", Path: "/consola/pagos/{id}", Who: layout.Staff, Handle: c.paymentPage},
		{Method: "POST", Path: "/consola/pagos/{id}/anular", Who: layout.Staff, Handle: c.voidPayment},
		{Method: "GET", Path: "/consola/pagos/{id}/anular", Who: layout.Staff, Handle: toParent},
		{Method: "GET", Path: "/consola/clientes/{id}/pagos/nuevo", Who: layout.Staff, Handle: c.newPayment},
		{Method: "POST", Path: "/consola/clientes/{id}/pagos/nuevo", Who: layout.Staff, Handle: c.receivePayment},
		{Method: "GET", Path: "/consola/clientes/{id}/reembolso", Who: layout.Staff, Handle: c.newRefund},
		{Method: "POST", Path: "/consola/clientes/{id}/reembolso", Who: layout.Staff, Handle: c.recordRefund},
	}
}

func paymentPath(payment id.Payment) string { return "/consola/pagos/" + payment.String() }

var paymentFields = []string{"buscar", "cliente", "metodo", "desde", "hasta", "minimo", "maximo"}

// paymentRow is a payment with its client.
type paymentRow struct {
	db.Payment
	Client db.Client
}

type paymentsView struct {
	Filter string // "" or "anulados"
	Query  url.Values
	Rows   []paymentRow
	Sums   []db.PaymentSums
	More   bool  // too many to be summed
	Review int64 // what the gateway told and nobody could book
	Next   string
	Errors fieldErrors
}

func (v paymentsView) at(filter, after string) string {
	q := url.Values{}
	for name := range v.Query {
		set(q, name, v.Query.Get(name))
	}
	set(q, "estado", filter)
	set(q, "despues", after)
	return withQuery("/consola/pagos", q)
}

func (v paymentsView) tabs(ctx context.Context) []component.Tab {
	var tabs []component.Tab
	for _, key := range []string{"", "anulados"} {
		tabs = append(tabs, tab(bt(ctx, "payments.filter."+key), v.at(key, ""), key == v.Filter))
	}
	return tabs
}

func (v paymentsView) field(ctx context.Context, name, kind string) component.Field {
	field := component.Field{Name: name, Label: bt(ctx, "payments."+name), Type: kind, Value: v.Query.Get(name), Error: v.Errors[name]}
	if kind == "text" {
		field.Inputmode = "decimal"
	}
	return field
}

func anyMethod(ctx context.Context) []component.Option {
	return append([]component.Option{{Label: bt(ctx, "list.any")}}, methodOptions(ctx)...)
}

func (c *Console) payments(w http.ResponseWriter, r *http.Request) error {
	ctx, q := r.Context(), r.URL.Query()
	view := paymentsView{Query: url.Values{}}
	for _, name := range paymentFields {
		set(view.Query, name, strings.TrimSpace(q.Get(name)))
	}
	voided := q.Get("estado") == "anulados"
	query := billing.PaymentQuery{Search: view.Query.Get("buscar"), Method: view.Query.Get("metodo")}
	if voided {
		view.Filter, query.Voided = "anulados", &voided
	}
	if text := view.Query.Get("cliente"); text != "" {
		client, err := c.client(ctx, text)
		if err != nil {
			return err
		}
		query.Client = client.ID
	}
	var checks fault.Checks
	query.From, query.To = readDay(&checks, "desde", view.Query.Get("desde")), readDay(&checks, "hasta", view.Query.Get("hasta"))
	for name, to := range map[string]*money.Minor{"minimo": &query.MinAmount, "maximo": &query.MaxAmount} {
		if text := view.Query.Get(name); text != "" {
			amount, err := money.ParseMinor(text, money.MXN)
			if err != nil {
				checks.Add(name, amountCode(err))
			}
			*to = amount
		}
	}
	err := checks.Err()
	var list db.List[db.Payment]
	if err == nil {
		list, err = c.Billing.PaymentList(ctx, query, db.Page{First: pageSize, After: q.Get("despues")})
	}
	if err == nil {
		view.Sums, view.More, err = c.Billing.PaymentSums(ctx, query)
	}
	if err == nil {
		view.Review, err = c.Billing.UndecidedEvents(ctx)
	}
	status := http.StatusOK
	if errs, ok := invalid(ctx, err); ok && errs["after"] == "" {
		status, view.Errors = http.StatusUnprocessableEntity, errs
		if errs["to"] != "" {
			errs["hasta"] = errs["to"]
		}
	} else if err != nil {
		return err
	}
	if view.Rows, err = c.withClients(ctx, list.Rows); err != nil {
		return err
	}
	if next := list.Next(); next != "" {
		view.Next = view.at(view.Filter, next)
	}
	return c.show(w, r, status, t(ctx, "payments.title"), paymentsPage(view))
}

// withClients adds the clients of payments with one query.
func (c *Console) withClients(ctx context.Context, payments []db.Payment) ([]paymentRow, error) {
	ids := make([]id.Client, len(payments))
	for i, p := range payments {
		ids[i] = p.ClientID
	}
	clients, err := c.Account.ClientsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	known := byKey(clients, func(row db.Client) id.Client { return row.ID })
	rows := make([]paymentRow, len(payments))
	for i, p := range payments {
		rows[i] = paymentRow{p, known[p.ClientID]}
	}
	return rows, nil
}

// paymentPart is what a payment gives to one invoice; without invoice it is the client's credit.
type paymentPart struct {
	Invoice *db.Invoice
	Amount  money.Minor
}

type paymentView struct {
	Payment db.Payment
	Client  db.Client
	Parts   []paymentPart
	Reason  string
	Errors  fieldErrors
}

func (c *Console) payment(r *http.Request) (db.Payment, error) {
	key, err := id.ParsePayment(r.PathValue("id"))
	if err != nil {
		return db.Payment{}, fault.Missing()
	}
	return c.Billing.Payment(r.Context(), key)
}

func (c *Console) paymentPage(w http.ResponseWriter, r *http.Request) error {
	row, err := c.payment(r)
	if err != nil {
		return err
	}
	return c.showPayment(w, r, http.StatusOK, paymentView{Payment: row})
}

func (c *Console) showPayment(w http.ResponseWriter, r *http.Request, status int, view paymentView) error {
	ctx := r.Context()
	var err error
	if view.Client, err = c.Account.Client(ctx, view.Payment.ClientID); err != nil {
		return err
	}
	allocations, err := c.Billing.PaymentAllocations(ctx, []id.Payment{view.Payment.ID})
	if err != nil {
		return err
	}
	parts, ids := allocations[view.Payment.ID], []id.Invoice{}
	for _, part := range parts {
		if part.InvoiceID != 0 {
			ids = append(ids, part.InvoiceID)
		}
	}
	invoices, err := c.Billing.InvoicesByID(ctx, ids)
	if err != nil {
		return err
	}
	known := byKey(invoices, func(row db.Invoice) id.Invoice { return row.ID })
	for _, part := range parts {
		out := paymentPart{Amount: part.Amount}
		if row, ok := known[part.InvoiceID]; ok {
			out.Invoice = &row
		}
		view.Parts = append(view.Parts, out)
	}
	return c.show(w, r, status, bt(ctx, "payment.title"), paymentPageView(view))
}

func (c *Console) voidPayment(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	row, err := c.payment(r)
	if err != nil {
		return err
	}
	view := paymentView{Payment: row, Reason: r.PostFormValue("reason")}
	_, err = c.Billing.VoidPayment(ctx, billing.VoidInput{PaymentID: row.ID, Reason: view.Reason})
	if errs, ok := invalid(ctx, err); ok {
		view.Errors = errs
		return c.showPayment(w, r, http.StatusUnprocessableEntity, view)
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "billing.flash.voided")
	return layout.Redirect(w, r, paymentPath(row.ID))
}

// receiveForm is the form of a payment for any number of a client's invoices, as it was sent.
type receiveForm struct {
	Client     db.Client
	Currency   string
	Amount     string
	Method     string
	Reference  string
	ReceivedOn string
	Excess     bool
	RequestKey string
	Parts      map[id.Invoice]string // amounts by invoice
	Open       []db.Invoice          // the first due first
	More       bool                  // there are more open invoices than the form shows
	Errors     fieldErrors
	today      date.Date
}

func (c *Console) receiveForm(r *http.Request) (*receiveForm, error) {
	ctx := r.Context()
	if err := requireBilling(ctx); err != nil {
		return nil, err
	}
	client, err := c.client(ctx, r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	list, err := c.Billing.Invoices(ctx, billing.InvoiceQuery{Client: client.ID, Status: "open", Order: db.InvoiceOrder{By: "due_date", Ascending: true}}, db.Page{First: db.MaxPage})
	return &receiveForm{Client: client, Open: list.Rows, More: list.HasNext, Parts: map[id.Invoice]string{}, today: date.Today(c.Now(), client.Timezone)}, err
}

func (c *Console) newPayment(w http.ResponseWriter, r *http.Request) error {
	form, err := c.receiveForm(r)
	if err != nil {
		return err
	}
	form.Currency, form.Method, form.ReceivedOn, form.Excess, form.RequestKey = string(money.MXN), "transfer", string(form.today), true, rand.Text()
	if len(form.Open) > 0 {
		form.Currency = string(form.Open[0].Currency)
	}
	return c.show(w, r, http.StatusOK, t(r.Context(), "payment.title"), receivePage(form))
}

func (c *Console) receivePayment(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	form, err := c.receiveForm(r)
	if err != nil {
		return err
	}
	form.Currency, form.Amount, form.Method = r.PostFormValue("currency"), r.PostFormValue("amount"), r.PostFormValue("method")
	form.Reference, form.ReceivedOn = r.PostFormValue("reference"), r.PostFormValue("receivedOn")
	form.Excess, form.RequestKey = r.PostFormValue("excess") != "", r.PostFormValue("requestKey")
	in, named, err := form.input(r)
	var row db.Payment
	if err == nil {
		row, err = c.Billing.ReceivePayment(ctx, in)
	}
	if errs, ok := invalid(ctx, err); ok {
		form.Errors = errs
		for i, invoice := range named { // the verb counts what was named, the form has all
			for _, path := range []string{fmt.Sprintf("invoices[%d]", i), fmt.Sprintf("invoices[%d].amount", i), "invoice", "invoice.amount"} {
				if text := errs[path]; text != "" && (strings.HasPrefix(path, "invoices") || len(named) == 1) {
					errs["part."+invoice.String()] = text
				}
			}
		}
		return c.show(w, r, http.StatusUnprocessableEntity, t(ctx, "payment.title"), receivePage(form))
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "console.flash.paid")
	return layout.Redirect(w, r, paymentPath(row.ID))
}

// input reads the form. Without an amount at any invoice the payment settles those of its currency, the first due
// first. named are the invoices in the order in which the verb gets them.
func (f *receiveForm) input(r *http.Request) (in billing.ReceiveInput, named []id.Invoice, err error) {
	in = billing.ReceiveInput{ClientID: f.Client.ID, Currency: money.Currency(f.Currency), Method: f.Method, Reference: f.Reference, ExcessToCredit: f.Excess, RequestKey: f.RequestKey}
	var checks fault.Checks
	if in.Amount, err = money.ParseMinor(f.Amount, in.Currency); err != nil {
		checks.Add("amount", amountCode(err))
	}
	in.ReceivedOn = readDay(&checks, "receivedOn", f.ReceivedOn)
	if in.ReceivedOn > f.today {
		checks.Add("receivedOn", "DATE_IN_FUTURE")
	}
	for _, row := range f.Open {
		text := strings.TrimSpace(r.PostFormValue("part." + row.ID.String()))
		if f.Parts[row.ID] = text; text == "" {
			continue
		}
		amount, err := money.ParseMinor(text, row.Currency)
		switch {
		case err != nil:
			checks.Add("part."+row.ID.String(), amountCode(err))
		case amount <= 0:
			checks.Add("part."+row.ID.String(), "AMOUNT_NOT_POSITIVE")
		}
		in.Invoices, named = append(in.Invoices, billing.Allocation{InvoiceID: row.ID, Amount: amount}), append(named, row.ID)
	}
	if len(named) == 0 {
		for _, row := range f.Open {
			if row.Currency == in.Currency {
				in.Invoices, named = append(in.Invoices, billing.Allocation{InvoiceID: row.ID}), append(named, row.ID)
			}
		}
	}
	return in, named, checks.Err()
}

// refundForm is the form of money given back, as it was sent.
type refundForm struct {
	Client     db.Client
	Credits    []db.Credit
	Currency   string
	Amount     string
	Method     string
	Reference  string
	RefundedOn string
	RequestKey string
	Errors     fieldErrors
}

func (c *Console) refundForm(r *http.Request) (*refundForm, error) {
	ctx := r.Context()
	if err := requireBilling(ctx); err != nil {
		return nil, err
	}
	client, err := c.client(ctx, r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	credits, err := c.Billing.Credits(ctx, client.ID)
	return &refundForm{Client: client, Credits: credits}, err
}

func (c *Console) newRefund(w http.ResponseWriter, r *http.Request) error {
	form, err := c.refundForm(r)
	if err != nil {
		return err
	}
	form.Method, form.RefundedOn, form.RequestKey = "transfer", string(date.Today(c.Now(), form.Client.Timezone)), rand.Text()
	if len(form.Credits) > 0 {
		form.Currency, form.Amount = string(form.Credits[0].Currency), money.FormatPlain(form.Credits[0].Amount, form.Credits[0].Currency)
	}
	return c.show(w, r, http.StatusOK, bt(r.Context(), "refund.title"), refundPage(form))
}

func (c *Console) recordRefund(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	form, err := c.refundForm(r)
	if err != nil {
		return err
	}
	form.Currency, form.Amount, form.Method = r.PostFormValue("currency"), r.PostFormValue("amount"), r.PostFormValue("method")
	form.Reference, form.RefundedOn, form.RequestKey = r.PostFormValue("reference"), r.PostFormValue("refundedOn"), r.PostFormValue("requestKey")
	in := billing.RefundInput{ClientID: form.Client.ID, Currency: money.Currency(form.Currency), Method: form.Method, Reference: form.Reference, RequestKey: form.RequestKey}
	var checks fault.Checks
	if in.Amount, err = money.ParseMinor(form.Amount, in.Currency); err != nil {
		checks.Add("amount", amountCode(err))
	}
	in.RefundedOn = readDay(&checks, "refundedOn", form.RefundedOn)
	if err = checks.Err(); err == nil {
		_, err = c.Billing.RecordRefund(ctx, in)
	}
	if errs, ok := invalid(ctx, err); ok {
		form.Errors = errs
		return c.show(w, r, http.StatusUnprocessableEntity, bt(ctx, "refund.title"), refundPage(form))
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "billing.flash.refunded")
	return layout.Redirect(w, r, clientPath(form.Client.ID))
}

// refundMethods leaves out what nobody gives money back by.
func refundMethods(ctx context.Context) []component.Option {
	return slices.DeleteFunc(methodOptions(ctx), func(o component.Option) bool { return o.Value == "card" })
}
