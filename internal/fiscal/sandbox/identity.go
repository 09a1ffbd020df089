package sandbox

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
)

// Identity is the key and certificate that the sandbox stamps with.
type Identity struct {
	Certificado *fiscal.Certificado
	key         *rsa.PrivateKey
}

// NewIdentity generates a key and a self-signed certificate that looks like a PAC's: a serial
// number of 20 digits in ASCII and a company's RFC in 2.5.4.45. Nobody trusts it.
func NewIdentity(now time.Time) (*Identity, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	n, err := rand.Int(rand.Reader, big.NewInt(1_000_000_000_000))
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	template := &x509.Certificate{
		SerialNumber: new(big.Int).SetBytes(fmt.Appendf(nil, "00009999%012d", n)),
		Subject: pkix.Name{CommonName: "PAC DE PRUEBA SIN VALIDEZ FISCAL", ExtraNames: []pkix.AttributeTypeAndValue{
			{Type: asn1.ObjectIdentifier{2, 5, 4, 45}, Value: fiscal.TestPAC}}},
		NotBefore: now.AddDate(0, 0, -1), NotAfter: now.AddDate(10, 0, 0),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageContentCommitment,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	return restore(der, key)
}

// ParseIdentity reads what [Identity.PEM] wrote, so that stamps can be checked after a restart.
func ParseIdentity(data []byte) (*Identity, error) {
	crt, rest := pem.Decode(data)
	key, _ := pem.Decode(rest)
	if crt == nil || key == nil {
		return nil, errors.New("sandbox: identity_invalid")
	}
	parsed, err := x509.ParsePKCS8PrivateKey(key.Bytes)
	private, ok := parsed.(*rsa.PrivateKey)
	if err != nil || !ok {
		return nil, errors.New("sandbox: identity_invalid")
	}
	return restore(crt.Bytes, private)
}

func restore(der []byte, key *rsa.PrivateKey) (*Identity, error) {
	crt, err := fiscal.ParseCertificado(der)
	if err != nil {
		return nil, err
	}
	return &Identity{Certificado: crt, key: key}, nil
}

// PEM is the certificate and the private key, for a file that only the service reads.
func (i *Identity) PEM() ([]byte, error) {
	key, err := x509.MarshalPKCS8PrivateKey(i.key)
	if err != nil {
		return nil, fmt.Errorf("sandbox: %w", err)
	}
	return append(i.CertificatePEM(), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})...), nil
}

// CertificatePEM is the certificate alone, to verify stamps with.
func (i *Identity) CertificatePEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: i.Certificado.X509.Raw})
}

func (i *Identity) sign(cadena string) (string, error) {
	hash := sha256.Sum256([]byte(cadena))
	sig, err := rsa.SignPKCS1v15(rand.Reader, i.key, crypto.SHA256, hash[:])
	return base64.StdEncoding.EncodeToString(sig), err
}
