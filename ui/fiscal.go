package ui

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// CFDIPath is where a fiscal document is downloaded: format is xml, pdf or acuse.
func CFDIPath(cfdi id.CFDI, format string) string {
	return "/descargas/cfdi/" + cfdi.String() + "." + format
}

// fiscalFile gives a fiscal document, or the acuse of its cancellation, to whoever may see its invoice: XML byte for
// byte.
func (p pages) fiscalFile(w http.ResponseWriter, r *http.Request) error {
	name, format, _ := strings.Cut(r.PathValue("file"), ".")
	cfdi, err := id.ParseCFDI(name)
	if err != nil {
		return fault.Missing()
	}
	file, err := p.Fiscal.Open(r.Context(), cfdi, format)
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", file.ContentType)
	h.Set("Content-Length", strconv.Itoa(len(file.Data)))
	h.Set("Content-Disposition", attachment(file.Name))
	h.Set("Cache-Control", "private, no-store")
	_, _ = w.Write(file.Data)
	return nil
}

// fiscalArchive gives the fiscal documents of a month in one ZIP: those of a client to whoever may see its invoices,
// those of every client ("todos") to staff.
func (p pages) fiscalArchive(w http.ResponseWriter, r *http.Request) error {
	filter := fiscal.FolderFilter{}
	month, ok := strings.CutSuffix(r.PathValue("file"), ".zip")
	if !ok {
		return fault.Missing()
	}
	filter.Month = month
	if name := r.PathValue("client"); name != "todos" {
		var err error
		if filter.Client, err = id.ParseClient(name); err != nil {
			return fault.Missing()
		}
	}
	archive, err := p.Fiscal.Archive(r.Context(), filter)
	if fault.Is(err, fault.Invalid) {
		return fault.Missing()
	}
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", attachment(archive.Name))
	h.Set("Cache-Control", "private, no-store")
	if err := archive.Write(w); err != nil {
		p.Log.Error("an archive broke off", "error", err)
		panic(http.ErrAbortHandler) // so that nobody takes half a file for all of it
	}
	return nil
}

// FiscalArchivePath is where the fiscal documents of a client's month (2006-01) are downloaded.
func FiscalArchivePath(client id.Client, month string) string {
	return "/descargas/fiscal/" + client.String() + "/" + month + ".zip"
}
