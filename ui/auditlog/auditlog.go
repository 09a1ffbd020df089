// Package auditlog shows the audit log, the same in the client area and the console: filters, a list and a
// CSV file.
package auditlog

import (
	"bytes"
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/ui/component"
)

const pageSize = 50

// zone is where the days of the filters begin, and the times are read.
const zone = "America/Mexico_City"

// Log is the audit log at an address.
type Log struct {
	Account *account.Service
	Path    string    // of the page; the file is at Path/archivo
	Client  id.Client // whose entries; 0: the filter "cliente" says
}

// View is a page of entries.
type View struct {
	Path    string
	Values  url.Values // the filters
	Clients bool       // entries of many clients: the client can be chosen
	Errors  map[string]string
	Rows    []db.AuditRow
	Next    string
}

// query reads the filters. What cannot be read is told by its field: it would select everything.
func (l Log) query(r *http.Request) (account.AuditQuery, map[string]string) {
	values, wrong := r.URL.Query(), map[string]string{}
	lang := component.Lang(r.Context())
	query := account.AuditQuery{Client: l.Client, Verb: values.Get("que")}
	var err error
	if text := values.Get("cliente"); l.Client == 0 && text != "" {
		if query.Client, err = id.ParseClient(text); err != nil {
			var key string
			if query.Client, key = l.clientNamed(r.Context(), text); key != "" {
				wrong["cliente"] = locale.T(lang, key)
			}
		}
	}
	if text := values.Get("quien"); text != "" {
		if query.Login, err = id.ParseLogin(text); err != nil {
			if query.Staff, err = id.ParseStaff(text); err != nil {
				query.Actor = strings.TrimSpace(text)
			}
		}
	}
	for name, at := range map[string]*time.Time{"desde": &query.From, "hasta": &query.Until} {
		if text := values.Get(name); text != "" {
			if *at = start(text); at.IsZero() {
				wrong[name] = locale.Error(lang, "DATE_MALFORMED", nil)
			}
		}
	}
	if !query.Until.IsZero() {
		query.Until = query.Until.AddDate(0, 0, 1) // the whole last day
		if query.Until.Before(query.From) {
			wrong["hasta"] = locale.T(lang, "audit.until.before")
		}
	}
	return query, wrong
}

// clientNamed is the one client that a search finds; key is the text that says why there is none.
func (l Log) clientNamed(ctx context.Context, text string) (found id.Client, key string) {
	list, err := l.Account.Clients(ctx, account.ClientQuery{Search: strings.TrimSpace(text)}, db.Page{First: 2})
	switch {
	case err != nil || len(list.Rows) == 0:
		return 0, "audit.client.none"
	case len(list.Rows) > 1:
		return 0, "audit.client.many"
	}
	return list.Rows[0].ID, ""
}

// start is the beginning of a day, zero for text that is none.
func start(text string) time.Time {
	day, err := date.Parse(text)
	if err != nil {
		return time.Time{}
	}
	place, err := time.LoadLocation(zone)
	if err != nil {
		return time.Time{}
	}
	return time.Date(day.Time().Year(), day.Time().Month(), day.Time().Day(), 0, 0, 0, 0, place)
}

// Read returns the page that a request asks for.
func (l Log) Read(r *http.Request) (View, error) {
	values := r.URL.Query()
	view := View{Path: l.Path, Values: values, Clients: l.Client == 0}
	query, wrong := l.query(r)
	if view.Errors = wrong; len(wrong) > 0 {
		query, values = account.AuditQuery{Client: l.Client, Until: time.Unix(1, 0)}, url.Values{} // nothing
	}
	list, err := l.Account.Audit(r.Context(), query, db.Page{First: pageSize, After: values.Get("despues")})
	if err != nil {
		return View{}, err
	}
	view.Rows = list.Rows
	if next := list.Next(); next != "" {
		more := url.Values{}
		for name := range values {
			more.Set(name, values.Get(name))
		}
		more.Set("despues", next)
		view.Next = l.Path + "?" + more.Encode()
	}
	return view, nil
}

// Write answers with the file. It is asked for once before, so that a refusal is still an error page.
func (l Log) Write(w http.ResponseWriter, r *http.Request) error {
	query, wrong := l.query(r)
	if len(wrong) > 0 {
		return fault.New(fault.Invalid, string(fault.Invalid))
	}
	if _, err := l.Account.Audit(r.Context(), query, db.Page{First: 1}); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	w.Header().Set("Content-Disposition", `attachment; filename="actividad.csv"`)
	w.Header().Set("Cache-Control", "private, no-store")
	return l.Account.ExportAudit(r.Context(), query, w)
}

func (v View) file() string {
	values := url.Values{}
	for _, name := range []string{"cliente", "quien", "que", "desde", "hasta"} {
		if text := v.Values.Get(name); text != "" {
			values.Set(name, text)
		}
	}
	if len(values) == 0 {
		return v.Path + "/archivo"
	}
	return v.Path + "/archivo?" + values.Encode()
}

