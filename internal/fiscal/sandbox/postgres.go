package sandbox

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
)

// Postgres is a Store that remembers for good.
type Postgres struct{ Store *db.Store }

var _ Store = Postgres{}

// Insert implements Store.
func (p Postgres) Insert(ctx context.Context, r Record) (*Record, error) {
	row, err := rowOf(r)
	if err != nil {
		return nil, err
	}
	added, err := p.Store.AddSandboxStamp(ctx, row)
	if err != nil || added {
		return nil, err
	}
	old, err := p.one(ctx, "hash", r.Hash)
	if err != nil || old != nil || r.Key == "" {
		return old, err
	}
	return p.one(ctx, "key", r.Key)
}

// ByHash implements Store.
func (p Postgres) ByHash(ctx context.Context, hash string) (*Record, error) {
	return p.one(ctx, "hash", hash)
}

// ByUUID implements Store.
func (p Postgres) ByUUID(ctx context.Context, uuid string) (*Record, error) {
	return p.one(ctx, "uuid", uuid)
}

// Referring implements Store.
func (p Postgres) Referring(ctx context.Context, uuid string) ([]Record, error) {
	return p.read(ctx, "refs", strings.ToLower(uuid))
}

// Update implements Store.
func (p Postgres) Update(ctx context.Context, r Record, from fiscal.CancelState) (bool, error) {
	row, err := rowOf(r)
	if err != nil {
		return false, err
	}
	return p.Store.SetSandboxCancel(ctx, row, string(from))
}

func (p Postgres) one(ctx context.Context, column, value string) (*Record, error) {
	found, err := p.read(ctx, column, value)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

func (p Postgres) read(ctx context.Context, column, value string) ([]Record, error) {
	rows, err := p.Store.SandboxStamps(ctx, column, value)
	if err != nil {
		return nil, err
	}
	found := make([]Record, 0, len(rows))
	for _, row := range rows {
		r := Record{Hash: row.Hash, Key: row.Key, UUID: row.UUID, XML: row.XML, References: row.Refs, Cancel: fiscal.CancelState(row.Cancel),
			RequestedAt: row.RequestedAt, Estatus: row.Estatus, Acuse: row.Acuse}
		if err := json.Unmarshal(row.Query, &r.Query); err != nil {
			return nil, err
		}
		found = append(found, r)
	}
	return found, nil
}

func rowOf(r Record) (*db.SandboxStamp, error) {
	query, err := json.Marshal(r.Query)
	return &db.SandboxStamp{Hash: r.Hash, Key: r.Key, UUID: r.UUID, XML: r.XML, Query: query, Refs: r.References, Cancel: string(r.Cancel),
		RequestedAt: r.RequestedAt, Estatus: r.Estatus, Acuse: r.Acuse}, err
}

// StoredIdentity is the identity that the database keeps, made when it is asked for the first time.
func StoredIdentity(ctx context.Context, store *db.Store, fresh func() (*Identity, error)) (*Identity, error) {
	pem, err := store.SandboxIdentity(ctx, func() ([]byte, error) {
		identity, err := fresh()
		if err != nil {
			return nil, err
		}
		return identity.PEM()
	})
	if err != nil {
		return nil, err
	}
	return ParseIdentity(pem)
}
