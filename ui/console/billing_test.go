package console

import (
	"archive/zip"
	"bytes"
	"encoding/csv"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// reload reads an invoice as it is now.
func (w *world) reload(invoice id.Invoice) db.Invoice {
	w.Helper()
	row, err := w.store.Invoice(w.Context(), invoice)
	if err != nil {
		w.Fatal(err)
	}
	return row
}

// balanced fails the test when documents and ledger do not add up.
func (w *world) balanced() {
	w.Helper()
	gaps, err := w.store.LedgerGaps(w.Context(), 10)
	if err != nil || len(gaps) > 0 {
		w.Fatalf("%+v, %v", gaps, err)
	}
}

// raw asks for something that is no page.
func (w *world) raw(address string) *http.Response {
	w.Helper()
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, httptest.NewRequest(http.MethodGet, address, nil))
	return rec.Result()
}

func invoiceAt(t *testing.T, location string) id.Invoice {
	t.Helper()
	key, err := id.ParseInvoice(strings.TrimPrefix(location, "/consola/facturas/"))
	if err != nil {
		t.Fatalf("%q: %v", location, err)
	}
	return key
}

func draftForm() url.Values {
	return url.Values{"accion": {"borrador"}, "issueDate": {"2026-04-29"}, "dueDate": {"2026-05-14"}, "currency": {"MXN"}, "requestKey": {"borrador-1"},
		"description": {"Hospedaje", ""}, "quantity": {"1", "1"}, "unitPrice": {"1,000.00", ""}, "discount": {"", ""}, "treatment": {"iva16", "iva16"},
		"claveProdServ": {"81112105", ""}, "claveUnidad": {"e48", ""}, "kind": {"hosting", ""}, "retencionISR": {"1.25", ""}}
}

// A draft is saved, edited with all that its form shows, previewed, and issued once.
func TestDraft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := dbtest.Client(t, w.store, "Aurora", "pagos@aurora.example")
	made := w.post(clientPath(client.ID)+"/facturas/nueva", draftForm()).want(t, 303)
	draft := invoiceAt(t, made.location)
	if again := w.post(clientPath(client.ID)+"/facturas/nueva", draftForm()).want(t, 303); again.location != made.location {
		t.Errorf("the same form made %s and %s", made.location, again.location)
	}
	w.get(made.location).want(t, 200, "Borrador", "Emitir factura", "$1,147.50 MXN") // 1000 + 160 - 12.50
	w.get("/consola/facturas?estado=borradores").want(t, 200, "Borrador", "1 factura")

	edit := made.location + "/editar"
	p := w.get(edit).want(t, 200, "Editar borrador")
	for name, want := range map[string]string{"retencionISR": "1.25", "claveUnidad": "E48"} {
		if got := attr(p.all("input", "name", name)[0], "value"); got != want {
			t.Errorf("%s is %q", name, got)
		}
	}
	form := draftForm()
	form["quantity"][0], form["unitPrice"][0], form["retencionISR"][0] = "0.001", "0.0049", ""
	w.post(edit, form).want(t, 422, "menor que medio centavo")
	form["quantity"][0], form["unitPrice"][0] = "3", "0.3333"
	w.post(edit, form).want(t, 303)
	if got := w.get(edit).want(t, 200).all("input", "name", "unitPrice"); attr(got[0], "value") != "0.3333" {
		t.Errorf("the price came back as %q", attr(got[0], "value"))
	}

	file := w.raw(made.location + "/vista-previa")
	body := new(bytes.Buffer)
	_, _ = body.ReadFrom(file.Body)
	if file.Header.Get("Content-Type") != "application/pdf" || !bytes.HasPrefix(body.Bytes(), []byte("%PDF-")) {
		t.Errorf("no PDF: %v", file.Header)
	}

	w.post(made.location+"/emitir", nil).want(t, 303)
	w.post(made.location+"/emitir", nil).want(t, 303)
	row := w.reload(draft)
	if row.Number != "F-1" || row.Total != 116 || row.Status != db.InvoiceIssued {
		t.Errorf("%+v", row)
	}
	w.get(edit).want(t, 409)
	w.post(made.location+"/eliminar", nil).want(t, 409)
	w.balanced()
}

