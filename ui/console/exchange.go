package console

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/ui/component"
	"github.com/nubedigitalmx/avisa/ui/layout"
)

const ratesPath = "/consola/tipos-de-cambio"

func (c *Console) rateTable() []layout.Route {
	return []layout.Route{
		{Method: "GET", Path: ratesPath, Who: layout.Staff, Handle: c.exchangeRates},
		{Method: "POST", Path: ratesPath, Who: layout.Staff, Handle: c.setExchangeRate},
	}
}

type ratesView struct {
	Currency money.Currency // whose rates are listed
	Today    date.Date
	Rows     []db.ExchangeRate
	Day      string
	Rate     string
	Source   string
	Errors   fieldErrors
}

// foreign are the currencies that have a rate.
func foreign() []money.Currency {
	return slices.DeleteFunc(money.Currencies(), func(c money.Currency) bool { return c == money.MXN })
}

func (v ratesView) address(currency money.Currency) string {
	return withQuery(ratesPath, url.Values{"moneda": {string(currency)}})
}

func (v ratesView) tabs() []component.Tab {
	var tabs []component.Tab
	for _, currency := range foreign() {
		tabs = append(tabs, tab(string(currency), v.address(currency), currency == v.Currency))
	}
	return tabs
}

// taken is the day of the rate that an invoice of today takes; "" where none is recent enough.
func (v ratesView) taken() date.Date {
	for _, row := range v.Rows { // the newest first
		if row.Day <= v.Today {
			if row.Day < v.Today.AddDays(-db.MaxRateAge) {
				return ""
			}
			return row.Day
		}
	}
	return ""
}

// setBy names who stored a rate.
func setBy(ctx context.Context, row db.ExchangeRate) string {
	if row.SetBy == access.SystemActor().Name {
		return component.T(ctx, "audit.system")
	}
	return row.SetBy
}

// exchangeRates lists the stored rates of a currency, with the form that stores one.
func (c *Console) exchangeRates(w http.ResponseWriter, r *http.Request) error {
	view := ratesView{Currency: foreign()[0]}
	if asked := money.Currency(r.URL.Query().Get("moneda")); slices.Contains(foreign(), asked) {
		view.Currency = asked
	}
	view.Day, view.Source = string(c.Billing.Today()), "DOF"
	return c.showRates(w, r, http.StatusOK, view)
}

func (c *Console) showRates(w http.ResponseWriter, r *http.Request, status int, view ratesView) error {
	ctx := r.Context()
	var err error
	view.Today = c.Billing.Today()
	if view.Rows, err = c.Billing.ExchangeRates(ctx, view.Currency); err != nil {
		return err
	}
	return c.show(w, r, status, bt(ctx, "rates.title"), ratesPage(view))
}

func (c *Console) setExchangeRate(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	if err := requireBilling(ctx); err != nil {
		return err
	}
	view := ratesView{Currency: money.Currency(r.PostFormValue("currency")), Day: r.PostFormValue("day"), Rate: strings.TrimSpace(r.PostFormValue("rate")),
		Source: r.PostFormValue("source")}
	if !slices.Contains(foreign(), view.Currency) {
		view.Currency = foreign()[0]
	}
	var checks fault.Checks
	in := billing.ExchangeRateInput{Currency: view.Currency, Day: readDay(&checks, "day", view.Day), Source: view.Source}
	var err error
	if in.Rate, err = money.Parse(view.Rate); err != nil && view.Rate != "" {
		checks.Add("rate", "EXCHANGE_RATE_INVALID")
	} else if view.Rate == "" {
		checks.Add("rate", "REQUIRED")
	}
	if err = checks.Err(); err == nil {
		_, err = c.Billing.SetExchangeRate(ctx, in)
	}
	if errs, ok := invalid(ctx, err); ok {
		view.Errors = errs
		return c.showRates(w, r, http.StatusUnprocessableEntity, view)
	}
	if err != nil {
		return err
	}
	layout.Flash(w, r, "billing.flash.rate")
	return layout.Redirect(w, r, view.address(view.Currency))
}