// nouns are what a filter on the verb can choose: those that have a text.
var nouns = sync.OnceValue(func() (list []string) {
	for _, key := range locale.Keys() {
		if noun, ok := strings.CutPrefix(key, "audit.subject."); ok {
			list = append(list, noun)
		}
	}
	return list
})

// companys are the nouns of what belongs to no client: a client's log has no such entry to choose.
var companys = []string{"catalog", "clientgroup", "company", "exchange_rate", "holiday", "import", "latefee", "mailtemplate", "product", "staff", "token"}

func (v View) subjects(ctx context.Context) []component.Option {
	var list []component.Option
	for _, noun := range nouns() {
		if !v.Clients && slices.Contains(companys, noun) {
			continue
		}
		list = append(list, component.Option{Value: noun + ".", Label: t(ctx, "subject."+noun)})
	}
	slices.SortFunc(list, func(a, b component.Option) int { return strings.Compare(a.Label, b.Label) })
	return append([]component.Option{{Label: t(ctx, "all")}}, list...)
}

func (v View) field(ctx context.Context, name, label, kind string) component.Field {
	return component.Field{Name: name, Label: t(ctx, label), Type: kind, Value: v.Values.Get(name), Error: v.Errors[name], Maxlength: "254"}
}

// only is the address of what the actor of the row did, "" for the product itself.
func (v View) only(row db.AuditRow) string {
	switch {
	case row.LoginID != 0:
		return v.Path + "?quien=" + row.LoginID.String()
	case row.StaffID != 0:
		return v.Path + "?quien=" + row.StaffID.String()
	}
	return ""
}

// drafts are the verbs about invoices that may be gone, or are no client's to see.
var drafts = []string{"invoice.draft", "invoice.edit", "invoice.delete"}

// page is the address of what the row is about, "" where there is none or may be none any more.
func (v View) page(row db.AuditRow) string {
	area := path.Dir(v.Path)
	if _, err := id.ParseInvoice(row.Object); err == nil && !slices.Contains(drafts, row.Verb) {
		return area + "/facturas/" + row.Object
	}
	if _, err := id.ParseClient(row.Object); err == nil && v.Clients {
		return area + "/clientes/" + row.Object
	}
	return ""
}

func t(ctx context.Context, key string) string { return component.T(ctx, "audit."+key) }

func actor(ctx context.Context, row db.AuditRow) string {
	if row.Kind == access.System {
		return t(ctx, "system")
	}
	return row.Actor
}

// what is a verb in the reader's language: "Contacto · alta". What has no text yet shows as it is.
func what(ctx context.Context, verb string) string {
	noun, action, _ := strings.Cut(verb, ".")
	return text(ctx, "subject", noun) + " · " + text(ctx, "action", action)
}

func text(ctx context.Context, kind, name string) string {
	if key := "audit." + kind + "." + name; locale.Has(key) {
		return component.T(ctx, key)
	}
	return name
}

// change is one field that an entry changed.
type change struct{ Field, Before, After string }

// changesOf reads what an entry says about its change, by the names of the fields.
func changesOf(ctx context.Context, row db.AuditRow) []change {
	before, after := map[string]json.RawMessage{}, map[string]json.RawMessage{}
	if len(row.Before) > 0 && json.Unmarshal(row.Before, &before) != nil || len(row.After) > 0 && json.Unmarshal(row.After, &after) != nil {
		return nil
	}
	names := slices.Collect(maps.Keys(before))
	for name := range after {
		if _, both := before[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	list := make([]change, 0, len(names))
	for _, name := range names {
		field := strings.ToLower(name)
		list = append(list, change{Field: text(ctx, "field", field), Before: value(ctx, field, before[name]), After: value(ctx, field, after[name])})
	}
	return list
}

// words are the fields whose values have texts, by what these are named after.
var words = map[string]string{"permissions": "access.", "topics": "topic.", "language": "console.language.", "role": "console.role."}

// value is the JSON value of a field for people: text without quotes, lists with commas.
func value(ctx context.Context, field string, raw json.RawMessage) string {
	var plain string
	var list []json.RawMessage
	switch {
	case len(raw) == 0 || string(raw) == "null":
		return ""
	case json.Unmarshal(raw, &plain) == nil:
		if key := words[field] + plain; words[field] != "" && locale.Has(key) {
			return component.T(ctx, key)
		}
		return plain
	case string(raw) == "true" || string(raw) == "false":
		return t(ctx, string(raw))
	case json.Unmarshal(raw, &list) == nil:
		parts := make([]string, len(list))
		for i, part := range list {
			parts[i] = value(ctx, field, part)
		}
		return strings.Join(parts, ", ")
	}
	var out bytes.Buffer
	if json.Compact(&out, raw) != nil {
		return ""
	}
	return out.String()
}
