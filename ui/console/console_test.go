package console

import (
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/html"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

func TestStaffOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := dbtest.Client(t, w.store, "Aurora", "pagos@aurora.example")
	contact := dbtest.Contact(t, w.store, client, "laura@aurora.example", now.AddDate(0, 0, -5), mail.Invoice)
	invoice := dbtest.Invoice(t, w.store, client, "2026-04-15", "2026-04-30", now.AddDate(0, 0, -14))
	w.post("/consola/recordatorios/enviar", nil).want(t, 303)
	list, err := w.store.Deliveries(t.Context(), db.DeliveryFilter{Reach: access.Reach{All: true}}, db.Page{})
	if err != nil || len(list.Rows) == 0 {
		t.Fatalf("deliveries: %d, %v", len(list.Rows), err)
	}
	other := dbtest.Invoice(t, w.store, client, "2026-04-15", "2026-04-30", now.AddDate(0, 0, -14))
	note, err := w.billing.IssueCreditNote(access.With(t.Context(), staff), billing.CreditNoteInput{InvoiceID: other.ID, Reason: "Prueba", RequestKey: "n"})
	if err != nil {
		t.Fatal(err)
	}
	paid, err := w.billing.ReceivePayment(access.With(t.Context(), staff), billing.ReceiveInput{ClientID: client.ID, Amount: 100, Method: "cash", ExcessToCredit: true, RequestKey: "p"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.billing.ImportStatement(access.With(t.Context(), staff), strings.NewReader("date,amount\n2026-04-28,5.00\n")); err != nil {
		t.Fatal(err)
	}
	moved, err := w.store.Movements(t.Context(), "", db.Page{})
	if err != nil || len(moved.Rows) != 1 {
		t.Fatalf("%d movements, %v", len(moved.Rows), err)
	}
	product, err := w.billing.SaveProduct(access.With(t.Context(), staff), billing.ProductInput{Name: "Hospedaje", Pricing: billing.Pricing{Kind: "hosting", Cycle: billing.Monthly, Price: money.Int(1)}})
	if err != nil {
		t.Fatal(err)
	}
	service, err := w.billing.AddService(access.With(t.Context(), staff), billing.ServiceInput{ClientID: client.ID, ProductID: product.ID, StartsOn: "2027-01-01", RequestKey: "s"})
	if err != nil {
		t.Fatal(err)
	}
	event := db.GatewayEvent{Gateway: "stripe", EventRef: "evt_1", Kind: billing.EventReversed, Outcome: db.GatewayUnbooked, ReceivedAt: now, Amount: 100, Currency: money.MXN}
	if _, err := w.store.ClaimGatewayEvent(t.Context(), &event); err != nil {
		t.Fatal(err)
	}
	if err := w.store.FinishGatewayEvent(t.Context(), &event); err != nil {
		t.Fatal(err)
	}
	ids := map[string]string{"pasarela": event.ID.String(), "productos": product.ID.String(), "servicios": service.ID.String(), "notas-de-credito": note.ID.String(), "pagos": paid.ID.String(), "banco": moved.Rows[0].ID.String(), "clientes": client.ID.String(), "contactos": contact.ID.String(), "facturas": invoice.ID.String(), "recordatorios": list.Rows[0].ID.String(),
		"personal": "stf_999999", "tokens": "tok_999999"}

	if err := w.store.AddSubAccount(t.Context(), &db.SubAccount{ClientID: client.ID, Owner: true, Permissions: access.Permissions(), Status: db.SubAccountInvited}); err != nil {
		t.Fatal(err)
	}
	owner := access.Actor{Kind: access.Login, Login: 1, Grants: []access.Grant{{Client: client.ID, Owner: true}}}
	for _, route := range New(Config{}).Routes() {
		if route.Who != layout.Staff {
			continue
		}
		area := strings.Split(route.Path+"///", "/")[2]
		address := strings.NewReplacer("{id}", ids[area], "{$}", "").Replace(route.Path)
		for actor, want := range map[*access.Actor]int{{Kind: access.Anonymous}: 401, &owner: 403} {
			w.actor = *actor
			p := w.do(route.Method, address, url.Values{})
			if p.status != want || strings.Contains(p.body, "Aurora") {
				t.Errorf("%s %s as %s: %d, want %d", route.Method, address, actor.Kind, p.status, want)
			}
		}
		// What a person of the company does to people, or to their own account, needs one who is stored: the table of
		// access in package ui has them.
		if area == "personal" || area == "tokens" || area == "seguridad" || strings.HasSuffix(address, "/ver") || strings.Contains(address, "{email}") {
			continue
		}
		w.actor = staff
		if p := w.do(route.Method, address, url.Values{}); p.status >= 500 || p.status == 404 || p.status == 403 || p.status == 401 {
			t.Errorf("%s %s as staff: %d", route.Method, address, p.status)
		}
	}
}

func TestUnknownIsNotFound(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, address := range []string{"/consola/clientes/cli_99", "/consola/clientes/inv_1", "/consola/clientes/x", "/consola/contactos/con_99", "/consola/facturas/inv_99",
		"/consola/facturas/1", "/consola/recordatorios/del_99", "/consola/recordatorios/envios?cliente=cli_99", "/consola/recordatorios/envios?factura=zzz", "/consola/clientes/cli_9/facturas/nueva"} {
		w.get(address).want(t, 404)
	}
	w.get("/consola/clientes?despues=roto").want(t, 422)
}

func TestSignIn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	accounts := account.Service{Store: w.store, Now: func() time.Time { return now }}
	_, err := accounts.AddStaff(access.With(t.Context(), access.SystemActor()), account.AddStaffInput{Name: "Cobranza", Email: "personal@hospedaje.example", Password: "una frase muy larga"})
	if err != nil {
		t.Fatal(err)
	}
	w.actor = access.Actor{Kind: access.Anonymous, Address: "192.0.2.9"}
	w.get("/consola/entrar").want(t, 200, "Consola del personal")
	p := w.post("/consola/entrar", url.Values{"email": {"personal@hospedaje.example"}, "password": {"otra cosa"}, "next": {"/consola/facturas"}})
	p.want(t, 422, "Correo o contraseña incorrectos.")
	if p.field(t, "email") != "personal@hospedaje.example" || p.field(t, "next") != "/consola/facturas" || strings.Contains(p.body, "otra cosa") {
		t.Error("the form lost its values or shows the password")
	}
	for next, want := range map[string]string{"/consola/facturas": "/consola/facturas", "": "/consola", "//malo.example": "/consola", "https://malo.example/": "/consola"} {
		p := w.post("/consola/entrar", url.Values{"email": {"personal@hospedaje.example"}, "password": {"una frase muy larga"}, "next": {next}})
		if p.status != 303 || p.location != want {
			t.Errorf("next %q: %d to %q", next, p.status, p.location)
		}
	}
}

func TestClientSearchAndPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for i := range pageSize + 3 {
		dbtest.Client(t, w.store, fmt.Sprintf("Cliente %02d", i), fmt.Sprintf("c%02d@ejemplo.example", i))
	}
	dbtest.Client(t, w.store, `<script>alert("x")</script> 100%`, "raro@ejemplo.example")

	p := w.get("/consola/clientes?buscar=c07@").want(t, 200, "Cliente 07")
	if rows := len(p.all("a", "href", "")); strings.Contains(p.text(), "Cliente 08") || rows == 0 {
		t.Error("the search does not narrow the list")
	}
	w.get("/consola/clientes?buscar=nadie").want(t, 200, "Ningún cliente coincide con «nadie».")
	p = w.get("/consola/clientes?buscar="+url.QueryEscape("100%")).want(t, 200, `<script>alert("x")</script> 100%`)
	if strings.Contains(p.text(), "Cliente 01") || strings.Contains(p.body, "<script>alert") {
		t.Error("a wildcard matches everything, or a name is not escaped")
	}

	seen := map[string]bool{}
	for address, pages := "/consola/clientes", 0; address != ""; pages++ {
		p := w.get(address).want(t, 200)
		address = ""
		for _, link := range p.all("a", "href", "") {
			switch href := attr(link, "href"); {
			case strings.HasPrefix(href, "/consola/clientes/cli_"):
				if seen[href] {
					t.Errorf("%s twice", href)
				}
				seen[href] = true
			case strings.Contains(href, "despues="):
				address = href
			}
		}
		if pages > 2 {
			t.Fatal("the pages do not end")
		}
	}
	if len(seen) != pageSize+4 {
		t.Errorf("%d clients over all pages, want %d", len(seen), pageSize+4)
	}
}

func TestSendRemindersOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := dbtest.Client(t, w.store, "Aurora", "pagos@aurora.example")
	dbtest.Contact(t, w.store, client, "laura@aurora.example", now.AddDate(0, 0, -20), mail.Invoice)
	invoice := dbtest.Invoice(t, w.store, client, "2026-04-15", "2026-04-30", now.AddDate(0, 0, -14)) // due tomorrow: step -1
	ledger := func() int {
		list, err := w.store.Deliveries(t.Context(), db.DeliveryFilter{Reach: access.Reach{All: true}}, db.Page{First: 100})
		if err != nil {
			t.Fatal(err)
		}
		return len(list.Rows)
	}
	first := w.post("/consola/recordatorios/enviar", nil).want(t, 303)
	if !strings.HasPrefix(first.location, "/consola?") {
		t.Fatal(first.location)
	}
	w.get(first.location).want(t, 200, "2 planeados · 0 omitidos")
	rows := ledger()
	if rows != 2 {
		t.Errorf("%d rows, want one for each of two recipients", rows)
	}
	for _, form := range []url.Values{nil, {"cliente": {client.ID.String()}}, {"factura": {invoice.ID.String()}}} {
		again := w.post("/consola/recordatorios/enviar", form).want(t, 303)
		w.get(again.location).want(t, 200, "No había recordatorios nuevos")
	}
	if ledger() != rows {
		t.Error("a second run added rows")
	}
	if p := w.get("/consola").want(t, 200); text(p.all("span", "data-count", "en-espera")) != "2" {
		t.Errorf("waiting: %q", text(p.all("span", "data-count", "en-espera")))
	}
}

