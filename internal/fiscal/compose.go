package fiscal

import (
	"cmp"
	"context"
	"fmt"
	"strconv"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
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
	var to Receptor
	if row.ProfileID != 0 {
		profile, err := tx.FiscalProfile(ctx, row.ProfileID)
		if err != nil {
			return nil, err
		}
		to = receptor(profile, issuer.LugarExpedicion)
	}
	emisor := Emisor{Rfc: issuer.Rfc, Nombre: issuer.Nombre, RegimenFiscal: issuer.RegimenFiscal}
	d := Draft{Folio: strconv.FormatInt(folio, 10), Fecha: s.Now(), LugarExpedicion: issuer.LugarExpedicion, Emisor: emisor, Receptor: to, MetodoPago: row.MetodoPago}
	switch row.Kind {
	case db.CFDIIngreso:
		d.Tipo, d.Serie = TipoIngreso, issuer.SerieIngreso
		return s.composeIngreso(ctx, tx, row, d)
	case db.CFDIAnticipo:
		d.Tipo, d.Serie = TipoIngreso, issuer.SerieIngreso
		return s.composeAnticipo(ctx, tx, row, d)
	case db.CFDIEgreso:
		d.Serie = issuer.SerieEgreso
		if row.CreditNoteID == 0 && row.InvoiceID == 0 {
			return s.composeDevolucion(ctx, tx, row, d)
		}
		if row.CreditNoteID == 0 {
			return s.composeAplicacion(ctx, tx, row, d)
		}
		return s.composeEgreso(ctx, tx, row, d)
	case db.CFDIGlobal:
		d.Serie = issuer.SerieGlobal
		return s.composeGlobal(ctx, tx, row, d)
	case db.CFDIPago:
		return s.composePago(ctx, tx, row, PagoDraft{Serie: issuer.SeriePago, Folio: d.Folio, Fecha: d.Fecha, LugarExpedicion: d.LugarExpedicion, Emisor: emisor, Receptor: to})
	}
	return nil, fmt.Errorf("fiscal: documents of kind %q are not composed here", row.Kind)
}

func (s *Service) composeIngreso(ctx context.Context, tx *db.Store, row db.CFDI, d Draft) (*Comprobante, error) {
	invoice, err := tx.Invoice(ctx, row.InvoiceID)
	if err != nil {
		return nil, err
	}
	globals, err := tx.GlobalsOf(ctx, invoice.ID)
	if err != nil {
		return nil, err
	}
	if len(globals) > 0 {
		return nil, errGlobalInForce
	}
	lines, err := tx.InvoiceLines(ctx, invoice.ID)
	if err != nil {
		return nil, err
	}
	d.Moneda, d.Expect, d.TipoCambio = invoice.Currency, invoice.Total, invoice.ExchangeRate
	if d.MetodoPago == "PUE" {
		if d.FormaPago, err = paidBy(ctx, tx, row); err != nil {
			return nil, err
		}
	}
	if d.Relacionados, err = sustituye(ctx, tx, row); err != nil {
		return nil, err
	}
	if err := s.paidByAnticipos(ctx, tx, row, &d); err != nil {
		return nil, err
	}
	if d.Lines, err = linesOf(invoice.Currency, lines, Line{ClaveProdServ: defaultClaveProdServ, ClaveUnidad: defaultClaveUnidad, NoIdentificacion: invoice.Number}); err != nil {
		return nil, err
	}
	return Build(d)
}

// errGlobalInForce makes the document of a sale wait for the cancellation of the global invoice that it is in.
var errGlobalInForce = fault.New(fault.Unavailable, "FISCAL_GLOBAL_IN_FORCE")

// What a line is where nothing else was said: web hosting (hospedaje de operación de sitios web), by the
// unit of service.
const (
	defaultClaveProdServ = "81112105"
	defaultClaveUnidad   = "E48"
)

// linesOf are the lines with the ledger's own amounts: the document shows the same cents. base says what a line is
// where it does not say so itself.
func linesOf(currency money.Currency, lines []db.InvoiceLine, base Line) ([]Line, error) {
	totals, err := billing.Compute(billing.TaxDocumentOf(currency, lines))
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
		out = append(out, Line{ClaveProdServ: cmp.Or(line.ClaveProdServ, base.ClaveProdServ), ClaveUnidad: cmp.Or(line.ClaveUnidad, base.ClaveUnidad),
			NoIdentificacion: base.NoIdentificacion, Descripcion: line.Description,
			IVA: IVA(line.Treatment), Amounts: &Amounts{Cantidad: amounts.Cantidad, ValorUnitario: amounts.ValorUnitario, Importe: amounts.Importe, Descuento: amounts.Descuento,
				Retenciones: withheld}})
	}
	return out, nil
}

// paidBy is the form of payment of the largest part of the invoice's payments (Anexo 20 guide, FormaPago); 99 when
// nothing was paid.
func paidBy(ctx context.Context, tx *db.Store, row db.CFDI) (string, error) {
	parts, err := tx.PaidBy(ctx, row.InvoiceID)
	return largest(parts), err
}

func largest(parts []db.PaidPart) string {
	sums, best := map[string]money.Minor{}, ""
	for _, part := range parts {
		key := formaPago(part.Method)
		if sums[key] += part.Amount; best == "" || sums[key] > sums[best] {
			best = key
		}
	}
	return cmp.Or(best, "99")
}
