package fiscal

import (
	"math/big"
	"slices"
	"time"

	"github.com/nubedigitalmx/avisa/internal/money"
)

// IVA is how a line is taxed.
type IVA string

// Treatments of a line.
const (
	IVA16     IVA = "iva16"
	IVA8      IVA = "iva8" // border region decree
	IVA0      IVA = "iva0"
	IVAExento IVA = "exento"
	NoObjeto  IVA = "no_objeto" // ObjetoImp 01
)

var (
	rates = map[IVA]Num{IVA16: "0.160000", IVA8: "0.080000", IVA0: "0.000000"}
)

// Taxes of c_Impuesto.
const (
	ImpuestoISR  = "001"
	ImpuestoIVA  = "002"
	ImpuestoIEPS = "003"

	FactorTasa   = "Tasa"
	FactorExento = "Exento"
)

// Codes of drafts that no document can be made of.
const (
	CodeNothingToInvoice = "nothing_to_invoice" // total of zero or less
	CodeNegativeUnplaced = "negative_line_without_match"
	CodeTotalMismatch    = "total_mismatch"
	CodeLineInvalid      = "line_invalid"
)

// Draft is what an ingreso or egreso is built from.
type Draft struct {
	Tipo            string // TipoIngreso or TipoEgreso
	Serie, Folio    string
	Fecha           time.Time // written in the local time of LugarExpedicion
	LugarExpedicion string    // postal code
	Emisor          Emisor
	Receptor        Receptor
	Moneda          money.Currency
	TipoCambio      money.Decimal // MXN per unit of Moneda; not used for MXN
	MetodoPago      string        // PUE or PPD
	FormaPago       string        // "" is 99 with PPD

	CondicionesDePago string
	Relacionados      []CfdiRelacionados
	Lines             []Line
	// Retenciones are withheld of every line with ObjetoImp 02: ISR of all of them, IVA of
	// those that charge it.
	Retenciones []Retencion

	// Expect is the total that the customer was told, in minor units of Moneda. Unless it
	// is zero, Build fails with CodeTotalMismatch when its own total differs.
	Expect money.Minor
}

// Line is a line of an invoice. A negative ValorUnitario is a promotion: it becomes Descuento on
// the positive lines of the same treatment.
type Line struct {
	ClaveProdServ    string
	NoIdentificacion string
	Cantidad         money.Decimal
	ClaveUnidad      string
	Unidad           string
	Descripcion      string
	ValorUnitario    money.Decimal
	Descuento        money.Minor // of the whole line
	IVA              IVA
	TaxIncluded      bool // ValorUnitario and Descuento contain the IVA
	// Amounts, when set, are written as they are, without tax, in place of what Cantidad,
	// ValorUnitario, Descuento and TaxIncluded would give: the ledger computed them, and
	// the document must show the same cents.
	Amounts *Amounts
}

// Amounts are a line's amounts without tax, already computed: Importe is Cantidad by
// ValorUnitario within the SAT's tolerance, Descuento is at most Importe.
type Amounts struct {
	Cantidad, ValorUnitario, Importe, Descuento money.Decimal
	Retenciones                                 []Retencion // of this line, in place of the draft's
}

// Retencion is a tax that the receiver withholds.
type Retencion struct {
	Impuesto string // ImpuestoISR or ImpuestoIVA
	Tasa     money.Decimal
}

// item is a Concepto in the making, with exact amounts.
type item struct {
	c         Concepto
	iva       IVA
	importe   *big.Rat
	descuento *big.Rat
	bases     []base // more than one only in a global invoice
	withheld  []Retencion
	decimals  int // of Importe and Descuento
}

// base is what a tax is computed on.
type base struct {
	iva    IVA
	amount *big.Rat
	tax    *big.Rat // nil: rate * amount
}

func rat(d money.Decimal) *big.Rat {
	r, _ := new(big.Rat).SetString(d.String())
	return r
}

func minor(m money.Minor, decimals int) *big.Rat { return mul(ratInt(int64(m)), tenth(decimals)) }

