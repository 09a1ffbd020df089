package console

import (
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

// maxUpload is the largest CSV file that the pages take, in bytes: some million rows. It is read as it arrives.
const maxUpload = 1 << 30

func (c *Console) bankTable() []layout.Route {
	return []layout.Route{
		{Method: "GET", Path: "/consola/banco", Who: layout.Staff, Handle: c.movements},
		{Method: "POST", Path: "/consola/banco", Who: layout.Staff, Handle: c.uploadStatement, MaxBody: maxUpload},
		{Method: "GET", Path: "/consola/banco/columnas", Who: layout.Staff, Handle: c.statementColumns},
		{Method: "POST", Path: "/consola/banco/columnas", Who: layout.Staff, Handle: c.importStatement},
		{Method: "POST", Path: "/consola/banco/aceptar", Who: layout.Staff, Handle: c.confirmMovements},
		{Method: "GET", Path: "/consola/banco/aceptar", Who: layout.Staff, Handle: toParent},
		{Method: "GET", Path: "/consola/banco/{id}", Who: layout.Staff, Handle: c.movementPage},
		{Method: "POST", Path: "/consola/banco/{id}", Who: layout.Staff, Handle: c.decideMovement},
		{Method: "GET", Path: "/consola/facturas/importar", Who: layout.Staff, Handle: c.importPage},
		{Method: "POST", Path: "/consola/facturas/importar", Who: layout.Staff, Handle: c.importInvoices, MaxBody: maxUpload},
		{Method: "GET", Path: "/consola/facturas/importar/ejemplo.csv", Who: layout.Staff, Handle: c.importExample},
	}
}

// fileError is one thing that is wrong with a file.
type fileError struct{ Where, Text string }

// fileErrors lists what is wrong with a file, row by row, in the order of the file.
func fileErrors(ctx context.Context, err error) ([]fileError, bool) {
	f, ok := fault.As(err)
	if !ok || f.Kind != fault.Invalid {
		return nil, false
	}
	var list []fileError
	for _, field := range f.Fields {
		var row int
		var column string
		n, _ := fmt.Sscanf(strings.Replace(field.Path, "].", "] ", 1), "rows[%d] %s", &row, &column)
		where := ""
		switch n {
		case 2:
			where = bt(ctx, "import.row_column", "row", row, "column", column)
		case 1:
			where = bt(ctx, "import.row", "row", row)
		}
		list = append(list, fileError{where, component.T(ctx, "errors."+field.Code, pairs(field.Args)...)})
	}
	return list, len(list) > 0
}

func pairs(args map[string]any) []any {
	var list []any
	for name, value := range args {
		list = append(list, name, value)
	}
	return list
}

// csvFile is the file of a form, read as it arrives; a fault when none was chosen.
func csvFile(r *http.Request) (io.ReadCloser, error) {
	form, err := r.MultipartReader()
	for err == nil {
		var part *multipart.Part
		if part, err = form.NextPart(); err == nil && part.FormName() == "file" && part.FileName() != "" {
			return arriving{part}, nil
		}
	}
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return nil, err
	}
	var checks fault.Checks
	checks.Add("file", "FILE_REQUIRED")
	return nil, checks.Err()
}

// arriving is a file that arrives. Its rest is read when it is closed: browsers show no answer before they
// have sent everything.
type arriving struct{ *multipart.Part }

func (u arriving) Close() error {
	_, err := io.Copy(io.Discard, u.Part)
	return errors.Join(err, u.Part.Close())
}

// movementFilters are the states that the list can be filtered by, in the order of the page.
var movementFilters = []struct{ Key, Status string }{
	{"", db.MovementMatched}, {"sin-propuesta", db.MovementUnmatched}, {"aplicados", db.MovementConfirmed}, {"ignorados", db.MovementIgnored},
}

// movementRow is a movement with what is proposed for it.
type movementRow struct {
	db.Movement
	Client  *db.Client
	Invoice *db.Invoice
}

type movementsView struct {
	Filter string
	Counts map[string]int64
	Rows   []movementRow
	Next   string
	Errors []fileError // of a file that was sent
}

