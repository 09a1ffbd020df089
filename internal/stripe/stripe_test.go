package stripe_test

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stripe/stripe-go/v85/webhook"
	"github.com/stripe/stripe-mock/embedded"
	"github.com/stripe/stripe-mock/server"

	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/internal/stripe"
	"github.com/nubedigitalmx/avisa/internal/stripe/sandbox"
)

const secret = "whsec_prueba"

// stub is an API whose answers the test makes. What Stripe accepts, its own mock server says in
// TestStripeAccepts.
func stub(t *testing.T, handle http.HandlerFunc) *stripe.Gateway {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	g, err := stripe.New(stripe.Config{Key: "sk_test_secreta", WebhookSecret: secret, URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	return g
}

func TestCreateCheckout(t *testing.T) {
	var form, key, auth string
	g := stub(t, func(w http.ResponseWriter, r *http.Request) {
		_ = r.ParseForm()
		form, key, auth = r.Form.Encode(), r.Header.Get("Idempotency-Key"), r.Header.Get("Authorization")
		if r.Method != http.MethodPost || r.URL.Path != "/v1/checkout/sessions" {
			t.Errorf("%s %s", r.Method, r.URL)
		}
		_, _ = w.Write([]byte(`{"id":"cs_test_1","object":"checkout.session","url":"https://checkout.stripe.example/c/pay/cs_test_1","expires_at":1774000000}`))
	})
	session, err := g.CreateCheckout(t.Context(), billing.CheckoutRequest{Checkout: 7, Currency: money.MXN, Email: "cafe@cliente.example", Language: "es-MX",
		Items:      []billing.CheckoutItem{{Name: "F-1", Amount: 11600}, {Name: "F-2", Amount: 5800}},
		SuccessURL: "https://avisa.example/ok", CancelURL: "https://avisa.example/no"})
	if err != nil || session.Ref != "cs_test_1" || !strings.HasPrefix(session.URL, "https://checkout") || session.ExpiresAt.Unix() != 1774000000 {
		t.Fatalf("%+v %v", session, err)
	}
	for _, want := range []string{"mode=payment", "client_reference_id=chk_7", "locale=es-419", "line_items%5B0%5D%5Bprice_data%5D%5Bunit_amount%5D=11600",
		"line_items%5B1%5D%5Bprice_data%5D%5Bproduct_data%5D%5Bname%5D=F-2", "line_items%5B0%5D%5Bprice_data%5D%5Bcurrency%5D=mxn", "customer_email=cafe%40cliente.example"} {
		if !strings.Contains(form, want) {
			t.Errorf("%s is not in %s", want, form)
		}
	}
	if key != "avisa-chk_7" || auth != "Bearer sk_test_secreta" {
		t.Errorf("key %q, authorization %q", key, auth)
	}
}

// Stripe's own mock server checks every parameter against the specification of its API.
func TestStripeAccepts(t *testing.T) {
	specification, err := server.LoadSpec(embedded.OpenAPISpec, "")
	if err != nil {
		t.Fatal(err)
	}
	mock, err := server.NewStubServer(load(t).Fixtures, specification, false, false)
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	g := stub(t, func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.Path)
		mock.HandleRequest(w, r)
	})
	session, err := g.CreateCheckout(t.Context(), billing.CheckoutRequest{Checkout: 7, Currency: money.MXN, Email: "cafe@cliente.example", Language: "es-MX",
		Items: []billing.CheckoutItem{{Name: "F-1", Amount: 11600}, {Name: "F-2", Amount: 5800}}, SuccessURL: "https://avisa.example/ok", CancelURL: "https://avisa.example/no"})
	if err != nil || session.Ref == "" {
		t.Fatalf("%+v %v", session, err)
	}
	if _, err := g.ReadCheckout(t.Context(), session.Ref); err != nil {
		t.Fatal(err)
	}
	if err := g.ExpireCheckout(t.Context(), session.Ref); err != nil {
		t.Fatal(err)
	}
	if len(asked) != 3 {
		t.Fatalf("asked %v", asked)
	}
}

