package fiscal_test

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"hash"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/fiscaltest"
)

const password = "12345678a"

func openSAT(t *testing.T, name, password, rfc string, now time.Time) (*fiscal.CSD, fiscal.Violations, error) {
	t.Helper()
	return fiscal.OpenCSD(fiscaltest.Read(t, "csd", name+".cer"), fiscaltest.Read(t, "csd", name+".key"), password, rfc, now)
}

func TestOpenCSD(t *testing.T) {
	y2022 := time.Date(2022, 6, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name, cer, password, rfc string
		now                      time.Time
		code, sat                string
	}{
		{"right", "EKU9003173C9", password, "EKU9003173C9", noon, "", ""},
		{"RFC with &", "H_E951128469-expired2023", password, "H&E951128469", y2022, "", ""},
		{"RFC with Ñ", "ONO120726RX3-expired2023", password, "OÑO120726RX3", y2022, "", ""},
		{"person", "CACX7605101P8-expired2023", password, "CACX7605101P8", y2022, "", ""},
		{"wrong password", "EKU9003173C9", "12345678b", "EKU9003173C9", noon, fiscal.CodeCSDPassword, ""},
		{"empty password", "EKU9003173C9", "", "EKU9003173C9", noon, fiscal.CodeCSDPassword, ""},
		{"another RFC", "EKU9003173C9", password, "URE180429TM6", noon, fiscal.CodeCSDRfc, "303"},
		{"FIEL", "EKU9003173C9-FIEL", password, "EKU9003173C9", noon, fiscal.CodeCSDIsFiel, "306"},
		{"expired", "CACX7605101P8-expired2023", password, "CACX7605101P8", noon, fiscal.CodeCSDExpired, "305"},
		{"not yet valid", "EKU9003173C9", password, "EKU9003173C9", y2022, fiscal.CodeCSDNotYetValid, "305"},
	} {
		t.Run(c.name, func(t *testing.T) {
			csd, warnings, err := openSAT(t, c.cer, c.password, c.rfc, c.now)
			if c.code == "" {
				if err != nil || csd == nil || len(warnings) > 0 {
					t.Fatalf("%v %v", err, warnings)
				}
				return
			}
			vs := violationsOf(err)
			if csd != nil || !vs.Has(c.code) {
				t.Fatalf("%v", err)
			}
			for _, v := range vs {
				if v.Code == c.code && (v.SAT != c.sat || v.ES == "" || v.EN == "") {
					t.Errorf("%+v", v)
				}
			}
			if c.password != "" && strings.Contains(err.Error(), c.password) {
				t.Error("the password is in the error")
			}
		})
	}
}

func violationsOf(err error) fiscal.Violations {
	var vs fiscal.Violations
	var v *fiscal.Violation
	if errors.As(err, &v) {
		return fiscal.Violations{*v}
	}
	errors.As(err, &vs)
	return vs
}

