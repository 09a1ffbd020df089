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
	"encoding/hex"
	"errors"
	"strconv"
)

// MinKey is the least length of a configured key in bytes.
const MinKey = 32

// ErrOpen is returned for what was not sealed by this box for this purpose.
var ErrOpen = errors.New("sealed value cannot be opened: wrong key, purpose or damaged")

// Box seals values with AES-256-GCM and derives tokens with HMAC-SHA-256. All keys come from the
// configured one by HKDF (RFC 5869), so that no use weakens another. What an earlier configured key made
// is still opened and recognised, while that key is given too.
type Box struct {
	current keys
	earlier []keys
}

type keys struct {
	id   string
	aead cipher.AEAD
	mac  []byte
}

// New makes a box from a configured key, any text of at least MinKey bytes, best random ones, and from keys
// that were in its place before.
func New(key string, earlier ...string) (*Box, error) {
	current, err := derive(key)
	if err != nil {
		return nil, err
	}
	box := &Box{current: current}
	for _, key := range earlier {
		old, err := derive(key)
		if err != nil {
			return nil, err
		}
		box.earlier = append(box.earlier, old)
	}
	return box, nil
}

func derive(key string) (keys, error) {
	if len(key) < MinKey {
		return keys{}, errors.New("the secret key is too short: at least 32 characters, for example from `openssl rand -hex 32`")
	}
	var parts [3][]byte
	for i, use := range []string{"avisa seal v1", "avisa token v1", "avisa id v1"} {
		part, err := hkdf.Key(sha256.New, []byte(key), nil, use, 32)
		if err != nil {
			return keys{}, err
		}
		parts[i] = part
	}
	block, err := aes.NewCipher(parts[0])
	if err != nil {
		return keys{}, err
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	return keys{id: hex.EncodeToString(parts[2][:6]), aead: aead, mac: parts[1]}, err
}

// ID names the current key without telling anything about it: it is written beside what only that key
// can recognise.
func (b *Box) ID() string { return b.current.id }

// Seal encrypts plain. context names what the value is and whose ("totp", "log_42"): it is
// authenticated, so that a sealed value cannot be moved to another row.
func (b *Box) Seal(plain []byte, context ...string) []byte {
	return b.current.aead.Seal(nil, nil, plain, bind(context)) //nolint:gosec // this AEAD makes a random nonce itself
}

// Open decrypts what Seal made with the same context, under the current key or an earlier one.
func (b *Box) Open(sealed []byte, context ...string) ([]byte, error) {
	for _, k := range b.all() {
		if plain, err := k.aead.Open(nil, nil, sealed, bind(context)); err == nil {
			return plain, nil
		}
	}
	return nil, ErrOpen
}

// Reseal encrypts under the current key what an earlier one sealed; changed is false for what the current
// one sealed already.
func (b *Box) Reseal(sealed []byte, context ...string) (out []byte, changed bool, err error) {
	if _, err := b.current.aead.Open(nil, nil, sealed, bind(context)); err == nil {
		return sealed, false, nil
	}
	plain, err := b.Open(sealed, context...)
	if err != nil {
		return nil, false, err
	}
	return b.Seal(plain, context...), true, nil
}

// MAC is a keyed hash of the parts, for values with too little randomness for a plain hash.
func (b *Box) MAC(parts ...string) []byte { return b.current.hash(parts) }

// MACs are the keyed hashes under the current key and the earlier ones: what a stored one may be.
func (b *Box) MACs(parts ...string) [][]byte {
	list := [][]byte{}
	for _, k := range b.all() {
		list = append(list, k.hash(parts))
	}
	return list
}

// Token derives an unguessable text from the parts: the same parts give the same token, so that a
// repeated mail carries the same link and the token itself is stored nowhere.
func (b *Box) Token(parts ...string) string { return b.Tokens(parts...)[0] }

// Tokens are the tokens of the parts under the current key, which comes first, and the earlier ones.
func (b *Box) Tokens(parts ...string) []string {
	list := []string{}
	for _, mac := range b.MACs(parts...) {
		list = append(list, base64.RawURLEncoding.EncodeToString(mac))
	}
	return list
}

func (b *Box) all() []keys { return append([]keys{b.current}, b.earlier...) }

func (k keys) hash(parts []string) []byte {
	h := hmac.New(sha256.New, k.mac)
	h.Write(bind(parts))
	return h.Sum(nil)
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
