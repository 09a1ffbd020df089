package billing_test

import (
	"archive/zip"
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

func TestLists(t *testing.T) {
	w := newWorld(t)
	for n, due := range []date.Date{"2026-03-11", "2026-03-15", "2026-03-20", "2026-03-31"} {
		in := w.input(fmt.Sprint(100 * (n + 1)))
		in.DueDate = due
		must(t, func() (db.Invoice, error) { return w.IssueInvoice(w.staff(), in) })
	}
	must(t, func() (db.Invoice, error) {
		return w.SaveDraft(w.staff(), billing.SaveDraftInput{IssueInput: w.input("999")})
	})
	w.at("2026-03-16T18:00:00Z")
	for _, c := range []struct {
		name  string
		query billing.InvoiceQuery
		want  string
	}{
		{"all", billing.InvoiceQuery{}, "F-4 F-3 F-2 F-1"},
		{"overdue", billing.InvoiceQuery{Status: "overdue"}, "F-2 F-1"},
		{"due dates", billing.InvoiceQuery{DueFrom: "2026-03-15", DueTo: "2026-03-20"}, "F-3 F-2"},
		{"amount", billing.InvoiceQuery{MinTotal: 23200, MaxTotal: 34800}, "F-3 F-2"},
		{"number", billing.InvoiceQuery{Search: "f-3"}, "F-3"},
		{"client", billing.InvoiceQuery{Search: "ficticio", Status: "overdue"}, "F-2 F-1"},
		{"wildcards are text", billing.InvoiceQuery{Search: "%"}, ""},
		{"by total", billing.InvoiceQuery{Order: db.InvoiceOrder{By: "total", Ascending: true}}, "F-1 F-2 F-3 F-4"},
		{"by due date", billing.InvoiceQuery{Order: db.InvoiceOrder{By: "due_date"}}, "F-4 F-3 F-2 F-1"},
		{"selection", billing.InvoiceQuery{IDs: []id.Invoice{}}, ""},
	} {
		got, page := []string{}, db.Page{First: 2}
		for { // page by page, every row once
			list, err := w.Invoices(w.login(access.Invoices), c.query, page)
			if err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			for _, row := range list.Rows {
				got = append(got, row.Number)
			}
			if page.After = list.Next(); page.After == "" {
				break
			}
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %v, want %s", c.name, got, c.want)
		}
	}
	list := must(t, func() (db.List[db.Invoice], error) {
		return w.Invoices(w.staff(), billing.InvoiceQuery{Status: "draft"}, db.Page{})
	})
	if len(list.Rows) != 1 {
		t.Fatal("staff see drafts")
	}
	_, err := w.Invoices(w.staff(), billing.InvoiceQuery{Order: db.InvoiceOrder{By: "id; DROP TABLE invoice"}}, db.Page{})
	wrong(t, err, "order", "VALUE_INVALID")
	_, err = w.Invoices(w.staff(), billing.InvoiceQuery{IssuedFrom: "2026-03-02", IssuedTo: "2026-03-01"}, db.Page{})
	wrong(t, err, "issuedTo", "DATE_RANGE")
	sums, more, err := w.InvoiceSums(w.login(access.Invoices), billing.InvoiceQuery{})
	if err != nil || more {
		t.Fatal(more, err)
	}
	if len(sums) != 1 || sums[0].Count != 4 || sums[0].Total != 116000 || sums[0].Balance != 116000 {
		t.Fatalf("%+v", sums)
	}
}

func TestAgingAndStatement(t *testing.T) {
	w := newWorld(t)
	for _, due := range []date.Date{"2026-03-10", "2026-03-11", "2026-04-09", "2026-04-10", "2026-05-10"} {
		in := w.input("100")
		in.DueDate = due
		must(t, func() (db.Invoice, error) { return w.IssueInvoice(w.staff(), in) })
	}
	w.at("2026-06-09T18:00:00Z") // 91, 90, 61, 60 and 30 days later
	aging := must(t, func() ([]db.Aging, error) { return w.Aging(w.login(access.Invoices), 0) })
	if want := (db.Aging{Currency: "MXN", Days30: 11600, Days60: 11600, Days90: 23200, Older: 11600, Total: 58000}); len(aging) != 1 || aging[0] != want {
		t.Fatalf("%+v", aging)
	}
	list := must(t, func() (db.List[db.Invoice], error) {
		return w.Invoices(w.staff(), billing.InvoiceQuery{Order: db.InvoiceOrder{By: "folio", Ascending: true}}, db.Page{})
	})
	w.pay(list.Rows[0], 11600)
	must(t, func() (db.Invoice, error) {
		return w.CancelInvoice(w.staff(), billing.CloseInput{InvoiceID: list.Rows[1].ID, Reason: "x"})
	})
	must(t, func() (db.CreditNote, error) {
		return w.IssueCreditNote(w.staff(), billing.CreditNoteInput{InvoiceID: list.Rows[2].ID, Lines: []billing.LineInput{line("10")}, Reason: "x", RequestKey: w.key()})
	})
	statement := must(t, func() (billing.Statement, error) {
		return w.Statement(w.login(access.Invoices), billing.StatementQuery{ClientID: w.client.ID, From: "2026-06-01"})
	})
	rows := statement.Rows
	if statement.Charges != 0 || statement.Payments != 24360 || statement.Balance != 33640 || statement.More {
		t.Fatalf("%+v", statement)
	}
	got := []string{}
	for _, r := range rows {
		got = append(got, fmt.Sprintf("%s %d", r.Kind, r.Balance))
	}
	if strings.Join(got, ", ") != "opening 58000, cancellation 46400, credit_note 45240, payment 33640" {
		t.Fatal(got)
	}
	open := must(t, func() ([]db.InvoiceTotals, error) { return w.OpenTotals(w.staff(), w.client.ID) })
	if int64(open[0].Balance) != 33640 {
		t.Fatalf("the statement ends with %d, %d are owed", rows[len(rows)-1].Balance, open[0].Balance)
	}
	months := must(t, func() ([]db.MonthPaid, error) { return w.PaidPerMonth(w.staff(), "2026-01-01", "2026-12-31") })
	if len(months) != 1 || months[0].Month != "2026-06-01" || months[0].Amount != 11600 {
		t.Fatalf("%+v", months)
	}
}

func TestExport(t *testing.T) {
	w := newWorld(t)
	if _, err := w.sql.Exec(`UPDATE client SET name = '=HYPERLINK("http://mal.example")'`); err != nil {
		t.Fatal(err)
	}
	in := w.input("1234.50")
	in.ExternalRef = "+SUM(A1)"
	row := must(t, func() (db.Invoice, error) { return w.IssueInvoice(w.staff(), in) })
	var out bytes.Buffer
	if err := w.ExportInvoices(w.login(access.Invoices), billing.InvoiceQuery{}, &out); err != nil {
		t.Fatal(err)
	}
	if got := strings.Split(out.String(), "\n")[1]; got != `F-1,'+SUM(A1),"'=HYPERLINK(""http://mal.example"")",,2026-03-10,2026-03-31,issued,MXN,1,1234.50,0.00,197.52,0.00,1432.02,0.00,0.00,1432.02` {
		t.Fatal(got)
	}
	w.issue("10")
	out.Reset()
	if err := w.WriteZIP(w.login(access.Invoices), billing.InvoiceQuery{IssuedFrom: "2026-03-01", IssuedTo: "2026-03-31"}, &out, "192.0.2.1"); err != nil {
		t.Fatal(err)
	}
	archive, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil || len(archive.File) != 2 || archive.File[0].Name != "F-1.pdf" {
		t.Fatalf("%v %v", archive, err)
	}
	log := must(t, func() ([]db.InvoiceDownload, error) { return w.Downloads(w.staff(), row.ID) })
	if len(log) != 1 || log[0].LoginID != 1 || log[0].StaffID != 0 || log[0].Address != "192.0.2.1" || log[0].Who != "persona@cliente.example" || log[0].At.IsZero() {
		t.Fatalf("logged: %+v", log)
	}
	if _, err := w.Downloads(w.login(access.Invoices), row.ID); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a sub-account reads who downloaded: %v", err)
	}
	if seen := must(t, func() (map[id.Invoice][]db.InvoiceDownload, error) {
		return w.InvoiceDownloads(w.login(access.Invoices), []id.Invoice{row.ID})
	}); len(seen) != 0 {
		t.Errorf("a sub-account reads who downloaded: %+v", seen)
	}
	owner := access.With(t.Context(), access.Actor{Kind: access.Login, Login: 1, Grants: []access.Grant{{Client: w.client.ID, Owner: true}}})
	file := must(t, func() (billing.Download, error) { return w.OpenInvoicePDF(w.staff(), row.ID, "192.0.2.9") })
	_ = file.Close()
	log = must(t, func() ([]db.InvoiceDownload, error) { return w.Downloads(owner, row.ID) })
	if len(log) != 2 || log[0].StaffID != 1 || log[0].Who != "" || log[0].Address != "" || log[1].Who == "" {
		t.Errorf("the owner reads %+v", log)
	}
}

