package billing_test

import (
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/money"
)

func TestDraftLife(t *testing.T) {
	w := newWorld(t)
	in := billing.SaveDraftInput{IssueInput: w.input("100")}
	draft := must(t, func() (db.Invoice, error) { return w.SaveDraft(w.staff(), in) })
	if draft.Status != db.InvoiceDraft || draft.Number != "" || draft.Total != 11600 {
		t.Fatalf("%s %q %d", draft.Status, draft.Number, draft.Total)
	}
	again := must(t, func() (db.Invoice, error) { return w.SaveDraft(w.staff(), in) })
	if again.ID != draft.ID {
		t.Fatal("the same key made a second draft")
	}
	if _, err := w.Invoice(w.login(access.Invoices), draft.ID); !fault.Is(err, fault.NotFound) {
		t.Fatalf("a client sees a draft: %v", err)
	}
	if _, err := w.RecordPayment(w.staff(), billing.PaymentInput{InvoiceID: draft.ID, Amount: 100, Method: "cash", RequestKey: w.key()}); !fault.Is(err, fault.Conflict) {
		t.Fatalf("a draft was paid: %v", err)
	}
	in.InvoiceID, in.Lines = draft.ID, []billing.LineInput{line("200"), line("50")}
	draft = must(t, func() (db.Invoice, error) { return w.SaveDraft(w.staff(), in) })
	if draft.Total != 29000 {
		t.Fatalf("total %d after the edit", draft.Total)
	}
	// A draft takes no number from the series.
	first := w.issue("10")
	issued := must(t, func() (db.Invoice, error) {
		return w.IssueDraft(w.staff(), billing.IssueDraftInput{InvoiceID: draft.ID})
	})
	if first.Number != "F-1" || issued.Number != "F-2" || issued.Status != db.InvoiceIssued || issued.IssueDate != "2026-03-10" || issued.Total != 29000 {
		t.Fatalf("%s then %s %s %s %d", first.Number, issued.Number, issued.Status, issued.IssueDate, issued.Total)
	}
	twice := must(t, func() (db.Invoice, error) {
		return w.IssueDraft(w.staff(), billing.IssueDraftInput{InvoiceID: draft.ID})
	})
	if twice.Number != issued.Number {
		t.Fatalf("issued twice: %s", twice.Number)
	}
	_, err := w.SaveDraft(w.staff(), in)
	wrong(t, err, "", "INVOICE_NOT_DRAFT")
	wrong(t, w.DeleteDraft(w.staff(), draft.ID), "", "INVOICE_NOT_DRAFT")
	lines := must(t, func() (map[string]int, error) {
		byInvoice, err := w.Lines(w.staff(), draft.ID)
		return map[string]int{"lines": len(byInvoice[draft.ID])}, err
	})
	if lines["lines"] != 2 {
		t.Fatalf("%d lines", lines["lines"])
	}
	other := must(t, func() (db.Invoice, error) {
		return w.SaveDraft(w.staff(), billing.SaveDraftInput{IssueInput: w.input("1")})
	})
	if err := w.DeleteDraft(w.staff(), other.ID); err != nil {
		t.Fatal(err)
	}
	w.balanced()
}

