package ui

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// CFDIPath is where a fiscal document is downloaded: format is xml or pdf.
func CFDIPath(cfdi id.CFDI, format string) string {
	return "/descargas/cfdi/" + cfdi.String() + "." + format
}

// fiscalFile gives a fiscal document to whoever may see its invoice: the XML byte for byte.
func (p pages) fiscalFile(w http.ResponseWriter, r *http.Request) error {
	name, format, _ := strings.Cut(r.PathValue("file"), ".")
	cfdi, err := id.ParseCFDI(name)
	if err != nil || format != "xml" && format != "pdf" {
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