// The sandbox stands for Stripe in the demo: one page per checkout, which ends once.
func TestSandbox(t *testing.T) {
	cashier := sandbox.New(sandbox.Config{PageURL: "https://avisa.example/p"})
	api := httptest.NewServer(cashier.API())
	t.Cleanup(api.Close)
	g, err := stripe.New(stripe.Config{Key: sandbox.Key, WebhookSecret: secret, URL: api.URL})
	if err != nil {
		t.Fatal(err)
	}
	request := billing.CheckoutRequest{Checkout: 7, Currency: money.MXN, Items: []billing.CheckoutItem{{Name: "F-1", Amount: 11600}}, SuccessURL: "https://avisa.example/ok", CancelURL: "https://avisa.example/no"}
	first, err := g.CreateCheckout(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	again, err := g.CreateCheckout(t.Context(), request)
	if err != nil || again != first {
		t.Fatalf("%+v %v, want %+v", again, err, first)
	}
	request.Items[0].Amount++
	if _, err := g.CreateCheckout(t.Context(), request); err == nil {
		t.Fatal("one key for two amounts")
	}
	kind := func() string {
		e, err := g.ReadCheckout(t.Context(), first.Ref)
		if err != nil {
			t.Fatal(err)
		}
		return e.Kind
	}
	if got := kind(); got != billing.EventOther {
		t.Fatal(got)
	}
	if _, event := cashier.Finish(first.Ref, "paid"); event != "checkout.session.completed" {
		t.Fatal(event)
	}
	if err := g.ExpireCheckout(t.Context(), first.Ref); err != nil {
		t.Fatalf("a paid page: %v", err)
	}
	if got := kind(); got != billing.EventPaid {
		t.Fatal(got)
	}
	request.Checkout = 8
	second, err := g.CreateCheckout(t.Context(), request)
	if err != nil {
		t.Fatal(err)
	}
	if err := g.ExpireCheckout(t.Context(), second.Ref); err != nil {
		t.Fatal(err)
	}
	for _, ref := range []string{second.Ref, "cs_test_of_another_account"} {
		if e, err := g.ReadCheckout(t.Context(), ref); err != nil || e.Kind != billing.EventExpired {
			t.Fatalf("%s: %+v %v", ref, e, err)
		}
	}
}

func TestCreateCheckoutFails(t *testing.T) {
	var calls atomic.Int32
	g := stub(t, func(w http.ResponseWriter, _ *http.Request) {
		calls.Add(1)
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = w.Write([]byte(`{"error":{"type":"invalid_request_error","message":"Invalid API Key provided: sk_test_secreta"}}`))
	})
	_, err := g.CreateCheckout(t.Context(), billing.CheckoutRequest{Checkout: 1, Currency: money.MXN, Items: []billing.CheckoutItem{{Name: "F-1", Amount: 1}}})
	if err == nil || strings.Contains(err.Error(), "secreta") || calls.Load() != 1 {
		t.Fatalf("%v after %d calls", err, calls.Load())
	}
	slow := stub(t, func(http.ResponseWriter, *http.Request) { time.Sleep(time.Second) })
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := slow.CreateCheckout(ctx, billing.CheckoutRequest{Checkout: 1, Currency: money.MXN, Items: []billing.CheckoutItem{{Name: "F-1", Amount: 1}}}); err == nil {
		t.Fatal("no error from a server that does not answer")
	}
}

func TestNewNeedsKeys(t *testing.T) {
	if _, err := stripe.New(stripe.Config{Key: "sk"}); err == nil {
		t.Fatal("a gateway without the webhook's secret accepts forged events")
	}
}

func TestParseEvent(t *testing.T) {
	g := stub(t, nil)
	sign := func(payload []byte, key string, at time.Time) string {
		return webhook.GenerateTestSignedPayload(&webhook.UnsignedPayload{Payload: payload, Secret: key, Timestamp: at}).Header
	}
	recorded := load(t)
	for _, c := range []struct{ kind, reference, status, want string }{
		{"checkout.session.completed", "chk_7", "paid", billing.EventPaid},
		{"checkout.session.completed", "chk_7", "unpaid", billing.EventProcessing},
		{"checkout.session.async_payment_succeeded", "chk_7", "paid", billing.EventPaid},
		{"checkout.session.async_payment_failed", "chk_7", "unpaid", billing.EventFailed},
		{"checkout.session.expired", "chk_7", "unpaid", billing.EventExpired},
		{"checkout.session.completed", "otro-sistema", "paid", billing.EventOther},
		{"charge.refunded", "chk_7", "paid", billing.EventOther},
	} {
		payload := recorded.session(t, c.kind, c.reference, c.status)
		got, err := g.ParseEvent(payload, sign(payload, secret, time.Now()))
		if err != nil || got.Kind != c.want || got.Ref != "evt_1" {
			t.Errorf("%s %s: %+v %v", c.kind, c.status, got, err)
		}
		if c.want != billing.EventOther && (got.Checkout != id.Checkout(7) || got.Amount != 11600 || got.Currency != money.MXN || got.Charge != "pi_1" || got.Session != "cs_test_1") {
			t.Errorf("%+v", got)
		}
	}
	for _, c := range []struct {
		kind, status, want string
		dispute            bool
	}{
		{"refund.created", "succeeded", billing.EventReversed, false}, {"refund.created", "pending", billing.EventReversed, false},
		{"refund.updated", "succeeded", billing.EventReversed, false}, {"refund.failed", "failed", billing.EventRestored, false},
		{"charge.refund.updated", "canceled", billing.EventRestored, false}, {"refund.updated", "requires_action", billing.EventOther, false},
		{"charge.dispute.created", "needs_response", billing.EventOther, false}, {"charge.dispute.funds_withdrawn", "needs_response", billing.EventReversed, true},
		{"charge.dispute.funds_reinstated", "won", billing.EventRestored, true},
	} {
		session := sandbox.Session{ID: "cs_1", Currency: "mxn", PaymentIntent: map[string]any{"id": "pi_1"}, AmountTotal: 500}
		resource, object := "refund", sandbox.Refund("re_1", session, 500, c.status)
		if c.dispute {
			resource, object = "dispute", sandbox.Dispute("re_1", session, c.status)
		}
		changed := map[string]any{"id": "re_1", "amount": 500, "currency": "mxn", "status": c.status, "payment_intent": "pi_1"}
		for from, raw := range map[string][]byte{"the demo": sandbox.New(sandbox.Config{}).Event("evt_2", c.kind, object), "Stripe": recorded.event(t, "evt_2", c.kind, resource, changed)} {
			got, err := g.ParseEvent(raw, sign(raw, secret, time.Now()))
			if err != nil || got.Kind != c.want || got.Ref != "evt_2" || got.Dispute != c.dispute {
				t.Errorf("%s, %s %s: %+v %v", from, c.kind, c.status, got, err)
			}
			if c.want != billing.EventOther && (got.Charge != "pi_1" || got.Reversal != "re_1" || got.Amount != 500 || got.Currency != money.MXN) {
				t.Errorf("%s: %+v", from, got)
			}
		}
	}
	payload := recorded.session(t, "checkout.session.completed", "chk_7", "paid")
	for name, header := range map[string]string{"none": "", "garbage": "t=1,v1=zz", "other secret": sign(payload, "whsec_otra", time.Now()),
		"an hour old": sign(payload, secret, time.Now().Add(-time.Hour)), "other payload": sign([]byte(`{}`), secret, time.Now())} {
		if _, err := g.ParseEvent(payload, header); !errors.Is(err, billing.ErrSignature) {
			t.Errorf("%s: %v", name, err)
		}
	}
	changed := bytes.ReplaceAll(payload, []byte("11600"), []byte("1"))
	if _, err := g.ParseEvent(changed, sign(payload, secret, time.Now())); !errors.Is(err, billing.ErrSignature) {
		t.Errorf("a changed payload: %v", err)
	}
}
