package graph

import (
	"encoding/base64"

	"github.com/nubedigitalmx/avisa/graph/model"
	"github.com/nubedigitalmx/avisa/internal/billing"
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

// picture reads a file in base64; nil is no picture. What is no base64 is passed on as it is: the verb, which
// asks first who it is from, refuses it as any file that is no picture.
func picture(text *string) []byte {
	if text == nil {
		return nil
	}
	if raw, err := base64.StdEncoding.DecodeString(*text); err == nil && len(raw) > 0 {
		return raw
	}
	return []byte("data:," + *text)
}