func TestIssuedIsImmutable(t *testing.T) {
	w := newWorld(t)
	row := w.issue("100")
	w.pay(row, 100)
	must(t, func() (db.CreditNote, error) {
		return w.IssueCreditNote(w.staff(), billing.CreditNoteInput{InvoiceID: row.ID, Lines: []billing.LineInput{line("1")}, Reason: "Descuento", RequestKey: w.key()})
	})
	for _, statement := range []string{
		"UPDATE invoice SET total = total + 1",
		"UPDATE invoice SET due_date = due_date + 1",
		"UPDATE invoice SET notes = 'x'",
		"UPDATE invoice SET client_snapshot = '{}'",
		"UPDATE invoice SET exchange_rate = 2",
		"UPDATE invoice SET status = 'draft'",
		"DELETE FROM invoice",
		"UPDATE invoice_line SET amount = amount + 1",
		"DELETE FROM invoice_line",
		"INSERT INTO invoice_line (invoice_id, position, description, quantity, unit_price, amount, treatment) SELECT id, 9, 'x', 1, 1, 1, 'iva16' FROM invoice",
		"UPDATE ledger_entry SET amount = amount + 1",
		"DELETE FROM ledger_entry",
		"UPDATE credit_note SET total = total + 1",
	} {
		if _, err := w.sql.ExecContext(t.Context(), statement); err == nil || !strings.Contains(err.Error(), "23001") {
			t.Errorf("%s: %v", statement, err)
		}
	}
	if _, err := w.sql.ExecContext(t.Context(), "UPDATE invoice SET paused_until = '2026-04-01'"); err != nil {
		t.Errorf("a reminder pause is no content: %v", err)
	}
}

func TestCancelAndWriteOff(t *testing.T) {
	w := newWorld(t)
	row := w.issue("100")
	w.pay(row, 5000)
	for range 2 { // the second changes nothing
		row = must(t, func() (db.Invoice, error) {
			return w.CancelInvoice(w.staff(), billing.CloseInput{InvoiceID: row.ID, Reason: "Error en el RFC"})
		})
	}
	if row.Status != db.InvoiceCancelled || row.Paid != 0 || row.Open() || w.credit() != 5000 {
		t.Fatalf("%s, paid %d, credit %d", row.Status, row.Paid, w.credit())
	}
	_, err := w.RecordPayment(w.staff(), billing.PaymentInput{InvoiceID: row.ID, Amount: 1, Method: "cash", RequestKey: w.key()})
	wrong(t, err, "", "INVOICE_NOT_OPEN")
	_, err = w.WriteOffInvoice(w.staff(), billing.CloseInput{InvoiceID: row.ID, Reason: "x"})
	wrong(t, err, "", "INVOICE_NOT_OPEN")
	_, err = w.CancelInvoice(w.staff(), billing.CloseInput{InvoiceID: row.ID})
	wrong(t, err, "reason", "REQUIRED")

	bad := w.issue("100")
	w.pay(bad, 600)
	bad = must(t, func() (db.Invoice, error) {
		return w.WriteOffInvoice(w.staff(), billing.CloseInput{InvoiceID: bad.ID, Reason: "Incobrable"})
	})
	if bad.Status != db.InvoiceWrittenOff || bad.Paid != 600 || bad.Open() {
		t.Fatalf("%s, paid %d", bad.Status, bad.Paid)
	}
	_, err = w.CancelInvoice(w.staff(), billing.CloseInput{InvoiceID: bad.ID, Reason: "x"})
	wrong(t, err, "", "INVOICE_NOT_OPEN")
	w.balanced()
}

func TestCreditNote(t *testing.T) {
	w := newWorld(t)
	row := w.issue("1000") // 1,160.00
	note := func(price string) (db.CreditNote, error) {
		return w.IssueCreditNote(w.staff(), billing.CreditNoteInput{InvoiceID: row.ID, Lines: []billing.LineInput{line(price)}, Reason: "Descuento", RequestKey: w.key()})
	}
	first := must(t, func() (db.CreditNote, error) { return note("100") })
	row = w.reload(row)
	if first.Number != "NC-1" || first.Total != 11600 || row.Balance != 104400 || row.Status != db.InvoicePartlyPaid || w.credit() != 0 {
		t.Fatalf("%s %d, balance %d, %s", first.Number, first.Total, row.Balance, row.Status)
	}
	w.pay(row, 100000) // 44.00 are left
	must(t, func() (db.CreditNote, error) { return note("100") })
	row = w.reload(row)
	if row.Status != db.InvoicePaid || row.Balance != 0 || row.Credited != 16000 || w.credit() != 7200 {
		t.Fatalf("%s, balance %d, credited %d, credit %d", row.Status, row.Balance, row.Credited, w.credit())
	}
	_, err := note("801") // two notes of 100 are out of 1,000
	wrong(t, err, "lines", "CREDIT_ABOVE_INVOICE")
	_, err = w.CancelInvoice(w.staff(), billing.CloseInput{InvoiceID: row.ID, Reason: "x"})
	wrong(t, err, "", "INVOICE_HAS_CREDIT_NOTES")
	must(t, func() (db.CreditNote, error) { return note("800") })
	if w.credit() != 7200+92800 {
		t.Fatalf("credit %d", w.credit())
	}
	w.balanced()

	whole := w.issue("33.33", "33.33", "0.01")
	must(t, func() (db.CreditNote, error) {
		return w.IssueCreditNote(w.staff(), billing.CreditNoteInput{InvoiceID: whole.ID, Reason: "Devolución", RequestKey: w.key()})
	})
	if whole = w.reload(whole); whole.Balance != 0 || whole.Credited != whole.Total {
		t.Fatalf("a note without lines takes all back: %d left", whole.Balance)
	}
	w.balanced()
}

