// Package jobs is the background door: it takes work from PostgreSQL to the queue (asynq on Redis),
// runs it and notes the end. asynq is used here and nowhere else. PostgreSQL is the truth and Redis
// a road: an emptied or lost Redis delays work, and neither loses nor repeats any.
package jobs

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
	"sync"
	"time"

	"github.com/hibiken/asynq"
	"github.com/redis/go-redis/v9"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

// Queues. What a person waits for in front of a screen has tasks of its own, so that reminders to a mail
// server that answers slowly never hold it up; the others share theirs, by these weights.
const (
	queuePeople    = "people"
	queueClock     = "clock"
	queueReminders = "reminders"
	queueDocuments = "documents"
)

var (
	people = map[string]int{queuePeople: 1}
	shared = map[string]int{queueClock: 6, queueReminders: 3, queueDocuments: 2}
)

// forPeople are the jobs that a person waits for: invitations, passwords, alerts, confirmations.
var forPeople = map[string]bool{
	account.LinkJob{}.Kind():   true,
	account.AlertJob{}.Kind():  true,
	account.AccessJob{}.Kind(): true,
	account.ResetJob{}.Kind():  true,
	account.VerifyJob{}.Kind(): true,
}

// Config is what a worker process needs.
type Config struct {
	Store       *db.Store
	Redis       redis.UniversalClient
	Account     *account.Service
	Reminder    *reminder.Service
	Billing     *billing.Service
	Fiscal      *fiscal.Service
	Bounces     reminder.Mailbox // where bounces arrive; nil: nowhere
	KeepEmails  int              // days after which the content of mails is removed; 0: never
	Concurrency int              // tasks at once, and a fifth of it more for what people wait for; 0 means 10
	Log         *slog.Logger
	Now         func() time.Time
}

// TuneMemory fits the memory of a process to doing nothing but this work: it sets the garbage collector, unless
// GOGC does, and gives back what only starting needed. A worker keeps about 4 MB, for which Go by itself would
// collect a hundred times a second while mails go out; with twice as much garbage it takes some MB more and a tenth
// less time.
func TuneMemory() {
	releaseProgram()
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(200)
	}
}

// Worker runs background work until its context ends.
type Worker struct {
	Config
	client    *asynq.Client
	inspector *asynq.Inspector
	handlers  map[string]func(context.Context, json.RawMessage) error // outbox jobs by kind
	clock     []tick
}

