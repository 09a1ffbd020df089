package billing

import (
	"context"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// ChangeInput is a service's new price from a day on.
type ChangeInput struct {
	ServiceID   id.Service
	On          date.Date     // "" means today in the client's zone
	Description string        // "" keeps it
	Quantity    money.Decimal // 0 keeps it
	Price       money.Decimal // per cycle and unit
	RequestKey  string        // required
}

// Change is what a change made: an invoice for an upgrade, a credit note for a downgrade, neither
// where the current period was not invoiced or costs the same.
type Change struct {
	Service    db.Service
	Invoice    *db.Invoice
	CreditNote *db.CreditNote
}

// ChangeService changes what a service costs. The rest of a period that is invoiced already is
// settled by days: an upgrade is invoiced at once, a downgrade is credited on the period's invoice. Staff only.
func (s *Service) ChangeService(ctx context.Context, in ChangeInput) (Change, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return Change{}, err
	}
	var checks fault.Checks
	checkKey(&checks, in.RequestKey)
	checkConcept(&checks, "description", &in.Description, false, 900)
	if in.Price.Sign() < 0 {
		checks.Add("price", "PRICE_NEGATIVE")
	}
	if in.Quantity.Sign() < 0 {
		checks.Add("quantity", "QUANTITY_NOT_POSITIVE")
	}
	if err := checks.Err(); err != nil {
		return Change{}, err
	}
	var change Change
	_, err := s.once(ctx, "change_service", in.RequestKey, int64(in.ServiceID), func(tx *db.Store) (int64, error) {
		row, err := tx.LockService(ctx, in.ServiceID)
		if err != nil {
			return 0, err
		}
		if row.Status == db.ServiceEnded {
			return 0, fault.New(fault.Conflict, "SERVICE_NOT_ACTIVE")
		}
		client, err := tx.Client(ctx, row.ClientID)
		if err != nil {
			return 0, err
		}
		if in.On == "" {
			in.On = date.Today(s.Now(), client.Timezone)
		}
		old := row
		row.Price = in.Price
		if in.Description != "" {
			row.Description = in.Description
		}
		if !in.Quantity.IsZero() {
			row.Quantity = in.Quantity
		}
		if err := s.settleChange(ctx, tx, old, row, in.On, client.Language, &change); err != nil {
			return 0, err
		}
		if err := auditService(ctx, tx, "service.change", old, row); err != nil {
			return 0, err
		}
		return int64(row.ID), tx.UpdateService(ctx, &row)
	})
	if err != nil {
		return Change{}, err
	}
	change.Service, err = s.Store.Service(ctx, in.ServiceID)
	return change, err
}

func (s *Service) settleChange(ctx context.Context, tx *db.Store, old, row db.Service, on date.Date, lang string, change *Change) error {
	period, err := tx.PeriodOn(ctx, row.ID, on)
	if fault.Is(err, fault.NotFound) {
		return nil // the next period is invoiced at the new price
	}
	if err != nil {
		return err
	}
	invoice, err := tx.LockInvoice(ctx, period.InvoiceID)
	if err != nil || invoice.Status == db.InvoiceCancelled || invoice.Status == db.InvoiceWrittenOff {
		return err
	}
	oldPrice, err := old.Quantity.MulMinor(old.Price, old.Currency)
	if err != nil {
		return err
	}
	newPrice, err := row.Quantity.MulMinor(row.Price, row.Currency)
	if err != nil {
		return err
	}
	span := Period{Start: period.StartsOn.Time(), End: period.EndsOn.Time()}
	unused, due, err := span.ProrateChange(oldPrice, newPrice, on.Time())
	if err != nil || unused == due {
		return err
	}
	line := func(v db.Service, amount money.Minor, text string) (LineInput, error) {
		price, err := amount.Decimal(v.Currency)
		return LineInput{Description: locale.T(lang, "document."+text, "service", withoutPipes(v.Description)), Quantity: money.Int(1), UnitPrice: price,
			Treatment: TaxTreatment(v.Treatment), PriceIncludesTax: v.PriceIncludesTax, Kind: v.Kind, TLD: v.TLD, ClaveProdServ: v.ClaveProdServ,
			ClaveUnidad: v.ClaveUnidad, ServiceID: v.ID, PeriodStart: on, PeriodEnd: period.EndsOn}, err
	}
	var checks fault.Checks
	if due < unused {
		back, err := line(old, unused-due, "unused_service")
		if err != nil {
			return err
		}
		before := invoice
		note, err := s.creditNote(ctx, tx, &invoice, CreditNoteInput{Lines: []LineInput{back}, Reason: back.Description}, &checks)
		if err != nil {
			return err
		}
		if err := auditCreditNote(ctx, tx, before, invoice, note); err != nil {
			return err
		}
		change.CreditNote = &note
		return s.saveStates(ctx, tx, &invoice)
	}
	charge, err := line(row, due, "changed_service")
	if err != nil {
		return err
	}
	in := IssueInput{ClientID: row.ClientID, Currency: row.Currency, Lines: []LineInput{charge}}
	if unused > 0 {
		back, err := line(old, -unused, "unused_service")
		if err != nil {
			return err
		}
		in.Lines = append(in.Lines, back)
	}
	in.DueDate = date.Today(s.Now(), invoice.ClientSnapshot.Timezone).AddDays(7)
	d := in.check(&checks)
	made, err := s.compose(ctx, tx, &d, &checks)
	if err != nil {
		return err
	}
	if err := s.number(ctx, tx, &made, invoiceSeries); err != nil {
		return err
	}
	if err := tx.AddInvoice(ctx, &made, d.lines); err != nil {
		return err
	}
	if err := auditIssue(ctx, tx, made); err != nil {
		return err
	}
	change.Invoice = &made
	return tx.EnqueueAll(ctx, []db.Job{s.renderJob(made), Changed(made)})
}
