package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

// agree holds what the rules say of the invoice against GraphQL, the console and the owner's page.
func (s *site) agree() []reminder.PlanEntry {
	s.Helper()
	entries, err := s.reminder.ReminderPlan(s.system(), s.invoice.ID)
	s.must(err)
	var out struct {
		Invoice struct {
			ReminderPlan []struct {
				Step struct {
					Anchor string
					Days   int
				}
				Name, Recipient, Language, Status, Reason string
				SendAt                                    time.Time
			}
		}
	}
	s.must(apiClient{base: s.base}.do(s.Context(), s.token, `query ($id: ID!) { invoice(id: $id) { reminderPlan { step { anchor days } name recipient language status reason sendAt } } }`,
		map[string]any{"id": s.invoice.ID.String()}, &out))
	if len(out.Invoice.ReminderPlan) != len(entries) {
		s.Fatalf("GraphQL has %d entries, want %d", len(out.Invoice.ReminderPlan), len(entries))
	}
	console := s.rows(s.staff, "/consola/facturas/"+s.invoice.ID.String(), func(n *html.Node) bool { return n.Data == "tr" })
	doors := map[string]*[]string{"the console": &console}
	var portal []string
	if s.invoice.Status != db.InvoiceDraft { // which its client does not see
		portal = s.rows(s.owner, "/clientes/"+s.client.ID.String()+"/facturas/"+s.invoice.ID.String(), func(n *html.Node) bool { return n.Data == "li" && !holds(n, "li") })
		doors["the owner's page"] = &portal
	}
	for i, e := range entries {
		g := out.Invoice.ReminderPlan[i]
		want := strings.Join([]string{e.Step.Anchor, fmt.Sprint(e.Step.Days), e.Name, e.Recipient, e.Language, e.Status, e.Reason}, "|")
		got := strings.Join([]string{strings.ToLower(g.Step.Anchor), fmt.Sprint(g.Step.Days), g.Name, g.Recipient, strings.ReplaceAll(strings.Replace(strings.ToLower(g.Language), "_mx", "-MX", 1), "_", "-"), strings.ToLower(g.Status), g.Reason}, "|")
		if got != want || g.SendAt.Sub(e.SendAt).Abs() > 10*time.Second { // what goes out now goes out now
			s.Errorf("GraphQL says %s at %s, want %s at %s", got, g.SendAt, want, e.SendAt)
		}
		shown := []string{e.Recipient, locale.T(locale.Spanish, "common.delivery."+e.Status), locale.T(locale.Spanish, "console.language."+e.Language)}
		if e.Reason != "" {
			shown = append(shown, locale.T(locale.Spanish, "console.reason."+e.Reason))
		}
		for door, rows := range doors {
			at := slices.IndexFunc(*rows, func(row string) bool {
				return !slices.ContainsFunc(shown, func(text string) bool { return !strings.Contains(row, text) })
			})
			if at < 0 {
				s.Errorf("%s does not say %q: %q", door, shown, *rows)
				continue
			}
			*rows = slices.Delete(*rows, at, at+1)
		}
	}
	for _, rest := range slices.Concat(console, portal) {
		if strings.Contains(rest, "@caso") && (strings.Contains(rest, "nviará") || strings.Contains(rest, "Omitido")) {
			s.Errorf("a page says besides %q", rest)
		}
	}
	return entries
}

func holds(node *html.Node, name string) bool {
	for child := range node.Descendants() {
		if child.Data == name {
			return true
		}
	}
	return false
}

// rows are the texts of a page's elements.
func (s *site) rows(browser *http.Client, path string, which func(*html.Node) bool) (rows []string) {
	s.Helper()
	response, err := browser.Get(s.base + path)
	s.must(err)
	defer func() { _ = response.Body.Close() }()
	if response.StatusCode != http.StatusOK {
		s.Fatalf("%s: %s", path, response.Status)
	}
	root, err := html.Parse(response.Body)
	s.must(err)
	for node := range root.Descendants() {
		if node.Type != html.ElementNode || !which(node) {
			continue
		}
		words := []string{}
		for text := range node.Descendants() {
			if text.Type == html.TextNode {
				words = append(words, strings.Fields(text.Data)...)
			}
		}
		rows = append(rows, strings.Join(words, " "))
	}
	return rows
}

