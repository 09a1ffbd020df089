package billing_test

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// entry is what a row of the audit log has to say: what was done to what, and words of the change ("" for none).
type entry struct{ verb, object, before, after string }

// noted returns the rows of the audit log after the last one that was seen, the oldest first, and checks who acted.
func (w *world) noted(last *id.Audit, actor access.Actor) (rows []db.AuditRow) {
	w.Helper()
	log := must(w, func() (db.List[db.AuditRow], error) {
		return w.store.AuditLog(w.Context(), db.AuditFilter{Reach: access.Reach{All: true}}, db.Page{First: 100})
	})
	for _, row := range slices.Backward(log.Rows) {
		if row.ID <= *last {
			continue
		}
		if row.Kind != actor.Kind || row.StaffID != actor.Staff || row.Actor != actor.Name || row.Address != actor.Address {
			w.Errorf("%s %s: done by %s %s %q from %q", row.Verb, row.Object, row.Kind, row.StaffID, row.Actor, row.Address)
		}
		rows, *last = append(rows, row), row.ID
	}
	return rows
}

// Each thing that happens in the life of an invoice is one row of the audit log about each document that it made or
// changed, with who did it and what is otherwise than before. The same request again adds none.
func TestLifeIsAudited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	clerk := access.Actor{Kind: access.Staff, Role: access.Billing, Staff: 1, Name: "Caja", Address: "192.0.2.7"}
	staff, clock := access.With(t.Context(), clerk), access.SystemActor()
	var last id.Audit
	w.noted(&last, access.Actor{})
	var (
		draft, invoice, second, third, renewed db.Invoice

		payment, many   db.Payment
		service         db.Service
		change          billing.Change
		movement, other db.Movement
		refund          db.Refund
		product         db.Product
	)
	get := func(do func() (db.Invoice, error)) *db.Invoice { row := must(t, do); return &row }
	lineOf := func(price string) []billing.LineInput { return []billing.LineInput{line(price)} }
	newest := func(series string) (row db.Invoice) {
		key := id.Invoice(w.count("SELECT max(id) FROM invoice WHERE series = '" + series + "'"))
		return *get(func() (db.Invoice, error) { return w.Invoice(staff, key) })
	}
	for _, c := range []struct {
		name  string
		do    func() error
		want  func() []entry
		clock bool
	}{
		{name: "product", do: func() (err error) {
			product, err = w.SaveProduct(staff, billing.ProductInput{ProductID: product.ID, Name: "Hospedaje", Active: true,
				Pricing: billing.Pricing{Kind: "hosting", Cycle: billing.Monthly, Price: money.Int(100)}})
			return err
		}, want: func() []entry { return []entry{{"product.save", product.ID.String(), "", `"Price": "100"`}} }},
		{name: "exchange rate", do: func() error {
			_, err := w.SetExchangeRate(staff, billing.ExchangeRateInput{Currency: money.USD, Day: "2026-03-10", Rate: money.Must("18.1234"), Source: "DOF"})
			return err
		}, want: func() []entry { return []entry{{"exchange_rate.set", "USD 2026-03-10", "", `"rate": "18.1234"`}} }},
		{name: "other exchange rate", do: func() error {
			_, err := w.SetExchangeRate(staff, billing.ExchangeRateInput{Currency: money.USD, Day: "2026-03-10", Rate: money.Must("18.2"), Source: "DOF"})
			return err
		}, want: func() []entry { return []entry{{"exchange_rate.set", "USD 2026-03-10", `"18.1234"`, `"18.2"`}} }},
		{name: "draft", do: func() (err error) {
			draft, err = w.SaveDraft(staff, billing.SaveDraftInput{IssueInput: billing.IssueInput{ClientID: w.client.ID, DueDate: "2026-03-31", Lines: lineOf("100"), RequestKey: "draft"}})
			return err
		}, want: func() []entry { return []entry{{"invoice.draft", draft.ID.String(), "", "Hospedaje: 1 × 100"}} }},
		{name: "draft edited", do: func() (err error) {
			draft, err = w.SaveDraft(staff, billing.SaveDraftInput{InvoiceID: draft.ID, IssueInput: billing.IssueInput{ClientID: w.client.ID, DueDate: "2026-03-31", Lines: lineOf("200")}})
			return err
		}, want: func() []entry { return []entry{{"invoice.edit", draft.ID.String(), "11600", "23200"}} }},
		{name: "draft issued", do: func() (err error) {
			draft, err = w.IssueDraft(staff, billing.IssueDraftInput{InvoiceID: draft.ID})
			return err
		}, want: func() []entry { return []entry{{"invoice.issue", draft.ID.String(), "", `"number": "F-1"`}} }},
		{name: "issued", do: func() (err error) {
			invoice, err = w.IssueInvoice(staff, billing.IssueInput{ClientID: w.client.ID, DueDate: "2026-03-31", Lines: lineOf("100"), RequestKey: "a"})
			return err
		}, want: func() []entry { return []entry{{"invoice.issue", invoice.ID.String(), "", `"total": 11600`}} }},
		{name: "late fee", do: func() (err error) {
			second, err = w.IssueInvoice(staff, billing.IssueInput{ClientID: w.client.ID, DueDate: "2026-03-31", Lines: lineOf("50"), Kind: db.KindLateFee, OriginID: invoice.ID, RequestKey: "fee"})
			return err
		}, want: func() []entry { return []entry{{"invoice.issue", second.ID.String(), "", `"total": 5800`}} }},
		{name: "written off", do: func() (err error) {
			_, err = w.WriteOffInvoice(staff, billing.CloseInput{InvoiceID: second.ID, Reason: "Incobrable"})
			return err
		}, want: func() []entry {
			return []entry{{"invoice." + db.InvoiceWrittenOff, second.ID.String(), `"issued"`, "Incobrable"}}
		}},
		{name: "payment", do: func() (err error) {
			_, err = w.RecordPayment(staff, billing.PaymentInput{InvoiceID: invoice.ID, Amount: 5000, Method: "transfer", Reference: "SPEI 7", RequestKey: "p"})
			return err
		}, want: func() []entry {
			return []entry{{"payment.record", invoice.ID.String(), `"paid": 0`, `"reference": "SPEI 7"`}}
		}},
		{name: "payment of two invoices with something left", do: func() (err error) {
			many, err = w.ReceivePayment(staff, billing.ReceiveInput{ClientID: w.client.ID, Amount: 40000, Method: "cash", ExcessToCredit: true, RequestKey: "m",
				Invoices: []billing.Allocation{{InvoiceID: invoice.ID}, {InvoiceID: draft.ID}}})
			return err
		}, want: func() []entry {
			return []entry{{"payment.record", invoice.ID.String(), `"partly_paid"`, `"paid"`}, {"payment.record", draft.ID.String(), `"issued"`, `"amount": 23200`},
				{"payment.credit", many.ID.String(), "", `"amount": 10200`}}
		}},
		{name: "credit applied", do: func() (err error) {
			if third.ID == 0 {
				third = w.issue("100")
				w.noted(&last, access.Actor{Kind: access.Staff, Staff: 1})
			}
			_, err = w.ApplyCredit(staff, billing.CreditInput{InvoiceID: third.ID, Amount: 3000, RequestKey: "c"})
			return err
		}, want: func() []entry {
			return []entry{{"credit.apply_credit", third.ID.String(), `"issued"`, `"amount": 3000`}}
		}},
		{name: "credit released", do: func() (err error) {
			_, err = w.ReleaseCredit(staff, billing.CreditInput{InvoiceID: third.ID, Amount: 1000, RequestKey: "l"})
			return err
		}, want: func() []entry {
			return []entry{{"credit.release_credit", third.ID.String(), `"paid": 3000`, `"paid": 2000`}}
		}},
		{name: "credit note", do: func() (err error) {
			_, err = w.IssueCreditNote(staff, billing.CreditNoteInput{InvoiceID: third.ID, Lines: lineOf("10"), Reason: "Descuento", RequestKey: "n"})
			return err
		}, want: func() []entry {
			return []entry{{"credit_note.issue", third.ID.String(), `"credited": 0`, `"number": "NC-1"`}}
		}},
		{name: "refund", do: func() (err error) {
			refund, err = w.RecordRefund(staff, billing.RefundInput{ClientID: w.client.ID, Amount: 1000, Method: "transfer", RequestKey: "r"})
			return err
		}, want: func() []entry { return []entry{{"refund.record", refund.ID.String(), "", `"amount": 1000`}} }},
		{name: "cancelled", do: func() (err error) {
			_, err = w.CancelInvoice(staff, billing.CloseInput{InvoiceID: draft.ID, Reason: "Duplicada"})
			return err
		}, want: func() []entry {
			return []entry{{"invoice." + db.InvoiceCancelled, draft.ID.String(), `"paid": 23200`, "Duplicada"}}
		}},
		{name: "payment voided", do: func() (err error) {
			if payment.ID == 0 {
				payment = must(t, func() (db.Payment, error) {
					return w.ReceivePayment(w.staff(), billing.ReceiveInput{ClientID: w.client.ID, Amount: 500, Method: "cheque", RequestKey: w.key(), Invoices: []billing.Allocation{{InvoiceID: third.ID}}})
				})
				w.noted(&last, access.Actor{Kind: access.Staff, Staff: 1})
			}
			_, err = w.VoidPayment(staff, billing.VoidInput{PaymentID: payment.ID, Reason: "Cheque sin fondos"})
			return err
		}, want: func() []entry {
			return []entry{{"payment.void", third.ID.String(), `"paid": 2500`, "Cheque sin fondos"}}
		}},
		{name: "bank statement", do: func() error {
			_, err := w.ImportStatement(staff, strings.NewReader("date,amount,reference\n2026-03-09,10.00,x\n2026-03-09,20.00,y\n"))
			return err
		}, want: func() []entry { return []entry{{"import.statement", "", "", `"added": 2`}} }},
		{name: "movement matched", do: func() (err error) {
			if movement.ID == 0 {
				rows := must(t, func() (db.List[db.Movement], error) { return w.Movements(staff, db.MovementUnmatched, db.Page{}) }).Rows
				slices.SortFunc(rows, func(a, b db.Movement) int { return cmp.Compare(a.Amount, b.Amount) })
				movement, other = rows[0], rows[1]
			}
			movement, err = w.ConfirmMovement(staff, billing.ConfirmInput{MovementID: movement.ID, ClientID: w.client.ID, Invoices: []billing.Allocation{{InvoiceID: third.ID}}})
			return err
		}, want: func() []entry {
			return []entry{{"payment.record", third.ID.String(), `"paid": 2000`, `"paid": 3000`}, {"movement.confirm", movement.ID.String(), db.MovementUnmatched, movement.PaymentID.String()}}
		}},
		{name: "movement ignored", do: func() error { _, err := w.IgnoreMovement(staff, other.ID); return err },
			want: func() []entry { return []entry{{"movement.ignore", other.ID.String(), db.MovementUnmatched, ""}} }},
		{name: "service added", do: func() (err error) {
			days := 5
			service, err = w.AddService(staff, billing.ServiceInput{ClientID: w.client.ID, Description: "Correo", StartsOn: "2026-03-10", DaysBefore: &days,
				Pricing: billing.Pricing{Kind: "email", Cycle: billing.Monthly, Price: money.Int(310)}, RequestKey: "s"})
			return err
		}, want: func() []entry { return []entry{{"service.add", service.ID.String(), "", `"Price": "310"`}} }},
		{name: "renewal", clock: true, do: func() error { _, err := w.InvoiceRenewals(w.system()); return err }, want: func() []entry {
			renewed = newest("F")
			return []entry{{"invoice.issue", renewed.ID.String(), "", `"number": "` + renewed.Number + `"`}}
		}},
		{name: "service changed upwards", do: func() (err error) {
			w.at("2026-03-20T18:00:00Z")
			got, err := w.ChangeService(staff, billing.ChangeInput{ServiceID: service.ID, Price: money.Int(620), RequestKey: "up"})
			if got.Invoice != nil {
				change = got
			}
			return err
		}, want: func() []entry {
			return []entry{{"invoice.issue", change.Invoice.ID.String(), "", `"number"`}, {"service.change", service.ID.String(), `"310"`, `"620"`}}
		}},
		{name: "service changed downwards", do: func() (err error) {
			_, err = w.ChangeService(staff, billing.ChangeInput{ServiceID: service.ID, Price: money.Int(500), RequestKey: "down"})
			return err
		}, want: func() []entry {
			return []entry{{"credit_note.issue", change.Invoice.ID.String(), `"credited": 0`, `"number": "NC-2"`}, {"service.change", service.ID.String(), `"620"`, `"500"`}}
		}},
		{name: "service suspended", do: func() error {
			_, err := w.SetServiceState(staff, billing.ServiceStateInput{ServiceID: service.ID, Status: db.ServiceSuspended})
			return err
		}, want: func() []entry { return []entry{{"service.suspend", service.ID.String(), `"active"`, `"suspended"`}} }},
		{name: "service ended", do: func() error {
			_, err := w.SetServiceState(staff, billing.ServiceStateInput{ServiceID: service.ID, Status: db.ServiceEnded})
			return err
		}, want: func() []entry { return []entry{{"service.end", service.ID.String(), `"suspended"`, `"ended"`}} }},
		{name: "CSV import", do: func() error {
			_, err := w.ImportInvoices(staff, strings.NewReader("reference,client,due_date,description,unit_price\nA,cafe@cliente.example,2026-04-01,Uno,10\nB,cafe@cliente.example,2026-04-01,Dos,20\n"))
			return err
		}, want: func() []entry {
			b := newest("I")
			return []entry{{"invoice.issue", (b.ID - 1).String(), "", `"number": "I-1"`}, {"invoice.issue", b.ID.String(), "", `"number": "I-2"`}, {"import.invoices", "", "", `"invoices": 2`}}
		}},
	} {
		for again := range 2 {
			if err := c.do(); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			actor := clerk
			if c.clock {
				actor = clock
			}
			rows := w.noted(&last, actor)
			if again == 1 {
				if len(rows) != 0 {
					t.Errorf("%s again: %s %s %s", c.name, rows[0].Verb, rows[0].Before, rows[0].After)
				}
				continue
			}
			want := c.want()
			if len(rows) != len(want) {
				t.Errorf("%s: %d rows, want %d: %+v", c.name, len(rows), len(want), rows)
				continue
			}
			for i, e := range want {
				row := rows[i]
				if row.Verb != e.verb || row.Object != e.object || !said(row.Before, e.before) || !said(row.After, e.after) {
					t.Errorf("%s: %s %s %s -> %s\nwant %+v", c.name, row.Verb, row.Object, row.Before, row.After, e)
				}
				if wantClient := strings.SplitN(e.verb, ".", 2)[0]; (row.ClientID == w.client.ID) == slices.Contains([]string{"product", "exchange_rate", "import"}, wantClient) && e.verb != "movement.ignore" {
					t.Errorf("%s: about client %s", c.name, row.ClientID)
				}
			}
		}
	}
	w.balanced()
}

