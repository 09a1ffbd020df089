package db

import (
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
	"net"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/nubedigitalmx/avisa/internal/fault"
)

// translate turns what PostgreSQL says into the vocabulary of faults where a caller can act on it.
func translate(err error) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, sql.ErrNoRows) {
		return fault.Missing()
	}
	return err
}

// Violates reports whether err is the violation of the named unique key or constraint.
func Violates(err error, constraint string) bool {
	var pg *pgconn.PgError
	return errors.As(err, &pg) && pg.ConstraintName == constraint
}

// Passing reports whether err may not come back when the same is tried again: the database did not
// answer, was stopping or short of something, or gave way to another transaction.
func Passing(err error) bool {
	var pg *pgconn.PgError
	if !errors.As(err, &pg) || len(pg.Code) != 5 {
		return err != nil
	}
	switch pg.Code[:2] { // classes of SQLSTATE, PostgreSQL appendix A
	case "08", "40", "53", "57", "58":
		return true
	}
	return false
}

// Unanswered reports whether err says that a server did not answer, is starting or stopping, or has no room:
// nobody's mistake, and over soon.
func Unanswered(err error) bool {
	if pg, ok := errors.AsType[*pgconn.PgError](err); ok {
		return len(pg.Code) == 5 && (pg.Code[:2] == "08" || pg.Code[:2] == "53" || pg.Code[:2] == "57") // classes of SQLSTATE
	}
	_, connecting := errors.AsType[*pgconn.ConnectError](err)
	_, network := errors.AsType[*net.OpError](err)
	return connecting || network || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, driver.ErrBadConn)
}

// affected turns the result of a statement that must have met a row into NotFound when it met none.
func affected(result sql.Result, err error) error {
	if err != nil {
		return translate(err)
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return errors.Join(fault.Missing(), err)
	}
	return nil
}
