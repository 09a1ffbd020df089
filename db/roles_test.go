package db_test

import (
	"context"
	"crypto/rand"
	"database/sql"
	"net/url"
	"strings"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/devstack"
)

// What the application's roles may and may not do, in SQL: what an injected statement could do at most.
func TestRoles(t *testing.T) {
	t.Parallel()
	address := dbtest.URL(t)
	owner, err := db.Open(t.Context(), address, 2)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = owner.Close() })
	client := dbtest.Client(t, owner, "Uno", "uno@uno.example")
	dbtest.Invoice(t, owner, client, "2026-03-01", "2026-03-20", time.Now())
	if err := owner.Audit(access.With(t.Context(), access.SystemActor()), db.AuditEntry{Verb: "test.write"}); err != nil {
		t.Fatal(err)
	}
	const denied, allowed, issued = "permission denied", "", "issued" // the last is a trigger's word
	for _, c := range []struct{ statement, web, worker string }{
		{"SELECT count(*) FROM audit", allowed, allowed},
		{"INSERT INTO audit (kind, actor, verb) VALUES ('system', 'x', 'test.again')", allowed, allowed},
		{"UPDATE audit SET actor = 'nobody'", denied, denied},
		{"DELETE FROM audit", denied, denied},
		{"TRUNCATE audit", denied, denied},
		{"ALTER TABLE audit DISABLE TRIGGER ALL", "must be owner", "must be owner"},
		{"DROP TABLE audit", "must be owner", "must be owner"},
		{"CREATE TABLE intruder (id int)", denied, denied},
		{"UPDATE payment SET amount = 1", denied, denied},
		{"UPDATE invoice_line SET amount = 1", denied, denied},
		{"UPDATE payment SET voided_at = now()", allowed, allowed},
		{"DELETE FROM invoice", issued, denied},
		{"DELETE FROM invoice_line", issued, denied},
		{"UPDATE invoice SET total = 1", issued, issued},
		{"DELETE FROM client", denied, denied},
		{"UPDATE client SET name = name", allowed, allowed},
		{"INSERT INTO email (client_id, kind, status, message_id, name, address, language, subject) VALUES (1, 'notice', 'sent', 'x', '', '', '', '')", denied, allowed},
		{"UPDATE email SET status = 'bounced', reason = 'hard'", allowed, allowed},
		{"UPDATE email SET body = NULL", denied, allowed},
		{"DELETE FROM email", denied, denied},
		{"INSERT INTO email_frame (hash, html) VALUES ('x', 'x')", denied, allowed},
		{"UPDATE email_frame SET html = ''", denied, denied},
		{"SELECT count(*) FROM totp", allowed, denied},
		{"SELECT count(*) FROM passkey", allowed, denied},
		{"SELECT count(*) FROM recovery_code", allowed, denied},
		{"SELECT count(*) FROM api_token", allowed, denied},
		{"UPDATE session SET expires_at = now()", allowed, denied},
		{"DELETE FROM session", allowed, allowed},
		{"UPDATE staff SET role = 'admin'", allowed, denied},
		{"SELECT count(*) FROM migration", allowed, allowed},
		{"UPDATE migration SET name = name", denied, denied},
		{"SELECT count(*) FROM migration_lock", denied, denied},
		{"CREATE ROLE intruder", denied, denied},
	} {
		for role, want := range map[string]string{db.RoleWeb: c.web, db.RoleWorker: c.worker} {
			err := as(t, address, role, c.statement)
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s: %s: %v, want %q", role, c.statement, err, want)
			}
		}
	}
	// Not even the owner of the tables changes the log by accident.
	for _, statement := range []string{"UPDATE audit SET actor = 'nobody'", "DELETE FROM audit", "TRUNCATE audit"} {
		if err := as(t, address, "", statement); err == nil || !strings.Contains(err.Error(), "append-only") {
			t.Errorf("%s: %v", statement, err)
		}
	}
}

