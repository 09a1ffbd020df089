package fiscal_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/fiscaltest"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// counting is a PAC that counts what reaches it.
type counting struct {
	fiscal.Stamper
	calls int
	first []byte // that reached it
}

func (c *counting) Stamp(ctx context.Context, sealed []byte, key string) (*fiscal.StampResult, error) {
	if c.calls++; c.calls == 1 {
		c.first = sealed
	}
	return c.Stamper.Stamp(ctx, sealed, key)
}

// asked is what a person does, and where what is wrong with it is said.
type asked struct {
	field, sat string
	message    *fiscal.Violation // nil: the text is in the locale
	err        error
}

// askedOf reads the first field of a fault.
func askedOf(t *testing.T, err error) asked {
	t.Helper()
	f, ok := fault.As(err)
	if !ok || len(f.Fields) == 0 {
		t.Fatal(err)
	}
	a := asked{field: f.Fields[0].Path, err: err}
	a.sat, _ = f.Fields[0].Args["sat"].(string)
	if a.message, ok = f.Fields[0].Args["message"].(*fiscal.Violation); ok {
		a.sat = a.message.SAT
	}
	return a
}

// What the SAT would refuse is refused before the provider sees it, with the field and the SAT's code: where it is
// entered, or else in the record of the document, which takes no folio. What is legal is stamped as it was written.
func TestRefusedBeforeThePAC(t *testing.T) {
	read := func(t *testing.T, name string) []byte { t.Helper(); return fiscaltest.Read(t, "csd", name) }
	upload := func(rfc, cer, key, password string) func(t *testing.T, o *office) error {
		return func(t *testing.T, o *office) error {
			regimen := "601"
			if len(rfc) == 13 {
				regimen = "612"
			}
			_, err := o.service.SaveIssuer(system(t.Context()), fiscal.IssuerInput{Rfc: rfc, Nombre: "EMISOR DE PRUEBA", RegimenFiscal: regimen, LugarExpedicion: "42501"})
			o.must(err)
			before, err := o.store.ActiveCSD(t.Context())
			o.must(err)
			_, refused := o.service.UploadCSD(system(t.Context()), fiscal.UploadCSDInput{Cer: read(t, cer), Key: read(t, key), Password: password})
			if after, err := o.store.ActiveCSD(t.Context()); err != nil || after.NoCertificado != before.NoCertificado {
				t.Error("another certificate is in use", err)
			}
			return refused
		}
	}
	profile := func(change func(in *fiscal.ProfileInput)) func(t *testing.T, o *office) error {
		return func(t *testing.T, o *office) error {
			in := fiscal.ProfileInput{ClientID: o.client.ID, Rfc: "URE180429TM6", Nombre: "UNIVERSIDAD", DomicilioFiscalReceptor: "86991", RegimenFiscalReceptor: "601", UsoCFDI: "G03"}
			change(&in)
			_, _, err := o.service.SaveFiscalProfile(system(t.Context()), in)
			return err
		}
	}
	sell := func(description string) func(t *testing.T, o *office) error {
		return func(t *testing.T, o *office) error {
			_, err := o.billing.IssueInvoice(system(t.Context()), billing.IssueInput{ClientID: o.client.ID, DueDate: "2026-12-10",
				Lines: []billing.LineInput{{Description: description, Quantity: money.Int(1), UnitPrice: money.Must("100")}}})
			return err
		}
	}
	const eku, fiel, cacx, wrong = "EKU9003173C9", "EKU9003173C9-FIEL", "CACX7605101P8-expired2023", "otra-clave"
	// Where it is entered.
	for name, c := range map[string]struct {
		enter      func(t *testing.T, o *office) error
		field, sat string
	}{
		"CSD expired":                 {upload("CACX7605101P8", cacx+".cer", cacx+".key", password), "cer", "305"},
		"FIEL":                        {upload(eku, fiel+".cer", fiel+".key", password), "cer", "306"},
		"CSD of another taxpayer":     {upload("URE180429TM6", eku+".cer", eku+".key", password), "cer", "303"},
		"key of another certificate":  {upload(eku, eku+".cer", cacx+".key", password), "key", "302"},
		"wrong password":              {upload(eku, eku+".cer", eku+".key", wrong), "password", ""}, // the SAT never sees it
		"files swapped":               {upload(eku, eku+".key", eku+".cer", password), "cer", "301"},
		"pipe in a line":              {sell("Hospedaje | dominio"), "lines[0].description", "301"},
		"control character in a line": {sell("Hospedaje\x07"), "lines[0].description", ""},
		"1,001 characters":            {sell(strings.Repeat("ñ", 1001)), "lines[0].description", ""},
		"pipe in a name":              {profile(func(in *fiscal.ProfileInput) { in.Nombre = "UNI|VERSIDAD" }), "nombre", "301"},
		"control character in a name": {profile(func(in *fiscal.ProfileInput) { in.Nombre = "UNIVERSIDAD\x07" }), "nombre", "301"},
		"regime of another person":    {profile(func(in *fiscal.ProfileInput) { in.RegimenFiscalReceptor = "612" }), "regimenFiscalReceptor", "CFDI40158"},
		"use that the regime cannot":  {profile(func(in *fiscal.ProfileInput) { in.Rfc, in.RegimenFiscalReceptor = "CACX7605101P8", "605" }), "usoCfdi", "CFDI40161"},
		"use of a person":             {profile(func(in *fiscal.ProfileInput) { in.UsoCFDI = "D01" }), "usoCfdi", "CFDI40161"},
		"no name":                     {profile(func(in *fiscal.ProfileInput) { in.Nombre = "" }), "nombre", ""},
		"no RFC":                      {profile(func(in *fiscal.ProfileInput) { in.Rfc = "" }), "rfc", ""},
		"no postal code":              {profile(func(in *fiscal.ProfileInput) { in.DomicilioFiscalReceptor = "" }), "domicilioFiscalReceptor", ""},
		"no regime":                   {profile(func(in *fiscal.ProfileInput) { in.RegimenFiscalReceptor = "" }), "regimenFiscalReceptor", "CFDI40158"},
		"no use":                      {profile(func(in *fiscal.ProfileInput) { in.UsoCFDI = "" }), "usoCfdi", "CFDI40161"},
	} {
		t.Run("entered/"+name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			pac := &counting{Stamper: o.pac}
			o.service.PAC = pac
			got := askedOf(t, c.enter(t, o))
			if got.field != c.field || got.sat != c.sat || pac.calls != 0 || strings.Contains(fmt.Sprint(got.err, got.message), wrong) {
				t.Errorf("at %s, SAT %q: %v", got.field, got.sat, got.err)
			}
			if m := got.message; m != nil && m.SAT != "" && (!strings.Contains(m.Message("es"), m.SAT) || !strings.Contains(m.Message("en"), m.SAT)) {
				t.Errorf("the code is not said: %s", m.ES)
			}
		})
	}
	// In the record: data that changed since, or came from elsewhere.
	line := func(text string) func(o *office, row db.CFDI) {
		return func(o *office, row db.CFDI) {
			dbtest.Exec(o, o.address, fmt.Sprintf("SET session_replication_role = replica; UPDATE invoice_line SET description = $$%s$$ WHERE invoice_id = %d", text, row.InvoiceID))
		}
	}
	to := func(change func(p *db.FiscalProfile)) func(o *office, row db.CFDI) {
		return func(o *office, row db.CFDI) {
			p, err := o.store.FiscalProfile(o.Context(), row.ProfileID)
			o.must(err)
			change(&p)
			o.must(o.store.SaveFiscalProfile(o.Context(), &p))
		}
	}
	issuer := func(rfc string) func(o *office, _ db.CFDI) {
		return func(o *office, _ db.CFDI) {
			in := kemper
			in.Rfc = rfc
			_, err := o.service.SaveIssuer(system(o.Context()), in)
			o.must(err)
		}
	}
	for name, c := range map[string]struct {
		spoil            func(o *office, row db.CFDI)
		code, sat, field string // code "" is stamped
		written          string // in the stamped XML
	}{
		"pipe":                      {line("Hospedaje | dominio"), "text_pipe", "301", "Conceptos/Concepto[1]@Descripcion", ""},
		"control character":         {line("Hospedaje\x07"), "text_control_character", "301", "Conceptos/Concepto[1]@Descripcion", ""},
		"1,001 characters":          {line(strings.Repeat("ñ", 1001)), "text_too_long", "301", "Conceptos/Concepto[1]@Descripcion", ""},
		"control character in name": {to(func(p *db.FiscalProfile) { p.Nombre = "UNIVERSIDAD\x07" }), "text_control_character", "301", "Receptor@Nombre", ""},
		"regime of another person":  {to(func(p *db.FiscalProfile) { p.RegimenFiscalReceptor = "612" }), "CFDI40158", "CFDI40158", "Receptor@RegimenFiscalReceptor", ""},
		"use of a person":           {to(func(p *db.FiscalProfile) { p.UsoCFDI = "D01" }), "CFDI40161", "CFDI40161", "Receptor@UsoCFDI", ""},
		"no regime":                 {to(func(p *db.FiscalProfile) { p.RegimenFiscalReceptor = "" }), "attribute_missing", "301", "Receptor@RegimenFiscalReceptor", ""},
		"no postal code":            {to(func(p *db.FiscalProfile) { p.DomicilioFiscalReceptor = "" }), "attribute_missing", "301", "Receptor@DomicilioFiscalReceptor", ""},
		"no name":                   {to(func(p *db.FiscalProfile) { p.Nombre = "" }), "attribute_missing", "301", "Receptor@Nombre", ""},
		"no use":                    {to(func(p *db.FiscalProfile) { p.UsoCFDI = "" }), "attribute_missing", "301", "Receptor@UsoCFDI", ""},
		"CSD expired since":         {func(o *office, _ db.CFDI) { o.clock = time.Date(2029, 1, 1, 18, 0, 0, 0, time.UTC) }, fiscal.CodeCSDExpired, "305", "cer", ""},
		"CSD of another RFC":        {issuer("URE180429TM6"), fiscal.CodeCSDRfc, "303", "cer", ""},
		"& and Ñ in a line":         {line(`Diseño & "Ñandú" <hosting>`), "", "", "", `Descripcion="Diseño &amp; &quot;Ñandú&quot; &lt;hosting&gt;"`},
		"& and Ñ in a name":         {to(func(p *db.FiscalProfile) { p.Nombre = "PÉREZ & ÑANDÚ" }), "", "", "", `Nombre="PÉREZ &amp; ÑANDÚ"`},
		"& in an RFC":               {to(func(p *db.FiscalProfile) { p.Rfc = "H&E951128469" }), "", "", "", `Rfc="H&amp;E951128469"`},
		"Ñ in an RFC":               {to(func(p *db.FiscalProfile) { p.Rfc = "OÑO120726RX3" }), "", "", "", `Rfc="OÑO120726RX3"`},
		"1,000 characters":          {line(strings.Repeat("ñ", 1000)), "", "", "", `Descripcion="` + strings.Repeat("ñ", 1000) + `"`},
		"nothing is wrong":          {func(*office, db.CFDI) {}, "", "", "", `Descripcion="Hospedaje"`},
	} {
		t.Run("stored/"+name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			o.profile()
			pac := &counting{Stamper: o.pac}
			o.service.PAC = pac
			invoice := o.issue(billing.LineInput{Description: "Hospedaje", Quantity: money.Int(1), UnitPrice: money.Must("100")})
			row := o.drafted(o.pay(invoice, invoice.Total, "p"))
			c.spoil(o, row)
			_, err := o.attempt(row)
			o.must(err)
			got, err := o.store.CFDI(t.Context(), row.ID)
			o.must(err)
			if c.code == "" {
				if got.Status != db.CFDIStamped || pac.calls != 1 || got.Refusal != (db.Refusal{}) || !strings.Contains(string(got.XML), c.written) {
					t.Errorf("%s, %d calls: %+v\n%s", got.Status, pac.calls, got.Refusal, got.XML)
				}
				o.verify(t, 1)
				return
			}
			if got.Status != db.CFDIStampFailed || got.Code != c.code || got.SATCode != c.sat || got.Field != c.field || got.Message == "" || got.MessageEN == "" || got.Folio != 0 || pac.calls != 0 {
				t.Errorf("%s folio %d, %d calls: %+v", got.Status, got.Folio, pac.calls, got.Refusal)
			}
			if last := got.Log[len(got.Log)-1]; last.Event != "refused_here" || last.Field != c.field {
				t.Errorf("%+v", last)
			}
		})
	}
}

