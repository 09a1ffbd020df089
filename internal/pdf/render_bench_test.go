package pdf

import (
	"bytes"
	"io"
	"syscall"
	"testing"
	"time"
)

// processorTime is what the process has used of all processors, the garbage collector's share included.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

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
			before := processorTime(b)
			for b.Loop() {
				if err := Render(io.Discard, c.doc); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(processorTime(b)-before)/float64(b.N), "cpu-ns/op")
			b.ReportMetric(float64(size.Len()), "bytes/doc")
		})
	}
}
