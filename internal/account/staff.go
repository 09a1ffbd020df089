package account

import (
	"context"
	"errors"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/secret"
)

// AddStaffInput is a new person of the company.
type AddStaffInput struct {
	Name     string
	Email    string
	Password string      // of the system alone, as for a demo; "" invites the person by mail
	Role     access.Role // "" means admin from the command line, which adds the first one, and readonly from the console
}

// AddStaff adds a person of the company and mails a link, good for seven days and once, to choose a password with.
// Who misses it asks for a new password as anybody does. Field faults on name, email and role.
func (s *Service) AddStaff(ctx context.Context, in AddStaffInput) (db.Staff, error) {
	if err := access.RequireCapability(ctx, access.ManageStaff); err != nil {
		return db.Staff{}, err
	}
	if in.Role == "" {
		in.Role = access.ReadOnly
		if access.From(ctx).Kind == access.System {
			in.Role = access.Admin
		}
	}
	var checks fault.Checks
	in.Email = strings.TrimSpace(in.Email)
	checkAddress(&checks, in.Email)
	in.Name = checkStaff(&checks, in.Name, in.Role)
	invite := in.Password == "" || access.From(ctx).Kind != access.System
	if invite {
		in.Password = secret.Random()
	}
	checkPolicy(&checks, "password", in.Password, in.Email)
	if err := checks.Err(); err != nil {
		return db.Staff{}, err
	}
	row := db.Staff{Name: in.Name, Email: in.Email, PasswordHash: s.Argon.Hash(in.Password), Language: locale.Spanish, Active: true, Role: in.Role}
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := tx.AddStaff(ctx, &row); err != nil {
			return err
		}
		if invite {
			by, err := inviter(ctx, tx)
			if err != nil {
				return err
			}
			if _, err := s.newLink(ctx, tx, db.Link{Purpose: db.LinkReset, StaffID: row.ID, Email: row.Email, InvitedBy: by,
				ExpiresAt: s.Now().AddDate(0, 0, invitationDays)}); err != nil {
				return err
			}
		}
		return tx.Audit(ctx, db.AuditEntry{Verb: "staff.add", Object: row.ID.String(), After: row})
	})
	if db.Violates(err, "staff_email") {
		checks.Add("email", "EMAIL_TAKEN")
		return db.Staff{}, checks.Err()
	}
	if err != nil {
		return db.Staff{}, err
	}
	return row, nil
}

func checkStaff(checks *fault.Checks, name string, role access.Role) string {
	name, ok := cleanText(name)
	switch {
	case name == "":
		checks.Add("name", "REQUIRED")
	case !ok:
		checks.Add("name", "CONTROL_CHARACTERS")
	case len([]rune(name)) > 100:
		checks.Add("name", "TOO_LONG", "max", 100)
	}
	if !role.Valid() {
		checks.Add("role", "VALUE_INVALID")
	}
	return name
}

// Staff lists the people of the company by name.
func (s *Service) Staff(ctx context.Context) ([]db.Staff, error) {
	if err := access.RequireCapability(ctx, access.ManageStaff); err != nil {
		return nil, err
	}
	return s.Store.StaffList(ctx)
}

// UpdateStaffInput changes a person of the company; what is nil stays.
type UpdateStaffInput struct {
	StaffID id.Staff
	Name    *string
	Role    *access.Role
	Active  *bool // false ends all sessions and tokens of the person at once
}

// UpdateStaff changes name and role, and lets people go or come back. Nobody changes their own role, and
// an active admin always remains. A change of role ends the person's sessions.
func (s *Service) UpdateStaff(ctx context.Context, in UpdateStaffInput) (db.Staff, error) {
	if err := access.RequireCapability(ctx, access.ManageStaff); err != nil {
		return db.Staff{}, err
	}
	var row db.Staff
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		all, err := tx.LockStaff(ctx)
		if err != nil {
			return err
		}
		found, admins := false, 0
		for _, p := range all {
			if p.ID == in.StaffID {
				row, found = p, true
			} else if p.Active && p.Role == access.Admin {
				admins++
			}
		}
		if !found {
			return fault.Missing()
		}
		before := row
		in.apply(&row)
		var checks fault.Checks
		row.Name = checkStaff(&checks, row.Name, row.Role)
		if err := checks.Err(); err != nil {
			return err
		}
		powers := before.Role != row.Role || before.Active != row.Active
		switch {
		case powers && access.From(ctx).Staff == row.ID:
			return fault.New(fault.Forbidden, "SELF_PROTECTED")
		case admins == 0 && (row.Role != access.Admin || !row.Active):
			return fault.New(fault.Conflict, "LAST_ADMIN")
		}
		if err := tx.UpdateStaff(ctx, &row); err != nil {
			return err
		}
		if powers {
			if err := s.endEverything(ctx, tx, db.Person{Staff: row.ID}, 0); err != nil {
				return err
			}
		}
		return tx.Audit(ctx, db.AuditEntry{Verb: "staff.update", Object: row.ID.String(), Before: before, After: row})
	})
	if err != nil {
		return db.Staff{}, err
	}
	return row, nil
}

