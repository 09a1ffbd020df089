// Package auditlog shows the audit log, the same in the client area and the console: filters, a list and a
// CSV file.
package auditlog

import (
	"bytes"
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/id"
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
	Rows    []db.AuditRow
	Next    string
}

// subjects are what a filter on the verb can choose: the noun that it begins with.
var subjects = []string{"access", "client", "company", "contact", "credit", "credit_note", "exchange_rate", "handover", "import", "invitation", "invoice", "login",
	"movement", "passkey", "password", "payment", "product", "recovery", "refund", "reminder", "service", "session", "staff", "token", "totp"}

func (l Log) query(r *http.Request) account.AuditQuery {
	values := r.URL.Query()
	query := account.AuditQuery{Client: l.Client, Verb: values.Get("que")}
	if l.Client == 0 {
		query.Client, _ = id.ParseClient(values.Get("cliente"))
	}
	query.Login, _ = id.ParseLogin(values.Get("persona"))
	query.Staff, _ = id.ParseStaff(values.Get("personal"))
	query.From = start(values.Get("desde"))
	if until := start(values.Get("hasta")); !until.IsZero() {
		query.Until = until.AddDate(0, 0, 1) // the whole last day
	}
	return query
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
	list, err := l.Account.Audit(r.Context(), l.query(r), db.Page{First: pageSize, After: values.Get("despues")})
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
	query := l.query(r)
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
	for _, name := range []string{"cliente", "persona", "personal", "que", "desde", "hasta"} {
		if text := v.Values.Get(name); text != "" {
			values.Set(name, text)
		}
	}
	if len(values) == 0 {
		return v.Path + "/archivo"
	}
	return v.Path + "/archivo?" + values.Encode()
}

func (v View) subjects(ctx context.Context) []component.Option {
	list := []component.Option{{Label: t(ctx, "all")}}
	for _, subject := range subjects {
		list = append(list, component.Option{Value: subject + ".", Label: t(ctx, "subject."+subject)})
	}
	return list
}

func t(ctx context.Context, key string) string { return component.T(ctx, "audit."+key) }

func subject(ctx context.Context, verb string) string {
	noun, _, _ := strings.Cut(verb, ".")
	return t(ctx, "subject."+noun)
}

// compact is a change as one line.
func compact(raw json.RawMessage) string {
	var out bytes.Buffer
	if len(raw) == 0 || json.Compact(&out, raw) != nil {
		return ""
	}
	return out.String()
}
