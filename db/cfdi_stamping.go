package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/id"
)

// What UnstampedCFDIs lists.
const (
	UnstampedAll     = ""
	UnstampedWaiting = "waiting" // on their way
	UnstampedRefused = "refused" // by the SAT's rules or the PAC: somebody must correct data
)

// states of the documents that each of the lists has.
var unstamped = map[string][]string{
	UnstampedAll:     {CFDIDraft, CFDISealed, CFDIStamping, CFDIStampFailed},
	UnstampedWaiting: {CFDIDraft, CFDISealed, CFDIStamping},
	UnstampedRefused: {CFDIStampFailed},
}

// UnstampedCFDIs lists documents without a stamp and their files, the oldest first: those that wait (UnstampedWaiting),
// are refused (UnstampedRefused) or both.
func (s *Store) UnstampedCFDIs(ctx context.Context, which string, page Page) (List[CFDI], error) {
	rows := []CFDI{}
	q := s.idb.NewSelect().Model(&rows).ExcludeColumn(withoutFiles...).Where("status IN (?)", bun.List(unstamped[which]))
	return readPage(ctx, s, q, &rows, page, order[CFDI]{by: []key{{"id", "bigint"}}, of: func(c CFDI) []any { return []any{int64(c.ID)} }})
}

// JobsByKey returns the jobs that wait, by their unique keys.
func (s *Store) JobsByKey(ctx context.Context, keys []string) (map[string]OutboxRow, error) {
	found := map[string]OutboxRow{}
	if len(keys) == 0 {
		return found, nil
	}
	var rows []OutboxRow
	err := s.idb.NewSelect().Model(&rows).Where("unique_key IN (?)", bun.List(keys)).Scan(ctx)
	for _, row := range rows {
		found[row.UniqueKey] = row
	}
	return found, translate(err)
}

// StampingState sums up the documents without a stamp.
type StampingState struct {
	Waiting int        `bun:"waiting"`
	Failing int        `bun:"failing"` // of those that wait: whose last attempt failed
	Refused int        `bun:"refused"`
	Oldest  *time.Time `bun:"oldest"` // since when the one that waits longest waits
	Last    *time.Time `bun:"last"`   // when a document was last stamped
}

// StampingState counts the documents without a stamp.
func (s *Store) StampingState(ctx context.Context) (StampingState, error) {
	var row StampingState
	err := s.idb.NewRaw(`SELECT count(*) FILTER (WHERE status <> 'stamp_failed') AS waiting, count(*) FILTER (WHERE status <> 'stamp_failed' AND failure <> '') AS failing,
			count(*) FILTER (WHERE status = 'stamp_failed') AS refused, min(created_at) FILTER (WHERE status <> 'stamp_failed') AS oldest,
			(SELECT max(stamped_at) FROM cfdi WHERE stamped_at IS NOT NULL) AS last
		FROM cfdi WHERE status IN ('draft', 'sealed', 'stamping', 'stamp_failed')`).Scan(ctx, &row)
	return row, translate(err)
}

// Outage is what the attempts say of a PAC that does not stamp.
type Outage struct {
	Documents int       `bun:"documents"` // that wait for it
	Attempts  int       `bun:"attempts"`  // the most that one of them made
	Since     time.Time `bun:"since"`     // the first attempt that failed
	Last      time.Time `bun:"last"`      // and the newest
	Failure   string    `bun:"failure"`   // kind of the newest: auth, clock, unavailable, unknown
	Code      string    `bun:"code"`
	Message   string    `bun:"message"`
}

// Outage sums up the attempts that failed since a document was last stamped; found is false when none did.
func (s *Store) Outage(ctx context.Context) (row Outage, found bool, err error) {
	err = s.idb.NewRaw(`WITH failing AS (
			SELECT failing_since, failed_at, failure, code, message, attempts FROM cfdi
			WHERE status IN ('draft', 'sealed', 'stamping') AND failure <> '' AND failed_at > coalesce((SELECT max(stamped_at) FROM cfdi WHERE stamped_at IS NOT NULL), '-infinity')
		)
		SELECT n.documents, n.attempts, n.since, newest.failed_at AS last, newest.failure, newest.code, newest.message
		FROM (SELECT count(*) AS documents, max(attempts) AS attempts, min(failing_since) AS since FROM failing) AS n,
			(SELECT failed_at, failure, code, message FROM failing ORDER BY failed_at DESC LIMIT 1) AS newest`).Scan(ctx, &row)
	if errors.Is(err, sql.ErrNoRows) {
		return row, false, nil
	}
	return row, err == nil, translate(err)
}

// WaitingCFDIs returns id, build and attempts of documents on their way that no worker is at: these, or all (nil).
func (s *Store) WaitingCFDIs(ctx context.Context, now time.Time, only ...id.CFDI) ([]CFDI, error) {
	rows := []CFDI{}
	q := s.idb.NewSelect().Model(&rows).Column("id", "build", "attempts").Where("status IN (?)", bun.List(unstamped[UnstampedWaiting])).
		Where("lease_until IS NULL OR lease_until < ?", now).OrderExpr("id")
	if only != nil {
		q = q.Where("id IN (?)", bun.List(only))
	}
	return rows, translate(q.Scan(ctx))
}

