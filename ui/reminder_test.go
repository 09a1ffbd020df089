package ui

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// The owner sees who gets which reminder when, and who does not and why; pauses them; and uses an address
// again that had returned mail. Others see what was sent for the invoices they may see.
func TestOwnerReminders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	home := "/clientes/" + w.client.ID.String()
	invoice := home + "/facturas/" + w.invoice.ID.String()
	contact := dbtest.Contact(t, w.store, w.client, "compras@cafe.example", now.AddDate(0, 0, -20), mail.Invoice)
	v := w.as(owner)
	v.get(home+"/recordatorios").want(t, http.StatusOK).shows(t, "Próximos avisos", w.invoice.Number, "7 días antes de vencer", "8 may 2026, 09:00", owner+", compras@cafe.example")
	page := v.get(invoice).want(t, http.StatusOK).shows(t, "¿Quién recibe qué aviso y cuándo?", bookkeeper, "Se enviará", "El contacto se agregó después", assistant, "Ya no desea recibir estos correos", "Pausar los avisos de esta factura")
	page.hides(t, "Taller Ajeno")

	for until, want := range map[string]string{"": "obligatorio", "ayer": "fecha válida", "2020-01-01": "de hoy en adelante"} {
		for _, address := range []string{home + "/recordatorios", invoice + "/recordatorios"} {
			p := v.post(address, url.Values{"until": {until}, "mode": {"shift"}, "reason": {"Promesa"}}).want(t, http.StatusUnprocessableEntity).shows(t, want)
			if p.value("f-reason") != "Promesa" {
				t.Errorf("%s: the reason is lost", address)
			}
		}
	}
	v.post(invoice+"/recordatorios", url.Values{"until": {"2026-05-12"}, "mode": {"skip"}, "reason": {"Promesa <i>"}}).want(t, http.StatusSeeOther)
	v.get(invoice).want(t, http.StatusOK).shows(t, "En pausa hasta el 12 may 2026", "Recordatorios en pausa").hides(t, "<i>")
	v.post(invoice+"/recordatorios", url.Values{"accion": {"reanudar"}}).want(t, http.StatusSeeOther)
	v.get(invoice).want(t, http.StatusOK).hides(t, "En pausa")
	v.post(home+"/recordatorios", url.Values{"until": {"2026-06-30"}, "mode": {"skip"}}).want(t, http.StatusSeeOther)
	v.get(home+"/recordatorios").want(t, http.StatusOK).shows(t, "En pausa hasta el 30 jun 2026", "Ningún aviso por salir")
	v.post(home+"/recordatorios", url.Values{"accion": {"reanudar"}}).want(t, http.StatusSeeOther)

	at := now
	if err := w.store.MarkBounce(t.Context(), w.client.ID, contact.ID, db.Bounce{BouncedEmail: contact.Email, BouncedAt: &at, BounceDetail: "550 5.1.1 unknown"}); err != nil {
		t.Fatal(err)
	}
	v.get(home+"/recordatorios").want(t, http.StatusOK).shows(t, "Direcciones que no reciben correo", "La dirección ya funciona").hides(t, "550 5.1.1")
	v.get(invoice).want(t, http.StatusOK).shows(t, "La dirección no recibe correo")
	working := url.Values{"contacto": {contact.ID.String()}}
	w.as(stranger).post(home+"/recordatorios/direccion", working).want(t, http.StatusNotFound)
	w.as(bookkeeper).post(home+"/recordatorios/direccion", working).want(t, http.StatusForbidden)
	v.post(home+"/recordatorios/direccion", working).want(t, http.StatusSeeOther)
	v.get(home+"/recordatorios").want(t, http.StatusOK).hides(t, "Direcciones que no reciben correo")

	clerk := w.as(bookkeeper)
	clerk.get(home+"/recordatorios").want(t, http.StatusForbidden)
	clerk.post(home+"/recordatorios", nil).want(t, http.StatusForbidden)
	clerk.post(invoice+"/recordatorios", nil).want(t, http.StatusForbidden)
	if page := clerk.get(invoice).want(t, http.StatusOK); strings.Contains(page.body, "¿Quién recibe qué") || strings.Contains(page.body, assistant) {
		t.Error("who is not the owner sees the others' addresses")
	}
	w.as(stranger).get(home+"/recordatorios").want(t, http.StatusNotFound)
}
