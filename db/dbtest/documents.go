package dbtest

import (
	"context"
	"database/sql"
	"testing"

	"github.com/jackc/pgx/v5"
)

// ManyDocuments fills the database at the address with the billing of five years: clients, their invoices in
// equal shares, issued evenly over the 1,800 days before today and due 15 days later, with lines, payments,
// credit notes and the ledger between them. Of a thousand invoices 5 are drafts, 10 cancelled, 5 written off, 10
// credited in full and 50 still owed, 10 of these in part; the rest is paid. Every tenth client pays in USD.
func ManyDocuments(t testing.TB, address string, clients, invoices int) {
	t.Helper()
	config, err := pgx.ParseConfig(address)
	check(t, err)
	conn, err := sql.Open("pgx", config.ConnString())
	check(t, err)
	defer func() { _ = conn.Close() }()
	one, err := conn.Conn(t.Context()) // the setting below is the connection's
	check(t, err)
	defer func() { _ = one.Close() }()
	for _, statement := range []struct {
		sql  string
		args []any
	}{
		{`SET session_replication_role = replica`, nil}, // issued documents refuse what is done to them here
		{`INSERT INTO client (name, email, tax_id, created_at) SELECT CASE WHEN n % 500 = 0 THEN 'Panadería ' ELSE 'Servicios ' END || n || ' SA de CV', 'pagos@c' || n || '.example',
			'EJE' || lpad((n % 1000000)::text, 6, '0') || 'AB1', now() - interval '1800 days' FROM generate_series(1, $1::int) AS n`, []any{clients}},
		{`INSERT INTO invoice (client_id, series, folio, number, status, currency, exchange_rate, issue_date, due_date, subtotal, tax, total, paid, credited, client_snapshot, issuer_snapshot,
				created_at, issued_at, paid_at, cancelled_at, written_off_at)
			SELECT c.client_id, CASE WHEN status <> 'draft' THEN 'F' END, CASE WHEN status <> 'draft' THEN row_number() OVER (PARTITION BY status = 'draft' ORDER BY n) END,
				CASE WHEN status <> 'draft' THEN 'F-' || row_number() OVER (PARTITION BY status = 'draft' ORDER BY n) END, status,
				CASE WHEN c.client_id % 10 = 0 THEN 'USD' ELSE 'MXN' END, CASE WHEN c.client_id % 10 = 0 THEN 18.5 ELSE 1 END, day, day + 15, net, net * 16 / 100, net + net * 16 / 100,
				CASE WHEN status = 'paid' AND kind <> 20 THEN net + net * 16 / 100 WHEN status = 'partly_paid' THEN 100 ELSE 0 END,
				CASE WHEN kind = 20 THEN net + net * 16 / 100 ELSE 0 END,
				jsonb_build_object('id', 'cli_' || c.client_id, 'name', 'Servicios ' || c.client_id || ' SA de CV', 'email', 'pagos@c' || c.client_id || '.example', 'taxId', 'EJE010101AB1', 'address1', 'Avenida de los Ejemplos 100', 'city', 'Puebla', 'country', 'MX', 'language', 'es-MX', 'timezone', 'America/Mexico_City'),
				jsonb_build_object('name', 'Hospedaje Ejemplo', 'legalName', 'Hospedaje Ejemplo SA de CV', 'taxId', 'EJE010101AB2', 'address', 'Calle del Ejemplo 1, Puebla', 'email', 'cobranza@hospedaje.example'),
				day + time '15:00', day + time '15:00', CASE WHEN status = 'paid' THEN day + 10 + time '16:00' END, CASE WHEN status = 'cancelled' THEN day + 5 + time '16:00' END,
				CASE WHEN status = 'written_off' THEN day + 300 + time '16:00' END
			FROM (SELECT n, (SELECT min(id) FROM client) + n % $1::int AS client_id, n % 1000 AS kind, current_date - 1800 + (n::bigint * 1800 / $2::int)::int AS day, 10000 + (n * 7919::bigint) % 490000 AS net,
				CASE WHEN n % 1000 < 5 THEN 'draft' WHEN n % 1000 < 15 THEN 'cancelled' WHEN n % 1000 < 20 THEN 'written_off' WHEN n % 1000 >= 990 THEN 'partly_paid' WHEN n % 1000 >= 950 THEN 'issued' ELSE 'paid' END AS status
				FROM generate_series(1, $2::int) AS n) AS c`, []any{clients, invoices}},
		{`INSERT INTO series (name, last) SELECT 'F', max(folio) FROM invoice ON CONFLICT (name) DO UPDATE SET last = EXCLUDED.last`, nil},
		{`INSERT INTO invoice_line (invoice_id, position, description, quantity, unit_price, amount, treatment, clave_prod_serv, clave_unidad)
			SELECT id, 1, 'Hospedaje web', 1, subtotal / 100.0, subtotal, 'iva16', '81112100', 'E48' FROM invoice`, nil},
		{`INSERT INTO payment (invoice_id, client_id, amount, currency, method, reference, received_on, created_at)
			SELECT id, client_id, paid, currency, CASE WHEN id % 3 = 0 THEN 'card' ELSE 'transfer' END, 'SPEI ' || id, issue_date + 10, issue_date + 10 + time '16:00' FROM invoice WHERE paid > 0 ORDER BY id`, nil},
		{`INSERT INTO ledger_entry (client_id, currency, invoice_id, kind, amount, payment_id, created_at)
			SELECT client_id, currency, invoice_id, 'payment', amount, id, created_at FROM payment ORDER BY id`, nil},
		{`INSERT INTO credit_note (client_id, invoice_id, series, folio, number, currency, exchange_rate, issue_date, subtotal, tax, total, lines, client_snapshot, issuer_snapshot, created_at)
			SELECT client_id, id, 'NC', row_number() OVER (ORDER BY id), 'NC-' || row_number() OVER (ORDER BY id), currency, exchange_rate, issue_date + 3, subtotal, tax, total, '[]', client_snapshot, issuer_snapshot, issue_date + 3
			FROM invoice WHERE credited > 0 ORDER BY id`, nil},
		{`INSERT INTO series (name, last) SELECT 'NC', coalesce(max(folio), 0) FROM credit_note`, nil},
		{`INSERT INTO ledger_entry (client_id, currency, invoice_id, kind, amount, credit_note_id, created_at)
			SELECT client_id, currency, invoice_id, 'credit_note', total, id, created_at FROM credit_note ORDER BY id`, nil},
		{`SET session_replication_role = DEFAULT`, nil},
		{`VACUUM ANALYZE`, nil},
	} {
		_, err := one.ExecContext(context.Background(), statement.sql, statement.args...)
		check(t, err)
	}
}
