package fiscal_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/fiscaltest"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// office is a company with a CSD, a client with a profile and contacts, and a PAC on a real database.
type office struct {
	testing.TB
	store   *db.Store
	service *fiscal.Service
	billing *billing.Service
	pac     *sandbox.Sandbox
	fault   sandbox.Fault // of the next stamps
	clock   time.Time
	client  db.Client
	contact db.Contact // has the invoice preference
	sent    []mail.Message
	mu      sync.Mutex
}

func system(ctx context.Context) context.Context { return access.With(ctx, access.SystemActor()) }

// Send implements mail.Sender.
func (o *office) Send(_ context.Context, m mail.Message) (mail.Receipt, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.sent = append(o.sent, m)
	return mail.Receipt{Reply: "250 ok"}, nil
}

func newOffice(tb testing.TB) *office {
	tb.Helper()
	o := &office{TB: tb, store: dbtest.New(tb), clock: time.Date(2026, 11, 20, 18, 0, 0, 0, time.UTC)}
	now := func() time.Time { return o.clock }
	dbtest.Company(tb, o.store, o.clock)
	identity, err := sandbox.StoredIdentity(tb.Context(), o.store, func() (*sandbox.Identity, error) { return sandbox.NewIdentity(o.clock) })
	o.must(err)
	o.pac, err = sandbox.New(sandbox.Config{Identity: identity, Store: sandbox.Postgres{Store: o.store}, Now: now,
		Fault: func([]byte) sandbox.Fault { o.mu.Lock(); defer o.mu.Unlock(); return o.fault }})
	o.must(err)
	ring, err := fiscal.NewKeyring("k1", map[string][]byte{"k1": bytes.Repeat([]byte{7}, 32)})
	o.must(err)
	o.service = &fiscal.Service{Store: o.store, Now: now, Keyring: ring, PAC: o.pac, Mailer: o, Timeout: 5 * time.Second,
		Render: func(_ context.Context, l fiscal.Letter) (mail.Message, error) {
			return mail.Message{ID: l.MessageID, To: l.To, Attachments: l.Attachments}, nil
		}}
	o.billing = &billing.Service{Store: o.store, Now: now}
	ctx := system(tb.Context())
	_, err = o.service.SaveIssuer(ctx, fiscal.IssuerInput{Rfc: "EKU9003173C9", Nombre: "Escuela Kemper Urgate", RegimenFiscal: "601", LugarExpedicion: "42501"})
	o.must(err)
	cer, key := fiscaltest.NewCSD(tb, "EKU9003173C9", false)
	csd, err := fiscal.RestoreCSD(cer, key)
	o.must(err)
	_, err = o.service.KeepCSD(ctx, csd)
	o.must(err)
	o.client = dbtest.Client(tb, o.store, "Universidad", "pagos@universidad.example")
	o.contact = dbtest.Contact(tb, o.store, o.client, "contador@universidad.example", o.clock, mail.Invoice)
	dbtest.Contact(tb, o.store, o.client, "tecnico@universidad.example", o.clock, mail.Domain)
	return o
}

func (o *office) must(err error) {
	o.Helper()
	if err != nil {
		o.Fatal(err)
	}
}

func (o *office) profile() db.FiscalProfile {
	o.Helper()
	row, _, err := o.service.SaveFiscalProfile(system(o.Context()), fiscal.ProfileInput{ClientID: o.client.ID, Rfc: "ure180429tm6", Nombre: "Universidad Robotica Española",
		DomicilioFiscalReceptor: "86991", RegimenFiscalReceptor: "601", UsoCFDI: "G03"})
	o.must(err)
	return row
}

