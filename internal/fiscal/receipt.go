package fiscal

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// followReceipts asks for the receipts (REP) of what settles an invoice of a stamped PPD document: one per payment
// and receiver, over all the invoices that the payment settles. What was taken back, or is no longer as its receipt
// says, gets its receipt cancelled, and with it the later receipts of the same invoices, whose partial payments
// and balances count on it; what is left of them is receipted anew.
func (s *Service) followReceipts(ctx context.Context, tx *db.Store, invoice db.Invoice) error {
	settled, err := tx.Settlements(ctx, invoice.ID)
	if err != nil {
		return err
	}
	var wrong []id.Invoice
	for _, row := range settled {
		if row.Receipted != 0 && row.Receipted != row.Applied {
			wrong = append(wrong, row.InvoiceID)
		}
	}
	if len(wrong) > 0 {
		others, err := s.takeBack(ctx, tx, invoice.ID, wrong)
		if err != nil {
			return err
		}
		for _, other := range others {
			if err := tx.Enqueue(ctx, billing.ChangedJob{InvoiceID: other, Version: s.Now().UnixMicro()}); err != nil {
				return err
			}
		}
		if settled, err = tx.Settlements(ctx, invoice.ID); err != nil {
			return err
		}
	}
	issuer, err := tx.FiscalIssuer(ctx)
	if err != nil {
		return err
	}
	for _, group := range s.receiptsDue(settled, ZonaHoraria(issuer.LugarExpedicion)) {
		if err := s.addReceipt(ctx, tx, invoice.ClientID, group); err != nil {
			return err
		}
	}
	return nil
}

// receiptsDue groups what is settled and not receipted by payment and receiver. A payment waits for the invoices whose
// own documents are on their way, until the next month begins where the issuer is: its receipt is due by the fifth (guide of the
// Recepción de pagos complement).
func (s *Service) receiptsDue(settled []db.Settlement, zone *time.Location) [][]db.Settlement {
	type key struct {
		payment id.Payment
		rfc     string
	}
	groups, order, waits := map[key][]db.Settlement{}, []key{}, map[id.Payment]bool{}
	for _, row := range settled {
		if row.Applied <= 0 || row.Receipted != 0 {
			continue
		}
		if row.Status != db.CFDIStamped {
			y, m, _ := row.ReceivedOn.Time().Date()
			onItsWay := row.Status == db.CFDIDraft || row.Status == db.CFDISealed || row.Status == db.CFDIStamping
			waits[row.PaymentID] = waits[row.PaymentID] || onItsWay && s.Now().Before(time.Date(y, m+1, 1, 0, 0, 0, 0, zone))
			continue
		}
		k := key{row.PaymentID, row.Rfc}
		if groups[k] == nil {
			order = append(order, k)
		}
		groups[k] = append(groups[k], row)
	}
	var due [][]db.Settlement
	for _, k := range order {
		if !waits[k.payment] {
			due = append(due, groups[k])
		}
	}
	return due
}

func (s *Service) addReceipt(ctx context.Context, tx *db.Store, client id.Client, group []db.Settlement) error {
	slices.SortFunc(group, func(a, b db.Settlement) int { return cmp.Compare(a.InvoiceID, b.InvoiceID) })
	first := group[0]
	row, err := s.add(ctx, tx, db.CFDI{Kind: db.CFDIPago, ClientID: client, InvoiceID: first.InvoiceID, PaymentID: first.PaymentID, RelatedID: first.IngresoID, ProfileID: first.ProfileID})
	if err != nil {
		return err
	}
	parts := make([]db.CFDICoverage, len(group))
	for i, settled := range group {
		parts[i] = db.CFDICoverage{CFDIID: row.ID, InvoiceID: settled.InvoiceID, Kind: db.CFDIPago, PaymentID: settled.PaymentID, RelatedID: settled.IngresoID, Amount: settled.Applied}
	}
	return tx.CoverInvoices(ctx, parts)
}

