package billing

import (
	"bytes"
	"flag"
	"fmt"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/internal/pdf"
	"github.com/nubedigitalmx/avisa/internal/pdf/pdftest"
)

var update = flag.Bool("update", false, "rewrite the golden images")

// aLogo is a drawn mark with transparent surroundings.
func aLogo() *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, 240, 80))
	for y := range 80 {
		for x := range 240 {
			if dx, dy := x-40, y-40; dx*dx+dy*dy < 36*36 && (dx > 6 || dy < -4) || x > 90 && (y/12)%2 == 1 && x < 90+150-y {
				img.Set(x, y, color.NRGBA{0x0f, 0x76, 0x6e, 255})
			}
		}
	}
	return img
}

func asPNG(img image.Image) []byte {
	var b bytes.Buffer
	_ = png.Encode(&b, img)
	return b.Bytes()
}

// paper is an invoice with its lines, as it is read from the database.
type paper struct {
	row   db.Invoice
	lines []db.InvoiceLine
}

// aPaper is an open invoice of 2,143.68 MXN, due on the last of November, with a line for each
// description.
func aPaper(descriptions ...string) paper {
	if len(descriptions) == 0 {
		descriptions = []string{"Hospedaje web Plan Negocio", "Dominio ferreteria-pena.example", "Correo empresarial"}
	}
	p := paper{row: db.Invoice{ID: 7, ClientID: 42, Number: "F-1042", Status: db.InvoiceIssued, Currency: money.MXN, ExchangeRate: money.Int(1),
		IssueDate: "2026-11-01", DueDate: "2026-11-30", CreatedAt: time.Date(2026, 11, 1, 18, 4, 5, 0, time.UTC), Notes: "Gracias por su preferencia.",
		ClientSnapshot: db.Client{Name: "Ferretería Peña & Ñúñez", TaxID: "URE180429TM6", Email: "pagos@ferreteria-pena.example", Language: "es-MX",
			Timezone: "America/Mexico_City", Address1: "Calle Ocho 12", City: "Actopan", State: "Hidalgo", Postcode: "42501"},
		IssuerSnapshot: db.Company{Name: "Hospedaje Cumbre Azul", LegalName: "HOSPEDAJE CUMBRE AZUL", TaxID: "EKU9003173C9", Email: "cobranza@cumbre-azul.example",
			Website: "cumbre-azul.example", Address: "Av. de los Volcanes 118, Col. Centro, 42501 Actopan, Hidalgo", BrandColour: "#0f766e",
			CLABE: "032180000118359719", PaymentDetails: "Transfiera el importe exacto y escriba la referencia en el concepto."}}}
	prices := []string{"899.00", "349.00", "600.00"}
	for i, description := range descriptions {
		price := money.Must(prices[i%len(prices)])
		amount, _ := price.Minor(money.MXN)
		p.lines = append(p.lines, db.InvoiceLine{Description: description, Quantity: money.Int(1), UnitPrice: price, Amount: amount, Treatment: string(IVA16)})
	}
	p.lines[0].PeriodStart, p.lines[0].PeriodEnd = "2026-11-01", "2026-12-01"
	totals, err := Compute(TaxDocumentOf(money.MXN, p.lines))
	if err != nil {
		panic(err)
	}
	p.row.Subtotal, p.row.Tax, p.row.Total, p.row.Balance = totals.SubTotal, totals.TotalTraslados, totals.Total, totals.Total
	return p
}

func (p paper) with(change func(row *db.Invoice)) paper {
	change(&p.row)
	p.row.Balance = p.row.Total - p.row.Paid - p.row.Credited
	return p
}

