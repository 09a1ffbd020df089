package graph_test

import (
	"testing"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// partner is a contact of the bakery with a personal login, who holds invoices.
func (w *world) partner() db.Contact {
	w.t.Helper()
	row := db.Contact{ClientID: 1, Firstname: "Dora", Email: "dora@laespiga.example", Country: "MX", Language: "es-MX", Timezone: "America/Mexico_City", Topics: []mail.Topic{}}
	w.must(w.store.AddContact(w.t.Context(), &row))
	login := db.Login{Email: row.Email, PasswordHash: passwordHash(), Language: "es-MX"}
	w.must(w.store.AddLogin(w.t.Context(), &login))
	w.must(w.store.AddSubAccount(w.t.Context(), &db.SubAccount{ClientID: 1, ContactID: row.ID, LoginID: login.ID, Status: db.SubAccountActive,
		Permissions: []access.Permission{access.Invoices}}))
	w.logins["partner"] = login.ID
	return row
}

// Ownership goes from one person to another when both say so, and to nobody else.
func TestHandover(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	partner := w.partner()
	const (
		offer  = `mutation ($id: ID!, $p: String) { offerHandover(input: {contactId: $id, password: $p}) { handover { contactId offeredBy expiresAt } userErrors { code } } }`
		end    = `mutation { endHandover(input: {clientId: "cli_1"}) { userErrors { code } } }`
		accept = `mutation { acceptHandover(input: {clientId: "cli_1"}) { client { id name } token userErrors { code } } }`
		seen   = `{ handover(client: "cli_1") { contactId } }`
	)
	to := map[string]any{"id": partner.ID.String(), "p": password}
	w.wants(w.ask("accountant", offer, to), "PERMISSION_REQUIRED")
	w.wants(w.ask("assistant", offer, to), "OWNER_ONLY")
	w.wants(w.ask("stranger", offer, to), "NOT_FOUND")
	w.wants(w.ask("owner", offer, map[string]any{"id": partner.ID.String(), "p": "otra cosa"}), "PASSWORD_WRONG")
	w.wants(w.ask("owner", offer, map[string]any{"id": "con_1", "p": password}), "HANDOVER_NEEDS_PERSONAL_LOGIN")
	w.wants(w.ask("partner", accept, nil), "NOT_FOUND") // nothing was offered
	made := w.wants(w.ask("owner", offer, to), "")["handover"].(map[string]any)
	if made["contactId"] != partner.ID.String() || made["offeredBy"] != "duena@laespiga.example" || made["expiresAt"] != "2026-04-17T18:00:00Z" {
		t.Errorf("%v", made)
	}
	for actor, code := range map[string]string{"accountant": "NOT_FOUND", "stranger": "NOT_FOUND", "anonymous": "UNAUTHENTICATED", "owner": "", "partner": "", "staff": ""} {
		if got := decodeAnswer(t, w.post(actor, seen, nil)).codes(); got != code {
			t.Errorf("%s sees the offer: %q, want %q", actor, got, code)
		}
	}
	w.wants(w.ask("accountant", accept, nil), "NOT_FOUND")
	w.wants(w.ask("stranger", accept, nil), "NOT_FOUND")
	w.wants(w.ask("accountant", end, nil), "NOT_FOUND")
	w.wants(w.ask("owner", end, nil), "") // withdrawn
	w.wants(w.ask("partner", accept, nil), "NOT_FOUND")
	w.wants(w.ask("staff", offer, map[string]any{"id": partner.ID.String()}), "")
	w.wants(w.ask("partner", end, nil), "") // declined
	w.wants(w.ask("partner", accept, nil), "NOT_FOUND")
	w.wants(w.ask("owner", offer, to), "")

	w.wants(w.ask("anonymous", signInQuery, map[string]any{"email": partner.Email, "staff": false}), "")
	before := w.token
	got := w.wants(w.ask("token", accept, nil), "")
	if got["client"].(map[string]any)["id"] != "cli_1" || w.token == before {
		t.Errorf("%v", got)
	}
	w.wants(w.ask("token", accept, nil), "NOT_FOUND") // used
	for actor, owner := range map[string]bool{"token": true, "owner": false} {
		viewer := w.ask(actor, `{ viewer { clients { owner permissions } } }`, nil)
		client := viewer["clients"].([]any)[0].(map[string]any)
		if client["owner"] != owner || len(client["permissions"].([]any)) != 13 {
			t.Errorf("%s: %v", actor, client)
		}
	}
}