func (o *office) issue(lines ...billing.LineInput) db.Invoice {
	o.Helper()
	if lines == nil {
		lines = []billing.LineInput{{Description: "Hospedaje & dominio ñandú.example", Quantity: money.Int(1), UnitPrice: money.Must("1499.00")},
			{Description: "Dominio", Quantity: money.Must("0.566667"), UnitPrice: money.Must("899"), Discount: 1000, ClaveProdServ: "81112107"}}
	}
	row, err := o.billing.IssueInvoice(system(o.Context()), billing.IssueInput{ClientID: o.client.ID, DueDate: "2026-12-10", Lines: lines})
	o.must(err)
	return row
}

func (o *office) pay(row db.Invoice, amount money.Minor, key string) db.Invoice {
	o.Helper()
	row, err := o.billing.RecordPayment(system(o.Context()), billing.PaymentInput{InvoiceID: row.ID, Amount: amount, Method: "transfer", RequestKey: key})
	o.must(err)
	return row
}

// work does all outbox jobs that concern fiscal documents, and those they lead to, as the worker does.
func (o *office) work() {
	o.Helper()
	for range 20 {
		rows, err := o.store.TakeJobs(o.Context(), 100, time.Hour)
		o.must(err)
		if len(rows) == 0 {
			return
		}
		for _, row := range rows {
			o.must(do(system(o.Context()), o.service, row))
			o.must(o.store.FinishJob(o.Context(), row.ID))
		}
	}
	o.Fatal("the work has no end")
}

func (o *office) documents(row db.Invoice) []db.CFDI {
	o.Helper()
	found, err := o.service.Documents(system(o.Context()), row.ID)
	o.must(err)
	return found[row.ID]
}

func (o *office) one(row db.Invoice) db.CFDI {
	o.Helper()
	rows := o.documents(row)
	if len(rows) != 1 {
		o.Fatalf("%d documents: %+v", len(rows), rows)
	}
	full, err := o.service.Document(system(o.Context()), rows[0].ID)
	o.must(err)
	return full
}

// stamps is how many documents the PAC has stamped.
func (o *office) stamps() int64 {
	o.Helper()
	n, err := o.store.CountSandboxStamps(o.Context())
	o.must(err)
	return n
}

// From payment to the mail, and the XML byte for byte.
func TestPaidInvoiceBecomesDocument(t *testing.T) {
	o := newOffice(t)
	o.profile()
	invoice := o.issue()
	o.work()
	if rows := o.documents(invoice); len(rows) != 0 {
		t.Fatalf("an unpaid invoice has %d documents", len(rows))
	}
	invoice = o.pay(invoice, invoice.Total, "p")
	o.work()
	row := o.one(invoice)
	if row.Status != db.CFDIStamped || row.Serie != "A" || row.Folio != 1 || row.MetodoPago != "PUE" || len(row.UUID) != 36 {
		t.Fatalf("%+v", row)
	}
	sum := sha256.Sum256(row.XML)
	if !bytes.Equal(sum[:], row.XMLSHA256) {
		t.Error("hash")
	}
	doc, err := fiscal.Parse(row.XML)
	o.must(err)
	c := doc.Comprobante
	if c.FormaPago != "03" || c.Receptor.Rfc != "URE180429TM6" || c.Receptor.Nombre != "UNIVERSIDAD ROBOTICA ESPAÑOLA" || c.Conceptos[1].ClaveProdServ != "81112107" ||
		c.Conceptos[0].ClaveProdServ != "81112105" || c.Conceptos[0].ClaveUnidad != "E48" || string(c.Total)+" MXN" != strings.NewReplacer("$", "", ",", "").Replace(money.Format(invoice.Total, invoice.Currency, "es-MX")) {
		t.Errorf("%+v", c)
	}
	o.must(doc.VerifySello())
	o.must(doc.VerifyTimbre(o.pac.Identity().Certificado))
	if bad := doc.Validate(fiscal.Options{Sealed: true}).Refusals(); len(bad) > 0 {
		t.Error(bad)
	}
	file, err := o.service.Open(system(t.Context()), row.ID, fiscal.FormatXML)
	if err != nil || !bytes.Equal(file.Data, row.XML) {
		t.Error("XML is not served byte for byte", err)
	}
	printed, err := o.service.Open(system(t.Context()), row.ID, fiscal.FormatPDF)
	if err != nil || !bytes.HasPrefix(printed.Data, []byte("%PDF-")) {
		t.Error("PDF", err)
	}
	log, err := o.service.Downloads(system(t.Context()), row.ID)
	if err != nil || len(log) != 2 || log[0].Format != "pdf" || log[1].Format != "xml" {
		t.Error(log, err)
	}
	if len(o.sent) != 2 || o.sent[0].To == o.sent[1].To {
		t.Fatalf("%d mails", len(o.sent))
	}
	for _, m := range o.sent {
		if len(m.Attachments) != 2 || !bytes.Equal(m.Attachments[0].Data, row.XML) || m.To == "tecnico@universidad.example" {
			t.Errorf("mail to %s: %d attachments", m.To, len(m.Attachments))
		}
	}
	// The same fact again changes nothing.
	o.must(o.service.Follow(system(t.Context()), billing.Changed(invoice)))
	o.work()
	if o.stamps() != 1 || len(o.sent) != 2 {
		t.Errorf("%d stamps, %d mails", o.stamps(), len(o.sent))
	}
	fiscaltest.VerifyAll(t, map[string][]byte{"pue": row.XML}, o.pac.Identity().CertificatePEM(), 1)
}

