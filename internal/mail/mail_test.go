package mail_test

import (
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/internal/mail"
)

func TestBackoff(t *testing.T) {
	t.Parallel()
	for failed, want := range map[int]time.Duration{0: time.Minute, 1: time.Minute, 2: 2 * time.Minute, 3: 4 * time.Minute, 8: 128 * time.Minute,
		9: 4 * time.Hour, 10: 4 * time.Hour, 1 << 40: 4 * time.Hour} {
		if got := mail.Backoff(failed); got != want {
			t.Errorf("after %d failed attempts: %s, want %s", failed, got, want)
		}
	}
}
