package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/chromedp/chromedp"
)

// browser is a headless Chromium with one tab.
type browser struct {
	*testing.T
	ctx  context.Context
	base string
	dir  string // screenshots
	shot int
}

// newChromium starts a headless Chromium for windows to be opened in.
func newChromium(t *testing.T) context.Context {
	t.Helper()
	// The script that installs a browser knows all the names that one goes by.
	out, err := exec.CommandContext(t.Context(), "sh", filepath.Join("..", "..", "internal", "devstack", "setup.sh"), "browser").CombinedOutput()
	path := strings.TrimSpace(string(out))
	if err != nil {
		t.Fatalf("no browser: %s", path)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:], chromedp.ExecPath(path), chromedp.NoSandbox,
		chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true))
	allocator, cancel := chromedp.NewExecAllocator(context.Background(), options...)
	t.Cleanup(cancel)
	ctx, cancel := chromedp.NewContext(allocator)
	t.Cleanup(cancel)
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("start Chromium: %v", err)
	}
	return ctx
}

// newWindow is a tab with cookies of its own.
func newWindow(chromium context.Context, t *testing.T, base string) *browser {
	t.Helper()
	ctx, cancel := chromedp.NewContext(chromium, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, 8*time.Minute)
	t.Cleanup(cancel)
	// Browser and tab live as long as the context of their first call: not one with a shorter time-out.
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("open a window: %v", err)
	}
	dir := filepath.Join("..", "..", "artifacts", strings.ToLower(t.Name()))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	b := &browser{T: t, ctx: ctx, base: base, dir: dir}
	b.size(1280, 900)
	return b
}

func (b *browser) size(width, height int64) { b.do("resize", chromedp.EmulateViewport(width, height)) }

func (b *browser) do(what string, action chromedp.Action[chromedp.Void]) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	if err := chromedp.Do(ctx, action); err != nil {
		b.see("failed")
		b.Fatalf("%s: %v", what, err)
	}
}

func (b *browser) open(path string) { b.Helper(); b.do("open "+path, chromedp.Navigate(b.base+path)) }

func evaluate[T any](b *browser, body string, args ...any) (T, error) {
	quoted := make([]any, len(args))
	for i, a := range args {
		quoted[i] = fmt.Sprintf("%q", a)
	}
	return chromedp.Run(b.ctx, chromedp.Evaluate[T](fmt.Sprintf("(()=>{"+body+"})()", quoted...)))
}

// js runs a function body in the page.
func js[T any](b *browser, body string, args ...any) T {
	b.Helper()
	out, err := evaluate[T](b, body, args...)
	if err != nil {
		b.see("failed")
		b.Fatalf("%s: %v", body, err)
	}
	return out
}

// until waits for a condition in the page. A page on its way out answers nothing: it is asked again.
func (b *browser) until(what, condition string, args ...any) {
	b.Helper()
	var last error
	for deadline := time.Now().Add(15 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		var seen bool
		if seen, last = evaluate[bool](b, "return Boolean("+condition+")", args...); seen {
			return
		}
	}
	b.see("failed")
	b.Fatalf("not seen: %s %v", what, last)
}

func (b *browser) sees(text string) {
	b.Helper()
	b.until(text, `document.body && document.body.innerText.toLowerCase().includes(%s.toLowerCase())`, text)
}

// control is the input that a visible label names.
const control = `const l=[...document.querySelectorAll('label')].find(l=>l.checkVisibility() && l.innerText.trim().startsWith(%s));
	const c=l&&(l.control||l.querySelector('input,select,textarea'));`

func (b *browser) fill(label, value string) {
	b.Helper()
	b.until("the field "+label, `(()=>{`+control+`return c})()`, label)
	js[bool](b, control+`c.focus(); c.value=''; return true`, label)
	// Typed key by key, as a person does.
	id := js[string](b, control+`if(!c.id) c.id='field-under-test'; return c.id`, label)
	b.do("type into "+label, chromedp.SendKeys(chromedp.CSS("#"+id), value))
}

func (b *browser) tick(label string) {
	b.Helper()
	b.until("the box "+label, `(()=>{`+control+`return c})()`, label)
	js[bool](b, control+`if(!c.checked) c.click(); return c.checked`, label)
}

// target is the visible button or link with a text.
const target = `[...document.querySelectorAll('main button, main a, main summary, form button, form a, header a, header summary')].find(e=>e.checkVisibility() && e.innerText.trim().includes(%s))`

// press clicks the button or link with that text. What it brings is waited for with sees.
func (b *browser) press(text string) {
	b.Helper()
	b.until("the button "+text, target, text)
	js[bool](b, `const e=`+target+`; e.scrollIntoView({block:'center'}); e.click(); return true`, text)
}

// submit presses the button of the form that has the focus: its words may be elsewhere on the page too.
func (b *browser) submit() {
	b.Helper()
	js[bool](b, `document.activeElement.form.querySelector('button:not([type=button])').click(); return true`)
}

// follow presses what leads to another page, and waits for that.
func (b *browser) follow(text string) {
	b.Helper()
	js[bool](b, `window.left=false; return true`)
	b.press(text)
	b.until("the page behind "+text, `window.left===undefined && document.readyState==='complete'`)
}

// see leaves a screenshot of the whole page in the ignored folder artifacts.
func (b *browser) see(name string) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.ctx, time.Minute)
	defer cancel()
	png, err := chromedp.Run(ctx, chromedp.FullScreenshot(100))
	if err != nil {
		b.Logf("screenshot: %v", err)
		return
	}
	b.shot++
	if err := os.WriteFile(filepath.Join(b.dir, fmt.Sprintf("%02d-%s.png", b.shot, name)), png, 0o600); err != nil {
		b.Fatal(err)
	}
}

