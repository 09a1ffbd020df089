package reminder_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/devstack"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// together turns on one mail for the invoices of a day. The world's one invoice is due on the 20th.
func (o *outside) together() {
	o.Helper()
	in := policy(-1)
	in.Consolidate = true
	o.save(in)
}

// owe adds an invoice of the client and plans its reminders.
func (o *outside) owe(due date.Date) db.Invoice {
	o.Helper()
	row := dbtest.Invoice(o.T, o.store, o.client, "2026-03-02", due, at("2026-03-02 08:00"))
	o.run("2026-03-19 10:00", false)
	return row
}

// mails is what the mail server has, as "recipient number number".
func (o *outside) mails() []string {
	list := []string{}
	for _, m := range o.mailbox.Messages() {
		list = append(list, m.To[0]+" "+strings.TrimPrefix(m.Subject, "Recordatorio "))
	}
	slices.Sort(list)
	return list
}

func (o *outside) wantMails(want ...string) {
	o.Helper()
	if got := o.mails(); !slices.Equal(got, want) {
		o.Fatalf("mails %q, want %q", got, want)
	}
}

func TestOneMailForTheInvoicesOfADay(t *testing.T) {
	o := newOutside(t)
	o.together()
	second, third, other := o.owe("2026-03-20"), o.owe("2026-03-20"), o.owe("2026-03-19")
	dbtest.Contact(t, o.store, o.client, "conta@envio.example", at("2026-03-01 08:00"), mail.Invoice)
	o.run("2026-03-19 10:05", false)
	paid := o.owe("2026-03-20")
	ids := o.take()
	paid.Status, paid.Paid = db.InvoicePaid, paid.Total
	fail(o.world, o.store.SaveInvoiceStates(t.Context(), &paid))
	o.send(ids)
	numbers := fmt.Sprintf("%s, %s y %s", o.invoice.Number, second.Number, third.Number)
	o.wantMails(recipient+" "+numbers, recipient+" "+other.Number, "conta@envio.example "+numbers, "conta@envio.example "+other.Number) // due on another day
	o.want(o.ledger(paid.ID), recipient+" skipped paid", "conta@envio.example skipped paid")
	rows, err := o.store.InvoiceDeliveries(t.Context(), third.ID)
	fail(o.world, err)
	first, err := o.store.InvoiceDeliveries(t.Context(), o.invoice.ID)
	fail(o.world, err)
	for i := range rows {
		if rows[i].Status != db.DeliverySent || rows[i].MessageID != first[i].MessageID || rows[i].MessageID == "" {
			t.Fatalf("%s %q, the first one's is %q", rows[i].Status, rows[i].MessageID, first[i].MessageID)
		}
	}
	// What comes back came back for all of them, and counts once.
	n, err := o.rules.RecordBounce(o.system(), returned(first[0], recipient, "5.1.1"))
	if err != nil || n != 1 || o.notices() != 2 {
		t.Fatal(n, err)
	}
	for _, invoice := range []db.Invoice{o.invoice, second, third} {
		o.want(o.ledger(invoice.ID), recipient+" bounced hard", "conta@envio.example sent")
	}
}

// A mail that may have arrived is sent again with the same invoices under the same Message-ID; an
// invoice that came due meanwhile has a mail of its own.
func TestRepeatedMailHoldsTheSame(t *testing.T) {
	o := newOutside(t)
	o.together()
	second := o.owe("2026-03-20")
	o.mailbox.Fail(func(string, string) *devstack.SMTPFailure {
		return &devstack.SMTPFailure{Drop: devstack.DropAfterAccept}
	})
	o.send(o.take())
	o.mailbox.Fail(nil)
	third := o.owe("2026-03-20")
	o.due()
	o.send(o.take())
	both := recipient + " " + o.invoice.Number + " y " + second.Number
	o.wantMails(both, both, recipient+" "+third.Number)
	ids := map[string]int{}
	for _, m := range o.mailbox.Messages() {
		ids[m.MessageID]++
	}
	if len(ids) != 2 {
		t.Fatalf("Message-IDs %v", ids)
	}
}

// Whatever happens between plan and mail - workers that die before or after the mail server took the
// mail, tasks handed out twice, refusals for now, payments and pauses - every reminder ends, is never
// missing, and a recipient reads of an invoice once more than once only for each mail whose fate nobody
// could know.
func TestSentOnceWhateverHappens(t *testing.T) {
	o := newOutside(t)
	o.send(o.take())
	rapid.Check(t, func(rt *rapid.T) { o.ordeal(rt) })
}

