package sandbox_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/fiscaltest"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
	"github.com/nubedigitalmx/avisa/internal/money"
)

var (
	ctx    = context.Background()
	issuer = fiscal.Emisor{Rfc: "EKU9003173C9", Nombre: "ESCUELA KEMPER URGATE", RegimenFiscal: "601"}
	client = fiscal.Receptor{Rfc: "URE180429TM6", Nombre: "UNIVERSIDAD ROBOTICA ESPAÑOLA", DomicilioFiscalReceptor: "86991", RegimenFiscalReceptor: "601", UsoCFDI: "G03"}
	one    = sync.OnceValues(func() (*sandbox.Identity, error) { return sandbox.NewIdentity(fiscaltest.Noon) })
)

type pac struct {
	*sandbox.Sandbox
	store *sandbox.Memory
	now   time.Time
	t     *testing.T
}

func newPAC(t *testing.T, c sandbox.Config) *pac {
	t.Helper()
	id, err := one()
	if err != nil {
		t.Fatal(err)
	}
	p := &pac{store: &sandbox.Memory{}, now: fiscaltest.Noon, t: t}
	c.Identity, c.Store, c.Now = id, p.store, func() time.Time { return p.now }
	if p.Sandbox, err = sandbox.New(c); err != nil {
		t.Fatal(err)
	}
	return p
}

// stamp builds, seals and stamps an invoice that needs its receiver's acceptance to be cancelled.
func (p *pac) stamp(folio string, change func(*fiscal.Draft)) *fiscal.Comprobante {
	p.t.Helper()
	d := fiscal.Draft{Tipo: fiscal.TipoIngreso, Serie: "F", Folio: folio, Fecha: p.now.Add(-time.Hour), LugarExpedicion: "42501", Emisor: issuer, Receptor: client,
		Moneda: money.MXN, MetodoPago: "PPD", Lines: []fiscal.Line{{ClaveProdServ: "81112105", Cantidad: money.Int(1), ClaveUnidad: "E48", Descripcion: "Hospedaje",
			ValorUnitario: money.Must("12931.03"), IVA: fiscal.IVA16}}}
	if change != nil {
		change(&d)
	}
	c, err := fiscal.Build(d)
	if err != nil {
		p.t.Fatal(err)
	}
	return p.send(c)
}

func (p *pac) send(c *fiscal.Comprobante) *fiscal.Comprobante {
	p.t.Helper()
	sealed, err := fiscal.Seal(c, fiscaltest.CSD(p.t, c.Emisor.Rfc))
	if err != nil {
		p.t.Fatal(err)
	}
	r, err := p.Stamp(ctx, sealed, "")
	if err != nil {
		p.t.Fatal(err)
	}
	doc, err := fiscal.Parse(r.XML)
	if err != nil {
		p.t.Fatal(err)
	}
	return doc.Comprobante
}

func (p *pac) cancel(c *fiscal.Comprobante, motivo, folio string) (*fiscal.CancelResult, error) {
	return p.Cancel(ctx, fiscal.CancelRequest{RfcEmisor: issuer.Rfc, UUID: c.Timbre().UUID, Motivo: motivo, FolioSustitucion: folio, Fecha: p.now})
}

func (p *pac) status(c *fiscal.Comprobante) fiscal.Status {
	p.t.Helper()
	st, err := p.Status(ctx, fiscal.QueryOf(c))
	if err != nil {
		p.t.Fatal(err)
	}
	return *st
}

func TestRefusesProduction(t *testing.T) {
	if s, err := sandbox.New(sandbox.Config{Production: true}); !errors.Is(err, sandbox.ErrProduction) || s != nil {
		t.Error(err)
	}
}

func TestIdentity(t *testing.T) {
	id, err := one()
	if err != nil {
		t.Fatal(err)
	}
	data, err := id.PEM()
	if err != nil {
		t.Fatal(err)
	}
	again, err := sandbox.ParseIdentity(data)
	if err != nil || !again.Certificado.SameCertificate(id.Certificado) {
		t.Error(err)
	}
	if c := id.Certificado; len(c.NoCertificado) != 20 || fiscal.PersonaOf(c.Rfc) != fiscal.PersonaMoral {
		t.Errorf("%+v", c)
	}
	for _, bad := range []string{"", "x", string(id.CertificatePEM())} {
		if _, err := sandbox.ParseIdentity([]byte(bad)); err == nil {
			t.Errorf("%.20q is an identity", bad)
		}
	}
}

