package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/id"
)

// Person is who signs in: a login or a member of staff, exactly one of the two.
type Person struct {
	Login id.Login
	Staff id.Staff
}

func (p Person) where(q *bun.SelectQuery) *bun.SelectQuery {
	if p.Staff != 0 {
		return q.Where("staff_id = ?", p.Staff)
	}
	return q.Where("login_id = ?", p.Login)
}

func (p Person) whereDelete(q *bun.DeleteQuery) *bun.DeleteQuery {
	if p.Staff != 0 {
		return q.Where("staff_id = ?", p.Staff)
	}
	return q.Where("login_id = ?", p.Login)
}

func (p Person) whereUpdate(q *bun.UpdateQuery) *bun.UpdateQuery {
	if p.Staff != 0 {
		return q.Where("staff_id = ?", p.Staff)
	}
	return q.Where("login_id = ?", p.Login)
}

// SetPersonPassword replaces the password hash of a login or of staff.
func (s *Store) SetPersonPassword(ctx context.Context, person Person, hash Secret) error {
	if person.Staff == 0 {
		return s.SetPassword(ctx, person.Login, hash)
	}
	_, err := s.idb.NewUpdate().Table("staff").Set("password_hash = ?", string(hash)).Where("id = ?", person.Staff).Exec(ctx)
	return translate(err)
}

// KnowsDevice reports whether a person of the address signed in from the browser before.
func (s *Store) KnowsDevice(ctx context.Context, email string, keyHash []byte) (bool, error) {
	var known bool
	err := s.idb.NewRaw(`SELECT EXISTS (SELECT FROM device AS d LEFT JOIN login AS l ON l.id = d.login_id LEFT JOIN staff AS p ON p.id = d.staff_id
		WHERE d.key_hash = ? AND lower(coalesce(l.email, p.email)) = lower(?))`, keyHash, email).Scan(ctx, &known)
	return known, translate(err)
}

// NoteDevice writes that a person signed in from a browser. isNew is true when it never did before;
// first when the person has signed in from no browser before.
func (s *Store) NoteDevice(ctx context.Context, person Person, keyHash []byte, now time.Time) (isNew, first bool, err error) {
	login, staff := int64(person.Login), int64(person.Staff)
	err = s.idb.NewRaw(`WITH noted AS (
			INSERT INTO device (login_id, staff_id, key_hash, created_at, last_used_at) VALUES (nullif(?, 0), nullif(?, 0), ?, ?, ?)
			ON CONFLICT (key_hash, login_id, staff_id) DO UPDATE SET last_used_at = EXCLUDED.last_used_at
			RETURNING xmax = 0 AS is_new)
		SELECT is_new, NOT EXISTS (SELECT FROM device AS d WHERE d.login_id = nullif(?, 0) OR d.staff_id = nullif(?, 0)) FROM noted`,
		login, staff, keyHash, now, now, login, staff).Scan(ctx, &isNew, &first)
	return isNew, first, translate(err)
}

// ForgetDevices makes every browser of a person a new one.
func (s *Store) ForgetDevices(ctx context.Context, person Person) error {
	_, err := person.whereDelete(s.idb.NewDelete().Table("device")).Exec(ctx)
	return translate(err)
}

// SetLanguage sets the language of a person.
func (s *Store) SetLanguage(ctx context.Context, person Person, lang string) error {
	if person.Staff != 0 {
		return affected(s.idb.NewUpdate().Table("staff").Set("language = ?", lang).Where("id = ?", person.Staff).Exec(ctx))
	}
	return affected(s.idb.NewUpdate().Table("login").Set("language = ?", lang).Where("id = ?", person.Login).Exec(ctx))
}
