package main

import (
	"sync"
	"testing"
)

// Processes that start together on a new data folder all get the same secret.
func TestOneSecretForAll(t *testing.T) {
	for range 50 {
		dir := t.TempDir()
		found := make([]string, 8)
		var all sync.WaitGroup
		for i := range found {
			all.Go(func() {
				var err error
				if found[i], err = keptSecret(dir); err != nil {
					t.Error(err)
				}
			})
		}
		all.Wait()
		for _, text := range found {
			if text != found[0] || len(text) < 32 {
				t.Fatalf("secrets %q", found)
			}
		}
	}
}
