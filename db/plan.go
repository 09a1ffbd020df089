package db

import (
	"context"
	"crypto/rand"
	"sync"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/nubedigitalmx/avisa/internal/id"
)

// PlanInput selects what a planning run looks at.
type PlanInput struct {
	Now       time.Time
	Client    id.Client  // 0: every client
	Invoice   id.Invoice // 0: every invoice
	Immediate bool       // what is due today goes out now, without waiting for the sending window, also what had been planned to wait for it
	Run       id.Run     // whose figures it adds to; 0: none
}

// PlanResult counts the rows that a run added.
type PlanResult struct {
	Planned int64 `bun:"planned"` // with those that an immediate run took out of their wait for the sending window
	Skipped int64 `bun:"skipped"` // noted as not to be sent, with the reason
}

const (
	planBatch   = 40_000 // open invoices per statement: bounds memory and the time a statement takes
	planWorkers = 2      // statements at once
	planChanges = 5_000  // changed clients above which a run looks at everything

	// PlanSkew is how far the clocks of machines may differ: what is noted further ahead is put right.
	PlanSkew = 5 * time.Minute
)

// Plan adds to the ledger every reminder that has become due: one row per (invoice, step,
// recipient). It works in set-based statements over ranges of open invoices, and a unique key
// decides, so any number of runs by any number of processes add nothing twice. Rows are inserted in
// the order of that key, so that planners at the same time wait for each other and never lock up.
//
// Which day a step falls on is counted in the client's time zone, then moved by the policy's business
// days and by shifting pauses (see reminder_day in the schema). A step acts from the day on which
// the step, the invoice and the contact all exist, so nothing of the past is sent when one of them
// is added. Of several steps that have become due for an invoice only the newest is sent; the others
// are noted as superseded, and steps later than the policy's catch-up days as missed. A step does not
// repeat one of the same day that another policy, or the policy as it was, has in the ledger.
//
// A clock that jumps ahead by months therefore sends no burst: at most the newest step goes out, the
// others are noted. When it is set right, what was noted by a clock more than PlanSkew ahead of it, and not
// attempted, is planned again as if it had not been; what was sent stays sent.
//
// What was kept back because an address returned mail, or was not confirmed, is planned again once that is over, if the
// step is still the newest and not older than the catch-up days: who corrects a typing error gets the reminder.
//
// A run over all clients looks at what changed since the last one (see reminder_change in the
// schema), or at all open invoices when a day or a sending window began since, or an hour passed.
func (s *Store) Plan(ctx context.Context, in PlanInput) (PlanResult, error) {
	gap, err := s.PlanGap(ctx, in.Now)
	if err != nil {
		return PlanResult{}, err
	}
	p := plan{PlanInput: in, gap: gap}
	full := in.Client == 0 && in.Invoice == 0
	mark := rand.Text()
	var total PlanResult
	switch {
	case in.Client != 0:
		p.clients = []int64{int64(in.Client)}
	case full:
		if p.clients, err = s.takeChanges(ctx, in, mark); err != nil {
			return PlanResult{}, translate(err)
		}
	}
	whole := full && p.clients == nil
	if p.clients == nil || len(p.clients) > 0 {
		added, err := s.planAll(ctx, p)
		total.Planned, total.Skipped = total.Planned+added.Planned, added.Skipped
		if err != nil {
			return total, translate(err)
		}
	}
	if in.Immediate { // after what is added: a planner beside this run has committed by now
		n, err := s.hasten(ctx, in)
		total.Planned += n
		if err != nil {
			return total, translate(err)
		}
	}
	_, err = s.idb.NewRaw(`WITH done AS (DELETE FROM reminder_change WHERE taken = ?5)
		INSERT INTO reminder_run (started_at, full_run, whole, planned, skipped) VALUES (?0, ?1, ?2, ?3, ?4)`,
		in.Now, full, whole, total.Planned, total.Skipped, mark).Exec(ctx)
	return total, translate(err)
}

