package fiscal

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// CancelInput asks for the cancellation of a stamped document.
type CancelInput struct {
	CFDI   id.CFDI
	Motivo string // 01 to 04 (c_Motivo)
	// Sustituye is the document that takes its place, with motive 01: stamped before and related (04) to it.
	Sustituye id.CFDI
}

// CancelJob sends a cancellation to the PAC.
type CancelJob struct {
	CFDI    id.CFDI `json:"cfdi"`
	Round   int     `json:"round"`   // of the record when it was asked for
	Attempt int     `json:"attempt"` // from 0
}

// Kind names the job.
func (CancelJob) Kind() string { return "fiscal:cancel" }

// Key makes one job of any number of requests for the same attempt.
func (j CancelJob) Key() string {
	return fmt.Sprintf("%s:%s:%d:%d", j.Kind(), j.CFDI, j.Round, j.Attempt)
}

func cancelJob(row db.CFDI) CancelJob {
	return CancelJob{CFDI: row.ID, Round: row.CancelRound, Attempt: row.CancelAttempts}
}

// CancelCFDI asks for the cancellation of a stamped document (RMF 2.7.1.34 and 2.7.1.35). The wish is checked and
// stored; a CancelJob sends it, and PollCancellations follows it until the receiver or the term has decided.
// A cancellation that the receiver or the SAT refused may be asked for again. Staff only.
func (s *Service) CancelCFDI(ctx context.Context, in CancelInput) (row db.CFDI, err error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return row, err
	}
	if _, ok := s.PAC.(Canceller); !ok {
		return row, fault.New(fault.Conflict, "FISCAL_CANCEL_UNSUPPORTED")
	}
	err = s.Store.InTx(ctx, func(tx *db.Store) error {
		if row, err = tx.LockCFDI(ctx, in.CFDI); err != nil {
			return err
		}
		request := CancelRequest{RfcEmisor: row.RfcEmisor, UUID: row.UUID, Motivo: in.Motivo, Fecha: s.Now()}
		if err := s.checkCancel(ctx, tx, row, &request, in.Sustituye); err != nil {
			return err
		}
		return s.askCancel(ctx, tx, &row, in.Motivo, request.FolioSustitucion)
	})
	return row, err
}

// askCancel stores the wish and its job in one transaction: a crash leaves both or nothing.
func (s *Service) askCancel(ctx context.Context, tx *db.Store, row *db.CFDI, motivo, sustitucion string) error {
	now := s.Now()
	row.Status, row.CancelState, row.CancelMotivo, row.CancelSustitucion = db.CFDICancelPending, db.CancelAsked, motivo, sustitucion
	row.CancelRequestedAt, row.CancelDeadline, row.CancelAttempts, row.Refusal = &now, nil, 0, db.Refusal{}
	row.CancelRound++
	s.log(row, "cancel_asked", motivo, sustitucion, 0)
	if err := tx.SaveCFDI(ctx, row); err != nil {
		return err
	}
	if err := tx.Enqueue(ctx, cancelJob(*row)); err != nil {
		return err
	}
	return tx.Audit(ctx, db.AuditEntry{Client: row.ClientID, Verb: "cfdi.cancel", Object: row.ID.String(),
		After: map[string]any{"uuid": row.UUID, "motivo": motivo, "folioSustitucion": sustitucion}})
}

// checkCancel holds a wish against the rules that are known here: state, term, motive, replacement, and documents
// in force that relate to it.
func (s *Service) checkCancel(ctx context.Context, tx *db.Store, row db.CFDI, request *CancelRequest, sustituye id.CFDI) error {
	if row.Status != db.CFDIStamped {
		return fault.New(fault.Conflict, "FISCAL_CANCEL_STATE")
	}
	if s.Now().After(CancelBefore(row)) {
		return fault.New(fault.Conflict, "FISCAL_CANCEL_LATE")
	}
	var replacement *Comprobante
	if sustituye != 0 {
		other, err := tx.CFDI(ctx, sustituye)
		if err != nil {
			return err
		}
		request.FolioSustitucion = other.UUID
		if other.Status == db.CFDIStamped {
			doc, err := Parse(other.XML)
			if err != nil {
				return err
			}
			replacement = doc.Comprobante
		}
	}
	live, err := s.inForceBeside(ctx, tx, row)
	if err != nil {
		return err
	}
	err = CheckCancel(*request, replacement, live)
	if vs, ok := asViolations(err); ok {
		for i := range vs {
			vs[i].Path = map[string]string{"FolioSustitucion": "sustituyeId"}[vs[i].Path]
			if vs[i].Path == "" {
				vs[i].Path = "motivo"
			}
		}
		return refusal(vs)
	}
	return err
}

