// Package portal is the client area: what the logins of a client see and do.
package portal

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/reminder"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/identity"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// Config is what the client area needs.
type Config struct {
	Account  *account.Service
	Billing  *billing.Service
	Reminder *reminder.Service
	Fiscal   *fiscal.Service // nil: no fiscal documents
	Now      func() time.Time
}

// Portal holds the handlers of the client area.
type Portal struct{ Config }

// New returns the handlers.
func New(config Config) *Portal { return &Portal{config} }

// Routes is the table of the client area's routes.
func (p *Portal) Routes() []layout.Route {
	return slices.Concat(p.fiscalRoutes(), p.reminderRoutes(), p.folderRoutes(), p.emailRoutes(), p.payRoutes(), p.statementRoutes(), p.identity().Routes(), []layout.Route{
		{Method: "GET", Path: "/clientes/entrar", Who: layout.Everybody, Handle: p.SignInForm},
		{Method: "POST", Path: "/clientes/entrar", Who: layout.Everybody, Handle: p.SignIn},
		{Method: "POST", Path: "/clientes/salir", Who: layout.Everybody, Handle: p.SignOut},
		{Method: "GET", Path: "/clientes", Who: layout.Logins, Handle: p.Start},
		{Method: "GET", Path: "/clientes/{$}", Who: layout.Logins, Handle: p.Start},
		{Method: "GET", Path: "/clientes/{client}", Who: layout.Logins, Handle: p.Home},
		{Method: "GET", Path: "/clientes/{client}/{page}", Who: layout.Everybody, Handle: p.FromMail},
		{Method: "GET", Path: "/clientes/{client}/perfil", Who: layout.Logins, Handle: p.AccountDetails},
		{Method: "POST", Path: "/clientes/{client}/perfil", Who: layout.Logins, Handle: p.SaveAccount},
		{Method: "GET", Path: "/clientes/{client}/contactos", Who: layout.Logins, Handle: p.Contacts},
		{Method: "POST", Path: "/clientes/{client}/contactos", Who: layout.Logins, Handle: p.AddContact},
		{Method: "GET", Path: "/clientes/{client}/contactos/nuevo", Who: layout.Logins, Handle: p.NewContact},
		{Method: "GET", Path: "/clientes/{client}/contactos/{contact}", Who: layout.Logins, Handle: p.EditContact},
		{Method: "POST", Path: "/clientes/{client}/contactos/{contact}", Who: layout.Logins, Handle: p.UpdateContact},
		{Method: "GET", Path: "/clientes/{client}/contactos/{contact}/eliminar", Who: layout.Logins, Handle: p.ConfirmDelete},
		{Method: "POST", Path: "/clientes/{client}/contactos/{contact}/eliminar", Who: layout.Logins, Handle: p.DeleteContact},
		{Method: "POST", Path: "/clientes/{client}/contactos/{contact}/enlaces", Who: layout.Logins, Handle: p.RevokeContactLinks},
		{Method: "GET", Path: "/clientes/{client}/contactos/{contact}/enlaces", Who: layout.Logins, Handle: p.EditContact},
		{Method: "POST", Path: "/clientes/{client}/contactos/{contact}/acceso", Who: layout.Logins, Handle: p.ChangeAccess},
		{Method: "POST", Path: "/clientes/invitacion/aceptar", Who: layout.Everybody, Handle: p.AcceptInvitation},
		{Method: "GET", Path: "/clientes/{client}/titularidad", Who: layout.Logins, Handle: p.Ownership},
		{Method: "POST", Path: "/clientes/{client}/titularidad", Who: layout.Logins, Handle: p.ChangeOwnership},
		{Method: "GET", Path: "/clientes/{client}/actividad", Who: layout.Logins, Handle: p.Activity},
		{Method: "GET", Path: "/clientes/{client}/actividad/archivo", Who: layout.Logins, Handle: p.ActivityFile},
		{Method: "GET", Path: "/clientes/{client}/actividad/intentos", Who: layout.Logins, Handle: p.FailedSignIns},
		{Method: "GET", Path: "/clientes/{client}/servicios", Who: layout.Logins, Handle: p.Services},
		{Method: "GET", Path: "/clientes/{client}/facturas", Who: layout.Logins, Handle: p.Invoices},
		{Method: "GET", Path: "/clientes/{client}/facturas/{invoice}", Who: layout.Logins, Handle: p.Invoice},
		{Method: "GET", Path: "/clientes/{client}/facturas/{invoice}/pdf", Who: layout.Logins, Handle: p.PDFState},
	})
}

// t is a text of the client area in the reader's language.
func t(ctx context.Context, key string, args ...any) string {
	return component.T(ctx, "portal."+key, args...)
}

// at is the path of a page of a client.
func at(client id.Client, parts ...string) templ.SafeURL {
	return templ.SafeURL("/clientes/" + client.String() + strings.Join(append([]string{""}, parts...), "/"))
}