// With an invoice (PPD) and a receipt for each payment, also for those made before the stamp.
func TestIssuedInvoiceAndReceipts(t *testing.T) {
	o := newOffice(t)
	o.profile()
	o.must(o.service.SetWhen(system(t.Context()), o.client.ID, db.CFDIOnIssue))
	invoice := o.issue()
	o.must(o.service.Follow(system(t.Context()), billing.Changed(invoice)))
	invoice = o.pay(invoice, 50000, "p1")
	o.work()
	invoice = o.pay(invoice, invoice.Balance, "p2")
	o.work()
	docs := map[string][]byte{}
	var kinds string
	for _, row := range o.documents(invoice) {
		full, err := o.service.Document(system(t.Context()), row.ID)
		o.must(err)
		kinds += row.Kind + ":" + row.Status + ":" + row.MetodoPago + " "
		docs[row.ID.String()] = full.XML
		if row.Kind == db.CFDIPago {
			if _, err := o.service.Open(system(t.Context()), row.ID, fiscal.FormatPDF); err != nil {
				t.Error(err)
			}
		}
	}
	if kinds != "ingreso:stamped:PPD"+strings.Repeat(" pago:stamped:", 2)+" " {
		t.Fatal(kinds)
	}
	last, err := fiscal.Parse(docs["cfd_3"])
	o.must(err)
	dr := last.Comprobante.Pagos().Pago[0].DoctoRelacionado[0]
	if dr.NumParcialidad != "2" || dr.ImpSaldoInsoluto.Rat().Sign() != 0 || string(dr.ImpPagado) != string(dr.ImpSaldoAnt) {
		t.Errorf("%+v", dr)
	}
	fiscaltest.VerifyAll(t, docs, o.pac.Identity().CertificatePEM(), 1)
}

// kill is what a step is interrupted with.
var errKilled = errors.New("killed")

// crashing is a PAC whose caller dies before or after the call.
type crashing struct {
	fiscal.Stamper
	before, after bool
}

func (c *crashing) Stamp(ctx context.Context, sealed []byte, key string) (*fiscal.StampResult, error) {
	if c.before {
		panic(errKilled)
	}
	r, err := c.Stamper.Stamp(ctx, sealed, key)
	if c.after {
		panic(errKilled)
	}
	return r, err
}

// attempt stamps as a worker does; it reports whether it was killed.
func (o *office) attempt(row db.CFDI) (killed bool, err error) {
	defer func() {
		if r := recover(); r != nil {
			killed = true
		}
	}()
	return false, o.service.Stamp(system(o.Context()), fiscal.StampJob{CFDI: row.ID})
}

