package db_test

import (
	"context"
	"database/sql"
	"fmt"
	"testing"

	"github.com/nubedigitalmx/avisa/db/dbtest"
)

// BenchmarkRowLevelSecurity reads the first page of a client's invoices (20 of 100, 1,000 clients, 100,000
// invoices) as the web role, with and without a policy by client; docs/adr/0007 speaks of its figures. A
// policy needs the client in a setting of the transaction, which costs what "transaction" shows; the policy
// itself costs the rest.
func BenchmarkRowLevelSecurity(b *testing.B) {
	url := dbtest.URL(b)
	pool, err := sql.Open("pgx", url+"&default_query_exec_mode=exec")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = pool.Close() })
	pool.SetMaxOpenConns(1)
	ctx := b.Context()
	do := func(statement string) {
		b.Helper()
		if _, err := pool.ExecContext(ctx, statement); err != nil {
			b.Fatalf("%s: %v", statement, err)
		}
	}
	do(`INSERT INTO client (name, email) SELECT 'Cliente ' || n, n || '@cliente.example' FROM generate_series(1, 1000) AS n`)
	do(`INSERT INTO invoice (client_id, series, folio, number, status, issue_date, due_date, subtotal, tax, total, client_snapshot, issuer_snapshot)
		SELECT 1 + n % 1000, 'B', n, 'B-' || n, 'issued', date '2026-01-01' + n % 300, date '2026-12-31', 10000, 1600, 11600, '{}', '{}' FROM generate_series(1, 100000) AS n`)
	do(`VACUUM ANALYZE invoice`)

	const page = `SELECT id, number, status, issue_date, due_date, total FROM invoice WHERE client_id = $1 ORDER BY issue_date DESC, id DESC LIMIT 20`
	const unfiltered = `SELECT id, number, status, issue_date, due_date, total FROM invoice ORDER BY issue_date DESC, id DESC LIMIT 20`
	read := func(b *testing.B, q interface {
		QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	}, query string, args ...any) {
		rows, err := q.QueryContext(ctx, query, args...)
		if err != nil {
			b.Fatal(err)
		}
		defer func() { _ = rows.Close() }()
		n := 0
		for rows.Next() {
			n++
		}
		if n != 20 || rows.Err() != nil {
			b.Fatalf("%d rows, %v", n, rows.Err())
		}
	}
	plain := func(b *testing.B) {
		for i := 0; b.Loop(); i++ {
			read(b, pool, page, 1+i%1000)
		}
	}
	inTx := func(query func(tx *sql.Tx, client int)) func(b *testing.B) {
		return func(b *testing.B) {
			for i := 0; b.Loop(); i++ {
				tx, err := pool.BeginTx(ctx, nil)
				if err != nil {
					b.Fatal(err)
				}
				query(tx, 1+i%1000)
				if err := tx.Commit(); err != nil {
					b.Fatal(err)
				}
			}
		}
	}
	setting := func(b *testing.B, filtered bool) func(b *testing.B) {
		return inTx(func(tx *sql.Tx, client int) {
			if _, err := tx.ExecContext(ctx, "SELECT set_config('avisa.client', $1, true)", fmt.Sprint(client)); err != nil {
				b.Fatal(err)
			}
			if filtered {
				read(b, tx, page, client)
			} else {
				read(b, tx, unfiltered)
			}
		})
	}

	do("SET ROLE avisa_web")
	b.Run("plain", plain)
	b.Run("transaction", setting(b, true))
	do("RESET ROLE")
	do(`ALTER TABLE invoice ENABLE ROW LEVEL SECURITY`)
	do(`CREATE POLICY by_client ON invoice TO avisa_web USING (client_id = current_setting('avisa.client')::bigint)`)
	do("SET ROLE avisa_web")
	b.Run("policy", setting(b, true))
	b.Run("policy without filter", setting(b, false))

	// A login of ten clients, and staff who see all: the policy must know both.
	do("RESET ROLE")
	do(`DROP POLICY by_client ON invoice`)
	do(`CREATE POLICY by_reach ON invoice TO avisa_web USING (current_setting('avisa.reach') = '' OR client_id = ANY (string_to_array(current_setting('avisa.reach'), ',')::bigint[]))`)
	do("SET ROLE avisa_web")
	reach := func(value func(client int) string, query string) func(b *testing.B) {
		return inTx(func(tx *sql.Tx, client int) {
			if _, err := tx.ExecContext(ctx, "SELECT set_config('avisa.reach', $1, true)", value(client)); err != nil {
				b.Fatal(err)
			}
			if query == page {
				read(b, tx, page, client)
			} else {
				read(b, tx, query)
			}
		})
	}
	b.Run("reach of one", reach(func(client int) string { return fmt.Sprint(client) }, page))
	b.Run("reach of one without filter", reach(func(client int) string { return fmt.Sprint(client) }, unfiltered))
	b.Run("staff", reach(func(int) string { return "" }, unfiltered))
}