// text is what people read in a PDF.
func text(t *testing.T, d billing.Download) string {
	t.Helper()
	defer func() { _ = d.Close() }()
	tool := exec.Command("pdftotext", "-layout", "-", "-")
	tool.Stdin = d
	out, err := tool.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Join(strings.Fields(string(out)), " ")
}

func TestDocumentMarks(t *testing.T) {
	w := newWorld(t)
	row := w.issue("1499.00", "349.00")
	open := func() string {
		t.Helper()
		row = w.reload(row)
		if row.PDFKey == "" {
			_, err := w.OpenInvoicePDF(w.staff(), row.ID, "")
			wrong(t, err, "", "PDF_NOT_READY")
			jobs := must(t, func() ([]db.OutboxRow, error) { return w.store.TakeJobs(t.Context(), 100, 0) })
			if len(jobs) == 0 {
				t.Fatal("nothing asked for the PDF")
			}
			job := billing.RenderJob{InvoiceID: row.ID, Version: row.UpdatedAt.UnixMicro()}
			if err := w.RenderPDF(w.system(), job); err != nil {
				t.Fatal(err)
			}
		}
		return text(t, must(t, func() (billing.Download, error) { return w.OpenInvoicePDF(w.staff(), row.ID, "") }))
	}
	expect := func(got string, parts ...string) {
		t.Helper()
		for _, part := range parts {
			if !strings.Contains(got, part) {
				t.Errorf("%q is not in %s", part, got)
			}
		}
	}
	expect(open(), "F-1", "Por pagar", "DOS MIL CIENTO CUARENTA Y TRES PESOS 68/100 M.N.", billing.PaymentReference(w.client.ID), "2,143.68", "Café Ficticio")
	w.at("2026-04-01T18:00:00Z") // nothing but the date has changed
	expect(open(), "Vencida")
	w.pay(row, 214368)
	expect(open(), "Pagada", "Pagada por completo")
	note := must(t, func() (db.CreditNote, error) {
		return w.IssueCreditNote(w.staff(), billing.CreditNoteInput{InvoiceID: row.ID, Lines: []billing.LineInput{line("100")}, Reason: "Descuento acordado", RequestKey: w.key()})
	})
	expect(text(t, must(t, func() (billing.Download, error) { return w.OpenCreditNotePDF(w.login(access.Invoices), note.ID) })),
		"Nota de crédito", "NC-1", "F-1", "116.00", "Descuento acordado")
	in := w.input("1")
	in.DueDate = "2026-05-01"
	row = must(t, func() (db.Invoice, error) { return w.IssueInvoice(w.staff(), in) })
	must(t, func() (db.Invoice, error) {
		return w.CancelInvoice(w.staff(), billing.CloseInput{InvoiceID: row.ID, Reason: "x"})
	})
	expect(open(), "Cancelada")
	if _, err := w.sql.Exec("UPDATE client SET language = 'en'"); err != nil {
		t.Fatal(err)
	}
	in.RequestKey = w.key()
	row = must(t, func() (db.Invoice, error) { return w.SaveDraft(w.staff(), billing.SaveDraftInput{IssueInput: in}) })
	must(t, func() (db.Invoice, error) { return w.RequestInvoicePDF(w.staff(), row.ID) })
	expect(open(), "Invoice", "Draft", "MX$1.16")
}