func TestRecordPayment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := dbtest.Client(t, w.store, "Aurora", "pagos@aurora.example")
	invoice := dbtest.Invoice(t, w.store, client, "2026-04-15", "2026-04-30", now.AddDate(0, 0, -14)) // 116.00
	address := invoicePath(invoice.ID)
	form := func(amount string) url.Values {
		return url.Values{"amount": {amount}, "method": {"transfer"}, "reference": {"SPEI 1"}, "receivedOn": {"2026-04-28"}, "requestKey": {"clave"}}
	}
	for amount, want := range map[string]string{"": "Escriba un importe.", "abc": "Escriba un importe válido", "0": "mayor que cero", "-5": "mayor que cero",
		"116.01": "supera el saldo", "1.005": "demasiados decimales", "99999999999999999999": "demasiado grande"} {
		p := w.post(address+"/pagos", form(amount)).want(t, 422, want)
		if got := p.marked(); len(got) != 1 || got[0] != "amount" {
			t.Errorf("amount %q marks %v", amount, got)
		}
		if p.field(t, "amount") != amount || p.field(t, "reference") != "SPEI 1" || p.field(t, "requestKey") != "clave" {
			t.Errorf("amount %q: the form lost its values", amount)
		}
	}
	wrong := form("10")
	wrong.Set("receivedOn", "ayer")
	if got := w.post(address+"/pagos", wrong).want(t, 422).marked(); len(got) != 1 || got[0] != "receivedOn" {
		t.Errorf("a malformed date marks %v", got)
	}
	for range 2 { // the same form sent twice
		if p := w.post(address+"/pagos", form("$50.00")).want(t, 303); p.location != address || p.flash != "console.flash.paid" {
			t.Errorf("to %q, %q", p.location, p.flash)
		}
	}
	payments, err := w.store.Payments(t.Context(), invoice.ID)
	if err != nil || len(payments) != 1 || payments[0].Amount != 5000 || payments[0].ReceivedOn != "2026-04-28" {
		t.Fatalf("payments: %+v, %v", payments, err)
	}
	w.get(address).want(t, 200, "$66.00 MXN", "SPEI 1", "Transferencia")
	rest := form("66")
	rest.Set("requestKey", "otra")
	w.post(address+"/pagos", rest).want(t, 303)
	if p := w.get(address).want(t, 200, "Pagada"); len(p.all("input", "name", "amount")) != 0 {
		t.Error("a paid invoice still offers the payment form")
	}
	late := form("1")
	late.Set("requestKey", "tarde")
	w.post(address+"/pagos", late).want(t, 422, "La factura no está pendiente de pago.")
}

