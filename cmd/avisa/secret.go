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
	box, err := secret.New(c.Secret)
	if err != nil {
		return nil, fmt.Errorf("AVISA_SECRET: %w", err)
	}
	return box, nil
}

func keptSecret(dir string) (string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // the PostgreSQL user must be able to enter it
		return "", err
	}
	path := filepath.Join(dir, "secret")
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // the operator chooses the folder
	if err == nil {
		text := secret.Random()
		_, err = file.WriteString(text + "\n")
		return text, errors.Join(err, file.Close())
	}
	if !errors.Is(err, fs.ErrExist) {
		return "", err
	}
	raw, err := os.ReadFile(path) //nolint:gosec // the operator chooses the folder
	return strings.TrimSpace(string(raw)), err
}
