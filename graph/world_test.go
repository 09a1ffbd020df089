package graph_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"gocloud.dev/blob/memblob"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/graph"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/fiscaltest"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/internal/reminder"
	"github.com/nubedigitalmx/avisa/internal/secret"
)

// password is everybody's; hashing it takes long on purpose, so it is done once.
const password = "un sauce de cristal"

var passwordHash = sync.OnceValue(func() db.Secret { return account.Argon{Memory: 64, Passes: 1}.Hash(password) })

// world is the door over a database with two clients:
//
//	cli_1 Panadería La Espiga: owner; con_1 Ana (accountant: invoices, emails); con_2 Beto
//	(assistant: contacts); F-1 overdue, F-2 due later
//	cli_2 Ferretería El Yunque: stranger; F-3
type world struct {
	t        testing.TB
	store    *db.Store
	account  *account.Service
	billing  *billing.Service
	reminder *reminder.Service
	fiscal   *fiscal.Service
	handler  http.Handler
	log      *bytes.Buffer
	logins   map[string]id.Login
	staff    db.Staff
	token    string // the last one that signIn gave
}

// now is the time of every test: a Friday noon in Mexico City.
func now() time.Time { return time.Date(2026, 4, 10, 18, 0, 0, 0, time.UTC) }

func newWorld(tb testing.TB, change ...func(*graph.Config)) *world {
	tb.Helper()
	w := &world{t: tb, store: dbtest.New(tb), log: &bytes.Buffer{}, logins: map[string]id.Login{}}
	files := memblob.OpenBucket(nil)
	tb.Cleanup(func() { _ = files.Close() })
	secrets, err := secret.New("una-clave-solo-para-estas-pruebas-0123456789")
	w.must(err)
	passkeys, err := account.NewPasskeys("https://clientes.nubeclara.example", "Nube Clara")
	w.must(err)
	w.account = &account.Service{Store: w.store, Now: now, Limiter: &limiter{counts: map[string]int{}}, Argon: account.Argon{Memory: 64, Passes: 1}, Secrets: secrets, Passkeys: passkeys}
	w.billing = &billing.Service{Store: w.store, Now: now, Files: files}
	w.reminder = &reminder.Service{Store: w.store, Now: now, LinkURL: func(kind, token string) string { return "/" + kind + "/" + token }}
	ring, err := fiscal.NewKeyring("k", map[string][]byte{"k": bytes.Repeat([]byte{1}, 32)})
	w.must(err)
	w.fiscal = &fiscal.Service{Store: w.store, Now: now, Keyring: ring}
	config := graph.Config{Account: w.account, Billing: w.billing, Reminder: w.reminder, Fiscal: w.fiscal, Now: now, Introspection: true,
		CFDIPath: func(key id.CFDI, format string) string { return "/files/" + key.String() + "." + format },
		PayPath:  func(client id.Client, key id.Invoice) string { return "/pay/" + client.String() + "/" + key.String() },
		NotePath: func(key id.CreditNote) string { return "/notes/" + key.String() + ".pdf" },
		PDFPath:  func(key id.Invoice) string { return "/files/" + key.String() + ".pdf" },
		Log:      slog.New(slog.NewTextHandler(w.log, nil))}
	for _, f := range change {
		f(&config)
	}
	w.handler = graph.NewHandler(config)
	w.fill()
	w.issuer()
	return w
}

