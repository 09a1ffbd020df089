package account_test

import (
	"fmt"
	"testing"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/fault"
)

func TestSessions(t *testing.T) {
	w := newWorld(t)
	in := account.SignInInput{Email: "dueno@uno.example", Password: password, Address: "192.0.2.1", Device: "Firefox"}
	first, _ := w.SignIn(t.Context(), in)
	second, _ := w.SignIn(t.Context(), in)
	stranger, _ := w.SignIn(t.Context(), account.SignInInput{Email: "dueno@dos.example", Password: password})
	ctx := w.token(first.Token)
	list, err := w.Sessions(ctx)
	if err != nil || len(list) != 2 || list[0].Device != "Firefox" || list[0].Address != "192.0.2.1" {
		t.Fatalf("%+v, %v", list, err)
	}
	if err := w.EndSession(ctx, stranger.Actor.Session); !fault.Is(err, fault.NotFound) {
		t.Fatalf("ended a stranger's session: %v", err)
	}
	w.token(stranger.Token)
	if err := w.EndSession(ctx, second.Actor.Session); err != nil {
		t.Fatal(err)
	}
	w.ended("ended", second.Token)
	third, _ := w.SignIn(t.Context(), in)
	if err := w.SignOutEverywhere(ctx); err != nil {
		t.Fatal(err)
	}
	w.ended("everywhere", first.Token)
	w.ended("everywhere", third.Token)
	w.token(stranger.Token)
}

func TestAlertOnANewDevice(t *testing.T) {
	w := newWorld(t)
	in := account.SignInInput{Email: "dueno@uno.example", Password: password, Address: "192.0.2.1", Device: "Firefox"}
	first, _ := w.SignIn(t.Context(), in)
	if n := w.work(); len(n) != 0 {
		t.Fatalf("the first device of all: %v", n)
	}
	in.DeviceKey = first.DeviceKey
	known, _ := w.SignIn(t.Context(), in)
	if known.DeviceKey != in.DeviceKey || len(w.work()) != 0 {
		t.Fatal("a known device is not known")
	}
	in.DeviceKey, in.Device, in.Address = "", "Chrome\r\nBcc: x@y.example", "198.51.100.7"
	if _, err := w.SignIn(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	n := one[account.AlertNotice](w, w.work())
	if n.To != "dueno@uno.example" || n.Address != "198.51.100.7" {
		t.Fatalf("%+v", n)
	}
	// Another person's key makes nothing known.
	in.DeviceKey, in.Email = first.DeviceKey, "dueno@dos.example"
	if _, err := w.SignIn(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	in.DeviceKey = "" // the second device of that person
	if _, err := w.SignIn(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	one[account.AlertNotice](w, w.work())
}

// Ten thousand wrong passwords from everywhere: guessing is bounded, and the owner signs in all the same
// from the browser that the account knows.
func TestFloodLocksNobodyOut(t *testing.T) {
	w := newWorld(t)
	in := account.SignInInput{Email: "dueno@uno.example", Password: password}
	known, err := w.SignIn(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	tried := 0
	for i := range 10_000 {
		_, err := w.SignIn(t.Context(), account.SignInInput{Email: "dueno@uno.example", Password: "", Address: fmt.Sprintf("198.51.%d.%d", i/256%256, i%256)})
		switch {
		case codes(err) == "SIGN_IN_FAILED":
			tried++
		case !fault.Is(err, fault.RateLimited):
			t.Fatalf("attempt %d: %v", i, err)
		}
	}
	if tried > 200 {
		t.Errorf("%d passwords were tried", tried)
	}
	if _, err := w.SignIn(t.Context(), in); !fault.Is(err, fault.RateLimited) {
		t.Errorf("an unknown browser: %v", err)
	}
	in.DeviceKey = known.DeviceKey
	if _, err := w.SignIn(t.Context(), in); err != nil {
		t.Errorf("the owner is locked out: %v", err)
	}
	in.DeviceKey = "una-llave-que-nadie-conoce-0001"
	if _, err := w.SignIn(t.Context(), in); !fault.Is(err, fault.RateLimited) {
		t.Errorf("an invented device key: %v", err)
	}
}

func TestViewAsClient(t *testing.T) {
	w := newWorld(t)
	contact := w.add("conta@uno.example", access.Invoices)
	for _, role := range []access.Role{access.Billing, access.ReadOnly} {
		if _, err := w.ViewAs(w.staff(role), w.client.ID); codes(err) != "CAPABILITY_REQUIRED" {
			t.Errorf("%s: %v", role, err)
		}
	}
	if _, err := w.ViewAs(w.as("dueno@dos.example", password), w.client.ID); codes(err) != "STAFF_ONLY" {
		t.Error(codes(err))
	}
	signed, err := w.ViewAs(w.staff(access.Support), w.client.ID)
	if err != nil {
		t.Fatal(err)
	}
	ctx := w.token(signed.Token)
	if _, err := w.Contact(ctx, contact.ID); err != nil {
		t.Fatalf("seeing: %v", err)
	}
	if _, err := w.Client(ctx, w.other.ID); !fault.Is(err, fault.NotFound) {
		t.Fatalf("another client: %v", err)
	}
	for name, err := range map[string]error{
		"add":         second(w.AddContact(ctx, w.input("nueva@uno.example", access.Invoices))),
		"update":      second(w.SetEmailPreferences(ctx, contact.ID, nil)),
		"access":      second(w.SetSubAccount(ctx, contact.ID, account.SubAccountInput{})),
		"delete":      w.DeleteContact(ctx, contact.ID),
		"suspend":     second(w.SuspendAccess(ctx, contact.ID)),
		"resend":      second(w.ResendInvitation(ctx, contact.ID)),
		"handover":    second(w.OfferHandover(ctx, contact.ID, password)),
		"factor":      second(w.SetClientSecondFactor(ctx, w.client.ID, true)),
		"preferences": second(w.SetClientEmailPreferences(ctx, w.client.ID, nil)),
		"password":    second(w.ChangePassword(ctx, account.ChangePasswordInput{Current: password})),
		"totp":        second(w.BeginTOTP(ctx, password)),
		"sessions":    w.SignOutEverywhere(ctx),
	} {
		if codes(err) != "READ_ONLY" {
			t.Errorf("%s: %q", name, codes(err))
		}
	}
	for name, err := range map[string]error{
		"staff": second(w.Staff(ctx)), "tokens": second(w.Tokens(ctx)), "add client": second(w.AddClient(ctx, account.AddClientInput{})), "view again": second(w.ViewAs(ctx, w.other.ID)),
	} {
		if codes(err) != "STAFF_ONLY" {
			t.Errorf("%s: %q", name, codes(err))
		}
	}
	if err := w.SignOut(ctx); err != nil {
		t.Fatal(err)
	}
	w.ended("after viewing", signed.Token)
	log, err := w.Audit(w.as("dueno@uno.example", password), account.AuditQuery{Client: w.client.ID, Verb: "client."}, dbPage)
	if err != nil || len(log.Rows) < 2 || log.Rows[0].Verb != "client.view-end" || log.Rows[1].Verb != "client.view" || log.Rows[1].StaffID == 0 || log.Rows[0].Kind != access.Staff {
		t.Fatalf("%+v, %v", log.Rows, err)
	}
}
