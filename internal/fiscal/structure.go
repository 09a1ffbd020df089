package fiscal

import (
	_ "embed"
	"encoding/base64"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// structure.txt is written from the SAT's schemas by TestStructureIsTheSchemas.
//
//go:embed structure.txt
var structureText string

// elementRule is an element of the schemas: how often it may be there, its attributes, and what may be inside, in order.
type elementRule struct {
	space, name string
	required    bool
	repeats     bool
	unordered   bool // among its brothers and sisters
	attrs       []attrRule
	children    []*elementRule
	any, anyOne bool // elements of other schemas, at least one
	free        bool // whatever there is: the SAT does not look
}

type attrRule struct {
	name     string
	need     byte // ! ? ~
	kind     string
	min, max int  // characters of t and s, decimals of n and d (max), the least value of i (min)
	above    bool // n and d: above zero
	signed   bool // d
	pattern  *regexp.Regexp
	keep     bool // white space counts
}

var structureRules = sync.OnceValue(func() map[name]*elementRule {
	roots := map[name]*elementRule{}
	var open []*elementRule
	for line := range strings.Lines(structureText) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		depth := (len(line) - len(strings.TrimLeft(line, " "))) / 2
		open = open[:depth]
		e := newElementRule(words)
		if depth == 0 {
			prefix, local, _ := strings.Cut(e.name, ":")
			e.name, e.space = local, cadenaRules().spaces[prefix]
			if prefix == "tfd" {
				e.space = nsTFD
			}
			roots[name{e.space, e.name}] = e
		} else {
			parent := open[depth-1]
			e.space = parent.space
			parent.children = append(parent.children, e)
		}
		open = append(open, e)
	}
	return roots
})

func newElementRule(words []string) *elementRule {
	e := &elementRule{name: strings.TrimRight(words[0], "?*+%"), required: true}
	for _, sign := range words[0][len(e.name):] {
		e.required = sign == '+'
		e.repeats = sign != '?'
		e.unordered = sign == '%'
	}
	for _, w := range words[1:] {
		switch w {
		case "...":
			e.any = true
		case "...+":
			e.any, e.anyOne = true, true
		case "free":
			e.free = true
		default:
			e.attrs = append(e.attrs, newAttrRule(w))
		}
	}
	return e
}

func newAttrRule(w string) attrRule {
	i := strings.IndexAny(w, "!?~")
	r := attrRule{name: w[:i], need: w[i], kind: w[i+1:]}
	r.kind, r.keep = strings.CutPrefix(r.kind, "_")
	switch k := r.kind; {
	case k[0] == '/':
		r.kind, r.pattern = "pattern", regexp.MustCompile("^(?:"+strings.Trim(k, "/")+")$")
	case len(k) > 1 && strings.Contains("tsndi", k[:1]) && k[1] >= '0' && k[1] <= '9':
		r.kind, k = k[:1], k[1:]
		k, r.above = strings.CutSuffix(k, "+")
		k, r.signed = strings.CutSuffix(k, "-")
		from, to, _ := strings.Cut(k, "-")
		r.min, _ = strconv.Atoi(from)
		if r.max, _ = strconv.Atoi(to); to == "" {
			r.max = r.min
		}
	}
	return r
}

var (
	uuidPattern    = regexp.MustCompile(`^[a-fA-F0-9]{8}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{12}$`)
	decimalPattern = regexp.MustCompile(`^([+-]?)(?:[0-9]+(?:\.([0-9]*))?|\.([0-9]+))$`)
)

// structure checks what the schemas check: which elements and attributes there are, how often and in which order, and
// the form, length and catalog of each value. All of it is the SAT's 301.
func (k *checker) structure(root *Node) {
	if rule := structureRules()[name{root.Space, root.Name}]; rule != nil {
		k.element(root, rule, "")
	}
}

func (k *checker) element(n *Node, rule *elementRule, path string) {
	if rule.free {
		return
	}
	k.attributes(n, rule, path)
	inside := path
	if inside != "" {
		inside += "/"
	}
	// what has nothing inside has no white space either
	if text := n.Text; strings.Trim(text, " \t\r\n") != "" || text != "" && len(rule.children) == 0 && !rule.any {
		k.fail301("text_not_allowed", path, "«%s» tiene texto que no debe llevar.", "%q has text that must not be there.", n.Name)
	}
	if rule.any {
		k.complements(n, rule, inside)
		return
	}
	counts, next := map[*elementRule]int{}, 0
	for _, c := range n.Children {
		i := 0
		for i < len(rule.children) && (rule.children[i].name != c.Name || rule.children[i].space != c.Space) {
			i++
		}
		at := inside + c.Name
		if i == len(rule.children) {
			k.unknown(at)
			continue
		}
		inner := rule.children[i]
		counts[inner]++
		switch {
		case counts[inner] > 1 && !inner.repeats:
			k.fail301("node_repeated", at, "«%s» está repetido.", "%q is repeated.", c.Name)
			continue
		case i < next && !inner.unordered:
			k.fail301("node_order", at, "«%s» no está en su lugar: va antes de «%s».", "%q is out of place: it goes before %q.", c.Name, rule.children[next].name)
		}
		next = max(next, i)
		if inner.repeats {
			at = fmt.Sprintf("%s[%d]", at, counts[inner])
		}
		k.element(c, inner, at)
	}
	for _, inner := range rule.children {
		if inner.required && counts[inner] == 0 {
			k.fail301("node_missing", inside+inner.name, "Falta «%s».", "%q is missing.", inner.name)
		}
	}
}