func TestDeleteDraft(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := dbtest.Client(t, w.store, "Aurora", "pagos@aurora.example")
	made := w.post(clientPath(client.ID)+"/facturas/nueva", draftForm()).want(t, 303)
	w.post(made.location+"/eliminar", nil).want(t, 303)
	w.get(made.location).want(t, 404)
	log, err := w.store.AuditLog(t.Context(), db.AuditFilter{Reach: access.Reach{All: true}, Client: client.ID}, db.Page{})
	if err != nil || len(log.Rows) != 2 || log.Rows[0].Verb != "invoice.delete" || log.Rows[1].Verb != "invoice.draft" {
		t.Fatalf("%+v %v", log.Rows, err)
	}
}

// What a form must not let through is refused at its field, keeps what was typed and saves nothing.
func TestBadInvoices(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := dbtest.Client(t, w.store, "Aurora", "pagos@aurora.example")
	for _, test := range []struct {
		name, field, value, want string
		marked                   string
	}{
		{"zero quantity", "quantity", "0", "mayor que cero", "quantity"},
		{"negative quantity", "quantity", "-1", "mayor que cero", "quantity"},
		{"less than half a cent", "quantity", "0.000001", "medio centavo", "quantity"},
		{"seven decimals", "quantity", "0.0000001", "seis decimales", "quantity"},
		{"nineteen digits of it", "quantity", "1234567890123456789", "cantidad es demasiado grande", "quantity"},
		{"words", "quantity", "uno", "cantidad válida", "quantity"},
		{"nineteen digits", "unitPrice", "1234567890123456789", "demasiado grande", "unitPrice"},
		{"three decimals", "unitPrice", "1.500", "demasiados decimales", "unitPrice"},
		{"comma", "unitPrice", "12,5", "importe válido", "unitPrice"},
		{"zero total", "unitPrice", "0", "mayor que cero", ""},
		{"negative total", "unitPrice", "-5", "mayor que cero", ""},
		{"discount above the line", "discount", "2000", "descuento", "discount"},
		{"no such currency", "currency", "XXX", "", "currency"},
		{"due before issue", "dueDate", "2026-04-01", "anterior", "dueDate"},
		{"no such day", "dueDate", "2026-02-30", "fecha", "dueDate"},
		{"SAT key", "claveProdServ", "12", "", "claveProdServ"},
		{"withholding", "retencionISR", "mucho", "", "retencionISR"},
		{"withholding of all", "retencionISR", "150", "", "retencionISR"},
		{"control characters", "description", "a\x01b", "", "description"},
		{"long", "description", strings.Repeat("x", 1001), "", "description"},
	} {
		for _, action := range []string{"borrador", "emitir"} {
			form := draftForm()
			form.Set("accion", action)
			form[test.field][0] = test.value
			p := w.post(clientPath(client.ID)+"/facturas/nueva", form).want(t, 422, test.want)
			if got := strings.Join(p.marked(), " "); got != test.marked {
				t.Errorf("%s, %s: marked %q", test.name, action, got)
			}
			if !strings.Contains(p.body, "81112105") && test.field != "claveProdServ" {
				t.Errorf("%s: the form lost what was typed", test.name)
			}
		}
	}
	list, err := w.store.Invoices(t.Context(), db.InvoiceFilter{Reach: access.Reach{All: true}}, db.Page{})
	if err != nil || len(list.Rows) != 0 {
		t.Errorf("%d invoices were saved, %v", len(list.Rows), err)
	}
}

