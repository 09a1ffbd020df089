package swsapien_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/fiscaltest"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
	"github.com/nubedigitalmx/avisa/internal/fiscal/swsapien"
)

type stub struct {
	*fiscaltest.SWSapien
	store *sandbox.Memory
}

func newStub(t *testing.T) *stub {
	t.Helper()
	store := &sandbox.Memory{}
	id, err := sandbox.NewIdentity(fiscaltest.Noon)
	if err != nil {
		t.Fatal(err)
	}
	pac, err := sandbox.New(sandbox.Config{Identity: id, Store: store, Now: func() time.Time { return fiscaltest.Noon }})
	if err != nil {
		t.Fatal(err)
	}
	return &stub{fiscaltest.NewSWSapien(t, pac), store}
}

func (s *stub) client(t *testing.T, change func(*swsapien.Config)) *swsapien.Client {
	t.Helper()
	c := swsapien.Config{URL: s.URL, APIURL: s.URL, User: fiscaltest.SWUser, Password: fiscaltest.SWPassword, Timeout: time.Minute}
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
		if err != nil || doc.VerifyTimbre(s.PAC.Identity().Certificado) != nil {
			t.Error(err)
		}
	}
	if s.Logins != 1 {
		t.Errorf("%d logins", s.Logins)
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
		"307 without document": func(s *stub) { s.Empty307 = true },
		"CFDI3307 of ours":     func(s *stub) { s.CustomID = true },
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
			s.Storage, s.Empty307 = false, true
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
	hasty := s.client(t, func(c *swsapien.Config) { c.Token, c.Timeout = s.Token, time.Second })
	sealed := fiscaltest.Sealed(t, "1")
	s.LoseReply = true
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
	s.Fail = []int{500, 503, 502}
	sealed := fiscaltest.Sealed(t, "1")
	for range 3 {
		if _, err := c.Stamp(ctx, sealed, "cfdi-1"); fiscal.KindOf(err) != fiscal.KindUnknown {
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
	down := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	defer down.Close()
	if _, err := s.client(t, func(c *swsapien.Config) { c.URL = down.URL }).Stamp(ctx, sealed, "cfdi-1"); !errors.Is(err, &fiscal.PACError{Kind: fiscal.KindUnavailable, Code: "http_503"}) {
		t.Errorf("no token, so nothing was sent: %v", err)
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
	// Only what is clearly a refusal of these bytes is final: the rest may have come after the stamp.
	for message, want := range map[string]fiscal.PACError{
		"401. Fuera de rango":                                   {Kind: fiscal.KindRejected, Code: "401"},
		"401 - El rango de la fecha de generación":              {Kind: fiscal.KindRejected, Code: "401"},
		"301 - XML mal formado":                                 {Kind: fiscal.KindRejected, Code: "301"},
		"304. Certificado revocado":                             {Kind: fiscal.KindRejected, Code: "304"},
		"308 - Certificado no expedido por el SAT":              {Kind: fiscal.KindRejected, Code: "308"},
		"403 - La fecha de emisión":                             {Kind: fiscal.KindRejected, Code: "403"},
		"CFDI40145 - El nombre":                                 {Kind: fiscal.KindRejected, Code: "CFDI40145"},
		"CRP20261 - ImporteDR":                                  {Kind: fiscal.KindRejected, Code: "CRP20261"},
		"CO1003 - Falta el namespace":                           {Kind: fiscal.KindRejected, Code: "CO1003"},
		"CC3001 - schemaLocation":                               {Kind: fiscal.KindRejected, Code: "CC3001"},
		"CO1000 - Error no controlado.":                         {Kind: fiscal.KindUnknown, Code: "CO1000"},
		"Algo más":                                              {Kind: fiscal.KindUnknown, Code: "pac_refused"},
		"Object reference not set to an instance of an object.": {Kind: fiscal.KindUnknown, Code: "pac_refused"},
		"500 Internal Server Error":                             {Kind: fiscal.KindUnknown, Code: "500"},
		"307. El comprobante contiene un timbre previo.":        {Kind: fiscal.KindUnknown, Code: "307"}, // without the stamp
		"99999 - Código nuevo":                                  {Kind: fiscal.KindUnknown, Code: "99999"},
		"AU2000 - El usuario y/o contraseña son inválidos":      {Kind: fiscal.KindAuth, Code: "AU2000"},
	} {
		body, err := json.Marshal(map[string]any{"status": "error", "message": message, "data": nil})
		if err != nil {
			t.Fatal(err)
		}
		s.Answer = string(body)
		if _, err := c.Stamp(ctx, fiscaltest.Sealed(t, "2"), ""); !errors.Is(err, &want) {
			t.Errorf("%s: %v", body, err)
		}
	}
	s.Answer = "<html>"
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
	s.Mu.Lock()
	s.Token = "another" // the service forgot the token
	s.Mu.Unlock()
	if _, err := c.Stamp(ctx, fiscaltest.Sealed(t, "2"), ""); err != nil {
		t.Errorf("token not renewed: %v", err)
	}
	now := fiscaltest.Noon
	aging := s.client(t, func(c *swsapien.Config) { c.Now = func() time.Time { return now } })
	if _, err := aging.Credits(ctx, "EKU9003173C9"); err != nil {
		t.Fatal(err)
	}
	before := s.Logins
	now = now.Add(2 * time.Hour)
	if _, err := aging.Credits(ctx, "EKU9003173C9"); err != nil || s.Logins != before+1 {
		t.Errorf("%v, %d logins after two hours", err, s.Logins-before)
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
