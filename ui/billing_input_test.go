package ui

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/locale"
)

// Payments that cannot be and files that cannot be read are refused at both doors, at their field or at their row and
// column, with the same code, and nothing of them is saved. (Invoices: TestBadInvoices of the console and of the API.)
func TestBadPaymentsAndFiles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.both(Config{})
	staff := w.visit()
	staff.post("/consola/entrar", url.Values{"email": {personnel}, "password": {password}}).want(t, http.StatusSeeOther)
	invoice := dbtest.Invoice(t, w.store, w.client, "2026-03-01", "2026-12-31", now)
	saved := func() string {
		ctx := system(t.Context())
		invoices, err := w.store.Invoices(ctx, db.InvoiceFilter{Reach: access.Reach{All: true}}, db.Page{First: 100})
		if err != nil {
			t.Fatal(err)
		}
		payments, err := w.billing.Payments(ctx, invoice.ID)
		if err != nil {
			t.Fatal(err)
		}
		row, err := w.store.Invoice(ctx, invoice.ID)
		if err != nil {
			t.Fatal(err)
		}
		return fmt.Sprint(len(invoices.Rows), len(payments), row.Paid, row.Status)
	}
	before := saved()

	for name, c := range map[string]struct{ amount, page, api string }{
		"nothing":             {"0", "AMOUNT_NOT_POSITIVE", "AMOUNT_NOT_POSITIVE"},
		"less than nothing":   {"-5", "AMOUNT_NOT_POSITIVE", "AMOUNT_NOT_POSITIVE"},
		"above the balance":   {"999999.99", "AMOUNT_ABOVE_BALANCE", "AMOUNT_ABOVE_BALANCE"},
		"a tenth of a cent":   {"1.001", "AMOUNT_TOO_MANY_DECIMALS", "AMOUNT_TOO_MANY_DECIMALS"},
		"nineteen digits":     {"1234567890123456789", "AMOUNT_TOO_LARGE", "AMOUNT_TOO_LARGE"},
		"words":               {"mucho", "AMOUNT_INVALID", "NUMBER_MALFORMED"},
		"nothing was typed":   {"", "AMOUNT_REQUIRED", "NUMBER_MALFORMED"},
		"not a number at all": {"NaN", "AMOUNT_INVALID", "NUMBER_MALFORMED"},
	} {
		form := url.Values{"amount": {c.amount}, "method": {"transfer"}, "receivedOn": {"2026-04-01"}, "requestKey": {"p-" + name}}
		p := staff.post("/consola/facturas/"+invoice.ID.String()+"/pagos", form).want(t, http.StatusUnprocessableEntity)
		if got := p.fieldError("f-amount"); got != locale.Error(locale.Spanish, c.page, nil) {
			t.Errorf("%s: the page says %q", name, got)
		}
		if p.value("f-amount") != c.amount {
			t.Errorf("%s: the page forgets what was typed", name)
		}
		code, _ := staff.api(`mutation ($i: ID!, $a: Decimal!, $k: String!) { recordPayment(input: {invoiceId: $i, amount: $a, method: TRANSFER, requestKey: $k}) { invoice { id } userErrors { field code message } } }`,
			map[string]any{"i": invoice.ID.String(), "a": c.amount, "k": "a-" + name})
		if code != c.api {
			t.Errorf("%s: the API says %q", name, code)
		}
	}

	const head, good = "reference,client,due_date,description,unit_price\n", "G-%d,%s,2026-12-31,Hospedaje,1\n"
	long := &strings.Builder{} // an error in the last row of many: none of the others stays
	long.WriteString(head)
	for n := range 2500 {
		fmt.Fprintf(long, good, n, w.client.ID)
	}
	long.WriteString("G-9999," + w.client.ID.String() + ",2026-12-31,Hospedaje,diez\n")
	wide := []byte{0xff, 0xfe}
	for _, unit := range utf16.Encode([]rune(head)) {
		wide = append(wide, byte(unit), byte(unit>>8))
	}
	for name, c := range map[string]struct {
		file      string
		row       int
		column    string
		code      string
		pageAlone bool // JSON cannot carry it
	}{
		"no columns":          {file: "a;b;c\n1;2;3\n", row: 1, code: "COLUMN_MISSING"},
		"a column is missing": {file: "reference,client,due_date,description\nA,b,c,d\n", row: 1, code: "COLUMN_MISSING"},
		"an unknown column":   {file: strings.Replace(head, "\n", ",precio\n", 1), row: 1, code: "COLUMN_UNKNOWN"},
		"empty":               {file: head, row: 1, code: "FILE_EMPTY"},
		"UTF-16":              {file: string(wide), row: 1, code: "FILE_ENCODING", pageAlone: true},
		"a spreadsheet":       {file: "PK\x03\x04....", row: 1, code: "FILE_ENCODING"},
		"BOM and a bad date":  {file: "\ufeff" + head + "A-1," + w.client.ID.String() + ",31/12/2026,H,1\n", row: 2, column: "due_date", code: "DATE_MALFORMED"},
		"Latin-1":             {file: head + "A-1," + w.client.ID.String() + ",2026-12-31,Dise\xf1o,diez\n", row: 2, column: "unit_price", code: "AMOUNT_INVALID", pageAlone: true},
		"nineteen digits":     {file: head + "A-1," + w.client.ID.String() + ",2026-12-31,H,1234567890123456789\n", row: 2, column: "unit_price", code: "AMOUNT_TOO_LARGE"},
		"due before issue":    {file: head + "A-1," + w.client.ID.String() + ",2020-01-01,H,1\n", row: 2, column: "due_date", code: "DATE_ORDER"},
		"zero":                {file: head + "A-1," + w.client.ID.String() + ",2026-12-31,H,0\n", row: 2, code: "TOTAL_NOT_POSITIVE"},
		"the last of many":    {file: long.String(), row: 2502, column: "unit_price", code: "AMOUNT_INVALID"},
	} {
		p := staff.upload("/consola/facturas/importar", map[string][]byte{"file": []byte(c.file)}, nil).want(t, http.StatusUnprocessableEntity)
		where := fmt.Sprintf("Fila %d", c.row)
		if c.column != "" {
			where += ", columna " + c.column
		}
		text, _, _ := strings.Cut(locale.Error(locale.Spanish, c.code, nil), "{")
		if !strings.Contains(p.text(), where) || !strings.Contains(p.text(), strings.TrimRight(text, " «")) {
			t.Errorf("%s: the page does not say %q, %q: %s", name, where, text, p.text())
		}
		if c.pageAlone {
			continue
		}
		code, a := staff.api(`mutation ($csv: String!) { importInvoices(input: {csv: $csv}) { invoices errors userErrors { field code message } } }`, map[string]any{"csv": c.file})
		if path := fmt.Sprintf(`"rows","%d"`, c.row); !strings.Contains(" "+code+" ", " "+c.code+" ") || !strings.Contains(a.body, path) || c.column != "" && !strings.Contains(a.body, `"`+c.column+`"`) {
			t.Errorf("%s: the API says %s", name, a.body)
		}
	}
	if after := saved(); after != before {
		t.Errorf("something was saved: %s, was %s", after, before)
	}
}
