package billing

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"io"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/internal/pdf"
	"github.com/nubedigitalmx/avisa/internal/sheet"
)

// MaxStatement is the most movements of a statement that is shown at once; the CSV has no limit.
const MaxStatement = 1000

// StatementQuery asks for a client's statement of account.
type StatementQuery struct {
	ClientID id.Client
	Currency money.Currency // "" means MXN
	From, To date.Date      // first and last day in the client's zone; "" means the last twelve months
}

// Statement is a client's account in one currency between two days.
type Statement struct {
	Client   db.Client
	Currency money.Currency
	From, To date.Date
	Rows     []db.StatementRow // the first one is the opening balance
	Charges  money.Minor       // sums of the period, minor units
	Payments money.Minor
	Balance  money.Minor // at its end; negative in the client's favour
	More     bool        // movements beyond MaxStatement are left out of Rows, and of nothing else
}

// resolve asks for the right to see the statement and fills in what the query leaves open.
func (s *Service) resolve(ctx context.Context, query StatementQuery) (Statement, error) {
	if err := access.Require(ctx, access.Invoices, query.ClientID); err != nil {
		return Statement{}, err
	}
	client, err := s.Store.Client(ctx, query.ClientID)
	if err != nil {
		return Statement{}, err
	}
	out := Statement{Client: client, Currency: query.Currency, From: query.From, To: query.To}
	if out.Currency == "" {
		out.Currency = money.MXN
	}
	if out.To == "" {
		out.To = date.Today(s.Now(), client.Timezone)
	}
	if out.From == "" {
		out.From = out.To.AddDays(-365)
	}
	var checks fault.Checks
	if !out.Currency.Valid() {
		checks.Add("currency", "CURRENCY_UNKNOWN")
	}
	if out.To < out.From {
		checks.Add("to", "DATE_RANGE")
	}
	return out, checks.Err()
}

// Statement returns a client's statement of account, opened by what came before.
func (s *Service) Statement(ctx context.Context, query StatementQuery) (Statement, error) {
	out, err := s.resolve(ctx, query)
	if err != nil {
		return Statement{}, err
	}
	out.Rows = []db.StatementRow{}
	err = s.Store.EachStatementRow(ctx, out.Client.ID, out.Currency, out.Client.Timezone, out.From, out.To, func(row db.StatementRow) error {
		if len(out.Rows) <= MaxStatement {
			out.Rows = append(out.Rows, row)
		} else {
			out.More = true
		}
		out.Charges, out.Payments, out.Balance = out.Charges+row.Charge, out.Payments+row.Payment, row.Balance
		return nil
	})
	return out, err
}

// ExportStatement writes a statement as CSV while it is read, in a language, with the mark by which
// Excel knows UTF-8. Cells that a spreadsheet would take for a formula begin with an apostrophe.
func (s *Service) ExportStatement(ctx context.Context, query StatementQuery, lang string, w io.Writer) error {
	statement, err := s.resolve(ctx, query)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, "\ufeff"); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	header := []string{}
	for _, key := range []string{"day", "movement", "reference", "charge", "payment", "balance", "currency"} {
		header = append(header, locale.T(lang, "document.statement."+key))
	}
	if err := out.Write(header); err != nil {
		return err
	}
	err = s.Store.EachStatementRow(ctx, statement.Client.ID, statement.Currency, statement.Client.Timezone, statement.From, statement.To, func(row db.StatementRow) error {
		record := []string{string(row.Day), locale.T(lang, "document.movement."+row.Kind), sheet.Cell(row.Reference)}
		for _, amount := range []money.Minor{row.Charge, row.Payment, row.Balance} {
			text, err := plain(amount, statement.Currency)
			if err != nil {
				return err
			}
			record = append(record, text)
		}
		return out.Write(append(record, string(statement.Currency)))
	})
	out.Flush()
	return errors.Join(err, out.Error())
}

// OpenStatementPDF draws a statement. One of more than MaxStatement movements is refused.
func (s *Service) OpenStatementPDF(ctx context.Context, query StatementQuery) (Download, error) {
	statement, err := s.Statement(ctx, query)
	if err != nil {
		return Download{}, err
	}
	if statement.More {
		return Download{}, fault.New(fault.Conflict, "STATEMENT_TOO_LONG").With("max", MaxStatement)
	}
	company, err := s.Store.Company(ctx)
	if err != nil {
		return Download{}, err
	}
	if company, err = s.Store.WithLogo(ctx, company); err != nil {
		return Download{}, err
	}
	var out bytes.Buffer
	if err := pdf.Render(&out, statementDocument(statement, company)); err != nil {
		return Download{}, err
	}
	return Download{Name: locale.T(statement.Client.Language, "document.statement.file") + "-" + string(statement.To) + ".pdf", Size: int64(out.Len()), ReadCloser: io.NopCloser(&out)}, nil
}

func statementDocument(s Statement, company db.Company) pdf.Document {
	client, lang := s.Client, s.Client.Language
	t := func(key string, args ...any) string { return locale.T(lang, "document."+key, args...) }
	amount := func(m money.Minor) string { return money.Format(m, s.Currency, lang) }
	cell := func(m money.Minor) string {
		if m == 0 {
			return ""
		}
		return money.FormatNumber(m, s.Currency)
	}
	doc := pdf.Document{
		Language: lang, Title: t("statement.title"), Number: s.To.Format(lang), Created: s.To.Time(),
		Issuer: pdf.Issuer{Color: company.BrandColour, Logo: company.Logo, Party: pdf.Party{Name: company.Name,
			Lines: present(company.LegalName, rfc(t, company.TaxID), company.Address, company.Email, company.Phonenumber)}},
		Receiver: pdf.Party{Label: t("statement.client"), Name: client.Name, Lines: present(rfc(t, client.TaxID), client.Email)},
		Facts:    []pdf.Fact{{Label: t("statement.from"), Value: s.From.Format(lang)}, {Label: t("statement.to"), Value: s.To.Format(lang)}, {Label: t("currency"), Value: string(s.Currency)}},
		Headline: pdf.Headline{Label: t("statement.balance"), Value: amount(s.Balance)},
		Table: pdf.Table{Columns: []pdf.Column{{Title: t("statement.day")}, {Title: t("statement.movement"), Wide: true}, {Title: t("statement.charge"), Align: pdf.Right},
			{Title: t("statement.payment"), Align: pdf.Right}, {Title: t("statement.balance"), Align: pdf.Right}}},
		Totals: []pdf.Total{{Label: t("statement.charges"), Value: amount(s.Charges)}, {Label: t("statement.payments"), Value: amount(s.Payments)},
			{Label: t("statement.balance"), Value: amount(s.Balance), Strong: true}},
		Footer: footer(company),
	}
	if s.Balance < 0 {
		doc.Headline.Note = t("statement.favour")
	}
	for _, row := range s.Rows {
		doc.Table.Rows = append(doc.Table.Rows, pdf.Row{Cells: []string{row.Day.Format(lang), joined(" · ", t("movement."+row.Kind), row.Reference),
			cell(row.Charge), cell(row.Payment), money.FormatNumber(row.Balance, s.Currency)}})
	}
	return doc
}