// What the PAC refuses names the field of its code, where it is known.
func TestFieldOfThePACsCode(t *testing.T) {
	for code, field := range map[string]string{"CFDI40143": "Receptor@Rfc", "CFDI40145": "Receptor@Nombre", "CFDI40148": "Receptor@DomicilioFiscalReceptor",
		"CFDI40158": "Receptor@RegimenFiscalReceptor", "CFDI40161": "Receptor@UsoCFDI", "CFDI40139": "Emisor", "CFDI40119": "", "message_of_the_provider": ""} {
		t.Run(code, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			row := prepared[db.CFDIIngreso](o)
			o.service.PAC = refusingWith(code)
			_, err := o.attempt(row)
			o.must(err)
			got, err := o.store.CFDI(t.Context(), row.ID)
			o.must(err)
			sat := code
			if !strings.HasPrefix(code, "CFDI") {
				sat = ""
			}
			if got.Status != db.CFDIStampFailed || got.Code != code || got.Field != field || got.SATCode != sat {
				t.Errorf("%+v", got.Refusal)
			}
		})
	}
}

type refusingWith string

func (code refusingWith) Stamp(context.Context, []byte, string) (*fiscal.StampResult, error) {
	return nil, &fiscal.PACError{Kind: fiscal.KindRejected, Code: string(code), Message: "no"}
}

