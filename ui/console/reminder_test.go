package console

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

// Every text that the pages about reminders ask for exists.
func TestReminderTextsExist(t *testing.T) {
	t.Parallel()
	used := regexp.MustCompile(`\b(?:rt|count)\(ctx, "([a-zA-Z0-9_.-]+)"`)
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
			if key := "reminder." + match[1]; !strings.HasSuffix(key, ".") {
				n++
				if !locale.Has(key) {
					t.Errorf("%s: no text %q", file, key)
				}
			}
		}
	}
	if n < 60 {
		t.Errorf("only %d keys found", n)
	}
}

// fail gives a delivery up, as a worker does after the mail server's refusal.
func (w *world) fail(row db.Delivery, reason, detail string) {
	w.Helper()
	taken, err := w.store.TakeDeliveries(w.Context(), 100, 100, time.Minute)
	if err != nil {
		w.Fatal(err)
	}
	for _, other := range taken {
		claimed, err := w.store.AdvanceDeliveries(w.Context(), []db.Advance{{Next: other.ID}}, "prueba/1", time.Minute)
		if err != nil || len(claimed) != 1 {
			w.Fatal(claimed, err)
		}
		end := db.Outcome{Delivery: claimed[0].Delivery, Status: db.DeliveryFailed, Reason: reason, Detail: detail}
		if other.ID != row.ID {
			end = db.Outcome{Delivery: claimed[0].Delivery, Status: db.DeliveryPlanned, Wait: time.Hour}
		}
		if _, err := w.store.AdvanceDeliveries(w.Context(), []db.Advance{{Done: []db.Outcome{end}}}, "prueba/1", time.Minute); err != nil {
			w.Fatal(err)
		}
	}
}

func (w *world) deliveries() []db.Delivery {
	w.Helper()
	list, err := w.store.Deliveries(w.Context(), db.DeliveryFilter{Reach: access.Reach{All: true}}, db.Page{First: 100})
	if err != nil {
		w.Fatal(err)
	}
	return list.Rows
}

