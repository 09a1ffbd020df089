package fiscal_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
)

// canceller is the PAC of a test: it counts the cancellations that the SAT took as new ones, and fails as told.
type canceller struct {
	*sandbox.Sandbox
	taken         int // answered with 201
	calls         int
	before, after func() error // of the next call; it may panic, as a process that dies does
}

func (c *canceller) Cancel(ctx context.Context, r fiscal.CancelRequest) (*fiscal.CancelResult, error) {
	c.calls++
	if c.before != nil {
		if err := c.before(); err != nil {
			return nil, err
		}
	}
	result, err := c.Sandbox.Cancel(ctx, r)
	if err == nil && result.Code == fiscal.CodigoCancelada {
		c.taken++
	}
	if c.after != nil {
		if err := c.after(); err != nil {
			return nil, err
		}
	}
	return result, err
}

// old is a paid invoice's document some business days after its issue: its receiver has to accept a cancellation.
func (o *office) old() db.CFDI {
	o.Helper()
	o.profile()
	invoice := o.issue()
	o.pay(invoice, invoice.Total, "stamped")
	o.work()
	o.clock = o.clock.AddDate(0, 0, 5)
	o.sent = nil
	return o.one(invoice)
}

func (o *office) cancel(row db.CFDI, motivo string) db.CFDI {
	o.Helper()
	got, err := o.service.CancelCFDI(system(o.Context()), fiscal.CancelInput{CFDI: row.ID, Motivo: motivo})
	o.must(err)
	return got
}

func (o *office) read(row db.CFDI) db.CFDI {
	o.Helper()
	got, err := o.store.CFDI(o.Context(), row.ID)
	o.must(err)
	return got
}

func events(row db.CFDI) string {
	var names []string
	for _, entry := range row.Log {
		if strings.HasPrefix(entry.Event, "cancel") {
			names = append(names, entry.Event)
		}
	}
	return strings.Join(names, " ")
}

// Whom the cancellation is told, and what becomes of it, by the receiver's answer.
func TestCancellationByAnswer(t *testing.T) {
	for name, c := range map[string]struct {
		answer sandbox.Decision
		wait   time.Duration // until the SAT is asked again
		status string
		state  string
		events string
		mails  int
	}{
		"accepted": {sandbox.Accepts, 0, db.CFDICancelled, db.CancelDone, "cancel_asked cancel_answered cancelled", 2},
		"silent, within the term": {sandbox.Silent, time.Hour, db.CFDICancelPending, db.CancelInProcess,
			"cancel_asked cancel_answered cancel_in_process", 2},
		"silent, the term over": {sandbox.Silent, 6 * 24 * time.Hour, db.CFDICancelled, db.CancelDone,
			"cancel_asked cancel_answered cancel_in_process cancelled", 4},
		"rejected": {sandbox.Rejects, 0, db.CFDIStamped, db.CancelRejected, "cancel_asked cancel_answered cancel_rejected", 0},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t)
			row := o.old()
			o.answers["URE180429TM6"] = c.answer
			if got := o.cancel(row, "02"); got.Status != db.CFDICancelPending || got.CancelState != db.CancelAsked || got.CancelRound != 1 {
				t.Fatalf("%s %s", got.Status, got.CancelState)
			}
			o.work()
			if c.wait > 0 {
				if got := o.read(row); got.CancelDeadline == nil || got.CancelDeadline.In(fiscal.ZonaCentro()).Format(time.DateTime) != "2026-11-30 23:59:59" {
					t.Errorf("the receiver's term is %v", got.CancelDeadline)
				}
			}
			o.clock = o.clock.Add(c.wait)
			o.must(o.service.PollCancellations(system(t.Context())))
			o.work()
			got := o.read(row)
			if got.Status != c.status || got.CancelState != c.state || events(got) != c.events || len(o.sent) != c.mails {
				t.Errorf("%s %s, %q, %d mails", got.Status, got.CancelState, events(got), len(o.sent))
			}
			if !bytes.Contains(got.Acuse, []byte(strings.ToUpper(row.UUID))) {
				t.Error("no acuse")
			}
			file, err := o.service.Open(system(t.Context()), row.ID, fiscal.FormatAcuse)
			if err != nil || !bytes.Equal(file.Data, got.Acuse) || !strings.HasSuffix(file.Name, "_acuse.xml") {
				t.Error(file.Name, err)
			}
			if got.Estado == "" || got.CheckedAt == nil {
				t.Error("what the SAT said is not noted")
			}
			for _, m := range o.sent {
				if m.To == "tecnico@universidad.example" {
					t.Error("told somebody without the preference")
				}
			}
		})
	}
}

