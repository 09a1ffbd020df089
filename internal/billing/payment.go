package billing

import (
	"context"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// PaymentInput is money received for one invoice.
type PaymentInput struct {
	InvoiceID  id.Invoice
	Amount     money.Minor // minor units of the invoice's currency
	Method     string      // transfer, cash, card, cheque
	Reference  string
	ReceivedOn date.Date // "" means today in the client's zone
	RequestKey string    // required: a second request with the same key changes nothing
}

// RecordPayment books money received by hand. Staff only. A payment above the balance is refused,
// and a repeated request key returns what the first request did.
func (s *Service) RecordPayment(ctx context.Context, in PaymentInput) (db.Invoice, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return db.Invoice{}, err
	}
	var checks fault.Checks
	if in.Amount <= 0 {
		checks.Add("amount", "AMOUNT_NOT_POSITIVE")
	}
	if strings.TrimSpace(in.RequestKey) == "" {
		checks.Add("requestKey", "REQUIRED")
	}
	switch in.Method {
	case "transfer", "cash", "card", "cheque":
	case "":
		checks.Add("method", "REQUIRED")
	default:
		checks.Add("method", "VALUE_INVALID")
	}
	if len([]rune(in.Reference)) > 100 {
		checks.Add("reference", "TOO_LONG", "max", 100)
	}
	if err := checks.Err(); err != nil {
		return db.Invoice{}, err
	}
	var row db.Invoice
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		var err error
		if row, err = tx.LockInvoice(ctx, in.InvoiceID); err != nil {
			return err
		}
		earlier, err := tx.PaymentByRequest(ctx, in.RequestKey)
		switch {
		case err == nil && earlier.InvoiceID == row.ID:
			return nil
		case err == nil:
			checks.Add("requestKey", "REQUEST_KEY_REUSED")
			return checks.Err()
		case !fault.Is(err, fault.NotFound):
			return err
		}
		if !row.Open() {
			return fault.New(fault.Conflict, "INVOICE_NOT_OPEN")
		}
		if in.Amount > row.Balance {
			checks.Add("amount", "AMOUNT_ABOVE_BALANCE")
			return checks.Err()
		}
		if in.ReceivedOn == "" {
			in.ReceivedOn = date.Today(s.Now(), row.ClientSnapshot.Timezone)
		}
		if err := tx.AddPayment(ctx, &db.Payment{InvoiceID: row.ID, ClientID: row.ClientID, Amount: in.Amount, Currency: row.Currency,
			Method: in.Method, Reference: strings.TrimSpace(in.Reference), ReceivedOn: in.ReceivedOn, RequestKey: in.RequestKey}); err != nil {
			return err
		}
		before := row
		row.Paid += in.Amount
		row.Status = db.InvoicePartlyPaid
		if row.Paid == row.Total {
			now := s.Now()
			row.Status, row.PaidAt = db.InvoicePaid, &now
		}
		row.PDFKey, row.PDFSize = "", 0
		if err := tx.SaveInvoiceState(ctx, &row); err != nil {
			return err
		}
		if err := tx.Audit(ctx, db.AuditEntry{Client: row.ClientID, Verb: "payment.record", Object: row.ID.String(),
			Before: map[string]any{"paid": before.Paid, "status": before.Status},
			After: map[string]any{"paid": row.Paid, "status": row.Status, "amount": in.Amount, "currency": row.Currency,
				"method": in.Method, "reference": in.Reference, "receivedOn": in.ReceivedOn}}); err != nil {
			return err
		}
		return tx.Enqueue(ctx, renderJob(row))
	})
	if err != nil {
		return db.Invoice{}, err
	}
	return row, nil
}
