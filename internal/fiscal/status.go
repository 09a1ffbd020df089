package fiscal

import (
	"context"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// CheckStatus asks the SAT for the state of a stamped document and notes the answer; a cancellation that was made
// elsewhere is taken over. Staff only.
func (s *Service) CheckStatus(ctx context.Context, cfdi id.CFDI) (db.CFDI, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return db.CFDI{}, err
	}
	return s.follow(ctx, cfdi)
}

// follow asks for the state of one document and notes it.
func (s *Service) follow(ctx context.Context, cfdi id.CFDI) (db.CFDI, error) {
	row, err := s.Store.CFDI(ctx, cfdi)
	if err != nil {
		return row, err
	}
	if !row.Stamped() {
		return row, fault.New(fault.Conflict, "FISCAL_STATUS_UNSTAMPED")
	}
	status, err := s.ask(ctx, row)
	if err != nil {
		code, _ := describe(err)
		s.logger().Warn("the SAT does not say the state of a document", "cfdi", row.ID.String(), "code", code)
		return row, fault.New(fault.Unavailable, "FISCAL_STATUS_UNAVAILABLE")
	}
	return s.observe(context.WithoutCancel(ctx), row.ID, *status)
}

// ask is one question to the SAT's query service, or to the PAC that answers for it.
func (s *Service) ask(ctx context.Context, row db.CFDI) (*Status, error) {
	checker := s.SAT
	if checker == nil {
		checker, _ = s.PAC.(StatusChecker)
	}
	if checker == nil {
		return nil, &PACError{Kind: KindUnavailable, Code: "sat_missing", Message: "no query service is configured"}
	}
	if row.XML == nil { // a row of a list
		full, err := s.Store.CFDI(ctx, row.ID)
		if err != nil {
			return nil, err
		}
		row = full
	}
	doc, err := Parse(row.XML)
	if err != nil {
		return nil, err
	}
	calling, cancel := context.WithTimeout(ctx, s.timeout())
	defer cancel()
	began := time.Now()
	status, err := checker.Status(calling, QueryOf(doc.Comprobante))
	s.called("status", began, false, err)
	return status, err
}

// staleRejection is for how long the SAT may still show the rejection of an earlier request.
const staleRejection = time.Hour

// observe notes what the SAT says, and what follows from it: the term that the receiver has, the end of a
// cancellation, or a cancellation that was made elsewhere. The receiver's contacts are told in the same transaction.
func (s *Service) observe(ctx context.Context, cfdi id.CFDI, status Status) (row db.CFDI, err error) {
	err = s.Store.InTx(ctx, func(tx *db.Store) error {
		if row, err = tx.LockCFDI(ctx, cfdi); err != nil || row.Status == db.CFDICancelled {
			return err
		}
		now := s.Now()
		row.SATStatus = db.SATStatus{Estado: status.Estado, EsCancelable: status.EsCancelable, EstatusCancelacion: status.EstatusCancelacion, CheckedAt: &now}
		before := row.Status
		event := s.advance(&row, status)
		if err := tx.SaveCFDI(ctx, &row); err != nil {
			return err
		}
		if before != row.Status && row.Status == db.CFDIStamped {
			return s.followAgain(ctx, tx, row)
		}
		if event == "" {
			return nil
		}
		return s.enqueueMails(ctx, tx, row, event)
	})
	return row, err
}

// followAgain asks for what waited while a document's cancellation was open, when the document stays in force: credit
// notes and receipts that name it.
func (s *Service) followAgain(ctx context.Context, tx *db.Store, row db.CFDI) error {
	if row.Kind != db.CFDIIngreso && row.Kind != db.CFDIGlobal {
		return nil
	}
	return s.enqueueFollowing(ctx, tx, row)
}

// advance moves a record's cancellation to where the SAT says it is, and returns what is to be told.
func (s *Service) advance(row *db.CFDI, status Status) (event string) {
	before := CancelNone
	if row.Status == db.CFDICancelPending {
		if row.CancelState == db.CancelAsked {
			return "" // until the PAC has answered, with the acuse
		}
		before = CancelState(row.CancelState)
	}
	next := before.Observe(status)
	if next == CancelRejected && before == CancelRequested && row.CancelRound > 1 && s.Now().Sub(*row.CancelRequestedAt) < staleRejection {
		return ""
	}
	if next == before {
		return ""
	}
	now := s.Now()
	switch next {
	case CancelInProcess:
		deadline := DefaultCancelPolicy.AcceptanceDeadline(row.CancelRequestedAt.In(ZonaCentro()))
		row.CancelState, row.CancelDeadline = db.CancelInProcess, &deadline
		s.log(row, "cancel_in_process", "", status.EstatusCancelacion, 0)
		return db.MailCancelRequested
	case CancelDone:
		row.Status, row.CancelState, row.CancelledAt, row.LeaseUntil = db.CFDICancelled, db.CancelDone, &now, nil
		s.log(row, "cancelled", "", status.EstatusCancelacion, 0)
		return db.MailCancelled
	case CancelRejected:
		row.Status, row.CancelState, row.LeaseUntil, row.CancelDeadline = db.CFDIStamped, db.CancelRejected, nil, nil
		s.log(row, "cancel_rejected", "", status.EstatusCancelacion, 0)
	}
	return ""
}
