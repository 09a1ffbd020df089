// Package devstack starts the servers Avisa needs when none are configured: a
// private PostgreSQL cluster, a private Redis and a mailbox that keeps what it
// is sent. The demo and the tests use it; production points at real servers.
//
// Every server listens on 127.0.0.1 only, has a random password and ends with
// the program that started it, also when that program is killed.
package devstack

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Options says where a server keeps its files and how long they live.
type Options struct {
	// Dir is the folder that holds the server's own folder ("postgres" or
	// "redis"). Empty, allowed only with Ephemeral, means memory (Linux's /dev/shm) where a few
	// databases fit, else os.TempDir().
	Dir string
	// Ephemeral trades durability for speed; its files go on Stop or when the program ends. Each
	// start gets a folder of its own inside Dir, so any number may run at once.
	Ephemeral bool
	// InProcess makes StartRedis use miniredis even where a server is installed.
	InProcess bool
	// Log receives what happens; nil discards it. Passwords are never logged.
	Log *slog.Logger
}

func (o Options) log() *slog.Logger {
	if o.Log == nil {
		return slog.New(slog.DiscardHandler)
	}
	return o.Log
}

const (
	stopTimeout  = 20 * time.Second
	readyTimeout = 30 * time.Second
	pollInterval = 20 * time.Millisecond
)

// randomSecret returns 32 hexadecimal digits (128 bits), safe in a URL as is.
func randomSecret() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // crypto/rand.Read never fails since Go 1.24
	return hex.EncodeToString(b)
}

// freePort asks the kernel for a TCP port on 127.0.0.1 that nobody uses now.
// Another program can take it before our server does: starters retry.
func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, fmt.Errorf("find a free port: %w", err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	return port, l.Close()
}

// stopContext limits the time a server has to stop. Programs stop because their
// context ended, so one that has ended already does not shorten it.
func stopContext(ctx context.Context) (context.Context, context.CancelFunc) {
	if ctx.Err() != nil {
		ctx = context.WithoutCancel(ctx)
	}
	return context.WithTimeoutCause(ctx, stopTimeout, errors.New("time is up"))
}

// poll calls try until it reports done or ctx ends; it returns ctx's cause then.
func poll(ctx context.Context, try func() (done bool, err error)) error {
	for {
		done, err := try()
		if done || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(pollInterval):
		}
	}
}

// folderLock marks a folder as owned by this process. The kernel drops it when
// the process ends, however it ends, so it tells a live owner from a dead one
// where a process id, which is used again, cannot.
type folderLock struct{ file *os.File }

const lockName = "owner.lock"

var errFolderInUse = errors.New("folder is in use by another program")

// lockFolder takes the lock without waiting; errFolderInUse means a live owner.
func lockFolder(dir string) (*folderLock, error) {
	path := filepath.Join(dir, lockName)
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) //nolint:gosec // the path is built from our own folder
	if err != nil {
		return nil, err
	}
	if err := flock(f); err != nil {
		_ = f.Close()
		return nil, err
	}
	return &folderLock{f}, nil
}

// newEphemeralFolder makes a folder that remove takes away, or, when we end without calling it, however
// that happens, a shell that waits for the end of a pipe to which nobody writes.
func newEphemeralFolder(parent, prefix string) (dir string, remove func(), err error) {
	if dir, err = os.MkdirTemp(parent, prefix); err != nil {
		return "", nil, err
	}
	cmd := exec.Command("/bin/sh", "-c", `read -r _; for _ in 1 2 3 4 5 6 7 8 9; do rm -rf "$0" && exit; sleep 1; done`, dir) //nolint:gosec // our own folder
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // Ctrl-C is for us
	pipe, err := cmd.StdinPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		_ = os.Remove(dir)
		return "", nil, err
	}
	return dir, sync.OnceFunc(func() { _ = pipe.Close(); _ = cmd.Wait() }), nil
}

func (l *folderLock) release() {
	if l != nil {
		_ = l.file.Close()
	}
}

// lastLines returns the end of a log for an error message: the last n non-empty
// lines that contain one of the given words, or simply the last n.
func lastLines(path string, n int, words ...string) string {
	data, err := os.ReadFile(path) //nolint:gosec // our own log file
	if err != nil {
		return ""
	}
	var lines, matching []string
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		if line == "" {
			continue
		}
		lines = append(lines, line)
		for _, word := range words {
			if strings.Contains(line, word) {
				matching = append(matching, line)
				break
			}
		}
	}
	if len(matching) > 0 {
		lines = matching
	}
	return strings.Join(lines[max(0, len(lines)-n):], " | ")
}
