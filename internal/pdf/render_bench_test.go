package pdf

import (
	"bytes"
	"io"
	"testing"
)

func BenchmarkRender(b *testing.B) {
	withLogo := sampleOnePage()
	withLogo.Issuer.Logo = sampleLogo()
	otherScript := sampleOnePage()
	otherScript.Receiver.Name = "Łódź Ελληνικά"
	for _, c := range []struct {
		name string
		doc  Document
	}{
		{"one page, 10 lines, QR", sampleOnePage()},
		{"the same with a logo", withLogo},
		{"the same with letters beyond Latin-1", otherScript},
		{"two pages, 10 lines, QR", sampleInvoice()},
		{"500 lines", sampleStatement(500)},
	} {
		b.Run(c.name, func(b *testing.B) {
			var size bytes.Buffer
			if err := Render(&size, c.doc); err != nil { // also loads the fonts
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if err := Render(io.Discard, c.doc); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(size.Len()), "bytes/doc")
		})
	}
}
