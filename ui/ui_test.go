package ui

import (
	"bytes"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

func TestSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	home := "/clientes/" + w.client.ID.String()

	t.Run("a visitor is led to the sign-in page and back", func(t *testing.T) {
		v := w.visit()
		to := v.get(home+"/facturas?estado=open").want(t, http.StatusSeeOther).Header.Get("Location")
		if want := "/clientes/entrar?next=" + url.QueryEscape(home+"/facturas?estado=open"); to != want {
			t.Fatalf("led to %s, want %s", to, want)
		}
		form := v.get(to).want(t, http.StatusOK).shows(t, "Área de Clientes", "Iniciar sesión")
		nexts := form.find("name", "next") // the last one is the form's, the first the language switch's
		done := v.post("/clientes/entrar", url.Values{"email": {strings.ToUpper(owner)}, "password": {password}, "next": {attribute(nexts[len(nexts)-1], "value")}}).want(t, http.StatusSeeOther)
		if got := done.Header.Get("Location"); got != home+"/facturas?estado=open" {
			t.Errorf("led back to %s", got)
		}
		v.get(home).want(t, http.StatusOK).shows(t, "Su Información", "Contactos", "Nuevo Contacto", "Café de Prueba")
	})
	t.Run("the cookie is for us alone", func(t *testing.T) {
		done := w.visit().post("/clientes/entrar", url.Values{"email": {owner}, "password": {password}}).want(t, http.StatusSeeOther)
		cookie := done.Header.Get("Set-Cookie")
		for _, part := range []string{layout.LoginCookie + "=", "Path=/", "HttpOnly", "SameSite=Lax"} {
			if !strings.Contains(cookie, part) {
				t.Errorf("cookie lacks %s", part)
			}
		}
	})
	t.Run("a wrong password shows the form again", func(t *testing.T) {
		page := w.visit().post("/clientes/entrar", url.Values{"email": {owner}, "password": {"Otra-clave-larga"}}).want(t, http.StatusUnprocessableEntity)
		page.shows(t, "Correo o contraseña incorrectos.").hides(t, "Otra-clave-larga")
		if page.value("f-email") != owner {
			t.Error("the address is lost")
		}
	})
	t.Run("nobody is sent to another site", func(t *testing.T) {
		for _, next := range []string{"https://otro.example/", "//otro.example", `/\otro.example`, "javascript:alert(1)"} {
			to := w.visit().post("/clientes/entrar", url.Values{"email": {owner}, "password": {password}, "next": {next}}).want(t, http.StatusSeeOther).Header.Get("Location")
			if to != "/clientes" {
				t.Errorf("next=%q leads to %s", next, to)
			}
		}
	})
	t.Run("staff do not enter the client area with their session", func(t *testing.T) {
		v := w.visit()
		v.post("/consola/entrar", url.Values{"email": {personnel}, "password": {password}}).want(t, http.StatusSeeOther)
		v.get(home).want(t, http.StatusSeeOther)
		v.get("/consola").want(t, http.StatusOK)
		w.as(owner).get("/consola").want(t, http.StatusSeeOther)
	})
	t.Run("signing out ends the session", func(t *testing.T) {
		v := w.as(owner)
		v.post("/clientes/salir", nil).want(t, http.StatusSeeOther)
		v.get("/clientes/entrar").shows(t, "Cerró su sesión.")
		v.get("/clientes/entrar").hides(t, "Cerró su sesión.")
		v.get(home).want(t, http.StatusSeeOther)
	})
	t.Run("a session that somebody has put into the browser stays theirs", func(t *testing.T) {
		attacker, v := w.as(bookkeeper), w.visit()
		planted := attacker.cookie(layout.LoginCookie)
		done := v.post("/clientes/entrar", url.Values{"email": {owner}, "password": {password}}, "Cookie", layout.LoginCookie+"="+planted).want(t, http.StatusSeeOther)
		if own := v.cookie(layout.LoginCookie); own == "" || own == planted {
			t.Errorf("the session is %q, %q was there before: %v", own, planted, done.Header)
		}
		v.get("/clientes/seguridad").want(t, http.StatusOK).shows(t, owner)
		attacker.get("/clientes/seguridad").want(t, http.StatusOK).shows(t, bookkeeper).hides(t, owner)
	})
	t.Run("too many attempts", func(t *testing.T) {
		slow := *w
		slow.account = &account.Service{Store: w.store, Now: w.account.Now, Limiter: limiter{41 * time.Second}}
		slow.serve(Config{})
		page := slow.visit().post("/clientes/entrar", url.Values{"email": {owner}, "password": {password}}).want(t, http.StatusTooManyRequests)
		page.shows(t, "Demasiados intentos. Vuelva a intentarlo en 42 segundos.")
	})
}

