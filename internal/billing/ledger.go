package billing

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// settle changes what settles an invoice (minor units, negative to take back) and its status with it.
func (s *Service) settle(row *db.Invoice, paid, credited money.Minor) {
	row.Paid += paid
	row.Credited += credited
	row.Balance = row.Total - row.Paid - row.Credited
	if row.Status == db.InvoiceCancelled || row.Status == db.InvoiceWrittenOff {
		return
	}
	switch {
	case row.Balance == 0:
		if now := s.Now(); row.PaidAt == nil {
			row.PaidAt = &now
		}
		row.Status = db.InvoicePaid
	case row.Paid+row.Credited > 0:
		row.Status, row.PaidAt = db.InvoicePartlyPaid, nil
	default:
		row.Status, row.PaidAt = db.InvoiceIssued, nil
	}
}

// saveStates writes changed invoices and asks for their new PDF.
func (s *Service) saveStates(ctx context.Context, tx *db.Store, rows ...*db.Invoice) error {
	jobs := make([]db.Job, 0, len(rows))
	for _, row := range rows {
		row.PDFKey, row.PDFSize = "", 0
	}
	if err := tx.SaveInvoiceStates(ctx, rows...); err != nil {
		return err
	}
	for _, row := range rows {
		jobs = append(jobs, s.renderJob(*row), Changed(*row))
	}
	return tx.EnqueueAll(ctx, jobs)
}

// moveEntries moves an amount from the client's credit to an invoice (negative: back).
func moveEntries(ctx context.Context, row db.Invoice, kind string, amount money.Minor, payment id.Payment) []db.LedgerEntry {
	base := db.LedgerEntry{ClientID: row.ClientID, Currency: row.Currency, Kind: kind, PaymentID: payment, Actor: actorName(ctx)}
	onInvoice, onCredit := base, base
	onInvoice.InvoiceID, onInvoice.Amount = row.ID, amount
	onCredit.Amount = -amount
	return []db.LedgerEntry{onInvoice, onCredit}
}

const (
	ledgerHour = 9   // UTC: three in the night in central Mexico
	maxGaps    = 100 // that a comparison names
)

// LedgerJob mails one person of the company what a comparison found that the one before had not.
type LedgerJob struct {
	CheckedAt time.Time      `json:"checkedAt"`
	Staff     id.Staff       `json:"staff"`
	Gaps      []db.LedgerGap `json:"gaps"`
}

// Kind names the job.
func (LedgerJob) Kind() string { return "billing:ledger-gaps" }

// Key makes one job per comparison and person.
func (j LedgerJob) Key() string {
	return fmt.Sprintf("%s:%d:%s", j.Kind(), j.CheckedAt.Unix(), j.Staff)
}

// GapText says in a line what does not add up.
func GapText(lang string, gap db.LedgerGap) string {
	stored, expected := strconv.FormatInt(gap.Stored, 10), strconv.FormatInt(gap.Expected, 10)
	if gap.What != "numbering" { // every currency has two decimals
		stored, expected = money.FormatNumber(money.Minor(gap.Stored), money.MXN), money.FormatNumber(money.Minor(gap.Expected), money.MXN)
	}
	return locale.T(lang, "billing.gap."+gap.What, "subject", gap.Subject, "stored", stored, "expected", expected)
}

// CheckLedger compares every document with the sum of its ledger entries, and every series with the numbers that were
// used, for [Service.LedgerCheck]: at the first call, then once a night. What the comparison before
// had not found is mailed, once, to everybody of the company who may change billing. Background work only.
func (s *Service) CheckLedger(ctx context.Context) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	last, err := s.Store.LedgerCheck(ctx)
	switch {
	case fault.Is(err, fault.NotFound):
	case err != nil:
		return err
	case s.Now().UTC().Hour() != ledgerHour || s.Now().Sub(last.CheckedAt) < 2*time.Hour:
		return nil
	}
	gaps, err := s.Store.LedgerGaps(ctx, maxGaps)
	if err != nil {
		return err
	}
	return s.Store.InTx(ctx, func(tx *db.Store) error {
		check := db.LedgerCheck{CheckedAt: s.Now(), Gaps: gaps}
		if err := tx.SaveLedgerCheck(ctx, check); err != nil {
			return err
		}
		return tellGaps(ctx, tx, check, last)
	})
}

// tellGaps asks for the mails about what is new since the last comparison.
func tellGaps(ctx context.Context, tx *db.Store, check, last db.LedgerCheck) error {
	fresh := slices.DeleteFunc(slices.Clone(check.Gaps), func(gap db.LedgerGap) bool { return slices.Contains(last.Gaps, gap) })
	if len(fresh) == 0 {
		return nil
	}
	people, err := tx.StaffList(ctx)
	if err != nil {
		return err
	}
	var jobs []db.Job
	for _, person := range people {
		if person.Active && slices.Contains(person.Role.Capabilities(), access.ManageBilling) {
			jobs = append(jobs, LedgerJob{CheckedAt: check.CheckedAt, Staff: person.ID, Gaps: fresh})
		}
	}
	return tx.EnqueueAll(ctx, jobs)
}

