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

// VerifyJob mails a contact the link that confirms its address; the activity that signs personal links does it.
type VerifyJob struct {
	ContactID id.Contact
	Email     string // the address to be confirmed: once it is another one, there is nothing to send
	Ref       string // makes the job and its mail once
}

// Kind names the job's handler.
func (VerifyJob) Kind() string { return "reminder:verify" }

// Key makes a second request the same job.
func (j VerifyJob) Key() string { return "verify:" + j.ContactID.String() + ":" + j.Ref }

// verifications are the jobs for those of the contacts whose address must be confirmed, given or changed at the moment.
func verifications(company db.Company, now time.Time, contacts ...db.Contact) []db.Job {
	jobs := []db.Job{}
	for _, contact := range contacts {
		if company.Unverified(contact) {
			jobs = append(jobs, VerifyJob{ContactID: contact.ID, Email: contact.Email, Ref: fmt.Sprint(now.UnixMicro())})
		}
	}
	return jobs
}

// verifying returns the company when it wants addresses confirmed, and counts one mail of those that people of
// clients can make us send to strangers: RATE_LIMITED after too many. Otherwise the zero value.
func (s *Service) verifying(ctx context.Context, contact id.Contact) (db.Company, error) {
	company, err := s.Store.Company(ctx)
	if fault.Is(err, fault.NotFound) || err == nil && !company.VerifyContacts {
		return db.Company{}, nil
	}
	if err != nil {
		return db.Company{}, err
	}
	return company, s.limitMails(ctx, "verify", contact)
}

// UnverifiedContacts tells which of those contacts that the actor may see must confirm their address before
// they are reminded.
func (s *Service) UnverifiedContacts(ctx context.Context, contacts []id.Contact) (map[id.Contact]bool, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return nil, err
	}
	rows, err := s.Store.UnverifiedContacts(ctx, contacts)
	found := make(map[id.Contact]bool, len(rows))
	for contact, client := range rows {
		if access.RequireMember(ctx, client) == nil {
			found[contact] = true
		}
	}
	return found, err
}

// RequestVerification mails a contact a new link to confirm its address; the links before it go on working for
// their seven days. Whoever manages the client's contacts may. ADDRESS_NOT_WAITING where nothing is to be
// confirmed, RATE_LIMITED after ten an hour.
func (s *Service) RequestVerification(ctx context.Context, contactID id.Contact) (db.Contact, error) {
	contact, err := s.changeable(ctx, contactID)
	if err != nil {
		return db.Contact{}, err
	}
	company, err := s.Store.Company(ctx)
	if err != nil {
		return db.Contact{}, err
	}
	jobs := verifications(company, s.Now(), contact)
	if len(jobs) == 0 {
		return db.Contact{}, fault.New(fault.Conflict, "ADDRESS_NOT_WAITING").With("email", contact.Email)
	}
	if err := s.limitMails(ctx, "verify", contact.ID); err != nil {
		return db.Contact{}, err
	}
	return contact, s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := tx.EnqueueAll(ctx, jobs); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Client: contact.ClientID, Verb: "contact.verify.request", Object: contact.ID.String()})
	})
}
