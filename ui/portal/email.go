package portal

import (
	"net/http"

	"github.com/a-h/templ"

	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/emaillog"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

const sectionEmails = "emails"

func (p *Portal) emailRoutes() []layout.Route {
	return []layout.Route{
		{Method: "GET", Path: "/clientes/{client}/correos", Who: layout.Logins, Handle: p.Emails},
		{Method: "GET", Path: "/clientes/{client}/correos/{email}", Who: layout.Logins, Handle: p.Email},
		{Method: "GET", Path: "/clientes/{client}/correos/{email}/contenido", Who: layout.Logins, Handle: p.EmailContent},
	}
}

func (p *Portal) emails(r *http.Request) (emaillog.Log, error) {
	client, err := p.client(r)
	return emaillog.Log{Account: p.Account, Client: client, Path: string(at(client.ID, "correos")),
		InvoiceURL: func(invoice id.Invoice) templ.SafeURL { return at(client.ID, "facturas", invoice.String()) }}, err
}

// Emails lists the mails that the client was sent.
func (p *Portal) Emails(w http.ResponseWriter, r *http.Request) error {
	log, err := p.emails(r)
	if err != nil {
		return err
	}
	view, err := log.Read(r)
	if fault.Is(err, fault.Invalid) { // an address typed by hand
		return layout.Redirect(w, r, log.Path)
	}
	if err != nil {
		return err
	}
	ctx := r.Context()
	return p.show(w, r, http.StatusOK, log.Client, sectionEmails, component.T(ctx, "emails.title"), emaillog.Page(view, component.T(ctx, "emails.detail")))
}

// Email shows one mail as it was sent.
func (p *Portal) Email(w http.ResponseWriter, r *http.Request) error {
	log, err := p.emails(r)
	if err != nil {
		return err
	}
	mail, err := log.ReadMail(r)
	if err != nil {
		return err
	}
	return p.show(w, r, http.StatusOK, log.Client, sectionEmails, mail.Subject, emaillog.MailPage(mail))
}

// EmailContent is the HTML part of a mail, for the frame of its page.
func (p *Portal) EmailContent(w http.ResponseWriter, r *http.Request) error {
	log, err := p.emails(r)
	if err != nil {
		return err
	}
	return log.WriteHTML(w, r)
}
