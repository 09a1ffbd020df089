package main

import (
	"context"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/db/dbtest"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/fault"
)

// unlimited lets every attempt through.
type unlimited struct{}

func (unlimited) Allow(context.Context, string, int) (time.Duration, error)       { return 0, nil }
func (unlimited) AllowHourly(context.Context, string, int) (time.Duration, error) { return 0, nil }
func (unlimited) Reset(context.Context, string) error                             { return nil }

// An empty database gets its company and first administrator from the command line, once; the printed link
// sets the password.
func TestSetup(t *testing.T) {
	t.Parallel()
	dsn, data := dbtest.URL(t), t.TempDir()
	setup := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), os.Args[0], append([]string{"setup"}, args...)...)
		cmd.Env = append(os.Environ(), "AVISA_TEST_RUN=1", "DATABASE_URL="+dsn, "AVISA_ENV=development", "AVISA_BASE_URL=https://avisa.example", "AVISA_DATA="+data)
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"nothing said":      {nil, "usage: avisa setup"},
		"no company yet":    {[]string{"--admin", "ana@nube.example"}, "--company takes its name"},
		"address that isnt": {[]string{"--company", "Nube", "--email", "x", "--admin", "ana@nube.example"}, "--email its address"},
	} {
		if out, err := setup(c.args...); err == nil || !strings.Contains(out, c.want) {
			t.Errorf("%s: %v, %s", name, err, out)
		}
	}
	out, err := setup("--company", "Nube Ejemplo", "--email", "cobranza@nube.example", "--admin", "ana@nube.example", "--name", "Ana")
	link := regexp.MustCompile(`https://avisa\.example/consola/contrasena/(\S+)`).FindStringSubmatch(out)
	if err != nil || link == nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := setup("--company", "Otra", "--admin", "ana@nube.example"); err == nil || !strings.Contains(out, "set up already") {
		t.Errorf("%v, %s", err, out)
	}
	if out, err := setup("--admin", "no es correo"); err == nil || !strings.Contains(out, "email: ") {
		t.Errorf("%v, %s", err, out)
	}
	o := outsideOf(t, dsn)
	s := &account.Service{Store: o.store, Now: time.Now, Limiter: unlimited{}}
	staff, err := s.Staff(access.With(t.Context(), access.SystemActor()))
	if err != nil || len(staff) != 1 || staff[0].Name != "Ana" || staff[0].Role != access.Admin {
		t.Fatalf("%+v, %v", staff, err)
	}
	if err := s.CompletePasswordReset(t.Context(), account.CompleteResetInput{Token: link[1], Password: "x"}); fault.Is(err, fault.Conflict) || err == nil {
		t.Errorf("the printed link: %v, want a complaint about the password alone", err)
	}
}
