package fiscal

import (
	"cmp"
	"context"
	"slices"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// What documents of anticipos say (guide of Anexo 20, appendix 6), besides the product and unit of billing services.
const (
	anticipoDescripcion   = "Anticipo del bien o servicio"
	aplicacionDescripcion = "Aplicación de anticipo"
	relacionAnticipo      = "07"
	formaAnticipo         = "30" // c_FormaPago: aplicación de anticipos
)

// AnticipoInput asks for the document of a payment on account.
type AnticipoInput struct {
	PaymentID id.Payment
	ProfileID id.FiscalProfile // 0: the client's default one
	Treatment IVA              // of the amount, which contains it; "" is IVA16
}

// treatments of an anticipo.
var treatments = []IVA{IVA16, IVA8, IVA0, IVAExento, NoObjeto}

// RequestAnticipo asks for the document (ingreso, PUE) of a payment on account: money received for a service that is not
// known yet, of which the part that is still the client's credit counts (guide of Anexo 20, appendix 6). Where service
// and price are known it is no anticipo but a partial payment of its invoice. When the credit pays an invoice later, the
// invoice's document names the anticipo (TipoRelacion 07) and an egreso takes it out of the income again. A document
// that was refused is built anew; for one that waits or is stamped nothing happens. Staff only.
func (s *Service) RequestAnticipo(ctx context.Context, in AnticipoInput) (row db.CFDI, err error) {
	if err := access.RequireCapability(ctx, access.ManageBilling); err != nil {
		return row, err
	}
	if in.Treatment == "" {
		in.Treatment = IVA16
	}
	if !slices.Contains(treatments, in.Treatment) {
		var checks fault.Checks
		checks.Add("treatment", "VALUE_INVALID")
		return row, checks.Err()
	}
	err = s.Store.InTx(ctx, func(tx *db.Store) error {
		payment, err := tx.LockPayment(ctx, in.PaymentID)
		if err != nil {
			return err
		}
		if err := tx.Lock(ctx, "fiscal "+payment.ClientID.String()); err != nil {
			return err
		}
		issuer, err := s.issuer(ctx, tx)
		if err != nil {
			return err
		}
		if !issuer.Ready() {
			return fault.New(fault.Conflict, "FISCAL_ISSUER_INCOMPLETE")
		}
		profile, err := profileOf(ctx, tx, payment.ClientID, in.ProfileID)
		if err != nil {
			return err
		}
		earlier, found, err := tx.AnticipoDocument(ctx, payment.ID)
		if err != nil {
			return err
		}
		if found {
			return s.anticipoAgain(ctx, tx, &row, earlier, profile.ID)
		}
		left, err := tx.PaymentsOnAccount(ctx, payment.ID, 1)
		if err != nil {
			return err
		}
		if len(left) == 0 {
			return fault.New(fault.Conflict, "FISCAL_ANTICIPO_NOTHING")
		}
		if row, err = s.add(ctx, tx, db.CFDI{Kind: db.CFDIAnticipo, ClientID: payment.ClientID, PaymentID: payment.ID, ProfileID: profile.ID, MetodoPago: "PUE"}); err != nil {
			return err
		}
		about := db.Anticipo{CFDIID: row.ID, ClientID: payment.ClientID, PaymentID: payment.ID, Currency: payment.Currency, Amount: left[0].Amount, Treatment: string(in.Treatment)}
		if err := tx.AddAnticipo(ctx, &about); err != nil {
			return err
		}
		return tx.Audit(ctx, db.AuditEntry{Client: payment.ClientID, Verb: "cfdi.anticipo", Object: row.ID.String(),
			After: map[string]any{"payment": payment.ID.String(), "amount": about.Amount, "currency": about.Currency, "treatment": about.Treatment}})
	})
	return row, err
}

// anticipoAgain builds one that was refused anew; for one on its way, or stamped, nothing happens.
func (s *Service) anticipoAgain(ctx context.Context, tx *db.Store, row *db.CFDI, earlier id.CFDI, profile id.FiscalProfile) (err error) {
	if *row, err = tx.LockCFDI(ctx, earlier); err != nil || row.Status != db.CFDIStampFailed {
		return err
	}
	row.ProfileID, row.Status, row.Refusal = profile, db.CFDIDraft, db.Refusal{}
	if err := tx.SaveCFDI(ctx, row); err != nil {
		return err
	}
	return tx.Enqueue(ctx, stampJob(*row))
}

// OnAccount lists payments that are the client's credit and have no document: the newest first, at most 100. Staff only.
func (s *Service) OnAccount(ctx context.Context) ([]db.OnAccount, error) {
	if err := access.RequireCapability(ctx, access.ReadBilling); err != nil {
		return nil, err
	}
	return s.Store.PaymentsOnAccount(ctx, 0, 100)
}

func (s *Service) composeAnticipo(ctx context.Context, tx *db.Store, row db.CFDI, d Draft) (*Comprobante, error) {
	about, err := tx.Anticipo(ctx, row.ID)
	if err != nil {
		return nil, err
	}
	payment, err := tx.Payment(ctx, about.PaymentID)
	if err != nil {
		return nil, err
	}
	if payment.VoidedAt != nil {
		return nil, refuse("payment_taken_back", "", "", "El pago fue revertido: no hay anticipo que facturar.", "The payment was taken back: there is no anticipo to invoice.")
	}
	d.Moneda, d.FormaPago, d.Expect = about.Currency, formaPago(payment.Method), about.Amount
	if d.Moneda != money.MXN {
		rate, err := tx.RateOn(ctx, d.Moneda, payment.ReceivedOn)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return nil, err
		}
		d.TipoCambio = rate.Rate // without one the rules refuse the document, until staff enters it
	}
	price, err := about.Amount.Decimal(about.Currency)
	if err != nil {
		return nil, err
	}
	d.Lines = []Line{{ClaveProdServ: egresoClaveProdServ, ClaveUnidad: egresoClaveUnidad, Cantidad: money.Int(1), Descripcion: anticipoDescripcion,
		ValorUnitario: price, IVA: IVA(about.Treatment), TaxIncluded: true}}
	return Build(d)
}

