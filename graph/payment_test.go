package graph_test

import (
	"context"
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/stripe"
	"github.com/nubedigitalmx/avisa/internal/stripe/sandbox"
)

// A payment by card through the API, with the sandbox of Stripe behind it over HTTP.
func TestCheckout(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cashier := sandbox.New(sandbox.Config{PageURL: "https://pasarela.example", Now: now})
	api := httptest.NewServer(cashier.API())
	t.Cleanup(api.Close)
	gateway, err := stripe.New(stripe.Config{Key: sandbox.Key, WebhookSecret: "whsec_x", URL: api.URL})
	w.must(err)
	w.billing.Gateway, w.billing.BaseURL = gateway, "https://avisa.example"
	const start = `mutation { startCheckout(input: {invoiceIds: ["inv_1", "inv_2"]}) { checkout { id status url amount { amount } invoices { number } } userErrors { code } } }`
	payload := decodeAnswer(t, w.post("accountant", start, nil)).Data["startCheckout"].(map[string]any)
	row, ok := payload["checkout"].(map[string]any)
	if !ok {
		t.Fatal(payload)
	}
	url := fmt.Sprint(row["url"])
	if !strings.HasPrefix(url, "https://pasarela.example/cs_test_") || row["status"] != "OPEN" || fmt.Sprint(row["amount"]) != "map[amount:1450.58]" ||
		fmt.Sprint(row["invoices"]) != "[map[number:F-1] map[number:F-2]]" {
		t.Fatal(row)
	}
	ref := strings.TrimPrefix(url, "https://pasarela.example/")
	session, _ := cashier.Session(ref)
	if want := fmt.Sprintf("https://avisa.example/clientes/cli_1/pagar/%s", row["id"]); session.SuccessURL != want {
		t.Errorf("comes back to %s, want %s", session.SuccessURL, want)
	}
	if again := decodeAnswer(t, w.post("owner", start, nil)).Data["startCheckout"].(map[string]any)["checkout"].(map[string]any); again["id"] != row["id"] {
		t.Errorf("two pages: %v and %v", row, again)
	}
	cashier.Finish(ref, "paid")
	w.must(w.billing.ReviewCheckouts(access.With(context.Background(), access.SystemActor())))
	query := fmt.Sprintf(`{ checkout(id: "%s") { status } }`, row["id"])
	for actor, want := range map[string]string{"stranger": "NOT_FOUND", "assistant": "PERMISSION_REQUIRED", "anonymous": "UNAUTHENTICATED"} {
		if got := decodeAnswer(t, w.post(actor, query, nil)); got.codes() != want {
			t.Errorf("%s: %s", actor, got.codes())
		}
	}
}

// A list with everything that hangs on its invoices stays within the limit of cost.
func TestInvoiceListWithAll(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for n := range 30 {
		w.invoice(1, "2026-04-01", "2026-04-30", fmt.Sprint(n+1))
	}
	got := decodeAnswer(t, w.post("owner", `{ invoices(first: 30) { totals { count } nodes { number payUrl transferInstructions { reference } payments { id } creditNotes { id } lines { id } client { name } } } }`, nil))
	if len(got.Errors) > 0 || len(got.Data["invoices"].(map[string]any)["nodes"].([]any)) != 30 {
		t.Fatal(got.codes())
	}
}