func TestIssueInvoice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := dbtest.Client(t, w.store, "Aurora", "pagos@aurora.example")
	address := clientPath(client.ID) + "/facturas/nueva"
	if n := len(w.get(address).want(t, 200).all("input", "name", "description")); n < 5 {
		t.Errorf("%d rows without JavaScript", n)
	}
	form := url.Values{"issueDate": {"2026-04-29"}, "dueDate": {"2026-05-14"}, "currency": {"MXN"}, "requestKey": {"clave"},
		"description": {"", "Hospedaje <b>mensual</b>", "", "Dominio"}, "quantity": {"1", "2", "1", "uno"}, "unitPrice": {"", "1,000.00", "", "x"},
		"discount": {"", "100", "", ""}, "treatment": {"iva16", "iva16", "iva16", "iva16"}}
	p := w.post(address, form).want(t, 422, "Escriba una cantidad válida", "Escriba un importe válido")
	if got := strings.Join(p.marked(), " "); got != "quantity unitPrice" {
		t.Errorf("marked: %s", got)
	}
	for i, line := range p.all("fieldset", "data-line", "") {
		var out strings.Builder
		_ = html.Render(&out, line)
		if marked := strings.Contains(out.String(), "aria-invalid"); marked != (i == 3) {
			t.Errorf("row %d: marked %v", i, marked)
		}
	}

	form["quantity"][3], form["unitPrice"][3] = "1", "250.50"
	form.Set("dueDate", "2026-04-01")
	if got := w.post(address, form).want(t, 422, "no puede ser anterior").marked(); len(got) != 1 || got[0] != "dueDate" {
		t.Errorf("marked: %v", got)
	}
	form.Set("dueDate", "2026-05-14")
	first, second := w.post(address, form).want(t, 303), w.post(address, form).want(t, 303)
	if first.location != second.location {
		t.Errorf("the same form made %s and %s", first.location, second.location)
	}
	p = w.get(first.location).want(t, 200, "Hospedaje <b>mensual</b>", "$2,494.58 MXN") // (2000-100+250.50) * 1.16
	if strings.Contains(p.body, "<b>mensual") {
		t.Error("a description is not escaped")
	}
	list, err := w.store.Invoices(t.Context(), db.InvoiceFilter{Reach: access.Reach{All: true}}, db.Page{})
	if err != nil || len(list.Rows) != 1 {
		t.Fatalf("%d invoices, %v", len(list.Rows), err)
	}

	w.post(address, url.Values{"dueDate": {"2026-05-14"}, "currency": {"MXN"}}).want(t, 422, "Agregue al menos un concepto.")
	add := url.Values{"agregar": {"1"}, "description": {"uno", "dos"}, "quantity": {"1", "2"}, "unitPrice": {"1", "2"}}
	if rows := w.post(address, add).want(t, 200).all("input", "name", "description"); len(rows) != 3 || attr(rows[1], "value") != "dos" {
		t.Errorf("%d rows after adding one to two", len(rows))
	}
	add.Del("agregar")
	add.Set("quitar", "0")
	if rows := w.post(address, add).want(t, 200).all("input", "name", "description"); len(rows) != 1 || attr(rows[0], "value") != "dos" {
		t.Errorf("%d rows after removing the first of two", len(rows))
	}
}

