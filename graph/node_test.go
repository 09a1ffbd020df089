package graph_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/graph"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

// parts have an id and are read with what they belong to.
var parts = []string{"AuditEntry", "FailedSignIn", "InvoiceLine", "InvoicePayment", "Refund", "ReminderStep", "SubAccount"}

// Everything with an id of its own is read by it, by those who may, and by nobody else: a stranger
// and a visitor get no thing of any kind.
func TestNodes(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	ids := w.oneOfEach()
	schema, err := gqlparser.LoadSchema(&ast.Source{Input: graph.SDL()})
	w.must(err)
	var nodes []string
	for name, definition := range schema.Types {
		if definition.Kind != ast.Object || definition.Fields.ForName("id") == nil || name == "Viewer" {
			continue
		}
		switch is := slices.Contains(definition.Interfaces, "Node"); {
		case slices.Contains(parts, name) == is:
			t.Errorf("%s has an id: is it a Node (%v), or a part of something?", name, is)
		case is && ids[name] == "":
			t.Errorf("no %s to ask for", name)
		case is:
			nodes = append(nodes, name)
		}
	}
	all := make([]string, len(nodes))
	for i, name := range nodes {
		all[i] = ids[name]
		a := decodeAnswer(t, w.post("staff", `query ($id: ID!) { node(id: $id) { __typename id } }`, map[string]any{"id": ids[name]}))
		if got := fmt.Sprint(a.Data["node"]); got != fmt.Sprintf("map[__typename:%s id:%s]", name, ids[name]) {
			t.Errorf("%s: %s %s", ids[name], got, a.codes())
		}
		prefix, _, _ := strings.Cut(ids[name], "_")
		for actor, unknown := range map[string]string{"staff": "NOT_FOUND", "stranger": "", "anonymous": ""} {
			missing := decodeAnswer(t, w.post(actor, `query ($id: ID!) { node(id: $id) { id } }`, map[string]any{"id": prefix + "_987654321"}))
			if missing.Data["node"] != nil || len(missing.Errors) != 1 || unknown != "" && missing.codes() != unknown {
				t.Errorf("%s asks for a %s that does not exist: %v %s", actor, name, missing.Data, missing.codes())
			}
			if actor == "staff" {
				continue
			}
			theirs := decodeAnswer(t, w.post(actor, `query ($id: ID!) { node(id: $id) { id } }`, map[string]any{"id": ids[name]}))
			if theirs.Data["node"] != nil || theirs.codes() != missing.codes() {
				t.Errorf("%s learns of %s: %v %s, and of none %s", actor, ids[name], theirs.Data, theirs.codes(), missing.codes())
			}
		}
	}
	if len(nodes) < 20 {
		t.Errorf("%d kinds of nodes", len(nodes))
	}
	a := decodeAnswer(t, w.post("staff", `query ($ids: [ID!]!) { nodes(ids: $ids) { id } }`, map[string]any{"ids": slices.Concat(all, []string{"inv_9999", "x", ""})}))
	rows, _ := a.Data["nodes"].([]any)
	if len(a.Errors) > 0 || len(rows) != len(all)+3 || slices.Contains(rows[:len(all)], nil) || fmt.Sprint(rows[len(all):]) != "[<nil> <nil> <nil>]" {
		t.Errorf("together: %v %s", rows, a.codes())
	}
	a = decodeAnswer(t, w.post("stranger", `query ($ids: [ID!]!) { nodes(ids: $ids) { id } }`, map[string]any{"ids": all}))
	if rows, _ = a.Data["nodes"].([]any); len(rows) != len(all) || slices.ContainsFunc(rows, func(row any) bool { return row != nil }) {
		t.Errorf("a stranger: %v %s", rows, a.codes())
	}
}

