package billing_test

import (
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
)

func (w *world) close() {
	w.Helper()
	must(w, func() (db.Client, error) {
		return w.CloseClient(w.system(), billing.CloseClientInput{ClientID: w.client.ID, Reason: "Cambió de proveedor"})
	})
}

// A closed client's services renew no more; reopened, they go on with the first period that begins today or later.
func TestClosedClientDoesNotRenew(t *testing.T) {
	w := newWorld(t)
	w.at("2026-01-10T18:00:00Z")
	monthly, yearly := w.service(billing.Monthly, "2026-01-10", "100", 0), w.service(billing.Yearly, "2026-12-01", "900", 30)
	if got := w.renew(); got.Invoices != 1 {
		t.Fatalf("%+v", got)
	}
	w.close()
	w.at("2026-04-12T18:00:00Z")
	if got := w.renew(); got.Invoices+got.Skipped != 0 {
		t.Fatalf("renewed while closed: %+v", got)
	}
	until := date.Date("2027-12-31")
	upcoming := func() int {
		return len(must(t, func() (db.List[db.Service], error) { return w.UpcomingRenewals(w.staff(), until, db.Page{}) }).Rows)
	}
	sums := must(t, func() ([]db.RenewalSum, error) { return w.RenewalSums(w.staff(), until) })
	if upcoming() != 0 || len(sums) != 0 {
		t.Fatalf("%d renewals are foreseen, %+v", upcoming(), sums)
	}
	for range 2 {
		must(t, func() (db.Client, error) { return w.ReopenClient(w.system(), w.client.ID) })
	}
	if upcoming() != 2 {
		t.Fatalf("%d renewals are foreseen", upcoming())
	}
	if got := w.renew(); got.Invoices != 0 {
		t.Fatalf("what passed was invoiced: %+v", got)
	}
	w.at("2026-05-10T18:00:00Z")
	w.renew()
	if got := w.periods(monthly); !slices.Equal(got, []date.Date{"2026-01-10", "2026-05-10"}) {
		t.Fatal(got)
	}
	if got := w.periods(yearly); len(got) != 0 {
		t.Fatal(got)
	}
	w.balanced()
}

// Nothing new is billed to a closed client, by any way in; what is open goes on. Closing and renewing at once leave no
// half of either.
func TestClosedClient(t *testing.T) {
	w := newWorld(t)
	open := w.issue("100")
	draft := must(t, func() (db.Invoice, error) {
		return w.SaveDraft(w.staff(), billing.SaveDraftInput{IssueInput: w.input("50")})
	})
	v := w.service(billing.Monthly, w.Today(), "100", 0)
	var group sync.WaitGroup
	for n := range 8 {
		group.Go(func() {
			_, err := w.CloseClient(w.system(), billing.CloseClientInput{ClientID: w.client.ID, Reason: "Se fue"})
			if n%2 == 0 {
				_, err = w.InvoiceRenewals(w.system())
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	renewed := len(w.periods(v)) // before it was closed, or not
	if got := w.renew(); got.Invoices != 0 || renewed > 1 || len(w.periods(v)) != renewed {
		t.Fatalf("%+v, %v", got, w.periods(v))
	}
	for name, verb := range map[string]func() error{
		"issue": func() error { _, err := w.IssueInvoice(w.staff(), w.input("1")); return err },
		"draft": func() error {
			_, err := w.SaveDraft(w.staff(), billing.SaveDraftInput{IssueInput: w.input("1")})
			return err
		},
		"issue a draft": func() error {
			_, err := w.IssueDraft(w.staff(), billing.IssueDraftInput{InvoiceID: draft.ID})
			return err
		},
		"service": func() error {
			_, err := w.AddService(w.staff(), billing.ServiceInput{ClientID: w.client.ID, Description: "H", StartsOn: w.Today(), RequestKey: w.key(),
				Pricing: billing.Pricing{Kind: "hosting", Cycle: billing.Monthly, Price: v.Price}})
			return err
		},
	} {
		var f *fault.Error
		if err := verb(); !errors.As(err, &f) || f.Kind != fault.Conflict || f.Code != "CLIENT_CLOSED" {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := w.imports("reference,client,due_date,description,unit_price\nX-1,cafe@cliente.example,2026-12-31,H,1\n")
	wrong(t, err, "rows[2].client", "CLIENT_CLOSED")
	if after := w.pay(open, 5000); after.Paid != 5000 {
		t.Fatalf("%+v", after)
	}
	must(t, func() (db.CreditNote, error) {
		return w.IssueCreditNote(w.staff(), billing.CreditNoteInput{InvoiceID: open.ID, Reason: "Cortesía", RequestKey: w.key(), Lines: []billing.LineInput{line("10")}})
	})
	for _, ctx := range []func() error{
		func() error {
			_, err := w.CloseClient(w.login(access.Profile, access.Invoices), billing.CloseClientInput{ClientID: w.client.ID, Reason: "x"})
			return err
		},
		func() error { _, err := w.ReopenClient(w.login(access.Profile), w.client.ID); return err },
	} {
		if err := ctx(); !fault.Is(err, fault.Forbidden) {
			t.Error(err)
		}
	}
	w.balanced()
}
