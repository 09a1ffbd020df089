package devstack

import (
	"cmp"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
)

// postgresBin is a folder with initdb and postgres of one major version.
type postgresBin struct {
	dir   string
	major int
}

// ErrNoPostgres means that this machine has no PostgreSQL server programs.
var ErrNoPostgres = errors.New("PostgreSQL 15 or newer is not installed (initdb and postgres were not found): " +
	"run `apt-get install postgresql`, or set DATABASE_URL to a server you have")

var postgresFolders = []string{
	"/usr/lib/postgresql/*/bin",          // Debian, Ubuntu
	"/usr/pgsql-*/bin",                   // PGDG on Fedora and RHEL
	"/usr/local/pgsql/bin",               // built from source
	"/opt/homebrew/opt/postgresql@*/bin", // Homebrew, Apple silicon
	"/usr/local/opt/postgresql@*/bin",    // Homebrew, Intel
	"/home/linuxbrew/.linuxbrew/opt/postgresql@*/bin",
	"/Applications/Postgres.app/Contents/Versions/*/bin",
}

var postgresVersion = regexp.MustCompile(`\(PostgreSQL\) (\d+)`)

// findPostgres lists the usable installations: the one in PATH wins, then the
// newest.
func findPostgres() ([]postgresBin, error) {
	var folders []string
	for _, pattern := range postgresFolders {
		matches, _ := filepath.Glob(pattern)
		folders = append(folders, matches...)
	}
	names := []string{"initdb", "postgres"}
	inPath := findPrograms(names)
	var bins []postgresBin
	tooOld := 0
	for _, dir := range findPrograms(names, folders...) {
		output, err := exec.Command(filepath.Join(dir, "postgres"), "--version").Output() //nolint:gosec // found above
		match := postgresVersion.FindSubmatch(output)
		if err != nil || match == nil {
			continue
		}
		major, _ := strconv.Atoi(string(match[1]))
		if major < minPostgresMajor {
			tooOld = max(tooOld, major)
			continue
		}
		bins = append(bins, postgresBin{dir, major})
	}
	slices.SortStableFunc(bins, func(a, b postgresBin) int {
		if aIn, bIn := slices.Contains(inPath, a.dir), slices.Contains(inPath, b.dir); aIn != bIn {
			if aIn {
				return -1
			}
			return 1
		}
		return cmp.Compare(b.major, a.major)
	})
	switch {
	case len(bins) > 0:
		return bins, nil
	case tooOld > 0:
		return nil, fmt.Errorf("PostgreSQL %d is too old, %d or newer is needed: install a newer postgresql, "+
			"or set DATABASE_URL to a server you have", tooOld, minPostgresMajor)
	default:
		return nil, ErrNoPostgres
	}
}
