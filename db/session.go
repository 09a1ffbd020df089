package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/id"
)

// Session is one signed-in device of a login or of staff. Only the hash of its token is stored.
type Session struct {
	bun.BaseModel `bun:"table:session"`

	ID         id.Session `bun:"id,pk,autoincrement"`
	TokenHash  []byte     `bun:"token_hash"`
	LoginID    id.Login   `bun:"login_id,nullzero"`
	StaffID    id.Staff   `bun:"staff_id,nullzero"`
	Address    string     `bun:"address"`
	Device     string     `bun:"device"`
	CreatedAt  time.Time  `bun:"created_at,nullzero,default:now()"`
	LastUsedAt time.Time  `bun:"last_used_at,nullzero,default:now()"`
	ExpiresAt  time.Time  `bun:"expires_at"`
	FactorAt   *time.Time `bun:"factor_at"`                  // when a second factor was proved in it
	Viewing    id.Client  `bun:"viewing_client_id,nullzero"` // staff who see as this client
}

// SessionByToken returns the session of a token hash that has not expired.
func (s *Store) SessionByToken(ctx context.Context, tokenHash []byte, now time.Time) (Session, error) {
	var row Session
	err := s.idb.NewSelect().Model(&row).Where("token_hash = ?", tokenHash).Where("expires_at > ?", now).Scan(ctx)
	return row, translate(err)
}

// AddSession inserts a session and sets its id.
func (s *Store) AddSession(ctx context.Context, row *Session) error {
	_, err := s.idb.NewInsert().Model(row).Exec(ctx)
	return translate(err)
}

// TouchSession notes that a session was used and moves its end.
func (s *Store) TouchSession(ctx context.Context, sessionID id.Session, now, expires time.Time) error {
	_, err := s.idb.NewUpdate().Table("session").Set("last_used_at = ?", now).Set("expires_at = ?", expires).
		Where("id = ?", sessionID).Exec(ctx)
	return translate(err)
}

// EndSession removes a session.
func (s *Store) EndSession(ctx context.Context, sessionID id.Session) error {
	_, err := s.idb.NewDelete().Table("session").Where("id = ?", sessionID).Exec(ctx)
	return translate(err)
}

// RotateSession replaces the token of a session, and notes a second factor that was proved.
func (s *Store) RotateSession(ctx context.Context, sessionID id.Session, tokenHash []byte, factorAt *time.Time) error {
	_, err := s.idb.NewUpdate().Table("session").Set("token_hash = ?", tokenHash).Set("factor_at = coalesce(?, factor_at)", factorAt).
		Where("id = ?", sessionID).Exec(ctx)
	return translate(err)
}

// Sessions lists the open sessions of a person, the last used first.
func (s *Store) Sessions(ctx context.Context, person Person, now time.Time) ([]Session, error) {
	rows := []Session{}
	err := person.where(s.idb.NewSelect().Model(&rows)).Where("expires_at > ?", now).OrderExpr("last_used_at DESC, id DESC").Scan(ctx)
	return rows, translate(err)
}

// EndPersonSession removes one session of a person; NotFound when it is not the person's.
func (s *Store) EndPersonSession(ctx context.Context, person Person, sessionID id.Session) error {
	return affected(person.whereDelete(s.idb.NewDelete().Table("session")).Where("id = ?", sessionID).Exec(ctx))
}

// EndSessions removes all sessions of a person but one (0: all).
func (s *Store) EndSessions(ctx context.Context, person Person, except id.Session) error {
	_, err := person.whereDelete(s.idb.NewDelete().Table("session")).Where("id <> ?", except).Exec(ctx)
	return translate(err)
}

// SweepSessions removes sessions that ended before the moment, and failed sign-ins of 90 days before it.
func (s *Store) SweepSessions(ctx context.Context, before time.Time) error {
	_, err := s.idb.NewDelete().Table("session").Where("expires_at < ?", before).Exec(ctx)
	if err != nil {
		return translate(err)
	}
	if _, err = s.idb.NewDelete().Table("ceremony").Where("expires_at < ?", before).Exec(ctx); err != nil {
		return translate(err)
	}
	_, err = s.idb.NewDelete().Table("failed_sign_in").Where("last_at < ?", before.Add(-failedSignInsKept)).Exec(ctx)
	return translate(err)
}
