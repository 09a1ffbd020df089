package fiscal

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// Formats of a download.
const (
	FormatXML   = "xml"
	FormatPDF   = "pdf"
	FormatAcuse = "acuse" // the SAT's receipt of a cancellation
)

// File is a downloaded document.
type File struct {
	Name, ContentType string
	Data              []byte
}

// AcuseName is how the acuse of a document's cancellation is downloaded.
func AcuseName(c *Comprobante) string {
	return strings.TrimSuffix(FileName(c, FormatXML), ".xml") + "_acuse.xml"
}

// original reads the stamped document of a record, which must be the one that was stamped: whoever gets it relies on that.
func original(row db.CFDI) (*Document, error) {
	if sum := sha256.Sum256(row.XML); !bytes.Equal(sum[:], row.XMLSHA256) {
		return nil, fmt.Errorf("fiscal: the stored XML of %s is not the one that was stamped", row.ID)
	}
	return Parse(row.XML)
}

// Open returns a stamped document, byte for byte as it was stamped, its printed representation or the acuse of its
// cancellation, byte for byte as the PAC gave it, and writes the download log. Permission invoices.
func (s *Service) Open(ctx context.Context, cfdi id.CFDI, format string) (File, error) {
	row, err := s.Document(ctx, cfdi)
	if err != nil {
		return File{}, err
	}
	if !row.Stamped() {
		return File{}, fault.Missing()
	}
	doc, err := original(row)
	if err != nil {
		return File{}, err
	}
	file := File{Name: FileName(doc.Comprobante, format)}
	switch format {
	case FormatXML:
		file.ContentType, file.Data = "application/xml; charset=utf-8", row.XML
	case FormatPDF:
		file.ContentType = "application/pdf"
		company, lang, err := s.printer(ctx, row)
		if err != nil {
			return File{}, err
		}
		if file.Data, err = s.print(ctx, row, company, lang); err != nil {
			return File{}, err
		}
	case FormatAcuse:
		if len(row.Acuse) == 0 {
			return File{}, fault.Missing()
		}
		file = File{Name: AcuseName(doc.Comprobante), ContentType: "application/xml; charset=utf-8", Data: row.Acuse}
	default:
		return File{}, fault.Missing()
	}
	actor := access.From(ctx)
	return file, s.Store.LogCFDIDownload(ctx, &db.CFDIDownload{CFDIID: row.ID, Format: format, LoginID: actor.Login, StaffID: actor.Staff, Address: actor.Address})
}

// company is the company with its logo, for what is printed.
func (s *Service) company(ctx context.Context) (db.Company, error) {
	company, err := s.Store.Company(ctx)
	if err != nil {
		return company, err
	}
	return s.Store.WithLogo(ctx, company)
}

// printer is who a document is printed for: the company's look and the client's language.
func (s *Service) printer(ctx context.Context, row db.CFDI) (db.Company, string, error) {
	company, err := s.company(ctx)
	if err != nil || row.ClientID == 0 {
		return company, "", err
	}
	client, err := s.Store.Client(ctx, row.ClientID)
	return company, client.Language, err
}
