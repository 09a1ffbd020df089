package portal

import (
	"context"
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
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
	"github.com/nubedigitalmx/avisa/ui/profile"
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
	last := date.Of(until, until.Location())
	if v.Asking.InGlobal {
		return ft(ctx, "block.global")
	}
	if v.Now.After(until) {
		return ft(ctx, "block.closed", "date", component.Date(ctx, last))
	}
	left := ft(ctx, "block.today")
	switch n := last.Sub(date.Of(v.Now, until.Location())); {
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

// profileForm is the form of the profile in the path, "nuevo" for a new one. It leads back to the invoice that the person
// came from.
func (p *Portal) profileForm(r *http.Request) (db.Client, *profile.Fiscal, error) {
	ctx := r.Context()
	client, rows, err := p.fiscalClient(r)
	if err != nil {
		return client, nil, err
	}
	form := profile.NewFiscal(client, len(rows))
	if r.PathValue("profile") != "nuevo" {
		wanted, err := id.ParseFiscalProfile(r.PathValue("profile"))
		at := slices.IndexFunc(rows, func(row db.FiscalProfile) bool { return row.ID == wanted })
		if err != nil || at < 0 {
			return client, nil, fault.Missing()
		}
		own, err := p.Fiscal.ProfileContacts(ctx, wanted)
		if err != nil {
			return client, nil, err
		}
		form = profile.FiscalOf(rows[at], own[wanted])
	}
	if access.Can(ctx, access.Contacts, client.ID) {
		list, err := p.Account.Contacts(ctx, client.ID, db.Page{First: db.MaxPage})
		if err != nil {
			return client, nil, err
		}
		form.Contacts = profile.Mailable(list.Rows)
	}
	form.Cat, form.Return = p.Fiscal.Catalogs(ctx), layout.LocalPath(r.FormValue("volver"), "")
	form.Cancel, form.Back = string(at(client.ID, "fiscal")), ft(ctx, "profile.title")
	return client, &form, nil
}

func (p *Portal) showFiscalProfile(w http.ResponseWriter, r *http.Request, status int, client db.Client, form *profile.Fiscal) error {
	form.Action = string(at(client.ID, "fiscal", form.Slug()))
	return p.show(w, r, status, client, sectionFiscal, form.Title(r.Context()), profile.FiscalPage(form))
}

// FiscalProfile shows the form of one profile, "nuevo" for a new one.
func (p *Portal) FiscalProfile(w http.ResponseWriter, r *http.Request) error {
	client, form, err := p.profileForm(r)
	if err != nil {
		return err
	}
	return p.showFiscalProfile(w, r, http.StatusOK, client, form)
}

// SaveFiscalProfile saves the form and leads back to where the person came from.
func (p *Portal) SaveFiscalProfile(w http.ResponseWriter, r *http.Request) error {
	client, form, err := p.profileForm(r)
	if err != nil {
		return err
	}
	if err := form.Decode(r.PostForm); err != nil {
		return err
	}
	row, warnings, err := p.Fiscal.SaveFiscalProfile(r.Context(), form.In)
	if err != nil && form.Explain(r.Context(), err) {
		return p.showFiscalProfile(w, r, http.StatusUnprocessableEntity, client, form)
	}
	if err != nil {
		return err
	}
	if form.Warn(r.Context(), row, warnings, r.PostFormValue("seen")) {
		return p.showFiscalProfile(w, r, http.StatusOK, client, form)
	}
	layout.Flash(w, r, "fiscal.flash.profile")
	return layout.Redirect(w, r, layout.LocalPath(form.Return, form.Cancel))
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

// says reports whether there is something to say below the documents.
func (v *fiscalView) says() bool {
	row, ok := v.current()
	return !ok || v.Error != "" || row.Waiting() || row.Status == db.CFDIStampFailed
}
