package graph

import (
	"encoding/base64"

	"github.com/nubedigitalmx/avisa/graph/model"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
)

// companyChanges writes what was given over the settings in force.
func companyChanges(input model.UpdateCompanyInput) func(*billing.CompanyInput) {
	return func(in *billing.CompanyInput) {
		for _, f := range []struct{ to, given *string }{
			{&in.Name, input.Name}, {&in.LegalName, input.LegalName}, {&in.TaxID, input.TaxID}, {&in.Email, input.Email},
			{&in.Phonenumber, input.Phonenumber}, {&in.Website, input.Website}, {&in.Address, input.Address}, {&in.Signature, input.Signature},
			{&in.PaymentDetails, input.PaymentDetails}, {&in.CLABE, input.Clabe}, {&in.BrandColour, input.BrandColour},
			{&in.PDFFooter, input.PDFFooter}, {&in.Timezone, input.Timezone}, {&in.Language, input.Language},
		} {
			if f.given != nil {
				*f.to = *f.given
			}
		}
	}
}

// picture reads a file in base64; nil is no picture.
func picture(text *string) ([]byte, error) {
	if text == nil {
		return nil, nil
	}
	raw, err := base64.StdEncoding.DecodeString(*text)
	if err != nil || len(raw) == 0 {
		var checks fault.Checks
		checks.Add("logo", "LOGO_INVALID", "kb", billing.MaxLogoBytes>>10, "max", billing.MaxLogoSide)
		return nil, checks.Err()
	}
	return raw, nil
}
