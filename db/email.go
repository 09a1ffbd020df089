package db

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// What a kept mail is about.
const (
	EmailInvoice      = "invoice"      // announces an invoice
	EmailReminder     = "reminder"     // reminds of invoices
	EmailFiscal       = "fiscal"       // brings a fiscal document
	EmailCancellation = "cancellation" // tells of a fiscal document's cancellation
	EmailInvitation   = "invitation"   // invites a contact to sign in
	EmailHandover     = "handover"     // offers the ownership of the client
	EmailAccess       = "access"       // tells a contact of its new login
	EmailVerification = "verification" // asks a contact to confirm its address
	EmailNotice       = "notice"       // tells the owner that an address returned mail, or unsubscribed
)

// The states of a kept mail.
const (
	EmailWaiting   = "waiting"   // the mail server put it off; it is tried again
	EmailSent      = "sent"      // the mail server took it over
	EmailFailed    = "failed"    // given up
	EmailBounced   = "bounced"   // taken over, then returned
	EmailWithdrawn = "withdrawn" // put off, and then not to be sent any more
)

// Email is a mail that a client was sent, as it was sent but for what gives access (see mail.Message.Inert).
type Email struct {
	bun.BaseModel `bun:"table:email"`

	ID         id.Email    `bun:"id,pk,autoincrement"`
	ClientID   id.Client   `bun:"client_id"`
	ContactID  id.Contact  `bun:"contact_id,nullzero"`  // 0: the client's own address, or its owner's
	DeliveryID id.Delivery `bun:"delivery_id,nullzero"` // of a reminder: the first of those that the mail is for
	InvoiceID  id.Invoice  `bun:"invoice_id,nullzero"`  // what it is about; 0: several, or none
	Kind       string      `bun:"kind"`
	Status     string      `bun:"status"`
	Reason     string      `bun:"reason"` // why it is not sent: refused, gave_up, retry, hard, soft, or that of the delivery
	Detail     string      `bun:"detail"` // the mail server's words
	MessageID  string      `bun:"message_id"`
	Name       string      `bun:"name"` // how the recipient was greeted
	Address    string      `bun:"address"`
	Language   string      `bun:"language"`
	Subject    string      `bun:"subject"`
	Files      []string    `bun:"files,array"` // names of what was attached
	Text       string      `bun:"body,nullzero"`
	HTML       string      `bun:"-"`
	Frame      string      `bun:"frame,nullzero"`                    // hash of the frame of the HTML part (see mail.Split); "" for none
	Own        string      `bun:"html,nullzero"`                     // what is the mail's own of it
	CreatedAt  time.Time   `bun:"created_at,nullzero,default:now()"` // first attempt
	SentAt     *time.Time  `bun:"sent_at"`

	frame string // what Frame is the hash of
}

// NewEmail is a message as it is kept, before it is known how the sending ends.
func NewEmail(kind string, clientID id.Client, contactID id.Contact, m mail.Message) *Email {
	// What a frame leaves is a third of the document, so the secrets are looked for there; none may stay in the frame.
	frame, own := mail.Split(storable(m.HTML))
	if slices.ContainsFunc(m.Secrets, func(secret string) bool { return secret != "" && strings.Contains(frame, secret) }) {
		frame, own = mail.Split(storable(m.Inert().HTML))
	}
	m.HTML = own
	m = m.Inert()
	e := &Email{frame: frame, Own: m.HTML, ClientID: clientID, ContactID: contactID, Kind: kind, MessageID: m.ID, Name: storable(m.ToName), Address: m.To, Language: m.Language,
		Subject: storable(m.Subject), Text: storable(m.Text), Files: []string{}}
	for _, file := range m.Attachments {
		e.Files = append(e.Files, storable(file.Name))
	}
	return e
}

// Went notes how the attempt to send ended.
func (e *Email) Went(receipt mail.Receipt, err error) *Email {
	refusal, refused := mail.AsRefusal(err)
	switch {
	case err == nil:
		now := time.Now()
		e.Status, e.Detail, e.SentAt = EmailSent, storable(receipt.Reply), &now
	case refused && refusal.Permanent:
		e.Status, e.Reason, e.Detail = EmailFailed, "refused", storable(refusal.Reply)
	default:
		e.Status, e.Reason, e.Detail = EmailWaiting, "retry", storable(err.Error())
	}
	return e
}

// storable is text as PostgreSQL takes it: UTF-8 without NUL. A note that it refused would send the mail again.
func storable(text string) string {
	if utf8.ValidString(text) && !strings.Contains(text, "\x00") {
		return text
	}
	return strings.ReplaceAll(strings.ToValidUTF8(text, "�"), "\x00", " ")
}

