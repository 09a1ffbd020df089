package console

import (
	"context"
	"net/http"
	"net/url"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

func (c *Console) productTable() []layout.Route {
	return []layout.Route{
		{Method: "GET", Path: "/consola/productos", Who: layout.Staff, Handle: c.products},
		{Method: "GET", Path: "/consola/productos/nuevo", Who: layout.Staff, Handle: c.newProduct},
		{Method: "POST", Path: "/consola/productos/nuevo", Who: layout.Staff, Handle: c.saveProduct},
		{Method: "GET", Path: "/consola/productos/{id}", Who: layout.Staff, Handle: c.productPage},
		{Method: "POST", Path: "/consola/productos/{id}", Who: layout.Staff, Handle: c.saveProduct},
	}
}

type productsView struct {
	Rows []db.Product
	Next string
}

func (c *Console) products(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	list, err := c.Billing.Products(ctx, db.Page{First: pageSize, After: r.URL.Query().Get("despues")})
	if err != nil {
		return err
	}
	view := productsView{Rows: list.Rows}
	if next := list.Next(); next != "" {
		view.Next = withQuery("/consola/productos", url.Values{"despues": {next}})
	}
	return c.show(w, r, http.StatusOK, bt(ctx, "products.title"), productsPage(view))
}

// pricingForm is what the forms of products and services have in common, as it was sent.
type pricingForm struct {
	Kind, TLD, Cycle, Price, Currency, Treatment, IncludesTax, ClaveProdServ, ClaveUnidad string
	Errors                                                                                fieldErrors
}

func (f *pricingForm) read(r *http.Request) {
	for name, to := range map[string]*string{"kind": &f.Kind, "tld": &f.TLD, "cycle": &f.Cycle, "price": &f.Price, "currency": &f.Currency, "treatment": &f.Treatment,
		"priceIncludesTax": &f.IncludesTax, "claveProdServ": &f.ClaveProdServ, "claveUnidad": &f.ClaveUnidad} {
		*to = r.PostFormValue(name)
	}
}

func (f *pricingForm) input(checks *fault.Checks) billing.Pricing {
	in := billing.Pricing{Kind: f.Kind, TLD: f.TLD, Cycle: billing.Cycle(f.Cycle), Currency: money.Currency(f.Currency), Treatment: billing.TaxTreatment(f.Treatment),
		PriceIncludesTax: f.IncludesTax != "", ClaveProdServ: f.ClaveProdServ, ClaveUnidad: f.ClaveUnidad}
	if f.Kind != "domain" {
		in.TLD = ""
	}
	var err error
	if in.Price, err = readPrice(f.Price, in.Currency); err != nil {
		checks.Add("price", amountCode(err))
	}
	return in
}

// field is a field of the form with its error.
func (f *pricingForm) field(ctx context.Context, name, value string, options []component.Option) component.Field {
	return component.Field{Name: name, Label: bt(ctx, "pricing."+name), Value: value, Error: f.Errors[name], Options: options}
}

func cycleOptions(ctx context.Context) []component.Option {
	var options []component.Option
	for _, cycle := range []billing.Cycle{billing.Monthly, billing.Quarterly, billing.Yearly, billing.OneOff} {
		options = append(options, component.Option{Value: string(cycle), Label: bt(ctx, "cycle."+string(cycle))})
	}
	return options
}

func treatmentOptions(ctx context.Context) []component.Option {
	var options []component.Option
	for _, treatment := range treatments {
		options = append(options, component.Option{Value: string(treatment), Label: t(ctx, "treatment."+string(treatment))})
	}
	return options
}

func basisOptions(ctx context.Context) []component.Option {
	return []component.Option{{Value: "", Label: bt(ctx, "form.price_basis.net")}, {Value: "1", Label: bt(ctx, "form.price_basis.gross")}}
}

// productForm is the form of a product as it was sent.
type productForm struct {
	ID     id.Product // 0: a new one
	Name   string
	Active bool
	pricingForm
}

func (f *productForm) action() string {
	if f.ID == 0 {
		return "/consola/productos/nuevo"
	}
	return "/consola/productos/" + f.ID.String()
}

func (c *Console) newProduct(w http.ResponseWriter, r *http.Request) error {
	if err := requireBilling(r.Context()); err != nil {
		return err
	}
	form := productForm{Active: true, pricingForm: pricingForm{Kind: "hosting", Cycle: string(billing.Monthly), Currency: string(money.MXN), Treatment: string(billing.IVA16)}}
	return c.show(w, r, http.StatusOK, bt(r.Context(), "products.new"), productPageView(&form))
}

func (c *Console) product(r *http.Request) (db.Product, error) {
	key, err := id.ParseProduct(r.PathValue("id"))
	if err != nil {
		return db.Product{}, fault.Missing()
	}
	return c.Billing.Product(r.Context(), key)
}

func (c *Console) productPage(w http.ResponseWriter, r *http.Request) error {
	row, err := c.product(r)
	if err != nil {
		return err
	}
	form := productForm{ID: row.ID, Name: row.Name, Active: row.Active, pricingForm: pricingForm{Kind: row.Kind, TLD: row.TLD, Cycle: row.Cycle,
		Price: price(row.Price, row.Currency), Currency: string(row.Currency), Treatment: row.Treatment, ClaveProdServ: row.ClaveProdServ, ClaveUnidad: row.ClaveUnidad}}
	if row.PriceIncludesTax {
		form.IncludesTax = "1"
	}
	return c.show(w, r, http.StatusOK, row.Name, productPageView(&form))
}

func (c *Console) saveProduct(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	if err := requireBilling(ctx); err != nil {
		return err
	}
	form := productForm{Name: r.PostFormValue("name"), Active: r.PostFormValue("active") != ""}
	if r.PathValue("id") != "" {
		row, err := c.product(r)
		if err != nil {
			return err
		}
		form.ID = row.ID
	}
	form.read(r)
	var checks fault.Checks
	in := billing.ProductInput{ProductID: form.ID, Name: form.Name, Active: form.Active, Pricing: form.input(&checks)}
	err := checks.Err()
	if err == nil {
		_, err = c.Billing.SaveProduct(ctx, in)
	}
	if errs, ok := invalid(ctx, err); ok {
		form.Errors = errs
		return c.show(w, r, http.StatusUnprocessableEntity, bt(ctx, "products.title"), productPageView(&form))
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "console.flash.saved")
	return layout.Redirect(w, r, "/consola/productos")
}
