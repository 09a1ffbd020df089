package db_test

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fault"
)

var everything = access.Reach{All: true}

// Processes of a new version may all start at once: one migrates, the others wait, none fails.
func TestMigrateConcurrently(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if names, err := store.Migrate(t.Context()); err != nil || len(names) != 0 {
				t.Errorf("%v, %v", names, err)
			}
		})
	}
	group.Wait()
}

func TestOpenHidesPassword(t *testing.T) {
	t.Parallel()
	for _, dsn := range []string{"postgres://u:hunter2@127.0.0.1:1/x?sslmode=disable&connect_timeout=1", "postgres://u:hunter2@:::/x", "nonsense hunter2"} {
		if _, err := db.Open(t.Context(), dsn, 1); err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%v", err)
		}
	}
}

// A server that is too old is named with its version, at an address of one's own as well as in the demo.
func TestOpenOldServer(t *testing.T) {
	t.Parallel()
	address := dbtest.URL(t)
	dbtest.Exec(t, address, "CREATE SCHEMA old", "CREATE FUNCTION old.current_setting(text) RETURNS text LANGUAGE sql AS $$ SELECT '140012' $$")
	at, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	query := at.Query()
	query.Set("search_path", "old,pg_catalog")
	at.RawQuery = query.Encode()
	store, err := db.Open(t.Context(), at.String(), 1)
	if err == nil {
		_ = store.Close()
	}
	if err == nil || err.Error() != "PostgreSQL 15 or newer is needed, this is 14.12" {
		t.Error(err)
	}
}

func TestSecretIsNeverShown(t *testing.T) {
	login := db.Login{Email: "a@b.example", PasswordHash: "hunter2"}
	asJSON, _ := json.Marshal(login)
	for _, shown := range []string{fmt.Sprint(login), fmt.Sprintf("%+v", login), fmt.Sprintf("%#v", login), fmt.Sprintf("%q", login.PasswordHash), string(asJSON)} {
		if strings.Contains(shown, "hunter2") {
			t.Error(shown)
		}
	}
}

func TestForgedCursors(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	for _, text := range []string{`["a\u0000",1]`, `["x",1]`, `["2026-02-30",1]`, `[null,null]`, `[]`, `{}`, `["2026-01-01"]`, `["2026-01-01","1; DROP TABLE client"]`, `["2026-01-01",99999999999999999999]`, "\xff"} {
		page := db.Page{After: base64.RawURLEncoding.EncodeToString([]byte(text))}
		_, errInvoices := store.Invoices(t.Context(), db.InvoiceFilter{Reach: everything}, page)
		_, errContacts := store.Contacts(t.Context(), 1, page)
		_, errDeliveries := store.Deliveries(t.Context(), db.DeliveryFilter{Reach: everything}, page)
		for _, err := range []error{errInvoices, errContacts, errDeliveries} {
			if !fault.Is(err, fault.Invalid) {
				t.Errorf("%s: %v", text, err)
			}
		}
		if _, err := store.Clients(t.Context(), db.ClientFilter{Reach: everything}, page); err != nil && !fault.Is(err, fault.Invalid) {
			t.Errorf("clients %s: %v", text, err)
		}
	}
}

func TestPagesAreComplete(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	client := dbtest.Client(t, store, "Cliente", "a@b.example")
	for range 25 {
		dbtest.Invoice(t, store, client, "2026-03-01", "2026-03-20", time.Now())
	}
	seen := map[string]bool{}
	page := db.Page{First: 10}
	for {
		list, err := store.Invoices(t.Context(), db.InvoiceFilter{Reach: everything}, page)
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range list.Rows {
			seen[row.Number] = true
			if row.Balance != 11600 {
				t.Fatalf("balance %d of %s", row.Balance, row.Number)
			}
		}
		if page.After = list.Next(); page.After == "" {
			break
		}
	}
	if len(seen) != 25 {
		t.Fatalf("%d of 25 invoices over all pages", len(seen))
	}
}

type job struct {
	Name string `json:"name"`
}

func (job) Kind() string  { return "test" }
func (j job) Key() string { return j.Name }

// A job is handed out once per lease, one row per key, and only its end removes it.
func TestOutbox(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	for _, name := range []string{"one", "one", "two"} {
		if err := store.Enqueue(t.Context(), job{name}); err != nil {
			t.Fatal(err)
		}
	}
	take := func(lease time.Duration) []db.OutboxRow {
		rows, err := store.TakeJobs(t.Context(), 10, lease)
		if err != nil {
			t.Fatal(err)
		}
		return rows
	}
	first := take(0)
	if len(first) != 2 {
		t.Fatalf("%d jobs, want 2", len(first))
	}
	if again := take(time.Minute); len(again) != 2 || again[0].Attempts != 2 {
		t.Fatalf("a lost lease: %+v", again)
	}
	if len(take(time.Minute)) != 0 {
		t.Fatal("handed out twice within a lease")
	}
	if err := store.FinishJob(t.Context(), first[0].ID); err != nil {
		t.Fatal(err)
	}
	if _, found, err := store.BeginJob(t.Context(), first[0].ID, time.Minute); found || err != nil {
		t.Fatal(found, err)
	}
	// Whoever is at it holds it for a short time only, and for as long as it says that it is.
	if row, found, err := store.BeginJob(t.Context(), first[1].ID, 0); !found || err != nil || row.Kind != "test" {
		t.Fatalf("%+v, %t, %v", row, found, err)
	}
	if err := store.HoldJob(t.Context(), first[1].ID, time.Minute); err != nil || len(take(0)) != 0 {
		t.Fatal("handed out while it was held", err)
	}
	if err := store.HoldJob(t.Context(), first[1].ID, 0); err != nil || len(take(0)) != 1 {
		t.Fatal("not handed out after it was let go", err)
	}
}

// A failed transaction leaves no gap in the numbers.
func TestFoliosHaveNoGaps(t *testing.T) {
	t.Parallel()
	store := dbtest.New(t)
	var group sync.WaitGroup
	for i := range 40 {
		group.Go(func() {
			_ = store.InTx(t.Context(), func(tx *db.Store) error {
				if _, err := tx.NextFolio(t.Context(), "F"); err != nil {
					return err
				}
				if i%2 == 0 {
					return fmt.Errorf("no")
				}
				return nil
			})
		})
	}
	group.Wait()
	if next, err := store.NextFolio(t.Context(), "F"); err != nil || next != 21 {
		t.Fatalf("folio %d after 20 invoices, %v", next, err)
	}
}
