package billing_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// paid is an invoice of 116.00 that was paid by card.
func (w *world) paid() (db.Invoice, db.Checkout) {
	w.Helper()
	row := w.issue("100")
	c := w.start(row)
	if err := w.event("evt_paid_"+c.ID.String(), billing.EventPaid, c); err != nil {
		w.Fatal(err)
	}
	return w.reload(row), w.checkout(c.ID)
}

// reversal is an event about a refund or a dispute of a checkout's payment.
func reversal(ref, kind, subject string, c db.Checkout, amount money.Minor, dispute bool) billing.GatewayEvent {
	return billing.GatewayEvent{Ref: ref, Kind: kind, Charge: "pi-" + c.ID.String(), Reversal: subject, Dispute: dispute, Amount: amount, Currency: money.MXN}
}

func (w *world) tells(events ...billing.GatewayEvent) {
	w.Helper()
	for _, e := range events {
		if err := w.tell(e); err != nil {
			w.Fatal(err)
		}
	}
}

func (w *world) outcome(ref string) string {
	w.Helper()
	var outcome string
	if err := w.sql.QueryRow("SELECT outcome FROM gateway_event WHERE event_ref = $1", ref).Scan(&outcome); err != nil {
		w.Fatal(err)
	}
	return outcome
}

func TestRefundByGateway(t *testing.T) {
	w := newWorld(t)
	w.Gateway = &cashier{}
	row, c := w.paid()
	// Part of it, told three times: what was paid is owed again.
	for n := range 3 {
		w.tells(reversal(fmt.Sprintf("evt_r%d", n), billing.EventReversed, "re_1", c, 6000, false))
	}
	if row = w.reload(row); row.Status != db.InvoicePartlyPaid || row.Balance != 6000 || w.credit() != 0 {
		t.Fatalf("%s, %d owed, credit %d", row.Status, row.Balance, w.credit())
	}
	// The rest after a credit note: the credit pays for it.
	must(t, func() (db.CreditNote, error) {
		return w.IssueCreditNote(w.staff(), billing.CreditNoteInput{InvoiceID: row.ID, Reason: "Baja", RequestKey: w.key(), Lines: []billing.LineInput{line("100")}})
	})
	if w.credit() != 5600 {
		t.Fatalf("credit %d", w.credit())
	}
	w.tells(reversal("evt_rest", billing.EventReversed, "re_2", c, 5600, false))
	if row = w.reload(row); row.Status != db.InvoicePaid || row.Paid != 5600 || w.credit() != 0 {
		t.Fatalf("%s, paid %d, credit %d", row.Status, row.Paid, w.credit())
	}
	// The bank sends it back, once.
	w.tells(reversal("evt_f1", billing.EventRestored, "re_2", c, 5600, false), reversal("evt_f2", billing.EventRestored, "re_2", c, 5600, false))
	if w.credit() != 5600 || w.outcome("evt_f1") != "booked" || w.outcome("evt_f2") != "repeated" {
		t.Fatalf("credit %d", w.credit())
	}
	w.balanced()
	// The statement tells the same story.
	statement := must(t, func() (billing.Statement, error) {
		return w.Statement(w.login(access.Invoices), billing.StatementQuery{ClientID: w.client.ID})
	})
	if statement.Balance != -5600 || statement.Charges-statement.Payments != -5600 {
		t.Fatalf("%+v", statement)
	}
}

func TestDispute(t *testing.T) {
	w := newWorld(t)
	w.Gateway = &cashier{}
	extra := w.issue("1")
	must(t, func() (db.Payment, error) { // credit of 500.00 that has nothing to do with it
		return w.ReceivePayment(w.staff(), billing.ReceiveInput{ClientID: w.client.ID, Amount: 50000, Method: "transfer", ExcessToCredit: true, RequestKey: w.key()})
	})
	row, c := w.paid()
	w.tells(reversal("evt_d", billing.EventReversed, "dp_1", c, 11600, true))
	if row = w.reload(row); row.Status != db.InvoiceIssued || row.Balance != 11600 || w.credit() != 50000 {
		t.Fatalf("%s, %d owed, credit %d", row.Status, row.Balance, w.credit())
	}
	w.tells(reversal("evt_w", billing.EventRestored, "dp_1", c, 11600, true))
	if row = w.reload(row); row.Status != db.InvoicePaid || w.credit() != 50000 || w.reload(extra).Paid != 0 {
		t.Fatalf("%s, credit %d", row.Status, w.credit())
	}
	w.balanced()
}

