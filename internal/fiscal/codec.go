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

// decoder fills a typed tree from elements and notes what the schema does not have.
type decoder struct{ unknown []string }

func (d *decoder) note(path, what string) { d.unknown = append(d.unknown, path+what) }

func (d *decoder) decode(n *Node, v reflect.Value, path string) {
	plan := planOf(v.Type())
attrs:
	for _, a := range n.Attrs {
		if a.Space != "" {
			if a.Space != nsXSI {
				d.note(path, "@"+a.Name)
			}
			continue
		}
		for _, p := range plan {
			if p.kind == fieldAttr && p.name == a.Name {
				v.Field(p.index).SetString(collapse(a.Value))
				continue attrs
			}
		}
		d.note(path, "@"+a.Name)
	}
	for _, c := range n.Children {
		d.child(n, c, plan, v, path)
	}
}

func (d *decoder) child(parent, c *Node, plan []fieldPlan, v reflect.Value, path string) {
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
		at := path + c.Name
		switch p.kind {
		case fieldRaw, fieldChild:
			if !f.IsNil() {
				d.note(at, " (repetido)")
				return
			}
			if p.kind == fieldRaw {
				f.Set(reflect.ValueOf(c))
				return
			}
			f.Set(reflect.New(f.Type().Elem()))
			d.decode(c, f.Elem(), at+"/")
		case fieldList:
			if p.outer == "" {
				d.item(c, f, at)
				return
			}
			if c.Name != p.outer {
				break
			}
			for _, inner := range c.Children {
				if inner.Space == space && inner.Name == p.name {
					d.item(inner, f, at+"/"+p.name)
				} else {
					d.note(at, "/"+inner.Name)
				}
			}
		}
		return
	}
	d.note(path, c.Name)
}

func (d *decoder) item(n *Node, list reflect.Value, path string) {
	e := reflect.New(list.Type().Elem()).Elem()
	d.decode(n, e, fmt.Sprintf("%s[%d]/", path, list.Len()+1))
	list.Set(reflect.Append(list, e))
}

// Document is a CFDI as it was read: its bytes, its elements and its typed form.
type Document struct {
	Raw         []byte
	Root        *Node
	Comprobante *Comprobante
	// Unknown lists elements and attributes that CFDI 4.0 does not have, as paths.
	Unknown []string
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
	var d decoder
	d.decode(root, reflect.ValueOf(doc.Comprobante).Elem(), "")
	doc.Unknown = d.unknown
	return doc, nil
}

// CadenaOriginal returns the text that Sello signs.
func (d *Document) CadenaOriginal() (string, error) { return CadenaOriginal(d.Root) }
