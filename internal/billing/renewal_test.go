package billing_test

import (
	"fmt"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

func TestCycleAfter(t *testing.T) {
	for _, c := range []struct {
		cycle  billing.Cycle
		anchor int
		days   []date.Date
	}{
		{billing.Monthly, 31, []date.Date{"2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"}},
		{billing.Monthly, 31, []date.Date{"2028-01-31", "2028-02-29", "2028-03-31"}},
		{billing.Monthly, 30, []date.Date{"2026-01-30", "2026-02-28", "2026-03-30"}},
		{billing.Monthly, 1, []date.Date{"2026-12-01", "2027-01-01"}},
		{billing.Quarterly, 31, []date.Date{"2026-08-31", "2026-11-30", "2027-02-28", "2027-05-31"}},
		{billing.Yearly, 29, []date.Date{"2028-02-29", "2029-02-28", "2030-02-28", "2031-02-28", "2032-02-29"}},
		{billing.OneOff, 31, []date.Date{"2026-01-31", ""}},
	} {
		for i := 1; i < len(c.days); i++ {
			if got := c.cycle.After(c.days[i-1], c.anchor); got != c.days[i] {
				t.Errorf("%s after %s, anchor %d: %s, want %s", c.cycle, c.days[i-1], c.anchor, got, c.days[i])
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		anchor := rapid.IntRange(1, 31).Draw(t, "anchor")
		start := date.Date("2026-01-01").AddDays(rapid.IntRange(0, 3000).Draw(t, "day"))
		next := billing.Monthly.After(start, anchor)
		months := int(next.Time().Month()) - int(start.Time().Month())
		if next <= start || (months+12)%12 != 1 {
			t.Fatalf("%s after %s", next, start)
		}
		day := next.Time().Day()
		if day != anchor && (day > anchor || next.AddDays(1).Time().Day() != 1) {
			t.Fatalf("%s is neither day %d nor the last of its month", next, anchor)
		}
	})
}

func (w *world) service(cycle billing.Cycle, start date.Date, price string, days int) db.Service {
	w.Helper()
	return must(w, func() (db.Service, error) {
		return w.AddService(w.staff(), billing.ServiceInput{ClientID: w.client.ID, Description: "Hospedaje " + string(start), StartsOn: start, DaysBefore: &days,
			Pricing: billing.Pricing{Kind: "hosting", Cycle: cycle, Price: money.Must(price)}, RequestKey: w.key()})
	})
}

func (w *world) renew() billing.RenewalResult {
	w.Helper()
	return must(w, func() (billing.RenewalResult, error) { return w.InvoiceRenewals(w.system()) })
}

func (w *world) periods(v db.Service) (days []date.Date) {
	w.Helper()
	for _, p := range must(w, func() ([]db.ServicePeriod, error) { return w.store.Periods(w.Context(), v.ID, 100) }) {
		days = append([]date.Date{p.StartsOn}, days...)
	}
	return days
}

func TestRenewals(t *testing.T) {
	w := newWorld(t)
	// Before the clocks of the United States and of Ciudad Juárez change (8 March 2026), Mexico City keeps its own.
	w.at("2026-01-17T05:59:00Z") // still 16 January in Mexico City
	v := w.service(billing.Monthly, "2026-01-31", "100", 14)
	if got := w.renew(); got.Invoices != 0 {
		t.Fatalf("%+v, a day early", got)
	}
	w.at("2026-01-17T06:00:00Z") // midnight of the 17th
	if got := w.renew(); got.Invoices != 1 || got.Periods != 1 {
		t.Fatalf("%+v", got)
	}
	if got := w.renew(); got.Invoices != 0 {
		t.Fatalf("%+v, the second time", got)
	}
	list := must(t, func() (db.List[db.Invoice], error) {
		return w.Invoices(w.staff(), billing.InvoiceQuery{}, db.Page{})
	})
	row := list.Rows[0]
	if row.Number != "F-1" || row.DueDate != "2026-01-31" || row.IssueDate != "2026-01-17" || row.Total != 11600 {
		t.Fatalf("%s %s %s %d", row.Number, row.IssueDate, row.DueDate, row.Total)
	}
	lines := must(t, func() (map[id.Invoice][]db.InvoiceLine, error) { return w.Lines(w.staff(), row.ID) })[row.ID]
	if l := lines[0]; l.PeriodStart != "2026-01-31" || l.PeriodEnd != "2026-02-28" || l.ClaveProdServ != "81112105" || l.ClaveUnidad != "E48" || l.ServiceID != v.ID {
		t.Fatalf("%+v", l)
	}
	// Three months without a run: every period once, the overdue ones due today.
	w.at("2026-05-02T12:00:00Z")
	if got := w.renew(); got.Periods != 3 || got.Invoices != 3 {
		t.Fatalf("%+v", got)
	}
	if got := fmt.Sprint(w.periods(v)); got != "[2026-01-31 2026-02-28 2026-03-31 2026-04-30]" {
		t.Fatal(got)
	}
	w.balanced()
}

func TestRenewalsTogether(t *testing.T) {
	w := newWorld(t)
	w.at("2026-03-10T18:00:00Z")
	for range 3 {
		w.service(billing.Monthly, "2026-03-20", "10", 14)
	}
	w.service(billing.Yearly, "2026-03-21", "1200", 14)
	once := w.service(billing.OneOff, "2026-03-20", "50", 14)
	w.service(billing.Monthly, "2026-03-20", "0", 14)   // free
	w.service(billing.Monthly, "2026-03-30", "999", 14) // not yet
	ended := w.service(billing.Monthly, "2026-03-20", "77", 14)
	must(t, func() (db.Service, error) {
		return w.SetServiceState(w.staff(), billing.ServiceStateInput{ServiceID: ended.ID, Status: db.ServiceEnded})
	})
	if got := w.renew(); got.Invoices != 2 || got.Periods != 5 {
		t.Fatalf("%+v: one invoice for each renewal day", got)
	}
	if v := must(t, func() (db.Service, error) { return w.store.Service(t.Context(), once.ID) }); v.NextOn != "" {
		t.Fatalf("a one-off has a next period: %s", v.NextOn)
	}
	w.at("2027-03-01T18:00:00Z")
	w.renew()
	if n := len(w.periods(once)); n != 1 {
		t.Fatalf("a one-off was invoiced %d times", n)
	}
	// The database refuses a second invoice of a period, whatever the program does.
	if _, err := w.sql.Exec("INSERT INTO service_period SELECT * FROM service_period LIMIT 1"); err == nil {
		t.Fatal("a period was invoiced twice")
	}
	w.balanced()
}

func TestRenewalsInParallel(t *testing.T) {
	w := newWorld(t)
	for n := range 30 {
		c := w.client
		c.ID, c.Email = 0, fmt.Sprintf("c%d@cliente.example", n)
		if err := w.store.AddClient(t.Context(), &c); err != nil {
			t.Fatal(err)
		}
		days := 14
		must(t, func() (db.Service, error) {
			return w.AddService(w.staff(), billing.ServiceInput{ClientID: c.ID, Description: "Servidor", StartsOn: "2026-01-31", DaysBefore: &days,
				Pricing: billing.Pricing{Kind: "server", Cycle: billing.Monthly, Price: money.Must("10")}})
		})
	}
	w.at("2026-03-20T18:00:00Z") // three periods each
	var group sync.WaitGroup
	var mu sync.Mutex
	total := 0
	for range 8 {
		group.Go(func() {
			got, err := w.InvoiceRenewals(w.system())
			if err != nil {
				t.Error(err)
			}
			mu.Lock()
			total += got.Periods
			mu.Unlock()
		})
	}
	group.Wait()
	total += w.renew().Periods // what a process left to another that was too early
	if total != 90 {
		t.Fatalf("%d periods, want 90", total)
	}
	w.balanced()
}

func TestRenewalProblem(t *testing.T) {
	w := newWorld(t)
	days := 14
	must(t, func() (db.Service, error) {
		return w.AddService(w.staff(), billing.ServiceInput{ClientID: w.client.ID, Description: "Licencia", StartsOn: "2026-03-20", DaysBefore: &days,
			Pricing: billing.Pricing{Kind: "license", Cycle: billing.Monthly, Price: money.Must("10"), Currency: money.USD}})
	})
	w.service(billing.Monthly, "2026-03-20", "10", 14)
	got := w.renew()
	if got.Invoices != 1 || got.Skipped != 1 || len(got.Problems) != 1 {
		t.Fatalf("%+v", got)
	}
	wrong(t, got.Problems[0].Err, "exchangeRate", "EXCHANGE_RATE_REQUIRED")
	must(t, func() (db.ExchangeRate, error) {
		return w.SetExchangeRate(w.staff(), billing.ExchangeRateInput{Currency: money.USD, Day: "2026-03-10", Rate: money.Must("18"), Source: "DOF"})
	})
	if got := w.renew(); got.Invoices != 1 || got.Skipped != 0 {
		t.Fatalf("%+v", got)
	}
}

func TestChangeService(t *testing.T) {
	w := newWorld(t)
	w.at("2026-03-20T18:00:00Z")
	v := w.service(billing.Monthly, "2026-04-01", "300", 14)
	w.renew()
	w.at("2026-04-11T18:00:00Z")
	up := billing.ChangeInput{ServiceID: v.ID, Price: money.Must("600"), RequestKey: w.key()}
	got := must(t, func() (billing.Change, error) { return w.ChangeService(w.staff(), up) })
	// 20 of 30 days: 400.00 at the new price less 200.00 at the old one, plus IVA.
	if got.Invoice == nil || got.Invoice.Total != 23200 || got.Service.Price.String() != "600" {
		t.Fatalf("%+v", got)
	}
	if again := must(t, func() (billing.Change, error) { return w.ChangeService(w.staff(), up) }); again.Invoice != nil {
		t.Fatal("the same request made a second invoice")
	}
	w.at("2026-04-21T18:00:00Z")
	w.renew() // May at the new price
	if may := w.newest(); may.Total != 69600 {
		t.Fatalf("May: %d", may.Total)
	}
	down := must(t, func() (billing.Change, error) {
		return w.ChangeService(w.staff(), billing.ChangeInput{ServiceID: v.ID, Price: money.Must("450"), RequestKey: w.key()})
	})
	// 10 of 30 days of April and all of May, 150.00 less a month, plus IVA.
	if len(down.CreditNotes) != 2 || down.CreditNotes[0].Total != 5800 || down.CreditNotes[1].Total != 17400 || down.CreditNotes[1].InvoiceID != w.newest().ID {
		t.Fatalf("%+v", down.CreditNotes)
	}
	up = billing.ChangeInput{ServiceID: v.ID, Price: money.Must("750"), RequestKey: w.key()}
	got = must(t, func() (billing.Change, error) { return w.ChangeService(w.staff(), up) })
	if got.Invoice == nil || got.Invoice.Total != 11600+34800 || len(got.CreditNotes) != 0 { // the same days, 300.00 more
		t.Fatalf("%+v", got.Invoice)
	}
	w.at("2026-05-21T18:00:00Z")
	w.renew() // June at the new price
	if june := w.newest(); june.Total != 87000 {
		t.Fatalf("June: %d", june.Total)
	}
	w.balanced()
}

// newest is the last invoice.
func (w *world) newest() db.Invoice {
	w.Helper()
	return must(w, func() (db.List[db.Invoice], error) {
		return w.Invoices(w.staff(), billing.InvoiceQuery{}, db.Page{First: 1})
	}).Rows[0]
}

// A price of a day that is past settles that period and those after it; one of a day that no invoice reaches is refused,
// because the next invoice would have it too early.
func TestChangeServiceOnAnotherDay(t *testing.T) {
	w := newWorld(t)
	w.at("2026-03-01T18:00:00Z")
	v := w.service(billing.Monthly, "2026-03-01", "300", 14)
	w.renew()
	w.at("2026-03-25T18:00:00Z")
	w.renew()
	change := func(on date.Date, price string) (billing.Change, error) {
		return w.ChangeService(w.staff(), billing.ChangeInput{ServiceID: v.ID, On: on, Price: money.Must(price), RequestKey: w.key()})
	}
	down := must(t, func() (billing.Change, error) { return change("2026-03-16", "150") })
	// 16 of 31 days of March, 154.84 less 77.42, and half of April.
	if len(down.CreditNotes) != 2 || down.CreditNotes[0].Total != 8981 || down.CreditNotes[1].Total != 17400 {
		t.Fatalf("%+v", down.CreditNotes)
	}
	_, err := change("2026-05-16", "900")
	wrong(t, err, "on", "DAY_NOT_INVOICED")
	if got := must(t, func() (db.Service, error) { return w.Store.Service(t.Context(), v.ID) }); got.Price.String() != "150" {
		t.Errorf("the price is %s after it was refused", got.Price)
	}
	ahead := must(t, func() (billing.Change, error) { return change("2026-04-16", "300") }) // invoiced already
	if ahead.Invoice == nil || ahead.Invoice.Total != 8700 {
		t.Errorf("%+v", ahead.Invoice)
	}
	w.balanced()
}

// What a large upgrade charged is given back on its own invoice first, then on the period's; never more than there is.
func TestUpgradeTakenBack(t *testing.T) {
	w := newWorld(t)
	w.at("2026-04-01T18:00:00Z")
	v := w.service(billing.Monthly, "2026-04-01", "300", 14)
	w.renew()
	change := func(price string) (billing.Change, error) {
		return w.ChangeService(w.staff(), billing.ChangeInput{ServiceID: v.ID, Price: money.Must(price), RequestKey: w.key()})
	}
	w.at("2026-04-02T18:00:00Z")
	up := must(t, func() (billing.Change, error) { return change("3000") })
	w.at("2026-04-03T18:00:00Z")
	down := must(t, func() (billing.Change, error) { return change("100") })
	// 28 of 30 days of 2,900.00 less, plus IVA: the upgrade's 3,027.60 and what is left on the period's.
	if len(down.CreditNotes) != 2 || down.CreditNotes[0].InvoiceID != up.Invoice.ID || down.CreditNotes[0].Total != up.Invoice.Total ||
		down.CreditNotes[0].Total+down.CreditNotes[1].Total != 313974 {
		t.Fatalf("%+v of %d", down.CreditNotes, up.Invoice.Total)
	}
	must(t, func() (db.CreditNote, error) {
		first := must(t, func() (db.Invoice, error) { return w.Invoice(w.staff(), down.CreditNotes[1].InvoiceID) })
		left := first.Total - down.CreditNotes[1].Total
		price, err := left.Decimal(money.MXN)
		if err != nil {
			return db.CreditNote{}, err
		}
		l := line(price.String())
		l.PriceIncludesTax = true
		return w.IssueCreditNote(w.staff(), billing.CreditNoteInput{InvoiceID: first.ID, Lines: []billing.LineInput{l}, Reason: "Cortesía", RequestKey: w.key()})
	})
	_, err := change("50")
	wrong(t, err, "price", "CREDIT_ABOVE_INVOICE")
	w.balanced()
}

func TestProducts(t *testing.T) {
	w := newWorld(t)
	input := billing.ProductInput{Name: "Dominio .com.mx", Pricing: billing.Pricing{Kind: "domain", TLD: ".COM.MX", Cycle: billing.Yearly, Price: money.Must("299")}, Active: true}
	p := must(t, func() (db.Product, error) { return w.SaveProduct(w.staff(), input) })
	if p.TLD != "com.mx" || p.ClaveProdServ != "81112107" || p.Treatment != "iva16" {
		t.Fatalf("%+v", p)
	}
	v := must(t, func() (db.Service, error) {
		return w.AddService(w.staff(), billing.ServiceInput{ClientID: w.client.ID, ProductID: p.ID, StartsOn: "2026-03-20"})
	})
	if v.Description != p.Name || v.TLD != "com.mx" || v.AnchorDay != 20 || v.DaysBefore != 14 {
		t.Fatalf("%+v", v)
	}
	for _, c := range []struct {
		path, code string
		change     func(*billing.ProductInput)
	}{
		{"tld", "TLD_REQUIRED", func(in *billing.ProductInput) { in.TLD = "" }},
		{"tld", "TLD_REQUIRED", func(in *billing.ProductInput) { in.Kind = "hosting" }},
		{"kind", "KIND_UNKNOWN", func(in *billing.ProductInput) { in.Kind = "x" }},
		{"cycle", "CYCLE_UNKNOWN", func(in *billing.ProductInput) { in.Cycle = "weekly" }},
		{"price", "PRICE_NEGATIVE", func(in *billing.ProductInput) { in.Price = money.Must("-1") }},
		{"price", "AMOUNT_TOO_LARGE", func(in *billing.ProductInput) { in.Price = money.Must("9200000000000") }},
		{"claveProdServ", "SAT_KEY_MALFORMED", func(in *billing.ProductInput) { in.ClaveProdServ = "123" }},
		{"name", "REQUIRED", func(in *billing.ProductInput) { in.Name = "" }},
	} {
		in := input
		c.change(&in)
		_, err := w.SaveProduct(w.staff(), in)
		wrong(t, err, c.path, c.code)
	}
	if _, err := w.Services(w.login(access.Invoices), w.client.ID, "", db.Page{}); !fault.Is(err, fault.Forbidden) {
		t.Fatalf("services without the permission: %v", err)
	}
	if list := must(t, func() (db.List[db.Service], error) {
		return w.Services(w.login(access.Products), 0, "", db.Page{})
	}); len(list.Rows) != 1 {
		t.Fatalf("%d services", len(list.Rows))
	}
}