// Whatever happens at each step, one document is stamped once and keeps its folio and bytes.
func TestStampOnce(t *testing.T) {
	cases := map[string]func(o *office, row db.CFDI){
		"killed before the call": func(o *office, row db.CFDI) {
			o.service.PAC = &crashing{Stamper: o.pac, before: true}
			if killed, err := o.attempt(row); !killed {
				o.Fatal("not killed", err)
			}
		},
		"killed after the call": func(o *office, row db.CFDI) {
			o.service.PAC = &crashing{Stamper: o.pac, after: true}
			if killed, err := o.attempt(row); !killed {
				o.Fatal("not killed", err)
			}
		},
		"answer lost three times": func(o *office, row db.CFDI) {
			o.fault = sandbox.LostReply
			for range 3 {
				if _, err := o.attempt(row); err != nil {
					o.Fatal(err)
				}
				if got, _ := o.store.CFDI(o.Context(), row.ID); got.Status != db.CFDIStamping || got.Code != "timeout" {
					o.Fatal(got.Status, got.Code)
				}
			}
		},
		"provider down three times": func(o *office, row db.CFDI) {
			o.fault = sandbox.Unavailable
			for range 3 {
				if _, err := o.attempt(row); err != nil {
					o.Fatal(err)
				}
			}
			if got, _ := o.store.CFDI(o.Context(), row.ID); got.Status != db.CFDISealed || got.Code != "http_503" || o.stamps() != 0 {
				o.Fatal(got.Status, got.Code)
			}
		},
		"no answer in time": func(o *office, row db.CFDI) {
			o.fault, o.service.Timeout = sandbox.Slow, 50*time.Millisecond
			if _, err := o.attempt(row); err != nil {
				o.Fatal(err)
			}
		},
		"credentials refused": func(o *office, row db.CFDI) {
			o.fault = sandbox.BadCredentials
			if _, err := o.attempt(row); err != nil {
				o.Fatal(err)
			}
		},
		"nothing happens": func(*office, db.CFDI) {},
		"no PAC yet": func(o *office, row db.CFDI) {
			o.service.PAC = nil
			if _, err := o.attempt(row); err != nil {
				o.Fatal(err)
			}
		},
	}
	for name, interrupt := range cases {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t)
			profile := o.profile()
			invoice := o.pay(o.issue(), 100, "p")
			row, err := o.service.RequestCFDI(system(t.Context()), fiscal.RequestInput{InvoiceID: invoice.ID, ProfileID: profile.ID})
			o.must(err)
			interrupt(o, row)
			before, err := o.store.CFDI(t.Context(), row.ID)
			o.must(err)
			o.fault, o.service.PAC, o.service.Timeout = sandbox.None, o.pac, 5*time.Second
			o.clock = o.clock.Add(time.Hour) // the lease ends
			var group sync.WaitGroup
			for range 4 { // several workers at once
				group.Go(func() {
					if _, err := o.attempt(row); err != nil && !fault.Is(err, fault.Unavailable) {
						t.Error(err)
					}
				})
			}
			group.Wait()
			got, err := o.store.CFDI(t.Context(), row.ID)
			o.must(err)
			if got.Status != db.CFDIStamped || o.stamps() != 1 || got.Folio != 1 || got.Build != 1 {
				t.Errorf("%s, %d stamps, folio %d, build %d: %s", got.Status, o.stamps(), got.Folio, got.Build, got.Message)
			}
			if before.Sealed != nil && !bytes.Equal(before.Sealed, got.Sealed) {
				t.Error("other bytes were sent")
			}
			again := got.XML
			if _, err := o.attempt(row); err != nil {
				t.Error(err)
			}
			if got, _ = o.store.CFDI(t.Context(), row.ID); !bytes.Equal(again, got.XML) {
				t.Error("the stamped XML changed")
			}
		})
	}
}

