package swsapien_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/fiscaltest"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
	"github.com/nubedigitalmx/avisa/internal/fiscal/swsapien"
)

const (
	user     = "facturas@proveedor.example"
	password = "clave-del-pac"
)

// stub speaks the protocol of SW sapien; behind it a sandbox stamps.
type stub struct {
	*httptest.Server
	store *sandbox.Memory
	pac   *sandbox.Sandbox

	mu        sync.Mutex
	token     string
	logins    int
	calls     []string
	fail      []int         // statuses of the next stamps
	loseReply bool          // the next stamp is made and its answer does not come
	customid  bool          // repetitions answer CFDI3307 without document instead of 307
	empty307  bool          // 307 answers have no document
	storage   bool          // the storage has the documents
	answer    string        // the next stamp answers this body with 400
	release   chan struct{} // ends answers that do not come
}

func newStub(t *testing.T) *stub {
	t.Helper()
	s := &stub{store: &sandbox.Memory{}, storage: true, release: make(chan struct{})}
	id, err := sandbox.NewIdentity(fiscaltest.Noon)
	if err != nil {
		t.Fatal(err)
	}
	if s.pac, err = sandbox.New(sandbox.Config{Identity: id, Store: s.store, Now: func() time.Time { return fiscaltest.Noon }}); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /security/authenticate", s.authenticate)
	mux.HandleFunc("POST /cfdi33/stamp/v4", s.authorized(s.stamp))
	mux.HandleFunc("POST /v4/cfdi33/stamp/v4", s.authorized(s.stamp))
	mux.HandleFunc("GET /datawarehouse/v1/live/{uuid}", s.authorized(s.live))
	mux.HandleFunc("POST /cfdi33/cancel/{rfc}/{uuid}/{motivo}", s.authorized(s.cancel))
	mux.HandleFunc("POST /cfdi33/cancel/{rfc}/{uuid}/{motivo}/{folio}", s.authorized(s.cancel))
	mux.HandleFunc("POST /cfdi33/cancel/xml", s.authorized(s.cancelXML))
	mux.HandleFunc("GET /account/balance", s.authorized(func(w http.ResponseWriter, _ *http.Request) {
		reply(w, 200, map[string]any{"status": "success", "data": map[string]any{"saldoTimbres": 42, "unlimited": false}})
	}))
	s.Server = httptest.NewServer(mux)
	t.Cleanup(func() { close(s.release); s.Close() })
	return s
}

func reply(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	if err := json.NewEncoder(w).Encode(v); err != nil {
		panic(err)
	}
}

func refuse(w http.ResponseWriter, message string, data any) {
	reply(w, 400, map[string]any{"status": "error", "message": message, "messageDetail": "detalle", "data": data})
}

func (s *stub) authenticate(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.logins++
	if r.Header.Get("user") != user || r.Header.Get("password") != password {
		reply(w, 401, map[string]any{"status": "error", "message": "AU2000 - El usuario y/o contraseña son inválidos: " + r.Header.Get("password")})
		return
	}
	s.token = "token-" + strings.Repeat("x", s.logins)
	reply(w, 200, map[string]any{"status": "success", "data": map[string]any{"token": s.token, "expires_in": 7200, "tokeType": "Bearer"}})
}

func (s *stub) authorized(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		ok := s.token != "" && r.Header.Get("Authorization") == "Bearer "+s.token
		s.calls = append(s.calls, r.Method+" "+r.URL.Path)
		s.mu.Unlock()
		if !ok {
			reply(w, 401, map[string]any{"status": "error", "message": "Token inválido"})
			return
		}
		next(w, r)
	}
}

func (s *stub) stamp(w http.ResponseWriter, r *http.Request) {
	file, header, err := r.FormFile("xml")
	if err != nil || header.Filename != "xml" || header.Header.Get("Content-Type") != "text/xml" {
		refuse(w, "301 - parte xml", nil)
		return
	}
	sealed, _ := io.ReadAll(file)
	s.mu.Lock()
	if len(s.fail) > 0 {
		status := s.fail[0]
		s.fail = s.fail[1:]
		s.mu.Unlock()
		w.WriteHeader(status)
		return
	}
	answer := s.answer
	s.answer = ""
	lose := s.loseReply
	s.loseReply = false
	s.mu.Unlock()
	if answer != "" {
		w.WriteHeader(http.StatusBadRequest)
		_, _ = io.WriteString(w, answer)
		return
	}
	key := r.Header.Get("customid")
	if (key != "") != strings.HasPrefix(r.URL.Path, "/v4/") {
		refuse(w, "301 - customid", nil)
		return
	}
	result, err := s.pac.Stamp(r.Context(), sealed, key)
	if lose {
		<-s.release
		return
	}
	var e *fiscal.PACError
	switch {
	case errors.As(err, &e) && e.Code == "CFDI3307":
		refuse(w, "CFDI3307 - Timbre duplicado. El customId proporcionado está duplicado.", map[string]any{"uuid": e.Detail, "selloSAT": "x", "fechaTimbrado": "x", "cfdi": ""})
	case errors.As(err, &e):
		refuse(w, e.Code+" - "+e.Message, nil)
	case result.Repeated && s.customid:
		refuse(w, "CFDI3307 - Timbre duplicado. El customId proporcionado está duplicado.", map[string]any{"uuid": result.Timbre.UUID, "cfdi": ""})
	case result.Repeated && s.empty307:
		refuse(w, "307. El comprobante contiene un timbre previo.", map[string]any{"uuid": result.Timbre.UUID, "cfdi": ""})
	case result.Repeated:
		refuse(w, "307. El comprobante contiene un timbre previo.", data(result))
	default:
		reply(w, 200, map[string]any{"status": "success", "data": data(result)})
	}
}