func TestOpenCSDFiles(t *testing.T) {
	cer, key := fiscaltest.Read(t, "csd", "EKU9003173C9.cer"), fiscaltest.Read(t, "csd", "EKU9003173C9.key")
	other := fiscaltest.Read(t, "csd", "CACX7605101P8-expired2023.key")
	for name, c := range map[string]struct {
		cer, key []byte
		code     string
	}{
		"key of another certificate": {cer, other, fiscal.CodeCSDMismatch},
		"files swapped":              {key, cer, fiscal.CodeCSDCertificate},
		"no certificate":             {nil, key, fiscal.CodeCSDCertificate},
		"key is a certificate":       {cer, cer, fiscal.CodeCSDKey},
		"no key":                     {cer, nil, fiscal.CodeCSDKey},
		"cut key":                    {cer, key[:len(key)-40], fiscal.CodeCSDKey},
		"not of the SAT":             {fiscaltest.Read(t, "certs", "ca", "AC_UAT_2022.cer"), key, fiscal.CodeCSDMismatch},
	} {
		if _, _, err := fiscal.OpenCSD(c.cer, c.key, password, "", noon); !violationsOf(err).Has(c.code) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// 24
	c, err := fiscal.ParseCertificado(cer)
	if err != nil || c.NoCertificado != "30001000000500003416" || c.Rfc != "EKU9003173C9" {
		t.Errorf("%v %+v", err, c)
	}
	pem := "-----BEGIN CERTIFICATE-----\n" + base64.StdEncoding.EncodeToString(cer) + "\n-----END CERTIFICATE-----\n"
	if p, err := fiscal.ParseCertificado([]byte(pem)); err != nil || !p.SameCertificate(c) {
		t.Errorf("PEM: %v", err)
	}
}

func TestCSDWarnsBeforeExpiry(t *testing.T) {
	for days, warns := range map[int]bool{61: false, 60: true, 30: true, 0: true} {
		c, err := fiscal.ParseCertificado(fiscaltest.Read(t, "csd", "EKU9003173C9.cer"))
		if err != nil {
			t.Fatal(err)
		}
		vs := c.Check("EKU9003173C9", c.X509.NotAfter.AddDate(0, 0, -days).Add(-time.Minute))
		if vs.Has(fiscal.CodeCSDExpiringSoon) != warns || len(vs.Refusals()) > 0 {
			t.Errorf("%d days: %v", days, vs)
		}
	}
}

func TestCheckIssuer(t *testing.T) {
	ca, err := x509.ParseCertificate(fiscaltest.Read(t, "certs", "ca", "AC_UAT_2022.cer"))
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(fiscaltest.SATDir(t), "certs", "ca", "*.cer"))
	var cas []*x509.Certificate
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		if c, err := x509.ParseCertificate(data); err == nil {
			cas = append(cas, c)
		}
	}
	c, err := fiscal.ParseCertificado(fiscaltest.Read(t, "csd", "EKU9003173C9.cer"))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.CheckIssuer(cas); err != nil {
		t.Error(err)
	}
	cer, _ := fiscaltest.NewCSD(t, "EKU9003173C9", false)
	own, err := fiscal.ParseCertificado(cer)
	if err != nil {
		t.Fatal(err)
	}
	if err := own.CheckIssuer([]*x509.Certificate{ca}); !errors.Is(err, &fiscal.Violation{Code: fiscal.CodeCSDIssuer}) {
		t.Error(err)
	}
}

// A CSD that none of the SAT's authorities issued is refused at its upload, where they are known (308).
func TestUploadOfAnotherAuthority(t *testing.T) {
	sat, pkcs8 := fiscaltest.NewCSD(t, "EKU9003173C9", false) // self-signed: its own authority
	key := fiscaltest.KeyFile(t, pkcs8, password)
	authority := func(name string) []byte {
		private, err := rsa.GenerateKey(rand.Reader, 2048)
		if err != nil {
			t.Fatal(err)
		}
		template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true}
		der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
		if err != nil {
			t.Fatal(err)
		}
		return der
	}
	pemOf := func(ders ...[]byte) (out []byte) {
		for _, der := range ders {
			out = append(out, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})...)
		}
		return out
	}
	other := authority("AC")
	for name, c := range map[string]struct {
		authorities []byte
		refused     bool
	}{
		"not known":            {nil, false},
		"another":              {other, true},
		"others":               {pemOf(other, authority("AC 2")), true},
		"the one":              {sat, false},
		"the one among others": {pemOf(other, sat), false},
	} {
		t.Run(name, func(t *testing.T) {
			o := newOffice(t)
			if c.authorities != nil {
				var err error
				o.service.Issuers, err = fiscal.ParseIssuers(c.authorities)
				o.must(err)
			}
			_, err := o.service.UploadCSD(system(t.Context()), fiscal.UploadCSDInput{Cer: sat, Key: key, Password: password})
			if !c.refused {
				o.must(err)
				return
			}
			if got := askedOf(t, err); got.field != "cer" || got.sat != "308" {
				t.Errorf("%+v", got)
			}
		})
	}
	if cas, err := fiscal.ParseIssuers([]byte("nada")); err == nil && len(cas) > 0 {
		t.Error(cas)
	}
}

