package db

import (
	"context"

	"github.com/uptrace/bun"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// Aging is what is owed in one currency, by how many days it is overdue.
type Aging struct {
	Currency money.Currency `bun:"currency"`
	Current  money.Minor    `bun:"current"` // not due yet
	Days30   money.Minor    `bun:"days30"`  // 1-30
	Days60   money.Minor    `bun:"days60"`  // 31-60
	Days90   money.Minor    `bun:"days90"`  // 61-90
	Older    money.Minor    `bun:"older"`   // more than 90
	Total    money.Minor    `bun:"total"`
}

// Aging sums what the clients in reach owe (client 0: all of them).
func (s *Store) Aging(ctx context.Context, reach access.Reach, client id.Client, today date.Date) ([]Aging, error) {
	rows := []Aging{}
	q := s.idb.NewSelect().TableExpr("(SELECT currency, client_id, balance, ?::date - due_date AS late FROM invoice WHERE status IN ('issued', 'partly_paid')) AS open", today).
		ColumnExpr("currency, sum(balance)::bigint AS total, coalesce(sum(balance) FILTER (WHERE late <= 0), 0)::bigint AS current").
		ColumnExpr("coalesce(sum(balance) FILTER (WHERE late BETWEEN 1 AND 30), 0)::bigint AS days30").
		ColumnExpr("coalesce(sum(balance) FILTER (WHERE late BETWEEN 31 AND 60), 0)::bigint AS days60").
		ColumnExpr("coalesce(sum(balance) FILTER (WHERE late BETWEEN 61 AND 90), 0)::bigint AS days90").
		ColumnExpr("coalesce(sum(balance) FILTER (WHERE late > 90), 0)::bigint AS older").GroupExpr("currency").OrderExpr("currency")
	if !reach.All {
		q = q.Where("client_id IN (?)", bun.List(orNone(reach.Clients)))
	}
	if client != 0 {
		q = q.Where("client_id = ?", client)
	}
	err := q.Scan(ctx, &rows)
	return rows, translate(err)
}

// MonthPaid is what was received in a month in one currency.
type MonthPaid struct {
	Month    date.Date      `bun:"month"` // its first day
	Currency money.Currency `bun:"currency"`
	Amount   money.Minor    `bun:"amount"`
	Count    int64          `bun:"count"`
}

// PaidPerMonth sums the payments that count, by month; months without payments have no row.
func (s *Store) PaidPerMonth(ctx context.Context, from, to date.Date) ([]MonthPaid, error) {
	rows := []MonthPaid{}
	err := s.idb.NewRaw(`SELECT date_trunc('month', received_on)::date AS month, currency, sum(amount)::bigint AS amount, count(*) AS count
		FROM payment WHERE voided_at IS NULL AND received_on BETWEEN ? AND ? GROUP BY 1, 2 ORDER BY 1, 2`, from, to).Scan(ctx, &rows)
	return rows, translate(err)
}

// StatementRow is a movement of a client's account.
type StatementRow struct {
	Day       date.Date   `bun:"day"`
	Kind      string      `bun:"kind"` // opening, invoice, cancellation, write_off, payment, payment_void, credit_note, refund
	Reference string      `bun:"reference"`
	Charge    money.Minor `bun:"charge"`
	Payment   money.Minor `bun:"payment"`
	Balance   money.Minor `bun:"balance"` // after the movement; negative in the client's favour
}

// EachStatementRow calls fn for the movements of a client's account in one currency between two days,
// after an opening row with what came before. It holds a connection while it reads.
func (s *Store) EachStatementRow(ctx context.Context, client id.Client, currency money.Currency, zone string, from, to date.Date, fn func(StatementRow) error) error {
	rows, err := s.idb.QueryContext(ctx, statementSQL, client, currency, zone, from, to)
	if err != nil {
		return translate(err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var row StatementRow
		if err := rows.Scan(&row.Day, &row.Kind, &row.Reference, &row.Charge, &row.Payment, &row.Balance); err != nil {
			return err
		}
		if err := fn(row); err != nil {
			return err
		}
	}
	return rows.Err()
}

// statementSQL: ?0 client, ?1 currency, ?2 zone, ?3 first day, ?4 last day.
const statementSQL = `
WITH movement AS (
	SELECT issue_date AS day, created_at AS at, 'invoice' AS kind, number AS reference, total AS charge, 0::bigint AS payment
	FROM invoice WHERE client_id = ?0 AND currency = ?1 AND status <> 'draft'
	UNION ALL
	SELECT (cancelled_at AT TIME ZONE ?2)::date, cancelled_at, 'cancellation', number, 0, total
	FROM invoice WHERE client_id = ?0 AND currency = ?1 AND status = 'cancelled' AND cancelled_at IS NOT NULL
	UNION ALL
	SELECT (written_off_at AT TIME ZONE ?2)::date, written_off_at, 'write_off', number, 0, total - paid - credited
	FROM invoice WHERE client_id = ?0 AND currency = ?1 AND status = 'written_off' AND written_off_at IS NOT NULL
	UNION ALL
	SELECT received_on, created_at, 'payment', reference, 0, amount FROM payment WHERE client_id = ?0 AND currency = ?1
	UNION ALL
	SELECT (voided_at AT TIME ZONE ?2)::date, voided_at, 'payment_void', reference, amount, 0 FROM payment WHERE client_id = ?0 AND currency = ?1 AND voided_at IS NOT NULL
	UNION ALL
	SELECT issue_date, created_at, 'credit_note', number, 0, total FROM credit_note WHERE client_id = ?0 AND currency = ?1
	UNION ALL
	SELECT refunded_on, created_at, 'refund', reference, amount, 0 FROM refund WHERE client_id = ?0 AND currency = ?1
), opening AS (
	SELECT coalesce(sum(charge - payment), 0)::bigint AS balance FROM movement WHERE day < ?3
)
SELECT ?3::date AS day, 'opening' AS kind, '' AS reference, 0::bigint AS charge, 0::bigint AS payment, balance FROM opening
UNION ALL
SELECT day, kind, reference, charge, payment, balance FROM (
	SELECT day, kind, reference, charge, payment, (opening.balance + sum(charge - payment) OVER (ORDER BY day, at, kind, reference))::bigint AS balance,
		row_number() OVER (ORDER BY day, at, kind, reference) AS n
	FROM movement CROSS JOIN opening WHERE day BETWEEN ?3 AND ?4 ORDER BY n
) AS period`
