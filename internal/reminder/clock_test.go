package reminder_test

import (
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/devstack"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

// Schedules at random, clocks that jump by a day to a year in both directions and are set right again,
// policies that change between, several schedulers and workers at once, a mail server that hangs up:
// counted at the mail server, nobody reads a step of an invoice twice, and every step of the policy that
// lies ahead when the clock is right again is read, unless a later one went out while it was ahead. No jump sends more than one mail of an invoice to a
// recipient.
func TestClocksJump(t *testing.T) {
	o := newOutside(t)
	o.send(o.take())
	rapid.Check(t, func(rt *rapid.T) { o.jumps(rt) })
}

// timeline is a client whose clock goes wrong.
type timeline struct {
	*outside
	*rapid.T
	client   db.Client
	invoices []db.Invoice
	steps    []int // days from the due date, of the policy in force
	right    time.Time
}

func (o *outside) jumps(rt *rapid.T) {
	o.mailbox.Clear()
	l := &timeline{outside: o, T: rt, right: at("2026-03-10 08:00")}
	o.now = l.right
	l.client = dbtest.Client(o.T, o.store, "Cliente", fmt.Sprintf("c%d@envio.example", time.Now().UnixNano()))
	to := []string{l.client.Email}
	if rapid.Bool().Draw(rt, "contact") {
		to = append(to, dbtest.Contact(o.T, o.store, l.client, "conta-"+l.client.Email, o.now, mail.Invoice).Email)
	}
	for range rapid.IntRange(1, 2).Draw(rt, "invoices") {
		due := date.Date("2026-03-10").AddDays(rapid.IntRange(1, 20).Draw(rt, "due"))
		l.invoices = append(l.invoices, dbtest.Invoice(o.T, o.store, l.client, "2026-03-10", due, o.now))
	}
	l.change()
	for range rapid.IntRange(3, 8).Draw(rt, "turns") {
		turn := rapid.SampledFrom([]string{"pass", "pass", "jump", "jump", "change"}).Draw(rt, "turn")
		switch turn {
		case "pass":
			l.right = l.right.Add(rapid.SampledFrom([]time.Duration{6 * time.Hour, 24 * time.Hour, 72 * time.Hour}).Draw(rt, "for"))
			o.now = l.right
		case "jump": // of the machine's clock; time itself goes on
			o.now = l.right.AddDate(0, 0, rapid.SampledFrom([]int{-365, -40, -2, 1, 2, 6, 40, 120, 365}).Draw(rt, "days"))
		case "change": // people act while the clock is right
			o.now = l.right
			l.change()
		}
		l.work()
	}
	o.now = l.right
	today := date.Today(l.right, l.client.Timezone)
	days := []date.Date{today}
	for _, invoice := range l.invoices {
		for _, n := range l.steps {
			days = append(days, max(today, invoice.DueDate.AddDays(n)))
		}
	}
	early := map[string]map[int]int{} // what was read when the clock was right again
	for _, invoice := range l.invoices {
		for _, address := range to {
			early[invoice.Number+address] = l.read(invoice.Number, address)
		}
	}
	slices.Sort(days)
	for _, day := range slices.Compact(days) {
		o.now = at(string(day) + " 12:00")
		l.work()
	}
	for _, invoice := range l.invoices {
		for _, address := range to {
			read := l.read(invoice.Number, address)
			for _, days := range l.steps {
				overtaken := slices.Max(append(slices.Collect(maps.Keys(early[invoice.Number+address])), days)) > days
				if day := invoice.DueDate.AddDays(days); day > today && read[days] == 0 && !overtaken {
					rt.Fatalf("%s, due %s: %s has not read step %+d, on %s, after the clock was right on %s; read %v\n%s", invoice.Number, invoice.DueDate, address, days, day, today, read, l.history(invoice))
				}
			}
			for days, n := range read {
				if n > 1 {
					rt.Fatalf("%s, due %s: %s has read step %+d %d times\n%s", invoice.Number, invoice.DueDate, address, days, n, l.history(invoice))
				}
			}
		}
	}
}

// change saves the client's policy with other steps, more than the catch-up days apart.
func (l *timeline) change() {
	l.outside.Helper()
	in := policy()
	in.ClientID, in.Name, in.SendFrom, in.SendUntil, in.CatchUpDays = l.client.ID, "Propia", "00:00", "23:59", 1
	l.steps = nil
	for _, n := range rapid.SliceOfNDistinct(rapid.IntRange(-3, 10), 1, 5, rapid.ID[int]).Draw(l.T, "steps") {
		l.steps = append(l.steps, 3*n)
		in.Steps = append(in.Steps, reminder.StepInput{Anchor: db.AnchorDue, Days: 3 * n})
	}
	l.save(in)
}

// work lets schedulers plan at once and workers send at once, some of it over a connection that is lost
// before the mail is taken over, and checks that it was no burst.
func (l *timeline) work() {
	o := l.outside
	before := map[string]int{}
	for _, m := range o.mailbox.Messages() {
		before[m.To[0]+" "+m.Subject]++
	}
	var group sync.WaitGroup
	for range rapid.IntRange(1, 3).Draw(l.T, "schedulers") {
		now := rapid.IntRange(0, 2).Draw(l.T, "at once") == 0
		group.Go(func() {
			if _, err := o.rules.SendReminders(o.system(), reminder.RunInput{ClientID: l.client.ID, Immediate: now}); err != nil {
				o.Error(err)
			}
		})
	}
	group.Wait()
	lost := rapid.IntRange(0, 4).Draw(l.T, "lost") == 0
	for range 4 {
		o.mailbox.Fail(func(string, string) *devstack.SMTPFailure {
			if lost {
				return &devstack.SMTPFailure{Drop: devstack.DropBeforeAccept}
			}
			return nil
		})
		o.rules.Gate.Forget()
		o.due()
		ids := o.take()
		for range 2 {
			group.Go(func() {
				if err := o.rules.Send(o.system(), slices.Clone(ids)); err != nil {
					o.Error(err)
				}
			})
		}
		group.Wait()
		if len(ids) == 0 {
			break
		}
		lost = false
	}
	for _, m := range o.mailbox.Messages() {
		key := m.To[0] + " " + m.Subject
		if before[key]--; before[key] < -1 {
			l.Fatalf("at %s a burst of mails to %s", o.now, key)
		}
	}
}

// read counts the mails of an invoice that reached an address, by the days of their step.
func (l *timeline) read(number, address string) map[int]int {
	found := map[int]int{}
	for _, m := range l.mailbox.Messages() {
		if m.To[0] != address || m.Subject != "Recordatorio "+number {
			continue
		}
		var invoice, step, contact int64
		if _, err := fmt.Sscanf(m.MessageID, "reminder.%d.%d.%d.", &invoice, &step, &contact); err != nil {
			l.Fatalf("%s: %v", m.MessageID, err)
		}
		rows, err := l.store.StepsByID(l.outside.Context(), []id.Step{id.Step(step)})
		if err != nil || len(rows) != 1 {
			l.Fatal(err)
		}
		found[rows[0].Days]++
	}
	return found
}

func (l *timeline) history(invoice db.Invoice) (text string) {
	rows, err := l.store.InvoiceDeliveries(l.outside.Context(), invoice.ID)
	if err != nil {
		return err.Error()
	}
	for _, row := range rows {
		text += fmt.Sprintf("step %d contact %d: %s %s for %s %+v\n", row.StepID, row.ContactID, row.Status, row.Reason, row.SendAt.In(mexico).Format(time.DateTime), row.History)
	}
	return text
}
