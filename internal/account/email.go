package account

import (
	"context"
	"slices"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// emailNeeds is the permission that a mail of a kind needs besides access.Emails: a mail shows no more than
// the pages that its reader may open. Who may not see invoices does not read of them here either.
var emailNeeds = map[string]access.Permission{
	db.EmailInvoice: access.Invoices, db.EmailReminder: access.Invoices, db.EmailFiscal: access.Invoices, db.EmailCancellation: access.Invoices,
	db.EmailInvitation: access.Contacts, db.EmailHandover: access.Contacts, db.EmailAccess: access.Contacts, db.EmailVerification: access.Contacts, db.EmailNotice: access.Contacts,
}

// emailKinds are the kinds in the order in which they are offered.
var emailKinds = []string{db.EmailInvoice, db.EmailReminder, db.EmailFiscal, db.EmailCancellation, db.EmailInvitation, db.EmailAccess, db.EmailHandover, db.EmailVerification, db.EmailNotice}

var emailStatuses = []string{db.EmailWaiting, db.EmailSent, db.EmailFailed, db.EmailBounced, db.EmailWithdrawn}

// EmailStatuses lists the states of a mail.
func EmailStatuses() []string { return slices.Clone(emailStatuses) }

// EmailKinds lists the kinds of mail of a client that the actor may read: none without access.Emails.
func EmailKinds(ctx context.Context, clientID id.Client) []string {
	kinds := []string{}
	if access.Can(ctx, access.Emails, clientID) {
		for _, kind := range emailKinds {
			if access.Can(ctx, emailNeeds[kind], clientID) {
				kinds = append(kinds, kind)
			}
		}
	}
	return kinds
}

// EmailQuery selects mails. Zero values do not limit.
type EmailQuery struct {
	Client   id.Client
	Contact  id.Contact // to this contact
	Own      bool       // to the client's own address or its owner's
	Kinds    []string
	Statuses []string
	From     time.Time // first attempt, inclusive
	Until    time.Time // exclusive
}

// Emails lists the mails that a client was sent, the newest first, without their content.
// Whoever holds access.Emails sees those whose subject they may see: about invoices with access.Invoices, about
// people with access.Contacts. Mail about a person's own login, such as a link for a new password, is in no list.
func (s *Service) Emails(ctx context.Context, query EmailQuery, page db.Page) (db.List[db.Email], error) {
	if err := access.Require(ctx, access.Emails, query.Client); err != nil {
		return db.List[db.Email]{}, err
	}
	var checks fault.Checks
	for _, kind := range query.Kinds {
		if !slices.Contains(emailKinds, kind) {
			checks.Add("kinds", "VALUE_INVALID")
		}
	}
	for _, status := range query.Statuses {
		if !slices.Contains(emailStatuses, status) {
			checks.Add("statuses", "VALUE_INVALID")
		}
	}
	if !query.From.IsZero() && !query.Until.IsZero() && query.Until.Before(query.From) {
		checks.Add("until", "VALUE_INVALID")
	}
	if err := checks.Err(); err != nil {
		return db.List[db.Email]{}, err
	}
	if err := page.Check(); err != nil {
		return db.List[db.Email]{}, err
	}
	kinds := EmailKinds(ctx, query.Client)
	if len(query.Kinds) > 0 {
		kinds = slices.DeleteFunc(kinds, func(kind string) bool { return !slices.Contains(query.Kinds, kind) })
	}
	return s.Store.Emails(ctx, db.EmailFilter{Client: query.Client, Kinds: kinds, Contact: query.Contact, Own: query.Own, Statuses: query.Statuses, From: query.From, Until: query.Until}, page)
}

// Email returns one mail with its content as it was sent, but for what gave access: the tokens of personal
// links are asterisks. The content is empty when it is kept no longer. A mail of a kind that the actor may not
// read is refused, one of a stranger's client is missing.
func (s *Service) Email(ctx context.Context, emailID id.Email) (db.Email, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return db.Email{}, err
	}
	rows, err := s.Store.EmailsByID(ctx, []id.Email{emailID})
	if err == nil && len(rows) == 0 {
		err = fault.Missing()
	}
	if err != nil {
		return db.Email{}, err
	}
	row := rows[0]
	if err := access.Require(ctx, access.Emails, row.ClientID); err != nil {
		return db.Email{}, err
	}
	if err := access.Require(ctx, emailNeeds[row.Kind], row.ClientID); err != nil {
		return db.Email{}, err
	}
	return row, nil
}

// EmailsByID returns those of the mails that the actor may read, with their content; for loaders.
func (s *Service) EmailsByID(ctx context.Context, ids []id.Email) ([]db.Email, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return nil, err
	}
	rows, err := s.Store.EmailsByID(ctx, ids)
	return slices.DeleteFunc(rows, func(row db.Email) bool {
		return !access.Can(ctx, access.Emails, row.ClientID) || !access.Can(ctx, emailNeeds[row.Kind], row.ClientID)
	}), err
}

// forgetBatch is how many mails lose their content in one statement, so that no row is locked for long.
const forgetBatch = 1000

// ForgetEmails removes the content of mails that are older than so many days; that they were sent, to whom
// and what became of them stays. The system only.
func (s *Service) ForgetEmails(ctx context.Context, days int) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	before := s.Now().AddDate(0, 0, -days)
	for ctx.Err() == nil {
		n, err := s.Store.ForgetEmails(ctx, before, forgetBatch)
		if err != nil || n < forgetBatch {
			return err
		}
	}
	return ctx.Err()
}