func (v movementsView) tabs(ctx context.Context) []component.Tab {
	var tabs []component.Tab
	for _, f := range movementFilters {
		q := url.Values{}
		set(q, "estado", f.Key)
		label := bt(ctx, "bank.filter."+f.Key)
		if n := v.Counts[f.Status]; n > 0 {
			label += fmt.Sprintf(" (%d)", n)
		}
		tabs = append(tabs, tab(label, withQuery("/consola/banco", q), f.Key == v.Filter))
	}
	return tabs
}

func (c *Console) movements(w http.ResponseWriter, r *http.Request) error {
	return c.showMovements(w, r, http.StatusOK, nil)
}

func (c *Console) showMovements(w http.ResponseWriter, r *http.Request, status int, wrong []fileError) error {
	ctx, q := r.Context(), r.URL.Query()
	view := movementsView{Errors: wrong}
	state := db.MovementMatched
	for _, f := range movementFilters {
		if f.Key == q.Get("estado") {
			view.Filter, state = f.Key, f.Status
		}
	}
	var err error
	if view.Counts, err = c.Billing.MovementCounts(ctx); err != nil {
		return err
	}
	list, err := c.Billing.Movements(ctx, state, db.Page{First: pageSize, After: q.Get("despues")})
	if err != nil {
		return err
	}
	if view.Rows, err = c.proposals(ctx, list.Rows); err != nil {
		return err
	}
	if next := list.Next(); next != "" {
		query := url.Values{"despues": {next}}
		set(query, "estado", view.Filter)
		view.Next = withQuery("/consola/banco", query)
	}
	return c.show(w, r, status, bt(ctx, "bank.title"), movementsPage(view))
}

// proposals adds clients and invoices to movements with two queries.
func (c *Console) proposals(ctx context.Context, movements []db.Movement) ([]movementRow, error) {
	var clientIDs []id.Client
	var invoiceIDs []id.Invoice
	for _, m := range movements {
		if m.ClientID != 0 {
			clientIDs = append(clientIDs, m.ClientID)
		}
		if m.InvoiceID != 0 {
			invoiceIDs = append(invoiceIDs, m.InvoiceID)
		}
	}
	clients, err := c.Account.ClientsByID(ctx, clientIDs)
	if err != nil {
		return nil, err
	}
	invoices, err := c.Billing.InvoicesByID(ctx, invoiceIDs)
	if err != nil {
		return nil, err
	}
	knownClients := byKey(clients, func(row db.Client) id.Client { return row.ID })
	knownInvoices := byKey(invoices, func(row db.Invoice) id.Invoice { return row.ID })
	rows := make([]movementRow, len(movements))
	for i, m := range movements {
		rows[i].Movement = m
		if row, ok := knownClients[m.ClientID]; ok {
			rows[i].Client = &row
		}
		if row, ok := knownInvoices[m.InvoiceID]; ok {
			rows[i].Invoice = &row
		}
	}
	return rows, nil
}

// uploadStatement takes a statement; where its columns are called as banks do, it is imported at once.
func (c *Console) uploadStatement(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	if err := requireBilling(ctx); err != nil {
		return err
	}
	file, err := csvFile(r)
	var staged billing.StatementFile
	if err == nil {
		defer func() { _ = file.Close() }()
		staged, err = c.Billing.StageStatement(ctx, file)
	}
	if err == nil && !staged.Complete() {
		return layout.Redirect(w, r, "/consola/banco/columnas")
	}
	if err == nil {
		_, err = c.Billing.ImportStagedStatement(ctx, staged.Proposed)
	}
	if wrong, ok := fileErrors(ctx, err); ok {
		return c.showMovements(w, r, http.StatusUnprocessableEntity, wrong)
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "billing.flash.statement")
	return layout.Redirect(w, r, "/consola/banco")
}

type columnsView struct {
	File   billing.StatementFile
	Chosen []string // what each column holds, "" for nothing
	Errors fieldErrors
	Rows   []fileError
}

func (v columnsView) options(ctx context.Context) []component.Option {
	options := []component.Option{{Label: bt(ctx, "bank.column.none")}}
	for _, column := range billing.StatementColumns {
		options = append(options, component.Option{Value: column, Label: bt(ctx, "bank.column."+column)})
	}
	return options
}

