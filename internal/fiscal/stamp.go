package fiscal

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// Stamp does a StampJob, so that a document is stamped once whatever happens:
//
//  1. One transaction reserves the folio, builds, seals and stores the sealed bytes.
//  2. The PAC is called outside of any transaction, with those bytes and a key of ours.
//  3. One transaction stores the stamped bytes and asks for the mails.
//
// A repetition, after a crash at any point or an answer that was lost, sends the same bytes and key, and the
// PAC answers with the first stamp (307). A new document is built only after a final refusal, or when bytes that no
// PAC can have stamped are too old. A machine whose clock is off sends nothing.
//
// The returned error means that nothing could be noted; the queue tries again.
func (s *Service) Stamp(ctx context.Context, job StampJob) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	clock, err := s.databaseClock(ctx)
	if err != nil {
		return err
	}
	row, claimed, err := s.claim(ctx, job.CFDI, clock)
	if err != nil || !claimed {
		return err
	}
	started := s.Now()
	result, err := s.call(ctx, row)
	// What happened is noted even when the process is being stopped.
	noting, done := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer done()
	return s.note(noting, row, result, err, s.Now().Sub(started))
}

// errBusy leaves a document to the worker that is at it.
var errBusy = fault.New(fault.Unavailable, "FISCAL_BUSY")

// claim makes the document this worker's until the lease ends, sealed and ready to send, and says in its log that the
// PAC is asked. It is false when there is nothing to do: stamped already, or refused.
func (s *Service) claim(ctx context.Context, cfdi id.CFDI, clock time.Time) (row db.CFDI, claimed bool, err error) {
	err = s.Store.InTx(ctx, func(tx *db.Store) error {
		if row, err = tx.LockCFDI(ctx, cfdi); err != nil {
			return err
		}
		if !row.Waiting() {
			return nil
		}
		if row.LeaseUntil != nil && row.LeaseUntil.After(s.Now()) {
			return errBusy
		}
		row.Attempts++
		if wrong := clockOff(s.Now(), clock); wrong != nil {
			return s.noteClock(ctx, tx, &row, wrong, clock)
		}
		if wrong := outsideWindow(row.Fecha, s.Now()); wrong != nil && row.Status != db.CFDIDraft && !answerLost(row.Log) {
			row.Status = db.CFDIDraft
			s.logRefused(&row, wrong)
		}
		if row.Status == db.CFDIDraft {
			wrong, err := s.seal(ctx, tx, &row)
			if err != nil {
				return err
			}
			if wrong != nil {
				row.Status, row.Refusal = db.CFDIStampFailed, wrong.refusal()
				s.failing(&row, KindRejected, s.Now())
				s.logRefused(&row, wrong)
				return tx.SaveCFDI(ctx, &row)
			}
			s.log(&row, "sealed", "", "", 0)
		}
		s.log(&row, eventAsked, "", "", 0)
		// The PAC gets less time than the lease, so that a claim never outlives its worker's call.
		lease := s.Now().Add(2 * s.timeout())
		row.Status, row.LeaseUntil, claimed = db.CFDIStamping, &lease, true
		return tx.SaveCFDI(ctx, &row)
	})
	return row, claimed && err == nil, err
}

// seal builds and seals the document of a draft. wrong is what the rules refuse: nobody but a person
// can do something about it, and no folio is taken.
func (s *Service) seal(ctx context.Context, tx *db.Store, row *db.CFDI) (wrong *Violation, err error) {
	issuer, err := tx.FiscalIssuer(ctx)
	if err != nil {
		return nil, err
	}
	stored, err := tx.ActiveCSD(ctx)
	if err != nil {
		return nil, err
	}
	csd, err := s.openStoredCSD(stored)
	if err != nil {
		return nil, err
	}
	if bad := csd.Check(issuer.Rfc, s.Now()).Refusals(); len(bad) > 0 {
		return &bad[0], nil
	}
	// A trial first, so that a refused document takes no folio.
	trial, err := s.compose(ctx, tx, *row, issuer, 1)
	if vs, ok := asViolations(err); ok {
		return &vs[0], nil
	}
	if err != nil {
		return nil, err
	}
	if bad := Validate(trial, Options{Now: s.Now(), Catalogs: s.Catalogs(ctx)}).Refusals(); len(bad) > 0 {
		return &bad[0], nil
	}
	if row.Folio == 0 || row.Serie != trial.Serie || row.RfcEmisor != issuer.Rfc { // a refused document kept its folio
		if row.Folio, err = tx.NextFolio(ctx, "cfdi "+issuer.Rfc+" "+trial.Serie); err != nil {
			return nil, err
		}
	}
	c, err := s.compose(ctx, tx, *row, issuer, row.Folio)
	if err != nil {
		return nil, err
	}
	sealed, err := Seal(c, csd)
	var text *TextError
	if errors.As(err, &text) {
		return refuse("text_invalid", "301", "", "Un texto del documento tiene caracteres que el CFDI no admite.", "A text of the document has characters that a CFDI cannot carry."), nil
	}
	if err != nil {
		return nil, err
	}
	fecha, err := ParseFecha(c.Fecha, c.LugarExpedicion)
	if err != nil {
		return nil, err
	}
	row.RfcEmisor, row.Serie, row.RfcReceptor, row.NombreReceptor = issuer.Rfc, c.Serie, c.Receptor.Rfc, c.Receptor.Nombre
	row.Total, row.Moneda, row.Fecha, row.Sealed = string(c.Total), c.Moneda, fecha, sealed
	if c.TipoDeComprobante == TipoPago {
		row.Total, row.Moneda = string(c.Pagos().Totales.MontoTotalPagos), "MXN"
	}
	row.Build++
	return nil, nil
}