// Dollars ask for their exchange rate at once: the field is in the page and the style sheet shows it, so that nothing
// typed is lost. A wrong rate is refused at its field, and one that was typed is kept.
func TestExchangeRateField(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := dbtest.Client(t, w.store, "Aurora", "pagos@aurora.example")
	address := clientPath(client.ID) + "/facturas/nueva"
	p := w.get(address).want(t, 200, "Tipo de cambio (MXN por unidad)")
	if block := p.all("div", "data-rate", ""); len(block) != 1 || !strings.Contains(attr(block[0], "class"), "group-has-[option[value=MXN]:checked]:hidden") {
		t.Error("the field is not shown by the currency that is chosen")
	}
	for _, c := range []struct{ currency, rate, marked string }{
		{"USD", "", "exchangeRate"}, {"USD", "0", "exchangeRate"}, {"USD", "-18", "exchangeRate"}, {"USD", "dieciocho", "exchangeRate"},
	} {
		form := draftForm()
		form.Set("accion", "emitir")
		form.Set("currency", c.currency)
		form.Set("exchangeRate", c.rate)
		form.Set("rateSource", "DOF")
		p := w.post(address, form).want(t, 422)
		if got := strings.Join(p.marked(), " "); got != c.marked {
			t.Errorf("%q: marked %q", c.rate, got)
		}
		if p.field(t, "exchangeRate") != c.rate || p.field(t, "rateSource") != "DOF" {
			t.Errorf("%q: what was typed is lost", c.rate)
		}
	}
	form := draftForm()
	form.Set("accion", "emitir")
	form.Set("currency", "USD")
	form.Set("exchangeRate", "18.4567")
	row := w.reload(invoiceAt(t, w.post(address, form).want(t, 303).location))
	if row.Currency != money.USD || row.ExchangeRate.String() != "18.4567" {
		t.Errorf("%s at %s", row.Currency, row.ExchangeRate)
	}
	form.Set("currency", "MXN")
	form.Set("requestKey", "pesos")
	if row = w.reload(invoiceAt(t, w.post(address, form).want(t, 303).location)); row.ExchangeRate.String() != "1" {
		t.Errorf("pesos at %s", row.ExchangeRate)
	}
}

// The totals beside the form are those of the issue, and a row that cannot be read yet does not count.
func TestLiveTotals(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	form := draftForm()
	form["unitPrice"][0], form["retencionISR"][0] = "100.10", ""
	form["description"][1], form["unitPrice"][1] = "Dominio", "1."
	w.post("/consola/facturas/totales", form).want(t, 200, "100.10", "16.02", "116.12 MXN")
	form["unitPrice"][0] = "x"
	w.post("/consola/facturas/totales", form).want(t, 200, "—")
}

// A product fills a row, without touching the others.
func TestProductFillsRow(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := dbtest.Client(t, w.store, "Aurora", "pagos@aurora.example")
	product, err := w.billing.SaveProduct(access.With(t.Context(), staff), billing.ProductInput{Name: "Dominio .mx", Active: true,
		Pricing: billing.Pricing{Kind: "domain", TLD: "mx", Cycle: billing.Yearly, Price: money.Must("399.00"), PriceIncludesTax: true}})
	if err != nil {
		t.Fatal(err)
	}
	form := draftForm()
	form.Set("agregar", "producto")
	form.Set("producto", product.ID.String())
	p := w.post(clientPath(client.ID)+"/facturas/nueva", form).want(t, 200, "IVA incluido")
	rows := p.all("input", "name", "description")
	if len(rows) != 3 || attr(rows[0], "value") != "Hospedaje" || attr(rows[1], "value") != "Dominio .mx" || attr(p.all("input", "name", "tld")[1], "value") != "mx" {
		t.Errorf("%d rows", len(rows))
	}
	form.Del("agregar")
	form.Del("producto")
	form["description"], form["unitPrice"], form["tld"] = []string{"Dominio .mx"}, []string{"399.00"}, []string{"mx"}
	form["priceIncludesTax"], form["retencionISR"] = []string{"1"}, []string{""}
	form.Set("accion", "emitir")
	made := w.post(clientPath(client.ID)+"/facturas/nueva", form).want(t, 303)
	if row := w.reload(invoiceAt(t, made.location)); row.Total != 39900 {
		t.Errorf("total %d", row.Total)
	}
}

