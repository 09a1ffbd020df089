package fiscal_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/fiscaltest"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// counting is a PAC that counts what reaches it.
type counting struct {
	fiscal.Stamper
	calls int
}

func (c *counting) Stamp(ctx context.Context, sealed []byte, key string) (*fiscal.StampResult, error) {
	c.calls++
	return c.Stamper.Stamp(ctx, sealed, key)
}

// What is wrong with a CSD is said at its field with the SAT's code, and nothing of it is stored.
func TestRefusedCSD(t *testing.T) {
	o := newOffice(t)
	before, err := o.store.ActiveCSD(t.Context())
	o.must(err)
	read := func(name string) []byte { return fiscaltest.Read(t, "csd", name) }
	for name, c := range map[string]struct {
		issuer, cer, key, password string
		field, says                string
	}{
		"expired":                    {"CACX7605101P8", "CACX7605101P8-expired2023.cer", "CACX7605101P8-expired2023.key", password, "cer", "305"},
		"FIEL":                       {"EKU9003173C9", "EKU9003173C9-FIEL.cer", "EKU9003173C9-FIEL.key", password, "cer", "306"},
		"of another taxpayer":        {"URE180429TM6", "EKU9003173C9.cer", "EKU9003173C9.key", password, "cer", "303"},
		"key of another certificate": {"EKU9003173C9", "EKU9003173C9.cer", "CACX7605101P8-expired2023.key", password, "key", fiscal.CodeCSDMismatch},
		"wrong password":             {"EKU9003173C9", "EKU9003173C9.cer", "EKU9003173C9.key", "otra-clave", "password", fiscal.CodeCSDPassword},
		"files swapped":              {"EKU9003173C9", "EKU9003173C9.key", "EKU9003173C9.cer", password, "cer", fiscal.CodeCSDCertificate},
	} {
		regimen := "601"
		if len(c.issuer) == 13 {
			regimen = "612"
		}
		_, err := o.service.SaveIssuer(system(t.Context()), fiscal.IssuerInput{Rfc: c.issuer, Nombre: "EMISOR DE PRUEBA", RegimenFiscal: regimen, LugarExpedicion: "42501"})
		o.must(err)
		_, err = o.service.UploadCSD(system(t.Context()), fiscal.UploadCSDInput{Cer: read(c.cer), Key: read(c.key), Password: c.password})
		f, ok := fault.As(err)
		if !ok || len(f.Fields) == 0 {
			t.Errorf("%s: %v", name, err)
			continue
		}
		v, _ := f.Fields[0].Args["message"].(*fiscal.Violation)
		if f.Fields[0].Path != c.field || v == nil || v.Code != c.says && v.SAT != c.says || strings.Contains(fmt.Sprint(err, v.ES, v.EN), c.password) {
			t.Errorf("%s: %s %+v", name, f.Fields[0].Path, v)
		}
	}
	if after, err := o.store.ActiveCSD(t.Context()); err != nil || after.NoCertificado != before.NoCertificado {
		t.Error("another certificate is in use", err)
	}
}

// What the SAT would refuse is refused before the provider sees it: no call, no folio, the code and what to do.
func TestRefusedBeforeThePAC(t *testing.T) {
	long := strings.Repeat("ñ", 1001)
	for name, c := range map[string]struct {
		line    string
		prepare func(o *office, profile *db.FiscalProfile)
		code    string // "" is stamped
	}{
		"pipe":               {line: "Hospedaje | dominio", code: "text_pipe"},
		"1,001 characters":   {line: long, code: "text_too_long"},
		"& and Ñ":            {line: `Diseño & "Ñandú" <hosting>`},
		"regime of a person": {prepare: func(_ *office, p *db.FiscalProfile) { p.RegimenFiscalReceptor = "612" }, code: "CFDI40158"},
		"use of a person":    {prepare: func(_ *office, p *db.FiscalProfile) { p.UsoCFDI = "D01" }, code: "CFDI40161"},
		"no regime":          {prepare: func(_ *office, p *db.FiscalProfile) { p.RegimenFiscalReceptor = "" }, code: "attribute_missing"},
		"no postal code":     {prepare: func(_ *office, p *db.FiscalProfile) { p.DomicilioFiscalReceptor = "" }, code: "attribute_missing"},
		"no name":            {prepare: func(_ *office, p *db.FiscalProfile) { p.Nombre = "" }, code: "attribute_missing"},
		"control character":  {prepare: func(_ *office, p *db.FiscalProfile) { p.Nombre = "UNIVERSIDAD\x07" }, code: "text_control_character"},
		"CSD expired since":  {prepare: func(o *office, _ *db.FiscalProfile) { o.clock = time.Date(2029, 1, 1, 18, 0, 0, 0, time.UTC) }, code: fiscal.CodeCSDExpired},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t)
			profile := o.profile()
			if c.line == "" {
				c.line = "Hospedaje"
			}
			pac := &counting{Stamper: o.pac}
			o.service.PAC = pac
			invoice, err := o.billing.IssueInvoice(system(t.Context()), billing.IssueInput{ClientID: o.client.ID, DueDate: "2026-12-10",
				Lines: []billing.LineInput{{Description: c.line, Quantity: money.Int(1), UnitPrice: money.Must("100")}}})
			if err != nil {
				f, ok := fault.As(err)
				if !ok || len(f.Fields) == 0 || f.Fields[0].Path != "lines[0].description" {
					t.Fatal(err)
				}
				return // said at the field of the invoice's form already
			}
			invoice = o.pay(invoice, invoice.Total, "p")
			row := o.drafted(invoice)
			if c.prepare != nil {
				c.prepare(o, &profile)
				o.must(o.store.SaveFiscalProfile(t.Context(), &profile))
			}
			if _, err := o.attempt(row); err != nil {
				t.Fatal(err)
			}
			got, err := o.store.CFDI(t.Context(), row.ID)
			o.must(err)
			if c.code == "" {
				if got.Status != db.CFDIStamped || pac.calls != 1 {
					t.Errorf("%s %s %s", got.Status, got.Code, got.Message)
				}
				return
			}
			if got.Status != db.CFDIStampFailed || got.Code != c.code || got.Message == "" || got.Folio != 0 || pac.calls != 0 {
				t.Errorf("%s %s folio %d, %d calls: %s", got.Status, got.Code, got.Folio, pac.calls, got.Message)
			}
		})
	}
}

// A clock that is 73 hours off is noticed by the provider, and by the rules for documents that waited.
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
