package reminder

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// What a personal link opens.
const (
	LinkInvoice     = "invoice"     // one invoice's documents, for 60 days
	LinkInvoices    = "invoices"    // those of a mail about several invoices, for 60 days
	LinkPreferences = "preferences" // the email preferences of one address; unsubscribing must go on working
	LinkVerify      = "verify"      // confirms an address, for 7 days
)

var linkKinds = []string{LinkInvoice, LinkPreferences, LinkVerify, LinkInvoices} // its place is in the token

var linkAge = map[string]time.Duration{LinkInvoice: 60 * 24 * time.Hour, LinkInvoices: 60 * 24 * time.Hour, LinkPreferences: 3 * 365 * 24 * time.Hour, LinkVerify: 7 * 24 * time.Hour}

// Link is what a personal link says: who may open what without signing in.
type Link struct {
	Kind      string
	ClientID  id.Client
	ContactID id.Contact // 0: the client's own address
	InvoiceID id.Invoice // of LinkInvoice; of LinkInvoices the first one
	StepID    id.Step    // of LinkInvoices: with the others it names the mail
	Made      time.Time  // to the second; the zero value: now
	Email     string     // the address it was sent to; a link dies when the address changes
}

// NewLink signs a personal link. Nothing is stored: the token carries what it opens, its age and an
// HMAC-SHA-256 under the installation's key, also over the address. The system only.
func (s *Service) NewLink(ctx context.Context, l Link) (string, error) {
	if err := access.RequireSystem(ctx); err != nil {
		return "", err
	}
	return s.sign(ctx, l)
}

func (s *Service) sign(ctx context.Context, l Link) (string, error) {
	key, err := s.linkKey(ctx)
	if err != nil {
		return "", err
	}
	body := []byte{1, byte(slices.Index(linkKinds, l.Kind))}
	if l.Made.IsZero() {
		l.Made = s.Now()
	}
	made := l.Made.Unix()
	for _, n := range l.numbers(&made) {
		body = binary.AppendVarint(body, *n)
	}
	return base64.RawURLEncoding.EncodeToString(append(body, signature(key, body, l.Email)...)), nil
}

// previewToken stands in the links of previews and test mails. It opens nothing.
const previewToken = "vista-previa"

// numbers are the parts of a token, in order.
func (l *Link) numbers(made *int64) []*int64 {
	list := []*int64{(*int64)(&l.ClientID), (*int64)(&l.ContactID), (*int64)(&l.InvoiceID), made}
	if l.Kind == LinkInvoices {
		list = append(list, (*int64)(&l.StepID))
	}
	return list
}

const signatureSize = 16 // 128 bits of the HMAC

func signature(key, body []byte, email string) []byte {
	mac := hmac.New(sha256.New, key)
	mac.Write(body)
	mac.Write([]byte(strings.ToLower(email)))
	return mac.Sum(nil)[:signatureSize]
}

func (s *Service) linkKey(ctx context.Context) ([]byte, error) {
	s.cached.Lock()
	defer s.cached.Unlock()
	if s.cached.linkKey == nil {
		key, err := s.Store.MailLinkKey(ctx)
		if err != nil {
			return nil, err
		}
		s.cached.linkKey = key
	}
	return s.cached.linkKey, nil
}

func linkInvalid() error { return fault.New(fault.NotFound, "MAIL_LINK_INVALID") }

