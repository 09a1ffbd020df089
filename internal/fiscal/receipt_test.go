package fiscal_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/fiscaltest"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// With an invoice (PPD) and a receipt for each payment, also for those made before the stamp.
func TestIssuedInvoiceAndReceipts(t *testing.T) {
	o := newOffice(t)
	o.profile()
	o.must(o.service.SetWhen(system(t.Context()), o.client.ID, db.CFDIOnIssue))
	invoice := o.issue()
	o.must(o.service.Follow(system(t.Context()), billing.Changed(invoice)))
	invoice = o.pay(invoice, 50000, "p1")
	o.work()
	invoice = o.pay(invoice, invoice.Balance, "p2")
	o.work()
	docs := map[string][]byte{}
	var kinds string
	for _, row := range o.documents(invoice) {
		full, err := o.service.Document(system(t.Context()), row.ID)
		o.must(err)
		kinds += row.Kind + ":" + row.Status + ":" + row.MetodoPago + " "
		docs[row.ID.String()] = full.XML
		if row.Kind == db.CFDIPago {
			if _, err := o.service.Open(system(t.Context()), row.ID, fiscal.FormatPDF); err != nil {
				t.Error(err)
			}
		}
	}
	if kinds != "ingreso:stamped:PPD"+strings.Repeat(" pago:stamped:", 2)+" " {
		t.Fatal(kinds)
	}
	last, err := fiscal.Parse(docs["cfd_3"])
	o.must(err)
	dr := last.Comprobante.Pagos().Pago[0].DoctoRelacionado[0]
	if dr.NumParcialidad != "2" || dr.ImpSaldoInsoluto.Rat().Sign() != 0 || string(dr.ImpPagado) != string(dr.ImpSaldoAnt) {
		t.Errorf("%+v", dr)
	}
	fiscaltest.VerifyAll(t, docs, o.pac.Identity().CertificatePEM(), 1)
}

// One payment over several invoices has one receipt, whichever invoice is followed first.
func TestReceiptOfSeveralInvoices(t *testing.T) {
	o := newOffice(t)
	o.profile()
	o.must(o.service.SetWhen(system(t.Context()), o.client.ID, db.CFDIOnIssue))
	a, b, c := o.issue(hosting("12931.03")), o.issue(hosting("333.33")), o.issue(hosting("100.00"))
	o.work()
	o.receive(538666, "p1", billing.Allocation{InvoiceID: a.ID, Amount: 500000}, billing.Allocation{InvoiceID: b.ID})
	o.work()
	o.receive(1021599, "p2", billing.Allocation{InvoiceID: a.ID}, billing.Allocation{InvoiceID: c.ID})
	o.work()
	first, last := o.stamped(a, db.CFDIPago), o.stamped(c, db.CFDIPago)
	if len(first) != 2 || len(o.stamped(b, db.CFDIPago)) != 1 || len(last) != 1 || o.stamps() != 5 {
		t.Fatalf("%d receipts of a, %d of c, %d stamps", len(first), len(last), o.stamps())
	}
	pago := first[0].Pagos().Pago
	if len(pago) != 1 || len(pago[0].DoctoRelacionado) != 2 || pago[0].Monto != "5386.66" || pago[0].FormaDePagoP != "03" || pago[0].NumOperacion != "SPEI 900100" ||
		pago[0].ImpuestosP.TrasladosP[0].BaseP != "4643.68" || first[0].Pagos().Totales.MontoTotalPagos != "5386.66" {
		t.Errorf("%+v", pago)
	}
	dr := first[1].Pagos().Pago[0].DoctoRelacionado
	if len(dr) != 2 || dr[0].NumParcialidad != "2" || dr[0].ImpSaldoAnt != "9999.99" || dr[0].ImpSaldoInsoluto != "0.00" || dr[0].ImpuestosDR.TrasladosDR[0].BaseDR != "8620.68" ||
		dr[0].ImpuestosDR.TrasladosDR[0].ImporteDR != "1379.31" || dr[1].NumParcialidad != "1" {
		t.Errorf("%+v", dr)
	}
	// What was paid above the debt is in the amount of the payment, and is the client's credit.
	if p := first[1].Pagos().Pago[0]; p.Monto != "10215.99" || p.DoctoRelacionado[1].ImpPagado != "116.00" {
		t.Errorf("%+v", p)
	}
	d := o.issue(hosting("50.00"))
	o.work()
	_, err := o.billing.ApplyCredit(system(t.Context()), billing.CreditInput{InvoiceID: d.ID, Amount: 5000, RequestKey: "c1"})
	o.must(err)
	o.work()
	_, err = o.billing.ApplyCredit(system(t.Context()), billing.CreditInput{InvoiceID: d.ID, Amount: 800, RequestKey: "c2"})
	o.must(err)
	o.work()
	o.verify(t, 7)
}

