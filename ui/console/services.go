package console

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"strconv"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

func (c *Console) serviceTable() []layout.Route {
	return []layout.Route{
		{Method: "GET", Path: "/consola/clientes/{id}/servicios", Who: layout.Staff, Handle: c.services},
		{Method: "GET", Path: "/consola/clientes/{id}/servicios/nuevo", Who: layout.Staff, Handle: c.newService},
		{Method: "POST", Path: "/consola/clientes/{id}/servicios/nuevo", Who: layout.Staff, Handle: c.addService},
		{Method: "GET", Path: "/consola/servicios/{id}", Who: layout.Staff, Handle: c.servicePage},
		{Method: "POST", Path: "/consola/servicios/{id}/cambiar", Who: layout.Staff, Handle: c.changeService},
		{Method: "POST", Path: "/consola/servicios/{id}/estado", Who: layout.Staff, Handle: c.setServiceState},
		{Method: "GET", Path: "/consola/servicios/{id}/cambiar", Who: layout.Staff, Handle: toParent},
		{Method: "GET", Path: "/consola/servicios/{id}/estado", Who: layout.Staff, Handle: toParent},
		{Method: "GET", Path: "/consola/renovaciones", Who: layout.Staff, Handle: c.renewals},
		{Method: "POST", Path: "/consola/renovaciones", Who: layout.Staff, Handle: c.runRenewals},
	}
}

func servicePath(service id.Service) string { return "/consola/servicios/" + service.String() }

// serviceRow is a service with its client, where a list shows several.
type serviceRow struct {
	db.Service
	Client db.Client
}

// amount is what a period costs, before tax unless the price includes it.
func (r serviceRow) amount() money.Minor {
	total, err := r.Quantity.MulMinor(r.Price, r.Currency)
	if err != nil {
		return 0
	}
	return total
}

type servicesView struct {
	Client db.Client
	Rows   []serviceRow
	Next   string
}

func (c *Console) services(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	client, err := c.client(ctx, r.PathValue("id"))
	if err != nil {
		return err
	}
	list, err := c.Billing.Services(ctx, client.ID, "", db.Page{First: pageSize, After: r.URL.Query().Get("despues")})
	if err != nil {
		return err
	}
	view := servicesView{Client: client}
	for _, row := range list.Rows {
		view.Rows = append(view.Rows, serviceRow{row, client})
	}
	if next := list.Next(); next != "" {
		view.Next = withQuery(clientPath(client.ID)+"/servicios", url.Values{"despues": {next}})
	}
	return c.show(w, r, http.StatusOK, bt(ctx, "services.title"), servicesPage(view))
}

// serviceForm is the form of a new service as it was sent.
type serviceForm struct {
	Client      db.Client
	Products    []db.Product
	Product     string
	Description string
	Quantity    string
	StartsOn    string
	EndsOn      string
	DaysBefore  string
	RequestKey  string
	pricingForm
}

func (c *Console) serviceForm(r *http.Request) (*serviceForm, error) {
	ctx := r.Context()
	if err := requireBilling(ctx); err != nil {
		return nil, err
	}
	client, err := c.client(ctx, r.PathValue("id"))
	if err != nil {
		return nil, err
	}
	list, err := c.Billing.Products(ctx, db.Page{First: db.MaxPage})
	form := &serviceForm{Client: client}
	for _, p := range list.Rows {
		if p.Active {
			form.Products = append(form.Products, p)
		}
	}
	return form, err
}

func (c *Console) newService(w http.ResponseWriter, r *http.Request) error {
	form, err := c.serviceForm(r)
	if err != nil {
		return err
	}
	form.Quantity, form.DaysBefore, form.RequestKey = "1", "14", rand.Text()
	form.StartsOn = string(date.Today(c.Now(), form.Client.Timezone))
	form.pricingForm = pricingForm{Kind: "hosting", Cycle: string(billing.Monthly), Currency: string(money.MXN), Treatment: string(billing.IVA16)}
	if len(form.Products) > 0 {
		form.Product = form.Products[0].ID.String()
	}
	return c.show(w, r, http.StatusOK, bt(r.Context(), "services.new"), serviceFormPage(form))
}

func (c *Console) addService(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	form, err := c.serviceForm(r)
	if err != nil {
		return err
	}
	for name, to := range map[string]*string{"product": &form.Product, "description": &form.Description, "quantity": &form.Quantity, "startsOn": &form.StartsOn,
		"endsOn": &form.EndsOn, "daysBefore": &form.DaysBefore, "requestKey": &form.RequestKey} {
		*to = r.PostFormValue(name)
	}
	form.read(r)
	in, err := form.service()
	var row db.Service
	if err == nil {
		row, err = c.Billing.AddService(ctx, in)
	}
	if errs, ok := invalid(ctx, err); ok {
		form.Errors = errs
		return c.show(w, r, http.StatusUnprocessableEntity, bt(ctx, "services.new"), serviceFormPage(form))
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "billing.flash.sold")
	return layout.Redirect(w, r, servicePath(row.ID))
}

