package db_test

import (
	"errors"
	"fmt"
	"io"
	"net"
	"testing"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/nubedigitalmx/avisa/db"
)

func TestUnanswered(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		want bool
	}{
		"starting":      {&pgconn.PgError{Code: "57P03"}, true},
		"killed":        {fmt.Errorf("saving: %w", &pgconn.PgError{Code: "57P01"}), true},
		"no room":       {&pgconn.PgError{Code: "53300"}, true},
		"refused":       {&net.OpError{Op: "dial", Err: errors.New("connection refused")}, true},
		"cut off":       {fmt.Errorf("reading: %w", io.ErrUnexpectedEOF), true},
		"a mistake":     {&pgconn.PgError{Code: "42601"}, false},
		"a unique key":  {&pgconn.PgError{Code: "23505"}, false},
		"our own error": {errors.New("no such template"), false},
		"nothing":       {nil, false},
	} {
		if got := db.Unanswered(c.err); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}
