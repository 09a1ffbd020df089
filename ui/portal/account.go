package portal

import (
	"net/http"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
	"github.com/nubedigitalmx/avisa/ui/profile"
)

// accountForm is the form of what the client says of itself, for who may change it.
func (p *Portal) accountForm(r *http.Request) (account.UpdateClientInput, profile.Form, error) {
	ctx := r.Context()
	row, err := p.client(r)
	if err == nil && !access.Can(ctx, access.Profile, row.ID) {
		err = fault.New(fault.Forbidden, string(fault.Forbidden))
	}
	if err != nil {
		return account.UpdateClientInput{}, profile.Form{}, err
	}
	form := profile.Of(row)
	form.Action, form.Cancel, form.Back, form.Title = string(at(row.ID, "perfil")), string(at(row.ID)), t(ctx, "home.title"), component.T(ctx, "profile.title")
	return account.UpdateClientInput{ClientID: row.ID}, form, nil
}

// AccountDetails shows what the client says of itself.
func (p *Portal) AccountDetails(w http.ResponseWriter, r *http.Request) error {
	in, form, err := p.accountForm(r)
	if err != nil {
		return err
	}
	return p.showAccount(w, r, http.StatusOK, in, form)
}

func (p *Portal) showAccount(w http.ResponseWriter, r *http.Request, status int, in account.UpdateClientInput, form profile.Form) error {
	client, err := p.Account.Client(r.Context(), in.ClientID)
	if err != nil {
		return err
	}
	return p.show(w, r, status, client, sectionHome, form.Title, profile.Page(form))
}

// SaveAccount changes what the client says of itself and what its own address is sent.
func (p *Portal) SaveAccount(w http.ResponseWriter, r *http.Request) error {
	in, form, err := p.accountForm(r)
	if err != nil {
		return err
	}
	form.Decode(r.PostForm)
	in.Details, in.Topics = &form.Details, &form.Topics
	if _, err := p.Account.UpdateClient(r.Context(), in); err != nil {
		if form.Explain(r.Context(), err) {
			return p.showAccount(w, r, http.StatusUnprocessableEntity, in, form)
		}
		return err
	}
	layout.Flash(w, r, "portal.flash.contact_saved")
	return layout.Redirect(w, r, string(at(in.ClientID)))
}
