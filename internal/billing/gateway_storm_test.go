package billing_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// What a gateway tells about several payments at once, each event in six copies that arrive side by side and in any
// order, and all of it again days later: afterwards the ledger has exactly the entries of one telling.
func TestEventStorm(t *testing.T) {
	for _, c := range []struct {
		name             string
		of               func(n int, c db.Checkout) []billing.GatewayEvent
		paid, taken      int // payments booked, and what was taken back from each
		status           string
		checkout         string
		payment, refunds int // entries of a payment, refunds booked
	}{
		{"paid at once", func(n int, c db.Checkout) []billing.GatewayEvent {
			return []billing.GatewayEvent{told(n, 0, billing.EventPaid, c)}
		}, 1, 0, db.InvoicePaid, db.CheckoutPaid, 1, 0},
		{"a bank that takes its time, then pays", func(n int, c db.Checkout) []billing.GatewayEvent {
			return []billing.GatewayEvent{told(n, 0, billing.EventProcessing, c), told(n, 1, billing.EventPaid, c), told(n, 2, billing.EventPaid, c)}
		}, 1, 0, db.InvoicePaid, db.CheckoutPaid, 1, 0},
		{"failed, paid at the second attempt, and told of as expired", func(n int, c db.Checkout) []billing.GatewayEvent {
			return []billing.GatewayEvent{told(n, 0, billing.EventFailed, c), told(n, 1, billing.EventExpired, c), told(n, 2, billing.EventPaid, c)}
		}, 1, 0, db.InvoicePaid, db.CheckoutPaid, 1, 0},
		{"paid, given back in two parts, and disputed", func(n int, c db.Checkout) []billing.GatewayEvent {
			return []billing.GatewayEvent{told(n, 0, billing.EventPaid, c), taken(n, 1, c, 1000, false), taken(n, 2, c, 2000, false), taken(n, 3, c, 500, true)}
		}, 1, 3500, db.InvoicePartlyPaid, db.CheckoutPaid, 1, 3},
		{"in another currency", func(n int, c db.Checkout) []billing.GatewayEvent {
			dollars := told(n, 0, billing.EventPaid, c)
			dollars.Currency = money.USD
			return []billing.GatewayEvent{dollars}
		}, 0, 0, db.InvoiceIssued, db.CheckoutOpen, 0, 0},
		{"of a page that is not ours", func(n int, c db.Checkout) []billing.GatewayEvent {
			strange := told(n, 0, billing.EventPaid, c)
			strange.Session = "ses-of-somebody-else"
			return []billing.GatewayEvent{strange}
		}, 0, 0, db.InvoiceIssued, db.CheckoutOpen, 0, 0},
		{"failed", func(n int, c db.Checkout) []billing.GatewayEvent {
			return []billing.GatewayEvent{told(n, 0, billing.EventFailed, c)}
		}, 0, 0, db.InvoiceIssued, db.CheckoutFailed, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t)
			w.Gateway = &cashier{}
			const payments, copies = 4, 6
			var rows []db.Invoice
			var checkouts []db.Checkout
			var events []billing.GatewayEvent
			for n := range payments {
				row := w.issue("100")
				checkout := w.start(row)
				rows, checkouts = append(rows, row), append(checkouts, checkout)
				for _, e := range c.of(n, checkout) {
					for range copies {
						events = append(events, e)
					}
				}
			}
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			order := rand.New(rand.NewPCG(seed, 1))
			for _, day := range []string{"2026-03-10T18:00:00Z", "2026-03-15T18:00:00Z"} {
				w.at(day)
				order.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
				var group sync.WaitGroup
				for part := range 8 {
					group.Go(func() {
						for i := part; i < len(events); i += 8 {
							if err := w.tell(events[i]); err != nil {
								t.Errorf("%+v: %v", events[i], err)
							}
						}
					})
				}
				group.Wait()
				for n := range rows {
					got := w.reload(rows[n])
					if int(got.Paid) != c.paid*11600-c.taken || got.Status != c.status {
						t.Errorf("%s is %s, %d paid", got.Number, got.Status, got.Paid)
					}
					if got := w.checkout(checkouts[n].ID); got.Status != c.checkout {
						t.Errorf("the checkout is %s", got.Status)
					}
				}
				for kind, want := range map[string]int{db.EntryPayment: c.payment, db.EntryRefund: c.refunds, db.EntryCreditReleased: 2 * c.refunds} {
					if got := w.count("SELECT count(*) FROM ledger_entry WHERE kind = '" + kind + "'"); got != want*payments {
						t.Errorf("%d entries of kind %s, want %d", got, kind, want*payments)
					}
				}
				if got := w.count("SELECT count(*) FROM gateway_event"); got != len(events)/copies {
					t.Errorf("%d events are kept of %d", got, len(events)/copies)
				}
				if w.credit() != 0 {
					t.Errorf("a credit of %d is left", w.credit())
				}
				w.balanced()
			}
		})
	}
}

// told is the n-th payment's event, number i of them.
func told(n, i int, kind string, c db.Checkout) billing.GatewayEvent {
	return billing.GatewayEvent{Ref: fmt.Sprintf("evt_%d_%d", n, i), Kind: kind, Checkout: c.ID, Session: "ses-" + c.ID.String(), Charge: "pi-" + c.ID.String(), Amount: c.Amount, Currency: c.Currency}
}

// taken is an event of money that went back.
func taken(n, i int, c db.Checkout, amount money.Minor, dispute bool) billing.GatewayEvent {
	return reversal(fmt.Sprintf("evt_%d_%d", n, i), billing.EventReversed, fmt.Sprintf("re_%d_%d", n, i), c, amount, dispute)
}
