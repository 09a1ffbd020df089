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

// FiscalDocument writes a mail about a document: with its XML, and its PDF where there is one, when it is stamped; with the PDF that follows; with
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
	values := []any{"number", l.Number, "company", l.Company.Name, "email", to}
	doc := letter{Language: l.Language, Company: l.Company.Name, Colour: brandColour(l.Company.BrandColour), Subject: t("subject."+l.Kind, values...), Greeting: greeting(l.Language, l.Name),
		Lead: t("intro." + l.Kind), Note: t("files"), Action: link{t("link"), links.Invoice(l.InvoiceID)}, Email: to, Signature: signature(l.Company),
		Facts: []fact{{Label: t("number"), Value: l.Number}, {Label: t("uuid"), Value: line(l.UUID)}, {Label: t("receiver"), Value: joinedBy(" · ", l.Nombre, line(l.Rfc))}, {Label: t("total"), Value: l.Total + " " + l.Moneda}},
		Legal: append([]string{t("why", values...)}, legal(l.Company, l.Language)...)}
	doc.OnColour = readableOn(doc.Colour)
	if !l.WithPDF {
		doc.Note = t("files_xml")
	}
	switch l.Event {
	case db.MailStamped:
	case db.MailPDF:
		doc.Subject, doc.Lead, doc.Note = t("pdf.subject", values...), t("pdf.intro", values...), t("pdf.files")
	default:
		doc.cancelled(l)
	}
	if l.Sandbox {
		doc.Alert = t("sandbox")
	}
	doc.Subject = line(doc.Subject)
	doc.Title, doc.Preheader = doc.Subject, doc.Lead
	var html strings.Builder
	if err := noticeDocument(doc).Render(ctx, &html); err != nil {
		return mail.Message{}, err
	}
	return mail.Message{ID: l.MessageID, FromName: l.Company.Name, From: from, ReplyTo: from, ToName: l.Name, To: to, Subject: doc.Subject,
		Text: noticeText(doc), HTML: html.String(), Language: l.Language, Unsubscribe: "<" + links.Contacts() + ">", Attachments: l.Attachments}, nil
}

// cancelled turns the mail of a document into one about its cancellation.
func (doc *letter) cancelled(l fiscal.Letter) {
	t := func(key string, args ...any) string { return locale.T(l.Language, "cancellation."+key, args...) }
	document := strings.TrimSpace(locale.T(l.Language, "fiscal.kind."+l.Kind) + " " + l.Number)
	day := ""
	add := func(key, value string) { doc.Facts = append(doc.Facts, fact{Label: t("mail." + key), Value: value}) }
	if l.Deadline != "" {
		day = longDate(l.Language, l.Deadline)
		add("deadline", day)
	}
	doc.Subject, doc.Lead, doc.Note = t("mail.subject."+l.Event, "document", document, "date", day), t("mail.intro."+l.Event, "date", day), t("mail.files."+l.Event)
	if l.Event == db.MailCancelled && len(l.Attachments) == 0 {
		doc.Note = t("mail.files.cancelled_bare")
	}
	if l.Motivo != "" {
		add("motive", t("motive."+l.Motivo))
	}
	if l.Replacement != "" {
		add("replacement", line(l.Replacement))
	}
}
