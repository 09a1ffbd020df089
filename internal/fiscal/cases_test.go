package fiscal_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// totals are the amounts of an ingreso or egreso that a case fixes.
type totals struct {
	subTotal, descuento, iva, ret, total fiscal.Num
}

// ingresos are the cases of the filling guide with their amounts: all of them are stamped and
// held against the verifier.
var ingresos = []struct {
	name  string
	draft func() fiscal.Draft
	want  totals
}{
	{"01 iva 16", func() fiscal.Draft { return draft(line("1499.00", fiscal.IVA16), line("349.00", fiscal.IVA16)) },
		totals{subTotal: "1848.00", iva: "295.68", total: "2143.68"}},
	{"02 ppd", func() fiscal.Draft {
		d := draft(line("12931.03", fiscal.IVA16))
		d.MetodoPago, d.FormaPago = "PPD", ""
		return d
	}, totals{subTotal: "12931.03", iva: "2068.96", total: "14999.99"}},
	{"03 descuento", func() fiscal.Draft {
		l := line("1499.00", fiscal.IVA16)
		l.Descuento = 29980
		return draft(l, line("349.00", fiscal.IVA16))
	}, totals{subTotal: "1848.00", descuento: "299.80", iva: "247.71", total: "1795.91"}},
	{"04 retenciones", func() fiscal.Draft {
		d := draft(line("10000.00", fiscal.IVA16))
		d.Emisor = xochilt
		d.Retenciones = []fiscal.Retencion{{Impuesto: fiscal.ImpuestoISR, Tasa: money.Must("0.1")}, {Impuesto: fiscal.ImpuestoIVA, Tasa: money.Must("0.106667")}}
		return d
	}, totals{subTotal: "10000.00", iva: "1600.00", ret: "2066.67", total: "9533.33"}},
	{"05 iva 8", func() fiscal.Draft { return draft(line("1499.00", fiscal.IVA8)) },
		totals{subTotal: "1499.00", iva: "119.92", total: "1618.92"}},
	{"06 tasas", func() fiscal.Draft {
		return draft(line("1499.00", fiscal.IVA16), line("500.00", fiscal.IVA0), line("250.00", fiscal.IVAExento), line("100.00", fiscal.NoObjeto))
	}, totals{subTotal: "2349.00", iva: "239.84", total: "2588.84"}},
	{"07 iva incluido", func() fiscal.Draft {
		a, b := line("100.00", fiscal.IVA16), line("0.99", fiscal.IVA16)
		b.Cantidad = money.Int(3)
		a.TaxIncluded, b.TaxIncluded = true, true
		return draft(a, b)
	}, totals{subTotal: "88.77", iva: "14.20", total: "102.97"}},
	{"09 extranjero", func() fiscal.Draft {
		d := draft(line("49.99", fiscal.IVA16))
		d.Receptor, d.Moneda, d.TipoCambio = fiscal.Extranjero("ACME HOSTING LLC", "USA", lugar), money.USD, money.Must("18.4521")
		return d
	}, totals{subTotal: "49.99", iva: "8.00", total: "57.99"}},
	{"11 redondeo", func() fiscal.Draft {
		var lines []fiscal.Line
		for range 7 {
			lines = append(lines, line("33.33", fiscal.IVA16))
		}
		return draft(lines...)
	}, totals{subTotal: "233.31", iva: "37.33", total: "270.64"}},
	{"12 proporcional", func() fiscal.Draft {
		l := line("899.00", fiscal.IVA16)
		l.Cantidad = money.Must("0.566667")
		return draft(l)
	}, totals{subTotal: "509.43", iva: "81.51", total: "590.94"}},
	{"29 promocion", func() fiscal.Draft {
		return draft(line("300.00", fiscal.IVA16), line("100.00", fiscal.IVA16), line("-200.00", fiscal.IVA16))
	}, totals{subTotal: "400.00", descuento: "200.00", iva: "32.00", total: "232.00"}},
	{"21 caracteres", func() fiscal.Draft {
		d := draft(line("10.00", fiscal.IVA16))
		d.Emisor = fiscal.Emisor{Rfc: "H&E951128469", Nombre: "HERRERIA & ELECTRICOS", RegimenFiscal: "601"}
		d.Receptor.Nombre = `PÉREZ & HIJOS "Ñ"`
		d.Lines[0].Descripcion = "Nombre <b>'x'</b> & \"y\""
		return d
	}, totals{subTotal: "10.00", iva: "1.60", total: "11.60"}},
	{"20 espacios", func() fiscal.Draft {
		d := draft(line("10.00", fiscal.IVA16))
		d.Lines[0].Descripcion = "  Plan\tEmpresarial  \r\n anual "
		return d
	}, totals{subTotal: "10.00", iva: "1.60", total: "11.60"}},
}

