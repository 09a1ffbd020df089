package ui

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/internal/account"
)

const invited = "ana@despacho.example"

// invite adds a contact by invitation, by the form, and returns the token of its mail.
func (v *visitor) invite() string {
	v.Helper()
	form := with(contactValues(), "subAccount.invite", "on", "subAccount.password", "", "subAccount.passwordAgain", "")
	v.post("/clientes/"+v.client.ID.String()+"/contactos", form).want(v, http.StatusSeeOther)
	return mailed[account.InvitationNotice](v.world).Token
}

// accept sets the invited person's password.
func (w *world) accept(token string) *visitor {
	w.Helper()
	v := w.visit()
	v.post("/clientes/invitacion/aceptar", url.Values{"token": {token}, "password": {password}, "passwordAgain": {password}}).want(w, http.StatusSeeOther)
	return v
}

func TestInvitation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.as(owner)
	contacts := "/clientes/" + w.client.ID.String() + "/contactos"
	v.get(contacts+"/nuevo").shows(t, "Enviar invitación", "Escribir una contraseña")
	first := v.invite()
	v.get(contacts+"?estado=invited").want(t, http.StatusOK).shows(t, "Ana Contadora", "Reenviar invitación").hides(t, bookkeeper)
	v.get(contacts+"?estado=active").hides(t, invited)
	row, _ := w.contactByEmail(t, invited)
	change := contacts + "/" + row.ID.String() + "/acceso"

	v.post(change, url.Values{"accion": {"reenviar"}}).want(t, http.StatusSeeOther)
	token := mailed[account.InvitationNotice](w).Token
	if token == first {
		t.Fatal("nothing new was mailed")
	}
	guest := w.visit()
	guest.get("/clientes/invitacion/"+first).want(t, http.StatusConflict)
	guest.get("/clientes/invitacion/nunca").want(t, http.StatusConflict)
	guest.get("/clientes/invitacion/"+token).want(t, http.StatusOK).shows(t, "Acceso a Café de Prueba", invited, "Ver & Pagar facturas")
	form := url.Values{"token": {token}, "password": {"corta"}, "passwordAgain": {"corta"}}
	if text := guest.post("/clientes/invitacion/aceptar", form).want(t, http.StatusUnprocessableEntity).fieldError("f-password"); text != "Use al menos 10 caracteres." {
		t.Errorf("a short password: %q", text)
	}
	form.Set("password", password)
	guest.post("/clientes/invitacion/aceptar", with(form, "passwordAgain", password)).want(t, http.StatusSeeOther)
	guest.get("/clientes/"+w.client.ID.String()).want(t, http.StatusOK).shows(t, "Invitación aceptada.")
	w.visit().post("/clientes/invitacion/aceptar", form).want(t, http.StatusConflict)

	v.post(change, url.Values{"accion": {"suspender"}}).want(t, http.StatusSeeOther)
	guest.get("/clientes/"+w.client.ID.String()).want(t, http.StatusSeeOther)
	v.get(contacts+"?estado=suspended").shows(t, "Ana Contadora", "Reanudar")
	v.post(change, url.Values{"accion": {"suspender"}}).want(t, http.StatusConflict)
	v.post(change, url.Values{"accion": {"reanudar"}}).want(t, http.StatusSeeOther)
	w.as(invited).get("/clientes/"+w.client.ID.String()).want(t, http.StatusOK)
	w.as(stranger).post(change, url.Values{"accion": {"suspender"}}).want(t, http.StatusNotFound)
}

func TestInvitationOfAnExistingLogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	form := with(contactValues(), "email", stranger, "subAccount.invite", "on", "subAccount.password", "", "subAccount.passwordAgain", "")
	w.as(owner).post("/clientes/"+w.client.ID.String()+"/contactos", form).want(t, http.StatusSeeOther)
	token := mailed[account.InvitationNotice](w).Token
	link := "/clientes/invitacion/" + token
	guest := w.visit()
	guest.get(link).want(t, http.StatusOK).shows(t, "Ya tiene una cuenta con este correo.").hides(t, `name="password"`)
	guest.post("/clientes/invitacion/aceptar", url.Values{"token": {token}, "password": {password}, "passwordAgain": {password}}).want(t, http.StatusUnprocessableEntity)
	back := guest.post("/clientes/entrar", url.Values{"email": {stranger}, "password": {password}, "next": {link}}).want(t, http.StatusSeeOther)
	if back.Header.Get("Location") != link {
		t.Fatalf("led to %s", back.Header.Get("Location"))
	}
	guest.get(link).shows(t, "Inició sesión como "+stranger)
	guest.post("/clientes/invitacion/aceptar", url.Values{"token": {token}, "con": {"sesion"}}).want(t, http.StatusSeeOther)
	for _, client := range []string{w.client.ID.String(), w.other.ID.String()} { // one login, two clients
		guest.get("/clientes/"+client).want(t, http.StatusOK).shows(t, "Café de Prueba", "Taller Ajeno")
	}
}

