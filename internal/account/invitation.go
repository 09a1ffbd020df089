package account

import (
	"context"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// invite gives a contact access that waits for its acceptance, and mails the link.
func (s *Service) invite(ctx context.Context, tx *db.Store, contact db.Contact, in *SubAccountInput) error {
	sub := db.SubAccount{ClientID: contact.ClientID, ContactID: contact.ID, Permissions: in.Permissions, Status: db.SubAccountInvited, ExpiresOn: in.ExpiresOn}
	if err := tx.AddSubAccount(ctx, &sub); err != nil {
		return err
	}
	return s.mailInvitation(ctx, tx, sub, contact.Email)
}

func (s *Service) mailInvitation(ctx context.Context, tx *db.Store, sub db.SubAccount, email string) error {
	by, err := inviter(ctx, tx)
	if err != nil {
		return err
	}
	_, err = s.newLink(ctx, tx, db.Link{Purpose: db.LinkInvitation, Email: email, SubAccountID: sub.ID, InvitedBy: by,
		ExpiresAt: s.Now().AddDate(0, 0, invitationDays)})
	return err
}

// inviter is whom a mail names as the one who gives access: the person who does, and for what the product does by
// itself or the command line asks for, the company.
func inviter(ctx context.Context, tx *db.Store) (string, error) {
	if actor := access.From(ctx); actor.Kind != access.System {
		return actor.Name, nil
	}
	company, err := tx.Company(ctx)
	return company.Name, err
}

// limitInvitations bounds the invitations that people of clients can make us send.
func (s *Service) limitInvitations(ctx context.Context, contact id.Contact) error {
	return s.limitMails(ctx, "invite", contact)
}

// limitMails bounds the mails of a kind that people of clients can make us send, to a contact and in all.
func (s *Service) limitMails(ctx context.Context, what string, contact id.Contact) error {
	actor := access.From(ctx)
	if actor.Kind == access.System {
		return nil
	}
	buckets := []bucket{{key: what + ":by:" + actor.Login.String() + actor.Staff.String(), n: mailsPerActor, hourly: true}}
	if contact != 0 {
		buckets = append(buckets, bucket{key: what + ":" + contact.String(), n: mailsPerContact, hourly: true})
	}
	return s.limited(ctx, buckets...)
}

// ResendInvitation mails a new link to an invited contact. The link of the old mail works no more.
func (s *Service) ResendInvitation(ctx context.Context, contactID id.Contact) (db.Contact, error) {
	contact, err := s.changeable(ctx, contactID)
	if err != nil {
		return db.Contact{}, err
	}
	if err := s.limitInvitations(ctx, contactID); err != nil {
		return db.Contact{}, err
	}
	return contact, s.Store.InTx(ctx, func(tx *db.Store) error {
		sub, err := s.lockedAccess(ctx, tx, contact, db.SubAccountInvited)
		if err != nil {
			return err
		}
		if err := s.mailInvitation(ctx, tx, sub, contact.Email); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Client: contact.ClientID, Verb: "invitation.resend", Object: contact.ID.String()})
	})
}

// CancelInvitation takes an invitation back: the link works no more and the contact has no access. Its
// preferences stay.
func (s *Service) CancelInvitation(ctx context.Context, contactID id.Contact) (db.Contact, error) {
	contact, err := s.changeable(ctx, contactID)
	if err != nil {
		return db.Contact{}, err
	}
	return contact, s.Store.InTx(ctx, func(tx *db.Store) error {
		if _, err := s.lockedAccess(ctx, tx, contact, db.SubAccountInvited); err != nil {
			return err
		}
		if err := tx.DeleteSubAccount(ctx, contact.ID); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Client: contact.ClientID, Verb: "invitation.cancel", Object: contact.ID.String()})
	})
}

// SuspendAccess closes a contact's access until it is resumed, and ends its sessions at once. Permissions
// and preferences stay.
func (s *Service) SuspendAccess(ctx context.Context, contactID id.Contact) (db.Contact, error) {
	return s.setStatus(ctx, contactID, db.SubAccountActive, db.SubAccountSuspended, "access.suspend")
}

// ResumeAccess opens suspended access again.
func (s *Service) ResumeAccess(ctx context.Context, contactID id.Contact) (db.Contact, error) {
	return s.setStatus(ctx, contactID, db.SubAccountSuspended, db.SubAccountActive, "access.resume")
}

