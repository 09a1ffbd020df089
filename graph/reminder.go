package graph

import (
	"context"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/graph/model"
	ids "github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

func deliveryQuery(client, invoice *string, statuses []string) (reminder.DeliveryQuery, error) {
	query := reminder.DeliveryQuery{Statuses: statuses}
	var err error
	if query.Client, err = optional(client, ids.ParseClient); err != nil {
		return query, err
	}
	query.Invoice, err = optional(invoice, ids.ParseInvoice)
	return query, err
}

func (r *resolver) deliveries(ctx context.Context, query reminder.DeliveryQuery, first *int, after *string, last *int, before *string) (*model.DeliveryConnection, error) {
	page, err := pageOf(first, after, last, before)
	if err != nil {
		return nil, err
	}
	list, err := r.Reminder.Deliveries(ctx, query, page)
	return deliveryPage(ctx, list, err)
}

func (r *resolver) setReminderPause(ctx context.Context, in model.SetReminderPauseInput) (*model.SetReminderPausePayload, error) {
	payload := &model.SetReminderPausePayload{}
	if (in.ClientID == nil) == (in.InvoiceID == nil) {
		return payload, oneOf("clientId")
	}
	pause := reminder.PauseInput{Until: day(in.Until), Mode: in.Mode, Reason: deref(in.Reason)}
	var err error
	if pause.ClientID, err = optional(in.ClientID, ids.ParseClient); err != nil {
		return payload, err
	}
	if pause.InvoiceID, err = optional(in.InvoiceID, ids.ParseInvoice); err != nil {
		return payload, err
	}
	client, row, err := r.Reminder.SetReminderPause(ctx, pause)
	if err != nil {
		return payload, err
	}
	payload.Client = &client
	if row != nil {
		payload.Invoice = invoice(ctx, *row)
	}
	return payload, nil
}

// pauseTarget names the id a pause is about.
func pauseTarget(in model.SetReminderPauseInput) string {
	if in.InvoiceID != nil {
		return "invoiceId"
	}
	return "clientId"
}

func (r *resolver) sendReminders(ctx context.Context, in model.SendRemindersInput) (*model.SendRemindersPayload, error) {
	payload := &model.SendRemindersPayload{}
	run := reminder.RunInput{Immediate: in.Immediate}
	var err error
	if run.ClientID, err = optional(in.ClientID, ids.ParseClient); err != nil {
		return payload, err
	}
	if run.InvoiceID, err = optional(in.InvoiceID, ids.ParseInvoice); err != nil {
		return payload, err
	}
	result, err := r.Reminder.StartRun(ctx, run)
	if err != nil {
		return payload, err
	}
	if result.FinishedAt == nil {
		payload.Run = &result
		return payload, nil
	}
	planned, skipped := int(result.Planned), int(result.Skipped)
	payload.Planned, payload.Skipped = &planned, &skipped
	return payload, nil
}

// runTarget names the id a run is about. With two of them it is not known which is missing.
func runTarget(in model.SendRemindersInput) string {
	switch {
	case in.InvoiceID == nil:
		return "clientId"
	case in.ClientID == nil:
		return "invoiceId"
	}
	return ""
}

// revokeLinks ends the links of an invoice or of an address.
func (r *resolver) revokeLinks(ctx context.Context, in model.RevokeLinksInput) (*model.InvoicePayload, error) {
	switch {
	case in.InvoiceID != nil && in.ContactID == nil && in.ClientID == nil:
		key, err := parsed(*in.InvoiceID, ids.ParseInvoice)
		var row db.Invoice
		if err == nil {
			row, err = r.Billing.RevokePayLinks(ctx, key)
		}
		return invoicePayload(ctx, row, err, splitPath)
	case in.ContactID != nil && in.InvoiceID == nil && in.ClientID == nil:
		key, err := parsed(*in.ContactID, ids.ParseContact)
		if err == nil {
			err = r.Reminder.RevokeContactLinks(ctx, key)
		}
		wrong, err := userErrors(ctx, err, "contactId", splitPath)
		return &model.InvoicePayload{UserErrors: wrong}, err
	case in.ClientID != nil && in.InvoiceID == nil && in.ContactID == nil:
		key, err := parsed(*in.ClientID, ids.ParseClient)
		if err == nil {
			err = r.Reminder.RevokeClientLinks(ctx, key)
		}
		wrong, err := userErrors(ctx, err, "clientId", splitPath)
		return &model.InvoicePayload{UserErrors: wrong}, err
	}
	wrong, err := userErrors(ctx, oneOf("invoiceId"), "invoiceId", splitPath)
	return &model.InvoicePayload{UserErrors: wrong}, err
}
