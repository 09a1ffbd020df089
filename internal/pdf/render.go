package pdf

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// Render writes doc as a PDF file. Errors are [ErrLogo], [ErrColor], a text too long for a
// QR code, or those of w.
func Render(w io.Writer, doc Document) error {
	shared := faces()
	c := &canvas{faces: shared}
	for i, f := range shared {
		c.subsets[i] = f.latin
	}
	l, err := newLayout(c, &doc)
	if err != nil {
		return err
	}
	if err := l.draw(); err != nil {
		return err
	}
	if extended := c.extendSubsets(); extended { // rare: letters beyond Windows-1252
		if err := l.draw(); err != nil {
			return err
		}
	}
	_, err = l.assemble().WriteTo(w)
	return err
}

// extendSubsets makes own subsets for the characters that drawing found missing.
func (c *canvas) extendSubsets() bool {
	extended := false
	for i, missing := range c.missing {
		if len(missing) == 0 {
			continue
		}
		runes := latinRunes()
		for r := range missing {
			runes = append(runes, r)
		}
		c.subsets[i], extended = c.faces[i].newSubset(runes, deflate), true
	}
	return extended
}

// assemble puts the drawn pages into a file.
func (l *layout) assemble() *file {
	out := newFile()
	catalog, pages, info := out.reserve(), out.reserve(), out.reserve()

	var resources strings.Builder
	resources.WriteString("<</Font<<")
	for i, f := range l.c.faces {
		fmt.Fprintf(&resources, "/F%d %d 0 R", i, f.embed(out, l.c.subsets[i]))
	}
	resources.WriteString(">>/ExtGState<</Veil<</ca 0.12>>/Full<</ca 1>>>>")
	if l.logo != nil {
		fmt.Fprintf(&resources, "/XObject<</Logo %d 0 R>>", l.logo.embed(out))
	}
	resources.WriteString(">>")
	shared := out.add("%s", resources.String())

	var kids strings.Builder
	for i, content := range l.c.pages {
		stream := out.compressed("", content)
		var links strings.Builder
		for _, link := range l.links {
			if link.page == i {
				fmt.Fprintf(&links, "%d 0 R ", out.add("<</Type/Annot/Subtype/Link/Border[0 0 0]/F 4/Rect[%.2f %.2f %.2f %.2f]/Contents%s/A<</S/URI/URI(%s)>>>>",
					link.x, pageHeight-link.y-link.h, link.x+link.w, pageHeight-link.y, textString(link.text), uriString(link.url)))
			}
		}
		fmt.Fprintf(&kids, "%d 0 R ", out.add("<</Type/Page/Parent %d 0 R/MediaBox[0 0 %g %g]/Resources %d 0 R/Contents %d 0 R/Annots[%s]/Group<</S/Transparency/CS/DeviceRGB>>>>",
			pages, pageWidth, pageHeight, shared, stream, links.String()))
	}
	out.write(pages, "<</Type/Pages/Kids[%s]/Count %d>>", kids.String(), len(l.c.pages))

	names, associated := attach(out, l.doc.Attachments)
	title := l.title()
	metadata := out.stream(out.reserve(), "/Type/Metadata/Subtype/XML", xmp(l.doc, title))
	out.write(catalog, "<</Type/Catalog/Pages %d 0 R/Lang%s/ViewerPreferences<</DisplayDocTitle true>>/Metadata %d 0 R%s%s>>",
		pages, textString(l.doc.Language), metadata, names, associated)
	dates := ""
	if !l.doc.Created.IsZero() {
		dates = "/CreationDate" + dateString(l.doc.Created) + "/ModDate" + dateString(l.doc.Created)
	}
	out.write(info, "<</Title%s/Author%s/Creator(Avisa)/Producer(Avisa)%s>>", textString(title), textString(clean(l.doc.Issuer.Name)), dates)
	out.finish(catalog, info)
	return out
}

// attach stores the attachments and returns the entries of the catalog that name them.
func attach(out *file, attachments []Attachment) (names, associated string) {
	if len(attachments) == 0 {
		return "", ""
	}
	var tree, refs strings.Builder
	for i, a := range attachments {
		subtype := ""
		if a.MediaType != "" {
			subtype = "/Subtype/" + nameObject(a.MediaType)
		}
		data := out.compressed(fmt.Sprintf("/Type/EmbeddedFile%s/Params<</Size %d>>", subtype, len(a.Data)), a.Data)
		spec := out.add("<</Type/Filespec/F%s/UF%s/Desc%s/AFRelationship/Source/EF<</F %d 0 R/UF %d 0 R>>>>",
			textString(a.Name), textString(a.Name), textString(a.Description), data, data)
		fmt.Fprintf(&tree, "<%08X>%d 0 R ", i, spec)
		fmt.Fprintf(&refs, "%d 0 R ", spec)
	}
	return "/Names<</EmbeddedFiles<</Names[" + tree.String() + "]>>>>", "/AF[" + refs.String() + "]"
}

// nameObject escapes a name (without its slash).
func nameObject(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c > ' ' && c < 0x7f && !strings.ContainsRune("#/()<>[]{}%", rune(c)) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "#%02X", c)
		}
	}
	return b.String()
}

// uriString percent-encodes what a literal string or a URI cannot hold.
func uriString(s string) string {
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c > ' ' && c < 0x7f && !strings.ContainsRune(`()\<>"`, rune(c)) {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, "%%%02X", c)
		}
	}
	return b.String()
}

// xmp is the metadata packet: title, author, language and dates (ISO 16684-1).
func xmp(doc *Document, title string) []byte {
	escape := func(s string) string {
		var b strings.Builder
		_ = xml.EscapeText(&b, []byte(s)) // a strings.Builder does not fail
		return b.String()
	}
	dates := ""
	if !doc.Created.IsZero() {
		created := doc.Created.UTC().Format(time.RFC3339)
		dates = "<xmp:CreateDate>" + created + "</xmp:CreateDate><xmp:ModifyDate>" + created + "</xmp:ModifyDate>"
	}
	return []byte("<?xpacket begin=\"\ufeff\" id=\"W5M0MpCehiHzreSzNTczkc9d\"?>" +
		`<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">` +
		`<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:pdf="http://ns.adobe.com/pdf/1.3/">` +
		`<dc:title><rdf:Alt><rdf:li xml:lang="x-default">` + escape(title) + `</rdf:li></rdf:Alt></dc:title>` +
		`<dc:creator><rdf:Seq><rdf:li>` + escape(clean(doc.Issuer.Name)) + `</rdf:li></rdf:Seq></dc:creator>` +
		`<dc:language><rdf:Bag><rdf:li>` + escape(doc.Language) + `</rdf:li></rdf:Bag></dc:language>` +
		`<xmp:CreatorTool>Avisa</xmp:CreatorTool><pdf:Producer>Avisa</pdf:Producer>` + dates +
		`</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>`)
}
