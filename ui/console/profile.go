package console

import (
	"context"
	"net/http"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
	"github.com/nubedigitalmx/avisa/ui/profile"
)

// profileTable is the table of what adds and changes clients.
func (c *Console) profileTable() []layout.Route {
	return []layout.Route{
		{Method: "GET", Path: "/consola/clientes/nuevo", Who: layout.Staff, Handle: c.newClient},
		{Method: "POST", Path: "/consola/clientes/nuevo", Who: layout.Staff, Handle: c.addClient},
		{Method: "GET", Path: "/consola/clientes/{id}/datos", Who: layout.Staff, Handle: c.editClient},
		{Method: "POST", Path: "/consola/clientes/{id}/datos", Who: layout.Staff, Handle: c.saveClient},
		{Method: "POST", Path: "/consola/clientes/{id}/invitacion", Who: layout.Staff, Handle: c.inviteOwner},
		{Method: "GET", Path: "/consola/clientes/{id}/invitacion", Who: layout.Staff, Handle: toParent},
		{Method: "GET", Path: "/consola/clientes/{id}/contactos/nuevo", Who: layout.Staff, Handle: c.newContact},
		{Method: "POST", Path: "/consola/clientes/{id}/contactos/nuevo", Who: layout.Staff, Handle: c.addContact},
	}
}

func (c *Console) newClient(w http.ResponseWriter, r *http.Request) error {
	if err := access.RequireCapability(r.Context(), access.ManageClients); err != nil {
		return err
	}
	form := profile.Form{Invite: true, Details: account.ClientDetails{Country: "MX", Language: locale.Spanish, Timezone: zone}}
	return c.showProfile(w, r, http.StatusOK, newProfile(r, form))
}

func newProfile(r *http.Request, form profile.Form) profile.Form {
	ctx := r.Context()
	form.New, form.Action, form.Cancel, form.Back = true, "/consola/clientes/nuevo", "/consola/clientes", t(ctx, "clients.title")
	form.Title = component.T(ctx, "profile.title.new")
	return form
}

func (c *Console) showProfile(w http.ResponseWriter, r *http.Request, status int, form profile.Form) error {
	form.Staff = true
	return c.show(w, r, status, form.Title, profile.Page(form))
}

func (c *Console) addClient(w http.ResponseWriter, r *http.Request) error {
	form := profile.Form{}
	form.Decode(r.PostForm)
	row, err := c.Account.AddClient(r.Context(), account.AddClientInput{Details: form.Details, ExternalRef: form.ExternalRef, Invite: form.Invite})
	if err != nil {
		if form = newProfile(r, form); form.Explain(r.Context(), err) {
			return c.showProfile(w, r, http.StatusUnprocessableEntity, form)
		}
		return err
	}
	layout.Flash(w, r, "console.flash.saved")
	return layout.Redirect(w, r, clientPath(row.ID))
}

// profileForm is the form of the client of the path.
func (c *Console) profileForm(r *http.Request) (account.UpdateClientInput, profile.Form, error) {
	ctx := r.Context()
	row, err := c.client(ctx, r.PathValue("id"))
	if err != nil {
		return account.UpdateClientInput{}, profile.Form{}, err
	}
	form := profile.Of(row)
	form.Action, form.Cancel, form.Back, form.Title = clientPath(row.ID)+"/datos", clientPath(row.ID), row.Name, component.T(ctx, "profile.title")
	return account.UpdateClientInput{ClientID: row.ID}, form, nil
}

func (c *Console) editClient(w http.ResponseWriter, r *http.Request) error {
	if err := access.RequireCapability(r.Context(), access.ManageClients); err != nil {
		return err
	}
	_, form, err := c.profileForm(r)
	if err != nil {
		return err
	}
	return c.showProfile(w, r, http.StatusOK, form)
}

func (c *Console) saveClient(w http.ResponseWriter, r *http.Request) error {
	in, form, err := c.profileForm(r)
	if err != nil {
		return err
	}
	form.Decode(r.PostForm)
	in.Details, in.Topics, in.ExternalRef = &form.Details, &form.Topics, &form.ExternalRef
	if _, err := c.Account.UpdateClient(r.Context(), in); err != nil {
		if form.Explain(r.Context(), err) {
			return c.showProfile(w, r, http.StatusUnprocessableEntity, form)
		}
		return err
	}
	layout.Flash(w, r, "console.flash.saved")
	return layout.Redirect(w, r, clientPath(in.ClientID))
}

func (c *Console) inviteOwner(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	row, err := c.client(ctx, r.PathValue("id"))
	if err != nil {
		return err
	}
	switch _, err = c.Account.InviteOwner(ctx, row.ID); {
	case err == nil:
		layout.Flash(w, r, "portal.flash.invitation_sent")
	case !fault.Is(err, fault.Conflict): // accepted meanwhile: the page says so
		return err
	}
	return layout.Redirect(w, r, clientPath(row.ID))
}

// managesClients reports whether the reader may add and change clients and their contacts.
func managesClients(ctx context.Context) bool {
	return access.RequireCapability(ctx, access.ManageClients) == nil
}

// ownerText says how the owner gets in, or how far the invitation is.
func ownerText(ctx context.Context, owner account.Access) string {
	pt := func(key string, args ...any) string { return component.T(ctx, "profile.owner."+key, args...) }
	switch {
	case owner.LoginEmail != "":
		return pt("active", "email", owner.LoginEmail)
	case owner.Invitation == nil:
		return pt("none")
	case owner.Lapsed:
		return pt("lapsed", "date", moment(ctx, owner.Invitation.CreatedAt))
	}
	return pt("invited", "date", moment(ctx, owner.Invitation.CreatedAt))
}

// newContactURL is where a contact is added to a client; "" for who may not.
func newContactURL(ctx context.Context, client id.Client) string {
	if !managesClients(ctx) {
		return ""
	}
	return clientPath(client) + "/contactos/nuevo"
}

func (c *Console) newContact(w http.ResponseWriter, r *http.Request) error {
	if err := access.RequireCapability(r.Context(), access.ManageClients); err != nil {
		return err
	}
	client, err := c.client(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	form := contactForm{Client: client, Details: account.ContactDetails{Country: client.Country, Language: client.Language, Timezone: client.Timezone}}
	return c.show(w, r, http.StatusOK, component.T(r.Context(), "portal.contacts.new"), contactPage(form))
}

func (c *Console) addContact(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	client, err := c.client(ctx, r.PathValue("id"))
	if err != nil {
		return err
	}
	form := contactForm{Client: client}
	form.decode(r.PostForm)
	row, err := c.Account.AddContact(ctx, account.AddContactInput{ClientID: client.ID, Details: form.Details, Topics: form.Topics})
	if errs, ok := invalid(ctx, err); ok {
		form.Errors = errs
		return c.show(w, r, http.StatusUnprocessableEntity, component.T(ctx, "portal.contacts.new"), contactPage(form))
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "portal.flash.contact_added")
	return layout.Redirect(w, r, contactPath(row.ID))
}