// Whatever happens at each step, the SAT takes one cancellation, and its acuse is kept byte for byte.
func TestCancelOnce(t *testing.T) {
	die := func() error { panic(errKilled) }
	lost := func() error { return &fiscal.PACError{Kind: fiscal.KindUnknown, Code: "timeout"} }
	down := func() error { return &fiscal.PACError{Kind: fiscal.KindUnavailable, Code: "http_503"} }
	for name, c := range map[string]struct {
		answer sandbox.Decision
		fail   func(o *office, pac *canceller)
		status string
	}{
		"nothing happens":            {sandbox.Accepts, func(*office, *canceller) {}, db.CFDICancelled},
		"killed before the call":     {sandbox.Accepts, func(_ *office, p *canceller) { p.before = die }, db.CFDICancelled},
		"killed after the call":      {sandbox.Accepts, func(_ *office, p *canceller) { p.after = die }, db.CFDICancelled},
		"killed after, then waits":   {sandbox.Silent, func(_ *office, p *canceller) { p.after = die }, db.CFDICancelPending},
		"killed after, rejected":     {sandbox.Rejects, func(_ *office, p *canceller) { p.after = die }, db.CFDIStamped},
		"answer lost":                {sandbox.Accepts, func(_ *office, p *canceller) { p.after = lost }, db.CFDICancelled},
		"answer lost, rejected":      {sandbox.Rejects, func(_ *office, p *canceller) { p.after = lost }, db.CFDIStamped},
		"provider down":              {sandbox.Accepts, func(_ *office, p *canceller) { p.before = down }, db.CFDICancelled},
		"the document not there yet": {sandbox.Accepts, func(_ *office, p *canceller) { p.before = unknownYet }, db.CFDICancelled},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t)
			row := o.old()
			if name == "the document not there yet" {
				o.clock = row.StampedAt.Add(time.Hour)
			}
			o.answers["URE180429TM6"] = c.answer
			pac := &canceller{Sandbox: o.pac}
			o.service.PAC = pac
			o.cancel(row, "02")
			c.fail(o, pac)
			send := func() {
				defer func() { _ = recover() }()
				o.must(o.service.SendCancellation(system(t.Context()), fiscal.CancelJob{CFDI: row.ID, Round: 1}))
			}
			for range 3 {
				send()
				o.clock = o.clock.Add(time.Hour) // the lease ends
			}
			pac.before, pac.after = nil, nil
			send()
			send()
			o.must(o.service.PollCancellations(system(t.Context())))
			got := o.read(row)
			if got.Status != c.status || pac.taken != 1 {
				t.Errorf("%s, taken %d times: %s", got.Status, pac.taken, events(got))
			}
			if len(got.Acuse) == 0 && got.Status == db.CFDICancelled {
				t.Error("no acuse")
			}
		})
	}
}

func unknownYet() error {
	return &fiscal.PACError{Kind: fiscal.KindRejected, Code: fiscal.CodigoNoExiste}
}

// A refusal leaves the document in force, with the reason, and may be asked for again.
func TestCancelRefusedAndAgain(t *testing.T) {
	o := newOffice(t)
	row := o.old()
	pac := &canceller{Sandbox: o.pac, before: func() error {
		return &fiscal.PACError{Kind: fiscal.KindRejected, Code: "304", Message: "certificado revocado"}
	}}
	o.service.PAC = pac
	o.cancel(row, "02")
	o.work()
	if got := o.read(row); got.Status != db.CFDIStamped || got.CancelState != db.CancelRefused || got.Code != "304" || len(o.sent) != 0 {
		t.Fatalf("%s %s %s", got.Status, got.CancelState, got.Code)
	}
	pac.before = nil
	o.answers["URE180429TM6"] = sandbox.Rejects
	o.cancel(row, "03")
	o.work()
	if got := o.read(row); got.CancelState != db.CancelRejected || got.CancelRound != 2 || got.CancelMotivo != "03" {
		// the SAT may still show an earlier rejection, so that of a second request counts an hour later
		o.clock = o.clock.Add(2 * time.Hour)
		o.must(o.service.PollCancellations(system(t.Context())))
		if got = o.read(row); got.CancelState != db.CancelRejected || got.CancelRound != 2 {
			t.Fatalf("%s round %d", got.CancelState, got.CancelRound)
		}
	}
	o.answers["URE180429TM6"] = sandbox.Accepts
	o.cancel(row, "02")
	o.work()
	if got := o.read(row); got.Status != db.CFDICancelled || got.CancelRound != 3 || len(o.sent) != 2 {
		t.Fatalf("%s round %d, %d mails", got.Status, got.CancelRound, len(o.sent))
	}
	if _, err := o.service.CancelCFDI(system(t.Context()), fiscal.CancelInput{CFDI: row.ID, Motivo: "02"}); !fault.Is(err, fault.Conflict) {
		t.Error(err)
	}
}

