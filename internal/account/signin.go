package account

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"strings"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
)

// Session lengths without use. Staff sessions are short because they reach every client.
const (
	loginSession = 14 * 24 * time.Hour
	staffSession = 12 * time.Hour
	touchEvery   = 5 * time.Minute
)

// Attempts per minute to sign in: with one account from one network address, from one address, and
// with one account from anywhere. The last is high, so that nobody is locked out by somebody else.
const (
	perAccountAndAddress = 10
	perAddress           = 60
	perAccount           = 200
)

// SignInInput is an attempt to sign in.
type SignInInput struct {
	Email    string
	Password string
	Staff    bool   // sign in to the console, not to the client area
	Address  string // network address of the caller, set by the door
	Device   string // user agent of the caller, set by the door
}

// SignedIn is the result of signing in. Token is shown this once: only its hash is stored.
type SignedIn struct {
	Token     string
	ExpiresAt time.Time
	Actor     access.Actor
}

// SignIn checks email and password and starts a session. Every failure is the same SIGN_IN_FAILED
// after the same work, so that nobody learns which accounts exist; too many attempts are
// RATE_LIMITED.
func (s *Service) SignIn(ctx context.Context, in SignInInput) (SignedIn, error) {
	in.Email = strings.ToLower(strings.TrimSpace(in.Email))
	if err := s.limitSignIn(ctx, in); err != nil {
		return SignedIn{}, err
	}
	session := db.Session{Address: clipTo(in.Address, 64), Device: clipTo(in.Device, 300)}
	var actor access.Actor
	var err error
	if in.Staff {
		actor, err = s.matchStaff(ctx, in, &session)
	} else {
		actor, err = s.matchLogin(ctx, in, &session)
	}
	if err != nil {
		return SignedIn{}, err
	}
	token := make([]byte, 32)
	_, _ = rand.Read(token)
	text := base64.RawURLEncoding.EncodeToString(token)
	session.TokenHash = hashToken(text)
	session.CreatedAt, session.LastUsedAt = s.Now(), s.Now()
	session.ExpiresAt = s.Now().Add(lifetime(session))
	if err := s.Store.AddSession(ctx, &session); err != nil {
		return SignedIn{}, err
	}
	_ = s.Limiter.Reset(ctx, signInKey(in))
	actor.Session = session.ID
	return SignedIn{Token: text, ExpiresAt: session.ExpiresAt, Actor: actor}, nil
}

func (s *Service) limitSignIn(ctx context.Context, in SignInInput) error {
	limits := []struct {
		key string
		n   int
	}{
		{signInKey(in), perAccountAndAddress}, {"signin:address:" + in.Address, perAddress}, {"signin:account:" + digest(in.Email), perAccount},
	}
	for _, l := range limits {
		wait, err := s.Limiter.Allow(ctx, l.key, l.n)
		if err != nil {
			return fault.New(fault.Unavailable, string(fault.Unavailable)).Because(err)
		}
		if wait > 0 {
			limited := fault.New(fault.RateLimited, string(fault.RateLimited)).With("seconds", int(wait.Seconds())+1)
			limited.RetryAfter = wait
			return limited
		}
	}
	return nil
}

func signInKey(in SignInInput) string {
	realm := "login"
	if in.Staff {
		realm = "staff"
	}
	return "signin:" + realm + ":" + digest(in.Email) + ":" + in.Address
}

func (s *Service) matchLogin(ctx context.Context, in SignInInput, session *db.Session) (access.Actor, error) {
	logins, err := s.Store.LoginsByEmail(ctx, in.Email)
	if err != nil {
		return access.Actor{}, err
	}
	if len(logins) == 0 {
		logins = []db.Login{{}}
	}
	for _, login := range logins {
		if !checkPassword(login.PasswordHash, in.Password) {
			continue
		}
		actor, err := s.loginActor(ctx, login)
		if err != nil {
			return access.Actor{}, err
		}
		if len(actor.Grants) > 0 { // suspended, expired and removed access cannot sign in
			session.LoginID = login.ID
			return actor, nil
		}
	}
	return access.Actor{}, fault.New(fault.Unauthenticated, "SIGN_IN_FAILED")
}

func (s *Service) matchStaff(ctx context.Context, in SignInInput, session *db.Session) (access.Actor, error) {
	staff, err := s.Store.StaffByEmail(ctx, in.Email)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return access.Actor{}, err
	}
	if !checkPassword(staff.PasswordHash, in.Password) || !staff.Active {
		return access.Actor{}, fault.New(fault.Unauthenticated, "SIGN_IN_FAILED")
	}
	session.StaffID = staff.ID
	return staffActor(staff), nil
}

func staffActor(p db.Staff) access.Actor {
	return access.Actor{Kind: access.Staff, Staff: p.ID, Name: p.Name, Email: p.Email, Language: p.Language}
}

func (s *Service) loginActor(ctx context.Context, l db.Login) (access.Actor, error) {
	grants, err := s.Store.Grants(ctx, l.ID, s.Now())
	return access.Actor{Kind: access.Login, Login: l.ID, Name: l.Email, Email: l.Email, Language: l.Language, Grants: grants}, err
}

// SignOut ends the session of the actor.
func (s *Service) SignOut(ctx context.Context) error {
	if err := access.RequireSignedIn(ctx); err != nil {
		return err
	}
	return s.Store.EndSession(ctx, access.From(ctx).Session)
}

// Authenticate returns the actor behind a session token: doors call it on every request. A token
// that is unknown, ended or without any access left is UNAUTHENTICATED.
func (s *Service) Authenticate(ctx context.Context, token string) (access.Actor, error) {
	ended := fault.New(fault.Unauthenticated, string(fault.Unauthenticated))
	if len(token) < 20 || len(token) > 200 {
		return access.Actor{}, ended
	}
	session, err := s.Store.SessionByToken(ctx, hashToken(token), s.Now())
	if fault.Is(err, fault.NotFound) {
		return access.Actor{}, ended
	}
	if err != nil {
		return access.Actor{}, err
	}
	var actor access.Actor
	if session.StaffID != 0 {
		staff, err := s.Store.Staff(ctx, session.StaffID)
		if err != nil {
			return access.Actor{}, err
		}
		if !staff.Active {
			return access.Actor{}, ended
		}
		actor = staffActor(staff)
	} else {
		login, err := s.Store.Login(ctx, session.LoginID)
		if err != nil {
			return access.Actor{}, err
		}
		if actor, err = s.loginActor(ctx, login); err != nil {
			return access.Actor{}, err
		}
		if len(actor.Grants) == 0 {
			return access.Actor{}, ended
		}
	}
	actor.Session = session.ID
	if s.Now().Sub(session.LastUsedAt) > touchEvery {
		if err := s.Store.TouchSession(ctx, session.ID, s.Now(), s.Now().Add(lifetime(session))); err != nil {
			return access.Actor{}, err
		}
	}
	return actor, nil
}

func lifetime(session db.Session) time.Duration {
	if session.StaffID != 0 {
		return staffSession
	}
	return loginSession
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
