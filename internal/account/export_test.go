package account

import "sync"

// runs counts the key derivations by password, so that tests that run at the same time do not meet.
var runs struct {
	sync.Mutex
	of map[string]int
}

func init() {
	inner := derive
	runs.of = map[string]int{}
	derive = func(password, salt []byte, time, memory uint32, threads uint8, keyLen uint32) []byte {
		runs.Lock()
		runs.of[string(password)]++
		runs.Unlock()
		return inner(password, salt, time, memory, threads, keyLen)
	}
}

// Derivations is how often a key was derived from the password.
func Derivations(password string) int {
	runs.Lock()
	defer runs.Unlock()
	return runs.of[password]
}