func TestPause(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := dbtest.Client(t, w.store, "Aurora", "pagos@aurora.example")
	invoice := dbtest.Invoice(t, w.store, client, "2026-04-15", "2026-04-30", now.AddDate(0, 0, -14))
	for _, address := range []string{clientPath(client.ID), invoicePath(invoice.ID)} {
		for until, want := range map[string]string{"": "obligatorio", "mañana": "fecha válida", "2026-04-28": "de hoy en adelante"} {
			p := w.post(address+"/pausa", url.Values{"until": {until}, "reason": {"Promesa"}}).want(t, 422, want)
			if got := p.marked(); len(got) != 1 || got[0] != "until" || p.field(t, "reason") != "Promesa" {
				t.Errorf("until %q marks %v", until, got)
			}
		}
		w.post(address+"/pausa", url.Values{"until": {"2026-05-10"}, "reason": {"Promesa de pago <i>"}}).want(t, 303)
		if p := w.get(address).want(t, 200, "En pausa hasta el 10 may 2026"); strings.Contains(p.body, "<i>") {
			t.Error("the reason is not escaped")
		}
		w.post(address+"/pausa", url.Values{"accion": {"reanudar"}, "until": {"2026-05-10"}}).want(t, 303)
		if p := w.get(address).want(t, 200); strings.Contains(p.text(), "En pausa") {
			t.Error("the pause goes on")
		}
		if p := w.get(address + "/pausa"); p.status != 303 || p.location != address {
			t.Errorf("reload of the form's address: %d to %q", p.status, p.location)
		}
	}
}

func TestContact(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := dbtest.Client(t, w.store, "Aurora", "pagos@aurora.example")
	contact := dbtest.Contact(t, w.store, client, "laura@aurora.example", now, mail.Invoice)
	dbtest.Contact(t, w.store, client, "otra@aurora.example", now, mail.General)
	address := contactPath(contact.ID)
	w.get(address).want(t, 200, "Editar contacto")
	form := url.Values{"firstname": {"Laura"}, "lastname": {`"><script>`}, "email": {"laura"}, "country": {"MX"}, "language": {"en"}, "timezone": {"America/Tijuana"}, "topics": {"invoice", "support"}}
	for email, want := range map[string]string{"laura": "correo válido", "": "obligatorio", "otra@aurora.example": "ya tiene un contacto"} {
		form.Set("email", email)
		p := w.post(address, form).want(t, 422, want)
		if got := p.marked(); len(got) != 1 || got[0] != "email" {
			t.Errorf("email %q marks %v", email, got)
		}
		if strings.Contains(p.body, `"><script>`) {
			t.Error("a value is not escaped")
		}
	}
	form.Set("email", "laura.mendez@aurora.example")
	if p := w.post(address, form).want(t, 303); p.location != clientPath(client.ID) || p.flash != "console.flash.saved" {
		t.Errorf("to %q, %q", p.location, p.flash)
	}
	row, err := w.store.Contact(t.Context(), contact.ID)
	if err != nil || row.Email != "laura.mendez@aurora.example" || row.Language != "en" || len(row.Topics) != 2 {
		t.Fatalf("%+v, %v", row, err)
	}
	w.get(clientPath(client.ID)).want(t, 200, "laura.mendez@aurora.example", "Sin acceso")
}

