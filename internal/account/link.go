package account

import (
	"bytes"
	"context"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/secret"
)

// How long links can be used.
const (
	invitationDays = 7
	handoverDays   = 7
	resetMinutes   = 60
)

// newLink writes a link and asks for its mail.
func (s *Service) newLink(ctx context.Context, tx *db.Store, link db.Link) (db.Link, error) {
	link, err := s.writeLink(ctx, tx, link)
	if err != nil {
		return link, err
	}
	return link, tx.Enqueue(ctx, LinkJob{Link: link.ID})
}

// writeLink writes a link and closes the one that it replaces.
func (s *Service) writeLink(ctx context.Context, tx *db.Store, link db.Link) (db.Link, error) {
	link.CreatedAt = s.Now().Truncate(time.Microsecond) // as PostgreSQL keeps it: the token depends on it
	link.TokenHash = hashToken(secret.Random())         // until the id is known
	if err := tx.AddLink(ctx, &link); err != nil {
		return link, err
	}
	link.TokenHash = hashToken(s.linkToken(link))
	return link, tx.SetLinkToken(ctx, link.ID, link.TokenHash)
}

// linkToken is the token of a link. It is derived, so that it is stored nowhere and a repeated mail
// carries the same: of the secret that the link was made with, where that is an earlier one.
func (s *Service) linkToken(link db.Link) string {
	tokens := s.Secrets.Tokens("link", link.Purpose, link.ID.String(), link.CreatedAt.UTC().Format(time.RFC3339Nano))
	for _, token := range tokens {
		if bytes.Equal(hashToken(token), link.TokenHash) {
			return token
		}
	}
	return tokens[0]
}

// openLink returns the link of a token that can be used. Unknown, used, cancelled and replaced ones are
// the same LINK_UNUSABLE; one that is only too old is LINK_EXPIRED, because the person can ask for another.
func (s *Service) openLink(ctx context.Context, tx *db.Store, purpose, token string) (db.Link, error) {
	link, err := tx.LinkByToken(ctx, purpose, hashToken(token))
	switch {
	case fault.Is(err, fault.NotFound) || err == nil && link.UsedAt != nil:
		return db.Link{}, fault.New(fault.Conflict, "LINK_UNUSABLE")
	case err != nil:
		return db.Link{}, err
	case !link.Open(s.Now()):
		return db.Link{}, fault.New(fault.Conflict, "LINK_EXPIRED")
	}
	return link, nil
}

// limitLinks bounds how often links are tried from a network.
func (s *Service) limitLinks(ctx context.Context, address string) error {
	return s.limited(ctx, bucket{key: "link:network:" + network(address), n: linksPerNetwork, hourly: true})
}
