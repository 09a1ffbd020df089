package account_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

const password = "Una-Clave-Larga-7"

func (w *world) system() context.Context { return access.With(w.Context(), access.SystemActor()) }

func (w *world) addClient(name, email string) db.Client {
	w.Helper()
	row, err := w.AddClient(w.system(), account.AddClientInput{Password: password, Details: account.ClientDetails{Name: name, Email: email}})
	if err != nil {
		w.Fatal(err)
	}
	return row
}

// as signs in and returns the context of that actor.
func (w *world) as(email, password string) context.Context {
	w.Helper()
	signed, err := w.SignIn(w.Context(), account.SignInInput{Email: email, Password: password})
	if err != nil {
		w.Fatalf("sign in %s: %v", email, err)
	}
	actor, err := w.Authenticate(w.Context(), signed.Token)
	if err != nil {
		w.Fatal(err)
	}
	return access.With(w.Context(), actor)
}

func (w *world) input(email string, permissions ...access.Permission) account.AddContactInput {
	return account.AddContactInput{ClientID: w.client.ID, Details: account.ContactDetails{Firstname: "Ana", Email: email}, Topics: []mail.Topic{mail.Invoice},
		SubAccount: &account.SubAccountInput{Active: true, Password: password, PasswordAgain: password, Permissions: permissions}}
}

func (w *world) add(email string, permissions ...access.Permission) db.Contact {
	w.Helper()
	row, err := w.AddContact(w.as("dueno@uno.example", password), w.input(email, permissions...))
	if err != nil {
		w.Fatal(err)
	}
	return row
}

// codes lists "path:CODE" of a fault.
func codes(err error) string {
	e, ok := fault.As(err)
	if !ok {
		if err != nil {
			return err.Error()
		}
		return ""
	}
	if len(e.Fields) == 0 {
		return e.Code
	}
	list := []string{}
	for _, f := range e.Fields {
		list = append(list, f.Path+":"+f.Code)
	}
	return strings.Join(list, " ")
}

func TestAddContactThenSignIn(t *testing.T) {
	w := newWorld(t)
	contact := w.add("conta@uno.example", access.Invoices)
	ctx := w.as("CONTA@uno.example", password)
	if access.Can(ctx, access.Contacts, w.client.ID) || !access.Can(ctx, access.Invoices, w.client.ID) || access.Can(ctx, access.Invoices, w.other.ID) {
		t.Fatal("the sub-account holds invoices of its client and nothing else")
	}
	if _, err := w.Contact(ctx, contact.ID); !fault.Is(err, fault.Forbidden) {
		t.Fatalf("contact without the permission: %v", err)
	}
	if _, err := w.Contact(w.as("dueno@dos.example", password), contact.ID); !fault.Is(err, fault.NotFound) {
		t.Fatalf("a stranger's contact: %v", err)
	}
}

