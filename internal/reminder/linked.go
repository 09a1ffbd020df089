package reminder

import (
	"context"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// holder is who uses a personal link, as the logs name them: nobody is signed in, the address is all
// that is known.
func holder(ctx context.Context, l Link) *access.Actor {
	actor := access.From(ctx)
	actor.Name, actor.Email = l.Email, l.Email
	return &actor
}

// linkedPage is how long the page lives that a personal link leads to; the link leads to another one.
const linkedPage = 7 * 24 * time.Hour

// LinkedPayURL returns the page on which the holder of a personal link sees and pays its invoice
// without signing in.
func (s *Service) LinkedPayURL(ctx context.Context, token string) (string, error) {
	l, err := s.OpenLink(ctx, token, LinkInvoice)
	if err != nil {
		return "", err
	}
	invoice, err := s.linkedInvoice(ctx, l)
	if err != nil {
		return "", err
	}
	return s.Billing.PayLink(access.With(ctx, access.SystemActor()), billing.PayLinkInput{InvoiceID: invoice.ID, ContactID: l.ContactID, Lifetime: linkedPage})
}

// linkedInvoice is the invoice that the link names, which must be its client's.
func (s *Service) linkedInvoice(ctx context.Context, l Link) (db.Invoice, error) {
	invoice, err := s.Store.Invoice(ctx, l.InvoiceID)
	if err == nil && invoice.ClientID != l.ClientID {
		return db.Invoice{}, linkInvalid()
	}
	return invoice, err
}

// OpenLinkedPDF opens the PDF of a personal link's invoice, as a login that may see the client's
// invoices would, and writes the download log. address is the network address it is sent to.
func (s *Service) OpenLinkedPDF(ctx context.Context, token, address string) (billing.Download, error) {
	l, err := s.OpenLink(ctx, token, LinkInvoice)
	if err != nil {
		return billing.Download{}, err
	}
	invoice, err := s.linkedInvoice(ctx, l)
	if err != nil {
		return billing.Download{}, err
	}
	actor := holder(ctx, l)
	actor.Kind, actor.Login, actor.Staff = access.Login, 0, 0
	actor.Grants = []access.Grant{{Client: l.ClientID, Contact: l.ContactID, Permissions: []access.Permission{access.Invoices}}}
	return s.Billing.OpenInvoicePDF(access.With(ctx, *actor), invoice.ID, address)
}

// recipient is the global id of whose address something is about: a contact's or the client's own.
func recipient(clientID id.Client, contactID id.Contact) string {
	if contactID != 0 {
		return contactID.String()
	}
	return clientID.String()
}
