package db

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/id"
)

// Secret is a column that must never be shown: it prints as *** wherever it is formatted.
type Secret string

func (Secret) String() string               { return "***" }
func (Secret) GoString() string             { return "***" }
func (Secret) Format(f fmt.State, _ rune)   { _, _ = io.WriteString(f, "***") }
func (Secret) MarshalText() ([]byte, error) { return []byte("***"), nil }
func (Secret) LogValue() slog.Value         { return slog.StringValue("***") }

// Login is a person's email and password; one login can reach several clients.
type Login struct {
	bun.BaseModel `bun:"table:login"`

	ID           id.Login  `bun:"id,pk,autoincrement"`
	HomeClientID id.Client `bun:"home_client_id,nullzero"` // 0: a personal login with a proven address
	Email        string    `bun:"email"`
	PasswordHash Secret    `bun:"password_hash"`
	Language     string    `bun:"language"`
	CreatedAt    time.Time `bun:"created_at,nullzero,default:now()"`
	UpdatedAt    time.Time `bun:"updated_at,nullzero,default:now()"`
}

// Login returns one login.
func (s *Store) Login(ctx context.Context, loginID id.Login) (Login, error) {
	var l Login
	err := s.idb.NewSelect().Model(&l).Where("id = ?", loginID).Scan(ctx)
	return l, translate(err)
}

// loginsPerAddress are looked at: each is a password to try.
const loginsPerAddress = 8

// LoginsByEmail finds the logins of an address, in any case: the personal one first, then those of
// single clients, eight at most (each is a password to try).
func (s *Store) LoginsByEmail(ctx context.Context, email string) ([]Login, error) {
	rows := []Login{}
	err := s.idb.NewSelect().Model(&rows).Where("lower(email) = lower(?)", email).
		OrderExpr("home_client_id NULLS FIRST").Limit(loginsPerAddress).Scan(ctx)
	return rows, translate(err)
}

// HomeLogin finds the login that a client made for an address.
func (s *Store) HomeLogin(ctx context.Context, clientID id.Client, email string) (Login, error) {
	var l Login
	err := s.idb.NewSelect().Model(&l).Where("lower(email) = lower(?)", email).Where("home_client_id = ?", clientID).Scan(ctx)
	return l, translate(err)
}

// EmailHasAccess reports whether a login with this address reaches the client other than through
// the excluded contact.
func (s *Store) EmailHasAccess(ctx context.Context, clientID id.Client, email string, except id.Contact) (bool, error) {
	var has bool
	err := s.idb.NewRaw(`SELECT EXISTS (SELECT FROM sub_account AS a JOIN login AS l ON l.id = a.login_id
		WHERE a.client_id = ? AND lower(l.email) = lower(?) AND a.contact_id IS DISTINCT FROM ?)`,
		clientID, email, except).Scan(ctx, &has)
	return has, translate(err)
}

// SetLoginEmail moves a login to another address.
func (s *Store) SetLoginEmail(ctx context.Context, loginID id.Login, email string) error {
	_, err := s.idb.NewUpdate().Table("login").Set("email = ?", email).Set("updated_at = now()").Where("id = ?", loginID).Exec(ctx)
	return translate(err)
}

// LoginsByID returns the logins with these ids, in any order.
func (s *Store) LoginsByID(ctx context.Context, ids []id.Login) ([]Login, error) {
	rows := []Login{}
	if len(ids) == 0 {
		return rows, nil
	}
	err := s.idb.NewSelect().Model(&rows).Where("id IN (?)", bun.List(ids)).Scan(ctx)
	return rows, translate(err)
}

// AddLogin inserts a login and sets its id.
func (s *Store) AddLogin(ctx context.Context, l *Login) error {
	_, err := s.idb.NewInsert().Model(l).Exec(ctx)
	return translate(err)
}

// SetPassword replaces a login's password hash.
func (s *Store) SetPassword(ctx context.Context, loginID id.Login, hash Secret) error {
	_, err := s.idb.NewUpdate().Table("login").Set("password_hash = ?", string(hash)).Set("updated_at = now()").
		Where("id = ?", loginID).Exec(ctx)
	return translate(err)
}

// ReleaseHomeEmail frees an address that an unused login of the client still holds: one that is
// left from a contact that was removed.
func (s *Store) ReleaseHomeEmail(ctx context.Context, clientID id.Client, email string, except id.Login) error {
	_, err := s.idb.NewUpdate().Table("login").Set("email = 'released-' || id || '@invalid'").Set("password_hash = ''").
		Where("home_client_id = ?", clientID).Where("lower(email) = lower(?)", email).Where("id <> ?", except).
		Where("NOT EXISTS (SELECT FROM sub_account AS a WHERE a.login_id = login.id)").Exec(ctx)
	return translate(err)
}