// keepConflict is what a further attempt with the same Message-ID changes. What was sent stays sent.
const keepConflict = `status = excluded.status, reason = excluded.reason, detail = excluded.detail, address = excluded.address, name = excluded.name,
	language = excluded.language, subject = excluded.subject, files = excluded.files, body = excluded.body, html = excluded.html, frame = excluded.frame, sent_at = excluded.sent_at`

const keepCondition = `email.status NOT IN ('sent', 'bounced') OR excluded.status = 'sent'`

// keepTypes are the columns that keepSQL writes.
var keepTypes = []string{"bigint", "bigint", "bigint", "bigint", "text", "text", "text", "text", "text", "text", "text", "text", "text", "text", "text", "text", "text"}

// keepSQL inserts mails given as one array per column, the first of them parameter n.
func keepSQL(n int) string {
	arrays := make([]string, len(keepTypes))
	for i, t := range keepTypes {
		arrays[i] = fmt.Sprintf("$%d::%s[]", n+i, t)
	}
	return `INSERT INTO email (client_id, contact_id, delivery_id, invoice_id, kind, status, reason, detail, message_id, name, address, language, subject, files, body, html, frame, sent_at)
	SELECT client_id, nullif(contact_id, 0), nullif(delivery_id, 0), nullif(invoice_id, 0), kind, status, reason, detail, message_id, name, address, language, subject,
		string_to_array(files, E'\n'), nullif(body, ''), nullif(html, ''), nullif(frame, ''), CASE WHEN status = 'sent' THEN now() END
	FROM unnest(` + strings.Join(arrays, ", ") + `) AS e (client_id, contact_id, delivery_id, invoice_id, kind, status, reason, detail, message_id, name, address, language, subject, files, body, html, frame)
	ON CONFLICT (message_id) DO UPDATE SET ` + keepConflict + ` WHERE ` + keepCondition
}

// keepArrays are the arguments of keepSQL. Of mails with the same Message-ID the last counts: a statement
// changes a row once.
func keepArrays(emails []*Email) []any {
	last := make(map[string]int, len(emails))
	for i, e := range emails {
		last[e.MessageID] = i
	}
	n := len(last)
	var numbers [4][]int64
	var texts [13][]string
	for i := range numbers {
		numbers[i] = make([]int64, 0, n)
	}
	for i := range texts {
		texts[i] = make([]string, 0, n)
	}
	for i, e := range emails {
		if last[e.MessageID] != i {
			continue
		}
		for k, v := range [...]int64{int64(e.ClientID), int64(e.ContactID), int64(e.DeliveryID), int64(e.InvoiceID)} {
			numbers[k] = append(numbers[k], v)
		}
		for k, v := range [...]string{e.Kind, e.Status, e.Reason, e.Detail, e.MessageID, e.Name, e.Address, e.Language, e.Subject, strings.Join(e.Files, "\n"), e.Text, e.Own, e.Frame} {
			texts[k] = append(texts[k], v)
		}
	}
	args := make([]any, 0, len(keepTypes))
	for _, list := range numbers {
		args = append(args, list)
	}
	for _, list := range texts {
		args = append(args, list)
	}
	return args
}

// framesSQL inserts frames given as arrays of hashes and texts, the first of them parameter n.
func framesSQL(n int) string {
	return fmt.Sprintf("INSERT INTO email_frame (hash, html) SELECT hash, html FROM unnest($%d::text[], $%d::text[]) AS f (hash, html) ON CONFLICT (hash) DO NOTHING", n, n+1)
}

// hashFrames gives mails the hashes of their frames and returns the frames that this process has not stored yet.
func (s *Store) hashFrames(emails []*Email) (hashes, frames []string) {
	hashes, frames = []string{}, []string{}
	for _, e := range emails {
		if e.frame == "" {
			continue
		}
		if known, ok := s.frames.Load(e.frame); ok {
			e.Frame, _ = known.(string)
			continue
		}
		if e.Frame = frameHash(e.frame); !slices.Contains(hashes, e.Frame) {
			hashes, frames = append(hashes, e.Frame), append(frames, e.frame)
		}
	}
	return hashes, frames
}

func frameHash(frame string) string {
	sum := sha256.Sum256([]byte(frame))
	return hex.EncodeToString(sum[:16])
}

