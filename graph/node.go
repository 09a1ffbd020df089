package graph

import (
	"context"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/graph/model"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// parsed reads an id argument. One that is malformed, or of another kind, names nothing.
func parsed[K any](text string, parse func(string) (K, error)) (K, error) {
	key, err := parse(text)
	if err != nil {
		return key, fault.Missing()
	}
	return key, nil
}

// optional is parsed for an argument that may be left out: its zero id then.
func optional[K any](text *string, parse func(string) (K, error)) (K, error) {
	if text == nil {
		var none K
		return none, nil
	}
	return parsed(*text, parse)
}

// invoice is the GraphQL object of a row.
func invoice(ctx context.Context, row db.Invoice) *model.Invoice {
	return &model.Invoice{Invoice: row, Today: load(ctx).today()}
}

// invoiceOf is invoice for a verb's result.
func invoiceOf(ctx context.Context, row db.Invoice, err error) (*model.Invoice, error) {
	if err != nil {
		return nil, err
	}
	return invoice(ctx, row), nil
}

// pointer is a verb's result as a nullable object.
func pointer[T any](row T, err error) (*T, error) {
	if err != nil {
		return nil, err
	}
	return &row, nil
}

// node finds any one thing by its global id. The read begins when it is called, with all others that
// were asked for before.
func (r *resolver) node(ctx context.Context, text string) (read func() (model.Node, error)) {
	switch id.Prefix(text) {
	case id.ClientPrefix:
		return nodeOf(text, id.ParseClient, func(key id.Client) func() (*db.Client, error) { return load(ctx).clients.LoadThunk(ctx, key) })
	case id.ContactPrefix:
		return nodeOf(text, id.ParseContact, func(key id.Contact) func() (*db.Contact, error) { return contact(ctx, key) })
	case id.InvoicePrefix:
		return nodeOf(text, id.ParseInvoice, func(key id.Invoice) func() (*model.Invoice, error) { return load(ctx).invoices.LoadThunk(ctx, key) })
	case id.EmailPrefix:
		return nodeOf(text, id.ParseEmail, func(key id.Email) func() (*db.Email, error) { return load(ctx).emails.LoadThunk(ctx, key) })
	case id.DeliveryPrefix:
		return nodeOf(text, id.ParseDelivery, func(key id.Delivery) func() (*db.Delivery, error) {
			return func() (*db.Delivery, error) { return pointer(r.Reminder.Delivery(ctx, key)) }
		})
	case id.PaymentPrefix:
		return nodeOf(text, id.ParsePayment, func(key id.Payment) func() (*model.Payment, error) {
			return func() (*model.Payment, error) { return r.payment(ctx, key) }
		})
	case id.ProductPrefix:
		return nodeOf(text, id.ParseProduct, func(key id.Product) func() (*db.Product, error) {
			return func() (*db.Product, error) { return pointer(r.Billing.Product(ctx, key)) }
		})
	case id.ServicePrefix:
		return nodeOf(text, id.ParseService, func(key id.Service) func() (*db.Service, error) {
			return func() (*db.Service, error) { return pointer(r.Billing.Service(ctx, key)) }
		})
	}
	return func() (model.Node, error) { return nil, fault.Missing() }
}

// nodeOf keeps a nil row from becoming a Node that is not nil.
func nodeOf[K, V any](text string, parse func(string) (K, error), read func(K) func() (*V, error)) func() (model.Node, error) {
	key, err := parsed(text, parse)
	if err != nil {
		return func() (model.Node, error) { return nil, err }
	}
	later := read(key)
	return func() (model.Node, error) {
		row, err := found(later())
		if err != nil {
			return nil, err
		}
		return row, nil
	}
}

// contact reads a contact through the loader, which knows deleted ones and shows names to every
// login of the client: both are for the ledger only.
func contact(ctx context.Context, key id.Contact) func() (*db.Contact, error) {
	later := load(ctx).contacts.LoadThunk(ctx, key)
	return func() (*db.Contact, error) {
		row, err := found(later())
		if err != nil {
			return nil, err
		}
		if row.DeletedAt != nil {
			return nil, fault.Missing()
		}
		return row, access.Require(ctx, access.Contacts, row.ClientID)
	}
}

// payment reads a payment.
func (r *resolver) payment(ctx context.Context, key id.Payment) (*model.Payment, error) {
	row, err := r.Billing.Payment(ctx, key)
	if err != nil {
		return nil, err
	}
	return &model.Payment{Payment: row}, nil
}

// nodes reads many things by their global ids: clients, contacts and invoices with one statement a kind, the
// others one by one.
func (r *resolver) nodes(ctx context.Context, texts []string) ([]model.Node, error) {
	if err := tooMany("ids", len(texts), maxNodes); err != nil {
		return nil, err
	}
	if err := access.RequireSignedIn(ctx); err != nil {
		return nil, err
	}
	reads, rows := make([]func() (model.Node, error), len(texts)), make([]model.Node, len(texts))
	for i, text := range texts {
		reads[i] = r.node(ctx, text)
	}
	for i, read := range reads {
		row, err := read()
		if f, ok := fault.As(err); err != nil && (!ok || f.Kind != fault.NotFound && f.Kind != fault.Forbidden) {
			return nil, err
		}
		if err == nil {
			rows[i] = row
		}
	}
	return rows, nil
}
