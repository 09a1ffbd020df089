package console

import (
	"context"
	"net/http"
	"slices"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// accessForm is a contact's access as staff see and change it.
type accessForm struct {
	Contact     id.Contact
	Access      *account.Access // nil: the contact does not sign in
	Permissions []access.Permission
	ExpiresOn   string
	Errors      fieldErrors
}

// accessOf is the form filled with what is stored.
func (c *Console) accessOf(ctx context.Context, contact db.Contact) (accessForm, error) {
	form := accessForm{Contact: contact.ID}
	found, err := c.Account.AccessByContact(ctx, []id.Contact{contact.ID})
	if a, ok := found[contact.ID]; ok {
		form.Access, form.Permissions, form.ExpiresOn = &a, a.Permissions, string(a.ExpiresOn)
	}
	return form, err
}

// state is the name of the state for its badge.
func (f accessForm) state() string {
	if f.Access == nil {
		return ""
	}
	return f.Access.State()
}

// checks are the ticks of the permissions.
func (f accessForm) checks(ctx context.Context) []component.Check {
	checks := make([]component.Check, 0, len(access.Permissions()))
	for _, permission := range access.Permissions() {
		checks = append(checks, component.Check{Name: "permissions", Value: string(permission), Label: component.T(ctx, "access."+string(permission)),
			Checked: slices.Contains(f.Permissions, permission)})
	}
	return checks
}

// changeAccess does what a button of the access card asks for.
func (c *Console) changeAccess(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	form, err := c.contactForm(r)
	if err != nil {
		return err
	}
	contact := form.Contact.ID
	switch r.PostFormValue("accion") {
	case "guardar", "invitar":
		err = c.saveAccess(ctx, &form.Access, r.PostForm["permissions"], r.PostFormValue("expiresOn"))
	case "quitar":
		_, err = c.Account.SetSubAccount(ctx, contact, account.SubAccountInput{})
	case "reenviar":
		_, err = c.Account.ResendInvitation(ctx, contact)
	case "cancelar":
		_, err = c.Account.CancelInvitation(ctx, contact)
	case "suspender":
		_, err = c.Account.SuspendAccess(ctx, contact)
	case "reanudar":
		_, err = c.Account.ResumeAccess(ctx, contact)
	case "confirmar":
		if _, err = c.Account.RequestVerification(ctx, contact); err == nil {
			layout.Flash(w, r, "reminder.flash.verification")
			return layout.Redirect(w, r, contactPath(contact))
		}
	case "enlaces":
		err = c.Reminder.RevokeContactLinks(ctx, contact)
	case "factores":
		if form.Access.Access == nil || form.Access.Access.LoginID == 0 {
			return fault.Missing()
		}
		err = c.Account.ResetLoginFactors(ctx, form.Access.Access.LoginID)
	default:
		err = fault.New(fault.Invalid, string(fault.Invalid))
	}
	if errs, ok := invalid(ctx, err); ok {
		form.Access.Errors = errs
		return c.show(w, r, http.StatusUnprocessableEntity, form.Contact.Name(), contactPage(form))
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "console.flash.saved")
	return layout.Redirect(w, r, contactPath(contact))
}

// saveAccess sets permissions and last day, and invites who has no access yet: staff never choose the
// password of somebody else.
func (c *Console) saveAccess(ctx context.Context, form *accessForm, permissions []string, until string) error {
	form.Permissions, form.ExpiresOn = nil, until
	for _, p := range permissions {
		form.Permissions = append(form.Permissions, access.Permission(p))
	}
	in := account.SubAccountInput{Active: true, Permissions: form.Permissions, Invite: form.Access == nil || form.Access.Status == db.SubAccountInvited}
	if until != "" {
		day, err := date.Parse(until)
		if err != nil {
			var checks fault.Checks
			checks.Add("subAccount.expiresOn", "DATE_MALFORMED")
			return checks.Err()
		}
		in.ExpiresOn = day
	}
	_, err := c.Account.SetSubAccount(ctx, form.Contact, in)
	return err
}

// endHandover withdraws an open offer of a client's ownership.
func (c *Console) endHandover(w http.ResponseWriter, r *http.Request) error {
	client, err := c.client(r.Context(), r.PathValue("id"))
	if err != nil {
		return err
	}
	if err := c.Account.EndHandover(r.Context(), client.ID); err != nil && !fault.Is(err, fault.NotFound) { // it ended by itself meanwhile
		return err
	}
	layout.Flash(w, r, "console.flash.saved")
	return layout.Redirect(w, r, clientPath(client.ID))
}

// handoverView is an open offer of a client's ownership.
type handoverView struct {
	account.Handover
	To string // name of the contact
}

// handover returns the open offer of a client, nil when there is none.
func (c *Console) handover(ctx context.Context, client id.Client) (*handoverView, error) {
	offer, err := c.Account.Handover(ctx, client)
	if fault.Is(err, fault.NotFound) {
		return nil, nil //nolint:nilnil // none is an answer
	}
	if err != nil {
		return nil, err
	}
	contact, err := c.Account.Contact(ctx, offer.ContactID)
	return &handoverView{offer, contact.Name()}, err
}
