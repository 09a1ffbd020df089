// Package asset serves the browser files and knows the addresses at which pages find them.
package asset

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"
)

// Prefix is the path below which Files expects to be mounted.
const Prefix = "/static/"

type key struct{}

// With tells the pages that next writes where the files are.
func (f *Files) With(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(context.WithValue(r.Context(), key{}, f)))
	})
}

// URL returns the address of a built file by its plain name: "app.css" gives
// "/static/app.1A2B3C4D.css". Before the first build, and for an unknown name,
// it is "/static/" and the name, where the page finds nothing but still works.
func URL(ctx context.Context, name string) string {
	f, _ := ctx.Value(key{}).(*Files)
	if f != nil && f.manifest[name] != "" {
		name = f.manifest[name]
	}
	return Prefix + name
}

// Explicit, because the system's table of types differs between machines.
var contentTypes = map[string]string{
	".css":   "text/css; charset=utf-8",
	".js":    "text/javascript; charset=utf-8",
	".json":  "application/json",
	".png":   "image/png",
	".svg":   "image/svg+xml",
	".ttf":   "font/ttf",
	".wasm":  "application/wasm",
	".woff2": "font/woff2",
}

// Files are the built files with their manifest, which maps plain names to stored ones. Text is stored
// as gzip alone. Names change with their content, so browsers are told to keep the files.
type Files struct {
	dist     fs.FS
	manifest map[string]string
	served   map[string]bool
}

// New reads the manifest of dist. Without one nothing is served.
func New(dist fs.FS) *Files {
	f := &Files{dist: dist, served: map[string]bool{}}
	if data, err := fs.ReadFile(dist, "manifest.json"); err == nil {
		_ = json.Unmarshal(data, &f.manifest) // a broken one is like none: build again
	}
	for _, name := range f.manifest {
		f.served[name] = true
	}
	return f
}

// ServeHTTP answers GET and HEAD for the names in the manifest.
func (f *Files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(r.URL.Path, Prefix)
	if !f.served[name] {
		http.NotFound(w, r)
		return
	}
	header := w.Header()
	header.Set("Content-Type", contentTypes[path.Ext(name)])
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Cache-Control", "public, max-age=31536000, immutable")
	header.Set("ETag", strconv.Quote(name)) // the name holds the content's hash
	if data, err := fs.ReadFile(f.dist, name); err == nil {
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(data))
		return
	}
	packed, err := fs.ReadFile(f.dist, name+".gz")
	if err != nil {
		clear(header)
		http.NotFound(w, r)
		return
	}
	header.Set("Vary", "Accept-Encoding")
	if acceptsGzip(r.Header.Get("Accept-Encoding")) {
		header.Set("Content-Encoding", "gzip")
		// Set here, since ServeContent leaves it out of encoded answers.
		if r.Header.Get("Range") == "" && r.Header.Get("If-None-Match") == "" {
			header.Set("Content-Length", strconv.Itoa(len(packed)))
		}
		http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(packed))
		return
	}
	text, err := unpack(packed)
	if err != nil {
		http.Error(w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(text))
}

func unpack(packed []byte) ([]byte, error) {
	reader, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(reader)
}

// acceptsGzip reads Accept-Encoding (RFC 9110, section 12.5.3): gzip or * is
// named, and not with q=0.
func acceptsGzip(header string) bool {
	accepted := false
	for item := range strings.SplitSeq(header, ",") {
		coding, params, _ := strings.Cut(strings.ToLower(strings.TrimSpace(item)), ";")
		q, err := strconv.ParseFloat(strings.TrimPrefix(strings.TrimSpace(params), "q="), 64)
		wanted := err != nil || q > 0
		switch strings.TrimSpace(coding) {
		case "gzip":
			return wanted
		case "*":
			accepted = wanted
		}
	}
	return accepted
}
