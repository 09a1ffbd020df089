// Package db owns PostgreSQL: rows, their SQL, transactions, the outbox and migrations. bun is used
// here and nowhere else. It decides nothing: rules live in internal/.
package db

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"
)

// Store is the database, or one transaction of it.
type Store struct {
	idb  bun.IDB
	bun  *bun.DB
	conn *sql.Conn // of a transaction of InBulkTx

	frames *sync.Map // frames of mails that are stored, with their hashes: there are few
}

// Roles that migrations make: what the web server and the workers may do at most.
const (
	RoleWeb    = "avisa_web"
	RoleWorker = "avisa_worker"
)

// Option changes how Open connects.
type Option func(*options)

type options struct{ role string }

// WithRole switches every connection to a role, so that the store holds its rights alone. The user of
// the address must be a member of it. "" stays with the user's own rights.
func WithRole(role string) Option { return func(o *options) { o.role = role } }

// Open connects to PostgreSQL and checks that it answers and is version 15 or newer.
func Open(ctx context.Context, dsn string, maxConns int, opts ...Option) (*Store, error) {
	var o options
	for _, option := range opts {
		option(&o)
	}
	config, err := pgx.ParseConfig(dsn)
	if err != nil {
		// pgx repeats the whole address in its error, password included.
		return nil, fmt.Errorf("DATABASE_URL is not a valid PostgreSQL address")
	}
	// bun writes arguments into the text, so prepared statements would pile up, one per value.
	// The few with parameters are prepared; room for more of them would be kept by each connection.
	config.DefaultQueryExecMode = pgx.QueryExecModeExec
	config.StatementCacheCapacity, config.DescriptionCacheCapacity = 32, 0
	config.RuntimeParams["timezone"] = "UTC"
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "avisa"
	}
	pool := stdlib.OpenDB(*config, stdlib.OptionAfterConnect(func(ctx context.Context, conn *pgx.Conn) error {
		// Statements with parameters are the few that run for every mail: PostgreSQL would plan those with
		// lists afresh each time, which costs more than running them.
		setup := "SET plan_cache_mode = force_generic_plan"
		if o.role != "" {
			setup += "; SET ROLE " + pgx.Identifier{o.role}.Sanitize()
		}
		_, err := conn.Exec(ctx, setup)
		return err
	}))
	pool.SetMaxOpenConns(maxConns)
	pool.SetMaxIdleConns(maxConns)
	pool.SetConnMaxIdleTime(5 * time.Minute)
	store := &Store{bun: bun.NewDB(pool, pgdialect.New()), frames: &sync.Map{}}
	store.idb = store.bun

	var version int
	if err := pool.QueryRowContext(ctx, "SELECT current_setting('server_version_num')::int").Scan(&version); err != nil {
		_ = pool.Close()
		return nil, fmt.Errorf("PostgreSQL at %s:%d (database %q) does not answer: %s", config.Host, config.Port, config.Database, lastLine(err))
	}
	if version < 150000 {
		_ = pool.Close()
		return nil, fmt.Errorf("PostgreSQL 15 or newer is needed, this is %d.%d", version/10000, version%10000)
	}
	return store, nil
}

// lastLine is the cause in one line: pgx lists every address that it tried.
func lastLine(err error) string {
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// Close ends all connections.
func (s *Store) Close() error { return s.bun.Close() }

// Ping checks that the database answers.
func (s *Store) Ping(ctx context.Context) error { return s.bun.PingContext(ctx) }

// Clock is what time it is for the database.
func (s *Store) Clock(ctx context.Context) (at time.Time, err error) {
	return at, translate(s.bun.NewRaw("SELECT clock_timestamp()").Scan(ctx, &at))
}

// Statements is how many SQL statements were run since Open, for tests that count them.
func (s *Store) Statements() uint32 { return s.bun.DBStats().Queries }

// InTx runs fn in one transaction: committed when fn returns nil, rolled back otherwise. Only
// services open transactions, and none makes a network call inside one. Inside a transaction InTx
// joins it.
func (s *Store) InTx(ctx context.Context, fn func(tx *Store) error) error {
	if s.idb != bun.IDB(s.bun) {
		return fn(s)
	}
	return translate(s.bun.RunInTx(ctx, &sql.TxOptions{}, func(_ context.Context, tx bun.Tx) error {
		return fn(&Store{idb: tx, bun: s.bun})
	}))
}

// Lock takes the named advisory lock until the transaction ends; it waits for its holder.
func (s *Store) Lock(ctx context.Context, name string) error {
	_, err := s.idb.NewRaw("SELECT pg_advisory_xact_lock(hashtextextended(?, 0))", name).Exec(ctx)
	return err
}

// MayUseRole reports whether the store's user can switch to a role with WithRole.
func (s *Store) MayUseRole(ctx context.Context, role string) (bool, error) {
	var may bool
	err := s.idb.NewRaw("SELECT coalesce((SELECT pg_has_role(current_user, oid, 'MEMBER') FROM pg_roles WHERE rolname = ?), false)", role).Scan(ctx, &may)
	return may, err
}
