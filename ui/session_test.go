package ui

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

func ids(rows ...db.Contact) []id.Contact {
	list := make([]id.Contact, 0, len(rows))
	for _, row := range rows {
		list = append(list, row.ID)
	}
	return list
}

func TestAddress(t *testing.T) {
	proxies := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	for _, test := range []struct{ name, peer, forwarded, want string }{
		{"straight", "203.0.113.7:5000", "", "203.0.113.7"},
		{"a stranger forges", "203.0.113.7:5000", "198.51.100.1", "203.0.113.7"},
		{"behind a proxy", "10.1.2.3:5000", "198.51.100.1", "198.51.100.1"},
		{"behind two proxies", "10.1.2.3:5000", "198.51.100.1, 10.9.9.9", "198.51.100.1"},
		{"a forged first entry", "10.1.2.3:5000", "192.0.2.66, 198.51.100.1", "198.51.100.1"},
		{"IPv6", "[::1]:5000", "2001:db8::5", "2001:db8::5"},
		{"mapped IPv4", "[::ffff:10.1.2.3]:5000", "198.51.100.1", "198.51.100.1"},
		{"not an address", "10.1.2.3:5000", "<script>", "10.1.2.3"},
		{"no header", "10.1.2.3:5000", "", "10.1.2.3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.RemoteAddr = test.peer
			if test.forwarded != "" {
				r.Header.Set("X-Forwarded-For", test.forwarded)
			}
			if got := address(r, proxies); got != test.want {
				t.Errorf("address %s, want %s", got, test.want)
			}
		})
	}
}

// Which token counts is decided by the path.
func TestTokens(t *testing.T) {
	for path, want := range map[string][]string{
		"/clientes/cli_1": {"login"}, "/idioma": {"login"}, "/": {"login"}, "/consola": {"staff"}, "/consola/clientes": {"staff"}, "/consolador": {"login"},
		"/graphql": {"login", "staff"}, "/graphql/explorer": {"login", "staff"}, "/descargas/facturas/inv_1.pdf": {"staff", "login"},
	} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		r.AddCookie(&http.Cookie{Name: "__Host-" + layout.LoginCookie, Value: "login"})
		r.AddCookie(&http.Cookie{Name: "__Host-" + layout.StaffCookie, Value: "staff"})
		if got := tokens(r); !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", path, got, want)
		}
		r.Header.Set("Authorization", "bearer program")
		if len(want) == 2 {
			want = []string{"program"}
		}
		if got := tokens(r); !slices.Equal(got, want) {
			t.Errorf("%s with a bearer token: %v, want %v", path, got, want)
		}
	}
}

func TestAttachment(t *testing.T) {
	for name, want := range map[string]string{
		"F-12.pdf":               "attachment; filename=F-12.pdf",
		"F 12.pdf":               `attachment; filename="F 12.pdf"`,
		"../..\\\"x\r\n.pdf":     "attachment; filename=..-..--x--.pdf",
		"Nómina.pdf":             "attachment; filename*=utf-8''N%C3%B3mina.pdf",
		"a\x00b; filename=c.pdf": `attachment; filename="a-b; filename=c.pdf"`,
	} {
		if got := attachment(name); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
}

// Every route says who may call it, and lets nobody else in.
func TestRoutesKeepVisitorsOut(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.visit()
	for _, route := range Routes(Config{}) {
		if route.Who == "" {
			t.Errorf("%s %s does not say who may call it", route.Method, route.Path)
		}
		if route.Who == layout.Everybody {
			continue
		}
		path := strings.NewReplacer("{$}", "", "{client}", w.client.ID.String(), "{contact}", "con_1", "{invoice}", w.invoice.ID.String(), "{file}", "inv_1.pdf", "{id}", "1", "{page}", "x").Replace(route.Path)
		if strings.HasPrefix(path, "/webhooks/") { // programs are not led to a page
			v.do(route.Method, path, nil).want(t, http.StatusUnauthorized)
			continue
		}
		answer := v.do(route.Method, path, nil).want(t, http.StatusSeeOther)
		if to := answer.Header.Get("Location"); !strings.HasPrefix(to, "/clientes/entrar") && !strings.HasPrefix(to, "/consola/entrar") {
			t.Errorf("%s %s leads to %s", route.Method, path, to)
		}
	}
}
