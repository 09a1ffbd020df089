package pdf

import (
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf16"
)

// file assembles the objects of a PDF 1.7 document (ISO 32000-1) in memory.
type file struct {
	bytes.Buffer
	offsets []int // by object number; 0 for a number that is reserved only
}

func newFile() *file {
	f := &file{offsets: []int{0}}
	f.Grow(96 << 10)
	f.WriteString("%PDF-1.7\n%\xe2\xe3\xcf\xd3\n")
	return f
}

// reserve returns the number of an object that is written later.
func (f *file) reserve() int {
	f.offsets = append(f.offsets, 0)
	return len(f.offsets) - 1
}

// write stores an object under its number.
func (f *file) write(number int, format string, args ...any) {
	f.offsets[number] = f.Len()
	fmt.Fprintf(f, "%d 0 obj\n", number)
	fmt.Fprintf(f, format, args...)
	f.WriteString("\nendobj\n")
}

// add stores an object and returns its number.
func (f *file) add(format string, args ...any) int {
	n := f.reserve()
	f.write(n, format, args...)
	return n
}

// stream stores data, which must already be encoded as entries says.
func (f *file) stream(number int, entries string, data []byte) int {
	f.offsets[number] = f.Len()
	fmt.Fprintf(f, "%d 0 obj\n<<%s/Length %d>>\nstream\n", number, entries, len(data))
	f.Write(data)
	f.WriteString("\nendstream\nendobj\n")
	return number
}

// compressed stores data with the Flate filter.
func (f *file) compressed(entries string, data []byte) int {
	return f.stream(f.reserve(), entries+"/Filter/FlateDecode", deflate(data))
}

// finish writes the cross-reference table and the trailer. The identifier is a digest of
// the content, so that equal documents have equal bytes.
func (f *file) finish(catalog, info int) {
	sum := sha256.Sum256(f.Bytes())
	id := hex.EncodeToString(sum[:16])
	start := f.Len()
	fmt.Fprintf(f, "xref\n0 %d\n0000000000 65535 f \n", len(f.offsets))
	for _, at := range f.offsets[1:] {
		fmt.Fprintf(f, "%010d 00000 n \n", at)
	}
	fmt.Fprintf(f, "trailer\n<</Size %d/Root %d 0 R/Info %d 0 R/ID[<%s><%s>]>>\nstartxref\n%d\n%%%%EOF\n",
		len(f.offsets), catalog, info, id, id, start)
}

// A zlib writer holds most of a megabyte of tables, so they are kept. Level 3 takes half the
// time of the default for pages that are a tenth larger.
var compressors = sync.Pool{New: func() any {
	w, _ := zlib.NewWriterLevel(io.Discard, 3) // a valid level
	return w
}}

func deflate(data []byte) []byte {
	w := compressors.Get().(*zlib.Writer)
	defer compressors.Put(w)
	return deflateWith(w, data)
}

// deflateBest is for what is compressed once and stored in every document.
func deflateBest(data []byte) []byte {
	w, _ := zlib.NewWriterLevel(io.Discard, zlib.BestCompression) // a valid level
	return deflateWith(w, data)
}

func deflateWith(w *zlib.Writer, data []byte) []byte {
	var b bytes.Buffer
	b.Grow(len(data)/2 + 64)
	w.Reset(&b)
	_, _ = w.Write(data) // a bytes.Buffer does not fail
	_ = w.Close()
	return b.Bytes()
}

// textString is a text string object: UTF-16 with byte order mark, in hexadecimal, so that
// no character needs escaping.
func textString(s string) string {
	var b strings.Builder
	b.WriteString("<FEFF")
	for _, u := range utf16.Encode([]rune(s)) {
		fmt.Fprintf(&b, "%04X", u)
	}
	b.WriteByte('>')
	return b.String()
}

func dateString(t time.Time) string { return t.UTC().Format("(D:20060102150405Z)") }

// appendNumber writes v with at most three decimals. It is called some ten thousand times
// per document; strconv.AppendFloat takes five times as long.
func appendNumber(b []byte, v float64) []byte {
	n := int64(math.Round(v * 1000))
	if n < 0 {
		b, n = append(b, '-'), -n
	}
	b = strconv.AppendInt(b, n/1000, 10)
	if n %= 1000; n == 0 {
		return b
	}
	b = append(b, '.', byte('0'+n/100), byte('0'+n/10%10), byte('0'+n%10))
	for b[len(b)-1] == '0' {
		b = b[:len(b)-1]
	}
	return b
}
