package graph

import (
	"context"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/graph/model"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/billing"
	ids "github.com/nubedigitalmx/avisa/internal/id"
)

func (r *resolver) updateClient(ctx context.Context, in model.UpdateClientInput) (*db.Client, error) {
	client, err := parsed(in.ClientID, ids.ParseClient)
	if err != nil {
		return nil, err
	}
	change := account.UpdateClientInput{ClientID: client, ExternalRef: in.ExternalRef}
	if in.Details != nil {
		row, err := r.Account.Client(ctx, client)
		if err != nil {
			return nil, err
		}
		details := account.ClientDetailsOf(row)
		in.Details.Apply(&details)
		change.Details = &details
	}
	return pointer(r.Account.UpdateClient(ctx, change))
}

func (r *resolver) inviteOwner(ctx context.Context, in model.InviteOwnerInput) (*db.Client, error) {
	client, err := parsed(in.ClientID, ids.ParseClient)
	if err != nil {
		return nil, err
	}
	return pointer(r.Account.InviteOwner(ctx, client))
}

func (r *resolver) closeClient(ctx context.Context, in model.CloseClientInput) (*db.Client, error) {
	client, err := parsed(in.ClientID, ids.ParseClient)
	if err != nil {
		return nil, err
	}
	return pointer(r.Billing.CloseClient(ctx, billing.CloseClientInput{ClientID: client, Reason: in.Reason}))
}

func (r *resolver) reopenClient(ctx context.Context, in model.ReopenClientInput) (*db.Client, error) {
	client, err := parsed(in.ClientID, ids.ParseClient)
	if err != nil {
		return nil, err
	}
	return pointer(r.Billing.ReopenClient(ctx, client))
}

// clientInputPath is splitPath for the inputs that hold a client's details in an object of their own.
func clientInputPath(path string) []string {
	if path == "externalRef" || path == "clientId" {
		return []string{path}
	}
	return append([]string{"details"}, splitPath(path)...)
}