func (p paper) file(t testing.TB, today date.Date) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := pdf.Render(&b, document(p.row, p.lines, today)); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// The invoice as people get it, in each of its states: text, metadata and a picture of the page.
func TestInvoicePDF(t *testing.T) {
	logo := func(row *db.Invoice) { row.IssuerSnapshot.Logo = asPNG(aLogo()) }
	english := func(row *db.Invoice) { row.ClientSnapshot.Language = "en" }
	pay := func(row *db.Invoice) { row.Status, row.Paid = db.InvoicePaid, row.Total }
	many := make([]string, 60)
	for i := range many {
		many[i] = fmt.Sprintf("Buzón de correo %02d", i+1)
	}
	transfer := []string{"032180000118359719", PaymentReference(42), "F-1042"}
	for _, c := range []struct {
		name  string
		paper paper
		today date.Date // "" is before it is due
		page  int
		says  []string
		lacks []string
	}{
		{"logo", aPaper().with(logo), "", 1, append([]string{"Factura", "Por pagar", "Pague a más tardar el 30 nov 2026", "$2,143.68", "DOS MIL CIENTO CUARENTA Y TRES PESOS 68/100 M.N."}, transfer...), nil},
		{"pages", aPaper(many...).with(logo), "", 2, []string{"DESCRIPCIÓN", "Página 2 de"}, nil},
		{"draft", aPaper().with(func(row *db.Invoice) { row.Status, row.Number = db.InvoiceDraft, "" }), "", 1, []string{"Borrador"}, []string{"CLABE", "Pague"}},
		{"paid", aPaper().with(logo).with(pay), "", 1, []string{"Pagada", "por completo"}, []string{"CLABE"}},
		{"overdue", aPaper().with(logo), "2026-12-04", 1, append([]string{"Vencida", "Venció el 30 nov 2026"}, transfer...), []string{"Pague a más"}},
		{"written-off", aPaper().with(func(row *db.Invoice) { row.Status = db.InvoiceWrittenOff }), "2026-12-04", 1, []string{"Total"}, []string{"CLABE", "Pague", "Vencida", "Cancelada", "CANCELADA"}},
		{"english-overdue", aPaper().with(english), "2026-12-04", 1, []string{"Overdue", "Was due on Nov 30, 2026"}, []string{"Vencida", "Pay by"}},
		{"partly-paid", aPaper().with(func(row *db.Invoice) { row.Status, row.Paid = db.InvoicePartlyPaid, 100000 }), "", 1, []string{"$1,143.68"}, nil},
		{"cancelled", aPaper().with(func(row *db.Invoice) { row.Status = db.InvoiceCancelled }), "", 1, []string{"Cancelada"}, []string{"CLABE", "Pague"}},
		{"english", aPaper().with(logo).with(english), "", 1, append([]string{"Invoice", "TWO THOUSAND ONE HUNDRED FORTY-THREE", "Subtotal"}, transfer...), []string{"Factura"}},
		{"dollars", aPaper().with(func(row *db.Invoice) {
			row.Currency, row.ExchangeRate, row.RateSource = "USD", money.Must("18.4215"), "DOF"
		}), "", 1, []string{"18.4215", "DÓLARES", "USD"}, nil},
		{"long-names", aPaper(strings.Repeat("Servicio administrado de respaldo y monitoreo ", 6), strings.Repeat("0123456789", 12), "Correo").with(func(row *db.Invoice) {
			row.ClientSnapshot.Name = strings.Repeat("Sociedad de Producción Rural Ñandú ", 7)
			row.IssuerSnapshot.Name = strings.Repeat("Hospedaje Cumbre Azul ", 4)
			row.ClientSnapshot.Email = strings.Repeat("a", 60) + "@" + strings.Repeat("b", 60) + ".example"
		}), "", 1, []string{"$2,143.68"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.today == "" {
				c.today = "2026-11-20"
			}
			file := c.paper.file(t, c.today)
			if again := c.paper.file(t, c.today); !bytes.Equal(file, again) {
				t.Error("the bytes differ from one time to the next")
			}
			text := pdftest.Text(t, file)
			flat := strings.Join(strings.Fields(text), " ")
			for _, want := range c.says {
				if !strings.Contains(flat, want) {
					t.Errorf("lacks %q:\n%s", want, text)
				}
			}
			for _, unwanted := range c.lacks {
				if strings.Contains(flat, unwanted) {
					t.Errorf("says %q:\n%s", unwanted, text)
				}
			}
			lang, title := c.paper.row.ClientSnapshot.Language, "Factura "+c.paper.row.Number
			if lang == "en" {
				title = "Invoice " + c.paper.row.Number
			}
			if info := string(pdftest.Run(t, "pdfinfo", file, "-")); !strings.Contains(info, strings.TrimSpace(title)) || !strings.Contains(info, c.paper.row.IssuerSnapshot.Name[:20]) {
				t.Errorf("no title or author:\n%s", info)
			}
			if !bytes.Contains(file, []byte("/Lang")) || !bytes.Contains(file, []byte("<rdf:li>"+lang+"</rdf:li>")) {
				t.Error("the language is not said")
			}
			pdftest.Golden(t, c.name, pdftest.Raster(t, file, c.page, 50), *update)
		})
	}
}

// Five hundred lines are printed once each, under a header on every page.
func TestInvoicePDFLong(t *testing.T) {
	descriptions := make([]string, 500)
	for i := range descriptions {
		descriptions[i] = fmt.Sprintf("Buzón de correo %04d", i+1)
	}
	p := aPaper(descriptions...).with(func(row *db.Invoice) { row.IssuerSnapshot.Logo = asPNG(aLogo()) })
	start := time.Now()
	file := p.file(t, "2026-11-20")
	took := time.Since(start)
	text := pdftest.Text(t, file)
	pages := strings.Count(text, "\f")
	for _, description := range descriptions {
		if n := strings.Count(text, description); n != 1 {
			t.Fatalf("%s is printed %d times", description, n)
		}
	}
	if headers := strings.Count(text, "DESCRIPCIÓN"); headers < pages-1 || headers > pages {
		t.Errorf("%d headers on %d pages", headers, pages)
	}
	t.Logf("500 lines: %d pages, %d kB, %v", pages, len(file)>>10, took)
}

// BenchmarkInvoicePDF draws an invoice of ten lines from its rows, with a logo of the largest size and without one.
func BenchmarkInvoicePDF(b *testing.B) {
	large := image.NewNRGBA(image.Rect(0, 0, MaxLogoSide, MaxLogoSide/4))
	for i := range large.Pix {
		large.Pix[i] = byte(i / 997)
	}
	var photo bytes.Buffer
	_ = jpeg.Encode(&photo, large, nil)
	for _, c := range []struct {
		name string
		logo []byte
	}{{"no logo", nil}, {"logo", asPNG(aLogo())}, {"2000 x 500 PNG", asPNG(large)}, {"2000 x 500 JPEG", photo.Bytes()}} {
		p := aPaper("1", "2", "3", "4", "5", "6", "7", "8", "9", "10").with(func(row *db.Invoice) { row.IssuerSnapshot.Logo = c.logo })
		b.Run(c.name, func(b *testing.B) {
			p.file(b, "2026-11-20") // also loads the fonts and the logo
			b.ReportAllocs()
			for b.Loop() {
				if err := pdf.Render(io.Discard, document(p.row, p.lines, "2026-11-20")); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
