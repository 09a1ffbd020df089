package billing

import (
	"bytes"
	"context"
	"io"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// CreditNoteInput takes part of an issued invoice back.
type CreditNoteInput struct {
	InvoiceID  id.Invoice
	Lines      []LineInput // in the invoice's currency; none takes all lines of the invoice back
	Reason     string
	Return     bool   // what was sold came back; otherwise it is a discount or a correction
	RequestKey string // required: a second request with the same key returns the first note
}

// IssueCreditNote issues a credit note: it lowers what is owed on the invoice, and what exceeds that
// becomes the client's credit. All notes of an invoice together never exceed its total. Staff only.
func (s *Service) IssueCreditNote(ctx context.Context, in CreditNoteInput) (db.CreditNote, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return db.CreditNote{}, err
	}
	var checks fault.Checks
	checkText(&checks, "reason", &in.Reason, true, 500)
	checkKey(&checks, in.RequestKey)
	noteID, err := s.once(ctx, "credit_note", in.RequestKey, int64(in.InvoiceID), func(tx *db.Store) (int64, error) {
		invoice, err := tx.LockInvoice(ctx, in.InvoiceID)
		if err != nil {
			return 0, err
		}
		before := invoice
		note, err := s.creditNote(ctx, tx, &invoice, in, &checks)
		if err != nil {
			return 0, err
		}
		if err := auditCreditNote(ctx, tx, before, invoice, note); err != nil {
			return 0, err
		}
		return int64(note.ID), s.saveStates(ctx, tx, &invoice)
	})
	if err != nil {
		return db.CreditNote{}, err
	}
	return s.Store.CreditNote(ctx, id.CreditNote(noteID))
}

// auditCreditNote writes what a note did to its invoice.
func auditCreditNote(ctx context.Context, tx *db.Store, before, after db.Invoice, note db.CreditNote) error {
	return auditState(ctx, tx, "credit_note.issue", before, after, map[string]any{"creditNote": note.ID, "number": note.Number,
		"total": note.Total, "currency": note.Currency, "reason": note.Reason})
}

// creditNote issues a note on a locked invoice and settles it; the caller saves the invoice.
func (s *Service) creditNote(ctx context.Context, tx *db.Store, invoice *db.Invoice, in CreditNoteInput, checks *fault.Checks) (db.CreditNote, error) {
	var none db.CreditNote
	switch invoice.Status {
	case db.InvoiceIssued, db.InvoicePartlyPaid, db.InvoicePaid:
	default:
		return none, fault.New(fault.Conflict, "INVOICE_NOT_OPEN")
	}
	if len(in.Lines) == 0 {
		lines, err := tx.InvoiceLines(ctx, invoice.ID)
		if err != nil {
			return none, err
		}
		for _, line := range lines {
			in.Lines = append(in.Lines, lineInput(line))
		}
	}
	totals, lines := checkLines(checks, invoice.Currency, in.Lines)
	if err := checks.Err(); err != nil {
		return none, err
	}
	noted, err := tx.CreditNoted(ctx, invoice.ID)
	if err != nil {
		return none, err
	}
	if totals.Total > invoice.Total-noted {
		checks.Add("lines", "CREDIT_ABOVE_INVOICE")
		return none, checks.Err()
	}
	company, err := tx.Company(ctx)
	if err != nil {
		return none, err
	}
	kept := make([]db.CreditLine, len(lines))
	for i, l := range lines {
		kept[i] = db.CreditLine{Description: l.Description, Quantity: l.Quantity, UnitPrice: l.UnitPrice, Discount: l.Discount, Amount: l.Amount, Treatment: l.Treatment,
			PriceIncludesTax: l.PriceIncludesTax, RetencionISR: l.RetencionISR, RetencionIVA: l.RetencionIVA, ClaveProdServ: l.ClaveProdServ, ClaveUnidad: l.ClaveUnidad}
	}
	folio, err := tx.NextFolio(ctx, creditNoteSeries)
	if err != nil {
		return none, err
	}
	note := db.CreditNote{ClientID: invoice.ClientID, InvoiceID: invoice.ID, Series: creditNoteSeries, Folio: folio, Number: number(creditNoteSeries, folio),
		Currency: invoice.Currency, ExchangeRate: invoice.ExchangeRate, IssueDate: date.Today(s.Now(), invoice.ClientSnapshot.Timezone),
		Subtotal: totals.SubTotal, Discount: totals.Descuento, Tax: totals.TotalTraslados, Withheld: totals.TotalRetenciones, Total: totals.Total,
		Lines: kept, Reason: in.Reason, Return: in.Return, ClientSnapshot: invoice.ClientSnapshot, IssuerSnapshot: company, CreatedAt: s.Now()}
	if err := tx.AddCreditNote(ctx, &note); err != nil {
		return none, err
	}
	base := db.LedgerEntry{ClientID: note.ClientID, Currency: note.Currency, Kind: db.EntryCreditNote, CreditNoteID: note.ID, Actor: actorName(ctx)}
	entries := []db.LedgerEntry{}
	lowered := min(note.Total, invoice.Balance)
	if lowered > 0 {
		entry := base
		entry.InvoiceID, entry.Amount = invoice.ID, lowered
		entries = append(entries, entry)
		s.settle(invoice, 0, lowered)
	}
	if rest := note.Total - lowered; rest > 0 {
		entry := base
		entry.Amount = rest
		entries = append(entries, entry)
	}
	_, err = tx.AddEntries(ctx, entries)
	return note, err
}

// CreditNotes returns the credit notes of an invoice.
func (s *Service) CreditNotes(ctx context.Context, invoiceID id.Invoice) ([]db.CreditNote, error) {
	if _, err := s.Invoice(ctx, invoiceID); err != nil {
		return nil, err
	}
	return s.Store.CreditNotes(ctx, invoiceID)
}

// CreditNote returns one credit note.
func (s *Service) CreditNote(ctx context.Context, noteID id.CreditNote) (db.CreditNote, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return db.CreditNote{}, err
	}
	row, err := s.Store.CreditNote(ctx, noteID)
	if err != nil {
		return db.CreditNote{}, err
	}
	return row, access.Require(ctx, access.Invoices, row.ClientID)
}

// OpenCreditNotePDF draws a credit note. It never changes, so it is drawn when it is asked for.
func (s *Service) OpenCreditNotePDF(ctx context.Context, noteID id.CreditNote) (Download, error) {
	note, err := s.CreditNote(ctx, noteID)
	if err != nil {
		return Download{}, err
	}
	invoice, err := s.Store.Invoice(ctx, note.InvoiceID)
	if err != nil {
		return Download{}, err
	}
	var out bytes.Buffer
	if err := s.writeCreditNote(ctx, &out, note, invoice.Number); err != nil {
		return Download{}, err
	}
	return Download{Name: note.Number + ".pdf", Size: int64(out.Len()), ReadCloser: io.NopCloser(&out)}, nil
}
