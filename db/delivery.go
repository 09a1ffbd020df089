package db

import (
	"context"
	"slices"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// The states of a delivery. Planned, queued and sending go on; the others are final.
const (
	DeliveryPlanned   = "planned"   // in the ledger, its time to be sent has not come or the queue is full
	DeliveryQueued    = "queued"    // handed to the queue
	DeliverySending   = "sending"   // a worker holds it
	DeliverySent      = "sent"      // the mail server took it over
	DeliveryFailed    = "failed"    // given up; Reason says why
	DeliverySkipped   = "skipped"   // not to be sent; Reason says why
	DeliveryCancelled = "cancelled" // taken back by staff
	DeliveryBounced   = "bounced"   // taken over, then returned
)

// Delivery is one mail of one step of one invoice to one recipient: a row of the ledger.
type Delivery struct {
	bun.BaseModel `bun:"table:delivery"`

	ID        id.Delivery     `bun:"id,pk,autoincrement"`
	InvoiceID id.Invoice      `bun:"invoice_id"`
	StepID    id.Step         `bun:"step_id"`
	ContactID id.Contact      `bun:"contact_id,nullzero"` // 0: the client's own address
	ClientID  id.Client       `bun:"client_id"`
	Status    string          `bun:"status"`
	Reason    string          `bun:"reason"`
	DueAt     *time.Time      `bun:"due_at"`
	SendAt    time.Time       `bun:"send_at"`
	Email     string          `bun:"email"`
	Language  string          `bun:"language"`
	MessageID string          `bun:"message_id"`
	Attempts  int             `bun:"attempts"`
	History   []DeliveryEvent `bun:"history,type:jsonb"`
	CreatedAt time.Time       `bun:"created_at,nullzero,default:now()"`
	SentAt    *time.Time      `bun:"sent_at"`
}

// DeliveryEvent is something that happened to a delivery.
type DeliveryEvent struct {
	At     time.Time `json:"at"`
	Event  string    `json:"event"`            // claimed, sent, failed, retry, skipped, interrupted
	Detail string    `json:"detail,omitempty"` // the server's answer or the cause
}

// DeliveryFilter limits a list of deliveries.
type DeliveryFilter struct {
	Reach    access.Reach
	Client   id.Client  // 0: any
	Invoice  id.Invoice // 0: any
	Statuses []string   // empty: any
	Reason   string     // "": any
}

// Delivery returns one delivery.
func (s *Store) Delivery(ctx context.Context, deliveryID id.Delivery) (Delivery, error) {
	var row Delivery
	err := s.idb.NewSelect().Model(&row).Where("id = ?", deliveryID).Scan(ctx)
	return row, translate(err)
}

// Deliveries lists the ledger, the newest first.
func (s *Store) Deliveries(ctx context.Context, filter DeliveryFilter, page Page) (List[Delivery], error) {
	rows := []Delivery{}
	by := "id"
	if !filter.Reach.All && len(filter.Reach.Clients) > 1 && filter.Client == 0 && filter.Invoice == 0 {
		by = "id + 0" // by the clients' index: in the order of ids the ledger of everybody would be searched for theirs
	}
	q := s.idb.NewSelect().Model(&rows)
	if !filter.Reach.All {
		q = q.Where("client_id IN (?)", bun.List(orNone(filter.Reach.Clients)))
	}
	if filter.Client != 0 {
		q = q.Where("client_id = ?", filter.Client)
	}
	if filter.Invoice != 0 {
		q = q.Where("invoice_id = ?", filter.Invoice)
	}
	if len(filter.Statuses) > 0 {
		q = q.Where("status IN (?)", bun.List(filter.Statuses))
		if waiting := []string{DeliveryPlanned, DeliveryQueued, DeliverySending}; !slices.ContainsFunc(filter.Statuses, func(s string) bool { return !slices.Contains(waiting, s) }) {
			q = q.Where("due_at IS NOT NULL") // the same rows, by the index of what waits
		}
	}
	if filter.Reason != "" {
		q = q.Where("reason = ?", filter.Reason)
	}
	return readPage(ctx, s, q, &rows, page, order[Delivery]{by: []key{{by, "bigint"}}, descending: true, of: func(d Delivery) []any { return []any{int64(d.ID)} }})
}

// DeliveryCount is how many deliveries are in a state.
type DeliveryCount struct {
	Status string     `bun:"status"`
	Count  int64      `bun:"count"`
	Oldest *time.Time `bun:"oldest"` // of the rows that wait: when they should have gone out
}

// DeliveryCounts counts the ledger by state: the final ones since the moment, the waiting ones all.
func (s *Store) DeliveryCounts(ctx context.Context, since time.Time) ([]DeliveryCount, error) {
	rows := []DeliveryCount{}
	err := s.idb.NewRaw(`SELECT status, count(*) AS count, min(send_at) FILTER (WHERE due_at IS NOT NULL) AS oldest
		FROM delivery WHERE due_at IS NOT NULL OR created_at >= ? GROUP BY status ORDER BY status`, since).Scan(ctx, &rows)
	return rows, translate(err)
}

// Taken is a delivery that was handed out, and how often it had been attempted before.
type Taken struct {
	ID       id.Delivery `bun:"id"`
	Attempts int         `bun:"attempts"`
}

// TakeDeliveries hands out deliveries that are due, the oldest first, and marks them queued for the
// lease. Rows whose lease has ended (the queue was emptied, the worker died) come out again. Never
// more than backlog rows are out at once, so that the queue stays small whatever the ledger holds, and
// nothing is handed out while there is room for less than limit: counting costs more than a row.
func (s *Store) TakeDeliveries(ctx context.Context, limit, backlog int, lease time.Duration) ([]Taken, error) {
	rows := []Taken{}
	err := s.idb.NewRaw(`
		WITH room AS (
			SELECT CASE WHEN count(*) <= ?1 - ?0 THEN ?0 ELSE 0 END AS n FROM delivery WHERE status IN ('queued', 'sending') AND due_at > now()
		), taken AS (
			SELECT id FROM delivery WHERE due_at <= now() ORDER BY due_at LIMIT (SELECT n FROM room) FOR UPDATE SKIP LOCKED
		)
		UPDATE delivery AS d SET status = 'queued', due_at = now() + make_interval(secs => ?2),
			history = CASE d.status WHEN 'sending' THEN d.history || jsonb_build_object('at', now(), 'event', 'interrupted') ELSE d.history END
		FROM taken WHERE d.id = taken.id RETURNING d.id, d.attempts`,
		limit, backlog, lease.Seconds()).Scan(ctx, &rows)
	return rows, translate(err)
}

// ReleaseDeliveries takes back deliveries that could not be handed to the queue.
func (s *Store) ReleaseDeliveries(ctx context.Context, taken []Taken, wait time.Duration) error {
	ids := []id.Delivery{0}
	for _, d := range taken {
		ids = append(ids, d.ID)
	}
	_, err := s.idb.NewUpdate().Table("delivery").Set("status = 'planned'").Set("due_at = now() + make_interval(secs => ?)", wait.Seconds()).
		Where("id IN (?)", bun.List(ids)).Where("status = 'queued'").Exec(ctx)
	return translate(err)
}

// ReleaseQueue takes back deliveries that a worker was handed and did not begin.
func (s *Store) ReleaseQueue(ctx context.Context, ids []id.Delivery) error {
	if len(ids) == 0 {
		return nil
	}
	_, err := s.idb.NewUpdate().Table("delivery").Set("status = 'planned'").Set("due_at = now()").
		Where("id IN (?)", bun.List(ids)).Where("status = 'queued'").Exec(ctx)
	return translate(err)
}

// ReleaseQueued takes back all deliveries that were handed to the queue, with that lease, at least
// age ago, and returns how many.
func (s *Store) ReleaseQueued(ctx context.Context, lease, age time.Duration) (int64, error) {
	result, err := s.idb.NewUpdate().Table("delivery").Set("status = 'planned'").Set("due_at = now()").Where("status = 'queued'").
		Where("due_at < now() + make_interval(secs => ?)", (lease - age).Seconds()).Exec(ctx)
	if err != nil {
		return 0, translate(err)
	}
	return result.RowsAffected()
}
