package fiscal

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"
)

//go:embed cadena.txt
var cadenaText string

// UnknownComplementError says that the cadena original of a document cannot be made,
// because the order of one of its complements is not known here. Guessing would give a
// wrong cadena and a false "the seal does not match".
type UnknownComplementError struct{ Space, Name string }

func (e *UnknownComplementError) Error() string {
	return fmt.Sprintf("fiscal: unknown_complement: %s (%s)", e.Name, e.Space)
}

// CadenaOriginal returns the cadena original 4.0 of a Comprobante, as the SAT's stylesheet
// cadenaoriginal_4_0 does: it is the text that Sello signs.
func CadenaOriginal(comprobante *Node) (string, error) {
	if comprobante.Space != nsCFDI || comprobante.Name != "Comprobante" {
		return "", fmt.Errorf("fiscal: not_a_cfdi: root element is %s (%s)", comprobante.Name, comprobante.Space)
	}
	w := cadenaWriter{rules: cadenaRules()}
	w.b.Grow(2048)
	w.b.WriteByte('|')
	if err := w.apply(comprobante); err != nil {
		return "", err
	}
	w.b.WriteString("||")
	return w.b.String(), nil
}

// CadenaTFD returns the cadena original of a TimbreFiscalDigital 1.1: what SelloSAT signs.
func CadenaTFD(t *TimbreFiscalDigital) string {
	slots := []string{t.Version, t.UUID, t.FechaTimbrado, t.RfcProvCertif}
	if t.Leyenda != "" {
		slots = append(slots, t.Leyenda)
	}
	slots = append(slots, t.SelloCFD, t.NoCertificadoSAT)
	for i := range slots {
		slots[i] = collapse(slots[i])
	}
	return "||" + strings.Join(slots, "|") + "||"
}

// name is an element name, and name{"", "*"} any element.
type name struct{ space, local string }

// step is one item of a line of cadena.txt.
type step struct {
	kind     stepKind
	attr     string // kindAttr, kindIf
	optional bool
	value    string // kindIf
	path     []name
	deep     bool   // .//path
	inner    []step // kindEach, kindIf
}

type stepKind int

const (
	kindAttr stepKind = iota
	kindText
	kindApply
	kindEach
	kindIf
	kindComplements
)

type ruleSet struct {
	lines  map[name][]step
	spaces map[string]string
}

var cadenaRules = sync.OnceValue(func() ruleSet {
	r := ruleSet{lines: map[name][]step{}, spaces: map[string]string{}}
	for line := range strings.Lines(cadenaText) {
		words := strings.Fields(line)
		switch {
		case len(words) == 0 || words[0][0] == '#':
		case words[0] == "ns":
			r.spaces[words[1]] = words[2]
		default:
			rest := words[1:]
			r.lines[r.name(words[0])] = r.parse(&rest)
		}
	}
	return r
})

func (r ruleSet) name(s string) name {
	prefix, local, _ := strings.Cut(s, ":")
	space, ok := r.spaces[prefix]
	if !ok {
		panic("cadena.txt: no namespace for " + s)
	}
	return name{space, local}
}

func (r ruleSet) path(s string) []name {
	if s == "." {
		return nil
	}
	var p []name
	for part := range strings.SplitSeq(s, "/") {
		p = append(p, r.name(part))
	}
	return p
}

// parse consumes words up to the end of the line or the closing parenthesis.
func (r ruleSet) parse(words *[]string) []step {
	var steps []step
	for len(*words) > 0 {
		w := (*words)[0]
		*words = (*words)[1:]
		if w == ")" {
			break
		}
		opens := strings.HasSuffix(w, "(")
		w = strings.TrimSuffix(w, "(")
		w, optional := strings.CutSuffix(w, "?")
		s := step{optional: optional}
		switch {
		case w == "*":
			s.kind = kindComplements
		case w[0] == '@':
			s.attr = w[1:]
		case w[0] == '=':
			s.kind, s.path = kindText, r.path(w[1:])
		case w[0] == '?':
			s.kind = kindIf
			s.attr, s.value, _ = strings.Cut(w[2:], "=")
		default:
			w, s.deep = strings.CutPrefix(w, ".//")
			s.kind, s.path = kindApply, r.path(w)
			if opens {
				s.kind = kindEach
			}
		}
		if opens {
			s.inner = r.parse(words)
		}
		steps = append(steps, s)
	}
	return steps
}

type cadenaWriter struct {
	rules ruleSet
	b     strings.Builder
}

// apply writes n by its line. A node of a known complement without a line contributes its
// text, as the stylesheet's built-in rule does.
func (w *cadenaWriter) apply(n *Node) error {
	if steps, ok := w.rules.lines[name{n.Space, n.Name}]; ok {
		return w.run(n, steps)
	}
	w.b.WriteString(n.Text)
	for _, c := range n.Children {
		if err := w.apply(c); err != nil {
			return err
		}
	}
	return nil
}

func (w *cadenaWriter) run(n *Node, steps []step) error {
	for i := range steps {
		s := &steps[i]
		var err error
		switch s.kind {
		case kindAttr:
			if v, ok := n.Attr(s.attr); ok || !s.optional {
				w.slot(v)
			}
		case kindText:
			found := n
			if s.path != nil {
				found = nil
				_ = n.at(s.path, func(c *Node) error {
					if found == nil {
						found = c
					}
					return nil
				})
			}
			if found != nil {
				w.slot(found.innerText())
			} else if !s.optional {
				w.slot("")
			}
		case kindIf:
			if v, ok := n.Attr(s.attr); ok && v == s.value {
				err = w.run(n, s.inner)
			}
		case kindEach:
			err = n.at(s.path, func(c *Node) error { return w.run(c, s.inner) })
		case kindApply:
			if s.deep {
				err = n.deep(s.path[0], w.apply)
			} else {
				err = n.at(s.path, w.apply)
			}
		case kindComplements:
			for _, c := range n.Children {
				_, known := w.rules.lines[name{c.Space, c.Name}]
				if !known && c.Space != nsTFD {
					return &UnknownComplementError{c.Space, c.Name}
				}
				if err = w.apply(c); err != nil {
					break
				}
			}
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *cadenaWriter) slot(v string) {
	w.b.WriteByte('|')
	w.b.WriteString(collapse(v))
}

// at calls visit for the nodes at path, in document order.
func (n *Node) at(path []name, visit func(*Node) error) error {
	if len(path) == 0 {
		return visit(n)
	}
	for _, c := range n.Children {
		if c.Space == path[0].space && c.Name == path[0].local {
			if err := c.at(path[1:], visit); err != nil {
				return err
			}
		}
	}
	return nil
}

// deep calls visit for the descendants of that name, in document order.
func (n *Node) deep(want name, visit func(*Node) error) error {
	for _, c := range n.Children {
		if c.Space == want.space && c.Name == want.local {
			if err := visit(c); err != nil {
				return err
			}
		}
		if err := c.deep(want, visit); err != nil {
			return err
		}
	}
	return nil
}
