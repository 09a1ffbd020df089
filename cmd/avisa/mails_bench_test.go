package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"golang.org/x/sys/unix"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/devstack"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/jobs"
)

const benchWorkers = 10

type measured struct {
	perSecond float64
	cpu       time.Duration // of the worker process, per mail
	rss       int64         // its peak, bytes
	database  time.Duration // CPU time of its connections to the database, per mail
}

// measure runs a worker process until the mailbox has n mails more.
func measure(t *testing.T, worker *exec.Cmd, database string, mailbox *devstack.Mailbox, n int64) measured {
	t.Helper()
	worker.Stderr = t.Output()
	worker.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	from := mailbox.Total()
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	var began time.Time // the first mail: starting is no part of the rate, nor of a mail's processor time
	var started time.Duration
	for mailbox.Total() < from+n {
		if began.IsZero() && mailbox.Total() > from {
			began, started = time.Now(), processorTime(worker.Process.Pid)
			from, n = mailbox.Total(), n-(mailbox.Total()-from)
		}
		time.Sleep(time.Millisecond)
	}
	took, cpu := time.Since(began), processorTime(worker.Process.Pid)-started
	peak, pg := peakMemory(t, worker.Process.Pid), databaseCPU(t, database)
	if err := worker.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := worker.Wait(); err != nil {
		t.Fatal(err)
	}
	return measured{float64(n) / took.Seconds(), cpu / time.Duration(n), peak, pg / time.Duration(n)}
}

// processorTime is what a process has spent on processors: the sum of its threads.
func processorTime(pid int) time.Duration {
	var total time.Duration
	threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/schedstat", pid))
	for _, thread := range threads {
		raw, err := os.ReadFile(thread) // nanoseconds on a processor, waiting for one, turns
		if err != nil {
			continue // it ended
		}
		n, _ := strconv.ParseInt(strings.Fields(string(raw))[0], 10, 64)
		total += time.Duration(n)
	}
	return total
}

