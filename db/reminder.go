package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/id"
)

// ReminderPolicy says when reminders are sent. The one without client is everybody's default.
type ReminderPolicy struct {
	bun.BaseModel `bun:"table:reminder_policy"`

	ID          id.Policy `bun:"id,pk,autoincrement"`
	Name        string    `bun:"name"`
	ClientID    id.Client `bun:"client_id,nullzero"`
	SendFrom    string    `bun:"send_from"`     // local time of day, "09:00"
	SendUntil   string    `bun:"send_until"`    // local time of day, "18:00"
	CatchUpDays int       `bun:"catch_up_days"` // how late a step may still be sent, days
	CreatedAt   time.Time `bun:"created_at,nullzero,default:now()"`
}

// What a step's days count from.
const (
	AnchorIssue = "issue"
	AnchorDue   = "due"
)

// ReminderStep is one entry of a policy: calendar days before (negative) or after its anchor.
type ReminderStep struct {
	bun.BaseModel `bun:"table:reminder_step"`

	ID        id.Step    `bun:"id,pk,autoincrement"`
	PolicyID  id.Policy  `bun:"policy_id"`
	Anchor    string     `bun:"anchor"`
	Days      int        `bun:"days"`
	CreatedAt time.Time  `bun:"created_at,nullzero,default:now()"`
	RetiredAt *time.Time `bun:"retired_at"`
}

// AddPolicy inserts a policy with its steps and sets the ids.
func (s *Store) AddPolicy(ctx context.Context, policy *ReminderPolicy, steps []ReminderStep) error {
	if _, err := s.idb.NewInsert().Model(policy).Exec(ctx); err != nil {
		return translate(err)
	}
	for i := range steps {
		steps[i].PolicyID = policy.ID
	}
	_, err := s.idb.NewInsert().Model(&steps).Exec(ctx)
	return translate(err)
}

// DefaultPolicy returns the policy of every client that has none of its own.
func (s *Store) DefaultPolicy(ctx context.Context) (ReminderPolicy, error) {
	var row ReminderPolicy
	err := s.idb.NewSelect().Model(&row).Where("client_id IS NULL").Scan(ctx)
	return row, translate(err)
}

// StepsByID returns steps, retired ones too, for showing history.
func (s *Store) StepsByID(ctx context.Context, ids []id.Step) ([]ReminderStep, error) {
	rows := []ReminderStep{}
	if len(ids) == 0 {
		return rows, nil
	}
	err := s.idb.NewSelect().Model(&rows).Where("id IN (?)", bun.List(ids)).Scan(ctx)
	return rows, translate(err)
}

// PlanInput selects what a planning run looks at.
type PlanInput struct {
	Now       time.Time
	Client    id.Client  // 0: every client
	Invoice   id.Invoice // 0: every invoice
	Immediate bool       // what is due today goes out now, without waiting for the sending window
}

// PlanResult counts the rows that a run added.
type PlanResult struct {
	Planned int64 `bun:"planned"`
	Skipped int64 `bun:"skipped"` // noted as not to be sent: superseded, missed or paused
}

// Plan adds to the ledger every reminder that has become due: one row per (invoice, step,
// recipient). It is one set-based statement over a unique key, so any number of runs by any number
// of processes add nothing twice.
//
// Which day a step falls on is counted in the client's time zone. A step acts from the day on which
// the step, the invoice and the contact all exist, so nothing of the past is sent when one of them
// is added. Of several steps that have become due for an invoice only the newest is sent; the others are noted
// as superseded, and steps later than the policy's catch-up days as missed.
func (s *Store) Plan(ctx context.Context, in PlanInput) (PlanResult, error) {
	var result PlanResult
	err := s.InTx(ctx, func(tx *Store) error {
		// One planner at a time: two of them would lock rows of the unique key in different orders.
		if err := tx.Lock(ctx, "reminder plan"); err != nil {
			return err
		}
		if err := tx.idb.NewRaw(planSQL, bun.NullZero(in.Client), bun.NullZero(in.Invoice), in.Immediate, in.Now).Scan(ctx, &result); err != nil {
			return err
		}
		_, err := tx.idb.NewRaw("INSERT INTO reminder_run (started_at, full_run, planned, skipped) VALUES (?, ?, ?, ?)",
			in.Now, in.Client == 0 && in.Invoice == 0, result.Planned, result.Skipped).Exec(ctx)
		return err
	})
	return result, translate(err)
}

