package fiscal

import (
	"context"
	"fmt"
	"slices"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// expiryDays are the days before a certificate expires on which staff are told, the first one first.
var expiryDays = []int{60, 30}

// ExpiryNotice tells staff that the certificate expires, and that documents will wait from then on.
type ExpiryNotice struct {
	account.Letter
	NoCertificado string
	Days          int // left
	Until         date.Date
}

// ExpiryJob mails one person of the company that the certificate expires.
type ExpiryJob struct {
	CSD   int64    `json:"csd"`
	Days  int      `json:"days"` // 60 or 30
	Staff id.Staff `json:"staff"`
}

// Kind names the job.
func (ExpiryJob) Kind() string { return "fiscal:csd-expiry" }

// Key makes one job per certificate, days and person.
func (j ExpiryJob) Key() string { return fmt.Sprintf("%s:%d:%d:%s", j.Kind(), j.CSD, j.Days, j.Staff) }

// WarnExpiry asks for the mails about a certificate that expires in 60 days or less, and again in 30 or less: once for
// each to everybody of the company who may change billing. Nothing is sent for a day that was missed when the next one
// has come. Background work only.
func (s *Service) WarnExpiry(ctx context.Context) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	if s.RenderNotice == nil || s.Mailer == nil {
		return nil
	}
	issuer, err := s.issuer(ctx, s.Store)
	if err != nil || issuer.CSD == nil || issuer.DaysLeft < 0 {
		return err
	}
	due := 0
	for _, days := range expiryDays {
		if issuer.DaysLeft <= days {
			due = days
		}
	}
	if due == 0 {
		return nil
	}
	told, err := s.Store.CSDNotices(ctx, issuer.CSD.ID)
	if err != nil {
		return err
	}
	people, err := s.Store.StaffList(ctx)
	if err != nil {
		return err
	}
	var jobs []db.Job
	for _, person := range people {
		done := slices.ContainsFunc(told, func(n db.CSDNotice) bool { return n.Days == due && n.StaffID == person.ID })
		if !done && person.Active && slices.Contains(person.Role.Capabilities(), access.ManageBilling) {
			jobs = append(jobs, ExpiryJob{CSD: issuer.CSD.ID, Days: due, Staff: person.ID})
		}
	}
	return s.Store.EnqueueAll(ctx, jobs)
}

// SendExpiry does an ExpiryJob.
func (s *Service) SendExpiry(ctx context.Context, job ExpiryJob) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	if s.RenderNotice == nil || s.Mailer == nil {
		return fault.New(fault.Unavailable, "FISCAL_NO_MAIL")
	}
	told, err := s.Store.CSDNotices(ctx, job.CSD)
	if err != nil || slices.ContainsFunc(told, func(n db.CSDNotice) bool { return n.Days == job.Days && n.StaffID == job.Staff }) {
		return err
	}
	issuer, err := s.issuer(ctx, s.Store)
	if err != nil {
		return err
	}
	person, err := s.Store.Staff(ctx, job.Staff)
	if err != nil {
		return err
	}
	entry := db.CSDNotice{CSDID: job.CSD, Days: job.Days, StaffID: job.Staff, Email: person.Email, Status: "skipped"}
	if issuer.CSD == nil || issuer.CSD.ID != job.CSD || !person.Active { // another one was uploaded meanwhile
		return s.Store.AddCSDNotice(ctx, entry)
	}
	company, err := s.Store.Company(ctx)
	if err != nil {
		return err
	}
	key, err := s.Store.MailLinkKey(ctx)
	if err != nil {
		return err
	}
	message, err := s.RenderNotice(ctx, ExpiryNotice{NoCertificado: issuer.CSD.NoCertificado, Days: issuer.DaysLeft, Until: date.Of(issuer.CSD.ValidUntil, ZonaCentro()),
		Letter: account.Letter{MessageID: mail.ID(key, fmt.Sprintf("csd.%d.%d.%d", job.CSD, job.Days, job.Staff), company.Email), To: person.Email, Name: person.Name, Language: person.Language, Company: company}})
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
	return s.Store.AddCSDNotice(context.WithoutCancel(ctx), entry)
}
