package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/devstack"
)

// runDemo serves everything in one process with demo data, after doing the main job once through
// the public API.
func runDemo(ctx context.Context, c config, log *slog.Logger, args []string) error {
	if c.Env == production {
		return errors.New("the demo opens a public mailbox and known passwords: it does not run with AVISA_ENV=production")
	}
	once := slices.Contains(args, "--once")
	if len(args) > 1 || len(args) == 1 && !once {
		return fmt.Errorf("unknown argument %q; the demo knows --once", strings.Join(args, " "))
	}
	// The port first: without it nothing else is worth starting.
	listener, err := listen("AVISA_ADDR", c.Addr)
	if err != nil {
		return err
	}
	defer func() { _ = listener.Close() }()
	if os.Getenv("AVISA_BASE_URL") == "" {
		c.BaseURL = fmt.Sprintf("http://localhost:%d", listener.Addr().(*net.TCPAddr).Port)
	}
	fmt.Print("Avisa demo\n\n")
	stack, err := startStack(ctx, &c, log)
	defer stack.stop(log)
	if err != nil {
		return err
	}
	if err := demoSecret(&c); err != nil {
		return err
	}
	cashier, closeCashier, err := startCashier(&c)
	if err != nil {
		return err
	}
	defer closeCashier()
	a, err := open(ctx, c, log)
	if err != nil {
		return err
	}
	defer a.close()
	a.mailbox = stack.mailbox
	if _, err := a.store.Migrate(ctx); err != nil {
		return err
	}
	if err := a.seed(ctx); err != nil {
		return fmt.Errorf("demo data: %w", err)
	}

	// Web and workers hold the rights of their roles, as in production; seeding needed the owner's.
	web, err := a.openAs(ctx, db.RoleWeb)
	if err != nil {
		return err
	}
	defer web.close()
	web.mailbox, web.cashier = stack.mailbox, cashier
	worker, err := a.openAs(ctx, db.RoleWorker)
	if err != nil {
		return err
	}
	defer worker.close()

	// Workers and server end before the connections they use.
	running, end := context.WithCancel(ctx)
	var group sync.WaitGroup
	defer group.Wait()
	defer end()
	failed := make(chan error, 2)
	group.Go(func() { failed <- worker.worker().Run(running) })
	group.Go(func() { failed <- serve(running, listener, web.web(), log) })

	printAddresses(c)
	invoice, err := a.freshInvoice(ctx)
	if err != nil {
		return err
	}
	err = mainJob(ctx, c.BaseURL, stack.mailbox, invoice)
	if once || err != nil && ctx.Err() != nil {
		return err
	}
	if err != nil { // settings that somebody changed in an earlier run may be why
		fmt.Print("\nThis goes on all the same. The data of an earlier run may be why: without the folder " + c.DataDir + " the demo begins anew.\n")
	}
	fmt.Print("\nNow you: sign in to the client area and add a contact that gets \"Emails Facturas\"; press \"Enviar recordatorios ahora\"\n" +
		"in the console; read the mail in the mailbox. README.md leads through it, pages and API, in ten minutes.\n")
	fmt.Print("\nServing. Press Ctrl-C to stop; data stay in " + c.DataDir + " for the next run.\n")
	select {
	case <-ctx.Done():
		return nil
	case err := <-failed:
		return err
	case name := <-stack.lost(running):
		return fmt.Errorf("the private %s has ended: run the demo again, which goes on where this one stopped", name)
	}
}

// openAs opens the product again with the rights of a role; with the user's own where the user may not
// switch to it, as in somebody else's database.
func (a *app) openAs(ctx context.Context, role string) (*app, error) {
	c := a.config
	may, err := a.store.MayUseRole(ctx, role)
	if err != nil {
		return nil, err
	}
	if may {
		c.role = role
	} else {
		a.log.Warn("the database role cannot be used: the user's own rights stay", "role", role)
	}
	return open(ctx, c, a.log)
}