// A payment that was taken back has its receipt cancelled; later receipts of the invoice, which counted on it, are made
// anew in order.
func TestReceiptTakenBack(t *testing.T) {
	o := newOffice(t)
	o.profile()
	o.must(o.service.SetWhen(system(t.Context()), o.client.ID, db.CFDIOnIssue))
	a, b := o.issue(hosting("1000.00")), o.issue(hosting("200.00"))
	o.work()
	bounced := o.receive(30000, "p1", billing.Allocation{InvoiceID: a.ID})
	o.work()
	o.receive(60000, "p2", billing.Allocation{InvoiceID: a.ID, Amount: 40000}, billing.Allocation{InvoiceID: b.ID, Amount: 20000})
	o.work()
	o.receive(3200, "p3", billing.Allocation{InvoiceID: b.ID})
	o.work()
	_, err := o.billing.VoidPayment(system(t.Context()), billing.VoidInput{PaymentID: bounced.ID, Reason: "Cheque devuelto"})
	o.must(err)
	o.work()
	parts, err := o.store.Receipted(t.Context(), a.ID, b.ID)
	o.must(err)
	if len(parts) != 3 { // p2 over a and b, p3 over b
		t.Fatalf("%+v", parts)
	}
	byInvoice := map[id.Invoice][]string{}
	for _, part := range parts {
		for _, dr := range o.parse(part.CFDIID).Pagos().Pago[0].DoctoRelacionado {
			if dr.Folio == o.parse(part.RelatedID).Folio {
				byInvoice[part.InvoiceID] = append(byInvoice[part.InvoiceID], dr.NumParcialidad+": "+string(dr.ImpSaldoAnt)+" - "+string(dr.ImpPagado))
			}
		}
	}
	if got := byInvoice[a.ID]; !slices.Equal(got, []string{"1: 1160.00 - 400.00"}) {
		t.Error(got)
	}
	if got := byInvoice[b.ID]; !slices.Equal(got, []string{"1: 232.00 - 200.00", "2: 32.00 - 32.00"}) {
		t.Error(got)
	}
	cancelled := 0
	for _, row := range append(o.documents(a), o.documents(b)...) {
		if row.Status == db.CFDICancelled || row.Status == db.CFDICancelPending {
			cancelled++
			if row.CancelMotivo != "02" {
				t.Error(row.CancelMotivo)
			}
		}
	}
	if cancelled != 4 { // the first of a, the old one of both, seen from each, the third of b
		t.Errorf("%d cancelled", cancelled)
	}
	o.verify(t, 7)
}

// A receipt waits for the own documents of all its invoices, until the next month begins.
func TestReceiptWaitsForDocuments(t *testing.T) {
	o := newOffice(t)
	o.profile()
	o.must(o.service.SetWhen(system(t.Context()), o.client.ID, db.CFDIOnIssue))
	a := o.issue(hosting("1000.00"))
	o.work()
	b := o.issue(hosting("500.00"))
	o.must(o.service.Follow(system(t.Context()), billing.Changed(b)))
	o.receive(174000, "p", billing.Allocation{InvoiceID: a.ID}, billing.Allocation{InvoiceID: b.ID})
	o.must(o.service.Follow(system(t.Context()), billing.Changed(a)))
	if rows := o.documents(a); len(rows) != 1 {
		t.Fatalf("%+v", rows)
	}
	t.Run("stamped late", func(t *testing.T) {
		o.clock = time.Date(2026, 12, 1, 6, 0, 1, 0, time.UTC)
		o.must(o.service.FollowReceipts(system(t.Context())))
		if rows := o.documents(a); len(rows) != 2 || rows[1].Kind != db.CFDIPago {
			t.Fatalf("%+v", rows)
		}
	})
	o.work()
	if got := o.stamped(b, db.CFDIPago); len(got) != 1 || len(got[0].Pagos().Pago[0].DoctoRelacionado) != 1 || got[0].Pagos().Pago[0].Monto != "580.00" {
		t.Errorf("%+v", got)
	}
	o.verify(t, 4)
}

