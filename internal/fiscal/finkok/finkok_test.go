package finkok_test

import (
	"context"
	"errors"
	"html"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/finkok"
	"github.com/nubedigitalmx/avisa/internal/fiscal/fiscaltest"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
)

const password = fiscaltest.FinkokPassword

type stub struct {
	*fiscaltest.Finkok
	t     *testing.T
	store *sandbox.Memory
	waits []time.Duration
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
	return &stub{Finkok: fiscaltest.NewFinkok(t, pac), t: t, store: store}
}

func (s *stub) client(timeout time.Duration) *finkok.Client {
	s.t.Helper()
	c, err := finkok.New(finkok.Config{URL: s.URL, Username: fiscaltest.FinkokUser, Password: password, Timeout: timeout, Sleep: func(_ context.Context, d time.Duration) error {
		s.waits = append(s.waits, d)
		return nil
	}})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
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
	if err != nil || doc.VerifySello() != nil || doc.VerifyTimbre(s.PAC.Identity().Certificado) != nil {
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
	s.Late = 3
	again, err := c.Stamp(ctx, sealed, "")
	if err != nil || !again.Repeated || again.Timbre.UUID != first.Timbre.UUID || len(s.waits) != 4 {
		t.Errorf("%+v %v, waits %v", again, err, s.waits)
	}
	for i := 1; i < len(s.waits); i++ {
		if s.waits[i] <= s.waits[i-1] {
			t.Errorf("waits do not grow: %v", s.waits)
		}
	}
	s.Late = 100
	if _, err := c.Stamp(ctx, sealed, ""); !errors.Is(err, &fiscal.PACError{Kind: fiscal.KindUnknown, Code: "603"}) {
		t.Error(err)
	}
	s.Late, s.waits = 100, nil
	impatient, err := finkok.New(finkok.Config{URL: s.URL, Username: fiscaltest.FinkokUser, Password: password, Sleep: func(context.Context, time.Duration) error { return context.Canceled }})
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
	s.LoseReply = true
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
	for code, kind := range map[string]fiscal.ErrorKind{"300": fiscal.KindAuth, "703": fiscal.KindAuth, "708": fiscal.KindUnknown, "301": fiscal.KindRejected,
		"401": fiscal.KindRejected, "705": fiscal.KindRejected, "CFDI40145": fiscal.KindRejected,
		"999": fiscal.KindUnknown, "Error": fiscal.KindUnknown, "502": fiscal.KindUnknown} {
		s.Incident = code
		if _, err := c.Stamp(ctx, sealed, ""); !errors.Is(err, &fiscal.PACError{Kind: kind, Code: code}) {
			t.Errorf("%s: %v", code, err)
		}
	}
	s.Fail = []int{500, 502, 503}
	for range 3 {
		if _, err := c.Stamp(ctx, sealed, ""); fiscal.KindOf(err) != fiscal.KindUnknown {
			t.Error(err)
		}
	}
	s.Fault = "Server raised fault: " + html.EscapeString(password)
	if _, err := c.Stamp(ctx, sealed, ""); fiscal.KindOf(err) != fiscal.KindUnknown || strings.Contains(err.Error(), password) {
		t.Error(err)
	}
	if _, err := c.Stamp(ctx, []byte(strings.Replace(string(sealed), "Hospedaje", "Hospedajo", 1)), ""); !errors.Is(err, &fiscal.PACError{Kind: fiscal.KindRejected, Code: "CFDI40102"}) {
		t.Error(err)
	}
	if s.store.Len() != 0 {
		t.Errorf("%d stamps", s.store.Len())
	}
	wrong, err := finkok.New(finkok.Config{URL: s.URL, Username: fiscaltest.FinkokUser, Password: "clave-equivocada"})
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
	s.Incident = "708"
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
	s.Fail = []int{503}
	if _, err := c.Credits(t.Context(), "EKU9003173C9"); fiscal.KindOf(err) != fiscal.KindUnknown {
		t.Errorf("503: %v", err)
	}
}
