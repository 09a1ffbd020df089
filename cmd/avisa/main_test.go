package main

import (
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/devstack"
)

// The test binary is the product too: with AVISA_TEST_RUN set it runs a command, so that tests can
// start real processes and kill them.
func TestMain(m *testing.M) {
	if os.Getenv("AVISA_TEST_RUN") != "" {
		os.Exit(run(os.Args[1:], os.Stderr))
	}
	os.Exit(m.Run())
}

// program starts a command of the product as its own process.
func program(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(append(os.Environ(), "AVISA_TEST_RUN=1"), env...)
	cmd.Stdout, cmd.Stderr = t.Output(), t.Output()
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if cmd.ProcessState == nil {
			_ = cmd.Process.Kill()
			_, _ = cmd.Process.Wait()
		}
	})
	return cmd
}

// kill ends a process without a warning.
func kill(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
}

// outside is what a process of the product connects to.
type outside struct {
	store   *db.Store
	redis   *devstack.Redis
	mailbox *devstack.Mailbox
	env     []string
	dsn     string
	planned int // reminders, by planMany
}

func newOutside(t *testing.T) *outside {
	t.Helper()
	return outsideOf(t, dbtest.URL(t))
}

// outsideOf is newOutside over a database of the caller's.
func outsideOf(t *testing.T, dsn string) *outside {
	t.Helper()
	o := &outside{dsn: dsn}
	var err error
	if o.store, err = db.Open(t.Context(), dsn, 4); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.store.Close() })
	if o.redis, err = devstack.StartRedis(t.Context(), devstack.Options{Ephemeral: true}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.redis.Stop(context.Background()) })
	if o.mailbox, err = devstack.StartMailbox("127.0.0.1:0", devstack.EnvelopesOnly()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.mailbox.Close() })
	files, err := folderURL(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	o.env = []string{"DATABASE_URL=" + dsn, "REDIS_URL=" + o.redis.URL(), "SMTP_URL=smtp://" + o.mailbox.Addr() + "?tls=none", "BLOB_URL=" + files,
		"AVISA_ENV=development", "AVISA_LEASE=2s", "AVISA_DATA=" + t.TempDir()}
	return o
}

// serving starts a web server and waits until it can work.
func serving(t *testing.T, o *outside) (cmd *exec.Cmd, base string) {
	t.Helper()
	address := freePort(t)
	cmd = program(t, append(slices.Clone(o.env), "AVISA_ADDR="+address), "serve")
	base = "http://" + address
	ready(t, base, 30*time.Second)
	return cmd, base
}

// ready waits until a web server can work.
func ready(t *testing.T, base string, within time.Duration) {
	t.Helper()
	eventually(t, base+" answers", within, func() bool {
		response, err := http.Get(base + "/readyz")
		if err != nil {
			return false
		}
		_ = response.Body.Close()
		return response.StatusCode == http.StatusOK
	})
}

// freePort is a port that nobody listens on.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// eventually waits until the condition holds.
func eventually(t *testing.T, what string, within time.Duration, condition func() bool) {
	t.Helper()
	for deadline := time.Now().Add(within); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if condition() {
			return
		}
	}
	t.Fatalf("not within %s: %s", within, what)
}
