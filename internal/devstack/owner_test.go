package devstack

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain lets the test binary play the program that owns the servers: run
// again with this variable it starts them, prints their addresses, and waits to
// be killed.
func TestMain(m *testing.M) {
	if dir := os.Getenv("DEVSTACK_TEST_OWNER"); dir != "" {
		own(dir, os.Getenv("DEVSTACK_TEST_EPHEMERAL") != "")
	}
	os.Exit(m.Run())
}

func own(dir string, ephemeral bool) {
	ctx := context.Background()
	opts := Options{Dir: dir, Ephemeral: ephemeral}
	pg, err := StartPostgres(ctx, opts)
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	rd, err := StartRedis(ctx, opts)
	if err != nil {
		fmt.Println("error", err)
		os.Exit(1)
	}
	fmt.Println(pg.URL("postgres"), rd.URL(), pg.Dir())
	select {}
}

// owner is a running copy of this binary that owns the servers in a folder.
type owner struct {
	cmd                         *exec.Cmd
	postgresURL, redisURL, base string
}

func startOwner(t *testing.T, dir string, ephemeral bool) owner {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), "DEVSTACK_TEST_OWNER="+dir)
	if ephemeral {
		cmd.Env = append(cmd.Env, "DEVSTACK_TEST_EPHEMERAL=1")
	}
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	fields := strings.Fields(line)
	if err != nil || len(fields) != 3 || fields[0] == "error" {
		t.Fatalf("owner said %q (%v)", line, err)
	}
	return owner{cmd, fields[0], fields[1], fields[2]}
}

// kill9 kills the owner and nothing else, and waits for its end.
func (o owner) kill9(t *testing.T) {
	t.Helper()
	if err := o.cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = o.cmd.Wait()
}

// testDir is a folder that the server's own user may enter, as root too:
// t.TempDir's parents are private to us.
func testDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "avisa-devstack-test-") //nolint:usetesting // see above
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func waitUntil(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); !ok(); time.Sleep(pollInterval) {
		if time.Now().After(deadline) {
			t.Fatalf("timed out: %s", what)
		}
	}
}
