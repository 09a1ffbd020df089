package fiscal

// SinRfc is the receiver of an individual sale to a Mexican customer without RFC: XAXX with
// the customer's own name. lugar is LugarExpedicion, which DomicilioFiscalReceptor must equal.
func SinRfc(nombre, lugar string) Receptor {
	return Receptor{Rfc: RfcGenericoNacional, Nombre: nombre, DomicilioFiscalReceptor: lugar, RegimenFiscalReceptor: "616", UsoCFDI: "S01"}
}

// PublicoEnGeneral is the receiver of a global invoice.
func PublicoEnGeneral(lugar string) Receptor { return SinRfc(NombrePublicoEnGeneral, lugar) }

// Extranjero is a receiver abroad: pais is ISO 3166-1 alpha-3, not MEX.
func Extranjero(nombre, pais, lugar string) Receptor {
	return Receptor{Rfc: RfcGenericoExtranjero, Nombre: nombre, DomicilioFiscalReceptor: lugar, ResidenciaFiscal: pais, RegimenFiscalReceptor: "616", UsoCFDI: "S01"}
}
