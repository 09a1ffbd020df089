package reminder

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// Reminder is what one mail says.
type Reminder struct {
	MessageID   string
	To          string
	Name        string // how the recipient is greeted
	Language    string
	Client      string
	ClientID    id.Client
	ContactID   id.Contact // 0: the client's own address
	StepID      id.Step
	InvoiceID   id.Invoice
	Number      string
	IssueDate   date.Date
	DueDate     date.Date
	DaysLeft    int // to the due date in the client's zone; negative when overdue
	Total       money.Minor
	Balance     money.Minor
	Currency    money.Currency
	Issued      bool             // announces the invoice; otherwise it reminds of it
	LateFees    []db.LateFee     // that the invoice will bear if it stays unpaid
	Lines       []db.InvoiceLine // what it bills; read only for a template that shows it
	Link        string           // the personal page of the invoice, or of all of them; "" where the installation has no address
	PaymentLink string           // the same page, at the place where it is paid
	// Preferences is the personal page on which the recipient turns these mails off, "" as with Link.
	Preferences string
	Company     db.Company
	Words       *Words // of the company's own template; nil: the built-in ones
	// Invoices are the parts of a mail about several invoices that are due on the same day: Number names
	// them all, Total and Balance are their sums. It is nil in a mail about one.
	Invoices []Reminder
}

// Words are the words of a template, filled in. All of it is plain text.
type Words struct {
	Subject string
	Body    string // paragraphs are parted by an empty line
}

// A mail that the server puts off is given up after maxAttempts that span at least maxAge. With
// mail.Backoff between them that is about two days.
const (
	maxAttempts = 16
	maxAge      = 40 * time.Hour
)

// Dispatch hands out deliveries that are due, for the queue. The relay calls it.
func (s *Service) Dispatch(ctx context.Context, limit, backlog int) ([]db.Taken, error) {
	if err := access.RequireSystem(ctx); err != nil {
		return nil, err
	}
	return s.Store.TakeDeliveries(ctx, limit, backlog, 2*s.Lease)
}

// Send sends deliveries one after the other, except those that the last look says must not go out.
// Any number of calls, from any number of workers, send each once: a worker claims it right before
// sending, and only one claim succeeds. A crash between the mail server's acceptance and our note of
// it is the one case in which a mail goes out again after the lease; it carries the same Message-ID,
// and the ledger shows the interruption. No more than the one mail in flight is concerned, because
// the note of one mail and the claim of the next are one statement.
//
// It stops when the context ends or a lease has passed, and gives back what it did not begin. The
// returned error means that nothing could be noted: the database is down.
func (s *Service) Send(ctx context.Context, ids []id.Delivery) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	s.advances.join()
	defer s.advances.leave()
	// What happened is noted even when the process is being stopped.
	noting := context.WithoutCancel(ctx)
	began := time.Now()
	var done []db.Outcome
	for len(ids) > 0 && ctx.Err() == nil && time.Since(began) < s.Lease {
		row, ok, err := s.advance(noting, done, ids[0])
		if err != nil {
			return err
		}
		ids, done = ids[1:], nil
		if ok {
			if done, err = s.sendClaimed(ctx, row); err != nil {
				return err
			}
		}
	}
	if len(done) > 0 {
		if _, _, err := s.advance(noting, done, 0); err != nil {
			return err
		}
	}
	return s.Store.ReleaseQueue(noting, ids)
}

// sendRows sends claimed deliveries in one mail, except those that must not go out, and says how each
// ended.
func (s *Service) sendRows(ctx context.Context, rows []db.Sending) ([]db.Outcome, error) {
	ends := make([]db.Outcome, 0, len(rows))
	together := make([]db.Sending, 0, len(rows))
	for _, row := range rows {
		end := db.Outcome{Delivery: row.Delivery, Status: db.DeliverySkipped}
		if end.Reason = lastLook(row, s.Now()); end.Reason != "" {
			ends = append(ends, end)
			continue
		}
		wait, reason, err := s.tooSoon(ctx, row)
		if err != nil {
			return nil, err
		}
		if wait > 0 {
			end.Status, end.Reason, end.Wait, end.Event = db.DeliveryPlanned, reason, wait, "deferred"
			ends = append(ends, end)
			continue
		}
		together = append(together, row)
	}
	if len(together) == 0 {
		return ends, nil
	}
	end, err := s.sendMail(ctx, together)
	if err != nil {
		return nil, err
	}
	for _, row := range together {
		end.Delivery = row.Delivery
		if end.Status == db.DeliverySent {
			end.Delivery.Email, end.Delivery.Language = row.Recipient.Email, row.Recipient.Language
		}
		ends = append(ends, end)
	}
	return ends, nil
}

