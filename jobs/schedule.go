package jobs

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/hibiken/asynq"

	"github.com/nubedigitalmx/avisa/internal/reminder"
)

// tick is work that the clock asks for, once per period in the whole installation.
type tick struct {
	kind  string
	every time.Duration
	do    func(context.Context) error
}

// tickClock asks for each tick once per period. The task's id carries kind and period, so that any
// number of processes ask once; were it done twice, the ledger's keys would make it harmless.
func (w *Worker) tickClock(ctx context.Context) {
	for ctx.Err() == nil {
		for _, t := range w.clock {
			period := w.Now().Truncate(t.every).UTC().Format("2006-01-02T15:04")
			_, err := w.client.EnqueueContext(ctx, asynq.NewTask(taskTick, []byte(t.kind)), asynq.Queue(queueClock),
				asynq.TaskID(t.kind+"@"+period), asynq.Retention(2*t.every), asynq.MaxRetry(0), asynq.Timeout(10*time.Minute))
			if err != nil && !errors.Is(err, asynq.ErrTaskIDConflict) && ctx.Err() == nil {
				w.Log.Warn("clock waits", "tick", t.kind, "error", err)
			}
		}
		pause(ctx, 5*time.Second)
	}
}

func (w *Worker) runTick(ctx context.Context, task *asynq.Task) error {
	for _, t := range w.clock {
		if t.kind == string(task.Payload()) {
			return t.do(ctx)
		}
	}
	return fmt.Errorf("%w: unknown tick %q", asynq.SkipRetry, task.Payload())
}

func (w *Worker) plan(ctx context.Context) error {
	result, err := w.Reminder.SendReminders(ctx, reminder.RunInput{})
	if result.Planned+result.Skipped > 0 {
		w.Log.Info("reminders planned", "planned", result.Planned, "skipped", result.Skipped)
	}
	return err
}

func (w *Worker) chargeLateFees(ctx context.Context) error {
	charged, err := w.Reminder.ChargeLateFees(ctx)
	if charged > 0 {
		w.Log.Info("late fees charged", "fees", charged)
	}
	return err
}

func (w *Worker) renew(ctx context.Context) error {
	result, err := w.Billing.InvoiceRenewals(ctx)
	if result.Invoices > 0 {
		w.Log.Info("services invoiced", "invoices", result.Invoices, "periods", result.Periods)
	}
	for _, problem := range result.Problems {
		w.Log.Warn("services that cannot be invoiced", "client", problem.ClientID, "error", problem.Err)
	}
	return err
}
