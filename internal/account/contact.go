package account

import (
	"context"
	"slices"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// AddContact adds a contact with its access and preferences in one transaction: all of it or
// nothing.
func (s *Service) AddContact(ctx context.Context, in AddContactInput) (db.Contact, error) {
	if err := access.RequireChange(ctx, access.Contacts, in.ClientID, access.ManageClients); err != nil {
		return db.Contact{}, err
	}
	if in.SubAccount != nil && in.SubAccount.Invite {
		if err := s.limitInvitations(ctx, 0); err != nil {
			return db.Contact{}, err
		}
	}
	var checks fault.Checks
	in.Details.clean(&checks)
	topics := cleanTopics(&checks, in.Topics)
	s.checkSubAccount(ctx, &checks, in.SubAccount, in.ClientID, in.Details.Email, nil)

	company, err := s.verifying(ctx, 0)
	if err != nil {
		return db.Contact{}, err
	}
	row := db.Contact{ClientID: in.ClientID, Topics: topics}
	err = s.Store.InTx(ctx, func(tx *db.Store) error {
		client, err := tx.LockClient(ctx, in.ClientID)
		if err != nil {
			return err
		}
		if in.Details.Timezone == "" {
			in.Details.Timezone = client.Timezone
		}
		if err := s.checkEmail(ctx, tx, &checks, in.ClientID, 0, in.Details.Email, in.SubAccount != nil && in.SubAccount.Active); err != nil {
			return err
		}
		if err := checks.Err(); err != nil {
			return err
		}
		in.Details.apply(&row)
		if err := tx.AddContact(ctx, &row); err != nil {
			return err
		}
		if err := s.saveSubAccount(ctx, tx, row, in.SubAccount); err != nil {
			return err
		}
		if err := tx.EnqueueAll(ctx, verifications(company, s.Now(), row)); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Client: row.ClientID, Verb: "contact.add", Object: row.ID.String(), After: row})
	})
	if err != nil {
		return db.Contact{}, err
	}
	return row, nil
}

// UpdateContact changes details, access and preferences; what the input leaves nil stays.
func (s *Service) UpdateContact(ctx context.Context, in UpdateContactInput) (db.Contact, error) {
	row, err := s.changeable(ctx, in.ContactID)
	if err != nil {
		return db.Contact{}, err
	}
	if in.SubAccount != nil && in.SubAccount.Invite {
		if err := s.limitInvitations(ctx, row.ID); err != nil {
			return db.Contact{}, err
		}
	}
	var company db.Company
	if in.Details != nil && !strings.EqualFold(strings.TrimSpace(in.Details.Email), row.Email) {
		if company, err = s.verifying(ctx, row.ID); err != nil {
			return db.Contact{}, err
		}
	}
	err = s.Store.InTx(ctx, func(tx *db.Store) error {
		// The client's row is locked, so that two changes of its contacts come one after the other.
		client, err := tx.LockClient(ctx, row.ClientID)
		if err != nil {
			return err
		}
		if row, err = tx.Contact(ctx, in.ContactID); err != nil {
			return err
		}
		before := row
		var checks fault.Checks
		if in.Details != nil {
			in.Details.clean(&checks)
			if in.Details.Timezone == "" {
				in.Details.Timezone = client.Timezone
			}
			in.Details.apply(&row)
			if !strings.EqualFold(row.Email, before.Email) {
				row.AddressChangedAt = new(s.Now())
			}
		}
		if in.Topics != nil {
			row.Topics = cleanTopics(&checks, *in.Topics)
			if err := s.keepDomainAddress(ctx, tx, &checks, row); err != nil {
				return err
			}
		}
		current, err := tx.SubAccountByContact(ctx, row.ID)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return err
		}
		has := err == nil
		gives := in.SubAccount != nil && in.SubAccount.Active
		if in.SubAccount != nil {
			s.checkSubAccount(ctx, &checks, in.SubAccount, row.ClientID, row.Email, existing(current, has))
		} else if has && row.Email != before.Email && isSelf(ctx, current) {
			return fault.New(fault.Forbidden, "SELF_PROTECTED")
		}
		if has && row.Email != before.Email {
			checkMayMove(ctx, &checks, "email", current)
		}
		if in.Details != nil {
			if err := s.checkEmail(ctx, tx, &checks, row.ClientID, row.ID, row.Email, gives || has && in.SubAccount == nil); err != nil {
				return err
			}
		}
		if err := checks.Err(); err != nil {
			return err
		}
		if err := tx.UpdateContact(ctx, &row); err != nil {
			return err
		}
		if row.Email != before.Email { // what came back, came back from another address
			if err := tx.MarkBounce(ctx, row.ClientID, row.ID, db.Bounce{}); err != nil {
				return err
			}
		}
		if has && row.Email != before.Email {
			if err := s.moveLogin(ctx, tx, current, row.Email); err != nil {
				return err
			}
		}
		if err := s.saveSubAccount(ctx, tx, row, in.SubAccount); err != nil {
			return err
		}
		if row.AddressChangedAt != before.AddressChangedAt {
			if err := tx.EnqueueAll(ctx, verifications(company, s.Now(), row)); err != nil {
				return err
			}
		}
		return tx.Audit(ctx, db.AuditEntry{Client: row.ClientID, Verb: "contact.update", Object: row.ID.String(), Before: before, After: row})
	})
	if err != nil {
		return db.Contact{}, err
	}
	return row, nil
}

