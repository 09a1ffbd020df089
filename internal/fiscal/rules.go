package fiscal

import (
	"fmt"
	"math/big"
	"slices"
	"strings"
	"time"
)

// Options of Validate.
type Options struct {
	// Now is compared with Fecha (401: not in the future, not older than 72 hours). The zero
	// time skips that, for documents of the past.
	Now time.Time
	// Sealed asks for Sello, NoCertificado and Certificado.
	Sealed bool
	// Catalogs in force; nil are DefaultCatalogs.
	Catalogs *Catalogs
}

// Validate holds a document against the SAT's rules: the schemas (301) and the error
// matrices of CFDI 4.0 (CFDI40xxx) and Pagos 2.0 (CRP20xxx), as far as they can be checked
// without the SAT's lists of taxpayers. Warnings are included.
func Validate(c *Comprobante, o Options) Violations {
	return validate(c, c.Node(), o)
}

// Validate is [Validate] of a document as it was read: elements and attributes that CFDI 4.0
// does not have, or has elsewhere, are violations too.
func (d *Document) Validate(o Options) Violations { return validate(d.Comprobante, d.Root, o) }

func validate(c *Comprobante, root *Node, o Options) Violations {
	k := &checker{c: c, o: o, cat: o.Catalogs}
	if k.cat == nil {
		k.cat = DefaultCatalogs()
	}
	k.structure(root)
	if c.Emisor == nil || c.Receptor == nil || len(c.Conceptos) == 0 {
		return k.vs // noted by the structure
	}
	k.decimals = k.cat.Decimals(c.Moneda)
	k.header()
	k.amounts()
	k.emisor()
	k.receptor()
	k.informacionGlobal()
	k.conceptos()
	k.impuestos()
	k.pagos()
	return k.vs
}

// checker collects violations of one document.
type checker struct {
	c        *Comprobante
	o        Options
	cat      *Catalogs
	decimals int // of Moneda
	vs       Violations
}

// chk notes a violation of a rule of the SAT unless ok.
func (k *checker) chk(ok bool, code, path, es, en string, args ...any) {
	if ok {
		return
	}
	sat := ""
	if strings.HasPrefix(code, "CFDI") || strings.HasPrefix(code, "CRP") || digits(code) {
		sat = code
	}
	k.vs = append(k.vs, *refuse(code, sat, path, es, en, args...))
}

func (k *checker) warn(ok bool, code, path, es, en string, args ...any) {
	if !ok {
		v := refuse(code, "", path, es, en, args...)
		v.Warning = true
		k.vs = append(k.vs, *v)
	}
}

func same(a, b *big.Rat) bool { return a.Cmp(b) == 0 }

func pathConcepto(i int) string { return fmt.Sprintf("Conceptos/Concepto[%d]", i+1) }

func pathPago(i int) string { return fmt.Sprintf("Complemento/Pagos/Pago[%d]", i+1) }

func pathDocto(pago string, i int) string { return fmt.Sprintf("%s/DoctoRelacionado[%d]", pago, i+1) }

