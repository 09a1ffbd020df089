package console

import (
	"context"
	"io"
	"mime"
	"net/http"
	"strconv"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// billingTable is the part of the table of routes that is about what is owed and paid.
func (c *Console) billingTable() []layout.Route {
	return []layout.Route{
		{Method: "GET", Path: "/consola/facturas", Who: layout.Staff, Handle: c.invoices},
		{Method: "GET", Path: "/consola/facturas.csv", Who: layout.Staff, Handle: c.exportInvoices},
		{Method: "GET", Path: "/consola/facturas.zip", Who: layout.Staff, Handle: c.zipInvoices},
		{Method: "POST", Path: "/consola/facturas/emitir", Who: layout.Staff, Handle: c.issueDrafts},
		{Method: "GET", Path: "/consola/facturas/emitir", Who: layout.Staff, Handle: toParent},
		{Method: "POST", Path: "/consola/facturas/totales", Who: layout.Staff, Handle: c.invoiceTotals},
		{Method: "GET", Path: "/consola/clientes/{id}/facturas/nueva", Who: layout.Staff, Handle: c.newInvoice},
		{Method: "POST", Path: "/consola/clientes/{id}/facturas/nueva", Who: layout.Staff, Handle: c.saveInvoice},
		{Method: "GET", Path: "/consola/facturas/{id}/editar", Who: layout.Staff, Handle: c.editInvoice},
		{Method: "POST", Path: "/consola/facturas/{id}/editar", Who: layout.Staff, Handle: c.saveInvoice},
		{Method: "GET", Path: "/consola/facturas/{id}/vista-previa", Who: layout.Staff, Handle: c.previewInvoice},
		{Method: "POST", Path: "/consola/facturas/{id}/emitir", Who: layout.Staff, Handle: c.issueDraft},
		{Method: "POST", Path: "/consola/facturas/{id}/eliminar", Who: layout.Staff, Handle: c.deleteDraft},
		{Method: "POST", Path: "/consola/facturas/{id}/cancelar", Who: layout.Staff, Handle: c.cancelInvoice},
		{Method: "POST", Path: "/consola/facturas/{id}/enlaces", Who: layout.Staff, Handle: c.revokeLinks},
		{Method: "GET", Path: "/consola/facturas/{id}/enlaces", Who: layout.Staff, Handle: toParent},
		{Method: "POST", Path: "/consola/facturas/{id}/incobrable", Who: layout.Staff, Handle: c.writeOffInvoice},
		{Method: "POST", Path: "/consola/facturas/{id}/saldo-a-favor", Who: layout.Staff, Handle: c.moveCredit},
		{Method: "GET", Path: "/consola/facturas/{id}/emitir", Who: layout.Staff, Handle: toParent},
		{Method: "GET", Path: "/consola/facturas/{id}/eliminar", Who: layout.Staff, Handle: toParent},
		{Method: "GET", Path: "/consola/facturas/{id}/cancelar", Who: layout.Staff, Handle: toParent},
		{Method: "GET", Path: "/consola/facturas/{id}/incobrable", Who: layout.Staff, Handle: toParent},
		{Method: "GET", Path: "/consola/facturas/{id}/saldo-a-favor", Who: layout.Staff, Handle: toParent},
		{Method: "GET", Path: "/consola/facturas/{id}/nota-de-credito", Who: layout.Staff, Handle: c.newCreditNote},
		{Method: "POST", Path: "/consola/facturas/{id}/nota-de-credito", Who: layout.Staff, Handle: c.issueCreditNote},
		{Method: "GET", Path: "/consola/notas-de-credito/{id}", Who: layout.Staff, Handle: c.creditNotePDF},
	}
}

// bt is a text about what is owed and paid.
func bt(ctx context.Context, key string, args ...any) string {
	return component.T(ctx, "billing."+key, args...)
}

// bcount is the text for n things; the key has a variant ".one".
func bcount(ctx context.Context, key string, n int64) string {
	return bt(ctx, oneOr(key, n), "n", n)
}

// maybe is the label of a field that may stay empty.
func maybe(ctx context.Context, key string) string {
	return bt(ctx, key) + " (" + t(ctx, "optional") + ")"
}

// bills reports whether the reader may change what is owed and paid: the others see it without forms.
func bills(ctx context.Context) bool {
	return access.RequireCapability(ctx, access.ManageBilling) == nil
}

// requireBilling keeps the forms themselves from those who could not send them.
func requireBilling(ctx context.Context) error {
	return access.RequireCapability(ctx, access.ManageBilling)
}

// readDay reads an optional date of a form or an address.
func readDay(checks *fault.Checks, path, text string) date.Date {
	if text == "" {
		return ""
	}
	day, err := date.Parse(text)
	if err != nil {
		checks.Add(path, "DATE_MALFORMED")
	}
	return day
}

// showPDF answers with a PDF to be looked at.
func showPDF(w http.ResponseWriter, file billing.Download) error {
	defer func() { _ = file.Close() }()
	h := w.Header()
	h.Set("Content-Type", "application/pdf")
	h.Set("Content-Length", strconv.FormatInt(file.Size, 10))
	h.Set("Content-Disposition", mime.FormatMediaType("inline", map[string]string{"filename": file.Name}))
	h.Set("Cache-Control", "private, no-store")
	_, _ = io.Copy(w, file)
	return nil
}

// invoiceName is how an invoice is called where it may be a draft.
func invoiceName(ctx context.Context, row db.Invoice) string {
	switch {
	case row.Status == db.InvoiceDraft:
		return bt(ctx, "draft.name")
	case row.Kind == db.KindLateFee:
		return bt(ctx, "late_fee.name", "number", row.Number)
	}
	return t(ctx, "invoice.title", "number", row.Number)
}

// shortName is the number of an invoice, or that it has none yet.
func shortName(ctx context.Context, row db.Invoice) string {
	if row.Number == "" {
		return bt(ctx, "draft.name")
	}
	return row.Number
}
