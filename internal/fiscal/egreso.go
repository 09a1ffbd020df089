package fiscal

import (
	"math/big"
	"slices"

	"github.com/nubedigitalmx/avisa/internal/money"
)

// BuildEgreso makes a credit note of an amount (with taxes, minor units) against an issued
// ingreso: its taxes in the same proportion as there, relation 01, to the same receiver. d gives
// series, dates and FormaPago (the origin's by default); what it leaves empty comes from the
// origin. reason becomes Descripcion.
func BuildEgreso(d Draft, origin *Comprobante, amount money.Minor, reason string) (*Comprobante, error) {
	d, err := ofOrigin(d, origin)
	if err != nil {
		return nil, err
	}
	decimals := d.Moneda.Decimals()
	want, full := minor(amount, decimals), origin.Total.Rat()
	if amount <= 0 || want.Cmp(full) > 0 {
		return nil, refuse("egreso_amount_invalid", "", "@Total", "La nota de crédito debe ser mayor que cero y no mayor que la factura.", "The credit note must be above zero and not above the invoice.")
	}
	groups := creditGroups(origin)
	share := quo(want, full)
	nets := make([]*big.Rat, len(groups))
	// rounding may leave the total a cent off: the largest group takes it. Where no amount
	// in cents gives that total, the net has six decimals.
	for places := decimals; ; places = 6 {
		for i, g := range groups {
			nets[i] = round(mul(g.base, share), places, halfUp)
		}
		var c *Comprobante
		for range 4 {
			if c, err = assemble(d, creditItems(groups, nets, places, reason)); err != nil {
				return nil, err
			}
			off := diff(want, c.Total.Rat())
			if off.Sign() == 0 {
				return c, nil
			}
			big := 0
			for i := range nets {
				if nets[i].Cmp(nets[big]) > 0 {
					big = i
				}
			}
			step := round(quo(off, groups[big].factor), places, halfUp)
			if nets[big] = sum(nets[big], step); nets[big].Sign() <= 0 {
				break
			}
		}
		if places == 6 {
			return c, nil // with withholdings a cent may have no solution
		}
	}
}

// ofOrigin fills in what a credit note has in common with the ingreso that it credits.
func ofOrigin(d Draft, origin *Comprobante) (Draft, error) {
	t := origin.Timbre()
	if t == nil {
		return d, ErrNotStamped
	}
	d.Tipo, d.MetodoPago, d.Moneda = TipoEgreso, "PUE", money.Currency(origin.Moneda)
	if d.Emisor.Rfc == "" {
		d.Emisor = *origin.Emisor
	}
	d.Receptor = *origin.Receptor
	d.Receptor.UsoCFDI = "S01"
	g02, _ := DefaultCatalogs().Find(CatUsoCFDI, "G02", "")
	if !RfcGenerico(d.Receptor.Rfc) && g02.usable(PersonaOf(d.Receptor.Rfc), d.Receptor.RegimenFiscalReceptor) {
		d.Receptor.UsoCFDI = "G02"
	}
	if RfcGenerico(d.Receptor.Rfc) {
		d.Receptor.DomicilioFiscalReceptor = d.LugarExpedicion
	}
	if d.FormaPago == "" {
		d.FormaPago = origin.FormaPago
		if d.FormaPago == "99" {
			d.FormaPago = "15" // nothing was paid yet: the debt is forgiven (c_FormaPago 15, Condonación)
		}
	}
	if d.TipoCambio.IsZero() {
		d.TipoCambio = origin.TipoCambio.Decimal()
	}
	if len(d.Relacionados) == 0 {
		d.Relacionados = []CfdiRelacionados{Relacion("01", t.UUID)}
	}
	return d, nil
}

// creditGroup is the part of an invoice with one treatment and the same withholdings.
type creditGroup struct {
	iva      IVA
	withheld []Retencion
	base     *big.Rat
	factor   *big.Rat // of the total to the base: 1 + IVA - withholdings
}

func creditGroups(origin *Comprobante) []creditGroup {
	var groups []creditGroup
	for _, con := range origin.Conceptos {
		if con.Impuestos == nil {
			groups = addGroup(groups, NoObjeto, nil, diff(con.Importe.Rat(), con.Descuento.Rat()))
			continue
		}
		var withheld []Retencion
		for _, r := range con.Impuestos.Retenciones {
			withheld = append(withheld, Retencion{Impuesto: r.Impuesto, Tasa: r.TasaOCuota.Decimal()})
		}
		for _, x := range con.Impuestos.Traslados {
			groups = addGroup(groups, ivaOf(x), withheld, x.Base.Rat())
		}
	}
	for i := range groups {
		rate := rates[groups[i].iva].Rat()
		groups[i].factor = sum(ratInt(1), rate)
		for _, r := range groups[i].withheld {
			groups[i].factor = diff(groups[i].factor, rat(r.Tasa))
		}
	}
	return groups
}

func addGroup(groups []creditGroup, iva IVA, withheld []Retencion, amount *big.Rat) []creditGroup {
	for i := range groups {
		if groups[i].iva == iva && slices.Equal(groups[i].withheld, withheld) {
			groups[i].base = sum(groups[i].base, amount)
			return groups
		}
	}
	return append(groups, creditGroup{iva: iva, withheld: withheld, base: amount})
}

func ivaOf(x Impuesto) IVA {
	if x.TipoFactor == FactorExento {
		return IVAExento
	}
	for iva, rate := range rates {
		if rate.Rat().Cmp(x.TasaOCuota.Rat()) == 0 {
			return iva
		}
	}
	return IVA16
}

func creditItems(groups []creditGroup, nets []*big.Rat, places int, reason string) []item {
	var items []item
	for i, g := range groups {
		if nets[i].Sign() <= 0 {
			continue
		}
		it := item{iva: g.iva, withheld: g.withheld, importe: nets[i], descuento: new(big.Rat), decimals: places, c: Concepto{
			ClaveProdServ: "84111506", Cantidad: "1", ClaveUnidad: "ACT", Descripcion: reason, ValorUnitario: fixed(nets[i], places)}}
		if g.iva != NoObjeto {
			it.bases = []base{{iva: g.iva, amount: nets[i]}}
		}
		items = append(items, it)
	}
	return items
}
