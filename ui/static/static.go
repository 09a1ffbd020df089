// Package static serves the browser files: style sheet, script, fonts and the
// GraphQL explorer. build.mjs makes them in dist/; the binary embeds them, and
// nothing is loaded from another origin.
package static

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/json"
	"io"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Prefix is the path below which Handler expects to be mounted.
const Prefix = "/static/"

//go:embed all:dist
var embedded embed.FS

var built = sync.OnceValue(func() *files {
	dist, err := fs.Sub(embedded, "dist")
	if err != nil {
		panic(err) // "dist" is a valid path
	}
	return load(dist)
})

// URL returns the address of a built file by its plain name: "app.css" gives
// "/static/app.1A2B3C4D.css". Before the first build, and for an unknown name,
// it is "/static/" and the name, where the page finds nothing but still works.
func URL(name string) string { return built().url(name) }

// Handler serves the built files below Prefix. Their names change with their
// content, so browsers are told to keep them.
func Handler() http.Handler { return built() }

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

// files is dist/ with its manifest, which maps plain names to stored ones. Text
// is stored as gzip alone.
type files struct {
	dist     fs.FS
	manifest map[string]string
	served   map[string]bool
}

func load(dist fs.FS) *files {
	f := &files{dist: dist, served: map[string]bool{}}
	if data, err := fs.ReadFile(dist, "manifest.json"); err == nil {
		_ = json.Unmarshal(data, &f.manifest) // a broken one is like none: build again
	}
	for _, name := range f.manifest {
		f.served[name] = true
	}
	return f
}

func (f *files) url(name string) string {
	if hashed, ok := f.manifest[name]; ok {
		return Prefix + hashed
	}
	return Prefix + name
}

// ServeHTTP answers GET and HEAD for the names in the manifest.
func (f *files) ServeHTTP(w http.ResponseWriter, r *http.Request) {
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
