package account

import (
	"context"
	"strings"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/secret"
)

// Session lengths without use. Staff sessions are short because they reach every client.
const (
	loginSession = 14 * 24 * time.Hour
	staffSession = 12 * time.Hour
	viewSession  = time.Hour // staff who see as a client
	touchEvery   = 5 * time.Minute
)

func lifetime(session db.Session) time.Duration {
	switch {
	case session.Viewing != 0:
		return viewSession
	case session.StaffID != 0:
		return staffSession
	}
	return loginSession
}

// Authenticate returns the actor behind the token of a session or of the API: doors call it on every
// request. A token that is unknown, ended or without any access left is UNAUTHENTICATED.
func (s *Service) Authenticate(ctx context.Context, token string) (access.Actor, error) {
	ended := fault.New(fault.Unauthenticated, string(fault.Unauthenticated))
	if len(token) < 20 || len(token) > 200 {
		return access.Actor{}, ended
	}
	if strings.HasPrefix(token, TokenPrefix) {
		return s.tokenActor(ctx, token)
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
		if actor, err = s.staffActor(ctx, staff, session.FactorAt != nil); err != nil {
			return access.Actor{}, err
		}
		if session.Viewing != 0 {
			if actor, err = viewingActor(ctx, actor, session.Viewing); err != nil {
				return access.Actor{}, ended // the person lost the capability since
			}
		}
	} else {
		login, err := s.Store.Login(ctx, session.LoginID)
		if err != nil {
			return access.Actor{}, err
		}
		if actor, err = s.loginActor(ctx, login, session.FactorAt != nil); err != nil {
			return access.Actor{}, err
		}
		if len(actor.Grants)+len(actor.Locked) == 0 {
			return access.Actor{}, ended
		}
	}
	actor.Session = session.ID
	if session.Viewing == 0 && s.Now().Sub(session.LastUsedAt) > touchEvery {
		if err := s.Store.TouchSession(ctx, session.ID, s.Now(), s.Now().Add(lifetime(session))); err != nil {
			return access.Actor{}, err
		}
	}
	return actor, nil
}

// SignOut ends the session of the actor.
func (s *Service) SignOut(ctx context.Context) error {
	if err := access.RequireSignedIn(ctx); err != nil {
		return err
	}
	actor := access.From(ctx)
	return s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := tx.EndSession(ctx, actor.Session); err != nil {
			return err
		}
		verb := "session.end"
		var client id.Client
		if actor.Viewing {
			verb, client = "client.view-end", actor.Grants[0].Client
		}
		return tx.Audit(ctx, db.AuditEntry{Verb: verb, Client: client, Object: actor.Session.String()})
	})
}

// personOf is the signed-in person of the context.
func personOf(ctx context.Context) db.Person {
	a := access.From(ctx)
	if a.Kind == access.Staff {
		return db.Person{Staff: a.Staff}
	}
	return db.Person{Login: a.Login}
}

// Sessions lists the open sessions of the person who asks. The one that asks has the actor's Session.
func (s *Service) Sessions(ctx context.Context) ([]db.Session, error) {
	if err := access.RequirePerson(ctx); err != nil {
		return nil, err
	}
	return s.Store.Sessions(ctx, personOf(ctx), s.Now())
}

// EndSession signs one device of the person out.
func (s *Service) EndSession(ctx context.Context, sessionID id.Session) error {
	if err := access.RequirePerson(ctx); err != nil {
		return err
	}
	return s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := tx.EndPersonSession(ctx, personOf(ctx), sessionID); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Verb: "session.end", Object: sessionID.String()})
	})
}

// SignOutEverywhere ends all sessions of the person, this one too, and makes every browser a new one.
func (s *Service) SignOutEverywhere(ctx context.Context) error {
	if err := access.RequirePerson(ctx); err != nil {
		return err
	}
	return s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := s.endEverything(ctx, tx, personOf(ctx), 0); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Verb: "session.end-all"})
	})
}

// endEverything ends sessions, sign-ins under way and known browsers of a person.
func (s *Service) endEverything(ctx context.Context, tx *db.Store, person db.Person, except id.Session) error {
	if err := tx.EndSessions(ctx, person, except); err != nil {
		return err
	}
	if err := tx.EndCeremonies(ctx, person); err != nil {
		return err
	}
	return tx.ForgetDevices(ctx, person)
}

// endWithoutAccess ends the sessions of a login that reaches no client any more. A login that reaches
// others stays signed in: what it lost is gone from its next request on.
func (s *Service) endWithoutAccess(ctx context.Context, tx *db.Store, loginID id.Login) error {
	grants, err := tx.Grants(ctx, loginID, s.Now())
	if err != nil || len(grants) > 0 || loginID == 0 {
		return err
	}
	return s.endEverything(ctx, tx, db.Person{Login: loginID}, 0)
}

// rotate gives the actor's session a new token, because its rights changed: whoever knew the old one
// gains nothing. factorAt, where given, notes that the session proved a second factor.
func (s *Service) rotate(ctx context.Context, tx *db.Store, factorAt *time.Time) (SignedIn, error) {
	actor := access.From(ctx)
	token := secret.Random()
	if err := tx.RotateSession(ctx, actor.Session, hashToken(token), factorAt); err != nil {
		return SignedIn{}, err
	}
	return SignedIn{Token: token, Actor: actor, ExpiresAt: s.Now().Add(lifetime(db.Session{StaffID: actor.Staff}))}, nil
}
