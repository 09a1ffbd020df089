package console

import (
	"context"
	"net/http"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// clientCloseForm ends the business with a client, as it was sent.
type clientCloseForm struct {
	Reason string
	Errors fieldErrors
}

func (c *Console) closeClient(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	row, err := c.client(ctx, r.PathValue("id"))
	if err != nil {
		return err
	}
	form := clientCloseForm{Reason: r.PostFormValue("closeReason")}
	_, err = c.Billing.CloseClient(ctx, billing.CloseClientInput{ClientID: row.ID, Reason: form.Reason})
	if errs, ok := invalid(ctx, err); ok {
		form.Errors = errs
		return c.showClient(w, r, http.StatusUnprocessableEntity, row, clientForms{close: &form})
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "console.flash.client_closed")
	return layout.Redirect(w, r, clientPath(row.ID))
}

func (c *Console) reopenClient(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	row, err := c.client(ctx, r.PathValue("id"))
	if err != nil {
		return err
	}
	if _, err := c.Billing.ReopenClient(ctx, row.ID); err != nil {
		return err
	}
	layout.Flash(w, r, "console.flash.client_reopened")
	return layout.Redirect(w, r, clientPath(row.ID))
}

// filter is the state that a search keeps to; "" for the one that is shown first.
func (v clientsView) filter() string {
	if v.Status == db.ClientActive {
		return ""
	}
	return v.Status
}

// tabs are the clients in business and the closed ones, each with what is searched for.
func (v clientsView) tabs(ctx context.Context) []component.Tab {
	var tabs []component.Tab
	for _, status := range []string{db.ClientActive, db.ClientClosed} {
		tabs = append(tabs, tab(t(ctx, "clients.filter."+status), v.at(status), status == v.Status))
	}
	return tabs
}
