package fiscal

import (
	"context"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
)

// ReceiptDue is a payment whose receipt (REP) is not stamped yet.
type ReceiptDue struct {
	db.ReceiptDue
	Due time.Time // the end of the 5th of the month after the payment, in the issuer's zone
}

// Overdue reports whether the SAT's term is over.
func (r ReceiptDue) Overdue(now time.Time) bool { return now.After(r.Due) }

// SaleWaiting is a paid sale that nobody asked a document for.
type SaleWaiting struct {
	db.Invoice
	Until time.Time // the end of the [Window]: then it falls into the global invoice
}

// Pending is what an accountant has to look at before the month's end: at most pendingRows of each, the most urgent first.
type Pending struct {
	Receipts  []ReceiptDue
	Sales     []SaleWaiting
	Changed   []db.SaleChanged // in a stamped global invoice, and not paid any more
	OnAccount []db.OnAccount   // payments that are the client's credit, without the document of an anticipo
	Elsewhere []db.CFDI        // the SAT has cancelled them, or does not know them, and nobody here asked for it
	Now       time.Time
}

const (
	pendingRows = 100
	// elsewhereDays is for how long a cancellation that was made elsewhere is shown.
	elsewhereDays = 60
)

// Pending lists what waits for documents, and what the SAT says differently. Staff only.
func (s *Service) Pending(ctx context.Context) (Pending, error) {
	out := Pending{Now: s.Now()}
	if err := access.RequireCapability(ctx, access.ReadBilling); err != nil {
		return out, err
	}
	var err error
	if out.Receipts, err = s.receiptsPending(ctx); err != nil {
		return out, err
	}
	issuer, err := s.issuer(ctx, s.Store)
	if err != nil {
		return out, err
	}
	if issuer.Periodicidad != "" {
		sales, err := s.Store.SalesForGlobal(ctx, db.SalesFilter{IssuedSince: issuer.AutomaticSince, PaidFrom: s.Now().AddDate(-5, 0, 0), PaidBefore: s.Now()}, pendingRows)
		if err != nil {
			return out, err
		}
		for _, sale := range sales {
			out.Sales = append(out.Sales, SaleWaiting{Invoice: sale, Until: Window(sale, issuer.FiscalIssuer)})
		}
	}
	if out.Changed, err = s.Store.SalesChanged(ctx, pendingRows); err != nil {
		return out, err
	}
	if out.OnAccount, err = s.Store.PaymentsOnAccount(ctx, 0, pendingRows); err != nil {
		return out, err
	}
	out.Elsewhere, err = s.Store.CFDIsCancelledElsewhere(ctx, s.Now().AddDate(0, 0, -elsewhereDays), s.Now().Add(-StampWindow), pendingRows)
	return out, err
}

func (s *Service) receiptsPending(ctx context.Context) ([]ReceiptDue, error) {
	zone, err := s.zone(ctx)
	if err != nil {
		return nil, err
	}
	rows, err := s.Store.ReceiptsDue(ctx, zone.String(), pendingRows)
	out := make([]ReceiptDue, len(rows))
	for i, row := range rows {
		out[i] = ReceiptDue{ReceiptDue: row, Due: RepDueDate(midnight(row.ReceivedOn, zone))}
	}
	return out, err
}

// Urgent is what cannot wait.
type Urgent struct {
	Receipts  int       // payments whose receipts are overdue, or due within receiptDays
	Due       time.Time // when the first of them is, or was, due
	Changed   int       // sales in a global invoice that are not paid any more
	Elsewhere int       // documents that the SAT has cancelled on somebody else's request, or does not know
}

// receiptDays is how many days before the 5th the receipts that are missing count as urgent.
const receiptDays = 7

// Urgent counts what of [Pending] cannot wait, each up to pendingRows. Staff only.
func (s *Service) Urgent(ctx context.Context) (Urgent, error) {
	var out Urgent
	if err := access.RequireCapability(ctx, access.ReadBilling); err != nil {
		return out, err
	}
	receipts, err := s.receiptsPending(ctx)
	if err != nil {
		return out, err
	}
	for _, r := range receipts {
		if r.Due.Sub(s.Now()) < receiptDays*24*time.Hour {
			if out.Receipts++; out.Due.IsZero() {
				out.Due = r.Due
			}
		}
	}
	changed, err := s.Store.SalesChanged(ctx, pendingRows)
	if err != nil {
		return out, err
	}
	elsewhere, err := s.Store.CFDIsCancelledElsewhere(ctx, s.Now().AddDate(0, 0, -elsewhereDays), s.Now().Add(-StampWindow), pendingRows)
	out.Changed, out.Elsewhere = len(changed), len(elsewhere)
	return out, err
}

const (
	checkHour   = 3                      // of the night, in central Mexico
	checkLimit  = 1000                   // documents a night
	checkEvery  = 7 * 24 * time.Hour     // between two questions about one document
	checkPause  = 200 * time.Millisecond // between two questions
	checkGiveUp = 5                      // questions without an answer in a row
)

// CheckStamped asks the SAT at night for the state of documents in force: a document can be cancelled in the SAT's own
// portal too. At most checkLimit a night, one after the other with a pause, those that were never asked for first; it
// gives up when the SAT does not answer. What was cancelled elsewhere is taken over, and is in [Pending]. Background
// work only.
func (s *Service) CheckStamped(ctx context.Context) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	if s.Now().In(ZonaCentro()).Hour() != checkHour {
		return nil
	}
	ids, err := s.Store.CFDIsToCheck(ctx, s.Now().Add(-checkEvery), checkLimit)
	if err != nil {
		return err
	}
	pause := time.NewTicker(checkPause)
	defer pause.Stop()
	silent := 0
	for _, cfdi := range ids {
		_, err := s.follow(ctx, cfdi)
		switch {
		case fault.Is(err, fault.Unavailable):
			if silent++; silent == checkGiveUp {
				return nil // the next night
			}
		case err != nil:
			return err
		default:
			silent = 0
		}
		select {
		case <-ctx.Done():
			return nil
		case <-pause.C:
		}
	}
	return nil
}
