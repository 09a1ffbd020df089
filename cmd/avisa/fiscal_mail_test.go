package main

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/devstack"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/fiscaltest"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// What reaches a mail server about fiscal documents, sent by the worker: every contact of the document's profile with the
// invoice preference has each mail once, with the stored bytes; nobody else has any.
func TestFiscalMail(t *testing.T) {
	o := newOutside(t)
	mailbox, err := devstack.StartMailbox("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mailbox.Close() })
	a := openDemo(t, o, mailbox.Addr())
	ctx := access.With(t.Context(), access.SystemActor())
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	cafe, err := a.seeded(ctx, demoOwner)
	must(err)
	buyer, err := a.account.AddContact(ctx, account.AddContactInput{ClientID: cafe.ID, Topics: []mail.Topic{mail.Invoice},
		Details: account.ContactDetails{Firstname: "Compras", Lastname: "de Muestra", Email: "compras@cafe-ficticio.example"}})
	must(err)
	deaf, err := a.account.AddContact(ctx, account.AddContactInput{ClientID: cafe.ID, Topics: []mail.Topic{mail.Support},
		Details: account.ContactDetails{Firstname: "Sin", Lastname: "Facturas", Email: "sin-facturas@cafe-ficticio.example"}})
	must(err)
	profile, _, err := a.fiscal.SaveFiscalProfile(ctx, fiscal.ProfileInput{ClientID: cafe.ID, Rfc: "H&E951128469", Nombre: "HERRERIA & ELECTRICOS", DomicilioFiscalReceptor: "06002",
		RegimenFiscalReceptor: "601", UsoCFDI: "G01", Contacts: []id.Contact{buyer.ID, deaf.ID}})
	must(err)
	read := func(cfdi id.CFDI) db.CFDI {
		t.Helper()
		row, err := a.fiscal.Document(ctx, cfdi)
		must(err)
		return row
	}

	plain, err := a.seedStamped(ctx, cafe, profile.ID, "mail-plain", server("molino"))
	must(err)
	small, err := a.seedStamped(ctx, cafe, profile.ID, "mail-small", hosting(1)) // needs no acceptance
	must(err)
	small, err = a.fiscal.CancelCFDI(ctx, fiscal.CancelInput{CFDI: small.ID, Motivo: fiscal.MotivoNoRealizada})
	must(err)
	must(a.fiscal.SendCancellation(ctx, fiscal.CancelJob{CFDI: small.ID, Round: small.CancelRound}))
	large, err := a.ago(12*day, false).seedStamped(ctx, cafe, profile.ID, "mail-large", server("tostador"), hosting(2))
	must(err)
	large, err = a.fiscal.CancelCFDI(ctx, fiscal.CancelInput{CFDI: large.ID, Motivo: fiscal.MotivoSinRelacion})
	must(err)
	must(a.fiscal.SendCancellation(ctx, fiscal.CancelJob{CFDI: large.ID, Round: large.CancelRound}))
	later, err := a.billing.IssueInvoice(ctx, billing.IssueInput{ClientID: cafe.ID, DueDate: date.Today(a.billing.Now(), cafe.Timezone).AddDays(25), Lines: []billing.LineInput{server("bodega")},
		RequestKey: "mail-later"})
	must(err)
	_, err = a.fiscal.RequestCFDI(ctx, fiscal.RequestInput{InvoiceID: later.ID, ProfileID: profile.ID})
	must(err)
	_, err = a.billing.RecordPayment(ctx, billing.PaymentInput{InvoiceID: later.ID, Amount: 50000, Method: "transfer", Reference: "SPEI", RequestKey: "mail-later-paid"})
	must(err)

	working, stop := context.WithCancel(t.Context())
	var worker sync.WaitGroup
	worker.Go(func() {
		if err := a.worker().Run(working); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); worker.Wait() })

	about := func(row db.CFDI, file []byte) (to []string) { // who has a mail with the file, or, without one, about the document
		for _, m := range mailbox.Messages() {
			carries := slices.ContainsFunc(m.Attachments, func(f devstack.Attachment) bool { return bytes.Equal(f.Data, file) })
			if carries || file == nil && len(m.Attachments) == 0 && strings.Contains(m.Text, row.UUID) {
				to = append(to, m.To...)
			}
		}
		slices.Sort(to)
		return to
	}
	want := []string{"compras@cafe-ficticio.example", demoOwner}
	var receipt db.CFDI
	eventually(t, "the mails", time.Minute, func() bool {
		found, err := a.fiscal.Documents(ctx, later.ID)
		must(err)
		for _, row := range found[later.ID] {
			if row.Kind == db.CFDIPago && row.Status == db.CFDIStamped {
				receipt = read(row.ID)
			}
		}
		return receipt.ID != 0 && len(about(receipt, receipt.XML)) >= 2 && len(about(plain, read(plain.ID).XML)) >= 2 && len(about(small, read(small.ID).Acuse)) >= 2 && len(about(large, nil)) >= 2
	})
	plain, small, large = read(plain.ID), read(small.ID), read(large.ID)
	if small.Status != db.CFDICancelled || large.CancelState != db.CancelInProcess {
		t.Fatal(small.Status, large.CancelState)
	}
	for name, got := range map[string][]string{"invoice": about(plain, plain.XML), "receipt of payment": about(receipt, receipt.XML), "cancelled": about(small, small.Acuse),
		"waits for the receiver": about(large, nil)} {
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v", name, got)
		}
	}
	deadline := "hasta el " + strconv.Itoa(large.CancelDeadline.In(fiscal.ZonaCentro()).Day()) + " de "
	for _, m := range mailbox.Messages() {
		if slices.Contains(m.To, "sin-facturas@cafe-ficticio.example") && len(m.Attachments) > 0 {
			t.Error("mail to somebody without the preference:", m.Subject)
		}
		switch {
		case strings.Contains(m.Text, large.UUID) && !strings.Contains(m.Text, deadline):
			t.Errorf("no deadline %s in %q", deadline, m.Text)
		case slices.ContainsFunc(m.Attachments, func(f devstack.Attachment) bool {
			return bytes.Equal(f.Data, plain.XML) || bytes.Equal(f.Data, receipt.XML)
		}):
			if len(m.Attachments) != 2 || m.Attachments[0].ContentType != "application/xml" || !strings.HasSuffix(m.Attachments[0].Name, ".xml") ||
				m.Attachments[1].ContentType != "application/pdf" || !bytes.HasPrefix(m.Attachments[1].Data, []byte("%PDF-")) ||
				strings.TrimSuffix(m.Attachments[0].Name, ".xml") != strings.TrimSuffix(m.Attachments[1].Name, ".pdf") {
				t.Error(m.Subject, m.Attachments[0].Name)
			}
		}
	}
}

