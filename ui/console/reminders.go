package console

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/reminder"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

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
	return withQuery("/consola/recordatorios", q)
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
	rows, err := c.readable(ctx, []db.Delivery{row})
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, t(ctx, "delivery.title", "number", rows[0].Invoice.Number), deliveryPage(rows[0]))
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
	result, err := c.Reminder.SendReminders(ctx, in)
	if err != nil {
		return err
	}
	q := url.Values{"planeados": {strconv.FormatInt(result.Planned, 10)}, "omitidos": {strconv.FormatInt(result.Skipped, 10)}}
	return layout.Redirect(w, r, withQuery(back, q))
}

// runResult is what a run added, read back from the address that sendReminders led to.
func runResult(r *http.Request) *db.PlanResult {
	planned, err1 := strconv.ParseInt(r.URL.Query().Get("planeados"), 10, 64)
	skipped, err2 := strconv.ParseInt(r.URL.Query().Get("omitidos"), 10, 64)
	if err1 != nil || err2 != nil || planned < 0 || skipped < 0 {
		return nil
	}
	return &db.PlanResult{Planned: planned, Skipped: skipped}
}

// pauseForm is the form that pauses reminders, as it was sent.
type pauseForm struct {
	Action string
	Until  string
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
	in.Reason = r.PostFormValue("reason")
	var checks fault.Checks
	if r.PostFormValue("until") == "" {
		checks.Add("until", "REQUIRED")
	} else if in.Until, err = date.Parse(r.PostFormValue("until")); err != nil {
		checks.Add("until", "DATE_MALFORMED")
	}
	return in, checks.Err()
}
