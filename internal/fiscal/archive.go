package fiscal

import (
	"archive/zip"
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/sheet"
)

// Archive is the ZIP of a month's documents, which is made while it is written.
type Archive struct {
	Name  string // 2026-11.zip
	write func(io.Writer) error
}

// Write writes the ZIP. A document whose PDF cannot be drawn is there with its XML alone. An error leaves a file
// that is cut off.
func (a Archive) Write(w io.Writer) error { return a.write(w) }

// archiveBatch is how many documents are read at once.
const archiveBatch = 20

// Archive prepares the ZIP of the stamped documents of one month for the accountant: for each the XML byte for byte, the
// PDF and, when it was cancelled, the acuse, named by date, series and folio, and a list of all as CSV. Every document
// in it is in the download log. Permission invoices; staff alone for those of every client.
func (s *Service) Archive(ctx context.Context, in FolderFilter) (Archive, error) {
	if err := s.requireFolder(ctx, in.Client); err != nil {
		return Archive{}, err
	}
	filter, err := s.folder(ctx, in)
	if err != nil {
		return Archive{}, err
	}
	if in.Month == "" {
		return Archive{}, fault.Missing()
	}
	first, err := s.Store.StampedFiles(ctx, filter, db.CFDI{}, 1)
	if err != nil {
		return Archive{}, err
	}
	if len(first) == 0 {
		return Archive{}, fault.Missing()
	}
	company, err := s.company(ctx)
	if err != nil {
		return Archive{}, err
	}
	zone, err := s.zone(ctx)
	if err != nil {
		return Archive{}, err
	}
	name := in.Month + ".zip"
	if in.Client != 0 {
		name = in.Client.String() + "_" + name
	}
	return Archive{Name: "cfdi_" + name, write: func(w io.Writer) error {
		a := archiver{service: s, zip: zip.NewWriter(w), company: company, zone: zone, used: map[string]bool{}, languages: map[id.Client]string{}}
		return a.run(ctx, filter)
	}}, nil
}

// archiver is an archive while it is written.
type archiver struct {
	service   *Service
	zip       *zip.Writer
	company   db.Company
	zone      *time.Location
	used      map[string]bool // names
	languages map[id.Client]string
	list      [][]string
}

func (a *archiver) run(ctx context.Context, filter db.CFDIFilter) error {
	actor := access.From(ctx)
	for last := (db.CFDI{}); ; {
		rows, err := a.service.Store.StampedFiles(ctx, filter, last, archiveBatch)
		if err != nil {
			return err
		}
		if len(rows) == 0 {
			break
		}
		log := make([]db.CFDIDownload, len(rows))
		for i, row := range rows {
			log[i] = db.CFDIDownload{CFDIID: row.ID, Format: "zip", LoginID: actor.Login, StaffID: actor.Staff, Address: actor.Address}
		}
		if err := a.service.Store.LogCFDIDownloads(ctx, log); err != nil {
			return err
		}
		for _, row := range rows {
			if err := a.add(ctx, row); err != nil {
				return err
			}
			last = row
		}
		if len(rows) < archiveBatch {
			break
		}
	}
	if err := a.index(); err != nil {
		return err
	}
	return a.zip.Close()
}

// add writes the files of one document.
func (a *archiver) add(ctx context.Context, row db.CFDI) error {
	day := row.Fecha.In(a.zone)
	name := fmt.Sprintf("%s_%s-%d", day.Format(time.DateOnly), row.Serie, row.Folio)
	if a.used[name] { // of another RFC of the company
		name += "_" + row.UUID
	}
	a.used[name] = true
	if _, err := original(row); err != nil { // the list says that it is missing; the others are as good as before
		a.service.logger().Error("the archive goes without a document", "cfdi", row.ID.String(), "error", err)
		a.entry(row, day, "")
		return nil
	}
	if err := a.file(name+".xml", day, zip.Deflate, row.XML); err != nil {
		return err
	}
	lang, err := a.language(ctx, row.ClientID)
	if err != nil {
		return err
	}
	if printed, err := a.service.print(ctx, row, a.company, lang); err != nil {
		a.service.logger().Error("the archive goes without a PDF", "cfdi", row.ID.String(), "error", err)
	} else if err := a.file(name+".pdf", day, zip.Store, printed); err != nil { // PDFs are compressed already
		return err
	}
	if len(row.Acuse) > 0 {
		if err := a.file(name+"_acuse.xml", day, zip.Deflate, row.Acuse); err != nil {
			return err
		}
	}
	a.entry(row, day, name+".xml")
	return nil
}

// entry lists a document with the name of its file.
func (a *archiver) entry(row db.CFDI, day time.Time, file string) {
	a.list = append(a.list, []string{day.Format("2006-01-02 15:04:05"), row.Kind, row.Serie, fmt.Sprint(row.Folio), row.UUID, row.RfcEmisor, row.RfcReceptor, sheet.Cell(row.NombreReceptor),
		row.MetodoPago, row.Total, row.Moneda, row.Status, row.CancelSustitucion, file})
}

func (a *archiver) file(name string, at time.Time, method uint16, data []byte) error {
	w, err := a.zip.CreateHeader(&zip.FileHeader{Name: name, Method: method, Modified: at})
	if err != nil {
		return err
	}
	_, err = w.Write(data)
	return err
}

// language of a client's documents.
func (a *archiver) language(ctx context.Context, client id.Client) (string, error) {
	if lang, ok := a.languages[client]; ok || client == 0 {
		return lang, nil
	}
	row, err := a.service.Store.Client(ctx, client)
	a.languages[client] = row.Language
	return row.Language, err
}

// index writes the list of all documents. The names of its columns are the SAT's words.
func (a *archiver) index() error {
	w, err := a.zip.CreateHeader(&zip.FileHeader{Name: "indice.csv", Method: zip.Deflate, Modified: a.service.Now()})
	if err != nil {
		return err
	}
	if _, err := io.WriteString(w, "\ufeff"); err != nil { // spreadsheets read UTF-8 by it
		return err
	}
	out := csv.NewWriter(w)
	out.UseCRLF = true
	_ = out.Write([]string{"Fecha", "Tipo", "Serie", "Folio", "UUID", "RfcEmisor", "RfcReceptor", "NombreReceptor", "MetodoPago", "Total", "Moneda", "Estado", "FolioSustitucion", "Archivo"})
	return out.WriteAll(a.list) // flushes, and reports what Write met
}
