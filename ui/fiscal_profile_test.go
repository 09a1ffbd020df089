package ui

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
)

// Staff add and correct the fiscal data of a client with the checks of the client's own form; what was refused because of
// them is stamped again when they are saved.
func TestConsoleFiscalProfile(t *testing.T) {
	t.Parallel()
	w, service := fiscalWorld(t)
	staff := w.visit()
	staff.post("/consola/entrar", url.Values{"email": {personnel}, "password": {password}}).want(t, http.StatusSeeOther)
	client := "/consola/clientes/" + w.client.ID.String()
	staff.get(client).want(t, http.StatusOK).shows(t, "Agregar datos fiscales")
	staff.get(client+"/fiscal/nuevo").want(t, http.StatusOK).shows(t, "Constancia de Situación Fiscal del cliente", "Usar para las facturas de este cliente")

	form := url.Values{"rfc": {"oño120726rx3"}, "nombre": {"Organicos Navez Osorio"}, "domicilioFiscalReceptor": {"405"}, "regimenFiscalReceptor": {"605"}, "usoCfdi": {"G03"}, "default": {"on"}}
	page := staff.post(client+"/fiscal/nuevo", form).want(t, http.StatusUnprocessableEntity)
	if page.fieldError("f-domicilioFiscalReceptor") == "" || page.fieldError("f-regimenFiscalReceptor") == "" || page.fieldError("f-rfc") != "" || page.value("f-nombre") != "Organicos Navez Osorio" {
		t.Error(page.text())
	}
	form.Set("domicilioFiscalReceptor", "40501")
	form.Set("regimenFiscalReceptor", "601")
	if got := staff.post(client+"/fiscal/nuevo", form).want(t, http.StatusSeeOther).Header.Get("Location"); got != client {
		t.Error(got)
	}
	staff.get(client).want(t, http.StatusOK).shows(t, "OÑO120726RX3", "ORGANICOS NAVEZ OSORIO", "Agregar otro RFC")
	rows, err := service.FiscalProfiles(system(t.Context()), w.client.ID)
	if err != nil || len(rows) != 1 || !rows[0].Default {
		t.Fatal(rows, err)
	}
	profile := client + "/fiscal/" + rows[0].ID.String()

	refused := db.CFDI{Kind: db.CFDIIngreso, ClientID: w.client.ID, InvoiceID: w.invoice.ID, ProfileID: rows[0].ID, Status: db.CFDIStampFailed, Refusal: db.Refusal{Code: "CFDI40145", Message: "interno"},
		Failure: string(fiscal.KindRejected)}
	if err := w.store.AddCFDI(t.Context(), &refused); err != nil {
		t.Fatal(err)
	}
	link := staff.get("/consola/fiscal/timbrado").want(t, http.StatusOK).shows(t, "El nombre debe ser igual al de la Constancia", "Corregir datos fiscales").find("href", profile+"?volver=/consola/fiscal/timbrado")
	if len(link) != 1 {
		t.Error("no way from the refusal to the data")
	}
	if got := staff.get(profile+"?volver=/consola/fiscal/timbrado").want(t, http.StatusOK).value("f-nombre"); got != "ORGANICOS NAVEZ OSORIO" {
		t.Error(got)
	}
	form.Set("nombre", "Organicos Ñavez Osorio")
	form.Set("contacto", w.contacts[bookkeeper].ID.String())
	form.Set("volver", "/consola/fiscal/timbrado")
	if got := staff.post(profile, form).want(t, http.StatusSeeOther).Header.Get("Location"); got != "/consola/fiscal/timbrado" {
		t.Error(got)
	}
	row, err := w.store.CFDI(t.Context(), refused.ID)
	if err != nil || row.Status != db.CFDIDraft || row.Code != "" {
		t.Error("not built anew:", row.Status, row.Code, err)
	}
	jobs, err := w.store.JobsByKey(t.Context(), []string{fiscal.StampJob{CFDI: row.ID, Build: row.Build, Attempt: row.Attempts}.Key()})
	if err != nil || len(jobs) != 1 {
		t.Error("nobody stamps it", jobs, err)
	}
	own, err := service.ProfileContacts(system(t.Context()), rows[0].ID)
	if err != nil || len(own[rows[0].ID]) != 1 || own[rows[0].ID][0] != w.contacts[bookkeeper].ID {
		t.Error(own, err)
	}

	other := strings.Replace(profile, w.client.ID.String(), w.other.ID.String(), 1)
	staff.get(other).want(t, http.StatusNotFound)
	staff.post(other, form).want(t, http.StatusNotFound)
	w.as(owner).get(profile).want(t, http.StatusSeeOther)
}