func contactValues() url.Values {
	return url.Values{
		"firstname": {"Ana"}, "lastname": {"Contadora"}, "email": {"ana@despacho.example"}, "country": {"MX"}, "language": {"es-MX"}, "timezone": {"America/Mexico_City"},
		"subAccount.active": {"on"}, "subAccount.password": {"Una-frase-larga-26"}, "subAccount.passwordAgain": {"Una-frase-larga-26"},
		"subAccount.permissions": {"invoices"}, "topics": {"invoice"},
	}
}

func with(values url.Values, pairs ...string) url.Values {
	for i := 0; i+1 < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return values
}

func (w *world) contactByEmail(t *testing.T, email string) (db.Contact, bool) {
	t.Helper()
	list, err := w.account.Contacts(system(t.Context()), w.client.ID, db.Page{First: 100})
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(list.Rows, func(c db.Contact) bool { return c.Email == email })
	if i < 0 {
		return db.Contact{}, false
	}
	return list.Rows[i], true
}

// The article's job, by forms alone, without JavaScript.
func TestAddContact(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.as(owner)
	contacts := "/clientes/" + w.client.ID.String() + "/contactos"

	v.get(contacts+"/nuevo").want(t, http.StatusOK).shows(t, "Sub-Cuenta activada", "Permisos de subcuenta", "Preferencias Email", "Guardar Cambios",
		"Recibe recordatorios y descarga facturas fiscales", "Contador", "Técnico", "Todo")
	done := v.post(contacts, contactValues()).want(t, http.StatusSeeOther)
	if done.Header.Get("Location") != contacts {
		t.Errorf("led to %s", done.Header.Get("Location"))
	}
	v.get(contacts).want(t, http.StatusOK).shows(t, "Contacto agregado.", "Ana Contadora", "ana@despacho.example", "Con acceso", "Ver & Pagar facturas")
	row, ok := w.contactByEmail(t, "ana@despacho.example")
	if !ok || !slices.Equal(row.Topics, []mail.Topic{mail.Invoice}) {
		t.Fatalf("saved %+v", row)
	}

	ana := w.visit()
	ana.post("/clientes/entrar", url.Values{"email": {"ana@despacho.example"}, "password": {"Una-frase-larga-26"}}).want(t, http.StatusSeeOther)
	ana.get("/clientes/"+w.client.ID.String()).want(t, http.StatusOK).shows(t, w.invoice.Number, "$1,160.00 MXN")
	w.render(w.invoice)
	pdf := ana.get(PDFPath(w.invoice.ID)).want(t, http.StatusOK)
	if !strings.HasPrefix(pdf.body, "%PDF-") || pdf.Header.Get("Content-Disposition") != "attachment; filename="+w.invoice.Number+".pdf" {
		t.Errorf("no PDF: %s", pdf.Header)
	}
	log, err := w.store.Downloads(t.Context(), w.invoice.ID)
	if rows := log[w.invoice.ID]; err != nil || len(rows) != 1 || rows[0].Address != "127.0.0.1" || rows[0].LoginID == 0 {
		t.Errorf("download log %+v %v", log, err)
	}
}