func TestCloseInvoice(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := dbtest.Client(t, w.store, "Aurora", "pagos@aurora.example")
	for how, status := range map[string]string{"cancelar": db.InvoiceCancelled, "incobrable": db.InvoiceWrittenOff} {
		row := dbtest.Invoice(t, w.store, client, "2026-04-15", "2026-04-30", now)
		address := invoicePath(row.ID) + "/" + how
		w.post(address, url.Values{"reason": {" "}}).want(t, 422, "obligatorio")
		if w.reload(row.ID).Status != db.InvoiceIssued {
			t.Fatal("closed without a reason")
		}
		w.post(address, url.Values{"reason": {"Duplicada"}}).want(t, 303)
		w.post(address, url.Values{"reason": {"Duplicada"}}).want(t, 303)
		if got := w.reload(row.ID); got.Status != status || got.CloseReason != "Duplicada" {
			t.Errorf("%s: %+v", how, got)
		}
		w.get(invoicePath(row.ID)).want(t, 200, "Duplicada")
	}
}

// A credit note takes a line back in part; it cannot take more than was invoiced; what was paid becomes
// credit, which pays another invoice.
func TestCreditNoteAndCredit(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := dbtest.Client(t, w.store, "Aurora", "pagos@aurora.example")
	row := dbtest.Invoice(t, w.store, client, "2026-04-15", "2026-04-30", now)
	w.post(invoicePath(row.ID)+"/pagos", url.Values{"amount": {"116.00"}, "method": {"transfer"}, "requestKey": {"p"}}).want(t, 303)
	address := invoicePath(row.ID) + "/nota-de-credito"
	p := w.get(address).want(t, 200, "Nota de crédito de la factura T-1")
	if got := attr(p.all("input", "name", "description")[0], "value"); got != "Hospedaje" {
		t.Errorf("the note does not begin with the invoice's lines: %q", got)
	}
	form := url.Values{"reason": {"Servicio no prestado"}, "requestKey": {"nota"}, "description": {"Hospedaje"}, "quantity": {"1"}, "unitPrice": {"100.01"}, "treatment": {"iva16"}}
	w.post(address, form).want(t, 422, "superarían el total")
	empty := url.Values{"reason": {"x"}, "requestKey": {"vacia"}, "description": {""}, "quantity": {"1"}, "unitPrice": {""}}
	w.post(address, empty).want(t, 422)
	form["unitPrice"][0] = "25"
	form.Set("reason", "")
	if got := w.post(address, form).want(t, 422).marked(); !slices.Equal(got, []string{"reason"}) {
		t.Errorf("marked %v", got)
	}
	form.Set("reason", "Servicio no prestado")
	w.post(address, form).want(t, 303)
	w.post(address, form).want(t, 303)
	w.get(invoicePath(row.ID)).want(t, 200, "NC-1", "$29.00 MXN", "Servicio no prestado")

	other := dbtest.Invoice(t, w.store, client, "2026-04-16", "2026-04-30", now)
	apply := invoicePath(other.ID) + "/saldo-a-favor"
	w.get(invoicePath(other.ID)).want(t, 200, "$29.00 MXN a favor")
	w.post(apply, url.Values{"amount": {"29.01"}, "requestKey": {"a"}}).want(t, 422, "no alcanza")
	w.post(apply, url.Values{"amount": {"-1"}, "requestKey": {"a"}}).want(t, 422, "mayor que cero")
	w.post(apply, url.Values{"amount": {"29"}, "requestKey": {"a"}}).want(t, 303)
	w.post(apply, url.Values{"amount": {"29"}, "requestKey": {"a"}}).want(t, 303)
	if got := w.reload(other.ID); got.Balance != 8700 {
		t.Errorf("balance %d", got.Balance)
	}
	// What was applied is released by the form beside it.
	p = w.get(invoicePath(other.ID)).want(t, 200, "se le aplicaron $29.00 MXN del saldo a favor", "Liberar saldo a favor")
	release := url.Values{"accion": {"liberar"}, "requestKey": {attr(p.all("input", "name", "requestKey")[1], "value")}, "amount": {"29.01"}}
	if p = w.post(apply, release).want(t, 422, "Se aplicó menos saldo a favor"); p.field(t, "amount") == "" || !slices.Equal(p.marked(), []string{"amount"}) {
		t.Errorf("marked %v", p.marked())
	}
	release.Set("amount", "20")
	w.post(apply, release).want(t, 303)
	w.post(apply, release).want(t, 303)
	if got := w.reload(other.ID); got.Balance != 10700 {
		t.Errorf("balance %d after the release", got.Balance)
	}
	if p = w.get(invoicePath(other.ID)).want(t, 200, "se le aplicaron $9.00 MXN del saldo a favor", "$20.00 MXN a favor"); len(p.all("button", "value", "liberar")) != 1 {
		t.Error("no button to release")
	}
	w.balanced()
}

