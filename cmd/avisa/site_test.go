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
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/devstack"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/money"
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

// draft adds a draft for the client, due so many days from today.
func (s *site) draft(due int) db.Invoice {
	s.Helper()
	row, err := s.billing.SaveDraft(s.system(), billing.SaveDraftInput{IssueInput: billing.IssueInput{ClientID: s.client.ID, DueDate: s.today.AddDays(due),
		Lines: []billing.LineInput{{Description: "Hospedaje", Quantity: money.Int(1), UnitPrice: money.Int(100)}}}})
	s.must(err)
	return row
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
