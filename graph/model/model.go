// Package model holds the objects of the GraphQL schema that are not rows themselves: thin views of
// rows, scalars, and the generated inputs and payloads.
package model

import (
	"context"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// Node is anything with a global id: *db.Client, *db.Contact, *Invoice or *db.Delivery.
type Node any

// Money is an amount with its currency.
type Money struct {
	Minor    money.Minor
	Currency money.Currency
}

// Amount is the exact amount with the currency's decimals. It is text because a Decimal would drop
// trailing zeros.
func (m Money) Amount() string { return money.FormatPlain(m.Minor, m.Currency) }

// Formatted is the amount as the caller reads it.
func (m Money) Formatted(ctx context.Context) string {
	return money.Format(m.Minor, m.Currency, access.From(ctx).Language)
}

// Balance is what is owed in one currency.
type Balance struct{ Row db.InvoiceTotals }

// Invoices is how many invoices are owed.
func (b Balance) Invoices() int64 { return b.Row.Open }

// Total is the sum of their balances.
func (b Balance) Total() Money { return Money{b.Row.Balance, b.Row.Currency} }

// Overdue is the part of it that is overdue.
func (b Balance) Overdue() Money { return Money{b.Row.Overdue, b.Row.Currency} }

// Invoice is a row with the day that decides whether it is overdue. Amounts get their currency.
type Invoice struct {
	db.Invoice
	Today date.Date
}

// Status is the status people see today.
func (i Invoice) Status() string { return i.State(i.Today) }

// Subtotal is the sum of the lines.
func (i Invoice) Subtotal() Money { return i.money(i.Invoice.Subtotal) }

// Discount is the sum of the discounts.
func (i Invoice) Discount() Money { return i.money(i.Invoice.Discount) }

// Tax is the tax added.
func (i Invoice) Tax() Money { return i.money(i.Invoice.Tax) }

// Withheld is the tax withheld.
func (i Invoice) Withheld() Money { return i.money(i.Invoice.Withheld) }

// Total is what the invoice is about.
func (i Invoice) Total() Money { return i.money(i.Invoice.Total) }

// Paid is what has been paid.
func (i Invoice) Paid() Money { return i.money(i.Invoice.Paid) }

// Balance is what is still owed.
func (i Invoice) Balance() Money { return i.money(i.Invoice.Balance) }

// PDFReady reports whether the PDF can be downloaded.
func (i Invoice) PDFReady() bool { return i.PDFKey != "" }

func (i Invoice) money(m money.Minor) Money { return Money{m, i.Currency} }

// InvoiceLine is a line with its invoice's currency.
type InvoiceLine struct {
	db.InvoiceLine
	Currency money.Currency
}

// Amount is quantity by price.
func (l InvoiceLine) Amount() Money { return Money{l.InvoiceLine.Amount, l.Currency} }

// ObjetoImp is how the treatment is written in the CFDI.
func (l InvoiceLine) ObjetoImp() string { return billing.TaxTreatment(l.Treatment).ObjetoImp() }

// Discount is the line's discount.
func (l InvoiceLine) Discount() Money { return Money{l.InvoiceLine.Discount, l.Currency} }
