package main

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"
	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
)

// People of the demo, one for each test, so that the tests can run side by side.
const (
	demoStationer = "compras@papeleria-imaginaria.example"
	demoWorkshop  = "admin@taller-inventado.example"
	demoFlorist   = "flores@floreria-muestra.example"
)

const newPassword = "Molino-Tranquilo-2026"

// Access of people, by hand, in a browser, on the pages of the real program.
func TestPeopleInTheBrowser(t *testing.T) {
	t.Parallel()
	base := startDemo(t)
	chromium := newChromium(t)
	for name, scenario := range map[string]func(t *testing.T, b *browser){
		"invitation":         invitedPerson,
		"existing login":     invitedLogin,
		"forgotten password": forgottenPassword,
		"authenticator app":  authenticatorApp,
		"passkey":            passkey,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			scenario(t, newWindow(chromium, t, base))
		})
	}
}

func (b *browser) signIn(email, password string) {
	b.Helper()
	b.signInAt("/clientes", email, password)
}

func (b *browser) signInAt(root, email, password string) {
	b.Helper()
	b.open(root + "/entrar")
	b.fill("Correo", email)
	b.fill("Contraseña", password)
	b.follow("Iniciar sesión")
}

func (b *browser) signOut() {
	b.Helper()
	b.follow("Salir")
	b.sees("Cerró su sesión")
}

// mail waits for a mail and returns where its button leads.
func (b *browser) mail(to, subject string) string {
	b.Helper()
	const entry = `[...document.querySelectorAll('#list a')].find(a=>a.innerText.includes(%s) && a.innerText.includes(%s))`
	b.open("/buzon") // the list renews itself
	b.until("the mail "+subject+" to "+to, entry, to, subject)
	b.do("open the mail", chromedp.Navigate(b.base+js[string](b, `return `+entry+`.getAttribute('href')`, to, subject)))
	b.sees(subject)
	b.see("mail")
	link := js[string](b, `return document.querySelector('article header ul a').href`)
	to, _ = url.PathUnescape(strings.TrimPrefix(link, b.base))
	return to
}

// invite fills in the form of a new contact who gets a mail with a link.
func (b *browser) invite(firstname, lastname, email string) {
	b.Helper()
	b.follow("Nuevo Contacto")
	b.fill("Nombre", firstname)
	b.fill("Apellido", lastname)
	b.fill("Dirección de E-Mail", email)
	b.tick("Sub-Cuenta activada")
	b.tick("Enviar invitación")
	b.tick("Ver & Pagar facturas")
	b.follow("Guardar Cambios")
	b.sees("Contacto agregado")
	b.sees("Invitado")
}

// Somebody new is invited by mail, chooses a password, and is in; the link works once.
func invitedPerson(t *testing.T, b *browser) {
	const email = "nueva@despacho-ficticio.example"
	b.signIn(demoFlorist, demoPassword)
	b.invite("Nueva", "Colaboradora", email)
	b.see("invited")
	b.signOut()

	link := b.mail(email, "le invita")
	b.open(link)
	b.sees("Acceso a Florería de Muestra")
	b.see("invitation")
	b.fill("Elija una contraseña", newPassword)
	b.fill("Repita la contraseña", "otra cosa distinta")
	b.follow("Aceptar invitación")
	b.sees("no coinciden")
	b.until("the focus on what is wrong", `document.activeElement.name==='passwordAgain'`)
	b.fill("Elija una contraseña", newPassword)
	b.fill("Repita la contraseña", newPassword)
	b.follow("Aceptar invitación")
	b.sees("Invitación aceptada")
	b.sees("Florería de Muestra")
	b.see("accepted")
	b.signOut()
	b.open(link)
	b.sees("Este enlace ya no se puede usar")
	b.signIn(email, newPassword)
	b.sees("Facturas")
}

// Somebody who has a login accepts with it, and switches between the two clients; each has its own permissions.
func invitedLogin(t *testing.T, b *browser) {
	b.signIn(demoOwner, demoPassword)
	b.invite("Compras", "de Papelería", demoStationer)
	b.signOut()

	b.open(b.mail(demoStationer, "le invita"))
	b.sees("Ya tiene una cuenta con este correo")
	b.see("has-login")
	b.follow("Iniciar sesión")
	b.fill("Correo", demoStationer)
	b.fill("Contraseña", demoPassword)
	b.follow("Iniciar sesión")
	b.sees("Inició sesión como " + demoStationer)
	b.see("accept-signed-in")
	b.follow("Aceptar invitación")
	b.sees("Invitación aceptada")

	contacts := func() bool {
		return js[bool](b, `return [...document.querySelectorAll('header nav a')].some(a=>a.innerText.trim()==='Contactos')`)
	}
	b.press("Papelería Imaginaria") // the menu of clients
	b.see("switch")
	if !contacts() {
		t.Error("the owner of the one client does not see its contacts")
	}
	b.follow("Café Ficticio de Coatepec")
	b.sees("Facturas")
	if contacts() {
		t.Error("a sub-account for invoices sees the contacts of the other client")
	}
	b.size(390, 844)
	b.see("other-client-phone")
	b.press("Café Ficticio de Coatepec")
	b.follow("Papelería Imaginaria")
	if !contacts() {
		t.Error("back at the first client, its contacts are missing")
	}
}

