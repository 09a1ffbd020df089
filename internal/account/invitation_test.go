package account_test

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

func (w *world) accept(token, password string) error {
	_, err := w.AcceptInvitation(w.Context(), account.AcceptInvitationInput{Token: token, Password: password, PasswordAgain: password})
	return err
}

func TestInvitationMakesAPersonalLogin(t *testing.T) {
	w := newWorld(t)
	contact, notice := w.invite(w.as("dueno@uno.example", password), w.client, "Ana@persona.example", access.Invoices)
	if w.state(contact.ID) != "invited" || notice.To != "Ana@persona.example" || notice.Client != "Uno" {
		t.Fatalf("state %s, notice %+v", w.state(contact.ID), notice)
	}
	if _, err := w.SignIn(t.Context(), account.SignInInput{Email: "ana@persona.example", Password: password}); codes(err) != "SIGN_IN_FAILED" {
		t.Fatalf("signs in before accepting: %v", err)
	}
	seen, err := w.InvitationByToken(t.Context(), notice.Token, "192.0.2.1")
	if err != nil || seen.Client != "Uno" || seen.HasLogin || seen.Email != "Ana@persona.example" {
		t.Fatalf("%+v, %v", seen, err)
	}
	if err := w.accept(notice.Token, "corta"); codes(err) != "password:PASSWORD_TOO_SHORT" {
		t.Fatal(codes(err))
	}
	signed, err := w.AcceptInvitation(t.Context(), account.AcceptInvitationInput{Token: notice.Token, Password: password, PasswordAgain: password})
	if err != nil {
		t.Fatal(err)
	}
	ctx := w.token(signed.Token)
	if !access.Can(ctx, access.Invoices, w.client.ID) || access.Can(ctx, access.Contacts, w.client.ID) || access.Can(ctx, access.Invoices, w.other.ID) {
		t.Fatal("the accepted access is not the invited one")
	}
	if w.state(contact.ID) != "active" {
		t.Fatal(w.state(contact.ID))
	}
	if err := w.accept(notice.Token, password); codes(err) != "LINK_UNUSABLE" {
		t.Fatalf("a used link: %v", err)
	}
	for _, verb := range []string{"invitation.send", "contact.add", "invitation.accept"} {
		if !slices.Contains(w.verbs(w.client.ID), verb) {
			t.Errorf("%s is not in the log: %v", verb, w.verbs(w.client.ID))
		}
	}
}

// Every link that is not the newest, open one is refused, and nothing changes.
func TestDeadLinks(t *testing.T) {
	for name, c := range map[string]struct {
		kill func(w *world, ctx context.Context, contact id.Contact) error
		want string
	}{
		"expired":         {func(w *world, _ context.Context, _ id.Contact) error { w.clock = w.clock.AddDate(0, 0, 8); return nil }, "LINK_EXPIRED"},
		"resent":          {func(w *world, ctx context.Context, c id.Contact) error { return second(w.ResendInvitation(ctx, c)) }, "LINK_UNUSABLE"},
		"cancelled":       {func(w *world, ctx context.Context, c id.Contact) error { return second(w.CancelInvitation(ctx, c)) }, "LINK_UNUSABLE"},
		"contact deleted": {func(w *world, ctx context.Context, c id.Contact) error { return w.DeleteContact(ctx, c) }, "LINK_UNUSABLE"},
		"access taken": {func(w *world, ctx context.Context, c id.Contact) error {
			return second(w.SetSubAccount(ctx, c, account.SubAccountInput{}))
		}, "LINK_UNUSABLE"},
		"address changed": {func(w *world, ctx context.Context, c id.Contact) error {
			return second(w.UpdateContact(ctx, account.UpdateContactInput{ContactID: c, Details: &account.ContactDetails{Email: "otra@persona.example"}}))
		}, "LINK_UNUSABLE"},
		"password typed": {func(w *world, ctx context.Context, c id.Contact) error {
			return second(w.SetSubAccount(ctx, c, account.SubAccountInput{Active: true, Password: "Clave-Tecleada-55", PasswordAgain: "Clave-Tecleada-55"}))
		}, "LINK_UNUSABLE"},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			ctx := w.as("dueno@uno.example", password)
			contact, notice := w.invite(ctx, w.client, "ana@persona.example", access.Invoices)
			if err := c.kill(w, ctx, contact.ID); err != nil {
				t.Fatal(err)
			}
			if err := w.accept(notice.Token, password); codes(err) != c.want {
				t.Errorf("%q, want %q", codes(err), c.want)
			}
			if _, err := w.SignIn(t.Context(), account.SignInInput{Email: "ana@persona.example", Password: password}); codes(err) != "SIGN_IN_FAILED" {
				t.Errorf("a dead link made a login: %v", err)
			}
		})
	}
}

