package account

import (
	"context"
	"fmt"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// ResetInput asks for a new password by mail.
type ResetInput struct {
	Email   string
	Staff   bool   // of the console
	Address string // network address of the caller, set by the door
}

// ResetJob looks the address up and mails the link, away from the request that asked.
type ResetJob struct {
	Email  string `json:"email"`
	Staff  bool   `json:"staff"`
	Window int64  `json:"window"` // of five minutes: asking again within it changes nothing
}

// Kind names the job.
func (ResetJob) Kind() string { return "account:reset" }

// Key makes one job of repeated requests.
func (j ResetJob) Key() string {
	return fmt.Sprintf("%s:%s:%t:%d", j.Kind(), digest(j.Email), j.Staff, j.Window)
}

// RequestPasswordReset mails a link to set a new password, to the stored address of a login or of staff.
// Who has several logins with one address gets a mail for each, which names the client. The answer, and the work before it, are the same whether or not there is one: the lookup is
// done later by a worker.
func (s *Service) RequestPasswordReset(ctx context.Context, in ResetInput) error {
	in.Email = typedAddress(in.Email)
	var checks fault.Checks
	if checkAddress(&checks, in.Email); checks.Has("email") {
		return checks.Err()
	}
	if err := s.limited(ctx, bucket{key: "reset:network:" + network(in.Address), n: resetsPerNetwork, hourly: true},
		bucket{key: "reset:account:" + digest(in.Email), n: resetsPerAccount, hourly: true}); err != nil {
		return err
	}
	return s.Store.InTx(ctx, func(tx *db.Store) error {
		return tx.Enqueue(ctx, ResetJob{Email: in.Email, Staff: in.Staff, Window: s.Now().Truncate(5 * time.Minute).Unix()})
	})
}

// SendReset does a ResetJob: it makes the link for whoever the address belongs to, and nothing for
// nobody.
func (s *Service) SendReset(ctx context.Context, job ResetJob) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	return s.Store.InTx(ctx, func(tx *db.Store) error {
		link := db.Link{Purpose: db.LinkReset, ExpiresAt: s.Now().Add(resetMinutes * time.Minute)}
		if !job.Staff {
			return s.resetLogins(ctx, tx, job.Email, link)
		}
		staff, err := tx.StaffByEmail(ctx, job.Email)
		if fault.Is(err, fault.NotFound) || err == nil && !staff.Active {
			return nil
		}
		if err != nil {
			return err
		}
		link.StaffID, link.Email = staff.ID, staff.Email
		_, err = s.newLink(ctx, tx, link)
		return err
	})
}

// resetLogins makes a link for the personal login of an address and for each that a client made for it
// and that still reaches the client.
func (s *Service) resetLogins(ctx context.Context, tx *db.Store, email string, link db.Link) error {
	logins, err := tx.LoginsByEmail(ctx, email)
	if err != nil {
		return err
	}
	for _, login := range logins {
		if login.HomeClientID != 0 {
			grants, err := tx.Grants(ctx, login.ID, s.Now())
			if err != nil {
				return err
			}
			if len(grants) == 0 {
				continue
			}
		}
		// The stored address and never the typed one: a look-alike gets nothing.
		link.ID, link.LoginID, link.Email = 0, login.ID, login.Email
		if _, err := s.newLink(ctx, tx, link); err != nil {
			return err
		}
	}
	return nil
}

// CompleteResetInput sets a new password with a mailed link.
type CompleteResetInput struct {
	Token         string
	Password      string
	PasswordAgain string
	Address       string // network address of the caller, set by the door
}

// CompletePasswordReset sets a new password and ends all sessions. It signs nobody in: the second factor,
// where there is one, is still asked for.
func (s *Service) CompletePasswordReset(ctx context.Context, in CompleteResetInput) error {
	if err := s.limitLinks(ctx, in.Address); err != nil {
		return err
	}
	return s.Store.InTx(ctx, func(tx *db.Store) error {
		link, err := s.openLink(ctx, tx, db.LinkReset, in.Token)
		if err != nil {
			return err
		}
		if err := checkNewPassword(in.Password, in.PasswordAgain, link.Email); err != nil {
			return err
		}
		if err := tx.UseLink(ctx, link.ID, s.Now()); err != nil {
			return err
		}
		person := db.Person{Login: link.LoginID, Staff: link.StaffID}
		if err := tx.SetPersonPassword(ctx, person, s.Argon.Hash(in.Password)); err != nil {
			return err
		}
		if err := s.endEverything(ctx, tx, person, 0); err != nil {
			return err
		}
		actor := access.Actor{Kind: access.Login, Login: link.LoginID, Staff: link.StaffID, Name: link.Email, Address: clipTo(in.Address, 64), Request: access.From(ctx).Request}
		client, err := homeOf(ctx, tx, person)
		if err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Client: client, Verb: "password.reset", Object: objectOf(person), Actor: &actor})
	})
}

// homeOf is the client whose owner made the person's login; 0 for a personal login and for staff.
func homeOf(ctx context.Context, tx *db.Store, person db.Person) (id.Client, error) {
	if person.Login == 0 {
		return 0, nil
	}
	login, err := tx.Login(ctx, person.Login)
	return login.HomeClientID, err
}

// ChangePasswordInput changes the password of the person who is signed in.
type ChangePasswordInput struct {
	Current       string
	Password      string
	PasswordAgain string
}

// ChangePassword sets a new password, ends the person's other sessions and rotates this one.
func (s *Service) ChangePassword(ctx context.Context, in ChangePasswordInput) (SignedIn, error) {
	if err := access.RequirePerson(ctx); err != nil {
		return SignedIn{}, err
	}
	person := personOf(ctx)
	if err := s.confirm(ctx, person, in.Current, "current"); err != nil {
		return SignedIn{}, err
	}
	if err := checkNewPassword(in.Password, in.PasswordAgain, access.From(ctx).Email); err != nil {
		return SignedIn{}, err
	}
	var signed SignedIn
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := tx.SetPersonPassword(ctx, person, s.Argon.Hash(in.Password)); err != nil {
			return err
		}
		if err := s.endEverything(ctx, tx, person, access.From(ctx).Session); err != nil {
			return err
		}
		var err error
		if signed, err = s.rotate(ctx, tx, nil); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Verb: "password.change", Object: objectOf(person)})
	})
	return signed, err
}

// confirm asks for the person's password again before something that a stolen session must not do.
func (s *Service) confirm(ctx context.Context, person db.Person, password, path string) error {
	if err := s.limited(ctx, bucket{key: "confirm:" + objectOf(person), n: factorsPerPerson}); err != nil {
		return err
	}
	var hash db.Secret
	if person.Staff != 0 {
		staff, err := s.Store.Staff(ctx, person.Staff)
		if err != nil {
			return err
		}
		hash = staff.PasswordHash
	} else {
		login, err := s.Store.Login(ctx, person.Login)
		if err != nil {
			return err
		}
		hash = login.PasswordHash
	}
	if !s.Argon.check(hash, password) {
		var checks fault.Checks
		checks.Add(path, "PASSWORD_WRONG")
		return checks.Err()
	}
	return nil
}

// objectOf is the global id of a person.
func objectOf(person db.Person) string {
	if person.Staff != 0 {
		return person.Staff.String()
	}
	return person.Login.String()
}
