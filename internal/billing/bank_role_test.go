package billing_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/billing"
)

// A bank statement is imported with the rights of the web server alone, where temporary tables are everybody's no more.
func TestStatementAsWeb(t *testing.T) {
	w := newWorld(t)
	row := w.issue("100")
	address, err := url.Parse(w.address)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.sql.Exec("REVOKE TEMPORARY ON DATABASE " + strings.TrimPrefix(address.Path, "/") + " FROM PUBLIC"); err != nil {
		t.Fatal(err)
	}
	web, err := db.Open(t.Context(), w.address, 2, db.WithRole(db.RoleWeb))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = web.Close() })
	bills := *w.Service
	bills.Store = web
	file := "date,amount,description\n2026-03-05,116.00,FACTURA " + row.Number + "\n"
	if _, err := bills.ImportStatement(w.staff(), strings.NewReader(file)); err == nil || !strings.Contains(err.Error(), "permission denied") {
		t.Fatalf("without the right: %v", err)
	}
	if _, err := w.store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := must(t, func() (billing.StatementResult, error) {
		return bills.ImportStatement(w.staff(), strings.NewReader(file))
	})
	if got.Added != 1 || got.Errors != 0 {
		t.Fatalf("%+v", got)
	}
	var tables int
	if err := w.sql.QueryRow("SELECT count(*) FROM pg_class WHERE relpersistence = 't'").Scan(&tables); err != nil || tables != 0 {
		t.Errorf("%d temporary tables are left, %v", tables, err)
	}
}
