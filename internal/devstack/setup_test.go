package devstack

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// setup.sh runs on a machine made of a few programs in one folder.
func TestSetup(t *testing.T) {
	t.Parallel()
	const (
		postgres = "echo 'initdb (PostgreSQL) 17.2'"
		node     = "echo v20.1.0"
		oldNode  = "echo v12.22.9"
		// This apt-get notes what it is asked and installs what it is told to.
		apt = `echo "$@" >>"$BIN/apt.log"
case " $* " in *" install "*) for p in $APT_INSTALLS; do printf '#!/bin/sh\necho v18.20.4' >"$BIN/$p"; chmod +x "$BIN/$p"; done ;; esac
[ -z "$APT_FAILS" ] || { echo 'E: no such package'; exit 100; }`
		// This sudo asks for no password unless it is told to, notes what it is asked and does it.
		sudo = `[ "$1" != -n ] || { shift; [ -z "$SUDO_ASKS" ] || exit 1; }
echo "sudo $@" >>"$BIN/apt.log"
exec "$@"`
		user = "echo 1000"
	)
	for name, test := range map[string]struct {
		purpose  string
		programs map[string]string
		env      []string
		status   int
		says     []string // parts of the output; none: it must say nothing
		apt      string   // part of what apt-get was asked
	}{
		"everything is there": {purpose: "test", programs: map[string]string{
			"initdb": postgres, "node": node, "npm": "", "redis-server": "", "chromium": "", "pdftotext": "", "apt-get": apt,
		}},
		"the demo needs less": {purpose: "demo", programs: map[string]string{"initdb": postgres, "node": node, "npm": "", "valkey-server": "", "apt-get": apt}},
		"Redis in process":    {purpose: "demo", programs: map[string]string{"initdb": postgres, "node": node, "npm": ""}},
		"installs what is missing": {
			purpose:  "demo",
			programs: map[string]string{"initdb": postgres, "redis-server": "", "apt-get": apt},
			env:      []string{"APT_INSTALLS=node npm"},
			says:     []string{"setup: installing nodejs npm\n"}, apt: "install --no-install-recommends nodejs npm\n",
		},
		"leaves another source's node alone": {
			purpose:  "demo",
			programs: map[string]string{"initdb": postgres, "node": node, "npm": "", "apt-get": apt},
			env:      []string{"APT_INSTALLS=redis-server"},
			says:     []string{"setup: installing redis-server\n"}, apt: "install --no-install-recommends redis-server\n",
		},
		"apt fails": {
			purpose: "demo", status: 1,
			programs: map[string]string{"initdb": postgres, "redis-server": "", "apt-get": apt},
			env:      []string{"APT_FAILS=1"},
			says:     []string{"E: no such package", "setup: apt could not install nodejs npm", "Node.js 18 or newer, with npm: sudo apt-get install nodejs npm"},
		},
		"with sudo": {
			purpose:  "test",
			programs: map[string]string{"initdb": postgres, "redis-server": "", "node": node, "npm": "", "pdftotext": "", "apt-get": apt, "sudo": sudo, "id": user},
			env:      []string{"APT_INSTALLS=chromium"},
			says:     []string{"setup: installing chromium"}, apt: "sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 install --no-install-recommends chromium",
		},
		"sudo that wants a password, and nobody there to type it": {
			purpose: "demo", status: 1,
			programs: map[string]string{"initdb": postgres, "redis-server": "", "apt-get": apt, "sudo": sudo, "id": user},
			env:      []string{"APT_INSTALLS=node npm", "SUDO_ASKS=1"},
			says:     []string{"Node.js 18 or newer, with npm: sudo apt-get install nodejs npm"},
		},
		"neither root nor sudo": {
			purpose: "demo", status: 1,
			programs: map[string]string{"initdb": postgres, "node": node, "npm": "", "apt-get": apt, "id": user},
			says:     []string{"Redis 6.2 or newer, or Valkey: sudo apt-get install redis-server"},
		},
		"the browser by another name": {purpose: "browser", programs: map[string]string{"google-chrome-stable": ""}, says: []string{"/google-chrome-stable\n"}},
		"the first browser":           {purpose: "browser", programs: map[string]string{"google-chrome": "", "chromium": ""}, says: []string{"/chromium\n"}},
		"no browser":                  {purpose: "browser", status: 1, says: []string{"lacks Chromium or Chrome"}},
		"tests with that other name": {purpose: "test", programs: map[string]string{
			"initdb": postgres, "node": node, "npm": "", "valkey-server": "", "google-chrome-stable": "", "pdftotext": "", "apt-get": apt,
		}},
		"too old": {
			purpose: "demo", status: 1,
			programs: map[string]string{"initdb": postgres, "node": oldNode, "npm": "", "redis-server": "", "apt-get": apt},
			says:     []string{"Node.js 18 or newer", "https://nodejs.org/"},
		},
		"no apt": {
			purpose: "test", status: 1,
			programs: map[string]string{"initdb": postgres, "brew": ""},
			says:     []string{"to run the tests:", "brew install node\n", "brew install --cask google-chrome\n", "brew install redis\n", "brew install poppler\n"},
		},
		"wrong purpose": {purpose: "fly", status: 2, says: []string{"usage: "}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			bin := t.TempDir()
			for program, script := range test.programs {
				if err := os.WriteFile(filepath.Join(bin, program), []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			if _, ok := test.programs["id"]; !ok { // as root
				if err := os.WriteFile(filepath.Join(bin, "id"), []byte("#!/bin/sh\necho 0\n"), 0o700); err != nil {
					t.Fatal(err)
				}
			}
			for _, tool := range []string{"sh", "sed", "env", "true", "mktemp", "rm", "tail", "tr", "chmod"} {
				path, err := exec.LookPath(tool)
				if err != nil {
					t.Fatal(err)
				}
				if err := os.Symlink(path, filepath.Join(bin, tool)); err != nil {
					t.Fatal(err)
				}
			}
			shell, err := exec.LookPath("sh")
			if err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command(shell, "setup.sh", test.purpose)
			cmd.Env = append([]string{"PATH=" + bin, "BIN=" + bin, "TMPDIR=" + bin}, test.env...)
			output, _ := cmd.CombinedOutput()
			if got := cmd.ProcessState.ExitCode(); got != test.status {
				t.Errorf("status %d, want %d:\n%s", got, test.status, output)
			}
			if len(test.says) == 0 && len(output) > 0 {
				t.Errorf("said %q", output)
			}
			for _, part := range test.says {
				if !strings.Contains(string(output), part) {
					t.Errorf("%q is missing in:\n%s", part, output)
				}
			}
			asked, _ := os.ReadFile(filepath.Join(bin, "apt.log"))
			if !strings.Contains(string(asked), test.apt) || (test.apt == "" && len(test.env) == 0 && len(asked) > 0) {
				t.Errorf("apt-get was asked:\n%s", asked)
			}
		})
	}
}
