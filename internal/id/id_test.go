package id_test

import (
	"encoding/json"
	"testing"

	"github.com/nubedigitalmx/avisa/internal/id"
)

func TestRoundTrip(t *testing.T) {
	raw, err := json.Marshal(map[string]id.Invoice{"id": 42})
	if err != nil || string(raw) != `{"id":"inv_42"}` {
		t.Fatal(string(raw), err)
	}
	var back struct{ ID id.Invoice }
	if err := json.Unmarshal(raw, &back); err != nil || back.ID != 42 {
		t.Fatal(back, err)
	}
}

func TestMalformed(t *testing.T) {
	for _, text := range []string{"", "42", "inv_", "inv_0", "inv_01", "inv_-1", "inv_+1", "cli_42", "inv_42x", "inv_9223372036854775808", "INV_42", "inv_4 2", "inv_42\n"} {
		if got, err := id.ParseInvoice(text); err == nil {
			t.Errorf("%q was read as %s", text, got)
		}
	}
}
