package pdf

import (
	"fmt"
	"slices"
	"strings"

	"github.com/skip2/go-qrcode"
)

// Sizes of the QR code (Anexo 20, I.D): a module of at least 0.42 mm, a code of at least 2.75 cm.
const (
	pointsPerMM = 72 / 25.4
	minModule   = 0.42 * pointsPerMM
	minQR       = 27.5 * pointsPerMM
)

// fiscal draws the part that makes the document the printed representation of a CFDI.
func (l *layout) fiscal(f *Fiscal) error {
	l.room(90)
	l.c.line(marginX, l.y, 0.6, hair)
	l.y += l.space(18)
	l.c.text(marginX, l.y+6, font{bold, 10}, ink, left, l.words.fiscal)
	l.c.text(rightEdge, l.y+6, small, muted, right, l.words.legend)
	l.y += l.space(8) + 12
	l.grid(f.Facts)
	if len(f.Related) > 0 {
		l.room(40)
		l.caption(l.y+7, l.words.related)
		l.y += 14
		for _, r := range f.Related {
			l.paragraph(marginX, small, ink, 10.5, l.c.wrap(small, strings.TrimSpace(r.Label+"  "+r.Value), innerWidth))
		}
		l.y += 12
	}
	if f.Payments != nil {
		l.room(70)
		l.caption(l.y+7, l.words.payments)
		l.y += 18
		l.table(*f.Payments)
	}
	if err := l.seals(f); err != nil {
		return err
	}
	for _, s := range f.Legends {
		l.paragraph(marginX, small, ink, 10.5, l.c.wrap(small, s, innerWidth))
	}
	return nil
}

// grid lays facts out in three columns.
func (l *layout) grid(facts []Fact) {
	const columns = 3
	width := (innerWidth - (columns-1)*gap) / columns
	for chunk := range slices.Chunk(facts, columns) {
		texts := make([][]string, len(chunk))
		value := font{regular, 8}
		for _, f := range chunk { // a UUID stays on one line
			for value.size > 7 && !strings.Contains(f.Value, " ") && l.c.width(value, f.Value) > width {
				value.size -= 0.25
			}
		}
		most := 0
		for i, f := range chunk {
			texts[i] = clip(l.c.wrap(value, f.Value, width), 30)
			most = max(most, len(texts[i]))
		}
		height := l.space(5) + 14 + 10*float64(most)
		l.room(height)
		for i, f := range chunk {
			x := marginX + float64(i)*(width+gap)
			l.c.text(x, l.y+6, font{regular, 6.8}, muted, left, l.fit(font{regular, 6.8}, f.Label, width))
			for k, s := range texts[i] {
				l.c.text(x, l.y+16.5+10*float64(k), value, ink, left, s)
			}
		}
		l.y += height
	}
	l.y += 4
}

// seals draws the QR code with the seals and the certification's original string beside it.
func (l *layout) seals(f *Fiscal) error {
	const (
		leading = 7.1
		heading = 9.0
		after   = 4.5
	)
	var modules [][]bool
	x, width, module, height := marginX, innerWidth, 0.0, 0.0
	if f.QR != "" {
		var err error
		if modules, err = l.encodeQR(f.QR); err != nil {
			return err
		}
		module = max(minModule, minQR/float64(len(modules)))
		height = module * float64(len(modules))
		x, width = marginX+height+20, innerWidth-height-20
	}
	type block struct {
		label string
		lines []string
	}
	code := font{mono, 6}
	var blocks []block
	texts := 0.0
	for _, s := range []Fact{{l.words.selloCFD, f.SelloCFD}, {l.words.selloSAT, f.SelloSAT}, {l.words.cadena, f.Cadena}} {
		if s.Value != "" {
			blocks = append(blocks, block{s.Label, l.c.wrapAnywhere(code, s.Value, width)})
			texts += heading + after + leading*float64(len(blocks[len(blocks)-1].lines))
		}
	}
	l.room(min(max(height, texts), bottom-marginTop-40)) // together on a page, unless absurdly long
	page, qrEnd := l.c.page, l.y+height
	if modules != nil {
		l.drawQR(modules, marginX, l.y, module)
	}
	for _, b := range blocks {
		l.room(heading + leading)
		l.c.text(x, l.y+6, font{bold, 6.8}, muted, left, b.label)
		l.y += heading
		l.paragraph(x, code, ink, leading, b.lines)
		l.y += after
	}
	if l.c.page == page {
		l.y = max(l.y, qrEnd)
	}
	l.y += l.space(8)
	return nil
}

// encodeQR returns the modules of a QR code with error level M, dark ones true, without margin.
func (l *layout) encodeQR(text string) ([][]bool, error) {
	if l.qr != nil { // from an earlier pass of the layout
		return l.qr, nil
	}
	code, err := qrcode.New(text, qrcode.Medium)
	if err != nil {
		return nil, fmt.Errorf("pdf: qr_too_long: %w", err)
	}
	code.DisableBorder = true
	l.qr = code.Bitmap()
	return l.qr, nil
}

// drawQR fills the dark modules, one rectangle for each horizontal run.
func (l *layout) drawQR(modules [][]bool, x, y, size float64) {
	l.c.fill(rgb{})
	for row, line := range modules {
		for start := 0; start < len(line); start++ {
			if !line[start] {
				continue
			}
			end := start
			for end < len(line) && line[end] {
				end++
			}
			l.c.emit("re", x+size*float64(start), pageHeight-y-size*float64(row+1), size*float64(end-start), size)
			start = end
		}
	}
	l.c.emit("f")
}
