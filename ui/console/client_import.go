package console

import (
	"context"
	"io"
	"net/http"
	"slices"
	"strings"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// clientImportTable is the table of the import of clients.
func (c *Console) clientImportTable() []layout.Route {
	return []layout.Route{
		{Method: "GET", Path: "/consola/clientes/importar", Who: layout.Staff, Handle: c.clientImport},
		{Method: "POST", Path: "/consola/clientes/importar", Who: layout.Staff, Handle: c.importClients, MaxBody: maxUpload},
		{Method: "GET", Path: "/consola/clientes/importar/ejemplo.csv", Who: layout.Staff, Handle: c.clientImportExample},
	}
}

type clientImportView struct {
	Result *account.ImportResult
	Errors []fileError
	Total  int // errors, also those that are not listed
}

func (c *Console) clientImport(w http.ResponseWriter, r *http.Request) error {
	if err := access.RequireCapability(r.Context(), access.ManageClients); err != nil {
		return err
	}
	return c.showClientImport(w, r, http.StatusOK, clientImportView{})
}

func (c *Console) showClientImport(w http.ResponseWriter, r *http.Request, status int, view clientImportView) error {
	return c.show(w, r, status, component.T(r.Context(), "profile.import.title"), clientImportPage(view))
}

func (c *Console) importClients(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	if err := access.RequireCapability(ctx, access.ManageClients); err != nil {
		return err
	}
	file, err := csvFile(r)
	var result account.ImportResult
	if err == nil {
		defer func() { _ = file.Close() }()
		result, err = c.Account.ImportClients(ctx, file)
	}
	if wrong, ok := fileErrors(ctx, err); ok {
		return c.showClientImport(w, r, http.StatusUnprocessableEntity, clientImportView{Errors: wrong, Total: max(result.Errors, len(wrong))})
	}
	if err != nil {
		return err
	}
	return c.showClientImport(w, r, http.StatusOK, clientImportView{Result: &result})
}

// clientImportExample is a file to begin with.
func (c *Console) clientImportExample(w http.ResponseWriter, r *http.Request) error {
	if err := access.RequireCapability(r.Context(), access.ManageClients); err != nil {
		return err
	}
	return layout.Stream(w, component.T(r.Context(), "profile.import.example.file")+".csv", "text/csv; charset=utf-8", func(out io.Writer) error {
		_, err := io.WriteString(out, "reference,name,email,tax_id,city,state,postcode,contact_firstname,contact_lastname,contact_email,contact_topics,contact_permissions\r\n"+
			"1001,Vivero Inventado,direccion@vivero-inventado.example,VIN010101AB1,Xalapa,Veracruz,91000,Ana,Ejemplo,pagos@vivero-inventado.example,invoice,invoices emails\r\n"+
			"1001,Vivero Inventado,direccion@vivero-inventado.example,VIN010101AB1,Xalapa,Veracruz,91000,,,sistemas@vivero-inventado.example,domain support,\r\n"+
			"1002,Imprenta de Muestra,hola@imprenta-muestra.example,,Mérida,Yucatán,,,,,,\r\n")
		return err
	})
}

// imported is the text for n of what an import did.
func imported(ctx context.Context, key string, n int) string {
	return component.T(ctx, "profile.import."+oneOr(key, int64(n)), "n", n)
}

// clientImportText says what a column holds.
func clientImportText(column string) string {
	if slices.Contains(account.ImportRequired, column) || strings.HasPrefix(column, "contact_") {
		return "profile.import.column." + column
	}
	switch column {
	case "tax_id":
		return "profile.taxId"
	case "country", "language", "timezone":
		return "profile.import.column." + column
	}
	return "profile." + column
}