// New prepares a worker.
func New(config Config) *Worker {
	w := &Worker{Config: config, client: asynq.NewClientFromRedisClient(config.Redis), inspector: asynq.NewInspectorFromRedisClient(config.Redis)}
	if w.Concurrency == 0 {
		w.Concurrency = 10
	}
	// Jobs that services enqueue, by kind.
	w.handlers = map[string]func(context.Context, json.RawMessage) error{
		billing.RenderJob{}.Kind():   handle(w.Billing.RenderPDF),
		billing.ImportedJob{}.Kind(): handle(w.Billing.FollowImport),
		account.LinkJob{}.Kind():     handle(w.Account.SendLink),
		account.AlertJob{}.Kind():    handle(w.Account.SendAlert),
		account.AccessJob{}.Kind():   handle(w.Account.SendAccess),
		account.ResetJob{}.Kind():    handle(w.Account.SendReset),
		reminder.NoticeJob{}.Kind():  handle(w.Reminder.SendNotice),
		account.VerifyJob{}.Kind():   handle(w.Reminder.SendVerification),
		reminder.RunJob{}.Kind():     handle(w.Reminder.FinishRun),
		billing.ChangedJob{}.Kind():  handle(w.Fiscal.Follow),
		billing.RefundedJob{}.Kind(): handle(w.Fiscal.FollowRefund),
		billing.GatewayJob{}.Kind():  handle(w.Reminder.SendGatewayNotice),
		billing.LedgerJob{}.Kind():   handle(w.Reminder.SendLedgerNotice),
		fiscal.StampJob{}.Kind():     handle(w.Fiscal.Stamp),
		fiscal.MailJob{}.Kind():      handle(w.Fiscal.Mail),
		fiscal.TakeBackJob{}.Kind():  handle(w.Fiscal.TakeBack),
		fiscal.MissedJob{}.Kind():    handle(w.Fiscal.FollowMissed),
		fiscal.CancelJob{}.Kind():    handle(w.Fiscal.SendCancellation),
		fiscal.ExpiryJob{}.Kind():    handle(w.Fiscal.SendExpiry),
		fiscal.ReceiptsJob{}.Kind():  handle(w.Fiscal.SendReceipts),
	}
	// Work that the clock asks for.
	w.clock = []tick{
		{"reminder:plan", time.Minute, w.plan},
		{"billing:renew", 10 * time.Minute, w.renew},
		{"billing:checkouts", 10 * time.Minute, w.Billing.ReviewCheckouts},
		{"billing:ledger", time.Hour, w.Billing.CheckLedger},
		{"reminder:late-fees", time.Hour, w.chargeLateFees},
		{"fiscal:cancellations", 30 * time.Minute, w.Fiscal.PollCancellations},
		{"fiscal:credits", time.Hour, w.Fiscal.CheckCredits},
		{"fiscal:csd-expiry", 6 * time.Hour, w.Fiscal.WarnExpiry},
		{"fiscal:receipts-due", 6 * time.Hour, w.Fiscal.WarnReceipts},
		{"fiscal:receipts", 6 * time.Hour, w.Fiscal.FollowReceipts},
		{"fiscal:status", time.Hour, w.Fiscal.CheckStamped},
		{"fiscal:globals", time.Hour, w.Fiscal.IssueGlobals},
		{"session:sweep", time.Hour, func(ctx context.Context) error { return w.Store.SweepSessions(ctx, w.Now()) }},
	}
	if w.KeepEmails > 0 {
		w.clock = append(w.clock, tick{"email:forget", time.Hour, func(ctx context.Context) error { return w.Account.ForgetEmails(ctx, w.KeepEmails) }})
	}
	if w.Bounces != nil {
		w.clock = append(w.clock, tick{"reminder:bounces", 2 * time.Minute, func(ctx context.Context) error { return w.Reminder.PollBounces(ctx, w.Bounces) }})
	}
	return w
}

// kinds of tasks in Redis. Everything else that a task needs is in PostgreSQL.
const (
	taskDelivery = "delivery"
	taskJob      = "job"
	taskTick     = "tick"
)

// handle decodes a job's payload for its verb.
func handle[J any](verb func(context.Context, J) error) func(context.Context, json.RawMessage) error {
	return func(ctx context.Context, payload json.RawMessage) error {
		var job J
		if err := json.Unmarshal(payload, &job); err != nil {
			return fmt.Errorf("payload: %w", err)
		}
		return verb(ctx, job)
	}
}

// server takes tasks of the queues, so many at once.
func (w *Worker) server(queues map[string]int, concurrency int) *asynq.Server {
	return asynq.NewServerFromRedisClient(w.Redis, asynq.Config{
		Concurrency:              concurrency,
		Queues:                   queues,
		TaskCheckInterval:        200 * time.Millisecond,
		DelayedTaskCheckInterval: 2 * time.Second,
		ShutdownTimeout:          w.Reminder.Lease,
		BaseContext:              func() context.Context { return access.With(context.Background(), access.SystemActor()) },
		RetryDelayFunc:           func(int, error, *asynq.Task) time.Duration { return 5 * time.Second },
		Logger:                   quiet{w.Log},
		ErrorHandler: asynq.ErrorHandlerFunc(func(_ context.Context, task *asynq.Task, err error) {
			w.Log.Error("task failed", "task", task.Type(), "error", err)
		}),
	})
}

