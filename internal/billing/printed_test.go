package billing

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/internal/pdf"
	"github.com/nubedigitalmx/avisa/internal/pdf/pdftest"
)

// aNote takes a line of an invoice back.
func aNote(p paper) pdf.Document {
	return creditNoteDocument(db.CreditNote{Number: "NC-7", Currency: money.MXN, ExchangeRate: money.Int(1), IssueDate: "2026-11-15", Subtotal: 34900, Tax: 5584, Total: 40484,
		Reason: "El dominio se registró con otro proveedor.", ClientSnapshot: p.row.ClientSnapshot, IssuerSnapshot: p.row.IssuerSnapshot, CreatedAt: time.Date(2026, 11, 15, 18, 0, 0, 0, time.UTC),
		Lines: []db.CreditLine{{Description: "Dominio ferreteria-pena.example", Quantity: money.Int(1), UnitPrice: money.Int(349), Amount: 34900, Treatment: string(IVA16)}}}, p.row.Number)
}

// aStatement is a client's account with a charge, a payment and a credit note.
func aStatement(p paper) pdf.Document {
	return statementDocument(Statement{Client: p.row.ClientSnapshot, Currency: money.MXN, From: "2026-11-01", To: "2026-11-30", Charges: 214368, Payments: 140484, Balance: 73884, Rows: []db.StatementRow{
		{Day: "2026-11-01", Kind: "invoice", Reference: "F-1042", Charge: 214368, Balance: 214368},
		{Day: "2026-11-10", Kind: "payment", Reference: "SPEI 8846", Payment: 100000, Balance: 114368},
		{Day: "2026-11-15", Kind: "credit_note", Reference: "NC-7", Payment: 40484, Balance: 73884}}}, p.row.IssuerSnapshot)
}

func rendered(t *testing.T, doc pdf.Document) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := pdf.Render(&out, doc); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// Credit notes and statements look as their pictures do, in both languages, and say in words what they are.
func TestPrintedDocuments(t *testing.T) {
	spanish := aPaper().with(func(row *db.Invoice) { row.IssuerSnapshot.Logo = asPNG(aLogo()) })
	english := spanish.with(func(row *db.Invoice) { row.ClientSnapshot.Language = "en" })
	for _, c := range []struct {
		name string
		doc  pdf.Document
		says []string
	}{
		{"credit-note", aNote(spanish), []string{"Nota de crédito", "NC-7", "F-1042", "$404.84 MXN", "CUATROCIENTOS CUATRO PESOS 84/100 M.N.", "otro proveedor"}},
		{"credit-note-english", aNote(english), []string{"Credit note", "NC-7", "MX$404.84", "FOUR HUNDRED FOUR"}},
		{"statement", aStatement(spanish), []string{"Estado de cuenta", "$738.84 MXN", "SPEI 8846", "2,143.68", "1,143.68"}},
		{"statement-english", aStatement(english), []string{"Statement of account", "MX$738.84", "Nov 10, 2026"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := rendered(t, c.doc)
			flat := strings.Join(strings.Fields(pdftest.Text(t, file)), " ")
			for _, want := range c.says {
				if !strings.Contains(flat, want) {
					t.Errorf("lacks %q:\n%s", want, flat)
				}
			}
			for _, unwanted := range []string{"CLABE", "Pague", "Por pagar", "document."} {
				if strings.Contains(flat, unwanted) {
					t.Errorf("says %q", unwanted)
				}
			}
			pdftest.Golden(t, c.name, pdftest.Raster(t, file, 1, 50), *update)
		})
	}
}

// The company's own footer is on every page of every document; without one it is name, website and address.
func TestFooter(t *testing.T) {
	const own = "Gracias por preferirnos. Horario: lunes a viernes, 9 a 18 h."
	for footer, want := range map[string]string{own: own, "": "Hospedaje Cumbre Azul · cumbre-azul.example · cobranza@cumbre-azul.example"} {
		p := aPaper(make([]string, 60)...).with(func(row *db.Invoice) { row.IssuerSnapshot.PDFFooter = footer })
		for name, file := range map[string][]byte{"invoice": p.file(t, "2026-11-20"), "credit note": rendered(t, aNote(p)), "statement": rendered(t, aStatement(p))} {
			pages := strings.Split(strings.TrimSuffix(pdftest.Text(t, file), "\f"), "\f")
			if name == "invoice" && len(pages) < 2 {
				t.Fatal("one page alone")
			}
			for i, page := range pages {
				if !strings.Contains(strings.Join(strings.Fields(page), " "), want) {
					t.Errorf("%s, page %d lacks %q:\n%s", name, i+1, want, page)
				}
			}
		}
	}
}
