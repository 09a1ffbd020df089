// Package secret keeps what the database must hold but must not give away: it seals values and
// derives tokens under one key that is in the process's configuration alone.
package secret

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strconv"
)

// MinKey is the least length of a configured key in bytes.
const MinKey = 32

// ErrOpen is returned for what was not sealed by this box for this purpose.
var ErrOpen = errors.New("sealed value cannot be opened: wrong key, purpose or damaged")

// Box seals values with AES-256-GCM and derives tokens with HMAC-SHA-256. Both keys come from the
// configured one by HKDF (RFC 5869), so that neither use weakens the other.
type Box struct {
	aead cipher.AEAD
	mac  []byte
}

// New makes a box from a configured key: any text of at least MinKey bytes, best random ones.
func New(key string) (*Box, error) {
	if len(key) < MinKey {
		return nil, errors.New("the secret key is too short: at least 32 characters, for example from `openssl rand -hex 32`")
	}
	sealing, err := hkdf.Key(sha256.New, []byte(key), nil, "avisa seal v1", 32)
	if err != nil {
		return nil, err
	}
	mac, err := hkdf.Key(sha256.New, []byte(key), nil, "avisa token v1", 32)
	if err != nil {
		return nil, err
	}
	block, err := aes.NewCipher(sealing)
	if err != nil {
		return nil, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return nil, err
	}
	return &Box{aead: aead, mac: mac}, nil
}

// Seal encrypts plain. context names what the value is and whose ("totp", "log_42"): it is
// authenticated, so that a sealed value cannot be moved to another row.
func (b *Box) Seal(plain []byte, context ...string) []byte {
	return b.aead.Seal(nil, nil, plain, bind(context)) //nolint:gosec // this AEAD makes a random nonce itself
}

// Open decrypts what Seal made with the same context.
func (b *Box) Open(sealed []byte, context ...string) ([]byte, error) {
	plain, err := b.aead.Open(nil, nil, sealed, bind(context))
	if err != nil {
		return nil, ErrOpen
	}
	return plain, nil
}

// MAC is a keyed hash of the parts, for values with too little randomness for a plain hash.
func (b *Box) MAC(parts ...string) []byte {
	h := hmac.New(sha256.New, b.mac)
	h.Write(bind(parts))
	return h.Sum(nil)
}

// Token derives an unguessable text from the parts: the same parts give the same token, so that a
// repeated mail carries the same link and the token itself is stored nowhere.
func (b *Box) Token(parts ...string) string {
	return base64.RawURLEncoding.EncodeToString(b.MAC(parts...))
}

// Random is a new unguessable text of 256 bits, safe in addresses and cookies.
func Random() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw)
	return base64.RawURLEncoding.EncodeToString(raw)
}

// bind joins parts with their lengths, so that different lists never give the same bytes.
func bind(parts []string) []byte {
	var out []byte
	for _, p := range parts {
		out = append(strconv.AppendInt(out, int64(len(p)), 10), ':')
		out = append(out, p...)
	}
	return out
}