// hasten has what was planned and not attempted yet go out now, and returns how many mails that are. Left alone is what
// a pause holds, what only a clock that was ahead can have noted, and what another process has at this moment.
func (s *Store) hasten(ctx context.Context, in PlanInput) (n int64, err error) {
	err = s.InTx(ctx, func(tx *Store) error {
		result, err := tx.idb.NewRaw(`UPDATE delivery SET due_at = ?0, send_at = ?0 WHERE id IN (SELECT id FROM delivery
			WHERE status = 'planned' AND attempts = 0 AND due_at > ?0 AND send_at > ?0 AND (?1::bigint IS NULL OR client_id = ?1) AND (?2::bigint IS NULL OR invoice_id = ?2) AND created_at <= ?3
			AND NOT EXISTS (SELECT FROM invoice AS i JOIN client AS c ON c.id = i.client_id WHERE i.id = delivery.invoice_id AND greatest(i.paused_until, c.paused_until) > (?0::timestamptz AT TIME ZONE c.timezone)::date)
			ORDER BY id FOR UPDATE SKIP LOCKED)`, in.Now, bun.NullZero(in.Client), bun.NullZero(in.Invoice), in.Now.Add(PlanSkew)).Exec(ctx)
		if err != nil {
			return err
		}
		if n, err = result.RowsAffected(); err != nil || in.Run == 0 {
			return err
		}
		return tx.countRun(ctx, in.Run, PlanResult{Planned: n})
	})
	return n, err
}

// takeChanges marks what changed and returns its clients; nil when all open invoices must be looked
// at. Changes that a run took and did not finish are taken again.
func (s *Store) takeChanges(ctx context.Context, in PlanInput, mark string) ([]int64, error) {
	var row struct {
		Whole   bool    `bun:"whole"`
		Clients []int64 `bun:"clients,array"`
	}
	err := s.idb.NewRaw(`
		WITH taken AS (
			UPDATE reminder_change SET taken = ?1 RETURNING client_id
		), client_ids AS (
			SELECT DISTINCT client_id FROM taken
		), last AS (
			SELECT max(started_at) AS at FROM reminder_run WHERE full_run AND whole AND started_at <= ?0
		)
		SELECT last.at IS NULL OR last.at < ?0::timestamptz - interval '1 hour' OR EXISTS (SELECT FROM client_ids WHERE client_id IS NULL)
				OR (SELECT count(*) FROM client_ids) > ?2
				OR EXISTS (SELECT FROM (SELECT DISTINCT timezone AS z FROM client) AS zones, reminder_policy AS p
					WHERE (last.at AT TIME ZONE z)::date <> (?0::timestamptz AT TIME ZONE z)::date
						OR (last.at AT TIME ZONE z)::time < p.send_from AND (?0::timestamptz AT TIME ZONE z)::time >= p.send_from) AS whole,
			CASE WHEN (SELECT count(*) FROM client_ids) <= ?2 THEN coalesce((SELECT array_agg(client_id) FROM client_ids WHERE client_id IS NOT NULL), '{}') ELSE '{}' END AS clients
		FROM last`, in.Now, mark, planChanges).Scan(ctx, &row)
	if err != nil || row.Whole || in.Immediate {
		return nil, err
	}
	if row.Clients == nil {
		row.Clients = []int64{}
	}
	return row.Clients, nil
}

// plan is one planning run.
type plan struct {
	PlanInput
	gap     int
	clients []int64 // nil: all
}

type span struct{ after, through int64 }

// planAll works through the open invoices of the run, a few ranges at once.
func (s *Store) planAll(ctx context.Context, p plan) (total PlanResult, err error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	spans := make(chan span)
	var mu sync.Mutex
	var group sync.WaitGroup
	for range planWorkers {
		group.Go(func() {
			for r := range spans {
				part, err := s.planRange(ctx, p, r)
				if err != nil {
					cancel(err)
				}
				mu.Lock()
				total.Planned, total.Skipped = total.Planned+part.Planned, total.Skipped+part.Skipped
				mu.Unlock()
			}
		})
	}
	for r := (span{}); err == nil; r.after = r.through {
		if r.through, err = s.openRange(ctx, p, r.after); err != nil || r.through == 0 {
			break
		}
		select {
		case spans <- r:
		case <-ctx.Done():
			err = context.Cause(ctx)
		}
	}
	close(spans)
	group.Wait()
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	return total, err
}

