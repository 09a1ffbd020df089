package reminder_test

import (
	"context"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

func (w *world) system() context.Context { return access.With(w.Context(), access.SystemActor()) }

func policy(steps ...int) reminder.PolicyInput {
	in := reminder.PolicyInput{Name: "Prueba", SendFrom: "09:00", SendUntil: "18:00", CatchUpDays: 3}
	for _, days := range steps {
		in.Steps = append(in.Steps, reminder.StepInput{Anchor: db.AnchorDue, Days: days})
	}
	return in
}

func (w *world) save(in reminder.PolicyInput) reminder.Policy {
	w.Helper()
	saved, err := w.rules.SavePolicy(w.system(), in)
	if err != nil {
		w.Fatal(err)
	}
	return saved
}

// The most specific policy rules, and a change on the very day of a step does not repeat the mail
// that the earlier policy sent.
func TestPolicyScopes(t *testing.T) {
	w := newWorld(t, "2026-03-02 08:00")
	client := dbtest.Client(t, w.store, "Cliente", "cliente@politica.example")
	invoice := dbtest.Invoice(t, w.store, client, "2026-03-01", "2026-03-20", at("2026-03-02 08:00"))
	const sent, planned = "cliente@politica.example planned", "cliente@politica.example planned"
	w.run("2026-03-13 10:00", false) // -7 of the default policy
	group, err := w.rules.AddClientGroup(w.system(), "Mayoristas")
	fail(w, err)
	in := policy(-7, -5, -1)
	in.GroupID = group.ID
	w.save(in)
	fail(w, w.rules.SetClientGroup(w.system(), client.ID, group.ID))
	w.run("2026-03-13 11:00", false)
	w.want(w.ledger(invoice.ID), sent)
	w.run("2026-03-15 10:00", false) // -5 of the group
	w.want(w.ledger(invoice.ID), sent, planned)
	own := policy(-4)
	own.ClientID = client.ID
	saved := w.save(own)
	w.run("2026-03-16 10:00", false) // -4 of the client
	w.want(w.ledger(invoice.ID), sent, planned, planned)
	w.run("2026-03-19 10:00", false) // -1 is no longer its step
	w.want(w.ledger(invoice.ID), sent, planned, planned)
	fail(w, w.rules.RemovePolicy(w.system(), saved.ID))
	w.run("2026-03-19 11:00", false) // -1 of the group again
	w.want(w.ledger(invoice.ID), sent, planned, planned, planned)
	if err := w.rules.RemovePolicy(w.system(), 1); !fault.Is(err, fault.Conflict) {
		t.Fatalf("the default policy was removed: %v", err)
	}
}

// A policy has as many steps as somebody wants: here one a day for 90 days, each planned on its day.
func TestManySteps(t *testing.T) {
	w := newWorld(t, "2026-01-10 08:00")
	client := dbtest.Client(t, w.store, "Cliente", "cliente@pasos.example")
	invoice := dbtest.Invoice(t, w.store, client, "2026-01-10", "2026-03-20", at("2026-01-10 08:00"))
	var days []int
	for day := -30; day < 60; day++ {
		days = append(days, day)
	}
	in := policy(days...)
	in.ClientID = client.ID
	if saved := w.save(in); len(saved.Steps) != len(days) {
		t.Fatalf("%d steps are kept, want %d", len(saved.Steps), len(days))
	}
	for _, day := range days {
		if planned := w.run(string(invoice.DueDate.AddDays(day))+" 10:00", false).Planned; planned != 1 {
			t.Fatalf("%d days from the due date %d reminders are planned, want 1", day, planned)
		}
	}
}

func TestSavePolicyKeepsHistory(t *testing.T) {
	w := newWorld(t, "2026-03-02 08:00")
	first := w.save(policy(-7, -1, 3))
	w.now = w.now.Add(time.Hour)
	second := w.save(policy(-1, 3, 10))
	ids := map[int]bool{}
	for _, step := range second.Steps {
		ids[int(step.ID)] = true
	}
	kept := 0
	for _, step := range first.Steps {
		if ids[int(step.ID)] {
			kept++
		}
	}
	if len(second.Steps) != 3 || kept != 2 || first.ID != second.ID {
		t.Fatalf("%+v then %+v", first, second)
	}
	for _, c := range []struct {
		path   string
		change func(*reminder.PolicyInput)
	}{
		{"name", func(in *reminder.PolicyInput) { in.Name = " " }},
		{"sendFrom", func(in *reminder.PolicyInput) { in.SendFrom = "25:00" }},
		{"sendUntil", func(in *reminder.PolicyInput) { in.SendUntil = "08:00" }},
		{"catchUpDays", func(in *reminder.PolicyInput) { in.CatchUpDays = 61 }},
		{"steps[3].days", func(in *reminder.PolicyInput) { in.Steps = append(in.Steps, in.Steps[0]) }},
		{"steps[0].anchor", func(in *reminder.PolicyInput) { in.Steps[0].Anchor = "paid" }},
	} {
		in := policy(-1, 3, 10)
		c.change(&in)
		_, err := w.rules.SavePolicy(w.system(), in)
		if f, ok := fault.As(err); !ok || len(f.Fields) != 1 || f.Fields[0].Path != c.path {
			t.Errorf("%s: %v", c.path, err)
		}
	}
	if _, err := w.rules.SavePolicy(t.Context(), policy(1)); !fault.Is(err, fault.Unauthenticated) {
		t.Errorf("a stranger saved a policy: %v", err)
	}
}

func TestPreviewWritesNothing(t *testing.T) {
	w := newWorld(t, "2026-03-02 08:00")
	client := dbtest.Client(t, w.store, "Cliente", "cliente@previa.example")
	dbtest.Invoice(t, w.store, client, "2026-03-02", "2026-03-20", at("2026-03-02 08:00"))
	in := policy(-2, 4)
	in.BusinessDays = true
	previews, err := w.rules.PreviewPolicy(w.system(), in, 5)
	fail(w, err)
	// Of the default policy's six mails all go, two come.
	if len(previews) != 1 || previews[0].Count(reminder.ChangeAdded) != 2 || previews[0].Count(reminder.ChangeRemoved) != 6 || len(previews[0].Entries) != 8 {
		t.Fatalf("%+v", previews)
	}
	added := []string{}
	for _, e := range previews[0].Entries {
		if e.Change == reminder.ChangeAdded {
			added = append(added, e.Status+" "+e.SendAt.Format("2006-01-02 15:04"))
		}
	}
	w.want(added, "would_send 2026-03-18 09:00", "would_send 2026-03-24 09:00")
	// The same steps on business days: +1 falls on Saturday 21 March and moves to Monday.
	same := policy(-7, -1, 1, 5, 15)
	same.Steps, same.BusinessDays = append(same.Steps, reminder.StepInput{Anchor: db.AnchorIssue}), true
	previews, err = w.rules.PreviewPolicy(w.system(), same, 5)
	fail(w, err)
	moved := []string{}
	for _, e := range previews[0].Entries {
		if e.Change != reminder.ChangeNone {
			moved = append(moved, e.Change+" "+e.Was.Format("2006-01-02")+" "+e.SendAt.Format("2006-01-02"))
		}
	}
	w.want(moved, "moved 2026-03-21 2026-03-23", "moved 2026-04-04 2026-04-06")
	// What a client of its own policy gets does not depend on the default one.
	own := policy(3)
	own.ClientID = client.ID
	saved := w.save(own)
	if previews, err = w.rules.PreviewPolicy(w.system(), same, 5); err != nil || len(previews) != 0 {
		t.Fatalf("%+v, %v", previews, err)
	}
	fail(w, w.rules.RemovePolicy(w.system(), saved.ID))
	policies, err := w.rules.Policies(w.system())
	fail(w, err)
	if len(policies) != 1 || len(policies[0].Steps) != 6 {
		t.Fatalf("the preview changed the policy: %+v", policies)
	}
}

// Steps at the end of a month, around the changes of clocks and on bank holidays, each in the zone.
func TestPlanDays(t *testing.T) {
	for _, c := range []struct {
		name, zone, issue, due string
		days                   int
		business               bool
		want                   string // UTC
	}{
		{"last day of February", "America/Mexico_City", "2026-01-31", "2026-02-28", 1, false, "2026-03-01T15:00:00Z"},
		{"leap day", "America/Mexico_City", "2028-02-01", "2028-02-28", 1, false, "2028-02-29T15:00:00Z"},
		{"over the end of the year", "America/Mexico_City", "2026-12-01", "2026-12-31", 1, false, "2027-01-01T15:00:00Z"},
		{"New Year's Day has no business, and then comes a weekend", "America/Mexico_City", "2026-12-01", "2026-12-31", 1, true, "2027-01-04T15:00:00Z"},
		{"Maundy Thursday moves to Monday", "America/Mexico_City", "2026-03-20", "2026-04-01", 1, true, "2026-04-06T15:00:00Z"},
		{"a Saturday moves to Monday", "America/Mexico_City", "2026-05-04", "2026-05-15", 1, true, "2026-05-18T15:00:00Z"},
		{"Mexico City has had no summer time since 2022", "America/Mexico_City", "2026-06-01", "2026-07-01", 1, false, "2026-07-02T15:00:00Z"},
		{"Tijuana the day before summer time", "America/Tijuana", "2026-03-01", "2026-03-06", 1, false, "2026-03-07T17:00:00Z"},
		{"Tijuana the day summer time begins", "America/Tijuana", "2026-03-01", "2026-03-07", 1, false, "2026-03-08T16:00:00Z"},
		{"Tijuana the day summer time ends", "America/Tijuana", "2026-10-20", "2026-10-31", 1, false, "2026-11-01T17:00:00Z"},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := newWorld(t, "2026-01-31 08:00")
			zone, err := time.LoadLocation(c.zone)
			fail(w, err)
			created, err := time.ParseInLocation("2006-01-02 15:04", c.issue+" 08:00", zone)
			fail(w, err)
			client := db.Client{Name: "Cliente", Email: "cliente@dias.example", Country: "MX", Language: "es-MX", Timezone: c.zone, Topics: mail.Topics()}
			fail(w, w.store.AddClient(t.Context(), &client))
			in := policy(c.days)
			in.BusinessDays = c.business
			w.save(in)
			w.now = created
			invoice := dbtest.Invoice(t, w.store, client, date.Date(c.issue), date.Date(c.due), created)
			plan, err := w.rules.ReminderPlan(w.system(), invoice.ID)
			fail(w, err)
			want, err := time.Parse(time.RFC3339, c.want)
			fail(w, err)
			if len(plan) != 1 || !plan[0].SendAt.Equal(want) || plan[0].Status != reminder.WouldSend {
				t.Fatalf("predicted %+v, want %s", plan, want)
			}
			// A minute before nothing, then exactly that.
			for _, step := range []struct {
				at   time.Time
				rows int64
			}{{want.Add(-time.Minute), 0}, {want, 1}, {want.Add(time.Minute), 0}} {
				w.now = step.at
				got, err := w.rules.SendReminders(w.system(), reminder.RunInput{})
				fail(w, err)
				if got.Planned != step.rows {
					t.Fatalf("at %s planned %d, want %d", step.at, got.Planned, step.rows)
				}
			}
		})
	}
}