func TestContactFormErrors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	contacts := "/clientes/" + w.client.ID.String() + "/contactos"
	for _, test := range []struct {
		name   string
		as     string
		change []string
		field  string
		text   string
	}{
		{"no email", owner, []string{"email", ""}, "f-email", "Este dato es obligatorio."},
		{"malformed email", owner, []string{"email", "ana@"}, "f-email", "Escriba un correo válido, por ejemplo nombre@empresa.mx."},
		{"email twice", owner, []string{"email", strings.ToUpper(bookkeeper)}, "f-email", "Este cliente ya tiene un contacto con ese correo."},
		{"short password", owner, []string{"subAccount.password", "corta", "subAccount.passwordAgain", "corta"}, "f-subAccount-password", "Use al menos 10 caracteres."},
		{"passwords differ", owner, []string{"subAccount.passwordAgain", "Otra-frase-larga-26"}, "f-subAccount-passwordAgain", "Las contraseñas no coinciden."},
		{"unknown permission", owner, []string{"subAccount.permissions", "everything"}, "f-subAccount-permissions", "Permiso desconocido: everything."},
		{"permission that one lacks", assistant, nil, "f-subAccount-permissions", "No puede otorgar «Ver & Pagar facturas» porque usted no lo tiene."},
		{"unknown topic", owner, []string{"topics", "gossip"}, "f-topics", "Preferencia desconocida: gossip."},
		{"no date", owner, []string{"subAccount.expiresOn", "31/12/2026"}, "f-subAccount-expiresOn", "Escriba una fecha válida (AAAA-MM-DD)."},
		{"date in the past", owner, []string{"subAccount.expiresOn", "2026-04-28"}, "f-subAccount-expiresOn", "La fecha debe ser de hoy en adelante."},
		{"control characters", owner, []string{"lastname", "Ana\r\nBcc: x@x.example"}, "f-lastname", "Contiene caracteres no permitidos."},
	} {
		t.Run(test.name, func(t *testing.T) {
			values := with(contactValues(), test.change...)
			page := w.as(test.as).post(contacts, values).want(t, http.StatusUnprocessableEntity)
			if got := page.fieldError(test.field); got != test.text {
				t.Errorf("%s says %q, want %q", test.field, got, test.text)
			}
			page.shows(t, "Revise los datos marcados antes de guardar.")
			if page.value("f-firstname") != "Ana" || !page.checked("f-subAccount-active") {
				t.Error("what was typed is lost")
			}
			page.hides(t, values.Get("subAccount.password"), "Otra-frase-larga-26")
			if _, saved := w.contactByEmail(t, "ana@despacho.example"); saved {
				t.Error("half saved")
			}
		})
	}
}

func TestPresets(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.as(owner)
	contacts := "/clientes/" + w.client.ID.String() + "/contactos"
	values := url.Values{"email": {"ana@despacho.example"}, "firstname": {"Ana"}, "topics": {"domain"}, "subAccount.password": {"Una-frase-larga-26"}}
	const offer = "Recibe recordatorios y descarga facturas fiscales"
	v.get(contacts+"/nuevo").shows(t, offer)
	v.get(contacts+"/"+w.contacts[bookkeeper].ID.String()).want(t, http.StatusOK).hides(t, offer) // has both already
	page := v.post(contacts, with(values, "preset", "reminders")).want(t, http.StatusOK).hides(t, "Una-frase-larga-26").shows(t, offer)
	for id, want := range map[string]bool{"f-subAccount-active": true, "f-subAccount-permissions-invoices": true, "f-topics-invoice": true, "f-topics-domain": true,
		"f-subAccount-permissions-contacts": false} {
		if page.checked(id) != want {
			t.Errorf("%s is ticked: %v", id, !want)
		}
	}
	if page.value("f-firstname") != "Ana" {
		t.Error("what was typed is lost")
	}
	page = v.post(contacts, with(values, "preset", "accountant")).want(t, http.StatusOK)
	if !page.checked("f-subAccount-permissions-emails") || page.checked("f-topics-invoice") {
		t.Error("the accountant's preset sets permissions, and those alone")
	}
	if _, saved := w.contactByEmail(t, "ana@despacho.example"); saved {
		t.Error("a preset saves nothing")
	}
}

