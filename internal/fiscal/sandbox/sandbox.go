// Package sandbox is a PAC inside the product, for development, demonstrations and tests. It
// stamps with a key of its own, so its documents have no fiscal validity, and it refuses to be
// made in production. Otherwise it behaves as a PAC: it validates, recognizes repetitions,
// cancels and answers for the state of documents, and it can be told to fail.
package sandbox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
)

// ErrProduction says that the sandbox was asked for in production.
var ErrProduction = errors.New("sandbox: refused_in_production: its stamps have no fiscal validity")

// Decision is what a simulated receiver does with a request to accept a cancellation.
type Decision int

// Decisions.
const (
	Accepts Decision = iota
	Rejects
	Silent // the term passes: accepted
)

// Config of a Sandbox.
type Config struct {
	Production bool
	Identity   *Identity        // nil generates one
	Store      Store            // nil is a new Memory
	Now        func() time.Time // nil is time.Now
	// Decisions of receivers by RFC; others accept as soon as they are asked.
	Decisions map[string]Decision
	// Taxpayers are names in the SAT's register by RFC, such as [Taxpayers]; the names of others are not checked.
	Taxpayers map[string]string
	// Credits are the stamps that can be made; 0 is without limit.
	Credits int
	// Fault is asked before each stamp; nil never fails.
	Fault func(sealed []byte) Fault
}

// Fault is a failure to simulate on one stamp.
type Fault int

// Faults.
const (
	None           Fault = iota
	Unavailable          // a 5xx before anything happens
	LostReply            // the document is stamped and the answer is lost
	BadCredentials       // the account is refused
	Slow                 // answers only when the caller's context ends
)

// Sandbox is the embedded PAC.
type Sandbox struct {
	c    Config
	mu   sync.Mutex
	used int
}

var (
	_ fiscal.Stamper        = (*Sandbox)(nil)
	_ fiscal.Canceller      = (*Sandbox)(nil)
	_ fiscal.StatusChecker  = (*Sandbox)(nil)
	_ fiscal.CreditReporter = (*Sandbox)(nil)
)

