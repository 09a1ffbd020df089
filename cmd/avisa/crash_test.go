package main

import (
	"context"
	"fmt"
	"syscall"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/devstack"
	"github.com/nubedigitalmx/avisa/jobs"
)

const concurrency = 10 // of a worker, the default

// planMany plans one reminder for each of n clients.
func (o *outside) planMany(t *testing.T, n int) {
	t.Helper()
	now := time.Now()
	dbtest.Company(t, o.store, now.AddDate(0, -2, 0))
	today := date.Today(now, "America/Mexico_City")
	for i := range n {
		client := dbtest.Client(t, o.store, fmt.Sprintf("Cliente %d", i), fmt.Sprintf("cliente%d@choque.example", i))
		dbtest.Invoice(t, o.store, client, today.AddDays(-10), today.AddDays(1), now.AddDate(0, 0, -10))
	}
	got, err := o.store.Plan(t.Context(), db.PlanInput{Now: now, Immediate: true})
	if err != nil || got.Planned != int64(n) {
		t.Fatalf("planned %+v, %v", got, err)
	}
}

// count sums up what reached the mail server: recipients, copies beyond the first, and whether any
// copy had another Message-ID.
func (o *outside) count() (recipients, copies int, changed bool) {
	ids := map[string]string{}
	for _, e := range o.mailbox.Envelopes() {
		to := e.To[0]
		first, seen := ids[to]
		if seen {
			copies++
			changed = changed || first != e.MessageID
		} else {
			ids[to] = e.MessageID
		}
	}
	return len(ids), copies, changed
}

func (o *outside) waitForMails(t *testing.T, n int) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d mails", n), time.Minute, func() bool { return o.mailbox.Total() >= int64(n) })
}

// settled waits until nothing of the ledger is on its way any more.
func (o *outside) settled(t *testing.T) {
	t.Helper()
	eventually(t, "every delivery final", time.Minute, func() bool {
		counts, err := o.store.DeliveryCounts(t.Context(), time.Time{})
		if err != nil {
			t.Log(err) // the database may be on its way back
			return false
		}
		for _, c := range counts {
			if c.Status != db.DeliverySent {
				return false
			}
		}
		return true
	})
}

func (o *outside) verify(t *testing.T, n, inFlight int) {
	t.Helper()
	recipients, copies, changed := o.count()
	t.Logf("%d recipients, %d copies beyond the first (at most %d were in flight)", recipients, copies, inFlight)
	if recipients != n || copies > inFlight || changed {
		t.Fatalf("%d of %d recipients have their mail, %d copies, Message-ID changed: %v", recipients, n, copies, changed)
	}
}

// Kill -9 of the worker in the middle of 1,000 reminders, twice: everybody has the mail, and no
// more copies than mails were in flight, all with the same Message-ID.
func TestWorkerKilledWhileSending(t *testing.T) {
	t.Parallel()
	o := newOutside(t)
	const n = 1000
	o.planMany(t, n)
	// A mail takes a moment, as with a real server, so that the kill finds mails in flight.
	o.mailbox.Fail(func(string, string) *devstack.SMTPFailure { return &devstack.SMTPFailure{Stall: 2 * time.Millisecond} })
	for _, until := range []int{200, 600} {
		worker := program(t, o.env, "work")
		o.waitForMails(t, until)
		kill(t, worker)
	}
	program(t, o.env, "work")
	o.settled(t)
	o.verify(t, n, 2*concurrency)
}

// SIGTERM lets what is in flight finish: nothing twice, nothing lost.
func TestWorkerStoppedWhileSending(t *testing.T) {
	t.Parallel()
	o := newOutside(t)
	const n = 300
	o.planMany(t, n)
	worker := program(t, o.env, "work")
	o.waitForMails(t, 50)
	if err := worker.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := worker.Wait(); err != nil {
		t.Fatalf("the worker did not stop well: %v", err)
	}
	program(t, o.env, "work")
	o.settled(t)
	o.verify(t, n, 0)
}

// Redis emptied and killed in the middle, with two workers: the relay rebuilds the queue from
// PostgreSQL, and nothing is repeated.
func TestRedisLostWhileSending(t *testing.T) {
	t.Parallel()
	o := newOutside(t)
	const n = 600
	o.planMany(t, n)
	o.mailbox.Fail(func(string, string) *devstack.SMTPFailure { return &devstack.SMTPFailure{Stall: 5 * time.Millisecond} })
	program(t, o.env, "work")
	program(t, o.env, "work")
	o.waitForMails(t, 100)
	o.flush(t)
	o.waitForMails(t, 300)
	o.redis.Kill()
	if err := o.redis.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.flush(t)
	o.settled(t)
	o.verify(t, n, 0)
}

// PostgreSQL killed in the middle and started again, with two workers: they wait and go on, and at
// most the mails in flight, whose acceptance could not be noted, go out once more.
func TestPostgresKilledWhileSending(t *testing.T) {
	t.Parallel()
	server, err := devstack.StartPostgres(t.Context(), devstack.Options{Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop(context.Background()) })
	if err := server.CreateDatabase(t.Context(), "avisa"); err != nil {
		t.Fatal(err)
	}
	// As in production: the cluster of tests may lose what it had committed in the last moment.
	o := outsideOf(t, server.URL("avisa")+"&synchronous_commit=on")
	if _, err := o.store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	const n = 600
	o.planMany(t, n)
	o.mailbox.Fail(func(string, string) *devstack.SMTPFailure { return &devstack.SMTPFailure{Stall: 5 * time.Millisecond} })
	program(t, o.env, "work")
	program(t, o.env, "work")
	for _, until := range []int{100, 300} {
		o.waitForMails(t, until)
		server.Kill()
		time.Sleep(time.Second) // the workers see that nobody answers
		if err := server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	o.settled(t)
	o.verify(t, n, 2*2*concurrency)
}

func (o *outside) flush(t *testing.T) {
	t.Helper()
	client, err := jobs.Connect(t.Context(), o.redis.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = client.Close() }()
	if err := client.FlushAll(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
}
