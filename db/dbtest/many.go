package dbtest

import (
	"context"
	"database/sql"
	"testing"

	"github.com/jackc/pgx/v5"
)

// ManyInvoices fills the database at the address with open invoices, issued on 2 March 2026 and due
// on the 20th, three to a client, each with three recipients: the client's own address and two
// contacts. Everything was created on 2 March at 08:00 in Mexico City.
func ManyInvoices(t testing.TB, address string, invoices int) {
	t.Helper()
	conn, err := sql.Open("pgx", address)
	check(t, err)
	defer func() { _ = conn.Close() }()
	clients := (invoices + 2) / 3
	for _, statement := range []struct {
		sql  string
		args []any
	}{
		{`INSERT INTO client (name, email, created_at) SELECT 'Cliente ' || n, 'pagos@c' || n || '.example', '2026-03-02 14:00Z' FROM generate_series(1, $1::int) AS n`, []any{clients}},
		{`INSERT INTO contact (client_id, firstname, email, topics, created_at) SELECT c.id, 'Contacto', k || '@c' || c.id || '.example', '{invoice}', '2026-03-02 14:00Z'
			FROM client AS c, (VALUES ('conta'), ('compras')) AS k (k)`, nil},
		{`INSERT INTO invoice (client_id, series, folio, number, status, issue_date, due_date, subtotal, tax, total, client_snapshot, issuer_snapshot, created_at)
			SELECT (SELECT min(id) FROM client) + (n - 1) / 3, 'F', n, 'F-' || n, 'issued', '2026-03-02', '2026-03-20', 10000, 1600, 11600, '{}', '{}', '2026-03-02 14:00Z'
			FROM generate_series(1, $1::int) AS n`, []any{invoices}},
		{`ANALYZE`, nil},
	} {
		_, err := conn.ExecContext(context.Background(), statement.sql, statement.args...)
		check(t, err)
	}
}

// ManyDue is ManyInvoices ten days old and due tomorrow: the step of the day before acts today.
func ManyDue(t testing.TB, address string, invoices int) {
	t.Helper()
	ManyInvoices(t, address, invoices)
	conn, err := sql.Open("pgx", address)
	check(t, err)
	defer func() { _ = conn.Close() }()
	_, err = conn.ExecContext(context.Background(), `SET LOCAL session_replication_role = replica;
		UPDATE invoice SET issue_date = (now() AT TIME ZONE 'America/Mexico_City')::date - 10, due_date = (now() AT TIME ZONE 'America/Mexico_City')::date + 1, created_at = now() - interval '10 days';
		UPDATE contact SET created_at = now() - interval '10 days'; UPDATE client SET created_at = now() - interval '10 days'`, pgx.QueryExecModeSimpleProtocol)
	check(t, err)
}
