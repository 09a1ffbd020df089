package pdf

import (
	"encoding/binary"
	"fmt"
	"slices"
	"sync"

	"codeberg.org/go-fonts/liberation/liberationmonoregular"
	"codeberg.org/go-fonts/liberation/liberationsansbold"
	"codeberg.org/go-fonts/liberation/liberationsansregular"
)

// style is one of the three faces of the layout.
type style int

const (
	regular style = iota
	bold
	mono
	styles = 3
)

// face is a parsed TrueType font. It is read-only after loading and shared by all documents.
type face struct {
	name                       string // PostScript name
	unitsPerEm                 int
	ascent, descent, capHeight int
	bbox                       [4]int
	glyphs                     map[rune]uint16
	advances                   []uint16 // by glyph, in font units
	outlines                   [][]byte // by glyph, without instructions
	head, hhea, maxp           []byte
	widths                     [256]uint16 // of the first characters, in thousandths of the size
	latin                      *subset     // the letters of western Europe, made once
}

// faces parses the embedded fonts once, in the order of style.
var faces = sync.OnceValue(func() [styles]*face {
	var list [styles]*face
	for i, f := range []struct {
		name string
		ttf  []byte
	}{
		{"LiberationSans", liberationsansregular.TTF},
		{"LiberationSans-Bold", liberationsansbold.TTF},
		{"LiberationMono", liberationmonoregular.TTF},
	} {
		parsed, err := parseFace(f.name, f.ttf)
		if err != nil {
			panic(err) // the fonts are compiled in, so a test would have failed
		}
		parsed.latin = parsed.newSubset(latinRunes(), deflateBest)
		list[i] = parsed
	}
	return list
})

// latinRunes is Windows-1252 and what the layout itself writes. Nearly every document needs
// nothing else, so its font programs are subset and compressed once for all of them.
func latinRunes() []rune {
	runes := []rune("€‚ƒ„…†‡ˆ‰Š‹ŒŽ‘’“”•–—˜™š›œžŸ−")
	for r := rune(0x20); r < 0x7f; r++ {
		runes = append(runes, r)
	}
	for r := rune(0xa0); r <= 0xff; r++ {
		runes = append(runes, r)
	}
	return runes
}

// parseFace reads the tables of a TrueType file that a PDF needs (OpenType specification).
func parseFace(name string, ttf []byte) (f *face, err error) {
	defer func() { // a malformed file shows as an index out of range
		if r := recover(); r != nil {
			f, err = nil, fmt.Errorf("pdf: font %s: %v", name, r)
		}
	}()
	u16 := func(b []byte, at int) int { return int(binary.BigEndian.Uint16(b[at:])) }
	i16 := func(b []byte, at int) int { return int(int16(binary.BigEndian.Uint16(b[at:]))) }
	u32 := func(b []byte, at int) int { return int(binary.BigEndian.Uint32(b[at:])) }
	tables := map[string][]byte{}
	for i := range u16(ttf, 4) {
		entry := ttf[12+16*i:]
		tables[string(entry[:4])] = ttf[u32(entry, 8) : u32(entry, 8)+u32(entry, 12)]
	}
	head, hhea, maxp, os2 := tables["head"], tables["hhea"], tables["maxp"], tables["OS/2"]
	f = &face{name: name, unitsPerEm: u16(head, 18), head: head, hhea: hhea, maxp: maxp,
		ascent: i16(hhea, 4), descent: i16(hhea, 6), capHeight: i16(os2, 88), glyphs: map[rune]uint16{}}
	for i := range f.bbox {
		f.bbox[i] = i16(head, 36+2*i)
	}
	count, metrics := u16(maxp, 4), u16(hhea, 34)
	f.advances, f.outlines = make([]uint16, count), make([][]byte, count)
	loca, glyf := tables["loca"], tables["glyf"]
	offset := func(i int) int {
		if u16(head, 50) == 0 {
			return 2 * u16(loca, 2*i)
		}
		return u32(loca, 4*i)
	}
	for g := range count {
		f.advances[g] = uint16(u16(tables["hmtx"], 4*min(g, metrics-1)))
		f.outlines[g] = withoutInstructions(glyf[offset(g):offset(g+1)])
	}
	cmap := tables["cmap"]
	for i := range u16(cmap, 2) {
		record := cmap[4+8*i:]
		sub := cmap[u32(record, 4):]
		if u16(record, 0) != 3 || u16(record, 2) != 1 || u16(sub, 0) != 4 {
			continue
		}
		segments := u16(sub, 6) / 2
		for s := range segments {
			end, start := u16(sub, 14+2*s), u16(sub, 16+2*segments+2*s)
			delta, rangeAt := u16(sub, 16+4*segments+2*s), 16+6*segments+2*s
			for c := start; c <= end && c != 0xffff; c++ {
				glyph := c
				if r := u16(sub, rangeAt); r != 0 {
					if glyph = u16(sub, rangeAt+r+2*(c-start)); glyph == 0 {
						continue
					}
				}
				f.glyphs[rune(c)] = uint16(glyph + delta)
			}
		}
	}
	if len(f.glyphs) == 0 {
		return nil, fmt.Errorf("pdf: font %s has no Unicode character map", name)
	}
	for r := range f.widths {
		f.widths[r] = uint16(f.measure(rune(r)))
	}
	return f, nil
}

