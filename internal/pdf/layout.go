package pdf

import (
	"fmt"
	"strings"
)

// Margins and the quiet palette around the brand colour.
const (
	marginX    = 54.0
	marginTop  = 46.0
	footerTop  = pageHeight - 42.0
	bottom     = footerTop - 12.0
	rightEdge  = pageWidth - marginX
	innerWidth = pageWidth - 2*marginX
)

var (
	ink   = rgb{0x11, 0x18, 0x27}
	muted = rgb{0x5b, 0x64, 0x73}
	hair  = rgb{0xe3, 0xe6, 0xea}
	panel = rgb{0xf6, 0xf7, 0xf9}
	white = rgb{0xff, 0xff, 0xff}

	statusColors = map[Status]rgb{
		Draft: muted, Open: {0x92, 0x5a, 0x06}, Paid: {0x12, 0x72, 0x42}, Overdue: {0xb4, 0x23, 0x18}, Cancelled: {0xb4, 0x23, 0x18},
	}
	amber = rgb{0x92, 0x5a, 0x06}
)

// Type sizes of the layout.
var (
	body   = font{regular, 9}
	strong = font{bold, 9}
	small  = font{regular, 7.5}
	label  = font{bold, 6.8}
)

// layout draws one document from top to bottom.
type layout struct {
	c      *canvas
	doc    *Document
	words  words
	brand  rgb // for surfaces
	accent rgb // the brand colour, or ink where the brand colour is too light for text
	logo   *picture
	dense  bool // less white space, to save a page
	y      float64
	links  []link
	qr     [][]bool
}

type link struct {
	page       int
	x, y, w, h float64
	text, url  string
}

func newLayout(c *canvas, doc *Document) (*layout, error) {
	if doc.Language == "" {
		doc.Language = "es-MX"
	}
	l := &layout{c: c, doc: doc, words: languages[strings.HasPrefix(strings.ToLower(doc.Language), "en")]}
	var err error
	if l.brand, err = parseColor(doc.Issuer.Color); err != nil {
		return nil, err
	}
	l.accent = l.brand
	if l.brand.luminance() > 0.18 { // less than 4.5 : 1 on white
		l.accent = ink
	}
	if len(doc.Issuer.Logo) > 0 {
		if l.logo, err = loadPicture(doc.Issuer.Logo); err != nil {
			return nil, err
		}
	}
	return l, nil
}

// title names the document in metadata and on following pages.
func (l *layout) title() string {
	return strings.Join(strings.Fields(clean(l.doc.Title+" "+l.doc.Number)), " ")
}

// manyRows is where a list is dense from the start.
const manyRows = 16

// draw lays the document out with generous space; when that takes more than a page it tries
// again with less, and keeps the result that saves a page.
func (l *layout) draw() error {
	l.dense = len(l.doc.Table.Rows) > manyRows
	if err := l.drawPages(); err != nil || l.dense || len(l.c.pages) == 1 {
		return err
	}
	pages, links := l.c.pages, l.links
	l.dense = true
	err := l.drawPages()
	if len(l.c.pages) >= len(pages) {
		l.c.pages, l.links = pages, links
	}
	return err
}

// space is white space of v points, or less where the layout is dense.
func (l *layout) space(v float64) float64 {
	if l.dense {
		return v * 0.62
	}
	return v
}

func (l *layout) drawPages() error {
	l.c.pages, l.links = nil, nil
	l.c.addPage()
	l.y = marginTop
	l.header()
	l.parties()
	l.headline()
	l.table(l.doc.Table)
	l.totals()
	l.notes()
	l.payment()
	if l.doc.Fiscal != nil {
		if err := l.fiscal(l.doc.Fiscal); err != nil {
			return err
		}
	}
	for i := range l.c.pages {
		l.c.open(i)
		l.footer(i+1, len(l.c.pages))
		l.watermark()
		if l.doc.Sandbox {
			l.c.roundRect(marginX, 16, innerWidth, 16, 3, amber.tint(0.12))
			l.c.text(pageWidth/2, 26.8, font{bold, 7.5}, amber, center, l.words.sandbox)
		}
	}
	return nil
}

