package reminder_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

// newFees has a client with an invoice of hosting (1,000.00) and two domains (300.00 .mx, 200.00
// .com), due on 20 March.
func newFees(t *testing.T) (*world, db.Client, db.Invoice) {
	w := newWorld(t, "2026-03-02 08:00")
	w.rules.Billing = &billing.Service{Store: w.store, Now: w.rules.Now}
	client := dbtest.Client(t, w.store, "Cliente", "cliente@recargo.example")
	line := func(kind, tld string, price int64) billing.LineInput {
		return billing.LineInput{Description: kind + " " + tld, Quantity: money.Int(1), UnitPrice: money.Int(price), Kind: kind, TLD: tld}
	}
	invoice, err := w.rules.Billing.IssueInvoice(w.system(), billing.IssueInput{ClientID: client.ID, DueDate: "2026-03-20",
		Lines: []billing.LineInput{line("hosting", "", 1000), line("domain", "mx", 300), line("domain", "com", 200)}})
	fail(w, err)
	return w, client, invoice
}

func (w *world) rule(in reminder.LateFeeRuleInput) {
	w.Helper()
	if in.Name == "" {
		in.Name = "Recargo por pago tardío"
	}
	if _, err := w.rules.SaveLateFeeRule(w.system(), in); err != nil {
		w.Fatal(err)
	}
}

// charge charges at the moment and returns the fees' amounts before tax.
func (w *world) charge(now string) []money.Minor {
	w.Helper()
	w.now = at(now)
	if _, err := w.rules.ChargeLateFees(w.system()); err != nil {
		w.Fatal(err)
	}
	return w.fees()
}

func (w *world) fees() []money.Minor {
	w.Helper()
	amounts := []money.Minor{}
	for n := id.Invoice(1); n < 50; n++ {
		lines, err := w.store.InvoiceLines(w.Context(), n)
		fail(w, err)
		for _, line := range lines {
			if line.Kind == db.LateFeeKind {
				amounts = append(amounts, line.Amount)
			}
		}
	}
	return amounts
}

func TestLateFees(t *testing.T) {
	for _, c := range []struct {
		name string
		rule reminder.LateFeeRuleInput
		want []money.Minor
	}{
		{"percentage of everything", reminder.LateFeeRuleInput{Percent: money.Must("5"), GraceDays: 3}, []money.Minor{7500}},
		{"percentage of hosting", reminder.LateFeeRuleInput{Percent: money.Must("2.5"), GraceDays: 3, Kind: "hosting"}, []money.Minor{2500}},
		{"domains of one TLD", reminder.LateFeeRuleInput{Percent: money.Must("10"), GraceDays: 3, Kind: "domain", TLD: ".MX"}, []money.Minor{3000}},
		{"minimum", reminder.LateFeeRuleInput{Percent: money.Must("1"), GraceDays: 3, Kind: "domain", TLD: "com", Minimum: 5000}, []money.Minor{5000}},
		{"fixed", reminder.LateFeeRuleInput{Fixed: 15000, GraceDays: 3}, []money.Minor{15000}},
		{"kind that the invoice has not", reminder.LateFeeRuleInput{Fixed: 15000, GraceDays: 3, Kind: "support"}, []money.Minor{}},
		{"other currency", reminder.LateFeeRuleInput{Fixed: 15000, GraceDays: 3, Currency: money.USD}, []money.Minor{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, _, invoice := newFees(t)
			w.rule(c.rule)
			if got := w.charge("2026-03-23 12:00"); len(got) != 0 {
				t.Fatalf("charged %v within the days of grace", got)
			}
			// Every hour for two days, some at once, and much later: still once.
			w.charge("2026-03-24 01:00")
			var group sync.WaitGroup
			for range 4 {
				group.Go(func() {
					if _, err := w.rules.ChargeLateFees(w.system()); err != nil {
						t.Error(err)
					}
				})
			}
			group.Wait()
			w.charge("2026-03-25 12:00")
			got := w.charge("2026-08-25 12:00")
			if len(got) != len(c.want) || len(got) == 1 && got[0] != c.want[0] {
				t.Fatalf("charged %v, want %v", got, c.want)
			}
			after, err := w.store.Invoice(t.Context(), invoice.ID)
			fail(w, err)
			if after.Total != invoice.Total || after.Number != invoice.Number {
				t.Fatal("the invoice itself was changed")
			}
		})
	}
}

