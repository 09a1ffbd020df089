package ui

import (
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
)

// Staff sees what has no stamp, why, and when it is tried again; every page tells of an outage, of few stamps and of the
// certificate's end; one document or all are tried again.
func TestStampingPage(t *testing.T) {
	t.Parallel()
	w, service, cfdi := stampedWorld(t, sandbox.Accepts)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	staff := w.visit()
	staff.post("/consola/entrar", url.Values{"email": {personnel}, "password": {password}}).want(t, http.StatusSeeOther)
	staff.get("/consola/fiscal/timbrado").want(t, http.StatusOK).shows(t, "Todo está timbrado", "Responde", "Sin dato", "Todas (0)").hides(t, "Reintentar todas")
	if alerts := staff.get("/consola").find("data-alert", fiscal.AlertOutage); len(alerts) != 0 {
		t.Error("an outage without a failure")
	}
	// A document that waits for a PAC that is down, and one that was refused.
	stamped, err := w.store.CFDI(t.Context(), cfdi)
	must(err)
	add := func(row db.CFDI) db.CFDI {
		row.Kind, row.ClientID, row.ProfileID = db.CFDIGlobal, 0, 0
		row.PeriodStart, row.Periodicidad = "2026-04-01", "04"
		must(w.store.AddCFDI(t.Context(), &row))
		return row
	}
	at := service.Now()
	since := at.Add(-2 * time.Hour)
	waiting := add(db.CFDI{Status: db.CFDISealed, Sealed: stamped.Sealed, Build: 1, Attempts: 3, Failure: string(fiscal.KindUnavailable), FailingSince: &since, FailedAt: &at, Refusal: db.Refusal{Code: "http_503", Message: "<b>fuera</b>"},
		RfcReceptor: "XAXX010101000", NombreReceptor: "PUBLICO EN GENERAL"})
	refused := add(db.CFDI{Status: db.CFDIStampFailed, Attempts: 1, Failure: string(fiscal.KindRejected), FailingSince: &since, FailedAt: &at, Refusal: db.Refusal{Code: "CFDI40161", SATCode: "CFDI40161", Field: "Receptor@UsoCFDI", Message: "El uso no se permite.", MessageEN: "The use is not allowed."}})
	must(w.store.EnqueueAt(t.Context(), fiscal.StampJob{CFDI: waiting.ID, Build: 1, Attempt: 3}, time.Now().Add(10*time.Minute)))
	left := 7
	must(w.store.SaveStampCredit(t.Context(), db.StampCredit{Credits: &left, CheckedAt: at}))
	_, err = service.SaveIssuer(system(t.Context()), fiscal.IssuerInput{Rfc: "EKU9003173C9", Nombre: "ESCUELA KEMPER URGATE", RegimenFiscal: "601", LugarExpedicion: "42501", CreditAlert: 10})
	must(err)
	for _, page := range []string{"/consola", "/consola/clientes", "/consola/fiscal"} {
		a := staff.get(page).want(t, http.StatusOK).shows(t, "El proveedor de certificación no está timbrando desde el", "http_503, <b>fuera</b>", "Quedan 7 timbres")
		if len(a.find("data-alert", fiscal.AlertOutage)) != 1 || len(a.find("data-alert", fiscal.AlertCredit)) != 1 {
			t.Errorf("%s: no banner", page)
		}
	}
	staff.get("/consola/fiscal/timbrado").want(t, http.StatusOK).shows(t, "Sin servicio", "Todas (2)", "En espera (1)", "Rechazadas (1)", "3 intentos", "próximo intento el", "PUBLICO EN GENERAL",
		"CFDI40161 · Receptor@UsoCFDI · El uso no se permite.", "Proveedor sin servicio", "Reintentar todas (2)")
	staff.get("/consola/fiscal/timbrado?situacion=rechazadas").want(t, http.StatusOK).shows(t, "CFDI40161", "Reintentar todas (1)").hides(t, "próximo intento")
	staff.get("/consola/fiscal/timbrado?situacion=en-espera").want(t, http.StatusOK).shows(t, "http_503").hides(t, "CFDI40161 · ")
	due := func(row db.CFDI) time.Time {
		t.Helper()
		key := fiscal.StampJob{CFDI: row.ID, Build: row.Build, Attempt: row.Attempts}.Key()
		jobs, err := w.store.JobsByKey(t.Context(), []string{key})
		must(err)
		return jobs[key].DueAt
	}
	staff.post("/consola/fiscal/"+waiting.ID.String()+"/timbrar", url.Values{"desde": {"timbrado"}}).want(t, http.StatusSeeOther)
	if at := due(waiting); at.IsZero() || at.After(time.Now()) {
		t.Errorf("the next attempt is at %s", at)
	}
	staff.post("/consola/fiscal/timbrado", url.Values{"situacion": {"rechazadas"}}).want(t, http.StatusSeeOther)
	if row, err := w.store.CFDI(t.Context(), refused.ID); err != nil || row.Status != db.CFDIDraft || row.Failure != "" || due(row).IsZero() {
		t.Errorf("%s %q %v", row.Status, row.Failure, err)
	}
	staff.post("/consola/fiscal/"+cfdi.String()+"/timbrar", nil).want(t, http.StatusConflict)
	staff.post("/consola/fiscal/cfd_999999/timbrar", nil).want(t, http.StatusNotFound)
	// A server whose clock is off.
	later := at.Add(time.Minute)
	add(db.CFDI{Status: db.CFDIDraft, Attempts: 1, Failure: string(fiscal.KindClock), FailingSince: &later, FailedAt: &later,
		Refusal: db.Refusal{Code: "401", SATCode: "401", Field: "@Fecha", Message: "Los relojes difieren.", MessageEN: "The clocks differ."}})
	staff.get("/consola").want(t, http.StatusOK).shows(t, "el reloj de un servidor está desajustado", "código 401 del SAT")
	staff.get("/consola/fiscal/timbrado").want(t, http.StatusOK).shows(t, "Reloj del servidor desajustado", "401 · @Fecha · Los relojes difieren.")
	// The threshold keeps what was typed.
	a := staff.post("/consola/fiscal/emisor", url.Values{"rfc": {"EKU9003173C9"}, "nombre": {"ESCUELA KEMPER URGATE"}, "regimenFiscal": {"601"}, "lugarExpedicion": {"42501"}, "creditAlert": {"muchos"}}).want(t, http.StatusUnprocessableEntity)
	if a.fieldError("f-creditAlert") == "" {
		t.Error("no error at the threshold")
	}
	// The end of the certificate.
	csd, err := w.store.ActiveCSD(t.Context())
	must(err)
	for left, want := range map[int]string{59: "vence en 59 días", -3: "El certificado de sello digital venció"} {
		service.Now = func() time.Time { return csd.ValidUntil.Add(time.Duration(left)*24*time.Hour*-1 - time.Hour) }
		if left < 0 {
			service.Now = func() time.Time { return csd.ValidUntil.Add(time.Hour) }
		}
		staff.get("/consola/clientes").want(t, http.StatusOK).shows(t, want)
	}
}
