package billing

import (
	"cmp"
	"slices"

	"github.com/nubedigitalmx/avisa/internal/money"
)

var unit = money.Int(1)

// maxDrift is how far Cantidad by ValorUnitario may be from the net of a line with tax
// included. Up to it, a document of fifteen such lines at one rate keeps its gross to the
// cent: the net of whole cents is never nearer than 0.00017 to half a cent (1/58 of a cent).
var maxDrift = money.Must("0.00001")

// line computes one Concepto.
func (c *calculator) line(l working) LineTotals {
	out := LineTotals{ObjetoImp: l.Treatment.ObjetoImp(), Absorbed: l.absorbed}
	if l.absorbed {
		return out
	}
	out.Cantidad, out.ValorUnitario = l.Quantity, l.UnitPrice
	out.Importe, out.Descuento = c.decimal(l.amount), c.decimal(l.discount)
	rate := l.Treatment.Rate()
	if l.PriceIncludesTax && !rate.IsZero() {
		c.net(&out, l, rate)
	}
	out.Base = c.sub(out.Importe, out.Descuento)
	if l.Treatment == NoObjeto || out.Base.IsZero() {
		return out
	}
	iva := TaxRow{Impuesto: ImpuestoIVA, TipoFactor: TipoFactorTasa, TasaOCuota: rate, Base: out.Base, Importe: c.mul(out.Base, rate)}
	if l.Treatment == Exento {
		iva.TipoFactor = TipoFactorExento
	}
	out.Traslados = []TaxRow{iva}
	for _, w := range []struct {
		impuesto string
		rate     money.Decimal
	}{{ImpuestoISR, l.RetencionISR}, {ImpuestoIVA, l.RetencionIVA}} {
		if !w.rate.IsZero() {
			out.Retenciones = append(out.Retenciones, TaxRow{w.impuesto, TipoFactorTasa, w.rate, out.Base, c.mul(out.Base, w.rate)})
		}
	}
	return out
}

// net takes the tax out of a line whose price includes it. Descuento is kept in whole
// cents, so that SubTotal less Descuento rounds like the base alone.
func (c *calculator) net(out *LineTotals, l working, rate money.Decimal) {
	factor := c.add(unit, rate)
	rest := c.decimal(l.amount - l.discount)
	discount := c.decimal(c.minor(c.div(out.Descuento, factor)))
	importe := c.add(c.div(rest, factor), discount)
	price := c.div(importe, l.Quantity)
	written := c.mul(l.Quantity, price)
	out.Descuento = discount
	drift := c.sub(written, importe)
	if drift.Cmp(maxDrift) > 0 || drift.Neg().Cmp(maxDrift) > 0 || rest.IsZero() {
		out.Cantidad, out.ValorUnitario, out.Importe = unit, importe, importe
		return
	}
	out.ValorUnitario, out.Importe = price, written
}

// summarize adds the lines up and rounds each sum once.
func (c *calculator) summarize(t *Totals) {
	type key struct {
		impuesto, factor string
		rate             money.Decimal
	}
	var subtotal, discount money.Decimal
	collect := func(rowsOf func(LineTotals) []TaxRow) []SummaryRow {
		sums := map[key]TaxRow{}
		for _, l := range t.Lines {
			for _, r := range rowsOf(l) {
				k := key{r.Impuesto, r.TipoFactor, r.TasaOCuota}
				sum := sums[k]
				sum.Base, sum.Importe = c.add(sum.Base, r.Base), c.add(sum.Importe, r.Importe)
				sums[k] = sum
			}
		}
		var rows []SummaryRow
		for k, sum := range sums {
			rows = append(rows, SummaryRow{k.impuesto, k.factor, k.rate, c.minor(sum.Base), c.minor(sum.Importe)})
		}
		slices.SortFunc(rows, func(a, b SummaryRow) int { // highest rate first, Exento last
			return cmp.Or(cmp.Compare(a.Impuesto, b.Impuesto), -cmp.Compare(a.TipoFactor, b.TipoFactor), -a.TasaOCuota.Cmp(b.TasaOCuota))
		})
		return rows
	}
	for _, l := range t.Lines {
		subtotal, discount = c.add(subtotal, l.Importe), c.add(discount, l.Descuento)
		t.HasDescuento = t.HasDescuento || !l.Descuento.IsZero()
	}
	t.SubTotal, t.Descuento = c.minor(subtotal), c.minor(discount)
	t.Traslados = collect(func(l LineTotals) []TaxRow { return l.Traslados })
	t.Retenciones = collect(func(l LineTotals) []TaxRow { return l.Retenciones })
	for _, r := range t.Traslados {
		t.TotalTraslados = c.sum(t.TotalTraslados, r.Importe)
		t.HasTraslados = t.HasTraslados || r.TipoFactor == TipoFactorTasa
	}
	for _, r := range t.Retenciones {
		t.TotalRetenciones = c.sum(t.TotalRetenciones, r.Importe)
	}
	t.Total = c.sum(t.SubTotal, -t.Descuento, t.TotalTraslados, -t.TotalRetenciones)
}