// room starts a new page unless height points are left on this one, and reports whether it did.
func (l *layout) room(height float64) bool {
	if l.y+height <= bottom {
		return false
	}
	l.c.addPage()
	l.y = marginTop
	l.c.text(marginX, l.y, small, muted, left, l.fit(small, l.doc.Issuer.Name, innerWidth*0.55))
	l.c.text(rightEdge, l.y, small, muted, right, l.fit(small, l.title(), innerWidth*0.4))
	l.c.line(marginX, l.y+8, 0.6, hair)
	l.y += 30
	return true
}

// fit shortens a text to one line of at most width points.
func (l *layout) fit(f font, s string, width float64) string {
	s = strings.Join(strings.Fields(clean(s)), " ")
	if l.c.width(f, s) <= width {
		return s
	}
	runes := []rune(s)
	used, limit := l.c.width(f, "…"), width
	for i, r := range runes {
		if used += l.c.width(f, string(r)); used > limit {
			return strings.TrimRight(string(runes[:i]), " ") + "…"
		}
	}
	return s
}

// paragraph writes lines below y and moves down, over pages where it must.
func (l *layout) paragraph(x float64, f font, fill rgb, leading float64, lines []string) {
	for _, s := range lines {
		l.room(leading)
		l.c.text(x, l.y+f.size, f, fill, left, s)
		l.y += leading
	}
}

// clip keeps the first n lines and marks that there were more. It bounds the blocks that
// stand side by side, so that the two sides always end on the same page.
func clip(lines []string, n int) []string {
	if len(lines) <= n {
		return lines
	}
	lines = lines[:n]
	lines[n-1] += "…"
	return lines
}

// flow wraps several texts into one list of at most n lines.
func (l *layout) flow(f font, texts []string, width float64, n int) []string {
	var lines []string
	for _, s := range texts {
		lines = append(lines, l.c.wrap(f, s, width)...)
		if len(lines) > n {
			break
		}
	}
	return clip(lines, n)
}

// caption writes a label in small capitals at the left margin with its baseline at y.
func (l *layout) caption(y float64, s string) {
	l.c.spaced(marginX, y, label, muted, 0.5, l.fit(label, strings.ToUpper(s), innerWidth*0.8))
}

// header: who sends it on the left, what it is on the right.
func (l *layout) header() {
	top := l.y
	l.c.rect(0, 0, pageWidth, 5, l.brand)
	const column = innerWidth * 0.54
	l.y = top
	issuer := font{bold, 15}
	if l.logo != nil {
		h := min(40, 170*float64(l.logo.height)/float64(l.logo.width))
		w := h * float64(l.logo.width) / float64(l.logo.height)
		l.c.emit("q")
		l.c.emit("cm", w, 0, 0, h, marginX, pageHeight-l.y-h)
		l.c.pages[l.c.page] = append(l.c.pages[l.c.page], "/Logo Do Q\n"...)
		l.y += h + 10
		issuer = strong
	}
	l.paragraph(marginX, issuer, ink, issuer.size*1.28, clip(l.c.wrap(issuer, l.doc.Issuer.Name, column), 8))
	l.y += 2
	address := font{regular, 8.2}
	l.paragraph(marginX, address, muted, 11.6, l.flow(address, l.doc.Issuer.Lines, column, 10))
	leftEnd := l.y

	y := top + 19
	titleFont := font{bold, 23}
	for titleFont.size > 12 && l.c.width(titleFont, clean(l.doc.Title)) > innerWidth*0.44 {
		titleFont.size--
	}
	l.c.text(rightEdge, y, titleFont, ink, right, l.fit(titleFont, l.doc.Title, innerWidth*0.44))
	if l.doc.Number != "" {
		y += 17
		number := font{regular, 11}
		l.c.text(rightEdge, y, number, muted, right, l.fit(number, l.doc.Number, innerWidth*0.44))
	}
	if text := l.statusText(); text != "" {
		y += 13
		f := font{bold, 8}
		text = l.fit(f, text, innerWidth*0.4)
		w := l.c.width(f, text) + 18
		fill := statusColors[l.doc.Status]
		l.c.roundRect(rightEdge-w, y, w, 17, 8.5, fill.tint(0.11))
		l.c.text(rightEdge-9, y+11.4, f, fill, right, text)
		y += 17
	}
	l.y = max(leftEnd, y) + l.space(24)
}

func (l *layout) statusText() string {
	if l.doc.StatusText != "" && l.doc.Status != NoStatus {
		return l.doc.StatusText
	}
	return l.words.status[l.doc.Status]
}

