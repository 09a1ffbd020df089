package reminder

import (
	"context"
	"fmt"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// SendGatewayNotice does a billing.GatewayJob: the company is mailed what its gateway told and nobody could
// book, unless somebody has decided about it since. The system only. A repetition sends the same Message-ID.
func (s *Service) SendGatewayNotice(ctx context.Context, job billing.GatewayJob) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	event, err := s.Store.ReviewedEvent(ctx, job.EventID)
	if fault.Is(err, fault.NotFound) || err == nil && event.Decision != "" {
		return nil
	}
	if err != nil {
		return err
	}
	company, err := s.Store.Company(ctx)
	if err != nil {
		return err
	}
	client, err := s.Store.Client(ctx, event.ClientID)
	if err != nil {
		return err
	}
	key, err := s.linkKey(ctx)
	if err != nil {
		return err
	}
	message, err := s.RenderNotice(ctx, GatewayNotice{Client: client.Name, Amount: money.Format(event.Amount, event.Currency, company.Language),
		Reference: event.ChargeRef, Outcome: event.Outcome, URL: job.URL, Letter: account.Letter{MessageID: mail.ID(key, "notice."+event.ID.String(), company.Email),
			To: company.Email, Name: company.Name, Language: company.Language, Company: company}})
	if err != nil {
		return fmt.Errorf("render the notice of a gateway's event: %w", err)
	}
	_, err = s.Mailer.Send(ctx, message)
	if refusal, refused := mail.AsRefusal(err); refused && refusal.Permanent {
		return nil // the console says it too
	}
	return err
}
