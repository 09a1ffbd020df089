package portal

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

const sectionFiscal = "fiscal"

func (p *Portal) fiscalRoutes() []layout.Route {
	if p.Fiscal == nil {
		return nil
	}
	return []layout.Route{
		{Method: "GET", Path: "/clientes/{client}/fiscal", Who: layout.Logins, Handle: p.FiscalProfiles},
		{Method: "GET", Path: "/clientes/{client}/fiscal/{profile}", Who: layout.Logins, Handle: p.FiscalProfile},
		{Method: "POST", Path: "/clientes/{client}/fiscal/{profile}", Who: layout.Logins, Handle: p.SaveFiscalProfile},
		{Method: "POST", Path: "/clientes/{client}/fiscal/cuando", Who: layout.Logins, Handle: p.SetFiscalWhen},
		{Method: "GET", Path: "/clientes/{client}/facturas/{invoice}/cfdi", Who: layout.Logins, Handle: p.FiscalState},
		{Method: "POST", Path: "/clientes/{client}/facturas/{invoice}/cfdi", Who: layout.Logins, Handle: p.RequestFiscal},
	}
}

// ft is a text about fiscal documents.
func ft(ctx context.Context, key string, args ...any) string {
	return component.T(ctx, "fiscal."+key, args...)
}

// mayFiscal reports whether the reader may see and keep the client's fiscal data.
func mayFiscal(ctx context.Context, client id.Client) bool {
	return access.Can(ctx, access.Invoices, client) || access.Can(ctx, access.Profile, client)
}

// fiscalView is the part of an invoice's page about its fiscal documents.
type fiscalView struct {
	Client    db.Client
	Invoice   db.Invoice
	Documents []db.CFDI
	Profiles  []db.FiscalProfile
	Asking    fiscal.Asking
	Now       time.Time
	Error     string
}

// fiscalBlock reads what the part shows; nil where the installation issues no fiscal documents.
func (p *Portal) fiscalBlock(ctx context.Context, client db.Client, invoice db.Invoice) (*fiscalView, error) {
	if p.Fiscal == nil {
		return nil, nil
	}
	view := &fiscalView{Client: client, Invoice: invoice, Now: p.Now()}
	found, err := p.Fiscal.Documents(ctx, invoice.ID)
	if err != nil {
		return nil, err
	}
	view.Documents = found[invoice.ID]
	askings, err := p.Fiscal.Askings(ctx, invoice.ID)
	if err != nil {
		return nil, err
	}
	view.Asking = askings[invoice.ID]
	view.Profiles, err = p.Fiscal.FiscalProfiles(ctx, client.ID)
	return view, err
}

// current is the invoice's own document in force, with false when there is none.
func (v *fiscalView) current() (db.CFDI, bool) {
	for _, row := range v.Documents {
		if row.Kind == db.CFDIIngreso && row.Status != db.CFDICancelled {
			return row, true
		}
	}
	return db.CFDI{}, false
}

func (v *fiscalView) waiting() bool {
	for _, row := range v.Documents {
		if row.Waiting() {
			return true
		}
	}
	return false
}

// offered reports whether a document can be asked for now.
func (v *fiscalView) offered() bool {
	row, ok := v.current()
	return (!ok || row.Status == db.CFDIStampFailed) && v.Invoice.Status == db.InvoicePaid && v.Invoice.Credited < v.Invoice.Total &&
		!v.Asking.InGlobal && !v.Now.After(v.Asking.Until)
}

// deadline says until when the document can be asked for.
func (v *fiscalView) deadline(ctx context.Context) string {
	until := v.Asking.Until
	last := date.Of(until, fiscal.ZonaCentro())
	if v.Asking.InGlobal {
		return ft(ctx, "block.global")
	}
	if v.Now.After(until) {
		return ft(ctx, "block.closed", "date", component.Date(ctx, last))
	}
	left := ft(ctx, "block.today")
	switch n := last.Sub(date.Of(v.Now, fiscal.ZonaCentro())); {
	case n == 1:
		left = ft(ctx, "block.days.one")
	case n > 1:
		left = ft(ctx, "block.days", "n", n)
	}
	return ft(ctx, "block.until", "date", component.Date(ctx, last)) + " " + left
}

// reason says a refusal to the client, who can act on what is about its own data alone.
func (v *fiscalView) reason(ctx context.Context, row db.CFDI) string {
	if text, ok := fiscal.FriendlyMessage(row.Code, component.Lang(ctx)); ok {
		return ft(ctx, "block.failed", "reason", text)
	}
	return ft(ctx, "block.failed.other")
}