// LedgerCheck returns what the last comparison of ledger, documents and numbers found: without gaps all added up.
// Not found before the first. Staff only.
func (s *Service) LedgerCheck(ctx context.Context) (db.LedgerCheck, error) {
	if err := access.RequireCapability(ctx, access.ReadBilling); err != nil {
		return db.LedgerCheck{}, err
	}
	return s.Store.LedgerCheck(ctx)
}

// Credits returns the credit of a client, by currency.
func (s *Service) Credits(ctx context.Context, clientID id.Client) ([]db.Credit, error) {
	if err := access.Require(ctx, access.Invoices, clientID); err != nil {
		return nil, err
	}
	return s.Store.Credits(ctx, clientID)
}

// CreditInput moves an amount between the client's credit and an invoice.
type CreditInput struct {
	InvoiceID  id.Invoice
	Amount     money.Minor // minor units of the invoice's currency
	RequestKey string      // required
}

func (in CreditInput) check() error {
	var checks fault.Checks
	if in.Amount <= 0 {
		checks.Add("amount", "AMOUNT_NOT_POSITIVE")
	}
	checkKey(&checks, in.RequestKey)
	return checks.Err()
}

// ApplyCredit pays an invoice from its client's credit. Staff only.
func (s *Service) ApplyCredit(ctx context.Context, in CreditInput) (db.Invoice, error) {
	return s.moveCredit(ctx, in, "apply_credit", func(tx *db.Store, row *db.Invoice) error {
		if !row.Open() {
			return fault.New(fault.Conflict, "INVOICE_NOT_OPEN")
		}
		if in.Amount > row.Balance {
			return amountAboveBalance("amount")
		}
		ok, err := tx.AddEntries(ctx, moveEntries(ctx, *row, db.EntryCreditApplied, in.Amount, 0))
		if err == nil && !ok {
			err = fault.New(fault.Conflict, "CREDIT_TOO_LOW")
		}
		s.settle(row, in.Amount, 0)
		return err
	})
}

// ReleaseCredit takes credit that was applied to an invoice back to its client. Staff only.
func (s *Service) ReleaseCredit(ctx context.Context, in CreditInput) (db.Invoice, error) {
	return s.moveCredit(ctx, in, "release_credit", func(tx *db.Store, row *db.Invoice) error {
		applied, err := appliedCredit(ctx, tx, row.ID)
		if err != nil {
			return err
		}
		if in.Amount > applied {
			var checks fault.Checks
			checks.Add("amount", "CREDIT_ABOVE_APPLIED")
			return checks.Err()
		}
		_, err = tx.AddEntries(ctx, moveEntries(ctx, *row, db.EntryCreditReleased, -in.Amount, 0))
		s.settle(row, -in.Amount, 0)
		return err
	})
}

// AppliedCredit returns how much of an invoice its client's credit has paid, in minor units of its currency: as much
// as ReleaseCredit can take back. Staff only.
func (s *Service) AppliedCredit(ctx context.Context, invoiceID id.Invoice) (money.Minor, error) {
	if err := access.RequireCapability(ctx, access.ReadBilling); err != nil {
		return 0, err
	}
	return appliedCredit(ctx, s.Store, invoiceID)
}

func appliedCredit(ctx context.Context, store *db.Store, invoiceID id.Invoice) (applied money.Minor, err error) {
	settling, err := store.Settling(ctx, invoiceID)
	for _, part := range settling {
		if part.PaymentID == 0 {
			applied = part.Amount
		}
	}
	return applied, err
}

func (s *Service) moveCredit(ctx context.Context, in CreditInput, verb string, move func(*db.Store, *db.Invoice) error) (db.Invoice, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return db.Invoice{}, err
	}
	if err := in.check(); err != nil {
		return db.Invoice{}, err
	}
	_, err := s.once(ctx, verb, in.RequestKey, int64(in.InvoiceID), func(tx *db.Store) (int64, error) {
		row, err := tx.LockInvoice(ctx, in.InvoiceID)
		if err != nil {
			return 0, err
		}
		before := row
		if err := move(tx, &row); err != nil {
			return 0, err
		}
		if err := auditState(ctx, tx, "credit."+verb, before, row, map[string]any{"amount": in.Amount}); err != nil {
			return 0, err
		}
		return int64(row.ID), s.saveStates(ctx, tx, &row)
	})
	if err != nil {
		return db.Invoice{}, err
	}
	return s.Store.Invoice(ctx, in.InvoiceID)
}

func amountAboveBalance(path string) error {
	var checks fault.Checks
	checks.Add(path, "AMOUNT_ABOVE_BALANCE")
	return checks.Err()
}
