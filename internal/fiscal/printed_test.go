package fiscal_test

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/qrcode"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/fiscaltest"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/internal/pdf/pdftest"
)

// squeeze takes away what a page adds to a text or takes from it: line breaks, commas of thousands, hyphens at the end of
// a line.
func squeeze(text string) string {
	return strings.NewReplacer(",", "", "-", "").Replace(strings.Join(strings.Fields(text), ""))
}

// wanted is everything that the law asks of the printed representation of a document (CFF 29-A, RMF 2.7.1.7), as far as
// the document has it, by name.
func wanted(c *fiscal.Comprobante) map[string]string {
	cat, stamp := fiscal.DefaultCatalogs(), c.Timbre()
	w := map[string]string{
		"RFC of the issuer": c.Emisor.Rfc, "name of the issuer": c.Emisor.Nombre, "regime of the issuer": cat.Label(fiscal.CatRegimenFiscal, c.Emisor.RegimenFiscal), "place": c.LugarExpedicion,
		"date and time": strings.Replace(c.Fecha, "T", " ", 1), "series and folio": c.Serie + " " + c.Folio, "folio fiscal": stamp.UUID,
		"RFC of the receiver": c.Receptor.Rfc, "name of the receiver": c.Receptor.Nombre, "postal code of the receiver": c.Receptor.DomicilioFiscalReceptor,
		"regime of the receiver": cat.Label(fiscal.CatRegimenFiscal, c.Receptor.RegimenFiscalReceptor), "use": cat.Label(fiscal.CatUsoCFDI, c.Receptor.UsoCFDI), "residence": c.Receptor.ResidenciaFiscal,
		"kind": cat.Label(fiscal.CatTipoDeComprobante, c.TipoDeComprobante), "currency": cat.Label(fiscal.CatMoneda, c.Moneda), "exchange rate": string(c.TipoCambio),
		"form of payment": strings.TrimSpace(cat.Label(fiscal.CatFormaPago, c.FormaPago)), "method of payment": cat.Label(fiscal.CatMetodoPago, c.MetodoPago), "export": cat.Label(fiscal.CatExportacion, c.Exportacion),
		"certificate of the issuer": c.NoCertificado, "certificate of the SAT": stamp.NoCertificadoSAT, "certified": strings.Replace(stamp.FechaTimbrado, "T", " ", 1), "PAC": stamp.RfcProvCertif,
		"seal of the CFDI": stamp.SelloCFD, "seal of the SAT": stamp.SelloSAT, "original string": fiscal.CadenaTFD(stamp), "sentence": "Este documento es una representación impresa de un CFDI",
	}
	for _, r := range c.CfdiRelacionados {
		for _, x := range r.CfdiRelacionado {
			w["related "+x.UUID], w["relation of "+x.UUID] = x.UUID, cat.Label(fiscal.CatTipoRelacion, r.TipoRelacion)
		}
	}
	if g := c.InformacionGlobal; g != nil {
		w["period"], w["months"], w["year"] = cat.Label(fiscal.CatPeriodicidad, g.Periodicidad), cat.Label(fiscal.CatMeses, g.Meses), g.Año
	}
	if pagos := c.Pagos(); pagos != nil {
		for _, p := range pagos.Pago {
			w["date of payment"], w["form"], w["amount"], w["operation"] = p.FechaPago[:10], cat.Label(fiscal.CatFormaPago, p.FormaDePagoP), string(p.Monto), p.NumOperacion
			for _, d := range p.DoctoRelacionado {
				w["paid "+d.IdDocumento], w["folio of "+d.IdDocumento], w["instalment of "+d.IdDocumento] = d.IdDocumento, d.Folio, d.NumParcialidad
				w["balance before of "+d.IdDocumento], w["paid of "+d.IdDocumento], w["balance after of "+d.IdDocumento] = string(d.ImpSaldoAnt), string(d.ImpPagado), string(d.ImpSaldoInsoluto)
				if d.ImpuestosDR == nil {
					continue
				}
				for _, tax := range d.ImpuestosDR.TrasladosDR {
					w["tax "+string(tax.TasaOCuotaDR)+" of "+d.IdDocumento] = string(tax.BaseDR) + " → " + string(tax.ImporteDR)
				}
				for _, tax := range d.ImpuestosDR.RetencionesDR {
					w["withheld "+tax.ImpuestoDR+" of "+d.IdDocumento] = string(tax.ImporteDR)
				}
			}
		}
		return w
	}
	w["subtotal"], w["discount"], w["total"], w["in words"] = string(c.SubTotal), string(c.Descuento), string(c.Total), "/100"
	for _, x := range c.Conceptos {
		of := " of " + x.Descripcion
		w["description"+of], w["quantity"+of], w["unit price"+of], w["amount"+of] = x.Descripcion, string(x.Cantidad), strings.TrimRight(strings.TrimRight(string(x.ValorUnitario), "0"), "."), string(x.Importe)
		if c.InformacionGlobal != nil {
			w["receipt"+of+" "+x.NoIdentificacion], w["title"] = x.NoIdentificacion, "Factura global"
		}
		w["product"+of], w["unit"+of], w["taxable"+of] = cat.Label(fiscal.CatClaveProdServ, x.ClaveProdServ), cat.Label(fiscal.CatClaveUnidad, x.ClaveUnidad), cat.Label(fiscal.CatObjetoImp, x.ObjetoImp)
		w["discount"+of] = string(x.Descuento)
	}
	if c.Impuestos != nil {
		for _, tax := range c.Impuestos.Traslados {
			w["tax "+string(tax.TasaOCuota)] = string(tax.Importe)
		}
		for _, tax := range c.Impuestos.Retenciones {
			w["withheld "+tax.Impuesto] = string(tax.Importe)
		}
	}
	return w
}