// applyAnticipos notes which anticipos pay an invoice: as much of its client's credit as there are anticipos to the same
// receiver, the oldest first. What the credit no longer pays is released, the newest first, and its egreso cancelled.
func (s *Service) applyAnticipos(ctx context.Context, tx *db.Store, invoice db.Invoice, rfc string) ([]db.AnticipoApplication, error) {
	applied, err := tx.AnticipoApplications(ctx, invoice.ID)
	if err != nil {
		return nil, err
	}
	credit, entry, err := tx.CreditApplied(ctx, invoice.ID)
	if err != nil {
		return nil, err
	}
	for _, part := range applied {
		credit -= part.Amount
	}
	for credit < 0 && len(applied) > 0 {
		last := applied[len(applied)-1]
		if err := s.releaseAnticipo(ctx, tx, last); err != nil {
			return nil, err
		}
		applied, credit = applied[:len(applied)-1], credit+last.Amount
	}
	if credit <= 0 {
		return applied, nil
	}
	found, err := tx.Anticipos(ctx, invoice.ClientID)
	if err != nil {
		return nil, err
	}
	var fresh []db.AnticipoApplication
	for _, a := range found {
		if a.Currency != invoice.Currency || a.Rfc != rfc || a.Left() <= 0 || credit == 0 {
			continue
		}
		part := db.AnticipoApplication{AnticipoID: a.CFDIID, InvoiceID: invoice.ID, Amount: min(a.Left(), credit), Entry: entry}
		fresh, credit = append(fresh, part), credit-part.Amount
	}
	return append(applied, fresh...), tx.ApplyAnticipos(ctx, fresh)
}

func (s *Service) releaseAnticipo(ctx context.Context, tx *db.Store, part db.AnticipoApplication) error {
	if err := tx.ReleaseAnticipo(ctx, part); err != nil || part.EgresoID == 0 {
		return err
	}
	egreso, err := tx.LockCFDI(ctx, part.EgresoID)
	if err != nil || egreso.Status != db.CFDIStamped {
		return err // one on its way is cancelled when it is stamped
	}
	return tx.Enqueue(ctx, TakeBackJob{CFDI: egreso.ID})
}

// followAnticipos asks for the egreso of each anticipo that pays an invoice whose own document is stamped.
func (s *Service) followAnticipos(ctx context.Context, tx *db.Store, invoice db.Invoice, origin db.CFDI, earlier []db.CFDI) error {
	applied, err := s.applyAnticipos(ctx, tx, invoice, origin.RfcReceptor)
	if err != nil {
		return err
	}
	for _, part := range applied {
		asked := slices.ContainsFunc(earlier, func(c db.CFDI) bool { return c.ID == part.EgresoID && c.Status != db.CFDICancelled })
		if asked {
			continue
		}
		row, err := s.add(ctx, tx, db.CFDI{Kind: db.CFDIEgreso, ClientID: invoice.ClientID, InvoiceID: invoice.ID, RelatedID: origin.ID, ProfileID: origin.ProfileID, MetodoPago: "PUE"})
		if err != nil {
			return err
		}
		part.EgresoID = row.ID
		if err := tx.ApplyAnticipos(ctx, []db.AnticipoApplication{part}); err != nil {
			return err
		}
	}
	return nil
}