// The identity and the stamps survive a restart of the sandbox: the same bytes get the first stamp.
func TestSandboxRemembers(t *testing.T) {
	o := newOffice(t)
	o.profile()
	invoice := o.issue()
	o.pay(invoice, invoice.Total, "p")
	o.work()
	row := o.one(invoice)
	identity, err := sandbox.StoredIdentity(t.Context(), o.store, func() (*sandbox.Identity, error) { return nil, errors.New("asked for another") })
	o.must(err)
	again, err := sandbox.New(sandbox.Config{Identity: identity, Store: sandbox.Postgres{Store: o.store}, Now: func() time.Time { return o.clock }})
	o.must(err)
	result, err := again.Stamp(t.Context(), row.Sealed, "cfd_1-1")
	if err != nil || !result.Repeated || !bytes.Equal(result.XML, row.XML) {
		t.Fatal(result, err)
	}
}

// A refused document is corrected and built anew: the folio stays, the PAC's key does not.
func TestRefusedThenCorrected(t *testing.T) {
	o := newOffice(t)
	profile := o.profile()
	invoice := o.issue()
	o.pay(invoice, invoice.Total, "p")
	o.service.PAC = refusing{}
	o.work()
	row := o.one(invoice)
	if row.Status != db.CFDIStampFailed || row.Code != "CFDI40145" || row.Folio != 1 {
		t.Fatalf("%s %s", row.Status, row.Code)
	}
	o.service.PAC = o.pac
	_, _, err := o.service.SaveFiscalProfile(system(t.Context()), fiscal.ProfileInput{ID: profile.ID, Rfc: profile.Rfc, Nombre: "UNIVERSIDAD",
		DomicilioFiscalReceptor: "86991", RegimenFiscalReceptor: "601", UsoCFDI: "G03"})
	o.must(err)
	_, err = o.service.RequestCFDI(system(t.Context()), fiscal.RequestInput{InvoiceID: invoice.ID})
	o.must(err)
	o.work()
	if row = o.one(invoice); row.Status != db.CFDIStamped || row.Folio != 1 || row.Build != 2 || row.NombreReceptor != "UNIVERSIDAD" {
		t.Fatalf("%s folio %d build %d: %s", row.Status, row.Folio, row.Build, row.Message)
	}
}

type refusing struct{}

func (refusing) Stamp(context.Context, []byte, string) (*fiscal.StampResult, error) {
	return nil, &fiscal.PACError{Kind: fiscal.KindRejected, Code: "CFDI40145", Message: "nombre"}
}

// A PDF that cannot be drawn holds back no mail and no XML.
func TestMailGoesWithoutPDF(t *testing.T) {
	o := newOffice(t)
	o.profile()
	o.service.Printer = func(db.CFDI, db.Company, string) ([]byte, error) { return nil, errors.New("out of ink") }
	invoice := o.issue()
	o.pay(invoice, invoice.Total, "p")
	o.work()
	row := o.one(invoice)
	if len(o.sent) != 2 || len(o.sent[0].Attachments) != 1 || !bytes.Equal(o.sent[0].Attachments[0].Data, row.XML) {
		t.Fatalf("%d mails", len(o.sent))
	}
	if _, err := o.service.Open(system(t.Context()), row.ID, fiscal.FormatXML); err != nil {
		t.Error(err)
	}
	mails, err := o.store.CFDIMails(t.Context(), row.ID)
	if err != nil || len(mails) != 2 || mails[0].WithPDF || mails[0].Status != "sent" {
		t.Error(mails, err)
	}
	// A job that is done again mails nobody twice.
	o.must(o.service.Mail(system(t.Context()), fiscal.MailJob{CFDI: row.ID, Contact: o.contact.ID}))
	if len(o.sent) != 2 {
		t.Error("mailed twice")
	}
}

func actor(client id.Client, permissions ...access.Permission) access.Actor {
	return access.Actor{Kind: access.Login, Grants: []access.Grant{{Client: client, Permissions: permissions}}}
}

