package ui

import (
	"net/http"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// Who holds the permission products, and the owner, see what the client buys: price, cycle, next renewal and state.
func TestServicesPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ctx := system(t.Context())
	w.addContact("Técnica", "tecnica@cafe.example", []mail.Topic{mail.Invoice}, access.Products)
	path := "/clientes/" + w.client.ID.String() + "/servicios"
	tech := w.as("tecnica@cafe.example")
	tech.get(path).want(t, http.StatusOK).shows(t, "No hay servicios contratados")
	sell := func(client db.Client, name string, cycle billing.Cycle, price string, gross bool) db.Service {
		row, err := w.billing.AddService(ctx, billing.ServiceInput{ClientID: client.ID, Description: name, StartsOn: "2099-01-31", RequestKey: name, Quantity: money.Int(2),
			Pricing: billing.Pricing{Kind: "hosting", Cycle: cycle, Price: money.Must(price), PriceIncludesTax: gross}})
		if err != nil {
			t.Fatal(err)
		}
		return row
	}
	sell(w.client, "Hospedaje <b>Profesional</b>", billing.Monthly, "1234.50", false)
	sell(w.client, "Dominio", billing.Yearly, "290", true)
	sell(w.client, "Migración", billing.OneOff, "500", false)
	stopped, gone := sell(w.client, "Correo", billing.Quarterly, "60", false), sell(w.client, "Respaldo", billing.Monthly, "70", false)
	for service, status := range map[db.Service]string{stopped: db.ServiceSuspended, gone: db.ServiceEnded} {
		if _, err := w.billing.SetServiceState(ctx, billing.ServiceStateInput{ServiceID: service.ID, Status: status}); err != nil {
			t.Fatal(err)
		}
	}
	sell(w.other, "Ajeno", billing.Monthly, "99", false)
	for _, v := range []*visitor{tech, w.as(owner)} {
		a := v.get(path).want(t, http.StatusOK)
		a.shows(t, "Hospedaje <b>Profesional</b>", "$2,469.00 MXN", "Mensual", "más IVA", "Próxima renovación: 31 ene 2099", "$580.00 MXN", "Anual", "IVA incluido",
			"Se factura una sola vez, el 31 ene 2099", "Suspendido", "No se factura mientras esté suspendido", "Terminado", "No se renueva").hides(t, "Ajeno")
		if strings.Contains(a.body, "<b>Profesional") {
			t.Error("a description is taken for HTML")
		}
	}
	tech.get("/clientes/servicios").want(t, http.StatusSeeOther)
	tech.get("/clientes/"+w.client.ID.String()).shows(t, "Servicios")
	w.as(bookkeeper).get(path).want(t, http.StatusForbidden)
	w.as(bookkeeper).get("/clientes/"+w.client.ID.String()).hides(t, "Servicios")
	tech.get("/clientes/"+w.other.ID.String()+"/servicios").want(t, http.StatusNotFound)
	tech.get(path+"?despues=basura").want(t, http.StatusUnprocessableEntity)
	for n := range 25 {
		sell(w.client, "Servicio "+string(rune('A'+n)), billing.Monthly, "1", false)
	}
	a := tech.get(path).want(t, http.StatusOK).hides(t, "Dominio")
	_, next, _ := strings.Cut(a.body, path+"?despues=")
	next, _, _ = strings.Cut(next, `"`)
	tech.get(path+"?despues="+next).want(t, http.StatusOK).shows(t, "Dominio", "Correo")
}
