package email

import (
	"net/url"
	"strings"

	"github.com/nubedigitalmx/avisa/internal/id"
)

// Links makes the addresses that mails point to.
type Links struct {
	BaseURL string // scheme and host that recipients reach, "https://clientes.ejemplo.mx"; a path may follow
}

// Invoice is the page of an invoice in the client area.
func (l Links) Invoice(invoice id.Invoice) string {
	return l.at("/clientes/facturas/" + invoice.String())
}

// Invoices is the list of a client's invoices in the client area.
func (l Links) Invoices(client id.Client) string {
	return l.at("/clientes/" + client.String() + "/facturas")
}

// Contacts is the page where a client decides who is sent what.
func (l Links) Contacts() string { return l.at("/clientes/contactos") }

func (l Links) at(path string) string { return strings.TrimRight(l.BaseURL, "/") + path }

// valid reports whether the links can be clicked in a mail.
func (l Links) valid() bool {
	u, err := url.Parse(l.BaseURL)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Host != ""
}
