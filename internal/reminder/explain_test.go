package reminder

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// life is one invoice with random surroundings.
type life struct {
	*rapid.T
	ctx     context.Context
	rules   *Service
	store   *db.Store
	now     time.Time
	client  db.Client
	invoice db.Invoice
	n       int
}

// must stops the property on an error.
func (l *life) must(err error) {
	if err != nil {
		l.Fatal(err)
	}
}

func newLife(t *rapid.T, test *testing.T, store *db.Store, raw *sql.DB) *life {
	l := &life{T: t, store: store, ctx: access.With(context.Background(), access.SystemActor())}
	l.rules = &Service{Store: store, Now: func() time.Time { return l.now }, Lease: time.Minute}
	_, err := raw.ExecContext(l.ctx, "UPDATE invoice SET status = 'cancelled'; UPDATE company SET verify_contacts = false; DELETE FROM reminder_run; DELETE FROM reminder_policy WHERE id NOT IN (SELECT policy_id FROM reminder_step)")
	l.must(err)
	zone := rapid.SampledFrom([]string{"America/Mexico_City", "America/Tijuana", "Asia/Tokyo"}).Draw(t, "zone")
	// Around the changes of clocks in Tijuana (8 March, 1 November 2026), Easter and the end of a year.
	start := rapid.SampledFrom([]date.Date{"2026-02-24", "2026-03-04", "2026-03-27", "2026-10-28", "2026-12-10", "2027-01-29"}).Draw(t, "start")
	l.now = moment(start, "06:00", zone)
	l.client = dbtest.Client(test, store, "Cliente", "cliente@azar.example")
	_, err = raw.ExecContext(l.ctx, "UPDATE client SET timezone = $1 WHERE id = $2", zone, l.client.ID)
	l.must(err)
	l.client.Timezone = zone
	policy := db.ReminderPolicy{Name: "own", ClientID: l.client.ID, SendFrom: rapid.SampledFrom([]string{"00:00", "09:00", "11:30"}).Draw(t, "from"),
		SendUntil: rapid.SampledFrom([]string{"12:00", "18:00", "23:59"}).Draw(t, "until"), CatchUpDays: rapid.IntRange(0, 5).Draw(t, "catch up"), BusinessDays: rapid.Bool().Draw(t, "business days")}
	steps := []db.ReminderStep{}
	created := l.now.AddDate(0, 0, -rapid.IntRange(0, 10).Draw(t, "policy's age"))
	for _, days := range rapid.SliceOfNDistinct(rapid.IntRange(-9, 9), 1, 7, rapid.ID[int]).Draw(t, "due steps") {
		steps = append(steps, db.ReminderStep{Anchor: db.AnchorDue, Days: days, CreatedAt: created})
	}
	for _, days := range rapid.SliceOfNDistinct(rapid.IntRange(0, 3), 0, 2, rapid.ID[int]).Draw(t, "issue steps") {
		steps = append(steps, db.ReminderStep{Anchor: db.AnchorIssue, Days: days, CreatedAt: created})
	}
	l.must(store.AddPolicy(l.ctx, &policy, steps))
	l.addContact()
	l.invoice = dbtest.Invoice(test, store, l.client, start, start.AddDays(rapid.IntRange(0, 14).Draw(t, "term")), l.now)
	return l
}

func (l *life) addContact() {
	l.n++
	row := db.Contact{ClientID: l.client.ID, Firstname: "Contacto", Email: fmt.Sprintf("c%d@azar.example", l.n), Country: "MX", Language: "es-MX", Timezone: l.client.Timezone,
		Topics: []mail.Topic{mail.Invoice}, CreatedAt: l.now}
	if rapid.IntRange(0, 4).Draw(l.T, "same address") == 0 && l.n == 1 {
		row.Email = "CLIENTE@azar.example"
	}
	l.must(l.store.AddContact(l.ctx, &row))
}

