package portal

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/a-h/templ"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// contactRow is a contact with its access, if it has any.
type contactRow struct {
	db.Contact
	Access     *account.Access
	Unverified bool // the address must be confirmed before it is reminded
	Self       bool // the reader's own
}

// State is the state of the contact's access, "" for none.
func (c contactRow) State() string {
	if c.Access == nil {
		return ""
	}
	return c.Access.State()
}

func (p *Portal) contactRows(ctx context.Context, client id.Client, state string, page db.Page) (rows []contactRow, next string, err error) {
	list, err := p.Account.ContactsInState(ctx, client, state, page)
	if err != nil {
		return nil, "", err
	}
	rows, err = p.withAccess(ctx, list.Rows...)
	return rows, list.Next(), err
}

func (p *Portal) withAccess(ctx context.Context, contacts ...db.Contact) ([]contactRow, error) {
	ids := make([]id.Contact, 0, len(contacts))
	for _, contact := range contacts {
		ids = append(ids, contact.ID)
	}
	found, err := p.Account.AccessByContact(ctx, ids)
	if err != nil {
		return nil, err
	}
	unverified, err := p.Account.UnverifiedContacts(ctx, ids)
	if err != nil {
		return nil, err
	}
	rows := make([]contactRow, 0, len(contacts))
	for _, contact := range contacts {
		row := contactRow{Contact: contact, Unverified: unverified[contact.ID]}
		if has, ok := found[contact.ID]; ok {
			row.Access, row.Self = &has, has.LoginID == access.From(ctx).Login
		}
		rows = append(rows, row)
	}
	return rows, nil
}

type contactsView struct {
	Client db.Client
	Rows   []contactRow
	State  string // of access; "" for all
	First  bool   // the first page of the list
	Next   templ.SafeURL
}

// Contacts lists the client's contacts: who they are, what they may open and what mail they get.
func (p *Portal) Contacts(w http.ResponseWriter, r *http.Request) error {
	client, err := p.client(r)
	if err != nil {
		return err
	}
	after := r.URL.Query().Get("despues")
	state := r.URL.Query().Get("estado")
	if !slices.Contains(contactStates, state) {
		state = ""
	}
	rows, next, err := p.contactRows(r.Context(), client.ID, state, db.Page{First: 50, After: after})
	if err != nil {
		return err
	}
	view := contactsView{Client: client, Rows: rows, State: state, First: after == "" && state == ""}
	if next != "" {
		view.Next = at(client.ID, "contactos") + templ.SafeURL("?"+url.Values{"estado": {state}, "despues": {next}}.Encode())
	}
	return p.show(w, r, http.StatusOK, client, sectionContacts, t(r.Context(), "contacts.title"), contactsPage(view))
}

// contactStates are the tabs of the list.
var contactStates = []string{"", db.SubAccountInvited, db.SubAccountActive, db.SubAccountSuspended, "expired", "none"}

func (v contactsView) tabs(ctx context.Context) []component.Tab {
	tabs := make([]component.Tab, 0, len(contactStates))
	for _, state := range contactStates {
		tab := component.Tab{Label: t(ctx, "contacts.all"), URL: at(v.Client.ID, "contactos"), Current: state == v.State}
		if state != "" {
			tab.Label, tab.URL = component.T(ctx, "common.access.all."+state), tab.URL+templ.SafeURL("?estado="+state)
		}
		tabs = append(tabs, tab)
	}
	return tabs
}

// contact returns the contact of the path, which must be one of the client's.
func (p *Portal) contact(r *http.Request) (db.Client, contactRow, error) {
	client, err := p.client(r)
	if err != nil {
		return db.Client{}, contactRow{}, err
	}
	contactID, err := id.ParseContact(r.PathValue("contact"))
	if err != nil {
		return db.Client{}, contactRow{}, fault.Missing()
	}
	row, err := p.Account.Contact(r.Context(), contactID)
	if err != nil {
		return db.Client{}, contactRow{}, err
	}
	if row.ClientID != client.ID {
		return db.Client{}, contactRow{}, fault.Missing()
	}
	rows, err := p.withAccess(r.Context(), row)
	if err != nil {
		return db.Client{}, contactRow{}, err
	}
	return client, rows[0], nil
}

