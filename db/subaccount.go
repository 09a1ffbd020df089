package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// Status of a sub-account as stored; an active one past its date is expired.
const (
	SubAccountInvited   = "invited"
	SubAccountActive    = "active"
	SubAccountSuspended = "suspended"
)

// SubAccount is a login's access to one client, through a contact; the owner's has no contact.
type SubAccount struct {
	bun.BaseModel `bun:"table:sub_account"`

	ID          id.SubAccount       `bun:"id,pk,autoincrement"`
	ClientID    id.Client           `bun:"client_id"`
	ContactID   id.Contact          `bun:"contact_id,nullzero"`
	LoginID     id.Login            `bun:"login_id,nullzero"`
	Owner       bool                `bun:"owner"`
	Permissions []access.Permission `bun:"permissions,array"`
	Status      string              `bun:"status"`
	ExpiresOn   date.Date           `bun:"expires_on"` // last day of access, in the client's zone
	CreatedAt   time.Time           `bun:"created_at,nullzero,default:now()"`
	UpdatedAt   time.Time           `bun:"updated_at,nullzero,default:now()"`
}

// SubAccountByContact returns the sub-account of a contact.
func (s *Store) SubAccountByContact(ctx context.Context, contactID id.Contact) (SubAccount, error) {
	var row SubAccount
	err := s.idb.NewSelect().Model(&row).Where("contact_id = ?", contactID).Scan(ctx)
	return row, translate(err)
}

// SubAccountsByContact returns the sub-accounts of many contacts at once.
func (s *Store) SubAccountsByContact(ctx context.Context, contacts []id.Contact) ([]SubAccount, error) {
	rows := []SubAccount{}
	if len(contacts) == 0 {
		return rows, nil
	}
	err := s.idb.NewSelect().Model(&rows).Where("contact_id IN (?)", bun.List(contacts)).Scan(ctx)
	return rows, translate(err)
}

// Grants returns what a login holds right now: active sub-accounts that have not expired in their
// client's time zone.
func (s *Store) Grants(ctx context.Context, loginID id.Login, now time.Time) ([]access.Grant, error) {
	rows := []SubAccount{}
	err := s.idb.NewSelect().Model(&rows).Join("JOIN client AS c ON c.id = sub_account.client_id").
		Where("sub_account.login_id = ?", loginID).Where("sub_account.status = 'active'").
		Where("sub_account.expires_on IS NULL OR sub_account.expires_on >= (?::timestamptz AT TIME ZONE c.timezone)::date", now).
		OrderExpr("sub_account.id").Scan(ctx)
	grants := make([]access.Grant, 0, len(rows))
	for _, r := range rows {
		grants = append(grants, access.Grant{Client: r.ClientID, SubAccount: r.ID, Contact: r.ContactID, Owner: r.Owner, Permissions: r.Permissions})
	}
	return grants, translate(err)
}

// AddSubAccount inserts a sub-account and sets its id.
func (s *Store) AddSubAccount(ctx context.Context, row *SubAccount) error {
	_, err := s.idb.NewInsert().Model(row).Exec(ctx)
	return translate(err)
}

// UpdateSubAccount writes login, permissions, status and expiry.
func (s *Store) UpdateSubAccount(ctx context.Context, row *SubAccount) error {
	row.UpdatedAt = time.Now()
	_, err := s.idb.NewUpdate().Model(row).Column("login_id", "permissions", "status", "expires_on", "updated_at").WherePK().Exec(ctx)
	return translate(err)
}

// DeleteSubAccount takes a contact's access away.
func (s *Store) DeleteSubAccount(ctx context.Context, contactID id.Contact) error {
	_, err := s.idb.NewDelete().Table("sub_account").Where("contact_id = ?", contactID).Exec(ctx)
	return translate(err)
}
