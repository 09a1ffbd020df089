package reminder

import (
	"context"
	"strings"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/locale"
)

// companionPause is how long a worker waits for another one that decides about the same mail.
const companionPause = 2 * time.Second

// sendClaimed sends a claimed delivery, together with its companions where the policy says so, and says
// how each of them ended.
func (s *Service) sendClaimed(ctx context.Context, row db.Sending) ([]db.Outcome, error) {
	// A mail that held several keeps holding them, whatever the policy says now.
	if !row.Policy.Consolidate && row.MessageID == "" {
		return s.sendRows(ctx, []db.Sending{row})
	}
	company, err := s.company(ctx)
	if err != nil {
		return nil, err
	}
	key, err := s.linkKey(ctx)
	if err != nil {
		return nil, err
	}
	shared := messageID(row, company, key)
	companions, wait, err := s.claimCompanions(ctx, row, shared)
	if err != nil {
		return nil, err
	}
	if wait {
		return []db.Outcome{{Delivery: row.Delivery, Status: db.DeliveryPlanned, Reason: "companions_wait", Wait: companionPause, Event: "deferred"}}, nil
	}
	row.MessageID = shared
	return s.sendRows(ctx, append([]db.Sending{row}, companions...))
}

// claimCompanions tries again when the transaction had to give way to another one.
func (s *Service) claimCompanions(ctx context.Context, row db.Sending, messageID string) (rows []db.Sending, wait bool, err error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	for range 5 {
		if rows, wait, err = s.Store.ClaimCompanions(ctx, row, messageID, s.Worker, s.Lease); !db.Passing(err) {
			break
		}
		time.Sleep(advancePause)
	}
	return rows, wait, err
}

// combine makes one reminder of several to the same recipient.
func combine(parts []Reminder) Reminder {
	r := parts[0]
	if len(parts) == 1 {
		return r
	}
	r.Invoices, r.Total, r.Balance, r.LateFees, r.Lines = parts, 0, 0, nil, nil
	numbers := make([]string, len(parts))
	for i, part := range parts {
		numbers[i] = part.Number
		r.Total, r.Balance = r.Total+part.Total, r.Balance+part.Balance
		for _, fee := range part.LateFees {
			fee.Name = locale.T(r.Language, "mail.late_fee.line", "name", fee.Name, "number", part.Number)
			r.LateFees = append(r.LateFees, fee)
		}
	}
	last := len(numbers) - 1
	r.Number = strings.Join(numbers[:last], ", ") + " " + locale.T(r.Language, "mail.and") + " " + numbers[last]
	return r
}
