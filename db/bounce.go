package db

import (
	"context"

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
