package fiscal

import (
	"context"
	"time"

	"github.com/nubedigitalmx/avisa/db"
)

// StampWindow is how long after Fecha a document can be stamped (Anexo 20, 401).
const StampWindow = 72 * time.Hour

// StampExpired reports whether a document can no longer be stamped.
func StampExpired(fecha, now time.Time) bool { return now.Sub(fecha) > StampWindow }

// outsideWindow is what is wrong with a Fecha at a moment: in the future, or older than [StampWindow].
func outsideWindow(fecha, now time.Time) *Violation {
	switch {
	case fecha.After(now):
		return refuse("401", "401", "@Fecha", "La fecha de emisión está en el futuro para la hora del lugar de expedición.", "The date of issue is in the future, by the time of the place of issue.")
	case StampExpired(fecha, now):
		return refuse("401", "401", "@Fecha", "La fecha de emisión es de hace más de 72 horas: ya no se puede timbrar.", "The date of issue is more than 72 hours ago: it can no longer be stamped.")
	}
	return nil
}

// clockTolerance is how far this machine's clock and the database's may be apart. A PAC refuses documents of the
// future, so that minutes count.
const clockTolerance = 5 * time.Minute

// databaseClock is what time it is for the database; the zero time where it is not asked.
func (s *Service) databaseClock(ctx context.Context) (time.Time, error) {
	if s.Clock == nil {
		return time.Time{}, nil
	}
	return s.Clock(ctx)
}

// clockOff is what is wrong with this machine's clock, by which Fecha would be written, when the database's clock says
// something else: one of the two is off, and what is sent could be refused, or dated on another day.
func clockOff(now, clock time.Time) *Violation {
	off := now.Sub(clock).Abs().Round(time.Second)
	if clock.IsZero() || off <= clockTolerance {
		return nil
	}
	return refuse("401", "401", "@Fecha", "El reloj de este servidor y el de la base de datos difieren en %[1]s: la fecha no sería la real. Corrija la hora; el documento espera.",
		"The clocks of this server and of the database differ by %[1]s: the date would not be the real one. Correct the time; the document waits.", off)
}

// noteClock leaves a document as it is, to be tried again by the database's clock.
func (s *Service) noteClock(ctx context.Context, tx *db.Store, row *db.CFDI, wrong *Violation, clock time.Time) error {
	row.LeaseUntil, row.Refusal = nil, wrong.refusal()
	s.failing(row, KindClock, clock)
	addLog(row, db.CFDIAttempt{At: clock.UTC(), Event: string(KindClock), Code: wrong.Code, Message: wrong.ES, Field: wrong.Path})
	if err := tx.SaveCFDI(ctx, row); err != nil {
		return err
	}
	return tx.EnqueueAt(ctx, stampJob(*row), clock.Add(RetryDelay(row.Attempts)))
}
