package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/internal/devstack"
	"github.com/nubedigitalmx/avisa/jobs"
)

// redisNode is one server of a Redis that a sentinel watches, or the sentinel.
type redisNode struct {
	cmd  *exec.Cmd
	port string
}

// startNode runs redis-server with the settings and waits until its port answers.
func startNode(t *testing.T, settings string, args ...string) redisNode {
	t.Helper()
	_, port, err := net.SplitHostPort(freePort(t))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "redis.conf")
	settings = fmt.Sprintf("port %s\nbind 127.0.0.1\ndir %s\nsave \"\"\nlogfile %s\n%s", port, dir, filepath.Join(dir, "log"), settings)
	if err := os.WriteFile(file, []byte(settings), 0o600); err != nil {
		t.Fatal(err)
	}
	n := redisNode{cmd: exec.Command("redis-server", append([]string{file}, args...)...), port: port}
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := n.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.kill)
	eventually(t, "redis-server answers", 20*time.Second, func() bool {
		conn, err := net.Dial("tcp", "127.0.0.1:"+port)
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	})
	return n
}

// kill ends the server without a warning.
func (n redisNode) kill() {
	if n.cmd.ProcessState == nil {
		_ = n.cmd.Process.Kill()
		_ = n.cmd.Wait()
	}
}

// The master of a Redis with Sentinel is killed in the middle of 1,000 reminders: two workers go on with the
// replica that takes over, everything arrives, and nothing twice. What the replica had not heard of yet, the
// relay hands out again from PostgreSQL.
func TestRedisFailoverWhileSending(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("no redis-server on this machine")
	}
	const secrets = "requirepass clave-de-datos\nmasterauth clave-de-datos\nrepl-diskless-sync-delay 0\n"
	master := startNode(t, secrets)
	replica := startNode(t, secrets+"replicaof 127.0.0.1 "+master.port+"\n")
	sentinel := startNode(t, strings.ReplaceAll(`requirepass clave-de-centinela
sentinel monitor principal 127.0.0.1 MASTER 1
sentinel auth-pass principal clave-de-datos
sentinel down-after-milliseconds principal 1000
sentinel failover-timeout principal 5000
`, "MASTER", master.port), "--sentinel")
	url := "redis-sentinel://:clave-de-datos@127.0.0.1:" + sentinel.port + "/0?master=principal&sentinel_password=clave-de-centinela"
	role := func() (text string) {
		client, err := jobs.Connect(t.Context(), fmt.Sprintf("redis://:clave-de-datos@127.0.0.1:%s/0", replica.port))
		if err != nil {
			return err.Error()
		}
		defer func() { _ = client.Close() }()
		info, err := client.Info(t.Context(), "replication").Result()
		return errors.Join(err, errors.New(info)).Error()
	}
	eventually(t, "the replica follows", 20*time.Second, func() bool { return strings.Contains(role(), "master_link_status:up") })
	eventually(t, "the sentinel knows the replica", 30*time.Second, func() bool {
		out, _ := exec.CommandContext(t.Context(), "redis-cli", "-p", sentinel.port, "-a", "clave-de-centinela", "--no-auth-warning", "sentinel", "replicas", "principal").Output()
		return strings.Contains(string(out), replica.port)
	})

	o := newOutside(t)
	o.env = append(o.env, "REDIS_URL="+url)
	o.planMany(t, 1000)
	o.mailbox.Fail(func(string, string) *devstack.SMTPFailure { return &devstack.SMTPFailure{Stall: 5 * time.Millisecond} })
	program(t, o.env, "work")
	program(t, o.env, "work")
	o.waitForMails(t, 200)
	master.kill()
	before := o.mailbox.Total()
	eventually(t, "the replica takes over", 30*time.Second, func() bool { return strings.Contains(role(), "role:master") })
	if before > 900 {
		t.Fatalf("%d mails had arrived: the test proves nothing", before)
	}
	o.settled(t)
	o.verify(t, 0)
}