// sendMail sends one mail to the recipient of the rows and says how that ended for all of them.
func (s *Service) sendMail(ctx context.Context, rows []db.Sending) (db.Outcome, error) {
	row := rows[0]
	end := db.Outcome{Status: db.DeliveryPlanned}
	domain := strings.ToLower(mail.DomainOf(row.Recipient.Email))
	leave, wait := s.Gate.enter(ctx, domain)
	if wait > 0 {
		end.Reason, end.Wait, end.Event = "domain_waits", wait, "deferred"
		return end, nil
	}
	company, err := s.company(ctx)
	if err != nil {
		leave(nil)
		return end, err
	}
	key, err := s.linkKey(ctx)
	if err != nil {
		leave(nil)
		return end, err // the database, not the mail
	}
	parts := make([]Reminder, len(rows))
	for i, row := range rows {
		parts[i] = compose(row, company, s.Now(), key)
		if parts[i].LateFees, err = s.lateFees(ctx, row.InvoiceID); err != nil {
			leave(nil)
			return end, err
		}
	}
	s.cached.Lock()
	templates := s.cached.templates
	s.cached.Unlock()
	if err := s.addLines(ctx, rows, parts, templates); err != nil {
		leave(nil)
		return end, err // the database, not the mail
	}
	message, err := s.write(ctx, rows, parts, templates, s.sign)
	if err != nil {
		leave(nil)
		end.Status, end.Reason, end.Detail = db.DeliveryFailed, "render", err.Error()
		return end, nil //nolint:nilerr // the ledger keeps it: the mail failed, not the ledger
	}
	// The mail server gets less time than the lease, so that a claim never outlives its worker's work.
	sending, cancel := context.WithTimeout(ctx, s.Lease*2/3)
	receipt, err := s.Mailer.Send(sending, message)
	cancel()
	leave(err)
	end.Email = kept(rows, message).Went(receipt, err)
	refusal, refused := mail.AsRefusal(err)
	switch {
	case err == nil:
		end.Status, end.MessageID, end.Detail = db.DeliverySent, message.ID, receipt.Reply
	case refused && refusal.Permanent:
		end.Status, end.Reason, end.Detail = db.DeliveryFailed, "refused", refusal.Reply
	case row.Attempts >= maxAttempts && s.Now().Sub(row.SendAt) > maxAge:
		end.Status, end.Reason, end.Detail = db.DeliveryFailed, "gave_up", err.Error()
		end.Email.Status, end.Email.Reason = db.EmailFailed, end.Reason
	default:
		end.Reason, end.Detail, end.Event = "retry", err.Error(), "retry"
		end.Wait = mail.Backoff(row.Attempts)
	}
	return end, nil
}

// kept is the rows' mail for the list of what the client was sent.
func kept(rows []db.Sending, message mail.Message) *db.Email {
	row, kind := rows[0], db.EmailReminder
	if row.Anchor == db.AnchorIssue {
		kind = db.EmailInvoice
	}
	e := db.NewEmail(kind, row.ClientID, row.ContactID, message)
	e.DeliveryID = row.ID
	if len(rows) == 1 {
		e.InvoiceID = row.InvoiceID
	}
	return e
}

// signer makes the token of a personal link: a real one, or one of a preview, which opens nothing.
type signer func(context.Context, Link) (string, error)

