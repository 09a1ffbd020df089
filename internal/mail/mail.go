package mail

import (
	"context"
	"errors"
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// Message is one mail to one recipient. Nobody is ever put in copy: each recipient gets an own mail.
type Message struct {
	ID          string // the Message-ID without angle brackets; deterministic for reminders
	FromName    string
	From        string
	ReplyTo     string // optional
	ToName      string
	To          string
	Subject     string
	Text        string
	HTML        string
	Language    string            // Content-Language
	Unsubscribe string            // optional value of List-Unsubscribe: <...> entries (RFC 2369)
	Headers     map[string]string // optional extra headers
	Attachments []Attachment
	Secrets     []string // parts of the text and the HTML that give access to whoever knows them: tokens of links
}

// Inert is the message as others than its recipient may read it: asterisks stand where its secrets were,
// so that its personal links open nothing.
func (m Message) Inert() Message {
	for _, secret := range m.Secrets {
		if secret != "" {
			m.Subject, m.Text, m.HTML = strings.ReplaceAll(m.Subject, secret, "***"), strings.ReplaceAll(m.Text, secret, "***"), strings.ReplaceAll(m.HTML, secret, "***")
		}
	}
	m.Unsubscribe, m.Headers, m.Secrets = "", nil, nil
	return m
}

// Attachment is a file of a message.
type Attachment struct {
	Name        string
	ContentType string
	Data        []byte
}

// Receipt is what the mail server answered when it took the message over.
type Receipt struct{ Reply string }

// Sender hands a message to a mail server. It returns a *Refusal when the server answered with an
// error; any other error means that the outcome is a failed connection, safe to try again.
type Sender interface {
	Send(ctx context.Context, m Message) (Receipt, error)
}

// Refusal is the mail server's "no".
type Refusal struct {
	Code      int // SMTP reply code (RFC 5321 section 4.2)
	Reply     string
	Permanent bool // 5yz: do not try again
}

func (r *Refusal) Error() string { return r.Reply }

// AsRefusal returns the refusal inside err, if there is one.
func AsRefusal(err error) (*Refusal, bool) {
	var r *Refusal
	ok := errors.As(err, &r)
	return r, ok
}

// Address returns the bare, trimmed form of an email address as people type it, and whether it is
// one we can send to: one mailbox, a domain with a dot or an IDN, no control characters, at most
// 254 bytes (RFC 5321 section 4.5.3.1).
func Address(text string) (string, bool) {
	text = strings.TrimSpace(text)
	if len(text) > 254 || strings.ContainsAny(text, "\r\n\t<>\"(),:;\\ \x00") {
		return text, false
	}
	parsed, err := mail.ParseAddress(text)
	if err != nil || parsed.Address != text {
		return text, false
	}
	local, domain, ok := strings.Cut(text, "@")
	if !ok || len(local) > 64 || strings.Contains(domain, "@") || !strings.Contains(domain, ".") {
		return text, false
	}
	for label := range strings.SplitSeq(domain, ".") {
		if label == "" || len(label) > 63 || strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-") {
			return text, false
		}
	}
	for _, r := range text {
		if r < 0x20 || r == 0x7f || (r >= 0x80 && r < 0xa0) || r == 0x200b || (r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069) {
			return text, false
		}
	}
	return text, true
}

// Disguised reports whether an address, or a part of one, can pass for another: it is not in its
// compatibility form (Unicode NFKC, as the fullwidth ａ is not), or has letters other than the Latin ones
// that people type, plain or with accents, so that no Cyrillic а and no dotless ı stands for a Latin letter.
// Domains of other scripts can be written in their ASCII form (xn--).
func Disguised(text string) bool {
	if !norm.NFKC.IsNormalString(text) {
		return true
	}
	for _, r := range text {
		base := []rune(norm.NFD.String(string(r)))[0] // the letter under an accent
		if base >= utf8.RuneSelf && !strings.ContainsRune("ßæœø", base) {
			return true
		}
	}
	return false
}

// Backoff is how long to wait before attempt n+1 after n failed ones: 1 min doubling to 4 h.
func Backoff(n int) time.Duration {
	wait := time.Minute
	for range n - 1 {
		if wait *= 2; wait >= 4*time.Hour {
			return 4 * time.Hour
		}
	}
	return wait
}
