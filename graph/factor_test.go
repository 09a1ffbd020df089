package graph_test

import (
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/nubedigitalmx/avisa/db"
)

// ask makes a request that must be answered, and returns its first field. A token it gives is kept for
// the actor "token".
func (w *world) ask(actor, query string, variables map[string]any) map[string]any {
	w.t.Helper()
	rec := w.post(actor, query, variables)
	a := decodeAnswer(w.t, rec)
	for _, payload := range a.Data {
		if payload, ok := payload.(map[string]any); ok && len(a.Errors) == 0 {
			if token, ok := payload["token"].(string); ok {
				w.token = token
			}
			return payload
		}
	}
	w.t.Fatalf("%s: %s", query, rec.Body)
	return nil
}

// refused is the code of a payload's first user error, "" when there is none.
func refused(payload map[string]any) string {
	list, _ := payload["userErrors"].([]any)
	if len(list) == 0 {
		return ""
	}
	code, _ := list[0].(map[string]any)["code"].(string)
	return code
}

// wants fails when a payload was not refused with the code, "" for not refused.
func (w *world) wants(payload map[string]any, code string) map[string]any {
	w.t.Helper()
	if got := refused(payload); got != code {
		w.t.Fatalf("refused with %q, want %q: %v", got, code, payload)
	}
	return payload
}

const (
	signInQuery      = `mutation ($email: String!, $staff: Boolean!) { signIn(input: {email: $email, password: "` + password + `", staff: $staff}) { token pending factors userErrors { code } } }`
	beginTotpQuery   = `mutation ($p: String!) { beginTotp(input: {password: $p}) { secret url userErrors { code } } }`
	confirmTotpQuery = `mutation ($c: String!) { confirmTotp(input: {code: $c}) { token expiresAt recoveryCodes userErrors { code } } }`
	proveQuery       = `mutation ($pending: String!, $factor: SecondFactor!, $c: String!) { proveFactor(input: {pending: $pending, factor: $factor, code: $c}) { token userErrors { code } } }`
	factorsQuery     = `{ secondFactors { totp passkeys { id name } recoveryCodes proved required } }`
)

// A second factor from its secret to its end through the API alone, for people of clients and of the
// company: each code is good once, and each step gives the session a new token.
func TestSecondFactor(t *testing.T) {
	t.Parallel()
	for name, staff := range map[string]bool{"login": false, "staff": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			clock := now()
			w.account.Now = func() time.Time { return clock }
			who := map[string]any{"email": "duena@laespiga.example", "staff": staff}
			if staff {
				who["email"] = w.staff.Email
			}
			w.wants(w.ask("anonymous", signInQuery, who), "")
			before := w.token
			w.wants(w.ask("token", beginTotpQuery, map[string]any{"p": "otra cosa"}), "PASSWORD_WRONG")
			begun := w.wants(w.ask("token", beginTotpQuery, map[string]any{"p": password}), "")
			key, _ := begun["secret"].(string)
			if url, _ := begun["url"].(string); !strings.HasPrefix(url, "otpauth://totp/Nube%20Clara:") || !strings.Contains(url, key) {
				t.Fatalf("%v", begun)
			}
			code := func() string {
				text, err := totp.GenerateCode(key, clock)
				w.must(err)
				return text
			}
			w.wants(w.ask("token", confirmTotpQuery, map[string]any{"c": "000000"}), "CODE_WRONG")
			added := w.wants(w.ask("token", confirmTotpQuery, map[string]any{"c": code()}), "")
			recovery, _ := added["recoveryCodes"].([]any)
			if len(recovery) != 10 || w.token == before {
				t.Fatalf("%v", added)
			}
			if _, err := w.account.Authenticate(t.Context(), before); err == nil {
				t.Error("the token of before the factor still works")
			}
			if f := w.ask("token", factorsQuery, nil); f["totp"] != true || f["proved"] != true || f["recoveryCodes"] != float64(10) {
				t.Errorf("%v", f)
			}
			w.wants(w.ask("token", beginTotpQuery, map[string]any{"p": password}), "TOTP_EXISTS")

			pending := func() string {
				signed := w.wants(w.ask("anonymous", signInQuery, who), "")
				if signed["token"] != nil {
					t.Fatalf("signed in without the second factor: %v", signed)
				}
				return signed["pending"].(string)
			}
			prove := func(pending, factor, code, want string) {
				t.Helper()
				w.wants(w.ask("anonymous", proveQuery, map[string]any{"pending": pending, "factor": factor, "c": code}), want)
			}
			waiting := pending()
			prove(waiting, "TOTP", code(), "CODE_WRONG") // it confirmed the factor: used up
			prove(waiting, "RECOVERY", "aaaa-bbbb-cccc", "CODE_WRONG")
			prove(waiting, "PASSKEY", code(), "CODE_WRONG")
			clock = clock.Add(time.Minute)
			prove("nothing-like-a-pending-token", "TOTP", code(), "SIGN_IN_AGAIN")
			prove(waiting, "TOTP", code(), "")
			prove(waiting, "TOTP", code(), "SIGN_IN_AGAIN") // a pending sign-in is good once
			prove(pending(), "TOTP", code(), "CODE_WRONG")  // replayed in another sign-in
			prove(pending(), "RECOVERY", recovery[0].(string), "")
			prove(pending(), "RECOVERY", recovery[0].(string), "CODE_WRONG")

			clock = clock.Add(2 * time.Minute)
			const renew = `mutation ($p: String!) { renewRecoveryCodes(input: {password: $p}) { recoveryCodes userErrors { code } } }`
			if fresh := w.wants(w.ask("token", renew, map[string]any{"p": password}), ""); len(fresh["recoveryCodes"].([]any)) != 10 {
				t.Errorf("%v", fresh)
			}
			prove(pending(), "RECOVERY", recovery[1].(string), "CODE_WRONG")
			const remove = `mutation ($p: String!) { removeTotp(input: {password: $p}) { token userErrors { code } } }`
			w.wants(w.ask("token", remove, map[string]any{"p": password}), "")
			w.wants(w.ask("token", remove, map[string]any{"p": password}), "NOT_FOUND")
			if signed := w.wants(w.ask("anonymous", signInQuery, who), ""); signed["token"] == nil {
				t.Errorf("%v", signed)
			}
			if w.log.Len() > 0 {
				t.Errorf("logged: %s", w.log)
			}
		})
	}
}

