package graph

import (
	"context"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/graph/model"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	ids "github.com/nubedigitalmx/avisa/internal/id"
)

func (r *resolver) fiscalProfiles(ctx context.Context, client ids.Client) ([]*db.FiscalProfile, error) {
	rows, err := r.Fiscal.FiscalProfiles(ctx, client)
	if err != nil {
		return nil, err
	}
	return pointers(rows), nil
}

// filePath is where a stamped document is downloaded.
func (r *resolver) filePath(row *db.CFDI, format string) *string {
	if r.CFDIPath == nil || !row.Stamped() {
		return nil
	}
	path := r.CFDIPath(row.ID, format)
	return &path
}

func (r *resolver) saveFiscalProfile(ctx context.Context, in model.SaveFiscalProfileInput) (*db.FiscalProfile, []string, error) {
	warnings := []string{}
	profile, err := optional(in.ID, ids.ParseFiscalProfile)
	if err != nil {
		return nil, warnings, err
	}
	client, err := optional(in.ClientID, ids.ParseClient)
	if err != nil {
		return nil, warnings, err
	}
	var contacts []ids.Contact
	if in.ContactIds != nil {
		contacts = []ids.Contact{}
		for _, text := range in.ContactIds {
			contact, err := parsed(text, ids.ParseContact)
			if err != nil {
				return nil, warnings, err
			}
			contacts = append(contacts, contact)
		}
	}
	row, notes, err := r.Fiscal.SaveFiscalProfile(ctx, fiscal.ProfileInput{ID: profile, ClientID: client, Rfc: in.Rfc, Nombre: in.Nombre,
		DomicilioFiscalReceptor: in.DomicilioFiscalReceptor, RegimenFiscalReceptor: in.RegimenFiscalReceptor, UsoCFDI: in.UsoCfdi,
		ResidenciaFiscal: in.ResidenciaFiscal, Default: in.Default, Contacts: contacts})
	if err != nil {
		return nil, warnings, err
	}
	for _, v := range notes {
		warnings = append(warnings, v.Message(requestOf(ctx).lang))
	}
	return &row, warnings, nil
}

func (r *resolver) requestFiscalDocument(ctx context.Context, in model.RequestFiscalDocumentInput) (*db.CFDI, error) {
	invoice, err := parsed(in.InvoiceID, ids.ParseInvoice)
	if err != nil {
		return nil, err
	}
	profile, err := optional(in.FiscalProfileID, ids.ParseFiscalProfile)
	if err != nil {
		return nil, err
	}
	row, err := r.Fiscal.RequestCFDI(ctx, fiscal.RequestInput{InvoiceID: invoice, ProfileID: profile, FromGlobal: in.FromGlobal})
	if err != nil {
		return nil, err
	}
	return &row, nil
}

func fiscalRule(when fiscal.When, err error) (*model.FiscalRule, error) {
	if err != nil {
		return nil, err
	}
	out := &model.FiscalRule{When: when.Rule(), Company: when.Company}
	if when.Client != "" {
		out.Client = &when.Client
	}
	return out, nil
}

func (r *resolver) setFiscalRule(ctx context.Context, in model.SetFiscalRuleInput) (*model.FiscalRule, error) {
	client, err := parsed(in.ClientID, ids.ParseClient)
	if err != nil {
		return nil, err
	}
	when := ""
	if in.When != nil {
		when = *in.When
	}
	if err := r.Fiscal.SetWhen(ctx, client, when); err != nil {
		return nil, err
	}
	return fiscalRule(r.Fiscal.When(ctx, client))
}

func (r *resolver) saveFiscalIssuer(ctx context.Context, in model.SaveFiscalIssuerInput) (*fiscal.Issuer, error) {
	before, err := r.Fiscal.Issuer(ctx)
	if err != nil {
		return nil, err
	}
	alert := before.CreditAlert
	if in.CreditAlert != nil {
		alert = *in.CreditAlert
	}
	if _, err := r.Fiscal.SaveIssuer(ctx, fiscal.IssuerInput{Rfc: in.Rfc, Nombre: in.Nombre, RegimenFiscal: in.RegimenFiscal, LugarExpedicion: in.LugarExpedicion,
		SerieIngreso: in.SerieIngreso, SerieEgreso: in.SerieEgreso, SeriePago: in.SeriePago, SerieGlobal: in.SerieGlobal, When: in.When, Periodicidad: in.Periodicidad, CreditAlert: alert}); err != nil {
		return nil, err
	}
	return pointer(r.Fiscal.Issuer(ctx))
}
