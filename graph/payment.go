package graph

import (
	"context"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/graph/model"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// limited adds to a query of invoices what a list's arguments ask for.
func limited(query billing.InvoiceQuery, limits *model.InvoiceLimits, orderBy string, ascending bool) (billing.InvoiceQuery, error) {
	query.Order = db.InvoiceOrder{By: orderBy, Ascending: ascending}
	if limits == nil {
		return query, nil
	}
	var checks fault.Checks
	if limits.Currency != nil {
		query.Currency = *limits.Currency
	}
	query.IssuedFrom, query.IssuedTo, query.DueFrom, query.DueTo = day(limits.IssuedFrom), day(limits.IssuedTo), day(limits.DueFrom), day(limits.DueTo)
	// Every currency has two decimals, so it need not be known.
	if limits.MinTotal != nil {
		query.MinTotal = minor(&checks, "limits.minTotal", *limits.MinTotal, money.MXN)
	}
	if limits.MaxTotal != nil {
		query.MaxTotal = minor(&checks, "limits.maxTotal", *limits.MaxTotal, money.MXN)
	}
	return query, checks.Err()
}

func (r *resolver) startCheckout(ctx context.Context, in model.StartCheckoutInput) (*model.Checkout, error) {
	var start billing.CheckoutInput
	for _, text := range in.InvoiceIds {
		key, err := parsed(text, id.ParseInvoice)
		if err != nil {
			return nil, err
		}
		start.Invoices = append(start.Invoices, key)
	}
	row, err := r.Billing.StartCheckout(ctx, start)
	if err != nil {
		return nil, err
	}
	return r.checkout(ctx, row.ID)
}

func (r *resolver) checkout(ctx context.Context, key id.Checkout) (*model.Checkout, error) {
	row, parts, err := r.Billing.Checkout(ctx, key)
	if err != nil {
		return nil, err
	}
	out := &model.Checkout{Checkout: row}
	for _, part := range parts {
		out.InvoiceIDs = append(out.InvoiceIDs, part.InvoiceID)
	}
	return out, nil
}

// checkoutPath names the invoices by the input's list.
func checkoutPath(path string) []string {
	return splitPath(strings.Replace(path, "invoices", "invoiceIds", 1))
}
