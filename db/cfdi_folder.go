package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/id"
)

// CFDIFilter limits a list of stamped documents. Zero values do not limit.
type CFDIFilter struct {
	Client   id.Client
	From, To time.Time // of Fecha: from the first moment, before the second
	Kind     string
	Status   string // "stamped", "cancel_pending" or "cancelled"
}

func (f CFDIFilter) apply(q *bun.SelectQuery) *bun.SelectQuery {
	q = q.Where("uuid IS NOT NULL")
	if f.Client != 0 {
		q = q.Where("client_id = ?", f.Client)
	}
	if !f.From.IsZero() {
		q = q.Where("fecha >= ?", f.From)
	}
	if !f.To.IsZero() {
		q = q.Where("fecha < ?", f.To)
	}
	if f.Kind != "" {
		q = q.Where("kind = ?", f.Kind)
	}
	if f.Status != "" {
		q = q.Where("status = ?", f.Status)
	}
	return q
}

// StampedCFDIs lists stamped documents without their files, the newest first.
func (s *Store) StampedCFDIs(ctx context.Context, filter CFDIFilter, page Page) (List[CFDI], error) {
	rows := []CFDI{}
	q := filter.apply(s.idb.NewSelect().Model(&rows).ExcludeColumn(withoutFiles...).ColumnExpr("acuse IS NOT NULL AS has_acuse"))
	return readPage(ctx, s, q, &rows, page, order[CFDI]{by: []key{{"fecha", "timestamptz"}, {"id", "bigint"}}, descending: true, of: func(c CFDI) []any { return []any{c.Fecha, int64(c.ID)} }})
}

// StampedFiles returns at most limit stamped documents with their files after one of them, the oldest first.
func (s *Store) StampedFiles(ctx context.Context, filter CFDIFilter, after CFDI, limit int) ([]CFDI, error) {
	rows := []CFDI{}
	q := filter.apply(s.idb.NewSelect().Model(&rows).ExcludeColumn("sealed")).OrderExpr("fecha, id").Limit(int64(limit))
	if after.ID != 0 {
		q = q.Where("(fecha, id) > (?, ?)", after.Fecha, after.ID)
	}
	err := q.Scan(ctx)
	return rows, translate(err)
}

// CFDIMonth is a month with stamped documents.
type CFDIMonth struct {
	Month string `bun:"month"` // 2006-01
	Count int    `bun:"count"`
}

// CFDIMonths returns the newest 120 months with stamped documents of a client, 0 for all, in a zone (IANA name).
func (s *Store) CFDIMonths(ctx context.Context, client id.Client, zone string) ([]CFDIMonth, error) {
	rows := []CFDIMonth{}
	err := s.idb.NewRaw(`SELECT to_char(fecha AT TIME ZONE ?0, 'YYYY-MM') AS month, count(*) AS count FROM cfdi
		WHERE uuid IS NOT NULL AND (?1 = 0 OR client_id = ?1) GROUP BY 1 ORDER BY 1 DESC LIMIT 120`, zone, int64(client)).Scan(ctx, &rows)
	return rows, translate(err)
}

// LogCFDIDownloads writes entries of the download log in one statement.
func (s *Store) LogCFDIDownloads(ctx context.Context, rows []CFDIDownload) error {
	if len(rows) == 0 {
		return nil
	}
	_, err := s.idb.NewInsert().Model(&rows).Returning("NULL").Exec(ctx)
	return translate(err)
}
