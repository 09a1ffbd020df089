package account_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/fault"
)

// authenticator is a browser with one passkey (Web Authentication Level 3, sections 6.1 and 6.5.4; "none"
// attestation).
type authenticator struct {
	key     *ecdsa.PrivateKey
	id      []byte
	origin  string
	rp      string
	counter uint32
}

func newAuthenticator(t *testing.T) *authenticator {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	id := make([]byte, 32)
	_, _ = rand.Read(id)
	return &authenticator{key: key, id: id, origin: "https://avisa.example", rp: "avisa.example", counter: 1}
}

func b64(raw []byte) string { return base64.RawURLEncoding.EncodeToString(raw) }

func (a *authenticator) clientData(t *testing.T, kind string, options json.RawMessage) []byte {
	var o struct {
		PublicKey struct{ Challenge string } `json:"publicKey"`
	}
	if err := json.Unmarshal(options, &o); err != nil || o.PublicKey.Challenge == "" {
		t.Fatalf("options %s: %v", options, err)
	}
	raw, _ := json.Marshal(map[string]any{"type": kind, "challenge": o.PublicKey.Challenge, "origin": a.origin, "crossOrigin": false})
	return raw
}

func (a *authenticator) authData(flags byte) []byte {
	hash := sha256.Sum256([]byte(a.rp))
	return binary.BigEndian.AppendUint32(append(hash[:], flags), a.counter)
}

func (a *authenticator) create(t *testing.T, options json.RawMessage) json.RawMessage {
	point, err := a.key.PublicKey.Bytes() // 4, x, y
	if err != nil {
		t.Fatal(err)
	}
	cose, err := cbor.Marshal(map[int]any{1: 2, 3: -7, -1: 1, -2: point[1:33], -3: point[33:]})
	if err != nil {
		t.Fatal(err)
	}
	data := append(a.authData(0x45), make([]byte, 16)...)
	data = append(binary.BigEndian.AppendUint16(data, uint16(len(a.id))), a.id...)
	data = append(data, cose...)
	object, err := cbor.Marshal(map[string]any{"fmt": "none", "attStmt": map[string]any{}, "authData": data})
	if err != nil {
		t.Fatal(err)
	}
	return a.credential(map[string]string{"clientDataJSON": b64(a.clientData(t, "webauthn.create", options)), "attestationObject": b64(object)})
}

func (a *authenticator) get(t *testing.T, options json.RawMessage) json.RawMessage {
	a.counter++
	client, data := a.clientData(t, "webauthn.get", options), a.authData(0x05)
	hash := sha256.Sum256(client)
	digest := sha256.Sum256(append(slices.Clone(data), hash[:]...))
	signature, err := ecdsa.SignASN1(rand.Reader, a.key, digest[:])
	if err != nil {
		t.Fatal(err)
	}
	return a.credential(map[string]string{"clientDataJSON": b64(client), "authenticatorData": b64(data), "signature": b64(signature)})
}

func (a *authenticator) credential(response map[string]string) json.RawMessage {
	raw, _ := json.Marshal(map[string]any{"id": b64(a.id), "rawId": b64(a.id), "type": "public-key", "response": response})
	return raw
}

// withPasskey adds a passkey for the actor.
func (w *world) withPasskey(ctx context.Context) (*authenticator, account.FactorAdded) {
	w.Helper()
	key := newAuthenticator(w.T)
	challenge, err := w.BeginPasskey(ctx, password)
	if err != nil {
		w.Fatal(err)
	}
	added, err := w.AddPasskey(ctx, account.AddPasskeyInput{Ceremony: challenge.Ceremony, Name: "Llave", Response: key.create(w.T, challenge.Options)})
	if err != nil {
		w.Fatal(err)
	}
	return key, added
}

func TestPasskey(t *testing.T) {
	w := newWorld(t)
	key, added := w.withPasskey(w.as("dueno@uno.example", password))
	if len(added.RecoveryCodes) != 10 {
		t.Fatal("no recovery codes with the first factor")
	}
	waiting := w.pendingFor("dueno@uno.example")
	if !slices.Equal(waiting.Factors, []account.Factor{account.FactorPasskey, account.FactorRecovery}) {
		t.Fatal(waiting.Factors)
	}
	challenge, err := w.BeginPasskeySignIn(t.Context(), waiting.Pending)
	if err != nil {
		t.Fatal(err)
	}
	answer := key.get(t, challenge.Options)
	signed, err := w.FinishPasskeySignIn(t.Context(), waiting.Pending, answer, "")
	if err != nil {
		t.Fatal(err)
	}
	status, err := w.Factors(w.token(signed.Token))
	if err != nil || !status.Proved || len(status.Passkeys) != 1 || status.Passkeys[0].LastUsedAt == nil {
		t.Fatalf("%+v, %v", status, err)
	}
	if _, err := w.FinishPasskeySignIn(t.Context(), waiting.Pending, answer, ""); codes(err) != "SIGN_IN_AGAIN" {
		t.Fatalf("the answer again: %v", err)
	}
	if _, err := w.RemovePasskey(w.token(signed.Token), status.Passkeys[0].ID, password); err != nil {
		t.Fatal(err)
	}
	w.as("dueno@uno.example", password) // no second step any more
}

