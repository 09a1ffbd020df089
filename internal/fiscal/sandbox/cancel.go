package sandbox

import (
	"context"
	"encoding/xml"
	"fmt"
	"strings"
	"time"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
)

// Cancel implements fiscal.Canceller with the rules of RMF 2.7.1.34 and 2.7.1.35: at once where
// no acceptance is needed, otherwise the receiver is asked.
func (s *Sandbox) Cancel(ctx context.Context, r fiscal.CancelRequest) (*fiscal.CancelResult, error) {
	record, err := s.c.Store.ByUUID(ctx, r.UUID)
	if err != nil {
		return nil, unavailable("store", err)
	}
	if record == nil {
		return nil, rejected(fiscal.CodigoNoExiste, "El UUID no existe.")
	}
	if record.Query.Emisor != r.RfcEmisor {
		return nil, rejected(fiscal.CodigoNoEsDelEmisor, "El UUID no corresponde al RFC del emisor.")
	}
	if *record, err = s.settle(ctx, *record); err != nil {
		return nil, err
	}
	next, ok := record.Cancel.Request()
	if !ok {
		return &fiscal.CancelResult{Code: fiscal.CodigoYaCancelada, Acuse: record.Acuse}, nil
	}
	doc, err := fiscal.Parse(record.XML)
	if err != nil {
		return nil, unavailable("store", err)
	}
	live, err := s.live(ctx, record.UUID)
	if err != nil {
		return nil, err
	}
	if err := fiscal.CheckCancel(r, s.replacement(ctx, r), live); err != nil {
		return nil, rejectedBy(err)
	}
	now := s.c.Now()
	from := record.Cancel
	record.Cancel, record.RequestedAt, record.Estatus = next, now, fiscal.CancelacionEnProceso
	if !fiscal.DefaultCancelPolicy.NeedsAcceptance(doc.Comprobante, now) {
		record.Cancel, record.Estatus = fiscal.CancelDone, fiscal.CanceladoSinAceptacion
	}
	record.Acuse = acuse(r, now)
	if ok, err := s.c.Store.Update(ctx, *record, from); err != nil {
		return nil, unavailable("store", err)
	} else if !ok {
		return &fiscal.CancelResult{Code: fiscal.CodigoYaCancelada}, nil
	}
	return &fiscal.CancelResult{Code: fiscal.CodigoCancelada, Acuse: record.Acuse}, nil
}

func rejectedBy(err error) error {
	if v, ok := err.(*fiscal.Violation); ok { //nolint:errorlint // CheckCancel returns it unwrapped
		return rejected(v.Code, v.ES)
	}
	return rejected("301", err.Error())
}

func (s *Sandbox) replacement(ctx context.Context, r fiscal.CancelRequest) *fiscal.Comprobante {
	if r.FolioSustitucion == "" {
		return nil
	}
	record, err := s.c.Store.ByUUID(ctx, r.FolioSustitucion)
	if err != nil || record == nil {
		return nil
	}
	doc, err := fiscal.Parse(record.XML)
	if err != nil {
		return nil
	}
	return doc.Comprobante
}

// live are the documents in force that refer to one.
func (s *Sandbox) live(ctx context.Context, uuid string) ([]string, error) {
	records, err := s.c.Store.Referring(ctx, uuid)
	if err != nil {
		return nil, unavailable("store", err)
	}
	var out []string
	for _, r := range records {
		if r.Cancel != fiscal.CancelDone {
			out = append(out, r.UUID)
		}
	}
	return out, nil
}

// settle lets the receiver answer an open request.
func (s *Sandbox) settle(ctx context.Context, r Record) (Record, error) {
	if r.Cancel != fiscal.CancelRequested && r.Cancel != fiscal.CancelInProcess {
		return r, nil
	}
	from := r.Cancel
	switch s.c.Decisions[r.Query.Receptor] {
	case Accepts:
		r.Cancel, r.Estatus = fiscal.CancelDone, fiscal.CanceladoConAceptacion
	case Rejects:
		r.Cancel, r.Estatus = fiscal.CancelRejected, fiscal.CancelacionRechazada
	case Silent:
		if !s.c.Now().After(fiscal.DefaultCancelPolicy.AcceptanceDeadline(r.RequestedAt.In(fiscal.ZonaCentro()))) {
			return r, nil
		}
		r.Cancel, r.Estatus = fiscal.CancelDone, fiscal.CancelacionPlazoVencido
	}
	if _, err := s.c.Store.Update(ctx, r, from); err != nil {
		return r, unavailable("store", err)
	}
	return r, nil
}

// Status implements fiscal.StatusChecker as the SAT's query service answers.
func (s *Sandbox) Status(ctx context.Context, q fiscal.StatusQuery) (*fiscal.Status, error) {
	record, err := s.c.Store.ByUUID(ctx, q.UUID)
	if err != nil {
		return nil, unavailable("store", err)
	}
	if record == nil || record.Query.Emisor != q.Emisor || record.Query.Receptor != q.Receptor || record.Query.Total != q.Total {
		return &fiscal.Status{CodigoEstatus: "N - 602: Comprobante no encontrado.", Estado: fiscal.EstadoNoEncontrado}, nil
	}
	doc, err := fiscal.Parse(record.XML)
	if err != nil {
		return nil, unavailable("store", err)
	}
	st := &fiscal.Status{CodigoEstatus: "S - Comprobante obtenido satisfactoriamente.", Estado: fiscal.EstadoVigente, EsCancelable: fiscal.CancelableSinAceptacion}
	if fiscal.DefaultCancelPolicy.NeedsAcceptance(doc.Comprobante, s.c.Now()) {
		st.EsCancelable = fiscal.CancelableConAceptacion
	}
	live, err := s.live(ctx, record.UUID)
	if err != nil {
		return nil, err
	}
	if len(live) > 0 {
		st.EsCancelable = fiscal.NoCancelable
	}
	settled, err := s.settle(ctx, *record)
	if err != nil {
		return nil, err
	}
	st.EstatusCancelacion = settled.Estatus
	if settled.Cancel == fiscal.CancelDone {
		st.Estado = fiscal.EstadoCancelado
	}
	return st, nil
}

// acuse is the receipt of a request, in the form of the SAT's.
func acuse(r fiscal.CancelRequest, now time.Time) []byte {
	esc := func(s string) string {
		var b strings.Builder
		_ = xml.EscapeText(&b, []byte(s))
		return b.String()
	}
	return fmt.Appendf(nil, `<?xml version="1.0" encoding="UTF-8"?>`+"\n"+
		`<Acuse xmlns="http://cancelacfd.sat.gob.mx" Fecha="%s" RfcEmisor="%s" CodEstatus="%s"><Folios><UUID>%s</UUID><EstatusUUID>%s</EstatusUUID></Folios></Acuse>`,
		now.In(fiscal.ZonaCentro()).Format(fiscal.FechaLayout), esc(r.RfcEmisor), "S - Solicitud de cancelación recibida", esc(strings.ToUpper(r.UUID)), fiscal.CodigoCancelada)
}
