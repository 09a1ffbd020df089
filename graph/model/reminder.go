package model

import (
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

// LateFeeRule is a rule whose amounts have their currency.
type LateFeeRule struct{ db.LateFeeRule }

// Fixed is the fixed amount, nil with a percentage.
func (r LateFeeRule) Fixed() *Money { return r.amount(r.LateFeeRule.Fixed) }

// Minimum is the least that is charged, nil for none.
func (r LateFeeRule) Minimum() *Money { return r.amount(r.LateFeeRule.Minimum) }

func (r LateFeeRule) amount(m money.Minor) *Money {
	if m == 0 {
		return nil
	}
	return &Money{m, r.Currency}
}

// LateFee is a fee that an invoice will bear if it stays unpaid.
type LateFee struct{ Row db.LateFee }

// Name is as the client reads it.
func (f LateFee) Name() string { return f.Row.Name }

// Amount is before tax.
func (f LateFee) Amount() Money { return Money{f.Row.Amount, f.Row.Currency} }

// Total is with tax.
func (f LateFee) Total() Money { return Money{f.Row.Total, f.Row.Currency} }

// PayBy is the last day on which paying avoids the fee.
func (f LateFee) PayBy() date.Date { return f.Row.On }

// ReminderDashboard is what staff see at a glance.
type ReminderDashboard struct{ Row reminder.Dashboard }

// Outlook is what goes out today and on the next days.
func (d ReminderDashboard) Outlook() []*db.Outlook { return pointers(d.Row.Outlook) }

// Days is what became of the last days' reminders.
func (d ReminderDashboard) Days() []*db.DayCount { return pointers(d.Row.Days) }

// Waiting is how many mails are due.
func (d ReminderDashboard) Waiting() int64 { return d.Row.Queue.Waiting }

// Later is how many wait for their time.
func (d ReminderDashboard) Later() int64 { return d.Row.Queue.Later }

// Sending is how many are on their way.
func (d ReminderDashboard) Sending() int64 { return d.Row.Queue.Sending }

// Oldest is since when the one that waits longest has been due.
func (d ReminderDashboard) Oldest() *time.Time { return d.Row.Queue.Oldest }

// LastSent is when the last mail was sent.
func (d ReminderDashboard) LastSent() *time.Time { return d.Row.Queue.LastSent }

// LastRun is when the planner last ran.
func (d ReminderDashboard) LastRun() *time.Time { return d.Row.Queue.LastRun }

// Alerts are what a person should look at.
func (d ReminderDashboard) Alerts() []string { return d.Row.Alerts }

func pointers[T any](rows []T) []*T {
	out := make([]*T, len(rows))
	for i := range rows {
		out[i] = &rows[i]
	}
	return out
}
