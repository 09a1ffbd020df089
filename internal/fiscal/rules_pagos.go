package fiscal

import (
	"fmt"
	"math/big"
	"slices"
)

// pagos: the fixed envelope of a REP, each payment, its documents and the totals.
func (k *checker) pagos() {
	p := k.c.Pagos()
	if k.c.TipoDeComprobante != TipoPago {
		k.chk(p == nil, "pagos_only_in_type_p", "Complemento/Pagos", "El complemento de pagos solo va en comprobantes de tipo P.", "The payments complement only goes in documents of type P.")
		return
	}
	k.sobre()
	if p == nil || len(p.Pago) == 0 || p.Totales == nil {
		k.chk(false, "CRP20101", "Complemento/Pagos", "Falta el complemento de pagos.", "The payments complement is missing.")
		return
	}
	acc := newTotales()
	for i := range p.Pago {
		k.pago(&p.Pago[i], pathPago(i))
		acc.pago(&p.Pago[i])
	}
	k.totales(p.Totales, acc)
}

// sobre checks what every document of type P has, and has not (CRP20102 to CRP20123).
func (k *checker) sobre() {
	c := k.c
	is := func(got, want, code, path string) {
		k.chk(got == want, code, path, "En un complemento de pago debe ser «%[1]s».", "In a payment receipt it must be %[1]q.", want)
	}
	is(c.Exportacion, "01", "CRP20102", "@Exportacion")
	is(string(c.SubTotal), "0", "CRP20103", "@SubTotal")
	is(c.Moneda, "XXX", "CRP20104", "@Moneda")
	is(c.FormaPago, "", "CRP20105", "@FormaPago")
	is(c.MetodoPago, "", "CRP20106", "@MetodoPago")
	is(c.CondicionesDePago, "", "CRP20107", "@CondicionesDePago")
	is(string(c.Descuento), "", "CRP20108", "@Descuento")
	is(string(c.TipoCambio), "", "CRP20109", "@TipoCambio")
	is(string(c.Total), "0", "CRP20110", "@Total")
	k.chk(len(c.Conceptos) == 1, "CRP20111", "Conceptos", "Un complemento de pago lleva un solo concepto.", "A payment receipt has one line only.")
	x, path := c.Conceptos[0], pathConcepto(0)
	k.chk(len(x.Parte)+len(x.InformacionAduanera)+len(x.CuentaPredial) == 0 && x.ACuentaTerceros == nil, "CRP20112", path, "El concepto de un pago no lleva otros nodos.", "The line of a payment has no other nodes.")
	is(x.ClaveProdServ, "84111506", "CRP20113", path+"@ClaveProdServ")
	is(x.NoIdentificacion, "", "CRP20114", path+"@NoIdentificacion")
	is(string(x.Cantidad), "1", "CRP20115", path+"@Cantidad")
	is(x.ClaveUnidad, "ACT", "CRP20116", path+"@ClaveUnidad")
	is(x.Unidad, "", "CRP20117", path+"@Unidad")
	is(x.Descripcion, "Pago", "CRP20118", path+"@Descripcion")
	is(string(x.ValorUnitario), "0", "CRP20119", path+"@ValorUnitario")
	is(string(x.Importe), "0", "CRP20120", path+"@Importe")
	is(string(x.Descuento), "", "CRP20121", path+"@Descuento")
	is(x.ObjetoImp, "01", "CRP20122", path+"@ObjetoImp")
	k.chk(x.Impuestos == nil, "CRP20123", path+"/Impuestos", "El concepto de un pago no lleva impuestos.", "The line of a payment has no taxes.")
}

