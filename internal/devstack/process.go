package devstack

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a child that ends with us.
type process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when the child has ended and been waited for
	err  error         // what Wait said; read after done
}

// startProcess runs cmd in a process group of its own, so that Ctrl-C in a
// terminal reaches us and not the server: we stop it in our order. Where the
// system can, the child gets the signal atParentDeath when we die.
//
// Linux sends that signal when the *thread* that forked ends, and Go ends
// threads as it likes; the goroutine therefore keeps its thread for as long as
// the child lives.
func startProcess(cmd *exec.Cmd, cred *syscall.Credential, atParentDeath syscall.Signal) (*process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: cred}
	setParentDeathSignal(cmd.SysProcAttr, atParentDeath)
	p := &process{cmd: cmd, done: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", filepath.Base(cmd.Path), err)
	}
	return p, nil
}

// ended reports whether the child is gone.
func (p *process) ended() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// stop sends sig and waits; when ctx ends first it kills, so the child never
// outlives the call.
func (p *process) stop(ctx context.Context, sig syscall.Signal) error {
	_ = p.cmd.Process.Signal(sig) // an ended child is what we want
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		_ = p.cmd.Process.Kill()
		<-p.done
		return fmt.Errorf("%s did not stop in time and was killed: %w", filepath.Base(p.cmd.Path), context.Cause(ctx))
	}
}

var serverNames = map[string]bool{"postgres": true, "initdb": true, "redis-server": true, "valkey-server": true}

// processesIn lists the servers whose working folder is dir or below it.
// PostgreSQL and Redis both change to their data folder, so this finds a server
// left behind, and its children, without trusting a pid file.
func processesIn(dir string) []int {
	if resolved, err := filepath.EvalSymlinks(dir); err == nil {
		dir = resolved
	}
	links, _ := filepath.Glob("/proc/[0-9]*/cwd")
	var pids []int
	for _, link := range links {
		cwd, err := os.Readlink(link)
		if err != nil {
			continue
		}
		if cwd == dir || strings.HasPrefix(cwd, dir+string(filepath.Separator)) {
			// A person's shell may stand in the folder too: only servers count.
			comm, _ := os.ReadFile(filepath.Join(filepath.Dir(link), "comm"))
			if !serverNames[strings.TrimSpace(string(comm))] {
				continue
			}
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(link))); err == nil && pid != os.Getpid() {
				pids = append(pids, pid)
			}
		}
	}
	return pids
}

// endProcessesIn ends whatever still runs in dir: first with sig, after grace
// with SIGKILL. It reports whether there was anything to end.
func endProcessesIn(dir string, sig syscall.Signal, grace time.Duration) bool {
	pids := processesIn(dir)
	if len(pids) == 0 {
		return false
	}
	for deadline := time.Now().Add(grace); len(pids) > 0; pids = processesIn(dir) {
		if time.Now().After(deadline) {
			sig, deadline = syscall.SIGKILL, time.Now().Add(grace)
		}
		for _, pid := range pids {
			_ = syscall.Kill(pid, sig)
		}
		if sig != syscall.SIGKILL {
			sig = 0 // ask once; signal 0 only probes
		}
		time.Sleep(pollInterval)
	}
	return true
}

// findPrograms returns the folders, best first, that hold all named programs.
func findPrograms(names []string, folders ...string) []string {
	var found []string
	seen := map[string]bool{}
	for _, folder := range append(filepath.SplitList(os.Getenv("PATH")), folders...) {
		if resolved, err := filepath.EvalSymlinks(folder); err == nil {
			folder = resolved
		}
		if folder == "" || seen[folder] {
			continue
		}
		seen[folder] = true
		complete := true
		for _, name := range names {
			info, err := os.Stat(filepath.Join(folder, name)) //nolint:gosec // PATH is meant to say where programs are
			if err != nil || info.IsDir() || info.Mode()&0o111 == 0 {
				complete = false
				break
			}
		}
		if complete {
			found = append(found, folder)
		}
	}
	return found
}

// exitText turns a failed command into one line.
func exitText(err error, output []byte) string {
	text := strings.Join(strings.Fields(string(output)), " ")
	if text == "" {
		return err.Error()
	}
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) {
		return text
	}
	return err.Error() + ": " + text
}
