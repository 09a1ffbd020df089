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
	On          date.Date     // "" means today in the client's zone; a later day only where it is invoiced already
	Description string        // "" keeps it
	Quantity    money.Decimal // 0 keeps it
	Price       money.Decimal // per cycle and unit
	RequestKey  string        // required
}

// Change is what a change made: an invoice for an upgrade, credit notes for a downgrade, neither
// where no period from the day on was invoiced or it costs the same.
type Change struct {
	Service     db.Service
	Invoice     *db.Invoice
	CreditNotes []db.CreditNote // of each period, the newest of its invoices first
}

// ChangeService changes what a service costs. What is invoiced already from the day on is settled: the rest of its
// period by days, the periods after it in full. An upgrade is invoiced at once, a downgrade is credited on the invoices of
// each period. Staff only. Field faults: DAY_NOT_INVOICED (on) for a later day that no invoice reaches, because the next
// invoice has the new price; CREDIT_ABOVE_INVOICE (price) where the invoices have not that much left to be credited.
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
		if err := s.settleChange(ctx, tx, old, row, in.On, client, &change); err != nil {
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

// settlement is how the invoiced periods of a service come to its new price.
type settlement struct {
	s        *Service
	tx       *db.Store
	old, row db.Service
	lang     string
	change   *Change
	checks   fault.Checks
}

func (s *Service) settleChange(ctx context.Context, tx *db.Store, old, row db.Service, on date.Date, client db.Client, change *Change) error {
	st := settlement{s: s, tx: tx, old: old, row: row, lang: client.Language, change: change}
	periods, err := tx.PeriodsFrom(ctx, row.ID, on)
	if err != nil {
		return err
	}
	if len(periods) == 0 && on > date.Today(s.Now(), client.Timezone) {
		st.checks.Add("on", "DAY_NOT_INVOICED")
	}
	if err := st.checks.Err(); err != nil || len(periods) == 0 {
		return err // the next period is invoiced at the new price
	}
	oldPrice, err := old.Quantity.MulMinor(old.Price, old.Currency)
	if err != nil {
		return err
	}
	newPrice, err := row.Quantity.MulMinor(row.Price, row.Currency)
	if err != nil {
		return err
	}
	// All invoices that may be changed are locked at once, in one order.
	concerned, err := tx.PeriodInvoices(ctx, row.ID, periods)
	if err != nil {
		return err
	}
	ids := []id.Invoice{}
	for i := range periods {
		ids = append(append(ids, periods[i].InvoiceID), concerned[i]...)
	}
	invoices, err := tx.LockInvoices(ctx, ids)
	if err != nil {
		return err
	}
	charges := []LineInput{}
	for i, period := range periods {
		if first := invoices[period.InvoiceID]; first == nil || first.Status == db.InvoiceCancelled || first.Status == db.InvoiceWrittenOff {
			continue
		}
		from := max(on, period.StartsOn)
		span := Period{Start: period.StartsOn.Time(), End: period.EndsOn.Time()}
		unused, due, err := span.ProrateChange(oldPrice, newPrice, from.Time())
		switch {
		case err != nil:
			return err
		case due > unused:
			lines, err := st.charge(unused, due, from, period.EndsOn)
			if err != nil {
				return err
			}
			charges = append(charges, lines...)
		case due < unused:
			list := []*db.Invoice{}
			for _, invoice := range concerned[i] {
				list = append(list, invoices[invoice])
			}
			if err := st.credit(ctx, unused-due, from, period.EndsOn, list); err != nil {
				return err
			}
		}
	}
	if len(charges) == 0 {
		return nil
	}
	return st.issue(ctx, charges, date.Today(s.Now(), client.Timezone).AddDays(7))
}

// line is an amount of the service for days of a period, in minor units; those that are taken back are negative.
func (st *settlement) line(v db.Service, amount money.Minor, text string, from, until date.Date) (LineInput, error) {
	price, err := amount.Decimal(v.Currency)
	return LineInput{Description: locale.T(st.lang, "document."+text, "service", withoutPipes(v.Description)), Quantity: money.Int(1), UnitPrice: price,
		Treatment: TaxTreatment(v.Treatment), PriceIncludesTax: v.PriceIncludesTax, Kind: v.Kind, TLD: v.TLD, ClaveProdServ: v.ClaveProdServ,
		ClaveUnidad: v.ClaveUnidad, ServiceID: v.ID, PeriodStart: from, PeriodEnd: until}, err
}

// charge is what days of a period cost at the new price, less what was charged for them at the old one.
func (st *settlement) charge(unused, due money.Minor, from, until date.Date) ([]LineInput, error) {
	charge, err := st.line(st.row, due, "changed_service", from, until)
	if err != nil || unused == 0 {
		return []LineInput{charge}, err
	}
	back, err := st.line(st.old, -unused, "unused_service", from, until)
	return []LineInput{charge, back}, err
}

// credit gives an amount back on the invoices of a period, on each as much as it has left.
func (st *settlement) credit(ctx context.Context, amount money.Minor, from, until date.Date, invoices []*db.Invoice) error {
	for _, invoice := range invoices {
		if amount == 0 {
			return nil
		}
		if invoice == nil || invoice.Status == db.InvoiceCancelled || invoice.Status == db.InvoiceWrittenOff {
			continue
		}
		back, part, err := st.creditable(ctx, amount, from, until, *invoice)
		if err != nil {
			return err
		}
		if part == 0 {
			continue
		}
		before := *invoice
		note, err := st.s.creditNote(ctx, st.tx, invoice, CreditNoteInput{Lines: []LineInput{back}, Reason: back.Description}, &st.checks)
		if err != nil {
			return err
		}
		if err := auditCreditNote(ctx, st.tx, before, *invoice, note); err != nil {
			return err
		}
		if err := st.s.saveStates(ctx, st.tx, invoice); err != nil {
			return err
		}
		st.change.CreditNotes = append(st.change.CreditNotes, note)
		amount -= part
	}
	if amount > 0 {
		st.checks.Add("price", "CREDIT_ABOVE_INVOICE")
	}
	return st.checks.Err()
}

// creditable is the part of an amount, and its line, that an invoice has left to be credited: with its tax it must not
// be more than the rest of the invoice.
func (st *settlement) creditable(ctx context.Context, amount money.Minor, from, until date.Date, invoice db.Invoice) (LineInput, money.Minor, error) {
	noted, err := st.tx.CreditNoted(ctx, invoice.ID)
	if err != nil {
		return LineInput{}, 0, err
	}
	left := invoice.Total - noted
	for part := amount; part > 0; {
		back, err := st.line(st.old, part, "unused_service", from, until)
		if err != nil {
			return LineInput{}, 0, err
		}
		totals, _ := checkLines(&st.checks, invoice.Currency, []LineInput{back})
		if err := st.checks.Err(); err != nil {
			return LineInput{}, 0, err
		}
		if totals.Total <= left {
			return back, part, nil
		}
		if left <= 0 || totals.Total <= 0 {
			break
		}
		smaller, err := part.MulDiv(int64(left), int64(totals.Total))
		if err != nil {
			return LineInput{}, 0, err
		}
		part = min(smaller, part-1) // rounding may need another cent
	}
	return LineInput{}, 0, nil
}

// issue invoices what an upgrade costs.
func (st *settlement) issue(ctx context.Context, lines []LineInput, due date.Date) error {
	in := IssueInput{ClientID: st.row.ClientID, Currency: st.row.Currency, Lines: lines, DueDate: due}
	d := in.check(&st.checks)
	made, err := st.s.compose(ctx, st.tx, &d, &st.checks)
	if err != nil {
		return err
	}
	if err := st.s.number(ctx, st.tx, &made, invoiceSeries); err != nil {
		return err
	}
	if err := st.tx.AddInvoice(ctx, &made, d.lines); err != nil {
		return err
	}
	if err := auditIssue(ctx, st.tx, made); err != nil {
		return err
	}
	st.change.Invoice = &made
	return st.tx.EnqueueAll(ctx, []db.Job{st.s.renderJob(made), Changed(made)})
}
