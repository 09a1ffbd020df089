// Command avisa is the whole product in one binary: the web server, the background worker, the
// schema's migrations and the demo.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"
)

const usage = `avisa, the billing client area for service companies

  avisa demo [--once]   everything in one process with demo data; --once ends after showing the main job
  avisa serve           the web server: client area, console, GraphQL
  avisa work            the background worker: reminders and documents
  avisa migrate         bring the database's schema up to date
  avisa setup           the company and its first administrator, or a new link for one who is locked out
  avisa seed            demo data into an empty database (development and demo only)
  avisa rotate          encrypt stored keys anew with AVISA_SECRET and the first key of AVISA_CSD_KEYS
  avisa catalogs import FILE...
                        take newer catalogs of the SAT into use: its workbook as .xlsx, or a sheet as CSV or TSV
  avisa schema          print the GraphQL schema
  avisa version         print what this binary was built from

Settings are environment variables: see docs/operations.md.
`

// command is a verb of the command line. env is the environment it assumes unless AVISA_ENV is set.
type command struct {
	env string
	run func(ctx context.Context, c config, log *slog.Logger, args []string) error
}

var commands = map[string]command{
	"demo":    {demo, runDemo},
	"serve":   {production, runServe},
	"work":    {production, runWork},
	"migrate": {production, runMigrate},
	"setup":   {production, runSetup},
	"seed":    {development, runSeed},
	"schema":  {development, runSchema},
	"rotate":  {production, runRotate},

	"catalogs": {production, runCatalogs},
}

func main() { os.Exit(run(os.Args[1:], os.Stderr)) }

func run(args []string, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return 2
	}
	switch args[0] {
	case "help", "-h", "--help":
		fmt.Print(usage)
		return 0
	case "version", "--version":
		fmt.Println(version())
		return 0
	}
	verb, known := commands[args[0]]
	if !known {
		fmt.Fprintf(stderr, "avisa: unknown command %q\n\n%s", args[0], usage)
		return 2
	}
	c, err := readConfig(verb.env)
	if err != nil {
		fmt.Fprintf(stderr, "avisa %s: %v\n", args[0], err)
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := verb.run(ctx, c, logger(c, stderr), args[1:]); err != nil && !errors.Is(err, context.Canceled) {
		fmt.Fprintf(stderr, "avisa %s: %v\n", args[0], err)
		return 1
	}
	return 0
}

// logger writes JSON lines in production and readable lines elsewhere.
func logger(c config, out io.Writer) *slog.Logger {
	level := slog.LevelInfo
	if os.Getenv("AVISA_LOG") == "debug" {
		level = slog.LevelDebug
	}
	if c.Env == production {
		return slog.New(slog.NewJSONHandler(out, &slog.HandlerOptions{Level: level}))
	}
	if c.Env == demo && level == slog.LevelInfo {
		level = slog.LevelWarn
	}
	return slog.New(slog.NewTextHandler(out, &slog.HandlerOptions{Level: level}))
}
