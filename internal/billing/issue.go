package billing

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// series of invoices. Each document kind counts on its own.
const invoiceSeries = "F"

// IssueInput is an invoice to be issued.
type IssueInput struct {
	ClientID   id.Client
	Currency   money.Currency // "" means MXN
	IssueDate  date.Date      // "" means today in the client's zone
	DueDate    date.Date
	Lines      []LineInput
	Notes      string
	RequestKey string // a second request with the same key returns the first invoice
}

// LineInput is one line of an invoice, priced without tax.
type LineInput struct {
	Description string
	Quantity    money.Decimal
	UnitPrice   money.Decimal // units of the currency
	Discount    money.Minor
	Treatment   TaxTreatment // "" means IVA16
}

// IssueInvoice numbers an invoice and makes it final: amounts, lines and the data of client and
// issuer never change again. Staff only.
func (s *Service) IssueInvoice(ctx context.Context, in IssueInput) (db.Invoice, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return db.Invoice{}, err
	}
	if in.Currency == "" {
		in.Currency = money.MXN
	}
	var checks fault.Checks
	totals := in.check(&checks)
	var row db.Invoice
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		if in.RequestKey != "" {
			if err := tx.Lock(ctx, "invoice "+in.RequestKey); err != nil {
				return err
			}
			earlier, err := tx.InvoiceByRequest(ctx, in.RequestKey)
			if err == nil {
				row = earlier
				return nil
			}
			if !fault.Is(err, fault.NotFound) {
				return err
			}
		}
		client, err := tx.Client(ctx, in.ClientID)
		if err != nil {
			return err
		}
		company, err := tx.Company(ctx)
		if err != nil {
			return err
		}
		if in.IssueDate == "" {
			in.IssueDate = date.Today(s.Now(), client.Timezone)
		}
		if in.DueDate != "" && in.DueDate < in.IssueDate {
			checks.Add("dueDate", "DATE_ORDER")
		}
		if err := checks.Err(); err != nil {
			return err
		}
		folio, err := tx.NextFolio(ctx, invoiceSeries)
		if err != nil {
			return err
		}
		row = db.Invoice{ClientID: client.ID, Series: invoiceSeries, Folio: folio, Number: fmt.Sprintf("%s-%d", invoiceSeries, folio),
			Status: db.InvoiceIssued, Currency: in.Currency, IssueDate: in.IssueDate, DueDate: in.DueDate,
			Subtotal: totals.SubTotal, Discount: totals.Descuento, Tax: totals.TotalTraslados, Withheld: totals.TotalRetenciones,
			Total: totals.Total, ClientSnapshot: client, IssuerSnapshot: company, Notes: in.Notes, RequestKey: in.RequestKey,
			CreatedAt: s.Now(), UpdatedAt: s.Now()}
		lines, err := in.rows()
		if err != nil {
			return err
		}
		if err := tx.AddInvoice(ctx, &row, lines); err != nil {
			return err
		}
		if err := tx.Audit(ctx, db.AuditEntry{Client: row.ClientID, Verb: "invoice.issue", Object: row.ID.String(), After: map[string]any{
			"number": row.Number, "total": row.Total, "currency": row.Currency, "issueDate": row.IssueDate, "dueDate": row.DueDate}}); err != nil {
			return err
		}
		return tx.Enqueue(ctx, renderJob(row))
	})
	if err != nil {
		return db.Invoice{}, err
	}
	return row, nil
}

// check notes what is wrong with the input and computes its totals.
func (in *IssueInput) check(checks *fault.Checks) Totals {
	if in.DueDate == "" {
		checks.Add("dueDate", "REQUIRED")
	}
	doc := TaxDocument{Currency: in.Currency}
	for i := range in.Lines {
		line := &in.Lines[i]
		if line.Treatment == "" {
			line.Treatment = IVA16
		}
		line.Description = strings.TrimSpace(line.Description)
		if line.Description == "" {
			checks.Add(fmt.Sprintf("lines[%d].description", i), "REQUIRED")
		}
		if len([]rune(line.Description)) > 1000 {
			checks.Add(fmt.Sprintf("lines[%d].description", i), "TOO_LONG", "max", 1000)
		}
		doc.Lines = append(doc.Lines, TaxLine{Quantity: line.Quantity, UnitPrice: line.UnitPrice, Discount: line.Discount, Treatment: line.Treatment})
	}
	totals, err := Compute(doc)
	var wrong AmountErrors
	if errors.As(err, &wrong) {
		for _, e := range wrong {
			checks.Add(e.Path, strings.ToUpper(e.Code))
		}
	}
	return totals
}

// rows turns the input into the lines that are stored. Absorbed negative lines are kept as they were
// agreed: the totals count them as discounts.
func (in *IssueInput) rows() ([]db.InvoiceLine, error) {
	rows := make([]db.InvoiceLine, 0, len(in.Lines))
	for _, line := range in.Lines {
		amount, err := line.Quantity.MulMinor(line.UnitPrice, in.Currency)
		if err != nil {
			return nil, err
		}
		rows = append(rows, db.InvoiceLine{Description: line.Description, Quantity: line.Quantity, UnitPrice: line.UnitPrice,
			Discount: line.Discount, Amount: amount, Treatment: string(line.Treatment)})
	}
	return rows, nil
}
