package mail

import "testing"

// The id is the same in every attempt, and nobody without the key can make it.
func TestID(t *testing.T) {
	key, other := []byte("una llave de 32 bytes para firmar"), []byte("otra llave de 32 bytes para firmar")
	got := ID(key, "reminder.1.2.3", "cobranza@nube.example")
	if got != ID(key, "reminder.1.2.3", "otra@nube.example") || len(got) != len("reminder.1.2.3.")+32+len("@nube.example") || got[:15] != "reminder.1.2.3." {
		t.Errorf("%s", got)
	}
	for _, different := range []string{ID(other, "reminder.1.2.3", "cobranza@nube.example"), ID(key, "reminder.1.2.4", "cobranza@nube.example")} {
		if different[15:] == got[15:] {
			t.Errorf("%s proves as little as %s", different, got)
		}
	}
	if DomainOf("cobranza") != "localhost" || DomainOf("a@b.example") != "b.example" {
		t.Error("domain")
	}
}
