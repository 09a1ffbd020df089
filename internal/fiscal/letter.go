package fiscal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// Letter is what a mail about a document says.
type Letter struct {
	Event       string // db.MailStamped...
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
	// Deadline is the day until which the receiver can answer, with db.MailCancelRequested; Motivo is the reason
	// (c_Motivo) and Replacement the folio fiscal of the document that takes its place.
	Deadline            date.Date
	Motivo, Replacement string
}

// enqueueMails asks for one mail per address with the invoice preference: the client's own and its contacts', only those
// of the document's profile where it has some.
func (s *Service) enqueueMails(ctx context.Context, tx *db.Store, row db.CFDI, event string) error {
	if s.Render == nil || row.ClientID == 0 { // a global invoice is nobody's
		return nil
	}
	job := MailJob{CFDI: row.ID}
	if event != db.MailStamped {
		job.Event, job.Round = event, row.CancelRound
	}
	client, err := tx.Client(ctx, row.ClientID)
	if err != nil {
		return err
	}
	reached := !slices.Contains(client.Topics, mail.Invoice) // the client's own address
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
			reached = reached || strings.EqualFold(contact.Email, client.Email) // who has a contact of its own gets one mail
			job.Contact = contact.ID
			if err := tx.Enqueue(ctx, job); err != nil {
				return err
			}
		}
		if page.After = list.Next(); page.After == "" {
			break
		}
	}
	if reached {
		return nil
	}
	job.Contact = 0
	return tx.Enqueue(ctx, job)
}

// pdfDelay is when a PDF that could not be drawn is tried again.
const pdfDelay = 5 * time.Minute

// Mail does a MailJob: once per document, recipient and event. The XML is the document, so a PDF that cannot be
// drawn holds nothing back: it follows in a mail of its own, which is tried again until it can be drawn.
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
	if job.Event == "" {
		job.Event = db.MailStamped
	}
	if slices.ContainsFunc(done, func(m db.CFDIMail) bool {
		return m.ContactID == job.Contact && m.Event == job.Event && m.Round == job.Round
	}) {
		return nil
	}
	letter, reason, err := s.compoundLetter(ctx, row, job)
	if err != nil {
		return err
	}
	entry := db.CFDIMail{CFDIID: row.ID, ContactID: job.Contact, Event: job.Event, Round: job.Round, Email: letter.To, MessageID: letter.MessageID, WithPDF: letter.WithPDF, Status: "skipped", Reply: reason}
	if reason != "" {
		return s.Store.InTx(ctx, func(tx *db.Store) error {
			if err := tx.WithdrawEmail(ctx, letter.MessageID, reason); err != nil {
				return err
			}
			return tx.AddCFDIMail(ctx, &entry)
		})
	}
	message, err := s.Render(ctx, letter)
	if err != nil {
		return err
	}
	receipt, err := s.Mailer.Send(ctx, message)
	kind := db.EmailFiscal
	if job.Event != db.MailStamped && job.Event != db.MailPDF {
		kind = db.EmailCancellation
	}
	kept := db.NewEmail(kind, row.ClientID, job.Contact, message).Went(receipt, err)
	kept.InvoiceID = row.InvoiceID
	ctx = context.WithoutCancel(ctx) // what happened is noted even when the process is being stopped
	entry.Status, entry.Reply = "sent", receipt.Reply
	if refusal, refused := mail.AsRefusal(err); refused && refusal.Permanent {
		entry.Status, entry.Reply = "failed", refusal.Reply
	} else if err != nil {
		return errors.Join(err, s.Store.KeepEmail(ctx, kept))
	}
	return s.Store.InTx(ctx, func(tx *db.Store) error {
		if err := tx.KeepEmail(ctx, kept); err != nil {
			return err
		}
		if job.Event == db.MailStamped && !letter.WithPDF && entry.Status == "sent" {
			if err := tx.EnqueueAt(ctx, MailJob{CFDI: row.ID, Contact: job.Contact, Event: db.MailPDF}, s.Now().Add(pdfDelay)); err != nil {
				return err
			}
		}
		return tx.AddCFDIMail(ctx, &entry)
	})
}

