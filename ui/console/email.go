package console

import (
	"net/http"

	"github.com/a-h/templ"

	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/emaillog"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

func (c *Console) emailRoutes() []layout.Route {
	return []layout.Route{
		{Method: "GET", Path: "/consola/clientes/{id}/correos", Who: layout.Staff, Handle: c.emails},
		{Method: "GET", Path: "/consola/clientes/{id}/correos/{email}", Who: layout.Staff, Handle: c.email},
		{Method: "GET", Path: "/consola/clientes/{id}/correos/{email}/contenido", Who: layout.Staff, Handle: c.emailContent},
	}
}

func (c *Console) emailLog(r *http.Request) (emaillog.Log, error) {
	client, err := c.client(r.Context(), r.PathValue("id"))
	return emaillog.Log{Account: c.Account, Client: client, Path: clientPath(client.ID) + "/correos",
		InvoiceURL: func(invoice id.Invoice) templ.SafeURL { return templ.SafeURL(invoicePath(invoice)) }}, err
}

// emails lists the mails that a client was sent.
func (c *Console) emails(w http.ResponseWriter, r *http.Request) error {
	log, err := c.emailLog(r)
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
	back := component.Back(templ.SafeURL(clientPath(log.Client.ID)), log.Client.Name)
	return c.show(w, r, http.StatusOK, component.T(ctx, "emails.title"), templ.Join(back, emaillog.Page(view, component.T(ctx, "emails.detail.staff", "client", log.Client.Name))))
}

func (c *Console) email(w http.ResponseWriter, r *http.Request) error {
	log, err := c.emailLog(r)
	if err != nil {
		return err
	}
	mail, err := log.ReadMail(r)
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, mail.Subject, emaillog.MailPage(mail))
}

func (c *Console) emailContent(w http.ResponseWriter, r *http.Request) error {
	log, err := c.emailLog(r)
	if err != nil {
		return err
	}
	return log.WriteHTML(w, r)
}
