package fiscal_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// anticipo books a payment on account and stamps its document.
func (o *office) anticipo(amount money.Minor, key string) db.CFDI {
	o.Helper()
	payment := o.receive(amount, key)
	row, err := o.service.RequestAnticipo(system(o.Context()), fiscal.AnticipoInput{PaymentID: payment.ID})
	o.must(err)
	o.work()
	row, err = o.store.CFDI(o.Context(), row.ID)
	o.must(err)
	if row.Status != db.CFDIStamped {
		o.Fatalf("the anticipo is %s: %s %s", row.Status, row.Code, row.Message)
	}
	return row
}

func (o *office) applyCredit(row db.Invoice, amount money.Minor, key string) db.Invoice {
	o.Helper()
	row, err := o.billing.ApplyCredit(system(o.Context()), billing.CreditInput{InvoiceID: row.ID, Amount: amount, RequestKey: key})
	o.must(err)
	return row
}

// The procedure of the guide's appendix 6: ingreso of the anticipo, ingreso of the whole operation related 07 to it, and
// egreso of its application related 07 to that one.
func TestAnticipo(t *testing.T) {
	o := newOffice(t)
	o.profile()
	row := o.anticipo(1000000, "advance")
	a := o.parse(row.ID)
	con := a.Conceptos[0]
	if a.TipoDeComprobante != "I" || a.MetodoPago != "PUE" || a.FormaPago != "03" || a.SubTotal != "8620.69" || a.Impuestos.TotalImpuestosTrasladados != "1379.31" || a.Total != "10000.00" ||
		len(a.Conceptos) != 1 || con.ClaveProdServ != "84111506" || con.ClaveUnidad != "ACT" || con.Cantidad != "1" || con.Descripcion != "Anticipo del bien o servicio" || len(a.CfdiRelacionados) != 0 {
		t.Errorf("%+v", a)
	}
	invoice := o.issue(hosting("12931.03")) // 14,999.99
	invoice = o.applyCredit(invoice, 1000000, "apply")
	o.work()
	if docs := o.documents(invoice); len(docs) != 0 {
		t.Fatalf("documents before it is paid: %+v", docs)
	}
	invoice = o.pay(invoice, 499999, "rest")
	o.work()
	c := o.stamped(invoice, db.CFDIIngreso)[0]
	if c.Total != "14999.99" || c.MetodoPago != "PUE" || c.FormaPago != "03" || len(c.Relacionados("07")) != 1 || c.Relacionados("07")[0] != row.UUID {
		t.Errorf("%s %s %+v", c.Total, c.FormaPago, c.CfdiRelacionados)
	}
	e := o.stamped(invoice, db.CFDIEgreso)[0]
	if e.TipoDeComprobante != "E" || e.FormaPago != "30" || e.MetodoPago != "PUE" || e.Total != "10000.00" || e.SubTotal != "8620.69" || e.Conceptos[0].Descripcion != "Aplicación de anticipo" ||
		e.Conceptos[0].ClaveProdServ != "84111506" || e.Conceptos[0].ClaveUnidad != "ACT" || len(e.Relacionados("07")) != 1 || e.Relacionados("07")[0] != c.Timbre().UUID || e.Receptor.UsoCFDI != "G02" {
		t.Errorf("%+v", e)
	}
	// The same facts again, and the request again, add nothing.
	again, err := o.service.RequestAnticipo(system(t.Context()), fiscal.AnticipoInput{PaymentID: row.PaymentID})
	o.must(err)
	o.must(o.service.Follow(system(t.Context()), billing.Changed(invoice)))
	o.work()
	if again.ID != row.ID || o.stamps() != 3 {
		t.Errorf("%s, %d stamps", again.ID, o.stamps())
	}
	// It cannot be cancelled while what it is applied by is in force.
	_, err = o.service.CancelCFDI(system(t.Context()), fiscal.CancelInput{CFDI: row.ID, Motivo: "02"})
	if !fault.Is(err, fault.Invalid) {
		t.Errorf("cancelling an applied anticipo: %v", err)
	}
	o.verify(t, 3)
}

