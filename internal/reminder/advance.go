package reminder

import (
	"context"
	"sync"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// advances joins what workers note and claim at about the same time into one statement, as a database
// joins commits: the statement costs more than what it does for one mail. A worker waits for its own
// note before it begins its next mail, so a crash still concerns no more than the one mail in flight of
// each worker. The zero value is ready.
type advances struct {
	once    sync.Once
	turn    chan struct{} // held by whoever runs the statement
	half    chan struct{} // told when half of the workers wait
	mu      sync.Mutex
	workers int
	waiting []*advance
}

// advanceGather is how long the first worker that waits lets others join, until half of them have.
const advanceGather = 2 * time.Millisecond

// join counts a worker in until leave.
func (a *advances) join() {
	a.once.Do(func() { a.turn, a.half = make(chan struct{}, 1), make(chan struct{}, 1) })
	a.mu.Lock()
	defer a.mu.Unlock()
	a.workers++
}

func (a *advances) leave() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.workers--
}

// add puts a step to those that wait.
func (a *advances) add(step *advance) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.waiting = append(a.waiting, step); len(a.waiting) == (a.workers+1)/2 {
		select {
		case a.half <- struct{}{}:
		default:
		}
	}
}

// gather returns the steps that wait, after letting others join them.
func (a *advances) gather() []*advance {
	timer := time.NewTimer(advanceGather)
	defer timer.Stop()
	for full := false; ; {
		a.mu.Lock()
		if n := len(a.waiting); n == 0 || full || n >= (a.workers+1)/2 {
			batch := a.waiting
			a.waiting = nil
			a.mu.Unlock()
			return batch
		}
		a.mu.Unlock()
		select {
		case <-a.half:
		case <-timer.C:
			full = true
		}
	}
}

// advance is one worker's step and its result.
type advance struct {
	db.Advance
	ready chan struct{} // closed when the result is there
	row   db.Sending
	found bool
	err   error
}

// advance notes the end of a delivery and claims another. found is false when that is another worker's
// or final.
func (s *Service) advance(ctx context.Context, done []db.Outcome, next id.Delivery) (row db.Sending, found bool, err error) {
	mine := &advance{Advance: db.Advance{Done: done, Next: next}, ready: make(chan struct{})}
	s.advances.add(mine)
	select {
	case <-mine.ready: // somebody took it along
	case s.advances.turn <- struct{}{}:
		s.runAdvances(ctx, s.advances.gather())
		<-s.advances.turn
		<-mine.ready
	}
	return mine.row, mine.found, mine.err
}

// runAdvances runs the steps in one statement. While the database does not answer it tries again until
// a third of the lease is over: a note that was lost would send its mail a second time. A repetition of
// a statement whose answer was lost is harmless. A step that the database refuses fails alone.
func (s *Service) runAdvances(ctx context.Context, batch []*advance) {
	if len(batch) == 0 {
		return
	}
	steps := make([]db.Advance, len(batch))
	askers := make(map[id.Delivery]*advance, len(batch)) // of two that ask for the same, the first
	for i, step := range batch {
		steps[i] = step.Advance
		if askers[step.Next] == nil {
			askers[step.Next] = step
		}
	}
	began := time.Now()
	rows, err := s.advanceOnce(ctx, steps)
	for db.Passing(err) && time.Since(began) < s.Lease/3 {
		time.Sleep(advancePause)
		rows, err = s.advanceOnce(ctx, steps)
	}
	if err != nil && !db.Passing(err) && len(batch) > 1 {
		for _, step := range batch {
			s.runAdvances(ctx, []*advance{step})
		}
		return
	}
	for _, row := range rows {
		if step := askers[row.ID]; step != nil {
			step.row, step.found = row, true
		}
	}
	for _, step := range batch {
		step.err = err
		close(step.ready)
	}
}

// advancePause is how long a worker waits for a database that does not answer.
const advancePause = 200 * time.Millisecond

func (s *Service) advanceOnce(ctx context.Context, steps []db.Advance) ([]db.Sending, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return s.Store.AdvanceDeliveries(ctx, steps, s.Worker, s.Lease)
}
