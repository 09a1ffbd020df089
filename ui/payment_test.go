package ui

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/internal/stripe"
	"github.com/nubedigitalmx/avisa/internal/stripe/sandbox"
)

// cashier puts the sandbox of Stripe behind the world's billing, over HTTP in both directions.
func (w *world) cashier() *sandbox.Server {
	w.Helper()
	const secret = "whsec_de_prueba"
	c := sandbox.New(sandbox.Config{WebhookURL: w.server.URL + GatewayPath, WebhookSecret: secret, PageURL: "https://pasarela.example", Now: time.Now})
	api := httptest.NewServer(c.API())
	w.Cleanup(api.Close)
	gateway, err := stripe.New(stripe.Config{Key: sandbox.Key, WebhookSecret: secret, URL: api.URL})
	if err != nil {
		w.Fatal(err)
	}
	w.billing.Gateway, w.billing.BaseURL = gateway, w.server.URL
	return c
}

func (w *world) another(client db.Client, key string, price string) db.Invoice {
	w.Helper()
	row, err := w.billing.IssueInvoice(system(w.Context()), billing.IssueInput{ClientID: client.ID, DueDate: "2026-05-20", RequestKey: key,
		Lines: []billing.LineInput{{Description: "Dominio", Quantity: money.Int(1), UnitPrice: money.Must(price)}}})
	if err != nil {
		w.Fatal(err)
	}
	return row
}

// page is the sandbox's page that an answer leads to.
func page(t *testing.T, a answer) string {
	t.Helper()
	ref, ok := strings.CutPrefix(a.Header.Get("Location"), "https://pasarela.example/")
	if !ok {
		t.Fatalf("leads to %q", a.Header.Get("Location"))
	}
	return ref
}

func TestPay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cashier := w.cashier()
	second := w.another(w.client, "dos", "500")
	v := w.as(bookkeeper)
	path := "/clientes/" + w.client.ID.String() + "/pagar"
	choice := url.Values{"elegir": {"1"}, "factura": {w.invoice.ID.String(), second.ID.String()}}

	all := v.get(path).want(t, http.StatusOK)
	all.shows(t, w.invoice.Number, second.Number, "$1,740.00 MXN", "2 facturas elegidas", "Pagar con tarjeta", "Referencia numérica", billing.PaymentReference(w.client.ID))
	if csp := all.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "form-action 'self' https:;") {
		t.Errorf("the browser would not follow to the gateway: %s", csp)
	}
	v.get(path+"?elegir=1&factura="+second.ID.String()).shows(t, "$580.00 MXN", "1 factura elegida")
	v.get(path+"?elegir=1").shows(t, "$0.00 MXN", "0 facturas elegidas")
	v.get(path+"?pago=sin-terminar").shows(t, "El pago con tarjeta no se terminó")
	v.post(path, url.Values{"elegir": {"1"}}).want(t, http.StatusUnprocessableEntity).shows(t, "Elija al menos una factura")
	v.post(path, url.Values{"factura": {w.alien.ID.String()}}).want(t, http.StatusNotFound)
	v.post(path, url.Values{"factura": {"x"}}).want(t, http.StatusNotFound)

	ref := page(t, v.post(path, choice).want(t, http.StatusSeeOther))
	if again := page(t, v.post(path, choice).want(t, http.StatusSeeOther)); again != ref {
		t.Fatalf("two clicks opened %s and %s", ref, again)
	}
	session, _ := cashier.Session(ref)
	if session.AmountTotal != 174000 || session.Currency != "mxn" {
		t.Fatalf("%+v", session)
	}
	back := strings.TrimPrefix(session.SuccessURL, w.server.URL)
	v.get(back).want(t, http.StatusOK).shows(t, "Esperamos la confirmación", "Continuar al pago", w.invoice.Number+", "+second.Number)

	paid, event := cashier.Finish(ref, "paid")
	body := cashier.Event("evt_1", event, paid)
	// A hundred copies, ten at once.
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			for range 10 {
				if err := cashier.Post(t.Context(), body); err != nil {
					t.Error(err)
				}
			}
		})
	}
	group.Wait()
	v.get(back).want(t, http.StatusOK).shows(t, "Pago recibido", "$1,740.00 MXN").hides(t, "Continuar al pago", "hx-trigger")
	v.get(path).want(t, http.StatusOK).shows(t, "Está al corriente")
	v.post(path, choice).want(t, http.StatusUnprocessableEntity).shows(t, "La factura no está pendiente de pago")
	payments, err := w.billing.ClientPayments(system(t.Context()), w.client.ID, db.Page{})
	if err != nil || len(payments.Rows) != 1 || payments.Rows[0].Amount != 174000 {
		t.Fatalf("%+v %v", payments.Rows, err)
	}
	// Another client's login sees none of it.
	w.as(stranger).get(back).want(t, http.StatusNotFound)
	w.as(stranger).get(strings.Replace(back, w.client.ID.String(), w.other.ID.String(), 1)).want(t, http.StatusNotFound)
	w.as(assistant).get(back).want(t, http.StatusForbidden)
	v.get(path+"/chk_999").want(t, http.StatusNotFound)

	// Refunded in Stripe's dashboard: the invoice is owed again.
	if err := cashier.Send(t.Context(), "refund.created", sandbox.Refund("re_1", paid, 58000, "succeeded")); err != nil {
		t.Fatal(err)
	}
	v.get(path).want(t, http.StatusOK).shows(t, "$580.00 MXN")
}

