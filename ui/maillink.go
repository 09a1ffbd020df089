package ui

import (
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/a-h/templ"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/reminder"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
	"github.com/nubedigitalmx/avisa/ui/payment"
)

// maillinks are the pages that the personal links of mails open, without login: the token in the path
// is the permission.
type maillinks struct {
	reminder *reminder.Service
	now      func() time.Time
}

var maillinkPaths = map[string]string{reminder.LinkPreferences: "/correo/preferencias/", reminder.LinkVerify: "/correo/confirmar/", reminder.LinkInvoice: "/correo/factura/",
	reminder.LinkInvoices: "/correo/facturas/"}

// MailLinkPath is the page that a personal link of the kind opens.
func MailLinkPath(kind, token string) string { return maillinkPaths[kind] + token }

func (m maillinks) routes() []layout.Route {
	preferences, verify, invoice := MailLinkPath(reminder.LinkPreferences, "{token}"), MailLinkPath(reminder.LinkVerify, "{token}"), MailLinkPath(reminder.LinkInvoice, "{token}")
	invoices := MailLinkPath(reminder.LinkInvoices, "{token}")
	return []layout.Route{
		{Method: "GET", Path: invoices, Who: layout.Everybody, Handle: m.invoices},
		{Method: "POST", Path: invoices, Who: layout.Everybody, Handle: m.payInvoices},
		{Method: "GET", Path: invoices + "/{checkout}", Who: layout.Everybody, Handle: m.invoicesPayment},
		{Method: "GET", Path: preferences, Who: layout.Everybody, Handle: m.preferences},
		{Method: "POST", Path: preferences, Who: layout.Everybody, Handle: m.setPreferences},
		{Method: "GET", Path: verify, Who: layout.Everybody, Handle: m.askToVerify},
		{Method: "POST", Path: verify, Who: layout.Everybody, Handle: m.verify},
		{Method: "GET", Path: invoice, Who: layout.Everybody, Handle: m.invoice},
		{Method: "GET", Path: invoice + "/pdf", Who: layout.Everybody, Handle: m.invoicePDF},
	}
}

// personal keeps the address of the page, which is a key, out of caches and of what other sites see.
func personal(w http.ResponseWriter) {
	w.Header().Set("Cache-Control", "private, no-store")
	w.Header().Set("Referrer-Policy", "no-referrer")
	w.Header().Set("X-Robots-Tag", "noindex, nofollow")
}

func (m maillinks) preferences(w http.ResponseWriter, r *http.Request) error {
	personal(w)
	p, err := m.reminder.Preferences(r.Context(), r.PathValue("token"))
	if err != nil {
		return err
	}
	return m.showPreferences(w, r, p, false)
}

func (m maillinks) showPreferences(w http.ResponseWriter, r *http.Request, p reminder.Preferences, saved bool) error {
	return layout.Write(w, r, http.StatusOK, layout.Page{Title: component.T(r.Context(), "maillink.preferences.title"), Home: "/clientes", Plain: true},
		preferencesPage(p, slices.Contains(p.Topics, mail.Invoice), saved))
}

// setPreferences is the page's form, and what a mail program posts for one click on its own
// "unsubscribe" (RFC 8058 section 3.2), which can only turn the mail off.
func (m maillinks) setPreferences(w http.ResponseWriter, r *http.Request) error {
	personal(w)
	p, err := m.reminder.SetReminderPreference(r.Context(), r.PathValue("token"), r.PostFormValue("reminders") == "on")
	if err != nil {
		return err
	}
	return m.showPreferences(w, r, p, true)
}

// askToVerify changes nothing, because programs that scan mail for viruses open its links too.
func (m maillinks) askToVerify(w http.ResponseWriter, r *http.Request) error {
	personal(w)
	l, err := m.reminder.OpenLink(r.Context(), r.PathValue("token"), reminder.LinkVerify)
	if err != nil {
		return err
	}
	return m.showVerify(w, r, l, false)
}

func (m maillinks) verify(w http.ResponseWriter, r *http.Request) error {
	personal(w)
	l, err := m.reminder.VerifyAddress(r.Context(), r.PathValue("token"))
	if err != nil {
		return err
	}
	return m.showVerify(w, r, l, true)
}

func (m maillinks) showVerify(w http.ResponseWriter, r *http.Request, l reminder.Link, done bool) error {
	return layout.Write(w, r, http.StatusOK, layout.Page{Title: component.T(r.Context(), "maillink.verify.title"), Home: "/clientes", Plain: true}, verifyPage(l, done))
}

// invoice leads on to the page on which one sees and pays the invoice.
func (m maillinks) invoice(w http.ResponseWriter, r *http.Request) error {
	personal(w)
	url, err := m.reminder.LinkedPayURL(r.Context(), r.PathValue("token"))
	if err != nil {
		return err
	}
	return layout.Redirect(w, r, url)
}

