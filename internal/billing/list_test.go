package billing_test

import (
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
)

// A token that may read billing reads all of it, drafts too, and one that may read clients none of it.
func TestTokenReadsBilling(t *testing.T) {
	w := newWorld(t)
	w.issue("100")
	draft := must(t, func() (db.Invoice, error) {
		return w.SaveDraft(w.staff(), billing.SaveDraftInput{IssueInput: w.input("1")})
	})
	for scope, allowed := range map[access.Capability]bool{access.ReadBilling: true, access.ManageBilling: true, access.ReadClients: false} {
		ctx := access.With(t.Context(), access.Actor{Kind: access.Staff, Role: access.Admin, Staff: 1, Token: 5, Scopes: []access.Capability{scope}})
		list, err := w.Invoices(ctx, billing.InvoiceQuery{}, db.Page{})
		_, one := w.Invoice(ctx, draft.ID)
		_, log := w.Downloads(ctx, draft.ID)
		_, services := w.Services(ctx, w.client.ID, "", db.Page{})
		if allowed && (err != nil || len(list.Rows) != 2 || one != nil || log != nil || services != nil) {
			t.Errorf("%s: %d invoices, %v, %v, %v, %v", scope, len(list.Rows), err, one, log, services)
		}
		for _, err := range []error{err, one, log, services} {
			if !allowed && !fault.Is(err, fault.Forbidden) {
				t.Errorf("%s: %v", scope, err)
			}
		}
	}
}
