package billing_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// cashier is a gateway whose events are plain JSON, signed "ok".
type cashier struct {
	mu       sync.Mutex
	requests []billing.CheckoutRequest
	expired  []string
	pages    map[string]billing.GatewayEvent // what ReadCheckout answers
	down     bool
	least    money.Minor
}

// wire is an event as JSON: an id is text there, which 0 has none of.
type wire struct {
	billing.GatewayEvent
	Checkout int64
}

func (*cashier) Name() string { return "cashier" }

func (c *cashier) Minimum(money.Currency) money.Minor { return c.least }

func (c *cashier) CreateCheckout(_ context.Context, r billing.CheckoutRequest) (billing.CheckoutSession, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return billing.CheckoutSession{}, errors.New("down")
	}
	c.requests = append(c.requests, r)
	return billing.CheckoutSession{Ref: "ses-" + r.Checkout.String(), URL: "https://pay.example/" + r.Checkout.String(), ExpiresAt: time.Date(2026, 3, 11, 18, 0, 0, 0, time.UTC)}, nil
}

func (c *cashier) ReadCheckout(_ context.Context, session string) (billing.GatewayEvent, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.down {
		return billing.GatewayEvent{}, errors.New("down")
	}
	if e, ok := c.pages[session]; ok {
		return e, nil
	}
	return billing.GatewayEvent{Kind: billing.EventOther}, nil
}

func (c *cashier) ExpireCheckout(_ context.Context, session string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.expired = append(c.expired, session)
	return nil
}

func (*cashier) ParseEvent(payload []byte, signature string) (billing.GatewayEvent, error) {
	var e wire
	if signature != "ok" {
		return e.GatewayEvent, billing.ErrSignature
	}
	err := json.Unmarshal(payload, &e)
	e.GatewayEvent.Checkout = id.Checkout(e.Checkout)
	return e.GatewayEvent, err
}

func (w *world) event(ref, kind string, c db.Checkout) error {
	return w.tell(billing.GatewayEvent{Ref: ref, Kind: kind, Checkout: c.ID, Session: "ses-" + c.ID.String(), Charge: "pi-" + c.ID.String(), Amount: c.Amount, Currency: c.Currency})
}

func (w *world) tell(event billing.GatewayEvent) error {
	payload, _ := json.Marshal(wire{event, int64(event.Checkout)})
	return w.ReceiveGatewayEvent(context.Background(), payload, "ok")
}

func (w *world) start(rows ...db.Invoice) db.Checkout {
	w.Helper()
	ids := []id.Invoice{}
	for _, row := range rows {
		ids = append(ids, row.ID)
	}
	return must(w, func() (db.Checkout, error) {
		return w.StartCheckout(w.login(access.Invoices), billing.CheckoutInput{Invoices: ids, Return: "/clientes/cli_1/pagar"})
	})
}

func (w *world) checkout(checkoutID id.Checkout) db.Checkout {
	w.Helper()
	row, _, err := w.Checkout(w.login(access.Invoices), checkoutID)
	if err != nil {
		w.Fatal(err)
	}
	return row
}

func TestCheckout(t *testing.T) {
	w := newWorld(t)
	gateway := &cashier{}
	w.Gateway = gateway
	a, b := w.issue("100"), w.issue("50")
	c := w.start(a, b)
	if c.Amount != 17400 || c.Status != db.CheckoutOpen || c.URL == "" || len(gateway.requests[0].Items) != 2 {
		t.Fatalf("%+v", c)
	}
	if again := w.start(b, a); again.ID != c.ID || len(gateway.requests) != 1 {
		t.Fatal("two clicks opened two pages")
	}
	// A hundred times the same event, ten at once, and a second event about the same payment.
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			for range 10 {
				if err := w.event("evt_1", billing.EventPaid, c); err != nil {
					t.Error(err)
				}
			}
			if err := w.event("evt_2", billing.EventPaid, c); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if err := w.event("evt_3", billing.EventExpired, c); err != nil { // comes late
		t.Fatal(err)
	}
	c = w.checkout(c.ID)
	if a, b = w.reload(a), w.reload(b); a.Status != db.InvoicePaid || b.Status != db.InvoicePaid || w.credit() != 0 || c.Status != db.CheckoutPaid || c.PaymentID == 0 {
		t.Fatalf("%s %s, credit %d, checkout %s", a.Status, b.Status, w.credit(), c.Status)
	}
	list := must(t, func() (db.List[db.Payment], error) {
		return w.ClientPayments(w.staff(), w.client.ID, db.Page{})
	})
	if len(list.Rows) != 1 || list.Rows[0].Amount != 17400 || list.Rows[0].Method != "card" {
		t.Fatalf("%+v", list.Rows)
	}
	w.balanced()
}

