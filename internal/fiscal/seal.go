package fiscal

import (
	"bytes"
	"encoding/base64"
	"errors"
	"reflect"
	"strings"
)

// Seal fills NoCertificado, Certificado and Sello of c and returns the document's bytes: the
// cadena original is signed with RSA-SHA256. White space in texts is collapsed in the bytes and
// in what is signed alike; text that a CFDI cannot carry is a [*TextError].
func Seal(c *Comprobante, csd *CSD) ([]byte, error) {
	c.NoCertificado, c.Certificado, c.Sello = csd.NoCertificado, csd.base64, ""
	root := c.Node()
	if err := collapseAll(root); err != nil {
		return nil, err
	}
	cadena, err := CadenaOriginal(root)
	if err != nil {
		return nil, err
	}
	if c.Sello, err = csd.Sign(cadena); err != nil {
		return nil, err
	}
	root.Attrs = append(root.Attrs, Attr{Name: "Sello", Value: c.Sello})
	return writeXML(root), nil
}

// Certificado returns the certificate inside the document. The error is a *Violation.
func (d *Document) Certificado() (*Certificado, error) {
	raw, err := base64.StdEncoding.DecodeString(string(bytes.Join(bytes.Fields([]byte(d.Comprobante.Certificado)), nil)))
	if err != nil || len(raw) == 0 {
		return nil, refuse("CFDI40106", "CFDI40106", "@Certificado", "El certificado del documento no es válido.", "The certificate in the document is not valid.")
	}
	crt, err := ParseCertificado(raw)
	if err != nil {
		return nil, refuse("CFDI40106", "CFDI40106", "@Certificado", "El certificado del documento no es válido.", "The certificate in the document is not valid.")
	}
	return crt, nil
}

// VerifySello checks Sello against the certificate in the document: CFDI40106 when the
// certificate is not usable or another one, CFDI40102 when the seal does not match.
func (d *Document) VerifySello() error {
	crt, err := d.Certificado()
	if err != nil {
		return err
	}
	if crt.NoCertificado != d.Comprobante.NoCertificado {
		return refuse("CFDI40106", "CFDI40106", "@NoCertificado", "NoCertificado no es el número de serie del certificado.", "NoCertificado is not the serial number of the certificate.")
	}
	cadena, err := d.CadenaOriginal()
	if err != nil {
		return err
	}
	if crt.Verify(cadena, d.Comprobante.Sello) != nil {
		return refuse("CFDI40102", "CFDI40102", "@Sello", "El sello no corresponde al contenido del documento.", "The seal does not match the content of the document.")
	}
	return nil
}

// ErrNotStamped says that a document has no TimbreFiscalDigital.
var ErrNotStamped = errors.New("fiscal: not_stamped")

// VerifyTimbre checks the stamp: its copy of Sello and, with the PAC's certificate, SelloSAT.
func (d *Document) VerifyTimbre(pac *Certificado) error {
	t := d.Comprobante.Timbre()
	if t == nil {
		return ErrNotStamped
	}
	if t.SelloCFD != d.Comprobante.Sello {
		return errors.New("fiscal: stamp_of_another_document: SelloCFD differs from Sello")
	}
	if pac == nil {
		return nil
	}
	if pac.NoCertificado != t.NoCertificadoSAT {
		return errors.New("fiscal: stamp_certificate: NoCertificadoSAT is another certificate")
	}
	if err := pac.Verify(CadenaTFD(t), t.SelloSAT); err != nil {
		return errors.New("fiscal: stamp_seal: SelloSAT does not match the stamp")
	}
	return nil
}

// InsertTimbre returns a sealed document with a stamp put into its Complemento. Every other
// byte stays as it was sealed.
func InsertTimbre(sealed []byte, t *TimbreFiscalDigital) ([]byte, error) {
	node := encode(reflect.ValueOf(t).Elem(), nsTFD, "TimbreFiscalDigital")
	if err := collapseAll(node); err != nil {
		return nil, err
	}
	var b strings.Builder
	writeNode(&b, node, true)
	for _, place := range []struct{ before, open, close string }{
		{"</cfdi:Complemento>", "", ""},
		{"<cfdi:Complemento/>", "<cfdi:Complemento>", "</cfdi:Complemento>"},
		{"<cfdi:Addenda", "<cfdi:Complemento>", "</cfdi:Complemento>"},
		{"</cfdi:Comprobante>", "<cfdi:Complemento>", "</cfdi:Complemento>"},
	} {
		i := bytes.LastIndex(sealed, []byte(place.before))
		if i < 0 {
			continue
		}
		rest := sealed[i:]
		if place.before == "<cfdi:Complemento/>" {
			rest = rest[len(place.before):]
		}
		return bytes.Join([][]byte{sealed[:i:i], []byte(place.open), []byte(b.String()), []byte(place.close), rest}, nil), nil
	}
	return nil, errors.New("fiscal: 301 xml_malformed: no cfdi:Comprobante to stamp")
}
