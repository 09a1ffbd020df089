package db_test

import (
	"context"
	"database/sql"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// A page of a list reads what it shows and little more, however long the ledger of everybody else is: counted
// as PostgreSQL counts the rows it reads.
func TestLongListsReadLittle(t *testing.T) {
	t.Parallel()
	address := dbtest.URL(t)
	first, err := db.Open(t.Context(), address, 1)
	if err != nil {
		t.Fatal(err)
	}
	dbtest.Company(t, first, time.Now())
	_ = first.Close()
	dbtest.ManyInvoices(t, address, 9000)
	conn, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	exec := func(statement string) {
		t.Helper()
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	// The oldest clients, asked for below, have the oldest rows; three rows of all wait.
	exec(`INSERT INTO delivery (invoice_id, step_id, client_id, status, due_at, send_at, email, created_at)
		SELECT i.id, s, i.client_id, CASE WHEN i.id < 4 AND s = 1 THEN 'planned' ELSE 'failed' END, CASE WHEN i.id < 4 AND s = 1 THEN now() END, now(), 'x@x.example', now() - (10 - s) * interval '30 days'
		FROM invoice AS i, generate_series(1, 10) AS s ORDER BY i.id, s`)
	exec("ANALYZE")
	var clients []id.Client
	rows, err := conn.QueryContext(t.Context(), "SELECT id FROM client ORDER BY id LIMIT 30")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var client id.Client
		if err := rows.Scan(&client); err != nil {
			t.Fatal(err)
		}
		clients = append(clients, client)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	read := func(table string) (n int64) {
		t.Helper()
		if err := conn.QueryRowContext(t.Context(), "SELECT seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables WHERE relname = $1", table).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	page := db.Page{First: 20}
	for _, c := range []struct {
		name, table string
		limit       int64 // rows
		ask         func(context.Context, *db.Store) (int, error)
	}{
		{"reminders of a login's clients", "delivery", 1000, func(ctx context.Context, s *db.Store) (int, error) {
			list, err := s.Deliveries(ctx, db.DeliveryFilter{Reach: access.Reach{Clients: clients}}, page)
			return len(list.Rows), err
		}},
		{"reminders of one client", "delivery", 100, func(ctx context.Context, s *db.Store) (int, error) {
			list, err := s.Deliveries(ctx, db.DeliveryFilter{Reach: access.Reach{Clients: clients[:1]}}, page)
			return len(list.Rows), err
		}},
		{"reminders that wait", "delivery", 100, func(ctx context.Context, s *db.Store) (int, error) {
			list, err := s.Deliveries(ctx, db.DeliveryFilter{Reach: access.Reach{All: true}, Statuses: []string{db.DeliveryPlanned, db.DeliveryQueued, db.DeliverySending}}, page)
			return len(list.Rows), err
		}},
		{"the last week by state", "delivery", 20_000, func(ctx context.Context, s *db.Store) (int, error) {
			counts, err := s.DeliveryCounts(ctx, time.Now().Add(-7*24*time.Hour))
			return len(counts), err
		}},
		{"a client's contacts with the deleted", "contact", 10, func(ctx context.Context, s *db.Store) (int, error) {
			contacts, err := s.AllContacts(ctx, clients[:1]...)
			return len(contacts), err
		}},
	} {
		store, err := db.Open(t.Context(), address, 1)
		if err != nil {
			t.Fatal(err)
		}
		before := read(c.table)
		found, err := c.ask(t.Context(), store)
		if err != nil || found == 0 {
			t.Errorf("%s: %d, %v", c.name, found, err)
		}
		_ = store.Close() // a connection that ends tells what it read
		var n int64
		for deadline := time.Now().Add(20 * time.Second); n == 0 && time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			n = read(c.table) - before
		}
		if n == 0 || n > c.limit {
			t.Errorf("%s: reads %d rows, at most %d are allowed", c.name, n, c.limit)
		}
	}
}
