// Package emaillog shows the mails that a client was sent, the same in the client area and the console:
// filters, a list, and each mail as it was sent.
package emaillog

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/a-h/templ"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

const pageSize = 25

// own is the value of the filter for the client's own address.
const own = "propia"

// Log is the list of a client's mails at an address.
type Log struct {
	Account    *account.Service
	Client     db.Client
	Path       string                         // of the list; a mail is at Path/eml_1
	InvoiceURL func(id.Invoice) templ.SafeURL // where an invoice is shown
}

// View is a page of the list.
type View struct {
	Log
	Values   url.Values // the filters
	Errors   map[string]string
	Kinds    []string // that the reader may read
	Contacts []db.Contact
	Rows     []db.Email
	Next     string
}

// Read returns the page that a request asks for. What cannot be read as a day is told by its field; any other
// filter that names nothing is a fault of kind Invalid.
func (l Log) Read(r *http.Request) (View, error) {
	ctx, values := r.Context(), r.URL.Query()
	view := View{Log: l, Values: values, Errors: map[string]string{}, Kinds: account.EmailKinds(ctx, l.Client.ID)}
	query := account.EmailQuery{Client: l.Client.ID, Own: values.Get("contacto") == own}
	if kind := values.Get("tipo"); kind != "" {
		query.Kinds = []string{kind}
	}
	if status := values.Get("estado"); status != "" {
		query.Statuses = []string{status}
	}
	if text := values.Get("contacto"); text != "" && text != own {
		contact, err := id.ParseContact(text)
		if err != nil {
			return view, fault.New(fault.Invalid, string(fault.Invalid))
		}
		query.Contact = contact
	}
	for name, at := range map[string]*time.Time{"desde": &query.From, "hasta": &query.Until} {
		if text := values.Get(name); text != "" {
			if *at = start(text, l.Client.Timezone); at.IsZero() {
				view.Errors[name] = locale.Error(component.Lang(ctx), "DATE_MALFORMED", nil)
			}
		}
	}
	if !query.Until.IsZero() {
		query.Until = query.Until.AddDate(0, 0, 1) // the whole last day
		if !query.Until.After(query.From) {
			view.Errors["hasta"] = t(ctx, "until_before")
		}
	}
	if len(view.Errors) > 0 {
		query.From, query.Until = time.Time{}, time.Unix(1, 0) // nothing: a filter that cannot be read would select everything
	}
	list, err := l.Account.Emails(ctx, query, db.Page{First: pageSize, After: values.Get("despues")})
	if err != nil {
		return view, err
	}
	view.Rows = list.Rows
	if next := list.Next(); next != "" {
		more := url.Values{}
		for _, name := range filters {
			if text := values.Get(name); text != "" {
				more.Set(name, text)
			}
		}
		more.Set("despues", next)
		view.Next = l.Path + "?" + more.Encode()
	}
	if access.Can(ctx, access.Contacts, l.Client.ID) {
		contacts, err := l.Account.Contacts(ctx, l.Client.ID, db.Page{First: db.MaxPage})
		if err != nil {
			return view, err
		}
		view.Contacts = contacts.Rows
	}
	return view, nil
}

var filters = []string{"contacto", "tipo", "estado", "desde", "hasta"}

// start is the beginning of a day in a time zone, zero for text that is none.
func start(text, zone string) time.Time {
	day, err := date.Parse(text)
	if err != nil {
		return time.Time{}
	}
	place, err := time.LoadLocation(zone)
	if err != nil {
		place = time.UTC
	}
	return time.Date(day.Time().Year(), day.Time().Month(), day.Time().Day(), 0, 0, 0, 0, place)
}

// Mail is the page of one mail.
type Mail struct {
	Log
	db.Email
	Plain bool // shows the text part
}

// ReadMail returns the mail that the address names.
func (l Log) ReadMail(r *http.Request) (Mail, error) {
	emailID, err := id.ParseEmail(r.PathValue("email"))
	if err != nil {
		return Mail{}, fault.Missing()
	}
	row, err := l.Account.Email(r.Context(), emailID)
	if err != nil {
		return Mail{}, err
	}
	if row.ClientID != l.Client.ID {
		return Mail{}, fault.Missing()
	}
	return Mail{Log: l, Email: row, Plain: row.HTML == "" || r.URL.Query().Get("ver") == "texto"}, nil
}

// WriteHTML answers with the HTML part of the mail that the address names, for the frame of its page: nothing in
// it runs, loads or is sent.
func (l Log) WriteHTML(w http.ResponseWriter, r *http.Request) error {
	m, err := l.ReadMail(r)
	if err != nil {
		return err
	}
	if m.HTML == "" {
		return fault.Missing()
	}
	return layout.WriteMail(w, m.HTML)
}

func (m Mail) path() string { return m.Path + "/" + m.ID.String() }

func (m Mail) tabs(ctx context.Context) []component.Tab {
	return []component.Tab{{Label: t(ctx, "tab.html"), URL: templ.SafeURL(m.path()), Current: !m.Plain},
		{Label: t(ctx, "tab.text"), URL: templ.SafeURL(m.path() + "?ver=texto"), Current: m.Plain}}
}

// invoice is where the invoice of the mail is shown, "" when there is none or the reader may not open it.
func (m Mail) invoice(ctx context.Context) templ.SafeURL {
	if m.InvoiceID == 0 || !access.Can(ctx, access.Invoices, m.ClientID) {
		return ""
	}
	return m.InvoiceURL(m.InvoiceID)
}

// staff reports whether the reader may see what the mail server said.
func staff(ctx context.Context) bool { return access.RequireStaff(ctx) == nil }

func (v View) filtered() bool {
	return slices.ContainsFunc(filters, func(name string) bool { return v.Values.Get(name) != "" })
}

func (v View) day(ctx context.Context, name, label string) component.Field {
	return component.Field{Name: name, Label: t(ctx, label), Type: "date", Value: v.Values.Get(name), Error: v.Errors[name], Maxlength: "10"}
}

func (v View) kinds(ctx context.Context) []component.Option {
	options := []component.Option{{Label: t(ctx, "kind.all")}}
	for _, kind := range v.Kinds {
		options = append(options, component.Option{Value: kind, Label: t(ctx, "kind."+kind)})
	}
	return options
}

func (v View) statuses(ctx context.Context) []component.Option {
	options := []component.Option{{Label: t(ctx, "status.all")}}
	for _, status := range account.EmailStatuses() {
		options = append(options, component.Option{Value: status, Label: t(ctx, "status."+status)})
	}
	return options
}

func (v View) contacts(ctx context.Context) []component.Option {
	options := []component.Option{{Label: t(ctx, "contact.all")}, {Value: own, Label: t(ctx, "contact.own")}}
	for _, contact := range v.Contacts {
		options = append(options, component.Option{Value: contact.ID.String(), Label: contact.Name()})
	}
	return options
}

func t(ctx context.Context, key string) string {
	return component.T(ctx, "emails."+key)
}

// tone is the tone of a mail's state.
func tone(status string) component.Tone {
	switch status {
	case db.EmailSent:
		return component.Good
	case db.EmailFailed, db.EmailBounced:
		return component.Bad
	case db.EmailWaiting:
		return component.Info
	}
	return component.Neutral
}

// cause says in words why a mail is not sent, "" for what was.
func cause(ctx context.Context, e db.Email) string {
	if e.Reason == "" {
		return ""
	}
	for _, key := range []string{"emails.reason." + e.Reason, "console.reason." + e.Reason} {
		if locale.Has(key) {
			return component.T(ctx, key)
		}
	}
	return ""
}
