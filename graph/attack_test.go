package graph_test

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

// quick is how long an attack may keep a core busy. Most are answered in a millisecond; the limit
// allows for busy machines.
const quick = time.Second

// fanOut is a document of about a kilobyte that is 2^depth fields long when written out.
func fanOut(depth int) string {
	var b strings.Builder
	b.WriteString("query { ...f0 }\n")
	for i := range depth {
		fmt.Fprintf(&b, "fragment f%d on Query { a: viewer { kind } ...f%d ...f%d }\n", i, i+1, i+1)
	}
	fmt.Fprintf(&b, "fragment f%d on Query { viewer { kind } }\n", depth)
	return b.String()
}

func TestHostileDocuments(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	aliases := func(n int, field string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "a%d: %s ", i, field)
		}
		return b.String()
	}
	nested := strings.Repeat("... on Client { ", 400) + "id" + strings.Repeat(" }", 400)
	tests := map[string]struct {
		query   string
		code    string
		exceeds string
	}{
		"deep nesting":        {"{ clients { nodes { " + strings.Repeat("contacts { nodes { client { ", 6) + "id" + strings.Repeat(" }", 21), "QUERY_TOO_COMPLEX", "depth"},
		"nested fragments":    {"{ client(id: \"cli_1\") { " + nested + " } }", "", ""},
		"brackets":            {strings.Repeat("{ a ", 3000), "GRAPHQL_PARSE_FAILED", ""},
		"aliases":             {"{ " + aliases(200, `viewer { kind }`) + "}", "QUERY_TOO_COMPLEX", "aliases"},
		"fields":              {"{ " + strings.Repeat("viewer { kind } ", 600) + "}", "QUERY_TOO_COMPLEX", "fields"},
		"fragment bomb":       {fanOut(30), "QUERY_TOO_COMPLEX", "fields"},
		"unused bomb":         {"{ viewer { kind } } " + fanOut(30)[len("query { ...f0 }"):], "QUERY_TOO_COMPLEX", "fields"},
		"fragment cycle":      {"{ ...a } fragment a on Query { ...b } fragment b on Query { ...a }", "GRAPHQL_VALIDATION_FAILED", ""},
		"directives":          {"{ viewer { kind " + strings.Repeat("@include(if: true) ", 60) + "} }", "QUERY_TOO_COMPLEX", "directives"},
		"unknown directive":   {"{ viewer { kind @nothing } }", "GRAPHQL_VALIDATION_FAILED", ""},
		"parts put off":       {"{ viewer { ... @defer { kind } } }", "GRAPHQL_VALIDATION_FAILED", ""},
		"huge number":         {"{ clients(first: " + strings.Repeat("9", 5000) + ") { nodes { id } } }", "VALUE_INVALID", ""},
		"huge exponent":       {"{ clients(first: 1e999999) { nodes { id } } }", "VALUE_INVALID", ""},
		"huge text":           {`{ node(id: "` + strings.Repeat("a", 60_000) + `") { id } }`, "NOT_FOUND", ""},
		"deep literal":        {"{ nodes(ids: " + strings.Repeat("[", 1900) + `"a"` + strings.Repeat("]", 1900) + ") { id } }", "GRAPHQL_PARSE_FAILED", ""},
		"half a character":    {`{ clients(search: "\ud800") { nodes { id } } }`, "", ""},
		"many variables":      {"query (" + strings.ReplaceAll(aliases(900, "Int"), "a", "$a") + ") { viewer { kind } }", "GRAPHQL_VALIDATION_FAILED", ""},
		"operations":          {strings.Repeat("query { viewer { kind } } ", 11), "QUERY_TOO_COMPLEX", "operations"},
		"tokens":              {"{ " + strings.Repeat("viewer ", 5000) + "}", "QUERY_TOO_COMPLEX", "tokens"},
		"huge list":           {"{ nodes(ids: [" + strings.Repeat(`"cli_1" `, 3500) + "]) { id } }", "PAGE_SIZE", ""},
		"password guessing":   {"mutation { " + aliases(11, `signIn(input: {email: "a@b.example", password: "x"}) { token }`) + "}", "QUERY_TOO_COMPLEX", "mutations"},
		"cost of a list":      {"{ clients(first: 100) { nodes { contacts(first: 100) { nodes { id name } } } } }", "QUERY_TOO_COMPLEX", "cost"},
		"cost from the end":   {"{ clients(last: 100) { nodes { contacts(last: 100) { nodes { id name } } } } }", "QUERY_TOO_COMPLEX", "cost"},
		"cost of counting":    {"{ clients(first: 100) { nodes { contacts { totalCount } } } }", "QUERY_TOO_COMPLEX", "cost"},
		"cost of statements":  {"{ " + aliases(3, `clients(first: 100) { nodes { owes { invoices } } }`) + "}", "QUERY_TOO_COMPLEX", "cost"},
		"repeated schema":     {"{ " + aliases(10, `__schema { types { name fields { name } } }`) + "}", "QUERY_TOO_COMPLEX", "fields"},
		"circular schema":     {"{ __schema { types { fields { type { fields { type { fields { type { fields { name } } } } } } } } } }", "GRAPHQL_VALIDATION_FAILED", ""},
		"overlapping aliases": {"{ " + strings.Repeat(`viewer { clients { client { id name } } } `, 200) + "}", "", ""},
		"padding":             {"{ viewer { kind } }" + strings.Repeat(" ", 200_000), "QUERY_TOO_COMPLEX", "characters"},
		"no operation":        {"fragment a on Query { viewer { kind } }", "GRAPHQL_VALIDATION_FAILED", ""},
		"not GraphQL":         {"SELECT 1", "GRAPHQL_PARSE_FAILED", ""},
		"no suggestions":      {"{ viewr { kind } }", "GRAPHQL_VALIDATION_FAILED", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			started := time.Now()
			rec := w.post("staff", test.query, nil)
			if took := time.Since(started); took > quick {
				t.Errorf("took %v", took)
			}
			got := decodeAnswer(t, rec)
			if rec.Code != http.StatusOK {
				t.Errorf("status %d", rec.Code)
			}
			code, exceeds := "", ""
			if len(got.Errors) > 0 {
				code, _ = got.Errors[0].Extensions["code"].(string)
				exceeds, _ = got.Errors[0].Extensions["exceeds"].(string)
			}
			if code != test.code || exceeds != test.exceeds {
				t.Errorf("got %q %q, want %q %q: %.300s", code, exceeds, test.code, test.exceeds, rec.Body)
			}
			if strings.Contains(rec.Body.String(), "Did you mean") {
				t.Errorf("suggests: %s", rec.Body)
			}
			if rec.Body.Len() > 20_000 {
				t.Errorf("answered with %d bytes", rec.Body.Len())
			}
		})
	}
}