func (o *outside) ordeal(rt *rapid.T) {
	// A client of its own for each run; what earlier ones left is final.
	o.mailbox.Clear()
	in := policy(-1)
	in.Consolidate = rapid.Bool().Draw(rt, "consolidate")
	o.save(in)
	client := dbtest.Client(o.T, o.store, "Cliente", fmt.Sprintf("c%d@envio.example", time.Now().UnixNano()))
	if rapid.Bool().Draw(rt, "contact") {
		dbtest.Contact(o.T, o.store, client, "conta-"+client.Email, at("2026-03-01 08:00"), mail.Invoice)
	}
	invoices := []db.Invoice{}
	for range rapid.IntRange(1, 5).Draw(rt, "invoices") {
		invoices = append(invoices, dbtest.Invoice(o.T, o.store, client, "2026-03-02", "2026-03-20", at("2026-03-02 08:00")))
	}
	o.run("2026-03-19 10:00", false)
	var mu sync.Mutex
	unknown := map[string]int{} // mails to a recipient that were taken over without an answer
	next := func() devstack.SMTPFailure { return devstack.SMTPFailure{} }
	o.mailbox.Fail(func(_, to string) *devstack.SMTPFailure {
		mu.Lock()
		defer mu.Unlock()
		failure := next()
		if failure.Drop == devstack.DropAfterAccept {
			unknown[to]++
		}
		return &failure
	})
	stopped := map[string]bool{} // invoices that must no longer be sent
	steps := rapid.SliceOfN(rapid.SampledFrom([]string{"send", "send", "send twice", "dies before", "dies after", "busy", "worker dies", "pay", "pause", "plan again", "flush"}), 1, 6).Draw(rt, "steps")
	for _, step := range append(steps, "send", "send") {
		mu.Lock()
		next = func() devstack.SMTPFailure { return devstack.SMTPFailure{} }
		switch step {
		case "dies before":
			next = func() devstack.SMTPFailure { return devstack.SMTPFailure{Drop: devstack.DropBeforeAccept} }
		case "dies after":
			next = func() devstack.SMTPFailure { return devstack.SMTPFailure{Drop: devstack.DropAfterAccept} }
		case "busy":
			next = func() devstack.SMTPFailure { return devstack.SMTPFailure{Code: 451} }
		}
		mu.Unlock()
		o.due()
		switch step {
		case "pay":
			row, err := o.store.Invoice(o.Context(), invoices[0].ID)
			fail(o.world, err)
			row.Status, row.Paid = db.InvoicePaid, row.Total
			if err := o.store.SaveInvoiceStates(o.Context(), &row); err != nil && !fault.Is(err, fault.Conflict) {
				o.Fatal(err)
			}
			stopped[row.Number] = true
			continue
		case "pause":
			last := invoices[len(invoices)-1]
			fail(o.world, o.store.PauseInvoice(o.Context(), last.ID, db.Pause{PausedUntil: "2026-04-30", PauseMode: "skip"}))
			stopped[last.Number] = true
			continue
		case "plan again":
			o.run("2026-03-19 12:00", false)
			continue
		case "worker dies": // holding a claim that nobody gives back
			if ids := o.take(); len(ids) > 0 {
				_, err := o.store.AdvanceDeliveries(o.Context(), []db.Advance{{Next: ids[0]}}, "dead", time.Second)
				fail(o.world, err)
			}
			continue
		case "flush": // Redis is emptied: what was handed out comes out again
			o.take()
			continue
		}
		ids := o.take()
		var group sync.WaitGroup
		for range map[bool]int{true: 3, false: 1}[step == "send twice"] {
			group.Go(func() {
				if err := o.rules.Send(o.system(), slices.Clone(ids)); err != nil {
					o.Error(err)
				}
			})
		}
		group.Wait()
	}
	for range 8 { // companions may have to wait for each other, domains for their trouble
		o.rules.Gate.Forget()
		o.due()
		ids := o.take()
		if len(ids) == 0 {
			break
		}
		o.send(ids)
	}
	read := map[string]int{} // by recipient and invoice
	for _, m := range o.mailbox.Messages() {
		for number := range strings.FieldsSeq(strings.NewReplacer("Recordatorio ", "", ",", "", " y ", " ").Replace(m.Subject)) {
			read[m.To[0]+" "+number]++
		}
	}
	for _, invoice := range invoices {
		rows, err := o.store.InvoiceDeliveries(o.Context(), invoice.ID)
		fail(o.world, err)
		for _, row := range rows {
			n, sent := read[row.Email+" "+invoice.Number], row.Status == db.DeliverySent
			switch {
			case sent && n == 0, n > 1+unknown[row.Email]:
				rt.Fatalf("%s to %s: %s, read of %d times with %d mails of unknown fate; history %+v", invoice.Number, row.Email, row.Status, n, unknown[row.Email], row.History)
			case !sent && (row.Status != db.DeliverySkipped || !stopped[invoice.Number]):
				rt.Fatalf("%s to %s is %s %q; history %+v", invoice.Number, row.Email, row.Status, row.Reason, row.History)
			}
		}
	}
}