func TestCheckoutOutOfOrder(t *testing.T) {
	w := newWorld(t)
	w.Gateway = &cashier{}
	row := w.issue("100")
	c := w.start(row)
	for _, step := range []struct{ kind, status string }{
		{billing.EventExpired, db.CheckoutExpired},
		{billing.EventProcessing, db.CheckoutExpired}, // older than what we know
		{billing.EventPaid, db.CheckoutPaid},          // money is money
		{billing.EventFailed, db.CheckoutPaid},
	} {
		if err := w.event("evt_"+step.kind, step.kind, c); err != nil {
			t.Fatal(err)
		}
		if got := w.checkout(c.ID); got.Status != step.status {
			t.Fatalf("%s after %s", got.Status, step.kind)
		}
	}
	if row = w.reload(row); row.Status != db.InvoicePaid {
		t.Fatal(row.Status)
	}
	// Paid by transfer while the client was at the gateway: the card's money is credit.
	second := w.issue("100")
	c = w.start(second)
	w.pay(second, 11600)
	if err := w.event("evt_x", billing.EventPaid, c); err != nil {
		t.Fatal(err)
	}
	if w.credit() != 11600 {
		t.Fatalf("credit %d", w.credit())
	}
	// The same when it was cancelled.
	third := w.issue("10")
	c = w.start(third)
	must(t, func() (db.Invoice, error) {
		return w.CancelInvoice(w.staff(), billing.CloseInput{InvoiceID: third.ID, Reason: "x"})
	})
	if err := w.event("evt_y", billing.EventPaid, c); err != nil {
		t.Fatal(err)
	}
	if w.credit() != 11600+1160 {
		t.Fatalf("credit %d", w.credit())
	}
	w.balanced()
}

func TestCheckoutRefusals(t *testing.T) {
	w := newWorld(t)
	row := w.issue("100")
	in := billing.CheckoutInput{Invoices: []id.Invoice{row.ID}}
	_, err := w.StartCheckout(w.login(access.Invoices), in)
	wrong(t, err, "", "GATEWAY_MISSING")
	gateway := &cashier{down: true}
	w.Gateway = gateway
	_, err = w.StartCheckout(w.login(access.Invoices), in)
	wrong(t, err, "", "GATEWAY_FAILED")
	gateway.down = false
	if c := w.start(row); c.Status != db.CheckoutOpen { // the next try goes on
		t.Fatalf("%+v", c)
	}
	if _, err := w.StartCheckout(w.login(access.Emails), in); !fault.Is(err, fault.NotFound) {
		t.Fatalf("without the permission: %v", err)
	}
	_, err = w.StartCheckout(w.login(access.Invoices), billing.CheckoutInput{})
	wrong(t, err, "invoices", "REQUIRED")
	stranger := dbtest.Client(t, w.store, "Otro", "otro@cliente.example")
	other := w.input("10")
	other.ClientID = stranger.ID
	theirs := must(t, func() (db.Invoice, error) { return w.IssueInvoice(w.staff(), other) })
	_, err = w.StartCheckout(w.login(access.Invoices), billing.CheckoutInput{Invoices: []id.Invoice{row.ID, theirs.ID}})
	wrong(t, err, "", "NOT_FOUND")
	_, err = w.StartCheckout(w.staff(), billing.CheckoutInput{Invoices: []id.Invoice{row.ID, theirs.ID}})
	wrong(t, err, "invoices[1]", "VALUE_INVALID")
	if got := gateway.requests[0].SuccessURL; !strings.HasPrefix(got, "https://avisa.example/clientes/") {
		t.Fatal(got)
	}
	w.pay(row, 11600)
	_, err = w.StartCheckout(w.login(access.Invoices), in)
	wrong(t, err, "", "INVOICE_NOT_OPEN")

	wrong(t, w.ReceiveGatewayEvent(context.Background(), []byte("{}"), "forged"), "", "SIGNATURE_INVALID")
	fresh := w.issue("100")
	c := w.start(fresh)
	c.Currency = money.USD
	if err := w.event("evt_m", billing.EventPaid, c); err != nil {
		t.Fatal(err)
	}
	if fresh = w.reload(fresh); fresh.Paid != 0 {
		t.Fatal("dollars paid pesos")
	}
	if err := w.event("evt_n", billing.EventPaid, db.Checkout{ID: 999, Amount: 1, Currency: money.MXN}); err != nil {
		t.Fatalf("an event of another installation: %v", err)
	}
	w.balanced()
}

