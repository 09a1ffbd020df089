package devstack

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func startRedis(t *testing.T, opts Options) *Redis {
	t.Helper()
	r, err := StartRedis(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = r.Stop(context.Background()) })
	return r
}

func redisClient(t *testing.T, url string) *redis.Client {
	t.Helper()
	options, err := redis.ParseURL(url)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func setKey(t *testing.T, url, key, value string) {
	t.Helper()
	client := redisClient(t, url)
	if err := client.Set(t.Context(), key, value, 0).Err(); err != nil {
		t.Fatal(err)
	}
	// An append-only file is flushed each second; ask for it now.
	_ = client.Do(t.Context(), "WAITAOF", 1, 0, 1000).Err()
}

func getKey(t *testing.T, url, key string) string {
	t.Helper()
	value, err := redisClient(t, url).Get(t.Context(), key).Result()
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// sleepIn runs a program that is no server with its working folder in dir.
func sleepIn(t *testing.T, dir string) int {
	t.Helper()
	cmd := exec.Command("sleep", "60")
	cmd.Dir = dir
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return cmd.Process.Pid
}

func TestRedis(t *testing.T) {
	t.Parallel()
	for _, inProcess := range []bool{false, true} {
		name := "installed"
		if inProcess {
			name = "in process"
		}
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := testDir(t)
			r := startRedis(t, Options{Dir: dir, InProcess: inProcess})
			if inProcess != (r.Kind == KindInProcess) {
				t.Skipf("no server is installed, got %s", r.Kind)
			}
			setKey(t, r.URL(), "kept", "7")
			bare := redis.NewClient(&redis.Options{Addr: r.addr()})
			if err := bare.Get(t.Context(), "kept").Err(); err == nil || !strings.Contains(err.Error(), "NOAUTH") {
				t.Errorf("without the password: %v", err)
			}
			_ = bare.Close()

			before := r.URL()
			r.Kill()
			if err := redisClient(t, before).Ping(t.Context()).Err(); err == nil {
				t.Error("the killed server answers")
			}
			for range 2 { // after a crash, and while it runs
				if err := r.Restart(t.Context()); err != nil {
					t.Fatal(err)
				}
				if r.URL() != before {
					t.Error("the address changed")
				}
				if got := getKey(t, before, "kept"); got != "7" {
					t.Errorf("kept = %q", got)
				}
			}

			client := redisClient(t, before)
			if err := client.Set(t.Context(), "short", "1", time.Second).Err(); err != nil {
				t.Fatal(err)
			}
			waitUntil(t, "the key expires", func() bool { return client.Exists(t.Context(), "short").Val() == 0 })
			if err := r.Stop(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestRedisOneOwnerPerFolder(t *testing.T) {
	t.Parallel()
	dir := testDir(t)
	if r := startRedis(t, Options{Dir: dir}); r.Kind == KindInProcess {
		t.Skip("no server is installed")
	}
	if _, err := StartRedis(t.Context(), Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("second start on the same folder: %v", err)
	}
}

func TestRedisNeitherInstalledNorNew(t *testing.T) {
	bin := t.TempDir()
	script := "#!/bin/sh\necho 'Redis server v=5.0.3 sha=00000000:0 malloc=jemalloc'\n"
	if err := os.WriteFile(filepath.Join(bin, "redis-server"), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	saved := redisFolders
	t.Cleanup(func() { redisFolders = saved })
	redisFolders = nil
	t.Setenv("PATH", bin)
	r := startRedis(t, Options{Dir: t.TempDir()})
	if r.Kind != KindInProcess {
		t.Errorf("kind = %s", r.Kind)
	}
	setKey(t, r.URL(), "a", "1")
}
