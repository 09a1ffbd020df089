package billing

import (
	"cmp"
	"context"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// Transfer tells how to pay by bank transfer.
type Transfer struct {
	Name      string // of the account: the company's legal name
	CLABE     string // "" where the company has none
	Reference string // what the payer writes, so that the payment can be matched
	Details   string // the company's own words
}

// TransferInstructions returns how a client pays by transfer. It needs the permission invoices.
func (s *Service) TransferInstructions(ctx context.Context, clientID id.Client) (Transfer, error) {
	if err := access.Require(ctx, access.Invoices, clientID); err != nil {
		return Transfer{}, err
	}
	company, err := s.Store.Company(ctx)
	return transferOf(company, clientID), err
}

// Transfers is TransferInstructions for many clients, for those of them whose invoices the actor may
// see; for loaders.
func (s *Service) Transfers(ctx context.Context, clients []id.Client) (map[id.Client]Transfer, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return nil, err
	}
	company, err := s.Store.Company(ctx)
	if err != nil {
		return nil, err
	}
	found := make(map[id.Client]Transfer, len(clients))
	for _, client := range clients {
		if access.Can(ctx, access.Invoices, client) {
			found[client] = transferOf(company, client)
		}
	}
	return found, nil
}

func transferOf(company db.Company, client id.Client) Transfer {
	return Transfer{Name: cmp.Or(company.LegalName, company.Name), CLABE: company.CLABE, Reference: PaymentReference(client), Details: company.PaymentDetails}
}