// takeBack ends what the wrong receipts say, and the later ones of the invoices that they name, and asks for their
// cancellation. It returns the other invoices that must be receipted anew.
func (s *Service) takeBack(ctx context.Context, tx *db.Store, invoice id.Invoice, wrong []id.Invoice) ([]id.Invoice, error) {
	reach := map[id.Invoice]bool{invoice: true}
	for _, other := range wrong {
		reach[other] = true
	}
	stale := map[id.CFDI]string{}
	for grown := true; grown; {
		grown = false
		parts, err := tx.Receipted(ctx, slices.Sorted(maps.Keys(reach))...)
		if err != nil {
			return nil, err
		}
		first := map[id.Invoice]id.CFDI{} // the first stale receipt of each invoice
		for _, part := range parts {
			_, known := stale[part.CFDIID]
			if !known {
				applied, err := appliedBy(ctx, tx, part)
				if err != nil {
					return nil, err
				}
				if applied == part.Amount && (first[part.InvoiceID] == 0 || part.CFDIID < first[part.InvoiceID]) {
					continue
				}
				stale[part.CFDIID], grown = part.Status, true
			}
			if first[part.InvoiceID] == 0 {
				first[part.InvoiceID] = part.CFDIID
			}
		}
		for cfdi := range stale {
			covered, err := tx.CoveredBy(ctx, cfdi)
			if err != nil {
				return nil, err
			}
			for _, part := range covered {
				grown = grown || !reach[part.InvoiceID]
				reach[part.InvoiceID] = true
			}
		}
	}
	documents := slices.Sorted(maps.Keys(stale))
	if err := tx.UncoverInvoices(ctx, documents); err != nil {
		return nil, err
	}
	for _, cfdi := range documents {
		if stale[cfdi] == db.CFDIStamped { // one on its way is cancelled when it is stamped
			if err := tx.Enqueue(ctx, TakeBackJob{CFDI: cfdi}); err != nil {
				return nil, err
			}
		}
	}
	delete(reach, invoice)
	return slices.Sorted(maps.Keys(reach)), nil
}

// appliedBy is what the payment of a receipt's part gives to its invoice now.
func appliedBy(ctx context.Context, tx *db.Store, part db.CFDICoverage) (money.Minor, error) {
	rows, err := tx.Settling(ctx, part.InvoiceID)
	if err != nil {
		return 0, err
	}
	for _, row := range rows {
		if row.PaymentID != part.PaymentID {
			continue
		}
		if row.PaymentID != 0 {
			return row.Amount, nil
		}
		anticipos, err := tx.AnticipoApplications(ctx, part.InvoiceID)
		for _, a := range anticipos {
			row.Amount -= a.Amount
		}
		return row.Amount, err
	}
	return 0, nil
}

// TakeBackJob cancels a receipt whose payment was taken back.
type TakeBackJob struct {
	CFDI id.CFDI `json:"cfdi"`
}

// Kind names the job.
func (TakeBackJob) Kind() string { return "fiscal:take-back" }

// Key makes one job of any number of requests for the same receipt.
func (j TakeBackJob) Key() string { return fmt.Sprintf("%s:%s", j.Kind(), j.CFDI) }

// TakeBack does a TakeBackJob: the receipt is cancelled with motive 02, because no document takes its place. What is
// cancelled, or on its way to be, stays as it is, as does what the law lets nobody cancel any more (CFF article 29-A).
// Background work only.
func (s *Service) TakeBack(ctx context.Context, job TakeBackJob) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	covered, err := s.Store.CoveredBy(ctx, job.CFDI)
	if err != nil || len(covered) > 0 {
		return err // it covers its invoices after all
	}
	_, err = s.CancelCFDI(ctx, CancelInput{CFDI: job.CFDI, Motivo: "02"})
	if f, ok := fault.As(err); ok && f.Code == "FISCAL_CANCEL_LATE" { // trying again changes nothing: the accountant decides
		s.logger().Warn("a document whose payment was taken back can no longer be cancelled", "cfdi", job.CFDI.String())
		return nil
	}
	if f, ok := fault.As(err); ok && f.Code == "FISCAL_CANCEL_STATE" {
		return nil
	}
	return err
}

// errEarlierReceipt makes a receipt wait for the one before it, whose stamp it counts on.
var errEarlierReceipt = fault.New(fault.Unavailable, "FISCAL_EARLIER_RECEIPT")

