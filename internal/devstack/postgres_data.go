package devstack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// serverOwner is who the server runs as, and so who must own its files.
type serverOwner struct{ uid, gid int }

// serverIdentity chooses the user: ourselves, or, because PostgreSQL refuses to
// run as root, the distribution's "postgres" user or "nobody".
func serverIdentity() (*syscall.Credential, serverOwner, error) {
	if os.Geteuid() != 0 {
		return nil, serverOwner{os.Geteuid(), os.Getegid()}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, uidErr := strconv.ParseUint(u.Uid, 10, 31)
		gid, gidErr := strconv.ParseUint(u.Gid, 10, 31)
		if uidErr != nil || gidErr != nil || uid == 0 {
			continue
		}
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, serverOwner{int(uid), int(gid)}, nil
	}
	return nil, serverOwner{}, errors.New("PostgreSQL refuses to run as root and there is neither a `postgres` nor a `nobody` user: " +
		"run as another user, or set DATABASE_URL to a server you have")
}

// openFolder takes the folder that is kept between runs: Dir/postgres, or a
// fixed one elsewhere when the server's user cannot get at that.
func (p *Postgres) openFolder(owner serverOwner) error {
	if p.opts.Dir == "" {
		return errors.New("devstack: Options.Dir is needed for a cluster that is kept")
	}
	dir, err := filepath.Abs(filepath.Join(p.opts.Dir, "postgres"))
	if err != nil {
		return err
	}
	if err := makeOwnedFolder(dir, owner); err != nil {
		if os.Geteuid() != 0 {
			return fmt.Errorf("prepare the folder for PostgreSQL: %w", err)
		}
		elsewhere := fallbackFolder(dir)
		p.log.Info("PostgreSQL's user cannot use the folder, so its data are kept elsewhere", "wanted", dir, "dir", elsewhere, "reason", err)
		if err := makeOwnedFolder(elsewhere, owner); err != nil {
			return fmt.Errorf("prepare the folder for PostgreSQL: %w", err)
		}
		dir = elsewhere
	}
	p.base = dir
	if p.lock, err = lockFolder(dir); errors.Is(err, errFolderInUse) {
		return fmt.Errorf("the PostgreSQL data in %s are in use by another running avisa: stop it first", dir)
	}
	return err
}

// fallbackFolder is the same for the same wanted folder, so that data are found
// again. It is below /var/lib and not the temporary directory, where another
// user could be there first.
func fallbackFolder(wanted string) string {
	sum := sha256.Sum256([]byte(wanted))
	return filepath.Join("/var/lib/avisa-devstack", hex.EncodeToString(sum[:8]))
}

// makeEphemeralFolder makes a folder for this start alone.
func (p *Postgres) makeEphemeralFolder(owner serverOwner) error {
	parent := p.opts.Dir
	if parent == "" {
		parent = ephemeralParent()
	}
	parent, err := filepath.Abs(parent)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(parent, 0o755); err != nil { //nolint:gosec // the server's user must be able to enter
		return err
	}
	for _, other := range []string{os.TempDir(), "/tmp", "/var/tmp"} {
		if enterable(parent, owner) {
			break
		}
		parent = other
	}
	if p.base, p.remove, err = newEphemeralFolder(parent, ephemeralPrefix); err != nil {
		return fmt.Errorf("make a folder for PostgreSQL: %w", err)
	}
	if err := makeOwnedFolder(p.base, owner); err != nil {
		p.discard()
		return fmt.Errorf("prepare the folder for PostgreSQL: %w", err)
	}
	return nil
}

// makeOwnedFolder makes dir, private to owner, and checks that owner gets there.
func makeOwnedFolder(dir string, owner serverOwner) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil { //nolint:gosec // the server's user must be able to enter
		return err
	}
	if !enterable(filepath.Dir(dir), owner) {
		return fmt.Errorf("uid %d may not enter %s", owner.uid, filepath.Dir(dir))
	}
	if err := os.Mkdir(dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", dir)
	}
	if err := giveTo(dir, owner); err != nil {
		return err
	}
	run := filepath.Join(dir, "run")
	if err := os.Mkdir(run, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return giveTo(run, owner)
}