// CodeStampUncertain is the code of a document that the PAC refused after an answer to the same bytes was lost: it may
// be stamped, so that only a person who has looked builds it anew, one by one.
const CodeStampUncertain = "stamp_uncertain"

// RedraftCFDIs makes drafts of refused documents, these or all (nil) but the uncertain, so that they are built anew, and
// returns id, build and attempts of those that it could: an invoice that is closed or whose sale is in a global invoice
// has no document any more.
func (s *Store) RedraftCFDIs(ctx context.Context, only ...id.CFDI) ([]CFDI, error) {
	rows := []CFDI{}
	err := s.idb.NewRaw(`UPDATE cfdi AS c SET status = 'draft', code = '', message = '', message_en = '', field = '', sat_code = '', failure = '', failing_since = NULL, failed_at = NULL, updated_at = now(),
			metodo_pago = CASE WHEN c.kind = 'ingreso' AND c.replaces_id IS NULL
				THEN (SELECT CASE i.status WHEN 'paid' THEN 'PUE' ELSE 'PPD' END FROM invoice AS i WHERE i.id = c.invoice_id) ELSE c.metodo_pago END
		WHERE c.status = 'stamp_failed' AND (?0 AND c.code <> 'stamp_uncertain' OR c.id IN (?1))
			AND (c.kind <> 'ingreso' OR EXISTS (SELECT FROM invoice AS i WHERE i.id = c.invoice_id AND i.status NOT IN ('draft', 'cancelled', 'written_off') AND i.credited < i.total)
				AND NOT EXISTS (SELECT FROM cfdi_coverage AS g WHERE g.invoice_id = c.invoice_id AND g.kind = 'global' AND g.active))
		RETURNING c.id, c.build, c.attempts`, only == nil, bun.List(append([]id.CFDI{0}, only...))).Scan(ctx, &rows)
	return rows, translate(err)
}

// CFDIsRefusedOf are the documents to a fiscal profile that wait for corrected data.
func (s *Store) CFDIsRefusedOf(ctx context.Context, profile id.FiscalProfile) ([]id.CFDI, error) {
	var rows []id.CFDI
	err := s.idb.NewSelect().Table("cfdi").Column("id").Where("profile_id = ?", profile).Where("status = 'stamp_failed'").Where("code <> ?", CodeStampUncertain).OrderExpr("id").Scan(ctx, &rows)
	return rows, translate(err)
}

// EnqueueNow is EnqueueAll for work that is due at once, also where it waits for a later moment already.
func (s *Store) EnqueueNow(ctx context.Context, jobs []Job) error {
	for chunk := range slices.Chunk(jobs, 1000) {
		rows := make([]OutboxRow, len(chunk))
		for i, job := range chunk {
			payload, err := json.Marshal(job)
			if err != nil {
				return err
			}
			rows[i] = OutboxRow{Kind: job.Kind(), Payload: payload, UniqueKey: job.Key()}
		}
		_, err := s.idb.NewInsert().Model(&rows).On("CONFLICT (unique_key) DO UPDATE").Set("due_at = least(outbox_row.due_at, now())").Returning("NULL").Exec(ctx)
		if err != nil {
			return translate(err)
		}
	}
	return nil
}

// StampCredit is how many stamps are left, as the provider last said.
type StampCredit struct {
	bun.BaseModel `bun:"table:stamp_credit"`

	ID        int16     `bun:"id,pk"`
	Credits   *int      `bun:"credits"` // nil: without limit
	CheckedAt time.Time `bun:"checked_at"`
}

// StampCredit returns how many stamps are left; NotFound before the provider was asked.
func (s *Store) StampCredit(ctx context.Context) (StampCredit, error) {
	var row StampCredit
	err := s.idb.NewSelect().Model(&row).Where("id = 1").Scan(ctx)
	return row, translate(err)
}

// SaveStampCredit writes how many stamps are left.
func (s *Store) SaveStampCredit(ctx context.Context, row StampCredit) error {
	row.ID = 1
	_, err := s.idb.NewInsert().Model(&row).On("CONFLICT (id) DO UPDATE").Set("credits = EXCLUDED.credits, checked_at = EXCLUDED.checked_at").Exec(ctx)
	return translate(err)
}

// CSDNotice is who was told that a certificate expires in so many days.
type CSDNotice struct {
	bun.BaseModel `bun:"table:csd_notice"`

	CSDID   int64    `bun:"csd_id,pk"`
	Days    int      `bun:"days,pk"`
	StaffID id.Staff `bun:"staff_id,pk"`
	Email   string   `bun:"email"`
	Status  string   `bun:"status"` // sent, failed, skipped
	Reply   string   `bun:"reply"`
}

// CSDNotices returns what was said of a certificate.
func (s *Store) CSDNotices(ctx context.Context, csd int64) ([]CSDNotice, error) {
	rows := []CSDNotice{}
	err := s.idb.NewSelect().Model(&rows).Column("csd_id", "days", "staff_id", "email", "status", "reply").Where("csd_id = ?", csd).OrderExpr("days DESC, staff_id").Scan(ctx)
	return rows, translate(err)
}

// AddCSDNotice notes that somebody was told; the first note stays.
func (s *Store) AddCSDNotice(ctx context.Context, row CSDNotice) error {
	_, err := s.idb.NewInsert().Model(&row).On("CONFLICT DO NOTHING").Returning("NULL").Exec(ctx)
	return translate(err)
}
