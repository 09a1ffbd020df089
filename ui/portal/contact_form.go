package portal

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/ui/component"
)

// Names of the form's fields that are no details. They are the paths of faults, so that an error
// finds its field by name.
const (
	fieldActive        = "subAccount.active"
	fieldInvite        = "subAccount.invite"
	fieldPassword      = "subAccount.password"
	fieldPasswordAgain = "subAccount.passwordAgain"
	fieldPermissions   = "subAccount.permissions"
	fieldExpiresOn     = "subAccount.expiresOn"
	fieldTopics        = "topics"
)

// contactForm is the one form of a contact, for new ones and existing ones. It holds no password.
type contactForm struct {
	Client      db.Client
	Row         contactRow // existing contact; its ID is 0 for a new one
	Details     account.ContactDetails
	Active      bool
	Invite      bool // mail an invitation in the place of a password
	Permissions []access.Permission
	ExpiresOn   string
	Topics      []mail.Topic
	Today       date.Date
	Applied     bool // the preset was asked for just now

	errors  map[string]string // by field
	Problem string            // what is wrong with the whole form
}

func newContactForm(client db.Client) contactForm {
	return contactForm{Client: client, Details: account.ContactDetails{Country: "MX", Language: client.Language, Timezone: client.Timezone}}
}

func editContactForm(client db.Client, row contactRow) contactForm {
	form := contactForm{Client: client, Row: row, Details: account.DetailsOf(row.Contact), Topics: row.Topics}
	if row.Access != nil {
		form.Active, form.Permissions, form.ExpiresOn = true, row.Access.Permissions, string(row.Access.ExpiresOn)
		form.Invite = row.Access.Status == db.SubAccountInvited
	}
	return form
}

// details pairs the names of the fields with their values.
func (f *contactForm) details() map[string]*string {
	d := &f.Details
	return map[string]*string{
		"firstname": &d.Firstname, "lastname": &d.Lastname, "companyname": &d.Companyname, "email": &d.Email,
		"phonenumber": &d.Phonenumber, "taxId": &d.TaxID, "address1": &d.Address1, "address2": &d.Address2, "city": &d.City,
		"state": &d.State, "postcode": &d.Postcode, "country": &d.Country, "language": &d.Language, "timezone": &d.Timezone,
	}
}

// decode reads what was typed.
func (f *contactForm) decode(values url.Values) {
	for name, value := range f.details() {
		*value = values.Get(name)
	}
	f.Topics = nil
	for _, topic := range values[fieldTopics] {
		f.Topics = append(f.Topics, mail.Topic(topic))
	}
	if f.Row.Self {
		return // nobody changes their own access
	}
	f.Active, f.ExpiresOn = values.Get(fieldActive) != "", strings.TrimSpace(values.Get(fieldExpiresOn))
	f.Invite = f.choosesInvite() && values.Get(fieldInvite) != ""
	f.Permissions = nil
	for _, permission := range values[fieldPermissions] {
		f.Permissions = append(f.Permissions, access.Permission(permission))
	}
}

// input is what the service is asked for beside the details. Without JavaScript the hidden part of
// the form is sent too: it counts only while the access is on.
func (f *contactForm) input(values url.Values) (*account.SubAccountInput, []mail.Topic, error) {
	switch {
	case f.Row.Self:
		return nil, f.Topics, nil
	case !f.Active && f.Row.Access == nil:
		return nil, f.Topics, nil
	case !f.Active:
		return &account.SubAccountInput{}, f.Topics, nil
	}
	sub := &account.SubAccountInput{Active: true, Password: values.Get(fieldPassword), PasswordAgain: values.Get(fieldPasswordAgain), Permissions: f.Permissions}
	if f.Invite {
		// Without JavaScript the fields for a password are sent too; the choice says which of the two counts.
		sub.Invite, sub.Password, sub.PasswordAgain = true, "", ""
	}
	if f.ExpiresOn != "" {
		day, err := date.Parse(f.ExpiresOn)
		if err != nil {
			var checks fault.Checks
			checks.Add(fieldExpiresOn, "DATE_MALFORMED")
			return nil, nil, checks.Err()
		}
		sub.ExpiresOn = day
	}
	return sub, f.Topics, nil
}

// choosesInvite reports whether an invitation can be mailed: to who has no access yet, or was invited.
func (f *contactForm) choosesInvite() bool {
	return f.Row.Access == nil || f.Row.Access.Status == db.SubAccountInvited
}

// The preset that sets both switches, permission and preference; access.Presets has those that set
// permissions alone.
const presetReminders = "reminders"

