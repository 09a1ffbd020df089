package billing

import (
	"fmt"

	"github.com/nubedigitalmx/avisa/db"
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
