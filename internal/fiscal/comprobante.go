package fiscal

// TipoDeComprobante values that this package builds. T (traslado) and N (nómina) are only read.
const (
	TipoIngreso = "I"
	TipoEgreso  = "E"
	TipoPago    = "P"
)

// Generic RFCs: customers without a Mexican RFC (RMF 2.7.1.23).
const (
	RfcGenericoNacional   = "XAXX010101000"
	RfcGenericoExtranjero = "XEXX010101000"
	// NombrePublicoEnGeneral is the Nombre that makes a document with the national generic
	// RFC a global invoice (CFDI40130).
	NombrePublicoEnGeneral = "PUBLICO EN GENERAL"
)

// Comprobante is a CFDI 4.0. Every field is text as it is written in the document: the SAT's
// rules depend on the decimals that were written. An empty attribute is an absent one.
type Comprobante struct {
	Version           string
	Serie             string
	Folio             string
	Fecha             string // local time of LugarExpedicion, 2006-01-02T15:04:05
	FormaPago         string
	NoCertificado     string
	Certificado       string
	CondicionesDePago string
	SubTotal          Num
	Descuento         Num
	Moneda            string
	TipoCambio        Num
	Total             Num
	TipoDeComprobante string
	Exportacion       string
	MetodoPago        string
	LugarExpedicion   string
	Confirmacion      string
	Sello             string

	InformacionGlobal *InformacionGlobal
	CfdiRelacionados  []CfdiRelacionados
	Emisor            *Emisor
	Receptor          *Receptor
	Conceptos         []Concepto `sat:"Conceptos>Concepto"`
	Impuestos         *Impuestos
	Complemento       *Complemento
	Addenda           *Node
}

// InformacionGlobal is the period of a global invoice.
type InformacionGlobal struct {
	Periodicidad string
	Meses        string
	Año          string
}

// CfdiRelacionados are earlier documents that this one credits (01), returns (03),
// replaces (04) or applies an advance of (07).
type CfdiRelacionados struct {
	TipoRelacion    string
	CfdiRelacionado []CfdiRelacionado
}

// CfdiRelacionado is the folio fiscal of an earlier document.
type CfdiRelacionado struct{ UUID string }

// Relacion relates a document to those of the given folios fiscales.
func Relacion(tipo string, uuids ...string) CfdiRelacionados {
	r := CfdiRelacionados{TipoRelacion: tipo}
	for _, u := range uuids {
		r.CfdiRelacionado = append(r.CfdiRelacionado, CfdiRelacionado{u})
	}
	return r
}

// Emisor is who issues the document.
type Emisor struct {
	Rfc              string
	Nombre           string
	RegimenFiscal    string
	FacAtrAdquirente string
}

// Receptor is who receives the document.
type Receptor struct {
	Rfc                     string
	Nombre                  string
	DomicilioFiscalReceptor string
	ResidenciaFiscal        string
	NumRegIdTrib            string
	RegimenFiscalReceptor   string
	UsoCFDI                 string
}

// Concepto is a line.
type Concepto struct {
	ClaveProdServ    string
	NoIdentificacion string
	Cantidad         Num
	ClaveUnidad      string
	Unidad           string
	Descripcion      string
	ValorUnitario    Num
	Importe          Num
	Descuento        Num
	ObjetoImp        string

	Impuestos           *ImpuestosConcepto
	ACuentaTerceros     *ACuentaTerceros
	InformacionAduanera []InformacionAduanera
	CuentaPredial       []CuentaPredial
	ComplementoConcepto *Node
	Parte               []Parte
}

// ImpuestosConcepto are the taxes of a line.
type ImpuestosConcepto struct {
	Traslados   []Impuesto `sat:"Traslados>Traslado"`
	Retenciones []Impuesto `sat:"Retenciones>Retencion"`
}

// Impuesto is a Traslado or Retencion, of a line or of the summary. A Retencion of the
// summary has only Impuesto and Importe.
type Impuesto struct {
	Base       Num
	Impuesto   string
	TipoFactor string
	TasaOCuota Num
	Importe    Num
}

// Impuestos is the summary of taxes: one row per tax, factor and rate.
type Impuestos struct {
	TotalImpuestosRetenidos   Num
	TotalImpuestosTrasladados Num

	Retenciones []Impuesto `sat:"Retenciones>Retencion"`
	Traslados   []Impuesto `sat:"Traslados>Traslado"`
}

// ACuentaTerceros names who the line is charged for. Only read.
type ACuentaTerceros struct {
	RfcACuentaTerceros             string
	NombreACuentaTerceros          string
	RegimenFiscalACuentaTerceros   string
	DomicilioFiscalACuentaTerceros string
}

// InformacionAduanera is a customs document. Only read.
type InformacionAduanera struct{ NumeroPedimento string }

// CuentaPredial is a land registry account. Only read.
type CuentaPredial struct{ Numero string }

// Parte is a part of what a line sells. Only read.
type Parte struct {
	ClaveProdServ    string
	NoIdentificacion string
	Cantidad         Num
	Unidad           string
	Descripcion      string
	ValorUnitario    Num
	Importe          Num

	InformacionAduanera []InformacionAduanera
}

// Complemento holds the complements: payments, the stamp, and others as they are.
type Complemento struct {
	Pagos               *Pagos               `sat:"pago20:Pagos"`
	TimbreFiscalDigital *TimbreFiscalDigital `sat:"tfd:TimbreFiscalDigital"`
	Otros               []*Node
}

// TimbreFiscalDigital is the stamp of a PAC, version 1.1.
type TimbreFiscalDigital struct {
	Version          string
	UUID             string
	FechaTimbrado    string
	RfcProvCertif    string
	Leyenda          string
	SelloCFD         string
	NoCertificadoSAT string
	SelloSAT         string
}

// Pagos returns the payments complement, or nil.
func (c *Comprobante) Pagos() *Pagos {
	if c.Complemento == nil {
		return nil
	}
	return c.Complemento.Pagos
}

// Timbre returns the stamp, or nil when the document is not stamped.
func (c *Comprobante) Timbre() *TimbreFiscalDigital {
	if c.Complemento == nil {
		return nil
	}
	return c.Complemento.TimbreFiscalDigital
}

// Relacionados returns the folios fiscales related with that TipoRelacion.
func (c *Comprobante) Relacionados(tipo string) []string {
	var uuids []string
	for _, r := range c.CfdiRelacionados {
		if r.TipoRelacion != tipo {
			continue
		}
		for _, x := range r.CfdiRelacionado {
			uuids = append(uuids, x.UUID)
		}
	}
	return uuids
}
