package console

import (
	"context"
	"net/http"

	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// companyView is what the company says about itself, and what is wrong with a change of it.
type companyView struct {
	In      billing.CompanyInput
	HasLogo bool
	Errors  fieldErrors // of the form
	Logo    fieldErrors // of the picture
}

func (c *Console) companyPage(w http.ResponseWriter, r *http.Request) error {
	return c.showCompany(w, r, http.StatusOK, companyView{})
}

// showCompany shows the form: as it was typed where something is wrong, else as it is stored.
func (c *Console) showCompany(w http.ResponseWriter, r *http.Request, status int, view companyView) error {
	ctx := r.Context()
	row, err := c.Billing.Company(ctx)
	if err != nil {
		return err
	}
	if view.HasLogo = row.LogoHash != ""; view.Errors == nil {
		view.In = billing.CompanyOf(row)
	}
	return c.show(w, r, status, t(ctx, "nav.company"), companyForm(view))
}

func (c *Console) saveCompany(w http.ResponseWriter, r *http.Request) error {
	view := companyView{}
	for name, value := range view.fields() {
		*value = r.PostFormValue(name)
	}
	_, err := c.Billing.UpdateCompany(r.Context(), func(in *billing.CompanyInput) { *in = view.In })
	if errs, ok := invalid(r.Context(), err); ok {
		view.Errors = errs
		return c.showCompany(w, r, http.StatusUnprocessableEntity, view)
	}
	return c.companySaved(w, r, err)
}

func (c *Console) saveLogo(w http.ResponseWriter, r *http.Request) error {
	var picture []byte
	if r.PostFormValue("accion") != "quitar" {
		var err error
		if picture, err = upload(r, "logo", billing.MaxLogoBytes+1); err != nil {
			return err
		}
		if len(picture) == 0 {
			return c.showCompany(w, r, http.StatusUnprocessableEntity, companyView{Logo: fieldErrors{"logo": t(r.Context(), "company.logo.none")}})
		}
	}
	_, err := c.Billing.SetLogo(r.Context(), picture)
	if errs, ok := invalid(r.Context(), err); ok {
		return c.showCompany(w, r, http.StatusUnprocessableEntity, companyView{Logo: errs})
	}
	return c.companySaved(w, r, err)
}

func (c *Console) companySaved(w http.ResponseWriter, r *http.Request, err error) error {
	if err != nil {
		return err
	}
	layout.Flash(w, r, "console.flash.saved")
	return layout.Redirect(w, r, "/consola/empresa")
}

// fields pairs the names of the form's fields with their values.
func (v *companyView) fields() map[string]*string {
	in := &v.In
	return map[string]*string{
		"name": &in.Name, "legalName": &in.LegalName, "taxId": &in.TaxID, "email": &in.Email, "phonenumber": &in.Phonenumber, "website": &in.Website,
		"address": &in.Address, "signature": &in.Signature, "paymentDetails": &in.PaymentDetails, "clabe": &in.CLABE, "brandColour": &in.BrandColour,
		"pdfFooter": &in.PDFFooter, "timezone": &in.Timezone, "language": &in.Language,
	}
}

// field completes a field of the form with its label, value and error.
func (v companyView) field(ctx context.Context, name string, f component.Field) component.Field {
	f.Name, f.Label, f.Value, f.Error = name, t(ctx, "company."+name), *v.fields()[name], v.Errors[name]
	return f
}
