package reminder

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// softLimit is the number of temporary bounces in a row after which an address counts as dead.
const softLimit = 3

// returnDays is how long a mail that was taken over may still come back: mail servers try for up to five
// days (RFC 5321 section 4.5.4.1).
const returnDays = 5

// Mailbox is where bounces arrive: whoever reads it (IMAP, a spool folder) hands over each mail once
// more if seen was not called.
type Mailbox interface {
	Fetch(ctx context.Context, each func(raw []byte) (seen bool)) error
}

// PollBounces reads the mailbox of bounces. A mail that is no report is left to people. The system only.
func (s *Service) PollBounces(ctx context.Context, box Mailbox) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	var failed error
	err := box.Fetch(ctx, func(raw []byte) bool {
		_, err := s.RecordBounce(ctx, raw)
		if fault.Is(err, fault.Invalid) {
			return true
		}
		if fault.Is(err, fault.Unavailable) {
			return false // it is read again the next time
		}
		failed = errors.Join(failed, err)
		return err == nil
	})
	return errors.Join(err, failed)
}

// RecordBounce takes a delivery status notification (RFC 3464), from a mailbox or a webhook, and
// returns how many mails it concerned. A permanent failure, or the third temporary one in a row,
// marks the address: mail to it stops until somebody changes it or clears the mark, and the owner and
// the company are told. The same report twice changes nothing. It may be about any mail that a client was sent. BOUNCE_TOO_EARLY
// about a reminder whose sending is not noted yet: whoever has the report hands it over again. Staff (a webhook's key) and the
// system.
func (s *Service) RecordBounce(ctx context.Context, raw []byte) (int, error) {
	if err := access.RequireCapability(ctx, access.ManageReminders); err != nil {
		return 0, err
	}
	bounces, err := mail.ParseBounces(raw)
	if err != nil {
		var checks fault.Checks
		checks.Add("report", "BOUNCE_MALFORMED")
		return 0, checks.Err()
	}
	concerned := 0
	for _, b := range bounces {
		noted := false
		err := s.Store.InTx(ctx, func(tx *db.Store) error {
			noted, err = s.recordOne(ctx, tx, b)
			return err
		})
		if err != nil {
			return concerned, err
		}
		if noted {
			concerned++
		}
	}
	return concerned, nil
}

// parseMessageID reads the Message-ID that messageID makes. Whether it is that of the mail only the row
// of the ledger knows.
func parseMessageID(text string) (invoice id.Invoice, step id.Step, contact id.Contact, ok bool) {
	local, _, _ := strings.Cut(text, "@")
	parts := strings.Split(local, ".")
	if len(parts) != 4 && len(parts) != 5 || parts[0] != "reminder" { // those of before had no proof
		return 0, 0, 0, false
	}
	for i, to := range []*int64{(*int64)(&invoice), (*int64)(&step), (*int64)(&contact)} {
		n, err := strconv.ParseInt(parts[i+1], 10, 64)
		if err != nil || n < 0 {
			return 0, 0, 0, false
		}
		*to = n
	}
	return invoice, step, contact, true
}

// recordOne notes one report, of a reminder in the ledger or of any other mail that was kept, and marks the
// address. It returns false for what is forged, about an address that we did not write to, or noted before.
func (s *Service) recordOne(ctx context.Context, tx *db.Store, b mail.Bounce) (bool, error) {
	reason, detail := "hard", strings.TrimSpace(b.Status+" "+b.Diagnostic)
	if b.Temporary {
		reason = "soft"
	}
	to, noted, err := s.returned(ctx, tx, b, reason, detail)
	if err != nil || !noted {
		return false, err
	}
	before, err := bounceOf(ctx, tx, to.ClientID, to.ContactID)
	if err != nil {
		return false, err
	}
	now := s.Now()
	if before.SoftBounces > 0 && before.BouncedAt != nil { // mail that arrived meanwhile ends a row of failures
		arrived, err := tx.ArrivedSince(ctx, to.ClientID, to.ContactID, to.Email, *before.BouncedAt, now.AddDate(0, 0, -returnDays))
		if err != nil {
			return false, err
		}
		if arrived {
			before.SoftBounces = 0
		}
	}
	after := db.Bounce{BouncedAt: &now, BounceDetail: detail, SoftBounces: before.SoftBounces + 1}
	if b.Permanent || after.SoftBounces >= softLimit {
		after.BouncedEmail, after.SoftBounces = to.Email, 0
	}
	if err := tx.MarkBounce(ctx, to.ClientID, to.ContactID, after); err != nil || after.BouncedEmail == "" || before.Bounces(to.Email) {
		return true, err
	}
	return true, tell(ctx, tx, NoticeJob{What: "bounced", ClientID: to.ClientID, ContactID: to.ContactID, Email: to.Email, Detail: detail, Ref: to.Ref})
}