// oneOfEach makes one thing of each kind, the bakery's where it is a client's, and returns the ids.
func (w *world) oneOfEach() map[string]string {
	w.t.Helper()
	ctx := access.With(w.t.Context(), access.SystemActor())
	staff := access.With(w.t.Context(), w.actor("staff"))
	note, err := w.billing.IssueCreditNote(ctx, billing.CreditNoteInput{InvoiceID: w.invoice(1, "2026-03-01", "2026-04-30", "10").ID, Reason: "Prueba", RequestKey: "note"})
	w.must(err)
	paid, err := w.billing.ReceivePayment(ctx, billing.ReceiveInput{ClientID: 1, Amount: 100, Method: "cash", ExcessToCredit: true, RequestKey: "payment"})
	w.must(err)
	_, err = w.billing.ImportStatement(ctx, strings.NewReader("date,amount\n2026-04-08,5.00\n"))
	w.must(err)
	moved, err := w.store.Movements(ctx, "", db.Page{})
	w.must(err)
	product, err := w.billing.SaveProduct(ctx, billing.ProductInput{Name: "Hospedaje", Active: true, Pricing: billing.Pricing{Kind: "hosting", Cycle: billing.Monthly, Price: money.Int(1)}})
	w.must(err)
	service, err := w.billing.AddService(ctx, billing.ServiceInput{ClientID: 1, ProductID: product.ID, StartsOn: "2027-01-01", RequestKey: "service"})
	w.must(err)
	_, err = w.store.Plan(ctx, db.PlanInput{Now: now(), Client: 1, Immediate: true})
	w.must(err)
	planned, err := w.store.Deliveries(ctx, db.DeliveryFilter{Reach: access.Reach{All: true}}, db.Page{First: 1})
	w.must(err)
	event := db.GatewayEvent{Gateway: "stripe", EventRef: "evt", Kind: billing.EventReversed, Outcome: db.GatewayUnbooked, ReceivedAt: now(), Amount: 100, Currency: money.MXN}
	_, err = w.store.ClaimGatewayEvent(ctx, &event)
	w.must(err)
	w.must(w.store.FinishGatewayEvent(ctx, &event))
	checkout := db.Checkout{ClientID: 1, Currency: money.MXN, Amount: 100, Gateway: "stripe", Status: db.CheckoutExpired, CreatedAt: now(), UpdatedAt: now()}
	w.must(w.store.AddCheckout(ctx, &checkout, []db.CheckoutInvoice{{InvoiceID: 1, Amount: 100}}))
	profile := db.FiscalProfile{ClientID: 1, Rfc: "URE180429TM6", Nombre: "UNIVERSIDAD ROBOTICA ESPAÑOLA", DomicilioFiscalReceptor: "86991", RegimenFiscalReceptor: "601", UsoCFDI: "G03", Default: true}
	w.must(w.store.SaveFiscalProfile(ctx, &profile))
	cfdi := db.CFDI{Kind: db.CFDIIngreso, ClientID: 1, InvoiceID: 1, ProfileID: profile.ID, MetodoPago: "PUE", Status: db.CFDIDraft, RfcEmisor: "EKU9003173C9", Serie: "A", Folio: 1,
		RfcReceptor: profile.Rfc, NombreReceptor: profile.Nombre, Total: "1160.00", Moneda: "MXN", Fecha: now()}
	w.must(w.store.AddCFDI(ctx, &cfdi))
	fee, err := w.reminder.SaveLateFeeRule(ctx, reminder.LateFeeRuleInput{Name: "Recargo", Currency: money.MXN, Fixed: 1000})
	w.must(err)
	group, err := w.reminder.AddClientGroup(ctx, "Mayoristas")
	w.must(err)
	template, err := w.reminder.SaveTemplate(ctx, reminder.TemplateInput{Anchor: db.AnchorDue, Days: 1, Language: "es-MX", Subject: "Recordatorio", Body: "Venció su factura."})
	w.must(err)
	token, _, err := w.account.AddToken(staff, account.AddTokenInput{Name: "Mesa", Scopes: []access.Capability{access.ReadClients}, Days: 9})
	w.must(err)
	session := db.Session{StaffID: w.staff.ID, TokenHash: []byte("a hash of a session of thirty-two"), CreatedAt: now(), LastUsedAt: now(), ExpiresAt: now().Add(time.Hour)}
	w.must(w.store.AddSession(ctx, &session))
	passkey := db.Passkey{StaffID: w.staff.ID, CredentialID: []byte("credential"), Name: "Llave", Credential: json.RawMessage(`{}`)}
	w.must(w.store.AddPasskey(ctx, &passkey))
	run := db.Run{AskedBy: "Personal", CreatedAt: now()}
	w.must(w.store.AddRun(ctx, &run))
	return map[string]string{"ReminderRun": run.ID.String(), "Client": "cli_1", "Contact": "con_1", "Invoice": "inv_1", "Email": "eml_1", "Delivery": planned.Rows[0].ID.String(), "ReminderPolicy": "pol_1",
		"CreditNote": note.ID.String(), "Payment": paid.ID.String(), "BankMovement": moved.Rows[0].ID.String(), "Product": product.ID.String(), "Service": service.ID.String(),
		"GatewayEvent": event.ID.String(), "Checkout": checkout.ID.String(), "FiscalProfile": profile.ID.String(), "FiscalDocument": cfdi.ID.String(),
		"LateFeeRule": fee.ID.String(), "ClientGroup": group.ID.String(), "MailTemplate": template.ID.String(), "ApiToken": token.ID.String(),
		"StaffMember": w.staff.ID.String(), "Session": session.ID.String(), "Passkey": passkey.ID.String()}
}
