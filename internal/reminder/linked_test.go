package reminder_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/devstack"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

// linking makes the world's mails say where they lead.
func (o *outside) linking() {
	o.rules.Billing = &billing.Service{Store: o.store, Now: o.rules.Now}
	o.rules.LinkURL = func(kind, token string) string { return "https://clientes.example/" + kind + "/" + token }
	o.rules.Render = func(_ context.Context, r reminder.Reminder) (mail.Message, error) {
		text := "button " + r.Link + "\n"
		for _, part := range r.Invoices {
			text += "row " + part.Link + "\n"
		}
		return mail.Message{ID: r.MessageID, From: r.Company.Email, To: r.To, Subject: "Recordatorio " + r.Number, Text: text + "preferences " + r.Preferences}, nil
	}
}

// token is what follows the word and the kind of link in a mail's text.
func token(t *testing.T, text, kind string) string {
	t.Helper()
	_, rest, ok := strings.Cut(strings.ReplaceAll(text, "\r", ""), "/"+kind+"/")
	if !ok {
		t.Fatalf("no link of the kind %s in %q", kind, text)
	}
	found, _, _ := strings.Cut(rest, "\n")
	return found
}

// The button of a mail about several invoices opens exactly those, without a login, until it expires or
// is revoked; each row opens its own.
func TestLinkOfSeveralInvoices(t *testing.T) {
	o := newOutside(t)
	o.linking()
	o.together()
	second, other := o.owe("2026-03-20"), o.owe("2026-03-19")
	o.send(o.take())
	var text string
	for _, m := range o.mailbox.Messages() {
		if strings.Contains(m.Subject, " y ") {
			text = m.Text
		}
	}
	link := token(t, text, "invoices")
	numbers := func() string {
		page, err := o.rules.LinkedInvoices(anonymous(), link)
		if err != nil {
			return err.Error()
		}
		list := []string{}
		for _, row := range page.Invoices {
			list = append(list, row.Number)
			l, err := o.rules.OpenLink(anonymous(), row.Token, reminder.LinkInvoice)
			if err != nil || l.InvoiceID != row.ID {
				t.Fatalf("the row's link: %+v, %v", l, err)
			}
		}
		return strings.Join(list, " ")
	}
	if got, want := numbers(), o.invoice.Number+" "+second.Number; got != want {
		t.Fatalf("opens %q, want %q and not %s", got, want, other.Number)
	}
	for i, row := range []db.Invoice{o.invoice, second} {
		if l, err := o.rules.OpenLink(anonymous(), token(t, strings.SplitN(text, "row ", 3)[i+1], "invoice"), reminder.LinkInvoice); err != nil || l.InvoiceID != row.ID {
			t.Fatalf("row %d: %+v, %v", i, l, err)
		}
	}
	ids := func(rows ...db.Invoice) (list []id.Invoice) {
		for _, row := range rows {
			list = append(list, row.ID)
		}
		return list
	}
	if _, err := o.rules.PayLinkedInvoices(anonymous(), link, ids(o.invoice, other), "/x"); !fault.Is(err, fault.NotFound) {
		t.Fatalf("pays an invoice of another mail: %v", err)
	}
	if _, err := o.rules.PayLinkedInvoices(anonymous(), link, ids(o.invoice, second), "/x"); !fault.Is(err, fault.Unavailable) {
		t.Fatalf("there is no gateway: %v", err) // all that is missing here
	}
	for _, wrong := range []string{link + "A", link[:len(link)-1], token(t, text, "invoice")} {
		if _, err := o.rules.LinkedInvoices(anonymous(), wrong); !fault.Is(err, fault.NotFound) {
			t.Errorf("a forged link: %v", err)
		}
	}

	fail(o.world, o.store.RevokeLinks(t.Context(), second.ID, o.now.Add(time.Second)))
	if got := numbers(); got != o.invoice.Number {
		t.Fatalf("after the links of %s were revoked: %q", second.Number, got)
	}
	single := token(t, strings.SplitN(text, "row ", 3)[2], "invoice")
	if _, err := o.rules.LinkedPayURL(anonymous(), single); !fault.Is(err, fault.NotFound) {
		t.Fatalf("the revoked invoice's own link: %v", err)
	}
	sent := o.now
	o.now = sent.Add(60*24*time.Hour + time.Second)
	if got := numbers(); !strings.Contains(got, "MAIL_LINK_INVALID") {
		t.Fatalf("after 60 days: %q", got)
	}
	o.now = sent.Add(time.Minute)
	fail(o.world, o.rules.RevokeClientLinks(o.system(), o.client.ID))
	if got := numbers(); !strings.Contains(got, "MAIL_LINK_INVALID") {
		t.Fatalf("after the recipient's links were revoked: %q", got)
	}
}

