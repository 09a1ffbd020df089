package db

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
)

// MaxPage is the largest number of rows of one page.
const MaxPage = 100

// MaxCount is how far the rows of a list are counted.
const MaxCount = 100_000

// Page asks for a part of a list by keyset, in the list's own order: the first rows or the last ones, of those
// after one cursor and before another (https://relay.dev/graphql/connections.htm).
type Page struct {
	First  int    // rows wanted, 1 to MaxPage; 0 means 20
	After  string // cursor of the last row already seen; "" starts at the beginning
	Last   int    // rows wanted from the end, in place of First; 0 for none
	Before string // cursor of the first row already seen; "" starts at the end
}

// Size is the number of rows asked for.
func (p Page) Size() int {
	switch {
	case p.Last != 0:
		return p.Last
	case p.First == 0:
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
	if p.Last < 0 || p.Last > MaxPage {
		checks.Add("last", "PAGE_SIZE", "max", MaxPage)
	}
	if p.First != 0 && p.Last != 0 {
		checks.Add("last", "PAGE_DIRECTION")
	}
	return checks.Err()
}

// List is one page of rows.
type List[T any] struct {
	Rows        []T
	HasNext     bool
	HasPrevious bool
	cursor      func(T) []any
	count       func(context.Context) (int64, error)
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

// Count counts the rows of the whole list, which is a statement of its own. More than MaxCount means that
// there are more: nobody counts them.
func (l List[T]) Count(ctx context.Context) (int64, error) { return l.count(ctx) }

// key is what a list is ordered by: an expression, and the PostgreSQL type of its values.
type key struct{ expr, as string }

// order is the order of a list. Its keys together name one row, and all go in the same direction.
type order[T any] struct {
	by         []key
	descending bool
	of         func(T) []any // the values of a row
}

// readPage reads a page of what q selects into rows. It reads one row more, to learn whether there are more.
func readPage[T any](ctx context.Context, s *Store, q *bun.SelectQuery, rows *[]T, page Page, by order[T]) (List[T], error) {
	whole := q.Clone().Limit(MaxCount + 1)
	list := List[T]{cursor: by.of, count: func(ctx context.Context) (n int64, err error) {
		err = s.idb.NewSelect().ColumnExpr("count(*)").TableExpr("(?) AS list", whole).Scan(ctx, &n)
		return n, translate(err)
	}}
	backward, forth, back := page.Last != 0, ">", "<"
	if by.descending {
		forth, back = back, forth
	}
	q, err := by.from(q, forth, page.After, "after")
	if err != nil {
		return list, err
	}
	if q, err = by.from(q, back, page.Before, "before"); err != nil {
		return list, err
	}
	direction := " ASC"
	if by.descending != backward {
		direction = " DESC"
	}
	for _, k := range by.by {
		q = q.OrderExpr(k.expr + direction)
	}
	if err := q.Limit(int64(page.Size() + 1)).Scan(ctx); err != nil {
		return list, translate(err)
	}
	more := len(*rows) > page.Size()
	list.Rows = (*rows)[:min(len(*rows), page.Size())]
	list.HasNext, list.HasPrevious = more || page.Before != "", page.After != ""
	if backward {
		slices.Reverse(list.Rows)
		list.HasNext, list.HasPrevious = page.Before != "", more || page.After != ""
	}
	return list, nil
}

// from limits q to the rows on one side of a cursor; "" does not limit. argument is what is wrong when the
// cursor is of another list.
func (o order[T]) from(q *bun.SelectQuery, side, cursor, argument string) (*bun.SelectQuery, error) {
	if cursor == "" {
		return q, nil
	}
	malformed := fault.Checks{}
	malformed.Add(argument, "CURSOR_MALFORMED")
	raw, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil || bytes.Contains(raw, []byte(`\u0000`)) { // PostgreSQL's text holds no NUL
		return q, malformed.Err()
	}
	var found []json.RawMessage
	if json.Unmarshal(raw, &found) != nil || len(found) != len(o.by) {
		return q, malformed.Err()
	}
	exprs, marks, values := make([]string, len(found)), make([]string, len(found)), make([]any, len(found))
	for i, k := range o.by {
		exprs[i], marks[i] = k.expr, "?::"+k.as
		if values[i] = k.read(found[i]); values[i] == nil {
			return q, malformed.Err()
		}
	}
	return q.Where("("+strings.Join(exprs, ", ")+") "+side+" ("+strings.Join(marks, ", ")+")", values...), nil
}

// read takes a value out of a cursor, nil for one of another type.
func (k key) read(raw json.RawMessage) any {
	switch k.as {
	case "bigint":
		return readAs[int64](raw)
	case "date":
		return readAs[date.Date](raw)
	case "timestamptz":
		return readAs[time.Time](raw)
	}
	return readAs[string](raw)
}

func readAs[T any](raw json.RawMessage) any {
	var value T
	if string(raw) == "null" || json.Unmarshal(raw, &value) != nil {
		return nil
	}
	return value
}
