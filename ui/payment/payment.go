// Package payment is what the pages on which people pay have in common: how to pay by transfer, and
// how a card payment stands.
package payment

import (
	"context"
	"net/http"
	"strings"

	"github.com/a-h/templ"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/ui/component"
)

// t is a text of these pages in the reader's language.
func t(ctx context.Context, key string) string { return component.T(ctx, "payment."+key) }

// Headers lets the page's form lead to the gateway, whose address is not known before it answers, and
// keeps the page out of caches.
func Headers(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Cache-Control", "private, no-store")
	h.Set("Content-Security-Policy", strings.Replace(h.Get("Content-Security-Policy"), "form-action 'self'", "form-action 'self' https:", 1))
}

// StatusView is a card payment on the page that its payer comes back to.
type StatusView struct {
	Checkout db.Checkout
	Invoices []db.Invoice
	Reload   templ.SafeURL // this page
	Retry    templ.SafeURL // where one pays
	Done     templ.SafeURL // where to go on; "" for nowhere
	DoneText string
}

// waiting reports whether the page has to ask again.
func (v StatusView) waiting() bool {
	return v.Checkout.Status == db.CheckoutCreated || v.Checkout.Status == db.CheckoutOpen || v.Checkout.Status == db.CheckoutProcessing
}

// icon and colour of the state.
func (v StatusView) icon() (name, class string) {
	switch v.Checkout.Status {
	case db.CheckoutPaid:
		return "check", "bg-success/10 text-success"
	case db.CheckoutFailed, db.CheckoutExpired:
		return "warning", "bg-warning/15 text-warning-content"
	}
	return "clock", "bg-info/10 text-info"
}

func invoicesLabel(ctx context.Context, rows []db.Invoice) string {
	if len(rows) == 1 {
		return t(ctx, "invoice")
	}
	return t(ctx, "invoices")
}

func numbers(rows []db.Invoice) string {
	list := make([]string, len(rows))
	for i, row := range rows {
		list[i] = row.Number
	}
	return strings.Join(list, ", ")
}

// groups writes a CLABE as banks print it: bank, place, account, check digit.
func groups(clabe string) string {
	if len(clabe) != 18 {
		return clabe
	}
	return clabe[:3] + " " + clabe[3:6] + " " + clabe[6:17] + " " + clabe[17:]
}

// Sum adds the balances of invoices of one currency; what is too large to add is left out.
func Sum(rows []db.Invoice) money.Minor {
	var sum money.Minor
	for _, row := range rows {
		if next, err := sum.Add(row.Balance); err == nil {
			sum = next
		}
	}
	return sum
}

// Chosen says how many invoices are about to be paid.
func Chosen(ctx context.Context, n int) string {
	if n == 1 {
		return t(ctx, "chosen.one")
	}
	return component.T(ctx, "payment.chosen.many", "n", n)
}

// Concept is what a payer writes into a transfer: the numbers, as far as banks take them.
func Concept(rows []db.Invoice) string {
	text := ""
	for _, row := range rows {
		next := strings.TrimSpace(text + " " + row.Number)
		if len(next) > 40 { // of SPEI
			break
		}
		text = next
	}
	return text
}
