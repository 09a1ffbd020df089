package billing

import (
	"bytes"
	"context"
	"fmt"
	"io"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// RenderJob renders the PDF of one state of an invoice.
type RenderJob struct {
	InvoiceID id.Invoice `json:"invoiceId"`
	Version   int64      `json:"version"` // microseconds of the invoice's last change
}

// Kind names the job.
func (RenderJob) Kind() string { return "billing:render-pdf" }

// Key makes one job of any number of requests for the same state.
func (j RenderJob) Key() string { return fmt.Sprintf("%s:%s:%d", j.Kind(), j.InvoiceID, j.Version) }

func renderJob(row db.Invoice) RenderJob {
	return RenderJob{InvoiceID: row.ID, Version: row.UpdatedAt.UnixMicro()}
}

// RequestInvoicePDF asks for the PDF of an invoice; nothing happens when it is there already. The
// returned invoice has a PDFKey when the PDF can be downloaded.
func (s *Service) RequestInvoicePDF(ctx context.Context, invoiceID id.Invoice) (db.Invoice, error) {
	row, err := s.Invoice(ctx, invoiceID)
	if err != nil || row.PDFKey != "" {
		return row, err
	}
	return row, s.Store.InTx(ctx, func(tx *db.Store) error { return tx.Enqueue(ctx, renderJob(row)) })
}

// RenderPDF does a RenderJob: the file is written first and the row points to it after, so that a
// crash between the two leaves an unused file and never a dangling key.
func (s *Service) RenderPDF(ctx context.Context, job RenderJob) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	row, err := s.Store.Invoice(ctx, job.InvoiceID)
	if err != nil {
		return err
	}
	if row.PDFKey != "" || row.UpdatedAt.UnixMicro() != job.Version {
		return nil // rendered already, or a newer job will render the newer state
	}
	lines, err := s.Store.InvoiceLines(ctx, row.ID)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	if err := writePDF(&out, row, lines, s.Today()); err != nil {
		return fmt.Errorf("render %s: %w", row.Number, err)
	}
	key := fmt.Sprintf("invoices/%s/%d.pdf", row.ID, job.Version)
	if err := s.Files.WriteAll(ctx, key, out.Bytes(), &blob.WriterOptions{ContentType: "application/pdf"}); err != nil {
		return fmt.Errorf("store %s: %w", key, err)
	}
	return s.Store.SetInvoicePDF(ctx, row, key, int64(out.Len()))
}

// Download is an open file of an invoice.
type Download struct {
	Name string // for the Content-Disposition header
	Size int64  // bytes
	io.ReadCloser
}

// OpenInvoicePDF opens the PDF for whoever may see the invoice and writes the download log. While
// the PDF is not rendered yet the answer is Unavailable PDF_NOT_READY.
func (s *Service) OpenInvoicePDF(ctx context.Context, invoiceID id.Invoice, address string) (Download, error) {
	row, err := s.RequestInvoicePDF(ctx, invoiceID)
	if err != nil {
		return Download{}, err
	}
	if row.PDFKey == "" {
		return Download{}, fault.New(fault.Unavailable, "PDF_NOT_READY")
	}
	file, err := s.Files.NewReader(ctx, row.PDFKey, nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		// The file store lost it: render it again from the invoice, which is the truth.
		if err := s.Store.SetInvoicePDF(ctx, row, "", 0); err != nil {
			return Download{}, err
		}
		if _, err := s.RequestInvoicePDF(ctx, invoiceID); err != nil {
			return Download{}, err
		}
		return Download{}, fault.New(fault.Unavailable, "PDF_NOT_READY")
	}
	if err != nil {
		return Download{}, err
	}
	actor := access.From(ctx)
	if err := s.Store.LogDownload(ctx, &db.InvoiceDownload{InvoiceID: row.ID, LoginID: actor.Login, StaffID: actor.Staff, Address: address}); err != nil {
		_ = file.Close()
		return Download{}, err
	}
	return Download{Name: row.Number + ".pdf", Size: file.Size(), ReadCloser: file}, nil
}