// Dollars: the receipt has the rate of the day of the payment, or waits for staff to enter it.
func TestReceiptInDollars(t *testing.T) {
	o := newOffice(t)
	o.profile()
	o.must(o.service.SetWhen(system(t.Context()), o.client.ID, db.CFDIOnIssue))
	rate := func(day date.Date, value string) {
		_, err := o.billing.SetExchangeRate(system(t.Context()), billing.ExchangeRateInput{Currency: money.USD, Day: day, Rate: money.Must(value), Source: "DOF"})
		o.must(err)
	}
	rate("2026-11-19", "18.4521")
	invoice, err := o.billing.IssueInvoice(system(t.Context()), billing.IssueInput{ClientID: o.client.ID, DueDate: "2026-12-10", Currency: money.USD, Lines: []billing.LineInput{hosting("49.99")}})
	o.must(err)
	o.work()
	if c := o.stamped(invoice, db.CFDIIngreso)[0]; c.Moneda != "USD" || c.TipoCambio != "18.4521" || c.Total != "57.99" || c.Impuestos.TotalImpuestosTrasladados != "8.00" {
		t.Errorf("%+v", c)
	}
	o.clock = o.clock.Add(12 * 24 * time.Hour)
	o.receive(5799, "p", billing.Allocation{InvoiceID: invoice.ID})
	o.work()
	rows := o.documents(invoice)
	if row := rows[len(rows)-1]; row.Status != db.CFDIStampFailed || row.Code != "CRP20214" {
		t.Fatalf("%s %s", row.Status, row.Code)
	}
	rate("2026-12-01", "18.1234")
	row, err := o.store.CFDI(t.Context(), rows[len(rows)-1].ID)
	o.must(err)
	row.Status = db.CFDIDraft // staff asks again
	o.must(o.store.SaveCFDI(t.Context(), &row))
	_, err = o.attempt(row)
	o.must(err)
	p := o.stamped(invoice, db.CFDIPago)[0].Pagos()
	if p.Pago[0].MonedaP != "USD" || p.Pago[0].TipoCambioP != "18.1234" || p.Totales.MontoTotalPagos != "1050.98" || p.Pago[0].DoctoRelacionado[0].EquivalenciaDR != "1" {
		t.Errorf("%+v", p)
	}
	o.verify(t, 2)
}

