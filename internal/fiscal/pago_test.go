package fiscal_test

import (
	"errors"
	"fmt"
	"math/big"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
	"github.com/nubedigitalmx/avisa/internal/money"
)

func pagoDraft(pagos ...fiscal.PagoRecibido) fiscal.PagoDraft {
	return fiscal.PagoDraft{Serie: "P", Folio: "1", Fecha: noon.Add(-time.Hour), LugarExpedicion: lugar, Emisor: escuela, Receptor: universidad, Pagos: pagos}
}

func transfer(monto money.Minor, docs ...fiscal.DocumentoPagado) fiscal.PagoRecibido {
	return fiscal.PagoRecibido{FechaPago: noon.Add(-24 * time.Hour), FormaDePagoP: "03", Moneda: money.MXN, Monto: monto, NumOperacion: "SPEI123456", Documentos: docs}
}

// paid is the first payment of an invoice.
func paid(c *fiscal.Comprobante, amount money.Minor) fiscal.DocumentoPagado {
	total, _ := c.Total.Decimal().Minor(money.Currency(c.Moneda))
	return fiscal.DocumentoPagado{UUID: c.Timbre().UUID, Serie: c.Serie, Folio: c.Folio, Moneda: money.Currency(c.Moneda), NumParcialidad: 1,
		ImpSaldoAnt: total, ImpPagado: amount, Total: total, Impuestos: fiscal.ImpuestosPorPagar(c)}
}

// next is the following payment of the same invoice.
func next(d fiscal.DocumentoPagado, rep *fiscal.Comprobante, amount money.Minor) fiscal.DocumentoPagado {
	d.NumParcialidad++
	d.ImpSaldoAnt -= d.ImpPagado
	d.ImpPagado = amount
	d.Impuestos = fiscal.ConPago(d.Impuestos, rep.Pagos().Pago[0].DoctoRelacionado[0])
	return d
}

func (e *env) rep(name string, d fiscal.PagoDraft) *fiscal.Comprobante {
	e.t.Helper()
	c, err := fiscal.BuildPago(d)
	if err != nil {
		e.t.Fatal(err)
	}
	return e.stamp(name, c).Comprobante
}

func (e *env) ppd(name string, mutate func(*fiscal.Draft), lines ...fiscal.Line) *fiscal.Comprobante {
	e.t.Helper()
	d := draft(lines...)
	d.MetodoPago, d.FormaPago, d.Folio = "PPD", "99", name
	if mutate != nil {
		mutate(&d)
	}
	return e.stamp(name, e.build(d)).Comprobante
}

func TestPagosPartialAndFinal(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sandbox.Config{})
	invoice := e.ppd("02", nil, line("12931.03", fiscal.IVA16))
	first := paid(invoice, 500000)
	rep := e.rep("13 parcial", pagoDraft(transfer(500000, first)))
	dr := rep.Pagos().Pago[0].DoctoRelacionado[0]
	x := dr.ImpuestosDR.TrasladosDR[0]
	if x.BaseDR != "4310.35" || x.ImporteDR != "689.66" || dr.ImpSaldoInsoluto != "9999.99" || dr.NumParcialidad != "1" || rep.Pagos().Totales.MontoTotalPagos != "5000.00" {
		t.Errorf("%+v %+v", dr, x)
	}
	last := e.rep("14 final", pagoDraft(transfer(999999, next(first, rep, 999999))))
	dr = last.Pagos().Pago[0].DoctoRelacionado[0]
	x = dr.ImpuestosDR.TrasladosDR[0]
	if x.BaseDR != "8620.68" || x.ImporteDR != "1379.31" || dr.ImpSaldoInsoluto != "0.00" || dr.NumParcialidad != "2" {
		t.Errorf("%+v %+v", dr, x)
	}
	over := e.rep("28 de mas", pagoDraft(transfer(1510000, paid(invoice, 1499999))))
	if p := over.Pagos().Pago[0]; p.Monto != "15100.00" || p.DoctoRelacionado[0].ImpPagado != "14999.99" {
		t.Errorf("%+v", p)
	}
	if _, err := fiscal.BuildPago(pagoDraft(transfer(1500000, paid(invoice, 1500000)))); !errors.Is(err, &fiscal.Violation{Code: "CRP20244"}) {
		t.Errorf("more than the balance: %v", err)
	}
	e.verify(1)
}

