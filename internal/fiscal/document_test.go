package fiscal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/fiscaltest"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
)

// notOurs are the rules that samples of others break: Fecha before the catalogs of 4.0, a
// person's RFC with a company's regime.
var notOurs = map[string][]string{
	"satcfdi-iva-redondeo-100.03-fielcert.xml":    {"catalog_key_unknown", "CFDI40179", "CFDI40105", "CFDI40141", "forma_pago_missing"},
	"satcfdi-pago-iva16-retenciones-fielcert.xml": {"catalog_key_unknown", "CFDI40141"},
}

// TestSamples checks documents of others: seal, stamp and rules.
func TestSamples(t *testing.T) {
	pacs := map[string]*fiscal.Certificado{}
	files, _ := filepath.Glob(filepath.Join(fiscaltest.SATDir(t), "certs", "pac", "*.cer"))
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if c, err := fiscal.ParseCertificado(data); err == nil {
			pacs[c.NoCertificado] = c
		}
	}
	stamped := 0
	for _, file := range fiscaltest.Samples(t) {
		name := filepath.Base(file)
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := fiscal.Parse(data)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		switch {
		case strings.Contains(name, "unsealed"):
		case strings.Contains(name, "fielcert"):
			crt, err := doc.Certificado()
			if err != nil || !crt.IsFiel() {
				t.Errorf("%s: %v: not recognized as FIEL", name, err)
			}
		default:
			if err := doc.VerifySello(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			timbre := doc.Comprobante.Timbre()
			pac := pacs[timbre.NoCertificadoSAT]
			if err := doc.VerifyTimbre(pac); err != nil || pac == nil {
				t.Errorf("%s: %v (PAC %s)", name, err, timbre.NoCertificadoSAT)
			}
			stamped++
			changed, err := fiscal.Parse(bytes.Replace(data, []byte(timbre.FechaTimbrado), []byte("2020-01-01T00:00:00"), 1))
			if err != nil {
				t.Fatal(err)
			}
			if changed.VerifyTimbre(pac) == nil {
				t.Errorf("%s: a changed FechaTimbrado is not noticed", name)
			}
		}
		for _, v := range doc.Validate(fiscal.Options{}).Refusals() {
			if !slices.Contains(notOurs[name], v.Code) {
				t.Errorf("%s: %v", name, &v)
			}
		}
	}
	if stamped < 16 {
		t.Errorf("only %d stamped samples", stamped)
	}
}

func TestVerificationURL(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob(filepath.Join(fiscaltest.SATDir(t), "samples", "own", "*3*.xml"))
	if err != nil || len(files) == 0 {
		t.Fatal(err, "no samples")
	}
	e := newEnv(t, sandbox.Config{})
	d := draft(line("1000.00", fiscal.IVA16))
	d.Emisor = fiscal.Emisor{Rfc: "H&E951128469", Nombre: "HERRERIA & ELECTRICOS", RegimenFiscal: "601"}
	d.Receptor.Rfc = "OÑO120726RX3"
	e.stamp("21 RFC", e.build(d))
	own := filepath.Join(t.TempDir(), "own.xml")
	if err := os.WriteFile(own, e.docs["21 RFC"], 0o600); err != nil {
		t.Fatal(err)
	}
	for _, file := range append(files, own) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := fiscal.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		out, _ := exec.Command(filepath.Join(fiscaltest.SATDir(t), "verify-cfdi"), "--qr", "--no-rules", file).Output()
		want, _, _ := strings.Cut(string(out), "\n")
		if got := fiscal.VerificationURL(doc.Comprobante); got != want {
			t.Errorf("%s:\n got %s\nwant %s", file, got, want)
		}
		if file == own && !strings.Contains(want, "re=H%26E951128469&rr=O%C3%91O120726RX3&tt=1160&fe=") {
			t.Error(want)
		}
	}
	if got := fiscal.VerificationURL(&fiscal.Comprobante{}); got != "" {
		t.Error(got)
	}
}

