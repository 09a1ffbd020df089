package fiscal

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/internal/pdf"
)

// Print draws the printed representation of a stamped document (CFF 29-A, RMF 2.7.1.7) from its XML alone,
// which is attached to it. company gives colour, logo and the footer,
// cat the texts of keys; nil are DefaultCatalogs.
func Print(row db.CFDI, company db.Company, lang string, cat *Catalogs) ([]byte, error) {
	if cat == nil {
		cat = DefaultCatalogs()
	}
	doc, err := Parse(row.XML)
	if err != nil {
		return nil, err
	}
	if doc.Comprobante.Timbre() == nil {
		return nil, ErrNotStamped
	}
	var out bytes.Buffer
	if err := pdf.Render(&out, printed(doc.Comprobante, row, company, lang, cat)); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func printed(c *Comprobante, row db.CFDI, company db.Company, lang string, cat *Catalogs) pdf.Document {
	t := func(key string, args ...any) string { return locale.T(lang, "fiscal.print."+key, args...) }
	timbre := c.Timbre()
	title := "title." + c.TipoDeComprobante
	if c.InformacionGlobal != nil {
		title = "title.global"
	}
	doc := pdf.Document{
		Language: lang, Title: t(title), Number: c.Serie + " " + c.Folio, Sandbox: SinValidez(c), Created: row.Fecha,
		Issuer: pdf.Issuer{Color: company.BrandColour, Logo: company.Logo, Party: pdf.Party{Name: c.Emisor.Nombre, Lines: []string{
			"RFC " + c.Emisor.Rfc, t("regime") + ": " + cat.Label(CatRegimenFiscal, c.Emisor.RegimenFiscal), t("place") + ": " + c.LugarExpedicion}}},
		Receiver: pdf.Party{Label: t("receiver"), Name: c.Receptor.Nombre, Lines: []string{"RFC " + c.Receptor.Rfc,
			t("postal_code") + ": " + c.Receptor.DomicilioFiscalReceptor, t("regime") + ": " + cat.Label(CatRegimenFiscal, c.Receptor.RegimenFiscalReceptor),
			t("use") + ": " + cat.Label(CatUsoCFDI, c.Receptor.UsoCFDI)}},
		Facts:  []pdf.Fact{{Label: t("date"), Value: strings.Replace(c.Fecha, "T", " ", 1)}, {Label: t("folio"), Value: c.Serie + " " + c.Folio}},
		Footer: footer(company),
		Fiscal: &pdf.Fiscal{QR: VerificationURL(c), SelloCFD: timbre.SelloCFD, SelloSAT: timbre.SelloSAT, Cadena: CadenaTFD(timbre)},
		Attachments: []pdf.Attachment{{Name: FileName(c, "xml"), MediaType: "text/xml", Description: "CFDI " + timbre.UUID,
			Data: row.XML}},
	}
	if c.Receptor.ResidenciaFiscal != "" {
		doc.Receiver.Lines = append(doc.Receiver.Lines, t("residence")+": "+c.Receptor.ResidenciaFiscal)
	}
	add := func(label, value string) {
		if value != "" {
			doc.Fiscal.Facts = append(doc.Fiscal.Facts, pdf.Fact{Label: label, Value: value})
		}
	}
	add(t("uuid"), timbre.UUID)
	add(t("certified"), strings.Replace(timbre.FechaTimbrado, "T", " ", 1))
	add(t("pac"), timbre.RfcProvCertif)
	add(t("issuer_certificate"), c.NoCertificado)
	add(t("sat_certificate"), timbre.NoCertificadoSAT)
	add(t("kind"), cat.Label(CatTipoDeComprobante, c.TipoDeComprobante))
	if c.FormaPago != "" {
		add(t("form"), cat.Label(CatFormaPago, c.FormaPago))
	}
	if c.MetodoPago != "" {
		add(t("method"), cat.Label(CatMetodoPago, c.MetodoPago))
	}
	add(t("export"), cat.Label(CatExportacion, c.Exportacion))
	add(t("currency"), cat.Label(CatMoneda, c.Moneda))
	add(t("rate"), string(c.TipoCambio))
	if g := c.InformacionGlobal; g != nil {
		add(t("period"), fmt.Sprintf("%s · %s · %s", cat.Label(CatPeriodicidad, g.Periodicidad), cat.Label(CatMeses, g.Meses), g.Año))
	}
	for _, r := range c.CfdiRelacionados {
		for _, x := range r.CfdiRelacionado {
			doc.Fiscal.Related = append(doc.Fiscal.Related, pdf.Fact{Label: cat.Label(CatTipoRelacion, r.TipoRelacion), Value: x.UUID})
		}
	}
	if row.Status == db.CFDICancelled {
		doc.Status = pdf.Cancelled
		if row.CancelledAt != nil {
			doc.StatusText = t("cancelled", "date", row.CancelledAt.In(ZonaCentro()).Format(time.DateOnly))
		}
	}
	if c.Pagos() != nil {
		printPagos(&doc, c, cat, t)
		return doc
	}
	printConceptos(&doc, c, cat, lang, t)
	return doc
}

func footer(company db.Company) string {
	var parts []string
	for _, part := range []string{company.Name, company.Website, company.Email} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.Join(parts, " · ")
}

func printConceptos(doc *pdf.Document, c *Comprobante, cat *Catalogs, lang string, t func(string, ...any) string) {
	doc.Table.Columns = []pdf.Column{{Title: t("description"), Wide: true}, {Title: t("quantity"), Align: pdf.Right}, {Title: t("unit_price"), Align: pdf.Right},
		{Title: t("discount"), Align: pdf.Right}, {Title: t("amount"), Align: pdf.Right}}
	discounted := slices.ContainsFunc(c.Conceptos, func(x Concepto) bool { return x.Descuento != "" })
	if !discounted { // its place is for the descriptions
		doc.Table.Columns = slices.Delete(doc.Table.Columns, 3, 4)
	}
	for _, x := range c.Conceptos {
		note := []string{cat.Label(CatClaveProdServ, x.ClaveProdServ), cat.Label(CatClaveUnidad, x.ClaveUnidad), t("taxable") + " " + cat.Label(CatObjetoImp, x.ObjetoImp)}
		if x.Impuestos != nil {
			for _, tax := range x.Impuestos.Traslados {
				note = append(note, taxLabel(tax.Impuesto, tax.TipoFactor, tax.TasaOCuota)+" "+grouped(tax.Importe))
			}
			for _, tax := range x.Impuestos.Retenciones {
				note = append(note, t("withheld")+" "+taxLabel(tax.Impuesto, tax.TipoFactor, tax.TasaOCuota)+" "+grouped(tax.Importe))
			}
		}
		if c.InformacionGlobal != nil { // all of them are «Venta»: what tells them apart is the receipt's number
			x.Descripcion += " " + x.NoIdentificacion
		}
		cells := []string{x.Descripcion, string(x.Cantidad), grouped(x.ValorUnitario), grouped(x.Descuento), grouped(x.Importe)}
		if !discounted {
			cells = slices.Delete(cells, 3, 4)
		}
		doc.Table.Rows = append(doc.Table.Rows, pdf.Row{Note: strings.Join(note, " · "), Cells: cells})
	}
	add := func(label string, value Num, strong bool) {
		if value != "" {
			doc.Totals = append(doc.Totals, pdf.Total{Label: label, Value: grouped(value), Strong: strong})
		}
	}
	add(t("subtotal"), c.SubTotal, false)
	add(t("discount"), c.Descuento, false)
	if c.Impuestos != nil {
		for _, tax := range c.Impuestos.Traslados {
			add(taxLabel(tax.Impuesto, tax.TipoFactor, tax.TasaOCuota), tax.Importe, false)
		}
		for _, tax := range c.Impuestos.Retenciones {
			add(t("withheld")+" "+taxLabel(tax.Impuesto, FactorTasa, ""), tax.Importe, false)
		}
	}
	add(t("total"), c.Total+Num(" "+c.Moneda), true)
	currency := money.Currency(c.Moneda)
	if d, err := money.Parse(string(c.Total)); err == nil {
		if m, err := d.Minor(currency); err == nil {
			doc.InWords = money.InWords(m, currency, lang)
		}
	}
}

func printPagos(doc *pdf.Document, c *Comprobante, cat *Catalogs, t func(string, ...any) string) {
	doc.Table.Columns = []pdf.Column{{Title: t("payment"), Wide: true}, {Title: t("rate"), Align: pdf.Right}, {Title: t("amount"), Align: pdf.Right}}
	table := pdf.Table{Columns: []pdf.Column{{Title: t("paid_document"), Wide: true}, {Title: t("instalment"), Align: pdf.Right}, {Title: t("balance_before"), Align: pdf.Right},
		{Title: t("paid"), Align: pdf.Right}, {Title: t("balance_after"), Align: pdf.Right}}}
	for _, p := range c.Pagos().Pago {
		note := ""
		if p.NumOperacion != "" {
			note = t("operation") + " " + p.NumOperacion
		}
		doc.Table.Rows = append(doc.Table.Rows, pdf.Row{Note: note, Cells: []string{strings.Replace(p.FechaPago, "T", " ", 1) + " · " + cat.Label(CatFormaPago, p.FormaDePagoP),
			string(p.TipoCambioP), grouped(p.Monto) + " " + p.MonedaP}})
		for _, d := range p.DoctoRelacionado {
			var taxes []string
			if d.ImpuestosDR != nil {
				for _, tax := range d.ImpuestosDR.TrasladosDR {
					taxes = append(taxes, taxLabel(tax.ImpuestoDR, tax.TipoFactorDR, tax.TasaOCuotaDR)+": "+grouped(tax.BaseDR)+" → "+grouped(tax.ImporteDR))
				}
				for _, tax := range d.ImpuestosDR.RetencionesDR {
					taxes = append(taxes, t("withheld")+" "+taxLabel(tax.ImpuestoDR, tax.TipoFactorDR, tax.TasaOCuotaDR)+": "+grouped(tax.ImporteDR))
				}
			}
			table.Rows = append(table.Rows, pdf.Row{Note: strings.Join(append([]string{d.Serie + " " + d.Folio + " · " + d.MonedaDR}, taxes...), " · "),
				Cells: []string{d.IdDocumento, d.NumParcialidad, grouped(d.ImpSaldoAnt), grouped(d.ImpPagado), grouped(d.ImpSaldoInsoluto)}})
		}
	}
	doc.Fiscal.Payments = &table
	total := c.Pagos().Totales.MontoTotalPagos
	doc.Totals = []pdf.Total{{Label: t("total_paid"), Value: grouped(total) + " MXN", Strong: true}}
}

// taxLabel names a tax and its rate: "IVA 16%".
func taxLabel(impuesto, factor string, tasa Num) string {
	name := map[string]string{ImpuestoISR: "ISR", ImpuestoIVA: "IVA", ImpuestoIEPS: "IEPS"}[impuesto]
	switch {
	case factor == FactorExento:
		return name + " exento"
	case tasa == "":
		return name
	}
	percent := mul(tasa.Rat(), ratInt(100)).FloatString(4)
	return name + " " + strings.TrimRight(strings.TrimRight(percent, "0"), ".") + "%"
}

// grouped writes an amount as it is in the document, with separators of thousands.
func grouped(n Num) string {
	number, rest, _ := strings.Cut(string(n), " ")
	whole, cents, dot := strings.Cut(number, ".")
	var b strings.Builder
	for i, r := range whole {
		if i > 0 && (len(whole)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(r)
	}
	if dot {
		b.WriteString("." + cents)
	}
	if rest != "" {
		b.WriteString(" " + rest)
	}
	return b.String()
}
