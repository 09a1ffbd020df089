package console

import (
	"context"
	"net/http"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

// homeDays is how far back the figures of the home page look, homeDue how many invoices it lists.
const (
	homeDays = 7
	homeDue  = 6
)

type homeView struct {
	Name     string
	Now      time.Time
	Counts   counts
	Totals   []db.InvoiceTotals
	Morning  morning
	Outbox   *db.OutboxState
	Problems []deliveryRow
	Latest   []deliveryRow
	Due      []db.Invoice // still owed, the first to fall due first
	Today    date.Date
	Run      *db.Run
	Fiscal   fiscal.Urgent
}

// counts sums up the ledger.
type counts struct {
	Waiting, Sent, Failed, Skipped int64
	Oldest                         *time.Time // when the first of the waiting ones should go out
}

func sumUp(rows []db.DeliveryCount) counts {
	var c counts
	for _, row := range rows {
		switch row.Status {
		case db.DeliverySent:
			c.Sent += row.Count
		case db.DeliveryFailed, db.DeliveryBounced:
			c.Failed += row.Count
		case db.DeliverySkipped, db.DeliveryCancelled:
			c.Skipped += row.Count
		default:
			c.Waiting += row.Count
			if row.Oldest != nil && (c.Oldest == nil || row.Oldest.Before(*c.Oldest)) {
				c.Oldest = row.Oldest
			}
		}
	}
	return c
}

func (c *Console) home(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	view := homeView{Name: access.From(ctx).Name, Now: c.Now(), Run: runResult(r)}
	if runID, err := id.ParseRun(r.URL.Query().Get("corrida")); err == nil {
		run, err := c.Reminder.Run(ctx, runID)
		if err != nil {
			return err
		}
		view.Run = &run
	}
	rows, err := c.Reminder.Counts(ctx, homeDays)
	if err != nil {
		return err
	}
	view.Counts = sumUp(rows)
	if view.Totals, err = c.Billing.OpenTotals(ctx, 0); err != nil {
		return err
	}
	if view.Morning, err = c.morning(ctx); err != nil {
		return err
	}
	due, err := c.Billing.Invoices(ctx, billing.InvoiceQuery{Status: "open", Order: db.InvoiceOrder{By: "due_date", Ascending: true}}, db.Page{First: homeDue})
	if err != nil {
		return err
	}
	view.Due, view.Today = due.Rows, c.Billing.Today()
	if c.Fiscal != nil && access.RequireCapability(ctx, access.ReadBilling) == nil {
		if view.Fiscal, err = c.Fiscal.Urgent(ctx); err != nil {
			return err
		}
	}
	if c.Outbox != nil {
		state, err := c.Outbox(ctx)
		if err != nil {
			return err
		}
		view.Outbox = &state
	}
	if view.Problems, err = c.latest(ctx, 5, db.DeliveryFailed, db.DeliveryBounced); err != nil {
		return err
	}
	if view.Latest, err = c.latest(ctx, 5); err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, t(ctx, "home.title"), homePage(view))
}

// latest returns the newest rows of the ledger in these states.
func (c *Console) latest(ctx context.Context, n int, statuses ...string) ([]deliveryRow, error) {
	list, err := c.Reminder.Deliveries(ctx, reminder.DeliveryQuery{Statuses: statuses}, db.Page{First: n})
	if err != nil {
		return nil, err
	}
	return c.readable(ctx, list.Rows)
}
