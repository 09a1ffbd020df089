package reminder_test

import (
	"slices"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

// What goes out is the sum of what is said of each invoice.
func TestDashboard(t *testing.T) {
	o := newOutside(t)
	o.send(o.take())
	client := dbtest.Client(t, o.store, "Otro", "otro@tablero.example")
	dbtest.Contact(t, o.store, client, "conta@tablero.example", at("2026-03-01 08:00"), mail.Invoice)
	o.rules.LinkURL = func(kind, token string) string { return "https://clientes.example/" + kind + "/" + token }
	fail(o.world, o.rules.SetVerifyContacts(o.system(), true))
	dbtest.Contact(t, o.store, client, "sin-confirmar@tablero.example", o.now.Add(time.Minute), mail.Invoice)
	second := dbtest.Invoice(t, o.store, client, "2026-03-19", "2026-03-31", at("2026-03-19 08:00"))
	o.run("2026-03-19 10:05", false)
	d, err := o.rules.Dashboard(o.system())
	fail(o.world, err)
	if len(d.Outlook) != 15 || d.Outlook[0].Day != "2026-03-19" || len(d.Days) != 30 {
		t.Fatalf("%d days, the first %s, %d days behind", len(d.Outlook), d.Outlook[0].Day, len(d.Days))
	}
	want := map[string]int64{}
	for _, invoiceID := range []db.Invoice{o.invoice, second} {
		plan, err := o.rules.ReminderPlan(o.system(), invoiceID.ID)
		fail(o.world, err)
		for _, e := range plan {
			if e.Status == reminder.WouldSend {
				want[e.SendAt.In(mexico).Format("2006-01-02")]++
			}
		}
	}
	for _, day := range d.Outlook {
		if day.Coming != want[string(day.Day)] {
			t.Errorf("%s: %d are coming, the plans say %d", day.Day, day.Coming, want[string(day.Day)])
		}
	}
	if d.Outlook[0].Waiting+d.Queue.Waiting+d.Queue.Later == 0 || len(d.Alerts) != 0 {
		t.Errorf("%+v, alerts %v", d.Queue, d.Alerts)
	}
	o.now = o.now.Add(11 * time.Minute)
	if d, err = o.rules.Dashboard(o.system()); err != nil || !slices.Contains(d.Alerts, reminder.AlertNotPlanned) {
		t.Errorf("no alert after 11 minutes without a run: %v, %v", d.Alerts, err)
	}
}

// What went out, failed and came back is counted on the company's days, and the queue by what each mail waits for.
func TestDashboardCounts(t *testing.T) {
	o := newOutside(t)
	for _, name := range []string{"a", "b", "c", "d", "e", "f", "g", "h", "i"} {
		dbtest.Contact(t, o.store, o.client, name+"@cuenta.example", at("2026-03-01 08:00"), mail.Invoice)
	}
	o.run("2026-03-19 10:00", false)
	// Of ten mails: three sent, one of them in the last minute of the day before in Mexico; one came back; one failed,
	// one was skipped; one is with a worker, one waits for another attempt, and two have been due since the given times.
	// The last four are for the database's clock.
	for n, change := range []string{
		"status = 'sent', sent_at = '2026-03-19 12:00-06'",
		"status = 'sent', sent_at = '2026-03-19 00:00-06'",
		"status = 'sent', sent_at = '2026-03-18 23:59-06'",
		"status = 'bounced', sent_at = '2026-03-17 09:00-06'",
		"status = 'failed', send_at = '2026-03-18 09:00-06'",
		"status = 'skipped', send_at = '2026-03-18 09:00-06'",
		"status = 'sending', due_at = now() + interval '1 minute'",
		"status = 'planned', attempts = 1, due_at = now() + interval '1 hour'",
		"status = 'planned', due_at = now() - interval '20 minutes'",
		"status = 'planned', due_at = now() - interval '5 minutes'",
	} {
		if n < 6 {
			change += ", due_at = NULL"
		}
		dbtest.Exec(t, o.address, "UPDATE delivery SET "+change+" WHERE id = (SELECT id FROM delivery ORDER BY id OFFSET "+string(rune('0'+n))+" LIMIT 1)")
	}
	o.now = at("2026-03-19 13:00")
	d, err := o.rules.Dashboard(o.system())
	fail(o.world, err)
	want := map[date.Date]db.DayCount{"2026-03-17": {Sent: 1, Bounced: 1}, "2026-03-18": {Sent: 1, Failed: 1, Skipped: 1}, "2026-03-19": {Sent: 2}}
	for _, day := range d.Days {
		expected := want[day.Day]
		if expected.Day = day.Day; day != expected {
			t.Errorf("%+v, want %+v", day, expected)
		}
	}
	if first, last := d.Days[0].Day, d.Days[len(d.Days)-1].Day; first != "2026-02-18" || last != "2026-03-19" || len(d.Days) != 30 {
		t.Errorf("%d days from %s to %s", len(d.Days), first, last)
	}
	if q := d.Queue; q.Waiting != 2 || q.Later != 1 || q.Sending != 1 || q.Oldest == nil || time.Since(*q.Oldest).Round(time.Minute) != 20*time.Minute || q.LastSent == nil || !q.LastSent.Equal(at("2026-03-19 12:00")) {
		t.Errorf("%+v, the oldest %v, the last %v", q, q.Oldest, q.LastSent)
	}
	o.now = time.Now()
	if d, err = o.rules.Dashboard(o.system()); err != nil || !slices.Contains(d.Alerts, reminder.AlertNotSent) {
		t.Errorf("no alert although a mail has been due for 20 minutes: %v, %v", d.Alerts, err)
	}
	dbtest.Exec(t, o.address, "UPDATE delivery SET due_at = now() - interval '10 minutes' WHERE status = 'planned'")
	if d, err = o.rules.Dashboard(o.system()); err != nil || slices.Contains(d.Alerts, reminder.AlertNotSent) {
		t.Errorf("an alert although nothing has waited for long: %v, %v", d.Alerts, err)
	}
}
