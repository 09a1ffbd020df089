package fiscal

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// maxGlobal is how many sales one global invoice sums up; a period with more has several.
const maxGlobal = 500

// period is the period of a global invoice that a day, where the issuer is, falls into: its first day and the first one after it. Weeks begin
// on Monday and end with the month, because a document names one month. periodicidad "" is a month.
func period(periodicidad string, day date.Date) (first, next date.Date) {
	t := day.Time()
	y, m, d := t.Date()
	at := func(y int, m time.Month, d int) date.Date {
		return date.Of(time.Date(y, m, d, 0, 0, 0, 0, time.UTC), time.UTC)
	}
	month, after := at(y, m, 1), at(y, m+1, 1)
	switch periodicidad {
	case "01":
		return day, day.AddDays(1)
	case "02":
		monday := day.AddDays(-(int(t.Weekday()) + 6) % 7)
		return max(monday, month), min(monday.AddDays(7), after)
	case "03":
		if d <= 15 {
			return month, at(y, m, 16)
		}
		return at(y, m, 16), after
	case "05":
		m -= (m - 1) % 2
		return at(y, m, 1), at(y, m+2, 1)
	}
	return month, after
}

// midnight is when a day begins in a zone.
func midnight(day date.Date, zone *time.Location) time.Time {
	y, m, d := day.Time().Date()
	return time.Date(y, m, d, 0, 0, 0, 0, zone)
}

// IssueGlobals asks for the global invoices (RMF 2.7.1.21) of periods that have ended: of the paid sales whose clients
// asked for no document of their own in time. Clients whose documents are automatic get theirs first. Background work
// only.
func (s *Service) IssueGlobals(ctx context.Context) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	issuer, err := s.issuer(ctx, s.Store)
	if err != nil || !issuer.Ready() || issuer.Periodicidad == "" {
		return err
	}
	var failed error
	var waits []id.Invoice // sales that could not be looked at: no global invoice takes them
	followed := map[id.Invoice]bool{}
	for {
		sales, err := s.sales(ctx, s.Store, issuer, db.SalesFilter{Except: waits})
		if err != nil || len(sales) == 0 {
			return cmp.Or(err, failed)
		}
		fresh := slices.DeleteFunc(slices.Clone(sales), func(sale db.Invoice) bool { return followed[sale.ID] })
		for _, sale := range fresh { // whatever kept an automatic document from being asked for may be over
			if err := s.followed(ctx, sale.ID); err != nil {
				if ctx.Err() != nil {
					return ctx.Err()
				}
				failed, waits = err, append(waits, sale.ID)
			}
			followed[sale.ID] = true
		}
		if len(fresh) > 0 {
			continue
		}
		if err := s.addGlobal(ctx, issuer, sales); err != nil {
			return err
		}
	}
}

// sales are the oldest period's paid sales that no document names, at most what one global invoice sums up.
func (s *Service) sales(ctx context.Context, tx *db.Store, issuer Issuer, f db.SalesFilter) ([]db.Invoice, error) {
	// The SAT takes global invoices of this year and the five before (CFDI40136).
	f.IssuedSince, f.PaidFrom = issuer.AutomaticSince, s.Now().AddDate(-5, 0, 0)
	zone := ZonaHoraria(issuer.LugarExpedicion)
	current, _ := period(issuer.Periodicidad, date.Of(s.Now(), zone))
	f.PaidBefore = midnight(current, zone)
	rows, err := tx.SalesForGlobal(ctx, f, maxGlobal)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	_, next := period(issuer.Periodicidad, date.Of(*rows[0].PaidAt, zone))
	for i, row := range rows {
		if !row.PaidAt.Before(midnight(next, zone)) {
			return rows[:i], nil
		}
	}
	return rows, nil
}

func (s *Service) addGlobal(ctx context.Context, issuer Issuer, sales []db.Invoice) error {
	return s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := tx.Lock(ctx, "fiscal global"); err != nil {
			return err
		}
		ids := make([]id.Invoice, len(sales))
		for i, sale := range sales {
			ids[i] = sale.ID
		}
		// Locked, so that nobody asks for a document of one of them meanwhile; then looked at again.
		if _, err := tx.LockInvoices(ctx, ids); err != nil {
			return err
		}
		rows, err := s.sales(ctx, tx, issuer, db.SalesFilter{Only: ids})
		if err != nil || len(rows) == 0 {
			return err
		}
		first, _ := period(issuer.Periodicidad, date.Of(*rows[0].PaidAt, ZonaHoraria(issuer.LugarExpedicion)))
		row, err := s.add(ctx, tx, db.CFDI{Kind: db.CFDIGlobal, PeriodStart: first, Periodicidad: issuer.Periodicidad, MetodoPago: "PUE"})
		if err != nil {
			return err
		}
		parts := make([]db.CFDICoverage, len(rows))
		for i, sale := range rows {
			parts[i] = db.CFDICoverage{CFDIID: row.ID, InvoiceID: sale.ID, Kind: db.CFDIGlobal, Amount: sale.Total}
		}
		return tx.CoverInvoices(ctx, parts)
	})
}

