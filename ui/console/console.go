// Package console is where staff works: clients and their contacts, invoices and payments, and the
// ledger of the reminders.
package console

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/internal/reminder"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// pageSize is how many rows a list shows at a time.
const pageSize = 25

// Config is what the console needs.
type Config struct {
	Account  *account.Service
	Billing  *billing.Service
	Reminder *reminder.Service
	Fiscal   *fiscal.Service // nil: no fiscal documents
	// Outbox sums up the background work that waits; nil: not shown.
	Outbox func(ctx context.Context) (db.OutboxState, error)
	// Downloads is the download log of an invoice, the newest first; nil: not shown.
	Downloads func(ctx context.Context, invoice id.Invoice) ([]db.InvoiceDownload, error)
	Mailbox   bool // there is a demo mailbox to link to
	Now       func() time.Time
}

// Console answers the console's routes.
type Console struct{ Config }

// New makes a console.
func New(config Config) *Console { return &Console{config} }

// Routes is the table of the console's routes. Those for staff ask for it themselves, because a
// list that a login may ask for too (its own clients, its own invoices) is no console for it.
func (c *Console) Routes() []layout.Route {
	routes := slices.Concat(
		c.table(),
		c.profileTable(),
		c.clientImportTable(),
		c.reminderRoutes(),
		c.billingTable(),
		c.paymentTable(),
		c.bankTable(),
		c.gatewayTable(),
		c.productTable(),
		c.serviceTable(),
		c.reportTable(),
		c.rateTable(),
		c.fiscalTable(),
		c.satKeyRoutes(),
		c.documentRoutes(),
		c.pendingRoutes(),
		c.emailRoutes(),
		c.peopleRoutes(),
	)
	for i, route := range routes {
		if route.Who == layout.Staff {
			routes[i].Handle = staffOnly(route.Handle)
		}
	}
	// The security page is open to who must still prove a second factor.
	for _, route := range c.identity().Routes() {
		if route.Who == layout.Staff {
			route.Handle = personOnly(route.Handle)
		}
		routes = append(routes, route)
	}
	return append(routes, layout.Route{Method: "GET", Path: "/consola/contrasena/{token}", Who: layout.Everybody, Handle: c.newPassword})
}

// personOnly is staffOnly for what people of the company do before they have proved a second factor.
func personOnly(next layout.Handler) layout.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		switch access.From(r.Context()).Kind {
		case access.Staff:
			return next(w, r)
		case access.Login:
			return fault.New(fault.Forbidden, "STAFF_ONLY")
		}
		return fault.New(fault.Unauthenticated, string(fault.Unauthenticated))
	}
}

func staffOnly(next layout.Handler) layout.Handler {
	return func(w http.ResponseWriter, r *http.Request) error {
		if err := access.RequireStaff(r.Context()); err != nil {
			return err
		}
		return next(w, r)
	}
}