// key is what the PAC knows a sealed document by: the same for the same bytes.
func key(row db.CFDI) string { return fmt.Sprintf("%s-%d", row.ID, row.Build) }

func (s *Service) call(ctx context.Context, row db.CFDI) (*StampResult, error) {
	if s.PAC == nil {
		return nil, &PACError{Kind: KindAuth, Code: "pac_missing", Message: "no PAC is configured"}
	}
	calling, cancel := context.WithTimeout(ctx, s.timeout())
	defer cancel()
	began := time.Now()
	result, err := s.PAC.Stamp(calling, row.Sealed, key(row))
	s.called("stamp", began, err == nil && result.Repeated, err)
	if err != nil {
		return nil, err
	}
	checked, err := CheckStamped(row.Sealed, result.XML)
	if err != nil {
		return nil, err
	}
	taken, err := s.Store.UUIDTaken(ctx, checked.Timbre.UUID, row.ID)
	if err != nil {
		return nil, err
	}
	if taken {
		return nil, &PACError{Kind: KindUnknown, Code: "uuid_of_another_document", Message: "the PAC's answer has the UUID of another document", Detail: checked.Timbre.UUID}
	}
	checked.Repeated = result.Repeated
	return checked, nil
}

// note stores the outcome. What is not final is tried again later with the same bytes.
func (s *Service) note(ctx context.Context, claimed db.CFDI, result *StampResult, failure error, took time.Duration) error {
	return s.Store.InTx(ctx, func(tx *db.Store) error {
		row, err := tx.LockCFDI(ctx, claimed.ID)
		if err != nil || !row.Waiting() || row.Build != claimed.Build {
			return err // noted by somebody else
		}
		row.LeaseUntil = nil
		answered(&row)
		if failure == nil {
			return s.noteStamped(ctx, tx, &row, result, took)
		}
		code, message := describe(failure)
		kind := KindOf(failure)
		lost := answerLost(row.Log)
		s.log(&row, string(kind), code, message, took)
		row.Refusal = refusedByPAC(code, message)
		s.failing(&row, kind, s.Now())
		switch kind {
		case KindRejected:
			row.Status = db.CFDIStampFailed
			if lost {
				// Not every PAC looks for the first stamp before it looks at the rest: these bytes may be stamped.
				row.Refusal = db.Refusal{Code: db.CodeStampUncertain, Message: code + " " + message}
				return tx.SaveCFDI(ctx, &row)
			}
			if code == "401" && StampExpired(row.Fecha, s.Now()) {
				// It waited so long that it cannot be stamped any more, and no answer of the PAC was lost: it is
				// built anew.
				row.Status, row.Failure, row.FailingSince, row.FailedAt = db.CFDIDraft, "", nil, nil
				if err := tx.SaveCFDI(ctx, &row); err != nil {
					return err
				}
				return tx.Enqueue(ctx, stampJob(row))
			}
			return tx.SaveCFDI(ctx, &row)
		case KindUnknown:
			row.Status = db.CFDIStamping
		default:
			row.Status = db.CFDISealed
		}
		if err := tx.SaveCFDI(ctx, &row); err != nil {
			return err
		}
		return tx.EnqueueAt(ctx, stampJob(row), s.Now().Add(RetryDelay(row.Attempts)))
	})
}

func (s *Service) noteStamped(ctx context.Context, tx *db.Store, row *db.CFDI, result *StampResult, took time.Duration) error {
	event, now, sum := "stamped", s.Now(), sha256.Sum256(result.XML)
	if result.Repeated {
		event = "repeated"
	}
	s.log(row, event, "", result.Timbre.UUID, took)
	row.Status, row.UUID, row.XML, row.XMLSHA256, row.StampedAt = db.CFDIStamped, result.Timbre.UUID, result.XML, sum[:], &now
	row.Refusal, row.Failure, row.FailingSince, row.FailedAt = db.Refusal{}, "", nil, nil
	if err := tx.SaveCFDI(ctx, row); err != nil {
		return err
	}
	if err := s.enqueueMails(ctx, tx, *row, db.MailStamped); err != nil {
		return err
	}
	if row.ReplacesID != 0 {
		if err := s.replaced(ctx, tx, *row); err != nil {
			return err
		}
	}
	return s.enqueueFollowing(ctx, tx, *row)
}