func (f *serviceForm) service() (billing.ServiceInput, error) {
	in := billing.ServiceInput{ClientID: f.Client.ID, Description: f.Description, RequestKey: f.RequestKey}
	var checks fault.Checks
	var err error
	if f.Product != "" {
		if in.ProductID, err = id.ParseProduct(f.Product); err != nil {
			checks.Add("product", "VALUE_INVALID")
		}
	} else {
		in.Pricing = f.input(&checks)
	}
	if in.Quantity, err = money.Parse(f.Quantity); err != nil {
		checks.Add("quantity", "QUANTITY_INVALID")
	}
	in.StartsOn, in.EndsOn = readDay(&checks, "startsOn", f.StartsOn), readDay(&checks, "endsOn", f.EndsOn)
	days, err := strconv.Atoi(f.DaysBefore)
	if err != nil {
		checks.Add("daysBefore", "VALUE_INVALID")
	}
	in.DaysBefore = &days
	return in, checks.Err()
}

func (f *serviceForm) productOptions(ctx context.Context) []component.Option {
	options := productOptions(ctx, f.Products)
	options[0].Label = bt(ctx, "services.own")
	return options
}

type serviceView struct {
	Service db.Service
	Client  db.Client
	Periods []servicePeriod
	Today   date.Date
	Change  changeForm
	State   stateForm
}

func (v serviceView) row() serviceRow { return serviceRow{v.Service, v.Client} }

// servicePeriod is a period with the invoice that it is on.
type servicePeriod struct {
	db.ServicePeriod
	Invoice db.Invoice
}

// changeForm is the form of a service's new price, as it was sent.
type changeForm struct {
	Description, Quantity, Price, On, RequestKey string
	Errors                                       fieldErrors
}

// stateForm is the form that suspends, resumes or ends a service, as it was sent.
type stateForm struct {
	EndsOn string
	Errors fieldErrors
}

func (c *Console) servicePage(w http.ResponseWriter, r *http.Request) error {
	return c.showService(w, r, http.StatusOK, nil, nil)
}

func (c *Console) service(r *http.Request) (db.Service, error) {
	key, err := id.ParseService(r.PathValue("id"))
	if err != nil {
		return db.Service{}, fault.Missing()
	}
	return c.Billing.Service(r.Context(), key)
}

func (c *Console) showService(w http.ResponseWriter, r *http.Request, status int, change *changeForm, state *stateForm) error {
	ctx := r.Context()
	row, err := c.service(r)
	if err != nil {
		return err
	}
	view := serviceView{Service: row}
	if view.Client, err = c.Account.Client(ctx, row.ClientID); err != nil {
		return err
	}
	view.Today = date.Today(c.Now(), view.Client.Timezone)
	periods, err := c.Billing.Periods(ctx, row.ID)
	if err != nil {
		return err
	}
	ids := make([]id.Invoice, len(periods))
	for i, p := range periods {
		ids[i] = p.InvoiceID
	}
	invoices, err := c.Billing.InvoicesByID(ctx, ids)
	if err != nil {
		return err
	}
	known := byKey(invoices, func(row db.Invoice) id.Invoice { return row.ID })
	for _, p := range periods {
		view.Periods = append(view.Periods, servicePeriod{p, known[p.InvoiceID]})
	}
	view.Change = changeForm{Description: row.Description, Quantity: row.Quantity.String(), Price: price(row.Price, row.Currency), On: string(view.Today), RequestKey: rand.Text()}
	if change != nil {
		view.Change = *change
	}
	view.State = stateForm{EndsOn: string(row.EndsOn)}
	if state != nil {
		view.State = *state
	}
	return c.show(w, r, status, row.Description, servicePageView(view))
}

func (c *Console) changeService(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	if err := requireBilling(ctx); err != nil {
		return err
	}
	row, err := c.service(r)
	if err != nil {
		return err
	}
	form := changeForm{Description: r.PostFormValue("description"), Quantity: r.PostFormValue("quantity"), Price: r.PostFormValue("price"), On: r.PostFormValue("on"),
		RequestKey: r.PostFormValue("requestKey")}
	in := billing.ChangeInput{ServiceID: row.ID, Description: form.Description, RequestKey: form.RequestKey}
	var checks fault.Checks
	if in.Price, err = readPrice(form.Price, row.Currency); err != nil {
		checks.Add("price", amountCode(err))
	}
	if in.Quantity, err = money.Parse(form.Quantity); err != nil {
		checks.Add("quantity", "QUANTITY_INVALID")
	}
	in.On = readDay(&checks, "on", form.On)
	var made billing.Change
	if err = checks.Err(); err == nil {
		made, err = c.Billing.ChangeService(ctx, in)
	}
	if errs, ok := invalid(ctx, err); ok {
		form.Errors = errs
		return c.showService(w, r, http.StatusUnprocessableEntity, &form, nil)
	}
	if err != nil {
		return err
	}
	switch {
	case made.Invoice != nil:
		layout.Flash(w, r, "billing.flash.upgraded")
		return layout.Redirect(w, r, invoicePath(made.Invoice.ID))
	case len(made.CreditNotes) > 0:
		layout.Flash(w, r, "billing.flash.downgraded")
		return layout.Redirect(w, r, invoicePath(made.CreditNotes[0].InvoiceID))
	}
	layout.Flash(w, r, "console.flash.saved")
	return layout.Redirect(w, r, servicePath(row.ID))
}

