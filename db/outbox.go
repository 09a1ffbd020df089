package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/uptrace/bun"
)

// Job is work to be done after the transaction that asked for it.
type Job interface {
	Kind() string // names the handler, "billing:render-pdf"
	Key() string  // "" or what makes a second request for the same work the same row
}

// OutboxRow is a job that waits or is being done. It is removed when the work is done.
type OutboxRow struct {
	bun.BaseModel `bun:"table:outbox"`

	ID        int64           `bun:"id,pk,autoincrement"`
	Kind      string          `bun:"kind"`
	Payload   json.RawMessage `bun:"payload,type:jsonb"`
	UniqueKey string          `bun:"unique_key,nullzero"`
	DueAt     time.Time       `bun:"due_at,nullzero,default:now()"`
	Attempts  int             `bun:"attempts"`
	LastError string          `bun:"last_error"`
	CreatedAt time.Time       `bun:"created_at,nullzero,default:now()"`
}

// Enqueue writes a job in the transaction of the fact that asks for it.
func (s *Store) Enqueue(ctx context.Context, job Job) error { return s.EnqueueAll(ctx, []Job{job}) }

// EnqueueAll is Enqueue for many jobs in one statement.
func (s *Store) EnqueueAll(ctx context.Context, jobs []Job) error {
	if len(jobs) == 0 {
		return nil
	}
	rows := make([]OutboxRow, len(jobs))
	for i, job := range jobs {
		payload, err := json.Marshal(job)
		if err != nil {
			return err
		}
		rows[i] = OutboxRow{Kind: job.Kind(), Payload: payload, UniqueKey: job.Key()}
	}
	_, err := s.idb.NewInsert().Model(&rows).On("CONFLICT (unique_key) DO NOTHING").Returning("NULL").Exec(ctx)
	return translate(err)
}

// TakeJobs hands out jobs that are due and hides them for the lease: a job that is not finished by
// then counts as lost and is handed out again.
func (s *Store) TakeJobs(ctx context.Context, limit int, lease time.Duration) ([]OutboxRow, error) {
	rows := []OutboxRow{}
	err := s.idb.NewRaw(`UPDATE outbox SET due_at = now() + make_interval(secs => ?), attempts = attempts + 1
		WHERE id IN (SELECT id FROM outbox WHERE due_at <= now() ORDER BY due_at LIMIT ? FOR UPDATE SKIP LOCKED)
		RETURNING *`, lease.Seconds(), limit).Scan(ctx, &rows)
	return rows, translate(err)
}

// BeginJob returns a job to whoever does it now, and hides it for the lease alone: its worker asks HoldJob for
// more as long as it lives, so that another one takes over soon after a crash. found is false when its work is done.
func (s *Store) BeginJob(ctx context.Context, jobID int64, lease time.Duration) (row OutboxRow, found bool, err error) {
	err = s.idb.NewRaw(`UPDATE outbox SET due_at = now() + make_interval(secs => ?) WHERE id = ? RETURNING *`, lease.Seconds(), jobID).Scan(ctx, &row)
	if errors.Is(err, sql.ErrNoRows) {
		return row, false, nil
	}
	return row, err == nil, err
}

// HoldJob hides a job for another lease: its worker is at it.
func (s *Store) HoldJob(ctx context.Context, jobID int64, lease time.Duration) error {
	_, err := s.idb.NewUpdate().Table("outbox").Set("due_at = now() + make_interval(secs => ?)", lease.Seconds()).Where("id = ?", jobID).Exec(ctx)
	return translate(err)
}

// FinishJob removes a job whose work is done.
func (s *Store) FinishJob(ctx context.Context, jobID int64) error {
	_, err := s.idb.NewDelete().Table("outbox").Where("id = ?", jobID).Exec(ctx)
	return translate(err)
}

// RetryJob notes why a job failed and when it is due again.
func (s *Store) RetryJob(ctx context.Context, jobID int64, wait time.Duration, reason string) error {
	_, err := s.idb.NewUpdate().Table("outbox").Set("due_at = now() + make_interval(secs => ?)", wait.Seconds()).
		Set("last_error = ?", reason).Where("id = ?", jobID).Exec(ctx)
	return translate(err)
}

// OutboxState is how much work waits.
type OutboxState struct {
	Waiting int64      `bun:"waiting"`
	Failing int64      `bun:"failing"`
	Oldest  *time.Time `bun:"oldest"`
}

// OutboxState sums up the outbox.
func (s *Store) OutboxState(ctx context.Context) (OutboxState, error) {
	var row OutboxState
	err := s.idb.NewRaw(`SELECT count(*) AS waiting, count(*) FILTER (WHERE last_error <> '') AS failing, min(created_at) AS oldest FROM outbox`).Scan(ctx, &row)
	return row, translate(err)
}