// Flags of a component of a composite glyph.
const (
	argsAreWords     = 0x0001
	haveScale        = 0x0008
	moreComponents   = 0x0020
	haveXYScale      = 0x0040
	haveTwoByTwo     = 0x0080
	haveInstructions = 0x0100
)

// components calls visit with the offset of every component record of a composite glyph
// and returns the offset behind the last one.
func components(outline []byte, visit func(at int)) int {
	at := 10
	for {
		flags := binary.BigEndian.Uint16(outline[at:])
		visit(at)
		at += 6
		if flags&argsAreWords != 0 {
			at += 2
		}
		switch {
		case flags&haveScale != 0:
			at += 2
		case flags&haveXYScale != 0:
			at += 4
		case flags&haveTwoByTwo != 0:
			at += 8
		}
		if flags&moreComponents == 0 {
			return at
		}
	}
}

func isComposite(outline []byte) bool { return len(outline) > 0 && outline[0]&0x80 != 0 }

// withoutInstructions removes hinting, which PDF viewers ignore and which is half of a font.
func withoutInstructions(outline []byte) []byte {
	if len(outline) == 0 {
		return nil
	}
	if isComposite(outline) {
		outline = slices.Clone(outline)
		end := components(outline, func(at int) { outline[at] &^= haveInstructions >> 8 })
		return outline[:end]
	}
	contours := int(binary.BigEndian.Uint16(outline))
	at := 10 + 2*contours
	length := int(binary.BigEndian.Uint16(outline[at:]))
	return slices.Concat(outline[:at], []byte{0, 0}, outline[at+2+length:])
}

// glyph returns the glyph of r; a character that the font lacks shows as the question mark
// of missing characters, or as a question mark.
func (f *face) glyph(r rune) uint16 {
	for _, c := range [...]rune{r, '\ufffd', '?'} {
		if g, ok := f.glyphs[c]; ok {
			return g
		}
	}
	return 0
}

// width is the advance of r in thousandths of the font size.
func (f *face) width(r rune) int {
	if r >= 0 && int(r) < len(f.widths) {
		return int(f.widths[r])
	}
	return f.measure(r)
}

func (f *face) measure(r rune) int {
	return (int(f.advances[f.glyph(r)])*1000 + f.unitsPerEm/2) / f.unitsPerEm
}

