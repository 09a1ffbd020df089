package account_test

import (
	"context"
	"slices"
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

func (w *world) owner(ctx context.Context, client id.Client) account.Access {
	w.Helper()
	owners, err := w.Owners(ctx, []id.Client{client})
	if err != nil {
		w.Fatal(err)
	}
	return owners[client]
}

// Staff add a client; its owner comes by invitation, sets a password and holds everything.
func TestAddClientInvitesItsOwner(t *testing.T) {
	w := newWorld(t)
	support := w.staff(access.Support)
	w.work()
	client, err := w.AddClient(support, account.AddClientInput{Details: account.ClientDetails{Name: " Tres ", Email: "dueno@tres.example", Language: "en"}, ExternalRef: "whmcs-3", Invite: true})
	if err != nil || client.Name != "Tres" || client.Country != "MX" || client.Timezone != "America/Mexico_City" {
		t.Fatalf("%+v, %v", client, err)
	}
	notice := one[account.InvitationNotice](w, w.work())
	if notice.To != "dueno@tres.example" || notice.Name != "Tres" || notice.Language != "en" {
		t.Fatalf("%+v", notice)
	}
	if owner := w.owner(support, client.ID); owner.Status != db.SubAccountInvited || owner.Lapsed || owner.Invitation == nil {
		t.Fatalf("%+v", owner)
	}
	signed, err := w.AcceptInvitation(t.Context(), account.AcceptInvitationInput{Token: notice.Token, Password: password, PasswordAgain: password})
	if err != nil {
		t.Fatal(err)
	}
	ctx := w.token(signed.Token)
	if err := access.RequireOwner(ctx, client.ID); err != nil || !access.Can(ctx, access.Profile, client.ID) || access.Can(ctx, access.Invoices, w.client.ID) {
		t.Fatal("who accepted is not the owner of that client alone", err)
	}
	if owner := w.owner(support, client.ID); owner.LoginEmail != "dueno@tres.example" || owner.Status != db.SubAccountActive {
		t.Fatalf("%+v", owner)
	}
	if _, err := w.InviteOwner(support, client.ID); codes(err) != "OWNER_ACTIVE" {
		t.Fatal(codes(err))
	}
	for _, verb := range []string{"client.add", "invitation.accept"} {
		if !slices.Contains(w.verbs(client.ID), verb) {
			t.Errorf("%s is not in the log: %v", verb, w.verbs(client.ID))
		}
	}
}

// An invitation that was not accepted follows the client's address; the link in the old mail is dead.
func TestInvitationFollowsTheClientsAddress(t *testing.T) {
	w := newWorld(t)
	support := w.staff(access.Support)
	client, err := w.AddClient(support, account.AddClientInput{Details: account.ClientDetails{Name: "Tres", Email: "viejo@tres.example"}})
	if err != nil {
		t.Fatal(err)
	}
	if notices := w.work(); len(notices) > 1 { // the alert of the staff's own sign-in at most
		t.Fatalf("an uninvited owner got mail: %+v", notices)
	}
	if _, err := w.InviteOwner(support, client.ID); err != nil {
		t.Fatal(err)
	}
	old := one[account.InvitationNotice](w, w.work())
	details := account.ClientDetailsOf(client)
	details.Email = "nuevo@tres.example"
	if _, err := w.UpdateClient(support, account.UpdateClientInput{ClientID: client.ID, Details: &details}); err != nil {
		t.Fatal(err)
	}
	fresh := one[account.InvitationNotice](w, w.work())
	if fresh.To != "nuevo@tres.example" {
		t.Fatal(fresh.To)
	}
	if err := w.accept(old.Token, password); codes(err) != "LINK_UNUSABLE" {
		t.Fatal(codes(err))
	}
	if err := w.accept(fresh.Token, password); err != nil {
		t.Fatal(err)
	}
}

func TestBadClient(t *testing.T) {
	w := newWorld(t)
	support, billing := w.staff(access.Support), w.staff(access.Billing)
	good := account.ClientDetails{Name: "Tres", Email: "dueno@tres.example"}
	if _, err := w.AddClient(support, account.AddClientInput{Details: good, ExternalRef: "3"}); err != nil {
		t.Fatal(err)
	}
	all, err := w.Clients(support, account.ClientQuery{}, db.Page{})
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		err  error
		want string
	}{
		"no name, no address": {second(w.AddClient(support, account.AddClientInput{})), "name:REQUIRED email:REQUIRED"},
		"header injection":    {second(w.AddClient(support, account.AddClientInput{Details: account.ClientDetails{Name: "a\nBcc: x", Email: "b@c.example"}})), "name:CONTROL_CHARACTERS"},
		"unknown zone":        {second(w.AddClient(support, account.AddClientInput{Details: account.ClientDetails{Name: "a", Email: "b@c.example", Timezone: "Luna/Norte"}})), "timezone:TIMEZONE_UNKNOWN"},
		"the reference again": {second(w.AddClient(support, account.AddClientInput{Details: good, ExternalRef: " 3 "})), "externalRef:REFERENCE_TAKEN"},
		"a typed password":    {second(w.AddClient(support, account.AddClientInput{Details: good, Password: password})), "FORBIDDEN"},
		"by billing":          {second(w.AddClient(billing, account.AddClientInput{Details: good})), "CAPABILITY_REQUIRED"},
		"no topic domain":     {second(w.UpdateClient(support, account.UpdateClientInput{ClientID: w.client.ID, Topics: &[]mail.Topic{mail.Invoice}})), "topics:LAST_DOMAIN_ADDRESS"},
		"unknown client":      {second(w.UpdateClient(support, account.UpdateClientInput{ClientID: 999})), "NOT_FOUND"},
	} {
		if codes(c.err) != c.want {
			t.Errorf("%s: %q, want %q", name, codes(c.err), c.want)
		}
	}
	if after, err := w.Clients(support, account.ClientQuery{}, db.Page{}); err != nil || len(after.Rows) != len(all.Rows) {
		t.Fatalf("%d clients, want %d: %v", len(after.Rows), len(all.Rows), err)
	}
	if found, err := w.Clients(support, account.ClientQuery{ExternalRef: "3"}, db.Page{}); err != nil || len(found.Rows) != 1 || found.Rows[0].Name != "Tres" {
		t.Fatalf("%+v, %v", found.Rows, err)
	}
}

