package billing

import (
	"cmp"
	"context"
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
func (s *Service) writePDF(ctx context.Context, w io.Writer, row db.Invoice, lines []db.InvoiceLine) error {
	var err error
	if row.IssuerSnapshot, err = s.Store.WithLogo(ctx, row.IssuerSnapshot); err != nil {
		return err
	}
	return pdf.Render(w, document(row, lines, date.Today(s.Now(), row.ClientSnapshot.Timezone)))
}

func document(row db.Invoice, lines []db.InvoiceLine, today date.Date) pdf.Document {
	client, issuer := row.ClientSnapshot, row.IssuerSnapshot
	lang := client.Language
	t := func(key string, args ...any) string { return locale.T(lang, "document."+key, args...) }
	amount := func(m money.Minor) string { return money.Format(m, row.Currency, lang) }

	doc := pdf.Document{
		Language: lang, Title: t("invoice"), Number: row.Number, Status: mark(row, today), Created: row.CreatedAt,
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
		Footer:  footer(issuer),
	}
	doc.Table.Rows = tableRows(lines, row.Currency, lang)
	doc.Totals = totalRows(row.Subtotal, row.Discount, row.Tax, row.Withheld, row.Total, row.Currency, lang)
	if row.Paid > 0 {
		doc.Totals = append(doc.Totals, pdf.Total{Label: t("paid"), Value: amount(-row.Paid)})
	}
	if row.Credited > 0 {
		doc.Totals = append(doc.Totals, pdf.Total{Label: t("credited"), Value: amount(-row.Credited)})
	}
	if row.Paid+row.Credited > 0 {
		doc.Totals = append(doc.Totals, pdf.Total{Label: t("balance"), Value: amount(row.Balance)})
	}
	if row.Currency != money.MXN {
		doc.Facts = append(doc.Facts, pdf.Fact{Label: t("exchange_rate"), Value: joined(" · ", row.ExchangeRate.String()+" MXN", row.RateSource)})
	}
	if doc.Status != pdf.NoStatus {
		doc.StatusText = t("mark." + string(doc.Status))
	}
	if doc.Status == pdf.Overdue {
		doc.Headline.Note = t("was_due", "date", row.DueDate.Format(lang))
	}
	if row.Open() {
		doc.Payment = pdf.Payment{Title: t("how_to_pay"), Text: issuer.PaymentDetails}
		if issuer.CLABE != "" {
			doc.Payment.Facts = append(doc.Payment.Facts, pdf.Fact{Label: "CLABE", Value: issuer.CLABE})
		}
		doc.Payment.Facts = append(doc.Payment.Facts, pdf.Fact{Label: t("reference"), Value: PaymentReference(row.ClientID)},
			pdf.Fact{Label: t("concept"), Value: row.Number})
	} else { // nothing is asked for
		doc.Headline = pdf.Headline{Label: t("total"), Value: amount(row.Total)}
		if row.Status == db.InvoicePaid {
			doc.Headline.Note = t("paid_in_full")
		}
	}
	return doc
}

// footer is what the company says on every page of its documents.
func footer(issuer db.Company) string {
	return cmp.Or(issuer.PDFFooter, joined(" · ", issuer.Name, issuer.Website, issuer.Email))
}

// writeCreditNote draws a credit note from its own snapshots.
func (s *Service) writeCreditNote(ctx context.Context, w io.Writer, note db.CreditNote, invoiceNumber string) error {
	var err error
	if note.IssuerSnapshot, err = s.Store.WithLogo(ctx, note.IssuerSnapshot); err != nil {
		return err
	}
	return pdf.Render(w, creditNoteDocument(note, invoiceNumber))
}

func creditNoteDocument(note db.CreditNote, invoiceNumber string) pdf.Document {
	lines := make([]db.InvoiceLine, len(note.Lines))
	for i, l := range note.Lines {
		lines[i] = db.InvoiceLine{Description: l.Description, Quantity: l.Quantity, UnitPrice: l.UnitPrice, Discount: l.Discount, Amount: l.Amount,
			PriceIncludesTax: l.PriceIncludesTax}
	}
	row := db.Invoice{ClientSnapshot: note.ClientSnapshot, IssuerSnapshot: note.IssuerSnapshot, Currency: note.Currency, ExchangeRate: note.ExchangeRate,
		Number: note.Number, IssueDate: note.IssueDate, DueDate: note.IssueDate, Subtotal: note.Subtotal, Discount: note.Discount, Tax: note.Tax,
		Withheld: note.Withheld, Total: note.Total, CreatedAt: note.CreatedAt, Notes: note.Reason}
	doc := document(row, lines, note.IssueDate)
	lang := note.ClientSnapshot.Language
	t := func(key string) string { return locale.T(lang, "document."+key) }
	doc.Receiver.Label = t("statement.client")
	doc.Title, doc.Status, doc.Payment = t("credit_note"), pdf.NoStatus, pdf.Payment{}
	doc.Facts = []pdf.Fact{{Label: t("issue_date"), Value: note.IssueDate.Format(lang)}, {Label: t("of_invoice"), Value: invoiceNumber},
		{Label: t("currency"), Value: string(note.Currency)}}
	doc.Headline = pdf.Headline{Label: t("credit"), Value: money.Format(note.Total, note.Currency, lang), Note: t("of_invoice") + " " + invoiceNumber}
	return doc
}

func tableRows(lines []db.InvoiceLine, currency money.Currency, lang string) []pdf.Row {
	rows := make([]pdf.Row, 0, len(lines))
	for _, line := range lines {
		notes := []string{}
		if line.PeriodStart != "" && line.PeriodEnd > line.PeriodStart {
			notes = append(notes, locale.T(lang, "document.period_note", "from", line.PeriodStart.Format(lang), "to", line.PeriodEnd.AddDays(-1).Format(lang)))
		}
		if line.Discount > 0 {
			notes = append(notes, locale.T(lang, "document.discount_note", "amount", money.Format(line.Discount, currency, lang)))
		}
		if line.PriceIncludesTax {
			notes = append(notes, locale.T(lang, "document.tax_included_note"))
		}
		rows = append(rows, pdf.Row{Note: strings.Join(notes, " · "), Cells: []string{line.Description, line.Quantity.String(),
			unitPrice(line.UnitPrice, currency), money.FormatNumber(line.Amount, currency)}})
	}
	return rows
}

func totalRows(subtotal, discount, tax, withheld, total money.Minor, currency money.Currency, lang string) []pdf.Total {
	rows := []pdf.Total{{Label: locale.T(lang, "document.subtotal"), Value: money.Format(subtotal, currency, lang)}}
	for _, part := range []struct {
		key   string
		value money.Minor
	}{{"discount", -discount}, {"tax", tax}, {"withheld", -withheld}} {
		if part.value != 0 || part.key == "tax" {
			rows = append(rows, pdf.Total{Label: locale.T(lang, "document."+part.key), Value: money.Format(part.value, currency, lang)})
		}
	}
	return append(rows, pdf.Total{Label: locale.T(lang, "document.total"), Value: money.Format(total, currency, lang), Strong: true})
}

// mark is the word beside the number. A draft and a cancelled invoice also say so across the page; one that was written
// off has none, because to its client it is neither cancelled nor paid.
func mark(row db.Invoice, today date.Date) pdf.Status {
	switch row.State(today) {
	case db.InvoiceDraft:
		return pdf.Draft
	case db.InvoicePaid:
		return pdf.Paid
	case db.InvoiceCancelled:
		return pdf.Cancelled
	case db.InvoiceWrittenOff:
		return pdf.NoStatus
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