// The list is limited, ordered, summed and exported by the same filter.
func TestInvoiceList(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	aurora := dbtest.Client(t, w.store, "=Aurora", "pagos@aurora.example")
	boreal := dbtest.Client(t, w.store, "Boreal", "pagos@boreal.example")
	old := dbtest.Invoice(t, w.store, aurora, "2026-02-01", "2026-02-15", now)
	fresh := dbtest.Invoice(t, w.store, aurora, "2026-04-15", "2026-05-30", now)
	paid := dbtest.Invoice(t, w.store, boreal, "2026-04-20", "2026-05-30", now)
	w.post(invoicePath(paid.ID)+"/pagos", url.Values{"amount": {"116.00"}, "method": {"cash"}, "requestKey": {"p"}}).want(t, 303)
	listed := func(p page) string {
		var numbers []string
		for _, row := range p.all("input", "name", "id") {
			key, _ := id.ParseInvoice(attr(row, "value"))
			numbers = append(numbers, w.reload(key).Number)
		}
		return strings.Join(numbers, " ")
	}
	for query, want := range map[string]string{
		"": "T-3 T-2 T-1", "estado=vencidas": "T-1", "estado=pagadas": "T-3", "estado=por-cobrar": "T-2 T-1", "buscar=boreal": "T-3",
		"desde=2026-04-01": "T-3 T-2", "hasta=2026-04-15": "T-2 T-1", "vence-desde=2026-05-01&vence-hasta=2026-05-30": "T-3 T-2",
		"minimo=116&maximo=116": "T-3 T-2 T-1", "minimo=116.01": "", "maximo=115.99": "", "moneda=USD": "",
		"orden=antiguas": "T-1 T-2 T-3", "orden=vencimiento": "T-1 T-2 T-3", "orden=saldo": "T-2 T-1 T-3",
		"cliente=" + aurora.ID.String(): "T-2 T-1",
	} {
		if got := listed(w.get("/consola/facturas?"+query).want(t, 200)); got != want {
			t.Errorf("%s: %q, want %q", query, got, want)
		}
	}
	w.get("/consola/facturas").want(t, 200, "3 facturas", "$348.00 MXN", "$116.00 MXN", "$232.00 MXN")
	for query, field := range map[string]string{"desde=ayer": "desde", "desde=2026-05-01&hasta=2026-04-01": "hasta", "minimo=mucho": "minimo", "maximo=1234567890123456789": "maximo"} {
		if got := w.get("/consola/facturas?"+query).want(t, 422).marked(); !slices.Equal(got, []string{field}) {
			t.Errorf("%s marks %v", query, got)
		}
	}
	w.get("/consola/facturas?cliente=cli_999999").want(t, 404)

	file := w.raw("/consola/facturas.csv?estado=por-cobrar")
	rows, err := csv.NewReader(file.Body).ReadAll()
	if err != nil || len(rows) != 3 || rows[1][0] != "T-1" || rows[1][2] != "'=Aurora" || rows[1][6] != "overdue" {
		t.Errorf("%v %v", rows, err)
	}
	if got := file.Header.Get("Content-Disposition"); got != "attachment; filename=facturas-2026-04-29.csv" {
		t.Error(got)
	}
	archive := new(bytes.Buffer)
	_, _ = archive.ReadFrom(w.raw("/consola/facturas.zip?id=" + old.ID.String() + "&id=" + fresh.ID.String()).Body)
	files, err := zip.NewReader(bytes.NewReader(archive.Bytes()), int64(archive.Len()))
	if err != nil || len(files.File) != 2 || files.File[0].Name != "T-1.pdf" {
		t.Errorf("%v", err)
	}
}

