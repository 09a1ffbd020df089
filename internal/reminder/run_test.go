package reminder_test

import (
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

// A run over many invoices (AVISA_PLAN_INVOICES, 6,000 otherwise) is answered at once and done in the
// background: by a worker that is lost in the middle, then by two at the same time; every row is counted once.
func TestRunInTheBackground(t *testing.T) {
	t.Parallel()
	invoices := 6000
	if n, err := strconv.Atoi(os.Getenv("AVISA_PLAN_INVOICES")); err == nil {
		invoices = n
	}
	address := dbtest.URL(t)
	store, err := db.Open(t.Context(), address, 8)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	w := &world{T: t, store: store, now: at("2026-03-02 10:00")}
	w.rules = &reminder.Service{Store: store, Now: func() time.Time { return w.now }, Lease: time.Minute}
	dbtest.Company(t, store, at("2026-01-01 00:00"))
	client := dbtest.Client(t, store, "Cliente", "cliente@corrida.example")
	alone := dbtest.Invoice(t, store, client, "2026-03-02", "2026-03-20", at("2026-03-02 08:00"))
	if row, err := w.rules.StartRun(w.system(), reminder.RunInput{}); err != nil || row.FinishedAt == nil || row.ID == 0 || row.Planned != 1 {
		t.Fatalf("a run over one invoice: %+v, %v", row, err)
	}
	dbtest.ManyInvoices(t, address, invoices)

	began := time.Now()
	row, err := w.rules.StartRun(w.system(), reminder.RunInput{})
	took := time.Since(began)
	if err != nil || row.ID == 0 || row.FinishedAt != nil || took > 2*time.Second {
		t.Fatalf("%+v in %s, %v", row, took, err)
	}
	t.Logf("figure|answer to a run over %d open invoices|%s", invoices, took.Round(time.Millisecond))
	if again, err := w.rules.StartRun(w.system(), reminder.RunInput{}); err != nil || again.ID != row.ID {
		t.Fatalf("asked again: %+v, %v", again, err)
	}
	if one, err := w.rules.StartRun(w.system(), reminder.RunInput{InvoiceID: alone.ID}); err != nil || one.FinishedAt == nil || one.ID != 0 || one.Planned != 2 { // for the contacts that were added since
		t.Fatalf("a run of one invoice: %+v, %v", one, err)
	}
	if other, err := w.rules.StartRun(w.system(), reminder.RunInput{Immediate: true}); err != nil || other.ID == row.ID {
		t.Fatalf("a run of another kind: %+v, %v", other, err)
	}
	if list, err := w.rules.Runs(w.system()); err != nil || len(list) != 3 || list[1].ID != row.ID || list[1].FinishedAt != nil || list[2].FinishedAt == nil || list[2].Planned != 1 || list[2].AskedBy == "" {
		t.Fatalf("%+v, %v", list, err)
	}
	if _, err := w.rules.Runs(anonymous()); !fault.Is(err, fault.Unauthenticated) && !fault.Is(err, fault.Forbidden) {
		t.Fatal(err)
	}
	// A worker that planned and did not live to say so.
	if _, err := store.Plan(t.Context(), db.PlanInput{Now: w.now, Run: row.ID}); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for range 2 {
		group.Go(func() {
			if err := w.rules.FinishRun(w.system(), reminder.RunJob{RunID: row.ID}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	w.now = w.now.Add(time.Minute)
	fail(w, w.rules.FinishRun(w.system(), reminder.RunJob{RunID: row.ID}))
	done, err := w.rules.Run(w.system(), row.ID)
	if err != nil || done.FinishedAt == nil || !done.FinishedAt.Before(w.now) || done.Planned != int64(3*invoices) || done.Skipped != 0 {
		t.Fatalf("%+v, %v, want %d planned", done, err, 3*invoices)
	}
	if next, err := w.rules.StartRun(w.system(), reminder.RunInput{}); err != nil || next.ID == row.ID {
		t.Fatalf("the run after it: %+v, %v", next, err)
	}
	if _, err := w.rules.Run(anonymous(), row.ID); !fault.Is(err, fault.Unauthenticated) && !fault.Is(err, fault.Forbidden) {
		t.Fatal(err)
	}
	if err := w.rules.FinishRun(anonymous(), reminder.RunJob{RunID: row.ID}); !fault.Is(err, fault.Forbidden) {
		t.Fatal(err)
	}
}
