package reminder_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

var mexico = func() *time.Location {
	zone, err := time.LoadLocation("America/Mexico_City")
	if err != nil {
		panic(err)
	}
	return zone
}()

// at is a moment in Mexico City.
func at(text string) time.Time {
	t, err := time.ParseInLocation("2006-01-02 15:04", text, mexico)
	if err != nil {
		panic(err)
	}
	return t
}

type world struct {
	*testing.T
	address string // of the database
	store   *db.Store
	rules   *reminder.Service
	now     time.Time
}

func newWorld(t *testing.T, now string) *world {
	t.Parallel()
	address := dbtest.URL(t)
	w := &world{T: t, address: address, store: dbtest.Open(t, address), now: at(now)}
	w.rules = &reminder.Service{Store: w.store, Now: func() time.Time { return w.now }, Lease: time.Minute}
	dbtest.Company(t, w.store, at("2026-01-01 00:00"))
	return w
}

// run plans at the moment and returns what the run added.
func (w *world) run(now string, immediate bool) db.PlanResult {
	w.Helper()
	w.now = at(now)
	result, err := w.rules.SendReminders(access.With(w.Context(), access.SystemActor()), reminder.RunInput{Immediate: immediate})
	if err != nil {
		w.Fatal(err)
	}
	return result
}

// ledger lists "address status reason" of an invoice in any order.
func (w *world) ledger(invoice id.Invoice) []string {
	w.Helper()
	list, err := w.store.Deliveries(w.Context(), db.DeliveryFilter{Reach: access.Reach{All: true}, Invoice: invoice}, db.Page{First: 100})
	if err != nil {
		w.Fatal(err)
	}
	rows := []string{}
	for i := len(list.Rows) - 1; i >= 0; i-- {
		r := list.Rows[i]
		text := r.Email + " " + r.Status
		if r.Reason != "" {
			text += " " + r.Reason
		}
		rows = append(rows, text)
	}
	return rows
}

func (w *world) want(got []string, want ...string) {
	w.Helper()
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		w.Fatalf("ledger %q, want %q", got, want)
	}
}

func TestPlanOncePerStepAndRecipient(t *testing.T) {
	w := newWorld(t, "2026-03-01 08:00")
	client := dbtest.Client(t, w.store, "Cliente", "cliente@uno.example")
	dbtest.Contact(t, w.store, client, "conta@uno.example", at("2026-02-01 10:00"), mail.Invoice)
	dbtest.Contact(t, w.store, client, "sistemas@uno.example", at("2026-02-01 10:00"), mail.Domain)
	invoice := dbtest.Invoice(t, w.store, client, "2026-03-01", "2026-03-20", at("2026-03-01 08:00"))

	if got := w.run("2026-03-01 08:59", false); got != (db.PlanResult{}) {
		t.Fatalf("planned before the window opens: %+v", got)
	}
	if got := w.run("2026-03-01 09:00", false); got.Planned != 2 {
		t.Fatalf("the issued step: %+v", got)
	}
	for range 3 {
		if got := w.run("2026-03-01 09:01", false); got != (db.PlanResult{}) {
			t.Fatalf("a second run added %+v", got)
		}
	}
	w.want(w.ledger(invoice.ID), "cliente@uno.example planned", "conta@uno.example planned")

	total := int64(2)
	for day := date.Date("2026-03-02"); day <= "2026-05-01"; day = day.AddDays(1) {
		total += w.run(string(day)+" 12:00", false).Planned
	}
	if total != 2*6 {
		t.Fatalf("%d deliveries over the invoice's life, want 6 steps for 2 recipients", total)
	}
}

