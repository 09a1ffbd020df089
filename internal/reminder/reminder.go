// Package reminder sends payment reminders: each exactly once, at the right time, to the right
// person, and can say why.
package reminder

import (
	"context"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// Service is the activity's verbs. Each verb asks internal/access first.
type Service struct {
	Store  *db.Store
	Now    func() time.Time
	Mailer mail.Sender
	Render func(ctx context.Context, r Reminder) (mail.Message, error) // text and HTML of one reminder
	Worker string                                                      // names this process in the ledger
	Lease  time.Duration                                               // after which a claim counts as lost; longer than any mail takes
}

// RunInput selects what is reminded.
type RunInput struct {
	ClientID  id.Client  // 0: every client
	InvoiceID id.Invoice // 0: every invoice
	Immediate bool       // do not wait for the sending window
}

// SendReminders plans every reminder that is due; the workers send them. Staff only. Running it any
// number of times plans nothing twice.
func (s *Service) SendReminders(ctx context.Context, in RunInput) (db.PlanResult, error) {
	if err := access.RequireCapability(ctx, access.ManageReminders); err != nil {
		return db.PlanResult{}, err
	}
	if in.ClientID != 0 {
		if _, err := s.Store.Client(ctx, in.ClientID); err != nil {
			return db.PlanResult{}, err
		}
	}
	if in.InvoiceID != 0 {
		if _, err := s.Store.Invoice(ctx, in.InvoiceID); err != nil {
			return db.PlanResult{}, err
		}
	}
	var result db.PlanResult
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		var err error
		result, err = tx.Plan(ctx, db.PlanInput{Now: s.Now(), Client: in.ClientID, Invoice: in.InvoiceID, Immediate: in.Immediate})
		if err != nil || access.From(ctx).Kind == access.System {
			return err // the clock runs it every minute; the ledger says what came of it
		}
		return tx.Audit(ctx, db.AuditEntry{Client: in.ClientID, Verb: "reminder.run", Object: runObject(in),
			After: map[string]any{"planned": result.Planned, "skipped": result.Skipped, "immediate": in.Immediate}})
	})
	return result, err
}

func runObject(in RunInput) string {
	switch {
	case in.InvoiceID != 0:
		return in.InvoiceID.String()
	case in.ClientID != 0:
		return in.ClientID.String()
	}
	return ""
}

// DeliveryQuery selects rows of the ledger.
type DeliveryQuery struct {
	Client   id.Client
	Invoice  id.Invoice
	Statuses []string
}

// Deliveries lists the ledger, the newest first, for whoever may see the invoices.
func (s *Service) Deliveries(ctx context.Context, query DeliveryQuery, page db.Page) (db.List[db.Delivery], error) {
	reach, err := access.Scope(ctx, access.Invoices)
	if err != nil {
		return db.List[db.Delivery]{}, err
	}
	if query.Invoice != 0 && !reach.All {
		invoice, err := s.Store.Invoice(ctx, query.Invoice)
		if err != nil {
			return db.List[db.Delivery]{}, err
		}
		if err := access.Require(ctx, access.Invoices, invoice.ClientID); err != nil {
			return db.List[db.Delivery]{}, err
		}
	}
	if query.Client != 0 {
		if err := access.Require(ctx, access.Invoices, query.Client); err != nil {
			return db.List[db.Delivery]{}, err
		}
	}
	if err := page.Check(); err != nil {
		return db.List[db.Delivery]{}, err
	}
	return s.Store.Deliveries(ctx, db.DeliveryFilter{Reach: reach, Client: query.Client, Invoice: query.Invoice, Statuses: query.Statuses}, page)
}

// Delivery returns one row of the ledger.
func (s *Service) Delivery(ctx context.Context, deliveryID id.Delivery) (db.Delivery, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return db.Delivery{}, err
	}
	row, err := s.Store.Delivery(ctx, deliveryID)
	if err != nil {
		return db.Delivery{}, err
	}
	return row, access.Require(ctx, access.Invoices, row.ClientID)
}

// Counts counts the ledger by state: final rows of the last days, waiting rows all. Staff only.
func (s *Service) Counts(ctx context.Context, days int) ([]db.DeliveryCount, error) {
	if err := access.RequireStaff(ctx); err != nil {
		return nil, err
	}
	return s.Store.DeliveryCounts(ctx, s.Now().AddDate(0, 0, -days))
}

// StepsByID returns steps for showing deliveries; they hold nothing private.
func (s *Service) StepsByID(ctx context.Context, ids []id.Step) ([]db.ReminderStep, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return nil, err
	}
	return s.Store.StepsByID(ctx, ids)
}

// PauseInput stops reminders of a client or of one invoice before a date.
type PauseInput struct {
	ClientID  id.Client // exactly one of the two
	InvoiceID id.Invoice
	Until     date.Date // reminders go on from this date; "" ends a pause
	Reason    string
}

// SetReminderPause pauses or resumes reminders. Staff may, and the client's owner.
func (s *Service) SetReminderPause(ctx context.Context, in PauseInput) (db.Client, *db.Invoice, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return db.Client{}, nil, err
	}
	var invoice *db.Invoice
	clientID := in.ClientID
	if in.InvoiceID != 0 {
		row, err := s.Store.Invoice(ctx, in.InvoiceID)
		if err != nil {
			return db.Client{}, nil, err
		}
		invoice, clientID = &row, row.ClientID
	}
	if err := access.RequireOwnerChange(ctx, clientID, access.ManageReminders); err != nil {
		return db.Client{}, nil, err
	}
	client, err := s.Store.Client(ctx, clientID)
	if err != nil {
		return db.Client{}, nil, err
	}
	var checks fault.Checks
	if in.ClientID != 0 && in.InvoiceID != 0 {
		checks.Add("clientId", "VALUE_INVALID")
	}
	if in.Until != "" && in.Until < date.Today(s.Now(), client.Timezone) {
		checks.Add("until", "DATE_PAST")
	}
	if len([]rune(in.Reason)) > 200 {
		checks.Add("reason", "TOO_LONG", "max", 200)
	}
	if err := checks.Err(); err != nil {
		return db.Client{}, nil, err
	}
	if in.Until == "" {
		in.Reason = ""
	}
	entry := db.AuditEntry{Client: clientID, Verb: "reminder.pause", Object: clientID.String(),
		Before: pauseState(client.PausedUntil, client.PauseReason), After: pauseState(in.Until, in.Reason)}
	save := func(tx *db.Store) error { return tx.PauseClient(ctx, client.ID, in.Until, in.Reason) }
	if invoice != nil {
		entry.Object, entry.Before = invoice.ID.String(), pauseState(invoice.PausedUntil, invoice.PauseReason)
		save = func(tx *db.Store) error { return tx.PauseInvoice(ctx, invoice.ID, in.Until, in.Reason) }
	}
	if in.Until == "" {
		entry.Verb = "reminder.resume"
	}
	if err := s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := save(tx); err != nil {
			return err
		}
		return tx.Audit(ctx, entry)
	}); err != nil {
		return db.Client{}, nil, err
	}
	if invoice != nil {
		invoice.PausedUntil, invoice.PauseReason = in.Until, in.Reason
	} else {
		client.PausedUntil, client.PauseReason = in.Until, in.Reason
	}
	return client, invoice, nil
}

func pauseState(until date.Date, reason string) map[string]any {
	return map[string]any{"until": until, "reason": reason}
}
