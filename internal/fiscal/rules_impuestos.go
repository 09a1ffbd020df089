package fiscal

import (
	"math/big"
)

// impuestos: the summary has one row per tax, factor and rate, each the rounded sum of the
// concepts.
func (k *checker) impuestos() {
	c := k.c
	if c.TipoDeComprobante == "T" || c.TipoDeComprobante == TipoPago {
		k.chk(c.Impuestos == nil, "CFDI40201", "Impuestos", "Este tipo de comprobante no lleva impuestos.", "This type of document has no taxes.")
		return
	}
	var t tally
	for _, x := range c.Conceptos {
		if x.Impuestos == nil {
			continue
		}
		for _, i := range x.Impuestos.Traslados {
			t.traslados = add(t.traslados, taxRow{i.Impuesto, i.TipoFactor, normalTasa(i.TasaOCuota), i.Base.Rat(), i.Importe.Rat()})
		}
		for _, i := range x.Impuestos.Retenciones {
			t.retenciones = add(t.retenciones, taxRow{impuesto: i.Impuesto, base: i.Base.Rat(), importe: i.Importe.Rat()})
		}
	}
	if c.Impuestos == nil {
		k.chk(len(t.traslados)+len(t.retenciones) == 0, "CFDI40212", "Impuestos", "Falta el resumen de impuestos.", "The summary of taxes is missing.")
		return
	}
	k.retenciones(t.retenciones)
	k.traslados(t.traslados)
}

func (k *checker) retenciones(want []taxRow) {
	i := k.c.Impuestos
	k.chk(i.TotalImpuestosRetenidos.Decimals() <= k.decimals, "CFDI40202", "Impuestos@TotalImpuestosRetenidos", "El total de retenciones tiene demasiados decimales.", "The total of withholdings has too many decimals.")
	k.chk(len(i.Retenciones) == 0 || i.TotalImpuestosRetenidos != "", "CFDI40206", "Impuestos@TotalImpuestosRetenidos", "Falta el total de retenciones.", "The total of withholdings is missing.")
	total, seen := new(big.Rat), map[string]bool{}
	for _, x := range i.Retenciones {
		path := "Impuestos/Retencion[" + x.Impuesto + "]"
		total.Add(total, x.Importe.Rat())
		k.chk(!seen[x.Impuesto], "CFDI40208", path, "El impuesto %s se repite en las retenciones.", "Tax %s is repeated in the withholdings.", x.Impuesto)
		seen[x.Impuesto] = true
		k.chk(x.Importe.Decimals() <= k.decimals, "CFDI40210", path+"@Importe", "La retención tiene demasiados decimales.", "The withholding has too many decimals.")
		sum := new(big.Rat)
		for _, w := range want {
			if w.impuesto == x.Impuesto {
				sum = round(w.importe, k.decimals, halfUp)
			}
		}
		k.chk(same(x.Importe.Rat(), sum), "CFDI40211", path+"@Importe", "La retención es %s y la suma de los conceptos es %s.", "The withholding is %s and the sum of the lines is %s.", x.Importe, sum.FloatString(k.decimals))
	}
	for _, w := range want {
		k.chk(seen[w.impuesto], "CFDI40211", "Impuestos/Retenciones", "Falta la retención del impuesto %s en el resumen.", "The withholding of tax %s is missing in the summary.", w.impuesto)
	}
	if len(i.Retenciones) > 0 || i.TotalImpuestosRetenidos != "" {
		k.chk(same(i.TotalImpuestosRetenidos.Rat(), total), "CFDI40203", "Impuestos@TotalImpuestosRetenidos", "El total de retenciones no es la suma.", "The total of withholdings is not the sum.")
	}
}

func (k *checker) traslados(want []taxRow) {
	i := k.c.Impuestos
	k.chk(i.TotalImpuestosTrasladados.Decimals() <= k.decimals, "CFDI40204", "Impuestos@TotalImpuestosTrasladados", "El total de traslados tiene demasiados decimales.", "The total of taxes has too many decimals.")
	type key struct {
		impuesto, factor string
		tasa             Num
	}
	total, rated, seen := new(big.Rat), false, map[key]bool{}
	for _, x := range i.Traslados {
		id := key{x.Impuesto, x.TipoFactor, normalTasa(x.TasaOCuota)}
		path := "Impuestos/Traslado[" + x.Impuesto + " " + x.TipoFactor + " " + string(id.tasa) + "]"
		k.chk(!seen[id], "CFDI40218", path, "El impuesto se repite en los traslados.", "The tax is repeated in the summary.")
		seen[id] = true
		base, importe := new(big.Rat), new(big.Rat)
		for _, w := range want {
			if (key{w.impuesto, w.factor, w.tasa}) == id {
				base, importe = round(w.base, k.decimals, halfUp), round(w.importe, k.decimals, halfUp)
			}
		}
		k.chk(x.Base.Decimals() <= k.decimals, "CFDI40214", path+"@Base", "La base tiene demasiados decimales.", "The base has too many decimals.")
		k.chk(same(x.Base.Rat(), base), "CFDI40215", path+"@Base", "La base es %s y la suma de los conceptos es %s.", "The base is %s and the sum of the lines is %s.", x.Base, base.FloatString(k.decimals))
		if x.TipoFactor == FactorExento {
			continue
		}
		rated = true
		total.Add(total, x.Importe.Rat())
		k.chk(x.Importe.Decimals() <= k.decimals, "CFDI40220", path+"@Importe", "El impuesto tiene demasiados decimales.", "The tax has too many decimals.")
		k.chk(x.Importe != "" && same(x.Importe.Rat(), importe), "CFDI40221", path+"@Importe", "El impuesto es %s y la suma de los conceptos es %s.", "The tax is %s and the sum of the lines is %s.", x.Importe, importe.FloatString(k.decimals))
	}
	for _, w := range want {
		k.chk(seen[key{w.impuesto, w.factor, w.tasa}], "CFDI40221", "Impuestos/Traslados", "Falta el impuesto %s %s en el resumen.", "Tax %s %s is missing in the summary.", w.impuesto, w.tasa)
	}
	k.chk(!rated || i.TotalImpuestosTrasladados != "", "CFDI40212", "Impuestos@TotalImpuestosTrasladados", "Falta el total de impuestos trasladados.", "The total of taxes is missing.")
	k.chk(same(i.TotalImpuestosTrasladados.Rat(), total), "CFDI40205", "Impuestos@TotalImpuestosTrasladados", "El total de impuestos trasladados no es la suma.", "The total of taxes is not the sum.")
}
