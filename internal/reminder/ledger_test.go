package reminder_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/reminder"
)

type keptMail struct{ ids []string }

func (k *keptMail) Send(_ context.Context, m mail.Message) (mail.Receipt, error) {
	k.ids = append(k.ids, m.ID)
	return mail.Receipt{Reply: "250 OK"}, nil
}

// Findings of the nightly comparison are mailed to the person that they are for, once however often the job is done; not to who has left, and not when they are gone.
func TestLedgerNotice(t *testing.T) {
	w := newWorld(t, "2026-06-10 03:10")
	kept, notices := &keptMail{}, []reminder.LedgerNotice{}
	w.rules.Mailer = kept
	w.rules.RenderNotice = func(_ context.Context, n account.Notice) (mail.Message, error) {
		notice, ok := n.(reminder.LedgerNotice)
		if !ok {
			t.Fatalf("%T", n)
		}
		notices = append(notices, notice)
		return mail.Message{ID: notice.MessageID, To: notice.To}, nil
	}
	here, left := db.Staff{Name: "Ana", Email: "ana@nube.example", Role: access.Billing, Active: true, Language: "es-MX"}, db.Staff{Name: "Beto", Email: "beto@nube.example", Role: access.Admin, Language: "es-MX"}
	for _, person := range []*db.Staff{&here, &left} {
		fail(w, w.store.AddStaff(t.Context(), person))
	}
	stays, gone := db.LedgerGap{What: "invoice", Subject: "F-1", Stored: 7}, db.LedgerGap{What: "invoice", Subject: "F-2", Stored: 7}
	fail(w, w.store.SaveLedgerCheck(t.Context(), db.LedgerCheck{CheckedAt: w.rules.Now(), Gaps: []db.LedgerGap{stays}}))
	job := billing.LedgerJob{CheckedAt: w.rules.Now(), Staff: here.ID, Gaps: []db.LedgerGap{stays, gone}}
	for range 2 { // a worker that dies after the mail has its job done again
		fail(w, w.rules.SendLedgerNotice(w.system(), job))
	}
	if len(kept.ids) != 1 || notices[0].To != here.Email || !slices.Equal(notices[0].Gaps, []db.LedgerGap{stays}) {
		t.Fatalf("%v %+v", kept.ids, notices)
	}
	for _, job := range []billing.LedgerJob{{CheckedAt: job.CheckedAt, Staff: left.ID, Gaps: job.Gaps}, {CheckedAt: job.CheckedAt, Staff: here.ID, Gaps: []db.LedgerGap{gone}}} {
		fail(w, w.rules.SendLedgerNotice(w.system(), job))
	}
	if len(kept.ids) != 1 {
		t.Fatalf("%+v", notices[1:])
	}
	next := job // the findings of another night
	next.CheckedAt = next.CheckedAt.Add(24 * time.Hour)
	fail(w, w.rules.SendLedgerNotice(w.system(), next))
	if len(kept.ids) != 2 || kept.ids[0] == kept.ids[1] {
		t.Fatalf("%v", kept.ids)
	}
	if err := w.rules.SendLedgerNotice(t.Context(), job); err == nil {
		t.Fatal("anybody may ask for the mail")
	}
}
