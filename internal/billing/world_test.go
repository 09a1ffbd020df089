package billing_test

import (
	"context"
	"database/sql"
	"strconv"
	"sync/atomic"
	"testing"
	"time"

	"gocloud.dev/blob/memblob"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/billing"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/money"
)

// world is a company with one client, at a moment that tests move.
type world struct {
	*testing.T
	*billing.Service
	store   *db.Store
	sql     *sql.DB // for what no verb does
	address string  // of the database
	client  db.Client
	now     atomic.Pointer[time.Time]
	keys    atomic.Int64
}

func newWorld(t *testing.T) *world {
	t.Helper()
	url := dbtest.URL(t)
	w := &world{T: t, address: url}
	w.store = must(t, func() (*db.Store, error) { return db.Open(t.Context(), url, 30) })
	t.Cleanup(func() { _ = w.store.Close() })
	w.sql = must(t, func() (*sql.DB, error) { return sql.Open("pgx", url) })
	t.Cleanup(func() { _ = w.sql.Close() })
	w.at("2026-03-10T18:00:00Z") // noon in Mexico City
	dbtest.Company(t, w.store, time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	w.client = dbtest.Client(t, w.store, "Café Ficticio", "cafe@cliente.example")
	if _, err := w.sql.Exec(`INSERT INTO staff (id, email, name, password_hash) OVERRIDING SYSTEM VALUE VALUES (1, 'caja@hospedaje.example', 'Caja', '');
		INSERT INTO login (id, email, password_hash) OVERRIDING SYSTEM VALUE VALUES (1, 'persona@cliente.example', '')`); err != nil {
		t.Fatal(err)
	}
	files := memblob.OpenBucket(nil)
	t.Cleanup(func() { _ = files.Close() })
	w.Service = &billing.Service{Store: w.store, Now: func() time.Time { return *w.now.Load() }, Files: files,
		BaseURL: "https://avisa.example", Secret: []byte("una-clave-de-prueba-de-32-bytes!")}
	return w
}

func (w *world) at(moment string) {
	w.Helper()
	t, err := time.Parse(time.RFC3339, moment)
	if err != nil {
		w.Fatal(err)
	}
	w.now.Store(&t)
}

func (w *world) staff() context.Context {
	return access.With(context.Background(), access.Actor{Kind: access.Staff, Role: access.Billing, Staff: 1})
}

func (w *world) system() context.Context {
	return access.With(context.Background(), access.SystemActor())
}

// login is a person of the client who holds the permissions.
func (w *world) login(permissions ...access.Permission) context.Context {
	return access.With(context.Background(), access.Actor{Kind: access.Login, Login: 1,
		Grants: []access.Grant{{Client: w.client.ID, Permissions: permissions}}})
}

func (w *world) key() string { return "k" + strconv.FormatInt(w.keys.Add(1), 10) }

func line(price string) billing.LineInput {
	return billing.LineInput{Description: "Hospedaje", Quantity: money.Int(1), UnitPrice: money.Must(price)}
}

// input is an invoice with a line of each price, plus IVA 16 %.
func (w *world) input(prices ...string) billing.IssueInput {
	in := billing.IssueInput{ClientID: w.client.ID, DueDate: "2026-03-31", RequestKey: w.key()}
	for _, price := range prices {
		in.Lines = append(in.Lines, line(price))
	}
	return in
}

func (w *world) issue(prices ...string) db.Invoice {
	w.Helper()
	return must(w, func() (db.Invoice, error) { return w.IssueInvoice(w.staff(), w.input(prices...)) })
}

func (w *world) pay(row db.Invoice, amount money.Minor) db.Invoice {
	w.Helper()
	return must(w, func() (db.Invoice, error) {
		return w.RecordPayment(w.staff(), billing.PaymentInput{InvoiceID: row.ID, Amount: amount, Method: "transfer", RequestKey: w.key()})
	})
}

func (w *world) reload(row db.Invoice) db.Invoice {
	w.Helper()
	return must(w, func() (db.Invoice, error) { return w.Invoice(w.staff(), row.ID) })
}

func (w *world) credit() money.Minor {
	w.Helper()
	rows := must(w, func() ([]db.Credit, error) { return w.Credits(w.staff(), w.client.ID) })
	if len(rows) == 0 {
		return 0
	}
	return rows[0].Amount
}

// balanced fails when anything does not add up.
func (w *world) balanced() {
	w.Helper()
	for _, gap := range must(w, func() ([]db.LedgerGap, error) { return w.Store.LedgerGaps(w.Context(), 100) }) {
		w.Errorf("%s %s: %d is stored, %d expected", gap.What, gap.Subject, gap.Stored, gap.Expected)
	}
}

func must[T any](t testing.TB, do func() (T, error)) T {
	t.Helper()
	v, err := do()
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// wrong asserts the code of a fault: that of its field at the path, or its own for an empty path.
func wrong(t testing.TB, err error, path, code string) {
	t.Helper()
	f, ok := fault.As(err)
	if !ok {
		t.Fatalf("got %v, want %s %s", err, path, code)
	}
	if path == "" && f.Code == code {
		return
	}
	for _, field := range f.Fields {
		if field.Path == path && field.Code == code {
			return
		}
	}
	t.Fatalf("got %v, want %s %s", err, path, code)
}

// someClient is the n-th of many ids.
func someClient(n int) id.Client { return id.Client(n*997 + 1) }