// issuer makes the company one that can issue fiscal documents.
func (w *world) issuer() {
	w.t.Helper()
	ctx := access.With(w.t.Context(), access.SystemActor())
	_, err := w.fiscal.SaveIssuer(ctx, fiscal.IssuerInput{Rfc: "EKU9003173C9", Nombre: "ESCUELA KEMPER URGATE", RegimenFiscal: "601", LugarExpedicion: "42501"})
	w.must(err)
	csd, err := fiscal.RestoreCSD(fiscaltest.NewCSD(w.t, "EKU9003173C9", false))
	w.must(err)
	_, err = w.fiscal.KeepCSD(ctx, csd)
	w.must(err)
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) fill() {
	w.t.Helper()
	ctx := access.With(w.t.Context(), access.SystemActor())
	w.must(w.store.SaveCompany(ctx, &db.Company{Name: "Nube Clara", Email: "cobranza@nubeclara.example", BrandColour: "#0f766e", Timezone: "America/Mexico_City"}))
	w.must(w.store.AddPolicy(ctx, &db.ReminderPolicy{Name: "Normal", SendFrom: "09:00", SendUntil: "18:00", CatchUpDays: 3},
		[]db.ReminderStep{{Anchor: db.AnchorIssue, CreatedAt: now().AddDate(0, -6, 0)}, {Anchor: db.AnchorDue, Days: 1, CreatedAt: now().AddDate(0, -6, 0)}}))
	w.staff = db.Staff{Email: "mesa@nubeclara.example", Name: "Mesa de Ayuda", PasswordHash: passwordHash(), Language: "es-MX", Role: access.Admin, Active: true}
	w.must(w.store.AddStaff(ctx, &w.staff))

	bakery := db.Client{Name: "Panadería La Espiga", Email: "hola@laespiga.example", TaxID: "PES010101AA1", Country: "MX",
		Language: "es-MX", Timezone: "America/Mexico_City", Topics: mail.Topics()}
	hardware := db.Client{Name: "Ferretería El Yunque", Email: "ventas@elyunque.example", Country: "MX",
		Language: "es-MX", Timezone: "America/Mexico_City", Topics: mail.Topics()}
	w.must(w.store.AddClient(ctx, &bakery))
	w.must(w.store.AddClient(ctx, &hardware))
	w.login("owner", "duena@laespiga.example", "es-MX", db.SubAccount{ClientID: bakery.ID, Owner: true})
	w.login("stranger", "dueno@elyunque.example", "en", db.SubAccount{ClientID: hardware.ID, Owner: true})
	ana := w.contact("accountant", bakery.ID, "Ana", "ana@laespiga.example", access.Invoices, access.Emails)
	beto := w.contact("assistant", bakery.ID, "Beto", "beto@laespiga.example", access.Contacts)
	w.invoice(bakery.ID, "2026-03-01", "2026-04-09", "1000")
	w.invoice(bakery.ID, "2026-04-01", "2026-04-30", "250.50")
	w.invoice(hardware.ID, "2026-04-01", "2026-04-30", "99")
	for _, download := range []db.InvoiceDownload{{Address: "198.51.100.7"}, {StaffID: w.staff.ID, Address: "192.0.2.7"}, {LoginID: w.logins["accountant"], Address: "203.0.113.9"}} {
		download.InvoiceID = 1
		w.must(w.store.LogDownload(ctx, download))
	}
	w.emails(bakery, ana, beto)
}

// emails are what the bakery was sent: a mail to its own address that is put off, a reminder to Ana that
// came back, and Beto's invitation, the content of which is kept no longer.
func (w *world) emails(bakery db.Client, ana, beto id.Contact) {
	w.t.Helper()
	keep := func(kind string, contact id.Contact, invoice id.Invoice, m mail.Message, err error) {
		e := db.NewEmail(kind, bakery.ID, contact, m).Went(mail.Receipt{Reply: "250 2.0.0 ok"}, err)
		e.InvoiceID, e.CreatedAt, e.SentAt = invoice, now(), nil
		w.must(w.store.KeepEmail(w.t.Context(), e))
	}
	keep(db.EmailInvoice, 0, 1, mail.Message{ID: "reminder.1.1.0@nubeclara.example", ToName: bakery.Name, To: bakery.Email, Language: "es-MX", Subject: "Su factura F-1", Text: "Ver: https://clientes.example/secreto",
		HTML: "<p>Ver</p>", Secrets: []string{"secreto"}, Attachments: []mail.Attachment{{Name: "F-1.pdf"}}}, &mail.Refusal{Code: 451, Reply: "451 4.7.1 greylisted"})
	keep(db.EmailReminder, ana, 1, mail.Message{ID: "reminder.1.2.1@nubeclara.example", ToName: "Ana", To: "ana@laespiga.example", Language: "es-MX", Subject: "Recordatorio F-1", Text: "Vence pronto"}, nil)
	keep(db.EmailInvitation, beto, 0, mail.Message{ID: "account.invitation.1@nubeclara.example", ToName: "Beto", To: "beto@laespiga.example", Language: "es-MX", Subject: "Invitación"}, nil)
	_, _, err := w.store.BounceEmail(w.t.Context(), "reminder.1.2.1@nubeclara.example", "ana@laespiga.example", "hard", "5.1.1 no such user")
	w.must(err)
}

// login adds a login that reaches one client.
func (w *world) login(actor, email, lang string, grant db.SubAccount) {
	w.t.Helper()
	row := db.Login{Email: email, PasswordHash: passwordHash(), Language: lang}
	if !grant.Owner {
		row.HomeClientID = grant.ClientID
	}
	w.must(w.store.AddLogin(w.t.Context(), &row))
	grant.LoginID, grant.Status = row.ID, db.SubAccountActive
	if grant.Permissions == nil {
		grant.Permissions = []access.Permission{}
	}
	w.must(w.store.AddSubAccount(w.t.Context(), &grant))
	w.logins[actor] = row.ID
}

