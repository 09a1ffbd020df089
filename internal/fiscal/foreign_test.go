package fiscal_test

import (
	"encoding/xml"
	"fmt"
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

// sameVerdict holds documents against the project's own parser, seal and rules and against the SAT's verifier: both must come
// to the same verdict, but for those where is true says that ours is the right one.
func sameVerdict(t *testing.T, docs map[string][]byte, right func(name, ours, theirs string) bool) {
	t.Helper()
	theirs := fiscaltest.Verdicts(t, docs)
	refused := 0
	for _, name := range slices.Sorted(maps.Keys(docs)) {
		ours := verdict(docs[name])
		if (ours == "") != (theirs[name] == "") && (right == nil || !right(name, ours, theirs[name])) {
			t.Errorf("%s:\nhere:         %q\nthe verifier: %q\n", name, ours, theirs[name])
		}
		if ours != "" {
			refused++
		}
	}
	t.Logf("%d documents, %d refused", len(docs), refused)
}

// verdict is what the project has against a document of anyone, "" for nothing. One without seal needs none.
func verdict(data []byte) string {
	doc, err := fiscal.Parse(data)
	if err != nil {
		return err.Error()
	}
	sealed := doc.Comprobante.Sello != ""
	if vs := doc.Validate(fiscal.Options{Sealed: sealed}).Refusals(); len(vs) > 0 {
		return vs.Error()
	}
	if !sealed {
		return ""
	}
	if err := doc.VerifySello(); err != nil {
		return err.Error()
	}
	if timbre := doc.Comprobante.Timbre(); timbre != nil && timbre.SelloCFD != doc.Comprobante.Sello {
		return "the stamp is another document's"
	}
	return ""
}

// TestForeignDocuments: what other systems write, right and wrong.
func TestForeignDocuments(t *testing.T) {
	sat := fiscaltest.SATDir(t)
	read := func(pattern string) string {
		files, err := filepath.Glob(filepath.Join(sat, "samples", "own", pattern))
		if err != nil || len(files) != 1 {
			t.Fatalf("%s: %v %v", pattern, files, err)
		}
		data, err := os.ReadFile(files[0])
		if err != nil {
			t.Fatal(err)
		}
		root, err := fiscal.ParseNode(data)
		if err != nil {
			t.Fatal(err)
		}
		unseal(root)
		return string(write(root))
	}
	invoice, receipt := read("01*.xml"), read("13*.xml")
	put := func(doc, before, what string) string {
		t.Helper()
		if !strings.Contains(doc, before) {
			t.Fatalf("no %s", before)
		}
		return strings.Replace(doc, before, what+before, 1)
	}
	swap := func(doc, old, fresh string) string {
		t.Helper()
		if !strings.Contains(doc, old) {
			t.Fatalf("no %s in %s", old, doc)
		}
		return strings.Replace(doc, old, fresh, 1)
	}
	related := func(kind string) string {
		return `<cfdi:CfdiRelacionados TipoRelacion="` + kind + `"><cfdi:CfdiRelacionado UUID="5FB2822E-396D-4725-8521-CDC4BDD20CCF"/></cfdi:CfdiRelacionados>`
	}
	concept := func(child string) string { return put(invoice, "</cfdi:Concepto>", child) }
	const (
		terceros = `<cfdi:ACuentaTerceros RfcACuentaTerceros="URE180429TM6" NombreACuentaTerceros="UNIVERSIDAD ROBOTICA ESPAÑOLA" RegimenFiscalACuentaTerceros="601" DomicilioFiscalACuentaTerceros="86991"/>`
		aduana   = `<cfdi:InformacionAduanera NumeroPedimento="15  48  3009  0001234"/>`
		predial  = `<cfdi:CuentaPredial Numero="15956011002"/>`
		parte    = `<cfdi:Parte ClaveProdServ="81112105" Cantidad="1" Descripcion="Parte">` + aduana + `</cfdi:Parte>`
	)
	locales := func(attrs, inside string) string {
		return put(invoice, "</cfdi:Comprobante>", `<cfdi:Complemento><implocal:ImpuestosLocales xmlns:implocal="http://www.sat.gob.mx/implocal" version="1.0" `+attrs+`>`+inside+`</implocal:ImpuestosLocales></cfdi:Complemento>`)
	}
	const cedular = `<implocal:RetencionesLocales ImpLocRetenido="CEDULAR" TasadeRetencion="1.00" Importe="18.48"/>`
	docs := map[string]string{
		"as it is":                   invoice,
		"receipt":                    receipt,
		"byte order mark":            "\ufeff" + invoice,
		"comments":                   put(invoice, "<cfdi:Emisor", "<!-- de otro sistema -->") + "<!-- fin -->\n",
		"processing instruction":     put(invoice, "<cfdi:Emisor", "<?sistema 1?>"),
		"whitespace":                 strings.ReplaceAll(strings.ReplaceAll(invoice, "><", ">\n\t<"), ">\n\t</cfdi:Emisor>", "></cfdi:Emisor>"),
		"whitespace inside":          swap(invoice, "/><cfdi:Receptor", "> </cfdi:Emisor><cfdi:Receptor"),
		"addenda":                    put(invoice, "</cfdi:Comprobante>", `<cfdi:Addenda><a:Pedido xmlns:a="http://pedidos.example/1" n="7"><![CDATA[<libre> & texto]]></a:Pedido></cfdi:Addenda>`),
		"one relation":               put(invoice, "<cfdi:Emisor", related("04")),
		"several relations":          put(invoice, "<cfdi:Emisor", related("04")+related("07")),
		"relation of no kind":        put(invoice, "<cfdi:Emisor", related("99")),
		"relation without uuid":      put(invoice, "<cfdi:Emisor", `<cfdi:CfdiRelacionados TipoRelacion="04"/>`),
		"relation after":             put(invoice, "<cfdi:Receptor", related("04")),
		"third party":                concept(terceros),
		"customs":                    concept(aduana),
		"customs malformed":          concept(`<cfdi:InformacionAduanera NumeroPedimento="15 48 3009 0001234"/>`),
		"land registry":              concept(predial),
		"land registry with a dash":  concept(`<cfdi:CuentaPredial Numero="159-56011002"/>`),
		"all in order":               concept(terceros + aduana + aduana + predial + predial + parte + parte),
		"third party after":          concept(predial + terceros),
		"part before":                concept(parte + predial),
		"third party twice":          concept(terceros + terceros),
		"empty complement":           put(invoice, "</cfdi:Comprobante>", "<cfdi:Complemento/>"),
		"two complements":            put(invoice, "</cfdi:Comprobante>", "<cfdi:Complemento/><cfdi:Complemento/>"),
		"complement of nobody":       put(invoice, "</cfdi:Comprobante>", `<cfdi:Complemento><a xmlns="http://pedidos.example/1"/></cfdi:Complemento>`),
		"local taxes":                swap(locales(`TotaldeRetenciones="18.48" TotaldeTraslados="0"`, cedular), ` Total="2143.68"`, ` Total="2125.20"`),
		"local taxes of three cents": locales(`TotaldeRetenciones="0" TotaldeTraslados="0.003"`, ""),
		"local taxes, not numbers":   locales(`TotaldeRetenciones="nada" TotaldeTraslados="0"`, ""),
		"local taxes, not in total":  locales(`TotaldeRetenciones="18.48" TotaldeTraslados="0"`, cedular),
		"local taxes in any order":   swap(locales(`TotaldeRetenciones="36.96" TotaldeTraslados="18.48"`, cedular+`<implocal:TrasladosLocales ImpLocTrasladado="ISH" TasadeTraslado="1.00" Importe="18.48"/>`+cedular), ` Total="2143.68"`, ` Total="2125.20"`),
		"concept complement empty":   concept(`<cfdi:ComplementoConcepto/>`),
		"character references":       swap(invoice, `Moneda="MXN"`, `Moneda="&#77;&#x58;N"`),
		"unknown attribute":          swap(invoice, `Moneda="MXN"`, `Moneda="MXN" Nuevo="1"`),
		"unknown element":            put(invoice, "<cfdi:Emisor", "<cfdi:Otro/>"),
		"no currency":                swap(invoice, ` Moneda="MXN"`, ""),
		"unknown currency":           swap(invoice, `Moneda="MXN"`, `Moneda="ZZZ"`),
		"unknown entity":             swap(invoice, `Moneda="MXN"`, `Moneda="&mxn;"`),
		"billion laughs":             swap(invoice, "<cfdi:Comprobante", `<!DOCTYPE l [<!ENTITY a "MXN"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]><cfdi:Comprobante`),
		"two issuers":                put(invoice, "<cfdi:Receptor", `<cfdi:Emisor Rfc="EKU9003173C9" Nombre="ESCUELA KEMPER URGATE" RegimenFiscal="601"/>`),
		"order of nodes":             put(invoice, "</cfdi:Comprobante>", related("04")),
		"lower case rfc":             swap(invoice, `Rfc="EKU9003173C9"`, `Rfc="eku9003173c9"`),
		"more decimals":              swap(invoice, `SubTotal="1848.00"`, `SubTotal="1848.000"`),
		"fewer decimals":             swap(invoice, `SubTotal="1848.00"`, `SubTotal="1848"`),
		"negative":                   swap(invoice, `SubTotal="1848.00"`, `SubTotal="-1848.00"`),
		"exponent":                   swap(invoice, `SubTotal="1848.00"`, `SubTotal="1.848E3"`),
		"plus":                       swap(invoice, `SubTotal="1848.00"`, `SubTotal="+1848.00"`),
		"quantity with plus":         swap(invoice, `Cantidad="1"`, `Cantidad="+1"`),
		"quantity with point":        swap(invoice, `Cantidad="1"`, `Cantidad="1."`),
		"quantity with zeros":        swap(invoice, `Cantidad="1"`, `Cantidad="01.0000000"`),
		"quantity with a sixth":      swap(invoice, `Cantidad="1"`, `Cantidad="1.0000001"`),
		"sum off by a cent":          swap(invoice, `SubTotal="1848.00"`, `SubTotal="1848.01"`),
		"other version":              swap(invoice, `Version="4.0"`, `Version="3.3"`),
		"time with zone":             strings.Replace(invoice, ` Fecha="`, ` Fecha="Z`, 1),
		"empty optional":             swap(invoice, `Moneda="MXN"`, `Moneda="MXN" Confirmacion=""`),
		"cut off":                    invoice[:len(invoice)/2],
		"receipt with total":         swap(receipt, ` Total="0"`, ` Total="1"`),
		"receipt with two decimals":  swap(receipt, ` Total="0"`, ` Total="0.00"`),
		"receipt without payments":   swap(swap(receipt, "<pago20:Pago ", "<pago20:Pagoo "), "</pago20:Pago>", "</pago20:Pagoo>"),
		"receipt with payments last": swap(receipt, `<pago20:Totales`, `<pago20:Pago/><pago20:Totales`),
		"receipt with a string":      swap(receipt, ` Monto="`, ` CadPago="||1|2026||" Monto="`),
	}
	if len(docs) < 50 {
		t.Fatal(len(docs))
	}
	raw := map[string][]byte{}
	for name, doc := range docs {
		raw[name] = []byte(doc)
	}
	sameVerdict(t, raw, nil)
	// the verifier takes an Addenda out before it looks; in the schema it is the last
	if got := verdict([]byte(put(invoice, "<cfdi:Emisor", `<cfdi:Addenda><x/></cfdi:Addenda>`))); !strings.Contains(got, "node_order") {
		t.Error(got)
	}
}

// TestForeignSeals: what may become of a sealed document on its way.
func TestForeignSeals(t *testing.T) {
	data := string(fiscaltest.Read(t, "samples", "own", "01-ingreso-pue-iva16.xml"))
	sello := between(data, ` Sello="`, `"`)
	docs := map[string][]byte{}
	for name, pair := range map[string][2]string{
		"as it is":                  {"<cfdi:Emisor", "<cfdi:Emisor"},
		"white space in the seal":   {` Sello="` + sello[:40], ` Sello="` + sello[:40] + "\n  "},
		"white space before":        {` Sello="`, ` Sello="  `},
		"a letter of the seal":      {` Sello="` + sello[:1], ` Sello="` + map[bool]string{true: "B", false: "A"}[sello[0] == 'A']},
		"the seal cut":              {sello, sello[:len(sello)-4]},
		"an empty seal":             {` Sello="` + sello, ` Sello="AAAA`},
		"a letter of a description": {"Hospedaje", "Hospedaja"},
		"another day":               {` Fecha="2026`, ` Fecha="2025`},
		"another certificate":       {` NoCertificado="3`, ` NoCertificado="4`},
		"a certificate with spaces": {` Certificado="`, ` Certificado=" `},
		"no certificate":            {` Certificado="` + between(data, ` Certificado="`, `"`) + `"`, ""},
		"another issuer":            {`Rfc="EKU9003173C9"`, `Rfc="URE180429TM6"`},
		"another stamp":             {` SelloCFD="` + sello[:1], ` SelloCFD="-`},
		"more white space":          {"<cfdi:Emisor", "\n\n<cfdi:Emisor"},
	} {
		if !strings.Contains(data, pair[0]) {
			t.Fatalf("%s: no %s", name, pair[0])
		}
		docs[name] = []byte(strings.Replace(data, pair[0], pair[1], 1))
	}
	sameVerdict(t, docs, func(_, ours, theirs string) bool {
		// the verifier compares the two as they are written; for the schemas the white space around is not there
		return ours == "" && strings.HasSuffix(theirs, "SelloCFD differs from Comprobante Sello")
	})
}

// TestMutatedDocuments spoils each sample in ways that do not depend on what it says.
func TestMutatedDocuments(t *testing.T) {
	each := 25
	if testing.Short() {
		each = 4
	}
	docs := map[string][]byte{}
	for _, file := range fiscaltest.Samples(t) {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := strings.TrimSuffix(filepath.Base(file), ".xml")
		random := rand.New(rand.NewPCG(1, uint64(len(name))<<32|uint64(len(data))))
		for i := range each {
			root, err := fiscal.ParseNode(data)
			if err != nil {
				t.Fatal(err)
			}
			unseal(root)
			kind := mutations[i%len(mutations)]
			what := kind.apply(random, root)
			docs[fmt.Sprintf("%s %02d %s %s", name, i, kind.name, strings.ReplaceAll(what, "/", "-"))] = write(root)
		}
	}
	sameVerdict(t, docs, func(name, ours, theirs string) bool {
		switch {
		case theirs == "" && strings.Contains(ours, "rfc_date_invalid"): // 30 February: the verifier only warns
			return true
		case theirs == "" && strings.Contains(ours, "Complemento/TimbreFiscalDigital@Sello"): // not checked without Sello
			return true
		case ours == "" && strings.Contains(name, "space"): // the schemas collapse it, the verifier's rules read it as it is
			return strings.HasPrefix(theirs, "rules")
		}
		return false
	})
}

// place is a node and where it is.
type place struct {
	node, parent *fiscal.Node
	index        int
}

func places(n *fiscal.Node) []place {
	var all []place
	for i, c := range n.Children {
		if c.Name == "Addenda" {
			continue
		}
		all = append(all, place{c, n, i})
		all = append(all, places(c)...)
	}
	return all
}

type mutation struct {
	name  string
	apply func(*rand.Rand, *fiscal.Node) string
}

var mutations = []mutation{
	{"without attribute", onAttribute(func(_ *rand.Rand, n *fiscal.Node, i int) { n.Attrs = slices.Delete(n.Attrs, i, i+1) })},
	{"swapped", func(r *rand.Rand, root *fiscal.Node) string {
		all := slices.DeleteFunc(places(root), func(p place) bool { return p.index == 0 })
		p := all[r.IntN(len(all))]
		p.parent.Children[p.index-1], p.parent.Children[p.index] = p.node, p.parent.Children[p.index-1]
		return p.node.Name
	}},
	{"repeated", onNode(func(r *rand.Rand, p place) {
		p.parent.Children = slices.Insert(p.parent.Children, p.index, p.node)
	})},
	{"namespace", onNode(func(r *rand.Rand, p place) {
		p.node.Space, p.node.Prefix = "http://www.sat.gob.mx/Pagos20", "pago20"
	})},
	{"decimals", onNumber(func(v string) string {
		if strings.Contains(v, ".") {
			return v + "0000001"
		}
		return v + ".0000001"
	})},
	{"a cent more", onNumber(cent)},
	{"unknown key", onAttribute(func(_ *rand.Rand, n *fiscal.Node, i int) { n.Attrs[i].Value = "ZX" })},
	{"white space", onAttribute(func(_ *rand.Rand, n *fiscal.Node, i int) { n.Attrs[i].Value = " \t" + n.Attrs[i].Value + "\n " })},
	{"without element", onNode(func(_ *rand.Rand, p place) {
		p.parent.Children = slices.Delete(p.parent.Children, p.index, p.index+1)
	})},
	{"text", onNode(func(_ *rand.Rand, p place) { p.node.Text = "texto" })},
	{"unknown attribute", onNode(func(_ *rand.Rand, p place) {
		p.node.Attrs = append(p.node.Attrs, fiscal.Attr{Name: "Otro", Value: "1"})
	})},
	{"empty", onAttribute(func(_ *rand.Rand, n *fiscal.Node, i int) { n.Attrs[i].Value = "" })},
	{"one decimal less", onNumber(func(v string) string { return v[:len(v)-1] })},
	{"space inside", onAttribute(func(_ *rand.Rand, n *fiscal.Node, i int) {
		v := []rune(n.Attrs[i].Value)
		n.Attrs[i].Value = string(v[:len(v)/2]) + " " + string(v[len(v)/2:])
	})},
	{"moved", func(r *rand.Rand, root *fiscal.Node) string {
		all := places(root)
		p := all[r.IntN(len(all))]
		p.parent.Children = slices.Delete(p.parent.Children, p.index, p.index+1)
		root.Children = append(root.Children, p.node)
		return p.node.Name
	}},
	{"negative", onNumber(func(v string) string { return "-" + v })},
	{"plus", onNumber(func(v string) string { return "+" + v })},
	{"zero", onNumber(func(string) string { return "0" })},
	{"key of another", func(r *rand.Rand, root *fiscal.Node) string {
		all := places(root)
		a, b := all[r.IntN(len(all))].node, all[r.IntN(len(all))].node
		if len(a.Attrs) == 0 || len(b.Attrs) == 0 {
			a, b = root, root
		}
		i := r.IntN(len(a.Attrs))
		a.Attrs[i].Value = b.Attrs[r.IntN(len(b.Attrs))].Value
		return a.Name + "@" + a.Attrs[i].Name
	}},
	{"a letter less", onAttribute(func(_ *rand.Rand, n *fiscal.Node, i int) {
		v := []rune(n.Attrs[i].Value)
		n.Attrs[i].Value = string(v[:len(v)-1])
	})},
	{"a letter more", onAttribute(func(_ *rand.Rand, n *fiscal.Node, i int) { n.Attrs[i].Value += "7" })},
	{"lower case", onAttribute(func(_ *rand.Rand, n *fiscal.Node, i int) { n.Attrs[i].Value = strings.ToLower(n.Attrs[i].Value) })},
	{"pipe", onAttribute(func(_ *rand.Rand, n *fiscal.Node, i int) { n.Attrs[i].Value += "|" })},
	{"long", onAttribute(func(_ *rand.Rand, n *fiscal.Node, i int) { n.Attrs[i].Value = strings.Repeat("A", 1001) })},
	{"renamed", onNode(func(_ *rand.Rand, p place) { p.node.Name += "s" })},
}

func onNode(change func(*rand.Rand, place)) func(*rand.Rand, *fiscal.Node) string {
	return func(r *rand.Rand, root *fiscal.Node) string {
		all := places(root)
		p := all[r.IntN(len(all))]
		name := p.node.Name
		change(r, p)
		return name
	}
}

func onAttribute(change func(r *rand.Rand, n *fiscal.Node, i int)) func(*rand.Rand, *fiscal.Node) string {
	return func(r *rand.Rand, root *fiscal.Node) string {
		all := slices.DeleteFunc(places(root), func(p place) bool { return len(p.node.Attrs) == 0 })
		n := root
		if i := r.IntN(len(all) + 2); i < len(all) { // the root has the most
			n = all[i].node
		}
		var own []int
		for i, a := range n.Attrs {
			if a.Space == "" {
				own = append(own, i)
			}
		}
		i := own[r.IntN(len(own))]
		name := n.Name + "@" + n.Attrs[i].Name
		change(r, n, i)
		return name
	}
}

func onNumber(change func(string) string) func(*rand.Rand, *fiscal.Node) string {
	return func(r *rand.Rand, root *fiscal.Node) string {
		type number struct {
			n *fiscal.Node
			i int
		}
		var all []number
		for _, p := range append(places(root), place{node: root}) {
			for i, a := range p.node.Attrs {
				whole, fraction, _ := strings.Cut(a.Value, ".")
				if a.Name != "Version" && strings.Trim(whole+fraction, "0123456789") == "" && (fraction != "" || a.Name == "Cantidad" || a.Name == "Total") {
					all = append(all, number{p.node, i})
				}
			}
		}
		x := all[r.IntN(len(all))]
		x.n.Attrs[x.i].Value = change(x.n.Attrs[x.i].Value)
		return x.n.Name + "@" + x.n.Attrs[x.i].Name
	}
}

// cent adds one to the last digit of a number.
func cent(v string) string {
	digits := []byte(v)
	for i := len(digits) - 1; i >= 0; i-- {
		switch digits[i] {
		case '.':
		case '9':
			digits[i] = '0'
		default:
			digits[i]++
			return string(digits)
		}
	}
	return "1" + string(digits)
}

// unseal takes the seal away, so that what is wrong is not only that it does not match. The stamp stays.
func unseal(root *fiscal.Node) {
	root.Attrs = slices.DeleteFunc(root.Attrs, func(a fiscal.Attr) bool {
		return a.Space == "" && (a.Name == "Sello" || a.Name == "Certificado" || a.Name == "NoCertificado")
	})
}

// write writes elements as they are, right or not.
func write(root *fiscal.Node) []byte {
	var b strings.Builder
	spaces := map[string]string{"http://www.w3.org/2001/XMLSchema-instance": "xsi"}
	var collect func(*fiscal.Node)
	collect = func(n *fiscal.Node) {
		if spaces[n.Space] == "" && n.Space != "" {
			spaces[n.Space] = "n" + fmt.Sprint(len(spaces))
			if n.Prefix != "" {
				spaces[n.Space] = n.Prefix
			}
		}
		for _, c := range n.Children {
			collect(c)
		}
	}
	collect(root)
	var put func(*fiscal.Node)
	put = func(n *fiscal.Node) {
		tag := n.Name
		if p := spaces[n.Space]; p != "" {
			tag = p + ":" + tag
		}
		b.WriteString("<" + tag)
		if n == root {
			for _, space := range slices.Sorted(maps.Keys(spaces)) {
				b.WriteString(" xmlns:" + spaces[space] + `="` + space + `"`)
			}
		}
		for _, a := range n.Attrs {
			name := a.Name
			if p := spaces[a.Space]; p != "" {
				name = p + ":" + name
			}
			b.WriteString(" " + name + `="`)
			_ = xml.EscapeText(&b, []byte(a.Value))
			b.WriteString(`"`)
		}
		if len(n.Children) == 0 && n.Text == "" {
			b.WriteString("/>")
			return
		}
		b.WriteString(">")
		_ = xml.EscapeText(&b, []byte(strings.Trim(n.Text, " \t\r\n")))
		for _, c := range n.Children {
			put(c)
		}
		b.WriteString("</" + tag + ">")
	}
	put(root)
	return []byte(b.String())
}
