package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// FailureCount is how many deliveries failed for a reason.
type FailureCount struct {
	Reason string `bun:"reason"`
	Count  int64  `bun:"count"`
}

// FailureCounts counts what failed, by reason, the most frequent first.
func (s *Store) FailureCounts(ctx context.Context) ([]FailureCount, error) {
	rows := []FailureCount{}
	err := s.idb.NewRaw("SELECT reason, count(*) AS count FROM delivery WHERE status = 'failed' GROUP BY reason ORDER BY count DESC, reason").Scan(ctx, &rows)
	return rows, translate(err)
}

// ReplayFilter selects failed deliveries: these, with those that failed in the same mail, or (nil) all
// that were planned since the moment.
type ReplayFilter struct {
	IDs    []id.Delivery
	Since  time.Time
	Reason string // "": any
}

// ReplayDeliveries puts failed deliveries back into the plan, due now, and returns how many. The row
// stays the same row, so that what was sent meanwhile cannot go out again.
func (s *Store) ReplayDeliveries(ctx context.Context, filter ReplayFilter, by string) (int64, error) {
	q := s.idb.NewUpdate().Table("delivery").Set("status = 'planned'").Set("reason = ''").Set("due_at = now()").Set("send_at = now()").
		Set("history = history || ?::jsonb", string(historyEvent("replayed", by))).Where("status = 'failed'")
	if filter.IDs != nil {
		ids := bun.List(append([]id.Delivery{0}, filter.IDs...))
		q = q.Where("id IN (?0) OR (client_id, message_id) IN (SELECT client_id, message_id FROM delivery WHERE id IN (?0) AND message_id <> '')", ids)
	} else {
		q = q.Where("created_at >= ?", filter.Since)
	}
	if filter.Reason != "" {
		q = q.Where("reason = ?", filter.Reason)
	}
	result, err := q.Exec(ctx)
	if err != nil {
		return 0, translate(err)
	}
	return result.RowsAffected()
}

