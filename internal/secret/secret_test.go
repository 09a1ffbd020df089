package secret

import (
	"bytes"
	"testing"

	"pgregory.net/rapid"
)

func box(t interface{ Fatal(...any) }, key string) *Box {
	b, err := New(key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const keyA, keyB = "una llave de prueba de más de 32 bytes", "otra llave de prueba de más de 32 bytes"

func TestSealOpens(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		plain := rapid.SliceOf(rapid.Byte()).Draw(r, "plain")
		who := rapid.String().Draw(r, "who")
		b := box(r, keyA)
		sealed := b.Seal(plain, "totp", who)
		if got, err := b.Open(sealed, "totp", who); err != nil || !bytes.Equal(got, plain) {
			r.Fatalf("open: %v", err)
		}
		for name, open := range map[string]func() ([]byte, error){
			"another person":  func() ([]byte, error) { return b.Open(sealed, "totp", who+"x") },
			"another purpose": func() ([]byte, error) { return b.Open(sealed, "passkey", who) },
			"another key":     func() ([]byte, error) { return box(r, keyB).Open(sealed, "totp", who) },
			"damaged": func() ([]byte, error) {
				bad := bytes.Clone(sealed)
				bad[len(bad)-1] ^= 1
				return b.Open(bad, "totp", who)
			},
			"cut": func() ([]byte, error) { return b.Open(sealed[:len(sealed)/2], "totp", who) },
		} {
			if _, err := open(); err == nil {
				r.Fatalf("%s opens it", name)
			}
		}
	})
}

func TestTokensDiffer(t *testing.T) {
	a, b := box(t, keyA), box(t, keyB)
	if first := a.Token("x", "1"); first != a.Token("x", "1") {
		t.Error("the same parts give different tokens")
	}
	for name, other := range map[string]string{"key": b.Token("x", "1"), "part": a.Token("x", "2"), "split": a.Token("x1"), "other split": a.Token("", "x", "1")} {
		if other == a.Token("x", "1") {
			t.Errorf("%s: same token", name)
		}
	}
}

func TestShortKeysAreRefused(t *testing.T) {
	if _, err := New("corta"); err == nil {
		t.Error("a short key was taken")
	}
}

// With an earlier key beside the new one, nothing that the earlier one made is lost; sealed anew, it needs the
// earlier one no more.
func TestEarlierKeys(t *testing.T) {
	rapid.Check(t, func(r *rapid.T) {
		plain := rapid.SliceOf(rapid.Byte()).Draw(r, "plain")
		who := rapid.String().Draw(r, "who")
		old, fresh := box(r, keyA), box(r, keyB)
		both, err := New(keyB, keyA)
		if err != nil {
			r.Fatal(err)
		}
		sealed := old.Seal(plain, "totp", who)
		if got, err := both.Open(sealed, "totp", who); err != nil || !bytes.Equal(got, plain) {
			r.Fatalf("the earlier key's: %v", err)
		}
		again, changed, err := both.Reseal(sealed, "totp", who)
		if err != nil || !changed {
			r.Fatalf("sealed anew: %t %v", changed, err)
		}
		if got, err := fresh.Open(again, "totp", who); err != nil || !bytes.Equal(got, plain) {
			r.Fatalf("without the earlier key: %v", err)
		}
		if _, changed, err := both.Reseal(again, "totp", who); err != nil || changed {
			r.Fatalf("sealed anew twice: %t %v", changed, err)
		}
		if _, _, err := both.Reseal(sealed, "totp", who+"x"); err == nil {
			r.Fatal("sealed anew for another person")
		}
		if macs := both.MACs("a", who); len(macs) != 2 || !bytes.Equal(macs[0], fresh.MAC("a", who)) || !bytes.Equal(macs[1], old.MAC("a", who)) {
			r.Fatalf("%x", macs)
		}
		if both.Token("a", who) != fresh.Token("a", who) || both.Tokens("a", who)[1] != old.Token("a", who) {
			r.Fatal("tokens are of the wrong key")
		}
		if both.ID() != fresh.ID() || both.ID() == old.ID() {
			r.Fatal("the id is not the current key's")
		}
	})
	if _, err := New(keyA, "corta"); err == nil {
		t.Error("a short earlier key was taken")
	}
}
