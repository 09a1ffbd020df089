package ui

import (
	"crypto/sha256"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/graph"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/fiscaltest"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/internal/reminder"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

var update = flag.Bool("update", false, "write who gets what into testdata")

// forms are what the posts of pages carry. They name a thing where the verb needs one, and are otherwise
// empty or wrong: 422 and 409 mean that the caller was let in and the form was refused. Nothing that the
// next caller meets is changed.
var forms = map[string]url.Values{
	"/idioma":                        {"lang": {"en"}},
	"/consola/idioma":                {"lang": {"en"}},
	"/consola/contactos/{id}/acceso": {"accion": {"suspender"}},
	"/clientes/{client}/contactos/{contact}/acceso": {"accion": {"suspender"}},
	"/clientes/{client}/titularidad":                {"accion": {"factor"}},
	"/clientes/{client}/pagar":                      {"elegir": {"1"}},
	"/consola/recordatorios/enviar":                 {"factura": {"{invoice}"}},
	"/consola/fiscal/anticipos":                     {"pago": {"{payment}"}},
	"/consola/fiscal/{id}/ventas":                   {"factura": {"{invoice}"}},
}

// documents asks for every field of the API's roots, and for those of a client that are lists. The ids are
// of one client's things; {fresh} is a contact that may be deleted.
var documents = map[string]string{
	"Query.client":      `{ client(id: "{client}") { id } }`,
	"Query.clients":     `{ clients { nodes { id } } }`,
	"Query.contact":     `{ contact(id: "{contact}") { id } }`,
	"Query.invoice":     `{ invoice(id: "{invoice}") { id } }`,
	"Query.invoices":    `{ invoices(client: "{client}") { nodes { id } } }`,
	"Query.deliveries":  `{ deliveries(client: "{client}") { nodes { id } } }`,
	"Query.node":        `{ node(id: "{contact}") { id } }`,
	"Query.nodes":       `{ nodes(ids: ["{contact}"]) { id } }`,
	"Query.permissions": `{ permissions { __typename } }`,
	"Query.topics":      `{ topics { __typename } }`,
	"Query.viewer":      `{ viewer { can(permission: INVOICES, client: "{client}") } }`,
	"Query.sessions":    `{ sessions { id } }`,
	"Query.access":      `{ access(login: "nadie@nada.example", client: "{client}") { allowed } }`,
	"Query.audit":       `{ audit(client: "{client}") { nodes { id } } }`,

	"Query.company":           `{ company { name } }`,
	"Mutation.updateCompany":  `mutation { updateCompany(input: {name: ""}) { userErrors { code } } }`,
	"Mutation.setCompanyLogo": `mutation { setCompanyLogo(input: {logo: "x"}) { userErrors { code } } }`,
	"Query.failedSignIns":     `{ failedSignIns(client: "{client}") { nodes { id } } }`,
	"Query.secondFactors":     `{ secondFactors { totp passkeys { id } recoveryCodes proved required } }`,
	"Query.staffSecondFactor": `{ staffSecondFactor }`,
	"Query.invitation":        `{ invitation(token: "x") { client } }`,
	"Query.handover":          `{ handover(client: "{client}") { contactId } }`,
	"Query.staff":             `{ staff { id email role } }`,
	"Query.tokens":            `{ tokens { id scopes } }`,
	"Query.invoiceQuote":      `{ invoiceQuote(lines: [{description: "x", unitPrice: "1"}]) { total { amount } } }`,
	"Query.payment":           `{ payment(id: "{payment}") { id } }`,
	"Query.payments":          `{ payments(client: "{client}") { nodes { id } totals { count } } }`,
	"Query.aging":             `{ aging(client: "{client}") { currency } }`,
	"Query.paidPerMonth":      `{ paidPerMonth(from: "2026-01-01", to: "2026-12-31") { month } }`,
	"Query.exchangeRates":     `{ exchangeRates { day rate source setBy } }`,
	"Query.ledgerCheck":       `{ ledgerCheck { checkedAt } }`,
	"Query.product":           `{ product(id: "{product}") { id } }`,
	"Query.products":          `{ products { nodes { id } } }`,
	"Query.service":           `{ service(id: "{service}") { id } }`,
	"Query.services":          `{ services(client: "{client}") { nodes { id } } }`,
	"Query.upcomingRenewals":  `{ upcomingRenewals(until: "2026-12-31") { nodes { id } } }`,
	"Query.satKeys":           `{ satKeys(catalog: CLAVE_UNIDAD, search: "e48") { key } }`,
	"Query.stamping":          `{ stamping { waiting documents { nodes { attempts } } } }`,
	"Query.gatewayEvents":     `{ gatewayEvents { nodes { id } } }`,
	"Query.bankMovements":     `{ bankMovements { nodes { id } } }`,

	"Query.checkout":              `{ checkout(id: "chk_999999") { id } }`,
	"Client.creditBalances":       `{ client(id: "{client}") { creditBalances { amount } } }`,
	"Client.transferInstructions": `{ client(id: "{client}") { transferInstructions { reference } } }`,
	"Client.statement":            `{ client(id: "{client}") { statement { balance { amount } } } }`,
	"Mutation.startCheckout":      `mutation { startCheckout(input: {invoiceIds: ["{invoice}"]}) { userErrors { code } } }`,

	"Client.owes":            `{ client(id: "{client}") { owes { __typename } } }`,
	"Client.contacts":        `{ client(id: "{client}") { contacts { nodes { id } } } }`,
	"Client.invoices":        `{ client(id: "{client}") { invoices { nodes { id } } } }`,
	"Client.fiscalProfiles":  `{ client(id: "{client}") { fiscalProfiles { id } } }`,
	"Client.emails":          `{ client(id: "{client}") { emails { nodes { id } } } }`,
	"Query.email":            `{ email(id: "{email}") { id } }`,
	"Client.deliveries":      `{ client(id: "{client}") { deliveries { nodes { id } } } }`,
	"Client.fiscalRule":      `{ client(id: "{client}") { fiscalRule { when } } }`,
	"Client.fiscalDocuments": `{ client(id: "{client}") { fiscalDocuments { nodes { id related { kind } downloads { at } } } } }`,
	"Client.fiscalMonths":    `{ client(id: "{client}") { fiscalMonths { month zipPath } } }`,
	"Query.fiscalIssuer":     `{ fiscalIssuer { rfc } }`,
	"Query.fiscalPending":    `{ fiscalPending { receipts { number } sales { number } changed { number } onAccount { clientName } elsewhere { id } } }`,

	"Mutation.issueInvoice":             `mutation { issueInvoice(input: {clientId: "{client}", dueDate: "2026-05-15", lines: []}) { userErrors { code } } }`,
	"Mutation.recordPayment":            `mutation { recordPayment(input: {invoiceId: "{invoice}", amount: "0", method: TRANSFER, requestKey: "x"}) { userErrors { code } } }`,
	"Mutation.requestInvoicePdf":        `mutation { requestInvoicePdf(input: {invoiceId: "{invoice}"}) { userErrors { code } } }`,
	"Mutation.saveFiscalProfile":        `mutation { saveFiscalProfile(input: {clientId: "{client}", rfc: "x", nombre: "x"}) { userErrors { code } } }`,
	"Mutation.setFiscalRule":            `mutation { setFiscalRule(input: {clientId: "{client}"}) { userErrors { code } } }`,
	"Mutation.saveFiscalIssuer":         `mutation { saveFiscalIssuer(input: {rfc: "x", nombre: "", regimenFiscal: "", lugarExpedicion: ""}) { userErrors { code } } }`,
	"Mutation.requestAnticipo":          `mutation { requestAnticipo(input: {paymentId: "{payment}"}) { userErrors { code } } }`,
	"Mutation.redoGlobalDocument":       `mutation { redoGlobalDocument(input: {fiscalDocumentId: "{cfdi}"}) { userErrors { code } } }`,
	"Mutation.requestFiscalDocument":    `mutation { requestFiscalDocument(input: {invoiceId: "{invoice}"}) { userErrors { code } } }`,
	"Mutation.saveDraftInvoice":         `mutation { saveDraftInvoice(input: {invoice: {clientId: "{client}", dueDate: "2026-05-15", lines: []}}) { userErrors { code } } }`,
	"Mutation.deleteDraftInvoice":       `mutation { deleteDraftInvoice(input: {invoiceId: "{invoice}"}) { userErrors { code } } }`,
	"Mutation.issueDraftInvoices":       `mutation { issueDraftInvoices(input: {invoiceIds: []}) { userErrors { code } } }`,
	"Mutation.cancelInvoice":            `mutation { cancelInvoice(input: {invoiceId: "{invoice}", reason: ""}) { userErrors { code } } }`,
	"Mutation.writeOffInvoice":          `mutation { writeOffInvoice(input: {invoiceId: "{invoice}", reason: ""}) { userErrors { code } } }`,
	"Mutation.issueCreditNote":          `mutation { issueCreditNote(input: {invoiceId: "{invoice}", reason: "", requestKey: "x"}) { userErrors { code } } }`,
	"Mutation.applyCredit":              `mutation { applyCredit(input: {invoiceId: "{invoice}", amount: "0", requestKey: "x"}) { userErrors { code } } }`,
	"Mutation.releaseCredit":            `mutation { releaseCredit(input: {invoiceId: "{invoice}", amount: "0", requestKey: "x"}) { userErrors { code } } }`,
	"Mutation.receivePayment":           `mutation { receivePayment(input: {clientId: "{client}", amount: "0", method: CASH, requestKey: "x"}) { userErrors { code } } }`,
	"Mutation.voidPayment":              `mutation { voidPayment(input: {paymentId: "{payment}", reason: ""}) { userErrors { code } } }`,
	"Mutation.recordRefund":             `mutation { recordRefund(input: {clientId: "{client}", amount: "0", method: CASH, requestKey: "x"}) { userErrors { code } } }`,
	"Mutation.setExchangeRate":          `mutation { setExchangeRate(input: {currency: MXN, day: "2026-04-01", rate: "1", source: "x"}) { userErrors { code } } }`,
	"Mutation.saveProduct":              `mutation { saveProduct(input: {name: "", pricing: {kind: HOSTING, cycle: MONTHLY, price: "1"}}) { userErrors { code } } }`,
	"Mutation.addService":               `mutation { addService(input: {clientId: "{client}", productId: "{product}", startsOn: "2026-05-01", quantity: "-1", requestKey: "x"}) { userErrors { code } } }`,
	"Mutation.changeService":            `mutation { changeService(input: {serviceId: "{service}", price: "-1", requestKey: "x"}) { userErrors { code } } }`,
	"Mutation.setServiceStatus":         `mutation { setServiceStatus(input: {serviceId: "{service}", status: ACTIVE}) { userErrors { code } } }`,
	"Mutation.invoiceRenewals":          `mutation { invoiceRenewals { userErrors { code } } }`,
	"Mutation.importInvoices":           `mutation { importInvoices(input: {csv: ""}) { userErrors { code } } }`,
	"Mutation.importBankStatement":      `mutation { importBankStatement(input: {csv: ""}) { userErrors { code } } }`,
	"Mutation.bookGatewayEvent":         `mutation { bookGatewayEvent(input: {eventId: "{event}"}) { userErrors { code } } }`,
	"Mutation.dismissGatewayEvent":      `mutation { dismissGatewayEvent(input: {eventId: "{event}", reason: ""}) { userErrors { code } } }`,
	"Mutation.confirmBankMovement":      `mutation { confirmBankMovement(input: {movementId: "{movement}"}) { userErrors { code } } }`,
	"Mutation.ignoreBankMovement":       `mutation { ignoreBankMovement(input: {movementId: "mov_999999"}) { userErrors { code } } }`,
	"Mutation.setReminderPause":         `mutation { setReminderPause(input: {clientId: "{client}"}) { userErrors { code } } }`,
	"Mutation.sendReminders":            `mutation { sendReminders(input: {invoiceId: "{invoice}"}) { userErrors { code } } }`,
	"Mutation.cancelFiscalDocument":     `mutation { cancelFiscalDocument(input: {fiscalDocumentId: "{cfdi}", motivo: "02"}) { userErrors { code } } }`,
	"Mutation.substituteFiscalDocument": `mutation { substituteFiscalDocument(input: {fiscalDocumentId: "{cfdi}"}) { userErrors { code } } }`,
	"Mutation.retryFiscalDocument":      `mutation { retryFiscalDocument(input: {fiscalDocumentId: "{cfdi}"}) { userErrors { code } } }`,
	"Mutation.retryFiscalDocuments":     `mutation { retryFiscalDocuments(input: {which: WAITING}) { documents userErrors { code } } }`,
	"Mutation.checkFiscalDocument":      `mutation { checkFiscalDocument(input: {fiscalDocumentId: "{cfdi}"}) { userErrors { code } } }`,
}

// someone is a kind of actor. Every request is made in a session of its own, so that one that ends it
// changes nothing for the next.
type someone struct {
	name    string
	session db.Session // with LoginID or StaffID; neither: anonymous, or a token
	bearer  string     // an API token
}

type table struct {
	*world
	fiscal   *fiscal.Service
	actors   []someone
	fill     *strings.Replacer
	delivery id.Delivery       // a reminder that waits
	email    id.Email          // that the client was sent
	things   map[string]string // ids of the client's own things, by the part of an address before them
	serial   int
}

func newTable(t *testing.T) *table {
	w := newWorld(t)
	fiscalDocuments := &fiscal.Service{Store: w.store, Now: w.account.Now}
	w.serve(Config{Fiscal: fiscalDocuments, GraphQL: graph.NewHandler(graph.Config{Account: w.account, Billing: w.billing, Fiscal: fiscalDocuments, Reminder: &reminder.Service{Store: w.store, Now: w.account.Now},
		Introspection: true, PDFPath: PDFPath, NotePath: CreditNotePath, Now: w.account.Now})})
	w.render(w.invoice)
	w.addContact("Recibos", bookkeeperless, []mail.Topic{mail.Invoice})
	tb := &table{world: w, fiscal: fiscalDocuments}
	ctx := t.Context()
	tb.addThings()
	login := func(name string, sub db.SubAccount) {
		row := db.Login{Email: name + "@tabla.example", PasswordHash: "x", Language: "es-MX"}
		contact := db.Contact{ClientID: w.client.ID, Email: row.Email, Country: "MX", Language: "es-MX", Timezone: "America/Mexico_City", Topics: []mail.Topic{}}
		tb.must(w.store.AddLogin(ctx, &row))
		tb.must(w.store.AddContact(ctx, &contact))
		sub.ClientID, sub.ContactID, sub.LoginID = w.client.ID, contact.ID, row.ID
		if sub.Status == "" {
			sub.Status = db.SubAccountActive
		}
		tb.must(w.store.AddSubAccount(ctx, &sub))
		tb.actors = append(tb.actors, someone{name: name, session: db.Session{LoginID: row.ID}})
	}
	loginOf := func(email string) id.Login {
		rows, err := w.store.LoginsByEmail(ctx, email)
		tb.must(err)
		return rows[0].ID
	}
	tb.actors = append(tb.actors, someone{name: "anonymous"}, someone{name: "owner", session: db.Session{LoginID: loginOf(owner)}})
	for _, p := range access.Permissions() {
		login(string(p), db.SubAccount{Permissions: []access.Permission{p}})
	}
	login("no-permission", db.SubAccount{Permissions: []access.Permission{}})
	tb.actors = append(tb.actors, someone{name: "other-owner", session: db.Session{LoginID: loginOf(stranger)}})
	login("suspended", db.SubAccount{Permissions: access.Permissions(), Status: db.SubAccountSuspended})
	login("expired", db.SubAccount{Permissions: access.Permissions(), ExpiresOn: "2026-04-01"})
	var admin db.Staff
	for _, role := range access.Roles() {
		row := db.Staff{Name: string(role), Email: string(role) + "@tabla.example", PasswordHash: "x", Language: "es-MX", Role: role, Active: true}
		tb.must(w.store.AddStaff(ctx, &row))
		tb.actors = append(tb.actors, someone{name: "staff:" + string(role), session: db.Session{StaffID: row.ID}})
		if role == access.Admin {
			admin = row
		}
	}
	tb.actors = append(tb.actors, someone{name: "staff-viewing", session: db.Session{StaffID: admin.ID, Viewing: w.client.ID}})
	asAdmin := access.With(ctx, access.Actor{Kind: access.Staff, Staff: admin.ID, Role: access.Admin})
	for _, scope := range access.Scopes() {
		_, text, err := w.account.AddToken(asAdmin, account.AddTokenInput{Name: string(scope), Scopes: []access.Capability{scope}, Days: 30})
		tb.must(err)
		tb.actors = append(tb.actors, someone{name: "token:" + string(scope), bearer: text})
	}
	cfdi := stampedDocument(t, w)
	tb.fill = strings.NewReplacer("{cfdi}", cfdi.String(), "{profile}", "nuevo", "{payment}", tb.things["/consola/pagos/"], "{movement}", tb.things["/consola/banco/"], "{event}", tb.things["/consola/pasarela/"], "{product}", tb.things["/consola/productos/"],
		"{service}", tb.things["/consola/servicios/"], "{client}", w.client.ID.String(), "{email}", tb.email.String(), "{contact}", w.contacts[bookkeeperless].ID.String(), "{invoice}", w.invoice.ID.String(),
		"{file}", w.invoice.ID.String()+".pdf", "{token}", "x", "{checkout}", "chk_999999", "{note}", tb.things["/notas-de-credito/"], "{page}", "x", "{$}", "")
	return tb
}

// addThings makes one of each thing that a page or a field is asked for by its id.
func (tb *table) addThings() {
	ctx := system(tb.Context())
	credited := dbtest.Invoice(tb, tb.store, tb.client, "2026-04-15", "2026-04-30", now.AddDate(0, 0, -14))
	note, err := tb.billing.IssueCreditNote(ctx, billing.CreditNoteInput{InvoiceID: credited.ID, Reason: "Tabla", RequestKey: "table-note"})
	tb.must(err)
	paid, err := tb.billing.ReceivePayment(ctx, billing.ReceiveInput{ClientID: tb.client.ID, Amount: 100, Method: "cash", ExcessToCredit: true, RequestKey: "table-payment"})
	tb.must(err)
	_, err = tb.billing.ImportStatement(ctx, strings.NewReader("date,amount\n2026-04-28,5.00\n"))
	tb.must(err)
	moved, err := tb.store.Movements(tb.Context(), "", db.Page{})
	tb.must(err)
	product, err := tb.billing.SaveProduct(ctx, billing.ProductInput{Name: "Hospedaje", Active: true, Pricing: billing.Pricing{Kind: "hosting", Cycle: billing.Monthly, Price: money.Int(1)}})
	tb.must(err)
	service, err := tb.billing.AddService(ctx, billing.ServiceInput{ClientID: tb.client.ID, ProductID: product.ID, StartsOn: "2027-01-01", RequestKey: "table-service"})
	tb.must(err)
	_, err = tb.store.Plan(ctx, db.PlanInput{Now: now, Client: tb.client.ID, Immediate: true})
	tb.must(err)
	planned, err := tb.store.Deliveries(ctx, db.DeliveryFilter{Reach: access.Reach{All: true}}, db.Page{First: 1})
	tb.must(err)
	tb.delivery = planned.Rows[0].ID
	kept := db.NewEmail(db.EmailReminder, tb.client.ID, 0, mail.Message{ID: "table@tabla.example", To: owner, Subject: "Recordatorio", Text: "Vence", HTML: "<p>Vence</p>"})
	tb.must(tb.store.KeepEmail(tb.Context(), kept.Went(mail.Receipt{}, nil)))
	sent, err := tb.store.Emails(tb.Context(), db.EmailFilter{Client: tb.client.ID, Kinds: []string{db.EmailReminder}}, db.Page{First: 1})
	tb.must(err)
	tb.email = sent.Rows[0].ID
	event := db.GatewayEvent{Gateway: "stripe", EventRef: "evt_tabla", Kind: billing.EventReversed, Outcome: db.GatewayUnbooked, ReceivedAt: now, Amount: 100, Currency: money.MXN}
	_, err = tb.store.ClaimGatewayEvent(ctx, &event)
	tb.must(err)
	tb.must(tb.store.FinishGatewayEvent(ctx, &event))
	tb.things = map[string]string{"/consola/pasarela/": event.ID.String(), "/notas-de-credito/": note.ID.String(), "/consola/pagos/": paid.ID.String(), "/consola/banco/": moved.Rows[0].ID.String(),
		"/consola/productos/": product.ID.String(), "/consola/servicios/": service.ID.String()}
}

// stampedDocument is a fiscal document of the invoice, as the test PAC stamps it.
func stampedDocument(t *testing.T, w *world) id.CFDI {
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Fatal(err)
		}
	}
	pac, err := sandbox.New(sandbox.Config{Now: func() time.Time { return fiscaltest.Noon }})
	must(err)
	sealed := fiscaltest.Sealed(t, "1")
	result, err := pac.Stamp(t.Context(), sealed, "")
	must(err)
	profile := db.FiscalProfile{ClientID: w.client.ID, Rfc: "URE180429TM6", Nombre: "UNIVERSIDAD ROBOTICA ESPAÑOLA", DomicilioFiscalReceptor: "86991",
		RegimenFiscalReceptor: "601", UsoCFDI: "G03", Default: true}
	must(w.store.SaveFiscalProfile(t.Context(), &profile))
	sum := sha256.Sum256(result.XML)
	row := db.CFDI{Kind: db.CFDIIngreso, ClientID: w.client.ID, InvoiceID: w.invoice.ID, ProfileID: profile.ID, MetodoPago: "PUE", Status: db.CFDIStamped,
		RfcEmisor: "EKU9003173C9", Serie: "A", Folio: 1, RfcReceptor: profile.Rfc, NombreReceptor: profile.Nombre, Total: "1160.00", Moneda: "MXN", Fecha: now,
		Sealed: sealed, UUID: result.Timbre.UUID, XML: result.XML, XMLSHA256: sum[:], StampedAt: &now}
	must(w.store.AddCFDI(t.Context(), &row))
	fiscaltest.VerifyStored(t, w.store, pac.Identity().CertificatePEM())
	return row.ID
}

