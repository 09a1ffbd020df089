package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db/dbtest"
)

// once runs `avisa demo --once` and returns its exit status and what it wrote.
func once(t *testing.T, env ...string) (status int, out string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "demo", "--once")
	cmd.Env = append(append(os.Environ(), "AVISA_TEST_RUN=1"), env...)
	text, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(text)
}

// The demo says where everything is and who may sign in, does the main job with a real result of each step, and ends
// well; run again it does so again. When a step fails it says which, and ends with an error.
func TestDemoOnce(t *testing.T) {
	t.Parallel()
	address, o := freePort(t), newOutside(t)
	base := "http://localhost:" + address[strings.LastIndex(address, ":")+1:]
	env := append(o.env, "AVISA_ENV=demo", "AVISA_ADDR="+address)
	for run := range 2 {
		before := time.Now().Add(-time.Second).Format("20060102-150405")
		status, out := once(t, env...)
		if status != 0 {
			t.Fatalf("run %d: exit status %d\n%s", run+1, status, out)
		}
		lines := out
		for _, want := range []string{
			"PostgreSQL +at DATABASE_URL", "Redis +at REDIS_URL",
			"Client area +" + base + "/clientes +" + demoOwner + ` \(owner\)`, demoAccountant + " ",
			"Staff console +" + base + "/consola +" + demoStaff, "Demo mailbox +" + base + "/buzon", "GraphQL +" + base + "/graphql\n",
			"Explorer +" + base + "/graphql/explorer", "Password +" + demoPassword,
			"✓ 1. A client signs in +" + demoOwner + `, owner of .+ \(cli_\d+\)\n`,
			`✓ 2. adds a contact +con_\d+ contadora-(\d{8}-\d{6})@cafe-ficticio.example, sub-account active, permissions \[INVOICES\], preferences \[INVOICE\]\n`,
			`✓ 3. Staff run reminders +(?:\d+ planned|nothing left to do)`,
			`✓ 4. the mail arrives +"Recordatorio: su factura (F-\d+) vence mañana, \$([\d,.]+) MXN" to contadora-(\S+)@cafe-ficticio.example\n`,
			"✓ 5. The contact signs in +with its own password\n",
			`✓ 6. sees the invoice +(F-\d+) \(inv_\d+\), issued, due 20\d\d-\d\d-\d\d, balance \$([\d,.]+) MXN\n`,
			`✓ 7. downloads its PDF +/descargas/facturas/inv_\d+\.pdf, [1-9]\d{4,} bytes\n`,
		} {
			at := regexp.MustCompile(want).FindStringIndex(lines)
			if at == nil {
				t.Fatalf("run %d: %s is missing, or not in its place, in\n%s", run+1, want, out)
			}
			lines = lines[at[1]:]
		}
		read := func(pattern string) []string { return regexp.MustCompile(pattern).FindStringSubmatch(out) }
		added, mailed, seen := read(`con_\d+ contadora-(\S+)@`), read(`factura (F-\d+) vence mañana, (\S+) MXN" to contadora-(\S+)@`), read(`sees the invoice +(F-\d+) .* balance (\S+) MXN`)
		if added[1] < before || added[1] != mailed[3] || mailed[1] != seen[1] || mailed[2] != seen[2] {
			t.Errorf("run %d: %q was added, %q mailed, %q seen", run+1, added[1], mailed[1:], seen[1:])
		}
	}

	dbtest.Exec(t, o.dsn, "UPDATE login SET password_hash = ''")
	status, out := once(t, env...)
	if status != 1 || !strings.Contains(out, "✗ 1. A client signs in") || !strings.Contains(out, "avisa demo: step 1 failed: A client signs in\n") || strings.Contains(out, "✓") {
		t.Errorf("exit status %d\n%s", status, out)
	}
}
