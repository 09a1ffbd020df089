package billing

import (
	"context"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// GatewayJob tells staff of an event that a person must decide about.
type GatewayJob struct {
	EventID id.GatewayEvent `json:"eventId"`
	URL     string          `json:"url"` // of the page where it is decided
}

// Kind names the job.
func (GatewayJob) Kind() string { return "billing:gateway-event" }

// Key makes one job of any number of requests about the same event.
func (j GatewayJob) Key() string { return j.Kind() + ":" + j.EventID.String() }

// ReviewedEvents lists what gateways told and a person must decide about, or has decided, the newest
// first. Staff only.
func (s *Service) ReviewedEvents(ctx context.Context, decided bool, page db.Page) (db.List[db.GatewayEvent], error) {
	if err := access.RequireCapability(ctx, access.ReadBilling); err != nil {
		return db.List[db.GatewayEvent]{}, err
	}
	if err := page.Check(); err != nil {
		return db.List[db.GatewayEvent]{}, err
	}
	return s.Store.ReviewedEvents(ctx, decided, page)
}

// UndecidedEvents counts what gateways told and a person must decide about. Staff only.
func (s *Service) UndecidedEvents(ctx context.Context) (int64, error) {
	if err := access.RequireCapability(ctx, access.ReadBilling); err != nil {
		return 0, err
	}
	return s.Store.UndecidedEvents(ctx)
}

// ReviewedEvent returns one of them. Staff only.
func (s *Service) ReviewedEvent(ctx context.Context, eventID id.GatewayEvent) (db.GatewayEvent, error) {
	if err := access.RequireCapability(ctx, access.ReadBilling); err != nil {
		return db.GatewayEvent{}, err
	}
	return s.Store.ReviewedEvent(ctx, eventID)
}

// Bookable reports whether [Service.BookGatewayEvent] can do something for the event: money that came in a
// currency that we keep accounts in, or that was taken back in the currency of its payment.
func Bookable(row db.GatewayEvent) bool {
	return row.Decision == "" && row.ClientID != 0 && row.Currency.Valid() && row.Amount > 0 && row.Amount <= money.MaxMinor &&
		(row.Kind == EventPaid && row.Outcome == db.GatewayMismatch || row.Kind == EventReversed && row.Outcome == db.GatewayUnbooked)
}

// BookGatewayEvent books what an event says: money received settles the invoice, which must be in its
// currency, and what is left of it, or all of it without an invoice (0), becomes the client's credit. Money
// that was taken back is tried again, which needs enough of it as credit or on invoices by now. Doing it
// again changes nothing. Faults: GATEWAY_EVENT_DECIDED, GATEWAY_EVENT_UNBOOKABLE, CREDIT_TOO_LOW, and those of
// a payment. Staff only.
func (s *Service) BookGatewayEvent(ctx context.Context, eventID id.GatewayEvent, invoice id.Invoice) (db.GatewayEvent, error) {
	return s.decideEvent(ctx, eventID, db.GatewayBooked, "", func(tx *db.Store, row *db.GatewayEvent) error {
		if !Bookable(*row) {
			return fault.New(fault.Conflict, "GATEWAY_EVENT_UNBOOKABLE")
		}
		if err := tx.Lock(ctx, "charge "+row.ChargeRef); err != nil {
			return err
		}
		checkout, err := tx.LockCheckout(ctx, row.CheckoutID)
		if err != nil {
			return err
		}
		if row.Kind == EventReversed {
			outcome, err := s.takeBack(ctx, tx, checkout, *row)
			if err == nil && outcome == outcomeUnbooked {
				err = fault.New(fault.Conflict, "CREDIT_TOO_LOW")
			}
			return err
		}
		receive := ReceiveInput{ClientID: checkout.ClientID, Currency: row.Currency, Amount: row.Amount, Method: "card", Reference: shorten(row.ChargeRef),
			ExcessToCredit: true, RequestKey: "gateway:" + row.ID.String(), gatewayRef: row.SessionRef}
		if invoice != 0 {
			receive.Invoices = []Allocation{{InvoiceID: invoice}}
		}
		if err := receive.check(); err != nil {
			return err
		}
		payment, err := s.receive(ctx, tx, receive)
		if err != nil {
			return err
		}
		row.PaymentID = payment.ID
		if checkout.Status == db.CheckoutPaid {
			return nil
		}
		checkout.Status, checkout.PaymentID, checkout.ChargeRef = db.CheckoutPaid, payment.ID, row.ChargeRef
		return tx.SaveCheckout(ctx, &checkout)
	})
}

// DismissGatewayEvent notes that nothing is to be booked for an event, and why (up to 500 characters). Doing it again changes
// nothing. Faults: REQUIRED, TOO_LONG, GATEWAY_EVENT_DECIDED. Staff only.
func (s *Service) DismissGatewayEvent(ctx context.Context, eventID id.GatewayEvent, reason string) (db.GatewayEvent, error) {
	return s.decideEvent(ctx, eventID, db.GatewayDismissed, reason, func(tx *db.Store, row *db.GatewayEvent) error {
		var checks fault.Checks
		checkText(&checks, "reason", &row.Reason, true, 500)
		if err := checks.Err(); err != nil || row.Kind != EventPaid || row.Outcome != db.GatewayMismatch {
			return err
		}
		// Nobody asks the gateway about its page any more.
		checkout, err := tx.LockCheckout(ctx, row.CheckoutID)
		if err != nil || checkout.Status == db.CheckoutPaid {
			return err
		}
		checkout.Status = db.CheckoutFailed
		return tx.SaveCheckout(ctx, &checkout)
	})
}

// eventVerbs are the verbs of the decisions, in the audit.
var eventVerbs = map[string]string{db.GatewayBooked: "gateway.book", db.GatewayDismissed: "gateway.dismiss"}

func (s *Service) decideEvent(ctx context.Context, eventID id.GatewayEvent, decision, reason string, do func(tx *db.Store, row *db.GatewayEvent) error) (db.GatewayEvent, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return db.GatewayEvent{}, err
	}
	var row db.GatewayEvent
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		var err error
		if row, err = tx.LockReviewedEvent(ctx, eventID); err != nil || row.Decision == decision {
			return err
		}
		if row.Decision != "" {
			return fault.New(fault.Conflict, "GATEWAY_EVENT_DECIDED")
		}
		row.Reason = reason
		if err := do(tx, &row); err != nil {
			return err
		}
		now := s.Now()
		row.Decision, row.DecidedAt = decision, &now
		if err := tx.Audit(ctx, db.AuditEntry{Client: row.ClientID, Verb: eventVerbs[decision], Object: row.ID.String(), After: map[string]any{
			"event": row.EventRef, "kind": row.Kind, "amount": row.Amount, "currency": row.Currency, "reason": row.Reason, "payment": row.PaymentID}}); err != nil {
			return err
		}
		return tx.DecideGatewayEvent(ctx, &row)
	})
	return row, err
}