// TestStampOnce: 25, the same bytes twice; the same key for another document.
func TestStampOnce(t *testing.T) {
	p := newPAC(t, sandbox.Config{})
	a, b := fiscaltest.Sealed(t, "1"), fiscaltest.Sealed(t, "2")
	first, err := p.Stamp(ctx, a, "k")
	if err != nil || first.Repeated {
		t.Fatal(err)
	}
	p.now = p.now.Add(100 * time.Hour) // also when it could not be stamped any more
	again, err := p.Stamp(ctx, a, "k")
	if err != nil || !again.Repeated || string(again.XML) != string(first.XML) {
		t.Errorf("%v", err)
	}
	p.now = fiscaltest.Noon
	_, err = p.Stamp(ctx, b, "k")
	var e *fiscal.PACError
	if !errors.As(err, &e) || e.Kind != fiscal.KindRejected || e.Code != "CFDI3307" || e.Detail != first.Timbre.UUID {
		t.Error(err)
	}
	if _, err = p.Stamp(ctx, first.XML, "other"); err != nil { // a stamped document is the same one
		t.Error(err)
	}
	if p.store.Len() != 1 {
		t.Errorf("%d stamps", p.store.Len())
	}
}

// TestConcurrentStamps: many workers, one stamp per document.
func TestConcurrentStamps(t *testing.T) {
	p := newPAC(t, sandbox.Config{Credits: 3})
	docs := [][]byte{fiscaltest.Sealed(t, "1"), fiscaltest.Sealed(t, "2"), fiscaltest.Sealed(t, "3")}
	uuids := make([]sync.Map, len(docs))
	var wg sync.WaitGroup
	for i := range 48 {
		wg.Go(func() {
			n := i % len(docs)
			r, err := p.Stamp(ctx, docs[n], fmt.Sprint("key-", n))
			if err != nil {
				t.Error(err)
				return
			}
			uuids[n].Store(r.Timbre.UUID, true)
		})
	}
	wg.Wait()
	for i := range uuids {
		n := 0
		uuids[i].Range(func(any, any) bool { n++; return true })
		if n != 1 {
			t.Errorf("document %d has %d stamps", i, n)
		}
	}
	if left, _ := p.Credits(ctx, ""); p.store.Len() != len(docs) || left != 0 {
		t.Errorf("%d stamps, %d credits left", p.store.Len(), left)
	}
	if _, err := p.Stamp(ctx, fiscaltest.Sealed(t, "4"), ""); !errors.Is(err, &fiscal.PACError{Kind: fiscal.KindAuth, Code: "no_credits"}) {
		t.Errorf("without credits: %v", err)
	}
}

// TestFaults: 26. Whatever fails, a retry of the same bytes ends with one stamp.
func TestFaults(t *testing.T) {
	for name, c := range map[string]struct {
		faults []sandbox.Fault
		kinds  []fiscal.ErrorKind
		again  bool
	}{
		"lost reply":      {[]sandbox.Fault{sandbox.LostReply}, []fiscal.ErrorKind{fiscal.KindUnknown}, true},
		"three times 500": {[]sandbox.Fault{sandbox.Unavailable, sandbox.Unavailable, sandbox.Unavailable}, []fiscal.ErrorKind{fiscal.KindUnavailable, fiscal.KindUnavailable, fiscal.KindUnavailable}, false},
		"lost, then 500":  {[]sandbox.Fault{sandbox.LostReply, sandbox.Unavailable, sandbox.LostReply}, []fiscal.ErrorKind{fiscal.KindUnknown, fiscal.KindUnavailable, fiscal.KindUnknown}, true},
		"credentials":     {[]sandbox.Fault{sandbox.BadCredentials}, []fiscal.ErrorKind{fiscal.KindAuth}, false},
		"slow":            {[]sandbox.Fault{sandbox.Slow}, []fiscal.ErrorKind{fiscal.KindUnknown}, false},
	} {
		t.Run(name, func(t *testing.T) {
			n := 0
			p := newPAC(t, sandbox.Config{Fault: func([]byte) sandbox.Fault {
				if n++; n <= len(c.faults) {
					return c.faults[n-1]
				}
				return sandbox.None
			}})
			sealed := fiscaltest.Sealed(t, "1")
			for i, kind := range c.kinds {
				call, cancel := context.WithCancel(ctx)
				if c.faults[i] == sandbox.Slow {
					time.AfterFunc(50*time.Millisecond, cancel)
				}
				_, err := p.Stamp(call, sealed, "k")
				cancel()
				if fiscal.KindOf(err) != kind {
					t.Errorf("attempt %d: %v", i+1, err)
				}
			}
			r, err := p.Stamp(ctx, sealed, "k")
			if err != nil || r.Repeated != c.again || p.store.Len() != 1 {
				t.Errorf("%+v %v, %d stamps", r, err, p.store.Len())
			}
		})
	}
}