func TestForeignTokens(t *testing.T) {
	w := newWorld(t)
	for _, token := range []string{"", "x", strings.Repeat("A", 43), strings.Repeat("A", 100000), "\x00'; DROP TABLE link; --"} {
		if err := w.accept(token, password); codes(err) != "LINK_UNUSABLE" {
			t.Errorf("%.20q: %v", token, err)
		}
	}
	// A link of one purpose is none of another.
	if err := w.RequestPasswordReset(t.Context(), account.ResetInput{Email: "dueno@uno.example"}); err != nil {
		t.Fatal(err)
	}
	reset := one[account.ResetNotice](w, w.work())
	if err := w.accept(reset.Token, password); codes(err) != "LINK_UNUSABLE" {
		t.Fatal(codes(err))
	}
	_, invitation := w.invite(w.as("dueno@uno.example", password), w.client, "ana@persona.example", access.Invoices)
	if err := w.CompletePasswordReset(t.Context(), account.CompleteResetInput{Token: invitation.Token, Password: password, PasswordAgain: password}); codes(err) != "LINK_UNUSABLE" {
		t.Fatal(codes(err))
	}
}

// An address that has a login is not taken over by a link alone; signed in, the same login reaches both.
func TestInvitationOfAnExistingLogin(t *testing.T) {
	w := newWorld(t)
	_, notice := w.invite(w.as("dueno@uno.example", password), w.client, "dueno@dos.example", access.Invoices)
	if err := w.accept(notice.Token, "Otra-Clave-Larga-8"); codes(err) != "LOGIN_EXISTS_SIGN_IN" {
		t.Fatal(codes(err))
	}
	before, err := w.SignIn(t.Context(), account.SignInInput{Email: "dueno@dos.example", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	after, err := w.AcceptInvitationSignedIn(w.token(before.Token), notice.Token)
	if err != nil {
		t.Fatal(err)
	}
	w.ended("the session before the rotation", before.Token)
	ctx := w.token(after.Token)
	if !access.Can(ctx, access.Invoices, w.client.ID) || access.Can(ctx, access.Contacts, w.client.ID) || !access.Can(ctx, access.Contacts, w.other.ID) {
		t.Fatal("one login, two clients, each with its own permissions")
	}
	// Again, through another contact of the same client.
	_, again := w.invite(w.as("dueno@uno.example", password), w.client, "alias@persona.example", access.Profile)
	if _, err := w.AcceptInvitationSignedIn(ctx, again.Token); codes(err) != "LOGIN_HAS_ACCESS" {
		t.Fatal(codes(err))
	}
	// A login that a client made, whose password that client knows, reaches nothing else.
	w.add("hogar@uno.example", access.Invoices)
	_, foreign := w.invite(w.as("dueno@dos.example", password), w.other, "hogar@uno.example", access.Invoices)
	if _, err := w.AcceptInvitationSignedIn(w.as("hogar@uno.example", password), foreign.Token); codes(err) != "LOGIN_SERVES_ONE_CLIENT" {
		t.Fatal(codes(err))
	}
}

func TestOneLinkIsAcceptedOnce(t *testing.T) {
	w := newWorld(t)
	_, notice := w.invite(w.as("dueno@uno.example", password), w.client, "ana@persona.example", access.Invoices)
	var group sync.WaitGroup
	results := make([]error, 6)
	for i := range results {
		group.Go(func() { results[i] = w.accept(notice.Token, password) })
	}
	group.Wait()
	won := 0
	for _, err := range results {
		if err == nil {
			won++
		} else if !fault.Is(err, fault.Conflict) {
			t.Error(err)
		}
	}
	if won != 1 {
		t.Fatalf("accepted %d times", won)
	}
}

func TestSuspendResumeExpire(t *testing.T) {
	w := newWorld(t)
	owner := w.as("dueno@uno.example", password)
	contact, token := w.person("ana@persona.example", access.Invoices)
	if _, err := w.SuspendAccess(owner, contact.ID); err != nil {
		t.Fatal(err)
	}
	w.ended("suspended", token)
	if w.state(contact.ID) != "suspended" {
		t.Fatal(w.state(contact.ID))
	}
	if _, err := w.SignIn(t.Context(), account.SignInInput{Email: "ana@persona.example", Password: password}); codes(err) != "SIGN_IN_FAILED" {
		t.Fatalf("a suspended login signs in: %v", err)
	}
	if _, err := w.SuspendAccess(owner, contact.ID); codes(err) != "ACCESS_STATE" {
		t.Fatal(codes(err))
	}
	if _, err := w.ResumeAccess(owner, contact.ID); err != nil {
		t.Fatal(err)
	}
	ctx := w.as("ana@persona.example", password)
	last := account.SubAccountInput{Active: true, Permissions: []access.Permission{access.Invoices}, ExpiresOn: "2026-12-31"}
	w.clock = time.Date(2026, 12, 20, 18, 0, 0, 0, time.UTC)
	owner = w.as("dueno@uno.example", password)
	if _, err := w.SetSubAccount(owner, contact.ID, last); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at    time.Time
		state string
	}{
		{time.Date(2027, 1, 1, 5, 59, 0, 0, time.UTC), "active"}, // 23:59 of the last day in Mexico City
		{time.Date(2027, 1, 1, 6, 1, 0, 0, time.UTC), "expired"}, // the day after
	} {
		w.clock = c.at
		if w.state(contact.ID) != c.state {
			t.Errorf("%s: %s, want %s", c.at, w.state(contact.ID), c.state)
		}
		list, err := w.ContactsInState(w.system(), w.client.ID, c.state, dbPage)
		if err != nil || len(list.Rows) != 1 {
			t.Errorf("filter %s: %d rows, %v", c.state, len(list.Rows), err)
		}
		for _, other := range []string{"none", "invited", "suspended"} {
			if list, err := w.ContactsInState(w.system(), w.client.ID, other, dbPage); err != nil || len(list.Rows) != 0 {
				t.Errorf("filter %s: %d rows, %v", other, len(list.Rows), err)
			}
		}
	}
	_ = ctx
	row, err := w.Contact(w.system(), contact.ID)
	if err != nil || !slices.Equal(row.Topics, []mail.Topic{mail.Invoice}) {
		t.Fatalf("preferences were lost: %v, %v", row.Topics, err)
	}
}

// Nobody brings back, by resuming, a permission that they do not hold.
func TestResumeGrantsNothing(t *testing.T) {
	w := newWorld(t)
	contact, _ := w.person("ana@persona.example", access.Invoices, access.Profile)
	if _, err := w.SuspendAccess(w.as("dueno@uno.example", password), contact.ID); err != nil {
		t.Fatal(err)
	}
	_, token := w.person("jefa@persona.example", access.Contacts)
	if _, err := w.ResumeAccess(w.token(token), contact.ID); codes(err) != "PERMISSION_NOT_HELD" {
		t.Fatal(codes(err))
	}
}

func TestInvitationsAreLimited(t *testing.T) {
	w := newWorld(t)
	owner := w.as("dueno@uno.example", password)
	contact, _ := w.invite(owner, w.client, "ana@persona.example", access.Invoices)
	var err error
	for range 11 {
		_, err = w.ResendInvitation(owner, contact.ID)
	}
	limited, ok := fault.As(err)
	if !ok || limited.Kind != fault.RateLimited || limited.RetryAfter <= 0 {
		t.Fatalf("%v", err)
	}
	for range 61 {
		err = second(w.InvitationByToken(t.Context(), "adivinar", "2001:db8:1:2::"+string(rune('1'+len(w.limits.counts)%9))))
	}
	if !fault.Is(err, fault.RateLimited) {
		t.Fatalf("guessing from one IPv6 network: %v", err)
	}
}
