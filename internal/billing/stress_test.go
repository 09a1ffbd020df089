package billing_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

func TestParallelIssues(t *testing.T) {
	w := newWorld(t)
	same := w.input("100") // fifty requests with one key make one invoice
	var group sync.WaitGroup
	for range 50 {
		own := w.input("100")
		group.Go(func() {
			if _, err := w.IssueInvoice(w.staff(), own); err != nil {
				t.Error(err)
			}
			if _, err := w.IssueInvoice(w.staff(), same); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	var count, last int
	if err := w.sql.QueryRow("SELECT count(*), max(folio) FROM invoice WHERE series = 'F'").Scan(&count, &last); err != nil {
		t.Fatal(err)
	}
	if count != 51 || last != 51 {
		t.Fatalf("%d invoices, the last is F-%d", count, last)
	}
	w.balanced()
}

func TestParallelPayments(t *testing.T) {
	w := newWorld(t)
	row := w.issue("100") // 116.00
	var accepted, refused atomic.Int64
	var group sync.WaitGroup
	repeated := billing.PaymentInput{InvoiceID: row.ID, Amount: 600, Method: "transfer", RequestKey: "repeated"}
	for i := range 50 {
		group.Go(func() {
			_, err := w.RecordPayment(w.staff(), billing.PaymentInput{InvoiceID: row.ID, Amount: 500, Method: "transfer", RequestKey: fmt.Sprintf("p%d", i)})
			switch {
			case err == nil:
				accepted.Add(1)
			case fault.Is(err, fault.Invalid), fault.Is(err, fault.Conflict):
				refused.Add(1)
			default:
				t.Error(err)
			}
		})
		if i%10 == 0 {
			group.Go(func() {
				if _, err := w.RecordPayment(w.staff(), repeated); err != nil && !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Conflict) {
					t.Error(err)
				}
			})
		}
	}
	group.Wait()
	row = w.reload(row)
	// 22 payments of 5.00 and the repeated one of 6.00, or 23 without it.
	if row.Paid > row.Total || row.Total-row.Paid >= 500 || accepted.Load()+refused.Load() != 50 {
		t.Fatalf("paid %d of %d by %d payments", row.Paid, row.Total, accepted.Load())
	}
	w.balanced()
}

// TestStress lets twenty workers do everything to the invoices of five clients at random. It runs
// for two seconds, or as long as AVISA_STRESS says ("1m").
func TestStress(t *testing.T) {
	w := newWorld(t)
	length := 2 * time.Second
	if text := os.Getenv("AVISA_STRESS"); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil {
			t.Fatal(err)
		}
	}
	clients := []id.Client{w.client.ID}
	for n := range 4 {
		c := w.client
		c.ID, c.Email = 0, fmt.Sprintf("c%d@cliente.example", n)
		if err := w.store.AddClient(t.Context(), &c); err != nil {
			t.Fatal(err)
		}
		clients = append(clients, c.ID)
	}
	var invoices, payments sync.Map // what exists, by number
	var made, paid, done atomic.Int64
	end := time.Now().Add(length)
	var group sync.WaitGroup
	for n := range 20 {
		random := rand.New(rand.NewPCG(uint64(n), 26))
		group.Go(func() {
			for time.Now().Before(end) {
				amount := money.Minor(1 + random.IntN(20000))
				client := clients[random.IntN(len(clients))]
				var row db.Invoice
				if count := made.Load(); count > 0 {
					if v, ok := invoices.Load(random.Int64N(count)); ok {
						row = v.(db.Invoice)
					}
				}
				var err error
				key := w.key()
				switch what := random.IntN(10); {
				case row.ID == 0 || what < 2:
					in := w.input(fmt.Sprint(1 + random.IntN(100)))
					in.ClientID = client
					if row, err = w.IssueInvoice(w.staff(), in); err == nil {
						invoices.Store(made.Load(), row)
						made.Add(1)
					}
				case what < 5:
					var p db.Payment
					other, _ := invoices.Load(random.Int64N(made.Load()))
					parts := []billing.Allocation{{InvoiceID: row.ID}}
					if o, ok := other.(db.Invoice); ok && o.ClientID == row.ClientID && o.ID != row.ID {
						parts = append(parts, billing.Allocation{InvoiceID: o.ID})
					}
					p, err = w.ReceivePayment(w.staff(), billing.ReceiveInput{ClientID: row.ClientID, Amount: amount, Method: "transfer", ExcessToCredit: random.IntN(2) == 0,
						Invoices: parts, RequestKey: key})
					if err == nil {
						payments.Store(paid.Load(), p.ID)
						paid.Add(1)
					}
				case what == 5:
					_, err = w.IssueCreditNote(w.staff(), billing.CreditNoteInput{InvoiceID: row.ID, Reason: "x", RequestKey: key,
						Lines: []billing.LineInput{line(fmt.Sprint(1 + random.IntN(50)))}})
				case what == 6:
					_, err = w.CancelInvoice(w.staff(), billing.CloseInput{InvoiceID: row.ID, Reason: "x"})
				case what == 7:
					_, err = w.ApplyCredit(w.staff(), billing.CreditInput{InvoiceID: row.ID, Amount: amount / 10, RequestKey: key})
				case what == 8 && paid.Load() > 0:
					if p, ok := payments.Load(random.Int64N(paid.Load())); ok {
						_, err = w.VoidPayment(w.staff(), billing.VoidInput{PaymentID: p.(id.Payment), Reason: "x"})
					}
				default:
					if random.IntN(3) == 0 {
						_, err = w.WriteOffInvoice(w.staff(), billing.CloseInput{InvoiceID: row.ID, Reason: "x"})
					} else {
						_, err = w.RecordRefund(w.staff(), billing.RefundInput{ClientID: client, Amount: amount / 10, Method: "transfer", RequestKey: key})
					}
				}
				if err != nil && !fault.Is(err, fault.Invalid) && !fault.Is(err, fault.Conflict) {
					t.Error(err)
					return
				}
				done.Add(1)
			}
		})
	}
	group.Wait()
	w.balanced()
	// The sum of the ledger is the sum of the documents: money in, notes, less money out.
	var ledger, documents int64
	if err := w.sql.QueryRow(`SELECT (SELECT coalesce(sum(amount), 0) FROM ledger_entry)::bigint,
		((SELECT coalesce(sum(amount), 0) FROM payment WHERE voided_at IS NULL) + (SELECT coalesce(sum(total), 0) FROM credit_note)
			- (SELECT coalesce(sum(amount), 0) FROM refund))::bigint`).Scan(&ledger, &documents); err != nil {
		t.Fatal(err)
	}
	if ledger != documents || ledger == 0 {
		t.Fatalf("the ledger sums to %d, the documents to %d", ledger, documents)
	}
	t.Logf("%d operations, %d invoices, %d payments in %s; ledger %d", done.Load(), made.Load(), paid.Load(), length, ledger)
}
