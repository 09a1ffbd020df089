package main

import (
	"encoding/base64"
	"errors"
	"strings"
	"testing"

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

func TestDemoCertificate(t *testing.T) {
	csd, err := testCSD(demoIssuer)
	if err != nil || csd.Rfc != demoIssuer || len(csd.NoCertificado) != 20 || csd.IsFiel() {
		t.Fatal(csd, err)
	}
}