// A forgotten password: the mail, the link, a new password; the old one works no more, nor does the link again.
func forgottenPassword(t *testing.T, b *browser) {
	b.open("/clientes/entrar")
	b.follow("¿Olvidó su contraseña?")
	b.fill("Correo", demoWorkshop)
	b.follow("Enviar enlace")
	b.sees("recibirá un enlace")
	b.see("asked")
	link := b.mail(demoWorkshop, "Restablezca su contraseña")
	b.open(link)
	b.fill("Contraseña nueva", newPassword)
	b.fill("Repita la contraseña", newPassword)
	b.see("reset")
	b.follow("Guardar contraseña")
	b.sees("Contraseña guardada")
	b.fill("Correo", demoWorkshop)
	b.fill("Contraseña", demoPassword)
	b.press("Iniciar sesión")
	b.sees("Correo o contraseña incorrectos")
	b.signIn(demoWorkshop, newPassword)
	b.sees("Facturas")
	b.signOut()
	b.open(link)
	b.fill("Contraseña nueva", "Otra-Vez-La-Misma-26")
	b.fill("Repita la contraseña", "Otra-Vez-La-Misma-26")
	b.follow("Guardar contraseña")
	b.sees("Este enlace ya no se puede usar")
	b.see("used")
}

// code is what an authenticator app shows: now, or so many steps of 30 s later.
func (b *browser) code(secret string, steps int) string {
	b.Helper()
	code, err := totp.GenerateCodeCustom(secret, time.Now().Add(time.Duration(steps)*30*time.Second), totp.ValidateOpts{Period: 30, Digits: otp.DigitsSix})
	if err != nil {
		b.Fatal(err)
	}
	return code
}

// An authenticator app is set up, asked for at the next sign-in, and replaced by a recovery code when it is lost.
func authenticatorApp(t *testing.T, b *browser) {
	b.signIn(demoAccountant, demoPassword)
	b.open("/clientes/seguridad")
	b.press("Agregar una aplicación")
	b.fill("Su contraseña, para confirmar", "no es esta")
	b.follow("Continuar")
	b.until("the error at its field", `document.activeElement.name==='totp.password' && document.activeElement.getAttribute('aria-invalid')==='true'`)
	b.fill("Su contraseña, para confirmar", demoPassword)
	b.follow("Continuar")
	b.until("the QR code", `document.querySelector('main img[alt]')?.naturalWidth>=200`)
	b.see("totp")
	secret := strings.ReplaceAll(js[string](b, `return document.getElementById('totp-secret').textContent`), " ", "")
	b.fill("Código de la aplicación", "000000")
	b.follow("Activar")
	b.until("the error at the code", `document.activeElement.name==='code' && document.activeElement.getAttribute('aria-invalid')==='true'`)
	// The code of the step before, so that the next two are left for signing in; it ends with the present step.
	if left := 30*time.Second - time.Duration(time.Now().UnixNano()%int64(30*time.Second)); left < 15*time.Second {
		time.Sleep(left)
	}
	b.fill("Código de la aplicación", b.code(secret, -1))
	b.follow("Activar")
	b.sees("Guárdelos en un lugar seguro")
	b.see("codes")
	recovery := js[string](b, `return document.querySelector('[data-code]').textContent`)
	b.follow("Ya los guardé")
	b.sees("Activada")
	b.signOut()

	b.signIn(demoAccountant, demoPassword)
	b.sees("Verificación en dos pasos")
	b.see("step")
	used := b.code(secret, 0)
	b.fill("Código de la aplicación", used)
	b.follow("Verificar")
	b.sees("Café Ficticio de Coatepec")
	b.signOut()

	// The same code again is refused: whoever looked over the shoulder has nothing.
	b.signIn(demoAccountant, demoPassword)
	b.fill("Código de la aplicación", used)
	b.follow("Verificar")
	b.until("the refusal of a code that was used", `document.activeElement.name==='code' && document.activeElement.getAttribute('aria-invalid')==='true'`)
	b.follow("Usar un código de recuperación")
	b.fill("Código de recuperación", recovery)
	b.follow("Verificar")
	b.sees("Café Ficticio de Coatepec")
	b.open("/clientes/seguridad")
	b.sees("Códigos sin usar: 9")
	b.see("security")
}

// A passkey is registered and answers the second step. Chromium plays the authenticator.
func passkey(t *testing.T, b *browser) {
	b.do("a virtual authenticator", func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
		if _, err := cdp.Call(ctx, target, webauthn.Enable, webauthn.EnableParams{}); err != nil {
			return chromedp.Void{}, err
		}
		_, err := cdp.Call(ctx, target, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
			Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal, HasResidentKey: true,
			HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true}})
		return chromedp.Void{}, err
	})
	const email = "billing@placeholder-imports.example"
	b.signIn(email, demoPassword)
	b.sees("Security") // the pages of somebody who reads English
	b.follow("Español")
	b.open("/clientes/seguridad")
	b.press("Agregar una llave")
	b.fill("Nombre de la llave", "Computadora de pruebas")
	b.fill("Su contraseña, para confirmar", "no es esta")
	b.submit()
	b.until("what the server says of the password", `(e=>e && !e.hidden && e.innerText.length>10)(document.querySelector('[data-passkey-new] [data-passkey-error]'))`)
	b.see("passkey-wrong-password")
	b.fill("Su contraseña, para confirmar", demoPassword)
	b.submit()
	b.sees("Guárdelos en un lugar seguro")
	b.follow("Ya los guardé")
	b.sees("Computadora de pruebas")
	b.see("passkey")
	b.signOut()

	b.signIn(email, demoPassword)
	b.sees("Verificación en dos pasos")
	b.press("Usar una llave de acceso")
	b.sees("Placeholder Imports LLC")
	b.see("signed-in")
}
