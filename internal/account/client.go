package account

import (
	"context"
	"slices"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// ClientDetails are what a client says of itself; name and email are required.
type ClientDetails struct {
	Name        string
	Email       string // the client's own address
	Phonenumber string
	TaxID       string // RFC
	Address1    string
	Address2    string
	City        string
	State       string
	Postcode    string
	Country     string // ISO 3166-1 alpha-2; "" means MX
	Language    string // of mail to Email: es-MX or en; "" means es-MX
	Timezone    string // IANA name, in which its due dates are counted; "" means America/Mexico_City
}

// AddClientInput is a new client with its owner, who signs in with Details.Email.
type AddClientInput struct {
	Details     ClientDetails
	ExternalRef string // what another system calls the client; "" for none
	Invite      bool   // mail the owner an invitation now; without it InviteOwner does so later
	Password    string // of the owner, for the system alone: an installation's first data
}

// AddClient adds a client and its owner. The owner is invited and has no login until the invitation is accepted:
// nobody chooses a password for somebody else's address. Staff only. Field faults: REQUIRED, TOO_LONG,
// CONTROL_CHARACTERS, EMAIL_MALFORMED, EMAIL_DISGUISED, TAX_ID_MALFORMED, COUNTRY_UNKNOWN, LANGUAGE_UNKNOWN,
// TIMEZONE_UNKNOWN, REFERENCE_TAKEN (externalRef).
func (s *Service) AddClient(ctx context.Context, in AddClientInput) (db.Client, error) {
	if err := access.RequireCapability(ctx, access.ManageClients); err != nil {
		return db.Client{}, err
	}
	var checks fault.Checks
	in.Details.clean(&checks)
	reference := cleanReference(&checks, in.ExternalRef)
	if in.Password != "" {
		if err := access.RequireSystem(ctx); err != nil {
			return db.Client{}, err
		}
		checkPolicy(&checks, "password", in.Password, in.Details.Email)
	}
	if err := checks.Err(); err != nil {
		return db.Client{}, err
	}
	if in.Invite {
		if err := s.limitInvitations(ctx, 0); err != nil {
			return db.Client{}, err
		}
	}
	row := db.Client{ExternalRef: reference, Topics: mail.Topics()}
	in.Details.apply(&row)
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := tx.AddClient(ctx, &row); err != nil {
			return err
		}
		owner := db.SubAccount{ClientID: row.ID, Owner: true, Permissions: access.Permissions(), Status: db.SubAccountInvited}
		if in.Password != "" {
			login, err := personalLogin(ctx, tx, row.Email)
			if fault.Is(err, fault.NotFound) {
				login = db.Login{Email: row.Email, PasswordHash: s.Argon.Hash(in.Password), Language: row.Language}
				err = tx.AddLogin(ctx, &login)
			}
			if err != nil {
				return err
			}
			owner.LoginID, owner.Status = login.ID, db.SubAccountActive
		}
		if err := tx.AddSubAccount(ctx, &owner); err != nil {
			return err
		}
		if in.Invite && owner.Status == db.SubAccountInvited {
			if err := s.mailInvitation(ctx, tx, owner, row.Email); err != nil {
				return err
			}
		}
		return tx.Audit(ctx, db.AuditEntry{Client: row.ID, Verb: "client.add", Object: row.ID.String(), After: row})
	})
	return row, referenceTaken(err)
}

// UpdateClientInput changes a client. What is nil stays as it is.
type UpdateClientInput struct {
	ClientID    id.Client
	Details     *ClientDetails
	Topics      *[]mail.Topic // of the client's own address
	ExternalRef *string       // staff only
}

// UpdateClient changes what a client says of itself and what its own address is sent: who holds the permission profile, and
// staff. Documents that were issued keep what they say. An owner who has not accepted the invitation yet is invited anew where the
// address changed. Field faults as AddClient, and on topics TOPIC_UNKNOWN and LAST_DOMAIN_ADDRESS.
func (s *Service) UpdateClient(ctx context.Context, in UpdateClientInput) (db.Client, error) {
	if err := access.RequireChange(ctx, access.Profile, in.ClientID, access.ManageClients); err != nil {
		return db.Client{}, err
	}
	if in.ExternalRef != nil {
		if err := access.RequireCapability(ctx, access.ManageClients); err != nil {
			return db.Client{}, err
		}
	}
	var row db.Client
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		var err error
		if row, err = tx.LockClient(ctx, in.ClientID); err != nil {
			return err
		}
		before := row
		var checks fault.Checks
		if in.Details != nil {
			in.Details.clean(&checks)
			in.Details.apply(&row)
		}
		if in.ExternalRef != nil {
			row.ExternalRef = cleanReference(&checks, *in.ExternalRef)
		}
		if in.Topics != nil {
			row.Topics = cleanTopics(&checks, *in.Topics)
			if err := keepDomainTopic(ctx, tx, &checks, row); err != nil {
				return err
			}
		}
		if err := checks.Err(); err != nil {
			return err
		}
		if in.Details != nil || in.ExternalRef != nil {
			if err := s.saveClient(ctx, tx, before, row); err != nil {
				return err
			}
		}
		if in.Topics == nil {
			return nil
		}
		if err := tx.SetClientTopics(ctx, row.ID, row.Topics); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Client: row.ID, Verb: "client.preferences", Object: row.ID.String(),
			Before: map[string]any{"topics": before.Topics}, After: map[string]any{"topics": row.Topics}})
	})
	return row, referenceTaken(err)
}

