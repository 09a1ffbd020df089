package reminder

import (
	"context"
	"strconv"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// Failures counts by reason the deliveries that failed and were not tried again since. Staff only.
func (s *Service) Failures(ctx context.Context) ([]db.FailureCount, error) {
	if err := access.RequireStaff(ctx); err != nil {
		return nil, err
	}
	return s.Store.FailureCounts(ctx)
}

// PreviewDelivery writes the mail of a delivery as it would go out now, with the address, the template
// and the data of now, and with the invoices that its mail would hold, without storing or sending
// anything. Its personal links open nothing, because they would act for the recipient. Staff only.
func (s *Service) PreviewDelivery(ctx context.Context, deliveryID id.Delivery) (mail.Message, error) {
	if err := access.RequireCapability(ctx, access.ReadBilling); err != nil {
		return mail.Message{}, err
	}
	if _, err := s.Store.Delivery(ctx, deliveryID); err != nil {
		return mail.Message{}, err
	}
	rows, err := s.Store.MailOf(ctx, deliveryID)
	if err != nil {
		return mail.Message{}, err
	}
	templates, err := s.Store.TemplatesInForce(ctx)
	if err != nil {
		return mail.Message{}, err
	}
	message, err := s.draft(ctx, rows, templates, s.Now())
	if err != nil {
		// What makes the mail impossible is what the reader wants to know.
		return mail.Message{}, fault.New(fault.Conflict, "DELIVERY_RENDER").With("cause", err.Error()).Because(err)
	}
	return message, nil
}

// draft writes the mail of the rows, as it goes out at the moment, with links that open nothing.
func (s *Service) draft(ctx context.Context, rows []db.Sending, templates []db.MailTemplate, at time.Time) (mail.Message, error) {
	company, err := s.Store.Company(ctx)
	if err != nil {
		return mail.Message{}, err
	}
	parts := make([]Reminder, len(rows))
	for i, row := range rows {
		parts[i] = compose(row, company, at, nil)
		if parts[i].LateFees, err = s.comingLateFees(ctx, row.InvoiceID); err != nil {
			return mail.Message{}, err
		}
	}
	if err := s.addLines(ctx, rows, parts, templates); err != nil {
		return mail.Message{}, err
	}
	return s.write(ctx, rows, parts, templates, func(context.Context, Link) (string, error) { return previewToken, nil })
}

// sending is what a worker that claims a mail of the invoice and step for the recipient (contact 0: the
// client's own address) would have before it; nothing is claimed.
func (s *Service) sending(ctx context.Context, invoiceID id.Invoice, contactID id.Contact, step db.ReminderStep) (db.Sending, error) {
	invoice, err := s.Store.Invoice(ctx, invoiceID)
	if err != nil {
		return db.Sending{}, err
	}
	client, err := s.Store.Client(ctx, invoice.ClientID)
	if err != nil {
		return db.Sending{}, err
	}
	row := db.Sending{InvoiceNumber: invoice.Number, InvoiceStatus: invoice.Status, IssueDate: invoice.IssueDate, DueDate: invoice.DueDate, Currency: invoice.Currency,
		Total: invoice.Total, Balance: invoice.Balance, PDFKey: invoice.PDFKey, ClientName: client.Name, ClientTimezone: client.Timezone, Anchor: step.Anchor, Days: step.Days,
		Recipient: db.Recipient{Name: client.Name, Email: client.Email, Language: client.Language}}
	row.InvoiceID, row.ClientID, row.ContactID, row.StepID = invoice.ID, client.ID, contactID, step.ID
	if contactID != 0 {
		contacts, err := s.Store.ContactsByID(ctx, []id.Contact{contactID}) // a deleted one too
		if err != nil {
			return row, err
		}
		for _, c := range contacts {
			row.Recipient = db.Recipient{Name: c.Name(), Email: c.Email, Language: c.Language}
		}
	}
	if step.PolicyID != 0 {
		row.Policy, err = s.Store.Policy(ctx, step.PolicyID)
	}
	return row, err
}

// SendDeliveryToMe sends the mail of a delivery, as it would go out now, to the member of staff who
// asks; the ledger does not change. Staff only.
func (s *Service) SendDeliveryToMe(ctx context.Context, deliveryID id.Delivery) error {
	if err := access.RequireCapability(ctx, access.ManageReminders); err != nil {
		return err
	}
	message, err := s.PreviewDelivery(ctx, deliveryID)
	if err != nil {
		return err
	}
	return s.toMe(ctx, message)
}

// toMe sends a mail to the member of staff who asks for it. It carries an id of its own and no link to
// unsubscribe, which would act for the recipient.
func (s *Service) toMe(ctx context.Context, message mail.Message) error {
	to, ok := mail.Address(access.From(ctx).Email)
	if !ok {
		return fault.New(fault.Forbidden, "STAFF_ONLY")
	}
	message.To, message.ToName, message.Unsubscribe, message.Headers = to, access.From(ctx).Name, "", nil
	message.ID = "test." + strconv.FormatInt(s.Now().UnixNano(), 36) + "@" + mail.DomainOf(message.From)
	if s.Mailer == nil {
		return fault.New(fault.Conflict, "MAIL_UNAVAILABLE") // this process sends no mail
	}
	_, err := s.Mailer.Send(ctx, message)
	if refusal, refused := mail.AsRefusal(err); refused {
		return fault.New(fault.Conflict, "MAIL_REFUSED").With("reply", refusal.Reply).Because(err)
	}
	if err != nil {
		return fault.New(fault.Conflict, "MAIL_UNAVAILABLE").Because(err)
	}
	return nil
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
		n, err := tx.ReplayDeliveries(ctx, db.ReplayFilter{IDs: []id.Delivery{deliveryID}}, access.From(ctx).Name)
		if err == nil && n == 0 {
			return fault.New(fault.Conflict, "DELIVERY_NOT_FAILED")
		}
		return err
	})
}

// ReplayFailed tries again everything that failed in the last days (1 to 60) for the reason ("": any),
// and returns how many. Staff only.
func (s *Service) ReplayFailed(ctx context.Context, days int, reason string) (int64, error) {
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
		if replayed, err = tx.ReplayDeliveries(ctx, db.ReplayFilter{Since: s.Now().AddDate(0, 0, -days), Reason: reason}, access.From(ctx).Name); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Verb: "delivery.replayfailed", After: map[string]any{"days": days, "reason": reason, "replayed": replayed}})
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
