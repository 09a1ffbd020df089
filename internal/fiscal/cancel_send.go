package fiscal

import (
	"context"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
)

// SendCancellation does a CancelJob, so that a cancellation is asked for once whatever happens: the wish is stored before
// the call, and the SAT answers a repetition with 202 (asked for before) and its acuse. A repetition asks for the
// document's state first, because one that the receiver has rejected meanwhile would be a new request.
//
// The returned error means that nothing could be noted, or that this machine's clock is off; the queue tries again.
func (s *Service) SendCancellation(ctx context.Context, job CancelJob) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	clock, err := s.databaseClock(ctx)
	if err != nil {
		return err
	}
	if wrong := clockOff(s.Now(), clock); wrong != nil { // the request is dated and signed too
		return wrong
	}
	row, claimed, err := s.claimCancel(ctx, job)
	if err != nil || !claimed {
		return err
	}
	started := s.Now()
	result, failure := s.callCancel(ctx, row)
	// What happened is noted even when the process is being stopped.
	noting, done := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer done()
	if err := s.noteCancel(noting, row, result, failure, s.Now().Sub(started)); err != nil || failure != nil {
		return err
	}
	// Where no acceptance is needed the SAT shows the end at once.
	status, err := s.ask(noting, row)
	if err != nil {
		s.logger().Warn("the state of a cancellation is not known yet", "cfdi", row.ID.String(), "error", err)
		return nil
	}
	_, err = s.observe(noting, row.ID, *status)
	return err
}

// claimCancel makes the wish this worker's until the lease ends; false when there is nothing to send.
func (s *Service) claimCancel(ctx context.Context, job CancelJob) (row db.CFDI, claimed bool, err error) {
	err = s.Store.InTx(ctx, func(tx *db.Store) error {
		if row, err = tx.LockCFDI(ctx, job.CFDI); err != nil {
			return err
		}
		if row.Status != db.CFDICancelPending || row.CancelState != db.CancelAsked || row.CancelRound != job.Round {
			return nil
		}
		if row.LeaseUntil != nil && row.LeaseUntil.After(s.Now()) {
			return errBusy
		}
		lease := s.Now().Add(3 * s.timeout()) // two calls, each with its own time
		row.LeaseUntil, claimed = &lease, true
		row.CancelAttempts++
		return tx.SaveCFDI(ctx, &row)
	})
	return row, claimed && err == nil, err
}

func (s *Service) callCancel(ctx context.Context, row db.CFDI) (*CancelResult, error) {
	if row.CancelAttempts > 1 && row.CancelRound == 1 {
		if status, err := s.ask(ctx, row); err == nil && status.EstatusCancelacion == CancelacionRechazada {
			return &CancelResult{Code: CodigoYaCancelada}, nil
		}
	}
	pac, ok := s.PAC.(Canceller)
	if !ok {
		return nil, &PACError{Kind: KindAuth, Code: "pac_missing", Message: "no PAC that cancels is configured"}
	}
	stored, err := s.Store.ActiveCSD(ctx)
	if err != nil {
		return nil, err
	}
	csd, err := s.openStoredCSD(stored)
	if err != nil {
		return nil, err
	}
	calling, cancel := context.WithTimeout(ctx, s.timeout())
	defer cancel()
	began := time.Now()
	result, err := pac.Cancel(calling, CancelRequest{RfcEmisor: row.RfcEmisor, UUID: row.UUID, Motivo: row.CancelMotivo, FolioSustitucion: row.CancelSustitucion,
		Fecha: s.Now(), CSD: csd})
	s.called("cancel", began, false, err)
	return result, err
}

// noteCancel stores the PAC's answer, its acuse byte for byte. What is not final is sent again later.
func (s *Service) noteCancel(ctx context.Context, claimed db.CFDI, result *CancelResult, failure error, took time.Duration) error {
	return s.Store.InTx(ctx, func(tx *db.Store) error {
		row, err := tx.LockCFDI(ctx, claimed.ID)
		if err != nil || row.CancelState != db.CancelAsked || row.CancelRound != claimed.CancelRound {
			return err // noted by somebody else
		}
		row.LeaseUntil = nil
		if failure == nil {
			row.CancelState, row.Refusal = db.CancelRequested, db.Refusal{}
			if len(result.Acuse) > 0 {
				row.Acuse = result.Acuse
			}
			s.log(&row, "cancel_answered", result.Code, "", took)
			return tx.SaveCFDI(ctx, &row)
		}
		code, message := describe(failure)
		kind := KindOf(failure)
		row.Refusal = db.Refusal{Code: code, Message: message}
		if kind == KindRejected && (code != CodigoNoExiste || !s.fresh(row)) {
			row.Status, row.CancelState = db.CFDIStamped, db.CancelRefused
			s.log(&row, "cancel_refused", code, message, took)
			if err := tx.SaveCFDI(ctx, &row); err != nil {
				return err
			}
			return s.followAgain(ctx, tx, row)
		}
		s.log(&row, "cancel_"+string(kind), code, message, took)
		if err := tx.SaveCFDI(ctx, &row); err != nil {
			return err
		}
		return tx.EnqueueAt(ctx, cancelJob(row), s.Now().Add(RetryDelay(row.CancelAttempts)))
	})
}

// fresh reports whether the SAT may not know a document yet, which takes up to hours after its stamp (205).
func (s *Service) fresh(row db.CFDI) bool {
	return row.StampedAt != nil && s.Now().Sub(*row.StampedAt) < StampWindow
}

// PollCancellations asks the SAT about every cancellation that is under way. Background work only.
func (s *Service) PollCancellations(ctx context.Context) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	const batch = 100
	for last := (db.CFDI{}); ; {
		rows, err := s.Store.CancellationsToFollow(ctx, last.ID, batch)
		if err != nil || len(rows) == 0 {
			return err
		}
		for _, row := range rows {
			last = row
			if _, err := s.follow(ctx, row.ID); err != nil && !fault.Is(err, fault.Unavailable) {
				return err
			}
		}
	}
}