// Build makes an unsealed ingreso or egreso: amounts by the SAT's rules (Anexo 20 guide,
// questions 37 to 41), every amount exact or rounded half up once, tax rounded once per rate.
// The result may still break rules about its parties: see [Validate].
func Build(d Draft) (*Comprobante, error) {
	decimals := d.Moneda.Decimals()
	var items, negatives []item
	for i, l := range d.Lines {
		if l.Amounts != nil {
			l.Cantidad, l.Descuento = l.Amounts.Cantidad, 0
		}
		if l.Cantidad.Sign() <= 0 || l.Descuento < 0 || l.IVA != IVAExento && l.IVA != NoObjeto && rates[l.IVA] == "" {
			return nil, refuse(CodeLineInvalid, "", pathConcepto(i), "La línea no tiene cantidad, descuento o impuesto válido.", "The line has no valid quantity, discount or tax.")
		}
		it := newItem(l, decimals)
		it.withheld = d.Retenciones
		if l.Amounts != nil {
			it.withheld = l.Amounts.Retenciones
		}
		switch it.importe.Sign() {
		case 1:
			if it.descuento.Cmp(it.importe) > 0 {
				return nil, refuse("CFDI40169", "CFDI40169", pathConcepto(i)+"@Descuento", "El descuento es mayor que el importe de la línea.", "The discount is larger than the line.")
			}
			items = append(items, it)
		case -1:
			negatives = append(negatives, it)
		}
	}
	if err := placeNegatives(items, negatives, decimals); err != nil {
		return nil, err
	}
	// a line of which nothing is left has no place: Base must be above 0 (CFDI40174)
	items = slices.DeleteFunc(items, func(it item) bool { return it.net().Sign() <= 0 })
	for i := range items {
		if items[i].iva != NoObjeto {
			items[i].bases = []base{{iva: items[i].iva, amount: items[i].net()}}
		}
	}
	return assemble(d, items)
}

func (it *item) net() *big.Rat { return diff(it.importe, it.descuento) }

func newItem(l Line, decimals int) item {
	q, v := rat(l.Cantidad), rat(l.ValorUnitario)
	it := item{iva: l.IVA, decimals: decimals, c: Concepto{
		ClaveProdServ: l.ClaveProdServ, NoIdentificacion: l.NoIdentificacion, ClaveUnidad: l.ClaveUnidad,
		Unidad: l.Unidad, Descripcion: l.Descripcion, Cantidad: Num(l.Cantidad.String()),
	}}
	if a := l.Amounts; a != nil {
		it.importe, it.descuento = rat(a.Importe), rat(a.Descuento)
		it.decimals = max(decimals, a.Importe.Decimals(), a.Descuento.Decimals())
		it.c.Cantidad = Num(a.Cantidad.String())
		it.c.ValorUnitario = Num(a.ValorUnitario.Fixed(max(decimals, a.ValorUnitario.Decimals())))
		return it
	}
	it.descuento = minor(l.Descuento, decimals)
	gross := round(mul(q, v), decimals, halfUp)
	factor := sum(ratInt(1), rates[l.IVA].Rat())
	if !l.TaxIncluded || rates[l.IVA] == "" || rates[l.IVA].Rat().Sign() == 0 {
		it.importe = gross
		it.c.ValorUnitario = Num(l.ValorUnitario.Fixed(max(decimals, l.ValorUnitario.Decimals())))
		return it
	}
	it.decimals = 6
	net := round(quo(gross, factor), 6, halfUp)
	unit := round(quo(net, q), 6, halfUp)
	it.importe = round(mul(q, unit), 6, halfUp)
	if round(mul(it.importe, factor), decimals, halfUp).Cmp(gross) != 0 {
		// so many units that the rounded unit price drifts: one unit at the line's amount
		it.c.Cantidad, unit, it.importe = "1", net, net
	}
	it.c.ValorUnitario = fixed(unit, 6)
	it.descuento = round(quo(it.descuento, factor), 6, halfUp)
	return it
}

// placeNegatives turns negative lines into Descuento of the positive lines with the same
// treatment, in proportion to what each still charges, by the largest remainder.
func placeNegatives(items, negatives []item, decimals int) error {
	for _, n := range negatives {
		places := decimals
		if n.decimals > places {
			places = n.decimals
		}
		var targets []int
		for i := range items {
			if items[i].iva == n.iva {
				targets = append(targets, i)
				places = max(places, items[i].decimals)
			}
		}
		unit := tenth(places)
		count := func(r *big.Rat) money.Minor { return money.Minor(quo(r, unit).Num().Int64()) }
		weights := make([]money.Minor, len(targets))
		var left money.Minor
		for k, i := range targets {
			weights[k] = count(items[i].net())
			left += weights[k]
		}
		amount := -count(n.importe) // Importe of a negative line
		if amount > left {
			if total(items).Cmp(new(big.Rat).Neg(total(negatives))) <= 0 {
				return nothingToInvoice()
			}
			return refuse(CodeNegativeUnplaced, "", "", "Una promoción no tiene líneas con el mismo impuesto de las cuales descontarse: «%s».", "A promotion has no lines with the same tax to be discounted from: %q.", n.c.Descripcion)
		}
		if amount == 0 {
			continue
		}
		parts, err := money.Allocate(amount, weights)
		if err != nil {
			return err
		}
		for k, i := range targets {
			items[i].descuento = sum(items[i].descuento, minor(parts[k], places))
			items[i].decimals = max(items[i].decimals, places)
		}
	}
	return nil
}

