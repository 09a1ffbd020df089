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
