package account

import (
	"cmp"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"strings"
	"sync"

	"golang.org/x/crypto/argon2"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/fault"
)

// Lengths of a password in characters. The upper bound keeps hashing cheap for us, not for people.
const (
	minPassword = 10
	maxPassword = 128
)

// Argon is what deriving a password's key costs, by Argon2id with one lane. The zero value is the second
// choice of parameters of RFC 9106 section 4, lowered to what the OWASP password storage cheat sheet asks for
// at least: 19 MiB, 2 passes.
type Argon struct {
	Memory uint32 // KiB
	Passes uint32
}

const (
	argonLanes = 1
	argonKey   = 32 // bytes
)

// derive is the key derivation; tests count its runs.
var derive = argon2.IDKey

// hashing bounds the memory that concurrent sign-ins can take.
var hashing = make(chan struct{}, 8)

// Hash returns the PHC string of a password.
func (a Argon) Hash(password string) db.Secret {
	memory, passes := cmp.Or(a.Memory, 19*1024), cmp.Or(a.Passes, 2)
	salt := make([]byte, 16)
	_, _ = rand.Read(salt)
	key := argon(password, salt, passes, memory, argonLanes)
	return db.Secret(fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, memory, passes, argonLanes,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(key)))
}

func argon(password string, salt []byte, passes, memory uint32, lanes uint8) []byte {
	hashing <- struct{}{}
	defer func() { <-hashing }()
	return derive([]byte(password), salt, passes, memory, lanes, argonKey)
}

// check compares in constant time. It takes as long for a hash that does not exist as for one that does,
// so that the time tells nobody which accounts exist.
func (a Argon) check(hash db.Secret, password string) bool {
	exists := hash != ""
	if !exists {
		absent, ok := placeholders.Load(a)
		if !ok {
			absent, _ = placeholders.LoadOrStore(a, a.Hash("no account has this password"))
		}
		hash, _ = absent.(db.Secret)
	}
	var version int
	var memory, passes uint32
	var lanes uint8
	parts := strings.Split(string(hash), "$")
	if len(parts) != 6 || len(password) > 4*maxPassword {
		return false
	}
	if _, err := fmt.Sscanf(parts[2]+" "+parts[3], "v=%d m=%d,t=%d,p=%d", &version, &memory, &passes, &lanes); err != nil {
		return false
	}
	salt, err1 := base64.RawStdEncoding.DecodeString(parts[4])
	want, err2 := base64.RawStdEncoding.DecodeString(parts[5])
	if err1 != nil || err2 != nil {
		return false
	}
	return subtle.ConstantTimeCompare(want, argon(password, salt, passes, memory, lanes)) == 1 && exists
}

// placeholders are what a password is compared with when there is no account, by cost.
var placeholders sync.Map

// checkPolicy notes what is wrong with a new password: length by NIST SP 800-63B section 5.1.1.2,
// no composition rules, nothing that anybody would guess first.
func checkPolicy(checks *fault.Checks, path, password, email string) {
	n := len([]rune(password))
	lower, address := strings.ToLower(password), strings.ToLower(email)
	local, _, _ := strings.Cut(address, "@")
	switch {
	case n < minPassword:
		checks.Add(path, "PASSWORD_TOO_SHORT", "min", minPassword)
	case n > maxPassword:
		checks.Add(path, "PASSWORD_TOO_LONG", "max", maxPassword)
	case predictable(lower):
		checks.Add(path, "PASSWORD_TOO_COMMON")
	case len(local) >= 4 && strings.Contains(lower, local), address != "" && strings.Contains(lower, address):
		checks.Add(path, "PASSWORD_CONTAINS_EMAIL")
	}
}

// predictable is true for one or two repeated characters, runs like 1234567890 and the words that
// every guessing list starts with, however they are padded with digits.
func predictable(lower string) bool {
	distinct := map[rune]bool{}
	for _, r := range lower {
		distinct[r] = true
	}
	if len(distinct) <= 2 {
		return true
	}
	for _, run := range []string{"01234567890123456789", "98765432109876543210", "abcdefghijklmnopqrstuvwxyz", "qwertyuiopasdfghjklzxcvbnm"} {
		if strings.Contains(run, lower) {
			return true
		}
	}
	switch strings.Trim(lower, "0123456789!.*-_@#$ ") {
	case "password", "contraseña", "contrasena", "qwerty", "qwertyuiop", "admin", "administrador", "welcome", "bienvenido", "iloveyou", "tequiero", "mexico", "letmein", "password1", "passw0rd", "":
		return true
	}
	return false
}