func (k *checker) pago(p *Pago, path string) {
	decimals := k.cat.Decimals(p.MonedaP)
	k.chk(p.FormaDePagoP != "99", "CRP20212", path+"@FormaDePagoP", "La forma de pago no puede ser «99 Por definir».", `The form of payment cannot be "99".`)
	k.chk(p.MonedaP != "XXX", "CRP20213", path+"@MonedaP", "La moneda del pago no puede ser XXX.", "The currency of the payment cannot be XXX.")
	k.chk(p.TipoCambioP != "", "CRP20214", path+"@TipoCambioP", "Falta el tipo de cambio del pago.", "The exchange rate of the payment is missing.")
	if p.MonedaP == "MXN" {
		k.chk(p.TipoCambioP == "1", "CRP20215", path+"@TipoCambioP", "Con MXN el tipo de cambio debe ser «1».", `With MXN the exchange rate must be "1".`)
	}
	monto := p.Monto.Rat()
	k.chk(monto.Sign() > 0, "CRP20218", path+"@Monto", "El monto debe ser mayor que cero.", "The amount must be above zero.")
	k.chk(p.Monto.Decimals() <= decimals, "CRP20219", path+"@Monto", "El monto tiene demasiados decimales.", "The amount has too many decimals.")
	bank := slices.Contains([]string{"02", "03", "04", "05", "06", "28", "29"}, p.FormaDePagoP)
	bankField := func(value string, allowed bool, code, name string) {
		k.chk(value == "" || allowed, code, path+"@"+name, "La forma de pago %s no permite %s.", "Form of payment %s does not allow %s.", p.FormaDePagoP, name)
	}
	bankField(p.RfcEmisorCtaOrd, bank, "CRP20221", "RfcEmisorCtaOrd")
	bankField(p.CtaOrdenante, bank, "CRP20224", "CtaOrdenante")
	bankField(p.RfcEmisorCtaBen, bank && p.FormaDePagoP != "06", "CRP20227", "RfcEmisorCtaBen")
	bankField(p.CtaBeneficiario, bank && p.FormaDePagoP != "06", "CRP20228", "CtaBeneficiario")
	bankField(p.TipoCadPago, p.FormaDePagoP == "03", "CRP20229", "TipoCadPago")
	if len(p.DoctoRelacionado) == 0 {
		k.fail301("node_missing", path+"/DoctoRelacionado", "Faltan los documentos pagados.", "The paid documents are missing.")
		return
	}
	var t tally
	s := &aplicado{total: new(big.Rat), low: new(big.Rat), high: new(big.Rat), same: true}
	for i := range p.DoctoRelacionado {
		k.docto(p, &p.DoctoRelacionado[i], pathDocto(path, i), decimals, s, &t)
	}
	if s.same {
		k.chk(s.total.Cmp(monto) <= 0, "CRP20217", path+"@Monto", "Los pagos a documentos suman %s y el monto es %s.", "Payments to documents add up to %s and the amount is %s.", s.total.FloatString(decimals), p.Monto)
	} else if s.total.Cmp(monto) > 0 {
		k.chk(s.low.Cmp(monto) <= 0 && monto.Cmp(s.high) <= 0, "CRP20276", path+"@Monto", "El monto %s no está entre %s y %s según las equivalencias.", "Amount %s is not between %s and %s by the exchange rates.", p.Monto, s.low.FloatString(decimals), s.high.FloatString(decimals))
	}
	k.impuestosP(p, &t, s, path)
}

// aplicado is what a payment's documents take of it, in its currency.
type aplicado struct {
	total, low, high *big.Rat
	same             bool // all documents in the currency of the payment
}

