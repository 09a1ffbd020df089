package reminder_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/devstack"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/mail/mailtest"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

// returned is a report that a mail came back.
func returned(row db.Delivery, recipient, status string) []byte {
	return []byte(strings.ReplaceAll(fmt.Sprintf(`Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example

Final-Recipient: rfc822; %s
Action: failed
Status: %s
Diagnostic-Code: smtp; 550 no such user

--b
Content-Type: text/rfc822-headers

Message-ID: <%s>

--b--
`, recipient, status, row.MessageID), "\n", "\r\n"))
}

// doJobs runs what was enqueued of the kind and returns how many there were.
func (o *outside) doJobs(kind string, do func(json.RawMessage) error) int {
	o.Helper()
	jobs, err := o.store.TakeJobs(o.Context(), 100, time.Minute)
	fail(o.world, err)
	n := 0
	for _, job := range jobs {
		if job.Kind == kind {
			n++
			fail(o.world, do(job.Payload))
		}
		fail(o.world, o.store.FinishJob(o.Context(), job.ID))
	}
	return n
}

func (o *outside) notices() int {
	return o.doJobs(reminder.NoticeJob{}.Kind(), func(raw json.RawMessage) error {
		var job reminder.NoticeJob
		if err := json.Unmarshal(raw, &job); err != nil {
			return err
		}
		return o.rules.SendNotice(o.system(), job)
	})
}

func TestHardBounceStopsMail(t *testing.T) {
	o := newOutside(t)
	o.send(o.take())
	for range 2 { // the same report twice is one bounce
		if _, err := o.rules.RecordBounce(o.system(), returned(o.row(), recipient, "5.1.1")); err != nil {
			t.Fatal(err)
		}
	}
	if row := o.row(); row.Status != db.DeliveryBounced || row.Reason != "hard" || events(row) != "claimed sent bounced" {
		t.Fatalf("%s %q, history %q", row.Status, row.Reason, events(row))
	}
	if n := o.notices(); n != 2 { // the company and the owner
		t.Fatalf("%d notices, want 2", n)
	}
	if m := o.mailbox.Messages()[0]; !strings.Contains(m.Text, "no such user") || m.To[0] != "cobranza@hospedaje.example" {
		t.Fatalf("the company was told %q", m.Text)
	}
	o.run("2026-03-21 10:00", false) // the step +1
	o.want(o.ledger(o.invoice.ID), recipient+" bounced hard", recipient+" skipped bounced")
	fail(o.world, o.rules.ClearBounce(o.system(), o.client.ID, 0))
	o.run("2026-03-25 10:00", false) // +5
	o.want(o.ledger(o.invoice.ID), recipient+" bounced hard", recipient+" skipped bounced", recipient+" planned")
}

// What was kept back goes out, once, where the address is mended while the step is still the newest and not too late.
func TestAddressMended(t *testing.T) {
	for name, c := range map[string]struct {
		mended string // when the planner runs after that; the default policy catches up for so many days
		want   []string
	}{
		"the next day":      {"2026-03-20 10:00", []string{recipient + " sent"}},
		"a newer step came": {"2026-03-21 10:00", []string{recipient + " skipped bounced", recipient + " planned"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOutside(t)
			ids, now := o.take(), o.now
			fail(o.world, o.store.MarkBounce(t.Context(), o.client.ID, 0, db.Bounce{BouncedEmail: recipient, BouncedAt: &now}))
			o.send(ids)
			o.run("2026-03-19 12:00", false)
			o.want(o.ledger(o.invoice.ID), recipient+" skipped bounced") // as long as it is not
			fail(o.world, o.rules.ClearBounce(o.system(), o.client.ID, 0))
			o.run(c.mended, false)
			if len(c.want) == 1 {
				if row := o.row(); events(row) != "claimed skipped reachable" {
					t.Fatal(events(row))
				}
				o.send(o.take())
			}
			for range 2 {
				o.run(c.mended, true)
				o.want(o.ledger(o.invoice.ID), c.want...)
			}
		})
	}
}

