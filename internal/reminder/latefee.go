package reminder

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/money"
)

const (
	lateFeeTerm  = 7   // days that the client has to pay a fee
	lateFeeBatch = 200 // fees of one look
)

// LateFeeRuleInput is a rule for late fees. Replaces retires the rule that it changes.
type LateFeeRuleInput struct {
	Replaces  id.LateFee // 0: a new rule
	Name      string     // as the client reads it on the charge
	Kind      string     // of item; "": any
	TLD       string     // with Kind "domain"; "": any
	Currency  money.Currency
	Percent   money.Decimal // either of the two
	Fixed     money.Minor
	Minimum   money.Minor
	GraceDays int
	Treatment billing.TaxTreatment // "" means IVA16
}

// LateFeeRules lists the rules in force. Staff only.
func (s *Service) LateFeeRules(ctx context.Context) ([]db.LateFeeRule, error) {
	if err := access.RequireCapability(ctx, access.ReadBilling); err != nil {
		return nil, err
	}
	return s.Store.LateFeeRules(ctx)
}

// SaveLateFeeRule adds a rule, or puts one in the place of another. It acts on what becomes overdue
// from today; nothing is charged for the past, and nothing again that the other has charged. Staff only.
func (s *Service) SaveLateFeeRule(ctx context.Context, in LateFeeRuleInput) (db.LateFeeRule, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return db.LateFeeRule{}, err
	}
	if err := in.check(); err != nil {
		return db.LateFeeRule{}, err
	}
	row := db.LateFeeRule{Name: in.Name, Kind: in.Kind, TLD: in.TLD, Currency: in.Currency, Percent: in.Percent, Fixed: in.Fixed, Minimum: in.Minimum,
		GraceDays: in.GraceDays, Treatment: string(in.Treatment), CreatedAt: s.Now()}
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		if in.Replaces != 0 {
			origin, found, err := tx.RetireLateFeeRule(ctx, in.Replaces, s.Now())
			if err == nil && !found {
				err = fault.Missing()
			}
			if err != nil {
				return err
			}
			row.OriginID = origin
		}
		if err := tx.AddLateFeeRule(ctx, &row); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Verb: "latefee.save", Object: row.ID.String(), After: map[string]any{"name": row.Name, "kind": row.Kind, "tld": row.TLD,
			"currency": row.Currency, "percent": row.Percent.String(), "fixed": row.Fixed, "minimum": row.Minimum, "graceDays": row.GraceDays}})
	})
	return row, err
}

// RemoveLateFeeRule ends a rule; what was charged stays. Staff only.
func (s *Service) RemoveLateFeeRule(ctx context.Context, ruleID id.LateFee) error {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return err
	}
	return s.audited(ctx, db.AuditEntry{Verb: "latefee.remove", Object: ruleID.String()}, func(tx *db.Store) error {
		_, found, err := tx.RetireLateFeeRule(ctx, ruleID, s.Now())
		if err == nil && !found {
			return fault.Missing()
		}
		return err
	})
}

// SetLateFeeExempt exempts a client from late fees, or no longer. Staff only.
func (s *Service) SetLateFeeExempt(ctx context.Context, clientID id.Client, exempt bool) error {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return err
	}
	client, err := s.Store.Client(ctx, clientID)
	if err != nil {
		return err
	}
	return s.audited(ctx, db.AuditEntry{Client: clientID, Verb: "client.latefeeexempt", Object: clientID.String(),
		Before: map[string]any{"exempt": client.LateFeeExempt}, After: map[string]any{"exempt": exempt}},
		func(tx *db.Store) error { return tx.SetLateFeeExempt(ctx, clientID, exempt) })
}

// ComingLateFees are the fees that invoices will bear if they stay unpaid, for whoever sees the invoices:
// with two statements for any number of them.
func (s *Service) ComingLateFees(ctx context.Context, invoices ...id.Invoice) (map[id.Invoice][]db.LateFee, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return nil, err
	}
	rows, err := s.Store.InvoicesByID(ctx, invoices)
	if err != nil {
		return nil, err
	}
	for _, row := range rows {
		if err := access.Require(ctx, access.Invoices, row.ClientID); err != nil {
			return nil, err
		}
	}
	fees, err := s.comingLateFees(ctx, invoices...)
	found := map[id.Invoice][]db.LateFee{}
	for _, fee := range fees {
		found[fee.InvoiceID] = append(found[fee.InvoiceID], fee)
	}
	return found, err
}