func TestPayLink(t *testing.T) {
	w := newWorld(t)
	w.Gateway = &cashier{}
	row := w.issue("100")
	contact := dbtest.Contact(t, w.store, w.client, "contadora@cliente.example", time.Now(), mail.Invoice)
	link := func(in billing.PayLinkInput) string {
		url := must(t, func() (string, error) { return w.PayLink(w.system(), in) })
		token, ok := strings.CutPrefix(url, "https://avisa.example/pagar/")
		if !ok {
			t.Fatal(url)
		}
		return token
	}
	token := link(billing.PayLinkInput{InvoiceID: row.ID, ContactID: contact.ID})
	nobody := context.Background()
	page := must(t, func() (billing.PayPage, error) { return w.OpenPayLink(nobody, token) })
	if page.Invoice.ID != row.ID || len(page.Lines) != 1 || !page.Online || page.Transfer.Reference != billing.PaymentReference(w.client.ID) {
		t.Fatalf("%+v", page)
	}
	c := must(t, func() (db.Checkout, error) { return w.StartCheckoutByLink(nobody, token) })
	if c.Amount != 11600 {
		t.Fatalf("%+v", c)
	}
	if err := w.RenderPDF(w.system(), billing.RenderJob{InvoiceID: row.ID, Version: row.UpdatedAt.UnixMicro()}); err != nil {
		t.Fatal(err)
	}
	file := must(t, func() (billing.Download, error) { return w.OpenPDFByLink(nobody, token, "192.0.2.1") })
	_ = file.Close()

	void := func(what, token string) {
		t.Helper()
		_, err := w.OpenPayLink(nobody, token)
		if f, ok := fault.As(err); !ok || f.Code != "LINK_INVALID" {
			t.Errorf("%s: %v", what, err)
		}
	}
	for i := range token { // any changed character
		other := byte('A')
		if token[i] == other {
			other = 'B'
		}
		void(fmt.Sprintf("character %d", i), token[:i]+string(other)+token[i+1:])
	}
	void("empty", "")
	void("cut", token[:20])
	short := link(billing.PayLinkInput{InvoiceID: row.ID, Lifetime: time.Hour})
	w.at("2026-03-10T19:00:00Z")
	void("after its time", short)
	if _, err := w.RevokePayLinks(w.login(access.Invoices), row.ID); !fault.Is(err, fault.Forbidden) {
		t.Fatalf("a sub-account revoked links: %v", err)
	}
	if _, err := w.RevokePayLinks(w.staff(), row.ID); err != nil {
		t.Fatal(err)
	}
	void("revoked", token)
	w.at("2026-03-10T19:00:02Z")
	token = link(billing.PayLinkInput{InvoiceID: row.ID, ContactID: contact.ID})
	if _, err := w.OpenPayLink(nobody, token); err != nil {
		t.Fatalf("a link made after the revocation: %v", err)
	}
	if _, err := w.sql.Exec("UPDATE contact SET deleted_at = now()"); err != nil {
		t.Fatal(err)
	}
	void("of a deleted contact", token)
	if _, err := w.PayLink(w.login(access.Invoices), billing.PayLinkInput{InvoiceID: row.ID}); !fault.Is(err, fault.Forbidden) {
		t.Fatal(err)
	}
}
