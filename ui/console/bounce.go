package console

import (
	"net/http"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

type addressesView struct {
	Rows    []db.BouncedAddress
	Verify  bool // new contacts must confirm their address
	Refused string
}

// addresses lists the addresses that take no mail.
func (c *Console) addresses(w http.ResponseWriter, r *http.Request) error {
	return c.showAddresses(w, r, http.StatusOK, nil)
}

// showAddresses answers what was asked for on the page; nil: nothing was.
func (c *Console) showAddresses(w http.ResponseWriter, r *http.Request, status int, refused error) error {
	ctx := r.Context()
	view := addressesView{}
	if refused != nil {
		errs, ok := invalid(ctx, refused)
		if !ok {
			return refused
		}
		view.Refused, status = errs.summary(ctx), http.StatusUnprocessableEntity
	}
	var err error
	if view.Rows, err = c.Reminder.BouncedAddresses(ctx, 0); err != nil {
		return err
	}
	if view.Verify, err = c.Reminder.VerifiesContacts(ctx); err != nil {
		return err
	}
	return c.show(w, r, status, rt(ctx, "nav.addresses"), addressesPage(view))
}

// clearAddress lets mail go to an address again.
func (c *Console) clearAddress(w http.ResponseWriter, r *http.Request) error {
	clientID, err := formID(r, "cliente", id.ParseClient)
	contactID := id.Contact(0)
	if err == nil && r.PostFormValue("contacto") != "" {
		contactID, err = formID(r, "contacto", id.ParseContact)
	}
	if err == nil {
		err = c.Reminder.ClearBounce(r.Context(), clientID, contactID)
	}
	if err != nil {
		return c.showAddresses(w, r, http.StatusOK, err)
	}
	layout.Flash(w, r, "reminder.flash.cleared")
	return layout.Redirect(w, r, addressesPath)
}

// verifyAddresses says whether contacts added from now on must confirm their address.
func (c *Console) verifyAddresses(w http.ResponseWriter, r *http.Request) error {
	if err := c.Reminder.SetVerifyContacts(r.Context(), r.PostFormValue("verify") != ""); err != nil {
		return c.showAddresses(w, r, http.StatusOK, err)
	}
	layout.Flash(w, r, "console.flash.saved")
	return layout.Redirect(w, r, addressesPath)
}