func TestFileName(t *testing.T) {
	c := &fiscal.Comprobante{Serie: "F", Folio: "1/2", Emisor: &fiscal.Emisor{Rfc: "OÑO120726RX3"},
		Complemento: &fiscal.Complemento{TimbreFiscalDigital: &fiscal.TimbreFiscalDigital{UUID: "DC55E6A9-2329-5352-8FD9-5B73CE21FF44"}}}
	if got := fiscal.FileName(c, "xml"); got != "OÑO120726RX3_F1-2_DC55E6A9-2329-5352-8FD9-5B73CE21FF44.xml" {
		t.Error(got)
	}
}

// TestParseRefuses: documents that are not one.
func TestParseRefuses(t *testing.T) {
	const root = `<cfdi:Comprobante xmlns:cfdi="http://www.sat.gob.mx/cfd/4"/>`
	for name, doc := range map[string]string{
		"empty": "", "text": "hola", "open": `<cfdi:Comprobante xmlns:cfdi="http://www.sat.gob.mx/cfd/4">`,
		"two roots": root + root, "text after": root + "x", "DTD": `<!DOCTYPE a [<!ENTITY x "y">]>` + root,
		"entity":          `<cfdi:Comprobante xmlns:cfdi="http://www.sat.gob.mx/cfd/4" Serie="&x;"/>`,
		"prefix":          `<cfdi:Comprobante/>`,
		"attr prefix":     `<cfdi:Comprobante xmlns:cfdi="http://www.sat.gob.mx/cfd/4" a:b="1"/>`,
		"repeated":        `<cfdi:Comprobante xmlns:cfdi="http://www.sat.gob.mx/cfd/4" Serie="1" Serie="2"/>`,
		"mismatch":        `<cfdi:Comprobante xmlns:cfdi="http://www.sat.gob.mx/cfd/4"></cfdi:X>`,
		"encoding":        `<?xml version="1.0" encoding="ISO-8859-1"?>` + root,
		"not utf8":        "<cfdi:Comprobante xmlns:cfdi=\"http://www.sat.gob.mx/cfd/4\" Serie=\"\xff\"/>",
		"deep":            strings.Repeat("<a>", 100) + strings.Repeat("</a>", 100),
		"CFDI 3.3":        `<cfdi:Comprobante xmlns:cfdi="http://www.sat.gob.mx/cfd/3" Version="3.3"/>`,
		"not a CFDI":      `<html/>`,
		"too large":       root + strings.Repeat(" ", 9<<20),
		"many elements":   "<a>" + strings.Repeat("<b/>", 250_000) + "</a>",
		"many attributes": "<a " + manyAttrs() + "/>",
		"control chars":   "<cfdi:Comprobante xmlns:cfdi=\"http://www.sat.gob.mx/cfd/4\" Serie=\"\x01\"/>",
	} {
		if _, err := fiscal.Parse([]byte(doc)); err == nil || !strings.Contains(err.Error(), "301") {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, doc := range map[string]string{"BOM": "\xef\xbb\xbf" + root, "comments": "<?xml version=\"1.0\"?><!-- a -->" + root + "<!-- b -->\n",
		"default namespace": `<Comprobante xmlns="http://www.sat.gob.mx/cfd/4"/>`} {
		if _, err := fiscal.Parse([]byte(doc)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func manyAttrs() string {
	var b strings.Builder
	for i := range 300 {
		fmt.Fprintf(&b, "a%d='' ", i)
	}
	return b.String()
}

func TestUnknownNodes(t *testing.T) {
	doc, err := fiscal.Parse([]byte(`<cfdi:Comprobante xmlns:cfdi="http://www.sat.gob.mx/cfd/4" Version="4.0" Nuevo="1"><cfdi:Emisor/><cfdi:Emisor/><cfdi:Otro/>` +
		`<cfdi:Conceptos><cfdi:Cosa/></cfdi:Conceptos></cfdi:Comprobante>`))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range doc.Validate(fiscal.Options{}) {
		if v.Code == "unknown_in_schema" || v.Code == "node_repeated" {
			got = append(got, v.Path)
		}
	}
	if want := "@Nuevo,Emisor,Otro,Conceptos/Cosa"; strings.Join(got, ",") != want {
		t.Errorf("%v", got)
	}
}

// TestInsertTimbre: stamping changes no byte of what was sealed.
func TestInsertTimbre(t *testing.T) {
	stamp := &fiscal.TimbreFiscalDigital{Version: "1.1", UUID: "DC55E6A9-2329-5352-8FD9-5B73CE21FF44"}
	const open, end = `<cfdi:Comprobante xmlns:cfdi="http://www.sat.gob.mx/cfd/4">`, `</cfdi:Comprobante>`
	for _, inner := range []string{"<cfdi:Emisor/>", "<cfdi:Emisor/><cfdi:Complemento/>", "<cfdi:Complemento><a/></cfdi:Complemento>", "<cfdi:Complemento/><cfdi:Addenda><b/></cfdi:Addenda>", "<cfdi:Addenda><b/></cfdi:Addenda>"} {
		sealed := []byte(open + inner + end)
		out, err := fiscal.InsertTimbre(sealed, stamp)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := fiscal.Parse(out)
		if err != nil || doc.Comprobante.Timbre() == nil || doc.Comprobante.Timbre().UUID != stamp.UUID {
			t.Errorf("%s: %v\n%s", inner, err, out)
		}
		start, stop := bytes.Index(out, []byte("<tfd:")), bytes.Index(out, []byte(`44"/>`))+len(`44"/>`)
		rest := string(out[:start]) + string(out[stop:])
		rest = strings.Replace(rest, "<cfdi:Complemento></cfdi:Complemento>", "", 1)
		if rest != strings.Replace(string(sealed), "<cfdi:Complemento/>", "", 1) {
			t.Errorf("%s became %s", sealed, rest)
		}
	}
	if _, err := fiscal.InsertTimbre([]byte("<a/>"), stamp); err == nil {
		t.Error("no error")
	}
}

func TestCheckStamped(t *testing.T) {
	e := newEnv(t, sandbox.Config{})
	a, b := e.seal(e.build(ingresos[0].draft())), e.seal(e.build(ingresos[1].draft()))
	ra, err := e.pac.Stamp(context.Background(), a, "a")
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]struct {
		sealed, stamped []byte
		code            string
	}{
		"another document": {b, ra.XML, "stamp_of_another_document"},
		"not stamped":      {a, a, "stamp_missing"},
		"no XML":           {a, []byte("<html>"), "stamped_malformed"},
		"changed":          {a, bytes.Replace(ra.XML, []byte("Hospedaje"), []byte("Hospedajo"), 1), "stamped_document_changed"},
	} {
		_, err := fiscal.CheckStamped(x.sealed, x.stamped)
		if !errors.Is(err, &fiscal.PACError{Kind: fiscal.KindUnknown, Code: x.code}) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(`<cfdi:Comprobante xmlns:cfdi="http://www.sat.gob.mx/cfd/4" Version="4.0"><cfdi:Conceptos><cfdi:Concepto Importe="1"/></cfdi:Conceptos></cfdi:Comprobante>`))
	f.Add([]byte(`<a xmlns="http://www.sat.gob.mx/cfd/4" xmlns:b="x"><b:c b:d="&amp;"/>]]></a>`))
	c, err := fiscal.Build(draft(line("1.00", fiscal.IVA16)))
	if err != nil {
		f.Fatal(err)
	}
	sealed, err := fiscal.Seal(c, testCSD(f, escuela.Rfc))
	if err != nil {
		f.Fatal(err)
	}
	f.Add(sealed)
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := fiscal.Parse(data)
		if err != nil {
			return
		}
		before, err := doc.CadenaOriginal()
		if err != nil {
			return
		}
		if !strings.HasPrefix(before, "||") || !strings.HasSuffix(before, "||") || strings.ContainsAny(before, "\t\r") {
			t.Errorf("cadena %q", before)
		}
		doc.Validate(fiscal.Options{Now: noon, Sealed: true})
		_ = doc.VerifySello()
		_ = fiscal.VerificationURL(doc.Comprobante)
	})
}