func TestHostileVariables(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	many := make([]string, 50_000)
	for i := range many {
		many[i] = fmt.Sprintf("del_%d", i+1)
	}
	var deep any = "x"
	for range 9000 {
		deep = []any{deep}
	}
	tests := map[string]struct {
		query     string
		variables map[string]any
		code      string
	}{
		"many ids":      {"query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", map[string]any{"ids": many}, "PAGE_SIZE"},
		"deep list":     {"query ($ids: [ID!]!) { nodes(ids: $ids) { id } }", map[string]any{"ids": deep}, "VALUE_INVALID"},
		"huge page":     {"query ($n: Int!) { clients(first: $n) { nodes { id } } }", map[string]any{"n": 1 << 40}, "PAGE_SIZE"},
		"negative":      {"query ($n: Int!) { clients(first: $n) { nodes { id } } }", map[string]any{"n": -1}, "PAGE_SIZE"},
		"many topics":   {"mutation ($t: [Topic!]!) { setEmailPreferences(input: {contactId: \"con_1\", topics: $t}) { userErrors { code } } }", map[string]any{"t": strings.Split(strings.Repeat("INVOICE DOMAIN ", 20_000), " ")[:40_000]}, ""},
		"wildcards":     {"query ($s: String!) { clients(search: $s) { nodes { id } } }", map[string]any{"s": strings.Repeat("%_", 50_000)}, ""},
		"text for Int":  {"query ($n: Int!) { clients(first: $n) { nodes { id } } }", map[string]any{"n": "5"}, "VALUE_INVALID"},
		"year zero":     {"query ($t: DateTime) { audit(from: $t) { nodes { id } } }", map[string]any{"t": "0000-01-01T00:00:00Z"}, "DATE_TIME_MALFORMED"},
		"no moment":     {"query ($t: DateTime) { audit(from: $t) { nodes { id } } }", map[string]any{"t": 1}, "DATE_TIME_MALFORMED"},
		"NUL":           {"query ($s: String!) { clients(search: $s) { nodes { id } } }", map[string]any{"s": "a\x00b"}, "CONTROL_CHARACTERS"},
		"SQL":           {"query ($s: String!) { clients(search: $s) { nodes { id } } }", map[string]any{"s": `'; DROP TABLE client; -- \`}, ""},
		"not an object": {"query ($s: String!) { clients(search: $s) { nodes { id } } }", map[string]any{"s": map[string]any{"a": 1}}, "VALUE_INVALID"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			started := time.Now()
			rec := w.post("staff", test.query, test.variables)
			if took := time.Since(started); took > quick {
				t.Errorf("took %v", took)
			}
			if got := decodeAnswer(t, rec).codes(); rec.Code != http.StatusOK || got != test.code {
				t.Errorf("got %d %q, want %q: %.300s", rec.Code, got, test.code, rec.Body)
			}
			if rec.Body.Len() > 20_000 {
				t.Errorf("answered with %d bytes", rec.Body.Len())
			}
		})
	}
	if w.log.Len() > 0 {
		t.Errorf("logged: %.500s", w.log)
	}
}

// TestHTTP is the GraphQL-over-HTTP draft, and what is refused before GraphQL begins.
func TestHTTP(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const viewer = `{"query":"{ viewer { kind } }"}`
	get := func(query string) string { return "/graphql?query=" + url.QueryEscape(query) }
	tests := map[string]struct {
		method, target, contentType, accept, body string
		status                                    int
		code, media, allow                        string
	}{
		"post":                   {"POST", "/graphql", "application/json", "", viewer, 200, "", "application/json", ""},
		"post with charset":      {"POST", "/graphql", "application/json; charset=UTF-8", "", viewer, 200, "", "application/json", ""},
		"new media type":         {"POST", "/graphql", "application/json", "application/graphql-response+json", viewer, 200, "", "application/graphql-response+json", ""},
		"first media type wins":  {"POST", "/graphql", "application/json", "text/html, application/graphql-response+json, application/json;q=0.9", viewer, 200, "", "application/graphql-response+json", ""},
		"get":                    {"GET", get("{ viewer { kind } }"), "", "*/*", "", 200, "", "application/json", ""},
		"get with variables":     {"GET", get("query ($p: Permission!) { viewer { can(permission: $p, client: \"cli_1\") } }") + "&variables=" + url.QueryEscape(`{"p":"INVOICES"}`), "", "", "", 200, "", "application/json", ""},
		"get mutation":           {"GET", get("mutation { signOut { userErrors { code } } }"), "", "", "", 405, "METHOD_NOT_ALLOWED", "application/json", "POST, OPTIONS"},
		"get without query":      {"GET", "/graphql", "", "", "", 400, "QUERY_MISSING", "application/json", ""},
		"get bad variables":      {"GET", get("{ viewer { kind } }") + "&variables=[1]", "", "", "", 400, "REQUEST_MALFORMED", "application/json", ""},
		"get bad escapes":        {"GET", "/graphql?query=%zz", "", "", "", 400, "REQUEST_MALFORMED", "application/json", ""},
		"options":                {"OPTIONS", "/graphql", "", "", "", 204, "", "", "GET, POST, OPTIONS"},
		"put":                    {"PUT", "/graphql", "application/json", "", viewer, 405, "METHOD_NOT_ALLOWED", "application/json", "GET, POST, OPTIONS"},
		"delete":                 {"DELETE", "/graphql", "", "", "", 405, "METHOD_NOT_ALLOWED", "application/json", "GET, POST, OPTIONS"},
		"form":                   {"POST", "/graphql", "application/x-www-form-urlencoded", "", "query=%7Bviewer%7Bkind%7D%7D", 415, "MEDIA_TYPE_UNSUPPORTED", "application/json", ""},
		"multipart":              {"POST", "/graphql", "multipart/form-data; boundary=x", "", "--x--", 415, "MEDIA_TYPE_UNSUPPORTED", "application/json", ""},
		"plain text":             {"POST", "/graphql", "text/plain", "", viewer, 415, "MEDIA_TYPE_UNSUPPORTED", "application/json", ""},
		"latin-1":                {"POST", "/graphql", "application/json; charset=iso-8859-1", "", viewer, 415, "MEDIA_TYPE_UNSUPPORTED", "application/json", ""},
		"no content type":        {"POST", "/graphql", "", "", viewer, 415, "MEDIA_TYPE_UNSUPPORTED", "application/json", ""},
		"empty body":             {"POST", "/graphql", "application/json", "", "", 400, "REQUEST_MALFORMED", "application/json", ""},
		"malformed JSON":         {"POST", "/graphql", "application/json", "", `{"query": "{ viewer { secret-in-body`, 400, "REQUEST_MALFORMED", "application/json", ""},
		"two values":             {"POST", "/graphql", "application/json", "", viewer + viewer, 400, "REQUEST_MALFORMED", "application/json", ""},
		"batch":                  {"POST", "/graphql", "application/json", "", "[" + viewer + "]", 400, "BATCH_UNSUPPORTED", "application/json", ""},
		"variables are a list":   {"POST", "/graphql", "application/json", "", `{"query":"{ viewer { kind } }","variables":[]}`, 400, "REQUEST_MALFORMED", "application/json", ""},
		"variables are null":     {"POST", "/graphql", "application/json", "", `{"query":"{ viewer { kind } }","variables":null}`, 200, "", "application/json", ""},
		"query is a number":      {"POST", "/graphql", "application/json", "", `{"query":1}`, 400, "REQUEST_MALFORMED", "application/json", ""},
		"persisted query":        {"POST", "/graphql", "application/json", "", `{"extensions":{"persistedQuery":{"version":1,"sha256Hash":"x"}}}`, 400, "PERSISTED_QUERY_NOT_SUPPORTED", "application/json", ""},
		"persisted query by get": {"GET", "/graphql?extensions=" + url.QueryEscape(`{"persistedQuery":{"version":1,"sha256Hash":"x"}}`), "", "", "", 400, "PERSISTED_QUERY_NOT_SUPPORTED", "application/json", ""},
		"persisted and given":    {"POST", "/graphql", "application/json", "", `{"query":"{ viewer { kind } }","extensions":{"persistedQuery":{"version":1,"sha256Hash":"x"}}}`, 200, "", "application/json", ""},
		"extensions no object":   {"GET", get("{ viewer { kind } }") + "&extensions=1", "", "", "", 400, "REQUEST_MALFORMED", "application/json", ""},
		"no query":               {"POST", "/graphql", "application/json", "", `{}`, 400, "QUERY_MISSING", "application/json", ""},
		"deep JSON":              {"POST", "/graphql", "application/json", "", `{"variables":` + strings.Repeat("[", 200_000), 400, "REQUEST_MALFORMED", "application/json", ""},
		"unparsable":             {"POST", "/graphql", "application/json", "", `{"query":"{ viewer"}`, 200, "GRAPHQL_PARSE_FAILED", "application/json", ""},
		"unparsable, new type":   {"POST", "/graphql", "application/json", "application/graphql-response+json", `{"query":"{ viewer"}`, 400, "GRAPHQL_PARSE_FAILED", "application/graphql-response+json", ""},
		"invalid":                {"POST", "/graphql", "application/json", "", `{"query":"{ nothing }"}`, 200, "GRAPHQL_VALIDATION_FAILED", "application/json", ""},
		"invalid, new type":      {"POST", "/graphql", "application/json", "application/graphql-response+json", `{"query":"{ nothing }"}`, 400, "GRAPHQL_VALIDATION_FAILED", "application/graphql-response+json", ""},
		"bad variable":           {"POST", "/graphql", "application/json", "", `{"query":"query ($i: Int!) { clients(first: $i) { nodes { id } } }","variables":{"i":"x"}}`, 200, "VALUE_INVALID", "application/json", ""},
		"bad variable, new type": {"POST", "/graphql", "application/json", "application/graphql-response+json", `{"query":"query ($i: Int!) { clients(first: $i) { nodes { id } } }","variables":{"i":"x"}}`, 400, "VALUE_INVALID", "application/graphql-response+json", ""},
		"failed field, new type": {"POST", "/graphql", "application/json", "application/graphql-response+json", `{"query":"{ client(id: \"cli_9\") { id } }"}`, 200, "UNAUTHENTICATED", "application/graphql-response+json", ""},
		"unknown operation":      {"POST", "/graphql", "application/json", "", `{"query":"query a { viewer { kind } }","operationName":"b"}`, 200, "GRAPHQL_VALIDATION_FAILED", "application/json", ""},
		"subscription":           {"POST", "/graphql", "application/json", "", `{"query":"subscription { viewer { kind } }"}`, 200, "GRAPHQL_VALIDATION_FAILED", "application/json", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			r := httptest.NewRequest(test.method, test.target, strings.NewReader(test.body))
			if test.contentType != "" {
				r.Header.Set("Content-Type", test.contentType)
			}
			if test.accept != "" {
				r.Header.Set("Accept", test.accept)
			}
			started := time.Now()
			rec := w.serve("anonymous", r)
			if took := time.Since(started); took > quick {
				t.Errorf("took %v", took)
			}
			if rec.Code != test.status || rec.Header().Get("Allow") != test.allow {
				t.Errorf("got %d, Allow %q: %s", rec.Code, rec.Header().Get("Allow"), rec.Body)
			}
			if strings.Contains(rec.Body.String(), "secret-in-body") {
				t.Errorf("repeats the body: %s", rec.Body)
			}
			if test.status == http.StatusNoContent {
				return
			}
			if got := rec.Header().Get("Content-Type"); got != test.media+"; charset=utf-8" {
				t.Errorf("Content-Type %q", got)
			}
			got := decodeAnswer(t, rec)
			if got.codes() != test.code {
				t.Errorf("got %q: %s", got.codes(), rec.Body)
			}
			hasData := bytes.Contains(rec.Body.Bytes(), []byte(`"data"`))
			if executed := test.code == "" || test.code == "UNAUTHENTICATED"; hasData != executed {
				t.Errorf("data although nothing was executed, or none: %s", rec.Body)
			}
		})
	}
}

// endless is a body that never ends and says no length.
type endless struct{ sent int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = ' '
	}
	e.sent += len(p)
	return len(p), nil
}

func TestLargeBody(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for name, body := range map[string]func() *http.Request{
		"10 MB": func() *http.Request {
			return httptest.NewRequest(http.MethodPost, "/graphql", bytes.NewReader(bytes.Repeat([]byte(" "), 10<<20)))
		},
		"endless": func() *http.Request {
			r := httptest.NewRequest(http.MethodPost, "/graphql", &endless{})
			r.ContentLength = -1
			return r
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := body()
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("Accept-Language", "en-GB, es;q=0.5")
			started := time.Now()
			rec := w.serve("anonymous", r)
			if took := time.Since(started); took > quick {
				t.Errorf("took %v", took)
			}
			got := decodeAnswer(t, rec)
			if rec.Code != http.StatusRequestEntityTooLarge || got.codes() != "BODY_TOO_LARGE" || got.Errors[0].Message != "The request is too large (at most 1 MiB)." {
				t.Errorf("%d %s", rec.Code, rec.Body)
			}
		})
	}
}