// TestPagosAfterEgreso: a credit note reduces the balance; the last payment takes the rest of the base.
func TestPagosAfterEgreso(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sandbox.Config{})
	invoice := e.ppd("F", nil, line("1000.00", fiscal.IVA16))
	credit, err := fiscal.BuildEgreso(fiscal.Draft{Serie: "NC", Folio: "1", Fecha: noon.Add(-time.Hour), LugarExpedicion: lugar}, invoice, 23200, "Bonificación")
	if err != nil {
		t.Fatal(err)
	}
	note := e.stamp("nota", credit).Comprobante
	if note.FormaPago != "15" {
		t.Error(note.FormaPago)
	}
	d := paid(invoice, 92800)
	d.ImpSaldoAnt -= 23200
	d.Acreditado = 23200
	d.Impuestos = fiscal.ConEgreso(d.Impuestos, note, big.NewRat(1, 1))
	rep := e.rep("resto", pagoDraft(transfer(92800, d)))
	if x := rep.Pagos().Pago[0].DoctoRelacionado[0].ImpuestosDR.TrasladosDR[0]; x.BaseDR != "800.00" || x.ImporteDR != "128.00" {
		t.Errorf("%+v", x)
	}
	if !fiscal.SinValidez(rep) {
		t.Error("a sandbox stamp counts as valid")
	}
	e.verify(1)
}

func TestPagosManyDocumentsAndTaxes(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sandbox.Config{})
	a := e.ppd("A", nil, line("1499.00", fiscal.IVA16), line("500.00", fiscal.IVA0), line("250.00", fiscal.IVAExento), line("100.00", fiscal.NoObjeto))
	b := e.ppd("B", nil, line("333.33", fiscal.IVA16))
	rep := e.rep("32 dos documentos", pagoDraft(transfer(297550, paid(a, 258884), paid(b, 38666))))
	p := rep.Pagos().Pago[0]
	if len(p.DoctoRelacionado) != 2 || len(p.ImpuestosP.TrasladosP) != 3 || p.ImpuestosP.TrasladosP[0].BaseP != "1832.33" {
		t.Errorf("%+v", p.ImpuestosP)
	}
	plain := e.ppd("C", nil, line("100.00", fiscal.NoObjeto))
	rep = e.rep("sin impuestos", pagoDraft(transfer(4000, paid(plain, 4000))))
	if d := rep.Pagos().Pago[0].DoctoRelacionado[0]; d.ObjetoImpDR != "01" || d.ImpuestosDR != nil {
		t.Errorf("%+v", d)
	}
	held := e.ppd("D", func(d *fiscal.Draft) {
		d.Emisor = xochilt
		d.Retenciones = []fiscal.Retencion{{Impuesto: fiscal.ImpuestoISR, Tasa: money.Must("0.0125")}, {Impuesto: fiscal.ImpuestoIVA, Tasa: money.Must("0.106667")}}
	}, line("10000.00", fiscal.IVA16))
	d := pagoDraft(transfer(400000, paid(held, 400000)))
	d.Emisor = xochilt
	rep = e.rep("retenciones", d)
	if got := rep.Pagos().Totales; got.TotalRetencionesISR == "" || got.TotalRetencionesIVA == "" || got.TotalTrasladosBaseIVA16 == "" {
		t.Errorf("%+v", got)
	}
	many := pagoDraft(transfer(100, paid(b, 100)), transfer(200, paid(plain, 200)))
	e.rep("dos pagos", many)
	tiny := e.ppd("E", nil, line("9999.00", fiscal.IVA16), line("0.05", fiscal.IVA0))
	e.rep("un centavo", pagoDraft(transfer(1, paid(tiny, 1))))
	e.verify(2)
}

func TestPagosForeignCurrency(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sandbox.Config{})
	usd := func(d *fiscal.Draft) { d.Moneda, d.TipoCambio = money.USD, money.Must("17.2414") }
	invoice := e.ppd("USD", usd, line("1000.00", fiscal.IVA16))
	doc := paid(invoice, 116000)
	doc.Aplicado = 2000000
	rep := e.rep("34 usd en mxn", pagoDraft(transfer(2000000, doc)))
	p := rep.Pagos().Pago[0]
	if p.MonedaP != "MXN" || p.TipoCambioP != "1" || p.DoctoRelacionado[0].MonedaDR != "USD" || p.DoctoRelacionado[0].EquivalenciaDR != "0.058000" || p.DoctoRelacionado[0].ImpPagado != "1160.00" {
		t.Errorf("%+v", p)
	}
	same := transfer(116000, paid(invoice, 116000))
	same.Moneda, same.TipoCambio = money.USD, money.Must("18.1234")
	rep = e.rep("usd en usd", pagoDraft(same))
	if rep.Pagos().Totales.MontoTotalPagos != "21023.14" || rep.Pagos().Pago[0].DoctoRelacionado[0].EquivalenciaDR != "1" {
		t.Errorf("%+v", rep.Pagos().Totales)
	}
	// three odd amounts, two documents, dollars and euros
	mxn := e.ppd("MXN", nil, line("777.77", fiscal.IVA16))
	for i, applied := range []money.Minor{5001, 4999, 3333} {
		d := paid(mxn, 90221)
		d.Aplicado = applied
		other := paid(invoice, 5000)
		p := transfer(applied+5000, d, other)
		p.Moneda, p.TipoCambio = money.USD, money.Must("18.0405")
		e.rep(fmt.Sprint("mezcla ", i), pagoDraft(p))
	}
	e.verify(2)
}