func TestAddContactRefuses(t *testing.T) {
	w := newWorld(t)
	w.add("tomado@uno.example", access.Contacts, access.Invoices)
	limited := w.as("tomado@uno.example", password)
	owner := w.as("dueno@uno.example", password)
	for _, c := range []struct {
		name   string
		ctx    context.Context
		change func(in *account.AddContactInput)
		want   string
	}{
		{"no email", owner, func(in *account.AddContactInput) { in.Details.Email = " " }, "email:REQUIRED"},
		{"malformed email", owner, func(in *account.AddContactInput) { in.Details.Email = "ana@uno" }, "email:EMAIL_MALFORMED"},
		{"header injection", owner, func(in *account.AddContactInput) { in.Details.Email = "ana@uno.example\r\nBcc: x@y.example" }, "email:CONTROL_CHARACTERS"},
		{"header injection in a name", owner, func(in *account.AddContactInput) { in.Details.Firstname = "Ana\nBcc: x@y.example" }, "firstname:CONTROL_CHARACTERS"},
		{"taken email in other case", owner, func(in *account.AddContactInput) { in.Details.Email = "TOMADO@uno.example" }, "email:EMAIL_TAKEN"},
		{"the owner's email", owner, func(in *account.AddContactInput) { in.Details.Email = "dueno@uno.example" }, "email:LOGIN_HAS_ACCESS"},
		{"short password", owner, func(in *account.AddContactInput) {
			in.SubAccount.Password, in.SubAccount.PasswordAgain = "corta", "corta"
		}, "subAccount.password:PASSWORD_TOO_SHORT"},
		{"common password", owner, func(in *account.AddContactInput) {
			in.SubAccount.Password, in.SubAccount.PasswordAgain = "Password123!", "Password123!"
		}, "subAccount.password:PASSWORD_TOO_COMMON"},
		{"the email as password", owner, func(in *account.AddContactInput) {
			in.Details.Email = "ana@uno.example"
			in.SubAccount.Password, in.SubAccount.PasswordAgain = "Ana@uno.example", "Ana@uno.example"
		}, "subAccount.password:PASSWORD_CONTAINS_EMAIL"},
		{"no such country", owner, func(in *account.AddContactInput) { in.Details.Country = "ZZ" }, "country:COUNTRY_UNKNOWN"},
		{"different the second time", owner, func(in *account.AddContactInput) { in.SubAccount.PasswordAgain = "otra cosa" }, "subAccount.passwordAgain:PASSWORD_MISMATCH"},
		{"unknown permission", owner, func(in *account.AddContactInput) { in.SubAccount.Permissions = []access.Permission{"root"} }, "subAccount.permissions:PERMISSION_UNKNOWN"},
		{"unknown topic", owner, func(in *account.AddContactInput) { in.Topics = []mail.Topic{"spam"} }, "topics:TOPIC_UNKNOWN"},
		{"granting what one does not hold", limited, func(in *account.AddContactInput) {
			in.SubAccount.Permissions = []access.Permission{access.Invoices, access.Profile}
		}, "subAccount.permissions:PERMISSION_NOT_HELD"},
		{"several at once", owner, func(in *account.AddContactInput) {
			in.Details.Email, in.Details.Country, in.SubAccount.PasswordAgain = "", "México", ""
		}, "country:TOO_LONG email:REQUIRED country:COUNTRY_UNKNOWN subAccount.passwordAgain:PASSWORD_MISMATCH"},
		{"stranger", w.as("dueno@dos.example", password), func(*account.AddContactInput) {}, "NOT_FOUND"},
		{"anonymous", t.Context(), func(*account.AddContactInput) {}, "UNAUTHENTICATED"},
	} {
		in := w.input("nueva@uno.example", access.Invoices)
		c.change(&in)
		if _, err := w.AddContact(c.ctx, in); codes(err) != c.want {
			t.Errorf("%s: %q, want %q", c.name, codes(err), c.want)
		}
	}
	list, err := w.Contacts(owner, w.client.ID, db.Page{})
	if err != nil || len(list.Rows) != 1 {
		t.Fatalf("a refused contact left something behind: %d contacts, %v", len(list.Rows), err)
	}
	if _, err := w.SignIn(t.Context(), account.SignInInput{Email: "nueva@uno.example", Password: password}); codes(err) != "SIGN_IN_FAILED" {
		t.Fatalf("a refused contact left a login behind: %v", err)
	}
}

// Permission and preference are two switches: neither moves the other.
func TestAccessAndPreferencesAreApart(t *testing.T) {
	w := newWorld(t)
	owner := w.as("dueno@uno.example", password)
	contact := w.add("conta@uno.example", access.Invoices)
	if _, err := w.SetEmailPreferences(owner, contact.ID, nil); err != nil {
		t.Fatal(err)
	}
	w.as("conta@uno.example", password) // still signs in
	if _, err := w.SetEmailPreferences(owner, contact.ID, []mail.Topic{mail.Invoice}); err != nil {
		t.Fatal(err)
	}
	row, err := w.SetSubAccount(owner, contact.ID, account.SubAccountInput{Active: false})
	if err != nil || !slices.Equal(row.Topics, []mail.Topic{mail.Invoice}) {
		t.Fatalf("topics %v, %v", row.Topics, err)
	}
}