func fiscalTone(status string) component.Tone {
	switch status {
	case db.CFDIStamped:
		return component.Good
	case db.CFDIStampFailed:
		return component.Bad
	case db.CFDICancelPending:
		return component.Warning
	case db.CFDICancelled:
		return component.Neutral
	}
	return component.Info
}

func cfdiPath(cfdi id.CFDI, format string) templ.SafeURL {
	return templ.SafeURL("/descargas/cfdi/" + cfdi.String() + "." + format)
}

func documentName(row db.CFDI) string {
	if row.Folio == 0 {
		return ""
	}
	return row.Serie + " " + strconv.FormatInt(row.Folio, 10)
}

// FiscalState is the part again, for a page that waits for a stamp.
func (p *Portal) FiscalState(w http.ResponseWriter, r *http.Request) error {
	client, invoice, err := p.invoice(r)
	if err != nil {
		return err
	}
	if !layout.Partial(r) {
		return layout.Redirect(w, r, string(at(client.ID, "facturas", invoice.ID.String())))
	}
	view, err := p.fiscalBlock(r.Context(), client, invoice)
	if err != nil {
		return err
	}
	return layout.WriteFragment(w, r, http.StatusOK, fiscalBlock(view))
}

// RequestFiscal asks for the fiscal document of the invoice.
func (p *Portal) RequestFiscal(w http.ResponseWriter, r *http.Request) error {
	client, invoice, err := p.invoice(r)
	if err != nil {
		return err
	}
	profile, err := id.ParseFiscalProfile(r.PostFormValue("profile"))
	if err != nil {
		profile = 0
	}
	_, err = p.Fiscal.RequestCFDI(r.Context(), fiscal.RequestInput{InvoiceID: invoice.ID, ProfileID: profile})
	if f, ok := fault.As(err); ok && f.Code == "FISCAL_PROFILE_MISSING" {
		layout.Flash(w, r, "fiscal.flash.complete")
		return layout.Redirect(w, r, string(profileURL(client.ID, "nuevo", invoice.ID)))
	}
	if f, ok := fault.As(err); ok && f.Kind == fault.Conflict {
		return p.showInvoice(w, r, http.StatusUnprocessableEntity, client, invoice, locale.Error(component.Lang(r.Context()), f.Code, f.Args))
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "fiscal.flash.requested")
	return layout.Redirect(w, r, string(at(client.ID, "facturas", invoice.ID.String())))
}

type profilesView struct {
	Client db.Client
	Rows   []db.FiscalProfile
	When   fiscal.When
	Error  string
}

// chooses reports whether the reader decides when documents are issued.
func (v profilesView) chooses(ctx context.Context) bool {
	return access.Can(ctx, access.Invoices, v.Client.ID) && v.When.Rule() != db.CFDIOnIssue
}

func (v profilesView) whens(ctx context.Context) []component.Option {
	return []component.Option{{Value: db.CFDIOnPayment, Label: ft(ctx, "when."+db.CFDIOnPayment)}, {Value: db.CFDIOnRequest, Label: ft(ctx, "when."+db.CFDIOnRequest)}}
}

// fiscalClient returns the client of the path for somebody who may see its fiscal data.
func (p *Portal) fiscalClient(r *http.Request) (db.Client, []db.FiscalProfile, error) {
	client, err := p.client(r)
	if err != nil {
		return client, nil, err
	}
	rows, err := p.Fiscal.FiscalProfiles(r.Context(), client.ID)
	return client, rows, err
}

// FiscalProfiles lists whom the client's documents are issued to.
func (p *Portal) FiscalProfiles(w http.ResponseWriter, r *http.Request) error {
	client, rows, err := p.fiscalClient(r)
	if err != nil {
		return err
	}
	return p.showProfiles(w, r, http.StatusOK, profilesView{Client: client, Rows: rows})
}

func (p *Portal) showProfiles(w http.ResponseWriter, r *http.Request, status int, view profilesView) error {
	var err error
	if view.When, err = p.Fiscal.When(r.Context(), view.Client.ID); err != nil {
		return err
	}
	return p.show(w, r, status, view.Client, sectionFiscal, ft(r.Context(), "profile.title"), profilesPage(view))
}

