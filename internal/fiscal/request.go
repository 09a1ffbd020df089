package fiscal

import (
	"context"
	"slices"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// RequestInput asks for the fiscal document of an invoice.
type RequestInput struct {
	InvoiceID id.Invoice
	ProfileID id.FiscalProfile // 0: the client's default one
	// FromGlobal takes the sale out of the stamped global invoice that it is in (RMF 2.7.1.21): that one is cancelled
	// with motive 04, its other sales are summed up anew, and the document is stamped then. Staff only.
	FromGlobal bool
}

// RequestCFDI asks for the fiscal document (ingreso) of an invoice: PUE when it is paid, PPD when it is
// not. A login may ask for paid invoices until the end of the [Window] (autofactura); after it the sale belongs to the
// global invoice. Staff may ask for any that is in no global invoice. A document that was refused
// is built anew; for one that waits or is stamped nothing happens. Permission invoices.
func (s *Service) RequestCFDI(ctx context.Context, in RequestInput) (db.CFDI, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return db.CFDI{}, err
	}
	var row db.CFDI
	err := s.Store.InTx(ctx, func(tx *db.Store) error {
		invoice, err := tx.Invoice(ctx, in.InvoiceID)
		if err != nil {
			return err
		}
		if err := access.RequireChange(ctx, access.Invoices, invoice.ClientID, access.ManageBilling); err != nil {
			return err
		}
		// An anticipo may pay several invoices of the client: one at a time decides about them.
		if err := tx.Lock(ctx, "fiscal "+invoice.ClientID.String()); err != nil {
			return err
		}
		if invoice, err = tx.LockInvoice(ctx, in.InvoiceID); err != nil {
			return err
		}
		earlier, err := tx.CFDIsOf(ctx, invoice.ID)
		if err != nil {
			return err
		}
		if old, ok := inForce(earlier); ok && old.Status != db.CFDIStampFailed {
			row = old
			return nil
		} else if ok {
			row = old
		}
		global, err := s.mayRequest(ctx, tx, invoice, in.FromGlobal)
		if err != nil {
			return err
		}
		profile, err := profileOf(ctx, tx, invoice.ClientID, in.ProfileID)
		if err != nil {
			return err
		}
		if _, err := s.applyAnticipos(ctx, tx, invoice, profile.Rfc); err != nil {
			return err
		}
		if global != 0 {
			if err := s.leaveGlobal(ctx, tx, global); err != nil {
				return err
			}
		}
		if row.ID != 0 {
			if row, err = tx.LockCFDI(ctx, row.ID); err != nil || row.Status != db.CFDIStampFailed {
				return err
			}
			row.ProfileID, row.MetodoPago, row.Status, row.Refusal = profile.ID, metodo(invoice), db.CFDIDraft, db.Refusal{}
			row.Failure, row.FailingSince, row.FailedAt = "", nil, nil
			if err := tx.SaveCFDI(ctx, &row); err != nil {
				return err
			}
			return tx.Enqueue(ctx, stampJob(row))
		}
		row, err = s.add(ctx, tx, db.CFDI{Kind: db.CFDIIngreso, ClientID: invoice.ClientID, InvoiceID: invoice.ID, ProfileID: profile.ID, MetodoPago: metodo(invoice)})
		return err
	})
	return row, err
}

// mayRequest says why a document cannot be asked for.
//
// It returns the global invoice that the sale is to be taken out of, 0 where it is in none.
func (s *Service) mayRequest(ctx context.Context, tx *db.Store, invoice db.Invoice, fromGlobal bool) (id.CFDI, error) {
	issuer, err := s.issuer(ctx, tx)
	if err != nil {
		return 0, err
	}
	switch {
	case !issuer.Ready():
		return 0, fault.New(fault.Conflict, "FISCAL_ISSUER_INCOMPLETE")
	case invoice.Status == db.InvoiceDraft || invoice.Status == db.InvoiceCancelled || invoice.Status == db.InvoiceWrittenOff:
		return 0, fault.New(fault.Conflict, "FISCAL_INVOICE_CLOSED")
	case invoice.Credited == invoice.Total:
		return 0, fault.New(fault.Conflict, "FISCAL_INVOICE_CREDITED")
	}
	globals, err := tx.GlobalsOf(ctx, invoice.ID)
	if err != nil {
		return 0, err
	}
	global, in := globals[invoice.ID]
	switch login := access.From(ctx).Kind == access.Login; {
	case in && (login || !fromGlobal):
		return 0, fault.New(fault.Conflict, "FISCAL_IN_GLOBAL")
	case !login:
		return global.ID, nil
	case invoice.Status != db.InvoicePaid:
		return 0, fault.New(fault.Conflict, "FISCAL_NOT_PAID")
	}
	if s.Now().After(Window(invoice, issuer.FiscalIssuer)) {
		return 0, fault.New(fault.Conflict, "FISCAL_WINDOW_CLOSED")
	}
	return 0, nil
}

// leaveGlobal asks for the cancellation of a global invoice because a sale in it gets a document of its own.
func (s *Service) leaveGlobal(ctx context.Context, tx *db.Store, global id.CFDI) error {
	row, err := tx.LockCFDI(ctx, global)
	if err != nil {
		return err
	}
	if row.Status == db.CFDICancelPending { // another sale leaves it too
		return nil
	}
	if _, ok := s.PAC.(Canceller); !ok {
		return fault.New(fault.Conflict, "FISCAL_CANCEL_UNSUPPORTED")
	}
	if err := s.checkCancel(ctx, tx, row, &CancelRequest{RfcEmisor: row.RfcEmisor, UUID: row.UUID, Motivo: MotivoEnGlobal, Fecha: s.Now()}, 0); err != nil {
		if fault.Is(err, fault.Invalid) {
			return fault.New(fault.Conflict, "FISCAL_CANCEL_RELATED")
		}
		return err
	}
	return s.askCancel(ctx, tx, &row, MotivoEnGlobal, "")
}