// PlanGap is how many days lie between the moment and the last full run before it: after an outage
// the steps of those days are noted, not forgotten.
func (s *Store) PlanGap(ctx context.Context, now time.Time) (int, error) {
	var gap int
	err := s.idb.NewRaw(`SELECT coalesce(?0::date - (SELECT max(started_at) FROM reminder_run WHERE full_run AND started_at <= ?0)::date, 0)`, now).Scan(ctx, &gap)
	return gap, translate(err)
}

// openRange returns the last id of the next range of open invoices, 0 at the end.
func (s *Store) openRange(ctx context.Context, p plan, after int64) (int64, error) {
	var through int64
	err := s.idb.NewRaw(`SELECT coalesce(max(id), 0) FROM (SELECT id FROM invoice WHERE status IN ('issued', 'partly_paid') AND id > ?0
		AND (?1::bigint[] IS NULL OR client_id = ANY (?1)) AND (?2::bigint IS NULL OR id = ?2) ORDER BY id LIMIT ?3) AS open`,
		after, clientArray(p.clients), bun.NullZero(p.Invoice), planBatch).Scan(ctx, &through)
	return through, err
}

func clientArray(ids []int64) any {
	if ids == nil {
		return nil
	}
	return pgdialect.Array(ids)
}

func (s *Store) planRange(ctx context.Context, p plan, r span) (result PlanResult, err error) {
	err = s.InTx(ctx, func(tx *Store) error {
		// Statistics of a ledger that grows by millions are always old: only indexes bound the cost.
		if _, err := tx.idb.NewRaw("SET LOCAL work_mem = '32MB'; SET LOCAL jit = off; SET LOCAL enable_seqscan = off").Exec(ctx); err != nil {
			return err
		}
		err := tx.idb.NewRaw(planSQL, clientArray(p.clients), bun.NullZero(p.Invoice), p.Immediate, p.Now, r.after, r.through, p.gap, p.Now.Add(PlanSkew)).Scan(ctx, &result)
		if err != nil || p.Run == 0 {
			return err
		}
		return tx.countRun(ctx, p.Run, result)
	})
	return result, err
}