// header: dates, forms of payment, currency and relations.
func (k *checker) header() {
	c := k.c
	if !k.o.Now.IsZero() {
		if fecha, err := ParseFecha(c.Fecha, c.LugarExpedicion); err == nil {
			if wrong := outsideWindow(fecha, k.o.Now); wrong != nil {
				k.vs = append(k.vs, *wrong)
			}
		}
	}
	_, err := time.Parse(FechaLayout, c.Fecha)
	k.chk(err == nil, "CFDI40101", "@Fecha", "La fecha de emisión no tiene la forma AAAA-MM-DDThh:mm:ss.", "The date of issue does not have the form YYYY-MM-DDThh:mm:ss.")
	charged := c.TipoDeComprobante == TipoIngreso || c.TipoDeComprobante == TipoEgreso
	if charged {
		k.chk(c.FormaPago != "", "forma_pago_missing", "@FormaPago", "Falta la forma de pago.", "The form of payment is missing.")
		k.chk(c.MetodoPago != "", "metodo_pago_missing", "@MetodoPago", "Falta el método de pago.", "The method of payment is missing.")
		k.chk(c.MetodoPago != "PUE" || c.FormaPago != "99", "forma_pago_99_with_pue", "@FormaPago",
			"Con PUE se debe indicar la forma de pago real, no «99 Por definir».", `With PUE the real form of payment is needed, not "99".`)
		k.warn(c.TipoDeComprobante != TipoEgreso || len(c.CfdiRelacionados) > 0, "egreso_unrelated", "CfdiRelacionados",
			"La nota de crédito no está relacionada con ninguna factura.", "The credit note is not related to any invoice.")
	} else {
		k.chk(c.FormaPago == "" || c.TipoDeComprobante == "N", "CFDI40103", "@FormaPago", "Este tipo de comprobante no lleva forma de pago.", "This type of document has no form of payment.")
	}
	k.chk(c.MetodoPago != "PPD" || c.FormaPago == "99", "CFDI40105", "@FormaPago", "Con PPD la forma de pago debe ser «99 Por definir».", `With PPD the form of payment must be "99".`)
	if c.TipoDeComprobante == "T" || c.TipoDeComprobante == TipoPago {
		k.chk(c.MetodoPago == "", "CFDI40125", "@MetodoPago", "Este tipo de comprobante no lleva método de pago.", "This type of document has no method of payment.")
	}
	switch c.Moneda {
	case "MXN":
		k.chk(c.TipoCambio == "" || same(c.TipoCambio.Rat(), ratInt(1)), "CFDI40114", "@TipoCambio", "Con MXN el tipo de cambio debe ser 1.", "With MXN the exchange rate must be 1.")
	case "XXX":
		k.chk(c.TipoCambio == "", "CFDI40116", "@TipoCambio", "Con XXX no debe haber tipo de cambio.", "With XXX there must be no exchange rate.")
	default:
		k.chk(c.TipoCambio != "", "CFDI40115", "@TipoCambio", "Falta el tipo de cambio de %s.", "The exchange rate of %s is missing.", c.Moneda)
	}
	for i, r := range c.CfdiRelacionados {
		k.chk(len(r.CfdiRelacionado) > 0, "related_missing", fmt.Sprintf("CfdiRelacionados[%d]", i+1), "Falta el folio fiscal relacionado.", "The related folio fiscal is missing.")
	}
}

