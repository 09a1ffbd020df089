package account

import (
	"context"
	"errors"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// Handover is an offer of ownership that waits for its answer.
type Handover struct {
	ClientID  id.Client
	ContactID id.Contact // to whom it was made
	OfferedBy string
	ExpiresAt time.Time
}

// Handover returns the open offer of a client to its owner, to staff and to the one it was made to;
// NotFound when there is none.
func (s *Service) Handover(ctx context.Context, clientID id.Client) (Handover, error) {
	if err := access.RequireMember(ctx, clientID); err != nil {
		return Handover{}, err
	}
	link, sub, err := s.Store.OpenHandover(ctx, clientID, s.Now())
	if err != nil {
		return Handover{}, err
	}
	if !isSelf(ctx, sub) && access.RequireOwner(ctx, clientID) != nil {
		return Handover{}, fault.Missing()
	}
	return Handover{ClientID: clientID, ContactID: sub.ContactID, OfferedBy: link.InvitedBy, ExpiresAt: link.ExpiresAt}, nil
}

// OfferHandover offers the ownership of a client to one of its contacts, who must have active access with
// a personal login: an address that is proven. password is the owner's own, asked for again; staff, who
// act when an owner is gone, give none. The offer is open for 7 days and replaces an earlier one.
func (s *Service) OfferHandover(ctx context.Context, contactID id.Contact, password string) (Handover, error) {
	contact, err := s.Contact(ctx, contactID)
	if err != nil {
		return Handover{}, err
	}
	if err := errors.Join(access.RequireOwnerChange(ctx, contact.ClientID, access.ManageClients), access.RequireInPerson(ctx)); err != nil {
		return Handover{}, err
	}
	if access.From(ctx).Kind == access.Login {
		if err := s.confirm(ctx, personOf(ctx), password, "password"); err != nil {
			return Handover{}, err
		}
	}
	if err := s.limitInvitations(ctx, contactID); err != nil {
		return Handover{}, err
	}
	var offer Handover
	err = s.Store.InTx(ctx, func(tx *db.Store) error {
		sub, err := s.lockedAccess(ctx, tx, contact, db.SubAccountActive)
		if err != nil {
			return err
		}
		login, err := tx.Login(ctx, sub.LoginID)
		if err != nil {
			return err
		}
		if login.HomeClientID != 0 {
			return fault.New(fault.Conflict, "HANDOVER_NEEDS_PERSONAL_LOGIN")
		}
		if err := tx.CloseHandovers(ctx, contact.ClientID, s.Now()); err != nil {
			return err
		}
		by, err := inviter(ctx, tx)
		if err != nil {
			return err
		}
		link, err := s.newLink(ctx, tx, db.Link{Purpose: db.LinkHandover, Email: login.Email, SubAccountID: sub.ID,
			InvitedBy: by, ExpiresAt: s.Now().AddDate(0, 0, handoverDays)})
		if err != nil {
			return err
		}
		offer = Handover{ClientID: contact.ClientID, ContactID: contact.ID, OfferedBy: link.InvitedBy, ExpiresAt: link.ExpiresAt}
		return tx.Audit(ctx, db.AuditEntry{Client: contact.ClientID, Verb: "handover.offer", Object: contact.ID.String(), After: map[string]any{"email": login.Email}})
	})
	return offer, err
}

// EndHandover withdraws the offer (the owner, staff) or declines it (whom it was made to).
func (s *Service) EndHandover(ctx context.Context, clientID id.Client) error {
	var err error
	if access.From(ctx).Kind == access.Login {
		err = access.RequireLogin(ctx)
	} else {
		err = errors.Join(access.RequireCapability(ctx, access.ManageClients), access.RequireInPerson(ctx))
	}
	if err != nil {
		return err
	}
	offer, err := s.Handover(ctx, clientID)
	if err != nil {
		return err
	}
	return s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := tx.CloseHandovers(ctx, clientID, s.Now()); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Client: clientID, Verb: "handover.end", Object: offer.ContactID.String()})
	})
}

// AcceptHandover makes the one who is signed in, and to whom it was offered, the owner. The former owner
// stays with every permission as a contact, which the new owner may change. At any moment exactly one
// row is the owner's: the row itself goes from one login to the other. The session is rotated.
func (s *Service) AcceptHandover(ctx context.Context, clientID id.Client) (SignedIn, error) {
	if err := access.RequireLogin(ctx); err != nil {
		return SignedIn{}, err
	}
	if err := access.RequireMember(ctx, clientID); err != nil {
		return SignedIn{}, err
	}
	var signed SignedIn
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		if _, err := tx.LockClient(ctx, clientID); err != nil {
			return err
		}
		link, sub, err := tx.OpenHandover(ctx, clientID, s.Now())
		if fault.Is(err, fault.NotFound) || err == nil && (!isSelf(ctx, sub) || sub.Status != db.SubAccountActive) {
			return fault.Missing()
		}
		if err != nil {
			return err
		}
		owner, err := tx.OwnerOf(ctx, clientID)
		if err != nil {
			return err
		}
		former := db.Login{}
		if owner.LoginID != 0 { // 0: invited, and never came
			if former, err = tx.Login(ctx, owner.LoginID); err != nil {
				return err
			}
		}
		if err := tx.UseLink(ctx, link.ID, s.Now()); err != nil {
			return err
		}
		// The new owner's contact stays, with its preferences; its access is the owner's row from now on.
		if err := tx.DeleteSubAccount(ctx, sub.ContactID); err != nil {
			return err
		}
		if err := tx.SetOwner(ctx, clientID, sub.LoginID); err != nil {
			return err
		}
		if former.ID != 0 {
			if err := keepFormerOwner(ctx, tx, clientID, former); err != nil {
				return err
			}
		}
		if signed, err = s.rotate(ctx, tx, nil); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Client: clientID, Verb: "handover.accept", Object: clientID.String(),
			Before: map[string]any{"owner": former.Email}, After: map[string]any{"owner": access.From(ctx).Email}})
	})
	return signed, err
}

// keepFormerOwner gives the former owner access through a contact: the one with the address that has no
// access yet, or a new one, which is sent nothing.
func keepFormerOwner(ctx context.Context, tx *db.Store, clientID id.Client, former db.Login) error {
	contact, err := tx.ContactByEmail(ctx, clientID, former.Email)
	if err == nil {
		if _, taken := tx.SubAccountByContact(ctx, contact.ID); !fault.Is(taken, fault.NotFound) {
			return taken // that address signs in with a login of its own already
		}
	} else if fault.Is(err, fault.NotFound) {
		client, failed := tx.Client(ctx, clientID)
		if failed != nil {
			return failed
		}
		contact = db.Contact{ClientID: clientID, Email: former.Email, Topics: []mail.Topic{}, Country: client.Country, Language: former.Language, Timezone: client.Timezone}
		err = tx.AddContact(ctx, &contact)
	}
	if err != nil {
		return err
	}
	return tx.AddSubAccount(ctx, &db.SubAccount{ClientID: clientID, ContactID: contact.ID, LoginID: former.ID,
		Permissions: access.Permissions(), Status: db.SubAccountActive})
}
