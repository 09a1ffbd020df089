package devstack

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
)

// The values of Redis.Kind.
const (
	KindRedis     = "redis-server"
	KindValkey    = "valkey-server"
	KindInProcess = "miniredis" // in this process; its data end with it
)

const redisPrefix = "avisa-redis-"

// Redis is a running private Redis.
type Redis struct {
	// Kind says what runs: KindRedis, KindValkey or KindInProcess.
	Kind string
	// Port is the TCP port on 127.0.0.1; it stays the same over Restart.
	Port int

	opts     Options
	program  string
	base     string
	password string
	lock     *folderLock // of a folder that is kept
	remove   func()      // the folder that is not
	proc     *process
	mini     *miniRedis
	log      *slog.Logger
}

// Ended is closed when the server that runs now has ended, for whatever reason;
// it never is for KindInProcess.
func (r *Redis) Ended() <-chan struct{} {
	if r.proc == nil {
		return nil
	}
	return r.proc.done
}

// StartRedis starts the redis-server or valkey-server (6.2 or newer) found on
// this machine, else miniredis inside this process, and waits for its answer.
// Unless Ephemeral, an installed server keeps an append-only file in Dir/redis.
func StartRedis(ctx context.Context, opts Options) (_ *Redis, err error) {
	r := &Redis{opts: opts, password: randomSecret(), log: opts.log()}
	if !opts.InProcess {
		r.Kind, r.program = findRedis(r.log)
	}
	if r.program == "" {
		if err := r.startInProcess(); err != nil {
			return nil, err
		}
		return r, nil
	}
	if err := r.openFolder(); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			r.discard()
		}
	}()
	if endProcessesIn(r.base, syscall.SIGTERM, stopTimeout) {
		r.log.Info("stopped the Redis server of an earlier run", "dir", r.base)
	}
	if err := r.launch(ctx, 0); err != nil {
		return nil, err
	}
	r.log.Info("Redis started", "kind", r.Kind, "port", r.Port, "dir", r.base, "ephemeral", opts.Ephemeral)
	return r, nil
}

// URL is the address for REDIS_URL. It contains the password: never log it.
func (r *Redis) URL() string {
	return fmt.Sprintf("redis://:%s@%s/0", r.password, r.addr())
}

func (r *Redis) addr() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(r.Port)) }

// Stop ends the server; an installed one saves first, and the files of an
// ephemeral one are removed. The context counts as for Postgres.Stop.
func (r *Redis) Stop(ctx context.Context) error {
	if r.mini != nil {
		r.mini.stop()
		return nil
	}
	ctx, cancel := stopContext(ctx)
	defer cancel()
	err := r.proc.stop(ctx, syscall.SIGTERM)
	r.discard()
	return err
}

// Kill ends the server with SIGKILL. miniredis only closes its connections and
// its port: it keeps its data until the process ends.
func (r *Redis) Kill() {
	if r.mini != nil {
		r.mini.stop()
		return
	}
	_ = r.proc.cmd.Process.Kill()
	<-r.proc.done
}

// Restart starts the server again on the same port with the same password,
// after Kill or while it runs, and waits until it answers.
func (r *Redis) Restart(ctx context.Context) error {
	if r.mini != nil {
		r.mini.stop()
		return r.mini.start(r.addr())
	}
	if !r.proc.ended() {
		stopping, cancel := stopContext(ctx)
		defer cancel()
		if err := r.proc.stop(stopping, syscall.SIGTERM); err != nil {
			return err
		}
	}
	return r.launch(ctx, r.Port)
}

var redisFolders = []string{"/usr/bin", "/usr/local/bin", "/usr/sbin", "/opt/homebrew/bin"}

var redisVersion = regexp.MustCompile(`v=(\d+)\.(\d+)`)

// findRedis returns the first usable server, or nothing.
func findRedis(log *slog.Logger) (kind, program string) {
	for _, kind := range []string{KindRedis, KindValkey} {
		for _, dir := range findPrograms([]string{kind}, redisFolders...) {
			program := filepath.Join(dir, kind)
			output, err := exec.Command(program, "--version").Output() //nolint:gosec // a program found in system folders
			match := redisVersion.FindSubmatch(output)
			if err != nil || match == nil {
				continue
			}
			major, _ := strconv.Atoi(string(match[1]))
			minor, _ := strconv.Atoi(string(match[2]))
			if major > 6 || (major == 6 && minor >= 2) {
				return kind, program
			}
			log.Warn("Redis is too old, 6.2 or newer is needed", "program", program, "version", string(match[0]))
		}
	}
	return "", ""
}