// The permission profile changes what the client says of itself, all of it or nothing; others may not.
func TestUpdateClientNeedsProfile(t *testing.T) {
	w := newWorld(t)
	_, with := w.person("con@perfil.example", access.Profile)
	_, without := w.person("sin@perfil.example", access.Invoices, access.Contacts)
	in := account.UpdateClientInput{ClientID: w.client.ID, Details: new(account.ClientDetailsOf(w.client)), Topics: &[]mail.Topic{mail.Domain}}
	in.Details.City = "Oaxaca"
	if _, err := w.UpdateClient(w.token(without), in); codes(err) != "PERMISSION_REQUIRED" && !fault.Is(err, fault.Forbidden) {
		t.Fatal(err)
	}
	in.Details.Email = "no es correo"
	if _, err := w.UpdateClient(w.token(with), in); codes(err) != "email:EMAIL_MALFORMED" {
		t.Fatal(codes(err))
	}
	if row, err := w.Client(w.system(), w.client.ID); err != nil || row.City != "" || len(row.Topics) != 6 {
		t.Fatalf("half of it was saved: %+v, %v", row, err)
	}
	in.Details.Email = w.client.Email
	if row, err := w.UpdateClient(w.token(with), in); err != nil || row.City != "Oaxaca" || len(row.Topics) != 1 {
		t.Fatalf("%+v, %v", row, err)
	}
	in.ExternalRef = new("mine")
	if _, err := w.UpdateClient(w.token(with), in); !fault.Is(err, fault.Forbidden) {
		t.Fatalf("a client set a reference of staff: %v", err)
	}
	if _, err := w.UpdateClient(w.token(with), account.UpdateClientInput{ClientID: w.other.ID, Details: in.Details}); codes(err) != "NOT_FOUND" {
		t.Fatal(codes(err))
	}
}

// The link of the command line makes the first administrator, and lets one back in; a used one is dead.
func TestAdminLink(t *testing.T) {
	w := newWorld(t)
	token, until, err := w.AdminLink(w.system(), account.AdminLinkInput{Email: "jefa@empresa.example"})
	if err != nil || !until.After(w.clock) {
		t.Fatal(until, err)
	}
	if len(w.work()) != 0 {
		t.Fatal("a printed link was mailed too")
	}
	set := func(token, password string) error {
		return w.CompletePasswordReset(t.Context(), account.CompleteResetInput{Token: token, Password: password, PasswordAgain: password})
	}
	if err := set(token, password); err != nil {
		t.Fatal(err)
	}
	if err := set(token, password); codes(err) != "LINK_UNUSABLE" {
		t.Fatal(codes(err))
	}
	signed, err := w.SignIn(t.Context(), account.SignInInput{Email: "jefa@empresa.example", Password: password, Staff: true})
	if err != nil {
		t.Fatal(err)
	}
	if people, err := w.Staff(w.token(signed.Token)); err != nil || len(people) != 1 || people[0].Name != "jefa" || people[0].Role != access.Admin {
		t.Fatalf("%+v, %v", people, err)
	}
	if token, _, err = w.AdminLink(w.system(), account.AdminLinkInput{Email: "JEFA@empresa.example"}); err != nil {
		t.Fatal(err)
	}
	if err := set(token, "otra clave larga de prueba"); err != nil {
		t.Fatal(err)
	}
	w.ended("after a new password", signed.Token)
	w.staff(access.Support)
	if _, _, err := w.AdminLink(w.system(), account.AdminLinkInput{Email: "support@empresa.example"}); codes(err) != "email:STAFF_NOT_ADMIN" {
		t.Fatal(codes(err))
	}
	if _, _, err := w.AdminLink(w.staff(access.Billing), account.AdminLinkInput{Email: "x@empresa.example"}); !fault.Is(err, fault.Forbidden) {
		t.Fatal(err)
	}
}
