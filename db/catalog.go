package db

import (
	"bytes"
	"context"
	"database/sql"
	"errors"
	"slices"
	"time"

	"github.com/uptrace/bun"
)

// SATCatalog is an imported catalog of the SAT.
type SATCatalog struct {
	bun.BaseModel `bun:"table:sat_catalog"`

	Name       string    `bun:"name,pk"`
	Version    int64     `bun:"version"`
	SHA256     []byte    `bun:"sha256"`
	Partial    bool      `bun:"partial"`
	Source     string    `bun:"source"`
	ImportedAt time.Time `bun:"imported_at,nullzero,default:now()"`
}

// SATKey is a key of an imported catalog. Days are 2006-01-02, "" without limit.
type SATKey struct {
	bun.BaseModel `bun:"table:sat_key"`

	Catalog       string            `bun:"catalog,pk"`
	N             int               `bun:"n,pk"`
	Key           string            `bun:"key"`
	Text          string            `bun:"text"`
	VigenciaDesde string            `bun:"vigencia_desde"`
	VigenciaHasta string            `bun:"vigencia_hasta"`
	Properties    map[string]string `bun:"properties,type:jsonb"`
}

// SATCatalogVersion is the newest version of any imported catalog; 0 where none is.
func (s *Store) SATCatalogVersion(ctx context.Context) (int64, error) {
	var version int64
	err := s.idb.NewRaw("SELECT coalesce(max(version), 0) FROM sat_catalog").Scan(ctx, &version)
	return version, translate(err)
}

// SATCatalogs returns the imported catalogs by name.
func (s *Store) SATCatalogs(ctx context.Context) ([]SATCatalog, error) {
	rows := []SATCatalog{}
	err := s.idb.NewSelect().Model(&rows).OrderExpr("name").Scan(ctx)
	return rows, translate(err)
}

// SATKeys returns the keys of all imported catalogs, in the order of their files.
func (s *Store) SATKeys(ctx context.Context) ([]SATKey, error) {
	rows := []SATKey{}
	err := s.idb.NewSelect().Model(&rows).OrderExpr("catalog, n").Scan(ctx)
	return rows, translate(err)
}

// SaveSATCatalog replaces an imported catalog and its keys; changed is false when it has the same ones already. It
// belongs in a transaction.
func (s *Store) SaveSATCatalog(ctx context.Context, row SATCatalog, keys []SATKey) (changed bool, err error) {
	var before SATCatalog
	err = s.idb.NewSelect().Model(&before).Where("name = ?", row.Name).For("UPDATE").Scan(ctx)
	if err == nil && bytes.Equal(before.SHA256, row.SHA256) && before.Partial == row.Partial {
		return false, nil
	}
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return false, translate(err)
	}
	_, err = s.idb.NewRaw(`INSERT INTO sat_catalog (name, version, sha256, partial, source) VALUES (?, nextval('sat_catalog_version'), ?, ?, ?)
		ON CONFLICT (name) DO UPDATE SET version = EXCLUDED.version, sha256 = EXCLUDED.sha256, partial = EXCLUDED.partial, source = EXCLUDED.source, imported_at = now()`,
		row.Name, row.SHA256, row.Partial, row.Source).Exec(ctx)
	if err != nil {
		return false, translate(err)
	}
	if _, err := s.idb.NewDelete().Table("sat_key").Where("catalog = ?", row.Name).Exec(ctx); err != nil {
		return false, translate(err)
	}
	for chunk := range slices.Chunk(keys, 2000) {
		if _, err := s.idb.NewInsert().Model(&chunk).Returning("NULL").Exec(ctx); err != nil {
			return false, translate(err)
		}
	}
	return true, nil
}

// SATKeysNamed returns the keys of imported catalogs, by catalog and key; a key has a row for each time it was in
// force. A catalog that was not imported, or in part only, is missing: what it does not hold may exist all the same.
func (s *Store) SATKeysNamed(ctx context.Context, catalogs, keys []string) (map[string]map[string][]SATKey, error) {
	var rows []SATKey
	err := s.idb.NewRaw(`SELECT c.name AS catalog, coalesce(k.key, '') AS key, coalesce(k.vigencia_desde, '') AS vigencia_desde, coalesce(k.vigencia_hasta, '') AS vigencia_hasta
		FROM sat_catalog c LEFT JOIN sat_key k ON k.catalog = c.name AND k.key IN (?) WHERE c.name IN (?) AND NOT c.partial`, bun.List(keys), bun.List(catalogs)).Scan(ctx, &rows)
	if err != nil {
		return nil, translate(err)
	}
	found := map[string]map[string][]SATKey{}
	for _, row := range rows {
		if found[row.Catalog] == nil {
			found[row.Catalog] = map[string][]SATKey{}
		}
		found[row.Catalog][row.Key] = append(found[row.Catalog][row.Key], row)
	}
	return found, nil
}