func TestStatementFiles(t *testing.T) {
	w := newWorld(t)
	row := w.issue("100")
	if _, err := w.sql.Exec("UPDATE client SET name = '=MALO()'"); err != nil {
		t.Fatal(err)
	}
	must(t, func() (db.Payment, error) {
		return w.ReceivePayment(w.staff(), billing.ReceiveInput{ClientID: w.client.ID, Amount: 20000, Method: "transfer", Reference: "=1+1", ExcessToCredit: true, RequestKey: w.key(),
			Invoices: []billing.Allocation{{InvoiceID: row.ID}}})
	})
	query := billing.StatementQuery{ClientID: w.client.ID}
	for lang, want := range map[string]string{
		"es-MX": "\ufeffFecha,Movimiento,Referencia,Cargo,Abono,Saldo,Moneda\n2025-03-10,Saldo anterior,,0.00,0.00,0.00,MXN\n" +
			"2026-03-10,Factura,F-1,116.00,0.00,116.00,MXN\n2026-03-10,Pago,'=1+1,0.00,200.00,-84.00,MXN\n",
		"en": "\ufeffDate,Movement,Reference,Charge,Payment,Balance,Currency\n2025-03-10,Opening balance,,0.00,0.00,0.00,MXN\n" +
			"2026-03-10,Invoice,F-1,116.00,0.00,116.00,MXN\n2026-03-10,Payment,'=1+1,0.00,200.00,-84.00,MXN\n",
	} {
		var out bytes.Buffer
		if err := w.ExportStatement(w.login(access.Invoices), query, lang, &out); err != nil || out.String() != want {
			t.Errorf("%v\n%s\nwant\n%s", err, out.String(), want)
		}
	}
	file := must(t, func() (billing.Download, error) { return w.OpenStatementPDF(w.login(access.Invoices), query) })
	head := make([]byte, 4)
	if _, err := file.Read(head); err != nil || string(head) != "%PDF" || file.Name != "estado-de-cuenta-2026-03-10.pdf" {
		t.Errorf("%s %q %v", file.Name, head, err)
	}
	for _, c := range []struct {
		change     func(*billing.StatementQuery)
		path, code string
	}{
		{func(q *billing.StatementQuery) { q.From, q.To = "2026-02-02", "2026-02-01" }, "to", "DATE_RANGE"},
		{func(q *billing.StatementQuery) { q.Currency = "XXX" }, "currency", "CURRENCY_UNKNOWN"},
	} {
		bad := query
		c.change(&bad)
		_, err := w.Statement(w.login(access.Invoices), bad)
		wrong(t, err, c.path, c.code)
		wrong(t, w.ExportStatement(w.login(access.Invoices), bad, "en", &bytes.Buffer{}), c.path, c.code)
	}
	if err := w.ExportStatement(w.login(access.Emails), query, "en", &bytes.Buffer{}); !fault.Is(err, fault.Forbidden) {
		t.Error(err)
	}
	wrong(t, w.WriteZIP(w.login(access.Invoices), billing.InvoiceQuery{IssuedTo: "2020-01-01"}, &bytes.Buffer{}, ""), "", "ZIP_EMPTY")
}

