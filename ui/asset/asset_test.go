package asset

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/nubedigitalmx/avisa/ui/static"
)

func packed(t *testing.T, text string) *fstest.MapFile {
	t.Helper()
	var buffer bytes.Buffer
	writer := gzip.NewWriter(&buffer)
	if _, err := io.WriteString(writer, text); err != nil {
		t.Fatal(err)
	}
	if err := writer.Close(); err != nil {
		t.Fatal(err)
	}
	return &fstest.MapFile{Data: buffer.Bytes()}
}

func testFiles(t *testing.T) *Files {
	t.Helper()
	return New(fstest.MapFS{
		"manifest.json":    {Data: []byte(`{"app.css":"app.AAAA.css","inter.woff2":"inter.BBBB.woff2","lost.js":"lost.CCCC.js"}`)},
		"app.AAAA.css.gz":  packed(t, "body{}"),
		"inter.BBBB.woff2": {Data: []byte("wOF2")},
		".gitkeep":         {},
		"other.txt":        {Data: []byte("not in the manifest")},
	})
}

func TestServe(t *testing.T) {
	t.Parallel()
	handler := testFiles(t)
	for name, test := range map[string]struct {
		path, accept, ifNoneMatch string
		status                    int
		kind, encoding, body      string
	}{
		"gzip":              {path: "/static/app.AAAA.css", accept: "gzip, deflate, br", status: 200, kind: "text/css; charset=utf-8", encoding: "gzip", body: "body{}"},
		"no gzip":           {path: "/static/app.AAAA.css", status: 200, kind: "text/css; charset=utf-8", body: "body{}"},
		"gzip refused":      {path: "/static/app.AAAA.css", accept: "gzip;q=0, *", status: 200, kind: "text/css; charset=utf-8", body: "body{}"},
		"font":              {path: "/static/inter.BBBB.woff2", accept: "gzip", status: 200, kind: "font/woff2", body: "wOF2"},
		"known already":     {path: "/static/app.AAAA.css", accept: "gzip", ifNoneMatch: `"app.AAAA.css"`, status: 304, encoding: "gzip"},
		"plain name":        {path: "/static/app.css", status: 404},
		"the stored name":   {path: "/static/app.AAAA.css.gz", status: 404},
		"manifest":          {path: "/static/manifest.json", status: 404},
		"not in manifest":   {path: "/static/other.txt", status: 404},
		"in manifest, gone": {path: "/static/lost.CCCC.js", status: 404},
		"folder":            {path: "/static/", status: 404},
		"outside":           {path: "/static/../static.go", status: 404},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			request := httptest.NewRequest(http.MethodGet, "http://avisa.example"+test.path, nil)
			request.Header.Set("Accept-Encoding", test.accept)
			request.Header.Set("If-None-Match", test.ifNoneMatch)
			recorder := httptest.NewRecorder()
			handler.ServeHTTP(recorder, request)
			got := recorder.Result()
			if got.StatusCode != test.status {
				t.Fatalf("status %d, want %d", got.StatusCode, test.status)
			}
			immutable := strings.Contains(got.Header.Get("Cache-Control"), "immutable")
			if immutable != (test.status != 404) {
				t.Errorf("Cache-Control = %q", got.Header.Get("Cache-Control"))
			}
			if test.status != 200 {
				return
			}
			if got.Header.Get("Content-Type") != test.kind || got.Header.Get("Content-Encoding") != test.encoding {
				t.Errorf("header = %v", got.Header)
			}
			var body io.Reader = got.Body
			if test.encoding == "gzip" {
				if got.ContentLength != int64(recorder.Body.Len()) {
					t.Errorf("Content-Length %d of %d", got.ContentLength, recorder.Body.Len())
				}
				unzipped, err := gzip.NewReader(body)
				if err != nil {
					t.Fatal(err)
				}
				body = unzipped
			}
			if data, err := io.ReadAll(body); err != nil || string(data) != test.body {
				t.Errorf("body = %q (%v)", data, err)
			}
		})
	}
}

// seen is the address that a page below f gives for a file.
func seen(f *Files, name string) string {
	var url string
	page := http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { url = URL(r.Context(), name) })
	f.With(page).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", nil))
	return url
}

func TestURL(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"app.css": "/static/app.AAAA.css", "unknown.js": "/static/unknown.js"} {
		if got := seen(testFiles(t), name); got != want {
			t.Errorf("URL(%q) = %q, want %q", name, got, want)
		}
	}
	if got := seen(New(fstest.MapFS{}), "app.css"); got != "/static/app.css" {
		t.Errorf("before the first build: %q", got)
	}
	if got := URL(t.Context(), "app.css"); got != "/static/app.css" {
		t.Errorf("a page outside: %q", got)
	}
}

// built are the files of the binary.
func built(t *testing.T) *Files {
	t.Helper()
	f := New(static.Dist())
	if len(f.manifest) == 0 {
		t.Skip("not built: run make assets")
	}
	return f
}

// What the pages name must be in the build, packed and typed.
func TestBuiltFiles(t *testing.T) {
	t.Parallel()
	files := built(t)
	for _, name := range []string{"app.css", "app.js", "explorer.css", "explorer.js"} {
		url := seen(files, name)
		if !regexp.MustCompile(`^/static/[a-z]+\.[A-Z0-9]{8}\.(css|js)$`).MatchString(url) {
			t.Errorf("URL(%q) = %q", name, url)
		}
		recorder := httptest.NewRecorder()
		files.ServeHTTP(recorder, httptest.NewRequest(http.MethodGet, url, nil))
		if recorder.Code != http.StatusOK || recorder.Body.Len() == 0 {
			t.Errorf("%s: status %d, %d bytes", url, recorder.Code, recorder.Body.Len())
		}
		// Nothing may come from another origin.
		if foreign := regexp.MustCompile(`(?:@import|url\(|src=)\s*["']?(?:https?:)?//[^"')]*`).FindString(recorder.Body.String()); foreign != "" && strings.HasSuffix(name, ".css") {
			t.Errorf("%s loads %q", name, foreign)
		}
	}
}

func TestEveryServedTypeIsKnown(t *testing.T) {
	t.Parallel()
	for _, file := range built(t).manifest {
		if extension := file[strings.LastIndex(file, "."):]; contentTypes[extension] == "" {
			t.Errorf("no content type for %s", file)
		}
	}
}