func TestPayStates(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cashier := w.cashier()
	v := w.as(owner)
	path := "/clientes/" + w.client.ID.String() + "/pagar"
	start := func() (string, string) {
		ref := page(t, v.post(path, url.Values{"factura": {w.invoice.ID.String()}}).want(t, http.StatusSeeOther))
		session, _ := cashier.Session(ref)
		return ref, strings.TrimPrefix(session.SuccessURL, w.server.URL)
	}
	ref, back := start()
	session, event := cashier.Finish(ref, "expired")
	if err := cashier.Send(t.Context(), event, session); err != nil {
		t.Fatal(err)
	}
	v.get(back).shows(t, "El pago venció", "Intentar de nuevo")

	ref, back = start()
	session, event = cashier.Finish(ref, "processing")
	if err := cashier.Send(t.Context(), event, session); err != nil {
		t.Fatal(err)
	}
	v.get(back).shows(t, "Su pago está en proceso")
	if err := cashier.Send(t.Context(), "checkout.session.async_payment_failed", session); err != nil {
		t.Fatal(err)
	}
	v.get(back).shows(t, "El pago no se completó", "Intentar de nuevo")

	// The gateway is down: a clear word, and the transfer instructions stay.
	w.billing.Gateway = down{}
	v.post(path, url.Values{"factura": {w.invoice.ID.String()}}).want(t, http.StatusServiceUnavailable).shows(t, "La pasarela de pago no responde", "Referencia numérica")
	w.billing.Gateway = nil
	v.get(path).hides(t, "Pagar con tarjeta").shows(t, "Pagar por transferencia")
	v.post(path, url.Values{"factura": {w.invoice.ID.String()}}).want(t, http.StatusServiceUnavailable).shows(t, "no está configurado")
}

// down is a gateway that does not answer.
type down struct{ billing.Gateway }

func (down) Name() string { return "down" }

func (down) Minimum(money.Currency) money.Minor { return 0 }

func (down) CreateCheckout(context.Context, billing.CheckoutRequest) (billing.CheckoutSession, error) {
	return billing.CheckoutSession{}, errors.New("no answer")
}