// composePago makes the receipt of one payment over the invoices that it covers.
func (s *Service) composePago(ctx context.Context, tx *db.Store, row db.CFDI, d PagoDraft) (*Comprobante, error) {
	parts, err := tx.CoveredBy(ctx, row.ID)
	if err != nil {
		return nil, err
	}
	if len(parts) == 0 {
		return nil, refuse("payment_taken_back", "", "Complemento/Pagos", "El pago fue revertido: no hay nada que recibir.", "The payment was taken back: there is nothing to receipt.")
	}
	files := make([]id.CFDI, 0, len(parts))
	invoices := make([]id.Invoice, 0, len(parts))
	for _, part := range parts {
		files, invoices = append(files, part.RelatedID), append(invoices, part.InvoiceID)
	}
	receipted, err := tx.Receipted(ctx, invoices...)
	if err != nil {
		return nil, err
	}
	receipted = slices.DeleteFunc(receipted, func(r db.CFDICoverage) bool { return r.CFDIID >= row.ID })
	for _, earlier := range receipted {
		if earlier.Status != db.CFDIStamped && earlier.Status != db.CFDICancelPending {
			return nil, errEarlierReceipt
		}
		files = append(files, earlier.CFDIID)
	}
	documents, err := parseFiles(ctx, tx, files)
	if err != nil {
		return nil, err
	}
	settled, err := tx.Settlements(ctx, parts[0].InvoiceID)
	if err != nil {
		return nil, err
	}
	pago, receivedOn := PagoRecibido{FormaDePagoP: formaPago("credit")}, date.Date("")
	for _, part := range parts {
		i := slices.IndexFunc(settled, func(t db.Settlement) bool { return t.InvoiceID == part.InvoiceID && t.PaymentID == part.PaymentID })
		if i < 0 || settled[i].Applied != part.Amount {
			return nil, refuse("payment_changed", "", "Complemento/Pagos", "El pago cambió mientras se timbraba su recibo.", "The payment changed while its receipt was made.")
		}
		doc, err := s.documentoPagado(ctx, tx, part, settled[i].Entry, documents, receipted)
		if err != nil {
			return nil, err
		}
		receivedOn = settled[i].ReceivedOn // the same of all parts: they are of one payment
		pago.FechaPago = s.noon(receivedOn, d.LugarExpedicion)
		pago.Moneda, pago.Documentos = doc.Moneda, append(pago.Documentos, doc)
		pago.Monto += doc.ImpPagado
	}
	if row.PaymentID != 0 {
		if err := s.received(ctx, tx, row.PaymentID, len(parts), &pago); err != nil {
			return nil, err
		}
	}
	if pago.Moneda != money.MXN {
		rate, err := tx.RateOn(ctx, pago.Moneda, receivedOn)
		if err != nil && !fault.Is(err, fault.NotFound) {
			return nil, err
		}
		pago.TipoCambio = rate.Rate // without one the rules refuse the receipt, until staff enters it
	}
	d.Pagos = []PagoRecibido{pago}
	return BuildPago(d)
}