func (r *Redis) openFolder() error {
	parent := r.opts.Dir
	if parent == "" {
		if !r.opts.Ephemeral {
			return errors.New("devstack: Options.Dir is needed for a Redis that is kept")
		}
		parent = ephemeralParent()
	}
	parent, err := filepath.Abs(parent)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(parent, 0o755); err != nil { //nolint:gosec // PostgreSQL keeps its folder beside it
		return fmt.Errorf("prepare the folder for Redis: %w", err)
	}
	if r.opts.Ephemeral {
		r.base, r.remove, err = newEphemeralFolder(parent, redisPrefix)
		return err
	}
	r.base = filepath.Join(parent, "redis")
	if err := os.MkdirAll(r.base, 0o700); err != nil {
		return fmt.Errorf("prepare the folder for Redis: %w", err)
	}
	if r.lock, err = lockFolder(r.base); errors.Is(err, errFolderInUse) {
		return fmt.Errorf("the Redis data in %s are in use by another running avisa: stop it first", r.base)
	}
	return err
}

func (r *Redis) launch(ctx context.Context, port int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyTimeout, fmt.Errorf("no answer within %s", readyTimeout))
	defer cancel()
	for attempt := 1; ; attempt++ {
		r.Port = port
		if port == 0 {
			var err error
			if r.Port, err = freePort(); err != nil {
				return err
			}
		}
		err := r.launchOnce(ctx)
		if err == nil {
			return nil
		}
		if port != 0 || attempt == 5 || !strings.Contains(err.Error(), "Address already in use") {
			return err
		}
	}
}

func (r *Redis) launchOnce(ctx context.Context) error {
	logPath := filepath.Join(r.base, "redis.log")
	if err := os.Remove(logPath); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	appendOnly := "yes"
	if r.opts.Ephemeral {
		appendOnly = "no"
	}
	// The configuration goes in by standard input: the password is then neither
	// in a file nor in the process list.
	cmd := exec.Command(r.program, "-") //nolint:gosec // found by findRedis
	cmd.Dir = r.base
	cmd.Stdin = strings.NewReader(strings.Join([]string{
		"bind 127.0.0.1", "port " + strconv.Itoa(r.Port), "requirepass " + r.password,
		"dir " + strconv.Quote(r.base), "logfile redis.log", "daemonize no",
		"appendonly " + appendOnly, `save ""`, "maxmemory-policy noeviction",
	}, "\n") + "\n")
	proc, err := startProcess(cmd, nil, syscall.SIGTERM)
	if err != nil {
		return err
	}
	r.proc = proc
	client := redis.NewClient(&redis.Options{Addr: r.addr(), Password: r.password, MaxRetries: -1, DialerRetries: 1})
	defer client.Close()
	err = poll(ctx, func() (bool, error) {
		if proc.ended() {
			return false, fmt.Errorf("%s did not start: %s", r.Kind, lastLines(logPath, 2, " # ", "rror"))
		}
		// Not with the client at once: it logs each refused connection.
		conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", r.addr())
		if err != nil {
			return false, nil //nolint:nilerr // not ready yet; the loop has a deadline
		}
		_ = conn.Close()
		return client.Ping(ctx).Err() == nil, nil
	})
	if err != nil && !proc.ended() {
		_ = proc.cmd.Process.Kill()
		<-proc.done
		err = fmt.Errorf("%s did not get ready: %w", r.Kind, err)
	}
	return err
}

func (r *Redis) discard() {
	if r.proc != nil && !r.proc.ended() {
		_ = r.proc.cmd.Process.Kill()
		<-r.proc.done
	}
	if r.remove != nil {
		r.remove()
	}
	r.lock.release()
}

func (r *Redis) startInProcess() error {
	r.Kind = KindInProcess
	r.mini = &miniRedis{server: miniredis.NewMiniRedis()}
	r.mini.server.RequireAuth(r.password)
	if err := r.mini.start("127.0.0.1:0"); err != nil {
		return fmt.Errorf("start Redis in this process: %w", err)
	}
	var err error
	r.Port, err = strconv.Atoi(r.mini.server.Port())
	r.log.Info("Redis runs inside this process (miniredis): its data end with it", "port", r.Port)
	return err
}

// miniRedis is miniredis with a clock: its keys expire only when told that time
// has passed.
type miniRedis struct {
	server *miniredis.Miniredis
	mu     sync.Mutex
	ticker *time.Ticker
	done   chan struct{}
}

const miniTick = 250 * time.Millisecond

func (m *miniRedis) start(addr string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if err := m.server.StartAddr(addr); err != nil {
		return err
	}
	ticker, done := time.NewTicker(miniTick), make(chan struct{})
	m.ticker, m.done = ticker, done
	go func() {
		for {
			select {
			case <-ticker.C:
				m.server.FastForward(miniTick)
			case <-done:
				return
			}
		}
	}()
	return nil
}

func (m *miniRedis) stop() {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.done == nil {
		return
	}
	m.ticker.Stop()
	close(m.done)
	m.done = nil
	m.server.Close()
}
