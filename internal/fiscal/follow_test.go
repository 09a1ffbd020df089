package fiscal_test

import (
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/fiscaltest"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
)

// What is paid, issued and credited while the certificate is expired gets its documents with the next one; what was done
// about before, and what the client's rule leaves to a request, gets none.
func TestMissedWithoutCertificate(t *testing.T) {
	o := newOffice(t)
	o.profile()
	before := o.issue(hosting("300.00"))
	before = o.pay(before, before.Total, "p0")
	o.work()
	kept := o.one(before)
	dbtest.Exec(o, o.address, "SET session_replication_role = replica; UPDATE csd SET valid_until = '2026-11-21', no_certificado = '30001000000599990000'")
	o.clock = o.clock.Add(48 * time.Hour)
	if s := o.stamping().Alerts(); len(s) != 1 || s[0] != fiscal.AlertCSDExpired {
		t.Fatal(s)
	}
	paid := o.issue(hosting("100.00"))
	paid = o.pay(paid, paid.Total, "p1")
	o.work()
	o.must(o.service.SetWhen(system(t.Context()), o.client.ID, db.CFDIOnIssue))
	later := o.issue(hosting("200.00"))
	o.credit(before, billing.CreditNoteInput{Lines: []billing.LineInput{hosting("10.00")}})
	other := o.newClient("Sin datos fiscales", "otra@envio.example")
	asks, err := o.billing.IssueInvoice(system(t.Context()), billing.IssueInput{ClientID: other.ID, DueDate: "2026-12-20", Lines: []billing.LineInput{hosting("5.00")}})
	o.must(err)
	o.pay(asks, asks.Total, "p2")
	o.work()
	if n := len(o.documents(paid)) + len(o.documents(later)) + len(o.documents(before)); n != 1 {
		t.Fatalf("%d documents without a certificate", n)
	}
	cer, key := fiscaltest.NewCSD(t, "EKU9003173C9", false)
	csd, err := fiscal.RestoreCSD(cer, key)
	o.must(err)
	o.clock = o.clock.Add(time.Hour)
	_, err = o.service.KeepCSD(system(t.Context()), csd)
	o.must(err)
	o.work()
	if a, b, c := o.stamped(paid, db.CFDIIngreso), o.stamped(later, db.CFDIIngreso), o.stamped(before, db.CFDIEgreso); len(a) != 1 || len(b) != 1 || len(c) != 1 || b[0].MetodoPago != "PPD" {
		t.Errorf("%d, %d and %d documents", len(a), len(b), len(c))
	}
	if now := o.documents(before); len(now) != 2 || now[0].UUID != kept.UUID || len(o.documents(asks)) != 0 {
		t.Errorf("%d documents of what had one, %d of who has no fiscal data", len(now), len(o.documents(asks)))
	}
	stamps := o.stamps()
	o.must(o.service.FollowMissed(system(t.Context()), fiscal.MissedJob{}))
	o.must(o.service.FollowReceipts(system(t.Context())))
	o.work()
	if o.stamps() != stamps {
		t.Error("asked for again")
	}
}

// A credit note that is issued while the cancellation of its invoice's document waits for the receiver gets its document
// when the receiver, or the SAT, says no.
func TestCreditNoteWhileCancelling(t *testing.T) {
	for name, refuse := range map[string]func(o *office, row db.CFDI){
		"the receiver": func(o *office, _ db.CFDI) {
			o.answers["URE180429TM6"] = sandbox.Rejects
			o.clock = o.clock.Add(2 * time.Hour)
			o.must(o.service.PollCancellations(system(o.Context())))
		},
		"the clock": func(o *office, row db.CFDI) { // what was lost on the way is found
			dbtest.Exec(o, o.address, "UPDATE cfdi SET status = 'stamped', cancel_state = 'rejected', cancel_deadline = NULL WHERE status = 'cancel_pending'")
			o.must(o.service.FollowReceipts(system(o.Context())))
		},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t)
			row := o.old()
			o.answers["URE180429TM6"] = sandbox.Silent
			o.cancel(row, "02")
			o.work()
			invoice, err := o.store.Invoice(t.Context(), row.InvoiceID)
			o.must(err)
			o.credit(invoice, billing.CreditNoteInput{Lines: []billing.LineInput{hosting("100.00")}})
			o.work()
			if n := len(o.stamped(invoice, db.CFDIEgreso)); n != 0 {
				t.Fatalf("%d documents while the origin may be cancelled", n)
			}
			refuse(o, row)
			o.work()
			if n := len(o.stamped(invoice, db.CFDIEgreso)); n != 1 {
				t.Errorf("%d documents of the credit note; the invoice's is %s %s", n, o.read(row).Status, o.read(row).CancelState)
			}
		})
	}
}