// A machine whose clock is off sends nothing, seals nothing, and goes on by itself when its clock is right again.
func TestClockOff(t *testing.T) {
	for _, off := range []time.Duration{73 * time.Hour, -73 * time.Hour, 6 * time.Minute, -6 * time.Minute, time.Minute, -4 * time.Minute} {
		t.Run(off.String(), func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			pac := &counting{Stamper: o.pac}
			o.service.PAC = pac
			row, right := prepared[db.CFDIIngreso](o), o.clock
			o.service.Clock = func(context.Context) (time.Time, error) { return right, nil }
			o.clock = right.Add(off)
			_, err := o.attempt(row)
			o.must(err)
			got, err := o.store.CFDI(t.Context(), row.ID)
			o.must(err)
			if off.Abs() < 5*time.Minute {
				if pac.calls != 1 { // what the PAC thinks of it is another matter
					t.Errorf("%d calls", pac.calls)
				}
				return
			}
			if got.Status != db.CFDIDraft || got.Code != "401" || got.SATCode != "401" || got.Field != "@Fecha" || got.Failure != "clock" || pac.calls != 0 || got.Sealed != nil || got.Folio != 0 {
				t.Errorf("%s, %d calls: %+v", got.Status, pac.calls, got.Refusal)
			}
			state, err := o.service.Stamping(system(t.Context()))
			o.must(err)
			if state.Outage == nil || state.Outage.Failure != "clock" || !state.Outage.Last.Equal(right) || state.Waiting != 1 {
				t.Errorf("staff are not told: %+v", state)
			}
			jobs, err := o.store.JobsByKey(t.Context(), []string{fiscal.StampJob{CFDI: row.ID, Attempt: 1}.Key()})
			o.must(err)
			if len(jobs) != 1 {
				t.Error("it is not tried again")
			}
			for _, job := range jobs {
				if wait := job.DueAt.Sub(right); wait <= 0 || wait > time.Minute {
					t.Errorf("tried again %s after", wait)
				}
			}
			o.clock = right.Add(time.Minute)
			_, err = o.attempt(row)
			o.must(err)
			if got, err = o.store.CFDI(t.Context(), row.ID); err != nil || got.Status != db.CFDIStamped || got.Build != 1 || got.Failure != "" || got.Refusal != (db.Refusal{}) {
				t.Errorf("%s %+v", got.Status, got.Refusal)
			}
		})
	}
}

