package billing

import (
	"context"
	"fmt"
	"slices"
	"time"

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
	Return   string       // path of the pay page, "/clientes/cli_1/pagar": its own page of the checkout, Return/chk_1, is what the payer comes back to
}

// Online reports whether invoices can be paid by card here.
func (s *Service) Online() bool { return s.Gateway != nil }

// StartCheckout opens the gateway's page for what the invoices owe. An open page for the same amounts
// is used again, so that two clicks do not make two payments; pages for other amounts of one of the
// invoices are closed. It needs the permission invoices; who sees as the client cannot pay.
func (s *Service) StartCheckout(ctx context.Context, in CheckoutInput) (db.Checkout, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return db.Checkout{}, err
	}
	rows, err := s.payable(ctx, in.Invoices)
	if err != nil {
		return db.Checkout{}, err
	}
	if err := access.RequireChange(ctx, access.Invoices, rows[0].ClientID, access.ManageBilling); err != nil {
		return db.Checkout{}, err
	}
	// What was paid in the meantime, without our having heard of it, is not paid again.
	open, err := s.Store.OpenCheckouts(ctx, rows[0].ClientID, s.Now())
	if err != nil {
		return db.Checkout{}, err
	}
	for _, earlier := range open {
		_, _ = s.refresh(ctx, earlier) // a gateway that does not answer says so below
	}
	if len(open) > 0 {
		if rows, err = s.payable(ctx, in.Invoices); err != nil {
			return db.Checkout{}, err
		}
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
		checks.Add("invoices", "INVOICES_TOO_MANY", "max", maxCheckout)
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
	if least := s.Gateway.Minimum(row.Currency); row.Amount < least {
		var checks fault.Checks
		checks.Add("invoices", "AMOUNT_BELOW_MINIMUM", "least", money.FormatNumber(least, row.Currency), "currency", string(row.Currency))
		return db.Checkout{}, checks.Err()
	}
	// One page for the same amounts, even when two requests come at once.
	closed := []string{}
	err = s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := tx.Lock(ctx, "checkout "+client.ID.String()); err != nil {
			return err
		}
		open, err := tx.OpenCheckouts(ctx, client.ID, s.Now())
		if err != nil {
			return err
		}
		for _, earlier := range open {
			had, err := tx.CheckoutInvoices(ctx, earlier.ID)
			if err != nil {
				return err
			}
			same := func(a, b db.CheckoutInvoice) bool { return a.InvoiceID == b.InvoiceID && a.Amount == b.Amount }
			if earlier.Gateway == row.Gateway && slices.EqualFunc(had, parts, same) {
				row = earlier
				continue
			}
			if slices.ContainsFunc(had, func(a db.CheckoutInvoice) bool {
				return slices.ContainsFunc(parts, func(b db.CheckoutInvoice) bool { return a.InvoiceID == b.InvoiceID })
			}) {
				if earlier.SessionRef != "" && earlier.Gateway == row.Gateway {
					closed = append(closed, earlier.SessionRef)
				}
				earlier.Status = db.CheckoutExpired
				if err := tx.SaveCheckout(ctx, &earlier); err != nil {
					return err
				}
			}
		}
		if row.ID != 0 {
			return nil
		}
		row.CreatedAt = s.Now()
		return tx.AddCheckout(ctx, &row, parts)
	})
	if err != nil {
		return row, err
	}
	for _, ref := range closed {
		// Where it fails, somebody may still pay there: that is booked, and what is too much becomes credit.
		_ = s.Gateway.ExpireCheckout(ctx, ref)
	}
	if row.URL != "" {
		return row, nil
	}
	if len(back) == 0 || back[0] != '/' || len(back) > 1 && (back[1] == '/' || back[1] == '\\') {
		back = "/clientes/" + client.ID.String() + "/pagar" // never another site
	}
	session, err := s.Gateway.CreateCheckout(ctx, CheckoutRequest{Checkout: row.ID, Currency: row.Currency, Items: items, Email: client.Email,
		Language: client.Language, SuccessURL: s.BaseURL + back + "/" + row.ID.String(), CancelURL: s.BaseURL + back + "?pago=sin-terminar"})
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

// Checkout returns an online payment with its invoices, for the page the payer comes back to. One
// that is not known to have ended is looked up at the gateway, at most every few seconds, so that the
// page tells the truth before the webhook arrives.
func (s *Service) Checkout(ctx context.Context, checkoutID id.Checkout) (db.Checkout, []db.CheckoutInvoice, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return db.Checkout{}, nil, err
	}
	row, err := s.Store.Checkout(ctx, checkoutID)
	if err != nil {
		return db.Checkout{}, nil, err
	}
	if err := access.Require(ctx, access.Invoices, row.ClientID); err != nil {
		return db.Checkout{}, nil, err
	}
	if s.Now().Sub(row.UpdatedAt) > 2*time.Second {
		if fresh, err := s.refresh(ctx, row); err == nil { // the gateway does not answer: what we know is shown
			row = fresh
		}
	}
	parts, err := s.Store.CheckoutInvoices(ctx, row.ID)
	return row, parts, err
}
