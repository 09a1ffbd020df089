package layout

import (
	"bytes"
	"net/http"
	"strconv"
	"strings"

	"github.com/a-h/templ"

	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/ui/component"
)

// RetryAfter tells a program, and a browser's console, when the next attempt may be made, where the error says so.
func RetryAfter(w http.ResponseWriter, err error) {
	if f, ok := fault.As(err); ok && f.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(int(f.RetryAfter.Seconds())+1))
	}
}

// Write answers with a page: all of it, or its title and main part alone when htmx asks (target
// #main). Pages of signed-in people are never kept by browsers or proxies.
func Write(w http.ResponseWriter, r *http.Request, status int, p Page, body templ.Component) error {
	p.path = r.URL.RequestURI()
	if r.Method != http.MethodGet {
		p.path = r.URL.Path
	}
	p.flash = takeFlash(w, r)
	frame := Document(p)
	if Partial(r) {
		frame = Part(p)
	}
	return WriteFragment(w, r, status, frame, body)
}

// WriteFragment answers with a component alone, for htmx. children are put into it.
func WriteFragment(w http.ResponseWriter, r *http.Request, status int, c templ.Component, children ...templ.Component) error {
	ctx := r.Context()
	if len(children) > 0 {
		ctx = templ.WithChildren(ctx, templ.Join(children...))
	}
	var out bytes.Buffer // so that an error can still become an error page
	if err := c.Render(ctx, &out); err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Content-Language", component.Lang(ctx))
	h.Add("Vary", "HX-Request")
	if h.Get("Cache-Control") == "" {
		h.Set("Cache-Control", "no-store")
	}
	w.WriteHeader(status)
	_, err := out.WriteTo(w)
	_ = err // the reader has gone
	return nil
}

// Partial reports whether htmx asks for a part of a page.
func Partial(r *http.Request) bool {
	return r.Header.Get("HX-Request") == "true" && r.Header.Get("HX-Boosted") == "" && r.Header.Get("HX-History-Restore-Request") == ""
}

// Redirect leads on after something was done: 303, or HX-Redirect for htmx.
func Redirect(w http.ResponseWriter, r *http.Request, url string) error {
	w.Header().Set("Cache-Control", "no-store")
	if r.Header.Get("HX-Request") == "true" {
		w.Header().Set("HX-Redirect", url)
		w.WriteHeader(http.StatusNoContent)
		return nil
	}
	http.Redirect(w, r, url, http.StatusSeeOther)
	return nil
}

// LocalPath returns path when it leads to a page of ours, else the other one: nobody is sent to
// another site by a link.
func LocalPath(path, otherwise string) string {
	if len(path) > 1 && len(path) < 2000 && path[0] == '/' && path[1] != '/' && !strings.ContainsAny(path, "\\\r\n\t") {
		return path
	}
	return otherwise
}
