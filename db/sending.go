package db

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// Sending is a claimed delivery with all that the last look and the mail need.
type Sending struct {
	Delivery
	InvoiceNumber  string
	InvoiceStatus  string
	IssueDate      date.Date
	DueDate        date.Date
	Currency       money.Currency
	Total          money.Minor
	Balance        money.Minor
	PDFKey         string
	InvoicePause   Pause
	ClientName     string
	ClientTimezone string
	ClientPause    Pause
	Recipient      Recipient
	Anchor         string
	Days           int
	Policy         ReminderPolicy // its settings for sending
	Superseded     bool           // a newer step of the invoice has a row for this recipient
}

// Recipient is whom a delivery goes to, as the address book says now.
type Recipient struct {
	Name       string
	Email      string
	Language   string
	Deleted    bool
	Wants      bool // the topic "invoice" is on
	Bounces    bool // the address takes no mail
	Unverified bool // the address must be confirmed first
}

// Outcome is the end of a claimed delivery's attempt.
type Outcome struct {
	Delivery  Delivery // as it was claimed; when sent with the address and language that were used
	Status    string   // a final state, or DeliveryPlanned to try again
	Reason    string
	MessageID string
	Detail    string        // the server's answer or the cause
	Wait      time.Duration // with DeliveryPlanned: until the next attempt
	Event     string        // of the history; "" means Status
}

// advanceSQL notes the end of one delivery ($1 to $9) and claims another ($10 to $12) in one
// statement and one commit.
const advanceSQL = `
WITH done AS (
	UPDATE delivery SET status = $2, reason = $3, due_at = CASE WHEN $2 = 'planned' THEN now() + make_interval(secs => $4) END,
		history = history || $5::jsonb, sent_at = CASE WHEN $2 = 'sent' THEN now() ELSE sent_at END,
		message_id = CASE WHEN $2 = 'sent' THEN $6 ELSE message_id END, email = CASE WHEN $2 = 'sent' THEN $7 ELSE email END,
		language = CASE WHEN $2 = 'sent' THEN $8 ELSE language END
	WHERE id = $1 AND CASE WHEN $2 = 'sent' THEN status IN ('sending', 'queued') ELSE status = 'sending' AND attempts = $9 END
), d AS (
	UPDATE delivery SET status = 'sending', attempts = attempts + 1, due_at = now() + make_interval(secs => $11), history = history || $12::jsonb
	WHERE id = $10 AND status = 'queued' RETURNING id, invoice_id, step_id, coalesce(contact_id, 0) AS contact_id, client_id, send_at, attempts, created_at
)
SELECT d.id, d.invoice_id, d.step_id, d.contact_id, d.client_id, d.send_at, d.attempts, d.created_at,
	i.number, i.status, i.issue_date, i.due_date, i.currency, i.total, i.balance, i.pdf_key,
	coalesce(i.paused_until::text, ''), i.pause_mode,
	c.name, c.timezone, coalesce(c.paused_until::text, ''), c.pause_mode,
	CASE WHEN k.id IS NULL THEN c.name ELSE coalesce(nullif(trim(k.firstname || ' ' || k.lastname), ''), nullif(k.companyname, ''), k.email) END,
	coalesce(k.email, c.email), coalesce(k.language, c.language), k.deleted_at IS NOT NULL, 'invoice' = ANY (coalesce(k.topics, c.topics)),
	lower(coalesce(k.bounced_email, c.bounced_email)) = lower(coalesce(k.email, c.email)),
	coalesce(company.verify_contacts AND k.created_at >= company.verify_since AND lower(k.verified_email) <> lower(k.email), false),
	s.anchor, s.days, p.send_from::text, p.send_until::text, p.business_days, p.attach_pdf,
	EXISTS (SELECT FROM delivery AS n WHERE n.invoice_id = d.invoice_id AND coalesce(n.contact_id, 0) = d.contact_id AND n.id > d.id
		AND n.status IN ('planned', 'queued', 'sending', 'sent'))
FROM d JOIN invoice AS i ON i.id = d.invoice_id JOIN client AS c ON c.id = d.client_id JOIN reminder_step AS s ON s.id = d.step_id
JOIN reminder_policy AS p ON p.id = s.policy_id LEFT JOIN contact AS k ON k.id = d.contact_id LEFT JOIN company ON true`

// AdvanceDelivery notes the end of a claimed delivery (done nil: of none) and marks a queued one (0:
// none) as being sent by the worker until the lease ends. ok is false when there is none to send:
// another worker has it, or it is final.
//
// A mail that was sent is noted even when its lease had ended meanwhile, so that nobody sends it
// again; any other end needs the claim to hold still. This runs once per mail: a prepared statement
// without the query builder.
func (s *Store) AdvanceDelivery(ctx context.Context, done *Outcome, next id.Delivery, worker string, lease time.Duration) (row Sending, ok bool, err error) {
	var o Outcome
	noted := []byte("[]")
	if done != nil {
		o = *done
		event := o.Event
		if event == "" {
			event = o.Status
		}
		noted = historyEvent(event, o.Detail)
	}
	err = s.bun.DB.QueryRowContext(ctx, advanceSQL, pgx.QueryExecModeCacheStatement,
		int64(o.Delivery.ID), o.Status, o.Reason, o.Wait.Seconds(), string(noted), o.MessageID, o.Delivery.Email, o.Delivery.Language, o.Delivery.Attempts,
		int64(next), lease.Seconds(), string(historyEvent("claimed", worker))).Scan(
		(*int64)(&row.ID), (*int64)(&row.InvoiceID), (*int64)(&row.StepID), (*int64)(&row.ContactID), (*int64)(&row.ClientID), &row.SendAt, &row.Attempts, &row.CreatedAt,
		&row.InvoiceNumber, &row.InvoiceStatus, &row.IssueDate, &row.DueDate, (*string)(&row.Currency), (*int64)(&row.Total), (*int64)(&row.Balance), &row.PDFKey,
		(*string)(&row.InvoicePause.PausedUntil), &row.InvoicePause.PauseMode,
		&row.ClientName, &row.ClientTimezone, (*string)(&row.ClientPause.PausedUntil), &row.ClientPause.PauseMode,
		&row.Recipient.Name, &row.Recipient.Email, &row.Recipient.Language, &row.Recipient.Deleted, &row.Recipient.Wants, &row.Recipient.Bounces, &row.Recipient.Unverified,
		&row.Anchor, &row.Days, &row.Policy.SendFrom, &row.Policy.SendUntil, &row.Policy.BusinessDays, &row.Policy.AttachPDF, &row.Superseded)
	if errors.Is(err, sql.ErrNoRows) {
		return Sending{}, false, nil
	}
	row.Status = DeliverySending
	return row, err == nil, translate(err)
}

// historyEvent is an entry of the history as JSON, in a list.
func historyEvent(event, detail string) []byte {
	raw, _ := json.Marshal([]DeliveryEvent{{At: time.Now().UTC(), Event: event, Detail: detail}})
	return raw
}
