package pdf

import (
	"bytes"
	"errors"
	"flag"
	"image"
	"image/jpeg"
	"image/png"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/skip2/go-qrcode"
	"pgregory.net/rapid"

	"github.com/nubedigitalmx/avisa/internal/pdf/pdftest"
)

var update = flag.Bool("update", false, "rewrite the golden images")

func render(t testing.TB, doc Document) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := Render(&b, doc); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// squeeze removes white space, so that wrapped values can be found.
func squeeze(s string) string { return strings.Join(strings.Fields(s), "") }

// documents of the golden images and of the tests that hold for all of them.
func samples() map[string]Document {
	draft := sampleOpen()
	draft.Status, draft.Sandbox, draft.Issuer.Logo = Draft, true, nil
	cancelled := sampleInvoice()
	cancelled.Status, cancelled.StatusText = Cancelled, "Cancelada el 14 de noviembre de 2026"
	cancelled.Receiver.Name = "Łódź & Πάρος " + strings.Repeat("Sociedad de Producción Rural ", 9)
	cancelled.Table.Rows[1].Cells[0] = strings.Repeat("0123456789", 30)
	return map[string]Document{"one-page": sampleOnePage(), "two-pages": sampleInvoice(), "open": sampleOpen(), "draft": draft,
		"cancelled": cancelled, "statement": sampleStatement(60), "receipt-of-payment": sampleReceipt()}
}

// sampleReceipt is a receipt of payment (REP) with related documents.
func sampleReceipt() Document {
	doc := sampleOnePage()
	doc.Title, doc.Number, doc.Table, doc.Totals = "Recibo de pago", "P-88", Table{}, nil
	doc.Headline = Headline{"Pago recibido", "$5,000.00 MXN", "12 de noviembre de 2026\n03 - Transferencia electrónica"}
	doc.Fiscal.Related = []Fact{{"04 - Sustitución de los CFDI previos", "0A1B2C3D-4E5F-4A6B-8C7D-9E0F1A2B3C4D"}}
	doc.Fiscal.Legends = []string{"Efectos fiscales al pago"}
	doc.Fiscal.Payments = &Table{Columns: []Column{{"Documento", Left, true}, {"Parcialidad", Right, false}, {"Saldo anterior", Right, false}, {"Pagado", Right, false}, {"Insoluto", Right, false}},
		Rows: []Row{{Cells: []string{"F-1042", "1", "$14,999.99", "$5,000.00", "$9,999.99"}, Note: sampleUUID}}}
	return doc
}

func TestGolden(t *testing.T) {
	for name, doc := range samples() {
		t.Run(name, func(t *testing.T) {
			file := render(t, doc)
			pdftest.Golden(t, name, pdftest.Raster(t, file, 1, 50), *update)
			if name == "statement" { // its header is repeated
				pdftest.Golden(t, name+"-2", pdftest.Raster(t, file, 2, 50), *update)
			}
		})
	}
}

func TestTextShowsEveryField(t *testing.T) {
	for name, doc := range samples() {
		t.Run(name, func(t *testing.T) {
			text := squeeze(pdftest.Text(t, render(t, doc)))
			want := []string{doc.Title, doc.Number, doc.StatusText, doc.Issuer.Name, doc.Receiver.Name, strings.ToUpper(doc.Receiver.Label), doc.InWords, doc.Notes, doc.Footer,
				doc.Headline.Label, doc.Headline.Value, doc.Headline.Note, doc.Payment.Title, doc.Payment.Text, doc.Payment.Action}
			want = append(want, doc.Issuer.Lines...)
			want = append(want, doc.Receiver.Lines...)
			facts := append(append([]Fact{}, doc.Facts...), doc.Payment.Facts...)
			tables := []Table{doc.Table}
			if f := doc.Fiscal; f != nil {
				facts = append(append(facts, f.Facts...), f.Related...)
				want = append(want, f.SelloCFD, f.SelloSAT, f.Cadena, "Este documento es una representación impresa de un CFDI")
				want = append(want, f.Legends...)
				if f.Payments != nil {
					tables = append(tables, *f.Payments)
				}
			}
			for _, f := range facts {
				want = append(want, f.Label, f.Value)
			}
			for _, total := range doc.Totals {
				want = append(want, total.Label, total.Value)
			}
			for _, table := range tables {
				for _, c := range table.Columns {
					want = append(want, strings.ToUpper(c.Title))
				}
				for _, r := range table.Rows {
					want = append(append(want, r.Cells...), r.Note)
				}
			}
			missing := 0
			for _, s := range want {
				if strings.Contains(text, squeeze(s)) {
					continue
				}
				// Columns side by side interleave the lines of a wrapped value: look for its words.
				for _, word := range strings.Fields(s) {
					for _, part := range chunks(word, 20) {
						if !strings.Contains(text, part) {
							t.Errorf("text lacks %q", part)
							missing++
						}
					}
				}
			}
			if missing > 0 {
				t.Log(text)
			}
		})
	}
}

