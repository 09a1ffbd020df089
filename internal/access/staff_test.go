package access

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

func code(err error) string {
	if e, ok := fault.As(err); ok {
		return e.Code
	}
	return ""
}

// The table of roles, as a reviewer reads it.
func TestRoles(t *testing.T) {
	const table = `
clients:read     admin billing support readonly
clients:write    admin support
billing:read     admin billing support readonly
billing:write    admin billing
reminders:write  admin billing support
access:read      admin billing support readonly
audit:read       admin billing support readonly
clients:view-as  admin support
company:write    admin
staff:write      admin`
	lines := strings.Split(strings.TrimSpace(table), "\n")
	if len(lines) != len(Capabilities()) {
		t.Fatalf("%d capabilities, the table holds %d", len(Capabilities()), len(lines))
	}
	for _, line := range lines {
		words := strings.Fields(line)
		for _, role := range append(Roles(), "", "root") {
			err := RequireCapability(With(context.Background(), Actor{Kind: Staff, Staff: 1, Role: role}), Capability(words[0]))
			if want := slices.Contains(words[1:], string(role)); (err == nil) != want {
				t.Errorf("%q, %s: %v, want %t", role, words[0], err, want)
			}
		}
	}
}

// What each kind of actor gets for reading and for changing a client's contacts.
func TestReadAndChange(t *testing.T) {
	const client, other = id.Client(1), id.Client(2)
	login := func(grants ...Grant) Actor { return Actor{Kind: Login, Login: 7, Grants: grants} }
	viewing := login(Grant{Client: client, Owner: true})
	viewing.Viewing, viewing.Staff = true, 3
	locked := login()
	locked.Locked = []id.Client{client}
	unproven := Actor{Kind: Staff, Staff: 1, Role: Admin, Unproven: true}
	for name, c := range map[string]struct {
		actor                Actor
		read, change, ownerC string
	}{
		"anonymous":          {Actor{Kind: Anonymous}, "UNAUTHENTICATED", "UNAUTHENTICATED", "UNAUTHENTICATED"},
		"zero":               {Actor{}, "UNAUTHENTICATED", "UNAUTHENTICATED", "UNAUTHENTICATED"},
		"system":             {SystemActor(), "", "", ""},
		"owner":              {login(Grant{Client: client, Owner: true}), "", "", ""},
		"contacts":           {login(Grant{Client: client, Permissions: []Permission{Contacts}}), "", "", "OWNER_ONLY"},
		"invoices":           {login(Grant{Client: client, Permissions: []Permission{Invoices}}), "PERMISSION_REQUIRED", "PERMISSION_REQUIRED", "OWNER_ONLY"},
		"another owner":      {login(Grant{Client: other, Owner: true}), "NOT_FOUND", "NOT_FOUND", "NOT_FOUND"},
		"no access":          {login(), "NOT_FOUND", "NOT_FOUND", "NOT_FOUND"},
		"locked":             {locked, "SECOND_FACTOR_REQUIRED", "SECOND_FACTOR_REQUIRED", "SECOND_FACTOR_REQUIRED"},
		"viewing":            {viewing, "", "READ_ONLY", "READ_ONLY"},
		"admin":              {Actor{Kind: Staff, Staff: 1, Role: Admin}, "", "", ""},
		"support":            {Actor{Kind: Staff, Staff: 1, Role: Support}, "", "", ""},
		"billing":            {Actor{Kind: Staff, Staff: 1, Role: Billing}, "", "CAPABILITY_REQUIRED", "CAPABILITY_REQUIRED"},
		"readonly":           {Actor{Kind: Staff, Staff: 1, Role: ReadOnly}, "", "CAPABILITY_REQUIRED", "CAPABILITY_REQUIRED"},
		"unproven admin":     {unproven, "SECOND_FACTOR_REQUIRED", "SECOND_FACTOR_REQUIRED", "SECOND_FACTOR_REQUIRED"},
		"token, no scope":    {Actor{Kind: Staff, Staff: 1, Role: Admin, Token: 5}, "CAPABILITY_REQUIRED", "CAPABILITY_REQUIRED", "CAPABILITY_REQUIRED"},
		"token, read":        {Actor{Kind: Staff, Staff: 1, Role: Admin, Token: 5, Scopes: []Capability{ReadClients}}, "", "CAPABILITY_REQUIRED", "CAPABILITY_REQUIRED"},
		"token, write":       {Actor{Kind: Staff, Staff: 1, Role: Admin, Token: 5, Scopes: []Capability{ReadClients, ManageClients}}, "", "", ""},
		"token, write alone": {Actor{Kind: Staff, Staff: 1, Role: Admin, Token: 5, Scopes: []Capability{ManageClients}}, "", "", ""},
		"token, other write": {Actor{Kind: Staff, Staff: 1, Role: Admin, Token: 5, Scopes: []Capability{ManageBilling}}, "CAPABILITY_REQUIRED", "CAPABILITY_REQUIRED", "CAPABILITY_REQUIRED"},
		"token above person": {Actor{Kind: Staff, Staff: 1, Role: Billing, Token: 5, Scopes: []Capability{ReadClients, ManageClients}}, "", "CAPABILITY_REQUIRED", "CAPABILITY_REQUIRED"},
	} {
		ctx := With(context.Background(), c.actor)
		for what, got := range map[string][2]string{
			"read":         {code(Require(ctx, Contacts, client)), c.read},
			"change":       {code(RequireChange(ctx, Contacts, client, ManageClients)), c.change},
			"owner change": {code(RequireOwnerChange(ctx, client, ManageClients)), c.ownerC},
		} {
			if got[0] != got[1] {
				t.Errorf("%s, %s: %q, want %q", name, what, got[0], got[1])
			}
		}
	}
}

// A scope that writes includes the one that reads the same, and nothing of what the person's role lacks.
func TestWritingIncludesReading(t *testing.T) {
	for read, write := range writing {
		for _, role := range Roles() {
			ctx := With(context.Background(), Actor{Kind: Staff, Staff: 1, Role: role, Token: 5, Scopes: []Capability{write}})
			if want := slices.Contains(roles[role], read); (RequireCapability(ctx, read) == nil) != want {
				t.Errorf("%s with the scope %s reads: %t", role, write, !want)
			}
			if slices.Contains(roles[role], write) && !slices.Contains(roles[role], read) {
				t.Errorf("%s writes %s and reads none", role, write)
			}
		}
	}
}
