package account

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// Notice is a mail about access, or to those who must do something: one of the *Notice structs. Notices ignore email preferences.
type Notice interface{ Head() Letter }

// Letter is what every notice has.
type Letter struct {
	MessageID string // deterministic: a repeated mail carries the same one
	To        string
	Name      string // how the person is greeted; "" when unknown
	Language  string
	Company   db.Company

	Kind      string     // db.LinkInvitation and so on, alert or access
	ClientID  id.Client  // whose list of mails keeps it; 0: none, for what concerns a person's own login
	ContactID id.Contact // the recipient there
}

// Head returns the letter.
func (l Letter) Head() Letter { return l }

// InvitationNotice invites a contact to sign in to a client's account.
type InvitationNotice struct {
	Letter
	Client    string
	InvitedBy string
	Token     string
	ExpiresAt time.Time
}

// ResetNotice brings the link for a new password.
type ResetNotice struct {
	Letter
	Token     string
	ExpiresAt time.Time
	Staff     bool   // of the console
	InvitedBy string // who added the person to the staff; "" where somebody asked for a new password
	Client    string // the one client that the login serves; "" for a personal login and for staff
}

// HandoverNotice offers the ownership of a client. It is answered after signing in.
type HandoverNotice struct {
	Letter
	Client    string
	OfferedBy string
	ClientID  id.Client
	ExpiresAt time.Time
}

// AlertNotice tells of a sign-in on a new device.
type AlertNotice struct {
	Letter
	Address string
	Device  string
	At      time.Time
	Staff   bool
}

// AccessNotice tells a contact that it was given a login with a password, which the mail does not hold.
type AccessNotice struct {
	Letter
	Client    string
	GivenBy   string
	ExpiresOn date.Date // "" no end
}

// LinkJob mails a link.
type LinkJob struct {
	Link id.Link `json:"link"`
}

// Kind names the job.
func (LinkJob) Kind() string { return "account:link" }

// Key makes one job of any number of requests for one link.
func (j LinkJob) Key() string { return j.Kind() + ":" + j.Link.String() }

// AlertJob mails a sign-in alert.
type AlertJob struct {
	Session id.Session `json:"session"`
	Login   id.Login   `json:"login,omitzero"`
	Staff   id.Staff   `json:"staff,omitzero"`
	Address string     `json:"address"`
	Device  string     `json:"device"`
	At      time.Time  `json:"at"`
}

// Kind names the job.
func (AlertJob) Kind() string { return "account:sign-in-alert" }

// Key makes one alert of one session.
func (j AlertJob) Key() string { return fmt.Sprintf("%s:%d", j.Kind(), int64(j.Session)) }

// AccessJob tells a contact of its new login.
type AccessJob struct {
	SubAccount id.SubAccount `json:"subAccount"`
	GivenBy    string        `json:"givenBy"`
}

// Kind names the job.
func (AccessJob) Kind() string { return "account:access-given" }

// Key makes one mail of one sub-account.
func (j AccessJob) Key() string { return fmt.Sprintf("%s:%d", j.Kind(), int64(j.SubAccount)) }

// SendLink does a LinkJob. A link that was used, cancelled or replaced since is not mailed.
func (s *Service) SendLink(ctx context.Context, job LinkJob) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	link, err := s.Store.Link(ctx, job.Link)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	if !link.Open(s.Now()) {
		letter, err := s.letter(ctx, link.Purpose, int64(link.ID), link.Email)
		if err != nil {
			return err
		}
		return s.Store.WithdrawEmail(ctx, letter.MessageID, "link_over")
	}
	notice, err := s.linkNotice(ctx, link)
	if fault.Is(err, fault.NotFound) {
		return nil // what it spoke of is gone
	}
	if err != nil {
		return err
	}
	refused, err := s.send(ctx, notice)
	if err != nil {
		return err
	}
	return s.Store.NoteLinkMail(ctx, link.ID, s.Now(), refused)
}

