package ui

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"
)

// filled is a form of a page as a browser would send it.
type filled struct {
	method, action string
	values         url.Values
}

// formsOf returns the forms of a page but those that end the visit or carry a file.
func formsOf(page string, root *html.Node) []filled {
	var found []filled
	for node := range root.Descendants() {
		action := attribute(node, "action")
		if node.Data != "form" || attribute(node, "enctype") != "" || strings.HasSuffix(action, "/salir") || strings.Contains(action, "seguridad") || strings.Contains(action, "idioma") {
			continue
		}
		if action == "" {
			action = page
		}
		form := filled{strings.ToUpper(attribute(node, "method")), action, url.Values{}}
		if form.method == "" {
			form.method = http.MethodGet
		}
		for field := range node.Descendants() {
			name, kind := attribute(field, "name"), attribute(field, "type")
			switch {
			case name == "":
			case field.Data == "input" && (kind == "checkbox" || kind == "radio") && !has(field, "checked"):
			case field.Data == "input", field.Data == "textarea", field.Data == "button":
				form.values.Set(name, attribute(field, "value"))
			case field.Data == "select":
				for option := range field.Descendants() {
					if option.Data == "option" && (has(option, "selected") || !form.values.Has(name)) {
						form.values.Set(name, attribute(option, "value"))
					}
				}
			}
		}
		found = append(found, form)
	}
	return found
}

// PostgreSQL keeps no NUL. No field of any form of any page, and no part of an address, makes an internal error
// of it: it is refused where it was written, or finds nothing.
func TestUnreadableFields(t *testing.T) {
	t.Parallel()
	tb := newTable(t)
	seen := map[string]bool{}
	sent := 0
	check := func(who someone, form filled, field string) {
		sent++
		path, body := form.action, form.values.Encode()
		if form.method == http.MethodGet {
			path, body = strings.SplitN(path, "?", 2)[0]+"?"+body, ""
		}
		response := tb.ask(who, form.method, path, body, "application/x-www-form-urlencoded")
		_ = response.Body.Close()
		if response.StatusCode >= http.StatusInternalServerError && response.StatusCode != http.StatusServiceUnavailable { // there is no gateway here
			t.Errorf("%s: %s %s, %q: %d", who.name, form.method, form.action, field, response.StatusCode)
		}
	}
	for _, who := range []string{"anonymous", "owner", "staff:admin"} {
		actor := tb.actors[slices.IndexFunc(tb.actors, func(a someone) bool { return a.name == who })]
		for _, route := range Routes(Config{Account: tb.account, Billing: tb.billing, Fiscal: tb.fiscal, Now: tb.account.Now}) {
			path := tb.path(route.Path)
			if route.Method != http.MethodGet {
				continue
			}
			for _, bad := range []string{"%00", "inv_9223372036854775807"} { // in the address itself
				check(actor, filled{http.MethodGet, path[:strings.LastIndexByte(path, '/')+1] + bad, url.Values{}}, "address")
			}
			response := tb.ask(actor, http.MethodGet, path, "", "")
			root, err := html.Parse(response.Body)
			tb.must(err)
			_ = response.Body.Close()
			for _, form := range formsOf(path, root) {
				key := who + form.method + form.action + strings.Join(slices.Sorted(maps.Keys(form.values)), ",")
				if seen[key] {
					continue
				}
				seen[key] = true
				for field := range form.values {
					bad := filled{form.method, form.action, maps.Clone(form.values)}
					bad.values.Set(field, "a\x00b")
					check(actor, bad, field)
				}
			}
		}
	}
	if sent < 500 {
		t.Errorf("only %d requests were made", sent)
	}
	if log := tb.log.String(); strings.Contains(log, "internal error") || strings.Contains(log, "panic") {
		t.Errorf("logged: %.2000s", log)
	}
}
