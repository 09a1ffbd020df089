package jobs_test

import (
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/jobs"
)

// An address that cannot be read is refused before anything is dialled, and without showing its password.
func TestRedisAddress(t *testing.T) {
	for _, address := range []string{"", "redis", "http://:secreto@host:6379", "redis://:secreto@host:x", "redis-sentinel://:secreto@host:26379/0",
		"redis-sentinel://:secreto@/0?master=m", "redis-sentinel://:secreto@host:26379/x?master=m", "redis-sentinel://:secreto@host:26379,otro:y/0?master=m"} {
		client, err := jobs.Connect(t.Context(), address)
		if err == nil {
			_ = client.Close()
			t.Errorf("%s: accepted", address)
		} else if !strings.Contains(err.Error(), "REDIS_URL") || strings.Contains(err.Error(), "secreto") {
			t.Errorf("%s: %v", address, err)
		}
	}
}