// amounts: SubTotal, Descuento and Total are exact sums rounded to the currency.
func (k *checker) amounts() {
	c := k.c
	k.chk(c.SubTotal.Decimals() <= k.decimals, "CFDI40107", "@SubTotal", "SubTotal tiene más decimales que %s.", "SubTotal has more decimals than %s.", c.Moneda)
	subTotal, descuento, discounted := new(big.Rat), new(big.Rat), false
	for _, x := range c.Conceptos {
		subTotal.Add(subTotal, x.Importe.Rat())
		descuento.Add(descuento, x.Descuento.Rat())
		discounted = discounted || x.Descuento != ""
	}
	if c.TipoDeComprobante == "T" || c.TipoDeComprobante == TipoPago {
		k.chk(c.SubTotal.Rat().Sign() == 0, "CFDI40109", "@SubTotal", "SubTotal debe ser 0.", "SubTotal must be 0.")
	} else {
		want := round(subTotal, k.decimals, halfUp)
		k.chk(same(c.SubTotal.Rat(), want), "CFDI40108", "@SubTotal", "SubTotal es %s y la suma de importes es %s.", "SubTotal is %s and the sum of amounts is %s.", c.SubTotal, want.FloatString(k.decimals))
	}
	if discounted {
		want := round(descuento, k.decimals, halfUp)
		k.chk(c.Descuento != "" && same(c.Descuento.Rat(), want), "CFDI40111", "@Descuento", "Descuento es «%s» y la suma de descuentos es %s.", "Descuento is %q and the sum of discounts is %s.", c.Descuento, want.FloatString(k.decimals))
	} else {
		k.chk(c.Descuento == "", "CFDI40111", "@Descuento", "Hay Descuento sin que lo tenga ningún concepto.", "There is a Descuento although no concept has one.")
	}
	k.chk(c.Descuento.Decimals() <= k.decimals, "CFDI40112", "@Descuento", "Descuento tiene más decimales que %s.", "Descuento has more decimals than %s.", c.Moneda)
	k.chk(c.Descuento.Rat().Cmp(c.SubTotal.Rat()) <= 0, "CFDI40110", "@Descuento", "Descuento es mayor que SubTotal.", "Descuento is above SubTotal.")

	want := diff(c.SubTotal.Rat(), c.Descuento.Rat())
	if c.Impuestos != nil {
		want = diff(sum(want, c.Impuestos.TotalImpuestosTrasladados.Rat()), c.Impuestos.TotalImpuestosRetenidos.Rat())
	}
	want = sum(want, k.impuestosLocales())
	k.chk(same(c.Total.Rat(), want) && c.Total.Decimals() <= k.decimals, "CFDI40119", "@Total", "Total es %s y debería ser %s.", "Total is %s and should be %s.", c.Total, want.FloatString(k.decimals))
}

// impuestosLocales is what the complement of local taxes adds to the total.
func (k *checker) impuestosLocales() *big.Rat {
	t := new(big.Rat)
	if k.c.Complemento == nil {
		return t
	}
	for _, n := range k.c.Complemento.Otros {
		if n.Space == "http://www.sat.gob.mx/implocal" && n.Name == "ImpuestosLocales" {
			up, _ := n.Attr("TotaldeTraslados")
			down, _ := n.Attr("TotaldeRetenciones")
			t = diff(sum(t, Num(up).Rat()), Num(down).Rat())
		}
	}
	return t
}

// informacionGlobal: the period of a global invoice.
func (k *checker) informacionGlobal() {
	c, g := k.c, k.c.InformacionGlobal
	if g == nil {
		global := c.TipoDeComprobante == TipoIngreso && c.Receptor.Rfc == RfcGenericoNacional && c.Receptor.Nombre == NombrePublicoEnGeneral
		k.chk(!global, "CFDI40130", "InformacionGlobal", "Una factura a PUBLICO EN GENERAL debe llevar el periodo (InformacionGlobal).", "An invoice to PUBLICO EN GENERAL must carry its period (InformacionGlobal).")
		return
	}
	bimonthly := slices.Contains([]string{"13", "14", "15", "16", "17", "18"}, g.Meses)
	if g.Periodicidad == "05" {
		k.chk(c.Emisor.RegimenFiscal == "621", "CFDI40132", "InformacionGlobal@Periodicidad", "La periodicidad bimestral es solo para el régimen 621.", "Two-monthly periods are only for regime 621.")
		k.chk(bimonthly, "CFDI40135", "InformacionGlobal@Meses", "Con periodicidad bimestral, Meses debe ser de 13 a 18.", "With two-monthly periods, Meses must be 13 to 18.")
	} else {
		k.chk(!bimonthly, "CFDI40134", "InformacionGlobal@Meses", "Meses 13 a 18 es solo para periodicidad bimestral.", "Meses 13 to 18 is only for two-monthly periods.")
	}
	if len(c.Fecha) >= 4 {
		year, año := Num(c.Fecha[:4]).Rat(), Num(g.Año).Rat()
		k.chk(año.Cmp(year) <= 0 && año.Cmp(diff(year, ratInt(5))) >= 0, "CFDI40136", "InformacionGlobal@Año", "El año debe ser el actual o uno de los cinco anteriores.", "The year must be the current one or one of the five before.")
	}
}
