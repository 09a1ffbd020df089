// Package profile holds the form of what a client says of itself. It is the same for the client area and the
// console.
package profile

import (
	"context"
	"net/url"
	"slices"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/ui/component"
)

// Form is the form with what was typed and what is wrong with it.
type Form struct {
	Details     account.ClientDetails
	Topics      []mail.Topic
	ExternalRef string
	Invite      bool

	Title  string
	Action string // where it posts
	Cancel string // where it leads back to
	Back   string // name of that page
	New    bool   // of a client that is not there yet
	Staff  bool   // shows what staff alone change

	Problem string
	errors  map[string]string
}

// Of is the form of a client.
func Of(row db.Client) Form {
	return Form{Details: account.ClientDetailsOf(row), Topics: row.Topics, ExternalRef: row.ExternalRef}
}

func t(ctx context.Context, key string) string {
	return component.T(ctx, "profile."+key)
}

// order of the fields, in which errors are listed.
var order = []string{"name", "email", "phonenumber", "taxId", "address1", "address2", "city", "state", "postcode", "country", "language", "timezone", "topics", "externalRef"}

func (f *Form) fields() map[string]*string {
	d := &f.Details
	return map[string]*string{"name": &d.Name, "email": &d.Email, "phonenumber": &d.Phonenumber, "taxId": &d.TaxID, "address1": &d.Address1,
		"address2": &d.Address2, "city": &d.City, "state": &d.State, "postcode": &d.Postcode, "country": &d.Country, "language": &d.Language,
		"timezone": &d.Timezone, "externalRef": &f.ExternalRef}
}

// Decode reads what was typed.
func (f *Form) Decode(values url.Values) {
	for name, to := range f.fields() {
		*to = values.Get(name)
	}
	f.Topics = nil
	for _, topic := range values["topics"] {
		f.Topics = append(f.Topics, mail.Topic(topic))
	}
	f.Invite = values.Get("invite") != ""
}

// Explain keeps the errors of a fault that the form can show, and reports whether it is one.
func (f *Form) Explain(ctx context.Context, err error) bool {
	e, ok := fault.As(err)
	if !ok || e.Kind != fault.Invalid && e.Kind != fault.Conflict && e.Kind != fault.RateLimited {
		return false
	}
	lang := component.Lang(ctx)
	f.errors, f.Problem = map[string]string{}, component.T(ctx, "common.form.errors")
	for _, field := range e.Fields {
		text := locale.Error(lang, field.Code, field.Args)
		switch {
		case f.errors[field.Path] != "": // the first one says enough
		case slices.Contains(order, field.Path):
			f.errors[field.Path] = text
		default:
			f.Problem = text
		}
	}
	if len(e.Fields) == 0 {
		f.Problem = locale.Error(lang, e.Code, e.Args)
	}
	return true
}

// wrong lists the fields with errors, from top to bottom.
func (f *Form) wrong() []component.Field {
	list := []component.Field{}
	for _, name := range order {
		if text := f.errors[name]; text != "" {
			list = append(list, component.Field{Name: name, Error: text})
		}
	}
	return list
}

func (f *Form) field(ctx context.Context, name, autocomplete, class string) component.Field {
	return component.Field{Name: name, Label: t(ctx, name), Value: *f.fields()[name], Error: f.errors[name], Autocomplete: autocomplete, Class: class}
}

func (f *Form) required(ctx context.Context, name, kind, autocomplete, maxlength, class string) component.Field {
	field := f.field(ctx, name, autocomplete, class)
	field.Type, field.Required, field.Maxlength = kind, true, maxlength
	if name == "email" {
		field.Hint = t(ctx, "email.hint")
		if f.New {
			field.Hint = t(ctx, "email.new")
		}
	}
	return field
}

func (f *Form) choice(ctx context.Context, name, autocomplete string, options []component.Option) component.Field {
	field := f.field(ctx, name, autocomplete, "sm:col-span-2")
	field.Options = options
	return field
}

func (f *Form) reference(ctx context.Context) component.Field {
	field := f.field(ctx, "externalRef", "off", "")
	field.Hint, field.Maxlength = t(ctx, "externalRef.hint"), "100"
	return field
}

func (f *Form) topics(ctx context.Context) []component.Check {
	checks := make([]component.Check, 0, len(mail.Topics()))
	for _, topic := range mail.Topics() {
		checks = append(checks, component.Check{Name: "topics", Value: string(topic), Label: component.T(ctx, "topic."+string(topic)),
			Detail: component.T(ctx, "topic."+string(topic)+".detail"), Checked: slices.Contains(f.Topics, topic)})
	}
	return checks
}

func (f *Form) detail(ctx context.Context) string {
	if f.New {
		return ""
	}
	return t(ctx, "detail")
}

func (f *Form) save(ctx context.Context) string {
	if f.New {
		return t(ctx, "add")
	}
	return t(ctx, "save")
}
