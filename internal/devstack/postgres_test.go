package devstack

import (
	"context"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"
)

func connect(t *testing.T, url string) *pgx.Conn {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close(context.Background()) })
	return conn
}

func execute(t *testing.T, conn *pgx.Conn, sql string) {
	t.Helper()
	if _, err := conn.Exec(t.Context(), sql); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
}

func queryOne[T any](t *testing.T, conn *pgx.Conn, sql string) T {
	t.Helper()
	var value T
	if err := conn.QueryRow(t.Context(), sql).Scan(&value); err != nil {
		t.Fatalf("%s: %v", sql, err)
	}
	return value
}

func startPostgres(t *testing.T, opts Options) *Postgres {
	t.Helper()
	p, err := StartPostgres(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Stop(context.Background()) })
	return p
}

func TestPostgresKeepsDataBetweenRuns(t *testing.T) {
	t.Parallel()
	dir := testDir(t)
	first := startPostgres(t, Options{Dir: dir})
	for range 2 {
		if err := first.CreateDatabase(t.Context(), "avisa"); err != nil {
			t.Fatal(err)
		}
	}
	conn := connect(t, first.URL("avisa"))
	execute(t, conn, "CREATE TABLE kept AS SELECT 'Peña' AS name")
	if _, err := StartPostgres(t.Context(), Options{Dir: dir}); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("second start on the same folder: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel() // a program stops because its context ended
	if err := first.Stop(ended); err != nil {
		t.Fatal(err)
	}
	if first.proc.err != nil {
		t.Errorf("fast shutdown ended with %v", first.proc.err)
	}

	second := startPostgres(t, Options{Dir: dir})
	conn = connect(t, second.URL("avisa"))
	if got := queryOne[bool](t, conn, "SELECT name ILIKE 'PEÑA' FROM kept"); !got {
		t.Error("letter case of Ñ is not understood")
	}
}

func TestPostgresIsPrivate(t *testing.T) {
	t.Parallel()
	p := startPostgres(t, Options{Dir: testDir(t), Ephemeral: true})
	conn := connect(t, p.URL("postgres"))
	if got := queryOne[string](t, conn, "SHOW listen_addresses"); got != "127.0.0.1" {
		t.Errorf("listens on %q", got)
	}
	if got := queryOne[int](t, conn, "SELECT count(*)::int FROM pg_hba_file_rules WHERE auth_method <> 'scram-sha-256'"); got != 0 {
		t.Errorf("%d ways in without the password", got)
	}
	wrong, err := url.Parse(p.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	wrong.User = url.UserPassword(postgresUser, "wrong")
	if conn, err := pgx.Connect(t.Context(), wrong.String()); err == nil {
		_ = conn.Close(t.Context())
		t.Error("a wrong password was accepted")
	}
	info, err := os.Stat(filepath.Join(p.Dir(), "password"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("password file: %v, %v", info.Mode(), err)
	}
	for _, arg := range p.proc.cmd.Args {
		if strings.Contains(arg, p.password) {
			t.Error("the password is in the process list")
		}
	}
}

func TestPostgresEphemeral(t *testing.T) {
	t.Parallel()
	p := startPostgres(t, Options{Dir: testDir(t), Ephemeral: true})
	conn := connect(t, p.URL("postgres"))
	for setting, want := range map[string]string{"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "400"} {
		if got := queryOne[string](t, conn, "SHOW "+setting); got != want {
			t.Errorf("%s = %s, want %s", setting, got, want)
		}
	}
	if err := p.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(p.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
}

func TestPostgresKillAndRestart(t *testing.T) {
	t.Parallel()
	p := startPostgres(t, Options{Dir: testDir(t)})
	conn := connect(t, p.URL("postgres"))
	execute(t, conn, "CREATE TABLE kept (n int)")
	execute(t, conn, "INSERT INTO kept VALUES (1)")
	before := p.URL("postgres")
	p.Kill()
	if _, err := conn.Exec(t.Context(), "INSERT INTO kept VALUES (2)"); err == nil {
		t.Error("the killed server took a row")
	}
	if left := processesIn(p.Dir()); len(left) > 0 {
		t.Errorf("processes left after Kill: %v", left)
	}
	for range 2 { // after a crash, and while it runs
		if err := p.Restart(t.Context()); err != nil {
			t.Fatal(err)
		}
		if p.URL("postgres") != before {
			t.Error("the address changed")
		}
		if got := queryOne[int](t, connect(t, before), "SELECT count(*)::int FROM kept"); got != 1 {
			t.Errorf("%d rows after the restart, want 1", got)
		}
	}
}

// The owner is killed with SIGKILL: the servers must end by themselves, and the
// next start finds the data.
func TestServersEndWithAKilledOwner(t *testing.T) {
	t.Parallel()
	dir := testDir(t)
	o := startOwner(t, dir, false)
	execute(t, connect(t, o.postgresURL), "CREATE TABLE kept AS SELECT 7 AS n")
	setKey(t, o.redisURL, "kept", "7")
	o.kill9(t)

	p := startPostgres(t, Options{Dir: dir}) // at once, while the old ones may still be stopping
	if got := queryOne[int](t, connect(t, p.URL("postgres")), "SELECT n FROM kept"); got != 7 {
		t.Errorf("n = %d", got)
	}
	r := startRedis(t, Options{Dir: dir})
	if r.Kind != KindInProcess {
		if got := getKey(t, r.URL(), "kept"); got != "7" {
			t.Errorf("kept = %q", got)
		}
	}
}

// An orphan that did not end with its owner, and a pid file that names a process
// of somebody else: both must not stop the next start.
func TestPostgresTakesOverFromAnOrphan(t *testing.T) {
	t.Parallel()
	dir := testDir(t)
	p := startPostgres(t, Options{Dir: dir})
	execute(t, connect(t, p.URL("postgres")), "CREATE TABLE kept AS SELECT 7 AS n")
	p.lock.release() // as if we had died; the server lives on
	next := startPostgres(t, Options{Dir: dir})
	if got := queryOne[int](t, connect(t, next.URL("postgres")), "SELECT n FROM kept"); got != 7 {
		t.Errorf("n = %d", got)
	}
	if !p.proc.ended() {
		t.Error("two servers run on one folder")
	}

	next.Kill()
	next.lock.release()
	pidFile := filepath.Join(next.Dir(), "data", "postmaster.pid")
	content, err := os.ReadFile(pidFile)
	if err != nil {
		t.Fatalf("a killed server leaves its pid file: %v", err)
	}
	_, rest, _ := strings.Cut(string(content), "\n")
	if err := os.WriteFile(pidFile, []byte("1\n"+rest), 0o600); err != nil {
		t.Fatal(err)
	}
	last := startPostgres(t, Options{Dir: dir})
	if got := queryOne[int](t, connect(t, last.URL("postgres")), "SELECT n FROM kept"); got != 7 {
		t.Errorf("n = %d", got)
	}
}

func TestEphemeralFoldersGoWithTheirOwner(t *testing.T) {
	t.Parallel()
	dir := testDir(t)
	dead, alive := startOwner(t, dir, true), startOwner(t, dir, true)
	dead.kill9(t)
	left := func() int {
		folders, err := filepath.Glob(filepath.Join(dir, "*"))
		if err != nil {
			t.Fatal(err)
		}
		return len(folders)
	}
	waitUntil(t, "the dead owner's folders are gone", func() bool { return left() == 2 })
	if got := queryOne[int](t, connect(t, alive.postgresURL), "SELECT 1"); got != 1 {
		t.Error("the living owner's server is gone")
	}
	stopped := startPostgres(t, Options{Dir: dir, Ephemeral: true})
	if err := stopped.Stop(t.Context()); err != nil || left() != 2 {
		t.Errorf("%d folders after a stop: %v", left(), err)
	}
}

func TestPostgresCutOffInitdb(t *testing.T) {
	t.Parallel()
	dir := testDir(t)
	data := filepath.Join(dir, "postgres", "data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte("15\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := startPostgres(t, Options{Dir: dir})
	if got := queryOne[int](t, connect(t, p.URL("postgres")), "SELECT 1"); got != 1 {
		t.Error("no answer")
	}
}

func TestPostgresOtherVersionsData(t *testing.T) {
	t.Parallel()
	dir := testDir(t)
	p := startPostgres(t, Options{Dir: dir})
	if err := p.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.Dir(), "data", "PG_VERSION"), []byte("14\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := StartPostgres(t.Context(), Options{Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "made by PostgreSQL 14") || strings.Contains(err.Error(), "\n") {
		t.Errorf("error = %v", err)
	}
}

// Root's home is closed to the server's user: the data go elsewhere, to the same
// place each time.
func TestPostgresFolderClosedToItsUser(t *testing.T) {
	t.Parallel()
	if os.Geteuid() != 0 {
		t.Skip("only root runs the server as another user")
	}
	closed := filepath.Join(testDir(t), "closed")
	if err := os.Mkdir(closed, 0o700); err != nil {
		t.Fatal(err)
	}
	for round := range 2 {
		p := startPostgres(t, Options{Dir: closed})
		t.Cleanup(func() { _ = os.RemoveAll(p.Dir()) })
		if want := fallbackFolder(filepath.Join(closed, "postgres")); p.Dir() != want {
			t.Fatalf("data in %s, want %s", p.Dir(), want)
		}
		conn := connect(t, p.URL("postgres"))
		if round == 0 {
			execute(t, conn, "CREATE TABLE kept AS SELECT 7 AS n")
		} else if got := queryOne[int](t, conn, "SELECT n FROM kept"); got != 7 {
			t.Errorf("n = %d", got)
		}
		if err := p.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
}

func TestPostgresNotInstalled(t *testing.T) {
	saved := postgresFolders
	t.Cleanup(func() { postgresFolders = saved })
	postgresFolders = nil
	t.Setenv("PATH", t.TempDir())
	_, err := StartPostgres(t.Context(), Options{Dir: t.TempDir()})
	if !errors.Is(err, ErrNoPostgres) || !strings.Contains(err.Error(), "apt-get install postgresql") {
		t.Errorf("error = %v", err)
	}
}

func TestPostgresTooOld(t *testing.T) {
	saved := postgresFolders
	t.Cleanup(func() { postgresFolders = saved })
	postgresFolders = nil
	bin := t.TempDir()
	for _, name := range []string{"initdb", "postgres"} {
		script := "#!/bin/sh\necho 'postgres (PostgreSQL) 13.4'\n"
		if err := os.WriteFile(filepath.Join(bin, name), []byte(script), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin)
	_, err := findPostgres()
	if err == nil || !strings.Contains(err.Error(), "PostgreSQL 13 is too old") {
		t.Errorf("error = %v", err)
	}
}

func TestProcessesInFindsOnlyServers(t *testing.T) {
	t.Parallel()
	p := startPostgres(t, Options{Dir: testDir(t), Ephemeral: true})
	pids := processesIn(p.Dir())
	found := false
	for _, pid := range pids {
		found = found || pid == p.proc.cmd.Process.Pid
	}
	if !found {
		t.Errorf("server %d is not among %v", p.proc.cmd.Process.Pid, pids)
	}
	sleeper := sleepIn(t, p.Dir())
	for _, pid := range processesIn(p.Dir()) {
		if pid == sleeper {
			t.Error("a program that is no server would be killed")
		}
	}
	if err := syscall.Kill(sleeper, 0); err != nil {
		t.Error(err)
	}
}
