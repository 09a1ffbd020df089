package pdf

import "strings"

// Spacing inside tables.
const (
	gap        = 18.0 // between columns
	lineHeight = 11.2
	noteHeight = 10.0
)

// table draws a header and the rows, repeating the header on every page.
func (l *layout) table(t Table) {
	if len(t.Columns) == 0 {
		return
	}
	widths := l.columnWidths(t)
	l.room(60)
	l.tableHeader(t, widths)
	for _, row := range t.Rows {
		l.tableRow(t, widths, row)
	}
	l.y += l.space(14)
}

// columnWidths gives every column what its longest cell needs and the wide one the rest. When
// the others would squeeze the wide column they shrink and wrap.
func (l *layout) columnWidths(t Table) []float64 {
	widths := make([]float64, len(t.Columns))
	wide, others := -1, 0.0
	for i, column := range t.Columns {
		if column.Wide && wide < 0 {
			wide = i
			continue
		}
		widths[i] = l.c.width(label, strings.ToUpper(clean(column.Title))) + 0.5*float64(len(column.Title))
		for _, row := range t.Rows {
			if i < len(row.Cells) && len(row.Cells[i]) <= 200 { // longer cells wrap in any case
				widths[i] = max(widths[i], l.c.width(body, clean(row.Cells[i]))+0.1)
			}
		}
		others += widths[i]
	}
	gaps := gap * float64(len(t.Columns)-1)
	minimum := innerWidth * 0.36
	if wide < 0 {
		minimum = 0
	}
	if available := innerWidth - gaps - minimum; others > available || wide < 0 && others > 0 {
		for i := range widths {
			widths[i] *= available / others
		}
		others = available
	}
	if wide >= 0 {
		widths[wide] = innerWidth - gaps - others
	}
	return widths
}

// cell writes one line of a cell, x being the left edge of its column.
func (l *layout) cell(x, width float64, to Align, f font, fill rgb, y float64, s string) {
	if to == Right {
		l.c.text(x+width, y, f, fill, right, s)
		return
	}
	l.c.text(x, y, f, fill, left, s)
}

func (l *layout) tableHeader(t Table, widths []float64) {
	x := marginX
	for i, column := range t.Columns {
		title := l.fit(label, strings.ToUpper(column.Title), widths[i])
		at := x
		if column.Align == Right {
			at = x + widths[i] - l.c.width(label, title) - 0.5*float64(len([]rune(title))-1)
		}
		l.c.spaced(at, l.y+6, label, muted, 0.5, title)
		x += widths[i] + gap
	}
	l.y += 14
	l.c.line(marginX, l.y, 1, l.accent)
}

func (l *layout) tableRow(t Table, widths []float64, row Row) {
	cells := make([][]string, len(t.Columns))
	lines, noteFrom, wide, inline := 1, -1, 0, 0.0
	for i, column := range t.Columns {
		if i < len(row.Cells) {
			cells[i] = l.c.wrap(body, row.Cells[i], widths[i])
		}
		if column.Wide {
			wide = i
			noteFrom = len(cells[i])
			if row.Note != "" {
				note := l.c.wrap(small, row.Note, widths[i])
				if l.dense && noteFrom == 1 && len(note) == 1 {
					// Beside the description where both fit, to save a line.
					if used := l.c.width(body, cells[i][0]) + 8; used+l.c.width(small, note[0]) <= widths[i] {
						inline = used
					}
				}
				cells[i] = append(cells[i], note...)
			}
		}
		n := len(cells[i])
		if i == wide && inline > 0 {
			n--
		}
		lines = max(lines, n)
	}
	rowPadding := l.space(7)
	height := 2*rowPadding + lineHeight*float64(lines)
	if height <= bottom-marginTop-60 && l.room(height) { // a row that fits on a page stays in one piece
		l.tableHeader(t, widths)
	}
	l.y += rowPadding
	for k := range lines {
		isNote := noteFrom >= 0 && k >= noteFrom && inline == 0
		advance := lineHeight
		if isNote {
			advance = noteHeight
		}
		if l.room(advance) {
			l.tableHeader(t, widths)
			l.y += rowPadding
		}
		x := marginX
		for i, column := range t.Columns {
			if k < len(cells[i]) && !(i == wide && inline > 0 && k > 0) {
				f, fill := body, ink
				if i == wide && isNote {
					f, fill = small, muted
				}
				l.cell(x, widths[i], column.Align, f, fill, l.y+9, cells[i][k])
				if i == wide && k == 0 && inline > 0 {
					l.c.text(x+inline, l.y+9, small, muted, left, cells[i][1])
				}
			}
			x += widths[i] + gap
		}
		l.y += advance
	}
	l.y += rowPadding
	l.c.line(marginX, l.y, 0.6, hair)
}

