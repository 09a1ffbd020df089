package fiscaltest

import (
	"bytes"
	"crypto/cipher"
	"crypto/des" //nolint:gosec // what the SAT encrypts .key files with
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // what the SAT derives their keys with
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"sync"
	"testing"
	"time"
)

var testKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// NewCSD makes a certificate of the form of the SAT's for an RFC, valid in 2025 to 2028, and its
// key as PKCS#8. All of them share one key, which lives as long as the test process. With fiel
// it is an e.firma.
func NewCSD(tb testing.TB, rfc string, fiel bool) (cer, pkcs8 []byte) {
	tb.Helper()
	unique := rfc
	if len([]rune(rfc)) == 12 {
		unique += " / VADA800927DJ3"
	}
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes([]byte("30001000000599990001")),
		Subject:      pkix.Name{CommonName: "EMISOR DE PRUEBA", ExtraNames: []pkix.AttributeTypeAndValue{{Type: asn1.ObjectIdentifier{2, 5, 4, 45}, Value: unique}}},
		NotBefore:    time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC),
		NotAfter:     time.Date(2028, 12, 31, 0, 0, 0, 0, time.UTC),
		KeyUsage:     x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment,
	}
	if fiel {
		template.KeyUsage |= x509.KeyUsageDataEncipherment | x509.KeyUsageKeyAgreement
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageEmailProtection, x509.ExtKeyUsageClientAuth}
	}
	cer, err := x509.CreateCertificate(rand.Reader, template, template, &testKey().PublicKey, testKey())
	if err != nil {
		tb.Fatal(err)
	}
	if pkcs8, err = x509.MarshalPKCS8PrivateKey(testKey()); err != nil {
		tb.Fatal(err)
	}
	return cer, pkcs8
}

// KeyFile encrypts a key as the SAT's .key files are: PKCS#8 with PBES2, PBKDF2 and 3DES.
func KeyFile(tb testing.TB, pkcs8 []byte, password string) []byte {
	tb.Helper()
	salt, iv := []byte("saltsalt"), bytes.Repeat([]byte{7}, des.BlockSize)
	derived, err := pbkdf2.Key(sha1.New, password, salt, 2048, 24)
	if err != nil {
		tb.Fatal(err)
	}
	block, err := des.NewTripleDESCipher(derived) //nolint:gosec // see the import
	if err != nil {
		tb.Fatal(err)
	}
	pad := des.BlockSize - len(pkcs8)%des.BlockSize
	data := append(bytes.Clone(pkcs8), bytes.Repeat([]byte{byte(pad)}, pad)...)
	cipher.NewCBCEncrypter(block, iv).CryptBlocks(data, data)
	der := func(v any) []byte {
		out, err := asn1.Marshal(v)
		if err != nil {
			tb.Fatal(err)
		}
		return out
	}
	algorithm := func(parameters []byte, oid ...int) pkix.AlgorithmIdentifier {
		return pkix.AlgorithmIdentifier{Algorithm: oid, Parameters: asn1.RawValue{FullBytes: parameters}}
	}
	scheme := struct{ KDF, Cipher pkix.AlgorithmIdentifier }{
		algorithm(der(struct {
			Salt       []byte
			Iterations int
		}{salt, 2048}), 1, 2, 840, 113549, 1, 5, 12),
		algorithm(der(iv), 1, 2, 840, 113549, 3, 7),
	}
	return der(struct {
		Algorithm pkix.AlgorithmIdentifier
		Data      []byte
	}{algorithm(der(scheme), 1, 2, 840, 113549, 1, 5, 13), data})
}
