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
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// RenderJob renders the PDF of one state of an invoice.
type RenderJob struct {
	InvoiceID id.Invoice `json:"invoiceId"`
	Version   int64      `json:"version"` // microseconds of the invoice's last change
	Mark      string     `json:"mark"`    // paid, overdue, ...: an invoice becomes overdue without a change
}

// Kind names the job.
func (RenderJob) Kind() string { return "billing:render-pdf" }

// Key makes one job of any number of requests for the same state.
func (j RenderJob) Key() string {
	return fmt.Sprintf("%s:%s:%d:%s", j.Kind(), j.InvoiceID, j.Version, j.Mark)
}

func (s *Service) renderJob(row db.Invoice) RenderJob {
	return RenderJob{InvoiceID: row.ID, Version: row.UpdatedAt.UnixMicro(), Mark: s.mark(row)}
}

// mark is what the PDF of an invoice shows beside its number today, in the client's zone.
func (s *Service) mark(row db.Invoice) string {
	return string(mark(row, date.Today(s.Now(), row.ClientSnapshot.Timezone)))
}

// current forgets a rendered PDF whose mark is no longer true.
func (s *Service) current(row db.Invoice) db.Invoice {
	if row.PDFKey != "" && row.PDFMark != s.mark(row) {
		row.PDFKey, row.PDFSize = "", 0
	}
	return row
}

// RequestInvoicePDF asks for the PDF of an invoice; nothing happens when it is there already. Whoever may
// read the invoice may ask; staff who see as the client may not (READ_ONLY).
func (s *Service) RequestInvoicePDF(ctx context.Context, invoiceID id.Invoice) (db.Invoice, error) {
	row, err := s.Invoice(ctx, invoiceID)
	if err != nil {
		return db.Invoice{}, err
	}
	if err := access.RequireChange(ctx, access.Invoices, row.ClientID, access.ReadBilling); err != nil {
		return db.Invoice{}, err
	}
	return row, s.prepare(ctx, row)
}

// PrepareInvoicePDF returns an invoice and has its PDF made in the background if it is not there yet: what
// a page that offers the download does. It is a copy of what the reader may see, and no change of theirs.
func (s *Service) PrepareInvoicePDF(ctx context.Context, invoiceID id.Invoice) (db.Invoice, error) {
	row, err := s.Invoice(ctx, invoiceID)
	if err != nil {
		return db.Invoice{}, err
	}
	return row, s.prepare(ctx, row)
}

func (s *Service) prepare(ctx context.Context, row db.Invoice) error {
	if row.PDFKey != "" {
		return nil
	}
	return s.Store.Enqueue(ctx, s.renderJob(row))
}

// RenderPDF does a RenderJob: the file is written first and the row points to it after, so that a
// crash between the two leaves an unused file and never a dangling key.
func (s *Service) RenderPDF(ctx context.Context, job RenderJob) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	row, err := s.Store.Invoice(ctx, job.InvoiceID)
	if fault.Is(err, fault.NotFound) {
		return nil // a draft that was deleted
	}
	if err != nil {
		return err
	}
	if s.current(row).PDFKey != "" || row.UpdatedAt.UnixMicro() != job.Version {
		return nil // rendered already, or a newer job will render the newer state
	}
	_, err = s.render(ctx, row)
	return err
}

// render draws an invoice, keeps the file and returns it.
func (s *Service) render(ctx context.Context, row db.Invoice) ([]byte, error) {
	lines, err := s.Store.InvoiceLines(ctx, row.ID)
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := s.writePDF(ctx, &out, row, lines); err != nil {
		return nil, fmt.Errorf("render %s: %w", row.Number, err)
	}
	key := fmt.Sprintf("invoices/%s/%d-%s.pdf", row.ID, row.UpdatedAt.UnixMicro(), s.mark(row))
	if err := s.Files.WriteAll(ctx, key, out.Bytes(), &blob.WriterOptions{ContentType: "application/pdf"}); err != nil {
		return nil, fmt.Errorf("store %s: %w", key, err)
	}
	return out.Bytes(), s.Store.SetInvoicePDF(ctx, row, key, int64(out.Len()), s.mark(row))
}

// Download is an open file of an invoice.
type Download struct {
	Name string // for the Content-Disposition header
	Size int64  // bytes
	io.ReadCloser
}

// PreviewPDF draws the PDF of an invoice as it is now, without keeping the file or logging a download: a
// draft carries a watermark. Staff only.
func (s *Service) PreviewPDF(ctx context.Context, invoiceID id.Invoice) (Download, error) {
	if err := access.RequireCapability(ctx, access.ReadBilling); err != nil {
		return Download{}, err
	}
	row, err := s.Store.Invoice(ctx, invoiceID)
	if err != nil {
		return Download{}, err
	}
	lines, err := s.Store.InvoiceLines(ctx, row.ID)
	if err != nil {
		return Download{}, err
	}
	var out bytes.Buffer
	if err := s.writePDF(ctx, &out, row, lines); err != nil {
		return Download{}, fmt.Errorf("preview %s: %w", row.ID, err)
	}
	return Download{Name: fileName(row), Size: int64(out.Len()), ReadCloser: io.NopCloser(&out)}, nil
}

// OpenInvoicePDF opens the PDF for whoever may see the invoice and writes the download log. While
// the PDF is not rendered yet the answer is Unavailable PDF_NOT_READY.
func (s *Service) OpenInvoicePDF(ctx context.Context, invoiceID id.Invoice, address string) (Download, error) {
	row, err := s.PrepareInvoicePDF(ctx, invoiceID)
	if err != nil {
		return Download{}, err
	}
	if row.PDFKey == "" {
		return Download{}, fault.New(fault.Unavailable, "PDF_NOT_READY")
	}
	file, err := s.Files.NewReader(ctx, row.PDFKey, nil)
	if gcerrors.Code(err) == gcerrors.NotFound {
		// The file store lost it: render it again from the invoice, which is the truth.
		if err := s.Store.SetInvoicePDF(ctx, row, "", 0, ""); err != nil {
			return Download{}, err
		}
		if _, err := s.PrepareInvoicePDF(ctx, invoiceID); err != nil {
			return Download{}, err
		}
		return Download{}, fault.New(fault.Unavailable, "PDF_NOT_READY")
	}
	if err != nil {
		return Download{}, err
	}
	actor := access.From(ctx)
	if err := s.Store.LogDownload(ctx, db.InvoiceDownload{InvoiceID: row.ID, LoginID: actor.Login, StaffID: actor.Staff, Address: address}); err != nil {
		_ = file.Close()
		return Download{}, err
	}
	return Download{Name: fileName(row), Size: file.Size(), ReadCloser: file}, nil
}

// fileName is what the PDF of an invoice is called.
func fileName(row db.Invoice) string {
	if row.Number == "" {
		return "borrador-" + row.ID.String() + ".pdf"
	}
	return row.Number + ".pdf"
}
