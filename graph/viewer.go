package graph

import (
	"context"
	"strings"

	"github.com/nubedigitalmx/avisa/graph/model"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/fault"
	ids "github.com/nubedigitalmx/avisa/internal/id"
)

func (r *resolver) signIn(ctx context.Context, in model.SignInInput) (*model.SignInPayload, error) {
	caller := access.From(ctx)
	signed, err := r.Account.SignIn(ctx, account.SignInInput{Email: in.Email, Password: in.Password, Staff: in.Staff,
		Address: caller.Address, Device: caller.Device})
	if err != nil {
		return &model.SignInPayload{Factors: []model.SecondFactor{}}, err
	}
	if signed.Pending != "" {
		payload := &model.SignInPayload{Pending: &signed.Pending, Factors: []model.SecondFactor{}}
		for _, factor := range signed.Factors {
			payload.Factors = append(payload.Factors, model.SecondFactor(strings.ToUpper(string(factor))))
		}
		return payload, nil
	}
	return &model.SignInPayload{Token: &signed.Token, ExpiresAt: &signed.ExpiresAt, Viewer: &signed.Actor, Factors: []model.SecondFactor{}}, nil
}

// retryAfter is how many seconds a caller has to wait; nil when the error is another one.
func retryAfter(err error) *int {
	f, ok := fault.As(err)
	if !ok || f.RetryAfter <= 0 {
		return nil
	}
	n := seconds(f)
	return &n
}

func viewerID(actor *access.Actor) *string {
	text := ""
	switch actor.Kind {
	case access.Login:
		text = actor.Login.String()
	case access.Staff:
		text = actor.Staff.String()
	default:
		return nil
	}
	return &text
}

// viewerClients reads the clients of all grants with one statement. The context carries the viewer,
// who after signing in is not yet the actor of the request.
func (r *resolver) viewerClients(ctx context.Context, grants []access.Grant) ([]*model.ViewerClient, error) {
	reached := []*model.ViewerClient{}
	if len(grants) == 0 {
		return reached, nil
	}
	keys, byClient := []ids.Client{}, map[ids.Client]access.Grant{}
	for _, grant := range grants {
		keys = append(keys, grant.Client)
		byClient[grant.Client] = grant
	}
	rows, err := r.Account.ClientsByID(ctx, keys)
	if err != nil {
		return nil, err
	}
	for i := range rows {
		grant := byClient[rows[i].ID]
		one := &model.ViewerClient{Client: &rows[i], Owner: grant.Owner, Permissions: grant.Permissions}
		if grant.Owner {
			one.Permissions = access.Permissions()
		}
		reached = append(reached, one)
	}
	return reached, nil
}
