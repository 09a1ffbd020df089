package ui

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/internal/account"
)

func (w *world) staff() *visitor {
	w.Helper()
	v := w.visit()
	v.post("/consola/entrar", url.Values{"email": {personnel}, "password": {password}}).want(w, http.StatusSeeOther)
	return v
}

func TestStaff(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.staff()
	form := url.Values{"name": {"Sofía Cobranza"}, "email": {"sofia@hospedaje.example"}, "role": {"billing"}, "password": {password}}
	if v.post("/consola/personal", with(form, "email", "sofia")).want(t, http.StatusUnprocessableEntity).fieldError("f-email") == "" {
		t.Error("a wrong address says nothing")
	}
	v.post("/consola/personal", with(form, "email", "sofia@hospedaje.example")).want(t, http.StatusSeeOther)
	v.get("/consola/personal").want(t, http.StatusOK).shows(t, "Sofía Cobranza", "sofia@hospedaje.example", "Le enviamos el enlace para elegir su contraseña.")
	sofia, entry := w.visit(), url.Values{"email": {"sofia@hospedaje.example"}, "password": {password}}
	sofia.post("/consola/entrar", entry).want(t, http.StatusUnprocessableEntity) // nobody chooses it for her
	invitation := mailed[account.ResetNotice](w)
	if invitation.To != "sofia@hospedaje.example" || !invitation.Staff || invitation.InvitedBy != "Personal" || invitation.ExpiresAt.Sub(now) < 6*24*time.Hour {
		t.Fatalf("%+v", invitation)
	}
	sofia.get("/consola/contrasena/"+invitation.Token).want(t, http.StatusOK).shows(t, "Elija una contraseña nueva")
	chosen := url.Values{"token": {invitation.Token}, "password": {password}, "passwordAgain": {password}}
	sofia.post("/consola/contrasena/nueva", chosen).want(t, http.StatusSeeOther)
	w.visit().post("/consola/contrasena/nueva", with(chosen, "password", "otra clave larga", "passwordAgain", "otra clave larga")).want(t, http.StatusUnprocessableEntity).shows(t, "Este enlace ya no se puede usar.")
	sofia.post("/consola/entrar", entry).want(t, http.StatusSeeOther)
	sofia.get("/consola").want(t, http.StatusOK).hides(t, "/consola/personal", "/consola/tokens")
	sofia.get("/consola/personal").want(t, http.StatusForbidden)
	people, err := w.account.Staff(system(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range people {
		at := "/consola/personal/" + p.ID.String()
		if p.Email == personnel { // one's own role stays
			v.post(at, url.Values{"name": {p.Name}, "role": {"readonly"}, "active": {"on"}}).want(t, http.StatusForbidden)
		} else {
			v.post(at, url.Values{"name": {p.Name}, "role": {"billing"}}).want(t, http.StatusSeeOther)
		}
	}
	sofia.get("/consola").want(t, http.StatusSeeOther)
}

func TestAPITokens(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.staff()
	v.post("/consola/tokens", url.Values{"name": {"Soporte"}, "days": {"30"}}).want(t, http.StatusUnprocessableEntity).shows(t, "Este dato es obligatorio.")
	made := v.post("/consola/tokens", url.Values{"name": {"Soporte"}, "days": {"30"}, "scopes": {"access:read"}}).want(t, http.StatusOK)
	text := answer{root: made.find("id", "new-token")[0]}.text()
	if !strings.HasPrefix(text, account.TokenPrefix) {
		t.Fatalf("shows %q", text)
	}
	v.get("/consola/tokens").want(t, http.StatusOK).shows(t, "Soporte", "access:read", "sin usar").hides(t, text)
	if _, err := w.account.Authenticate(t.Context(), text); err != nil {
		t.Fatal(err)
	}
	rows, err := w.account.Tokens(system(t.Context()))
	if err != nil {
		t.Fatal(err)
	}
	v.post("/consola/tokens/"+rows[0].ID.String()+"/revocar", nil).want(t, http.StatusSeeOther)
	v.get("/consola/tokens").shows(t, "Revocado")
	if _, err := w.account.Authenticate(t.Context(), text); err == nil {
		t.Error("a revoked token still opens")
	}
}

func TestViewAs(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.staff()
	client := w.client.ID.String()
	v.get("/consola/clientes/"+client).shows(t, "Ver como este cliente")
	v.post("/consola/clientes/"+client+"/ver", nil).want(t, http.StatusSeeOther)
	v.get("/clientes/"+client).want(t, http.StatusOK).shows(t, "Personal ve esta cuenta como su titular. No se puede cambiar nada.")
	v.post("/clientes/"+client+"/contactos", contactValues()).want(t, http.StatusForbidden)
	v.get("/clientes/"+w.other.ID.String()).want(t, http.StatusNotFound)
	if to := v.post("/clientes/salir", nil).want(t, http.StatusSeeOther).Header.Get("Location"); to != "/consola/clientes/"+client {
		t.Errorf("led to %s", to)
	}
	v.get("/clientes/"+client).want(t, http.StatusSeeOther)
	v.get("/consola/actividad?cliente="+client).want(t, http.StatusOK).shows(t, "Cliente · vista como el cliente", "Cliente · fin de la vista como el cliente")
	if file := v.get("/consola/actividad/archivo?que=client.view").want(t, http.StatusOK); strings.Count(file.body, "\n") != 2 {
		t.Errorf("the file is\n%s", file.body)
	}
}

// Failed sign-ins have a page: all of them for staff, the client's own people for its owner, none for others.
func TestFailedSignInPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	own := "/clientes/" + w.client.ID.String() + "/actividad/intentos"
	w.as(owner).get(own).want(t, http.StatusOK).shows(t, "Ningún acceso fallido")
	fail := func(area, email string, times int) {
		for range times {
			w.visit().post("/"+area+"/entrar", url.Values{"email": {email}, "password": {"no es esta"}}).want(t, http.StatusUnprocessableEntity)
		}
	}
	fail("clientes", bookkeeper, 3)
	fail("clientes", stranger, 1)
	fail("clientes", "nadie@nada.example", 2)
	fail("consola", personnel, 1)
	staff := w.staff()
	staff.get("/consola/actividad").want(t, http.StatusOK).shows(t, "Accesos fallidos")
	staff.get("/consola/actividad/intentos").want(t, http.StatusOK).
		shows(t, bookkeeper, "3 intentos", stranger, "1 intento", personnel, "Correos que no tienen cuenta", "2 intentos", "127.0.0.1").hides(t, "no es esta", "nadie@nada.example")
	w.as(owner).get(own).want(t, http.StatusOK).shows(t, bookkeeper, "3 intentos").hides(t, stranger, personnel, "Correos que no tienen cuenta")
	w.as(bookkeeper).get(own).want(t, http.StatusForbidden)
	w.as(stranger).get(own).want(t, http.StatusNotFound)
	w.as(owner).get("/consola/actividad/intentos").want(t, http.StatusSeeOther)
}

// The activity is asked for by names as they are shown; what fits nobody, or several, is said at the field.
func TestActivityByName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	staff := w.staff()
	w.as(owner).get("/clientes").want(t, http.StatusSeeOther)
	staff.get("/consola/actividad?quien="+url.QueryEscape(strings.ToUpper(owner))).want(t, http.StatusOK).shows(t, owner).hides(t, "No hay actividad")
	staff.get("/consola/actividad?quien=nadie@nada.example").want(t, http.StatusOK).shows(t, "No hay actividad")
	staff.get("/consola/actividad?cliente="+url.QueryEscape(w.client.Name)).want(t, http.StatusOK).hides(t, "Ningún cliente se llama así")
	staff.get("/consola/actividad?cliente=Zacatecas").want(t, http.StatusOK).shows(t, "Ningún cliente se llama así", "No hay actividad")
	staff.get("/consola/actividad?cliente=example").want(t, http.StatusOK).shows(t, "Hay varios", "No hay actividad")
}