func (m maillinks) invoicePDF(w http.ResponseWriter, r *http.Request) error {
	personal(w)
	file, err := m.reminder.OpenLinkedPDF(r.Context(), r.PathValue("token"), access.From(r.Context()).Address)
	if err != nil {
		return err
	}
	return sendPDF(w, file)
}

// linkedView is the page of a mail about several invoices.
type linkedView struct {
	reminder.LinkedInvoices
	Path       string
	Today      date.Date
	Chosen     []db.Invoice // what is to be paid
	Unfinished bool         // back from the gateway without having paid
	Problem    string
}

func (v linkedView) chosen(row db.Invoice) bool {
	return slices.ContainsFunc(v.Chosen, func(c db.Invoice) bool { return c.ID == row.ID })
}

// open are the invoices that are still to be paid.
func (v linkedView) open() (list []db.Invoice) {
	for _, row := range v.Invoices {
		if row.Open() {
			list = append(list, row.Invoice)
		}
	}
	return list
}

// invoices shows the invoices of a mail about several; without a choice in the address all of them are
// to be paid.
func (m maillinks) invoices(w http.ResponseWriter, r *http.Request) error {
	query := r.URL.Query()
	return m.showInvoices(w, r, http.StatusOK, linkedView{Unfinished: query.Get("pago") == "sin-terminar"}, query)
}

func (m maillinks) showInvoices(w http.ResponseWriter, r *http.Request, status int, view linkedView, choice url.Values) error {
	personal(w)
	page, err := m.reminder.LinkedInvoices(r.Context(), r.PathValue("token"))
	if err != nil {
		return err
	}
	view.LinkedInvoices, view.Path, view.Today = page, MailLinkPath(reminder.LinkInvoices, r.PathValue("token")), date.Today(m.now(), page.Client.Timezone)
	for _, row := range view.open() {
		if !choice.Has("elegir") || slices.Contains(choice["factura"], row.ID.String()) {
			view.Chosen = append(view.Chosen, row)
		}
	}
	payment.Headers(w)
	return layout.Write(w, r, status, layout.Page{Title: component.T(r.Context(), "maillink.invoices.title"), Home: "/clientes", Plain: true}, linkedPage(view))
}

// payInvoices leads to the gateway's page for the chosen invoices.
func (m maillinks) payInvoices(w http.ResponseWriter, r *http.Request) error {
	personal(w)
	ctx, token := r.Context(), r.PathValue("token")
	chosen := []id.Invoice{}
	for _, text := range r.PostForm["factura"] {
		invoice, err := id.ParseInvoice(text)
		if err != nil {
			return fault.Missing()
		}
		chosen = append(chosen, invoice)
	}
	row, err := m.reminder.PayLinkedInvoices(ctx, token, chosen, MailLinkPath(reminder.LinkInvoices, token))
	if f, ok := fault.As(err); ok && (f.Kind == fault.Invalid || f.Kind == fault.Conflict || f.Kind == fault.Unavailable) {
		code, args, status := f.Code, f.Args, http.StatusUnprocessableEntity
		if len(f.Fields) > 0 {
			code, args = f.Fields[0].Code, f.Fields[0].Args
			if code == "REQUIRED" {
				code = "INVOICES_NOT_CHOSEN"
			}
		}
		if f.Kind == fault.Unavailable {
			status = http.StatusServiceUnavailable
		}
		choice := url.Values{"elegir": {"1"}, "factura": r.PostForm["factura"]}
		return m.showInvoices(w, r, status, linkedView{Problem: locale.Error(component.Lang(ctx), code, args)}, choice)
	}
	if err != nil {
		return err
	}
	payment.Headers(w)
	return layout.Redirect(w, r, row.URL)
}

// invoicesPayment is the page that the payer comes back to.
func (m maillinks) invoicesPayment(w http.ResponseWriter, r *http.Request) error {
	personal(w)
	checkoutID, err := id.ParseCheckout(r.PathValue("checkout"))
	if err != nil {
		return fault.Missing()
	}
	row, invoices, err := m.reminder.LinkedCheckout(r.Context(), r.PathValue("token"), checkoutID)
	if err != nil {
		return err
	}
	back := templ.SafeURL(MailLinkPath(reminder.LinkInvoices, r.PathValue("token")))
	view := payment.StatusView{Checkout: row, Invoices: invoices, Reload: templ.SafeURL(r.URL.Path), Retry: back, Done: back, DoneText: pt(r.Context(), "status.to_invoices")}
	payment.Headers(w)
	return layout.Write(w, r, http.StatusOK, layout.Page{Title: pt(r.Context(), "status.page"), Home: "/clientes", Plain: true}, payment.Status(view))
}
