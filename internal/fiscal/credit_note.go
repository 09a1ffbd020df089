package fiscal

import (
	"context"
	"slices"

	"github.com/nubedigitalmx/avisa/db"
)

// What a line of a credit note is where nothing else was said: billing services, by the activity (guide of Anexo 20,
// CFDI de egresos).
const (
	egresoClaveProdServ = "84111506"
	egresoClaveUnidad   = "ACT"
)

// followCredits asks for the document (egreso) of each credit note of an invoice whose own document is stamped, or
// whose sale is in a stamped global invoice.
func (s *Service) followCredits(ctx context.Context, tx *db.Store, invoice db.Invoice, origin db.CFDI, earlier []db.CFDI) error {
	notes, err := tx.CreditNotes(ctx, invoice.ID)
	if err != nil {
		return err
	}
	for _, note := range notes {
		if slices.ContainsFunc(earlier, func(c db.CFDI) bool { return c.CreditNoteID == note.ID && c.Status != db.CFDICancelled }) {
			continue
		}
		if _, err := s.add(ctx, tx, db.CFDI{Kind: db.CFDIEgreso, ClientID: invoice.ClientID, InvoiceID: invoice.ID, CreditNoteID: note.ID,
			RelatedID: origin.ID, ProfileID: origin.ProfileID, MetodoPago: "PUE"}); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) composeEgreso(ctx context.Context, tx *db.Store, row db.CFDI, d Draft) (*Comprobante, error) {
	origin, err := tx.CFDI(ctx, row.RelatedID)
	if err != nil {
		return nil, err
	}
	if origin.Status != db.CFDIStamped {
		return nil, refuse("origin_not_in_force", "", "CfdiRelacionados", "La factura de origen ya no está vigente.", "The original invoice is no longer in force.")
	}
	doc, err := Parse(origin.XML)
	if err != nil {
		return nil, err
	}
	note, err := tx.CreditNote(ctx, row.CreditNoteID)
	if err != nil {
		return nil, err
	}
	if doc.Comprobante.FormaPago == "99" {
		// How it was paid meanwhile; where nothing was, the debt is forgiven.
		if d.FormaPago, err = paidBy(ctx, tx, row); err != nil {
			return nil, err
		}
		if d.FormaPago == "99" {
			d.FormaPago = ""
		}
	}
	return draftEgreso(note, doc.Comprobante, d)
}

// draftEgreso makes the document of a credit note: its own lines with the ledger's own amounts, to the receiver of the
// origin and related to it, as a discount (TipoRelacion 01) or a return (03).
func draftEgreso(note db.CreditNote, origin *Comprobante, d Draft) (*Comprobante, error) {
	d, err := ofOrigin(d, origin)
	if err != nil {
		return nil, err
	}
	relation := "01"
	if note.Return {
		relation = "03"
	}
	d.Relacionados = []CfdiRelacionados{Relacion(relation, origin.Timbre().UUID)}
	d.Moneda, d.TipoCambio, d.Expect = note.Currency, note.ExchangeRate, note.Total
	lines := make([]db.InvoiceLine, len(note.Lines))
	for i, l := range note.Lines {
		lines[i] = db.InvoiceLine{Description: l.Description, Quantity: l.Quantity, UnitPrice: l.UnitPrice, Discount: l.Discount, Amount: l.Amount, Treatment: l.Treatment,
			PriceIncludesTax: l.PriceIncludesTax, RetencionISR: l.RetencionISR, RetencionIVA: l.RetencionIVA, ClaveProdServ: l.ClaveProdServ, ClaveUnidad: l.ClaveUnidad}
	}
	if d.Lines, err = linesOf(note.Currency, lines, Line{ClaveProdServ: egresoClaveProdServ, ClaveUnidad: egresoClaveUnidad, NoIdentificacion: note.Number}); err != nil {
		return nil, err
	}
	return Build(d)
}
