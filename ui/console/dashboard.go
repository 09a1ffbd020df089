package console

import (
	"context"
	"net/http"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/reminder"
	"github.com/nubedigitalmx/avisa/ui/component"
)

type dashboardView struct {
	reminder.Dashboard
	Now      time.Time
	Failures []db.FailureCount
	Run      *db.Run
	Runs     []db.Run
}

// reminderDashboard says what goes out, what went out and what waits.
func (c *Console) reminderDashboard(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	view := dashboardView{Now: c.Now(), Run: runResult(r)}
	var err error
	if view.Dashboard, err = c.Reminder.Dashboard(ctx); err != nil {
		return err
	}
	if view.Failures, err = c.Reminder.Failures(ctx); err != nil {
		return err
	}
	if view.Runs, err = c.Reminder.Runs(ctx); err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, t(ctx, "reminders.title"), dashboardPage(view))
}

// chart is what became of the reminders of the last days.
func (v dashboardView) chart(ctx context.Context) component.Chart {
	chart := component.Chart{Label: rt(ctx, "dashboard.days"), Series: []component.Series{
		{Label: rt(ctx, "dashboard.sent"), Fill: "fill-success", Swatch: "bg-success"},
		{Label: rt(ctx, "dashboard.bounced"), Fill: "fill-warning", Swatch: "bg-warning"},
		{Label: rt(ctx, "dashboard.failed"), Fill: "fill-error", Swatch: "bg-error"},
	}}
	for _, day := range v.Days {
		// What came back was sent first.
		chart.Bars = append(chart.Bars, component.Bar{Label: component.Date(ctx, day.Day), Values: []int64{day.Sent - day.Bounced, day.Bounced, day.Failed}})
	}
	return chart
}

// busy reports whether anything was sent or failed on the days of the chart.
func (v dashboardView) busy() bool {
	for _, day := range v.Days {
		if day.Sent+day.Failed > 0 {
			return true
		}
	}
	return false
}

// coming is how many mails go out on all days of the outlook.
func (v dashboardView) coming() (n int64) {
	for _, day := range v.Outlook {
		n += day.Waiting + day.Coming
	}
	return n
}

// share is the width of a day's bar, in percent of the fullest day.
func (v dashboardView) share(day db.Outlook) int64 {
	most := int64(1)
	for _, d := range v.Outlook {
		most = max(most, d.Waiting+d.Coming)
	}
	return (day.Waiting + day.Coming) * 100 / most
}

// failed is how many deliveries wait for a person to look at them.
func (v dashboardView) failed() (n int64) {
	for _, f := range v.Failures {
		n += f.Count
	}
	return n
}

// weekday names the day of a date: "lun".
func weekday(ctx context.Context, day date.Date) string {
	return rt(ctx, "weekday."+day.Time().Weekday().String())
}

// last is a moment of the queue's life, or that there was none.
func last(ctx context.Context, at *time.Time) string {
	if at == nil {
		return rt(ctx, "dashboard.never")
	}
	return moment(ctx, *at)
}

// oldestNote says since when the mail that waits longest has been due.
func oldestNote(ctx context.Context, v dashboardView) string {
	if v.Queue.Oldest == nil {
		return rt(ctx, "dashboard.oldest.none")
	}
	return rt(ctx, "dashboard.oldest", "at", moment(ctx, *v.Queue.Oldest))
}

// runBy says who asked for a run, and whether it waited for the sending window.
func runBy(ctx context.Context, run db.Run) string {
	if run.Immediate {
		return rt(ctx, "runs.by.immediate", "by", run.AskedBy)
	}
	return rt(ctx, "runs.by", "by", run.AskedBy)
}
