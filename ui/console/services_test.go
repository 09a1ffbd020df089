package console

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
)

func productForm1(more ...string) url.Values {
	form := url.Values{"name": {"Hospedaje Profesional"}, "kind": {"hosting"}, "cycle": {"monthly"}, "price": {"300.00"}, "currency": {"MXN"}, "treatment": {"iva16"}, "active": {"on"}}
	for i := 0; i < len(more); i += 2 {
		form.Set(more[i], more[i+1])
	}
	return form
}

// A product is sold as a service; its renewals are foreseen, invoiced once, changed by days, suspended and ended.
func TestProductsAndServices(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := dbtest.Client(t, w.store, "Aurora", "pagos@aurora.example")
	for name, test := range map[string][]string{
		"no name":         {"name", "", "name"},
		"negative price":  {"price", "-1", "price"},
		"words":           {"price", "mucho", "price"},
		"nineteen digits": {"price", "1234567890123456789", "price"},
		"unknown kind":    {"kind", "nave", "kind"},
		"unknown cycle":   {"cycle", "daily", "cycle"},
		"domain":          {"kind", "domain", "tld"},
		"SAT key":         {"claveProdServ", "1", "claveProdServ"},
	} {
		if got := w.post("/consola/productos/nuevo", productForm1(test[0], test[1])).want(t, 422).marked(); !slices.Equal(got, []string{test[2]}) {
			t.Errorf("%s marks %v", name, got)
		}
	}
	w.get("/consola/productos").want(t, 200, "Aún no hay productos")
	w.post("/consola/productos/nuevo", productForm1()).want(t, 303)
	p := w.get("/consola/productos").want(t, 200, "Hospedaje Profesional", "$300.00 MXN", "Mensual", "81112105")
	var product string
	for _, link := range p.all("a", "href", "") {
		if strings.HasPrefix(attr(link, "href"), "/consola/productos/prd_") {
			product = attr(link, "href")
		}
	}
	w.post(product, productForm1("name", "Hospedaje Pro")).want(t, 303)
	w.get(product).want(t, 200, "Hospedaje Pro")

	address := clientPath(client.ID) + "/servicios/nuevo"
	sell := url.Values{"product": {strings.TrimPrefix(product, "/consola/productos/")}, "description": {"Hospedaje, aurora.example"}, "quantity": {"1"},
		"startsOn": {"2026-04-15"}, "daysBefore": {"14"}, "requestKey": {"s"}}
	bad := url.Values{}
	for name, values := range sell {
		bad[name] = values
	}
	bad.Set("quantity", "0")
	bad.Set("quantity", "-1")
	bad.Set("endsOn", "2026-04-01")
	bad.Set("daysBefore", "91")
	if got := w.post(address, bad).want(t, 422).marked(); !slices.Equal(got, []string{"quantity", "daysBefore", "endsOn"}) {
		t.Errorf("marked %v", got)
	}
	made := w.post(address, sell).want(t, 303)
	if again := w.post(address, sell).want(t, 303); again.location != made.location {
		t.Error("sold twice")
	}
	w.get(clientPath(client.ID)+"/servicios").want(t, 200, "Hospedaje, aurora.example", "15 abr 2026", "Activo")
	w.get("/consola/renovaciones").want(t, 200, "Hospedaje, aurora.example", "1 renovación", "$300.00 MXN")

	w.post("/consola/renovaciones", nil).want(t, 200, "Se emitió 1 factura.")
	w.post("/consola/renovaciones", nil).want(t, 200, "Se emitieron 0 facturas.")
	w.get(made.location).want(t, 200, "15 abr 2026", "14 may 2026", "F-1", "15 may 2026")

	// 16 of 30 days are left on 29 April: from 300 to 600 costs 160 more, before tax.
	change := url.Values{"price": {"600"}, "quantity": {"1"}, "on": {"2026-04-29"}, "requestKey": {"c"}}
	up := w.post(made.location+"/cambiar", change).want(t, 303)
	w.get(up.location).want(t, 200, "$185.60 MXN")
	change.Set("requestKey", "d")
	change.Set("price", "450")
	down := w.post(made.location+"/cambiar", change).want(t, 303)
	w.get(down.location).want(t, 200, "NC-1", "$92.80 MXN")
	change.Set("price", "mucho")
	change.Set("quantity", "x")
	if got := w.post(made.location+"/cambiar", change).want(t, 422).marked(); !slices.Equal(got, []string{"price", "quantity"}) {
		t.Errorf("marked %v", got)
	}
	w.balanced()

	state := func(action, ends string, status int, words ...string) {
		t.Helper()
		w.post(made.location+"/estado", url.Values{"accion": {action}, "endsOn": {ends}}).want(t, status, words...)
	}
	state("suspender", "", 303)
	w.get(made.location).want(t, 200, "Suspendido", "Reanudar")
	w.get("/consola/renovaciones").want(t, 200, "Nada se renueva")
	state("reanudar", "", 303)
	state("fecha", "2026-05-01", 303)
	w.get(made.location).want(t, 200, "1 may 2026")
	state("otra", "", 422)
	state("terminar", "", 303)
	state("reanudar", "", 422, "no está activo")

	verbs := []string{}
	log, err := w.store.AuditLog(t.Context(), db.AuditFilter{Reach: access.Reach{All: true}}, db.Page{First: 100})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range log.Rows {
		verbs = append(verbs, row.Verb)
	}
	for _, verb := range []string{"product.save", "service.add", "service.change", "service.suspend", "service.resume", "service.end"} {
		if !slices.Contains(verbs, verb) {
			t.Errorf("%s is not in the audit: %v", verb, verbs)
		}
	}
	w.actor.Role = access.Support
	w.post("/consola/productos/nuevo", productForm1()).want(t, 403)
	w.post("/consola/renovaciones", nil).want(t, 403)
	w.post(made.location+"/cambiar", change).want(t, 403)
	w.post(made.location+"/estado", url.Values{"accion": {"reanudar"}}).want(t, 403)
	w.get(product).want(t, 200)
}
