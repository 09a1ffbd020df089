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

// NoticeJob tells the owner of a client and the company what happened to somebody's reminders.
type NoticeJob struct {
	What      string // bounced, unsubscribed
	ClientID  id.Client
	ContactID id.Contact `json:",omitzero"`
	Email     string
	Detail    string
	Ref       string // makes the job and its mails once
}

// Kind names the job's handler.
func (NoticeJob) Kind() string { return "reminder:notice" }

// Key makes a second request the same job.
func (j NoticeJob) Key() string { return "notice:" + j.What + ":" + j.Ref }

// SendNotice does a NoticeJob. The system only. A repetition sends the same Message-IDs.
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
	to := func(role, email, name, language string) MailNotice {
		return MailNotice{What: job.What, Email: job.Email, Client: client.Name, Detail: job.Detail, Of: client.ID, Staff: role == "staff",
			Letter: account.Letter{MessageID: mail.ID(key, "notice."+job.What+"."+job.Ref+"."+role, company.Email), To: email, Name: name, Language: language, Company: company}}
	}
	notices := []MailNotice{to("staff", company.Email, company.Name, company.Language)}
	owner, err := s.Store.OwnerLogin(ctx, job.ClientID)
	if err == nil && !strings.EqualFold(owner.Email, job.Email) {
		notices = append(notices, to("owner", owner.Email, client.Name, owner.Language))
	} else if err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	for _, n := range notices {
		message, err := s.RenderNotice(ctx, n)
		if err != nil {
			return fmt.Errorf("render %T: %w", n, err)
		}
		receipt, err := s.Mailer.Send(ctx, message)
		if !n.Staff {
			if err := s.Store.KeepEmail(ctx, db.NewEmail(db.EmailNotice, client.ID, 0, message).Went(receipt, err)); err != nil {
				return err
			}
		}
		if err != nil {
			if refusal, refused := mail.AsRefusal(err); refused && refusal.Permanent {
				continue // a notice that cannot arrive must not hold up the other
			}
			return err
		}
	}
	return nil
}
