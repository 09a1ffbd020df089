package model

import (
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// Credited is what credit notes took away.
func (i Invoice) Credited() Money { return i.money(i.Invoice.Credited) }

// CreditNote is a row whose total has its currency.
type CreditNote struct{ db.CreditNote }

// Total is what is taken back.
func (n CreditNote) Total() Money { return Money{n.CreditNote.Total, n.Currency} }

// Payment is a row whose amount has its currency.
type Payment struct{ db.Payment }

// Amount is how much was received.
func (p Payment) Amount() Money { return Money{p.Payment.Amount, p.Currency} }

// PaymentTotals are the sums of a list of payments in one currency.
type PaymentTotals struct{ Row db.PaymentSums }

// Count is how many payments there are.
func (t PaymentTotals) Count() int64 { return t.Row.Count }

// Amount is what they come to.
func (t PaymentTotals) Amount() Money { return Money{t.Row.Amount, t.Row.Currency} }

// InvoiceDownload is a download of an invoice's PDF.
type InvoiceDownload struct{ Row db.InvoiceDownload }

// At is when.
func (d InvoiceDownload) At() time.Time { return d.Row.At.UTC() }

// By is how somebody came to it.
func (d InvoiceDownload) By() string {
	switch {
	case d.Row.LoginID != 0:
		return "login"
	case d.Row.StaffID != 0:
		return "staff"
	}
	return "link"
}

// Who is the person, nil where the reader may not know or nobody does.
func (d InvoiceDownload) Who() *string { return given(d.Row.Who) }

// Address is where it was asked from, nil where the reader may not know.
func (d InvoiceDownload) Address() *string { return given(d.Row.Address) }

func given(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// PaymentAllocation is a part of a payment with its currency.
type PaymentAllocation struct {
	db.PaymentAllocation
	Currency money.Currency
}

// Amount is how much of the payment it is.
func (a PaymentAllocation) Amount() Money { return Money{a.PaymentAllocation.Amount, a.Currency} }

// Refund is a row whose amount has its currency.
type Refund struct{ db.Refund }

// Amount is how much was given back.
func (r Refund) Amount() Money { return Money{r.Refund.Amount, r.Currency} }

// InvoiceQuote is what lines come to.
type InvoiceQuote struct {
	Totals   billing.Totals
	Currency money.Currency
}

// Subtotal is the sum of the lines.
func (q InvoiceQuote) Subtotal() Money { return Money{q.Totals.SubTotal, q.Currency} }

// Discount is the sum of the discounts.
func (q InvoiceQuote) Discount() Money { return Money{q.Totals.Descuento, q.Currency} }

// Tax is the tax added.
func (q InvoiceQuote) Tax() Money { return Money{q.Totals.TotalTraslados, q.Currency} }

// Withheld is the tax withheld.
func (q InvoiceQuote) Withheld() Money { return Money{q.Totals.TotalRetenciones, q.Currency} }

// Total is what the client would owe.
func (q InvoiceQuote) Total() Money { return Money{q.Totals.Total, q.Currency} }

// Aging is what is owed in one currency by how late it is.
type Aging struct{ db.Aging }

// Current is what is not due yet.
func (a Aging) Current() Money { return Money{a.Aging.Current, a.Currency} }

// Days30 is what is 1 to 30 days late.
func (a Aging) Days30() Money { return Money{a.Aging.Days30, a.Currency} }

// Days60 is what is 31 to 60 days late.
func (a Aging) Days60() Money { return Money{a.Aging.Days60, a.Currency} }

// Days90 is what is 61 to 90 days late.
func (a Aging) Days90() Money { return Money{a.Aging.Days90, a.Currency} }

// Older is what is more than 90 days late.
func (a Aging) Older() Money { return Money{a.Aging.Older, a.Currency} }

// Total is all of it.
func (a Aging) Total() Money { return Money{a.Aging.Total, a.Currency} }

// MonthPaid is what was received in a month.
type MonthPaid struct{ db.MonthPaid }

// Amount is how much was received.
func (m MonthPaid) Amount() Money { return Money{m.MonthPaid.Amount, m.Currency} }

// BankMovement is a row whose amount has its currency.
type BankMovement struct{ db.Movement }

// GatewayEvent is a row whose amount has its currency.
type GatewayEvent struct{ db.GatewayEvent }

// Cause is why a person must look.
func (e GatewayEvent) Cause() string { return e.Outcome }

// Amount is how much, as the gateway says.
func (e GatewayEvent) Amount() Money { return Money{e.GatewayEvent.Amount, e.Currency} }

// Reference is the gateway's id of the money.
func (e GatewayEvent) Reference() string { return e.ChargeRef }

// Bookable reports whether it can be booked.
func (e GatewayEvent) Bookable() bool { return billing.Bookable(e.GatewayEvent) }

// Decision is what was decided, nil for nothing.
func (e GatewayEvent) Decision() *string {
	if e.GatewayEvent.Decision == "" {
		return nil
	}
	return &e.GatewayEvent.Decision
}

// Amount is how much was deposited.
func (m BankMovement) Amount() Money { return Money{m.Movement.Amount, m.Currency} }
