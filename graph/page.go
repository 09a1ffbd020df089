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
func pageOf(first int, after *string) (db.Page, error) {
	if first < 1 { // 0 would ask db for its default
		first = -1
	}
	page := db.Page{First: first}
	if after != nil {
		page.After = *after
	}
	return page, page.Check()
}

// pageResult gives a connection its parts: a node and an edge for each row, and where the page ends.
func pageResult[Row, Node, Edge any](list db.List[Row], node func(*Row) Node, edge func(string, Node) *Edge) ([]Node, []*Edge, *model.PageInfo) {
	nodes, edges := make([]Node, len(list.Rows)), make([]*Edge, len(list.Rows))
	info := &model.PageInfo{HasNextPage: list.HasNext, HasPreviousPage: list.HasPrevious}
	for i := range list.Rows {
		cursor := list.Cursor(list.Rows[i])
		if i == 0 {
			info.StartCursor = &cursor
		}
		nodes[i] = node(&list.Rows[i])
		edges[i] = edge(cursor, nodes[i])
		info.EndCursor = &cursor
	}
	return nodes, edges, info
}

func clientPage(list db.List[db.Client], err error) (*model.ClientConnection, error) {
	if err != nil {
		return nil, err
	}
	nodes, edges, info := pageResult(list, func(row *db.Client) *db.Client { return row },
		func(cursor string, node *db.Client) *model.ClientEdge {
			return &model.ClientEdge{Cursor: cursor, Node: node}
		})
	return &model.ClientConnection{Nodes: nodes, Edges: edges, PageInfo: info}, nil
}

func failedSignInPage(list db.List[db.FailedSignIn], err error) (*model.FailedSignInConnection, error) {
	if err != nil {
		return nil, err
	}
	nodes, edges, info := pageResult(list, func(row *db.FailedSignIn) *db.FailedSignIn { return row },
		func(cursor string, node *db.FailedSignIn) *model.FailedSignInEdge {
			return &model.FailedSignInEdge{Cursor: cursor, Node: node}
		})
	return &model.FailedSignInConnection{Nodes: nodes, Edges: edges, PageInfo: info}, nil
}

func contactPage(ctx context.Context, list db.List[db.Contact], err error) (*model.ContactConnection, error) {
	if err != nil {
		return nil, err
	}
	ahead(ctx, load(ctx).clients, list.Rows, func(row *db.Contact) id.Client { return row.ClientID }, "client")
	ahead(ctx, load(ctx).access, list.Rows, func(row *db.Contact) id.Contact { return row.ID }, "subAccount")
	nodes, edges, info := pageResult(list, func(row *db.Contact) *db.Contact { return row },
		func(cursor string, node *db.Contact) *model.ContactEdge {
			return &model.ContactEdge{Cursor: cursor, Node: node}
		})
	return &model.ContactConnection{Nodes: nodes, Edges: edges, PageInfo: info}, nil
}

func invoicePage(ctx context.Context, query billing.InvoiceQuery, list db.List[db.Invoice], err error) (*model.InvoiceConnection, error) {
	if err != nil {
		return nil, err
	}
	ahead(ctx, load(ctx).clients, list.Rows, func(row *db.Invoice) id.Client { return row.ClientID }, "client")
	ahead(ctx, load(ctx).lines, list.Rows, func(row *db.Invoice) id.Invoice { return row.ID }, "lines")
	ahead(ctx, load(ctx).payments, list.Rows, func(row *db.Invoice) id.Invoice { return row.ID }, "payments")
	ahead(ctx, load(ctx).notes, list.Rows, func(row *db.Invoice) id.Invoice { return row.ID }, "creditNotes")
	ahead(ctx, load(ctx).transfers, list.Rows, func(row *db.Invoice) id.Client { return row.ClientID }, "transferInstructions")
	nodes, edges, info := pageResult(list, func(row *db.Invoice) *model.Invoice { return invoice(ctx, *row) },
		func(cursor string, node *model.Invoice) *model.InvoiceEdge {
			return &model.InvoiceEdge{Cursor: cursor, Node: node}
		})
	return &model.InvoiceConnection{Nodes: nodes, Edges: edges, PageInfo: info, Query: query}, nil
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
	nodes, edges, info := pageResult(list, func(row *db.Delivery) *db.Delivery { return row },
		func(cursor string, node *db.Delivery) *model.DeliveryEdge {
			return &model.DeliveryEdge{Cursor: cursor, Node: node}
		})
	return &model.DeliveryConnection{Nodes: nodes, Edges: edges, PageInfo: info}, nil
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
