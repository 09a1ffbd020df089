package console

import (
	"bytes"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"

	"golang.org/x/net/html"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
)

// upload sends a file as its form does.
func (w *world) upload(address, content string) page {
	w.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	file, err := form.CreateFormFile("file", "archivo.csv")
	if err == nil {
		_, err = file.Write([]byte(content))
	}
	if err != nil || form.Close() != nil {
		w.Fatal(err)
	}
	r := httptest.NewRequest(http.MethodPost, address, &body)
	r.Header.Set("Content-Type", form.FormDataContentType())
	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, r)
	p := page{status: rec.Code, location: rec.Header().Get("Location"), body: rec.Body.String()}
	if p.root, err = html.Parse(strings.NewReader(p.body)); err != nil {
		w.Fatal(err)
	}
	return p
}

// A payment settles the invoices due first, or those that are named; what is left becomes credit, and can be given back.
func TestReceivePayment(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := dbtest.Client(t, w.store, "Aurora", "pagos@aurora.example")
	first := dbtest.Invoice(t, w.store, client, "2026-04-01", "2026-04-20", now)
	second := dbtest.Invoice(t, w.store, client, "2026-04-01", "2026-04-25", now)
	address := clientPath(client.ID) + "/pagos/nuevo"
	w.get(address).want(t, 200, "T-1", "T-2", "$116.00 MXN")
	form := func(key string, more ...string) url.Values {
		values := url.Values{"amount": {"100"}, "currency": {"MXN"}, "method": {"transfer"}, "receivedOn": {"2026-04-28"}, "requestKey": {key}}
		for i := 0; i < len(more); i += 2 {
			values.Set(more[i], more[i+1])
		}
		return values
	}
	for name, test := range map[string]struct {
		form   url.Values
		marked string
	}{
		"no amount":       {form("x", "amount", ""), "amount"},
		"zero":            {form("x", "amount", "0"), "amount"},
		"negative":        {form("x", "amount", "-5"), "amount"},
		"nineteen digits": {form("x", "amount", "1234567890123456789"), "amount"},
		"above balance":   {form("x", "amount", "232.01"), "amount"},
		"tomorrow":        {form("x", "receivedOn", "2026-04-30"), "receivedOn"},
		"no day":          {form("x", "receivedOn", "ayer"), "receivedOn"},
		"part above":      {form("x", "amount", "200", "part."+first.ID.String(), "116.01"), "part." + first.ID.String()},
		"parts above":     {form("x", "part."+first.ID.String(), "60", "part."+second.ID.String(), "60"), "part." + second.ID.String()},
		"part of nothing": {form("x", "part."+first.ID.String(), "0"), "part." + first.ID.String()},
	} {
		if got := w.post(address, test.form).want(t, 422).marked(); !slices.Equal(got, []string{test.marked}) {
			t.Errorf("%s marks %v", name, got)
		}
	}
	if w.reload(first.ID).Paid != 0 {
		t.Fatal("something was saved")
	}
	made := w.post(address, form("a", "amount", "150", "reference", "SPEI 88")).want(t, 303)
	if again := w.post(address, form("a", "amount", "150", "reference", "SPEI 88")).want(t, 303); again.location != made.location {
		t.Error("the same form made two payments")
	}
	if a, b := w.reload(first.ID), w.reload(second.ID); a.Balance != 0 || b.Balance != 8200 {
		t.Errorf("%d and %d are owed", a.Balance, b.Balance)
	}
	w.get(made.location).want(t, 200, "Pago de $150.00 MXN", "SPEI 88", "T-1", "$116.00 MXN", "T-2", "$34.00 MXN")

	over := w.post(address, form("b", "amount", "100", "excess", "on")).want(t, 303)
	w.get(over.location).want(t, 200, "T-2", "$82.00 MXN", "Saldo a favor", "$18.00 MXN")
	w.get(clientPath(client.ID)).want(t, 200, "Saldo a favor: $18.00 MXN")

	refund := clientPath(client.ID) + "/reembolso"
	w.get(refund).want(t, 200, "$18.00 MXN a favor")
	w.post(refund, url.Values{"amount": {"18.01"}, "currency": {"MXN"}, "method": {"transfer"}, "requestKey": {"r"}}).want(t, 422, "no alcanza")
	w.post(refund, url.Values{"amount": {"8"}, "currency": {"MXN"}, "method": {"transfer"}, "requestKey": {"r"}}).want(t, 303)
	w.balanced()

	w.post(over.location+"/anular", url.Values{"reason": {""}}).want(t, 422, "obligatorio")
	w.post(over.location+"/anular", url.Values{"reason": {"Devuelto"}}).want(t, 422, "ya se usó")
	w.post(made.location+"/anular", url.Values{"reason": {"Cheque devuelto"}}).want(t, 303)
	w.post(made.location+"/anular", url.Values{"reason": {"Cheque devuelto"}}).want(t, 303)
	w.get(made.location).want(t, 200, "Anulado", "Cheque devuelto")
	if a := w.reload(first.ID); a.Balance != 11600 || a.Status != db.InvoiceIssued {
		t.Errorf("%+v", a)
	}
	w.balanced()

	for query, want := range map[string]string{"": "2 pagos", "estado=anulados": "1 pago", "buscar=spei": "1 pago", "buscar=aurora": "2 pagos", "metodo=cash": "No hay pagos",
		"desde=2026-04-29": "No hay pagos", "minimo=120": "1 pago", "maximo=120": "1 pago", "cliente=" + client.ID.String(): "2 pagos"} {
		w.get("/consola/pagos?"+query).want(t, 200, want)
	}
	w.get("/consola/pagos?desde=2026-05-01&hasta=2026-04-01").want(t, 422, "final")
	w.get("/consola/pagos/pay_999999").want(t, 404)
}

