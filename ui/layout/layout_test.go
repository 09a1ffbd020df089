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
		r.AddCookie(&http.Cookie{Name: flashCookie, Value: value})
		w := httptest.NewRecorder()
		if got := takeFlash(w, r); got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
		if !strings.Contains(w.Header().Get("Set-Cookie"), "Max-Age=0") {
			t.Errorf("%q stays", value)
		}
	}
}

// Cookies are Secure unless an installation is known to be reached by plain HTTP.
func TestCookiesAreSecure(t *testing.T) {
	for _, test := range []struct {
		name   string
		prompt func(r *http.Request) *http.Request
		want   bool
	}{
		{"unknown", func(r *http.Request) *http.Request { return r }, true},
		{"https", func(r *http.Request) *http.Request { return r.WithContext(WithSecure(r.Context(), true)) }, true},
		{"http", func(r *http.Request) *http.Request { return r.WithContext(WithSecure(r.Context(), false)) }, false},
	} {
		w := httptest.NewRecorder()
		StartSession(w, test.prompt(httptest.NewRequest(http.MethodGet, "/", nil)), LoginCookie, "token", 0)
		if got := strings.Contains(w.Header().Get("Set-Cookie"), "; Secure"); got != test.want {
			t.Errorf("%s: Secure is %v", test.name, got)
		}
	}
}
