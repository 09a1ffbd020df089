package console

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/reminder"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

type clientsView struct {
	Search string
	Status string // db.ClientActive or db.ClientClosed
	Rows   []db.Client
	Next   string
}

func (c *Console) clients(w http.ResponseWriter, r *http.Request) error {
	ctx, q := r.Context(), r.URL.Query()
	view := clientsView{Search: strings.TrimSpace(q.Get("buscar")), Status: db.ClientActive}
	if q.Get("estado") == db.ClientClosed {
		view.Status = db.ClientClosed
	}
	list, err := c.Account.Clients(ctx, account.ClientQuery{Search: view.Search, Status: view.Status}, db.Page{First: pageSize, After: q.Get("despues")})
	if err != nil {
		return err
	}
	view.Rows = list.Rows
	if next := list.Next(); next != "" {
		query := view.query(view.Status)
		query.Set("despues", next)
		view.Next = withQuery("/consola/clientes", query)
	}
	return c.show(w, r, http.StatusOK, t(ctx, "clients.title"), clientsPage(view))
}

// at is the address of the list of clients in a state.
func (v clientsView) at(status string) string {
	return withQuery("/consola/clientes", v.query(status))
}

func (v clientsView) query(status string) url.Values {
	query := url.Values{}
	set(query, "buscar", v.Search)
	if status == db.ClientClosed {
		query.Set("estado", status)
	}
	return query
}

type clientView struct {
	Fiscal   *clientFiscal
	Client   db.Client
	Today    date.Date
	Owner    account.Access
	Contacts []contactRow
	More     bool // there are more contacts than the page shows
	Invoices []db.Invoice
	Totals   []db.InvoiceTotals
	Credits  []db.Credit
	Ledger   []deliveryRow
	Rules    ruledBy
	Pause    pauseForm
	Close    clientCloseForm
	Handover *handoverView // an open offer of the ownership
	Run      *db.Run
}

// contactRow is a contact with its access, if it has any.
type contactRow struct {
	db.Contact
	Access     *account.Access
	Unverified bool // the address must be confirmed before it is reminded
}

func (c *Console) clientPage(w http.ResponseWriter, r *http.Request) error {
	row, err := c.client(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	return c.showClient(w, r, http.StatusOK, row, clientForms{})
}

// clientForms are the forms of a client's page that were sent with errors.
type clientForms struct {
	pause *pauseForm
	close *clientCloseForm
}

func (c *Console) showClient(w http.ResponseWriter, r *http.Request, status int, row db.Client, forms clientForms) error {
	ctx := r.Context()
	view := clientView{Client: row, Today: date.Today(c.Now(), row.Timezone), Run: runResult(r)}
	contacts, err := c.Account.Contacts(ctx, row.ID, db.Page{First: db.MaxPage})
	if err != nil {
		return err
	}
	view.More = contacts.HasNext
	owners, err := c.Account.Owners(ctx, []id.Client{row.ID})
	if err != nil {
		return err
	}
	view.Owner = owners[row.ID]
	subAccounts, err := c.Account.AccessByContact(ctx, contactIDs(contacts.Rows))
	if err != nil {
		return err
	}
	unverified, err := c.Account.UnverifiedContacts(ctx, contactIDs(contacts.Rows))
	if err != nil {
		return err
	}
	for _, contact := range contacts.Rows {
		entry := contactRow{Contact: contact, Unverified: unverified[contact.ID]}
		if a, ok := subAccounts[contact.ID]; ok {
			entry.Access = &a
		}
		view.Contacts = append(view.Contacts, entry)
	}
	invoices, err := c.Billing.Invoices(ctx, billing.InvoiceQuery{Client: row.ID}, db.Page{First: 10})
	if err != nil {
		return err
	}
	view.Invoices = invoices.Rows
	if view.Totals, err = c.Billing.OpenTotals(ctx, row.ID); err != nil {
		return err
	}
	if view.Credits, err = c.Billing.Credits(ctx, row.ID); err != nil {
		return err
	}
	ledger, err := c.Reminder.Deliveries(ctx, reminder.DeliveryQuery{Client: row.ID}, db.Page{First: 10})
	if err != nil {
		return err
	}
	if view.Ledger, err = c.readable(ctx, ledger.Rows); err != nil {
		return err
	}
	if view.Fiscal, err = c.clientFiscal(ctx, row.ID); err != nil {
		return err
	}
	if view.Handover, err = c.handover(ctx, row.ID); err != nil {
		return err
	}
	if view.Rules, err = c.ruledBy(r, row); err != nil {
		return err
	}
	view.Pause = pauseForm{Until: string(row.PausedUntil), Mode: row.PauseMode, Reason: row.PauseReason}
	if forms.pause != nil {
		view.Pause = *forms.pause
	}
	if forms.close != nil {
		view.Close = *forms.close
	}
	view.Pause.Action, view.Pause.Paused, view.Pause.Today = clientPath(row.ID)+"/pausa", row.PausedUntil, view.Today
	return c.show(w, r, status, row.Name, clientPageView(view))
}

func (c *Console) pauseClient(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	row, err := c.client(ctx, r.PathValue("id"))
	if err != nil {
		return err
	}
	in, err := readPause(r)
	if err == nil {
		in.ClientID = row.ID
		_, _, err = c.Reminder.SetReminderPause(ctx, in)
	}
	if errs, ok := invalid(ctx, err); ok {
		return c.showClient(w, r, http.StatusUnprocessableEntity, row, clientForms{pause: &pauseForm{Until: r.PostFormValue("until"), Mode: r.PostFormValue("mode"), Reason: r.PostFormValue("reason"), Errors: errs}})
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "console.flash.pause")
	return layout.Redirect(w, r, clientPath(row.ID))
}

// contactForm is the form of a contact: details and email preferences, and beside it the contact's access.
type contactForm struct {
	Contact db.Contact
	Client  db.Client
	Details account.ContactDetails
	Topics  []mail.Topic
	Access  accessForm
	Errors  fieldErrors

	Unverified bool // the address must be confirmed before it is reminded
}

func (c *Console) contactPage(w http.ResponseWriter, r *http.Request) error {
	form, err := c.contactForm(r)
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, form.Contact.Name(), contactPage(form))
}

