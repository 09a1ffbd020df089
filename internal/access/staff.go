package access

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// Role is what a person of the company is there for.
type Role string

// The roles of staff.
const (
	Admin    Role = "admin"
	Billing  Role = "billing"
	Support  Role = "support"
	ReadOnly Role = "readonly"
)

// Roles lists all roles, the most powerful first.
func Roles() []Role { return []Role{Admin, Billing, Support, ReadOnly} }

// Valid reports whether r is a role.
func (r Role) Valid() bool { return slices.Contains(Roles(), r) }

// MarshalGQL writes the GraphQL enum value.
func (r Role) MarshalGQL(w io.Writer) { fmt.Fprintf(w, "%q", strings.ToUpper(string(r))) }

// UnmarshalGQL reads the GraphQL enum value. The service judges whether it exists.
func (r *Role) UnmarshalGQL(v any) error {
	text, ok := v.(string)
	if !ok {
		return fmt.Errorf("role must be an enum value")
	}
	*r = Role(strings.ToLower(text))
	return nil
}

// Capability is what staff, or an API token, may do for every client. It is also the scope of a token.
type Capability string

// The capabilities. Reading and changing are apart, so that a token can be given one without the other.
const (
	ReadClients     Capability = "clients:read"
	ManageClients   Capability = "clients:write"
	ReadBilling     Capability = "billing:read" // invoices, payments, documents, the ledger of reminders
	ManageBilling   Capability = "billing:write"
	ManageReminders Capability = "reminders:write"
	CheckAccess     Capability = "access:read" // may this login do X for client Y?
	ReadAudit       Capability = "audit:read"
	ViewAsClient    Capability = "clients:view-as"
	ManageCompany   Capability = "company:write" // what the company says of itself, and where clients pay to
	ManageStaff     Capability = "staff:write"   // people, their roles, API tokens, rules of sign-in
)

var capabilities = []Capability{
	ReadClients, ManageClients, ReadBilling, ManageBilling, ManageReminders, CheckAccess, ReadAudit, ViewAsClient, ManageCompany, ManageStaff,
}

// roles says what each role may do: the one place that decides it.
var roles = map[Role][]Capability{
	Admin:    capabilities,
	Billing:  {ReadClients, ReadBilling, ManageBilling, ManageReminders, CheckAccess, ReadAudit},
	Support:  {ReadClients, ManageClients, ReadBilling, ManageReminders, CheckAccess, ReadAudit, ViewAsClient},
	ReadOnly: {ReadClients, ReadBilling, CheckAccess, ReadAudit},
}

// writing names the capability that includes a reading one: a token that changes a thing must read it
// first. Every role that holds the one holds the other.
var writing = map[Capability]Capability{ReadClients: ManageClients, ReadBilling: ManageBilling}

// Capabilities lists all capabilities.
func Capabilities() []Capability { return slices.Clone(capabilities) }

// Scopes lists the capabilities that an API token can be given: a machine manages no people, who could
// then give it more, and sees as nobody.
func Scopes() []Capability {
	return slices.DeleteFunc(Capabilities(), func(c Capability) bool { return c == ManageStaff || c == ManageCompany || c == ViewAsClient })
}

// Capabilities lists what the role may do.
func (r Role) Capabilities() []Capability { return slices.Clone(roles[r]) }

// Valid reports whether c is a capability.
func (c Capability) Valid() bool { return slices.Contains(capabilities, c) }

// MarshalGQL writes the GraphQL enum value: CLIENTS_READ for clients:read.
func (c Capability) MarshalGQL(w io.Writer) { fmt.Fprintf(w, "%q", c.enum()) }

// UnmarshalGQL reads the GraphQL enum value.
func (c *Capability) UnmarshalGQL(v any) error {
	text, _ := v.(string)
	for _, known := range capabilities {
		if known.enum() == text {
			*c = known
			return nil
		}
	}
	return fmt.Errorf("scope must be an enum value")
}

func (c Capability) enum() string {
	return strings.ToUpper(strings.NewReplacer(":", "_", "-", "_").Replace(string(c)))
}

// may reports whether a member of staff or a token holds the capability.
func (a Actor) may(c Capability) bool {
	if a.Token != 0 && !slices.Contains(a.Scopes, c) && !slices.Contains(a.Scopes, writing[c]) {
		return false
	}
	return slices.Contains(roles[a.Role], c)
}

// RequireCapability is the first line of verbs of staff: nil for the system and for staff whose role,
// and whose token where one is used, includes the capability.
func RequireCapability(ctx context.Context, c Capability) error {
	a := From(ctx)
	switch {
	case a.Kind == System:
		return nil
	case a.Kind == Login:
		return fault.New(fault.Forbidden, "STAFF_ONLY")
	case a.Kind != Staff:
		return fault.New(fault.Unauthenticated, string(fault.Unauthenticated))
	case a.Unproven:
		return fault.New(fault.Forbidden, "SECOND_FACTOR_REQUIRED")
	case !a.may(c):
		return fault.New(fault.Forbidden, "CAPABILITY_REQUIRED").With("capability", string(c))
	}
	return nil
}

// reading is the capability with which staff see what a login sees with the permission.
func reading(p Permission) Capability {
	switch p {
	case Invoices, Products, ManageProducts:
		return ReadBilling
	}
	return ReadClients
}

// RequireChange is the first line of verbs that change something of a client: as Require, but staff
// need the capability, and who sees as the client changes nothing.
func RequireChange(ctx context.Context, p Permission, client id.Client, c Capability) error {
	if From(ctx).Kind != Login {
		return RequireCapability(ctx, c)
	}
	if err := Require(ctx, p, client); err != nil {
		return err
	}
	return requireOwnHand(ctx)
}

// RequireOwnerChange is RequireChange for what only the owner of the client decides.
func RequireOwnerChange(ctx context.Context, client id.Client, c Capability) error {
	if From(ctx).Kind != Login {
		return RequireCapability(ctx, c)
	}
	if err := RequireOwner(ctx, client); err != nil {
		return err
	}
	return requireOwnHand(ctx)
}

// RequirePerson is nil for a person who acts on their own account: signed in, not through a token
// and not seeing as somebody else. A person who must still prove a second factor may.
func RequirePerson(ctx context.Context) error {
	a := From(ctx)
	if a.Kind != Login && a.Kind != Staff {
		return fault.New(fault.Unauthenticated, string(fault.Unauthenticated))
	}
	if err := RequireInPerson(ctx); err != nil {
		return err
	}
	return requireOwnHand(ctx)
}

// RequireLogin is RequirePerson for people of clients.
func RequireLogin(ctx context.Context) error {
	if err := RequirePerson(ctx); err != nil {
		return err
	}
	if From(ctx).Kind != Login {
		return fault.New(fault.Forbidden, string(fault.Forbidden))
	}
	return nil
}

// RequireInPerson is nil for anybody but an API token: who may reach what, and with which proof, is not
// left to a program whose token can leak.
func RequireInPerson(ctx context.Context) error {
	if From(ctx).Token != 0 {
		return fault.New(fault.Forbidden, "PERSON_REQUIRED")
	}
	return nil
}

func requireOwnHand(ctx context.Context) error {
	if From(ctx).Viewing {
		return fault.New(fault.Forbidden, "READ_ONLY")
	}
	return nil
}