// A policy is edited row by row, its effect is shown on real invoices before anything is saved, and
// wrong rows are marked.
func TestPolicyForm(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := dbtest.Client(t, w.store, "Aurora", "pagos@aurora.example")
	dbtest.Invoice(t, w.store, client, "2026-04-15", "2026-05-15", now.AddDate(0, 0, -14))
	w.get(policiesPath).want(t, 200, "Política general", "7 días antes de vencer", "De 09:00 a 18:00")
	p := w.get(policyFormPath).want(t, 200, "Sin cambios", "T-1", "15 días después de vencer")
	if rows := p.all("input", "name", "days"); len(rows) != 6 || attr(rows[0], "value") != "0" {
		t.Fatalf("%d rows", len(rows))
	}
	form := url.Values{"name": {"General"}, "sendFrom": {"10:00"}, "sendUntil": {"18:00"}, "catchUpDays": {"3"}, "days": {"7", "1", "3"}, "when": {"before", "before", "after"}}
	// What changes: -7 and -1 go out an hour later, +3 is new, +1, +5 and +15 go.
	preview := w.post(policiesPath+"/vista", form).want(t, 200, "1 correo nuevo", "2 cambian de fecha", "3 ya no salen", "antes: 8 may 2026, 09:00")
	if preview.field(t, "name") != "General" {
		t.Error("the form lost its values")
	}
	request := httptest.NewRequest(http.MethodPost, policiesPath+"/vista", strings.NewReader(form.Encode()))
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	request.Header.Set("HX-Request", "true")
	part := httptest.NewRecorder()
	w.handler.ServeHTTP(part, request)
	if body := part.Body.String(); strings.Contains(body, "<form") || !strings.Contains(body, "data-preview") {
		t.Errorf("the part is %.200s", body)
	}
	if rows, err := w.store.Policies(t.Context()); err != nil || rows[0].SendFrom != "09:00:00" {
		t.Fatalf("the preview saved %+v, %v", rows, err)
	}
	for field, change := range map[string][2]string{"days": {"siete", "número"}, "sendUntil": {"08:00", ""}, "catchUpDays": {"x", "número"}, "name": {"", "obligatorio"}} {
		wrong := url.Values{}
		for name, values := range form {
			wrong[name] = append([]string{}, values...)
		}
		wrong[field][0] = change[0]
		p := w.post(policyFormPath, wrong).want(t, 422, change[1])
		if got := p.marked(); len(got) != 1 || got[0] != field {
			t.Errorf("%s: marked %v", field, got)
		}
	}
	add := url.Values{"agregar": {"1"}}
	remove := url.Values{"quitar": {"0"}}
	for name, values := range form {
		add[name], remove[name] = values, values
	}
	if rows := w.post(policyFormPath, add).want(t, 200).all("input", "name", "days"); len(rows) != 4 {
		t.Errorf("%d rows after adding one to three", len(rows))
	}
	if rows := w.post(policyFormPath, remove).want(t, 200).all("input", "name", "days"); len(rows) != 2 || attr(rows[0], "value") != "1" {
		t.Errorf("%d rows after removing the first of three", len(rows))
	}
	if p := w.post(policyFormPath, form).want(t, 303); p.location != policiesPath {
		t.Error(p.location)
	}
	w.get(policiesPath).want(t, 200, "3 días después de vencer", "De 10:00 a 18:00")

	// A client's own begins with what rules it, and ends with the general one in force.
	own := w.get(policyURL(client.ID, 0)).want(t, 200, "Cliente Aurora", "Sin cambios")
	if rows := own.all("input", "name", "days"); len(rows) != 3 {
		t.Errorf("%d rows", len(rows))
	}
	form.Set("name", "Aurora")
	form["days"], form["when"] = nil, nil
	w.post(policyURL(client.ID, 0), form).want(t, 303)
	w.get(clientPath(client.ID)).want(t, 200, "Política propia del cliente")
	w.get(policiesPath).want(t, 200, "Sin avisos: no se envía ningún recordatorio.")
	rows, err := w.store.Policies(t.Context())
	if err != nil || len(rows) != 2 {
		t.Fatalf("%+v, %v", rows, err)
	}
	w.post(policiesPath+"/quitar", url.Values{"politica": {rows[1].ID.String()}}).want(t, 303)
	w.get(clientPath(client.ID)).want(t, 200, "Política general")
	w.post(policiesPath+"/quitar", url.Values{"politica": {rows[0].ID.String()}}).want(t, 422)
}

// What could not be delivered is listed with its cause, can be looked at as it would go out now, sent to
// oneself, tried again once, and cancelled.
func TestUndelivered(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := dbtest.Client(t, w.store, "Aurora", "pagos@aurora.example")
	dbtest.Contact(t, w.store, client, "laura@aurora.example", now.AddDate(0, 0, -20), mail.Invoice)
	dbtest.Invoice(t, w.store, client, "2026-04-15", "2026-04-30", now.AddDate(0, 0, -14))
	w.get(failedPath).want(t, 200, "Nada sin entregar")
	w.post("/consola/recordatorios/enviar", nil).want(t, 303)
	row := w.deliveries()[0]
	w.fail(row, "refused", "550 5.7.1 <script>alert(1)</script> blocked")
	p := w.get(failedPath).want(t, 200, row.Email, "El servidor de correo lo rechazó", "550 5.7.1 <script>alert(1)</script> blocked", "Aurora")
	if strings.Contains(p.body, "<script>alert") {
		t.Error("an answer is not escaped")
	}
	w.get(remindersPath).want(t, 200, "Ver causas y reintentar")
	w.get(failedPath+"?motivo=gave_up").want(t, 200, "Nada sin entregar")

	shown := w.get(deliveryPath(row.ID)+"/correo").want(t, 200, "T-1")
	if !strings.Contains(shown.body, "Ver factura") {
		t.Error("the frame shows no mail")
	}
	w.post(deliveryPath(row.ID)+"/enviarme", nil).want(t, 303)
	if len(w.sent) != 1 || w.sent[0].To != staff.Email || w.sent[0].Unsubscribe != "" || !strings.HasPrefix(w.sent[0].ID, "test.") {
		t.Fatalf("%+v", w.sent)
	}
	if got := w.deliveries()[0]; got.Status != db.DeliveryFailed {
		t.Errorf("looking at it made it %s", got.Status)
	}
	w.post(deliveryPath(row.ID)+"/reintentar", nil).want(t, 303)
	w.post(deliveryPath(row.ID)+"/reintentar", nil).want(t, 409, "no está fallido")
	w.fail(row, "gave_up", "connection refused")
	w.post(failedPath+"/reintentar", url.Values{"motivo": {"refused"}}).want(t, 303)
	w.get(failedPath).want(t, 200, "connection refused")
	w.post(failedPath+"/reintentar", nil).want(t, 303)
	w.get(failedPath).want(t, 200, "Nada sin entregar")
	w.post(deliveryPath(row.ID)+"/cancelar", nil).want(t, 303)
	w.get(deliveryPath(row.ID)).want(t, 200, "Cancelado por el personal", "Lo canceló el personal")

	w.actor.Role = access.ReadOnly
	if p := w.get(deliveryPath(row.ID)).want(t, 200); len(p.all("form", "action", deliveryPath(row.ID)+"/cancelar")) != 0 {
		t.Error("who may not cancel is offered it")
	}
	for _, verb := range []string{"/reintentar", "/cancelar", "/enviarme"} {
		w.post(deliveryPath(row.ID)+verb, nil).want(t, 403)
	}
}

