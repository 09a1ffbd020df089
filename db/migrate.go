package db

import (
	"context"
	"embed"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/migrate"
)

//go:embed migrations/*.sql
var migrationFiles embed.FS

//go:embed grants.sql
var grants string

// Migrate brings the schema up to date and returns the names of the migrations it ran. Any number
// of processes may call it at once: an advisory lock lets one work and the others wait.
func (s *Store) Migrate(ctx context.Context) ([]string, error) {
	migrations, err := ownMigrations()
	if err != nil {
		return nil, err
	}
	conn, err := s.bun.Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { _ = conn.Close() }()
	const lock = "hashtextextended('avisa migrate', 0)"
	if _, err := conn.ExecContext(ctx, "SELECT pg_advisory_lock("+lock+")"); err != nil {
		return nil, err
	}
	defer func() {
		_, _ = conn.ExecContext(context.WithoutCancel(ctx), "SELECT pg_advisory_unlock("+lock+")")
	}()
	// Without WithMarkAppliedOnSuccess a migration counts as applied before it has run.
	migrator := migrate.NewMigrator(s.bun, migrations, migrate.WithMarkAppliedOnSuccess(true),
		migrate.WithTableName("migration"), migrate.WithLocksTableName("migration_lock"))
	if err := migrator.Init(ctx); err != nil {
		return nil, fmt.Errorf("prepare migrations: %w", err)
	}
	group, err := migrator.Migrate(ctx)
	if err != nil {
		return nil, fmt.Errorf("migrate: %w", err)
	}
	if _, err := conn.ExecContext(ctx, grants); err != nil {
		return nil, fmt.Errorf("grant rights: %w", err)
	}
	names := []string{}
	for _, m := range group.Migrations {
		names = append(names, m.Name+"_"+m.Comment)
	}
	return names, nil
}

// PendingMigrations counts the migrations of this version that the database lacks. One that a newer version has
// brought further lacks none: its processes and ours work at the same time while they are replaced.
func (s *Store) PendingMigrations(ctx context.Context) (int, error) {
	migrations, err := ownMigrations()
	if err != nil {
		return 0, err
	}
	names := []string{}
	for _, m := range migrations.Sorted() {
		names = append(names, m.Name)
	}
	var applied int
	err = s.idb.NewRaw("SELECT count(DISTINCT name) FROM migration WHERE name IN (?)", bun.List(names)).Scan(ctx, &applied)
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok && (refused.Code == "42P01" || refused.Code == "42501") {
		return len(names), nil // no such table yet, or one of a version that let nobody read it
	}
	return len(names) - applied, translate(err)
}

func ownMigrations() (*migrate.Migrations, error) {
	migrations := migrate.NewMigrations()
	if err := migrations.Discover(migrationFiles); err != nil {
		return nil, fmt.Errorf("read migrations: %w", err)
	}
	return migrations, nil
}
