package fiscal

import (
	"net/url"
	"strings"
)

// VerificationURL is the SAT's address of a stamped document, and the text of its QR code
// (Anexo 20, I.D): id, re, rr, tt without non-significant zeros, last eight of Sello. "" when the
// document is not stamped.
func VerificationURL(c *Comprobante) string {
	t := c.Timbre()
	if t == nil || c.Emisor == nil || c.Receptor == nil {
		return ""
	}
	return "https://verificacfdi.facturaelectronica.sat.gob.mx/default.aspx?" + QueryOf(c).encode("id", "re", "rr", "tt", "fe")
}

// encode writes the parameters in an order. Values are percent-encoded UTF-8 (& in an RFC is
// %26), except = + / of the base64 in fe.
func (q StatusQuery) encode(order ...string) string {
	values := map[string]string{"id": q.UUID, "re": escapeRfc(q.Emisor), "rr": escapeRfc(q.Receptor), "tt": q.Total, "fe": q.SelloEnd}
	var b strings.Builder
	for i, name := range order {
		if i > 0 {
			b.WriteByte('&')
		}
		b.WriteString(name + "=" + values[name])
	}
	return b.String()
}

func escapeRfc(rfc string) string { return strings.ReplaceAll(url.QueryEscape(rfc), "+", "%20") }

// StatusQuery identifies a stamped document for the SAT.
type StatusQuery struct {
	UUID, Emisor, Receptor string
	Total                  string // without non-significant zeros
	SelloEnd               string // last eight characters of Sello
}

// QueryOf is the query for a stamped document.
func QueryOf(c *Comprobante) StatusQuery {
	total := string(c.Total)
	if strings.Contains(total, ".") {
		total = strings.TrimRight(strings.TrimRight(total, "0"), ".")
	}
	if total == "" {
		total = "0"
	}
	q := StatusQuery{Emisor: c.Emisor.Rfc, Receptor: c.Receptor.Rfc, Total: total, SelloEnd: c.Sello[max(0, len(c.Sello)-8):]}
	if t := c.Timbre(); t != nil {
		q.UUID = t.UUID
	}
	return q
}

// Expression is the query as the SAT's service reads it: ?re=..&rr=..&tt=..&id=..&fe=.., with RFCs
// as they are.
func (q StatusQuery) Expression() string {
	return "?re=" + q.Emisor + "&rr=" + q.Receptor + "&tt=" + q.Total + "&id=" + q.UUID + "&fe=" + q.SelloEnd
}

// FileName is how a stamped document is downloaded: RFCEMISOR_SERIEFOLIO_UUID.ext, without
// characters that file systems do not take.
func FileName(c *Comprobante, ext string) string {
	uuid := ""
	if t := c.Timbre(); t != nil {
		uuid = t.UUID
	}
	parts := []string{c.Emisor.Rfc, c.Serie + c.Folio, uuid}
	var kept []string
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	name := strings.Map(func(r rune) rune {
		switch {
		case r >= '0' && r <= '9', r >= 'A' && r <= 'Z', r >= 'a' && r <= 'z', strings.ContainsRune("-_&ÑñÁÉÍÓÚÜáéíóúü", r):
			return r
		}
		return '-'
	}, strings.Join(kept, "_"))
	return name + "." + ext
}
