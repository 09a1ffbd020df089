package layout

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestLocalPath(t *testing.T) {
	for path, want := range map[string]string{
		"/clientes": "/clientes", "/clientes/cli_1?estado=open": "/clientes/cli_1?estado=open", "": "-", "/": "-", "//otro.example": "-",
		`/\otro.example`: "-", "https://otro.example": "-", "/a\r\nb": "-", "clientes": "-", "/" + strings.Repeat("a", 3000): "-",
	} {
		if got := LocalPath(path, "-"); got != want {
			t.Errorf("%.40q: %s, want %s", path, got, want)
		}
	}
}

// The cookie of a message chooses among our own texts: nobody puts words on our pages.
func TestFlash(t *testing.T) {
	for value, want := range map[string]string{
		"portal.flash.contact_saved": "portal.flash.contact_saved", "portal.area": "", "portal.flash.nothing": "", "<b>.flash.": "", "": "",
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.AddCookie(&http.Cookie{Name: hostPrefix + flashCookie, Value: value})
		w := httptest.NewRecorder()
		if got := takeFlash(w, r); got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
		if value != "" && !strings.Contains(w.Header().Get("Set-Cookie"), "Max-Age=0") {
			t.Errorf("%q stays", value)
		}
	}
}

// Cookies are Secure and bound to the host unless an installation is known to be reached by plain HTTP; what comes
// under another name, as from a neighbour of the same domain, is not read.
func TestCookiesAreBound(t *testing.T) {
	reached := func(plain, local bool) func(*http.Request) *http.Request {
		return func(r *http.Request) *http.Request { return r.WithContext(WithTransport(r.Context(), plain, local)) }
	}
	for name, test := range map[string]struct {
		reached       func(r *http.Request) *http.Request
		secure, bound bool
	}{
		"unknown":            {func(r *http.Request) *http.Request { return r }, true, true},
		"https":              {reached(false, false), true, true},
		"https at localhost": {reached(false, true), true, true},
		"http":               {reached(true, false), false, false},
		"http at localhost":  {reached(true, true), true, false},
	} {
		w, r := httptest.NewRecorder(), test.reached(httptest.NewRequest(http.MethodGet, "/", nil))
		StartSession(w, r, LoginCookie, "token", 60)
		set := w.Result().Cookies()[0]
		if set.Secure != test.secure || !set.HttpOnly || set.Path != "/" || set.Domain != "" || strings.HasPrefix(set.Name, "__Host-") != test.bound {
			t.Errorf("%s: %v", name, set)
		}
		r.AddCookie(set)
		if got := Cookie(r, LoginCookie); got != "token" {
			t.Errorf("%s: read %q", name, got)
		}
		tossed := test.reached(httptest.NewRequest(http.MethodGet, "/", nil))
		tossed.AddCookie(&http.Cookie{Name: LoginCookie, Value: "neighbour"})
		if got := Cookie(tossed, LoginCookie); (got != "") == test.bound {
			t.Errorf("%s: a neighbour's cookie is read as %q", name, got)
		}
	}
}
