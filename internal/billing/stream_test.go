package billing_test

import (
	"fmt"
	"io"
	"runtime"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
)

// meter is a reader on the other end of the line: it notes how many SQL statements had been made when the first bytes
// reached it, and how much memory is in use from one mark to the next.
type meter struct {
	store      *db.Store
	before     uint32   // statements when the writing began
	first      uint32   // statements until the first bytes
	bytes      int64    // so far
	every      int64    // bytes between marks
	heap       []uint64 // in use at the marks
	unmeasured int64
}

func (m *meter) Write(p []byte) (int, error) {
	if m.bytes == 0 {
		m.first = m.store.Statements() - m.before
	}
	m.bytes += int64(len(p))
	if m.unmeasured += int64(len(p)); m.unmeasured >= m.every {
		m.unmeasured = 0
		runtime.GC()
		var stats runtime.MemStats
		runtime.ReadMemStats(&stats)
		m.heap = append(m.heap, stats.HeapAlloc)
	}
	return len(p), nil
}

// grown is how much more memory is in use at the last mark than at the first after the beginning.
func (m *meter) grown() int64 {
	if len(m.heap) < 4 {
		return 1 << 40
	}
	return int64(m.heap[len(m.heap)-1]) - int64(m.heap[1])
}

// A list of any length leaves while it is read, page by page, and its memory does not grow: the first bytes are out
// after the first page. Of a ZIP the list at its end is kept, some hundred bytes a file (APPNOTE.TXT 4.3.12).
func TestFilesAreStreamed(t *testing.T) {
	w := newWorld(t)
	row := w.issue("100")
	if err := w.RenderPDF(w.system(), billing.RenderJob{InvoiceID: row.ID, Version: row.UpdatedAt.UnixMicro()}); err != nil {
		t.Fatal(err)
	}
	const count = 5500 // more than one ZIP once held
	_, err := w.sql.Exec(`INSERT INTO invoice (client_id, series, folio, number, status, issue_date, due_date, subtotal, tax, total, client_snapshot, issuer_snapshot, pdf_key, pdf_size, pdf_mark)
		SELECT client_id, 'Z', n, 'Z-' || n, status, issue_date, due_date, subtotal, tax, total, client_snapshot, issuer_snapshot, pdf_key, pdf_size, pdf_mark
		FROM invoice, generate_series(1, $1) AS n`, count-1)
	if err != nil {
		t.Fatal(err)
	}
	size := w.reload(row).PDFSize
	if size == 0 {
		t.Fatal("not rendered")
	}
	for _, c := range []struct {
		name   string
		write  func(io.Writer) error
		every  int64
		most   int64 // bytes that memory may grow
		before uint32
	}{
		{"zip", func(out io.Writer) error { return w.WriteZIP(w.staff(), billing.InvoiceQuery{}, out, "192.0.2.1") }, count / 10 * size, 400*count + 1<<20, 5},
		{"csv", func(out io.Writer) error { return w.ExportInvoices(w.staff(), billing.InvoiceQuery{}, out) }, count / 10 * 90, 1 << 20, 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := &meter{store: w.store, before: w.store.Statements(), every: c.every}
			if err := c.write(m); err != nil {
				t.Fatal(err)
			}
			all := w.store.Statements() - m.before
			if m.first > c.before || all < count/500 {
				t.Errorf("the first bytes left after %d of %d statements", m.first, all)
			}
			if grown := m.grown(); grown > c.most {
				t.Errorf("memory grew by %d bytes: %v", grown, m.heap)
			}
			t.Logf("%d invoices, %d bytes, first after %d of %d statements, memory %v", count, m.bytes, m.first, all, m.heap)
		})
	}
	if n := w.count("SELECT count(DISTINCT invoice_id) FROM invoice_download WHERE staff_id = 1 AND address = '192.0.2.1'"); n != count {
		t.Errorf("%d downloads are logged", n)
	}
	if err := w.WriteZIP(w.staff(), billing.InvoiceQuery{IssuedFrom: "1999-01-01", IssuedTo: "1999-01-31"}, io.Discard, ""); !fault.Is(err, fault.NotFound) {
		t.Error(err)
	}
}

// A file that breaks off has noted what left.
func TestBrokenArchiveIsLogged(t *testing.T) {
	w := newWorld(t)
	first, second := w.issue("100"), w.issue("200")
	if err := w.WriteZIP(w.staff(), billing.InvoiceQuery{}, broken{}, "192.0.2.1"); err == nil {
		t.Fatal("written to a closed line")
	}
	for _, row := range []db.Invoice{first, second} {
		if log := must(t, func() ([]db.InvoiceDownload, error) { return w.Downloads(w.staff(), row.ID) }); len(log) != 1 {
			t.Errorf("%s: %d downloads", row.Number, len(log))
		}
	}
}

type broken struct{}

func (broken) Write([]byte) (int, error) { return 0, fmt.Errorf("the line is closed") }