// Events come before their payment, after their own undoing, in another currency, for money that is
// gone, and for charges that are none of ours.
func TestReversalOutOfOrder(t *testing.T) {
	w := newWorld(t)
	w.Gateway = &cashier{}
	row := w.issue("100")
	c := w.start(row)
	w.tells(reversal("evt_early", billing.EventReversed, "re_1", c, 11600, false))
	if w.outcome("evt_early") != "waiting" {
		t.Fatal(w.outcome("evt_early"))
	}
	if err := w.event("evt_paid", billing.EventPaid, c); err != nil {
		t.Fatal(err)
	}
	if row = w.reload(row); row.Balance != 11600 || w.outcome("evt_early") != "booked" {
		t.Fatalf("%d owed, %s", row.Balance, w.outcome("evt_early"))
	}
	second, d := w.paid()
	w.tells(reversal("evt_undone", billing.EventRestored, "re_2", d, 11600, false), reversal("evt_then", billing.EventReversed, "re_2", d, 11600, false))
	if second = w.reload(second); second.Status != db.InvoicePaid || w.outcome("evt_then") != "late" {
		t.Fatalf("%s %s", second.Status, w.outcome("evt_then"))
	}
	dollars := reversal("evt_usd", billing.EventReversed, "re_3", d, 100, false)
	dollars.Currency = money.USD
	strange := reversal("evt_strange", billing.EventReversed, "re_4", d, 100, false)
	strange.Charge = "pi-of-somebody-else"
	nothing := reversal("evt_nothing", billing.EventReversed, "re_5", d, 0, false)
	w.tells(dollars, strange, nothing)
	if got := []string{w.outcome("evt_usd"), w.outcome("evt_strange"), w.outcome("evt_nothing")}; fmt.Sprint(got) != "[mismatch waiting ignored]" {
		t.Fatal(got)
	}
	// Cancelled and the credit spent elsewhere: nothing is left to take.
	must(t, func() (db.Invoice, error) {
		return w.CancelInvoice(w.staff(), billing.CloseInput{InvoiceID: second.ID, Reason: "x"})
	})
	must(t, func() (db.Refund, error) {
		return w.RecordRefund(w.staff(), billing.RefundInput{ClientID: w.client.ID, Amount: 11600, Method: "transfer", RequestKey: w.key()})
	})
	w.tells(reversal("evt_gone", billing.EventReversed, "dp_9", d, 11600, true))
	if w.outcome("evt_gone") != "unbooked" {
		t.Fatal(w.outcome("evt_gone"))
	}
	var noted int
	if err := w.sql.QueryRow("SELECT count(*) FROM audit WHERE verb = 'payment.dispute_unbooked'").Scan(&noted); err != nil || noted != 1 {
		t.Fatalf("%d %v", noted, err)
	}
	w.balanced()
}

// However the events of a payment, its refunds and a dispute are ordered and repeated, the books end
// the same, and they add up after every one.
func TestEventOrders(t *testing.T) {
	w := newWorld(t)
	w.Gateway = &cashier{}
	serial := 0
	rapid.Check(t, func(rt *rapid.T) {
		serial++
		row := w.issue("100")
		c := w.start(row)
		paid := billing.GatewayEvent{Kind: billing.EventPaid, Checkout: c.ID, Session: "ses-" + c.ID.String(), Charge: "pi-" + c.ID.String(), Amount: c.Amount, Currency: c.Currency}
		events := []billing.GatewayEvent{paid, paid}
		owed := money.Minor(0)
		for n := range rapid.IntRange(0, 3).Draw(rt, "refunds") {
			subject := fmt.Sprintf("re_%d_%d", serial, n)
			events = append(events, reversal("", billing.EventReversed, subject, c, 1000, n == 2), reversal("", billing.EventReversed, subject, c, 1000, n == 2))
			if rapid.Bool().Draw(rt, "undone") {
				events = append(events, reversal("", billing.EventRestored, subject, c, 1000, n == 2))
			} else {
				owed += 1000
			}
		}
		for i := range events {
			events[i].Ref = fmt.Sprintf("evt_%d_%d", serial, i)
		}
		for _, e := range rapid.Permutation(events).Draw(rt, "order") {
			if err := w.tell(e); err != nil {
				rt.Fatal(err)
			}
		}
		got := w.reload(row)
		credit := w.credit()
		if got.Balance-credit != owed {
			rt.Fatalf("%d owed and %d credit, want %d owed", got.Balance, credit, owed)
		}
		if owed > 0 && got.Balance > 0 { // leave no credit and no debt to the next round
			w.pay(got, got.Balance)
		}
		if credit > 0 {
			must(t, func() (db.Refund, error) {
				return w.RecordRefund(w.staff(), billing.RefundInput{ClientID: w.client.ID, Amount: credit, Method: "transfer", RequestKey: w.key()})
			})
		}
	})
	w.balanced()
}

