package jobs_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/devstack"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/reminder"
	"github.com/nubedigitalmx/avisa/jobs"
)

// office is a worker with its database, queue and mail server.
type office struct {
	*testing.T
	store   *db.Store
	mailbox *devstack.Mailbox
	rules   *reminder.Service
	start   func()
}

func newOffice(t *testing.T) *office {
	t.Helper()
	redis, err := devstack.StartRedis(t.Context(), devstack.Options{Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = redis.Stop(context.Background()) })
	o := &office{T: t, store: dbtest.New(t)}
	if o.mailbox, err = devstack.StartMailbox("127.0.0.1:0", devstack.EnvelopesOnly()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.mailbox.Close() })
	smtp, err := mail.NewSMTP("smtp://"+o.mailbox.Addr()+"?tls=none", 20*time.Second, 10)
	if err != nil {
		t.Fatal(err)
	}
	client, err := jobs.Connect(t.Context(), redis.URL())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	dbtest.Company(t, o.store, time.Now().AddDate(0, -2, 0))
	o.rules = &reminder.Service{Store: o.store, Now: time.Now, Mailer: smtp, Worker: "test", Lease: 30 * time.Second,
		LinkURL: func(kind, token string) string { return "https://clientes.example/" + kind + "/" + token },
		Render: func(_ context.Context, r reminder.Reminder) (mail.Message, error) {
			return mail.Message{ID: r.MessageID, From: r.Company.Email, To: r.To, Subject: r.Number, Text: "Saldo"}, nil
		},
		RenderNotice: func(_ context.Context, n account.Notice) (mail.Message, error) {
			return mail.Message{ID: n.Head().MessageID, From: n.Head().Company.Email, To: n.Head().To, Subject: "Aviso", Text: "Aviso"}, nil
		}}
	worker := jobs.New(jobs.Config{Store: o.store, Redis: client, Reminder: o.rules, Billing: &billing.Service{Store: o.store, Now: time.Now},
		Concurrency: 10, Log: slog.New(slog.DiscardHandler), Now: time.Now})
	o.start = func() {
		ctx, cancel := context.WithCancel(context.Background())
		ended := make(chan error)
		go func() { ended <- worker.Run(ctx) }()
		t.Cleanup(func() {
			o.mailbox.Fail(nil)
			cancel()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
	return o
}

// owe plans a reminder for each of n clients with an address in the domain.
func (o *office) owe(n int, domain string) {
	o.Helper()
	now := time.Now()
	today := date.Today(now, "America/Mexico_City")
	for i := range n {
		client := dbtest.Client(o.T, o.store, fmt.Sprintf("Cliente %d", i), fmt.Sprintf("cliente%d@%s", i, domain))
		dbtest.Invoice(o.T, o.store, client, today.AddDays(-10), today.AddDays(1), now.AddDate(0, 0, -10))
	}
	if _, err := o.store.Plan(o.Context(), db.PlanInput{Now: now, Immediate: true}); err != nil {
		o.Fatal(err)
	}
}

// arrived is how many mails for the domain the mail server has taken over.
func (o *office) arrived(domain string) int {
	n := 0
	for _, e := range o.mailbox.Envelopes() {
		if strings.HasSuffix(e.To[0], "@"+domain) {
			n++
		}
	}
	return n
}

func (o *office) eventually(within time.Duration, what string, condition func() bool) {
	o.Helper()
	for deadline := time.Now().Add(within); !condition(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			o.Fatalf("not within %s: %s", within, what)
		}
	}
}

// stall makes the mail server answer for the domain after the time.
func (o *office) stall(domain string, wait time.Duration) {
	o.mailbox.Fail(func(_, to string) *devstack.SMTPFailure {
		if strings.HasSuffix(to, "@"+domain) {
			return &devstack.SMTPFailure{Stall: wait}
		}
		return nil
	})
}

// What a person waits for goes out while every task for reminders waits for a mail server.
func TestPeopleDoNotWaitForReminders(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.owe(300, "lento.example")
	client := dbtest.Client(t, o.store, "Aurora", "pagos@aurora.example")
	contact := dbtest.Contact(t, o.store, client, "laura@aurora.example", time.Now(), mail.Support)
	o.stall("lento.example", 10*time.Second)
	o.start()
	o.eventually(20*time.Second, "ten reminders on their way", func() bool {
		counts, err := o.store.DeliveryCounts(t.Context(), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range counts {
			if c.Status == db.DeliverySending {
				return c.Count >= 10
			}
		}
		return false
	})
	if err := o.store.Enqueue(t.Context(), account.VerifyJob{ContactID: contact.ID, Email: contact.Email, Ref: "1"}); err != nil {
		t.Fatal(err)
	}
	o.eventually(8*time.Second, "the confirmation has arrived", func() bool { return o.arrived("aurora.example") == 1 })
	if n := o.arrived("lento.example"); n > 0 {
		t.Fatalf("%d reminders had arrived: the test proves nothing", n)
	}
}

// A domain whose server answers slowly delays its own mails, not those to others.
func TestSlowDomainDelaysItselfAlone(t *testing.T) {
	t.Parallel()
	o := newOffice(t)
	o.owe(100, "lento.example")
	o.owe(200, "rapido.example")
	o.stall("lento.example", 4*time.Second)
	o.start()
	o.eventually(30*time.Second, "every mail to the fast domain", func() bool { return o.arrived("rapido.example") == 200 })
	if n := o.arrived("lento.example"); n > 40 {
		t.Fatalf("%d of 100 mails to the slow domain had arrived: the test proves nothing", n)
	}
}
