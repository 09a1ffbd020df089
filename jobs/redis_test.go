package jobs_test

import (
	"strings"
	"testing"

	"github.com/alicebob/miniredis/v2/server"

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

// A server that is too old is named with its version.
func TestRedisVersion(t *testing.T) {
	t.Parallel()
	for version, refused := range map[string]bool{"5.0.14": true, "6.0.16": true, "6.2.0": false, "7.2.4": false, "8": false} {
		old, err := server.NewServer("127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(old.Close)
		for command, answer := range map[string]string{"PING": "PONG", "INFO": "# Server\r\nredis_version:" + version + "\r\nredis_mode:standalone\r\n"} {
			if err := old.Register(command, func(c *server.Peer, _ string, _ []string) { c.WriteBulk(answer) }); err != nil {
				t.Fatal(err)
			}
		}
		client, err := jobs.Connect(t.Context(), "redis://"+old.Addr().String())
		if err == nil {
			_ = client.Close()
		}
		if (err != nil) != refused || refused && err.Error() != "redis 6.2 or newer (or Valkey) is needed, this is "+version {
			t.Errorf("%s: %v", version, err)
		}
	}
}
