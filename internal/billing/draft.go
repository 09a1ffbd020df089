package billing

import (
	"context"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// SaveDraftInput is a draft as it should be from now on.
type SaveDraftInput struct {
	InvoiceID id.Invoice // 0: a new draft
	IssueInput
}

// SaveDraft makes or replaces a draft: an invoice without number that its client does not see. Its
// client cannot be changed. Staff only.
func (s *Service) SaveDraft(ctx context.Context, in SaveDraftInput) (db.Invoice, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return db.Invoice{}, err
	}
	var checks fault.Checks
	d := in.check(&checks)
	if in.InvoiceID == 0 {
		invoiceID, err := s.once(ctx, "draft", in.RequestKey, int64(in.ClientID), func(tx *db.Store) (int64, error) {
			row, err := s.compose(ctx, tx, &d, &checks)
			if err != nil {
				return 0, err
			}
			row.RequestKey = in.RequestKey
			err = tx.AddInvoice(ctx, &row, d.lines)
			return int64(row.ID), err
		})
		if err != nil {
			return db.Invoice{}, err
		}
		return s.Store.Invoice(ctx, id.Invoice(invoiceID))
	}
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		old, err := lockDraft(ctx, tx, in.InvoiceID)
		if err != nil {
			return err
		}
		if old.ClientID != in.ClientID {
			checks.Add("clientId", "VALUE_INVALID")
		}
		row, err := s.compose(ctx, tx, &d, &checks)
		if err != nil {
			return err
		}
		row.ID = old.ID
		return tx.SaveDraft(ctx, &row, d.lines)
	})
	if err != nil {
		return db.Invoice{}, err
	}
	return s.Store.Invoice(ctx, in.InvoiceID)
}

func lockDraft(ctx context.Context, tx *db.Store, invoiceID id.Invoice) (db.Invoice, error) {
	row, err := tx.LockInvoice(ctx, invoiceID)
	if err == nil && row.Status != db.InvoiceDraft {
		err = fault.New(fault.Conflict, "INVOICE_NOT_DRAFT")
	}
	return row, err
}

// DeleteDraft removes a draft. Staff only.
func (s *Service) DeleteDraft(ctx context.Context, invoiceID id.Invoice) error {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return err
	}
	return s.Store.InTx(ctx, func(tx *db.Store) error {
		if _, err := lockDraft(ctx, tx, invoiceID); err != nil {
			return err
		}
		return tx.DeleteDraft(ctx, invoiceID)
	})
}

// IssueDraftInput makes a draft final.
type IssueDraftInput struct {
	InvoiceID id.Invoice
	IssueDate date.Date // "" means today in the client's zone
	DueDate   date.Date // "" means the draft's
}

// IssueDraft numbers a draft and makes it final, with the data of client and issuer as they are now.
// Issuing it again changes nothing. Staff only.
func (s *Service) IssueDraft(ctx context.Context, in IssueDraftInput) (db.Invoice, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return db.Invoice{}, err
	}
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		old, err := tx.LockInvoice(ctx, in.InvoiceID)
		if err != nil || old.Status != db.InvoiceDraft {
			return err
		}
		lines, err := tx.InvoiceLines(ctx, old.ID)
		if err != nil {
			return err
		}
		input := IssueInput{ClientID: old.ClientID, Currency: old.Currency, IssueDate: in.IssueDate, DueDate: in.DueDate, Notes: old.Notes, Kind: old.Kind,
			OriginID: old.OriginID, ExternalRef: old.ExternalRef}
		if old.RateDate == old.IssueDate { // given by hand, or that day's rate
			input.ExchangeRate, input.RateSource = old.ExchangeRate, old.RateSource
		}
		if input.DueDate == "" {
			input.DueDate = old.DueDate
		}
		for _, line := range lines {
			input.Lines = append(input.Lines, lineInput(line))
		}
		var checks fault.Checks
		d := input.check(&checks)
		row, err := s.compose(ctx, tx, &d, &checks)
		if err != nil {
			return err
		}
		row.ID = old.ID
		if err := s.number(ctx, tx, &row, invoiceSeries); err != nil {
			return err
		}
		if err := auditIssue(ctx, tx, row); err != nil {
			return err
		}
		if err := tx.SaveDraft(ctx, &row, d.lines); err != nil {
			return err
		}
		return tx.EnqueueAll(ctx, []db.Job{s.renderJob(row), Changed(row)})
	})
	if err != nil {
		return db.Invoice{}, err
	}
	return s.Store.Invoice(ctx, in.InvoiceID)
}

// lineInput is the input that makes the line again.
func lineInput(line db.InvoiceLine) LineInput {
	return LineInput{Description: line.Description, Quantity: line.Quantity, UnitPrice: line.UnitPrice, Discount: line.Discount,
		Treatment: TaxTreatment(line.Treatment), PriceIncludesTax: line.PriceIncludesTax, RetencionISR: line.RetencionISR, RetencionIVA: line.RetencionIVA,
		Kind: line.Kind, TLD: line.TLD, ClaveProdServ: line.ClaveProdServ, ClaveUnidad: line.ClaveUnidad, ServiceID: line.ServiceID,
		PeriodStart: line.PeriodStart, PeriodEnd: line.PeriodEnd}
}
