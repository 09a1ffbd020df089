package reminder_test

import (
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

// Who pauses and runs reminders by hand, and what the log says of it.
func TestPauseAndRunAreAudited(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	now := time.Date(2026, 11, 2, 18, 0, 0, 0, time.UTC)
	dbtest.Company(t, store, now)
	client := dbtest.Client(t, store, "Uno", "uno@uno.example")
	invoice := dbtest.Invoice(t, store, client, "2026-11-01", "2026-11-20", now)
	s := &reminder.Service{Store: store, Now: func() time.Time { return now }}
	owner := access.Actor{Kind: access.Login, Login: 1, Grants: []access.Grant{{Client: client.ID, Owner: true}}}
	viewing := owner
	viewing.Viewing, viewing.Staff = true, 3
	member := access.Actor{Kind: access.Login, Login: 2, Grants: []access.Grant{{Client: client.ID, Permissions: access.Permissions()}}}
	until := date.Date("2026-12-01")
	for name, c := range map[string]struct {
		actor access.Actor
		code  string
	}{
		"anonymous": {access.Actor{}, "UNAUTHENTICATED"}, "viewing": {viewing, "READ_ONLY"}, "member": {member, "OWNER_ONLY"},
		"readonly": {access.Actor{Kind: access.Staff, Staff: 1, Role: access.ReadOnly}, "CAPABILITY_REQUIRED"},
	} {
		_, _, err := s.SetReminderPause(access.With(t.Context(), c.actor), reminder.PauseInput{ClientID: client.ID, Until: until})
		if e, ok := fault.As(err); !ok || e.Code != c.code {
			t.Errorf("%s pauses: %v", name, err)
		}
	}
	if _, err := s.SendReminders(access.With(t.Context(), owner), reminder.RunInput{}); !fault.Is(err, fault.Forbidden) {
		t.Errorf("the owner runs: %v", err)
	}
	billing := access.With(t.Context(), access.Actor{Kind: access.Staff, Staff: 1, Role: access.Billing})
	for _, in := range []reminder.PauseInput{{ClientID: client.ID, Until: until, Reason: "acuerdo"}, {InvoiceID: invoice.ID, Until: until}, {ClientID: client.ID}} {
		if _, _, err := s.SetReminderPause(billing, in); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.SendReminders(billing, reminder.RunInput{InvoiceID: invoice.ID}); err != nil {
		t.Fatal(err)
	}
	if _, err := s.SendReminders(access.With(t.Context(), access.SystemActor()), reminder.RunInput{}); err != nil {
		t.Fatal(err)
	}
	log, err := store.AuditLog(t.Context(), db.AuditFilter{Reach: access.Reach{All: true}}, db.Page{})
	if err != nil {
		t.Fatal(err)
	}
	got := []string{}
	for _, r := range log.Rows {
		got = append(got, r.Verb+" "+r.Object+" "+string(r.Before)+string(r.After))
	}
	want := []string{
		`reminder.run ` + invoice.ID.String() + ` {"skipped": 1, "immediate": false}`,
		`reminder.resume ` + client.ID.String() + ` {"from": "2026-11-02", "until": "2026-12-01", "reason": "acuerdo"}{"from": "", "until": "", "reason": ""}`,
		`reminder.pause ` + invoice.ID.String() + ` {"from": "", "until": ""}{"from": "2026-11-02", "until": "2026-12-01"}`,
		`reminder.pause ` + client.ID.String() + ` {"from": "", "until": "", "reason": ""}{"from": "2026-11-02", "until": "2026-12-01", "reason": "acuerdo"}`,
	}
	if len(got) != len(want) {
		t.Fatalf("%q", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("%d: %s\nwant %s", i, got[i], want[i])
		}
	}
}
