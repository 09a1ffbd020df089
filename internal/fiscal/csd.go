package fiscal

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Codes of what can be wrong with a CSD (certificado de sello digital).
const (
	CodeCSDCertificate  = "csd_certificate_invalid"
	CodeCSDKey          = "csd_key_invalid"
	CodeCSDPassword     = "csd_password_wrong"
	CodeCSDMismatch     = "csd_key_mismatch"  // SAT 302: every seal would be wrong
	CodeCSDRfc          = "csd_rfc_mismatch"  // SAT 303
	CodeCSDNotYetValid  = "csd_not_yet_valid" // SAT 305
	CodeCSDExpired      = "csd_expired"       // SAT 305
	CodeCSDExpiringSoon = "csd_expires_soon"  // a warning
	CodeCSDIsFiel       = "csd_is_fiel"       // SAT 306
	CodeCSDIssuer       = "csd_not_from_sat"  // SAT 308
)

// oidUniqueID is x500UniqueIdentifier, where the SAT writes the RFC.
var oidUniqueID = asn1.ObjectIdentifier{2, 5, 4, 45}

// Certificado is what a SAT certificate says: of a CSD, a FIEL or a PAC.
type Certificado struct {
	X509          *x509.Certificate
	NoCertificado string // 20 digits
	Rfc           string
	Nombre        string // as in the certificate: with the company suffix, so not Emisor@Nombre
}

// ParseCertificado reads a .cer file, DER or PEM. The error is a *Violation.
func ParseCertificado(cer []byte) (*Certificado, error) {
	if block, _ := pem.Decode(cer); block != nil {
		cer = block.Bytes
	}
	crt, err := x509.ParseCertificate(cer)
	if err != nil {
		return nil, refuse(CodeCSDCertificate, "301", "cer", "El archivo .cer no es un certificado válido. Descárguelo de nuevo del portal del SAT.",
			"The .cer file is not a valid certificate. Download it again from the SAT.")
	}
	c := &Certificado{X509: crt, NoCertificado: string(crt.SerialNumber.Bytes()), Nombre: crt.Subject.CommonName}
	if len(c.NoCertificado) != 20 || !digits(c.NoCertificado) {
		return nil, refuse(CodeCSDCertificate, "308", "cer", "El certificado no es del SAT: su número de serie no tiene 20 dígitos.",
			"The certificate is not one of the SAT: its serial number does not have 20 digits.")
	}
	for _, n := range crt.Subject.Names {
		if n.Type.Equal(oidUniqueID) {
			// "RFC / RFC of the legal representative" for companies
			rfc, _, _ := strings.Cut(fmt.Sprint(n.Value), "/")
			c.Rfc = strings.TrimSpace(rfc)
		}
	}
	if c.Rfc == "" {
		return nil, refuse(CodeCSDCertificate, "308", "cer", "El certificado no tiene RFC: no es del SAT.", "The certificate has no RFC: it is not one of the SAT.")
	}
	return c, nil
}

// IsFiel reports whether the certificate is an e.firma (FIEL), which can do more than sign.
func (c *Certificado) IsFiel() bool {
	return c.X509.KeyUsage&(x509.KeyUsageDataEncipherment|x509.KeyUsageKeyAgreement) != 0 ||
		slices.Contains(c.X509.ExtKeyUsage, x509.ExtKeyUsageEmailProtection) ||
		slices.Contains(c.X509.ExtKeyUsage, x509.ExtKeyUsageClientAuth)
}

// Verify checks a signature in base64 over a cadena original (RSA PKCS#1 v1.5, SHA-256).
func (c *Certificado) Verify(cadena, signature string) error {
	public, ok := c.X509.PublicKey.(*rsa.PublicKey)
	if !ok {
		return errors.New("fiscal: certificate without RSA key")
	}
	raw, err := base64.StdEncoding.DecodeString(collapse(signature))
	if err != nil {
		return errors.New("fiscal: signature is not base64")
	}
	hash := sha256.Sum256([]byte(cadena))
	return rsa.VerifyPKCS1v15(public, crypto.SHA256, hash[:], raw)
}

// Check holds a certificate against what a CSD of that RFC must be at a moment: RFC (303),
// validity (305), CSD and not FIEL (306). An empty rfc is not compared.
func (c *Certificado) Check(rfc string, at time.Time) Violations {
	var vs Violations
	if rfc != "" && c.Rfc != rfc {
		vs = append(vs, *refuse(CodeCSDRfc, "303", "cer", "El certificado es de %[1]s, no de %[2]s.", "The certificate belongs to %[1]s, not to %[2]s.", c.Rfc, rfc))
	}
	if c.IsFiel() {
		vs = append(vs, *refuse(CodeCSDIsFiel, "306", "cer",
			"Es una e.firma (FIEL). Para facturar se necesita el certificado de sello digital (CSD).",
			"This is an e.firma (FIEL). Invoicing needs the digital seal certificate (CSD)."))
	}
	const day = "2006-01-02"
	switch {
	case at.Before(c.X509.NotBefore):
		vs = append(vs, *refuse(CodeCSDNotYetValid, "305", "cer", "El certificado será válido a partir del %s.", "The certificate is not valid before %s.", c.X509.NotBefore.Format(day)))
	case at.After(c.X509.NotAfter):
		vs = append(vs, *refuse(CodeCSDExpired, "305", "cer", "El certificado venció el %s. Tramite uno nuevo en el SAT.", "The certificate expired on %s. Get a new one from the SAT.", c.X509.NotAfter.Format(day)))
	case c.DaysLeft(at) <= 60:
		v := refuse(CodeCSDExpiringSoon, "", "cer", "El certificado vence el %[1]s (en %[2]d días).", "The certificate expires on %[1]s (in %[2]d days).", c.X509.NotAfter.Format(day), c.DaysLeft(at))
		v.Warning = true
		vs = append(vs, *v)
	}
	return vs
}

