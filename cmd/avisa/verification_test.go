package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/devstack"
	"github.com/nubedigitalmx/avisa/internal/id"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// working runs a worker until the test ends.
func (s *site) working() {
	working, stop := context.WithCancel(s.Context())
	var worker sync.WaitGroup
	worker.Go(func() {
		if err := s.app.worker().Run(working); err != nil {
			s.Error(err)
		}
	})
	s.Cleanup(func() { stop(); worker.Wait() })
}

// mail waits for a mail to the address that says the text.
func (s *site) mail(to, text string) devstack.Message {
	s.Helper()
	ctx, stop := context.WithTimeout(s.Context(), 30*time.Second)
	defer stop()
	m, err := s.mailbox.WaitFor(ctx, func(m devstack.Message) bool {
		return slices.Contains(m.To, to) && strings.Contains(m.Text, text)
	})
	if err != nil {
		s.Fatalf("no mail to %s with %q: %v", to, text, err)
	}
	return m
}

// requireConfirmation sets in the console whether new addresses must be confirmed, and reads it in the API.
func (s *site) requireConfirmation(on bool) {
	s.Helper()
	form := url.Values{}
	if on {
		form.Set("verify", "on")
	}
	if status, page := s.post(s.staff, "/consola/recordatorios/direcciones/confirmar", form); status != http.StatusOK {
		s.Fatalf("%d: %s", status, page)
	}
	var out struct{ VerifyContacts bool }
	s.must(apiClient{base: s.base}.do(s.Context(), s.token, `{ verifyContacts }`, nil, &out))
	if out.VerifyContacts != on {
		s.Fatalf("the API says %t, want %t", out.VerifyContacts, on)
	}
}

// addContact adds a contact who wants reminders by a door, and returns its client and itself.
func (s *site) addContact(door, email string) (db.Client, db.Contact) {
	s.Helper()
	client, status, page := s.client, http.StatusOK, ""
	switch door {
	case "console":
		status, page = s.post(s.staff, "/consola/clientes/"+client.ID.String()+"/contactos/nuevo", url.Values{"firstname": {"Nueva"}, "email": {email}, "country": {"MX"}, "language": {"es-MX"},
			"timezone": {s.zone}, "topics": {"invoice"}})
	case "portal":
		status, page = s.post(s.owner, "/clientes/"+client.ID.String()+"/contactos", url.Values{"firstname": {"Nueva"}, "email": {email}, "country": {"MX"}, "language": {"es-MX"},
			"timezone": {s.zone}, "topics": {"invoice"}})
	case "API":
		var out struct {
			AddContact struct{ UserErrors userErrors }
		}
		s.must(apiClient{base: s.base}.do(s.Context(), s.token, `mutation ($c: ID!, $e: String!) { addContact(input: {clientId: $c, topics: [INVOICE], details: {firstname: "Nueva", email: $e}}) { userErrors { field code message } } }`,
			map[string]any{"c": client.ID.String(), "e": email}, &out))
		s.must(out.AddContact.UserErrors.err())
	case "import":
		name := "imp-" + strings.Split(email, "@")[0]
		result, err := s.account.ImportClients(s.system(), strings.NewReader("reference,name,email,timezone,contact_email,contact_topics\n"+name+",Importado,"+name+"@importado.example,"+s.zone+","+email+",invoice\n"))
		s.must(err)
		if result.Contacts != 1 {
			s.Fatalf("imported %+v", result)
		}
		list, err := s.store.Clients(s.Context(), db.ClientFilter{Reach: access.Reach{All: true}, ExternalRef: name}, db.Page{})
		s.must(err)
		client = list.Rows[0]
	}
	if status != http.StatusOK {
		s.Fatalf("%s: %d %s", door, status, page)
	}
	list, err := s.store.Contacts(s.Context(), client.ID, db.Page{})
	s.must(err)
	at := slices.IndexFunc(list.Rows, func(row db.Contact) bool { return row.Email == email })
	if at < 0 {
		s.Fatalf("%s: %s is not there: %s", door, email, page)
	}
	return client, list.Rows[at]
}

// addressState is what the API says of a contact.
func (s *site) addressState(contact id.Contact) string {
	s.Helper()
	var out struct{ Contact struct{ AddressState string } }
	s.must(apiClient{base: s.base}.do(s.Context(), s.token, `query ($id: ID!) { contact(id: $id) { addressState } }`, map[string]any{"id": contact.String()}, &out))
	return out.Contact.AddressState
}