// The last look also sees a bounce, and a report about somebody else's address changes nothing.
func TestBounceWhileQueued(t *testing.T) {
	o := newOutside(t)
	ids := o.take()
	now := o.now
	fail(o.world, o.store.MarkBounce(t.Context(), o.client.ID, 0, db.Bounce{BouncedEmail: strings.ToUpper(recipient), BouncedAt: &now}))
	o.send(ids)
	if row := o.row(); row.Status != db.DeliverySkipped || row.Reason != "bounced" {
		t.Fatalf("%s %q", row.Status, row.Reason)
	}
}

// spool is a folder of reports.
type spool struct{ mails [][]byte }

func (s *spool) Fetch(_ context.Context, each func([]byte) bool) error {
	s.mails = slices.DeleteFunc(s.mails, each)
	return nil
}

// A mail that comes back before its sending was noted, by a worker that goes on or one that died, is not forgotten: the
// report is wanted again. One that anybody can make up is nothing.
func TestBounceBeforeItIsNoted(t *testing.T) {
	o := newOutside(t)
	o.send(o.take())
	sent := o.row()
	for _, status := range []string{db.DeliverySending, db.DeliveryQueued, db.DeliveryPlanned} {
		dbtest.Exec(t, o.address, "UPDATE delivery SET status = '"+status+"', message_id = '', due_at = now() WHERE status <> 'skipped'")
		if _, err := o.rules.RecordBounce(o.system(), returned(sent, recipient, "5.1.1")); !fault.Is(err, fault.Unavailable) {
			t.Fatalf("%s: %v", status, err)
		}
		forged := sent
		forged.MessageID = strings.Replace(forged.MessageID, "@", "0@", 1)
		if n, err := o.rules.RecordBounce(o.system(), returned(forged, recipient, "5.1.1")); n != 0 || err != nil {
			t.Fatalf("%s: forged: %d, %v", status, n, err)
		}
	}
	box := &spool{mails: [][]byte{returned(sent, recipient, "5.1.1")}}
	fail(o.world, o.rules.PollBounces(o.system(), box))
	if len(box.mails) != 1 {
		t.Fatal("the report was put away")
	}
	dbtest.Exec(t, o.address, "UPDATE delivery SET status = 'sent', due_at = NULL, message_id = '"+sent.MessageID+"' WHERE status <> 'skipped'")
	fail(o.world, o.rules.PollBounces(o.system(), box))
	if row := o.row(); len(box.mails) != 0 || row.Status != db.DeliveryBounced {
		t.Fatalf("%d reports left, %s", len(box.mails), row.Status)
	}
}

// Mail servers report with the ASCII form of a domain that people write otherwise.
func TestBounceOfAnotherAlphabet(t *testing.T) {
	o := newOutside(t)
	contact := dbtest.Contact(t, o.store, o.client, "pagos@peña.example", at("2026-03-01 08:00"), mail.Invoice)
	fail(o.world, o.rules.CancelDelivery(o.system(), o.row().ID))
	o.run("2026-03-19 10:00", false)
	o.send(o.take())
	list, err := o.store.Deliveries(t.Context(), db.DeliveryFilter{Reach: access.Reach{All: true}, Invoice: o.invoice.ID, Statuses: []string{db.DeliverySent}}, db.Page{})
	if err != nil || len(list.Rows) != 1 || list.Rows[0].Email != contact.Email {
		t.Fatalf("%+v, %v", list.Rows, err)
	}
	if n, err := o.rules.RecordBounce(o.system(), returned(list.Rows[0], "pagos@xn--pea-8ma.example", "5.1.1")); n != 1 || err != nil {
		t.Fatalf("%d noted, %v", n, err)
	}
	rows, err := o.store.ContactsByID(t.Context(), []id.Contact{contact.ID})
	if err != nil || !rows[0].Bounces(contact.Email) {
		t.Fatalf("%+v, %v", rows, err)
	}
}

func TestForgedBounce(t *testing.T) {
	o := newOutside(t)
	o.send(o.take())
	n, err := o.rules.RecordBounce(o.system(), returned(o.row(), "otro@envio.example", "5.1.1"))
	if err != nil || n != 0 || o.row().Status != db.DeliverySent {
		t.Fatalf("%d, %v, %s", n, err, o.row().Status)
	}
	if _, err := o.rules.RecordBounce(o.system(), []byte("Subject: hola\r\n\r\n")); !fault.Is(err, fault.Invalid) {
		t.Fatal(err)
	}
	if _, err := o.rules.RecordBounce(t.Context(), nil); !fault.Is(err, fault.Unauthenticated) {
		t.Fatal(err)
	}
}

