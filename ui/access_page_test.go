package ui

import (
	"net/http"
	"net/url"
	"slices"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// Staff invite a contact, change what it may do and until when, suspend it, reset its second factor and take
// the access away, as the owner can in the client area.
func TestStaffChangeAccess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.addContact("Visita", "visita@externa.example", []mail.Topic{mail.Invoice})
	contact := func(email string) id.Contact {
		list, err := w.account.Contacts(system(t.Context()), w.client.ID, db.Page{First: 50})
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(list.Rows, func(c db.Contact) bool { return c.Email == email })
		return list.Rows[i].ID
	}
	state := func(of id.Contact) account.Access {
		found, err := w.account.AccessByContact(system(t.Context()), []id.Contact{of})
		if err != nil {
			t.Fatal(err)
		}
		return found[of]
	}
	visit := contact("visita@externa.example")
	page := "/consola/contactos/" + visit.String()
	v := w.staff()
	do := func(action string, status int, more ...string) answer {
		form := url.Values{"accion": {action}}
		for i := 0; i+1 < len(more); i += 2 {
			form.Add(more[i], more[i+1])
		}
		return v.post(page+"/acceso", form).want(t, status)
	}
	v.get(page).want(t, http.StatusOK).shows(t, "Sin acceso", "Enviar invitación").hides(t, "Suspender", "Restablecer segundo factor")
	do("invitar", http.StatusUnprocessableEntity, "permissions", "invoices", "expiresOn", "ayer").shows(t, "Escriba una fecha válida")
	do("invitar", http.StatusSeeOther, "permissions", "invoices", "expiresOn", "2099-04-30")
	if a := state(visit); a.State() != "invited" || a.ExpiresOn != "2099-04-30" || !slices.Equal(a.Permissions, []access.Permission{access.Invoices}) {
		t.Errorf("invited: %+v", a.SubAccount)
	}
	invited := mailed[account.InvitationNotice](w)
	v.get(page).shows(t, "Invitado", "Reenviar invitación", "Cancelar invitación")
	do("guardar", http.StatusSeeOther, "permissions", "invoices", "permissions", "emails")
	w.visit().post("/clientes/invitacion/aceptar", url.Values{"token": {invited.Token}, "password": {password}, "passwordAgain": {password}}).want(t, http.StatusSeeOther)
	if a := state(visit); a.State() != "active" || len(a.Permissions) != 2 {
		t.Errorf("accepted: %s, %v", a.State(), a.Permissions)
	}
	person := w.as("visita@externa.example")
	person.get("/clientes/"+w.client.ID.String()+"/facturas").want(t, http.StatusOK)
	do("factores", http.StatusSeeOther)
	person.get("/clientes/"+w.client.ID.String()+"/facturas").want(t, http.StatusSeeOther) // its sessions have ended
	do("suspender", http.StatusSeeOther)
	v.get(page).shows(t, "Suspendido", "Reanudar")
	do("reanudar", http.StatusSeeOther)
	do("quitar", http.StatusSeeOther)
	v.get(page).shows(t, "Sin acceso")
	do("otra", http.StatusUnprocessableEntity)
	v.get("/consola/actividad?que=login.").want(t, http.StatusOK).shows(t, "restablecimiento del segundo factor")
}
