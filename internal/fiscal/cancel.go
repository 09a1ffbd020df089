package fiscal

import (
	"slices"
	"time"
)

// Motivos of cancellation (c_Motivo).
const (
	MotivoConRelacion = "01" // issued with errors; needs the folio fiscal of the replacement
	MotivoSinRelacion = "02" // issued with errors
	MotivoNoRealizada = "03" // the operation was not carried out
	MotivoEnGlobal    = "04" // nominative operation that is in a global invoice
)

// States of a document at the SAT (ConsultaCFDIService).
const (
	EstadoVigente      = "Vigente"
	EstadoCancelado    = "Cancelado"
	EstadoNoEncontrado = "No Encontrado"

	NoCancelable            = "No cancelable"
	CancelableSinAceptacion = "Cancelable sin aceptación"
	CancelableConAceptacion = "Cancelable con aceptación"

	CancelacionEnProceso     = "En proceso"
	CanceladoSinAceptacion   = "Cancelado sin aceptación"
	CanceladoConAceptacion   = "Cancelado con aceptación"
	CancelacionPlazoVencido  = "Plazo vencido"
	CancelacionRechazada     = "Solicitud rechazada"
	CodigoCancelada          = "201" // accepted
	CodigoYaCancelada        = "202" // cancelled or asked for before
	CodigoNoEsDelEmisor      = "203"
	CodigoNoExiste           = "205" // not (yet) at the SAT
	CodigoSinServicioDelSAT  = "708"
	CodeCancelNotCancellable = "no_cancelable"
)

// Status is what the SAT says of a document.
type Status struct {
	CodigoEstatus      string // "S - Comprobante obtenido satisfactoriamente." or an error
	Estado             string
	EsCancelable       string
	EstatusCancelacion string
}

// CancelRequest asks for a cancellation.
type CancelRequest struct {
	RfcEmisor        string
	UUID             string
	Motivo           string
	FolioSustitucion string // with MotivoConRelacion
	Fecha            time.Time
	CSD              *CSD // signs the request where the PAC does not keep the CSD
}

// CancelResult is the SAT's answer to a request.
type CancelResult struct {
	Code  string // 201, 202
	Acuse []byte // XML, to be stored
}

// CheckCancel checks a request before it is sent. replacement is the document that takes the
// place with motive 01, stamped before and related 04 to the cancelled one; nil otherwise. live
// are folios fiscales of documents in force that relate to it (REP, credit notes): they go first.
func CheckCancel(r CancelRequest, replacement *Comprobante, live []string) error {
	motives := []string{MotivoConRelacion, MotivoSinRelacion, MotivoNoRealizada, MotivoEnGlobal}
	switch {
	case !uuidPattern.MatchString(r.UUID):
		return refuse("cancel_uuid_invalid", "301", "UUID", "El folio fiscal no es válido.", "The folio fiscal is not valid.")
	case !slices.Contains(motives, r.Motivo):
		return refuse("cancel_motive_invalid", "301", "Motivo", "El motivo de cancelación debe ser 01, 02, 03 o 04.", "The motive must be 01, 02, 03 or 04.")
	case r.Motivo != MotivoConRelacion && r.FolioSustitucion != "":
		return refuse("cancel_replacement_unexpected", "301", "FolioSustitucion", "Solo el motivo 01 lleva folio de sustitución.", "Only motive 01 has a replacement.")
	case r.Motivo == MotivoConRelacion && !uuidPattern.MatchString(r.FolioSustitucion):
		return refuse("cancel_replacement_missing", "301", "FolioSustitucion", "El motivo 01 necesita el folio fiscal del documento que lo sustituye, que se emite antes.", "Motive 01 needs the folio fiscal of the replacement, which is issued first.")
	}
	if r.Motivo == MotivoConRelacion {
		t := (*TimbreFiscalDigital)(nil)
		if replacement != nil {
			t = replacement.Timbre()
		}
		if t == nil || !sameUUID(t.UUID, r.FolioSustitucion) || !slices.ContainsFunc(replacement.Relacionados("04"), func(u string) bool { return sameUUID(u, r.UUID) }) {
			return refuse("cancel_replacement_unrelated", "", "FolioSustitucion", "El documento que sustituye debe estar timbrado y relacionado (04) con el que se cancela.", "The replacement must be stamped and related (04) to the cancelled document.")
		}
		live = slices.DeleteFunc(slices.Clone(live), func(u string) bool { return sameUUID(u, r.FolioSustitucion) })
	}
	if len(live) > 0 {
		return refuse(CodeCancelNotCancellable, "", "UUID", "No se puede cancelar: tiene documentos relacionados vigentes (%d). Cancélelos primero.", "It cannot be cancelled: related documents are in force (%d). Cancel them first.", len(live))
	}
	return nil
}

func sameUUID(a, b string) bool {
	return len(a) == len(b) && slices.EqualFunc([]byte(a), []byte(b), func(x, y byte) bool { return x|0x20 == y|0x20 })
}

// CancelPolicy are the amounts and terms of RMF 2.7.1.34, 2.7.1.35 and 2.7.1.47, which change
// with the years.
type CancelPolicy struct {
	FreeTotal      Num        // MXN up to which no acceptance is needed
	AcceptanceDays int        // business days that the receiver has
	FisicaMonth    time.Month // until the end of which documents of the year before can be cancelled
	MoralMonth     time.Month
}

