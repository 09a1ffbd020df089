package billing_test

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
)

// staged imports a file as the page does: the columns are called as the bank does.
func (w *world) staged(file string) (billing.StatementResult, error) {
	w.Helper()
	head, err := w.StageStatement(w.staff(), strings.NewReader(file))
	if err != nil {
		return billing.StatementResult{}, err
	}
	return w.ImportStagedStatement(w.staff(), head.Proposed)
}

func (w *world) count(query string) (n int) {
	w.Helper()
	if err := w.sql.QueryRow(query).Scan(&n); err != nil {
		w.Fatal(err)
	}
	return n
}

// Files as banks write them.
func TestStatementFormats(t *testing.T) {
	w := newWorld(t)
	latin := strings.NewReplacer("ó", "\xf3", "ñ", "\xf1", "é", "\xe9")
	for _, c := range []struct {
		name, file string
		want       billing.StatementResult
		says       string // the deposits, the oldest first
	}{
		{"charges and deposits in columns of their own", "Fecha,Concepto,Cargo,Abono,Saldo\n01/03/2026,COMISION,58.00,,942.00\n02/03/2026,SPEI UNO,,\"1,234.56\",2176.56\n03/03/2026,TRASPASO,10.00,0.00,2166.56\n",
			billing.StatementResult{Added: 1, Withdrawn: 2}, "2026-03-02 123456 SPEI UNO"},
		{"semicolons and decimal commas", "Fecha;Descripción;Importe abono\n02-03-2026;DOS;1.234,56\n03.03.2026;TRES;58,00\n04/mar/2026;CUATRO;1,234.00\n",
			billing.StatementResult{Added: 3}, "2026-03-02 123456 DOS; 2026-03-03 5800 TRES; 2026-03-04 123400 CUATRO"},
		{"years of two digits, tabs", "fecha\tdeposito\n05/03/26\t$ 10.00\n", billing.StatementResult{Added: 1}, "2026-03-05 1000 "},
		{"Latin-1", latin.Replace("Fecha,Descripción,Depósitos\n06/03/2026,Año de crédito,10\n"), billing.StatementResult{Added: 1, Latin1: true}, "2026-03-06 1000 Año de crédito"},
		{"lines within quotes", "\ufeffFecha,Concepto,Abono\r\n07/03/2026,\"SPEI\r\nRECIBIDO,\r\nCAFÉ\",10\r\n08/03/2026,x,20\r\n",
			billing.StatementResult{Added: 2}, "2026-03-07 1000 SPEI RECIBIDO, CAFÉ; 2026-03-08 2000 x"},
		{"rows of title above", "Banco de Ejemplo\nCuenta,1234\n\nFecha,Concepto,Cargos,Abonos\n09/03/2026,UNO,,1\n,Total,,1\n", billing.StatementResult{}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := w.sql.Exec("DELETE FROM bank_movement"); err != nil {
				t.Fatal(err)
			}
			got, err := w.staged(c.file)
			if c.says == "" {
				wrong(t, err, "rows[6].date", "DATE_MALFORMED")
				return
			}
			if err != nil || got != c.want {
				t.Fatalf("%+v %v, want %+v", got, err, c.want)
			}
			list := must(t, func() (db.List[db.Movement], error) { return w.Movements(w.staff(), "", db.Page{}) })
			says := []string{}
			for _, m := range list.Rows {
				says = append(says, fmt.Sprintf("%s %d %s", m.ReceivedOn, m.Amount, m.Description))
			}
			if strings.Join(says, "; ") != c.says {
				t.Error(says)
			}
		})
	}
}

