package fiscal

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// formaPago is the SAT's key (c_FormaPago) of how money was received. A method without one is 99, which
// the rules refuse, so that staff decides.
func formaPago(method string) string {
	keys := map[string]string{"cash": "01", "cheque": "02", "transfer": "03", "card": "04", "credit": "17", "debit": "28", "wallet": "31"}
	if key := keys[method]; key != "" {
		return key
	}
	return "99"
}

// compose builds the unsealed document of a record. folio is 0 for a trial, before one is reserved.
func (s *Service) compose(ctx context.Context, tx *db.Store, row db.CFDI, issuer db.FiscalIssuer, folio int64) (*Comprobante, error) {
	profile, err := tx.FiscalProfile(ctx, row.ProfileID)
	if err != nil {
		return nil, err
	}
	emisor := Emisor{Rfc: issuer.Rfc, Nombre: issuer.Nombre, RegimenFiscal: issuer.RegimenFiscal}
	to := receptor(profile, issuer.LugarExpedicion)
	number := strconv.FormatInt(folio, 10)
	switch row.Kind {
	case db.CFDIIngreso:
		return s.composeIngreso(ctx, tx, row, Draft{Tipo: TipoIngreso, Serie: issuer.SerieIngreso, Folio: number, Fecha: s.Now(), LugarExpedicion: issuer.LugarExpedicion,
			Emisor: emisor, Receptor: to, MetodoPago: row.MetodoPago})
	case db.CFDIPago:
		return s.composePago(ctx, tx, row, PagoDraft{Serie: issuer.SeriePago, Folio: number, Fecha: s.Now(), LugarExpedicion: issuer.LugarExpedicion, Emisor: emisor, Receptor: to})
	}
	return nil, fmt.Errorf("fiscal: documents of kind %q are not composed here", row.Kind)
}

func (s *Service) composeIngreso(ctx context.Context, tx *db.Store, row db.CFDI, d Draft) (*Comprobante, error) {
	invoice, err := tx.Invoice(ctx, row.InvoiceID)
	if err != nil {
		return nil, err
	}
	lines, err := tx.InvoiceLines(ctx, invoice.ID)
	if err != nil {
		return nil, err
	}
	d.Moneda, d.Expect, d.TipoCambio = invoice.Currency, invoice.Total, invoice.ExchangeRate
	if d.MetodoPago == "PUE" {
		payments, err := tx.Payments(ctx, invoice.ID)
		if err != nil {
			return nil, err
		}
		d.FormaPago = largest(payments)
	}
	if d.Lines, err = linesOf(invoice, lines); err != nil {
		return nil, err
	}
	return Build(d)
}

// What a line is where nothing else was said: web hosting (hospedaje de operación de sitios web), by the
// unit of service.
const (
	defaultClaveProdServ = "81112105"
	defaultClaveUnidad   = "E48"
)

// linesOf are the invoice's lines with the ledger's own amounts: the document shows the same cents.
func linesOf(invoice db.Invoice, lines []db.InvoiceLine) ([]Line, error) {
	totals, err := billing.Compute(billing.TaxDocumentOf(invoice.Currency, lines))
	if err != nil {
		return nil, err
	}
	var out []Line
	for i, line := range lines {
		amounts := totals.Lines[i]
		if !amounts.IsConcepto() {
			continue
		}
		var withheld []Retencion
		for _, r := range amounts.Retenciones {
			withheld = append(withheld, Retencion{Impuesto: r.Impuesto, Tasa: r.TasaOCuota})
		}
		out = append(out, Line{ClaveProdServ: cmp.Or(line.ClaveProdServ, defaultClaveProdServ), ClaveUnidad: cmp.Or(line.ClaveUnidad, defaultClaveUnidad), NoIdentificacion: invoice.Number, Descripcion: line.Description,
			IVA: IVA(line.Treatment), Amounts: &Amounts{Cantidad: amounts.Cantidad, ValorUnitario: amounts.ValorUnitario, Importe: amounts.Importe, Descuento: amounts.Descuento,
				Retenciones: withheld}})
	}
	return out, nil
}

// largest is the form of payment of the largest part (Anexo 20 guide, FormaPago).
func largest(payments []db.Payment) string {
	sums, best := map[string]money.Minor{}, ""
	for _, p := range payments {
		key := formaPago(p.Method)
		if sums[key] += p.Applied; best == "" || sums[key] > sums[best] {
			best = key
		}
	}
	if best == "" {
		return "99"
	}
	return best
}

// errEarlierReceipt makes a receipt wait for the one before it, whose stamp it counts on.
var errEarlierReceipt = fault.New(fault.Unavailable, "FISCAL_EARLIER_RECEIPT")

// composePago makes the receipt of one payment: what the earlier ones paid of the document is read from
// their stamped XML.
func (s *Service) composePago(ctx context.Context, tx *db.Store, row db.CFDI, d PagoDraft) (*Comprobante, error) {
	origin, err := tx.CFDI(ctx, row.RelatedID)
	if err != nil {
		return nil, err
	}
	paid, err := Parse(origin.XML)
	if err != nil {
		return nil, err
	}
	invoice, err := tx.Invoice(ctx, row.InvoiceID)
	if err != nil {
		return nil, err
	}
	payment, err := paymentOf(ctx, tx, invoice.ID, row.PaymentID)
	if err != nil {
		return nil, err
	}
	doc := DocumentoPagado{UUID: origin.UUID, Serie: paid.Comprobante.Serie, Folio: paid.Comprobante.Folio, Moneda: invoice.Currency, NumParcialidad: 1,
		ImpSaldoAnt: invoice.Total, ImpPagado: payment.Applied, Total: invoice.Total, Impuestos: ImpuestosPorPagar(paid.Comprobante)}
	rows, err := tx.CFDIsOf(ctx, invoice.ID)
	if err != nil {
		return nil, err
	}
	for _, earlier := range rows {
		if earlier.Kind != db.CFDIPago || earlier.RelatedID != origin.ID || earlier.PaymentID >= row.PaymentID || earlier.Status == db.CFDICancelled {
			continue
		}
		if !earlier.Stamped() {
			return nil, errEarlierReceipt
		}
		full, err := tx.CFDI(ctx, earlier.ID)
		if err != nil {
			return nil, err
		}
		receipt, err := Parse(full.XML)
		if err != nil {
			return nil, err
		}
		for _, pago := range receipt.Comprobante.Pagos().Pago {
			for _, dr := range pago.DoctoRelacionado {
				doc.Impuestos = ConPago(doc.Impuestos, dr)
			}
		}
		before, err := paymentOf(ctx, tx, invoice.ID, earlier.PaymentID)
		if err != nil {
			return nil, err
		}
		doc.NumParcialidad++
		doc.ImpSaldoAnt -= before.Applied
	}
	y, m, day := payment.ReceivedOn.Time().Date()
	received := time.Date(y, m, day, 12, 0, 0, 0, ZonaHoraria(d.LugarExpedicion))
	if now := s.Now(); received.After(now) {
		received = now
	}
	d.Pagos = []PagoRecibido{{FechaPago: received, FormaDePagoP: formaPago(payment.Method), Moneda: payment.Currency, Monto: payment.Applied, Documentos: []DocumentoPagado{doc}}}
	return BuildPago(d)
}

func paymentOf(ctx context.Context, tx *db.Store, invoice id.Invoice, payment id.Payment) (db.Payment, error) {
	rows, err := tx.Payments(ctx, invoice)
	if err != nil {
		return db.Payment{}, err
	}
	for _, row := range rows {
		if row.ID == payment {
			return row, nil
		}
	}
	return db.Payment{}, fault.Missing()
}
