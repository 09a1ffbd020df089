package reminder_test

import (
	"database/sql"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
)

// TestPlanMillion plans 1,000,000 open invoices (or AVISA_PLAN_INVOICES) of 3 recipients each:
// under 60 s, and a second run that adds nothing under 5 s, with the memory that a small number takes. It runs when that variable is set,
// because it needs some GB of disk; a small number runs always, to keep the statement true.
func TestPlanMillion(t *testing.T) {
	invoices, bounded := 3000, false
	if text := os.Getenv("AVISA_PLAN_INVOICES"); text != "" {
		var err error
		if invoices, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
		bounded = true
	}
	address := dbtest.URL(t)
	store, err := db.Open(t.Context(), address, 8)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	dbtest.Company(t, store, at("2026-01-01 00:00"))
	dbtest.ManyInvoices(t, address, invoices)
	measured := []time.Duration{}
	for _, run := range []struct {
		now  string
		want int64
		most time.Duration
	}{
		{"2026-03-02 10:00", int64(invoices) * 3, most(invoices)}, // the issued step
		{"2026-03-02 10:01", 0, 5 * time.Second},
		{"2026-03-02 11:30", 0, most(invoices)}, // looks at all of them again
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		began := time.Now()
		got, err := store.Plan(t.Context(), db.PlanInput{Now: at(run.now)})
		took := time.Since(began)
		runtime.ReadMemStats(&after)
		allocated := (after.TotalAlloc - before.TotalAlloc) >> 10
		measured = append(measured, took)
		if err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d open invoices, %d rows added in %.2f s (%.0f a second), %d kB allocated in all", run.now, invoices, got.Planned, took.Seconds(), float64(got.Planned)/took.Seconds(), allocated)
		if got.Planned != run.want || got.Skipped != 0 {
			t.Errorf("%s: %+v, want %d", run.now, got, run.want)
		}
		if allocated > 16<<10 { // a row of each would be hundreds of MB
			t.Errorf("%s: %d kB were allocated", run.now, allocated)
		}
		if bounded && took > run.most {
			t.Errorf("%s: took %s, at most %s", run.now, took, run.most)
		}
	}
	floor := bareInsert(t, address)
	t.Logf("figure|planning %d reminders|%.2f s (one bare insert)|%.2f s|at most %.0f s|%t", invoices*3, floor.Seconds(), measured[0].Seconds(), most(invoices).Seconds(), measured[0] <= most(invoices))
	t.Logf("figure|planning again, nothing changed||%.2f s|at most 5 s|%t", measured[1].Seconds(), measured[1] <= 5*time.Second)
}

// most is a minute for a million invoices.
func most(invoices int) time.Duration {
	return max(time.Minute*time.Duration(invoices)/1_000_000, 2*time.Second)
}

// bareInsert is how long PostgreSQL needs to write the rows of the ledger when nothing must be found
// out: what no planner can go below.
func bareInsert(t *testing.T, address string) time.Duration {
	t.Helper()
	conn, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if _, err := conn.ExecContext(t.Context(), `CREATE TABLE bare (LIKE delivery INCLUDING DEFAULTS INCLUDING CONSTRAINTS, UNIQUE NULLS NOT DISTINCT (invoice_id, step_id, contact_id))`); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if _, err := conn.ExecContext(t.Context(), `INSERT INTO bare SELECT * FROM delivery ORDER BY invoice_id, step_id, contact_id`); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}
