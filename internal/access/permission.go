// Package access decides who may do what. A permission opens a page or an operation; it has nothing
// to do with the mail a contact is sent (see mail.Topic).
package access

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Permission is what a login may open or do for one client.
type Permission string

// The 13 permissions. The product itself enforces Profile, Contacts, Invoices and Emails; it stores
// the others and answers for them, so that a company's other systems can obey them too.
const (
	Profile        Permission = "profile"
	Contacts       Permission = "contacts"
	Products       Permission = "products"
	ManageProducts Permission = "manageproducts"
	ProductSSO     Permission = "productsso"
	Domains        Permission = "domains"
	ManageDomains  Permission = "managedomains"
	Invoices       Permission = "invoices"
	Quotes         Permission = "quotes"
	Tickets        Permission = "tickets"
	Affiliates     Permission = "affiliates"
	Emails         Permission = "emails"
	Orders         Permission = "orders"
)

var permissions = []Permission{
	Profile, Contacts, Products, ManageProducts, ProductSSO, Domains, ManageDomains,
	Invoices, Quotes, Tickets, Affiliates, Emails, Orders,
}

// Permissions lists all permissions in the order people know.
func Permissions() []Permission { return slices.Clone(permissions) }

// Valid reports whether p is one of the 13.
func (p Permission) Valid() bool { return slices.Contains(permissions, p) }

// MarshalGQL writes the GraphQL enum value, the key in upper case.
func (p Permission) MarshalGQL(w io.Writer) { fmt.Fprintf(w, "%q", strings.ToUpper(string(p))) }

// UnmarshalGQL reads the GraphQL enum value. The service judges whether it exists.
func (p *Permission) UnmarshalGQL(v any) error {
	text, ok := v.(string)
	if !ok {
		return fmt.Errorf("permission must be an enum value")
	}
	*p = Permission(strings.ToLower(text))
	return nil
}

// Preset is a named set of permissions that the contact form offers with one click.
type Preset struct {
	Key         string
	Permissions []Permission
}

// Presets lists the sets people ask for: Contador, Técnico, Todo.
func Presets() []Preset {
	return []Preset{
		{"accountant", []Permission{Invoices, Emails}},
		{"technician", []Permission{Products, ManageProducts, Domains, ManageDomains, Tickets}},
		{"all", Permissions()},
	}
}