// happen changes the world at random.
func (l *life) happen() {
	today := date.Today(l.now, l.client.Timezone)
	event := rapid.SampledFrom([]string{"nothing", "nothing", "contact", "preference", "pause", "pause invoice", "resume", "bounce", "pay", "policy", "policy ends", "confirmation", "address", "confirmed"}).Draw(l.T, "event")
	switch event {
	case "contact":
		l.addContact()
	case "preference":
		topics := []mail.Topic{mail.Domain}
		if rapid.Bool().Draw(l.T, "on") {
			topics = mail.Topics()
		}
		l.must(l.store.SetClientTopics(l.ctx, l.client.ID, topics))
	case "pause", "pause invoice":
		in := PauseInput{ClientID: l.client.ID, Until: today.AddDays(rapid.IntRange(0, 8).Draw(l.T, "days")), Mode: rapid.SampledFrom([]string{db.PauseSkip, db.PauseShift}).Draw(l.T, "mode")}
		if rapid.Bool().Draw(l.T, "of the invoice") {
			in.ClientID, in.InvoiceID = 0, l.invoice.ID
		}
		_, _, err := l.rules.SetReminderPause(l.ctx, in)
		l.must(err)
	case "resume":
		_, _, err := l.rules.SetReminderPause(l.ctx, PauseInput{ClientID: l.client.ID})
		l.must(err)
	case "bounce":
		l.must(l.store.MarkBounce(l.ctx, l.client.ID, 0, db.Bounce{BouncedEmail: rapid.SampledFrom([]string{"", l.client.Email}).Draw(l.T, "address"), BouncedAt: &l.now}))
	case "policy":
		in := PolicyInput{Name: "changed", ClientID: l.client.ID, SendFrom: "09:00", SendUntil: "18:00", CatchUpDays: rapid.IntRange(0, 5).Draw(l.T, "catch up")}
		for _, days := range rapid.SliceOfNDistinct(rapid.IntRange(-9, 9), 1, 7, rapid.ID[int]).Draw(l.T, "changed steps") {
			in.Steps = append(in.Steps, StepInput{Anchor: db.AnchorDue, Days: days})
		}
		_, err := l.rules.SavePolicy(l.ctx, in)
		l.must(err)
	case "policy ends": // that of everybody rules from now on
		row, err := l.store.PolicyFor(l.ctx, l.client.ID, 0)
		if err == nil {
			err = l.rules.RemovePolicy(l.ctx, row.ID)
		}
		if !fault.Is(err, fault.NotFound) {
			l.must(err)
		}
	case "confirmation":
		l.must(l.store.SetVerifyContacts(l.ctx, rapid.Bool().Draw(l.T, "required"), l.now))
	case "address", "confirmed":
		list, err := l.store.Contacts(l.ctx, l.client.ID, db.Page{})
		l.must(err)
		row := rapid.SampledFrom(list.Rows).Draw(l.T, "contact")
		if event == "confirmed" {
			l.must(l.store.VerifyAddress(l.ctx, row.ID, row.Email, l.now))
			return
		}
		l.n++
		row.Email, row.AddressChangedAt = fmt.Sprintf("c%d@azar.example", l.n), &l.now
		l.must(l.store.UpdateContact(l.ctx, &row))
	case "pay":
		if rapid.IntRange(0, 5).Draw(l.T, "paid") == 0 {
			l.invoice.Status, l.invoice.Paid = db.InvoicePaid, l.invoice.Total
			l.must(l.store.SaveInvoiceStates(l.ctx, &l.invoice))
		}
	}
}

// rows lists the ledger: "step/contact" -> "status reason day".
func (l *life) rows() map[string]string {
	list, err := l.store.InvoiceDeliveries(l.ctx, l.invoice.ID)
	l.must(err)
	rows := map[string]string{}
	for _, row := range list {
		rows[fmt.Sprintf("%d/%d", row.StepID, row.ContactID)] = l.line(row.Status, row.Reason, row.SendAt)
	}
	if len(rows) != len(list) {
		l.Fatalf("a reminder is in the ledger twice")
	}
	return rows
}

func (l *life) line(status, reason string, sendAt time.Time) string {
	return fmt.Sprintf("%s %s %s", status, reason, sendAt.In(date.Zone(l.client.Timezone)).Format("2006-01-02 15:04"))
}

