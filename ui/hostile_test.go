package ui

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"net/url"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/graph"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/limit"
)

// both serves the pages and the API.
func (w *world) both(c Config) {
	w.Helper()
	api := graph.NewHandler(graph.Config{Account: w.account, Billing: w.billing, Now: w.account.Now})
	c.GraphQL, c.RefuseAPI = api, api.Refuse
	w.serve(c)
}

// api makes a GraphQL request and returns the codes of its errors, "" for none, and the body.
func (v *visitor) api(query string, variables map[string]any, headers ...string) (codes string, a answer) {
	v.Helper()
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		v.Fatal(err)
	}
	a = v.do(http.MethodPost, "/graphql", strings.NewReader(string(body)), append([]string{"Content-Type", "application/json"}, headers...)...)
	var read struct {
		Data map[string]struct {
			RetryAfter int
			UserErrors []struct{ Code, Message string }
		}
		Errors []struct{ Extensions struct{ Code string } }
	}
	if err := json.Unmarshal([]byte(a.body), &read); err != nil {
		v.Fatalf("%s: %v", a.body, err)
	}
	var list []string
	for _, e := range read.Errors {
		list = append(list, e.Extensions.Code)
	}
	for _, payload := range read.Data {
		for _, e := range payload.UserErrors {
			if e.Message == "" || e.Message == e.Code {
				v.Errorf("%s has no text", e.Code)
			}
			list = append(list, e.Code)
		}
	}
	return strings.Join(list, " "), a
}

const signInAPI = `mutation ($e: String!, $p: String!, $s: Boolean!) { signIn(input: {email: $e, password: $p, staff: $s}) { token retryAfter userErrors { field code message } } }`

