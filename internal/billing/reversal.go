package billing

import (
	"context"
	"slices"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// reverse acts on money that a gateway took back or gave back again, and notes the outcome in row. A
// refund or dispute is booked once, in whatever order its events come.
func (s *Service) reverse(ctx context.Context, tx *db.Store, row *db.GatewayEvent, event GatewayEvent) error {
	if event.Charge == "" || event.Reversal == "" || event.Amount <= 0 || event.Amount > money.MaxMinor {
		return nil
	}
	if err := tx.Lock(ctx, "charge "+event.Charge); err != nil {
		return err
	}
	checkout, err := tx.CheckoutByCharge(ctx, row.Gateway, event.Charge)
	if fault.Is(err, fault.NotFound) {
		row.Outcome = outcomeWaiting // of another system with the same account, or the payment's own event is late
		return nil
	}
	if err != nil {
		return err
	}
	row.CheckoutID = checkout.ID
	row.Outcome, err = s.bookReversal(ctx, tx, checkout, *row)
	return err
}

// reverseWaiting books what was told about a charge before its payment.
func (s *Service) reverseWaiting(ctx context.Context, tx *db.Store, checkout db.Checkout) error {
	rows, err := tx.WaitingEvents(ctx, checkout.Gateway, checkout.ChargeRef)
	if err != nil {
		return err
	}
	for _, row := range rows {
		row.CheckoutID = checkout.ID
		if row.Outcome, err = s.bookReversal(ctx, tx, checkout, row); err != nil {
			return err
		}
		if err := s.finish(ctx, tx, &row); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) bookReversal(ctx context.Context, tx *db.Store, checkout db.Checkout, event db.GatewayEvent) (outcome string, err error) {
	refund, err := tx.RefundByGateway(ctx, event.ReversalRef)
	known := err == nil
	if err != nil && !fault.Is(err, fault.NotFound) {
		return "", err
	}
	if event.Kind == EventRestored {
		if !known {
			return outcomeNoted, nil // the refund that it undoes will find it
		}
		return s.restore(ctx, tx, checkout, refund)
	}
	if known {
		return outcomeRepeated, nil
	}
	undone, err := tx.HasReversalEvent(ctx, event.Gateway, event.ReversalRef, EventRestored)
	if err != nil || undone {
		return outcomeLate, err
	}
	if event.Currency != checkout.Currency {
		return outcomeMismatch, nil
	}
	return s.takeBack(ctx, tx, checkout, event)
}

// takeBack books that the gateway gave money back to the payer. What is refunded leaves the client's
// credit, because whoever refunds a paid invoice credits it first; where there is none, and always
// after a dispute, the invoices that the payment settled are owed again.
func (s *Service) takeBack(ctx context.Context, tx *db.Store, checkout db.Checkout, event db.GatewayEvent) (outcome string, err error) {
	payment, err := tx.LockPayment(ctx, checkout.PaymentID)
	if err != nil {
		return "", err
	}
	verb := "payment.refund"
	if event.Dispute {
		verb = "payment.dispute"
	}
	unbooked := func() (string, error) {
		return outcomeUnbooked, tx.Audit(ctx, db.AuditEntry{Client: payment.ClientID, Verb: verb + "_unbooked", Object: payment.ID.String(),
			After: map[string]any{"amount": event.Amount, "currency": event.Currency, "reference": event.ReversalRef}})
	}
	if payment.VoidedAt != nil { // staff took it back already: the client's other credit is not what came back
		return unbooked()
	}
	parts, err := tx.SettledBy(ctx, payment.ID)
	if err != nil {
		return "", err
	}
	ids := []id.Invoice{}
	for _, part := range parts {
		ids = append(ids, part.InvoiceID)
	}
	invoices, err := tx.LockInvoices(ctx, ids)
	if err != nil {
		return "", err
	}
	// An invoice may have been cancelled before it was locked: its part is credit by now.
	if parts, err = tx.SettledBy(ctx, payment.ID); err != nil {
		return "", err
	}
	credit, err := tx.LockCredit(ctx, payment.ClientID, payment.Currency)
	if err != nil {
		return "", err
	}
	var settled money.Minor
	for _, part := range parts {
		if invoices[part.InvoiceID] != nil && part.Amount > 0 {
			settled += part.Amount
		}
	}
	left := event.Amount // to be taken from invoices
	if !event.Dispute {
		left -= min(credit, left)
	}
	if left = min(left, settled); event.Amount-left > credit {
		return unbooked()
	}
	entries, changed := []db.LedgerEntry{}, []*db.Invoice{}
	for _, part := range slices.Backward(parts) {
		row := invoices[part.InvoiceID]
		if row == nil || left == 0 || part.Amount <= 0 {
			continue
		}
		take := min(left, part.Amount)
		left -= take
		before := *row
		entries = append(entries, moveEntries(ctx, *row, db.EntryCreditReleased, -take, payment.ID)...)
		s.settle(row, -take, 0)
		if err := auditState(ctx, tx, verb, before, *row, map[string]any{"payment": payment.ID, "amount": take, "reference": event.ReversalRef}); err != nil {
			return "", err
		}
		changed = append(changed, row)
	}
	client, err := tx.Client(ctx, payment.ClientID)
	if err != nil {
		return "", err
	}
	refund := db.Refund{ClientID: payment.ClientID, Amount: event.Amount, Currency: event.Currency, Method: "card", Reference: shorten(event.ReversalRef),
		RefundedOn: date.Today(s.Now(), client.Timezone), PaymentID: payment.ID, GatewayRef: event.ReversalRef, CreatedAt: s.Now()}
	if err := tx.AddRefund(ctx, &refund); err != nil {
		return "", err
	}
	if err := tx.Enqueue(ctx, RefundedJob{RefundID: refund.ID}); err != nil {
		return "", err
	}
	if err := tx.Audit(ctx, db.AuditEntry{Client: refund.ClientID, Verb: "refund.record", Object: refund.ID.String(),
		After: map[string]any{"amount": refund.Amount, "currency": refund.Currency, "method": refund.Method, "reference": refund.Reference, "payment": payment.ID}}); err != nil {
		return "", err
	}
	entries = append(entries, db.LedgerEntry{ClientID: refund.ClientID, Currency: refund.Currency, Kind: db.EntryRefund, Amount: -refund.Amount, RefundID: refund.ID, Actor: actorName(ctx)})
	if ok, err := tx.AddEntries(ctx, entries); err != nil {
		return "", err
	} else if !ok {
		return "", fault.New(fault.Conflict, "CREDIT_TOO_LOW")
	}
	return outcomeBooked, s.saveStates(ctx, tx, changed...)
}

// restore books money that the gateway gave us again, as a payment for what its charge had settled.
func (s *Service) restore(ctx context.Context, tx *db.Store, checkout db.Checkout, refund db.Refund) (outcome string, err error) {
	if _, err := tx.PaymentByGateway(ctx, refund.GatewayRef); err == nil {
		return outcomeRepeated, nil
	} else if !fault.Is(err, fault.NotFound) {
		return "", err
	}
	parts, err := tx.CheckoutInvoices(ctx, checkout.ID)
	if err != nil {
		return "", err
	}
	receive := ReceiveInput{ClientID: refund.ClientID, Currency: refund.Currency, Amount: refund.Amount, Method: "card", Reference: refund.Reference,
		ExcessToCredit: true, RequestKey: "reversal:" + refund.GatewayRef, gatewayRef: refund.GatewayRef}
	for _, part := range parts {
		receive.Invoices = append(receive.Invoices, Allocation{InvoiceID: part.InvoiceID})
	}
	if err := receive.check(); err != nil {
		return "", err
	}
	if _, err := s.receive(ctx, tx, receive); err != nil {
		return "", err
	}
	return outcomeBooked, nil
}
