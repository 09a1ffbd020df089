package access

import (
	"context"
	"slices"

	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/id"
)

// Kind is the sort of actor behind a request.
type Kind string

// The kinds of actor.
const (
	Anonymous Kind = "anonymous"
	Login     Kind = "login"  // a person of one or more clients
	Staff     Kind = "staff"  // a person of the company
	System    Kind = "system" // background work and command-line verbs
)

// Grant is what a login holds for one client.
type Grant struct {
	Client      id.Client
	SubAccount  id.SubAccount
	Contact     id.Contact // 0 for the owner
	Owner       bool       // holds every permission
	Permissions []Permission
}

// Holds reports whether the grant includes p.
func (g Grant) Holds(p Permission) bool { return g.Owner || slices.Contains(g.Permissions, p) }

// Actor is who acts. The zero value is an anonymous visitor.
type Actor struct {
	Kind     Kind
	Login    id.Login
	Staff    id.Staff
	Session  id.Session
	Name     string
	Email    string
	Language string
	Grants   []Grant // of a login, in force now: active and not expired

	Role     Role         // of staff
	Token    id.Token     // of an API token: staff act through it
	Scopes   []Capability // of an API token: at most these of the role
	Viewing  bool         // staff who see as a client: Kind is Login, nothing can be changed
	Unproven bool         // staff who must prove a second factor first
	Locked   []id.Client  // clients of a login that ask for a second factor, which this session has not proved

	Address string // network address the request came from
	Device  string // user agent of the request
	Request string // id of the request, shown with internal errors and in the log
}

// Grant returns what the actor holds for the client, and whether it holds anything.
func (a Actor) Grant(client id.Client) (Grant, bool) {
	for _, g := range a.Grants {
		if g.Client == client {
			return g, true
		}
	}
	return Grant{}, false
}

// SystemActor acts for the product itself: jobs, seeds and the command line.
func SystemActor() Actor { return Actor{Kind: System, Name: "system"} }

type key struct{}

// With puts the actor into the context. Only doors and commands call it, after they have
// authenticated the caller.
func With(ctx context.Context, a Actor) context.Context { return context.WithValue(ctx, key{}, a) }

// From returns the actor; an anonymous one when there is none.
func From(ctx context.Context) Actor {
	a, ok := ctx.Value(key{}).(Actor)
	if !ok {
		return Actor{Kind: Anonymous}
	}
	return a
}

// Require is the first line of every verb about a client: nil when the actor may use the permission
// for that client. Staff and the system may; a login may when it holds the permission. Verbs that
// change something ask RequireChange instead. A client the
// login has nothing to do with is NotFound, never Forbidden, so that ids cannot be probed.
func Require(ctx context.Context, p Permission, client id.Client) error {
	a := From(ctx)
	switch a.Kind {
	case Staff, System:
		return RequireCapability(ctx, reading(p))
	case Login:
		g, ok := a.Grant(client)
		if !ok {
			return a.missing(client)
		}
		if !g.Holds(p) {
			return fault.New(fault.Forbidden, "PERMISSION_REQUIRED").With("permission", string(p))
		}
		return nil
	}
	return fault.New(fault.Unauthenticated, string(fault.Unauthenticated))
}

// RequireMember is Require for what every login of a client may see, such as the client's name.
func RequireMember(ctx context.Context, client id.Client) error {
	a := From(ctx)
	if a.Kind == Login {
		if _, ok := a.Grant(client); ok {
			return nil
		}
		return a.missing(client)
	}
	return RequireCapability(ctx, ReadClients)
}

// missing is the answer for a client that the login does not reach now.
func (a Actor) missing(client id.Client) error {
	if slices.Contains(a.Locked, client) {
		return fault.New(fault.Forbidden, "SECOND_FACTOR_REQUIRED")
	}
	return fault.Missing()
}

// RequireOwner is nil for the owner of the client, staff and the system.
func RequireOwner(ctx context.Context, client id.Client) error {
	return RequireOwnerOr(ctx, client, ReadClients)
}

// RequireOwnerOr is nil for the owner of the client, staff with the capability and the system.
func RequireOwnerOr(ctx context.Context, client id.Client, c Capability) error {
	a := From(ctx)
	if a.Kind != Login {
		return RequireCapability(ctx, c)
	}
	g, ok := a.Grant(client)
	if !ok {
		return a.missing(client)
	}
	if !g.Owner {
		return fault.New(fault.Forbidden, "OWNER_ONLY")
	}
	return nil
}

// RequireStaff is nil for staff of any role and the system. A login is told that it is not allowed. It
// is enough for what all staff may see; verbs that change something ask RequireCapability.
func RequireStaff(ctx context.Context) error { return RequireCapability(ctx, ReadClients) }

// RequireSystem is nil for background work only.
func RequireSystem(ctx context.Context) error {
	if From(ctx).Kind == System {
		return nil
	}
	return fault.New(fault.Forbidden, string(fault.Forbidden))
}

// RequireSignedIn is nil for anybody but an anonymous visitor.
func RequireSignedIn(ctx context.Context) error {
	if From(ctx).Kind == Anonymous {
		return fault.New(fault.Unauthenticated, string(fault.Unauthenticated))
	}
	return nil
}

// Can asks Require without an error, for hiding what cannot be used.
func Can(ctx context.Context, p Permission, client id.Client) bool {
	return Require(ctx, p, client) == nil
}

// CanGrant reports whether the actor may give the permission to somebody: nobody grants what they
// do not hold themselves.
func CanGrant(ctx context.Context, p Permission, client id.Client) bool {
	return RequireChange(ctx, p, client, ManageClients) == nil
}

// Reach limits a list to what the actor may see.
type Reach struct {
	All     bool        // staff and system: no limit
	Clients []id.Client // a login: these clients, possibly none
}

// Scope returns the reach of the actor for lists of things under the permission; "" asks for
// membership alone.
func Scope(ctx context.Context, p Permission) (Reach, error) {
	a := From(ctx)
	switch a.Kind {
	case Staff, System:
		if err := RequireCapability(ctx, reading(p)); err != nil {
			return Reach{}, err
		}
		return Reach{All: true}, nil
	case Login:
		clients := []id.Client{}
		for _, g := range a.Grants {
			if p == "" || g.Holds(p) {
				clients = append(clients, g.Client)
			}
		}
		return Reach{Clients: clients}, nil
	}
	return Reach{}, fault.New(fault.Unauthenticated, string(fault.Unauthenticated))
}