// operation is what NumOperacion may carry of a payment's reference.
var operation = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9 ._/-]{0,99}$`)

// noon is when a payment of a day counts as received: the hour is not known, and no document is of the future.
func (s *Service) noon(day date.Date, lugar string) time.Time {
	y, m, d := day.Time().Date()
	at := time.Date(y, m, d, 12, 0, 0, 0, ZonaHoraria(lugar))
	if now := s.Now(); at.After(now) {
		return now
	}
	return at
}

// received fills in how a payment was received, and all of it that is not in other documents: the customer's credit,
// where more was paid than was owed.
func (s *Service) received(ctx context.Context, tx *db.Store, payment id.Payment, parts int, pago *PagoRecibido) error {
	row, err := tx.Payment(ctx, payment)
	if err != nil {
		return err
	}
	pago.FormaDePagoP = formaPago(row.Method)
	if reference := strings.Join(strings.Fields(row.Reference), " "); operation.MatchString(reference) {
		pago.NumOperacion = reference
	}
	where, err := tx.SettledBy(ctx, payment)
	if err != nil {
		return err
	}
	anticipo, err := tx.AnticipoOf(ctx, payment)
	if err != nil {
		return err
	}
	credit := -anticipo // it has a document of its own
	for _, part := range where {
		if part.InvoiceID == 0 {
			credit += part.Amount
		} else {
			parts--
		}
	}
	if parts == 0 && credit > 0 { // nothing of it is in another document
		pago.Monto += credit
	}
	return nil
}

// documentoPagado is one invoice in a receipt: what earlier receipts in force and credit notes left of it.
func (s *Service) documentoPagado(ctx context.Context, tx *db.Store, part db.CFDICoverage, entry int64, documents map[id.CFDI]*Comprobante, receipted []db.CFDICoverage) (DocumentoPagado, error) {
	invoice, err := tx.Invoice(ctx, part.InvoiceID)
	if err != nil {
		return DocumentoPagado{}, err
	}
	origin := documents[part.RelatedID]
	if origin == nil || origin.Timbre() == nil {
		return DocumentoPagado{}, ErrNotStamped
	}
	doc := DocumentoPagado{UUID: origin.Timbre().UUID, Serie: origin.Serie, Folio: origin.Folio, Moneda: invoice.Currency, NumParcialidad: 1,
		ImpSaldoAnt: invoice.Total, ImpPagado: part.Amount, Total: invoice.Total, Impuestos: ImpuestosPorPagar(origin)}
	credited, err := tx.CreditedBefore(ctx, invoice.ID, entry)
	if err != nil {
		return doc, err
	}
	for _, credit := range credited {
		note, err := tx.CreditNote(ctx, credit.CreditNoteID)
		if err != nil {
			return doc, err
		}
		egreso, err := draftEgreso(note, origin, Draft{})
		if err != nil {
			return doc, err
		}
		doc.Impuestos = ConEgreso(doc.Impuestos, egreso, new(big.Rat).SetFrac64(int64(credit.Amount), int64(note.Total)))
		doc.Acreditado += credit.Amount
	}
	anticipos, err := tx.AnticipoApplications(ctx, invoice.ID)
	if err != nil {
		return doc, err
	}
	anticipos = slices.DeleteFunc(anticipos, func(a db.AnticipoApplication) bool { return a.Entry >= entry })
	applied, err := anticiposOf(ctx, tx, anticipos)
	if err != nil {
		return doc, err
	}
	for i, a := range anticipos {
		egreso, err := draftAplicacion(a, applied[i], Draft{})
		if err != nil {
			return doc, err
		}
		doc.Impuestos = ConEgreso(doc.Impuestos, egreso, ratInt(1))
		doc.Acreditado += a.Amount
	}
	doc.ImpSaldoAnt -= doc.Acreditado
	for _, earlier := range receipted {
		if earlier.InvoiceID != part.InvoiceID {
			continue
		}
		for _, pago := range documents[earlier.CFDIID].Pagos().Pago {
			for _, dr := range pago.DoctoRelacionado {
				if strings.EqualFold(dr.IdDocumento, doc.UUID) {
					doc.Impuestos = ConPago(doc.Impuestos, dr)
				}
			}
		}
		doc.NumParcialidad++
		doc.ImpSaldoAnt -= earlier.Amount
	}
	return doc, nil
}

// parseFiles reads stamped documents.
func parseFiles(ctx context.Context, tx *db.Store, ids []id.CFDI) (map[id.CFDI]*Comprobante, error) {
	rows, err := tx.CFDIFiles(ctx, ids)
	if err != nil {
		return nil, err
	}
	out := make(map[id.CFDI]*Comprobante, len(rows))
	for cfdi, row := range rows {
		doc, err := Parse(row.XML)
		if err != nil {
			return nil, err
		}
		out[cfdi] = doc.Comprobante
	}
	return out, nil
}

// FollowReceipts looks for payments that no receipt covers, as happens when an invoice's own document was stamped late, and
// for credit notes without a document of an invoice that has one, and asks for them. Background work only.
func (s *Service) FollowReceipts(ctx context.Context) error {
	if err := access.RequireSystem(ctx); err != nil {
		return err
	}
	return cmp.Or(s.takeBackAnticipos(ctx), s.followEach(ctx, s.Store.PaymentsWithoutReceipt), s.followEach(ctx, s.Store.CreditNotesWithoutCFDI))
}