func (c *Console) statementColumns(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	file, err := c.Billing.StagedStatement(ctx)
	if fault.Is(err, fault.NotFound) {
		return layout.Redirect(w, r, "/consola/banco")
	}
	if err != nil {
		return err
	}
	view := columnsView{File: file, Chosen: make([]string, len(file.Names))}
	for i, name := range file.Names {
		view.Chosen[i] = file.Proposed[name]
	}
	return c.show(w, r, http.StatusOK, bt(ctx, "bank.columns"), columnsPage(view))
}

func (c *Console) importStatement(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	file, err := c.Billing.StagedStatement(ctx)
	if fault.Is(err, fault.NotFound) {
		return layout.Redirect(w, r, "/consola/banco")
	}
	if err != nil {
		return err
	}
	view := columnsView{File: file, Chosen: make([]string, len(file.Names))}
	columns, twice := billing.Columns{}, false
	for i, name := range file.Names {
		if view.Chosen[i] = r.PostFormValue(fmt.Sprintf("column.%d", i)); view.Chosen[i] != "" {
			twice = twice || columns[name] != ""
			columns[name] = view.Chosen[i]
		}
	}
	if twice { // two columns of one name: the file cannot be told apart
		var checks fault.Checks
		checks.Add("columns", "DUPLICATE")
		err = checks.Err()
	} else {
		_, err = c.Billing.ImportStagedStatement(ctx, columns)
	}
	if errs, ok := invalid(ctx, err); ok {
		view.Errors = fieldErrors{}
		for path, text := range errs {
			if strings.HasPrefix(path, "columns") {
				view.Errors[path] = text
			}
		}
		if len(view.Errors) == 0 {
			view.Rows, _ = fileErrors(ctx, err)
		}
		return c.show(w, r, http.StatusUnprocessableEntity, bt(ctx, "bank.columns"), columnsPage(view))
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "billing.flash.statement")
	return layout.Redirect(w, r, "/consola/banco")
}

// confirmMovements books the ticked movements as they are proposed, all of them or none.
func (c *Console) confirmMovements(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	var ids []id.Movement
	for _, text := range r.PostForm["id"] {
		key, err := id.ParseMovement(text)
		if err != nil {
			return fault.Missing()
		}
		ids = append(ids, key)
	}
	if err := c.Billing.ConfirmMovements(ctx, ids); err != nil {
		return err
	}
	layout.Flash(w, r, "billing.flash.confirmed")
	return layout.Redirect(w, r, "/consola/banco")
}

type movementView struct {
	Row     movementRow
	Client  *db.Client // who is chosen
	Search  string
	Clients []db.Client  // who the search finds
	Open    []db.Invoice // of the client, in the movement's currency
	Ticked  []id.Invoice
	Errors  fieldErrors
}

func (c *Console) movementPage(w http.ResponseWriter, r *http.Request) error {
	return c.showMovement(w, r, http.StatusOK, nil, nil)
}

func (c *Console) showMovement(w http.ResponseWriter, r *http.Request, status int, ticked []id.Invoice, errs fieldErrors) error {
	ctx := r.Context()
	key, err := id.ParseMovement(r.PathValue("id"))
	if err != nil {
		return fault.Missing()
	}
	row, err := c.Billing.Movement(ctx, key)
	if err != nil {
		return err
	}
	rows, err := c.proposals(ctx, []db.Movement{row})
	if err != nil {
		return err
	}
	view := movementView{Row: rows[0], Client: rows[0].Client, Search: strings.TrimSpace(r.URL.Query().Get("buscar")), Ticked: ticked, Errors: errs}
	if row.InvoiceID != 0 && ticked == nil {
		view.Ticked = []id.Invoice{row.InvoiceID}
	}
	if text := r.FormValue("cliente"); text != "" {
		client, err := c.client(ctx, text)
		if err != nil {
			return err
		}
		view.Client = &client
	}
	if view.Search != "" {
		list, err := c.Account.Clients(ctx, account.ClientQuery{Search: view.Search}, db.Page{First: 10})
		if err != nil {
			return err
		}
		view.Clients = list.Rows
	}
	if view.Client != nil {
		list, err := c.Billing.Invoices(ctx, billing.InvoiceQuery{Client: view.Client.ID, Status: "open", Currency: row.Currency,
			Order: db.InvoiceOrder{By: "due_date", Ascending: true}}, db.Page{First: db.MaxPage})
		if err != nil {
			return err
		}
		view.Open = list.Rows
	}
	return c.show(w, r, status, bt(ctx, "bank.movement"), movementPageView(view))
}

