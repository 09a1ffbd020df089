package console

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/locale"
)

// Rates are listed with who stored them, corrected in their place, and the one that invoices of today take is marked.
func TestExchangeRates(t *testing.T) {
	w := newWorld(t)
	w.get(ratesPath).want(t, 200, "Sin tipos de cambio en USD", "los 7 días anteriores")
	w.get("/consola/informes").want(t, 200, "Tipos de cambio")
	today := w.billing.Today()
	old := string(today.AddDays(-8))
	form := url.Values{"currency": {"USD"}, "day": {old}, "rate": {"17.1234"}, "source": {"DOF"}}
	w.post(ratesPath, form).want(t, 303)
	p := w.get(ratesPath).want(t, 200, "17.1234", "DOF", staff.Name, "No hay un tipo de cambio de los últimos 7 días")
	if strings.Contains(p.text(), "Vigente") {
		t.Error("a rate of eight days ago is in force")
	}
	form.Set("day", string(today.AddDays(-7)))
	form.Set("rate", "17.5")
	w.post(ratesPath, form).want(t, 303)
	form.Set("rate", "18.25")
	w.post(ratesPath, form).want(t, 303)
	form.Set("day", string(today.AddDays(1)))
	form.Set("rate", "19")
	w.post(ratesPath, form).want(t, 303)
	p = w.get(ratesPath).want(t, 200, "18.2500", "19.0000", "17.1234")
	if text := p.text(); strings.Contains(text, "17.5000") || strings.Count(text, "Vigente") != 1 || strings.Index(text, "Vigente") > strings.Index(text, "18.2500") || strings.Index(text, "Vigente") < strings.Index(text, "19.0000") {
		t.Errorf("%s", text)
	}
	for _, c := range []struct{ name, value, field, text string }{
		{"rate", "", "rate", "obligatorio"}, {"rate", "0", "rate", "mayor que cero"}, {"rate", "-1", "rate", "mayor que cero"}, {"rate", "diecisiete", "rate", "mayor que cero"},
		{"day", "ayer", "day", "fecha"}, {"source", "", "source", "obligatorio"}, {"source", strings.Repeat("x", 101), "source", "100"},
	} {
		wrong := url.Values{"currency": {"EUR"}, "day": {old}, "rate": {"20"}, "source": {"DOF"}}
		wrong.Set(c.name, c.value)
		p := w.post(ratesPath, wrong).want(t, 422, c.text)
		if !slices.Equal(p.marked(), []string{c.field}) || p.field(t, c.name) != c.value || p.field(t, "currency") != "EUR" {
			t.Errorf("%s %q: marked %v", c.name, c.value, p.marked())
		}
	}
	w.get(ratesPath+"?moneda=EUR").want(t, 200, "Sin tipos de cambio en EUR")
	w.lang = locale.English
	w.get(ratesPath).want(t, 200, "Exchange rates", "the newest of the 7 days before", "In force")
	w.lang = locale.Spanish
	w.actor.Role = access.ReadOnly
	if p := w.get(ratesPath).want(t, 200, "18.2500"); len(p.all("input", "name", "rate")) != 0 {
		t.Error("who may not bill sees the form")
	}
	w.post(ratesPath, form).want(t, 403)
}
