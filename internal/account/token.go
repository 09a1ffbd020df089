package account

import (
	"context"
	"slices"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/secret"
)

// TokenPrefix begins every API token, so that scanners for leaked secrets know one.
const TokenPrefix = "avt_"

// maxTokenDays is how long a token may live at most.
const maxTokenDays = 366

// AddTokenInput is a new API token for an integration.
type AddTokenInput struct {
	Name   string
	Scopes []access.Capability // at least one, and none that the actor does not hold
	Days   int                 // until it expires, 1 to 366
}

// AddToken makes an API token. Its text is returned this once: only its hash is stored. It acts for the
// person who made it, and ends to work when that person is no longer active.
func (s *Service) AddToken(ctx context.Context, in AddTokenInput) (db.APIToken, string, error) {
	if err := access.RequireCapability(ctx, access.ManageStaff); err != nil {
		return db.APIToken{}, "", err
	}
	actor := access.From(ctx)
	if actor.Staff == 0 || actor.Token != 0 {
		return db.APIToken{}, "", fault.New(fault.Forbidden, "STAFF_ONLY") // a token makes no tokens, and the system has no role
	}
	var checks fault.Checks
	name, ok := cleanText(in.Name)
	switch {
	case name == "":
		checks.Add("name", "REQUIRED")
	case !ok:
		checks.Add("name", "CONTROL_CHARACTERS")
	case len([]rune(name)) > 100:
		checks.Add("name", "TOO_LONG", "max", 100)
	}
	if in.Days < 1 || in.Days > maxTokenDays {
		checks.Add("days", "TOKEN_DAYS", "max", maxTokenDays)
	}
	if len(in.Scopes) == 0 {
		checks.Add("scopes", "REQUIRED")
	}
	for _, scope := range in.Scopes {
		if !slices.Contains(access.Scopes(), scope) {
			checks.Add("scopes", "SCOPE_UNKNOWN", "value", clip(string(scope)))
		} else if access.RequireCapability(ctx, scope) != nil {
			checks.Add("scopes", "SCOPE_NOT_HELD", "value", string(scope))
		}
	}
	if err := checks.Err(); err != nil {
		return db.APIToken{}, "", err
	}
	slices.Sort(in.Scopes)
	text := TokenPrefix + secret.Random()
	row := db.APIToken{StaffID: actor.Staff, Name: name, TokenHash: hashToken(text), Scopes: slices.Compact(in.Scopes),
		CreatedAt: s.Now(), ExpiresAt: s.Now().AddDate(0, 0, in.Days)}
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := tx.AddToken(ctx, &row); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Verb: "token.add", Object: row.ID.String(), After: row})
	})
	if err != nil {
		return db.APIToken{}, "", err
	}
	return row, text, nil
}

// Tokens lists all API tokens, the newest first.
func (s *Service) Tokens(ctx context.Context) ([]db.APIToken, error) {
	if err := access.RequireCapability(ctx, access.ManageStaff); err != nil {
		return nil, err
	}
	return s.Store.Tokens(ctx)
}

// RevokeToken ends an API token at once.
func (s *Service) RevokeToken(ctx context.Context, tokenID id.Token) (db.APIToken, error) {
	if err := access.RequireCapability(ctx, access.ManageStaff); err != nil {
		return db.APIToken{}, err
	}
	var row db.APIToken
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		var err error
		if row, err = tx.RevokeToken(ctx, tokenID, s.Now()); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Verb: "token.revoke", Object: tokenID.String(), Before: map[string]any{"name": row.Name}})
	})
	return row, err
}

// tokenActor is the actor behind an API token: the person who made it, as that person is now, and
// with the token's scopes at most.
func (s *Service) tokenActor(ctx context.Context, text string) (access.Actor, error) {
	ended := fault.New(fault.Unauthenticated, string(fault.Unauthenticated))
	row, err := s.Store.TokenByHash(ctx, hashToken(text), s.Now())
	if fault.Is(err, fault.NotFound) {
		if err := s.limited(ctx, bucket{key: "token:network:" + network(access.From(ctx).Address), n: wrongTokensPerNet}); err != nil {
			return access.Actor{}, err
		}
		return access.Actor{}, ended
	}
	if err != nil {
		return access.Actor{}, err
	}
	if err := s.limited(ctx, bucket{key: "token:" + row.ID.String(), n: tokenCalls}); err != nil {
		return access.Actor{}, err
	}
	staff, err := s.Store.Staff(ctx, row.StaffID)
	if err != nil {
		return access.Actor{}, err
	}
	if !staff.Active {
		return access.Actor{}, ended
	}
	if row.LastUsedAt == nil || s.Now().Sub(*row.LastUsedAt) > time.Minute {
		if err := s.Store.TouchToken(ctx, row.ID, s.Now()); err != nil {
			return access.Actor{}, err
		}
	}
	return access.Actor{Kind: access.Staff, Staff: staff.ID, Token: row.ID, Scopes: row.Scopes, Role: staff.Role,
		Name: staff.Name + " (" + row.Name + ")", Email: staff.Email, Language: staff.Language}, nil
}
