package ui

import (
	"net/http"
	"strings"
	"testing"
)

// Pages of the listed origins use the API with a token; cookies, other origins and our own pages' addresses
// gain nothing by the list.
func TestOtherOrigins(t *testing.T) {
	t.Parallel()
	const app, other, query = "https://app.example", "https://otra.example", `{ viewer { name } }`
	w := newWorld(t)
	w.both(Config{APIOrigins: []string{app}})
	token := signInToken(t, w)
	ask := func(v *visitor, method, path string, headers ...string) answer {
		return v.do(method, path, strings.NewReader(`{"query": "`+query+`"}`), append([]string{"Content-Type", "application/json"}, headers...)...)
	}
	allowed := func(a answer) string { return a.Header.Get("Access-Control-Allow-Origin") }

	preflight := []string{"Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization,content-type"}
	a := ask(w.visit(), http.MethodOptions, "/graphql", append(preflight, "Origin", app)...).want(t, http.StatusNoContent)
	if allowed(a) != app || !strings.Contains(a.Header.Get("Access-Control-Allow-Headers"), "Authorization") || a.Header.Get("Access-Control-Max-Age") == "" {
		t.Errorf("asked before: %v", a.Header)
	}
	a = ask(w.visit(), http.MethodPost, "/graphql", "Origin", app, "Sec-Fetch-Site", "cross-site", "Authorization", "Bearer "+token).want(t, http.StatusOK).shows(t, owner)
	if allowed(a) != app || a.Header.Get("Access-Control-Allow-Credentials") != "" || !strings.Contains(a.Header.Get("Access-Control-Expose-Headers"), "Retry-After") {
		t.Errorf("with a token: %v", a.Header)
	}
	if vary := strings.Join(a.Header.Values("Vary"), ","); !strings.Contains(vary, "Origin") || !strings.Contains(vary, "Accept-Language") {
		t.Errorf("Vary: %s", vary)
	}
	// The session of the browser is not used, in whatever way the page asks.
	ask(w.as(owner), http.MethodPost, "/graphql", "Origin", app, "Sec-Fetch-Site", "same-site").want(t, http.StatusOK).hides(t, owner)
	ask(w.as(owner), http.MethodPost, "/graphql", "Origin", w.server.URL, "Sec-Fetch-Site", "same-origin").want(t, http.StatusOK).shows(t, owner)

	for _, origin := range []string{other, "null", "https://app.example.evil.example", "http://app.example", app + ":8443", "*", strings.ToUpper(app)} {
		if a := ask(w.visit(), http.MethodPost, "/graphql", "Origin", origin, "Authorization", "Bearer "+token).want(t, http.StatusForbidden).shows(t, "ORIGIN_REFUSED"); allowed(a) != "" {
			t.Errorf("%s is allowed", origin)
		}
		if a := ask(w.visit(), http.MethodOptions, "/graphql", append(preflight, "Origin", origin)...); allowed(a) != "" {
			t.Errorf("%s is allowed before", origin)
		}
	}
	// The list opens the API alone.
	a = w.as(owner).post("/clientes/"+w.client.ID.String()+"/contactos", contactValues(), "Origin", app).want(t, http.StatusForbidden)
	if allowed(a) != "" {
		t.Error("the list opens a page")
	}
	a = ask(w.visit(), http.MethodGet, "/clientes/entrar", "Origin", app).want(t, http.StatusOK)
	if allowed(a) != "" {
		t.Error("a page may be read from elsewhere")
	}

	closed := newWorld(t) // as it is without a setting
	closed.both(Config{})
	if a := ask(closed.visit(), http.MethodPost, "/graphql", "Origin", app).want(t, http.StatusForbidden); allowed(a) != "" {
		t.Error("allowed without a list")
	}
}

// signInToken is a session token of the owner, got as a program gets it.
func signInToken(t *testing.T, w *world) string {
	t.Helper()
	_, a := w.visit().api(signInAPI, map[string]any{"e": owner, "p": password, "s": false})
	_, rest, _ := strings.Cut(a.body, `"token":"`)
	token, _, ok := strings.Cut(rest, `"`)
	if !ok || token == "" {
		t.Fatal(a.body)
	}
	return token
}
