package account_test

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/fault"
)

// withTOTP adds an authenticator app for the actor; it returns its secret and what adding it gave.
func (w *world) withTOTP(ctx context.Context) (string, account.FactorAdded) {
	w.Helper()
	begun, err := w.BeginTOTP(ctx, password)
	if err != nil {
		w.Fatal(err)
	}
	added, err := w.ConfirmTOTP(ctx, w.code(begun.Secret))
	if err != nil {
		w.Fatal(err)
	}
	w.clock = w.clock.Add(time.Minute) // the code just used is used up
	return begun.Secret, added
}

func (w *world) code(secret string) string {
	w.Helper()
	code, err := totp.GenerateCode(secret, w.clock)
	if err != nil {
		w.Fatal(err)
	}
	return code
}

func (w *world) pendingFor(email string) account.SignedIn {
	w.Helper()
	w.limits.counts = map[string]int{}
	signed, err := w.SignIn(w.Context(), account.SignInInput{Email: email, Password: password})
	if err != nil {
		w.Fatal(err)
	}
	if signed.Token != "" || signed.Pending == "" {
		w.Fatal("a session without the second factor")
	}
	return signed
}

func (w *world) prove(pending string, factor account.Factor, code string) (account.SignedIn, error) {
	return w.ProveFactor(w.Context(), account.ProveFactorInput{Pending: pending, Factor: factor, Code: code})
}

func TestTOTP(t *testing.T) {
	w := newWorld(t)
	before, _ := w.SignIn(t.Context(), account.SignInInput{Email: "dueno@uno.example", Password: password})
	otherDevice, _ := w.SignIn(t.Context(), account.SignInInput{Email: "dueno@uno.example", Password: password})
	ctx := w.token(before.Token)
	if _, err := w.BeginTOTP(ctx, "no es esta"); codes(err) != "password:PASSWORD_WRONG" {
		t.Fatal(codes(err))
	}
	if _, err := w.ConfirmTOTP(ctx, "000000"); codes(err) != "TOTP_NOT_BEGUN" {
		t.Fatal(codes(err))
	}
	begun, err := w.BeginTOTP(ctx, password)
	if err != nil {
		t.Fatal(err)
	}
	if u, err := url.Parse(begun.URL); err != nil || u.Scheme != "otpauth" || u.Query().Get("secret") != begun.Secret {
		t.Fatal(begun.URL)
	}
	if signed, err := w.SignIn(t.Context(), account.SignInInput{Email: "dueno@uno.example", Password: password}); err != nil || signed.Pending != "" {
		t.Fatal("an unconfirmed app is asked for")
	}
	if _, err := w.ConfirmTOTP(ctx, "abcdef"); codes(err) != "code:CODE_WRONG" {
		t.Fatal(codes(err))
	}
	first := w.code(begun.Secret)
	added, err := w.ConfirmTOTP(ctx, first)
	if err != nil || len(added.RecoveryCodes) != 10 {
		t.Fatalf("%v, %v", added, err)
	}
	w.ended("the token before the app", before.Token)
	w.ended("the other device", otherDevice.Token)
	if _, err := w.BeginTOTP(w.token(added.Token), password); codes(err) != "TOTP_EXISTS" {
		t.Fatal(codes(err))
	}
	waiting := w.pendingFor("dueno@uno.example")
	if !slices.Equal(waiting.Factors, []account.Factor{account.FactorTOTP, account.FactorRecovery}) {
		t.Fatal(waiting.Factors)
	}
	w.ended("a pending sign-in", waiting.Pending)
	if _, err := w.prove(waiting.Pending, account.FactorTOTP, first); codes(err) != "code:CODE_WRONG" {
		t.Fatalf("the code of the confirmation again: %v", err)
	}
	w.clock = w.clock.Add(30 * time.Second)
	code := w.code(begun.Secret)
	signed, err := w.prove(waiting.Pending, account.FactorTOTP, code[:3]+" "+code[3:])
	if err != nil {
		t.Fatal(err)
	}
	if !access.Can(w.token(signed.Token), access.Contacts, w.client.ID) {
		t.Fatal("the proved session opens nothing")
	}
	if _, err := w.prove(waiting.Pending, account.FactorTOTP, code); codes(err) != "SIGN_IN_AGAIN" {
		t.Fatalf("a used sign-in: %v", err)
	}
	if _, err := w.prove(w.pendingFor("dueno@uno.example").Pending, account.FactorTOTP, code); codes(err) != "code:CODE_WRONG" {
		t.Fatalf("a replayed code: %v", err)
	}
	// Within the skew, but older than the last used step.
	if old, _ := totp.GenerateCode(begun.Secret, w.clock.Add(-30*time.Second)); second(w.prove(w.pendingFor("dueno@uno.example").Pending, account.FactorTOTP, old)) == nil {
		t.Fatal("an older code after a newer one")
	}
	for _, at := range []time.Duration{-90 * time.Second, 90 * time.Second} {
		code, _ := totp.GenerateCode(begun.Secret, w.clock.Add(at))
		if _, err := w.prove(w.pendingFor("dueno@uno.example").Pending, account.FactorTOTP, code); codes(err) != "code:CODE_WRONG" {
			t.Errorf("a code of %s: %v", at, err)
		}
	}
}