// reminds plans a new invoice of the client, due tomorrow, and returns what the plan says of the contact today.
func (s *site) reminds(client db.Client, contact db.Contact) string {
	s.Helper()
	s.client = client
	s.invoice = s.owe(-18, 1)
	s.plan()
	entries, err := s.reminder.ReminderPlan(s.system(), s.invoice.ID)
	s.must(err)
	return of(entries, -1, contact.ID)
}

// A contact that comes by any door while the company wants addresses confirmed is mailed the link, and no
// reminder until its person pressed the button; opening the link, as scanners of mail do, is not enough.
func TestNewContactConfirms(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.working()
	anybody := &http.Client{}
	s.requireConfirmation(true)
	for i, door := range []string{"console", "portal", "API", "import"} {
		t.Run(door, func(t *testing.T) {
			s := s.begin(t, 300+i)
			email := fmt.Sprintf("nueva@nueva%d.example", i)
			client, contact := s.addContact(door, email)
			link := s.link(s.mail(email, "/correo/confirmar/"), "confirmar")
			if got := s.reminds(client, contact); got != "skipped unverified" {
				t.Errorf("the plan says %q", got)
			}
			before := s.invoice
			if state := s.addressState(contact.ID); state != "WAITING" {
				t.Error(state)
			}
			for range 2 {
				if status, page := s.visit(anybody, link); status != http.StatusOK || !strings.Contains(page, "Confirmar mi correo") || !strings.Contains(page, "<form") {
					t.Fatalf("%d %s", status, page)
				}
			}
			if state := s.addressState(contact.ID); state != "WAITING" {
				t.Fatal("opening the link confirms: " + state)
			}
			if status, page := s.post(anybody, strings.TrimPrefix(link, s.base), nil); status != http.StatusOK || !strings.Contains(page, "Correo confirmado") {
				t.Fatalf("%d %s", status, page)
			}
			if state := s.addressState(contact.ID); state != "CONFIRMED" {
				t.Error(state)
			}
			if got := s.reminds(client, contact); got == "skipped unverified" {
				t.Errorf("the plan says %q", got)
			}
			for _, number := range []string{s.invoice.Number, before.Number} { // also what waited for the button
				s.mail(email, number)
			}
			s.plan() // again, which changes nothing
			for _, number := range []string{s.invoice.Number, before.Number} {
				about := slices.DeleteFunc(s.mails(email), func(m devstack.Message) bool { return !strings.Contains(m.Text, number) })
				if len(about) != 1 {
					t.Errorf("%d mails about %s", len(about), number)
				}
			}
		})
	}
}

