package mail

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
)

// ID is the Message-ID, without angle brackets, of the mail of the name: the same in every attempt. It carries
// 128 bits of an HMAC-SHA-256 of the name under the installation's key, so that nobody who has not read the mail
// can report that it came back. from is the sender's address; its domain makes the id unique in the world.
func ID(key []byte, name, from string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(name))
	return name + "." + hex.EncodeToString(mac.Sum(nil)[:16]) + "@" + DomainOf(ASCII(from))
}

// ASCII is the address with a domain outside of ASCII in its ASCII form (xn--, RFC 5891), which every mail server
// takes; without one, or with one that has none, it is the address itself.
func ASCII(address string) string {
	local, domain, ok := strings.Cut(address, "@")
	if !ok || ascii(domain) {
		return address
	}
	if form, err := idna.Lookup.ToASCII(domain); err == nil {
		return local + "@" + form
	}
	return address
}

// Unicode is the address with its domain as people write it: the other way round than ASCII.
func Unicode(address string) string {
	local, domain, ok := strings.Cut(address, "@")
	if !ok {
		return address
	}
	if form, err := idna.Lookup.ToUnicode(domain); err == nil {
		return local + "@" + form
	}
	return address
}

// SameAddress reports whether two addresses are one mailbox: in any case, and with either form of the domain.
func SameAddress(a, b string) bool { return strings.EqualFold(ASCII(a), ASCII(b)) }

func ascii(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r > unicode.MaxASCII })
}

// DomainOf is the part of an address after the @, "localhost" where there is none.
func DomainOf(address string) string {
	if _, domain, ok := strings.Cut(address, "@"); ok {
		return domain
	}
	return "localhost"
}
