package fiscaltest

import (
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
)

// The account at the stub of Finkok.
const (
	FinkokUser     = "facturas@proveedor.example"
	FinkokPassword = "clave<del>&pac" //nolint:gosec // of the stub
)

// Finkok is a stub that speaks Finkok's SOAP; behind it a sandbox stamps.
type Finkok struct {
	*httptest.Server
	PAC *sandbox.Sandbox

	Mu        sync.Mutex
	Fail      []int // statuses of the next calls
	LoseReply bool
	Late      int    // the stamped operation answers 603 that many times, and 307 has no XML
	Incident  string // the next stamp answers this code
	Fault     string // the next call answers a SOAP fault
	Cancelled int    // cancellations that were taken as new ones
	release   chan struct{}
}

// NewFinkok starts one, until the test ends.
func NewFinkok(tb testing.TB, behind *sandbox.Sandbox) *Finkok {
	tb.Helper()
	s := &Finkok{PAC: behind, release: make(chan struct{})}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	tb.Cleanup(func() { close(s.release); s.Close() })
	return s
}

type finkokCall struct {
	Body struct {
		Op struct {
			XMLName  xml.Name
			XML      string `xml:"xml"`
			Username string `xml:"username"`
			Password string `xml:"password"`
			Reseller string `xml:"reseller_username"`
			Secret   string `xml:"reseller_password"`
			Taxpayer string `xml:"taxpayer_id"`
		} `xml:",any"`
	}
}

func (s *Finkok) serve(w http.ResponseWriter, r *http.Request) {
	s.Mu.Lock()
	defer s.Mu.Unlock()
	if len(s.Fail) > 0 {
		w.WriteHeader(s.Fail[0])
		s.Fail = s.Fail[1:]
		return
	}
	body, _ := io.ReadAll(r.Body)
	var c finkokCall
	service := strings.TrimPrefix(r.URL.Path, "/servicios/soap/")
	if err := xml.Unmarshal(body, &c); err != nil || c.Body.Op.XMLName.Space != "http://facturacion.finkok.com/"+service ||
		r.Header.Get("SOAPAction") != `"`+c.Body.Op.XMLName.Local+`"` || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/xml") {
		s.envelope(w, `<senv:Fault><faultcode>senv:Client</faultcode><faultstring>malformed</faultstring></senv:Fault>`)
		return
	}
	if s.Fault != "" {
		s.envelope(w, `<senv:Fault><faultcode>senv:Server</faultcode><faultstring>`+s.Fault+`</faultstring></senv:Fault>`)
		s.Fault = ""
		return
	}
	op := c.Body.Op.XMLName.Local
	document, err := base64.StdEncoding.DecodeString(c.Body.Op.XML)
	switch {
	case op == "get" && service == "registration":
		s.registered(w, c.Body.Op.Taxpayer, c.Body.Op.Reseller == FinkokUser && c.Body.Op.Secret == FinkokPassword)
	case c.Body.Op.Username != FinkokUser || c.Body.Op.Password != FinkokPassword:
		s.stampAnswer(w, op, "", incident("300", "Usuario o contraseña inválidos: "+c.Body.Op.Password))
	case err != nil:
		s.stampAnswer(w, op, "", incident("705", "XML Estructura inválida"))
	case op == "stamp":
		s.stamp(w, r, document)
	case op == "stamped":
		s.stamped(w, r, document)
	case op == "cancel_signature":
		s.cancel(w, r, document)
	}
}

func (s *Finkok) envelope(w http.ResponseWriter, inner string) {
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	_, _ = fmt.Fprintf(w, `<?xml version='1.0' encoding='UTF-8'?><senv:Envelope xmlns:senv="http://schemas.xmlsoap.org/soap/envelope/"><senv:Body>%s</senv:Body></senv:Envelope>`, inner)
}

func escape(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}

func incident(code, message string) string {
	return `<s0:Incidencias><s0:Incidencia><s0:IdIncidencia>1</s0:IdIncidencia><s0:CodigoError>` + code + `</s0:CodigoError><s0:WorkProcessId>w</s0:WorkProcessId>` +
		`<s0:MensajeIncidencia>` + escape(message) + `</s0:MensajeIncidencia><s0:ExtraInfo></s0:ExtraInfo><s0:NoCertificadoPac></s0:NoCertificadoPac></s0:Incidencia></s0:Incidencias>`
}

func (s *Finkok) stampAnswer(w http.ResponseWriter, op, xml, rest string) {
	s.envelope(w, `<tns:`+op+`Response xmlns:tns="http://facturacion.finkok.com/stamp" xmlns:s0="apps.services.soap.core.views"><tns:`+op+`Result>`+
		`<s0:xml>`+escape(xml)+`</s0:xml>`+rest+`</tns:`+op+`Result></tns:`+op+`Response>`)
}

