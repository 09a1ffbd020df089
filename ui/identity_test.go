package ui

import (
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// codeOf is what an authenticator app shows, some steps of 30 seconds from now.
func codeOf(tb testing.TB, secret string, steps int) string {
	tb.Helper()
	code, err := totp.GenerateCode(strings.ReplaceAll(secret, " ", ""), now.Add(time.Duration(steps)*30*time.Second))
	if err != nil {
		tb.Fatal(err)
	}
	return code
}

// addApp turns an authenticator app on, by forms alone, and returns its secret and the recovery codes.
func (v *visitor) addApp(root string) (secret string, codes []string) {
	v.Helper()
	v.post(root+"/seguridad/aplicacion", url.Values{"totp.password": {"una-que-no-es"}}).want(v, http.StatusUnprocessableEntity)
	page := v.post(root+"/seguridad/aplicacion", url.Values{"totp.password": {password}}).want(v, http.StatusOK)
	secret = answer{root: page.find("id", "totp-secret")[0]}.text()
	address := url.Values{"url": {attribute(page.find("name", "url")[0], "value")}}
	wrong := v.post(root+"/seguridad/aplicacion/confirmar", with(address, "code", "000000")).want(v, http.StatusUnprocessableEntity)
	if wrong.fieldError("f-code") == "" || !strings.HasPrefix(attribute(wrong.find("width", "240")[0], "src"), "data:image/png;base64,") {
		v.Error("a wrong code loses the QR code")
	}
	done := v.post(root+"/seguridad/aplicacion/confirmar", with(address, "code", codeOf(v, secret, -1))).want(v, http.StatusOK)
	for _, node := range done.find("data-code", "") {
		if has(node, "data-code") {
			codes = append(codes, answer{root: node}.text())
		}
	}
	if len(codes) != 10 {
		v.Fatalf("%d recovery codes are shown", len(codes))
	}
	return secret, codes
}

func TestSecondStep(t *testing.T) {
	t.Parallel()
	for _, area := range []struct{ root, email, cookie string }{{"/clientes", owner, layout.LoginCookie}, {"/consola", personnel, layout.StaffCookie}} {
		t.Run(strings.Trim(area.root, "/"), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.TB = t
			credentials := url.Values{"email": {area.email}, "password": {password}, "next": {area.root + "/seguridad"}}
			first, second := w.visit(), w.visit()
			first.post(area.root+"/entrar", credentials).want(t, http.StatusSeeOther)
			second.post(area.root+"/entrar", credentials).want(t, http.StatusSeeOther)
			secret, codes := first.addApp(area.root)
			first.get(area.root+"/seguridad").want(t, http.StatusOK).shows(t, "Activada", "Códigos sin usar: 10", "Esta sesión")
			second.get(area.root+"/seguridad").want(t, http.StatusSeeOther) // the others ended

			v := w.visit()
			to := v.post(area.root+"/entrar", credentials).want(t, http.StatusSeeOther)
			if strings.Contains(to.Header.Get("Set-Cookie"), area.cookie+"=") {
				t.Fatal("the password alone starts a session")
			}
			v.get(to.Header.Get("Location")).want(t, http.StatusOK).shows(t, "Código de la aplicación", "Usar un código de recuperación")
			v.get(area.root+"/seguridad").want(t, http.StatusSeeOther)
			check := area.root + "/entrar/verificar"
			for name, code := range map[string]string{"wrong": "123", "replayed": codeOf(t, secret, -1)} {
				page := v.post(check, url.Values{"code": {code}}).want(t, http.StatusUnprocessableEntity)
				if page.fieldError("f-code") == "" {
					t.Errorf("a %s code says nothing", name)
				}
			}
			done := v.post(check, url.Values{"code": {codeOf(t, secret, 0)}, "next": {area.root + "/seguridad"}}).want(t, http.StatusSeeOther)
			if done.Header.Get("Location") != area.root+"/seguridad" {
				t.Errorf("led to %s", done.Header.Get("Location"))
			}
			v.get(area.root+"/seguridad").want(t, http.StatusOK)

			for i, want := range []int{http.StatusSeeOther, http.StatusUnprocessableEntity} {
				recovering := w.visit()
				recovering.post(area.root+"/entrar", credentials).want(t, http.StatusSeeOther)
				recovering.get(check+"?con=recovery").shows(t, "Cada código sirve una sola vez.")
				if got := recovering.post(check, url.Values{"con": {"recovery"}, "code": {codes[0]}}); got.StatusCode != want {
					t.Errorf("use %d of a recovery code: %d", i+1, got.StatusCode)
				}
			}

			// Six attempts, then from the start.
			tired := w.visit()
			tired.post(area.root+"/entrar", credentials)
			for range 6 {
				tired.post(check, url.Values{"code": {"000000"}}).want(t, http.StatusUnprocessableEntity)
			}
			to = tired.post(check, url.Values{"code": {codeOf(t, secret, 1)}}).want(t, http.StatusSeeOther)
			tired.get(to.Header.Get("Location")).shows(t, "La verificación venció. Inicie sesión de nuevo.")
		})
	}
}

