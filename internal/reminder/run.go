package reminder

import (
	"context"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// planAtOnce is how many open invoices are planned while the asker waits: a fraction of a second.
const planAtOnce = 5_000

// StartRun is SendReminders for a person: a run over more than 5,000 open invoices goes on in the background,
// and the answer has its id; Run says how far it is. Asking again while it goes on returns the same one.
// Staff only.
func (s *Service) StartRun(ctx context.Context, in RunInput) (db.Run, error) {
	if err := access.RequireCapability(ctx, access.ManageReminders); err != nil {
		return db.Run{}, err
	}
	if in.ClientID == 0 && in.InvoiceID == 0 {
		many, err := s.Store.MoreOpenInvoices(ctx, planAtOnce)
		if err != nil {
			return db.Run{}, err
		}
		if many {
			return s.handOver(ctx, in)
		}
	}
	began := s.Now()
	result, err := s.SendReminders(ctx, in)
	if err != nil {
		return db.Run{}, err
	}
	now := s.Now()
	row := db.Run{Immediate: in.Immediate, AskedBy: access.From(ctx).Name, Planned: result.Planned, Skipped: result.Skipped, CreatedAt: began, FinishedAt: &now}
	if in.ClientID != 0 || in.InvoiceID != 0 { // of these the audit log tells
		return row, nil
	}
	return row, s.Store.AddRun(ctx, &row)
}

// runsShown is how many runs are listed.
const runsShown = 50

// Runs lists the newest runs over the whole company that people asked for, at most 50. Staff, and whoever may start
// one.
func (s *Service) Runs(ctx context.Context) ([]db.Run, error) {
	if access.RequireCapability(ctx, access.ManageReminders) != nil {
		if err := access.RequireStaff(ctx); err != nil {
			return nil, err
		}
	}
	return s.Store.Runs(ctx, runsShown)
}

// handOver leaves a run to the background.
func (s *Service) handOver(ctx context.Context, in RunInput) (row db.Run, err error) {
	err = s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := tx.Lock(ctx, "reminder run"); err != nil {
			return err
		}
		going, found, err := tx.RunGoingOn(ctx, in.Immediate)
		if err != nil || found {
			row = going
			return err
		}
		row = db.Run{Immediate: in.Immediate, AskedBy: access.From(ctx).Name, CreatedAt: s.Now()}
		if err := tx.AddRun(ctx, &row); err != nil {
			return err
		}
		if err := tx.Audit(ctx, db.AuditEntry{Verb: "reminder.run", Object: row.ID.String(), After: map[string]any{"immediate": in.Immediate}}); err != nil {
			return err
		}
		return tx.Enqueue(ctx, RunJob{RunID: row.ID})
	})
	return row, err
}

// Run returns a run over the whole company, which may go on in the background. Staff, and whoever may start one.
func (s *Service) Run(ctx context.Context, runID id.Run) (db.Run, error) {
	if access.RequireCapability(ctx, access.ManageReminders) != nil {
		if err := access.RequireStaff(ctx); err != nil {
			return db.Run{}, err
		}
	}
	return s.Store.Run(ctx, runID)
}

// RunJob does a run in the background.
type RunJob struct{ RunID id.Run }

// Kind names the job's handler.
func (RunJob) Kind() string { return "reminder:run" }

// Key makes a second request the same job.
func (j RunJob) Key() string { return "run:" + j.RunID.String() }

// FinishRun does a RunJob. The system only. A repetition, after a crash or beside another worker, adds what
// is missing; each row is counted once.
func (s *Service) FinishRun(ctx context.Context, job RunJob) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	row, err := s.Store.Run(ctx, job.RunID)
	if fault.Is(err, fault.NotFound) || err == nil && row.FinishedAt != nil {
		return nil
	}
	if err != nil {
		return err
	}
	if err := s.keepHolidays(ctx); err != nil {
		return err
	}
	if _, err := s.Store.Plan(ctx, db.PlanInput{Now: s.Now(), Immediate: row.Immediate, Run: row.ID}); err != nil {
		return err
	}
	return s.Store.FinishRun(ctx, row.ID, s.Now())
}
