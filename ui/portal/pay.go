package portal

import (
	"context"
	"net/http"
	"net/url"
	"slices"

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
	"github.com/nubedigitalmx/avisa/ui/payment"
)

// pt is a text of the pages on which people pay.
func pt(ctx context.Context, key string, args ...any) string {
	return component.T(ctx, "payment."+key, args...)
}

const fieldInvoice = "factura"

func (p *Portal) payRoutes() []layout.Route {
	return []layout.Route{
		{Method: "GET", Path: "/clientes/{client}/pagar", Who: layout.Logins, Handle: p.Pay},
		{Method: "POST", Path: "/clientes/{client}/pagar", Who: layout.Logins, Handle: p.StartPayment},
		{Method: "GET", Path: "/clientes/{client}/pagar/{checkout}", Who: layout.Logins, Handle: p.PaymentStatus},
	}
}

// payGroup is what can be paid at once: the open invoices of one currency.
type payGroup struct {
	Currency money.Currency
	Rows     []db.Invoice
	Chosen   []db.Invoice
}

func (g payGroup) chosen(row db.Invoice) bool {
	return slices.ContainsFunc(g.Chosen, func(c db.Invoice) bool { return c.ID == row.ID })
}

type payView struct {
	Client     db.Client
	Today      date.Date
	Groups     []payGroup
	More       bool
	Online     bool
	Viewing    bool // staff who see as the client
	Unfinished bool // back from the gateway without having paid
	Problem    string
	Transfer   billing.Transfer
	Credits    []db.Credit
}

// Pay lists what is owed, and how to pay it. Without a choice in the address everything is chosen.
func (p *Portal) Pay(w http.ResponseWriter, r *http.Request) error {
	client, err := p.client(r)
	if err != nil {
		return err
	}
	query := r.URL.Query()
	return p.showPay(w, r, http.StatusOK, client, payView{Unfinished: query.Get("pago") == "sin-terminar"}, query)
}

func (p *Portal) showPay(w http.ResponseWriter, r *http.Request, status int, client db.Client, view payView, choice url.Values) error {
	ctx := r.Context()
	list, err := p.Billing.Invoices(ctx, billing.InvoiceQuery{Client: client.ID, Status: statusOpen, Order: db.InvoiceOrder{By: "due_date", Ascending: true}}, db.Page{First: db.MaxPage})
	if err != nil {
		return err
	}
	if view.Transfer, err = p.Billing.TransferInstructions(ctx, client.ID); err != nil {
		return err
	}
	if view.Credits, err = p.Billing.Credits(ctx, client.ID); err != nil {
		return err
	}
	view.Client, view.Today, view.More, view.Online, view.Viewing = client, p.today(client), list.HasNext, p.Billing.Online(), access.From(ctx).Viewing
	for _, row := range list.Rows {
		i := slices.IndexFunc(view.Groups, func(g payGroup) bool { return g.Currency == row.Currency })
		if i < 0 {
			view.Groups, i = append(view.Groups, payGroup{Currency: row.Currency}), len(view.Groups)
		}
		group := &view.Groups[i]
		group.Rows = append(group.Rows, row)
		// A form that was sent with nothing ticked has chosen nothing.
		if !choice.Has("elegir") && !choice.Has(fieldInvoice) || slices.Contains(choice[fieldInvoice], row.ID.String()) {
			group.Chosen = append(group.Chosen, row)
		}
	}
	payment.Headers(w)
	return p.show(w, r, status, client, sectionPay, pt(ctx, "title"), payPage(view))
}

// StartPayment leads to the gateway's page for the chosen invoices.
func (p *Portal) StartPayment(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	client, err := p.client(r)
	if err != nil {
		return err
	}
	in := billing.CheckoutInput{Return: string(at(client.ID, "pagar"))}
	for _, text := range r.PostForm[fieldInvoice] {
		invoice, err := id.ParseInvoice(text)
		if err != nil {
			return fault.Missing()
		}
		in.Invoices = append(in.Invoices, invoice)
	}
	row, err := p.Billing.StartCheckout(ctx, in)
	if f, ok := fault.As(err); ok && (f.Kind == fault.Invalid || f.Kind == fault.Conflict || f.Kind == fault.Unavailable) {
		code, args, status := f.Code, f.Args, http.StatusUnprocessableEntity
		if len(f.Fields) > 0 {
			code, args = f.Fields[0].Code, f.Fields[0].Args
			if code == "REQUIRED" {
				code = "INVOICES_NOT_CHOSEN"
			}
		}
		if f.Kind == fault.Unavailable {
			status = http.StatusServiceUnavailable
		}
		return p.showPay(w, r, status, client, payView{Problem: locale.Error(component.Lang(ctx), code, args)}, r.PostForm)
	}
	if err != nil {
		return err
	}
	payment.Headers(w)
	return layout.Redirect(w, r, row.URL)
}

// PaymentStatus is the page that the payer comes back to.
func (p *Portal) PaymentStatus(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	client, err := p.client(r)
	if err != nil {
		return err
	}
	checkoutID, err := id.ParseCheckout(r.PathValue("checkout"))
	if err != nil {
		return fault.Missing()
	}
	row, parts, err := p.Billing.Checkout(ctx, checkoutID)
	if err == nil && row.ClientID != client.ID {
		err = fault.Missing()
	}
	if err != nil {
		return err
	}
	ids := make([]id.Invoice, len(parts))
	for i, part := range parts {
		ids[i] = part.InvoiceID
	}
	invoices, err := p.Billing.InvoicesByID(ctx, ids)
	if err != nil {
		return err
	}
	slices.SortFunc(invoices, func(a, b db.Invoice) int { return int(a.ID - b.ID) })
	view := payment.StatusView{Checkout: row, Invoices: invoices, Reload: at(client.ID, "pagar", row.ID.String()), Retry: at(client.ID, "pagar"),
		Done: at(client.ID, "facturas"), DoneText: pt(ctx, "status.to_invoices")}
	payment.Headers(w)
	return p.show(w, r, http.StatusOK, client, sectionPay, pt(ctx, "status.page"), payment.Status(view))
}

func payURL(client id.Client, invoice id.Invoice) templ.SafeURL {
	return at(client, "pagar") + templ.SafeURL("?"+url.Values{fieldInvoice: {invoice.String()}}.Encode())
}
