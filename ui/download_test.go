package ui

import (
	"archive/zip"
	"bytes"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/billing"
)

// Programs download with a bearer token what its scopes, or its login's permissions, reach: lists as CSV and ZIP,
// statements and credit notes. The console and the client area stay closed to tokens.
func TestDownloadsOfPrograms(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.both(Config{})
	ctx := system(t.Context())
	note, err := w.billing.IssueCreditNote(ctx, billing.CreditNoteInput{InvoiceID: w.alien.ID, Reason: "Devuelta", RequestKey: "n"})
	if err != nil {
		t.Fatal(err)
	}
	staff, err := w.account.Staff(ctx)
	if err != nil {
		t.Fatal(err)
	}
	as := access.With(ctx, access.Actor{Kind: access.Staff, Staff: staff[0].ID, Role: access.Admin})
	token := func(scope access.Capability) string {
		_, text, err := w.account.AddToken(as, account.AddTokenInput{Name: string(scope), Scopes: []access.Capability{scope}, Days: 30})
		if err != nil {
			t.Fatal(err)
		}
		return "Bearer " + text
	}
	in, err := w.account.SignIn(t.Context(), account.SignInInput{Email: bookkeeper, Password: password})
	if err != nil {
		t.Fatal(err)
	}
	bills, clients, login := token(access.ReadBilling), token(access.ReadClients), "Bearer "+in.Token
	mine, theirs := "/descargas/estados-de-cuenta/"+w.client.ID.String(), "/descargas/estados-de-cuenta/"+w.other.ID.String()
	v := w.visit()
	for _, c := range []struct {
		path, token string
		status      int
		kind, says  string
	}{
		{"/descargas/facturas.csv", bills, 200, "text/csv", w.alien.Number + ","},
		{"/descargas/facturas.csv?client=" + w.client.ID.String() + "&status=OPEN&issuedFrom=2000-01-01&minTotal=1160.00", bills, 200, "text/csv", w.invoice.Number + ","},
		{"/descargas/facturas.csv", login, 200, "text/csv", w.invoice.Number + ","},
		{"/descargas/facturas.csv?client=" + w.other.ID.String(), login, 404, "application/json", `"code":"`},
		{"/descargas/facturas.csv", clients, 403, "application/json", `"code":"`},
		{"/descargas/facturas.csv", "", 401, "text/html", ""},
		{"/descargas/facturas.csv", "Bearer no", 401, "application/json", `"code":"UNAUTHENTICATED"`},
		{"/descargas/facturas.csv?issuedFrom=ayer", bills, 422, "application/json", `"field":["issuedFrom"]`},
		{"/descargas/facturas.csv?status=lost", bills, 422, "application/json", `"code":"`},
		{"/descargas/facturas.csv?minTotal=x", bills, 422, "application/json", `"code":"`},
		{"/descargas/facturas.zip?id=" + w.invoice.ID.String(), bills, 200, "application/zip", w.invoice.Number + ".pdf"},
		{"/descargas/facturas.zip?id=" + w.alien.ID.String(), login, 404, "application/json", `"code":"`},
		{"/descargas/facturas.zip?id=x", login, 404, "application/json", `"code":"`},
		{"/descargas/facturas.zip", clients, 403, "application/json", `"code":"`},
		{CreditNotePath(note.ID), bills, 200, "application/pdf", "%PDF-"},
		{CreditNotePath(note.ID), login, 404, "application/json", `"code":"`},
		{CreditNotePath(note.ID), clients, 403, "application/json", `"code":"`},
		{mine + ".csv", login, 200, "text/csv", w.invoice.Number},
		{mine + ".pdf?from=2000-01-01&to=2099-12-31", bills, 200, "application/pdf", "%PDF-"},
		{mine + ".pdf?from=2099-01-01&to=2000-12-31", bills, 422, "application/json", `"code":"`},
		{mine + ".csv", clients, 403, "application/json", `"code":"`},
		{theirs + ".csv", login, 404, "application/json", `"code":"`},
		{theirs + ".pdf", login, 404, "application/json", `"code":"`},
		{mine + ".xml", bills, 404, "application/json", `"code":"`},
		{"/consola/facturas.csv", bills, 401, "text/html", ""},
		{"/clientes/" + w.client.ID.String() + "/facturas.csv", login, 401, "text/html", ""},
	} {
		headers := []string{"Accept", "*/*"}
		if c.token != "" {
			headers = append(headers, "Authorization", c.token)
		}
		a := v.get(c.path, headers...).want(t, c.status)
		if kind := a.Header.Get("Content-Type"); !strings.HasPrefix(kind, c.kind) || !strings.Contains(a.body, c.says) {
			t.Errorf("%s: %s %.200q", c.path, kind, a.body)
		}
		if c.token == login && c.status == 200 && strings.Contains(a.body, w.alien.Number) {
			t.Errorf("%s shows a stranger's invoice", c.path)
		}
	}
	a := v.get("/descargas/facturas.zip?"+url.Values{"id": {w.invoice.ID.String()}}.Encode(), "Authorization", login).want(t, http.StatusOK)
	if archive, err := zip.NewReader(bytes.NewReader([]byte(a.body)), int64(len(a.body))); err != nil || len(archive.File) != 1 {
		t.Errorf("%v", err)
	}
	log, err := w.store.Downloads(t.Context(), w.invoice.ID)
	if err != nil || len(log[w.invoice.ID]) != 2 {
		t.Fatalf("%+v %v", log, err)
	}
	for i, want := range []db.InvoiceDownload{{Who: bookkeeper, Address: "127.0.0.1"}, {StaffID: staff[0].ID, Who: staff[0].Name, Address: "127.0.0.1"}} {
		if got := log[w.invoice.ID][i]; got.Who != want.Who || got.Address != want.Address || got.StaffID != want.StaffID {
			t.Errorf("logged %+v", got)
		}
	}
}