// write makes the mail: with the words of the step's template where one of the templates is for it, with
// the documents that the policy attaches, and with the link by which a mail program unsubscribes in one
// click (RFC 8058).
func (s *Service) write(ctx context.Context, rows []db.Sending, parts []Reminder, templates []db.MailTemplate, sign signer) (mail.Message, error) {
	var secrets []string // every token in the mail
	plain := sign
	sign = func(ctx context.Context, l Link) (string, error) {
		token, err := plain(ctx, l)
		secrets = append(secrets, token)
		return token, err
	}
	if err := s.addLinks(ctx, rows, parts, sign); err != nil {
		return mail.Message{}, err
	}
	r := combine(parts)
	if len(rows) > 1 && s.LinkURL != nil {
		link, err := s.personal(ctx, rows[0], r.To, LinkInvoices, sign)
		if err != nil {
			return mail.Message{}, err
		}
		r.Link = link
	}
	if r.Link != "" {
		r.PaymentLink = r.Link + paymentPlace
	}
	if t := templateOf(rows[0], r.Language, templates); t.Body != "" {
		words, err := fill(t, r)
		if err != nil {
			return mail.Message{}, err
		}
		r.Words = &words
	}
	message, err := s.Render(ctx, r)
	if err != nil {
		return message, err
	}
	message.Secrets = secrets
	for _, row := range rows {
		if row.Policy.AttachPDF && row.PDFKey != "" && s.Billing != nil && s.Billing.Files != nil {
			// A PDF that cannot be read must not lose the mail, which links to the invoice anyway.
			if data, err := s.Billing.Files.ReadAll(ctx, row.PDFKey); err == nil {
				message.Attachments = append(message.Attachments, mail.Attachment{Name: row.InvoiceNumber + ".pdf", ContentType: "application/pdf", Data: data})
			}
		}
		if row.UUID != "" {
			message.Attachments = append(message.Attachments, mail.Attachment{Name: row.InvoiceNumber + ".xml", ContentType: "application/xml", Data: row.XML})
		}
	}
	if r.Preferences != "" {
		message.Unsubscribe = "<" + r.Preferences + ">"
		message.Headers = map[string]string{"List-Unsubscribe-Post": "List-Unsubscribe=One-Click"}
	}
	return message, nil
}

// paymentPlace is where the pages of personal links are paid.
const paymentPlace = "#pagar"

// templateOf is the template for a row's mail in a language; the built-in one, without a body, where there is none.
func templateOf(row db.Sending, language string, templates []db.MailTemplate) (found db.MailTemplate) {
	for _, t := range templates {
		if t.Anchor == row.Anchor && t.Days == row.Days && t.Language == language {
			found = t
		}
	}
	return found
}

// addLines gives the parts of a mail what their invoices bill, where the template shows it: one statement.
func (s *Service) addLines(ctx context.Context, rows []db.Sending, parts []Reminder, templates []db.MailTemplate) error {
	if !usesLines(templateOf(rows[0], parts[0].Language, templates)) {
		return nil
	}
	ids := make([]id.Invoice, len(rows))
	for i, row := range rows {
		ids[i] = row.InvoiceID
	}
	lines, err := s.Store.InvoiceLines(ctx, ids...)
	for _, line := range lines {
		i := slices.Index(ids, line.InvoiceID)
		parts[i].Lines = append(parts[i].Lines, line)
	}
	return err
}

// addLinks gives the parts of a mail their personal links, where the installation has pages.
func (s *Service) addLinks(ctx context.Context, rows []db.Sending, parts []Reminder, sign signer) (err error) {
	if s.LinkURL == nil {
		return nil
	}
	for i := range parts {
		if parts[i].Link, err = s.personal(ctx, rows[i], parts[i].To, LinkInvoice, sign); err != nil {
			return err
		}
	}
	parts[0].Preferences, err = s.personal(ctx, rows[0], parts[0].To, LinkPreferences, sign)
	return err
}

// personal is a link of the kind for the recipient of a row.
func (s *Service) personal(ctx context.Context, row db.Sending, email, kind string, sign signer) (string, error) {
	l := Link{Kind: kind, ClientID: row.ClientID, ContactID: row.ContactID, Email: email}
	switch kind {
	case LinkInvoice:
		l.InvoiceID = row.InvoiceID
	case LinkInvoices:
		l.InvoiceID, l.StepID = row.InvoiceID, row.StepID
	}
	token, err := sign(ctx, l)
	return s.LinkURL(kind, token), err
}

