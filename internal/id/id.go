// Package id holds the typed identifiers of the domain.
//
// A row's key is a PostgreSQL bigint; outside the database it is written with the prefix of its
// kind ("inv_42"), so that an id of one kind can never be taken for another, neither by the
// compiler nor by a client of the API. Ids are no secrets: access is decided by internal/access.
package id

import (
	"errors"
	"strconv"
	"strings"
)

// ErrMalformed is returned for text that is no id of the wanted kind.
var ErrMalformed = errors.New("malformed id")

func format(prefix string, n int64) string { return prefix + "_" + strconv.FormatInt(n, 10) }

// parse accepts the canonical form only: prefix, underscore, a positive number without leading zeros.
func parse(prefix, text string) (int64, error) {
	digits, ok := strings.CutPrefix(text, prefix+"_")
	if !ok || digits == "" || digits[0] == '0' || digits[0] == '+' || digits[0] == '-' {
		return 0, ErrMalformed
	}
	n, err := strconv.ParseInt(digits, 10, 64)
	if err != nil {
		return 0, ErrMalformed
	}
	return n, nil
}

func unmarshal(prefix string, v any, to *int64) error {
	text, ok := v.(string)
	if !ok {
		return ErrMalformed
	}
	n, err := parse(prefix, text)
	if err != nil {
		return err
	}
	*to = n
	return nil
}

// Prefix returns the part before the underscore of a global id, or "" when it has none.
func Prefix(text string) string {
	prefix, _, ok := strings.Cut(text, "_")
	if !ok {
		return ""
	}
	return prefix
}
