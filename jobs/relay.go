package jobs

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hibiken/asynq"
)

const (
	relayPause = 250 * time.Millisecond // between looks when there is nothing to do
	relayBatch = 1000
	// Deliveries of one task: the queue costs more than the mail otherwise. Each is claimed on its own
	// right before it is sent, so a task that is lost or repeated neither loses nor repeats mail.
	deliveryBatch = 20
	relayBacklog  = 2000             // deliveries in the queue at once, so that Redis stays small whatever is planned
	jobLease      = 5 * time.Minute  // of a job in the queue, and the most that it may take
	heldLease     = 30 * time.Second // of a job that a worker is at, which renews it
	rebuildEvery  = 5 * time.Second
)

// relay takes what is due from PostgreSQL to the queue until the context ends. Any number of relays
// share the work (FOR UPDATE SKIP LOCKED).
func (w *Worker) relay(ctx context.Context) {
	var looked time.Time
	for ctx.Err() == nil {
		n, err := w.relayOnce(ctx)
		if err == nil && time.Since(looked) > rebuildEvery {
			looked, err = time.Now(), w.rebuild(ctx)
		}
		if err != nil && ctx.Err() == nil {
			w.Log.Warn("relay waits", "error", err)
			pause(ctx, 2*time.Second)
		} else if n == 0 {
			pause(ctx, relayPause)
		}
	}
}

func (w *Worker) relayOnce(ctx context.Context) (int, error) {
	// Nothing is taken while Redis does not answer: what is taken counts as on its way.
	if err := w.Redis.Ping(ctx).Err(); err != nil {
		return 0, fmt.Errorf("redis: %w", err)
	}
	// And it is handed over also when we are asked to stop meanwhile: nobody else knows of it until
	// its lease ends.
	ctx = context.WithoutCancel(ctx)
	jobs, err := w.Store.TakeJobs(ctx, relayBatch, jobLease)
	if err != nil {
		return 0, err
	}
	for _, job := range jobs {
		queue := queueDocuments
		if forPeople[job.Kind] {
			queue = queuePeople
		}
		if err := w.enqueue(ctx, taskJob, strconv.FormatInt(job.ID, 10), job.Attempts, queue); err != nil {
			return 0, errors.Join(err, w.Store.RetryJob(ctx, job.ID, 5*time.Second, "queue: "+err.Error()))
		}
	}
	deliveries, err := w.Reminder.Dispatch(ctx, relayBatch, relayBacklog)
	if err != nil {
		return 0, err
	}
	for batch := range slices.Chunk(deliveries, deliveryBatch) {
		payload := make([]string, 0, len(batch))
		attempts := 0
		for _, d := range batch {
			payload, attempts = append(payload, d.ID.String()), attempts+d.Attempts
		}
		if err := w.enqueue(ctx, taskDelivery, strings.Join(payload, " "), attempts, queueReminders); err != nil {
			return 0, errors.Join(err, w.Store.ReleaseDeliveries(ctx, deliveries, 5*time.Second))
		}
	}
	return len(jobs) + len(deliveries), nil
}

// enqueue hands a task over. One that is in the queue already is as good. The task's id carries the
// attempt, because asynq keeps the id of a killed worker's task for a minute and a half.
func (w *Worker) enqueue(ctx context.Context, kind, payload string, attempt int, queue string) error {
	_, err := w.client.EnqueueContext(ctx, asynq.NewTask(kind, []byte(payload)),
		asynq.TaskID(fmt.Sprintf("%s:%s:%d", kind, payload, attempt)), asynq.Queue(queue), asynq.MaxRetry(1000), asynq.Timeout(jobLease))
	if errors.Is(err, asynq.ErrTaskIDConflict) {
		return nil
	}
	return err
}

// rebuild hands out again what PostgreSQL believes to be in the queue and the queue does not know:
// Redis was emptied. A task that appears twice is harmless, because the claim succeeds once.
func (w *Worker) rebuild(ctx context.Context) error {
	known, err := w.inspector.Queues()
	if err != nil {
		return err
	}
	if slices.Contains(known, queueReminders) {
		if info, err := w.inspector.GetQueueInfo(queueReminders); err != nil || info.Size > 0 {
			return err
		}
	}
	lost, err := w.Store.ReleaseQueued(ctx, 2*w.Reminder.Lease, rebuildEvery)
	if lost > 0 {
		w.Log.Warn("the queue was emptied: deliveries handed out again", "deliveries", lost)
	}
	return err
}

func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	}
}
