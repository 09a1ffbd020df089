package billing

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// maxCheckout is how many invoices can be paid at once online.
const maxCheckout = 50

// CheckoutInput says which invoices are to be paid online.
type CheckoutInput struct {
	Invoices []id.Invoice // of one client and currency, all of them owed
	Return   string       // path of the page to come back to, "/clientes/facturas"
}

// StartCheckout opens the gateway's page for what the invoices owe. An open page for the same amounts
// is used again, so that two clicks do not make two payments. It needs the permission invoices.
func (s *Service) StartCheckout(ctx context.Context, in CheckoutInput) (db.Checkout, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return db.Checkout{}, err
	}
	rows, err := s.payable(ctx, in.Invoices)
	if err != nil {
		return db.Checkout{}, err
	}
	return s.checkout(ctx, rows, in.Return)
}

// payable loads invoices that the actor may pay, in the order of their ids.
func (s *Service) payable(ctx context.Context, ids []id.Invoice) ([]db.Invoice, error) {
	var checks fault.Checks
	ids = slices.Compact(slices.Sorted(slices.Values(ids)))
	if len(ids) == 0 {
		checks.Add("invoices", "REQUIRED")
	}
	if len(ids) > maxCheckout {
		checks.Add("invoices", "LINES_TOO_MANY", "max", maxCheckout)
	}
	if err := checks.Err(); err != nil {
		return nil, err
	}
	rows, err := s.InvoicesByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	if len(rows) != len(ids) {
		return nil, fault.Missing()
	}
	slices.SortFunc(rows, func(a, b db.Invoice) int { return int(a.ID - b.ID) })
	for i, row := range rows {
		switch {
		case row.ClientID != rows[0].ClientID:
			checks.Add(fmt.Sprintf("invoices[%d]", i), "VALUE_INVALID")
		case row.Currency != rows[0].Currency:
			checks.Add(fmt.Sprintf("invoices[%d]", i), "CURRENCY_MISMATCH", "currency", string(row.Currency))
		case !row.Open():
			return nil, fault.New(fault.Conflict, "INVOICE_NOT_OPEN").With("number", row.Number)
		}
	}
	return rows, checks.Err()
}

func (s *Service) checkout(ctx context.Context, invoices []db.Invoice, back string) (db.Checkout, error) {
	if s.Gateway == nil {
		return db.Checkout{}, fault.New(fault.Unavailable, "GATEWAY_MISSING")
	}
	client, err := s.Store.Client(ctx, invoices[0].ClientID)
	if err != nil {
		return db.Checkout{}, err
	}
	row := db.Checkout{ClientID: client.ID, Currency: invoices[0].Currency, Gateway: s.Gateway.Name(), Status: db.CheckoutCreated}
	parts := make([]db.CheckoutInvoice, len(invoices))
	items := make([]CheckoutItem, len(invoices))
	for i, invoice := range invoices {
		if row.Amount, err = row.Amount.Add(invoice.Balance); err != nil {
			return db.Checkout{}, err
		}
		parts[i] = db.CheckoutInvoice{InvoiceID: invoice.ID, Amount: invoice.Balance}
		items[i] = CheckoutItem{Name: invoice.Number, Amount: invoice.Balance}
	}
	// One page for the same amounts, even when two requests come at once.
	err = s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := tx.Lock(ctx, "checkout "+client.ID.String()); err != nil {
			return err
		}
		open, err := tx.OpenCheckouts(ctx, client.ID, s.Now())
		if err != nil {
			return err
		}
		for _, earlier := range open {
			if earlier.Amount != row.Amount || earlier.Gateway != row.Gateway || earlier.Currency != row.Currency {
				continue
			}
			had, err := tx.CheckoutInvoices(ctx, earlier.ID)
			if err != nil {
				return err
			}
			if slices.EqualFunc(had, parts, func(a, b db.CheckoutInvoice) bool { return a.InvoiceID == b.InvoiceID && a.Amount == b.Amount }) {
				row = earlier
				return nil
			}
		}
		row.CreatedAt = s.Now()
		return tx.AddCheckout(ctx, &row, parts)
	})
	if err != nil || row.URL != "" {
		return row, err
	}
	if len(back) == 0 || back[0] != '/' || len(back) > 1 && (back[1] == '/' || back[1] == '\\') {
		back = "/clientes/facturas" // never another site
	}
	session, err := s.Gateway.CreateCheckout(ctx, CheckoutRequest{Checkout: row.ID, Currency: row.Currency, Items: items, Email: client.Email,
		Language: client.Language, SuccessURL: s.BaseURL + back + "?pago=recibido", CancelURL: s.BaseURL + back})
	if err != nil {
		return db.Checkout{}, fault.New(fault.Unavailable, "GATEWAY_FAILED").Because(err)
	}
	err = s.Store.InTx(ctx, func(tx *db.Store) error {
		var err error
		if row, err = tx.LockCheckout(ctx, row.ID); err != nil {
			return err
		}
		row.SessionRef, row.URL, row.ExpiresAt = session.Ref, session.URL, &session.ExpiresAt
		if row.Status == db.CheckoutCreated { // an event may have come first
			row.Status = db.CheckoutOpen
		}
		return tx.SaveCheckout(ctx, &row)
	})
	return row, err
}

// Checkout returns an online payment, for the page the payer comes back to.
func (s *Service) Checkout(ctx context.Context, checkoutID id.Checkout) (db.Checkout, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return db.Checkout{}, err
	}
	row, err := s.Store.Checkout(ctx, checkoutID)
	if err != nil {
		return db.Checkout{}, err
	}
	return row, access.Require(ctx, access.Invoices, row.ClientID)
}

// ErrSignature is what a gateway answers to an event that it did not sign.
var ErrSignature = errors.New("the event is not signed by the gateway")

// What an event did.
const (
	outcomeBooked   = "booked"
	outcomeNoted    = "noted"
	outcomeRepeated = "repeated"
	outcomeLate     = "late"     // the checkout had moved on: an expiry that arrives after the payment
	outcomeIgnored  = "ignored"  // not about a checkout of ours
	outcomeMismatch = "mismatch" // other currency than asked for: a person must look
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
		row := db.GatewayEvent{Gateway: s.Gateway.Name(), EventRef: event.Ref, Kind: event.Kind, Outcome: outcomeIgnored, ReceivedAt: s.Now()}
		first, err := tx.ClaimGatewayEvent(ctx, &row)
		if err != nil || !first {
			return err
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
		return tx.FinishGatewayEvent(ctx, &row)
	})
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
		return outcomeBooked, s.bookCheckout(ctx, tx, checkout, event)
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
	checkout.Status, checkout.PaymentID, checkout.SessionRef = db.CheckoutPaid, payment.ID, event.Session
	return tx.SaveCheckout(ctx, checkout)
}

// Transfer tells how to pay by bank transfer.
type Transfer struct {
	CLABE     string // "" where the company has none
	Reference string // what the payer writes, so that the payment can be matched
	Details   string // the company's own words
}

// TransferInstructions returns how a client pays by transfer. It needs the permission invoices.
func (s *Service) TransferInstructions(ctx context.Context, clientID id.Client) (Transfer, error) {
	if err := access.Require(ctx, access.Invoices, clientID); err != nil {
		return Transfer{}, err
	}
	company, err := s.Store.Company(ctx)
	return Transfer{CLABE: company.CLABE, Reference: PaymentReference(clientID), Details: company.PaymentDetails}, err
}