// benchWorker makes commands of a worker: "ours" is the product's, "floor" the bare one, "quick" this test as the product's. Where figures are wanted ours
// is the program as it is built for use, read from the disk as after an installation: what the kernel counts of a
// program that it has just written differs (docs/performance.md).
func benchWorker(t *testing.T, kind string, env []string) func() *exec.Cmd {
	t.Helper()
	path, folder := os.Args[0], map[string]string{"ours": ".", "floor": "../../internal/bench/floor"}[kind]
	if kind != "quick" {
		path = filepath.Join(t.TempDir(), kind)
		build := exec.Command("go", "build", "-trimpath", "-o", path, folder)
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	return func() *exec.Cmd {
		if kind != "quick" {
			forget(t, path)
		}
		cmd := exec.Command(path, "work")
		cmd.Env = append(append(os.Environ(), env...), "AVISA_TEST_RUN=1", "AVISA_LEASE=1m", "AVISA_CONCURRENCY="+strconv.Itoa(benchWorkers))
		return cmd
	}
}

// forget has the kernel drop a file from memory.
func forget(t *testing.T, path string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	if err := file.Sync(); err != nil {
		t.Fatal(err)
	}
	if err := unix.Fadvise(int(file.Fd()), 0, 0, unix.FADV_DONTNEED); err != nil {
		t.Fatal(err)
	}
}

// peakMemory is the most that a process has had in memory, in bytes. What getrusage tells of a child begins with its parent's.
func peakMemory(t *testing.T, pid int) int64 {
	t.Helper()
	raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(raw)) {
		if text, found := strings.CutPrefix(line, "VmHWM:"); found {
			n, err := strconv.ParseInt(strings.Fields(text)[0], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n * 1024
		}
	}
	t.Fatal("the system does not tell a process's peak of memory")
	return 0
}

// databaseCPU is the processor time that the database has spent on the worker's connections.
func databaseCPU(t *testing.T, database string) time.Duration {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	rows, err := conn.Query(t.Context(), "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'bench'")
	if err != nil {
		t.Fatal(err)
	}
	pids, err := pgx.CollectRows(rows, pgx.RowTo[int])
	if err != nil {
		t.Fatal(err)
	}
	var total time.Duration
	for _, pid := range pids {
		raw, err := os.ReadFile(fmt.Sprintf("/proc/%d/schedstat", pid)) // nanoseconds on a processor
		if err != nil {
			continue // another system, or the connection ended
		}
		n, _ := strconv.ParseInt(strings.Fields(string(raw))[0], 10, 64)
		total += time.Duration(n)
	}
	return total
}

// TestMailsPerSecond compares the product's worker, with database and ledger, with the bare floor in
// the same run: the same PostgreSQL, Redis and mail server. AVISA_BENCH_MAILS sets the number of mails
// (default 300, for a quick check without the floor; a few thousand to measure) and makes the limits
// binding: 0.8 of the floor, 0.35 ms of CPU a mail, 60 MB.
func TestMailsPerSecond(t *testing.T) {
	mails, binding := 300, false
	if text := os.Getenv("AVISA_BENCH_MAILS"); text != "" {
		var err error
		if mails, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
		binding = true
	}
	o := newOutside(t)
	env := append(o.env, "DATABASE_URL="+o.dsn+"&application_name=bench")
	rounds := []string{"quick"}
	if binding {
		rounds = []string{"floor", "ours", "floor", "ours", "floor", "ours"} // the best of three: the machine is shared
	}
	workers := map[string]func() *exec.Cmd{}
	for _, kind := range rounds {
		if workers[kind] == nil {
			workers[kind] = benchWorker(t, kind, env)
		}
	}
	dbtest.Company(t, o.store, time.Now().AddDate(0, -6, 0))
	dbtest.ManyInvoices(t, o.dsn, (mails+2)/3)
	pool, err := pgxpool.New(t.Context(), o.dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	best := map[string]measured{}
	peak := map[string]int64{}
	for round, kind := range rounds {
		client, err := jobs.Connect(t.Context(), o.redis.URL())
		if err != nil {
			t.Fatal(err)
		}
		if err := client.FlushAll(t.Context()).Err(); err != nil {
			t.Fatal(err)
		}
		sql := fmt.Sprintf(`SET LOCAL session_replication_role = replica; UPDATE invoice SET issue_date = (now() AT TIME ZONE 'America/Mexico_City')::date - 10, due_date = (now() AT TIME ZONE 'America/Mexico_City')::date + %d, created_at = now() - interval '10 days';
			UPDATE contact SET created_at = now() - interval '10 days'; UPDATE client SET created_at = now() - interval '10 days'; TRUNCATE delivery;`, 1)
		if kind == "floor" {
			sql = `DROP TABLE IF EXISTS bench_mail; CREATE TABLE bench_mail AS SELECT row_number() OVER () AS id, i.id AS invoice_id, k.id AS contact_id, NULL::timestamptz AS sent_at
				FROM invoice AS i JOIN contact AS k ON k.client_id = i.client_id CROSS JOIN (VALUES (1), (2)) AS twice; ALTER TABLE bench_mail ADD PRIMARY KEY (id); ANALYZE`
		}
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
		n := int64(mails)
		if kind == "floor" {
			queue := asynq.NewClientFromRedisClient(client)
			for i := range mails {
				if _, err := queue.Enqueue(asynq.NewTask("mail", []byte(strconv.Itoa(i+1)))); err != nil {
					t.Fatal(err)
				}
			}
		} else {
			got, err := o.store.Plan(t.Context(), db.PlanInput{Now: time.Now(), Immediate: true})
			if err != nil {
				t.Fatal(err)
			}
			if n = got.Planned; n < int64(mails) {
				t.Fatalf("planned %+v, want %d", got, mails)
			}
			if _, err := pool.Exec(t.Context(), "VACUUM ANALYZE delivery"); err != nil {
				t.Fatal(err)
			}
		}
		o.mailbox.Clear()
		m := measure(t, workers[kind](), o.dsn, o.mailbox, n)
		peak[kind] = max(peak[kind], m.rss) // of memory the worst round counts
		if m.perSecond > best[kind].perSecond {
			best[kind] = m
		}
		if kind != "floor" {
			everyMailOnce(t, pool, o.mailbox)
		}
		_ = client.Close()
		t.Logf("round %d: %-5s %7.0f mails/s %6.3f ms CPU %6.3f ms database %5.1f MB", round+1, kind, m.perSecond, ms(m.cpu), ms(m.database), float64(m.rss)/1e6)
	}
	if !binding {
		return
	}
	floor, ours := best["floor"], best["ours"]
	table := strings.Builder{}
	fmt.Fprintf(&table, "%d mails, %d workers, %d cores\n%-24s%12s%12s%8s\n", mails, benchWorkers, runtime.NumCPU(), "", "floor", "ours", "ratio")
	fmt.Fprintf(&table, "%-24s%12.0f%12.0f%8.2f\n", "mails per second", floor.perSecond, ours.perSecond, ours.perSecond/floor.perSecond)
	fmt.Fprintf(&table, "%-24s%12.3f%12.3f%8.2f\n", "worker CPU ms a mail", ms(floor.cpu), ms(ours.cpu), ms(ours.cpu)/ms(floor.cpu))
	fmt.Fprintf(&table, "%-24s%12.3f%12.3f%8.2f\n", "database CPU ms a mail", ms(floor.database), ms(ours.database), ms(ours.database)/ms(floor.database))
	fmt.Fprintf(&table, "%-24s%12.1f%12.1f%8.2f\n", "worker RSS MB (peak)", float64(peak["floor"])/1e6, float64(peak["ours"])/1e6, float64(peak["ours"])/float64(peak["floor"]))
	t.Log("\n" + table.String())
	t.Logf("figure|reminders sent a second|%.0f|%.0f (%.2f of the floor)|0.8 of the floor|%t", floor.perSecond, ours.perSecond, ours.perSecond/floor.perSecond, ours.perSecond >= 0.8*floor.perSecond)
	t.Logf("figure|worker CPU a reminder|%.3f ms|%.3f ms|at most 0.35 ms|%t", ms(floor.cpu), ms(ours.cpu), ms(ours.cpu) <= 0.35)
	t.Logf("figure|database CPU a reminder|%.3f ms|%.3f ms||", ms(floor.database), ms(ours.database))
	t.Logf("figure|worker memory, peak|%.1f MB|%.1f MB|at most 60 MB|%t", float64(peak["floor"])/1e6, float64(peak["ours"])/1e6, peak["ours"] <= 60e6)
	if ours.perSecond < 0.8*floor.perSecond || ms(ours.cpu) > 0.35 || peak["ours"] > 60e6 {
		t.Error("a limit is missed")
	}
}

func ms(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// everyMailOnce checks the ledger against what the mail server received.
func everyMailOnce(t *testing.T, pool *pgxpool.Pool, mailbox *devstack.Mailbox) {
	t.Helper()
	seen := map[string]int{}
	for _, e := range mailbox.Envelopes() {
		seen[e.MessageID]++
	}
	rows, err := pool.Query(t.Context(), "SELECT id, status, message_id FROM delivery")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var n int64
		var status, messageID string
		if err := rows.Scan(&n, &status, &messageID); err != nil {
			t.Fatal(err)
		}
		if status != db.DeliverySent || seen[messageID] != 1 {
			t.Fatalf("%s is %s, its mail arrived %d times", id.Delivery(n), status, seen[messageID])
		}
	}
}
