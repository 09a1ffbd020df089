package fiscal_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
)

// What waits for documents: receipts until the 5th, sales until the month's end, payments on account.
func TestPending(t *testing.T) {
	o := newOffice(t)
	o.profile()
	o.globals("04", db.CFDIOnPayment)
	o.must(o.service.SetWhen(system(t.Context()), o.client.ID, db.CFDIOnIssue))
	owed := o.issue(hosting("1000.00"))
	o.work()
	o.mu.Lock()
	o.fault = sandbox.Unavailable
	o.mu.Unlock()
	o.pay(owed, 58000, "p1")
	for range 2 { // the fact, then the receipt's first attempt
		rows, err := o.store.TakeJobs(t.Context(), 100, time.Hour)
		o.must(err)
		for _, job := range rows {
			o.must(do(system(t.Context()), o.service, job))
		}
	}
	o.must(o.service.SetWhen(system(t.Context()), o.client.ID, db.CFDIOnRequest))
	sale := o.issue(hosting("500.00"))
	o.pay(sale, sale.Total, "p2")
	o.receive(30000, "advance")
	ctx := system(t.Context())
	for _, c := range []struct {
		at              time.Time
		overdue, urgent bool
	}{
		{time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC), false, false},
		{time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC), false, true},
		{time.Date(2026, 12, 6, 5, 59, 59, 0, time.UTC), false, true}, // the 5th in central Mexico
		{time.Date(2026, 12, 6, 6, 0, 0, 0, time.UTC), true, true},
	} {
		o.clock = c.at
		got, err := o.service.Pending(ctx)
		o.must(err)
		if len(got.Receipts) != 1 || got.Receipts[0].InvoiceID != owed.ID || got.Receipts[0].Amount != 58000 || got.Receipts[0].Status != db.CFDISealed || got.Receipts[0].Overdue(c.at) != c.overdue {
			t.Errorf("%v: %+v", c.at, got.Receipts)
		}
		if len(got.Sales) != 1 || got.Sales[0].ID != sale.ID || got.Sales[0].Until.In(fiscal.ZonaCentro()).Format("01-02 15:04:05") != "11-30 23:59:59" {
			t.Errorf("%v: %+v", c.at, got.Sales)
		}
		if len(got.OnAccount) != 1 || got.OnAccount[0].Amount != 30000 {
			t.Errorf("%v: %+v", c.at, got.OnAccount)
		}
		urgent, err := o.service.Urgent(ctx)
		if err != nil || (urgent.Receipts == 1) != c.urgent {
			t.Errorf("%v: %+v %v", c.at, urgent, err)
		}
	}
	if _, err := o.service.Pending(access.With(t.Context(), actor(o.client.ID, access.Permissions()...))); !fault.Is(err, fault.Forbidden) {
		t.Errorf("a login: %v", err)
	}
}

// sat answers for the SAT, and counts.
type sat struct {
	*sandbox.Sandbox
	asked  atomic.Int64
	silent bool
}

func (s *sat) Status(ctx context.Context, q fiscal.StatusQuery) (*fiscal.Status, error) {
	s.asked.Add(1)
	if s.silent {
		return nil, &fiscal.PACError{Kind: fiscal.KindUnavailable, Code: "708"}
	}
	return s.Sandbox.Status(ctx, q)
}

// At night the SAT is asked for every document in force once a week; what was cancelled elsewhere is taken over and shown
// to staff. A SAT that does not answer is left alone.
func TestCheckAtNight(t *testing.T) {
	o := newOffice(t)
	o.profile()
	query := &sat{Sandbox: o.pac}
	o.service.SAT = query
	ctx := system(t.Context())
	var rows []db.CFDI
	for i := range 3 {
		invoice := o.issue(hosting("100.00"))
		o.pay(invoice, invoice.Total, "p"+string(rune('a'+i)))
		o.work()
		rows = append(rows, o.one(invoice))
	}
	// The issuer cancels one in the SAT's portal: below 1,000 pesos nobody is asked.
	_, err := o.pac.Cancel(ctx, fiscal.CancelRequest{RfcEmisor: "EKU9003173C9", UUID: rows[1].UUID, Motivo: "02", Fecha: o.clock, CSD: testCSD(t, "EKU9003173C9")})
	o.must(err)
	o.must(o.service.CheckStamped(ctx)) // by day
	if query.asked.Load() != 0 {
		t.Fatalf("%d questions by day", query.asked.Load())
	}
	o.clock = time.Date(2026, 11, 21, 9, 10, 0, 0, time.UTC) // 3:10 in central Mexico
	query.silent = true
	o.must(o.service.CheckStamped(ctx))
	if n := query.asked.Load(); n != 3 {
		t.Errorf("%d questions to a silent SAT", n)
	}
	query.silent = false
	started := time.Now()
	o.must(o.service.CheckStamped(ctx))
	if took := time.Since(started); took < 400*time.Millisecond {
		t.Errorf("three questions in %v", took)
	}
	o.must(o.service.CheckStamped(ctx)) // the same night again
	if n := query.asked.Load(); n != 6 {
		t.Errorf("%d questions", n)
	}
	if row := o.read(rows[1]); row.Status != db.CFDICancelled || row.Estado != fiscal.EstadoCancelado || row.CancelRound != 0 {
		t.Errorf("%s %s", row.Status, row.Estado)
	}
	pending, err := o.service.Pending(ctx)
	o.must(err)
	if len(pending.Elsewhere) != 1 || pending.Elsewhere[0].ID != rows[1].ID {
		t.Errorf("%+v", pending.Elsewhere)
	}
	o.clock = o.clock.AddDate(0, 0, 7).Add(5 * time.Minute)
	o.must(o.service.CheckStamped(ctx))
	if n := query.asked.Load(); n != 8 {
		t.Errorf("%d questions a week later", n)
	}
}
