package account_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// fail makes sign-ins with a wrong password.
func (w *world) fail(email string, staff bool, addresses ...string) {
	w.Helper()
	for _, address := range addresses {
		_, err := w.SignIn(w.Context(), account.SignInInput{Email: email, Password: "no es la clave", Staff: staff, Address: address, Device: "Navegador"})
		if codes(err) != "SIGN_IN_FAILED" {
			w.Fatalf("%s from %s: %v", email, address, err)
		}
	}
}

// seen is what somebody is shown: account, network, wrong ones, wrong codes.
func (w *world) seen(list db.List[db.FailedSignIn], err error) map[string][2]int {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
	found := map[string][2]int{}
	for _, row := range list.Rows {
		found[row.Email+" "+row.Network] = [2]int{row.Attempts, row.Codes}
	}
	return found
}

// Wrong passwords are shown to the person, to the owner of the client and to staff, and to nobody else.
func TestFailedSignIns(t *testing.T) {
	w := newWorld(t)
	contact, token := w.person("ana@uno.example", access.Contacts)
	auditor := w.staff(access.ReadOnly)
	w.fail("ANA@uno.example", false, "192.0.2.1", "192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8::2")
	w.fail("dueno@dos.example", false, "192.0.2.1")
	w.fail("nadie@nada.example", false, "192.0.2.3", "192.0.2.3")
	w.fail("readonly@empresa.example", true, "192.0.2.4")
	w.fail("nadie@empresa.example", true, "192.0.2.4")
	w.clock = w.clock.Add(time.Hour)
	w.fail("ana@uno.example", false, "192.0.2.5")

	page := db.Page{First: 50}
	anas := map[string][2]int{"ana@uno.example 192.0.2.1": {2}, "ana@uno.example 192.0.2.2": {1}, "ana@uno.example 2001:db8::/64": {2}, "ana@uno.example 192.0.2.5": {1}}
	all := map[string][2]int{"dueno@dos.example 192.0.2.1": {1}, " 192.0.2.3": {2}, "readonly@empresa.example 192.0.2.4": {1}, " 192.0.2.4": {1}}
	for row, n := range anas {
		all[row] = n
	}
	for name, c := range map[string]struct{ got, want map[string][2]int }{
		"the person": {w.seen(w.FailedSignIns(w.token(token), 0, page)), anas},
		"the owner":  {w.seen(w.FailedSignIns(w.as("dueno@uno.example", password), w.client.ID, page)), anas},
		"staff":      {w.seen(w.FailedSignIns(auditor, 0, page)), all},
		"staff, one": {w.seen(w.FailedSignIns(auditor, w.other.ID, page)), map[string][2]int{"dueno@dos.example 192.0.2.1": {1}}},
	} {
		if fmt.Sprint(c.got) != fmt.Sprint(c.want) {
			t.Errorf("%s: %v, want %v", name, c.got, c.want)
		}
	}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"not the owner": {second(w.FailedSignIns(w.token(token), w.client.ID, page)), "OWNER_ONLY"},
		"another owner": {second(w.FailedSignIns(w.as("dueno@dos.example", password), w.client.ID, page)), "NOT_FOUND"},
		"nobody":        {second(w.FailedSignIns(t.Context(), 0, page)), "UNAUTHENTICATED"},
	} {
		if codes(c.err) != c.want {
			t.Errorf("%s: %v, want %s", name, c.err, c.want)
		}
	}
	if err := w.DeleteContact(w.system(), contact.ID); err != nil { // who left the client is no longer the owner's concern
		t.Fatal(err)
	}
	if got := w.seen(w.FailedSignIns(w.as("dueno@uno.example", password), w.client.ID, page)); len(got) != 0 {
		t.Errorf("%v", got)
	}
	if err := w.Store.SweepSessions(t.Context(), w.clock.AddDate(0, 0, 89)); err != nil {
		t.Fatal(err)
	}
	if got := w.seen(w.FailedSignIns(w.system(), 0, page)); len(got) != len(all) {
		t.Errorf("swept too early: %v", got)
	}
	if err := w.Store.SweepSessions(t.Context(), w.clock.AddDate(0, 0, 91)); err != nil {
		t.Fatal(err)
	}
	if got := w.seen(w.FailedSignIns(w.system(), 0, page)); len(got) != 0 {
		t.Errorf("kept: %v", got)
	}
}

