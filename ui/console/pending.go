package console

import (
	"context"
	"net/http"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

const pendingPath = "/consola/fiscal/pendientes"

func (c *Console) pendingRoutes() []layout.Route {
	if c.Fiscal == nil {
		return nil
	}
	toPending := func(w http.ResponseWriter, r *http.Request) error { return layout.Redirect(w, r, pendingPath) }
	return []layout.Route{
		{Method: "GET", Path: pendingPath, Who: layout.Staff, Handle: c.pending},
		{Method: "POST", Path: "/consola/fiscal/anticipos", Who: layout.Staff, Handle: c.requestAnticipo},
		{Method: "GET", Path: "/consola/fiscal/anticipos", Who: layout.Staff, Handle: toPending},
		{Method: "POST", Path: "/consola/fiscal/{id}/rehacer", Who: layout.Staff, Handle: c.redoGlobal},
		{Method: "GET", Path: "/consola/fiscal/{id}/rehacer", Who: layout.Staff, Handle: toParent},
		{Method: "POST", Path: "/consola/fiscal/{id}/ventas", Who: layout.Staff, Handle: c.leaveGlobal},
		{Method: "GET", Path: "/consola/fiscal/{id}/ventas", Who: layout.Staff, Handle: toParent},
	}
}

// pt is a text about what waits for documents.
func pt(ctx context.Context, key string, args ...any) string {
	return component.T(ctx, "pending."+key, args...)
}

// pcount is pt for a number of things.
func pcount(ctx context.Context, key string, n int, args ...any) string {
	return pt(ctx, oneOr(key, int64(n)), append(args, "n", n)...)
}

type pendingView struct {
	fiscal.Pending
	Changes bool // the reader may change something
}

func (v pendingView) empty() bool {
	return len(v.Receipts)+len(v.Sales)+len(v.Changed)+len(v.OnAccount)+len(v.Elsewhere) == 0
}

// left says how long there is until a moment, in days of its zone.
func (v pendingView) left(ctx context.Context, until time.Time) string {
	today, last := date.Of(v.Now, until.Location()), date.Of(until, until.Location())
	switch days := last.Sub(today); {
	case days < 0:
		return pcount(ctx, "over", -days)
	case days == 0:
		return pt(ctx, "today")
	case days == 1:
		return pt(ctx, "tomorrow")
	default:
		return pt(ctx, "days", "n", days)
	}
}

// tone is how pressing a moment is.
func (v pendingView) tone(until time.Time) component.Tone {
	switch left := until.Sub(v.Now); {
	case left < 0:
		return component.Bad
	case left < 4*24*time.Hour:
		return component.Warning
	}
	return component.Info
}

// ivas are what an anticipo can contain.
func ivas(ctx context.Context) []component.Option {
	options := make([]component.Option, len(treatments))
	for i, treatment := range treatments {
		options[i] = component.Option{Value: string(treatment), Label: t(ctx, "treatment."+string(treatment))}
	}
	return options
}

func (c *Console) pending(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	view := pendingView{Changes: access.RequireCapability(ctx, access.ManageBilling) == nil}
	var err error
	if view.Pending, err = c.Fiscal.Pending(ctx); err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, pt(ctx, "title"), pendingPage(view))
}

// requestAnticipo asks for the document of a payment on account.
func (c *Console) requestAnticipo(w http.ResponseWriter, r *http.Request) error {
	payment, err := id.ParsePayment(r.PostFormValue("pago"))
	if err != nil {
		return fault.Missing()
	}
	row, err := c.Fiscal.RequestAnticipo(r.Context(), fiscal.AnticipoInput{PaymentID: payment, Treatment: fiscal.IVA(r.PostFormValue("iva"))})
	if withoutProfile(err) {
		layout.Flash(w, r, "pending.flash.profile")
		return layout.Redirect(w, r, pendingPath)
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "pending.flash.anticipo")
	return layout.Redirect(w, r, documentPath(row.ID))
}

// redoGlobal asks for a global invoice without the sales that are not paid any more.
func (c *Console) redoGlobal(w http.ResponseWriter, r *http.Request) error {
	cfdi, err := id.ParseCFDI(r.PathValue("id"))
	if err != nil {
		return fault.Missing()
	}
	row, err := c.Fiscal.RedoGlobal(r.Context(), fiscal.SubstituteInput{CFDI: cfdi})
	if err != nil {
		return err
	}
	layout.Flash(w, r, "pending.flash.redone")
	return layout.Redirect(w, r, documentPath(row.ID))
}

// leaveGlobal asks for the own document of a sale in a global invoice.
func (c *Console) leaveGlobal(w http.ResponseWriter, r *http.Request) error {
	invoice, err := id.ParseInvoice(r.PostFormValue("factura"))
	if err != nil {
		return fault.Missing()
	}
	row, err := c.Fiscal.RequestCFDI(r.Context(), fiscal.RequestInput{InvoiceID: invoice, FromGlobal: true})
	if withoutProfile(err) {
		layout.Flash(w, r, "pending.flash.profile")
		return layout.Redirect(w, r, r.URL.Path[:len(r.URL.Path)-len("/ventas")])
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "pending.flash.left")
	return layout.Redirect(w, r, documentPath(row.ID))
}

// withoutProfile reports whether a document waits for its receiver's fiscal data, which only the client has.
func withoutProfile(err error) bool {
	f, ok := fault.As(err)
	return ok && f.Code == "FISCAL_PROFILE_MISSING"
}

// saleUnpaid reports whether a sale of a global invoice is not paid any more.
func saleUnpaid(row db.Invoice) bool { return row.Status != db.InvoicePaid }