// KeepEmail writes how a mail went. A further attempt with the same Message-ID changes the row of the first.
func (s *Store) KeepEmail(ctx context.Context, e *Email) error {
	if e.frame != "" {
		e.Frame = frameHash(e.frame)
		if _, err := s.idb.NewRaw(`INSERT INTO email_frame (hash, html) VALUES (?, ?) ON CONFLICT (hash) DO NOTHING`, e.Frame, e.frame).Exec(ctx); err != nil {
			return translate(err)
		}
	}
	_, err := s.idb.NewInsert().Model(e).On("CONFLICT (message_id) DO UPDATE").Set(keepConflict).Where(keepCondition).Returning("NULL").Exec(ctx)
	return translate(err)
}

// WithdrawEmail notes that a mail that was put off is not to be sent any more.
func (s *Store) WithdrawEmail(ctx context.Context, messageID, reason string) error {
	_, err := s.idb.NewUpdate().Table("email").Set("status = 'withdrawn'").Set("reason = ?", reason).Where("message_id = ?", messageID).Where("status = 'waiting'").Exec(ctx)
	return translate(err)
}

// BounceEmail notes that a mail to the address came back, and returns it. found is false when no such mail
// was sent, or its return was noted before. The domain of the address may be in its ASCII form.
func (s *Store) BounceEmail(ctx context.Context, messageID, address, reason, detail string) (e Email, found bool, err error) {
	rows := []Email{}
	err = s.idb.NewRaw(`UPDATE email SET status = 'bounced', reason = ?2, detail = ?3 WHERE message_id = ?0 AND lower(address) IN (lower(?1), lower(?4)) AND status = 'sent'
		RETURNING id, client_id, coalesce(contact_id, 0) AS contact_id, kind, address`, messageID, address, reason, storable(detail), mail.Unicode(address)).Scan(ctx, &rows)
	if err != nil || len(rows) == 0 {
		return Email{}, false, translate(err)
	}
	return rows[0], true, nil
}

// EmailFilter limits a list of mails. Zero values do not limit.
type EmailFilter struct {
	Client   id.Client  // whose; required
	Kinds    []string   // required: none finds nothing
	Contact  id.Contact // to this contact
	Own      bool       // to the client's own address or its owner's
	Statuses []string
	From     time.Time
	Until    time.Time // exclusive
}

// emailContent are the columns that a list does without.
var emailContent = []string{"body", "html"}

// Emails lists mails without their content, the newest first.
func (s *Store) Emails(ctx context.Context, filter EmailFilter, page Page) (List[Email], error) {
	rows := []Email{}
	q := s.idb.NewSelect().Model(&rows).ExcludeColumn(emailContent...).Where("client_id = ?", filter.Client).
		Where("kind IN (?)", bun.List(append([]string{""}, filter.Kinds...)))
	if filter.Contact != 0 {
		q = q.Where("contact_id = ?", filter.Contact)
	}
	if filter.Own {
		q = q.Where("contact_id IS NULL")
	}
	if len(filter.Statuses) > 0 {
		q = q.Where("status IN (?)", bun.List(filter.Statuses))
	}
	if !filter.From.IsZero() {
		q = q.Where("created_at >= ?", filter.From)
	}
	if !filter.Until.IsZero() {
		q = q.Where("created_at < ?", filter.Until)
	}
	return readPage(ctx, s, q, &rows, page, order[Email]{by: []key{{"id", "bigint"}}, descending: true, of: func(e Email) []any { return []any{int64(e.ID)} }})
}

// EmailsByID returns the mails with their content, in no order.
func (s *Store) EmailsByID(ctx context.Context, ids []id.Email) ([]Email, error) {
	rows := []Email{}
	if len(ids) == 0 {
		return rows, nil
	}
	parted := []struct {
		Email     `bun:",extend"`
		FrameHTML string `bun:"frame_html"`
	}{}
	err := s.idb.NewRaw(`SELECT e.*, f.html AS frame_html FROM email AS e LEFT JOIN email_frame AS f ON f.hash = e.frame WHERE e.id IN (?)`, bun.List(ids)).Scan(ctx, &parted)
	for _, row := range parted {
		row.HTML = mail.Join(row.FrameHTML, row.Own)
		rows = append(rows, row.Email)
	}
	return rows, translate(err)
}

// ForgetEmails removes the content of mails from before the moment, at most limit of them, and returns how many.
func (s *Store) ForgetEmails(ctx context.Context, before time.Time, limit int) (int64, error) {
	result, err := s.idb.NewRaw(`UPDATE email SET body = NULL, html = NULL, frame = NULL WHERE id IN (
		SELECT id FROM email WHERE created_at < ? AND (body IS NOT NULL OR html IS NOT NULL OR frame IS NOT NULL) LIMIT ? FOR UPDATE SKIP LOCKED)`, before, limit).Exec(ctx)
	if err != nil {
		return 0, translate(err)
	}
	return result.RowsAffected()
}
