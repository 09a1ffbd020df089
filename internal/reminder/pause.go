package reminder

import (
	"context"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// PauseInput stops reminders of a client or of one invoice before a date.
type PauseInput struct {
	ClientID  id.Client // exactly one of the two
	InvoiceID id.Invoice
	Until     date.Date // reminders go on from this date; "" ends a pause
	Mode      string    // db.PauseSkip (also "") leaves the steps of the pause out, db.PauseShift moves them to its end
	Reason    string
}

// SetReminderPause pauses or resumes reminders. Staff may, and the client's owner. A pause that
// replaces one in force keeps its beginning. Ending a shifting pause lets the held steps go out from
// today.
func (s *Service) SetReminderPause(ctx context.Context, in PauseInput) (db.Client, *db.Invoice, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return db.Client{}, nil, err
	}
	var invoice *db.Invoice
	clientID := in.ClientID
	if in.InvoiceID != 0 {
		row, err := s.Store.Invoice(ctx, in.InvoiceID)
		if err != nil {
			return db.Client{}, nil, err
		}
		invoice, clientID = &row, row.ClientID
	}
	if err := access.RequireOwnerChange(ctx, clientID, access.ManageReminders); err != nil {
		return db.Client{}, nil, err
	}
	client, err := s.Store.Client(ctx, clientID)
	if err != nil {
		return db.Client{}, nil, err
	}
	today := date.Today(s.Now(), client.Timezone)
	if err := in.check(today); err != nil {
		return db.Client{}, nil, err
	}
	entry := db.AuditEntry{Client: clientID, Verb: "reminder.pause", Object: clientID.String()}
	if in.Until == "" {
		entry.Verb = "reminder.resume"
	}
	pause, save := &client.Pause, func(tx *db.Store) error { return tx.PauseClient(ctx, client.ID, client.Pause) }
	if invoice != nil {
		entry.Object = invoice.ID.String()
		pause, save = &invoice.Pause, func(tx *db.Store) error { return tx.PauseInvoice(ctx, invoice.ID, invoice.Pause) }
	}
	entry.Before = pauseState(*pause)
	*pause = in.pause(*pause, today)
	entry.After = pauseState(*pause)
	if err := s.audited(ctx, entry, save); err != nil {
		return db.Client{}, nil, err
	}
	return client, invoice, nil
}

func pauseState(p db.Pause) map[string]any {
	return map[string]any{"from": p.PausedFrom, "until": p.PausedUntil, "mode": p.PauseMode, "reason": p.PauseReason}
}

func (in PauseInput) check(today date.Date) error {
	var checks fault.Checks
	if in.ClientID != 0 && in.InvoiceID != 0 {
		checks.Add("clientId", "VALUE_INVALID")
	}
	if in.Until != "" && in.Until < today {
		checks.Add("until", "DATE_PAST")
	}
	if in.Mode != "" && in.Mode != db.PauseSkip && in.Mode != db.PauseShift {
		checks.Add("mode", "VALUE_INVALID")
	}
	if len([]rune(in.Reason)) > 200 {
		checks.Add("reason", "TOO_LONG", "max", 200)
	}
	return checks.Err()
}

// pause is the pause that the input makes of the one before.
func (in PauseInput) pause(before db.Pause, today date.Date) db.Pause {
	from := today
	if before.Paused(today) && before.PausedFrom != "" {
		from = before.PausedFrom
	}
	switch {
	case in.Until != "":
		mode := in.Mode
		if mode == "" {
			mode = db.PauseSkip
		}
		return db.Pause{PausedFrom: from, PausedUntil: in.Until, PauseMode: mode, PauseReason: in.Reason}
	case before.Paused(today) && before.Shifts():
		// What the pause held back acts from today, so its end stays known.
		return db.Pause{PausedFrom: from, PausedUntil: today, PauseMode: db.PauseShift}
	}
	return db.Pause{PauseMode: db.PauseSkip}
}
