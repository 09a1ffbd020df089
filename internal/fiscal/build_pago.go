package fiscal

import (
	"math/big"
	"slices"
	"strconv"
	"time"

	"github.com/nubedigitalmx/avisa/internal/money"
)

// PagoDraft is what a REP (recibo electrónico de pago) is built from. Use one per payment.
type PagoDraft struct {
	Serie, Folio    string
	Fecha           time.Time
	LugarExpedicion string
	Emisor          Emisor
	Receptor        Receptor // of the paid invoices; UsoCFDI becomes CP01
	Relacionados    []CfdiRelacionados
	Pagos           []PagoRecibido
}

// PagoRecibido is one payment received.
type PagoRecibido struct {
	FechaPago       time.Time // when it was received; written in the local time of LugarExpedicion
	FormaDePagoP    string    // c_FormaPago, not 99
	Moneda          money.Currency
	TipoCambio      money.Decimal // MXN per unit of Moneda; not used for MXN
	Monto           money.Minor   // may exceed what the documents take: the rest is the customer's credit
	NumOperacion    string
	RfcEmisorCtaOrd string
	NomBancoOrdExt  string
	CtaOrdenante    string
	RfcEmisorCtaBen string
	CtaBeneficiario string
	Documentos      []DocumentoPagado
}

// DocumentoPagado is an invoice (PPD) and what this payment pays of it.
type DocumentoPagado struct {
	UUID, Serie, Folio string
	Moneda             money.Currency
	NumParcialidad     int
	ImpSaldoAnt        money.Minor
	ImpPagado          money.Minor // in Moneda
	// Aplicado is the part of Monto that pays it, in the payment's currency. Only needed, and
	// only used, when the currencies differ: EquivalenciaDR is ImpPagado/Aplicado.
	Aplicado   money.Minor
	Total      money.Minor // of the invoice
	Acreditado money.Minor // of it, by credit notes: ImpSaldoAnt is without it
	Impuestos  []ImpuestoPorPagar
}

// ImpuestoPorPagar is a tax of a paid invoice: one row per tax, factor and rate.
type ImpuestoPorPagar struct {
	Impuesto, TipoFactor string
	TasaOCuota           Num
	Retencion            bool
	Base                 Num // in the invoice
	// BasePagada is the sum of BaseDR of earlier payments: the last payment takes the remainder.
	BasePagada Num
	// BaseAcreditada is what credit notes took away of Base.
	BaseAcreditada Num
}

// ImpuestosPorPagar lists the taxes of an issued invoice for its payments, with the bases
// rounded as in its summary.
func ImpuestosPorPagar(c *Comprobante) []ImpuestoPorPagar {
	decimals := DefaultCatalogs().Decimals(c.Moneda)
	var t tally
	for _, con := range c.Conceptos {
		if con.Impuestos == nil {
			continue
		}
		for _, x := range con.Impuestos.Traslados {
			t.traslados = add(t.traslados, taxRow{x.Impuesto, x.TipoFactor, normalTasa(x.TasaOCuota), x.Base.Rat(), x.Importe.Rat()})
		}
		for _, x := range con.Impuestos.Retenciones {
			t.retenciones = add(t.retenciones, taxRow{x.Impuesto, x.TipoFactor, normalTasa(x.TasaOCuota), x.Base.Rat(), x.Importe.Rat()})
		}
	}
	var out []ImpuestoPorPagar
	for _, r := range t.retenciones {
		out = append(out, ImpuestoPorPagar{r.impuesto, r.factor, r.tasa, true, fixed(r.base, decimals), "0", "0"})
	}
	for _, r := range t.traslados {
		out = append(out, ImpuestoPorPagar{r.impuesto, r.factor, r.tasa, false, fixed(r.base, decimals), "0", "0"})
	}
	return out
}

// ConPago returns the taxes of an invoice after a payment of it: what [BuildPago] wrote in dr is
// added to BasePagada.
func ConPago(taxes []ImpuestoPorPagar, dr DoctoRelacionado) []ImpuestoPorPagar {
	out := slices.Clone(taxes)
	if dr.ImpuestosDR == nil {
		return out
	}
	for i := range out {
		rows := dr.ImpuestosDR.TrasladosDR
		if out[i].Retencion {
			rows = dr.ImpuestosDR.RetencionesDR
		}
		for _, x := range rows {
			if x.ImpuestoDR == out[i].Impuesto && x.TipoFactorDR == out[i].TipoFactor && normalTasa(x.TasaOCuotaDR) == normalTasa(out[i].TasaOCuota) {
				out[i].BasePagada = short(sum(out[i].BasePagada.Rat(), x.BaseDR.Rat()), 2)
			}
		}
	}
	return out
}

