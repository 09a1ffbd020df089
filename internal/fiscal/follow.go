package fiscal

import (
	"cmp"
	"context"
	"fmt"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// Follow does a billing.ChangedJob: it asks for the documents that the invoice's present state calls for
// (ingreso when paid or issued, egreso for each credit note, a receipt for each payment of a PPD one), where
// issuer and client have their fiscal data complete. What is there already is not asked for again. While the issuer has
// no certificate that can be used nothing is asked for; see [Service.FollowMissed].
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

// MissedJob asks for what nothing was asked for while the issuer could issue nothing.
type MissedJob struct {
	At int64 `json:"at"` // when the issuer's data or certificate changed, in microseconds since 1970
}

// Kind names the job.
func (MissedJob) Kind() string { return "fiscal:missed" }

// Key makes one job of each change.
func (j MissedJob) Key() string { return fmt.Sprintf("%s:%d", j.Kind(), j.At) }

// missedMargin is how long before the newest document something may have changed that was not followed any more.
const missedMargin = 24 * time.Hour

// FollowMissed does a MissedJob: invoices and credit notes whose documents were due while the certificate was expired,
// missing or another RFC's get them now. Those are the ones since about the newest document, because nothing was asked
// for after it. Background work only.
func (s *Service) FollowMissed(ctx context.Context, _ MissedJob) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	issuer, err := s.issuer(ctx, s.Store)
	if err != nil || !issuer.Ready() {
		return err // the job of what is still to come does it
	}
	since, err := s.Store.NewestCFDI(ctx)
	if fault.Is(err, fault.NotFound) {
		since, err = issuer.AutomaticSince, nil
	}
	if err != nil {
		return err
	}
	if since = since.Add(-missedMargin); since.Before(issuer.AutomaticSince) {
		since = issuer.AutomaticSince
	}
	missed := func(ctx context.Context, after id.Invoice, limit int) ([]id.Invoice, error) {
		return s.Store.InvoicesWithoutCFDI(ctx, issuer.AutomaticSince, since, issuer.When, after, limit)
	}
	if err := s.followEach(ctx, missed); err != nil {
		return err
	}
	return s.followEach(ctx, s.Store.CreditNotesWithoutCFDI)
}

// followEach follows the invoices that a list has, page by page. What goes wrong with one of them keeps none of the others:
// it is logged, and returned at the end.
func (s *Service) followEach(ctx context.Context, list func(context.Context, id.Invoice, int) ([]id.Invoice, error)) (failed error) {
	for last := id.Invoice(0); ; {
		ids, err := list(ctx, last, 500)
		if err != nil || len(ids) == 0 {
			return cmp.Or(err, failed)
		}
		for _, invoice := range ids {
			if err := s.followed(ctx, invoice); err != nil {
				failed = err
			}
			last = invoice
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}

// followed is [Service.Follow] of one invoice of many: what goes wrong is logged.
func (s *Service) followed(ctx context.Context, invoice id.Invoice) error {
	err := s.Follow(ctx, billing.ChangedJob{InvoiceID: invoice})
	if err != nil {
		s.logger().Error("the documents of an invoice could not be asked for", "invoice", invoice.String(), "error", err)
	}
	return err
}
