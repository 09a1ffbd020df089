package graph

import (
	"context"
	"crypto/rand"
	"log/slog"
	"net/http"
	"sync"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/locale"
)

// request is what the door remembers of one HTTP request.
type request struct {
	id   string // shown with internal errors and in the log
	lang string // of messages
	log  *slog.Logger

	mu     sync.Mutex
	logged map[string]bool
	wait   int // seconds until what was refused as too many may be tried again; 0 for nothing was
}

type requestKey struct{}

// withRequest starts a request: messages are in the actor's language, else in the browser's.
func (r *resolver) withRequest(ctx context.Context, header http.Header) (context.Context, *request) {
	actor := access.From(ctx)
	req := &request{id: actor.Request, lang: actor.Language, log: r.Log, logged: map[string]bool{}}
	if !locale.Valid(req.lang) {
		req.lang = locale.Match(header.Get("Accept-Language"))
	}
	if req.id == "" {
		req.id = rand.Text()[:12]
	}
	return context.WithValue(ctx, requestKey{}, req), req
}

func requestOf(ctx context.Context) *request { return ctx.Value(requestKey{}).(*request) }

// limited notes that something was refused as too many.
func (q *request) limited(wait int) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.wait = max(q.wait, wait)
}

// report logs an error once, although a loader gives the same one to many fields.
func (q *request) report(ctx context.Context, text string, err error, args ...any) {
	q.mu.Lock()
	seen := q.logged[err.Error()]
	q.logged[err.Error()] = true
	q.mu.Unlock()
	if !seen {
		q.log.ErrorContext(ctx, text, append([]any{"request", q.id, "error", err.Error()}, args...)...)
	}
}
