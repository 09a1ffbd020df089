// Package sheet reads CSV files as people's programs write them, row by row with constant memory, and makes texts
// harmless for those that are written.
package sheet

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"github.com/nubedigitalmx/avisa/internal/fault"
)

// Sheet is a CSV file that is being read: separated by commas, semicolons or tabs,
// in UTF-8 (with or without a mark) or in Latin-1 as older spreadsheets write it. Columns are found by the
// names of the first row.
type Sheet struct {
	CSV     *csv.Reader
	columns map[string]int
	width   int
	Mapped  bool // a person said what the columns are: the file is a bank's, not ours
	Row     int  // number of the row in the file, the first is 1
	Latin1  bool
	source  *latin
}

// Fault is a fault about one row.
func Fault(row int, code string, args ...any) error {
	var checks fault.Checks
	checks.Add(Path(row, ""), code, args...)
	return checks.Err()
}

// Path names a row of the file, and its column unless that is "".
func Path(row int, field string) string {
	if field == "" {
		return fmt.Sprintf("rows[%d]", row)
	}
	return fmt.Sprintf("rows[%d].%s", row, field)
}

// Open finds out how a file is written, before its first row.
func Open(r io.Reader) (*Sheet, error) {
	source := &latin{in: bufio.NewReaderSize(r, 64<<10)}
	head, err := source.in.Peek(4)
	if len(head) == 0 {
		return nil, Fault(1, "FILE_EMPTY")
	}
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) || bytes.IndexByte(head, 0) >= 0 ||
		bytes.HasPrefix(head, []byte("PK\x03\x04")) { // UTF-16, or a spreadsheet file
		return nil, Fault(1, "FILE_ENCODING")
	}
	if bytes.HasPrefix(head, []byte("\xef\xbb\xbf")) {
		_, _ = source.in.Discard(3)
	}
	peek, _ := source.in.Peek(8 << 10)
	comma := ','
	for _, c := range ";\t" {
		if bytes.ContainsRune(peek, c) && separates(peek, c) > separates(peek, comma) {
			comma = c
		}
	}
	s := &Sheet{CSV: csv.NewReader(source), source: source, columns: map[string]int{}}
	s.CSV.Comma, s.CSV.ReuseRecord, s.CSV.FieldsPerRecord = comma, true, -1
	return s, nil
}

// separates is how many of the sign the line with most of it has: rows of title above the names have none.
func separates(peek []byte, sign rune) int {
	most := 0
	for line := range bytes.Lines(peek) {
		most = max(most, bytes.Count(line, []byte(string(sign))))
	}
	return most
}

// New reads the first row. Columns may be in any order; one that is not known is an error, so
// that a misspelt name cannot be ignored.
func New(r io.Reader, required, optional []string) (*Sheet, error) {
	s, err := Open(r)
	if err != nil {
		return nil, err
	}
	names, err := s.CSV.Read()
	if err != nil {
		return nil, Fault(1, "ROW_MALFORMED")
	}
	var checks fault.Checks
	for i, name := range names {
		name = strings.ToLower(strings.TrimSpace(name))
		switch {
		case !slices.Contains(required, name) && !slices.Contains(optional, name):
			checks.Add("rows[1]", "COLUMN_UNKNOWN", "column", shorten(name))
		case s.Has(name):
			checks.Add("rows[1]."+name, "DUPLICATE")
		default:
			s.columns[name] = i
		}
		if i > 100 {
			break
		}
	}
	for _, name := range required {
		if !s.Has(name) {
			checks.Add("rows[1]", "COLUMN_MISSING", "column", name)
		}
	}
	s.width = len(names)
	return s, checks.Err()
}

// NewMapped reads up to the row with the names of columns, which says what of ours each is; its other columns, and up
// to preamble rows of title above it, are left out.
func NewMapped(r io.Reader, columns map[string]string, preamble int) (*Sheet, error) {
	s, err := Open(r)
	if err != nil {
		return nil, err
	}
	for range preamble {
		names, err := s.CSV.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, Fault(1, "ROW_MALFORMED")
		}
		for name, column := range columns {
			if i := slices.Index(names, name); i >= 0 {
				s.columns[column] = i
			}
		}
		if len(s.columns) == len(columns) {
			s.width, s.Mapped = len(names), true
			return s, nil
		}
		clear(s.columns)
	}
	return nil, Fault(1, "COLUMN_MISSING", "column", "")
}

// Has reports whether the file has a column.
func (s *Sheet) Has(column string) bool { _, ok := s.columns[column]; return ok }

func shorten(text string) string {
	if r := []rune(text); len(r) > 40 {
		return string(r[:40]) + "…"
	}
	return text
}

// Next reads a row; io.EOF at the end. A fault is about this row alone, and reading can go on.
func (s *Sheet) Next() (func(column string) string, error) {
	record, err := s.CSV.Read()
	if errors.Is(err, io.EOF) {
		return nil, io.EOF
	}
	var malformed *csv.ParseError
	if errors.As(err, &malformed) {
		s.Row = malformed.StartLine
		return nil, Fault(s.Row, "ROW_MALFORMED")
	}
	if err != nil {
		return nil, err
	}
	s.Row, _ = s.CSV.FieldPos(0)
	s.Latin1 = s.source.found
	if len(record) != s.width && !s.Mapped {
		return nil, Fault(s.Row, "COLUMN_COUNT", "count", len(record), "expected", s.width)
	}
	return func(column string) string {
		i, ok := s.columns[column]
		if !ok || i >= len(record) {
			return ""
		}
		return strings.TrimSpace(strings.ReplaceAll(record[i], "\x00", ""))
	}, nil
}

// latin passes UTF-8 through and reads every other byte as Windows-1252, the superset of Latin-1 that
// spreadsheets write. It needs no look ahead: a file may be found to be Latin-1 in its last row.
type latin struct {
	in    *bufio.Reader
	found bool
}

func (l *latin) Read(p []byte) (int, error) {
	n := 0
	for n+utf8.UTFMax <= len(p) {
		r, size, err := l.in.ReadRune()
		if err != nil {
			if n > 0 {
				return n, nil
			}
			return 0, err
		}
		if r == utf8.RuneError && size == 1 {
			if err := l.in.UnreadRune(); err != nil {
				return n, err
			}
			b, err := l.in.ReadByte()
			if err != nil {
				return n, err
			}
			r, l.found = charmap.Windows1252.DecodeByte(b), true
		}
		n += utf8.EncodeRune(p[n:], r)
		if l.in.Buffered() == 0 {
			return n, nil
		}
	}
	return n, nil
}
