package console

import (
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/id"
)

func TestClientPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.get("/consola/clientes/nuevo").want(t, 200, "Nuevo cliente", "Enviar ahora la invitación")
	wrong := w.post("/consola/clientes/nuevo", url.Values{"name": {""}, "email": {"vivero"}, "city": {"Xalapa"}}).want(t, 422)
	if len(wrong.all("input", "value", "Xalapa")) != 1 || !slices.Equal(wrong.marked(), []string{"name", "email"}) {
		t.Error("what was typed is gone, or other fields are marked:", wrong.marked())
	}
	form := url.Values{"name": {"Vivero Inventado"}, "email": {"v@vivero.example"}, "city": {"Xalapa"}, "country": {"MX"}, "externalRef": {"77"}}
	at := w.post("/consola/clientes/nuevo", form).want(t, 303).location
	w.get(at).want(t, 200, "Vivero Inventado", "Aún no se le ha enviado la invitación", "Enviar invitación")
	w.post("/consola/clientes/nuevo", form).want(t, 422, "Otro cliente ya tiene esa referencia")
	w.post(at+"/invitacion", nil).want(t, 303)
	w.get(at).want(t, 200, "aún no la acepta", "Enviar de nuevo")
	if page := w.get(at+"/datos").want(t, 200, "Datos de la cuenta"); len(page.all("input", "value", "77")) != 1 {
		t.Error("the reference is not in the form")
	}
	form.Set("name", "Vivero Renombrado")
	w.post(at+"/datos", form).want(t, 422, "Al menos un correo del cliente")
	form["topics"] = []string{"domain", "invoice"}
	w.post(at+"/datos", form).want(t, 303)
	w.get(at).want(t, 200, "Vivero Renombrado")
	w.get(at+"/contactos/nuevo").want(t, 200, "Nuevo Contacto")
	w.post(at+"/contactos/nuevo", url.Values{"email": {""}, "firstname": {"Ana"}}).want(t, 422)
	contact := w.post(at+"/contactos/nuevo", url.Values{"email": {"ana@vivero.example"}, "firstname": {"Ana"}, "topics": {"invoice"}}).want(t, 303).location
	if page := w.get(contact).want(t, 200); len(page.all("input", "value", "ana@vivero.example")) != 1 {
		t.Error("the new contact is not there")
	}
	w.accepted(at)
	if again := w.post(at+"/invitacion", nil).want(t, 303); again.flash != "" {
		t.Errorf("an owner who came already: %q", again.flash)
	}
	w.actor.Role = access.ReadOnly
	w.get("/consola/clientes/nuevo").want(t, 403)
	w.post(at+"/datos", form).want(t, 403)
	if page := w.get(at); strings.Contains(page.body, "Enviar de nuevo") || strings.Contains(page.body, at+"/datos") {
		t.Error("who may only read is shown what changes")
	}
}

// accepted makes the owner of the client of the page come.
func (w *world) accepted(at string) {
	w.Helper()
	client, err := id.ParseClient(path.Base(at))
	if err != nil {
		w.Fatal(err)
	}
	owner, err := w.store.OwnerOf(w.Context(), client)
	if err != nil {
		w.Fatal(err)
	}
	login := db.Login{Email: "v@vivero.example", PasswordHash: "x", Language: "es-MX"}
	if err := w.store.AddLogin(w.Context(), &login); err != nil {
		w.Fatal(err)
	}
	owner.LoginID, owner.Status = login.ID, db.SubAccountActive
	if err := w.store.UpdateSubAccount(w.Context(), &owner); err != nil {
		w.Fatal(err)
	}
}

func TestImportClientsPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	head := "reference,name,email,contact_email\n"
	w.get("/consola/clientes/importar").want(t, 200, "contact_permissions", "Descargar ejemplo")
	w.upload("/consola/clientes/importar", head+"1,Uno,uno,k@uno.example\n").want(t, 422, "No se guardó nada", "Fila 2, columna email")
	w.upload("/consola/clientes/importar", head+"1,Uno,u@uno.example,k@uno.example\n").want(t, 200, "1 cliente agregado", "1 contacto.")
	rec := w.raw("/consola/clientes/importar/ejemplo.csv")
	if rec.StatusCode != http.StatusOK {
		t.Fatal(rec.StatusCode)
	}
	example := w.raw("/consola/clientes/importar/ejemplo.csv")
	result, err := w.account.ImportClients(access.With(t.Context(), access.SystemActor()), example.Body)
	if err != nil || result.Clients != 2 || result.Contacts != 2 {
		t.Fatalf("the example does not work: %+v, %v", result, err)
	}
	if list, err := w.account.Clients(access.With(t.Context(), access.SystemActor()), account.ClientQuery{}, db.Page{}); err != nil || len(list.Rows) != 3 {
		t.Fatal(len(list.Rows), err)
	}
	w.actor.Role = access.ReadOnly
	w.upload("/consola/clientes/importar", head).want(t, 403)
}
