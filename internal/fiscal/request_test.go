package fiscal_test

import (
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
)

// The client's own request: paid, complete, within the month.
func TestAutofactura(t *testing.T) {
	o := newOffice(t)
	ctx := access.With(t.Context(), actor(o.client.ID, access.Invoices))
	invoice := o.issue()
	request := func() string {
		_, err := o.service.RequestCFDI(ctx, fiscal.RequestInput{InvoiceID: invoice.ID})
		if f, ok := fault.As(err); ok {
			return f.Code
		}
		o.must(err)
		return ""
	}
	if code := request(); code != "FISCAL_NOT_PAID" {
		t.Error(code)
	}
	invoice = o.pay(invoice, invoice.Total, "p")
	if code := request(); code != "FISCAL_PROFILE_MISSING" {
		t.Error(code)
	}
	o.work()
	if len(o.documents(invoice)) != 0 {
		t.Error("a document without fiscal data")
	}
	o.profile()
	at := o.clock
	o.clock = time.Date(2026, 12, 1, 6, 0, 1, 0, time.UTC)
	if code := request(); code != "FISCAL_WINDOW_CLOSED" {
		t.Error(code)
	}
	o.clock = at
	if code := request(); code != "" {
		t.Error(code)
	}
	if code := request(); code != "" { // asked twice
		t.Error(code)
	}
	o.work()
	if row := o.one(invoice); row.Status != db.CFDIStamped || o.stamps() != 1 {
		t.Error(row.Status)
	}
}
