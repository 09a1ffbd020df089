package main

import (
	"context"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// ago is the product as it was some time ago: what it issues, stamps and cancels happened then. The test PAC's clock goes
// with it; down, it answers nothing.
func (a *app) ago(ago time.Duration, down bool) *app {
	then, b, f := *a, *a.billing, *a.fiscal
	b.Now = func() time.Time { return a.billing.Now().Add(-ago) }
	f.Now, f.Clock = b.Now, nil
	f.PAC = &lazySandbox{store: a.store, now: b.Now, down: down}
	then.billing, then.fiscal = &b, &f
	return &then
}

const day = 24 * time.Hour

// seedPast gives fiscal documents what happens to them in weeks: one that was replaced and cancelled, one whose receiver
// has not answered to a cancellation, one that the PAC refuses for the receiver's name, and a receipt that waits for
// the PAC. It takes the test PAC.
func (a *app) seedPast(ctx context.Context) error {
	if _, sandboxed := a.fiscal.PAC.(*lazySandbox); !sandboxed || a.fiscal.Keyring == nil {
		return nil
	}
	cafe, err := a.seeded(ctx, demoOwner)
	if err != nil {
		return err
	}
	second, _, err := a.fiscal.SaveFiscalProfile(ctx, fiscal.ProfileInput{ClientID: cafe.ID, Rfc: "H&E951128469", Nombre: "HERRERIA & ELECTRICOS", DomicilioFiscalReceptor: "06002",
		RegimenFiscalReceptor: "601", UsoCFDI: "G03"})
	if err != nil {
		return err
	}
	if err := a.seedReplaced(ctx, cafe, second.ID); err != nil {
		return err
	}
	if err := a.seedCancelling(ctx, cafe, second.ID); err != nil {
		return err
	}
	if err := a.seedPartlyPaid(ctx, cafe); err != nil {
		return err
	}
	if err := a.seedWaiting(ctx); err != nil {
		return err
	}
	return a.seedRefused(ctx)
}

// seedStamped issues and pays an invoice, and has its document stamped.
func (a *app) seedStamped(ctx context.Context, client db.Client, profile id.FiscalProfile, key string, lines ...billing.LineInput) (db.CFDI, error) {
	invoice, err := a.billing.IssueInvoice(ctx, billing.IssueInput{ClientID: client.ID, DueDate: date.Today(a.billing.Now(), client.Timezone), Lines: lines, RequestKey: key})
	if err != nil {
		return db.CFDI{}, err
	}
	if _, err := a.billing.RecordPayment(ctx, billing.PaymentInput{InvoiceID: invoice.ID, Amount: invoice.Total, Method: "transfer", Reference: "SPEI DEMO", RequestKey: key + "-paid"}); err != nil {
		return db.CFDI{}, err
	}
	row, err := a.fiscal.RequestCFDI(ctx, fiscal.RequestInput{InvoiceID: invoice.ID, ProfileID: profile})
	if err != nil {
		return row, err
	}
	return row, a.fiscal.Stamp(ctx, fiscal.StampJob{CFDI: row.ID})
}

// seedReplaced has a document issued to the client's other taxpayer by mistake: it was replaced and cancelled with motive 01.
func (a *app) seedReplaced(ctx context.Context, client db.Client, profile id.FiscalProfile) error {
	wrong, err := a.ago(20*day, false).seedStamped(ctx, client, 0, "seed-replaced", hosting(2))
	if err != nil {
		return err
	}
	then := a.ago(18*day, false)
	right, err := then.fiscal.SubstituteCFDI(ctx, fiscal.SubstituteInput{CFDI: wrong.ID, Profile: profile})
	if err != nil {
		return err
	}
	if err := then.fiscal.Stamp(ctx, fiscal.StampJob{CFDI: right.ID}); err != nil {
		return err
	}
	return then.fiscal.SendCancellation(ctx, fiscal.CancelJob{CFDI: wrong.ID, Round: 1})
}

// seedCancelling has a cancellation that the receiver must accept, and has not answered to.
func (a *app) seedCancelling(ctx context.Context, client db.Client, profile id.FiscalProfile) error {
	row, err := a.ago(12*day, false).seedStamped(ctx, client, profile, "seed-cancelling", server("molino"), hosting(1))
	if err != nil {
		return err
	}
	then := a.ago(day, false)
	if row, err = then.fiscal.CancelCFDI(ctx, fiscal.CancelInput{CFDI: row.ID, Motivo: fiscal.MotivoSinRelacion}); err != nil {
		return err
	}
	return then.fiscal.SendCancellation(ctx, fiscal.CancelJob{CFDI: row.ID, Round: row.CancelRound})
}

// seedPartlyPaid asks for the document of an invoice that is paid in part: PPD, with a receipt of what was paid.
func (a *app) seedPartlyPaid(ctx context.Context, client db.Client) error {
	list, err := a.billing.Invoices(ctx, billing.InvoiceQuery{Client: client.ID, Status: db.InvoicePartlyPaid}, db.Page{First: 1})
	if err != nil || len(list.Rows) == 0 {
		return err
	}
	_, err = a.fiscal.RequestCFDI(ctx, fiscal.RequestInput{InvoiceID: list.Rows[0].ID})
	return err
}

// seedWaiting has a receipt of payment that the PAC has not stamped: it did not answer for a while.
func (a *app) seedWaiting(ctx context.Context) error {
	client, err := a.seeded(ctx, "refacciones-ficticias")
	if err != nil {
		return err
	}
	then := a.ago(6*day, false)
	if _, _, err := then.fiscal.SaveFiscalProfile(ctx, fiscal.ProfileInput{ClientID: client.ID, Rfc: "IVD920810GU2", Nombre: "INNOVACION VALOR Y DESARROLLO", DomicilioFiscalReceptor: "63901",
		RegimenFiscalReceptor: "601", UsoCFDI: "G03"}); err != nil {
		return err
	}
	if err := then.fiscal.SetWhen(ctx, client.ID, db.CFDIOnIssue); err != nil {
		return err
	}
	invoice, err := then.billing.IssueInvoice(ctx, billing.IssueInput{ClientID: client.ID, DueDate: date.Today(a.billing.Now(), client.Timezone).AddDays(25), Lines: []billing.LineInput{server("engrane")},
		RequestKey: "seed-waiting"})
	if err != nil {
		return err
	}
	row, err := then.fiscal.RequestCFDI(ctx, fiscal.RequestInput{InvoiceID: invoice.ID})
	if err != nil {
		return err
	}
	if err := then.fiscal.Stamp(ctx, fiscal.StampJob{CFDI: row.ID}); err != nil {
		return err
	}
	if _, err := a.ago(2*time.Hour, false).billing.RecordPayment(ctx, billing.PaymentInput{InvoiceID: invoice.ID, Amount: 80000, Method: "transfer", Reference: "SPEI DEMO 3",
		RequestKey: "seed-waiting-paid"}); err != nil {
		return err
	}
	if err := a.fiscal.Follow(ctx, billing.ChangedJob{InvoiceID: invoice.ID}); err != nil {
		return err
	}
	documents, err := a.fiscal.Documents(ctx, invoice.ID)
	if err != nil {
		return err
	}
	for _, receipt := range documents[invoice.ID] {
		if receipt.Kind != db.CFDIPago {
			continue
		}
		var past []string
		for n, ago := range []time.Duration{17 * time.Minute, 16 * time.Minute, 15 * time.Minute, 12 * time.Minute, 2 * time.Minute} {
			past = append(past, fiscal.StampJob{CFDI: receipt.ID, Build: min(n, 1), Attempt: n}.Key())
			if err := a.ago(ago, true).fiscal.Stamp(ctx, fiscal.StampJob{CFDI: receipt.ID}); err != nil {
				return err
			}
		}
		// The attempts of then are made; the next one is due in an hour.
		jobs, err := a.store.JobsByKey(ctx, past)
		if err != nil {
			return err
		}
		for _, job := range jobs {
			if err := a.store.FinishJob(ctx, job.ID); err != nil {
				return err
			}
		}
	}
	return nil
}

// seedRefused has a client whose name is not the one that the SAT knows the RFC by.
func (a *app) seedRefused(ctx context.Context) error {
	client, err := a.seeded(ctx, "constructora-de-muestra")
	if err != nil {
		return err
	}
	if _, _, err := a.fiscal.SaveFiscalProfile(ctx, fiscal.ProfileInput{ClientID: client.ID, Rfc: "OÑO120726RX3", Nombre: "ORGANICOS NAVEZ OSORIO SA DE CV", DomicilioFiscalReceptor: "40501",
		RegimenFiscalReceptor: "601", UsoCFDI: "G03"}); err != nil {
		return err
	}
	_, err = a.ago(time.Hour, false).seedStamped(ctx, client, 0, "seed-refused", server("grava"))
	return err
}
