package reminder

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// Reminder is what one mail says.
type Reminder struct {
	MessageID string
	To        string
	Name      string // how the recipient is greeted
	Language  string
	Client    string
	InvoiceID id.Invoice
	Number    string
	IssueDate date.Date
	DueDate   date.Date
	DaysLeft  int // to the due date in the client's zone; negative when overdue
	Total     money.Minor
	Balance   money.Minor
	Currency  money.Currency
	Issued    bool // announces the invoice; otherwise it reminds of it
	Company   db.Company
}

// maxAttempts with mail.Backoff between them are about two days.
const maxAttempts = 16

// Dispatch hands out deliveries that are due, for the queue. The relay calls it.
func (s *Service) Dispatch(ctx context.Context, limit, backlog int) ([]db.Taken, error) {
	if err := access.RequireSystem(ctx); err != nil {
		return nil, err
	}
	return s.Store.TakeDeliveries(ctx, limit, backlog, 2*s.Lease)
}

// Send sends one delivery, unless the last look says that it must not go out. Any number of calls,
// from any number of workers, send it once: a worker claims it first, and only one claim succeeds. A
// crash between the mail server's acceptance and our note of it is the one case in which a mail
// goes out again after the lease; it carries the same Message-ID, and the ledger shows the
// interruption.
//
// The returned error means that nothing could be noted: the database is down.
func (s *Service) Send(ctx context.Context, deliveryID id.Delivery) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	row, ok, err := s.Store.ClaimDelivery(ctx, deliveryID, s.Worker, s.Lease)
	if err != nil || !ok {
		return err
	}
	if reason := lastLook(row, s.Now()); reason != "" {
		return s.Store.FinishDelivery(ctx, row.Delivery, db.DeliverySkipped, reason, "", "")
	}
	company, err := s.Store.Company(ctx)
	if err != nil {
		return err
	}
	reminder := compose(row, company, s.Now())
	message, err := s.Render(ctx, reminder)
	if err != nil {
		return s.Store.FinishDelivery(ctx, row.Delivery, db.DeliveryFailed, "render", "", err.Error())
	}
	row.Email, row.Language = reminder.To, reminder.Language

	// The mail server gets less time than the lease, so that a claim never outlives its worker's work.
	sending, cancel := context.WithTimeout(ctx, s.Lease*2/3)
	receipt, err := s.Mailer.Send(sending, message)
	cancel()
	// What happened is noted even when the process is being stopped.
	noting, done := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer done()
	if err == nil {
		return s.Store.FinishDelivery(noting, row.Delivery, db.DeliverySent, "", message.ID, receipt.Reply)
	}
	refusal, refused := mail.AsRefusal(err)
	switch {
	case refused && refusal.Permanent:
		return s.Store.FinishDelivery(noting, row.Delivery, db.DeliveryFailed, "refused", "", refusal.Reply)
	case row.Attempts >= maxAttempts:
		return s.Store.FinishDelivery(noting, row.Delivery, db.DeliveryFailed, "gave_up", "", err.Error())
	}
	return s.Store.RetryDelivery(noting, row.Delivery, mail.Backoff(row.Attempts), err.Error())
}

// lastLook is the reason not to send, "" to send: the world may have changed since the plan.
func lastLook(row db.Sending, now time.Time) string {
	today := date.Today(now, row.ClientTimezone)
	switch {
	case row.InvoiceStatus == db.InvoicePaid:
		return "paid"
	case row.InvoiceStatus != db.InvoiceIssued && row.InvoiceStatus != db.InvoicePartlyPaid:
		return row.InvoiceStatus
	case row.Balance <= 0:
		return "paid"
	case row.InvoicePaused > today || row.ClientPaused > today:
		return "paused"
	case row.Contact != nil && row.Contact.DeletedAt != nil:
		return "contact_deleted"
	case row.Contact != nil && !slices.Contains(row.Contact.Topics, mail.Invoice),
		row.Contact == nil && !slices.Contains(row.ClientTopics, mail.Invoice):
		return "preference_off"
	}
	return ""
}

// compose fills the reminder from the claimed row.
func compose(row db.Sending, company db.Company, now time.Time) Reminder {
	r := Reminder{
		MessageID: fmt.Sprintf("reminder.%d.%d.%d@%s", row.InvoiceID, row.StepID, row.ContactID, domainOf(company.Email)),
		To:        row.ClientEmail, Name: row.ClientName, Language: row.ClientLanguage,
		Client: row.ClientName, InvoiceID: row.InvoiceID, Number: row.InvoiceNumber, IssueDate: row.IssueDate, DueDate: row.DueDate,
		DaysLeft: row.DueDate.Sub(date.Today(now, row.ClientTimezone)), Total: row.Total, Balance: row.Balance, Currency: row.Currency,
		Issued: row.Anchor == db.AnchorIssue, Company: company,
	}
	if row.Contact != nil {
		r.To, r.Name, r.Language = row.Contact.Email, row.Contact.Name(), row.Contact.Language
	}
	return r
}

// domainOf is the part of an address after the @.
func domainOf(address string) string {
	if _, domain, ok := strings.Cut(address, "@"); ok {
		return domain
	}
	return "localhost"
}
