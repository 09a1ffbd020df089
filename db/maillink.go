package db

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// MailLinkKey returns the key that signs personal links and Message-IDs; the first call makes it.
func (s *Store) MailLinkKey(ctx context.Context) ([]byte, error) {
	var key []byte
	fresh := make([]byte, 32)
	_, _ = rand.Read(fresh)
	err := s.idb.NewRaw(`WITH added AS (INSERT INTO mail_link_key (key) VALUES (?) ON CONFLICT (id) DO NOTHING RETURNING key)
		SELECT key FROM added UNION ALL SELECT key FROM mail_link_key LIMIT 1`, fresh).Scan(ctx, &key)
	return key, translate(err)
}

// RevokeMailLinks ends the personal links of a contact, or (0) of the client's own address, made until the moment.
func (s *Store) RevokeMailLinks(ctx context.Context, clientID id.Client, contactID id.Contact, before time.Time) error {
	_, err := s.idb.NewRaw(`INSERT INTO mail_link_revocation (client_id, contact_id, before) VALUES (?, ?, ?)
		ON CONFLICT (client_id, contact_id) DO UPDATE SET before = EXCLUDED.before`, clientID, contactID, before).Exec(ctx)
	return translate(err)
}

// MailLinkRevoked reports whether links of that moment no longer hold.
func (s *Store) MailLinkRevoked(ctx context.Context, clientID id.Client, contactID id.Contact, made time.Time) (bool, error) {
	return s.idb.NewSelect().Table("mail_link_revocation").Where("client_id = ?", clientID).Where("contact_id = ?", contactID).
		Where("before >= ?", made).Exists(ctx)
}

// SetContactTopics changes a contact's email preferences.
func (s *Store) SetContactTopics(ctx context.Context, contactID id.Contact, topics []mail.Topic) error {
	_, err := s.idb.NewUpdate().Table("contact").Set("topics = ?", pgdialect.Array(topics)).Set("updated_at = now()").
		Where("id = ?", contactID).Exec(ctx)
	return translate(err)
}

// VerifyAddress notes that the person behind a contact confirmed the address.
func (s *Store) VerifyAddress(ctx context.Context, contactID id.Contact, email string, now time.Time) error {
	_, err := s.idb.NewUpdate().Table("contact").Set("verified_email = ?", email).Set("verified_at = ?", now).Where("id = ?", contactID).
		Where("lower(email) = lower(?)", email).Exec(ctx)
	return translate(err)
}

// UnverifiedContacts returns those of the contacts that must confirm their address before they are reminded,
// with their clients.
func (s *Store) UnverifiedContacts(ctx context.Context, ids []id.Contact) (map[id.Contact]id.Client, error) {
	found := map[id.Contact]id.Client{}
	if len(ids) == 0 {
		return found, nil
	}
	rows := []Contact{}
	err := s.idb.NewSelect().Model(&rows).ModelTableExpr("contact AS k").Column("k.id", "k.client_id").Join("JOIN company ON true").
		Where("k.id IN (?)", bun.List(ids)).Where("k.deleted_at IS NULL").Where(unverified).Scan(ctx)
	for _, row := range rows {
		found[row.ID] = row.ClientID
	}
	return found, translate(err)
}

// SetVerifyContacts turns the confirmation of new contacts' addresses on, from the moment, or off.
func (s *Store) SetVerifyContacts(ctx context.Context, on bool, since time.Time) error {
	_, err := s.idb.NewUpdate().Table("company").Set("verify_contacts = ?", on).Set("verify_since = CASE WHEN verify_contacts THEN verify_since ELSE ? END", since).
		Where("id = 1").Exec(ctx)
	return translate(err)
}
