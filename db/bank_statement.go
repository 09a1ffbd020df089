package db

import (
	"context"

	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// Deposit is a deposit of a bank statement while it is imported.
type Deposit struct {
	Row         int    // of the file
	Content     []byte // hash of what the row says: two equal deposits differ by their occurrence alone
	ReceivedOn  date.Date
	Amount      money.Minor
	Currency    money.Currency
	Reference   string
	Description string
	Numbers     []string    // of invoices, in what the payer wrote
	Clients     []id.Client // of payment references, in what the payer wrote
}

// AddStatement adds the deposits that next returns until it returns none, with what each seems to have
// paid; those that an earlier statement had are left out. It needs the same memory and number of
// statements for any number of deposits. Only inside InBulkTx.
func (s *Store) AddStatement(ctx context.Context, next func() (*Deposit, error)) (added, known int, err error) {
	for _, statement := range []string{
		`CREATE TEMP TABLE statement_row (n bigint, content bytea, received_on date, amount bigint, currency text, reference text, description text,
			numbers text[], clients bigint[]) ON COMMIT DROP`,
		`CREATE TEMP TABLE statement_match (n bigint PRIMARY KEY, match text NOT NULL, client_id bigint NOT NULL, invoice_id bigint UNIQUE) ON COMMIT DROP`,
	} {
		if _, err := s.idb.ExecContext(ctx, statement); err != nil {
			return 0, 0, translate(err)
		}
	}
	n := 0
	err = s.copyRows(ctx, "statement_row", []string{"n", "content", "received_on", "amount", "currency", "reference", "description", "numbers", "clients"}, func() ([]any, error) {
		d, err := next()
		if d == nil || err != nil {
			return nil, err
		}
		n++
		clients := make([]int64, len(d.Clients))
		for i, client := range d.Clients {
			clients[i] = int64(client)
		}
		return []any{n, d.Content, d.ReceivedOn.Time(), int64(d.Amount), string(d.Currency), d.Reference, d.Description, d.Numbers, clients}, nil
	})
	if err != nil {
		return 0, 0, err
	}
	for _, statement := range []string{
		// Two equal deposits on one day are two deposits.
		`CREATE TEMP TABLE statement_new ON COMMIT DROP AS SELECT * FROM (
			SELECT r.*, sha256(content || convert_to('|' || row_number() OVER (PARTITION BY content ORDER BY n), 'UTF8')) AS fingerprint FROM statement_row AS r) AS r
			WHERE NOT EXISTS (SELECT FROM bank_movement AS m WHERE m.fingerprint = r.fingerprint)`,
		`ANALYZE statement_new`,
	} {
		if _, err := s.idb.ExecContext(ctx, statement); err != nil {
			return 0, 0, translate(err)
		}
	}
	if err := s.matchStatement(ctx); err != nil {
		return 0, 0, err
	}
	result, err := s.idb.ExecContext(ctx, `INSERT INTO bank_movement (fingerprint, received_on, amount, currency, reference, description, status, match, client_id, invoice_id)
		SELECT r.fingerprint, r.received_on, r.amount, r.currency, r.reference, r.description, CASE WHEN m.n IS NULL THEN 'unmatched' ELSE 'matched' END,
			coalesce(m.match, ''), m.client_id, m.invoice_id
		FROM statement_new AS r LEFT JOIN statement_match AS m USING (n) ORDER BY r.n ON CONFLICT (fingerprint) DO NOTHING`)
	if err != nil {
		return 0, 0, translate(err)
	}
	fresh, err := result.RowsAffected()
	return int(fresh), n - int(fresh), err
}

// matchRounds is how often invoices are handed out to the deposits that name them: one that names several
// gets the next of them when others had the first.
const matchRounds = 10

// matchStatement proposes what the deposits paid, the surest first: an invoice's number with its whole
// balance, its number, a client's reference with an invoice's whole balance, a client's reference. Within
// each the first deposit gets the first invoice due. An invoice is proposed to one deposit only, also
// among those of earlier statements that nobody has decided about.
func (s *Store) matchStatement(ctx context.Context) error {
	const open = `i.status IN ('issued', 'partly_paid')
		AND NOT EXISTS (SELECT FROM statement_match AS m WHERE m.invoice_id = i.id)
		AND NOT EXISTS (SELECT FROM bank_movement AS b WHERE b.invoice_id = i.id AND b.status = 'matched')`
	named := func(why, more string) string {
		return `INSERT INTO statement_match SELECT DISTINCT ON (invoice_id) n, '` + why + `', client_id, invoice_id FROM (
			SELECT DISTINCT ON (r.n) r.n, i.client_id, i.id AS invoice_id
			FROM statement_new AS r CROSS JOIN unnest(r.numbers) AS number JOIN invoice AS i ON i.number = number.number AND i.currency = r.currency
			WHERE ` + open + more + ` AND NOT EXISTS (SELECT FROM statement_match AS m WHERE m.n = r.n)
			ORDER BY r.n, i.due_date, i.id) AS first ORDER BY invoice_id, n`
	}
	const payer = `SELECT DISTINCT ON (r.n) r.n, c.id AS client_id, r.currency, r.amount FROM statement_new AS r
		CROSS JOIN unnest(r.clients) WITH ORDINALITY AS u(client, position) JOIN client AS c ON c.id = u.client
		WHERE NOT EXISTS (SELECT FROM statement_match AS m WHERE m.n = r.n) ORDER BY r.n, u.position`
	for _, step := range []struct {
		statement string
		rounds    int
	}{
		{named("number_and_amount", " AND i.balance = r.amount"), matchRounds},
		{named("number", ""), matchRounds},
		{`INSERT INTO statement_match SELECT r.n, 'client_and_amount', r.client_id, i.id FROM
			(SELECT *, row_number() OVER (PARTITION BY client_id, currency, amount ORDER BY n) AS k FROM (` + payer + `) AS payer) AS r
			JOIN (SELECT i.*, row_number() OVER (PARTITION BY client_id, currency, balance ORDER BY due_date, id) AS k FROM invoice AS i
				WHERE i.client_id IN (SELECT unnest(clients) FROM statement_new) AND ` + open + `) AS i
			ON i.client_id = r.client_id AND i.currency = r.currency AND i.balance = r.amount AND i.k = r.k`, 1},
		{`INSERT INTO statement_match SELECT n, 'client', client_id FROM (` + payer + `) AS payer`, 1},
	} {
		for range step.rounds {
			result, err := s.idb.ExecContext(ctx, step.statement)
			if err != nil {
				return translate(err)
			}
			if found, err := result.RowsAffected(); err != nil || found == 0 {
				break
			}
		}
	}
	return nil
}
