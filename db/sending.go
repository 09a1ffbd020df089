package db

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"strings"
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
	XML            []byte         // of the invoice's stamped CFDI, where the policy attaches it
	UUID           string         // of that CFDI
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
	Email     *Email        // the mail as it is kept; nil: none was made
}

// Advance is a worker's step from one mail to the next.
type Advance struct {
	Done []Outcome   // how the deliveries of its last mail ended
	Next id.Delivery // the one that it wants to send; 0: none
}

// advanceSQL notes the ends of deliveries ($1 to $9), claims others ($10 to $12) and keeps the mails that
// were sent ($13 on) in one statement and one commit. A row that is noted is not claimed, because a
// statement changes a row once.
var advanceSQL = `
WITH framed AS (
	` + framesSQL(13) + `
), kept AS (
	` + keepSQL(15) + `
), noted AS (
	UPDATE delivery AS n SET status = o.status, reason = o.reason, due_at = CASE WHEN o.status = 'planned' THEN now() + make_interval(secs => o.wait) END,
		history = n.history || o.event::jsonb, sent_at = CASE WHEN o.status = 'sent' THEN now() ELSE n.sent_at END,
		message_id = CASE WHEN o.status = 'sent' THEN o.message_id ELSE n.message_id END, email = CASE WHEN o.status = 'sent' THEN o.email ELSE n.email END,
		language = CASE WHEN o.status = 'sent' THEN o.language ELSE n.language END
	FROM unnest($1::bigint[], $2::text[], $3::text[], $4::float8[], $5::text[], $6::text[], $7::text[], $8::text[], $9::int[])
		AS o (id, status, reason, wait, event, message_id, email, language, attempts)
	WHERE n.id = o.id AND CASE WHEN o.status = 'sent' THEN n.status IN ('sending', 'queued') ELSE n.status = 'sending' AND n.attempts = o.attempts END
), d AS (
	UPDATE delivery SET status = 'sending', attempts = attempts + 1, due_at = now() + make_interval(secs => $11), history = history || $12::jsonb
	WHERE id = ANY ($10::bigint[]) AND id <> ALL ($1) AND status || '' = 'queued' -- by id: what is queued changes faster than statistics
	RETURNING id, invoice_id, step_id, coalesce(contact_id, 0) AS contact_id, client_id, send_at, attempts, created_at, message_id
)` + sendingSQL

// sendingSQL reads what Sending holds of the rows d.
const sendingSQL = `
SELECT d.id, d.invoice_id, d.step_id, d.contact_id, d.client_id, d.send_at, d.attempts, d.created_at, d.message_id,
	i.number, i.status, i.issue_date, i.due_date, i.currency, i.total, i.balance, i.pdf_key,
	coalesce(i.paused_until::text, ''), i.pause_mode,
	c.name, c.timezone, coalesce(c.paused_until::text, ''), c.pause_mode,
	CASE WHEN k.id IS NULL THEN c.name ELSE coalesce(nullif(trim(k.firstname || ' ' || k.lastname), ''), nullif(k.companyname, ''), k.email) END,
	coalesce(k.email, c.email), coalesce(k.language, c.language), k.deleted_at IS NOT NULL, 'invoice' = ANY (coalesce(k.topics, c.topics)),
	lower(coalesce(k.bounced_email, c.bounced_email)) = lower(coalesce(k.email, c.email)),
	coalesce(` + unverified + `, false),
	s.anchor, s.days, p.send_from::text, p.send_until::text, p.business_days, p.attach_pdf, p.consolidate, p.catch_up_days, f.xml, coalesce(f.uuid::text, ''),
	EXISTS (SELECT FROM delivery AS n JOIN reminder_step AS ns ON ns.id = n.step_id WHERE n.invoice_id = d.invoice_id AND coalesce(n.contact_id, 0) = d.contact_id
		AND (CASE ns.anchor WHEN 'issue' THEN i.issue_date ELSE i.due_date END + ns.days, n.id) > (CASE s.anchor WHEN 'issue' THEN i.issue_date ELSE i.due_date END + s.days, d.id)
		AND n.status IN ('planned', 'queued', 'sending', 'sent')
		AND n.send_at < d.send_at + make_interval(days => p.catch_up_days + 7)) -- not what a clock noted that was ahead
FROM d JOIN invoice AS i ON i.id = d.invoice_id JOIN client AS c ON c.id = d.client_id JOIN reminder_step AS s ON s.id = d.step_id
JOIN reminder_policy AS p ON p.id = s.policy_id LEFT JOIN contact AS k ON k.id = d.contact_id LEFT JOIN company ON true
LEFT JOIN LATERAL (SELECT xml, uuid FROM cfdi WHERE p.attach_xml AND cfdi.invoice_id = d.invoice_id AND cfdi.kind = 'ingreso' AND cfdi.status = 'stamped' ORDER BY id DESC LIMIT 1) AS f ON true`

