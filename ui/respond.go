package ui

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"runtime/debug"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// maxForm is the largest form, in bytes. The longest honest one has a few thousand.
const maxForm = 1 << 20

// uploadTime is how long a file may take to arrive.
const uploadTime = 10 * time.Minute

// policy is the Content-Security-Policy of our pages: nothing but our own files.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
	"form-action 'self'; frame-src 'self'; frame-ancestors 'none'; base-uri 'none'"

// explorerPolicy lets the code editor of the explorer write style attributes and start its workers.
const explorerPolicy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; " +
	"connect-src 'self'; worker-src 'self' blob:; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

// local reports whether the browser asks this very machine: browsers keep Secure cookies of
// localhost without TLS, because nobody is in between.
func local(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	ip, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return name == "localhost" || err == nil && ip.IsLoopback()
}

// headers sets what every answer carries. Handlers may replace it.
func headers(secure bool) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			h := w.Header()
			h.Set("Content-Security-Policy", policy)
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("X-Frame-Options", "DENY")
			h.Set("Referrer-Policy", "same-origin")
			h.Set("Cross-Origin-Opener-Policy", "same-origin")
			h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=()")
			if secure {
				h.Set("Strict-Transport-Security", "max-age=31536000")
			}
			next.ServeHTTP(w, r.WithContext(layout.WithTransport(r.Context(), !secure, local(r.Host))))
		})
	}
}

func (s *site) authenticated(next http.Handler) http.Handler {
	return Authenticate(s.Account, s.fail)(next)
}

// serve lets the callers of a route in, reads its form within limits, and shows its errors.
func (s *site) serve(route layout.Route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := admit(route.Who, access.From(r.Context()).Kind); err != nil {
			s.fail(w, r, err)
			return
		}
		r.URL.RawQuery = strings.ReplaceAll(r.URL.RawQuery, "%00", url.QueryEscape(unreadable))
		if r.Method == http.MethodPost {
			limit := int64(maxForm)
			if route.MaxBody > 0 { // a file: the server's time for forms would cut it off
				limit = route.MaxBody
				control := http.NewResponseController(w)
				_ = errors.Join(control.SetReadDeadline(time.Now().Add(uploadTime)), control.SetWriteDeadline(time.Now().Add(2*uploadTime)))
			}
			r.Body = http.MaxBytesReader(w, r.Body, limit)
			if err := r.ParseForm(); err != nil {
				s.fail(w, r, malformed{err})
				return
			}
			replaceNUL(r.PostForm)
			replaceNUL(r.Form)
		}
		if err := route.Handle(w, r); err != nil {
			s.fail(w, r, err)
		}
	})
}

// unreadable stands for NUL in what a form or an address carries: PostgreSQL stores no NUL, and texts refuse
// this character at their field.
const unreadable = "\uFFFD"

func replaceNUL(form url.Values) {
	for _, values := range form {
		for i, value := range values {
			values[i] = strings.ReplaceAll(value, "\x00", unreadable)
		}
	}
}

func admit(who layout.Who, kind access.Kind) error {
	ok := true
	switch who {
	case layout.Logins:
		ok = kind == access.Login
	case layout.Staff:
		ok = kind == access.Staff
	case layout.SignedIn:
		ok = kind != access.Anonymous
	}
	if !ok {
		return fault.New(fault.Unauthenticated, string(fault.Unauthenticated))
	}
	return nil
}

// malformed is a request that is no form.
type malformed struct{ error }

func (m malformed) Unwrap() error { return m.error }

var statuses = map[fault.Kind]int{
	fault.Invalid: http.StatusUnprocessableEntity, fault.Unauthenticated: http.StatusUnauthorized, fault.Forbidden: http.StatusForbidden,
	fault.NotFound: http.StatusNotFound, fault.Conflict: http.StatusConflict, fault.RateLimited: http.StatusTooManyRequests,
	fault.Unavailable: http.StatusServiceUnavailable,
}

// fail shows an error: what a fault means, in the reader's language, and of any other error its
// request id alone. The cause is logged.
func (s *site) fail(w http.ResponseWriter, r *http.Request, err error) {
	ctx := r.Context()
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return // nobody is there to read an answer
	}
	if _, told := fault.As(err); !told && db.Unanswered(err) {
		err = fault.New(fault.Unavailable, string(fault.Unavailable)).Because(err)
	}
	var tooLarge *http.MaxBytesError
	var wrong malformed
	if f, ok := fault.As(err); ok && statuses[f.Kind] != 0 {
		if f.Kind == fault.Unavailable && errors.Unwrap(f) != nil {
			s.Log.WarnContext(ctx, "unavailable", "error", err, "request", access.From(ctx).Request)
		}
		if f.Kind == fault.Unauthenticated && s.askToSignIn(w, r) {
			return
		}
		if f.Code == "SECOND_FACTOR_REQUIRED" && f.Kind == fault.Forbidden && r.Method == http.MethodGet && !layout.Partial(r) {
			to := "/clientes/seguridad"
			if strings.HasPrefix(r.URL.Path, "/consola") {
				to = "/consola/seguridad"
			}
			_ = layout.Redirect(w, r, to)
			return
		}
		if layout.RetryAfter(w, err); f.Kind == fault.Unavailable && f.RetryAfter == 0 {
			w.Header().Set("Retry-After", "3")
		}
		s.errorPage(w, r, statuses[f.Kind], f)
		return
	}
	switch {
	case errors.As(err, &tooLarge):
		s.errorPage(w, r, http.StatusRequestEntityTooLarge, fault.New(fault.Invalid, "BODY_TOO_LARGE").With("max", fmt.Sprintf("%d MB", tooLarge.Limit>>20)))
	case errors.As(err, &wrong):
		s.errorPage(w, r, http.StatusBadRequest, fault.New(fault.Invalid, string(fault.Invalid)))
	default:
		request := access.From(ctx).Request
		s.Log.ErrorContext(ctx, "internal error", "error", err, "request", request, "route", r.Pattern) // the address may hold the token of a mailed link
		s.errorPage(w, r, http.StatusInternalServerError, fault.New("", "INTERNAL").With("request", request))
	}
}