// complements are elements of other schemas: those that are read here are checked, others of the SAT have their own.
func (k *checker) complements(n *Node, rule *elementRule, inside string) {
	if rule.anyOne && len(n.Children) == 0 {
		k.fail301("node_missing", strings.TrimSuffix(inside, "/"), "«%s» está vacío.", "%q is empty.", n.Name)
	}
	seen := map[*elementRule]bool{}
	for _, c := range n.Children {
		switch inner := structureRules()[name{c.Space, c.Name}]; {
		case inner != nil && seen[inner]:
			k.fail301("node_repeated", inside+c.Name, "«%s» está repetido.", "%q is repeated.", c.Name)
		case inner != nil:
			seen[inner] = true
			k.element(c, inner, inside+c.Name)
		case c.Space == nsCFDI || c.Space == nsPagos || c.Space == nsTFD || !k.satSpace(c.Space):
			k.unknown(inside + c.Name)
		}
	}
}

// satSpace reports whether the SAT has a complement of that namespace.
func (k *checker) satSpace(space string) bool {
	for _, known := range cadenaRules().spaces {
		if known == space {
			return true
		}
	}
	return false
}

func (k *checker) unknown(path string) {
	k.fail301("unknown_in_schema", path, "«%s» no existe en el CFDI 4.0.", "%q does not exist in CFDI 4.0.", path)
}

// schemaAttrs are the attributes that a schema allows on every element.
var schemaAttrs = map[string]bool{"schemaLocation": true, "noNamespaceSchemaLocation": true}

func (k *checker) attributes(n *Node, rule *elementRule, path string) {
	for _, r := range rule.attrs {
		value, ok := n.Attr(r.name)
		at := path + "@" + r.name
		if !r.keep {
			value = collapse(value)
		}
		switch {
		case ok && value != "":
			k.attribute(r, value, at)
		case r.need == '!' || r.need == '~' && k.o.Sealed:
			k.fail301("attribute_missing", at, "Falta %s.", "%s is missing.", r.name)
		case ok && r.need == '?':
			k.fail301("attribute_invalid", at, "%s está vacío: o lleva un valor, o no va.", "%s is empty: it has a value, or is not there.", r.name)
		}
	}
attrs:
	for _, a := range n.Attrs {
		if a.Space == nsXSI && schemaAttrs[a.Name] {
			continue
		}
		for _, r := range rule.attrs {
			if a.Space == "" && r.name == a.Name {
				continue attrs
			}
		}
		k.unknown(path + "@" + a.Name)
	}
}

func (k *checker) attribute(r attrRule, v, at string) {
	check := v
	if r.kind == "s" || r.kind == "pattern" { // whose characters the schema names
		check = strings.ReplaceAll(v, "|", "")
	}
	switch checkText(check) {
	case "pipe":
		k.fail301("text_pipe", at, "%s no puede llevar el carácter «|».", `%s cannot contain the character "|".`, r.name)
		return
	case "control_character", "not_utf8":
		k.fail301("text_control_character", at, "%s tiene caracteres que no se permiten.", "%s has characters that are not allowed.", r.name)
		return
	}
	ok := true
	switch r.kind {
	case "t", "s":
		n := utf8.RuneCountInString(v)
		if n > r.max {
			k.fail301("text_too_long", at, "%s tiene %d caracteres; el máximo es %d.", "%s has %d characters; the maximum is %d.", r.name, n, r.max)
			return
		}
		ok = n >= r.min
	case "n":
		ok = Num(v).Valid(r.max) && (!r.above || Num(v).Rat().Sign() > 0)
	case "d":
		ok = r.decimal(v)
	case "i":
		n, err := strconv.ParseInt(v, 10, 16)
		ok = err == nil && int(n) >= r.min
	case "pattern":
		ok = r.pattern.MatchString(v)
	case "fecha":
		_, err := time.Parse(FechaLayout, v)
		ok = err == nil && len(v) == len(FechaLayout) && v >= "2010"
	case "rfc":
		k.vs = append(k.vs, CheckRfc(v, at)...)
	case "base64":
		_, err := base64.StdEncoding.DecodeString(strings.ReplaceAll(v, " ", ""))
		ok = err == nil
	default:
		if want, fixed := strings.CutPrefix(r.kind, "="); fixed {
			ok = v == want
		} else if !k.cat.Has(r.kind, v, k.c.Fecha) {
			k.fail301("catalog_key_unknown", at, "«%s» no está en el catálogo %s del SAT (o no está vigente).", "%q is not in the SAT's catalog %s (or not in force).", v, r.kind)
			return
		}
	}
	if !ok {
		k.fail301("attribute_invalid", at, "%s tiene un valor no válido: «%s».", "%s has an invalid value: %q.", r.name, shorten(v))
	}
}

// decimal is xs:decimal: a sign and a point at either end are allowed, and zeros at the end do not count.
func (r attrRule) decimal(v string) bool {
	parts := decimalPattern.FindStringSubmatch(v)
	if parts == nil || parts[1] == "-" && !r.signed || len(v) > 40 {
		return false
	}
	return len(strings.TrimRight(parts[2]+parts[3], "0")) <= r.max && (!r.above || Num(v).Rat().Sign() > 0)
}

func shorten(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

func (k *checker) fail301(code, path, es, en string, args ...any) {
	k.vs = append(k.vs, *refuse(code, "301", path, es, en, args...))
}
