package ui

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A database that is starting again is no internal error: the page says to try again, and when.
func TestDatabaseDoesNotAnswer(t *testing.T) {
	t.Parallel()
	var log strings.Builder
	s := &site{Config{Log: slog.New(slog.NewTextHandler(&log, nil))}}
	rec := httptest.NewRecorder()
	s.fail(rec, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/clientes", nil), &net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")})
	if rec.Code != http.StatusServiceUnavailable || rec.Header().Get("Retry-After") == "" {
		t.Errorf("status %d, retry after %q", rec.Code, rec.Header().Get("Retry-After"))
	}
	if strings.Contains(rec.Body.String(), "refused") || !strings.Contains(log.String(), "refused") {
		t.Errorf("the cause belongs into the log alone: %s\n%s", log.String(), rec.Body)
	}
}
