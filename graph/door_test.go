package graph_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/99designs/gqlgen/graphql/introspection"
	"github.com/pquerna/otp/totp"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/nubedigitalmx/avisa/graph"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

func schema(t *testing.T) *ast.Schema {
	t.Helper()
	parsed, err := gqlparser.LoadSchema(&ast.Source{Name: "sdl", Input: graph.SDL()})
	if err != nil {
		t.Fatal(err)
	}
	return parsed
}

// TestEverythingIsDescribed: the schema is the API's manual.
func TestEverythingIsDescribed(t *testing.T) {
	t.Parallel()
	described := func(what, text string) {
		if strings.TrimSpace(text) == "" {
			t.Errorf("%s has no description", what)
		}
	}
	count := 0
	for name, definition := range schema(t).Types {
		if definition.BuiltIn {
			continue
		}
		count++
		described(name, definition.Description)
		for _, value := range definition.EnumValues {
			described(name+"."+value.Name, value.Description)
		}
		for _, field := range definition.Fields {
			if strings.HasPrefix(field.Name, "__") {
				continue
			}
			described(name+"."+field.Name, field.Description)
			for _, argument := range field.Arguments {
				described(name+"."+field.Name+"("+argument.Name+")", argument.Description)
			}
		}
	}
	if count < 40 {
		t.Errorf("only %d types", count)
	}
}

// TestSchemaIsComplete: every mutation has the one shape, and the enums are the product's own lists.
func TestSchemaIsComplete(t *testing.T) {
	t.Parallel()
	s := schema(t)
	for _, field := range s.Mutation.Fields {
		if want := strings.ToUpper(field.Name[:1]) + field.Name[1:] + "Payload!"; field.Type.String() != want {
			t.Errorf("%s returns %s, want %s", field.Name, field.Type, want)
		}
		payload := s.Types[field.Type.Name()]
		if errs := payload.Fields.ForName("userErrors"); errs == nil || errs.Type.String() != "[UserError!]!" {
			t.Errorf("%s has no userErrors", payload.Name)
		}
		if input := field.Arguments.ForName("input"); input != nil && !input.Type.NonNull {
			t.Errorf("%s takes an optional input", field.Name)
		}
	}
	values := func(name string) string {
		names := []string{}
		for _, value := range s.Types[name].EnumValues {
			names = append(names, strings.ToLower(value.Name))
		}
		return strings.Join(names, " ")
	}
	if want := strings.Trim(fmt.Sprint(access.Permissions()), "[]"); values("Permission") != want {
		t.Errorf("Permission is %s, want %s", values("Permission"), want)
	}
	if want := strings.Trim(fmt.Sprint(mail.Topics()), "[]"); values("Topic") != want {
		t.Errorf("Topic is %s, want %s", values("Topic"), want)
	}
}

// TestCodesHaveTexts: the codes that this door makes up itself are told in both languages.
func TestCodesHaveTexts(t *testing.T) {
	t.Parallel()
	for _, code := range strings.Fields(`REQUEST_MALFORMED BATCH_UNSUPPORTED QUERY_MISSING METHOD_NOT_ALLOWED MEDIA_TYPE_UNSUPPORTED BODY_TOO_LARGE
		INTROSPECTION_DISABLED QUERY_TOO_COMPLEX UNAVAILABLE INTERNAL FIELD_UNKNOWN REQUIRED VALUE_INVALID PERMISSION_UNKNOWN TOPIC_UNKNOWN LANGUAGE_UNKNOWN
		CURRENCY_UNKNOWN TAX_TREATMENT_UNKNOWN DATE_MALFORMED NUMBER_MALFORMED CONTROL_CHARACTERS AMOUNT_TOO_MANY_DECIMALS AMOUNT_TOO_LARGE ONE_OF PAGE_SIZE`) {
		if !locale.Has("errors." + code) {
			t.Errorf("%s has no text", code)
		}
	}
}

