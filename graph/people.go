package graph

import (
	"context"
	"encoding/json"

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

func (r *resolver) audit(ctx context.Context, client *string, verb string, first int, after *string) (*model.AuditConnection, error) {
	query := account.AuditQuery{Verb: verb}
	if client != nil {
		key, err := parsed(*client, ids.ParseClient)
		if err != nil {
			return nil, err
		}
		query.Client = key
	}
	page, err := pageOf(first, after)
	if err != nil {
		return nil, err
	}
	list, err := r.Account.Audit(ctx, query, page)
	if err != nil {
		return nil, err
	}
	nodes, edges, info := pageResult(list, func(row *db.AuditRow) *db.AuditRow { return row },
		func(cursor string, node *db.AuditRow) *model.AuditEdge {
			return &model.AuditEdge{Cursor: cursor, Node: node}
		})
	return &model.AuditConnection{Nodes: nodes, Edges: edges, PageInfo: info}, nil
}

// text is JSON as a text; nil where there is none.
func text(raw json.RawMessage) *string {
	if len(raw) == 0 || string(raw) == "null" {
		return nil
	}
	out := string(raw)
	return &out
}
