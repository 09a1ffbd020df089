package finkok_test

import (
	"context"
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
	"time"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/finkok"
	"github.com/nubedigitalmx/avisa/internal/fiscal/fiscaltest"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
)

const (
	user     = "facturas@proveedor.example"
	password = "clave<del>&pac"
)

// stub speaks Finkok's SOAP; behind it a sandbox stamps.
type stub struct {
	*httptest.Server
	t     *testing.T
	store *sandbox.Memory
	pac   *sandbox.Sandbox

	mu        sync.Mutex
	fail      []int // statuses of the next calls
	loseReply bool
	late      int    // the stamped operation answers 603 that many times, and 307 has no XML
	incident  string // the next stamp answers this code
	fault     string // the next call answers a SOAP fault
	waits     []time.Duration
	release   chan struct{}
}

func newStub(t *testing.T) *stub {
	t.Helper()
	s := &stub{t: t, store: &sandbox.Memory{}, release: make(chan struct{})}
	id, err := sandbox.NewIdentity(fiscaltest.Noon)
	if err != nil {
		t.Fatal(err)
	}
	if s.pac, err = sandbox.New(sandbox.Config{Identity: id, Store: s.store, Now: func() time.Time { return fiscaltest.Noon }}); err != nil {
		t.Fatal(err)
	}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(func() { close(s.release); s.Close() })
	return s
}

