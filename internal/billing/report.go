package billing

import (
	"archive/zip"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"

	"gocloud.dev/gcerrors"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/internal/sheet"
)

// Aging sums what is owed by how long it is overdue; client 0 means every client that the actor reaches.
func (s *Service) Aging(ctx context.Context, client id.Client) ([]db.Aging, error) {
	reach, err := s.reach(ctx, client)
	if err != nil {
		return nil, err
	}
	return s.Store.Aging(ctx, reach, client, s.Today())
}

// PaidPerMonth sums what was received, by month. Staff only.
func (s *Service) PaidPerMonth(ctx context.Context, from, to date.Date) ([]db.MonthPaid, error) {
	if err := access.RequireCapability(ctx, access.ReadBilling); err != nil {
		return nil, err
	}
	return s.Store.PaidPerMonth(ctx, from, to)
}

// fileFilter is filter for a file: who reaches no client's invoices is refused, rather than given a file without any.
func (s *Service) fileFilter(ctx context.Context, query InvoiceQuery) (db.InvoiceFilter, error) {
	filter, err := s.filter(ctx, query)
	if err == nil && !filter.Reach.All && len(filter.Reach.Clients) == 0 {
		err = fault.New(fault.Forbidden, "PERMISSION_REQUIRED").With("permission", string(access.Invoices))
	}
	return filter, err
}

// ExportInvoices writes the invoices of a list as CSV while it reads them, so that any number needs
// constant memory. Cells that a spreadsheet would take for a formula begin with an apostrophe.
func (s *Service) ExportInvoices(ctx context.Context, query InvoiceQuery, w io.Writer) error {
	filter, err := s.fileFilter(ctx, query)
	if err != nil {
		return err
	}
	out := csv.NewWriter(w)
	if err := out.Write([]string{"number", "external_reference", "client", "tax_id", "issue_date", "due_date", "status", "currency", "exchange_rate",
		"subtotal", "discount", "tax", "withheld", "total", "paid", "credited", "balance"}); err != nil {
		return err
	}
	err = s.Store.EachInvoice(ctx, filter, func(rows []db.Invoice) error {
		for _, row := range rows {
			record := []string{row.Number, sheet.Cell(row.ExternalRef), sheet.Cell(row.ClientSnapshot.Name), sheet.Cell(row.ClientSnapshot.TaxID), string(row.IssueDate),
				string(row.DueDate), row.State(filter.Today), string(row.Currency), row.ExchangeRate.String()}
			for _, amount := range []money.Minor{row.Subtotal, row.Discount, row.Tax, row.Withheld, row.Total, row.Paid, row.Credited, row.Balance} {
				text, err := plain(amount, row.Currency)
				if err != nil {
					return err
				}
				record = append(record, text)
			}
			if err := out.Write(record); err != nil {
				return err
			}
		}
		out.Flush()
		return out.Error()
	})
	return errors.Join(err, out.Error())
}

// plain writes an amount without separators: 1234.50.
func plain(amount money.Minor, currency money.Currency) (string, error) {
	d, err := amount.Decimal(currency)
	return d.Fixed(currency.Decimals()), err
}

// zipBatch is how many downloads are noted at once, before the first of their files leaves.
const zipBatch = 50

// WriteZIP writes the PDF files of a list of invoices (a month, a selection) as a ZIP while it reads
// them, whatever their number; one that is not rendered yet is rendered on the way. Each goes into the download log.
func (s *Service) WriteZIP(ctx context.Context, query InvoiceQuery, w io.Writer, address string) error {
	filter, err := s.fileFilter(ctx, query)
	if err != nil {
		return err
	}
	filter.NoDrafts = true
	actor := access.From(ctx)
	archive, found := zip.NewWriter(w), false
	err = s.Store.EachInvoice(ctx, filter, func(rows []db.Invoice) error {
		for batch := range slices.Chunk(rows, zipBatch) {
			found = true
			log := make([]db.InvoiceDownload, len(batch))
			for i, row := range batch {
				log[i] = db.InvoiceDownload{InvoiceID: row.ID, LoginID: actor.Login, StaffID: actor.Staff, Address: address}
			}
			if err := s.Store.LogDownload(ctx, log...); err != nil {
				return err
			}
			for _, row := range batch {
				file, err := archive.CreateHeader(&zip.FileHeader{Name: row.Number + ".pdf", Method: zip.Store}) // a PDF is compressed
				if err != nil {
					return err
				}
				if err := s.writeFile(ctx, file, s.current(row)); err != nil {
					return fmt.Errorf("%s: %w", row.Number, err)
				}
			}
		}
		return nil
	})
	if err != nil {
		return err // without its end the file is visibly broken
	}
	if !found {
		return fault.New(fault.NotFound, "ZIP_EMPTY")
	}
	return archive.Close()
}

// writeFile copies the rendered PDF of an invoice, or renders it.
func (s *Service) writeFile(ctx context.Context, w io.Writer, row db.Invoice) error {
	if row.PDFKey != "" {
		file, err := s.Files.NewReader(ctx, row.PDFKey, nil)
		if err == nil {
			defer func() { _ = file.Close() }()
			_, err = io.Copy(w, file)
			return err
		}
		if gcerrors.Code(err) != gcerrors.NotFound {
			return err
		}
	}
	content, err := s.render(ctx, row)
	if err != nil {
		return err
	}
	_, err = w.Write(content)
	return err
}