func chunks(s string, n int) []string {
	var out []string
	for r := []rune(s); len(r) > 0; {
		k := min(n, len(r))
		out, r = append(out, string(r[:k])), r[k:]
	}
	if len(out) > 1 { // where the line breaks inside a long word is not known
		return out[:1]
	}
	return out
}

func TestMetadataAndAttachment(t *testing.T) {
	file := render(t, sampleOpen())
	info := string(pdftest.Run(t, "pdfinfo", file, "-"))
	for _, want := range []string{"Factura F-1042", "Hospedaje Cumbre Azul", "612 x 792 pts (letter)", "PDF version:     1.7", "Metadata Stream: yes"} {
		if !strings.Contains(info, want) {
			t.Errorf("pdfinfo lacks %q:\n%s", want, info)
		}
	}
	if !bytes.Contains(file, []byte("/Lang"+textString("es-MX"))) || !bytes.Contains(file, []byte("/DisplayDocTitle true")) {
		t.Error("language or title display missing")
	}
	if !bytes.Contains(file, []byte("/URI(https://clientes.cumbre-azul.example/pagar/F-1042?t=a%28b%29c)")) {
		t.Error("payment link missing or not escaped")
	}
	dir := t.TempDir()
	path := filepath.Join(dir, "in.pdf")
	if err := os.WriteFile(path, file, 0o600); err != nil {
		t.Fatal(err)
	}
	detach, err := exec.LookPath("pdfdetach")
	if err != nil {
		t.Skip("pdfdetach is not installed (poppler-utils)")
	}
	out := filepath.Join(dir, "out.xml")
	if b, err := exec.Command(detach, "-save", "1", "-o", out, path).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, b)
	}
	if got, _ := os.ReadFile(out); string(got) != "<cfdi:Comprobante/>" {
		t.Errorf("attachment is %q", got)
	}
}

// The printed modules are those of the code, dark on light, at least 0.42 mm wide.
func TestQRModules(t *testing.T) {
	doc := sampleOnePage()
	code, err := qrcode.New(doc.Fiscal.QR, qrcode.Medium)
	if err != nil {
		t.Fatal(err)
	}
	code.DisableBorder = true
	want := code.Bitmap()
	const dpi = 300
	img := pdftest.Raster(t, render(t, doc), 1, dpi)
	module := max(minModule, minQR/float64(len(want)))
	if side := module * float64(len(want)); module < 0.42*pointsPerMM || side < 27.5*pointsPerMM {
		t.Errorf("module %.2f pt, side %.2f pt", module, side)
	}
	// The upper left corner: the first dark pixel in the column of the finder pattern.
	x0, y0 := int(marginX*dpi/72)+3, img.Bounds().Dy()*6/10
	for ; y0 < img.Bounds().Dy(); y0++ {
		if r, _, _, _ := img.At(x0, y0).RGBA(); r < 0x4000 {
			if r, _, _, _ := img.At(x0+20, y0).RGBA(); r < 0x4000 {
				if r, _, _, _ := img.At(x0, y0+15).RGBA(); r < 0x4000 {
					break
				}
			}
		}
	}
	wrong := 0
	for row, line := range want {
		for column, dark := range line {
			x := int((marginX + module*(float64(column)+0.5)) * dpi / 72)
			y := y0 + int(module*(float64(row)+0.5)*dpi/72)
			if r, _, _, _ := img.At(x, y).RGBA(); (r < 0x8000) != dark {
				wrong++
			}
		}
	}
	if wrong > 0 {
		t.Errorf("%d of %d modules differ", wrong, len(want)*len(want))
	}
}

