package graph

import (
	"context"
	"fmt"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/graph/model"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// lineInputs reads the lines of an invoice or a credit note. path names the list.
func lineInputs(checks *fault.Checks, path string, currency money.Currency, lines []*model.InvoiceLineInput) []billing.LineInput {
	var list []billing.LineInput
	for i, line := range lines {
		list = append(list, billing.LineInput{Description: line.Description, Quantity: line.Quantity, UnitPrice: line.UnitPrice,
			Discount: minor(checks, fmt.Sprintf("%s[%d].discount", path, i), line.Discount, currency), Treatment: billing.TaxTreatment(line.Treatment),
			PriceIncludesTax: line.PriceIncludesTax, RetencionISR: line.RetencionIsr, RetencionIVA: line.RetencionIva, Kind: deref(line.Kind), TLD: deref(line.Tld),
			ClaveProdServ: deref(line.ClaveProdServ), ClaveUnidad: deref(line.ClaveUnidad)})
	}
	return list
}

// issueInput reads an invoice to be issued or kept as a draft.
func issueInput(in model.IssueInvoiceInput) (billing.IssueInput, error) {
	client, err := parsed(in.ClientID, id.ParseClient)
	if err != nil {
		return billing.IssueInput{}, err
	}
	var checks fault.Checks
	out := billing.IssueInput{ClientID: client, Currency: in.Currency, IssueDate: day(in.IssueDate), DueDate: in.DueDate, Notes: deref(in.Notes), RequestKey: deref(in.RequestKey),
		ExternalRef: deref(in.ExternalReference), RateSource: deref(in.RateSource), Lines: lineInputs(&checks, "lines", in.Currency, in.Lines)}
	if in.ExchangeRate != nil {
		if out.ExchangeRate = *in.ExchangeRate; out.ExchangeRate.IsZero() {
			checks.Add("exchangeRate", "EXCHANGE_RATE_INVALID") // to the verb, zero would mean the stored one
		}
	}
	return out, checks.Err()
}

func (r *resolver) quote(ctx context.Context, currency money.Currency, lines []*model.InvoiceLineInput) (*model.InvoiceQuote, error) {
	var checks fault.Checks
	input := lineInputs(&checks, "lines", currency, lines)
	if err := checks.Err(); err != nil {
		return nil, err
	}
	totals, err := r.Billing.QuoteInvoice(ctx, currency, input)
	if err != nil {
		return nil, err
	}
	return &model.InvoiceQuote{Totals: totals, Currency: currency}, nil
}

func (r *resolver) saveDraft(ctx context.Context, in model.SaveDraftInvoiceInput) (db.Invoice, error) {
	key, err := optional(in.InvoiceID, id.ParseInvoice)
	if err != nil {
		return db.Invoice{}, err
	}
	issue, err := issueInput(*in.Invoice)
	if err != nil {
		return db.Invoice{}, err
	}
	return r.Billing.SaveDraft(ctx, billing.SaveDraftInput{InvoiceID: key, IssueInput: issue})
}

// draftPath is splitPath for what lies inside the draft's invoice.
func draftPath(path string) []string { return append([]string{"invoice"}, splitPath(path)...) }

// draftsPath names the drafts by the input's list.
func draftsPath(path string) []string {
	return splitPath(strings.Replace(path, "invoices", "invoiceIds", 1))
}

func (r *resolver) issueDrafts(ctx context.Context, texts []string) ([]db.Invoice, error) {
	keys := make([]id.Invoice, len(texts))
	for i, text := range texts {
		var err error
		if keys[i], err = parsed(text, id.ParseInvoice); err != nil {
			return nil, err
		}
	}
	return r.Billing.IssueDrafts(ctx, keys)
}

func closeInvoice(ctx context.Context, in model.CloseInvoiceInput, verb func(context.Context, billing.CloseInput) (db.Invoice, error)) (db.Invoice, error) {
	key, err := parsed(in.InvoiceID, id.ParseInvoice)
	if err != nil {
		return db.Invoice{}, err
	}
	return verb(ctx, billing.CloseInput{InvoiceID: key, Reason: in.Reason})
}

func (r *resolver) issueCreditNote(ctx context.Context, in model.IssueCreditNoteInput) (db.CreditNote, error) {
	key, err := parsed(in.InvoiceID, id.ParseInvoice)
	if err != nil {
		return db.CreditNote{}, err
	}
	var checks fault.Checks
	// Every currency has two decimals, so the invoice's need not be read first.
	note := billing.CreditNoteInput{InvoiceID: key, Lines: lineInputs(&checks, "lines", money.MXN, in.Lines), Reason: in.Reason, Return: in.Return, RequestKey: in.RequestKey}
	if in.Lines != nil && len(in.Lines) == 0 {
		checks.Add("lines", "DOCUMENT_EMPTY") // to the verb, none would mean all of them
	}
	if err := checks.Err(); err != nil {
		return db.CreditNote{}, err
	}
	return r.Billing.IssueCreditNote(ctx, note)
}

func moveCredit(ctx context.Context, in model.MoveCreditInput, verb func(context.Context, billing.CreditInput) (db.Invoice, error)) (db.Invoice, error) {
	key, err := parsed(in.InvoiceID, id.ParseInvoice)
	if err != nil {
		return db.Invoice{}, err
	}
	var checks fault.Checks
	amount := minor(&checks, "amount", in.Amount, money.MXN)
	if err := checks.Err(); err != nil {
		return db.Invoice{}, err
	}
	return verb(ctx, billing.CreditInput{InvoiceID: key, Amount: amount, RequestKey: in.RequestKey})
}

// allocations reads what a payment settles.
func allocations(checks *fault.Checks, currency money.Currency, parts []*model.PaymentAllocationInput) ([]billing.Allocation, error) {
	list := []billing.Allocation{}
	for i, part := range parts {
		key, err := parsed(part.InvoiceID, id.ParseInvoice)
		if err != nil {
			return nil, err
		}
		allocation := billing.Allocation{InvoiceID: key}
		if part.Amount != nil {
			path := fmt.Sprintf("invoices[%d].amount", i)
			if allocation.Amount = minor(checks, path, *part.Amount, currency); allocation.Amount <= 0 && !checks.Has(path) {
				checks.Add(path, "AMOUNT_NOT_POSITIVE") // to the verb, zero would mean as much as it can
			}
		}
		list = append(list, allocation)
	}
	return list, nil
}

func (r *resolver) receivePayment(ctx context.Context, in model.ReceivePaymentInput) (db.Payment, error) {
	client, err := parsed(in.ClientID, id.ParseClient)
	if err != nil {
		return db.Payment{}, err
	}
	var checks fault.Checks
	receive := billing.ReceiveInput{ClientID: client, Currency: in.Currency, Amount: minor(&checks, "amount", in.Amount, in.Currency), Method: in.Method,
		Reference: deref(in.Reference), ReceivedOn: day(in.ReceivedOn), ExcessToCredit: in.ExcessToCredit, RequestKey: in.RequestKey}
	if receive.Invoices, err = allocations(&checks, in.Currency, in.Invoices); err != nil {
		return db.Payment{}, err
	}
	if err := checks.Err(); err != nil {
		return db.Payment{}, err
	}
	return r.Billing.ReceivePayment(ctx, receive)
}

func (r *resolver) recordRefund(ctx context.Context, in model.RecordRefundInput) (db.Refund, error) {
	client, err := parsed(in.ClientID, id.ParseClient)
	if err != nil {
		return db.Refund{}, err
	}
	var checks fault.Checks
	refund := billing.RefundInput{ClientID: client, Currency: in.Currency, Amount: minor(&checks, "amount", in.Amount, in.Currency), Method: in.Method,
		Reference: deref(in.Reference), RefundedOn: day(in.RefundedOn), RequestKey: in.RequestKey}
	if err := checks.Err(); err != nil {
		return db.Refund{}, err
	}
	return r.Billing.RecordRefund(ctx, refund)
}

func (r *resolver) confirmMovement(ctx context.Context, in model.ConfirmBankMovementInput) (db.Movement, error) {
	key, err := parsed(in.MovementID, id.ParseMovement)
	if err != nil {
		return db.Movement{}, err
	}
	client, err := optional(in.ClientID, id.ParseClient)
	if err != nil {
		return db.Movement{}, err
	}
	var checks fault.Checks
	parts, err := allocations(&checks, money.MXN, in.Invoices)
	if err != nil {
		return db.Movement{}, err
	}
	if err := checks.Err(); err != nil {
		return db.Movement{}, err
	}
	return r.Billing.ConfirmMovement(ctx, billing.ConfirmInput{MovementID: key, ClientID: client, Invoices: parts, CreditOnly: in.Invoices != nil && len(in.Invoices) == 0})
}

func invoicePayload(ctx context.Context, row db.Invoice, err error, paths func(string) []string) (*model.InvoicePayload, error) {
	payload := &model.InvoicePayload{}
	if err == nil {
		payload.Invoice = invoice(ctx, row)
	}
	payload.UserErrors, err = userErrors(ctx, err, "invoiceId", paths)
	return payload, err
}

func paymentPayload(ctx context.Context, row db.Payment, err error, idField string) (*model.PaymentPayload, error) {
	payload := &model.PaymentPayload{}
	if err == nil {
		payload.Payment = &model.Payment{Payment: row}
	}
	payload.UserErrors, err = userErrors(ctx, err, idField, splitPath)
	return payload, err
}

func movementPayload(ctx context.Context, row db.Movement, err error) (*model.BankMovementPayload, error) {
	payload := &model.BankMovementPayload{}
	if err == nil {
		payload.Movement = &model.BankMovement{Movement: row}
	}
	payload.UserErrors, err = userErrors(ctx, err, "movementId", splitPath)
	return payload, err
}

func paymentPage(ctx context.Context, query billing.PaymentQuery, list db.List[db.Payment], err error) (*model.PaymentConnection, error) {
	if err != nil {
		return nil, err
	}
	ahead(ctx, load(ctx).clients, list.Rows, func(row *db.Payment) id.Client { return row.ClientID }, "client")
	ahead(ctx, load(ctx).parts, list.Rows, func(row *db.Payment) id.Payment { return row.ID }, "allocations")
	return &model.PaymentConnection{Connection: connection(list, func(row *db.Payment) *model.Payment { return &model.Payment{Payment: *row} },
		func(cursor string, node *model.Payment) *model.PaymentEdge {
			return &model.PaymentEdge{Cursor: cursor, Node: node}
		}), Query: query}, nil
}

func (r *resolver) bookGatewayEvent(ctx context.Context, in model.BookGatewayEventInput) (db.GatewayEvent, error) {
	key, err := parsed(in.EventID, id.ParseGatewayEvent)
	if err != nil {
		return db.GatewayEvent{}, err
	}
	invoice, err := optional(in.InvoiceID, id.ParseInvoice)
	if err != nil {
		return db.GatewayEvent{}, err
	}
	return r.Billing.BookGatewayEvent(ctx, key, invoice)
}

func gatewayEventPayload(ctx context.Context, row db.GatewayEvent, err error) (*model.GatewayEventPayload, error) {
	payload := &model.GatewayEventPayload{}
	if err == nil {
		payload.Event = &model.GatewayEvent{GatewayEvent: row}
	}
	payload.UserErrors, err = userErrors(ctx, err, "eventId", splitPath)
	return payload, err
}

func gatewayEventPage(ctx context.Context, list db.List[db.GatewayEvent], err error) (*model.GatewayEventConnection, error) {
	if err != nil {
		return nil, err
	}
	ahead(ctx, load(ctx).clients, list.Rows, func(row *db.GatewayEvent) id.Client { return row.ClientID }, "client")
	return &model.GatewayEventConnection{Connection: connection(list, func(row *db.GatewayEvent) *model.GatewayEvent { return &model.GatewayEvent{GatewayEvent: *row} },
		func(cursor string, node *model.GatewayEvent) *model.GatewayEventEdge {
			return &model.GatewayEventEdge{Cursor: cursor, Node: node}
		})}, nil
}

func movementPage(ctx context.Context, list db.List[db.Movement], err error) (*model.BankMovementConnection, error) {
	if err != nil {
		return nil, err
	}
	ahead(ctx, load(ctx).clients, list.Rows, func(row *db.Movement) id.Client { return row.ClientID }, "client")
	ahead(ctx, load(ctx).invoices, list.Rows, func(row *db.Movement) id.Invoice { return row.InvoiceID }, "invoice")
	return &model.BankMovementConnection{Connection: connection(list, func(row *db.Movement) *model.BankMovement { return &model.BankMovement{Movement: *row} },
		func(cursor string, node *model.BankMovement) *model.BankMovementEdge {
			return &model.BankMovementEdge{Cursor: cursor, Node: node}
		})}, nil
}