// A Redis Cluster carries the queue, and the counts of sign-ins.
func TestRedisCluster(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("redis-server"); err != nil {
		t.Skip("no redis-server on this machine")
	}
	node := startNode(t, "requirepass clave-de-datos\ncluster-enabled yes\ncluster-config-file nodes.conf\n")
	cluster := func(args ...string) string {
		out, _ := exec.CommandContext(t.Context(), "redis-cli", append([]string{"-p", node.port, "-a", "clave-de-datos", "--no-auth-warning", "cluster"}, args...)...).CombinedOutput()
		return string(out)
	}
	slots := []string{"addslots"} // all of them: the range has a command of its own since Redis 7 only
	for slot := range 16384 {
		slots = append(slots, strconv.Itoa(slot))
	}
	cluster(slots...)
	eventually(t, "the cluster is complete", 20*time.Second, func() bool { return strings.Contains(cluster("info"), "cluster_state:ok") })

	o := newOutside(t)
	o.env = append(o.env, "REDIS_URL=redis-cluster://:clave-de-datos@127.0.0.1:"+node.port)
	o.planMany(t, 300)
	program(t, o.env, "work")
	_, base := serving(t, o)
	// An account may be tried ten times a minute; on a slow machine the minute goes on meanwhile.
	failed, limited := 0, false
	for attempt := 0; attempt < 50 && !limited; attempt++ {
		var out struct {
			SignIn struct{ UserErrors userErrors }
		}
		if err := (apiClient{base: base}).do(t.Context(), "", `mutation { signIn(input: {email: "nadie@caso.example", password: "x"}) { userErrors { code } } }`, nil, &out); err != nil {
			t.Fatal(err)
		}
		for _, e := range out.SignIn.UserErrors {
			limited = limited || e.Code == "RATE_LIMITED"
			if e.Code == "SIGN_IN_FAILED" {
				failed++
			}
		}
	}
	if failed < 10 || !limited {
		t.Errorf("%d attempts were answered, limited: %t", failed, limited)
	}
	o.settled(t)
	o.verify(t, 0)
}

// PostgreSQL has no room left in the middle of 1,000 reminders, for some seconds, with two workers: nothing is
// lost, and no more goes out twice than was in flight when its notes could not be written.
func TestDiskFullWhileSending(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "avisa-disk-") //nolint:usetesting // the account that PostgreSQL runs under must reach it
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=320m,mode=0755"); err != nil {
		t.Skipf("a small disk cannot be made here: %v", err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, syscall.MNT_DETACH) })
	server, err := devstack.StartPostgres(t.Context(), devstack.Options{Ephemeral: true, Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop(context.Background()) })
	if !strings.HasPrefix(server.Dir(), dir) {
		t.Skipf("PostgreSQL cannot work in %s", dir)
	}
	if err := server.CreateDatabase(t.Context(), "avisa"); err != nil {
		t.Fatal(err)
	}
	o := outsideOf(t, server.URL("avisa")+"&synchronous_commit=on")
	o.env = append(o.env, "AVISA_LEASE=6s") // so that notes outlast the restart
	if _, err := o.store.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	o.planMany(t, 3000)
	o.mailbox.Fail(func(string, string) *devstack.SMTPFailure { return &devstack.SMTPFailure{Stall: 2 * time.Millisecond} })
	program(t, o.env, "work")
	program(t, o.env, "work")
	o.waitForMails(t, 300)

	ballast := filepath.Join(dir, "ballast")
	fill(t, ballast)
	stopped := int64(-1)
	eventually(t, "nothing more goes out", 30*time.Second, func() bool {
		before := o.mailbox.Total()
		time.Sleep(time.Second)
		fill(t, ballast) // what the server had given back
		stopped = o.mailbox.Total()
		return stopped == before
	})
	if stopped >= int64(o.planned) {
		t.Fatal("all mails had arrived: the test proves nothing")
	}
	t.Logf("%d of %d mails had arrived when there was no room left", stopped, o.planned)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	select {
	case <-server.Ended(): // it gives up when it cannot write its log
		t.Log("the server had ended: it is started again")
		if err := server.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
	default:
	}
	o.settled(t)
	o.verify(t, 2*concurrency)
}

// fill writes to the file until the disk is full.
func fill(t *testing.T, path string) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	for _, size := range []int{1 << 20, 4096, 512} {
		block := make([]byte, size)
		for err = nil; err == nil; {
			_, err = file.Write(block)
		}
		if !errors.Is(err, syscall.ENOSPC) {
			t.Fatal(err)
		}
	}
}
