package ui

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"gocloud.dev/blob/memblob"
	"golang.org/x/net/html"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/internal/reminder"
	"github.com/nubedigitalmx/avisa/internal/secret"
	"github.com/nubedigitalmx/avisa/ui/email"
)

const (
	password   = "Faro-de-pruebas-26"
	owner      = "direccion@cafe.example"
	stranger   = "direccion@taller.example"
	bookkeeper = "contabilidad@cafe.example" // invoices and emails
	assistant  = "asistente@cafe.example"    // contacts alone
	personnel  = "personal@hospedaje.example"
)

// now is 10:00 of 29 April 2026 in Mexico City.
var now = time.Date(2026, 4, 29, 16, 0, 0, 0, time.UTC)

// world is the whole site over a real database with two clients.
type world struct {
	testing.TB
	store          *db.Store
	account        *account.Service
	billing        *billing.Service
	server         *httptest.Server
	log            *bytes.Buffer
	client, other  db.Client
	invoice, alien db.Invoice
	contacts       map[string]db.Contact
	notices        []account.Notice // what was mailed
}

// discard takes every mail.
type discard struct{}

func (discard) Send(context.Context, mail.Message) (mail.Receipt, error) {
	return mail.Receipt{Reply: "250 ok"}, nil
}

// mailed does the account's background work and returns the newest notice of a kind.
func mailed[N account.Notice](w *world) N {
	w.Helper()
	for {
		jobs, err := w.store.TakeJobs(w.Context(), 500, time.Minute)
		if err != nil {
			w.Fatal(err)
		}
		if len(jobs) == 0 {
			break
		}
		for _, job := range jobs {
			ctx := system(w.Context())
			switch job.Kind {
			case "account:reset":
				err = work(ctx, job.Payload, w.account.SendReset)
			case "account:link":
				err = work(ctx, job.Payload, w.account.SendLink)
			}
			if err != nil {
				w.Fatal(err)
			}
			if err := w.store.FinishJob(w.Context(), job.ID); err != nil {
				w.Fatal(err)
			}
		}
	}
	for _, notice := range slices.Backward(w.notices) {
		if n, ok := notice.(N); ok {
			return n
		}
	}
	var none N
	return none
}

func work[J any](ctx context.Context, payload json.RawMessage, verb func(context.Context, J) error) error {
	var job J
	if err := json.Unmarshal(payload, &job); err != nil {
		return err
	}
	return verb(ctx, job)
}

type limiter struct{ wait time.Duration }

func (l limiter) Allow(context.Context, string, int) (time.Duration, error) { return l.wait, nil }
func (l limiter) AllowHourly(context.Context, string, int) (time.Duration, error) {
	return l.wait, nil
}
func (limiter) Reset(context.Context, string) error { return nil }

func system(ctx context.Context) context.Context { return access.With(ctx, access.SystemActor()) }

func newWorld(tb testing.TB) *world {
	tb.Helper()
	store := dbtest.New(tb)
	dbtest.Company(tb, store, now.AddDate(0, -2, 0))
	clock := func() time.Time { return now }
	files := memblob.OpenBucket(nil)
	tb.Cleanup(func() { _ = files.Close() })
	w := &world{TB: tb, store: store, log: &bytes.Buffer{}, contacts: map[string]db.Contact{}}
	secrets, err := secret.New("una-clave-solo-para-estas-pruebas-0123456789")
	if err != nil {
		tb.Fatal(err)
	}
	w.account = &account.Service{Store: store, Now: clock, Limiter: limiter{}, Argon: account.Argon{Memory: 64, Passes: 1}, Secrets: secrets, Mailer: discard{},
		Mail: func(_ context.Context, n account.Notice) (mail.Message, error) {
			w.notices = append(w.notices, n)
			return mail.Message{ID: n.Head().MessageID, To: n.Head().To}, nil
		}}
	w.billing = &billing.Service{Store: store, Now: clock, Files: files, Secret: []byte(secrets.Token("pay links"))}
	w.serve(Config{})

	w.client, w.other = w.addClient("Café de Prueba", owner), w.addClient("Taller Ajeno", stranger)
	w.invoice, w.alien = w.issue(w.client), w.issue(w.other)
	w.addContact("Contabilidad", bookkeeper, []mail.Topic{mail.Invoice}, access.Invoices, access.Emails)
	w.addContact("Asistente", assistant, []mail.Topic{mail.Domain}, access.Contacts)
	if _, err := w.account.AddStaff(system(tb.Context()), account.AddStaffInput{Name: "Personal", Email: personnel, Password: password}); err != nil {
		tb.Fatal(err)
	}
	return w
}

// serve starts the site; what the config leaves out is the world's own.
func (w *world) serve(c Config) {
	clock := func() time.Time { return now }
	c.Account, c.Billing, c.Now = w.account, w.billing, clock
	c.Reminder = &reminder.Service{Store: w.store, Billing: w.billing, Now: clock, Mailer: discard{}, LinkURL: func(kind, token string) string { return c.BaseURL + MailLinkPath(kind, token) },
		Render: func(ctx context.Context, r reminder.Reminder) (mail.Message, error) {
			return email.Reminder(ctx, r, email.Links{BaseURL: c.BaseURL})
		}}
	c.Log = slog.New(slog.NewTextHandler(w.log, nil))
	w.server = httptest.NewUnstartedServer(nil)
	c.BaseURL = "http://" + w.server.Listener.Addr().String()
	w.server.Config.Handler = New(c)
	w.server.Start()
	w.Cleanup(w.server.Close)
}

