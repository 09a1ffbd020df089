package fiscal_test

import (
	"errors"
	"fmt"
	"html"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/internal/fiscal"
	"github.com/nubedigitalmx/avisa/internal/fiscal/fiscaltest"
)

const sheet40 = "4/cadenaoriginal_4_0/cadenaoriginal_4_0.xslt"

func TestCadenaOfSamples(t *testing.T) {
	docs := map[string][]byte{}
	for _, file := range fiscaltest.Samples(t) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		docs[filepath.Base(file)] = data
	}
	for name, want := range fiscaltest.XSLT(t, sheet40, docs) {
		doc, err := fiscal.Parse(docs[name])
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got, err := doc.CadenaOriginal(); err != nil || got != want {
			t.Errorf("%s: %v\n got %s\nwant %s", name, err, got, want)
		}
		if vs := doc.Validate(fiscal.Options{}); vs.Has("unknown_in_schema") {
			t.Errorf("%s: %v", name, vs)
		}
		// the typed form keeps everything that is signed
		if got, err := fiscal.CadenaOriginal(doc.Comprobante.Node()); err != nil || got != want {
			t.Errorf("%s, typed: %v\n got %s\nwant %s", name, err, got, want)
		}
	}
}

func TestCadenaTFDOfSamples(t *testing.T) {
	stamps, want := map[string][]byte{}, map[string]string{}
	for _, file := range fiscaltest.Samples(t) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := fiscal.Parse(data)
		if err != nil {
			t.Fatal(err)
		}
		timbre := doc.Comprobante.Timbre()
		if timbre == nil {
			continue
		}
		start := strings.Index(string(data), "<tfd:TimbreFiscalDigital")
		end := start + strings.Index(string(data[start:]), "/>") + 2
		node := strings.Replace(string(data[start:end]), "<tfd:TimbreFiscalDigital",
			`<tfd:TimbreFiscalDigital xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"`, 1)
		stamps[filepath.Base(file)] = []byte(node)
		want[filepath.Base(file)] = fiscal.CadenaTFD(timbre)
	}
	if len(stamps) < 14 {
		t.Fatalf("only %d stamps in the samples", len(stamps))
	}
	for name, got := range fiscaltest.XSLT(t, "TimbreFiscalDigital/cadenaoriginal_TFD_1_1.xslt", stamps) {
		if got != want[name] {
			t.Errorf("%s:\n got %s\nwant %s", name, want[name], got)
		}
	}
}

// template is what a SAT stylesheet reads of a node: read from the stylesheet itself, not
// from cadena.txt, to compare both.
type template struct {
	attrs    []string
	children []string // qualified names
	matched  bool     // has a template of its own, not only a place in another's
}

func stylesheets(t *testing.T) (map[string]template, map[string]string) {
	t.Helper()
	root := filepath.Join(fiscaltest.SATDir(t), "resources/www.sat.gob.mx/sitio_internet/cfd")
	main := filepath.Join(root, sheet40)
	templates, spaces := map[string]template{}, map[string]string{}
	var load func(file string)
	load = func(file string) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		node, err := fiscal.ParseNode(data)
		if err != nil {
			t.Fatal(file, err)
		}
		for part := range strings.SplitSeq(string(data[:strings.Index(string(data), "<xsl:template")]), "xmlns:") {
			prefix, rest, ok := strings.Cut(part, `="`)
			if uri, _, closed := strings.Cut(rest, `"`); ok && closed && !strings.ContainsAny(prefix, "< ") {
				spaces[prefix] = uri
			}
		}
		for _, n := range node.Children {
			switch n.Name {
			case "include":
				href, _ := n.Attr("href")
				load(filepath.Join(filepath.Dir(main), href))
			case "template":
				match, ok := n.Attr("match")
				if !ok || match == "/" {
					continue
				}
				read(n, match, templates)
				tp := templates[match]
				tp.matched = true
				templates[match] = tp
			}
		}
	}
	load(main)
	return templates, spaces
}

// read notes the paths of a template's body under the node they start at.
func read(n *fiscal.Node, at string, templates map[string]template) {
	for _, c := range n.Children {
		here := at
		if path, ok := c.Attr("select"); ok {
			path = strings.TrimPrefix(strings.TrimPrefix(path, "./"), ".//")
			path = strings.TrimSpace(strings.TrimPrefix(path, "/"))
			for part := range strings.SplitSeq(path, "/") {
				tp := templates[here]
				switch {
				case part == ".", part == "*":
				case strings.HasPrefix(part, "@"):
					tp.attrs = append(tp.attrs, part[1:])
				default:
					tp.children = append(tp.children, part)
				}
				templates[here] = tp
				if strings.Contains(part, ":") {
					here = part
				}
			}
		}
		read(c, here, templates)
	}
}