func (c *Console) contactForm(r *http.Request) (contactForm, error) {
	contactID, err := id.ParseContact(r.PathValue("id"))
	if err != nil {
		return contactForm{}, fault.Missing()
	}
	row, err := c.Account.Contact(r.Context(), contactID)
	if err != nil {
		return contactForm{}, err
	}
	client, err := c.Account.Client(r.Context(), row.ClientID)
	if err != nil {
		return contactForm{}, err
	}
	form, err := c.accessOf(r.Context(), row)
	if err != nil {
		return contactForm{}, err
	}
	unverified, err := c.Account.UnverifiedContacts(r.Context(), []id.Contact{row.ID})
	return contactForm{Unverified: unverified[row.ID], Contact: row, Client: client, Details: account.DetailsOf(row), Topics: row.Topics, Access: form}, err
}

func (c *Console) saveContact(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	form, err := c.contactForm(r)
	if err != nil {
		return err
	}
	form.decode(r.PostForm)
	_, err = c.Account.UpdateContact(ctx, account.UpdateContactInput{ContactID: form.Contact.ID, Details: &form.Details, Topics: &form.Topics})
	if errs, ok := invalid(ctx, err); ok {
		form.Errors = errs
		return c.show(w, r, http.StatusUnprocessableEntity, form.Contact.Name(), contactPage(form))
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "console.flash.saved")
	return layout.Redirect(w, r, clientPath(form.Client.ID))
}

// decode reads what was typed.
func (f *contactForm) decode(values url.Values) {
	for name, to := range detailFields(&f.Details) {
		*to = values.Get(name)
	}
	f.Topics = nil
	for _, topic := range values["topics"] {
		f.Topics = append(f.Topics, mail.Topic(topic))
	}
}

// action is where the form posts.
func (f *contactForm) action() string {
	if f.Contact.ID == 0 {
		return clientPath(f.Client.ID) + "/contactos/nuevo"
	}
	return contactPath(f.Contact.ID)
}

// detailFields maps the names of the form's fields to where they are kept.
func detailFields(d *account.ContactDetails) map[string]*string {
	return map[string]*string{
		"firstname": &d.Firstname, "lastname": &d.Lastname, "companyname": &d.Companyname, "email": &d.Email,
		"phonenumber": &d.Phonenumber, "taxId": &d.TaxID, "address1": &d.Address1, "address2": &d.Address2, "city": &d.City,
		"state": &d.State, "postcode": &d.Postcode, "country": &d.Country, "language": &d.Language, "timezone": &d.Timezone,
	}
}

func contactIDs(rows []db.Contact) []id.Contact {
	ids := make([]id.Contact, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
	}
	return ids
}
