package fiscal_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/fiscaltest"
)

var update = flag.Bool("update", false, "rewrite what is made from the SAT's files, and the golden images")

// TestStructureIsTheSchemas: structure.txt says what the SAT's schemas say, each element, attribute and facet.
func TestStructureIsTheSchemas(t *testing.T) {
	const file = "structure.txt"
	s := schemas{t: t, types: map[string]*fiscal.Node{}}
	for prefix, path := range map[string]string{"tdCFDI": "tipoDatos/tdCFDI/tdCFDI.xsd", "catPagos": "catalogos/Pagos/catPagos.xsd"} {
		for _, n := range s.read(path).Children {
			s.types[prefix+":"+s.attr(n, "name")] = n
		}
	}
	s.b.WriteString(`# What the SAT's schemas say of the documents that are read here (cfdv40.xsd, Pagos20.xsd, TimbreFiscalDigitalv11.xsd,
# implocal.xsd). One element a line, inside the one that it is indented under, in the order they must have:
#   Name once   Name? at most once   Name+ at least once   Name* any number   Name% any number, in any order
#   ... elements of other schemas, ...+ at least one   free: not looked at
# and its attributes: name, then ! required, ? optional or ~ required once sealed, then the kind:
#   tN-M text of N to M without |   sN-M text of N to M   nN digits with at most N decimals   dN decimal number, dN- of any sign
#   + above zero   iN whole number of at least N   c_X key of a catalog   =v exactly v   /p/ pattern   _ white space counts
#   others by name
`)
	s.root("cfdi", "4/cfdv40.xsd")
	s.root("pago20", "Pagos/Pagos20.xsd")
	s.root("tfd", "TimbreFiscalDigital/TimbreFiscalDigitalv11.xsd")
	s.root("implocal", "implocal/implocal.xsd")
	if *update {
		if err := os.WriteFile(file, []byte(s.b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	have, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if string(have) != s.b.String() {
		t.Errorf("%s is not what the schemas say; write it with -update:\n%s", file, s.b.String())
	}
}

// schemas writes XML schemas in the form of structure.txt.
type schemas struct {
	t     *testing.T
	types map[string]*fiscal.Node
	b     strings.Builder
}

func (s *schemas) read(path string) *fiscal.Node {
	s.t.Helper()
	n, err := fiscal.ParseNode(fiscaltest.Read(s.t, "resources", "www.sat.gob.mx", "sitio_internet", "cfd", filepath.FromSlash(path)))
	if err != nil {
		s.t.Fatalf("%s: %v", path, err)
	}
	return n
}

func (s *schemas) attr(n *fiscal.Node, name string) string {
	v, _ := n.Attr(name)
	return v
}

func (s *schemas) child(n *fiscal.Node, name string) *fiscal.Node {
	for _, c := range n.Children {
		if c.Name == name {
			return c
		}
	}
	return nil
}

func (s *schemas) root(prefix, path string) {
	for _, c := range s.read(path).Children {
		if c.Name == "element" {
			s.b.WriteString("\n")
			s.element(c, prefix+":", "", false)
		}
	}
}

func (s *schemas) element(n *fiscal.Node, prefix, indent string, group bool) {
	s.t.Helper()
	lowest, most := s.attr(n, "minOccurs"), s.attr(n, "maxOccurs")
	sign, known := map[string]string{"/": "", "0/": "?", "0/unbounded": "*", "/unbounded": "+"}[lowest+"/"+most]
	if group && sign == "?" {
		sign = "%"
	} else if !known || group {
		s.t.Fatalf("occurrence %s..%s of %s", lowest, most, s.attr(n, "name"))
	}
	s.b.WriteString(indent + prefix + s.attr(n, "name") + sign)
	kind := s.child(n, "complexType")
	if kind == nil {
		s.t.Fatalf("%s has no complex type", s.attr(n, "name"))
	}
	for _, a := range kind.Children {
		if a.Name == "attribute" {
			s.b.WriteString(" " + s.attribute(a))
		}
	}
	sequence := s.child(kind, "sequence")
	if sequence == nil {
		s.b.WriteString("\n")
		return
	}
	if wild := s.child(sequence, "any"); wild != nil {
		switch {
		case s.attr(n, "name") == "Addenda":
			s.b.WriteString(" free\n")
		case s.attr(wild, "minOccurs") == "0":
			s.b.WriteString(" ...\n")
		default:
			s.b.WriteString(" ...+\n")
		}
		return
	}
	s.b.WriteString("\n")
	for _, c := range sequence.Children {
		if c.Name == "element" {
			s.element(c, "", indent+"  ", s.attr(sequence, "maxOccurs") == "unbounded")
		}
	}
}

func (s *schemas) attribute(n *fiscal.Node) string {
	s.t.Helper()
	need := "?"
	if s.attr(n, "use") == "required" {
		need = "!"
	}
	at := s.attr(n, "name")
	if at == "Sello" || at == "NoCertificado" || at == "Certificado" { // written by sealing
		need = "~"
	}
	if v := s.attr(n, "fixed"); v != "" {
		if s.child(n, "simpleType") == nil { // which would collapse white space
			need += "_"
		}
		return at + need + "=" + v
	}
	kind := s.attr(n, "type")
	if key, ok := strings.CutPrefix(kind, "catCFDI:"); ok {
		return at + need + key
	}
	switch kind {
	case "tdCFDI:t_RFC":
		return at + need + "rfc"
	case "tdCFDI:t_FechaH":
		return at + need + "fecha"
	case "xs:string":
		return at + need + "s0-100000"
	}
	simple := s.types[kind]
	if kind == "" {
		simple = s.child(n, "simpleType")
	}
	if simple == nil {
		s.t.Fatalf("type %s of %s", kind, at)
	}
	return at + need + s.facets(at, s.child(simple, "restriction"))
}

func (s *schemas) facets(at string, restriction *fiscal.Node) string {
	s.t.Helper()
	f := map[string]string{}
	var enumeration []string
	for _, c := range restriction.Children {
		switch c.Name {
		case "enumeration":
			enumeration = append(enumeration, s.attr(c, "value"))
		case "annotation":
		default:
			f[c.Name] = s.attr(c, "value")
		}
	}
	keep := ""
	if f["whiteSpace"] == "" && s.attr(restriction, "base") == "xs:string" {
		keep = "_"
	}
	pattern := f["pattern"]
	switch base := s.attr(restriction, "base"); base {
	case "xs:string":
		if f["length"] != "" {
			f["minLength"], f["maxLength"] = f["length"], f["length"]
		}
		switch {
		case enumeration != nil:
			return "/" + strings.Join(enumeration, "|") + "/"
		case pattern == "[^|]{"+f["minLength"]+","+f["maxLength"]+"}":
			return keep + "t" + f["minLength"] + "-" + f["maxLength"]
		case pattern != "": // the lengths are in the patterns, but for one
			pattern = strings.Replace(pattern, "){1,150}", "){"+f["minLength"]+",150}", 1)
			return keep + "/" + strings.ReplaceAll(pattern, " ", `\x20`) + "/"
		case f["maxLength"] != "":
			return keep + "s" + f["minLength"] + "-" + f["maxLength"]
		case len(f) == 1 && f["whiteSpace"] == "collapse": // seals and certificates
			return "base64"
		}
	case "xs:base64Binary":
		return "base64"
	case "xs:short":
		return "i" + f["minInclusive"]
	case "xs:integer":
		return "/" + pattern + "/"
	case "xs:decimal":
		kind := "d" + f["fractionDigits"]
		if pattern != "" {
			if pattern != "[0-9]{1,18}(.[0-9]{1,"+f["fractionDigits"]+"})?" {
				s.t.Fatalf("pattern %s of %s", pattern, at)
			}
			kind = "n" + f["fractionDigits"]
		}
		switch lowest, above := f["minInclusive"]; {
		case !above:
			return kind + "-"
		case strings.Trim(lowest, "0.") != "":
			return kind + "+"
		}
		return kind
	}
	s.t.Fatalf("facets %v of %s", f, at)
	return ""
}
