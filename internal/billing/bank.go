package billing

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/internal/sheet"
)

// StatementResult says what a bank statement brought.
type StatementResult struct {
	Added     int // movements that wait for review
	Known     int // in an earlier statement already
	Withdrawn int // rows that are no deposits: left out
	Errors    int // all errors, also those beyond the ones that are returned
	Latin1    bool
}

// ImportStatement reads the deposits of a bank statement (CSV with the columns date, amount and
// optionally reference, description, currency), proposes what each paid and leaves the decision to a person. The file is
// read as a stream, so its size does not matter. With any error nothing is saved; a movement of an earlier statement is not added again. Staff only.
func (s *Service) ImportStatement(ctx context.Context, file io.Reader) (StatementResult, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return StatementResult{}, err
	}
	rows, err := sheet.New(file, []string{"date", "amount"}, []string{"reference", "description", "currency"})
	if err != nil {
		return StatementResult{}, err
	}
	return s.importStatement(ctx, rows)
}

func (s *Service) importStatement(ctx context.Context, rows *sheet.Sheet) (StatementResult, error) {
	im := statementImport{sheet: rows}
	err := s.Store.InBulkTx(ctx, func(tx *db.Store) error {
		var err error
		if im.result.Added, im.result.Known, err = tx.AddStatement(ctx, im.next); err != nil {
			return err
		}
		if err := im.checks.Err(); err != nil {
			return err // undoes everything
		}
		if im.result.Added == 0 {
			return nil
		}
		return tx.Audit(ctx, db.AuditEntry{Verb: "import.statement", After: map[string]any{"added": im.result.Added, "known": im.result.Known, "withdrawn": im.result.Withdrawn}})
	})
	if err != nil {
		return StatementResult{Errors: im.result.Errors}, err
	}
	im.result.Latin1 = rows.Latin1
	return im.result, nil
}

// statementImport reads deposits from a statement, one after the other.
type statementImport struct {
	sheet  *sheet.Sheet
	result StatementResult
	checks fault.Checks
}

func (im *statementImport) fail(field, code string) {
	if im.result.Errors++; im.result.Errors <= maxImportErrors {
		im.checks.Add(sheet.Path(im.sheet.Row, field), code)
	}
}

// next returns the next deposit, nil at the end. After an error the rest is read for its errors alone.
func (im *statementImport) next() (*db.Deposit, error) {
	for {
		cell, err := im.sheet.Next()
		if errors.Is(err, io.EOF) {
			return nil, nil
		}
		if f, ok := fault.As(err); ok {
			for _, field := range f.Fields {
				im.fail(strings.TrimPrefix(strings.TrimPrefix(field.Path, sheet.Path(im.sheet.Row, "")), "."), field.Code)
			}
			continue
		}
		if err != nil {
			return nil, err
		}
		if d := im.deposit(cell); d != nil && im.result.Errors == 0 {
			return d, nil
		}
	}
}