// What is wrong is said by row and column, and nothing of the file is kept.
func TestStatementErrors(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct{ name, file, path, code string }{
		{"empty", "", "rows[1]", "FILE_EMPTY"},
		{"a spreadsheet", "PK\x03\x04...", "rows[1]", "FILE_ENCODING"},
		{"UTF-16", "\xff\xfeF\x00", "rows[1]", "FILE_ENCODING"},
		{"no date", "Fecha,Abono\n01/03/2026,1\n,2\n", "rows[3].date", "DATE_MALFORMED"},
		{"month first", "Fecha,Abono\n03/31/2026,1\n", "rows[2].date", "DATE_MALFORMED"},
		{"text for an amount", "Fecha,Abono\n01/03/2026,1\n02/03/2026,uno\n", "rows[3].amount", "AMOUNT_INVALID"},
		{"three decimals", "Fecha,Abono\n01/03/2026,1.234\n", "rows[2].amount", "AMOUNT_TOO_MANY_DECIMALS"},
		{"19 digits", "Fecha,Abono\n01/03/2026,9999999999999999999\n", "rows[2].amount", "AMOUNT_TOO_LARGE"},
		{"unknown currency", "Fecha,Abono,Moneda\n01/03/2026,1,XYZ\n", "rows[2].currency", "CURRENCY_UNKNOWN"},
		{"broken quotes", "Fecha,Abono\n01/03/2026,1\n02/03/2026,\"1\"x\n", "rows[3]", "ROW_MALFORMED"},
		{"after lines within quotes", "Fecha,Concepto,Abono\n01/03/2026,\"a\nb\",1\n02/03/2026,c,uno\n", "rows[4].amount", "AMOUNT_INVALID"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := w.staged(c.file)
			wrong(t, err, c.path, c.code)
		})
	}
	// Columns that say nothing of a date or an amount are asked for, and rows without them refused.
	head, err := w.StageStatement(w.staff(), strings.NewReader("a,b\n1,2\n"))
	if err != nil || head.Complete() {
		t.Errorf("%+v %v", head, err)
	}
	_, err = w.ImportStagedStatement(w.staff(), billing.Columns{"a": "date"})
	wrong(t, err, "columns.amount", "REQUIRED")
	_, err = w.ImportStatement(w.staff(), strings.NewReader("fecha,abono\n"))
	wrong(t, err, "rows[1]", "COLUMN_UNKNOWN")
	wrong(t, err, "rows[1]", "COLUMN_MISSING")

	bad := "date,amount\n2026-03-01,5\n" + strings.Repeat("2026-03-01,x\n", 250)
	got, err := w.ImportStatement(w.staff(), strings.NewReader(bad))
	if f, ok := fault.As(err); !ok || len(f.Fields) != 100 || got.Errors != 250 {
		t.Errorf("%+v %v", got, err)
	}
	if n := w.count("SELECT count(*) FROM bank_movement"); n != 0 {
		t.Errorf("half-saved: %d movements", n)
	}
	if _, err := w.StageStatement(w.login(access.Invoices), strings.NewReader("x")); !fault.Is(err, fault.Forbidden) {
		t.Error(err)
	}
}

// An invoice is proposed to one deposit, the surest one, and deposits of equal amounts pay the invoices in
// the order in which they are due.
func TestStatementMatching(t *testing.T) {
	w := newWorld(t)
	late, soon := w.input("100"), w.input("100")
	late.DueDate, soon.DueDate = "2026-04-30", "2026-03-20"
	a := must(t, func() (db.Invoice, error) { return w.IssueInvoice(w.staff(), late) })
	b := must(t, func() (db.Invoice, error) { return w.IssueInvoice(w.staff(), soon) })
	c := w.issue("50")
	ref := billing.PaymentReference(w.client.ID)
	file := "date,amount,reference,description\n" +
		"2026-03-01,116," + ref + ",uno\n" + // the first due
		"2026-03-02,116," + ref + ",dos\n" + // the next one
		"2026-03-03,116," + ref + ",tres\n" + // none is left
		"2026-03-04,20,,PAGO F3 PARCIAL\n" + // less certain than the row below
		"2026-03-05,58,,PAGO F-3\n" +
		"2026-03-06,58,,PAGO F-3 OTRA VEZ\n" +
		"2026-03-07,1,0000000,NADIE F-77\n"
	want := []string{"client_and_amount " + b.ID.String(), "client_and_amount " + a.ID.String(), "client inv_0", " inv_0", "number_and_amount " + c.ID.String(), " inv_0", " inv_0"}
	for range 2 { // the second time nothing is new
		must(t, func() (billing.StatementResult, error) { return w.ImportStatement(w.staff(), strings.NewReader(file)) })
		list := must(t, func() (db.List[db.Movement], error) { return w.Movements(w.staff(), "", db.Page{}) })
		got := []string{}
		for _, m := range list.Rows {
			got = append(got, m.Match+" "+m.InvoiceID.String())
		}
		if strings.Join(got, "; ") != strings.Join(want, "; ") {
			t.Errorf("got  %v\nwant %v", got, want)
		}
	}
	// What waits for a decision is not proposed again by a later statement, and what was ignored is.
	later := "date,amount,description\n2026-03-08,58,F-3\n"
	must(t, func() (billing.StatementResult, error) { return w.ImportStatement(w.staff(), strings.NewReader(later)) })
	if n := w.count("SELECT count(*) FROM bank_movement WHERE received_on = '2026-03-08' AND status = 'unmatched'"); n != 1 {
		t.Error("an invoice is proposed twice")
	}
	w.balanced()
}