func TestBouncedAddresses(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := dbtest.Client(t, w.store, "Aurora", "pagos@aurora.example")
	contact := dbtest.Contact(t, w.store, client, "laura@aurora.example", now, mail.Invoice)
	w.get(addressesPath).want(t, 200, "Ninguna dirección devuelta")
	at := now
	for _, contactID := range []db.Contact{{}, contact} {
		address := client.Email
		if contactID.ID != 0 {
			address = contact.Email
		}
		if err := w.store.MarkBounce(t.Context(), client.ID, contactID.ID, db.Bounce{BouncedEmail: strings.ToUpper(address), BouncedAt: &at, BounceDetail: "550 no such user"}); err != nil {
			t.Fatal(err)
		}
	}
	w.get(addressesPath).want(t, 200, "pagos@aurora.example", "laura@aurora.example", "550 no such user")
	w.post(addressesPath, url.Values{"cliente": {client.ID.String()}, "contacto": {contact.ID.String()}}).want(t, 303)
	if p := w.get(addressesPath).want(t, 200, "pagos@aurora.example"); strings.Contains(p.text(), "laura@") {
		t.Error("the address is still listed")
	}
	w.post(addressesPath, url.Values{"cliente": {client.ID.String()}}).want(t, 303)
	w.get(addressesPath).want(t, 200, "Ninguna dirección devuelta")
	w.post(addressesPath+"/confirmar", url.Values{"verify": {"on"}}).want(t, 303)
	if company, err := w.store.Company(t.Context()); err != nil || !company.VerifyContacts {
		t.Error(company.VerifyContacts, err)
	}
}

// The runs that people asked for are listed, with who did, what they added and whether they have ended.
func TestRunsAreListed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := dbtest.Client(t, w.store, "Aurora", "pagos@aurora.example")
	dbtest.Invoice(t, w.store, client, "2026-04-15", "2026-04-30", now.AddDate(0, 0, -14))
	w.get(remindersPath).want(t, 200, "Nadie ha pedido una todavía")
	w.post("/consola/recordatorios/enviar", nil).want(t, 303)
	w.get(remindersPath).want(t, 200, "por "+staff.Name+", sin esperar el horario de envío", "Terminada").lacks(t, "En curso", "Nadie ha pedido")
	if err := w.store.AddRun(t.Context(), &db.Run{AskedBy: "<b>Otra", Planned: 81_000, CreatedAt: now}); err != nil {
		t.Fatal(err)
	}
	p := w.get(remindersPath).want(t, 200, "por <b>Otra", "81,000 planeados", "En curso")
	if len(p.all("li", "data-run", "run_1"))+len(p.all("li", "data-run", "run_2")) != 2 {
		t.Error("not both runs are listed")
	}
}

