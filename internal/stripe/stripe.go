// Package stripe takes card payments through Stripe Checkout: it opens payment pages and reads
// signed webhooks. It decides nothing; billing does.
package stripe

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	api "github.com/stripe/stripe-go/v85"
	"github.com/stripe/stripe-go/v85/webhook"

	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// timeout of one request to Stripe; with the retries of the client library a page opens or fails
// within half a minute.
const timeout = 10 * time.Second

// Gateway is Stripe as billing sees it.
type Gateway struct {
	client *api.Client
	secret string // of the webhook
}

var _ billing.Gateway = (*Gateway)(nil)

// Config names the account. None of it may reach a log.
type Config struct {
	Key           string // secret key: sk_live_..., sk_test_... or a restricted key
	WebhookSecret string // whsec_...
	URL           string // of the API; "" is Stripe's own
}

// New prepares the gateway; it does not call Stripe.
func New(config Config) (*Gateway, error) {
	if config.Key == "" || config.WebhookSecret == "" {
		return nil, errors.New("stripe needs a secret key and the secret of the webhook")
	}
	backend := &api.BackendConfig{HTTPClient: &http.Client{Timeout: timeout}, MaxNetworkRetries: api.Int64(2),
		EnableTelemetry: api.Bool(false), LeveledLogger: &api.LeveledLogger{Level: api.LevelNull}}
	if config.URL != "" {
		backend.URL = api.String(config.URL)
	}
	return &Gateway{client: api.NewClient(config.Key, api.WithBackends(api.NewBackendsWithConfig(backend))), secret: config.WebhookSecret}, nil
}

// Name implements billing.Gateway.
func (g *Gateway) Name() string { return "stripe" }

// minimum is the least that Stripe charges, minor units (docs.stripe.com/currencies#minimum-and-maximum-charge-amounts).
var minimum = map[money.Currency]money.Minor{money.MXN: 10_00, money.USD: 50, money.EUR: 50}

// Minimum implements billing.Gateway.
func (g *Gateway) Minimum(currency money.Currency) money.Minor { return minimum[currency] }

// CreateCheckout implements billing.Gateway. The idempotency key makes a repeated request return the
// page that exists.
func (g *Gateway) CreateCheckout(ctx context.Context, request billing.CheckoutRequest) (billing.CheckoutSession, error) {
	locale := "es-419"
	if strings.HasPrefix(request.Language, "en") {
		locale = "en"
	}
	currency := strings.ToLower(string(request.Currency))
	params := &api.CheckoutSessionCreateParams{Mode: api.String("payment"), ClientReferenceID: api.String(request.Checkout.String()), Locale: &locale,
		SuccessURL: &request.SuccessURL, CancelURL: &request.CancelURL}
	if request.Email != "" {
		params.CustomerEmail = &request.Email
	}
	for _, item := range request.Items {
		params.LineItems = append(params.LineItems, &api.CheckoutSessionCreateLineItemParams{Quantity: api.Int64(1),
			PriceData: &api.CheckoutSessionCreateLineItemPriceDataParams{Currency: &currency, UnitAmount: api.Int64(int64(item.Amount)),
				ProductData: &api.CheckoutSessionCreateLineItemPriceDataProductDataParams{Name: &item.Name}}})
	}
	names := make([]string, len(request.Items))
	for i, item := range request.Items {
		names[i] = item.Name
	}
	params.PaymentIntentData = &api.CheckoutSessionCreatePaymentIntentDataParams{Description: api.String(shorten(strings.Join(names, ", "))),
		Metadata: map[string]string{"avisa_checkout": request.Checkout.String()}}
	params.SetIdempotencyKey("avisa-" + request.Checkout.String())
	session, err := g.client.V1CheckoutSessions.Create(ctx, params)
	if err != nil {
		return billing.CheckoutSession{}, describe(err)
	}
	return billing.CheckoutSession{Ref: session.ID, URL: session.URL, ExpiresAt: time.Unix(session.ExpiresAt, 0).UTC()}, nil
}

// shorten cuts a text to the 1000 bytes that Stripe takes for a description.
func shorten(text string) string {
	if len(text) <= 1000 {
		return text
	}
	return strings.ToValidUTF8(text[:997], "") + "..."
}

// ReadCheckout implements billing.Gateway.
func (g *Gateway) ReadCheckout(ctx context.Context, ref string) (billing.GatewayEvent, error) {
	found, err := g.client.V1CheckoutSessions.Retrieve(ctx, ref, nil)
	var e *api.Error
	if errors.As(err, &e) && e.HTTPStatusCode == http.StatusNotFound {
		return billing.GatewayEvent{Kind: billing.EventExpired, Session: ref}, nil // of another account, or of a sandbox that was emptied
	}
	if err != nil {
		return billing.GatewayEvent{}, describe(err)
	}
	s := session{ID: found.ID, ClientReferenceID: found.ClientReferenceID, PaymentStatus: string(found.PaymentStatus), AmountTotal: found.AmountTotal, Currency: string(found.Currency)}
	if found.PaymentIntent != nil {
		s.PaymentIntent, _ = json.Marshal(found.PaymentIntent.ID)
	}
	out, ok := s.event()
	if !ok {
		return billing.GatewayEvent{Kind: billing.EventOther}, nil
	}
	switch {
	case found.Status == api.CheckoutSessionStatusExpired:
		out.Kind = billing.EventExpired
	case found.Status == api.CheckoutSessionStatusComplete && s.PaymentStatus != "unpaid":
		out.Kind = billing.EventPaid
	case found.Status == api.CheckoutSessionStatusComplete:
		out.Kind = billing.EventProcessing
	}
	return out, nil
}

