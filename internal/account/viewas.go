package account

import (
	"context"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/secret"
)

// ViewAs lets staff see the client area as the client's owner sees it, for an hour at most, in a session
// of its own: nothing can be changed in it (READ_ONLY). The beginning and, at SignOut, the end are audited.
func (s *Service) ViewAs(ctx context.Context, clientID id.Client) (SignedIn, error) {
	if err := access.RequireCapability(ctx, access.ViewAsClient); err != nil {
		return SignedIn{}, err
	}
	actor := access.From(ctx)
	if actor.Staff == 0 || actor.Token != 0 {
		return SignedIn{}, fault.New(fault.Forbidden, "STAFF_ONLY")
	}
	client, err := s.Store.Client(ctx, clientID)
	if err != nil {
		return SignedIn{}, err
	}
	token := secret.Random()
	now := s.Now()
	session := db.Session{TokenHash: hashToken(token), StaffID: actor.Staff, Viewing: client.ID, Address: clipTo(actor.Address, 64), Device: clipTo(actor.Device, 300),
		CreatedAt: now, LastUsedAt: now, ExpiresAt: now.Add(viewSession), FactorAt: &now} // the console's session has proved what it had to
	err = s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := tx.AddSession(ctx, &session); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Client: client.ID, Verb: "client.view", Object: client.ID.String()})
	})
	if err != nil {
		return SignedIn{}, err
	}
	viewing, err := viewingActor(ctx, actor, client.ID)
	viewing.Session = session.ID
	return SignedIn{Token: token, ExpiresAt: session.ExpiresAt, Actor: viewing}, err
}

// viewingActor is staff who see as the owner of the client.
func viewingActor(ctx context.Context, staff access.Actor, client id.Client) (access.Actor, error) {
	if err := access.RequireCapability(access.With(ctx, staff), access.ViewAsClient); err != nil {
		return access.Actor{}, err
	}
	staff.Kind, staff.Viewing = access.Login, true
	staff.Grants = []access.Grant{{Client: client, Owner: true}}
	return staff, nil
}