func TestIntrospection(t *testing.T) {
	t.Parallel()
	on := newWorld(t)
	if got := decodeAnswer(t, on.post("anonymous", introspection.Query, nil)); got.codes() != "" || got.Data["__schema"] == nil || strings.Contains(fmt.Sprint(got.Data), "name:defer") {
		t.Errorf("on: %q", got.codes())
	}
	off := newWorld(t, func(c *graph.Config) { c.Introspection = false })
	for query, code := range map[string]string{
		introspection.Query: "INTROSPECTION_DISABLED", `{ __type(name: "Client") { name } }`: "INTROSPECTION_DISABLED", `{ __typename viewer { __typename } }`: "",
	} {
		rec := off.post("anonymous", query, nil)
		if got := decodeAnswer(t, rec); got.codes() != code || strings.Contains(rec.Body.String(), "Client") {
			t.Errorf("off: %.60s: %.300s", query, rec.Body)
		}
	}
	if off.log.Len() > 0 {
		t.Errorf("logged: %s", off.log)
	}
}

// TestStatements knows how many SQL statements an operation takes, and that more elements take no
// more.
func TestStatements(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range 12 {
		w.contact(fmt.Sprint("c", i), 1, fmt.Sprint("Contacto ", i), fmt.Sprintf("c%d@laespiga.example", i), access.Invoices)
		w.invoice(1, "2026-04-02", "2026-05-02", "10")
	}
	if got := decodeAnswer(t, w.post("staff", `mutation { sendReminders(input: {immediate: true}) { planned } }`, nil)); got.codes() != "" {
		t.Fatal(got.codes())
	}
	tests := map[string]struct {
		query string
		most  uint32
	}{
		"viewer":                         {`{ viewer { clients { client { name } } } }`, 1},
		"one client":                     {`{ client(id: "cli_1") { name } }`, 1},
		"contacts with access":           {`{ client(id: "cli_1") { contacts(first: 50) { nodes { name client { name } subAccount { status loginEmail } } } } }`, 1 + 1 + 3 + 1},
		"invoices with client and lines": {`{ invoices(first: 50) { nodes { number status client { name } lines { description } } } }`, 1 + 1 + 1},
		"both at once":                   {`{ client(id: "cli_1") { contacts { nodes { id } } invoices(first: 20) { nodes { number balance { formatted } } } } }`, 3},
		"the ledger":                     {`{ deliveries(first: 50) { nodes { status invoice { number client { name } lines { id } } contact { name subAccount { status } } client { name } step { days } } } }`, 1 + 4 + 1 + 3 + 1},
		"mails":                          {`{ client(id: "cli_1") { emails(first: 50) { nodes { subject client { name } contact { name } invoice { number } content { text } } } } }`, 1 + 1 + 4},
		"late fees of a list":            {`{ invoices(first: 50) { nodes { number lateFees { name payBy } } } }`, 1 + 2},
		"plans of a list":                {`{ invoices(first: 20) { nodes { number reminderPlan { status reason recipient } } } }`, 1 + 12},
		"nodes":                          {`{ nodes(ids: ["cli_1", "cli_2", "con_1", "con_2", "con_3", "inv_1", "inv_2", "inv_3"]) { id } }`, 3},
		"vocabulary":                     {`{ permissions { label } topics { label } }`, 0},
	}
	staffOnly := map[string]struct {
		query string
		most  uint32
	}{
		"policies":  {`{ reminderPolicies { name steps { anchor days } group { name } } }`, 3},
		"templates": {`{ mailTemplates { anchor days language subject } }`, 1},
		"failures":  {`{ deliveryFailures { reason count } }`, 1},
		"addresses": {`{ bouncedAddresses { email } }`, 1},
		"fee rules": {`{ lateFeeRules { name } }`, 1},
		"dashboard": {`{ reminderDashboard { waiting later alerts outlook { day } days { day sent } } }`, 6},
	}
	for name, test := range staffOnly {
		tests[name] = test
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			for _, actor := range []string{"owner", "staff"} {
				if _, only := staffOnly[name]; only && actor != "staff" {
					continue
				}
				used := ^uint32(0)
				// A loader's batch ends with the clock, so a busy machine may cut one in two: the best of three.
				for range 3 {
					before := w.store.Statements()
					rec := w.post(actor, test.query, nil)
					n := w.store.Statements() - before
					if actor == "owner" {
						n -= 2 // the test's own: the actor's login and grants
					}
					if got := decodeAnswer(t, rec); got.codes() != "" {
						t.Fatalf("%s: %s", actor, rec.Body)
					}
					if used = min(used, n); used <= test.most {
						break
					}
				}
				if used > test.most {
					t.Errorf("%s: %d statements, at most %d", actor, used, test.most)
				}
			}
		})
	}
}