func TestPlanRules(t *testing.T) {
	type setup struct {
		name    string
		prepare func(w *world, client db.Client, invoice db.Invoice)
		now     string
		want    []string
	}
	const address = "cliente@dos.example"
	for _, c := range []setup{
		{"due in seven days", nil, "2026-03-13 10:00", []string{address + " planned"}},
		{"day of no step", nil, "2026-03-15 10:00", []string{address + " planned"}}, // still within the catch-up of -7
		{"day of no step, beyond catch-up", nil, "2026-03-17 10:00", nil},
		{"after the window the mail waits for the morning", nil, "2026-03-13 20:00", []string{address + " planned"}},
		{"preference off", func(w *world, client db.Client, _ db.Invoice) {
			fail(w, w.store.SetClientTopics(w.Context(), client.ID, []mail.Topic{mail.General}))
		}, "2026-03-13 10:00", nil},
		{"client paused", func(w *world, client db.Client, _ db.Invoice) {
			fail(w, w.store.PauseClient(w.Context(), client.ID, db.Pause{PausedUntil: "2026-03-14", PauseReason: "promesa de pago"}))
		}, "2026-03-13 10:00", []string{address + " skipped paused"}},
		{"pause has ended", func(w *world, client db.Client, _ db.Invoice) {
			fail(w, w.store.PauseClient(w.Context(), client.ID, db.Pause{PausedUntil: "2026-03-13", PauseReason: ""}))
		}, "2026-03-13 10:00", []string{address + " planned"}},
		{"invoice paused", func(w *world, _ db.Client, invoice db.Invoice) {
			fail(w, w.store.PauseInvoice(w.Context(), invoice.ID, db.Pause{PausedUntil: "2026-04-01", PauseReason: ""}))
		}, "2026-03-13 10:00", []string{address + " skipped paused"}},
		{"paid", func(w *world, _ db.Client, invoice db.Invoice) {
			invoice.Status, invoice.Paid = db.InvoicePaid, invoice.Total
			fail(w, w.store.SaveInvoiceStates(w.Context(), &invoice))
		}, "2026-03-13 10:00", nil},
		{"cancelled", func(w *world, _ db.Client, invoice db.Invoice) {
			invoice.Status = db.InvoiceCancelled
			fail(w, w.store.SaveInvoiceStates(w.Context(), &invoice))
		}, "2026-03-13 10:00", nil},
		{"a contact of the same address replaces the client's own mail", func(w *world, client db.Client, _ db.Invoice) {
			dbtest.Contact(w.T, w.store, client, "CLIENTE@dos.example", at("2026-03-02 10:00"), mail.Invoice)
		}, "2026-03-13 10:00", []string{"CLIENTE@dos.example planned"}},
		{"a contact added today gets today's step", func(w *world, client db.Client, _ db.Invoice) {
			dbtest.Contact(w.T, w.store, client, "nueva@dos.example", at("2026-03-13 09:50"), mail.Invoice)
		}, "2026-03-13 10:00", []string{address + " planned", "nueva@dos.example planned"}},
		{"a contact added later does not get what was due before", func(w *world, client db.Client, _ db.Invoice) {
			dbtest.Contact(w.T, w.store, client, "nueva@dos.example", at("2026-03-14 09:50"), mail.Invoice)
		}, "2026-03-14 10:00", []string{address + " planned"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, "2026-03-02 08:00")
			client := dbtest.Client(t, w.store, "Cliente", address)
			invoice := dbtest.Invoice(t, w.store, client, "2026-03-01", "2026-03-20", at("2026-03-02 08:00"))
			if c.prepare != nil {
				c.prepare(w, client, invoice)
			}
			w.run(c.now, false)
			w.want(w.ledger(invoice.ID), c.want...)
		})
	}
}

// After an outage only the newest step goes out; what is too late is noted, not forgotten.
func TestPlanAfterOutage(t *testing.T) {
	w := newWorld(t, "2026-03-02 08:00")
	client := dbtest.Client(t, w.store, "Cliente", "cliente@tres.example")
	invoice := dbtest.Invoice(t, w.store, client, "2026-03-02", "2026-03-20", at("2026-03-02 08:00"))
	w.run("2026-03-02 10:00", false)
	w.run("2026-03-26 10:00", false) // the steps -7, -1, +1 and +5 came due meanwhile
	w.want(w.ledger(invoice.ID), "cliente@tres.example planned",
		"cliente@tres.example planned", "cliente@tres.example skipped superseded", "cliente@tres.example skipped superseded", "cliente@tres.example skipped superseded")
	w.run("2026-05-20 10:00", false) // and +15, far too late
	w.want(w.ledger(invoice.ID), "cliente@tres.example planned",
		"cliente@tres.example planned", "cliente@tres.example skipped superseded", "cliente@tres.example skipped superseded", "cliente@tres.example skipped superseded",
		"cliente@tres.example skipped missed")
}

