package fiscal_test

import (
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// A credit note of a stamped invoice becomes a document by itself: related, to the same receiver, with its own lines.
func TestCreditNoteBecomesDocument(t *testing.T) {
	o := newOffice(t)
	o.profile()
	invoice := o.issue(hosting("1499.00"), billing.LineInput{Description: "Libro", Quantity: money.Int(1), UnitPrice: money.Must("500"), Treatment: billing.IVA0})
	invoice = o.pay(invoice, invoice.Total, "p")
	o.work()
	ingreso := o.stamped(invoice, db.CFDIIngreso)[0]
	mails := len(o.sent)
	o.credit(invoice, billing.CreditNoteInput{Lines: []billing.LineInput{hosting("500.00")}})
	o.credit(invoice, billing.CreditNoteInput{Lines: []billing.LineInput{{Description: "Devolución de licencia", Quantity: money.Int(1), UnitPrice: money.Must("100"),
		ClaveProdServ: "81112501", ClaveUnidad: "E48"}}, Reason: "Devolución", Return: true})
	o.work()
	notes := o.stamped(invoice, db.CFDIEgreso)
	if len(notes) != 2 {
		t.Fatalf("%d credit notes", len(notes))
	}
	c, returned := notes[0], notes[1]
	if c.TipoDeComprobante != "E" || c.SubTotal != "500.00" || c.Total != "580.00" || c.Impuestos.TotalImpuestosTrasladados != "80.00" || c.MetodoPago != "PUE" ||
		c.FormaPago != "03" || c.Receptor.UsoCFDI != "G02" || c.Receptor.Rfc != "URE180429TM6" || c.Serie != "NC" || c.Conceptos[0].ClaveProdServ != "84111506" ||
		c.Conceptos[0].ClaveUnidad != "ACT" || len(c.Relacionados("01")) != 1 || c.Relacionados("01")[0] != ingreso.Timbre().UUID {
		t.Errorf("%+v", c)
	}
	if len(returned.Relacionados("03")) != 1 || len(returned.Relacionados("01")) != 0 || returned.Conceptos[0].ClaveProdServ != "81112501" || returned.Total != "116.00" {
		t.Errorf("%+v", returned)
	}
	if got := len(o.sent) - mails; got != 4 {
		t.Errorf("%d mails of two credit notes to two recipients", got)
	}
	// The same fact again adds nothing.
	o.must(o.service.Follow(system(t.Context()), billing.Changed(invoice)))
	o.work()
	if o.stamps() != 3 {
		t.Errorf("%d stamps", o.stamps())
	}
	o.verify(t, 3)
}

// What was credited before the invoice's own document is stamped waits for it; what was credited as a whole has none.
func TestCreditNoteBeforeDocument(t *testing.T) {
	o := newOffice(t)
	o.profile()
	invoice := o.issue(hosting("1000.00"))
	o.credit(invoice, billing.CreditNoteInput{Lines: []billing.LineInput{hosting("100.00")}})
	o.work()
	if rows := o.documents(invoice); len(rows) != 0 {
		t.Fatalf("%+v", rows)
	}
	invoice = o.pay(invoice, 104400, "p")
	o.work()
	if c := o.stamped(invoice, db.CFDIIngreso)[0]; c.Total != "1160.00" || c.FormaPago != "03" {
		t.Errorf("%+v", c)
	}
	if c := o.stamped(invoice, db.CFDIEgreso)[0]; c.Total != "116.00" {
		t.Errorf("%+v", c)
	}
	whole := o.issue(hosting("1000.00"))
	o.credit(whole, billing.CreditNoteInput{})
	o.work()
	if rows := o.documents(whole); len(rows) != 0 {
		t.Errorf("%+v", rows)
	}
	o.verify(t, 2)
}

// A credit note lowers what is left of a PPD invoice: the receipts count on it, by rate, to the last cent.
func TestCreditNoteLowersReceipts(t *testing.T) {
	o := newOffice(t)
	o.profile()
	o.must(o.service.SetWhen(system(t.Context()), o.client.ID, db.CFDIOnIssue))
	invoice := o.issue(hosting("1000.00"), billing.LineInput{Description: "Libro", Quantity: money.Int(1), UnitPrice: money.Must("1000"), Treatment: billing.IVA0})
	o.work()
	o.credit(invoice, billing.CreditNoteInput{Lines: []billing.LineInput{{Description: "Libro", Quantity: money.Int(1), UnitPrice: money.Must("1000"), Treatment: billing.IVA0}}})
	o.work()
	if c := o.stamped(invoice, db.CFDIEgreso)[0]; c.FormaPago != "15" || c.Total != "1000.00" || c.Impuestos.Traslados[0].TasaOCuota != "0.000000" {
		t.Errorf("%+v", c)
	}
	invoice = o.pay(invoice, 58000, "p1")
	o.work()
	invoice = o.pay(invoice, 58000, "p2")
	o.work()
	receipts := o.stamped(invoice, db.CFDIPago)
	if len(receipts) != 2 {
		t.Fatal(len(receipts))
	}
	for i, c := range receipts {
		dr := c.Pagos().Pago[0].DoctoRelacionado[0]
		want := []struct{ before, after string }{{"1160.00", "580.00"}, {"580.00", "0.00"}}[i]
		if string(dr.ImpSaldoAnt) != want.before || string(dr.ImpSaldoInsoluto) != want.after || len(dr.ImpuestosDR.TrasladosDR) != 1 || dr.ImpuestosDR.TrasladosDR[0].BaseDR != "500.00" {
			t.Errorf("%+v", dr)
		}
	}
	o.verify(t, 4)
}
