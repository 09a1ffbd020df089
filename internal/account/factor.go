package account

import (
	"context"
	"crypto/rand"
	"encoding/base32"
	"strings"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/secret"
)

// The second step of a sign-in.
const (
	pendingMinutes  = 10
	pendingAttempts = 6 // then the password is asked for again
	recoveryCodes   = 10
)

// await begins the second step: it writes who proved the password, and returns the token for it.
func (s *Service) await(ctx context.Context, person db.Person, in SignInInput) (string, error) {
	token := secret.Random()
	return token, s.Store.AddCeremony(ctx, &db.Ceremony{Purpose: db.CeremonySignIn, TokenHash: hashToken(token), LoginID: person.Login, StaffID: person.Staff,
		Address: in.Address, Device: in.Device, Data: []byte("{}"), ExpiresAt: s.Now().Add(pendingMinutes * time.Minute)})
}

// pending returns the sign-in that waits behind the token and counts the attempt. Attempts are bounded
// for each sign-in and for each person; the second bound locks nobody out, because only who has the
// password gets here.
func (s *Service) pending(ctx context.Context, token string) (db.Ceremony, error) {
	row, err := s.Store.TryCeremony(ctx, db.CeremonySignIn, hashToken(token), s.Now(), pendingAttempts)
	if fault.Is(err, fault.NotFound) {
		return db.Ceremony{}, fault.New(fault.Unauthenticated, "SIGN_IN_AGAIN")
	}
	if err != nil {
		return db.Ceremony{}, err
	}
	return row, s.limited(ctx, bucket{key: "factor:" + objectOf(row.Person()), n: factorsPerPerson})
}

// finish ends the second step well. The ceremony is used up in the transaction that starts the session,
// so that two requests with one proof start one session.
func (s *Service) finish(ctx context.Context, row db.Ceremony, deviceKey string, verified func(tx *db.Store) error) (SignedIn, error) {
	var signed SignedIn
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := tx.EndCeremony(ctx, row.ID); err != nil {
			return fault.New(fault.Unauthenticated, "SIGN_IN_AGAIN").Because(err)
		}
		if err := verified(tx); err != nil {
			return err
		}
		inner := *s
		inner.Store = tx
		actor, err := inner.provedActor(ctx, row.Person())
		if err != nil {
			return err
		}
		now := s.Now()
		signed, err = inner.startSession(ctx, row.Person(), actor, SignInInput{Address: row.Address, Device: row.Device, DeviceKey: deviceKey}, &now)
		return err
	})
	return signed, err
}

// provedActor is the actor of a person who has proved everything. Access may have ended since the password.
func (s *Service) provedActor(ctx context.Context, person db.Person) (access.Actor, error) {
	again := fault.New(fault.Unauthenticated, "SIGN_IN_FAILED")
	if person.Staff != 0 {
		staff, err := s.Store.Staff(ctx, person.Staff)
		if err != nil {
			return access.Actor{}, err
		}
		if !staff.Active {
			return access.Actor{}, again
		}
		return s.staffActor(ctx, staff, true)
	}
	login, err := s.Store.Login(ctx, person.Login)
	if err != nil {
		return access.Actor{}, err
	}
	actor, err := s.loginActor(ctx, login, true)
	if err == nil && len(actor.Grants) == 0 {
		return access.Actor{}, again
	}
	return actor, err
}

// ProveFactorInput answers the second step with a code.
type ProveFactorInput struct {
	Pending   string // from SignIn
	Factor    Factor // FactorTOTP or FactorRecovery
	Code      string
	DeviceKey string // as in SignInInput
}

// ProveFactor answers the second step of a sign-in with a code of the authenticator app or a recovery
// code. Wrong, replayed and foreign codes are the same CODE_WRONG; after too many the person signs in
// again from the start.
func (s *Service) ProveFactor(ctx context.Context, in ProveFactorInput) (SignedIn, error) {
	row, err := s.pending(ctx, in.Pending)
	if err != nil {
		return SignedIn{}, err
	}
	signed, err := s.finish(ctx, row, in.DeviceKey, func(tx *db.Store) error {
		ok := false
		var err error
		switch in.Factor {
		case FactorTOTP:
			ok, err = s.takeTOTP(ctx, tx, row.Person(), in.Code, true)
		case FactorRecovery:
			ok, err = s.takeRecovery(ctx, tx, row.Person(), in.Code)
		}
		if err == nil && !ok {
			return codeWrong()
		}
		return err
	})
	if fault.Is(err, fault.Invalid) { // somebody knows the password: the person is told
		failed := db.FailedSignIn{Hour: s.hour(), Network: network(row.Address), Attempts: 1, Codes: 1, Device: row.Device, LastAt: s.Now()}
		if err := s.Store.NoteFailedSignIn(ctx, []db.Person{row.Person()}, failed); err != nil {
			return SignedIn{}, err
		}
	}
	return signed, err
}

