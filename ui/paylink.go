package ui

import (
	"context"
	"net/http"

	"github.com/a-h/templ"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
	"github.com/nubedigitalmx/avisa/ui/payment"
)

// The pages of a personal pay link: the token in the path is the permission, for one invoice.

func pt(ctx context.Context, key string, args ...any) string {
	return component.T(ctx, "payment."+key, args...)
}

// PayPath is where somebody who is signed in pays an invoice of a client.
func PayPath(client id.Client, invoice id.Invoice) string {
	return "/clientes/" + client.String() + "/pagar?factura=" + invoice.String()
}

type payLinkView struct {
	billing.PayPage
	Path       string
	State      string
	Unfinished bool
	Problem    string
}

func (p pages) payLink(w http.ResponseWriter, r *http.Request) error {
	return p.showPayLink(w, r, http.StatusOK, payLinkView{Unfinished: r.URL.Query().Get("pago") == "sin-terminar"})
}

func (p pages) showPayLink(w http.ResponseWriter, r *http.Request, status int, view payLinkView) error {
	personal(w)
	page, err := p.Billing.OpenPayLink(r.Context(), r.PathValue("token"))
	if err != nil {
		return err
	}
	view.PayPage, view.Path, view.State = page, payLinkPath(r), page.Invoice.State(p.Billing.Today())
	payment.Headers(w)
	return layout.Write(w, r, status, layout.Page{Title: pt(r.Context(), "link.title", "number", page.Invoice.Number), Home: "/clientes", Plain: true}, payLinkPage(view))
}

func payLinkPath(r *http.Request) string { return "/pagar/" + r.PathValue("token") }

func (p pages) startByLink(w http.ResponseWriter, r *http.Request) error {
	personal(w)
	ctx := r.Context()
	row, err := p.Billing.StartCheckoutByLink(ctx, r.PathValue("token"))
	if f, ok := fault.As(err); ok && (f.Kind == fault.Conflict || f.Kind == fault.Unavailable) {
		status := http.StatusConflict
		if f.Kind == fault.Unavailable {
			status = http.StatusServiceUnavailable
		}
		return p.showPayLink(w, r, status, payLinkView{Problem: locale.Error(component.Lang(ctx), f.Code, f.Args)})
	}
	if err != nil {
		return err
	}
	return layout.Redirect(w, r, row.URL)
}

func (p pages) pdfByLink(w http.ResponseWriter, r *http.Request) error {
	personal(w)
	file, err := p.Billing.OpenPDFByLink(r.Context(), r.PathValue("token"), access.From(r.Context()).Address)
	if err != nil {
		return err
	}
	return sendPDF(w, file)
}

func (p pages) statusByLink(w http.ResponseWriter, r *http.Request) error {
	personal(w)
	checkoutID, err := id.ParseCheckout(r.PathValue("checkout"))
	if err != nil {
		return fault.Missing()
	}
	row, invoice, err := p.Billing.CheckoutByLink(r.Context(), r.PathValue("token"), checkoutID)
	if err != nil {
		return err
	}
	back := templ.SafeURL(payLinkPath(r))
	view := payment.StatusView{Checkout: row, Invoices: []db.Invoice{invoice}, Reload: templ.SafeURL(r.URL.Path), Retry: back, Done: back, DoneText: pt(r.Context(), "status.to_invoice")}
	payment.Headers(w)
	return layout.Write(w, r, http.StatusOK, layout.Page{Title: pt(r.Context(), "status.page"), Home: "/clientes", Plain: true}, payment.Status(view))
}
