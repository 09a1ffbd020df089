package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/nubedigitalmx/avisa/internal/secret"
)

// secrets opens the box of AVISA_SECRET. Outside production a missing one is made once and kept in the
// data folder, so that links and second factors outlive a restart.
func (c config) secrets() (*secret.Box, error) {
	if c.Secret == "" && c.Env == production {
		return nil, errors.New("AVISA_SECRET is missing: a random text of at least 32 characters that all processes share, for example from `openssl rand -hex 32`")
	}
	if c.Secret == "" {
		var err error
		if c.Secret, err = keptSecret(c.DataDir); err != nil {
			return nil, err
		}
	}
	earlier := []string{}
	if c.OldSecret != "" {
		earlier = append(earlier, c.OldSecret)
	}
	box, err := secret.New(c.Secret, earlier...)
	if err != nil {
		return nil, fmt.Errorf("AVISA_SECRET or AVISA_SECRET_PREVIOUS: %w", err)
	}
	return box, nil
}

// keptSecret reads the secret of the data folder. Of processes that start together one makes it: it appears
// whole, by linking, so that nobody reads it half-written.
func keptSecret(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // the PostgreSQL user must be able to enter it
		return "", err
	}
	path := filepath.Join(dir, "secret")
	raw, err := os.ReadFile(path) //nolint:gosec // the operator chooses the folder
	if errors.Is(err, fs.ErrNotExist) {
		if err := makeSecret(dir, path); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", err
		}
		raw, err = os.ReadFile(path) //nolint:gosec // the operator chooses the folder
	}
	return strings.TrimSpace(string(raw)), err
}

func makeSecret(dir, path string) error {
	file, err := os.CreateTemp(dir, "secret-") // for its owner alone
	if err != nil {
		return err
	}
	defer func() { _ = os.Remove(file.Name()) }()
	_, err = file.WriteString(secret.Random() + "\n")
	if err := errors.Join(err, file.Close()); err != nil {
		return err
	}
	return os.Link(file.Name(), path)
}
