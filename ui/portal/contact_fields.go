package portal

import (
	"context"

	"github.com/nubedigitalmx/avisa/ui/component"
)

// order of the form's fields, in which its errors are listed.
var order = []string{
	"firstname", "lastname", "email", "phonenumber", "companyname", "taxId", "address1", "address2", "city", "state", "postcode",
	"country", "language", "timezone", fieldPassword, fieldPasswordAgain, fieldPermissions, fieldExpiresOn, fieldTopics,
}

type wrongField struct{ ID, Label, Text string }

// wrong lists the fields with errors, from top to bottom.
func (f *contactForm) wrong(ctx context.Context) []wrongField {
	var list []wrongField
	for _, name := range order {
		if text := f.errors[name]; text != "" {
			list = append(list, wrongField{ID: component.Field{Name: name}.ID(), Label: t(ctx, "field."+name), Text: text})
		}
	}
	return list
}

func (f *contactForm) email(ctx context.Context) component.Field {
	field := f.field(ctx, "email", "email", "sm:col-span-4")
	field.Type, field.Required, field.Maxlength = "email", true, "254"
	if f.Row.Access != nil && f.Row.Access.LoginEmail == f.Row.Email {
		field.Hint = t(ctx, "contact.email.login")
	}
	return field
}

func (f *contactForm) phone(ctx context.Context) component.Field {
	field := f.field(ctx, "phonenumber", "tel", "sm:col-span-2")
	field.Type = "tel"
	return field
}

func (f *contactForm) choice(ctx context.Context, name, autocomplete string, options []component.Option) component.Field {
	field := f.field(ctx, name, autocomplete, "sm:col-span-2")
	field.Options = options
	return field
}

func (f *contactForm) passwordLabel(ctx context.Context) string {
	if f.Row.Access != nil {
		return t(ctx, "contact.password.new")
	}
	return t(ctx, "field."+fieldPassword)
}

func (f *contactForm) passwordHint(ctx context.Context) string {
	if f.Row.Access != nil {
		return t(ctx, "contact.password.keep")
	}
	return t(ctx, "contact.password.policy")
}
