package billing

import (
	"context"
	"time"

	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// Gateway takes card payments on its own page and tells us about them by signed events.
type Gateway interface {
	// Name is stored with what came from the gateway.
	Name() string
	// CreateCheckout opens a payment page. The same checkout twice gives the same page.
	CreateCheckout(ctx context.Context, request CheckoutRequest) (CheckoutSession, error)
	// ParseEvent checks the signature of a webhook and reads it. A wrong signature is ErrSignature.
	ParseEvent(payload []byte, signature string) (GatewayEvent, error)
}

// CheckoutRequest is what a payment page is opened for.
type CheckoutRequest struct {
	Checkout   id.Checkout
	Currency   money.Currency
	Items      []CheckoutItem
	Email      string // of the payer, filled in on the page
	Language   string
	SuccessURL string
	CancelURL  string
}

// CheckoutItem is a row of the payment page.
type CheckoutItem struct {
	Name   string
	Amount money.Minor
}

// CheckoutSession is an open payment page.
type CheckoutSession struct {
	Ref       string // the gateway's id
	URL       string
	ExpiresAt time.Time
}

// What a gateway event says about a checkout.
const (
	EventPaid       = "paid"
	EventProcessing = "processing" // the money is on its way (a voucher, a bank debit)
	EventFailed     = "failed"
	EventExpired    = "expired"
	EventOther      = "other" // nothing that we act on
)

// GatewayEvent is a webhook, read and verified.
type GatewayEvent struct {
	Ref      string // the gateway's id of the event
	Kind     string
	Checkout id.Checkout // 0 when the event is about something else
	Session  string      // the gateway's id of the payment page
	Charge   string      // the gateway's id of the money
	Amount   money.Minor
	Currency money.Currency
}
