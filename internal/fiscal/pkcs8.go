package fiscal

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/des" //nolint:gosec // the SAT encrypts its .key files with 3DES; it is only read here
	"crypto/pbkdf2"
	"crypto/rsa"
	"crypto/sha1" //nolint:gosec // PBKDF2 with HMAC-SHA1 is the default of RFC 8018, and what the SAT uses
	"crypto/sha256"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"errors"
	"hash"
)

// Errors of decryptKey.
var (
	errKeyFormat   = errors.New("not an encrypted PKCS#8 key")
	errKeyPassword = errors.New("wrong password")
)

// Object identifiers of RFC 8018 and its ciphers.
var (
	oidPBES2      = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 13}
	oidPBKDF2     = asn1.ObjectIdentifier{1, 2, 840, 113549, 1, 5, 12}
	oidHMACSHA1   = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 7}
	oidHMACSHA256 = asn1.ObjectIdentifier{1, 2, 840, 113549, 2, 9}
	oidDESEDE3CBC = asn1.ObjectIdentifier{1, 2, 840, 113549, 3, 7}
	oidAES128CBC  = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 2}
	oidAES256CBC  = asn1.ObjectIdentifier{2, 16, 840, 1, 101, 3, 4, 1, 42}
)

type encryptedKey struct {
	Algorithm pkix.AlgorithmIdentifier
	Data      []byte
}

type pbes2Params struct{ KDF, Cipher pkix.AlgorithmIdentifier }

type pbkdf2Params struct {
	Salt       []byte
	Iterations int
	KeyLength  int                      `asn1:"optional"`
	PRF        pkix.AlgorithmIdentifier `asn1:"optional"`
}

// maxIterations bounds the work that an uploaded file can ask for.
const maxIterations = 2_000_000

// decryptKey opens a .key file: a PKCS#8 EncryptedPrivateKeyInfo with PBES2 (RFC 8018),
// PBKDF2 with HMAC-SHA1 or SHA256, and 3DES-CBC, AES-128-CBC or AES-256-CBC.
func decryptKey(der []byte, password string) (*rsa.PrivateKey, error) {
	var (
		key    encryptedKey
		scheme pbes2Params
		kdf    pbkdf2Params
		iv     []byte
	)
	if rest, err := asn1.Unmarshal(der, &key); err != nil || len(rest) > 0 || !key.Algorithm.Algorithm.Equal(oidPBES2) {
		return nil, errKeyFormat
	}
	if _, err := asn1.Unmarshal(key.Algorithm.Parameters.FullBytes, &scheme); err != nil || !scheme.KDF.Algorithm.Equal(oidPBKDF2) {
		return nil, errKeyFormat
	}
	if _, err := asn1.Unmarshal(scheme.KDF.Parameters.FullBytes, &kdf); err != nil || kdf.Iterations < 1 || kdf.Iterations > maxIterations {
		return nil, errKeyFormat
	}
	if _, err := asn1.Unmarshal(scheme.Cipher.Parameters.FullBytes, &iv); err != nil {
		return nil, errKeyFormat
	}

	var prf func() hash.Hash
	switch id := kdf.PRF.Algorithm; {
	case id == nil, id.Equal(oidHMACSHA1):
		prf = sha1.New
	case id.Equal(oidHMACSHA256):
		prf = sha256.New
	default:
		return nil, errKeyFormat
	}
	var newCipher func([]byte) (cipher.Block, error)
	var length int
	switch id := scheme.Cipher.Algorithm; {
	case id.Equal(oidDESEDE3CBC):
		newCipher, length = des.NewTripleDESCipher, 24
	case id.Equal(oidAES128CBC):
		newCipher, length = aes.NewCipher, 16
	case id.Equal(oidAES256CBC):
		newCipher, length = aes.NewCipher, 32
	default:
		return nil, errKeyFormat
	}
	derived, err := pbkdf2.Key(prf, password, kdf.Salt, kdf.Iterations, length)
	if err != nil {
		return nil, errKeyFormat
	}
	block, err := newCipher(derived)
	if err != nil || len(iv) != block.BlockSize() || len(key.Data) == 0 || len(key.Data)%block.BlockSize() != 0 {
		return nil, errKeyFormat
	}
	plain := make([]byte, len(key.Data))
	cipher.NewCBCDecrypter(block, iv).CryptBlocks(plain, key.Data)

	pad := int(plain[len(plain)-1])
	if pad == 0 || pad > block.BlockSize() || !bytes.HasSuffix(plain, bytes.Repeat(plain[len(plain)-1:], pad)) {
		return nil, errKeyPassword
	}
	parsed, err := x509.ParsePKCS8PrivateKey(plain[:len(plain)-pad])
	if err != nil {
		return nil, errKeyPassword
	}
	private, ok := parsed.(*rsa.PrivateKey)
	if !ok {
		return nil, errKeyFormat
	}
	return private, nil
}