// startDemo runs the whole product with demo data, as `make demo` does.
func startDemo(t *testing.T) (base string) {
	t.Helper()
	address := freePort(t)
	demo := program(t, []string{"AVISA_ADDR=" + address, "AVISA_DATA=" + t.TempDir(), "DATABASE_URL=", "REDIS_URL="}, "demo")
	t.Cleanup(func() {
		_ = demo.Process.Signal(syscall.SIGTERM)
		if err := demo.Wait(); err != nil {
			t.Errorf("the demo did not stop well: %v", err)
		}
	})
	_, port, _ := strings.Cut(address, ":")
	base = "http://localhost:" + port
	ready(t, base, 90*time.Second)
	return base
}

// The six steps of the help article, by hand, in a browser, on the real pages of the real program;
// then what they are for: the mail arrives, and the contact signs in and downloads the invoice.
func TestArticleInTheBrowser(t *testing.T) {
	t.Parallel()
	base := startDemo(t)
	b := newWindow(newChromium(t), t, base)

	// Step 1: sign in.
	b.open("/clientes")
	b.see("sign-in")
	b.fill("Correo", demoOwner)
	b.fill("Contraseña", demoPassword)
	b.follow("Iniciar sesión")

	// Step 2: "Su Información", "Contactos", "+ Nuevo Contacto".
	b.sees("Su Información")
	b.sees("Contactos")
	b.see("home")
	b.follow("Nuevo Contacto")

	// Steps 3 to 6: details, sub-account, permissions, preferences.
	b.fill("Nombre", "Prueba")
	b.fill("Apellido", "Del Navegador")
	b.fill("Dirección de E-Mail", "prueba@navegador.example")
	b.tick("Sub-Cuenta activada")
	b.fill("Contraseña", "Trigal-Sereno-2026")
	b.fill("Repita la contraseña", "otra clave distinta")
	b.tick("Ver & Pagar facturas")
	b.tick("Emails Facturas")
	b.see("form")
	b.press("Guardar Cambios")
	b.sees("Las contraseñas no coinciden")
	b.see("form-error")
	b.fill("Contraseña", "Trigal-Sereno-2026")
	b.fill("Repita la contraseña", "Trigal-Sereno-2026")
	b.press("Guardar Cambios")
	b.sees("prueba@navegador.example")
	b.see("contacts")

	// Staff run reminders.
	b.open("/consola")
	b.fill("Correo", demoStaff)
	b.fill("Contraseña", demoPassword)
	b.follow("Iniciar sesión")
	b.see("console")
	b.follow("Enviar recordatorios ahora")
	b.see("console-run")

	// The mail is in the mailbox.
	eventually(t, "the mail in the mailbox", 20*time.Second, func() bool {
		b.open("/buzon")
		return js[bool](b, `return document.body.innerText.includes('prueba@navegador.example')`)
	})
	b.see("mailbox")

	// The contact signs in with its own password, sees the invoice and downloads the PDF.
	b.open("/clientes")
	b.follow("Salir")
	b.open("/clientes/entrar")
	b.fill("Correo", "prueba@navegador.example")
	b.fill("Contraseña", "Trigal-Sereno-2026")
	b.follow("Iniciar sesión")
	b.sees("Facturas")
	b.size(390, 844)
	b.see("contact-home-phone")
	if js[bool](b, `return document.body.innerText.includes('Nuevo Contacto')`) {
		t.Error("a sub-account without the permission sees the contacts")
	}
	b.size(1280, 900)
	b.until("a PDF link", `document.querySelector('a[href*="/descargas/facturas/"]') || document.querySelector('a[href*="/facturas"]')`)
	if !js[bool](b, `return Boolean(document.querySelector('a[href*="/descargas/facturas/"]'))`) {
		js[bool](b, `document.querySelector('a[href*="/facturas"]').click(); return true`)
		b.until("a PDF link in the list", `document.querySelector('a[href*="/descargas/facturas/"]')`)
	}
	b.see("invoices")
	eventually(t, "the PDF", 20*time.Second, func() bool {
		js[bool](b, `window.pdf=undefined; fetch(document.querySelector('a[href*="/descargas/facturas/"]').href).then(r=>r.text()).then(t=>{window.pdf=t.slice(0,5)}); return true`)
		b.until("an answer", `window.pdf!==undefined`)
		return js[string](b, `return window.pdf`) == "%PDF-"
	})

	// The explorer asks the API as who is signed in, and nothing that it is made of comes from elsewhere.
	b.open("/graphql/explorer")
	b.until("the explorer", `document.querySelector('.graphiql-execute-button') && document.querySelectorAll('.graphiql-query-editor .view-line').length>3`)
	js[bool](b, `document.querySelector('.graphiql-execute-button').click(); return true`)
	b.until("the answer", `document.querySelector('.result-window').innerText.replaceAll('\u00a0',' ').includes('"name": "prueba@navegador.example"')`)
	b.see("explorer")
	loaded := js[[]string](b, `return performance.getEntriesByType('resource').map(e=>e.name)`)
	if len(loaded) < 4 { // its styles, its program, the schema and the answer
		t.Errorf("the explorer loaded only %v", loaded)
	}
	for _, address := range loaded {
		if !strings.HasPrefix(address, base+"/") {
			t.Errorf("the explorer loads %s, which is not ours", address)
		}
	}
}