func TestForgottenPassword(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	const fresh = "Otra-frase-larga-26"
	for _, area := range []struct{ root, email string }{{"/clientes", owner}, {"/consola", personnel}} {
		v := w.visit()
		v.get(area.root+"/entrar").shows(t, "¿Olvidó su contraseña?")
		v.get(area.root+"/contrasena").want(t, http.StatusOK)
		known := v.post(area.root+"/contrasena", url.Values{"email": {area.email}}).want(t, http.StatusOK)
		notice := mailed[account.ResetNotice](w)
		if notice.To != area.email || notice.Token == "" {
			t.Fatalf("mailed %+v", notice)
		}
		before := len(w.notices)
		unknown := v.post(area.root+"/contrasena", url.Values{"email": {"nadie@nada.example"}}).want(t, http.StatusOK)
		if known.body != unknown.body {
			t.Error("the answer tells whether an address is known")
		}
		mailed[account.ResetNotice](w)
		if len(w.notices) != before {
			t.Error("nobody was mailed")
		}
		if v.post(area.root+"/contrasena", url.Values{"email": {"nadie"}}).want(t, http.StatusUnprocessableEntity).fieldError("f-email") == "" {
			t.Error("a malformed address is not named")
		}

		signedIn := w.visit()
		signedIn.post(area.root+"/entrar", url.Values{"email": {area.email}, "password": {password}}).want(t, http.StatusSeeOther)
		link := area.root + "/contrasena/" + notice.Token
		v.get(link).want(t, http.StatusOK).shows(t, "Elija una contraseña nueva")
		form := url.Values{"token": {notice.Token}, "password": {fresh}, "passwordAgain": {"distinta"}}
		page := v.post(area.root+"/contrasena/nueva", form).want(t, http.StatusUnprocessableEntity).hides(t, fresh)
		if page.fieldError("f-passwordAgain") == "" || page.find("value", notice.Token) == nil {
			t.Error("the form cannot be corrected")
		}
		v.post(area.root+"/contrasena/nueva", with(form, "passwordAgain", fresh)).want(t, http.StatusSeeOther)
		v.get(area.root+"/entrar").shows(t, "Contraseña guardada. Inicie sesión con ella.")
		v.post(area.root+"/contrasena/nueva", form).want(t, http.StatusUnprocessableEntity).shows(t, "enlace")
		signedIn.get(area.root+"/seguridad").want(t, http.StatusSeeOther)
		v.post(area.root+"/entrar", url.Values{"email": {area.email}, "password": {password}}).want(t, http.StatusUnprocessableEntity)
		v.post(area.root+"/entrar", url.Values{"email": {area.email}, "password": {fresh}}).want(t, http.StatusSeeOther)
	}
}

func TestSecurityPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, phone, laptop := w.as(owner), w.as(owner), w.as(owner)
	page := v.get("/clientes/seguridad", "User-Agent", "Mozilla/5.0 (X11; Linux) Firefox/140").want(t, http.StatusOK).shows(t, "Sesiones abiertas", "Esta sesión", "127.0.0.1")
	accounts := page.find("autocomplete", "username") // password managers know whose password each form takes
	if forms := page.find("autocomplete", "current-password"); len(accounts) != len(forms) || len(forms) != 3 {
		t.Errorf("%d forms with a password, %d with an account", len(forms), len(accounts))
	}
	for _, account := range accounts {
		if attribute(account, "value") != owner || attribute(account, "name") != "" {
			t.Errorf("a form of the account %q", attribute(account, "value"))
		}
	}
	ends := page.find("name", "session")
	if len(ends) != 2 {
		t.Fatalf("%d other sessions", len(ends))
	}
	v.post("/clientes/seguridad/sesiones", url.Values{"session": {"ses_999999"}}).want(t, http.StatusNotFound)
	w.as(bookkeeper).post("/clientes/seguridad/sesiones", url.Values{"session": {attribute(ends[0], "value")}}).want(t, http.StatusNotFound)
	for _, end := range ends {
		v.post("/clientes/seguridad/sesiones", url.Values{"session": {attribute(end, "value")}}).want(t, http.StatusSeeOther)
	}
	phone.get("/clientes/seguridad").want(t, http.StatusSeeOther)
	laptop.get("/clientes/seguridad").want(t, http.StatusSeeOther)

	const fresh = "Otra-frase-larga-26"
	form := url.Values{"change.current": {"no-es-la-mia"}, "change.password": {fresh}, "change.passwordAgain": {fresh}}
	if text := v.post("/clientes/seguridad/contrasena", form).want(t, http.StatusUnprocessableEntity).fieldError("f-change-current"); text == "" {
		t.Error("a wrong password says nothing")
	}
	other := w.as(owner)
	old := v.cookie(layout.LoginCookie)
	v.post("/clientes/seguridad/contrasena", with(form, "change.current", password)).want(t, http.StatusSeeOther)
	v.get("/clientes/seguridad").want(t, http.StatusOK).shows(t, "Contraseña cambiada.")
	other.get("/clientes/seguridad").want(t, http.StatusSeeOther)
	if _, err := w.account.Authenticate(t.Context(), old); err == nil || old == v.cookie(layout.LoginCookie) {
		t.Error("the session was not rotated")
	}

	v.post("/clientes/seguridad/sesiones", nil).want(t, http.StatusSeeOther)
	v.get("/clientes/entrar").shows(t, "Se cerraron todas sus sesiones.")
	v.get("/clientes/seguridad").want(t, http.StatusSeeOther)
}

func (v *visitor) cookie(name string) string {
	at, _ := url.Parse(v.server.URL)
	for _, c := range v.browser.Jar.Cookies(at) {
		if c.Name == name {
			return c.Value
		}
	}
	return ""
}

// Where a second factor is asked for, nothing opens but the page to add one.
func TestSecondFactorRequired(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if err := w.account.SetStaffSecondFactor(system(t.Context()), true); err != nil {
		t.Fatal(err)
	}
	if _, err := w.account.SetClientSecondFactor(system(t.Context()), w.client.ID, true); err != nil {
		t.Fatal(err)
	}
	staff := w.visit()
	staff.post("/consola/entrar", url.Values{"email": {personnel}, "password": {password}}).want(t, http.StatusSeeOther)
	login := w.as(owner)
	for _, c := range []struct {
		*visitor
		root, page string
	}{{staff, "/consola", "/consola/clientes"}, {login, "/clientes", "/clientes/" + w.client.ID.String()}} {
		if to := c.get(c.page).want(t, http.StatusSeeOther).Header.Get("Location"); to != c.root+"/seguridad" {
			t.Errorf("%s leads to %s", c.page, to)
		}
		c.get(c.root+"/seguridad").want(t, http.StatusOK).shows(t, "Se le pide un segundo factor.")
		c.addApp(c.root)
		c.get(c.page).want(t, http.StatusOK)
		c.post(c.root+"/seguridad/aplicacion/quitar", url.Values{"totp.password": {password}}).want(t, http.StatusUnprocessableEntity)
	}
	list, err := w.account.Audit(system(t.Context()), account.AuditQuery{Verb: "totp."}, db.Page{First: 10})
	if err != nil || len(list.Rows) != 2 || list.Rows[0].Kind != access.Login {
		t.Errorf("audit %+v %v", list.Rows, err)
	}
}