func TestClientCredit(t *testing.T) {
	w := newWorld(t)
	row := w.issue("100")
	_, err := w.RecordPayment(w.staff(), billing.PaymentInput{InvoiceID: row.ID, Amount: 11601, Method: "transfer", RequestKey: w.key()})
	wrong(t, err, "amount", "AMOUNT_ABOVE_BALANCE")
	row = must(t, func() (db.Invoice, error) {
		return w.RecordPayment(w.staff(), billing.PaymentInput{InvoiceID: row.ID, Amount: 20000, Method: "transfer", ExcessToCredit: true, RequestKey: w.key()})
	})
	if row.Status != db.InvoicePaid || w.credit() != 8400 {
		t.Fatalf("%s, credit %d", row.Status, w.credit())
	}
	payments := must(t, func() ([]db.Payment, error) { return w.Payments(w.staff(), row.ID) })
	if len(payments) != 1 || payments[0].Amount != 20000 || payments[0].Applied != 11600 {
		t.Fatalf("%+v", payments)
	}
	other := w.issue("50") // 58.00
	apply := billing.CreditInput{InvoiceID: other.ID, Amount: 5000, RequestKey: w.key()}
	for range 2 {
		other = must(t, func() (db.Invoice, error) { return w.ApplyCredit(w.staff(), apply) })
	}
	if other.Balance != 800 || w.credit() != 3400 {
		t.Fatalf("balance %d, credit %d", other.Balance, w.credit())
	}
	_, err = w.ApplyCredit(w.staff(), billing.CreditInput{InvoiceID: other.ID, Amount: 801, RequestKey: w.key()})
	wrong(t, err, "amount", "AMOUNT_ABOVE_BALANCE")
	big := w.issue("1000")
	_, err = w.ApplyCredit(w.staff(), billing.CreditInput{InvoiceID: big.ID, Amount: 3401, RequestKey: w.key()})
	wrong(t, err, "", "CREDIT_TOO_LOW")
	// The credit of the payment is spent, so it cannot be voided until it is released.
	void := billing.VoidInput{PaymentID: payments[0].ID, Reason: "Cheque devuelto"}
	_, err = w.VoidPayment(w.staff(), void)
	wrong(t, err, "", "CREDIT_ALREADY_USED")
	other = must(t, func() (db.Invoice, error) {
		return w.ReleaseCredit(w.staff(), billing.CreditInput{InvoiceID: other.ID, Amount: 5000, RequestKey: w.key()})
	})
	if other.Status != db.InvoiceIssued || w.credit() != 8400 {
		t.Fatalf("%s, credit %d", other.Status, w.credit())
	}
	for range 2 {
		if p := must(t, func() (db.Payment, error) { return w.VoidPayment(w.staff(), void) }); p.VoidedAt == nil {
			t.Fatal("not voided")
		}
	}
	if row = w.reload(row); row.Status != db.InvoiceIssued || row.Balance != 11600 || row.PaidAt != nil || w.credit() != 0 {
		t.Fatalf("%s, balance %d, credit %d", row.Status, row.Balance, w.credit())
	}
	w.balanced()

	must(t, func() (db.Payment, error) { // money without an invoice
		return w.ReceivePayment(w.staff(), billing.ReceiveInput{ClientID: w.client.ID, Amount: 1000, Method: "cash", ExcessToCredit: true, RequestKey: w.key()})
	})
	refund := billing.RefundInput{ClientID: w.client.ID, Amount: 600, Method: "transfer", RequestKey: w.key()}
	for range 2 {
		must(t, func() (db.Refund, error) { return w.RecordRefund(w.staff(), refund) })
	}
	refund.RequestKey = w.key()
	_, err = w.RecordRefund(w.staff(), refund)
	wrong(t, err, "", "CREDIT_TOO_LOW")
	if w.credit() != 400 {
		t.Fatalf("credit %d", w.credit())
	}
	w.balanced()
}

