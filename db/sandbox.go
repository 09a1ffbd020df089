package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/uptrace/bun"
)

// SandboxStamp is a document that the embedded test PAC stamped.
type SandboxStamp struct {
	bun.BaseModel `bun:"table:sandbox_stamp"`

	ID          int64           `bun:"id,pk,autoincrement"`
	Hash        string          `bun:"hash"`
	Key         string          `bun:"key,nullzero"`
	UUID        string          `bun:"uuid"`
	XML         []byte          `bun:"xml"`
	Query       json.RawMessage `bun:"query,type:jsonb"`
	Refs        []string        `bun:"refs,array"`
	Cancel      string          `bun:"cancel"`
	RequestedAt time.Time       `bun:"requested_at,nullzero"`
	Estatus     string          `bun:"estatus"`
	Acuse       []byte          `bun:"acuse,nullzero"`
}

// AddSandboxStamp inserts a stamp; false when its hash or key is there already.
func (s *Store) AddSandboxStamp(ctx context.Context, row *SandboxStamp) (bool, error) {
	if row.Refs == nil {
		row.Refs = []string{}
	}
	result, err := s.idb.NewInsert().Model(row).On("CONFLICT DO NOTHING").Returning("NULL").Exec(ctx)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// SandboxStamps returns the stamps whose column hash, key or uuid (any case) has the value, or, for
// refs, contains it.
func (s *Store) SandboxStamps(ctx context.Context, column, value string) ([]SandboxStamp, error) {
	rows := []SandboxStamp{}
	q := s.idb.NewSelect().Model(&rows)
	switch column {
	case "uuid":
		q = q.Where("upper(uuid) = upper(?)", value)
	case "refs":
		q = q.Where("refs @> ARRAY[?]::text[]", value)
	default:
		q = q.Where("? = ?", bun.Ident(column), value)
	}
	return rows, q.Scan(ctx)
}

// SetSandboxCancel replaces the cancellation of a stamp if its state is still from.
func (s *Store) SetSandboxCancel(ctx context.Context, row *SandboxStamp, from string) (bool, error) {
	result, err := s.idb.NewUpdate().Model(row).Column("cancel", "requested_at", "estatus", "acuse").
		Where("uuid = ?", row.UUID).Where("cancel = ?", from).Exec(ctx)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// SandboxIdentity returns the test PAC's identity; the first one offered is kept for good.
func (s *Store) SandboxIdentity(ctx context.Context, offer func() ([]byte, error)) ([]byte, error) {
	var pem []byte
	read := func() error {
		return s.idb.NewSelect().Table("sandbox_identity").Column("pem").Where("id = 1").Scan(ctx, &pem)
	}
	err := read()
	if !errors.Is(err, sql.ErrNoRows) {
		return pem, err
	}
	fresh, err := offer()
	if err != nil {
		return nil, err
	}
	if _, err := s.idb.NewRaw("INSERT INTO sandbox_identity (pem) VALUES (?) ON CONFLICT (id) DO NOTHING", fresh).Exec(ctx); err != nil {
		return nil, err
	}
	return pem, read()
}
