package console

import (
	"context"
	"html"
	"net/http"
	"net/url"
	"strconv"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/reminder"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// replayDays is how far back "try all again" looks: the longest that the verb takes.
const replayDays = 60

type failedView struct {
	Reason  string
	Counts  []db.FailureCount
	Rows    []deliveryRow
	Next    string
	Refused string
}

func (v failedView) tabs(ctx context.Context) []component.Tab {
	all := int64(0)
	for _, n := range v.Counts {
		all += n.Count
	}
	tabs := []component.Tab{tab(rt(ctx, "failed.all", "n", all), failedPath, v.Reason == "")}
	for _, n := range v.Counts {
		tabs = append(tabs, tab(reasonLabel(ctx, n.Reason)+" ("+strconv.FormatInt(n.Count, 10)+")", failedURL(n.Reason, ""), n.Reason == v.Reason))
	}
	return tabs
}

// chosen is how many failures the list is about.
func (v failedView) chosen() (n int64) {
	for _, c := range v.Counts {
		if v.Reason == "" || c.Reason == v.Reason {
			n += c.Count
		}
	}
	return n
}

func failedURL(reason, after string) string {
	q := url.Values{}
	set(q, "motivo", reason)
	set(q, "despues", after)
	return withQuery(failedPath, q)
}

// cause is the last thing that the mail server, or the program, said about a delivery.
func (d deliveryRow) cause() string {
	for i := len(d.History) - 1; i >= 0; i-- {
		if d.History[i].Event != "claimed" && d.History[i].Detail != "" {
			return d.History[i].Detail
		}
	}
	return ""
}

// failed lists what could not be delivered, with the cause.
func (c *Console) failed(w http.ResponseWriter, r *http.Request) error {
	return c.showFailed(w, r, http.StatusOK, failedView{Reason: r.URL.Query().Get("motivo")})
}

func (c *Console) showFailed(w http.ResponseWriter, r *http.Request, status int, view failedView) error {
	ctx := r.Context()
	var err error
	if view.Counts, err = c.Reminder.Failures(ctx); err != nil {
		return err
	}
	list, err := c.Reminder.Deliveries(ctx, reminder.DeliveryQuery{Statuses: []string{db.DeliveryFailed}, Reason: view.Reason},
		db.Page{First: pageSize, After: r.URL.Query().Get("despues")})
	if err != nil {
		return err
	}
	if view.Rows, err = c.readable(ctx, list.Rows); err != nil {
		return err
	}
	if next := list.Next(); next != "" {
		view.Next = failedURL(view.Reason, next)
	}
	return c.show(w, r, status, rt(ctx, "nav.failed"), failedPage(view))
}

// replayFailed tries again all that failed for a reason, or for any.
func (c *Console) replayFailed(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	_, err := c.Reminder.ReplayFailed(ctx, replayDays, r.PostFormValue("motivo"))
	if errs, ok := invalid(ctx, err); ok {
		return c.showFailed(w, r, http.StatusUnprocessableEntity, failedView{Refused: errs.summary(ctx)})
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "reminder.flash.replayed")
	return layout.Redirect(w, r, failedPath)
}

// deliveryOf is the row of the ledger of the address.
func (c *Console) deliveryOf(r *http.Request) (db.Delivery, error) {
	deliveryID, err := id.ParseDelivery(r.PathValue("id"))
	if err != nil {
		return db.Delivery{}, fault.Missing()
	}
	return c.Reminder.Delivery(r.Context(), deliveryID)
}

// act does something about a row of the ledger and returns to it.
func (c *Console) act(w http.ResponseWriter, r *http.Request, done string, verb func(context.Context, id.Delivery) error) error {
	row, err := c.deliveryOf(r)
	if err != nil {
		return err
	}
	err = verb(r.Context(), row.ID)
	if errs, ok := invalid(r.Context(), err); ok {
		return c.showDelivery(w, r, http.StatusConflict, row, errs.summary(r.Context()))
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, done)
	return layout.Redirect(w, r, deliveryPath(row.ID))
}

func (c *Console) replayDelivery(w http.ResponseWriter, r *http.Request) error {
	return c.act(w, r, "reminder.flash.replayed", c.Reminder.ReplayDelivery)
}

func (c *Console) cancelDelivery(w http.ResponseWriter, r *http.Request) error {
	return c.act(w, r, "reminder.flash.cancelled", c.Reminder.CancelDelivery)
}

func (c *Console) sendDeliveryToMe(w http.ResponseWriter, r *http.Request) error {
	return c.act(w, r, "reminder.flash.to_me", c.Reminder.SendDeliveryToMe)
}

// deliveryMail is the mail of a delivery as it would go out now: a document for the frame of its page.
func (c *Console) deliveryMail(w http.ResponseWriter, r *http.Request) error {
	row, err := c.deliveryOf(r)
	if err != nil {
		return err
	}
	message, err := c.Reminder.PreviewDelivery(r.Context(), row.ID)
	if errs, ok := invalid(r.Context(), err); ok {
		return layout.WriteMail(w, "<p>"+html.EscapeString(errs.summary(r.Context()))+"</p>")
	}
	if err != nil {
		return err
	}
	return layout.WriteMail(w, message.HTML)
}