// Every kind of document has on paper what the law asks for; its QR code leads to the SAT, read from the picture of the
// page by somebody else's reader; its XML is inside byte for byte.
func TestPrintedRepresentation(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(fiscaltest.SATDir(t), "samples", "own")
	files, err := filepath.Glob(filepath.Join(dir, "*.xml"))
	if err != nil || len(files) < 14 {
		t.Fatal(files, err)
	}
	for _, tool := range []string{"pdftotext", "pdftoppm", "pdfdetach"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(tool + " is not installed (poppler-utils)")
		}
	}
	company := db.Company{Name: "Nube Ejemplo", Email: "cobranza@nube.example", BrandColour: "#0f766e"}
	at := time.Date(2026, 11, 20, 18, 0, 0, 0, time.UTC)
	for _, file := range files {
		for _, status := range []string{db.CFDIStamped, db.CFDICancelled} {
			name := strings.TrimSuffix(filepath.Base(file), ".xml") + "/" + status
			if status == db.CFDICancelled && !strings.HasPrefix(name, "01") {
				continue
			}
			if testing.Short() && !slices.Contains([]string{"01", "04", "08", "10", "11", "13"}, name[:2]) { // one of each kind
				continue
			}
			t.Run(name, func(t *testing.T) {
				t.Parallel()
				xml, err := os.ReadFile(file)
				if err != nil {
					t.Fatal(err)
				}
				row := db.CFDI{XML: xml, Status: status}
				if status == db.CFDICancelled {
					row.CancelledAt = &at
				}
				printed, err := fiscal.Print(row, company, "es-MX", nil)
				if err != nil {
					t.Fatal(err)
				}
				doc, err := fiscal.Parse(xml)
				if err != nil {
					t.Fatal(err)
				}
				c := doc.Comprobante
				path := filepath.Join(t.TempDir(), "printed.pdf")
				if err := os.WriteFile(path, printed, 0o600); err != nil {
					t.Fatal(err)
				}
				out, err := exec.Command("pdftotext", path, "-").Output()
				if err != nil {
					t.Fatal(err)
				}
				text := squeeze(string(out))
				for what, want := range wanted(c) {
					if !strings.Contains(text, squeeze(want)) {
						t.Errorf("%s is missing: %q", what, want)
					}
				}
				if got := strings.Contains(strings.ToUpper(text), "CANCELAD"); got != (status == db.CFDICancelled) {
					t.Errorf("it says that it is cancelled: %v", got)
				}
				if status == db.CFDICancelled && !strings.Contains(text, squeeze("2026-11-20")) {
					t.Error("the day of the cancellation is missing")
				}
				if fiscal.SinValidez(c) && !strings.Contains(text, squeeze("sin validez fiscal")) {
					t.Error("nothing says that it is a test")
				}
				attached := filepath.Join(filepath.Dir(path), "attached.xml")
				if b, err := exec.Command("pdfdetach", "-save", "1", "-o", attached, path).CombinedOutput(); err != nil {
					t.Fatalf("%v: %s", err, b)
				}
				if got, err := os.ReadFile(attached); err != nil || !bytes.Equal(got, xml) {
					t.Error("the XML inside is another one", err)
				}
				readQR(t, printed, fiscal.VerificationURL(c))
			})
		}
	}
}

// readQR looks for the code on the pages and holds its text and its size against the SAT's.
func readQR(t *testing.T, printed []byte, want string) {
	t.Helper()
	const dpi = 200
	read := func(page int) (*gozxing.Result, error) {
		bits, err := gozxing.NewBinaryBitmapFromImage(pdftest.Raster(t, printed, page, dpi))
		if err != nil {
			t.Fatal(err)
		}
		return qrcode.NewQRCodeReader().Decode(bits, map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true})
	}
	code, err := read(1)
	if err != nil { // a longer document has it on the next page
		code, err = read(2)
	}
	if err != nil {
		t.Fatalf("the QR code cannot be read: %v", err)
	}
	if code.GetText() != want {
		t.Errorf("the QR code says %q, want %q", code.GetText(), want)
	}
	// The centres of the finder patterns are seven modules less than the side apart.
	points := code.GetResultPoints()
	across := gozxing.ResultPoint_Distance(points[1], points[2])
	if cm := across / dpi * 2.54; cm < 2.75*0.8 {
		t.Errorf("the finder patterns are %.2f cm apart", cm)
	}
}