// parties: the receiver on the left, dates and references on the right.
func (l *layout) parties() {
	l.c.line(marginX, l.y, 0.6, hair)
	l.y += l.space(20)
	top := l.y
	const column = innerWidth * 0.5
	if l.doc.Receiver.Label != "" {
		l.caption(l.y+5, l.doc.Receiver.Label)
		l.y += 13
	}
	name, address := font{bold, 10.5}, font{regular, 8.5}
	l.paragraph(marginX, name, ink, 14, clip(l.c.wrap(name, l.doc.Receiver.Name, column), 9))
	l.y++
	l.paragraph(marginX, address, muted, 12, l.flow(address, l.doc.Receiver.Lines, column, 12))
	leftEnd := l.y

	l.y = top - 3
	const x = marginX + innerWidth*0.57
	value := font{bold, 8.5}
	for _, fact := range l.doc.Facts[:min(len(l.doc.Facts), 14)] {
		labelText := l.fit(address, fact.Label, (rightEdge-x)*0.6)
		l.c.text(x, l.y+address.size, address, muted, left, labelText)
		for _, s := range clip(l.c.wrap(value, fact.Value, rightEdge-x-l.c.width(address, labelText)-10), 3) {
			l.c.text(rightEdge, l.y+address.size, value, ink, right, s)
			l.y += 12.5
		}
		l.y += l.space(3.5)
	}
	l.y = max(l.y, leftEnd) + l.space(18)
}

// headline: the amount that counts, on a breath of the brand colour.
func (l *layout) headline() {
	h := l.doc.Headline
	if h.Value == "" {
		return
	}
	height := 46 + l.space(12)
	middle := l.y + height/2
	if l.room(height) {
		middle = l.y + height/2
	}
	l.c.roundRect(marginX, l.y, innerWidth, height, 6, l.brand.tint(0.06))
	l.c.text(marginX+18, middle-8, font{regular, 8.5}, muted, left, l.fit(font{regular, 8.5}, h.Label, innerWidth*0.5))
	value := font{bold, 20}
	for value.size > 9 && l.c.width(value, h.Value) > innerWidth*0.6 {
		value.size--
	}
	l.c.text(marginX+18, middle+14, value, l.accent, left, l.fit(value, h.Value, innerWidth*0.6))
	if h.Note != "" {
		lines := l.c.wrap(body, h.Note, innerWidth*0.33)
		lines = lines[:min(len(lines), 3)]
		y := middle - float64(len(lines)-1)*6 + 3.2
		for _, s := range lines {
			l.c.text(rightEdge-18, y, body, ink, right, s)
			y += 12
		}
	}
	l.y += height + l.space(24)
}

// footer of one page.
func (l *layout) footer(page, pages int) {
	l.c.line(marginX, footerTop, 0.6, hair)
	f := font{regular, 7}
	number := fmt.Sprintf(l.words.page, page, pages)
	l.c.text(rightEdge, footerTop+13, f, muted, right, number)
	lines := l.c.wrap(f, l.doc.Footer, innerWidth-l.c.width(f, number)-24)
	for i, s := range lines[:min(len(lines), 3)] {
		l.c.text(marginX, footerTop+13+9*float64(i), f, muted, left, s)
	}
}

// watermark crosses pages that must not be taken for a valid document.
func (l *layout) watermark() {
	var text string
	fill := muted
	switch l.doc.Status {
	case Cancelled:
		text, fill = l.words.status[Cancelled], statusColors[Cancelled]
	case Draft:
		text = l.words.status[Draft]
	default:
		return
	}
	if word := l.doc.StatusText; word != "" && !strings.Contains(word, " ") { // "Cancelada" rather than "Cancelado"
		text = word
	}
	text = strings.ToUpper(text)
	const diagonal = 0.70711 // 45 degrees
	f := font{bold, 96}
	half := l.c.width(f, text) / 2 * diagonal
	l.c.pages[l.c.page] = append(l.c.pages[l.c.page], "/Veil gs\n"...)
	l.c.show(f, fill, 0, text, diagonal, diagonal, -diagonal, diagonal, pageWidth/2-half+34*diagonal, pageHeight/2-half-34*diagonal)
	l.c.pages[l.c.page] = append(l.c.pages[l.c.page], "/Full gs\n"...)
}