// Run works until the context ends, then lets running tasks finish.
func (w *Worker) Run(ctx context.Context) error {
	mux := asynq.NewServeMux()
	mux.HandleFunc(taskDelivery, w.runDelivery)
	mux.HandleFunc(taskJob, w.runJob)
	mux.HandleFunc(taskTick, w.runTick)
	servers := []*asynq.Server{w.server(people, max(2, w.Concurrency/5)), w.server(shared, w.Concurrency)}
	for i, server := range servers {
		if err := server.Start(mux); err != nil {
			for _, started := range servers[:i] {
				started.Shutdown()
			}
			return fmt.Errorf("start the queue: %w", err)
		}
	}
	ctx = access.With(ctx, access.SystemActor())
	var group sync.WaitGroup
	group.Go(func() { w.relay(ctx) })
	group.Go(func() { w.tickClock(ctx) })
	<-ctx.Done()
	group.Wait()
	for _, server := range servers {
		group.Go(server.Shutdown)
	}
	group.Wait()
	return nil
}

func (w *Worker) runDelivery(ctx context.Context, task *asynq.Task) error {
	ids := []id.Delivery{}
	for text := range strings.FieldsSeq(string(task.Payload())) {
		deliveryID, err := id.ParseDelivery(text)
		if err != nil {
			return errors.Join(asynq.SkipRetry, err)
		}
		ids = append(ids, deliveryID)
	}
	return w.Reminder.Send(ctx, ids)
}

// runJob does a job of the outbox. A failure is noted in PostgreSQL, which decides when it is tried
// again; only a database that does not answer is left to the queue.
func (w *Worker) runJob(ctx context.Context, task *asynq.Task) error {
	var jobID int64
	if err := json.Unmarshal(task.Payload(), &jobID); err != nil {
		return errors.Join(asynq.SkipRetry, err)
	}
	row, found, err := w.Store.BeginJob(ctx, jobID, heldLease)
	if err != nil || !found {
		return err
	}
	do, known := w.handlers[row.Kind]
	if !known {
		// A newer version of the program asked for it: leave it to a worker of that version.
		w.Log.Warn("job of an unknown kind", "kind", row.Kind, "job", row.ID)
		return nil
	}
	release := w.hold(ctx, row.ID)
	err = do(ctx, row.Payload)
	release()
	if err != nil {
		w.Log.Error("job failed", "kind", row.Kind, "job", row.ID, "attempt", row.Attempts, "error", err)
		return w.Store.RetryJob(ctx, row.ID, jobBackoff(row.Attempts), err.Error())
	}
	return w.Store.FinishJob(ctx, row.ID)
}

// hold keeps a job hidden from other workers until release is called, which waits for the last word about it.
func (w *Worker) hold(ctx context.Context, jobID int64) (release func()) {
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	group.Go(func() {
		for pause(ctx, heldLease/3); ctx.Err() == nil; pause(ctx, heldLease/3) {
			if err := w.Store.HoldJob(ctx, jobID, heldLease); err != nil && ctx.Err() == nil {
				w.Log.Warn("a job could not be held", "job", jobID, "error", err)
			}
		}
	})
	return func() {
		cancel()
		group.Wait()
	}
}

// jobBackoff is 2 s doubling to 10 minutes.
func jobBackoff(attempts int) time.Duration {
	wait := 2 * time.Second
	for range attempts - 1 {
		if wait *= 2; wait >= 10*time.Minute {
			return 10 * time.Minute
		}
	}
	return wait
}

// quiet sends asynq's log to ours. What it calls a warning is detail to us: it speaks of the road, and the
// ledger knows what has arrived.
type quiet struct{ log *slog.Logger }

func (q quiet) Debug(args ...any) { q.log.Debug("asynq", "text", fmt.Sprint(args...)) }
func (q quiet) Info(args ...any)  { q.log.Debug("asynq", "text", fmt.Sprint(args...)) }
func (q quiet) Warn(args ...any)  { q.log.Debug("asynq", "text", fmt.Sprint(args...)) }
func (q quiet) Error(args ...any) { q.log.Error("asynq", "text", fmt.Sprint(args...)) }
func (q quiet) Fatal(args ...any) { q.log.Error("asynq", "text", fmt.Sprint(args...)) }