// totals: sums on the right, the amount in words on the left.
func (l *layout) totals() {
	if len(l.doc.Totals) == 0 && l.doc.InWords == "" {
		return
	}
	const x = marginX + innerWidth*0.57
	strongFont := font{bold, 12}
	height := 0.0
	for _, t := range l.doc.Totals {
		height += l.space(5) + 11
		if t.Strong {
			height += 14
		}
	}
	var inWords []string
	if l.doc.InWords != "" {
		inWords = clip(l.c.wrap(font{regular, 8.2}, l.doc.InWords, innerWidth*0.46), 12)
	}
	l.room(max(height, 14+11.5*float64(len(inWords))))
	top := l.y
	if len(inWords) > 0 {
		l.caption(l.y+7, l.words.words)
		l.y += 13
		l.paragraph(marginX, font{regular, 8.2}, ink, 11.5, inWords)
	}
	leftEnd := l.y
	l.y = top
	for _, t := range l.doc.Totals {
		if l.room(16) { // only with more sums than a page has lines
			leftEnd = 0
		}
		f, fill, value := body, muted, body
		if t.Strong {
			l.y += 5
			l.c.line(x, l.y, 1, l.accent)
			l.y += 7
			f, fill, value = strongFont, ink, strongFont
		}
		l.c.text(x, l.y+9, f, fill, left, l.fit(f, t.Label, (rightEdge-x)*0.55))
		l.c.text(rightEdge, l.y+9, value, ink, right, l.fit(value, t.Value, (rightEdge-x)*0.6))
		l.y += l.space(5) + 11
		if t.Strong {
			l.y += 2
		}
	}
	l.y = max(l.y, leftEnd) + l.space(20)
}

func (l *layout) notes() {
	if l.doc.Notes == "" {
		return
	}
	l.room(40)
	l.caption(l.y+7, l.words.notes)
	l.y += 13
	l.paragraph(marginX, font{regular, 8.5}, ink, 12, l.c.wrap(font{regular, 8.5}, l.doc.Notes, innerWidth))
	l.y += l.space(14)
}

// payment: how to pay, on a grey panel with facts in two columns.
func (l *layout) payment() {
	p := l.doc.Payment
	if p.Title == "" && p.Text == "" && len(p.Facts) == 0 && p.URL == "" {
		return
	}
	pad := l.space(10) + 6
	text := font{regular, 8.5}
	var lines []string
	action := p.Action
	if !strings.HasPrefix(p.URL, "https://") && !strings.HasPrefix(p.URL, "http://") {
		p.URL = "" // nothing else is a page to pay on
	}
	if p.URL != "" && action == "" {
		action = p.URL
	}
	buttonFont := font{bold, 8.5}
	buttonWidth := 0.0
	if p.URL != "" {
		action = l.fit(buttonFont, action, innerWidth*0.4)
		buttonWidth = l.c.width(buttonFont, action) + 28
	}
	if p.Text != "" {
		lines = l.c.wrap(text, p.Text, innerWidth-2*pad-buttonWidth-12)
	}
	lines = clip(lines, 20) // a panel stays on one page
	columnWidth := (innerWidth - 2*pad - gap) / 2
	type block struct {
		label string
		lines []string
	}
	blocks := make([]block, 0, len(p.Facts))
	for _, f := range p.Facts {
		value := l.c.wrap(strong, f.Value, columnWidth)
		blocks = append(blocks, block{f.Label, clip(value, 6)})
	}
	rowHeight := func(i int) float64 {
		n := len(blocks[i].lines)
		if i+1 < len(blocks) {
			n = max(n, len(blocks[i+1].lines))
		}
		return 17 + 11.5*float64(n)
	}
	height := 2*pad + 12 + 12*float64(len(lines))
	for i := 0; i < min(len(blocks), 24); i += 2 {
		height += rowHeight(i)
	}
	if len(blocks) > 0 {
		height += 2
	}
	l.room(height)
	l.c.roundRect(marginX, l.y, innerWidth, height, 6, panel)
	if p.URL != "" {
		x, y := rightEdge-pad-buttonWidth, l.y+pad-4
		l.c.roundRect(x, y, buttonWidth, 22, 5, l.accent)
		l.c.text(x+buttonWidth/2, y+14.2, buttonFont, white, center, action)
		l.links = append(l.links, link{l.c.page, x, y, buttonWidth, 22, action, p.URL})
	}
	y := l.y + pad
	l.c.text(marginX+pad, y+7.5, font{bold, 9.5}, ink, left, l.fit(font{bold, 9.5}, p.Title, innerWidth-2*pad-buttonWidth-12))
	y += 16
	for _, s := range lines {
		l.c.text(marginX+pad, y+8, text, muted, left, s)
		y += 12
	}
	y += 4
	for i := 0; i < min(len(blocks), 24); i += 2 {
		for j, b := range blocks[i:min(i+2, len(blocks))] {
			x := marginX + pad + float64(j)*(columnWidth+gap)
			l.c.text(x, y+7, small, muted, left, l.fit(small, b.label, columnWidth))
			for k, s := range b.lines {
				l.c.text(x, y+18+11.5*float64(k), strong, ink, left, s)
			}
		}
		y += rowHeight(i)
	}
	l.y += height + l.space(20)
}