// CancelBefore is the last moment at which the cancellation of a stamped document, read with its files, can be asked for
// (RMF 2.7.1.47), in the zone of its place of issue.
func CancelBefore(row db.CFDI) time.Time {
	fecha := row.Fecha.In(ZonaCentro())
	if doc, err := Parse(row.XML); err == nil {
		fecha = fecha.In(ZonaHoraria(doc.Comprobante.LugarExpedicion))
	}
	return DefaultCancelPolicy.Deadline(fecha, PersonaOf(row.RfcEmisor))
}

// inForceBeside are the folios fiscales of documents that hold a cancellation up: those that relate to it and are
// in force, or on their way ("" until they are stamped). One that replaces it does not.
func (s *Service) inForceBeside(ctx context.Context, tx *db.Store, row db.CFDI) ([]string, error) {
	related, err := tx.CFDIsRelatedTo(ctx, row.ID)
	if err != nil {
		return nil, err
	}
	var live []string
	for _, other := range related {
		if other.ReplacesID != row.ID && other.Status != db.CFDICancelled && other.Status != db.CFDIStampFailed {
			live = append(live, other.UUID)
		}
	}
	return live, nil
}

// SubstituteInput asks for a document that takes another's place.
type SubstituteInput struct {
	CFDI    id.CFDI          // an ingreso in force
	Profile id.FiscalProfile // 0: the client's default one
}

// SubstituteCFDI corrects a stamped invoice in the order that the SAT wants (guide of Anexo 20, question 42): the new
// document, related (04) to the old one, is stamped first, and its stamp asks for the cancellation of the old one
// with motive 01 in the same transaction. The invoice itself is what the new document says. Staff only.
func (s *Service) SubstituteCFDI(ctx context.Context, in SubstituteInput) (row db.CFDI, err error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return row, err
	}
	if _, ok := s.PAC.(Canceller); !ok {
		return row, fault.New(fault.Conflict, "FISCAL_CANCEL_UNSUPPORTED")
	}
	err = s.Store.InTx(ctx, func(tx *db.Store) error {
		old, err := tx.LockCFDI(ctx, in.CFDI)
		if err != nil {
			return err
		}
		if old.Status != db.CFDIStamped || old.Kind != db.CFDIIngreso {
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
			return s.substituteAgain(ctx, tx, &row, related[i], in.Profile)
		}
		live, err := s.inForceBeside(ctx, tx, old)
		if err != nil {
			return err
		}
		if len(live) > 0 {
			return fault.New(fault.Conflict, "FISCAL_CANCEL_RELATED")
		}
		profile, err := profileOf(ctx, tx, old.ClientID, in.Profile)
		if err != nil {
			return err
		}
		if row, err = s.add(ctx, tx, db.CFDI{Kind: old.Kind, ClientID: old.ClientID, InvoiceID: old.InvoiceID, ProfileID: profile.ID, MetodoPago: old.MetodoPago,
			ReplacesID: old.ID}); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Client: old.ClientID, Verb: "cfdi.substitute", Object: old.ID.String(), After: map[string]any{"uuid": old.UUID, "by": row.ID.String()}})
	})
	return row, err
}

// substituteAgain builds a replacement that was refused anew; for one on its way, or stamped, nothing happens.
func (s *Service) substituteAgain(ctx context.Context, tx *db.Store, row *db.CFDI, earlier db.CFDI, profile id.FiscalProfile) error {
	locked, err := tx.LockCFDI(ctx, earlier.ID)
	if err != nil {
		return err
	}
	*row = locked
	if row.Status != db.CFDIStampFailed {
		return nil
	}
	to, err := profileOf(ctx, tx, row.ClientID, profile)
	if err != nil {
		return err
	}
	row.ProfileID, row.Status, row.Refusal = to.ID, db.CFDIDraft, db.Refusal{}
	row.Failure, row.FailingSince, row.FailedAt = "", nil, nil
	if err := tx.SaveCFDI(ctx, row); err != nil {
		return err
	}
	return tx.Enqueue(ctx, stampJob(*row))
}

// replaced asks for the cancellation of the document whose place a stamped one takes. One that cannot be cancelled
// any more stays as it is; the record of the new one says so.
func (s *Service) replaced(ctx context.Context, tx *db.Store, row db.CFDI) error {
	old, err := tx.LockCFDI(ctx, row.ReplacesID)
	if err != nil || old.Status != db.CFDIStamped {
		return err
	}
	return s.askCancel(ctx, tx, &old, MotivoConRelacion, row.UUID)
}

// sustituye are the relations of a document that takes another's place; none for others.
func sustituye(ctx context.Context, tx *db.Store, row db.CFDI) ([]CfdiRelacionados, error) {
	if row.ReplacesID == 0 {
		return nil, nil
	}
	old, err := tx.CFDI(ctx, row.ReplacesID)
	if err != nil {
		return nil, err
	}
	return []CfdiRelacionados{Relacion("04", old.UUID)}, nil
}
