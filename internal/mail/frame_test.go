package mail

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// Whatever is parted comes back byte for byte.
func TestSplitJoin(t *testing.T) {
	parts := rapid.SliceOf(rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"<", ">", `"`, "<style>", "</style>", ` href="`, `<a href="https://x.example">`, "<!--[if mso]>", " ", "\n", mark, "texto"})))
	rapid.Check(t, func(t *rapid.T) {
		html := strings.Join(parts.Draw(t, "parts"), "")
		if frame, own := Split(html); Join(frame, own) != html {
			t.Fatalf("%q became %q", html, Join(frame, own))
		}
	})
}

// Mails of one design have one frame, whatever they say.
func TestFrameIsShared(t *testing.T) {
	letter := func(text, link string) string {
		return `<html><style>p > b { color: red }</style><body><p>` + text + `</p><a class="b" href="` + link + `">Ver</a></body></html>`
	}
	frame, own := Split(letter("Uno", "https://a.example/1"))
	other, _ := Split(letter("Dos & tres", "https://a.example/2"))
	if frame != other || own != "Uno"+mark+"https://a.example/1"+mark+"Ver" || !strings.Contains(frame, "color: red") {
		t.Fatalf("%q\n%q\n%q", frame, other, own)
	}
	files, err := filepath.Glob("../../ui/email/testdata/*.html.golden")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		raw, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		frame, own := Split(string(raw))
		if Join(frame, own) != string(raw) || 5*len(own) > 2*len(raw) {
			t.Errorf("%s: %d of %d bytes are its own", file, len(own), len(raw))
		}
	}
}
