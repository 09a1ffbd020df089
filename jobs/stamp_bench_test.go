package jobs_test

import (
	"bytes"
	"context"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hibiken/asynq"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/redis/go-redis/v9"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/devstack"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/fiscaltest"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/internal/reminder"
	"github.com/nubedigitalmx/avisa/jobs"
)

// TestStampsPerSecond sends documents that were asked for through outbox, queue and worker to the embedded PAC, whose
// stamps are in the same PostgreSQL: build, check, seal, stamp, verify and store each. AVISA_BENCH_STAMPS sets their
// number (default 20, for a quick check that it works; 1000 to measure) and makes the limit binding: 100 a second. The
// floor is what cannot be less, in the same run: a task of the same queue for each document, which signs twice (issuer
// and PAC) with RSA-2048, and one insert of the document.
func TestStampsPerSecond(t *testing.T) {
	count, binding := 20, false
	if text := os.Getenv("AVISA_BENCH_STAMPS"); text != "" {
		var err error
		if count, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
		binding = true
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	server, err := devstack.StartRedis(t.Context(), devstack.Options{Ephemeral: true})
	must(err)
	t.Cleanup(func() { _ = server.Stop(context.Background()) })
	client, err := jobs.Connect(t.Context(), server.URL())
	must(err)
	t.Cleanup(func() { _ = client.Close() })
	database := dbtest.URL(t)
	store, err := db.Open(t.Context(), database, 20)
	must(err)
	t.Cleanup(func() { _ = store.Close() })
	dbtest.Company(t, store, time.Now().AddDate(0, -6, 0))
	ring, err := fiscal.NewKeyring("k", map[string][]byte{"k": bytes.Repeat([]byte{1}, 32)})
	must(err)
	identity, err := sandbox.StoredIdentity(t.Context(), store, func() (*sandbox.Identity, error) { return sandbox.NewIdentity(time.Now()) })
	must(err)
	pac, err := sandbox.New(sandbox.Config{Identity: identity, Store: sandbox.Postgres{Store: store}})
	must(err)
	documents := &fiscal.Service{Store: store, Now: time.Now, Clock: store.Clock, Keyring: ring, PAC: pac, Log: slog.New(slog.DiscardHandler)}
	ctx := access.With(t.Context(), access.SystemActor())
	_, err = documents.SaveIssuer(ctx, fiscal.IssuerInput{Rfc: "EKU9003173C9", Nombre: "ESCUELA KEMPER URGATE", RegimenFiscal: "601", LugarExpedicion: "42501", When: db.CFDIOnRequest})
	must(err)
	csd, err := fiscal.RestoreCSD(fiscaltest.NewCSD(t, "EKU9003173C9", false))
	must(err)
	_, err = documents.KeepCSD(ctx, csd)
	must(err)
	owner := dbtest.Client(t, store, "Universidad", "pagos@universidad.example")
	_, _, err = documents.SaveFiscalProfile(ctx, fiscal.ProfileInput{ClientID: owner.ID, Rfc: "URE180429TM6", Nombre: "UNIVERSIDAD ROBOTICA ESPAÑOLA", DomicilioFiscalReceptor: "86991",
		RegimenFiscalReceptor: "601", UsoCFDI: "G03"})
	must(err)
	ledger := &billing.Service{Store: store, Now: time.Now}
	for i := range count {
		row, err := ledger.IssueInvoice(ctx, billing.IssueInput{ClientID: owner.ID, DueDate: "2099-12-31", Lines: []billing.LineInput{
			{Description: "Hospedaje web", Quantity: money.Int(1), UnitPrice: money.Must("1499.00")}, {Description: "Dominio", Quantity: money.Int(1), UnitPrice: money.Must("349.00")}}})
		must(err)
		_, err = ledger.RecordPayment(ctx, billing.PaymentInput{InvoiceID: row.ID, Amount: row.Total, Method: "transfer", RequestKey: fmt.Sprint("p", i)})
		must(err)
		_, err = documents.RequestCFDI(ctx, fiscal.RequestInput{InvoiceID: row.ID})
		must(err)
	}
	pool, err := pgxpool.New(t.Context(), database)
	must(err)
	defer pool.Close()
	_, err = pool.Exec(t.Context(), "DELETE FROM outbox WHERE kind <> 'fiscal:stamp'") // printed invoices are no part of it
	must(err)

	worker := jobs.New(jobs.Config{Store: store, Redis: client, Fiscal: documents, Billing: ledger, Reminder: &reminder.Service{Store: store, Now: time.Now, Worker: "bench", Lease: time.Minute},
		Concurrency: 10, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	running, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	began := time.Now()
	go func() { done <- worker.Run(running) }()
	var stamped int
	for deadline := began.Add(10 * time.Minute); stamped < count && time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		must(pool.QueryRow(t.Context(), "SELECT count(*) FROM cfdi WHERE status = 'stamped'").Scan(&stamped))
	}
	took := time.Since(began)
	stop()
	must(<-done)
	var made int
	must(pool.QueryRow(t.Context(), "SELECT count(*) FROM sandbox_stamp").Scan(&made))
	rate := float64(count) / took.Seconds()
	t.Logf("%d documents in %s: %.0f a second", count, took.Round(time.Millisecond), rate)
	floor := stampFloor(t, client, pool, count)
	t.Logf("figure|documents stamped through the queue a second|%.0f|%.0f (%.2f of the floor)|at least 100|%t", floor, rate, rate/floor, rate >= 100)
	if stamped != count || made != count {
		t.Errorf("%d documents stamped with %d stamps, want %d", stamped, made, count)
	}
	if !binding {
		fiscaltest.VerifyStored(t, store, identity.CertificatePEM())
	}
	if binding && rate < 100 {
		t.Errorf("%.0f a second", rate)
	}
}

// stampFloor is how many documents a second the queue, two signatures and an insert would let through.
func stampFloor(t *testing.T, client redis.UniversalClient, pool *pgxpool.Pool, count int) float64 {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var document []byte
	must(pool.QueryRow(t.Context(), "SELECT xml FROM cfdi WHERE status = 'stamped' LIMIT 1").Scan(&document))
	_, err := pool.Exec(t.Context(), "CREATE TABLE bench_stamp (id bigint PRIMARY KEY, xml bytea NOT NULL)")
	must(err)
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	must(err)
	must(client.FlushAll(t.Context()).Err())
	queue := asynq.NewClientFromRedisClient(client)
	for i := range count {
		_, err := queue.Enqueue(asynq.NewTask("stamp", []byte(strconv.Itoa(i))))
		must(err)
	}
	var done atomic.Int64
	finished := make(chan struct{})
	server := asynq.NewServerFromRedisClient(client, asynq.Config{Concurrency: 10, TaskCheckInterval: 200 * time.Millisecond, LogLevel: asynq.FatalLevel})
	began := time.Now()
	must(server.Start(asynq.HandlerFunc(func(ctx context.Context, task *asynq.Task) error {
		n, err := strconv.ParseInt(string(task.Payload()), 10, 64)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(document)
		for range 2 {
			if _, err := rsa.SignPKCS1v15(nil, key, crypto.SHA256, sum[:]); err != nil {
				return err
			}
		}
		if _, err := pool.Exec(ctx, "INSERT INTO bench_stamp VALUES ($1, $2)", n, document); err != nil {
			return err
		}
		if done.Add(1) == int64(count) {
			close(finished)
		}
		return nil
	})))
	select {
	case <-finished:
	case <-time.After(5 * time.Minute):
		t.Fatal("the floor does not end")
	}
	took := time.Since(began)
	server.Shutdown()
	return float64(count) / took.Seconds()
}
