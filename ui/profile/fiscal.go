package profile

import (
	"context"
	"net/url"
	"slices"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/ui/component"
)

// Fiscal is the form of whom fiscal documents are issued to, with what was typed and what is wrong with it.
type Fiscal struct {
	Cat      *fiscal.Catalogs
	In       fiscal.ProfileInput
	Contacts []db.Contact // that its documents can be mailed to; none where the reader may not see them
	Return   string       // local path of the page that the person came from

	Action string // where it posts
	Cancel string // where it leads back to
	Back   string // name of that page
	Staff  bool   // speaks of the client, not to it

	warnings []string // of data that were saved
	seen     string   // what was warned of
	errors   map[string]string
}

// NewFiscal is the form of a client's further profile; the first one begins with the client's own details.
func NewFiscal(client db.Client, others int) Fiscal {
	return Fiscal{In: fiscal.ProfileInput{ClientID: client.ID, Rfc: client.TaxID, Nombre: fiscal.NormalizeNombre(client.Name), DomicilioFiscalReceptor: client.Postcode,
		UsoCFDI: "G03", Default: others == 0}}
}

// FiscalOf is the form of a profile.
func FiscalOf(row db.FiscalProfile, contacts []id.Contact) Fiscal {
	return Fiscal{In: fiscal.ProfileInput{ID: row.ID, ClientID: row.ClientID, Rfc: row.Rfc, Nombre: row.Nombre, DomicilioFiscalReceptor: row.DomicilioFiscalReceptor,
		RegimenFiscalReceptor: row.RegimenFiscalReceptor, UsoCFDI: row.UsoCFDI, ResidenciaFiscal: row.ResidenciaFiscal, Default: row.Default, Contacts: contacts}}
}

// Mailable are the contacts of a list that fiscal documents can be mailed to: those with the invoice preference.
func Mailable(contacts []db.Contact) []db.Contact {
	return slices.DeleteFunc(contacts, func(c db.Contact) bool { return !slices.Contains(c.Topics, mail.Invoice) })
}

// Decode reads what was typed. The error is that of an impossible contact.
func (f *Fiscal) Decode(values url.Values) error {
	in := &f.In
	in.Rfc, in.Nombre, in.DomicilioFiscalReceptor = values.Get("rfc"), values.Get("nombre"), values.Get("domicilioFiscalReceptor")
	in.RegimenFiscalReceptor, in.UsoCFDI, in.ResidenciaFiscal = values.Get("regimenFiscalReceptor"), values.Get("usoCfdi"), values.Get("residenciaFiscal")
	in.Default, in.Contacts = values.Get("default") != "", nil
	if len(f.Contacts) == 0 { // who may not see them leaves them as they are
		return nil
	}
	in.Contacts = []id.Contact{}
	for _, text := range values["contacto"] {
		contact, err := id.ParseContact(text)
		if err != nil {
			return fault.Missing()
		}
		in.Contacts = append(in.Contacts, contact)
	}
	return nil
}

// Explain takes over what is wrong with the input, each at its field; false for other errors.
func (f *Fiscal) Explain(ctx context.Context, err error) bool {
	wrong, ok := fault.As(err)
	if !ok || wrong.Kind != fault.Invalid {
		return false
	}
	f.errors = map[string]string{}
	for _, field := range wrong.Fields {
		if f.errors[field.Path] == "" {
			f.errors[field.Path] = locale.Error(component.Lang(ctx), field.Code, field.Args)
		}
	}
	return true
}

// Warn takes over what the SAT is likely to refuse of data that were saved, to be looked at once more. It is false where
// there is nothing, or where the person has seen it: a second save goes on.
func (f *Fiscal) Warn(ctx context.Context, row db.FiscalProfile, warnings fiscal.Violations, seen string) bool {
	f.seen = row.Rfc + row.Nombre
	if len(warnings) == 0 || seen == f.seen {
		return false
	}
	f.In.ID, f.In.Rfc, f.In.Nombre = row.ID, row.Rfc, row.Nombre
	for _, v := range warnings {
		f.warnings = append(f.warnings, v.Message(component.Lang(ctx)))
	}
	return true
}

// Slug is the profile's part of the form's path.
func (f *Fiscal) Slug() string {
	if f.In.ID == 0 {
		return "nuevo"
	}
	return f.In.ID.String()
}

func ft(ctx context.Context, key string) string { return component.T(ctx, "fiscal."+key) }

// Title names the page.
func (f *Fiscal) Title(ctx context.Context) string {
	if f.In.ID == 0 {
		return ft(ctx, "profile.new.title")
	}
	return f.In.Rfc
}

// said is the text of a key, for staff where they read.
func (f *Fiscal) said(ctx context.Context, key string) string {
	if f.Staff {
		key += ".staff"
	}
	return ft(ctx, key)
}

func (f *Fiscal) field(ctx context.Context, name, label, value string) component.Field {
	return component.Field{Name: name, Label: ft(ctx, "field."+label), Value: value, Error: f.errors[name], Required: true}
}

func hinted(field component.Field, hint string) component.Field {
	field.Hint = hint
	return field
}

func numeric(field component.Field) component.Field {
	field.Inputmode, field.Maxlength = "numeric", "5"
	return field
}

func choice(field component.Field, options []component.Option) component.Field {
	field.Options = options
	return field
}

// mailed is a choice of the contacts that documents are mailed to.
func (f *Fiscal) mailed(contact db.Contact) component.Check {
	return component.Check{Name: "contacto", Value: contact.ID.String(), Label: contact.Name(), Detail: contact.Email, Checked: slices.Contains(f.In.Contacts, contact.ID)}
}

func entryOptions(ctx context.Context, entries []fiscal.Entry) []component.Option {
	options := []component.Option{{Label: ft(ctx, "field.choose")}}
	for _, e := range entries {
		options = append(options, component.Option{Value: e.Key, Label: e.Key + " - " + e.Text})
	}
	return options
}

// regimes offers what fits the RFC, or everything until one is known.
func (f *Fiscal) regimes(ctx context.Context) []component.Option {
	if persona := fiscal.PersonaOf(fiscal.NormalizeRfc(f.In.Rfc)); persona != fiscal.PersonaDesconocida {
		return entryOptions(ctx, f.Cat.Regimenes(persona, ""))
	}
	return entryOptions(ctx, f.Cat.List(fiscal.CatRegimenFiscal, ""))
}

func (f *Fiscal) uses(ctx context.Context) []component.Option {
	var offered []fiscal.Entry
	for _, e := range f.Cat.List(fiscal.CatUsoCFDI, "") {
		if e.Offered() && e.Key != "G02" && e.Key != "CP01" {
			offered = append(offered, e)
		}
	}
	return entryOptions(ctx, offered)
}
