package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// States of a bank movement.
const (
	MovementUnmatched = "unmatched"
	MovementMatched   = "matched"
	MovementConfirmed = "confirmed"
	MovementIgnored   = "ignored"
)

// Movement is a deposit of a bank statement. A person decides what it paid.
type Movement struct {
	bun.BaseModel `bun:"table:bank_movement"`

	ID          id.Movement    `bun:"id,pk,autoincrement"`
	Fingerprint []byte         `bun:"fingerprint"` // the same statement twice adds nothing
	ReceivedOn  date.Date      `bun:"received_on"`
	Amount      money.Minor    `bun:"amount"`
	Currency    money.Currency `bun:"currency"`
	Reference   string         `bun:"reference"`
	Description string         `bun:"description"`
	Status      string         `bun:"status"`
	Match       string         `bun:"match"`               // why: number_and_amount, number, client_and_amount, client
	ClientID    id.Client      `bun:"client_id,nullzero"`  // proposed, then confirmed
	InvoiceID   id.Invoice     `bun:"invoice_id,nullzero"` // proposed
	PaymentID   id.Payment     `bun:"payment_id,nullzero"` // of a confirmed one
	ImportedAt  time.Time      `bun:"imported_at,nullzero,default:now()"`
	DecidedAt   *time.Time     `bun:"decided_at"`
}

// Movement returns one movement.
func (s *Store) Movement(ctx context.Context, movementID id.Movement) (Movement, error) {
	var row Movement
	err := s.idb.NewSelect().Model(&row).Where("id = ?", movementID).Scan(ctx)
	return row, translate(err)
}

// MovementCounts counts the movements of each state.
func (s *Store) MovementCounts(ctx context.Context) (map[string]int64, error) {
	rows := []struct {
		Status string `bun:"status"`
		Count  int64  `bun:"count"`
	}{}
	err := s.idb.NewRaw("SELECT status, count(*) AS count FROM bank_movement GROUP BY status").Scan(ctx, &rows)
	counts := map[string]int64{}
	for _, row := range rows {
		counts[row.Status] = row.Count
	}
	return counts, translate(err)
}

// LockMovement returns one movement, locked until the transaction ends.
func (s *Store) LockMovement(ctx context.Context, movementID id.Movement) (Movement, error) {
	var row Movement
	err := s.idb.NewSelect().Model(&row).Where("id = ?", movementID).For("NO KEY UPDATE").Scan(ctx)
	return row, translate(err)
}

// DecideMovement writes what was decided about a movement.
func (s *Store) DecideMovement(ctx context.Context, row *Movement) error {
	_, err := s.idb.NewUpdate().Model(row).Column("status", "client_id", "payment_id", "decided_at").WherePK().Exec(ctx)
	return translate(err)
}

// Movements lists movements, the oldest first; status "" is any.
func (s *Store) Movements(ctx context.Context, status string, page Page) (List[Movement], error) {
	rows := []Movement{}
	q := s.idb.NewSelect().Model(&rows)
	if status != "" {
		q = q.Where("status = ?", status)
	}
	return readPage(ctx, s, q, &rows, page, order[Movement]{by: []key{{"received_on", "date"}, {"id", "bigint"}}, of: func(m Movement) []any { return []any{string(m.ReceivedOn), int64(m.ID)} }})
}