func TestRejects(t *testing.T) {
	good := string(fiscaltest.Sealed(t, "1"))
	seal := func(change func(*fiscal.Comprobante), csd *fiscal.CSD) []byte {
		doc, err := fiscal.Parse([]byte(good))
		if err != nil {
			t.Fatal(err)
		}
		change(doc.Comprobante)
		sealed, err := fiscal.Seal(doc.Comprobante, csd)
		if err != nil {
			t.Fatal(err)
		}
		return sealed
	}
	own := fiscaltest.CSD(t, issuer.Rfc)
	cer, key := fiscaltest.NewCSD(t, issuer.Rfc, true)
	fiel, err := fiscal.RestoreCSD(cer, key)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		doc  []byte
		code string
	}{
		"not XML":        {[]byte("hola"), "301"},
		"prefix":         {[]byte(strings.ReplaceAll(good, "cfdi:", "x:")), "301"},
		"seal":           {[]byte(strings.Replace(good, "Hospedaje", "Hospedajo", 1)), "CFDI40102"},
		"RFC":            {seal(func(*fiscal.Comprobante) {}, fiscaltest.CSD(t, "URE180429TM6")), "303"},
		"FIEL":           {seal(func(*fiscal.Comprobante) {}, fiel), "306"},
		"expired":        {seal(func(c *fiscal.Comprobante) { c.Fecha = "2029-01-02T00:00:00" }, own), "305"},
		"73 hours":       {seal(func(c *fiscal.Comprobante) { c.Fecha = "2026-11-17T11:00:00" }, own), "401"},
		"future":         {seal(func(c *fiscal.Comprobante) { c.Fecha = "2026-11-20T12:30:00" }, own), "401"},
		"rule":           {seal(func(c *fiscal.Comprobante) { c.Receptor.UsoCFDI = "D01" }, own), "CFDI40161"},
		"unknown node":   {[]byte(strings.Replace(good, "</cfdi:Comprobante>", `<cfdi:Nuevo/></cfdi:Comprobante>`, 1)), "301"},
		"complement":     {[]byte(strings.Replace(good, "</cfdi:Comprobante>", `<cfdi:Complemento><x:N xmlns:x="urn:x"/></cfdi:Complemento></cfdi:Comprobante>`, 1)), "301"},
		"no currency":    {seal(func(c *fiscal.Comprobante) { c.Moneda = "USD" }, own), "CFDI40115"},
		"no such regime": {seal(func(c *fiscal.Comprobante) { c.Receptor.RegimenFiscalReceptor = "999" }, own), "301"},
	} {
		p := newPAC(t, sandbox.Config{})
		if _, err := p.Stamp(ctx, c.doc, ""); !errors.Is(err, &fiscal.PACError{Kind: fiscal.KindRejected, Code: c.code}) || p.store.Len() != 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCancelWithAcceptance(t *testing.T) {
	for name, c := range map[string]struct {
		decision sandbox.Decision
		wait     time.Duration
		want     fiscal.CancelState
		estatus  string
	}{
		"accepted": {sandbox.Accepts, 0, fiscal.CancelDone, fiscal.CanceladoConAceptacion},
		"rejected": {sandbox.Rejects, 0, fiscal.CancelRejected, fiscal.CancelacionRechazada},
		"silent":   {sandbox.Silent, 0, fiscal.CancelInProcess, fiscal.CancelacionEnProceso},
		"expired":  {sandbox.Silent, 6 * 24 * time.Hour, fiscal.CancelDone, fiscal.CancelacionPlazoVencido},
	} {
		t.Run(name, func(t *testing.T) {
			p := newPAC(t, sandbox.Config{Decisions: map[string]sandbox.Decision{client.Rfc: c.decision}})
			doc := p.stamp("1", nil)
			p.now = p.now.AddDate(0, 0, 10)
			if st := p.status(doc); st.EsCancelable != fiscal.CancelableConAceptacion || st.Estado != fiscal.EstadoVigente {
				t.Errorf("%+v", st)
			}
			r, err := p.cancel(doc, "02", "")
			if err != nil || r.Code != "201" || !strings.Contains(string(r.Acuse), doc.Timbre().UUID) {
				t.Fatalf("%+v %v", r, err)
			}
			p.now = p.now.Add(c.wait)
			st := p.status(doc)
			if got := fiscal.CancelRequested.Observe(st); got != c.want || st.EstatusCancelacion != c.estatus {
				t.Errorf("%q %+v", got, st)
			}
			again, err := p.cancel(doc, "02", "")
			want := "202"
			if c.want == fiscal.CancelRejected {
				want = "201" // a rejected one may be asked for again
			}
			if err != nil || again.Code != want {
				t.Errorf("again: %+v %v", again, err)
			}
		})
	}
}

func TestCancelRules(t *testing.T) {
	p := newPAC(t, sandbox.Config{})
	small := p.stamp("1", func(d *fiscal.Draft) { d.Lines[0].ValorUnitario = money.Int(100) })
	if r, err := p.cancel(small, "03", ""); err != nil || r.Code != "201" || p.status(small).EstatusCancelacion != fiscal.CanceladoSinAceptacion {
		t.Errorf("%+v %v", r, err)
	}
	if r, err := p.cancel(small, "03", ""); err != nil || r.Code != "202" {
		t.Errorf("twice: %+v %v", r, err)
	}
	unknown := &fiscal.Comprobante{Emisor: &issuer, Receptor: &client, Complemento: &fiscal.Complemento{TimbreFiscalDigital: &fiscal.TimbreFiscalDigital{UUID: "DC55E6A9-2329-5352-8FD9-5B73CE21FF44"}}}
	if _, err := p.cancel(unknown, "02", ""); !errors.Is(err, &fiscal.PACError{Kind: fiscal.KindRejected, Code: "205"}) {
		t.Error(err)
	}
	if st := p.status(unknown); st.Estado != fiscal.EstadoNoEncontrado {
		t.Errorf("%+v", st)
	}
	invoice := p.stamp("2", nil)
	if _, err := p.Cancel(ctx, fiscal.CancelRequest{RfcEmisor: "URE180429TM6", UUID: invoice.Timbre().UUID, Motivo: "02"}); !errors.Is(err, &fiscal.PACError{Kind: fiscal.KindRejected, Code: "203"}) {
		t.Error(err)
	}
	// 30: a live REP keeps the invoice
	rep, err := fiscal.BuildPago(fiscal.PagoDraft{Serie: "P", Folio: "1", Fecha: p.now.Add(-time.Hour), LugarExpedicion: "42501", Emisor: issuer, Receptor: client,
		Pagos: []fiscal.PagoRecibido{{FechaPago: p.now.AddDate(0, 0, -1), FormaDePagoP: "03", Moneda: money.MXN, Monto: 500000, Documentos: []fiscal.DocumentoPagado{
			{UUID: invoice.Timbre().UUID, Moneda: money.MXN, NumParcialidad: 1, ImpSaldoAnt: 1499999, ImpPagado: 500000, Total: 1499999, Impuestos: fiscal.ImpuestosPorPagar(invoice)}}}}})
	if err != nil {
		t.Fatal(err)
	}
	receipt := p.send(rep)
	if _, err := p.cancel(invoice, "02", ""); !errors.Is(err, &fiscal.PACError{Kind: fiscal.KindRejected, Code: fiscal.CodeCancelNotCancellable}) {
		t.Error(err)
	}
	if st := p.status(invoice); st.EsCancelable != fiscal.NoCancelable {
		t.Errorf("%+v", st)
	}
	if _, err := p.cancel(receipt, "02", ""); err != nil {
		t.Fatal(err)
	}
	if st := p.status(receipt); st.Estado != fiscal.EstadoCancelado {
		t.Errorf("%+v", st)
	}
	// 30: motive 01 in order
	if _, err := p.cancel(invoice, "01", ""); !errors.Is(err, &fiscal.PACError{Kind: fiscal.KindRejected, Code: "cancel_replacement_missing"}) {
		t.Error(err)
	}
	loose := p.stamp("3", nil)
	if _, err := p.cancel(invoice, "01", loose.Timbre().UUID); !errors.Is(err, &fiscal.PACError{Kind: fiscal.KindRejected, Code: "cancel_replacement_unrelated"}) {
		t.Error(err)
	}
	replacement := p.stamp("4", func(d *fiscal.Draft) {
		d.Relacionados = []fiscal.CfdiRelacionados{fiscal.Relacion("04", invoice.Timbre().UUID)}
	})
	if r, err := p.cancel(invoice, "01", replacement.Timbre().UUID); err != nil || r.Code != "201" {
		t.Errorf("%+v %v", r, err)
	}
}