// Staff can end the personal links of a contact's mails.
func TestRevokeContactLinks(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := dbtest.Client(t, w.store, "Aurora", "pagos@aurora.example")
	contact := dbtest.Contact(t, w.store, client, "laura@aurora.example", now.AddDate(0, 0, -20), mail.Invoice)
	invoice := dbtest.Invoice(t, w.store, client, "2026-04-15", "2026-04-30", now.AddDate(0, 0, -14))
	system := access.With(t.Context(), access.SystemActor())
	token, err := w.rules.NewLink(system, reminder.Link{Kind: reminder.LinkInvoice, ClientID: client.ID, ContactID: contact.ID, InvoiceID: invoice.ID, Email: contact.Email, Made: now.Add(-time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	opens := func() bool {
		_, err := w.rules.OpenLink(t.Context(), token, reminder.LinkInvoice)
		return err == nil
	}
	address := contactPath(contact.ID) + "/acceso"
	w.get(contactPath(contact.ID)).want(t, 200, "Anular los enlaces")
	w.actor.Role = access.ReadOnly
	w.get(contactPath(contact.ID)).want(t, 200).lacks(t, "Anular los enlaces")
	if w.post(address, url.Values{"accion": {"enlaces"}}).want(t, 403); !opens() {
		t.Error("who may not has ended the links")
	}
	w.actor.Role = access.Admin
	if w.post(address, url.Values{"accion": {"enlaces"}}).want(t, 303); opens() {
		t.Error("the link still opens")
	}
}

func TestHolidaysAndGroups(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.get(holidaysPath).want(t, 200, "2026", "2027", "3 abr 2026", "Viernes Santo", "16 sep 2027")
	for day, want := range map[string]string{"": "obligatorio", "ayer": "fecha"} {
		p := w.post(holidaysPath, url.Values{"day": {day}, "name": {"Aniversario"}}).want(t, 422, want)
		if got := p.marked(); len(got) != 1 || got[0] != "day" || p.field(t, "name") != "Aniversario" {
			t.Errorf("%q marks %v", day, got)
		}
	}
	w.post(holidaysPath, url.Values{"day": {"2026-08-14"}, "name": {"Aniversario <b>"}}).want(t, 303)
	if p := w.get(holidaysPath).want(t, 200, "14 ago 2026", "Aniversario <b>"); strings.Contains(p.body, "<b>") {
		t.Error("a name is not escaped")
	}
	w.post(holidaysPath+"/quitar", url.Values{"day": {"2026-08-14"}}).want(t, 303)
	w.post(holidaysPath+"/quitar", url.Values{"day": {"2026-04-03"}}).want(t, 303) // the law's days stay
	if p := w.get(holidaysPath).want(t, 200, "3 abr 2026"); strings.Contains(p.text(), "Aniversario") {
		t.Error("the day is still there")
	}

	client := dbtest.Client(t, w.store, "Aurora", "pagos@aurora.example")
	w.get(groupsPath).want(t, 200, "Aún no hay grupos")
	w.post(groupsPath, url.Values{"name": {""}}).want(t, 422, "obligatorio")
	w.post(groupsPath, url.Values{"name": {"Gobierno"}}).want(t, 303)
	w.post(groupsPath, url.Values{"name": {"gobierno"}}).want(t, 422)
	groups, err := w.store.ClientGroups(t.Context())
	if err != nil || len(groups) != 1 {
		t.Fatal(groups, err)
	}
	w.post(clientPath(client.ID)+"/grupo", url.Values{"group": {groups[0].ID.String()}}).want(t, 303)
	form := url.Values{"name": {"Gobierno"}, "sendFrom": {"09:00"}, "sendUntil": {"14:00"}, "catchUpDays": {"3"}, "days": {"30"}, "when": {"after"}}
	w.post(policyURL(0, groups[0].ID), form).want(t, 303)
	w.get(groupsPath).want(t, 200, "Con política propia")
	w.get(clientPath(client.ID)).want(t, 200, "Grupo Gobierno")
	w.post(clientPath(client.ID)+"/grupo", url.Values{"group": {""}}).want(t, 303)
	w.get(clientPath(client.ID)).want(t, 200, "Política general")
}

// Every page says when nothing was planned or sent though it should have been, and only then.
func TestAlertBanner(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	alerts := func() string {
		found := []string{}
		for _, node := range w.get("/consola/clientes").want(t, 200).all("div", "data-alert", "") {
			found = append(found, attr(node, "data-alert"))
		}
		return strings.Join(found, " ")
	}
	if got := alerts(); got != "not_planned" {
		t.Errorf("before the first run: %q", got)
	}
	clock := now
	w.rules.Now = func() time.Time { return clock }
	run := func() { w.post(remindersPath+"/enviar", nil).want(t, 303) }
	run()
	if got := alerts(); got != "" {
		t.Errorf("after a run: %q", got)
	}
	clock = now.Add(11 * time.Minute)
	if got := alerts(); got != "not_planned" {
		t.Errorf("eleven minutes after the run: %q", got)
	}
	client := dbtest.Client(t, w.store, "Aurora", "pagos@aurora.example")
	dbtest.Invoice(t, w.store, client, "2026-04-15", "2026-04-30", now.AddDate(0, 0, -14))
	run()
	if got := alerts(); got != "" {
		t.Errorf("with a mail that is due right now: %q", got)
	}
	clock = clock.Add(16 * time.Minute)
	run()
	if got := alerts(); got != "not_sent" {
		t.Errorf("with a mail that has waited for sixteen minutes: %q", got)
	}
	w.get(remindersPath).want(t, 200, "Hay recordatorios que debían salir y no han salido", "Por salir ahora")
}

// The text of a mail is written beside the mail as it will be, a value that does not exist is an error at
// its line, and every version can be made to hold again.
func TestTemplateEditor(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := dbtest.Client(t, w.store, "Aurora <b>", "pagos@aurora.example")
	invoice := dbtest.Invoice(t, w.store, client, "2026-04-15", "2026-05-15", now.AddDate(0, 0, -14))
	address := templateURL(db.AnchorDue, -7, locale.Spanish)
	w.get(templatesPath).want(t, 200, "7 días antes de vencer", "Original")
	p := w.get(address).want(t, 200, "{{invoice.due_date}}", "Recordatorio: su factura T-1 vence el 15 may 2026, $116.00 MXN", "Buen día, Aurora <b>:", "Días de atraso")
	if strings.Contains(p.body, "Aurora <b>") {
		t.Error("a name is not escaped")
	}
	for _, nowhere := range []string{templateFormPath, templateFormPath + "?ancla=paid&dias=1&idioma=en", templateFormPath + "?ancla=due&dias=x&idioma=en"} {
		if p := w.get(nowhere).want(t, 303); p.location != templatesPath {
			t.Error(p.location)
		}
	}
	form := url.Values{"subject": {"Factura {{invoice.number}}"}, "body": {"Hola\r\n\r\n{{client.nme}} y {{invoice.nada}}"}, "factura": {invoice.ID.String()}}
	wrong := w.post(address, form).want(t, 422, "Línea 3, columna 1: «client.nme» no existe.", "«invoice.nada» no existe.")
	if got := wrong.marked(); len(got) != 1 || got[0] != "body" {
		t.Errorf("marked %v", got)
	}
	w.post(strings.Replace(address, "/editar", "/vista", 1), form).want(t, 200, "«client.nme» no existe.")
	form.Set("body", "Buen día, {{contact.name}}:\r\n\r\n{{#if invoice.days_late}}Tarde.{{/if}}{{#if invoice.days_left}}Faltan {{invoice.days_left}} días.{{/if}}")
	w.post(strings.Replace(address, "/editar", "/vista", 1), form).want(t, 200, "Faltan 7 días.", "Factura T-1")
	if versions, err := w.store.Templates(t.Context(), db.AnchorDue, -7, locale.Spanish); err != nil || len(versions) != 0 {
		t.Fatalf("the preview saved %+v, %v", versions, err)
	}
	p = w.post(strings.Replace(address, "/editar", "/prueba", 1), form).want(t, 200)
	if len(w.sent) != 1 || w.sent[0].To != staff.Email || w.sent[0].Subject != "Factura T-1" || p.field(t, "subject") != "Factura {{invoice.number}}" {
		t.Fatalf("%+v", w.sent)
	}
	w.post(address, form).want(t, 303)
	form.Set("subject", "Otra {{invoice.number}}")
	w.post(address, form).want(t, 303)
	w.get(address).want(t, 200, "Otra T-1", "Vigente", "Restaurar", staff.Name)
	w.get(templatesPath).want(t, 200, "Propio")
	versions, err := w.store.Templates(t.Context(), db.AnchorDue, -7, locale.Spanish)
	if err != nil || len(versions) != 2 {
		t.Fatal(versions, err)
	}
	w.post(strings.Replace(address, "/editar", "/restaurar", 1), url.Values{"version": {versions[1].ID.String()}}).want(t, 303)
	if p := w.get(address).want(t, 200); p.field(t, "subject") != "Factura {{invoice.number}}" {
		t.Error(p.field(t, "subject"))
	}
	w.post(strings.Replace(address, "/editar", "/original", 1), nil).want(t, 303)
	if p := w.get(templatesPath).want(t, 200); strings.Contains(p.text(), "Propio") {
		t.Error("the original text does not hold")
	}
	w.actor.Role = access.ReadOnly
	w.get(address).want(t, 200)
	w.post(address, form).want(t, 403)
}

// Rules for late fees are changed by adding and retiring, wrong amounts are marked, a client can be
// exempt, and an invoice says what it will bear.
func TestLateFees(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := dbtest.Client(t, w.store, "Aurora", "pagos@aurora.example")
	invoice := dbtest.Invoice(t, w.store, client, "2026-04-15", "2026-04-30", now.AddDate(0, 0, -14))
	w.get(lateFeesPath).want(t, 200, "Sin recargos")
	form := url.Values{"name": {"Recargo por pago tardío"}, "percent": {"5"}, "fixed": {""}, "minimum": {"50"}, "currency": {"MXN"}, "graceDays": {"5"}, "treatment": {"iva16"}, "kind": {""}, "tld": {""}}
	for field, wrong := range map[string]string{"name": "", "percent": "cinco", "fixed": "1.005", "minimum": "x", "graceDays": "", "tld": "mx"} {
		bad := url.Values{}
		for name, values := range form {
			bad[name] = append([]string{}, values...)
		}
		bad.Set(field, wrong)
		want := field
		if field == "tld" {
			want = "kind" // an ending is of a domain
		}
		p := w.post(lateFeesPath, bad).want(t, 422)
		if got := p.marked(); len(got) != 1 || got[0] != want || p.field(t, "name") != bad.Get("name") {
			t.Errorf("%s: marked %v", field, got)
		}
	}
	w.post(lateFeesPath, form).want(t, 303)
	w.get(lateFeesPath).want(t, 200, "5 % del importe sin IVA, al menos $50.00 MXN", "5 días de gracia", "Todos los conceptos")
	w.get(invoicePath(invoice.ID)).want(t, 200, "Si no se paga a más tardar el 5 may 2026 se agregará «Recargo por pago tardío»: $58.00 MXN, impuestos incluidos.")
	w.post(clientPath(client.ID)+"/recargos", url.Values{"exempt": {"on"}}).want(t, 303)
	if p := w.get(invoicePath(invoice.ID)).want(t, 200); strings.Contains(p.text(), "a más tardar") {
		t.Error("an exempt client is threatened with a fee")
	}
	rules, err := w.store.LateFeeRules(t.Context())
	if err != nil || len(rules) != 1 {
		t.Fatal(rules, err)
	}
	p := w.get(lateFeesPath+"?regla="+rules[0].ID.String()).want(t, 200, "Cambiar regla")
	if p.field(t, "percent") != "5" || p.field(t, "minimum") != "50.00" {
		t.Errorf("%q %q", p.field(t, "percent"), p.field(t, "minimum"))
	}
	form.Set("regla", rules[0].ID.String())
	form.Set("percent", "")
	form.Set("fixed", "120")
	form.Set("kind", "domain")
	form.Set("tld", ".MX")
	w.post(lateFeesPath, form).want(t, 303)
	w.get(lateFeesPath).want(t, 200, "$120.00 MXN", "Dominios .mx")
	changed, err := w.store.LateFeeRules(t.Context())
	if err != nil || len(changed) != 1 || changed[0].ID == rules[0].ID {
		t.Fatal(changed, err)
	}
	w.actor.Role = access.Support
	w.post(lateFeesPath, form).want(t, 403)
	w.actor.Role = access.Admin
	w.post(lateFeesPath+"/quitar", url.Values{"regla": {changed[0].ID.String()}}).want(t, 303)
	w.get(lateFeesPath).want(t, 200, "Sin recargos")
}