func total(items []item) *big.Rat {
	t := new(big.Rat)
	for i := range items {
		t.Add(t, items[i].net())
	}
	return t
}

func nothingToInvoice() error {
	return refuse(CodeNothingToInvoice, "", "", "No queda nada que facturar: el total es cero o menor.", "Nothing is left to invoice: the total is zero or less.")
}

// assemble writes concepts, taxes and totals.
func assemble(d Draft, items []item) (*Comprobante, error) {
	if len(items) == 0 {
		return nil, nothingToInvoice()
	}
	decimals := d.Moneda.Decimals()
	c := &Comprobante{
		Version: "4.0", Serie: d.Serie, Folio: d.Folio, Fecha: FormatFecha(d.Fecha, d.LugarExpedicion),
		FormaPago: d.FormaPago, CondicionesDePago: d.CondicionesDePago, Moneda: string(d.Moneda),
		TipoDeComprobante: d.Tipo, Exportacion: "01", MetodoPago: d.MetodoPago, LugarExpedicion: d.LugarExpedicion,
		CfdiRelacionados: d.Relacionados, Emisor: &d.Emisor, Receptor: &d.Receptor,
	}
	if c.FormaPago == "" && c.MetodoPago == "PPD" {
		c.FormaPago = "99"
	}
	if d.Moneda != money.MXN {
		if d.TipoCambio.Sign() <= 0 {
			return nil, refuse("CFDI40115", "CFDI40115", "@TipoCambio", "Falta el tipo de cambio de %s.", "The exchange rate of %s is missing.", d.Moneda)
		}
		c.TipoCambio = Num(d.TipoCambio.Fixed(max(2, d.TipoCambio.Decimals())))
	}
	var t tally
	subTotal, descuento := new(big.Rat), new(big.Rat)
	discounted := false
	for i := range items {
		it := &items[i]
		places := max(decimals, it.decimals)
		it.c.Importe = fixed(it.importe, places)
		if lo, hi := productLimits(it.c.Cantidad.Rat(), it.c.Cantidad.Decimals(), it.c.ValorUnitario.Rat(), it.c.ValorUnitario.Decimals(), places); it.importe.Cmp(lo) < 0 || it.importe.Cmp(hi) > 0 {
			// an amount in cents that a share of a promotion writes with six decimals is too
			// far from quantity by price (CFDI40167): one unit at the line's amount
			it.c.Cantidad, it.c.ValorUnitario = "1", it.c.Importe
		}
		subTotal.Add(subTotal, it.importe)
		if it.descuento.Sign() > 0 {
			discounted = true
			it.c.Descuento = fixed(it.descuento, places)
			descuento.Add(descuento, it.descuento)
		}
		it.c.ObjetoImp = "01"
		if len(it.bases) > 0 {
			it.c.ObjetoImp = "02"
			it.c.Impuestos = t.concept(it.bases, it.withheld, places)
		}
		c.Conceptos = append(c.Conceptos, it.c)
	}
	result := round(subTotal, decimals, halfUp)
	c.SubTotal = fixed(result, decimals)
	if discounted {
		off := round(descuento, decimals, halfUp)
		c.Descuento = fixed(off, decimals)
		result = diff(result, off)
	}
	var taxes *big.Rat
	c.Impuestos, taxes = t.summary(decimals)
	result = sum(result, taxes)
	if result.Sign() <= 0 {
		return nil, nothingToInvoice()
	}
	c.Total = fixed(result, decimals)
	if d.Expect != 0 && result.Cmp(minor(d.Expect, decimals)) != 0 {
		return nil, refuse(CodeTotalMismatch, "", "@Total", "El total calculado (%[1]s) no es el de la factura (%[2]s).", "The computed total (%[1]s) is not that of the invoice (%[2]s).", c.Total, fixed(minor(d.Expect, decimals), decimals))
	}
	return c, nil
}

// tally adds up the taxes of concepts by tax, factor and rate.
type tally struct{ traslados, retenciones []taxRow }

type taxRow struct {
	impuesto, factor string
	tasa             Num
	base, importe    *big.Rat
}