func TestIngresos(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sandbox.Config{})
	for _, c := range ingresos {
		doc := e.stamp(c.name, e.build(c.draft())).Comprobante
		got := totals{subTotal: doc.SubTotal, descuento: doc.Descuento, total: doc.Total}
		if doc.Impuestos != nil {
			got.iva, got.ret = doc.Impuestos.TotalImpuestosTrasladados, doc.Impuestos.TotalImpuestosRetenidos
		}
		if got != c.want {
			t.Errorf("%s: %+v, want %+v", c.name, got, c.want)
		}
	}
	e.verify(2)
}

func TestIngresoDetails(t *testing.T) {
	e := newEnv(t, sandbox.Config{})
	t.Run("02 FormaPago 99", func(t *testing.T) {
		if c := e.build(ingresos[1].draft()); c.FormaPago != "99" {
			t.Error(c.FormaPago)
		}
	})
	t.Run("04 withholdings by tax", func(t *testing.T) {
		r := e.build(ingresos[3].draft()).Impuestos.Retenciones
		if len(r) != 2 || r[0].Importe != "1000.00" || r[1].Importe != "1066.67" {
			t.Errorf("%+v", r)
		}
	})
	t.Run("06 rows", func(t *testing.T) {
		c := e.build(ingresos[5].draft())
		rows := c.Impuestos.Traslados
		if len(rows) != 3 || rows[0].Base != "1499.00" || rows[1].Base != "500.00" || rows[1].Importe != "0.00" ||
			rows[2].Base != "250.00" || rows[2].Importe != "" || rows[2].TipoFactor != "Exento" || c.Conceptos[3].ObjetoImp != "01" {
			t.Errorf("%+v", rows)
		}
	})
	t.Run("29 discounts", func(t *testing.T) {
		c := e.build(ingresos[10].draft())
		if c.Conceptos[0].Descuento != "150.00" || c.Conceptos[1].Descuento != "50.00" || len(c.Conceptos) != 2 {
			t.Errorf("%+v", c.Conceptos)
		}
	})
	t.Run("29 nothing left", func(t *testing.T) {
		d := draft(line("300.00", fiscal.IVA16), line("100.00", fiscal.IVA16), line("-400.00", fiscal.IVA16))
		if _, err := fiscal.Build(d); !errors.Is(err, &fiscal.Violation{Code: fiscal.CodeNothingToInvoice}) {
			t.Error(err)
		}
		d.Lines[2].ValorUnitario = money.Must("-500.00")
		if _, err := fiscal.Build(d); !errors.Is(err, &fiscal.Violation{Code: fiscal.CodeNothingToInvoice}) {
			t.Error(err)
		}
	})
	t.Run("promotion of another tax", func(t *testing.T) {
		_, err := fiscal.Build(draft(line("300.00", fiscal.IVA16), line("-100.00", fiscal.IVA0)))
		if !errors.Is(err, &fiscal.Violation{Code: fiscal.CodeNegativeUnplaced}) {
			t.Error(err)
		}
	})
	t.Run("07 many units", func(t *testing.T) {
		l := line("0.99", fiscal.IVA16)
		l.Cantidad, l.TaxIncluded = money.Int(100_000), true
		c := e.build(draft(l))
		if c.Total != "99000.00" {
			t.Error(c.Total)
		}
	})
	t.Run("04 withholdings of lines without IVA", func(t *testing.T) {
		d := ingresos[3].draft()
		d.Lines = append(d.Lines, line("500.00", fiscal.IVA0), line("300.00", fiscal.IVAExento), line("200.00", fiscal.NoObjeto))
		c := e.build(d)
		if r := c.Impuestos.Retenciones; r[0].Importe != "1080.00" || r[1].Importe != "1066.67" || len(c.Conceptos[1].Impuestos.Retenciones) != 1 {
			t.Errorf("%+v", r)
		}
		e.seal(c)
	})
	t.Run("amounts of the ledger", func(t *testing.T) {
		l := line("0", fiscal.IVA16)
		l.Amounts = &fiscal.Amounts{Cantidad: money.Int(3), ValorUnitario: money.Must("0.853448"), Importe: money.Must("2.560344"), Descuento: money.Must("0.10")}
		c := e.build(draft(l))
		x := c.Conceptos[0]
		if x.Cantidad != "3" || x.ValorUnitario != "0.853448" || x.Importe != "2.560344" || x.Descuento != "0.100000" || x.Impuestos.Traslados[0].Base != "2.460344" ||
			c.SubTotal != "2.56" || c.Descuento != "0.10" || c.Total != "2.85" {
			t.Errorf("%+v", c)
		}
		e.seal(c)
	})
	t.Run("expected total", func(t *testing.T) {
		d := ingresos[0].draft()
		d.Expect = 214367
		if _, err := fiscal.Build(d); !errors.Is(err, &fiscal.Violation{Code: fiscal.CodeTotalMismatch}) {
			t.Error(err)
		}
		d.Expect = 214368
		e.build(d)
	})
	t.Run("33 in words", func(t *testing.T) {
		c := e.build(ingresos[0].draft())
		amount, err := c.Total.Decimal().Minor(money.MXN)
		if err != nil {
			t.Fatal(err)
		}
		if got := money.InWords(amount, money.MXN, "es"); !strings.Contains(got, "DOS MIL CIENTO CUARENTA Y TRES PESOS 68/100") {
			t.Error(got)
		}
	})
}

