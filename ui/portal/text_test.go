package portal

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/date"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// Every text that a page of the client area or its frame names exists.
func TestTextsExist(t *testing.T) {
	own, shared := regexp.MustCompile(`\bt\((?:ctx|r\.Context\(\)), "([^"]+)"[,)]`), regexp.MustCompile(`\bT\(ctx, "([^"]+)"[,)]`)
	var keys []string
	for _, folder := range []string{".", "../layout", "../component", ".."} {
		files, _ := filepath.Glob(folder + "/*")
		for _, file := range files {
			if ext := filepath.Ext(file); ext != ".templ" && ext != ".go" || strings.HasSuffix(file, "_templ.go") || strings.HasSuffix(file, "_test.go") {
				continue
			}
			source, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if folder == "." {
				for _, match := range own.FindAllSubmatch(source, -1) {
					keys = append(keys, "portal."+string(match[1]))
				}
			}
			for _, match := range shared.FindAllSubmatch(source, -1) {
				keys = append(keys, string(match[1]))
			}
		}
	}
	if len(keys) < 100 {
		t.Fatalf("only %d texts found: the search is broken", len(keys))
	}
	for _, status := range invoiceTabs {
		keys = append(keys, "portal."+emptyKey(status)+".title", "portal."+emptyKey(status)+".text")
		if status != "" {
			keys = append(keys, "portal.invoices.tab."+status)
		}
	}
	for _, state := range []string{db.InvoiceIssued, db.InvoicePartlyPaid, db.InvoicePaid, db.InvoiceCancelled, db.InvoiceWrittenOff, db.InvoiceOverdue} {
		keys = append(keys, "common.invoice."+state)
	}
	for _, state := range []string{db.DeliveryPlanned, db.DeliveryQueued, db.DeliverySending, db.DeliverySent, db.DeliveryFailed, db.DeliverySkipped, db.DeliveryCancelled, db.DeliveryBounced} {
		keys = append(keys, "common.delivery."+state)
	}
	for _, state := range []string{db.SubAccountActive, db.SubAccountInvited, db.SubAccountSuspended, "expired", "none"} {
		keys = append(keys, "common.access."+state, "common.access.all."+state)
	}
	for _, topic := range mail.Topics() {
		keys = append(keys, "portal.topic."+string(topic))
	}
	for _, field := range order {
		keys = append(keys, "portal.field."+field)
	}
	for _, preset := range access.Presets() {
		keys = append(keys, "access.preset."+preset.Key)
	}
	for _, anchor := range []string{db.AnchorIssue, db.AnchorDue} {
		for _, suffix := range []string{"", ".before", ".before.one", ".after", ".after.one"} {
			keys = append(keys, "portal.step."+anchor+suffix)
		}
	}
	for _, method := range []string{"transfer", "cash", "card", "cheque"} {
		keys = append(keys, "portal.method."+method)
	}
	for _, key := range keys {
		if !locale.Has(key) {
			t.Errorf("no text %q", key)
		}
	}
}

func TestDueText(t *testing.T) {
	const today = date.Date("2026-04-29")
	for _, test := range []struct {
		status, want string
		due          date.Date
	}{
		{db.InvoiceIssued, "Vence hoy, 29 abr 2026", "2026-04-29"},
		{db.InvoiceIssued, "Vence mañana, 30 abr 2026", "2026-04-30"},
		{db.InvoiceIssued, "Vence en 14 días, el 13 may 2026", "2026-05-13"},
		{db.InvoiceIssued, "Vence el 14 may 2026", "2026-05-14"},
		{db.InvoicePartlyPaid, "Venció ayer, 28 abr 2026", "2026-04-28"},
		{db.InvoiceIssued, "Venció hace 2 días, el 27 abr 2026", "2026-04-27"},
		{db.InvoicePaid, "Vencimiento: 27 abr 2026", "2026-04-27"},
	} {
		if got := dueText(t.Context(), db.Invoice{Status: test.status, DueDate: test.due, Balance: 1}, today); got != test.want {
			t.Errorf("%s due %s: %q, want %q", test.status, test.due, got, test.want)
		}
	}
}

func TestInitials(t *testing.T) {
	for name, want := range map[string]string{
		"Contabilidad de Muestra": "CM", "ana": "A", "María del Carmen Ruiz": "MC", "ángel núñez": "ÁN", "<b> x": "X", "": "", "3M México": "3M", "cobranza@x.example": "C",
	} {
		if got := initials(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
