package ui

import (
	"net/http"
	"slices"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/reminder"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// maillinks are the pages that the personal links of mails open, without login: the token in the path
// is the permission.
type maillinks struct{ reminder *reminder.Service }

var maillinkPaths = map[string]string{reminder.LinkPreferences: "/correo/preferencias/", reminder.LinkVerify: "/correo/confirmar/", reminder.LinkInvoice: "/correo/factura/"}

// MailLinkPath is the page that a personal link of the kind opens.
func MailLinkPath(kind, token string) string { return maillinkPaths[kind] + token }

func (m maillinks) routes() []layout.Route {
	preferences, verify, invoice := MailLinkPath(reminder.LinkPreferences, "{token}"), MailLinkPath(reminder.LinkVerify, "{token}"), MailLinkPath(reminder.LinkInvoice, "{token}")
	return []layout.Route{
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
