package account

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/secret"
)

// SignInInput is an attempt to sign in.
type SignInInput struct {
	Email     string
	Password  string
	Staff     bool   // sign in to the console, not to the client area
	Address   string // network address of the caller, set by the door
	Device    string // user agent of the caller, set by the door
	DeviceKey string // the browser's own long-lived cookie, set by the door; "" for a new browser
}

// SignedIn is the result of signing in: a session, or the wait for a second factor. Tokens are shown
// this once: only their hashes are stored.
type SignedIn struct {
	Token     string // of the session; "" while a second factor is awaited
	ExpiresAt time.Time
	Actor     access.Actor
	DeviceKey string // for the browser's own long-lived cookie

	Pending string   // token for the second step (ProveFactor, BeginPasskeySignIn); "" when there is none
	Factors []Factor // what can answer it
}

// Factor is a way to prove the second factor.
type Factor string

// The second factors.
const (
	FactorTOTP     Factor = "totp"
	FactorPasskey  Factor = "passkey"
	FactorRecovery Factor = "recovery"
)

// SignIn checks email and password and starts a session, or the wait for the second factor where the
// person has one. Every failure is the same SIGN_IN_FAILED after the same work, so that nobody
// learns which accounts exist; too many attempts are RATE_LIMITED.
func (s *Service) SignIn(ctx context.Context, in SignInInput) (SignedIn, error) {
	in.Email = typedAddress(in.Email)
	in.Address, in.Device = clipTo(in.Address, 64), clipTo(in.Device, 300)
	if err := s.limitSignIn(ctx, in); err != nil {
		return SignedIn{}, err
	}
	match := s.matchLogin
	if in.Staff {
		match = s.matchStaff
	}
	person, actor, err := match(ctx, in)
	if err != nil {
		return SignedIn{}, err
	}
	_ = s.Limiter.Reset(ctx, signInKey(in))
	factors, err := s.Store.Factors(ctx, person)
	if err != nil {
		return SignedIn{}, err
	}
	if list := answers(factors); len(list) > 0 {
		pending, err := s.await(ctx, person, in)
		return SignedIn{Pending: pending, Factors: list}, err
	}
	return s.startSession(ctx, person, actor, in, nil)
}

// answers lists what can answer the second step. Recovery codes alone are no factor.
func answers(f db.Factors) []Factor {
	list := []Factor{}
	if f.Passkeys > 0 {
		list = append(list, FactorPasskey)
	}
	if f.TOTP {
		list = append(list, FactorTOTP)
	}
	if len(list) > 0 && f.Recovery > 0 {
		list = append(list, FactorRecovery)
	}
	return list
}

// startSession ends a sign-in well: session, known browser, alert on a new one, audit.
func (s *Service) startSession(ctx context.Context, person db.Person, actor access.Actor, in SignInInput, factorAt *time.Time) (SignedIn, error) {
	token := secret.Random()
	session := db.Session{TokenHash: hashToken(token), LoginID: person.Login, StaffID: person.Staff, Address: in.Address, Device: in.Device,
		CreatedAt: s.Now(), LastUsedAt: s.Now(), FactorAt: factorAt}
	session.ExpiresAt = s.Now().Add(lifetime(session))
	if len(in.DeviceKey) < 20 || len(in.DeviceKey) > 200 {
		in.DeviceKey = secret.Random()
	}
	actor.Address, actor.Device, actor.Request = in.Address, in.Device, access.From(ctx).Request
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := tx.AddSession(ctx, &session); err != nil {
			return err
		}
		isNew, first, err := tx.NoteDevice(ctx, person, hashToken(in.DeviceKey), s.Now())
		if err != nil {
			return err
		}
		if isNew && !first {
			if err := tx.Enqueue(ctx, AlertJob{Session: session.ID, Login: person.Login, Staff: person.Staff, Address: in.Address, Device: in.Device, At: s.Now()}); err != nil {
				return err
			}
		}
		return tx.Audit(ctx, db.AuditEntry{Verb: "session.start", Object: session.ID.String(), Actor: &actor,
			After: map[string]any{"secondFactor": factorAt != nil, "newDevice": isNew}})
	})
	actor.Session = session.ID
	return SignedIn{Token: token, ExpiresAt: session.ExpiresAt, Actor: actor, DeviceKey: in.DeviceKey}, err
}

