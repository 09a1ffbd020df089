package layout

import "net/http"

// mailPolicy is for documents that others wrote: nothing runs, nothing is loaded, nothing is reachable,
// and only our own pages may show them.
const mailPolicy = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'; sandbox"

// Isolate takes its powers away from a document that is not a page of ours, such as a mail.
func Isolate(h http.Header) {
	h.Set("Content-Security-Policy", mailPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "SAMEORIGIN")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cache-Control", "no-store")
}

// WriteMail answers with the HTML part of a mail, for a frame of a page. Mail is HTML by nature;
// Isolate takes its powers away.
func WriteMail(w http.ResponseWriter, html string) error {
	Isolate(w.Header())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	_, _ = w.Write([]byte(html)) // the reader may have gone
	return nil
}