// Passkeys are made in a browser; the API begins, names and removes them, each person's own alone.
func TestPasskeysOfOneself(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	row := db.Passkey{LoginID: w.logins["owner"], CredentialID: []byte("credencial"), Name: "Llavero", Credential: []byte(`{}`)}
	w.must(w.store.AddPasskey(t.Context(), &row))
	const rename = `mutation ($id: ID!, $n: String!) { renamePasskey(input: {passkeyId: $id, name: $n}) { passkey { name } userErrors { field code } } }`
	const remove = `mutation ($id: ID!) { removePasskey(input: {passkeyId: $id, password: "` + password + `"}) { token userErrors { code } } }`
	key := row.ID.String()
	w.wants(w.ask("stranger", rename, map[string]any{"id": key, "n": "Mía"}), "NOT_FOUND")
	w.wants(w.ask("stranger", remove, map[string]any{"id": key}), "NOT_FOUND")
	w.wants(w.ask("owner", rename, map[string]any{"id": key, "n": "Mía\nBcc: x"}), "CONTROL_CHARACTERS")
	w.wants(w.ask("owner", rename, map[string]any{"id": key, "n": " "}), "REQUIRED")
	w.wants(w.ask("owner", rename, map[string]any{"id": "psk_999", "n": "Mía"}), "NOT_FOUND")
	if got := w.wants(w.ask("owner", rename, map[string]any{"id": key, "n": " Llave azul "}), ""); got["passkey"].(map[string]any)["name"] != "Llave azul" {
		t.Errorf("%v", got)
	}
	// With a factor there, a session that has not proved it changes none.
	w.wants(w.ask("owner", remove, map[string]any{"id": key}), "SECOND_FACTOR_REQUIRED")

	begun := w.wants(w.ask("stranger", `mutation { beginPasskey(input: {password: "`+password+`"}) { ceremony options userErrors { code } } }`, nil), "")
	if options, _ := begun["options"].(string); !strings.Contains(options, `"challenge"`) || !strings.Contains(options, "clientes.nubeclara.example") {
		t.Errorf("%v", begun)
	}
	const add = `mutation ($c: String!, $r: String!) { addPasskey(input: {ceremony: $c, name: "Nueva", response: $r}) { token userErrors { code } } }`
	ceremony := begun["ceremony"].(string)
	w.wants(w.ask("accountant", add, map[string]any{"c": ceremony, "r": "{}"}), "PASSKEY_REFUSED") // a stranger's
	w.wants(w.ask("stranger", add, map[string]any{"c": ceremony, "r": "{}"}), "PASSKEY_REFUSED")   // and used up by it
	w.wants(w.ask("stranger", add, map[string]any{"c": "x", "r": "no json"}), "PASSKEY_REFUSED")

	signed := w.wants(w.ask("anonymous", signInQuery, map[string]any{"email": "duena@laespiga.example", "staff": false}), "")
	const beginSignIn = `mutation ($p: String!) { beginPasskeySignIn(input: {pending: $p}) { options userErrors { code } } }`
	const finishSignIn = `mutation ($p: String!, $r: String!) { finishPasskeySignIn(input: {pending: $p, response: $r}) { token userErrors { code } } }`
	pending := signed["pending"].(string)
	w.wants(w.ask("anonymous", finishSignIn, map[string]any{"p": pending, "r": "{}"}), "PASSKEY_REFUSED")
	w.wants(w.ask("anonymous", beginSignIn, map[string]any{"p": "nothing-like-a-pending-token"}), "SIGN_IN_AGAIN")
	if got := w.wants(w.ask("anonymous", beginSignIn, map[string]any{"p": pending}), ""); !strings.Contains(got["options"].(string), `"challenge"`) {
		t.Errorf("%v", got)
	}
	w.wants(w.ask("anonymous", finishSignIn, map[string]any{"p": pending, "r": `{"id":"x"}`}), "PASSKEY_REFUSED")
}