// client returns the client of the path; a stranger's, and text that is no id, is missing.
func (p *Portal) client(r *http.Request) (db.Client, error) {
	clientID, err := id.ParseClient(r.PathValue("client"))
	if err != nil {
		return db.Client{}, fault.Missing()
	}
	return p.Account.Client(r.Context(), clientID)
}

// The sections of the client area.
const (
	sectionHome      = "home"
	sectionContacts  = "contacts"
	sectionInvoices  = "invoices"
	sectionPay       = "pay"
	sectionStatement = "statement"
	sectionServices  = "services"
	sectionActivity  = "activity"
	sectionAccount   = "account"
)

// show answers with a page about a client: navigation holds what the reader may open.
func (p *Portal) show(w http.ResponseWriter, r *http.Request, status int, client db.Client, section, title string, body templ.Component) error {
	ctx := r.Context()
	page := layout.Page{Title: title, Area: t(ctx, "area"), Home: string(at(client.ID)), Client: client.Name, SignOut: "/clientes/salir",
		Nav: []layout.Link{{Label: t(ctx, "nav.home"), URL: string(at(client.ID)), Icon: "home", Current: section == sectionHome}}}
	if !access.From(ctx).Viewing {
		page.Account = "/clientes/seguridad"
	}
	if access.Can(ctx, access.Contacts, client.ID) {
		page.Nav = append(page.Nav, layout.Link{Label: t(ctx, "nav.contacts"), URL: string(at(client.ID, "contactos")), Icon: "people", Current: section == sectionContacts})
	}
	if access.Can(ctx, access.Invoices, client.ID) {
		page.Nav = append(page.Nav, layout.Link{Label: t(ctx, "nav.invoices"), URL: string(at(client.ID, "facturas")), Icon: "invoice", Current: section == sectionInvoices},
			layout.Link{Label: pt(ctx, "nav"), URL: string(at(client.ID, "pagar")), Icon: "card", Current: section == sectionPay},
			layout.Link{Label: t(ctx, "statement.title"), URL: string(at(client.ID, "estado-de-cuenta")), Icon: "list", Current: section == sectionStatement})
	}
	if access.Can(ctx, access.Products, client.ID) {
		page.Nav = append(page.Nav, layout.Link{Label: st(ctx, "title"), URL: string(at(client.ID, "servicios")), Icon: "box", Current: section == sectionServices})
	}
	if p.Fiscal != nil && access.Can(ctx, access.Invoices, client.ID) {
		page.Nav = append(page.Nav, layout.Link{Label: fot(ctx, "nav"), URL: string(at(client.ID, "fiscal", "documentos")), Icon: "folder", Current: section == sectionFolder})
	}
	if access.Can(ctx, access.Emails, client.ID) {
		page.Nav = append(page.Nav, layout.Link{Label: component.T(ctx, "emails.nav"), URL: string(at(client.ID, "correos")), Icon: "mail", Current: section == sectionEmails})
	}
	if p.Fiscal != nil && mayFiscal(ctx, client.ID) {
		page.More = append(page.More, layout.Link{Label: ft(ctx, "profile.nav"), URL: string(at(client.ID, "fiscal")), Icon: "stamp", Current: section == sectionFiscal})
	}
	if access.RequireOwner(ctx, client.ID) == nil {
		page.Nav = append(page.Nav, layout.Link{Label: rt(ctx, "portal.title"), URL: string(at(client.ID, "recordatorios")), Icon: "bell", Current: section == sectionReminders})
		page.More = append(page.More, layout.Link{Label: t(ctx, "nav.activity"), URL: string(at(client.ID, "actividad")), Icon: "clock", Current: section == sectionActivity},
			layout.Link{Label: t(ctx, "nav.account"), URL: string(at(client.ID, "titularidad")), Icon: "key", Current: section == sectionAccount})
	}
	if grants := access.From(ctx).Grants; len(grants) > 1 {
		ids := make([]id.Client, 0, len(grants))
		for _, g := range grants {
			ids = append(ids, g.Client)
		}
		rows, err := p.Account.ClientsByID(ctx, ids)
		if err != nil {
			return err
		}
		for _, g := range grants { // in the order in which access was given
			for _, row := range rows {
				if row.ID == g.Client {
					page.Clients = append(page.Clients, layout.Link{Label: row.Name, URL: string(at(row.ID)), Current: row.ID == client.ID})
				}
			}
		}
	}
	return layout.Write(w, r, status, page, body)
}

// identity is the pages with which people prove who they are.
func (p *Portal) identity() identity.Area {
	return identity.Area{Root: "/clientes", Cookie: layout.LoginCookie, Account: p.Account, Now: p.Now, Show: p.Show}
}