func TestPayLink(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cashier := w.cashier()
	hidden := w.another(w.client, "otra", "777")
	link, err := w.billing.PayLink(system(t.Context()), billing.PayLinkInput{InvoiceID: w.invoice.ID})
	if err != nil {
		t.Fatal(err)
	}
	path := strings.TrimPrefix(link, w.server.URL)
	v := w.visit()
	first := v.get(path).want(t, http.StatusOK)
	first.shows(t, w.invoice.Number, "$1,160.00 MXN", "Pagar con tarjeta", "Referencia numérica", "El PDF se está preparando").hides(t, hidden.Number, "777")
	if first.Header.Get("Referrer-Policy") != "no-referrer" || first.Header.Get("Cache-Control") != "private, no-store" {
		t.Errorf("the key in the address leaks: %v", first.Header)
	}
	v.get(path+"/pdf").want(t, http.StatusServiceUnavailable)
	w.render(w.invoice)
	if file := v.get(path+"/pdf").want(t, http.StatusOK); !strings.HasPrefix(file.body, "%PDF") {
		t.Error("no PDF")
	}
	ref := page(t, v.post(path, nil).want(t, http.StatusSeeOther))
	session, _ := cashier.Session(ref)
	back := strings.TrimPrefix(session.SuccessURL, w.server.URL)
	if !strings.HasPrefix(back, path+"/chk_") || session.AmountTotal != 116000 {
		t.Fatalf("%+v", session)
	}
	// The link shows its own payment alone.
	other, err := w.billing.StartCheckout(system(t.Context()), billing.CheckoutInput{Invoices: []id.Invoice{hidden.ID}})
	if err != nil {
		t.Fatal(err)
	}
	v.get(path+"/"+other.ID.String()).want(t, http.StatusNotFound)
	v.get(path+"/x").want(t, http.StatusNotFound)
	paid, event := cashier.Finish(ref, "paid")
	if err := cashier.Send(t.Context(), event, paid); err != nil {
		t.Fatal(err)
	}
	v.get(back).want(t, http.StatusOK).shows(t, "Pago recibido", "Volver a la factura")
	v.get(path).want(t, http.StatusOK).shows(t, "no tiene saldo pendiente").hides(t, "Pagar con tarjeta")
	v.post(path, nil).want(t, http.StatusConflict).shows(t, "no está pendiente de pago")
	v.get(path+"x").want(t, http.StatusNotFound).shows(t, "ya no es válido")
	if _, err := w.billing.RevokePayLinks(system(t.Context()), w.invoice.ID); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{path, path + "/pdf", back} {
		v.get(at).want(t, http.StatusNotFound)
	}
}

// Whoever posts to the webhook without the secret gets nothing, and learns nothing.
func TestGatewayDoor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cashier := w.cashier()
	v := w.visit()
	good := string(cashier.Event("evt_1", "checkout.session.completed", sandbox.Session{ID: "cs_1", ClientRef: "chk_1", PaymentStatus: "paid", AmountTotal: 1, Currency: "mxn"}))
	for name, c := range map[string]struct {
		body, signature string
		status          int
	}{
		"no signature":       {good, "", http.StatusBadRequest},
		"a forged signature": {good, fmt.Sprintf("t=%d,v1=%064d", time.Now().Unix(), 0), http.StatusBadRequest},
		"nothing":            {"", "", http.StatusBadRequest},
		"too much":           {strings.Repeat("x", 300<<10), "", http.StatusRequestEntityTooLarge},
	} {
		got := v.do(http.MethodPost, GatewayPath, strings.NewReader(c.body), "Content-Type", "application/json", "Stripe-Signature", c.signature)
		if got.StatusCode != c.status {
			t.Errorf("%s: %d %s", name, got.StatusCode, got.body)
		}
	}
	// Signed but not understood: an error of ours is repeated, what is none of ours is taken.
	if err := cashier.Post(t.Context(), []byte("{")); err == nil {
		t.Error("a broken event counts as done")
	}
	for _, kind := range []string{"customer.created", "checkout.session.completed"} {
		if err := cashier.Send(t.Context(), kind, map[string]any{"id": "cus_1", "object": "customer"}); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
	w.billing.Gateway = nil
	v.do(http.MethodPost, GatewayPath, strings.NewReader(good), "Content-Type", "application/json").want(t, http.StatusNotFound)
}