// TestKeyCiphers opens keys of every cipher and PRF that a .key file may use.
func TestKeyCiphers(t *testing.T) {
	cer, plain := fiscaltest.NewCSD(t, "EKU9003173C9", false)
	for _, c := range []struct {
		name   string
		prf    func() hash.Hash
		prfOID asn1.ObjectIdentifier
		length int
		oid    asn1.ObjectIdentifier
		block  func([]byte) (cipher.Block, error)
	}{
		{"3DES SHA1", sha1.New, nil, 24, asn1.ObjectIdentifier{1, 2, 840, 113549, 3, 7}, des.NewTripleDESCipher},
		{"AES-128 SHA256", sha256.New, asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}, 16, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 2}, aes.NewCipher},
		{"AES-256 SHA256", sha256.New, asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}, 32, asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}, aes.NewCipher},
	} {
		t.Run(c.name, func(t *testing.T) {
			salt := []byte("12345678")
			derived, err := pbkdf2.Key(c.prf, password, salt, 2048, c.length)
			if err != nil {
				t.Fatal(err)
			}
			block, err := c.block(derived)
			if err != nil {
				t.Fatal(err)
			}
			iv := bytes.Repeat([]byte{7}, block.BlockSize())
			pad := block.BlockSize() - len(plain)%block.BlockSize()
			data := append(bytes.Clone(plain), bytes.Repeat([]byte{byte(pad)}, pad)...)
			cipher.NewCBCEncrypter(block, iv).CryptBlocks(data, data)
			type kdf struct {
				Salt       []byte
				Iterations int
				PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
			}
			params := kdf{Salt: salt, Iterations: 2048}
			if c.prfOID != nil {
				params.PRF = pkix.AlgorithmIdentifier{Algorithm: c.prfOID, Parameters: asn1.NullRawValue}
			}
			scheme := struct{ KDF, Cipher pkix.AlgorithmIdentifier }{
				pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}, Parameters: raw(t, params)},
				pkix.AlgorithmIdentifier{Algorithm: c.oid, Parameters: raw(t, iv)},
			}
			der, err := asn1.Marshal(struct {
				Algorithm pkix.AlgorithmIdentifier
				Data      []byte
			}{pkix.AlgorithmIdentifier{Algorithm: asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}, Parameters: raw(t, scheme)}, data})
			if err != nil {
				t.Fatal(err)
			}
			if _, _, err := fiscal.OpenCSD(cer, der, password, "EKU9003173C9", noon); err != nil {
				t.Error(err)
			}
			if _, _, err := fiscal.OpenCSD(cer, der, "otra", "EKU9003173C9", noon); !violationsOf(err).Has(fiscal.CodeCSDPassword) {
				t.Error(err)
			}
		})
	}
}

func raw(t *testing.T, v any) asn1.RawValue {
	t.Helper()
	der, err := asn1.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return asn1.RawValue{FullBytes: der}
}

// TestCSDNeverPrintsItsKey formats a CSD in every way that logs do.
func TestCSDNeverPrintsItsKey(t *testing.T) {
	csd := testCSD(t, "EKU9003173C9")
	key, err := csd.PrivateKey()
	if err != nil {
		t.Fatal(err)
	}
	parsed, _ := x509.ParsePKCS8PrivateKey(key)
	secret := fmt.Sprint(parsed)[200:260] // digits of the key as %v would print them
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("x", "csd", csd)
	asJSON, err := json.Marshal(csd)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []string{fmt.Sprint(csd), fmt.Sprintf("%+v", csd), fmt.Sprintf("%#v", csd), b.String(), string(asJSON)} {
		if strings.Contains(s, secret) || !strings.Contains(s, "EKU9003173C9") || len(s) > 300 {
			t.Errorf("%.200s", s)
		}
	}
}

func TestSealWithRealCSD(t *testing.T) {
	csd, _, err := openSAT(t, "EKU9003173C9", password, "EKU9003173C9", noon)
	if err != nil {
		t.Fatal(err)
	}
	c, err := fiscal.Build(draft(line("1499.00", fiscal.IVA16)))
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := fiscal.Seal(c, csd)
	if err != nil {
		t.Fatal(err)
	}
	if len(c.Sello) != 344 {
		t.Errorf("Sello has %d characters", len(c.Sello))
	}
	file := filepath.Join(t.TempDir(), "sealed.xml")
	if err := os.WriteFile(file, sealed, 0o600); err != nil {
		t.Fatal(err)
	}
	fiscaltest.Verify(t, []string{file}, "--chain")
}