// errAnticipoWaits makes a document wait for the stamp of an anticipo that it names.
var errAnticipoWaits = fault.New(fault.Unavailable, "FISCAL_ANTICIPO_WAITS")

// anticiposOf are the stamped documents of the anticipos that pay an invoice, in order.
func anticiposOf(ctx context.Context, tx *db.Store, applied []db.AnticipoApplication) ([]*Comprobante, error) {
	ids := make([]id.CFDI, len(applied))
	for i, part := range applied {
		ids[i] = part.AnticipoID
	}
	rows, err := tx.CFDIFiles(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make([]*Comprobante, len(ids))
	for i, cfdi := range ids {
		row := rows[cfdi]
		if !row.Stamped() {
			return nil, errAnticipoWaits
		}
		doc, err := Parse(row.XML)
		if err != nil {
			return nil, err
		}
		out[i] = doc.Comprobante
	}
	return out, nil
}

// paidByAnticipos completes the document of an invoice that anticipos pay: it names them (07), and its FormaPago is that
// of what was paid besides, 30 where nothing was.
func (s *Service) paidByAnticipos(ctx context.Context, tx *db.Store, row db.CFDI, d *Draft) error {
	applied, err := tx.AnticipoApplications(ctx, row.InvoiceID)
	if err != nil || len(applied) == 0 {
		return err
	}
	documents, err := anticiposOf(ctx, tx, applied)
	if err != nil {
		return err
	}
	uuids := make([]string, 0, len(documents))
	for _, c := range documents {
		if uuid := c.Timbre().UUID; !slices.Contains(uuids, uuid) { // the credit may have paid in parts
			uuids = append(uuids, uuid)
		}
	}
	d.Relacionados = append(d.Relacionados, Relacion(relacionAnticipo, uuids...))
	if d.MetodoPago != "PUE" {
		return nil
	}
	parts, err := tx.PaidBy(ctx, row.InvoiceID)
	if err != nil {
		return err
	}
	for i := range parts {
		if parts[i].Method == "credit" {
			for _, part := range applied {
				parts[i].Amount -= part.Amount
			}
		}
	}
	if parts = slices.DeleteFunc(parts, func(p db.PaidPart) bool { return p.Amount <= 0 }); len(parts) == 0 {
		d.FormaPago = formaAnticipo
		return nil
	}
	d.FormaPago = largest(parts)
	return nil
}

// composeAplicacion takes an anticipo, as far as it pays an invoice, out of the income again.
func (s *Service) composeAplicacion(ctx context.Context, tx *db.Store, row db.CFDI, d Draft) (*Comprobante, error) {
	part, err := tx.AnticipoApplicationOf(ctx, row.ID)
	if fault.Is(err, fault.NotFound) {
		return nil, refuse("anticipo_released", "", "CfdiRelacionados", "El saldo a favor ya no paga esta factura: no hay anticipo que aplicar.", "The credit no longer pays this invoice: there is no anticipo to apply.")
	}
	if err != nil {
		return nil, err
	}
	documents, err := anticiposOf(ctx, tx, []db.AnticipoApplication{part})
	if err != nil {
		return nil, err
	}
	origin, err := tx.CFDI(ctx, row.RelatedID)
	if err != nil {
		return nil, err
	}
	if origin.Status != db.CFDIStamped {
		return nil, refuse("origin_not_in_force", "", "CfdiRelacionados", "La factura de origen ya no está vigente.", "The original invoice is no longer in force.")
	}
	d.Relacionados = []CfdiRelacionados{Relacion(relacionAnticipo, origin.UUID)}
	return draftAplicacion(part, documents[0], d)
}

// draftAplicacion is the egreso of the part of an anticipo that pays an invoice, with the anticipo's own taxes.
func draftAplicacion(part db.AnticipoApplication, anticipo *Comprobante, d Draft) (*Comprobante, error) {
	d.FormaPago = formaAnticipo
	return BuildEgreso(d, anticipo, part.Amount, aplicacionDescripcion)
}

// takeBackAnticipos asks for the cancellation of anticipos whose payments were taken back. What goes wrong with one is
// logged, and returned at the end.
func (s *Service) takeBackAnticipos(ctx context.Context) (failed error) {
	for last := id.CFDI(0); ; {
		ids, err := s.Store.AnticiposTakenBack(ctx, last, 100)
		if err != nil || len(ids) == 0 {
			return cmp.Or(err, failed)
		}
		for _, cfdi := range ids {
			if err := s.TakeBack(ctx, TakeBackJob{CFDI: cfdi}); err != nil {
				s.logger().Error("an anticipo whose payment was taken back could not be cancelled", "cfdi", cfdi.String(), "error", err)
				failed = err
			}
			last = cfdi
		}
		if err := ctx.Err(); err != nil {
			return err
		}
	}
}