func codeWrong() error {
	var checks fault.Checks
	checks.Add("code", "CODE_WRONG")
	return checks.Err()
}

// FactorStatus is what a person has to prove a second factor with.
type FactorStatus struct {
	TOTP     bool
	Passkeys []db.Passkey
	Recovery int  // unused recovery codes
	Proved   bool // in this session
	Required bool // by the company, or by a client that this session cannot reach without
}

// Factors lists the second factors of the person who asks.
func (s *Service) Factors(ctx context.Context) (FactorStatus, error) {
	if err := access.RequirePerson(ctx); err != nil {
		return FactorStatus{}, err
	}
	person, actor := personOf(ctx), access.From(ctx)
	counts, err := s.Store.Factors(ctx, person)
	if err != nil {
		return FactorStatus{}, err
	}
	passkeys, err := s.Store.Passkeys(ctx, person)
	if err != nil {
		return FactorStatus{}, err
	}
	status := FactorStatus{TOTP: counts.TOTP, Passkeys: passkeys, Recovery: counts.Recovery, Required: actor.Unproven || len(actor.Locked) > 0}
	sessions, err := s.Store.Sessions(ctx, person, s.Now())
	for _, session := range sessions {
		status.Proved = status.Proved || session.ID == actor.Session && session.FactorAt != nil
	}
	return status, err
}

// mayChangeFactors asks what adding and removing a factor need: the person, and the password again. Where a
// factor exists already, the session must have proved one: a stolen password alone adds none.
func (s *Service) mayChangeFactors(ctx context.Context, password string) (db.Person, error) {
	if err := access.RequirePerson(ctx); err != nil {
		return db.Person{}, err
	}
	person := personOf(ctx)
	if err := s.confirm(ctx, person, password, "password"); err != nil {
		return db.Person{}, err
	}
	status, err := s.Factors(ctx)
	if err == nil && (status.TOTP || len(status.Passkeys) > 0) && !status.Proved {
		return db.Person{}, fault.New(fault.Forbidden, "SECOND_FACTOR_REQUIRED")
	}
	return person, err
}

// mayLoseFactor refuses to take the last factor away where one is required.
func (s *Service) mayLoseFactor(ctx context.Context, tx *db.Store, person db.Person) error {
	left, err := tx.Factors(ctx, person)
	if err != nil || left.TOTP || left.Passkeys > 0 {
		return err
	}
	var required bool
	if person.Staff != 0 {
		required, err = tx.StaffSecondFactor(ctx)
	} else {
		grants, failed := tx.Grants(ctx, person.Login, s.Now())
		if failed != nil {
			return failed
		}
		locked, failed := tx.LockedClients(ctx, grants)
		required, err = len(locked) > 0, failed
	}
	if err == nil && required {
		return fault.New(fault.Conflict, "SECOND_FACTOR_REQUIRED")
	}
	if err != nil {
		return err
	}
	return tx.ReplaceRecoveryCodes(ctx, person, nil, "")
}

// NewRecoveryCodes replaces the recovery codes of the person: ten, each good once, shown this once.
func (s *Service) NewRecoveryCodes(ctx context.Context, password string) ([]string, error) {
	person, err := s.mayChangeFactors(ctx, password)
	if err != nil {
		return nil, err
	}
	counts, err := s.Store.Factors(ctx, person)
	if err != nil {
		return nil, err
	}
	if !counts.TOTP && counts.Passkeys == 0 {
		return nil, fault.New(fault.Conflict, "NO_SECOND_FACTOR")
	}
	var codes []string
	err = s.Store.InTx(ctx, func(tx *db.Store) error {
		if codes, err = s.writeRecovery(ctx, tx, person); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Verb: "recovery.renew", Object: objectOf(person)})
	})
	return codes, err
}

// writeRecovery makes recovery codes of 60 random bits, "abcd-efgh-ijkl". The keyed hash keeps a copy of
// the database from being searched for them.
func (s *Service) writeRecovery(ctx context.Context, tx *db.Store, person db.Person) ([]string, error) {
	codes, hashes := make([]string, recoveryCodes), make([][]byte, recoveryCodes)
	for i := range codes {
		raw := make([]byte, 8)
		_, _ = rand.Read(raw)
		text := strings.ToLower(base32.StdEncoding.EncodeToString(raw))[:12]
		codes[i] = text[:4] + "-" + text[4:8] + "-" + text[8:]
		hashes[i] = s.Secrets.MAC("recovery", objectOf(person), text)
	}
	return codes, tx.ReplaceRecoveryCodes(ctx, person, hashes, s.Secrets.ID())
}

func (s *Service) takeRecovery(ctx context.Context, tx *db.Store, person db.Person, code string) (bool, error) {
	text := strings.ToLower(strings.NewReplacer("-", "", " ", "").Replace(code))
	if len(text) != 12 {
		return false, nil
	}
	return tx.TakeRecoveryCode(ctx, person, s.Secrets.MACs("recovery", objectOf(person), text), s.Now())
}