// Nor does it send a cancellation, which is dated and signed too.
func TestCancellationWithTheClockOff(t *testing.T) {
	o := newOffice(t)
	row := o.old()
	row, err := o.service.CancelCFDI(system(t.Context()), fiscal.CancelInput{CFDI: row.ID, Motivo: "02"})
	o.must(err)
	right := o.clock
	o.service.Clock = func(context.Context) (time.Time, error) { return right, nil }
	var calls []string
	o.service.Called = func(call fiscal.Call) { calls = append(calls, call.Operation) }
	o.clock = right.Add(73 * time.Hour)
	job := fiscal.CancelJob{CFDI: row.ID, Round: row.CancelRound}
	var wrong *fiscal.Violation
	if err := o.service.SendCancellation(system(t.Context()), job); !errors.As(err, &wrong) || wrong.SAT != "401" || len(calls) != 0 {
		t.Fatal(err, calls)
	}
	o.clock = right
	o.must(o.service.SendCancellation(system(t.Context()), job))
	if got := o.read(row); len(calls) == 0 || calls[0] != "cancel" || got.CancelState == db.CancelAsked {
		t.Error(calls, got.CancelState)
	}
}

// Bytes that no PAC can have stamped are not sent when their Fecha is outside the SAT's window: they are built anew, at
// the same folio. Bytes that may be stamped are sent, because their PAC alone has the stamp.
func TestFechaOutsideTheWindow(t *testing.T) {
	for name, c := range map[string]struct {
		lost  bool
		after time.Duration
		build int
	}{
		"in time":                {false, 71 * time.Hour, 1},
		"too old":                {false, 73 * time.Hour, 2},
		"in the future":          {false, -time.Hour, 2},
		"too old, maybe stamped": {true, 73 * time.Hour, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			o := newOffice(t)
			row := prepared[db.CFDIIngreso](o)
			o.fault = sandbox.Unavailable
			if c.lost {
				o.fault = sandbox.LostReply
			}
			_, err := o.attempt(row)
			o.must(err)
			first, err := o.store.CFDI(t.Context(), row.ID)
			o.must(err)
			pac := &counting{Stamper: o.pac}
			o.service.PAC, o.fault, o.clock = pac, sandbox.None, o.clock.Add(c.after)
			_, err = o.attempt(row)
			o.must(err)
			got, err := o.store.CFDI(t.Context(), row.ID)
			o.must(err)
			if got.Status != db.CFDIStamped || got.Build != c.build || got.Folio != first.Folio || pac.calls != 1 || o.stamps() != 1 || bytes.Equal(pac.first, first.Sealed) != (c.build == 1) {
				t.Errorf("%s build %d folio %d, %d calls, %d stamps: %+v", got.Status, got.Build, got.Folio, pac.calls, o.stamps(), got.Refusal)
			}
			refused := false
			for _, entry := range got.Log {
				refused = refused || entry.Event == "refused_here" && entry.Code == "401" && entry.Field == "@Fecha"
			}
			if refused != (c.build == 2) {
				t.Errorf("%+v", got.Log)
			}
		})
	}
}

// The rules for documents that waited know the window of 72 hours.
func TestRefusedClock(t *testing.T) {
	sealed := fiscaltest.Sealed(t, "1")
	doc, err := fiscal.Parse(sealed)
	if err != nil {
		t.Fatal(err)
	}
	for hours, want := range map[int]bool{-1: true, 73: true, 71: false} {
		vs := doc.Validate(fiscal.Options{Sealed: true, Now: fiscaltest.Noon.Add(time.Duration(hours) * time.Hour)})
		if hours == -1 {
			vs = doc.Validate(fiscal.Options{Sealed: true, Now: fiscaltest.Noon.Add(-73 * time.Hour)})
		}
		found := false
		for _, v := range vs {
			found = found || v.Code == "401" && v.SAT == "401" && v.Path == "@Fecha"
		}
		if found != want {
			t.Errorf("%d hours: %v", hours, vs)
		}
	}
}
