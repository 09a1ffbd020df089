package fiscal_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/fiscaltest"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
	"github.com/nubedigitalmx/avisa/internal/money"
)

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
	trail, err := o.service.Trail(system(t.Context()), row.ID)
	log := trail.Downloads
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
			before := o.stamps() // those of the documents that this one is about
			o.fault = sandbox.Unavailable
			for range 3 {
				if _, err := o.attempt(row); err != nil {
					o.Fatal(err)
				}
			}
			if got, _ := o.store.CFDI(o.Context(), row.ID); got.Status != db.CFDISealed || got.Code != "http_503" || o.stamps() != before {
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
	for kind, prepare := range prepared {
		for name, interrupt := range cases {
			if testing.Short() && kind != db.CFDIIngreso && !strings.HasPrefix(name, "killed") {
				continue
			}
			t.Run(kind+"/"+name, func(t *testing.T) {
				t.Parallel()
				o := newOffice(t)
				row := prepare(o)
				stamped := o.stamps()
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
				if got.Kind != kind || got.Status != db.CFDIStamped || o.stamps() != stamped+1 || got.Folio != 1 || got.Build != 1 {
					t.Errorf("%s %s, %d stamps, folio %d, build %d: %s", got.Kind, got.Status, o.stamps()-stamped, got.Folio, got.Build, got.Message)
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
}

// prepared asks for a document of each kind that nobody has sealed yet.
var prepared = map[string]func(o *office) db.CFDI{
	db.CFDIIngreso: func(o *office) db.CFDI {
		profile := o.profile()
		invoice := o.pay(o.issue(), 100, "p")
		row, err := o.service.RequestCFDI(system(o.Context()), fiscal.RequestInput{InvoiceID: invoice.ID, ProfileID: profile.ID})
		o.must(err)
		return row
	},
	db.CFDIEgreso: func(o *office) db.CFDI {
		o.profile()
		invoice := o.issue()
		invoice = o.pay(invoice, invoice.Total, "p")
		o.work()
		o.credit(invoice, billing.CreditNoteInput{Lines: []billing.LineInput{hosting("100.00")}})
		return o.drafted(invoice)
	},
	db.CFDIPago: func(o *office) db.CFDI {
		o.profile()
		o.must(o.service.SetWhen(system(o.Context()), o.client.ID, db.CFDIOnIssue))
		a, b := o.issue(), o.issue(hosting("100.00"))
		o.work()
		o.receive(21600, "p", billing.Allocation{InvoiceID: a.ID, Amount: 10000}, billing.Allocation{InvoiceID: b.ID})
		return o.drafted(b)
	},
	db.CFDIGlobal: func(o *office) db.CFDI {
		o.globals("01", db.CFDIOnRequest)
		invoice := o.issue()
		o.pay(invoice, invoice.Total, "p")
		o.clock = o.clock.Add(24 * time.Hour)
		o.must(o.service.IssueGlobals(system(o.Context())))
		return o.listed()[0]
	},
}

// drafted follows an invoice and returns the document that this asks for.
func (o *office) drafted(invoice db.Invoice) db.CFDI {
	o.Helper()
	o.must(o.service.Follow(system(o.Context()), billing.Changed(invoice)))
	rows := o.documents(invoice)
	row := rows[len(rows)-1]
	if row.Status != db.CFDIDraft {
		o.Fatalf("%+v", rows)
	}
	return row
}

// lying is a PAC that stamps and answers something else.
type lying struct {
	fiscal.Stamper
	answer func(sealed, stamped []byte) []byte
}

func (l lying) Stamp(ctx context.Context, sealed []byte, key string) (*fiscal.StampResult, error) {
	r, err := l.Stamper.Stamp(ctx, sealed, key)
	if err != nil {
		return nil, err
	}
	return &fiscal.StampResult{XML: l.answer(sealed, r.XML)}, nil
}

// Whatever a PAC answers, only our own document with a stamp of it is taken; the first one that comes.
func TestLyingPAC(t *testing.T) {
	o := newOffice(t)
	o.profile()
	first := o.issue(hosting("10.00"))
	o.pay(first, first.Total, "first")
	o.work()
	other := o.one(first)
	timbre := regexp.MustCompile(`<tfd:TimbreFiscalDigital[^>]*>`)
	uuid := regexp.MustCompile(` UUID="[^"]*"`)
	i := 0
	for code, answer := range map[string]func(sealed, stamped []byte) []byte{
		"stamped_malformed: garbage": func([]byte, []byte) []byte { return []byte("\x00\xff\x01basura") },
		"stamped_malformed: nothing": func([]byte, []byte) []byte { return nil },
		"stamped_malformed: HTML": func([]byte, []byte) []byte {
			return []byte("<!doctype html><html><body><h1>502 Bad Gateway</h1></body></html>")
		},
		"stamped_malformed: cut": func(_, stamped []byte) []byte { return stamped[:len(stamped)/2] },
		"stamped_malformed: entities": func([]byte, []byte) []byte {
			return []byte(`<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]><cfdi:Comprobante xmlns:cfdi="http://www.sat.gob.mx/cfd/4">&b;</cfdi:Comprobante>`)
		},
		"stamp_missing: as it was sent":               func(sealed, _ []byte) []byte { return sealed },
		"stamp_missing: no UUID":                      func(_, stamped []byte) []byte { return uuid.ReplaceAll(stamped, []byte(` UUID="no-es-un-uuid"`)) },
		"stamp_of_another_document: another document": func(_, _ []byte) []byte { return other.XML },
		"stamp_of_another_document: another's stamp":  func(_, stamped []byte) []byte { return timbre.ReplaceAll(stamped, timbre.Find(other.XML)) },
		"stamped_document_changed: another total": func(_, stamped []byte) []byte {
			return bytes.Replace(stamped, []byte(`Total="1160.00"`), []byte(`Total="1.00"`), 1)
		},
		"uuid_of_another_document: a UUID used already": func(_, stamped []byte) []byte { return uuid.ReplaceAll(stamped, uuid.Find(timbre.Find(other.XML))) },
	} {
		t.Run(code, func(t *testing.T) {
			i++
			invoice := o.issue(hosting("1000.00"))
			invoice = o.pay(invoice, invoice.Total, fmt.Sprint("p", i))
			stamps := o.stamps()
			o.service.PAC = lying{o.pac, answer}
			row := o.drafted(invoice)
			if _, err := o.attempt(row); err != nil {
				t.Fatal(err)
			}
			got, err := o.store.CFDI(t.Context(), row.ID)
			o.must(err)
			if want, _, _ := strings.Cut(code, ":"); got.Status != db.CFDIStamping || got.Code != want || got.XML != nil || got.UUID != "" {
				t.Errorf("%s %s %s", got.Status, got.Code, got.UUID)
			}
			o.service.PAC = o.pac
			if _, err := o.attempt(row); err != nil {
				t.Fatal(err)
			}
			if got, err = o.store.CFDI(t.Context(), row.ID); err != nil || got.Status != db.CFDIStamped || o.stamps() != stamps+1 || got.Folio != row.Folio && got.Build != 1 {
				t.Errorf("%s %s, %d stamps", got.Status, got.Code, o.stamps()-stamps)
			}
		})
	}
}

// What waited for the PAC longer than a document may be old is built anew, unless it was stamped.
func TestStampedTooLate(t *testing.T) {
	for name, lost := range map[string]bool{"never arrived": false, "was stamped": true} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t)
			row := prepared[db.CFDIIngreso](o)
			o.fault = sandbox.Unavailable
			if lost {
				o.fault = sandbox.LostReply
			}
			if _, err := o.attempt(row); err != nil {
				t.Fatal(err)
			}
			o.clock, o.fault = o.clock.Add(73*time.Hour), sandbox.None
			for range 2 {
				if _, err := o.attempt(row); err != nil {
					t.Fatal(err)
				}
			}
			got, err := o.store.CFDI(t.Context(), row.ID)
			o.must(err)
			build := 2
			if lost {
				build = 1
			}
			if got.Status != db.CFDIStamped || got.Build != build || got.Folio != 1 || o.stamps() != 1 {
				t.Errorf("%s build %d folio %d: %s", got.Status, got.Build, got.Folio, got.Message)
			}
		})
	}
}

// windowFirst is a PAC that looks at the date before it looks for what it has stamped.
type windowFirst struct{ fiscal.Stamper }

func (windowFirst) Stamp(context.Context, []byte, string) (*fiscal.StampResult, error) {
	return nil, &fiscal.PACError{Kind: fiscal.KindRejected, Code: "401", Message: "fecha fuera de rango"}
}

// A refusal after a lost answer builds nothing anew by itself, whatever the code: the first bytes may be stamped. An
// answer is lost too when its worker dies, and however many attempts came before and after.
func TestRefusedAfterLostReply(t *testing.T) {
	repeat := func(o *office, row db.CFDI, n int, fault sandbox.Fault) {
		o.Helper()
		o.fault = fault
		for range n {
			_, err := o.attempt(row)
			o.must(err)
		}
	}
	killed := func(o *office, row db.CFDI) {
		o.Helper()
		o.fault, o.service.PAC = sandbox.None, &crashing{Stamper: o.pac, after: true}
		if killed, err := o.attempt(row); !killed {
			o.Fatal("not killed", err)
		}
		o.service.PAC, o.clock = o.pac, o.clock.Add(time.Hour) // the lease ends
	}
	for name, lose := range map[string]func(o *office, row db.CFDI){
		"timeout": func(o *office, row db.CFDI) { repeat(o, row, 1, sandbox.LostReply) },
		"killed":  killed,
		"killed, and the provider was down after": func(o *office, row db.CFDI) {
			killed(o, row)
			repeat(o, row, 3, sandbox.Unavailable)
		},
		"timeout amid many failures": func(o *office, row db.CFDI) {
			repeat(o, row, 35, sandbox.Unavailable)
			repeat(o, row, 1, sandbox.LostReply)
			repeat(o, row, 35, sandbox.Unavailable)
		},
		"killed amid many failures": func(o *office, row db.CFDI) {
			repeat(o, row, 35, sandbox.Unavailable)
			killed(o, row)
			repeat(o, row, 35, sandbox.Unavailable)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			row := prepared[db.CFDIIngreso](o)
			lose(o, row)
			o.clock, o.fault = o.clock.Add(73*time.Hour), sandbox.None
			o.service.PAC = windowFirst{o.pac}
			for range 2 {
				_, err := o.attempt(row)
				o.must(err)
			}
			if _, err := o.service.RetryStamps(system(t.Context()), db.UnstampedRefused); err != nil {
				t.Fatal(err)
			}
			o.work()
			got, err := o.store.CFDI(t.Context(), row.ID)
			o.must(err)
			if got.Status != db.CFDIStampFailed || got.Code != db.CodeStampUncertain || got.Build != 1 || o.stamps() != 1 || !strings.Contains(got.Message, "401") || len(got.Log) > 60 {
				t.Errorf("%s %s build %d, %d stamps, %d entries: %s", got.Status, got.Code, got.Build, o.stamps(), len(got.Log), got.Message)
			}
		})
	}
}

// The log says that the PAC is asked before it is, and the answer takes the place of that.
func TestAskedBeforeTheCall(t *testing.T) {
	o := newOffice(t)
	row := prepared[db.CFDIIngreso](o)
	o.service.PAC = &crashing{Stamper: o.pac, before: true}
	if killed, err := o.attempt(row); !killed {
		t.Fatal("not killed", err)
	}
	events := func() string {
		got, err := o.store.CFDI(t.Context(), row.ID)
		o.must(err)
		var words []string
		for _, entry := range got.Log {
			words = append(words, entry.Event)
		}
		return strings.Join(words, " ")
	}
	if got := events(); got != "sealed asked" {
		t.Error(got)
	}
	o.clock, o.service.PAC, o.fault = o.clock.Add(time.Hour), o.pac, sandbox.Unavailable
	for _, fault := range []sandbox.Fault{sandbox.Unavailable, sandbox.None} {
		o.fault = fault
		_, err := o.attempt(row)
		o.must(err)
	}
	if got := events(); got != "sealed asked unavailable stamped" {
		t.Error(got)
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
