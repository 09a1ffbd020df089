package ui

import (
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// pages are those of no area.
type pages struct{ Config }

func toPortal(w http.ResponseWriter, r *http.Request) error {
	return layout.Redirect(w, r, "/clientes")
}

func notFound(http.ResponseWriter, *http.Request) error { return fault.Missing() }

func favicon(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "image/svg+xml")
	w.Header().Set("Cache-Control", "public, max-age=86400")
	_, _ = io.WriteString(w, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32"><rect width="32" height="32" rx="8" fill="#0c6a63"/>`+
		`<path d="M9 21.5v-7a7 7 0 0 1 14 0v7l1.5 1.5h-17zM14 26h4" fill="none" stroke="#fff" stroke-width="2" stroke-linecap="round" stroke-linejoin="round"/></svg>`)
	return nil
}

// setLanguage keeps a chosen language: in the browser, and with whoever is signed in.
func (p pages) setLanguage(w http.ResponseWriter, r *http.Request) error {
	if lang := r.PostFormValue("lang"); locale.Valid(lang) {
		layout.SetLanguage(w, r, lang)
		if access.RequirePerson(r.Context()) == nil {
			if err := p.Account.SetLanguage(r.Context(), lang); err != nil {
				return err
			}
		}
	}
	return layout.Redirect(w, r, layout.LocalPath(r.PostFormValue("next"), "/clientes"))
}

func explorer(w http.ResponseWriter, r *http.Request) error {
	w.Header().Set("Content-Security-Policy", explorerPolicy)
	return layout.WriteFragment(w, r, http.StatusOK, explorerPage())
}

func sendPDF(w http.ResponseWriter, file billing.Download) error {
	defer func() { _ = file.Close() }()
	h := w.Header()
	h.Set("Content-Type", "application/pdf")
	h.Set("Content-Length", strconv.FormatInt(file.Size, 10))
	h.Set("Content-Disposition", attachment(file.Name))
	h.Set("Cache-Control", "private, no-store")
	_, _ = io.Copy(w, file) // once it flows, an interruption shows as a short body
	return nil
}

// attachment names a download (RFC 6266); what has a meaning in a path or a header is replaced.
func attachment(name string) string {
	name = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || strings.ContainsRune(`/\:"*?<>|`, r) {
			return '-'
		}
		return r
	}, name)
	return mime.FormatMediaType("attachment", map[string]string{"filename": name})
}
