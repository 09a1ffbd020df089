package billing_test

import (
	"maps"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// owing and received are the books of this test: what a person with paper would write down.
type owing struct {
	currency money.Currency
	due      date.Date
	left     money.Minor
	closed   bool
}

type received struct {
	currency money.Currency
	day      date.Date
	amount   money.Minor
	invoice  id.Invoice
	voided   bool
}

// However documents are issued, paid, credited, voided and cancelled, in two currencies, aging and revenue are those
// of a calculation by hand, every day.
func TestReportsRandom(t *testing.T) {
	w := newWorld(t)
	invoices, payments := map[id.Invoice]*owing{}, map[id.Payment]*received{}
	rapid.Check(t, func(rt *rapid.T) {
		today := date.Date("2026-03-10").AddDays(rapid.IntRange(0, 300).Draw(rt, "day"))
		w.at(string(today) + "T18:00:00Z")
		open := func() []id.Invoice {
			return slices.DeleteFunc(slices.Sorted(maps.Keys(invoices)), func(key id.Invoice) bool { return invoices[key].closed || invoices[key].left == 0 })
		}
		for range rapid.IntRange(1, 4).Draw(rt, "steps") {
			switch rapid.SampledFrom([]string{"issue", "issue", "pay", "credit", "void", "cancel"}).Draw(rt, "step") {
			case "issue":
				in := w.input("100")
				in.IssueDate = today
				in.DueDate = today.AddDays(rapid.SampledFrom([]int{0, 1, 15, 30, 31, 60, 61, 90, 91}).Draw(rt, "term"))
				in.Currency = rapid.SampledFrom([]money.Currency{money.MXN, money.USD}).Draw(rt, "currency")
				if in.Currency == money.USD {
					in.ExchangeRate, in.RateSource = money.Must("18.5"), "DOF"
				}
				row := must(t, func() (db.Invoice, error) { return w.IssueInvoice(w.staff(), in) })
				invoices[row.ID] = &owing{currency: in.Currency, due: in.DueDate, left: 11600}
			case "pay":
				if keys := open(); len(keys) > 0 {
					key := rapid.SampledFrom(keys).Draw(rt, "invoice")
					amount := money.Minor(rapid.Int64Range(1, int64(invoices[key].left)).Draw(rt, "amount"))
					day := today.AddDays(-rapid.IntRange(0, 40).Draw(rt, "ago"))
					row := must(t, func() (db.Payment, error) {
						return w.ReceivePayment(w.staff(), billing.ReceiveInput{ClientID: w.client.ID, Currency: invoices[key].currency, Amount: amount, Method: "transfer", ReceivedOn: day,
							Invoices: []billing.Allocation{{InvoiceID: key}}, RequestKey: w.key()})
					})
					invoices[key].left -= amount
					payments[row.ID] = &received{currency: invoices[key].currency, day: day, amount: amount, invoice: key}
				}
			case "credit":
				if keys := open(); len(keys) > 0 {
					key := rapid.SampledFrom(keys).Draw(rt, "invoice")
					if invoices[key].left < 1160 {
						continue
					}
					must(t, func() (db.CreditNote, error) {
						return w.IssueCreditNote(w.staff(), billing.CreditNoteInput{InvoiceID: key, Lines: []billing.LineInput{line("10")}, Reason: "x", RequestKey: w.key()})
					})
					invoices[key].left -= 1160
				}
			case "void":
				keys := slices.DeleteFunc(slices.Sorted(maps.Keys(payments)), func(key id.Payment) bool { return payments[key].voided || invoices[payments[key].invoice].closed })
				if len(keys) > 0 {
					key := rapid.SampledFrom(keys).Draw(rt, "payment")
					must(t, func() (db.Payment, error) {
						return w.VoidPayment(w.staff(), billing.VoidInput{PaymentID: key, Reason: "x"})
					})
					payments[key].voided = true
					invoices[payments[key].invoice].left += payments[key].amount
				}
			case "cancel":
				keys := slices.DeleteFunc(open(), func(key id.Invoice) bool { return invoices[key].left != 11600 })
				if len(keys) > 0 {
					key := rapid.SampledFrom(keys).Draw(rt, "invoice")
					must(t, func() (db.Invoice, error) {
						return w.CancelInvoice(w.staff(), billing.CloseInput{InvoiceID: key, Reason: "x"})
					})
					invoices[key].closed = true
				}
			}
		}
		aging := map[money.Currency]db.Aging{}
		for _, i := range invoices {
			if i.closed || i.left == 0 {
				continue
			}
			sum := aging[i.currency]
			sum.Currency = i.currency
			sum.Total += i.left
			switch late := int(today.Time().Sub(i.due.Time()) / (24 * time.Hour)); {
			case late <= 0:
				sum.Current += i.left
			case late <= 30:
				sum.Days30 += i.left
			case late <= 60:
				sum.Days60 += i.left
			case late <= 90:
				sum.Days90 += i.left
			default:
				sum.Older += i.left
			}
			aging[i.currency] = sum
		}
		got := map[money.Currency]db.Aging{}
		for _, row := range must(t, func() ([]db.Aging, error) { return w.Aging(w.staff(), 0) }) {
			got[row.Currency] = row
		}
		if !maps.Equal(got, aging) {
			rt.Fatalf("aging on %s is %+v, want %+v", today, got, aging)
		}
		from, to := today.AddDays(-rapid.IntRange(0, 200).Draw(rt, "from")), today
		type month struct {
			first    date.Date
			currency money.Currency
		}
		revenue, found := map[month]db.MonthPaid{}, map[month]db.MonthPaid{}
		for _, p := range payments {
			if p.voided || p.day < from || p.day > to {
				continue
			}
			key := month{p.day[:8] + "01", p.currency}
			sum := revenue[key]
			sum.Month, sum.Currency = key.first, key.currency
			sum.Amount += p.amount
			sum.Count++
			revenue[key] = sum
		}
		for _, row := range must(t, func() ([]db.MonthPaid, error) { return w.PaidPerMonth(w.staff(), from, to) }) {
			found[month{row.Month, row.Currency}] = row
		}
		if !maps.Equal(found, revenue) {
			rt.Fatalf("paid from %s to %s is %+v, want %+v", from, to, found, revenue)
		}
	})
	w.balanced()
}
