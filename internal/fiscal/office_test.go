package fiscal_test

import (
	"bytes"
	"context"
	"encoding/json"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
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
	address string // of the database
	service *fiscal.Service
	billing *billing.Service
	pac     *sandbox.Sandbox
	made    *stampCounter
	fault   sandbox.Fault               // of the next stamps
	answers map[string]sandbox.Decision // of receivers who are asked to accept a cancellation
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
	return newOfficeOf(tb, kemper)
}

var kemper = fiscal.IssuerInput{Rfc: "EKU9003173C9", Nombre: "Escuela Kemper Urgate", RegimenFiscal: "601", LugarExpedicion: "42501"}

// newOfficeOf is another company, whose documents are automatic since a moment, noon where none is given.
func newOfficeOf(tb testing.TB, issuer fiscal.IssuerInput, since ...time.Time) *office {
	tb.Helper()
	address := dbtest.URL(tb)
	o := &office{TB: tb, store: dbtest.Open(tb, address), address: address, clock: time.Date(2026, 11, 20, 18, 0, 0, 0, time.UTC), answers: map[string]sandbox.Decision{}}
	if len(since) > 0 {
		o.clock = since[0]
	}
	now := func() time.Time { return o.clock }
	dbtest.Company(tb, o.store, o.clock)
	identity, err := sandbox.StoredIdentity(tb.Context(), o.store, sharedIdentity)
	o.must(err)
	o.made = &stampCounter{Postgres: sandbox.Postgres{Store: o.store}}
	o.pac, err = sandbox.New(sandbox.Config{Identity: identity, Store: o.made, Now: now, Decisions: o.answers,
		Fault: func([]byte) sandbox.Fault { o.mu.Lock(); defer o.mu.Unlock(); return o.fault }})
	o.must(err)
	tb.Cleanup(func() { // whatever a test is about, each of its documents is right
		if !tb.Failed() {
			fiscaltest.VerifyStored(tb, o.store, identity.CertificatePEM())
		}
	})
	ring, err := fiscal.NewKeyring("k1", map[string][]byte{"k1": bytes.Repeat([]byte{7}, 32)})
	o.must(err)
	o.service = &fiscal.Service{Store: o.store, Now: now, Keyring: ring, PAC: o.pac, Mailer: o, Timeout: 5 * time.Second,
		Render: func(_ context.Context, l fiscal.Letter) (mail.Message, error) {
			return mail.Message{ID: l.MessageID, To: l.To, Attachments: l.Attachments}, nil
		}}
	o.billing = &billing.Service{Store: o.store, Now: now}
	ctx := system(tb.Context())
	_, err = o.service.SaveIssuer(ctx, issuer)
	o.must(err)
	cer, key := fiscaltest.NewCSD(tb, issuer.Rfc, false)
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

func (o *office) newClient(name, email string) db.Client {
	o.Helper()
	return dbtest.Client(o.TB, o.store, name, email)
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

// stamped returns the stamped documents of a kind of an invoice, parsed, in their order.
func (o *office) stamped(row db.Invoice, kind string) []*fiscal.Comprobante {
	o.Helper()
	var out []*fiscal.Comprobante
	for _, c := range o.documents(row) {
		if c.Kind == kind && c.Status != db.CFDIStamped {
			o.Logf("%s %s: %s %s", c.Kind, c.Status, c.Code, c.Message)
		}
		if c.Kind != kind || c.Status != db.CFDIStamped {
			continue
		}
		out = append(out, o.parse(c.ID))
	}
	return out
}

func (o *office) parse(cfdi id.CFDI) *fiscal.Comprobante {
	o.Helper()
	full, err := o.store.CFDI(o.Context(), cfdi)
	o.must(err)
	doc, err := fiscal.Parse(full.XML)
	o.must(err)
	return doc.Comprobante
}

// receive books one payment over several invoices.
func (o *office) receive(amount money.Minor, key string, parts ...billing.Allocation) db.Payment {
	o.Helper()
	in := billing.ReceiveInput{ClientID: o.client.ID, Amount: amount, Method: "transfer", Reference: "SPEI 900100", ExcessToCredit: true, RequestKey: key, Invoices: parts}
	if len(parts) > 0 {
		invoice, err := o.store.Invoice(o.Context(), parts[0].InvoiceID)
		o.must(err)
		in.Currency = invoice.Currency
	}
	row, err := o.billing.ReceivePayment(system(o.Context()), in)
	o.must(err)
	return row
}

func (o *office) credit(row db.Invoice, in billing.CreditNoteInput) db.CreditNote {
	o.Helper()
	in.InvoiceID = row.ID
	if in.Reason == "" {
		in.Reason = "Bonificación por interrupción"
	}
	in.RequestKey = "note " + in.Reason + row.ID.String()
	note, err := o.billing.IssueCreditNote(system(o.Context()), in)
	o.must(err)
	return note
}

// verify holds every document of the database, all of them stamped, against the rules and the SAT's verifier.
func (o *office) verify(t *testing.T, atLeast int) {
	t.Helper()
	docs := map[string][]byte{}
	for page := (db.Page{First: db.MaxPage}); ; {
		list, err := o.store.CFDIs(t.Context(), "", page)
		o.must(err)
		for _, row := range list.Rows {
			full, err := o.store.CFDI(t.Context(), row.ID)
			o.must(err)
			if full.XML == nil {
				t.Errorf("%s %s is %s: %s %s", row.Kind, row.ID, row.Status, row.Code, row.Message)
				continue
			}
			docs[row.Kind+"-"+row.ID.String()] = full.XML
		}
		if page.After = list.Next(); page.After == "" {
			break
		}
	}
	if len(docs) < atLeast {
		t.Errorf("%d documents, want at least %d", len(docs), atLeast)
	}
	fiscaltest.VerifyAll(t, docs, o.pac.Identity().CertificatePEM(), 1)
}

func hosting(price string) billing.LineInput {
	return billing.LineInput{Description: "Hospedaje web ejemplo.example", Quantity: money.Int(1), UnitPrice: money.Must(price)}
}

// stampCounter is the PAC's memory, and counts the documents that it stamped.
type stampCounter struct {
	sandbox.Postgres
	n atomic.Int64
}

// Insert implements sandbox.Store.
func (s *stampCounter) Insert(ctx context.Context, r sandbox.Record) (*sandbox.Record, error) {
	old, err := s.Postgres.Insert(ctx, r)
	if old == nil && err == nil {
		s.n.Add(1)
	}
	return old, err
}

// stamps is how many documents the PAC has stamped.
func (o *office) stamps() int64 { return o.made.n.Load() }

// do runs a job as the worker does; jobs of others are left to them.
func do(ctx context.Context, s *fiscal.Service, row db.OutboxRow) error {
	switch row.Kind {
	case billing.ChangedJob{}.Kind():
		return run(ctx, row, s.Follow)
	case billing.RefundedJob{}.Kind():
		return run(ctx, row, s.FollowRefund)
	case fiscal.StampJob{}.Kind():
		return run(ctx, row, s.Stamp)
	case fiscal.MailJob{}.Kind():
		return run(ctx, row, s.Mail)
	case fiscal.CancelJob{}.Kind():
		return run(ctx, row, s.SendCancellation)
	case fiscal.TakeBackJob{}.Kind():
		return run(ctx, row, s.TakeBack)
	case fiscal.MissedJob{}.Kind():
		return run(ctx, row, s.FollowMissed)
	case fiscal.ExpiryJob{}.Kind():
		return run(ctx, row, s.SendExpiry)
	case fiscal.ReceiptsJob{}.Kind():
		return run(ctx, row, s.SendReceipts)
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
