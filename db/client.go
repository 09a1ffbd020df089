package db

import (
	"context"
	"strings"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// Client is the billable party.
type Client struct {
	bun.BaseModel `bun:"table:client"`

	ID            id.Client    `bun:"id,pk,autoincrement" json:"id"`
	Name          string       `bun:"name" json:"name"`
	Email         string       `bun:"email" json:"email"`
	Phonenumber   string       `bun:"phonenumber" json:"phonenumber"`
	TaxID         string       `bun:"tax_id" json:"taxId"`
	Address1      string       `bun:"address1" json:"address1"`
	Address2      string       `bun:"address2" json:"address2"`
	City          string       `bun:"city" json:"city"`
	State         string       `bun:"state" json:"state"`
	Postcode      string       `bun:"postcode" json:"postcode"`
	Country       string       `bun:"country" json:"country"` // ISO 3166-1 alpha-2
	Language      string       `bun:"language" json:"language"`
	Timezone      string       `bun:"timezone" json:"timezone"` // IANA name; due dates are dates in it
	Topics        []mail.Topic `bun:"topics,array" json:"-"`
	SecondFactor  bool         `bun:"second_factor" json:"-"` // its people must prove a second factor
	GroupID       id.Group     `bun:"group_id,nullzero" json:"-"`
	Pause         `json:"-"`
	LateFeeExempt bool   `bun:"late_fee_exempt" json:"-"` // no late fees are charged
	ExternalRef   string `bun:"external_ref" json:"-"`    // what another system calls it; unique unless empty
	Bounce        `json:"-"`
	ClosedAt      *time.Time `bun:"closed_at" json:"-"`    // nothing new is billed since; nil: not closed
	CloseReason   string     `bun:"close_reason" json:"-"` // for staff
	CreatedAt     time.Time  `bun:"created_at,nullzero,default:now()" json:"-"`
	UpdatedAt     time.Time  `bun:"updated_at,nullzero,default:now()" json:"-"`
}

// ClientFilter limits a list of clients.
type ClientFilter struct {
	Reach       access.Reach
	Search      string // part of name, email or RFC; any case
	ExternalRef string // exactly; "" for all
	Status      string // ClientActive or ClientClosed; "" for both
}

// States of a client.
const (
	ClientActive = "active"
	ClientClosed = "closed"
)

// Status is the state of the client.
func (c Client) Status() string {
	if c.ClosedAt != nil {
		return ClientClosed
	}
	return ClientActive
}

// Client returns one client.
func (s *Store) Client(ctx context.Context, clientID id.Client) (Client, error) {
	var c Client
	err := s.idb.NewSelect().Model(&c).Where("id = ?", clientID).Scan(ctx)
	return c, translate(err)
}

// LockClient returns the client, locked until the transaction ends.
func (s *Store) LockClient(ctx context.Context, clientID id.Client) (Client, error) {
	var c Client
	err := s.idb.NewSelect().Model(&c).Where("id = ?", clientID).For("UPDATE").Scan(ctx)
	return c, translate(err)
}

// ClientsByID returns the clients with these ids, in any order.
func (s *Store) ClientsByID(ctx context.Context, ids []id.Client) ([]Client, error) {
	rows := []Client{}
	if len(ids) == 0 {
		return rows, nil
	}
	err := s.idb.NewSelect().Model(&rows).Where("id IN (?)", bun.List(ids)).Scan(ctx)
	return rows, translate(err)
}

// Clients lists clients by name.
func (s *Store) Clients(ctx context.Context, filter ClientFilter, page Page) (List[Client], error) {
	rows := []Client{}
	q := s.idb.NewSelect().Model(&rows)
	if !filter.Reach.All {
		q = q.Where("id IN (?)", bun.List(orNone(filter.Reach.Clients)))
	}
	if words := strings.TrimSpace(filter.Search); words != "" {
		q = q.Where("lower(name || ' ' || email || ' ' || tax_id) LIKE ?", "%"+escapeLike(strings.ToLower(words))+"%")
	}
	if filter.ExternalRef != "" {
		q = q.Where("external_ref = ?", filter.ExternalRef)
	}
	switch filter.Status {
	case ClientActive:
		q = q.Where("closed_at IS NULL")
	case ClientClosed:
		q = q.Where("closed_at IS NOT NULL")
	}
	return readPage(ctx, s, q, &rows, page, order[Client]{by: []key{{"lower(name)", "text"}, {"id", "bigint"}}, of: func(c Client) []any { return []any{strings.ToLower(c.Name), int64(c.ID)} }})
}

// AddClient inserts a client and sets its id.
func (s *Store) AddClient(ctx context.Context, c *Client) error {
	_, err := s.idb.NewInsert().Model(c).Exec(ctx)
	return translate(err)
}

// UpdateClient writes what a client says of itself, and its reference.
func (s *Store) UpdateClient(ctx context.Context, c *Client) error {
	c.UpdatedAt = time.Now()
	_, err := s.idb.NewUpdate().Model(c).Column("name", "email", "phonenumber", "tax_id", "address1", "address2", "city", "state", "postcode",
		"country", "language", "timezone", "external_ref", "updated_at").WherePK().Exec(ctx)
	return translate(err)
}

// SetClientTopics changes the client's own email preferences.
func (s *Store) SetClientTopics(ctx context.Context, clientID id.Client, topics []mail.Topic) error {
	_, err := s.idb.NewUpdate().Table("client").Set("topics = ?", pgdialect.Array(topics)).Set("updated_at = now()").
		Where("id = ?", clientID).Exec(ctx)
	return translate(err)
}

// SetClientSecondFactor says whether the client's people must prove a second factor.
func (s *Store) SetClientSecondFactor(ctx context.Context, clientID id.Client, required bool) error {
	_, err := s.idb.NewUpdate().Table("client").Set("second_factor = ?", required).Set("updated_at = now()").Where("id = ?", clientID).Exec(ctx)
	return translate(err)
}

// SetClientClosed writes whether a client is closed, and why.
func (s *Store) SetClientClosed(ctx context.Context, c *Client) error {
	c.UpdatedAt = time.Now()
	_, err := s.idb.NewUpdate().Model(c).Column("closed_at", "close_reason", "updated_at").WherePK().Exec(ctx)
	return translate(err)
}

// PauseClient writes the client's pause.
func (s *Store) PauseClient(ctx context.Context, clientID id.Client, p Pause) error {
	return s.setPause(ctx, "client", int64(clientID), p)
}

// KeepsTopic reports whether an address of the client other than the excluded contact still
// receives the topic. excluded 0 with includeClient false asks for the contacts alone.
func (s *Store) KeepsTopic(ctx context.Context, clientID id.Client, topic mail.Topic, excluded id.Contact, includeClient bool) (bool, error) {
	var keeps bool
	err := s.idb.NewRaw(`SELECT (? AND EXISTS (SELECT FROM client WHERE id = ? AND ? = ANY (topics)))
		OR EXISTS (SELECT FROM contact WHERE client_id = ? AND deleted_at IS NULL AND id <> ? AND ? = ANY (topics))`,
		includeClient, clientID, string(topic), clientID, excluded, string(topic)).Scan(ctx, &keeps)
	return keeps, translate(err)
}

// orNone keeps "IN ()" valid for an empty list: no row has id 0.
func orNone[T ~int64](ids []T) []T {
	if len(ids) == 0 {
		return []T{0}
	}
	return ids
}

// escapeLike takes the meaning from the wildcards of LIKE.
func escapeLike(text string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text)
}
