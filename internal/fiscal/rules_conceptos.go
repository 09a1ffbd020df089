package fiscal

import (
	"fmt"
	"slices"
)

// conceptos: amounts and taxes of each line.
func (k *checker) conceptos() {
	for i := range k.c.Conceptos {
		k.concepto(&k.c.Conceptos[i], pathConcepto(i))
	}
}

func (k *checker) concepto(x *Concepto, path string) {
	tipo := k.c.TipoDeComprobante
	if tipo == TipoIngreso || tipo == TipoEgreso || tipo == "N" {
		k.chk(x.ValorUnitario.Rat().Sign() > 0, "CFDI40166", path+"@ValorUnitario", "El valor unitario debe ser mayor que cero.", "The unit price must be above zero.")
	}
	lo, hi := productLimits(x.Cantidad.Rat(), x.Cantidad.Decimals(), x.ValorUnitario.Rat(), x.ValorUnitario.Decimals(), x.Importe.Decimals())
	importe := x.Importe.Rat()
	k.chk(lo.Cmp(importe) <= 0 && importe.Cmp(hi) <= 0, "CFDI40167", path+"@Importe", "El importe %s no es cantidad por valor unitario (entre %s y %s).", "Amount %s is not quantity by unit price (between %s and %s).", x.Importe, lo.FloatString(x.Importe.Decimals()), hi.FloatString(x.Importe.Decimals()))
	if x.Descuento != "" {
		k.chk(x.Descuento.Decimals() <= x.Importe.Decimals(), "CFDI40168", path+"@Descuento", "El descuento tiene más decimales que el importe.", "The discount has more decimals than the amount.")
		k.chk(x.Descuento.Rat().Cmp(importe) <= 0, "CFDI40169", path+"@Descuento", "El descuento es mayor que el importe.", "The discount is above the amount.")
	}
	if x.ObjetoImp == "02" {
		k.chk(x.Impuestos != nil, "CFDI40171", path+"/Impuestos", "El concepto es objeto de impuesto y no tiene impuestos.", "The line is subject to tax and has no taxes.")
	}
	if slices.Contains([]string{"01", "03", "04", "05"}, x.ObjetoImp) {
		k.chk(x.Impuestos == nil, "CFDI40172", path+"/Impuestos", "El concepto no lleva impuestos (ObjetoImp %s).", "The line must have no taxes (ObjetoImp %s).", x.ObjetoImp)
	}
	if x.Impuestos == nil {
		return
	}
	k.chk(len(x.Impuestos.Traslados)+len(x.Impuestos.Retenciones) > 0, "CFDI40173", path+"/Impuestos", "Impuestos está vacío.", "Impuestos is empty.")
	for i := range x.Impuestos.Traslados {
		k.impuestoConcepto(&x.Impuestos.Traslados[i], false, fmt.Sprintf("%s/Impuestos/Traslado[%d]", path, i+1))
	}
	for i := range x.Impuestos.Retenciones {
		k.impuestoConcepto(&x.Impuestos.Retenciones[i], true, fmt.Sprintf("%s/Impuestos/Retencion[%d]", path, i+1))
	}
}

func (k *checker) impuestoConcepto(x *Impuesto, retencion bool, path string) {
	code := func(traslado, retenido string) string {
		if retencion {
			return retenido
		}
		return traslado
	}
	k.chk(x.Base.Rat().Sign() > 0, code("CFDI40174", "CFDI40181"), path+"@Base", "La base del impuesto debe ser mayor que cero.", "The tax base must be above zero.")
	if x.TipoFactor == FactorExento {
		k.chk(!retencion, "CFDI40184", path+"@TipoFactor", "Una retención no puede ser exenta.", "A withholding cannot be exempt.")
		k.chk(x.TasaOCuota == "" && x.Importe == "", "CFDI40177", path, "Un impuesto exento no lleva tasa ni importe.", "An exempt tax has neither rate nor amount.")
		return
	}
	if x.TasaOCuota == "" || x.Importe == "" {
		k.chk(false, "CFDI40178", path, "Faltan la tasa o el importe del impuesto.", "The tax's rate or amount is missing.")
		return
	}
	k.chk(k.cat.TasaValida(x.Impuesto, x.TipoFactor, x.TasaOCuota, retencion, k.c.Fecha), code("CFDI40179", "CFDI40185"), path+"@TasaOCuota", "La tasa %s no está en el catálogo del SAT.", "Rate %s is not in the SAT's catalog.", x.TasaOCuota)
	if !retencion && x.Impuesto == "002" && same(x.TasaOCuota.Rat(), rates[IVA8].Rat()) {
		k.chk(k.cat.Frontera(k.c.LugarExpedicion, k.c.Fecha), "iva8_outside_border", path+"@TasaOCuota", "El IVA de 8 %% es solo de la región fronteriza, y el código postal de expedición %s no está en ella según el catálogo del SAT. Cambie la tasa a 16 %% o el lugar de expedición.", "IVA of 8 %% is of the border region alone, and the postal code of issue %s is not in it according to the SAT's catalog. Change the rate to 16 %% or the place of issue.", k.c.LugarExpedicion)
	}
	lo, hi := productLimits(x.Base.Rat(), x.Base.Decimals(), x.TasaOCuota.Rat(), -1, x.Importe.Decimals())
	importe := x.Importe.Rat()
	k.chk(lo.Cmp(importe) <= 0 && importe.Cmp(hi) <= 0, code("CFDI40180", "CFDI40186"), path+"@Importe", "El impuesto %s no es base por tasa (entre %s y %s).", "Tax %s is not base by rate (between %s and %s).", x.Importe, lo.FloatString(x.Importe.Decimals()), hi.FloatString(x.Importe.Decimals()))
}