// SetSubAccount gives a contact a login and permissions, changes or takes them away. Preferences
// stay as they are.
func (s *Service) SetSubAccount(ctx context.Context, contactID id.Contact, in SubAccountInput) (db.Contact, error) {
	return s.UpdateContact(ctx, UpdateContactInput{ContactID: contactID, SubAccount: &in})
}

// SetEmailPreferences replaces a contact's topics. Its access stays as it is.
func (s *Service) SetEmailPreferences(ctx context.Context, contactID id.Contact, topics []mail.Topic) (db.Contact, error) {
	return s.UpdateContact(ctx, UpdateContactInput{ContactID: contactID, Topics: &topics})
}

// SetClientEmailPreferences replaces the topics of the client's own address.
func (s *Service) SetClientEmailPreferences(ctx context.Context, clientID id.Client, topics []mail.Topic) (db.Client, error) {
	return s.UpdateClient(ctx, UpdateClientInput{ClientID: clientID, Topics: &topics})
}

// DeleteContact closes a contact: its access and sessions end at once and it gets no more mail. What
// was sent to it stays in the ledger.
func (s *Service) DeleteContact(ctx context.Context, contactID id.Contact) error {
	row, err := s.changeable(ctx, contactID)
	if err != nil {
		return err
	}
	return s.Store.InTx(ctx, func(tx *db.Store) error {
		if _, err := tx.LockClient(ctx, row.ClientID); err != nil {
			return err
		}
		var checks fault.Checks
		before := row
		row.Topics = nil
		if err := s.keepDomainAddress(ctx, tx, &checks, row); err != nil {
			return err
		}
		if err := checks.Err(); err != nil {
			return err
		}
		if err := s.removeAccess(ctx, tx, row.ID); err != nil {
			return err
		}
		if err := tx.DeleteContact(ctx, row.ID); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Client: row.ClientID, Verb: "contact.delete", Object: row.ID.String(), Before: before})
	})
}

// checkEmail notes an address that the client already uses.
func (s *Service) checkEmail(ctx context.Context, tx *db.Store, checks *fault.Checks, clientID id.Client, contactID id.Contact, email string, signsIn bool) error {
	if email == "" || checks.Has("email") {
		return nil
	}
	taken, err := tx.ContactEmailTaken(ctx, clientID, email, contactID)
	if err != nil {
		return err
	}
	if taken {
		checks.Add("email", "EMAIL_TAKEN")
		return nil
	}
	if signsIn {
		has, err := tx.EmailHasAccess(ctx, clientID, email, contactID)
		if err != nil {
			return err
		}
		if has {
			checks.Add("email", "LOGIN_HAS_ACCESS")
		}
	}
	return nil
}

// keepDomainAddress notes when nobody of the client would receive domain notices any more.
func (s *Service) keepDomainAddress(ctx context.Context, tx *db.Store, checks *fault.Checks, row db.Contact) error {
	if slices.Contains(row.Topics, mail.Domain) {
		return nil
	}
	keeps, err := tx.KeepsTopic(ctx, row.ClientID, mail.Domain, row.ID, true)
	if err != nil {
		return err
	}
	if !keeps {
		checks.Add("topics", "LAST_DOMAIN_ADDRESS")
	}
	return nil
}
