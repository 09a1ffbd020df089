package fiscal

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Stamper is a PAC (proveedor autorizado de certificación), which stamps sealed documents.
//
// Rules for callers, so that a document is stamped once whatever happens: store the sealed bytes
// and the key before the call; retry with the same bytes and key, never with a rebuilt document
// (a new Fecha is a new document for the PAC); build anew only after KindRejected.
type Stamper interface {
	// Stamp returns the stamped document. key identifies the document at the PAC, at most 100
	// characters: the id of our record. A repetition returns the first stamp. Errors are
	// [*PACError].
	Stamp(ctx context.Context, sealed []byte, key string) (*StampResult, error)
}

// Canceller asks for the cancellation of a stamped document. Errors are [*PACError].
type Canceller interface {
	Cancel(ctx context.Context, r CancelRequest) (*CancelResult, error)
}

// StatusChecker asks the SAT, or a PAC for it, for the state of a document.
type StatusChecker interface {
	Status(ctx context.Context, q StatusQuery) (*Status, error)
}

// CreditReporter tells how many stamps are left to buy from.
type CreditReporter interface {
	// Credits returns the stamps left to the issuer with that RFC; Unlimited where they are paid for afterwards.
	// Errors are [*PACError].
	Credits(ctx context.Context, rfc string) (int, error)
}

// Unlimited is a credit that does not end.
const Unlimited = -1

// StampResult is a stamped document.
type StampResult struct {
	XML    []byte // to be stored and served as it is
	Timbre TimbreFiscalDigital
	// Repeated is true when the PAC had stamped these bytes before (307).
	Repeated bool
}

// ErrorKind says what to do about a failed call to a PAC.
type ErrorKind string

// Kinds of PACError.
const (
	// KindRejected is final: the data must change.
	KindRejected ErrorKind = "rejected"
	// KindAuth needs staff: credentials, account or contract.
	KindAuth ErrorKind = "auth"
	// KindUnavailable means that nothing happened, as far as is known: retry.
	KindUnavailable ErrorKind = "unavailable"
	// KindClock means that this machine's clock is off: nothing was sent.
	KindClock ErrorKind = "clock"
	// KindUnknown means that the answer was lost: the document may be stamped. Retry with the
	// same bytes; the PAC returns the first stamp.
	KindUnknown ErrorKind = "unknown"
)

// PACError is a failed call to a PAC. It never contains credentials.
type PACError struct {
	Kind    ErrorKind
	Code    string // the SAT's or the PAC's: CFDI40102, 401, 307; or ours in snake_case
	Message string // of the PAC
	Detail  string
}

func (e *PACError) Error() string {
	s := fmt.Sprintf("fiscal: pac_%s: %s %s", e.Kind, e.Code, e.Message)
	if e.Detail != "" {
		s += " (" + e.Detail + ")"
	}
	return s
}

// Is makes errors.Is compare kinds, and codes when the target has one.
func (e *PACError) Is(target error) bool {
	t, ok := target.(*PACError)
	return ok && t.Kind == e.Kind && (t.Code == "" || t.Code == e.Code)
}

// KindOf returns the kind of a PAC's error; KindUnknown for other errors and "" for nil.
func KindOf(err error) ErrorKind {
	var pac *PACError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &pac):
		return pac.Kind
	}
	return KindUnknown
}

// CheckStamped verifies what a PAC returned for a sealed document: a whole stamp whose SelloCFD is our
// Sello, on a document with the same cadena original, seal and certificate. SelloSAT itself is signed with
// a certificate of the PAC's, which is not known here. A PAC that returns something else has not stamped
// our document: KindUnknown, so that nobody builds it anew.
func CheckStamped(sealed, stamped []byte) (*StampResult, error) {
	bad := func(code, detail string) (*StampResult, error) {
		return nil, &PACError{Kind: KindUnknown, Code: code, Message: "the PAC's answer is not our document, stamped", Detail: detail}
	}
	ours, err := Parse(sealed)
	if err != nil {
		return nil, &PACError{Kind: KindRejected, Code: "301", Message: err.Error()}
	}
	theirs, err := Parse(stamped)
	if err != nil {
		return bad("stamped_malformed", err.Error())
	}
	t := theirs.Comprobante.Timbre()
	switch {
	case t == nil || !uuidPattern.MatchString(t.UUID):
		return bad("stamp_missing", "")
	case t.SelloCFD != ours.Comprobante.Sello:
		return bad("stamp_of_another_document", t.UUID)
	case !t.whole():
		return bad("stamp_incomplete", t.UUID)
	case theirs.Comprobante.Sello != ours.Comprobante.Sello || theirs.Comprobante.Certificado != ours.Comprobante.Certificado:
		return bad("stamped_document_changed", t.UUID)
	}
	want, err := ours.CadenaOriginal()
	if err != nil {
		return bad("cadena_unknown", err.Error())
	}
	if got, err := theirs.CadenaOriginal(); err != nil || got != want {
		return bad("stamped_document_changed", t.UUID)
	}
	return &StampResult{XML: stamped, Timbre: *t}, nil
}

