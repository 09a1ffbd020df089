package portal

import (
	"context"
	"net/http"
	"net/url"

	"github.com/a-h/templ"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/ui/component"
)

// servicesView is what a client buys, the newest first.
type servicesView struct {
	Client db.Client
	Rows   []db.Service
	Next   templ.SafeURL
}

// Services lists what the client buys: how often it is billed, at which price, and when next.
func (p *Portal) Services(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	client, err := p.client(r)
	if err != nil {
		return err
	}
	list, err := p.Billing.Services(ctx, client.ID, "", db.Page{First: 25, After: r.URL.Query().Get("despues")})
	if err != nil {
		return err
	}
	view := servicesView{Client: client, Rows: list.Rows}
	if next := list.Next(); next != "" {
		view.Next = at(client.ID, "servicios") + templ.SafeURL("?"+url.Values{"despues": {next}}.Encode())
	}
	return p.show(w, r, http.StatusOK, client, sectionServices, st(ctx, "title"), servicesPage(view))
}

// st is a text about services.
func st(ctx context.Context, key string, args ...any) string {
	return component.T(ctx, "service."+key, args...)
}

// servicePrice is what a period costs, as a whole.
func servicePrice(ctx context.Context, row db.Service) string {
	total, err := row.Quantity.MulMinor(row.Price, row.Currency)
	if err != nil {
		return row.Price.String() + " " + string(row.Currency)
	}
	return component.Money(ctx, total, row.Currency)
}

// renewal says when the service is invoiced next, or why it is not.
func renewal(ctx context.Context, row db.Service, client db.Client) string {
	switch {
	case row.Status == db.ServiceSuspended:
		return st(ctx, "next.suspended")
	case row.Status == db.ServiceEnded || client.ClosedAt != nil:
		return st(ctx, "next.ended")
	case row.NextOn == "" && row.Cycle == "one_off":
		return st(ctx, "next.one_off")
	case row.NextOn == "":
		return st(ctx, "next.none", "date", component.Date(ctx, row.EndsOn))
	case row.Cycle == "one_off":
		return st(ctx, "next.once", "date", component.Date(ctx, row.NextOn))
	}
	return st(ctx, "next.on", "date", component.Date(ctx, row.NextOn))
}

func serviceTone(status string) component.Tone {
	switch status {
	case db.ServiceActive:
		return component.Good
	case db.ServiceSuspended:
		return component.Warning
	}
	return component.Neutral
}
