package limit_test

import (
	"context"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"

	"github.com/nubedigitalmx/avisa/internal/limit"
)

// Each key has its own count; the wait says when the next attempt may be made, and Reset forgets.
func TestLimits(t *testing.T) {
	server := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	t.Cleanup(func() { _ = client.Close() })
	limits := limit.New(client)
	for name, c := range map[string]struct {
		allow func(ctx context.Context, key string, n int) (time.Duration, error)
		least time.Duration
		most  time.Duration
	}{
		"minute": {limits.Allow, 10 * time.Second, 12 * time.Second},       // 5 in a minute: one every 12 s
		"hour":   {limits.AllowHourly, 11 * time.Minute, 12 * time.Minute}, // 5 in an hour: one every 12 min
	} {
		for i := range 5 {
			if wait, err := c.allow(t.Context(), name, 5); err != nil || wait != 0 {
				t.Fatalf("%s, attempt %d: %s, %v", name, i, wait, err)
			}
		}
		if wait, err := c.allow(t.Context(), name, 5); err != nil || wait < c.least || wait > c.most {
			t.Errorf("%s, one too many: %s, %v", name, wait, err)
		}
		if wait, err := c.allow(t.Context(), name+" of somebody else", 5); err != nil || wait != 0 {
			t.Errorf("%s, another key: %s, %v", name, wait, err)
		}
		if err := limits.Reset(t.Context(), name); err != nil {
			t.Fatal(err)
		}
		if wait, err := c.allow(t.Context(), name, 5); err != nil || wait != 0 {
			t.Errorf("%s, after the reset: %s, %v", name, wait, err)
		}
	}
	server.Close()
	if _, err := limits.Allow(t.Context(), "x", 5); err == nil {
		t.Error("a lost Redis lets everybody through")
	}
}
