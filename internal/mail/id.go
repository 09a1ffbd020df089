package mail

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
)

// ID is the Message-ID, without angle brackets, of the mail of the name: the same in every attempt. It carries
// 128 bits of an HMAC-SHA-256 of the name under the installation's key, so that nobody who has not read the mail
// can report that it came back. from is the sender's address; its domain makes the id unique in the world.
func ID(key []byte, name, from string) string {
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(name))
	return name + "." + hex.EncodeToString(mac.Sum(nil)[:16]) + "@" + DomainOf(from)
}

// DomainOf is the part of an address after the @, "localhost" where there is none.
func DomainOf(address string) string {
	if _, domain, ok := strings.Cut(address, "@"); ok {
		return domain
	}
	return "localhost"
}
