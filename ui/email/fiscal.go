package email

import (
	"context"
	"fmt"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// fiscalLetter is what both parts of the mail of a fiscal document say.
type fiscalLetter struct {
	fiscal.Letter
	Subject, Greeting, Intro, Files, Notice, Link, LinkText string
	Colour, OnColour                                        string
	Facts                                                   [][2]string
	Signature                                               string
}

// FiscalDocument writes a mail about a document: with its XML, and its PDF where there is one, when it is stamped; with
// the receiver's term when its cancellation waits for the receiver; with the acuse when it is cancelled.
func FiscalDocument(ctx context.Context, l fiscal.Letter, links Links) (mail.Message, error) {
	to, ok := mail.Address(l.To)
	if !ok {
		return mail.Message{}, fmt.Errorf("recipient %q is no email address", l.To)
	}
	from, ok := mail.Address(l.Company.Email)
	if !ok {
		return mail.Message{}, fmt.Errorf("the company's address %q is no email address", l.Company.Email)
	}
	if !links.valid() {
		return mail.Message{}, fmt.Errorf("base address %q is no web address", links.BaseURL)
	}
	if !locale.Valid(l.Language) {
		l.Language = locale.Spanish
	}
	l.Name, l.Number, l.Nombre, l.Company.Name = line(l.Name), line(l.Number), line(l.Nombre), line(l.Company.Name)
	t := func(key string, args ...any) string { return locale.T(l.Language, "fiscal.mail."+key, args...) }
	colour := brandColour(l.Company.BrandColour)
	letter := fiscalLetter{Letter: l, Subject: t("subject."+l.Kind, "number", l.Number, "company", l.Company.Name), Greeting: t("greeting", "name", l.Name),
		Intro: t("intro." + l.Kind), Files: t("files"), Link: links.Invoice(l.InvoiceID), LinkText: t("link"), Colour: colour, OnColour: readableOn(colour),
		Signature: l.Company.Signature, Facts: [][2]string{{t("number"), l.Number}, {t("uuid"), l.UUID}, {t("receiver"), joinedFacts(l.Nombre, l.Rfc)},
			{t("total"), l.Total + " " + l.Moneda}}}
	if !l.WithPDF {
		letter.Files = t("files_xml")
	}
	if l.Event != db.MailStamped {
		letter.cancellation()
	}
	if l.Sandbox {
		letter.Notice = t("sandbox")
	}
	if letter.Signature == "" {
		letter.Signature = l.Company.Name
	}
	var html strings.Builder
	if err := fiscalDocument(letter).Render(ctx, &html); err != nil {
		return mail.Message{}, err
	}
	return mail.Message{ID: l.MessageID, FromName: l.Company.Name, From: from, ReplyTo: from, ToName: l.Name, To: to, Subject: line(letter.Subject),
		Text: letter.text(), HTML: html.String(), Language: l.Language, Unsubscribe: "<" + links.Contacts() + ">", Attachments: l.Attachments}, nil
}

// cancellation turns the mail of a document into one about its cancellation.
func (l *fiscalLetter) cancellation() {
	t := func(key string, args ...any) string { return locale.T(l.Language, "cancellation."+key, args...) }
	document := strings.TrimSpace(locale.T(l.Language, "fiscal.kind."+l.Kind) + " " + l.Number)
	day := ""
	if l.Deadline != "" {
		day = longDate(l.Language, l.Deadline)
		l.Facts = append(l.Facts, [2]string{t("mail.deadline"), day})
	}
	l.Subject, l.Intro, l.Files = t("mail.subject."+l.Event, "document", document, "date", day), t("mail.intro."+l.Event, "date", day), t("mail.files."+l.Event)
	if l.Event == db.MailCancelled && len(l.Attachments) == 0 {
		l.Files = t("mail.files.cancelled_bare")
	}
	if l.Motivo != "" {
		l.Facts = append(l.Facts, [2]string{t("mail.motive"), t("motive." + l.Motivo)})
	}
	if l.Replacement != "" {
		l.Facts = append(l.Facts, [2]string{t("mail.replacement"), l.Replacement})
	}
}

func joinedFacts(a, b string) string { return strings.TrimSpace(a + " · " + b) }

func (l fiscalLetter) text() string {
	var b strings.Builder
	for _, part := range []string{l.Notice, l.Greeting, l.Intro} {
		if part != "" {
			b.WriteString(part + "\n\n")
		}
	}
	for _, fact := range l.Facts {
		b.WriteString(fact[0] + ": " + fact[1] + "\n")
	}
	b.WriteString("\n" + l.Files + "\n\n" + l.LinkText + ":\n" + l.Link + "\n\n" + l.Signature + "\n")
	return b.String()
}