// papers are documents of the golden images: what is on paper for the most that a document can be.
func papers(t *testing.T) map[string]db.CFDI {
	t.Helper()
	stamp := time.Date(2026, 11, 20, 18, 30, 0, 0, time.UTC)
	// The seal, the certificate and the stamp are other ones each time; on the images they are the same.
	fixed := func(c *fiscal.Comprobante) db.CFDI {
		long := strings.Repeat("Ab3/", 85) + "fE9="
		c.NoCertificado, c.Certificado, c.Sello = "30001000000500003416", "TUlJ", long
		if c.Complemento == nil {
			c.Complemento = &fiscal.Complemento{}
		}
		c.Complemento.TimbreFiscalDigital = &fiscal.TimbreFiscalDigital{Version: "1.1", UUID: "DC55E6A9-2329-5352-8FD9-5B73CE21FF44", FechaTimbrado: "2026-11-20T12:00:00",
			RfcProvCertif: "SPR190613I52", SelloCFD: long, NoCertificadoSAT: "30001000000500003456", SelloSAT: long}
		var b strings.Builder
		b.Write(write(c.Node()))
		return db.CFDI{XML: []byte(b.String()), Status: db.CFDIStamped}
	}
	build := func(change func(*fiscal.Draft), lines ...fiscal.Line) db.CFDI {
		d := draft(lines...)
		if change != nil {
			change(&d)
		}
		c, err := fiscal.Build(d)
		if err != nil {
			t.Fatal(err)
		}
		return fixed(c)
	}
	many := func(n int) []fiscal.Line {
		rows := make([]fiscal.Line, n)
		for i := range rows {
			rows[i] = line([]string{"1499.00", "349.00", "12931.03"}[i%3], []fiscal.IVA{fiscal.IVA16, fiscal.IVA16, fiscal.IVA0}[i%3])
		}
		return rows
	}
	long := line("1499.00", fiscal.IVA16)
	long.Descripcion = string([]rune(strings.Repeat("Hospedaje de ñandú & compañía con servicios incluidos ", 30))[:1000])
	cancelled := build(nil, many(2)...)
	cancelled.Status, cancelled.CancelledAt = db.CFDICancelled, &stamp
	e := newEnv(t, sandbox.Config{})
	invoice := e.ppd("papel", nil, line("12931.03", fiscal.IVA16))
	receipt, err := fiscal.BuildPago(pagoDraft(transfer(500000, paid(invoice, 500000))))
	if err != nil {
		t.Fatal(err)
	}
	for i := range receipt.Complemento.Pagos.Pago[0].DoctoRelacionado {
		receipt.Complemento.Pagos.Pago[0].DoctoRelacionado[i].IdDocumento = "0A1B2C3D-4E5F-4A6B-8C7D-9E0F1A2B3C4D"
	}
	return map[string]db.CFDI{
		"ten lines":   build(nil, many(10)...),
		"fifty lines": build(nil, many(50)...),
		"long names": build(func(d *fiscal.Draft) {
			d.Receptor.Nombre = strings.TrimSpace(strings.Repeat("SOCIEDAD DE PRODUCCIÓN RURAL ÑANDÚ ", 7))
			d.Emisor.Nombre = strings.TrimSpace(strings.Repeat("HOSPEDAJE CUMBRE AZUL DEL NORTE ", 4))
		}, long),
		"cancelled": cancelled,
		"receipt":   fixed(receipt),
		"dollars": build(func(d *fiscal.Draft) {
			d.Moneda, d.TipoCambio = money.USD, money.Must("18.4521")
			d.Receptor = fiscal.Extranjero("ACME HOSTING LLC", "USA", lugar)
		}, line("49.99", fiscal.IVA16), line("1250.50", fiscal.IVA0)),
	}
}

// TestPaper compares each page with what was looked at.
func TestPaper(t *testing.T) {
	company := db.Company{Name: "Nube Ejemplo", Email: "cobranza@nube.example", BrandColour: "#0f766e", Address: "Av. de los Volcanes 118, Col. Centro, 42501 Actopan, Hidalgo"}
	for name, row := range papers(t) {
		t.Run(name, func(t *testing.T) {
			printed, err := fiscal.Print(row, company, "es-MX", nil)
			if err != nil {
				t.Fatal(err)
			}
			name = strings.ReplaceAll(name, " ", "-")
			pdftest.Golden(t, name, pdftest.Raster(t, printed, 1, 50), *update)
			if strings.HasPrefix(name, "fifty") {
				pdftest.Golden(t, name+"-2", pdftest.Raster(t, printed, 2, 50), *update)
			}
		})
	}
}
