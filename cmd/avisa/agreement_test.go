package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/devstack"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

// site is the whole product in this process, with a browser of staff and one of an owner.
type site struct {
	*testing.T
	*app
	raw          *sql.DB
	mailbox      *devstack.Mailbox
	dsn          string
	base         string
	zone         string
	today        date.Date
	login        id.Login // of the owner
	staff, owner *http.Client
	token        string
	broken       *error // why mails cannot be written

	// Of the case:
	client  db.Client
	contact db.Contact
	invoice db.Invoice
}

const sitePassword = "Faro-de-pruebas-26"

func newSite(t *testing.T) *site {
	o := newOutside(t)
	env := map[string]string{}
	for _, pair := range o.env {
		name, value, _ := strings.Cut(pair, "=")
		env[name] = value
	}
	mailbox, err := devstack.StartMailbox("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mailbox.Close() })
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := config{Env: development, BaseURL: fmt.Sprintf("http://localhost:%d", listener.Addr().(*net.TCPAddr).Port), DatabaseURL: env["DATABASE_URL"], RedisURL: env["REDIS_URL"], SMTPURL: "smtp://" + mailbox.Addr() + "?tls=none", BlobURL: env["BLOB_URL"],
		DataDir: env["AVISA_DATA"], Secret: "una-clave-solo-para-estas-pruebas-0123456789", Concurrency: 4, Lease: 20 * time.Second}
	a, err := open(t.Context(), c, slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.close)
	s := &site{T: t, app: a, mailbox: mailbox, dsn: o.dsn, zone: "America/Mexico_City", broken: new(error)}
	if hour := time.Now().In(date.Zone(s.zone)).Hour(); hour < 1 || hour > 21 {
		s.zone = "Asia/Tokyo" // no day may end, and no window close, while the test runs
	}
	render := a.reminder.Render
	a.reminder.Render = func(ctx context.Context, r reminder.Reminder) (mail.Message, error) {
		m, err := render(ctx, r)
		return m, errors.Join(err, *s.broken)
	}
	s.today = date.Today(time.Now(), s.zone)
	if s.raw, err = sql.Open("pgx", o.dsn); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.raw.Close() })
	dbtest.Company(t, s.store, time.Now().AddDate(0, -2, 0))
	s.exec("UPDATE reminder_policy SET send_from = '00:00', send_until = '23:59:59'")
	server := &httptest.Server{Listener: listener, Config: &http.Server{Handler: a.web()}}
	server.Start()
	t.Cleanup(server.Close)
	s.base = c.BaseURL

	first, err := a.account.AddClient(s.system(), account.AddClientInput{Password: sitePassword, Details: account.ClientDetails{Name: "Primero", Email: "direccion@primero.example"}})
	s.must(err)
	sub, err := s.store.OwnerLogin(t.Context(), first.ID)
	s.must(err)
	s.login = sub.ID
	_, err = a.account.AddStaff(s.system(), account.AddStaffInput{Name: "Personal", Email: "personal@hospedaje.example", Password: sitePassword})
	s.must(err)
	signIn := func(path, email string) *http.Client {
		jar, _ := cookiejar.New(nil)
		browser := &http.Client{Jar: jar}
		response, err := browser.PostForm(s.base+path, url.Values{"email": {email}, "password": {sitePassword}})
		s.must(err)
		_ = response.Body.Close()
		if strings.Contains(response.Request.URL.Path, "/entrar") {
			t.Fatalf("%s: not signed in: %s", email, response.Status)
		}
		return browser
	}
	s.staff, s.owner = signIn("/consola/entrar", "personal@hospedaje.example"), signIn("/clientes/entrar", "direccion@primero.example")
	signed, err := a.account.SignIn(t.Context(), account.SignInInput{Email: "personal@hospedaje.example", Password: sitePassword, Staff: true})
	s.must(err)
	s.token = signed.Token
	return s
}

func (s *site) must(err error) {
	s.Helper()
	if err != nil {
		s.Fatal(err)
	}
}

func (s *site) system() context.Context { return access.With(s.Context(), access.SystemActor()) }

func (s *site) exec(statement string, args ...any) {
	s.Helper()
	_, err := s.raw.ExecContext(s.Context(), statement, args...)
	s.must(err)
}