// The new document is stamped first, related 04 to the old one, whose cancellation (01) names it.
func TestSubstitution(t *testing.T) {
	o := newOffice(t)
	old := o.old()
	pac := &canceller{Sandbox: o.pac}
	o.service.PAC = pac
	profile, _, err := o.service.SaveFiscalProfile(system(t.Context()), fiscal.ProfileInput{ClientID: o.client.ID, Rfc: "XIA190128J61", Nombre: "XENON INDUSTRIAL ARTICLES",
		DomicilioFiscalReceptor: "76343", RegimenFiscalReceptor: "601", UsoCFDI: "G01"})
	o.must(err)
	in := fiscal.SubstituteInput{CFDI: old.ID, Profile: profile.ID}
	fresh, err := o.service.SubstituteCFDI(system(t.Context()), in)
	o.must(err)
	again, err := o.service.SubstituteCFDI(system(t.Context()), in)
	if err != nil || again.ID != fresh.ID {
		t.Fatal(again.ID, err)
	}
	if got := o.read(old); got.Status != db.CFDIStamped {
		t.Fatal("the old one is touched before the new one is stamped:", got.Status)
	}
	o.work()
	got, after := o.read(fresh), o.read(old)
	if got.Status != db.CFDIStamped || got.RfcReceptor != "XIA190128J61" || after.Status != db.CFDICancelled || after.CancelMotivo != "01" || after.CancelSustitucion != got.UUID || pac.taken != 1 {
		t.Fatalf("%s %s; %s %s", got.Status, got.Message, after.Status, after.CancelMotivo)
	}
	doc, err := fiscal.Parse(got.XML)
	o.must(err)
	if !slices.Equal(doc.Comprobante.Relacionados("04"), []string{old.UUID}) {
		t.Error(doc.Comprobante.CfdiRelacionados)
	}
	if stamps := o.stamps(); stamps != 2 {
		t.Error(stamps, "stamps")
	}
	rows := o.documents(db.Invoice{ID: old.InvoiceID})
	if len(rows) != 2 {
		t.Error(len(rows), "documents")
	}
}

// A crash between the stamp of the new document and the cancellation of the old one loses nothing.
func TestSubstitutionCrash(t *testing.T) {
	o := newOffice(t)
	old := o.old()
	o.service.PAC = &stampThenDie{canceller{Sandbox: o.pac}}
	fresh, err := o.service.SubstituteCFDI(system(t.Context()), fiscal.SubstituteInput{CFDI: old.ID})
	o.must(err)
	if killed, err := o.attempt(fresh); !killed {
		t.Fatal("not killed", err)
	}
	if got := o.read(old); got.Status != db.CFDIStamped {
		t.Fatal(got.Status)
	}
	pac := &canceller{Sandbox: o.pac}
	o.service.PAC = pac
	o.clock = o.clock.Add(time.Hour)
	o.work()
	if got := o.read(old); got.Status != db.CFDICancelled || pac.taken != 1 || o.stamps() != 2 {
		t.Fatalf("%s, %d taken, %d stamps", got.Status, pac.taken, o.stamps())
	}
}

type stampThenDie struct{ canceller }

func (s *stampThenDie) Stamp(ctx context.Context, sealed []byte, key string) (*fiscal.StampResult, error) {
	if _, err := s.Sandbox.Stamp(ctx, sealed, key); err != nil {
		return nil, err
	}
	panic(errKilled)
}

