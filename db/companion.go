package db

import (
	"context"
	"time"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/id"
)

// companionSQL claims the rows ?0 for a mail with the Message-ID ?1.
const companionSQL = `
WITH d AS (
	UPDATE delivery SET status = 'sending', attempts = attempts + 1, due_at = now() + make_interval(secs => ?2), history = history || ?3::jsonb, message_id = ?1
	WHERE id IN (?0) RETURNING id, invoice_id, step_id, coalesce(contact_id, 0) AS contact_id, client_id, send_at, attempts, created_at, message_id
)` + sendingSQL + ` ORDER BY d.id`

// mailSQL reads the rows of the mail that ?0 is of or would be: a row that is to be sent, or failed and
// may be tried again, with those that go along (see ClaimCompanions); a final one with those that went
// along.
const mailSQL = `
WITH f AS (
	SELECT d.*, i.due_date, i.currency, p.consolidate FROM delivery AS d JOIN invoice AS i ON i.id = d.invoice_id
	JOIN reminder_step AS s ON s.id = d.step_id JOIN reminder_policy AS p ON p.id = s.policy_id WHERE d.id = ?0
), d AS (
	SELECT g.id, g.invoice_id, g.step_id, coalesce(g.contact_id, 0) AS contact_id, g.client_id, g.send_at, g.attempts, g.created_at, g.message_id
	FROM f JOIN delivery AS g ON g.id = f.id OR g.client_id = f.client_id AND g.step_id = f.step_id AND g.contact_id IS NOT DISTINCT FROM f.contact_id
		AND g.message_id = f.message_id AND (g.message_id <> '' OR f.consolidate AND f.status IN ('planned', 'queued', 'sending')) AND (g.status = f.status
			OR g.status IN ('planned', 'queued', 'sending') AND f.status IN ('planned', 'queued', 'sending'))
	JOIN invoice AS i ON i.id = g.invoice_id AND i.due_date = f.due_date AND i.currency = f.currency
)` + sendingSQL + ` ORDER BY d.id <> ?0, d.id`

// MailOf returns what a worker would have before it that sends the mail of a delivery; nothing is claimed.
func (s *Store) MailOf(ctx context.Context, deliveryID id.Delivery) ([]Sending, error) {
	found, err := s.idb.QueryContext(ctx, mailSQL, deliveryID)
	if err != nil {
		return nil, translate(err)
	}
	rows, err := scanSendings(found)
	return rows, translate(err)
}

// InvoicesOfMail returns the invoices that the ledger has under the Message-ID of the delivery of an
// invoice, step and contact (0: the client's own address).
func (s *Store) InvoicesOfMail(ctx context.Context, invoiceID id.Invoice, stepID id.Step, contactID id.Contact) ([]id.Invoice, error) {
	ids := []id.Invoice{}
	err := s.idb.NewRaw(`SELECT g.invoice_id FROM delivery AS f JOIN delivery AS g ON g.client_id = f.client_id AND g.step_id = f.step_id
			AND g.contact_id IS NOT DISTINCT FROM f.contact_id AND (g.id = f.id OR g.message_id <> '' AND g.message_id = f.message_id)
		WHERE f.invoice_id = ?0 AND f.step_id = ?1 AND coalesce(f.contact_id, 0) = ?2 ORDER BY g.invoice_id`, invoiceID, stepID, contactID).Scan(ctx, &ids)
	return ids, translate(err)
}

// ClaimCompanions claims the deliveries that go out in one mail with a claimed one: to the same
// recipient, of the same step, of invoices due on the same day in the same currency, waiting to be sent
// now. All of them, first included, get the mail's Message-ID, so that a repetition after a crash holds
// no more than the same ones. wait is true when another worker holds one of them and has not yet decided
// what its mail holds: the caller gives first back for a moment, and nothing was claimed.
func (s *Store) ClaimCompanions(ctx context.Context, first Sending, messageID, worker string, lease time.Duration) (rows []Sending, wait bool, err error) {
	err = s.InTx(ctx, func(tx *Store) error {
		if err := tx.Lock(ctx, "companions "+first.ClientID.String()); err != nil {
			return err
		}
		group := []struct {
			ID     id.Delivery `bun:"id"`
			Status string      `bun:"status"`
		}{}
		if err := tx.idb.NewRaw(`SELECT g.id, g.status FROM delivery AS g JOIN invoice AS i ON i.id = g.invoice_id
			WHERE g.client_id = ?0 AND g.step_id = ?1 AND coalesce(g.contact_id, 0) = ?2 AND g.id <> ?3 AND g.message_id = ?4 AND i.due_date = ?5 AND i.currency = ?6
				AND (g.status IN ('queued', 'sending') OR g.status = 'planned' AND g.due_at <= now() + interval '5 seconds')
			ORDER BY g.id FOR UPDATE OF g`,
			first.ClientID, first.StepID, first.ContactID, first.ID, first.MessageID, first.DueDate, first.Currency).Scan(ctx, &group); err != nil {
			return err
		}
		ids := []id.Delivery{}
		for _, row := range group {
			if row.Status == DeliverySending {
				wait = true
				return nil
			}
			ids = append(ids, row.ID)
		}
		if _, err := tx.idb.NewUpdate().Table("delivery").Set("message_id = ?", messageID).Where("id = ?", first.ID).Exec(ctx); err != nil || len(ids) == 0 {
			return err
		}
		found, err := tx.idb.QueryContext(ctx, companionSQL, bun.List(ids), messageID, lease.Seconds(), string(historyEvent("claimed", worker)))
		if err != nil {
			return err
		}
		rows, err = scanSendings(found)
		return err
	})
	return rows, wait, translate(err)
}