// planSQL: ?0 clients, ?1 invoice, ?2 immediate, ?3 now, ?4 and ?5 the range of invoice ids, ?6 gap, ?7 the
// time after which only a clock that was ahead can have written.
const planSQL = `
WITH calendar AS MATERIALIZED (
	SELECT day, min(day) FILTER (WHERE open) OVER (ORDER BY day DESC) AS business
	FROM (SELECT g::date AS day, extract(isodow FROM g) < 6 AND h.day IS NULL AS open
		FROM generate_series(?3::date - (100 + ?6), ?3::date + 40, interval '1 day') AS g LEFT JOIN holiday AS h ON h.day = g::date) AS days
), owed AS MATERIALIZED (
	SELECT i.id AS invoice_id, i.client_id, i.due_date, i.issue_date, (i.created_at AT TIME ZONE c.timezone)::date AS created, c.timezone,
		c.pause_mode = 'shift' AND c.paused_until IS NOT NULL OR i.pause_mode = 'shift' AND i.paused_until IS NOT NULL AS shifts,
		CASE c.pause_mode WHEN 'shift' THEN c.paused_from END AS client_from, CASE c.pause_mode WHEN 'shift' THEN c.paused_until END AS client_until,
		CASE i.pause_mode WHEN 'shift' THEN i.paused_from END AS invoice_from, CASE i.pause_mode WHEN 'shift' THEN i.paused_until END AS invoice_until,
		greatest(CASE c.pause_mode WHEN 'skip' THEN c.paused_until END, CASE i.pause_mode WHEN 'skip' THEN i.paused_until END) AS skip_until,
		p.id AS policy_id, p.send_from, p.send_until, p.catch_up_days AS catch_up, p.business_days
	FROM invoice AS i JOIN client AS c ON c.id = i.client_id
	LEFT JOIN reminder_policy AS own ON own.client_id = c.id AND own.retired_at IS NULL
	LEFT JOIN reminder_policy AS shared ON shared.group_id = c.group_id AND shared.retired_at IS NULL
	LEFT JOIN reminder_policy AS def ON def.client_id IS NULL AND def.group_id IS NULL AND def.retired_at IS NULL
	JOIN reminder_policy AS p ON p.id = coalesce(own.id, shared.id, def.id)
	WHERE i.id > ?4 AND i.id <= ?5 AND i.status IN ('issued', 'partly_paid') AND i.balance > 0
		AND (?0::bigint[] IS NULL OR i.client_id = ANY (?0)) AND (?1::bigint IS NULL OR i.id = ?1)
), step AS MATERIALIZED ( -- once per zone, because turning times into local ones costs more than the rest
	SELECT s.id, s.policy_id, s.anchor, s.days, zone.timezone, (s.created_at AT TIME ZONE zone.timezone)::date AS since,
		(?3::timestamptz AT TIME ZONE zone.timezone)::date AS today, (?3::timestamptz AT TIME ZONE zone.timezone)::time AS clock
	FROM (SELECT DISTINCT timezone FROM owed) AS zone CROSS JOIN reminder_step AS s WHERE s.retired_at IS NULL
), due AS (
	SELECT o.*, s.today, s.clock, s.id AS step_id, s.anchor, s.days, base.day AS base, acts.day,
		row_number() OVER (PARTITION BY o.invoice_id ORDER BY acts.day DESC, base.day DESC, raw.day DESC, s.anchor, s.days DESC) AS newest
	FROM owed AS o
	JOIN step AS s ON s.policy_id = o.policy_id AND s.timezone = o.timezone
	CROSS JOIN LATERAL (SELECT CASE s.anchor WHEN 'issue' THEN greatest(o.issue_date, o.created) ELSE o.due_date END + s.days AS day) AS raw
	LEFT JOIN calendar AS k ON o.business_days AND k.day = raw.day
	CROSS JOIN LATERAL (SELECT coalesce(k.business, raw.day) AS day) AS base
	CROSS JOIN LATERAL (SELECT CASE WHEN o.shifts
		THEN reminder_day(base.day, o.business_days, o.catch_up, o.client_from, o.client_until, o.invoice_from, o.invoice_until)
		ELSE base.day END AS day) AS acts
	WHERE raw.day <= s.today AND (raw.day >= s.today - (o.catch_up + ?6) OR o.shifts OR o.business_days) -- few rows go on from here
		AND acts.day BETWEEN s.today - (o.catch_up + ?6) AND s.today
		AND base.day >= o.created AND base.day >= s.since
		AND NOT coalesce(greatest(o.client_until, o.invoice_until) > s.today, false)
), judged AS (
	SELECT d.*, CASE WHEN newest > 1 THEN 'superseded' WHEN d.day < today - catch_up THEN 'missed' WHEN skip_until > today THEN 'paused' ELSE '' END AS reason,
		CASE WHEN ?2 OR sends.day = today AND clock BETWEEN send_from AND send_until THEN ?3::timestamptz
			ELSE (sends.day + send_from) AT TIME ZONE timezone END AS send_at
	FROM due AS d JOIN calendar AS k ON k.day = d.today + (d.clock > d.send_until)::int
	CROSS JOIN LATERAL (SELECT CASE WHEN d.business_days THEN k.business ELSE k.day END AS day) AS sends
	WHERE d.day < today OR clock >= send_from OR ?2
), recipient AS (
	SELECT j.invoice_id, j.step_id, j.anchor, j.days, NULL::bigint AS contact_id, j.client_id, j.send_at, c.email, c.language,
		CASE WHEN j.reason <> '' THEN j.reason WHEN c.bounced_email <> '' AND lower(c.bounced_email) = lower(c.email) THEN 'bounced' ELSE '' END AS reason
	FROM judged AS j JOIN client AS c ON c.id = j.client_id AND 'invoice' = ANY (c.topics)
	WHERE NOT EXISTS (SELECT FROM contact AS k WHERE k.client_id = c.id AND k.deleted_at IS NULL
			AND lower(k.email) = lower(c.email) AND 'invoice' = ANY (k.topics) AND j.base >= (k.created_at AT TIME ZONE j.timezone)::date)
	UNION ALL
	SELECT j.invoice_id, j.step_id, j.anchor, j.days, k.id, j.client_id, j.send_at, k.email, k.language,
		CASE WHEN j.reason <> '' THEN j.reason WHEN k.bounced_email <> '' AND lower(k.bounced_email) = lower(k.email) THEN 'bounced'
			WHEN ` + unverified + ` THEN 'unverified' ELSE '' END
	FROM judged AS j JOIN contact AS k ON k.client_id = j.client_id AND k.deleted_at IS NULL AND 'invoice' = ANY (k.topics)
		AND j.base >= (k.created_at AT TIME ZONE j.timezone)::date
	LEFT JOIN company ON true
), added AS (
	INSERT INTO delivery (invoice_id, step_id, contact_id, client_id, status, reason, due_at, send_at, email, language, created_at)
	SELECT invoice_id, step_id, contact_id, client_id, CASE reason WHEN '' THEN 'planned' ELSE 'skipped' END, reason,
		CASE reason WHEN '' THEN send_at END, send_at, email, language, ?3
	FROM recipient AS r
	WHERE NOT EXISTS ( -- neither the step itself nor the one of another policy, or a former one, that says the same
		SELECT FROM delivery AS d JOIN reminder_step AS s ON s.id = d.step_id
		WHERE d.invoice_id > ?4 AND d.invoice_id <= ?5 AND d.invoice_id = r.invoice_id AND d.contact_id IS NOT DISTINCT FROM r.contact_id AND s.anchor = r.anchor AND s.days = r.days
			AND NOT (d.attempts = 0 AND d.status IN ('planned', 'skipped') AND d.created_at > ?7 OR d.attempts > 0 AND d.status = 'skipped' AND d.reason = 'missed'
				OR r.reason = '' AND d.status = 'skipped' AND d.reason IN ('bounced', 'unverified')))
	ORDER BY invoice_id, step_id, contact_id
	-- what a clock that was ahead noted is put right, and who can be reached by now gets what was kept back
	ON CONFLICT ON CONSTRAINT delivery_once DO UPDATE SET status = EXCLUDED.status, reason = EXCLUDED.reason, due_at = EXCLUDED.due_at, send_at = EXCLUDED.send_at,
		email = EXCLUDED.email, language = EXCLUDED.language, created_at = EXCLUDED.created_at, history = delivery.history || jsonb_build_object('at', now(), 'event', CASE WHEN delivery.reason IN ('bounced', 'unverified') AND EXCLUDED.reason = '' THEN 'reachable' ELSE 'replanned' END)
		WHERE delivery.attempts = 0 AND delivery.status IN ('planned', 'skipped') AND delivery.created_at > ?7
			OR delivery.attempts > 0 AND delivery.status = 'skipped' AND delivery.reason = 'missed' AND EXCLUDED.reason <> 'missed'
			OR delivery.status = 'skipped' AND delivery.reason IN ('bounced', 'unverified') AND EXCLUDED.reason = ''
	RETURNING status
)
SELECT count(*) FILTER (WHERE status = 'planned') AS planned, count(*) FILTER (WHERE status = 'skipped') AS skipped FROM added`
