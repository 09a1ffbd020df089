package portal

import (
	"context"
	"net/http"

	"github.com/a-h/templ"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/reminder"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// deliveryRow is a reminder with whom it went to and what it was about.
type deliveryRow struct {
	db.Delivery
	Name string // of the contact, or of the client
	Step string
}

type invoiceView struct {
	Client     db.Client
	Today      date.Date
	Invoice    db.Invoice
	Lines      []db.InvoiceLine
	Payments   []db.Payment
	Transfer   billing.Transfer
	Notes      []db.CreditNote
	Owner      bool
	Downloads  []downloadRow
	Deliveries []deliveryRow
	Plan       *planView    // nil: the reader is not the owner, and sees the deliveries alone
	Fees       []db.LateFee // that it will bear if it stays unpaid
	Fiscal     *fiscalView  // nil: no fiscal documents
}

// Invoice shows one invoice with its payments and the reminders that were sent.
func (p *Portal) Invoice(w http.ResponseWriter, r *http.Request) error {
	client, invoice, err := p.invoice(r)
	if err != nil {
		return err
	}
	return p.showInvoice(w, r, http.StatusOK, client, invoice, "")
}

// showInvoice shows the page of an invoice; refused says why its fiscal document cannot be asked for.
func (p *Portal) showInvoice(w http.ResponseWriter, r *http.Request, status int, client db.Client, invoice db.Invoice, refused string) error {
	ctx := r.Context()
	var err error
	// Asked for now, so that it is there when somebody downloads it.
	if invoice, err = p.Billing.PrepareInvoicePDF(ctx, invoice.ID); err != nil {
		return err
	}
	view := invoiceView{Client: client, Today: p.today(client), Invoice: invoice}
	lines, err := p.Billing.Lines(ctx, invoice.ID)
	if err != nil {
		return err
	}
	view.Lines = lines[invoice.ID]
	if view.Payments, err = p.Billing.Payments(ctx, invoice.ID); err != nil {
		return err
	}
	if view.Transfer, err = p.Billing.TransferInstructions(ctx, client.ID); err != nil {
		return err
	}
	if view.Notes, err = p.Billing.CreditNotes(ctx, invoice.ID); err != nil {
		return err
	}
	if view.Owner = access.RequireOwner(ctx, client.ID) == nil; view.Owner {
		if view.Downloads, err = p.downloads(ctx, client, invoice.ID); err != nil {
			return err
		}
	}
	if view.Plan, err = p.plan(ctx, client, invoice); err != nil {
		return err
	}
	if view.Plan == nil {
		if view.Deliveries, err = p.deliveries(ctx, client, invoice.ID); err != nil {
			return err
		}
	}
	fees, err := p.Reminder.ComingLateFees(ctx, invoice.ID)
	if err != nil {
		return err
	}
	view.Fees = fees[invoice.ID]
	if view.Fiscal, err = p.fiscalBlock(ctx, client, invoice); err != nil {
		return err
	}
	if view.Fiscal != nil {
		view.Fiscal.Error = refused
	}
	return p.show(w, r, status, client, sectionInvoices, t(ctx, "invoice.title", "number", invoice.Number), invoicePage(view))
}

// invoice returns the invoice of the path, which must be one of the client's.
func (p *Portal) invoice(r *http.Request) (db.Client, db.Invoice, error) {
	client, err := p.client(r)
	if err != nil {
		return db.Client{}, db.Invoice{}, err
	}
	if err := access.Require(r.Context(), access.Invoices, client.ID); err != nil {
		return db.Client{}, db.Invoice{}, err
	}
	invoiceID, err := id.ParseInvoice(r.PathValue("invoice"))
	if err != nil {
		return db.Client{}, db.Invoice{}, fault.Missing()
	}
	row, err := p.Billing.Invoice(r.Context(), invoiceID)
	if err != nil {
		return db.Client{}, db.Invoice{}, err
	}
	if row.ClientID != client.ID {
		return db.Client{}, db.Invoice{}, fault.Missing()
	}
	return client, row, nil
}

// shownDeliveries are the states of reminders that concern a client; those that were never to be sent
// do not.
var shownDeliveries = []string{db.DeliveryPlanned, db.DeliveryQueued, db.DeliverySending, db.DeliverySent, db.DeliveryFailed, db.DeliveryBounced}

func (p *Portal) deliveries(ctx context.Context, client db.Client, invoice id.Invoice) ([]deliveryRow, error) {
	list, err := p.Reminder.Deliveries(ctx, reminder.DeliveryQuery{Client: client.ID, Invoice: invoice, Statuses: shownDeliveries}, db.Page{First: db.MaxPage})
	if err != nil {
		return nil, err
	}
	contacts, steps := []id.Contact{}, []id.Step{}
	for _, row := range list.Rows {
		steps = append(steps, row.StepID)
		if row.ContactID != 0 {
			contacts = append(contacts, row.ContactID)
		}
	}
	people, err := p.Account.ContactsByID(ctx, contacts)
	if err != nil {
		return nil, err
	}
	names := map[id.Contact]string{}
	for _, person := range people {
		names[person.ID] = person.Name()
	}
	found, err := p.Reminder.StepsByID(ctx, steps)
	if err != nil {
		return nil, err
	}
	labels := map[id.Step]string{}
	for _, step := range found {
		labels[step.ID] = stepLabel(ctx, step)
	}
	rows := make([]deliveryRow, 0, len(list.Rows))
	for _, row := range list.Rows {
		name := client.Name
		if row.ContactID != 0 {
			name = names[row.ContactID]
		}
		rows = append(rows, deliveryRow{Delivery: row, Name: name, Step: labels[row.StepID]})
	}
	return rows, nil
}

// stepLabel says when a step is sent: "7 días antes del vencimiento".
func stepLabel(ctx context.Context, step db.ReminderStep) string {
	side := "after"
	if step.Days < 0 {
		side = "before"
	}
	switch days := max(step.Days, -step.Days); days {
	case 0:
		return t(ctx, "step."+step.Anchor)
	case 1:
		return t(ctx, "step."+step.Anchor+"."+side+".one")
	default:
		return t(ctx, "step."+step.Anchor+"."+side, "n", days)
	}
}

// PDFState is the download button of an invoice, or that its PDF is still being made: htmx asks
// again until it is there.
func (p *Portal) PDFState(w http.ResponseWriter, r *http.Request) error {
	client, invoice, err := p.invoice(r)
	if err != nil {
		return err
	}
	if invoice, err = p.Billing.PrepareInvoicePDF(r.Context(), invoice.ID); err != nil {
		return err
	}
	if !layout.Partial(r) {
		return layout.Redirect(w, r, string(at(client.ID, "facturas", invoice.ID.String())))
	}
	return layout.WriteFragment(w, r, http.StatusOK, pdfButton(client, invoice))
}

// pdfPath is where the PDF is downloaded.
func pdfPath(invoice id.Invoice) templ.SafeURL {
	return templ.SafeURL("/descargas/facturas/" + invoice.String() + ".pdf")
}
