package console

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/reminder"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// The pages about reminders.
const (
	remindersPath  = "/consola/recordatorios"
	ledgerPath     = remindersPath + "/envios"
	failedPath     = remindersPath + "/fallidos"
	addressesPath  = remindersPath + "/direcciones"
	policiesPath   = remindersPath + "/politicas"
	policyFormPath = policiesPath + "/editar"
	templatesPath  = remindersPath + "/plantillas"
	lateFeesPath   = remindersPath + "/recargos"
	holidaysPath   = remindersPath + "/dias"
	groupsPath     = remindersPath + "/grupos"

	templateFormPath = templatesPath + "/editar"
)

// reminderRoutes is the table of the pages about reminders.
func (c *Console) reminderRoutes() []layout.Route {
	get := func(path string, handle layout.Handler) layout.Route {
		return layout.Route{Method: "GET", Path: path, Who: layout.Staff, Handle: handle}
	}
	post := func(path string, handle layout.Handler) layout.Route {
		return layout.Route{Method: "POST", Path: path, Who: layout.Staff, Handle: handle}
	}
	return []layout.Route{
		get(remindersPath, c.reminderDashboard),
		get(ledgerPath, c.ledger),
		get(remindersPath+"/{id}", c.delivery),
		get(remindersPath+"/{id}/correo", c.deliveryMail),
		post(remindersPath+"/{id}/reintentar", c.replayDelivery), get(remindersPath+"/{id}/reintentar", toParent),
		post(remindersPath+"/{id}/cancelar", c.cancelDelivery), get(remindersPath+"/{id}/cancelar", toParent),
		post(remindersPath+"/{id}/enviarme", c.sendDeliveryToMe), get(remindersPath+"/{id}/enviarme", toParent),
		post(remindersPath+"/enviar", c.sendReminders),
		get(failedPath, c.failed),
		post(failedPath+"/reintentar", c.replayFailed), get(failedPath+"/reintentar", toParent),
		get(addressesPath, c.addresses),
		post(addressesPath, c.clearAddress),
		post(addressesPath+"/confirmar", c.verifyAddresses), get(addressesPath+"/confirmar", toParent),
		get(policiesPath, c.policies),
		get(policyFormPath, c.policyPage),
		post(policyFormPath, c.savePolicy),
		post(policiesPath+"/vista", c.policyPreview), get(policiesPath+"/vista", toParent),
		post(policiesPath+"/quitar", c.removePolicy), get(policiesPath+"/quitar", toParent),
		get(templatesPath, c.templates),
		get(templateFormPath, c.templatePage),
		post(templateFormPath, c.saveTemplate),
		post(templatesPath+"/vista", c.templatePreview), get(templatesPath+"/vista", c.templatePage),
		post(templatesPath+"/carta", c.templateMail), get(templatesPath+"/carta", c.templatePage),
		post(templatesPath+"/prueba", c.testTemplate), get(templatesPath+"/prueba", c.templatePage),
		post(templatesPath+"/original", c.resetTemplate), get(templatesPath+"/original", c.templatePage),
		post(templatesPath+"/restaurar", c.restoreTemplate), get(templatesPath+"/restaurar", c.templatePage),
		get(lateFeesPath, c.lateFees),
		post(lateFeesPath, c.saveLateFee),
		post(lateFeesPath+"/quitar", c.removeLateFee), get(lateFeesPath+"/quitar", toParent),
		post("/consola/clientes/{id}/recargos", c.setLateFeeExempt), get("/consola/clientes/{id}/recargos", toParent),
		get(holidaysPath, c.holidays),
		post(holidaysPath, c.addHoliday),
		post(holidaysPath+"/quitar", c.removeHoliday), get(holidaysPath+"/quitar", toParent),
		get(groupsPath, c.groups),
		post(groupsPath, c.addGroup),
		post("/consola/clientes/{id}/grupo", c.setClientGroup), get("/consola/clientes/{id}/grupo", toParent),
	}
}

// rt is a text of the pages about reminders in the language of the page.
func rt(ctx context.Context, key string, args ...any) string {
	return component.T(ctx, "reminder."+key, args...)
}

// count is the text for n things; the key has a variant ".one".
func count(ctx context.Context, key string, n int) string {
	return rt(ctx, oneOr(key, int64(n)), "n", n)
}

// mayRemind reports whether the reader may change anything about reminders.
func mayRemind(ctx context.Context) bool {
	return access.RequireCapability(ctx, access.ManageReminders) == nil
}