// ConEgreso returns the taxes of an invoice after a credit note. part is how much of the note lowered what is owed: 1
// where nothing of it was paid before.
func ConEgreso(taxes []ImpuestoPorPagar, egreso *Comprobante, part *big.Rat) []ImpuestoPorPagar {
	out := slices.Clone(taxes)
	for _, credited := range ImpuestosPorPagar(egreso) {
		for i := range out {
			same := out[i].Impuesto == credited.Impuesto && out[i].TipoFactor == credited.TipoFactor && out[i].Retencion == credited.Retencion
			if same && normalTasa(out[i].TasaOCuota) == credited.TasaOCuota {
				base := round(mul(credited.Base.Rat(), part), 6, halfUp)
				out[i].BaseAcreditada = short(sum(out[i].BaseAcreditada.Rat(), base), 2)
			}
		}
	}
	return out
}

// normalTasa writes a rate with six decimals, "" when absent.
func normalTasa(n Num) Num {
	if n == "" {
		return ""
	}
	return fixed(n.Rat(), 6)
}

// BuildPago makes an unsealed REP (Pagos 2.0). Taxes: BaseDR is the document's share of the
// invoice's base, the remainder on its last payment; ImporteDR is always BaseDR by the rate.
func BuildPago(d PagoDraft) (*Comprobante, error) {
	d.Receptor.UsoCFDI = "CP01"
	c := &Comprobante{
		Version: "4.0", Serie: d.Serie, Folio: d.Folio, Fecha: FormatFecha(d.Fecha, d.LugarExpedicion),
		SubTotal: "0", Moneda: "XXX", Total: "0", TipoDeComprobante: TipoPago, Exportacion: "01",
		LugarExpedicion: d.LugarExpedicion, CfdiRelacionados: d.Relacionados, Emisor: &d.Emisor, Receptor: &d.Receptor,
		Conceptos: []Concepto{{ClaveProdServ: "84111506", Cantidad: "1", ClaveUnidad: "ACT", Descripcion: "Pago",
			ValorUnitario: "0", Importe: "0", ObjetoImp: "01"}},
	}
	pagos := &Pagos{Version: "2.0"}
	acc := newTotales()
	for i, p := range d.Pagos {
		pago, err := buildPago(p, d.LugarExpedicion, i)
		if err != nil {
			return nil, err
		}
		pagos.Pago = append(pagos.Pago, *pago)
		acc.pago(pago)
	}
	if len(pagos.Pago) == 0 {
		return nil, refuse(CodeNothingToInvoice, "", "Pagos", "No hay pagos.", "There are no payments.")
	}
	pagos.Totales = acc.totales()
	c.Complemento = &Complemento{Pagos: pagos}
	return c, nil
}

func buildPago(p PagoRecibido, lugar string, index int) (*Pago, error) {
	path := pathPago(index)
	decimals := p.Moneda.Decimals()
	pago := &Pago{
		FechaPago: FormatFecha(p.FechaPago, lugar), FormaDePagoP: p.FormaDePagoP, MonedaP: string(p.Moneda), TipoCambioP: "1",
		Monto: fixed(minor(p.Monto, decimals), decimals), NumOperacion: p.NumOperacion, RfcEmisorCtaOrd: p.RfcEmisorCtaOrd,
		NomBancoOrdExt: p.NomBancoOrdExt, CtaOrdenante: p.CtaOrdenante, RfcEmisorCtaBen: p.RfcEmisorCtaBen, CtaBeneficiario: p.CtaBeneficiario,
	}
	if p.Moneda != money.MXN {
		if p.TipoCambio.Sign() <= 0 {
			return nil, refuse("CRP20214", "CRP20214", path+"@TipoCambioP", "Falta el tipo de cambio de %s.", "The exchange rate of %s is missing.", p.Moneda)
		}
		pago.TipoCambioP = Num(p.TipoCambio.Fixed(max(2, p.TipoCambio.Decimals())))
	}
	var t tally
	for i, doc := range p.Documentos {
		dr, err := buildDocto(doc, p.Moneda, pathDocto(path, i))
		if err != nil {
			return nil, err
		}
		pago.DoctoRelacionado = append(pago.DoctoRelacionado, *dr)
		eq := dr.EquivalenciaDR.Rat()
		if dr.ImpuestosDR == nil {
			continue
		}
		for _, x := range dr.ImpuestosDR.RetencionesDR {
			t.retenciones = add(t.retenciones, taxRow{x.ImpuestoDR, "", "", quo(x.BaseDR.Rat(), eq), quo(x.ImporteDR.Rat(), eq)})
		}
		for _, x := range dr.ImpuestosDR.TrasladosDR {
			t.traslados = add(t.traslados, taxRow{x.ImpuestoDR, x.TipoFactorDR, x.TasaOCuotaDR, quo(x.BaseDR.Rat(), eq), quo(x.ImporteDR.Rat(), eq)})
		}
	}
	if len(t.traslados)+len(t.retenciones) > 0 {
		pago.ImpuestosP = &ImpuestosP{}
	}
	for _, r := range t.retenciones {
		pago.ImpuestosP.RetencionesP = append(pago.ImpuestosP.RetencionesP, ImpuestoP{ImpuestoP: r.impuesto, ImporteP: short(r.importe, decimals)})
	}
	for _, r := range t.traslados {
		x := ImpuestoP{BaseP: short(r.base, decimals), ImpuestoP: r.impuesto, TipoFactorP: r.factor}
		if r.factor != FactorExento {
			x.TasaOCuotaP, x.ImporteP = r.tasa, short(r.importe, decimals)
		}
		pago.ImpuestosP.TrasladosP = append(pago.ImpuestosP.TrasladosP, x)
	}
	return pago, nil
}