// Where the money of payments is, read for many at once.
func TestPaymentAllocations(t *testing.T) {
	w := newWorld(t)
	a, b := w.issue("100"), w.issue("50")
	paid := must(t, func() (db.Payment, error) {
		return w.ReceivePayment(w.staff(), billing.ReceiveInput{ClientID: w.client.ID, Amount: 20000, Method: "transfer", ExcessToCredit: true, RequestKey: w.key(),
			Invoices: []billing.Allocation{{InvoiceID: b.ID}, {InvoiceID: a.ID}}})
	})
	must(t, func() (db.CreditNote, error) {
		return w.IssueCreditNote(w.staff(), billing.CreditNoteInput{InvoiceID: a.ID, Lines: []billing.LineInput{line("10")}, Reason: "x", RequestKey: w.key()})
	})
	parts := must(t, func() (map[id.Payment][]db.PaymentAllocation, error) {
		return w.PaymentAllocations(w.login(access.Invoices), []id.Payment{paid.ID})
	})[paid.ID]
	if fmt.Sprint(parts) != fmt.Sprintf("[{pay_%d inv_%d F-1 11600} {pay_%d inv_%d F-2 5800} {pay_%d inv_0  2600}]", int(paid.ID), int(a.ID), int(paid.ID), int(b.ID), int(paid.ID)) {
		t.Error(parts)
	}
	payments := must(t, func() (map[id.Invoice][]db.Payment, error) {
		return w.InvoicePayments(w.login(access.Invoices), []id.Invoice{a.ID, b.ID})
	})
	if payments[a.ID][0].Applied != 11600 || payments[b.ID][0].Applied != 5800 || payments[a.ID][0].Amount != 20000 {
		t.Error(payments)
	}
	notes := must(t, func() (map[id.Invoice][]db.CreditNote, error) {
		return w.InvoiceCreditNotes(w.login(access.Invoices), []id.Invoice{a.ID, b.ID})
	})
	if len(notes[a.ID]) != 1 || len(notes[b.ID]) != 0 {
		t.Error(notes)
	}
	// Whoever lacks the permission, or belongs to another client, gets nothing of them.
	other := access.With(t.Context(), access.Actor{Kind: access.Login, Login: 1, Grants: []access.Grant{{Client: w.client.ID + 1, Owner: true}}})
	for _, ctx := range []context.Context{w.login(access.Emails), other} {
		if got, err := w.PaymentAllocations(ctx, []id.Payment{paid.ID}); err != nil || len(got) != 0 {
			t.Error(got, err)
		}
		if got, err := w.InvoicePayments(ctx, []id.Invoice{a.ID}); err != nil || len(got) != 0 {
			t.Error(got, err)
		}
		if got, err := w.InvoiceCreditNotes(ctx, []id.Invoice{a.ID}); err != nil || len(got) != 0 {
			t.Error(got, err)
		}
	}
}

