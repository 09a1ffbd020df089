package main

import (
	"encoding/base64"
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/fiscaltest"
	"github.com/nubedigitalmx/avisa/internal/fiscal/sandbox"
)

func TestReadSecret(t *testing.T) {
	key := func(b byte) string {
		return base64.StdEncoding.EncodeToString([]byte(strings.Repeat(string(rune(b)), 32)))
	}
	current, keys, err := readSecret("k2:" + key('b') + ",\n k1:" + key('a') + "\n")
	if err != nil || current != "k2" || len(keys) != 2 || keys["k1"][0] != 'a' {
		t.Fatal(current, len(keys), err)
	}
	if current, keys, err := readSecret(""); current != "" || len(keys) != 0 || err != nil {
		t.Error(current, err)
	}
	for _, text := range []string{"nonsense", "k1:c2hvcnQ=", ":" + key('a'), "k1:" + key('a') + ",k1:" + key('b'), "k1:***"} {
		if _, _, err := readSecret(text); err == nil || strings.Contains(err.Error(), "c2hvcnQ=") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Nothing that the sandbox stamps can reach production.
func TestProductionRefusesSandbox(t *testing.T) {
	t.Setenv("PAC", "sandbox")
	if _, err := readFiscalConfig(production); err == nil || !strings.Contains(err.Error(), "production refuses") {
		t.Error(err)
	}
	if _, err := readFiscalConfig(development); err != nil {
		t.Error(err)
	}
	l := &lazySandbox{production: true}
	if _, err := l.Stamp(t.Context(), nil, ""); !errors.Is(err, sandbox.ErrProduction) {
		t.Error(err)
	}
	t.Setenv("PAC", "other")
	if _, err := readFiscalConfig(development); err == nil {
		t.Error("an unknown PAC")
	}
}

// AVISA_SAT_CA_FILE is certificates, or the process does not start.
func TestReadAuthorities(t *testing.T) {
	csd, err := testCSD("URE180429TM6") // any certificate
	if err != nil {
		t.Fatal(err)
	}
	der := csd.X509.Raw
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	for name, c := range map[string]struct {
		data []byte
		want int // certificates; 0 is refused
	}{"DER": {der, 1}, "PEM": {text, 1}, "two": {append(slices.Clone(text), text...), 2}, "empty": {nil, 0}, "text": {[]byte("nada"), 0}, "half": {der[:len(der)/2], 0},
		"a key": {pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: []byte("x")}), 0}} {
		path := filepath.Join(t.TempDir(), "ca")
		if err := os.WriteFile(path, c.data, 0o600); err != nil {
			t.Fatal(err)
		}
		t.Setenv("AVISA_SAT_CA_FILE", path)
		got, err := readFiscalConfig(development)
		if (err == nil) != (c.want > 0) || err == nil && len(got.Issuers) != c.want {
			t.Errorf("%s: %d certificates, %v", name, len(got.Issuers), err)
		}
	}
}

func TestDemoCertificate(t *testing.T) {
	csd, err := testCSD(demoIssuer)
	if err != nil || csd.Rfc != demoIssuer || len(csd.NoCertificado) != 20 || csd.IsFiel() {
		t.Fatal(csd, err)
	}
}

// The demo shows every state of a fiscal document, and what it stamped the SAT's verifier takes.
func TestDemoDocuments(t *testing.T) {
	o := newOutside(t)
	a := openDemo(t, o, o.mailbox.Addr())
	ctx, now := access.With(t.Context(), access.SystemActor()), time.Now()

	all := func() []db.CFDI {
		list, _, err := a.fiscal.All(ctx, "", db.Page{First: db.MaxPage})
		if err != nil {
			t.Fatal(err)
		}
		return list.Rows
	}
	for _, row := range all() { // as the worker does
		if row.Status == db.CFDIDraft {
			if err := a.fiscal.Stamp(ctx, fiscal.StampJob{CFDI: row.ID}); err != nil {
				t.Fatal(err)
			}
		}
	}
	var refused, waiting, cancelling, cancelled, replacing int
	stamped := map[string][]byte{}
	for _, row := range all() {
		switch {
		case row.Status == db.CFDIStampFailed && row.Code == "CFDI40145":
			refused++
		case row.Kind == db.CFDIPago && row.Status == db.CFDISealed && row.Failure == string(fiscal.KindUnavailable) && row.Attempts == 5:
			waiting++
			jobs, err := a.store.JobsByKey(ctx, []string{fiscal.StampJob{CFDI: row.ID, Build: row.Build, Attempt: row.Attempts}.Key()})
			if err != nil || len(jobs) != 1 {
				t.Error("the receipt that waits is not tried again", jobs, err)
			}
		case row.CancelState == db.CancelInProcess && row.CancelDeadline != nil && row.CancelDeadline.After(now):
			cancelling++
		case row.Status == db.CFDICancelled && row.CancelMotivo == fiscal.MotivoConRelacion && row.HasAcuse:
			cancelled++
		}
		if row.ReplacesID != 0 && row.Status == db.CFDIStamped {
			replacing++
		}
		if row.Stamped() {
			full, err := a.fiscal.Document(ctx, row.ID)
			if err != nil {
				t.Fatal(err)
			}
			stamped[row.ID.String()] = full.XML
		}
	}
	if refused != 1 || waiting != 1 || cancelling != 1 || cancelled != 1 || replacing != 1 {
		t.Errorf("refused %d, waiting %d, being cancelled %d, cancelled %d, replacing %d", refused, waiting, cancelling, cancelled, replacing)
	}
	outage, err := a.fiscal.StampingAlerts(ctx)
	if err != nil || outage.Outage != nil {
		t.Error("the demo begins with an outage", outage.Outage, err)
	}
	// The calls of the seeding are in the metrics by result.
	scraped := httptest.NewRecorder()
	a.meters.handler(a.store, a.redis).ServeHTTP(scraped, httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/metrics", nil))
	for _, result := range []string{"ok", "rejected", "unavailable"} {
		line := `avisa_pac_call_duration_seconds_count{operation="stamp",provider="` + a.config.Fiscal.PAC + `",result="` + result + `"} `
		_, rest, found := strings.Cut(scraped.Body.String(), line)
		if count, _, _ := strings.Cut(rest, "\n"); !found || count == "0" || result == "ok" && count != strconv.Itoa(len(stamped)) {
			t.Errorf("%s%s, with %d stamped", line, count, len(stamped))
		}
	}
	pac, err := sandbox.StoredIdentity(ctx, a.store, nil)
	if err != nil {
		t.Fatal(err)
	}
	fiscaltest.VerifyAll(t, stamped, pac.CertificatePEM(), 1)
}