func buildDocto(doc DocumentoPagado, moneda money.Currency, path string) (*DoctoRelacionado, error) {
	decimals := doc.Moneda.Decimals()
	amount := func(m money.Minor) Num { return fixed(minor(m, decimals), decimals) }
	switch {
	case doc.ImpPagado <= 0:
		return nil, refuse("CRP20241", "CRP20241", path+"@ImpPagado", "El importe pagado debe ser mayor que cero.", "The amount paid must be above zero.")
	case doc.ImpPagado > doc.ImpSaldoAnt:
		return nil, refuse("CRP20244", "CRP20244", path+"@ImpPagado", "Se paga %[1]s de un saldo de %[2]s.", "%[1]s is paid of a balance of %[2]s.", amount(doc.ImpPagado), amount(doc.ImpSaldoAnt))
	}
	dr := &DoctoRelacionado{
		IdDocumento: doc.UUID, Serie: doc.Serie, Folio: doc.Folio, MonedaDR: string(doc.Moneda), EquivalenciaDR: "1",
		NumParcialidad: strconv.Itoa(doc.NumParcialidad), ImpSaldoAnt: amount(doc.ImpSaldoAnt), ImpPagado: amount(doc.ImpPagado),
		ImpSaldoInsoluto: amount(doc.ImpSaldoAnt - doc.ImpPagado), ObjetoImpDR: "01",
	}
	if doc.Moneda != moneda {
		if doc.Aplicado <= 0 {
			return nil, refuse("CRP20237", "CRP20237", path+"@EquivalenciaDR", "Falta el importe aplicado en la moneda del pago.", "The applied amount in the payment's currency is missing.")
		}
		eq := quo(minor(doc.ImpPagado, decimals), minor(doc.Aplicado, moneda.Decimals()))
		dr.EquivalenciaDR = equivalencia(eq)
	}
	last := doc.ImpPagado == doc.ImpSaldoAnt
	share := quo(ratInt(int64(doc.ImpPagado)), ratInt(int64(doc.Total-doc.Acreditado)))
	for _, tax := range doc.Impuestos {
		if tax.BaseAcreditada.Rat().Cmp(tax.Base.Rat()) >= 0 {
			continue // nothing of this tax is left
		}
		if dr.ImpuestosDR == nil {
			dr.ObjetoImpDR, dr.ImpuestosDR = "02", &ImpuestosDR{}
		}
		b := baseDR(tax, share, last, decimals)
		x := ImpuestoDR{BaseDR: short(b, decimals), ImpuestoDR: tax.Impuesto, TipoFactorDR: tax.TipoFactor}
		if tax.TipoFactor != FactorExento {
			x.TasaOCuotaDR = normalTasa(tax.TasaOCuota)
			places := decimals
			if x.BaseDR.Decimals() > decimals {
				places = 6
			}
			x.ImporteDR = fixed(mul(b, tax.TasaOCuota.Rat()), places)
		}
		if tax.Retencion {
			dr.ImpuestosDR.RetencionesDR = append(dr.ImpuestosDR.RetencionesDR, x)
		} else {
			dr.ImpuestosDR.TrasladosDR = append(dr.ImpuestosDR.TrasladosDR, x)
		}
	}
	return dr, nil
}