func (s *Service) saveClient(ctx context.Context, tx *db.Store, before, row db.Client) error {
	if err := tx.UpdateClient(ctx, &row); err != nil {
		return err
	}
	if row.Email != before.Email {
		if err := tx.MarkBounce(ctx, row.ID, 0, db.Bounce{}); err != nil { // what came back, came back from another address
			return err
		}
		if err := s.inviteAnew(ctx, tx, row); err != nil {
			return err
		}
	}
	return tx.Audit(ctx, db.AuditEntry{Client: row.ID, Verb: "client.update", Object: row.ID.String(), Before: before, After: row})
}

// keepDomainTopic notes a client whose mail about domains would reach no address at all.
func keepDomainTopic(ctx context.Context, tx *db.Store, checks *fault.Checks, row db.Client) error {
	if slices.Contains(row.Topics, mail.Domain) {
		return nil
	}
	keeps, err := tx.KeepsTopic(ctx, row.ID, mail.Domain, 0, false)
	if err == nil && !keeps {
		checks.Add("topics", "LAST_DOMAIN_ADDRESS")
	}
	return err
}

// inviteAnew mails the invitation of an owner who has one to the client's new address. The link in the old one's works no more.
func (s *Service) inviteAnew(ctx context.Context, tx *db.Store, client db.Client) error {
	owner, err := tx.OwnerOf(ctx, client.ID)
	if err != nil || owner.Status != db.SubAccountInvited {
		return err
	}
	links, err := tx.LinksOf(ctx, db.LinkInvitation, []id.SubAccount{owner.ID})
	if err != nil || len(links) == 0 {
		return err // nobody was invited yet
	}
	return s.mailInvitation(ctx, tx, owner, client.Email)
}

// InviteOwner mails a client's owner an invitation to the client's own address. The link of an earlier
// mail works no more. Staff only; CONFLICT OWNER_ACTIVE once it was accepted.
func (s *Service) InviteOwner(ctx context.Context, clientID id.Client) (db.Client, error) {
	if err := access.RequireCapability(ctx, access.ManageClients); err != nil {
		return db.Client{}, err
	}
	if err := s.limitInvitations(ctx, 0); err != nil {
		return db.Client{}, err
	}
	var row db.Client
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		var err error
		if row, err = tx.LockClient(ctx, clientID); err != nil {
			return err
		}
		owner, err := tx.OwnerOf(ctx, clientID)
		if err != nil {
			return err
		}
		if owner.Status != db.SubAccountInvited {
			return fault.New(fault.Conflict, "OWNER_ACTIVE")
		}
		if err := s.mailInvitation(ctx, tx, owner, row.Email); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Client: clientID, Verb: "client.invite", Object: clientID.String(), After: map[string]any{"email": row.Email}})
	})
	return row, err
}

// clean trims and normalises the details in place and notes what is wrong with them.
func (d *ClientDetails) clean(checks *fault.Checks) {
	name, ok := cleanText(d.Name)
	switch {
	case name == "":
		checks.Add("name", "REQUIRED")
	case !ok:
		checks.Add("name", "CONTROL_CHARACTERS")
	case len([]rune(name)) > 200:
		checks.Add("name", "TOO_LONG", "max", 200)
	}
	contact := ContactDetails{Email: d.Email, Phonenumber: d.Phonenumber, TaxID: d.TaxID, Address1: d.Address1, Address2: d.Address2, City: d.City,
		State: d.State, Postcode: d.Postcode, Country: d.Country, Language: d.Language, Timezone: d.Timezone}
	contact.clean(checks)
	if contact.Timezone == "" {
		contact.Timezone = "America/Mexico_City"
	}
	*d = ClientDetails{Name: name, Email: contact.Email, Phonenumber: contact.Phonenumber, TaxID: contact.TaxID, Address1: contact.Address1,
		Address2: contact.Address2, City: contact.City, State: contact.State, Postcode: contact.Postcode, Country: contact.Country,
		Language: contact.Language, Timezone: contact.Timezone}
}

// apply writes the details onto a row.
func (d ClientDetails) apply(row *db.Client) {
	row.Name, row.Email, row.Phonenumber, row.TaxID = d.Name, d.Email, d.Phonenumber, d.TaxID
	row.Address1, row.Address2, row.City, row.State = d.Address1, d.Address2, d.City, d.State
	row.Postcode, row.Country, row.Language, row.Timezone = d.Postcode, d.Country, d.Language, d.Timezone
}

// ClientDetailsOf is the form filled with a client.
func ClientDetailsOf(row db.Client) ClientDetails {
	return ClientDetails{Name: row.Name, Email: row.Email, Phonenumber: row.Phonenumber, TaxID: row.TaxID, Address1: row.Address1, Address2: row.Address2,
		City: row.City, State: row.State, Postcode: row.Postcode, Country: row.Country, Language: row.Language, Timezone: row.Timezone}
}

func cleanReference(checks *fault.Checks, text string) string {
	reference, ok := cleanText(text)
	switch {
	case !ok:
		checks.Add("externalRef", "CONTROL_CHARACTERS")
	case len([]rune(reference)) > 100:
		checks.Add("externalRef", "TOO_LONG", "max", 100)
	}
	return reference
}

func referenceTaken(err error) error {
	if !db.Violates(err, "client_external_ref") {
		return err
	}
	var checks fault.Checks
	checks.Add("externalRef", "REFERENCE_TAKEN")
	return checks.Err()
}

func personalLogin(ctx context.Context, tx *db.Store, email string) (db.Login, error) {
	logins, err := tx.LoginsByEmail(ctx, email)
	if err != nil {
		return db.Login{}, err
	}
	if len(logins) == 0 || logins[0].HomeClientID != 0 {
		return db.Login{}, fault.Missing()
	}
	return logins[0], nil
}