func add(rows []taxRow, r taxRow) []taxRow {
	for i := range rows {
		if rows[i].impuesto == r.impuesto && rows[i].factor == r.factor && rows[i].tasa == r.tasa {
			rows[i].base.Add(rows[i].base, r.base)
			rows[i].importe.Add(rows[i].importe, r.importe)
			return rows
		}
	}
	r.base, r.importe = sum(r.base, new(big.Rat)), sum(r.importe, new(big.Rat))
	return append(rows, r)
}

// concept writes the taxes of one concept; its amounts have up to six decimals.
func (t *tally) concept(bases []base, retenciones []Retencion, places int) *ImpuestosConcepto {
	out := &ImpuestosConcepto{}
	amount, charged := new(big.Rat), new(big.Rat) // of all lines, of those that charge IVA
	for _, b := range bases {
		amount.Add(amount, b.amount)
		if rates[b.iva].Rat().Sign() > 0 {
			charged.Add(charged, b.amount)
		}
		row := taxRow{impuesto: ImpuestoIVA, factor: FactorExento, base: b.amount, importe: new(big.Rat)}
		x := Impuesto{Base: fixed(b.amount, places), Impuesto: ImpuestoIVA, TipoFactor: FactorExento}
		if rate, ok := rates[b.iva]; ok {
			row.factor, row.tasa = FactorTasa, rate
			row.importe = round(mul(b.amount, rate.Rat()), 6, halfUp)
			if b.tax != nil {
				row.importe = b.tax
			}
			x.TipoFactor, x.TasaOCuota, x.Importe = FactorTasa, rate, short(row.importe, places)
		}
		t.traslados = add(t.traslados, row)
		out.Traslados = append(out.Traslados, x)
	}
	for _, r := range retenciones {
		withheld := amount
		if r.Impuesto == ImpuestoIVA {
			withheld = charged
		}
		if withheld.Sign() == 0 {
			continue
		}
		row := taxRow{impuesto: r.Impuesto, factor: FactorTasa, tasa: Num(r.Tasa.Fixed(6)), base: withheld, importe: round(mul(withheld, rat(r.Tasa)), 6, halfUp)}
		t.retenciones = add(t.retenciones, row)
		out.Retenciones = append(out.Retenciones, Impuesto{
			Base: fixed(withheld, places), Impuesto: r.Impuesto, TipoFactor: FactorTasa, TasaOCuota: row.tasa, Importe: short(row.importe, places)})
	}
	return out
}

// summary writes Comprobante/Impuestos and returns what the taxes add to the total.
func (t *tally) summary(decimals int) (*Impuestos, *big.Rat) {
	if len(t.traslados) == 0 && len(t.retenciones) == 0 {
		return nil, new(big.Rat)
	}
	out := &Impuestos{}
	up, down := new(big.Rat), new(big.Rat)
	rated := false
	for _, r := range t.traslados {
		x := Impuesto{Base: fixed(r.base, decimals), Impuesto: r.impuesto, TipoFactor: r.factor, TasaOCuota: r.tasa}
		if r.factor != FactorExento {
			rated = true
			amount := round(r.importe, decimals, halfUp)
			x.Importe = fixed(amount, decimals)
			up.Add(up, amount)
		}
		out.Traslados = append(out.Traslados, x)
	}
	if rated {
		out.TotalImpuestosTrasladados = fixed(up, decimals)
	}
	byTax := map[string]*big.Rat{}
	for _, r := range t.retenciones {
		if byTax[r.impuesto] == nil {
			byTax[r.impuesto] = new(big.Rat)
		}
		byTax[r.impuesto].Add(byTax[r.impuesto], r.importe)
	}
	for _, tax := range []string{ImpuestoISR, ImpuestoIVA, ImpuestoIEPS} {
		if byTax[tax] != nil {
			amount := round(byTax[tax], decimals, halfUp)
			down.Add(down, amount)
			out.Retenciones = append(out.Retenciones, Impuesto{Impuesto: tax, Importe: fixed(amount, decimals)})
		}
	}
	if len(out.Retenciones) > 0 {
		out.TotalImpuestosRetenidos = fixed(down, decimals)
	}
	return out, diff(up, down)
}

// short writes r with as many decimals as it needs, between places and 6.
func short(r *big.Rat, places int) Num {
	for n := min(places, 6); n < 6; n++ {
		if round(r, n, halfUp).Cmp(r) == 0 {
			return fixed(r, n)
		}
	}
	return fixed(r, 6)
}