// deposit reads a row; nil for one that is no deposit, or wrong.
func (im *statementImport) deposit(cell func(string) string) *db.Deposit {
	if im.sheet.Mapped && cell("amount") == "" { // a withdrawal, or a row of text
		im.result.Withdrawn++
		return nil
	}
	d := db.Deposit{Row: im.sheet.Row, Currency: money.Currency(strings.ToUpper(cell("currency"))), Reference: shortest(cell("reference")), Description: shortest(cell("description"))}
	if d.Currency == "" {
		d.Currency = money.MXN
	}
	if !d.Currency.Valid() {
		im.fail("currency", "CURRENCY_UNKNOWN")
		return nil
	}
	var err error
	if d.ReceivedOn, err = parseDay(cell("date")); err != nil {
		im.fail("date", "DATE_MALFORMED")
	}
	var bad *money.Error
	if d.Amount, err = money.ParseMinor(decimalPoint(cell("amount")), d.Currency); errors.As(err, &bad) {
		im.fail("amount", strings.ToUpper(bad.Code))
		return nil
	}
	if d.Amount <= 0 {
		im.result.Withdrawn++
		return nil
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%s|%d|%s|%s|%s", d.ReceivedOn, d.Amount, d.Currency, d.Reference, d.Description))
	d.Content = sum[:]
	d.Numbers, d.Clients = tokens(d.Reference + " " + d.Description)
	return &d
}

// commaDecimals is an amount whose decimals follow a comma: 1.234,56 or 1234,56. In Mexico a comma comes
// before three digits, so two of them say that it is none of the thousands.
var commaDecimals = regexp.MustCompile(`^\D*(?:\d{1,3}(?:\.\d{3})+|\d+),\d{2}\D*$`)

// decimalPoint writes an amount as in Mexico: 1,234.56.
func decimalPoint(text string) string {
	if commaDecimals.MatchString(text) {
		return strings.NewReplacer(".", ",", ",", ".").Replace(text)
	}
	return text
}

// shortest keeps a bank's text within what people can read.
func shortest(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > 300 {
		return string(r[:300])
	}
	return text
}

// months are the abbreviations that Mexican banks write.
var months = map[string]string{"ene": "01", "feb": "02", "mar": "03", "abr": "04", "may": "05", "jun": "06", "jul": "07", "ago": "08", "sep": "09", "oct": "10", "nov": "11", "dic": "12"}

// parseDay reads 2026-03-31 and what Mexican banks write: 31/03/2026, 31-03-26, 31/mar/2026, 31 mar 2026.
func parseDay(text string) (date.Date, error) {
	parts := strings.FieldsFunc(text, func(r rune) bool { return r == '/' || r == '-' || r == ' ' || r == '.' })
	if len(parts) == 3 && len(parts[0]) <= 2 && len(parts[2]) == 2 {
		parts[2] = "20" + parts[2]
	}
	if len(parts) == 3 && len(parts[2]) == 4 {
		month := strings.ToLower(parts[1])
		if number, ok := months[month]; ok {
			month = number
		}
		text = fmt.Sprintf("%s-%02s-%02s", parts[2], month, parts[0])
	}
	return date.Parse(text)
}

var (
	numberToken    = regexp.MustCompile(`\b[A-Z]{1,5}-?[0-9]{1,15}\b`)
	referenceToken = regexp.MustCompile(`\b[0-9]{7,19}\b`)
)

// tokens reads invoice numbers and payment references from what the payer wrote.
func tokens(text string) (numbers []string, clients []id.Client) {
	text = strings.ToUpper(text)
	for _, token := range numberToken.FindAllString(text, 10) {
		if !strings.Contains(token, "-") { // banks drop hyphens: F1042 is F-1042
			cut := strings.IndexAny(token, "0123456789")
			token = token[:cut] + "-" + token[cut:]
		}
		numbers = append(numbers, token)
	}
	for _, token := range referenceToken.FindAllString(text, 10) {
		if client, ok := ClientOfReference(token); ok {
			clients = append(clients, client)
		}
	}
	return numbers, clients
}

// Movements lists the movements of bank statements, the oldest first; status "" is any. Staff only.
func (s *Service) Movements(ctx context.Context, status string, page db.Page) (db.List[db.Movement], error) {
	if err := access.RequireCapability(ctx, access.ReadBilling); err != nil {
		return db.List[db.Movement]{}, err
	}
	if err := page.Check(); err != nil {
		return db.List[db.Movement]{}, err
	}
	return s.Store.Movements(ctx, status, page)
}

// ConfirmInput says what a movement paid.
type ConfirmInput struct {
	MovementID id.Movement
	ClientID   id.Client    // 0 takes the proposed one
	Invoices   []Allocation // none takes the proposed one; what they do not need becomes credit
	CreditOnly bool         // no invoice at all: everything becomes the client's credit
}

// ConfirmMovement books a movement as a payment. Confirming it again changes nothing. Staff only.
func (s *Service) ConfirmMovement(ctx context.Context, in ConfirmInput) (db.Movement, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return db.Movement{}, err
	}
	var row db.Movement
	err := s.Store.InTx(ctx, func(tx *db.Store) error { return s.confirm(ctx, tx, in, &row) })
	return row, err
}

// maxConfirmed is how many movements are confirmed at once.
const maxConfirmed = 100