func giveTo(path string, owner serverOwner) error {
	if os.Geteuid() != 0 {
		return nil // we are the owner
	}
	return os.Lchown(path, owner.uid, owner.gid)
}

// enterable reports whether owner may pass through dir and everything above it,
// by the plain permission bits.
func enterable(dir string, owner serverOwner) bool {
	for {
		info, err := os.Stat(dir)
		if err != nil {
			return false
		}
		bit := fs.FileMode(0o001)
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			switch {
			case int(stat.Uid) == owner.uid:
				bit = 0o100
			case int(stat.Gid) == owner.gid:
				bit = 0o010
			}
		}
		if info.Mode().Perm()&bit == 0 {
			return false
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return true
		}
		dir = parent
	}
}

// prepareData makes the cluster on the first run. On later runs it checks that
// the programs fit the data and clears what a crash left.
func (p *Postgres) prepareData(ctx context.Context, bins []postgresBin, owner serverOwner) error {
	data, passwordFile := filepath.Join(p.base, "data"), filepath.Join(p.base, "password")
	version, err := os.ReadFile(filepath.Join(data, "PG_VERSION")) //nolint:gosec // our own folder
	secret, secretErr := os.ReadFile(passwordFile)                 //nolint:gosec // our own folder
	// initdb writes PG_VERSION first, so a cut-off initdb looks like a cluster:
	// the marker is written when it is done.
	_, doneErr := os.Stat(filepath.Join(p.base, "initialized"))
	if err == nil && secretErr == nil && doneErr == nil {
		p.password = strings.TrimSpace(string(secret))
		return p.reuseData(strings.TrimSpace(string(version)), bins)
	}
	if err := os.RemoveAll(data); err != nil {
		return err
	}
	p.password = randomSecret()
	if err := os.WriteFile(passwordFile, []byte(p.password+"\n"), 0o600); err != nil {
		return err
	}
	if err := giveTo(passwordFile, owner); err != nil {
		return err
	}
	if err := p.initdb(ctx, data, passwordFile); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(p.base, "initialized"), nil, 0o600)
}

func (p *Postgres) initdb(ctx context.Context, data, passwordFile string) error {
	var err error
	// UTF-8 rules for upper and lower case matter: with plain C, "PEÑA" and
	// "peña" never match. Not every system has every name.
	for _, locale := range []string{"C.UTF-8", "en_US.UTF-8", "C"} {
		cmd := p.command("initdb", "-D", data, "-U", postgresUser, "--pwfile="+passwordFile,
			"-A", "scram-sha-256", "-E", "UTF8", "--locale="+locale, "--no-instructions")
		if p.opts.Ephemeral {
			cmd.Args = append(cmd.Args, "--no-sync")
		}
		var output strings.Builder
		cmd.Stdout, cmd.Stderr = &output, &output
		var proc *process
		if proc, err = startProcess(cmd, p.cred, syscall.SIGKILL); err != nil {
			return err
		}
		select {
		case <-proc.done:
		case <-ctx.Done():
			return errors.Join(context.Cause(ctx), proc.stop(ctx, syscall.SIGKILL))
		}
		if proc.err == nil {
			return nil
		}
		err = fmt.Errorf("initdb failed: %s", exitText(proc.err, []byte(output.String())))
		if !strings.Contains(output.String(), "locale") {
			break
		}
	}
	return err
}

// reuseData picks the programs of the data's version.
func (p *Postgres) reuseData(version string, bins []postgresBin) error {
	for _, bin := range bins {
		if strconv.Itoa(bin.major) == version {
			p.bin, p.Version = bin.dir, bin.major
			return p.clearStaleFiles()
		}
	}
	return fmt.Errorf("the data in %s were made by PostgreSQL %s, but only %d is installed: run `apt-get install postgresql-%s`, "+
		"or remove that folder to start anew", p.base, version, p.Version, version)
}

// clearStaleFiles removes the lock files of a killed server. No server runs in
// the folder when this is called; PostgreSQL itself would trust the process id
// in them, which may belong to somebody else by now.
func (p *Postgres) clearStaleFiles() error {
	stale, _ := filepath.Glob(filepath.Join(p.base, "run", ".s.PGSQL.*"))
	for _, path := range append(stale, filepath.Join(p.base, "data", "postmaster.pid")) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