// The ledger shows each recipient, and of each mail what the server answered.
func TestLedgerHistory(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := dbtest.Client(t, w.store, "Aurora", "pagos@aurora.example")
	dbtest.Contact(t, w.store, client, "laura@aurora.example", now.AddDate(0, 0, -20), mail.Invoice)
	dbtest.Invoice(t, w.store, client, "2026-04-15", "2026-04-30", now.AddDate(0, 0, -14))
	w.post("/consola/recordatorios/enviar", nil).want(t, 303)
	ctx := t.Context()
	taken, err := w.store.TakeDeliveries(ctx, 10, 10, time.Minute)
	if err != nil || len(taken) != 2 {
		t.Fatalf("taken %v, %v", taken, err)
	}
	finish := func(delivery id.Delivery, status, reason, detail string) {
		claimed, err := w.store.AdvanceDeliveries(ctx, []db.Advance{{Next: delivery}}, "prueba/1", time.Minute)
		if err != nil || len(claimed) != 1 {
			t.Fatal(claimed, err)
		}
		row := claimed[0]
		row.Email, row.Language = row.Recipient.Email, row.Recipient.Language
		end := db.Outcome{Delivery: row.Delivery, Status: status, Reason: reason, MessageID: "id@hospedaje.example", Detail: detail}
		if _, err := w.store.AdvanceDeliveries(ctx, []db.Advance{{Done: []db.Outcome{end}}}, "prueba/1", time.Minute); err != nil {
			t.Fatal(err)
		}
	}
	finish(taken[0].ID, db.DeliverySent, "", "250 2.0.0 OK <b>queued</b> as 42")
	finish(taken[1].ID, db.DeliveryFailed, "refused", "550 5.1.1 <laura@aurora.example>: no such user")

	p := w.get("/consola/recordatorios/envios").want(t, 200, "laura@aurora.example", "pagos@aurora.example", "1 día antes de vencer")
	if strings.Contains(p.body, "<b>") {
		t.Error("an answer is not escaped")
	}
	if p := w.get("/consola/recordatorios/envios?estado=enviados"); len(p.all("tr", "class", "")) == 0 || strings.Contains(p.text(), "Falló") {
		t.Error("the filter does not hold")
	}
	w.get("/consola/recordatorios/envios?estado=en-espera").want(t, 200, "No hay recordatorios con este filtro.")
	p = w.get(deliveryPath(taken[0].ID)).want(t, 200, "El servidor de correo lo aceptó", "250 2.0.0 OK <b>queued</b> as 42", "id@hospedaje.example", "prueba/1")
	if strings.Contains(p.body, "<b>queued") {
		t.Error("an answer is not escaped")
	}
	w.get(deliveryPath(taken[1].ID)).want(t, 200, "El servidor de correo lo rechazó", "550 5.1.1 <laura@aurora.example>: no such user")
	home := w.get("/consola").want(t, 200, "Requieren atención")
	if text(home.all("span", "data-count", "fallidos")) != "1" || text(home.all("span", "data-count", "enviados")) != "1" {
		t.Error("the figures are wrong")
	}
}

// Client names and other people's words are text on every page.
func TestEscaping(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	evil := `<img src=x onerror=alert(1)>"'`
	client := dbtest.Client(t, w.store, evil, "pagos@aurora.example")
	contact := db.Contact{ClientID: client.ID, Firstname: evil, Email: "eva@aurora.example", Language: "es-MX", Timezone: "UTC", Country: "MX", Topics: []mail.Topic{mail.Invoice}}
	if err := w.store.AddContact(t.Context(), &contact); err != nil {
		t.Fatal(err)
	}
	invoice := dbtest.Invoice(t, w.store, client, "2026-04-15", "2026-04-30", now.AddDate(0, 0, -14))
	w.post("/consola/recordatorios/enviar", nil).want(t, 303)
	if err := w.store.LogDownload(t.Context(), db.InvoiceDownload{InvoiceID: invoice.ID, Address: evil}); err != nil {
		t.Fatal(err)
	}
	for _, lang := range locale.Languages() {
		w.lang = lang
		for _, address := range []string{"/consola", "/consola/clientes?buscar=" + url.QueryEscape(evil), clientPath(client.ID), contactPath(contact.ID), clientPath(client.ID) + "/facturas/nueva",
			"/consola/facturas?buscar=" + url.QueryEscape(evil), invoicePath(invoice.ID), "/consola/recordatorios/envios?cliente=" + client.ID.String()} {
			p := w.get(address).want(t, 200, evil)
			if len(p.all("img", "src", "")) != 0 {
				t.Errorf("%s: a name became an element", address)
			}
		}
	}
}

// Every text that the templates ask for exists.
func TestTextsExist(t *testing.T) {
	t.Parallel()
	used := regexp.MustCompile(`(?:\bt|plural|oneOr|optional)\((?:ctx, )?"([a-zA-Z0-9_.-]+)"`)
	files, err := filepath.Glob("*")
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_templ.go") || strings.HasSuffix(file, "_test.go") {
			continue
		}
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range used.FindAllStringSubmatch(string(raw), -1) {
			if key := "console." + match[1]; !strings.HasSuffix(key, ".") {
				n++
				if !locale.Has(key) {
					t.Errorf("%s: no text %q", file, key)
				}
			}
		}
	}
	if n < 100 {
		t.Errorf("only %d keys found", n)
	}
	for _, f := range ledgerFilters {
		if !locale.Has("console.reminders.filter." + f.Key) {
			t.Errorf("no label for %q", f.Key)
		}
	}
	for _, f := range invoiceFilters {
		if !locale.Has("billing.list.filter." + f.Key) {
			t.Errorf("no label for %q", f.Key)
		}
	}
}