func TestPaymentOverInvoices(t *testing.T) {
	w := newWorld(t)
	a, b, c := w.issue("100"), w.issue("100"), w.issue("100")
	in := billing.ReceiveInput{ClientID: w.client.ID, Amount: 25000, Method: "transfer", Reference: "SPEI 1",
		Invoices: []billing.Allocation{{InvoiceID: c.ID}, {InvoiceID: a.ID, Amount: 1600}, {InvoiceID: b.ID}}, RequestKey: w.key()}
	_, err := w.ReceivePayment(w.staff(), in)
	wrong(t, err, "amount", "AMOUNT_ABOVE_BALANCE") // 2.00 are left over
	in.ExcessToCredit = true
	for range 2 {
		must(t, func() (db.Payment, error) { return w.ReceivePayment(w.staff(), in) })
	}
	a, b, c = w.reload(a), w.reload(b), w.reload(c)
	if c.Paid != 11600 || a.Paid != 1600 || b.Paid != 11600 || w.credit() != 200 {
		t.Fatalf("%d %d %d, credit %d", a.Paid, b.Paid, c.Paid, w.credit())
	}
	w.balanced()
}

func TestPaymentInputs(t *testing.T) {
	w := newWorld(t)
	row := w.issue("100")
	other := must(t, func() (db.Client, error) {
		c := db.Client{Name: "Otro", Email: "otro@cliente.example", Country: "MX", Language: "en", Timezone: "America/Mexico_City", Topics: mail.Topics()}
		return c, w.store.AddClient(t.Context(), &c)
	})
	base := billing.ReceiveInput{ClientID: w.client.ID, Amount: 100, Method: "transfer", Invoices: []billing.Allocation{{InvoiceID: row.ID}}, RequestKey: "x"}
	for _, c := range []struct {
		path, code string
		change     func(*billing.ReceiveInput)
	}{
		{"amount", "AMOUNT_NOT_POSITIVE", func(in *billing.ReceiveInput) { in.Amount = 0 }},
		{"amount", "AMOUNT_NOT_POSITIVE", func(in *billing.ReceiveInput) { in.Amount = -1 }},
		{"amount", "AMOUNT_TOO_LARGE", func(in *billing.ReceiveInput) { in.Amount = 1_000_000_000_000_000_000 }},
		{"method", "REQUIRED", func(in *billing.ReceiveInput) { in.Method = "" }},
		{"method", "VALUE_INVALID", func(in *billing.ReceiveInput) { in.Method = "bitcoin" }},
		{"requestKey", "REQUIRED", func(in *billing.ReceiveInput) { in.RequestKey = " " }},
		{"reference", "TOO_LONG", func(in *billing.ReceiveInput) { in.Reference = strings.Repeat("x", 101) }},
		{"invoices[1].invoiceId", "DUPLICATE", func(in *billing.ReceiveInput) { in.Invoices = append(in.Invoices, in.Invoices[0]) }},
		{"invoices[0].amount", "ALLOCATION_ABOVE_PAYMENT", func(in *billing.ReceiveInput) { in.Invoices = []billing.Allocation{{InvoiceID: row.ID, Amount: 101}} }},
		{"invoice.amount", "AMOUNT_ABOVE_BALANCE", func(in *billing.ReceiveInput) {
			in.Amount, in.Invoices = 20000, []billing.Allocation{{InvoiceID: row.ID, Amount: 11601}}
		}},
		{"amount", "AMOUNT_ABOVE_BALANCE", func(in *billing.ReceiveInput) { in.Amount = 11601 }},
		{"invoice", "CURRENCY_MISMATCH", func(in *billing.ReceiveInput) { in.Currency = money.USD }},
		{"", "NOT_FOUND", func(in *billing.ReceiveInput) { in.ClientID = other.ID }},
		{"", "NOT_FOUND", func(in *billing.ReceiveInput) { in.ClientID = 99999 }},
	} {
		in := base
		c.change(&in)
		_, err := w.ReceivePayment(w.staff(), in)
		wrong(t, err, c.path, c.code)
	}
	if row = w.reload(row); row.Paid != 0 {
		t.Fatalf("something was saved: %d", row.Paid)
	}
	must(t, func() (db.Payment, error) { return w.ReceivePayment(w.staff(), base) })
	in := base
	in.ClientID = other.ID
	_, err := w.ReceivePayment(w.staff(), in)
	wrong(t, err, "requestKey", "REQUEST_KEY_REUSED")
	if _, err := w.ReceivePayment(w.login(access.Invoices), base); !fault.Is(err, fault.Forbidden) {
		t.Fatalf("a client books its own payment: %v", err)
	}
	w.balanced()
}