func TestGlobal(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sandbox.Config{})
	e.now = time.Date(2026, 11, 1, 18, 0, 0, 0, time.UTC)
	d := draft()
	d.Serie, d.Fecha = "G", e.now.Add(-time.Hour)
	period := fiscal.Periodo("04", time.Date(2026, 10, 31, 0, 0, 0, 0, time.UTC))
	receipts := []fiscal.Receipt{
		{Number: "R-1", FormaPago: "01", Bases: []fiscal.ReceiptBase{{IVA: fiscal.IVA16, Base: 8621, Tax: 1379}}},
		{Number: "R-2", FormaPago: "04", Bases: []fiscal.ReceiptBase{{IVA: fiscal.IVA16, Base: 129224, Tax: 20676}}},
	}
	c, err := fiscal.BuildGlobal(d, period, receipts)
	if err != nil {
		t.Fatal(err)
	}
	doc := e.stamp("08 global", c).Comprobante
	if doc.SubTotal != "1378.45" || doc.Impuestos.TotalImpuestosTrasladados != "220.55" || doc.Total != "1599.00" || doc.FormaPago != "04" ||
		*doc.InformacionGlobal != (fiscal.InformacionGlobal{Periodicidad: "04", Meses: "10", Año: "2026"}) ||
		doc.Receptor.Rfc != fiscal.RfcGenericoNacional || doc.Receptor.RegimenFiscalReceptor != "616" || doc.Receptor.DomicilioFiscalReceptor != lugar {
		t.Errorf("%+v", doc)
	}
	// receipts with several treatments
	mixed := []fiscal.Receipt{{Number: "R-3", FormaPago: "01", Bases: []fiscal.ReceiptBase{
		{IVA: fiscal.IVA16, Base: 33333, Tax: 5333}, {IVA: fiscal.IVAExento, Base: 100}, {IVA: fiscal.NoObjeto, Base: 250}}}}
	if c, err = fiscal.BuildGlobal(d, period, mixed); err != nil {
		t.Fatal(err)
	}
	if doc = e.stamp("08 mixed", c).Comprobante; doc.Total != "390.16" {
		t.Error(doc.Total)
	}
	e.verify(1)
}