func (k *checker) docto(p *Pago, d *DoctoRelacionado, path string, decimals int, s *aplicado, t *tally) {
	places := k.cat.Decimals(d.MonedaDR)
	k.chk(d.MonedaDR != "XXX", "CRP20236", path+"@MonedaDR", "La moneda del documento no puede ser XXX.", "The currency of the document cannot be XXX.")
	if d.MonedaDR == p.MonedaP {
		k.chk(d.EquivalenciaDR != "" && same(d.EquivalenciaDR.Rat(), ratInt(1)), "CRP20238", path+"@EquivalenciaDR", "En la misma moneda la equivalencia debe ser 1.", "In the same currency EquivalenciaDR must be 1.")
	} else {
		s.same = false
		k.chk(d.EquivalenciaDR.Rat().Sign() > 0, "CRP20237", path+"@EquivalenciaDR", "Falta la equivalencia entre monedas.", "EquivalenciaDR is missing.")
		k.chk(!same(d.EquivalenciaDR.Rat(), ratInt(1)) || d.EquivalenciaDR.Decimals() == 10, "CRP20277", path+"@EquivalenciaDR", "Entre monedas distintas una equivalencia de 1 se escribe 1.0000000000.", "Between currencies an EquivalenciaDR of 1 is written 1.0000000000.")
	}
	before, paid, after := d.ImpSaldoAnt.Rat(), d.ImpPagado.Rat(), d.ImpSaldoInsoluto.Rat()
	k.chk(before.Sign() > 0, "CRP20239", path+"@ImpSaldoAnt", "El saldo anterior debe ser mayor que cero.", "The balance before must be above zero.")
	k.chk(paid.Sign() > 0, "CRP20241", path+"@ImpPagado", "El importe pagado debe ser mayor que cero.", "The amount paid must be above zero.")
	for _, x := range []struct {
		code, name string
		value      Num
	}{{"CRP20240", "ImpSaldoAnt", d.ImpSaldoAnt}, {"CRP20242", "ImpPagado", d.ImpPagado}, {"CRP20243", "ImpSaldoInsoluto", d.ImpSaldoInsoluto}} {
		k.chk(x.value.Decimals() <= places, x.code, path+"@"+x.name, "%s tiene demasiados decimales.", "%s has too many decimals.", x.name)
	}
	rest := diff(before, paid)
	k.chk(rest.Sign() >= 0 && same(after, rest), "CRP20244", path+"@ImpSaldoInsoluto", "El saldo insoluto es %s y debería ser %s.", "The remaining balance is %s and should be %s.", d.ImpSaldoInsoluto, rest.FloatString(places))
	eq := d.EquivalenciaDR.Rat()
	if eq.Sign() == 0 {
		eq = ratInt(1)
	}
	s.total = sum(s.total, quo(paid, eq))
	if d.MonedaDR == p.MonedaP {
		s.low, s.high = sum(s.low, paid), sum(s.high, paid)
	} else {
		low, high := limitesDR(d, eq, decimals)
		k.chk(low.Cmp(p.Monto.Rat()) <= 0 || quo(paid, eq).Cmp(p.Monto.Rat()) <= 0, "CRP20275", path+"@ImpPagado", "Lo pagado equivale a más que el monto del pago.", "What was paid is worth more than the payment.")
		s.low, s.high = sum(s.low, low), sum(s.high, high)
	}
	if d.ObjetoImpDR == "02" {
		k.chk(d.ImpuestosDR != nil, "CRP20246", path+"/ImpuestosDR", "Faltan los impuestos del documento.", "The taxes of the document are missing.")
	}
	if slices.Contains([]string{"01", "03", "04", "05"}, d.ObjetoImpDR) {
		k.chk(d.ImpuestosDR == nil, "CRP20247", path+"/ImpuestosDR", "El documento no lleva impuestos (ObjetoImpDR %s).", "The document must have no taxes (ObjetoImpDR %s).", d.ObjetoImpDR)
	}
	if d.ImpuestosDR == nil {
		return
	}
	k.chk(len(d.ImpuestosDR.TrasladosDR)+len(d.ImpuestosDR.RetencionesDR) > 0, "CRP20248", path+"/ImpuestosDR", "ImpuestosDR está vacío.", "ImpuestosDR is empty.")
	for i := range d.ImpuestosDR.TrasladosDR {
		x := &d.ImpuestosDR.TrasladosDR[i]
		k.impuestoDR(x, false, fmt.Sprintf("%s/TrasladoDR[%d]", path, i+1))
		t.traslados = add(t.traslados, taxRow{x.ImpuestoDR, x.TipoFactorDR, normalTasa(x.TasaOCuotaDR), quo(x.BaseDR.Rat(), eq), quo(x.ImporteDR.Rat(), eq)})
	}
	for i := range d.ImpuestosDR.RetencionesDR {
		x := &d.ImpuestosDR.RetencionesDR[i]
		k.impuestoDR(x, true, fmt.Sprintf("%s/RetencionDR[%d]", path, i+1))
		t.retenciones = add(t.retenciones, taxRow{impuesto: x.ImpuestoDR, base: quo(x.BaseDR.Rat(), eq), importe: quo(x.ImporteDR.Rat(), eq)})
	}
}

