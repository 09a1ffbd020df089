package fiscal_test

import (
	"testing"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
)

func TestCheckRfc(t *testing.T) {
	for rfc, code := range map[string]string{
		"EKU9003173C9": "", "URE180429TM6": "", "CACX7605101P8": "", "H&E951128469": "", "OÑO120726RX3": "", "SPR190613I52": "", "FIN1203015JA": "", "LSO1306189R5": "",
		"XAXX010101000": "", "XEXX010101000": "",
		"MCI7306249Y1": "rfc_check_digit", "AAA010101AAA": "rfc_check_digit", "EKU9003173C8": "rfc_check_digit",
		"EKU9002303C9": "rfc_date_invalid", "EKU9013173C9": "rfc_invalid", "EKU9000173C9": "rfc_invalid",
		"": "rfc_invalid", "eku9003173c9": "rfc_invalid", "EKU9003173C": "rfc_invalid", "EKU9003173C99": "rfc_invalid", "EK99003173C9": "rfc_invalid", "EKU9003173CB": "rfc_invalid",
	} {
		vs := fiscal.CheckRfc(rfc, "Receptor@Rfc")
		if code == "" && len(vs) > 0 || code != "" && !vs.Has(code) {
			t.Errorf("%s: %v, want %q", rfc, vs, code)
		}
		if code == "rfc_check_digit" && len(vs.Refusals()) > 0 {
			t.Errorf("%s: refused for its check digit", rfc)
		}
	}
}

func TestNormalizeRfc(t *testing.T) {
	for in, want := range map[string]string{" eku-900317 3c9 ": "EKU9003173C9", "oño120726rx3": "OÑO120726RX3", "h&e951128469": "H&E951128469"} {
		if got := fiscal.NormalizeRfc(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestPersonaOf(t *testing.T) {
	for rfc, want := range map[string]fiscal.Persona{"EKU9003173C9": fiscal.PersonaMoral, "OÑO120726RX3": fiscal.PersonaMoral, "CACX7605101P8": fiscal.PersonaFisica, "X": fiscal.PersonaDesconocida} {
		if got := fiscal.PersonaOf(rfc); got != want {
			t.Errorf("%s: %v", rfc, got)
		}
	}
}

func TestSuggestNombre(t *testing.T) {
	for in, want := range map[string]string{
		"Escuela  Kemper Urgate, S.A. de C.V.": "ESCUELA KEMPER URGATE",
		"escuela kemper urgate sa de cv":       "ESCUELA KEMPER URGATE",
		"Peña & Hijos 3, S. de R.L. de C.V.":   "PEÑA & HIJOS 3",
		"Nubes SAPI de CV":                     "NUBES",
		"Nubes S.A.S. DE C.V.":                 "NUBES",
		"Despacho Ñandú S.C.":                  "DESPACHO ÑANDÚ",
		"Amigos A.C.":                          "AMIGOS",
		"CASA":                                 "CASA",
		"CASA ISAAC":                           "CASA ISAAC",
		"SA DE CV":                             "SA DE CV",
	} {
		got, changed := fiscal.SuggestNombre(in)
		if got != want || changed != (got != fiscal.NormalizeNombre(in)) {
			t.Errorf("%q: %q %v, want %q", in, got, changed, want)
		}
	}
}

func TestCheckReceptor(t *testing.T) {
	if vs := fiscal.CheckReceptor(universidad, lugar, nil); len(vs) > 0 {
		t.Error(vs)
	}
	for code, r := range map[string]fiscal.Receptor{
		"CFDI40158":           {Rfc: "CACX7605101P8", Nombre: "X", DomicilioFiscalReceptor: "36257", RegimenFiscalReceptor: "601", UsoCFDI: "S01"},
		"CFDI40161":           {Rfc: "CACX7605101P8", Nombre: "X", DomicilioFiscalReceptor: "36257", RegimenFiscalReceptor: "605", UsoCFDI: "G03"},
		"attribute_missing":   {Rfc: "CACX7605101P8", Nombre: "X", RegimenFiscalReceptor: "612", UsoCFDI: "G03"},
		"catalog_key_unknown": {Rfc: "CACX7605101P8", Nombre: "X", DomicilioFiscalReceptor: "36257", RegimenFiscalReceptor: "612", UsoCFDI: "G99"},
	} {
		wantCode(t, fiscal.CheckReceptor(r, lugar, nil), code)
	}
}

func TestCatalogForms(t *testing.T) {
	cat := fiscal.DefaultCatalogs()
	for _, c := range []struct {
		persona fiscal.Persona
		regimen string
		want    []string
	}{
		{fiscal.PersonaMoral, "601", []string{"G01", "G02", "G03", "I04", "I06", "I08", "S01"}},
		{fiscal.PersonaFisica, "605", []string{"S01"}},
		{fiscal.PersonaFisica, "616", []string{"G02", "S01"}},
		{fiscal.PersonaMoral, "610", []string{"S01"}},
	} {
		got := cat.Usos(c.persona, c.regimen, "2026-11-20")
		if len(got) != len(c.want) {
			t.Errorf("%s: %v", c.regimen, got)
			continue
		}
		for i := range got {
			if got[i].Key != c.want[i] {
				t.Errorf("%s: %s, want %s", c.regimen, got[i].Key, c.want[i])
			}
		}
	}
	if got := len(cat.Regimenes(fiscal.PersonaMoral, "")); got != 8 {
		t.Errorf("%d regimes of companies", got)
	}
	if got := cat.Label(fiscal.CatUsoCFDI, "G03"); got != "G03 - Gastos en general" {
		t.Error(got)
	}
	if got := cat.Search(fiscal.CatClaveProdServ, "operacion de sitios", "", 10); len(got) != 1 || got[0].Key != "81112105" {
		t.Errorf("%v", got)
	}
	if cat.Decimals("JPY") != 0 || cat.Decimals("MXN") != 2 || cat.Decimals("XXX") != 0 {
		t.Error("decimals")
	}
}
