package reminder

import (
	"context"
	"sync"
	"time"

	"golang.org/x/time/rate"

	"github.com/nubedigitalmx/avisa/internal/mail"
)

// Gate keeps this process within the mail server's limits and keeps one slow or failing domain from
// holding up the others. The zero value has no limits of rate.
type Gate struct {
	PerSecond       float64 // mails a second of this process; 0: no limit
	DomainPerSecond float64 // and to one domain; 0: no limit

	mu      sync.Mutex
	all     *rate.Limiter
	domains map[string]*domain
}

// domain is what the gate knows about a domain that has mail on its way or had trouble.
type domain struct {
	limit    *rate.Limiter
	inside   int           // mails on their way
	failures int           // temporary ones in a row
	closed   time.Time     // no mail until then
	slow     time.Duration // how long the last mail took
}

const (
	domainFailures = 5                // temporary failures in a row that close a domain
	domainSlow     = 2 * time.Second  // a mail that takes longer makes its domain a slow one
	domainBusy     = 2                // mails at once to a slow domain
	maxPatience    = time.Second      // a worker waits so long for a domain's limit; beyond, the mail goes back
	allPatience    = 10 * time.Second // and for the limit of all, where another mail would have to wait as well
)

// enter asks to send a mail to the domain. wait > 0 means not now. Otherwise leave must be called with the result.
func (g *Gate) enter(ctx context.Context, name string) (leave func(error), wait time.Duration) {
	g.mu.Lock()
	if g.domains == nil {
		g.domains = map[string]*domain{}
		if g.PerSecond > 0 {
			g.all = rate.NewLimiter(rate.Limit(g.PerSecond), max(1, int(g.PerSecond)))
		}
	}
	d := g.domains[name]
	if d == nil {
		if len(g.domains) > 10_000 {
			g.sweep()
		}
		d = &domain{}
		if g.DomainPerSecond > 0 {
			d.limit = rate.NewLimiter(rate.Limit(g.DomainPerSecond), max(1, int(g.DomainPerSecond)))
		}
		g.domains[name] = d
	}
	now, back := time.Now(), true
	switch {
	case now.Before(d.closed):
		wait = d.closed.Sub(now)
	case (d.slow > domainSlow || d.failures > 0) && d.inside >= domainBusy:
		wait = 5 * time.Second
	default:
		wait, back = g.reserve(d, now)
	}
	if back {
		g.mu.Unlock()
		return nil, wait
	}
	d.inside++
	g.mu.Unlock()
	if wait > 0 {
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
	began := time.Now()
	return func(err error) { g.leave(d, time.Since(began), err) }, 0
}

// reserve takes a place in both limits and says how long it is until then. back is true when that is longer
// than a worker waits; then nothing is taken.
func (g *Gate) reserve(d *domain, now time.Time) (wait time.Duration, back bool) {
	var taken []*rate.Reservation
	for _, limit := range []*rate.Limiter{d.limit, g.all} {
		if limit == nil {
			continue
		}
		patience := maxPatience
		if limit == g.all {
			patience = allPatience
		}
		r := limit.ReserveN(now, 1)
		taken = append(taken, r)
		delay := r.DelayFrom(now)
		wait, back = max(wait, delay), back || delay > patience
	}
	if back {
		for _, r := range taken {
			r.CancelAt(now)
		}
	}
	return wait, back
}

func (g *Gate) leave(d *domain, took time.Duration, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	d.inside--
	d.slow = took
	if refusal, refused := mail.AsRefusal(err); err == nil || refused && refusal.Permanent {
		d.failures = 0
		return
	}
	d.failures++
	if over := d.failures - domainFailures; over >= 0 {
		d.closed = time.Now().Add(min(time.Minute<<min(over, 4), 15*time.Minute))
	}
}

// sweep forgets domains without trouble.
func (g *Gate) sweep() {
	for name, d := range g.domains {
		if d.inside == 0 && d.failures == 0 && d.slow <= domainSlow {
			delete(g.domains, name)
		}
	}
}