// planSQL: ?0 client, ?1 invoice, ?2 immediate, ?3 now.
const planSQL = `
WITH run AS (
	SELECT ?3::timestamptz AS now,
		-- how many days without a full run: after an outage the missed steps are noted, not forgotten
		coalesce(?3::date - (SELECT max(started_at) FROM reminder_run WHERE full_run AND started_at <= ?3)::date, 0) AS gap
), policy AS (
	SELECT c.id AS client_id, c.timezone, c.email, c.language, c.topics, c.paused_until,
		(run.now AT TIME ZONE c.timezone)::date AS today, (run.now AT TIME ZONE c.timezone)::time AS clock,
		coalesce(own.id, def.id) AS policy_id, coalesce(own.send_from, def.send_from) AS send_from,
		coalesce(own.send_until, def.send_until) AS send_until, coalesce(own.catch_up_days, def.catch_up_days) AS catch_up,
		run.now, run.gap
	FROM run CROSS JOIN client AS c
	LEFT JOIN reminder_policy AS def ON def.client_id IS NULL
	LEFT JOIN reminder_policy AS own ON own.client_id = c.id
	WHERE ?0::bigint IS NULL OR c.id = ?0
), due AS (
	SELECT p.*, i.id AS invoice_id, s.id AS step_id, day.day,
		greatest(p.paused_until, i.paused_until) AS paused,
		row_number() OVER (PARTITION BY i.id ORDER BY day.day DESC, s.anchor, s.days DESC) AS newest
	FROM policy AS p
	JOIN invoice AS i ON i.client_id = p.client_id AND i.status IN ('issued', 'partly_paid') AND i.balance > 0
	JOIN reminder_step AS s ON s.policy_id = p.policy_id AND s.retired_at IS NULL
	CROSS JOIN LATERAL (SELECT CASE s.anchor
		WHEN 'issue' THEN greatest(i.issue_date, (i.created_at AT TIME ZONE p.timezone)::date)
		ELSE i.due_date END + s.days AS day) AS day
	WHERE (?1::bigint IS NULL OR i.id = ?1)
		AND day.day BETWEEN p.today - (p.catch_up + p.gap) AND p.today
		AND (day.day < p.today OR p.clock >= p.send_from OR ?2)
		AND day.day >= (i.created_at AT TIME ZONE p.timezone)::date
		AND day.day >= (s.created_at AT TIME ZONE p.timezone)::date
), recipient AS (
	SELECT due.*, NULL::bigint AS contact_id, due.email AS address, due.language AS lang
	FROM due WHERE 'invoice' = ANY (due.topics)
		AND NOT EXISTS (SELECT FROM contact AS k WHERE k.client_id = due.client_id AND k.deleted_at IS NULL
			AND lower(k.email) = lower(due.email) AND 'invoice' = ANY (k.topics)
			AND due.day >= (k.created_at AT TIME ZONE due.timezone)::date)
	UNION ALL
	SELECT due.*, k.id, k.email, k.language
	FROM due JOIN contact AS k ON k.client_id = due.client_id AND k.deleted_at IS NULL AND 'invoice' = ANY (k.topics)
		AND due.day >= (k.created_at AT TIME ZONE due.timezone)::date
), judged AS (
	SELECT *, CASE WHEN newest > 1 THEN 'superseded' WHEN day < today - catch_up THEN 'missed'
			WHEN paused > today THEN 'paused' ELSE '' END AS reason,
		CASE WHEN ?2 OR clock BETWEEN send_from AND send_until THEN now
			WHEN clock < send_from THEN (today + send_from) AT TIME ZONE timezone
			ELSE (today + 1 + send_from) AT TIME ZONE timezone END AS send_at
	FROM recipient
), added AS (
	INSERT INTO delivery (invoice_id, step_id, contact_id, client_id, status, reason, due_at, send_at, email, language)
	SELECT invoice_id, step_id, contact_id, client_id, CASE reason WHEN '' THEN 'planned' ELSE 'skipped' END, reason,
		CASE reason WHEN '' THEN send_at END, send_at, address, lang
	FROM judged
	ON CONFLICT ON CONSTRAINT delivery_once DO NOTHING
	RETURNING status
)
SELECT count(*) FILTER (WHERE status = 'planned') AS planned, count(*) FILTER (WHERE status = 'skipped') AS skipped FROM added`