func TestCancelInvitation(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.as(owner)
	token := v.invite()
	row, _ := w.contactByEmail(t, invited)
	v.post("/clientes/"+w.client.ID.String()+"/contactos/"+row.ID.String()+"/acceso", url.Values{"accion": {"cancelar"}}).want(t, http.StatusSeeOther)
	w.visit().get("/clientes/invitacion/"+token).want(t, http.StatusConflict)
	kept, there := w.contactByEmail(t, invited)
	if !there || len(kept.Topics) != 1 {
		t.Errorf("the contact's preferences are %v", kept.Topics)
	}
}

func TestOwnership(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.as(owner)
	ana := w.accept(v.invite())
	row, _ := w.contactByEmail(t, invited)
	home := "/clientes/" + w.client.ID.String()
	page := home + "/titularidad"

	ana.get(page).want(t, http.StatusNotFound)
	v.get(page).want(t, http.StatusOK).shows(t, "Ofrecer la titularidad", "Ana Contadora")
	offer := url.Values{"accion": {"ofrecer"}, "contact": {row.ID.String()}, "password": {"no-es-la-mia"}}
	if v.post(page, offer).want(t, http.StatusUnprocessableEntity).fieldError("f-password") == "" {
		t.Error("a wrong password says nothing")
	}
	typed := w.contacts[bookkeeper] // the client made this login: nobody proved its address
	v.post(page, url.Values{"accion": {"ofrecer"}, "contact": {typed.ID.String()}, "password": {password}}).want(t, http.StatusUnprocessableEntity)
	v.post(page, with(offer, "password", password)).want(t, http.StatusSeeOther)
	if n := mailed[account.HandoverNotice](w); n.To != invited || n.ClientID != w.client.ID {
		t.Errorf("mailed %+v", n)
	}
	v.get(page).shows(t, "Ofrecida a Ana Contadora", "Retirar el ofrecimiento")
	v.post(page, url.Values{"accion": {"aceptar"}}).want(t, http.StatusNotFound)
	w.as(bookkeeper).get(page).want(t, http.StatusNotFound)
	ana.get(page).want(t, http.StatusOK).shows(t, "le ofrece la titularidad de Café de Prueba")
	ana.post(page, url.Values{"accion": {"aceptar"}}).want(t, http.StatusSeeOther)
	ana.get(home).want(t, http.StatusOK).shows(t, "Ahora usted es el titular.")
	v.get(home).want(t, http.StatusOK)
	v.get(home+"/actividad").want(t, http.StatusForbidden)

	ana.post(page, url.Values{"accion": {"factor"}, "required": {"on"}}).want(t, http.StatusSeeOther)
	if to := v.get(home).want(t, http.StatusSeeOther).Header.Get("Location"); to != "/clientes/seguridad" {
		t.Errorf("led to %s", to)
	}
}

func TestActivity(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.as(owner)
	v.invite()
	page := "/clientes/" + w.client.ID.String() + "/actividad"
	v.get(page).want(t, http.StatusOK).shows(t, owner, "Contacto · alta", "Invitación · envío")
	v.get(page+"?que=invitation.").shows(t, "Invitación · envío").hides(t, "Contacto · alta")
	v.get(page+"?hasta=2020-01-01").shows(t, "No hay actividad con estos filtros")
	file := v.get(page+"/archivo?que=invitation.").want(t, http.StatusOK)
	if !strings.HasPrefix(file.body, "id,at,client,") || !strings.Contains(file.body, ",invitation.send,") || strings.Contains(file.body, ",contact.add,") {
		t.Errorf("the file is\n%s", file.body)
	}
	for _, other := range []struct {
		as     string
		status int
	}{{bookkeeper, http.StatusForbidden}, {stranger, http.StatusNotFound}} {
		w.as(other.as).get(page).want(t, other.status)
		w.as(other.as).get(page+"/archivo").want(t, other.status)
	}
}