// The number of statements does not grow with the file.
func TestStatementCount(t *testing.T) {
	w := newWorld(t)
	spent := func(rows int) uint32 {
		var file strings.Builder
		file.WriteString("date,amount,description\n")
		for n := range rows {
			fmt.Fprintf(&file, "2026-03-01,%d,%d\n", n+1, rows)
		}
		before := w.store.Statements()
		must(t, func() (billing.StatementResult, error) {
			return w.ImportStatement(w.staff(), strings.NewReader(file.String()))
		})
		return w.store.Statements() - before
	}
	if few, many := spent(10), spent(5000); few != many || many > 20 {
		t.Errorf("%d statements for 10 rows, %d for 5000", few, many)
	}
}

// TestStatementMany stages and imports a stream of 20,000 deposits, or as many as AVISA_IMPORT_ROWS says
// (2000000), and looks at the memory that is held meanwhile.
func TestStatementMany(t *testing.T) {
	w := newWorld(t)
	for range 20 {
		w.issue("100")
	}
	count := 20_000
	if text := os.Getenv("AVISA_IMPORT_ROWS"); text != "" {
		var err error
		if count, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	reader, writer := io.Pipe()
	go func() {
		_, err := fmt.Fprintln(writer, "date,amount,reference,description")
		for n := 0; n < count && err == nil; n++ {
			_, err = fmt.Fprintf(writer, "2026-03-%02d,%d.50,%07d,SPEI RECIBIDO DE CLIENTE NUMERO %d FACTURA F-%d\n", n%28+1, n%9000+1, n, n%1000, n%40)
		}
		_ = writer.CloseWithError(err)
	}()
	runtime.GC()
	var before, m runtime.MemStats
	runtime.ReadMemStats(&before)
	stop, most := make(chan struct{}), make(chan uint64)
	go func() {
		var high uint64
		for {
			select {
			case <-stop:
				most <- high
				return
			case <-time.After(20 * time.Millisecond):
				runtime.ReadMemStats(&m)
				high = max(high, m.HeapAlloc)
			}
		}
	}()
	start := time.Now()
	got, err := w.ImportStatement(w.staff(), reader)
	took := time.Since(start)
	close(stop)
	high := <-most
	if err != nil || got.Added != count {
		t.Fatalf("%+v %v", got, err)
	}
	if high > 64<<20 {
		t.Errorf("%d MB of heap at most", high>>20)
	}
	if n := w.count("SELECT count(*) FROM bank_movement WHERE invoice_id IS NOT NULL"); n != 20 {
		t.Errorf("%d invoices are proposed", n)
	}
	status, _ := os.ReadFile("/proc/self/status")
	_, rss, _ := strings.Cut(string(status), "VmHWM:")
	rss, _, _ = strings.Cut(rss, "\n")
	t.Logf("%d deposits in %v, at most %d MB of heap, %s resident", count, took.Round(time.Millisecond), high>>20, strings.TrimSpace(rss))
}