func TestLateFeesNotCharged(t *testing.T) {
	for name, change := range map[string]func(*world, db.Client, db.Invoice) error{
		"exempt": func(w *world, c db.Client, _ db.Invoice) error {
			return w.rules.SetLateFeeExempt(w.system(), c.ID, true)
		},
		"closed": func(w *world, c db.Client, _ db.Invoice) error {
			_, err := w.rules.Billing.CloseClient(w.system(), billing.CloseClientInput{ClientID: c.ID, Reason: "Se fue"})
			return err
		},
		"paid": func(w *world, _ db.Client, i db.Invoice) error {
			i.Status, i.Paid = db.InvoicePaid, i.Total
			return w.store.SaveInvoiceStates(w.Context(), &i)
		},
		"promised": func(w *world, _ db.Client, i db.Invoice) error {
			return w.store.PauseInvoice(w.Context(), i.ID, db.Pause{PausedUntil: "2026-04-01"})
		},
		"overdue before the rule": func(w *world, _ db.Client, _ db.Invoice) error {
			rules, err := w.rules.LateFeeRules(w.system())
			if err != nil {
				return err
			}
			w.now = at("2026-03-24 10:00")
			_, err = w.rules.SaveLateFeeRule(w.system(), reminder.LateFeeRuleInput{Replaces: rules[0].ID, Name: "Otro", Fixed: 100, GraceDays: 3})
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			w, client, invoice := newFees(t)
			w.rule(reminder.LateFeeRuleInput{Fixed: 15000, GraceDays: 3})
			fail(w, change(w, client, invoice))
			if got := w.charge("2026-03-25 12:00"); len(got) != 0 {
				t.Fatalf("charged %v", got)
			}
		})
	}
}

// A fee that cannot be charged, here for want of a rate of exchange, holds up no other and is not lost.
func TestLateFeeWithoutRate(t *testing.T) {
	w, client, _ := newFees(t)
	w.rule(reminder.LateFeeRuleInput{Percent: money.Must("5"), GraceDays: 3})
	w.rule(reminder.LateFeeRuleInput{Name: "Late fee", Fixed: 1000, GraceDays: 3, Currency: money.USD})
	issue := func(currency money.Currency, rate string) {
		_, err := w.rules.Billing.IssueInvoice(w.system(), billing.IssueInput{ClientID: client.ID, DueDate: "2026-03-20", Currency: currency, ExchangeRate: money.Must(rate),
			Lines: []billing.LineInput{{Description: "Hospedaje", Quantity: money.Int(1), UnitPrice: money.Int(100)}}})
		fail(w, err)
	}
	issue(money.USD, "18.5")
	issue(money.MXN, "0")
	w.now = at("2026-03-24 12:00")
	for range 2 {
		if _, err := w.rules.ChargeLateFees(w.system()); err == nil || !strings.Contains(err.Error(), "EXCHANGE_RATE_REQUIRED") {
			t.Fatalf("the missing rate is not named: %v", err)
		}
		if got := w.fees(); len(got) != 2 {
			t.Fatalf("charged %v, want those of the two invoices in pesos", got)
		}
	}
	_, err := w.rules.Billing.SetExchangeRate(w.system(), billing.ExchangeRateInput{Currency: money.USD, Day: "2026-03-24", Rate: money.Must("18.7"), Source: "Banxico"})
	fail(w, err)
	if got := w.charge("2026-03-24 13:00"); len(got) != 3 {
		t.Fatalf("charged %v, want all three", got)
	}
}

// A rule that is changed after it has charged a fee charges no second one, however often it is changed.
func TestChangedRuleChargesOnce(t *testing.T) {
	w, _, _ := newFees(t)
	rule, err := w.rules.SaveLateFeeRule(w.system(), reminder.LateFeeRuleInput{Name: "Recargo", Fixed: 15000, GraceDays: 3})
	fail(w, err)
	if got := w.charge("2026-03-24 12:00"); len(got) != 1 {
		t.Fatalf("charged %v, want one", got)
	}
	for _, grace := range []int{10, 20} {
		rule, err = w.rules.SaveLateFeeRule(w.system(), reminder.LateFeeRuleInput{Replaces: rule.ID, Name: "Recargo", Fixed: 15000, GraceDays: grace})
		fail(w, err)
	}
	if got := w.charge("2026-04-30 12:00"); len(got) != 1 {
		t.Fatalf("charged %v after the rule was changed, want the one of before", got)
	}
}

func TestLateFeeRuleChecks(t *testing.T) {
	w, _, _ := newFees(t)
	for name, in := range map[string]reminder.LateFeeRuleInput{
		"neither":        {Name: "x"},
		"both":           {Name: "x", Fixed: 1, Percent: money.Int(1)},
		"above 100 %":    {Name: "x", Percent: money.Int(101)},
		"no name":        {Fixed: 1},
		"TLD of hosting": {Name: "x", Fixed: 1, Kind: "hosting", TLD: "mx"},
		"fee on a fee":   {Name: "x", Fixed: 1, Kind: db.LateFeeKind},
		"no such kind":   {Name: "x", Fixed: 1, Kind: "hospedaje"},
	} {
		if _, err := w.rules.SaveLateFeeRule(w.system(), in); !fault.Is(err, fault.Invalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLateFeeIsAnnounced(t *testing.T) {
	w, _, invoice := newFees(t)
	w.rule(reminder.LateFeeRuleInput{Percent: money.Must("5"), GraceDays: 3})
	fees, err := w.store.ComingLateFees(t.Context(), at("2026-03-13 10:00"), []id.Invoice{invoice.ID})
	if err != nil || len(fees) != 1 || fees[0].On != "2026-03-23" || fees[0].Amount != 7500 {
		t.Fatalf("%+v, %v", fees, err)
	}
}
