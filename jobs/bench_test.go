package jobs_test

import (
	"bytes"
	"context"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/devstack"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/reminder"
	"github.com/nubedigitalmx/avisa/jobs"
	"github.com/nubedigitalmx/avisa/ui/email"
)

const benchWorkers = 10

// TestMain is also the worker process that the benchmark measures: a process of its own, so that its
// CPU time and memory are its own and not the mail server's.
func TestMain(m *testing.M) {
	if kind := os.Getenv("AVISA_BENCH_WORKER"); kind != "" {
		var err error
		if kind == "floor" {
			err = floorWorker()
		} else {
			err = ourWorker()
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// floorHTML is a plain mail as long as ours, because encoding and sending cost by the byte: its style
// sheet makes up for the markup that it lacks.
var floorHTML = template.Must(template.New("mail").Parse(`<!doctype html><html lang="es"><head><style>` + strings.Repeat("td { padding: 10px 12px; border-top: 1px solid #e1e6e8; }\n", 150) + `</style></head><body style="font-family:sans-serif"><h1>{{.Number}}</h1>
<p>Buen día, {{.Name}}:</p><p>Le recordamos que la factura {{.Number}} de {{.Client}} vence el {{.Due}}.</p>
<table>{{range $k, $v := .Facts}}<tr><th style="text-align:left">{{$k}}</th><td>{{$v}}</td></tr>{{end}}</table>
<p><a href="{{.Link}}">Ver factura</a></p><p>{{.Company}}</p></body></html>`))

// floorWorker is what anybody would write with the same parts and nothing of what makes reminders
// reliable: one task per mail, read the row, render with html/template, send over kept connections,
// note that it was sent.
func floorWorker() error {
	ctx := context.Background()
	pool, err := pgxpool.New(ctx, os.Getenv("BENCH_DB"))
	if err != nil {
		return err
	}
	redis, err := jobs.Connect(ctx, os.Getenv("BENCH_REDIS"))
	if err != nil {
		return err
	}
	smtp, err := mail.NewSMTP(os.Getenv("BENCH_SMTP"), 20*time.Second, benchWorkers)
	if err != nil {
		return err
	}
	server := asynq.NewServerFromRedisClient(redis, asynq.Config{Concurrency: benchWorkers, TaskCheckInterval: 200 * time.Millisecond, LogLevel: asynq.FatalLevel})
	err = server.Start(asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
		n, err := strconv.ParseInt(string(task.Payload()), 10, 64)
		if err != nil {
			return err
		}
		var number, due, name, address, client string
		var total int64
		err = pool.QueryRow(ctx, `SELECT i.number, i.due_date::text, i.total, k.firstname, k.email, c.name FROM bench_mail AS b
			JOIN invoice AS i ON i.id = b.invoice_id JOIN contact AS k ON k.id = b.contact_id JOIN client AS c ON c.id = i.client_id WHERE b.id = $1`, n).
			Scan(&number, &due, &total, &name, &address, &client)
		if err != nil {
			return err
		}
		var html bytes.Buffer
		if err := floorHTML.Execute(&html, map[string]any{"Number": number, "Name": name, "Client": client, "Due": due, "Link": "https://clientes.example/facturas/" + number,
			"Company": "Hospedaje Ejemplo", "Facts": map[string]string{"Factura": number, "Cliente": client, "Vencimiento": due, "Saldo": strconv.FormatInt(total, 10)}}); err != nil {
			return err
		}
		if _, err := smtp.Send(ctx, mail.Message{ID: fmt.Sprintf("floor.%d@hospedaje.example", n), FromName: "Hospedaje Ejemplo", From: "cobranza@hospedaje.example", To: address, ToName: name,
			Subject: "Recordatorio " + number, Text: "Le recordamos la factura " + number + " de " + client + ", que vence el " + due + ".", HTML: html.String()}); err != nil {
			return err
		}
		_, err = pool.Exec(ctx, "UPDATE bench_mail SET sent_at = now() WHERE id = $1", n)
		return err
	}))
	if err != nil {
		return err
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // until the benchmark closes it
	server.Shutdown()
	return nil
}

// ourWorker is the product's worker with its own mails.
func ourWorker() error {
	jobs.TuneMemory()
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	store, err := db.Open(ctx, os.Getenv("BENCH_DB"), 2*benchWorkers)
	if err != nil {
		return err
	}
	redis, err := jobs.Connect(ctx, os.Getenv("BENCH_REDIS"))
	if err != nil {
		return err
	}
	smtp, err := mail.NewSMTP(os.Getenv("BENCH_SMTP"), 20*time.Second, benchWorkers)
	if err != nil {
		return err
	}
	if path := os.Getenv("AVISA_BENCH_PROFILE"); path != "" {
		file, err := os.Create(path)
		if err != nil {
			return err
		}
		if err := pprof.StartCPUProfile(file); err != nil {
			return err
		}
		defer pprof.StopCPUProfile()
	}
	links := email.Links{BaseURL: "https://clientes.example"}
	rules := &reminder.Service{Store: store, Now: time.Now, Mailer: smtp, Worker: "bench", Lease: time.Minute,
		Render: func(ctx context.Context, r reminder.Reminder) (mail.Message, error) {
			return email.Reminder(ctx, r, links)
		}}
	worker := jobs.New(jobs.Config{Store: store, Redis: redis, Reminder: rules, Billing: &billing.Service{Store: store, Now: time.Now},
		Concurrency: benchWorkers, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		cancel()
	}()
	return worker.Run(ctx)
}

type measured struct {
	perSecond float64
	cpu       time.Duration // of the worker process, per mail
	rss       int64         // its peak, bytes
	database  time.Duration // CPU time of its connections to the database, per mail
}

// measure runs a worker process until the mailbox has n mails more.
func measure(t *testing.T, kind, database, redis string, mailbox *devstack.Mailbox, n int64) measured {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "AVISA_BENCH_WORKER="+kind, "BENCH_DB="+database+"&application_name=bench", "BENCH_REDIS="+redis, "BENCH_SMTP=smtp://"+mailbox.Addr()+"?tls=none", "GOMEMLIMIT=48MiB")
	cmd.Stderr = os.Stderr
	stop, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	from := mailbox.Total()
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var began time.Time // the first mail: connecting is no part of the rate
	for mailbox.Total() < from+n {
		if began.IsZero() && mailbox.Total() > from {
			began = time.Now()
			from, n = mailbox.Total(), n-(mailbox.Total()-from)
		}
		time.Sleep(time.Millisecond)
	}
	took := time.Since(began)
	pg := databaseCPU(t, database)
	_ = stop.Close()
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		t.Fatal("no resource usage")
	}
	cpu := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return measured{float64(n) / took.Seconds(), cpu / time.Duration(n), usage.Maxrss * 1024, pg / time.Duration(n)}
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
// (default 300, for a quick check that both work; a few thousand to measure) and makes the limits
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
	redis, err := devstack.StartRedis(t.Context(), devstack.Options{Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = redis.Stop(context.Background()) })
	mailbox, err := devstack.StartMailbox("127.0.0.1:0", devstack.EnvelopesOnly())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mailbox.Close() })
	database := dbtest.URL(t)
	store, err := db.Open(t.Context(), database, 4)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	dbtest.Company(t, store, time.Now().AddDate(0, -6, 0))
	dbtest.ManyInvoices(t, database, (mails+2)/3)
	pool, err := pgxpool.New(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	rounds := []string{"floor", "ours", "floor", "ours", "floor", "ours"} // the best of three: the machine is shared
	if !binding {
		rounds = rounds[:2]
	}
	best := map[string]measured{}
	for round, kind := range rounds {
		client, err := jobs.Connect(t.Context(), redis.URL())
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
			got, err := store.Plan(t.Context(), db.PlanInput{Now: time.Now(), Immediate: true})
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
		mailbox.Clear()
		m := measure(t, kind, database, redis.URL(), mailbox, n)
		if m.perSecond > best[kind].perSecond {
			best[kind] = m
		}
		if kind == "ours" {
			everyMailOnce(t, pool, mailbox)
		}
		_ = client.Close()
		t.Logf("round %d: %-5s %7.0f mails/s %6.3f ms CPU %6.3f ms database %5.1f MB", round+1, kind, m.perSecond, ms(m.cpu), ms(m.database), float64(m.rss)/1e6)
	}
	floor, ours := best["floor"], best["ours"]
	table := strings.Builder{}
	fmt.Fprintf(&table, "%d mails, %d workers, %d cores\n%-24s%12s%12s%8s\n", mails, benchWorkers, runtime.NumCPU(), "", "floor", "ours", "ratio")
	fmt.Fprintf(&table, "%-24s%12.0f%12.0f%8.2f\n", "mails per second", floor.perSecond, ours.perSecond, ours.perSecond/floor.perSecond)
	fmt.Fprintf(&table, "%-24s%12.3f%12.3f%8.2f\n", "worker CPU ms a mail", ms(floor.cpu), ms(ours.cpu), ms(ours.cpu)/ms(floor.cpu))
	fmt.Fprintf(&table, "%-24s%12.3f%12.3f%8.2f\n", "database CPU ms a mail", ms(floor.database), ms(ours.database), ms(ours.database)/ms(floor.database))
	fmt.Fprintf(&table, "%-24s%12.1f%12.1f%8.2f\n", "worker RSS MB (peak)", float64(floor.rss)/1e6, float64(ours.rss)/1e6, float64(ours.rss)/float64(floor.rss))
	t.Log("\n" + table.String())
	t.Logf("figure|reminders sent a second|%.0f|%.0f (%.2f of the floor)|0.8 of the floor|%t", floor.perSecond, ours.perSecond, ours.perSecond/floor.perSecond, ours.perSecond >= 0.8*floor.perSecond)
	t.Logf("figure|worker CPU a reminder|%.3f ms|%.3f ms|at most 0.35 ms|%t", ms(floor.cpu), ms(ours.cpu), ms(ours.cpu) <= 0.35)
	t.Logf("figure|database CPU a reminder|%.3f ms|%.3f ms||", ms(floor.database), ms(ours.database))
	t.Logf("figure|worker memory, peak|%.1f MB|%.1f MB|at most 60 MB|%t", float64(floor.rss)/1e6, float64(ours.rss)/1e6, ours.rss <= 60e6)
	if binding && (ours.perSecond < 0.8*floor.perSecond || ms(ours.cpu) > 0.35 || ours.rss > 60e6) {
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