func TestEditContact(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.as(owner)
	row := w.contacts[bookkeeper]
	at := "/clientes/" + w.client.ID.String() + "/contactos/" + row.ID.String()

	page := v.get(at).want(t, http.StatusOK).shows(t, "Entra con el correo "+bookkeeper+".", "Déjela en blanco para conservar la actual.")
	if !page.checked("f-subAccount-active") || !page.checked("f-subAccount-permissions-emails") || !page.checked("f-topics-invoice") {
		t.Error("the form does not show what is saved")
	}
	values := url.Values{"email": {bookkeeper}, "firstname": {"Contaduría"}, "country": {"MX"}, "language": {"en"}, "timezone": {"America/Mexico_City"},
		"subAccount.active": {"on"}, "subAccount.permissions": {"invoices"}, "topics": {"invoice", "domain"}}
	v.post(at, values).want(t, http.StatusSeeOther)
	w.as(bookkeeper) // the password stays when none is typed
	found, err := w.account.AccessByContact(system(t.Context()), ids(row))
	if err != nil || !slices.Equal(found[row.ID].Permissions, []access.Permission{access.Invoices}) {
		t.Errorf("permissions %v %v", found[row.ID].Permissions, err)
	}

	// Taking the access away leaves the mail alone.
	values.Del("subAccount.active")
	v.post(at, values).want(t, http.StatusSeeOther)
	w.visit().post("/clientes/entrar", url.Values{"email": {bookkeeper}, "password": {password}}).want(t, http.StatusUnprocessableEntity)
	saved, _ := w.contactByEmail(t, bookkeeper)
	if !slices.Contains(saved.Topics, mail.Invoice) || saved.Name() != "Contaduría" {
		t.Errorf("saved %+v", saved)
	}

	// Delete: asked first, then done.
	v.get(at+"/eliminar").want(t, http.StatusOK).shows(t, "Eliminar a Contaduría", "El historial de lo que se le envió se conserva.")
	if _, there := w.contactByEmail(t, bookkeeper); !there {
		t.Fatal("asking deleted it")
	}
	v.post(at+"/eliminar", nil).want(t, http.StatusSeeOther)
	v.get(at).want(t, http.StatusNotFound)
}

func TestNobodyChangesTheirOwnAccess(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.as(assistant)
	row := w.contacts[assistant]
	at := "/clientes/" + w.client.ID.String() + "/contactos/" + row.ID.String()
	v.get(at).want(t, http.StatusOK).shows(t, "Este es su propio acceso.").hides(t, `name="subAccount.active"`)
	values := url.Values{"email": {assistant}, "firstname": {"Asistente"}, "lastname": {"Nueva"}, "topics": {"domain"},
		"subAccount.active": {"on"}, "subAccount.permissions": {"contacts", "invoices"}}
	v.post(at, values).want(t, http.StatusSeeOther)
	found, err := w.account.AccessByContact(system(t.Context()), ids(row))
	if err != nil || !slices.Equal(found[row.ID].Permissions, []access.Permission{access.Contacts}) {
		t.Errorf("permissions %v %v", found[row.ID].Permissions, err)
	}
	v.post(at+"/eliminar", nil).want(t, http.StatusUnprocessableEntity).shows(t, "No puede cambiar su propio acceso.")
}

// What the reader does not hold cannot be ticked, and a tick that is set survives saving.
func TestPermissionsNotHeldAreKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.as(assistant)
	row := w.contacts[bookkeeper]
	at := "/clientes/" + w.client.ID.String() + "/contactos/" + row.ID.String()
	page := v.get(at).want(t, http.StatusOK).shows(t, "No puede otorgarlo porque usted no lo tiene.")
	values := url.Values{"email": {bookkeeper}, "topics": {"invoice"}, "subAccount.active": {"on"}}
	for _, field := range page.find("name", "subAccount.permissions") { // as a browser sends them
		if !has(field, "disabled") && (attribute(field, "type") == "hidden" || has(field, "checked")) {
			values.Add("subAccount.permissions", attribute(field, "value"))
		}
	}
	v.post(at, values).want(t, http.StatusSeeOther)
	found, err := w.account.AccessByContact(system(t.Context()), ids(row))
	if err != nil || !slices.Equal(found[row.ID].Permissions, []access.Permission{access.Invoices, access.Emails}) {
		t.Errorf("permissions %v %v", found[row.ID].Permissions, err)
	}
}

