package main

import (
	"context"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// lastMonth is a day of the month before, for sales that are in a global invoice.
func lastMonth(now time.Time) time.Time {
	y, m, _ := now.In(fiscal.ZonaCentro()).Date()
	return time.Date(y, m, 1, 12, 0, 0, 0, fiscal.ZonaCentro()).AddDate(0, 0, -10)
}

// seedDocuments adds the facts that fiscal documents follow from, which the worker stamps: a credit note, a receipt of a
// partial payment (PPD), an anticipo, a payment on account without one, and sales of last month for its global invoice.
func (a *app) seedDocuments(ctx context.Context) error {
	if a.fiscal.Keyring == nil {
		return nil
	}
	find := func(search string) (db.Client, error) {
		list, err := a.store.Clients(ctx, db.ClientFilter{Reach: access.Reach{All: true}, Search: search}, db.Page{First: 1})
		if err != nil || len(list.Rows) == 0 {
			return db.Client{}, err
		}
		return list.Rows[0], nil
	}
	cafe, err := find(demoOwner)
	if err != nil {
		return err
	}
	paid, err := a.billing.Invoices(ctx, billing.InvoiceQuery{Client: cafe.ID, Status: db.InvoicePaid}, db.Page{First: 1})
	if err != nil {
		return err
	}
	for _, row := range paid.Rows {
		if _, err := a.billing.IssueCreditNote(ctx, billing.CreditNoteInput{InvoiceID: row.ID, Reason: "Bonificación por interrupción del servicio", RequestKey: "seed-note",
			Lines: []billing.LineInput{{Description: "Bonificación por interrupción del servicio", Quantity: money.Int(1), UnitPrice: money.Must("150.00")}}}); err != nil {
			return err
		}
	}
	if _, err := a.billing.ReceivePayment(ctx, billing.ReceiveInput{ClientID: cafe.ID, Amount: 100000, Method: "transfer", Reference: "ABONO A CUENTA", ExcessToCredit: true,
		RequestKey: "seed-on-account"}); err != nil {
		return err
	}
	if err := a.seedReceipt(ctx, find); err != nil {
		return err
	}
	then := *a.billing
	then.Now = func() time.Time { return lastMonth(a.billing.Now()) }
	for _, email := range []string{"compras@papeleria-imaginaria.example", "flores@floreria-muestra.example"} {
		client, err := find(email)
		if err != nil {
			return err
		}
		row, err := then.IssueInvoice(ctx, billing.IssueInput{ClientID: client.ID, DueDate: date.Today(then.Now(), client.Timezone), Lines: []billing.LineInput{hosting(1)},
			RequestKey: "seed-sale-" + email})
		if err != nil {
			return err
		}
		if _, err := then.RecordPayment(ctx, billing.PaymentInput{InvoiceID: row.ID, Amount: row.Total, Method: "card", RequestKey: "seed-sale-paid-" + email}); err != nil {
			return err
		}
	}
	return nil
}

// seedReceipt has a client whose invoices are PPD: one is paid in part, and an anticipo waits for its service.
func (a *app) seedReceipt(ctx context.Context, find func(string) (db.Client, error)) error {
	client, err := find("taller-inventado")
	if err != nil {
		return err
	}
	if _, _, err := a.fiscal.SaveFiscalProfile(ctx, fiscal.ProfileInput{ClientID: client.ID, Rfc: "CACX7605101P8", Nombre: "XOCHILT CASAS CHAVEZ", DomicilioFiscalReceptor: "36257",
		RegimenFiscalReceptor: "612", UsoCFDI: "G03"}); err != nil {
		return err
	}
	if err := a.fiscal.SetWhen(ctx, client.ID, db.CFDIOnIssue); err != nil {
		return err
	}
	row, err := a.billing.IssueInvoice(ctx, billing.IssueInput{ClientID: client.ID, DueDate: date.Today(a.billing.Now(), client.Timezone).AddDays(20), Lines: []billing.LineInput{server("taladro")},
		RequestKey: "seed-ppd"})
	if err != nil {
		return err
	}
	if _, err := a.billing.RecordPayment(ctx, billing.PaymentInput{InvoiceID: row.ID, Amount: 100000, Method: "transfer", Reference: "SPEI DEMO 2", RequestKey: "seed-ppd-paid"}); err != nil {
		return err
	}
	payment, err := a.billing.ReceivePayment(ctx, billing.ReceiveInput{ClientID: client.ID, Amount: 500000, Method: "transfer", Reference: "ANTICIPO", ExcessToCredit: true, RequestKey: "seed-anticipo"})
	if err != nil {
		return err
	}
	_, err = a.fiscal.RequestAnticipo(ctx, fiscal.AnticipoInput{PaymentID: payment.ID})
	return err
}