// What cannot be cancelled is said before anybody is asked.
func TestCancelChecks(t *testing.T) {
	o := newOffice(t)
	o.profile()
	o.must(o.service.SetWhen(system(t.Context()), o.client.ID, db.CFDIOnIssue))
	invoice := o.issue()
	o.must(o.service.Follow(system(t.Context()), billing.Changed(invoice)))
	o.pay(invoice, 50000, "p1")
	o.work()
	var ingreso, pago db.CFDI
	for _, row := range o.documents(invoice) {
		if row.Kind == db.CFDIPago {
			pago = row
		} else {
			ingreso = row
		}
	}
	pac := &canceller{Sandbox: o.pac}
	o.service.PAC = pac
	code := func(err error) string {
		f, ok := fault.As(err)
		if !ok {
			t.Fatal(err)
		}
		if len(f.Fields) > 0 {
			return f.Fields[0].Path + ":" + f.Fields[0].Code
		}
		return f.Code
	}
	for name, c := range map[string]struct {
		in   fiscal.CancelInput
		want string
	}{
		"live receipt":           {fiscal.CancelInput{CFDI: ingreso.ID, Motivo: "02"}, "motivo:FISCAL_RULE"},
		"no motive":              {fiscal.CancelInput{CFDI: pago.ID}, "motivo:FISCAL_RULE"},
		"01 without replacement": {fiscal.CancelInput{CFDI: pago.ID, Motivo: "01"}, "sustituyeId:FISCAL_RULE"},
		"01 by an unrelated one": {fiscal.CancelInput{CFDI: pago.ID, Motivo: "01", Sustituye: ingreso.ID}, "sustituyeId:FISCAL_RULE"},
		"02 with replacement":    {fiscal.CancelInput{CFDI: pago.ID, Motivo: "02", Sustituye: ingreso.ID}, "sustituyeId:FISCAL_RULE"},
	} {
		_, err := o.service.CancelCFDI(system(t.Context()), c.in)
		if got := code(err); got != c.want {
			t.Errorf("%s: %s", name, got)
		}
	}
	if _, err := o.service.SubstituteCFDI(system(t.Context()), fiscal.SubstituteInput{CFDI: ingreso.ID}); code(err) != "FISCAL_CANCEL_RELATED" {
		t.Error(err)
	}
	if _, err := o.service.SubstituteCFDI(system(t.Context()), fiscal.SubstituteInput{CFDI: pago.ID}); code(err) != "FISCAL_SUBSTITUTE_STATE" {
		t.Error(err)
	}
	at := o.clock
	o.clock = time.Date(2027, 4, 1, 6, 0, 0, 0, time.UTC) // a moral's term ends with March
	if _, err := o.service.CancelCFDI(system(t.Context()), fiscal.CancelInput{CFDI: pago.ID, Motivo: "02"}); code(err) != "FISCAL_CANCEL_LATE" {
		t.Error(err)
	}
	o.clock = at
	o.cancel(pago, "02")
	o.work()
	o.cancel(ingreso, "02")
	o.work()
	if got := o.read(ingreso); got.Status != db.CFDICancelled || pac.taken != 2 {
		t.Error(got.Status, pac.taken)
	}
}

// The SAT's state of a document on demand; a cancellation made elsewhere is taken over.
func TestCheckStatus(t *testing.T) {
	o := newOffice(t)
	row := o.old()
	got, err := o.service.CheckStatus(system(t.Context()), row.ID)
	if err != nil || got.Estado != fiscal.EstadoVigente || got.EsCancelable != fiscal.CancelableConAceptacion || got.Status != db.CFDIStamped {
		t.Fatal(got.Estado, got.EsCancelable, err)
	}
	if _, err := o.pac.Cancel(t.Context(), fiscal.CancelRequest{RfcEmisor: row.RfcEmisor, UUID: row.UUID, Motivo: "02"}); err != nil {
		t.Fatal(err)
	}
	got, err = o.service.CheckStatus(system(t.Context()), row.ID)
	if err != nil || got.Status != db.CFDICancelled || got.Estado != fiscal.EstadoCancelado {
		t.Fatal(got.Status, err)
	}
	o.service.SAT = silentSAT{}
	if _, err := o.service.CheckStatus(system(t.Context()), row.ID); !fault.Is(err, fault.Unavailable) {
		t.Error(err)
	}
}

type silentSAT struct{}

func (silentSAT) Status(context.Context, fiscal.StatusQuery) (*fiscal.Status, error) {
	return nil, errors.New("no answer")
}
