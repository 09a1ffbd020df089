package fiscal

import (
	"context"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/money"
)

const (
	devolucionDescripcion = "Devolución de anticipo"
	motivoNoOperacion     = "03" // c_Motivo: the operation was not carried out
)

// FollowRefund does a billing.RefundedJob. Money that is given back from a client's credit takes the anticipos along that
// the rest of the credit no longer holds, the newest first, with as much as was given back at most. One that is given back
// as a whole and pays nothing has its document cancelled (motive 03), while the term for that runs; of any other a part is
// taken out of the income by an egreso that is related to it (TipoRelacion 07). A repetition finds it done.
func (s *Service) FollowRefund(ctx context.Context, job billing.RefundedJob) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	return s.Store.InTx(ctx, func(tx *db.Store) error {
		refund, err := tx.Refund(ctx, job.RefundID)
		if err != nil {
			return err
		}
		if err := tx.Lock(ctx, "fiscal "+refund.ClientID.String()); err != nil {
			return err
		}
		if done, err := tx.AnticipoRefunds(ctx, refund.ID); err != nil || len(done) > 0 {
			return err
		}
		found, err := tx.Anticipos(ctx, refund.ClientID)
		if err != nil {
			return err
		}
		credit, err := tx.LockCredit(ctx, refund.ClientID, refund.Currency)
		if err != nil {
			return err
		}
		excess := -credit
		for _, a := range found {
			if a.Currency == refund.Currency {
				excess += a.Left()
			}
		}
		excess = min(excess, refund.Amount)
		for i := len(found) - 1; i >= 0 && excess > 0; i-- {
			if found[i].Currency != refund.Currency || found[i].Left() <= 0 {
				continue
			}
			part := min(found[i].Left(), excess)
			if err := s.refundAnticipo(ctx, tx, refund, found[i], part); err != nil {
				return err
			}
			excess -= part
		}
		return nil
	})
}

func (s *Service) refundAnticipo(ctx context.Context, tx *db.Store, refund db.Refund, about db.Anticipo, part money.Minor) error {
	row, err := tx.LockCFDI(ctx, about.CFDIID)
	if err != nil {
		return err
	}
	if row.Status != db.CFDIStamped {
		return errAnticipoWaits
	}
	back := db.AnticipoRefund{RefundID: refund.ID, AnticipoID: about.CFDIID, Amount: part}
	if part == about.Amount {
		request := CancelRequest{RfcEmisor: row.RfcEmisor, UUID: row.UUID, Motivo: motivoNoOperacion, Fecha: s.Now()}
		err := s.checkCancel(ctx, tx, row, &request, 0)
		if err == nil {
			if err := tx.AddAnticipoRefund(ctx, &back); err != nil {
				return err
			}
			return s.askCancel(ctx, tx, &row, motivoNoOperacion, "")
		}
		if _, refused := fault.As(err); !refused {
			return err
		}
	}
	egreso, err := s.add(ctx, tx, db.CFDI{Kind: db.CFDIEgreso, ClientID: row.ClientID, PaymentID: about.PaymentID, RelatedID: row.ID, ProfileID: row.ProfileID, MetodoPago: "PUE"})
	if err != nil {
		return err
	}
	back.EgresoID = egreso.ID
	if err := tx.AddAnticipoRefund(ctx, &back); err != nil {
		return err
	}
	return tx.Audit(ctx, db.AuditEntry{Client: row.ClientID, Verb: "cfdi.anticipo_refund", Object: egreso.ID.String(),
		After: map[string]any{"refund": refund.ID.String(), "anticipo": row.ID.String(), "amount": part, "currency": refund.Currency}})
}

// composeDevolucion takes out of the income what of an anticipo was given back, with the anticipo's own taxes and in the
// form in which it was given back.
func (s *Service) composeDevolucion(ctx context.Context, tx *db.Store, row db.CFDI, d Draft) (*Comprobante, error) {
	back, err := tx.AnticipoRefundOf(ctx, row.ID)
	if err != nil {
		return nil, err
	}
	refund, err := tx.Refund(ctx, back.RefundID)
	if err != nil {
		return nil, err
	}
	origin, err := tx.CFDI(ctx, back.AnticipoID)
	if err != nil {
		return nil, err
	}
	if origin.Status != db.CFDIStamped {
		return nil, refuse("origin_not_in_force", "", "CfdiRelacionados", "El anticipo ya no está vigente.", "The anticipo is no longer in force.")
	}
	doc, err := Parse(origin.XML)
	if err != nil {
		return nil, err
	}
	d.Relacionados = []CfdiRelacionados{Relacion(relacionAnticipo, origin.UUID)}
	if d.FormaPago = formaPago(refund.Method); d.FormaPago == "99" {
		d.FormaPago = doc.Comprobante.FormaPago
	}
	return BuildEgreso(d, doc.Comprobante, back.Amount, devolucionDescripcion)
}