func TestIssueInputs(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name, path, code string
		change           func(*billing.IssueInput)
	}{
		{"no lines", "lines", "DOCUMENT_EMPTY", func(in *billing.IssueInput) { in.Lines = nil }},
		{"zero total", "total", "TOTAL_NOT_POSITIVE", func(in *billing.IssueInput) { in.Lines = []billing.LineInput{line("0")} }},
		{"negative total", "total", "TOTAL_NOT_POSITIVE", func(in *billing.IssueInput) { in.Lines = []billing.LineInput{line("10"), line("-20")} }},
		{"due before issue", "dueDate", "DATE_ORDER", func(in *billing.IssueInput) { in.DueDate = "2026-03-09" }},
		{"no due date", "dueDate", "REQUIRED", func(in *billing.IssueInput) { in.DueDate = "" }},
		{"no description", "lines[0].description", "REQUIRED", func(in *billing.IssueInput) { in.Lines[0].Description = " " }},
		{"quantity 0", "lines[0].quantity", "QUANTITY_NOT_POSITIVE", func(in *billing.IssueInput) { in.Lines[0].Quantity = money.Decimal{} }},
		{"less than half a cent", "lines[0].quantity", "AMOUNT_ROUNDS_TO_ZERO", func(in *billing.IssueInput) {
			in.Lines[0].Quantity, in.Lines[0].UnitPrice = money.Must("0.001"), money.Must("1")
		}},
		{"19 digits", "lines[0].unitPrice", "AMOUNT_OVERFLOW", func(in *billing.IssueInput) {
			in.Lines[0].Quantity, in.Lines[0].UnitPrice = money.Must("9000000000000"), money.Must("9000000000000")
		}},
		{"16 digits", "lines[0].unitPrice", "AMOUNT_TOO_LARGE", func(in *billing.IssueInput) {
			in.Lines[0].Quantity, in.Lines[0].UnitPrice = money.Int(1000), money.Must("9000000000000")
		}},
		{"dollars without a rate", "exchangeRate", "EXCHANGE_RATE_REQUIRED", func(in *billing.IssueInput) { in.Currency = money.USD }},
		{"pesos with a rate", "exchangeRate", "EXCHANGE_RATE_INVALID", func(in *billing.IssueInput) { in.ExchangeRate = money.Must("18") }},
		{"unknown currency", "currency", "CURRENCY_UNKNOWN", func(in *billing.IssueInput) { in.Currency = "XXX" }},
		{"unknown client", "", "NOT_FOUND", func(in *billing.IssueInput) { in.ClientID = 12345 }},
	} {
		in := w.input("100")
		c.change(&in)
		_, err := w.IssueInvoice(w.staff(), in)
		t.Run(c.name, func(t *testing.T) { wrong(t, err, c.path, c.code) })
	}
	in := w.input("100")
	in.Lines[0].Quantity, in.Lines[0].UnitPrice = money.Must("0.001"), money.Must("899")
	if row := must(t, func() (db.Invoice, error) { return w.IssueInvoice(w.staff(), in) }); row.Number != "F-1" || row.Total != 104 {
		t.Fatalf("0.001 of 899.00 is 0.90 and 0.14 of IVA: %s %d", row.Number, row.Total)
	}
	w.balanced()
}

