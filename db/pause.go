package db

import (
	"context"
	"strings"
	"time"

	"github.com/nubedigitalmx/avisa/internal/date"
)

// What becomes of the steps that fall on the days of a pause.
const (
	PauseSkip  = "skip"  // they are left out
	PauseShift = "shift" // they act on the day on which the pause ends
)

// Pause holds reminders back from PausedFrom up to, without, PausedUntil. "" in PausedUntil: none.
type Pause struct {
	PausedFrom  date.Date `bun:"paused_from"`
	PausedUntil date.Date `bun:"paused_until"`
	PauseMode   string    `bun:"pause_mode,nullzero,default:'skip'"`
	PauseReason string    `bun:"pause_reason"`
}

// Paused reports whether the pause holds on the day.
func (p Pause) Paused(today date.Date) bool { return p.PausedUntil > today }

// Shifts reports whether the pause moves steps, now or earlier.
func (p Pause) Shifts() bool { return p.PauseMode == PauseShift && p.PausedUntil != "" }

// Bounce is what came back from an address. It counts only while the row still has that address.
type Bounce struct {
	BouncedEmail string     `bun:"bounced_email"` // the address that takes no mail
	BouncedAt    *time.Time `bun:"bounced_at"`
	BounceDetail string     `bun:"bounce_detail"` // the mail system's words
	SoftBounces  int        `bun:"soft_bounces"`  // temporary failures in a row
}

// Bounces reports whether the address is out of use.
func (b Bounce) Bounces(email string) bool {
	return b.BouncedEmail != "" && strings.EqualFold(b.BouncedEmail, email)
}

func (s *Store) setPause(ctx context.Context, table string, rowID int64, p Pause) error {
	if p.PauseMode == "" {
		p.PauseMode = PauseSkip
	}
	_, err := s.idb.NewUpdate().Table(table).Set("paused_from = ?", p.PausedFrom).Set("paused_until = ?", p.PausedUntil).
		Set("pause_mode = ?", p.PauseMode).Set("pause_reason = ?", p.PauseReason).Where("id = ?", rowID).Exec(ctx)
	return translate(err)
}
