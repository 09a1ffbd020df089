package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// What a link is for.
const (
	LinkInvitation = "invitation" // accept access to a client
	LinkReset      = "reset"      // set a new password
	LinkHandover   = "handover"   // become the owner of a client
)

// Link is a single-use link that was mailed, or is about to be. Only the hash of its token is stored.
type Link struct {
	bun.BaseModel `bun:"table:link"`

	ID           id.Link       `bun:"id,pk,autoincrement"`
	Purpose      string        `bun:"purpose"`
	TokenHash    []byte        `bun:"token_hash"`
	Email        string        `bun:"email"`                   // where it was sent: the address that its holder proves
	SubAccountID id.SubAccount `bun:"sub_account_id,nullzero"` // of an invitation or a handover
	LoginID      id.Login      `bun:"login_id,nullzero"`       // of a reset
	StaffID      id.Staff      `bun:"staff_id,nullzero"`       // of a reset
	InvitedBy    string        `bun:"invited_by"`
	CreatedAt    time.Time     `bun:"created_at,nullzero,default:now()"`
	ExpiresAt    time.Time     `bun:"expires_at"`
	SentAt       *time.Time    `bun:"sent_at"`
	MailError    string        `bun:"mail_error"`
	UsedAt       *time.Time    `bun:"used_at"` // used, cancelled or replaced
}

// Open reports whether the link can still be used at the moment.
func (l Link) Open(now time.Time) bool { return l.UsedAt == nil && l.ExpiresAt.After(now) }

// AddLink inserts a link and sets its id. It closes the open one for the same thing, so that only the
// newest mail works.
func (s *Store) AddLink(ctx context.Context, row *Link) error {
	sub, login, staff := int64(row.SubAccountID), int64(row.LoginID), int64(row.StaffID)
	if _, err := s.idb.NewRaw(`UPDATE link SET used_at = now() WHERE used_at IS NULL AND purpose = ? AND sub_account_id IS NOT DISTINCT FROM nullif(?, 0)
		AND login_id IS NOT DISTINCT FROM nullif(?, 0) AND staff_id IS NOT DISTINCT FROM nullif(?, 0)`, row.Purpose, sub, login, staff).Exec(ctx); err != nil {
		return translate(err)
	}
	_, err := s.idb.NewInsert().Model(row).Exec(ctx)
	return translate(err)
}

// SetLinkToken gives a link its token, which is derived from its id.
func (s *Store) SetLinkToken(ctx context.Context, linkID id.Link, tokenHash []byte) error {
	_, err := s.idb.NewUpdate().Table("link").Set("token_hash = ?", tokenHash).Where("id = ?", linkID).Exec(ctx)
	return translate(err)
}

// Link returns one link.
func (s *Store) Link(ctx context.Context, linkID id.Link) (Link, error) {
	var row Link
	err := s.idb.NewSelect().Model(&row).Where("id = ?", linkID).Scan(ctx)
	return row, translate(err)
}

// LinkByToken returns the link of a token hash, whatever its state, locked in a transaction.
func (s *Store) LinkByToken(ctx context.Context, purpose string, tokenHash []byte) (Link, error) {
	var row Link
	err := s.idb.NewSelect().Model(&row).Where("token_hash = ?", tokenHash).Where("purpose = ?", purpose).For("UPDATE").Scan(ctx)
	return row, translate(err)
}

// UseLink closes an open link; NotFound when it was closed already.
func (s *Store) UseLink(ctx context.Context, linkID id.Link, now time.Time) error {
	return affected(s.idb.NewUpdate().Table("link").Set("used_at = ?", now).Where("id = ?", linkID).Where("used_at IS NULL").Exec(ctx))
}

// NoteLinkMail writes how the mail of a link went: reason "" means the mail server took it.
func (s *Store) NoteLinkMail(ctx context.Context, linkID id.Link, now time.Time, reason string) error {
	_, err := s.idb.NewUpdate().Table("link").Set("sent_at = ?", now).Set("mail_error = ?", reason).Where("id = ?", linkID).Exec(ctx)
	return translate(err)
}

// LinksOf returns the newest link for each of the sub-accounts that has one for the purpose.
func (s *Store) LinksOf(ctx context.Context, purpose string, subAccounts []id.SubAccount) (map[id.SubAccount]Link, error) {
	found := map[id.SubAccount]Link{}
	if len(subAccounts) == 0 {
		return found, nil
	}
	rows := []Link{}
	err := s.idb.NewSelect().Model(&rows).DistinctOn("sub_account_id").Where("purpose = ?", purpose).
		Where("sub_account_id IN (?)", bun.List(subAccounts)).OrderExpr("sub_account_id, id DESC").Scan(ctx)
	for _, row := range rows {
		found[row.SubAccountID] = row
	}
	return found, translate(err)
}

// OpenHandover returns the offer of ownership of a client that waits for its answer, with the
// sub-account it was made to.
func (s *Store) OpenHandover(ctx context.Context, clientID id.Client, now time.Time) (Link, SubAccount, error) {
	var link Link
	err := s.idb.NewSelect().Model(&link).Where("purpose = ?", LinkHandover).Where("used_at IS NULL").Where("expires_at > ?", now).
		Where("sub_account_id IN (SELECT id FROM sub_account WHERE client_id = ?)", clientID).OrderExpr("id DESC").Limit(1).Scan(ctx)
	if err != nil {
		return Link{}, SubAccount{}, translate(err)
	}
	sub, err := s.SubAccount(ctx, link.SubAccountID)
	return link, sub, err
}

