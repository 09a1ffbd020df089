package fiscal_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/fiscaltest"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// The parties of the tests are the SAT's public test taxpayers.
var (
	escuela     = fiscal.Emisor{Rfc: "EKU9003173C9", Nombre: "ESCUELA KEMPER URGATE", RegimenFiscal: "601"}
	xochilt     = fiscal.Emisor{Rfc: "CACX7605101P8", Nombre: "XOCHILT CASAS CHAVEZ", RegimenFiscal: "612"}
	universidad = fiscal.Receptor{Rfc: "URE180429TM6", Nombre: "UNIVERSIDAD ROBOTICA ESPAÑOLA", DomicilioFiscalReceptor: "86991", RegimenFiscalReceptor: "601", UsoCFDI: "G03"}

	noon = time.Date(2026, 11, 20, 18, 0, 0, 0, time.UTC) // 12:00 in central Mexico
)

const lugar = "42501"

// env is an issuer with a CSD and a sandbox PAC; now moves as the test says.
type env struct {
	t    *testing.T
	now  time.Time
	pac  *sandbox.Sandbox
	docs map[string][]byte // everything stamped, for the verifier
}

func newEnv(t *testing.T, c sandbox.Config) *env {
	t.Helper()
	e := &env{t: t, now: noon, docs: map[string][]byte{}}
	c.Now = func() time.Time { return e.now }
	if c.Identity == nil {
		c.Identity = identity(t)
	}
	pac, err := sandbox.New(c)
	if err != nil {
		t.Fatal(err)
	}
	e.pac = pac
	return e
}

var sharedIdentity = sync.OnceValues(func() (*sandbox.Identity, error) { return sandbox.NewIdentity(noon) })

func identity(t *testing.T) *sandbox.Identity {
	t.Helper()
	id, err := sharedIdentity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func testCSD(tb testing.TB, rfc string) *fiscal.CSD {
	tb.Helper()
	cer, key := fiscaltest.NewCSD(tb, rfc, false)
	csd, err := fiscal.RestoreCSD(cer, key)
	if err != nil {
		tb.Fatal(err)
	}
	return csd
}

func draft(lines ...fiscal.Line) fiscal.Draft {
	return fiscal.Draft{
		Tipo: fiscal.TipoIngreso, Serie: "F", Folio: "1", Fecha: noon.Add(-2 * time.Hour), LugarExpedicion: lugar,
		Emisor: escuela, Receptor: universidad, Moneda: money.MXN, MetodoPago: "PUE", FormaPago: "03", Lines: lines,
	}
}

func line(price string, iva fiscal.IVA) fiscal.Line {
	return fiscal.Line{ClaveProdServ: "81112105", NoIdentificacion: "HOST-EMP", Cantidad: money.Int(1), ClaveUnidad: "E48", Unidad: "Servicio",
		Descripcion: "Hospedaje web Plan Empresarial ejemplo.example", ValorUnitario: money.Must(price), IVA: iva}
}

func (e *env) build(d fiscal.Draft) *fiscal.Comprobante {
	e.t.Helper()
	c, err := fiscal.Build(d)
	if err != nil {
		e.t.Fatal(err)
	}
	return c
}

func (e *env) seal(c *fiscal.Comprobante) []byte {
	e.t.Helper()
	for _, v := range fiscal.Validate(c, fiscal.Options{Now: e.now}).Refusals() {
		e.t.Errorf("violation: %v", &v)
	}
	sealed, err := fiscal.Seal(c, testCSD(e.t, c.Emisor.Rfc))
	if err != nil {
		e.t.Fatal(err)
	}
	return sealed
}

// stamp seals and stamps, and keeps the document for the verifier.
func (e *env) stamp(name string, c *fiscal.Comprobante) *fiscal.Document {
	e.t.Helper()
	r, err := e.pac.Stamp(context.Background(), e.seal(c), name)
	if err != nil {
		e.t.Fatalf("%s: %v", name, err)
	}
	e.docs[strings.ReplaceAll(name, "/", "-")] = r.XML
	doc, err := fiscal.Parse(r.XML)
	if err != nil {
		e.t.Fatal(err)
	}
	if err := doc.VerifySello(); err != nil {
		e.t.Errorf("%s: %v", name, err)
	}
	if err := doc.VerifyTimbre(e.pac.Identity().Certificado); err != nil {
		e.t.Errorf("%s: %v", name, err)
	}
	return doc
}

// verify runs the SAT verifier over everything that was stamped.
func (e *env) verify(batches int) {
	e.t.Helper()
	fiscaltest.VerifyAll(e.t, e.docs, e.pac.Identity().CertificatePEM(), batches)
}

func wantCode(t *testing.T, vs fiscal.Violations, code string) {
	t.Helper()
	if !vs.Has(code) {
		t.Errorf("no %s in %v", code, vs)
	}
}
