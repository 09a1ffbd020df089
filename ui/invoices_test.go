package ui

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/money"
)

func TestInvoices(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v := w.as(owner)
	home := "/clientes/" + w.client.ID.String()
	issue := func(key string) db.Invoice {
		row, err := w.billing.IssueInvoice(system(t.Context()), billing.IssueInput{ClientID: w.client.ID, IssueDate: "2026-03-01", DueDate: "2026-04-10", RequestKey: key,
			Lines: []billing.LineInput{{Description: "Servidor " + key, Quantity: money.Int(2), UnitPrice: money.Must("750.50")}}})
		if err != nil {
			t.Fatal(err)
		}
		return row
	}
	pay := func(row db.Invoice, amount money.Minor) {
		if _, err := w.billing.RecordPayment(system(t.Context()), billing.PaymentInput{InvoiceID: row.ID, Amount: amount, Method: "transfer",
			Reference: "SPEI 0001", ReceivedOn: "2026-04-20", RequestKey: row.Number}); err != nil {
			t.Fatal(err)
		}
	}
	overdue, paid := issue("uno"), issue("dos")
	pay(overdue, 50000)
	pay(paid, paid.Total)

	for status, want := range map[string]string{
		"": w.invoice.Number + overdue.Number + paid.Number, "open": w.invoice.Number + overdue.Number, "overdue": overdue.Number, "paid": paid.Number, "cancelled": "", "nonsense": w.invoice.Number + overdue.Number + paid.Number,
	} {
		page := v.get(home+"/facturas?estado="+status).want(t, http.StatusOK)
		for _, row := range []db.Invoice{w.invoice, overdue, paid} {
			if got := len(page.find("href", home+"/facturas/"+row.ID.String())) > 0; got != strings.Contains(want, row.Number) {
				t.Errorf("tab %q lists %s: %v", status, row.Number, got)
			}
		}
	}
	v.get(home+"/facturas?estado=cancelled").shows(t, "Ninguna factura cancelada")
	for query, want := range map[string]string{
		"buscar=" + overdue.Number: overdue.Number, "buscar=nada": "", "minimo=1200": overdue.Number + paid.Number, "maximo=1,200.00": w.invoice.Number, "hasta=2026-03-31": overdue.Number + paid.Number,
		"desde=2026-04-01": w.invoice.Number, "vence-hasta=2026-04-30&estado=paid": paid.Number,
	} {
		page := v.get(home+"/facturas?"+query).want(t, http.StatusOK)
		for _, row := range []db.Invoice{w.invoice, overdue, paid} {
			if got := len(page.find("value", row.ID.String())) > 0; got != strings.Contains(want, row.Number) {
				t.Errorf("%q lists %s: %v", query, row.Number, got)
			}
		}
	}
	v.get(home+"/facturas?buscar=nada").shows(t, "Ninguna factura con estos filtros")
	v.get(home+"/facturas").shows(t, "3 facturas", "$4,642.32 MXN", "$2,241.16 MXN", "$2,401.16 MXN")
	wrong := v.get(home+"/facturas?desde=ayer&minimo=mucho").want(t, http.StatusUnprocessableEntity)
	if wrong.fieldError("f-desde") == "" || wrong.fieldError("f-minimo") == "" || wrong.value("f-minimo") != "mucho" {
		t.Errorf("%q %q", wrong.fieldError("f-desde"), wrong.fieldError("f-minimo"))
	}
	if got := v.get(home+"/facturas?desde=2026-04-02&hasta=2026-04-01").want(t, http.StatusUnprocessableEntity).fieldError("f-hasta"); got == "" {
		t.Error("dates in the wrong order are right")
	}
	v.get(home+"/facturas?despues=nonsense").want(t, http.StatusUnprocessableEntity)
	v.get(home).shows(t, "$2,401.16 MXN", "$1,241.16 MXN", "2 facturas pendientes", "Venció hace 19 días, el 10 abr 2026")

	if _, err := w.store.Plan(t.Context(), db.PlanInput{Now: now, Client: w.client.ID, Immediate: true}); err != nil {
		t.Fatal(err)
	}
	page := v.get(home+"/facturas/"+overdue.ID.String()).want(t, http.StatusOK)
	page.shows(t, "Factura "+overdue.Number, "Vencida", "Servidor uno", "750.50", "1,501.00", "$1,741.16 MXN", "-$500.00 MXN", "$1,241.16 MXN", "Transferencia · SPEI 0001", "20 abr 2026")
	page.shows(t, "Recordatorios", "Al emitirse", "Café de Prueba "+owner, "Programado", "29 abr 2026, 10:00", assistant+" · Español No se enviará Ya no desea recibir estos correos")
	v.get(home+"/facturas/"+paid.ID.String()).want(t, http.StatusOK).shows(t, "Pagada").hides(t, "Pagar por transferencia")
}

// The API shares the site's authentication: a bearer token first, then the cookies.
func TestAPIActors(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var seen access.Actor
	w.serve(Config{GraphQL: http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = access.From(r.Context()) })})
	signIn := func(email string, staff bool) string {
		in, err := w.account.SignIn(t.Context(), account.SignInInput{Email: email, Password: password, Staff: staff})
		if err != nil {
			t.Fatal(err)
		}
		return "Bearer " + in.Token
	}
	login := w.as(owner)
	staff := w.visit()
	staff.post("/consola/entrar", url.Values{"email": {personnel}, "password": {password}}).want(t, http.StatusSeeOther)
	for _, test := range []struct {
		name    string
		visitor *visitor
		bearer  string
		kind    access.Kind
		email   string
	}{
		{"nobody", w.visit(), "", access.Anonymous, ""},
		{"a token that never was", w.visit(), "Bearer nothing-that-was-ever-given-out", access.Anonymous, ""},
		{"a login's token", w.visit(), signIn(bookkeeper, false), access.Login, bookkeeper},
		{"a staff token", w.visit(), signIn(personnel, true), access.Staff, personnel},
		{"a login's cookie", login, "", access.Login, owner},
		{"a staff cookie", staff, "", access.Staff, personnel},
		{"a token beside a cookie", login, signIn(bookkeeper, false), access.Login, bookkeeper},
		{"a wrong token beside a cookie", login, "Bearer nothing-that-was-ever-given-out", access.Anonymous, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			headers := []string{"User-Agent", "a program", "X-Forwarded-For", "198.51.100.1"}
			if test.bearer != "" {
				headers = append(headers, "Authorization", test.bearer)
			}
			answer := test.visitor.post("/graphql", nil, headers...).want(t, http.StatusOK)
			if seen.Kind != test.kind || seen.Email != test.email {
				t.Errorf("acts as %s %s", seen.Kind, seen.Email)
			}
			if seen.Address != "127.0.0.1" || seen.Device != "a program" || seen.Request == "" || seen.Request != answer.Header.Get("X-Request-Id") {
				t.Errorf("from %q %q, request %q", seen.Address, seen.Device, seen.Request)
			}
		})
	}
	explorer := w.visit().get("/graphql/explorer").want(t, http.StatusOK)
	if csp := explorer.Header.Get("Content-Security-Policy"); !strings.Contains(csp, "script-src 'self';") || !strings.Contains(csp, "worker-src") {
		t.Errorf("the explorer's policy is %s", csp)
	}
}
