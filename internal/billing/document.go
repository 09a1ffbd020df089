package billing

import (
	"io"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/internal/pdf"
)

// writePDF draws an invoice from its own snapshots, in the client's language, so that it looks the
// same whatever happens to client and company later.
func writePDF(w io.Writer, row db.Invoice, lines []db.InvoiceLine, today date.Date) error {
	return pdf.Render(w, document(row, lines, today))
}

func document(row db.Invoice, lines []db.InvoiceLine, today date.Date) pdf.Document {
	client, issuer := row.ClientSnapshot, row.IssuerSnapshot
	lang := client.Language
	t := func(key string, args ...any) string { return locale.T(lang, "document."+key, args...) }
	amount := func(m money.Minor) string { return money.Format(m, row.Currency, lang) }

	doc := pdf.Document{
		Language: lang, Title: t("invoice"), Number: row.Number, Status: status(row, today), Created: row.CreatedAt,
		Issuer: pdf.Issuer{Color: issuer.BrandColour, Logo: issuer.Logo, Party: pdf.Party{Name: issuer.Name,
			Lines: present(issuer.LegalName, rfc(t, issuer.TaxID), issuer.Address, issuer.Email, issuer.Phonenumber)}},
		Receiver: pdf.Party{Label: t("bill_to"), Name: client.Name, Lines: present(rfc(t, client.TaxID),
			joined(", ", client.Address1, client.Address2), joined(", ", client.City, client.State, client.Postcode), client.Email)},
		Facts: []pdf.Fact{
			{Label: t("issue_date"), Value: row.IssueDate.Format(lang)},
			{Label: t("due_date"), Value: row.DueDate.Format(lang)},
			{Label: t("currency"), Value: string(row.Currency)},
		},
		Headline: pdf.Headline{Label: t("balance"), Value: amount(row.Balance), Note: t("pay_before", "date", row.DueDate.Format(lang))},
		Table: pdf.Table{Columns: []pdf.Column{
			{Title: t("description"), Wide: true}, {Title: t("quantity"), Align: pdf.Right},
			{Title: t("unit_price"), Align: pdf.Right}, {Title: t("amount"), Align: pdf.Right},
		}},
		InWords: money.InWords(row.Total, row.Currency, lang),
		Notes:   row.Notes,
		Footer:  joined(" · ", issuer.Name, issuer.Website, issuer.Email),
	}
	for _, line := range lines {
		note := ""
		if line.Discount > 0 {
			note = t("discount_note", "amount", amount(line.Discount))
		}
		doc.Table.Rows = append(doc.Table.Rows, pdf.Row{Note: note, Cells: []string{line.Description, line.Quantity.String(),
			unitPrice(line.UnitPrice, row.Currency), money.FormatNumber(line.Amount, row.Currency)}})
	}
	doc.Totals = append(doc.Totals, pdf.Total{Label: t("subtotal"), Value: amount(row.Subtotal)})
	for _, part := range []struct {
		key   string
		value money.Minor
	}{{"discount", -row.Discount}, {"tax", row.Tax}, {"withheld", -row.Withheld}} {
		if part.value != 0 || part.key == "tax" {
			doc.Totals = append(doc.Totals, pdf.Total{Label: t(part.key), Value: amount(part.value)})
		}
	}
	doc.Totals = append(doc.Totals, pdf.Total{Label: t("total"), Value: amount(row.Total), Strong: true})
	if row.Paid > 0 {
		doc.Totals = append(doc.Totals, pdf.Total{Label: t("paid"), Value: amount(-row.Paid)},
			pdf.Total{Label: t("balance"), Value: amount(row.Balance)})
	}
	if row.Open() {
		doc.Payment = pdf.Payment{Title: t("how_to_pay"), Text: issuer.PaymentDetails,
			Facts: []pdf.Fact{{Label: t("reference"), Value: row.Number}}}
	} else if row.Status == db.InvoicePaid {
		doc.Headline = pdf.Headline{Label: t("total"), Value: amount(row.Total), Note: t("paid_in_full")}
	}
	return doc
}

func status(row db.Invoice, today date.Date) pdf.Status {
	switch row.State(today) {
	case db.InvoicePaid:
		return pdf.Paid
	case db.InvoiceCancelled, db.InvoiceWrittenOff:
		return pdf.Cancelled
	case db.InvoiceOverdue:
		return pdf.Overdue
	}
	return pdf.Open
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

func rfc(t func(string, ...any) string, taxID string) string {
	if taxID == "" {
		return ""
	}
	return t("rfc", "rfc", taxID)
}

func present(lines ...string) []string {
	kept := lines[:0]
	for _, line := range lines {
		if strings.TrimSpace(line) != "" {
			kept = append(kept, line)
		}
	}
	return kept
}

func joined(separator string, parts ...string) string {
	return strings.Join(present(parts...), separator)
}
