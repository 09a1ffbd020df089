package ui

import (
	"bytes"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/fiscaltest"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
)

// fiscalWorld is a world that issues fiscal documents, stamped by a test PAC.
func fiscalWorld(t *testing.T) (*world, *fiscal.Service) {
	t.Helper()
	w := newWorld(t)
	clock := func() time.Time { return now }
	pac, err := sandbox.New(sandbox.Config{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	ring, err := fiscal.NewKeyring("k", map[string][]byte{"k": bytes.Repeat([]byte{1}, 32)})
	if err != nil {
		t.Fatal(err)
	}
	service := &fiscal.Service{Store: w.store, Now: clock, PAC: pac, Keyring: ring}
	w.serve(Config{Fiscal: service})
	t.Cleanup(func() {
		if stamped, ok := service.PAC.(*sandbox.Sandbox); ok && !t.Failed() {
			fiscaltest.VerifyStored(t, w.store, stamped.Identity().CertificatePEM())
		}
	})
	return w, service
}

func (v *visitor) upload(path string, files map[string][]byte, form url.Values) answer {
	v.Helper()
	var body bytes.Buffer
	m := multipart.NewWriter(&body)
	for name, data := range files {
		part, err := m.CreateFormFile(name, name+".bin")
		if err != nil {
			v.Fatal(err)
		}
		_, _ = part.Write(data)
	}
	for name := range form {
		_ = m.WriteField(name, form.Get(name))
	}
	_ = m.Close()
	return v.do(http.MethodPost, path, &body, "Content-Type", m.FormDataContentType())
}

// Staff sets the issuer up, a client completes its data and asks, and downloads what was stamped.
func TestFiscalPages(t *testing.T) {
	t.Parallel()
	w, service := fiscalWorld(t)
	staff := w.visit()
	staff.post("/consola/entrar", url.Values{"email": {personnel}, "password": {password}}).want(t, http.StatusSeeOther)
	staff.get("/consola/fiscal").want(t, http.StatusOK).shows(t, "Facturas fiscales", "Aún no hay certificado", "No hay documentos", "no tiene validez fiscal")
	issuer := url.Values{"rfc": {"EKU90"}, "nombre": {"Escuela Kemper Urgate"}, "regimenFiscal": {"601"}, "lugarExpedicion": {"4250"}}
	page := staff.post("/consola/fiscal/emisor", issuer).want(t, http.StatusUnprocessableEntity)
	if !strings.Contains(page.fieldError("f-rfc"), "12 caracteres") || page.fieldError("f-lugarExpedicion") == "" || page.value("f-nombre") != "Escuela Kemper Urgate" {
		t.Error(page.text())
	}
	issuer.Set("rfc", "EKU9003173C9")
	issuer.Set("lugarExpedicion", "42501")
	staff.post("/consola/fiscal/emisor", issuer).want(t, http.StatusSeeOther)
	cer, key := fiscaltest.NewCSD(t, "EKU9003173C9", false)
	page = staff.upload("/consola/fiscal/csd", map[string][]byte{"cer": cer, "key": []byte("nada")}, url.Values{"password": {"secreto-123"}}).want(t, http.StatusUnprocessableEntity)
	if page.fieldError("f-key") != "El archivo .key no es una llave privada del SAT." || strings.Contains(page.body, "secreto-123") {
		t.Error(page.fieldError("f-key"))
	}
	encrypted := fiscaltest.KeyFile(t, key, "secreto-123")
	page = staff.upload("/consola/fiscal/csd", map[string][]byte{"cer": make([]byte, 10<<20), "key": encrypted}, url.Values{"password": {"secreto-123"}}).want(t, http.StatusUnprocessableEntity)
	if !strings.Contains(page.fieldError("f-cer"), "no es un certificado válido") {
		t.Error(page.text())
	}
	page = staff.upload("/consola/fiscal/csd", map[string][]byte{"cer": cer, "key": encrypted}, url.Values{"password": {"secreto-124"}}).want(t, http.StatusUnprocessableEntity)
	_, fiel := fiscaltest.NewCSD(t, "EKU9003173C9", true)
	eFirma, _ := fiscaltest.NewCSD(t, "EKU9003173C9", true)
	refused := staff.upload("/consola/fiscal/csd", map[string][]byte{"cer": eFirma, "key": fiscaltest.KeyFile(t, fiel, "secreto-123")}, url.Values{"password": {"secreto-123"}}).want(t, http.StatusUnprocessableEntity)
	if got := refused.fieldError("f-cer"); !strings.Contains(got, "e.firma") || !strings.Contains(got, "306") {
		t.Error(got)
	}
	if page.fieldError("f-password") == "" || strings.Contains(page.body, "secreto-124") {
		t.Error(page.text())
	}
	staff.upload("/consola/fiscal/csd", map[string][]byte{"cer": cer, "key": encrypted}, url.Values{"password": {"secreto-123"}}).want(t, http.StatusSeeOther)
	staff.get("/consola/fiscal/emisor").want(t, http.StatusOK).shows(t, "30001000000599990001", "EKU9003173C9")

	v := w.as(bookkeeper)
	home := "/clientes/" + w.client.ID.String()
	invoice := home + "/facturas/" + w.invoice.ID.String()
	v.get(invoice).want(t, http.StatusOK).shows(t, "Factura fiscal (CFDI)", "Podrá solicitarla cuando la factura esté pagada.").hides(t, "Solicitar factura fiscal")
	if _, err := w.billing.RecordPayment(system(t.Context()), billing.PaymentInput{InvoiceID: w.invoice.ID, Amount: w.invoice.Total, Method: "transfer", RequestKey: "p"}); err != nil {
		t.Fatal(err)
	}
	v.get(invoice).want(t, http.StatusOK).shows(t, "a más tardar el 30 abr 2026", "Queda 1 día.", "Completar datos fiscales")
	form := v.post(invoice+"/cfdi", nil).want(t, http.StatusSeeOther).Header.Get("Location")
	if back := v.get(form).want(t, http.StatusOK).shows(t, "Complete primero sus datos fiscales", "Código postal").find("name", "volver"); !strings.HasPrefix(form, home+"/fiscal/nuevo?") || len(back) != 1 {
		t.Errorf("%s %v", form, back)
	}

	profile := url.Values{"rfc": {"ure180429tm6"}, "nombre": {"Universidad Robotica Española"}, "domicilioFiscalReceptor": {"8699"}, "regimenFiscalReceptor": {"612"}, "usoCfdi": {"G03"}, "volver": {invoice}}
	page = v.post(home+"/fiscal/nuevo", profile).want(t, http.StatusUnprocessableEntity)
	if page.fieldError("f-domicilioFiscalReceptor") != "Escriba los 5 dígitos del código postal." || !strings.Contains(page.fieldError("f-regimenFiscalReceptor"), "CFDI40158") || page.fieldError("f-rfc") != "" {
		t.Error(page.text())
	}
	profile.Set("domicilioFiscalReceptor", "86991")
	profile.Set("regimenFiscalReceptor", "601")
	if got := v.post(home+"/fiscal/nuevo", profile).want(t, http.StatusSeeOther).Header.Get("Location"); got != invoice {
		t.Error(got)
	}
	v.get(home+"/fiscal").want(t, http.StatusOK).shows(t, "URE180429TM6", "UNIVERSIDAD ROBOTICA ESPAÑOLA", "601 - General de Ley Personas Morales", "Predeterminado")
	v.post(invoice+"/cfdi", nil).want(t, http.StatusSeeOther)
	page = v.get(invoice).want(t, http.StatusOK).shows(t, "Estamos timbrando su factura fiscal").hides(t, "Solicitar factura fiscal")
	if len(page.find("hx-get", invoice+"/cfdi")) != 1 {
		t.Error("the page does not wait")
	}
	found, err := service.Documents(system(t.Context()), w.invoice.ID)
	if err != nil || len(found[w.invoice.ID]) != 1 {
		t.Fatal(found, err)
	}
	cfdi := found[w.invoice.ID][0].ID
	v.get(CFDIPath(cfdi, "xml")).want(t, http.StatusNotFound)
	if err := service.Stamp(system(t.Context()), fiscal.StampJob{CFDI: cfdi}); err != nil {
		t.Fatal(err)
	}
	row, err := w.store.CFDI(t.Context(), cfdi)
	if err != nil || row.Status != db.CFDIStamped {
		t.Fatal(row.Status, row.Message, err)
	}
	v.get(invoice+"/cfdi", "HX-Request", "true").want(t, http.StatusOK).shows(t, "Timbrada", row.UUID, "A 1")
	xml := v.get(CFDIPath(cfdi, "xml")).want(t, http.StatusOK)
	if xml.body != string(row.XML) || xml.Header.Get("Content-Type") != "application/xml; charset=utf-8" || !strings.Contains(xml.Header.Get("Content-Disposition"), "EKU9003173C9_A1_"+row.UUID+".xml") {
		t.Error(xml.Header)
	}
	if pdf := v.get(CFDIPath(cfdi, "pdf")).want(t, http.StatusOK); !strings.HasPrefix(pdf.body, "%PDF-") || pdf.Header.Get("Content-Type") != "application/pdf" {
		t.Error(pdf.Header)
	}
	trail, err := service.Trail(system(t.Context()), cfdi)
	log := trail.Downloads
	if err != nil || len(log) != 2 || log[0].LoginID == 0 || log[0].Address == "" {
		t.Errorf("%+v %v", log, err)
	}
	staff.get("/consola/fiscal?estado=stamped").want(t, http.StatusOK).shows(t, "Factura A 1", row.UUID, "URE180429TM6", "1,160.00 MXN")

	for _, path := range []string{CFDIPath(cfdi, "xml"), CFDIPath(cfdi, "pdf"), home + "/fiscal", home + "/fiscal/nuevo", invoice + "/cfdi"} {
		w.as(assistant).get(path).want(t, http.StatusForbidden)
		w.as(stranger).get(path).want(t, http.StatusNotFound)
	}
	v.get("/consola/fiscal").want(t, http.StatusSeeOther)
	v.get("/descargas/cfdi/"+cfdi.String()+".exe").want(t, http.StatusNotFound)
}

// A refusal is said in words that the client can act on; what warns is saved and shown once more.
func TestFiscalRefusalAndWarning(t *testing.T) {
	t.Parallel()
	w, service := fiscalWorld(t)
	_ = service
	v := w.as(owner)
	home := "/clientes/" + w.client.ID.String()
	form := url.Values{"rfc": {"URE180429TM7"}, "nombre": {"Universidad, S.A. de C.V."}, "domicilioFiscalReceptor": {"86991"}, "regimenFiscalReceptor": {"601"}, "usoCfdi": {"G03"}}
	page := v.post(home+"/fiscal/nuevo", form).want(t, http.StatusOK).shows(t, "Guardado. Revise", "dígito verificador", "tipo de sociedad")
	saved := page.find("name", "seen")
	if len(saved) != 1 {
		t.Fatal("no second look")
	}
	form.Set("seen", attribute(saved[0], "value"))
	rows, err := w.store.FiscalProfiles(t.Context(), w.client.ID)
	if err != nil || len(rows) != 1 {
		t.Fatal(rows, err)
	}
	v.post(home+"/fiscal/"+rows[0].ID.String(), form).want(t, http.StatusSeeOther)
	row := db.CFDI{Kind: db.CFDIIngreso, ClientID: w.client.ID, InvoiceID: w.invoice.ID, ProfileID: rows[0].ID, Status: db.CFDIStampFailed, Refusal: db.Refusal{Code: "CFDI40145", Message: "interno"}}
	if err := w.store.AddCFDI(t.Context(), &row); err != nil {
		t.Fatal(err)
	}
	v.get(home+"/facturas/"+w.invoice.ID.String()).want(t, http.StatusOK).shows(t, "Requiere corrección", "El nombre debe ser igual al de la Constancia de Situación Fiscal").hides(t, "interno")
}