func TestDeterministicAndConcurrent(t *testing.T) {
	for name, doc := range samples() {
		want := render(t, doc)
		var group sync.WaitGroup
		for range 8 {
			group.Go(func() {
				var b bytes.Buffer
				if err := Render(&b, doc); err != nil || !bytes.Equal(b.Bytes(), want) {
					t.Errorf("%s: bytes differ, %v", name, err)
				}
			})
		}
		group.Wait()
	}
}

func TestManyLines(t *testing.T) {
	doc := sampleStatement(500)
	for i := range doc.Table.Rows {
		doc.Table.Rows[i].Cells[1] = "Servicio " + strconv.Itoa(1000+i)
	}
	text := pdftest.Text(t, render(t, doc))
	pages := strings.Split(strings.TrimSuffix(text, "\f"), "\f")
	for i := range doc.Table.Rows {
		if n := strings.Count(text, "Servicio "+strconv.Itoa(1000+i)); n != 1 {
			t.Fatalf("row %d is printed %d times", i, n)
		}
	}
	if len(pages) < 10 {
		t.Fatalf("%d pages", len(pages))
	}
	for i, page := range pages {
		if want := "Page " + strconv.Itoa(i+1) + " of " + strconv.Itoa(len(pages)); !strings.Contains(page, want) {
			t.Errorf("page %d lacks %q", i+1, want)
		}
		if strings.Contains(page, "Servicio ") && strings.Count(page, "BALANCE") != 1 {
			t.Errorf("page %d has no table header", i+1)
		}
	}
}

var objectHeader = regexp.MustCompile(`^\d+ 0 obj\n`)

// checkStructure verifies the cross-reference table and the lengths of all streams.
func checkStructure(t interface{ Fatalf(string, ...any) }, file []byte) {
	at := bytes.LastIndex(file, []byte("startxref\n"))
	start, err := strconv.Atoi(strings.Fields(string(file[at+10:]))[0])
	if err != nil || !bytes.HasPrefix(file[start:], []byte("xref\n")) || !bytes.HasSuffix(file, []byte("%%EOF\n")) {
		t.Fatalf("no cross-reference table")
	}
	lines := strings.Split(string(file[start:at]), "\n")
	for i, line := range lines[3:] {
		if strings.HasPrefix(line, "trailer") {
			break
		}
		offset, err := strconv.Atoi(line[:10])
		if err != nil || !strings.HasPrefix(string(file[offset:]), strconv.Itoa(i+1)+" 0 obj\n") || !objectHeader.Match(file[offset:]) {
			t.Fatalf("object %d is not at its offset", i+1)
		}
	}
	for _, m := range regexp.MustCompile(`/Length (\d+)>>\nstream\n`).FindAllSubmatchIndex(file, -1) {
		n, _ := strconv.Atoi(string(file[m[2]:m[3]]))
		if !bytes.HasPrefix(file[m[1]+n:], []byte("\nendstream")) {
			t.Fatalf("stream at %d is not %d long", m[1], n)
		}
	}
}

