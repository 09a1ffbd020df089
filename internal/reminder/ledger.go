package reminder

import (
	"context"
	"fmt"
	"slices"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// LedgerNotice tells staff what the nightly comparison of documents, payments and numbers found.
type LedgerNotice struct {
	account.Letter
	Gaps []db.LedgerGap // at least one
}

// SendLedgerNotice does a billing.LedgerJob: one person of the company is mailed findings that are new, unless they are
// gone by the time, once each. The system only.
func (s *Service) SendLedgerNotice(ctx context.Context, job billing.LedgerJob) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	if told, err := s.Store.LedgerTold(ctx, job.CheckedAt, job.Staff); err != nil || told {
		return err
	}
	last, err := s.Store.LedgerCheck(ctx)
	if err != nil {
		return err
	}
	person, err := s.Store.Staff(ctx, job.Staff)
	if err != nil {
		return err
	}
	gaps := slices.DeleteFunc(slices.Clone(job.Gaps), func(gap db.LedgerGap) bool { return !slices.Contains(last.Gaps, gap) })
	if len(gaps) == 0 || !person.Active {
		return nil
	}
	company, err := s.Store.Company(ctx)
	if err != nil {
		return err
	}
	key, err := s.linkKey(ctx)
	if err != nil {
		return err
	}
	message, err := s.RenderNotice(ctx, LedgerNotice{Gaps: gaps, Letter: account.Letter{MessageID: mail.ID(key, fmt.Sprintf("ledger.%d.%d", job.CheckedAt.Unix(), job.Staff), company.Email),
		To: person.Email, Name: person.Name, Language: person.Language, Company: company}})
	if err != nil {
		return fmt.Errorf("render the notice of the nightly comparison: %w", err)
	}
	receipt, err := s.Mailer.Send(ctx, message)
	entry := db.LedgerNotice{CheckedAt: job.CheckedAt, StaffID: job.Staff, Email: person.Email, Status: "sent", Reply: receipt.Reply}
	if refusal, refused := mail.AsRefusal(err); refused && refusal.Permanent {
		entry.Status, entry.Reply = "failed", refusal.Reply // the console says it too
	} else if err != nil {
		return err
	}
	return s.Store.AddLedgerNotice(context.WithoutCancel(ctx), entry)
}