func TestNamesAreText(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.as(owner)
	contacts := "/clientes/" + w.client.ID.String() + "/contactos"
	const evil = `<script>alert(1)</script>"><img src=x onerror=alert(1)>`
	v.post(contacts, with(contactValues(), "firstname", evil)).want(t, http.StatusSeeOther)
	row, _ := w.contactByEmail(t, "ana@despacho.example")
	for _, path := range []string{contacts, contacts + "/" + row.ID.String(), contacts + "/" + row.ID.String() + "/eliminar", "/clientes/" + w.client.ID.String()} {
		v.get(path).want(t, http.StatusOK).shows(t, "<script>alert(1)</script>").hides(t, "<script>alert", "<img src=x")
	}
	v.get("/clientes/"+w.client.ID.String()+"/facturas/"+w.invoice.ID.String()).want(t, http.StatusOK).shows(t, "Hospedaje <anual>").hides(t, "<anual>")
}

// Whatever a page's address names, a stranger's thing is not there.
func TestStrangersSeeNothing(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	mine, theirs := "/clientes/"+w.client.ID.String(), "/clientes/"+w.other.ID.String()
	contact := w.contacts[bookkeeper].ID.String()
	v, outsider := w.as(owner), w.as(stranger)
	w.render(w.alien)
	for _, path := range []string{
		theirs, theirs + "/contactos", theirs + "/contactos/nuevo", theirs + "/facturas", theirs + "/facturas/" + w.alien.ID.String(),
		theirs + "/facturas/" + w.alien.ID.String() + "/pdf", mine + "/facturas/" + w.alien.ID.String(), "/clientes/facturas/" + w.alien.ID.String(),
		PDFPath(w.alien.ID), "/descargas/facturas/inv_999999.pdf", "/descargas/facturas/1.pdf", mine + "/contactos/con_999999", "/clientes/cli_0", "/clientes/x/contactos",
		mine + "/nada", "/no/hay",
	} {
		v.get(path).want(t, http.StatusNotFound).shows(t, "No encontramos esta página").hides(t, "Taller Ajeno")
	}
	outsider.get(theirs+"/contactos/"+contact).want(t, http.StatusNotFound)
	outsider.post(theirs+"/contactos/"+contact+"/eliminar", nil).want(t, http.StatusNotFound)
	outsider.post(mine+"/contactos/"+contact, contactValues()).want(t, http.StatusNotFound)
	outsider.post(mine+"/contactos", contactValues()).want(t, http.StatusNotFound)
	if _, there := w.contactByEmail(t, bookkeeper); !there {
		t.Error("a stranger deleted a contact")
	}
}

func TestPagesFollowPermissions(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	home := "/clientes/" + w.client.ID.String()

	books := w.as(bookkeeper)
	books.get(home).want(t, http.StatusOK).shows(t, w.invoice.Number).hides(t, "Nuevo Contacto", assistant)
	books.get(home+"/contactos").want(t, http.StatusForbidden).shows(t, "Su cuenta no tiene el permiso «Ver & Gestionar contactos».")
	books.post(home+"/contactos", contactValues()).want(t, http.StatusForbidden)
	books.get(home+"/facturas").want(t, http.StatusOK).shows(t, w.invoice.Number, "Pendiente", "15 may 2026", "$1,160.00 MXN")

	help := w.as(assistant)
	help.get(home).want(t, http.StatusOK).shows(t, "Nuevo Contacto", "Su cuenta no incluye facturas").hides(t, w.invoice.Number, "1,160.00")
	help.get(home+"/facturas").want(t, http.StatusForbidden)
	help.get(home+"/facturas/"+w.invoice.ID.String()).want(t, http.StatusForbidden)
	w.render(w.invoice)
	help.get(PDFPath(w.invoice.ID)).want(t, http.StatusForbidden)
}

