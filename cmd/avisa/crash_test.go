package main

import (
	"bufio"
	"context"
	"database/sql"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/devstack"
	"github.com/nubedigitalmx/avisa/internal/reminder"
	"github.com/nubedigitalmx/avisa/jobs"
)

const concurrency = 10 // of a worker, the default

// crashMails is how many reminders each of these tests sends.
const crashMails = 5000

// planMany plans the reminders.
func (o *outside) planMany(t *testing.T, n int) {
	t.Helper()
	now := time.Now()
	dbtest.Company(t, o.store, now.AddDate(0, -2, 0))
	dbtest.ManyDue(t, o.dsn, (n+2)/3)
	got, err := o.store.Plan(t.Context(), db.PlanInput{Now: now, Immediate: true})
	if err != nil || got.Planned < int64(n) || got.Planned > int64(n)+2 {
		t.Fatalf("planned %+v, %v", got, err)
	}
	o.planned = int(got.Planned)
}

// count sums up what reached the mail server: reminders, and copies beyond the first of each. A copy
// under another Message-ID would be a reminder more.
func (o *outside) count() (reminders, copies int) {
	seen := map[string]bool{}
	for _, e := range o.mailbox.Envelopes() {
		if seen[e.MessageID+" "+e.To[0]] {
			copies++
		}
		seen[e.MessageID+" "+e.To[0]] = true
	}
	return len(seen), copies
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

func (o *outside) verify(t *testing.T, inFlight int) {
	t.Helper()
	reminders, copies := o.count()
	t.Logf("%d reminders, %d copies beyond the first (at most %d were in flight)", reminders, copies, inFlight)
	if reminders != o.planned || copies > inFlight {
		t.Fatalf("%d of %d reminders have arrived, %d copies", reminders, o.planned, copies)
	}
}

// Kill -9 of the worker in the middle of 5,000 reminders, twice: everybody has the mail, and no
// more copies than mails were in flight, all with the same Message-ID.
func TestWorkerKilledWhileSending(t *testing.T) {
	t.Parallel()
	o := newOutside(t)
	o.planMany(t, crashMails)
	// A mail takes a moment, as with a real server, so that the kill finds mails in flight.
	o.mailbox.Fail(func(string, string) *devstack.SMTPFailure { return &devstack.SMTPFailure{Stall: 2 * time.Millisecond} })
	for _, until := range []int{1500, 3500} {
		worker := program(t, o.env, "work")
		o.waitForMails(t, until)
		kill(t, worker)
	}
	program(t, o.env, "work")
	o.settled(t)
	o.verify(t, 2*concurrency)
}

// SIGTERM lets what is in flight finish: nothing twice, nothing lost.
func TestWorkerStoppedWhileSending(t *testing.T) {
	t.Parallel()
	o := newOutside(t)
	o.planMany(t, 600)
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
	o.verify(t, 0)
}

// SIGTERM while a request is being answered: nothing new is taken, the request is answered, and the web server ends well.
func TestServerStoppedWhileAnswering(t *testing.T) {
	t.Parallel()
	server, base := serving(t, newOutside(t))
	if response, err := http.Get(base + "/buzon"); err != nil || response.Body.Close() != nil || response.StatusCode != http.StatusNotFound {
		t.Errorf("a mailbox where it is no demo: %v, %v", response, err)
	}
	address := strings.TrimPrefix(base, "http://")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	const body = `{"query": "{ viewer { kind } }"}`
	// Whoever expects it is told to go on when the answer is begun that needs the body.
	fmt.Fprintf(conn, "POST /graphql HTTP/1.1\r\nHost: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n", address, len(body))
	reader := bufio.NewReader(conn)
	response, err := http.ReadResponse(reader, nil)
	if err != nil || response.StatusCode != http.StatusContinue {
		t.Fatalf("%+v, %v", response, err)
	}
	if err := server.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	eventually(t, "nothing new is taken", 10*time.Second, func() bool {
		other, err := net.Dial("tcp", address)
		if err == nil {
			_ = other.Close()
		}
		return err != nil
	})
	if _, err := fmt.Fprint(conn, body); err != nil {
		t.Fatal(err)
	}
	if response, err = http.ReadResponse(reader, nil); err != nil {
		t.Fatalf("the request that was taken is not answered: %v", err)
	}
	answer, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != http.StatusOK || !strings.Contains(string(answer), `"ANONYMOUS"`) {
		t.Errorf("%s %s, %v", response.Status, answer, err)
	}
	if err := server.Wait(); err != nil {
		t.Errorf("the web server did not stop well: %v", err)
	}
}

// Without a redis-server the demo's Redis is inside its process, says so, and carries the queue of a worker.
func TestRedisInProcess(t *testing.T) {
	t.Parallel()
	o := newOutside(t)
	redis, err := devstack.StartRedis(t.Context(), devstack.Options{InProcess: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = redis.Stop(context.Background()) })
	if line := redisLine(redis.Kind); !strings.Contains(line, "in process, because no redis-server was found") || strings.Contains(redisLine(o.redis.Kind), "in process") {
		t.Errorf("of this Redis the demo says %q, of an installed one %q", line, redisLine(o.redis.Kind))
	}
	o.env = append(o.env, "REDIS_URL="+redis.URL())
	o.planMany(t, 300)
	program(t, o.env, "work")
	o.settled(t)
	o.verify(t, 0)
}

// Redis emptied and killed in the middle, with two workers: the relay rebuilds the queue from
// PostgreSQL, and nothing is repeated.
func TestRedisLostWhileSending(t *testing.T) {
	t.Parallel()
	o := newOutside(t)
	o.planMany(t, crashMails)
	o.mailbox.Fail(func(string, string) *devstack.SMTPFailure { return &devstack.SMTPFailure{Stall: 2 * time.Millisecond} })
	program(t, o.env, "work")
	program(t, o.env, "work")
	o.waitForMails(t, 1000)
	o.flush(t)
	o.waitForMails(t, 2500)
	o.redis.Kill()
	if err := o.redis.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.flush(t)
	o.settled(t)
	o.verify(t, 0)
}

// PostgreSQL killed in the middle and started again, with two workers: they note what they had sent as
// soon as it answers and go on. At most the mails in flight could go out once more.
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
	o.env = append(o.env, "AVISA_LEASE=6s") // so that notes outlast the restart
	if _, err := o.store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.planMany(t, crashMails)
	o.mailbox.Fail(func(string, string) *devstack.SMTPFailure { return &devstack.SMTPFailure{Stall: 2 * time.Millisecond} })
	program(t, o.env, "work")
	program(t, o.env, "work")
	for _, until := range []int{1000, 3000} {
		o.waitForMails(t, until)
		server.Kill()
		time.Sleep(time.Second) // the workers see that nobody answers
		if err := server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	o.settled(t)
	o.verify(t, 2*2*concurrency)
}

// Kill -9 of the worker in the middle of a run over the whole company: another one ends it, and the ledger has
// every row once.
func TestWorkerKilledWhilePlanning(t *testing.T) {
	t.Parallel()
	const invoices = 81_000 // three ranges
	o := newOutside(t)
	dbtest.Company(t, o.store, time.Now().AddDate(0, -2, 0))
	ctx := access.With(t.Context(), access.SystemActor())
	rules := &reminder.Service{Store: o.store, Now: time.Now}
	// The scheduler that every worker has is told that it has just looked at everything: else it could be the
	// one that plans.
	if _, err := rules.SendReminders(ctx, reminder.RunInput{}); err != nil {
		t.Fatal(err)
	}
	dbtest.ManyDue(t, o.dsn, invoices)
	row, err := rules.StartRun(ctx, reminder.RunInput{Immediate: true})
	if err != nil || row.FinishedAt != nil {
		t.Fatalf("%+v, %v", row, err)
	}
	now := func() db.Run {
		run, err := rules.Run(ctx, row.ID)
		if err != nil {
			t.Fatal(err)
		}
		return run
	}
	raw, err := sql.Open("pgx", o.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = raw.Close() }()
	if _, err := raw.ExecContext(t.Context(), "TRUNCATE reminder_change"); err != nil {
		t.Fatal(err)
	}
	worker := program(t, o.env, "work")
	eventually(t, "a part is planned", 3*time.Minute, func() bool { return now().Planned > 0 })
	kill(t, worker)
	if got := now(); got.FinishedAt != nil || got.Planned >= 3*invoices {
		t.Fatalf("%+v: the test proves nothing", got)
	}
	program(t, o.env, "work")
	eventually(t, "the run ends", 2*time.Minute, func() bool { return now().FinishedAt != nil })
	counts, err := o.store.DeliveryCounts(t.Context(), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	total := int64(0)
	for _, c := range counts {
		total += c.Count
	}
	if got := now(); total != 3*invoices || got.Planned > total {
		t.Fatalf("%d rows in the ledger, want %d; the run says %+v", total, 3*invoices, got)
	}
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
