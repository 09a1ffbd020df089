package fiscal_test

import (
	"context"
	"fmt"
	"slices"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// What is wrong with fiscal data is said at its field, before the PAC sees anything.
func TestProfileChecks(t *testing.T) {
	o := newOffice(t)
	good := fiscal.ProfileInput{ClientID: o.client.ID, Rfc: "URE180429TM6", Nombre: "UNIVERSIDAD ROBOTICA ESPAÑOLA", DomicilioFiscalReceptor: "86991", RegimenFiscalReceptor: "601", UsoCFDI: "G03"}
	for name, c := range map[string]struct {
		change func(*fiscal.ProfileInput)
		want   string
	}{
		"form of the RFC":   {func(p *fiscal.ProfileInput) { p.Rfc = "URE18" }, "rfc:FISCAL_RFC"},
		"date of the RFC":   {func(p *fiscal.ProfileInput) { p.Rfc = "EKU9002303C9" }, "rfc:FISCAL_RFC_DATE"},
		"no name":           {func(p *fiscal.ProfileInput) { p.Nombre = " " }, "nombre:REQUIRED"},
		"pipe in the name":  {func(p *fiscal.ProfileInput) { p.Nombre = "A|B" }, "nombre:FISCAL_CHARACTER"},
		"postal code":       {func(p *fiscal.ProfileInput) { p.DomicilioFiscalReceptor = "8699" }, "domicilioFiscalReceptor:FISCAL_CP"},
		"regime of persons": {func(p *fiscal.ProfileInput) { p.RegimenFiscalReceptor = "612" }, "regimenFiscalReceptor:FISCAL_REGIMEN"},
		"use of persons":    {func(p *fiscal.ProfileInput) { p.UsoCFDI = "D01" }, "usoCfdi:FISCAL_USO"},
		"country":           {func(p *fiscal.ProfileInput) { p.Rfc, p.ResidenciaFiscal = "XEXX010101000", "MEX" }, "residenciaFiscal:FISCAL_RESIDENCIA"},
		"general public":    {func(p *fiscal.ProfileInput) { p.Rfc, p.Nombre = "XAXX010101000", "PUBLICO EN GENERAL" }, "nombre:FISCAL_NOMBRE_GENERIC"},
	} {
		in := good
		c.change(&in)
		_, _, err := o.service.SaveFiscalProfile(system(t.Context()), in)
		f, ok := fault.As(err)
		if !ok || len(f.Fields) == 0 || f.Fields[0].Path+":"+f.Fields[0].Code != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	in := good
	in.Rfc, in.Nombre = "ure-180429-tm7", "Universidad, S.A. de C.V."
	row, warnings, err := o.service.SaveFiscalProfile(system(t.Context()), in)
	if err != nil || !row.Default || row.Rfc != "URE180429TM7" || !warnings.Has("rfc_check_digit") || !warnings.Has("nombre_with_suffix") {
		t.Error(row, warnings, err)
	}
	second, _, err := o.service.SaveFiscalProfile(system(t.Context()), fiscal.ProfileInput{ClientID: o.client.ID, Rfc: good.Rfc, Nombre: good.Nombre,
		DomicilioFiscalReceptor: "86991", RegimenFiscalReceptor: "601", UsoCFDI: "G03", Default: true})
	o.must(err)
	rows, err := o.service.FiscalProfiles(system(t.Context()), o.client.ID)
	if err != nil || len(rows) != 2 || rows[0].ID != second.ID || rows[1].Default {
		t.Error(rows, err)
	}
}

// A profile's documents go to its own contacts, or to every contact with the preference.
func TestProfileContacts(t *testing.T) {
	o := newOffice(t)
	first := o.profile()
	other := dbtest.Contact(t, o.store, o.client, "otra@universidad.example", o.clock, mail.Invoice)
	stranger := dbtest.Contact(t, o.store, o.newClient("Otra", "otra@otra.example"), "x@otra.example", o.clock, mail.Invoice)
	in := fiscal.ProfileInput{ClientID: o.client.ID, Rfc: "CACX7605101P8", Nombre: "XOCHILT CASAS CHAVEZ", DomicilioFiscalReceptor: "36257", RegimenFiscalReceptor: "612", UsoCFDI: "G03",
		Contacts: []id.Contact{stranger.ID}}
	if _, _, err := o.service.SaveFiscalProfile(system(t.Context()), in); !fault.Is(err, fault.NotFound) {
		t.Fatal(err)
	}
	in.Contacts = []id.Contact{other.ID}
	second, _, err := o.service.SaveFiscalProfile(system(t.Context()), in)
	o.must(err)
	in.ID, in.Contacts = second.ID, nil // left as they are
	_, _, err = o.service.SaveFiscalProfile(system(t.Context()), in)
	o.must(err)
	o.must(o.service.SetWhen(system(t.Context()), o.client.ID, db.CFDIOnRequest))
	for i, c := range []struct {
		profile id.FiscalProfile
		want    []string
	}{{second.ID, []string{"otra@universidad.example", "pagos@universidad.example"}}, {first.ID, []string{"contador@universidad.example", "otra@universidad.example", "pagos@universidad.example"}}} {
		invoice := o.issue()
		invoice = o.pay(invoice, invoice.Total, fmt.Sprint("p", i))
		_, err := o.service.RequestCFDI(system(t.Context()), fiscal.RequestInput{InvoiceID: invoice.ID, ProfileID: c.profile})
		o.must(err)
		o.sent = nil
		o.work()
		var got []string
		for _, m := range o.sent {
			got = append(got, m.To)
		}
		if slices.Sort(got); !slices.Equal(got, c.want) {
			t.Errorf("%v, want %v", got, c.want)
		}
	}
	login := access.With(t.Context(), actor(o.client.ID, access.Contacts))
	if found, err := o.service.ProfileContacts(login, second.ID); err != nil || len(found) != 0 {
		t.Error(found, err)
	}
}

// The client chooses between payment and request; with the invoice is for staff.
func TestSetWhen(t *testing.T) {
	o := newOffice(t)
	login, staff := access.With(t.Context(), actor(o.client.ID, access.Invoices)), access.With(t.Context(), access.Actor{Kind: access.Staff, Role: access.Admin})
	for _, step := range []struct {
		ctx        context.Context
		when, code string
	}{{login, db.CFDIOnRequest, ""}, {login, db.CFDIOnIssue, "FISCAL_WHEN_STAFF"}, {staff, db.CFDIOnIssue, ""}, {login, db.CFDIOnPayment, "FISCAL_WHEN_STAFF"}, {staff, "", ""},
		{login, db.CFDIOnPayment, ""}, {login, "mañana", "VALUE_INVALID"},
		{access.With(t.Context(), actor(o.client.ID, access.Profile)), db.CFDIOnRequest, "PERMISSION_REQUIRED"}, {access.With(t.Context(), actor(o.client.ID+1, access.Invoices)), db.CFDIOnRequest, "NOT_FOUND"}} {
		err := o.service.SetWhen(step.ctx, o.client.ID, step.when)
		code := ""
		if f, ok := fault.As(err); ok {
			if code = f.Code; len(f.Fields) > 0 {
				code = f.Fields[0].Code
			}
		} else if err != nil {
			t.Fatal(err)
		}
		if code != step.code {
			t.Errorf("%s: %q, want %q (%v)", step.when, code, step.code, err)
		}
	}
	when, err := o.service.When(login, o.client.ID)
	if err != nil || when.Client != db.CFDIOnPayment || when.Company != db.CFDIOnPayment || when.Rule() != db.CFDIOnPayment {
		t.Errorf("%+v %v", when, err)
	}
}