const statement = "Banco Ficticio\nCuenta;000123\nFecha;Concepto;Referencia;Cargo;Abono\n" +
	"28/04/2026;SPEI RECIBIDO T1;%s;;116.00\n28/04/2026;COMISION;;12.00;\n29/ABR/2026;DEPOSITO EN EFECTIVO;;;\"1,500.00\"\n"

// A statement as a bank writes it: title rows, its own names of columns, debits and credits apart, Latin-1. It is
// read without questions, proposes what it can, and adds nothing the second time.
func TestBankStatement(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	client := dbtest.Client(t, w.store, "Aurora", "pagos@aurora.example")
	other := dbtest.Client(t, w.store, "Boreal", "pagos@boreal.example")
	row := dbtest.Invoice(t, w.store, client, "2026-04-01", "2026-04-20", now)
	theirs := dbtest.Invoice(t, w.store, other, "2026-04-01", "2026-04-20", now)
	file := fmt.Sprintf(statement, billing.PaymentReference(client.ID))
	file = strings.NewReplacer("COMISION", "COMISI\xd3N").Replace(file)
	for range 2 {
		w.upload("/consola/banco", file).want(t, 303)
	}
	p := w.get("/consola/banco").want(t, 200, "Con propuesta (1)", "Sin propuesta (1)", "Aurora", "T-1, debe $116.00 MXN", "Número e importe coinciden")
	w.post("/consola/banco/aceptar", nil).want(t, 422)
	w.post("/consola/banco/aceptar", url.Values{"id": {attr(p.all("input", "name", "id")[0], "value")}}).want(t, 303)
	if got := w.reload(row.ID); got.Status != db.InvoicePaid {
		t.Errorf("%+v", got)
	}
	p = w.get("/consola/banco?estado=sin-propuesta").want(t, 200, "$1,500.00 MXN", "DEPOSITO EN EFECTIVO")
	var address string
	for _, link := range p.all("a", "href", "") {
		if strings.HasPrefix(attr(link, "href"), "/consola/banco/mov_") {
			address = attr(link, "href")
		}
	}
	w.get(address+"?buscar=boreal").want(t, 200, "Boreal")
	w.get(address+"?buscar=nadie").want(t, 200, "Ningún cliente coincide")
	w.get(address+"?cliente="+other.ID.String()).want(t, 200, "T-2", "Debe $116.00 MXN")
	w.post(address, url.Values{"accion": {"aplicar"}}).want(t, 422, "obligatorio")
	w.post(address, url.Values{"cliente": {other.ID.String()}, "elegir": {"1"}, "factura": {row.ID.String()}}).want(t, 404) // a stranger's invoice
	w.post(address, url.Values{"cliente": {other.ID.String()}, "elegir": {"1"}, "factura": {theirs.ID.String()}}).want(t, 303)
	w.post(address, url.Values{"accion": {"ignorar"}}).want(t, 422, "ya se revisó")
	w.get(address).want(t, 200, "Aplicado", "Ver el pago registrado")
	w.get(clientPath(other.ID)).want(t, 200, "Saldo a favor: $1,384.00 MXN")
	w.balanced()
}