// What a crash between the payment and our commit leaves: the gateway has the money, we have nothing,
// and its next copy of the event books it once.
func TestCrashBeforeCommit(t *testing.T) {
	w := newWorld(t)
	w.Gateway = &cashier{}
	row := w.issue("100")
	c := w.start(row)
	if _, err := w.sql.Exec(`CREATE FUNCTION crash() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'crash'; END $$;
		CREATE CONSTRAINT TRIGGER crash AFTER UPDATE ON gateway_event DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION crash()`); err != nil {
		t.Fatal(err)
	}
	if err := w.event("evt_1", billing.EventPaid, c); err == nil {
		t.Fatal("the event counts as done although nothing was saved")
	}
	if row = w.reload(row); row.Paid != 0 {
		t.Fatalf("half-saved: %d paid", row.Paid)
	}
	if _, err := w.sql.Exec("DROP TRIGGER crash ON gateway_event"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := w.event("evt_1", billing.EventPaid, c); err != nil {
			t.Fatal(err)
		}
	}
	if row = w.reload(row); row.Status != db.InvoicePaid || w.credit() != 0 {
		t.Fatalf("%s, credit %d", row.Status, w.credit())
	}
	w.balanced()
}

// The webhook never came: the payer's return, the clock and the next payment all find out.
func TestCheckoutWithoutWebhook(t *testing.T) {
	for name, find := range map[string]func(*world, db.Checkout) error{
		"return": func(w *world, c db.Checkout) error { _ = w.checkout(c.ID); return nil },
		"clock":  func(w *world, _ db.Checkout) error { return w.ReviewCheckouts(w.system()) },
		"again": func(w *world, c db.Checkout) error {
			_, err := w.StartCheckout(w.login(access.Invoices), billing.CheckoutInput{Invoices: []id.Invoice{1}})
			if f, ok := fault.As(err); !ok || f.Code != "INVOICE_NOT_OPEN" {
				return fmt.Errorf("paid twice: %w", err)
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			gateway := &cashier{pages: map[string]billing.GatewayEvent{}}
			w.Gateway = gateway
			row := w.issue("100")
			c := w.start(row)
			gateway.pages[c.SessionRef] = billing.GatewayEvent{Kind: billing.EventPaid, Checkout: c.ID, Session: c.SessionRef, Charge: "pi", Amount: c.Amount, Currency: c.Currency}
			later := time.Now().Add(20 * time.Minute)
			w.now.Store(&later)
			if _, err := w.sql.Exec("UPDATE checkout SET expires_at = now() + interval '1 day'"); err != nil {
				t.Fatal(err)
			}
			if err := find(w, c); err != nil {
				t.Fatal(err)
			}
			if row = w.reload(row); row.Status != db.InvoicePaid {
				t.Fatal(row.Status)
			}
			if err := w.event("evt_late", billing.EventPaid, c); err != nil { // after all
				t.Fatal(err)
			}
			if w.credit() != 0 {
				t.Fatalf("booked twice: credit %d", w.credit())
			}
			w.balanced()
		})
	}
}

