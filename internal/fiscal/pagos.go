package fiscal

// Pagos is the complement Pagos 2.0 (recibo electrónico de pago, REP).
type Pagos struct {
	Version string
	Totales *Totales
	Pago    []Pago
}

// Totales sums all payments in MXN with two decimals. A total exists when rows for it exist.
type Totales struct {
	TotalRetencionesIVA         Num
	TotalRetencionesISR         Num
	TotalRetencionesIEPS        Num
	TotalTrasladosBaseIVA16     Num
	TotalTrasladosImpuestoIVA16 Num
	TotalTrasladosBaseIVA8      Num
	TotalTrasladosImpuestoIVA8  Num
	TotalTrasladosBaseIVA0      Num
	TotalTrasladosImpuestoIVA0  Num
	TotalTrasladosBaseIVAExento Num
	MontoTotalPagos             Num
}

// Pago is one received payment.
type Pago struct {
	FechaPago       string
	FormaDePagoP    string
	MonedaP         string
	TipoCambioP     Num
	Monto           Num
	NumOperacion    string
	RfcEmisorCtaOrd string
	NomBancoOrdExt  string
	CtaOrdenante    string
	RfcEmisorCtaBen string
	CtaBeneficiario string
	TipoCadPago     string
	CertPago        string
	CadPago         string
	SelloPago       string

	DoctoRelacionado []DoctoRelacionado
	ImpuestosP       *ImpuestosP
}

// DoctoRelacionado is an invoice that the payment pays, wholly or in part.
type DoctoRelacionado struct {
	IdDocumento      string
	Serie            string
	Folio            string
	MonedaDR         string
	EquivalenciaDR   Num // units of MonedaDR per unit of MonedaP
	NumParcialidad   string
	ImpSaldoAnt      Num
	ImpPagado        Num
	ImpSaldoInsoluto Num
	ObjetoImpDR      string

	ImpuestosDR *ImpuestosDR
}

// ImpuestosDR are the taxes in what was paid of an invoice.
type ImpuestosDR struct {
	RetencionesDR []ImpuestoDR `sat:"RetencionesDR>RetencionDR"`
	TrasladosDR   []ImpuestoDR `sat:"TrasladosDR>TrasladoDR"`
}

// ImpuestoDR is a TrasladoDR or RetencionDR.
type ImpuestoDR struct {
	BaseDR       Num
	ImpuestoDR   string
	TipoFactorDR string
	TasaOCuotaDR Num
	ImporteDR    Num
}

// ImpuestosP are the taxes in a payment, in its currency.
type ImpuestosP struct {
	RetencionesP []ImpuestoP `sat:"RetencionesP>RetencionP"`
	TrasladosP   []ImpuestoP `sat:"TrasladosP>TrasladoP"`
}

// ImpuestoP is a TrasladoP or RetencionP; the latter has only ImpuestoP and ImporteP.
type ImpuestoP struct {
	BaseP       Num
	ImpuestoP   string
	TipoFactorP string
	TasaOCuotaP Num
	ImporteP    Num
}
