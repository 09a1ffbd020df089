package db

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"
	"github.com/uptrace/bun"
)

// InBulkTx is InTx for work on very many rows: inside, rows can be copied (COPY), which costs a fraction
// of inserting them.
func (s *Store) InBulkTx(ctx context.Context, fn func(tx *Store) error) error {
	conn, err := s.bun.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	return translate(conn.RunInTx(ctx, &sql.TxOptions{}, func(_ context.Context, tx bun.Tx) error {
		return fn(&Store{idb: tx, bun: s.bun, conn: conn.Conn})
	}))
}

// copyRows copies rows to a table, as next makes them, until it returns none: they are never held all at
// once. Only inside InBulkTx.
func (s *Store) copyRows(ctx context.Context, table string, columns []string, next func() ([]any, error)) error {
	return s.conn.Raw(func(driver any) error {
		pool, ok := driver.(*stdlib.Conn)
		if !ok {
			return fmt.Errorf("copy to %s: %T copies nothing", table, driver)
		}
		_, err := pool.Conn().CopyFrom(ctx, pgx.Identifier{table}, columns, pgx.CopyFromFunc(next))
		return translate(err)
	})
}
