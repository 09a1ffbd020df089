package main

import (
	"bytes"
	"encoding/base64"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/nubedigitalmx/avisa/internal/access"
	"github.com/nubedigitalmx/avisa/internal/fiscal"
)

// `avisa catalogs import` takes newer catalogs into use, and a file that is cut off not at all.
func TestCatalogsCommand(t *testing.T) {
	o := newOutside(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	label := func() string {
		catalogs := (&fiscal.Service{Store: o.store, CatalogSource: fiscal.NewCatalogSource(o.store, slog.New(slog.DiscardHandler))}).Catalogs(t.Context())
		return catalogs.Label(fiscal.CatMetodoPago, "PUE")
	}
	heading := "id,texto,vigencia_desde,vigencia_hasta\n"
	whole := write("metodos_pago.csv", heading+"PUE,Nuevo nombre,2022-01-01,\nPPD,Otra,2022-01-01,\n")
	for _, c := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"import", write("metodos_pago_corto.csv", heading+"PUE,Cortado,2022-01-01,\n"), "--catalog", "c_MetodoPago"}, 1, ""},
		{[]string{"import", filepath.Join(dir, "no-existe.csv")}, 1, ""},
		{[]string{"import"}, 1, ""},
		{nil, 1, ""},
		{[]string{"import", whole}, 0, "PUE - Nuevo nombre"},
		{[]string{"import", whole}, 0, "PUE - Nuevo nombre"}, // again changes nothing
	} {
		before := label()
		cmd := program(t, o.env, append([]string{"catalogs"}, c.args...)...)
		_ = cmd.Wait()
		if got := cmd.ProcessState.ExitCode(); got != c.code {
			t.Errorf("%q ends with %d, not %d", c.args, got, c.code)
		}
		if c.want == "" {
			c.want = before
		}
		if got := label(); got != c.want {
			t.Errorf("after %q PUE is %q", c.args, got)
		}
	}
}

// `avisa rotate` encrypts the CSD's key anew with the first key of AVISA_CSD_KEYS_FILE: then the old one can go.
func TestRotateCommand(t *testing.T) {
	o := newOutside(t)
	ctx := access.With(t.Context(), access.SystemActor())
	key := func(n byte) []byte { return bytes.Repeat([]byte{n}, 32) }
	service := func(current string, keys map[string][]byte) *fiscal.Service {
		ring, err := fiscal.NewKeyring(current, keys)
		if err != nil {
			t.Fatal(err)
		}
		return &fiscal.Service{Store: o.store, Now: time.Now, Keyring: ring}
	}
	first := service("k1", map[string][]byte{"k1": key(1)})
	if _, err := first.SaveIssuer(ctx, fiscal.IssuerInput{Rfc: demoIssuer, Nombre: "ESCUELA KEMPER URGATE", RegimenFiscal: "601", LugarExpedicion: "42501"}); err != nil {
		t.Fatal(err)
	}
	csd, err := testCSD(demoIssuer)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.KeepCSD(ctx, csd); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "keys")
	rotate := func(text string) int {
		t.Helper()
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		cmd := program(t, append(slices.Clone(o.env), "AVISA_CSD_KEYS_FILE="+file, "AVISA_BASE_URL=http://localhost:8080", "AVISA_SECRET=una-clave-solo-para-estas-pruebas-0123456789"), "rotate")
		_ = cmd.Wait()
		return cmd.ProcessState.ExitCode()
	}
	line := func(id string, n byte) string { return id + ":" + base64.StdEncoding.EncodeToString(key(n)) + "\n" }
	for name, c := range map[string]struct {
		text string
		code int
	}{"no key": {"k2:corta\n", 2}, "another key alone": {line("k2", 2), 1}} {
		if got := rotate(c.text); got != c.code {
			t.Errorf("%s: ends with %d, not %d", name, got, c.code)
		}
	}
	if got := rotate(line("k2", 2) + line("k1", 1)); got != 0 {
		t.Fatalf("ends with %d", got)
	}
	// Who has the old key alone cannot read it any more, who has the new one can.
	if _, err := service("k3", map[string][]byte{"k3": key(3), "k1": key(1)}).RotateKeys(ctx); err == nil {
		t.Error("the key is still encrypted with the old one")
	}
	if n, err := service("k3", map[string][]byte{"k3": key(3), "k2": key(2)}).RotateKeys(ctx); err != nil || n != 1 {
		t.Error(n, err)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	cmd := program(t, append(slices.Clone(o.env), "AVISA_CSD_KEYS_FILE="+file), "rotate")
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 2 {
		t.Errorf("without its file it ends with %d", cmd.ProcessState.ExitCode())
	}
}