// baseDR is the part of a tax base that a payment pays: rounded to the currency, the remainder
// on the last payment. It must be above zero and leave something for later payments, so where
// cents are too coarse it has six decimals.
func baseDR(tax ImpuestoPorPagar, share *big.Rat, last bool, decimals int) *big.Rat {
	tiny := tenth(6)
	owed := diff(tax.Base.Rat(), tax.BaseAcreditada.Rat())
	left := diff(owed, tax.BasePagada.Rat())
	if last {
		if left.Cmp(tiny) < 0 {
			return tiny
		}
		return left
	}
	exact := mul(owed, share)
	b := round(exact, decimals, halfUp)
	if b.Sign() == 0 || b.Cmp(left) >= 0 {
		b = round(exact, 6, down)
	}
	if b.Cmp(left) >= 0 {
		b = round(quo(left, ratInt(2)), 6, down)
	}
	if b.Cmp(tiny) < 0 {
		return tiny
	}
	return b
}

// equivalencia writes EquivalenciaDR: 6 to 10 decimals, never just "1" between currencies
// (CRP20277: an equal value is written 1.0000000000). It is rounded up, so that what the
// document takes is never above Monto: with large amounts ten decimals are coarser than a cent.
func equivalencia(r *big.Rat) Num {
	r = round(r, 10, up)
	if r.Cmp(ratInt(1)) == 0 {
		return "1.0000000000"
	}
	for n := 6; n < 10; n++ {
		if round(r, n, halfUp).Cmp(r) == 0 {
			return fixed(r, n)
		}
	}
	return fixed(r, 10)
}

// totalesAcc sums payments in MXN for Totales.
type totalesAcc map[string]*big.Rat

func newTotales() totalesAcc { return totalesAcc{"MontoTotalPagos": new(big.Rat)} }

func (a totalesAcc) add(name string, r *big.Rat) {
	if a[name] == nil {
		a[name] = new(big.Rat)
	}
	a[name].Add(a[name], r)
}

// ivaTotals maps a written rate to the ending of its totals.
var ivaTotals = map[string]string{"0.160000": "16", "0.080000": "8", "0.000000": "0"}

func (a totalesAcc) pago(p *Pago) {
	tc := p.TipoCambioP.Rat()
	a.add("MontoTotalPagos", mul(p.Monto.Rat(), tc))
	if p.ImpuestosP == nil {
		return
	}
	for _, x := range p.ImpuestosP.RetencionesP {
		a.add("TotalRetenciones"+map[string]string{ImpuestoISR: "ISR", ImpuestoIVA: "IVA", ImpuestoIEPS: "IEPS"}[x.ImpuestoP], mul(x.ImporteP.Rat(), tc))
	}
	for _, x := range p.ImpuestosP.TrasladosP {
		if x.ImpuestoP != ImpuestoIVA {
			continue
		}
		if x.TipoFactorP == FactorExento {
			a.add("TotalTrasladosBaseIVAExento", mul(x.BaseP.Rat(), tc))
		} else if end, ok := ivaTotals[string(normalTasa(x.TasaOCuotaP))]; ok {
			a.add("TotalTrasladosBaseIVA"+end, mul(x.BaseP.Rat(), tc))
			a.add("TotalTrasladosImpuestoIVA"+end, mul(x.ImporteP.Rat(), tc))
		}
	}
}

// num is a total with two decimals, "" when it has no rows.
func (a totalesAcc) num(name string) Num {
	if a[name] == nil {
		return ""
	}
	return fixed(a[name], 2)
}

func (a totalesAcc) totales() *Totales {
	return &Totales{
		TotalRetencionesIVA: a.num("TotalRetencionesIVA"), TotalRetencionesISR: a.num("TotalRetencionesISR"), TotalRetencionesIEPS: a.num("TotalRetencionesIEPS"),
		TotalTrasladosBaseIVA16: a.num("TotalTrasladosBaseIVA16"), TotalTrasladosImpuestoIVA16: a.num("TotalTrasladosImpuestoIVA16"),
		TotalTrasladosBaseIVA8: a.num("TotalTrasladosBaseIVA8"), TotalTrasladosImpuestoIVA8: a.num("TotalTrasladosImpuestoIVA8"),
		TotalTrasladosBaseIVA0: a.num("TotalTrasladosBaseIVA0"), TotalTrasladosImpuestoIVA0: a.num("TotalTrasladosImpuestoIVA0"),
		TotalTrasladosBaseIVAExento: a.num("TotalTrasladosBaseIVAExento"), MontoTotalPagos: a.num("MontoTotalPagos"),
	}
}