// Whoever has many networks fills at most 51 rows an hour for an account, and 51 for all addresses that
// nobody has.
func TestFailedSignInsAreBounded(t *testing.T) {
	w := newWorld(t)
	for i := range 60 {
		w.limits.counts = map[string]int{}
		address := fmt.Sprintf("198.51.100.%d", i)
		w.fail("dueno@uno.example", false, address)
		w.fail(fmt.Sprintf("nadie-%d@nada.example", i), false, address)
	}
	w.limits.counts = map[string]int{}
	w.fail("dueno@uno.example", false, "198.51.100.0") // a network of the first ones keeps its row
	counts, sums := map[id.Login]int{}, map[id.Login]int{}
	list, err := w.FailedSignIns(w.system(), 0, db.Page{First: 100})
	for err == nil {
		for _, row := range list.Rows {
			counts[row.LoginID]++
			sums[row.LoginID] += row.Attempts
			if row.Email != "" && row.Network == "" && row.Attempts != 10 || row.Network == "198.51.100.0" && row.Email != "" && row.Attempts != 2 {
				t.Errorf("%+v", row)
			}
		}
		if list.Next() == "" {
			break
		}
		list, err = w.FailedSignIns(w.system(), 0, db.Page{First: 100, After: list.Next()})
	}
	if err != nil || len(counts) != 2 || counts[0] != 51 || sums[0] != 60 {
		t.Errorf("%v %v %v", counts, sums, err)
	}
	for login, n := range counts {
		if login != 0 && (n != 51 || sums[login] != 61) {
			t.Errorf("%d rows, %d attempts", n, sums[login])
		}
	}
}

// The answer to a wrong password, and the work before it, is the same whatever is behind the address.
func TestSignInTellsNothing(t *testing.T) {
	w := newWorld(t)
	w.person("ana@uno.example", access.Contacts)
	w.add("hogar@uno.example", access.Invoices)
	suspended := w.add("suspendida@uno.example", access.Invoices)
	gone := w.add("ida@uno.example", access.Invoices)
	if _, err := w.SuspendAccess(w.system(), suspended.ID); err != nil {
		t.Fatal(err)
	}
	if err := w.DeleteContact(w.system(), gone.ID); err != nil {
		t.Fatal(err)
	}
	// One address with two logins decides how much is done for every address.
	if _, err := w.AddContact(w.as("dueno@dos.example", password), account.AddContactInput{ClientID: w.other.ID, Details: account.ContactDetails{Email: "hogar@uno.example"},
		SubAccount: &account.SubAccountInput{Active: true, Password: "Otra-Clave-Propia-8", PasswordAgain: "Otra-Clave-Propia-8", Permissions: []access.Permission{access.Orders}}}); err != nil {
		t.Fatal(err)
	}
	w.staff(access.Support)
	for i, email := range []string{"dueno@uno.example", "ana@uno.example", "hogar@uno.example", "suspendida@uno.example", "ida@uno.example", "nadie@nada.example",
		"support@empresa.example", "dueno@unо.example", "dueno@uno.example\r\nBcc: x@y.example", "", "no es un correo"} {
		secret := fmt.Sprintf("una clave equivocada %d", i)
		_, err := w.SignIn(t.Context(), account.SignInInput{Email: email, Password: secret})
		if codes(err) != "SIGN_IN_FAILED" || account.Derivations(secret) != 2 {
			t.Errorf("%q: %v after %d derivations, want SIGN_IN_FAILED after 2", email, err, account.Derivations(secret))
		}
	}
	for i, email := range []string{"support@empresa.example", "nadie@empresa.example", "dueno@uno.example"} {
		secret := fmt.Sprintf("una clave equivocada del personal %d", i)
		_, err := w.SignIn(t.Context(), account.SignInInput{Email: email, Password: secret, Staff: true})
		if codes(err) != "SIGN_IN_FAILED" || account.Derivations(secret) != 1 {
			t.Errorf("%q: %v after %d derivations, want SIGN_IN_FAILED after 1", email, err, account.Derivations(secret))
		}
	}
	// The right password of access that is suspended is as wrong as any other.
	if _, err := w.SignIn(t.Context(), account.SignInInput{Email: "suspendida@uno.example", Password: password}); codes(err) != "SIGN_IN_FAILED" {
		t.Error(err)
	}
}

// TestPasswordCost holds what a password's hash costs, where nobody says otherwise, to the least that the
// OWASP password storage cheat sheet asks for.
func TestPasswordCost(t *testing.T) {
	t.Parallel()
	if hash := string(account.Argon{}.Hash("correcto caballo pila grapa")); !strings.HasPrefix(hash, "$argon2id$v=19$m=19456,t=2,p=1$") {
		t.Errorf("the hash is %s", hash)
	}
}
