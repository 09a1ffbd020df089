package pdf

import (
	"bytes"
	"compress/zlib"
	"io"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/internal/pdf/pdftest"
)

var (
	fontName    = regexp.MustCompile(`/Type/FontDescriptor/FontName/([A-Z]{6})\+(\S+) .*?/FontFile2 (\d+) 0 R>>`)
	programOf   = `(?s)\n%d 0 obj\s*<<(.*?)>>\s*stream\r?\n`
	streamBytes = regexp.MustCompile(`/Length (\d+)`)
)

// Every font is embedded as a subset (ISO 32000-1, 9.6.4): six letters before its name, a TrueType program with the glyphs
// that the document uses and no others, far smaller than the whole font. poppler agrees where it is installed.
func TestFontsAreEmbeddedSubsets(t *testing.T) {
	for name, doc := range samples() {
		t.Run(name, func(t *testing.T) {
			file := render(t, doc)
			fonts := fontName.FindAllSubmatch(file, -1)
			if len(fonts) == 0 || len(fonts) != bytes.Count(file, []byte("/Type0/BaseFont")) {
				t.Fatalf("%d font programs for %d fonts", len(fonts), bytes.Count(file, []byte("/Type0/BaseFont")))
			}
			if bytes.Contains(file, []byte("/Subtype/Type1")) || bytes.Contains(file, []byte("/Subtype/TrueType")) {
				t.Error("a font that is not embedded")
			}
			tags := map[string]bool{}
			for _, font := range fonts {
				tag, face, object := string(font[1]), string(font[2]), string(font[3])
				if tags[tag] {
					t.Errorf("two subsets are called %s", tag)
				}
				tags[tag] = true
				at := regexp.MustCompile(strings.Replace(programOf, "%d", object, 1)).FindSubmatchIndex(file)
				if at == nil {
					t.Fatalf("no program of %s", face)
				}
				size, err := strconv.Atoi(string(streamBytes.FindSubmatch(file[at[2]:at[3]])[1]))
				if err != nil {
					t.Fatal(err)
				}
				program, err := zlib.NewReader(bytes.NewReader(file[at[1] : at[1]+size]))
				if err != nil {
					t.Fatal(err)
				}
				content, err := io.ReadAll(program)
				if err != nil || !bytes.HasPrefix(content, []byte{0, 1, 0, 0}) {
					t.Fatalf("%s is no TrueType font: %.8x %v", face, content, err)
				}
				if len(content) < 1000 || len(content) > 60_000 { // the whole fonts have 300 kB and more
					t.Errorf("the subset of %s has %d bytes", face, len(content))
				}
			}
			if _, err := exec.LookPath("pdffonts"); err != nil {
				t.Skip("pdffonts is not installed (poppler-utils)")
			}
			rows := strings.Split(strings.TrimSpace(string(pdftest.Run(t, "pdffonts", file, "-"))), "\n")[2:]
			if len(rows) != len(fonts) {
				t.Errorf("pdffonts sees %d fonts:\n%s", len(rows), strings.Join(rows, "\n"))
			}
			for _, row := range rows { // name, type (two words), encoding, embedded, subset, with Unicode
				if f := strings.Fields(row); len(f) < 8 || !tags[strings.SplitN(f[0], "+", 2)[0]] || !slices.Equal(f[1:7], []string{"CID", "TrueType", "Identity-H", "yes", "yes", "yes"}) {
					t.Errorf("%s", row)
				}
			}
		})
	}
}