// close takes the invoice back, or writes it off.
func (s *site) close(how func(context.Context, billing.CloseInput) (db.Invoice, error)) {
	s.Helper()
	_, err := how(s.system(), billing.CloseInput{InvoiceID: s.invoice.ID, Reason: "prueba"})
	s.must(err)
}

// old makes a policy's steps older than the invoice.
func (s *site) old(policy id.Policy) {
	s.Helper()
	s.exec("UPDATE reminder_step SET created_at = now() - interval '40 days' WHERE policy_id = $1", policy)
}

// brake makes writing mails fail until the case ends.
func (s *site) brake(err error) {
	*s.broken = err
	s.Cleanup(func() { *s.broken = nil })
}

// closeDomain lets so many mails to the case's domain fail that the gate closes for it.
func (s *site) closeDomain() {
	s.Helper()
	s.refuse(451)
	_, domain, _ := strings.Cut(s.client.Email, "@")
	for i := range 6 {
		other := dbtest.Client(s.T, s.store, "Otro", fmt.Sprintf("otro%d@%s", i, domain))
		s.exec("UPDATE client SET timezone = $1 WHERE id = $2", s.zone, other.ID)
		dbtest.Invoice(s.T, s.store, other, s.today.AddDays(-18), s.today.AddDays(1), time.Now().AddDate(0, 0, -18))
		_, err := s.reminder.SendReminders(s.system(), reminder.RunInput{ClientID: other.ID})
		s.must(err)
	}
	s.exec("UPDATE delivery SET due_at = now() + interval '1 hour' WHERE client_id = $1", s.client.ID)
	s.work()
	s.exec("UPDATE delivery SET due_at = now() WHERE client_id = $1", s.client.ID)
}

// comesBack notes that what the contact was sent came back.
func (s *site) comesBack(reason string) {
	s.Helper()
	for _, e := range s.agree() {
		if e.ContactID == s.contact.ID && e.Status == db.DeliverySent {
			_, err := s.store.BounceDelivery(s.Context(), e.DeliveryID, reason, "")
			s.must(err)
		}
	}
}

// begin gives the case a client with a contact and an invoice that is due tomorrow.
func (s *site) begin(t *testing.T, n int) *site {
	c := *s
	c.T = t
	c.client = dbtest.Client(t, s.store, fmt.Sprintf("Cliente %d", n), fmt.Sprintf("cliente@caso%d.example", n))
	c.exec("UPDATE client SET timezone = $1 WHERE id = $2", s.zone, c.client.ID)
	c.client.Timezone = s.zone
	c.exec("INSERT INTO sub_account (client_id, login_id, owner) VALUES ($1, $2, true)", c.client.ID, s.login)
	c.contact = dbtest.Contact(t, s.store, c.client, fmt.Sprintf("conta@caso%d.example", n), time.Now().AddDate(0, 0, -30), mail.Invoice)
	c.invoice = c.owe(-18, 1)
	return &c
}

// owe adds an invoice of the client, issued and due so many days from today.
func (s *site) owe(issued, due int) db.Invoice {
	s.Helper()
	return dbtest.Invoice(s.T, s.store, s.client, s.today.AddDays(issued), s.today.AddDays(due), time.Now().AddDate(0, 0, issued))
}

func (s *site) plan() {
	s.Helper()
	_, err := s.reminder.SendReminders(s.system(), reminder.RunInput{ClientID: s.client.ID})
	s.must(err)
}

// work hands out what is due and does a worker's work.
func (s *site) work() {
	s.Helper()
	s.must(s.reminder.Send(s.system(), s.take()))
}

func (s *site) take() (ids []id.Delivery) {
	s.Helper()
	taken, err := s.reminder.Dispatch(s.system(), 1000, 2000)
	s.must(err)
	for _, d := range taken {
		ids = append(ids, d.ID)
	}
	return ids
}

func (s *site) pause(mode string) {
	s.Helper()
	_, _, err := s.reminder.SetReminderPause(s.system(), reminder.PauseInput{InvoiceID: s.invoice.ID, Until: s.today.AddDays(4), Mode: mode})
	s.must(err)
}