func TestPeriodo(t *testing.T) {
	for month, want := range map[time.Month]string{1: "13", 2: "13", 3: "14", 12: "18"} {
		if got := fiscal.Periodo("05", time.Date(2026, month, 1, 0, 0, 0, 0, time.UTC)); got.Meses != want {
			t.Errorf("%v: %s, want %s", month, got.Meses, want)
		}
	}
}

func TestEgreso(t *testing.T) {
	t.Parallel()
	e := newEnv(t, sandbox.Config{})
	origin := e.stamp("01 origen", e.build(ingresos[0].draft())).Comprobante
	d := fiscal.Draft{Serie: "NC", Folio: "1", Fecha: noon.Add(-time.Hour), LugarExpedicion: lugar}
	c, err := fiscal.BuildEgreso(d, origin, 58000, "Bonificación por interrupción")
	if err != nil {
		t.Fatal(err)
	}
	doc := e.stamp("10 egreso", c).Comprobante
	if doc.SubTotal != "500.00" || doc.Total != "580.00" || doc.Impuestos.TotalImpuestosTrasladados != "80.00" || doc.Receptor.UsoCFDI != "G02" ||
		doc.Relacionados("01")[0] != origin.Timbre().UUID || doc.FormaPago != "03" {
		t.Errorf("%+v", doc)
	}
	mixed := e.stamp("06 origen", e.build(ingresos[5].draft())).Comprobante
	for _, amount := range []money.Minor{1, 2, 99, 12345, 100000, 258883, 258884} {
		c, err := fiscal.BuildEgreso(d, mixed, amount, "Devolución")
		if err != nil {
			t.Fatalf("%d: %v", amount, err)
		}
		if got, _ := c.Total.Decimal().Minor(money.MXN); got != amount {
			t.Errorf("credit of %d: total %s", amount, c.Total)
		}
		e.stamp("10 mixed "+string(c.Total), c)
	}
	// one line withheld, one not: as the ledger computes lines
	a, b := line("0", fiscal.IVA16), line("0", fiscal.IVA16)
	a.Amounts = &fiscal.Amounts{Cantidad: money.Int(1), ValorUnitario: money.Int(1000), Importe: money.Int(1000),
		Retenciones: []fiscal.Retencion{{Impuesto: fiscal.ImpuestoISR, Tasa: money.Must("0.1")}}}
	b.Amounts = &fiscal.Amounts{Cantidad: money.Int(1), ValorUnitario: money.Int(500), Importe: money.Int(500)}
	part := draft(a, b)
	part.Emisor = xochilt
	partly := e.stamp("04 una linea", e.build(part)).Comprobante
	if partly.Total != "1640.00" || partly.Impuestos.TotalImpuestosRetenidos != "100.00" {
		t.Errorf("%+v", partly)
	}
	if c, err = fiscal.BuildEgreso(d, partly, 82000, "Bonificación"); err != nil || c.Total != "820.00" || c.Impuestos.TotalImpuestosRetenidos != "50.00" {
		t.Errorf("%v %+v", err, c)
	}
	e.stamp("10 una linea", c)
	if _, err := fiscal.BuildEgreso(d, mixed, 258885, "x"); err == nil {
		t.Error("a credit above the invoice was built")
	}
	held := e.stamp("04 origen", e.build(ingresos[3].draft())).Comprobante
	if c, err = fiscal.BuildEgreso(d, held, 476667, "Bonificación"); err != nil || c.Total != "4766.67" {
		t.Errorf("%v %s", err, c.Total)
	}
	e.stamp("10 retenciones", c)
	e.verify(2)
}