// bookkeeperless is a contact without a login, which the requests name.
const bookkeeperless = "recibos@cafe.example"

func (tb *table) must(err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}

// fresh is a contact that may be deleted.
func (tb *table) fresh() string {
	tb.serial++
	row := db.Contact{ClientID: tb.client.ID, Email: fmt.Sprintf("nuevo-%d@cafe.example", tb.serial), Country: "MX", Language: "es-MX", Timezone: "America/Mexico_City", Topics: []mail.Topic{}}
	tb.must(tb.store.AddContact(tb.Context(), &row))
	return row.ID.String()
}

// ask makes a request as somebody.
func (tb *table) ask(who someone, method, path, body, contentType string) *http.Response {
	tb.Helper()
	request, err := http.NewRequestWithContext(tb.Context(), method, tb.server.URL+path, strings.NewReader(body))
	tb.must(err)
	request.Header.Set("Accept", "text/html, application/json")
	request.Header.Set("Content-Type", contentType)
	if who.bearer != "" {
		request.Header.Set("Authorization", "Bearer "+who.bearer)
	}
	if who.session.LoginID+id.Login(who.session.StaffID) != 0 {
		tb.serial++
		token := fmt.Sprintf("session-of-the-table-%08d", tb.serial)
		hash := sha256.Sum256([]byte(token))
		session := who.session
		session.TokenHash, session.CreatedAt, session.LastUsedAt, session.ExpiresAt = hash[:], now, now, now.Add(time.Hour)
		tb.must(tb.store.AddSession(tb.Context(), &session))
		name := layout.LoginCookie
		if session.StaffID != 0 && session.Viewing == 0 {
			name = layout.StaffCookie
		}
		request.AddCookie(&http.Cookie{Name: name, Value: token})
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	response, err := client.Do(request)
	tb.must(err)
	return response
}

// lines says who gets which outcome, one outcome a line, in the order in which they first appear.
func (tb *table) lines(title string, outcome func(someone) string) string {
	var order []string
	names := map[string][]string{}
	for _, who := range tb.actors {
		got := outcome(who)
		if !slices.Contains(order, got) {
			order = append(order, got)
		}
		names[got] = append(names[got], who.name)
	}
	out := title + "\n"
	for _, got := range order {
		who := strings.Join(names[got], " ")
		if len(names[got]) == len(tb.actors) {
			who = "everybody"
		}
		out += fmt.Sprintf("  %-26s %s\n", got, who)
	}
	return out
}

// Who gets what: every page, download and form, and every field of the API, for every kind of actor. The file
// is made to be read. A new route is in it by itself; a new field of the API must be given a document.
func TestAccessTable(t *testing.T) {
	t.Parallel()
	tb := newTable(t)
	var out strings.Builder
	out.WriteString("Who gets what. An outcome, then the actors that get it. 422 and 409: let in, and the form was refused.\n\n")
	for _, route := range Routes(Config{Account: tb.account, Billing: tb.billing, Fiscal: tb.fiscal, GraphQL: http.NotFoundHandler(), Now: tb.account.Now}) {
		out.WriteString(tb.lines(route.Method+" "+route.Path+"  ("+string(route.Who)+")", func(who someone) string {
			path := tb.path(route.Path)
			form := url.Values{}
			for name, values := range forms[route.Path] {
				form.Set(name, tb.fill.Replace(values[0]))
			}
			if query := form.Get("?"); query != "" {
				path += "?" + query
			}
			response := tb.ask(who, route.Method, path, form.Encode(), "application/x-www-form-urlencoded")
			_ = response.Body.Close()
			return outcome(response)
		}))
	}
	out.WriteString("\nGraphQL\n\n")
	for _, name := range tb.fields(t) {
		out.WriteString(tb.lines(name, func(who someone) string {
			query := tb.fill.Replace(documents[name])
			if strings.Contains(query, "{fresh}") {
				query = strings.ReplaceAll(query, "{fresh}", tb.fresh())
			}
			body, _ := json.Marshal(map[string]string{"query": query})
			response := tb.ask(who, http.MethodPost, "/graphql", string(body), "application/json")
			defer func() { _ = response.Body.Close() }()
			return answered(t, response)
		}))
	}
	const golden = "testdata/access.golden"
	if *update {
		tb.must(os.MkdirAll("testdata", 0o755))
		tb.must(os.WriteFile(golden, []byte(out.String()), 0o644))
		return
	}
	want, err := os.ReadFile(golden)
	tb.must(err)
	if out.String() == string(want) {
		return
	}
	got, old := strings.Split(out.String(), "\n"), strings.Split(string(want), "\n")
	for i := range min(len(got), len(old)) {
		if got[i] != old[i] {
			t.Fatalf("%s:%d differs; look at it, and write it with -update if it is meant\nis   %s\nwant %s", golden, i+1, got[i], old[i])
		}
	}
	t.Fatalf("%s has %d lines, want %d", golden, len(got), len(old))
}

// path fills a pattern with ids of the client's own things.
func (tb *table) path(pattern string) string {
	if strings.HasSuffix(pattern, "/eliminar") {
		pattern = strings.Replace(pattern, "{contact}", tb.fresh(), 1)
	}
	for section, key := range tb.things {
		pattern = strings.Replace(pattern, section+"{id}", section+key, 1)
	}
	if strings.HasPrefix(pattern, "/descargas/cfdi/") {
		pattern = strings.Replace(pattern, "{file}", "{cfdi}.xml", 1)
	}
	if strings.HasPrefix(pattern, "/descargas/notas-de-credito/") {
		pattern = strings.Replace(pattern, "{file}", "{note}.pdf", 1)
	}
	if strings.HasPrefix(pattern, "/descargas/estados-de-cuenta/") {
		pattern = strings.Replace(pattern, "{file}", "{client}.csv", 1)
	}
	if strings.HasPrefix(pattern, "/descargas/fiscal/") {
		pattern = strings.Replace(pattern, "{file}", now.Format("2006-01")+".zip", 1)
	}
	for section, key := range map[string]string{"/clientes/{id}": tb.client.ID.String(), "/contactos/{id}": tb.contacts[bookkeeperless].ID.String(),
		"/facturas/{id}": tb.invoice.ID.String(), "/fiscal/{id}": tb.fill.Replace("{cfdi}"), "/recordatorios/{id}": tb.delivery.String(), "/personal/{id}": "stf_999999", "/tokens/{id}": "tok_999999"} {
		if strings.HasPrefix(pattern, "/consola"+section) {
			pattern = strings.Replace(pattern, "{id}", key, 1)
		}
	}
	return tb.fill.Replace(pattern)
}

func outcome(r *http.Response) string {
	to := r.Header.Get("Location")
	switch {
	case r.StatusCode != http.StatusSeeOther:
		return fmt.Sprint(r.StatusCode)
	case strings.Contains(to, "/entrar"):
		return "to sign in"
	}
	return "done, leads on"
}

// answered is "ok" or the code of the first error.
func answered(t *testing.T, r *http.Response) string {
	t.Helper()
	var body struct {
		Data   map[string]any
		Errors []struct{ Extensions struct{ Code string } }
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return fmt.Sprint(r.StatusCode)
	}
	if len(body.Errors) > 0 {
		return body.Errors[0].Extensions.Code
	}
	for _, payload := range body.Data {
		if payload, ok := payload.(map[string]any); ok {
			if wrong, ok := payload["userErrors"].([]any); ok && len(wrong) > 0 {
				return fmt.Sprint(wrong[0].(map[string]any)["code"])
			}
			if can, ok := payload["can"].(bool); ok {
				return fmt.Sprintf("can: %t", can)
			}
		}
	}
	return "ok"
}

// fields lists the schema's fields that need a document, and fails for one that has none.
func (tb *table) fields(t *testing.T) []string {
	t.Helper()
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: "sdl", Input: graph.SDL()})
	tb.must(err)
	var names []string
	for _, definition := range []*ast.Definition{schema.Query, schema.Types["Client"], schema.Mutation} {
		for _, field := range definition.Fields {
			name := definition.Name + "." + field.Name
			own := definition.Name == "Client" && schema.Types[field.Type.Name()].Kind != ast.Object
			if strings.HasPrefix(field.Name, "__") || own {
				continue
			}
			if documents[name] == "" {
				t.Errorf("%s is not in the table of access: give it a document", name)
			}
			names = append(names, name)
		}
	}
	if len(names) != len(documents) {
		t.Errorf("%d fields, %d documents", len(names), len(documents))
	}
	return names
}