// ExpireCheckout implements billing.Gateway.
func (g *Gateway) ExpireCheckout(ctx context.Context, ref string) error {
	_, err := g.client.V1CheckoutSessions.Expire(ctx, ref, nil)
	var e *api.Error
	if errors.As(err, &e) && e.HTTPStatusCode == http.StatusBadRequest {
		return nil // paid or expired already
	}
	if err != nil {
		return describe(err)
	}
	return nil
}

// describe keeps what helps and cannot hold a secret: Stripe's messages may repeat parts of the key.
func describe(err error) error {
	var e *api.Error
	if errors.As(err, &e) {
		return fmt.Errorf("stripe: HTTP %d %s %s, request %s", e.HTTPStatusCode, e.Type, e.Code, e.RequestID)
	}
	return fmt.Errorf("stripe does not answer: %w", err)
}

// session is what we read of a checkout.session object, in every version of Stripe's API.
type session struct {
	ID                string          `json:"id"`
	ClientReferenceID string          `json:"client_reference_id"`
	PaymentStatus     string          `json:"payment_status"`
	AmountTotal       int64           `json:"amount_total"`
	Currency          string          `json:"currency"`
	PaymentIntent     json.RawMessage `json:"payment_intent"` // an id, or the object with it
}

// ParseEvent implements billing.Gateway. signature is the header Stripe-Signature; one older than
// five minutes is refused, so that a recorded event cannot be replayed.
func (g *Gateway) ParseEvent(payload []byte, signature string) (billing.GatewayEvent, error) {
	event, err := webhook.ConstructEventWithOptions(payload, signature, g.secret, webhook.ConstructEventOptions{IgnoreAPIVersionMismatch: true})
	if err != nil {
		return billing.GatewayEvent{}, billing.ErrSignature
	}
	if event.Data == nil {
		return billing.GatewayEvent{Ref: event.ID, Kind: billing.EventOther}, nil
	}
	var out billing.GatewayEvent
	if name, ok := strings.CutPrefix(string(event.Type), "checkout.session."); ok {
		out, err = checkoutEvent(name, event.Data.Raw)
	} else {
		out, err = reversalEvent(string(event.Type), event.Data.Raw)
	}
	if err != nil {
		return billing.GatewayEvent{}, fmt.Errorf("stripe event %s: %w", event.ID, err)
	}
	out.Ref = event.ID
	return out, nil
}

// event is what a session says of the checkout that it was opened for; ok is false for a payment
// page that something else opened.
func (s session) event() (out billing.GatewayEvent, ok bool) {
	checkout, err := id.ParseCheckout(s.ClientReferenceID)
	if err != nil {
		return billing.GatewayEvent{Kind: billing.EventOther}, false
	}
	return billing.GatewayEvent{Kind: billing.EventOther, Checkout: checkout, Session: s.ID, Charge: s.charge(),
		Amount: money.Minor(s.AmountTotal), Currency: money.Currency(strings.ToUpper(s.Currency))}, true
}

func checkoutEvent(name string, raw json.RawMessage) (billing.GatewayEvent, error) {
	var s session
	if err := json.Unmarshal(raw, &s); err != nil {
		return billing.GatewayEvent{}, err
	}
	out, ok := s.event()
	if !ok {
		return out, nil
	}
	switch name {
	case "completed", "async_payment_succeeded":
		out.Kind = billing.EventPaid
		if s.PaymentStatus == "unpaid" {
			out.Kind = billing.EventProcessing
		}
	case "async_payment_failed":
		out.Kind = billing.EventFailed
	case "expired":
		out.Kind = billing.EventExpired
	}
	return out, nil
}

// reversal is what we read of a refund or a dispute object. charge.refunded is left aside: the events
// of the refund itself say the same, with its own id.
type reversal struct {
	ID            string          `json:"id"`
	Amount        int64           `json:"amount"`
	Currency      string          `json:"currency"`
	Status        string          `json:"status"`
	PaymentIntent json.RawMessage `json:"payment_intent"`
}

func reversalEvent(name string, raw json.RawMessage) (billing.GatewayEvent, error) {
	kind := billing.EventOther
	switch name {
	case "refund.created", "refund.updated", "refund.failed", "charge.refund.updated":
	case "charge.dispute.funds_withdrawn":
		kind = billing.EventReversed
	case "charge.dispute.funds_reinstated":
		kind = billing.EventRestored
	default:
		return billing.GatewayEvent{Kind: kind}, nil
	}
	var r reversal
	if err := json.Unmarshal(raw, &r); err != nil {
		return billing.GatewayEvent{}, err
	}
	dispute := kind != billing.EventOther
	if !dispute {
		switch r.Status {
		case "pending", "succeeded":
			kind = billing.EventReversed
		case "failed", "canceled":
			kind = billing.EventRestored
		}
	}
	return billing.GatewayEvent{Kind: kind, Charge: reference(r.PaymentIntent), Reversal: r.ID, Dispute: dispute,
		Amount: money.Minor(r.Amount), Currency: money.Currency(strings.ToUpper(r.Currency))}, nil
}

// charge names the money: the payment intent, or the page where there is none.
func (s session) charge() string { return cmp.Or(reference(s.PaymentIntent), s.ID) }

// reference is the id of another object, which Stripe gives as an id or as the object with it.
func reference(raw json.RawMessage) string {
	var ref string
	if json.Unmarshal(raw, &ref) == nil {
		return ref
	}
	var object struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal(raw, &object)
	return object.ID
}
