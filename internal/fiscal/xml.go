package fiscal

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// TextError says that a value cannot be written in a CFDI: it has a control character, the
// separator of the cadena original (|), or is not UTF-8.
type TextError struct {
	Path   string // attribute, for example Concepto@Descripcion
	Reason string // pipe, control_character or not_utf8
}

func (e *TextError) Error() string { return "fiscal: 301 " + e.Reason + ": " + e.Path }

// checkText returns the reason why s cannot be an attribute, or "". White space characters
// are allowed: they are collapsed when written.
func checkText(s string) string {
	if !utf8.ValidString(s) {
		return "not_utf8"
	}
	for _, r := range s {
		switch {
		case r == '|':
			return "pipe"
		case r == '\t' || r == '\n' || r == '\r':
		case r < 0x20 || r >= 0x7f && r < 0xa0 || r == 0xfffe || r == 0xffff || r == 0xfffd:
			return "control_character"
		}
	}
	return ""
}

// collapseAll normalises every value of our own document as it will be written, so that the
// cadena original and the XML are made of the same text.
func collapseAll(n *Node) error {
	for i := range n.Attrs {
		a := &n.Attrs[i]
		if reason := checkText(a.Value); reason != "" {
			return &TextError{n.Name + "@" + a.Name, reason}
		}
		a.Value = collapse(a.Value)
	}
	for _, c := range n.Children {
		if prefixes[c.Space] == "" || c.Text != "" {
			return fmt.Errorf("fiscal: unwritable_node: %s (%s)", c.Name, c.Space)
		}
		if err := collapseAll(c); err != nil {
			return err
		}
	}
	return nil
}

// writeXML writes one of our documents: UTF-8 without byte order mark, the fixed prefixes,
// all namespaces but the stamp's declared on the root.
func writeXML(root *Node) []byte {
	var b strings.Builder
	b.Grow(8192)
	b.WriteString(`<?xml version="1.0" encoding="UTF-8"?>` + "\n")
	writeNode(&b, root, true)
	return []byte(b.String())
}

func writeNode(b *strings.Builder, n *Node, root bool) {
	tag := prefixes[n.Space] + ":" + n.Name
	b.WriteString("<" + tag)
	switch {
	case root && n.Space == nsCFDI:
		writeAttr(b, "xmlns:cfdi", nsCFDI)
		schema := schemaCFDI
		if usesSpace(n, nsPagos) {
			writeAttr(b, "xmlns:pago20", nsPagos)
			schema += " " + schemaPagos
		}
		writeAttr(b, "xmlns:xsi", nsXSI)
		writeAttr(b, "xsi:schemaLocation", schema)
	case n.Space == nsTFD && n.Name == "TimbreFiscalDigital":
		writeAttr(b, "xmlns:tfd", nsTFD)
		writeAttr(b, "xmlns:xsi", nsXSI)
		writeAttr(b, "xsi:schemaLocation", schemaTFD)
	}
	for _, a := range n.Attrs {
		writeAttr(b, a.Name, a.Value)
	}
	if len(n.Children) == 0 {
		b.WriteString("/>")
		return
	}
	b.WriteByte('>')
	for _, c := range n.Children {
		writeNode(b, c, false)
	}
	b.WriteString("</" + tag + ">")
}

func usesSpace(n *Node, space string) bool {
	return n.Space == space || slices.ContainsFunc(n.Children, func(c *Node) bool { return usesSpace(c, space) })
}

var escaper = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", `"`, "&quot;")

func writeAttr(b *strings.Builder, name, value string) {
	b.WriteByte(' ')
	b.WriteString(name)
	b.WriteString(`="`)
	_, _ = escaper.WriteString(b, value)
	b.WriteByte('"')
}