func (s *Service) setStatus(ctx context.Context, contactID id.Contact, from, to, verb string) (db.Contact, error) {
	contact, err := s.changeable(ctx, contactID)
	if err != nil {
		return db.Contact{}, err
	}
	return contact, s.Store.InTx(ctx, func(tx *db.Store) error {
		sub, err := s.lockedAccess(ctx, tx, contact, from)
		if err != nil {
			return err
		}
		if to == db.SubAccountActive {
			// Who may not grant a permission may not bring it back either.
			for _, p := range sub.Permissions {
				if !access.CanGrant(ctx, p, contact.ClientID) {
					return fault.New(fault.Forbidden, "PERMISSION_NOT_HELD").With("permission", string(p))
				}
			}
		}
		sub.Status = to
		if err := tx.UpdateSubAccount(ctx, &sub); err != nil {
			return err
		}
		if to == db.SubAccountSuspended {
			if err := s.endWithoutAccess(ctx, tx, sub.LoginID); err != nil {
				return err
			}
		}
		return tx.Audit(ctx, db.AuditEntry{Client: contact.ClientID, Verb: verb, Object: contact.ID.String(),
			Before: map[string]any{"status": from}, After: map[string]any{"status": to}})
	})
}

// changeable returns a contact that the actor may change.
func (s *Service) changeable(ctx context.Context, contactID id.Contact) (db.Contact, error) {
	contact, err := s.Contact(ctx, contactID)
	if err != nil {
		return db.Contact{}, err
	}
	return contact, access.RequireChange(ctx, access.Contacts, contact.ClientID, access.ManageClients)
}

// lockedAccess returns the contact's access in the given state, its client locked; another state is
// ACCESS_STATE, and one's own access is never changed.
func (s *Service) lockedAccess(ctx context.Context, tx *db.Store, contact db.Contact, status string) (db.SubAccount, error) {
	if _, err := tx.LockClient(ctx, contact.ClientID); err != nil {
		return db.SubAccount{}, err
	}
	sub, err := tx.SubAccountByContact(ctx, contact.ID)
	if fault.Is(err, fault.NotFound) || err == nil && sub.Status != status {
		return db.SubAccount{}, fault.New(fault.Conflict, "ACCESS_STATE")
	}
	if err == nil && isSelf(ctx, sub) {
		return db.SubAccount{}, fault.New(fault.Forbidden, "SELF_PROTECTED")
	}
	return sub, err
}

// Invitation is what the holder of a link is shown before accepting.
type Invitation struct {
	Client      string
	InvitedBy   string
	Email       string // the invited address, which the link proves
	Permissions []access.Permission
	ExpiresOn   string // last day of access, ISO 8601; "" no end
	HasLogin    bool   // the address has a personal login: sign in with it to accept
}

// InvitationByToken shows an invitation to whoever holds its link. address is the caller's.
func (s *Service) InvitationByToken(ctx context.Context, token, address string) (Invitation, error) {
	if err := s.limitLinks(ctx, address); err != nil {
		return Invitation{}, err
	}
	var found Invitation
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		link, sub, err := s.openInvitation(ctx, tx, token)
		if err != nil {
			return err
		}
		client, err := tx.Client(ctx, sub.ClientID)
		if err != nil {
			return err
		}
		_, err = personalLogin(ctx, tx, link.Email)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		found = Invitation{Client: client.Name, InvitedBy: link.InvitedBy, Email: link.Email, Permissions: sub.Permissions,
			ExpiresOn: string(sub.ExpiresOn), HasLogin: err == nil}
		return nil
	})
	return found, err
}

func (s *Service) openInvitation(ctx context.Context, tx *db.Store, token string) (db.Link, db.SubAccount, error) {
	link, err := s.openLink(ctx, tx, db.LinkInvitation, token)
	if err != nil {
		return db.Link{}, db.SubAccount{}, err
	}
	sub, err := tx.SubAccount(ctx, link.SubAccountID)
	if err == nil && sub.Status != db.SubAccountInvited {
		return db.Link{}, db.SubAccount{}, fault.New(fault.Conflict, "LINK_UNUSABLE")
	}
	return link, sub, err
}

// AcceptInvitationInput accepts an invitation by setting a password.
type AcceptInvitationInput struct {
	Token         string
	Password      string
	PasswordAgain string
	Address       string // as in SignInInput
	Device        string
	DeviceKey     string
}

