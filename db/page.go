package db

import (
	"bytes"
	"encoding/base64"
	"encoding/json"

	"github.com/nubedigitalmx/avisa/internal/fault"
)

// MaxPage is the largest number of rows of one page.
const MaxPage = 100

// Page asks for a part of a list by keyset: the rows after a cursor, in the list's own order.
type Page struct {
	First int    // rows wanted, 1 to MaxPage; 0 means 20
	After string // cursor of the last row already seen; "" starts at the beginning
}

// Size is the number of rows asked for.
func (p Page) Size() int {
	if p.First == 0 {
		return 20
	}
	return p.First
}

// Check reports an impossible page as a fault.
func (p Page) Check() error {
	var checks fault.Checks
	if p.First < 0 || p.First > MaxPage {
		checks.Add("first", "PAGE_SIZE", "max", MaxPage)
	}
	return checks.Err()
}

// List is one page of rows.
type List[T any] struct {
	Rows        []T
	HasNext     bool
	HasPrevious bool // asked for with a cursor
	cursor      func(T) []any
}

// Cursor is the cursor of a row of the list.
func (l List[T]) Cursor(row T) string {
	raw, _ := json.Marshal(l.cursor(row))
	return base64.RawURLEncoding.EncodeToString(raw)
}

// Next is the cursor of the last row, "" when there is no next page.
func (l List[T]) Next() string {
	if !l.HasNext || len(l.Rows) == 0 {
		return ""
	}
	return l.Cursor(l.Rows[len(l.Rows)-1])
}

// newList cuts the one row that was read beyond the page to learn whether there is a next one.
func newList[T any](rows []T, page Page, cursor func(T) []any) List[T] {
	l := List[T]{Rows: rows, HasPrevious: page.After != "", cursor: cursor}
	if len(rows) > page.Size() {
		l.Rows, l.HasNext = rows[:page.Size()], true
	}
	return l
}

// after decodes the cursor into the given keys; ok is false at the beginning of a list.
func (p Page) after(keys ...any) (ok bool, err error) {
	if p.After == "" {
		return false, nil
	}
	malformed := fault.Checks{}
	malformed.Add("after", "CURSOR_MALFORMED")
	raw, err := base64.RawURLEncoding.DecodeString(p.After)
	if err != nil || bytes.Contains(raw, []byte(`\u0000`)) { // PostgreSQL's text holds no NUL
		return false, malformed.Err()
	}
	var values []json.RawMessage
	if json.Unmarshal(raw, &values) != nil || len(values) != len(keys) {
		return false, malformed.Err()
	}
	for i, key := range keys {
		if string(values[i]) == "null" || json.Unmarshal(values[i], key) != nil {
			return false, malformed.Err()
		}
	}
	return true, nil
}
