package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/id"
)

// ReminderPolicy says when reminders are sent. The most specific one rules: a client's own,
// its group's, or the default, which has neither.
type ReminderPolicy struct {
	bun.BaseModel `bun:"table:reminder_policy"`

	ID           id.Policy  `bun:"id,pk,autoincrement"`
	Name         string     `bun:"name"`
	ClientID     id.Client  `bun:"client_id,nullzero"` // of one client, or
	GroupID      id.Group   `bun:"group_id,nullzero"`  // of one group of clients
	SendFrom     string     `bun:"send_from"`          // local time of day, "09:00"
	SendUntil    string     `bun:"send_until"`         // local time of day, "18:00"
	CatchUpDays  int        `bun:"catch_up_days"`      // how late a step may still be sent, days
	BusinessDays bool       `bun:"business_days"`      // steps act on business days only: the same day or the next one
	AttachPDF    bool       `bun:"attach_pdf"`         // attach the invoice's PDF, otherwise the mail links to it
	AttachXML    bool       `bun:"attach_xml"`         // attach the XML of the invoice's CFDI, once it is stamped
	Consolidate  bool       `bun:"consolidate"`        // one mail for the invoices of a client that are due on the same day
	CreatedAt    time.Time  `bun:"created_at,nullzero,default:now()"`
	RetiredAt    *time.Time `bun:"retired_at"`
}

// What a step's days count from.
const (
	AnchorIssue = "issue"
	AnchorDue   = "due"
)

// ReminderStep is one entry of a policy: calendar days before (negative) or after its anchor.
type ReminderStep struct {
	bun.BaseModel `bun:"table:reminder_step"`

	ID        id.Step    `bun:"id,pk,autoincrement"`
	PolicyID  id.Policy  `bun:"policy_id"`
	Anchor    string     `bun:"anchor"`
	Days      int        `bun:"days"`
	CreatedAt time.Time  `bun:"created_at,nullzero,default:now()"`
	RetiredAt *time.Time `bun:"retired_at"`
}

// AddPolicy inserts a policy with its steps and sets the ids.
func (s *Store) AddPolicy(ctx context.Context, policy *ReminderPolicy, steps []ReminderStep) error {
	if _, err := s.idb.NewInsert().Model(policy).Exec(ctx); err != nil {
		return translate(err)
	}
	for i := range steps {
		steps[i].PolicyID = policy.ID
	}
	if len(steps) == 0 {
		return nil // no reminders at all
	}
	_, err := s.idb.NewInsert().Model(&steps).Exec(ctx)
	return translate(err)
}

// DefaultPolicy returns the policy of every client that has none of its own.
func (s *Store) DefaultPolicy(ctx context.Context) (ReminderPolicy, error) {
	var row ReminderPolicy
	err := s.idb.NewSelect().Model(&row).Where("client_id IS NULL").Where("group_id IS NULL").Scan(ctx)
	return row, translate(err)
}

// StepsByID returns steps, retired ones too, for showing history.
func (s *Store) StepsByID(ctx context.Context, ids []id.Step) ([]ReminderStep, error) {
	rows := []ReminderStep{}
	if len(ids) == 0 {
		return rows, nil
	}
	err := s.idb.NewSelect().Model(&rows).Where("id IN (?)", bun.List(ids)).Scan(ctx)
	return rows, translate(err)
}
