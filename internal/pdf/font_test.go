package pdf

import (
	"testing"

	"codeberg.org/go-fonts/liberation/liberationsansregular"
	"pgregory.net/rapid"
)

func TestFaces(t *testing.T) {
	for _, f := range faces() {
		for _, r := range latinRunes() {
			if _, ok := f.glyphs[r]; !ok {
				t.Errorf("%s has no glyph for %q", f.name, r)
			}
		}
		for r := '0'; r <= '9'; r++ { // amounts align only with digits of one width
			if f.width(r) != f.width('0') {
				t.Errorf("%s: digit %c is %d wide, 0 is %d", f.name, r, f.width(r), f.width('0'))
			}
		}
		if f.width('中') != f.width('?') {
			t.Errorf("%s: a missing character is not shown as a question mark", f.name)
		}
	}
}

// A damaged font is an error, never a crash.
func TestParseFaceDamaged(t *testing.T) {
	original := liberationsansregular.TTF
	rapid.Check(t, func(t *rapid.T) {
		damaged := append([]byte(nil), original[:rapid.IntRange(0, len(original)).Draw(t, "length")]...)
		for range rapid.IntRange(0, 4).Draw(t, "changes") {
			if n := min(len(damaged), 400); n > 0 {
				damaged[rapid.IntRange(0, n-1).Draw(t, "at")] ^= rapid.Byte().Draw(t, "bits")
			}
		}
		if f, err := parseFace("damaged", damaged); err == nil && len(f.glyphs) == 0 {
			t.Fatal("a font without characters was accepted")
		}
	})
}

func TestWrap(t *testing.T) {
	c := &canvas{faces: faces()}
	f := font{mono, 10} // 6 points a character
	for _, tc := range []struct {
		in   string
		want []string
	}{
		{"uno dos tres", []string{"uno dos", "tres"}},
		{"abcdefghijklmnopqrst", []string{"abcdefghij", "klmnopqrst"}},
		{"ab abcdefghijklm", []string{"ab", "abcdefghij", "klm"}},
		{"uno\ndos\r\n\ntres", []string{"uno", "dos", "", "tres"}},
		{"", []string{""}},
		{"exactas 10 y", []string{"exactas 10", "y"}},
		{"a\tb\u202e\x00c", []string{"a bc"}},
		{"e\u0301", []string{"é"}},
	} {
		got := c.wrap(f, tc.in, 60.5)
		if len(got) != len(tc.want) {
			t.Errorf("%q: %q, want %q", tc.in, got, tc.want)
			continue
		}
		for i := range got {
			if got[i] != tc.want[i] {
				t.Errorf("%q: %q, want %q", tc.in, got, tc.want)
			}
		}
	}
}