// Columns that no bank we know calls so are asked for; what is wrong is told by row and column and nothing is saved.
func TestStatementColumns(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.get("/consola/banco/columnas").want(t, 303)
	w.post("/consola/banco/columnas", nil).want(t, 303)
	p := w.upload("/consola/banco", "Cuándo,Qué,Cuánto\n2026-04-28,Depósito,100.00\nmañana,Otro,x\n").want(t, 303)
	if p.location != "/consola/banco/columnas" {
		t.Fatal(p.location)
	}
	w.get(p.location).want(t, 200, "Cuándo", "Depósito", "100.00")
	w.post(p.location, url.Values{"column.0": {"date"}}).want(t, 422, "Importe del depósito", "obligatorio")
	w.post(p.location, url.Values{"column.0": {"date"}, "column.1": {"amount"}, "column.2": {"amount"}}).want(t, 422)
	w.post(p.location, url.Values{"column.0": {"date"}, "column.1": {"description"}, "column.2": {"amount"}}).want(t, 422, "Fila 3, columna date")
	w.get("/consola/banco?estado=sin-propuesta").want(t, 200, "Todos los depósitos tienen propuesta")
	w.upload("/consola/banco", "Cuándo,Qué,Cuánto\n2026-04-28,Depósito,100.00\n").want(t, 303)
	w.post(p.location, url.Values{"column.0": {"date"}, "column.1": {"description"}, "column.2": {"amount"}}).want(t, 303)
	w.get("/consola/banco?estado=sin-propuesta").want(t, 200, "$100.00 MXN")

	for name, file := range map[string]string{"empty": "", "a spreadsheet": "PK\x03\x04xx", "UTF-16": "\xff\xfef\x00"} {
		if p := w.upload("/consola/banco", file).want(t, 422, "No se guardó nada"); len(p.all("div", "id", "file-errors")) != 1 {
			t.Error(name)
		}
	}
	w.post("/consola/banco", nil).want(t, 422, "Elija un archivo")
}

func TestImportInvoicesPage(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dbtest.Client(t, w.store, "Aurora", "pagos@aurora.example")
	head := "reference,client,due_date,description,unit_price\n"
	w.get("/consola/facturas/importar").want(t, 200, "clave_prod_serv", "Descargar ejemplo")
	w.upload("/consola/facturas/importar", head+"P-1,pagos@aurora.example,2026-05-31,Hospedaje,100\nP-2,nadie@x.example,2026-05-31,Dominio,diez\n").
		want(t, 422, "No se guardó nada", "Fila 3, columna client", "Fila 3, columna unit_price")
	w.upload("/consola/facturas/importar", "reference,cliente\n").want(t, 422, "«cliente» no se conoce", "Falta la columna «due_date»")
	list, err := w.store.Invoices(t.Context(), db.InvoiceFilter{Reach: access.Reach{All: true}}, db.Page{})
	if err != nil || len(list.Rows) != 0 {
		t.Fatalf("%d invoices, %v", len(list.Rows), err)
	}
	good := head + "P-1,pagos@aurora.example,2026-05-31,Dise\xf1o,100\n"
	w.upload("/consola/facturas/importar", good).want(t, 200, "1 factura emitida", "Latin-1")
	w.upload("/consola/facturas/importar", good).want(t, 200, "0 facturas emitidas", "1 ya se había importado")
	w.upload("/consola/facturas/importar", head+strings.Repeat("P-9,nadie@x.example,2026-05-31,Diseño,x\n", 150)).want(t, 422, "errores más")
	rec := w.raw("/consola/facturas/importar/ejemplo.csv")
	if rec.StatusCode != http.StatusOK || !strings.HasPrefix(rec.Header.Get("Content-Type"), "text/csv") {
		t.Error(rec.Header)
	}
	w.actor.Role = access.ReadOnly
	w.upload("/consola/facturas/importar", good).want(t, 403)
	w.upload("/consola/banco", good).want(t, 403)
	w.get("/consola/facturas/importar").want(t, 403)
}
