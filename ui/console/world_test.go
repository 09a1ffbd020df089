package console

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
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
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/reminder"
	"github.com/nubedigitalmx/avisa/internal/secret"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/email"
)

// now is 10:00 of 29 April 2026 in Mexico City, within the sending hours.
var now = time.Date(2026, 4, 29, 16, 0, 0, 0, time.UTC)

var staff = access.Actor{Kind: access.Staff, Staff: 1, Role: access.Admin, Name: "Persona de Cobranza", Email: "personal@hospedaje.example", Address: "192.0.2.1"}

// world is a console over an empty database with a company.
type world struct {
	testing.TB
	store   *db.Store
	billing *billing.Service
	handler http.Handler
	actor   access.Actor
	lang    string
	account *account.Service
	rules   *reminder.Service
	sent    []mail.Message // to whom it was sent: the mail server of the tests
}

// Send takes a mail over.
func (w *world) Send(_ context.Context, m mail.Message) (mail.Receipt, error) {
	w.sent = append(w.sent, m)
	return mail.Receipt{Reply: "250 OK"}, nil
}

type unlimited struct{}

func (unlimited) AllowHourly(context.Context, string, int) (time.Duration, error) { return 0, nil }
func (unlimited) Allow(context.Context, string, int) (time.Duration, error)       { return 0, nil }
func (unlimited) Reset(context.Context, string) error                             { return nil }

func newWorld(tb testing.TB) *world {
	tb.Helper()
	store := dbtest.New(tb)
	dbtest.Company(tb, store, now.AddDate(0, -2, 0))
	clock := func() time.Time { return now }
	files := memblob.OpenBucket(nil)
	tb.Cleanup(func() { _ = files.Close() })
	bills := &billing.Service{Store: store, Now: clock, Files: files}
	w := &world{TB: tb, store: store, billing: bills, actor: staff, lang: locale.Spanish}
	links := email.Links{BaseURL: "https://clientes.hospedaje.example"}
	w.rules = &reminder.Service{Store: store, Now: clock, Mailer: w, LinkURL: func(kind, token string) string { return links.BaseURL + "/correo/" + kind + "/" + token }, Render: func(ctx context.Context, r reminder.Reminder) (mail.Message, error) {
		return email.Reminder(ctx, r, links)
	}}
	secrets, err := secret.New("una llave de prueba de más de 32 bytes")
	if err != nil {
		tb.Fatal(err)
	}
	w.account = &account.Service{Store: store, Now: clock, Limiter: unlimited{}, Argon: account.Argon{Memory: 64, Passes: 1}, Secrets: secrets}
	c := New(Config{
		Account: w.account, Billing: bills,
		Reminder: w.rules, Outbox: store.OutboxState, Downloads: w.billing.Downloads, Mailbox: true, Now: clock,
	})
	if err := store.AddStaff(tb.Context(), &db.Staff{Name: staff.Name, Email: "cobranza@hospedaje.example", PasswordHash: "x", Language: locale.Spanish, Role: access.Admin, Active: true}); err != nil {
		tb.Fatal(err)
	}
	mux := http.NewServeMux()
	for _, route := range c.Routes() {
		mux.HandleFunc(route.Method+" "+route.Path, func(rw http.ResponseWriter, r *http.Request) {
			r = r.WithContext(component.WithLang(access.With(r.Context(), w.actor), w.lang))
			if err := errors.Join(r.ParseForm(), route.Handle(rw, r)); err != nil {
				f, ok := fault.As(err)
				if !ok {
					tb.Errorf("%s %s: %v", r.Method, r.URL, err)
				}
				rw.WriteHeader(statusOf(f))
			}
		})
	}
	w.handler = mux
	return w
}

func statusOf(f *fault.Error) int {
	if f == nil {
		return http.StatusInternalServerError
	}
	return map[fault.Kind]int{fault.Unauthenticated: 401, fault.Forbidden: 403, fault.NotFound: 404, fault.Conflict: 409, fault.Invalid: 422}[f.Kind]
}

// page is an answer with its parsed document.
type page struct {
	status   int
	location string
	flash    string
	body     string
	root     *html.Node
}

func (w *world) get(address string) page { return w.do(http.MethodGet, address, nil) }

func (w *world) post(address string, form url.Values) page {
	return w.do(http.MethodPost, address, form)
}

func (w *world) do(method, address string, form url.Values) page {
	w.Helper()
	r := httptest.NewRequest(method, address, strings.NewReader(form.Encode()))
	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	result := rec.Result()
	raw, _ := io.ReadAll(result.Body)
	p := page{status: result.StatusCode, location: result.Header.Get("Location"), body: string(raw)}
	for _, cookie := range result.Cookies() {
		if cookie.Name == "__Host-avisa_flash" {
			p.flash = cookie.Value
		}
	}
	var err error
	if p.root, err = html.Parse(strings.NewReader(p.body)); err != nil {
		w.Fatal(err)
	}
	return p
}

// want fails the test unless the answer has the status and its text all of the words.
func (p page) want(tb testing.TB, status int, words ...string) page {
	tb.Helper()
	if p.status != status {
		tb.Fatalf("status %d, want %d\n%s", p.status, status, p.text())
	}
	for _, word := range words {
		if !strings.Contains(p.text(), word) {
			tb.Fatalf("no %q in\n%s", word, p.text())
		}
	}
	return p
}

// lacks fails the test if the answer's text has one of the words.
func (p page) lacks(tb testing.TB, words ...string) page {
	tb.Helper()
	for _, word := range words {
		if strings.Contains(p.text(), word) {
			tb.Fatalf("%q in\n%s", word, p.text())
		}
	}
	return p
}

// text is what a reader sees, with white space collapsed.
func (p page) text() string {
	var b strings.Builder
	for node := range p.root.Descendants() {
		if node.Type == html.TextNode && node.Parent.Data != "script" {
			b.WriteString(node.Data + " ")
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}

// all lists the elements of a kind that have the attribute, with this value unless it is "".
func (p page) all(element, name, value string) []*html.Node {
	var found []*html.Node
	for node := range p.root.Descendants() {
		if node.Type != html.ElementNode || node.Data != element {
			continue
		}
		for _, a := range node.Attr {
			if a.Key == name && (value == "" || a.Val == value) {
				found = append(found, node)
			}
		}
	}
	return found
}

func attr(node *html.Node, name string) string {
	for _, a := range node.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

// marked lists the names of the fields that the page says are wrong.
func (p page) marked() []string {
	names := []string{}
	for _, element := range []string{"input", "select", "textarea"} {
		for _, node := range p.all(element, "aria-invalid", "true") {
			names = append(names, attr(node, "name"))
		}
	}
	return names
}

// field is the value of an input; the last of its name, since the choice of language comes first.
func (p page) field(tb testing.TB, name string) string {
	tb.Helper()
	found := p.all("input", "name", name)
	if len(found) == 0 {
		tb.Fatalf("no field %q", name)
	}
	return attr(found[len(found)-1], "value")
}

// text is the text right inside the first of the elements.
func text(nodes []*html.Node) string {
	if len(nodes) == 0 || nodes[0].FirstChild == nil {
		return ""
	}
	return nodes[0].FirstChild.Data
}
