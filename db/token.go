package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// APIToken lets another system act with some capabilities of the member of staff who made it. Only
// the hash of the token is stored.
type APIToken struct {
	bun.BaseModel `bun:"table:api_token"`

	ID         id.Token            `bun:"id,pk,autoincrement"`
	StaffID    id.Staff            `bun:"staff_id"`
	Name       string              `bun:"name"`
	TokenHash  []byte              `bun:"token_hash" json:"-"`
	Scopes     []access.Capability `bun:"scopes,array"`
	CreatedAt  time.Time           `bun:"created_at,nullzero,default:now()"`
	ExpiresAt  time.Time           `bun:"expires_at"`
	LastUsedAt *time.Time          `bun:"last_used_at"`
	RevokedAt  *time.Time          `bun:"revoked_at"`
}

// AddToken inserts a token and sets its id.
func (s *Store) AddToken(ctx context.Context, row *APIToken) error {
	_, err := s.idb.NewInsert().Model(row).Exec(ctx)
	return translate(err)
}

// TokenByHash returns the token of a hash that is in force.
func (s *Store) TokenByHash(ctx context.Context, hash []byte, now time.Time) (APIToken, error) {
	var row APIToken
	err := s.idb.NewSelect().Model(&row).Where("token_hash = ?", hash).Where("expires_at > ?", now).Where("revoked_at IS NULL").Scan(ctx)
	return row, translate(err)
}

// Tokens lists all tokens, the newest first.
func (s *Store) Tokens(ctx context.Context) ([]APIToken, error) {
	rows := []APIToken{}
	err := s.idb.NewSelect().Model(&rows).OrderExpr("id DESC").Scan(ctx)
	return rows, translate(err)
}

// TouchToken notes that a token was used.
func (s *Store) TouchToken(ctx context.Context, tokenID id.Token, now time.Time) error {
	_, err := s.idb.NewUpdate().Table("api_token").Set("last_used_at = ?", now).Where("id = ?", tokenID).Exec(ctx)
	return translate(err)
}

// RevokeToken ends a token; NotFound when it does not exist or was revoked before.
func (s *Store) RevokeToken(ctx context.Context, tokenID id.Token, now time.Time) (APIToken, error) {
	var row APIToken
	err := s.idb.NewUpdate().Model(&row).Set("revoked_at = ?", now).Where("id = ?", tokenID).Where("revoked_at IS NULL").Returning("*").Scan(ctx)
	return row, translate(err)
}
