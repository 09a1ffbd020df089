package billing_test

import (
	"fmt"
	"io"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

func (w *world) imports(file string) (billing.ImportResult, error) {
	return w.ImportInvoices(w.staff(), strings.NewReader(file))
}

func TestImportInvoices(t *testing.T) {
	w := newWorld(t)
	file := "reference,client,due_date,description,quantity,unit_price,treatment,tax_included\r\n" +
		"A-1," + w.client.ID.String() + ",2026-03-31,Hospedaje,1,1499.00,iva16,\r\n" +
		"A-1," + w.client.ID.String() + ",2026-03-31,Dominio,1,349.00,,\r\n" +
		"A-2,CAFE@cliente.example,2026-04-15,\"Servidor, 4 núcleos\",0.566667,899.00,iva16,no\r\n" +
		"A-3,cafe@cliente.example,2026-04-15,Con IVA,1,100.00,iva16,sí\r\n"
	for _, want := range []billing.ImportResult{{Invoices: 3}, {Existing: 3}} { // the same file again changes nothing
		got, err := w.imports(file)
		if err != nil || got != want {
			t.Fatalf("%+v %v, want %+v", got, err, want)
		}
	}
	list := must(t, func() (db.List[db.Invoice], error) {
		return w.Invoices(w.staff(), billing.InvoiceQuery{Order: db.InvoiceOrder{By: "folio", Ascending: true}}, db.Page{})
	})
	got := ""
	for _, row := range list.Rows {
		got += fmt.Sprintf("%s %s %d %s; ", row.Number, row.ExternalRef, row.Total, row.DueDate)
	}
	if got != "I-1 A-1 214368 2026-03-31; I-2 A-2 59094 2026-04-15; I-3 A-3 10000 2026-04-15; " {
		t.Fatal(got)
	}
	lines := must(t, func() (map[id.Invoice][]db.InvoiceLine, error) { return w.Lines(w.staff(), list.Rows[1].ID) })
	if got := lines[list.Rows[1].ID][0].Description; got != "Servidor, 4 núcleos" {
		t.Fatal(got)
	}
	if _, err := w.ImportInvoices(w.login(access.Invoices), strings.NewReader(file)); !fault.Is(err, fault.Forbidden) {
		t.Fatal(err)
	}
	w.balanced()
}

func TestImportEncodings(t *testing.T) {
	w := newWorld(t)
	utf := "reference;client;due_date;description;unit_price\nB-%d;cafe@cliente.example;2026-03-31;Diseño de página «Ñandú»;10\n"
	latin := strings.NewReplacer("ñ", "\xf1", "á", "\xe1", "«", "\xab", "Ñ", "\xd1", "ú", "\xfa", "»", "\xbb").Replace(utf)
	for n, file := range []string{utf, "\ufeff" + utf, latin} {
		got, err := w.imports(fmt.Sprintf(file, n))
		if err != nil || got.Invoices != 1 || got.Latin1 != (n == 2) {
			t.Fatalf("%d: %+v %v", n, got, err)
		}
	}
	var different int
	if err := w.sql.QueryRow("SELECT count(DISTINCT description) FROM invoice_line WHERE description = 'Diseño de página «Ñandú»'").Scan(&different); err != nil || different != 1 {
		t.Fatalf("%d %v", different, err)
	}
	var total int
	if err := w.sql.QueryRow("SELECT count(*) FROM invoice_line WHERE description = 'Diseño de página «Ñandú»'").Scan(&total); err != nil || total != 3 {
		t.Fatalf("%d %v", total, err)
	}
}

func TestImportErrors(t *testing.T) {
	w := newWorld(t)
	twin := w.client
	twin.ID, twin.Email = 0, "doble@cliente.example"
	for range 2 {
		twin.ID = 0
		if err := w.store.AddClient(t.Context(), &twin); err != nil {
			t.Fatal(err)
		}
	}
	head := "reference,client,due_date,description,quantity,unit_price,treatment\n"
	good := "C-0,cafe@cliente.example,2026-03-31,Hospedaje,1,10,iva16\n"
	wide := "reference,client,due_date,description,unit_price,currency,exchange_rate,notes\n"
	var many string // more than is written at once
	for n := range 600 {
		many += fmt.Sprintf("R-%d,cafe@cliente.example,2026-03-31,Hospedaje,1,10,iva16\n", n)
	}
	for _, c := range []struct{ name, file, path, code string }{
		{"empty", "", "rows[1]", "FILE_EMPTY"},
		{"only a header", head, "rows[1]", "FILE_EMPTY"},
		{"UTF-16", "\xff\xfer\x00e\x00", "rows[1]", "FILE_ENCODING"},
		{"a spreadsheet", "PK\x03\x04...", "rows[1]", "FILE_ENCODING"},
		{"missing column", "reference,client,due_date,description\n", "rows[1]", "COLUMN_MISSING"},
		{"unknown column", "reference,client,due_date,description,unit_price,precio\n", "rows[1]", "COLUMN_UNKNOWN"},
		{"column twice", "reference,client,due_date,description,unit_price,client\n", "rows[1].client", "DUPLICATE"},
		{"too few columns", head + good + "C-1,cafe@cliente.example\n", "rows[3]", "COLUMN_COUNT"},
		{"broken quotes", head + good + "C-1,\"cafe\"x,2026-03-31,H,1,10,iva16\n", "rows[3]", "ROW_MALFORMED"},
		{"no reference", head + good + ",cafe@cliente.example,2026-03-31,H,1,10,iva16\n", "rows[3].reference", "REQUIRED"},
		{"unknown client", head + good + "C-1,nadie@cliente.example,2026-03-31,H,1,10,iva16\n", "rows[3].client", "CLIENT_UNKNOWN"},
		{"ambiguous client", head + good + "C-1,doble@cliente.example,2026-03-31,H,1,10,iva16\n", "rows[3].client", "CLIENT_AMBIGUOUS"},
		{"bad date", head + good + "C-1,cafe@cliente.example,31/03/2026,H,1,10,iva16\n", "rows[3].due_date", "DATE_MALFORMED"},
		{"due before issue", head + good + "C-1,cafe@cliente.example,2026-03-01,H,1,10,iva16\n", "rows[3].due_date", "DATE_ORDER"},
		{"bad price", head + good + "C-1,cafe@cliente.example,2026-03-31,H,1,diez,iva16\n", "rows[3].unit_price", "AMOUNT_INVALID"},
		{"19 digits", head + good + "C-1,cafe@cliente.example,2026-03-31,H,1,9999999999999999999,iva16\n", "rows[3].unit_price", "AMOUNT_TOO_LARGE"},
		{"seven decimals", head + good + "C-1,cafe@cliente.example,2026-03-31,H,0.0000001,10,iva16\n", "rows[3].quantity", "AMOUNT_TOO_MANY_DECIMALS"},
		{"zero quantity", head + good + "C-1,cafe@cliente.example,2026-03-31,H,0,10,iva16\n", "rows[3].quantity", "QUANTITY_NOT_POSITIVE"},
		{"bad treatment", head + good + "C-1,cafe@cliente.example,2026-03-31,H,1,10,iva99\n", "rows[3].treatment", "TAX_TREATMENT_UNKNOWN"},
		{"no description", head + good + "C-1,cafe@cliente.example,2026-03-31,,1,10,iva16\n", "rows[3].description", "REQUIRED"},
		{"split reference", head + good + "C-1,cafe@cliente.example,2026-03-31,H,1,10,iva16\n" + good, "rows[4].reference", "REFERENCE_SPLIT"},
		{"two dates", head + good + "C-0,cafe@cliente.example,2026-04-30,H,1,10,iva16\n", "rows[3].reference", "REFERENCE_SPLIT"},
		{"split over batches", head + many + "R-3,cafe@cliente.example,2026-03-31,H,1,5000,iva16\n", "rows[602].reference", "REFERENCE_SPLIT"},
		{"two currencies", wide + "A,cafe@cliente.example,2026-03-31,H,10,MXN,,x\nA,cafe@cliente.example,2026-03-31,H,10,USD,,\n", "rows[3].currency", "REFERENCE_SPLIT"},
		{"two rates", wide + "A,cafe@cliente.example,2026-03-31,H,10,USD,17,x\nA,cafe@cliente.example,2026-03-31,H,10,,18,x\n", "rows[3].exchange_rate", "REFERENCE_SPLIT"},
		{"two notes", wide + "A,cafe@cliente.example,2026-03-31,H,10,,,x\nA,cafe@cliente.example,2026-03-31,H,10,,,y\n", "rows[3].notes", "REFERENCE_SPLIT"},
	} {
		_, err := w.imports(c.file)
		t.Run(c.name, func(t *testing.T) { wrong(t, err, c.path, c.code) })
	}
	var saved, keys, numbers int
	if err := w.sql.QueryRow("SELECT (SELECT count(*) FROM invoice), (SELECT count(*) FROM billing_request), (SELECT count(*) FROM series)").Scan(&saved, &keys, &numbers); err != nil {
		t.Fatal(err)
	}
	if saved+keys+numbers != 0 {
		t.Fatalf("half-saved: %d invoices, %d keys, %d series", saved, keys, numbers)
	}
	// Every error is counted, a hundred are told.
	bad := head + strings.Repeat("C-1,nadie@cliente.example,2026-03-31,H,1,diez,iva16\n", 1)
	for n := range 500 {
		bad += fmt.Sprintf("D-%d,nadie@cliente.example,2026-03-31,H,1,diez,iva16\n", n)
	}
	got, err := w.imports(bad)
	f, _ := fault.As(err)
	if f == nil || len(f.Fields) != 100 || got.Errors != 1002 || got.Invoices != 0 {
		t.Fatalf("%+v, %v", got, err)
	}
}

// Keys that a whole imported catalog does not hold on the day of issue are refused by every way in; one that was
// imported in part refuses nothing.
func TestUnknownSATKeys(t *testing.T) {
	w := newWorld(t)
	keyed := func(prodServ, unidad string) billing.LineInput {
		l := line("10")
		l.ClaveProdServ, l.ClaveUnidad = prodServ, unidad
		return l
	}
	issue := func(lines ...billing.LineInput) error {
		_, err := w.IssueInvoice(w.staff(), billing.IssueInput{ClientID: w.client.ID, DueDate: "2026-03-31", Lines: lines})
		return err
	}
	catalog := func(partial bool) {
		t.Helper()
		for name, keys := range map[string][]db.SATKey{
			"c_ClaveProdServ": {{Key: "81112105"}, {Key: "81112106", VigenciaHasta: "2026-03-01"}, {Key: "81112106", VigenciaDesde: "2027-01-01"}},
			"c_ClaveUnidad":   {{Key: "E48"}},
		} {
			for i := range keys {
				keys[i].Catalog, keys[i].N, keys[i].Text, keys[i].Properties = name, i, "x", map[string]string{}
			}
			if err := w.store.InTx(t.Context(), func(tx *db.Store) error {
				_, err := tx.SaveSATCatalog(t.Context(), db.SATCatalog{Name: name, SHA256: []byte{1}, Partial: partial, Source: "x"}, keys)
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := issue(keyed("99999999", "ZZZ")); err != nil {
		t.Fatal("without catalogs:", err)
	}
	catalog(true)
	if err := issue(keyed("99999999", "ZZZ")); err != nil {
		t.Fatal("a part of the catalogs:", err)
	}
	catalog(false)
	if err := issue(keyed("81112105", "e48"), keyed("", "")); err != nil {
		t.Fatal(err)
	}
	wrong(t, issue(line("1"), keyed("99999999", "")), "lines[1].claveProdServ", "SAT_KEY_UNKNOWN")
	wrong(t, issue(keyed("81112106", "E48")), "lines[0].claveProdServ", "SAT_KEY_UNKNOWN") // ended, and begins again
	wrong(t, issue(keyed("81112105", "ZZZ")), "lines[0].claveUnidad", "SAT_KEY_UNKNOWN")
	_, err := w.SaveDraft(w.staff(), billing.SaveDraftInput{IssueInput: billing.IssueInput{ClientID: w.client.ID, DueDate: "2026-03-31", Lines: []billing.LineInput{keyed("99999999", "")}}})
	wrong(t, err, "lines[0].claveProdServ", "SAT_KEY_UNKNOWN")
	_, err = w.imports("reference,client,due_date,description,unit_price,clave_prod_serv,clave_unidad\nS-1,cafe@cliente.example,2026-03-31,H,1,81112105,E48\nS-2,cafe@cliente.example,2026-03-31,H,1,99999999,\n")
	wrong(t, err, "rows[3].clave_prod_serv", "SAT_KEY_UNKNOWN")
	pricing := billing.Pricing{Kind: "hosting", Cycle: billing.Monthly, Price: money.Int(10), ClaveUnidad: "ZZZ"}
	_, err = w.SaveProduct(w.staff(), billing.ProductInput{Name: "Hospedaje", Pricing: pricing})
	wrong(t, err, "claveUnidad", "SAT_KEY_UNKNOWN")
	_, err = w.AddService(w.staff(), billing.ServiceInput{ClientID: w.client.ID, Description: "Hospedaje", Pricing: pricing, StartsOn: "2026-04-01", RequestKey: "s"})
	wrong(t, err, "claveUnidad", "SAT_KEY_UNKNOWN")
}

// TestImportMany reads a stream of 3,000 invoices, or as many as AVISA_IMPORT_ROWS says (2000000), and
// looks at the memory that is held while it is read.
func TestImportMany(t *testing.T) {
	w := newWorld(t)
	count := 3000
	if text := os.Getenv("AVISA_IMPORT_ROWS"); text != "" {
		var err error
		if count, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	var most uint64
	reader, writer := io.Pipe()
	go func() {
		_, err := fmt.Fprintln(writer, "reference,client,due_date,description,unit_price")
		for n := 0; n < count && err == nil; n++ {
			_, err = fmt.Fprintf(writer, "M-%d,cafe@cliente.example,2026-03-31,Hospedaje,10\n", n)
			if n%(count/10) == 0 {
				var m runtime.MemStats
				runtime.GC()
				runtime.ReadMemStats(&m)
				most = max(most, m.HeapAlloc)
			}
		}
		_ = writer.CloseWithError(err)
	}()
	got, err := w.ImportInvoices(w.staff(), reader)
	if err != nil || got.Invoices != count {
		t.Fatalf("%+v %v", got, err)
	}
	if most > 64<<20 {
		t.Fatalf("%d MB held", most>>20)
	}
	t.Logf("%d invoices, at most %d MB of live heap", count, most>>20)
	w.balanced()
}

func TestBankStatement(t *testing.T) {
	w := newWorld(t)
	a, b := w.issue("100"), w.issue("50")
	ref := billing.PaymentReference(w.client.ID)
	file := "Date,Amount,Reference,Description\n" +
		"10/03/2026,\"$1,000.00\"," + ref + ",SPEI RECIBIDO\n" + // client alone
		"2026-03-10,116.00,,PAGO FACTURA F1 BANCO\n" + // number without hyphen, whole balance
		"2026-03-10,58.00," + ref + ",\n" + // client and amount
		"2026-03-10,7.00,F-99,DEPOSITO\n" +
		"2026-03-10,7.00,F-99,DEPOSITO\n" + // twice the same on one day: two deposits
		"2026-03-10,-250.00,,COMISION\n"
	for _, want := range []billing.StatementResult{{Added: 5, Withdrawn: 1}, {Known: 5, Withdrawn: 1}} {
		got, err := w.ImportStatement(w.staff(), strings.NewReader(file))
		if err != nil || got != want {
			t.Fatalf("%+v %v, want %+v", got, err, want)
		}
	}
	list := must(t, func() (db.List[db.Movement], error) { return w.Movements(w.staff(), "", db.Page{}) })
	why := []string{}
	for _, m := range list.Rows {
		why = append(why, m.Status+" "+m.Match)
	}
	if got := strings.Join(why, "; "); got != "matched client; matched number_and_amount; matched client_and_amount; unmatched ; unmatched " {
		t.Fatal(got)
	}
	if list.Rows[1].InvoiceID != a.ID || list.Rows[2].InvoiceID != b.ID || list.Rows[0].ClientID != w.client.ID {
		t.Fatalf("%+v", list.Rows)
	}
	for range 2 {
		for _, m := range list.Rows[:3] {
			got := must(t, func() (db.Movement, error) {
				return w.ConfirmMovement(w.staff(), billing.ConfirmInput{MovementID: m.ID})
			})
			if got.Status != db.MovementConfirmed || got.PaymentID == 0 {
				t.Fatalf("%+v", got)
			}
		}
	}
	if a, b = w.reload(a), w.reload(b); a.Status != db.InvoicePaid || b.Status != db.InvoicePaid || w.credit() != 100000 {
		t.Fatalf("%s %s, credit %d", a.Status, b.Status, w.credit())
	}
	_, err := w.ConfirmMovement(w.staff(), billing.ConfirmInput{MovementID: list.Rows[3].ID})
	wrong(t, err, "clientId", "REQUIRED")
	must(t, func() (db.Movement, error) { return w.IgnoreMovement(w.staff(), list.Rows[3].ID) })
	_, err = w.IgnoreMovement(w.staff(), list.Rows[0].ID)
	wrong(t, err, "", "MOVEMENT_DECIDED")
	_, err = w.ImportStatement(w.staff(), strings.NewReader("date,amount\n2026-03-10,1\n2026-13-10,1\n2026-03-10,abc\n"))
	wrong(t, err, "rows[3].date", "DATE_MALFORMED")
	wrong(t, err, "rows[4].amount", "AMOUNT_INVALID")
	w.balanced()
}

// What was imported is followed as what is issued otherwise: a PDF and a fiscal look for each invoice, a
// batch after the other, however often a batch is repeated.
func TestImportIsFollowed(t *testing.T) {
	w := newWorld(t)
	before := w.issue("1")
	const count = 1203
	var file strings.Builder
	file.WriteString("reference,client,due_date,description,unit_price\n")
	for n := range count {
		fmt.Fprintf(&file, "P-%d,cafe@cliente.example,2026-03-31,Hospedaje,10\n", n)
	}
	if _, err := w.imports(file.String()); err != nil {
		t.Fatal(err)
	}
	waiting := func(kind string) (n int) {
		if err := w.sql.QueryRow("SELECT count(*) FROM outbox WHERE kind = $1 AND payload->>'invoiceId' IS DISTINCT FROM $2", kind, before.ID.String()).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	render, changed, imported := billing.RenderJob{}.Kind(), billing.ChangedJob{}.Kind(), billing.ImportedJob{}.Kind()
	if waiting(imported) != 1 || waiting(render) != 0 {
		t.Fatalf("%d jobs follow the import, %d PDF", waiting(imported), waiting(render))
	}
	for job, batches := (billing.ImportedJob{First: 1, Last: count}), 0; ; batches++ {
		if job.First > count {
			if batches != 3 {
				t.Errorf("%d batches", batches)
			}
			break
		}
		for range 2 {
			if err := w.FollowImport(w.system(), job); err != nil {
				t.Fatal(err)
			}
		}
		job.First += 500
		if n := min(int(job.First)-1, count); waiting(render) != n || waiting(changed) != n {
			t.Fatalf("%d PDF and %d changes wait, want %d", waiting(render), waiting(changed), n)
		}
	}
	if waiting(imported) != 3 { // the import's own and one after each batch but the last
		t.Errorf("%d jobs follow", waiting(imported))
	}
	if err := w.FollowImport(w.staff(), billing.ImportedJob{First: 1, Last: 1}); !fault.Is(err, fault.Forbidden) {
		t.Error(err)
	}
	// Importing the same file again follows nothing.
	if _, err := w.imports(file.String()); err != nil || waiting(imported) != 3 {
		t.Errorf("%v, %d jobs", err, waiting(imported))
	}
}
