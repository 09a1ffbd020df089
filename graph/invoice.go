package graph

import (
	"context"

	"github.com/nubedigitalmx/avisa/graph/model"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	ids "github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

func (r *resolver) invoices(ctx context.Context, query billing.InvoiceQuery, first *int, after *string, last *int, before *string) (*model.InvoiceConnection, error) {
	page, err := pageOf(first, after, last, before)
	if err != nil {
		return nil, err
	}
	list, err := r.Billing.Invoices(ctx, query, page)
	return invoicePage(ctx, query, list, err)
}

func (r *resolver) issueInvoice(ctx context.Context, in model.IssueInvoiceInput) (*model.Invoice, error) {
	issue, err := issueInput(in)
	if err != nil {
		return nil, err
	}
	row, err := r.Billing.IssueInvoice(ctx, issue)
	return invoiceOf(ctx, row, err)
}

func (r *resolver) recordPayment(ctx context.Context, in model.RecordPaymentInput) (*model.Invoice, error) {
	invoice, err := parsed(in.InvoiceID, ids.ParseInvoice)
	if err != nil {
		return nil, err
	}
	var checks fault.Checks
	// Every currency has two decimals, so the invoice's need not be read first.
	amount := minor(&checks, "amount", in.Amount, money.MXN)
	if err := checks.Err(); err != nil {
		return nil, err
	}
	row, err := r.Billing.RecordPayment(ctx, billing.PaymentInput{InvoiceID: invoice, Amount: amount, Method: in.Method,
		Reference: deref(in.Reference), ReceivedOn: day(in.ReceivedOn), RequestKey: in.RequestKey})
	return invoiceOf(ctx, row, err)
}

func (r *resolver) requestPDF(ctx context.Context, in model.RequestInvoicePDFInput) (*model.Invoice, error) {
	invoice, err := parsed(in.InvoiceID, ids.ParseInvoice)
	if err != nil {
		return nil, err
	}
	row, err := r.Billing.RequestInvoicePDF(ctx, invoice)
	return invoiceOf(ctx, row, err)
}

// minor is an amount in minor units; nothing is rounded away.
func minor(checks *fault.Checks, path string, amount money.Decimal, currency money.Currency) money.Minor {
	if amount.Decimals() > currency.Decimals() {
		checks.Add(path, "AMOUNT_TOO_MANY_DECIMALS")
		return 0
	}
	units, err := amount.Minor(currency)
	if err != nil || units > money.MaxMinor || units < -money.MaxMinor {
		checks.Add(path, "AMOUNT_TOO_LARGE")
	}
	return units
}

// day is an optional date; "" when it was left out.
func day(d *date.Date) date.Date {
	if d == nil {
		return ""
	}
	return *d
}
