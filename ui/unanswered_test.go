package ui

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/graph"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// A database that is starting again is no internal error: the page says to try again, and when.
func TestDatabaseDoesNotAnswer(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	s := &site{Config{Log: slog.New(slog.NewTextHandler(&log, nil))}}
	rec := httptest.NewRecorder()
	s.fail(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/clientes", nil), &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")})
	if rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") == "" {
		t.Errorf("status %d, retry after %q", rec.Code, rec.Header().Get("Retry-After"))
	}
	if strings.Contains(rec.Body.String(), "refused") || !strings.Contains(log.String(), "refused") {
		t.Errorf("the cause belongs into the log alone: %s\n%s", log.String(), rec.Body)
	}
}

// What is refused at /graphql before GraphQL begins is told as GraphQL tells the rest: a program reads no pages.
func TestRefusedAPI(t *testing.T) {
	t.Parallel()
	api := graph.NewHandler(graph.Config{Now: time.Now})
	s := &site{Config{RefuseAPI: api.Refuse, Log: slog.New(slog.DiscardHandler)}}
	fails := func(err error) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { s.fail(w, r, err) }
	}
	tests := map[string]struct {
		handler      http.HandlerFunc
		accept, lang string
		status       int
		code, shows  string
	}{
		"foreign origin":   {s.crossOrigin, "", "", http.StatusForbidden, "ORIGIN_REFUSED", "otro sitio"},
		"in English":       {s.crossOrigin, "application/graphql-response+json", "en", http.StatusForbidden, "ORIGIN_REFUSED", "another site"},
		"a browser's page": {s.crossOrigin, "text/html", "", http.StatusForbidden, "ORIGIN_REFUSED", ""},
		"no database":      {fails(&net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")}), "", "", http.StatusServiceUnavailable, "UNAVAILABLE", ""},
		"our fault":        {fails(errors.New("the cause")), "", "", http.StatusInternalServerError, "INTERNAL", ""},
		"a panic": {func(w http.ResponseWriter, r *http.Request) {
			s.recovering(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("the cause") })).ServeHTTP(w, r)
		}, "application/graphql-response+json", "", http.StatusInternalServerError, "INTERNAL", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/graphql", strings.NewReader("{}"))
			r.Header.Set("Accept", test.accept)
			r.Header.Set("Accept-Language", test.lang)
			rec := httptest.NewRecorder()
			test.handler(rec, r)
			var body struct {
				Data   any
				Errors []struct {
					Message    string
					Extensions struct{ Code, Kind, Request string }
				}
			}
			if err := json.Unmarshal(rec.Body.Bytes(), &body); err != nil || rec.Code != test.status || len(body.Errors) != 1 {
				t.Fatalf("%d %s: %v", rec.Code, rec.Body, err)
			}
			if told := body.Errors[0]; told.Extensions.Code != test.code || !strings.Contains(told.Message, test.shows) || (told.Extensions.Request != "") != (test.code == "INTERNAL") {
				t.Errorf("%s", rec.Body)
			}
			media := "application/json"
			if test.accept == "application/graphql-response+json" {
				media = test.accept
			}
			if got := rec.Header().Get("Content-Type"); got != media+"; charset=utf-8" || rec.Header().Get("Cache-Control") != "no-store" {
				t.Errorf("Content-Type %q", got)
			}
			if strings.Contains(rec.Body.String(), "the cause") || strings.Contains(rec.Body.String(), "refused\"") {
				t.Errorf("the cause belongs into the log alone: %s", rec.Body)
			}
			if test.status == http.StatusServiceUnavailable && rec.Header().Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
		})
	}
}

// The address of a mailed link is its key: what fails there is logged by its route.
func TestLogHoldsNoLink(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	s := &site{Config{Log: slog.New(slog.NewTextHandler(&log, nil))}}
	mux := http.NewServeMux()
	mux.Handle("GET /pagar/{token}", s.serve(layout.Route{Handle: func(http.ResponseWriter, *http.Request) error { return errors.New("the cause") }}))
	rec := httptest.NewRecorder()
	mux.ServeHTTP(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/pagar/the-key?x=the-key", nil))
	if rec.Code != http.StatusInternalServerError || !strings.Contains(log.String(), `route="GET /pagar/{token}"`) || strings.Contains(log.String(), "the-key") {
		t.Errorf("%d, logged: %s", rec.Code, &log)
	}
}

// Who has left gets no answer, and is no failure of ours.
func TestReaderHasLeft(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	s := &site{Config{Log: slog.New(slog.NewTextHandler(&log, nil))}}
	ctx, leave := context.WithCancel(t.Context())
	leave()
	rec := httptest.NewRecorder()
	s.fail(rec, httptest.NewRequestWithContext(ctx, http.MethodGet, "/clientes", nil), fault.Missing())
	if rec.Body.Len() > 0 || log.Len() > 0 {
		t.Errorf("told %q, logged %q", rec.Body, &log)
	}
}

// A page that is not there, or not for the reader, keeps the navigation of who is signed in.
func TestErrorPagesLeadOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	home, other := "/clientes/"+w.client.ID.String(), "/clientes/"+w.other.ID.String()
	staff := w.staff()
	for path, status := range map[string]int{"/consola/nada": http.StatusNotFound, "/consola/facturas/inv_999999": http.StatusNotFound, "/consola/clientes/x": http.StatusNotFound} {
		staff.get(path).want(t, status).shows(t, "Recordatorios").leads(t, `href="/consola/facturas"`, `action="/consola/salir"`)
	}
	w.as(owner).get(home+"/facturas/inv_999999").want(t, http.StatusNotFound).leads(t, `href="`+home+`/facturas"`, `action="/clientes/salir"`)
	w.as(owner).get("/nada").want(t, http.StatusNotFound).leads(t, `href="`+home+`/facturas"`)
	w.as(owner).get(other).want(t, http.StatusNotFound).leads(t, `href="`+home+`/facturas"`)
	assistant := w.as(assistant).get(home+"/facturas").want(t, http.StatusForbidden).leads(t, `href="`+home+`/contactos"`)
	if strings.Contains(assistant.body, `href="`+home+`/facturas"`) {
		t.Error("the navigation leads where the reader may not go")
	}
	if nobody := w.visit().get("/nada").want(t, http.StatusNotFound); strings.Contains(nobody.body, "/clientes/salir") {
		t.Error("nobody is signed in")
	}
}

// leads fails unless the page has each of the attributes.
func (a answer) leads(tb testing.TB, attributes ...string) answer {
	tb.Helper()
	for _, attribute := range attributes {
		if !strings.Contains(a.body, attribute) {
			tb.Errorf("%s: no %s", a.Request.URL.Path, attribute)
		}
	}
	return a
}
