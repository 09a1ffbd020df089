package db

import (
	"context"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// Contact is a person or mailbox of a client.
type Contact struct {
	bun.BaseModel `bun:"table:contact"`

	ID          id.Contact   `bun:"id,pk,autoincrement"`
	ClientID    id.Client    `bun:"client_id"`
	Firstname   string       `bun:"firstname"`
	Lastname    string       `bun:"lastname"`
	Companyname string       `bun:"companyname"`
	Email       string       `bun:"email"`
	Phonenumber string       `bun:"phonenumber"`
	TaxID       string       `bun:"tax_id"`
	Address1    string       `bun:"address1"`
	Address2    string       `bun:"address2"`
	City        string       `bun:"city"`
	State       string       `bun:"state"`
	Postcode    string       `bun:"postcode"`
	Country     string       `bun:"country"` // ISO 3166-1 alpha-2
	Language    string       `bun:"language"`
	Timezone    string       `bun:"timezone"`
	Topics      []mail.Topic `bun:"topics,array"`
	Bounce
	VerifiedEmail    string     `bun:"verified_email"` // the address that the person confirmed; another one is not confirmed
	VerifiedAt       *time.Time `bun:"verified_at"`
	AddressChangedAt *time.Time `bun:"address_changed_at"` // nil: the address is the first one
	CreatedAt        time.Time  `bun:"created_at,nullzero,default:now()"`
	UpdatedAt        time.Time  `bun:"updated_at,nullzero,default:now()"`
	DeletedAt        *time.Time `bun:"deleted_at"`
}

// Name is how the contact is shown: the person, else the company, else the address.
func (c Contact) Name() string {
	if name := strings.TrimSpace(c.Firstname + " " + c.Lastname); name != "" {
		return name
	}
	if c.Companyname != "" {
		return c.Companyname
	}
	return c.Email
}

// Contact returns one contact that is not deleted.
func (s *Store) Contact(ctx context.Context, contactID id.Contact) (Contact, error) {
	var c Contact
	err := s.idb.NewSelect().Model(&c).Where("id = ?", contactID).Where("deleted_at IS NULL").Scan(ctx)
	return c, translate(err)
}

// ContactsByID returns contacts, deleted ones too, for showing history.
func (s *Store) ContactsByID(ctx context.Context, ids []id.Contact) ([]Contact, error) {
	rows := []Contact{}
	if len(ids) == 0 {
		return rows, nil
	}
	err := s.idb.NewSelect().Model(&rows).Where("id IN (?)", bun.List(ids)).Scan(ctx)
	return rows, translate(err)
}

// Contacts lists the client's contacts in the order in which they were added.
func (s *Store) Contacts(ctx context.Context, clientID id.Client, page Page) (List[Contact], error) {
	rows := []Contact{}
	q := s.idb.NewSelect().Model(&rows).Where("client_id = ?", clientID).Where("deleted_at IS NULL")
	return readPage(ctx, s, q, &rows, page, order[Contact]{by: []key{{"id", "bigint"}}, of: func(c Contact) []any { return []any{int64(c.ID)} }})
}

// AddContact inserts a contact and sets its id. The key contact_email keeps addresses unique within
// a client.
func (s *Store) AddContact(ctx context.Context, c *Contact) error {
	_, err := s.idb.NewInsert().Model(c).Exec(ctx)
	return translate(err)
}

// UpdateContact writes all details and preferences of a contact.
func (s *Store) UpdateContact(ctx context.Context, c *Contact) error {
	c.UpdatedAt = time.Now()
	_, err := s.idb.NewUpdate().Model(c).ExcludeColumn("id", "client_id", "created_at", "deleted_at", "bounced_email", "bounced_at", "bounce_detail", "soft_bounces",
		"verified_email", "verified_at").
		WherePK().Where("deleted_at IS NULL").Exec(ctx)
	return translate(err)
}

// DeleteContact closes a contact. Its row stays, for the ledger and the log.
func (s *Store) DeleteContact(ctx context.Context, contactID id.Contact) error {
	_, err := s.idb.NewUpdate().Table("contact").Set("deleted_at = now()").Where("id = ?", contactID).
		Where("deleted_at IS NULL").Exec(ctx)
	return translate(err)
}

// ContactEmailTaken reports whether another contact of the client has the address, in any case.
func (s *Store) ContactEmailTaken(ctx context.Context, clientID id.Client, email string, except id.Contact) (bool, error) {
	return s.idb.NewSelect().Model((*Contact)(nil)).Where("client_id = ?", clientID).Where("lower(email) = lower(?)", email).
		Where("id <> ?", except).Where("deleted_at IS NULL").Exists(ctx)
}