func (s *Service) linkNotice(ctx context.Context, link db.Link) (Notice, error) {
	letter, err := s.letter(ctx, link.Purpose, int64(link.ID), link.Email)
	if err != nil {
		return nil, err
	}
	if link.Purpose == db.LinkReset {
		if letter.Name, letter.Language, err = s.greeting(ctx, db.Person{Login: link.LoginID, Staff: link.StaffID}); err != nil {
			return nil, err
		}
		notice := ResetNotice{Letter: letter, Token: s.linkToken(link), ExpiresAt: link.ExpiresAt, Staff: link.StaffID != 0, InvitedBy: link.InvitedBy}
		home, err := homeOf(ctx, s.Store, db.Person{Login: link.LoginID, Staff: link.StaffID})
		if err != nil || home == 0 {
			return notice, err
		}
		client, err := s.Store.Client(ctx, home)
		notice.Client = client.Name
		return notice, err
	}
	sub, err := s.Store.SubAccount(ctx, link.SubAccountID)
	if err != nil {
		return nil, err
	}
	client, err := s.Store.Client(ctx, sub.ClientID)
	if err != nil {
		return nil, err
	}
	if letter.Name, letter.Language, err = invitee(ctx, s.Store, sub); err != nil {
		return nil, err
	}
	letter.ClientID, letter.ContactID = sub.ClientID, sub.ContactID
	if link.Purpose == db.LinkHandover {
		return HandoverNotice{Letter: letter, Client: client.Name, ClientID: client.ID, OfferedBy: link.InvitedBy, ExpiresAt: link.ExpiresAt}, nil
	}
	return InvitationNotice{Letter: letter, Client: client.Name, InvitedBy: link.InvitedBy, Token: s.linkToken(link), ExpiresAt: link.ExpiresAt}, nil
}

// SendAlert does an AlertJob.
func (s *Service) SendAlert(ctx context.Context, job AlertJob) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	person := db.Person{Login: job.Login, Staff: job.Staff}
	email, err := s.emailOf(ctx, person)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	letter, err := s.letter(ctx, "alert", int64(job.Session), email)
	if err != nil {
		return err
	}
	if letter.Name, letter.Language, err = s.greeting(ctx, person); err != nil {
		return err
	}
	_, err = s.send(ctx, AlertNotice{Letter: letter, Address: job.Address, Device: job.Device, At: job.At, Staff: job.Staff != 0})
	return err
}

// SendAccess does an AccessJob.
func (s *Service) SendAccess(ctx context.Context, job AccessJob) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	sub, err := s.Store.SubAccount(ctx, job.SubAccount)
	if fault.Is(err, fault.NotFound) {
		return nil // taken away again
	}
	if err != nil {
		return err
	}
	contact, err := s.Store.Contact(ctx, sub.ContactID)
	if fault.Is(err, fault.NotFound) {
		return nil
	}
	if err != nil {
		return err
	}
	client, err := s.Store.Client(ctx, sub.ClientID)
	if err != nil {
		return err
	}
	letter, err := s.letter(ctx, "access", int64(sub.ID), contact.Email)
	if err != nil {
		return err
	}
	letter.Name, letter.Language, letter.ClientID, letter.ContactID = contact.Name(), contact.Language, client.ID, contact.ID
	_, err = s.send(ctx, AccessNotice{Letter: letter, Client: client.Name, GivenBy: job.GivenBy, ExpiresOn: sub.ExpiresOn})
	return err
}

// letter begins a notice; kind and n make the Message-ID.
func (s *Service) letter(ctx context.Context, kind string, n int64, to string) (Letter, error) {
	company, err := s.Store.Company(ctx)
	if err != nil {
		return Letter{}, err
	}
	key, err := s.Store.MailLinkKey(ctx)
	if err != nil {
		return Letter{}, err
	}
	return Letter{MessageID: mail.ID(key, fmt.Sprintf("account.%s.%d", kind, n), company.Email), To: to, Language: locale.Spanish, Company: company, Kind: kind}, nil
}

func (s *Service) greeting(ctx context.Context, person db.Person) (name, language string, err error) {
	if person.Staff != 0 {
		staff, err := s.Store.Staff(ctx, person.Staff)
		return staff.Name, staff.Language, err
	}
	login, err := s.Store.Login(ctx, person.Login)
	return "", login.Language, err
}

func (s *Service) emailOf(ctx context.Context, person db.Person) (string, error) {
	if person.Staff != 0 {
		staff, err := s.Store.Staff(ctx, person.Staff)
		return staff.Email, err
	}
	login, err := s.Store.Login(ctx, person.Login)
	return login.Email, err
}

// send mails a notice. refused is the mail server's final "no", after which nothing is tried again; an
// error means that it may be.
func (s *Service) send(ctx context.Context, notice Notice) (refused string, err error) {
	message, err := s.Mail(ctx, notice)
	if err != nil {
		return "", fmt.Errorf("render %T: %w", notice, err)
	}
	receipt, err := s.Mailer.Send(ctx, message)
	if head := notice.Head(); head.ClientID != 0 {
		if err := s.Store.KeepEmail(ctx, db.NewEmail(head.Kind, head.ClientID, head.ContactID, message).Went(receipt, err)); err != nil {
			return "", err
		}
	}
	if refusal, ok := mail.AsRefusal(err); ok && refusal.Permanent {
		slog.WarnContext(ctx, "a notice was refused by the mail server", "message", message.ID, "reply", refusal.Reply)
		return refusal.Reply, nil
	}
	return "", err
}
