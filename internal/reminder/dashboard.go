package reminder

import (
	"context"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
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

// ReplayDelivery tries a failed delivery again, with the address, template and data of now. Staff only.
func (s *Service) ReplayDelivery(ctx context.Context, deliveryID id.Delivery) error {
	if err := access.RequireCapability(ctx, access.ManageReminders); err != nil {
		return err
	}
	row, err := s.Store.Delivery(ctx, deliveryID)
	if err != nil {
		return err
	}
	return s.audited(ctx, db.AuditEntry{Client: row.ClientID, Verb: "delivery.replay", Object: deliveryID.String()}, func(tx *db.Store) error {
		n, err := tx.ReplayDeliveries(ctx, []id.Delivery{deliveryID}, time.Time{}, access.From(ctx).Name)
		if err == nil && n == 0 {
			return fault.New(fault.Conflict, "DELIVERY_NOT_FAILED")
		}
		return err
	})
}

// ReplayFailed tries again everything that failed in the last days, and returns how many. Staff only.
func (s *Service) ReplayFailed(ctx context.Context, days int) (int64, error) {
	if err := access.RequireCapability(ctx, access.ManageReminders); err != nil {
		return 0, err
	}
	var checks fault.Checks
	if days < 1 || days > 60 {
		checks.Add("days", "NUMBER_RANGE", "min", 1, "max", 60)
		return 0, checks.Err()
	}
	var replayed int64
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		var err error
		if replayed, err = tx.ReplayDeliveries(ctx, nil, s.Now().AddDate(0, 0, -days), access.From(ctx).Name); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Verb: "delivery.replayfailed", After: map[string]any{"days": days, "replayed": replayed}})
	})
	return replayed, err
}

// CancelDelivery takes back a delivery that has not gone out. Staff only.
func (s *Service) CancelDelivery(ctx context.Context, deliveryID id.Delivery) error {
	if err := access.RequireCapability(ctx, access.ManageReminders); err != nil {
		return err
	}
	row, err := s.Store.Delivery(ctx, deliveryID)
	if err != nil {
		return err
	}
	return s.audited(ctx, db.AuditEntry{Client: row.ClientID, Verb: "delivery.cancel", Object: deliveryID.String()}, func(tx *db.Store) error {
		done, err := tx.CancelDelivery(ctx, deliveryID, access.From(ctx).Name)
		if err == nil && !done {
			return fault.New(fault.Conflict, "DELIVERY_FINAL")
		}
		return err
	})
}