// Who may do what.
func TestFiscalPermissions(t *testing.T) {
	o := newOffice(t)
	o.profile()
	invoice := o.issue()
	o.pay(invoice, invoice.Total, "p")
	o.work()
	row := o.one(invoice)
	profile := fiscal.ProfileInput{ClientID: o.client.ID, Rfc: "CACX7605101P8", Nombre: "XOCHILT CASAS CHAVEZ", DomicilioFiscalReceptor: "36257", RegimenFiscalReceptor: "612", UsoCFDI: "G03"}
	verbs := map[string]func(ctx context.Context) error{
		"open":     func(ctx context.Context) error { _, err := o.service.Open(ctx, row.ID, "xml"); return err },
		"document": func(ctx context.Context) error { _, err := o.service.Document(ctx, row.ID); return err },
		"request": func(ctx context.Context) error {
			_, err := o.service.RequestCFDI(ctx, fiscal.RequestInput{InvoiceID: invoice.ID})
			return err
		},
		"profiles":     func(ctx context.Context) error { _, err := o.service.FiscalProfiles(ctx, o.client.ID); return err },
		"save profile": func(ctx context.Context) error { _, _, err := o.service.SaveFiscalProfile(ctx, profile); return err },
		"issuer":       func(ctx context.Context) error { _, err := o.service.Issuer(ctx); return err },
		"csd": func(ctx context.Context) error {
			_, err := o.service.UploadCSD(ctx, fiscal.UploadCSDInput{})
			return err
		},
		"all":    func(ctx context.Context) error { _, _, err := o.service.All(ctx, "", db.Page{}); return err },
		"stamp":  func(ctx context.Context) error { return o.service.Stamp(ctx, fiscal.StampJob{CFDI: row.ID}) },
		"follow": func(ctx context.Context) error { return o.service.Follow(ctx, billing.Changed(invoice)) },
		"mail":   func(ctx context.Context) error { return o.service.Mail(ctx, fiscal.MailJob{CFDI: row.ID}) },
		"cancel": func(ctx context.Context) error {
			_, err := o.service.CancelCFDI(ctx, fiscal.CancelInput{CFDI: row.ID})
			return err
		},
	}
	const ok, invalid, no, missing, anonymous = "", fault.Invalid, fault.Forbidden, fault.NotFound, fault.Unauthenticated
	staff := map[string]fault.Kind{"csd": invalid, "stamp": no, "follow": no, "mail": no, "cancel": invalid}
	for who, c := range map[string]struct {
		actor access.Actor
		want  map[string]fault.Kind // ok where nothing is said
		other fault.Kind
	}{
		"staff":     {access.Actor{Kind: access.Staff, Role: access.Admin}, staff, ok},
		"invoices":  {actor(o.client.ID, access.Invoices), map[string]fault.Kind{"issuer": no, "csd": no, "all": no, "stamp": no, "follow": no, "mail": no, "cancel": no}, ok},
		"profile":   {actor(o.client.ID, access.Profile), map[string]fault.Kind{"profiles": ok, "save profile": ok}, no},
		"contacts":  {actor(o.client.ID, access.Contacts), nil, no},
		"stranger":  {actor(o.client.ID+1, access.Permissions()...), map[string]fault.Kind{"issuer": no, "csd": no, "all": no, "stamp": no, "follow": no, "mail": no, "cancel": no}, missing},
		"anonymous": {access.Actor{Kind: access.Anonymous}, map[string]fault.Kind{"stamp": no, "follow": no, "mail": no}, anonymous},
	} {
		for name, verb := range verbs {
			want, said := c.want[name]
			if !said {
				want = c.other
			}
			err := verb(access.With(t.Context(), c.actor))
			var got fault.Kind
			if f, is := fault.As(err); is {
				got = f.Kind
			} else if err != nil {
				t.Errorf("%s %s: %v", who, name, err)
			}
			if got != want {
				t.Errorf("%s %s: %q, want %q (%v)", who, name, got, want, err)
			}
		}
	}
	found, err := o.service.Documents(access.With(t.Context(), actor(o.client.ID+1, access.Invoices)), invoice.ID)
	if err != nil || len(found) != 0 {
		t.Error("a stranger sees documents", err)
	}
}