// invent writes a document of everything the templates know below name, each part present
// with the given probability.
func invent(b *strings.Builder, r *rand.Rand, name string, templates map[string]template, depth int, extra map[string]string) {
	values := []string{"A", "1.50", "  dos  palabras ", "Ñandú & <hijos>", "tab\there", "\n linea \r\n", "", "it's \"q\""}
	b.WriteString("<" + name)
	tp := templates[name]
	attrs := slices.Sorted(slices.Values(tp.attrs))
	for _, a := range slices.Compact(attrs) {
		if r.IntN(5) > 0 {
			fmt.Fprintf(b, ` %s="%s"`, a, html.EscapeString(values[r.IntN(len(values))]))
		}
	}
	b.WriteByte('>')
	children := slices.Sorted(slices.Values(tp.children))
	for _, c := range slices.Compact(children) {
		if depth > 0 {
			for range r.IntN(3) {
				invent(b, r, c, templates, depth-1, nil)
			}
		}
	}
	if len(children) == 0 {
		b.WriteString([]string{"", " texto  suelto ", "x"}[r.IntN(3)])
	}
	b.WriteString(extra[name])
	b.WriteString("</" + name + ">")
}

// TestCadenaOfEveryNode compares cadena.txt with the stylesheets on invented documents that
// have every node and attribute that the stylesheets of CFDI 4.0 read.
func TestCadenaOfEveryNode(t *testing.T) {
	templates, spaces := stylesheets(t)
	if len(templates) < 200 {
		t.Fatalf("only %d templates read", len(templates))
	}
	delete(templates, "cfdi:Complemento")
	delete(templates, "cfdi:ComplementoConcepto")
	r := rand.New(rand.NewPCG(4, 0))
	docs := map[string][]byte{}
	for _, complement := range slices.Sorted(maps.Keys(templates)) {
		if !templates[complement].matched {
			continue
		}
		for i := range 3 {
			var b strings.Builder
			b.WriteString(`<cfdi:Comprobante`)
			for _, p := range slices.Sorted(maps.Keys(spaces)) {
				fmt.Fprintf(&b, ` xmlns:%s="%s"`, p, spaces[p])
			}
			var inner strings.Builder
			if !strings.HasPrefix(complement, "cfdi:") {
				invent(&inner, r, complement, templates, 4, nil)
			}
			var root strings.Builder
			invent(&root, r, "cfdi:Comprobante", templates, 5, map[string]string{
				"cfdi:Comprobante": "<cfdi:Complemento>" + inner.String() + "</cfdi:Complemento>"})
			b.WriteString(strings.TrimPrefix(root.String(), "<cfdi:Comprobante"))
			docs[fmt.Sprintf("%s-%d.xml", strings.ReplaceAll(complement, ":", "_"), i)] = []byte(b.String())
		}
	}
	for name, want := range fiscaltest.XSLT(t, sheet40, docs) {
		node, err := fiscal.ParseNode(docs[name])
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, docs[name])
		}
		if got, err := fiscal.CadenaOriginal(node); err != nil || got != want {
			t.Errorf("%s: %v\n got %s\nwant %s\ndoc %s", name, err, got, want, docs[name])
			return
		}
	}
}

func TestCadenaRefusesUnknownComplement(t *testing.T) {
	doc, err := fiscal.Parse([]byte(`<cfdi:Comprobante xmlns:cfdi="http://www.sat.gob.mx/cfd/4" Version="4.0"><cfdi:Complemento>` +
		`<x:Nuevo xmlns:x="http://www.sat.gob.mx/nuevo"/></cfdi:Complemento></cfdi:Comprobante>`))
	if err != nil {
		t.Fatal(err)
	}
	var unknown *fiscal.UnknownComplementError
	if cadena, err := doc.CadenaOriginal(); !errors.As(err, &unknown) || unknown.Name != "Nuevo" {
		t.Fatalf("%q, %v", cadena, err)
	}
}

func TestCadenaRefusesOtherRoots(t *testing.T) {
	for _, root := range []string{`<a/>`, `<Comprobante xmlns="http://www.sat.gob.mx/cfd/3"/>`} {
		n, err := fiscal.ParseNode([]byte(root))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := fiscal.CadenaOriginal(n); err == nil {
			t.Errorf("%s: no error", root)
		}
	}
}
