package portal

import (
	"context"
	"net/http"
	"slices"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/reminder"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

const sectionReminders = "reminders"

// upcoming is how many of the mails to come the page shows.
const upcoming = 20

// reminderRoutes is the table of the owner's pages about reminders.
func (p *Portal) reminderRoutes() []layout.Route {
	return []layout.Route{
		{Method: "GET", Path: "/clientes/{client}/recordatorios", Who: layout.Logins, Handle: p.Reminders},
		{Method: "POST", Path: "/clientes/{client}/recordatorios", Who: layout.Logins, Handle: p.PauseReminders},
		{Method: "POST", Path: "/clientes/{client}/recordatorios/direccion", Who: layout.Logins, Handle: p.ClearAddress},
		{Method: "GET", Path: "/clientes/{client}/recordatorios/direccion", Who: layout.Logins, Handle: p.Reminders},
		{Method: "POST", Path: "/clientes/{client}/facturas/{invoice}/recordatorios", Who: layout.Logins, Handle: p.PauseInvoice},
		{Method: "GET", Path: "/clientes/{client}/facturas/{invoice}/recordatorios", Who: layout.Logins, Handle: p.Invoice},
		{Method: "POST", Path: "/clientes/{client}/facturas/{invoice}/enlaces", Who: layout.Logins, Handle: p.RevokeLinks},
		{Method: "GET", Path: "/clientes/{client}/facturas/{invoice}/enlaces", Who: layout.Logins, Handle: p.Invoice},
	}
}

// rt is a text about reminders in the language of the page.
func rt(ctx context.Context, key string, args ...any) string {
	return component.T(ctx, "reminder."+key, args...)
}

// pauseForm is the form that pauses reminders of the client or of an invoice, as it was sent.
type pauseForm struct {
	Action string
	Of     string // "client" or "invoice": what its words speak of
	Until  string
	Mode   string
	Reason string
	Paused date.Date // the pause in force
	Today  date.Date
	Errors map[string]string
}

// on reports whether a pause is in force.
func (f pauseForm) on() bool { return f.Paused > f.Today }

func pauseFormOf(action, of string, pause db.Pause, today date.Date) pauseForm {
	return pauseForm{Action: action, Of: of, Until: string(pause.PausedUntil), Mode: pause.PauseMode, Reason: pause.PauseReason, Paused: pause.PausedUntil, Today: today}
}

// sent is the form with what was sent and what is wrong with it; false: the error is not the form's.
func (f pauseForm) sent(r *http.Request, err error) (pauseForm, bool) {
	e, ok := fault.As(err)
	if !ok || e.Kind != fault.Invalid {
		return f, false
	}
	f.Until, f.Mode, f.Reason, f.Errors = r.PostFormValue("until"), r.PostFormValue("mode"), r.PostFormValue("reason"), map[string]string{}
	for _, field := range e.Fields {
		f.Errors[field.Path] = locale.Error(component.Lang(r.Context()), field.Code, field.Args)
	}
	return f, true
}

// readPause reads the form.
func readPause(r *http.Request) (in reminder.PauseInput, err error) {
	if r.PostFormValue("accion") == "reanudar" {
		return in, nil
	}
	in.Reason, in.Mode = r.PostFormValue("reason"), r.PostFormValue("mode")
	var checks fault.Checks
	if r.PostFormValue("until") == "" {
		checks.Add("until", "REQUIRED")
	} else if in.Until, err = date.Parse(r.PostFormValue("until")); err != nil {
		checks.Add("until", "DATE_MALFORMED")
	}
	return in, checks.Err()
}

// comingMail is a step of an invoice that goes out to one or more people at the same time.
type comingMail struct {
	Invoice db.Invoice
	Step    db.ReminderStep
	At      time.Time
	To      []string
}

type remindersView struct {
	Client   db.Client
	Coming   []comingMail
	Invoices int // open ones
	Bounced  []db.BouncedAddress
	Pause    pauseForm
}

// Reminders says which mails go out to whom, and lets the owner pause them and use an address again.
func (p *Portal) Reminders(w http.ResponseWriter, r *http.Request) error {
	client, err := p.client(r)
	if err != nil {
		return err
	}
	return p.showReminders(w, r, http.StatusOK, client, nil)
}

func (p *Portal) showReminders(w http.ResponseWriter, r *http.Request, status int, client db.Client, pause *pauseForm) error {
	ctx := r.Context()
	plans, err := p.Reminder.ClientPlan(ctx, client.ID)
	if err != nil {
		return err
	}
	view := remindersView{Client: client, Coming: comingMails(plans), Invoices: len(plans), Pause: p.clientPause(client)}
	if view.Bounced, err = p.Reminder.BouncedAddresses(ctx, client.ID); err != nil {
		return err
	}
	if pause != nil {
		view.Pause = *pause
	}
	return p.show(w, r, status, client, sectionReminders, rt(ctx, "portal.title"), remindersPage(view))
}

func (p *Portal) clientPause(client db.Client) pauseForm {
	return pauseFormOf(string(at(client.ID, "recordatorios")), "client", client.Pause, p.today(client))
}

// comingMails are the next mails of all plans, in the order of time.
func comingMails(plans []reminder.InvoicePlan) []comingMail {
	list := []comingMail{}
	for _, plan := range plans {
		for _, e := range plan.Entries {
			if e.Status != reminder.WouldSend && e.Status != db.DeliveryPlanned && e.Status != db.DeliveryQueued {
				continue
			}
			same := slices.IndexFunc(list, func(m comingMail) bool {
				return m.Invoice.ID == plan.Invoice.ID && m.Step.Anchor == e.Step.Anchor && m.Step.Days == e.Step.Days && m.At.Equal(e.SendAt)
			})
			if same < 0 {
				list = append(list, comingMail{Invoice: plan.Invoice, Step: e.Step, At: e.SendAt})
				same = len(list) - 1
			}
			list[same].To = append(list[same].To, e.Recipient)
		}
	}
	slices.SortStableFunc(list, func(a, b comingMail) int { return a.At.Compare(b.At) })
	return list[:min(len(list), upcoming)]
}

// PauseReminders pauses or resumes all reminders of the client.
func (p *Portal) PauseReminders(w http.ResponseWriter, r *http.Request) error {
	client, err := p.client(r)
	if err != nil {
		return err
	}
	in, err := readPause(r)
	if err == nil || access.RequireOwner(r.Context(), client.ID) != nil {
		in.ClientID = client.ID
		_, _, err = p.Reminder.SetReminderPause(r.Context(), in)
	}
	if form, ok := p.clientPause(client).sent(r, err); ok {
		return p.showReminders(w, r, http.StatusUnprocessableEntity, client, &form)
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "reminder.flash.pause")
	return layout.Redirect(w, r, string(at(client.ID, "recordatorios")))
}

// PauseInvoice pauses or resumes the reminders of one invoice.
func (p *Portal) PauseInvoice(w http.ResponseWriter, r *http.Request) error {
	client, invoice, err := p.invoice(r)
	if err != nil {
		return err
	}
	in, err := readPause(r)
	if err == nil || access.RequireOwner(r.Context(), client.ID) != nil {
		in.InvoiceID = invoice.ID
		_, _, err = p.Reminder.SetReminderPause(r.Context(), in)
	}
	if form, ok := p.invoicePause(client, invoice).sent(r, err); ok {
		return p.showInvoicePause(w, r, client, invoice, form)
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "reminder.flash.pause")
	return layout.Redirect(w, r, string(at(client.ID, "facturas", invoice.ID.String()))+"#recordatorios")
}

// RevokeLinks makes the personal links to an invoice void that were sent until now.
func (p *Portal) RevokeLinks(w http.ResponseWriter, r *http.Request) error {
	client, invoice, err := p.invoice(r)
	if err != nil {
		return err
	}
	if _, err := p.Billing.RevokePayLinks(r.Context(), invoice.ID); err != nil {
		return err
	}
	layout.Flash(w, r, "reminder.flash.links")
	return layout.Redirect(w, r, string(at(client.ID, "facturas", invoice.ID.String()))+"#recordatorios")
}

// RevokeContactLinks makes the personal links void that a contact was sent until now.
func (p *Portal) RevokeContactLinks(w http.ResponseWriter, r *http.Request) error {
	client, row, err := p.contact(r)
	if err != nil {
		return err
	}
	if err := p.Reminder.RevokeContactLinks(r.Context(), row.ID); err != nil {
		return err
	}
	layout.Flash(w, r, "reminder.flash.links.contact")
	return layout.Redirect(w, r, string(at(client.ID, "contactos", row.ID.String())))
}

func (p *Portal) invoicePause(client db.Client, invoice db.Invoice) pauseForm {
	return pauseFormOf(string(at(client.ID, "facturas", invoice.ID.String(), "recordatorios")), "invoice", invoice.Pause, p.today(client))
}

// showInvoicePause shows the form that has something wrong, on a page of its own with the plan.
func (p *Portal) showInvoicePause(w http.ResponseWriter, r *http.Request, client db.Client, invoice db.Invoice, form pauseForm) error {
	plan, err := p.plan(r.Context(), client, invoice)
	if err != nil {
		return err
	}
	plan.Pause = form
	return p.show(w, r, http.StatusUnprocessableEntity, client, sectionInvoices, t(r.Context(), "invoice.title", "number", invoice.Number), invoicePausePage(*plan))
}

// ClearAddress lets mail go to an address again: of a contact, or of the client itself.
func (p *Portal) ClearAddress(w http.ResponseWriter, r *http.Request) error {
	client, err := p.client(r)
	if err != nil {
		return err
	}
	contactID := id.Contact(0)
	if text := r.PostFormValue("contacto"); text != "" {
		if contactID, err = id.ParseContact(text); err != nil {
			return fault.Missing()
		}
	}
	if err := p.Reminder.ClearBounce(r.Context(), client.ID, contactID); err != nil {
		return err
	}
	layout.Flash(w, r, "reminder.flash.cleared")
	back := "recordatorios"
	if access.RequireOwner(r.Context(), client.ID) != nil {
		back = "contactos"
	}
	return layout.Redirect(w, r, string(at(client.ID, back)))
}

// planView is the reminder plan of an invoice, for the owner.
type planView struct {
	Client  db.Client
	Invoice db.Invoice
	Entries []reminder.PlanEntry
	Pause   pauseForm
}

// plan is nil for whoever may not see it.
func (p *Portal) plan(ctx context.Context, client db.Client, invoice db.Invoice) (*planView, error) {
	if err := access.RequireOwner(ctx, client.ID); err != nil {
		return nil, nil //nolint:nilerr // no plan is the answer to who may not see it
	}
	entries, err := p.Reminder.ReminderPlan(ctx, invoice.ID)
	return &planView{client, invoice, entries, p.invoicePause(client, invoice)}, err
}

// planSteps puts together what becomes of a step for all recipients, in the order in which the steps act.
func planSteps(entries []reminder.PlanEntry) [][]reminder.PlanEntry {
	list := [][]reminder.PlanEntry{}
	for _, e := range entries {
		same := slices.IndexFunc(list, func(step []reminder.PlanEntry) bool { return step[0].Step.ID == e.Step.ID })
		if same < 0 {
			list = append(list, nil)
			same = len(list) - 1
		}
		list[same] = append(list[same], e)
	}
	return list
}

// reasonText says why a reminder is in its state.
func reasonText(ctx context.Context, reason string) string {
	if key := "console.reason." + reason; locale.Has(key) {
		return component.T(ctx, key)
	}
	return reason
}

func pauseModes(ctx context.Context) []component.Option {
	return []component.Option{{Value: db.PauseSkip, Label: rt(ctx, "pause.skip")}, {Value: db.PauseShift, Label: rt(ctx, "pause.shift")}}
}

// mayPause reports whether the reader may change anything: who sees as the client may not.
func mayPause(ctx context.Context) bool { return !access.From(ctx).Viewing }