// New makes a sandbox, or returns ErrProduction.
func New(c Config) (*Sandbox, error) {
	if c.Production {
		return nil, ErrProduction
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Store == nil {
		c.Store = &Memory{}
	}
	if c.Identity == nil {
		id, err := NewIdentity(c.Now())
		if err != nil {
			return nil, err
		}
		c.Identity = id
	}
	return &Sandbox{c: c}, nil
}

// Identity is what it stamps with.
func (s *Sandbox) Identity() *Identity { return s.c.Identity }

func rejected(code, message string) error {
	return &fiscal.PACError{Kind: fiscal.KindRejected, Code: code, Message: message}
}

func unavailable(code string, err error) error {
	return &fiscal.PACError{Kind: fiscal.KindUnavailable, Code: code, Message: err.Error()}
}

// Stamp implements fiscal.Stamper.
func (s *Sandbox) Stamp(ctx context.Context, sealed []byte, key string) (*fiscal.StampResult, error) {
	fault := None
	if s.c.Fault != nil {
		fault = s.c.Fault(sealed)
	}
	switch fault {
	case Unavailable:
		return nil, &fiscal.PACError{Kind: fiscal.KindUnavailable, Code: "http_503", Message: "Service Unavailable (simulated)"}
	case BadCredentials:
		return nil, &fiscal.PACError{Kind: fiscal.KindAuth, Code: "http_401", Message: "simulated"}
	case Slow:
		<-ctx.Done()
		return nil, &fiscal.PACError{Kind: fiscal.KindUnknown, Code: "timeout", Message: ctx.Err().Error()}
	}
	if err := ctx.Err(); err != nil {
		return nil, unavailable("cancelled", err)
	}
	result, err := s.stamp(ctx, sealed, key)
	if fault == LostReply && err == nil {
		return nil, &fiscal.PACError{Kind: fiscal.KindUnknown, Code: "timeout", Message: "simulated: stamped, but the answer is lost"}
	}
	return result, err
}

func (s *Sandbox) stamp(ctx context.Context, sealed []byte, key string) (*fiscal.StampResult, error) {
	if len(key) > 100 {
		return nil, rejected("customid_too_long", "the key has more than 100 characters")
	}
	doc, err := fiscal.Parse(sealed)
	if err != nil {
		return nil, rejected("301", err.Error())
	}
	cadena, err := doc.CadenaOriginal()
	if err != nil {
		return nil, rejected("301", err.Error())
	}
	sum := sha256.Sum256([]byte(cadena))
	hash := hex.EncodeToString(sum[:])
	if old, err := s.c.Store.ByHash(ctx, hash); err != nil {
		return nil, unavailable("store", err)
	} else if old != nil {
		return s.repeated(sealed, old)
	}
	if err := s.check(doc); err != nil {
		return nil, err
	}
	record, err := s.certify(doc, sealed, hash, key)
	if err != nil {
		return nil, err
	}
	old, err := s.insert(ctx, record)
	switch {
	case err != nil:
		return nil, err
	case old != nil && old.Hash != hash:
		return nil, &fiscal.PACError{Kind: fiscal.KindRejected, Code: "CFDI3307", Message: "Timbre duplicado. El customId proporcionado está duplicado.", Detail: old.UUID}
	case old != nil: // another call stamped it in the meantime
		return s.repeated(sealed, old)
	}
	return fiscal.CheckStamped(sealed, record.XML)
}

// insert stores a stamp and takes a credit for it; a repetition takes none.
func (s *Sandbox) insert(ctx context.Context, r Record) (*Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.c.Credits > 0 && s.used >= s.c.Credits {
		old, err := s.c.Store.ByHash(ctx, r.Hash)
		if err != nil {
			return nil, unavailable("store", err)
		}
		if old == nil {
			return nil, &fiscal.PACError{Kind: fiscal.KindAuth, Code: "no_credits", Message: "no stamps left"}
		}
		return old, nil
	}
	old, err := s.c.Store.Insert(ctx, r)
	if err != nil {
		return nil, unavailable("store", err)
	}
	if old == nil {
		s.used++
	}
	return old, nil
}

// repeated is the PAC's 307: the first stamp again.
func (s *Sandbox) repeated(sealed []byte, old *Record) (*fiscal.StampResult, error) {
	r, err := fiscal.CheckStamped(sealed, old.XML)
	if err != nil {
		// same cadena, other Sello: sealed again with another key or certificate
		return nil, rejected("307", "El comprobante contiene un timbre previo.")
	}
	r.Repeated = true
	return r, nil
}

// check is what a PAC validates, in its order.
func (s *Sandbox) check(doc *fiscal.Document) error {
	c := doc.Comprobante
	if doc.Root.Prefix != "cfdi" {
		return rejected("301", "the prefix of the namespace must be cfdi")
	}
	if c.Timbre() != nil {
		return rejected("307", "El comprobante contiene un timbre previo.")
	}
	if err := doc.VerifySello(); err != nil {
		var v *fiscal.Violation
		if errors.As(err, &v) {
			return rejected(v.SAT, v.ES)
		}
		return rejected("302", err.Error())
	}
	crt, err := doc.Certificado()
	if err != nil {
		return rejected("CFDI40106", err.Error())
	}
	if c.Emisor == nil {
		return rejected("301", "Emisor is missing")
	}
	fecha, err := fiscal.ParseFecha(c.Fecha, c.LugarExpedicion)
	if err != nil {
		return rejected("CFDI40101", err.Error())
	}
	if bad := crt.Check(c.Emisor.Rfc, fecha).Refusals(); len(bad) > 0 {
		return rejected(bad[0].SAT, bad[0].ES)
	}
	bad := doc.Validate(fiscal.Options{Now: s.c.Now(), Sealed: true}).Refusals()
	if len(bad) == 0 {
		if name, known := s.c.Taxpayers[c.Receptor.Rfc]; known && name != c.Receptor.Nombre {
			return rejected("CFDI40145", "El campo Nombre del receptor, debe pertenecer al nombre asociado al RFC registrado en el campo Rfc del Receptor.")
		}
		return nil
	}
	code := bad[0].SAT
	if code == "" {
		code = bad[0].Code
	}
	return &fiscal.PACError{Kind: fiscal.KindRejected, Code: code, Message: bad[0].ES, Detail: bad[0].Path}
}

func (s *Sandbox) certify(doc *fiscal.Document, sealed []byte, hash, key string) (Record, error) {
	t := fiscal.TimbreFiscalDigital{
		Version: "1.1", UUID: strings.ToUpper(uuid.NewString()), FechaTimbrado: s.c.Now().In(fiscal.ZonaCentro()).Format(fiscal.FechaLayout),
		RfcProvCertif: fiscal.TestPAC, SelloCFD: doc.Comprobante.Sello, NoCertificadoSAT: s.c.Identity.Certificado.NoCertificado,
	}
	var err error
	if t.SelloSAT, err = s.c.Identity.sign(fiscal.CadenaTFD(&t)); err != nil {
		return Record{}, unavailable("sign", err)
	}
	xml, err := fiscal.InsertTimbre(sealed, &t)
	if err != nil {
		return Record{}, rejected("301", err.Error())
	}
	query := fiscal.QueryOf(doc.Comprobante)
	query.UUID = t.UUID
	return Record{Hash: hash, Key: key, UUID: t.UUID, XML: xml, Query: query, References: references(doc.Comprobante)}, nil
}

// references are the documents that this one relates to (but for those it replaces) or pays.
func references(c *fiscal.Comprobante) []string {
	var out []string
	for _, r := range c.CfdiRelacionados {
		if r.TipoRelacion == "04" {
			continue
		}
		for _, x := range r.CfdiRelacionado {
			out = append(out, strings.ToLower(x.UUID))
		}
	}
	if p := c.Pagos(); p != nil {
		for _, pago := range p.Pago {
			for _, d := range pago.DoctoRelacionado {
				out = append(out, strings.ToLower(d.IdDocumento))
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// Credits implements fiscal.CreditReporter.
func (s *Sandbox) Credits(context.Context, string) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.c.Credits == 0 {
		return fiscal.Unlimited, nil
	}
	return s.c.Credits - s.used, nil
}

// Fetch returns a stamped document by its folio fiscal.
func (s *Sandbox) Fetch(ctx context.Context, folio string) ([]byte, error) {
	r, err := s.c.Store.ByUUID(ctx, folio)
	if err != nil {
		return nil, err
	}
	if r == nil {
		return nil, fmt.Errorf("sandbox: not_found: %s", folio)
	}
	return r.XML, nil
}

// Test tells that the stamps have no fiscal validity.
func (s *Sandbox) Test() bool { return true }