// An invoice that anticipos pay as a whole has form 30, whatever the client's rule; one that was issued before (PPD) has
// the egreso and no receipt for that part, and its receipts count on it.
func TestAnticipoPaysAll(t *testing.T) {
	o := newOffice(t)
	o.profile()
	o.must(o.service.SetWhen(system(t.Context()), o.client.ID, db.CFDIOnRequest))
	first, second := o.anticipo(50000, "a"), o.anticipo(100000, "b")
	invoice := o.applyCredit(o.issue(hosting("1000.00")), 116000, "c")
	o.work()
	c := o.stamped(invoice, db.CFDIIngreso)[0]
	if c.FormaPago != "30" || len(c.Relacionados("07")) != 2 || c.Relacionados("07")[0] != first.UUID || c.Relacionados("07")[1] != second.UUID {
		t.Errorf("%s %+v", c.FormaPago, c.CfdiRelacionados)
	}
	notes := o.stamped(invoice, db.CFDIEgreso)
	if len(notes) != 2 || notes[0].Total != "500.00" || notes[1].Total != "660.00" {
		t.Fatalf("%d egresos: %s %s", len(notes), notes[0].Total, notes[len(notes)-1].Total)
	}
	o.must(o.service.SetWhen(system(t.Context()), o.client.ID, db.CFDIOnIssue))
	later := o.issue(hosting("1000.00"))
	o.work()
	later = o.pay(later, 16000, "p1")
	o.work()
	later = o.applyCredit(later, 34000, "d")
	o.work()
	later = o.pay(later, 66000, "p2")
	o.work()
	receipts := o.stamped(later, db.CFDIPago)
	if len(receipts) != 2 || len(o.stamped(later, db.CFDIEgreso)) != 1 {
		t.Fatalf("%d receipts, %d egresos", len(receipts), len(o.stamped(later, db.CFDIEgreso)))
	}
	for i, want := range []string{"1160.00 - 160.00 = 1000.00", "660.00 - 660.00 = 0.00"} {
		dr := receipts[i].Pagos().Pago[0].DoctoRelacionado[0]
		if got := fmt.Sprintf("%s - %s = %s", dr.ImpSaldoAnt, dr.ImpPagado, dr.ImpSaldoInsoluto); got != want || dr.NumParcialidad != fmt.Sprint(i+1) {
			t.Errorf("%s, want %s", got, want)
		}
	}
	if last := receipts[1].Pagos().Pago[0].DoctoRelacionado[0].ImpuestosDR.TrasladosDR[0]; last.BaseDR != "568.97" { // 1000.00 - 137.93 - 293.10
		t.Errorf("%+v", last)
	}
	ids, err := o.store.PaymentsWithoutReceipt(t.Context(), 0, 10)
	o.must(err)
	if len(ids) != 0 {
		t.Errorf("%v wait for receipts", ids)
	}
	o.verify(t, 9)
}

// Credit that is taken back from an invoice releases its anticipo: the egreso is cancelled, and the anticipo serves the
// next invoice. A payment that was taken back has its anticipo cancelled.
func TestAnticipoReleased(t *testing.T) {
	o := newOffice(t)
	o.profile()
	row := o.anticipo(58000, "a")
	invoice := o.applyCredit(o.issue(hosting("500.00")), 58000, "b")
	o.work()
	_, err := o.billing.ReleaseCredit(system(t.Context()), billing.CreditInput{InvoiceID: invoice.ID, Amount: 58000, RequestKey: "c"})
	o.must(err)
	o.work()
	for _, c := range o.documents(invoice) {
		if c.Kind == db.CFDIEgreso && c.Status != db.CFDICancelled {
			t.Errorf("the egreso is %s", c.Status)
		}
	}
	found, err := o.store.Anticipos(t.Context(), o.client.ID)
	o.must(err)
	if len(found) != 1 || found[0].Left() != 58000 {
		t.Fatalf("%+v", found)
	}
	other := o.applyCredit(o.issue(hosting("500.00")), 58000, "d")
	o.work()
	if c := o.stamped(other, db.CFDIIngreso)[0]; len(c.Relacionados("07")) != 1 || c.Relacionados("07")[0] != row.UUID {
		t.Errorf("%+v", c.CfdiRelacionados)
	}
	voided := o.anticipo(11600, "e")
	_, err = o.billing.VoidPayment(system(t.Context()), billing.VoidInput{PaymentID: voided.PaymentID, Reason: "Cheque devuelto"})
	o.must(err)
	o.must(o.service.FollowReceipts(system(t.Context())))
	o.work()
	if full, err := o.store.CFDI(t.Context(), voided.ID); err != nil || full.Status != db.CFDICancelled || full.CancelMotivo != "02" {
		t.Errorf("%s %v", full.Status, err)
	}
}

func TestAnticipoRefused(t *testing.T) {
	o := newOffice(t)
	payment := o.receive(58000, "a")
	ask := func(payment id.Payment, iva fiscal.IVA) string {
		_, err := o.service.RequestAnticipo(system(t.Context()), fiscal.AnticipoInput{PaymentID: payment, Treatment: iva})
		if f, ok := fault.As(err); ok {
			return f.Code
		}
		return fmt.Sprint(err)
	}
	if code := ask(payment.ID, ""); code != "FISCAL_PROFILE_MISSING" {
		t.Error(code)
	}
	o.profile()
	if code := ask(payment.ID, "iva99"); code != "INVALID" {
		t.Error(code)
	}
	invoice := o.issue(hosting("500.00"))
	whole := o.receive(58000, "b", billing.Allocation{InvoiceID: invoice.ID})
	if code := ask(whole.ID, ""); code != "FISCAL_ANTICIPO_NOTHING" {
		t.Error(code)
	}
	if code := ask(999999, ""); code != "NOT_FOUND" {
		t.Error(code)
	}
	// Credit that was spent before is no anticipo any more.
	o.applyCredit(o.issue(hosting("500.00")), 58000, "c")
	if code := ask(payment.ID, ""); code != "FISCAL_ANTICIPO_NOTHING" {
		t.Error(code)
	}
}

