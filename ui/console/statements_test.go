package console

import (
	"fmt"
	"net/url"
	"testing"

	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// The number of SQL statements of a page of billing does not grow with what it shows.
func TestBillingStatements(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	add := func(from, to int) {
		for n := from; n < to; n++ {
			client := dbtest.Client(t, w.store, fmt.Sprintf("Cliente %d", n), fmt.Sprintf("c%d@cliente.example", n))
			row := dbtest.Invoice(t, w.store, client, "2026-02-01", "2026-02-15", now)
			w.post(clientPath(client.ID)+"/pagos/nuevo", url.Values{"amount": {"50"}, "currency": {"MXN"}, "method": {"cash"}, "receivedOn": {"2026-03-01"},
				"requestKey":             {fmt.Sprint("p", n)},
				"pay-" + row.ID.String(): {"50"}}).want(t, 303)
			if _, err := w.billing.AddService(access.With(t.Context(), w.actor), billing.ServiceInput{ClientID: client.ID, Description: "Hospedaje", StartsOn: "2026-05-20", RequestKey: fmt.Sprint("s", n),
				Pricing: billing.Pricing{Kind: "hosting", Cycle: billing.Monthly, Price: money.Int(100), Currency: money.MXN, Treatment: "iva16", ClaveProdServ: "81112100", ClaveUnidad: "E48"}}); err != nil {
				t.Fatal(err)
			}
		}
	}
	add(0, 2)
	few := map[string]uint32{}
	pages := []string{"/consola", "/consola/facturas", "/consola/facturas?buscar=cliente", "/consola/facturas?estado=vencidas&orden=saldo", "/consola/pagos", "/consola/pagos?buscar=cliente",
		"/consola/informes", "/consola/clientes", "/consola/renovaciones", "/consola/productos"}
	count := func(address string) uint32 {
		before := w.store.Statements()
		w.get(address).want(t, 200)
		return w.store.Statements() - before
	}
	for _, address := range pages {
		few[address] = count(address)
	}
	add(2, 22)
	for _, address := range pages {
		if many := count(address); many > few[address] || many > 30 {
			t.Errorf("%s: %d statements for 2 clients, %d for 22", address, few[address], many)
		} else {
			t.Logf("%s: %d statements", address, many)
		}
	}
}
