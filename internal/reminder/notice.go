package reminder

import (
	"context"
	"fmt"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// MailNotice tells the owner of a client, or the company, that somebody gets no more reminders.
type MailNotice struct {
	account.Letter
	What   string // bounced, unsubscribed
	Email  string // whose mail it is about
	Client string
	Detail string // what the mail server said; of a bounce
	Of     id.Client
	Staff  bool // goes to the company
}

// VerifyNotice asks a contact to confirm its address.
type VerifyNotice struct {
	account.Letter
	Client string
	Token  string
	URL    string // of the page that confirms, with the token
}

// GatewayNotice tells the company of what its gateway told and nobody could book.
type GatewayNotice struct {
	account.Letter
	Client    string
	Amount    string
	Reference string // of the charge at the gateway
	Outcome   string // see db.GatewayEvent
	URL       string // where staff decide
}

// Readers of a notice.
const (
	readerStaff = "staff" // the company
	readerOwner = "owner" // of the client
)

// NoticeJob tells the owner of a client, or the company, what happened to somebody's reminders. Each has a job of
// its own, so that a mail that cannot go out now neither holds up nor repeats the other's.
type NoticeJob struct {
	What      string // bounced, unsubscribed
	To        string // staff, owner
	ClientID  id.Client
	ContactID id.Contact `json:",omitzero"`
	Email     string
	Detail    string
	Ref       string // of what happened: makes the job and its mail once
}

// Kind names the job's handler.
func (NoticeJob) Kind() string { return "reminder:notice" }

// Key makes a second request the same job.
func (j NoticeJob) Key() string { return "notice:" + j.What + ":" + j.Ref + ":" + j.To }

// tell enqueues a notice for each reader.
func tell(ctx context.Context, tx *db.Store, job NoticeJob) error {
	jobs := []db.Job{}
	for _, job.To = range []string{readerStaff, readerOwner} {
		jobs = append(jobs, job)
	}
	return tx.EnqueueAll(ctx, jobs)
}

// SendNotice does a NoticeJob. The system only. A repetition sends the same Message-ID. The owner who is the one
// that it is about is told nothing, and who refuses the mail for good is not asked again.
func (s *Service) SendNotice(ctx context.Context, job NoticeJob) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	company, err := s.Store.Company(ctx)
	if err != nil {
		return err
	}
	client, err := s.Store.Client(ctx, job.ClientID)
	if err != nil {
		return err
	}
	key, err := s.linkKey(ctx)
	if err != nil {
		return err
	}
	notice := MailNotice{What: job.What, Email: job.Email, Client: client.Name, Detail: job.Detail, Of: client.ID, Staff: job.To == readerStaff,
		Letter: account.Letter{MessageID: mail.ID(key, "notice."+job.What+"."+job.Ref+"."+job.To, company.Email), To: company.Email, Name: company.Name,
			Language: company.Language, Company: company}}
	if !notice.Staff {
		owner, err := s.Store.OwnerLogin(ctx, job.ClientID)
		if fault.Is(err, fault.NotFound) || err == nil && strings.EqualFold(owner.Email, job.Email) {
			return nil
		}
		if err != nil {
			return err
		}
		notice.To, notice.Name, notice.Language = owner.Email, client.Name, owner.Language
	}
	message, err := s.RenderNotice(ctx, notice)
	if err != nil {
		return fmt.Errorf("render %T: %w", notice, err)
	}
	receipt, err := s.Mailer.Send(ctx, message)
	if !notice.Staff {
		if err := s.Store.KeepEmail(ctx, db.NewEmail(db.EmailNotice, client.ID, 0, message).Went(receipt, err)); err != nil {
			return err
		}
	}
	if refusal, refused := mail.AsRefusal(err); refused && refusal.Permanent {
		return nil
	}
	return err
}