func TestExchangeRate(t *testing.T) {
	w := newWorld(t)
	for day, rate := range map[string]string{"2026-03-06": "18.4521", "2026-03-20": "19"} {
		must(t, func() (db.ExchangeRate, error) {
			return w.SetExchangeRate(w.staff(), billing.ExchangeRateInput{Currency: money.USD, Day: date.Date(day), Rate: money.Must(rate), Source: "DOF"})
		})
	}
	in := w.input("49.99")
	in.Currency = money.USD
	row := must(t, func() (db.Invoice, error) { return w.IssueInvoice(w.staff(), in) })
	if row.ExchangeRate.String() != "18.4521" || row.RateSource != "DOF" || row.RateDate != "2026-03-06" || row.Total != 5799 {
		t.Fatalf("%s of %s from %s, total %d", row.ExchangeRate, row.RateDate, row.RateSource, row.Total)
	}
	must(t, func() (db.ExchangeRate, error) {
		return w.SetExchangeRate(w.staff(), billing.ExchangeRateInput{Currency: money.USD, Day: "2026-03-06", Rate: money.Must("20"), Source: "DOF"})
	})
	if row = w.reload(row); row.ExchangeRate.String() != "18.4521" {
		t.Fatal("an issued invoice changed its rate")
	}
	w.at("2026-04-20T18:00:00Z")
	in.RequestKey, in.DueDate = w.key(), "2026-05-01"
	_, err := w.IssueInvoice(w.staff(), in) // a month old is too old
	wrong(t, err, "exchangeRate", "EXCHANGE_RATE_REQUIRED")
	in.ExchangeRate, in.RateSource = money.Must("17.5"), "Contrato"
	row = must(t, func() (db.Invoice, error) { return w.IssueInvoice(w.staff(), in) })
	if row.ExchangeRate.String() != "17.5" || row.RateSource != "Contrato" || row.RateDate != "2026-04-20" {
		t.Fatalf("%s %s %s", row.ExchangeRate, row.RateSource, row.RateDate)
	}
	_, err = w.RecordPayment(w.staff(), billing.PaymentInput{InvoiceID: row.ID, Amount: 100, Method: "card", RequestKey: w.key()})
	if err != nil {
		t.Fatal(err)
	}
	w.balanced()
}

func TestClabe(t *testing.T) {
	for text, want := range map[string]bool{
		"032180000118359719": true, // the check digit's example: 3,7,1
		"002010077777777771": true,
		"032180000118359718": false, "03218000011835971": false, "0321800001183597190": false, "03218000011835971a": false, "": false,
	} {
		if got := billing.ValidCLABE(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
	for n := range 1000 {
		client := someClient(n)
		ref := billing.PaymentReference(client)
		got, ok := billing.ClientOfReference(ref)
		if !ok || got != client || len(ref) != 7 {
			t.Fatalf("%s of %d: %d %v", ref, client, got, ok)
		}
		typo := ref[:6] + string(rune('0'+(ref[6]-'0'+1)%10))
		if _, ok := billing.ClientOfReference(typo); ok {
			t.Fatalf("%s accepted", typo)
		}
	}
}