// SetFiscalWhen sets when the client's documents are issued.
func (p *Portal) SetFiscalWhen(w http.ResponseWriter, r *http.Request) error {
	client, rows, err := p.fiscalClient(r)
	if err != nil {
		return err
	}
	err = p.Fiscal.SetWhen(r.Context(), client.ID, r.PostFormValue("when"))
	if f, ok := fault.As(err); ok && f.Kind == fault.Conflict {
		return p.showProfiles(w, r, http.StatusUnprocessableEntity, profilesView{Client: client, Rows: rows, Error: locale.Error(component.Lang(r.Context()), f.Code, f.Args)})
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "fiscal.flash.when")
	return layout.Redirect(w, r, string(at(client.ID, "fiscal")))
}

// profileForm is the form of a fiscal profile. Back is the invoice that the person came from.
type profileForm struct {
	Cat      *fiscal.Catalogs
	Client   db.Client
	ID       id.FiscalProfile
	In       fiscal.ProfileInput
	Errors   map[string]string
	Warnings []string // of data that were saved
	Seen     string   // what was warned of
	Back     string
	Contacts []db.Contact // that its documents can be mailed to; none where the reader may not see them
}

// mailed is a choice of the contacts that documents are mailed to.
func (f profileForm) mailed(contact db.Contact) component.Check {
	return component.Check{Name: "contacto", Value: contact.ID.String(), Label: contact.Name(), Detail: contact.Email, Checked: slices.Contains(f.In.Contacts, contact.ID)}
}

// mailable are the contacts with the invoice preference that the reader may see.
func (p *Portal) mailable(ctx context.Context, client id.Client) ([]db.Contact, error) {
	if !access.Can(ctx, access.Contacts, client) {
		return nil, nil
	}
	list, err := p.Account.Contacts(ctx, client, db.Page{First: db.MaxPage})
	return slices.DeleteFunc(list.Rows, func(c db.Contact) bool { return !slices.Contains(c.Topics, mail.Invoice) }), err
}

func (p *Portal) profileForm(r *http.Request) (profileForm, error) {
	client, rows, err := p.fiscalClient(r)
	form := profileForm{Cat: p.Fiscal.Catalogs(r.Context()), Client: client, Back: layout.LocalPath(r.FormValue("volver"), "")}
	if err != nil {
		return form, err
	}
	if form.Contacts, err = p.mailable(r.Context(), client.ID); err != nil {
		return form, err
	}
	if r.PathValue("profile") == "nuevo" {
		form.In = fiscal.ProfileInput{ClientID: client.ID, Rfc: client.TaxID, Nombre: fiscal.NormalizeNombre(client.Name), DomicilioFiscalReceptor: client.Postcode, UsoCFDI: "G03", Default: len(rows) == 0}
		return form, nil
	}
	form.ID, err = id.ParseFiscalProfile(r.PathValue("profile"))
	if err != nil {
		return form, fault.Missing()
	}
	for _, row := range rows {
		if row.ID == form.ID {
			form.In = fiscal.ProfileInput{ID: row.ID, ClientID: client.ID, Rfc: row.Rfc, Nombre: row.Nombre, DomicilioFiscalReceptor: row.DomicilioFiscalReceptor,
				RegimenFiscalReceptor: row.RegimenFiscalReceptor, UsoCFDI: row.UsoCFDI, ResidenciaFiscal: row.ResidenciaFiscal, Default: row.Default}
			own, err := p.Fiscal.ProfileContacts(r.Context(), row.ID)
			form.In.Contacts = own[row.ID]
			return form, err
		}
	}
	return form, fault.Missing()
}

func (f profileForm) title(ctx context.Context) string {
	if f.ID == 0 {
		return ft(ctx, "profile.new.title")
	}
	return f.In.Rfc
}

// FiscalProfile shows the form of one profile, "nuevo" for a new one.
func (p *Portal) FiscalProfile(w http.ResponseWriter, r *http.Request) error {
	form, err := p.profileForm(r)
	if err != nil {
		return err
	}
	return p.show(w, r, http.StatusOK, form.Client, sectionFiscal, form.title(r.Context()), profilePage(form))
}