// addressee is whom a mail that came back was for.
type addressee struct {
	ClientID  id.Client
	ContactID id.Contact
	Email     string
	Ref       string // of the mail
}

// returned notes that a mail came back and says whom it was for.
func (s *Service) returned(ctx context.Context, tx *db.Store, b mail.Bounce, reason, detail string) (to addressee, noted bool, err error) {
	invoiceID, stepID, contactID, ok := parseMessageID(b.MessageID)
	if !ok {
		e, found, err := tx.BounceEmail(ctx, b.MessageID, b.Recipient, reason, detail)
		// A notice goes to the owner's login, whose address is not the client's to mark.
		return addressee{e.ClientID, e.ContactID, e.Address, e.ID.String()}, found && e.Kind != db.EmailNotice, err
	}
	row, err := tx.DeliveryOf(ctx, invoiceID, stepID, contactID)
	if fault.Is(err, fault.NotFound) {
		return addressee{}, false, nil
	}
	if err != nil {
		return addressee{}, false, err
	}
	key, err := s.linkKey(ctx)
	if err != nil {
		return addressee{}, false, err
	}
	company, err := tx.Company(ctx)
	if err != nil {
		return addressee{}, false, err
	}
	under := messageID(db.Sending{Delivery: row}, company, key)
	if under != b.MessageID || !mail.SameAddress(row.Email, b.Recipient) {
		return addressee{}, false, nil
	}
	switch row.Status {
	// The mail went out, else nobody would know its id, and that is not noted yet.
	case db.DeliveryPlanned, db.DeliveryQueued, db.DeliverySending:
		return addressee{}, false, fault.New(fault.Unavailable, "BOUNCE_TOO_EARLY")
	}
	noted, err = tx.BounceDelivery(ctx, row.ID, reason, detail)
	return addressee{row.ClientID, row.ContactID, row.Email, row.ID.String()}, noted, err
}

func bounceOf(ctx context.Context, store *db.Store, clientID id.Client, contactID id.Contact) (db.Bounce, error) {
	if contactID == 0 {
		client, err := store.Client(ctx, clientID)
		return client.Bounce, err
	}
	rows, err := store.ContactsByID(ctx, []id.Contact{contactID})
	if err != nil || len(rows) == 0 {
		return db.Bounce{}, err
	}
	return rows[0].Bounce, nil
}

// bouncedShown is how many addresses a list of those that take no mail has at most.
const bouncedShown = 200

// BouncedAddresses lists the addresses of a client that take no mail, the latest first, at most 200;
// client 0: of all clients, for staff. Whoever sees the client's contacts may.
func (s *Service) BouncedAddresses(ctx context.Context, clientID id.Client) ([]db.BouncedAddress, error) {
	if clientID == 0 {
		if err := access.RequireCapability(ctx, access.ReadClients); err != nil {
			return nil, err
		}
	} else if err := access.Require(ctx, access.Contacts, clientID); err != nil {
		return nil, err
	}
	return s.Store.BouncedAddresses(ctx, clientID, bouncedShown)
}

// ClearBounce lets mail go to an address again: of a contact, or (0) of the client itself. Whoever
// manages the client's contacts may.
func (s *Service) ClearBounce(ctx context.Context, clientID id.Client, contactID id.Contact) error {
	if err := access.RequireChange(ctx, access.Contacts, clientID, access.ManageReminders); err != nil {
		return err
	}
	if contactID != 0 {
		contact, err := s.Store.Contact(ctx, contactID)
		if err != nil {
			return err
		}
		if contact.ClientID != clientID {
			return fault.Missing()
		}
	}
	before, err := bounceOf(ctx, s.Store, clientID, contactID)
	if err != nil {
		return err
	}
	return s.audited(ctx, db.AuditEntry{Client: clientID, Verb: "reminder.bounce.clear", Object: recipient(clientID, contactID),
		Before: map[string]any{"bouncedEmail": before.BouncedEmail}, After: map[string]any{"bouncedEmail": ""}}, func(tx *db.Store) error {
		return tx.MarkBounce(ctx, clientID, contactID, db.Bounce{})
	})
}