func (s *site) bounce(contact id.Contact, email string) {
	s.Helper()
	now := time.Now()
	s.must(s.store.MarkBounce(s.Context(), s.client.ID, contact, db.Bounce{BouncedEmail: email, BouncedAt: &now}))
}

// own gives the client a policy of its own with these steps before (negative) and after the due date.
func (s *site) own(days ...int) id.Policy {
	s.Helper()
	in := reminder.PolicyInput{ClientID: s.client.ID, Name: "propia", SendFrom: "00:00", SendUntil: "23:59", CatchUpDays: 3}
	for _, d := range days {
		in.Steps = append(in.Steps, reminder.StepInput{Anchor: db.AnchorDue, Days: d})
	}
	row, err := s.reminder.SavePolicy(s.system(), in)
	s.must(err)
	return row.ID
}

func (s *site) refuse(code int) {
	s.mailbox.Fail(func(string, string) *devstack.SMTPFailure { return &devstack.SMTPFailure{Code: code} })
	s.Cleanup(func() { s.mailbox.Fail(nil) })
}

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
	portal := s.rows(s.owner, "/clientes/"+s.client.ID.String()+"/facturas/"+s.invoice.ID.String(), func(n *html.Node) bool { return n.Data == "li" && !holds(n, "li") })
	for i, e := range entries {
		g := out.Invoice.ReminderPlan[i]
		want := strings.Join([]string{e.Step.Anchor, fmt.Sprint(e.Step.Days), e.Name, e.Recipient, e.Language, e.Status, e.Reason}, "|")
		got := strings.Join([]string{strings.ToLower(g.Step.Anchor), fmt.Sprint(g.Step.Days), g.Name, g.Recipient, strings.ReplaceAll(strings.Replace(strings.ToLower(g.Language), "_mx", "-MX", 1), "_", "-"), strings.ToLower(g.Status), g.Reason}, "|")
		if got != want || g.SendAt.Sub(e.SendAt).Abs() > 10*time.Second { // what goes out now goes out now
			s.Errorf("GraphQL says %s at %s, want %s at %s", got, g.SendAt, want, e.SendAt)
		}
		shown := []string{e.Recipient, locale.T(locale.Spanish, "common.delivery."+e.Status)}
		if e.Reason != "" {
			shown = append(shown, locale.T(locale.Spanish, "console.reason."+e.Reason))
		}
		for door, rows := range map[string]*[]string{"the console": &console, "the owner's page": &portal} {
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
		{name: "paused", arrange: func(s *site) { s.pause(db.PauseSkip) }, days: -1, before: "wont_send paused", after: "skipped paused"},
		{name: "paused, a later step", arrange: func(s *site) { s.pause(db.PauseSkip) }, days: 5, before: "would_send", after: "would_send"},
		{name: "paused while it waits", arrange: planned(func(s *site) { s.pause(db.PauseSkip) }), days: -1, before: "wont_send paused", after: "skipped paused"},
		{name: "shifted", arrange: func(s *site) { s.pause(db.PauseShift) }, days: 1, before: "would_send", after: "would_send"},
		{name: "shifted while it waits", arrange: planned(func(s *site) { s.pause(db.PauseShift) }), days: -1, before: "planned paused", after: "planned paused"},
		{name: "bounced", arrange: func(s *site) { s.bounce(s.contact.ID, s.contact.Email) }, days: -1, before: "wont_send bounced", after: "skipped bounced"},
		{name: "bounced while it waits", arrange: planned(func(s *site) { s.bounce(s.contact.ID, s.contact.Email) }), days: -1, before: "wont_send bounced", after: "skipped bounced"},
		{name: "own address bounced while it waits", arrange: queued(func(s *site) { s.bounce(0, s.client.Email) }), days: -1, own: true, before: "wont_send bounced", act: func(s *site) { s.must(s.store.HurryDeliveries(s.Context())); s.work() }, after: "skipped bounced"},
		{name: "not verified", arrange: verify, days: -1, before: "wont_send unverified", after: "skipped unverified"},
		{name: "not verified while it waits", arrange: planned(verify), days: -1, before: "wont_send unverified", after: "skipped unverified"},
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