func (in UpdateStaffInput) apply(row *db.Staff) {
	if in.Name != nil {
		row.Name = *in.Name
	}
	if in.Role != nil {
		row.Role = *in.Role
	}
	if in.Active != nil {
		row.Active = *in.Active
	}
}

// SetStaffSecondFactor says whether all staff must prove a second factor. Who has none can do nothing but
// add one.
func (s *Service) SetStaffSecondFactor(ctx context.Context, required bool) error {
	if err := access.RequireCapability(ctx, access.ManageStaff); err != nil {
		return err
	}
	return s.Store.InTx(ctx, func(tx *db.Store) error {
		before, err := tx.StaffSecondFactor(ctx)
		if err != nil {
			return err
		}
		if err := tx.SetStaffSecondFactor(ctx, required); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Verb: "company.second-factor", Before: map[string]any{"required": before}, After: map[string]any{"required": required}})
	})
}

// StaffSecondFactor reports whether all staff must prove a second factor.
func (s *Service) StaffSecondFactor(ctx context.Context) (bool, error) {
	if err := access.RequireStaff(ctx); err != nil {
		return false, err
	}
	return s.Store.StaffSecondFactor(ctx)
}

// SetClientSecondFactor says whether the people of a client must prove a second factor to reach it. The
// owner decides, or staff.
func (s *Service) SetClientSecondFactor(ctx context.Context, clientID id.Client, required bool) (db.Client, error) {
	if err := errors.Join(access.RequireOwnerChange(ctx, clientID, access.ManageClients), access.RequireInPerson(ctx)); err != nil {
		return db.Client{}, err
	}
	var row db.Client
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		before, err := tx.LockClient(ctx, clientID)
		if err != nil {
			return err
		}
		row = before
		row.SecondFactor = required
		if err := tx.SetClientSecondFactor(ctx, clientID, required); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Client: clientID, Verb: "client.second-factor", Object: clientID.String(),
			Before: map[string]any{"required": before.SecondFactor}, After: map[string]any{"required": required}})
	})
	return row, err
}

// ResetStaffFactors takes the second factors of a colleague away who lost them, and ends their sessions.
func (s *Service) ResetStaffFactors(ctx context.Context, staffID id.Staff) error {
	if err := access.RequireCapability(ctx, access.ManageStaff); err != nil {
		return err
	}
	if access.From(ctx).Staff == staffID {
		return fault.New(fault.Forbidden, "SELF_PROTECTED")
	}
	if _, err := s.Store.Staff(ctx, staffID); err != nil {
		return err
	}
	person := db.Person{Staff: staffID}
	return s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := clearFactors(ctx, tx, person); err != nil {
			return err
		}
		if err := s.endEverything(ctx, tx, person, 0); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Verb: "staff.factors-reset", Object: staffID.String()})
	})
}

// ResetLoginFactors takes the second factors of a client's person away who lost them, and ends their
// sessions. Staff only: a client's owner must not be able to do it to a login that reaches others too.
func (s *Service) ResetLoginFactors(ctx context.Context, loginID id.Login) error {
	if err := errors.Join(access.RequireCapability(ctx, access.ManageClients), access.RequireInPerson(ctx)); err != nil {
		return err
	}
	if _, err := s.Store.Login(ctx, loginID); err != nil {
		return err
	}
	person := db.Person{Login: loginID}
	return s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := clearFactors(ctx, tx, person); err != nil {
			return err
		}
		if err := s.endEverything(ctx, tx, person, 0); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Verb: "login.factors-reset", Object: loginID.String()})
	})
}

func clearFactors(ctx context.Context, tx *db.Store, person db.Person) error {
	if err := tx.RemoveTOTP(ctx, person); err != nil && !fault.Is(err, fault.NotFound) {
		return err
	}
	if err := tx.RemovePasskeys(ctx, person); err != nil {
		return err
	}
	return tx.ReplaceRecoveryCodes(ctx, person, nil, "")
}
