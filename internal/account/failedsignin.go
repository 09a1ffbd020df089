package account

import (
	"context"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// hour is the hour in which failed sign-ins are counted together.
func (s *Service) hour() time.Time { return s.Now().UTC().Truncate(time.Hour) }

// FailedSignIns lists wrong passwords and codes by account, network and hour, the newest first, for 90 days: of
// a client's people to its owner and to staff; with no client, the caller's own to a person of a client,
// and all of them to staff, those for addresses that nobody has too.
func (s *Service) FailedSignIns(ctx context.Context, client id.Client, page db.Page) (db.List[db.FailedSignIn], error) {
	filter := db.FailedSignInFilter{Reach: access.Reach{All: true}}
	if client == 0 && access.From(ctx).Kind == access.Login {
		if err := access.RequirePerson(ctx); err != nil {
			return db.List[db.FailedSignIn]{}, err
		}
		filter.Person = personOf(ctx)
	} else if err := s.requireAudit(ctx, client); err != nil {
		return db.List[db.FailedSignIn]{}, err
	}
	if client != 0 {
		filter.Reach = access.Reach{Clients: []id.Client{client}}
	}
	if err := page.Check(); err != nil {
		return db.List[db.FailedSignIn]{}, err
	}
	return s.Store.FailedSignIns(ctx, filter, page)
}