// lastLook is the reason not to send, "" to send: the world may have changed since the plan.
func lastLook(row db.Sending, now time.Time) string {
	today := date.Today(now, row.ClientTimezone)
	switch {
	case row.InvoiceStatus == db.InvoicePaid:
		return "paid"
	case row.InvoiceStatus != db.InvoiceIssued && row.InvoiceStatus != db.InvoicePartlyPaid:
		return row.InvoiceStatus
	case row.Balance <= 0:
		return "paid"
	case row.InvoicePause.Paused(today) && !row.InvoicePause.Shifts(), row.ClientPause.Paused(today) && !row.ClientPause.Shifts():
		return "paused"
	case row.Recipient.Deleted:
		return "contact_deleted"
	case !row.Recipient.Wants:
		return "preference_off"
	case row.Recipient.Bounces:
		return "bounced"
	case row.Recipient.Unverified:
		return "unverified"
	case row.Superseded:
		return "superseded"
	case today.Sub(due(row)) > row.Policy.CatchUpDays+retryDays:
		return "missed"
	}
	return ""
}

// retryDays is how much longer than the policy's catch-up days a mail may be on its way: as long as a mail
// server is asked again.
const retryDays = 2

// due is the day on which a mail should have gone out, at the earliest the one on which a shifting pause ended.
func due(row db.Sending) date.Date {
	day := date.Today(row.SendAt, row.ClientTimezone)
	for _, pause := range []db.Pause{row.InvoicePause, row.ClientPause} {
		if pause.Shifts() {
			day = max(day, pause.PausedUntil)
		}
	}
	return day
}

// tooSoon is how long a mail must wait although it was handed out, see held.
func (s *Service) tooSoon(ctx context.Context, row db.Sending) (wait time.Duration, reason string, err error) {
	now := s.Now()
	if reason = held(row, now); reason == "" {
		return 0, "", nil
	}
	days, err := s.calendar(ctx, date.Today(now, row.ClientTimezone))
	if err != nil {
		return 0, "", err
	}
	return days.resumes(row, now, reason).Sub(now), reason, nil
}

// companyAge is how old the company's data in a mail may be.
const companyAge = 2 * time.Second

// company returns the company, read once for many mails.
func (s *Service) company(ctx context.Context) (db.Company, error) {
	s.cached.Lock()
	defer s.cached.Unlock()
	if s.cached.company != nil && time.Since(s.cached.at) < companyAge {
		return *s.cached.company, nil
	}
	company, err := s.Store.Company(ctx)
	if err != nil {
		return company, err
	}
	rules, err := s.Store.LateFeeRules(ctx)
	if err != nil {
		return company, err
	}
	templates, err := s.Store.TemplatesInForce(ctx)
	if err == nil {
		s.cached.company, s.cached.noFees, s.cached.templates, s.cached.at = &company, len(rules) == 0, templates, time.Now()
	}
	return company, err
}

// compose fills the reminder from the claimed row.
func compose(row db.Sending, company db.Company, now time.Time, key []byte) Reminder {
	return Reminder{
		MessageID: messageID(row, company, key),
		To:        row.Recipient.Email, Name: row.Recipient.Name, Language: row.Recipient.Language,
		Client: row.ClientName, ClientID: row.ClientID, ContactID: row.ContactID, StepID: row.StepID,
		InvoiceID: row.InvoiceID, Number: row.InvoiceNumber, IssueDate: row.IssueDate, DueDate: row.DueDate,
		DaysLeft: row.DueDate.Sub(date.Today(now, row.ClientTimezone)), Total: row.Total, Balance: row.Balance, Currency: row.Currency,
		Issued: row.Anchor == db.AnchorIssue, Company: company,
	}
}

// messageID is the Message-ID of a delivery's mail: the same in every attempt (see mail.ID).
func messageID(row db.Sending, company db.Company, key []byte) string {
	if row.MessageID != "" {
		return row.MessageID
	}
	return mail.ID(key, fmt.Sprintf("reminder.%d.%d.%d", row.InvoiceID, row.StepID, row.ContactID), company.Email)
}
