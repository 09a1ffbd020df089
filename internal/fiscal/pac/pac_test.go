package pac_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/pac"
)

func TestNewClient(t *testing.T) {
	for address, ok := range map[string]bool{
		"https://pac.example": true, "https://pac.example/base": true, "http://127.0.0.1:8080": true, "http://localhost:8080": true, "http://[::1]:80": true,
		"http://pac.example": false, "ftp://pac.example": false, "": false, "pac.example": false, "https://user:clave@pac.example": false,
	} {
		if _, err := pac.NewClient(address, 0); (err == nil) != ok {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// TestDo: what an error says of the request, and that it says no secret.
func TestDo(t *testing.T) {
	release := make(chan struct{})
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/slow":
			<-release
		case "/cut":
			w.Header().Set("Content-Length", "1000")
			_, _ = w.Write([]byte("half"))
		case "/huge":
			_, _ = w.Write([]byte(strings.Repeat("x", 17<<20)))
		}
	}))
	defer s.Close()
	defer close(release)
	c, err := pac.NewClient(s.URL, 300*time.Millisecond, "clave-secreta")
	if err != nil {
		t.Fatal(err)
	}
	patient, err := pac.NewClient(s.URL, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for path, code := range map[string]string{"/slow": "timeout", "/cut": "answer_lost", "/huge": "answer_too_large"} {
		client := patient
		if path == "/slow" {
			client = c
		}
		_, err := client.Do(context.Background(), http.MethodPost, path, nil, []byte("documento"))
		if !errors.Is(err, &fiscal.PACError{Kind: fiscal.KindUnknown, Code: code}) {
			t.Errorf("%s: %v", path, err)
		}
		if err != nil && strings.Contains(err.Error(), s.URL) {
			t.Errorf("the address is in %v", err)
		}
	}
	if got := c.Redact("wrong clave-secreta!"); got != "wrong ***!" {
		t.Error(got)
	}
	s.CloseClientConnections()
	gone, err := pac.NewClient("http://127.0.0.1:1", time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := gone.Do(context.Background(), http.MethodPost, "/", nil, nil); fiscal.KindOf(err) != fiscal.KindUnavailable {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := c.Do(ctx, http.MethodPost, "/", nil, nil); fiscal.KindOf(err) != fiscal.KindUnavailable {
		t.Error(err)
	}
}

// A name or address of the inner network gets neither document nor credentials.
func TestPrivateAddress(t *testing.T) {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
		if os.Getenv(name) != "" {
			t.Skip("a proxy looks the names up")
		}
	}
	for _, address := range []string{"https://10.0.0.1", "https://192.168.1.1", "https://172.16.0.1", "https://169.254.169.254", "https://100.64.0.1", "https://[fd00::1]", "https://[fe80::1]",
		"https://0.0.0.0", "https://[::ffff:10.0.0.1]", "https://224.0.0.1",
		"https://0.1.2.3", "https://198.18.0.1", "https://240.0.0.1", "https://[64:ff9b::10.0.0.1]", "https://[2002:0a00:0001::1]", "https://[::10.0.0.1]", "https://[fec0::1]", "https://[2001:0:a00:1::1]"} {
		c, err := pac.NewClient(address, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		_, err = c.Do(t.Context(), http.MethodPost, "/", nil, []byte("documento"))
		if !errors.Is(err, &fiscal.PACError{Kind: fiscal.KindUnavailable, Code: "connection_failed"}) || !strings.Contains(err.Error(), "private address") {
			t.Errorf("%s: %v", address, err)
		}
	}
}
