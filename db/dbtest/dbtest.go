// Package dbtest gives every test a database of its own on a real PostgreSQL, cloned from a
// migrated template in a few milliseconds.
package dbtest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"

	"database/sql"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/devstack"
)

const template = "avisa_template"

var server struct {
	once sync.Once
	url  func(database string) string
	err  error
}

// start uses the server at AVISA_TEST_DATABASE_URL, else starts a private one for this process.
func start() {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if dsn := os.Getenv("AVISA_TEST_DATABASE_URL"); dsn != "" {
		u, err := url.Parse(dsn)
		if err != nil {
			server.err = err
			return
		}
		server.url = func(database string) string { v := *u; v.Path = "/" + database; return v.String() }
	} else {
		pg, err := devstack.StartPostgres(ctx, devstack.Options{Ephemeral: true})
		if err != nil {
			server.err = err
			return
		}
		server.url = pg.URL
	}
	server.err = prepare(ctx)
}

func prepare(ctx context.Context) error {
	if err := exec(ctx, "postgres", "DROP DATABASE IF EXISTS "+template, "CREATE DATABASE "+template); err != nil {
		return err
	}
	store, err := db.Open(ctx, server.url(template), 4)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	_, err = store.Migrate(ctx)
	return err
}

func exec(ctx context.Context, database string, statements ...string) error {
	conn, err := sql.Open("pgx", server.url(database))
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	for _, statement := range statements {
		if _, err := conn.ExecContext(ctx, statement); err != nil {
			return fmt.Errorf("%s: %w", statement, err)
		}
	}
	return nil
}

// URL returns the address of a new, migrated, empty database that is dropped after the test.
func URL(t testing.TB) string {
	t.Helper()
	server.once.Do(start)
	if server.err != nil {
		t.Fatalf("test database: %v", server.err)
	}
	suffix := make([]byte, 6)
	_, _ = rand.Read(suffix)
	name := "test_" + hex.EncodeToString(suffix)
	if err := exec(t.Context(), "postgres", "CREATE DATABASE "+name+" TEMPLATE "+template+" STRATEGY file_copy"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := exec(context.Background(), "postgres", "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return server.url(name)
}

// Exec runs statements in the database at the address, for what no verb of the product does.
func Exec(t testing.TB, address string, statements ...string) {
	t.Helper()
	conn, err := sql.Open("pgx", address)
	check(t, err)
	defer func() { _ = conn.Close() }()
	for _, statement := range statements {
		_, err := conn.ExecContext(context.Background(), statement)
		check(t, err)
	}
}

// New returns an open Store on a new database.
func New(t testing.TB) *db.Store {
	t.Helper()
	return Open(t, URL(t))
}

// Open returns an open Store on the database at the address.
func Open(t testing.TB, address string) *db.Store {
	t.Helper()
	store, err := db.Open(t.Context(), address, 8)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	return store
}

// Hurry ends every wait and lease of deliveries now: what is not final is handed out again at once.
func Hurry(t testing.TB, address string) {
	t.Helper()
	Exec(t, address, "UPDATE delivery SET due_at = now() WHERE due_at IS NOT NULL")
}
