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
	// Minimum is the least that the gateway takes in the currency, minor units; 0 for any amount.
	Minimum(currency money.Currency) money.Minor
	// CreateCheckout opens a payment page. The same checkout twice gives the same page.
	CreateCheckout(ctx context.Context, request CheckoutRequest) (CheckoutSession, error)
	// ReadCheckout tells how a payment page stands, as an event without Ref. A page that is open is EventOther.
	ReadCheckout(ctx context.Context, session string) (GatewayEvent, error)
	// ExpireCheckout closes a payment page, so that nobody pays on it any more. A page that has ended
	// already is no error.
	ExpireCheckout(ctx context.Context, session string) error
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

// What a gateway event says about a checkout, or about money that came through one.
const (
	EventPaid       = "paid"
	EventProcessing = "processing" // the money is on its way (a voucher, a bank debit)
	EventFailed     = "failed"
	EventExpired    = "expired"
	EventReversed   = "reversed" // a refund, or a dispute that took the money
	EventRestored   = "restored" // a refund that failed, or a dispute that was won
	EventOther      = "other"    // nothing that we act on
)

// GatewayEvent is a webhook, read and verified.
type GatewayEvent struct {
	Ref      string // the gateway's id of the event
	Kind     string
	Checkout id.Checkout // 0 when the event is about something else
	Session  string      // the gateway's id of the payment page
	Charge   string      // the gateway's id of the money
	Reversal string      // of EventReversed and EventRestored: the gateway's id of the refund or dispute
	Dispute  bool        // the payer's bank took the money, not we
	Amount   money.Minor // minor units
	Currency money.Currency
}