// decideMovement books a movement for the client and the invoices that were ticked, or ignores it.
func (c *Console) decideMovement(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	key, err := id.ParseMovement(r.PathValue("id"))
	if err != nil {
		return fault.Missing()
	}
	ticked := []id.Invoice{}
	if r.PostFormValue("accion") == "ignorar" {
		_, err = c.Billing.IgnoreMovement(ctx, key)
	} else {
		in := billing.ConfirmInput{MovementID: key}
		if text := r.PostFormValue("cliente"); text != "" {
			if in.ClientID, err = id.ParseClient(text); err != nil {
				return fault.Missing()
			}
		}
		for _, text := range r.PostForm["factura"] {
			invoice, err := id.ParseInvoice(text)
			if err != nil {
				return fault.Missing()
			}
			ticked = append(ticked, invoice)
			in.Invoices = append(in.Invoices, billing.Allocation{InvoiceID: invoice})
		}
		in.CreditOnly = r.PostFormValue("elegir") != "" && len(ticked) == 0
		_, err = c.Billing.ConfirmMovement(ctx, in)
	}
	if errs, ok := invalid(ctx, err); ok {
		return c.showMovement(w, r, http.StatusUnprocessableEntity, ticked, errs)
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "billing.flash.decided")
	return layout.Redirect(w, r, "/consola/banco")
}

func (v movementView) ticked(invoice id.Invoice) bool { return slices.Contains(v.Ticked, invoice) }

func (v movementView) decided() bool {
	return v.Row.Status == db.MovementConfirmed || v.Row.Status == db.MovementIgnored
}

type importView struct {
	Result *billing.ImportResult
	Errors []fileError
	Total  int // errors, also those that are not listed
}

func (c *Console) importPage(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	if err := requireBilling(ctx); err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, bt(ctx, "import.title"), importInvoicesPage(importView{}))
}

func (c *Console) importInvoices(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	if err := requireBilling(ctx); err != nil {
		return err
	}
	file, err := csvFile(r)
	var result billing.ImportResult
	if err == nil {
		defer func() { _ = file.Close() }()
		result, err = c.Billing.ImportInvoices(ctx, file)
	}
	if wrong, ok := fileErrors(ctx, err); ok {
		return c.show(w, r, http.StatusUnprocessableEntity, bt(ctx, "import.title"), importInvoicesPage(importView{Errors: wrong, Total: max(result.Errors, len(wrong))}))
	}
	if err != nil {
		return err
	}
	return c.show(w, r, http.StatusOK, bt(ctx, "import.title"), importInvoicesPage(importView{Result: &result}))
}

// importExample is a file to begin with.
func (c *Console) importExample(w http.ResponseWriter, r *http.Request) error {
	if err := requireBilling(r.Context()); err != nil {
		return err
	}
	return layout.Stream(w, bt(r.Context(), "import.example.file")+".csv", "text/csv; charset=utf-8", func(out io.Writer) error {
		_, err := io.WriteString(out, "reference,client,issue_date,due_date,description,quantity,unit_price,treatment,tax_included,kind,clave_prod_serv,notes\r\n"+
			"PED-1001,XEXX010101000,"+string(c.Billing.Today())+","+string(c.Billing.Today().AddDays(15))+",Hospedaje anual,1,2388.00,iva16,no,hosting,81112105,\r\n"+
			"PED-1001,XEXX010101000,"+string(c.Billing.Today())+","+string(c.Billing.Today().AddDays(15))+",Dominio .mx,1,399.00,iva16,si,domain,81112107,\r\n")
		return err
	})
}

// importColumns are the columns of a file of invoices, in the order of the page.
var importColumns = []struct {
	Name     string
	Required bool
}{
	{"reference", true}, {"client", true}, {"due_date", true}, {"description", true}, {"unit_price", true}, {"issue_date", false}, {"quantity", false},
	{"discount", false}, {"treatment", false}, {"tax_included", false}, {"currency", false}, {"exchange_rate", false}, {"kind", false}, {"tld", false},
	{"rate_source", false}, {"clave_prod_serv", false}, {"clave_unidad", false}, {"retencion_isr", false}, {"retencion_iva", false}, {"notes", false},
}