// promised is what the ledger must hold after the next run.
func (l *life) promised() map[string]string {
	entries, err := l.rules.ReminderPlan(l.ctx, l.invoice.ID)
	l.must(err)
	rows, ledger := map[string]string{}, l.rows()
	for _, e := range entries {
		key := fmt.Sprintf("%d/%d", e.Step.ID, e.ContactID)
		switch {
		case e.DeliveryID != 0:
			rows[key] = ledger[key]
		case e.due && e.Status == WouldSend:
			rows[key] = l.line(db.DeliveryPlanned, "", e.SendAt)
		case e.due:
			rows[key] = l.line(db.DeliverySkipped, e.Reason, e.SendAt)
		case ledger[key] != "": // noted by a clock that was ahead: put right when it is due
			rows[key] = ledger[key]
		}
	}
	return rows
}

func (l *life) run() {
	_, err := l.rules.SendReminders(l.ctx, RunInput{})
	l.must(err)
}

func database(t *testing.T) (*db.Store, *sql.DB) {
	address := dbtest.URL(t)
	store, err := db.Open(t.Context(), address, 8)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() })
	raw, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = raw.Close() })
	dbtest.Company(t, store, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	return store, raw
}

// Whatever happens between the runs (pauses, contacts, preferences, payments, clocks that jump), the
// planner does what ReminderPlan said just before: it adds those rows, in that state, for that time,
// and no others; and it never adds or changes one twice. Clocks jump by more than a year, forwards and
// backwards, and policies change or end between.
func TestPlanKeepsItsWord(t *testing.T) {
	store, raw := database(t)
	rapid.Check(t, func(r *rapid.T) {
		l := newLife(r, t, store, raw)
		for range rapid.IntRange(2, 6).Draw(r, "turns") {
			l.happen()
			want := l.promised()
			l.run()
			if got := l.rows(); !maps.Equal(got, want) {
				r.Fatalf("at %s in %s: the ledger holds %v, promised was %v", l.now.In(date.Zone(l.client.Timezone)), l.client.Timezone, got, want)
			}
			l.run()
			if got := l.rows(); !maps.Equal(got, want) {
				r.Fatalf("a second run changed %v to %v", want, got)
			}
			l.now = l.now.Add(rapid.SampledFrom([]time.Duration{time.Minute, 5 * time.Hour, 24 * time.Hour, 30 * time.Hour, 72 * time.Hour, 400 * 24 * time.Hour, -26 * time.Hour, -400 * 24 * time.Hour}).Draw(r, "pass"))
		}
	})
}

// When nothing changes and the planner runs every day, every reminder that was promised at the
// beginning goes out, on the promised day, and no other.
func TestPromisesComeTrue(t *testing.T) {
	store, raw := database(t)
	rapid.Check(t, func(r *rapid.T) {
		l := newLife(r, t, store, raw)
		for range rapid.IntRange(0, 2).Draw(r, "events") {
			l.happen()
		}
		entries, err := l.rules.ReminderPlan(l.ctx, l.invoice.ID)
		l.must(err)
		want := map[string]string{}
		for _, e := range entries {
			if e.Status == WouldSend {
				want[fmt.Sprintf("%d/%d", e.Step.ID, e.ContactID)] = string(date.Today(e.SendAt, l.client.Timezone))
			}
		}
		for day := date.Today(l.now, l.client.Timezone); day <= "2027-04-01" && day < l.invoice.DueDate.AddDays(45); day = day.AddDays(1) {
			l.now = moment(day, "11:45", l.client.Timezone)
			l.run()
		}
		got := map[string]string{}
		list, err := l.store.InvoiceDeliveries(l.ctx, l.invoice.ID)
		l.must(err)
		for _, row := range list {
			if row.Status == db.DeliveryPlanned {
				got[fmt.Sprintf("%d/%d", row.StepID, row.ContactID)] = string(date.Today(row.SendAt, l.client.Timezone))
			}
		}
		if !maps.Equal(got, want) {
			r.Fatalf("sent %v, promised %v", got, want)
		}
	})
}