func TestSecretsAreSealedAtRest(t *testing.T) {
	w := newWorld(t)
	ctx := w.as("dueno@uno.example", password)
	secret, added := w.withTOTP(ctx)
	row, err := w.Store.TOTP(t.Context(), db.Person{Login: access.From(ctx).Login})
	if err != nil || strings.Contains(string(row.Secret), secret) || len(row.Secret) < 20+16 {
		t.Fatalf("%v, %d bytes", err, len(row.Secret))
	}
	// A sealed secret that is moved to another person opens nothing.
	other := w.as("dueno@dos.example", password)
	if _, err := w.BeginTOTP(other, password); err != nil {
		t.Fatal(err)
	}
	moved := db.TOTP{LoginID: access.From(other).Login, Secret: row.Secret}
	if err := w.Store.SaveTOTP(t.Context(), &moved); err != nil {
		t.Fatal(err)
	}
	if _, err := w.ConfirmTOTP(other, w.code(secret)); err == nil {
		t.Fatal("a moved secret was confirmed")
	}
	for _, entry := range append(w.log(), added.RecoveryCodes[:0]...) {
		for _, text := range append(added.RecoveryCodes, secret, password, added.Token) {
			if strings.Contains(entry, text) {
				t.Fatalf("the audit log holds a secret: %s", entry)
			}
		}
	}
}

// log is the audit log as text.
func (w *world) log() []string {
	w.Helper()
	var out strings.Builder
	if err := w.ExportAudit(w.system(), account.AuditQuery{}, &out); err != nil {
		w.Fatal(err)
	}
	return strings.Split(out.String(), "\n")
}

func TestRecoveryCodes(t *testing.T) {
	w := newWorld(t)
	_, added := w.withTOTP(w.as("dueno@uno.example", password))
	_, foreign := w.withTOTP(w.as("dueno@dos.example", password))
	code := added.RecoveryCodes[3]
	if _, err := w.prove(w.pendingFor("dueno@uno.example").Pending, account.FactorRecovery, foreign.RecoveryCodes[0]); codes(err) != "code:CODE_WRONG" {
		t.Fatalf("somebody else's code: %v", err)
	}
	signed, err := w.prove(w.pendingFor("dueno@uno.example").Pending, account.FactorRecovery, strings.ToUpper(strings.ReplaceAll(code, "-", " ")))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.prove(w.pendingFor("dueno@uno.example").Pending, account.FactorRecovery, code); codes(err) != "code:CODE_WRONG" {
		t.Fatalf("a used code: %v", err)
	}
	fresh, err := w.NewRecoveryCodes(w.token(signed.Token), password)
	if err != nil || len(fresh) != 10 {
		t.Fatal(err)
	}
	if _, err := w.prove(w.pendingFor("dueno@uno.example").Pending, account.FactorRecovery, added.RecoveryCodes[4]); codes(err) != "code:CODE_WRONG" {
		t.Fatalf("a replaced code: %v", err)
	}
}

func TestSecondStepIsBounded(t *testing.T) {
	w := newWorld(t)
	secret, _ := w.withTOTP(w.as("dueno@uno.example", password))
	waiting := w.pendingFor("dueno@uno.example")
	for range 6 {
		if _, err := w.prove(waiting.Pending, account.FactorTOTP, "000000"); codes(err) != "code:CODE_WRONG" {
			t.Fatal(codes(err))
		}
	}
	if _, err := w.prove(waiting.Pending, account.FactorTOTP, w.code(secret)); codes(err) != "SIGN_IN_AGAIN" {
		t.Fatalf("the seventh attempt: %v", err)
	}
	late := w.pendingFor("dueno@uno.example")
	w.clock = w.clock.Add(11 * time.Minute)
	if _, err := w.prove(late.Pending, account.FactorTOTP, w.code(secret)); codes(err) != "SIGN_IN_AGAIN" {
		t.Fatalf("too late: %v", err)
	}
	// However many sign-ins are begun, the person's codes are bounded.
	var err error
	for range 11 {
		signed, failed := w.SignIn(t.Context(), account.SignInInput{Email: "dueno@uno.example", Password: password})
		if failed != nil {
			t.Fatal(failed)
		}
		_, err = w.prove(signed.Pending, account.FactorTOTP, "000000")
	}
	if !fault.Is(err, fault.RateLimited) {
		t.Fatal(err)
	}
}

func TestOneCodeOneSession(t *testing.T) {
	w := newWorld(t)
	secret, _ := w.withTOTP(w.as("dueno@uno.example", password))
	pending := []string{}
	for range 5 {
		pending = append(pending, w.pendingFor("dueno@uno.example").Pending)
	}
	code := w.code(secret)
	won := make([]bool, len(pending))
	var group sync.WaitGroup
	for i, token := range pending {
		group.Go(func() { _, err := w.prove(token, account.FactorTOTP, code); won[i] = err == nil })
	}
	group.Wait()
	n := 0
	for _, ok := range won {
		if ok {
			n++
		}
	}
	if n != 1 {
		t.Fatalf("one code opened %d sessions", n)
	}
}

