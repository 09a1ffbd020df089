package graph

import (
	"context"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/graph/model"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/reminder"
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
// were asked for before. The verb that reads it decides who may.
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
		return nodeOf(text, id.ParseDelivery, one(ctx, r.Reminder.Delivery, itself))
	case id.PolicyPrefix:
		return nodeOf(text, id.ParsePolicy, one(ctx, among(r.Reminder.Policies, func(row *reminder.Policy) id.Policy { return row.ID }), itself))
	case id.GroupPrefix:
		return nodeOf(text, id.ParseGroup, one(ctx, among(r.Reminder.ClientGroups, func(row *db.ClientGroup) id.Group { return row.ID }), itself))
	case id.TemplatePrefix:
		return nodeOf(text, id.ParseTemplate, one(ctx, r.Reminder.Template, itself))
	case id.RunPrefix:
		return nodeOf(text, id.ParseRun, one(ctx, r.Reminder.Run, itself))
	case id.LateFeePrefix:
		return nodeOf(text, id.ParseLateFee, one(ctx, among(r.Reminder.LateFeeRules, func(row *db.LateFeeRule) id.LateFee { return row.ID }),
			func(row db.LateFeeRule) model.LateFeeRule { return model.LateFeeRule{LateFeeRule: row} }))
	}
	return r.nodeOfPeople(ctx, text)
}

// nodeOfPeople is node for those who sign in, and what they sign in with.
func (r *resolver) nodeOfPeople(ctx context.Context, text string) (read func() (model.Node, error)) {
	switch id.Prefix(text) {
	case id.StaffPrefix:
		return nodeOf(text, id.ParseStaff, one(ctx, among(r.Account.Staff, func(row *db.Staff) id.Staff { return row.ID }), itself))
	case id.TokenPrefix:
		return nodeOf(text, id.ParseToken, one(ctx, among(r.Account.Tokens, func(row *db.APIToken) id.Token { return row.ID }), itself))
	case id.SessionPrefix:
		return nodeOf(text, id.ParseSession, one(ctx, among(r.Account.Sessions, func(row *db.Session) id.Session { return row.ID }), itself))
	case id.PasskeyPrefix:
		passkeys := func(ctx context.Context) ([]db.Passkey, error) {
			factors, err := r.Account.Factors(ctx)
			return factors.Passkeys, err
		}
		return nodeOf(text, id.ParsePasskey, one(ctx, among(passkeys, func(row *db.Passkey) id.Passkey { return row.ID }), itself))
	}
	return r.nodeOfBilling(ctx, text)
}

// nodeOfBilling is node for what money is about.
func (r *resolver) nodeOfBilling(ctx context.Context, text string) (read func() (model.Node, error)) {
	switch id.Prefix(text) {
	case id.PaymentPrefix:
		return nodeOf(text, id.ParsePayment, one(ctx, r.Billing.Payment, func(row db.Payment) model.Payment { return model.Payment{Payment: row} }))
	case id.CreditNotePrefix:
		return nodeOf(text, id.ParseCreditNote, one(ctx, r.Billing.CreditNote, func(row db.CreditNote) model.CreditNote { return model.CreditNote{CreditNote: row} }))
	case id.ProductPrefix:
		return nodeOf(text, id.ParseProduct, one(ctx, r.Billing.Product, itself))
	case id.ServicePrefix:
		return nodeOf(text, id.ParseService, one(ctx, r.Billing.Service, itself))
	case id.CheckoutPrefix:
		return nodeOf(text, id.ParseCheckout, func(key id.Checkout) func() (*model.Checkout, error) {
			return func() (*model.Checkout, error) { return r.checkout(ctx, key) }
		})
	case id.GatewayEventPrefix:
		return nodeOf(text, id.ParseGatewayEvent, one(ctx, r.Billing.ReviewedEvent, func(row db.GatewayEvent) model.GatewayEvent { return model.GatewayEvent{GatewayEvent: row} }))
	case id.MovementPrefix:
		return nodeOf(text, id.ParseMovement, one(ctx, r.Billing.Movement, func(row db.Movement) model.BankMovement { return model.BankMovement{Movement: row} }))
	case id.CFDIPrefix:
		return nodeOf(text, id.ParseCFDI, one(ctx, r.Fiscal.Document, itself))
	case id.FiscalProfilePrefix:
		return nodeOf(text, id.ParseFiscalProfile, one(ctx, r.Fiscal.FiscalProfile, itself))
	}
	return func() (model.Node, error) { return nil, fault.Missing() }
}

// one reads a thing with a verb when it is called, and makes its object.
func one[K, Row, V any](ctx context.Context, read func(context.Context, K) (Row, error), object func(Row) V) func(K) func() (*V, error) {
	return func(key K) func() (*V, error) {
		return func() (*V, error) {
			row, err := read(ctx, key)
			if err != nil {
				return nil, err
			}
			of := object(row)
			return &of, nil
		}
	}
}

// itself is the object of a row that is one.
func itself[Row any](row Row) Row { return row }

// among reads one of a short list that has no verb of its own for one.
func among[K comparable, Row any](list func(context.Context) ([]Row, error), key func(*Row) K) func(context.Context, K) (Row, error) {
	return func(ctx context.Context, wanted K) (Row, error) {
		rows, err := list(ctx)
		for i := range rows {
			if err == nil && key(&rows[i]) == wanted {
				return rows[i], nil
			}
		}
		var none Row
		if err == nil {
			err = fault.Missing()
		}
		return none, err
	}
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
