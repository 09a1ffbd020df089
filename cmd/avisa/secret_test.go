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

// The demo's key of certificates and its secret are of one file, whichever comes first. (Random bytes instead of a text lost
// white space at their ends, and one new demo in twenty did not start.)
func TestDemoSecretServesBoth(t *testing.T) {
	for range 200 {
		c := config{Env: demo, DataDir: t.TempDir()}
		if err := demoSecret(&c); err != nil {
			t.Fatal(err)
		}
		if _, err := c.secrets(); err != nil {
			t.Fatal(err)
		}
		again := config{Env: demo, DataDir: c.DataDir}
		if err := demoSecret(&again); err != nil || string(again.Fiscal.Keys["demo"]) != string(c.Fiscal.Keys["demo"]) {
			t.Fatalf("another key the second time: %v", err)
		}
	}
}