// The client's own request: paid, complete, within the month.
func TestAutofactura(t *testing.T) {
	o := newOffice(t)
	ctx := access.With(t.Context(), actor(o.client.ID, access.Invoices))
	invoice := o.issue()
	request := func() string {
		_, err := o.service.RequestCFDI(ctx, fiscal.RequestInput{InvoiceID: invoice.ID})
		if f, ok := fault.As(err); ok {
			return f.Code
		}
		o.must(err)
		return ""
	}
	if code := request(); code != "FISCAL_NOT_PAID" {
		t.Error(code)
	}
	invoice = o.pay(invoice, invoice.Total, "p")
	if code := request(); code != "FISCAL_PROFILE_MISSING" {
		t.Error(code)
	}
	o.work()
	if len(o.documents(invoice)) != 0 {
		t.Error("a document without fiscal data")
	}
	o.profile()
	at := o.clock
	o.clock = time.Date(2026, 12, 1, 6, 0, 1, 0, time.UTC)
	if code := request(); code != "FISCAL_WINDOW_CLOSED" {
		t.Error(code)
	}
	o.clock = at
	if code := request(); code != "" {
		t.Error(code)
	}
	if code := request(); code != "" { // asked twice
		t.Error(code)
	}
	o.work()
	if row := o.one(invoice); row.Status != db.CFDIStamped || o.stamps() != 1 {
		t.Error(row.Status)
	}
}

