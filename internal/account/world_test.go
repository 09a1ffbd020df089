package account_test

import (
	"context"
	"encoding/json"
	"sync"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
	"github.com/nubedigitalmx/avisa/internal/secret"
)

// attempts is a Limiter that counts in memory and never lets more than its limit through.
type attempts struct {
	sync.Mutex
	counts map[string]int
}

func (a *attempts) Allow(_ context.Context, key string, limit int) (time.Duration, error) {
	a.Lock()
	defer a.Unlock()
	if a.counts[key]++; a.counts[key] > limit {
		return 30 * time.Second, nil
	}
	return 0, nil
}

func (a *attempts) AllowHourly(ctx context.Context, key string, limit int) (time.Duration, error) {
	return a.Allow(ctx, key, limit)
}

func (a *attempts) Reset(_ context.Context, key string) error {
	a.Lock()
	defer a.Unlock()
	delete(a.counts, key)
	return nil
}

// outgoing is a mail server that keeps what it is sent.
type outgoing struct{ sent []mail.Message }

func (o *outgoing) Send(_ context.Context, m mail.Message) (mail.Receipt, error) {
	o.sent = append(o.sent, m)
	return mail.Receipt{Reply: "250 ok"}, nil
}

type world struct {
	*testing.T
	*account.Service
	client, other db.Client
	clock         time.Time
	limits        *attempts
	smtp          *outgoing
	notices       []account.Notice // in the order in which they were mailed
}

func newWorld(t *testing.T) *world {
	t.Parallel()
	box, err := secret.New("una llave de prueba de más de 32 bytes")
	if err != nil {
		t.Fatal(err)
	}
	passkeys, err := account.NewPasskeys("https://avisa.example", "Avisa")
	if err != nil {
		t.Fatal(err)
	}
	w := &world{T: t, clock: time.Now(), limits: &attempts{counts: map[string]int{}}, smtp: &outgoing{}}
	w.Service = &account.Service{Store: dbtest.New(t), Now: func() time.Time { return w.clock }, Limiter: w.limits, Argon: account.Argon{Memory: 64, Passes: 1}, Secrets: box, Passkeys: passkeys, Mailer: w.smtp,
		Mail: func(_ context.Context, n account.Notice) (mail.Message, error) {
			w.notices = append(w.notices, n)
			return mail.Message{ID: n.Head().MessageID, To: n.Head().To}, nil
		}}
	dbtest.Company(t, w.Store, w.clock)
	w.client = w.addClient("Uno", "dueno@uno.example")
	w.other = w.addClient("Dos", "dueno@dos.example")
	return w
}

// work does what the workers do: every job of the outbox, until there is none. It returns the notices
// that were mailed in it.
func (w *world) work() []account.Notice {
	w.Helper()
	w.notices = nil
	for range 10 {
		jobs, err := w.Store.TakeJobs(w.Context(), 500, time.Minute)
		if err != nil {
			w.Fatal(err)
		}
		if len(jobs) == 0 {
			return w.notices
		}
		for _, job := range jobs {
			w.do(job.Kind, job.Payload)
			if err := w.Store.FinishJob(w.Context(), job.ID); err != nil {
				w.Fatal(err)
			}
		}
	}
	w.Fatal("the outbox never empties")
	return nil
}

func (w *world) do(kind string, payload json.RawMessage) {
	w.Helper()
	var err error
	switch kind {
	case "account:link":
		err = run(w.system(), payload, w.SendLink)
	case "account:sign-in-alert":
		err = run(w.system(), payload, w.SendAlert)
	case "account:access-given":
		err = run(w.system(), payload, w.SendAccess)
	case "account:reset":
		err = run(w.system(), payload, w.SendReset)
	default:
		w.Fatalf("job of an unknown kind: %s", kind)
	}
	if err != nil {
		w.Fatalf("%s: %v", kind, err)
	}
}

func run[J any](ctx context.Context, payload json.RawMessage, verb func(context.Context, J) error) error {
	var job J
	if err := json.Unmarshal(payload, &job); err != nil {
		return err
	}
	return verb(ctx, job)
}

// one returns the only notice of a kind among those just mailed.
func one[N account.Notice](w *world, notices []account.Notice) N {
	w.Helper()
	var found []N
	for _, n := range notices {
		if n, ok := n.(N); ok {
			found = append(found, n)
		}
	}
	if len(found) != 1 {
		w.Fatalf("%d notices of the kind %T, want 1", len(found), *new(N))
	}
	return found[0]
}

// token returns the context of a session's token.
func (w *world) token(token string) context.Context {
	w.Helper()
	actor, err := w.Authenticate(w.Context(), token)
	if err != nil {
		w.Fatalf("authenticate: %v", err)
	}
	return access.With(w.Context(), actor)
}

// ended fails when the token still opens anything.
func (w *world) ended(what, token string) {
	w.Helper()
	if _, err := w.Authenticate(w.Context(), token); !fault.Is(err, fault.Unauthenticated) {
		w.Errorf("%s: the session goes on: %v", what, err)
	}
}

// staff adds a person of the company and returns their context.
func (w *world) staff(role access.Role) context.Context {
	w.Helper()
	email := string(role) + "@empresa.example"
	if _, err := w.AddStaff(w.system(), account.AddStaffInput{Name: "Persona " + string(role), Email: email, Password: password, Role: role}); err != nil {
		w.Fatal(err)
	}
	signed, err := w.SignIn(w.Context(), account.SignInInput{Email: email, Password: password, Staff: true})
	if err != nil {
		w.Fatal(err)
	}
	return w.token(signed.Token)
}

// invite adds a contact by invitation and returns it with the mailed notice.
func (w *world) invite(ctx context.Context, client db.Client, email string, permissions ...access.Permission) (db.Contact, account.InvitationNotice) {
	w.Helper()
	w.work()
	contact, err := w.AddContact(ctx, account.AddContactInput{ClientID: client.ID, Details: account.ContactDetails{Firstname: "Ana", Email: email},
		Topics: []mail.Topic{mail.Invoice}, SubAccount: &account.SubAccountInput{Active: true, Invite: true, Permissions: permissions}})
	if err != nil {
		w.Fatal(err)
	}
	return contact, one[account.InvitationNotice](w, w.work())
}

// person accepts an invitation to the first client and returns the contact and the session's token: a
// personal login.
func (w *world) person(email string, permissions ...access.Permission) (db.Contact, string) {
	w.Helper()
	contact, notice := w.invite(w.as("dueno@uno.example", password), w.client, email, permissions...)
	signed, err := w.AcceptInvitation(w.Context(), account.AcceptInvitationInput{Token: notice.Token, Password: password, PasswordAgain: password})
	if err != nil {
		w.Fatal(err)
	}
	return contact, signed.Token
}

func (w *world) state(contact id.Contact) string {
	w.Helper()
	found, err := w.AccessByContact(w.system(), []id.Contact{contact})
	if err != nil {
		w.Fatal(err)
	}
	a, ok := found[contact]
	if !ok {
		return "none"
	}
	return a.State()
}

// verbs lists what the audit log says about a client, the oldest first; client 0 means all.
func (w *world) verbs(client id.Client) []string {
	w.Helper()
	list, err := w.Audit(w.system(), account.AuditQuery{Client: client}, db.Page{First: 100})
	if err != nil {
		w.Fatal(err)
	}
	verbs := []string{}
	for i := len(list.Rows) - 1; i >= 0; i-- {
		verbs = append(verbs, list.Rows[i].Verb)
	}
	return verbs
}