// AcceptInvitation makes a personal login for the invited address, which the link proves, and signs it
// in. An address that has one already answers LOGIN_EXISTS_SIGN_IN: the link alone must not pass that
// login's password and second factor by.
func (s *Service) AcceptInvitation(ctx context.Context, in AcceptInvitationInput) (SignedIn, error) {
	in.Address, in.Device = clipTo(in.Address, 64), clipTo(in.Device, 300)
	if err := s.limitLinks(ctx, in.Address); err != nil {
		return SignedIn{}, err
	}
	var signed SignedIn
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		link, sub, err := s.openInvitation(ctx, tx, in.Token)
		if err != nil {
			return err
		}
		if _, err := personalLogin(ctx, tx, link.Email); err == nil {
			return fault.New(fault.Conflict, "LOGIN_EXISTS_SIGN_IN")
		} else if !fault.Is(err, fault.NotFound) {
			return err
		}
		if err := checkNewPassword(in.Password, in.PasswordAgain, link.Email); err != nil {
			return err
		}
		_, language, err := invitee(ctx, tx, sub)
		if err != nil {
			return err
		}
		login := db.Login{Email: link.Email, PasswordHash: s.Argon.Hash(in.Password), Language: language}
		if err := tx.AddLogin(ctx, &login); err != nil {
			return err
		}
		actor := access.Actor{Kind: access.Login, Login: login.ID, Name: login.Email, Email: login.Email, Language: login.Language,
			Address: in.Address, Device: in.Device, Request: access.From(ctx).Request}
		if err := s.accept(access.With(ctx, actor), tx, link, sub, login); err != nil {
			return err
		}
		inner := *s
		inner.Store = tx
		if actor, err = inner.loginActor(ctx, login, false); err != nil {
			return err
		}
		signed, err = inner.startSession(ctx, db.Person{Login: login.ID}, actor, SignInInput{Address: in.Address, Device: in.Device, DeviceKey: in.DeviceKey}, nil)
		return err
	})
	if db.Violates(err, "login_email") { // another invitation of the address was accepted at the same moment
		return SignedIn{}, fault.New(fault.Conflict, "LOGIN_EXISTS_SIGN_IN")
	}
	return signed, err
}

// AcceptInvitationSignedIn gives the invitation to the personal login that is signed in, and rotates its
// session. A login that a client made serves that client alone and cannot accept.
func (s *Service) AcceptInvitationSignedIn(ctx context.Context, token string) (SignedIn, error) {
	if err := access.RequireLogin(ctx); err != nil {
		return SignedIn{}, err
	}
	actor := access.From(ctx)
	if err := s.limitLinks(ctx, actor.Address); err != nil {
		return SignedIn{}, err
	}
	var signed SignedIn
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		link, sub, err := s.openInvitation(ctx, tx, token)
		if err != nil {
			return err
		}
		login, err := tx.Login(ctx, actor.Login)
		if err != nil {
			return err
		}
		if login.HomeClientID != 0 {
			return fault.New(fault.Forbidden, "LOGIN_SERVES_ONE_CLIENT")
		}
		if err := s.accept(ctx, tx, link, sub, login); err != nil {
			return err
		}
		signed, err = s.rotate(ctx, tx, nil)
		return err
	})
	if db.Violates(err, "sub_account_client_id_login_id_key") {
		return SignedIn{}, fault.New(fault.Conflict, "LOGIN_HAS_ACCESS")
	}
	return signed, err
}

// invitee is how somebody who is invited is greeted and in which language: a contact, or as the owner the
// client itself.
func invitee(ctx context.Context, tx *db.Store, sub db.SubAccount) (name, language string, err error) {
	if sub.Owner {
		client, err := tx.Client(ctx, sub.ClientID)
		return client.Name, client.Language, err
	}
	contact, err := tx.Contact(ctx, sub.ContactID)
	return contact.Name(), contact.Language, err
}

func (s *Service) accept(ctx context.Context, tx *db.Store, link db.Link, sub db.SubAccount, login db.Login) error {
	if err := tx.UseLink(ctx, link.ID, s.Now()); err != nil {
		return err
	}
	sub.LoginID, sub.Status = login.ID, db.SubAccountActive
	if err := tx.UpdateSubAccount(ctx, &sub); err != nil {
		return err
	}
	if !sub.Owner { // the link came to the contact's address, which is what confirming it proves
		if err := tx.VerifyAddress(ctx, sub.ContactID, link.Email, s.Now()); err != nil {
			return err
		}
	}
	return tx.Audit(ctx, db.AuditEntry{Client: sub.ClientID, Verb: "invitation.accept", Object: invitedObject(sub),
		Before: map[string]any{"status": db.SubAccountInvited}, After: map[string]any{"status": db.SubAccountActive, "email": login.Email}})
}

// invitedObject is what the audit names: the contact, or as the owner the client.
func invitedObject(sub db.SubAccount) string {
	if sub.Owner {
		return sub.ClientID.String()
	}
	return sub.ContactID.String()
}

// checkNewPassword is the policy for a password typed twice.
func checkNewPassword(password, again, email string) error {
	var checks fault.Checks
	if password == "" {
		checks.Add("password", "REQUIRED")
	} else {
		checkPolicy(&checks, "password", password, email)
	}
	if password != again {
		checks.Add("passwordAgain", "PASSWORD_MISMATCH")
	}
	return checks.Err()
}
