package billing

import (
	"context"
	"fmt"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// ChangedJob tells whoever follows invoices that one was issued, paid or cancelled. It is written in
// the transaction of that fact, so that nobody misses it.
type ChangedJob struct {
	InvoiceID id.Invoice `json:"invoiceId"`
	Version   int64      `json:"version"` // microseconds of the invoice's last change
}

// Kind names the job.
func (ChangedJob) Kind() string { return "billing:invoice-changed" }

// Key makes one job of any number of requests about the same state.
func (j ChangedJob) Key() string { return fmt.Sprintf("%s:%s:%d", j.Kind(), j.InvoiceID, j.Version) }

// Changed is the job that tells of an invoice's present state.
func Changed(row db.Invoice) ChangedJob {
	return ChangedJob{InvoiceID: row.ID, Version: row.UpdatedAt.UnixMicro()}
}

// RefundedJob tells whoever follows a client's credit that some of it was given back. It is written in the transaction of
// that fact.
type RefundedJob struct {
	RefundID id.Refund `json:"refundId"`
}

// Kind names the job.
func (RefundedJob) Kind() string { return "billing:refunded" }

// Key makes one job of any number of requests about the same refund.
func (j RefundedJob) Key() string { return fmt.Sprintf("%s:%s", j.Kind(), j.RefundID) }

// ImportedJob asks for what follows the issue of imported invoices, by their folios.
type ImportedJob struct {
	First int64 `json:"first"`
	Last  int64 `json:"last"`
}

// Kind names the job.
func (ImportedJob) Kind() string { return "billing:invoices-imported" }

// Key makes one job of any number of requests for the same invoices.
func (j ImportedJob) Key() string { return fmt.Sprintf("%s:%d", j.Kind(), j.First) }

// FollowImport does an ImportedJob for the first batch of its invoices and leaves the others to the next
// one. That comes after the work of this batch, so an import of millions never fills the queue before
// the work of others.
func (s *Service) FollowImport(ctx context.Context, job ImportedJob) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	last := min(job.First+importBatch-1, job.Last)
	return s.Store.InTx(ctx, func(tx *db.Store) error {
		rows, err := tx.InvoicesByFolio(ctx, importSeries, job.First, last)
		if err != nil {
			return err
		}
		next := make([]db.Job, 0, 2*len(rows)+1)
		for _, row := range rows {
			next = append(next, s.renderJob(row), Changed(row))
		}
		if last < job.Last {
			next = append(next, ImportedJob{First: last + 1, Last: job.Last})
		}
		return tx.EnqueueAll(ctx, next)
	})
}
