package fiscal

import (
	"fmt"
	"reflect"
	"strings"
	"sync"
)

// fieldPlan says where a struct field is in the XML: text fields are attributes, structs
// children; the tag `sat:"Outer>Inner"` wraps a list, `sat:"prefix:Name"` changes the namespace.
type fieldPlan struct {
	index int
	kind  fieldKind
	space string // "" is the parent's
	outer string // wrapper element, or ""
	name  string
}

type fieldKind int

const (
	fieldAttr  fieldKind = iota
	fieldChild           // *struct
	fieldList            // []struct
	fieldRaw             // *Node
	fieldRest            // []*Node: children that no other field takes
)

var (
	nodeType = reflect.TypeFor[*Node]()
	plans    sync.Map // reflect.Type -> []fieldPlan
)

func planOf(t reflect.Type) []fieldPlan {
	if p, ok := plans.Load(t); ok {
		return p.([]fieldPlan)
	}
	var plan []fieldPlan
	for i := range t.NumField() {
		f := t.Field(i)
		p := fieldPlan{index: i, name: f.Name}
		if tag := f.Tag.Get("sat"); tag != "" {
			p.name = tag
		}
		if outer, inner, ok := strings.Cut(p.name, ">"); ok {
			p.outer, p.name = outer, inner
		}
		if prefix, local, ok := strings.Cut(p.name, ":"); ok {
			p.name = local
			for space, known := range prefixes {
				if known == prefix {
					p.space = space
				}
			}
		}
		switch {
		case f.Type.Kind() == reflect.String:
			p.kind = fieldAttr
		case f.Type == nodeType:
			p.kind = fieldRaw
		case f.Type.Kind() == reflect.Pointer:
			p.kind = fieldChild
		case f.Type.Elem() == nodeType:
			p.kind = fieldRest
		default:
			p.kind = fieldList
		}
		plan = append(plan, p)
	}
	plans.Store(t, plan)
	return plan
}

// Node returns the document as elements, ready for [CadenaOriginal] and the writer.
func (c *Comprobante) Node() *Node { return encode(reflect.ValueOf(c).Elem(), nsCFDI, "Comprobante") }

func encode(v reflect.Value, space, name string) *Node {
	n := &Node{Prefix: prefixes[space], Space: space, Name: name}
	for _, p := range planOf(v.Type()) {
		f := v.Field(p.index)
		inner := space
		if p.space != "" {
			inner = p.space
		}
		switch p.kind {
		case fieldAttr:
			if s := f.String(); s != "" {
				n.Attrs = append(n.Attrs, Attr{Name: p.name, Value: s})
			}
		case fieldRaw:
			if c := f.Interface().(*Node); c != nil {
				n.Children = append(n.Children, c)
			}
		case fieldRest:
			n.Children = append(n.Children, f.Interface().([]*Node)...)
		case fieldChild:
			if !f.IsNil() {
				n.Children = append(n.Children, encode(f.Elem(), inner, p.name))
			}
		case fieldList:
			if f.Len() == 0 {
				continue
			}
			parent := n
			if p.outer != "" {
				parent = &Node{Prefix: prefixes[inner], Space: inner, Name: p.outer}
				n.Children = append(n.Children, parent)
			}
			for i := range f.Len() {
				parent.Children = append(parent.Children, encode(f.Index(i), inner, p.name))
			}
		}
	}
	return n
}

// decode fills a typed tree from elements. What the schemas do not have is left out here and refused by the structure.
func decode(n *Node, v reflect.Value) {
	plan := planOf(v.Type())
	for _, a := range n.Attrs {
		for _, p := range plan {
			if a.Space == "" && p.kind == fieldAttr && p.name == a.Name {
				v.Field(p.index).SetString(collapse(a.Value))
			}
		}
	}
	for _, c := range n.Children {
		decodeChild(n, c, plan, v)
	}
}

func decodeChild(parent, c *Node, plan []fieldPlan, v reflect.Value) {
	for _, p := range plan {
		space := parent.Space
		if p.space != "" {
			space = p.space
		}
		f := v.Field(p.index)
		if p.kind == fieldRest {
			f.Set(reflect.Append(f, reflect.ValueOf(c)))
			return
		}
		if p.kind == fieldAttr || c.Space != space || c.Name != p.name && (p.outer == "" || c.Name != p.outer) {
			continue
		}
		switch p.kind {
		case fieldRaw:
			if f.IsNil() {
				f.Set(reflect.ValueOf(c))
			}
		case fieldChild:
			if f.IsNil() {
				f.Set(reflect.New(f.Type().Elem()))
				decode(c, f.Elem())
			}
		case fieldList:
			if p.outer == "" {
				decodeItem(c, f)
				return
			}
			if c.Name != p.outer {
				break
			}
			for _, inner := range c.Children {
				if inner.Space == space && inner.Name == p.name {
					decodeItem(inner, f)
				}
			}
		}
		return
	}
}

func decodeItem(n *Node, list reflect.Value) {
	e := reflect.New(list.Type().Elem()).Elem()
	decode(n, e)
	list.Set(reflect.Append(list, e))
}

// Document is a CFDI as it was read: its bytes, its elements and its typed form.
type Document struct {
	Raw         []byte
	Root        *Node
	Comprobante *Comprobante
}

// Parse reads a CFDI 4.0, sealed or not, stamped or not, ours or not. Errors are
// [*SyntaxError], or "not_a_cfdi" when the root is not a cfdi:Comprobante.
func Parse(data []byte) (*Document, error) {
	root, err := ParseNode(data)
	if err != nil {
		return nil, err
	}
	if root.Space != nsCFDI || root.Name != "Comprobante" {
		return nil, fmt.Errorf("fiscal: 301 not_a_cfdi: root element is %s (%s)", root.Name, root.Space)
	}
	doc := &Document{Raw: data, Root: root, Comprobante: &Comprobante{}}
	decode(root, reflect.ValueOf(doc.Comprobante).Elem())
	return doc, nil
}

// CadenaOriginal returns the text that Sello signs.
func (d *Document) CadenaOriginal() (string, error) { return CadenaOriginal(d.Root) }
