package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/devstack"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

const (
	toldOwner = "direccion@primero.example"
	toldStaff = "cobranza@hospedaje.example" // the company's address
)

// told are the notices about an address that a reader has.
func (s *site) told(reader, about string) []devstack.Message {
	return slices.DeleteFunc(s.mails(reader), func(m devstack.Message) bool { return !strings.Contains(m.Text, about) })
}

// report posts to the webhook that the contact's last reminder came back.
func (s *site) report(status string) {
	s.Helper()
	var row db.Delivery
	eventually(s.T, "a sent reminder", 30*time.Second, func() bool {
		list, err := s.store.InvoiceDeliveries(s.Context(), s.invoice.ID)
		s.must(err)
		row = list[slices.IndexFunc(list, func(d db.Delivery) bool { return d.ContactID == s.contact.ID })]
		return row.Status == db.DeliverySent || row.Status == db.DeliveryBounced
	})
	raw := fmt.Sprintf("Content-Type: multipart/report; report-type=delivery-status; boundary=b\n\n--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx.example\n\n"+
		"Final-Recipient: rfc822; %s\nAction: failed\nStatus: %s\nDiagnostic-Code: smtp; 550 no such user\n\n--b\nContent-Type: message/rfc822\n\nMessage-ID: <%s>\n\n--b--\n", s.contact.Email, status, row.MessageID)
	request, err := http.NewRequestWithContext(s.Context(), http.MethodPost, s.base+"/webhooks/bounces", strings.NewReader(strings.ReplaceAll(raw, "\n", "\r\n")))
	s.must(err)
	request.Header.Set("Authorization", "Bearer "+s.token)
	response, err := http.DefaultClient.Do(request)
	s.must(err)
	if status, body := s.read(response); status != http.StatusOK {
		s.Fatalf("%d %s", status, body)
	}
}

// The owner and the company are told once of an address that bounces for good, of one that bounces for a while
// too often, and of who unsubscribes; each in mails that arrive, also when the mail server puts one of them off.
func TestOwnerAndStaffAreTold(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	var later sync.Map // addresses that are put off once
	s.mailbox.Fail(func(_, to string) *devstack.SMTPFailure {
		if _, first := later.LoadAndDelete(to); first {
			return &devstack.SMTPFailure{Code: 451}
		}
		return nil
	})
	s.working()
	for i, c := range []struct {
		name   string
		late   string // who is put off once
		says   string
		happen func(s *site)
	}{
		{"bounced for good", "", "550 no such user", func(s *site) { s.report("5.1.1"); s.report("5.1.1") }},
		{"bounced for a while too often", toldOwner, "550 no such user", func(s *site) {
			for n := range 3 {
				if n > 0 {
					s.invoice = s.owe(-18, 1)
					s.plan()
					s.mail(s.contact.Email, s.invoice.Number)
				}
				if got := len(s.told(toldOwner, s.contact.Email)) + len(s.told(toldStaff, s.contact.Email)); got != 0 {
					s.Errorf("told after %d bounces", n)
				}
				s.report("4.2.2")
			}
		}},
		{"unsubscribed by one click, twice at once", toldStaff, "", func(s *site) {
			link := s.link(s.mails(s.contact.Email)[0], "preferencias")
			var clicks sync.WaitGroup
			for range 5 {
				clicks.Go(func() {
					response, err := http.Post(link, "application/x-www-form-urlencoded", strings.NewReader("List-Unsubscribe=One-Click"))
					if err != nil || response.StatusCode != http.StatusOK {
						s.Error(response, err)
					}
				})
			}
			clicks.Wait()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := s.begin(t, 400+i)
			s.plan()
			s.mail(s.contact.Email, s.invoice.Number)
			if c.late != "" {
				later.Store(c.late, true)
			}
			c.happen(s)
			for _, reader := range []string{toldOwner, toldStaff} {
				eventually(t, "a notice to "+reader, 30*time.Second, func() bool {
					s.exec("UPDATE outbox SET due_at = now(), last_error = '' WHERE last_error <> ''") // what was put off need not wait
					return len(s.told(reader, s.contact.Email)) > 0
				})
			}
			// Everything that was to be done is done before they are counted.
			eventually(t, "an empty outbox", 30*time.Second, func() bool {
				outbox, err := s.store.OutboxState(t.Context())
				s.must(err)
				return outbox.Waiting == 0
			})
			for _, reader := range []string{toldOwner, toldStaff} {
				mails := s.told(reader, s.contact.Email)
				if len(mails) != 1 || !strings.Contains(mails[0].Text, c.says) || !strings.Contains(mails[0].Text, s.client.Name) {
					t.Errorf("%s has %d notices: %+v", reader, len(mails), mails)
				}
			}
			if _, put := later.Load(c.late); put {
				t.Error("nothing was put off")
			}
		})
	}
}

// Kill -9 of the worker while the owner's notice is on its way: the company's, which had gone, is not repeated,
// and the owner's is the same mail.
func TestWorkerKilledWhileTelling(t *testing.T) {
	t.Parallel()
	o := newOutside(t)
	dbtest.Company(t, o.store, time.Now().AddDate(0, -2, 0))
	ctx := access.With(t.Context(), access.SystemActor())
	people := &account.Service{Store: o.store, Now: time.Now, Argon: account.Argon{Memory: 64, Passes: 1}}
	client, err := people.AddClient(ctx, account.AddClientInput{Password: sitePassword, Details: account.ClientDetails{Name: "Primero", Email: toldOwner}})
	if err != nil {
		t.Fatal(err)
	}
	contact := dbtest.Contact(t, o.store, client, "conta@primero.example", time.Now(), mail.Invoice)
	arrived := func(to string) (n int, ids map[string]bool) {
		ids = map[string]bool{}
		for _, e := range o.mailbox.Envelopes() {
			if e.To[0] == to {
				n++
				ids[e.MessageID] = true
			}
		}
		return n, ids
	}
	asked := make(chan struct{}, 100)
	o.mailbox.Fail(func(_, to string) *devstack.SMTPFailure {
		if to != toldOwner {
			return nil
		}
		asked <- struct{}{}
		return &devstack.SMTPFailure{Stall: time.Minute, Drop: devstack.DropBeforeAccept}
	})
	worker := program(t, o.env, "work")
	rules := &reminder.Service{Store: o.store, Now: time.Now}
	token, err := rules.NewLink(ctx, reminder.Link{Kind: reminder.LinkPreferences, ClientID: client.ID, ContactID: contact.ID, Email: contact.Email})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rules.SetReminderPreference(t.Context(), token, false); err != nil {
		t.Fatal(err)
	}
	<-asked
	eventually(t, "the company's notice", 30*time.Second, func() bool { n, _ := arrived(toldStaff); return n == 1 })
	eventually(t, "the company's notice noted", 30*time.Second, func() bool {
		outbox, err := o.store.OutboxState(t.Context())
		return err == nil && outbox.Waiting == 1
	})
	kill(t, worker)
	o.mailbox.Fail(nil)
	program(t, o.env, "work")
	eventually(t, "the owner's notice", time.Minute, func() bool { n, _ := arrived(toldOwner); return n > 0 })
	eventually(t, "nothing more to do", time.Minute, func() bool {
		outbox, err := o.store.OutboxState(t.Context())
		return err == nil && outbox.Waiting == 0
	})
	if n, _ := arrived(toldStaff); n != 1 {
		t.Errorf("the company has %d notices", n)
	}
	if n, ids := arrived(toldOwner); n != 1 || len(ids) != 1 {
		t.Errorf("the owner has %d mails, %v", n, ids)
	}
}
