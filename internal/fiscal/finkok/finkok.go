// Package finkok stamps with Finkok, over SOAP 1.1.
package finkok

import (
	"context"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/pac"
)

// Addresses of the service.
const (
	ProductionURL = "https://facturacion.finkok.com"
	TestURL       = "https://demo-facturacion.finkok.com"
)

// recoverDelays are the waits between questions for the first stamp after a 307: for some
// seconds the service says both 307 and 603 (no earlier stamp).
var recoverDelays = []time.Duration{500 * time.Millisecond, time.Second, 2 * time.Second, 3 * time.Second, 4 * time.Second}

// Config of a client.
type Config struct {
	URL                string
	Username, Password string
	Timeout            time.Duration
	// Sleep waits between the questions after a 307; nil waits for real.
	Sleep func(ctx context.Context, d time.Duration) error
}

// Client is a PAC account at Finkok. The service has no key per document: it recognizes a
// repetition by its bytes.
type Client struct {
	c    Config
	http *pac.Client
}

var (
	_ fiscal.Stamper        = (*Client)(nil)
	_ fiscal.Canceller      = (*Client)(nil)
	_ fiscal.CreditReporter = (*Client)(nil)
)

// New returns a client. Nothing is called yet.
func New(c Config) (*Client, error) {
	if c.Username == "" || c.Password == "" {
		return nil, errors.New("finkok: credentials_missing")
	}
	if c.Sleep == nil {
		c.Sleep = sleep
	}
	h, err := pac.NewClient(c.URL, c.Timeout, c.Password)
	if err != nil {
		return nil, err
	}
	return &Client{c: c, http: h}, nil
}

func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}

// incidencia is why something was refused.
type incidencia struct {
	CodigoError       string
	MensajeIncidencia string
	ExtraInfo         string
}

type stampResult struct {
	XML         string `xml:"xml"`
	UUID        string
	CodEstatus  string
	FaultString string       `xml:"faultstring"`
	Incidencias []incidencia `xml:"Incidencias>Incidencia"`
}

// body is the union of the answers that are read.
type body struct {
	Fault *struct {
		FaultString string `xml:"faultstring"`
	}
	StampResponse struct {
		Result *stampResult `xml:"stampResult"`
	} `xml:"stampResponse"`
	StampedResponse struct {
		Result *stampResult `xml:"stampedResult"`
	} `xml:"stampedResponse"`
	CancelResponse struct {
		Result *struct {
			Folios []struct {
				UUID               string
				EstatusUUID        string
				EstatusCancelacion string
			} `xml:"Folios>Folio"`
			Acuse      string
			CodEstatus string
		} `xml:"cancel_signatureResult"`
	} `xml:"cancel_signatureResponse"`
	GetResponse struct {
		Result *struct {
			Message string `xml:"message"`
			Users   []struct {
				Rfc    string `xml:"taxpayer_id"`
				Credit string `xml:"credit"` // -1: paid for afterwards
			} `xml:"users>ResellerUser"`
		} `xml:"getResult"`
	} `xml:"getResponse"`
}

