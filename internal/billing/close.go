package billing

import (
	"context"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// CloseInput says which invoice is closed and why.
type CloseInput struct {
	InvoiceID id.Invoice
	Reason    string
}

// CancelInvoice takes an issued invoice back as if it had never been owed. What was paid for it
// becomes the client's credit. An invoice with credit notes cannot be cancelled; cancelling a cancelled one changes
// nothing. Staff only.
func (s *Service) CancelInvoice(ctx context.Context, in CloseInput) (db.Invoice, error) {
	return s.close(ctx, in, func(tx *db.Store, row *db.Invoice) error {
		switch {
		case row.Status == db.InvoiceDraft || row.Status == db.InvoiceWrittenOff:
			return fault.New(fault.Conflict, "INVOICE_NOT_OPEN")
		case row.Credited > 0:
			return fault.New(fault.Conflict, "INVOICE_HAS_CREDIT_NOTES")
		}
		noted, err := tx.CreditNoted(ctx, row.ID)
		if err != nil {
			return err
		}
		if noted > 0 {
			return fault.New(fault.Conflict, "INVOICE_HAS_CREDIT_NOTES")
		}
		settling, err := tx.Settling(ctx, row.ID)
		if err != nil {
			return err
		}
		entries := []db.LedgerEntry{}
		for _, part := range settling {
			entries = append(entries, moveEntries(ctx, *row, db.EntryCreditReleased, -part.Amount, part.PaymentID)...)
		}
		if _, err := tx.AddEntries(ctx, entries); err != nil {
			return err
		}
		now := s.Now()
		row.Status, row.Paid, row.PaidAt, row.CancelledAt = db.InvoiceCancelled, 0, nil, &now
		return nil
	}, db.InvoiceCancelled)
}

// WriteOffInvoice gives up what is still owed on an invoice. What was paid stays paid. Writing off
// again changes nothing. Staff only.
func (s *Service) WriteOffInvoice(ctx context.Context, in CloseInput) (db.Invoice, error) {
	return s.close(ctx, in, func(_ *db.Store, row *db.Invoice) error {
		if !row.Open() {
			return fault.New(fault.Conflict, "INVOICE_NOT_OPEN")
		}
		now := s.Now()
		row.Status, row.WrittenOffAt = db.InvoiceWrittenOff, &now
		return nil
	}, db.InvoiceWrittenOff)
}

func (s *Service) close(ctx context.Context, in CloseInput, change func(*db.Store, *db.Invoice) error, done string) (db.Invoice, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return db.Invoice{}, err
	}
	var checks fault.Checks
	checkText(&checks, "reason", &in.Reason, true, 500)
	if err := checks.Err(); err != nil {
		return db.Invoice{}, err
	}
	var row db.Invoice
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		var err error
		if row, err = tx.LockInvoice(ctx, in.InvoiceID); err != nil || row.Status == done {
			return err
		}
		before := row
		if err := change(tx, &row); err != nil {
			return err
		}
		row.CloseReason = in.Reason
		if err := auditState(ctx, tx, "invoice."+done, before, row, map[string]any{"reason": in.Reason}); err != nil {
			return err
		}
		return s.saveStates(ctx, tx, &row)
	})
	if err != nil {
		return db.Invoice{}, err
	}
	return row, nil
}