// OpenLink checks a personal link and returns what it opens. Anybody may call it: the token is the
// permission. A link that is forged, too old, revoked, of another kind or of a former address is the
// same error.
func (s *Service) OpenLink(ctx context.Context, token string, kind string) (Link, error) {
	invalid := linkInvalid()
	if token == previewToken {
		return Link{}, fault.New(fault.NotFound, "MAIL_LINK_PREVIEW")
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil || len(raw) < 2+signatureSize || raw[0] != 1 || int(raw[1]) >= len(linkKinds) || linkKinds[raw[1]] != kind {
		return Link{}, invalid
	}
	body, sum := raw[:len(raw)-signatureSize], raw[len(raw)-signatureSize:]
	var made int64
	l := Link{Kind: kind}
	rest := body[2:]
	for _, to := range l.numbers(&made) {
		n, size := binary.Varint(rest)
		if size <= 0 {
			return Link{}, invalid
		}
		*to, rest = n, rest[size:]
	}
	if l.Made = time.Unix(made, 0).UTC(); s.Now().Sub(l.Made) > linkAge[kind] {
		return Link{}, invalid
	}
	if l.Email, err = s.addressOf(ctx, l); fault.Is(err, fault.NotFound) {
		return Link{}, invalid
	} else if err != nil {
		return Link{}, err
	}
	key, err := s.linkKey(ctx)
	if err != nil {
		return Link{}, err
	}
	if !hmac.Equal(sum, signature(key, body, l.Email)) {
		return Link{}, invalid
	}
	// Unsubscribing goes on working: a revocation takes access away, not the right to be left alone.
	if kind != LinkPreferences {
		revoked, err := s.Store.MailLinkRevoked(ctx, l.ClientID, l.ContactID, l.Made)
		if err != nil {
			return Link{}, err
		}
		if revoked {
			return Link{}, invalid
		}
	}
	return l, nil
}

// addressOf is the present address of a link's recipient.
func (s *Service) addressOf(ctx context.Context, l Link) (string, error) {
	if l.ContactID == 0 {
		client, err := s.Store.Client(ctx, l.ClientID)
		return client.Email, err
	}
	contact, err := s.Store.Contact(ctx, l.ContactID)
	if err == nil && contact.ClientID != l.ClientID {
		err = fault.Missing()
	}
	return contact.Email, err
}

// RevokeContactLinks ends the personal links that a contact was sent until now; unsubscribing goes on
// working. Whoever manages the client's contacts may.
func (s *Service) RevokeContactLinks(ctx context.Context, contactID id.Contact) error {
	if err := access.RequireSignedIn(ctx); err != nil {
		return err
	}
	contact, err := s.Store.Contact(ctx, contactID)
	if err != nil {
		return err
	}
	if err := access.RequireChange(ctx, access.Contacts, contact.ClientID, access.ManageClients); err != nil {
		return err
	}
	return s.revokeLinks(ctx, contact.ClientID, contact.ID)
}

// RevokeClientLinks is RevokeContactLinks for those that a client's own address was sent.
func (s *Service) RevokeClientLinks(ctx context.Context, clientID id.Client) error {
	if err := access.RequireChange(ctx, access.Contacts, clientID, access.ManageClients); err != nil {
		return err
	}
	if _, err := s.Store.Client(ctx, clientID); err != nil {
		return err
	}
	return s.revokeLinks(ctx, clientID, 0)
}

func (s *Service) revokeLinks(ctx context.Context, clientID id.Client, contactID id.Contact) error {
	return s.audited(ctx, db.AuditEntry{Client: clientID, Verb: "maillink.revoke", Object: recipient(clientID, contactID)}, func(tx *db.Store) error {
		return tx.RevokeMailLinks(ctx, clientID, contactID, s.Now())
	})
}

// Preferences is what the page without login shows.
type Preferences struct {
	Link
	Name     string
	Client   string
	Language string
	Topics   []mail.Topic
}

// Preferences opens the preferences of one address by its personal link.
func (s *Service) Preferences(ctx context.Context, token string) (Preferences, error) {
	l, err := s.OpenLink(ctx, token, LinkPreferences)
	if err != nil {
		return Preferences{}, err
	}
	client, err := s.Store.Client(ctx, l.ClientID)
	if err != nil {
		return Preferences{}, err
	}
	p := Preferences{Link: l, Name: client.Name, Client: client.Name, Language: client.Language, Topics: client.Topics}
	if l.ContactID != 0 {
		contact, err := s.Store.Contact(ctx, l.ContactID)
		if err != nil {
			return Preferences{}, err
		}
		p.Name, p.Language, p.Topics = contact.Name(), contact.Language, contact.Topics
	}
	return p, nil
}

// SetReminderPreference turns payment reminders on or off for the address of a personal link, and for
// no other; off is also what one click in a mail program does (RFC 8058). Turning them off tells the
// client's owner and the company. A repetition changes nothing.
func (s *Service) SetReminderPreference(ctx context.Context, token string, on bool) (Preferences, error) {
	p, err := s.Preferences(ctx, token)
	if err != nil || slices.Contains(p.Topics, mail.Invoice) == on {
		return p, err
	}
	err = s.Store.InTx(ctx, func(tx *db.Store) error {
		// One after the other, and what the first one did is done: mail programs repeat their click.
		client, err := tx.LockClient(ctx, p.ClientID)
		if err != nil {
			return err
		}
		before := client.Topics
		if p.ContactID != 0 {
			contact, err := tx.Contact(ctx, p.ContactID)
			if err != nil {
				return err
			}
			before = contact.Topics
		}
		topics := []mail.Topic{}
		for _, t := range mail.Topics() {
			if t == mail.Invoice && on || t != mail.Invoice && slices.Contains(before, t) {
				topics = append(topics, t)
			}
		}
		if p.Topics = topics; slices.Contains(before, mail.Invoice) == on {
			return nil
		}
		if p.ContactID != 0 {
			err = tx.SetContactTopics(ctx, p.ContactID, topics)
		} else {
			err = tx.SetClientTopics(ctx, p.ClientID, topics)
		}
		if err != nil {
			return err
		}
		if err := tx.Audit(ctx, db.AuditEntry{Client: p.ClientID, Verb: "reminder.preference", Object: recipient(p.ClientID, p.ContactID),
			Before: map[string]any{"topics": before}, After: map[string]any{"topics": topics}, Actor: holder(ctx, p.Link)}); err != nil || on {
			return err
		}
		return tell(ctx, tx, NoticeJob{What: "unsubscribed", ClientID: p.ClientID, ContactID: p.ContactID, Email: p.Email,
			Ref: fmt.Sprintf("%d.%d.%d", p.ClientID, p.ContactID, s.Now().UnixMicro())})
	})
	return p, err
}

// VerifiesContacts reports whether contacts that are added must confirm their address. Staff only.
func (s *Service) VerifiesContacts(ctx context.Context) (bool, error) {
	if err := access.RequireStaff(ctx); err != nil {
		return false, err
	}
	company, err := s.Store.Company(ctx)
	return company.VerifyContacts, err
}

// SetVerifyContacts decides whether contacts that are added, or given another address, from now on must confirm
// it before they are reminded. Those there are stay as they are. LINKS_OFF where no page could confirm. Staff only.
func (s *Service) SetVerifyContacts(ctx context.Context, on bool) error {
	if err := access.RequireCapability(ctx, access.ManageClients); err != nil {
		return err
	}
	if on && s.LinkURL == nil {
		return fault.New(fault.Conflict, "LINKS_OFF")
	}
	company, err := s.Store.Company(ctx)
	if err != nil {
		return err
	}
	return s.audited(ctx, db.AuditEntry{Verb: "company.verifycontacts", Before: map[string]any{"verifyContacts": company.VerifyContacts},
		After: map[string]any{"verifyContacts": on}}, func(tx *db.Store) error {
		return tx.SetVerifyContacts(ctx, on, s.Now())
	})
}

// SendVerification does an account.VerifyJob. The system only.
func (s *Service) SendVerification(ctx context.Context, job account.VerifyJob) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	if s.LinkURL == nil {
		return nil // this process has no pages to link to
	}
	contact, err := s.Store.Contact(ctx, job.ContactID)
	if fault.Is(err, fault.NotFound) || err == nil && (strings.EqualFold(contact.VerifiedEmail, contact.Email) || !strings.EqualFold(contact.Email, job.Email)) {
		return nil // deleted, confirmed or changed since, which asks anew
	}
	if err != nil {
		return err
	}
	client, err := s.Store.Client(ctx, contact.ClientID)
	if err != nil {
		return err
	}
	company, err := s.Store.Company(ctx)
	if err != nil {
		return err
	}
	token, err := s.NewLink(ctx, Link{Kind: LinkVerify, ClientID: contact.ClientID, ContactID: contact.ID, Email: contact.Email})
	if err != nil {
		return err
	}
	key, err := s.linkKey(ctx)
	if err != nil {
		return err
	}
	message, err := s.RenderNotice(ctx, VerifyNotice{Client: client.Name, Token: token, URL: s.LinkURL(LinkVerify, token),
		Letter: account.Letter{MessageID: mail.ID(key, fmt.Sprintf("verify.%d.%s", contact.ID, job.Ref), company.Email), To: contact.Email, Name: contact.Name(),
			Language: contact.Language, Company: company}})
	if err != nil {
		return fmt.Errorf("render a request to confirm an address: %w", err)
	}
	receipt, err := s.Mailer.Send(ctx, message)
	if err := s.Store.KeepEmail(ctx, db.NewEmail(db.EmailVerification, client.ID, contact.ID, message).Went(receipt, err)); err != nil {
		return err
	}
	if refusal, refused := mail.AsRefusal(err); refused && refusal.Permanent {
		return nil // the address does not work, which is what was to be found out
	}
	return err
}

// VerifyAddress confirms the address of a personal link.
func (s *Service) VerifyAddress(ctx context.Context, token string) (Link, error) {
	l, err := s.OpenLink(ctx, token, LinkVerify)
	if err != nil {
		return Link{}, err
	}
	return l, s.audited(ctx, db.AuditEntry{Client: l.ClientID, Verb: "contact.verify", Object: l.ContactID.String(), After: map[string]any{"verifiedEmail": l.Email}, Actor: holder(ctx, l)},
		func(tx *db.Store) error { return tx.VerifyAddress(ctx, l.ContactID, l.Email, s.Now()) })
}