func (c *Console) table() []layout.Route {
	return []layout.Route{
		{Method: "GET", Path: "/consola/entrar", Who: layout.Everybody, Handle: c.signInPage},
		{Method: "POST", Path: "/consola/entrar", Who: layout.Everybody, Handle: c.signIn},
		{Method: "POST", Path: "/consola/salir", Who: layout.Staff, Handle: c.signOut},
		{Method: "GET", Path: "/consola", Who: layout.Staff, Handle: c.home},
		{Method: "GET", Path: "/consola/{$}", Who: layout.Staff, Handle: c.home},
		{Method: "GET", Path: "/consola/clientes", Who: layout.Staff, Handle: c.clients},
		{Method: "GET", Path: "/consola/clientes/{id}", Who: layout.Staff, Handle: c.clientPage},
		{Method: "POST", Path: "/consola/clientes/{id}/pausa", Who: layout.Staff, Handle: c.pauseClient},
		{Method: "GET", Path: "/consola/clientes/{id}/pausa", Who: layout.Staff, Handle: toParent},
		{Method: "POST", Path: "/consola/clientes/{id}/cerrar", Who: layout.Staff, Handle: c.closeClient},
		{Method: "GET", Path: "/consola/clientes/{id}/cerrar", Who: layout.Staff, Handle: toParent},
		{Method: "POST", Path: "/consola/clientes/{id}/reabrir", Who: layout.Staff, Handle: c.reopenClient},
		{Method: "GET", Path: "/consola/clientes/{id}/reabrir", Who: layout.Staff, Handle: toParent},
		{Method: "GET", Path: "/consola/contactos/{id}", Who: layout.Staff, Handle: c.contactPage},
		{Method: "POST", Path: "/consola/contactos/{id}", Who: layout.Staff, Handle: c.saveContact},
		{Method: "POST", Path: "/consola/contactos/{id}/acceso", Who: layout.Staff, Handle: c.changeAccess},
		{Method: "GET", Path: "/consola/contactos/{id}/acceso", Who: layout.Staff, Handle: toParent},
		{Method: "POST", Path: "/consola/clientes/{id}/titularidad", Who: layout.Staff, Handle: c.endHandover},
		{Method: "GET", Path: "/consola/clientes/{id}/titularidad", Who: layout.Staff, Handle: toParent},
		{Method: "GET", Path: "/consola/facturas/{id}", Who: layout.Staff, Handle: c.invoicePage},
		{Method: "POST", Path: "/consola/facturas/{id}/pagos", Who: layout.Staff, Handle: c.recordPayment},
		{Method: "POST", Path: "/consola/facturas/{id}/pausa", Who: layout.Staff, Handle: c.pauseInvoice},
		{Method: "GET", Path: "/consola/facturas/{id}/pagos", Who: layout.Staff, Handle: toParent},
		{Method: "GET", Path: "/consola/facturas/{id}/pausa", Who: layout.Staff, Handle: toParent},
	}
}

// Show answers with a page that belongs to no section.
func (c *Console) Show(w http.ResponseWriter, r *http.Request, status int, title string, body templ.Component) error {
	return c.show(w, r, status, title, body)
}

// show answers with a page of the console.
func (c *Console) show(w http.ResponseWriter, r *http.Request, status int, title string, body templ.Component) error {
	ctx := r.Context()
	page := layout.Page{Title: title, Area: t(ctx, "area"), Home: "/consola", Product: true, Account: "/consola/seguridad", SignOut: "/consola/salir"}
	links := []layout.Link{
		{Label: t(ctx, "nav.home"), URL: "/consola", Icon: "home"},
		{Label: t(ctx, "nav.clients"), URL: "/consola/clientes", Icon: "people"},
		{Label: t(ctx, "nav.invoices"), URL: "/consola/facturas", Icon: "invoice"},
		{Label: t(ctx, "payments.title"), URL: "/consola/pagos", Icon: "cash"},
		{Label: bt(ctx, "products.title"), URL: "/consola/productos", Icon: "box"},
		{Label: bt(ctx, "reports.title"), URL: "/consola/informes", Icon: "chart"},
		{Label: t(ctx, "nav.reminders"), URL: "/consola/recordatorios", Icon: "bell"},
	}
	if c.Fiscal != nil {
		links = append(links, layout.Link{Label: ft(ctx, "console.nav"), URL: "/consola/fiscal", Icon: "stamp"})
	}
	if c.Mailbox {
		links = append(links, layout.Link{Label: t(ctx, "nav.mailbox"), URL: "/buzon", Icon: "mail"})
	}
	if access.RequireCapability(ctx, access.ReadAudit) == nil {
		links = append(links, layout.Link{Label: t(ctx, "nav.activity"), URL: "/consola/actividad", Icon: "clock"})
	}
	var settings []layout.Link
	if access.RequireCapability(ctx, access.ManageCompany) == nil {
		settings = append(settings, layout.Link{Label: t(ctx, "nav.company"), URL: "/consola/empresa", Icon: "company"})
	}
	if access.RequireCapability(ctx, access.ManageStaff) == nil {
		settings = append(settings, layout.Link{Label: t(ctx, "nav.staff"), URL: "/consola/personal", Icon: "shield"},
			layout.Link{Label: t(ctx, "nav.tokens"), URL: "/consola/tokens", Icon: "key"})
	}
	page.Nav, page.More = marked(r.URL.Path, links), marked(r.URL.Path, settings)
	alerts, err := c.Reminder.Alerts(ctx)
	if err != nil && !fault.Is(err, fault.Forbidden) { // who must still prove a second factor sees none
		return err
	}
	stamping, err := c.stampingBanner(ctx)
	if err != nil {
		return err
	}
	return layout.Write(w, r, status, page, templ.Join(alertBanner(alerts), stamping, body))
}