// Ten thousand wrong passwords against one account, from 500 networks and through both doors: few of them cost
// a comparison, the others are told when to come back, the memory stays bounded, and the person, in the
// browser they always use, signs in meanwhile.
func TestTenThousandWrongPasswords(t *testing.T) {
	if testing.Short() {
		t.Skip("ten thousand sign-ins take a minute")
	}
	const attempts = 10_000
	w := newWorld(t)
	server := miniredis.RunT(t)
	counts := redis.NewClient(&redis.Options{Addr: server.Addr()})
	t.Cleanup(func() { _ = counts.Close() })
	w.account.Limiter = limit.New(counts)
	w.both(Config{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	credentials := url.Values{"email": {owner}, "password": {password}}
	victim := w.visit()
	victim.post("/clientes/entrar", credentials, "X-Forwarded-For", "203.0.113.7").want(t, http.StatusSeeOther)

	var highest atomic.Uint64
	stop := make(chan struct{})
	var sampling sync.WaitGroup
	sampling.Go(func() {
		for {
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			highest.Store(max(highest.Load(), m.HeapInuse))
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
			}
		}
	})
	began := time.Now()
	var compared, limited, silent atomic.Int64
	work := make(chan int)
	var attackers sync.WaitGroup
	for range 16 {
		attackers.Go(func() {
			v := w.visit()
			for n := range work {
				from := fmt.Sprintf("198.18.%d.%d", n%500/250, n%250)
				email := owner
				if n%10 == 0 {
					email = "nadie@nada.example"
				}
				var code, wait string
				if n%2 == 0 {
					var a answer
					code, a = v.api(signInAPI, map[string]any{"e": email, "p": fmt.Sprint("equivocada ", n), "s": false}, "X-Forwarded-For", from)
					wait = a.Header.Get("Retry-After")
				} else {
					a := v.post("/clientes/entrar", url.Values{"email": {email}, "password": {fmt.Sprint("equivocada ", n)}}, "X-Forwarded-For", from)
					wait = a.Header.Get("Retry-After")
					switch a.StatusCode {
					case http.StatusTooManyRequests:
						code = "RATE_LIMITED"
					case http.StatusUnprocessableEntity:
						code = "SIGN_IN_FAILED"
					default:
						code = fmt.Sprint(a.StatusCode)
					}
				}
				switch {
				case code == "SIGN_IN_FAILED" && wait == "":
					compared.Add(1)
				case code == "RATE_LIMITED" && wait != "":
					limited.Add(1)
				default:
					silent.Add(1)
					t.Errorf("%s, Retry-After %q", code, wait)
				}
			}
		})
	}
	for n := range attempts {
		if n == attempts/2 {
			again := victim.post("/clientes/entrar", credentials, "X-Forwarded-For", "203.0.113.9").want(t, http.StatusSeeOther)
			if strings.Contains(again.Header.Get("Location"), "entrar") {
				t.Error("the person is locked out of their own browser")
			}
		}
		work <- n
	}
	close(work)
	attackers.Wait()
	took := time.Since(began)
	close(stop)
	sampling.Wait()

	// 200 a minute for each of the two addresses, at once and then by and by.
	if most := int64(2*200*(took.Minutes()+1)) + 10; compared.Load() > most || compared.Load()+limited.Load() != int64(attempts) {
		t.Errorf("%d compared (at most %d), %d limited, %d otherwise", compared.Load(), most, limited.Load(), silent.Load())
	}
	if highest.Load() > 512<<20 {
		t.Errorf("%d MiB of memory", highest.Load()>>20)
	}
	list, err := w.account.FailedSignIns(system(t.Context()), 0, db.Page{First: 100})
	noted := map[string]int{}
	for _, row := range list.Rows {
		noted[row.Email] += row.Attempts
	}
	if err != nil || list.HasNext && len(list.Rows) != 100 || int64(noted[owner]+noted[""]) > compared.Load() || noted[owner] == 0 {
		t.Errorf("%v %v", noted, err)
	}
	t.Logf("%d attempts in %s: %d compared, %d told to wait, %d MiB at most, %d keys in Redis", attempts, took.Round(time.Millisecond), compared.Load(), limited.Load(),
		highest.Load()>>20, len(server.Keys()))
}

// Nobody chooses our address but the operator: what a request says of its host appears in no page, redirect or mail.
func TestHostHeader(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.both(Config{BaseURL: "https://clientes.hospedaje.example"})
	ask := func(method, path, body string) answer {
		request, err := http.NewRequestWithContext(t.Context(), method, w.server.URL+path, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		request.Host = "ajeno.example"
		for _, name := range []string{"X-Forwarded-Host", "X-Host", "Forwarded", "X-Original-URL", "X-Forwarded-Server"} {
			request.Header.Set(name, "host=ajeno.example")
		}
		request.Header.Set("Accept", "text/html")
		if body != "" {
			request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		response, err := http.DefaultTransport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		raw, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return answer{Response: response, body: string(raw)}
	}
	for _, c := range []struct{ method, path, body string }{
		{"GET", "/", ""}, {"GET", "/clientes", ""}, {"GET", "/clientes/cli_1/facturas", ""}, {"GET", "/consola", ""}, {"GET", "/clientes/entrar", ""}, {"GET", "/no-existe", ""},
		{"GET", "/graphql/explorer", ""}, {"GET", "/marca/color.css", ""}, {"POST", "/clientes/contrasena", "email=" + url.QueryEscape(owner)},
		{"POST", "/clientes/entrar", "email=" + url.QueryEscape(owner) + "&password=" + url.QueryEscape(password)},
	} {
		a := ask(c.method, c.path, c.body)
		if got := fmt.Sprint(a.Header, a.body); a.StatusCode >= 500 || strings.Contains(got, "ajeno.example") {
			t.Errorf("%s %s: %d repeats the host of the request\n%s", c.method, c.path, a.StatusCode, got)
		}
	}
	notice := mailed[account.ResetNotice](w)
	if text := fmt.Sprintf("%+v", notice); notice.To != owner || strings.Contains(text, "ajeno") {
		t.Errorf("mailed %s", text)
	}
}

// What is behind an address shows in no answer: the same status, the same headers, the same text, at both doors.
func TestDoorsTellNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.both(Config{})
	const suspended, invitedOnly, unknown = "suspendida@cafe.example", "invitada@cafe.example", "nadie@nada.example"
	w.addContact("Suspendida", suspended, nil, access.Invoices)
	if _, err := w.account.SuspendAccess(system(t.Context()), w.contacts[suspended].ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.account.AddContact(system(t.Context()), account.AddContactInput{ClientID: w.client.ID, Details: account.ContactDetails{Email: invitedOnly},
		SubAccount: &account.SubAccountInput{Active: true, Invite: true, Permissions: access.Permissions()}}); err != nil {
		t.Fatal(err)
	}
	const reset = `mutation ($e: String!, $s: Boolean!) { requestPasswordReset(input: {email: $e, staff: $s}) { retryAfter userErrors { field code message } } }`
	for name, ask := range map[string]func(email string) answer{
		"sign in": func(email string) answer {
			return w.visit().post("/clientes/entrar", url.Values{"email": {email}, "password": {"no es la clave"}})
		},
		"sign in to the console": func(email string) answer {
			return w.visit().post("/consola/entrar", url.Values{"email": {email}, "password": {"no es la clave"}})
		},
		"forgotten password": func(email string) answer {
			return w.visit().post("/clientes/contrasena", url.Values{"email": {email}})
		},
		"forgotten password of the console": func(email string) answer {
			return w.visit().post("/consola/contrasena", url.Values{"email": {email}})
		},
		"signIn": func(email string) answer {
			_, a := w.visit().api(signInAPI, map[string]any{"e": email, "p": "no es la clave", "s": false})
			return a
		},
		"signIn of staff": func(email string) answer {
			_, a := w.visit().api(signInAPI, map[string]any{"e": email, "p": "no es la clave", "s": true})
			return a
		},
		"requestPasswordReset": func(email string) answer {
			_, a := w.visit().api(reset, map[string]any{"e": email, "s": false})
			return a
		},
		"requestPasswordReset of staff": func(email string) answer {
			_, a := w.visit().api(reset, map[string]any{"e": email, "s": true})
			return a
		},
	} {
		seen := ""
		for _, email := range []string{unknown, owner, bookkeeper, suspended, invitedOnly, personnel, stranger} {
			a := ask(email)
			headers := a.Header.Clone()
			for _, own := range []string{"Date", "X-Request-Id", "Content-Length"} {
				headers.Del(own)
			}
			got := fmt.Sprintf("%d %v\n%s", a.StatusCode, headers, strings.ReplaceAll(a.body, email, "(address)"))
			if seen == "" {
				seen = got
			}
			if got != seen {
				t.Errorf("%s: %s is answered differently\n%s\nthan nobody's address\n%s", name, email, got, seen)
			}
		}
	}
}
