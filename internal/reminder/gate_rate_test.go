package reminder

import (
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The limits hold with more workers than they let through.
func TestGateKeepsItsRates(t *testing.T) {
	t.Parallel()
	for name, gate := range map[string]*Gate{"all": {PerSecond: 4}, "a domain": {DomainPerSecond: 4}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var sent atomic.Int64
			var group sync.WaitGroup
			began := time.Now()
			until := began.Add(3 * time.Second)
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
			// The burst of the first moment and what the rate gives since.
			took := time.Since(began).Seconds()
			if n, most := float64(sent.Load()), 4+4*took+1; n > most || n < 8 {
				t.Errorf("%.0f mails in %.1f s, at most %.0f are allowed", n, took, most)
			}
		})
	}
}
