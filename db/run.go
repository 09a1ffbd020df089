package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// Run is a run of reminders that somebody asked for. One over a client or an invoice is not stored and has no id.
type Run struct {
	bun.BaseModel `bun:"table:reminder_request,alias:run"`

	ID         id.Run     `bun:"id,pk,autoincrement"`
	Immediate  bool       `bun:"immediate"`
	AskedBy    string     `bun:"asked_by"`
	Planned    int64      `bun:"planned"` // rows that it has added to the ledger, until now
	Skipped    int64      `bun:"skipped"` // noted as not to be sent
	CreatedAt  time.Time  `bun:"created_at"`
	FinishedAt *time.Time `bun:"finished_at"` // nil: it goes on
}

// AddRun inserts a run and sets its id.
func (s *Store) AddRun(ctx context.Context, row *Run) error {
	_, err := s.idb.NewInsert().Model(row).Exec(ctx)
	return translate(err)
}

// Run returns one run.
func (s *Store) Run(ctx context.Context, runID id.Run) (Run, error) {
	var row Run
	err := s.idb.NewSelect().Model(&row).Where("id = ?", runID).Scan(ctx)
	return row, translate(err)
}

// Runs returns the newest runs, at most limit.
func (s *Store) Runs(ctx context.Context, limit int64) ([]Run, error) {
	rows := []Run{}
	err := s.idb.NewSelect().Model(&rows).OrderExpr("id DESC").Limit(limit).Scan(ctx)
	return rows, translate(err)
}

// RunGoingOn returns the newest run of the kind that has not finished; found is false when there is none.
func (s *Store) RunGoingOn(ctx context.Context, immediate bool) (row Run, found bool, err error) {
	err = translate(s.idb.NewSelect().Model(&row).Where("finished_at IS NULL").Where("immediate = ?", immediate).OrderExpr("id DESC").Limit(1).Scan(ctx))
	if fault.Is(err, fault.NotFound) {
		return row, false, nil
	}
	return row, err == nil, err
}

// FinishRun notes that a run is done.
func (s *Store) FinishRun(ctx context.Context, runID id.Run, now time.Time) error {
	_, err := s.idb.NewUpdate().Model((*Run)(nil)).Set("finished_at = ?", now).Where("id = ?", runID).Where("finished_at IS NULL").Exec(ctx)
	return translate(err)
}

// countRun adds what was planned to a run's figures, in the transaction that planned it.
func (s *Store) countRun(ctx context.Context, runID id.Run, part PlanResult) error {
	_, err := s.idb.NewUpdate().Model((*Run)(nil)).Set("planned = planned + ?", part.Planned).Set("skipped = skipped + ?", part.Skipped).Where("id = ?", runID).Exec(ctx)
	return err
}

// MoreOpenInvoices reports whether there are more open invoices than n.
func (s *Store) MoreOpenInvoices(ctx context.Context, n int) (bool, error) {
	var count int
	err := s.idb.NewRaw(`SELECT count(*) FROM (SELECT FROM invoice WHERE status IN ('issued', 'partly_paid') LIMIT ?) AS open`, n+1).Scan(ctx, &count)
	return count > n, translate(err)
}