// compoundLetter fills the mail; reason says why it must not be sent any more.
func (s *Service) compoundLetter(ctx context.Context, row db.CFDI, job MailJob) (letter Letter, reason string, err error) {
	contactID := job.Contact
	company, err := s.company(ctx)
	if err != nil {
		return letter, "", err
	}
	client, err := s.Store.Client(ctx, row.ClientID)
	if err != nil {
		return letter, "", err
	}
	doc, err := original(row)
	if err != nil {
		return letter, "", err
	}
	key, err := s.Store.MailLinkKey(ctx)
	if err != nil {
		return letter, "", err
	}
	letter = Letter{Event: job.Event, MessageID: mail.ID(key, fmt.Sprintf("cfdi.%d.%d", row.ID, contactID), company.Email), To: client.Email, Name: client.Name, Language: client.Language,
		Kind: row.Kind, UUID: row.UUID, Number: doc.Comprobante.Serie + " " + doc.Comprobante.Folio, Rfc: row.RfcReceptor, Nombre: row.NombreReceptor,
		Total: grouped(Num(row.Total)), Moneda: row.Moneda, InvoiceID: row.InvoiceID, Company: company, Sandbox: SinValidez(doc.Comprobante)}
	topics, bounce, unverified := client.Topics, client.Bounce, false
	if contactID != 0 {
		contact, err := s.Store.Contact(ctx, contactID)
		if err != nil {
			return letter, "", err
		}
		if contact.DeletedAt != nil {
			return letter, "contact_deleted", nil
		}
		letter.To, letter.Name, letter.Language, topics = contact.Email, contact.Name(), contact.Language, contact.Topics
		bounce, unverified = contact.Bounce, company.Unverified(contact)
	}
	switch {
	case !slices.Contains(topics, mail.Invoice):
		return letter, "preference_off", nil
	case bounce.Bounces(letter.To):
		return letter, "bounced", nil
	case unverified:
		return letter, "unverified", nil
	}
	if job.Event != db.MailStamped && job.Event != db.MailPDF {
		return s.cancelLetter(letter, row, doc.Comprobante, job, key)
	}
	if row.Status != db.CFDIStamped {
		return letter, row.Status, nil
	}
	if job.Event == db.MailPDF {
		letter.MessageID = mail.ID(key, fmt.Sprintf("cfdi.%d.%d.%s", row.ID, contactID, job.Event), company.Email)
	} else {
		letter.Attachments = []mail.Attachment{{Name: FileName(doc.Comprobante, FormatXML), ContentType: "application/xml", Data: row.XML}}
	}
	printed, err := s.print(ctx, row, company, letter.Language)
	if err != nil && job.Event == db.MailPDF {
		return letter, "", fmt.Errorf("the PDF cannot be drawn yet: %w", err)
	}
	if err != nil {
		s.logger().Error("the mail goes without PDF", "cfdi", row.ID.String(), "error", err)
		return letter, "", nil
	}
	letter.WithPDF = true
	letter.Attachments = append(letter.Attachments, mail.Attachment{Name: FileName(doc.Comprobante, FormatPDF), ContentType: "application/pdf", Data: printed})
	return letter, "", nil
}

// cancelLetter completes the mail about a cancellation: its term while the receiver can answer, and the acuse at its
// end.
func (s *Service) cancelLetter(letter Letter, row db.CFDI, c *Comprobante, job MailJob, key []byte) (Letter, string, error) {
	letter.MessageID = mail.ID(key, fmt.Sprintf("cfdi.%d.%d.%s.%d", row.ID, job.Contact, job.Event, job.Round), letter.Company.Email)
	letter.Motivo, letter.Replacement = row.CancelMotivo, row.CancelSustitucion
	if job.Event == db.MailCancelRequested {
		if row.CancelState != db.CancelInProcess || row.CancelRound != job.Round || row.CancelDeadline == nil {
			return letter, "cancellation_over", nil
		}
		letter.Deadline = date.Of(*row.CancelDeadline, ZonaCentro())
		return letter, "", nil
	}
	if row.Status != db.CFDICancelled {
		return letter, row.Status, nil
	}
	if len(row.Acuse) > 0 {
		letter.Attachments = []mail.Attachment{{Name: AcuseName(c), ContentType: "application/xml", Data: row.Acuse}}
	}
	return letter, "", nil
}

// print is Print, or what a test puts in its place.
func (s *Service) print(ctx context.Context, row db.CFDI, company db.Company, lang string) ([]byte, error) {
	if s.Printer != nil {
		return s.Printer(row, company, lang)
	}
	return Print(row, company, lang, s.Catalogs(ctx))
}
