package console

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

const gatewayPath = "/consola/pasarela"

func (c *Console) gatewayTable() []layout.Route {
	return []layout.Route{
		{Method: "GET", Path: gatewayPath, Who: layout.Staff, Handle: c.gatewayEvents},
		{Method: "GET", Path: gatewayPath + "/{id}", Who: layout.Staff, Handle: c.gatewayEvent},
		{Method: "POST", Path: gatewayPath + "/{id}", Who: layout.Staff, Handle: c.decideGatewayEvent},
	}
}

// gatewayRow is what a gateway told, with the client it is about.
type gatewayRow struct {
	db.GatewayEvent
	Client db.Client
}

// client names whom it is about: nobody where the charge is not known here.
func (r gatewayRow) client(ctx context.Context) string {
	return cmp.Or(r.Client.Name, bt(ctx, "gateway.no_client"))
}

func (r gatewayRow) path() string { return gatewayPath + "/" + r.ID.String() }

type gatewayView struct {
	Decided bool
	Rows    []gatewayRow
	Next    string
}

func (v gatewayView) tabs(ctx context.Context) []component.Tab {
	return []component.Tab{tab(bt(ctx, "gateway.waiting"), gatewayPath, !v.Decided), tab(bt(ctx, "gateway.decided"), gatewayPath+"?estado=resueltos", v.Decided)}
}

// gatewayEvents lists what the gateway told and nobody could book, with the cause.
func (c *Console) gatewayEvents(w http.ResponseWriter, r *http.Request) error {
	ctx, q := r.Context(), r.URL.Query()
	view := gatewayView{Decided: q.Get("estado") == "resueltos"}
	list, err := c.Billing.ReviewedEvents(ctx, view.Decided, db.Page{First: pageSize, After: q.Get("despues")})
	if err != nil {
		return err
	}
	if view.Rows, err = c.gatewayRows(ctx, list.Rows); err != nil {
		return err
	}
	if next := list.Next(); next != "" {
		query := url.Values{"despues": {next}}
		set(query, "estado", q.Get("estado"))
		view.Next = withQuery(gatewayPath, query)
	}
	return c.show(w, r, http.StatusOK, bt(ctx, "gateway.title"), gatewayPage(view))
}

// gatewayRows adds the clients with one query.
func (c *Console) gatewayRows(ctx context.Context, events []db.GatewayEvent) ([]gatewayRow, error) {
	ids := make([]id.Client, len(events))
	for i, e := range events {
		ids[i] = e.ClientID
	}
	clients, err := c.Account.ClientsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	known := byKey(clients, func(row db.Client) id.Client { return row.ID })
	rows := make([]gatewayRow, len(events))
	for i, e := range events {
		rows[i] = gatewayRow{e, known[e.ClientID]}
	}
	return rows, nil
}

type gatewayEventView struct {
	Row     gatewayRow
	Open    []db.Invoice // of the client, in the currency that came
	Invoice string       // chosen
	Reason  string
	Errors  fieldErrors
	Refused string // why the whole was refused
}

func (v gatewayEventView) bookable() bool { return billing.Bookable(v.Row.GatewayEvent) }

func (v gatewayEventView) options(ctx context.Context) []component.Option {
	options := []component.Option{{Label: bt(ctx, "gateway.to_credit")}}
	for _, row := range v.Open {
		options = append(options, component.Option{Value: row.ID.String(), Label: bt(ctx, "gateway.to_invoice", "number", row.Number, "balance", component.Money(ctx, row.Balance, row.Currency))})
	}
	return options
}

func (c *Console) gatewayEvent(w http.ResponseWriter, r *http.Request) error {
	return c.showGatewayEvent(w, r, http.StatusOK, gatewayEventView{})
}

func (c *Console) showGatewayEvent(w http.ResponseWriter, r *http.Request, status int, view gatewayEventView) error {
	ctx := r.Context()
	key, err := id.ParseGatewayEvent(r.PathValue("id"))
	if err != nil {
		return fault.Missing()
	}
	row, err := c.Billing.ReviewedEvent(ctx, key)
	if err != nil {
		return err
	}
	rows, err := c.gatewayRows(ctx, []db.GatewayEvent{row})
	if err != nil {
		return err
	}
	view.Row = rows[0]
	if view.bookable() && row.Kind == billing.EventPaid {
		list, err := c.Billing.Invoices(ctx, billing.InvoiceQuery{Client: row.ClientID, Status: "open", Currency: row.Currency,
			Order: db.InvoiceOrder{By: "due_date", Ascending: true}}, db.Page{First: db.MaxPage})
		if err != nil {
			return err
		}
		view.Open = list.Rows
	}
	return c.show(w, r, status, bt(ctx, "gateway.event"), gatewayEventPage(view))
}

// decideGatewayEvent books what the gateway told, or dismisses it with a reason.
func (c *Console) decideGatewayEvent(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	key, err := id.ParseGatewayEvent(r.PathValue("id"))
	if err != nil {
		return fault.Missing()
	}
	view := gatewayEventView{Invoice: r.PostFormValue("factura"), Reason: strings.TrimSpace(r.PostFormValue("reason"))}
	if r.PostFormValue("accion") == "descartar" {
		_, err = c.Billing.DismissGatewayEvent(ctx, key, view.Reason)
	} else {
		var invoice id.Invoice
		if view.Invoice != "" {
			if invoice, err = id.ParseInvoice(view.Invoice); err != nil {
				return fault.Missing()
			}
		}
		_, err = c.Billing.BookGatewayEvent(ctx, key, invoice)
	}
	if errs, ok := invalid(ctx, err); ok {
		view.Errors = errs
		for path, text := range errs {
			if path != "reason" { // of the payment that would be booked: its form has one field
				view.Refused = text
			}
		}
		return c.showGatewayEvent(w, r, http.StatusUnprocessableEntity, view)
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "billing.flash.gateway")
	return layout.Redirect(w, r, gatewayPath)
}