// A reset by mail does not pass the second factor by, and a suspended person does not get in with it.
func TestSecondFactorStaysInTheWay(t *testing.T) {
	w := newWorld(t)
	contact, token := w.person("ana@persona.example", access.Invoices)
	secret, _ := w.withTOTP(w.token(token))
	if err := w.RequestPasswordReset(t.Context(), account.ResetInput{Email: "ana@persona.example"}); err != nil {
		t.Fatal(err)
	}
	if err := w.complete(one[account.ResetNotice](w, w.work()).Token, password); err != nil {
		t.Fatal(err)
	}
	waiting := w.pendingFor("ana@persona.example")
	if _, err := w.SuspendAccess(w.as("dueno@uno.example", password), contact.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.prove(waiting.Pending, account.FactorTOTP, w.code(secret)); !fault.Is(err, fault.Unauthenticated) {
		t.Fatalf("suspended between the two steps: %v", err)
	}
}

func TestRequiredSecondFactor(t *testing.T) {
	w := newWorld(t)
	owner := w.as("dueno@uno.example", password)
	_, notice := w.invite(w.as("dueno@dos.example", password), w.other, "ana@persona.example", access.Invoices)
	signed, err := w.AcceptInvitation(t.Context(), account.AcceptInvitationInput{Token: notice.Token, Password: password, PasswordAgain: password})
	if err != nil {
		t.Fatal(err)
	}
	_, notice = w.invite(owner, w.client, "ana@persona.example", access.Invoices)
	if signed, err = w.AcceptInvitationSignedIn(w.token(signed.Token), notice.Token); err != nil {
		t.Fatal(err)
	}
	if _, err := w.SetClientSecondFactor(w.token(signed.Token), w.client.ID, true); codes(err) != "OWNER_ONLY" {
		t.Fatal(codes(err))
	}
	if _, err := w.SetClientSecondFactor(owner, w.client.ID, true); err != nil {
		t.Fatal(err)
	}
	ctx := w.token(signed.Token)
	if _, err := w.Client(ctx, w.client.ID); codes(err) != "SECOND_FACTOR_REQUIRED" {
		t.Fatalf("the client that asks: %v", err)
	}
	if _, err := w.Client(ctx, w.other.ID); err != nil {
		t.Fatalf("the client that does not ask: %v", err)
	}
	if clients, err := w.Clients(ctx, account.ClientQuery{}, dbPage); err != nil || len(clients.Rows) != 1 {
		t.Fatalf("%d clients, %v", len(clients.Rows), err)
	}
	_, added := w.withTOTP(ctx)
	ctx = w.token(added.Token)
	if _, err := w.Client(ctx, w.client.ID); err != nil {
		t.Fatalf("proved: %v", err)
	}
	if _, err := w.RemoveTOTP(ctx, password); codes(err) != "SECOND_FACTOR_REQUIRED" {
		t.Fatalf("the last factor: %v", err)
	}
}

func TestStaffSecondFactor(t *testing.T) {
	w := newWorld(t)
	admin := w.staff(access.Admin)
	if err := w.SetStaffSecondFactor(w.staff(access.Support), true); codes(err) != "CAPABILITY_REQUIRED" {
		t.Fatal(codes(err))
	}
	if err := w.SetStaffSecondFactor(admin, true); err != nil {
		t.Fatal(err)
	}
	in := account.SignInInput{Email: "support@empresa.example", Password: password, Staff: true}
	signed, err := w.SignIn(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	ctx := w.token(signed.Token)
	for name, err := range map[string]error{"clients": second(w.Clients(ctx, account.ClientQuery{}, dbPage)), "audit": second(w.Audit(ctx, account.AuditQuery{}, dbPage)),
		"view": second(w.ViewAs(ctx, w.client.ID)), "one client": second(w.Client(ctx, w.client.ID))} {
		if codes(err) != "SECOND_FACTOR_REQUIRED" {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, added := w.withTOTP(ctx)
	ctx = w.token(added.Token)
	if _, err := w.Clients(ctx, account.ClientQuery{}, dbPage); err != nil {
		t.Fatal(err)
	}
	if signed, err = w.SignIn(t.Context(), in); err != nil || signed.Pending == "" {
		t.Fatalf("%+v, %v", signed, err)
	}
	if err := w.ResetStaffFactors(ctx, access.From(ctx).Staff); codes(err) != "CAPABILITY_REQUIRED" {
		t.Fatal(codes(err))
	}
	_, proved := w.withTOTP(admin)
	if err := w.ResetStaffFactors(w.token(proved.Token), access.From(ctx).Staff); err != nil {
		t.Fatal(err)
	}
	w.ended("after the reset of factors", added.Token)
}
