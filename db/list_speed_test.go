package db_test

import (
	"context"
	"database/sql"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// Lists and sums of billing find what a comparison of every document finds, and read little of the tables for it:
// counted as PostgreSQL counts the rows that it fetches.
func TestBillingLists(t *testing.T) {
	t.Parallel()
	address := dbtest.URL(t)
	dbtest.ManyDocuments(t, address, 1200, 12_000)
	conn, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	all := allInvoices(t, address)
	if gaps := ask(t, address, func(ctx context.Context, s *db.Store) ([]db.LedgerGap, error) { return s.LedgerGaps(ctx, 10) }); len(gaps) > 0 {
		t.Fatalf("%+v", gaps)
	}
	today := date.Date(time.Now().UTC().Format("2006-01-02"))
	for _, c := range []struct {
		name        string
		filter      db.InvoiceFilter
		match       func(document) bool
		list, total int64 // rows of the table that the page and its sums may read
	}{
		{"all", db.InvoiceFilter{}, func(document) bool { return true }, 100, 0},
		{"by due date", db.InvoiceFilter{Order: db.InvoiceOrder{By: "due_date", Ascending: true}}, func(document) bool { return true }, 100, 0},
		{"by total", db.InvoiceFilter{Order: db.InvoiceOrder{By: "total"}}, func(document) bool { return true }, 100, 0},
		{"by balance", db.InvoiceFilter{Order: db.InvoiceOrder{By: "balance"}}, func(document) bool { return true }, 100, 0},
		{"by number", db.InvoiceFilter{Order: db.InvoiceOrder{By: "folio"}}, func(document) bool { return true }, 100, 0},
		{"drafts by number", db.InvoiceFilter{Status: "draft", Order: db.InvoiceOrder{By: "folio"}}, func(d document) bool { return d.status == "draft" }, 200, 0},
		{"open", db.InvoiceFilter{Status: "open"}, func(d document) bool { return d.open() }, 1000, 1000},
		{"overdue", db.InvoiceFilter{Status: "overdue", Order: db.InvoiceOrder{By: "balance"}}, func(d document) bool { return d.open() && d.due < today }, 1000, 1000},
		{"paid", db.InvoiceFilter{Status: "paid"}, func(d document) bool { return d.status == "paid" }, 100, 0},
		{"dollars", db.InvoiceFilter{Currency: money.USD}, func(d document) bool { return d.currency == "USD" }, 400, 0},
		{"a number", db.InvoiceFilter{Search: "F-7712"}, func(d document) bool { return strings.Contains(d.text, "f-7712") }, 100, 100},
		{"a few clients", db.InvoiceFilter{Search: "PANADERÍA"}, func(d document) bool { return strings.Contains(d.text, "panadería") }, 500, 500},
		{"nothing", db.InvoiceFilter{Search: "zzzqqq"}, func(document) bool { return false }, 50, 50},
		{"half a number of every client", db.InvoiceFilter{Search: "ejemplo"}, func(document) bool { return false }, 50, 50},
	} {
		t.Run(c.name, func(t *testing.T) {
			want := db.InvoiceSums{Currency: c.filter.Currency}
			for _, d := range all {
				if c.match(d) {
					want.Count++
					want.Total += d.total
				}
			}
			c.filter.Reach, c.filter.Today = access.Reach{All: true}, today
			var list db.List[db.Invoice]
			if n := rowsRead(t, conn, address, "invoice", func(ctx context.Context, s *db.Store) (err error) {
				list, err = s.Invoices(ctx, c.filter, db.Page{First: 25})
				return err
			}); n > c.list {
				t.Errorf("a page reads %d invoices, at most %d are allowed", n, c.list)
			}
			if int64(len(list.Rows)) != min(25, want.Count) {
				t.Errorf("%d rows of %d", len(list.Rows), want.Count)
			}
			for _, row := range list.Rows {
				if !c.match(all[row.ID]) {
					t.Errorf("%s is listed", row.Number)
				}
			}
			got := db.InvoiceSums{Currency: c.filter.Currency}
			if n := rowsRead(t, conn, address, "invoice", func(ctx context.Context, s *db.Store) error {
				sums, more, err := s.InvoiceSums(ctx, c.filter)
				if more {
					t.Error("there are not too many to be summed")
				}
				for _, sum := range sums {
					got.Count += sum.Count
					got.Total += sum.Total
				}
				return err
			}); n > c.total {
				t.Errorf("the sums read %d invoices, at most %d are allowed", n, c.total)
			}
			if got != want {
				t.Errorf("the sums are %+v, want %+v", got, want)
			}
		})
	}
	t.Run("a word of everybody is listed and not summed", func(t *testing.T) {
		filter := db.InvoiceFilter{Reach: access.Reach{All: true}, Search: "sa de cv"}
		if n := rowsRead(t, conn, address, "invoice", func(ctx context.Context, s *db.Store) error {
			list, err := s.Invoices(ctx, filter, db.Page{First: 25})
			if len(list.Rows) != 25 {
				t.Errorf("%d rows", len(list.Rows))
			}
			return err
		}); n > 100 {
			t.Errorf("a page reads %d invoices", n)
		}
		ask(t, address, func(ctx context.Context, s *db.Store) ([]db.InvoiceSums, error) {
			sums, more, err := s.InvoiceSums(ctx, filter)
			if !more || len(sums) > 0 {
				t.Errorf("%+v, %v", sums, more)
			}
			return sums, err
		})
	})
	voided := true
	for _, c := range []struct {
		name   string
		filter db.PaymentFilter
		limit  int64
		count  int
	}{
		{"of a week", db.PaymentFilter{From: today.AddDays(-7)}, 100, 26}, {"a reference", db.PaymentFilter{Search: "spei 7712"}, 100, 1}, {"no reference", db.PaymentFilter{Search: "zzzqqq"}, 50, 0},
		{"voided", db.PaymentFilter{Voided: &voided}, 50, 0},
	} {
		t.Run("payments: "+c.name, func(t *testing.T) {
			c.filter.Reach = access.Reach{All: true}
			if n := rowsRead(t, conn, address, "payment", func(ctx context.Context, s *db.Store) error {
				list, err := s.PaymentList(ctx, c.filter, db.Page{First: 26})
				if len(list.Rows) != c.count {
					t.Errorf("%d rows, want %d", len(list.Rows), c.count)
				}
				if err == nil {
					_, _, err = s.PaymentSums(ctx, c.filter)
				}
				return err
			}); n > c.limit {
				t.Errorf("reads %d payments, at most %d are allowed", n, c.limit)
			}
		})
	}
	t.Run("reports", func(t *testing.T) {
		reach := access.Reach{All: true}
		if n := rowsRead(t, conn, address, "invoice", func(ctx context.Context, s *db.Store) error {
			if _, err := s.OpenTotals(ctx, reach, 0, today); err != nil {
				return err
			}
			_, err := s.Aging(ctx, reach, 0, today)
			return err
		}); n > 0 {
			t.Errorf("what is owed reads %d invoices, its index has it all", n)
		}
		if n := rowsRead(t, conn, address, "payment", func(ctx context.Context, s *db.Store) error {
			_, err := s.PaidPerMonth(ctx, today[:8]+"01", today)
			return err
		}); n > 0 {
			t.Errorf("what was paid this month reads %d payments, its index has it all", n)
		}
	})
}

type document struct {
	status, currency, text string
	due                    date.Date
	total                  money.Minor
}

func (d document) open() bool { return d.status == "issued" || d.status == "partly_paid" }

// allInvoices reads every invoice with what a search looks at.
func allInvoices(t *testing.T, address string) map[id.Invoice]document {
	t.Helper()
	conn, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	rows, err := conn.QueryContext(t.Context(), `SELECT i.id, i.status, i.currency, i.due_date::text, i.total, lower(coalesce(i.number, '') || '|' || c.name || ' ' || c.email || ' ' || c.tax_id)
		FROM invoice AS i JOIN client AS c ON c.id = i.client_id`)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	all := map[id.Invoice]document{}
	for rows.Next() {
		var key id.Invoice
		var d document
		if err := rows.Scan(&key, &d.status, &d.currency, &d.due, &d.total, &d.text); err != nil {
			t.Fatal(err)
		}
		all[key] = d
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// ask calls fn with a connection of its own, which tells PostgreSQL what it read when it ends.
func ask[T any](t *testing.T, address string, fn func(context.Context, *db.Store) (T, error)) T {
	t.Helper()
	store, err := db.Open(t.Context(), address, 1)
	if err != nil {
		t.Fatal(err)
	}
	v, err := fn(t.Context(), store)
	if err != nil {
		t.Fatal(err)
	}
	_ = store.Close()
	return v
}

// rowsRead returns how many rows of the table fn reads. What an index alone answers counts nothing.
func rowsRead(t *testing.T, conn *sql.DB, address, table string, fn func(context.Context, *db.Store) error) int64 {
	t.Helper()
	stat := func() (scans, rows int64) {
		err := conn.QueryRowContext(t.Context(), "SELECT seq_scan + coalesce(idx_scan, 0), seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables WHERE relname = $1", table).Scan(&scans, &rows)
		if err != nil {
			t.Fatal(err)
		}
		return scans, rows
	}
	scans, rows := stat()
	for quiet := 0; quiet < 3; quiet++ { // what was done before is told when its connection ends
		time.Sleep(20 * time.Millisecond)
		if nowScans, nowRows := stat(); nowScans != scans || nowRows != rows {
			scans, rows, quiet = nowScans, nowRows, 0
		}
	}
	ask(t, address, func(ctx context.Context, s *db.Store) (struct{}, error) { return struct{}{}, fn(ctx, s) })
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if after, read := stat(); after > scans {
			return read - rows
		}
	}
	t.Fatalf("nothing looked at %s", table)
	return 0
}