// call sends one operation of a service (stamp, cancel or registration) and reads its answer.
func (c *Client) call(ctx context.Context, service, op string, fields ...[2]string) (*body, error) {
	var b strings.Builder
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` +
		`<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:op="http://facturacion.finkok.com/` + service + `">` +
		`<soapenv:Header/><soapenv:Body><op:` + op + `>`)
	prefix := ""
	if service == "registration" {
		prefix = "reseller_"
	}
	for _, f := range append(fields, [2]string{prefix + "username", c.c.Username}, [2]string{prefix + "password", c.c.Password}) {
		b.WriteString("<op:" + f[0] + ">")
		_ = xml.EscapeText(&b, []byte(f[1])) // to memory: cannot fail
		b.WriteString("</op:" + f[0] + ">")
	}
	b.WriteString(`</op:` + op + `></soapenv:Body></soapenv:Envelope>`)
	header := http.Header{"Content-Type": {"text/xml; charset=utf-8"}, "Soapaction": {`"` + op + `"`}}
	r, err := c.http.Do(ctx, http.MethodPost, "/servicios/soap/"+service, header, []byte(b.String()))
	if err != nil {
		return nil, err
	}
	var envelope struct{ Body body }
	if r.Status != http.StatusOK {
		return nil, c.http.HTTPError(r)
	}
	if err := xml.Unmarshal(r.Body, &envelope); err != nil {
		return nil, &fiscal.PACError{Kind: fiscal.KindUnknown, Code: "answer_malformed"}
	}
	if f := envelope.Body.Fault; f != nil {
		return nil, &fiscal.PACError{Kind: fiscal.KindUnknown, Code: "soap_fault", Message: c.http.Redact(f.FaultString)}
	}
	return &envelope.Body, nil
}

// Stamp implements fiscal.Stamper.
func (c *Client) Stamp(ctx context.Context, sealed []byte, _ string) (*fiscal.StampResult, error) {
	doc := [2]string{"xml", base64.StdEncoding.EncodeToString(sealed)}
	b, err := c.call(ctx, "stamp", "stamp", doc)
	if err != nil {
		return nil, err
	}
	r := b.StampResponse.Result
	if r == nil {
		return nil, &fiscal.PACError{Kind: fiscal.KindUnknown, Code: "answer_malformed"}
	}
	before := slices.ContainsFunc(r.Incidencias, func(i incidencia) bool { return i.CodigoError == "307" }) ||
		strings.Contains(r.CodEstatus, "previamente")
	switch {
	case r.XML != "":
		result, err := fiscal.CheckStamped(sealed, []byte(r.XML))
		if err == nil {
			result.Repeated = before
		}
		return result, err
	case before:
		return c.first(ctx, sealed, doc)
	}
	return nil, c.refusal(r)
}

// first asks for the first stamp of a document until the service knows it.
func (c *Client) first(ctx context.Context, sealed []byte, doc [2]string) (*fiscal.StampResult, error) {
	for _, wait := range recoverDelays {
		if err := c.c.Sleep(ctx, wait); err != nil {
			return nil, &fiscal.PACError{Kind: fiscal.KindUnknown, Code: "307", Message: "stamped before; interrupted while asking for the stamp"}
		}
		b, err := c.call(ctx, "stamp", "stamped", doc)
		if err != nil {
			return nil, &fiscal.PACError{Kind: fiscal.KindUnknown, Code: "307", Message: err.Error()}
		}
		if r := b.StampedResponse.Result; r != nil && r.XML != "" {
			result, err := fiscal.CheckStamped(sealed, []byte(r.XML))
			if err == nil {
				result.Repeated = true
			}
			return result, err
		}
	}
	return nil, &fiscal.PACError{Kind: fiscal.KindUnknown, Code: "603", Message: "stamped before (307), but the service does not have the stamp yet (603)"}
}

// refusal turns incidents into an error. 300, 501 and 703 are about the account; 708 is the SAT
// not answering, which says nothing about the stamp.
func (c *Client) refusal(r *stampResult) error {
	if len(r.Incidencias) == 0 {
		return &fiscal.PACError{Kind: fiscal.KindUnknown, Code: "answer_malformed", Message: c.http.Redact(r.CodEstatus + r.FaultString)}
	}
	i := r.Incidencias[0]
	kind := kindOf(i.CodigoError)
	if kind == fiscal.KindUnavailable || kind == fiscal.KindRejected && !refusals.MatchString(i.CodigoError) {
		kind = fiscal.KindUnknown
	}
	return &fiscal.PACError{Kind: kind, Code: i.CodigoError, Message: c.http.Redact(i.MensajeIncidencia), Detail: c.http.Redact(i.ExtraInfo)}
}

// refusals are the codes by which the service says that it does not stamp a document as it is: of the SAT's matrices, of
// the checks of every PAC (Anexo 20), and its own of documents, certificates and keys (7xx). Whatever else it says may have
// come after the stamp: the same bytes are sent again.
var refusals = regexp.MustCompile(`^(CFDI[0-9]{5}|CRP[0-9]{5}|30[1-68]|40[1-3]|7[0-9]{2})$`)

func kindOf(code string) fiscal.ErrorKind {
	switch code {
	case "": // no refusal, whatever it is
		return fiscal.KindUnknown
	case "300", "501", "702", "703":
		return fiscal.KindAuth
	case "708", "500":
		return fiscal.KindUnavailable
	}
	return fiscal.KindRejected
}

// Cancel implements fiscal.Canceller; r.CSD signs the request.
func (c *Client) Cancel(ctx context.Context, r fiscal.CancelRequest) (*fiscal.CancelResult, error) {
	signed, err := fiscal.SignCancelacion(r)
	if err != nil {
		return nil, &fiscal.PACError{Kind: fiscal.KindRejected, Code: "301", Message: err.Error()}
	}
	b, err := c.call(ctx, "cancel", "cancel_signature", [2]string{"xml", base64.StdEncoding.EncodeToString(signed)})
	if err != nil {
		return nil, err
	}
	result := b.CancelResponse.Result
	if result == nil {
		return nil, &fiscal.PACError{Kind: fiscal.KindUnknown, Code: "answer_malformed"}
	}
	for _, f := range result.Folios {
		if !strings.EqualFold(f.UUID, r.UUID) {
			continue
		}
		if f.EstatusUUID == fiscal.CodigoCancelada || f.EstatusUUID == fiscal.CodigoYaCancelada {
			return &fiscal.CancelResult{Code: f.EstatusUUID, Acuse: []byte(result.Acuse)}, nil
		}
		return nil, &fiscal.PACError{Kind: kindOf(f.EstatusUUID), Code: f.EstatusUUID, Message: c.http.Redact(f.EstatusCancelacion)}
	}
	code, _, _ := strings.Cut(strings.TrimSpace(result.CodEstatus), " ")
	code = strings.Trim(code, ".:-")
	if code == "" {
		return nil, &fiscal.PACError{Kind: fiscal.KindUnknown, Code: "answer_malformed"}
	}
	return nil, &fiscal.PACError{Kind: kindOf(code), Code: code, Message: c.http.Redact(result.CodEstatus)}
}

// Credits implements fiscal.CreditReporter: what the account has left for an issuer (registration, operation get).
func (c *Client) Credits(ctx context.Context, rfc string) (int, error) {
	b, err := c.call(ctx, "registration", "get", [2]string{"taxpayer_id", rfc})
	if err != nil {
		return 0, err
	}
	result := b.GetResponse.Result
	if result == nil {
		return 0, &fiscal.PACError{Kind: fiscal.KindUnavailable, Code: "answer_malformed"}
	}
	for _, user := range result.Users {
		if !strings.EqualFold(user.Rfc, rfc) {
			continue
		}
		n, err := strconv.Atoi(strings.TrimSpace(user.Credit))
		if err != nil || n < fiscal.Unlimited {
			return 0, &fiscal.PACError{Kind: fiscal.KindUnavailable, Code: "answer_malformed"}
		}
		return n, nil
	}
	return 0, &fiscal.PACError{Kind: fiscal.KindAuth, Code: "issuer_unknown", Message: c.http.Redact(result.Message)}
}
