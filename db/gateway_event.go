package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// What an event of a gateway did when a person must look at it.
const (
	GatewayMismatch = "mismatch" // another currency than asked for, or no amount: nothing is booked
	GatewayUnbooked = "unbooked" // the gateway took back more than the client has left here: nothing is booked
	GatewayDiffers  = "differs"  // booked, but another amount than asked for
)

// What a person decided about it.
const (
	GatewayBooked    = "booked"
	GatewayDismissed = "dismissed"
)

// GatewayEvent is an event that a gateway told us.
type GatewayEvent struct {
	bun.BaseModel `bun:"table:gateway_event"`

	ID         id.GatewayEvent `bun:"id,scanonly"`
	Gateway    string          `bun:"gateway,pk"`
	EventRef   string          `bun:"event_ref,pk"`
	Kind       string          `bun:"kind"`
	CheckoutID id.Checkout     `bun:"checkout_id,nullzero"`
	Outcome    string          `bun:"outcome"`
	ReceivedAt time.Time       `bun:"received_at,nullzero,default:now()"`

	SessionRef  string         `bun:"session_ref"` // of a payment: its page
	ChargeRef   string         `bun:"charge_ref"`
	ReversalRef string         `bun:"reversal_ref"` // of a refund or a dispute
	Amount      money.Minor    `bun:"amount"`
	Currency    money.Currency `bun:"currency"`
	Dispute     bool           `bun:"dispute"`

	Decision  string     `bun:"decision"` // of a person: GatewayBooked or GatewayDismissed
	Reason    string     `bun:"reason"`
	PaymentID id.Payment `bun:"payment_id,nullzero"` // that the decision booked
	DecidedAt *time.Time `bun:"decided_at"`
	ClientID  id.Client  `bun:"client_id,scanonly"` // of the checkout; in lists and of one event
}

// ClaimGatewayEvent notes an event; first is false when it was noted before. It waits for a
// transaction that works on the same event.
func (s *Store) ClaimGatewayEvent(ctx context.Context, row *GatewayEvent) (first bool, err error) {
	result, err := s.idb.NewInsert().Model(row).On("CONFLICT (gateway, event_ref) DO NOTHING").Returning("NULL").Exec(ctx)
	if err != nil {
		return false, translate(err)
	}
	added, err := result.RowsAffected()
	return added == 1, err
}

// FinishGatewayEvent notes what an event did and sets its id.
func (s *Store) FinishGatewayEvent(ctx context.Context, row *GatewayEvent) error {
	_, err := s.idb.NewUpdate().Model(row).Column("checkout_id", "outcome").WherePK().Returning("id").Exec(ctx)
	return translate(err)
}

// WaitingEvents returns the events about a charge that came before its payment was booked, in the
// order in which they came.
func (s *Store) WaitingEvents(ctx context.Context, gateway, charge string) ([]GatewayEvent, error) {
	rows := []GatewayEvent{}
	err := s.idb.NewSelect().Model(&rows).Where("gateway = ?", gateway).Where("charge_ref = ?", charge).Where("outcome = 'waiting'").
		OrderExpr("received_at, event_ref").Scan(ctx)
	return rows, translate(err)
}

// HasReversalEvent reports whether a gateway told something of the kind about a refund or dispute.
func (s *Store) HasReversalEvent(ctx context.Context, gateway, reversal, kind string) (bool, error) {
	found, err := s.idb.NewSelect().Model((*GatewayEvent)(nil)).Where("gateway = ?", gateway).Where("reversal_ref = ?", reversal).Where("kind = ?", kind).Exists(ctx)
	return found, translate(err)
}

// reviewed are the events that a person decides about.
func (s *Store) reviewed(model any) *bun.SelectQuery {
	return s.idb.NewSelect().Model(model).ColumnExpr("gateway_event.*, c.client_id").Join("LEFT JOIN checkout AS c ON c.id = gateway_event.checkout_id").
		Where("gateway_event.outcome IN ('mismatch', 'unbooked', 'differs')")
}

// ReviewedEvent returns an event that a person decides about.
func (s *Store) ReviewedEvent(ctx context.Context, eventID id.GatewayEvent) (GatewayEvent, error) {
	var row GatewayEvent
	err := s.reviewed(&row).Where("gateway_event.id = ?", eventID).Scan(ctx)
	return row, translate(err)
}

// LockReviewedEvent is ReviewedEvent, locked until the transaction ends.
func (s *Store) LockReviewedEvent(ctx context.Context, eventID id.GatewayEvent) (GatewayEvent, error) {
	var row GatewayEvent
	err := s.reviewed(&row).Where("gateway_event.id = ?", eventID).For("NO KEY UPDATE OF gateway_event").Scan(ctx)
	return row, translate(err)
}

// ReviewedEvents lists the events that a person decides about, or has decided, the newest first.
func (s *Store) ReviewedEvents(ctx context.Context, decided bool, page Page) (List[GatewayEvent], error) {
	rows := []GatewayEvent{}
	q := s.reviewed(&rows).Where("(gateway_event.decided_at IS NOT NULL) = ?", decided)
	return readPage(ctx, s, q, &rows, page, order[GatewayEvent]{by: []key{{"gateway_event.id", "bigint"}}, descending: true, of: func(e GatewayEvent) []any { return []any{int64(e.ID)} }})
}

// UndecidedEvents counts the events that wait for a person's decision.
func (s *Store) UndecidedEvents(ctx context.Context) (int64, error) {
	n, err := s.idb.NewSelect().Model((*GatewayEvent)(nil)).Where("outcome IN ('mismatch', 'unbooked', 'differs')").Where("decided_at IS NULL").Count(ctx)
	return n, translate(err)
}

// DecideGatewayEvent writes what was decided about an event.
func (s *Store) DecideGatewayEvent(ctx context.Context, row *GatewayEvent) error {
	_, err := s.idb.NewUpdate().Model(row).Column("decision", "reason", "payment_id", "decided_at").WherePK().Exec(ctx)
	return translate(err)
}