// DaysLeft is the number of whole days until the certificate expires.
func (c *Certificado) DaysLeft(at time.Time) int {
	return int(c.X509.NotAfter.Sub(at) / (24 * time.Hour))
}

// ParseIssuers reads the certificates of the SAT's certification authorities: one as DER, or any number as PEM.
func ParseIssuers(data []byte) ([]*x509.Certificate, error) {
	if block, _ := pem.Decode(data); block == nil {
		return x509.ParseCertificates(data)
	}
	var cas []*x509.Certificate
	for {
		var block *pem.Block
		if block, data = pem.Decode(data); block == nil {
			return cas, nil
		}
		ca, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		cas = append(cas, ca)
	}
}

// CheckIssuer checks that one of the given CA certificates of the SAT signed c (308).
func (c *Certificado) CheckIssuer(cas []*x509.Certificate) error {
	for _, ca := range cas {
		if ca.CheckSignature(c.X509.SignatureAlgorithm, c.X509.RawTBSCertificate, c.X509.Signature) == nil {
			return nil
		}
	}
	return refuse(CodeCSDIssuer, "308", "cer", "El certificado no fue emitido por el SAT.", "The certificate was not issued by the SAT.")
}

// CSD is a certificate with its private key. It never prints the key.
type CSD struct {
	Certificado
	key    *rsa.PrivateKey
	base64 string // Comprobante@Certificado
}

// OpenCSD opens an uploaded pair (.cer, .key and its password) and makes every check of an
// upload: both files readable, same key, RFC of the issuer, CSD and not FIEL, valid now.
// The error is a *Violation or Violations. Warnings (expiry within 60 days) are returned
// with the CSD.
func OpenCSD(cer, key []byte, password, rfc string, now time.Time) (*CSD, Violations, error) {
	c, err := ParseCertificado(cer)
	if err != nil {
		return nil, nil, err
	}
	if block, _ := pem.Decode(key); block != nil { // the same as text
		key = block.Bytes
	}
	private, err := decryptKey(key, password)
	switch {
	case errors.Is(err, errKeyPassword):
		return nil, nil, refuse(CodeCSDPassword, "", "password", "La contraseña de la llave privada no es correcta.", "The password of the private key is wrong.")
	case err != nil:
		return nil, nil, refuse(CodeCSDKey, "", "key", "El archivo .key no es una llave privada del SAT.", "The .key file is not a private key of the SAT.")
	}
	csd, err := pair(c, private)
	if err != nil {
		return nil, nil, err
	}
	vs := c.Check(rfc, now)
	if bad := vs.Refusals(); len(bad) > 0 {
		return nil, nil, bad
	}
	return csd, vs, nil
}

// RestoreCSD makes a CSD from what was stored: the certificate and the PKCS#8 of
// [CSD.PrivateKey]. Validity is not checked: [Seal] does.
func RestoreCSD(cer, pkcs8 []byte) (*CSD, error) {
	c, err := ParseCertificado(cer)
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(pkcs8)
	if err != nil {
		return nil, errors.New("fiscal: stored key is damaged")
	}
	private, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errors.New("fiscal: stored key is not RSA")
	}
	return pair(c, private)
}

func pair(c *Certificado, key *rsa.PrivateKey) (*CSD, error) {
	public, ok := c.X509.PublicKey.(*rsa.PublicKey)
	if !ok || !key.PublicKey.Equal(public) {
		return nil, refuse(CodeCSDMismatch, "302", "key", "La llave privada no corresponde al certificado.", "The private key does not belong to the certificate.")
	}
	return &CSD{Certificado: *c, key: key, base64: base64.StdEncoding.EncodeToString(c.X509.Raw)}, nil
}

// Sign returns the base64 of the RSA PKCS#1 v1.5 signature with SHA-256 of a cadena original.
func (c *CSD) Sign(cadena string) (string, error) {
	hash := sha256.Sum256([]byte(cadena))
	sig, err := rsa.SignPKCS1v15(rand.Reader, c.key, crypto.SHA256, hash[:])
	if err != nil {
		return "", errors.New("fiscal: signing failed")
	}
	return base64.StdEncoding.EncodeToString(sig), nil
}

// PrivateKey is the key as PKCS#8 without password, to be stored through a [Keyring] only.
func (c *CSD) PrivateKey() ([]byte, error) { return x509.MarshalPKCS8PrivateKey(c.key) }

// String names the certificate, never the key.
func (c *CSD) String() string { return "CSD " + c.NoCertificado + " (" + c.Rfc + ")" }

// GoString is String: %#v must not print the key either.
func (c *CSD) GoString() string { return c.String() }

// MarshalText is String, so that a CSD in a log or JSON shows no key.
func (c *CSD) MarshalText() ([]byte, error) { return []byte(c.String()), nil }

// SameCertificate reports whether two certificates are byte for byte the same.
func (c *Certificado) SameCertificate(other *Certificado) bool {
	return other != nil && bytes.Equal(c.X509.Raw, other.X509.Raw)
}
