package console

import (
	"net/http"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/ui/layout"
	"github.com/nubedigitalmx/avisa/ui/profile"
)

// fiscalProfilePath is the form of a client's profile, "nuevo" for a new one.
func fiscalProfilePath(client id.Client, slug string) string {
	return clientPath(client) + "/fiscal/" + slug
}

// fiscalProfileForm is the form of the client and profile in the path.
func (c *Console) fiscalProfileForm(r *http.Request) (*profile.Fiscal, error) {
	ctx := r.Context()
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return nil, err
	}
	client, err := c.client(ctx, r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	rows, err := c.Fiscal.FiscalProfiles(ctx, client.ID)
	if err != nil {
		return nil, err
	}
	form := profile.NewFiscal(client, len(rows))
	if r.PathValue("profile") != "nuevo" {
		wanted, err := id.ParseFiscalProfile(r.PathValue("profile"))
		if err != nil {
			return nil, fault.Missing()
		}
		row, err := c.Fiscal.FiscalProfile(ctx, wanted)
		if err != nil {
			return nil, err
		}
		if row.ClientID != client.ID || row.DeletedAt != nil {
			return nil, fault.Missing()
		}
		own, err := c.Fiscal.ProfileContacts(ctx, wanted)
		if err != nil {
			return nil, err
		}
		form = profile.FiscalOf(row, own[wanted])
	}
	list, err := c.Account.Contacts(ctx, client.ID, db.Page{First: db.MaxPage})
	if err != nil {
		return nil, err
	}
	form.Staff, form.Contacts, form.Cat = true, profile.Mailable(list.Rows), c.Fiscal.Catalogs(ctx)
	form.Cancel, form.Back, form.Return = clientPath(client.ID), client.Name, layout.LocalPath(r.FormValue("volver"), "")
	return &form, nil
}

func (c *Console) showFiscalProfile(w http.ResponseWriter, r *http.Request, status int, form *profile.Fiscal) error {
	form.Action = fiscalProfilePath(form.In.ClientID, form.Slug())
	return c.show(w, r, status, form.Title(r.Context()), profile.FiscalPage(form))
}

func (c *Console) editFiscalProfile(w http.ResponseWriter, r *http.Request) error {
	form, err := c.fiscalProfileForm(r)
	if err != nil {
		return err
	}
	return c.showFiscalProfile(w, r, http.StatusOK, form)
}

// saveFiscalProfile saves the form with the checks that the client's own has.
func (c *Console) saveFiscalProfile(w http.ResponseWriter, r *http.Request) error {
	form, err := c.fiscalProfileForm(r)
	if err != nil {
		return err
	}
	if err := form.Decode(r.PostForm); err != nil {
		return err
	}
	row, warnings, err := c.Fiscal.SaveFiscalProfile(r.Context(), form.In)
	if err != nil && form.Explain(r.Context(), err) {
		return c.showFiscalProfile(w, r, http.StatusUnprocessableEntity, form)
	}
	if err != nil {
		return err
	}
	if form.Warn(r.Context(), row, warnings, r.PostFormValue("seen")) {
		return c.showFiscalProfile(w, r, http.StatusOK, form)
	}
	layout.Flash(w, r, "fiscal.flash.profile")
	return layout.Redirect(w, r, layout.LocalPath(form.Return, form.Cancel))
}