// TestInternalError: what fails inside is logged once, with the request's id, and shown to nobody.
func TestInternalError(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	_ = w.store.Close()
	rec := w.post("staff", `{ a: client(id: "cli_1") { id } b: client(id: "cli_2") { id } n: nodes(ids: ["cli_1", "cli_2"]) { id } }`, nil)
	got := decodeAnswer(t, rec)
	if got.codes() != strings.Join([]string{"INTERNAL", "INTERNAL", "INTERNAL"}, " ") || rec.Code != 200 {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	for _, e := range got.Errors {
		if e.Extensions["request"] != "req-1" || !strings.Contains(e.Message, "req-1") {
			t.Errorf("no request id: %+v", e)
		}
	}
	if strings.Contains(rec.Body.String(), "sql") || strings.Contains(rec.Body.String(), "database") {
		t.Errorf("tells too much: %s", rec.Body)
	}
	if log := w.log.String(); strings.Count(log, "internal error") != 1 || !strings.Contains(log, "request=req-1") {
		t.Errorf("log: %s", log)
	}
	w.log.Reset()
	rec = w.post("staff", `mutation { deleteContact(input: {contactId: "con_1"}) { contactId userErrors { code } } }`, nil)
	if got := decodeAnswer(t, rec); got.codes() != "INTERNAL" || got.Data != nil {
		t.Errorf("mutation: %s", rec.Body)
	}
}

// TestPanic: a panic is logged with its stack and answered as an internal error.
func TestPanic(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(c *graph.Config) { c.Reminder = nil })
	rec := w.post("staff", `{ viewer { kind } deliveries { nodes { id } } }`, nil)
	got := decodeAnswer(t, rec)
	if got.codes() != "INTERNAL" || got.Data["viewer"] == nil || strings.Contains(rec.Body.String(), "nil pointer") || strings.Contains(rec.Body.String(), ".go") {
		t.Errorf("%s", rec.Body)
	}
	if log := w.log.String(); strings.Count(log, "graphql: panic") != 1 || strings.Contains(log, "internal error") || !strings.Contains(log, "stack=") {
		t.Errorf("log: %.400s", log)
	}
}

func TestSignInIsLimited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const query = `mutation { signIn(input: {email: "nadie@laespiga.example", password: "no es esta"}) { token retryAfter userErrors { code message } } }`
	var last map[string]any
	for range 11 {
		last, _ = decodeAnswer(t, w.post("anonymous", query, nil, "Accept-Language", "en")).Data["signIn"].(map[string]any)
	}
	errs, _ := last["userErrors"].([]any)
	if len(errs) != 1 || fmt.Sprint(errs[0]) != "map[code:RATE_LIMITED message:Too many attempts. Try again in 43 seconds.]" || last["retryAfter"] != 43.0 {
		t.Errorf("%v", last)
	}
}

// refusals are the codes of an answer: of errors, and of userErrors wherever they are.
func refusals(a answer) string {
	codes := strings.Fields(a.codes())
	for _, payload := range a.Data {
		fields, _ := payload.(map[string]any)
		list, _ := fields["userErrors"].([]any)
		for _, e := range list {
			code, _ := e.(map[string]any)["code"].(string)
			codes = append(codes, code)
		}
	}
	return strings.Join(codes, " ")
}

