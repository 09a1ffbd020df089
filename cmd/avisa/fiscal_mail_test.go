package main

import (
	"bytes"
	"context"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/devstack"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
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
	return a
}