// enqueueFollowing asks for what waited for a document: the receipts and credit notes that name its UUID.
func (s *Service) enqueueFollowing(ctx context.Context, tx *db.Store, row db.CFDI) error {
	version := s.Now().UnixMicro()
	if row.Kind == db.CFDIIngreso {
		return tx.Enqueue(ctx, billing.ChangedJob{InvoiceID: row.InvoiceID, Version: version})
	}
	if row.Kind == db.CFDIEgreso && row.CreditNoteID == 0 && row.InvoiceID != 0 { // its anticipo may have been released while it was on its way
		_, err := tx.AnticipoApplicationOf(ctx, row.ID)
		if fault.Is(err, fault.NotFound) {
			return tx.Enqueue(ctx, TakeBackJob{CFDI: row.ID})
		}
		return err
	}
	if row.Kind != db.CFDIPago && row.Kind != db.CFDIGlobal {
		return nil
	}
	covered, err := tx.CoveredBy(ctx, row.ID)
	if err != nil {
		return err
	}
	if row.Kind == db.CFDIPago {
		if len(covered) == 0 { // its payment was taken back while it was on its way
			return tx.Enqueue(ctx, TakeBackJob{CFDI: row.ID})
		}
		return nil
	}
	jobs := make([]db.Job, len(covered))
	for i, part := range covered {
		jobs[i] = billing.ChangedJob{InvoiceID: part.InvoiceID, Version: version}
	}
	return tx.EnqueueAll(ctx, jobs)
}

// failing notes the kind of failure of an attempt, and since when they fail.
func (s *Service) failing(row *db.CFDI, kind ErrorKind, now time.Time) {
	if row.FailingSince == nil {
		row.FailingSince = &now
	}
	row.Failure, row.FailedAt = string(kind), &now
}

// eventAsked is the entry of a call to the PAC, written before it. The answer takes its place, so that one that stays
// is a call whose worker died: its answer is lost.
const eventAsked = "asked"

// answered takes the entry of the call away whose answer is being noted.
func answered(row *db.CFDI) {
	if last := len(row.Log) - 1; last >= 0 && row.Log[last].Event == eventAsked {
		row.Log = row.Log[:last]
	}
}

// answerLost reports whether the PAC's answer to these bytes was lost once: since they were sealed.
func answerLost(log []db.CFDIAttempt) bool {
	for _, attempt := range slices.Backward(log) {
		switch attempt.Event {
		case "sealed":
			return false
		case eventAsked, string(KindUnknown):
			return true
		}
	}
	return false
}

func (s *Service) log(row *db.CFDI, event, code, message string, took time.Duration) {
	addLog(row, db.CFDIAttempt{At: s.Now().UTC(), Event: event, Code: code, Message: message, Millis: took.Milliseconds()})
}

func (s *Service) logRefused(row *db.CFDI, wrong *Violation) {
	addLog(row, db.CFDIAttempt{At: s.Now().UTC(), Event: "refused_here", Code: wrong.Code, Message: wrong.ES, Field: wrong.Path})
}

// maxLog is how many attempts a record keeps: the first half and the newest.
const maxLog = 60

// addLog adds an entry. Of too many, one from the middle goes, which nothing hangs on: what [answerLost] reads stays.
func addLog(row *db.CFDI, entry db.CFDIAttempt) {
	row.Log = append(row.Log, entry)
	if len(row.Log) <= maxLog {
		return
	}
	middle := maxLog / 2
	for i, attempt := range row.Log[middle:maxLog] {
		if attempt.Event != "sealed" && attempt.Event != eventAsked && attempt.Event != string(KindUnknown) {
			middle += i
			break
		}
	}
	row.Log = slices.Delete(row.Log, middle, middle+1)
}

// refusedByPAC is what is stored of a PAC's answer: the SAT's codes of somebody's data name their field.
func refusedByPAC(code, message string) db.Refusal {
	r := db.Refusal{Code: code, Message: message, Field: fieldOf(code)}
	if satCode.MatchString(code) {
		r.SATCode = code
	}
	return r
}

func describe(err error) (code, message string) {
	var pac *PACError
	if errors.As(err, &pac) {
		message = pac.Message
		if pac.Detail != "" {
			message += " (" + pac.Detail + ")"
		}
		return pac.Code, message
	}
	return "error", err.Error()
}
