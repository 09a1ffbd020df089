package portal

import (
	"net/http"
	"slices"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// shownOnHome is how many contacts and invoices the home page lists, documentsOnHome how many fiscal documents.
const (
	shownOnHome     = 5
	documentsOnHome = 3
)

type homeView struct {
	Client       db.Client
	Today        date.Date
	SeesContacts bool
	SeesInvoices bool
	EditsProfile bool
	Contacts     []contactRow
	MoreContacts bool
	Totals       []db.InvoiceTotals
	Next         []db.Invoice // still owed, the first to fall due first
	Documents    []db.CFDI    // the newest of the fiscal folder
}

// Home is the client's start page: what is owed, and "Su Información" with the contacts.
func (p *Portal) Home(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	// The addresses in mails name no client.
	if section := r.PathValue("client"); slices.Contains([]string{"contactos", "facturas", "servicios", "pagar", "estado-de-cuenta", "pagos"}, section) {
		grants := access.From(ctx).Grants
		if len(grants) == 0 {
			return fault.Missing()
		}
		return layout.Redirect(w, r, string(at(grants[0].Client, section)))
	}
	client, err := p.client(r)
	if err != nil {
		return err
	}
	view := homeView{Client: client, Today: p.today(client),
		SeesContacts: access.Can(ctx, access.Contacts, client.ID), SeesInvoices: access.Can(ctx, access.Invoices, client.ID),
		EditsProfile: access.Can(ctx, access.Profile, client.ID)}
	if view.SeesContacts {
		contacts, next, err := p.contactRows(ctx, client.ID, "", db.Page{First: shownOnHome})
		if err != nil {
			return err
		}
		view.Contacts, view.MoreContacts = contacts, next != ""
	}
	if view.SeesInvoices {
		if err := p.owed(r, client.ID, &view); err != nil {
			return err
		}
	}
	return p.show(w, r, http.StatusOK, client, sectionHome, t(ctx, "home.title"), homePage(view))
}

func (p *Portal) owed(r *http.Request, client id.Client, view *homeView) error {
	var err error
	if view.Totals, err = p.Billing.OpenTotals(r.Context(), client); err != nil {
		return err
	}
	query := openInvoices(client)
	query.Order = db.InvoiceOrder{By: "due_date", Ascending: true}
	list, err := p.Billing.Invoices(r.Context(), query, db.Page{First: shownOnHome})
	if err != nil {
		return err
	}
	view.Next = list.Rows
	if p.Fiscal == nil {
		return nil
	}
	documents, err := p.Fiscal.Folder(r.Context(), fiscal.FolderFilter{Client: client}, db.Page{First: documentsOnHome})
	view.Documents = documents.Rows
	return err
}
