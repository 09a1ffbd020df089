package reminder_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/devstack"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

// outside is a world with a mail server.
type outside struct {
	*world
	mailbox *devstack.Mailbox
	client  db.Client
	invoice db.Invoice
}

const recipient = "cliente@envio.example"

// newOutside has one invoice with one reminder planned for today.
func newOutside(t *testing.T) *outside {
	o := &outside{world: newWorld(t, "2026-03-19 10:00")}
	var err error
	if o.mailbox, err = devstack.StartMailbox("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.mailbox.Close() })
	smtp, err := mail.NewSMTP("smtp://"+o.mailbox.Addr()+"?tls=none", 2*time.Second, 4)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(smtp.Close)
	o.rules.Mailer, o.rules.Worker, o.rules.Lease = smtp, "test", 3*time.Second
	o.rules.Render = func(_ context.Context, r reminder.Reminder) (mail.Message, error) {
		if r.Words != nil {
			return mail.Message{ID: r.MessageID, From: r.Company.Email, To: r.To, Subject: r.Words.Subject, Text: r.Words.Body}, nil
		}
		return mail.Message{ID: r.MessageID, From: r.Company.Email, FromName: r.Company.Name, To: r.To, ToName: r.Name, Subject: "Recordatorio " + r.Number, Text: "Saldo"}, nil
	}
	o.rules.RenderNotice = func(_ context.Context, n account.Notice) (mail.Message, error) {
		m := mail.Message{ID: n.Head().MessageID, From: n.Head().Company.Email, To: n.Head().To, Subject: fmt.Sprintf("%T", n)}
		switch n := n.(type) {
		case reminder.VerifyNotice:
			m.Text, m.Secrets = n.URL, []string{n.Token}
		case reminder.MailNotice:
			m.Text = n.What + " " + n.Email + ": " + n.Detail
		}
		return m, nil
	}
	o.client = dbtest.Client(t, o.store, "Cliente\r\nBcc: intruso@envio.example", recipient)
	o.invoice = dbtest.Invoice(t, o.store, o.client, "2026-03-02", "2026-03-20", at("2026-03-02 08:00"))
	if got := o.run("2026-03-19 10:00", false); got.Planned != 1 {
		t.Fatalf("planned %+v, want 1", got)
	}
	return o
}

// take makes every planned row due and hands it out.
func (o *outside) take() []id.Delivery {
	o.Helper()
	taken, err := o.rules.Dispatch(o.system(), 100, 100)
	if err != nil {
		o.Fatal(err)
	}
	ids := []id.Delivery{}
	for _, d := range taken {
		ids = append(ids, d.ID)
	}
	return ids
}

func (o *outside) send(ids []id.Delivery) {
	o.Helper()
	if err := o.rules.Send(o.system(), ids); err != nil {
		o.Fatal(err)
	}
}

func (o *outside) row() db.Delivery {
	o.Helper()
	list, err := o.store.Deliveries(o.Context(), db.DeliveryFilter{Reach: access.Reach{All: true}, Invoice: o.invoice.ID}, db.Page{})
	if err != nil || len(list.Rows) != 1 {
		o.Fatalf("%d rows, %v", len(list.Rows), err)
	}
	return list.Rows[0]
}

func events(row db.Delivery) string {
	names := []string{}
	for _, e := range row.History {
		names = append(names, e.Event)
	}
	return strings.Join(names, " ")
}

func TestSendOnce(t *testing.T) {
	o := newOutside(t)
	ids := o.take()
	if len(ids) != 1 || len(o.take()) != 0 {
		t.Fatal("a delivery is handed out once")
	}
	// Ten workers hold the same task, as after an emptied queue.
	var group sync.WaitGroup
	for range 10 {
		group.Go(func() {
			if err := o.rules.Send(o.system(), ids[:1]); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if o.mailbox.Total() != 1 {
		t.Fatalf("%d mails, want 1", o.mailbox.Total())
	}
	row := o.row()
	if row.Status != db.DeliverySent || row.SentAt == nil || events(row) != "claimed sent" || row.Attempts != 1 {
		t.Fatalf("%s, history %s", row.Status, events(row))
	}
	m := o.mailbox.Messages()[0]
	if m.MessageID != row.MessageID || m.MessageID == "" || strings.Contains(string(m.Raw), "\nBcc:") || len(m.To) != 1 {
		t.Fatalf("message id %q, recipients %v", m.MessageID, m.To)
	}
	o.send(ids)
	if o.mailbox.Total() != 1 {
		t.Fatal("a task that is repeated sends again")
	}
}

func TestLastLook(t *testing.T) {
	for _, c := range []struct {
		reason string
		change func(o *outside) error
	}{
		{"paid", func(o *outside) error {
			o.invoice.Status, o.invoice.Paid = db.InvoicePaid, o.invoice.Total
			return o.store.SaveInvoiceStates(o.Context(), &o.invoice)
		}},
		{"cancelled", func(o *outside) error {
			o.invoice.Status = db.InvoiceCancelled
			return o.store.SaveInvoiceStates(o.Context(), &o.invoice)
		}},
		{"paused", func(o *outside) error {
			return o.store.PauseInvoice(o.Context(), o.invoice.ID, db.Pause{PausedUntil: "2026-03-25", PauseReason: "promesa de pago"})
		}},
		{"paused", func(o *outside) error {
			return o.store.PauseClient(o.Context(), o.client.ID, db.Pause{PausedUntil: "2026-03-25", PauseReason: ""})
		}},
		{"preference_off", func(o *outside) error {
			return o.store.SetClientTopics(o.Context(), o.client.ID, []mail.Topic{mail.Domain})
		}},
	} {
		t.Run(c.reason, func(t *testing.T) {
			o := newOutside(t)
			ids := o.take()
			if err := c.change(o); err != nil {
				t.Fatal(err)
			}
			o.send(ids)
			if row := o.row(); row.Status != db.DeliverySkipped || row.Reason != c.reason || o.mailbox.Total() != 0 {
				t.Fatalf("%s %q, %d mails", row.Status, row.Reason, o.mailbox.Total())
			}
		})
	}
}

func TestLastLookDeletedContact(t *testing.T) {
	o := newOutside(t)
	contact := dbtest.Contact(t, o.store, o.client, "conta@envio.example", at("2026-03-01 08:00"), mail.Invoice)
	if got := o.run("2026-03-19 10:05", false); got.Planned != 1 {
		t.Fatalf("%+v", got)
	}
	ids := o.take()
	if err := o.store.DeleteContact(t.Context(), contact.ID); err != nil {
		t.Fatal(err)
	}
	o.send(ids)
	o.want(o.ledger(o.invoice.ID), recipient+" sent", "conta@envio.example skipped contact_deleted")
}

func TestServerTrouble(t *testing.T) {
	for _, c := range []struct {
		name    string
		failure devstack.SMTPFailure
		status  string
		reason  string
		mails   int64 // once the server is well again
	}{
		{"busy", devstack.SMTPFailure{Code: 451, Message: "try later"}, db.DeliveryPlanned, "retry", 1},
		{"no such mailbox", devstack.SMTPFailure{Code: 550, Message: "no such user"}, db.DeliveryFailed, "refused", 0},
		{"refused after the data", devstack.SMTPFailure{Code: 554, Message: "spam", AtData: true}, db.DeliveryFailed, "refused", 0},
		{"hangs up before it takes the mail", devstack.SMTPFailure{Drop: devstack.DropBeforeAccept}, db.DeliveryPlanned, "retry", 1},
		{"stalls", devstack.SMTPFailure{Stall: 4 * time.Second}, db.DeliveryPlanned, "retry", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := newOutside(t)
			o.mailbox.Fail(func(string, string) *devstack.SMTPFailure { return &c.failure })
			o.send(o.take())
			row := o.row()
			if row.Status != c.status || row.Reason != c.reason {
				t.Fatalf("%s %q %+v, want %s %q", row.Status, row.Reason, row.History, c.status, c.reason)
			}
			o.mailbox.Fail(nil)
			if row.Status == db.DeliveryPlanned {
				if wait := time.Until(*row.DueAt); wait < 50*time.Second || wait > 61*time.Second {
					t.Fatalf("tried again after %s, want a minute", wait)
				}
				o.due()
				o.send(o.take())
			}
			if o.mailbox.Total() != c.mails {
				t.Fatalf("%d mails, want %d", o.mailbox.Total(), c.mails)
			}
		})
	}
}

// A mail server that takes the mail and drops the connection before its answer reaches us: the one
// case where a mail goes out twice, with the same Message-ID, and the ledger shows both attempts.
func TestLostAnswer(t *testing.T) {
	o := newOutside(t)
	o.mailbox.Fail(func(string, string) *devstack.SMTPFailure {
		return &devstack.SMTPFailure{Drop: devstack.DropAfterAccept}
	})
	o.send(o.take())
	o.mailbox.Fail(nil)
	o.due()
	o.send(o.take())
	mails := o.mailbox.Messages()
	if len(mails) != 2 || mails[0].MessageID != mails[1].MessageID {
		t.Fatalf("%d mails", len(mails))
	}
	if row := o.row(); events(row) != "claimed retry claimed sent" {
		t.Fatalf("history %q", events(row))
	}
}

// A worker that dies between claim and note: the row comes out again after the lease, and the
// history shows the interruption. A worker that comes back late does not undo what another did.
func TestLostWorker(t *testing.T) {
	o := newOutside(t)
	ids := o.take()
	claimed, err := o.store.AdvanceDeliveries(t.Context(), []db.Advance{{Next: ids[0]}}, "dead", time.Second)
	if err != nil || len(claimed) != 1 {
		t.Fatal(claimed, err)
	}
	if len(o.take()) != 0 {
		t.Fatal("handed out while the claim holds")
	}
	o.due()
	o.send(o.take())
	if row := o.row(); row.Status != db.DeliverySent || events(row) != "claimed interrupted claimed sent" {
		t.Fatalf("%s, history %q", row.Status, events(row))
	}
	var late error
	for _, status := range []string{db.DeliveryPlanned, db.DeliveryFailed} {
		_, err := o.store.AdvanceDeliveries(t.Context(), []db.Advance{{Done: []db.Outcome{{Delivery: claimed[0].Delivery, Status: status, Reason: "late"}}}}, "dead", time.Second)
		late = errors.Join(late, err)
	}
	if row := o.row(); late != nil || row.Status != db.DeliverySent {
		t.Fatalf("%v: a late worker changed the row to %s", late, row.Status)
	}
}

// due lets every lease and wait end.
func (o *outside) due() {
	o.Helper()
	dbtest.Hurry(o, o.address)
}

// The XML goes along when the policy says so and the invoice is stamped, byte for byte.
func TestAttachXML(t *testing.T) {
	for _, c := range []struct {
		name   string
		attach bool
		status string
		want   bool
	}{{"stamped", true, db.CFDIStamped, true}, {"the policy does not ask for it", false, db.CFDIStamped, false}, {"not stamped yet", true, db.CFDIDraft, false}} {
		t.Run(c.name, func(t *testing.T) {
			o := newOutside(t)
			o.save(func() reminder.PolicyInput { in := policy(-1); in.AttachXML = c.attach; return in }())
			profile := db.FiscalProfile{ClientID: o.client.ID, Rfc: "XAXX010101000", Nombre: "CLIENTE", DomicilioFiscalReceptor: "06600", RegimenFiscalReceptor: "616", UsoCFDI: "S01"}
			fail(o.world, o.store.SaveFiscalProfile(t.Context(), &profile))
			xml := []byte("<?xml version=\"1.0\"?>\n<cfdi:Comprobante Nombre=\"Ñandú\"/>\n.\r\n")
			row := db.CFDI{Kind: db.CFDIIngreso, ClientID: o.client.ID, InvoiceID: o.invoice.ID, ProfileID: profile.ID, Status: c.status}
			if c.status == db.CFDIStamped {
				row.UUID, row.XML, row.XMLSHA256 = "5a1f7d3e-0000-4000-8000-000000000001", xml, []byte("x")
			}
			fail(o.world, o.store.AddCFDI(t.Context(), &row))
			o.send(o.take())
			m := o.mailbox.Messages()[0]
			if !c.want {
				if len(m.Attachments) > 0 {
					t.Fatalf("%d attachments", len(m.Attachments))
				}
				return
			}
			if len(m.Attachments) != 1 || m.Attachments[0].Name != o.invoice.Number+".xml" || string(m.Attachments[0].Data) != string(xml) {
				t.Fatalf("%+v", m.Attachments)
			}
		})
	}
}
