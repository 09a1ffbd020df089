package account

import (
	"context"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// AddClientInput is a new client with its owner.
type AddClientInput struct {
	Name     string
	Details  ContactDetails // address, RFC, language and zone of the client; Email is its own address
	Password string         // of the owner, who signs in with Details.Email
}

// AddClient adds a client and its owner: a personal login, which is used again when the person owns
// other clients already. Staff only.
func (s *Service) AddClient(ctx context.Context, in AddClientInput) (db.Client, error) {
	if err := access.RequireCapability(ctx, access.ManageClients); err != nil {
		return db.Client{}, err
	}
	var checks fault.Checks
	name, ok := cleanText(in.Name)
	switch {
	case name == "":
		checks.Add("name", "REQUIRED")
	case !ok:
		checks.Add("name", "CONTROL_CHARACTERS")
	case len([]rune(name)) > 200:
		checks.Add("name", "TOO_LONG", "max", 200)
	}
	in.Details.clean(&checks, "")
	if in.Details.Timezone == "" {
		in.Details.Timezone = "America/Mexico_City"
	}
	checkPolicy(&checks, "password", in.Password, in.Details.Email)
	if err := checks.Err(); err != nil {
		return db.Client{}, err
	}
	d := in.Details
	row := db.Client{Name: name, Email: d.Email, Phonenumber: d.Phonenumber, TaxID: d.TaxID, Address1: d.Address1, Address2: d.Address2,
		City: d.City, State: d.State, Postcode: d.Postcode, Country: d.Country, Language: d.Language, Timezone: d.Timezone, Topics: mail.Topics()}
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := tx.AddClient(ctx, &row); err != nil {
			return err
		}
		login, err := personalLogin(ctx, tx, d.Email)
		if fault.Is(err, fault.NotFound) {
			login = db.Login{Email: d.Email, PasswordHash: HashPassword(in.Password), Language: d.Language}
			err = tx.AddLogin(ctx, &login)
		}
		if err != nil {
			return err
		}
		if err := tx.AddSubAccount(ctx, &db.SubAccount{ClientID: row.ID, LoginID: login.ID, Owner: true,
			Permissions: access.Permissions(), Status: db.SubAccountActive}); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Client: row.ID, Verb: "client.add", Object: row.ID.String(), After: row})
	})
	return row, err
}

func personalLogin(ctx context.Context, tx *db.Store, email string) (db.Login, error) {
	logins, err := tx.LoginsByEmail(ctx, email)
	if err != nil {
		return db.Login{}, err
	}
	if len(logins) == 0 || logins[0].HomeClientID != 0 {
		return db.Login{}, fault.Missing()
	}
	return logins[0], nil
}

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
		return tx.AddPolicy(ctx, &db.ReminderPolicy{Name: "default", SendFrom: "09:00", SendUntil: "18:00", CatchUpDays: 3}, steps)
	})
}
