// Package account holds the rules about people: clients, contacts, logins, what they may do and what
// mail they want.
package account

import (
	"context"
	"errors"
	"time"

	"github.com/go-webauthn/webauthn/webauthn"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/secret"
)

// Limiter counts attempts. It returns how long the caller must wait; 0 means go on.
type Limiter interface {
	Allow(ctx context.Context, key string, perMinute int) (wait time.Duration, err error)
	// AllowHourly is Allow for what happens seldom, such as mails that anybody can ask for.
	AllowHourly(ctx context.Context, key string, perHour int) (wait time.Duration, err error)
	// Reset forgets the attempts of a key.
	Reset(ctx context.Context, key string) error
}

// Service is the activity's verbs. Each verb asks internal/access first.
type Service struct {
	Store    *db.Store
	Now      func() time.Time
	Limiter  Limiter
	Argon    Argon                                                     // of new passwords
	Secrets  *secret.Box                                               // seals second factors, derives the tokens of links
	Passkeys *webauthn.WebAuthn                                        // see NewPasskeys; nil: no passkeys can be added
	Mailer   mail.Sender                                               // workers only
	Mail     func(ctx context.Context, n Notice) (mail.Message, error) // text and HTML of a notice; workers only
}

// Client returns a client that the actor belongs to.
func (s *Service) Client(ctx context.Context, clientID id.Client) (db.Client, error) {
	if err := access.RequireMember(ctx, clientID); err != nil {
		return db.Client{}, err
	}
	return s.Store.Client(ctx, clientID)
}

// ClientQuery narrows a list of clients.
type ClientQuery struct {
	Search      string // part of name, email or RFC; any case
	ExternalRef string // what another system calls it, exactly
	Status      string // db.ClientActive or db.ClientClosed; "" for both
}

// Clients lists the clients that the actor reaches, by name.
func (s *Service) Clients(ctx context.Context, query ClientQuery, page db.Page) (db.List[db.Client], error) {
	reach, err := access.Scope(ctx, "")
	if err != nil {
		return db.List[db.Client]{}, err
	}
	if err := page.Check(); err != nil {
		return db.List[db.Client]{}, err
	}
	return s.Store.Clients(ctx, db.ClientFilter{Reach: reach, Search: query.Search, ExternalRef: query.ExternalRef, Status: query.Status}, page)
}

// ClientsByID returns those of the clients that the actor reaches; for loaders.
func (s *Service) ClientsByID(ctx context.Context, ids []id.Client) ([]db.Client, error) {
	allowed := ids[:0:0]
	for _, clientID := range ids {
		if access.RequireMember(ctx, clientID) == nil {
			allowed = append(allowed, clientID)
		}
	}
	return s.Store.ClientsByID(ctx, allowed)
}

// Contacts lists the contacts of a client.
func (s *Service) Contacts(ctx context.Context, clientID id.Client, page db.Page) (db.List[db.Contact], error) {
	if err := access.Require(ctx, access.Contacts, clientID); err != nil {
		return db.List[db.Contact]{}, err
	}
	if err := page.Check(); err != nil {
		return db.List[db.Contact]{}, err
	}
	return s.Store.Contacts(ctx, clientID, page)
}

// Contact returns one contact.
func (s *Service) Contact(ctx context.Context, contactID id.Contact) (db.Contact, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return db.Contact{}, err
	}
	row, err := s.Store.Contact(ctx, contactID)
	if err != nil {
		return db.Contact{}, err
	}
	return row, access.Require(ctx, access.Contacts, row.ClientID)
}

// ContactsByID returns those of the contacts that the actor may see, deleted ones too; for loaders.
func (s *Service) ContactsByID(ctx context.Context, ids []id.Contact) ([]db.Contact, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return nil, err
	}
	rows, err := s.Store.ContactsByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	seen := rows[:0]
	for _, row := range rows {
		if access.RequireMember(ctx, row.ClientID) == nil {
			seen = append(seen, row)
		}
	}
	return seen, nil
}