// What is wrong with fiscal data is said at its field, before the PAC sees anything.
func TestProfileChecks(t *testing.T) {
	o := newOffice(t)
	good := fiscal.ProfileInput{ClientID: o.client.ID, Rfc: "URE180429TM6", Nombre: "UNIVERSIDAD ROBOTICA ESPAÑOLA", DomicilioFiscalReceptor: "86991", RegimenFiscalReceptor: "601", UsoCFDI: "G03"}
	for name, c := range map[string]struct {
		change func(*fiscal.ProfileInput)
		want   string
	}{
		"form of the RFC":   {func(p *fiscal.ProfileInput) { p.Rfc = "URE18" }, "rfc:FISCAL_RFC"},
		"date of the RFC":   {func(p *fiscal.ProfileInput) { p.Rfc = "EKU9002303C9" }, "rfc:FISCAL_RFC_DATE"},
		"no name":           {func(p *fiscal.ProfileInput) { p.Nombre = " " }, "nombre:REQUIRED"},
		"pipe in the name":  {func(p *fiscal.ProfileInput) { p.Nombre = "A|B" }, "nombre:FISCAL_CHARACTER"},
		"postal code":       {func(p *fiscal.ProfileInput) { p.DomicilioFiscalReceptor = "8699" }, "domicilioFiscalReceptor:FISCAL_CP"},
		"regime of persons": {func(p *fiscal.ProfileInput) { p.RegimenFiscalReceptor = "612" }, "regimenFiscalReceptor:FISCAL_REGIMEN"},
		"use of persons":    {func(p *fiscal.ProfileInput) { p.UsoCFDI = "D01" }, "usoCfdi:FISCAL_USO"},
		"country":           {func(p *fiscal.ProfileInput) { p.Rfc, p.ResidenciaFiscal = "XEXX010101000", "MEX" }, "residenciaFiscal:FISCAL_RESIDENCIA"},
		"general public":    {func(p *fiscal.ProfileInput) { p.Rfc, p.Nombre = "XAXX010101000", "PUBLICO EN GENERAL" }, "nombre:FISCAL_NOMBRE_GENERIC"},
	} {
		in := good
		c.change(&in)
		_, _, err := o.service.SaveFiscalProfile(system(t.Context()), in)
		f, ok := fault.As(err)
		if !ok || len(f.Fields) == 0 || f.Fields[0].Path+":"+f.Fields[0].Code != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	in := good
	in.Rfc, in.Nombre = "ure-180429-tm7", "Universidad, S.A. de C.V."
	row, warnings, err := o.service.SaveFiscalProfile(system(t.Context()), in)
	if err != nil || !row.Default || row.Rfc != "URE180429TM7" || !warnings.Has("rfc_check_digit") || !warnings.Has("nombre_with_suffix") {
		t.Error(row, warnings, err)
	}
	second, _, err := o.service.SaveFiscalProfile(system(t.Context()), fiscal.ProfileInput{ClientID: o.client.ID, Rfc: good.Rfc, Nombre: good.Nombre,
		DomicilioFiscalReceptor: "86991", RegimenFiscalReceptor: "601", UsoCFDI: "G03", Default: true})
	o.must(err)
	rows, err := o.service.FiscalProfiles(system(t.Context()), o.client.ID)
	if err != nil || len(rows) != 2 || rows[0].ID != second.ID || rows[1].Default {
		t.Error(rows, err)
	}
}

// The CSD that is uploaded, and the key that is never stored in the clear.
func TestUploadCSD(t *testing.T) {
	o := newOffice(t)
	cer, _ := fiscaltest.NewCSD(t, "EKU9003173C9", false)
	for name, c := range map[string]struct {
		in   fiscal.UploadCSDInput
		want string
	}{
		"nothing":        {fiscal.UploadCSDInput{}, "cer"},
		"no certificate": {fiscal.UploadCSDInput{Cer: []byte("x"), Key: []byte("x"), Password: "x"}, "cer"},
		"no key":         {fiscal.UploadCSDInput{Cer: cer, Key: []byte("x"), Password: "x"}, "key"},
	} {
		_, err := o.service.UploadCSD(system(t.Context()), c.in)
		if f, ok := fault.As(err); !ok || len(f.Fields) == 0 || f.Fields[0].Path != c.want {
			t.Errorf("%s: %v", name, err)
		}
	}
	stored, err := o.store.ActiveCSD(t.Context())
	o.must(err)
	_, pkcs8 := fiscaltest.NewCSD(t, "EKU9003173C9", false)
	if bytes.Contains(stored.Key, pkcs8[30:60]) {
		t.Error("the key is stored in the clear")
	}
	ring, err := fiscal.NewKeyring("k2", map[string][]byte{"k1": bytes.Repeat([]byte{7}, 32), "k2": bytes.Repeat([]byte{9}, 32)})
	o.must(err)
	o.service.Keyring = ring
	if n, err := o.service.RotateKeys(system(t.Context())); n != 1 || err != nil {
		t.Fatal(n, err)
	}
	o.service.Keyring, err = fiscal.NewKeyring("k2", map[string][]byte{"k2": bytes.Repeat([]byte{9}, 32)})
	o.must(err)
	o.profile()
	invoice := o.issue()
	o.pay(invoice, invoice.Total, "p")
	o.work()
	if row := o.one(invoice); row.Status != db.CFDIStamped {
		t.Error(row.Status, row.Message)
	}
}

// do runs a job as the worker does; jobs of others are left to them.
func do(ctx context.Context, s *fiscal.Service, row db.OutboxRow) error {
	switch row.Kind {
	case billing.ChangedJob{}.Kind():
		return run(ctx, row, s.Follow)
	case fiscal.StampJob{}.Kind():
		return run(ctx, row, s.Stamp)
	case fiscal.MailJob{}.Kind():
		return run(ctx, row, s.Mail)
	}
	return nil
}

func run[J any](ctx context.Context, row db.OutboxRow, verb func(context.Context, J) error) error {
	var job J
	if err := json.Unmarshal(row.Payload, &job); err != nil {
		return err
	}
	return verb(ctx, job)
}