// No preview and no test mail can act for the recipient: its links open nothing and say so.
func TestPreviewLinksAreInert(t *testing.T) {
	o := newOutside(t)
	o.linking()
	o.together()
	o.owe("2026-03-20")
	in := reminder.TemplateInput{Anchor: db.AnchorDue, Days: -1, Language: "es-MX", Subject: "x", Body: "{{invoice.link}}"}
	template, err := o.rules.PreviewTemplate(o.system(), in, o.invoice.ID)
	fail(o.world, err)
	rows, err := o.store.InvoiceDeliveries(t.Context(), o.invoice.ID)
	fail(o.world, err)
	waiting, err := o.rules.PreviewDelivery(o.system(), rows[0].ID)
	fail(o.world, err)
	o.mailbox.Fail(func(string, string) *devstack.SMTPFailure {
		return &devstack.SMTPFailure{Code: 550, Message: "no such user"}
	})
	o.send(o.take())
	o.mailbox.Fail(nil)
	dead, err := o.rules.PreviewDelivery(o.system(), rows[0].ID)
	fail(o.world, err)
	me := access.With(t.Context(), access.Actor{Kind: access.Staff, Staff: 1, Name: "Personal", Email: "personal@envio.example", Role: access.Admin})
	fail(o.world, o.rules.SendDeliveryToMe(me, rows[0].ID))
	test := o.mailbox.Messages()[0]
	for name, m := range map[string]mail.Message{"template": template, "waiting": waiting, "dead letter": dead, "test mail": {Text: test.Text, Unsubscribe: test.Headers.Get("List-Unsubscribe")}} {
		for _, kind := range []string{reminder.LinkInvoice, reminder.LinkInvoices, reminder.LinkPreferences} {
			for _, part := range strings.Split(m.Text+"\n"+m.Unsubscribe, "/"+kind+"/")[1:] {
				word := strings.FieldsFunc(part, func(r rune) bool { return strings.ContainsRune("\r\n >", r) })[0]
				if f, ok := fault.As(func() error { _, err := o.rules.OpenLink(anonymous(), word, kind); return err }()); !ok || f.Code != "MAIL_LINK_PREVIEW" {
					t.Errorf("%s: the %s link %q: %v", name, kind, word, f)
				}
			}
		}
		if name != "template" && !strings.Contains(m.Text, "/preferences/vista-previa") {
			t.Errorf("%s has no link at all: %q", name, m.Text)
		}
	}
	if test.Headers.Get("List-Unsubscribe-Post") != "" {
		t.Error("the test mail can be unsubscribed from")
	}
}

// A dead letter shows the mail that trying again would send: with all invoices of the mail and the
// documents that the policy attaches. Trying again sends that one mail.
func TestDeadLetterShowsItsMail(t *testing.T) {
	o := newOutside(t)
	o.linking()
	in := policy(-1)
	in.Consolidate, in.AttachXML = true, true
	o.save(in)
	second := o.owe("2026-03-20")
	o.stamp(o.invoice, "<a/>")
	o.stamp(second, "<b/>")
	o.mailbox.Fail(func(string, string) *devstack.SMTPFailure {
		return &devstack.SMTPFailure{Code: 550, Message: "no such user"}
	})
	o.send(o.take())
	o.mailbox.Fail(nil)
	third := o.owe("2026-03-20") // came later: a mail of its own
	for _, invoice := range []db.Invoice{o.invoice, second} {
		o.want(o.ledger(invoice.ID), recipient+" failed refused")
	}
	rows, err := o.store.InvoiceDeliveries(t.Context(), second.ID)
	fail(o.world, err)
	shown, err := o.rules.PreviewDelivery(o.system(), rows[0].ID)
	fail(o.world, err)
	fail(o.world, o.rules.ReplayDelivery(o.system(), rows[0].ID))
	o.send(o.take())
	o.wantMails(recipient+" "+o.invoice.Number+" y "+second.Number, recipient+" "+third.Number)
	names := func(list []mail.Attachment) (found []string) {
		for _, a := range list {
			found = append(found, a.Name)
		}
		slices.Sort(found)
		return found
	}
	want := []string{o.invoice.Number + ".xml", second.Number + ".xml"}
	if got := names(shown.Attachments); !slices.Equal(got, want) {
		t.Errorf("the preview attaches %q, want %q", got, want)
	}
	for _, m := range o.mailbox.Messages() {
		if !strings.Contains(m.Subject, " y ") {
			continue
		}
		got := []string{}
		for _, a := range m.Attachments {
			got = append(got, a.Name)
		}
		slices.Sort(got)
		if !slices.Equal(got, want) || m.MessageID != shown.ID {
			t.Errorf("sent %q as %s, shown as %s", got, m.MessageID, shown.ID)
		}
		for _, number := range []string{o.invoice.Number, second.Number} {
			if !strings.Contains(shown.Subject, number) || !strings.Contains(m.Subject, number) {
				t.Errorf("shown %q, sent %q", shown.Subject, m.Subject)
			}
		}
	}
}

// stamp gives an invoice a stamped document.
func (o *outside) stamp(invoice db.Invoice, xml string) {
	o.Helper()
	profile := db.FiscalProfile{ClientID: o.client.ID, Rfc: "XAXX010101000", Nombre: "CLIENTE", DomicilioFiscalReceptor: "06600", RegimenFiscalReceptor: "616", UsoCFDI: "S01"}
	fail(o.world, o.store.SaveFiscalProfile(o.Context(), &profile))
	row := db.CFDI{Kind: db.CFDIIngreso, ClientID: o.client.ID, InvoiceID: invoice.ID, ProfileID: profile.ID, Status: db.CFDIStamped,
		UUID: fmt.Sprintf("5a1f7d3e-0000-4000-8000-%012d", invoice.ID), XML: []byte(xml), XMLSHA256: []byte("x")}
	fail(o.world, o.store.AddCFDI(o.Context(), &row))
}

// A mail that held several invoices keeps holding them when the policy changes before it is tried again:
// two mails under one Message-ID would lose one of them.
func TestPolicyChangeLeavesTheMail(t *testing.T) {
	o := newOutside(t)
	o.together()
	second := o.owe("2026-03-20")
	o.mailbox.Fail(func(string, string) *devstack.SMTPFailure { return &devstack.SMTPFailure{Code: 451} })
	o.send(o.take())
	o.mailbox.Fail(nil)
	o.save(policy(-1))
	o.rules.Gate.Forget()
	o.due()
	o.send(o.take())
	o.wantMails(recipient + " " + o.invoice.Number + " y " + second.Number)
}
