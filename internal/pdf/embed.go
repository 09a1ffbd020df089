package pdf

import (
	"crypto/sha256"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// describe fills in what a PDF says about a font program: widths, the way back to text, and the tag.
func (s *subset) describe(f *face, old []uint16, compress func([]byte) []byte) {
	s.widths = append(s.widths, "[0["...)
	for _, g := range old {
		s.widths = strconv.AppendInt(s.widths, (int64(f.advances[g])*1000+int64(f.unitsPerEm)/2)/int64(f.unitsPerEm), 10)
		s.widths = append(s.widths, ' ')
	}
	s.widths = append(s.widths, "]]"...)

	runeOf := make(map[uint16]rune, len(s.glyphs))
	for r, g := range s.glyphs { // a glyph of several characters (space, no-break space) means the lowest
		if first, ok := runeOf[g]; !ok || r < first {
			runeOf[g] = r
		}
	}
	glyphs := make([]uint16, 0, len(runeOf))
	for g := range runeOf {
		glyphs = append(glyphs, g)
	}
	slices.Sort(glyphs)
	var cmap strings.Builder
	cmap.WriteString("/CIDInit /ProcSet findresource begin\n12 dict begin\nbegincmap\n/CIDSystemInfo<</Registry(Adobe)/Ordering(UCS)/Supplement 0>>def\n" +
		"/CMapName/Adobe-Identity-UCS def\n/CMapType 2 def\n1 begincodespacerange\n<0000><FFFF>\nendcodespacerange\n")
	for chunk := range slices.Chunk(glyphs, 100) { // a block holds at most 100 entries
		fmt.Fprintf(&cmap, "%d beginbfchar\n", len(chunk))
		for _, g := range chunk {
			fmt.Fprintf(&cmap, "<%04X><", g)
			for _, u := range utf16.Encode([]rune{runeOf[g]}) {
				fmt.Fprintf(&cmap, "%04X", u)
			}
			cmap.WriteString(">\n")
		}
		cmap.WriteString("endbfchar\n")
	}
	cmap.WriteString("endcmap\nCMapName currentdict /CMap defineresource pop\nend\nend") //nolint:dupword // PostScript closes two dictionaries
	s.toUnicode = compress([]byte(cmap.String()))

	sum := sha256.Sum256(s.program)
	tag := make([]byte, 6)
	for i := range tag {
		tag[i] = 'A' + sum[i]%26
	}
	s.tag = string(tag)
}

// embed stores the font as a composite font whose codes are the glyphs of the subset, and
// returns its object number.
func (f *face) embed(out *file, s *subset) int {
	scaled := func(v int) int { return v * 1000 / f.unitsPerEm }
	flags := 32 // nonsymbolic
	if f.name == "LiberationMono" {
		flags |= 1
	}
	name := s.tag + "+" + f.name
	program := out.stream(out.reserve(), fmt.Sprintf("/Length1 %d/Filter/FlateDecode", s.length), s.program)
	descriptor := out.add("<</Type/FontDescriptor/FontName/%s/Flags %d/FontBBox[%d %d %d %d]/ItalicAngle 0/Ascent %d/Descent %d/CapHeight %d/StemV 80/FontFile2 %d 0 R>>",
		name, flags, scaled(f.bbox[0]), scaled(f.bbox[1]), scaled(f.bbox[2]), scaled(f.bbox[3]),
		scaled(f.ascent), scaled(f.descent), scaled(f.capHeight), program)
	descendant := out.add("<</Type/Font/Subtype/CIDFontType2/BaseFont/%s/CIDSystemInfo<</Registry(Adobe)/Ordering(Identity)/Supplement 0>>"+
		"/FontDescriptor %d 0 R/CIDToGIDMap/Identity/W %s>>", name, descriptor, s.widths)
	toUnicode := out.stream(out.reserve(), "/Filter/FlateDecode", s.toUnicode)
	return out.add("<</Type/Font/Subtype/Type0/BaseFont/%s/Encoding/Identity-H/DescendantFonts[%d 0 R]/ToUnicode %d 0 R>>", name, descendant, toUnicode)
}
