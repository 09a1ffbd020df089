package account

import (
	"context"
	"fmt"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
)

// Rotation is what RotateSecrets did, and what still needs the earlier secret.
type Rotation struct {
	Resealed      int // authenticator apps sealed anew
	RecoveryCodes int // people with recovery codes of an earlier secret: only they can make new ones
}

// RotateSecrets seals every authenticator app anew that an earlier secret sealed. It can be stopped and
// repeated at any time.
func (s *Service) RotateSecrets(ctx context.Context) (Rotation, error) {
	if err := access.RequireSystem(ctx); err != nil {
		return Rotation{}, err
	}
	var done Rotation
	const batch = 500
	for last := int64(0); ; {
		rows, err := s.Store.TOTPs(ctx, last, batch)
		if err != nil {
			return done, err
		}
		for _, row := range rows {
			last = row.ID
			person := db.Person{Login: row.LoginID, Staff: row.StaffID}
			sealed, changed, err := s.Secrets.Reseal(row.Secret, "totp", objectOf(person))
			if err != nil {
				return done, fmt.Errorf("authenticator app of %s: %w", objectOf(person), err)
			}
			if !changed {
				continue
			}
			if err := s.Store.SetTOTPSecret(ctx, row, sealed); err != nil {
				return done, err
			}
			done.Resealed++
		}
		if len(rows) < batch {
			break
		}
	}
	var err error
	done.RecoveryCodes, err = s.Store.OldRecoveryCodes(ctx, s.Secrets.ID())
	return done, err
}
