package db

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"sync/atomic"

	"github.com/uptrace/bun"
)

// logo is a picture under the hash of its content: what was stored once never changes.
type logo struct {
	bun.BaseModel `bun:"table:logo"`

	Hash    string `bun:"hash,pk"` // SHA-256 in hexadecimal
	Picture []byte `bun:"picture"`
}

// The logo that was read last: one company sends many documents.
var lastLogo atomic.Pointer[logo]

// AddLogo stores a picture and returns its hash, "" for none.
func (s *Store) AddLogo(ctx context.Context, picture []byte) (string, error) {
	if len(picture) == 0 {
		return "", nil
	}
	sum := sha256.Sum256(picture)
	row := logo{Hash: hex.EncodeToString(sum[:]), Picture: picture}
	_, err := s.idb.NewInsert().Model(&row).On("CONFLICT (hash) DO NOTHING").Returning("NULL").Exec(ctx)
	return row.Hash, translate(err)
}

// WithLogo returns the company, or the snapshot of it in a document, with its picture.
func (s *Store) WithLogo(ctx context.Context, c Company) (Company, error) {
	if c.LogoHash == "" {
		return c, nil
	}
	row := lastLogo.Load()
	if row == nil || row.Hash != c.LogoHash {
		row = &logo{}
		if err := s.idb.NewSelect().Model(row).Where("hash = ?", c.LogoHash).Scan(ctx); err != nil {
			return c, translate(err)
		}
		lastLogo.Store(row)
	}
	c.Logo = row.Picture
	return c, nil
}