// subset is a font program with some of the glyphs of a face, ready to be embedded.
type subset struct {
	tag       string // six letters that a subset's name starts with
	glyphs    map[rune]uint16
	program   []byte // compressed TrueType
	length    int    // of the program before compression
	widths    []byte // W array of the CIDFont
	toUnicode []byte // compressed CMap from glyphs to text
}

// newSubset builds the program for runes, renumbering the glyphs in their order.
func (f *face) newSubset(runes []rune, compress func([]byte) []byte) *subset {
	runes = slices.Compact(slices.Sorted(slices.Values(runes)))
	s := &subset{glyphs: make(map[rune]uint16, len(runes))}
	old := []uint16{0} // glyph 0 is .notdef
	renumbered := map[uint16]uint16{0: 0}
	add := func(g uint16) uint16 {
		n, ok := renumbered[g]
		if !ok {
			n = uint16(len(old))
			renumbered[g] = n
			old = append(old, g)
		}
		return n
	}
	for _, r := range runes {
		s.glyphs[r] = add(f.glyph(r))
	}
	var glyf []byte
	loca := []byte{0, 0, 0, 0}
	var hmtx []byte
	for i := 0; i < len(old); i++ { // grows while composites add their components
		outline := f.outlines[old[i]]
		if isComposite(outline) {
			outline = slices.Clone(outline)
			components(outline, func(at int) {
				binary.BigEndian.PutUint16(outline[at+2:], add(binary.BigEndian.Uint16(outline[at+2:])))
			})
		}
		bearing := uint16(0)
		if len(outline) > 0 {
			bearing = binary.BigEndian.Uint16(outline[2:]) // xMin
		}
		hmtx = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(hmtx, f.advances[old[i]]), bearing)
		glyf = append(glyf, outline...)
		for len(glyf)%4 != 0 {
			glyf = append(glyf, 0)
		}
		loca = binary.BigEndian.AppendUint32(loca, uint32(len(glyf)))
	}
	head, hhea, maxp := slices.Clone(f.head), slices.Clone(f.hhea), slices.Clone(f.maxp)
	copy(head[8:], make([]byte, 4))          // checksum adjustment, optional in PDF
	binary.BigEndian.PutUint16(head[50:], 1) // long loca
	binary.BigEndian.PutUint16(hhea[34:], uint16(len(old)))
	binary.BigEndian.PutUint16(maxp[4:], uint16(len(old)))
	if len(maxp) >= 28 {
		binary.BigEndian.PutUint16(maxp[26:], 0) // no instructions
	}
	program := sfnt([]string{"glyf", "head", "hhea", "hmtx", "loca", "maxp"}, [][]byte{glyf, head, hhea, hmtx, loca, maxp})
	s.length, s.program = len(program), compress(program)
	s.describe(f, old, compress)
	return s
}

// sfnt assembles a TrueType file from tables in the order of their names.
func sfnt(names []string, tables [][]byte) []byte {
	n := len(names)
	power, selector := 1, 0
	for power*2 <= n {
		power, selector = power*2, selector+1
	}
	out := []byte{0, 1, 0, 0}
	for _, v := range []int{n, 16 * power, selector, 16 * (n - power)} {
		out = binary.BigEndian.AppendUint16(out, uint16(v))
	}
	offset := len(out) + 16*n
	for i, t := range tables {
		out = append(out, names[i]...)
		for _, v := range []uint32{checksum(t), uint32(offset), uint32(len(t))} {
			out = binary.BigEndian.AppendUint32(out, v)
		}
		offset += (len(t) + 3) &^ 3
	}
	for _, t := range tables {
		out = append(out, t...)
		out = append(out, make([]byte, -len(t)&3)...)
	}
	return out
}

func checksum(table []byte) (sum uint32) {
	for i := 0; i < len(table); i += 4 {
		var word [4]byte
		copy(word[:], table[i:])
		sum += binary.BigEndian.Uint32(word[:])
	}
	return sum
}
