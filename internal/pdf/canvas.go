package pdf

import (
	"math"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// US Letter, the paper of Mexico, in points.
const (
	pageWidth  = 612.0
	pageHeight = 792.0
)

// rgb is a colour with components from 0 to 255.
type rgb [3]uint8

// tint mixes the colour with white; share 1 is the colour itself.
func (c rgb) tint(share float64) rgb {
	for i, v := range c {
		c[i] = uint8(math.Round(255 - share*float64(255-v)))
	}
	return c
}

// luminance is the relative luminance of WCAG 2.2, from 0 to 1.
func (c rgb) luminance() float64 {
	sum := 0.0
	for i, weight := range []float64{0.2126, 0.7152, 0.0722} {
		v := float64(c[i]) / 255
		if v <= 0.04045 {
			v /= 12.92
		} else {
			v = math.Pow((v+0.055)/1.055, 2.4)
		}
		sum += weight * v
	}
	return sum
}

// font is a face at a size in points.
type font struct {
	style style
	size  float64
}

type align int

const (
	left align = iota
	right
	center
)

// canvas draws pages with the origin at the upper left corner and y downwards.
type canvas struct {
	faces   [styles]*face
	subsets [styles]*subset
	missing [styles]map[rune]bool // characters outside the subsets, for a second pass
	pages   [][]byte
	page    int // index of the page being drawn
	// State of the page's stream, so that operators are written only where they change it.
	color   rgb
	spacing float64
}

func (c *canvas) addPage() {
	c.pages = append(c.pages, make([]byte, 0, 16<<10))
	c.open(len(c.pages) - 1)
}

// open continues a page. Its state is then set anew.
func (c *canvas) open(page int) {
	c.page, c.color, c.spacing = page, rgb{}, 0
	c.emit("rg", 0, 0, 0)
	c.emit("Tc", 0)
}

// emit writes an operator with numeric operands.
func (c *canvas) emit(operator string, operands ...float64) {
	b := c.pages[c.page]
	for _, v := range operands {
		b = append(appendNumber(b, v), ' ')
	}
	c.pages[c.page] = append(append(b, operator...), '\n')
}

// fill sets the colour of what follows.
func (c *canvas) fill(v rgb) {
	if v != c.color {
		c.color = v
		c.emit("rg", float64(v[0])/255, float64(v[1])/255, float64(v[2])/255)
	}
}

func (c *canvas) rect(x, y, w, h float64, fill rgb) {
	c.fill(fill)
	c.emit("re", x, pageHeight-y-h, w, h)
	c.emit("f")
}

// roundRect fills a rectangle with rounded corners.
func (c *canvas) roundRect(x, y, w, h, r float64, fill rgb) {
	const k = 0.5523 // handle of a quarter circle
	x2, top, bottom := x+w, pageHeight-y, pageHeight-y-h
	c.fill(fill)
	c.emit("m", x+r, bottom)
	c.emit("l", x2-r, bottom)
	c.emit("c", x2-r+k*r, bottom, x2, bottom+r-k*r, x2, bottom+r)
	c.emit("l", x2, top-r)
	c.emit("c", x2, top-r+k*r, x2-r+k*r, top, x2-r, top)
	c.emit("l", x+r, top)
	c.emit("c", x+r-k*r, top, x, top-r+k*r, x, top-r)
	c.emit("l", x, bottom+r)
	c.emit("c", x, bottom+r-k*r, x+r-k*r, bottom, x+r, bottom)
	c.emit("f")
}

func (c *canvas) line(x, y, width float64, stroke rgb) {
	c.rect(x, y-width/2, rightEdge-x, width, stroke)
}

// width of a text in points.
func (c *canvas) width(f font, s string) float64 {
	face, total := c.faces[f.style], 0
	for _, r := range s {
		total += face.width(r)
	}
	return float64(total) * f.size / 1000
}

// text writes one line with its baseline at y; x is its left edge, right edge or middle.
func (c *canvas) text(x, y float64, f font, fill rgb, to align, s string) {
	switch to {
	case right:
		x -= c.width(f, s)
	case center:
		x -= c.width(f, s) / 2
	}
	c.show(f, fill, 0, s, 1, 0, 0, 1, x, pageHeight-y)
}

// spaced is text with extra space between letters, for small capitals.
func (c *canvas) spaced(x, y float64, f font, fill rgb, spacing float64, s string) {
	c.show(f, fill, spacing, s, 1, 0, 0, 1, x, pageHeight-y)
}

// show writes a text with a transformation of its coordinates.
func (c *canvas) show(f font, fill rgb, spacing float64, s string, matrix ...float64) {
	if s == "" {
		return
	}
	c.fill(fill)
	b := append(c.pages[c.page], "BT/F"...)
	b = append(b, '0'+byte(f.style), ' ')
	b = append(appendNumber(b, f.size), " Tf "...)
	if spacing != c.spacing {
		c.spacing = spacing
		b = append(appendNumber(b, spacing), " Tc "...)
	}
	for _, v := range matrix {
		b = append(appendNumber(b, v), ' ')
	}
	b = append(b, "Tm <"...)
	const digits = "0123456789ABCDEF"
	glyphs := c.subsets[f.style].glyphs
	for _, r := range s {
		g, ok := glyphs[r]
		if !ok {
			if c.missing[f.style] == nil {
				c.missing[f.style] = map[rune]bool{}
			}
			c.missing[f.style][r] = true
		}
		b = append(b, digits[g>>12], digits[g>>8&15], digits[g>>4&15], digits[g&15])
	}
	c.pages[c.page] = append(b, "> Tj ET\n"...)
}

// clean makes a text printable: composed characters, no control or direction characters,
// tabs as spaces. Line breaks stay.
func clean(s string) string {
	plain := true
	for i := range len(s) {
		if s[i] < 0x20 || s[i] >= 0x7f {
			plain = false
			break
		}
	}
	if plain {
		return s
	}
	s = strings.ToValidUTF8(strings.ReplaceAll(s, "\r\n", "\n"), "\ufffd")
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\u2028' || r == '\u2029' || r == '\r':
			return '\n'
		case r == '\t':
			return ' '
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co, unicode.Cs, unicode.Variation_Selector):
			return -1
		}
		return r
	}, s)
	return norm.NFC.String(s)
}

