package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
)

// runCatalogs imports the SAT's catalogs: avisa catalogs import [--catalog c_FormaPago] FILE...
func runCatalogs(ctx context.Context, c config, _ *slog.Logger, args []string) error {
	if len(args) == 0 || args[0] != "import" {
		return errors.New("say what to do: avisa catalogs import FILE")
	}
	flags := flag.NewFlagSet("catalogs import", flag.ContinueOnError)
	catalog := flags.String("catalog", "", "the catalog of a CSV file that does not say it: c_FormaPago")
	if err := flags.Parse(args[1:]); err != nil {
		return err
	}
	if flags.NArg() == 0 {
		return errors.New("name the file: the SAT's workbook as .xlsx, a sheet of it as CSV or TSV")
	}
	if err := c.need("DATABASE_URL"); err != nil {
		return err
	}
	store, err := db.Open(ctx, c.DatabaseURL, 2)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	service := &fiscal.Service{Store: store}
	for _, path := range flags.Args() {
		data, err := os.ReadFile(path) //nolint:gosec // the operator names it
		if err != nil {
			return err
		}
		read, err := fiscal.ReadCatalogs(data, path, *catalog)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		done, err := service.ImportCatalogs(access.With(ctx, access.SystemActor()), read, filepath.Base(path))
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		for _, one := range done {
			word := "imported"
			if !one.Changed {
				word = "unchanged"
			}
			fmt.Printf("%-20s %6d keys  %s\n", one.Name, one.Keys, word)
		}
	}
	return nil
}
