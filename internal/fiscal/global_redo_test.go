package fiscal_test

import (
	"slices"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
)

// summedUp are three paid sales in the stamped global invoice of their month.
func (o *office) summedUp() (payments []db.Payment, sales []db.Invoice, global db.CFDI) {
	o.Helper()
	o.globals("04", db.CFDIOnRequest)
	for i, price := range []string{"100.00", "200.00", "300.00"} {
		sale := o.issue(hosting(price))
		payments = append(payments, o.receive(sale.Total, "sale"+string(rune('a'+i)), billing.Allocation{InvoiceID: sale.ID}))
		sales = append(sales, sale)
	}
	o.clock = time.Date(2026, 12, 1, 6, 30, 0, 0, time.UTC)
	o.must(o.service.IssueGlobals(system(o.Context())))
	o.work()
	rows := o.listed()
	if len(rows) != 1 || rows[0].Status != db.CFDIStamped {
		o.Fatalf("%+v", rows)
	}
	return payments, sales, rows[0]
}

// A client who asks late gets a document of its own: the global invoice is cancelled with motive 04, the document is
// stamped after that, and the other sales are summed up anew.
func TestSaleLeavesGlobal(t *testing.T) {
	o := newOffice(t)
	_, sales, global := o.summedUp()
	o.profile()
	login := access.With(t.Context(), actor(o.client.ID, access.Invoices))
	if _, err := o.service.RequestCFDI(login, fiscal.RequestInput{InvoiceID: sales[1].ID, FromGlobal: true}); !fault.Is(err, fault.Conflict) {
		t.Errorf("a login: %v", err)
	}
	for range 2 { // asked for twice
		_, err := o.service.RequestCFDI(system(t.Context()), fiscal.RequestInput{InvoiceID: sales[1].ID, FromGlobal: true})
		o.must(err)
	}
	// Its document waits until the SAT has cancelled the global one.
	rows, err := o.store.TakeJobs(t.Context(), 100, 0)
	o.must(err)
	for _, wait := range []bool{true, false} {
		for _, job := range rows {
			stamp := job.Kind == fiscal.StampJob{}.Kind()
			if stamp != wait {
				continue
			}
			if err := do(system(t.Context()), o.service, job); stamp != fault.Is(err, fault.Unavailable) {
				t.Errorf("%s: %v", job.Kind, err)
			}
		}
	}
	o.work()
	if old := o.read(global); old.Status != db.CFDICancelled || old.CancelMotivo != "04" {
		t.Fatalf("%s %s", old.Status, old.CancelMotivo)
	}
	if c := o.stamped(sales[1], db.CFDIIngreso); len(c) != 1 || c[0].Total != "232.00" || c[0].Receptor.Rfc != "URE180429TM6" || c[0].InformacionGlobal != nil {
		t.Fatalf("%+v", o.documents(sales[1]))
	}
	o.must(o.service.IssueGlobals(system(t.Context())))
	o.work()
	globals := o.listed()
	if len(globals) != 2 || globals[1].Status != db.CFDIStamped {
		t.Fatalf("%+v", globals)
	}
	if c := o.parse(globals[1].ID); c.Total != "464.00" || len(c.Conceptos) != 2 {
		t.Errorf("%s of %d sales", c.Total, len(c.Conceptos))
	}
	if o.stamps() != 3 {
		t.Errorf("%d stamps", o.stamps())
	}
}

// A sale that is not paid any more leaves its global invoice by one that takes its place (01); one of which no sale is
// left is cancelled because nothing was sold (03).
func TestRedoGlobal(t *testing.T) {
	o := newOffice(t)
	payments, sales, global := o.summedUp()
	ctx := system(t.Context())
	_, err := o.billing.VoidPayment(ctx, billing.VoidInput{PaymentID: payments[0].ID, Reason: "Contracargo"})
	o.must(err)
	o.work()
	pending, err := o.service.Pending(ctx)
	o.must(err)
	if len(pending.Changed) != 1 || pending.Changed[0].InvoiceID != sales[0].ID || pending.Changed[0].CFDIID != global.ID {
		t.Fatalf("%+v", pending.Changed)
	}
	if urgent, err := o.service.Urgent(ctx); err != nil || urgent.Changed != 1 {
		t.Errorf("%+v %v", urgent, err)
	}
	var fresh db.CFDI
	for range 2 { // asked for twice
		fresh, err = o.service.RedoGlobal(ctx, fiscal.SubstituteInput{CFDI: global.ID})
		o.must(err)
	}
	o.work()
	c := o.parse(fresh.ID)
	if c.Total != "580.00" || len(c.Conceptos) != 2 || len(c.Relacionados("04")) != 1 || c.Relacionados("04")[0] != global.UUID || c.InformacionGlobal.Meses != "11" {
		t.Errorf("%+v", c)
	}
	old := o.read(global)
	if old.Status != db.CFDICancelled || old.CancelMotivo != "01" || old.CancelSustitucion != o.read(fresh).UUID {
		t.Errorf("%s %s", old.Status, old.CancelMotivo)
	}
	if pending, err = o.service.Pending(ctx); err != nil || len(pending.Changed) != 0 {
		t.Errorf("%+v %v", pending.Changed, err)
	}
	for _, p := range payments[1:] {
		_, err := o.billing.VoidPayment(ctx, billing.VoidInput{PaymentID: p.ID, Reason: "Contracargo"})
		o.must(err)
	}
	o.work()
	row, err := o.service.RedoGlobal(ctx, fiscal.SubstituteInput{CFDI: fresh.ID})
	o.must(err)
	o.work()
	if row = o.read(row); row.ID != fresh.ID || row.Status != db.CFDICancelled || row.CancelMotivo != "03" {
		t.Errorf("%s %s", row.Status, row.CancelMotivo)
	}
	o.must(o.service.IssueGlobals(ctx))
	o.work()
	if rows := o.listed(); len(rows) != 2 || slices.ContainsFunc(rows, func(c db.CFDI) bool { return c.Status != db.CFDICancelled }) || o.stamps() != 2 {
		t.Errorf("%d globals, %d stamps", len(rows), o.stamps())
	}
}
