package db

import (
	"context"
	"time"

	"github.com/nubedigitalmx/avisa/internal/id"
)

// MarkBounce writes what came back from the address of a contact, or (contact 0) of the client itself.
func (s *Store) MarkBounce(ctx context.Context, clientID id.Client, contactID id.Contact, b Bounce) error {
	table, rowID := "client", int64(clientID)
	if contactID != 0 {
		table, rowID = "contact", int64(contactID)
	}
	_, err := s.idb.NewUpdate().Table(table).Set("bounced_email = ?", b.BouncedEmail).Set("bounced_at = ?", b.BouncedAt).
		Set("bounce_detail = ?", b.BounceDetail).Set("soft_bounces = ?", b.SoftBounces).Where("id = ?", rowID).Exec(ctx)
	return translate(err)
}

// ArrivedSince reports whether a reminder to the address of a contact (0: the client's own) was sent after
// the one moment, before the other, and did not come back.
func (s *Store) ArrivedSince(ctx context.Context, clientID id.Client, contactID id.Contact, email string, after, before time.Time) (bool, error) {
	ok, err := s.idb.NewSelect().Table("delivery").Where("client_id = ?", clientID).Where("coalesce(contact_id, 0) = ?", contactID).
		Where("lower(email) = lower(?)", email).Where("status = 'sent'").Where("sent_at > ?", after).Where("sent_at < ?", before).Exists(ctx)
	return ok, translate(err)
}

// DeliveryOf returns the row of the ledger for an invoice, step and recipient (contact 0: the
// client's own address).
func (s *Store) DeliveryOf(ctx context.Context, invoiceID id.Invoice, stepID id.Step, contactID id.Contact) (Delivery, error) {
	var row Delivery
	err := s.idb.NewSelect().Model(&row).Where("invoice_id = ?", invoiceID).Where("step_id = ?", stepID).
		Where("coalesce(contact_id, 0) = ?", contactID).Scan(ctx)
	return row, translate(err)
}

// BounceDelivery notes that the mail of a delivery came back, also for those that it held besides. It
// returns false when that was noted before.
func (s *Store) BounceDelivery(ctx context.Context, deliveryID id.Delivery, reason, detail string) (bool, error) {
	result, err := s.idb.NewUpdate().Table("delivery").Set("status = 'bounced'").Set("reason = ?", reason).
		Set("history = history || ?::jsonb", string(historyEvent(DeliveryBounced, detail))).
		Where("id = ?0 OR (client_id, message_id) = (SELECT client_id, message_id FROM delivery WHERE id = ?0 AND message_id <> '')", deliveryID).
		Where("status = 'sent'").Exec(ctx)
	if err != nil {
		return false, translate(err)
	}
	n, err := result.RowsAffected()
	return n > 0, err
}

// OwnerLogin returns the login that owns a client.
func (s *Store) OwnerLogin(ctx context.Context, clientID id.Client) (Login, error) {
	var row Login
	err := s.idb.NewSelect().Model(&row).Where("id = (SELECT login_id FROM sub_account WHERE client_id = ? AND owner)", clientID).Scan(ctx)
	return row, translate(err)
}

// BouncedAddress is an address that takes no mail: of a contact, or (ContactID 0) of a client itself.
type BouncedAddress struct {
	ClientID   id.Client  `bun:"client_id"`
	ClientName string     `bun:"client_name"`
	ContactID  id.Contact `bun:"contact_id"`
	Name       string     `bun:"name"`
	Email      string     `bun:"email"`
	At         *time.Time `bun:"at"`
	Detail     string     `bun:"detail"`
}

// BouncedAddresses lists the addresses of a client (0: of all) that take no mail, the latest first.
func (s *Store) BouncedAddresses(ctx context.Context, clientID id.Client, limit int) ([]BouncedAddress, error) {
	rows := []BouncedAddress{}
	err := s.idb.NewRaw(`
		SELECT id AS client_id, name AS client_name, 0::bigint AS contact_id, name, email, bounced_at AS at, bounce_detail AS detail
		FROM client WHERE bounced_email <> '' AND lower(bounced_email) = lower(email) AND (?0 = 0 OR id = ?0)
		UNION ALL
		SELECT k.client_id, c.name, k.id, coalesce(nullif(trim(k.firstname || ' ' || k.lastname), ''), nullif(k.companyname, ''), k.email), k.email, k.bounced_at, k.bounce_detail
		FROM contact AS k JOIN client AS c ON c.id = k.client_id
		WHERE k.bounced_email <> '' AND lower(k.bounced_email) = lower(k.email) AND k.deleted_at IS NULL AND (?0 = 0 OR k.client_id = ?0)
		ORDER BY at DESC NULLS LAST, client_id, contact_id LIMIT ?1`, clientID, limit).Scan(ctx, &rows)
	return rows, translate(err)
}