// mayVerify reports whether the reader may decide if addresses must be confirmed.
func mayVerify(ctx context.Context) bool {
	return access.RequireCapability(ctx, access.ManageClients) == nil
}

// pauseModes are what may become of the steps that fall on the days of a pause.
func pauseModes(ctx context.Context) []component.Option {
	return []component.Option{{Value: db.PauseSkip, Label: rt(ctx, "pause.skip")}, {Value: db.PauseShift, Label: rt(ctx, "pause.shift")}}
}

// reminderTabs lead to the pages about reminders.
func reminderTabs(ctx context.Context, current string) []component.Tab {
	tabs := []component.Tab{}
	for _, page := range []struct{ key, path string }{{"panel", remindersPath}, {"ledger", ledgerPath}, {"failed", failedPath}, {"addresses", addressesPath},
		{"policies", policiesPath}, {"templates", templatesPath}, {"fees", lateFeesPath}, {"holidays", holidaysPath}, {"groups", groupsPath}} {
		tabs = append(tabs, tab(rt(ctx, "nav."+page.key), page.path, page.path == current))
	}
	return tabs
}

// formID reads an id of a form; what is none is an error of its field.
func formID[K any](r *http.Request, name string, parse func(string) (K, error)) (K, error) {
	key, err := parse(r.PostFormValue(name))
	if err != nil {
		var checks fault.Checks
		checks.Add(name, "VALUE_INVALID")
		return key, checks.Err()
	}
	return key, nil
}

// deliveryRow is a delivery with what makes it readable.
type deliveryRow struct {
	db.Delivery
	Invoice   db.Invoice
	Client    db.Client
	Recipient string // the person, or the client when the mail goes to the client's own address
	Step      db.ReminderStep
}

// ledgerFilters are the groups of states that the ledger can be filtered by, in the order of the page.
var ledgerFilters = []struct {
	Key      string // as in the address of the page
	Statuses []string
}{
	{"", nil},
	{"en-espera", []string{db.DeliveryPlanned, db.DeliveryQueued, db.DeliverySending}},
	{"enviados", []string{db.DeliverySent}},
	{"fallidos", []string{db.DeliveryFailed, db.DeliveryBounced}},
	{"omitidos", []string{db.DeliverySkipped, db.DeliveryCancelled}},
}

type ledgerView struct {
	Filter  string
	Client  *db.Client
	Invoice *db.Invoice
	Rows    []deliveryRow
	Next    string // address of the next page, "" at the end
}

func (v ledgerView) tabs(ctx context.Context) []component.Tab {
	var tabs []component.Tab
	for _, f := range ledgerFilters {
		tabs = append(tabs, tab(t(ctx, "reminders.filter."+f.Key), v.at(f.Key, ""), f.Key == v.Filter))
	}
	return tabs
}

func (v ledgerView) at(filter, after string) string {
	q := url.Values{}
	set(q, "estado", filter)
	if v.Client != nil {
		q.Set("cliente", v.Client.ID.String())
	}
	if v.Invoice != nil {
		q.Set("factura", v.Invoice.ID.String())
	}
	set(q, "despues", after)
	return withQuery(ledgerPath, q)
}

func (c *Console) ledger(w http.ResponseWriter, r *http.Request) error {
	ctx, q := r.Context(), r.URL.Query()
	view := ledgerView{}
	query := reminder.DeliveryQuery{}
	for _, f := range ledgerFilters {
		if f.Key == q.Get("estado") {
			view.Filter, query.Statuses = f.Key, f.Statuses
		}
	}
	if text := q.Get("cliente"); text != "" {
		client, err := c.client(ctx, text)
		if err != nil {
			return err
		}
		view.Client, query.Client = &client, client.ID
	}
	if text := q.Get("factura"); text != "" {
		invoice, err := c.invoice(ctx, text)
		if err != nil {
			return err
		}
		view.Invoice, query.Invoice = &invoice, invoice.ID
	}
	list, err := c.Reminder.Deliveries(ctx, query, db.Page{First: pageSize, After: q.Get("despues")})
	if err != nil {
		return err
	}
	if view.Rows, err = c.readable(ctx, list.Rows); err != nil {
		return err
	}
	if next := list.Next(); next != "" {
		view.Next = view.at(view.Filter, next)
	}
	return c.show(w, r, http.StatusOK, t(ctx, "reminders.title"), ledgerPage(view))
}

func (c *Console) delivery(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	deliveryID, err := id.ParseDelivery(r.PathValue("id"))
	if err != nil {
		return fault.Missing()
	}
	row, err := c.Reminder.Delivery(ctx, deliveryID)
	if err != nil {
		return err
	}
	return c.showDelivery(w, r, http.StatusOK, row, "")
}

