package reminder

import (
	"context"
	"slices"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
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

// linkedInvoice is the invoice that the link names, which must be its client's and whose links must not
// have been revoked since.
func (s *Service) linkedInvoice(ctx context.Context, l Link) (db.Invoice, error) {
	invoice, err := s.Store.Invoice(ctx, l.InvoiceID)
	if err == nil && !l.opens(invoice) {
		return db.Invoice{}, linkInvalid()
	}
	return invoice, err
}

// opens reports whether the link may show an invoice that it names.
func (l Link) opens(invoice db.Invoice) bool {
	return invoice.ClientID == l.ClientID && (invoice.LinksRevokedAt == nil || l.Made.Unix() > invoice.LinksRevokedAt.Unix())
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
	return s.Billing.OpenInvoicePDF(reading(ctx, l), invoice.ID, address)
}

// reading is a context that may use the invoices of the link's client; the callers use it for those
// that the link names only.
func reading(ctx context.Context, l Link) context.Context {
	actor := holder(ctx, l)
	actor.Kind, actor.Login, actor.Staff = access.Login, 0, 0
	actor.Grants = []access.Grant{{Client: l.ClientID, Contact: l.ContactID, Permissions: []access.Permission{access.Invoices}}}
	return access.With(ctx, *actor)
}

// LinkedInvoice is one invoice of a mail about several, with the token of its own link.
type LinkedInvoice struct {
	db.Invoice
	Token string
}

// LinkedInvoices is what the holder of a link of a mail about several invoices sees.
type LinkedInvoices struct {
	Client   db.Client
	Invoices []LinkedInvoice // in the order of their ids
	Transfer billing.Transfer
	Online   bool // PayLinkedInvoices can be used
}

// LinkedInvoices opens the invoices of a mail about several, without those whose links were revoked
// since. The links of each live as long as this one.
func (s *Service) LinkedInvoices(ctx context.Context, token string) (LinkedInvoices, error) {
	l, rows, err := s.linkedInvoices(ctx, token)
	if err != nil {
		return LinkedInvoices{}, err
	}
	page := LinkedInvoices{Online: s.Billing.Online(), Invoices: make([]LinkedInvoice, len(rows))}
	if page.Client, err = s.Store.Client(ctx, l.ClientID); err != nil {
		return LinkedInvoices{}, err
	}
	for i, row := range rows {
		page.Invoices[i].Invoice = row
		if page.Invoices[i].Token, err = s.sign(ctx, Link{Kind: LinkInvoice, ClientID: l.ClientID, ContactID: l.ContactID, InvoiceID: row.ID, Made: l.Made, Email: l.Email}); err != nil {
			return LinkedInvoices{}, err
		}
	}
	page.Transfer, err = s.Billing.TransferInstructions(reading(ctx, l), l.ClientID)
	return page, err
}

// linkedInvoices are the invoices that the ledger has under the Message-ID of the link's mail.
func (s *Service) linkedInvoices(ctx context.Context, token string) (Link, []db.Invoice, error) {
	l, err := s.OpenLink(ctx, token, LinkInvoices)
	if err != nil {
		return l, nil, err
	}
	ids, err := s.Store.InvoicesOfMail(ctx, l.InvoiceID, l.StepID, l.ContactID)
	if err != nil {
		return l, nil, err
	}
	rows, err := s.Store.InvoicesByID(ctx, ids)
	if err != nil {
		return l, nil, err
	}
	rows = slices.DeleteFunc(rows, func(row db.Invoice) bool { return !l.opens(row) })
	if len(rows) == 0 {
		return l, nil, linkInvalid()
	}
	slices.SortFunc(rows, func(a, b db.Invoice) int { return int(a.ID - b.ID) })
	return l, rows, nil
}

// PayLinkedInvoices opens the gateway's page for the chosen invoices of a mail about several; path is
// the page's own address, to which the payer comes back.
func (s *Service) PayLinkedInvoices(ctx context.Context, token string, chosen []id.Invoice, path string) (db.Checkout, error) {
	l, rows, err := s.linkedInvoices(ctx, token)
	if err != nil {
		return db.Checkout{}, err
	}
	for _, one := range chosen {
		if !slices.ContainsFunc(rows, func(row db.Invoice) bool { return row.ID == one }) {
			return db.Checkout{}, fault.Missing()
		}
	}
	return s.Billing.StartCheckout(reading(ctx, l), billing.CheckoutInput{Invoices: chosen, Return: path})
}

// LinkedCheckout returns an online payment of invoices of a mail about several, for the page that the
// payer comes back to.
func (s *Service) LinkedCheckout(ctx context.Context, token string, checkoutID id.Checkout) (db.Checkout, []db.Invoice, error) {
	l, rows, err := s.linkedInvoices(ctx, token)
	if err != nil {
		return db.Checkout{}, nil, err
	}
	checkout, parts, err := s.Billing.Checkout(reading(ctx, l), checkoutID)
	if err != nil {
		return db.Checkout{}, nil, err
	}
	paid := []db.Invoice{}
	for _, part := range parts {
		i := slices.IndexFunc(rows, func(row db.Invoice) bool { return row.ID == part.InvoiceID })
		if i < 0 {
			return db.Checkout{}, nil, fault.Missing() // the link reveals its own invoices alone
		}
		paid = append(paid, rows[i])
	}
	return checkout, paid, nil
}

// recipient is the global id of whose address something is about: a contact's or the client's own.
func recipient(clientID id.Client, contactID id.Contact) string {
	if contactID != 0 {
		return contactID.String()
	}
	return clientID.String()
}
