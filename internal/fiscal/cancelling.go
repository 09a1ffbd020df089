package fiscal

import (
	"context"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// CancelInput asks for the cancellation of a stamped document.
type CancelInput struct {
	CFDI   id.CFDI
	Motivo string // 01 to 04
	// Sustituye is the document that takes its place, with motive 01: stamped before and related (04) to it.
	Sustituye id.CFDI
}

// CancelCFDI asks the SAT, through the PAC, to cancel a document. The answer is its acuse; whether the
// receiver must accept is followed by PollCancellations. Staff only.
func (s *Service) CancelCFDI(ctx context.Context, in CancelInput) (db.CFDI, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return db.CFDI{}, err
	}
	pac, ok := s.PAC.(Canceller)
	if !ok {
		return db.CFDI{}, fault.New(fault.Conflict, "FISCAL_CANCEL_UNSUPPORTED")
	}
	row, err := s.Store.CFDI(ctx, in.CFDI)
	if err != nil {
		return row, err
	}
	request := CancelRequest{RfcEmisor: row.RfcEmisor, UUID: row.UUID, Motivo: in.Motivo, Fecha: s.Now()}
	if err := s.checkCancel(ctx, row, &request, in); err != nil {
		return row, err
	}
	stored, err := s.Store.ActiveCSD(ctx)
	if err != nil {
		return row, err
	}
	if request.CSD, err = s.openStoredCSD(stored); err != nil {
		return row, err
	}
	// The wish is stored before the call: a lost answer leaves a request that is followed, not forgotten.
	if row, err = s.saveCancel(ctx, row.ID, func(row *db.CFDI) {
		now := s.Now()
		row.Status, row.CancelMotivo, row.CancelSustitucion, row.CancelRequestedAt = db.CFDICancelPending, in.Motivo, request.FolioSustitucion, &now
		s.log(row, "cancel_requested", in.Motivo, "", 0)
	}, db.CFDIStamped); err != nil {
		return row, err
	}
	calling, cancel := context.WithTimeout(ctx, s.timeout())
	result, err := pac.Cancel(calling, request)
	cancel()
	noting, done := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer done()
	if KindOf(err) == KindRejected {
		code, message := describe(err)
		if _, err := s.saveCancel(noting, row.ID, func(row *db.CFDI) {
			row.Status, row.CancelRequestedAt, row.Code, row.Message = db.CFDIStamped, nil, code, message
			s.log(row, "cancel_rejected", code, message, 0)
		}, db.CFDICancelPending); err != nil {
			return row, err
		}
		var checks fault.Checks
		checks.Add("motivo", "FISCAL_RULE", "message", refuse(code, code, "", "El SAT no aceptó la cancelación: %s", "The SAT did not accept the cancellation: %s", message))
		return row, checks.Err()
	}
	if err != nil {
		code, message := describe(err)
		return s.saveCancel(noting, row.ID, func(row *db.CFDI) { s.log(row, "cancel_"+string(KindOf(err)), code, message, 0) }, db.CFDICancelPending)
	}
	if _, err = s.saveCancel(noting, row.ID, func(row *db.CFDI) {
		row.Acuse = result.Acuse
		s.log(row, "cancel_answered", result.Code, "", 0)
	}, db.CFDICancelPending); err != nil {
		return row, err
	}
	return s.follow(noting, row.ID)
}

// checkCancel holds the request against section 7: motive, replacement, and documents in force that relate
// to it.
func (s *Service) checkCancel(ctx context.Context, row db.CFDI, request *CancelRequest, in CancelInput) error {
	if row.Status != db.CFDIStamped {
		return fault.New(fault.Conflict, "FISCAL_CANCEL_STATE")
	}
	var replacement *Comprobante
	if in.Sustituye != 0 {
		other, err := s.Store.CFDI(ctx, in.Sustituye)
		if err != nil {
			return err
		}
		request.FolioSustitucion = other.UUID
		if other.Stamped() {
			doc, err := Parse(other.XML)
			if err != nil {
				return err
			}
			replacement = doc.Comprobante
		}
	}
	related, err := s.Store.CFDIsOf(ctx, row.InvoiceID)
	if err != nil {
		return err
	}
	var live []string
	for _, other := range related {
		if other.RelatedID == row.ID && other.Status == db.CFDIStamped {
			live = append(live, other.UUID)
		}
	}
	err = CheckCancel(*request, replacement, live)
	if vs, ok := asViolations(err); ok {
		for i := range vs {
			vs[i].Path = map[string]string{"FolioSustitucion": "sustituye"}[vs[i].Path]
			if vs[i].Path == "" {
				vs[i].Path = "motivo"
			}
		}
		return refusal(vs)
	}
	return err
}

func (s *Service) saveCancel(ctx context.Context, cfdi id.CFDI, change func(*db.CFDI), from string) (row db.CFDI, err error) {
	err = s.Store.InTx(ctx, func(tx *db.Store) error {
		if row, err = tx.LockCFDI(ctx, cfdi); err != nil {
			return err
		}
		if row.Status != from {
			return fault.New(fault.Conflict, "FISCAL_CANCEL_STATE")
		}
		change(&row)
		return tx.SaveCFDI(ctx, &row)
	})
	return row, err
}

// follow asks the SAT where a requested cancellation is.
func (s *Service) follow(ctx context.Context, cfdi id.CFDI) (db.CFDI, error) {
	row, err := s.Store.CFDI(ctx, cfdi)
	checker, ok := s.PAC.(StatusChecker)
	if err != nil || !ok {
		return row, err
	}
	doc, err := Parse(row.XML)
	if err != nil {
		return row, err
	}
	calling, cancel := context.WithTimeout(ctx, s.timeout())
	defer cancel()
	status, err := checker.Status(calling, QueryOf(doc.Comprobante))
	if err != nil {
		s.logger().Warn("the state of a cancellation is not known", "cfdi", row.ID.String(), "error", err)
		return row, nil
	}
	switch CancelRequested.Observe(*status) {
	case CancelDone:
		return s.saveCancel(ctx, cfdi, func(row *db.CFDI) {
			now := s.Now()
			row.Status, row.CancelledAt = db.CFDICancelled, &now
			s.log(row, "cancelled", "", status.EstatusCancelacion, 0)
		}, db.CFDICancelPending)
	case CancelRejected:
		return s.saveCancel(ctx, cfdi, func(row *db.CFDI) {
			row.Status, row.CancelRequestedAt, row.Message = db.CFDIStamped, nil, status.EstatusCancelacion
			s.log(row, "cancel_refused_by_receiver", "", status.EstatusCancelacion, 0)
		}, db.CFDICancelPending)
	}
	return row, nil
}

// PollCancellations asks the SAT about every cancellation that waits for its receiver. Background work only.
func (s *Service) PollCancellations(ctx context.Context) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	list, err := s.Store.CFDIs(ctx, db.CFDICancelPending, db.Page{First: db.MaxPage})
	if err != nil {
		return err
	}
	for _, row := range list.Rows {
		if _, err := s.follow(ctx, row.ID); err != nil {
			return err
		}
	}
	return nil
}
