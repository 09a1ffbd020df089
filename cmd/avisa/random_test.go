package main

import (
	"context"
	"math/rand/v2"
	"os/exec"
	"slices"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/internal/devstack"
)

// Two processes, each of which is a scheduler and a worker, send 5,000 reminders while everything around them
// breaks at random moments in a random order: kill -9 of either process, Redis emptied, Redis killed, PostgreSQL
// killed. Everybody has the mail, and no more copies than mails were in flight at the kills, all of them with the
// Message-ID of the first.
func TestEverythingKilledAtRandom(t *testing.T) {
	t.Parallel()
	server, err := devstack.StartPostgres(t.Context(), devstack.Options{Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop(context.Background()) })
	if err := server.CreateDatabase(t.Context(), "avisa"); err != nil {
		t.Fatal(err)
	}
	o := outsideOf(t, server.URL("avisa")+"&synchronous_commit=on")
	o.env = append(o.env, "AVISA_LEASE=6s") // so that notes outlast a restart
	if _, err := o.store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.planMany(t, crashMails)
	o.mailbox.Fail(func(string, string) *devstack.SMTPFailure { return &devstack.SMTPFailure{Stall: 2 * time.Millisecond} })
	workers := []*exec.Cmd{program(t, o.env, "work"), program(t, o.env, "work")}

	seed := rand.Uint64()
	dice := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	inFlight := 0
	restart := func() {
		i := dice.IntN(len(workers))
		kill(t, workers[i])
		workers[i] = program(t, o.env, "work")
		inFlight += concurrency
	}
	events := []struct {
		name string
		do   func()
	}{
		{"kill -9 of a worker", restart}, {"kill -9 of a worker", restart}, {"kill -9 of a worker", restart},
		{"FLUSHALL", func() { o.flush(t) }}, {"FLUSHALL", func() { o.flush(t) }},
		{"Redis killed", func() {
			o.redis.Kill()
			time.Sleep(time.Duration(dice.IntN(1000)) * time.Millisecond)
			if err := o.redis.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
		}},
		{"PostgreSQL killed", func() {
			server.Kill()
			time.Sleep(time.Duration(dice.IntN(1000)) * time.Millisecond)
			if err := server.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
			inFlight += len(workers) * concurrency
		}},
	}
	dice.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	moments := make([]int, len(events))
	for i := range moments {
		moments[i] = 100 + dice.IntN(crashMails-600)
	}
	slices.Sort(moments)
	for i, e := range events {
		o.waitForMails(t, moments[i])
		t.Logf("%s after %d mails", e.name, o.mailbox.Total())
		e.do()
	}
	o.settled(t)
	o.verify(t, inFlight)
}