// ContactsInState lists the contacts of a client whose access is in a state: none, invited, active,
// suspended or expired; "" any.
func (s *Service) ContactsInState(ctx context.Context, clientID id.Client, state string, page db.Page) (db.List[db.Contact], error) {
	if err := access.Require(ctx, access.Contacts, clientID); err != nil {
		return db.List[db.Contact]{}, err
	}
	var checks fault.Checks
	switch state {
	case "", "none", "expired", db.SubAccountInvited, db.SubAccountActive, db.SubAccountSuspended:
	default:
		checks.Add("state", "VALUE_INVALID")
	}
	if err := errors.Join(checks.Err(), page.Check()); err != nil {
		return db.List[db.Contact]{}, err
	}
	return s.Store.ContactsInState(ctx, db.ContactFilter{Client: clientID, State: state, Now: s.Now()}, page)
}

// Access is a contact's sub-account with the address it signs in with.
type Access struct {
	db.SubAccount
	LoginEmail string
	Expired    bool     // its last day has passed
	Invitation *db.Link // the newest invitation of one who is invited, open or not
	Lapsed     bool     // invited, and the link can no longer be used
}

// State is the status people see: invited, active, suspended or expired.
func (a Access) State() string {
	if a.Expired && a.Status == db.SubAccountActive {
		return "expired"
	}
	return a.Status
}

// AccessByContact returns the sub-accounts of those contacts that the actor may see, by contact.
func (s *Service) AccessByContact(ctx context.Context, contacts []id.Contact) (map[id.Contact]Access, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return nil, err
	}
	rows, err := s.Store.SubAccountsByContact(ctx, contacts)
	if err != nil {
		return nil, err
	}
	list, err := s.accessOf(ctx, rows)
	found := make(map[id.Contact]Access, len(list))
	for _, a := range list {
		found[a.ContactID] = a
	}
	return found, err
}

// Owners returns the owner's access of those clients whose contacts the actor may see, by client: the address that it
// signs in with, or its invitation.
func (s *Service) Owners(ctx context.Context, clients []id.Client) (map[id.Client]Access, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return nil, err
	}
	rows, err := s.Store.OwnersOf(ctx, clients)
	if err != nil {
		return nil, err
	}
	list, err := s.accessOf(ctx, rows)
	found := make(map[id.Client]Access, len(list))
	for _, a := range list {
		found[a.ClientID] = a
	}
	return found, err
}

// accessOf is the access of those sub-accounts that the actor may see, with logins and invitations: three statements.
func (s *Service) accessOf(ctx context.Context, rows []db.SubAccount) ([]Access, error) {
	logins, clients := []id.Login{}, []id.Client{}
	for _, row := range rows {
		logins, clients = append(logins, row.LoginID), append(clients, row.ClientID)
	}
	emails := map[id.Login]string{}
	loginRows, err := s.Store.LoginsByID(ctx, logins)
	if err != nil {
		return nil, err
	}
	for _, l := range loginRows {
		emails[l.ID] = l.Email
	}
	zones := map[id.Client]string{}
	clientRows, err := s.Store.ClientsByID(ctx, clients)
	if err != nil {
		return nil, err
	}
	for _, c := range clientRows {
		zones[c.ID] = c.Timezone
	}
	subAccounts := make([]id.SubAccount, 0, len(rows))
	for _, row := range rows {
		if row.Status == db.SubAccountInvited {
			subAccounts = append(subAccounts, row.ID)
		}
	}
	links, err := s.Store.LinksOf(ctx, db.LinkInvitation, subAccounts)
	if err != nil {
		return nil, err
	}
	found := []Access{}
	for _, row := range rows {
		if !access.Can(ctx, access.Contacts, row.ClientID) {
			continue
		}
		a := Access{SubAccount: row, LoginEmail: emails[row.LoginID],
			Expired: row.ExpiresOn != "" && row.ExpiresOn < today(s.Now(), zones[row.ClientID])}
		if link, ok := links[row.ID]; ok {
			a.Invitation = &link
			a.Lapsed = row.Status == db.SubAccountInvited && !link.Open(s.Now())
		}
		found = append(found, a)
	}
	return found, nil
}
