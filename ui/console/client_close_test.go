package console

import (
	"net/url"
	"slices"
	"testing"

	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
)

// A client is closed with a reason, leaves the list for "Cerrados", is billed for nothing new, and is reopened.
func TestCloseClient(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := dbtest.Client(t, w.store, "Aurora Ejemplar", "pagos@aurora.example")
	dbtest.Client(t, w.store, "Boreal Ejemplar", "pagos@boreal.example")
	page := clientPath(client.ID)
	w.get("/consola/clientes").want(t, 200, "Aurora Ejemplar", "Boreal Ejemplar", "Cerrados")
	w.get("/consola/clientes?estado=closed").want(t, 200, "No hay clientes cerrados.")

	if got := w.post(page+"/cerrar", url.Values{"closeReason": {" "}}).want(t, 422, "Cerrar cliente").marked(); !slices.Equal(got, []string{"closeReason"}) {
		t.Errorf("marked: %v", got)
	}
	w.post(page+"/cerrar", url.Values{"closeReason": {"Cambió de <b>proveedor</b>"}}).want(t, 303)
	w.get(page).want(t, 200, "Cliente cerrado el 29 abr 2026", "Motivo: Cambió de <b>proveedor</b>", "Reabrir cliente").lacks(t, "Emitir factura", "Cerrar cliente")
	w.get(page+"/servicios").want(t, 200, "Cliente cerrado el").lacks(t, "Nuevo servicio")
	w.get(page+"/facturas/nueva").want(t, 409)
	w.get("/consola/clientes").want(t, 200, "Boreal Ejemplar").lacks(t, "Aurora Ejemplar")
	if p := w.get("/consola/clientes?buscar=aurora").want(t, 200, "búsquelo en «Cerrados»"); len(p.all("a", "href", "/consola/clientes?buscar=aurora&estado=closed")) != 1 {
		t.Error("the other tab forgets what is searched for")
	}
	w.get("/consola/clientes?estado=closed&buscar=ejemplar").want(t, 200, "Aurora Ejemplar", "Cerrado el 29 abr 2026").lacks(t, "Boreal Ejemplar")

	admin := w.actor
	w.actor.Role = access.ReadOnly
	w.post(page+"/reabrir", nil).want(t, 403)
	w.get(page).want(t, 200, "Cliente cerrado").lacks(t, "Reabrir cliente")
	w.actor = admin
	w.post(page+"/reabrir", nil).want(t, 303)
	w.get(page).want(t, 200, "Emitir factura").lacks(t, "Cliente cerrado")
}
