package model

import (
	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// TransferInstructions is how to pay by transfer.
type TransferInstructions struct{ billing.Transfer }

// Clabe is the account, nil where there is none.
func (t TransferInstructions) Clabe() *string {
	if t.CLABE == "" {
		return nil
	}
	return &t.CLABE
}

// InvoicePayment is the part of a payment that settles an invoice.
type InvoicePayment struct{ db.Payment }

// Amount is the part.
func (p InvoicePayment) Amount() Money { return Money{p.Applied, p.Currency} }

// Total is all of the payment.
func (p InvoicePayment) Total() Money { return Money{p.Payment.Amount, p.Currency} }

// InvoiceTotals are the sums of a list in one currency.
type InvoiceTotals struct{ Row db.InvoiceSums }

// Count is how many invoices there are.
func (t InvoiceTotals) Count() int64 { return t.Row.Count }

// Total is what they are about.
func (t InvoiceTotals) Total() Money { return Money{t.Row.Total, t.Row.Currency} }

// Paid is what has been paid.
func (t InvoiceTotals) Paid() Money { return Money{t.Row.Paid, t.Row.Currency} }

// Balance is what is still owed.
func (t InvoiceTotals) Balance() Money { return Money{t.Row.Balance, t.Row.Currency} }

// Statement is a client's account.
type Statement struct{ billing.Statement }

// Rows are the movements with their currency.
func (s Statement) Rows() []*StatementRow {
	rows := make([]*StatementRow, len(s.Statement.Rows))
	for i, row := range s.Statement.Rows {
		rows[i] = &StatementRow{row, s.Currency}
	}
	return rows
}

// Charges is what was charged.
func (s Statement) Charges() Money { return Money{s.Statement.Charges, s.Currency} }

// Payments is what was paid.
func (s Statement) Payments() Money { return Money{s.Statement.Payments, s.Currency} }

// Balance is what is owed at its end.
func (s Statement) Balance() Money { return Money{s.Statement.Balance, s.Currency} }

// StatementRow is a movement with its currency.
type StatementRow struct {
	db.StatementRow
	Currency money.Currency
}

// Charge is what was charged.
func (r StatementRow) Charge() Money { return Money{r.StatementRow.Charge, r.Currency} }

// Payment is what was paid.
func (r StatementRow) Payment() Money { return Money{r.StatementRow.Payment, r.Currency} }

// Balance is what is owed after it.
func (r StatementRow) Balance() Money { return Money{r.StatementRow.Balance, r.Currency} }

// Checkout is an online payment with its invoices.
type Checkout struct {
	db.Checkout
	InvoiceIDs []id.Invoice
}

// Amount is what is to be paid.
func (c Checkout) Amount() Money { return Money{c.Checkout.Amount, c.Currency} }
