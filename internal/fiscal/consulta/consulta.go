// Package consulta asks the SAT for the state of a document: ConsultaCFDIService, SOAP 1.1,
// without credentials.
package consulta

import (
	"context"
	"encoding/xml"
	"net/http"
	"strings"
	"time"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/pac"
)

// URL of the service.
const URL = "https://consultaqr.facturaelectronica.sat.gob.mx"

// Client asks the SAT.
type Client struct{ http *pac.Client }

var _ fiscal.StatusChecker = (*Client)(nil)

// New returns a client for an address ([URL] in production). A zero timeout is
// pac.DefaultTimeout.
func New(url string, timeout time.Duration) (*Client, error) {
	h, err := pac.NewClient(url, timeout)
	if err != nil {
		return nil, err
	}
	return &Client{h}, nil
}

// Status implements fiscal.StatusChecker. Errors are *fiscal.PACError of KindUnavailable: a
// question can always be asked again.
func (c *Client) Status(ctx context.Context, q fiscal.StatusQuery) (*fiscal.Status, error) {
	var b strings.Builder
	b.WriteString(`<soapenv:Envelope xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:tem="http://tempuri.org/"><soapenv:Header/><soapenv:Body><tem:Consulta><tem:expresionImpresa>`)
	_ = xml.EscapeText(&b, []byte(q.Expression())) // to memory: cannot fail
	b.WriteString(`</tem:expresionImpresa></tem:Consulta></soapenv:Body></soapenv:Envelope>`)
	header := http.Header{"Content-Type": {"text/xml; charset=utf-8"}, "Soapaction": {`"http://tempuri.org/IConsultaCFDIService/Consulta"`}}
	r, err := c.http.Do(ctx, http.MethodPost, "/ConsultaCFDIService.svc", header, []byte(b.String()))
	if err != nil {
		return nil, &fiscal.PACError{Kind: fiscal.KindUnavailable, Code: "sat_unreachable", Message: err.Error()}
	}
	var envelope struct {
		Result *fiscal.Status `xml:"Body>ConsultaResponse>ConsultaResult"`
	}
	if r.Status != http.StatusOK || xml.Unmarshal(r.Body, &envelope) != nil || envelope.Result == nil || envelope.Result.CodigoEstatus == "" {
		return nil, &fiscal.PACError{Kind: fiscal.KindUnavailable, Code: "sat_answer_malformed", Message: http.StatusText(r.Status)}
	}
	return envelope.Result, nil
}
