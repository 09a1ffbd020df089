package console

import (
	"encoding/csv"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
)

// What is owed by age, what was received by month, the account of a client, and the first look of the day.
func TestReports(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.get("/consola/informes").want(t, 200, "No se ha cobrado nada")
	if err := w.billing.CheckLedger(access.With(t.Context(), access.SystemActor())); err != nil {
		t.Fatal(err)
	}
	w.get("/consola/informes").want(t, 200, "cuadraban al centavo", "29 abr 2026, 10:00")
	gaps := []db.LedgerGap{{What: "invoice", Subject: "F-7", Stored: 11600, Expected: 5800}, {What: "numbering", Subject: "F", Stored: 9, Expected: 8}}
	for n, want := range map[int]string{1: "1 diferencia entre documentos", 2: "2 diferencias entre documentos"} {
		if err := w.store.SaveLedgerCheck(t.Context(), db.LedgerCheck{CheckedAt: now, Gaps: gaps[:n]}); err != nil {
			t.Fatal(err)
		}
		w.get("/consola").want(t, 200, want)
		w.get("/consola/informes").want(t, 200, "Factura F-7: tiene 116.00 aplicado y sus movimientos suman 58.00")
	}
	if err := w.store.SaveLedgerCheck(t.Context(), db.LedgerCheck{CheckedAt: now, Gaps: []db.LedgerGap{}}); err != nil {
		t.Fatal(err)
	}
	w.get("/consola").lacks(t, "diferencia")
	client := dbtest.Client(t, w.store, "Aurora", "pagos@aurora.example")
	for _, due := range []string{"2026-05-30", "2026-04-10", "2026-03-10", "2026-02-10", "2025-12-10"} { // 0, 19, 50, 78 and 140 days late
		dbtest.Invoice(t, w.store, client, "2025-12-01", date.Date(due), now)
	}
	w.post(clientPath(client.ID)+"/pagos/nuevo", url.Values{"amount": {"50"}, "currency": {"MXN"}, "method": {"cash"}, "receivedOn": {"2026-03-15"}, "requestKey": {"p"}}).want(t, 303)
	p := w.get("/consola/informes").want(t, 200, "Antigüedad de saldos", "$530.00 MXN", "Más de 90 días", "$66.00 MXN", "Cobrado por mes", "mar 2026", "$50.00 MXN", "1 pago")
	if n := len(p.all("svg", "data-chart", "")); n != 1 {
		t.Errorf("%d charts", n)
	}
	if n := len(p.all("rect", "width", "1000")); n < 5 {
		t.Errorf("%d bars", n)
	}
	if strings.Contains(p.body, " style=") {
		t.Error("a chart has a style attribute, which the policy of the pages refuses")
	}
	home := w.get("/consola").want(t, 200, "$182.00 MXN con más de 60 días", "0 borradores", "Quién debe", "$530.00 MXN", "5 facturas abiertas")
	if owed := text(home.all("td", "class", "hidden whitespace-nowrap sm:table-cell")); !strings.HasPrefix(owed, "10 dic 2025") {
		t.Errorf("who owes does not begin with what is latest: %q", owed)
	}

	address := clientPath(client.ID) + "/estado-de-cuenta"
	w.get(address).want(t, 200, "$580.00 MXN", "$50.00 MXN", "$530.00 MXN")
	w.get(address+"?desde=2026-04-01").want(t, 200, "$530.00 MXN")
	if got := w.get(address+"?desde=2026-05-01&hasta=2026-04-01").want(t, 422).marked(); !slices.Equal(got, []string{"hasta"}) {
		t.Errorf("marked %v", got)
	}
	w.get(address+"?desde=ayer").want(t, 422)
	rows, err := csv.NewReader(w.raw(address + ".csv").Body).ReadAll()
	if err != nil || len(rows) != 8 {
		t.Errorf("%d rows, %v", len(rows), err)
	}
	if kind := w.raw(address + ".pdf").Header.Get("Content-Type"); kind != "application/pdf" {
		t.Error(kind)
	}
	w.get("/consola/clientes/cli_999999/estado-de-cuenta").want(t, 404)
}
