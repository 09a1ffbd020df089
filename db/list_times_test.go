package db_test

import (
	"context"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// TestBillingListTimes logs how long the SQL of billing's lists, sums and reports takes, the best of three, with so many
// invoices as AVISA_LIST_INVOICES says, of a twentieth as many clients, and a deposit of the bank for each of them.
// It measures and fails at nothing slow: TestBillingLists counts what they read.
func TestBillingListTimes(t *testing.T) {
	invoices, err := strconv.Atoi(os.Getenv("AVISA_LIST_INVOICES"))
	if err != nil {
		t.Skip("AVISA_LIST_INVOICES is not set")
	}
	address := dbtest.URL(t)
	dbtest.ManyDocuments(t, address, invoices/20, invoices)
	store, err := db.Open(t.Context(), address, 1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	dbtest.Exec(t, address,
		`INSERT INTO bank_movement (fingerprint, received_on, amount, currency, reference, status, client_id, invoice_id, payment_id)
			SELECT sha256(id::text::bytea), received_on, amount, currency, reference, 'confirmed', client_id, invoice_id, id FROM payment`,
		`INSERT INTO bank_movement (fingerprint, received_on, amount, currency, reference, status)
			SELECT sha256(('open' || n)::bytea), current_date - n % 30, 100 + n, 'MXN', 'DEPOSITO ' || n, 'unmatched' FROM generate_series(1, 500) AS n`,
		`VACUUM ANALYZE bank_movement`)
	all, today := access.Reach{All: true}, date.Date(time.Now().UTC().Format("2006-01-02"))
	page := func(filter db.InvoiceFilter) func(context.Context) error {
		filter.Reach, filter.Today = all, today
		return func(ctx context.Context) error {
			_, err := store.Invoices(ctx, filter, db.Page{First: 25})
			return err
		}
	}
	sums := func(filter db.InvoiceFilter) func(context.Context) error {
		filter.Reach, filter.Today = all, today
		return func(ctx context.Context) error {
			_, _, err := store.InvoiceSums(ctx, filter)
			return err
		}
	}
	by := func(order string) db.InvoiceFilter { return db.InvoiceFilter{Order: db.InvoiceOrder{By: order}} }
	paidByBalance := by("balance")
	paidByBalance.Status = "paid"
	for _, c := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"invoices: first page", page(db.InvoiceFilter{})},
		{"by due date", page(by("due_date"))},
		{"by total", page(by("total"))},
		{"by balance", page(by("balance"))},
		{"by number", page(by("folio"))},
		{"overdue", page(db.InvoiceFilter{Status: "overdue"})},
		{"the paid by balance", page(paidByBalance)},
		{"search of a number", page(db.InvoiceFilter{Search: "F-7712"})},
		{"search of 100 clients", page(db.InvoiceFilter{Search: "panadería"})},
		{"search of a word that every client has", page(db.InvoiceFilter{Search: "sa de cv"})},
		{"sums of all", sums(db.InvoiceFilter{})},
		{"sums of one currency", sums(db.InvoiceFilter{Currency: money.USD})},
		{"sums of the paid", sums(db.InvoiceFilter{Status: "paid"})},
		{"sums of the overdue", sums(db.InvoiceFilter{Status: "overdue"})},
		{"sums of 100 clients", sums(db.InvoiceFilter{Search: "panadería"})},
		{"payments: first page", func(ctx context.Context) error {
			_, err := store.PaymentList(ctx, db.PaymentFilter{Reach: all}, db.Page{First: 25})
			return err
		}},
		{"sums of all", func(ctx context.Context) error {
			_, _, err := store.PaymentSums(ctx, db.PaymentFilter{Reach: all})
			return err
		}},
		{"deposits of the bank by state", func(ctx context.Context) error {
			_, err := store.MovementCounts(ctx)
			return err
		}},
		{"what is owed", func(ctx context.Context) error {
			_, err := store.OpenTotals(ctx, all, 0, today)
			return err
		}},
		{"aging", func(ctx context.Context) error {
			_, err := store.Aging(ctx, all, 0, today)
			return err
		}},
		{"paid in 12 months", func(ctx context.Context) error {
			_, err := store.PaidPerMonth(ctx, today.AddDays(-365), today)
			return err
		}},
	} {
		best := time.Hour
		for range 3 {
			began := time.Now()
			if err := c.do(t.Context()); err != nil {
				t.Fatalf("%s: %v", c.name, err)
			}
			best = min(best, time.Since(began))
		}
		t.Logf("%8.1f ms  %s", float64(best.Microseconds())/1000, c.name)
	}
}
