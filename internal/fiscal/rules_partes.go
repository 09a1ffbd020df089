package fiscal

import "reflect"

// emisor: the regime fits the kind of taxpayer.
func (k *checker) emisor() {
	e := k.c.Emisor
	if r, ok := k.cat.Find(CatRegimenFiscal, e.RegimenFiscal, ""); ok {
		k.chk(r.Applies(PersonaOf(e.Rfc)), "CFDI40141", "Emisor@RegimenFiscal", "El régimen %s del emisor no es para %s.", "The issuer's regime %s is not for %s.", e.RegimenFiscal, e.Rfc)
	}
}

// receptor: name, regime, postal code and use of the receiver.
func (k *checker) receptor() {
	c, r := k.c, k.c.Receptor
	persona := PersonaOf(r.Rfc)
	k.chk(r.Nombre != NombrePublicoEnGeneral || r.Rfc == RfcGenericoNacional, "CFDI40146", "Receptor@Nombre",
		"PUBLICO EN GENERAL solo va con el RFC genérico XAXX010101000.", "PUBLICO EN GENERAL only goes with the generic RFC XAXX010101000.")
	if RfcGenerico(r.Rfc) {
		k.chk(r.RegimenFiscalReceptor == "616", "CFDI40159", "Receptor@RegimenFiscalReceptor", "Con RFC genérico el régimen debe ser 616 (Sin obligaciones fiscales).", "With a generic RFC the regime must be 616.")
		k.chk(r.DomicilioFiscalReceptor == c.LugarExpedicion, "CFDI40149", "Receptor@DomicilioFiscalReceptor", "Con RFC genérico el código postal debe ser el del lugar de expedición (%s).", "With a generic RFC the postal code must be that of the place of issue (%s).", c.LugarExpedicion)
	} else if e, ok := k.cat.Find(CatRegimenFiscal, r.RegimenFiscalReceptor, ""); ok {
		k.chk(e.Applies(persona), "CFDI40158", "Receptor@RegimenFiscalReceptor", "El régimen %s no corresponde al RFC %s. Use el de la Constancia de Situación Fiscal.", "Regime %s does not fit RFC %s. Use the one in the Constancia de Situación Fiscal.", r.RegimenFiscalReceptor, r.Rfc)
	}
	k.chk(k.cat.Has(CatCodigoPostal, r.DomicilioFiscalReceptor, c.Fecha), "postal_code_unknown", "Receptor@DomicilioFiscalReceptor", "El código postal %s no está en el catálogo del SAT.", "Postal code %s is not in the SAT's catalog.", r.DomicilioFiscalReceptor)
	if e, ok := k.cat.Find(CatUsoCFDI, r.UsoCFDI, ""); ok {
		k.chk(e.usable(persona, r.RegimenFiscalReceptor), "CFDI40161", "Receptor@UsoCFDI", "El uso %s no se permite para el RFC %s con régimen %s.", "Use %s is not allowed for RFC %s with regime %s.", r.UsoCFDI, r.Rfc, r.RegimenFiscalReceptor)
	}
	if c.TipoDeComprobante == TipoPago {
		k.chk(r.UsoCFDI == "CP01", "CFDI40161", "Receptor@UsoCFDI", "Un complemento de pago lleva el uso CP01.", "A payment receipt has use CP01.")
	} else {
		k.chk(r.UsoCFDI != "CP01", "uso_only_for_payments", "Receptor@UsoCFDI", "El uso CP01 es solo para complementos de pago.", "Use CP01 is only for payment receipts.")
	}
	if r.Rfc != RfcGenericoExtranjero {
		k.chk(r.ResidenciaFiscal == "", "CFDI40151", "Receptor@ResidenciaFiscal", "La residencia fiscal es solo para el RFC XEXX010101000.", "ResidenciaFiscal is only for RFC XEXX010101000.")
		k.chk(r.NumRegIdTrib == "", "CFDI40154", "Receptor@NumRegIdTrib", "NumRegIdTrib es solo para el RFC XEXX010101000.", "NumRegIdTrib is only for RFC XEXX010101000.")
		return
	}
	k.chk(r.ResidenciaFiscal != "MEX", "CFDI40152", "Receptor@ResidenciaFiscal", "La residencia fiscal de un extranjero no puede ser MEX.", "The tax residence of a foreigner cannot be MEX.")
	if r.NumRegIdTrib != "" {
		k.chk(r.ResidenciaFiscal != "", "CFDI40153", "Receptor@ResidenciaFiscal", "NumRegIdTrib necesita la residencia fiscal.", "NumRegIdTrib needs ResidenciaFiscal.")
		k.warn(k.comercioExterior(), "CFDI40155", "Receptor@NumRegIdTrib", "NumRegIdTrib es solo para documentos con complemento de comercio exterior.", "NumRegIdTrib is only for documents with the foreign trade complement.")
	}
}

func (k *checker) comercioExterior() bool {
	if k.c.Complemento == nil {
		return false
	}
	for _, n := range k.c.Complemento.Otros {
		if n.Name == "ComercioExterior" {
			return true
		}
	}
	return false
}

// CheckReceptor checks a receiver's fiscal profile by itself, before there is a document: for the
// form where the client writes it. lugar is LugarExpedicion of the issuer, for generic RFCs.
func CheckReceptor(r Receptor, lugar string, cat *Catalogs) Violations {
	if cat == nil {
		cat = DefaultCatalogs()
	}
	c := &Comprobante{TipoDeComprobante: TipoEgreso, LugarExpedicion: lugar, Receptor: &r}
	k := &checker{c: c, cat: cat}
	for _, rule := range structureRules()[name{nsCFDI, "Comprobante"}].children {
		if rule.name == "Receptor" {
			k.element(encode(reflect.ValueOf(&r).Elem(), nsCFDI, rule.name), rule, rule.name)
		}
	}
	k.receptor()
	return k.vs
}