func (w *world) contact(actor string, client id.Client, name, email string, permissions ...access.Permission) id.Contact {
	w.t.Helper()
	row := db.Contact{ClientID: client, Firstname: name, Email: email, Country: "MX", Language: "es-MX",
		Timezone: "America/Mexico_City", Topics: []mail.Topic{mail.Invoice}, CreatedAt: now().AddDate(0, -2, 0)}
	w.must(w.store.AddContact(w.t.Context(), &row))
	if actor != "" {
		w.login(actor, email, "es-MX", db.SubAccount{ClientID: client, ContactID: row.ID, Permissions: permissions})
	}
	return row.ID
}

func (w *world) invoice(client id.Client, issued, due date.Date, price string) db.Invoice {
	w.t.Helper()
	billed := *w.billing
	billed.Now = func() time.Time { return issued.Time().Add(18 * time.Hour) } // reminders count from the day it is stored
	row, err := billed.IssueInvoice(access.With(w.t.Context(), access.SystemActor()), billing.IssueInput{ClientID: client,
		IssueDate: issued, DueDate: due, Lines: []billing.LineInput{{Description: "Hospedaje", Quantity: money.Int(1), UnitPrice: money.Must(price)}}})
	w.must(err)
	return row
}

// actor is who makes a request; a login holds what it holds at that moment.
func (w *world) actor(name string) access.Actor {
	w.t.Helper()
	actor := access.Actor{Kind: access.Anonymous}
	switch name {
	case "anonymous":
	case "staff":
		actor = access.Actor{Kind: access.Staff, Staff: w.staff.ID, Name: w.staff.Name, Email: w.staff.Email, Language: "es-MX", Role: access.Admin}
	case "token":
		signed, err := w.account.Authenticate(w.t.Context(), w.token)
		w.must(err)
		actor = signed
	default:
		loginID, ok := w.logins[name]
		if !ok {
			w.t.Fatalf("no actor %q", name)
		}
		login, err := w.store.Login(w.t.Context(), loginID)
		w.must(err)
		grants, err := w.store.Grants(w.t.Context(), loginID, now())
		w.must(err)
		actor = access.Actor{Kind: access.Login, Login: loginID, Name: login.Email, Email: login.Email, Language: login.Language, Grants: grants}
	}
	actor.Address, actor.Device, actor.Request = "192.0.2.7", "test", "req-1"
	return actor
}

// serve makes an HTTP request as the actor.
func (w *world) serve(actor string, r *http.Request) *httptest.ResponseRecorder {
	w.t.Helper()
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r.WithContext(access.With(r.Context(), w.actor(actor))))
	return rec
}

// post makes a GraphQL request as the actor.
func (w *world) post(actor, query string, variables any, header ...string) *httptest.ResponseRecorder {
	w.t.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	w.must(err)
	r := httptest.NewRequest(http.MethodPost, "/graphql", bytes.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return w.serve(actor, r)
}

// answer is a GraphQL response.
type answer struct {
	Data   map[string]any `json:"data"`
	Errors []struct {
		Message    string         `json:"message"`
		Path       []any          `json:"path"`
		Extensions map[string]any `json:"extensions"`
	} `json:"errors"`
}

func (a answer) codes() string {
	codes := []string{}
	for _, e := range a.Errors {
		code, _ := e.Extensions["code"].(string)
		codes = append(codes, code)
	}
	return strings.Join(codes, " ")
}

func decodeAnswer(t testing.TB, rec *httptest.ResponseRecorder) answer {
	t.Helper()
	var a answer
	if err := json.Unmarshal(rec.Body.Bytes(), &a); err != nil {
		t.Fatalf("%d %q: %v", rec.Code, rec.Body, err)
	}
	return a
}

// limiter counts attempts of the one minute in which a test runs.
type limiter struct {
	mu     sync.Mutex
	counts map[string]int
}

func (l *limiter) AllowHourly(ctx context.Context, key string, perHour int) (time.Duration, error) {
	return l.Allow(ctx, key, perHour)
}

func (l *limiter) Allow(_ context.Context, key string, perMinute int) (time.Duration, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.counts[key]++; l.counts[key] > perMinute {
		return 42 * time.Second, nil
	}
	return 0, nil
}

func (l *limiter) Reset(_ context.Context, key string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.counts, key)
	return nil
}