// whole reports whether a stamp has what its schema (TimbreFiscalDigital 1.1) requires, each in its form.
func (t *TimbreFiscalDigital) whole() bool {
	_, moment := time.Parse(FechaLayout, t.FechaTimbrado)
	sello, encoded := base64.StdEncoding.DecodeString(t.SelloSAT)
	return t.Version == "1.1" && moment == nil && encoded == nil && len(sello) >= 128 && len(t.NoCertificadoSAT) == 20 && digits(t.NoCertificadoSAT) &&
		rfcPattern.MatchString(t.RfcProvCertif)
}

// retryDelays are the waits between attempts; the last one repeats.
var retryDelays = []time.Duration{5 * time.Second, 30 * time.Second, 2 * time.Minute, 10 * time.Minute, time.Hour}

// RetryDelay is the wait before attempt n+1 after n failed attempts (from 1).
func RetryDelay(attempts int) time.Duration {
	return retryDelays[min(max(attempts, 1), len(retryDelays))-1]
}

// friendly are the SAT's refusals of somebody's data, by ranges of codes CFDI40xxx, said to clients and
// staff.
var friendly = []struct {
	from, to int
	field    string
	es, en   string
}{
	{138, 142, "Emisor", "Los datos fiscales del emisor no coinciden con los registros del SAT: los corrige quien emite.", "The issuer's data do not match the SAT's records: the issuer corrects them."},
	{143, 143, "Receptor@Rfc", "El RFC no está en la lista de contribuyentes inscritos del SAT. Revise que esté bien escrito.", "The RFC is not in the SAT's list of taxpayers. Check its spelling."},
	{144, 146, "Receptor@Nombre", "El nombre debe ser igual al de la Constancia de Situación Fiscal, sin «S.A. de C.V.» si ahí no aparece.", `The name must be the one in the Constancia de Situación Fiscal, without "S.A. de C.V." unless it is there.`},
	{147, 149, "Receptor@DomicilioFiscalReceptor", "El código postal debe ser el del domicilio de la Constancia de Situación Fiscal.", "The postal code must be that of the Constancia de Situación Fiscal."},
	{157, 159, "Receptor@RegimenFiscalReceptor", "El régimen fiscal debe ser uno de los de la Constancia de Situación Fiscal.", "The tax regime must be one of those in the Constancia de Situación Fiscal."},
	{160, 161, "Receptor@UsoCFDI", "El uso del CFDI no se permite con ese régimen fiscal.", "The UsoCFDI is not allowed with that tax regime."},
}

// FriendlyMessage says a refusal of the SAT so that a person knows what to correct. ok is false when the code is not
// about fiscal data of issuer or receiver.
func FriendlyMessage(code, lang string) (message string, ok bool) {
	_, es, en, ok := friendlyOf(code)
	if strings.HasPrefix(strings.ToLower(lang), "en") {
		return en, ok
	}
	return es, ok
}

// fieldOf is the field of a document that a code of the SAT is about; "" where it is not known.
func fieldOf(code string) string {
	if code == "401" {
		return "@Fecha"
	}
	field, _, _, _ := friendlyOf(code)
	return field
}

func friendlyOf(code string) (field, es, en string, ok bool) {
	rest, found := strings.CutPrefix(code, "CFDI40")
	n, err := strconv.Atoi(rest)
	if !found || err != nil {
		return "", "", "", false
	}
	for _, f := range friendly {
		if f.from <= n && n <= f.to {
			return f.field, f.es, f.en, true
		}
	}
	return "", "", "", false
}

// satCode is how the SAT writes codes: of its error matrices, and those of three digits that every PAC answers.
var satCode = regexp.MustCompile(`^(CFDI|CRP)[0-9]{5}$|^[34][0-9]{2}$`)

// TestPAC is the RFC that the SAT gives to test PACs; the sandbox stamps with it.
const TestPAC = "SPR190613I52"

// rfcDePrueba is the SAT's public test taxpayer whose CSD everybody has.
const rfcDePrueba = "EKU9003173C9"

// SinValidez reports whether a document is a test without fiscal validity: its printed
// representation must say so.
func SinValidez(c *Comprobante) bool {
	t := c.Timbre()
	return t == nil || t.RfcProvCertif == TestPAC || c.Emisor != nil && c.Emisor.Rfc == rfcDePrueba
}
