// Package pdftest looks at PDF files in tests, with the programs of poppler.
package pdftest

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
)

// Run runs a program of poppler on a file and returns its output; the test is skipped where it is not
// installed, and fails when it complains.
func Run(t testing.TB, name string, file []byte, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skipf("%s is not installed (poppler-utils)", name)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Stdin = bytes.NewReader(file)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil || complaints.Len() > 0 {
		t.Fatalf("%s: %v\n%s", name, err, complaints.String())
	}
	return out
}

// Text is what a file says, laid out as on paper, a form feed after each page.
func Text(t testing.TB, file []byte) string {
	t.Helper()
	return string(Run(t, "pdftotext", file, "-layout", "-", "-"))
}

// Raster draws a page, the first is 1.
func Raster(t testing.TB, file []byte, page, dpi int) image.Image {
	t.Helper()
	n := strconv.Itoa(page)
	out := Run(t, "pdftoppm", file, "-r", strconv.Itoa(dpi), "-f", n, "-l", n, "-png", "-")
	img, err := png.Decode(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// Golden compares a page with the picture testdata/golden/<name>.png, or writes it when update is set:
// look at it then. One pixel in 500 may differ by more than antialiasing does.
func Golden(t testing.TB, name string, got image.Image, update bool) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name+".png")
	if update {
		var b bytes.Buffer
		if err := errors.Join((&png.Encoder{CompressionLevel: png.BestCompression}).Encode(&b, got), os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, b.Bytes(), 0o644)); err != nil {
			t.Fatal(err)
		}
		return
	}
	stored, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want, err := png.Decode(bytes.NewReader(stored))
	if err != nil {
		t.Fatal(err)
	}
	if want.Bounds() != got.Bounds() {
		t.Fatalf("%s is %v, rendered %v", path, want.Bounds(), got.Bounds())
	}
	different, pixels := 0, got.Bounds().Dx()*got.Bounds().Dy()
	for y := range got.Bounds().Dy() {
		for x := range got.Bounds().Dx() {
			r1, g1, b1, _ := got.At(x, y).RGBA()
			r2, g2, b2, _ := want.At(x, y).RGBA()
			if max(apart(r1, r2), apart(g1, g2), apart(b1, b2)) > 0x5000 {
				different++
			}
		}
	}
	if different > pixels/500 {
		t.Errorf("%d of %d pixels differ from %s (run with -update and look at the picture)", different, pixels, path)
	}
}

func apart(a, b uint32) uint32 { return max(a, b) - min(a, b) }