// sections are where the pages belong that have an address of their own below another section's.
var sections = map[string]string{"renovaciones": "productos", "servicios": "clientes", "contactos": "clientes", "tipos-de-cambio": "informes", "banco": "pagos", "pasarela": "pagos"}

// marked notes which of the links leads to where the reader is.
func marked(address string, links []layout.Link) []layout.Link {
	below, _, _ := strings.Cut(strings.TrimPrefix(address, "/consola/"), "/")
	if section, ok := sections[below]; ok {
		below = section
	}
	for i, link := range links {
		links[i].Current = link.URL == address || link.URL == "/consola/"+below
	}
	return links
}

// toParent leads from the address of a form, which a reload or a change of language asks for, to the
// page that the form is on.
func toParent(w http.ResponseWriter, r *http.Request) error {
	return layout.Redirect(w, r, path.Dir(r.URL.Path))
}

// client is the client of an id in an address or a form.
func (c *Console) client(ctx context.Context, text string) (db.Client, error) {
	clientID, err := id.ParseClient(text)
	if err != nil {
		return db.Client{}, fault.Missing()
	}
	return c.Account.Client(ctx, clientID)
}

// invoice is the invoice of an id in an address or a form.
func (c *Console) invoice(ctx context.Context, text string) (db.Invoice, error) {
	invoiceID, err := id.ParseInvoice(text)
	if err != nil {
		return db.Invoice{}, fault.Missing()
	}
	return c.Billing.Invoice(ctx, invoiceID)
}

// fieldErrors are the texts of what is wrong with a form, by field; "" is the form as a whole. nil
// means that nothing is wrong.
type fieldErrors map[string]string

// form is what is wrong with no field of its own.
func (e fieldErrors) form() string { return e[""] }

// summary is the text above a form with errors.
func (e fieldErrors) summary(ctx context.Context) string {
	if text := e.form(); text != "" {
		return text
	}
	return t(ctx, "check")
}

// invalid turns an error that the person at the form can do something about into its texts.
func invalid(ctx context.Context, err error) (fieldErrors, bool) {
	e, ok := fault.As(err)
	if !ok || e.Kind != fault.Invalid && e.Kind != fault.Conflict && e.Kind != fault.RateLimited && e.Kind != fault.Unauthenticated {
		return nil, false
	}
	errs := fieldErrors{}
	for _, f := range e.Fields {
		if _, has := errs[f.Path]; !has {
			errs[f.Path] = locale.Error(component.Lang(ctx), f.Code, f.Args)
		}
	}
	if len(e.Fields) == 0 {
		errs[""] = locale.Error(component.Lang(ctx), e.Code, e.Args)
	}
	return errs, true
}

// amountCode is the code of an amount that could not be read.
func amountCode(err error) string {
	var e *money.Error
	if errors.As(err, &e) {
		return strings.ToUpper(e.Code)
	}
	return "AMOUNT_INVALID"
}

// tab is a tab of a filter over a list.
func tab(label, address string, current bool) component.Tab {
	return component.Tab{Label: label, URL: templ.URL(address), Current: current}
}

// set adds a value to a query unless it is empty.
func set(q url.Values, name, value string) {
	if value != "" {
		q.Set(name, value)
	}
}

func withQuery(address string, q url.Values) string {
	if len(q) == 0 {
		return address
	}
	return address + "?" + q.Encode()
}

func byKey[K comparable, V any](rows []V, key func(V) K) map[K]V {
	found := make(map[K]V, len(rows))
	for _, row := range rows {
		found[key(row)] = row
	}
	return found
}