// AdvanceDeliveries notes the ends of claimed deliveries and marks queued ones as being sent by the
// worker until the lease ends. It returns those that are the caller's now, in no order: what is missing
// is another worker's, or final.
//
// A mail that was sent is noted even when its lease had ended meanwhile, so that nobody sends it
// again; any other end needs the claim to hold still. This is the statement of every mail: prepared,
// without the query builder.
func (s *Store) AdvanceDeliveries(ctx context.Context, steps []Advance, worker string, lease time.Duration) ([]Sending, error) {
	n := len(steps)
	done, next := make([]int64, 0, n), make([]int64, 0, n)
	status, reason, event, messageID, email, language := make([]string, 0, n), make([]string, 0, n), make([]string, 0, n), make([]string, 0, n), make([]string, 0, n), make([]string, 0, n)
	wait, attempts := make([]float64, 0, n), make([]int32, 0, n)
	emails := make([]*Email, 0, n)
	for _, step := range steps {
		if step.Next != 0 {
			next = append(next, int64(step.Next))
		}
		for _, o := range step.Done {
			done, status, reason, wait = append(done, int64(o.Delivery.ID)), append(status, o.Status), append(reason, o.Reason), append(wait, o.Wait.Seconds())
			event, messageID = append(event, string(historyEvent(cmp.Or(o.Event, o.Status), o.Detail))), append(messageID, o.MessageID)
			email, language, attempts = append(email, o.Delivery.Email), append(language, o.Delivery.Language), append(attempts, int32(o.Delivery.Attempts))
			if o.Email != nil {
				emails = append(emails, o.Email)
			}
		}
	}
	hashes, frames := s.hashFrames(emails)
	args := append([]any{pgx.QueryExecModeCacheStatement, done, status, reason, wait, event, messageID, email, language, attempts,
		next, lease.Seconds(), string(historyEvent("claimed", worker)), hashes, frames}, keepArrays(emails)...)
	rows, err := s.bun.DB.QueryContext(ctx, advanceSQL, args...)
	if err != nil {
		return nil, translate(err)
	}
	claimed, err := scanSendings(rows)
	if err == nil {
		for i, frame := range frames {
			s.frames.Store(frame, hashes[i])
		}
	}
	return claimed, translate(err)
}

// scanSendings reads the rows of sendingSQL.
func scanSendings(rows *sql.Rows) ([]Sending, error) {
	defer func() { _ = rows.Close() }()
	claimed := []Sending{}
	for rows.Next() {
		row := Sending{}
		if err := rows.Scan((*int64)(&row.ID), (*int64)(&row.InvoiceID), (*int64)(&row.StepID), (*int64)(&row.ContactID), (*int64)(&row.ClientID), &row.SendAt, &row.Attempts, &row.CreatedAt, &row.MessageID,
			&row.InvoiceNumber, &row.InvoiceStatus, &row.IssueDate, &row.DueDate, (*string)(&row.Currency), (*int64)(&row.Total), (*int64)(&row.Balance), &row.PDFKey,
			(*string)(&row.InvoicePause.PausedUntil), &row.InvoicePause.PauseMode,
			&row.ClientName, &row.ClientTimezone, (*string)(&row.ClientPause.PausedUntil), &row.ClientPause.PauseMode,
			&row.Recipient.Name, &row.Recipient.Email, &row.Recipient.Language, &row.Recipient.Deleted, &row.Recipient.Wants, &row.Recipient.Bounces, &row.Recipient.Unverified,
			&row.Anchor, &row.Days, &row.Policy.SendFrom, &row.Policy.SendUntil, &row.Policy.BusinessDays, &row.Policy.AttachPDF, &row.Policy.Consolidate, &row.Policy.CatchUpDays, &row.XML, &row.UUID, &row.Superseded); err != nil {
			return nil, err
		}
		row.Status = DeliverySending
		claimed = append(claimed, row)
	}
	return claimed, rows.Err()
}

// historyEvent is an entry of the history as JSON, in a list. PostgreSQL takes no NUL.
func historyEvent(event, detail string) []byte {
	detail = strings.ReplaceAll(detail, "\x00", " ")
	raw, _ := json.Marshal([]DeliveryEvent{{At: time.Now().UTC(), Event: event, Detail: detail}})
	return raw
}