func TestDownloads(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	path := PDFPath(w.invoice.ID)

	waiting := w.as(owner).get(path).want(t, http.StatusServiceUnavailable).shows(t, "El PDF se está preparando.")
	if waiting.Header.Get("Retry-After") == "" || waiting.Header.Get("Content-Disposition") != "" {
		t.Errorf("headers %v", waiting.Header)
	}
	at := "/clientes/" + w.client.ID.String() + "/facturas/" + w.invoice.ID.String()
	part := w.as(owner).get(at+"/pdf", "HX-Request", "true").want(t, http.StatusOK).shows(t, "Preparando el PDF…")
	if attribute(part.find("id", "pdf")[0], "hx-trigger") == "" {
		t.Error("nothing asks again")
	}
	w.render(w.invoice)
	w.as(owner).get(at+"/pdf", "HX-Request", "true").want(t, http.StatusOK).shows(t, "Descargar PDF").hides(t, "hx-trigger")

	v := w.visit()
	if to := v.get(path).want(t, http.StatusSeeOther).Header.Get("Location"); !strings.HasPrefix(to, "/clientes/entrar?next=") {
		t.Errorf("a visitor is led to %s", to)
	}
	v.get(path, "Accept", "application/pdf").want(t, http.StatusUnauthorized)
	v.get(path, "Authorization", "Bearer nothing-that-was-ever-given-out").want(t, http.StatusUnauthorized)
	in, err := w.account.SignIn(t.Context(), account.SignInInput{Email: bookkeeper, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	v.get(path, "Authorization", "Bearer "+in.Token).want(t, http.StatusOK)
	// A wrong bearer token is not made good by a cookie.
	w.as(owner).get(path, "Authorization", "Bearer nothing-that-was-ever-given-out").want(t, http.StatusUnauthorized)

	staff := w.visit()
	staff.post("/consola/entrar", url.Values{"email": {personnel}, "password": {password}}).want(t, http.StatusSeeOther)
	staff.get(path).want(t, http.StatusOK)
}

func TestCrossOriginRequestsAreRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.as(owner)
	contacts := "/clientes/" + w.client.ID.String() + "/contactos"
	for _, headers := range [][]string{{"Sec-Fetch-Site", "cross-site"}, {"Origin", "https://otro.example"}, {"Origin", "null"}} {
		v.post(contacts, contactValues(), headers...).want(t, http.StatusForbidden).shows(t, "Llegó desde otro sitio.")
	}
	if _, saved := w.contactByEmail(t, "ana@despacho.example"); saved {
		t.Fatal("another site added a contact")
	}
	v.post(contacts, contactValues(), "Sec-Fetch-Site", "same-origin", "Origin", w.server.URL).want(t, http.StatusSeeOther)
}

func TestHeaders(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	page := w.as(owner).get("/clientes/"+w.client.ID.String()).want(t, http.StatusOK)
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "Referrer-Policy": "same-origin", "Content-Language": "es-MX"} {
		if got := page.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	csp := page.Header.Get("Content-Security-Policy")
	for _, part := range []string{"default-src 'none'", "script-src 'self';", "style-src 'self';", "frame-ancestors 'none'", "form-action 'self'"} {
		if !strings.Contains(csp, part) {
			t.Errorf("policy lacks %s", part)
		}
	}
	if page.Header.Get("X-Request-Id") == "" {
		t.Error("no request id")
	}
	page.hides(t, " style=", "onclick=", "javascript:", "https://") // nothing that the policy would stop, nothing from elsewhere
}

func TestLargeBodies(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	body := append([]byte("email="), bytes.Repeat([]byte("a"), 10<<20)...)
	for _, path := range []string{"/clientes/entrar", "/clientes/" + w.client.ID.String() + "/contactos"} {
		page := w.as(owner).do(http.MethodPost, path, bytes.NewReader(body), "Content-Type", "application/x-www-form-urlencoded")
		page.want(t, http.StatusRequestEntityTooLarge).shows(t, "El envío es demasiado grande", "máximo 1 MB")
	}
}

func TestLanguages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.as(owner)
	home := "/clientes/" + w.client.ID.String()
	to := v.post("/idioma", url.Values{"lang": {"en"}, "next": {home}}).want(t, http.StatusSeeOther).Header.Get("Location")
	if to != home {
		t.Errorf("led to %s", to)
	}
	v.get(home).shows(t, "Your Information", "New Contact", "MX$1,160.00", "May 15, 2026")
	v.post(home+"/contactos", with(contactValues(), "email", "")).want(t, http.StatusUnprocessableEntity).shows(t, "This field is required.")
	v.post("/idioma", url.Values{"lang": {"xx"}, "next": {"//otro.example"}}).want(t, http.StatusSeeOther)
	v.get(home).shows(t, "Your Information")
	v.post("/idioma", url.Values{"lang": {"es-MX"}, "next": {home}})
	v.get(home).shows(t, "Su Información")
}

