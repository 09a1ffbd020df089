package fiscal_test

import (
	"bytes"
	"encoding/pem"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/fiscaltest"
)

// What people upload instead of their CSD is named at the field that has it, in words that say what to do.
func TestWrongCSDFiles(t *testing.T) {
	cer, pkcs8 := fiscaltest.NewCSD(t, "EKU9003173C9", false) // valid in 2025 to 2028
	fiel, _ := fiscaltest.NewCSD(t, "EKU9003173C9", true)
	key := fiscaltest.KeyFile(t, pkcs8, "clave-de-prueba")
	armoured := func(kind string, der []byte) []byte { return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}) }
	now := fiscaltest.Noon
	for name, c := range map[string]struct {
		cer, key    []byte
		password    string
		rfc         string
		at          time.Time
		field, says string
	}{
		"an open key as PEM":           {cer, armoured("PRIVATE KEY", pkcs8), "clave-de-prueba", "EKU9003173C9", now, "key", ".key"},
		"key without password":         {cer, pkcs8, "clave-de-prueba", "EKU9003173C9", now, "key", ".key"},
		"wrong password":               {cer, key, "clave-de-pruebas", "EKU9003173C9", now, "password", "contraseña"},
		"no password":                  {cer, key, "", "EKU9003173C9", now, "password", "contraseña"},
		"FIEL":                         {fiel, key, "clave-de-prueba", "EKU9003173C9", now, "cer", "e.firma"},
		"of the future":                {cer, key, "clave-de-prueba", "EKU9003173C9", time.Date(2024, 12, 31, 23, 0, 0, 0, time.UTC), "cer", "a partir del"},
		"expired":                      {cer, key, "clave-de-prueba", "EKU9003173C9", time.Date(2029, 1, 1, 1, 0, 0, 0, time.UTC), "cer", "venció"},
		"of another company":           {cer, key, "clave-de-prueba", "URE180429TM6", now, "cer", "EKU9003173C9"},
		"half a certificate":           {cer[:len(cer)/2], key, "clave-de-prueba", "EKU9003173C9", now, "cer", ".cer"},
		"half a key":                   {cer, key[:len(key)/2], "clave-de-prueba", "EKU9003173C9", now, "key", ".key"},
		"a certificate and 10 MB more": {append(bytes.Clone(cer), make([]byte, 10<<20)...), key, "clave-de-prueba", "EKU9003173C9", now, "cer", ".cer"},
		"10 MB of key":                 {cer, make([]byte, 10<<20), "clave-de-prueba", "EKU9003173C9", now, "key", ".key"},
		"text":                         {[]byte("hola"), key, "clave-de-prueba", "EKU9003173C9", now, "cer", ".cer"},
	} {
		csd, _, err := fiscal.OpenCSD(c.cer, c.key, c.password, c.rfc, c.at)
		var v *fiscal.Violation
		var vs fiscal.Violations
		if errors.As(err, &vs) && len(vs) > 0 {
			v = &vs[0]
		} else {
			errors.As(err, &v)
		}
		if csd != nil || v == nil || v.Path != c.field || !strings.Contains(v.ES, c.says) || v.EN == "" || strings.Contains(v.ES+v.EN+err.Error(), "clave-de-prueba") {
			t.Errorf("%s: %v %+v", name, err, v)
		}
	}
	for _, files := range [][2][]byte{{cer, key}, {armoured("CERTIFICATE", cer), armoured("ENCRYPTED PRIVATE KEY", key)}} {
		if csd, warnings, err := fiscal.OpenCSD(files[0], files[1], "clave-de-prueba", "EKU9003173C9", now); err != nil || len(warnings) > 0 || !bytes.Equal(csd.X509.Raw, cer) {
			t.Error(warnings, err)
		}
	}
}