// DefaultCancelPolicy is that of RMF 2026.
var DefaultCancelPolicy = CancelPolicy{FreeTotal: "1000", AcceptanceDays: 3, FisicaMonth: time.April, MoralMonth: time.March}

// NeedsAcceptance reports whether the receiver must accept the cancellation of a document
// (RMF 2.7.1.35), as far as the document tells. now and the holidays decide on "within the next
// business day after issue".
func (p CancelPolicy) NeedsAcceptance(c *Comprobante, now time.Time, extra ...time.Time) bool {
	switch {
	case c.TipoDeComprobante == TipoEgreso, c.TipoDeComprobante == "T", c.TipoDeComprobante == "N", RfcGenerico(c.Receptor.Rfc):
		return false
	}
	if c.TipoDeComprobante != TipoPago {
		total := c.Total.Rat()
		if c.TipoCambio != "" {
			total = mul(total, c.TipoCambio.Rat())
		}
		if total.Cmp(p.FreeTotal.Rat()) <= 0 {
			return false
		}
	}
	fecha, err := ParseFecha(c.Fecha, c.LugarExpedicion)
	return err != nil || now.After(endOfDay(AddBusinessDays(fecha, 1, extra...)))
}

// Deadline is the last moment to ask for a cancellation: the end of the month in which the
// issuer's annual ISR return of the year of issue is due.
func (p CancelPolicy) Deadline(fecha time.Time, emisor Persona) time.Time {
	month := p.MoralMonth
	if emisor == PersonaFisica {
		month = p.FisicaMonth
	}
	return time.Date(fecha.Year()+1, month+1, 1, 0, 0, 0, 0, fecha.Location()).Add(-time.Second)
}

// AcceptanceDeadline is when a silent receiver has accepted.
func (p CancelPolicy) AcceptanceDeadline(requested time.Time, extra ...time.Time) time.Time {
	return endOfDay(AddBusinessDays(requested, p.AcceptanceDays, extra...))
}

// CancelState is where a cancellation is.
type CancelState string

// States of a cancellation: none -> requested -> in_process -> cancelled or rejected, and from
// rejected again to requested.
const (
	CancelNone      CancelState = ""
	CancelRequested CancelState = "requested"  // sent, not yet seen by the SAT
	CancelInProcess CancelState = "in_process" // the receiver has to accept
	CancelDone      CancelState = "cancelled"
	CancelRejected  CancelState = "rejected" // by the receiver; may be asked for again
)

// Request is the state after a request is sent; false when one is open or done.
func (s CancelState) Request() (CancelState, bool) {
	if s == CancelNone || s == CancelRejected {
		return CancelRequested, true
	}
	return s, false
}

// Observe is the state after the SAT was asked. Estado alone says that a document is cancelled: while it is Vigente it
// is in force, also where EstatusCancelacion tells of the end already (Plazo vencido, Cancelado con aceptación). What the
// SAT does not know yet changes nothing: it takes up to hours after stamping.
func (s CancelState) Observe(st Status) CancelState {
	if s == CancelNone || s == CancelDone {
		if st.Estado == EstadoCancelado {
			return CancelDone
		}
		return s
	}
	switch {
	case st.Estado == EstadoCancelado:
		return CancelDone
	case st.Estado != EstadoVigente:
		return s
	}
	switch st.EstatusCancelacion {
	case CancelacionEnProceso:
		return CancelInProcess
	case CancelacionRechazada:
		return CancelRejected
	}
	return s
}

// Holiday reports whether a day is one of CFF article 12. The SAT's general holidays, which it
// announces every year, are the extra days.
func Holiday(t time.Time, extra ...time.Time) bool {
	y, m, d := t.Date()
	monday := func(nth int) bool { return t.Weekday() == time.Monday && (d-1)/7+1 == nth }
	switch {
	case m == time.January && d == 1, m == time.May && (d == 1 || d == 5), m == time.September && d == 16, m == time.December && d == 25:
		return true
	case m == time.February && monday(1), m == time.March && monday(3), m == time.November && monday(3):
		return true
	case m == time.October && d == 1 && (y-2024)%6 == 0: // change of the federal government
		return true
	}
	return slices.ContainsFunc(extra, func(x time.Time) bool {
		xy, xm, xd := x.Date()
		return xy == y && xm == m && xd == d
	})
}

// AddBusinessDays returns the same time of day n business days later.
func AddBusinessDays(t time.Time, n int, extra ...time.Time) time.Time {
	for n > 0 {
		t = t.AddDate(0, 0, 1)
		if t.Weekday() != time.Saturday && t.Weekday() != time.Sunday && !Holiday(t, extra...) {
			n--
		}
	}
	return t
}

func endOfDay(t time.Time) time.Time {
	y, m, d := t.Date()
	return time.Date(y, m, d, 23, 59, 59, 0, t.Location())
}

// RepDueDate is the last day to issue the REP of a payment: the 5th of the next month (guide of
// the payments complement, page 4).
func RepDueDate(fechaPago time.Time) time.Time {
	y, m, _ := fechaPago.Date()
	return time.Date(y, m+1, 5, 23, 59, 59, 0, fechaPago.Location())
}