// Contacts that are there when the setting is turned on stay as they are, until they change their address; with
// the setting off, nobody is asked anything.
func TestConfirmationOfKnownContacts(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.working()
	t.Run("off", func(t *testing.T) {
		s := s.begin(t, 310)
		client, contact := s.addContact("portal", "sin@caso310.example")
		if got := s.reminds(client, contact); strings.Contains(got, "unverified") {
			t.Error(got)
		}
		s.mail(contact.Email, s.invoice.Number)
		for _, m := range s.mails(contact.Email) {
			if strings.Contains(m.Text, "/correo/confirmar/") {
				t.Errorf("asked to confirm: %s", m.Subject)
			}
		}
		if state := s.addressState(contact.ID); state != "NOT_NEEDED" {
			t.Error(state)
		}
	})
	known := s.begin(t, 311)
	s.requireConfirmation(true)
	if got := known.reminds(known.client, known.contact); strings.Contains(got, "unverified") {
		t.Error(got)
	}
	known.mail(known.contact.Email, known.invoice.Number)
	for i, door := range []string{"console", "portal", "API"} {
		t.Run("changes the address in the "+door, func(t *testing.T) {
			s := s.begin(t, 320+i)
			email := fmt.Sprintf("otra@caso%d.example", 320+i)
			for _, to := range []string{strings.ToUpper(s.contact.Email), email} { // the first is the same address
				form := url.Values{"firstname": {"Contacto"}, "email": {to}, "country": {"MX"}, "language": {"en"}, "timezone": {s.zone}, "topics": {"invoice"}}
				switch door {
				case "console":
					s.post(s.staff, "/consola/contactos/"+s.contact.ID.String(), form)
				case "portal":
					s.post(s.owner, "/clientes/"+s.client.ID.String()+"/contactos/"+s.contact.ID.String(), form)
				case "API":
					var out struct {
						UpdateContact struct{ UserErrors userErrors }
					}
					s.must(apiClient{base: s.base}.do(s.Context(), s.token, `mutation ($c: ID!, $e: String!) { updateContact(input: {contactId: $c, details: {email: $e, language: EN}}) { userErrors { field code message } } }`,
						map[string]any{"c": s.contact.ID.String(), "e": to}, &out))
					s.must(out.UpdateContact.UserErrors.err())
				}
				if state := s.addressState(s.contact.ID); (state == "WAITING") != (to == email) {
					t.Errorf("%s: %s", to, state)
				}
			}
			m := s.mail(email, "/correo/confirmar/")
			if !strings.Contains(m.Subject, "Confirm your address") { // in the contact's language
				t.Error(m.Subject)
			}
			first := s.link(m, "confirmar")
			if got := s.reminds(s.client, s.contact); got != "skipped unverified" {
				t.Errorf("the plan says %q", got)
			}
			if door == "API" {
				var out struct {
					RequestContactVerification struct {
						Contact    struct{ AddressState string }
						UserErrors userErrors
					}
				}
				s.must(apiClient{base: s.base}.do(s.Context(), s.token, `mutation ($c: ID!) { requestContactVerification(input: {contactId: $c}) { contact { addressState } userErrors { field code message } } }`,
					map[string]any{"c": s.contact.ID.String()}, &out))
				s.must(out.RequestContactVerification.UserErrors.err())
			} else {
				page := map[string]struct {
					browser *http.Client
					list    string
					contact string
				}{"console": {s.staff, "/consola/clientes/" + s.client.ID.String(), "/consola/contactos/" + s.contact.ID.String()},
					"portal": {s.owner, "/clientes/" + s.client.ID.String() + "/contactos", "/clientes/" + s.client.ID.String() + "/contactos/" + s.contact.ID.String()}}[door]
				for _, path := range []string{page.list, page.contact} {
					if _, text := s.visit(page.browser, path); !strings.Contains(text, "Correo sin confirmar") && !strings.Contains(text, "Aún no se confirma") {
						t.Errorf("%s does not say that the address waits", path)
					}
				}
				if _, text := s.post(page.browser, page.contact+"/acceso", url.Values{"accion": {"confirmar"}}); !strings.Contains(text, "Le enviamos otro enlace") {
					t.Errorf("sent again: %s", text)
				}
			}
			eventually(t, "the second link", 30*time.Second, func() bool { return len(s.mails(email)) == 2 })
			second := s.link(s.mails(email)[1], "confirmar")
			ids := []string{s.mails(email)[0].MessageID, s.mails(email)[1].MessageID}
			if ids[0] == ids[1] {
				t.Error("the mail that was asked for again passes for the first one")
			}
			// Either link does; the one that was mailed to the address before would not.
			s.post(&http.Client{}, strings.TrimPrefix(first, s.base), nil)
			s.post(&http.Client{}, strings.TrimPrefix(second, s.base), nil)
			if state := s.addressState(s.contact.ID); state != "CONFIRMED" {
				t.Error(state)
			}
		})
	}
}

// Who accepts an invitation has proved the address that it was mailed to.
func TestAcceptedInvitationConfirms(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.working()
	s.requireConfirmation(true)
	s = s.begin(t, 330)
	contact, err := s.account.AddContact(s.system(), account.AddContactInput{ClientID: s.client.ID, Topics: []mail.Topic{mail.Invoice},
		Details: account.ContactDetails{Firstname: "Invitada", Email: "invitada@caso330.example", Language: "es-MX"}, SubAccount: &account.SubAccountInput{Active: true, Invite: true}})
	s.must(err)
	m := s.mail(contact.Email, "/clientes/invitacion/")
	_, token, _ := strings.Cut(m.Text, "/clientes/invitacion/")
	token, _, _ = strings.Cut(token, "\n")
	if state := s.addressState(contact.ID); state != "WAITING" {
		t.Error(state)
	}
	_, err = s.account.AcceptInvitation(t.Context(), account.AcceptInvitationInput{Token: strings.TrimSpace(token), Password: sitePassword, PasswordAgain: sitePassword})
	s.must(err)
	if state := s.addressState(contact.ID); state != "CONFIRMED" {
		t.Error(state)
	}
}