func TestReviewReleases(t *testing.T) {
	w := newWorld(t)
	gateway := &cashier{pages: map[string]billing.GatewayEvent{}}
	w.Gateway = gateway
	c := w.start(w.issue("100"))
	later := time.Now().Add(20 * time.Minute)
	w.now.Store(&later)
	gateway.down = true
	if err := w.ReviewCheckouts(w.system()); err == nil {
		t.Fatal("no word of a gateway that does not answer")
	}
	gateway.down = false
	gateway.pages[c.SessionRef] = billing.GatewayEvent{Kind: billing.EventExpired, Session: c.SessionRef}
	if err := w.ReviewCheckouts(w.system()); err != nil {
		t.Fatal(err)
	}
	if got := w.checkout(c.ID); got.Status != db.CheckoutExpired {
		t.Fatal(got.Status)
	}
	if err := w.ReviewCheckouts(w.login(access.Invoices)); !fault.Is(err, fault.Forbidden) {
		t.Fatal(err)
	}
}

// A page for other amounts of an invoice is closed when a new one is opened.
func TestCheckoutCloses(t *testing.T) {
	w := newWorld(t)
	gateway := &cashier{}
	w.Gateway = gateway
	a, b, other := w.issue("100"), w.issue("50"), w.issue("7")
	both, alone := w.start(a, b), w.start(other)
	w.pay(a, 600)
	fresh := w.start(a)
	if fresh.ID == both.ID || fresh.Amount != 11000 || len(gateway.expired) != 1 || gateway.expired[0] != both.SessionRef {
		t.Fatalf("%+v, closed %v", fresh, gateway.expired)
	}
	if got := w.checkout(both.ID); got.Status != db.CheckoutExpired {
		t.Fatal(got.Status)
	}
	if got := w.checkout(alone.ID); got.Status != db.CheckoutOpen {
		t.Fatal(got.Status)
	}
	// Who sees as the client pays nothing.
	actor := access.From(w.login(access.Invoices))
	actor.Viewing = true
	_, err := w.StartCheckout(access.With(context.Background(), actor), billing.CheckoutInput{Invoices: []id.Invoice{a.ID}})
	wrong(t, err, "", "READ_ONLY")
	w.balanced()
}

// A payment that staff voided and the gateway gave back as well, in either order, costs the client nothing of its other
// credit: the gateway's word waits for a person, and voiding is refused.
func TestVoidedAndReturned(t *testing.T) {
	for _, c := range []struct {
		name    string
		dispute bool
	}{{"refund", false}, {"dispute", true}} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.Gateway = &cashier{}
			credit := func(n money.Minor) {
				must(t, func() (db.Payment, error) {
					return w.ReceivePayment(w.staff(), billing.ReceiveInput{ClientID: w.client.ID, Amount: n, Method: "transfer", ExcessToCredit: true, RequestKey: w.key()})
				})
			}
			row, checkout := w.paid()
			credit(50000)
			payment := must(t, func() ([]db.Payment, error) { return w.Payments(w.staff(), row.ID) })[0]
			must(t, func() (db.Payment, error) {
				return w.VoidPayment(w.staff(), billing.VoidInput{PaymentID: payment.ID, Reason: "Contracargo"})
			})
			if err := w.tell(reversal("e-1", billing.EventReversed, "re_1", checkout, payment.Amount, c.dispute)); err != nil {
				t.Fatal(err)
			}
			if w.credit() != 50000 || w.reload(row).Balance != row.Total || len(w.reviewed()) != 1 {
				t.Errorf("voided first: credit %d, balance %d, %d to review", w.credit(), w.reload(row).Balance, len(w.reviewed()))
			}
			row, checkout = w.paid()
			payment = must(t, func() ([]db.Payment, error) { return w.Payments(w.staff(), row.ID) })[0]
			if err := w.tell(reversal("e-2", billing.EventReversed, "re_2", checkout, payment.Amount, c.dispute)); err != nil {
				t.Fatal(err)
			}
			before, balance := w.credit(), w.reload(row).Balance
			_, err := w.VoidPayment(w.staff(), billing.VoidInput{PaymentID: payment.ID, Reason: "Contracargo"})
			if f, ok := fault.As(err); !ok || f.Code != "PAYMENT_RETURNED" || w.credit() != before || w.reload(row).Balance != balance {
				t.Errorf("returned first: %v, credit %d -> %d", err, before, w.credit())
			}
			w.balanced()
		})
	}
}