// CancelDelivery takes a delivery back that is not final. It returns false when it is, or is being
// sent right now.
func (s *Store) CancelDelivery(ctx context.Context, deliveryID id.Delivery, by string) (bool, error) {
	result, err := s.idb.NewUpdate().Table("delivery").Set("status = 'cancelled'").Set("reason = 'by_staff'").Set("due_at = NULL").
		Set("history = history || ?::jsonb", string(historyEvent(DeliveryCancelled, by))).
		Where("id = ?", deliveryID).Where("status IN ('planned', 'queued', 'failed')").Exec(ctx)
	if err != nil {
		return false, translate(err)
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// Outlook is how many reminders go out on a day if nothing changes.
type Outlook struct {
	Day     date.Date `bun:"day"`
	Waiting int64     `bun:"waiting"` // in the ledger, to be sent that day
	Coming  int64     `bun:"coming"`  // not planned yet
}

// Outlook counts what goes out today and on each of the following days, in the zone's days. Clients
// are taken in their own zones; pauses that hold on the day, bounces, addresses to be confirmed and closed
// invoices are left out.
func (s *Store) Outlook(ctx context.Context, now time.Time, days int, zone string) ([]Outlook, error) {
	rows := []Outlook{}
	err := s.idb.NewRaw(`
		WITH span AS (
			SELECT (?0::timestamptz AT TIME ZONE ?2)::date AS today, (?0::timestamptz AT TIME ZONE ?2)::date + ?1::int - 1 AS last
		), open AS (
			SELECT g::date AS day, extract(isodow FROM g) < 6 AND h.day IS NULL AS business
			FROM span, generate_series(span.today - 45, span.last + 30, interval '1 day') AS g LEFT JOIN holiday AS h ON h.day = g::date
		), calendar AS (
			SELECT day, min(day) FILTER (WHERE business) OVER (ORDER BY day DESC) AS business FROM open
		), coming AS (
			SELECT acts.day, i.id AS invoice_id, i.client_id, s.id AS step_id, base.day AS base, c.timezone,
				row_number() OVER (PARTITION BY i.id, acts.day ORDER BY base.day DESC, s.anchor, s.days DESC) AS newest
			FROM span, invoice AS i JOIN client AS c ON c.id = i.client_id
			LEFT JOIN reminder_policy AS own ON own.client_id = c.id AND own.retired_at IS NULL
			LEFT JOIN reminder_policy AS shared ON shared.group_id = c.group_id AND shared.retired_at IS NULL
			LEFT JOIN reminder_policy AS def ON def.client_id IS NULL AND def.group_id IS NULL AND def.retired_at IS NULL
			JOIN reminder_policy AS p ON p.id = coalesce(own.id, shared.id, def.id)
			JOIN reminder_step AS s ON s.policy_id = p.id AND s.retired_at IS NULL
			CROSS JOIN LATERAL (SELECT CASE s.anchor WHEN 'issue' THEN greatest(i.issue_date, (i.created_at AT TIME ZONE c.timezone)::date) ELSE i.due_date END + s.days AS day) AS raw
			LEFT JOIN calendar AS k ON p.business_days AND k.day = raw.day
			CROSS JOIN LATERAL (SELECT coalesce(k.business, raw.day) AS day) AS base
			CROSS JOIN LATERAL (SELECT CASE WHEN (c.pause_mode = 'shift' AND c.paused_until IS NOT NULL) OR (i.pause_mode = 'shift' AND i.paused_until IS NOT NULL) THEN
				reminder_day(base.day, p.business_days, p.catch_up_days, CASE c.pause_mode WHEN 'shift' THEN c.paused_from END, CASE c.pause_mode WHEN 'shift' THEN c.paused_until END,
					CASE i.pause_mode WHEN 'shift' THEN i.paused_from END, CASE i.pause_mode WHEN 'shift' THEN i.paused_until END) ELSE base.day END AS day) AS acts
			WHERE i.status IN ('issued', 'partly_paid') AND i.balance > 0 AND acts.day BETWEEN span.today AND span.last
				AND base.day >= (i.created_at AT TIME ZONE c.timezone)::date AND base.day >= (s.created_at AT TIME ZONE c.timezone)::date
				AND NOT coalesce(c.pause_mode = 'skip' AND c.paused_until > acts.day, false) AND NOT coalesce(i.pause_mode = 'skip' AND i.paused_until > acts.day, false)
		), recipient AS (
			SELECT n.day, n.invoice_id, n.step_id, 0::bigint AS contact_id FROM coming AS n JOIN client AS c ON c.id = n.client_id AND 'invoice' = ANY (c.topics)
				AND lower(c.bounced_email) <> lower(c.email) WHERE newest = 1
				AND NOT EXISTS (SELECT FROM contact AS k WHERE k.client_id = c.id AND k.deleted_at IS NULL AND lower(k.email) = lower(c.email) AND 'invoice' = ANY (k.topics)
					AND n.base >= (k.created_at AT TIME ZONE n.timezone)::date)
			UNION ALL
			SELECT n.day, n.invoice_id, n.step_id, k.id FROM coming AS n JOIN contact AS k ON k.client_id = n.client_id AND k.deleted_at IS NULL AND 'invoice' = ANY (k.topics)
				AND lower(k.bounced_email) <> lower(k.email) AND n.base >= (k.created_at AT TIME ZONE n.timezone)::date
				LEFT JOIN company ON true WHERE newest = 1 AND NOT coalesce(`+unverified+`, false)
		), fresh AS (
			SELECT day, count(*) AS n FROM recipient AS r
			-- By the whole of the key delivery_once: an invoice may have thousands of recipients.
			WHERE NOT EXISTS (SELECT FROM delivery AS d WHERE d.invoice_id = r.invoice_id AND d.step_id = r.step_id AND d.contact_id = r.contact_id)
				AND (r.contact_id <> 0 OR NOT EXISTS (SELECT FROM delivery AS d WHERE d.invoice_id = r.invoice_id AND d.step_id = r.step_id AND d.contact_id IS NULL)) GROUP BY day
		), waiting AS (
			SELECT greatest((d.due_at AT TIME ZONE ?2)::date, span.today) AS day, count(*) AS n FROM span, delivery AS d WHERE d.due_at IS NOT NULL GROUP BY 1
		)
		SELECT g::date AS day, coalesce(w.n, 0) AS waiting, coalesce(f.n, 0) AS coming
		FROM span, generate_series(span.today, span.last, interval '1 day') AS g
		LEFT JOIN waiting AS w ON w.day = g::date LEFT JOIN fresh AS f ON f.day = g::date ORDER BY g`, now, days, zone).Scan(ctx, &rows)
	return rows, translate(err)
}

// DayCount is what became of reminders on a day.
type DayCount struct {
	Day     date.Date `bun:"day"`
	Sent    int64     `bun:"sent"` // came back later included
	Failed  int64     `bun:"failed"`
	Bounced int64     `bun:"bounced"`
	Skipped int64     `bun:"skipped"`
}

// DayCounts counts the ledger by day, the last ones up to today, in the zone's days: what was sent by
// the day it was sent, the rest by the day it was for.
func (s *Store) DayCounts(ctx context.Context, now time.Time, days int, zone string) ([]DayCount, error) {
	rows := []DayCount{}
	err := s.idb.NewRaw(`
		WITH span AS (
			SELECT (?0::timestamptz AT TIME ZONE ?2)::date AS today, ((?0::timestamptz AT TIME ZONE ?2)::date - (?1::int - 1))::timestamp AT TIME ZONE ?2 AS since
		), ledger AS (
			SELECT (d.sent_at AT TIME ZONE ?2)::date AS day, d.status FROM span, delivery AS d WHERE d.sent_at >= span.since
			UNION ALL
			SELECT (d.send_at AT TIME ZONE ?2)::date, d.status FROM span, delivery AS d
			WHERE d.created_at >= span.since - interval '7 days' AND d.sent_at IS NULL AND d.status IN ('failed', 'skipped') AND d.send_at >= span.since
		)
		SELECT g::date AS day, count(*) FILTER (WHERE l.status IN ('sent', 'bounced')) AS sent, count(*) FILTER (WHERE l.status = 'failed') AS failed,
			count(*) FILTER (WHERE l.status = 'bounced') AS bounced, count(*) FILTER (WHERE l.status = 'skipped') AS skipped
		FROM span CROSS JOIN generate_series(span.today - (?1::int - 1), span.today, interval '1 day') AS g LEFT JOIN ledger AS l ON l.day = g::date
		GROUP BY g ORDER BY g`, now, days, zone).Scan(ctx, &rows)
	return rows, translate(err)
}

// QueueState is how the sending goes.
type QueueState struct {
	Waiting  int64      `bun:"waiting"` // due and not with a worker yet
	Later    int64      `bun:"later"`   // planned for later, or waiting for another attempt
	Sending  int64      `bun:"sending"` // queued or with a worker
	Oldest   *time.Time `bun:"oldest"`  // since when the one that waits longest has been due
	LastSent *time.Time `bun:"last_sent"`
	LastRun  *time.Time `bun:"last_run"` // of the planner over all clients
}

// QueueState sums up what is on its way.
func (s *Store) QueueState(ctx context.Context) (QueueState, error) {
	var row QueueState
	err := s.idb.NewRaw(`SELECT count(*) FILTER (WHERE status = 'planned' AND due_at <= now()) AS waiting, count(*) FILTER (WHERE status = 'planned' AND due_at > now()) AS later,
			count(*) FILTER (WHERE status IN ('queued', 'sending')) AS sending, min(due_at) FILTER (WHERE status = 'planned' AND due_at <= now()) AS oldest,
			(SELECT max(sent_at) FROM delivery WHERE sent_at IS NOT NULL) AS last_sent, (SELECT max(started_at) FROM reminder_run WHERE full_run) AS last_run
		FROM delivery WHERE due_at IS NOT NULL`).Scan(ctx, &row)
	return row, translate(err)
}

// QueuePulse is what of QueueState tells whether reminders are planned and sent at all: Oldest, LastSent
// and LastRun. It reads three ends of indexes, whatever the ledger holds.
func (s *Store) QueuePulse(ctx context.Context) (QueueState, error) {
	var row QueueState
	err := s.idb.NewRaw(`SELECT (SELECT due_at FROM delivery WHERE due_at <= now() AND status = 'planned' ORDER BY due_at LIMIT 1) AS oldest,
		(SELECT max(sent_at) FROM delivery WHERE sent_at IS NOT NULL) AS last_sent,
		(SELECT started_at FROM reminder_run WHERE full_run ORDER BY id DESC LIMIT 1) AS last_run`).Scan(ctx, &row)
	return row, translate(err)
}