// showDelivery shows one row of the ledger; refused says why what was asked for it was not done.
func (c *Console) showDelivery(w http.ResponseWriter, r *http.Request, status int, row db.Delivery, refused string) error {
	rows, err := c.readable(r.Context(), []db.Delivery{row})
	if err != nil {
		return err
	}
	return c.show(w, r, status, t(r.Context(), "delivery.title", "number", rows[0].Invoice.Number), deliveryPage(rows[0], refused))
}

// readable adds invoice, client, recipient and step to deliveries, one query for each.
func (c *Console) readable(ctx context.Context, deliveries []db.Delivery) ([]deliveryRow, error) {
	var invoiceIDs []id.Invoice
	var clientIDs []id.Client
	var contactIDs []id.Contact
	var stepIDs []id.Step
	for _, d := range deliveries {
		invoiceIDs, clientIDs = append(invoiceIDs, d.InvoiceID), append(clientIDs, d.ClientID)
		contactIDs, stepIDs = append(contactIDs, d.ContactID), append(stepIDs, d.StepID)
	}
	invoices, err := c.Billing.InvoicesByID(ctx, invoiceIDs)
	if err != nil {
		return nil, err
	}
	clients, err := c.Account.ClientsByID(ctx, clientIDs)
	if err != nil {
		return nil, err
	}
	contacts, err := c.Account.ContactsByID(ctx, contactIDs)
	if err != nil {
		return nil, err
	}
	steps, err := c.Reminder.StepsByID(ctx, stepIDs)
	if err != nil {
		return nil, err
	}
	invoiceBy := byKey(invoices, func(v db.Invoice) id.Invoice { return v.ID })
	clientBy := byKey(clients, func(v db.Client) id.Client { return v.ID })
	contactBy := byKey(contacts, func(v db.Contact) id.Contact { return v.ID })
	stepBy := byKey(steps, func(v db.ReminderStep) id.Step { return v.ID })
	rows := make([]deliveryRow, 0, len(deliveries))
	for _, d := range deliveries {
		row := deliveryRow{Delivery: d, Invoice: invoiceBy[d.InvoiceID], Client: clientBy[d.ClientID], Step: stepBy[d.StepID]}
		row.Recipient = row.Client.Name
		if contact, ok := contactBy[d.ContactID]; ok {
			row.Recipient = contact.Name()
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// sendReminders runs the planner now, for everybody, one client or one invoice, and returns to the
// page it was asked from with what the run added.
func (c *Console) sendReminders(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	in, back := reminder.RunInput{Immediate: true}, "/consola"
	if text := r.PostFormValue("cliente"); text != "" {
		client, err := c.client(ctx, text)
		if err != nil {
			return err
		}
		in.ClientID, back = client.ID, clientPath(client.ID)
	}
	if text := r.PostFormValue("factura"); text != "" {
		invoice, err := c.invoice(ctx, text)
		if err != nil {
			return err
		}
		in.InvoiceID, back = invoice.ID, invoicePath(invoice.ID)
	}
	result, err := c.Reminder.StartRun(ctx, in)
	if err != nil {
		return err
	}
	if result.FinishedAt == nil {
		return layout.Redirect(w, r, withQuery(back, url.Values{"corrida": {result.ID.String()}}))
	}
	q := url.Values{"planeados": {strconv.FormatInt(result.Planned, 10)}, "omitidos": {strconv.FormatInt(result.Skipped, 10)}}
	return layout.Redirect(w, r, withQuery(back, q))
}

// runResult is what a run added, read back from the address that sendReminders led to.
func runResult(r *http.Request) *db.Run {
	planned, err1 := strconv.ParseInt(r.URL.Query().Get("planeados"), 10, 64)
	skipped, err2 := strconv.ParseInt(r.URL.Query().Get("omitidos"), 10, 64)
	if err1 != nil || err2 != nil || planned < 0 || skipped < 0 {
		return nil
	}
	return &db.Run{Planned: planned, Skipped: skipped, FinishedAt: &time.Time{}}
}

// pauseForm is the form that pauses reminders, as it was sent.
type pauseForm struct {
	Action string
	Until  string
	Mode   string // db.PauseSkip or db.PauseShift
	Reason string
	Paused date.Date // the pause in force
	Today  date.Date
	Errors fieldErrors
}

// readPause reads the form. A date that is none is an error of its field.
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
