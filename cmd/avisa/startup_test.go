package main

import (
	"bytes"
	"context"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/devstack"
)

// What cannot start says why in one clear line, without secrets, and exits with an error.
func TestStartupTrouble(t *testing.T) {
	t.Parallel()
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = taken.Close() })
	dsn := dbtest.URL(t)
	files, err := folderURL(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	behind := dbtest.URL(t)
	dbtest.Exec(t, behind, "DELETE FROM migration WHERE name = (SELECT max(name) FROM migration)")
	redis, err := devstack.StartRedis(t.Context(), devstack.Options{Ephemeral: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = redis.Stop(context.Background()) })
	for _, c := range []struct {
		name string
		args []string
		env  []string
		want string
	}{
		{"no command", nil, nil, "avisa demo"},
		{"unknown command", []string{"sirve"}, nil, `unknown command "sirve"`},
		{"unknown environment", []string{"demo"}, []string{"AVISA_ENV=staging"}, "AVISA_ENV"},
		{"port taken", []string{"demo", "--once"}, []string{"AVISA_ADDR=" + taken.Addr().String()}, "is taken by another program"},
		{"demo in production", []string{"demo"}, []string{"AVISA_ENV=production", "AVISA_BASE_URL=https://a.example"}, "does not run with AVISA_ENV=production"},
		{"seed in production", []string{"seed"}, []string{"AVISA_ENV=production", "AVISA_BASE_URL=https://a.example"}, "demo data never go into a production database"},
		{"plain http in production", []string{"serve"}, []string{"AVISA_BASE_URL=http://a.example"}, "must begin with https://"},
		{"nothing set", []string{"work"}, []string{"AVISA_ENV=development"}, "not set: DATABASE_URL, REDIS_URL, SMTP_URL, BLOB_URL (see"},
		{"nothing set in production", []string{"serve"}, nil, "not set: DATABASE_URL, REDIS_URL, BLOB_URL, AVISA_BASE_URL, AVISA_SECRET (see"},
		{"migrating needs the database alone", []string{"migrate"}, nil, "not set: DATABASE_URL (see"},
		{"schema of an earlier version", []string{"serve"}, []string{"AVISA_ENV=development", "DATABASE_URL=" + behind, "REDIS_URL=" + redis.URL(), "BLOB_URL=" + files}, "lacks 1 migrations of this version: run `avisa migrate` first"},
		{"port of the figures taken", []string{"serve"}, []string{"AVISA_ENV=development", "DATABASE_URL=" + dsn, "REDIS_URL=" + redis.URL(), "BLOB_URL=" + files, "AVISA_ADDR=127.0.0.1:0", "AVISA_METRICS_ADDR=" + taken.Addr().String()}, "another port with AVISA_METRICS_ADDR="},
		{"DSN that is none", []string{"migrate"}, []string{"AVISA_ENV=development", "DATABASE_URL=postgres://u:hunter2@:::"}, "DATABASE_URL is not a valid PostgreSQL address"},
		{"no PostgreSQL there", []string{"migrate"}, []string{"AVISA_ENV=development", "DATABASE_URL=postgres://u:hunter2@127.0.0.1:1/x"}, "PostgreSQL at 127.0.0.1:1"},
		{"no Redis there", []string{"serve"}, []string{"AVISA_ENV=development", "DATABASE_URL=" + dsn, "REDIS_URL=redis://:hunter2@127.0.0.1:1", "BLOB_URL=" + files}, "redis does not answer"},
		{"Redis address that is none", []string{"serve"}, []string{"AVISA_ENV=development", "DATABASE_URL=" + dsn, "REDIS_URL=hunter2", "BLOB_URL=" + files}, "REDIS_URL is not a valid Redis address"},
		{"SMTP address that is none", []string{"work"}, []string{"AVISA_ENV=development", "DATABASE_URL=" + dsn, "REDIS_URL=" + redis.URL(), "BLOB_URL=" + files, "SMTP_URL=hunter2"}, "SMTP_URL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), os.Args[0], c.args...)
			for _, entry := range os.Environ() {
				if name, _, _ := strings.Cut(entry, "="); !strings.HasPrefix(name, "AVISA_") && !strings.HasSuffix(name, "_URL") {
					cmd.Env = append(cmd.Env, entry)
				}
			}
			cmd.Env = append(append(cmd.Env, "AVISA_TEST_RUN=1", "AVISA_DATA="+t.TempDir()), c.env...)
			var stderr bytes.Buffer
			cmd.Stderr = &stderr
			if err := cmd.Run(); err == nil {
				t.Fatal("exit status 0")
			}
			out := stderr.String()
			if !strings.Contains(out, c.want) || strings.Contains(out, "hunter2") || strings.Contains(out, "goroutine") {
				t.Errorf("%q lacks %q, or shows what it must not", out, c.want)
			}
			if lines := strings.Count(strings.TrimSpace(out), "\n"); len(c.args) > 0 && c.name != "unknown command" && lines > 0 {
				t.Errorf("%d lines instead of one: %q", lines+1, out)
			}
		})
	}
}