// limitesDR are the SAT's limits of ImpPagado in the currency of the payment: below
// truncated, above rounded.
func limitesDR(d *DoctoRelacionado, eq *big.Rat, decimals int) (low, high *big.Rat) {
	half := big.NewRat(1, 2)
	tiny := tenth(10)
	paid := d.ImpPagado.Rat()
	hp, he := mul(tenth(d.ImpPagado.Decimals()), half), mul(tenth(equivalenciaDecimals(d.EquivalenciaDR)), half)
	low = round(quo(diff(paid, hp), diff(sum(eq, he), tiny)), decimals, down)
	high = round(quo(diff(sum(paid, hp), tiny), diff(eq, he)), decimals, halfUp)
	return low, high
}

func equivalenciaDecimals(n Num) int {
	if same(n.Rat(), ratInt(1)) {
		return 10
	}
	return n.Decimals()
}

func (k *checker) impuestoDR(x *ImpuestoDR, retencion bool, path string) {
	if x.TipoFactorDR == FactorExento {
		k.chk(!retencion, "CRP20252", path+"@TipoFactorDR", "Una retención no puede ser exenta.", "A withholding cannot be exempt.")
		k.chk(x.TasaOCuotaDR == "" && x.ImporteDR == "", "CRP20258", path, "Un impuesto exento no lleva tasa ni importe.", "An exempt tax has neither rate nor amount.")
		return
	}
	if x.TasaOCuotaDR == "" || x.ImporteDR == "" {
		k.chk(false, "CRP20259", path, "Faltan la tasa o el importe del impuesto.", "The tax's rate or amount is missing.")
		return
	}
	code := "CRP20261"
	if retencion {
		code = "CRP20254"
	}
	lo, hi := productLimits(x.BaseDR.Rat(), x.BaseDR.Decimals(), x.TasaOCuotaDR.Rat(), -1, x.ImporteDR.Decimals())
	importe := x.ImporteDR.Rat()
	k.chk(lo.Cmp(importe) <= 0 && importe.Cmp(hi) <= 0, code, path+"@ImporteDR", "El impuesto %s no es base por tasa (entre %s y %s).", "Tax %s is not base by rate (between %s and %s).", x.ImporteDR, lo.FloatString(x.ImporteDR.Decimals()), hi.FloatString(x.ImporteDR.Decimals()))
}

