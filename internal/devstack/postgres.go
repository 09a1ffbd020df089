package devstack

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"
)

const (
	postgresUser      = "avisa" // the cluster's superuser
	ephemeralPrefix   = "avisa-pg-"
	minPostgresMajor  = 15
	maxSocketPath     = 100 // sockaddr_un holds 108 bytes, 104 on BSD, with the file's name
	persistentClients = 200
	ephemeralClients  = 400 // a database and a small pool per parallel test
)

// Postgres is a running private PostgreSQL cluster.
type Postgres struct {
	// Version is the server's major version, for example 17.
	Version int
	// Port is the TCP port on 127.0.0.1; it stays the same over Restart.
	Port int

	opts     Options
	bin      string // folder of the programs
	base     string // our folder: data/, run/ (socket), password, postgres.log
	password string
	cred     *syscall.Credential // nil: run as ourselves
	lock     *folderLock         // of a folder that is kept
	remove   func()              // the folder that is not
	proc     *process
	log      *slog.Logger
}

// Ended is closed when the server that runs now has ended, for whatever reason.
func (p *Postgres) Ended() <-chan struct{} { return p.proc.done }

// StartPostgres starts a private cluster and waits until it answers. The data
// of an earlier run in the same Dir are kept, and a server that a killed
// program left behind there is stopped first. It fails with errors that name
// the missing package, and with a line of the server's own log.
func StartPostgres(ctx context.Context, opts Options) (_ *Postgres, err error) {
	bins, err := findPostgres()
	if err != nil {
		return nil, err
	}
	p := &Postgres{opts: opts, bin: bins[0].dir, Version: bins[0].major, log: opts.log()}
	var owner serverOwner
	if p.cred, owner, err = serverIdentity(); err != nil {
		return nil, err
	}
	if opts.Ephemeral {
		err = p.makeEphemeralFolder(owner)
	} else {
		err = p.openFolder(owner)
	}
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			p.discard()
		}
	}()
	if endProcessesIn(p.base, syscall.SIGINT, stopTimeout) {
		p.log.Info("stopped the PostgreSQL server of an earlier run", "dir", p.base)
	}
	if err := p.prepareData(ctx, bins, owner); err != nil {
		return nil, err
	}
	if err := p.launch(ctx, 0); err != nil {
		return nil, err
	}
	p.log.Info("PostgreSQL started", "version", p.Version, "port", p.Port, "dir", p.base, "ephemeral", opts.Ephemeral)
	return p, nil
}

