package reminder

import (
	"context"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
)

// Alerts of the dashboard.
const (
	AlertNotPlanned = "not_planned" // the planner has not run for planSilence
	AlertNotSent    = "not_sent"    // a mail that is due has waited for sendSilence
	AlertFailing    = "failing"     // of the last hours' mails more than a tenth failed
)

const (
	planSilence = 10 * time.Minute // it runs every minute
	sendSilence = 15 * time.Minute
	outlookDays = 15 // today and the next 14
)

// Dashboard is what staff see at a glance.
type Dashboard struct {
	Outlook []db.Outlook  // today and the next 14 days
	Days    []db.DayCount // the last 30
	Queue   db.QueueState
	Alerts  []string
}

// Dashboard sums up the reminders: what goes out, what went out, what waits, and what is wrong. Staff only.
func (s *Service) Dashboard(ctx context.Context) (Dashboard, error) {
	if err := access.RequireStaff(ctx); err != nil {
		return Dashboard{}, err
	}
	company, err := s.Store.Company(ctx)
	if err != nil {
		return Dashboard{}, err
	}
	if err := s.keepHolidays(ctx); err != nil {
		return Dashboard{}, err
	}
	var d Dashboard
	if d.Outlook, err = s.Store.Outlook(ctx, s.Now(), outlookDays, company.Timezone); err != nil {
		return d, err
	}
	if d.Days, err = s.Store.DayCounts(ctx, s.Now(), 30, company.Timezone); err != nil {
		return d, err
	}
	if d.Queue, err = s.Store.QueueState(ctx); err != nil {
		return d, err
	}
	d.Alerts = alerts(d, s.Now())
	return d, nil
}

// alerts says what a person should look at.
func alerts(d Dashboard, now time.Time) []string {
	found := []string{}
	if d.Queue.LastRun == nil || now.Sub(*d.Queue.LastRun) > planSilence {
		found = append(found, AlertNotPlanned)
	}
	if d.Queue.Oldest != nil && now.Sub(*d.Queue.Oldest) > sendSilence {
		found = append(found, AlertNotSent)
	}
	if n := len(d.Days); n > 0 && d.Days[n-1].Failed > 0 && d.Days[n-1].Failed*10 > d.Days[n-1].Failed+d.Days[n-1].Sent {
		found = append(found, AlertFailing)
	}
	return found
}

// Alerts says what of the reminders a person should look at, cheaply enough for every page: the planner
// has not run (AlertNotPlanned), or a mail that is due was not sent (AlertNotSent). Staff only.
func (s *Service) Alerts(ctx context.Context) ([]string, error) {
	if err := access.RequireStaff(ctx); err != nil {
		return nil, err
	}
	queue, err := s.Store.QueuePulse(ctx)
	if err != nil {
		return nil, err
	}
	return alerts(Dashboard{Queue: queue}, s.Now()), nil
}