func (s *Service) limitSignIn(ctx context.Context, in SignInInput) error {
	known := false
	if in.DeviceKey != "" {
		var err error
		if known, err = s.Store.KnowsDevice(ctx, in.Email, hashToken(in.DeviceKey)); err != nil {
			return err
		}
	}
	if known {
		// A browser that the account knows has its own count, which nobody else can fill.
		return s.limited(ctx, bucket{key: "signin:device:" + digest(in.DeviceKey) + ":" + digest(in.Email), n: perDevice})
	}
	return s.limited(ctx, bucket{key: signInKey(in), n: perAccountAndNetwork}, bucket{key: "signin:address:" + network(in.Address), n: perNetwork},
		bucket{key: "signin:account:" + digest(in.Email), n: perAccount})
}

func signInKey(in SignInInput) string {
	realm := "login"
	if in.Staff {
		realm = "staff"
	}
	return "signin:" + realm + ":" + digest(in.Email) + ":" + network(in.Address)
}

func (s *Service) matchLogin(ctx context.Context, in SignInInput) (db.Person, access.Actor, error) {
	logins, err := s.Store.LoginsByEmail(ctx, in.Email)
	if err != nil {
		return db.Person{}, access.Actor{}, err
	}
	if len(logins) == 0 {
		logins = []db.Login{{}}
	}
	tried := []db.Person{}
	for _, login := range logins {
		tried = append(tried, db.Person{Login: login.ID})
		if !s.Argon.check(login.PasswordHash, in.Password) {
			continue
		}
		actor, err := s.loginActor(ctx, login, false)
		if err != nil {
			return db.Person{}, access.Actor{}, err
		}
		if len(actor.Grants)+len(actor.Locked) > 0 { // suspended, expired and removed access cannot sign in
			return db.Person{Login: login.ID}, actor, nil
		}
	}
	// As many passwords are compared as for the address with the most logins.
	most, err := s.Store.MostLoginsOfAnAddress(ctx)
	if err != nil {
		return db.Person{}, access.Actor{}, err
	}
	for range most - len(logins) {
		s.Argon.check("", in.Password)
	}
	return db.Person{}, access.Actor{}, s.refused(ctx, in, tried...)
}

// refused counts a failed sign-in, the same for an address that nobody has, and is the answer to it.
func (s *Service) refused(ctx context.Context, in SignInInput, tried ...db.Person) error {
	err := s.Store.NoteFailedSignIn(ctx, tried, db.FailedSignIn{Hour: s.hour(), Network: network(in.Address), Attempts: 1, Device: in.Device, LastAt: s.Now()})
	if err != nil {
		return err
	}
	return fault.New(fault.Unauthenticated, "SIGN_IN_FAILED")
}

func (s *Service) matchStaff(ctx context.Context, in SignInInput) (db.Person, access.Actor, error) {
	staff, err := s.Store.StaffByEmail(ctx, in.Email)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return db.Person{}, access.Actor{}, err
	}
	if !s.Argon.check(staff.PasswordHash, in.Password) || !staff.Active {
		return db.Person{}, access.Actor{}, s.refused(ctx, in, db.Person{Staff: staff.ID})
	}
	actor, err := s.staffActor(ctx, staff, false)
	return db.Person{Staff: staff.ID}, actor, err
}

// staffActor is the actor of staff. Where the company asks for a second factor and the session has
// not proved one, nothing is open but adding one.
func (s *Service) staffActor(ctx context.Context, p db.Staff, proved bool) (access.Actor, error) {
	actor := access.Actor{Kind: access.Staff, Staff: p.ID, Name: p.Name, Email: p.Email, Language: p.Language, Role: p.Role}
	if proved {
		return actor, nil
	}
	required, err := s.Store.StaffSecondFactor(ctx)
	actor.Unproven = required
	return actor, err
}

// loginActor is the actor of a login with what it holds now. Clients that ask for a second factor stay
// locked while the session has not proved one.
func (s *Service) loginActor(ctx context.Context, l db.Login, proved bool) (access.Actor, error) {
	actor := access.Actor{Kind: access.Login, Login: l.ID, Name: l.Email, Email: l.Email, Language: l.Language}
	grants, err := s.Store.Grants(ctx, l.ID, s.Now())
	if err != nil || proved {
		actor.Grants = grants
		return actor, err
	}
	if actor.Locked, err = s.Store.LockedClients(ctx, grants); err != nil {
		return access.Actor{}, err
	}
	for _, g := range grants {
		if !slices.Contains(actor.Locked, g.Client) {
			actor.Grants = append(actor.Grants, g)
		}
	}
	return actor, nil
}

func hashToken(token string) []byte {
	sum := sha256.Sum256([]byte(token))
	return sum[:]
}

func digest(text string) string { return hex.EncodeToString(hashToken(text)[:12]) }

func clipTo(text string, n int) string {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "")
	if runes := []rune(text); len(runes) > n {
		return string(runes[:n])
	}
	return text
}
