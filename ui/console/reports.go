package console

import (
	"context"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
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

func (c *Console) reportTable() []layout.Route {
	return []layout.Route{
		{Method: "GET", Path: "/consola/informes", Who: layout.Staff, Handle: c.reports},
		{Method: "GET", Path: "/consola/clientes/{id}/estado-de-cuenta", Who: layout.Staff, Handle: c.statement},
		{Method: "GET", Path: "/consola/clientes/{id}/estado-de-cuenta.csv", Who: layout.Staff, Handle: c.statementFile},
		{Method: "GET", Path: "/consola/clientes/{id}/estado-de-cuenta.pdf", Who: layout.Staff, Handle: c.statementPDF},
	}
}

// bar is a row of a chart: a label, an amount, and how long it is beside the longest.
type bar struct {
	Label  string
	Amount money.Minor
	Note   string
	Share  int // of the longest bar, 0 to 1000
	Class  string
}

// shares sets how long the bars are. The longest has 1000; what is more than nothing is never invisible.
func shares(bars []bar) {
	var most money.Minor
	for _, b := range bars {
		most = max(most, b.Amount)
	}
	for i := range bars {
		if bars[i].Amount <= 0 || most == 0 {
			continue
		}
		share, err := bars[i].Amount.MulDiv(1000, int64(most))
		if err == nil {
			bars[i].Share = max(int(share), 4)
		}
	}
}

// chart is a chart of one currency with what its bars come to.
type chart struct {
	Currency money.Currency
	Bars     []bar
	Total    money.Minor
}

type reportsView struct {
	Aging   []chart
	Revenue []chart
	Check   *db.LedgerCheck // nil before the first
}

// reportMonths is how many months the chart of revenue has.
const reportMonths = 12

func (c *Console) reports(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	var view reportsView
	aging, err := c.Billing.Aging(ctx, 0)
	if err != nil {
		return err
	}
	for _, row := range aging {
		view.Aging = append(view.Aging, agingChart(ctx, row))
	}
	today := c.Billing.Today()
	first := today[:8] + "01"
	from := date.Date(first.Time().AddDate(0, 1-reportMonths, 0).Format("2006-01-02"))
	months, err := c.Billing.PaidPerMonth(ctx, from, today)
	if err != nil {
		return err
	}
	view.Revenue = revenueCharts(ctx, from, months)
	check, err := c.Billing.LedgerCheck(ctx)
	if err == nil {
		view.Check = &check
	} else if !fault.Is(err, fault.NotFound) {
		return err
	}
	return c.show(w, r, http.StatusOK, bt(ctx, "reports.title"), reportsPage(view))
}

func agingChart(ctx context.Context, row db.Aging) chart {
	out := chart{Currency: row.Currency, Total: row.Total}
	for _, part := range []struct {
		key    string
		amount money.Minor
		class  string
	}{{"current", row.Current, "fill-success"}, {"days30", row.Days30, "fill-info"}, {"days60", row.Days60, "fill-warning"}, {"days90", row.Days90, "fill-accent"}, {"older", row.Older, "fill-error"}} {
		out.Bars = append(out.Bars, bar{Label: bt(ctx, "aging."+part.key), Amount: part.amount, Class: part.class})
	}
	shares(out.Bars)
	return out
}

// revenueCharts makes a chart of each currency; months without payments have an empty bar.
func revenueCharts(ctx context.Context, from date.Date, rows []db.MonthPaid) []chart {
	var charts []chart
	for _, currency := range money.Currencies() {
		out := chart{Currency: currency}
		paid := map[date.Date]db.MonthPaid{}
		for _, row := range rows {
			if row.Currency == currency {
				paid[row.Month] = row
				out.Total += row.Amount
			}
		}
		if len(paid) == 0 {
			continue
		}
		for i := range reportMonths {
			month := date.Date(from.Time().AddDate(0, i, 0).Format("2006-01-02"))
			row := paid[month]
			out.Bars = append(out.Bars, bar{Label: monthName(ctx, month), Amount: row.Amount, Note: bcount(ctx, "payments.count", row.Count), Class: "fill-primary"})
		}
		shares(out.Bars)
		charts = append(charts, out)
	}
	return charts
}

// monthName writes a month without its day: "abr 2026", "Apr 2026".
func monthName(ctx context.Context, month date.Date) string {
	_, name, _ := strings.Cut(component.Date(ctx, month), " ")
	if strings.HasSuffix(component.Date(ctx, month), ", "+string(month[:4])) { // Apr 1, 2026
		name = strings.Fields(component.Date(ctx, month))[0] + " " + string(month[:4])
	}
	return name
}

// column is the place of a bar in the vertical chart, in its units.
func column(i int) string { return strconv.Itoa(8 + i*60) }

// top and height are where a bar of the vertical chart begins, and how high it is.
func top(b bar) string    { return strconv.Itoa(170 - b.Share*150/1000) }
func height(b bar) string { return strconv.Itoa(b.Share * 150 / 1000) }

type statementView struct {
	Client    db.Client
	Query     url.Values
	Statement billing.Statement
	Errors    fieldErrors
}

func (v statementView) at(suffix string) string {
	return withQuery(clientPath(v.Client.ID)+"/estado-de-cuenta"+suffix, v.Query)
}

// day is what a field shows: what was asked for, or what the statement covers.
func (v statementView) day(name string, covered date.Date) string {
	if text := v.Query.Get(name); text != "" {
		return text
	}
	return string(covered)
}

func (c *Console) readStatement(r *http.Request) (statementView, billing.StatementQuery, error) {
	client, err := c.client(r.Context(), r.PathValue("id"))
	if err != nil {
		return statementView{}, billing.StatementQuery{}, err
	}
	view := statementView{Client: client, Query: url.Values{}}
	for _, name := range []string{"desde", "hasta", "moneda"} {
		set(view.Query, name, strings.TrimSpace(r.URL.Query().Get(name)))
	}
	var checks fault.Checks
	query := billing.StatementQuery{ClientID: client.ID, Currency: money.Currency(view.Query.Get("moneda")), From: readDay(&checks, "desde", view.Query.Get("desde")),
		To: readDay(&checks, "hasta", view.Query.Get("hasta"))}
	return view, query, checks.Err()
}

func (c *Console) statement(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	view, query, err := c.readStatement(r)
	if err == nil {
		view.Statement, err = c.Billing.Statement(ctx, query)
	}
	status := http.StatusOK
	if errs, ok := invalid(ctx, err); ok {
		status, view.Errors = http.StatusUnprocessableEntity, errs
		for path, name := range map[string]string{"to": "hasta", "currency": "moneda"} {
			if errs[path] != "" {
				errs[name] = errs[path]
			}
		}
	} else if err != nil {
		return err
	}
	return c.show(w, r, status, bt(ctx, "statement.title"), statementPage(view))
}

func (c *Console) statementFile(w http.ResponseWriter, r *http.Request) error {
	ctx := r.Context()
	view, query, err := c.readStatement(r)
	if err != nil {
		return err
	}
	return layout.Stream(w, bt(ctx, "statement.file")+"-"+view.Client.ID.String()+".csv", "text/csv; charset=utf-8", func(out io.Writer) error {
		return c.Billing.ExportStatement(ctx, query, component.Lang(ctx), out)
	})
}

func (c *Console) statementPDF(w http.ResponseWriter, r *http.Request) error {
	_, query, err := c.readStatement(r)
	if err != nil {
		return err
	}
	file, err := c.Billing.OpenStatementPDF(r.Context(), query)
	if err != nil {
		return err
	}
	return showPDF(w, file)
}

// morning is what somebody who bills looks at first.
type morning struct {
	Paid      []db.MonthPaid // this month, by currency
	Drafts    int64
	Deposits  int64           // that wait for review
	Renewals  []db.RenewalSum // of the next seven days
	Overdue60 []chart         // what is more than 60 days late
	Gaps      int64           // that the last comparison of the ledger found
}

func (c *Console) morning(ctx context.Context) (morning, error) {
	var out morning
	today := c.Billing.Today()
	var err error
	if out.Paid, err = c.Billing.PaidPerMonth(ctx, today[:8]+"01", today); err != nil {
		return out, err
	}
	drafts, _, err := c.Billing.InvoiceSums(ctx, billing.InvoiceQuery{Status: db.InvoiceDraft})
	if err != nil {
		return out, err
	}
	for _, sum := range drafts {
		out.Drafts += sum.Count
	}
	counts, err := c.Billing.MovementCounts(ctx)
	if err != nil {
		return out, err
	}
	out.Deposits = counts[db.MovementMatched] + counts[db.MovementUnmatched]
	if out.Renewals, err = c.Billing.RenewalSums(ctx, today.AddDays(7)); err != nil {
		return out, err
	}
	aging, err := c.Billing.Aging(ctx, 0)
	for _, row := range aging {
		if late := row.Days90 + row.Older; late > 0 {
			out.Overdue60 = append(out.Overdue60, chart{Currency: row.Currency, Total: late})
		}
	}
	if err != nil || access.RequireCapability(ctx, access.ReadBilling) != nil {
		return out, err
	}
	check, err := c.Billing.LedgerCheck(ctx)
	if fault.Is(err, fault.NotFound) {
		err = nil // before the first
	}
	out.Gaps = int64(len(check.Gaps))
	return out, err
}

// overdue reports whether anything is late.
func overdue(totals []db.InvoiceTotals) bool {
	return slices.ContainsFunc(totals, func(row db.InvoiceTotals) bool { return row.Overdue > 0 })
}