// A step that is added today does not act on the past.
func TestPlanNewStepLeavesThePast(t *testing.T) {
	w := &world{T: t, store: dbtest.New(t), now: at("2026-03-13 10:00")}
	t.Parallel()
	w.rules = &reminder.Service{Store: w.store, Now: func() time.Time { return w.now }, Lease: time.Minute}
	dbtest.Company(t, w.store, at("2026-03-14 08:00"))
	client := dbtest.Client(t, w.store, "Cliente", "cliente@cuatro.example")
	invoice := dbtest.Invoice(t, w.store, client, "2026-03-01", "2026-03-20", at("2026-03-01 08:00"))
	w.run("2026-03-14 10:00", false)
	w.want(w.ledger(invoice.ID))
	w.run("2026-03-19 10:00", false)
	w.want(w.ledger(invoice.ID), "cliente@cuatro.example planned")
}

func TestPlanConcurrently(t *testing.T) {
	w := newWorld(t, "2026-03-02 08:00")
	for range 50 {
		client := dbtest.Client(t, w.store, "Cliente", "cliente@cinco.example")
		dbtest.Invoice(t, w.store, client, "2026-03-02", "2026-03-20", at("2026-03-02 08:00"))
	}
	w.now = at("2026-03-02 10:00")
	results := make(chan int64)
	for range 8 {
		go func() {
			got, err := w.rules.SendReminders(access.With(t.Context(), access.SystemActor()), reminder.RunInput{})
			if err != nil {
				t.Error(err)
			}
			results <- got.Planned
		}()
	}
	var total int64
	for range 8 {
		total += <-results
	}
	if total != 50 {
		t.Fatalf("8 planners at once planned %d, want 50", total)
	}
}

