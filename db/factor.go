package db

import (
	"context"
	"encoding/json"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/id"
)

// TOTP is the authenticator app of a person. The secret is sealed by the service.
type TOTP struct {
	bun.BaseModel `bun:"table:totp"`

	ID          int64      `bun:"id,pk,autoincrement"`
	LoginID     id.Login   `bun:"login_id,nullzero"`
	StaffID     id.Staff   `bun:"staff_id,nullzero"`
	Secret      []byte     `bun:"secret" json:"-"`
	ConfirmedAt *time.Time `bun:"confirmed_at"` // nil: shown once, never proved
	LastStep    int64      `bun:"last_step"`    // the last time step whose code was taken
}

// Passkey is a WebAuthn credential of a person.
type Passkey struct {
	bun.BaseModel `bun:"table:passkey"`

	ID           id.Passkey      `bun:"id,pk,autoincrement"`
	LoginID      id.Login        `bun:"login_id,nullzero"`
	StaffID      id.Staff        `bun:"staff_id,nullzero"`
	CredentialID []byte          `bun:"credential_id" json:"-"`
	Name         string          `bun:"name"`
	Credential   json.RawMessage `bun:"credential,type:jsonb" json:"-"`
	CreatedAt    time.Time       `bun:"created_at,nullzero,default:now()"`
	LastUsedAt   *time.Time      `bun:"last_used_at"`
}

// Ceremony is a step between two requests. Only the hash of its token is stored.
type Ceremony struct {
	bun.BaseModel `bun:"table:ceremony"`

	ID        int64           `bun:"id,pk,autoincrement"`
	Purpose   string          `bun:"purpose"`
	TokenHash []byte          `bun:"token_hash"`
	LoginID   id.Login        `bun:"login_id,nullzero"`
	StaffID   id.Staff        `bun:"staff_id,nullzero"`
	Address   string          `bun:"address"`
	Device    string          `bun:"device"`
	Data      json.RawMessage `bun:"data,type:jsonb"`
	Attempts  int             `bun:"attempts"`
	ExpiresAt time.Time       `bun:"expires_at"`
}

// What a ceremony is for.
const (
	CeremonySignIn  = "sign_in" // the password was right, the second factor is awaited
	CeremonyPasskey = "passkey" // a passkey is being added
)

// Person is whose ceremony it is.
func (c Ceremony) Person() Person { return Person{Login: c.LoginID, Staff: c.StaffID} }

// SaveTOTP writes a new, unconfirmed secret in the place of an older unconfirmed one. The key is the
// person, so a confirmed one must be removed first.
func (s *Store) SaveTOTP(ctx context.Context, row *TOTP) error {
	if _, err := (Person{row.LoginID, row.StaffID}).whereDelete(s.idb.NewDelete().Table("totp")).Where("confirmed_at IS NULL").Exec(ctx); err != nil {
		return translate(err)
	}
	_, err := s.idb.NewInsert().Model(row).Exec(ctx)
	return translate(err)
}

// TOTP returns the authenticator app of a person, confirmed or not.
func (s *Store) TOTP(ctx context.Context, person Person) (TOTP, error) {
	var row TOTP
	err := person.where(s.idb.NewSelect().Model(&row)).Scan(ctx)
	return row, translate(err)
}

