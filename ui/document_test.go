package ui

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/fiscaltest"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// stampedWorld is a world with the stamped document of its paid invoice; the clock is some days later, so that a
// cancellation needs the receiver, who answers as told.
func stampedWorld(t *testing.T, answer sandbox.Decision) (w *world, service *fiscal.Service, cfdi id.CFDI) {
	t.Helper()
	w, service = fiscalWorld(t)
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	at := now
	clock := func() time.Time { return at }
	pac, err := sandbox.New(sandbox.Config{Now: clock, Decisions: map[string]sandbox.Decision{"URE180429TM6": answer}})
	must(err)
	service.Now, service.PAC = clock, pac
	ctx := system(t.Context())
	_, err = service.SaveIssuer(ctx, fiscal.IssuerInput{Rfc: "EKU9003173C9", Nombre: "ESCUELA KEMPER URGATE", RegimenFiscal: "601", LugarExpedicion: "42501"})
	must(err)
	csd, err := fiscal.RestoreCSD(fiscaltest.NewCSD(t, "EKU9003173C9", false))
	must(err)
	_, err = service.KeepCSD(ctx, csd)
	must(err)
	_, _, err = service.SaveFiscalProfile(ctx, fiscal.ProfileInput{ClientID: w.client.ID, Rfc: "URE180429TM6", Nombre: "UNIVERSIDAD ROBOTICA ESPAÑOLA",
		DomicilioFiscalReceptor: "86991", RegimenFiscalReceptor: "601", UsoCFDI: "G03"})
	must(err)
	_, err = w.billing.RecordPayment(ctx, billing.PaymentInput{InvoiceID: w.invoice.ID, Amount: w.invoice.Total, Method: "transfer", RequestKey: "p"})
	must(err)
	row, err := service.RequestCFDI(ctx, fiscal.RequestInput{InvoiceID: w.invoice.ID})
	must(err)
	must(service.Stamp(ctx, fiscal.StampJob{CFDI: row.ID}))
	at = at.AddDate(0, 0, 7)
	return w, service, row.ID
}

// Staff cancels; the client sees until when it can answer, and both get the acuse.
func TestCancellationPages(t *testing.T) {
	t.Parallel()
	w, service, cfdi := stampedWorld(t, sandbox.Silent)
	staff := w.visit()
	staff.post("/consola/entrar", url.Values{"email": {personnel}, "password": {password}}).want(t, http.StatusSeeOther)
	page := "/consola/fiscal/" + cfdi.String()
	staff.get(page).want(t, http.StatusOK).shows(t, "Factura A 1", "Timbrada", "Cancelar ante el SAT", "Sustituir (motivo 01)", "31 mar 2027", "Aún no se ha consultado")
	staff.post(page+"/estado", nil).want(t, http.StatusSeeOther)
	staff.get(page).want(t, http.StatusOK).shows(t, "Vigente", "Cancelable con aceptación")
	staff.post(page+"/cancelar", nil).want(t, http.StatusUnprocessableEntity).shows(t, "El motivo de cancelación debe ser 01, 02, 03 o 04.")
	staff.post(page+"/cancelar", url.Values{"motivo": {"03"}}).want(t, http.StatusSeeOther)
	staff.get(page).want(t, http.StatusOK).shows(t, "Solicitud en camino").hides(t, "Cancelar ante el SAT")
	if err := service.SendCancellation(system(t.Context()), fiscal.CancelJob{CFDI: cfdi, Round: 1}); err != nil {
		t.Fatal(err)
	}
	staff.get(page).want(t, http.StatusOK).shows(t, "Espera respuesta del receptor", "hasta el 11 may 2026", "03 - No se llevó a cabo la operación", "Acuse")

	v := w.as(bookkeeper)
	invoice := "/clientes/" + w.client.ID.String() + "/facturas/" + w.invoice.ID.String()
	v.get(invoice).want(t, http.StatusOK).shows(t, "Cancelación en proceso", "aceptarlo o rechazarlo", "hasta el 11 may 2026", "Acuse")
	row, err := w.store.CFDI(t.Context(), cfdi)
	if err != nil {
		t.Fatal(err)
	}
	acuse := v.get(CFDIPath(cfdi, fiscal.FormatAcuse)).want(t, http.StatusOK)
	if acuse.body != string(row.Acuse) || !strings.Contains(acuse.Header.Get("Content-Disposition"), "_acuse.xml") {
		t.Error(acuse.Header)
	}
	in, err := w.account.SignIn(t.Context(), account.SignInInput{Email: bookkeeper, Password: password}) // as a program, at the API's acusePath
	if err != nil {
		t.Fatal(err)
	}
	if got := w.visit().get(CFDIPath(cfdi, fiscal.FormatAcuse), "Authorization", "Bearer "+in.Token).want(t, http.StatusOK); got.body != string(row.Acuse) || got.Header.Get("Content-Type") != "application/xml; charset=utf-8" {
		t.Error(got.Header)
	}
	w.as(assistant).get(CFDIPath(cfdi, fiscal.FormatAcuse)).want(t, http.StatusForbidden)
	w.as(stranger).get(CFDIPath(cfdi, fiscal.FormatAcuse)).want(t, http.StatusNotFound)
	v.get(page).want(t, http.StatusSeeOther)
	v.post(page+"/cancelar", url.Values{"motivo": {"02"}}).want(t, http.StatusSeeOther)
}

// The replacement leads to its own page, and both pages name each other.
func TestSubstitutionPages(t *testing.T) {
	t.Parallel()
	w, service, cfdi := stampedWorld(t, sandbox.Accepts)
	staff := w.visit()
	staff.post("/consola/entrar", url.Values{"email": {personnel}, "password": {password}}).want(t, http.StatusSeeOther)
	page := "/consola/fiscal/" + cfdi.String()
	to := staff.post(page+"/sustituir", nil).want(t, http.StatusSeeOther).Header.Get("Location")
	fresh, err := id.ParseCFDI(strings.TrimPrefix(to, "/consola/fiscal/"))
	if err != nil || fresh == cfdi {
		t.Fatal(to, err)
	}
	staff.get(to).want(t, http.StatusOK).shows(t, "Sustituye a", "Factura A 1")
	if err := service.Stamp(system(t.Context()), fiscal.StampJob{CFDI: fresh}); err != nil {
		t.Fatal(err)
	}
	if err := service.SendCancellation(system(t.Context()), fiscal.CancelJob{CFDI: cfdi, Round: 1}); err != nil {
		t.Fatal(err)
	}
	row, err := w.store.CFDI(t.Context(), cfdi)
	if err != nil || row.Status != db.CFDICancelled {
		t.Fatal(row.Status, err)
	}
	staff.get(page).want(t, http.StatusOK).shows(t, "La sustituye", "Factura A 2", "01 - Emitida con errores, con sustitución", "Cancelada")
	v := w.as(bookkeeper)
	v.get("/clientes/"+w.client.ID.String()+"/facturas/"+w.invoice.ID.String()).want(t, http.StatusOK).shows(t, "ya no es deducible", "Lo sustituye el documento", row.CancelSustitucion)
}