// Show answers with a page that is about no client. The navigation is that of the client in the address, where
// the reader reaches it, else of the first one.
func (p *Portal) Show(w http.ResponseWriter, r *http.Request, status int, title string, body templ.Component) error {
	ctx := r.Context()
	if grants := access.From(ctx).Grants; len(grants) > 0 {
		wanted := grants[0].Client
		for _, grant := range grants {
			if path := string(at(grant.Client)); r.URL.Path == path || strings.HasPrefix(r.URL.Path, path+"/") {
				wanted = grant.Client
			}
		}
		client, err := p.Account.Client(ctx, wanted)
		if err != nil {
			return err
		}
		return p.show(w, r, status, client, "", title, body)
	}
	return layout.Write(w, r, status, layout.Page{Title: title, Area: t(ctx, "area"), Home: "/clientes", Account: "/clientes/seguridad", SignOut: "/clientes/salir"}, body)
}

// Start leads to the first client that the login reaches.
func (p *Portal) Start(w http.ResponseWriter, r *http.Request) error {
	actor := access.From(r.Context())
	grants := actor.Grants
	if len(grants) == 0 {
		if len(actor.Locked) > 0 { // every client asks for a second factor first
			return layout.Redirect(w, r, "/clientes/seguridad")
		}
		return fault.Missing()
	}
	return layout.Redirect(w, r, string(at(grants[0].Client)))
}

// FromMail leads on from the addresses in mails, which name no client: /clientes/contactos comes
// through Home, /clientes/facturas/inv_1 and the links of invitations and for a new password through here.
func (p *Portal) FromMail(w http.ResponseWriter, r *http.Request) error {
	switch r.PathValue("client") {
	case "contrasena":
		return p.identity().NewPassword(w, r, r.PathValue("page"))
	case "invitacion":
		return p.Invitation(w, r, r.PathValue("page"))
	}
	if access.From(r.Context()).Kind != access.Login {
		return fault.New(fault.Unauthenticated, string(fault.Unauthenticated))
	}
	invoiceID, err := id.ParseInvoice(r.PathValue("page"))
	if err != nil || r.PathValue("client") != "facturas" {
		return fault.Missing()
	}
	invoice, err := p.Billing.Invoice(r.Context(), invoiceID)
	if err != nil {
		return err
	}
	return layout.Redirect(w, r, string(at(invoice.ClientID, "facturas", invoice.ID.String())))
}

// SignInForm shows the sign-in page; who is signed in already goes on.
func (p *Portal) SignInForm(w http.ResponseWriter, r *http.Request) error {
	next := layout.LocalPath(r.URL.Query().Get("next"), "")
	if access.From(r.Context()).Kind == access.Login {
		return layout.Redirect(w, r, layout.LocalPath(next, "/clientes"))
	}
	return p.showSignIn(w, r, http.StatusOK, signInForm{Next: next})
}

type signInForm struct {
	Email string
	Next  string
	Error string
}

func (p *Portal) showSignIn(w http.ResponseWriter, r *http.Request, status int, form signInForm) error {
	return layout.Write(w, r, status, layout.Page{Title: t(r.Context(), "signin.title"), Home: "/clientes", Plain: true}, signInPage(form))
}

// SignIn starts a session and leads to where the person wanted to go.
func (p *Portal) SignIn(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	visitor := access.From(ctx)
	form := signInForm{Email: r.PostFormValue("email"), Next: layout.LocalPath(r.PostFormValue("next"), "")}
	in, err := p.Account.SignIn(ctx, account.SignInInput{Email: form.Email, Password: r.PostFormValue("password"), Address: visitor.Address,
		Device: visitor.Device, DeviceKey: layout.DeviceKey(r)})
	if f, ok := fault.As(err); ok && (f.Kind == fault.Unauthenticated || f.Kind == fault.RateLimited) {
		form.Error = locale.Error(component.Lang(ctx), f.Code, f.Args)
		status := http.StatusUnprocessableEntity
		if f.Kind == fault.RateLimited {
			layout.RetryAfter(w, err)
			status = http.StatusTooManyRequests
		}
		return p.showSignIn(w, r, status, form)
	}
	if err != nil {
		return err
	}
	return p.identity().Signed(w, r, in, form.Next)
}

// SignOut ends the session. Staff who saw as a client go back to it in the console.
func (p *Portal) SignOut(w http.ResponseWriter, r *http.Request) error {
	if actor := access.From(r.Context()); actor.Viewing {
		if err := p.Account.SignOut(r.Context()); err != nil {
			return err
		}
		layout.EndSession(w, r, layout.LoginCookie)
		return layout.Redirect(w, r, "/consola/clientes/"+actor.Grants[0].Client.String())
	}
	if access.From(r.Context()).Kind == access.Login {
		if err := p.Account.SignOut(r.Context()); err != nil {
			return err
		}
	}
	layout.EndSession(w, r, layout.LoginCookie)
	layout.Flash(w, r, "portal.flash.signed_out")
	return layout.Redirect(w, r, "/clientes/entrar")
}

// today is the date now where the client is.
func (p *Portal) today(client db.Client) date.Date { return date.Today(p.Now(), client.Timezone) }