func (s *stub) client(timeout time.Duration) *finkok.Client {
	s.t.Helper()
	c, err := finkok.New(finkok.Config{URL: s.URL, Username: user, Password: password, Timeout: timeout, Sleep: func(_ context.Context, d time.Duration) error {
		s.waits = append(s.waits, d)
		return nil
	}})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

type call struct {
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

func (s *stub) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.fail) > 0 {
		w.WriteHeader(s.fail[0])
		s.fail = s.fail[1:]
		return
	}
	body, _ := io.ReadAll(r.Body)
	var c call
	service := strings.TrimPrefix(r.URL.Path, "/servicios/soap/")
	if err := xml.Unmarshal(body, &c); err != nil || c.Body.Op.XMLName.Space != "http://facturacion.finkok.com/"+service ||
		r.Header.Get("SOAPAction") != `"`+c.Body.Op.XMLName.Local+`"` || !strings.HasPrefix(r.Header.Get("Content-Type"), "text/xml") {
		s.envelope(w, `<senv:Fault><faultcode>senv:Client</faultcode><faultstring>malformed</faultstring></senv:Fault>`)
		return
	}
	if s.fault != "" {
		s.envelope(w, `<senv:Fault><faultcode>senv:Server</faultcode><faultstring>`+s.fault+`</faultstring></senv:Fault>`)
		s.fault = ""
		return
	}
	op := c.Body.Op.XMLName.Local
	document, err := base64.StdEncoding.DecodeString(c.Body.Op.XML)
	switch {
	case op == "get" && service == "registration":
		s.registered(w, c.Body.Op.Taxpayer, c.Body.Op.Reseller == user && c.Body.Op.Secret == password)
	case c.Body.Op.Username != user || c.Body.Op.Password != password:
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

func (s *stub) envelope(w http.ResponseWriter, inner string) {
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	_, _ = fmt.Fprintf(w, `<?xml version='1.0' encoding='UTF-8'?><senv:Envelope xmlns:senv="http://schemas.xmlsoap.org/soap/envelope/"><senv:Body>%s</senv:Body></senv:Envelope>`, inner)
}

func esc(s string) string {
	var b strings.Builder
	_ = xml.EscapeText(&b, []byte(s))
	return b.String()
}

func incident(code, message string) string {
	return `<s0:Incidencias><s0:Incidencia><s0:IdIncidencia>1</s0:IdIncidencia><s0:CodigoError>` + code + `</s0:CodigoError><s0:WorkProcessId>w</s0:WorkProcessId>` +
		`<s0:MensajeIncidencia>` + esc(message) + `</s0:MensajeIncidencia><s0:ExtraInfo></s0:ExtraInfo><s0:NoCertificadoPac></s0:NoCertificadoPac></s0:Incidencia></s0:Incidencias>`
}

func (s *stub) stampAnswer(w http.ResponseWriter, op, xml, rest string) {
	s.envelope(w, `<tns:`+op+`Response xmlns:tns="http://facturacion.finkok.com/stamp" xmlns:s0="apps.services.soap.core.views"><tns:`+op+`Result>`+
		`<s0:xml>`+esc(xml)+`</s0:xml>`+rest+`</tns:`+op+`Result></tns:`+op+`Response>`)
}

func (s *stub) stamp(w http.ResponseWriter, r *http.Request, sealed []byte) {
	if s.incident != "" {
		s.stampAnswer(w, "stamp", "", incident(s.incident, "incidencia"))
		s.incident = ""
		return
	}
	result, err := s.pac.Stamp(r.Context(), sealed, "")
	if s.loseReply {
		s.loseReply = false
		s.mu.Unlock()
		<-s.release
		s.mu.Lock()
		return
	}
	var e *fiscal.PACError
	switch {
	case errors.As(err, &e):
		s.stampAnswer(w, "stamp", "", incident(e.Code, e.Message))
	case result.Repeated && s.late > 0:
		s.stampAnswer(w, "stamp", "", incident("307", "El CFDI contiene un timbre previo"))
	case result.Repeated:
		s.stampAnswer(w, "stamp", string(result.XML), "<s0:CodEstatus>Comprobante timbrado previamente</s0:CodEstatus>"+incident("307", "El CFDI contiene un timbre previo"))
	default:
		s.stampAnswer(w, "stamp", string(result.XML), "<s0:UUID>"+result.Timbre.UUID+"</s0:UUID><s0:faultstring></s0:faultstring><s0:Fecha>x</s0:Fecha>"+
			"<s0:CodEstatus>Comprobante timbrado satisfactoriamente</s0:CodEstatus><s0:SatSeal>x</s0:SatSeal><s0:Incidencias/><s0:NoCertificadoSAT>x</s0:NoCertificadoSAT>")
	}
}

func (s *stub) stamped(w http.ResponseWriter, r *http.Request, sealed []byte) {
	if s.late--; s.late >= 0 {
		s.stampAnswer(w, "stamped", "", incident("603", "El CFDI no contiene un timbre previo"))
		return
	}
	result, err := s.pac.Stamp(r.Context(), sealed, "")
	if err != nil {
		s.stampAnswer(w, "stamped", "", incident("603", "El CFDI no contiene un timbre previo"))
		return
	}
	s.stampAnswer(w, "stamped", string(result.XML), "<s0:CodEstatus>Comprobante timbrado previamente</s0:CodEstatus>")
}

func (s *stub) cancel(w http.ResponseWriter, r *http.Request, signed []byte) {
	n, err := fiscal.ParseNode(signed)
	if err != nil {
		s.envelope(w, "")
		return
	}
	rfc, _ := n.Attr("RfcEmisor")
	uuid, _ := n.Children[0].Children[0].Attr("UUID")
	motivo, _ := n.Children[0].Children[0].Attr("Motivo")
	var code, acuse string
	result, err := s.pac.Cancel(r.Context(), fiscal.CancelRequest{RfcEmisor: rfc, UUID: uuid, Motivo: motivo})
	var e *fiscal.PACError
	if errors.As(err, &e) {
		code = e.Code
	} else {
		code, acuse = result.Code, string(result.Acuse)
	}
	if s.incident != "" {
		code, s.incident = s.incident, ""
	}
	s.envelope(w, `<tns:cancel_signatureResponse xmlns:tns="http://facturacion.finkok.com/cancel" xmlns:s0="apps.services.soap.core.views"><tns:cancel_signatureResult>`+
		`<s0:Folios><s0:Folio><s0:UUID>`+uuid+`</s0:UUID><s0:EstatusUUID>`+code+`</s0:EstatusUUID><s0:EstatusCancelacion>Petición de cancelación realizada exitosamente</s0:EstatusCancelacion></s0:Folio></s0:Folios>`+
		`<s0:Acuse>`+esc(acuse)+`</s0:Acuse><s0:Fecha>x</s0:Fecha><s0:RfcEmisor>`+esc(rfc)+`</s0:RfcEmisor></tns:cancel_signatureResult></tns:cancel_signatureResponse>`)
}

var ctx = context.Background()

func TestStampAndRepeat(t *testing.T) {
	s := newStub(t)
	c := s.client(0)
	sealed := fiscaltest.Sealed(t, "1")
	first, err := c.Stamp(ctx, sealed, "cfdi-1")
	if err != nil || first.Repeated {
		t.Fatalf("%+v %v", first, err)
	}
	doc, err := fiscal.Parse(first.XML)
	if err != nil || doc.VerifySello() != nil || doc.VerifyTimbre(s.pac.Identity().Certificado) != nil {
		t.Error(err)
	}
	again, err := c.Stamp(ctx, sealed, "cfdi-1")
	if err != nil || !again.Repeated || string(again.XML) != string(first.XML) || s.store.Len() != 1 || len(s.waits) != 0 {
		t.Errorf("%+v %v", again, err)
	}
}

// TestLate: 307 without document, and 603 for some seconds.
func TestLate(t *testing.T) {
	s := newStub(t)
	c := s.client(0)
	sealed := fiscaltest.Sealed(t, "1")
	first, err := c.Stamp(ctx, sealed, "")
	if err != nil {
		t.Fatal(err)
	}
	s.late = 3
	again, err := c.Stamp(ctx, sealed, "")
	if err != nil || !again.Repeated || again.Timbre.UUID != first.Timbre.UUID || len(s.waits) != 4 {
		t.Errorf("%+v %v, waits %v", again, err, s.waits)
	}
	for i := 1; i < len(s.waits); i++ {
		if s.waits[i] <= s.waits[i-1] {
			t.Errorf("waits do not grow: %v", s.waits)
		}
	}
	s.late = 100
	if _, err := c.Stamp(ctx, sealed, ""); !errors.Is(err, &fiscal.PACError{Kind: fiscal.KindUnknown, Code: "603"}) {
		t.Error(err)
	}
	s.late, s.waits = 100, nil
	impatient, err := finkok.New(finkok.Config{URL: s.URL, Username: user, Password: password, Sleep: func(context.Context, time.Duration) error { return context.Canceled }})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := impatient.Stamp(ctx, sealed, ""); fiscal.KindOf(err) != fiscal.KindUnknown {
		t.Error(err)
	}
}

func TestLostReply(t *testing.T) {
	s := newStub(t)
	hasty, c := s.client(time.Second), s.client(0)
	sealed := fiscaltest.Sealed(t, "1")
	s.loseReply = true
	if _, err := hasty.Stamp(ctx, sealed, ""); !errors.Is(err, &fiscal.PACError{Kind: fiscal.KindUnknown, Code: "timeout"}) {
		t.Fatal(err)
	}
	r, err := c.Stamp(ctx, sealed, "")
	if err != nil || !r.Repeated || s.store.Len() != 1 {
		t.Errorf("%+v %v, %d stamps", r, err, s.store.Len())
	}
}

func TestErrors(t *testing.T) {
	s := newStub(t)
	c := s.client(0)
	sealed := fiscaltest.Sealed(t, "1")
	for code, kind := range map[string]fiscal.ErrorKind{"300": fiscal.KindAuth, "703": fiscal.KindAuth, "708": fiscal.KindUnavailable, "301": fiscal.KindRejected,
		"401": fiscal.KindRejected, "705": fiscal.KindRejected, "CFDI40145": fiscal.KindRejected} {
		s.incident = code
		if _, err := c.Stamp(ctx, sealed, ""); !errors.Is(err, &fiscal.PACError{Kind: kind, Code: code}) {
			t.Errorf("%s: %v", code, err)
		}
	}
	s.fail = []int{500, 502, 503}
	for range 3 {
		if _, err := c.Stamp(ctx, sealed, ""); fiscal.KindOf(err) != fiscal.KindUnavailable {
			t.Error(err)
		}
	}
	s.fault = "Server raised fault: " + esc(password)
	if _, err := c.Stamp(ctx, sealed, ""); fiscal.KindOf(err) != fiscal.KindUnavailable || strings.Contains(err.Error(), password) {
		t.Error(err)
	}
	if _, err := c.Stamp(ctx, []byte(strings.Replace(string(sealed), "Hospedaje", "Hospedajo", 1)), ""); !errors.Is(err, &fiscal.PACError{Kind: fiscal.KindRejected, Code: "CFDI40102"}) {
		t.Error(err)
	}
	if s.store.Len() != 0 {
		t.Errorf("%d stamps", s.store.Len())
	}
	wrong, err := finkok.New(finkok.Config{URL: s.URL, Username: user, Password: "clave-equivocada"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := wrong.Stamp(ctx, sealed, ""); fiscal.KindOf(err) != fiscal.KindAuth || strings.Contains(err.Error(), "clave-equivocada") {
		t.Error(err)
	}
	if _, err := finkok.New(finkok.Config{URL: s.URL}); err == nil {
		t.Error("no credentials are accepted")
	}
}

func TestCancel(t *testing.T) {
	s := newStub(t)
	c := s.client(0)
	r, err := c.Stamp(ctx, fiscaltest.Sealed(t, "1"), "")
	if err != nil {
		t.Fatal(err)
	}
	req := fiscal.CancelRequest{RfcEmisor: "EKU9003173C9", UUID: r.Timbre.UUID, Motivo: "02", Fecha: fiscaltest.Noon, CSD: fiscaltest.CSD(t, "EKU9003173C9")}
	s.incident = "708"
	if _, err := c.Cancel(ctx, req); !errors.Is(err, &fiscal.PACError{Kind: fiscal.KindUnavailable, Code: "708"}) {
		t.Error(err)
	}
	got, err := c.Cancel(ctx, req)
	if err != nil || got.Code != "202" { // the first one arrived, although the SAT did not answer
		t.Fatalf("%+v %v", got, err)
	}
	if !strings.Contains(string(got.Acuse), r.Timbre.UUID) {
		t.Errorf("%s", got.Acuse)
	}
	req.UUID = "DC55E6A9-2329-5352-8FD9-5B73CE21FF44"
	if _, err := c.Cancel(ctx, req); !errors.Is(err, &fiscal.PACError{Kind: fiscal.KindRejected, Code: "205"}) {
		t.Error(err)
	}
	req.CSD = nil
	if _, err := c.Cancel(ctx, req); fiscal.KindOf(err) != fiscal.KindRejected {
		t.Error(err)
	}
}

// registered answers the operation get of registration: an account with credit, and one that pays afterwards.
func (s *stub) registered(w http.ResponseWriter, rfc string, known bool) {
	credit := map[string]string{"EKU9003173C9": "42", "URE180429TM6": "-1", "CACX7605101P8": "?"}[rfc]
	users := ""
	if known && credit != "" {
		users = `<s0:users><s0:ResellerUser><s0:status>A</s0:status><s0:counter>8</s0:counter><s0:taxpayer_id>` + rfc + `</s0:taxpayer_id><s0:credit>` + credit + `</s0:credit></s0:ResellerUser></s0:users>`
	}
	s.envelope(w, `<tns:getResponse xmlns:tns="http://facturacion.finkok.com/registration"><tns:getResult xmlns:s0="apps.services.soap.core.views">`+users+
		`<s0:message>`+map[bool]string{true: "Found", false: "Invalid user or password: " + esc(password)}[known]+`</s0:message></tns:getResult></tns:getResponse>`)
}

func TestCredits(t *testing.T) {
	s := newStub(t)
	c := s.client(time.Second)
	for rfc, want := range map[string]int{"EKU9003173C9": 42, "URE180429TM6": fiscal.Unlimited} {
		if n, err := c.Credits(t.Context(), rfc); n != want || err != nil {
			t.Errorf("%s: %d %v, want %d", rfc, n, err, want)
		}
	}
	for rfc, want := range map[string]fiscal.PACError{"CACX7605101P8": {Kind: fiscal.KindUnavailable, Code: "answer_malformed"}, "AAA010101AAA": {Kind: fiscal.KindAuth, Code: "issuer_unknown"}} {
		if _, err := c.Credits(t.Context(), rfc); !errors.Is(err, &want) {
			t.Errorf("%s: %v, want %v", rfc, err, &want)
		}
	}
	stranger, err := finkok.New(finkok.Config{URL: s.URL, Username: "otro", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := stranger.Credits(t.Context(), "EKU9003173C9"); fiscal.KindOf(err) != fiscal.KindAuth || strings.Contains(err.Error(), password) {
		t.Errorf("a stranger's account: %v", err)
	}
	s.fail = []int{503}
	if _, err := c.Credits(t.Context(), "EKU9003173C9"); fiscal.KindOf(err) != fiscal.KindUnavailable {
		t.Errorf("503: %v", err)
	}
}