// NewContact shows the empty form.
func (p *Portal) NewContact(w http.ResponseWriter, r *http.Request) error {
	client, err := p.client(r)
	if err != nil {
		return err
	}
	if err := access.Require(r.Context(), access.Contacts, client.ID); err != nil {
		return err
	}
	return p.showForm(w, r, http.StatusOK, newContactForm(client))
}

// AddContact adds the contact of the form: details, access and preferences at once.
func (p *Portal) AddContact(w http.ResponseWriter, r *http.Request) error {
	client, err := p.client(r)
	if err != nil {
		return err
	}
	form := newContactForm(client)
	form.decode(r.PostForm)
	if form.preset(r.PostFormValue("preset")) {
		if err := access.Require(r.Context(), access.Contacts, client.ID); err != nil {
			return err
		}
		return p.showForm(w, r, http.StatusOK, form)
	}
	sub, topics, err := form.input(r.PostForm)
	if err == nil {
		_, err = p.Account.AddContact(r.Context(), account.AddContactInput{ClientID: client.ID, Details: form.Details, SubAccount: sub, Topics: topics})
	}
	if form.explain(r.Context(), err) {
		return p.showForm(w, r, http.StatusUnprocessableEntity, form)
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "portal.flash.contact_added")
	return layout.Redirect(w, r, string(at(client.ID, "contactos")))
}

// EditContact shows the form with a contact.
func (p *Portal) EditContact(w http.ResponseWriter, r *http.Request) error {
	client, row, err := p.contact(r)
	if err != nil {
		return err
	}
	return p.showForm(w, r, http.StatusOK, editContactForm(client, row))
}

// UpdateContact saves the form of a contact.
func (p *Portal) UpdateContact(w http.ResponseWriter, r *http.Request) error {
	client, row, err := p.contact(r)
	if err != nil {
		return err
	}
	form := editContactForm(client, row)
	form.decode(r.PostForm)
	if form.preset(r.PostFormValue("preset")) {
		return p.showForm(w, r, http.StatusOK, form)
	}
	sub, topics, err := form.input(r.PostForm)
	if err == nil {
		_, err = p.Account.UpdateContact(r.Context(), account.UpdateContactInput{ContactID: row.ID, Details: &form.Details, SubAccount: sub, Topics: &topics})
	}
	if form.explain(r.Context(), err) {
		return p.showForm(w, r, http.StatusUnprocessableEntity, form)
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "portal.flash.contact_saved")
	return layout.Redirect(w, r, string(at(client.ID, "contactos")))
}

func (p *Portal) showForm(w http.ResponseWriter, r *http.Request, status int, form contactForm) error {
	ctx := r.Context()
	form.Today = p.today(form.Client)
	title := t(ctx, "contact.new.title")
	if form.Row.ID != 0 {
		title = form.Row.Name()
	}
	return p.show(w, r, status, form.Client, sectionContacts, title, contactFormPage(form, title))
}

// ConfirmDelete asks before a contact is deleted, where no dialog can.
func (p *Portal) ConfirmDelete(w http.ResponseWriter, r *http.Request) error {
	client, row, err := p.contact(r)
	if err != nil {
		return err
	}
	return p.showDelete(w, r, http.StatusOK, client, row, "")
}

func (p *Portal) showDelete(w http.ResponseWriter, r *http.Request, status int, client db.Client, row contactRow, problem string) error {
	return p.show(w, r, status, client, sectionContacts, t(r.Context(), "delete.title", "name", row.Name()), deletePage(client, row, problem))
}

// DeleteContact deletes a contact.
func (p *Portal) DeleteContact(w http.ResponseWriter, r *http.Request) error {
	client, row, err := p.contact(r)
	if err != nil {
		return err
	}
	err = p.Account.DeleteContact(r.Context(), row.ID)
	if problem, ok := refusal(r.Context(), err); ok {
		return p.showDelete(w, r, http.StatusUnprocessableEntity, client, row, problem)
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "portal.flash.contact_deleted")
	return layout.Redirect(w, r, string(at(client.ID, "contactos")))
}

// permissionLabels names what somebody may open, for a line of a list.
func permissionLabels(ctx context.Context, held []access.Permission) string {
	if len(held) == len(access.Permissions()) {
		return t(ctx, "contacts.all_permissions")
	}
	labels := make([]string, 0, len(held))
	for _, permission := range held {
		labels = append(labels, component.T(ctx, "access."+string(permission)))
	}
	return strings.Join(labels, " · ")
}
