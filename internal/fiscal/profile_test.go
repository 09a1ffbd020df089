package fiscal_test

import (
	"testing"

	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
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
