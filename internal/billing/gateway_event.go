package billing

import (
	"context"
	"errors"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// ErrSignature is what a gateway answers to an event that it did not sign.
var ErrSignature = errors.New("the event is not signed by the gateway")

// What an event did.
const (
	outcomeBooked   = "booked"
	outcomeNoted    = "noted"
	outcomeRepeated = "repeated"
	outcomeLate     = "late"    // the checkout had moved on: an expiry that arrives after the payment
	outcomeIgnored  = "ignored" // not about a checkout of ours
	outcomeMismatch = db.GatewayMismatch
	outcomeWaiting  = "waiting" // about a charge that is not booked yet
	outcomeUnbooked = db.GatewayUnbooked
	outcomeDiffers  = db.GatewayDiffers
)

// ReceiveGatewayEvent acts on a webhook. The signature is its authorisation. Events may come any
// number of times, at once and in any order: each is acted on once, and a checkout is paid once. The
// money is booked as it was received; what the invoices do not need any more becomes the client's credit.
func (s *Service) ReceiveGatewayEvent(ctx context.Context, payload []byte, signature string) error {
	if s.Gateway == nil {
		return fault.New(fault.Unavailable, "GATEWAY_MISSING")
	}
	event, err := s.Gateway.ParseEvent(payload, signature)
	if errors.Is(err, ErrSignature) {
		return fault.New(fault.Forbidden, "SIGNATURE_INVALID")
	}
	if err != nil {
		return err
	}
	ctx = access.With(ctx, access.Actor{Kind: access.System, Name: s.Gateway.Name()})
	return s.Store.InTx(ctx, func(tx *db.Store) error {
		row := db.GatewayEvent{Gateway: s.Gateway.Name(), EventRef: event.Ref, Kind: event.Kind, Outcome: outcomeIgnored, ReceivedAt: s.Now(),
			SessionRef: event.Session, ChargeRef: event.Charge, ReversalRef: event.Reversal, Amount: event.Amount, Currency: event.Currency, Dispute: event.Dispute}
		first, err := tx.ClaimGatewayEvent(ctx, &row)
		if err != nil || !first {
			return err
		}
		if event.Kind == EventReversed || event.Kind == EventRestored {
			if err := s.reverse(ctx, tx, &row, event); err != nil {
				return err
			}
			return s.finish(ctx, tx, &row)
		}
		if event.Checkout == 0 || event.Kind == EventOther {
			return nil
		}
		checkout, err := tx.LockCheckout(ctx, event.Checkout)
		if fault.Is(err, fault.NotFound) {
			return nil // of another installation with the same account
		}
		if err != nil {
			return err
		}
		row.CheckoutID = checkout.ID
		if row.Outcome, err = s.applyEvent(ctx, tx, &checkout, event); err != nil {
			return err
		}
		return s.finish(ctx, tx, &row)
	})
}

// finish notes what an event did, and tells staff when that is theirs to decide.
func (s *Service) finish(ctx context.Context, tx *db.Store, row *db.GatewayEvent) error {
	if err := tx.FinishGatewayEvent(ctx, row); err != nil {
		return err
	}
	switch row.Outcome {
	case outcomeMismatch, outcomeUnbooked, outcomeDiffers:
		return tx.Enqueue(ctx, GatewayJob{EventID: row.ID, URL: s.BaseURL + "/consola/pasarela/" + row.ID.String()})
	}
	return nil
}

func (s *Service) applyEvent(ctx context.Context, tx *db.Store, checkout *db.Checkout, event GatewayEvent) (outcome string, err error) {
	waiting := checkout.Status == db.CheckoutCreated || checkout.Status == db.CheckoutOpen
	switch {
	case checkout.SessionRef != "" && event.Session != checkout.SessionRef:
		return outcomeIgnored, nil
	case checkout.Status == db.CheckoutPaid && event.Kind == EventPaid:
		return outcomeRepeated, nil
	case checkout.Status == db.CheckoutPaid:
		return outcomeLate, nil
	case event.Kind == EventPaid:
		if event.Currency != checkout.Currency || event.Amount <= 0 || event.Amount > money.MaxMinor {
			return outcomeMismatch, nil
		}
		outcome = outcomeBooked
		if event.Amount != checkout.Amount {
			outcome = outcomeDiffers
		}
		return outcome, s.bookCheckout(ctx, tx, checkout, event)
	case event.Kind == EventProcessing && waiting:
		checkout.Status = db.CheckoutProcessing
	case event.Kind == EventFailed && (waiting || checkout.Status == db.CheckoutProcessing):
		checkout.Status = db.CheckoutFailed
	case event.Kind == EventExpired && waiting:
		checkout.Status = db.CheckoutExpired
	default:
		return outcomeLate, nil
	}
	return outcomeNoted, tx.SaveCheckout(ctx, checkout)
}

func (s *Service) bookCheckout(ctx context.Context, tx *db.Store, checkout *db.Checkout, event GatewayEvent) error {
	// A refund may be told before its payment: both wait for this lock.
	if err := tx.Lock(ctx, "charge "+event.Charge); err != nil {
		return err
	}
	parts, err := tx.CheckoutInvoices(ctx, checkout.ID)
	if err != nil {
		return err
	}
	receive := ReceiveInput{ClientID: checkout.ClientID, Currency: event.Currency, Amount: event.Amount, Method: "card", Reference: shorten(event.Charge),
		ExcessToCredit: true, RequestKey: "checkout:" + checkout.ID.String(), gatewayRef: event.Session}
	for _, part := range parts {
		receive.Invoices = append(receive.Invoices, Allocation{InvoiceID: part.InvoiceID})
	}
	if err := receive.check(); err != nil {
		return err
	}
	payment, err := s.receive(ctx, tx, receive)
	if err != nil {
		return err
	}
	checkout.Status, checkout.PaymentID, checkout.SessionRef, checkout.ChargeRef = db.CheckoutPaid, payment.ID, event.Session, event.Charge
	if err := tx.SaveCheckout(ctx, checkout); err != nil {
		return err
	}
	return s.reverseWaiting(ctx, tx, *checkout)
}

// refresh asks the gateway about a checkout that is not known to have ended, and acts on the answer
// as on an event.
func (s *Service) refresh(ctx context.Context, row db.Checkout) (db.Checkout, error) {
	waiting := row.Status == db.CheckoutCreated || row.Status == db.CheckoutOpen || row.Status == db.CheckoutProcessing
	if !waiting || s.Gateway == nil || s.Gateway.Name() != row.Gateway {
		return row, nil
	}
	var event GatewayEvent
	if row.SessionRef != "" {
		var err error
		if event, err = s.Gateway.ReadCheckout(ctx, row.SessionRef); err != nil {
			return row, err
		}
	} else if s.Now().Sub(row.CreatedAt) > 24*time.Hour {
		event.Kind = EventExpired // the gateway never answered, and its pages live a day
	}
	ctx = access.With(ctx, access.Actor{Kind: access.System, Name: s.Gateway.Name()})
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		var err error
		if row, err = tx.LockCheckout(ctx, row.ID); err != nil {
			return err
		}
		if event.Kind != "" && event.Kind != EventOther {
			outcome, err := s.applyEvent(ctx, tx, &row, event)
			if err != nil || outcome != outcomeMismatch && outcome != outcomeDiffers {
				return err
			}
			note := db.GatewayEvent{Gateway: row.Gateway, EventRef: "review:" + row.SessionRef, Kind: event.Kind, CheckoutID: row.ID, Outcome: outcome, ReceivedAt: s.Now(),
				SessionRef: event.Session, ChargeRef: event.Charge, Amount: event.Amount, Currency: event.Currency}
			if first, err := tx.ClaimGatewayEvent(ctx, &note); err != nil || !first {
				return err
			}
			return s.finish(ctx, tx, &note)
		}
		return tx.SaveCheckout(ctx, &row) // looked at now
	})
	return row, err
}

// ReviewCheckouts asks the gateway about checkouts whose webhook is missing: it was lost, or we were
// down for longer than the gateway repeats it. What ended is released or booked. Background work only.
func (s *Service) ReviewCheckouts(ctx context.Context) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	if s.Gateway == nil {
		return nil
	}
	rows, err := s.Store.WaitingCheckouts(ctx, s.Gateway.Name(), s.Now().Add(-10*time.Minute), 100)
	if err != nil {
		return err
	}
	for _, row := range rows {
		if _, err := s.refresh(ctx, row); err != nil {
			return err
		}
	}
	return nil
}