func data(r *fiscal.StampResult) map[string]any {
	return map[string]any{"cadenaOriginalSAT": fiscal.CadenaTFD(&r.Timbre), "noCertificadoSAT": r.Timbre.NoCertificadoSAT, "uuid": r.Timbre.UUID,
		"selloSAT": r.Timbre.SelloSAT, "selloCFDI": r.Timbre.SelloCFD, "fechaTimbrado": r.Timbre.FechaTimbrado, "cfdi": string(r.XML)}
}

func (s *stub) live(w http.ResponseWriter, r *http.Request) {
	xml, err := s.pac.Fetch(r.Context(), r.PathValue("uuid"))
	if err != nil || !s.storage {
		reply(w, 404, map[string]any{"status": "error"})
		return
	}
	reply(w, 200, map[string]any{"status": "success", "data": map[string]any{"records": []any{map[string]any{"cfdi": string(xml)}}}})
}

func (s *stub) cancelled(w http.ResponseWriter, r *http.Request, req fiscal.CancelRequest) {
	result, err := s.pac.Cancel(r.Context(), req)
	var e *fiscal.PACError
	if errors.As(err, &e) {
		if len(e.Code) == 3 {
			reply(w, 200, map[string]any{"status": "success", "data": map[string]any{"acuse": "", "uuid": map[string]string{req.UUID: e.Code}}})
			return
		}
		refuse(w, e.Message, nil)
		return
	}
	reply(w, 200, map[string]any{"status": "success", "data": map[string]any{"acuse": string(result.Acuse), "uuid": map[string]string{req.UUID: result.Code}}})
}

func (s *stub) cancel(w http.ResponseWriter, r *http.Request) {
	s.cancelled(w, r, fiscal.CancelRequest{RfcEmisor: r.PathValue("rfc"), UUID: r.PathValue("uuid"), Motivo: r.PathValue("motivo"), FolioSustitucion: r.PathValue("folio")})
}

func (s *stub) cancelXML(w http.ResponseWriter, r *http.Request) {
	file, _, err := r.FormFile("xml")
	if err != nil {
		refuse(w, "301 - parte xml", nil)
		return
	}
	signed, _ := io.ReadAll(file)
	n, err := fiscal.ParseNode(signed)
	if err != nil || n.Name != "Cancelacion" {
		refuse(w, "301 - XML mal formado", nil)
		return
	}
	rfc, _ := n.Attr("RfcEmisor")
	folio := n.Children[0].Children[0]
	uuid, _ := folio.Attr("UUID")
	motivo, _ := folio.Attr("Motivo")
	s.cancelled(w, r, fiscal.CancelRequest{RfcEmisor: rfc, UUID: uuid, Motivo: motivo})
}

