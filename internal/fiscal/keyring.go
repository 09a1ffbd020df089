package fiscal

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"errors"
	"fmt"
)

// Keyring keeps private keys encrypted at rest: each secret has a data key of its own
// (AES-256-GCM), which is encrypted with a key of the ring. Rotation re-encrypts only data keys.
//
// Format: version (1) | length of id | id | nonce + data key + tag | nonce + secret + tag.
// The id and the caller's context (for example the RFC and NoCertificado) are authenticated, so
// a blob cannot be moved to another record.
type Keyring struct {
	current string
	keys    map[string]cipher.AEAD
}

// Errors of a Keyring. They never contain key material.
var (
	ErrKeyringKey    = errors.New("fiscal: keyring_key_invalid: keys are 32 bytes with an id of 1 to 100 bytes")
	ErrKeyUnknown    = errors.New("fiscal: keyring_key_unknown: the secret was encrypted with a key that is not configured")
	ErrSecretDamaged = errors.New("fiscal: secret_damaged: it does not decrypt")
)

const (
	keyringVersion = 1
	dataKeySize    = 32
	nonceSize      = 12
	tagSize        = 16
)

// NewKeyring returns a ring that encrypts with the key called current and decrypts with all.
func NewKeyring(current string, keys map[string][]byte) (*Keyring, error) {
	k := &Keyring{current: current, keys: map[string]cipher.AEAD{}}
	for id, key := range keys {
		if len(key) != dataKeySize || id == "" || len(id) > 100 {
			return nil, ErrKeyringKey
		}
		aead, err := newGCM(key)
		if err != nil {
			return nil, err
		}
		k.keys[id] = aead
	}
	if k.keys[current] == nil {
		return nil, ErrKeyUnknown
	}
	return k, nil
}

func newGCM(key []byte) (cipher.AEAD, error) {
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, ErrKeyringKey
	}
	return cipher.NewGCM(block)
}

// Encrypt seals a secret for a context.
func (k *Keyring) Encrypt(secret []byte, context string) ([]byte, error) {
	dataKey := make([]byte, dataKeySize)
	_, _ = rand.Read(dataKey) // never fails (crypto/rand)
	defer clear(dataKey)
	blob := k.wrap(dataKey, context)
	data, err := newGCM(dataKey)
	if err != nil {
		return nil, err
	}
	return sealTo(blob, data, secret, context), nil
}

// Decrypt opens what Encrypt sealed for the same context.
func (k *Keyring) Decrypt(blob []byte, context string) ([]byte, error) {
	dataKey, rest, err := k.unwrap(blob, context)
	if err != nil {
		return nil, err
	}
	defer clear(dataKey)
	data, err := newGCM(dataKey)
	if err != nil {
		return nil, err
	}
	return open(data, rest, context)
}

// Rotate re-encrypts a blob's data key with the current key. It reports false, and the same
// blob, when that is already so.
func (k *Keyring) Rotate(blob []byte, context string) ([]byte, bool, error) {
	id, err := KeyID(blob)
	if err != nil {
		return nil, false, err
	}
	dataKey, rest, err := k.unwrap(blob, context)
	if err != nil {
		return nil, false, err
	}
	defer clear(dataKey)
	if id == k.current {
		return blob, false, nil
	}
	return append(k.wrap(dataKey, context), rest...), true, nil
}

// KeyID is the id of the ring's key that a blob needs.
func KeyID(blob []byte) (string, error) {
	if len(blob) < 3 || blob[0] != keyringVersion || len(blob) < 2+int(blob[1])+2*nonceSize+dataKeySize+2*tagSize {
		return "", ErrSecretDamaged
	}
	return string(blob[2 : 2+blob[1]]), nil
}

func (k *Keyring) wrap(dataKey []byte, context string) []byte {
	blob := append([]byte{keyringVersion, byte(len(k.current))}, k.current...)
	return sealTo(blob, k.keys[k.current], dataKey, k.current+"\x00"+context)
}

func (k *Keyring) unwrap(blob []byte, context string) (dataKey, rest []byte, err error) {
	id, err := KeyID(blob)
	if err != nil {
		return nil, nil, err
	}
	key := k.keys[id]
	if key == nil {
		return nil, nil, fmt.Errorf("%w (%q)", ErrKeyUnknown, id)
	}
	wrapped := blob[2+len(id):]
	size := nonceSize + dataKeySize + tagSize
	dataKey, err = open(key, wrapped[:size], id+"\x00"+context)
	return dataKey, wrapped[size:], err
}

func sealTo(dst []byte, aead cipher.AEAD, plain []byte, context string) []byte {
	nonce := make([]byte, nonceSize)
	_, _ = rand.Read(nonce)
	return aead.Seal(append(dst, nonce...), nonce, plain, []byte(context))
}

func open(aead cipher.AEAD, sealed []byte, context string) ([]byte, error) {
	if len(sealed) < nonceSize+tagSize {
		return nil, ErrSecretDamaged
	}
	plain, err := aead.Open(nil, sealed[:nonceSize], sealed[nonceSize:], []byte(context))
	if err != nil {
		return nil, ErrSecretDamaged
	}
	return plain, nil
}