// SaveFiscalProfile saves the form and leads back to where the person came from.
func (p *Portal) SaveFiscalProfile(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	form, err := p.profileForm(r)
	if err != nil {
		return err
	}
	in := &form.In
	in.Rfc, in.Nombre, in.DomicilioFiscalReceptor = r.PostFormValue("rfc"), r.PostFormValue("nombre"), r.PostFormValue("domicilioFiscalReceptor")
	in.RegimenFiscalReceptor, in.UsoCFDI, in.ResidenciaFiscal = r.PostFormValue("regimenFiscalReceptor"), r.PostFormValue("usoCfdi"), r.PostFormValue("residenciaFiscal")
	in.Default = r.PostFormValue("default") != ""
	in.Contacts = nil
	if len(form.Contacts) > 0 { // who may not see them leaves them as they are
		in.Contacts = []id.Contact{}
		for _, text := range r.PostForm["contacto"] {
			contact, err := id.ParseContact(text)
			if err != nil {
				return fault.Missing()
			}
			in.Contacts = append(in.Contacts, contact)
		}
	}
	row, warnings, err := p.Fiscal.SaveFiscalProfile(ctx, *in)
	var f *fault.Error
	if errors.As(err, &f) && f.Kind == fault.Invalid {
		form.Errors = map[string]string{}
		for _, field := range f.Fields {
			if form.Errors[field.Path] == "" {
				form.Errors[field.Path] = locale.Error(component.Lang(ctx), field.Code, field.Args)
			}
		}
		return p.show(w, r, http.StatusUnprocessableEntity, form.Client, sectionFiscal, form.title(ctx), profilePage(form))
	}
	if err != nil {
		return err
	}
	// Saved; what the SAT is likely to refuse is looked at once more, and a second save goes on.
	if len(warnings) > 0 && r.PostFormValue("seen") != row.Rfc+row.Nombre {
		form.ID, form.In.ID, form.Seen, form.In.Rfc, form.In.Nombre = row.ID, row.ID, row.Rfc+row.Nombre, row.Rfc, row.Nombre
		for _, v := range warnings {
			form.Warnings = append(form.Warnings, v.Message(component.Lang(ctx)))
		}
		return p.show(w, r, http.StatusOK, form.Client, sectionFiscal, form.title(ctx), profilePage(form))
	}
	layout.Flash(w, r, "fiscal.flash.profile")
	return layout.Redirect(w, r, layout.LocalPath(form.Back, string(at(form.Client.ID, "fiscal"))))
}

func (f profileForm) field(ctx context.Context, name, label, value string) component.Field {
	return component.Field{Name: name, Label: ft(ctx, "field."+label), Value: value, Error: f.Errors[name], Required: true}
}

func entryOptions(ctx context.Context, entries []fiscal.Entry) []component.Option {
	options := []component.Option{{Label: ft(ctx, "field.choose")}}
	for _, e := range entries {
		options = append(options, component.Option{Value: e.Key, Label: e.Key + " - " + e.Text})
	}
	return options
}

// regimes offers what fits the RFC, or everything until one is known.
func (f profileForm) regimes(ctx context.Context) []component.Option {
	cat := f.Cat
	if persona := fiscal.PersonaOf(fiscal.NormalizeRfc(f.In.Rfc)); persona != fiscal.PersonaDesconocida {
		return entryOptions(ctx, cat.Regimenes(persona, ""))
	}
	return entryOptions(ctx, cat.List(fiscal.CatRegimenFiscal, ""))
}

func (f profileForm) uses(ctx context.Context) []component.Option {
	var offered []fiscal.Entry
	for _, e := range f.Cat.List(fiscal.CatUsoCFDI, "") {
		if e.Offered() && e.Key != "G02" && e.Key != "CP01" {
			offered = append(offered, e)
		}
	}
	return entryOptions(ctx, offered)
}

func label(catalog, key string) string {
	return strings.TrimSpace(fiscal.DefaultCatalogs().Label(catalog, key))
}

func profileURL(client id.Client, profile string, invoice id.Invoice) templ.SafeURL {
	back := string(at(client, "facturas", invoice.String()))
	return at(client, "fiscal", profile) + templ.SafeURL("?"+url.Values{"volver": {back}}.Encode())
}

func profileOptions(rows []db.FiscalProfile) []component.Option {
	options := make([]component.Option, len(rows))
	for i, row := range rows {
		options[i] = component.Option{Value: row.ID.String(), Label: row.Rfc + " · " + row.Nombre}
	}
	return options
}

func withHint(f component.Field, hint string) component.Field { f.Hint = hint; return f }

func withOptions(f component.Field, options []component.Option) component.Field {
	f.Options = options
	return f
}

func numeric(f component.Field) component.Field {
	f.Inputmode, f.Maxlength = "numeric", "5"
	return f
}

// slug is the form's place in an address.
func (f profileForm) slug() string {
	if f.ID == 0 {
		return "nuevo"
	}
	return f.ID.String()
}

// says reports whether there is something to say below the documents.
func (v *fiscalView) says() bool {
	row, ok := v.current()
	return !ok || v.Error != "" || row.Waiting() || row.Status == db.CFDIStampFailed
}