func faultText(lang string, f *fault.Error) string {
	switch f.Kind {
	case fault.NotFound:
		if f.Code != string(fault.NotFound) {
			return locale.Error(lang, f.Code, f.Args)
		}
		return locale.T(lang, "common.error.404.text")
	case fault.Invalid:
		if len(f.Fields) > 0 {
			return locale.Error(lang, f.Fields[0].Code, f.Fields[0].Args)
		}
	}
	return locale.Error(lang, f.Code, f.Args)
}

// askToSignIn leads people to the sign-in page of their area, and back after. Programs that download
// get a 401 instead.
func (s *site) askToSignIn(w http.ResponseWriter, r *http.Request) bool {
	_, program := bearer(r)
	download := strings.HasPrefix(r.URL.Path, "/descargas/")
	if program || strings.HasPrefix(r.URL.Path, "/webhooks/") || download && !strings.Contains(r.Header.Get("Accept"), "text/html") {
		w.Header().Set("WWW-Authenticate", `Bearer realm="avisa"`)
		return false
	}
	to := "/clientes/entrar"
	if strings.HasPrefix(r.URL.Path, "/consola") {
		to = "/consola/entrar"
	}
	if r.Method == http.MethodGet && r.URL.Path != "/clientes" && r.URL.Path != "/consola" && !layout.Partial(r) {
		to += "?next=" + url.QueryEscape(r.URL.RequestURI())
	}
	_ = layout.Redirect(w, r, to)
	return true
}

// errorPage answers with a small page, and a program at /graphql or with a download in GraphQL's way. For htmx the page
// replaces the main part, wherever the answer was meant to go.
func (s *site) errorPage(w http.ResponseWriter, r *http.Request, status int, f *fault.Error) {
	if s.api(r) {
		s.RefuseAPI(w, r, status, f)
		return
	}
	ctx := r.Context()
	key := "common.error." + strconv.Itoa(status) + ".title"
	if !locale.Has(key) {
		key = "common.error.400.title"
	}
	s.message(w, r, status, component.T(ctx, key), faultText(component.Lang(ctx), f))
}

// api reports whether a program is answered that reads no pages.
func (s *site) api(r *http.Request) bool {
	_, program := bearer(r)
	return s.RefuseAPI != nil && (r.URL.Path == "/graphql" || program && strings.HasPrefix(r.URL.Path, "/descargas/"))
}

func (s *site) message(w http.ResponseWriter, r *http.Request, status int, title, text string) {
	home := "/clientes"
	if strings.HasPrefix(r.URL.Path, "/consola") {
		home = "/consola"
	}
	icon := "warning"
	switch status {
	case http.StatusNotFound:
		icon = "search"
	case http.StatusForbidden:
		icon = "shield"
	case http.StatusServiceUnavailable, http.StatusTooManyRequests:
		icon = "clock"
	}
	w.Header().Set("HX-Retarget", "#main")
	w.Header().Set("HX-Reswap", "innerHTML")
	w.Header().Del("Content-Disposition")
	body := errorBody(icon, title, text, templ.SafeURL(home))
	if s.around(w, r, status, title, body) {
		return
	}
	page := layout.Page{Title: title, Home: home, Plain: true}
	if err := layout.Write(w, r, status, page, body); err != nil && r.Context().Err() == nil { // nobody is told who has left
		s.Log.ErrorContext(r.Context(), "error page", "error", err)
		http.Error(w, http.StatusText(status), status)
	}
}

// around answers with the message inside the pages of who is signed in, so that the navigation leads on. Where that
// cannot be had, as without a database, it answers nothing.
func (s *site) around(w http.ResponseWriter, r *http.Request, status int, title string, body templ.Component) bool {
	if status == http.StatusServiceUnavailable {
		return false
	}
	switch access.From(r.Context()).Kind {
	case access.Staff:
		return s.console().Show(w, r, status, title, body) == nil
	case access.Login:
		return s.portal().Show(w, r, status, title, body) == nil
	}
	return false
}

// crossOrigin refuses requests that another site makes a browser send (CSRF).
func (s *site) crossOrigin(w http.ResponseWriter, r *http.Request) {
	if s.api(r) {
		s.RefuseAPI(w, r, http.StatusForbidden, fault.New(fault.Forbidden, "ORIGIN_REFUSED"))
		return
	}
	s.message(w, r, http.StatusForbidden, component.T(r.Context(), "common.error.csrf.title"), component.T(r.Context(), "common.error.csrf.text"))
}

// recovering answers a panic like any other internal error.
func (s *site) recovering(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if p == http.ErrAbortHandler { //nolint:errorlint // the documented comparison
				panic(p)
			}
			s.Log.Error("panic", slog.Any("panic", p), "stack", string(debug.Stack()))
			s.fail(w, r, fmt.Errorf("panic: %v", p))
		}()
		next.ServeHTTP(w, r)
	})
}