func TestVerifySello(t *testing.T) {
	c, err := fiscal.Build(draft(line("1499.00", fiscal.IVA16)))
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := fiscal.Seal(c, testCSD(t, escuela.Rfc))
	if err != nil {
		t.Fatal(err)
	}
	for name, x := range map[string]struct{ old, new, code string }{
		"22 a letter":         {"Hospedaje", "Hospedajo", "CFDI40102"},
		"22 another Sello":    {`Sello="`, `Sello="AAAA`, "CFDI40102"},
		"another NoCert":      {`NoCertificado="30001000000599990001"`, `NoCertificado="30001000000599990002"`, "CFDI40106"},
		"no certificate":      {`Certificado="MII`, `Certificado="MIX`, "CFDI40106"},
		"not a document date": {`Fecha="2026`, `Fecha="2025`, "CFDI40102"},
	} {
		doc, err := fiscal.Parse(bytes.Replace(sealed, []byte(x.old), []byte(x.new), 1))
		if err != nil {
			t.Fatal(err)
		}
		if err := doc.VerifySello(); !errors.Is(err, &fiscal.Violation{Code: x.code}) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSealRefusesText: what a CFDI cannot carry never reaches the seal.
func TestSealRefusesText(t *testing.T) {
	for text, reason := range map[string]string{"a|b": "pipe", "a\x00b": "control_character", "a\u0085b": "control_character", "a\xffb": "not_utf8", "a\ufffeb": "control_character"} {
		c, err := fiscal.Build(draft(line("1499.00", fiscal.IVA16)))
		if err != nil {
			t.Fatal(err)
		}
		c.Conceptos[0].Descripcion = text
		var bad *fiscal.TextError
		if _, err := fiscal.Seal(c, testCSD(t, escuela.Rfc)); !errors.As(err, &bad) || bad.Reason != reason || bad.Path != "Concepto@Descripcion" {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestKeyring(t *testing.T) {
	k1, k2 := bytes.Repeat([]byte{1}, 32), bytes.Repeat([]byte{2}, 32)
	old, err := fiscal.NewKeyring("2025", map[string][]byte{"2025": k1})
	if err != nil {
		t.Fatal(err)
	}
	secret := []byte("PKCS#8 key bytes")
	blob, err := old.Encrypt(secret, "EKU9003173C9/30001000000500003416")
	if err != nil {
		t.Fatal(err)
	}
	const context = "EKU9003173C9/30001000000500003416"
	if bytes.Contains(blob, secret) {
		t.Error("not encrypted")
	}
	if got, err := old.Decrypt(blob, context); err != nil || !bytes.Equal(got, secret) {
		t.Errorf("%v %q", err, got)
	}
	if _, err := old.Decrypt(blob, "another record"); !errors.Is(err, fiscal.ErrSecretDamaged) {
		t.Errorf("moved to another record: %v", err)
	}
	for i := range blob {
		bad := bytes.Clone(blob)
		bad[i] ^= 1
		if _, err := old.Decrypt(bad, context); err == nil {
			t.Errorf("bit %d of the blob is not protected", i)
		}
		if _, err := old.Decrypt(blob[:i], context); err == nil {
			t.Errorf("cut at %d it decrypts", i)
		}
	}
	both, err := fiscal.NewKeyring("2026", map[string][]byte{"2025": k1, "2026": k2})
	if err != nil {
		t.Fatal(err)
	}
	rotated, changed, err := both.Rotate(blob, context)
	if id, _ := fiscal.KeyID(rotated); err != nil || !changed || id != "2026" {
		t.Fatalf("%v %v %s", err, changed, id)
	}
	if _, changed, err = both.Rotate(rotated, context); err != nil || changed {
		t.Errorf("rotated twice: %v %v", changed, err)
	}
	only, err := fiscal.NewKeyring("2026", map[string][]byte{"2026": k2})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := only.Decrypt(rotated, context); err != nil || !bytes.Equal(got, secret) {
		t.Errorf("%v %q", err, got)
	}
	if _, err := only.Decrypt(blob, context); !errors.Is(err, fiscal.ErrKeyUnknown) {
		t.Error(err)
	}
	for _, bad := range []map[string][]byte{{"a": k1[:31]}, {"": k1}, {"b": k1}} {
		if _, err := fiscal.NewKeyring("a", bad); err == nil {
			t.Errorf("%v is accepted", bad)
		}
	}
}