func (s *Finkok) stamp(w http.ResponseWriter, r *http.Request, sealed []byte) {
	if s.Incident != "" {
		s.stampAnswer(w, "stamp", "", incident(s.Incident, "incidencia"))
		s.Incident = ""
		return
	}
	result, err := s.PAC.Stamp(r.Context(), sealed, "")
	if s.LoseReply {
		s.LoseReply = false
		s.Mu.Unlock()
		<-s.release
		s.Mu.Lock()
		return
	}
	var e *fiscal.PACError
	switch {
	case errors.As(err, &e):
		s.stampAnswer(w, "stamp", "", incident(e.Code, e.Message))
	case result.Repeated && s.Late > 0:
		s.stampAnswer(w, "stamp", "", incident("307", "El CFDI contiene un timbre previo"))
	case result.Repeated:
		s.stampAnswer(w, "stamp", string(result.XML), "<s0:CodEstatus>Comprobante timbrado previamente</s0:CodEstatus>"+incident("307", "El CFDI contiene un timbre previo"))
	default:
		s.stampAnswer(w, "stamp", string(result.XML), "<s0:UUID>"+result.Timbre.UUID+"</s0:UUID><s0:faultstring></s0:faultstring><s0:Fecha>x</s0:Fecha>"+
			"<s0:CodEstatus>Comprobante timbrado satisfactoriamente</s0:CodEstatus><s0:SatSeal>x</s0:SatSeal><s0:Incidencias/><s0:NoCertificadoSAT>x</s0:NoCertificadoSAT>")
	}
}

func (s *Finkok) stamped(w http.ResponseWriter, r *http.Request, sealed []byte) {
	if s.Late--; s.Late >= 0 {
		s.stampAnswer(w, "stamped", "", incident("603", "El CFDI no contiene un timbre previo"))
		return
	}
	result, err := s.PAC.Stamp(r.Context(), sealed, "")
	if err != nil {
		s.stampAnswer(w, "stamped", "", incident("603", "El CFDI no contiene un timbre previo"))
		return
	}
	s.stampAnswer(w, "stamped", string(result.XML), "<s0:CodEstatus>Comprobante timbrado previamente</s0:CodEstatus>")
}

func (s *Finkok) cancel(w http.ResponseWriter, r *http.Request, signed []byte) {
	n, err := fiscal.ParseNode(signed)
	if err != nil {
		s.envelope(w, "")
		return
	}
	rfc, _ := n.Attr("RfcEmisor")
	uuid, _ := n.Children[0].Children[0].Attr("UUID")
	motivo, _ := n.Children[0].Children[0].Attr("Motivo")
	var code, acuse string
	result, err := s.PAC.Cancel(r.Context(), fiscal.CancelRequest{RfcEmisor: rfc, UUID: uuid, Motivo: motivo})
	var e *fiscal.PACError
	if errors.As(err, &e) {
		code = e.Code
	} else {
		code, acuse = result.Code, string(result.Acuse)
		if code == fiscal.CodigoCancelada {
			s.Cancelled++
		}
	}
	if s.Incident != "" {
		code, s.Incident = s.Incident, ""
	}
	s.envelope(w, `<tns:cancel_signatureResponse xmlns:tns="http://facturacion.finkok.com/cancel" xmlns:s0="apps.services.soap.core.views"><tns:cancel_signatureResult>`+
		`<s0:Folios><s0:Folio><s0:UUID>`+uuid+`</s0:UUID><s0:EstatusUUID>`+code+`</s0:EstatusUUID><s0:EstatusCancelacion>Petición de cancelación realizada exitosamente</s0:EstatusCancelacion></s0:Folio></s0:Folios>`+
		`<s0:Acuse>`+escape(acuse)+`</s0:Acuse><s0:Fecha>x</s0:Fecha><s0:RfcEmisor>`+escape(rfc)+`</s0:RfcEmisor></tns:cancel_signatureResult></tns:cancel_signatureResponse>`)
}

// registered answers the operation get of registration: an account with credit, and one that pays afterwards.
func (s *Finkok) registered(w http.ResponseWriter, rfc string, known bool) {
	credit := map[string]string{"EKU9003173C9": "42", "URE180429TM6": "-1", "CACX7605101P8": "?"}[rfc]
	users := ""
	if known && credit != "" {
		users = `<s0:users><s0:ResellerUser><s0:status>A</s0:status><s0:counter>8</s0:counter><s0:taxpayer_id>` + rfc + `</s0:taxpayer_id><s0:credit>` + credit + `</s0:credit></s0:ResellerUser></s0:users>`
	}
	s.envelope(w, `<tns:getResponse xmlns:tns="http://facturacion.finkok.com/registration"><tns:getResult xmlns:s0="apps.services.soap.core.views">`+users+
		`<s0:message>`+map[bool]string{true: "Found", false: "Invalid FinkokUser or FinkokPassword: " + escape(FinkokPassword)}[known]+`</s0:message></tns:getResult></tns:getResponse>`)
}