// composeGlobal sums the sales up that the document covers, in pesos.
func (s *Service) composeGlobal(ctx context.Context, tx *db.Store, row db.CFDI, d Draft) (*Comprobante, error) {
	parts, err := tx.CoveredBy(ctx, row.ID)
	if err != nil {
		return nil, err
	}
	ids := make([]id.Invoice, len(parts))
	for i, part := range parts {
		ids[i] = part.InvoiceID
	}
	invoices, err := tx.InvoicesByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	lines, err := tx.InvoiceLines(ctx, ids...)
	if err != nil {
		return nil, err
	}
	byInvoice := map[id.Invoice][]db.InvoiceLine{}
	for _, line := range lines {
		byInvoice[line.InvoiceID] = append(byInvoice[line.InvoiceID], line)
	}
	paid, err := tx.PaidBy(ctx, ids...)
	if err != nil {
		return nil, err
	}
	paidBy := map[id.Invoice][]db.PaidPart{}
	for _, part := range paid {
		paidBy[part.InvoiceID] = append(paidBy[part.InvoiceID], part)
	}
	receipts := make([]Receipt, 0, len(invoices))
	for _, invoice := range invoices {
		bases, err := receiptBases(invoice, byInvoice[invoice.ID])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", invoice.Number, err)
		}
		receipts = append(receipts, Receipt{Number: invoice.Number, FormaPago: largest(paidBy[invoice.ID]), Bases: bases})
	}
	if d.Relacionados, err = sustituye(ctx, tx, row); err != nil {
		return nil, err
	}
	d.Moneda = money.MXN
	return BuildGlobal(d, Periodo(row.Periodicidad, row.PeriodStart.Time()), receipts)
}

// receiptBases are the parts of a sale by treatment, in pesos at the invoice's own rate: the cents that were charged.
func receiptBases(invoice db.Invoice, lines []db.InvoiceLine) ([]ReceiptBase, error) {
	totals, err := billing.Compute(billing.TaxDocumentOf(invoice.Currency, lines))
	if err != nil {
		return nil, err
	}
	var bases []ReceiptBase
	var sum money.Minor
	for _, row := range totals.Traslados {
		iva := IVAExento
		if row.TipoFactor != FactorExento {
			iva = ivaOf(Impuesto{TipoFactor: FactorTasa, TasaOCuota: Num(row.TasaOCuota.Fixed(6))})
		}
		bases = append(bases, ReceiptBase{IVA: iva, Base: row.Base, Tax: row.Importe})
		sum += row.Base + row.Importe
	}
	var untaxed money.Minor
	for i, line := range totals.Lines {
		if lines[i].Treatment == string(NoObjeto) && line.IsConcepto() {
			base, err := line.Base.Minor(invoice.Currency)
			if err != nil {
				return nil, err
			}
			untaxed += base
		}
	}
	if untaxed > 0 {
		bases = append(bases, ReceiptBase{IVA: NoObjeto, Base: untaxed})
		sum += untaxed
	}
	if len(bases) == 0 {
		return nil, nothingToInvoice()
	}
	// The bases are rounded by rate, the subtotal once: a cent between them goes to the largest.
	largest := 0
	for i := range bases {
		if bases[i].Base > bases[largest].Base {
			largest = i
		}
	}
	bases[largest].Base += invoice.Total - sum
	if invoice.Currency == money.MXN {
		return bases, nil
	}
	for i := range bases {
		b := &bases[i]
		if b.Base, err = b.Base.MulRate(invoice.ExchangeRate); err != nil {
			return nil, err
		}
		b.Tax = 0
		if rate := rates[b.IVA]; rate != "" {
			if b.Tax, err = b.Base.MulRate(rate.Decimal()); err != nil {
				return nil, err
			}
		}
	}
	return bases, nil
}
