package graph_test

import (
	"fmt"
	"strings"
	"testing"
)

// What an invoice must not be is refused with its code at its field, by each mutation that takes one, and nothing is saved.
func TestBadInvoices(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	count := func() string {
		answer := decodeAnswer(t, w.post("staff", `{ invoices(first: 100) { nodes { id } } aging { total { amount } } }`, nil))
		return fmt.Sprint(answer.Data)
	}
	before := count()
	line := func(change ...any) map[string]any {
		out := map[string]any{"description": "Hospedaje", "quantity": "1", "unitPrice": "1000.00"}
		for i := 0; i+1 < len(change); i += 2 {
			out[change[i].(string)] = change[i+1]
		}
		return out
	}
	for _, c := range []struct {
		name   string
		change map[string]any
		line   map[string]any
		want   string // field: code
	}{
		{"zero quantity", nil, line("quantity", "0"), "lines.0.quantity: QUANTITY_NOT_POSITIVE"},
		{"negative quantity", nil, line("quantity", "-1"), "lines.0.quantity: QUANTITY_NOT_POSITIVE"},
		{"a total that rounds to nothing", nil, line("quantity", "0.001", "unitPrice", "0.01"), "lines.0.quantity: AMOUNT_ROUNDS_TO_ZERO"},
		{"seven decimals", nil, line("quantity", "0.0000001"), "NUMBER_MALFORMED"},
		{"nineteen digits", nil, line("unitPrice", "1234567890123456789"), "AMOUNT_TOO_LARGE"},
		{"nineteen digits by quantity", nil, line("quantity", "999999999", "unitPrice", "999999999"), "lines.0.unitPrice: AMOUNT_OVERFLOW"},
		{"zero total", nil, line("unitPrice", "0"), "total: TOTAL_NOT_POSITIVE"},
		{"negative total", nil, line("unitPrice", "-5"), "total: TOTAL_NOT_POSITIVE"},
		{"discount above the line", nil, line("discount", "1000.01"), "lines.0.discount: DISCOUNT_OUT_OF_RANGE"},
		{"no description", nil, line("description", "  "), "lines.0.description: REQUIRED"},
		{"due before issue", map[string]any{"issueDate": "2026-04-10", "dueDate": "2026-04-09"}, line(), "dueDate: DATE_ORDER"},
		{"no lines", map[string]any{"lines": []any{}}, nil, "lines: DOCUMENT_EMPTY"},
		{"another's client", map[string]any{"clientId": "cli_99"}, line(), "clientId: NOT_FOUND"},
	} {
		in := map[string]any{"clientId": "cli_1", "dueDate": "2026-05-01"}
		if c.line != nil {
			in["lines"] = []any{c.line}
		}
		for name, value := range c.change {
			in[name] = value
		}
		for verb, document := range map[string]string{
			"issueInvoice":     `mutation($in: IssueInvoiceInput!) { issueInvoice(input: $in) { invoice { id } userErrors { field code } } }`,
			"saveDraftInvoice": `mutation($in: IssueInvoiceInput!) { saveDraftInvoice(input: {invoice: $in}) { invoice { id } userErrors { field code } } }`,
		} {
			answer := decodeAnswer(t, w.post("staff", document, map[string]any{"in": in}))
			got := answer.codes()
			if payload, ok := answer.Data[verb].(map[string]any); ok {
				if payload["invoice"] != nil {
					t.Errorf("%s, %s: saved", c.name, verb)
				}
				var all []string
				for _, e := range payload["userErrors"].([]any) {
					e := e.(map[string]any)
					var path []string
					for _, part := range e["field"].([]any) {
						path = append(path, fmt.Sprint(part))
					}
					all = append(all, strings.TrimPrefix(strings.Join(path, "."), "invoice.")+": "+fmt.Sprint(e["code"]))
				}
				got = strings.Join(all, ", ")
			}
			if got != c.want {
				t.Errorf("%s, %s: %q, want %q", c.name, verb, got, c.want)
			}
		}
	}
	if after := count(); after != before {
		t.Errorf("something was saved: %s, was %s", after, before)
	}
}
