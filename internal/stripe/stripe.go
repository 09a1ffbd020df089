// Package stripe takes card payments through Stripe Checkout: it opens payment pages and reads
// signed webhooks. It decides nothing; billing does.
package stripe

import (
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
	params.SetIdempotencyKey("avisa-" + request.Checkout.String())
	session, err := g.client.V1CheckoutSessions.Create(ctx, params)
	if err != nil {
		return billing.CheckoutSession{}, describe(err)
	}
	return billing.CheckoutSession{Ref: session.ID, URL: session.URL, ExpiresAt: time.Unix(session.ExpiresAt, 0).UTC()}, nil
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
	out := billing.GatewayEvent{Ref: event.ID, Kind: billing.EventOther}
	name, ok := strings.CutPrefix(string(event.Type), "checkout.session.")
	if !ok || event.Data == nil {
		return out, nil
	}
	var s session
	if err := json.Unmarshal(event.Data.Raw, &s); err != nil {
		return out, fmt.Errorf("stripe event %s: %w", event.ID, err)
	}
	checkout, err := id.ParseCheckout(s.ClientReferenceID)
	if err != nil {
		return out, nil //nolint:nilerr // a payment page that something else opened
	}
	out.Checkout, out.Session, out.Charge = checkout, s.ID, s.charge()
	out.Amount, out.Currency = money.Minor(s.AmountTotal), money.Currency(strings.ToUpper(s.Currency))
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

func (s session) charge() string {
	var ref string
	if json.Unmarshal(s.PaymentIntent, &ref) == nil && ref != "" {
		return ref
	}
	var object struct {
		ID string `json:"id"`
	}
	if json.Unmarshal(s.PaymentIntent, &object) == nil && object.ID != "" {
		return object.ID
	}
	return s.ID
}
