// Package email writes the mails that people receive: for every mail a text and an HTML part that say
// the same, in the recipient's language.
package email

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"unicode"

	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

// Reminder writes the mail that announces an invoice or reminds of it. It has one recipient, whom it
// greets by name. A company or recipient without a usable address, or links that are no web
// addresses, are errors: such a mail could not arrive or would lead nowhere.
func Reminder(ctx context.Context, r reminder.Reminder, links Links) (mail.Message, error) {
	to, ok := mail.Address(r.To)
	if !ok {
		return mail.Message{}, fmt.Errorf("recipient %q is no email address", r.To)
	}
	from, ok := mail.Address(r.Company.Email)
	if !ok {
		return mail.Message{}, fmt.Errorf("the company's address %q is no email address", r.Company.Email)
	}
	if !links.valid() {
		return mail.Message{}, fmt.Errorf("base address %q is no web address", links.BaseURL)
	}
	if !validMessageID(r.MessageID) {
		return mail.Message{}, fmt.Errorf("message id %q is malformed", r.MessageID)
	}
	if !locale.Valid(r.Language) {
		r.Language = locale.Spanish
	}
	r.Name, r.Client, r.Number, r.Company.Name = line(r.Name), line(r.Client), line(r.Number), line(r.Company.Name)
	for _, url := range []string{r.Link, r.Preferences} {
		if url != "" && !(Links{BaseURL: url}).valid() {
			return mail.Message{}, fmt.Errorf("personal link %q is no web address", url)
		}
	}
	l := newLetter(r, links)
	var html strings.Builder
	if err := document(l).Render(ctx, &html); err != nil {
		return mail.Message{}, err
	}
	return mail.Message{
		ID: r.MessageID, FromName: r.Company.Name, From: from, ReplyTo: from, ToName: r.Name, To: to,
		Subject: l.Subject, Text: text(l), HTML: html.String(), Language: r.Language,
		// The address that a person reads comes first: it works for who cannot sign in.
		Unsubscribe: "<" + unsubscribeAddress(from, l) + ">, <" + links.Contacts() + ">",
	}, nil
}

// unsubscribeAddress is the mailto address of List-Unsubscribe (RFC 2369 section 3.2), with a subject
// that tells the company what is wanted.
func unsubscribeAddress(company string, l letter) string {
	return "mailto:" + url.PathEscape(company) + "?subject=" + url.PathEscape(locale.T(l.Language, "mail.unsubscribe")+": "+l.Email)
}

// line makes text fit for a header and for one line of a mail: what is not printable, breaks the line
// or turns the direction of writing becomes a space, and white space is collapsed.
func line(text string) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029' || r == unicode.ReplacementChar {
			return ' '
		}
		return r
	}, text)), " ")
}

// validMessageID accepts "left@right" of visible ASCII without angle brackets (RFC 5322 section 3.6.4).
func validMessageID(text string) bool {
	left, right, ok := strings.Cut(text, "@")
	if !ok || left == "" || right == "" || strings.Contains(right, "@") {
		return false
	}
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r > '~' || strings.ContainsRune(`<>()[]",;:\`, r) })
}