// htmx gets the part that it puts into the page, and is told where to go on.
func TestHTMX(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.as(owner)
	contacts := "/clientes/" + w.client.ID.String() + "/contactos"
	part := v.post(contacts, with(contactValues(), "email", ""), "HX-Request", "true").want(t, http.StatusUnprocessableEntity)
	part.hides(t, "<html", "<header").shows(t, "Guardar Cambios")
	done := v.post(contacts, contactValues(), "HX-Request", "true").want(t, http.StatusNoContent)
	if done.Header.Get("HX-Redirect") != contacts {
		t.Errorf("led to %q", done.Header.Get("HX-Redirect"))
	}
	lost := w.visit().get(contacts, "HX-Request", "true").want(t, http.StatusNoContent)
	if !strings.HasPrefix(lost.Header.Get("HX-Redirect"), "/clientes/entrar") {
		t.Errorf("led to %q", lost.Header.Get("HX-Redirect"))
	}
	missing := v.get("/clientes/cli_999", "HX-Request", "true").want(t, http.StatusNotFound)
	if missing.Header.Get("HX-Retarget") != "#main" {
		t.Error("an error page goes into the middle of a part")
	}
}

func TestInternalErrorsAreNotShown(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.as(owner)
	_ = w.store.Close()
	page := v.get("/clientes/"+w.client.ID.String()).want(t, http.StatusInternalServerError)
	page.shows(t, "Algo salió mal de nuestro lado", page.Header.Get("X-Request-Id")).hides(t, "sql", "database is closed")
	if !strings.Contains(w.log.String(), page.Header.Get("X-Request-Id")) || !strings.Contains(w.log.String(), "closed") {
		t.Errorf("the log does not say why: %s", w.log)
	}
}

// One login that reaches two clients chooses between them.
func TestClientSwitcher(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	second := w.addClient("Segunda Empresa", owner)
	v := w.as(owner)
	v.get("/clientes/"+w.client.ID.String()).want(t, http.StatusOK).shows(t, "Segunda Empresa")
	v.get("/clientes/"+second.ID.String()).want(t, http.StatusOK).shows(t, "Café de Prueba", "Está al corriente")
	w.as(stranger).get("/clientes/"+w.other.ID.String()).want(t, http.StatusOK).hides(t, "Segunda Empresa", "Cambiar de cliente")
	// Addresses in mails name no client.
	if to := v.get("/clientes/facturas/"+w.invoice.ID.String()).want(t, http.StatusSeeOther).Header.Get("Location"); to != "/clientes/"+w.client.ID.String()+"/facturas/"+w.invoice.ID.String() {
		t.Errorf("led to %s", to)
	}
	if to := v.get("/clientes/contactos").want(t, http.StatusSeeOther).Header.Get("Location"); to != "/clientes/"+w.client.ID.String()+"/contactos" {
		t.Errorf("led to %s", to)
	}
}