// The nightly comparison finds what is wrong, is kept for staff to read, and is made once a night.
func TestLedgerCheck(t *testing.T) {
	w := newWorld(t)
	if _, err := w.LedgerCheck(w.staff()); !fault.Is(err, fault.NotFound) {
		t.Fatalf("before the first: %v", err)
	}
	if err := w.CheckLedger(w.staff()); !fault.Is(err, fault.Forbidden) {
		t.Fatalf("staff: %v", err)
	}
	if _, err := w.LedgerCheck(w.login(access.Invoices)); !fault.Is(err, fault.Forbidden) {
		t.Fatalf("a client: %v", err)
	}
	check := func(at string) db.LedgerCheck {
		t.Helper()
		w.at(at)
		if err := w.CheckLedger(access.With(w.Context(), access.SystemActor())); err != nil {
			t.Fatal(err)
		}
		return must(t, func() (db.LedgerCheck, error) { return w.LedgerCheck(w.staff()) })
	}
	if _, err := w.sql.Exec("UPDATE staff SET role = 'readonly' WHERE id = 1; SELECT setval(pg_get_serial_sequence('staff', 'id'), 10)"); err != nil {
		t.Fatal(err)
	}
	for n, role := range []access.Role{access.Admin, access.Billing, access.Support, access.ReadOnly} {
		person := db.Staff{Name: "P", Email: fmt.Sprintf("p%d@nube.example", n), Role: role, Active: true, Language: "es-MX"}
		if err := w.store.AddStaff(t.Context(), &person); err != nil {
			t.Fatal(err)
		}
	}
	row, other := w.issue("100"), w.issue("50")
	if got := check("2026-06-09T15:00:00Z"); len(got.Gaps) > 0 {
		t.Fatalf("%+v", got.Gaps)
	}
	if _, err := w.sql.Exec("UPDATE invoice SET paid = 700, status = 'partly_paid' WHERE id = $1", row.ID); err != nil {
		t.Fatal(err)
	}
	for at, gaps := range map[string]int{"2026-06-09T16:00:00Z": 0, "2026-06-10T08:59:00Z": 0} {
		if got := check(at); len(got.Gaps) != gaps {
			t.Errorf("%s is no time to look: %+v", at, got)
		}
	}
	got := check("2026-06-10T09:10:00Z")
	if len(got.Gaps) != 1 || got.Gaps[0] != (db.LedgerGap{What: "invoice", Subject: row.Number, Stored: 700}) {
		t.Fatalf("%+v", got)
	}
	if again := check("2026-06-10T09:50:00Z"); !again.CheckedAt.Equal(got.CheckedAt) {
		t.Errorf("looked twice in a night")
	}
	// What is new is mailed once to each person who may change billing, and what was told is not told again.
	told := func() (jobs int, subjects string) {
		t.Helper()
		err := w.sql.QueryRow(`SELECT count(*), coalesce(string_agg(DISTINCT gap ->> 'subject', ' '), '') FROM outbox
			CROSS JOIN LATERAL jsonb_array_elements(payload -> 'gaps') AS gap WHERE kind = 'billing:ledger-gaps'`).Scan(&jobs, &subjects)
		if err != nil {
			t.Fatal(err)
		}
		return jobs, subjects
	}
	if jobs, subjects := told(); jobs != 2 || subjects != row.Number {
		t.Errorf("%d mails about %q", jobs, subjects)
	}
	if _, err := w.sql.Exec("DELETE FROM outbox"); err != nil {
		t.Fatal(err)
	}
	check("2026-06-11T09:10:00Z")
	if jobs, subjects := told(); jobs != 0 {
		t.Errorf("told again: %d mails about %q", jobs, subjects)
	}
	if _, err := w.sql.Exec("UPDATE invoice SET paid = 800, status = 'partly_paid' WHERE id = $1", other.ID); err != nil {
		t.Fatal(err)
	}
	if got := check("2026-06-12T09:10:00Z"); len(got.Gaps) != 2 {
		t.Fatalf("%+v", got)
	}
	if jobs, subjects := told(); jobs != 2 || subjects != other.Number {
		t.Errorf("%d mails about %q", jobs, subjects)
	}
}