func fail(w *world, err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// An immediate run has what the planner of every minute had left to the morning go out now, once: of all clients, of one
// or of one invoice. What has been tried is not touched by it.
func TestImmediateRunTakesWhatWaits(t *testing.T) {
	w := newWorld(t, "2026-03-20 21:00")
	first, second := dbtest.Client(t, w.store, "Uno", "uno@espera.example"), dbtest.Client(t, w.store, "Dos", "dos@espera.example")
	mine := dbtest.Invoice(t, w.store, first, "2026-03-20", "2026-03-21", at("2026-03-20 12:00"))
	theirs := dbtest.Invoice(t, w.store, second, "2026-03-20", "2026-03-21", at("2026-03-20 12:00"))
	waiting := func(invoice id.Invoice) (n int) {
		t.Helper()
		list, err := w.store.Deliveries(t.Context(), db.DeliveryFilter{Reach: access.Reach{All: true}, Invoice: invoice}, db.Page{First: 100})
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range list.Rows {
			if row.Status == db.DeliveryPlanned && row.DueAt != nil && row.DueAt.After(w.now) {
				n++
			}
		}
		return n
	}
	if got := w.run("2026-03-20 21:00", false); got.Planned != 2 || waiting(mine.ID) != 1 || waiting(theirs.ID) != 1 {
		t.Fatalf("in the evening: %+v, %d and %d wait", got, waiting(mine.ID), waiting(theirs.ID))
	}
	w.now = at("2026-03-20 21:05")
	ctx := access.With(t.Context(), access.SystemActor())
	if got, err := w.rules.SendReminders(ctx, reminder.RunInput{ClientID: first.ID, Immediate: true}); err != nil || got.Planned != 1 || waiting(mine.ID) != 0 || waiting(theirs.ID) != 1 {
		t.Fatalf("one client: %+v, %v, %d and %d wait", got, err, waiting(mine.ID), waiting(theirs.ID))
	}
	if got, err := w.rules.SendReminders(ctx, reminder.RunInput{InvoiceID: theirs.ID, Immediate: true}); err != nil || got.Planned != 1 || waiting(theirs.ID) != 0 {
		t.Fatalf("one invoice: %+v, %v, %d wait", got, err, waiting(theirs.ID))
	}
	if got := w.run("2026-03-20 21:06", true); got.Planned != 0 {
		t.Fatalf("a second time: %+v", got)
	}
	if rows, err := w.rules.Dispatch(ctx, 100, 100); err != nil || len(rows) != 2 {
		t.Fatalf("%d mails go out, %v", len(rows), err)
	}
	// What has been tried keeps its wait.
	dbtest.Exec(t, w.address, "UPDATE delivery SET status = 'planned', attempts = 1, due_at = '2026-03-20 22:00-06', send_at = '2026-03-20 22:00-06' WHERE status = 'queued'")
	if got := w.run("2026-03-20 21:10", true); got.Planned != 0 || waiting(mine.ID) != 1 {
		t.Fatalf("after an attempt: %+v, %d wait", got, waiting(mine.ID))
	}
}

// there reports whether a statement finds a row.
func (w *world) there(sql string) (found bool) {
	w.Helper()
	conn, err := pgx.Connect(w.Context(), w.address)
	fail(w, err)
	defer func() { _ = conn.Close(context.Background()) }()
	fail(w, conn.QueryRow(w.Context(), "SELECT EXISTS ("+sql+")").Scan(&found))
	return found
}

// An immediate run leaves alone what a pause holds, and says so in its figures: the mail goes out after the pause.
func TestImmediateRunLeavesPaused(t *testing.T) {
	for _, mode := range []string{"skip", "shift"} {
		t.Run(mode, func(t *testing.T) {
			o := newOutside(t)
			o.send(o.take())
			if got := o.run("2026-03-21 21:00", false); got.Planned != 1 {
				t.Fatalf("%+v", got)
			}
			dbtest.Exec(t, o.address, "UPDATE client SET paused_from = '2026-03-21', paused_until = '2026-03-22', pause_mode = '"+mode+"'")
			waiting := "SELECT FROM delivery WHERE status = 'planned' AND due_at > '2026-03-21 21:05-06'"
			if got := o.run("2026-03-21 21:05", true); got.Planned != 0 || !o.there(waiting) {
				t.Errorf("%+v while it is paused", got)
			}
			o.run("2026-03-22 09:30", false)
			dbtest.Exec(t, o.address, "UPDATE delivery SET due_at = now() WHERE due_at IS NOT NULL")
			o.send(o.take())
			if n := o.mailbox.Total(); n != 2 {
				t.Errorf("%d mails, want 2", n)
			}
		})
	}
}

// Nor does it send what a clock that was ahead had noted: the step of the day goes out, not a later one.
func TestImmediateRunAfterAClockAhead(t *testing.T) {
	o := newOutside(t)
	o.send(o.take())
	o.run("2026-04-04 12:00", false)
	o.run("2026-03-21 10:00", true)
	dbtest.Exec(t, o.address, "UPDATE delivery SET due_at = '2030-01-01' WHERE due_at > '2026-03-21 10:00-06'")
	o.send(o.take())
	if got := o.ledger(o.invoice.ID); o.mailbox.Total() != 2 || o.there("SELECT FROM delivery AS d JOIN reminder_step AS s ON s.id = d.step_id WHERE d.status = 'sent' AND s.days > 1") {
		t.Errorf("%d mails, the ledger %v", o.mailbox.Total(), got)
	}
}

// A planner that has planned and not committed yet when the run is asked for holds nothing back.
func TestImmediateRunBesideThePlanner(t *testing.T) {
	w := newWorld(t, "2026-03-20 21:00")
	client := dbtest.Client(t, w.store, "Uno", "uno@espera.example")
	dbtest.Invoice(t, w.store, client, "2026-03-20", "2026-03-21", at("2026-03-20 12:00"))
	w.run("2026-03-20 21:00", false)
	dbtest.Exec(t, w.address, "CREATE TABLE planned AS SELECT * FROM delivery", "DELETE FROM delivery")
	conn, err := pgx.Connect(t.Context(), w.address)
	fail(w, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	tx, err := conn.Begin(t.Context())
	fail(w, err)
	_, err = tx.Exec(t.Context(), "INSERT INTO delivery OVERRIDING SYSTEM VALUE SELECT * FROM planned")
	fail(w, err)
	committed := make(chan error, 1)
	go func() {
		time.Sleep(300 * time.Millisecond)
		committed <- tx.Commit(context.Background())
	}()
	got := w.run("2026-03-20 21:05", true)
	fail(w, <-committed)
	if got.Planned != 1 || w.there("SELECT FROM delivery WHERE due_at > '2026-03-20 21:05-06'") {
		t.Errorf("%+v", got)
	}
}
