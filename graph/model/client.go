package model

import (
	"github.com/99designs/gqlgen/graphql"

	"github.com/nubedigitalmx/avisa/internal/account"
)

// ClientDetailsChanges are the details to be changed: what is left out stays.
type ClientDetailsChanges struct {
	Name        graphql.Omittable[*string]
	Email       graphql.Omittable[*string]
	Phonenumber graphql.Omittable[*string]
	TaxID       graphql.Omittable[*string]
	Address1    graphql.Omittable[*string]
	Address2    graphql.Omittable[*string]
	City        graphql.Omittable[*string]
	State       graphql.Omittable[*string]
	Postcode    graphql.Omittable[*string]
	Country     graphql.Omittable[*string]
	Language    graphql.Omittable[*string]
	Timezone    graphql.Omittable[*string]
}

// Apply writes the changes over the details; null empties a field.
func (c ClientDetailsChanges) Apply(d *account.ClientDetails) {
	for _, f := range []struct {
		to     *string
		change graphql.Omittable[*string]
	}{
		{&d.Name, c.Name}, {&d.Email, c.Email},
		{&d.Phonenumber, c.Phonenumber}, {&d.TaxID, c.TaxID}, {&d.Address1, c.Address1}, {&d.Address2, c.Address2},
		{&d.City, c.City}, {&d.State, c.State}, {&d.Postcode, c.Postcode}, {&d.Country, c.Country},
		{&d.Language, c.Language}, {&d.Timezone, c.Timezone},
	} {
		if value, given := f.change.ValueOK(); given && value != nil {
			*f.to = *value
		} else if given {
			*f.to = ""
		}
	}
}
