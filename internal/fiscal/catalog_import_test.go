package fiscal_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/charmap"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/fiscaltest"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// sheet is a sheet of a workbook of the tests.
type sheet struct {
	name string
	rows [][]string
}

// workbook writes an .xlsx as spreadsheets do: a zip of XML files, with texts inside the cells.
func workbook(t *testing.T, sheets ...sheet) []byte {
	t.Helper()
	var out bytes.Buffer
	z := zip.NewWriter(&out)
	add := func(name, body string) {
		w, err := z.Create(name)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = w.Write([]byte(`<?xml version="1.0" encoding="UTF-8"?>` + body))
	}
	var list, rels strings.Builder
	for i, s := range sheets {
		fmt.Fprintf(&list, `<sheet name="%s" sheetId="%d" r:id="rId%d"/>`, s.name, i+1, i+1)
		fmt.Fprintf(&rels, `<Relationship Id="rId%d" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet%d.xml"/>`, i+1, i+1)
		var rows strings.Builder
		for n, row := range s.rows {
			if row == nil {
				continue
			}
			fmt.Fprintf(&rows, `<row r="%d">`, n+1)
			for c, cell := range row {
				if cell != "" {
					fmt.Fprintf(&rows, `<c r="%c%d" t="inlineStr"><is><t>%s</t></is></c>`, 'A'+c, n+1, strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(cell))
				}
			}
			rows.WriteString("</row>")
		}
		add(fmt.Sprintf("xl/worksheets/sheet%d.xml", i+1), `<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>`+rows.String()+`</sheetData></worksheet>`)
	}
	add("xl/workbook.xml", `<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"><sheets>`+list.String()+`</sheets></workbook>`)
	add("xl/_rels/workbook.xml.rels", `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">`+rels.String()+`</Relationships>`)
	add("xl/styles.xml", `<styleSheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><cellXfs count="1"><xf numFmtId="0"/></cellXfs></styleSheet>`)
	add("xl/sharedStrings.xml", `<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" count="0" uniqueCount="0"></sst>`)
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// metodos is the SAT's sheet of methods of payment, and one more of the test.
func metodos(more ...[]string) sheet {
	return sheet{"c_MetodoPago", append([][]string{{"Catálogo de método de pago."}, nil, {"Versión CFDI", "Versión catálogo", "Revisión"}, {"4.0", "1.0", "0"},
		{"c_MetodoPago", "Descripción", "Fecha inicio de vigencia", "Fecha fin de vigencia"},
		{"PUE", "Pago en una sola exhibición", "01/01/2022"}, {"PPD", "Pago en parcialidades o diferido", "2022-01-01"}}, more...)}
}

func TestReadCatalogs(t *testing.T) {
	t.Parallel()
	own, err := os.ReadFile("catalogs.tsv")
	if err != nil {
		t.Fatal(err)
	}
	csv := "c_MetodoPago;Descripción;Fecha inicio de vigencia;Fecha fin de vigencia\r\nPUE;Pago en una sola exhibición;01/01/2022;\r\nPPD;\"Pago en \"\"parcialidades\"\"\";01/01/2022;31/12/2030\r\n"
	windows, err := charmap.Windows1252.NewEncoder().Bytes([]byte(csv))
	if err != nil {
		t.Fatal(err)
	}
	usos := sheet{"c_UsoCFDI", [][]string{{"c_UsoCFDI", "Descripción", "Aplica para tipo persona", "", "Fecha inicio de vigencia", "Fecha fin de vigencia", "Régimen Fiscal Receptor"}, {"", "", "Física", "Moral"}}}
	for _, e := range fiscal.DefaultCatalogs().List(fiscal.CatUsoCFDI, "") {
		usos.rows = append(usos.rows, []string{e.Key, e.Text, map[bool]string{true: "Sí", false: "No"}[e.Applies(fiscal.PersonaFisica)], map[bool]string{true: "Sí", false: "No"}[e.Applies(fiscal.PersonaMoral)],
			"01/01/2022", "", "601, 603," + e.Properties["regimenes"]})
	}
	for name, c := range map[string]struct {
		data       []byte
		file, says string
		catalog    string
		wrong      string // part of the error
	}{
		"workbook":                 {data: workbook(t, sheet{"Portada", [][]string{{"Catálogos"}}}, metodos([]string{"PXX", "Otro", "01/03/2027", "31/12/2027"}), usos), catalog: fiscal.CatMetodoPago},
		"CSV of Windows":           {data: windows, file: "metodos.csv", catalog: fiscal.CatMetodoPago},
		"CSV with its own name":    {data: []byte("id,texto,vigencia_desde,vigencia_hasta\nPUE,Una,2022-01-01,\nPPD,Otra,2022-01-01,\n"), file: "metodos_pago.csv", catalog: fiscal.CatMetodoPago},
		"CSV that is told":         {data: []byte("id\ttexto\tvigencia_desde\tvigencia_hasta\nPUE\tUna\t2022-01-01\t\nPPD\tOtra\t2022-01-01\t\n"), file: "x.tsv", says: fiscal.CatMetodoPago, catalog: fiscal.CatMetodoPago},
		"the product's own format": {data: []byte("# comment\nc_MetodoPago\tPUE\tUna\t2022-01-01\nc_MetodoPago\tPPD\tOtra\t2022-01-01\n"), file: "own.tsv", catalog: fiscal.CatMetodoPago},

		"rates":              {data: own, file: "catalogs.tsv", wrong: "cannot be imported"},
		"old workbook":       {data: []byte("\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), wrong: "save it as .xlsx"},
		"no workbook":        {data: []byte("PK\x03\x04nothing"), wrong: "workbook cannot be read"},
		"no catalog":         {data: workbook(t, sheet{"Hoja1", [][]string{{"a", "b"}}}), wrong: "no sheet has a heading"},
		"no catalog in CSV":  {data: []byte("a,b\n1,2\n"), file: "x.csv", wrong: "--catalog"},
		"bad date":           {data: workbook(t, metodos([]string{"PXX", "Otro", "2027-13-01"})), wrong: `sheet c_MetodoPago, row 8: key PXX: the first day "2027-13-01" is no date`},
		"period turned over": {data: workbook(t, metodos([]string{"PXX", "Otro", "2027-02-01", "2027-01-01"})), wrong: "row 8: key PXX: its last day 2027-01-01 is before its first"},
		"key twice":          {data: workbook(t, metodos([]string{"PUE", "Otro", "2022-01-01"})), wrong: "key PUE is there twice"},
		"bad key":            {data: workbook(t, metodos([]string{"=1+1", "Otro"})), wrong: `row 8: "=1+1" is no key`},
		"no text":            {data: workbook(t, metodos([]string{"PXX"})), wrong: "row 8: key PXX has no text"},
		"cut off":            {data: workbook(t, sheet{"c_MetodoPago", metodos().rows[:6]}), wrong: "key PPD (Pago en parcialidades o diferido) is missing"},
		"empty sheet":        {data: workbook(t, sheet{"c_MetodoPago", metodos().rows[:5]}), wrong: "no key under the heading"},
		"no texts":           {data: workbook(t, sheet{"c_MetodoPago", [][]string{{"c_MetodoPago", "Versión"}, {"PUE", "1"}}}), wrong: "sheet c_MetodoPago, row 1: no column has the texts"},
		"no persons":         {data: []byte("c_RegimenFiscal,Descripción\n601,General\n"), wrong: "key 601 is neither for physical nor for legal persons"},
		"no decimals":        {data: []byte("c_Moneda,Descripción\nMXN,Peso\n"), wrong: "no number of decimals"},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := fiscal.ReadCatalogs(c.data, c.file, c.says)
			if c.wrong != "" {
				var bad *fiscal.CatalogError
				if !errors.As(err, &bad) || !strings.Contains(err.Error(), c.wrong) {
					t.Errorf("%v, want %q", err, c.wrong)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if !got.Has(c.catalog, "PUE", "2026-11-20") || got.Has(c.catalog, "PUE", "2021-12-31") {
				t.Error("PUE and its first day")
			}
			if name == "workbook" {
				if got.Has(c.catalog, "PXX", "2027-02-28") || !got.Has(c.catalog, "PXX", "2027-03-01") || got.Has(c.catalog, "PXX", "2028-01-01") {
					t.Error("the days of PXX")
				}
				s01, _ := got.Find(fiscal.CatUsoCFDI, "S01", "")
				d01, _ := got.Find(fiscal.CatUsoCFDI, "D01", "")
				if !s01.Applies(fiscal.PersonaMoral) || d01.Applies(fiscal.PersonaMoral) || !strings.HasPrefix(d01.Properties["regimenes"], "601,603,605") {
					t.Errorf("%+v %+v", s01, d01)
				}
			}
		})
	}
}

// The SAT's catalogs as they are published in tables are read whole.
func TestReadPublishedCatalogs(t *testing.T) {
	t.Parallel()
	dir := fiscaltest.SATDir(t)
	for file, want := range map[string]int{"claves_unidades": 2400, "formas_pago": 22, "metodos_pago": 2, "monedas": 170, "regimenes_fiscales": 19, "usos_cfdi": 24, "tipos_relaciones": 7, "periodicidades": 5, "meses": 18,
		"objetos_impuestos": 8, "exportaciones": 4} {
		path := filepath.Join(dir, "catalogs", file+".tsv")
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := fiscal.ReadCatalogs(data, path, "")
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		keys := 0
		for _, name := range []string{fiscal.CatClaveUnidad, fiscal.CatFormaPago, fiscal.CatMetodoPago, fiscal.CatMoneda, fiscal.CatRegimenFiscal, fiscal.CatUsoCFDI, fiscal.CatTipoRelacion, fiscal.CatPeriodicidad, fiscal.CatMeses, fiscal.CatObjetoImp, fiscal.CatExportacion} {
			keys += len(got.List(name, ""))
		}
		if keys < want {
			t.Errorf("%s: %d keys, want at least %d", file, keys, want)
		}
	}
}

// An import takes the place of what came with the product, at once for all processes that ask; the same file again
// changes nothing; a key holds on its days alone.
func TestImportCatalogs(t *testing.T) {
	o := newOffice(t)
	ctx := system(t.Context())
	o.service.CatalogSource = fiscal.NewCatalogSource(o.store, nil)
	other := *o.service // another process
	other.CatalogSource = fiscal.NewCatalogSource(o.store, nil)
	if got := o.service.Catalogs(ctx); got.Has(fiscal.CatUsoCFDI, "S02", "2026-11-20") || !got.Has(fiscal.CatUsoCFDI, "S01", "2026-11-20") {
		t.Error("before")
	}
	lines := strings.Builder{}
	for _, e := range fiscal.DefaultCatalogs().List(fiscal.CatUsoCFDI, "") {
		from, until := e.From, e.Until
		if e.Key == "G03" {
			until = "2026-11-19" // yesterday
		}
		fmt.Fprintf(&lines, "c_UsoCFDI\t%s\t%s\t%s\t%s\tpersonas=FM regimenes=601,603,612\n", e.Key, e.Text, from, until)
	}
	read, err := fiscal.ReadCatalogs([]byte(lines.String()+"c_UsoCFDI\tS02\tNuevo\t2026-11-01\t\tpersonas=FM regimenes=601\n"), "usos.tsv", "")
	o.must(err)
	done, err := o.service.ImportCatalogs(ctx, read, "usos.tsv")
	if err != nil || len(done) != 1 || !done[0].Changed || done[0].Keys != len(read.List(fiscal.CatUsoCFDI, "")) {
		t.Fatal(done, err)
	}
	if again, err := o.service.ImportCatalogs(ctx, read, "usos.tsv"); err != nil || again[0].Changed {
		t.Error("the same file changed something", err)
	}
	for _, s := range []*fiscal.Service{o.service, &other} {
		o.must(s.CatalogSource.Refresh(ctx))
		got := s.Catalogs(ctx)
		if !got.Has(fiscal.CatUsoCFDI, "S02", "2026-11-20") || got.Has(fiscal.CatUsoCFDI, "S02", "2026-10-31") || got.Has(fiscal.CatUsoCFDI, "G03", "2026-11-20") || !got.Has(fiscal.CatUsoCFDI, "G03", "2026-11-19") {
			t.Error("after")
		}
		if e, _ := got.Find(fiscal.CatUsoCFDI, "S01", ""); !e.Offered() {
			t.Error("what forms offer is the product's decision")
		}
		if !got.Has(fiscal.CatFormaPago, "03", "2026-11-20") || !got.Has(fiscal.CatClaveProdServ, "10101500", "2026-11-20") {
			t.Error("the other catalogs are gone")
		}
	}
	// The rules use them: the use that ended yesterday is refused, in the form and before the PAC is asked.
	_, _, err = o.service.SaveFiscalProfile(ctx, fiscal.ProfileInput{ClientID: o.client.ID, Rfc: "URE180429TM6", Nombre: "UNIVERSIDAD ROBOTICA ESPAÑOLA", DomicilioFiscalReceptor: "86991", RegimenFiscalReceptor: "601", UsoCFDI: "G03"})
	if f, ok := fault.As(err); !ok || f.Fields[0].Code != "FISCAL_USO" {
		t.Errorf("the form takes a use that ended: %v", err)
	}
	profile := db.FiscalProfile{ClientID: o.client.ID, Rfc: "URE180429TM6", Nombre: "UNIVERSIDAD ROBOTICA ESPAÑOLA", DomicilioFiscalReceptor: "86991", RegimenFiscalReceptor: "601", UsoCFDI: "G03", Default: true}
	o.must(o.store.SaveFiscalProfile(t.Context(), &profile))
	pac := &counting{Stamper: o.pac}
	o.service.PAC = pac
	invoice := o.issue()
	o.pay(invoice, invoice.Total, "p")
	o.work()
	if row := o.one(invoice); row.Status != db.CFDIStampFailed || pac.calls != 0 || row.Code != "catalog_key_unknown" {
		t.Errorf("%s %s, %d calls", row.Status, row.Code, pac.calls)
	}
	// A bad catalog in a file leaves everything as it was; only commands import.
	if _, err := o.service.ImportCatalogs(access.With(t.Context(), access.Actor{Kind: access.Staff, Staff: 1, Role: access.Admin}), read, "x"); !fault.Is(err, fault.Forbidden) {
		t.Error(err)
	}
	gone, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := o.service.ImportCatalogs(gone, read, "x"); err == nil {
		t.Error("imported without a database")
	}
	if o.service.Catalogs(gone) == nil || !o.service.Catalogs(gone).Has(fiscal.CatUsoCFDI, "S02", "2026-11-20") {
		t.Error("the last catalogs are not in force without a database")
	}
}

// manyKeys are as many keys of products as the SAT has.
func manyKeys(tb testing.TB) *fiscal.Catalogs {
	tb.Helper()
	words := strings.Fields("servicio mantenimiento equipo sistemas cómputo agrícola médico transporte construcción eléctrico químico alimentos animales plantas herramientas instrumentos papel impresión software redes telefonía hospedaje diseño consultoría educación")
	var text strings.Builder
	n := 0
	for i := 10101500; n < 52_000; i += 17 {
		fmt.Fprintf(&text, "c_ClaveProdServ\t%d\t%s de %s para %s y %s\t2022-01-01\n", i, words[i%len(words)], words[i/7%len(words)], words[i/31%len(words)], words[i/101%len(words)])
		n++
	}
	for _, e := range fiscal.DefaultCatalogs().List(fiscal.CatClaveProdServ, "") {
		fmt.Fprintf(&text, "c_ClaveProdServ\t%s\t%s\t2022-01-01\n", e.Key, e.Text)
	}
	c, err := fiscal.LoadCatalogs(strings.NewReader(text.String()))
	if err != nil {
		tb.Fatal(err)
	}
	return fiscal.DefaultCatalogs().With(c)
}

// Searching among 52,000 keys takes some milliseconds. The quickest of some searches counts, because the machine may be
// busy.
func TestSearchKeys(t *testing.T) {
	t.Parallel()
	cat := manyKeys(t)
	for typed, want := range map[string]string{"81112105": "81112105", "8111210": "81112101", "Hospedaje de OPERACION sitios": "81112105", "nombres dominio": "81112107", "sitios web diseño": "81112103"} {
		got := cat.Search(fiscal.CatClaveProdServ, typed, "2026-11-20", 20)
		found := false
		for _, e := range got {
			found = found || e.Key == want
		}
		if !found {
			t.Errorf("%q: no %s in %d keys", typed, want, len(got))
		}
	}
	if got := cat.Search(fiscal.CatClaveProdServ, "81112105", "", 20); len(got) != 1 {
		t.Errorf("%d keys", len(got))
	}
	if got := cat.Search(fiscal.CatClaveProdServ, "zzzz", "", 20); len(got) != 0 {
		t.Errorf("%v", got)
	}
	if got := cat.Search(fiscal.CatClaveProdServ, "  ", "", 20); len(got) != 20 {
		t.Errorf("%d keys for nothing", len(got))
	}
	var took []time.Duration
	for range 21 {
		began := time.Now()
		cat.Search(fiscal.CatClaveProdServ, "servicio de hospedaje", "2026-11-20", 20)
		took = append(took, time.Since(began))
	}
	quickest := took[0]
	for _, d := range took {
		quickest = min(quickest, d)
	}
	t.Logf("the quickest of 21 searches among %d keys took %s", len(cat.List(fiscal.CatClaveProdServ, "")), quickest)
	if quickest > 100*time.Millisecond {
		t.Errorf("a search takes %s", quickest)
	}
}

// everyPostalCode is a file of as many postal codes as the SAT has, in the form of its sheet.
func everyPostalCode(n int) string {
	var text strings.Builder
	text.WriteString("c_CodigoPostal,c_Estado,c_Municipio,c_Localidad,Estímulo Franja Fronteriza,Fecha inicio de vigencia,Fecha fin de vigencia\n")
	for i := range n {
		border := 0
		if code := 1000 + i; code/1000 == 22 {
			border = 1
		} else if code/1000 == 77 {
			border = 2
		}
		fmt.Fprintf(&text, "%05d,%s,%03d,,%d,2022-01-01,%s\n", 1000+i, []string{"CMX", "HID", "QUE", "NLE"}[i/25_000], i%570, border, map[bool]string{true: "2026-10-31"}[i == 41_501])
	}
	return text.String()
}

// Countries, postal codes and types of document have no list here until they are imported; then only theirs are valid, on
// the days on which they are in force.
func TestImportPlaces(t *testing.T) {
	o := newOffice(t)
	ctx := system(t.Context())
	o.service.CatalogSource = fiscal.NewCatalogSource(o.store, nil)
	before := o.service.Catalogs(ctx)
	for _, key := range []string{"42501", "99999"} {
		if !before.Has(fiscal.CatCodigoPostal, key, "2026-11-20") {
			t.Error(key)
		}
	}
	if before.Has(fiscal.CatCodigoPostal, "4250", "") || !before.Has(fiscal.CatPais, "USA", "") || before.Has(fiscal.CatPais, "ZZX", "") {
		t.Error("before")
	}
	var wrong *fiscal.CatalogError
	if _, err := fiscal.ReadCatalogs([]byte(everyPostalCode(20_000)), "codigos.csv", ""); !errors.As(err, &wrong) || !strings.Contains(wrong.Reason, "not complete") {
		t.Errorf("a file that was cut off: %v", err)
	}
	codes, err := fiscal.ReadCatalogs([]byte(everyPostalCode(95_000)), "codigos.csv", "")
	o.must(err)
	countries, err := fiscal.ReadCatalogs(fiscaltest.Read(t, "catalogs", "paises.tsv"), "paises.tsv", "")
	o.must(err)
	kinds, err := fiscal.ReadCatalogs(fiscaltest.Read(t, "catalogs", "tipos_comprobantes.tsv"), "tipos_comprobantes.tsv", "")
	o.must(err)
	for name, read := range map[string]*fiscal.Catalogs{"codigos.csv": codes, "paises.tsv": countries, "tipos_comprobantes.tsv": kinds} {
		if done, err := o.service.ImportCatalogs(ctx, read, name); err != nil || len(done) != 1 || !done[0].Changed {
			t.Fatal(done, err)
		}
	}
	o.must(o.service.CatalogSource.Refresh(ctx))
	after := o.service.Catalogs(ctx)
	for _, c := range []struct {
		catalog, key, day string
		want              bool
	}{
		{fiscal.CatCodigoPostal, "42500", "2026-11-20", true}, {fiscal.CatCodigoPostal, "42501", "2026-10-31", true}, {fiscal.CatCodigoPostal, "42501", "2026-11-20", false},
		{fiscal.CatCodigoPostal, "99999", "2026-11-20", false}, {fiscal.CatPais, "USA", "", true}, {fiscal.CatPais, "ZZX", "", false}, {fiscal.CatTipoDeComprobante, "I", "2026-11-20", true},
	} {
		if after.Has(c.catalog, c.key, c.day) != c.want {
			t.Errorf("%+v", c)
		}
	}
	// The forms and the rules use them: the issuer's own postal code ended in October, and 99999 never was one.
	if _, err := o.service.SaveIssuer(ctx, kemper); !refusedAt(err, "lugarExpedicion") {
		t.Errorf("the issuer's postal code: %v", err)
	}
	_, _, err = o.service.SaveFiscalProfile(ctx, fiscal.ProfileInput{ClientID: o.client.ID, Rfc: "URE180429TM6", Nombre: "UNIVERSIDAD ROBOTICA ESPAÑOLA", DomicilioFiscalReceptor: "99999", RegimenFiscalReceptor: "601", UsoCFDI: "G03"})
	if !refusedAt(err, "domicilioFiscalReceptor") {
		t.Errorf("the client's postal code: %v", err)
	}
	c, err := fiscal.Build(draft(line("1000.00", fiscal.IVA16)))
	o.must(err)
	c.Receptor.DomicilioFiscalReceptor = "99999"
	vs := fiscal.Validate(c, fiscal.Options{Catalogs: after})
	wantCode(t, vs, "postal_code_unknown")
	wantCode(t, vs, "catalog_key_unknown")
}

func refusedAt(err error, path string) bool {
	f, ok := fault.As(err)
	return ok && len(f.Fields) > 0 && f.Fields[0].Path == path
}

// TestCatalogMemory: what all keys of products and postal codes of the SAT take of a process (docs/performance.md).
func TestCatalogMemory(t *testing.T) {
	var before, after runtime.MemStats
	text := everyPostalCode(95_000)
	runtime.GC()
	runtime.ReadMemStats(&before)
	codes, err := fiscal.ReadCatalogs([]byte(text), "codigos.csv", "")
	if err != nil {
		t.Fatal(err)
	}
	all := manyKeys(t).With(codes)
	codes = nil
	runtime.GC()
	runtime.ReadMemStats(&after)
	heap := float64(after.HeapAlloc-before.HeapAlloc) / (1 << 20)
	t.Logf("%.1f MB of %d products and %d postal codes", heap, len(all.List(fiscal.CatClaveProdServ, "")), len(all.List(fiscal.CatCodigoPostal, "")))
	if heap > 80 {
		t.Errorf("%.1f MB", heap)
	}
	runtime.KeepAlive(all)
	_ = codes
}

// IVA of 8 % is for places of issue in the border regions alone, once the catalog says which they are: the document is
// refused before the PAC sees it, with the field and what to change.
func TestBorderRate(t *testing.T) {
	o := newOffice(t)
	ctx := system(t.Context())
	o.service.CatalogSource = fiscal.NewCatalogSource(o.store, nil)
	calls := &counting{Stamper: o.pac}
	o.service.PAC = calls
	o.profile()
	codes, err := fiscal.ReadCatalogs([]byte(everyPostalCode(95_000)), "codigos.csv", "")
	o.must(err)
	stamp := func(lugar string) db.CFDI {
		t.Helper()
		in := kemper
		in.LugarExpedicion = lugar
		_, err := o.service.SaveIssuer(ctx, in)
		o.must(err)
		invoice := o.issue(billing.LineInput{Description: "Hospedaje", Quantity: money.Int(1), UnitPrice: money.Must("1499.00"), Treatment: billing.IVA8})
		row, err := o.service.RequestCFDI(ctx, fiscal.RequestInput{InvoiceID: invoice.ID})
		o.must(err)
		o.must(o.service.Stamp(ctx, fiscal.StampJob{CFDI: row.ID}))
		row, err = o.service.Document(ctx, row.ID)
		o.must(err)
		return row
	}
	if row := stamp("06000"); row.Status != db.CFDIStamped { // which postal codes they are is not known yet
		t.Error("before the catalog:", row.Code, row.Message)
	}
	_, err = o.service.ImportCatalogs(ctx, codes, "codigos.csv")
	o.must(err)
	o.must(o.service.CatalogSource.Refresh(ctx))
	for _, lugar := range []string{"22100", "77000"} {
		if row := stamp(lugar); row.Status != db.CFDIStamped {
			t.Error(lugar, row.Code, row.Message)
		}
	}
	before := calls.calls
	row := stamp("06000")
	if row.Status != db.CFDIStampFailed || row.Code != "iva8_outside_border" || row.Folio != 0 || calls.calls != before ||
		!strings.Contains(row.Message, "06000") || !strings.Contains(row.Message, "16 %") || strings.Contains(row.Message, "%%") {
		t.Error(row.Status, row.Code, row.Message)
	}
	c, err := fiscal.Build(draft(line("1000.00", fiscal.IVA8)))
	o.must(err)
	c.LugarExpedicion = "06000"
	for _, v := range fiscal.Validate(c, fiscal.Options{Catalogs: o.service.Catalogs(ctx)}) {
		if v.Code == "iva8_outside_border" && !strings.HasSuffix(v.Path, "/Impuestos/Traslado[1]@TasaOCuota") {
			t.Error(v.Path)
		}
	}
}
