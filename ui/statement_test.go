package ui

import (
	"archive/zip"
	"net/http"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// What a client reads and downloads of its account.
func TestAccountPages(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	v, home := w.as(owner), "/clientes/"+w.client.ID.String()
	second := w.another(w.client, "dos", "500")
	if _, err := w.billing.ReceivePayment(system(t.Context()), billing.ReceiveInput{ClientID: w.client.ID, Amount: 150000, Method: "transfer", Reference: "SPEI 77", ExcessToCredit: true,
		RequestKey: "p", Invoices: []billing.Allocation{{InvoiceID: w.invoice.ID}}}); err != nil {
		t.Fatal(err)
	}
	note, err := w.billing.IssueCreditNote(system(t.Context()), billing.CreditNoteInput{InvoiceID: second.ID, Reason: "Promoción", RequestKey: "n",
		Lines: []billing.LineInput{{Description: "Descuento", Quantity: money.Int(1), UnitPrice: money.Int(100)}}})
	if err != nil {
		t.Fatal(err)
	}
	v.get(home+"/estado-de-cuenta").want(t, http.StatusOK).shows(t, "Saldo anterior", "Factura · "+w.invoice.Number, "Nota de crédito · "+note.Number, "Pago · SPEI 77",
		"$1,740.00 MXN", "$1,616.00 MXN", "$124.00 MXN", "Tiene $340.00 MXN a su favor")
	v.get(home+"/estado-de-cuenta?hasta=2026-04-28").shows(t, "$0.00 MXN").hides(t, "SPEI 77")
	bad := v.get(home+"/estado-de-cuenta?desde=2026-05-02&hasta=2026-05-01").want(t, http.StatusUnprocessableEntity)
	if bad.fieldError("f-hasta") == "" || bad.value("f-desde") != "2026-05-02" {
		t.Error("the error is not at its field, or what was typed is gone")
	}
	v.get(home+"/estado-de-cuenta?desde=x").want(t, http.StatusUnprocessableEntity)
	file := v.get(home+"/estado-de-cuenta.csv").want(t, http.StatusOK)
	if !strings.Contains(file.body, "Pago,SPEI 77,0.00,1500.00,") || !strings.HasPrefix(file.Header.Get("Content-Disposition"), "attachment; filename=estado-de-cuenta-2026-04-29.csv") {
		t.Errorf("%v\n%s", file.Header, file.body)
	}
	v.get(home+"/estado-de-cuenta.csv?hasta=x").want(t, http.StatusUnprocessableEntity).hides(t, "filename")
	for _, path := range []string{"/estado-de-cuenta.pdf", "/notas-de-credito/" + note.ID.String()} {
		if pdf := v.get(home+path).want(t, http.StatusOK); !strings.HasPrefix(pdf.body, "%PDF") || pdf.Header.Get("Content-Type") != "application/pdf" {
			t.Errorf("%s is no PDF", path)
		}
	}
	v.get(home+"/pagos").want(t, http.StatusOK).shows(t, "Transferencia · SPEI 77", w.invoice.Number+" : $1,160.00 MXN", "Saldo a favor: $340.00 MXN", "$1,500.00 MXN")
	v.get(home+"/facturas/"+second.ID.String()).want(t, http.StatusOK).shows(t, "Notas de crédito", note.Number, "Promoción", "-$116.00 MXN", "Nadie lo ha descargado todavía")
	// A month, a selection, nothing.
	for query, want := range map[string]string{"?mes=2026-04": w.invoice.Number + ".pdf " + second.Number + ".pdf", "?id=" + second.ID.String(): second.Number + ".pdf"} {
		answer := v.get(home+"/facturas.zip"+query).want(t, http.StatusOK)
		archive, err := zip.NewReader(strings.NewReader(answer.body), int64(len(answer.body)))
		if err != nil {
			t.Fatal(err)
		}
		names := []string{}
		for _, f := range archive.File {
			names = append(names, f.Name)
		}
		if strings.Join(names, " ") != want {
			t.Errorf("%s: %v", query, names)
		}
	}
	v.get(home+"/facturas.zip?mes=2020-01").want(t, http.StatusNotFound).shows(t, "No hay facturas que descargar").hides(t, "filename")
	v.get(home+"/facturas.zip?id="+w.alien.ID.String()).want(t, http.StatusNotFound)
	v.get(home+"/facturas.zip?mes=abril").want(t, http.StatusUnprocessableEntity)
	list := v.get(home+"/facturas.csv?buscar="+second.Number).want(t, http.StatusOK)
	if lines := strings.Split(strings.TrimSpace(list.body), "\n"); len(lines) != 2 || !strings.HasPrefix(lines[1], second.Number) {
		t.Errorf("%s", list.body)
	}
	// The owner sees who downloaded; others do not.
	w.as(bookkeeper).get("/descargas/facturas/"+second.ID.String()+".pdf").want(t, http.StatusOK)
	v.get(home+"/facturas/"+second.ID.String()).shows(t, "Descargas del PDF", "Titular de la cuenta", "Contabilidad")
	w.as(bookkeeper).get(home+"/facturas/"+second.ID.String()).want(t, http.StatusOK).hides(t, "Descargas del PDF")
	// Other people.
	for _, path := range []string{"/estado-de-cuenta", "/estado-de-cuenta.csv", "/estado-de-cuenta.pdf", "/pagos", "/facturas.csv", "/facturas.zip", "/notas-de-credito/" + note.ID.String()} {
		w.as(stranger).get(home+path).want(t, http.StatusNotFound)
		w.as(assistant).get(home+path).want(t, http.StatusForbidden)
	}
	w.as(stranger).get("/clientes/"+w.other.ID.String()+"/notas-de-credito/"+note.ID.String()).want(t, http.StatusNotFound)
	v.get("/clientes/estado-de-cuenta").want(t, http.StatusSeeOther)
}
