package account_test

import (
	"slices"
	"sort"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

func (w *world) complete(token, password string) error {
	return w.CompletePasswordReset(w.Context(), account.CompleteResetInput{Token: token, Password: password, PasswordAgain: password})
}

func TestPasswordReset(t *testing.T) {
	w := newWorld(t)
	session, err := w.SignIn(t.Context(), account.SignInInput{Email: "dueno@uno.example", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.RequestPasswordReset(t.Context(), account.ResetInput{Email: " DUENO@uno.example "}); err != nil {
		t.Fatal(err)
	}
	notice := one[account.ResetNotice](w, w.work())
	if notice.To != "dueno@uno.example" {
		t.Fatal(notice.To)
	}
	for in, want := range map[account.CompleteResetInput]string{
		{Token: notice.Token, Password: "corta", PasswordAgain: "corta"}:         "password:PASSWORD_TOO_SHORT",
		{Token: notice.Token, Password: password, PasswordAgain: "otra"}:         "passwordAgain:PASSWORD_MISMATCH",
		{Token: notice.Token + "x", Password: password, PasswordAgain: password}: "LINK_UNUSABLE",
		{Token: notice.Token}: "password:REQUIRED",
	} {
		if err := w.CompletePasswordReset(t.Context(), in); codes(err) != want {
			t.Errorf("%q, want %q", codes(err), want)
		}
	}
	w.token(session.Token) // what was refused changed nothing
	const fresh = "Clave-Nueva-De-Paso-3"
	if err := w.complete(notice.Token, fresh); err != nil {
		t.Fatal(err)
	}
	w.ended("after a reset", session.Token)
	if err := w.complete(notice.Token, "Clave-Del-Segundo-4"); codes(err) != "LINK_UNUSABLE" {
		t.Fatalf("a used link: %v", err)
	}
	if _, err := w.SignIn(t.Context(), account.SignInInput{Email: "dueno@uno.example", Password: password}); codes(err) != "SIGN_IN_FAILED" {
		t.Fatalf("the old password: %v", err)
	}
	w.as("dueno@uno.example", fresh)
}

func TestResetLinksDie(t *testing.T) {
	w := newWorld(t)
	ask := func() account.ResetNotice {
		if err := w.RequestPasswordReset(t.Context(), account.ResetInput{Email: "dueno@uno.example"}); err != nil {
			t.Fatal(err)
		}
		return one[account.ResetNotice](w, w.work())
	}
	first := ask()
	w.clock = w.clock.Add(6 * time.Minute)
	second := ask()
	if err := w.complete(first.Token, "Clave-Nueva-De-Paso-3"); codes(err) != "LINK_UNUSABLE" {
		t.Fatalf("a replaced link: %v", err)
	}
	w.clock = w.clock.Add(61 * time.Minute)
	if err := w.complete(second.Token, "Clave-Nueva-De-Paso-3"); codes(err) != "LINK_EXPIRED" {
		t.Fatal(codes(err))
	}
	w.as("dueno@uno.example", password)
}

// Nobody learns from the answer which addresses exist, and nobody but the stored address gets mail.
func TestResetTellsNothing(t *testing.T) {
	w := newWorld(t)
	w.staff(access.Support)
	w.work()
	for email, c := range map[string]struct {
		mailed int
		code   string
	}{
		"dueno@uno.example":       {1, ""},
		"nadie@uno.example":       {0, ""},
		"support@empresa.example": {0, ""},                      // staff do not sign in to the client area
		"dueñо@uno.example":       {0, "email:EMAIL_DISGUISED"}, // look-alike: Cyrillic о and ñ
		"dueno@unо.example":       {0, "email:EMAIL_DISGUISED"}, // look-alike domain
		"duenο@uno.example":       {0, "email:EMAIL_DISGUISED"}, // Greek omicron
	} {
		if err := w.RequestPasswordReset(t.Context(), account.ResetInput{Email: email, Address: "192.0.2.9"}); codes(err) != c.code {
			t.Errorf("%s: %v", email, err)
		}
		if notices := w.work(); len(notices) != c.mailed {
			t.Errorf("%s: %d mails, want %d", email, len(notices), c.mailed)
		} else if c.mailed == 1 && notices[0].Head().To != "dueno@uno.example" {
			t.Errorf("mailed to %s", notices[0].Head().To)
		}
	}
	if err := w.RequestPasswordReset(t.Context(), account.ResetInput{Email: "a@b.example\r\nBcc: x@y.example"}); codes(err) != "email:EMAIL_MALFORMED" {
		t.Fatal(codes(err))
	}
	if err := w.RequestPasswordReset(t.Context(), account.ResetInput{Email: "support@empresa.example", Staff: true}); err != nil {
		t.Fatal(err)
	}
	if n := one[account.ResetNotice](w, w.work()); !n.Staff {
		t.Fatal("the console's link is not the console's")
	}
}

// The request does the same work for an address that exists as for one that does not. Medians of
// interleaved requests are compared, with room for a busy machine.
func TestResetTakesTheSameTime(t *testing.T) {
	w := newWorld(t)
	times := map[string][]time.Duration{}
	for i := range 60 {
		w.limits.counts = map[string]int{}
		w.clock = w.clock.Add(5 * time.Minute)
		email := []string{"dueno@uno.example", "nadie@uno.example"}[i%2]
		start := time.Now()
		if err := w.RequestPasswordReset(t.Context(), account.ResetInput{Email: email}); err != nil {
			t.Fatal(err)
		}
		times[email] = append(times[email], time.Since(start))
	}
	median := func(email string) time.Duration {
		list := times[email]
		sort.Slice(list, func(i, j int) bool { return list[i] < list[j] })
		return list[len(list)/2]
	}
	known, unknown := median("dueno@uno.example"), median("nadie@uno.example")
	if known > 3*unknown+2*time.Millisecond || unknown > 3*known+2*time.Millisecond {
		t.Errorf("known %s, unknown %s", known, unknown)
	}
}

func TestResetsAreLimited(t *testing.T) {
	w := newWorld(t)
	var err error
	for range 6 {
		err = w.RequestPasswordReset(t.Context(), account.ResetInput{Email: "dueno@uno.example", Address: "192.0.2.1"})
	}
	if !fault.Is(err, fault.RateLimited) {
		t.Fatalf("one account: %v", err)
	}
	w.limits.counts = map[string]int{}
	for i := range 31 {
		err = w.RequestPasswordReset(t.Context(), account.ResetInput{Email: string(rune('a'+i%26)) + "x@uno.example", Address: "192.0.2.1"})
	}
	if !fault.Is(err, fault.RateLimited) {
		t.Fatalf("one network: %v", err)
	}
	if n := len(w.work()); n > 1 {
		t.Fatalf("%d mails of one flood", n)
	}
}

func TestChangePassword(t *testing.T) {
	w := newWorld(t)
	first, _ := w.SignIn(t.Context(), account.SignInInput{Email: "dueno@uno.example", Password: password})
	second, _ := w.SignIn(t.Context(), account.SignInInput{Email: "dueno@uno.example", Password: password})
	ctx := w.token(first.Token)
	if _, err := w.ChangePassword(ctx, account.ChangePasswordInput{Current: "no es esta", Password: "Clave-Nueva-De-Paso-3", PasswordAgain: "Clave-Nueva-De-Paso-3"}); codes(err) != "current:PASSWORD_WRONG" {
		t.Fatal(codes(err))
	}
	signed, err := w.ChangePassword(ctx, account.ChangePasswordInput{Current: password, Password: "Clave-Nueva-De-Paso-3", PasswordAgain: "Clave-Nueva-De-Paso-3"})
	if err != nil {
		t.Fatal(err)
	}
	w.ended("the token before the change", first.Token)
	w.ended("the other device", second.Token)
	w.token(signed.Token)
}

// A login that a client made is reset by its own mail, which names the client; each of several logins of one
// address by one of its own. Access that was taken away comes back by no mail.
func TestResetOfClientsLogins(t *testing.T) {
	w := newWorld(t)
	const email = "ana@agencia.example"
	w.add(email, access.Invoices)
	gone := w.add("ida@agencia.example", access.Invoices)
	if err := w.DeleteContact(w.system(), gone.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.AddContact(w.as("dueno@dos.example", password), account.AddContactInput{ClientID: w.other.ID, Details: account.ContactDetails{Email: email},
		SubAccount: &account.SubAccountInput{Active: true, Password: "Otra-Clave-Propia-8", PasswordAgain: "Otra-Clave-Propia-8", Permissions: []access.Permission{access.Orders}}}); err != nil {
		t.Fatal(err)
	}
	w.work()
	for _, asked := range []string{email, "ida@agencia.example"} {
		if err := w.RequestPasswordReset(t.Context(), account.ResetInput{Email: asked}); err != nil {
			t.Fatal(err)
		}
	}
	byClient := map[string]string{}
	for _, n := range w.work() {
		notice := n.(account.ResetNotice)
		if notice.To != email {
			t.Errorf("mailed to %s", notice.To)
		}
		byClient[notice.Client] = notice.Token
	}
	if len(byClient) != 2 || byClient["Uno"] == "" || byClient["Dos"] == "" {
		t.Fatalf("%v", byClient)
	}
	const fresh = "Clave-Nueva-De-Paso-3"
	if err := w.complete(byClient["Dos"], fresh); err != nil {
		t.Fatal(err)
	}
	for secret, client := range map[string]id.Client{fresh: w.other.ID, password: w.client.ID} { // the other login is as it was
		signed, err := w.SignIn(t.Context(), account.SignInInput{Email: email, Password: secret})
		if err != nil || len(signed.Actor.Grants) != 1 || signed.Actor.Grants[0].Client != client {
			t.Errorf("%v %v", signed.Actor.Grants, err)
		}
	}
	if verbs := w.verbs(w.other.ID); !slices.Contains(verbs, "password.reset") {
		t.Errorf("the owner is not told: %v", verbs)
	}
}