// URL is the address of a database in the cluster, for pgx and DATABASE_URL.
// It contains the password: never log it.
func (p *Postgres) URL(database string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(postgresUser, p.password),
		Host:     net.JoinHostPort("127.0.0.1", strconv.Itoa(p.Port)),
		Path:     "/" + database,
		RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Dir is the folder with the cluster's data, log and password.
func (p *Postgres) Dir() string { return p.base }

// CreateDatabase makes the database unless it is there already.
func (p *Postgres) CreateDatabase(ctx context.Context, name string) error {
	conn, err := pgx.Connect(ctx, p.URL("postgres"))
	if err != nil {
		return fmt.Errorf("connect to the private PostgreSQL: %w", err)
	}
	defer conn.Close(ctx)
	var exists bool
	err = conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", name).Scan(&exists)
	if err != nil || exists {
		return err
	}
	_, err = conn.Exec(ctx, "CREATE DATABASE "+pgx.Identifier{name}.Sanitize())
	return err
}

// Stop shuts the server down ("fast": open transactions are rolled back, data
// are flushed) and removes an ephemeral cluster's files.
func (p *Postgres) Stop(ctx context.Context) error {
	ctx, cancel := stopContext(ctx)
	defer cancel()
	signal := syscall.SIGINT
	if p.opts.Ephemeral {
		signal = syscall.SIGQUIT // "immediate": nothing is worth a checkpoint
	}
	err := p.proc.stop(ctx, signal)
	p.discard()
	return err
}

// Kill ends the server and all its sessions at once with SIGKILL, as a crash of
// the machine would. Restart brings it back.
func (p *Postgres) Kill() {
	_ = p.proc.cmd.Process.Kill()
	<-p.proc.done
	endProcessesIn(p.base, syscall.SIGKILL, time.Second)
}

// Restart starts the server again on the same port, after Kill or while it
// runs (then it is stopped first), and waits until it answers.
func (p *Postgres) Restart(ctx context.Context) error {
	if !p.proc.ended() {
		stopping, cancel := stopContext(ctx)
		defer cancel()
		if err := p.proc.stop(stopping, syscall.SIGINT); err != nil {
			return err
		}
	}
	endProcessesIn(p.base, syscall.SIGINT, stopTimeout)
	if err := p.clearStaleFiles(); err != nil {
		return err
	}
	return p.launch(ctx, p.Port)
}

// discard gives the folder up: an ephemeral one is removed.
func (p *Postgres) discard() {
	if p.proc != nil && !p.proc.ended() {
		_ = p.proc.cmd.Process.Kill()
		<-p.proc.done
	}
	if p.remove != nil {
		endProcessesIn(p.base, syscall.SIGKILL, time.Second)
		p.remove()
	}
	p.lock.release()
}

// launch runs the server and waits until it answers. Port 0 picks a free one
// and tries again when another program was faster.
func (p *Postgres) launch(ctx context.Context, port int) error {
	ctx, cancel := context.WithTimeoutCause(ctx, readyTimeout, fmt.Errorf("no answer within %s", readyTimeout))
	defer cancel()
	for attempt := 1; ; attempt++ {
		p.Port = port
		if port == 0 {
			var err error
			if p.Port, err = freePort(); err != nil {
				return err
			}
		}
		err := p.launchOnce(ctx)
		if err == nil {
			return nil
		}
		if port != 0 || attempt == 5 || !strings.Contains(err.Error(), "Address already in use") {
			return err
		}
	}
}

func (p *Postgres) launchOnce(ctx context.Context) error {
	logPath := filepath.Join(p.base, "postgres.log")
	logFile, err := os.OpenFile(logPath, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600) //nolint:gosec // our own folder
	if err != nil {
		return err
	}
	defer logFile.Close()
	cmd := p.command("postgres", "-D", filepath.Join(p.base, "data"), "-p", strconv.Itoa(p.Port))
	for _, setting := range p.settings() {
		cmd.Args = append(cmd.Args, "-c", setting)
	}
	cmd.Stdout, cmd.Stderr = logFile, logFile
	// SIGINT is "fast shutdown": a cluster that is kept is left clean even when
	// we are killed. An ephemeral one is only to go away.
	atParentDeath := syscall.SIGINT
	if p.opts.Ephemeral {
		atParentDeath = syscall.SIGQUIT
	}
	if p.proc, err = startProcess(cmd, p.cred, atParentDeath); err != nil {
		return err
	}
	err = poll(ctx, func() (bool, error) {
		if p.proc.ended() {
			return false, fmt.Errorf("PostgreSQL did not start: %s", lastLines(logPath, 3, "FATAL", "PANIC", "ERROR", "could not"))
		}
		conn, err := pgx.Connect(ctx, p.URL("postgres"))
		if err != nil {
			return false, nil //nolint:nilerr // not ready yet; the loop has a deadline
		}
		return true, conn.Close(ctx)
	})
	if err != nil && !p.proc.ended() {
		_ = p.proc.cmd.Process.Kill()
		<-p.proc.done
		err = fmt.Errorf("PostgreSQL did not get ready: %w", err)
	}
	return err
}

func (p *Postgres) settings() []string {
	settings := []string{
		"listen_addresses=127.0.0.1",
		"unix_socket_directories=" + p.socketDir(),
		"logging_collector=off",
		"timezone=UTC",
		"log_timezone=UTC",
	}
	if !p.opts.Ephemeral {
		return append(settings, "max_connections="+strconv.Itoa(persistentClients))
	}
	return append(settings,
		"max_connections="+strconv.Itoa(ephemeralClients),
		"fsync=off", "synchronous_commit=off", "full_page_writes=off",
		// Few checkpoints: CREATE DATABASE with file_copy forces its own. The files may be in memory.
		"max_wal_size=512MB", "checkpoint_timeout=1h",
	)
}

// socketDir is empty, which means no socket, when the path would be too long.
func (p *Postgres) socketDir() string {
	dir := filepath.Join(p.base, "run")
	if len(dir)+len("/.s.PGSQL.65535") > maxSocketPath {
		return ""
	}
	return dir
}

// command prepares one of PostgreSQL's programs. It gets a small environment:
// PGPORT, PGDATA and friends of the person at the terminal must not matter. Its
// working folder is ours, since initdb's user may not enter the current one.
func (p *Postgres) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(p.bin, name), args...) //nolint:gosec // a program found in system folders
	cmd.Dir = p.base
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.base, "LC_ALL=C", "TZ=UTC"}
	return cmd
}
