package db

import (
	"context"
	"math"
	"time"

	"github.com/uptrace/bun"
	"github.com/uptrace/bun/dialect/pgdialect"

	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// LateFeeKind marks the line that charges a late fee; no fee is ever charged on it.
const LateFeeKind = "late_fee"

// LateFeeRule says what is charged for paying late. It is never edited: a change retires it and adds
// another.
type LateFeeRule struct {
	bun.BaseModel `bun:"table:late_fee_rule"`

	ID        id.LateFee     `bun:"id,pk,autoincrement"`
	Name      string         `bun:"name"`
	Kind      string         `bun:"kind"` // of item, "hosting"; "": any
	TLD       string         `bun:"tld"`  // of a domain, "mx"; "": any
	Currency  money.Currency `bun:"currency"`
	Percent   money.Decimal  `bun:"percent"` // of the items' amount after discount, before tax; or
	Fixed     money.Minor    `bun:"fixed"`
	Minimum   money.Minor    `bun:"minimum"`
	GraceDays int            `bun:"grace_days"` // charged when that many days have passed since the due date
	Treatment string         `bun:"treatment"`  // tax treatment of the fee, see billing.TaxTreatment
	CreatedAt time.Time      `bun:"created_at,nullzero,default:now()"`
	RetiredAt *time.Time     `bun:"retired_at"`
	OriginID  id.LateFee     `bun:"origin_id,nullzero"` // the first of the rules that replaced each other; 0: this one
}

// LateFee is a fee that an invoice has to bear by a rule.
type LateFee struct {
	InvoiceID id.Invoice     `bun:"invoice_id"`
	RuleID    id.LateFee     `bun:"rule_id"`
	OriginID  id.LateFee     `bun:"origin_id"` // the first of the rules that this one replaced, or itself
	ClientID  id.Client      `bun:"client_id"`
	Number    string         `bun:"number"` // of the invoice
	Name      string         `bun:"name"`   // of the rule
	Currency  money.Currency `bun:"currency"`
	Amount    money.Minor    `bun:"amount"` // before tax
	Treatment string         `bun:"treatment"`
	Total     money.Minor    `bun:"-"`      // with tax: what is charged; set by package reminder
	On        date.Date      `bun:"on_day"` // charged from that day
	Language  string         `bun:"language"`
}

// LateFeeRules lists the rules in force.
func (s *Store) LateFeeRules(ctx context.Context) ([]LateFeeRule, error) {
	rows := []LateFeeRule{}
	err := s.idb.NewSelect().Model(&rows).Where("retired_at IS NULL").OrderExpr("id").Scan(ctx)
	return rows, translate(err)
}

// AddLateFeeRule inserts a rule and sets its id.
func (s *Store) AddLateFeeRule(ctx context.Context, row *LateFeeRule) error {
	_, err := s.idb.NewInsert().Model(row).Exec(ctx)
	return translate(err)
}

// RetireLateFeeRule ends a rule and returns the first of the rules that it replaced, or itself. found is false when
// none is in force.
func (s *Store) RetireLateFeeRule(ctx context.Context, ruleID id.LateFee, now time.Time) (origin id.LateFee, found bool, err error) {
	rows := []id.LateFee{}
	err = s.idb.NewRaw("UPDATE late_fee_rule SET retired_at = ? WHERE id = ? AND retired_at IS NULL RETURNING coalesce(origin_id, id)", now, ruleID).Scan(ctx, &rows)
	if err != nil || len(rows) == 0 {
		return 0, false, translate(err)
	}
	return rows[0], true, nil
}

// DueLateFees returns fees of open invoices that are due by now and not charged yet, at most limit, by invoice
// and rule, those after the given one. A rule does not act on days before it was made, on exempt or closed
// clients, on fees, or while a pause holds.
func (s *Store) DueLateFees(ctx context.Context, now time.Time, after LateFee, limit int) ([]LateFee, error) {
	return s.lateFees(ctx, now, true, nil, after, limit)
}

// ComingLateFees returns the fees that open invoices have still to bear if they stay unpaid.
func (s *Store) ComingLateFees(ctx context.Context, now time.Time, invoices []id.Invoice) ([]LateFee, error) {
	return s.lateFees(ctx, now, false, pgdialect.Array(invoices), LateFee{}, math.MaxInt32)
}

func (s *Store) lateFees(ctx context.Context, now time.Time, due bool, invoices any, after LateFee, limit int) ([]LateFee, error) {
	rows := []LateFee{}
	err := s.idb.NewRaw(`
		SELECT i.id AS invoice_id, r.id AS rule_id, coalesce(r.origin_id, r.id) AS origin_id, i.client_id, i.number, r.name, i.currency, r.treatment, on_day.day AS on_day, c.language,
			greatest(CASE WHEN r.fixed > 0 THEN r.fixed ELSE round(items.amount * r.percent / 100) END, r.minimum)::bigint AS amount
		FROM invoice AS i JOIN client AS c ON c.id = i.client_id AND NOT c.late_fee_exempt AND c.closed_at IS NULL
		JOIN late_fee_rule AS r ON r.retired_at IS NULL AND r.currency = i.currency
		CROSS JOIN LATERAL (SELECT i.due_date + r.grace_days AS day) AS on_day
		CROSS JOIN LATERAL (SELECT sum(l.amount - l.discount) AS amount FROM invoice_line AS l
			WHERE l.invoice_id = i.id AND l.kind <> 'late_fee' AND (r.kind = '' OR l.kind = r.kind) AND (r.tld = '' OR lower(l.tld) = lower(r.tld))) AS items
		WHERE i.status IN ('issued', 'partly_paid') AND i.balance > 0 AND items.amount > 0 AND (?2::bigint[] IS NULL OR i.id = ANY (?2))
			AND on_day.day >= (r.created_at AT TIME ZONE c.timezone)::date
			AND CASE WHEN ?1 THEN on_day.day < (?0::timestamptz AT TIME ZONE c.timezone)::date
				AND NOT coalesce(greatest(c.paused_until, i.paused_until) > (?0::timestamptz AT TIME ZONE c.timezone)::date, false)
				ELSE on_day.day >= (?0::timestamptz AT TIME ZONE c.timezone)::date END
			AND NOT EXISTS (SELECT FROM late_fee AS f JOIN late_fee_rule AS charged ON charged.id = f.rule_id
				WHERE f.invoice_id = i.id AND coalesce(charged.origin_id, charged.id) = coalesce(r.origin_id, r.id))
			AND (i.id, r.id) > (?4, ?5)
		ORDER BY i.id, r.id LIMIT ?3`, now, due, invoices, limit, after.InvoiceID, after.RuleID).Scan(ctx, &rows)
	return rows, translate(err)
}

// AddLateFee notes that a fee was charged by the invoice; a second note of the same fee does nothing.
func (s *Store) AddLateFee(ctx context.Context, fee LateFee, charge id.Invoice) error {
	_, err := s.idb.NewRaw(`INSERT INTO late_fee (invoice_id, rule_id, charge_id, amount) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING`,
		fee.InvoiceID, fee.RuleID, charge, fee.Amount).Exec(ctx)
	return translate(err)
}

// SetLateFeeExempt exempts a client from late fees, or no longer.
func (s *Store) SetLateFeeExempt(ctx context.Context, clientID id.Client, exempt bool) error {
	_, err := s.idb.NewUpdate().Table("client").Set("late_fee_exempt = ?", exempt).Where("id = ?", clientID).Exec(ctx)
	return translate(err)
}