// of is what the entries say of the step so many days from the due date for the contact, or (0) the
// client's own address: "status reason".
func of(entries []reminder.PlanEntry, days int, contact id.Contact) string {
	said := []string{}
	for _, e := range entries {
		if e.Step.Anchor == db.AnchorDue && e.Step.Days == days && e.ContactID == contact {
			said = append(said, strings.TrimSpace(e.Status+" "+e.Reason))
		}
	}
	slices.Sort(said)
	return strings.Join(said, ", ")
}

// Of every reason: what is foretold, what the planner and the worker then do, and what is said of it
// afterwards, by the rules, GraphQL, the console and the client area alike.
func TestReasonsAgree(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	none := func(*site) {}
	planned := func(then func(*site)) func(*site) { return func(s *site) { s.plan(); then(s) } }
	queued := func(then func(*site)) func(*site) { return func(s *site) { s.plan(); s.take(); then(s) } }
	paid := func(s *site) {
		_, err := s.billing.RecordPayment(s.system(), billing.PaymentInput{InvoiceID: s.invoice.ID, Amount: s.invoice.Total, Method: "transfer", RequestKey: s.Name()})
		s.must(err)
	}
	topicsOff := func(s *site) { s.must(s.store.SetContactTopics(s.Context(), s.contact.ID, []mail.Topic{mail.Domain})) }
	verify := func(s *site) {
		s.exec("UPDATE company SET verify_contacts = true, verify_since = now() - interval '60 days'")
		s.Cleanup(func() {
			if _, err := s.raw.ExecContext(context.Background(), "UPDATE company SET verify_contacts = false"); err != nil {
				s.Error(err)
			}
		})
	}
	seen := map[string]bool{}
	for i, c := range []struct {
		name    string
		arrange func(*site)
		days    int    // of the step that is looked at
		own     bool   // the client's own address is looked at, otherwise the contact
		before  string // what is foretold
		act     func(*site)
		after   string
	}{
		{name: "goes out", arrange: none, days: -1, before: "would_send", after: "sent"},
		{name: "comes later", arrange: none, days: 1, before: "would_send", after: "would_send"},
		{name: "planned goes out", arrange: planned(none), days: -1, before: "planned", after: "sent"},
		{name: "queued stays queued without a worker", arrange: queued(none), days: -1, before: "queued", act: none, after: "queued"},
		{name: "a worker holds it", arrange: queued(func(s *site) { s.exec("UPDATE delivery SET status = 'sending' WHERE client_id = $1", s.client.ID) }), days: -1, before: "sending", act: none, after: "sending"},
		{name: "preference off", arrange: topicsOff, days: -1, before: "wont_send preference_off", after: "wont_send preference_off"},
		{name: "preference off while it waits", arrange: planned(topicsOff), days: -1, before: "wont_send preference_off", after: "skipped preference_off"},
		{name: "own address turned off", arrange: func(s *site) { s.must(s.store.SetClientTopics(s.Context(), s.client.ID, []mail.Topic{mail.Domain})) }, days: -1, own: true, before: "wont_send preference_off", after: "wont_send preference_off"},
		{name: "paid", arrange: paid, days: -1, before: "wont_send paid", after: "wont_send paid"},
		{name: "paid while it waits", arrange: planned(paid), days: -1, before: "wont_send paid", after: "skipped paid"},
		{name: "cancelled", arrange: func(s *site) { s.close(s.billing.CancelInvoice) }, days: -1, before: "wont_send cancelled", after: "wont_send cancelled"},
		{name: "cancelled while it waits", arrange: planned(func(s *site) { s.close(s.billing.CancelInvoice) }), days: -1, before: "wont_send cancelled", after: "skipped cancelled"},
		{name: "written off", arrange: func(s *site) { s.close(s.billing.WriteOffInvoice) }, days: -1, before: "wont_send written_off", after: "wont_send written_off"},
		{name: "written off while it waits", arrange: planned(func(s *site) { s.close(s.billing.WriteOffInvoice) }), days: -1, before: "wont_send written_off", after: "skipped written_off"},
		{name: "a draft", arrange: func(s *site) { s.invoice = s.draft(1) }, days: -1, before: "wont_send draft", after: "wont_send draft"},
		{name: "paused", arrange: func(s *site) { s.pause(db.PauseSkip) }, days: -1, before: "wont_send paused", after: "skipped paused"},
		{name: "paused, a later step", arrange: func(s *site) { s.pause(db.PauseSkip) }, days: 5, before: "would_send", after: "would_send"},
		{name: "paused while it waits", arrange: planned(func(s *site) { s.pause(db.PauseSkip) }), days: -1, before: "wont_send paused", after: "skipped paused"},
		{name: "shifted", arrange: func(s *site) { s.pause(db.PauseShift) }, days: 1, before: "would_send", after: "would_send"},
		{name: "shifted while it waits", arrange: planned(func(s *site) { s.pause(db.PauseShift) }), days: -1, before: "planned paused", after: "planned paused"},
		{name: "bounced", arrange: func(s *site) { s.bounce(s.contact.ID, s.contact.Email) }, days: -1, before: "wont_send bounced", after: "skipped bounced"},
		{name: "bounced while it waits", arrange: planned(func(s *site) { s.bounce(s.contact.ID, s.contact.Email) }), days: -1, before: "wont_send bounced", after: "skipped bounced"},
		{name: "own address bounced while it waits", arrange: queued(func(s *site) { s.bounce(0, s.client.Email) }), days: -1, own: true, before: "wont_send bounced", act: func(s *site) { dbtest.Hurry(s, s.dsn); s.work() }, after: "skipped bounced"},
		{name: "not verified", arrange: verify, days: -1, before: "wont_send unverified", after: "skipped unverified"},
		{name: "not verified while it waits", arrange: planned(verify), days: -1, before: "wont_send unverified", after: "skipped unverified"},
		{name: "confirmed in time", arrange: planned(func(s *site) {
			verify(s)
			s.work()
			s.must(s.store.VerifyAddress(s.Context(), s.contact.ID, s.contact.Email, time.Now()))
		}), days: -1, before: "would_send", after: "sent"},
		{name: "the address is mended in time", arrange: planned(func(s *site) {
			s.bounce(s.contact.ID, s.contact.Email)
			s.work()
			s.must(s.reminder.ClearBounce(s.system(), s.client.ID, s.contact.ID))
		}), days: -1, before: "would_send", after: "sent"},
		{name: "contact deleted", arrange: func(s *site) { s.must(s.store.DeleteContact(s.Context(), s.contact.ID)) }, days: -1, before: "", after: ""},
		{name: "contact deleted while it waits", arrange: planned(func(s *site) { s.must(s.store.DeleteContact(s.Context(), s.contact.ID)) }), days: -1, before: "wont_send contact_deleted", after: "skipped contact_deleted"},
		{name: "contact came later", arrange: func(s *site) { s.exec("UPDATE contact SET created_at = now() WHERE id = $1", s.contact.ID) }, days: -7, before: "wont_send before_contact_existed", after: "wont_send before_contact_existed"},
		{name: "invoice came later", arrange: func(s *site) { s.exec("UPDATE invoice SET created_at = now() WHERE id = $1", s.invoice.ID) }, days: -7, before: "wont_send before_invoice_existed", after: "wont_send before_invoice_existed"},
		{name: "step came later", arrange: func(s *site) { s.own(-3, 5) }, days: -3, before: "wont_send before_step_existed", after: "wont_send before_step_existed"},
		{name: "the same step of a former policy", arrange: func(s *site) { s.plan(); s.work(); s.own(-1) }, days: -1, before: "sent, wont_send already_reminded", after: "sent, wont_send already_reminded"},
		{name: "a contact has the same address", arrange: func(s *site) {
			s.exec("UPDATE contact SET email = $1 WHERE id = $2", strings.ToUpper(s.client.Email), s.contact.ID)
		}, days: -1, own: true, before: "wont_send covered_by_contact", after: "wont_send covered_by_contact"},
		{name: "a newer step is due too", arrange: func(s *site) { s.old(s.own(-2, -1)) }, days: -2, before: "wont_send superseded", after: "skipped superseded"},
		{name: "a newer step was planned while it waits", arrange: func(s *site) {
			s.old(s.own(-2))
			s.plan()
			s.own(-2, -1)
			s.exec("UPDATE reminder_step SET created_at = now() - interval '40 days'")
			s.plan()
		}, days: -2, before: "wont_send superseded", after: "skipped superseded"},
		{name: "too late", arrange: none, days: -7, before: "wont_send missed", after: "wont_send missed"},
		{name: "too late while it waits", arrange: func(s *site) {
			s.invoice = s.owe(-38, -19)
			s.reminder.Now = func() time.Time { return time.Now().AddDate(0, 0, -20) }
			s.plan()
			s.reminder.Now = time.Now
		}, days: -1, before: "wont_send missed", after: "skipped missed"},
		{name: "refused", arrange: planned(func(s *site) { s.refuse(550) }), days: -1, before: "planned", after: "failed refused"},
		{name: "put off", arrange: planned(func(s *site) { s.refuse(451) }), days: -1, before: "planned", after: "planned retry"},
		{name: "given up", arrange: planned(func(s *site) {
			s.refuse(451)
			s.exec("UPDATE delivery SET attempts = 20, send_at = now() - interval '45 hours' WHERE client_id = $1", s.client.ID)
		}), days: -1, before: "planned", after: "failed gave_up"},
		{name: "cannot be written", arrange: planned(func(s *site) { s.brake(errors.New("no words")) }), days: -1, before: "planned", after: "failed render"},
		{name: "the domain waits", arrange: planned(func(s *site) { s.closeDomain() }), days: -1, before: "planned", after: "planned domain_waits"},
		{name: "outside the window", arrange: planned(func(s *site) {
			now := time.Now().In(date.Zone(s.zone))
			s.exec("UPDATE delivery SET send_at = now() - interval '30 minutes' WHERE client_id = $1", s.client.ID)
			policy := s.own(5)
			s.exec("UPDATE reminder_policy SET send_from = $2, send_until = $3 WHERE id = $1", policy, now.Add(-40*time.Minute).Format("15:04:05"), now.Add(-10*time.Minute).Format("15:04:05"))
			s.exec("UPDATE delivery SET step_id = (SELECT id FROM reminder_step WHERE policy_id = $2) WHERE client_id = $1", s.client.ID, policy)
		}), days: 5, before: "planned window", after: "planned window"},
		{name: "another worker holds a companion", arrange: func(s *site) {
			policy := s.own(-1)
			s.exec("UPDATE reminder_policy SET consolidate = true WHERE id = $1", policy)
			other := s.owe(-18, 1)
			s.plan()
			s.exec("UPDATE delivery SET status = 'sending', due_at = now() + interval '1 hour' WHERE invoice_id = $1", other.ID)
		}, days: -1, before: "planned", after: "planned companions_wait"},
		{name: "taken back", arrange: planned(func(s *site) {
			for _, e := range s.agree() {
				if e.ContactID == s.contact.ID && e.DeliveryID != 0 {
					s.must(s.reminder.CancelDelivery(s.system(), e.DeliveryID))
				}
			}
		}), days: -1, before: "cancelled by_staff", after: "cancelled by_staff"},
		{name: "came back for good", arrange: func(s *site) { s.plan(); s.work(); s.comesBack("hard") }, days: -1, before: "bounced hard", after: "bounced hard"},
		{name: "came back for now", arrange: func(s *site) { s.plan(); s.work(); s.comesBack("soft") }, days: -1, before: "bounced soft", after: "bounced soft"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := s.begin(t, i)
			c.arrange(s)
			contact := s.contact.ID
			if c.own {
				contact = 0
			}
			if got := of(s.agree(), c.days, contact); got != c.before {
				t.Fatalf("foretold is %q, want %q", got, c.before)
			}
			act := c.act
			if act == nil {
				act = func(s *site) { s.plan(); s.work() }
			}
			act(s)
			if got := of(s.agree(), c.days, contact); got != c.after {
				t.Fatalf("afterwards it says %q, want %q", got, c.after)
			}
			for _, word := range strings.Fields(c.before + " " + c.after) {
				seen[strings.Trim(word, ",")] = true
			}
		})
	}
	if t.Failed() {
		return
	}
	// No reason has a text and no case, no state a name and no case.
	for _, key := range locale.Keys() {
		for _, prefix := range []string{"console.reason.", "common.delivery."} {
			if name, ok := strings.CutPrefix(key, prefix); ok && !seen[name] {
				t.Errorf("no case shows %s", key)
			}
		}
	}
}
