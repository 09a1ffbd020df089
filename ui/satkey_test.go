package ui

import (
	"net/http"
	"net/url"
	"testing"
)

// The fields for keys of the SAT offer what fits; without scripts they are plain fields that say what is wrong.
func TestSATKeyFields(t *testing.T) {
	t.Parallel()
	w, _ := fiscalWorld(t)
	staff := w.visit()
	staff.post("/consola/entrar", url.Values{"email": {personnel}, "password": {password}}).want(t, http.StatusSeeOther)
	for _, page := range []string{"/consola/productos/nuevo", "/consola/clientes/" + w.client.ID.String() + "/facturas/nueva"} {
		a := staff.get(page).want(t, http.StatusOK)
		for _, catalog := range []string{"c_ClaveProdServ", "c_ClaveUnidad"} {
			if len(a.find("data-combobox", "/consola/fiscal/claves?catalogo="+catalog)) == 0 {
				t.Errorf("%s: no field for %s", page, catalog)
			}
		}
	}
	const keys = "/consola/fiscal/claves?catalogo="
	staff.get(keys+"c_ClaveProdServ&q=OPERACION+de+sitios").want(t, http.StatusOK).shows(t, "81112105", "Servicios de hospedaje de operación de sitios web")
	staff.get(keys+"c_ClaveUnidad&q=e4").want(t, http.StatusOK).shows(t, "E48", "Unidad de servicio").hides(t, "Mes")
	staff.get(keys+"c_ClaveUnidad&q=zzzz").want(t, http.StatusOK).shows(t, "Ninguna clave del SAT coincide")
	staff.get(keys+"c_FormaPago&q=03").want(t, http.StatusOK).shows(t, "Ninguna clave del SAT coincide")
	w.visit().get(keys+"c_ClaveUnidad&q=e4").want(t, http.StatusSeeOther)
	refused := staff.post("/consola/productos/nuevo", url.Values{"name": {"Plan"}, "kind": {"hosting"}, "cycle": {"monthly"}, "price": {"1"}, "currency": {"MXN"}, "treatment": {"iva16"}, "claveProdServ": {"hospedaje"}, "claveUnidad": {"E48"}}).
		want(t, http.StatusUnprocessableEntity)
	if refused.fieldError("f-claveProdServ") == "" || refused.value("f-claveProdServ") != "hospedaje" {
		t.Errorf("words that nobody chose a key for: %q, %q", refused.fieldError("f-claveProdServ"), refused.value("f-claveProdServ"))
	}
}