// What the card gateway tells is written under its name, and what a person decides about it as theirs; told or
// decided again it adds nothing.
func TestGatewayIsAudited(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.Gateway = &cashier{}
	clerk := access.Actor{Kind: access.Staff, Role: access.Billing, Staff: 1, Name: "Caja", Address: "192.0.2.7"}
	staff := access.With(t.Context(), clerk)
	row, c := w.paid()
	other, third := w.start(w.issue("200")), w.start(w.issue("300"))
	gateway := access.Actor{Kind: access.System, Name: "cashier"}
	var last id.Audit
	log := must(t, func() (db.List[db.AuditRow], error) {
		return w.store.AuditLog(t.Context(), db.AuditFilter{Reach: access.Reach{All: true}}, db.Page{First: 1})
	})
	last = log.Rows[0].ID
	dollars := billing.GatewayEvent{Ref: "e-usd", Kind: billing.EventPaid, Checkout: other.ID, Session: other.SessionRef, Charge: "pi-usd", Amount: 5000, Currency: money.USD}
	euros := billing.GatewayEvent{Ref: "e-eur", Kind: billing.EventPaid, Checkout: third.ID, Session: third.SessionRef, Charge: "pi-eur", Amount: 5000, Currency: money.EUR}
	event := func(ref string) (key id.GatewayEvent) {
		for _, row := range w.reviewed() {
			if row.EventRef == ref {
				key = row.ID
			}
		}
		return key
	}
	var booked, dismissed id.GatewayEvent
	for _, c := range []struct {
		name  string
		do    func() error
		actor access.Actor
		want  string // verbs in order
	}{
		{"refunded at the gateway", func() error { return w.tell(reversal("e-1", billing.EventReversed, "re_1", c, 5000, false)) }, gateway, "payment.refund refund.record"},
		{"disputed", func() error { return w.tell(reversal("e-2", billing.EventReversed, "dp_1", c, 3000, true)) }, gateway, "payment.dispute refund.record"},
		{"told in another currency", func() error { return w.tell(dollars) }, gateway, ""},
		{"booked by a person", func() error {
			if booked == 0 {
				booked = event("e-usd")
			}
			_, err := w.BookGatewayEvent(staff, booked, 0)
			return err
		}, clerk, "payment.credit gateway.book"},
		{"told in a third currency", func() error { return w.tell(euros) }, gateway, ""},
		{"dismissed by a person", func() error {
			if dismissed == 0 {
				dismissed = event("e-eur")
			}
			_, err := w.DismissGatewayEvent(staff, dismissed, "Devuelto en la pasarela")
			return err
		}, clerk, "gateway.dismiss"},
	} {
		for again := range 2 {
			if err := c.do(); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			var verbs []string
			for _, row := range w.noted(&last, c.actor) {
				verbs = append(verbs, row.Verb)
				if row.ClientID != w.client.ID || row.Object == "" || len(row.After) == 0 {
					t.Errorf("%s: %s %s %s", c.name, row.Verb, row.Object, row.After)
				}
			}
			if got := strings.Join(verbs, " "); again == 0 && got != c.want || again == 1 && got != "" {
				t.Errorf("%s, time %d: %q, want %q", c.name, again+1, got, c.want)
			}
		}
	}
	if got := w.reload(row); got.Balance != 8000 {
		t.Errorf("balance %d", got.Balance)
	}
	w.balanced()
}

// said reports whether one side of a change has the words; no words need no side.
func said(side json.RawMessage, words string) bool {
	return words == "" || strings.Contains(string(side), words)
}