// A PDF that cannot be drawn holds no mail back, and follows: one mail with the PDF to everybody who got the XML, whatever
// becomes of the work.
func TestFiscalPDFFollows(t *testing.T) {
	o := newOutside(t)
	mailbox, err := devstack.StartMailbox("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = mailbox.Close() })
	a := openDemo(t, o, mailbox.Addr())
	ctx := access.With(t.Context(), access.SystemActor())
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	var broken atomic.Bool
	broken.Store(true)
	catalogs := a.fiscal.Catalogs(ctx)
	a.fiscal.Printer = func(row db.CFDI, company db.Company, lang string) ([]byte, error) {
		if broken.Load() {
			return nil, errors.New("out of ink")
		}
		return fiscal.Print(row, company, lang, catalogs)
	}
	dbtest.Exec(t, o.dsn, "DELETE FROM outbox") // the demo's own mails
	cafe, err := a.seeded(ctx, demoOwner)
	must(err)
	_, err = a.account.AddContact(ctx, account.AddContactInput{ClientID: cafe.ID, Topics: []mail.Topic{mail.Invoice},
		Details: account.ContactDetails{Firstname: "Compras", Lastname: "de Muestra", Email: "compras@cafe-ficticio.example"}})
	must(err)
	row, err := a.seedStamped(ctx, cafe, 0, "mail-late-pdf", server("molino"))
	must(err)
	row, err = a.fiscal.Document(ctx, row.ID)
	must(err)
	working, stop := context.WithCancel(t.Context())
	var worker sync.WaitGroup
	worker.Go(func() {
		if err := a.worker().Run(working); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); worker.Wait() })

	with := func(is func(f devstack.Attachment) bool) (to []string) {
		for _, m := range mailbox.Messages() {
			if slices.ContainsFunc(m.Attachments, is) && strings.Contains(m.Text, row.UUID) {
				to = append(to, m.To...)
			}
		}
		slices.Sort(to)
		return to
	}
	xml := func() []string { return with(func(f devstack.Attachment) bool { return bytes.Equal(f.Data, row.XML) }) }
	pdf := func() []string {
		return with(func(f devstack.Attachment) bool {
			return f.ContentType == "application/pdf" && bytes.HasPrefix(f.Data, []byte("%PDF-"))
		})
	}
	notes := func(event string) (n int) {
		rows, err := o.store.CFDIMails(ctx, row.ID)
		must(err)
		for _, one := range rows {
			if one.Event == event && one.Status == "sent" {
				n++
			}
		}
		return n
	}
	eventually(t, "the mails with the XML", time.Minute, func() bool { return len(xml()) >= 2 && notes(db.MailStamped) == len(xml()) })
	to := xml()
	if got := pdf(); len(got) != 0 {
		t.Fatal("a PDF that was not drawn reached", got)
	}
	hurry := "UPDATE outbox SET due_at = now() WHERE kind = 'fiscal:mail'"
	dbtest.Exec(t, o.dsn, hurry) // still broken: it is tried again
	eventually(t, "another attempt", time.Minute, func() bool {
		var state db.OutboxState
		state, err = o.store.OutboxState(ctx)
		must(err)
		return state.Failing >= int64(len(to))
	})
	broken.Store(false)
	dbtest.Exec(t, o.dsn, hurry)
	eventually(t, "the mails with the PDF", time.Minute, func() bool { return len(pdf()) >= len(to) && notes(db.MailPDF) == len(to) })
	must(o.store.InTx(ctx, func(tx *db.Store) error { // a job that comes again, as after a crash
		return tx.Enqueue(ctx, fiscal.MailJob{CFDI: row.ID, Event: db.MailPDF})
	}))
	must(a.fiscal.Mail(ctx, fiscal.MailJob{CFDI: row.ID, Event: db.MailPDF}))
	eventually(t, "no work left", time.Minute, func() bool {
		jobs, err := o.store.JobsByKey(ctx, []string{fiscal.MailJob{CFDI: row.ID, Event: db.MailPDF}.Key()})
		must(err)
		return len(jobs) == 0
	})
	if got := pdf(); !slices.Equal(got, to) || !slices.Equal(xml(), to) {
		t.Errorf("PDF to %v, XML to %v", got, xml())
	}
}

// openDemo is the product with the demo's data and its test PAC, whose mail goes to a server.
func openDemo(t *testing.T, o *outside, mailServer string) *app {
	t.Helper()
	files, err := folderURL(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	c := config{Env: development, BaseURL: "http://localhost:8080", DatabaseURL: o.dsn, RedisURL: o.redis.URL(), SMTPURL: "smtp://" + mailServer + "?tls=none", BlobURL: files,
		DataDir: t.TempDir(), Lease: 20 * time.Second, Concurrency: 4, Secret: "una-clave-solo-para-estas-pruebas-0123456789"}
	if err := demoSecret(&c); err != nil {
		t.Fatal(err)
	}
	a, err := open(t.Context(), c, slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelError})))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.close)
	if err := a.seed(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		pac, err := sandbox.StoredIdentity(context.Background(), o.store, nil)
		if err != nil {
			t.Error(err)
			return
		}
		fiscaltest.VerifyStored(t, o.store, pac.CertificatePEM())
	})
	return a
}