func (s *stub) client(t *testing.T, change func(*swsapien.Config)) *swsapien.Client {
	t.Helper()
	c := swsapien.Config{URL: s.URL, APIURL: s.URL, User: user, Password: password, Timeout: time.Minute}
	if change != nil {
		change(&c)
	}
	client, err := swsapien.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

var ctx = context.Background()

func TestStamp(t *testing.T) {
	s := newStub(t)
	c := s.client(t, nil)
	for _, key := range []string{"", "cfdi-2"} {
		r, err := c.Stamp(ctx, fiscaltest.Sealed(t, "1"+key), key)
		if err != nil || r.Repeated || r.Timbre.UUID == "" {
			t.Fatalf("%+v %v", r, err)
		}
		doc, err := fiscal.Parse(r.XML)
		if err != nil || doc.VerifyTimbre(s.pac.Identity().Certificado) != nil {
			t.Error(err)
		}
	}
	if s.logins != 1 {
		t.Errorf("%d logins", s.logins)
	}
	if n, err := c.Credits(ctx, "EKU9003173C9"); n != 42 || err != nil {
		t.Error(n, err)
	}
}

// TestRepeated: every way in which the service says that it has the document ends with the first
// stamp.
func TestRepeated(t *testing.T) {
	for name, set := range map[string]func(*stub){
		"307 with document":    func(*stub) {},
		"307 without document": func(s *stub) { s.empty307 = true },
		"CFDI3307 of ours":     func(s *stub) { s.customid = true },
	} {
		t.Run(name, func(t *testing.T) {
			s := newStub(t)
			set(s)
			c := s.client(t, nil)
			sealed := fiscaltest.Sealed(t, "1")
			first, err := c.Stamp(ctx, sealed, "cfdi-1")
			if err != nil {
				t.Fatal(err)
			}
			again, err := c.Stamp(ctx, sealed, "cfdi-1")
			if err != nil || !again.Repeated || string(again.XML) != string(first.XML) || s.store.Len() != 1 {
				t.Errorf("%+v %v, %d stamps", again, err, s.store.Len())
			}
			s.storage, s.empty307 = false, true
			if _, err := c.Stamp(ctx, sealed, "cfdi-1"); !errors.Is(err, &fiscal.PACError{Kind: fiscal.KindUnknown, Code: "duplicate_not_recovered"}) {
				t.Errorf("without storage: %v", err)
			}
		})
	}
}

func TestKeyOfAnotherDocument(t *testing.T) {
	s := newStub(t)
	c := s.client(t, nil)
	if _, err := c.Stamp(ctx, fiscaltest.Sealed(t, "1"), "cfdi-1"); err != nil {
		t.Fatal(err)
	}
	_, err := c.Stamp(ctx, fiscaltest.Sealed(t, "2"), "cfdi-1")
	if !errors.Is(err, &fiscal.PACError{Kind: fiscal.KindRejected, Code: "CFDI3307"}) || s.store.Len() != 1 {
		t.Errorf("%v, %d stamps", err, s.store.Len())
	}
}

// TestLostReply: the service stamps and the answer does not come; the retry gets that stamp.
func TestLostReply(t *testing.T) {
	s := newStub(t)
	c := s.client(t, nil)
	if _, err := c.Credits(ctx, "EKU9003173C9"); err != nil { // sign in before
		t.Fatal(err)
	}
	hasty := s.client(t, func(c *swsapien.Config) { c.Token, c.Timeout = s.token, time.Second })
	sealed := fiscaltest.Sealed(t, "1")
	s.loseReply = true
	_, err := hasty.Stamp(ctx, sealed, "cfdi-1")
	if !errors.Is(err, &fiscal.PACError{Kind: fiscal.KindUnknown, Code: "timeout"}) {
		t.Fatal(err)
	}
	r, err := c.Stamp(ctx, sealed, "cfdi-1")
	if err != nil || !r.Repeated || s.store.Len() != 1 {
		t.Errorf("%+v %v, %d stamps", r, err, s.store.Len())
	}
}

func TestServiceDown(t *testing.T) {
	s := newStub(t)
	c := s.client(t, nil)
	s.fail = []int{500, 503, 502}
	sealed := fiscaltest.Sealed(t, "1")
	for range 3 {
		if _, err := c.Stamp(ctx, sealed, "cfdi-1"); fiscal.KindOf(err) != fiscal.KindUnavailable {
			t.Fatal(err)
		}
	}
	if r, err := c.Stamp(ctx, sealed, "cfdi-1"); err != nil || r.Repeated || s.store.Len() != 1 {
		t.Error(err, s.store.Len())
	}
	s.Close()
	fresh := s.client(t, func(c *swsapien.Config) { c.Token = "token-del-panel" })
	if _, err := fresh.Stamp(ctx, sealed, "cfdi-1"); fiscal.KindOf(err) != fiscal.KindUnavailable {
		t.Errorf("no connection: %v", err)
	}
}

func TestRejected(t *testing.T) {
	s := newStub(t)
	c := s.client(t, nil)
	broken := strings.Replace(string(fiscaltest.Sealed(t, "1")), "Hospedaje", "Hospedajo", 1)
	_, err := c.Stamp(ctx, []byte(broken), "cfdi-1")
	var e *fiscal.PACError
	if !errors.As(err, &e) || e.Kind != fiscal.KindRejected || e.Code != "CFDI40102" || e.Detail != "detalle" {
		t.Errorf("%v", err)
	}
	for body, code := range map[string]string{
		`{"status":"error","message":"401. Fuera de rango","data":null}`: "401",
		`{"status":"error","message":"Algo más"}`:                        "pac_refused",
	} {
		s.answer = body
		if _, err := c.Stamp(ctx, fiscaltest.Sealed(t, "2"), ""); !errors.Is(err, &fiscal.PACError{Kind: fiscal.KindRejected, Code: code}) {
			t.Errorf("%s: %v", body, err)
		}
	}
	s.answer = "<html>"
	if _, err := c.Stamp(ctx, fiscaltest.Sealed(t, "2"), ""); !errors.Is(err, &fiscal.PACError{Kind: fiscal.KindUnknown, Code: "answer_malformed"}) {
		t.Error(err)
	}
	if _, err := c.Stamp(ctx, fiscaltest.Sealed(t, "2"), strings.Repeat("k", 101)); fiscal.KindOf(err) != fiscal.KindRejected {
		t.Error(err)
	}
}

func TestCredentials(t *testing.T) {
	s := newStub(t)
	wrong := s.client(t, func(c *swsapien.Config) { c.Password = "clave-equivocada" })
	_, err := wrong.Stamp(ctx, fiscaltest.Sealed(t, "1"), "")
	if fiscal.KindOf(err) != fiscal.KindAuth || strings.Contains(err.Error(), "clave-equivocada") {
		t.Error(err)
	}
	fixed := s.client(t, func(c *swsapien.Config) { c.Token = "token-caducado" })
	if _, err := fixed.Stamp(ctx, fiscaltest.Sealed(t, "1"), ""); fiscal.KindOf(err) != fiscal.KindAuth || strings.Contains(err.Error(), "token-caducado") {
		t.Error(err)
	}
	c := s.client(t, nil)
	if _, err := c.Stamp(ctx, fiscaltest.Sealed(t, "1"), ""); err != nil {
		t.Fatal(err)
	}
	s.mu.Lock()
	s.token = "another" // the service forgot the token
	s.mu.Unlock()
	if _, err := c.Stamp(ctx, fiscaltest.Sealed(t, "2"), ""); err != nil {
		t.Errorf("token not renewed: %v", err)
	}
	now := fiscaltest.Noon
	aging := s.client(t, func(c *swsapien.Config) { c.Now = func() time.Time { return now } })
	if _, err := aging.Credits(ctx, "EKU9003173C9"); err != nil {
		t.Fatal(err)
	}
	before := s.logins
	now = now.Add(2 * time.Hour)
	if _, err := aging.Credits(ctx, "EKU9003173C9"); err != nil || s.logins != before+1 {
		t.Errorf("%v, %d logins after two hours", err, s.logins-before)
	}
	if _, err := swsapien.New(swsapien.Config{URL: s.URL, APIURL: s.URL}); err == nil {
		t.Error("no credentials are accepted")
	}
	if _, err := swsapien.New(swsapien.Config{URL: "http://pac.example", APIURL: s.URL, Token: "t"}); err == nil {
		t.Error("plain http is accepted")
	}
}

// TestRedirect: documents do not follow the service to another host.
func TestRedirect(t *testing.T) {
	var leaked bool
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { leaked = true }))
	defer other.Close()
	from := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
	}))
	defer from.Close()
	c, err := swsapien.New(swsapien.Config{URL: from.URL, APIURL: from.URL, Token: "token-del-panel"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Stamp(ctx, fiscaltest.Sealed(t, "1"), ""); fiscal.KindOf(err) != fiscal.KindUnavailable || leaked {
		t.Errorf("%v, leaked %v", err, leaked)
	}
}

func TestCancel(t *testing.T) {
	s := newStub(t)
	c := s.client(t, nil)
	for i, csd := range []*fiscal.CSD{nil, fiscaltest.CSD(t, "EKU9003173C9")} {
		r, err := c.Stamp(ctx, fiscaltest.Sealed(t, string(rune('1'+i))), "")
		if err != nil {
			t.Fatal(err)
		}
		req := fiscal.CancelRequest{RfcEmisor: "EKU9003173C9", UUID: r.Timbre.UUID, Motivo: "02", Fecha: fiscaltest.Noon, CSD: csd}
		got, err := c.Cancel(ctx, req)
		if err != nil || got.Code != "201" || !strings.Contains(string(got.Acuse), r.Timbre.UUID) {
			t.Fatalf("%+v %v", got, err)
		}
		if got, err = c.Cancel(ctx, req); err != nil || got.Code != "202" {
			t.Errorf("twice: %+v %v", got, err)
		}
		req.UUID = "DC55E6A9-2329-5352-8FD9-5B73CE21FF44"
		if _, err = c.Cancel(ctx, req); !errors.Is(err, &fiscal.PACError{Kind: fiscal.KindRejected, Code: "205"}) {
			t.Errorf("unknown document: %v", err)
		}
	}
}