func TestPasskeyRefuses(t *testing.T) {
	for name, c := range map[string]func(w *world, key *authenticator, options json.RawMessage) json.RawMessage{
		"another origin": func(w *world, key *authenticator, o json.RawMessage) json.RawMessage {
			key.origin = "https://avisa.example.attacker.example"
			return key.get(w.T, o)
		},
		"another relying party": func(w *world, key *authenticator, o json.RawMessage) json.RawMessage {
			key.rp = "attacker.example"
			return key.get(w.T, o)
		},
		"another key": func(w *world, key *authenticator, o json.RawMessage) json.RawMessage {
			key.key = newAuthenticator(w.T).key
			return key.get(w.T, o)
		},
		"unknown credential": func(w *world, _ *authenticator, o json.RawMessage) json.RawMessage {
			return newAuthenticator(w.T).get(w.T, o)
		},
		"old challenge": func(w *world, key *authenticator, _ json.RawMessage) json.RawMessage {
			old, err := w.BeginPasskeySignIn(w.Context(), w.pendingFor("dueno@uno.example").Pending)
			if err != nil {
				w.Fatal(err)
			}
			return key.get(w.T, old.Options)
		},
		"counter went back": func(w *world, key *authenticator, o json.RawMessage) json.RawMessage {
			key.counter = 3
			return key.get(w.T, o)
		},
		"no JSON": func(*world, *authenticator, json.RawMessage) json.RawMessage { return json.RawMessage(`{"id":`) },
		"empty":   func(*world, *authenticator, json.RawMessage) json.RawMessage { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ctx := w.as("dueno@uno.example", password)
			key := newAuthenticator(t)
			key.counter = 9
			challenge, err := w.BeginPasskey(ctx, password)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.AddPasskey(ctx, account.AddPasskeyInput{Ceremony: challenge.Ceremony, Name: "Llave", Response: key.create(t, challenge.Options)}); err != nil {
				t.Fatal(err)
			}
			waiting := w.pendingFor("dueno@uno.example")
			asked, err := w.BeginPasskeySignIn(t.Context(), waiting.Pending)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := w.FinishPasskeySignIn(t.Context(), waiting.Pending, c(w, key, asked.Options), ""); codes(err) != "PASSKEY_REFUSED" {
				t.Fatalf("%v", err)
			}
		})
	}
}

func TestAddingAPasskeyRefuses(t *testing.T) {
	w := newWorld(t)
	ctx, other := w.as("dueno@uno.example", password), w.as("dueno@dos.example", password)
	challenge, err := w.BeginPasskey(ctx, password)
	if err != nil {
		t.Fatal(err)
	}
	key := newAuthenticator(t)
	in := account.AddPasskeyInput{Ceremony: challenge.Ceremony, Name: "Llave", Response: key.create(t, challenge.Options)}
	if _, err := w.AddPasskey(ctx, account.AddPasskeyInput{Ceremony: in.Ceremony, Name: "a\nb", Response: in.Response}); codes(err) != "name:CONTROL_CHARACTERS" {
		t.Fatal(codes(err))
	}
	if _, err := w.AddPasskey(other, in); codes(err) != "PASSKEY_REFUSED" {
		t.Fatalf("somebody else's ceremony: %v", err)
	}
	if _, err := w.AddPasskey(ctx, in); codes(err) != "PASSKEY_REFUSED" {
		t.Fatalf("a ceremony that was tried: %v", err)
	}
	if challenge, err = w.BeginPasskey(ctx, password); err != nil {
		t.Fatal(err)
	}
	w.clock = w.clock.Add(11 * time.Minute)
	in = account.AddPasskeyInput{Ceremony: challenge.Ceremony, Name: "Llave", Response: key.create(t, challenge.Options)}
	if _, err := w.AddPasskey(ctx, in); codes(err) != "PASSKEY_REFUSED" {
		t.Fatalf("too late: %v", err)
	}
	// A session that has proved nothing adds no second factor beside the first.
	proved := w.token(func() string { _, added := w.withPasskey(ctx); return added.Token }())
	if _, err := w.BeginPasskey(proved, password); err != nil {
		t.Fatal(err)
	}
	stolen := access.From(proved)
	stolen.Session = 0
	if _, err := w.BeginPasskey(access.With(t.Context(), stolen), password); codes(err) != "SECOND_FACTOR_REQUIRED" {
		t.Fatal(codes(err))
	}
	if _, err := w.BeginPasskey(t.Context(), password); !fault.Is(err, fault.Unauthenticated) {
		t.Fatal(err)
	}
}
