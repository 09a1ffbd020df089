package account

import (
	"context"
	"slices"
	"strings"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// Warning codes of the contact form. They stop nothing: both combinations can be wanted.
const (
	MailWithoutInvoices = "MAIL_WITHOUT_INVOICES" // gets invoice mail and cannot open invoices
	InvoicesWithoutMail = "INVOICES_WITHOUT_MAIL" // can open invoices and gets no invoice mail
)

// Warnings says what a person would find odd about a contact: permission and preference are two
// switches, and only one of the two is on. hasAccess is false for a contact without login.
func Warnings(topics []mail.Topic, hasAccess bool, permissions []access.Permission) []string {
	mailed := slices.Contains(topics, mail.Invoice)
	opens := hasAccess && slices.Contains(permissions, access.Invoices)
	switch {
	case mailed && !opens:
		return []string{MailWithoutInvoices}
	case opens && !mailed:
		return []string{InvoicesWithoutMail}
	}
	return nil
}

// BillingPreset sets both switches: "receives reminders and downloads fiscal invoices".
func BillingPreset() (topics []mail.Topic, permissions []access.Permission) {
	return []mail.Topic{mail.Invoice}, []access.Permission{access.Invoices}
}

// AccessQuery asks what a person may do for a client, for the company's other systems.
type AccessQuery struct {
	Client id.Client
	Login  id.Login // exactly one of the two
	Email  string
}

// AccessAnswer is one of the 13 permissions and whether the person holds it now.
type AccessAnswer struct {
	Permission access.Permission
	Allowed    bool
}

// AccessOf answers for all 13 permissions, in their order. A person or a client that does not exist holds
// none: suspended, expired and invited access neither.
func (s *Service) AccessOf(ctx context.Context, query AccessQuery) ([]AccessAnswer, error) {
	if err := access.RequireCapability(ctx, access.CheckAccess); err != nil {
		return nil, err
	}
	query.Email = strings.TrimSpace(query.Email)
	var checks fault.Checks
	switch {
	case query.Login == 0 && query.Email == "":
		checks.Add("login", "REQUIRED")
	case query.Login != 0 && query.Email != "":
		checks.Add("login", "VALUE_INVALID")
	}
	if err := checks.Err(); err != nil {
		return nil, err
	}
	rows, err := s.Store.AccessOf(ctx, query.Login, query.Email, query.Client, s.Now())
	if err != nil {
		return nil, err
	}
	answers := make([]AccessAnswer, 0, 13)
	for _, p := range access.Permissions() {
		allowed := false
		for _, row := range rows {
			allowed = allowed || row.Owner || slices.Contains(row.Permissions, p)
		}
		answers = append(answers, AccessAnswer{p, allowed})
	}
	return answers, nil
}
