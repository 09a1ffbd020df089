package main

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// s3 is a server that speaks as much of S3 as storing and reading files takes, and checks every signature
// (AWS Signature Version 4).
type s3 struct {
	sync.Mutex
	key, secret string
	objects     map[string][]byte // by path
	refused     int               // requests with a signature that is not of the key
}

func (s *s3) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.Lock()
	defer s.Unlock()
	fail := func(status int, code string) {
		w.Header().Set("Content-Type", "application/xml")
		w.WriteHeader(status)
		_, _ = fmt.Fprintf(w, "<Error><Code>%s</Code><Message>no</Message></Error>", code)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		fail(http.StatusBadRequest, "IncompleteBody")
		return
	}
	if !s.signed(r) {
		s.refused++
		fail(http.StatusForbidden, "SignatureDoesNotMatch")
		return
	}
	switch content, there := s.objects[r.URL.Path]; {
	case r.Method == http.MethodPut && strings.HasPrefix(r.Header.Get("X-Amz-Content-Sha256"), "STREAMING-"):
		fail(http.StatusNotImplemented, "NotImplemented")
	case r.Method == http.MethodPut:
		s.objects[r.URL.Path] = body
	case r.Method == http.MethodDelete:
		delete(s.objects, r.URL.Path)
		w.WriteHeader(http.StatusNoContent)
	case !there:
		fail(http.StatusNotFound, "NoSuchKey")
	case r.Method == http.MethodGet || r.Method == http.MethodHead:
		http.ServeContent(w, r, "", time.Now(), bytes.NewReader(content))
	default:
		fail(http.StatusMethodNotAllowed, "MethodNotAllowed")
	}
}

// signed reports whether the secret has made the signature of the request.
func (s *s3) signed(r *http.Request) bool {
	fields := map[string]string{}
	for part := range strings.SplitSeq(strings.TrimPrefix(r.Header.Get("Authorization"), "AWS4-HMAC-SHA256 "), ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(part), "=")
		fields[name] = value
	}
	key, scope, _ := strings.Cut(fields["Credential"], "/")
	var headers strings.Builder
	for name := range strings.SplitSeq(fields["SignedHeaders"], ";") {
		value := r.Header.Get(name)
		switch name {
		case "host":
			value = r.Host
		case "content-length":
			value = fmt.Sprint(r.ContentLength)
		}
		fmt.Fprintf(&headers, "%s:%s\n", name, value)
	}
	canonical := strings.Join([]string{r.Method, r.URL.EscapedPath(), strings.ReplaceAll(r.URL.Query().Encode(), "+", "%20"), headers.String(), fields["SignedHeaders"],
		r.Header.Get("X-Amz-Content-Sha256")}, "\n")
	sum := sha256.Sum256([]byte(canonical))
	text := strings.Join([]string{"AWS4-HMAC-SHA256", r.Header.Get("X-Amz-Date"), scope, hex.EncodeToString(sum[:])}, "\n")
	signature := []byte("AWS4" + s.secret)
	for _, part := range append(strings.Split(scope, "/"), text) {
		mac := hmac.New(sha256.New, signature)
		mac.Write([]byte(part))
		signature = mac.Sum(nil)
	}
	return key == s.key && hmac.Equal([]byte(hex.EncodeToString(signature)), []byte(fields["Signature"]))
}

// paths are those of the objects.
func (s *s3) paths() []string {
	s.Lock()
	defer s.Unlock()
	return slices.Sorted(maps.Keys(s.objects))
}

// Files in S3, as the settings of an operator name it: a worker that the bucket refuses loses nothing, the next one
// puts the PDF there, the web server gets it, and a PDF that is lost there is made again.
func TestFilesInS3(t *testing.T) {
	t.Parallel()
	store := &s3{key: "LLAVEDEPRUEBA", secret: "secreto-de-prueba", objects: map[string][]byte{}}
	server := httptest.NewServer(store)
	t.Cleanup(server.Close)
	o := newOutside(t)
	env := func(secret string) []string {
		return append(slices.Clone(o.env), "BLOB_URL=s3://avisa-archivos?region=us-east-1&use_path_style=true&response_checksum_validation=when_required&endpoint="+url.QueryEscape(server.URL),
			"AWS_ACCESS_KEY_ID="+store.key, "AWS_SECRET_ACCESS_KEY="+secret)
	}
	o.env = env(store.secret)
	if err := program(t, o.env, "seed").Wait(); err != nil {
		t.Fatal(err)
	}
	_, base := serving(t, o)
	f := &flow{api: apiClient{base: base}}
	if _, err := f.ownerSignsIn(t.Context()); err != nil {
		t.Fatal(err)
	}
	var list struct {
		Client struct {
			Invoices struct {
				Nodes []struct{ ID string }
			}
		}
	}
	if err := f.api.do(t.Context(), f.owner, `query ($id: ID!) { client(id: $id) { invoices(first: 1) { nodes { id } } } }`, map[string]any{"id": f.client}, &list); err != nil {
		t.Fatal(err)
	}
	invoice := list.Client.Invoices.Nodes[0].ID
	file := func() (int, []byte) {
		response, err := f.api.send(t.Context(), http.MethodGet, "/descargas/facturas/"+invoice+".pdf", f.owner, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		content, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, content
	}
	if status, _ := file(); status != http.StatusServiceUnavailable { // this asks for the PDF
		t.Fatalf("before there is a PDF: %d", status)
	}

	wrong := program(t, env("otro-secreto"), "work")
	eventually(t, "a worker with the wrong secret is refused", 30*time.Second, func() bool {
		store.Lock()
		defer store.Unlock()
		return store.refused > 0
	})
	kill(t, wrong)
	if status, _ := file(); status != http.StatusServiceUnavailable || len(store.paths()) > 0 {
		t.Fatalf("refused: %d, %q", status, store.paths())
	}

	program(t, o.env, "work")
	arrives := func() {
		t.Helper()
		var content []byte
		eventually(t, "the PDF", time.Minute, func() (ready bool) {
			status, read := file()
			content = read
			return status == http.StatusOK
		})
		store.Lock()
		defer store.Unlock()
		held := false
		for path, object := range store.objects {
			held = held || strings.HasPrefix(path, "/avisa-archivos/invoices/"+invoice+"/") && bytes.Equal(object, content)
		}
		if !held || !bytes.HasPrefix(content, []byte("%PDF-")) {
			t.Fatalf("%d bytes %.10q are not those of the bucket, which has %q", len(content), content, slices.Sorted(maps.Keys(store.objects)))
		}
	}
	arrives()
	store.Lock()
	clear(store.objects)
	store.Unlock()
	if status, _ := file(); status != http.StatusServiceUnavailable {
		t.Errorf("a PDF that is lost: %d", status)
	}
	arrives()

	// A web server that the bucket refuses says that something is wrong, and no more.
	o.env = env("otro-secreto")
	_, f.api.base = serving(t, o)
	if status, content := file(); status != http.StatusInternalServerError || bytes.Contains(content, []byte("secreto")) || bytes.Contains(content, []byte("Signature")) {
		t.Errorf("%d %.500s", status, content)
	}
}
