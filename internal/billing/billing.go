// Package billing holds the rules about what is owed: invoices, their amounts, payments and PDF.
package billing

import (
	"context"
	"time"

	"gocloud.dev/blob"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// Service is the activity's verbs. Each verb asks internal/access first.
type Service struct {
	Store *db.Store
	Now   func() time.Time
	Files *blob.Bucket // rendered documents

	Gateway        Gateway  // online payments; nil where no keys are set: pages show transfer instructions
	BaseURL        string   // how people reach the installation, without a slash at the end
	Secret         []byte   // signs personal pay links; at least 32 bytes, the same in every process
	EarlierSecrets [][]byte // were Secret before: links that they signed still work
}

// reach limits a list to the client, or to all that the actor reaches when client is 0.
func (s *Service) reach(ctx context.Context, client id.Client) (access.Reach, error) {
	if client != 0 {
		if err := access.Require(ctx, access.Invoices, client); err != nil {
			return access.Reach{}, err
		}
	}
	return access.Scope(ctx, access.Invoices)
}

// Today is the company's date now, which decides what a list calls overdue.
func (s *Service) Today() date.Date { return date.Today(s.Now(), "America/Mexico_City") }

// Invoice returns one invoice.
func (s *Service) Invoice(ctx context.Context, invoiceID id.Invoice) (db.Invoice, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return db.Invoice{}, err
	}
	row, err := s.Store.Invoice(ctx, invoiceID)
	if err != nil {
		return db.Invoice{}, err
	}
	if err := access.Require(ctx, access.Invoices, row.ClientID); err != nil {
		return db.Invoice{}, err
	}
	if row.Status == db.InvoiceDraft && access.RequireCapability(ctx, access.ReadBilling) != nil {
		return db.Invoice{}, fault.Missing() // clients see what was issued to them
	}
	return s.current(row), nil
}

// InvoicesByID returns those of the invoices that the actor may see; for loaders.
func (s *Service) InvoicesByID(ctx context.Context, ids []id.Invoice) ([]db.Invoice, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return nil, err
	}
	rows, err := s.Store.InvoicesByID(ctx, ids)
	if err != nil {
		return nil, err
	}
	seen := rows[:0]
	for _, row := range rows {
		if access.Can(ctx, access.Invoices, row.ClientID) && (row.Status != db.InvoiceDraft || access.RequireCapability(ctx, access.ReadBilling) == nil) {
			seen = append(seen, s.current(row))
		}
	}
	return seen, nil
}

// Lines returns the lines of invoices, by invoice. The invoices must come from this service, which
// has decided that the actor may see them.
func (s *Service) Lines(ctx context.Context, invoices ...id.Invoice) (map[id.Invoice][]db.InvoiceLine, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return nil, err
	}
	rows, err := s.Store.InvoiceLines(ctx, invoices...)
	byInvoice := map[id.Invoice][]db.InvoiceLine{}
	for _, row := range rows {
		byInvoice[row.InvoiceID] = append(byInvoice[row.InvoiceID], row)
	}
	return byInvoice, err
}

// Payments returns the payments of an invoice.
func (s *Service) Payments(ctx context.Context, invoiceID id.Invoice) ([]db.Payment, error) {
	if _, err := s.Invoice(ctx, invoiceID); err != nil {
		return nil, err
	}
	return s.Store.Payments(ctx, invoiceID)
}

// InvoicePayments returns the payments of those of the invoices that the actor may see, by invoice; for loaders.
func (s *Service) InvoicePayments(ctx context.Context, invoices []id.Invoice) (map[id.Invoice][]db.Payment, error) {
	reach, err := access.Scope(ctx, access.Invoices)
	if err != nil {
		return nil, err
	}
	return s.Store.InvoicePayments(ctx, reach, invoices)
}

// InvoiceCreditNotes returns the credit notes of those of the invoices that the actor may see, by
// invoice; for loaders.
func (s *Service) InvoiceCreditNotes(ctx context.Context, invoices []id.Invoice) (map[id.Invoice][]db.CreditNote, error) {
	reach, err := access.Scope(ctx, access.Invoices)
	if err != nil {
		return nil, err
	}
	return s.Store.InvoiceCreditNotes(ctx, reach, invoices)
}

// PaymentAllocations returns where the money of those of the payments is that the actor may see, by
// payment; for loaders.
func (s *Service) PaymentAllocations(ctx context.Context, payments []id.Payment) (map[id.Payment][]db.PaymentAllocation, error) {
	reach, err := access.Scope(ctx, access.Invoices)
	if err != nil {
		return nil, err
	}
	return s.Store.PaymentAllocations(ctx, reach, payments)
}

// OpenTotals sums what is owed, by currency; client 0 means every client that the actor reaches.
func (s *Service) OpenTotals(ctx context.Context, client id.Client) ([]db.InvoiceTotals, error) {
	reach, err := s.reach(ctx, client)
	if err != nil {
		return nil, err
	}
	return s.Store.OpenTotals(ctx, reach, client, s.Today())
}

// Downloads returns the download log of an invoice, the newest 100 first. Staff, and the client's owner.
func (s *Service) Downloads(ctx context.Context, invoiceID id.Invoice) ([]db.InvoiceDownload, error) {
	row, err := s.Invoice(ctx, invoiceID)
	if err != nil {
		return nil, err
	}
	if err := access.RequireOwnerOr(ctx, row.ClientID, access.ReadBilling); err != nil {
		return nil, err
	}
	found, err := s.InvoiceDownloads(ctx, []id.Invoice{invoiceID})
	return found[invoiceID], err
}

// InvoiceDownloads returns the download logs of those of the invoices whose client the actor owns, or of all for staff,
// the newest 100 of each first; for loaders. A login does not read which person of the company it was, and from where.
func (s *Service) InvoiceDownloads(ctx context.Context, invoices []id.Invoice) (map[id.Invoice][]db.InvoiceDownload, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return nil, err
	}
	found, err := s.Store.Downloads(ctx, invoices...)
	login := access.From(ctx).Kind == access.Login
	for invoice, rows := range found {
		if access.RequireOwnerOr(ctx, rows[0].ClientID, access.ReadBilling) != nil {
			delete(found, invoice)
			continue
		}
		for i := range rows {
			if login && rows[i].StaffID != 0 {
				rows[i].Who, rows[i].Address = "", ""
			}
		}
	}
	return found, err
}

// PendingWork sums up the background work that waits or is being tried again. Staff only.
func (s *Service) PendingWork(ctx context.Context) (db.OutboxState, error) {
	if err := access.RequireStaff(ctx); err != nil {
		return db.OutboxState{}, err
	}
	return s.Store.OutboxState(ctx)
}