// CloseHandovers withdraws every offer of ownership of a client.
func (s *Store) CloseHandovers(ctx context.Context, clientID id.Client, now time.Time) error {
	_, err := s.idb.NewUpdate().Table("link").Set("used_at = ?", now).Where("purpose = ?", LinkHandover).Where("used_at IS NULL").
		Where("sub_account_id IN (SELECT id FROM sub_account WHERE client_id = ?)", clientID).Exec(ctx)
	return translate(err)
}

// SubAccount returns one sub-account.
func (s *Store) SubAccount(ctx context.Context, subAccountID id.SubAccount) (SubAccount, error) {
	var row SubAccount
	err := s.idb.NewSelect().Model(&row).Where("id = ?", subAccountID).Scan(ctx)
	return row, translate(err)
}

// OwnerOf returns the owner's row of a client.
func (s *Store) OwnerOf(ctx context.Context, clientID id.Client) (SubAccount, error) {
	var row SubAccount
	err := s.idb.NewSelect().Model(&row).Where("client_id = ?", clientID).Where("owner").Scan(ctx)
	return row, translate(err)
}

// OwnersOf returns the owners' rows of many clients at once.
func (s *Store) OwnersOf(ctx context.Context, clients []id.Client) ([]SubAccount, error) {
	rows := []SubAccount{}
	if len(clients) == 0 {
		return rows, nil
	}
	err := s.idb.NewSelect().Model(&rows).Where("client_id IN (?)", bun.List(clients)).Where("owner").Scan(ctx)
	return rows, translate(err)
}

// SetOwner gives the owner's row of a client to another login.
func (s *Store) SetOwner(ctx context.Context, clientID id.Client, login id.Login) error {
	return affected(s.idb.NewUpdate().Table("sub_account").Set("login_id = ?", login).Set("status = 'active'").Set("expires_on = NULL").
		Set("updated_at = now()").Where("client_id = ?", clientID).Where("owner").Exec(ctx))
}

// ContactByEmail finds a client's contact by address, in any case.
func (s *Store) ContactByEmail(ctx context.Context, clientID id.Client, email string) (Contact, error) {
	var c Contact
	err := s.idb.NewSelect().Model(&c).Where("client_id = ?", clientID).Where("lower(email) = lower(?)", email).
		Where("deleted_at IS NULL").Scan(ctx)
	return c, translate(err)
}

// AccessOf returns what a person holds for a client now, by login or by address: active and not
// expired rows alone.
func (s *Store) AccessOf(ctx context.Context, loginID id.Login, email string, clientID id.Client, now time.Time) ([]SubAccount, error) {
	rows := []SubAccount{}
	q := s.idb.NewSelect().Model(&rows).Join("JOIN client AS c ON c.id = sub_account.client_id").
		Where("sub_account.client_id = ?", clientID).Where("sub_account.status = ?", SubAccountActive).
		Where("sub_account.expires_on IS NULL OR sub_account.expires_on >= (?::timestamptz AT TIME ZONE c.timezone)::date", now)
	if loginID != 0 {
		q = q.Where("sub_account.login_id = ?", loginID)
	} else {
		q = q.Join("JOIN login AS l ON l.id = sub_account.login_id").Where("lower(l.email) = lower(?)", email)
	}
	err := q.OrderExpr("sub_account.id").Scan(ctx)
	return rows, translate(err)
}

// LockedClients are those of a login's clients that ask for a second factor.
func (s *Store) LockedClients(ctx context.Context, grants []access.Grant) ([]id.Client, error) {
	ids := make([]id.Client, 0, len(grants))
	for _, g := range grants {
		ids = append(ids, g.Client)
	}
	locked := []id.Client{}
	if len(ids) == 0 {
		return locked, nil
	}
	err := s.idb.NewSelect().Table("client").Column("id").Where("id IN (?)", bun.List(ids)).Where("second_factor").Scan(ctx, &locked)
	return locked, translate(err)
}

// ContactFilter limits a list of contacts by the state of their access.
type ContactFilter struct {
	Client id.Client
	State  string // "", "none", "invited", "active", "suspended" or "expired"
	Now    time.Time
}

// ContactsInState lists contacts whose access is in a state, in the order in which they were added.
func (s *Store) ContactsInState(ctx context.Context, filter ContactFilter, page Page) (List[Contact], error) {
	rows := []Contact{}
	q := s.idb.NewSelect().Model(&rows).Join("LEFT JOIN sub_account AS a ON a.contact_id = contact.id").
		Join("JOIN client AS c ON c.id = contact.client_id").
		Where("contact.client_id = ?", filter.Client).Where("contact.deleted_at IS NULL")
	const past = "a.expires_on < (?::timestamptz AT TIME ZONE c.timezone)::date"
	switch filter.State {
	case "":
	case "none":
		q = q.Where("a.id IS NULL")
	case "expired":
		q = q.Where("a.status = ?", SubAccountActive).Where(past, filter.Now)
	case SubAccountActive:
		q = q.Where("a.status = ?", SubAccountActive).Where("("+past+") IS NOT TRUE", filter.Now)
	default:
		q = q.Where("a.status = ?", filter.State)
	}
	return readPage(ctx, s, q, &rows, page, order[Contact]{by: []key{{"contact.id", "bigint"}}, of: func(c Contact) []any { return []any{int64(c.ID)} }})
}
