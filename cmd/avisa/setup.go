package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/nubedigitalmx/avisa/db"
	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/account"
	"github.com/nubedigitalmx/avisa/internal/fault"
	"github.com/nubedigitalmx/avisa/internal/locale"
	"github.com/nubedigitalmx/avisa/internal/mail"
)

// runSetup brings the schema up to date, makes the company where there is none, and prints a link with which an
// administrator sets a password: the first one, or one who is locked out. It can be repeated.
func runSetup(ctx context.Context, c config, _ *slog.Logger, args []string) error {
	flags := flag.NewFlagSet("setup", flag.ContinueOnError)
	flags.SetOutput(io.Discard) // the error says it in one line
	company := flags.String("company", "", "the company's name as clients know it")
	email := flags.String("email", "", "the company's address of billing, from which mails come")
	admin := flags.String("admin", "", "the administrator's address")
	name := flags.String("name", "", "the administrator's name")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 || *admin == "" {
		return errors.New(`usage: avisa setup --company "Name" --email billing@company --admin person@company [--name "Person"]` +
			"\n(--company and --email the first time alone)")
	}
	if err := c.need("DATABASE_URL", "AVISA_BASE_URL", "AVISA_SECRET"); err != nil {
		return err
	}
	secrets, err := c.secrets()
	if err != nil {
		return err
	}
	store, err := db.Open(ctx, c.DatabaseURL, 2)
	if err != nil {
		return err
	}
	defer func() { _ = store.Close() }()
	if _, err := store.Migrate(ctx); err != nil {
		return err
	}
	ctx = access.With(ctx, access.SystemActor())
	s := &account.Service{Store: store, Now: time.Now, Secrets: secrets}
	row, err := store.Company(ctx)
	switch {
	case fault.Is(err, fault.NotFound):
		if row, err = newCompany(*company, *email); err != nil {
			return err
		}
		err = s.SetUp(ctx, row)
	case err == nil && *company != "" && *company != row.Name:
		return fmt.Errorf("the company is set up already, as %q: change it in the console", row.Name)
	}
	if err != nil {
		return err
	}
	token, until, err := s.AdminLink(ctx, account.AdminLinkInput{Name: *name, Email: *admin})
	if err != nil {
		return spoken(err)
	}
	fmt.Fprintf(os.Stdout, "Company        %s <%s>\nAdministrator  %s\n\nOpen this address until %s to set the password:\n\n  %s/consola/contrasena/%s\n",
		row.Name, row.Email, *admin, until.Local().Format("2006-01-02 15:04"), c.BaseURL, token)
	return nil
}

func newCompany(name, email string) (db.Company, error) {
	name = strings.TrimSpace(name)
	if _, ok := mail.Address(email); !ok || name == "" {
		return db.Company{}, errors.New("the company is not set up yet: --company takes its name and --email its address of billing")
	}
	return db.Company{Name: name, Email: email, BrandColour: "#0f766e", Timezone: "America/Mexico_City", Language: locale.Spanish}, nil
}

// spoken is an error in the words of people.
func spoken(err error) error {
	f, ok := fault.As(err)
	if !ok || len(f.Fields) == 0 {
		return err
	}
	words := []string{}
	for _, field := range f.Fields {
		words = append(words, field.Path+": "+locale.Error(locale.English, field.Code, field.Args))
	}
	return errors.New(strings.Join(words, "; "))
}