// A second payment in dollars has the rate of its own day.
func TestSecondReceiptInDollars(t *testing.T) {
	o := newOffice(t)
	o.profile()
	o.must(o.service.SetWhen(system(t.Context()), o.client.ID, db.CFDIOnIssue))
	rate := func(day date.Date, value string) {
		_, err := o.billing.SetExchangeRate(system(t.Context()), billing.ExchangeRateInput{Currency: money.USD, Day: day, Rate: money.Must(value), Source: "DOF"})
		o.must(err)
	}
	rate("2026-11-19", "18.4521")
	invoice, err := o.billing.IssueInvoice(system(t.Context()), billing.IssueInput{ClientID: o.client.ID, DueDate: "2026-12-10", Currency: money.USD, Lines: []billing.LineInput{hosting("1000.00")}})
	o.must(err)
	o.work()
	o.receive(50000, "p1", billing.Allocation{InvoiceID: invoice.ID, Amount: 50000})
	o.work()
	o.clock = o.clock.Add(12 * 24 * time.Hour)
	rate("2026-12-01", "17.0000")
	o.receive(66000, "p2", billing.Allocation{InvoiceID: invoice.ID, Amount: 66000})
	o.work()
	var got []string
	for _, r := range o.stamped(invoice, db.CFDIPago) {
		p := r.Pagos()
		got = append(got, fmt.Sprintf("%s %s %s", p.Pago[0].FechaPago[:10], p.Pago[0].TipoCambioP, p.Totales.MontoTotalPagos))
	}
	if want := []string{"2026-11-20 18.4521 9226.05", "2026-12-02 17.00 11220.00"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	o.verify(t, 3)
}

// What goes wrong with one invoice, or with an anticipo that the law lets nobody cancel any more, keeps nobody else from its
// documents.
func TestOneFailureStopsNobodyElse(t *testing.T) {
	o := newOffice(t)
	o.profile()
	fails := func(kind string, invoice db.Invoice) {
		dbtest.Exec(t, o.address, "DROP TRIGGER IF EXISTS fails ON cfdi", "CREATE OR REPLACE FUNCTION fails() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'no'; END $$",
			fmt.Sprintf("CREATE TRIGGER fails BEFORE INSERT ON cfdi FOR EACH ROW WHEN (NEW.kind = '%s' AND NEW.invoice_id = %d) EXECUTE FUNCTION fails()", kind, invoice.ID))
	}
	late := o.anticipo(11600, "e")
	o.clock = time.Date(2027, 4, 2, 18, 0, 0, 0, time.UTC)
	_, err := o.billing.VoidPayment(system(t.Context()), billing.VoidInput{PaymentID: late.PaymentID, Reason: "Cheque devuelto"})
	o.must(err)
	o.must(o.service.SetWhen(system(t.Context()), o.client.ID, db.CFDIOnIssue))
	issue := func(client db.Client, amount string) db.Invoice {
		row, err := o.billing.IssueInvoice(system(t.Context()), billing.IssueInput{ClientID: client.ID, DueDate: "2027-05-01", Lines: []billing.LineInput{hosting(amount)}})
		o.must(err)
		return row
	}
	a, b := issue(o.client, "1000.00"), issue(o.client, "100.00")
	o.work()
	o.must(o.service.FollowReceipts(system(t.Context())))
	fails(db.CFDIPago, a)
	for i, invoice := range []db.Invoice{a, b} {
		_, err := o.billing.RecordPayment(system(t.Context()), billing.PaymentInput{InvoiceID: invoice.ID, Amount: 1000, Method: "transfer", RequestKey: fmt.Sprint("p", i)})
		o.must(err)
	}
	dbtest.Exec(t, o.address, "DELETE FROM outbox") // the clock alone looks
	if err := o.service.FollowReceipts(system(t.Context())); err == nil {
		t.Error("nobody is told")
	}
	dbtest.Exec(t, o.address, "DROP TRIGGER fails ON cfdi")
	o.work()
	if n, m := len(o.stamped(a, db.CFDIPago)), len(o.stamped(b, db.CFDIPago)); n != 0 || m != 1 {
		t.Errorf("%d and %d receipts", n, m)
	}

	// the same of sales that fall into global invoices: what could not be looked at is in none
	o.globals("01", db.CFDIOnRequest)
	stranger := o.newClient("Público", "publico@envio.example")
	o.must(o.service.SetWhen(system(t.Context()), o.client.ID, db.CFDIOnRequest))
	own := issue(o.client, "300.00")
	own = o.pay(own, own.Total, "own")
	public := issue(stranger, "50.00")
	o.pay(public, public.Total, "public")
	o.work()
	o.must(o.service.SetWhen(system(t.Context()), o.client.ID, db.CFDIOnPayment)) // its own document is due now
	fails(db.CFDIIngreso, own)
	o.clock = o.clock.AddDate(0, 0, 1)
	if err := o.service.IssueGlobals(system(t.Context())); err == nil {
		t.Error("nobody is told")
	}
	dbtest.Exec(t, o.address, "DROP TRIGGER fails ON cfdi")
	o.work()
	globals, err := o.store.GlobalsOf(t.Context(), own.ID, public.ID)
	o.must(err)
	if _, in := globals[own.ID]; in || globals[public.ID].Status != db.CFDIStamped {
		t.Errorf("%+v", globals)
	}
	o.must(o.service.IssueGlobals(system(t.Context())))
	o.work()
	if n := len(o.stamped(own, db.CFDIIngreso)); n != 1 {
		t.Errorf("%d documents of the sale that failed", n)
	}
}