// TakeTOTPStep marks a time step as used; ok is false when it or a later one was used before. Of any
// number of concurrent attempts with one code, one succeeds.
func (s *Store) TakeTOTPStep(ctx context.Context, totpID, step int64) (ok bool, err error) {
	result, err := s.idb.NewUpdate().Table("totp").Set("last_step = ?", step).Where("id = ?", totpID).Where("last_step < ?", step).Exec(ctx)
	if err != nil {
		return false, translate(err)
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// ConfirmTOTP puts an authenticator app into force.
func (s *Store) ConfirmTOTP(ctx context.Context, totpID int64, now time.Time) error {
	_, err := s.idb.NewUpdate().Table("totp").Set("confirmed_at = ?", now).Where("id = ?", totpID).Exec(ctx)
	return translate(err)
}

// RemoveTOTP removes the authenticator app of a person; NotFound when there is none.
func (s *Store) RemoveTOTP(ctx context.Context, person Person) error {
	return affected(person.whereDelete(s.idb.NewDelete().Table("totp")).Exec(ctx))
}

// RemovePasskeys removes all passkeys of a person.
func (s *Store) RemovePasskeys(ctx context.Context, person Person) error {
	_, err := person.whereDelete(s.idb.NewDelete().Table("passkey")).Exec(ctx)
	return translate(err)
}

// ReplaceRecoveryCodes makes these the recovery codes of a person, hashed under the named secret.
func (s *Store) ReplaceRecoveryCodes(ctx context.Context, person Person, hashes [][]byte, secretID string) error {
	if _, err := person.whereDelete(s.idb.NewDelete().Table("recovery_code")).Exec(ctx); err != nil {
		return translate(err)
	}
	for _, hash := range hashes {
		if _, err := s.idb.NewRaw("INSERT INTO recovery_code (login_id, staff_id, code_hash, secret_id) VALUES (nullif(?, 0), nullif(?, 0), ?, ?)",
			int64(person.Login), int64(person.Staff), hash, secretID).Exec(ctx); err != nil {
			return translate(err)
		}
	}
	return nil
}

// TakeRecoveryCode uses a recovery code up, by what its hash may be; ok is false when there is no such
// unused code.
func (s *Store) TakeRecoveryCode(ctx context.Context, person Person, hashes [][]byte, now time.Time) (ok bool, err error) {
	result, err := person.whereUpdate(s.idb.NewUpdate().Table("recovery_code").Set("used_at = ?", now)).
		Where("code_hash IN (?)", bun.List(hashes)).Where("used_at IS NULL").Exec(ctx)
	if err != nil {
		return false, translate(err)
	}
	n, err := result.RowsAffected()
	return n == 1, err
}

// OldRecoveryCodes counts the people with unused recovery codes that were hashed under another secret than
// the named one.
func (s *Store) OldRecoveryCodes(ctx context.Context, secretID string) (people int, err error) {
	err = s.idb.NewRaw("SELECT count(DISTINCT (login_id, staff_id)) FROM recovery_code WHERE used_at IS NULL AND secret_id <> ?", secretID).Scan(ctx, &people)
	return people, translate(err)
}

// TOTPs lists authenticator apps after an id, in the order of their ids.
func (s *Store) TOTPs(ctx context.Context, after int64, limit int) ([]TOTP, error) {
	rows := []TOTP{}
	err := s.idb.NewSelect().Model(&rows).Where("id > ?", after).OrderExpr("id").Limit(int64(limit)).Scan(ctx)
	return rows, translate(err)
}

// SetTOTPSecret replaces the sealed secret of an authenticator app, if it is still the old one.
func (s *Store) SetTOTPSecret(ctx context.Context, row TOTP, secret []byte) error {
	_, err := s.idb.NewUpdate().Table("totp").Set("secret = ?", secret).Where("id = ?", row.ID).Where("secret = ?", row.Secret).Exec(ctx)
	return translate(err)
}

// Factors is what a person can prove besides the password.
type Factors struct {
	TOTP     bool `bun:"totp"`
	Passkeys int  `bun:"passkeys"`
	Recovery int  `bun:"recovery"` // unused recovery codes
}

// Factors counts the confirmed factors of a person.
func (s *Store) Factors(ctx context.Context, person Person) (Factors, error) {
	column, key := "login_id", int64(person.Login)
	if person.Staff != 0 {
		column, key = "staff_id", int64(person.Staff)
	}
	var f Factors
	err := s.idb.NewRaw(`SELECT EXISTS (SELECT FROM totp WHERE ?0 = ?1 AND confirmed_at IS NOT NULL) AS totp,
		(SELECT count(*) FROM passkey WHERE ?0 = ?1) AS passkeys,
		(SELECT count(*) FROM recovery_code WHERE ?0 = ?1 AND used_at IS NULL) AS recovery`, bun.Ident(column), key).Scan(ctx, &f)
	return f, translate(err)
}

// Passkeys lists the passkeys of a person in the order in which they were added.
func (s *Store) Passkeys(ctx context.Context, person Person) ([]Passkey, error) {
	rows := []Passkey{}
	err := person.where(s.idb.NewSelect().Model(&rows)).OrderExpr("id").Scan(ctx)
	return rows, translate(err)
}

// AddPasskey inserts a passkey and sets its id.
func (s *Store) AddPasskey(ctx context.Context, row *Passkey) error {
	_, err := s.idb.NewInsert().Model(row).Exec(ctx)
	return translate(err)
}

// UsePasskey writes the credential's new counters.
func (s *Store) UsePasskey(ctx context.Context, passkeyID id.Passkey, credential json.RawMessage, now time.Time) error {
	_, err := s.idb.NewUpdate().Table("passkey").Set("credential = ?", string(credential)).Set("last_used_at = ?", now).
		Where("id = ?", passkeyID).Exec(ctx)
	return translate(err)
}

// RenamePasskey gives one passkey of a person another name; NotFound when it is not the person's.
func (s *Store) RenamePasskey(ctx context.Context, person Person, passkeyID id.Passkey, name string) (Passkey, error) {
	var row Passkey
	err := person.whereUpdate(s.idb.NewUpdate().Model(&row).Set("name = ?", name)).Where("id = ?", passkeyID).Returning("*").Scan(ctx)
	return row, translate(err)
}

// RemovePasskey removes one passkey of a person; NotFound when it is not the person's.
func (s *Store) RemovePasskey(ctx context.Context, person Person, passkeyID id.Passkey) error {
	return affected(person.whereDelete(s.idb.NewDelete().Table("passkey")).Where("id = ?", passkeyID).Exec(ctx))
}

// AddCeremony inserts a ceremony.
func (s *Store) AddCeremony(ctx context.Context, row *Ceremony) error {
	_, err := s.idb.NewInsert().Model(row).Exec(ctx)
	return translate(err)
}

// TryCeremony returns a ceremony and counts the attempt; NotFound when it has ended or had too many.
func (s *Store) TryCeremony(ctx context.Context, purpose string, tokenHash []byte, now time.Time, attempts int) (Ceremony, error) {
	var row Ceremony
	err := s.idb.NewUpdate().Model(&row).Set("attempts = attempts + 1").Where("token_hash = ?", tokenHash).Where("purpose = ?", purpose).
		Where("expires_at > ?", now).Where("attempts < ?", attempts).Returning("*").Scan(ctx)
	return row, translate(err)
}

// SetCeremonyData writes the challenge of a ceremony.
func (s *Store) SetCeremonyData(ctx context.Context, ceremonyID int64, data json.RawMessage) error {
	_, err := s.idb.NewUpdate().Table("ceremony").Set("data = ?", string(data)).Where("id = ?", ceremonyID).Exec(ctx)
	return translate(err)
}

// EndCeremony removes a ceremony; NotFound when another request was first.
func (s *Store) EndCeremony(ctx context.Context, ceremonyID int64) error {
	return affected(s.idb.NewDelete().Table("ceremony").Where("id = ?", ceremonyID).Exec(ctx))
}

// EndCeremonies removes all ceremonies of a person: those who were signing in begin again.
func (s *Store) EndCeremonies(ctx context.Context, person Person) error {
	_, err := person.whereDelete(s.idb.NewDelete().Table("ceremony")).Exec(ctx)
	return translate(err)
}