func TestTakingAccessEndsSessions(t *testing.T) {
	w := newWorld(t)
	owner := w.as("dueno@uno.example", password)
	contact := w.add("conta@uno.example", access.Invoices)
	signed, err := w.SignIn(t.Context(), account.SignInInput{Email: "conta@uno.example", Password: password})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.DeleteContact(owner, contact.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Authenticate(t.Context(), signed.Token); !fault.Is(err, fault.Unauthenticated) {
		t.Fatalf("session of a deleted contact: %v", err)
	}
	w.add("conta@uno.example", access.Invoices) // the address can be used again
	w.as("conta@uno.example", password)
}

// A client that makes a login for somebody's address first gains nothing when another client adds
// that address later.
func TestNobodyTakesOverAnAddress(t *testing.T) {
	w := newWorld(t)
	intruder := w.as("dueno@dos.example", password)
	in := w.input("victima@persona.example", access.Invoices)
	in.ClientID, in.SubAccount.Password, in.SubAccount.PasswordAgain = w.other.ID, "Clave-Del-Intruso-9", "Clave-Del-Intruso-9"
	if _, err := w.AddContact(intruder, in); err != nil {
		t.Fatal(err)
	}
	w.add("victima@persona.example", access.Invoices)
	ctx := w.as("victima@persona.example", "Clave-Del-Intruso-9")
	if access.Can(ctx, access.Invoices, w.client.ID) {
		t.Fatal("the intruder's password opens the other client")
	}
	if ctx := w.as("victima@persona.example", password); !access.Can(ctx, access.Invoices, w.client.ID) {
		t.Fatal("the right password does not open its client")
	}
}

func TestSubAccountCannotRaiseItself(t *testing.T) {
	w := newWorld(t)
	contact := w.add("jefa@uno.example", access.Contacts)
	self := w.as("jefa@uno.example", password)
	for name, err := range map[string]error{
		"permissions": second(w.SetSubAccount(self, contact.ID, account.SubAccountInput{Active: true, Permissions: access.Permissions()})),
		"email":       second(w.UpdateContact(self, account.UpdateContactInput{ContactID: contact.ID, Details: &account.ContactDetails{Email: "otra@uno.example"}})),
		"delete":      w.DeleteContact(self, contact.ID),
	} {
		if !strings.Contains(codes(err), "SELF_PROTECTED") {
			t.Errorf("%s: %q", name, codes(err))
		}
	}
}

// Whoever may manage contacts gains nothing by taking over the login of one that holds more.
func TestNobodyTakesOverAStrongerLogin(t *testing.T) {
	w := newWorld(t)
	strong, weak := w.add("conta@uno.example", access.Invoices), w.add("correo@uno.example", access.Contacts)
	w.add("jefa@uno.example", access.Contacts)
	ctx := w.as("jefa@uno.example", password)
	const stolen = "Clave-Robada-2026"
	change := func(of db.Contact, secret string, permissions ...access.Permission) error {
		return second(w.SetSubAccount(ctx, of.ID, account.SubAccountInput{Active: true, Password: secret, PasswordAgain: secret, Permissions: permissions}))
	}
	if got := codes(change(strong, stolen, access.Invoices)); got != "subAccount.password:LOGIN_HOLDS_MORE" {
		t.Errorf("password: %q", got)
	}
	if got := codes(change(strong, stolen)); got != "subAccount.password:LOGIN_HOLDS_MORE" {
		t.Errorf("password, with the permission taken away: %q", got)
	}
	details := account.DetailsOf(strong)
	details.Email = "jefa2@uno.example"
	if got := codes(second(w.UpdateContact(ctx, account.UpdateContactInput{ContactID: strong.ID, Details: &details}))); got != "email:LOGIN_HOLDS_MORE" {
		t.Errorf("email: %q", got)
	}
	w.as("conta@uno.example", password) // nothing changed
	details.Email, details.Firstname = strong.Email, "Anita"
	if err := second(w.UpdateContact(ctx, account.UpdateContactInput{ContactID: strong.ID, Details: &details})); err != nil {
		t.Errorf("a name: %v", err)
	}
	if err := change(strong, "", access.Invoices); err != nil {
		t.Errorf("what it holds already: %v", err)
	}
	if err := change(weak, stolen, access.Contacts); err != nil {
		t.Errorf("the password of one who holds no more: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestSignInIsLimitedAndSilent(t *testing.T) {
	w := newWorld(t)
	in := account.SignInInput{Email: "dueno@uno.example", Password: "no es esta", Address: "192.0.2.1"}
	for range 10 {
		if _, err := w.SignIn(t.Context(), in); codes(err) != "SIGN_IN_FAILED" {
			t.Fatal(codes(err))
		}
	}
	if _, err := w.SignIn(t.Context(), in); !fault.Is(err, fault.RateLimited) {
		t.Fatal(codes(err))
	}
	in.Address, in.Password = "192.0.2.2", password // the owner elsewhere is not locked out
	if _, err := w.SignIn(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if _, err := w.SignIn(t.Context(), account.SignInInput{Email: "nadie@uno.example", Password: password}); codes(err) != "SIGN_IN_FAILED" {
		t.Fatal(codes(err))
	}
}

// One network may try sixty times a minute, whatever the accounts; another one, and a browser that an account knows, go on.
func TestSignInIsLimitedPerNetwork(t *testing.T) {
	w := newWorld(t)
	known, err := w.SignIn(t.Context(), account.SignInInput{Email: "dueno@uno.example", Password: password, Address: "2001:db8:1:1::1"})
	if err != nil {
		t.Fatal(err)
	}
	try := func(n int, address string) error {
		_, err := w.SignIn(t.Context(), account.SignInInput{Email: fmt.Sprintf("nadie-%d@uno.example", n), Password: "no es esta", Address: address})
		return err
	}
	for n := range 59 {
		if err := try(n, fmt.Sprintf("2001:db8:1:1::%x", n+2)); codes(err) != "SIGN_IN_FAILED" {
			t.Fatalf("attempt %d: %v", n+2, err)
		}
	}
	if err := try(60, "2001:db8:1:1:ffff::1"); !fault.Is(err, fault.RateLimited) {
		t.Errorf("the 61st from one network: %v", err)
	}
	if err := try(60, "2001:db8:1:2::1"); codes(err) != "SIGN_IN_FAILED" {
		t.Errorf("another network: %v", err)
	}
	if _, err := w.SignIn(t.Context(), account.SignInInput{Email: "dueno@uno.example", Password: password, Address: "2001:db8:1:1::1", DeviceKey: known.DeviceKey}); err != nil {
		t.Errorf("a known browser of that network: %v", err)
	}
}

func TestLastDomainAddress(t *testing.T) {
	w := newWorld(t)
	owner := w.as("dueno@uno.example", password)
	if _, err := w.SetClientEmailPreferences(owner, w.client.ID, []mail.Topic{mail.Invoice}); codes(err) != "topics:LAST_DOMAIN_ADDRESS" {
		t.Fatal(codes(err))
	}
	in := w.input("dominios@uno.example")
	in.Topics, in.SubAccount = []mail.Topic{mail.Domain}, nil
	contact, err := w.AddContact(owner, in)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.SetClientEmailPreferences(owner, w.client.ID, []mail.Topic{mail.Invoice}); err != nil {
		t.Fatal(err)
	}
	if err := w.DeleteContact(owner, contact.ID); codes(err) != "topics:LAST_DOMAIN_ADDRESS" {
		t.Fatal(codes(err))
	}
}