// Many drafts are issued together or not at all.
func TestIssueDrafts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := dbtest.Client(t, w.store, "Aurora", "pagos@aurora.example")
	save := func(key, due string) string {
		form := draftForm()
		form.Set("requestKey", key)
		form.Set("issueDate", "2026-04-01")
		form.Set("dueDate", due)
		return strings.TrimPrefix(w.post(clientPath(client.ID)+"/facturas/nueva", form).want(t, 303).location, "/consola/facturas/")
	}
	good, late := save("a", "2026-05-14"), save("b", "2026-04-02") // due before today, which is its day of issue
	w.post("/consola/facturas/emitir", url.Values{"id": {good, late}}).want(t, 422)
	w.get("/consola/facturas?estado=borradores").want(t, 200, "2 facturas")
	w.post("/consola/facturas/emitir", url.Values{"id": {good}}).want(t, 303)
	w.get("/consola/facturas?estado=por-cobrar").want(t, 200, "F-1", "1 factura")
	w.post("/consola/facturas/emitir", nil).want(t, 422)
	w.balanced()
}

// Staff without the capability see the pages without their forms, and their posts are refused.
func TestBillingByRole(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := dbtest.Client(t, w.store, "Aurora", "pagos@aurora.example")
	row := dbtest.Invoice(t, w.store, client, "2026-04-15", "2026-04-30", now)
	for _, role := range []access.Role{access.Support, access.ReadOnly} {
		w.actor = staff
		w.actor.Role = role
		p := w.get(invoicePath(row.ID)).want(t, 200, "T-1")
		for _, node := range p.all("form", "action", "") {
			if action := attr(node, "action"); strings.HasPrefix(action, invoicePath(row.ID)) && !strings.HasSuffix(action, "/pausa") {
				t.Errorf("%s is offered %s", role, action)
			}
		}
		for _, address := range []string{"/cancelar", "/incobrable", "/pagos", "/saldo-a-favor", "/emitir", "/eliminar", "/nota-de-credito", "/editar"} {
			w.post(invoicePath(row.ID)+address, url.Values{"reason": {"x"}, "amount": {"1"}, "method": {"cash"}, "requestKey": {"x"}}).want(t, 403)
		}
		w.get(clientPath(client.ID)+"/facturas/nueva").want(t, 403)
		w.post(clientPath(client.ID)+"/facturas/nueva", draftForm()).want(t, 403)
	}
	if got := w.reload(row.ID); got.Status != db.InvoiceIssued || got.Paid != 0 {
		t.Errorf("%+v", got)
	}
}

// Every text about billing that the pages ask for exists.
func TestBillingTextsExist(t *testing.T) {
	t.Parallel()
	used := regexp.MustCompile(`(?:\bbt|bcount|maybe)\(ctx, "([a-zA-Z0-9_.-]+)"`)
	files, err := filepath.Glob("*")
	if err != nil {
		t.Fatal(err)
	}
	count := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") || strings.HasSuffix(file, "_templ.go") || !strings.HasSuffix(file, ".go") && !strings.HasSuffix(file, ".templ") {
			continue
		}
		source, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range used.FindAllStringSubmatch(string(source), -1) {
			count++
			if key := "billing." + match[1]; !locale.Has(key) && !strings.HasSuffix(match[1], ".") {
				t.Errorf("%s: no text %s", file, key)
			}
		}
	}
	if count < 50 {
		t.Errorf("%d texts found", count)
	}
}
