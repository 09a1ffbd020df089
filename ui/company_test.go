package ui

import (
	"bytes"
	"image"
	"image/png"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

// The settings of the company keep what was typed, and what is saved is what clients see: name, colour,
// language and logo.
func TestCompanyPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.staff()
	page := v.get("/consola/empresa").want(t, http.StatusOK)
	if name := page.value("f-name"); name != "Hospedaje Ejemplo" {
		t.Errorf("the form says %q", name)
	}
	w.visit().get("/clientes/entrar").want(t, http.StatusOK).shows(t, "Hospedaje Ejemplo", "cobranza@hospedaje.example").hides(t, "Avisa")

	form := url.Values{"name": {"Nubes & Más"}, "email": {"cobro@nubes.example"}, "clabe": {"123"}, "brandColour": {"#ffcc00"}, "timezone": {"America/Tijuana"}, "language": {"en"}}
	wrong := v.post("/consola/empresa", form).want(t, http.StatusUnprocessableEntity)
	if wrong.fieldError("f-clabe") == "" || wrong.value("f-name") != "Nubes & Más" {
		t.Errorf("error %q, name %q", wrong.fieldError("f-clabe"), wrong.value("f-name"))
	}
	v.post("/consola/empresa", with(form, "clabe", "032180000118359719")).want(t, http.StatusSeeOther)
	seen := w.visit().get("/clientes/entrar").want(t, http.StatusOK).shows(t, "Nubes & Más", "Sign in", "cobro@nubes.example")
	if len(seen.find("href", "/static/app.css")) > 0 || !strings.Contains(seen.body, "/marca/color.css?v=") {
		t.Error("the page does not carry the colour")
	}
	if style := w.visit().get("/marca/color.css").want(t, http.StatusOK); !strings.Contains(style.body, "--color-primary:#") || strings.Contains(style.body, "#ffcc00;--color-primary-content:#fff") {
		t.Errorf("the style is %s: white words on yellow", style.body)
	}

	w.visit().get("/marca/logo").want(t, http.StatusNotFound)
	send := func(name string, content []byte, status int) answer {
		var body bytes.Buffer
		m := multipart.NewWriter(&body)
		part, err := m.CreateFormFile("logo", name)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = part.Write(content)
		_ = m.Close()
		return v.do(http.MethodPost, "/consola/empresa/logo", &body, "Content-Type", m.FormDataContentType()).want(t, status)
	}
	send("", nil, http.StatusUnprocessableEntity)
	send("logo.svg", []byte("<svg xmlns='http://www.w3.org/2000/svg'/>"), http.StatusUnprocessableEntity).shows(t, "PNG")
	send("big.png", make([]byte, 600<<10), http.StatusUnprocessableEntity).shows(t, "512 KB")
	var picture bytes.Buffer
	if err := png.Encode(&picture, image.NewGray(image.Rect(0, 0, 90, 30))); err != nil {
		t.Fatal(err)
	}
	send("logo.png", picture.Bytes(), http.StatusSeeOther)
	if logo := w.visit().get("/marca/logo?v=1").want(t, http.StatusOK); logo.Header.Get("Content-Type") != "image/png" || !strings.Contains(logo.Header.Get("Cache-Control"), "immutable") {
		t.Errorf("the logo comes as %v", logo.Header)
	}
	if len(w.visit().get("/clientes/entrar").find("alt", "Nubes & Más")) == 0 {
		t.Error("the page does not show the logo")
	}
	v.post("/consola/empresa/logo", url.Values{"accion": {"quitar"}}).want(t, http.StatusSeeOther)
	w.visit().get("/marca/logo").want(t, http.StatusNotFound)
}

// A chosen language is the person's own: another browser has it too, and so have mails about their access.
func TestLanguageFollowsThePerson(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	choose := url.Values{"lang": {"en"}, "next": {"/clientes"}}
	w.as(owner).post("/idioma", choose).want(t, http.StatusSeeOther)
	w.as(owner).get("/clientes/"+w.client.ID.String()).want(t, http.StatusOK).shows(t, "Client Area", "Next invoices to pay")
	w.as(bookkeeper).get("/clientes/"+w.client.ID.String()).want(t, http.StatusOK).hides(t, "Client Area")
	w.staff().post("/consola/idioma", choose).want(t, http.StatusSeeOther)
	v := w.staff()
	v.get("/consola/clientes").want(t, http.StatusOK).shows(t, "Clients")
	v.post("/consola/clientes/"+w.client.ID.String()+"/ver", nil).want(t, http.StatusSeeOther)
	v.post("/idioma", url.Values{"lang": {"es-MX"}, "next": {"/clientes"}}).want(t, http.StatusSeeOther) // seeing as the owner changes nothing
	w.as(owner).get("/clientes/"+w.client.ID.String()).want(t, http.StatusOK).shows(t, "Client Area")
}