func printAddresses(c config) {
	fmt.Println()
	for _, line := range [][3]string{
		{"Client area", "/clientes", demoOwner + " (owner)"},
		{"", "", demoAccountant + " (sub-account: invoices, emails)"},
		{"Staff console", "/consola", demoStaff},
		{"Demo mailbox", "/buzon", "every mail of the demo"},
		{"GraphQL", "/graphql", ""},
		{"Explorer", "/graphql/explorer", ""},
		{"Password", "", demoPassword + " (the same for all of them)"},
	} {
		address := line[1]
		if address != "" {
			address = c.BaseURL + address
		}
		fmt.Println(strings.TrimRight(fmt.Sprintf("  %-15s %-*s  %s", line[0], len(c.BaseURL)+len("/graphql/explorer"), address, line[2]), " "))
	}
	fmt.Println()
}

// stack is what the demo starts because no address of it was given.
type stack struct {
	postgres *devstack.Postgres
	redis    *devstack.Redis
	mailbox  *devstack.Mailbox
}

// startStack fills in the addresses that the settings leave open with private servers. The mailbox
// is always the demo's own, so that a demo never mails anybody.
func startStack(ctx context.Context, c *config, log *slog.Logger) (*stack, error) {
	s := &stack{}
	dir, err := filepath.Abs(c.DataDir)
	if err != nil {
		return s, err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // the PostgreSQL user must be able to enter it
		return s, err
	}
	options := devstack.Options{Dir: dir, Log: log}
	if c.DatabaseURL == "" {
		if s.postgres, err = devstack.StartPostgres(ctx, options); err != nil {
			return s, err
		}
		if err := s.postgres.CreateDatabase(ctx, "avisa"); err != nil {
			return s, err
		}
		c.DatabaseURL = s.postgres.URL("avisa")
		fmt.Printf("  PostgreSQL %d   private, in %s\n", s.postgres.Version, c.DataDir)
	} else {
		fmt.Print("  PostgreSQL      at DATABASE_URL\n")
	}
	if c.RedisURL == "" {
		if s.redis, err = devstack.StartRedis(ctx, options); err != nil {
			return s, err
		}
		c.RedisURL = s.redis.URL()
		fmt.Printf("  Redis           %s\n", redisLine(s.redis.Kind))
	} else {
		fmt.Print("  Redis           at REDIS_URL\n")
	}
	if c.BlobURL == "" {
		if c.BlobURL, err = folderURL(filepath.Join(c.DataDir, "files")); err != nil {
			return s, err
		}
	}
	if s.mailbox, err = devstack.StartMailbox("127.0.0.1:0"); err != nil {
		return s, err
	}
	c.SMTPURL = "smtp://" + s.mailbox.Addr() + "?tls=none"
	return s, nil
}

// redisLine says what kind of private Redis runs.
func redisLine(kind string) string {
	if kind == devstack.KindInProcess {
		return kind + ", in process, because no redis-server was found: fine for a demo, not for production"
	}
	return kind + ", private"
}

// lost tells the name of a private server that ends before the context does.
func (s *stack) lost(ctx context.Context) <-chan string {
	var postgres, redis <-chan struct{}
	if s.postgres != nil {
		postgres = s.postgres.Ended()
	}
	if s.redis != nil {
		redis = s.redis.Ended()
	}
	name := make(chan string, 1)
	go func() {
		select {
		case <-ctx.Done():
		case <-postgres:
			name <- "PostgreSQL"
		case <-redis:
			name <- "Redis"
		}
	}()
	return name
}

func (s *stack) stop(log *slog.Logger) {
	ctx := context.Background()
	if s.mailbox != nil {
		_ = s.mailbox.Close()
	}
	if s.redis != nil {
		if err := s.redis.Stop(ctx); err != nil {
			log.Warn("stop Redis", "error", err)
		}
	}
	if s.postgres != nil {
		if err := s.postgres.Stop(ctx); err != nil {
			log.Warn("stop PostgreSQL", "error", err)
		}
	}
}