// No text breaks the file, hangs the layout or writes outside of a string.
func TestHostileText(t *testing.T) {
	nasty := rapid.OneOf(rapid.String(), rapid.StringN(0, 300, 2000), rapid.SampledFrom([]string{
		"", " ", "\n\n\n", ") Tj ET /Evil Do", "<</JS(app.alert(1))>>", "endstream endobj", "\x00\x01\x7f", "\xff\xfe\xc3", "\u202egnp.exe", "e\u0301\u0301\u0301",
		strings.Repeat("W", 5000), strings.Repeat("a ", 2500), strings.Repeat("\n", 300), "]]>&<\"'", "😀🏳️‍🌈", "العربية", "中文字符",
	}))
	rapid.Check(t, func(t *rapid.T) {
		s := func() string { return nasty.Draw(t, "text") }
		fact := func() []Fact { return []Fact{{s(), s()}, {s(), s()}, {s(), s()}, {s(), s()}} }
		doc := Document{Language: s(), Title: s(), Number: s(), Status: Draft, StatusText: s(), Sandbox: true,
			Issuer: Issuer{Party: Party{Name: s(), Lines: []string{s(), s()}}}, Receiver: Party{Label: s(), Name: s(), Lines: []string{s(), s()}},
			Facts: fact(), Headline: Headline{s(), s() + "x", s()},
			Table:  Table{Columns: []Column{{s(), Left, false}, {s(), Left, true}, {s(), Right, false}}, Rows: []Row{{[]string{s(), s(), s()}, s()}, {[]string{s()}, s()}, {}}},
			Totals: []Total{{s(), s(), false}, {s(), s(), true}}, InWords: s(), Notes: s(), Footer: s(),
			Payment:     Payment{Title: s(), Text: s(), Facts: fact(), Action: s(), URL: "https://pay.example/" + s()},
			Fiscal:      &Fiscal{Facts: fact(), Related: fact(), SelloCFD: s(), SelloSAT: s(), Cadena: s(), Legends: []string{s()}},
			Attachments: []Attachment{{s(), s(), s(), []byte(s())}},
		}
		var b bytes.Buffer
		if err := Render(&b, doc); err != nil {
			t.Fatal(err)
		}
		checkStructure(t, b.Bytes())
	})
}

func TestStructure(t *testing.T) {
	for _, doc := range samples() {
		checkStructure(t, render(t, doc))
	}
	checkStructure(t, render(t, Document{}))
}

func TestLogo(t *testing.T) {
	img := image.NewGray(image.Rect(0, 0, 60, 20))
	var gray bytes.Buffer
	if err := jpeg.Encode(&gray, img, nil); err != nil {
		t.Fatal(err)
	}
	doc := sampleOnePage()
	doc.Issuer.Logo = gray.Bytes()
	pdftest.Raster(t, render(t, doc), 1, 30)

	var bomb bytes.Buffer // 100 megapixels in a few kilobytes
	if err := png.Encode(&bomb, image.NewGray(image.Rect(0, 0, 10_000, 10_000))); err != nil {
		t.Fatal(err)
	}
	for name, logo := range map[string][]byte{"text": []byte("not a picture"), "too large": bomb.Bytes(), "truncated": sampleLogo()[:200]} {
		doc.Issuer.Logo = logo
		if err := Render(io.Discard, doc); !errors.Is(err, ErrLogo) || !errors.Is(CheckLogo(logo), ErrLogo) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestErrors(t *testing.T) {
	for _, s := range []string{"blue", "#12345", "#gggggg", "123456", "#-12345"} {
		if err := Render(io.Discard, Document{Issuer: Issuer{Color: s}}); !errors.Is(err, ErrColor) || !errors.Is(CheckColor(s), ErrColor) {
			t.Errorf("colour %q: %v", s, err)
		}
	}
	if err := CheckColor("#0f766e"); err != nil {
		t.Error(err)
	}
	doc := sampleOnePage()
	doc.Fiscal.QR = strings.Repeat("x", 5000)
	if err := Render(io.Discard, doc); err == nil || !strings.Contains(err.Error(), "qr_too_long") {
		t.Errorf("long QR text: %v", err)
	}
	if err := Render(failing{}, sampleOnePage()); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("failing writer: %v", err)
	}
}

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, io.ErrClosedPipe }
