package db_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
)

// A list is the same walked from the beginning and from the end, in pages of any size, and any two of its
// cursors bound what is between them: for lists by one key and by two, up and down, with equal first keys.
func TestPages(t *testing.T) {
	t.Parallel()
	store, everything := dbtest.New(t), access.Reach{All: true}
	ctx := t.Context()
	for i := range 12 {
		client := dbtest.Client(t, store, fmt.Sprintf("Cliente %c", 'a'+i%3), fmt.Sprintf("c%d@lista.example", i))
		for range i % 3 {
			dbtest.Invoice(t, store, client, date.Date(fmt.Sprintf("2026-04-%02d", 1+i%4)), date.Date(fmt.Sprintf("2026-05-%02d", 1+i%2)), time.Now())
		}
	}
	lists := map[string]func(context.Context, db.Page) (walked, error){
		"clients": func(ctx context.Context, page db.Page) (walked, error) {
			return walk(store.Clients(ctx, db.ClientFilter{Reach: everything}, page))
		},
		"clients found": func(ctx context.Context, page db.Page) (walked, error) {
			return walk(store.Clients(ctx, db.ClientFilter{Reach: everything, Search: "cliente b"}, page))
		},
	}
	for _, by := range db.InvoiceOrders {
		for _, ascending := range []bool{false, true} {
			lists[fmt.Sprintf("invoices by %s %v", by, ascending)] = func(ctx context.Context, page db.Page) (walked, error) {
				return walk(store.Invoices(ctx, db.InvoiceFilter{Reach: everything, Order: db.InvoiceOrder{By: by, Ascending: ascending}}, page))
			}
		}
	}
	for name, read := range lists {
		t.Run(name, func(t *testing.T) {
			whole, err := read(ctx, db.Page{First: db.MaxPage})
			if err != nil || len(whole.rows) < 4 || whole.HasNext || whole.HasPrevious || whole.count != int64(len(whole.rows)) {
				t.Fatalf("%d rows, %d counted, %v %v: %v", len(whole.rows), whole.count, whole.HasNext, whole.HasPrevious, err)
			}
			rapid.Check(t, func(t *rapid.T) {
				size := rapid.IntRange(1, len(whole.rows)+2).Draw(t, "size")
				var forth, back []string
				for page := (db.Page{First: size}); ; {
					part, err := read(ctx, page)
					if err != nil || part.HasPrevious != (page.After != "") || part.count != whole.count {
						t.Fatalf("%+v: %+v %v", page, part, err)
					}
					forth = append(forth, part.rows...)
					if !part.HasNext {
						break
					}
					page.After = part.end
				}
				for page := (db.Page{Last: size}); ; {
					part, err := read(ctx, page)
					if err != nil || part.HasNext != (page.Before != "") {
						t.Fatalf("%+v: %+v %v", page, part, err)
					}
					back = append(slices.Clone(part.rows), back...)
					if !part.HasPrevious {
						break
					}
					page.Before = part.start
				}
				if !slices.Equal(forth, whole.rows) || !slices.Equal(back, whole.rows) {
					t.Fatalf("forth %v\nback  %v\nwant  %v", forth, back, whole.rows)
				}
				from := rapid.IntRange(0, len(whole.rows)-2).Draw(t, "from")
				to := rapid.IntRange(from+1, len(whole.rows)-1).Draw(t, "to")
				between := whole.rows[from+1 : to]
				first, err := read(ctx, db.Page{First: size, After: whole.cursors[from], Before: whole.cursors[to]})
				if err != nil || !slices.Equal(first.rows, between[:min(size, len(between))]) || !first.HasNext || !first.HasPrevious {
					t.Fatalf("the first between: %+v %v", first, err)
				}
				last, err := read(ctx, db.Page{Last: size, After: whole.cursors[from], Before: whole.cursors[to]})
				if err != nil || !slices.Equal(last.rows, between[len(between)-min(size, len(between)):]) || !last.HasNext || !last.HasPrevious {
					t.Fatalf("the last between: %+v %v", last, err)
				}
			})
		})
	}
	byDate := lists["invoices by issue_date false"]
	other, err := lists["clients"](ctx, db.Page{First: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, page := range []db.Page{{After: "x"}, {Before: "x"}, {After: other.end}, {Before: other.end}, {After: "W251bGwsMV0"}, {After: "W10"}} {
		if _, err := byDate(ctx, page); !fault.Is(err, fault.Invalid) {
			t.Errorf("%+v: %v", page, err)
		}
	}
	for page, field := range map[db.Page]string{{First: -1}: "first", {First: 101}: "first", {Last: -1}: "last", {Last: 101}: "last", {First: 1, Last: 1}: "last"} {
		f, ok := fault.As(page.Check())
		if !ok || f.Fields[0].Path != field {
			t.Errorf("%+v: %v", page, page.Check())
		}
	}
}

// walked is a page without its kind of rows.
type walked struct {
	rows, cursors        []string
	start, end           string
	HasNext, HasPrevious bool
	count                int64
}

func walk[T any](list db.List[T], err error) (walked, error) {
	if err != nil {
		return walked{}, err
	}
	out := walked{HasNext: list.HasNext, HasPrevious: list.HasPrevious}
	for _, row := range list.Rows {
		out.cursors = append(out.cursors, list.Cursor(row))
		switch row := any(row).(type) {
		case db.Client:
			out.rows = append(out.rows, row.ID.String())
		case db.Invoice:
			out.rows = append(out.rows, row.ID.String())
		}
	}
	if n := len(out.cursors); n > 0 {
		out.start, out.end = out.cursors[0], out.cursors[n-1]
	}
	out.count, err = list.Count(context.Background())
	return out, err
}
