package fiscal

import (
	"bytes"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
)

// Limits of what is read: documents with more are refused before they cost memory.
const (
	maxDocument = 8 << 20 // bytes
	maxDepth    = 64
	maxNodes    = 200_000
	maxAttrs    = 200 // of one element; Totales and Pago have the most, 11 and 15
)

var utf8BOM = []byte("\xef\xbb\xbf")

// SyntaxError says that bytes are not an XML document that can be read. Error 301 of the SAT.
type SyntaxError struct {
	Offset int64 // byte where it was noticed
	Reason string
}

func (e *SyntaxError) Error() string {
	return fmt.Sprintf("fiscal: 301 xml_malformed: byte %d: %s", e.Offset, e.Reason)
}

// ParseNode reads one XML document in UTF-8. A DTD, undeclared prefixes, repeated
// attributes and anything after the root are errors; a byte order mark, comments and
// processing instructions are skipped.
func ParseNode(data []byte) (*Node, error) {
	if len(data) > maxDocument {
		return nil, &SyntaxError{maxDocument, "document too large"}
	}
	data = bytes.TrimPrefix(data, utf8BOM)
	r := reader{dec: xml.NewDecoder(bytes.NewReader(data))}
	for {
		tok, err := r.dec.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, r.fail(err.Error())
		}
		switch t := tok.(type) {
		case xml.StartElement:
			err = r.start(t)
		case xml.EndElement:
			err = r.end(t)
		case xml.CharData:
			if len(r.open) > 0 {
				r.open[len(r.open)-1].text.Write(t)
			} else if len(bytes.TrimSpace(t)) > 0 {
				err = r.fail("text outside the root element")
			}
		case xml.Directive:
			err = r.fail("DTD not allowed")
		}
		if err != nil {
			return nil, err
		}
	}
	if len(r.open) > 0 {
		return nil, r.fail("element not closed: " + r.open[len(r.open)-1].node.Name)
	}
	if r.root == nil {
		return nil, r.fail("empty document")
	}
	return r.root, nil
}

type reader struct {
	dec   *xml.Decoder
	root  *Node
	open  []*scope
	nodes int
}

// scope is an open element and the namespaces declared on it.
type scope struct {
	node   *Node
	raw    xml.Name
	text   bytes.Buffer
	spaces map[string]string
}

func (r *reader) fail(reason string) error { return &SyntaxError{r.dec.InputOffset(), reason} }

func (r *reader) space(prefix string) (string, bool) {
	for i := len(r.open) - 1; i >= 0; i-- {
		if uri, ok := r.open[i].spaces[prefix]; ok {
			return uri, true
		}
	}
	if prefix == "xml" {
		return "http://www.w3.org/XML/1998/namespace", true
	}
	return "", prefix == ""
}

func (r *reader) start(t xml.StartElement) error {
	if r.root != nil && len(r.open) == 0 {
		return r.fail("more than one root element")
	}
	if len(r.open) >= maxDepth {
		return r.fail("elements nested too deep")
	}
	if r.nodes++; r.nodes > maxNodes || len(t.Attr) > maxAttrs {
		return r.fail("too many elements or attributes")
	}
	s := &scope{node: &Node{Prefix: t.Name.Space, Name: t.Name.Local}, raw: t.Name}
	for _, a := range t.Attr {
		var prefix string
		switch {
		case a.Name.Space == "xmlns":
			prefix = a.Name.Local
		case a.Name.Space != "" || a.Name.Local != "xmlns":
			continue
		}
		if s.spaces == nil {
			s.spaces = map[string]string{}
		}
		s.spaces[prefix] = a.Value
	}
	r.open = append(r.open, s)
	n := s.node
	var ok bool
	if n.Space, ok = r.space(n.Prefix); !ok {
		return r.fail("prefix not declared: " + n.Prefix)
	}
	for _, a := range t.Attr {
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
			continue
		}
		attr := Attr{Name: a.Name.Local, Value: a.Value}
		if a.Name.Space != "" {
			if attr.Space, ok = r.space(a.Name.Space); !ok {
				return r.fail("prefix not declared: " + a.Name.Space)
			}
		}
		for _, other := range n.Attrs {
			if other.Space == attr.Space && other.Name == attr.Name {
				return r.fail("attribute repeated: " + attr.Name)
			}
		}
		n.Attrs = append(n.Attrs, attr)
	}
	if len(r.open) == 1 {
		r.root = n
	} else {
		parent := r.open[len(r.open)-2].node
		parent.Children = append(parent.Children, n)
	}
	return nil
}

func (r *reader) end(t xml.EndElement) error {
	if len(r.open) == 0 || r.open[len(r.open)-1].raw != t.Name {
		return r.fail("closing tag does not match: " + t.Name.Local)
	}
	last := r.open[len(r.open)-1]
	last.node.Text = last.text.String()
	r.open = r.open[:len(r.open)-1]
	return nil
}
