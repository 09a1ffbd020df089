package fiscal

import (
	"cmp"
	"context"
	"slices"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// RedoGlobal asks for a global invoice that takes the place of one of which sales are not paid any more (motive 01): the
// new one, without them, is related (04) to the old one and stamped first. Where no sale is left there is nothing to
// issue: the old one is cancelled because the operation was not carried out (03). Staff only.
func (s *Service) RedoGlobal(ctx context.Context, in SubstituteInput) (row db.CFDI, err error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return row, err
	}
	if _, ok := s.PAC.(Canceller); !ok {
		return row, fault.New(fault.Conflict, "FISCAL_CANCEL_UNSUPPORTED")
	}
	err = s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := tx.Lock(ctx, "fiscal global"); err != nil {
			return err
		}
		old, err := tx.LockCFDI(ctx, in.CFDI)
		if err != nil {
			return err
		}
		if old.Status != db.CFDIStamped || old.Kind != db.CFDIGlobal {
			return fault.New(fault.Conflict, "FISCAL_SUBSTITUTE_STATE")
		}
		if s.Now().After(CancelBefore(old)) {
			return fault.New(fault.Conflict, "FISCAL_CANCEL_LATE")
		}
		related, err := tx.CFDIsRelatedTo(ctx, old.ID)
		if err != nil {
			return err
		}
		if i := slices.IndexFunc(related, func(c db.CFDI) bool { return c.ReplacesID == old.ID && c.Status != db.CFDICancelled }); i >= 0 {
			return s.redoAgain(ctx, tx, &row, related[i])
		}
		live, err := s.inForceBeside(ctx, tx, old)
		if err != nil {
			return err
		}
		if len(live) > 0 {
			return fault.New(fault.Conflict, "FISCAL_CANCEL_RELATED")
		}
		kept, err := s.stillPaid(ctx, tx, old)
		if err != nil {
			return err
		}
		if len(kept) == 0 {
			row = old
			return s.askCancel(ctx, tx, &row, MotivoNoRealizada, "")
		}
		if err := tx.UncoverInvoices(ctx, []id.CFDI{old.ID}); err != nil {
			return err
		}
		if row, err = s.add(ctx, tx, db.CFDI{Kind: db.CFDIGlobal, PeriodStart: old.PeriodStart, Periodicidad: old.Periodicidad, MetodoPago: "PUE", ReplacesID: old.ID}); err != nil {
			return err
		}
		for i := range kept {
			kept[i].CFDIID = row.ID
		}
		if err := tx.CoverInvoices(ctx, kept); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Verb: "cfdi.substitute", Object: old.ID.String(), After: map[string]any{"uuid": old.UUID, "by": row.ID.String(), "sales": len(kept)}})
	})
	return row, err
}

// redoAgain builds a replacement that was refused anew; for one on its way, or stamped, nothing happens.
func (s *Service) redoAgain(ctx context.Context, tx *db.Store, row *db.CFDI, earlier db.CFDI) (err error) {
	if *row, err = tx.LockCFDI(ctx, earlier.ID); err != nil || row.Status != db.CFDIStampFailed {
		return err
	}
	row.Status, row.Refusal = db.CFDIDraft, db.Refusal{}
	if err := tx.SaveCFDI(ctx, row); err != nil {
		return err
	}
	return tx.Enqueue(ctx, stampJob(*row))
}

// stillPaid are the sales of a global invoice that are paid.
func (s *Service) stillPaid(ctx context.Context, tx *db.Store, row db.CFDI) ([]db.CFDICoverage, error) {
	parts, err := tx.CoveredBy(ctx, row.ID)
	if err != nil {
		return nil, err
	}
	ids := make([]id.Invoice, len(parts))
	for i, part := range parts {
		ids[i] = part.InvoiceID
	}
	invoices, err := tx.LockInvoices(ctx, ids)
	if err != nil {
		return nil, err
	}
	paid := map[id.Invoice]bool{}
	for _, invoice := range invoices {
		paid[invoice.ID] = invoice.Status == db.InvoicePaid
	}
	return slices.DeleteFunc(parts, func(p db.CFDICoverage) bool { return !paid[p.InvoiceID] }), nil
}

// SalesIn returns the sales that a global invoice sums up, in their order. Staff only.
func (s *Service) SalesIn(ctx context.Context, cfdi id.CFDI) ([]db.Invoice, error) {
	if err := access.RequireCapability(ctx, access.ReadBilling); err != nil {
		return nil, err
	}
	parts, err := s.Store.CoveredBy(ctx, cfdi)
	if err != nil {
		return nil, err
	}
	ids := make([]id.Invoice, len(parts))
	for i, part := range parts {
		ids[i] = part.InvoiceID
	}
	rows, err := s.Store.InvoicesByID(ctx, ids)
	slices.SortFunc(rows, func(a, b db.Invoice) int { return cmp.Compare(a.ID, b.ID) })
	return rows, err
}
