package portal

import (
	"context"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/ui/component"
)

// openInvoices asks for what is still owed.
func openInvoices(client id.Client) billing.InvoiceQuery {
	return billing.InvoiceQuery{Client: client, Status: statusOpen}
}

func openCount(ctx context.Context, n int64) string {
	if n == 1 {
		return t(ctx, "home.open.one")
	}
	return t(ctx, "home.open.many", "n", n)
}

// dueText says when an invoice falls due: in words where the day is near.
func dueText(ctx context.Context, invoice db.Invoice, today date.Date) string {
	if !invoice.Open() {
		return t(ctx, "due.was", "date", component.Date(ctx, invoice.DueDate))
	}
	days := invoice.DueDate.Sub(today)
	key := "due.on"
	switch {
	case days == 0:
		key = "due.today"
	case days == 1:
		key = "due.tomorrow"
	case days == -1:
		key = "due.yesterday"
	case days < 0:
		key = "due.ago"
	case days <= 14:
		key = "due.in"
	}
	return t(ctx, key, "n", max(days, -days), "date", component.Date(ctx, invoice.DueDate))
}

func address(c db.Client) string {
	return joined(", ", c.Address1, c.Address2, c.City, c.State, c.Postcode)
}

func joined(separator string, parts ...string) string {
	kept := parts[:0]
	for _, part := range parts {
		if part != "" {
			kept = append(kept, part)
		}
	}
	return strings.Join(kept, separator)
}

// initials are the first letters of the first two words of a name, without "de", "la" and the like.
func initials(name string) string {
	var letters []rune
	words := strings.Fields(name)
	for i, word := range words {
		first, _ := utf8.DecodeRuneInString(word)
		if i > 0 && i < len(words)-1 && unicode.IsLower(first) || !unicode.IsLetter(first) && !unicode.IsDigit(first) {
			continue
		}
		if letters = append(letters, unicode.ToUpper(first)); len(letters) == 2 {
			break
		}
	}
	return string(letters)
}

// unitPrice shows cents, and more decimals only where the price has them.
func unitPrice(price money.Decimal, currency money.Currency) string {
	if price.Decimals() <= currency.Decimals() {
		if m, err := price.Minor(currency); err == nil {
			return money.FormatNumber(m, currency)
		}
	}
	return price.String()
}

// owedNow is what is still to be paid: nothing of a cancelled invoice.
func owedNow(invoice db.Invoice) money.Minor {
	if !invoice.Open() {
		return 0
	}
	return invoice.Balance
}

// headline and headlineAmount are what matters most: what is owed, or what was.
func headline(ctx context.Context, invoice db.Invoice) string {
	if invoice.Open() {
		return t(ctx, "invoice.balance")
	}
	return t(ctx, "invoice.total")
}

func headlineAmount(invoice db.Invoice) money.Minor {
	if invoice.Open() {
		return invoice.Balance
	}
	return invoice.Total
}

// deliveryMoment is when a mail went out, or will.
func deliveryMoment(d db.Delivery) time.Time {
	if d.SentAt != nil {
		return *d.SentAt
	}
	return d.SendAt
}

// emptyKey names the texts of an empty list of invoices.
func emptyKey(status string) string {
	if status == "" {
		return "invoices.empty"
	}
	return "invoices.empty." + status
}

func invoiceCount(ctx context.Context, n int64) string {
	if n == 1 {
		return t(ctx, "invoices.count.one")
	}
	return t(ctx, "invoices.count.many", "n", n)
}

// movement is an amount of a statement's column, nothing for zero.
func movement(amount money.Minor, view statementView) string {
	if amount == 0 {
		return ""
	}
	return money.FormatNumber(amount, view.Currency)
}

// favour says whose a negative balance is.
func favour(ctx context.Context, balance money.Minor) string {
	if balance < 0 {
		return t(ctx, "statement.favour")
	}
	return ""
}