// TestManual: what docs/api.md shows is valid, and its limits are the real ones.
func TestManual(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	blocks := regexp.MustCompile("(?s)```graphql\n(.*?)```").FindAllStringSubmatch(text, -1)
	for _, block := range blocks {
		if _, errs := gqlparser.LoadQueryWithRules(schema(t), block[1], rules.NewDefaultRules()); errs != nil {
			t.Errorf("%s: %v", block[1], errs)
		}
	}
	w := newWorld(t)
	// The manual signs in as the demo's owner.
	text = strings.NewReplacer("direccion@cafe-ficticio.example", "duena@laespiga.example", "Faro-Demostracion-26", password).Replace(text)
	requests := regexp.MustCompile(`(?s)<<'JSON'\n(.*?)JSON\n`).FindAllStringSubmatch(text, -1)
	if len(blocks) < 2 || len(requests) < 2 {
		t.Fatalf("%d documents, %d requests", len(blocks), len(requests))
	}
	for _, request := range requests { // in order: sign in, then add a contact
		r := httptest.NewRequest(http.MethodPost, "/graphql", strings.NewReader(request[1]))
		r.Header.Set("Content-Type", "application/json")
		actor := "anonymous"
		if w.token != "" {
			actor = "token"
		}
		rec := w.serve(actor, r)
		w.normal(rec.Body.Bytes())
		if got := decodeAnswer(t, rec); got.codes() != "" || !strings.Contains(rec.Body.String(), `"userErrors":[]`) {
			t.Errorf("%s: %s", request[1], rec.Body)
		}
	}
	// Each document does what the manual says as it is written, done by a client's owner or by staff; only what names
	// something that is not in this world may find nothing.
	first, second := w.invoice(1, "2026-04-01", "2026-04-30", "1000"), w.invoice(1, "2026-04-01", "2026-04-30", "500")
	variables := map[string]any{"password": password, "client": "cli_1", "id": "con_1", "first": first.ID.String(), "second": second.ID.String()}
	elsewhere := strings.NewReplacer("NOT_FOUND", "", "FISCAL_CANCEL_UNSUPPORTED", "", " ", "") // nobody cancels here: there is no PAC
	absent := regexp.MustCompile(`"(inv_42|cfd_\d+|fpr_\d+)"`)
	for _, inline := range regexp.MustCompile(`-d '(\{"query.*\})'\n`).FindAllStringSubmatch(text, -1) {
		var request struct{ Query string }
		if err := json.Unmarshal([]byte(inline[1]), &request); err != nil {
			t.Errorf("%s: %v", inline[1], err)
		}
		blocks = append(blocks, []string{inline[0], request.Query})
	}
	for _, document := range blocks {
		told := ""
		for _, actor := range []string{"token", "staff"} {
			got := w.post(actor, document[1], variables)
			if told = refusals(decodeAnswer(t, got)); told == "" || absent.MatchString(document[1]) && elsewhere.Replace(told) == "" {
				told = ""
				if secret := regexp.MustCompile(`"secret":"([A-Z2-7]+)"`).FindStringSubmatch(got.Body.String()); secret != nil {
					code, err := totp.GenerateCode(secret[1], now())
					w.must(err)
					variables["code"] = code
				}
				if session := regexp.MustCompile(`"token":"([^"]+)","recoveryCodes"`).FindStringSubmatch(got.Body.String()); session != nil {
					w.token = session[1]
				}
				break
			}
		}
		if told != "" {
			t.Errorf("%s\n%s", document[1], told)
		}
	}
	for _, file := range regexp.MustCompile("(?s)```csv\n(.*?)```").FindAllStringSubmatch(text, -1) {
		got := w.post("staff", `mutation ($csv: String!) { importInvoices(input: {csv: $csv}) { invoices userErrors { field code } } }`, map[string]any{"csv": file[1]})
		if !strings.Contains(got.Body.String(), `"userErrors":[]`) || strings.Contains(got.Body.String(), `"invoices":0`) {
			t.Errorf("%s: %s", file[1], got.Body)
		}
	}
	values := map[string]bool{} // the words of enums
	for _, definition := range schema(t).Types {
		for _, value := range definition.EnumValues {
			values[value.Name] = true
		}
	}
	for _, code := range regexp.MustCompile("`([A-Z]+(?:_[A-Z]+)+)`").FindAllStringSubmatch(text, -1) {
		if !locale.Has("errors."+code[1]) && !strings.HasPrefix(code[1], "GRAPHQL_") && !values[code[1]] {
			t.Errorf("no such code: %s", code[1])
		}
	}
}