// A crash anywhere between the facts and the stamps leaves each of the three documents once: whatever is lost is done
// again, and what the PAC has stamped is not stamped again.
func TestAnticipoOnceAfterCrashes(t *testing.T) {
	for seed := range uint64(6) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			dice := rand.New(rand.NewPCG(seed, 7))
			o := newOffice(t)
			o.profile()
			payment := o.receive(116000, "a")
			row, err := o.service.RequestAnticipo(system(t.Context()), fiscal.AnticipoInput{PaymentID: payment.ID})
			o.must(err)
			invoice := o.applyCredit(o.issue(hosting("1000.00")), 116000, "b")
			round := func(crashes bool) {
				rows, err := o.store.TakeJobs(t.Context(), 100, 0)
				o.must(err)
				for _, job := range rows {
					o.mu.Lock()
					if o.fault = sandbox.None; crashes && dice.IntN(2) == 0 {
						o.fault = sandbox.LostReply
					}
					o.mu.Unlock()
					err := do(system(t.Context()), o.service, job)
					if err == nil && (!crashes || dice.IntN(2) == 0) { // else the process dies before it notes that the job is done
						o.must(o.store.FinishJob(t.Context(), job.ID))
					}
					o.clock = o.clock.Add(time.Minute)
				}
			}
			for range 10 {
				round(true)
			}
			for range 10 {
				round(false)
				o.clock = o.clock.Add(time.Hour)
			}
			full, err := o.store.CFDI(t.Context(), row.ID)
			o.must(err)
			if o.stamps() != 3 || full.Status != db.CFDIStamped || len(o.stamped(invoice, db.CFDIIngreso)) != 1 || len(o.stamped(invoice, db.CFDIEgreso)) != 1 {
				t.Fatalf("%d stamps, anticipo %s, %+v", o.stamps(), full.Status, o.documents(invoice))
			}
		})
	}
}

// What is given back of the credit takes its anticipos along: one as a whole is cancelled with motive 03, a part of one is
// an egreso (07), and what is left of it serves the next invoice.
func TestAnticipoRefunded(t *testing.T) {
	o := newOffice(t)
	o.profile()
	first, second := o.anticipo(58000, "a"), o.anticipo(11600, "b")
	refund := func(amount money.Minor, key string) db.Refund {
		t.Helper()
		row, err := o.billing.RecordRefund(system(t.Context()), billing.RefundInput{ClientID: o.client.ID, Amount: amount, Method: "transfer", RequestKey: key})
		o.must(err)
		o.work()
		return row
	}
	whole := refund(11600, "c")
	if got := o.read(second); got.Status != db.CFDICancelled || got.CancelMotivo != "03" {
		t.Errorf("%s %s", got.Status, got.CancelMotivo)
	}
	part := refund(23200, "d")
	o.must(o.service.FollowRefund(system(t.Context()), billing.RefundedJob{RefundID: whole.ID})) // the same facts again
	o.must(o.service.FollowRefund(system(t.Context()), billing.RefundedJob{RefundID: part.ID}))
	o.work()
	found, err := o.store.AnticipoRefunds(t.Context(), part.ID)
	o.must(err)
	if len(found) != 1 || found[0].AnticipoID != first.ID || found[0].EgresoID == 0 {
		t.Fatalf("%+v", found)
	}
	c := o.parse(found[0].EgresoID)
	amounts(t, c, "200.00", "", "32.00", "", "232.00")
	if c.TipoDeComprobante != "E" || c.FormaPago != "03" || c.Conceptos[0].Descripcion != "Devolución de anticipo" || !slices.Equal(c.Relacionados("07"), []string{first.UUID}) {
		t.Errorf("%+v", c)
	}
	if got := o.read(first); got.Status != db.CFDIStamped {
		t.Error(got.Status)
	}
	left, err := o.store.Anticipos(t.Context(), o.client.ID)
	o.must(err)
	if len(left) != 1 || left[0].Left() != 34800 {
		t.Fatalf("%+v", left)
	}
	// What is left pays an invoice; credit without an anticipo is given back without a document.
	invoice := o.applyCredit(o.issue(hosting("300.00")), 34800, "e")
	o.work()
	if c := o.stamped(invoice, db.CFDIIngreso); len(c) != 1 || !slices.Equal(c[0].Relacionados("07"), []string{first.UUID}) {
		t.Errorf("%+v", c)
	}
	o.receive(5800, "f")
	stamps := o.stamps()
	refund(5800, "g")
	if o.stamps() != stamps {
		t.Errorf("%d documents of a refund without anticipo", o.stamps()-stamps)
	}
	o.verify(t, 5)
}