// A report counts only when it is about a mail that was sent, to the address that it was sent to, by who has
// read it; and only when the mail came back.
func TestReportsThatDoNotCount(t *testing.T) {
	o := newOutside(t)
	o.send(o.take())
	row := o.row()
	other := dbtest.Client(t, o.store, "Otra empresa", "pagos@otra.example")
	local, domain, _ := strings.Cut(row.MessageID, "@")
	guessed := local[:strings.LastIndex(local, ".")]
	if strings.Count(guessed, ".") != 3 || len(local)-len(guessed) < 20 {
		t.Fatalf("the Message-ID %s can be guessed", row.MessageID)
	}
	with := func(id string) db.Delivery { forged := row; forged.MessageID = id; return forged }
	good := string(returned(row, recipient, "5.1.1"))
	for name, raw := range map[string]string{
		"a guessed Message-ID":           string(returned(with(guessed+"@"+domain), recipient, "5.1.1")),
		"a proof of another mail":        string(returned(with("reminder.999.1.0"+local[len(guessed):]+"@"+domain), recipient, "5.1.1")),
		"a wrong proof":                  string(returned(with(guessed+"."+strings.Repeat("0", 32)+"@"+domain), recipient, "5.1.1")),
		"another company's address":      string(returned(row, other.Email, "5.1.1")),
		"no Message-ID":                  string(returned(with(""), recipient, "5.1.1")),
		"numbers that overflow":          string(returned(with("reminder.99999999999999999999.1.0.x@"+domain), recipient, "5.1.1")),
		"it is delayed":                  strings.Replace(string(returned(row, recipient, "4.4.1")), "Action: failed", "Action: delayed", 1),
		"it was delivered":               strings.Replace(good, "Action: failed", "Action: delivered", 1),
		"it was expanded":                strings.Replace(good, "Action: failed", "Action: expanded", 1),
		"no action":                      strings.Replace(good, "Action: failed\r\n", "", 1),
		"somebody is away":               "Subject: Fuera de la oficina\r\nAuto-Submitted: auto-replied\r\nIn-Reply-To: <" + row.MessageID + ">\r\n\r\nRegreso el lunes.\r\n",
		"it was read":                    strings.Replace(good, "report-type=delivery-status", "report-type=disposition-notification", 1),
		"a report without its own parts": "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n--b\r\n\r\nhola\r\n--b--\r\n",
		"a boundary that never comes":    "Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n" + strings.Repeat("x", 1<<16),
		"zero bytes":                     strings.Repeat("\x00", 1<<10),
	} {
		n, err := o.rules.RecordBounce(o.system(), []byte(raw))
		if err != nil && !fault.Is(err, fault.Invalid) || n != 0 {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
	for _, c := range []struct {
		clientID id.Client
		email    string
	}{{o.client.ID, recipient}, {other.ID, other.Email}} {
		if client, err := o.store.Client(t.Context(), c.clientID); err != nil || client.Bounces(c.email) || client.SoftBounces != 0 {
			t.Errorf("%s was marked: %+v, %v", c.email, client.Bounce, err)
		}
	}
	if got := o.row(); got.Status != db.DeliverySent || o.notices() != 0 {
		t.Fatalf("%s %q", got.Status, got.Reason)
	}
	// After all of them the real one still counts, once.
	for _, want := range []int{1, 0} {
		if n, err := o.rules.RecordBounce(o.system(), []byte(good)); n != want || err != nil {
			t.Fatal(n, err)
		}
	}
	if n := o.notices(); n != 2 || o.row().Status != db.DeliveryBounced {
		t.Fatalf("%d notices, %s", n, o.row().Status)
	}
}

func TestThirdSoftBounceStopsMail(t *testing.T) {
	o := newOutside(t)
	for i, day := range []string{"2026-03-19 10:00", "2026-03-21 10:00", "2026-03-25 10:00"} {
		o.run(day, false)
		o.send(o.take())
		list, err := o.store.InvoiceDeliveries(t.Context(), o.invoice.ID)
		fail(o.world, err)
		_, err = o.rules.RecordBounce(o.system(), returned(list[len(list)-1], recipient, "4.4.7"))
		fail(o.world, err)
		client, err := o.store.Client(t.Context(), o.client.ID)
		fail(o.world, err)
		if client.Bounces(recipient) != (i == 2) {
			t.Fatalf("after %d temporary bounces: %+v", i+1, client.Bounce)
		}
	}
}

// anonymous is a visitor with nothing but a link.
func anonymous() context.Context {
	return access.With(context.Background(), access.Actor{Kind: access.Anonymous})
}

func TestUnsubscribe(t *testing.T) {
	o := newOutside(t)
	contact := dbtest.Contact(t, o.store, o.client, "conta@envio.example", at("2026-03-01 08:00"), mail.Invoice, mail.Domain)
	token, err := o.rules.NewLink(o.system(), reminder.Link{Kind: reminder.LinkPreferences, ClientID: o.client.ID, ContactID: contact.ID, Email: contact.Email})
	fail(o.world, err)
	for range 2 { // mail programs may post twice
		p, err := o.rules.SetReminderPreference(anonymous(), token, false)
		if err != nil || slices.Contains(p.Topics, mail.Invoice) || !slices.Contains(p.Topics, mail.Domain) {
			t.Fatalf("%+v, %v", p.Topics, err)
		}
	}
	client, err := o.store.Client(t.Context(), o.client.ID)
	if err != nil || !slices.Contains(client.Topics, mail.Invoice) {
		t.Fatalf("the client's own mail was turned off too: %v, %v", client.Topics, err)
	}
	if n := o.notices(); n != 2 { // the company and the owner
		t.Fatalf("%d notices, want 2", n)
	}
	o.run("2026-03-21 10:00", false)
	o.want(o.ledger(o.invoice.ID), recipient+" planned", recipient+" planned")
}

func TestLinks(t *testing.T) {
	o := newOutside(t)
	contact := dbtest.Contact(t, o.store, o.client, "conta@envio.example", at("2026-03-01 08:00"), mail.Invoice)
	link := reminder.Link{Kind: reminder.LinkInvoice, ClientID: o.client.ID, ContactID: contact.ID, InvoiceID: o.invoice.ID, Email: contact.Email}
	token, err := o.rules.NewLink(o.system(), link)
	fail(o.world, err)
	open := func(token, kind string) bool {
		_, err := o.rules.OpenLink(anonymous(), token, kind)
		if err != nil && !fault.Is(err, fault.NotFound) {
			t.Fatal(err)
		}
		return err == nil
	}
	got, err := o.rules.OpenLink(anonymous(), token, reminder.LinkInvoice)
	if err != nil || got.InvoiceID != o.invoice.ID || got.ContactID != contact.ID {
		t.Fatalf("%+v, %v", got, err)
	}
	if open(token, reminder.LinkPreferences) || open(token[:len(token)-1]+"A", reminder.LinkInvoice) == open(token[:len(token)-1]+"B", reminder.LinkInvoice) && open(token[:len(token)-1]+"A", reminder.LinkInvoice) || open("", reminder.LinkInvoice) || open("AAAA", reminder.LinkInvoice) {
		t.Fatal("a link opens what it must not")
	}
	for i := range token { // no bit may be changed
		bad := []byte(token)
		bad[i] ^= 1
		if string(bad) != token && open(string(bad), reminder.LinkInvoice) {
			t.Fatalf("a forged link opens (position %d)", i)
		}
	}
	contact.Email = "otra@envio.example"
	fail(o.world, o.store.UpdateContact(t.Context(), &contact))
	if open(token, reminder.LinkInvoice) {
		t.Fatal("the link of a former address opens")
	}
	contact.Email = "conta@envio.example"
	fail(o.world, o.store.UpdateContact(t.Context(), &contact))
	o.now = o.now.AddDate(0, 0, 59)
	if !open(token, reminder.LinkInvoice) {
		t.Fatal("the link is too short-lived")
	}
	fail(o.world, o.rules.RevokeContactLinks(o.system(), contact.ID))
	if open(token, reminder.LinkInvoice) {
		t.Fatal("a revoked link opens")
	}
	o.now = o.now.Add(time.Minute)
	token, err = o.rules.NewLink(o.system(), link)
	fail(o.world, err)
	if !open(token, reminder.LinkInvoice) {
		t.Fatal("a link made after the revocation does not open")
	}
	o.now = o.now.AddDate(0, 0, 61)
	if open(token, reminder.LinkInvoice) {
		t.Fatal("an old link opens")
	}
}

// A link confirms the address that it was mailed to and no later one, and a job for an address that the contact
// no longer has sends nothing.
func TestVerifiedAddresses(t *testing.T) {
	o := newOutside(t)
	if err := o.rules.SetVerifyContacts(o.system(), true); !fault.Is(err, fault.Conflict) {
		t.Fatalf("required where no page could confirm: %v", err)
	}
	o.rules.LinkURL = func(kind, token string) string { return "https://clientes.example/" + kind + "/" + token }
	dbtest.Contact(t, o.store, o.client, "antes@envio.example", at("2026-03-01 08:00"), mail.Invoice)
	fail(o.world, o.rules.SetVerifyContacts(o.system(), true))
	contact := dbtest.Contact(t, o.store, o.client, "nueva@envio.example", o.now.Add(time.Minute), mail.Invoice)
	o.run("2026-03-19 11:00", false)
	o.want(o.ledger(o.invoice.ID), recipient+" planned", "antes@envio.example planned", "nueva@envio.example skipped unverified")
	for _, email := range []string{"vieja@envio.example", contact.Email} {
		fail(o.world, o.rules.SendVerification(o.system(), account.VerifyJob{ContactID: contact.ID, Email: email, Ref: "1"}))
	}
	if o.mailbox.Total() != 1 {
		t.Fatalf("%d mails", o.mailbox.Total())
	}
	_, token, _ := strings.Cut(o.mailbox.Messages()[0].Text, "/verify/")
	token = strings.TrimSpace(strings.Split(token, "\n")[0])
	contact.Email = "otra@envio.example"
	fail(o.world, o.store.UpdateContact(t.Context(), &contact))
	if _, err := o.rules.VerifyAddress(anonymous(), token); !fault.Is(err, fault.NotFound) {
		t.Fatalf("the link of a former address confirms: %v", err)
	}
	contact.Email = "nueva@envio.example"
	fail(o.world, o.store.UpdateContact(t.Context(), &contact))
	_, err := o.rules.VerifyAddress(anonymous(), token)
	fail(o.world, err)
	fail(o.world, o.rules.SendVerification(o.system(), account.VerifyJob{ContactID: contact.ID, Email: contact.Email, Ref: "2"}))
	if o.mailbox.Total() != 1 {
		t.Fatal("a confirmed address is asked again")
	}
	o.run("2026-03-21 11:00", false)
	rows := o.ledger(o.invoice.ID)
	if !slices.Contains(rows, "nueva@envio.example planned") {
		t.Fatalf("%q", rows)
	}
}

func TestDeadLetters(t *testing.T) {
	o := newOutside(t)
	o.mailbox.Fail(func(string, string) *devstack.SMTPFailure {
		return &devstack.SMTPFailure{Code: 550, Message: "no such user"}
	})
	o.send(o.take())
	row := o.row()
	if row.Status != db.DeliveryFailed {
		t.Fatal(row.Status)
	}
	o.mailbox.Fail(nil)
	fail(o.world, o.rules.ReplayDelivery(o.system(), row.ID))
	if err := o.rules.ReplayDelivery(o.system(), row.ID); !fault.Is(err, fault.Conflict) {
		t.Fatalf("replayed twice: %v", err)
	}
	if n, err := o.rules.ReplayFailed(o.system(), 30, ""); n != 0 || err != nil {
		t.Fatalf("%d replayed again, %v", n, err)
	}
	o.send(o.take())
	if row = o.row(); row.Status != db.DeliverySent || o.mailbox.Total() != 1 || events(row) != "claimed failed replayed claimed sent" {
		t.Fatalf("%s, %d mails, history %q", row.Status, o.mailbox.Total(), events(row))
	}
	if err := o.rules.CancelDelivery(o.system(), row.ID); !fault.Is(err, fault.Conflict) {
		t.Fatalf("what was sent was cancelled: %v", err)
	}
	o.run("2026-03-21 10:00", false)
	ids := o.take()
	fail(o.world, o.rules.CancelDelivery(o.system(), ids[0]))
	o.send(ids)
	if o.mailbox.Total() != 1 {
		t.Fatal("a cancelled delivery went out")
	}
}

// A mail that was handed out before a shifting pause waits for its end and then goes out.
func TestShiftingPauseHoldsQueuedMail(t *testing.T) {
	o := newOutside(t)
	ids := o.take()
	_, _, err := o.rules.SetReminderPause(o.system(), reminder.PauseInput{InvoiceID: o.invoice.ID, Until: "2026-03-24", Mode: db.PauseShift, Reason: "promesa de pago"})
	fail(o.world, err)
	o.send(ids)
	row := o.row()
	if want := at("2026-03-24 09:00").Sub(o.now); row.Status != db.DeliveryPlanned || time.Until(*row.DueAt) < want-time.Minute || time.Until(*row.DueAt) > want+time.Minute {
		t.Fatalf("%s, due in %s, want %s", row.Status, time.Until(*row.DueAt), want)
	}
	o.now = at("2026-03-24 10:00")
	o.due()
	o.send(o.take())
	if row = o.row(); row.Status != db.DeliverySent {
		t.Fatalf("%s %q", row.Status, row.Reason)
	}
}

// A mail that was delayed beyond the window waits for the next one.
func TestLateMailWaitsForTheWindow(t *testing.T) {
	o := newOutside(t)
	ids := o.take()
	o.now = at("2026-03-19 18:30")
	o.send(ids)
	row := o.row()
	if want := at("2026-03-20 09:00").Sub(o.now); row.Status != db.DeliveryPlanned || row.Reason != "window" || time.Until(*row.DueAt) < want-time.Minute || time.Until(*row.DueAt) > want+time.Minute {
		t.Fatalf("%s %q, due in %s", row.Status, row.Reason, time.Until(*row.DueAt))
	}
}

// While one domain fails again and again, its mail waits and the mail to others goes out.
func TestFailingDomainWaits(t *testing.T) {
	o := newOutside(t)
	for i := range 12 {
		domain := "mal.example"
		if i%2 == 0 {
			domain = fmt.Sprintf("bien%d.example", i)
		}
		client := dbtest.Client(t, o.store, "Cliente", fmt.Sprintf("pagos%d@%s", i, domain))
		dbtest.Invoice(t, o.store, client, "2026-03-02", "2026-03-20", at("2026-03-02 08:00"))
	}
	o.run("2026-03-19 10:05", false)
	tried := 0
	o.mailbox.Fail(func(_, to string) *devstack.SMTPFailure {
		if strings.HasSuffix(to, "@mal.example") {
			tried++
			return &devstack.SMTPFailure{Code: 451, Message: "try later"}
		}
		return nil
	})
	o.send(o.take())
	if o.mailbox.Total() != 7 || tried != 5 {
		t.Fatalf("%d mails to the domains that work, want 7; %d attempts at the one that does not, want 5", o.mailbox.Total(), tried)
	}
}

// Reports arrive in a mailbox among other mail; each is taken once, and what is no report stays there.
func TestBouncesFromMailbox(t *testing.T) {
	o := newOutside(t)
	o.send(o.take())
	server := mailtest.StartIMAP(t)
	// The connection breaks off at first, after more bytes each time.
	cut := mailtest.Cut(t, server.Addr, 5, 60, 180, 260, 420, 700, 1100, 1600)
	box, err := mail.NewIMAP(strings.Replace(server.URL("Rebotes"), server.Addr, cut, 1), 10*time.Second)
	fail(o.world, err)
	server.Deliver(t, "Rebotes", []byte("Subject: Una pregunta\r\n\r\nHola\r\n"))
	server.Deliver(t, "Rebotes", returned(o.row(), recipient, "5.1.1"))
	broken := 0
	for range 8 {
		if err := o.rules.PollBounces(o.system(), box); err != nil {
			broken++
		}
	}
	if broken < 4 {
		t.Fatalf("%d visits broke off: the test proves nothing", broken)
	}
	for range 2 {
		fail(o.world, o.rules.PollBounces(o.system(), box))
	}
	if row := o.row(); row.Status != db.DeliveryBounced || events(row) != "claimed sent bounced" {
		t.Fatalf("%s, history %q", row.Status, events(row))
	}
	if n := o.notices(); n != 2 { // the company and the owner
		t.Fatalf("%d notices, want 2", n)
	}
	if err := o.rules.PollBounces(t.Context(), box); !fault.Is(err, fault.Forbidden) {
		t.Fatal(err)
	}
}
