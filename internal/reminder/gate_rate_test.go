package reminder

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The limits hold with more workers than they let through: what would wait longer than a worker waits goes back.
func TestGateKeepsItsRates(t *testing.T) {
	t.Parallel()
	for name, gate := range map[string]*Gate{"all": {PerSecond: 4}, "a domain": {DomainPerSecond: 4}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sent atomic.Int64
			var group sync.WaitGroup
			until := time.Now().Add(3 * time.Second)
			for range 10 {
				group.Go(func() {
					for time.Now().Before(until) {
						if leave, wait := gate.enter(t.Context(), "uno.example"); wait == 0 {
							sent.Add(1)
							leave(nil)
						} else {
							time.Sleep(10 * time.Millisecond)
						}
					}
				})
			}
			group.Wait()
			// The burst of the first moment, what the rate gives in 3 s, and what may wait a second ahead.
			if n, most := sent.Load(), int64(4+3*4+4+1); n > most || n < 8 {
				t.Errorf("%d mails in 3 s, at most %d are allowed", n, most)
			}
		})
	}
}