func (in *LateFeeRuleInput) check() error {
	var checks fault.Checks
	in.Name, in.Kind, in.TLD = strings.TrimSpace(in.Name), strings.TrimSpace(in.Kind), strings.ToLower(strings.Trim(strings.TrimSpace(in.TLD), "."))
	if in.Currency == "" {
		in.Currency = money.MXN
	}
	if in.Treatment == "" {
		in.Treatment = billing.IVA16
	}
	if in.Name == "" {
		checks.Add("name", "REQUIRED")
	}
	for path, text := range map[string]string{"name": in.Name, "tld": in.TLD} {
		if len([]rune(text)) > 100 {
			checks.Add(path, "TOO_LONG", "max", 100)
		}
	}
	switch {
	case in.Kind != "" && !slices.Contains(billing.Kinds, in.Kind):
		checks.Add("kind", "KIND_UNKNOWN")
	case in.TLD != "" && in.Kind != "domain":
		checks.Add("kind", "VALUE_INVALID")
	}
	if !in.Currency.Valid() {
		checks.Add("currency", "VALUE_INVALID")
	}
	if in.Percent.Sign() > 0 == (in.Fixed > 0) || in.Percent.Sign() < 0 || in.Fixed < 0 {
		checks.Add("percent", "FEE_PERCENT_OR_FIXED")
	}
	if in.Percent.Cmp(money.Int(100)) > 0 {
		checks.Add("percent", "NUMBER_RANGE", "min", 0, "max", 100)
	}
	if in.Minimum < 0 {
		checks.Add("minimum", "AMOUNT_INVALID")
	}
	if in.GraceDays < 0 || in.GraceDays > 365 {
		checks.Add("graceDays", "NUMBER_RANGE", "min", 0, "max", 365)
	}
	return checks.Err()
}

// ChargeLateFees charges every fee that has become due, each as an invoice of its own, and returns how
// many. The key of the invoice request and the key of the ledger of fees make each exactly one, however
// often and by however many processes this runs. A fee that the rules of invoices refuse, such as one in
// dollars without a rate of exchange, holds up no other: the error names the first of them, and they are
// tried again the next time. The system only.
func (s *Service) ChargeLateFees(ctx context.Context) (int, error) {
	if err := access.RequireSystem(ctx); err != nil {
		return 0, err
	}
	if s.Billing == nil {
		return 0, nil // this process issues no invoices
	}
	charged, refused := 0, 0
	var first error
	for after := (db.LateFee{}); ; {
		fees, err := s.Store.DueLateFees(ctx, s.Now(), after, lateFeeBatch)
		if err != nil {
			return charged, err
		}
		for _, fee := range fees {
			err := s.chargeLateFee(ctx, fee)
			_, isFault := fault.As(err)
			switch {
			case isFault:
				if refused++; first == nil {
					first = fmt.Errorf("late fee of %s: %w", fee.Number, err)
				}
			case err != nil:
				return charged, fmt.Errorf("late fee of %s: %w", fee.Number, err)
			default:
				charged++
			}
			after = fee
		}
		if len(fees) < lateFeeBatch {
			break
		}
	}
	if first != nil {
		return charged, fmt.Errorf("%d refused, the first: %w", refused, first)
	}
	return charged, nil
}

func (s *Service) chargeLateFee(ctx context.Context, fee db.LateFee) error {
	client, err := s.Store.Client(ctx, fee.ClientID)
	if err != nil {
		return err
	}
	line, err := feeLine(fee)
	if err != nil {
		return err
	}
	today := date.Today(s.Now(), client.Timezone)
	charge, err := s.Billing.IssueInvoice(ctx, billing.IssueInput{ClientID: fee.ClientID, Currency: fee.Currency, IssueDate: today, DueDate: today.AddDays(lateFeeTerm),
		Kind: db.KindLateFee, OriginID: fee.InvoiceID, RequestKey: fmt.Sprintf("late-fee:%d:%d", fee.InvoiceID, fee.OriginID),
		Lines: []billing.LineInput{line}})
	if err != nil {
		return err
	}
	return s.Store.AddLateFee(ctx, fee, charge.ID)
}

// lateFees are the fees that a reminder announces: those that the invoice will bear if it stays unpaid.
func (s *Service) lateFees(ctx context.Context, invoiceID id.Invoice) ([]db.LateFee, error) {
	s.cached.Lock()
	none := s.cached.noFees
	s.cached.Unlock()
	if none {
		return nil, nil
	}
	return s.comingLateFees(ctx, invoiceID)
}

// comingLateFees are the fees that invoices will bear, with what each of them comes to with its tax.
func (s *Service) comingLateFees(ctx context.Context, invoices ...id.Invoice) ([]db.LateFee, error) {
	fees, err := s.Store.ComingLateFees(ctx, s.Now(), invoices)
	for i, fee := range fees {
		line, err := feeLine(fee)
		if err != nil {
			return nil, err
		}
		totals, err := billing.Compute(billing.TaxDocument{Currency: fee.Currency, Lines: []billing.TaxLine{{Quantity: line.Quantity, UnitPrice: line.UnitPrice, Treatment: line.Treatment}}})
		if err != nil {
			return nil, fmt.Errorf("late fee of %s: %w", fee.Number, err)
		}
		fees[i].Total = totals.Total
	}
	return fees, err
}

// feeLine is what a fee is charged as.
func feeLine(fee db.LateFee) (billing.LineInput, error) {
	price, err := fee.Amount.Decimal(fee.Currency)
	return billing.LineInput{Description: locale.T(fee.Language, "mail.late_fee.line", "name", fee.Name, "number", fee.Number), Quantity: money.Int(1),
		UnitPrice: price, Treatment: billing.TaxTreatment(fee.Treatment), Kind: db.LateFeeKind}, err
}
