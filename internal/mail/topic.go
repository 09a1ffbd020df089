// Package mail is the vocabulary of mail: the topics people choose, a message, and what sends it.
package mail

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// Topic is an email preference: what a contact, or the client itself, is sent. It opens no page
// (see access.Permission).
type Topic string

// The six topics.
const (
	General   Topic = "general"
	Product   Topic = "product"
	Domain    Topic = "domain"
	Invoice   Topic = "invoice"
	Support   Topic = "support"
	Affiliate Topic = "affiliate"
)

var topics = []Topic{General, Product, Domain, Invoice, Support, Affiliate}

// Topics lists all topics in the order people know.
func Topics() []Topic { return slices.Clone(topics) }

// Valid reports whether t is one of the six.
func (t Topic) Valid() bool { return slices.Contains(topics, t) }

// MarshalGQL writes the GraphQL enum value, the key in upper case.
func (t Topic) MarshalGQL(w io.Writer) { fmt.Fprintf(w, "%q", strings.ToUpper(string(t))) }

// UnmarshalGQL reads the GraphQL enum value. The service judges whether it exists.
func (t *Topic) UnmarshalGQL(v any) error {
	text, ok := v.(string)
	if !ok {
		return fmt.Errorf("topic must be an enum value")
	}
	*t = Topic(strings.ToLower(text))
	return nil
}
