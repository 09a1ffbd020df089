package account_test

import (
	"sync"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/fault"
)

var dbPage = db.Page{}

func TestHandoverAsksBothSides(t *testing.T) {
	w := newWorld(t)
	owner := w.as("dueno@uno.example", password)
	contact, token := w.person("ana@persona.example", access.Invoices)
	other, otherToken := w.person("eva@persona.example", access.Contacts)
	home := w.add("hogar@uno.example", access.Invoices)
	w.work()

	if _, err := w.OfferHandover(w.token(otherToken), contact.ID, password); codes(err) != "OWNER_ONLY" {
		t.Fatal(codes(err))
	}
	if _, err := w.OfferHandover(owner, contact.ID, "no es esta"); codes(err) != "password:PASSWORD_WRONG" {
		t.Fatal(codes(err))
	}
	if _, err := w.OfferHandover(owner, home.ID, password); codes(err) != "HANDOVER_NEEDS_PERSONAL_LOGIN" {
		t.Fatal(codes(err))
	}
	if _, err := w.AcceptHandover(w.token(token), w.client.ID); !fault.Is(err, fault.NotFound) {
		t.Fatalf("accepted what nobody offered: %v", err)
	}
	if _, err := w.OfferHandover(owner, contact.ID, password); err != nil {
		t.Fatal(err)
	}
	if n := one[account.HandoverNotice](w, w.work()); n.To != "ana@persona.example" || n.Client != "Uno" {
		t.Fatalf("%+v", n)
	}
	if _, err := w.AcceptHandover(w.token(otherToken), w.client.ID); !fault.Is(err, fault.NotFound) {
		t.Fatalf("somebody else accepted: %v", err)
	}
	if _, err := w.Handover(w.token(otherToken), w.client.ID); !fault.Is(err, fault.NotFound) {
		t.Fatalf("somebody else sees the offer: %v", err)
	}
	if g, _ := access.From(w.token(token)).Grant(w.client.ID); g.Owner {
		t.Fatal("an offer alone made an owner")
	}
	signed, err := w.AcceptHandover(w.token(token), w.client.ID)
	if err != nil {
		t.Fatal(err)
	}
	w.ended("the session before the rotation", token)
	if g, _ := access.From(w.token(signed.Token)).Grant(w.client.ID); !g.Owner {
		t.Fatal("the new owner is none")
	}
	former := w.as("dueno@uno.example", password)
	g, ok := access.From(former).Grant(w.client.ID)
	if !ok || g.Owner || !g.Holds(access.Profile) || g.Contact == 0 {
		t.Fatalf("the former owner: %+v", g)
	}
	if _, err := w.OfferHandover(former, other.ID, password); codes(err) != "OWNER_ONLY" {
		t.Fatal(codes(err))
	}
	row, err := w.Contact(w.system(), contact.ID)
	if err != nil || len(row.Topics) != 1 {
		t.Fatalf("the new owner's preferences: %v, %v", row.Topics, err)
	}
	// The new owner can take the former one's access away, and nobody can touch the owner.
	if _, err := w.SetSubAccount(w.token(signed.Token), g.Contact, account.SubAccountInput{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.SignIn(t.Context(), account.SignInInput{Email: "dueno@uno.example", Password: password}); codes(err) != "SIGN_IN_FAILED" {
		t.Fatal(codes(err))
	}
}

func TestHandoverEnds(t *testing.T) {
	for name, end := range map[string]func(w *world, token string) error{
		"declined":  func(w *world, token string) error { return w.EndHandover(w.token(token), w.client.ID) },
		"withdrawn": func(w *world, _ string) error { return w.EndHandover(w.as("dueno@uno.example", password), w.client.ID) },
		"too late":  func(w *world, _ string) error { w.clock = w.clock.AddDate(0, 0, 8); return nil },
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			contact, token := w.person("ana@persona.example", access.Invoices)
			if _, err := w.OfferHandover(w.as("dueno@uno.example", password), contact.ID, password); err != nil {
				t.Fatal(err)
			}
			if err := end(w, token); err != nil {
				t.Fatal(err)
			}
			if _, err := w.AcceptHandover(w.token(token), w.client.ID); !fault.Is(err, fault.NotFound) {
				t.Fatalf("%v", err)
			}
		})
	}
}

// However often it is accepted at once, the client has one owner, at every moment.
func TestOneOwner(t *testing.T) {
	w := newWorld(t)
	contact, token := w.person("ana@persona.example", access.Invoices)
	if _, err := w.OfferHandover(w.as("dueno@uno.example", password), contact.ID, password); err != nil {
		t.Fatal(err)
	}
	ctx := w.token(token)
	results := make([]error, 5)
	var group sync.WaitGroup
	for i := range results {
		group.Go(func() { _, results[i] = w.AcceptHandover(ctx, w.client.ID) })
	}
	group.Wait()
	won := 0
	for _, err := range results {
		if err == nil {
			won++
		} else if !fault.Is(err, fault.NotFound) {
			t.Error(err)
		}
	}
	if owner, err := w.Store.OwnerOf(t.Context(), w.client.ID); won != 1 || err != nil || owner.LoginID != access.From(ctx).Login {
		t.Fatalf("accepted %d times; owner %v, %v", won, owner.LoginID, err)
	}
}