func (w *world) addClient(name, email string) db.Client {
	w.Helper()
	client, err := w.account.AddClient(system(w.Context()), account.AddClientInput{Password: password, Details: account.ClientDetails{Name: name, Email: email}})
	if err != nil {
		w.Fatal(err)
	}
	return client
}

func (w *world) addContact(name, email string, topics []mail.Topic, permissions ...access.Permission) {
	w.Helper()
	in := account.AddContactInput{ClientID: w.client.ID, Details: account.ContactDetails{Firstname: name, Email: email}, Topics: topics}
	if len(permissions) > 0 {
		in.SubAccount = &account.SubAccountInput{Active: true, Password: password, PasswordAgain: password, Permissions: permissions}
	}
	row, err := w.account.AddContact(system(w.Context()), in)
	if err != nil {
		w.Fatal(err)
	}
	w.contacts[email] = row
}

func (w *world) issue(client db.Client) db.Invoice {
	w.Helper()
	row, err := w.billing.IssueInvoice(system(w.Context()), billing.IssueInput{ClientID: client.ID, DueDate: "2026-05-15",
		Lines: []billing.LineInput{{Description: "Hospedaje <anual>", Quantity: money.Int(1), UnitPrice: money.Int(1000)}}})
	if err != nil {
		w.Fatal(err)
	}
	return row
}

func (w *world) render(invoice db.Invoice) {
	w.Helper()
	if err := w.billing.RenderPDF(system(w.Context()), billing.RenderJob{InvoiceID: invoice.ID, Version: invoice.UpdatedAt.UnixMicro()}); err != nil {
		w.Fatal(err)
	}
}

// visitor is a browser with its cookies. It does not follow redirects.
type visitor struct {
	*world
	browser *http.Client
}

func (w *world) visit() *visitor {
	jar, _ := cookiejar.New(nil)
	return &visitor{w, &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// as is a browser that has signed in.
func (w *world) as(email string) *visitor {
	w.Helper()
	v := w.visit()
	v.post("/clientes/entrar", url.Values{"email": {email}, "password": {password}}).want(w, http.StatusSeeOther)
	return v
}

// answer is a response with its parsed page.
type answer struct {
	*http.Response
	body string
	root *html.Node
}

func (v *visitor) get(path string, headers ...string) answer {
	v.Helper()
	return v.do(http.MethodGet, path, nil, headers...)
}

func (v *visitor) post(path string, form url.Values, headers ...string) answer {
	v.Helper()
	return v.do(http.MethodPost, path, strings.NewReader(form.Encode()), append([]string{"Content-Type", "application/x-www-form-urlencoded"}, headers...)...)
}

func (v *visitor) do(method, path string, body io.Reader, headers ...string) answer {
	v.Helper()
	request, err := http.NewRequestWithContext(v.Context(), method, v.server.URL+path, body)
	if err != nil {
		v.Fatal(err)
	}
	request.Header.Set("Accept", "text/html")
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	response, err := v.browser.Do(request)
	if err != nil {
		v.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		v.Fatal(err)
	}
	root, err := html.Parse(bytes.NewReader(raw))
	if err != nil {
		v.Fatal(err)
	}
	return answer{response, string(raw), root}
}

func (a answer) want(tb testing.TB, status int) answer {
	tb.Helper()
	if a.StatusCode != status {
		tb.Fatalf("%s %s: status %d, want %d\n%s", a.Request.Method, a.Request.URL.Path, a.StatusCode, status, a.text())
	}
	return a
}

func (a answer) shows(tb testing.TB, texts ...string) answer {
	tb.Helper()
	for _, text := range texts {
		if !strings.Contains(a.text(), text) {
			tb.Errorf("%s does not show %q:\n%s", a.Request.URL.Path, text, a.text())
		}
	}
	return a
}

func (a answer) hides(tb testing.TB, texts ...string) answer {
	tb.Helper()
	for _, text := range texts {
		if strings.Contains(a.body, text) {
			tb.Errorf("%s holds %q", a.Request.URL.Path, text)
		}
	}
	return a
}

// text is what people read of a page.
func (a answer) text() string {
	var words []string
	for node := range a.root.Descendants() {
		if node.Type == html.TextNode && (node.Parent == nil || node.Parent.Data != "script") {
			words = append(words, strings.Fields(node.Data)...)
		}
	}
	return strings.Join(words, " ")
}

// find returns the elements with an attribute of that value.
func (a answer) find(name, value string) []*html.Node {
	var found []*html.Node
	for node := range a.root.Descendants() {
		if node.Type == html.ElementNode && attribute(node, name) == value {
			found = append(found, node)
		}
	}
	return found
}

func attribute(node *html.Node, name string) string {
	for _, a := range node.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(node *html.Node, name string) bool {
	for _, a := range node.Attr {
		if a.Key == name {
			return true
		}
	}
	return false
}

// fieldError is the message that a field is described by, "" when it counts as right.
func (a answer) fieldError(id string) string {
	for _, field := range a.find("id", id) {
		if attribute(field, "aria-invalid") != "true" || !strings.Contains(attribute(field, "aria-describedby"), id+"-error") {
			return ""
		}
	}
	for _, message := range a.find("id", id+"-error") {
		return answer{root: message}.text()
	}
	return ""
}

// value is what an input holds.
func (a answer) value(id string) string {
	for _, field := range a.find("id", id) {
		return attribute(field, "value")
	}
	return ""
}

func (a answer) checked(id string) bool {
	for _, field := range a.find("id", id) {
		return has(field, "checked")
	}
	return false
}
