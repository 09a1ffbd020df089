package graph

import (
	"context"
	"encoding/json"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/graph/model"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	ids "github.com/nubedigitalmx/avisa/internal/id"
)

// acceptInvitation accepts with a password, or, without one, with the login that is signed in.
func (r *resolver) acceptInvitation(ctx context.Context, in model.AcceptInvitationInput) (account.SignedIn, error) {
	caller := access.From(ctx)
	if in.Password == nil && in.PasswordAgain == nil && caller.Kind != access.Anonymous {
		return r.Account.AcceptInvitationSignedIn(ctx, in.Token)
	}
	return r.Account.AcceptInvitation(ctx, account.AcceptInvitationInput{Token: in.Token, Password: deref(in.Password), PasswordAgain: deref(in.PasswordAgain),
		Address: caller.Address, Device: caller.Device})
}

// changeAccess does a verb on a contact's access.
func (r *resolver) changeAccess(ctx context.Context, text string, verb func(context.Context, ids.Contact) (db.Contact, error)) (*db.Contact, error) {
	key, err := parsed(text, ids.ParseContact)
	if err != nil {
		return nil, err
	}
	return pointer(verb(ctx, key))
}

// accessOf asks by the login's id or by its address.
func (r *resolver) accessOf(ctx context.Context, login, client string) ([]*account.AccessAnswer, error) {
	query := account.AccessQuery{}
	if key, err := ids.ParseLogin(login); err == nil {
		query.Login = key
	} else {
		query.Email = login
	}
	if key, err := ids.ParseClient(client); err == nil {
		query.Client = key
	} // a client that does not exist answers that nobody holds anything
	answers, err := r.Account.AccessOf(ctx, query)
	return pointers(answers), err
}

// tokenOf is the session's token that a verb gave; nothing when it failed.
func tokenOf(signed account.SignedIn, err error) (token *string, expiresAt *time.Time) {
	if err != nil {
		return nil, nil
	}
	return &signed.Token, &signed.ExpiresAt
}

// acceptHandover makes the caller the owner, and reads the client as the owner sees it.
func (r *resolver) acceptHandover(ctx context.Context, client string) (*db.Client, account.SignedIn, error) {
	key, err := parsed(client, ids.ParseClient)
	if err != nil {
		return nil, account.SignedIn{}, err
	}
	signed, err := r.Account.AcceptHandover(ctx, key)
	if err != nil {
		return nil, account.SignedIn{}, err
	}
	row, err := pointer(r.Account.Client(ctx, key))
	return row, signed, err
}

// text is JSON as a text; nil where there is none.
func text(raw json.RawMessage) *string {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	out := string(raw)
	return &out
}
