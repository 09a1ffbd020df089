package console

import (
	"net/url"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// What the gateway told and nobody could book is listed with its cause, and dismissed with a reason.
func TestGatewayEvents(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := dbtest.Client(t, w.store, "Aurora", "aurora@ejemplo.example")
	checkout := db.Checkout{ClientID: client.ID, Currency: money.MXN, Amount: 11600, Gateway: "stripe", Status: db.CheckoutOpen, CreatedAt: now}
	invoice := dbtest.Invoice(t, w.store, client, "2026-04-15", "2026-04-30", now)
	if err := w.store.AddCheckout(t.Context(), &checkout, []db.CheckoutInvoice{{InvoiceID: invoice.ID, Amount: 11600}}); err != nil {
		t.Fatal(err)
	}
	var paths []string
	for _, ref := range []string{"evt_1", "evt_2"} {
		row := db.GatewayEvent{Gateway: "stripe", EventRef: ref, Kind: billing.EventPaid, Outcome: db.GatewayMismatch, CheckoutID: checkout.ID, SessionRef: "cs_" + ref,
			ChargeRef: "pi_" + ref, Amount: 5000, Currency: money.USD, ReceivedAt: now}
		if _, err := w.store.ClaimGatewayEvent(t.Context(), &row); err != nil {
			t.Fatal(err)
		}
		if err := w.store.FinishGatewayEvent(t.Context(), &row); err != nil {
			t.Fatal(err)
		}
		paths = append(paths, "/consola/pasarela/"+row.ID.String())
	}
	w.get("/consola/pagos").want(t, 200, "Avisos de la pasarela")
	w.get("/consola/pasarela").want(t, 200, "Aurora", "$50.00 USD", "no corresponden", "pi_evt_1", "pi_evt_2")
	w.get(paths[0]).want(t, 200, "Aurora", "pi_evt_1", "Saldo a favor del cliente", "Descartar")
	w.post(paths[0], url.Values{"accion": {"descartar"}, "reason": {" "}}).want(t, 422, "Descartar")
	w.post(paths[0], url.Values{"accion": {"descartar"}, "reason": {"Se devolvió en la pasarela"}}).want(t, 303)
	w.get(paths[0]).want(t, 200, "Descartado", "Se devolvió en la pasarela")
	w.post(paths[0], url.Values{"accion": {"registrar"}}).want(t, 422, "ya se resolvió")
	w.post(paths[1], url.Values{"accion": {"registrar"}}).want(t, 303)
	w.get(paths[1]).want(t, 200, "Registrado", "pi_evt_2")
	w.get("/consola/pasarela").want(t, 200, "No hay avisos por resolver")
	w.get("/consola/pasarela?estado=resueltos").want(t, 200, "Registrado", "Descartado")
	w.get("/consola/pasarela/gev_99").want(t, 404)
	// A charge that nothing here knows of is about nobody, and its row can still be opened.
	strange := db.GatewayEvent{Gateway: "stripe", EventRef: "evt_3", Kind: billing.EventReversed, Outcome: db.GatewayUnbooked, ChargeRef: "pi_3", Amount: 100, Currency: money.MXN, ReceivedAt: now}
	if _, err := w.store.ClaimGatewayEvent(t.Context(), &strange); err != nil {
		t.Fatal(err)
	}
	if err := w.store.FinishGatewayEvent(t.Context(), &strange); err != nil {
		t.Fatal(err)
	}
	w.get("/consola/pasarela").want(t, 200, "Cliente sin identificar")
	if p := w.get("/consola/pasarela/"+strange.ID.String()).want(t, 200, "Cliente sin identificar"); len(p.all("a", "href", clientPath(0))) != 0 {
		t.Error("a link to no client")
	}
}
