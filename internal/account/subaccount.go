package account

import (
	"context"
	"slices"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

func existing(row db.SubAccount, has bool) *db.SubAccount {
	if !has {
		return nil
	}
	return &row
}

// isSelf reports whether the sub-account is the actor's own.
func isSelf(ctx context.Context, row db.SubAccount) bool {
	a := access.From(ctx)
	return a.Kind == access.Login && a.Login == row.LoginID
}

// checkSubAccount notes what is wrong with giving or changing access. current is nil when the
// contact has none yet.
func (s *Service) checkSubAccount(ctx context.Context, checks *fault.Checks, in *SubAccountInput, clientID id.Client, email string, current *db.SubAccount) {
	if in == nil {
		return
	}
	if current != nil && isSelf(ctx, *current) {
		checks.Add("subAccount", "SELF_PROTECTED")
		return
	}
	if !in.Active {
		return
	}
	in.Permissions = cleanPermissions(checks, "subAccount.permissions", in.Permissions)
	for _, p := range in.Permissions {
		held := current != nil && slices.Contains(current.Permissions, p)
		if !held && !access.CanGrant(ctx, p, clientID) {
			checks.Add("subAccount.permissions", "PERMISSION_NOT_HELD", "permission", string(p))
		}
	}
	if in.ExpiresOn != "" && in.ExpiresOn < today(s.Now(), "America/Mexico_City") {
		checks.Add("subAccount.expiresOn", "DATE_PAST")
	}
	if in.Invite {
		switch {
		case in.Password != "" || in.PasswordAgain != "":
			checks.Add("subAccount.password", "INVITE_OR_PASSWORD")
		case current != nil && current.Status != db.SubAccountInvited:
			checks.Add("subAccount.invite", "LOGIN_HAS_ACCESS")
		}
		return
	}
	if in.Password == "" && in.PasswordAgain == "" && current != nil {
		return // keeps the password it has
	}
	if current != nil {
		checkMayMove(ctx, checks, "subAccount.password", *current)
	}
	if in.Password == "" {
		checks.Add("subAccount.password", "REQUIRED")
	} else {
		checkPolicy(checks, "subAccount.password", in.Password, email)
	}
	if in.Password != in.PasswordAgain {
		checks.Add("subAccount.passwordAgain", "PASSWORD_MISMATCH")
	}
}

// checkMayMove notes a change of what somebody signs in with, password or address, when that login
// holds what the actor does not: with it the actor could sign in and use it.
func checkMayMove(ctx context.Context, checks *fault.Checks, path string, current db.SubAccount) {
	for _, p := range current.Permissions {
		if !access.CanGrant(ctx, p, current.ClientID) {
			checks.Add(path, "LOGIN_HOLDS_MORE", "permission", string(p))
			return
		}
	}
}

// saveSubAccount writes the access that checkSubAccount found good. nil changes nothing.
func (s *Service) saveSubAccount(ctx context.Context, tx *db.Store, contact db.Contact, in *SubAccountInput) error {
	if in == nil {
		return nil
	}
	if !in.Active {
		return s.removeAccess(ctx, tx, contact.ID)
	}
	current, err := tx.SubAccountByContact(ctx, contact.ID)
	switch {
	case err != nil && !fault.Is(err, fault.NotFound):
		return err
	case err != nil && in.Invite:
		if err := s.invite(ctx, tx, contact, in); err != nil {
			return err
		}
		return auditAccess(ctx, tx, contact, "invitation.send", nil, in)
	case err != nil || current.Status == db.SubAccountInvited && in.Password != "":
		// New, or a password is typed for somebody who was invited: the link works no more.
		if err == nil {
			if err := tx.DeleteSubAccount(ctx, contact.ID); err != nil {
				return err
			}
		}
		if err := s.giveAccess(ctx, tx, contact, in); err != nil {
			return err
		}
		return auditAccess(ctx, tx, contact, "access.give", nil, in)
	}
	if in.Password != "" {
		if err := s.setHomePassword(ctx, tx, contact, current, in.Password); err != nil {
			return err
		}
	}
	before := current
	current.Permissions, current.ExpiresOn = in.Permissions, in.ExpiresOn
	if err := tx.UpdateSubAccount(ctx, &current); err != nil {
		return err
	}
	if err := s.endWithoutAccess(ctx, tx, current.LoginID); err != nil { // the new end may have passed
		return err
	}
	return auditAccess(ctx, tx, contact, "access.change", &before, in)
}

// giveAccess makes the client's own login for a contact, and tells the contact by mail.
func (s *Service) giveAccess(ctx context.Context, tx *db.Store, contact db.Contact, in *SubAccountInput) error {
	login, err := s.homeLogin(ctx, tx, contact, in.Password)
	if err != nil {
		return err
	}
	row := db.SubAccount{ClientID: contact.ClientID, ContactID: contact.ID, LoginID: login,
		Permissions: in.Permissions, Status: db.SubAccountActive, ExpiresOn: in.ExpiresOn}
	if err := tx.AddSubAccount(ctx, &row); err != nil {
		return err
	}
	by, err := inviter(ctx, tx)
	if err != nil {
		return err
	}
	return tx.Enqueue(ctx, AccessJob{SubAccount: row.ID, GivenBy: by})
}

func (s *Service) setHomePassword(ctx context.Context, tx *db.Store, contact db.Contact, current db.SubAccount, password string) error {
	login, err := tx.Login(ctx, current.LoginID)
	if err != nil {
		return err
	}
	if login.HomeClientID != contact.ClientID {
		// A personal login's password belongs to the person, who may reach other clients with it.
		checks := fault.Checks{}
		checks.Add("subAccount.password", "LOGIN_EXISTS")
		return checks.Err()
	}
	if err := tx.SetPassword(ctx, login.ID, s.Argon.Hash(password)); err != nil {
		return err
	}
	return s.endEverything(ctx, tx, db.Person{Login: login.ID}, 0)
}

// auditAccess notes what access a contact had and has. in nil: none any more.
func auditAccess(ctx context.Context, tx *db.Store, contact db.Contact, verb string, before *db.SubAccount, in *SubAccountInput) error {
	entry := db.AuditEntry{Client: contact.ClientID, Verb: verb, Object: contact.ID.String()}
	if before != nil {
		entry.Before = map[string]any{"permissions": before.Permissions, "expiresOn": before.ExpiresOn}
	}
	if in != nil {
		entry.After = map[string]any{"permissions": in.Permissions, "expiresOn": in.ExpiresOn, "passwordTyped": in.Password != ""}
	}
	return tx.Audit(ctx, entry)
}

// homeLogin returns the client's own login for the contact's address, with the new password. One
// that is left from a contact that was removed is used again.
func (s *Service) homeLogin(ctx context.Context, tx *db.Store, contact db.Contact, password string) (id.Login, error) {
	login, err := tx.HomeLogin(ctx, contact.ClientID, contact.Email)
	if fault.Is(err, fault.NotFound) {
		login = db.Login{HomeClientID: contact.ClientID, Email: contact.Email, PasswordHash: s.Argon.Hash(password), Language: contact.Language}
		err = tx.AddLogin(ctx, &login)
		return login.ID, err
	}
	if err != nil {
		return 0, err
	}
	// Whoever used it before has nothing of it left.
	if err := clearFactors(ctx, tx, db.Person{Login: login.ID}); err != nil {
		return 0, err
	}
	return login.ID, tx.SetPassword(ctx, login.ID, s.Argon.Hash(password))
}

// moveLogin lets a contact sign in with its new address. A personal login keeps its proven one, and an
// invitation goes out again: its link proves the address it was mailed to.
func (s *Service) moveLogin(ctx context.Context, tx *db.Store, current db.SubAccount, email string) error {
	if current.Status == db.SubAccountInvited {
		return s.mailInvitation(ctx, tx, current, email)
	}
	login, err := tx.Login(ctx, current.LoginID)
	if err != nil || login.HomeClientID == 0 {
		return err
	}
	if err := tx.ReleaseHomeEmail(ctx, login.HomeClientID, email, login.ID); err != nil {
		return err
	}
	return tx.SetLoginEmail(ctx, login.ID, email)
}

// removeAccess takes a contact's access away and ends its sessions with this client's login.
func (s *Service) removeAccess(ctx context.Context, tx *db.Store, contactID id.Contact) error {
	current, err := tx.SubAccountByContact(ctx, contactID)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if isSelf(ctx, current) {
		return fault.New(fault.Forbidden, "SELF_PROTECTED")
	}
	if err := tx.DeleteSubAccount(ctx, contactID); err != nil {
		return err
	}
	if err := s.endWithoutAccess(ctx, tx, current.LoginID); err != nil {
		return err
	}
	return tx.Audit(ctx, db.AuditEntry{Client: current.ClientID, Verb: "access.take", Object: contactID.String(),
		Before: map[string]any{"permissions": current.Permissions, "expiresOn": current.ExpiresOn, "status": current.Status}})
}
