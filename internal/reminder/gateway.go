package reminder

import (
	"context"
	"fmt"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/locale"
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
	lang := company.Language
	t := func(key string) string {
		return locale.T(lang, "mail.notice.gateway."+key, "client", client.Name, "amount", money.Format(event.Amount, event.Currency, lang),
			"reference", event.ChargeRef, "cause", locale.T(lang, "mail.notice.gateway."+event.Outcome), "url", job.URL)
	}
	_, err = s.Mailer.Send(ctx, mail.Message{ID: fmt.Sprintf("notice.%s@%s", event.ID, domainOf(company.Email)), FromName: company.Name, From: company.Email,
		ToName: company.Name, To: company.Email, Subject: t("subject"), Text: t("text"), Language: lang})
	if refusal, refused := mail.AsRefusal(err); refused && refusal.Permanent {
		return nil // the console says it too
	}
	return err
}
