package fiscal_test

import (
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// A PDF that cannot be drawn holds back no mail and no XML, and follows once.
func TestMailGoesWithoutPDF(t *testing.T) {
	o := newOffice(t)
	o.profile()
	failures := 2
	o.service.Printer = func(db.CFDI, db.Company, string) ([]byte, error) {
		if failures--; failures >= 0 {
			return nil, errors.New("out of ink")
		}
		return []byte("%PDF-1.7"), nil
	}
	invoice := o.issue()
	o.pay(invoice, invoice.Total, "p")
	o.work()
	row := o.one(invoice)
	if len(o.sent) != 4 {
		t.Fatalf("%d mails", len(o.sent))
	}
	for i, m := range o.sent {
		want := row.XML
		if i >= 2 {
			want = []byte("%PDF-1.7")
		}
		if len(m.Attachments) != 1 || !bytes.Equal(m.Attachments[0].Data, want) || i >= 2 && (m.To == o.sent[5-i].To || m.ID == o.sent[0].ID || m.ID == o.sent[1].ID) {
			t.Errorf("mail %d to %s", i, m.To)
		}
	}
	if _, err := o.service.Open(system(t.Context()), row.ID, fiscal.FormatXML); err != nil {
		t.Error(err)
	}
	mails, err := o.store.CFDIMails(t.Context(), row.ID)
	if err != nil || len(mails) != 4 || mails[0].WithPDF || mails[0].Status != "sent" || mails[2].Event != db.MailPDF || !mails[2].WithPDF {
		t.Error(mails, err)
	}
	kept, err := o.store.Emails(t.Context(), db.EmailFilter{Client: row.ClientID, Kinds: []string{db.EmailFiscal}}, db.Page{})
	if err != nil || len(kept.Rows) != 4 || kept.Rows[0].Status != db.EmailSent || kept.Rows[0].InvoiceID != invoice.ID || len(kept.Rows[0].Files) != 1 || kept.Rows[0].Subject != o.sent[3].Subject {
		t.Errorf("the client's list holds %+v, %v", kept.Rows, err)
	}
	// A job that is done again mails nobody twice.
	o.must(o.service.Mail(system(t.Context()), fiscal.MailJob{CFDI: row.ID, Contact: o.contact.ID}))
	o.must(o.service.Mail(system(t.Context()), fiscal.MailJob{CFDI: row.ID, Contact: o.contact.ID, Event: db.MailPDF}))
	if len(o.sent) != 4 {
		t.Error("mailed twice")
	}
}

// An address that mail came back from, or that its contact has not confirmed where the company wants that, is sent no
// document either; the log says why.
func TestNoMailToDeadOrUnconfirmedAddresses(t *testing.T) {
	o := newOffice(t)
	o.profile()
	at := o.clock
	o.must(o.store.MarkBounce(t.Context(), o.client.ID, 0, db.Bounce{BouncedEmail: o.client.Email, BouncedAt: &at}))
	o.must(o.store.SetVerifyContacts(t.Context(), true, o.clock.Add(-time.Hour)))
	invoice := o.issue()
	o.pay(invoice, invoice.Total, "p")
	o.work()
	reasons := map[string]string{}
	mails, err := o.store.CFDIMails(t.Context(), o.one(invoice).ID)
	o.must(err)
	for _, m := range mails {
		reasons[m.Email] = m.Status + " " + m.Reply
	}
	if len(o.sent) != 0 || len(mails) != 2 || reasons[o.client.Email] != "skipped bounced" || reasons[o.contact.Email] != "skipped unverified" {
		t.Errorf("%d mails, %v", len(o.sent), reasons)
	}
}

// Whose own address is also that of a contact gets one mail, as with reminders.
func TestOneMailPerAddress(t *testing.T) {
	o := newOffice(t)
	o.profile()
	contact := dbtest.Contact(t, o.store, o.client, strings.ToUpper(o.client.Email), o.clock, mail.Invoice)
	invoice := o.issue()
	o.pay(invoice, invoice.Total, "p")
	o.work()
	var to []string
	for _, m := range o.sent {
		to = append(to, m.To)
	}
	slices.Sort(to)
	want := []string{contact.Email, o.contact.Email}
	slices.Sort(want)
	if !slices.Equal(to, want) {
		t.Errorf("mailed to %q, want %q", to, want)
	}
}

// What is stored and is not what was stamped is neither served nor mailed, and the month's archive says that it is missing.
func TestChangedXMLIsNotServed(t *testing.T) {
	o := newOffice(t)
	o.profile()
	good, bad := o.issue(), o.issue(hosting("10.00"))
	for i, invoice := range []db.Invoice{good, bad} {
		o.pay(invoice, invoice.Total, fmt.Sprint(i))
	}
	o.work()
	row, mails := o.one(bad), len(o.sent)
	// put right at the end, because every stored document of a test is verified
	defer dbtest.Exec(t, o.address, "SET session_replication_role = replica; UPDATE cfdi SET xml = kept.xml FROM kept WHERE kept.id = cfdi.id")
	dbtest.Exec(t, o.address, "CREATE TABLE kept AS SELECT id, xml FROM cfdi", "SET session_replication_role = replica; UPDATE cfdi SET xml = replace(encode(xml, 'escape'), '10.00', '11.00')::bytea WHERE id = "+fmt.Sprint(int64(row.ID)))
	for _, format := range []string{fiscal.FormatXML, fiscal.FormatPDF} {
		if file, err := o.service.Open(system(t.Context()), row.ID, format); err == nil || len(file.Data) > 0 {
			t.Errorf("%s is served", format)
		}
	}
	if err := o.service.Mail(system(t.Context()), fiscal.MailJob{CFDI: row.ID, Contact: o.contact.ID, Event: db.MailPDF}); err == nil || len(o.sent) != mails {
		t.Error("mailed", err)
	}
	archive, err := o.service.Archive(system(t.Context()), fiscal.FolderFilter{Client: o.client.ID, Month: "2026-11"})
	o.must(err)
	var out bytes.Buffer
	o.must(archive.Write(&out))
	files, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	o.must(err)
	list := ""
	for _, f := range files.File {
		r, err := f.Open()
		o.must(err)
		text, err := io.ReadAll(r)
		o.must(err)
		if strings.HasSuffix(f.Name, ".csv") {
			list = string(text)
		} else if bytes.Contains(text, []byte(row.UUID)) {
			t.Errorf("%s is in the archive", f.Name)
		}
	}
	if len(files.File) != 3 || !strings.Contains(list, row.UUID) || !strings.Contains(list, o.one(good).UUID) {
		t.Errorf("%d files: %s", len(files.File), list)
	}
}
