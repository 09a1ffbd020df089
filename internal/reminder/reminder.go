// Package reminder sends payment reminders: each exactly once, at the right time, to the right
// person, and can say why.
package reminder

import (
	"context"
	"sync"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// Service is the activity's verbs. Each verb asks internal/access first.
type Service struct {
	Store   *db.Store
	Billing *billing.Service // charges late fees
	Now     func() time.Time
	Mailer  mail.Sender
	Render  func(ctx context.Context, r Reminder) (mail.Message, error) // text and HTML of one reminder
	// RenderNotice writes the other mails: that an address bounced, must be confirmed and so on.
	RenderNotice func(ctx context.Context, n account.Notice) (mail.Message, error)
	Worker       string        // names this process in the ledger
	Lease        time.Duration // after which a claim counts as lost; longer than any mail takes
	Gate         Gate          // limits of the mail server
	// LinkURL is the address of the page that a personal link of the kind opens.
	LinkURL func(kind, token string) string

	advances advances
	cached   struct {
		sync.Mutex
		company   *db.Company
		templates []db.MailTemplate
		noFees    bool // no rule for late fees is in force
		at        time.Time
		linkKey   []byte
	}
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
	if err := s.keepHolidays(ctx); err != nil {
		return db.PlanResult{}, err
	}
	result, err := s.Store.Plan(ctx, db.PlanInput{Now: s.Now(), Client: in.ClientID, Invoice: in.InvoiceID, Immediate: in.Immediate})
	if err != nil || access.From(ctx).Kind == access.System {
		return result, err // the clock runs it every minute; the ledger says what came of it
	}
	// A whole run commits range by range, so the entry follows it.
	return result, s.Store.Audit(ctx, db.AuditEntry{Client: in.ClientID, Verb: "reminder.run", Object: runObject(in),
		After: map[string]any{"planned": result.Planned, "skipped": result.Skipped, "immediate": in.Immediate}})
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
	Reason   string // "": any
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
	return s.Store.Deliveries(ctx, db.DeliveryFilter{Reach: reach, Client: query.Client, Invoice: query.Invoice, Statuses: query.Statuses, Reason: query.Reason}, page)
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

// audited makes a change and its entry in the audit log in one transaction.
func (s *Service) audited(ctx context.Context, entry db.AuditEntry, change func(tx *db.Store) error) error {
	return s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := change(tx); err != nil {
			return err
		}
		return tx.Audit(ctx, entry)
	})
}
