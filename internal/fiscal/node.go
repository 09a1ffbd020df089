package fiscal

import (
	"strings"
)

// Namespaces of the nodes that this package writes, and their fixed prefixes (Anexo 20).
const (
	nsCFDI  = "http://www.sat.gob.mx/cfd/4"
	nsPagos = "http://www.sat.gob.mx/Pagos20"
	nsTFD   = "http://www.sat.gob.mx/TimbreFiscalDigital"
	nsXSI   = "http://www.w3.org/2001/XMLSchema-instance"

	schemaCFDI  = nsCFDI + " http://www.sat.gob.mx/sitio_internet/cfd/4/cfdv40.xsd"
	schemaPagos = nsPagos + " http://www.sat.gob.mx/sitio_internet/cfd/Pagos/Pagos20.xsd"
	schemaTFD   = nsTFD + " http://www.sat.gob.mx/sitio_internet/cfd/TimbreFiscalDigital/TimbreFiscalDigitalv11.xsd"
)

var prefixes = map[string]string{nsCFDI: "cfdi", nsPagos: "pago20", nsTFD: "tfd"}

// Node is an XML element as it is in a document, of any namespace.
type Node struct {
	Prefix   string // as written; "" for the default namespace
	Space    string // namespace URI
	Name     string // local name
	Attrs    []Attr
	Children []*Node
	Text     string // character data directly inside, concatenated
}

// Attr is an attribute of a Node. Namespace declarations are not kept.
type Attr struct {
	Space string // "" for all of the SAT's own
	Name  string
	Value string
}

// Attr returns the value of an attribute without namespace, and whether it is there.
func (n *Node) Attr(name string) (string, bool) {
	for _, a := range n.Attrs {
		if a.Space == "" && a.Name == name {
			return a.Value, true
		}
	}
	return "", false
}

// innerText is the character data of n and everything in it.
func (n *Node) innerText() string {
	var b strings.Builder
	var walk func(*Node)
	walk = func(n *Node) {
		b.WriteString(n.Text)
		for _, c := range n.Children {
			walk(c)
		}
	}
	walk(n)
	return b.String()
}

// collapse trims s and turns every run of XML white space into one space, which is what
// both the schema (whiteSpace=collapse) and the cadena original (normalize-space) do. Other
// kinds of space, such as U+00A0, are content.
func collapse(s string) string {
	clean := s == "" || !isXMLSpace(s[0]) && !isXMLSpace(s[len(s)-1])
	for i := 0; clean && i < len(s); i++ {
		c := s[i]
		clean = c != '\t' && c != '\n' && c != '\r' && (c != ' ' || s[i+1] != ' ')
	}
	if clean {
		return s
	}
	return strings.Join(strings.FieldsFunc(s, func(r rune) bool { return r == ' ' || r == '\t' || r == '\n' || r == '\r' }), " ")
}

func isXMLSpace(c byte) bool { return c == ' ' || c == '\t' || c == '\n' || c == '\r' }
