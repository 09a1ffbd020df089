package db

import (
	"context"
	"time"
)

// Measures are figures of the whole installation for its operators. Every one is read from an index over what is
// open or of the last day, so that they cost the same whatever the history holds.
type Measures struct {
	Queue        QueueState
	Outbox       OutboxState
	Stamping     StampingState
	StampsLeft   *int             // as the provider said last; nil: without limit, or never asked
	Unstamped    map[string]int64 // documents without a stamp by status
	LastDay      map[string]int64 // reminders that left in the last 24 hours by status: sent, bounced
	Failed       int64            // reminders that failed and were not tried again
	Bounced      int64            // addresses that get no mail until somebody looks at them
	StampedToday int64            // documents stamped in the last 24 hours
	CSDUntil     *time.Time       // when the certificate in use expires; nil: there is none
}

// Measures reads the figures, in seven statements.
func (s *Store) Measures(ctx context.Context, now time.Time) (m Measures, err error) {
	if m.Queue, err = s.QueueState(ctx); err != nil {
		return m, err
	}
	if m.Outbox, err = s.OutboxState(ctx); err != nil {
		return m, err
	}
	if m.Stamping, err = s.StampingState(ctx); err != nil {
		return m, err
	}
	var credit []StampCredit
	if err = s.idb.NewSelect().Model(&credit).Scan(ctx); err != nil {
		return m, translate(err)
	}
	if len(credit) > 0 {
		m.StampsLeft = credit[0].Credits
	}
	day := now.Add(-24 * time.Hour)
	if m.Unstamped, err = s.countBy(ctx, "SELECT status, count(*) AS n FROM cfdi WHERE status IN ('draft', 'sealed', 'stamping', 'stamp_failed') GROUP BY status"); err != nil {
		return m, err
	}
	if m.LastDay, err = s.countBy(ctx, "SELECT status, count(*) AS n FROM delivery WHERE sent_at >= ? GROUP BY status", day); err != nil {
		return m, err
	}
	err = s.idb.NewRaw(`SELECT (SELECT count(*) FROM delivery WHERE status = 'failed'),
		(SELECT count(*) FROM client WHERE bounced_email <> '') + (SELECT count(*) FROM contact WHERE bounced_email <> '' AND deleted_at IS NULL),
		(SELECT count(*) FROM cfdi WHERE stamped_at >= ?), (SELECT valid_until FROM csd WHERE active)`, day).Scan(ctx, &m.Failed, &m.Bounced, &m.StampedToday, &m.CSDUntil)
	return m, translate(err)
}

func (s *Store) countBy(ctx context.Context, query string, args ...any) (map[string]int64, error) {
	var rows []struct {
		Status string `bun:"status"`
		N      int64  `bun:"n"`
	}
	err := s.idb.NewRaw(query, args...).Scan(ctx, &rows)
	counts := map[string]int64{}
	for _, row := range rows {
		counts[row.Status] = row.N
	}
	return counts, translate(err)
}