// as runs a statement as the role, in a transaction that is rolled back.
func as(t *testing.T, address, role, statement string) error {
	t.Helper()
	conn, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	tx, err := conn.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = tx.Rollback() }()
	if role != "" {
		if _, err := tx.ExecContext(t.Context(), "SET LOCAL ROLE "+role); err != nil {
			t.Fatal(err)
		}
	}
	_, err = tx.ExecContext(t.Context(), statement)
	return err
}

// A store with a role holds the role's rights alone, on every connection.
func TestOpenWithRole(t *testing.T) {
	t.Parallel()
	address := dbtest.URL(t)
	web, err := db.Open(t.Context(), address, 4, db.WithRole(db.RoleWeb))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = web.Close() })
	ctx := access.With(t.Context(), access.SystemActor())
	if may, err := web.MayUseRole(ctx, "avisa_missing"); err != nil || may {
		t.Fatal(may, err)
	}
	for range 8 {
		if err := web.Audit(ctx, db.AuditEntry{Verb: "test.write"}); err != nil {
			t.Fatal(err)
		}
		if _, err := web.Migrate(ctx); err == nil || !strings.Contains(err.Error(), "permission denied") {
			t.Fatalf("the web role migrates: %v", err)
		}
	}
	if _, err := db.Open(t.Context(), address, 2, db.WithRole("avisa_missing")); err == nil {
		t.Fatal("opened with a role that does not exist")
	}
}

// Migrations run as a user without any power over the cluster, who owns the database alone.
func TestMigrateWithoutPowers(t *testing.T) {
	t.Parallel()
	admin, err := sql.Open("pgx", dbtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	name := "limited_" + strings.ToLower(rand.Text()[:8])
	do := func(statement string) {
		t.Helper()
		if _, err := admin.ExecContext(context.Background(), statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	do("CREATE USER " + name + " LOGIN PASSWORD 'limited'")
	do("CREATE DATABASE " + name + " OWNER " + name)
	t.Cleanup(func() {
		do("DROP DATABASE " + name + " WITH (FORCE)")
		do("DROP USER " + name)
		_ = admin.Close()
	})
	u, err := url.Parse(dbtest.URL(t))
	if err != nil {
		t.Fatal(err)
	}
	u.User, u.Path = url.UserPassword(name, "limited"), "/"+name
	store, err := db.Open(t.Context(), u.String(), 2)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	for range 2 { // the second time there is nothing to do but the grants
		if _, err := store.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := store.Clients(t.Context(), db.ClientFilter{Reach: access.Reach{All: true}}, db.Page{}); err != nil {
		t.Fatal(err)
	}
}

// A backup of a database holds no roles: migrating one that was restored on another server makes them, with the
// rights they had.
func TestRolesOfRestoredDatabase(t *testing.T) {
	t.Parallel()
	server, err := devstack.StartPostgres(t.Context(), devstack.Options{Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop(context.Background()) })
	store, err := db.Open(t.Context(), server.URL("postgres"), 2)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	conn, err := sql.Open("pgx", server.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	rights := func() (list string) {
		t.Helper()
		if _, err := store.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := conn.QueryRowContext(t.Context(), `SELECT coalesce(string_agg(concat_ws(' ', grantee, table_name, privilege_type), E'\n' ORDER BY grantee, table_name, privilege_type), '')
			FROM information_schema.role_table_grants WHERE grantee LIKE 'avisa\_%'`).Scan(&list); err != nil {
			t.Fatal(err)
		}
		return list
	}
	before := rights()
	if !strings.Contains(before, "avisa_web invoice SELECT") || !strings.Contains(before, "avisa_worker delivery UPDATE") {
		t.Fatalf("the rights are %.300s", before)
	}
	for _, role := range []string{"avisa_migrate", "avisa_web", "avisa_worker"} { // as if never here
		for _, statement := range []string{"DROP OWNED BY " + role, "DROP ROLE " + role} {
			if _, err := conn.ExecContext(t.Context(), statement); err != nil {
				t.Fatalf("%s: %v", statement, err)
			}
		}
	}
	if after := rights(); after != before {
		t.Errorf("the rights are other ones:\n%.300s", after)
	}
}
