package reminder_test

import (
	"context"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/devstack"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

// kept is the client's list of mails, with their content.
func (o *outside) kept() []db.Email {
	o.Helper()
	people := account.Service{Store: o.store}
	list, err := people.Emails(o.system(), account.EmailQuery{Client: o.client.ID}, db.Page{First: 100})
	fail(o.world, err)
	for i, row := range list.Rows {
		list.Rows[i], err = people.Email(o.system(), row.ID)
		fail(o.world, err)
	}
	return list.Rows
}

// A mail and its note in the client's list are one: whatever becomes of it is there, once.
func TestMailIsKeptAsItWent(t *testing.T) {
	busy := devstack.SMTPFailure{Code: 451, Message: "try later"}
	for name, c := range map[string]struct {
		failure        *devstack.SMTPFailure
		then           func(o *outside)
		status, reason string
	}{
		"sent":    {nil, nil, db.EmailSent, ""},
		"waiting": {&busy, nil, db.EmailWaiting, "retry"},
		"sent later": {&busy, func(o *outside) {
			o.due()
			o.send(o.take())
		}, db.EmailSent, ""},
		"refused": {&devstack.SMTPFailure{Code: 550, Message: "no such user"}, nil, db.EmailFailed, "refused"},
		"withdrawn": {&busy, func(o *outside) {
			o.invoice.Status, o.invoice.Paid = db.InvoicePaid, o.invoice.Total
			fail(o.world, o.store.SaveInvoiceStates(o.Context(), &o.invoice))
			o.due()
			o.send(o.take())
		}, db.EmailWithdrawn, "paid"},
		"cancelled by staff": {&busy, func(o *outside) { fail(o.world, o.rules.CancelDelivery(o.system(), o.row().ID)) }, db.EmailWithdrawn, "by_staff"},
		"bounced": {nil, func(o *outside) {
			_, err := o.rules.RecordBounce(o.system(), returned(o.row(), recipient, "5.1.1"))
			fail(o.world, err)
		}, db.EmailBounced, "hard"},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOutside(t)
			if c.failure != nil {
				o.mailbox.Fail(func(string, string) *devstack.SMTPFailure { return c.failure })
			}
			o.send(o.take())
			o.mailbox.Fail(nil)
			if c.then != nil {
				c.then(o)
			}
			rows := o.kept()
			if len(rows) != 1 {
				t.Fatalf("%d mails are kept, want 1", len(rows))
			}
			e := rows[0]
			if e.Status != c.status || e.Reason != c.reason || (e.SentAt != nil) != (c.status == db.EmailSent || c.status == db.EmailBounced) {
				t.Errorf("%s %q sent %v, want %s %q", e.Status, e.Reason, e.SentAt, c.status, c.reason)
			}
			if e.Kind != db.EmailReminder || e.ClientID != o.client.ID || e.ContactID != 0 || e.InvoiceID != o.invoice.ID || e.Address != recipient ||
				e.Subject != "Recordatorio "+o.invoice.Number || e.Text != "Saldo" || e.Detail == "" {
				t.Errorf("%+v", e)
			}
		})
	}
}

// A mail about several invoices is one mail of the list, and names none of them alone.
func TestKeptMailAboutSeveral(t *testing.T) {
	o := newOutside(t)
	o.together()
	o.owe("2026-03-20")
	o.send(o.take())
	if rows := o.kept(); len(rows) != 1 || rows[0].InvoiceID != 0 || rows[0].Status != db.EmailSent {
		t.Fatalf("%+v", rows)
	}
}

// Whoever reads the list does not get what the mail lets its recipient do.
func TestKeptLinksAreInert(t *testing.T) {
	o := newOutside(t)
	var tokens []string
	o.rules.LinkURL = func(kind, token string) string {
		tokens = append(tokens, token)
		return "https://clientes.example/" + kind + "/" + token
	}
	o.rules.Render = func(_ context.Context, r reminder.Reminder) (mail.Message, error) {
		return mail.Message{ID: r.MessageID, From: r.Company.Email, To: r.To, Subject: "Ver " + r.Link, Text: r.Link, HTML: `<a href="` + r.Link + `">Ver</a>`}, nil
	}
	o.send(o.take())
	contact := dbtest.Contact(t, o.store, o.client, "conta@envio.example", at("2026-03-01 08:00"), mail.Invoice)
	fail(o.world, o.rules.SendVerification(o.system(), account.VerifyJob{ContactID: contact.ID, Email: contact.Email, Ref: "1"}))
	rows := o.kept()
	if len(rows) != 2 || len(tokens) < 3 || rows[0].Kind != db.EmailVerification || rows[0].ContactID != contact.ID {
		t.Fatalf("%d mails, %d tokens", len(rows), len(tokens))
	}
	if rows[1].HTML != `<a href="https://clientes.example/invoice/***">Ver</a>` {
		t.Errorf("kept as %q", rows[1].HTML)
	}
	sent := ""
	for _, m := range o.mailbox.Messages() {
		sent += string(m.Raw) + m.Text + m.HTML
	}
	for _, token := range tokens[:3] {
		if !strings.Contains(strings.ReplaceAll(sent, "=\r\n", ""), token) {
			t.Errorf("the recipient was not sent %s", token)
		}
		for _, e := range rows {
			if strings.Contains(e.Subject+e.Text+e.HTML, token) {
				t.Errorf("%s holds a personal link", e.Kind)
			}
		}
	}
}

// A report about any mail that was kept marks its address: it is the same address that reminders go to.
func TestBounceOfAnotherMail(t *testing.T) {
	o := newOutside(t)
	contact := dbtest.Contact(t, o.store, o.client, "conta@envio.example", at("2026-03-01 08:00"), mail.Invoice)
	e := db.NewEmail(db.EmailFiscal, o.client.ID, contact.ID, mail.Message{ID: "cfdi.1.1@hospedaje.example", To: contact.Email}).Went(mail.Receipt{Reply: "250 ok"}, nil)
	fail(o.world, o.store.KeepEmail(t.Context(), e))
	for _, c := range []struct {
		recipient string
		noted     int
	}{{"otra@envio.example", 0}, {"CONTA@envio.example", 1}, {contact.Email, 0}} {
		n, err := o.rules.RecordBounce(o.system(), returned(db.Delivery{MessageID: e.MessageID}, c.recipient, "5.1.1"))
		if err != nil || n != c.noted {
			t.Errorf("%s: %d noted, %v, want %d", c.recipient, n, err, c.noted)
		}
	}
	rows, err := o.store.BouncedAddresses(t.Context(), o.client.ID, 10)
	if err != nil || len(rows) != 1 || rows[0].Email != contact.Email {
		t.Fatalf("%+v, %v", rows, err)
	}
	if kept := o.kept(); len(kept) != 1 || kept[0].Status != db.EmailBounced || kept[0].Reason != "hard" {
		t.Fatalf("%+v", kept)
	}
}
