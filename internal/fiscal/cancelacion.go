package fiscal

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // the SAT's cancellation service takes XML signatures with SHA-1 only
	"encoding/base64"
	"errors"
	"strings"
)

const (
	nsCancelacion = "http://cancelacfd.sat.gob.mx"
	nsDSig        = "http://www.w3.org/2000/09/xmldsig#"
)

// SignCancelacion returns the Cancelacion document for the SAT's service, signed with r.CSD:
// an enveloped XML signature (RSA-SHA1, C14N 1.0). It is written in its canonical form, so that the
// digests are of the text as it is.
func SignCancelacion(r CancelRequest) ([]byte, error) {
	if r.CSD == nil {
		return nil, errors.New("fiscal: csd_missing")
	}
	attr := func(name, value string) string {
		// attribute values in canonical XML; none of ours has tabs or line ends
		return ` ` + name + `="` + strings.NewReplacer("&", "&amp;", "<", "&lt;", `"`, "&quot;").Replace(value) + `"`
	}
	text := strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace

	// attributes in alphabetical order, as C14N wants them
	folio := ""
	if r.FolioSustitucion != "" {
		folio = attr("FolioSustitucion", strings.ToUpper(r.FolioSustitucion))
	}
	open := `<Cancelacion xmlns="` + nsCancelacion + `"` + attr("Fecha", r.Fecha.In(ZonaCentro()).Format(FechaLayout)) + attr("RfcEmisor", r.RfcEmisor) + `>` +
		`<Folios><Folio` + folio + attr("Motivo", r.Motivo) + attr("UUID", strings.ToUpper(r.UUID)) + `></Folio></Folios>`
	const end = `</Cancelacion>`
	digest := sha1.Sum([]byte(open + end)) //nolint:gosec // see the import

	info := `<CanonicalizationMethod Algorithm="http://www.w3.org/TR/2001/REC-xml-c14n-20010315"></CanonicalizationMethod>` +
		`<SignatureMethod Algorithm="` + nsDSig + `rsa-sha1"></SignatureMethod>` +
		`<Reference URI=""><Transforms><Transform Algorithm="` + nsDSig + `enveloped-signature"></Transform></Transforms>` +
		`<DigestMethod Algorithm="` + nsDSig + `sha1"></DigestMethod><DigestValue>` + base64.StdEncoding.EncodeToString(digest[:]) + `</DigestValue></Reference></SignedInfo>`
	// canonical SignedInfo has the namespace that it inherits from Signature
	hash := sha1.Sum([]byte(`<SignedInfo xmlns="` + nsDSig + `">` + info)) //nolint:gosec // see the import
	signature, err := rsa.SignPKCS1v15(rand.Reader, r.CSD.key, crypto.SHA1, hash[:])
	if err != nil {
		return nil, errors.New("fiscal: signing failed")
	}
	return []byte(open + `<Signature xmlns="` + nsDSig + `"><SignedInfo>` + info +
		`<SignatureValue>` + base64.StdEncoding.EncodeToString(signature) + `</SignatureValue>` +
		`<KeyInfo><X509Data><X509IssuerSerial><X509IssuerName>` + text(r.CSD.X509.Issuer.String()) + `</X509IssuerName>` +
		`<X509SerialNumber>` + r.CSD.NoCertificado + `</X509SerialNumber></X509IssuerSerial>` +
		`<X509Certificate>` + r.CSD.base64 + `</X509Certificate></X509Data></KeyInfo></Signature>` + end), nil
}