// impuestosP: the taxes of a payment are the sums of its documents; between currencies with a
// millionth of tolerance per document.
func (k *checker) impuestosP(p *Pago, want *tally, s *aplicado, path string) {
	got := p.ImpuestosP
	if got == nil {
		got = &ImpuestosP{}
	}
	tolerance := new(big.Rat)
	if !s.same {
		tolerance = mul(tenth(6), ratInt(int64(len(p.DoctoRelacionado))))
	}
	near := func(a, b *big.Rat) bool { return new(big.Rat).Abs(diff(a, b)).Cmp(tolerance) <= 0 }
	type key struct {
		impuesto, factor string
		tasa             Num
	}
	seen := map[key]bool{}
	for _, x := range got.TrasladosP {
		id := key{x.ImpuestoP, x.TipoFactorP, normalTasa(x.TasaOCuotaP)}
		at := path + "/TrasladoP[" + x.ImpuestoP + " " + string(id.tasa) + "]"
		k.chk(!seen[id], "CRP20271", at, "El impuesto se repite.", "The tax is repeated.")
		seen[id] = true
		base, importe := new(big.Rat), new(big.Rat)
		for _, w := range want.traslados {
			if (key{w.impuesto, w.factor, w.tasa}) == id {
				base, importe = w.base, w.importe
			}
		}
		k.chk(near(x.BaseP.Rat(), base), "CRP20268", at+"@BaseP", "La base es %s y la suma de los documentos es %s.", "The base is %s and the sum of the documents is %s.", x.BaseP, base.FloatString(6))
		if x.TipoFactorP != FactorExento {
			k.chk(near(x.ImporteP.Rat(), importe), "CRP20274", at+"@ImporteP", "El impuesto es %s y la suma de los documentos es %s.", "The tax is %s and the sum of the documents is %s.", x.ImporteP, importe.FloatString(6))
		}
	}
	for _, w := range want.traslados {
		k.chk(seen[key{w.impuesto, w.factor, w.tasa}], "CRP20268", path+"/TrasladosP", "Falta el impuesto %s %s en el pago.", "Tax %s %s is missing in the payment.", w.impuesto, w.tasa)
	}
	held := map[string]bool{}
	for _, x := range got.RetencionesP {
		at := path + "/RetencionP[" + x.ImpuestoP + "]"
		k.chk(!held[x.ImpuestoP], "CRP20263", at, "La retención se repite.", "The withholding is repeated.")
		held[x.ImpuestoP] = true
		importe := new(big.Rat)
		for _, w := range want.retenciones {
			if w.impuesto == x.ImpuestoP {
				importe = w.importe
			}
		}
		k.chk(near(x.ImporteP.Rat(), importe), "CRP20265", at+"@ImporteP", "La retención es %s y la suma de los documentos es %s.", "The withholding is %s and the sum of the documents is %s.", x.ImporteP, importe.FloatString(6))
	}
	for _, w := range want.retenciones {
		k.chk(held[w.impuesto], "CRP20265", path+"/RetencionesP", "Falta la retención del impuesto %s en el pago.", "The withholding of tax %s is missing in the payment.", w.impuesto)
	}
}

// totales: each total is the sum of its rows in MXN, and exists exactly when they do.
func (k *checker) totales(t *Totales, acc totalesAcc) {
	for _, x := range []struct {
		code, name string
		got        Num
	}{
		{"CRP20201", "TotalRetencionesIVA", t.TotalRetencionesIVA},
		{"CRP20202", "TotalRetencionesISR", t.TotalRetencionesISR},
		{"CRP20203", "TotalRetencionesIEPS", t.TotalRetencionesIEPS},
		{"CRP20204", "TotalTrasladosBaseIVA16", t.TotalTrasladosBaseIVA16},
		{"CRP20205", "TotalTrasladosImpuestoIVA16", t.TotalTrasladosImpuestoIVA16},
		{"CRP20206", "TotalTrasladosBaseIVA8", t.TotalTrasladosBaseIVA8},
		{"CRP20207", "TotalTrasladosImpuestoIVA8", t.TotalTrasladosImpuestoIVA8},
		{"CRP20208", "TotalTrasladosBaseIVA0", t.TotalTrasladosBaseIVA0},
		{"CRP20209", "TotalTrasladosImpuestoIVA0", t.TotalTrasladosImpuestoIVA0},
		{"CRP20210", "TotalTrasladosBaseIVAExento", t.TotalTrasladosBaseIVAExento},
		{"CRP20211", "MontoTotalPagos", t.MontoTotalPagos},
	} {
		want := acc.num(x.name)
		k.chk((x.got == "") == (want == "") && same(x.got.Rat(), want.Rat()), x.code, "Complemento/Pagos/Totales@"+x.name,
			"%s es «%s» y debería ser «%s».", "%s is %q and should be %q.", x.name, x.got, want)
	}
}