// ConfirmMovements books movements as they are proposed, all of them or none: a fault names those that
// stand in the way by their place. Staff only.
func (s *Service) ConfirmMovements(ctx context.Context, ids []id.Movement) error {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return err
	}
	var checks fault.Checks
	if len(ids) == 0 {
		checks.Add("movements", "REQUIRED")
	}
	if len(ids) > maxConfirmed {
		checks.Add("movements", "LINES_TOO_MANY", "max", maxConfirmed)
	}
	if err := checks.Err(); err != nil {
		return err
	}
	sorted := slices.Compact(slices.Sorted(slices.Values(ids))) // so that no two requests wait for each other
	return s.Store.InTx(ctx, func(tx *db.Store) error {
		for _, movementID := range sorted {
			var row db.Movement
			err := s.confirm(ctx, tx, ConfirmInput{MovementID: movementID}, &row)
			f, ok := fault.As(err)
			switch {
			case ok && len(f.Fields) > 0:
				checks.Add(fmt.Sprintf("movements[%d]", slices.Index(ids, movementID)), f.Fields[0].Code)
			case ok && f.Kind == fault.Conflict: // paid or decided meanwhile
				checks.Add(fmt.Sprintf("movements[%d]", slices.Index(ids, movementID)), f.Code)
				return checks.Err()
			case err != nil:
				return err
			}
		}
		return checks.Err()
	})
}

func (s *Service) confirm(ctx context.Context, tx *db.Store, in ConfirmInput, row *db.Movement) error {
	return s.decide(ctx, tx, in.MovementID, db.MovementConfirmed, row, func() error {
		if in.ClientID != 0 && in.ClientID != row.ClientID {
			row.ClientID, row.InvoiceID = in.ClientID, 0
		}
		if row.ClientID == 0 {
			var checks fault.Checks
			checks.Add("clientId", "REQUIRED")
			return checks.Err()
		}
		if len(in.Invoices) == 0 && row.InvoiceID != 0 && !in.CreditOnly {
			in.Invoices = []Allocation{{InvoiceID: row.InvoiceID}}
		}
		receive := ReceiveInput{ClientID: row.ClientID, Currency: row.Currency, Amount: row.Amount, Method: "transfer", Reference: shorten(row.Reference),
			ReceivedOn: row.ReceivedOn, Invoices: in.Invoices, ExcessToCredit: true, RequestKey: "movement:" + row.ID.String()}
		if err := receive.check(); err != nil {
			return err
		}
		payment, err := s.receive(ctx, tx, receive)
		row.PaymentID = payment.ID
		return err
	})
}

// IgnoreMovement notes that a movement paid nothing here. Staff only.
func (s *Service) IgnoreMovement(ctx context.Context, movementID id.Movement) (db.Movement, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return db.Movement{}, err
	}
	var row db.Movement
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		return s.decide(ctx, tx, movementID, db.MovementIgnored, &row, func() error { return nil })
	})
	return row, err
}

func (s *Service) decide(ctx context.Context, tx *db.Store, movementID id.Movement, status string, row *db.Movement, do func() error) error {
	var err error
	if *row, err = tx.LockMovement(ctx, movementID); err != nil || row.Status == status {
		return err
	}
	if row.Status == db.MovementConfirmed || row.Status == db.MovementIgnored && status != db.MovementConfirmed {
		return fault.New(fault.Conflict, "MOVEMENT_DECIDED")
	}
	before := row.Status
	if err := do(); err != nil {
		return err
	}
	now := s.Now()
	row.Status, row.DecidedAt = status, &now
	if err := tx.Audit(ctx, db.AuditEntry{Client: row.ClientID, Verb: "movement." + decisions[status], Object: row.ID.String(), Before: map[string]any{"status": before},
		After: map[string]any{"status": status, "amount": row.Amount, "currency": row.Currency, "payment": row.PaymentID}}); err != nil {
		return err
	}
	return tx.DecideMovement(ctx, row)
}

// decisions are the verbs of the states.
var decisions = map[string]string{db.MovementConfirmed: "confirm", db.MovementIgnored: "ignore"}

// Movement returns one movement. Staff only.
func (s *Service) Movement(ctx context.Context, movementID id.Movement) (db.Movement, error) {
	if err := access.RequireCapability(ctx, access.ReadBilling); err != nil {
		return db.Movement{}, err
	}
	return s.Store.Movement(ctx, movementID)
}

// MovementCounts counts the movements of each state. Staff only.
func (s *Service) MovementCounts(ctx context.Context) (map[string]int64, error) {
	if err := access.RequireCapability(ctx, access.ReadBilling); err != nil {
		return nil, err
	}
	return s.Store.MovementCounts(ctx)
}

// shorten keeps what others wrote to what a row of a list shows.
func shorten(text string) string {
	if r := []rune(text); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return text
}