// serviceStates are the states by what the buttons are called.
var serviceStates = map[string]string{"suspender": db.ServiceSuspended, "reanudar": db.ServiceActive, "terminar": db.ServiceEnded, "fecha": db.ServiceActive}

func (c *Console) setServiceState(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	if err := requireBilling(ctx); err != nil {
		return err
	}
	row, err := c.service(r)
	if err != nil {
		return err
	}
	form := stateForm{EndsOn: r.PostFormValue("endsOn")}
	var checks fault.Checks
	in := billing.ServiceStateInput{ServiceID: row.ID, Status: serviceStates[r.PostFormValue("accion")], EndsOn: readDay(&checks, "endsOn", form.EndsOn)}
	if err = checks.Err(); err == nil {
		_, err = c.Billing.SetServiceState(ctx, in)
	}
	if errs, ok := invalid(ctx, err); ok {
		form.Errors = errs
		return c.showService(w, r, http.StatusUnprocessableEntity, nil, &form)
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "console.flash.saved")
	return layout.Redirect(w, r, servicePath(row.ID))
}

// renewalDays are the spans that the page of renewals offers.
var renewalDays = []int{30, 60, 90, 365}

type renewalsView struct {
	Days int
	Rows []serviceRow
	Sums []db.RenewalSum
	Next string
	Made *billing.RenewalResult
}

func (v renewalsView) tabs(ctx context.Context) []component.Tab {
	var tabs []component.Tab
	for _, days := range renewalDays {
		tabs = append(tabs, tab(bt(ctx, "renewals.days", "n", days), "/consola/renovaciones?dias="+strconv.Itoa(days), days == v.Days))
	}
	return tabs
}

func (c *Console) renewals(w http.ResponseWriter, r *http.Request) error {
	return c.showRenewals(w, r, nil)
}

func (c *Console) showRenewals(w http.ResponseWriter, r *http.Request, made *billing.RenewalResult) error {
	ctx, q := r.Context(), r.URL.Query()
	view := renewalsView{Days: renewalDays[0], Made: made}
	for _, days := range renewalDays {
		if q.Get("dias") == strconv.Itoa(days) {
			view.Days = days
		}
	}
	until := c.Billing.Today().AddDays(view.Days)
	list, err := c.Billing.UpcomingRenewals(ctx, until, db.Page{First: pageSize, After: q.Get("despues")})
	if err != nil {
		return err
	}
	if view.Sums, err = c.Billing.RenewalSums(ctx, until); err != nil {
		return err
	}
	ids := make([]id.Client, len(list.Rows))
	for i, row := range list.Rows {
		ids[i] = row.ClientID
	}
	clients, err := c.Account.ClientsByID(ctx, ids)
	if err != nil {
		return err
	}
	known := byKey(clients, func(row db.Client) id.Client { return row.ID })
	for _, row := range list.Rows {
		view.Rows = append(view.Rows, serviceRow{row, known[row.ClientID]})
	}
	if next := list.Next(); next != "" {
		view.Next = withQuery("/consola/renovaciones", url.Values{"despues": {next}, "dias": {strconv.Itoa(view.Days)}})
	}
	return c.show(w, r, http.StatusOK, bt(ctx, "renewals.title"), renewalsPage(view))
}

// runRenewals invoices what is due by now; the clock does the same every day.
func (c *Console) runRenewals(w http.ResponseWriter, r *http.Request) error {
	made, err := c.Billing.InvoiceRenewals(r.Context())
	if err != nil {
		return err
	}
	return c.showRenewals(w, r, &made)
}

func serviceTone(status string) component.Tone {
	switch status {
	case db.ServiceActive:
		return component.Good
	case db.ServiceSuspended:
		return component.Warning
	}
	return component.Neutral
}

// renewalProblem says why a client's services could not be invoiced.
func renewalProblem(ctx context.Context, err error) string {
	errs, ok := invalid(ctx, err)
	if !ok {
		return err.Error()
	}
	for _, text := range errs {
		return text
	}
	return ""
}
