package jobs_test

import (
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/jobs"
)

// An address that cannot be read is refused before anything is dialled, and without showing its password.
func TestRedisAddress(t *testing.T) {
	for _, address := range []string{"", "redis", "http://:secreto@host:6379", "redis://:secreto@host:x", "redis-sentinel://:secreto@host:26379/0",
		"redis-sentinel://:secreto@/0?master=m", "redis-sentinel://:secreto@host:26379/x?master=m", "redis-sentinel://:secreto@host:26379,otro:y/0?master=m",
		"redis-cluster://:secreto@host:x", "rediss-cluster://:secreto@host:6379?read_timeout=pronto", "redis-cluster://:secreto@host:6379?addr=otro&nada=1"} {
		client, err := jobs.Connect(t.Context(), address)
		if err == nil {
			_ = client.Close()
			t.Errorf("%s: accepted", address)
		} else if !strings.Contains(err.Error(), "REDIS_URL") || strings.Contains(err.Error(), "secreto") {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// An address that is one is dialled: what comes back then is about the server, and shows no password either.
func TestRedisDialled(t *testing.T) {
	t.Parallel()
	for _, address := range []string{"redis://:secreto@127.0.0.1:1/0", "rediss://:secreto@127.0.0.1:1/0",
		"redis-cluster://:secreto@127.0.0.1:1?addr=127.0.0.1:2", "rediss-cluster://:secreto@127.0.0.1:1"} {
		t.Run(address, func(t *testing.T) {
			t.Parallel()
			client, err := jobs.Connect(t.Context(), address)
			if err == nil {
				_ = client.Close()
				t.Error("connected")
			} else if !strings.Contains(err.Error(), "redis does not answer") || strings.Contains(err.Error(), "secreto") {
				t.Error(err)
			}
		})
	}
}
