package account

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base32"
	"strings"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/hotp"
	"github.com/pquerna/otp/totp"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
)

// Authenticator apps: six digits, SHA-1, 30 seconds (RFC 6238), which is all that common apps read.
const (
	totpPeriod = 30
	totpSkew   = 1 // steps before and after now that count, for clocks that differ
)

// NewTOTP is what an authenticator app needs, shown this once.
type NewTOTP struct {
	Secret string // base32, for typing
	URL    string // otpauth://, for a QR code
}

// BeginTOTP makes the secret of an authenticator app. It counts for nothing until ConfirmTOTP proves a
// code; beginning again replaces it.
func (s *Service) BeginTOTP(ctx context.Context, password string) (NewTOTP, error) {
	person, err := s.mayChangeFactors(ctx, password)
	if err != nil {
		return NewTOTP{}, err
	}
	company, err := s.Store.Company(ctx)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return NewTOTP{}, err
	}
	issuer := strings.ReplaceAll(company.Name, ":", " ")
	if issuer == "" {
		issuer = "Avisa"
	}
	raw := make([]byte, 20)
	_, _ = rand.Read(raw)
	key, err := totp.Generate(totp.GenerateOpts{Issuer: issuer, AccountName: access.From(ctx).Email, Secret: raw, Period: totpPeriod,
		Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
	if err != nil {
		return NewTOTP{}, err
	}
	err = s.Store.InTx(ctx, func(tx *db.Store) error {
		current, err := tx.TOTP(ctx, person)
		if err == nil && current.ConfirmedAt != nil {
			return fault.New(fault.Conflict, "TOTP_EXISTS")
		}
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		return tx.SaveTOTP(ctx, &db.TOTP{LoginID: person.Login, StaffID: person.Staff, Secret: s.Secrets.Seal(raw, "totp", objectOf(person))})
	})
	return NewTOTP{Secret: key.Secret(), URL: key.URL()}, err
}

// FactorAdded is the result of adding a factor: the session's new token, and recovery codes when it is
// the person's first factor.
type FactorAdded struct {
	SignedIn
	RecoveryCodes []string // shown this once; nil when there were some already
}

// ConfirmTOTP puts the authenticator app into force with a first code. It ends the person's other
// sessions, and rotates this one, which counts as proved.
func (s *Service) ConfirmTOTP(ctx context.Context, code string) (FactorAdded, error) {
	if err := access.RequirePerson(ctx); err != nil {
		return FactorAdded{}, err
	}
	person := personOf(ctx)
	if err := s.limited(ctx, bucket{key: "factor:" + objectOf(person), n: factorsPerPerson}); err != nil {
		return FactorAdded{}, err
	}
	var added FactorAdded
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		row, err := tx.TOTP(ctx, person)
		if fault.Is(err, fault.NotFound) || err == nil && row.ConfirmedAt != nil {
			return fault.New(fault.Conflict, "TOTP_NOT_BEGUN")
		}
		if err != nil {
			return err
		}
		ok, err := s.takeTOTP(ctx, tx, person, code, false)
		if err != nil {
			return err
		}
		if !ok {
			return codeWrong()
		}
		if err := tx.ConfirmTOTP(ctx, row.ID, s.Now()); err != nil {
			return err
		}
		added, err = s.factorAdded(ctx, tx, person, "totp.add", map[string]any{})
		return err
	})
	return added, err
}

// factorAdded does what every new factor needs.
func (s *Service) factorAdded(ctx context.Context, tx *db.Store, person db.Person, verb string, what map[string]any) (FactorAdded, error) {
	counts, err := tx.Factors(ctx, person)
	if err != nil {
		return FactorAdded{}, err
	}
	var added FactorAdded
	if counts.Recovery == 0 {
		if added.RecoveryCodes, err = s.writeRecovery(ctx, tx, person); err != nil {
			return FactorAdded{}, err
		}
	}
	if err := tx.EndSessions(ctx, person, access.From(ctx).Session); err != nil {
		return FactorAdded{}, err
	}
	if err := tx.EndCeremonies(ctx, person); err != nil {
		return FactorAdded{}, err
	}
	now := s.Now()
	if added.SignedIn, err = s.rotate(ctx, tx, &now); err != nil {
		return FactorAdded{}, err
	}
	return added, tx.Audit(ctx, db.AuditEntry{Verb: verb, Object: objectOf(person), After: what})
}

// RemoveTOTP takes the authenticator app away, unless it is the last factor where one is required.
func (s *Service) RemoveTOTP(ctx context.Context, password string) (SignedIn, error) {
	person, err := s.mayChangeFactors(ctx, password)
	if err != nil {
		return SignedIn{}, err
	}
	var signed SignedIn
	err = s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := tx.RemoveTOTP(ctx, person); err != nil {
			return err
		}
		if err := s.mayLoseFactor(ctx, tx, person); err != nil {
			return err
		}
		if signed, err = s.rotate(ctx, tx, nil); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Verb: "totp.remove", Object: objectOf(person)})
	})
	return signed, err
}

// takeTOTP uses a code up: each time step is taken once, in order, so that a code that was seen over a
// shoulder is worth nothing.
func (s *Service) takeTOTP(ctx context.Context, tx *db.Store, person db.Person, code string, confirmed bool) (bool, error) {
	row, err := tx.TOTP(ctx, person)
	if fault.Is(err, fault.NotFound) || err == nil && confirmed != (row.ConfirmedAt != nil) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	raw, err := s.Secrets.Open(row.Secret, "totp", objectOf(person))
	if err != nil {
		return false, err
	}
	code = strings.ReplaceAll(strings.TrimSpace(code), " ", "")
	text := base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(raw)
	now := s.Now().Unix() / totpPeriod
	for step := now - totpSkew; step <= now+totpSkew; step++ {
		want, err := hotp.GenerateCodeCustom(text, uint64(step), hotp.ValidateOpts{Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err != nil {
			return false, err
		}
		if subtle.ConstantTimeCompare([]byte(want), []byte(code)) == 1 {
			return tx.TakeTOTPStep(ctx, row.ID, step)
		}
	}
	return false, nil
}
