package billing_test

import (
	"bytes"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
)

func picture(t *testing.T, format string, width, height int) []byte {
	t.Helper()
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	img.Set(1, 1, color.NRGBA{R: 200, A: 255})
	var out bytes.Buffer
	var err error
	if format == "png" {
		err = png.Encode(&out, img)
	} else {
		err = jpeg.Encode(&out, img, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// The settings are changed by who may, all that is wrong is told at once, and each change is in the log.
func TestCompanySettings(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	admin := access.With(t.Context(), access.Actor{Kind: access.Staff, Staff: 1, Role: access.Admin})
	row, err := w.Company(admin)
	if err != nil {
		t.Fatal(err)
	}
	good := billing.CompanyOf(row)
	good.Name, good.CLABE, good.BrandColour, good.Website = "Nubes y Más", "032180000118359719", "#AA3300", "https://nubes.example/"
	good.PaymentDetails, good.PDFFooter = "Banco de Muestra\r\nCuenta 000", "Nubes y Más · Ciudad de México"
	for _, other := range []access.Actor{{Kind: access.Staff, Staff: 1, Role: access.Billing}, {Kind: access.Staff, Staff: 1, Role: access.Support}, {Kind: access.Login, Login: 1}, {}} {
		if _, err := w.UpdateCompany(access.With(t.Context(), other), settings(good)); err == nil {
			t.Errorf("%+v changes the company", other)
		}
		if _, err := w.SetLogo(access.With(t.Context(), other), nil); err == nil {
			t.Errorf("%+v changes the logo", other)
		}
	}
	_, err = w.UpdateCompany(admin, settings(billing.CompanyInput{Name: "Uno\nBcc: x@y.example", Email: "no es", TaxID: "ABC", CLABE: "032180000118359718", BrandColour: "rojo",
		Website: "javascript:alert(1)", Timezone: "Marte/Olympus", Language: "fr", Address: strings.Repeat("x", 301)}))
	f, ok := fault.As(err)
	if !ok {
		t.Fatalf("bad settings: %v", err)
	}
	got := map[string]string{}
	for _, field := range f.Fields {
		got[field.Path] = field.Code
	}
	for path, code := range map[string]string{"name": "CONTROL_CHARACTERS", "email": "EMAIL_MALFORMED", "taxId": "TAX_ID_MALFORMED", "clabe": "CLABE_INVALID",
		"brandColour": "COLOUR_INVALID", "website": "WEBSITE_MALFORMED", "timezone": "TIMEZONE_UNKNOWN", "language": "LANGUAGE_UNKNOWN", "address": "TOO_LONG"} {
		if got[path] != code {
			t.Errorf("%s: %q, want %s", path, got[path], code)
		}
	}

	if row, err = w.UpdateCompany(admin, settings(good)); err != nil {
		t.Fatal(err)
	}
	if row.Website != "nubes.example" || row.BrandColour != "#aa3300" || row.PaymentDetails != "Banco de Muestra\nCuenta 000" {
		t.Errorf("saved %+v", row)
	}
	before, err := w.Brand(t.Context())
	if err != nil || before.Name != "Nubes y Más" || before.HasLogo {
		t.Errorf("brand %+v, %v", before, err)
	}
	for name, raw := range map[string][]byte{"text": []byte("<svg onload=alert(1)>"), "gif": []byte("GIF89a\x20\x00\x20\x00\x00\x00\x00;"), "tiny": picture(t, "png", 4, 4),
		"wide": picture(t, "png", 2001, 20), "cut": picture(t, "png", 200, 200)[:60], "heavy": make([]byte, billing.MaxLogoBytes+1)} {
		if _, err := w.SetLogo(admin, raw); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := w.Logo(t.Context()); !fault.Is(err, fault.NotFound) {
		t.Errorf("a logo before there is one: %v", err)
	}
	for _, format := range []string{"png", "jpeg"} {
		raw := append(picture(t, format, 120, 40), []byte("<script>hidden</script>")...)
		if _, err := w.SetLogo(admin, raw); err != nil {
			t.Fatalf("%s: %v", format, err)
		}
		logo, err := w.Logo(t.Context())
		if err != nil || bytes.Contains(logo, []byte("script")) {
			t.Errorf("%s: kept what is no picture, %v", format, err)
		}
		if config, got, err := image.DecodeConfig(bytes.NewReader(logo)); err != nil || got != format || config.Width != 120 {
			t.Errorf("%s: stored as %s, %+v, %v", format, got, config, err)
		}
	}
	after, err := w.Brand(t.Context())
	if err != nil || !after.HasLogo || after.Version == before.Version {
		t.Errorf("brand %+v, %v", after, err)
	}
	if _, err := w.SetLogo(admin, nil); err != nil {
		t.Fatal(err)
	}
	var verbs, kept string
	if err := w.sql.QueryRow(`SELECT string_agg(verb, ' ' ORDER BY id), string_agg(coalesce(before::text, '') || coalesce(after::text, ''), ' ') FROM audit WHERE verb LIKE 'company.%'`).Scan(&verbs, &kept); err != nil {
		t.Fatal(err)
	}
	if verbs != "company.update"+strings.Repeat(" company.logo", 3) || !strings.Contains(kept, "032180000118359719") || strings.Contains(kept, `"Email"`) {
		t.Errorf("audit %s: %s", verbs, kept)
	}
}

// A document keeps the logo that the company had when it was issued, whatever it has later.
func TestInvoiceKeepsLogo(t *testing.T) {
	w := newWorld(t)
	admin := access.With(t.Context(), access.Actor{Kind: access.Staff, Role: access.Admin, Staff: 1})
	preview := func(row db.Invoice) []byte {
		file := must(t, func() (billing.Download, error) { return w.PreviewPDF(w.staff(), row.ID) })
		return must(t, func() ([]byte, error) { return io.ReadAll(file) })
	}
	pictures := func(file []byte) int { return bytes.Count(file, []byte("/Subtype/Image")) }
	set := func(raw []byte) {
		must(t, func() (db.Company, error) { return w.SetLogo(admin, raw) })
	}

	plain := w.issue("100")
	set(picture(t, "png", 120, 40))
	first := w.issue("100")
	note := must(t, func() (db.CreditNote, error) {
		return w.IssueCreditNote(w.staff(), billing.CreditNoteInput{InvoiceID: first.ID, Lines: []billing.LineInput{line("10")}, Reason: "x", RequestKey: w.key()})
	})
	before := preview(first)
	if pictures(before) == 0 || pictures(preview(plain)) != 0 {
		t.Fatal("the logo is on the wrong invoices")
	}
	set(picture(t, "jpeg", 90, 90))
	second := w.issue("100")
	if !bytes.Equal(preview(first), before) {
		t.Error("an old invoice changed with the logo")
	}
	if file := preview(second); !bytes.Contains(file, []byte("/DCTDecode")) {
		t.Error("the new invoice lacks the new logo")
	}
	set(nil)
	if !bytes.Equal(preview(first), before) || pictures(preview(second)) == 0 || pictures(preview(w.issue("100"))) != 0 {
		t.Error("removing the logo changed an old invoice, or did not change a new one")
	}
	file := must(t, func() (billing.Download, error) { return w.OpenCreditNotePDF(w.staff(), note.ID) })
	if raw := must(t, func() ([]byte, error) { return io.ReadAll(file) }); pictures(raw) == 0 {
		t.Error("the credit note lacks the logo")
	}
	if _, err := w.sql.Exec("UPDATE logo SET picture = 'x'"); err == nil {
		t.Error("a logo under the hash of another")
	}
}

// settings replaces all settings.
func settings(all billing.CompanyInput) func(*billing.CompanyInput) {
	return func(in *billing.CompanyInput) { *in = all }
}
