package billing_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// reviewed returns the events that wait for a decision.
func (w *world) reviewed() []db.GatewayEvent {
	w.Helper()
	list := must(w, func() (db.List[db.GatewayEvent], error) { return w.ReviewedEvents(w.staff(), false, db.Page{}) })
	if n := must(w, func() (int64, error) { return w.UndecidedEvents(w.staff()) }); int(n) != len(list.Rows) {
		w.Errorf("%d are counted, %d listed", n, len(list.Rows))
	}
	return list.Rows
}

// Money in another currency than was asked for waits for a person, who books it or does not.
func TestGatewayMismatch(t *testing.T) {
	w := newWorld(t)
	w.Gateway = &cashier{}
	a := w.issue("100")
	in := w.input("100")
	in.Currency, in.ExchangeRate, in.RateSource = money.USD, money.Must("18.5"), "DOF"
	dollars := must(t, func() (db.Invoice, error) { return w.IssueInvoice(w.staff(), in) })
	c := w.start(a)
	event := billing.GatewayEvent{Ref: "e1", Kind: billing.EventPaid, Checkout: c.ID, Session: c.SessionRef, Charge: "pi-1", Amount: 11600, Currency: money.USD}
	for range 3 {
		if err := w.tell(event); err != nil {
			t.Fatal(err)
		}
	}
	rows := w.reviewed()
	if len(rows) != 1 || rows[0].Outcome != db.GatewayMismatch || rows[0].ClientID != w.client.ID || rows[0].Amount != 11600 || !billing.Bookable(rows[0]) {
		t.Fatalf("%+v", rows)
	}
	if n := w.count("SELECT count(*) FROM outbox WHERE kind = 'billing:gateway-event'"); n != 1 {
		t.Errorf("staff is told %d times", n)
	}
	key := rows[0].ID
	if _, err := w.BookGatewayEvent(w.login(access.Invoices), key, 0); !fault.Is(err, fault.Forbidden) {
		t.Error(err)
	}
	if _, err := w.ReviewedEvents(w.login(access.Invoices), false, db.Page{}); !fault.Is(err, fault.Forbidden) {
		t.Error(err)
	}
	if _, err := w.BookGatewayEvent(w.staff(), key, a.ID); err == nil {
		t.Error("dollars settle an invoice in pesos")
	}
	if _, err := w.BookGatewayEvent(w.staff(), key+100, 0); !fault.Is(err, fault.NotFound) {
		t.Error(err)
	}
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			if row, err := w.BookGatewayEvent(w.staff(), key, dollars.ID); err != nil || row.Decision != db.GatewayBooked || row.PaymentID == 0 {
				t.Errorf("%+v %v", row, err)
			}
		})
	}
	group.Wait()
	if dollars = w.reload(dollars); dollars.Status != db.InvoicePaid || w.reload(a).Status != db.InvoiceIssued || len(w.reviewed()) != 0 {
		t.Errorf("%+v", dollars)
	}
	if c = w.checkout(c.ID); c.Status != db.CheckoutPaid {
		t.Errorf("the checkout is %s", c.Status)
	}
	_, err := w.DismissGatewayEvent(w.staff(), key, "x")
	wrong(t, err, "", "GATEWAY_EVENT_DECIDED")
	list := must(t, func() (db.List[db.GatewayEvent], error) { return w.ReviewedEvents(w.staff(), true, db.Page{}) })
	if len(list.Rows) != 1 || w.count("SELECT count(*) FROM audit WHERE verb = 'gateway.book'") != 1 {
		t.Errorf("%+v", list.Rows)
	}
	w.balanced()
}

// Another amount than was asked for is booked as it came, and staff hears of it.
func TestGatewayDiffers(t *testing.T) {
	w := newWorld(t)
	w.Gateway = &cashier{}
	a := w.issue("100")
	c := w.start(a)
	c.Amount = 5000
	if err := w.event("e1", billing.EventPaid, c); err != nil {
		t.Fatal(err)
	}
	rows := w.reviewed()
	if len(rows) != 1 || rows[0].Outcome != db.GatewayDiffers || billing.Bookable(rows[0]) || w.reload(a).Paid != 5000 {
		t.Fatalf("%+v", rows)
	}
	_, err := w.BookGatewayEvent(w.staff(), rows[0].ID, 0)
	wrong(t, err, "", "GATEWAY_EVENT_UNBOOKABLE")
	_, err = w.DismissGatewayEvent(w.staff(), rows[0].ID, " ")
	wrong(t, err, "reason", "REQUIRED")
	_, err = w.DismissGatewayEvent(w.staff(), rows[0].ID, strings.Repeat("x", 501))
	wrong(t, err, "reason", "TOO_LONG")
	for range 2 {
		must(t, func() (db.GatewayEvent, error) {
			return w.DismissGatewayEvent(w.staff(), rows[0].ID, "Cupón de la pasarela")
		})
	}
	if len(w.reviewed()) != 0 {
		t.Error("it still waits")
	}
	w.balanced()
}

// What was given back beyond what is left here is booked once there is enough of it.
func TestGatewayUnbooked(t *testing.T) {
	w := newWorld(t)
	w.Gateway = &cashier{}
	a := w.issue("100")
	c := w.start(a)
	if err := w.event("e1", billing.EventPaid, c); err != nil {
		t.Fatal(err)
	}
	reversed := billing.GatewayEvent{Ref: "e2", Kind: billing.EventReversed, Charge: "pi-" + c.ID.String(), Reversal: "re-1", Amount: 20000, Currency: money.MXN}
	if err := w.tell(reversed); err != nil {
		t.Fatal(err)
	}
	rows := w.reviewed()
	if len(rows) != 1 || rows[0].Outcome != db.GatewayUnbooked || !billing.Bookable(rows[0]) {
		t.Fatalf("%+v", rows)
	}
	_, err := w.BookGatewayEvent(w.staff(), rows[0].ID, 0)
	wrong(t, err, "", "CREDIT_TOO_LOW")
	must(t, func() (db.Payment, error) {
		return w.ReceivePayment(w.staff(), billing.ReceiveInput{ClientID: w.client.ID, Amount: 10000, Method: "transfer", ExcessToCredit: true, RequestKey: w.key()})
	})
	must(t, func() (db.GatewayEvent, error) { return w.BookGatewayEvent(w.staff(), rows[0].ID, 0) })
	if left := w.reload(a).Balance; left != 10000 || w.credit() != 0 {
		t.Errorf("%d is owed, %d credit", left, w.credit())
	}
	w.balanced()
}

// Less than the gateway takes is refused before its page is opened.
func TestGatewayMinimum(t *testing.T) {
	w := newWorld(t)
	gateway := &cashier{least: 10_00}
	w.Gateway = gateway
	small, other := w.issue("8.61"), w.issue("0.01") // 9.99 and 0.01
	start := func(rows ...db.Invoice) error {
		in := billing.CheckoutInput{Return: "/clientes/cli_1/pagar"}
		for _, row := range rows {
			in.Invoices = append(in.Invoices, row.ID)
		}
		_, err := w.StartCheckout(w.login(access.Invoices), in)
		return err
	}
	wrong(t, start(small), "invoices", "AMOUNT_BELOW_MINIMUM")
	if len(gateway.requests) != 0 || w.count("SELECT count(*) FROM checkout") != 0 {
		t.Error("a page was opened")
	}
	if err := start(small, other); err != nil { // together just enough
		t.Error(err)
	}
}
