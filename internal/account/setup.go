package account

import (
	"context"
	"strings"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/secret"
)

// SetUp writes the company and, once, the default reminder policy: issued, -7, -1, +1, +5, +15
// days. The system only.
func (s *Service) SetUp(ctx context.Context, company db.Company) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	return s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := tx.SaveCompany(ctx, &company); err != nil {
			return err
		}
		_, err := tx.DefaultPolicy(ctx)
		if !fault.Is(err, fault.NotFound) {
			return err
		}
		steps := []db.ReminderStep{{Anchor: db.AnchorIssue}}
		for _, days := range []int{-7, -1, 1, 5, 15} {
			steps = append(steps, db.ReminderStep{Anchor: db.AnchorDue, Days: days})
		}
		return tx.AddPolicy(ctx, &db.ReminderPolicy{Name: "General", SendFrom: "09:00", SendUntil: "18:00", CatchUpDays: 3}, steps)
	})
}

// adminLinkHours is how long the link of AdminLink can be used.
const adminLinkHours = 24

// AdminLinkInput is who gets into the console.
type AdminLinkInput struct {
	Name  string // of a new person; "" is the address up to its @
	Email string
}

// AdminLink returns the token of a link with which an administrator sets a password, and when it ends. It
// adds the administrator if nobody has the address: so an installation gets its first one, and one who is
// locked out comes back. Nothing is mailed. The system only. Field faults on email: those of an address, and
// STAFF_NOT_ADMIN for somebody who is there but is no active administrator.
func (s *Service) AdminLink(ctx context.Context, in AdminLinkInput) (token string, until time.Time, err error) {
	if err := access.RequireSystem(ctx); err != nil {
		return "", time.Time{}, err
	}
	var checks fault.Checks
	in.Email = typedAddress(in.Email)
	checkAddress(&checks, in.Email)
	if in.Name == "" {
		in.Name, _, _ = strings.Cut(in.Email, "@")
	}
	in.Name = checkStaff(&checks, in.Name, access.Admin)
	if err := checks.Err(); err != nil {
		return "", time.Time{}, err
	}
	err = s.Store.InTx(ctx, func(tx *db.Store) error {
		staff, err := tx.StaffByEmail(ctx, in.Email)
		switch {
		case fault.Is(err, fault.NotFound):
			staff = db.Staff{Name: in.Name, Email: in.Email, PasswordHash: s.Argon.Hash(secret.Random()), Language: locale.Spanish, Active: true, Role: access.Admin}
			if err := tx.AddStaff(ctx, &staff); err != nil {
				return err
			}
			if err := tx.Audit(ctx, db.AuditEntry{Verb: "staff.add", Object: staff.ID.String(), After: staff}); err != nil {
				return err
			}
		case err != nil:
			return err
		case !staff.Active || staff.Role != access.Admin:
			checks.Add("email", "STAFF_NOT_ADMIN")
			return checks.Err()
		}
		link, err := s.writeLink(ctx, tx, db.Link{Purpose: db.LinkReset, StaffID: staff.ID, Email: staff.Email, ExpiresAt: s.Now().Add(adminLinkHours * time.Hour)})
		if err != nil {
			return err
		}
		token, until = s.linkToken(link), link.ExpiresAt
		return tx.Audit(ctx, db.AuditEntry{Verb: "staff.admin_link", Object: staff.ID.String()})
	})
	return token, until, err
}
