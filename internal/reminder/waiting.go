package reminder

import (
	"slices"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// foresee says what the worker's last look will find for a row that waits, if nothing changes: the world
// may have changed since the row was planned. The entry then says so before the worker does.
func (f facts) foresee(row db.Delivery, e PlanEntry) PlanEntry {
	sending := f.sending(row, e)
	at := f.now
	if row.Status == db.DeliveryPlanned && row.DueAt != nil && row.DueAt.After(at) {
		at = *row.DueAt
	}
	for range 3 { // a pause ends inside or outside the window, on a day of the other pause or not
		if reason := lastLook(sending, at); reason != "" {
			e.Status, e.Reason, e.SendAt = WontSend, reason, at
			return e
		}
		held := held(sending, at)
		if held == "" {
			break
		}
		at, e.Reason = f.calendar.resumes(sending, at, held), held
	}
	if at.After(e.SendAt) && (at.After(f.now) || e.Reason != "") {
		e.SendAt = at
	}
	return e
}

// sending is what a worker would claim now.
func (f facts) sending(row db.Delivery, e PlanEntry) db.Sending {
	step := f.old[row.StepID]
	s := db.Sending{Delivery: row, InvoiceStatus: f.invoice.Status, IssueDate: f.invoice.IssueDate, DueDate: f.invoice.DueDate, Balance: f.invoice.Balance,
		InvoicePause: f.invoice.Pause, ClientPause: f.client.Pause, ClientTimezone: f.client.Timezone, Anchor: step.Anchor, Days: step.Days,
		Policy: f.policies[step.PolicyID], Recipient: db.Recipient{Name: e.Name, Email: e.Recipient, Language: e.Language}}
	if c := f.contact(row.ContactID); c != nil {
		s.Recipient.Deleted, s.Recipient.Wants = c.DeletedAt != nil, slices.Contains(c.Topics, mail.Invoice)
		s.Recipient.Bounces, s.Recipient.Unverified = c.Bounces(c.Email), f.company.Unverified(*c)
	} else {
		s.Recipient.Wants, s.Recipient.Bounces = slices.Contains(f.client.Topics, mail.Invoice), f.client.Bounces(f.client.Email)
	}
	s.Superseded = slices.ContainsFunc(f.ledger, func(n db.Delivery) bool { return f.supersedes(n, s) })
	return s
}

// supersedes reports whether a row of the ledger is a newer step for the recipient: the rule of the claim.
func (f facts) supersedes(n db.Delivery, s db.Sending) bool {
	day, other := f.stepDay(s.Delivery), f.stepDay(n)
	goes := []string{db.DeliveryPlanned, db.DeliveryQueued, db.DeliverySending, db.DeliverySent}
	return n.ContactID == s.ContactID && (other > day || other == day && n.ID > s.ID) && slices.Contains(goes, n.Status) &&
		n.SendAt.Before(s.SendAt.AddDate(0, 0, s.Policy.CatchUpDays+7))
}

// stepDay is the day that a row's step falls on, before business days and pauses.
func (f facts) stepDay(row db.Delivery) date.Date {
	step, anchor := f.old[row.StepID], f.invoice.DueDate
	if step.Anchor == db.AnchorIssue {
		anchor = f.invoice.IssueDate
	}
	return anchor.AddDays(step.Days)
}

// waits reports whether a row has not gone out and may yet be skipped.
func waits(row db.Delivery) bool {
	return row.Status == db.DeliveryPlanned || row.Status == db.DeliveryQueued
}

// held is why a mail must wait although it was handed out: "paused" until a shifting pause ends, or
// "window", when it was delayed beyond its sending window. A mail that was sent at once on purpose,
// outside the window, does not wait for it.
func held(row db.Sending, now time.Time) string {
	zone := row.ClientTimezone
	today := date.Today(now, zone)
	if row.InvoicePause.Paused(today) || row.ClientPause.Paused(today) {
		return "paused"
	}
	inside := func(t time.Time) bool {
		at := clock(t, zone)
		return at >= row.Policy.SendFrom && at <= row.Policy.SendUntil
	}
	if inside(now) || !inside(row.SendAt) {
		return ""
	}
	return "window"
}

// resumes is when a mail that is held goes on.
func (c calendar) resumes(row db.Sending, now time.Time, held string) time.Time {
	if held == "paused" {
		return moment(max(row.InvoicePause.PausedUntil, row.ClientPause.PausedUntil), row.Policy.SendFrom, row.ClientTimezone)
	}
	return c.sends(now, row.ClientTimezone, row.Policy)
}
