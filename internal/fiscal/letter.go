package fiscal

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// Letter is what the mail of a stamped document says.
type Letter struct {
	MessageID   string
	To, Name    string
	Language    string
	Kind        string // db.CFDIIngreso...
	UUID        string
	Number      string // series and folio
	Rfc, Nombre string // of the receiver
	Total       string // as written in the document
	Moneda      string
	InvoiceID   id.Invoice
	Company     db.Company
	Attachments []mail.Attachment // the XML, and the PDF where it could be drawn
	WithPDF     bool
	Sandbox     bool // without fiscal validity
}

// enqueueMails asks for one mail per address with the invoice preference: the client's own and its contacts', only those
// of the document's profile where it has some.
func (s *Service) enqueueMails(ctx context.Context, tx *db.Store, row db.CFDI) error {
	if s.Render == nil || row.ClientID == 0 { // a global invoice is nobody's
		return nil
	}
	client, err := tx.Client(ctx, row.ClientID)
	if err != nil {
		return err
	}
	if slices.Contains(client.Topics, mail.Invoice) {
		if err := tx.Enqueue(ctx, MailJob{CFDI: row.ID}); err != nil {
			return err
		}
	}
	own, err := tx.ProfileContacts(ctx, row.ProfileID)
	if err != nil {
		return err
	}
	chosen := own[row.ProfileID]
	for page := (db.Page{First: db.MaxPage}); ; {
		list, err := tx.Contacts(ctx, row.ClientID, page)
		if err != nil {
			return err
		}
		for _, contact := range list.Rows {
			if !slices.Contains(contact.Topics, mail.Invoice) || len(chosen) > 0 && !slices.Contains(chosen, contact.ID) {
				continue
			}
			if err := tx.Enqueue(ctx, MailJob{CFDI: row.ID, Contact: contact.ID}); err != nil {
				return err
			}
		}
		if page.After = list.Next(); page.After == "" {
			return nil
		}
	}
}

// Mail does a MailJob: once per document and recipient. The XML is the document, so a PDF that cannot be
// drawn holds nothing back: the mail says that it can be downloaded later.
func (s *Service) Mail(ctx context.Context, job MailJob) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	if s.Mailer == nil || s.Render == nil {
		return fault.New(fault.Unavailable, "FISCAL_NO_MAIL")
	}
	row, err := s.Store.CFDI(ctx, job.CFDI)
	if err != nil {
		return err
	}
	done, err := s.Store.CFDIMails(ctx, row.ID)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(done, func(m db.CFDIMail) bool { return m.ContactID == job.Contact }) {
		return nil
	}
	letter, reason, err := s.compoundLetter(ctx, row, job.Contact)
	if err != nil {
		return err
	}
	entry := db.CFDIMail{CFDIID: row.ID, ContactID: job.Contact, Email: letter.To, MessageID: letter.MessageID, WithPDF: letter.WithPDF, Status: "skipped", Reply: reason}
	if reason != "" {
		return s.Store.AddCFDIMail(ctx, &entry)
	}
	message, err := s.Render(ctx, letter)
	if err != nil {
		return err
	}
	receipt, err := s.Mailer.Send(ctx, message)
	entry.Status, entry.Reply = "sent", receipt.Reply
	if refusal, refused := mail.AsRefusal(err); refused && refusal.Permanent {
		entry.Status, entry.Reply = "failed", refusal.Reply
	} else if err != nil {
		return err
	}
	return s.Store.AddCFDIMail(context.WithoutCancel(ctx), &entry)
}

// compoundLetter fills the mail; reason says why it must not be sent any more.
func (s *Service) compoundLetter(ctx context.Context, row db.CFDI, contactID id.Contact) (letter Letter, reason string, err error) {
	company, err := s.Store.Company(ctx)
	if err != nil {
		return letter, "", err
	}
	client, err := s.Store.Client(ctx, row.ClientID)
	if err != nil {
		return letter, "", err
	}
	doc, err := Parse(row.XML)
	if err != nil {
		return letter, "", err
	}
	_, domain, _ := strings.Cut(company.Email, "@")
	letter = Letter{MessageID: fmt.Sprintf("cfdi.%d.%d@%s", row.ID, contactID, domain), To: client.Email, Name: client.Name, Language: client.Language,
		Kind: row.Kind, UUID: row.UUID, Number: doc.Comprobante.Serie + " " + doc.Comprobante.Folio, Rfc: row.RfcReceptor, Nombre: row.NombreReceptor,
		Total: grouped(Num(row.Total)), Moneda: row.Moneda, InvoiceID: row.InvoiceID, Company: company, Sandbox: SinValidez(doc.Comprobante)}
	topics := client.Topics
	if contactID != 0 {
		contact, err := s.Store.Contact(ctx, contactID)
		if err != nil {
			return letter, "", err
		}
		if contact.DeletedAt != nil {
			return letter, "contact_deleted", nil
		}
		letter.To, letter.Name, letter.Language, topics = contact.Email, contact.Name(), contact.Language, contact.Topics
	}
	switch {
	case !slices.Contains(topics, mail.Invoice):
		return letter, "preference_off", nil
	case row.Status != db.CFDIStamped:
		return letter, row.Status, nil
	}
	letter.Attachments = []mail.Attachment{{Name: FileName(doc.Comprobante, FormatXML), ContentType: "application/xml", Data: row.XML}}
	printed, err := s.print(row, company, letter.Language)
	if err != nil {
		s.logger().Error("the mail goes without PDF", "cfdi", row.ID.String(), "error", err)
		return letter, "", nil
	}
	letter.WithPDF = true
	letter.Attachments = append(letter.Attachments, mail.Attachment{Name: FileName(doc.Comprobante, FormatPDF), ContentType: "application/pdf", Data: printed})
	return letter, "", nil
}

// print is Print, or what a test puts in its place.
func (s *Service) print(row db.CFDI, company db.Company, lang string) ([]byte, error) {
	if s.Printer != nil {
		return s.Printer(row, company, lang)
	}
	return Print(row, company, lang)
}