// preset applies what a preset button asks for, and reports whether one did. Browsers with
// JavaScript do the same without asking.
func (f *contactForm) preset(key string) bool {
	if key == presetReminders {
		f.Active, f.Applied = true, true
		f.Permissions = union(f.Permissions, access.Invoices)
		f.Topics = union(f.Topics, mail.Invoice)
		return true
	}
	for _, preset := range access.Presets() {
		if preset.Key == key {
			f.Active, f.Permissions = true, preset.Permissions
			return true
		}
	}
	return false
}

// getsReminders reports whether everything is set that the preset would set.
func (f *contactForm) getsReminders() bool {
	return f.Active && slices.Contains(f.Permissions, access.Invoices) && slices.Contains(f.Topics, mail.Invoice)
}

func union[T comparable](list []T, item T) []T {
	if slices.Contains(list, item) {
		return list
	}
	return append(list, item)
}

// explain keeps the errors of a fault that the form can show, and reports whether it is one.
func (f *contactForm) explain(ctx context.Context, err error) bool {
	e, ok := fault.As(err)
	if !ok {
		return false
	}
	lang := component.Lang(ctx)
	if e.Kind == fault.Forbidden && e.Code == "SELF_PROTECTED" {
		f.Problem = locale.Error(lang, e.Code, e.Args)
		return true
	}
	if e.Kind != fault.Invalid {
		return false
	}
	f.errors = map[string]string{}
	f.Problem = component.T(ctx, "common.form.errors")
	for _, field := range e.Fields {
		text := locale.Error(lang, field.Code, field.Args)
		switch _, known := f.details()[field.Path]; {
		case f.errors[field.Path] != "": // the first one says enough
		case known, strings.HasPrefix(field.Path, "subAccount."), field.Path == fieldTopics:
			f.errors[field.Path] = text
		default:
			f.Problem = text
		}
	}
	return true
}

// refusal is the text of a fault that forbids an action, and whether err is one.
func refusal(ctx context.Context, err error) (string, bool) {
	e, ok := fault.As(err)
	switch {
	case !ok:
		return "", false
	case e.Kind == fault.Forbidden && e.Code == "SELF_PROTECTED":
		return locale.Error(component.Lang(ctx), e.Code, e.Args), true
	case e.Kind == fault.Invalid && len(e.Fields) > 0:
		return locale.Error(component.Lang(ctx), e.Fields[0].Code, e.Fields[0].Args), true
	}
	return "", false
}

// field is a text field of the form.
func (f *contactForm) field(ctx context.Context, name, autocomplete, class string) component.Field {
	return component.Field{Name: name, Label: t(ctx, "field."+name), Value: f.value(name), Error: f.errors[name], Autocomplete: autocomplete, Class: class}
}

func (f *contactForm) value(name string) string {
	if value, ok := f.details()[name]; ok {
		return *value
	}
	return ""
}

// action is where the form posts.
func (f *contactForm) action() string {
	if f.Row.ID == 0 {
		return string(at(f.Client.ID, "contactos"))
	}
	return string(at(f.Client.ID, "contactos", f.Row.ID.String()))
}

// permissionChecks are the 13 ticks. What the reader does not hold cannot be changed: a tick that is
// set stays.
func (f *contactForm) permissionChecks(ctx context.Context) []component.Check {
	checks := make([]component.Check, 0, len(access.Permissions()))
	for _, permission := range access.Permissions() {
		check := component.Check{Name: fieldPermissions, Value: string(permission), Label: component.T(ctx, "access."+string(permission)),
			Checked: slices.Contains(f.Permissions, permission)}
		if !access.CanGrant(ctx, permission, f.Client.ID) {
			check.Disabled, check.Detail = true, t(ctx, "permission.not_held")
			check.Checked = f.Row.Access != nil && slices.Contains(f.Row.Access.Permissions, permission)
		} else if permission == access.Invoices {
			check.Detail = t(ctx, "permission.invoices")
		}
		checks = append(checks, check)
	}
	return checks
}

func (f *contactForm) topicChecks(ctx context.Context) []component.Check {
	checks := make([]component.Check, 0, len(mail.Topics()))
	for _, topic := range mail.Topics() {
		checks = append(checks, component.Check{Name: fieldTopics, Value: string(topic), Label: component.T(ctx, "topic."+string(topic)),
			Detail: component.T(ctx, "topic."+string(topic)+".detail"), Checked: slices.Contains(f.Topics, topic)})
	}
	return checks
}

// selector names ticks for a preset button: a list of CSS ids.
func selector(name string, permissions ...access.Permission) string {
	ids := make([]string, 0, len(permissions))
	for _, permission := range permissions {
		ids = append(ids, "#"+component.Check{Name: name, Value: string(permission)}.ID())
	}
	return strings.Join(ids, ",")
}
