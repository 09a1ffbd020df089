package fiscal

import (
	"context"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
)

// Follow does a billing.ChangedJob: it asks for the documents that the invoice's present state calls for
// (ingreso when paid or issued, egreso for each credit note, a receipt for each payment of a PPD one), where
// issuer and client have their fiscal data complete. What is there already is not asked for again.
func (s *Service) Follow(ctx context.Context, job billing.ChangedJob) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	return s.Store.InTx(ctx, func(tx *db.Store) error {
		invoice, err := tx.Invoice(ctx, job.InvoiceID)
		if err != nil {
			return err
		}
		// A receipt covers several invoices of the client: one at a time decides about them.
		if err := tx.Lock(ctx, "fiscal "+invoice.ClientID.String()); err != nil {
			return err
		}
		if invoice, err = tx.LockInvoice(ctx, job.InvoiceID); err != nil {
			return err
		}
		issuer, err := s.issuer(ctx, tx)
		if err != nil || !issuer.Ready() {
			return err
		}
		earlier, err := tx.CFDIsOf(ctx, invoice.ID)
		if err != nil {
			return err
		}
		ingreso, ok := inForce(earlier)
		if !ok {
			globals, err := tx.GlobalsOf(ctx, invoice.ID)
			if err != nil {
				return err
			}
			global, in := globals[invoice.ID]
			switch {
			case !in:
				return s.followInvoice(ctx, tx, invoice, issuer)
			case global.Status == db.CFDIStamped:
				return s.followCredits(ctx, tx, invoice, global, earlier)
			}
			return nil
		}
		if ingreso.Status != db.CFDIStamped {
			return nil
		}
		if err := s.followCredits(ctx, tx, invoice, ingreso, earlier); err != nil {
			return err
		}
		if err := s.followAnticipos(ctx, tx, invoice, ingreso, earlier); err != nil || ingreso.MetodoPago != "PPD" {
			return err
		}
		return s.followReceipts(ctx, tx, invoice)
	})
}

func (s *Service) followInvoice(ctx context.Context, tx *db.Store, invoice db.Invoice, issuer Issuer) error {
	when, err := tx.CFDIWhen(ctx, invoice.ClientID)
	if err != nil {
		return err
	}
	if when == "" {
		when = issuer.When
	}
	due := when == db.CFDIOnPayment && invoice.Status == db.InvoicePaid ||
		when == db.CFDIOnIssue && (invoice.Open() || invoice.Status == db.InvoicePaid)
	profile, err := profileOf(ctx, tx, invoice.ClientID, 0)
	if f, ok := fault.As(err); ok && f.Code == "FISCAL_PROFILE_MISSING" {
		return nil // the client completes it and asks, or the sale falls into the global invoice
	}
	if err != nil {
		return err
	}
	applied, err := s.applyAnticipos(ctx, tx, invoice, profile.Rfc)
	if err != nil {
		return err
	}
	// What an anticipo pays is in the client's own documents already: it does not wait to be asked for.
	due = due || len(applied) > 0 && invoice.Status == db.InvoicePaid
	// What was credited as a whole was never a sale.
	if !due || invoice.Credited == invoice.Total || invoice.CreatedAt.Before(issuer.AutomaticSince) && len(applied) == 0 {
		return nil
	}
	_, err = s.add(ctx, tx, db.CFDI{Kind: db.CFDIIngreso, ClientID: invoice.ClientID, InvoiceID: invoice.ID, ProfileID: profile.ID, MetodoPago: metodo(invoice)})
	return err
}