// wrap breaks a text into lines of at most width points: at line breaks, at spaces, and
// inside words that are longer than a line.
func (c *canvas) wrap(f font, s string, width float64) []string {
	face := c.faces[f.style]
	limit := int(width * 1000 / f.size)
	var lines []string
	for paragraph := range strings.SplitSeq(clean(s), "\n") {
		paragraph = strings.TrimRight(paragraph, " ")
		start, used := 0, 0   // of the current line
		space, after := -1, 0 // last space and the width up to behind it
		for i := 0; i < len(paragraph); {
			r, size := utf8.DecodeRuneInString(paragraph[i:])
			w := face.width(r)
			if used+w > limit && i > start && r != ' ' {
				if space > start {
					lines = append(lines, strings.TrimRight(paragraph[start:space], " "))
					start, used = space+1, used-after
				} else {
					lines = append(lines, paragraph[start:i])
					start, used = i, 0
				}
				space = -1
			}
			used += w
			if r == ' ' {
				space, after = i, used
			}
			i += size
		}
		lines = append(lines, paragraph[start:])
	}
	return lines
}

// wrapAnywhere breaks a text without meaning to people, such as a seal, at any character.
func (c *canvas) wrapAnywhere(f font, s string, width float64) []string {
	perLine := max(int(width/c.width(f, "0")), 1)
	runes := []rune(strings.ReplaceAll(clean(s), "\n", ""))
	var lines []string
	for len(runes) > perLine {
		lines = append(lines, string(runes[:perLine]))
		runes = runes[perLine:]
	}
	return append(lines, string(runes))
}
