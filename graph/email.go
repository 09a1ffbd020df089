package graph

import (
	"context"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/graph/model"
	"github.com/nubedigitalmx/avisa/internal/id"
)

func emailPage(ctx context.Context, list db.List[db.Email], err error) (*model.EmailConnection, error) {
	if err != nil {
		return nil, err
	}
	ahead(ctx, load(ctx).clients, list.Rows, func(row *db.Email) id.Client { return row.ClientID }, "client", "invoice.client", "contact.client")
	ahead(ctx, load(ctx).contacts, list.Rows, func(row *db.Email) id.Contact { return row.ContactID }, "contact")
	ahead(ctx, load(ctx).invoices, list.Rows, func(row *db.Email) id.Invoice { return row.InvoiceID }, "invoice")
	ahead(ctx, load(ctx).emails, list.Rows, func(row *db.Email) id.Email { return row.ID }, "content")
	return &model.EmailConnection{Connection: connection(list, func(row *db.Email) *db.Email { return row },
		func(cursor string, node *db.Email) *model.EmailEdge {
			return &model.EmailEdge{Cursor: cursor, Node: node}
		})}, nil
}

// content is what a mail said; nil when that is kept no longer.
func content(row *db.Email, err error) (*model.EmailContent, error) {
	if err != nil || row == nil || row.Text == "" && row.HTML == "" {
		return nil, err
	}
	return &model.EmailContent{Text: row.Text, HTML: row.HTML}, nil
}
