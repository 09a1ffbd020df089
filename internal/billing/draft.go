package billing

import (
	"context"
	"fmt"
	"reflect"
	"slices"

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
			if err := tx.AddInvoice(ctx, &row, d.lines); err != nil {
				return 0, err
			}
			return int64(row.ID), tx.Audit(ctx, db.AuditEntry{Client: row.ClientID, Verb: "invoice.draft", Object: row.ID.String(), After: draftState(row, d.lines)})
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
		oldLines, err := tx.InvoiceLines(ctx, old.ID)
		if err != nil {
			return err
		}
		before, after := draftState(old, oldLines), draftState(row, d.lines)
		if !reflect.DeepEqual(before, after) {
			if err := tx.Audit(ctx, db.AuditEntry{Client: row.ClientID, Verb: "invoice.edit", Object: row.ID.String(), Before: before, After: after}); err != nil {
				return err
			}
		}
		return tx.SaveDraft(ctx, &row, d.lines)
	})
	if err != nil {
		return db.Invoice{}, err
	}
	return s.Store.Invoice(ctx, in.InvoiceID)
}

// draftState is what the audit log keeps of a draft.
func draftState(row db.Invoice, lines []db.InvoiceLine) map[string]any {
	texts := make([]string, len(lines))
	for i, line := range lines {
		texts[i] = line.Description + ": " + line.Quantity.String() + " × " + line.UnitPrice.String()
	}
	return map[string]any{"total": row.Total, "currency": row.Currency, "issueDate": row.IssueDate, "dueDate": row.DueDate, "notes": row.Notes, "lines": texts}
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
		row, err := lockDraft(ctx, tx, invoiceID)
		if err != nil {
			return err
		}
		lines, err := tx.InvoiceLines(ctx, row.ID)
		if err != nil {
			return err
		}
		if err := tx.Audit(ctx, db.AuditEntry{Client: row.ClientID, Verb: "invoice.delete", Object: row.ID.String(), Before: draftState(row, lines)}); err != nil {
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
	err := s.Store.InTx(ctx, func(tx *db.Store) error { return s.issueDraft(ctx, tx, in) })
	if err != nil {
		return db.Invoice{}, err
	}
	return s.Store.Invoice(ctx, in.InvoiceID)
}

// maxDrafts is how many drafts are issued at once.
const maxDrafts = 100

// IssueDrafts issues drafts as they are, all of them or none: a fault names those that stand in the
// way by their place. What is issued already stays as it is. Staff only.
func (s *Service) IssueDrafts(ctx context.Context, ids []id.Invoice) ([]db.Invoice, error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return nil, err
	}
	var checks fault.Checks
	if len(ids) == 0 {
		checks.Add("invoices", "REQUIRED")
	}
	if len(ids) > maxDrafts {
		checks.Add("invoices", "LINES_TOO_MANY", "max", maxDrafts)
	}
	if err := checks.Err(); err != nil {
		return nil, err
	}
	sorted := slices.Sorted(slices.Values(ids)) // so that no two requests wait for each other
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		for _, invoiceID := range slices.Compact(sorted) {
			err := s.issueDraft(ctx, tx, IssueDraftInput{InvoiceID: invoiceID})
			f, ok := fault.As(err)
			switch {
			case ok && len(f.Fields) > 0:
				checks.Add(fmt.Sprintf("invoices[%d]", slices.Index(ids, invoiceID)), f.Fields[0].Code)
			case ok && f.Code == clientClosed:
				checks.Add(fmt.Sprintf("invoices[%d]", slices.Index(ids, invoiceID)), f.Code)
			case err != nil:
				return err
			}
		}
		return checks.Err()
	})
	if err != nil {
		return nil, err
	}
	return s.InvoicesByID(ctx, sorted)
}

func (s *Service) issueDraft(ctx context.Context, tx *db.Store, in IssueDraftInput) error {
	old, err := tx.LockInvoice(ctx, in.InvoiceID)
	if err != nil || old.Status != db.InvoiceDraft {
		return err
	}
	lines, err := tx.InvoiceLines(ctx, old.ID)
	if err != nil {
		return err
	}
	input := InputOf(old, lines)
	input.IssueDate = in.IssueDate
	if in.DueDate != "" {
		input.DueDate = in.DueDate
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
}

// InputOf is the input that makes a stored invoice again, without its day of issue and request key.
func InputOf(row db.Invoice, lines []db.InvoiceLine) IssueInput {
	in := IssueInput{ClientID: row.ClientID, Currency: row.Currency, DueDate: row.DueDate, Notes: row.Notes, Kind: row.Kind, OriginID: row.OriginID, ExternalRef: row.ExternalRef}
	if row.RateDate == row.IssueDate { // given by hand, or that day's rate
		in.ExchangeRate, in.RateSource = row.ExchangeRate, row.RateSource
	}
	for _, line := range lines {
		in.Lines = append(in.Lines, lineInput(line))
	}
	return in
}

// lineInput is the input that makes the line again.
func lineInput(line db.InvoiceLine) LineInput {
	return LineInput{Description: line.Description, Quantity: line.Quantity, UnitPrice: line.UnitPrice, Discount: line.Discount,
		Treatment: TaxTreatment(line.Treatment), PriceIncludesTax: line.PriceIncludesTax, RetencionISR: line.RetencionISR, RetencionIVA: line.RetencionIVA,
		Kind: line.Kind, TLD: line.TLD, ClaveProdServ: line.ClaveProdServ, ClaveUnidad: line.ClaveUnidad, ServiceID: line.ServiceID,
		PeriodStart: line.PeriodStart, PeriodEnd: line.PeriodEnd}
}
