package fiscaltest

import (
	"crypto/rand"
	"crypto/rsa"
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
