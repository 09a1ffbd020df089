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

//go:embed structure.txt
var structureText string

type attrRule struct {
	name string
	need byte // ! ? ~
	kind string
	size int  // of t, n and d
	plus bool // above zero
}

var structureRules = sync.OnceValue(func() map[string][]attrRule {
	rules := map[string][]attrRule{}
	for line := range strings.Lines(structureText) {
		words := strings.Fields(line)
		if len(words) == 0 || words[0] == "#" {
			continue
		}
		for _, w := range words[1:] {
			i := strings.IndexAny(w, "!?~")
			if i < 0 { // comment lines
				break
			}
			r := attrRule{name: w[:i], need: w[i], kind: w[i+1:]}
			if size := strings.TrimSuffix(r.kind[1:], "+"); digits(size) && size != "" {
				r.size, _ = strconv.Atoi(size)
				r.plus = strings.HasSuffix(r.kind, "+")
				r.kind = r.kind[:1]
			}
			rules[words[0]] = append(rules[words[0]], r)
		}
	}
	return rules
})

var (
	uuidPattern   = regexp.MustCompile(`^[a-fA-F0-9]{8}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{4}-[a-fA-F0-9]{12}$`)
	cuentaPattern = regexp.MustCompile(`^[A-Z0-9_]{10,50}$`)
	parcialidad   = regexp.MustCompile(`^[1-9][0-9]{0,2}$`)
)

// structure checks what the schemas check: attributes that must be there, their form, length
// and catalog. All of it is the SAT's 301.
func (k *checker) structure(n *Node, path string, inConcepto bool) {
	if prefixes[n.Space] == "" {
		return // other complements have their own schemas
	}
	rules := structureRules()[n.Name]
	if special, ok := structureRules()["Concepto/"+n.Name]; ok && inConcepto {
		rules = special
	}
	if inConcepto && n.Name == "Impuestos" {
		rules = nil
	}
	for _, r := range rules {
		value, ok := n.Attr(r.name)
		at := path + "@" + r.name
		if !ok || value == "" {
			if r.need == '!' || r.need == '~' && k.o.Sealed {
				k.fail301("attribute_missing", at, "Falta %s.", "%s is missing.", r.name)
			}
			continue
		}
		k.attribute(r, collapse(value), at)
	}
	counts := map[string]int{}
	for _, c := range n.Children {
		counts[c.Name]++
		at := c.Name
		if path != "" {
			at = path + "/" + c.Name
		}
		if c.Name == "Concepto" || c.Name == "Pago" || c.Name == "DoctoRelacionado" || c.Name == "CfdiRelacionados" {
			at = fmt.Sprintf("%s[%d]", at, counts[c.Name])
		}
		k.structure(c, at, inConcepto || n.Name == "Concepto")
	}
}

func (k *checker) attribute(r attrRule, v, at string) {
	switch checkText(v) {
	case "pipe":
		k.fail301("text_pipe", at, "%s no puede llevar el carácter «|».", `%s cannot contain the character "|".`, r.name)
		return
	case "control_character", "not_utf8":
		k.fail301("text_control_character", at, "%s tiene caracteres que no se permiten.", "%s has characters that are not allowed.", r.name)
		return
	}
	ok := true
	switch r.kind {
	case "t":
		if n := utf8.RuneCountInString(v); n > r.size {
			k.fail301("text_too_long", at, "%s tiene %d caracteres; el máximo es %d.", "%s has %d characters; the maximum is %d.", r.name, n, r.size)
		}
		return
	case "n":
		ok = Num(v).Valid(r.size) && (!r.plus || Num(v).Rat().Sign() > 0)
	case "d":
		ok = len(v) == r.size && digits(v)
	case "fecha":
		_, err := time.Parse(FechaLayout, v)
		ok = err == nil && len(v) == len(FechaLayout)
	case "uuid":
		ok = uuidPattern.MatchString(v)
	case "rfc":
		k.vs = append(k.vs, CheckRfc(v, at)...)
	case "pais":
		ok = pais(v)
	case "cuenta":
		ok = cuentaPattern.MatchString(v)
	case "parcialidad":
		ok = parcialidad.MatchString(v)
	case "base64":
		_, err := base64.StdEncoding.DecodeString(v)
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

func shorten(s string) string {
	if r := []rune(s); len(r) > 60 {
		return string(r[:60]) + "…"
	}
	return s
}

func (k *checker) fail301(code, path, es, en string, args ...any) {
	k.vs = append(k.vs, *refuse(code, "301", path, es, en, args...))
}