// Window is until when a client can ask for the document of a paid invoice: the end of the period of the global
// invoice that its sale falls into (Periodicidad of the issuer), the month of the payment where there is none, in the zone
// of the issuer's place. The zero time while it is not paid.
func Window(invoice db.Invoice, issuer db.FiscalIssuer) time.Time {
	if invoice.PaidAt == nil {
		return time.Time{}
	}
	zone := ZonaHoraria(issuer.LugarExpedicion)
	_, next := period(issuer.Periodicidad, date.Of(*invoice.PaidAt, zone))
	return midnight(next, zone).Add(-time.Second)
}

// Asking is what there is to say about asking for an invoice's document.
type Asking struct {
	Until    time.Time // the end of the [Window], in the issuer's zone; the zero time while the invoice is not paid
	InGlobal bool      // its sale is in a global invoice
}

// Askings says, of the invoices that the actor may see, until when their documents can be asked for.
func (s *Service) Askings(ctx context.Context, invoices ...id.Invoice) (map[id.Invoice]Asking, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return nil, err
	}
	rows, err := s.Store.InvoicesByID(ctx, invoices)
	if err != nil {
		return nil, err
	}
	issuer, err := s.Store.FiscalIssuer(ctx)
	if err != nil && !fault.Is(err, fault.NotFound) {
		return nil, err
	}
	globals, err := s.Store.GlobalsOf(ctx, invoices...)
	if err != nil {
		return nil, err
	}
	out := map[id.Invoice]Asking{}
	for _, row := range rows {
		if access.Can(ctx, access.Invoices, row.ClientID) {
			_, in := globals[row.ID]
			out[row.ID] = Asking{Until: Window(row, issuer), InGlobal: in}
		}
	}
	return out, nil
}

// metodo is how the document says the invoice is paid (section of the guide on MetodoPago).
func metodo(invoice db.Invoice) string {
	if invoice.Status == db.InvoicePaid {
		return "PUE"
	}
	return "PPD"
}

// inForce is the ingreso of an invoice that is not cancelled; while one takes another's place, the newer one.
func inForce(rows []db.CFDI) (db.CFDI, bool) {
	for _, row := range slices.Backward(rows) {
		if row.Kind == db.CFDIIngreso && row.Status != db.CFDICancelled {
			return row, true
		}
	}
	return db.CFDI{}, false
}

func profileOf(ctx context.Context, tx *db.Store, client id.Client, profile id.FiscalProfile) (db.FiscalProfile, error) {
	rows, err := tx.FiscalProfiles(ctx, client)
	if err != nil {
		return db.FiscalProfile{}, err
	}
	for _, row := range rows { // the default one comes first
		if profile == 0 || row.ID == profile {
			return row, nil
		}
	}
	if profile == 0 {
		return db.FiscalProfile{}, fault.New(fault.Conflict, "FISCAL_PROFILE_MISSING")
	}
	return db.FiscalProfile{}, fault.Missing()
}

func (s *Service) add(ctx context.Context, tx *db.Store, row db.CFDI) (db.CFDI, error) {
	row.Status, row.CreatedAt = db.CFDIDraft, s.Now()
	if err := tx.AddCFDI(ctx, &row); err != nil {
		return row, err
	}
	return row, tx.Enqueue(ctx, stampJob(row))
}

func stampJob(row db.CFDI) StampJob {
	return StampJob{CFDI: row.ID, Build: row.Build, Attempt: row.Attempts}
}

// Documents returns the fiscal documents of invoices that the actor may see, by invoice and without their
// files, in the order in which they were asked for.
func (s *Service) Documents(ctx context.Context, invoices ...id.Invoice) (map[id.Invoice][]db.CFDI, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return nil, err
	}
	rows, err := s.Store.CFDIsOf(ctx, invoices...)
	byInvoice := map[id.Invoice][]db.CFDI{}
	for _, row := range rows {
		if access.Can(ctx, access.Invoices, row.ClientID) {
			byInvoice[row.InvoiceID] = append(byInvoice[row.InvoiceID], row)
		}
	}
	return byInvoice, err
}

// Document returns one fiscal document with its files. Permission invoices.
func (s *Service) Document(ctx context.Context, cfdi id.CFDI) (db.CFDI, error) {
	if err := access.RequireSignedIn(ctx); err != nil {
		return db.CFDI{}, err
	}
	row, err := s.Store.CFDI(ctx, cfdi)
	if err != nil {
		return db.CFDI{}, err
	}
	if err := access.Require(ctx, access.Invoices, row.ClientID); err != nil {
		return db.CFDI{}, err
	}
	return row, nil
}

// All lists the documents of every client, the newest first, with how many are in each state. status is
// a state, "waiting" or "". Staff only.
func (s *Service) All(ctx context.Context, status string, page db.Page) (db.List[db.CFDI], map[string]int, error) {
	if err := access.RequireStaff(ctx); err != nil {
		return db.List[db.CFDI]{}, nil, err
	}
	if err := page.Check(); err != nil {
		return db.List[db.CFDI]{}, nil, err
	}
	counts, err := s.Store.CFDICounts(ctx)
	if err != nil {
		return db.List[db.CFDI]{}, nil, err
	}
	list, err := s.Store.CFDIs(ctx, status, page)
	return list, counts, err
}
