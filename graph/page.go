package graph

import (
	"context"

	"github.com/99designs/gqlgen/graphql"
	"github.com/vikstrous/dataloadgen"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/graph/model"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// pageOf reads the arguments of a connection.
func pageOf(first *int, after *string, last *int, before *string) (db.Page, error) {
	page := db.Page{First: wanted(first), After: deref(after), Last: wanted(last), Before: deref(before)}
	return page, page.Check()
}

// wanted is a number of elements; 0, which would ask db for its default, is as impossible as less.
func wanted(n *int) int {
	if n != nil && *n == 0 {
		return -1
	}
	return deref(n)
}

// connection is a page as the schema has it: a node and an edge for each row, where the page ends, and how to
// count the list.
func connection[Row, Node, Edge any](list db.List[Row], node func(*Row) Node, edge func(string, Node) *Edge) model.Connection[Node, *Edge] {
	page := model.Connection[Node, *Edge]{Nodes: make([]Node, len(list.Rows)), Edges: make([]*Edge, len(list.Rows)),
		PageInfo: &model.PageInfo{HasNextPage: list.HasNext, HasPreviousPage: list.HasPrevious}, Count: list.Count}
	for i := range list.Rows {
		cursor := list.Cursor(list.Rows[i])
		if i == 0 {
			page.PageInfo.StartCursor = &cursor
		}
		page.Nodes[i] = node(&list.Rows[i])
		page.Edges[i] = edge(cursor, page.Nodes[i])
		page.PageInfo.EndCursor = &cursor
	}
	return page
}

func clientPage(list db.List[db.Client], err error) (*model.ClientConnection, error) {
	if err != nil {
		return nil, err
	}
	return &model.ClientConnection{Connection: connection(list, func(row *db.Client) *db.Client { return row },
		func(cursor string, node *db.Client) *model.ClientEdge {
			return &model.ClientEdge{Cursor: cursor, Node: node}
		})}, nil
}

func failedSignInPage(list db.List[db.FailedSignIn], err error) (*model.FailedSignInConnection, error) {
	if err != nil {
		return nil, err
	}
	return &model.FailedSignInConnection{Connection: connection(list, func(row *db.FailedSignIn) *db.FailedSignIn { return row },
		func(cursor string, node *db.FailedSignIn) *model.FailedSignInEdge {
			return &model.FailedSignInEdge{Cursor: cursor, Node: node}
		})}, nil
}

func contactPage(ctx context.Context, list db.List[db.Contact], err error) (*model.ContactConnection, error) {
	if err != nil {
		return nil, err
	}
	ahead(ctx, load(ctx).clients, list.Rows, func(row *db.Contact) id.Client { return row.ClientID }, "client")
	ahead(ctx, load(ctx).access, list.Rows, func(row *db.Contact) id.Contact { return row.ID }, "subAccount")
	return &model.ContactConnection{Connection: connection(list, func(row *db.Contact) *db.Contact { return row },
		func(cursor string, node *db.Contact) *model.ContactEdge {
			return &model.ContactEdge{Cursor: cursor, Node: node}
		})}, nil
}

func invoicePage(ctx context.Context, query billing.InvoiceQuery, list db.List[db.Invoice], err error) (*model.InvoiceConnection, error) {
	if err != nil {
		return nil, err
	}
	ahead(ctx, load(ctx).clients, list.Rows, func(row *db.Invoice) id.Client { return row.ClientID }, "client")
	ahead(ctx, load(ctx).lines, list.Rows, func(row *db.Invoice) id.Invoice { return row.ID }, "lines")
	ahead(ctx, load(ctx).payments, list.Rows, func(row *db.Invoice) id.Invoice { return row.ID }, "payments")
	ahead(ctx, load(ctx).log, list.Rows, func(row *db.Invoice) id.Invoice { return row.ID }, "downloads")
	ahead(ctx, load(ctx).notes, list.Rows, func(row *db.Invoice) id.Invoice { return row.ID }, "creditNotes")
	ahead(ctx, load(ctx).transfers, list.Rows, func(row *db.Invoice) id.Client { return row.ClientID }, "transferInstructions")
	return &model.InvoiceConnection{Connection: connection(list, func(row *db.Invoice) *model.Invoice { return invoice(ctx, *row) },
		func(cursor string, node *model.Invoice) *model.InvoiceEdge {
			return &model.InvoiceEdge{Cursor: cursor, Node: node}
		}), Query: query}, nil
}

func deliveryPage(ctx context.Context, list db.List[db.Delivery], err error) (*model.DeliveryConnection, error) {
	if err != nil {
		return nil, err
	}
	contact := func(row *db.Delivery) id.Contact { return row.ContactID }
	invoice := func(row *db.Delivery) id.Invoice { return row.InvoiceID }
	ahead(ctx, load(ctx).clients, list.Rows, func(row *db.Delivery) id.Client { return row.ClientID }, "client", "invoice.client", "contact.client")
	ahead(ctx, load(ctx).contacts, list.Rows, contact, "contact")
	ahead(ctx, load(ctx).access, list.Rows, contact, "contact.subAccount")
	ahead(ctx, load(ctx).invoices, list.Rows, invoice, "invoice")
	ahead(ctx, load(ctx).lines, list.Rows, invoice, "invoice.lines")
	ahead(ctx, load(ctx).steps, list.Rows, func(row *db.Delivery) id.Step { return row.StepID }, "step")
	return &model.DeliveryConnection{Connection: connection(list, func(row *db.Delivery) *db.Delivery { return row },
		func(cursor string, node *db.Delivery) *model.DeliveryEdge {
			return &model.DeliveryEdge{Cursor: cursor, Node: node}
		})}, nil
}

// ahead asks a loader for what the elements of a page refer to, if any of the fields is selected: so
// it is read with one statement however late the elements themselves ask.
func ahead[Row any, K ~int64, V any](ctx context.Context, loader *dataloadgen.Loader[K, V], rows []Row, key func(*Row) K, fields ...string) {
	for _, field := range fields {
		if graphql.AnyFieldRequested(ctx, "nodes."+field, "edges.node."+field) {
			for i := range rows {
				if k := key(&rows[i]); k != 0 {
					loader.LoadThunk(ctx, k)
				}
			}
			return
		}
	}
}

// tooMany refuses a list argument of more than max elements.
func tooMany(path string, n, most int) error {
	var checks fault.Checks
	if n > most {
		checks.Add(path, "PAGE_SIZE", "max", most)
	}
	return checks.Err()
}

// pointers are the rows as gqlgen wants lists of objects.
func pointers[T any](rows []T) []*T {
	out := make([]*T, len(rows))
	for i := range rows {
		out[i] = &rows[i]
	}
	return out
}
