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
	if in.Password == "" && in.PasswordAgain == "" && current != nil {
		return // keeps the password it has
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

// saveSubAccount writes the access that checkSubAccount found good. nil changes nothing.
func (s *Service) saveSubAccount(ctx context.Context, tx *db.Store, contact db.Contact, in *SubAccountInput) error {
	if in == nil {
		return nil
	}
	if !in.Active {
		return s.removeAccess(ctx, tx, contact.ID)
	}
	current, err := tx.SubAccountByContact(ctx, contact.ID)
	if fault.Is(err, fault.NotFound) {
		login, err := s.homeLogin(ctx, tx, contact, in.Password)
		if err != nil {
			return err
		}
		return tx.AddSubAccount(ctx, &db.SubAccount{ClientID: contact.ClientID, ContactID: contact.ID, LoginID: login,
			Permissions: in.Permissions, Status: db.SubAccountActive, ExpiresOn: in.ExpiresOn})
	}
	if err != nil {
		return err
	}
	if in.Password != "" {
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
		if err := tx.SetPassword(ctx, login.ID, HashPassword(in.Password)); err != nil {
			return err
		}
		if err := tx.EndLoginSessions(ctx, login.ID, 0); err != nil {
			return err
		}
	}
	current.Permissions, current.ExpiresOn = in.Permissions, in.ExpiresOn
	return tx.UpdateSubAccount(ctx, &current)
}

// homeLogin returns the client's own login for the contact's address, with the new password. One
// that is left from a contact that was removed is used again.
func (s *Service) homeLogin(ctx context.Context, tx *db.Store, contact db.Contact, password string) (id.Login, error) {
	login, err := tx.HomeLogin(ctx, contact.ClientID, contact.Email)
	if fault.Is(err, fault.NotFound) {
		login = db.Login{HomeClientID: contact.ClientID, Email: contact.Email, PasswordHash: HashPassword(password), Language: contact.Language}
		err = tx.AddLogin(ctx, &login)
		return login.ID, err
	}
	if err != nil {
		return 0, err
	}
	return login.ID, tx.SetPassword(ctx, login.ID, HashPassword(password))
}

// moveLogin lets a contact sign in with its new address. A personal login keeps its proven one.
func (s *Service) moveLogin(ctx context.Context, tx *db.Store, current db.SubAccount, email string) error {
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
	login, err := tx.Login(ctx, current.LoginID)
	if err != nil || login.HomeClientID == 0 {
		return err // a personal login may serve other clients; its grant is gone
	}
	return tx.EndLoginSessions(ctx, login.ID, 0)
}
