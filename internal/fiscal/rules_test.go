package fiscal_test

import (
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// broken are documents with one mistake and the code that it must give.
var broken = []struct {
	name   string
	mutate func(*fiscal.Comprobante)
	code   string
}{
	{"15 PPD with 03", func(c *fiscal.Comprobante) { c.MetodoPago = "PPD" }, "CFDI40105"},
	{"15 PUE with 99", func(c *fiscal.Comprobante) { c.FormaPago = "99" }, "forma_pago_99_with_pue"},
	{"no FormaPago", func(c *fiscal.Comprobante) { c.FormaPago = "" }, "forma_pago_missing"},
	{"no MetodoPago", func(c *fiscal.Comprobante) { c.MetodoPago = "" }, "metodo_pago_missing"},
	{"16 no period", func(c *fiscal.Comprobante) { *c.Receptor = fiscal.PublicoEnGeneral(lugar) }, "CFDI40130"},
	{"16 name with RFC", func(c *fiscal.Comprobante) { c.Receptor.Nombre = fiscal.NombrePublicoEnGeneral }, "CFDI40146"},
	{"17 generic elsewhere", func(c *fiscal.Comprobante) { *c.Receptor = fiscal.SinRfc("CLIENTE DE MOSTRADOR", "01000") }, "CFDI40149"},
	{"17 generic regime", func(c *fiscal.Comprobante) {
		*c.Receptor = fiscal.SinRfc("CLIENTE DE MOSTRADOR", lugar)
		c.Receptor.RegimenFiscalReceptor = "612"
	}, "CFDI40159"},
	{"18 G03 for 605", func(c *fiscal.Comprobante) {
		c.Receptor.Rfc, c.Receptor.RegimenFiscalReceptor = "CACX7605101P8", "605"
	}, "CFDI40161"},
	{"18 G03 for 616", func(c *fiscal.Comprobante) {
		c.Receptor.Rfc, c.Receptor.RegimenFiscalReceptor = "CACX7605101P8", "616"
	}, "CFDI40161"},
	{"18 D01 for a company", func(c *fiscal.Comprobante) { c.Receptor.UsoCFDI = "D01" }, "CFDI40161"},
	{"19 601 for a person", func(c *fiscal.Comprobante) { c.Receptor.Rfc = "CACX7605101P8" }, "CFDI40158"},
	{"19 issuer's 612 for a company", func(c *fiscal.Comprobante) { c.Emisor.RegimenFiscal = "612" }, "CFDI40141"},
	{"20 pipe", func(c *fiscal.Comprobante) { c.Conceptos[0].Descripcion = "a|b" }, "text_pipe"},
	{"20 control", func(c *fiscal.Comprobante) { c.Conceptos[0].Descripcion = "a\x01b" }, "text_control_character"},
	{"20 not UTF-8", func(c *fiscal.Comprobante) { c.Conceptos[0].Descripcion = "a\xffb" }, "text_control_character"},
	{"20 long", func(c *fiscal.Comprobante) { c.Conceptos[0].Descripcion = strings.Repeat("ñ", 1001) }, "text_too_long"},
	{"27 USD without rate", func(c *fiscal.Comprobante) { c.Moneda = "USD" }, "CFDI40115"},
	{"27 MXN with rate", func(c *fiscal.Comprobante) { c.TipoCambio = "1.1" }, "CFDI40114"},
	{"27 XXX with rate", func(c *fiscal.Comprobante) { c.Moneda, c.TipoCambio = "XXX", "1" }, "CFDI40116"},
	{"31 check date", func(c *fiscal.Comprobante) { c.Receptor.Rfc = "EKU9002303C9" }, "rfc_date_invalid"},
	{"RFC form", func(c *fiscal.Comprobante) { c.Receptor.Rfc = "URE180429" }, "rfc_invalid"},
	{"no name", func(c *fiscal.Comprobante) { c.Receptor.Nombre = "" }, "attribute_missing"},
	{"no receiver", func(c *fiscal.Comprobante) { c.Receptor = nil }, "node_missing"},
	{"ClaveProdServ", func(c *fiscal.Comprobante) { c.Conceptos[0].ClaveProdServ = "99999999" }, "catalog_key_unknown"},
	{"ClaveProdServ form", func(c *fiscal.Comprobante) { c.Conceptos[0].ClaveProdServ = "8111210" }, "catalog_key_unknown"},
	{"ClaveUnidad", func(c *fiscal.Comprobante) { c.Conceptos[0].ClaveUnidad = "XXX" }, "catalog_key_unknown"},
	{"Moneda", func(c *fiscal.Comprobante) { c.Moneda, c.TipoCambio = "QQQ", "1.5" }, "catalog_key_unknown"},
	{"postal code", func(c *fiscal.Comprobante) { c.Receptor.DomicilioFiscalReceptor = "4250" }, "attribute_invalid"},
	{"unknown regime", func(c *fiscal.Comprobante) { c.Receptor.RegimenFiscalReceptor = "999" }, "catalog_key_unknown"},
	{"ResidenciaFiscal", func(c *fiscal.Comprobante) { c.Receptor.ResidenciaFiscal = "USA" }, "CFDI40151"},
	{"ResidenciaFiscal MEX", func(c *fiscal.Comprobante) { *c.Receptor = fiscal.Extranjero("ACME", "MEX", lugar) }, "CFDI40152"},
	{"ResidenciaFiscal ZZZ", func(c *fiscal.Comprobante) { *c.Receptor = fiscal.Extranjero("ACME", "ZZZ", lugar) }, "catalog_key_unknown"},
	{"NumRegIdTrib alone", func(c *fiscal.Comprobante) {
		*c.Receptor = fiscal.Extranjero("ACME", "", lugar)
		c.Receptor.NumRegIdTrib = "123"
	}, "CFDI40153"},
	{"NumRegIdTrib national", func(c *fiscal.Comprobante) { c.Receptor.NumRegIdTrib = "123" }, "CFDI40154"},
	{"NumRegIdTrib without trade", func(c *fiscal.Comprobante) {
		*c.Receptor = fiscal.Extranjero("ACME", "USA", lugar)
		c.Receptor.NumRegIdTrib = "123"
	}, "CFDI40155"},
	{"73 hours old", func(c *fiscal.Comprobante) { c.Fecha = "2026-11-17T11:00:00" }, "401"},
	{"in the future", func(c *fiscal.Comprobante) { c.Fecha = "2026-11-20T12:00:01" }, "401"},
	{"date form", func(c *fiscal.Comprobante) { c.Fecha = "2026-11-20 10:00:00" }, "CFDI40101"},
	{"CP01 on an invoice", func(c *fiscal.Comprobante) { c.Receptor.UsoCFDI = "CP01" }, "uso_only_for_payments"},
	{"SubTotal decimals", func(c *fiscal.Comprobante) { c.SubTotal = "1000.000" }, "CFDI40107"},
	{"SubTotal", func(c *fiscal.Comprobante) { c.SubTotal = "1000.01" }, "CFDI40108"},
	{"Total", func(c *fiscal.Comprobante) { c.Total = "1160.01" }, "CFDI40119"},
	{"Descuento without lines", func(c *fiscal.Comprobante) { c.Descuento = "1.00" }, "CFDI40111"},
	{"Descuento too large", func(c *fiscal.Comprobante) { c.Descuento = "1000.01" }, "CFDI40110"},
	{"Descuento decimals", func(c *fiscal.Comprobante) { c.Descuento = "1.000" }, "CFDI40112"},
	{"ValorUnitario 0", func(c *fiscal.Comprobante) { c.Conceptos[0].ValorUnitario = "0" }, "CFDI40166"},
	{"Importe", func(c *fiscal.Comprobante) { c.Conceptos[0].Importe = "1600.00" }, "CFDI40167"},
	{"line Descuento decimals", func(c *fiscal.Comprobante) { c.Conceptos[0].Descuento = "1.000" }, "CFDI40168"},
	{"line Descuento", func(c *fiscal.Comprobante) { c.Conceptos[0].Descuento = "1000.01" }, "CFDI40169"},
	{"ObjetoImp 02 without taxes", func(c *fiscal.Comprobante) { c.Conceptos[0].Impuestos = nil }, "CFDI40171"},
	{"ObjetoImp 01 with taxes", func(c *fiscal.Comprobante) { c.Conceptos[0].ObjetoImp = "01" }, "CFDI40172"},
	{"empty Impuestos", func(c *fiscal.Comprobante) { c.Conceptos[0].Impuestos.Traslados = nil }, "CFDI40173"},
	{"Base 0", func(c *fiscal.Comprobante) { traslado(c).Base = "0" }, "CFDI40174"},
	{"Exento with rate", func(c *fiscal.Comprobante) { traslado(c).TipoFactor = "Exento" }, "CFDI40177"},
	{"no rate", func(c *fiscal.Comprobante) { traslado(c).TasaOCuota = "" }, "CFDI40178"},
	{"rate 15", func(c *fiscal.Comprobante) { traslado(c).TasaOCuota = "0.150000" }, "CFDI40179"},
	{"tax", func(c *fiscal.Comprobante) { traslado(c).Importe = "160.02" }, "CFDI40180"},
	{"Retencion base", retencion(fiscal.Impuesto{Base: "0", Impuesto: "001", TipoFactor: "Tasa", TasaOCuota: "0.100000", Importe: "0"}), "CFDI40181"},
	{"Retencion exempt", retencion(fiscal.Impuesto{Base: "1000", Impuesto: "001", TipoFactor: "Exento", TasaOCuota: "0.100000", Importe: "0"}), "CFDI40184"},
	{"Retencion rate", retencion(fiscal.Impuesto{Base: "1000", Impuesto: "001", TipoFactor: "Tasa", TasaOCuota: "0.360000", Importe: "360"}), "CFDI40185"},
	{"Retencion amount", retencion(fiscal.Impuesto{Base: "1000.00", Impuesto: "001", TipoFactor: "Tasa", TasaOCuota: "0.100000", Importe: "101.00"}), "CFDI40186"},
	{"Retencion not in summary", retencion(fiscal.Impuesto{Base: "1000.00", Impuesto: "001", TipoFactor: "Tasa", TasaOCuota: "0.100000", Importe: "100"}), "CFDI40211"},
	{"no summary", func(c *fiscal.Comprobante) { c.Impuestos = nil }, "CFDI40212"},
	{"summary total decimals", func(c *fiscal.Comprobante) { c.Impuestos.TotalImpuestosTrasladados = "160.000" }, "CFDI40204"},
	{"summary total", func(c *fiscal.Comprobante) { c.Impuestos.TotalImpuestosTrasladados = "160.01" }, "CFDI40205"},
	{"summary base decimals", func(c *fiscal.Comprobante) { c.Impuestos.Traslados[0].Base = "1000.000" }, "CFDI40214"},
	{"summary base", func(c *fiscal.Comprobante) { c.Impuestos.Traslados[0].Base = "1000.01" }, "CFDI40215"},
	{"summary twice", func(c *fiscal.Comprobante) {
		c.Impuestos.Traslados = append(c.Impuestos.Traslados, c.Impuestos.Traslados[0])
	}, "CFDI40218"},
	{"summary tax decimals", func(c *fiscal.Comprobante) { c.Impuestos.Traslados[0].Importe = "160.000" }, "CFDI40220"},
	{"summary tax", func(c *fiscal.Comprobante) { c.Impuestos.Traslados[0].Importe = "160.01" }, "CFDI40221"},
	{"summary tax missing at 0", func(c *fiscal.Comprobante) {
		c.Conceptos[0].Impuestos.Traslados[0].TasaOCuota, c.Conceptos[0].Impuestos.Traslados[0].Importe = "0.000000", "0"
		c.Impuestos.Traslados[0].TasaOCuota, c.Impuestos.Traslados[0].Importe, c.Impuestos.TotalImpuestosTrasladados, c.Total = "0.000000", "", "0", "1000.00"
	}, "CFDI40221"},
	{"summary withholding total", func(c *fiscal.Comprobante) { c.Impuestos.TotalImpuestosRetenidos = "1.00" }, "CFDI40203"},
	{"summary withholding decimals", func(c *fiscal.Comprobante) { c.Impuestos.TotalImpuestosRetenidos = "1.000" }, "CFDI40202"},
	{"summary withholding without total", func(c *fiscal.Comprobante) {
		c.Impuestos.Retenciones = []fiscal.Impuesto{{Impuesto: "001", Importe: "0.000"}, {Impuesto: "001", Importe: "0"}}
	}, "CFDI40206"},
	{"summary withholding decimals of a row", func(c *fiscal.Comprobante) {
		c.Impuestos.Retenciones = []fiscal.Impuesto{{Impuesto: "001", Importe: "0.000"}}
	}, "CFDI40210"},
	{"summary withholding twice", func(c *fiscal.Comprobante) {
		c.Impuestos.Retenciones = []fiscal.Impuesto{{Impuesto: "001", Importe: "0"}, {Impuesto: "001", Importe: "0"}}
	}, "CFDI40208"},
	{"type T with FormaPago", func(c *fiscal.Comprobante) { c.TipoDeComprobante = "T" }, "CFDI40103"},
	{"type T with MetodoPago", func(c *fiscal.Comprobante) { c.TipoDeComprobante = "T" }, "CFDI40125"},
	{"type T with SubTotal", func(c *fiscal.Comprobante) { c.TipoDeComprobante = "T" }, "CFDI40109"},
	{"type T with Impuestos", func(c *fiscal.Comprobante) { c.TipoDeComprobante = "T" }, "CFDI40201"},
	{"period of 621", global("05", "13", "2026"), "CFDI40132"},
	{"months of 05", global("05", "01", "2026"), "CFDI40135"},
	{"months of 04", global("04", "13", "2026"), "CFDI40134"},
	{"year to come", global("04", "11", "2027"), "CFDI40136"},
	{"year too old", global("04", "11", "2020"), "CFDI40136"},
	{"Pagos in an invoice", func(c *fiscal.Comprobante) {
		c.Complemento = &fiscal.Complemento{Pagos: &fiscal.Pagos{Version: "2.0", Totales: &fiscal.Totales{MontoTotalPagos: "1"}}}
	}, "pagos_only_in_type_p"},
}

func traslado(c *fiscal.Comprobante) *fiscal.Impuesto { return &c.Conceptos[0].Impuestos.Traslados[0] }

func retencion(x fiscal.Impuesto) func(*fiscal.Comprobante) {
	return func(c *fiscal.Comprobante) { c.Conceptos[0].Impuestos.Retenciones = []fiscal.Impuesto{x} }
}

func global(periodicidad, meses, year string) func(*fiscal.Comprobante) {
	return func(c *fiscal.Comprobante) {
		*c.Receptor = fiscal.PublicoEnGeneral(lugar)
		c.InformacionGlobal = &fiscal.InformacionGlobal{Periodicidad: periodicidad, Meses: meses, Año: year}
	}
}

func TestBrokenInvoices(t *testing.T) {
	for _, b := range broken {
		t.Run(b.name, func(t *testing.T) {
			c, err := fiscal.Build(draft(line("1000.00", fiscal.IVA16)))
			if err != nil {
				t.Fatal(err)
			}
			if vs := fiscal.Validate(c, fiscal.Options{Now: noon}); len(vs) > 0 {
				t.Fatalf("not right before: %v", vs)
			}
			b.mutate(c)
			vs := fiscal.Validate(c, fiscal.Options{Now: noon})
			wantCode(t, vs, b.code)
			for _, v := range vs {
				if v.ES == "" || v.EN == "" || v.ES == v.EN || strings.Contains(v.ES+v.EN, "%!") {
					t.Errorf("message of %s: %q, %q", v.Code, v.ES, v.EN)
				}
			}
		})
	}
}

// brokenPagos are payment receipts with one mistake.
var brokenPagos = []struct {
	code   string
	mutate func(c *fiscal.Comprobante, p *fiscal.Pago, d *fiscal.DoctoRelacionado)
}{
	{"CRP20101", func(c *fiscal.Comprobante, _ *fiscal.Pago, _ *fiscal.DoctoRelacionado) { c.Complemento = nil }},
	{"CRP20102", func(c *fiscal.Comprobante, _ *fiscal.Pago, _ *fiscal.DoctoRelacionado) { c.Exportacion = "02" }},
	{"CRP20103", func(c *fiscal.Comprobante, _ *fiscal.Pago, _ *fiscal.DoctoRelacionado) { c.SubTotal = "0.00" }},
	{"CRP20104", func(c *fiscal.Comprobante, _ *fiscal.Pago, _ *fiscal.DoctoRelacionado) { c.Moneda = "MXN" }},
	{"CRP20105", func(c *fiscal.Comprobante, _ *fiscal.Pago, _ *fiscal.DoctoRelacionado) { c.FormaPago = "03" }},
	{"CRP20106", func(c *fiscal.Comprobante, _ *fiscal.Pago, _ *fiscal.DoctoRelacionado) { c.MetodoPago = "PUE" }},
	{"CRP20107", func(c *fiscal.Comprobante, _ *fiscal.Pago, _ *fiscal.DoctoRelacionado) { c.CondicionesDePago = "x" }},
	{"CRP20108", func(c *fiscal.Comprobante, _ *fiscal.Pago, _ *fiscal.DoctoRelacionado) { c.Descuento = "0" }},
	{"CRP20109", func(c *fiscal.Comprobante, _ *fiscal.Pago, _ *fiscal.DoctoRelacionado) { c.TipoCambio = "1" }},
	{"CRP20110", func(c *fiscal.Comprobante, _ *fiscal.Pago, _ *fiscal.DoctoRelacionado) { c.Total = "0.00" }},
	{"CRP20111", func(c *fiscal.Comprobante, _ *fiscal.Pago, _ *fiscal.DoctoRelacionado) {
		c.Conceptos = append(c.Conceptos, c.Conceptos[0])
	}},
	{"CRP20112", func(c *fiscal.Comprobante, _ *fiscal.Pago, _ *fiscal.DoctoRelacionado) {
		c.Conceptos[0].CuentaPredial = []fiscal.CuentaPredial{{Numero: "1"}}
	}},
	{"CRP20113", func(c *fiscal.Comprobante, _ *fiscal.Pago, _ *fiscal.DoctoRelacionado) {
		c.Conceptos[0].ClaveProdServ = "81112105"
	}},
	{"CRP20114", func(c *fiscal.Comprobante, _ *fiscal.Pago, _ *fiscal.DoctoRelacionado) {
		c.Conceptos[0].NoIdentificacion = "1"
	}},
	{"CRP20115", func(c *fiscal.Comprobante, _ *fiscal.Pago, _ *fiscal.DoctoRelacionado) { c.Conceptos[0].Cantidad = "2" }},
	{"CRP20116", func(c *fiscal.Comprobante, _ *fiscal.Pago, _ *fiscal.DoctoRelacionado) {
		c.Conceptos[0].ClaveUnidad = "E48"
	}},
	{"CRP20117", func(c *fiscal.Comprobante, _ *fiscal.Pago, _ *fiscal.DoctoRelacionado) { c.Conceptos[0].Unidad = "x" }},
	{"CRP20118", func(c *fiscal.Comprobante, _ *fiscal.Pago, _ *fiscal.DoctoRelacionado) {
		c.Conceptos[0].Descripcion = "Otro"
	}},
	{"CRP20119", func(c *fiscal.Comprobante, _ *fiscal.Pago, _ *fiscal.DoctoRelacionado) {
		c.Conceptos[0].ValorUnitario = "1"
	}},
	{"CRP20120", func(c *fiscal.Comprobante, _ *fiscal.Pago, _ *fiscal.DoctoRelacionado) {
		c.Conceptos[0].Importe = "0.0"
	}},
	{"CRP20121", func(c *fiscal.Comprobante, _ *fiscal.Pago, _ *fiscal.DoctoRelacionado) {
		c.Conceptos[0].Descuento = "0"
	}},
	{"CRP20122", func(c *fiscal.Comprobante, _ *fiscal.Pago, _ *fiscal.DoctoRelacionado) {
		c.Conceptos[0].ObjetoImp = "02"
	}},
	{"CRP20123", func(c *fiscal.Comprobante, _ *fiscal.Pago, _ *fiscal.DoctoRelacionado) {
		c.Conceptos[0].Impuestos = &fiscal.ImpuestosConcepto{}
	}},
	{"CFDI40161", func(c *fiscal.Comprobante, _ *fiscal.Pago, _ *fiscal.DoctoRelacionado) { c.Receptor.UsoCFDI = "G03" }},
	{"CRP20204", func(c *fiscal.Comprobante, _ *fiscal.Pago, _ *fiscal.DoctoRelacionado) {
		c.Pagos().Totales.TotalTrasladosBaseIVA16 = "1.00"
	}},
	{"CRP20206", func(c *fiscal.Comprobante, _ *fiscal.Pago, _ *fiscal.DoctoRelacionado) {
		c.Pagos().Totales.TotalTrasladosBaseIVA8 = "0.00"
	}},
	{"CRP20211", func(c *fiscal.Comprobante, _ *fiscal.Pago, _ *fiscal.DoctoRelacionado) {
		c.Pagos().Totales.MontoTotalPagos = "1.00"
	}},
	{"CRP20212", func(_ *fiscal.Comprobante, p *fiscal.Pago, _ *fiscal.DoctoRelacionado) { p.FormaDePagoP = "99" }},
	{"CRP20213", func(_ *fiscal.Comprobante, p *fiscal.Pago, _ *fiscal.DoctoRelacionado) { p.MonedaP = "XXX" }},
	{"CRP20214", func(_ *fiscal.Comprobante, p *fiscal.Pago, _ *fiscal.DoctoRelacionado) { p.TipoCambioP = "" }},
	{"CRP20215", func(_ *fiscal.Comprobante, p *fiscal.Pago, _ *fiscal.DoctoRelacionado) { p.TipoCambioP = "1.0" }},
	{"CRP20217", func(_ *fiscal.Comprobante, p *fiscal.Pago, _ *fiscal.DoctoRelacionado) { p.Monto = "499.99" }},
	{"CRP20218", func(_ *fiscal.Comprobante, p *fiscal.Pago, _ *fiscal.DoctoRelacionado) { p.Monto = "0.00" }},
	{"CRP20219", func(_ *fiscal.Comprobante, p *fiscal.Pago, _ *fiscal.DoctoRelacionado) { p.Monto = "500.000" }},
	{"CRP20221", func(_ *fiscal.Comprobante, p *fiscal.Pago, _ *fiscal.DoctoRelacionado) {
		p.FormaDePagoP, p.RfcEmisorCtaOrd = "01", "SPR190613I52"
	}},
	{"CRP20236", func(_ *fiscal.Comprobante, _ *fiscal.Pago, d *fiscal.DoctoRelacionado) { d.MonedaDR = "XXX" }},
	{"CRP20237", func(_ *fiscal.Comprobante, _ *fiscal.Pago, d *fiscal.DoctoRelacionado) {
		d.MonedaDR, d.EquivalenciaDR = "USD", ""
	}},
	{"CRP20277", func(_ *fiscal.Comprobante, _ *fiscal.Pago, d *fiscal.DoctoRelacionado) { d.MonedaDR = "USD" }},
	{"CRP20275", func(_ *fiscal.Comprobante, _ *fiscal.Pago, d *fiscal.DoctoRelacionado) {
		d.MonedaDR, d.EquivalenciaDR = "USD", "0.500000"
	}},
	{"CRP20276", func(_ *fiscal.Comprobante, _ *fiscal.Pago, d *fiscal.DoctoRelacionado) {
		d.MonedaDR, d.EquivalenciaDR = "USD", "0.500000"
	}},
	{"CRP20238", func(_ *fiscal.Comprobante, _ *fiscal.Pago, d *fiscal.DoctoRelacionado) { d.EquivalenciaDR = "2" }},
	{"CRP20239", func(_ *fiscal.Comprobante, _ *fiscal.Pago, d *fiscal.DoctoRelacionado) { d.ImpSaldoAnt = "0" }},
	{"CRP20240", func(_ *fiscal.Comprobante, _ *fiscal.Pago, d *fiscal.DoctoRelacionado) { d.ImpSaldoAnt = "1160.000" }},
	{"CRP20241", func(_ *fiscal.Comprobante, _ *fiscal.Pago, d *fiscal.DoctoRelacionado) { d.ImpPagado = "0" }},
	{"CRP20242", func(_ *fiscal.Comprobante, _ *fiscal.Pago, d *fiscal.DoctoRelacionado) { d.ImpPagado = "500.000" }},
	{"CRP20243", func(_ *fiscal.Comprobante, _ *fiscal.Pago, d *fiscal.DoctoRelacionado) {
		d.ImpSaldoInsoluto = "660.000"
	}},
	{"CRP20244", func(_ *fiscal.Comprobante, _ *fiscal.Pago, d *fiscal.DoctoRelacionado) { d.ImpSaldoInsoluto = "659.99" }},
	{"CRP20246", func(_ *fiscal.Comprobante, _ *fiscal.Pago, d *fiscal.DoctoRelacionado) { d.ImpuestosDR = nil }},
	{"CRP20247", func(_ *fiscal.Comprobante, _ *fiscal.Pago, d *fiscal.DoctoRelacionado) { d.ObjetoImpDR = "01" }},
	{"CRP20248", func(_ *fiscal.Comprobante, _ *fiscal.Pago, d *fiscal.DoctoRelacionado) {
		d.ImpuestosDR = &fiscal.ImpuestosDR{}
	}},
	{"CRP20252", func(_ *fiscal.Comprobante, _ *fiscal.Pago, d *fiscal.DoctoRelacionado) {
		d.ImpuestosDR.RetencionesDR = []fiscal.ImpuestoDR{{BaseDR: "1", ImpuestoDR: "001", TipoFactorDR: "Exento", TasaOCuotaDR: "0", ImporteDR: "0"}}
	}},
	{"CRP20254", func(_ *fiscal.Comprobante, _ *fiscal.Pago, d *fiscal.DoctoRelacionado) {
		d.ImpuestosDR.RetencionesDR = []fiscal.ImpuestoDR{{BaseDR: "100.00", ImpuestoDR: "001", TipoFactorDR: "Tasa", TasaOCuotaDR: "0.100000", ImporteDR: "10.02"}}
	}},
	{"CRP20258", func(_ *fiscal.Comprobante, _ *fiscal.Pago, d *fiscal.DoctoRelacionado) {
		d.ImpuestosDR.TrasladosDR[0].TipoFactorDR = "Exento"
	}},
	{"CRP20259", func(_ *fiscal.Comprobante, _ *fiscal.Pago, d *fiscal.DoctoRelacionado) {
		d.ImpuestosDR.TrasladosDR[0].ImporteDR = ""
	}},
	{"CRP20261", func(_ *fiscal.Comprobante, _ *fiscal.Pago, d *fiscal.DoctoRelacionado) {
		d.ImpuestosDR.TrasladosDR[0].ImporteDR = "69.00"
	}},
	{"CRP20263", func(_ *fiscal.Comprobante, p *fiscal.Pago, _ *fiscal.DoctoRelacionado) {
		p.ImpuestosP.RetencionesP = []fiscal.ImpuestoP{{ImpuestoP: "001", ImporteP: "0"}, {ImpuestoP: "001", ImporteP: "0"}}
	}},
	{"CRP20265", func(_ *fiscal.Comprobante, p *fiscal.Pago, _ *fiscal.DoctoRelacionado) {
		p.ImpuestosP.RetencionesP = []fiscal.ImpuestoP{{ImpuestoP: "001", ImporteP: "1"}}
	}},
	{"CRP20268", func(_ *fiscal.Comprobante, p *fiscal.Pago, _ *fiscal.DoctoRelacionado) {
		p.ImpuestosP.TrasladosP[0].BaseP = "1"
	}},
	{"CRP20271", func(_ *fiscal.Comprobante, p *fiscal.Pago, _ *fiscal.DoctoRelacionado) {
		p.ImpuestosP.TrasladosP = append(p.ImpuestosP.TrasladosP, p.ImpuestosP.TrasladosP[0])
	}},
	{"CRP20274", func(_ *fiscal.Comprobante, p *fiscal.Pago, _ *fiscal.DoctoRelacionado) {
		p.ImpuestosP.TrasladosP[0].ImporteP = "1"
	}},
	{"attribute_invalid", func(_ *fiscal.Comprobante, _ *fiscal.Pago, d *fiscal.DoctoRelacionado) { d.NumParcialidad = "0" }},
}

func TestBrokenPagos(t *testing.T) {
	for _, b := range brokenPagos {
		t.Run(b.code, func(t *testing.T) {
			taxes := []fiscal.ImpuestoPorPagar{{Impuesto: "002", TipoFactor: "Tasa", TasaOCuota: "0.160000", Base: "1000.00", BasePagada: "0"}}
			c, err := fiscal.BuildPago(pagoDraft(transfer(50000, fiscal.DocumentoPagado{UUID: "DC55E6A9-2329-5352-8FD9-5B73CE21FF44",
				Moneda: money.MXN, NumParcialidad: 1, ImpSaldoAnt: 116000, ImpPagado: 50000, Total: 116000, Impuestos: taxes})))
			if err != nil {
				t.Fatal(err)
			}
			if vs := fiscal.Validate(c, fiscal.Options{Now: noon}); len(vs) > 0 {
				t.Fatalf("not right before: %v", vs)
			}
			p := &c.Pagos().Pago[0]
			b.mutate(c, p, &p.DoctoRelacionado[0])
			wantCode(t, fiscal.Validate(c, fiscal.Options{Now: noon}), b.code)
		})
	}
}

func TestWarnings(t *testing.T) {
	c, err := fiscal.Build(draft(line("1000.00", fiscal.IVA16)))
	if err != nil {
		t.Fatal(err)
	}
	c.Receptor.Rfc = "EKU9003173C8" // 31: the check digit is 9
	vs := fiscal.Validate(c, fiscal.Options{Now: noon})
	wantCode(t, vs, "rfc_check_digit")
	if bad := vs.Refusals(); len(bad) > 0 {
		t.Errorf("a check digit is only a warning: %v", bad)
	}
	c.TipoDeComprobante = fiscal.TipoEgreso
	wantCode(t, fiscal.Validate(c, fiscal.Options{}), "egreso_unrelated")
	c.TipoCambio = "1.0" // 27
	if vs := fiscal.Validate(c, fiscal.Options{}).Refusals(); len(vs) > 0 {
		t.Error(vs)
	}
}

// TestCatalogDates: keys are valid by Fecha.
// Keys that the product does not offer are the SAT's too.
func TestKnownKeys(t *testing.T) {
	cat := fiscal.DefaultCatalogs()
	for catalog, keys := range map[string][]string{fiscal.CatClaveProdServ: {"01010101", "10101500", "81112105", "43211500", "95141904"}, fiscal.CatClaveUnidad: {"05", "E48", "H87", "KGM", "ZZ", "XBX"}, fiscal.CatMoneda: {"MXN", "CLP", "JPY"}} {
		for _, key := range keys {
			if !cat.Has(catalog, key, "2026-11-20") {
				t.Errorf("%s %s is unknown", catalog, key)
			}
		}
	}
}

func TestCatalogDates(t *testing.T) {
	newer, err := fiscal.LoadCatalogs(strings.NewReader("c_FormaPago\t03\tTransferencia\t2022-01-01\t2026-11-19\n"))
	if err != nil {
		t.Fatal(err)
	}
	cat := fiscal.DefaultCatalogs().With(newer)
	c, err := fiscal.Build(draft(line("1000.00", fiscal.IVA16)))
	if err != nil {
		t.Fatal(err)
	}
	wantCode(t, fiscal.Validate(c, fiscal.Options{Catalogs: cat}), "catalog_key_unknown")
	c.Fecha = "2026-11-19T10:00:00"
	if vs := fiscal.Validate(c, fiscal.Options{Catalogs: cat}); len(vs) > 0 {
		t.Error(vs)
	}
}

// TestLocalTime: Fecha is the time of the place of issue.
func TestLocalTime(t *testing.T) {
	for cp, want := range map[string]string{"42501": "2026-11-20T12:00:00", "22000": "2026-11-20T10:00:00", "77500": "2026-11-20T13:00:00", "83000": "2026-11-20T11:00:00"} {
		if got := fiscal.FormatFecha(noon, cp); got != want {
			t.Errorf("%s: %s, want %s", cp, got, want)
		}
		d := draft(line("1000.00", fiscal.IVA16))
		d.LugarExpedicion, d.Fecha = cp, noon
		c, err := fiscal.Build(d)
		if err != nil {
			t.Fatal(err)
		}
		if vs := fiscal.Validate(c, fiscal.Options{Now: noon}); len(vs) > 0 {
			t.Errorf("%s: %v", cp, vs)
		}
		if vs := fiscal.Validate(c, fiscal.Options{Now: noon.Add(-time.Second)}); !vs.Has("401") {
			t.Errorf("%s: a second in the future is allowed", cp)
		}
	}
}
