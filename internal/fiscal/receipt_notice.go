package fiscal

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// receiptNoticeDays is how many days before the 5th staff are told of the receipts that are not stamped by then: they
// stamp themselves, so what is missing so late needs a person.
const receiptNoticeDays = 3

// ReceiptsNotice tells staff that receipts (REP) are due and not stamped.
type ReceiptsNotice struct {
	account.Letter
	Count int       // payments without one, at most pendingRows
	Due   date.Date // the last of the days on which they are due
}

// ReceiptsJob mails one person of the company that receipts are due.
type ReceiptsJob struct {
	Due   date.Date `json:"due"`
	Staff id.Staff  `json:"staff"`
}

// Kind names the job.
func (ReceiptsJob) Kind() string { return "fiscal:receipts-due" }

// Key makes one job per day and person.
func (j ReceiptsJob) Key() string { return fmt.Sprintf("%s:%s:%s", j.Kind(), j.Due, j.Staff) }

// receiptsLate counts the payments whose receipts are due within receiptNoticeDays, or were due, and are not stamped; due
// is the latest of their days, "" where there are none.
func (s *Service) receiptsLate(ctx context.Context) (count int, due date.Date, err error) {
	rows, err := s.receiptsPending(ctx)
	for _, r := range rows {
		if r.Due.Sub(s.Now()) < receiptNoticeDays*24*time.Hour {
			count, due = count+1, max(due, date.Of(r.Due, r.Due.Location()))
		}
	}
	return count, due, err
}

// WarnReceipts asks for the mails about receipts that are due in three days or less and not stamped: once for each day on
// which some are due to everybody of the company who may change billing. Background work only.
func (s *Service) WarnReceipts(ctx context.Context) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	if s.RenderNotice == nil || s.Mailer == nil {
		return nil
	}
	count, due, err := s.receiptsLate(ctx)
	if err != nil || count == 0 {
		return err
	}
	told, err := s.Store.ReceiptNotices(ctx, due)
	if err != nil {
		return err
	}
	people, err := s.Store.StaffList(ctx)
	if err != nil {
		return err
	}
	var jobs []db.Job
	for _, person := range people {
		done := slices.ContainsFunc(told, func(n db.ReceiptNotice) bool { return n.StaffID == person.ID })
		if !done && person.Active && slices.Contains(person.Role.Capabilities(), access.ManageBilling) {
			jobs = append(jobs, ReceiptsJob{Due: due, Staff: person.ID})
		}
	}
	return s.Store.EnqueueAll(ctx, jobs)
}

// SendReceipts does a ReceiptsJob; what was stamped meanwhile is not told.
func (s *Service) SendReceipts(ctx context.Context, job ReceiptsJob) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	if s.RenderNotice == nil || s.Mailer == nil {
		return fault.New(fault.Unavailable, "FISCAL_NO_MAIL")
	}
	told, err := s.Store.ReceiptNotices(ctx, job.Due)
	if err != nil || slices.ContainsFunc(told, func(n db.ReceiptNotice) bool { return n.StaffID == job.Staff }) {
		return err
	}
	count, due, err := s.receiptsLate(ctx)
	if err != nil {
		return err
	}
	person, err := s.Store.Staff(ctx, job.Staff)
	if err != nil {
		return err
	}
	entry := db.ReceiptNotice{Due: job.Due, StaffID: job.Staff, Email: person.Email, Status: "skipped"}
	if due < job.Due || !person.Active {
		return s.Store.AddReceiptNotice(ctx, entry)
	}
	company, err := s.Store.Company(ctx)
	if err != nil {
		return err
	}
	key, err := s.Store.MailLinkKey(ctx)
	if err != nil {
		return err
	}
	message, err := s.RenderNotice(ctx, ReceiptsNotice{Count: count, Due: job.Due,
		Letter: account.Letter{MessageID: mail.ID(key, fmt.Sprintf("receipts.%s.%d", job.Due, job.Staff), company.Email), To: person.Email, Name: person.Name, Language: person.Language, Company: company}})
	if err != nil {
		return err
	}
	receipt, err := s.Mailer.Send(ctx, message)
	entry.Status, entry.Reply = "sent", receipt.Reply
	if refusal, refused := mail.AsRefusal(err); refused && refusal.Permanent {
		entry.Status, entry.Reply = "failed", refusal.Reply
	} else if err != nil {
		return err
	}
	return s.Store.AddReceiptNotice(context.WithoutCancel(ctx), entry)
}
